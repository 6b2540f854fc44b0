//! Reads clicks with their details: pending ones from memory, the others block by block over a range of keys.

use crate::domain::click::{Click, ClickFlags, Tapped};
use crate::domain::id::LinkNo;
use crate::domain::time::Timestamp;
use crate::domain::user_agent::UserAgent;

use super::block::SPAN_MS;
use super::bytes::Source;
use super::columns::{Columns, Depth, Header};
use super::error::QueryError;
use super::key::{self, BlockKey};
use super::pending::Snapshot;
use super::query::{Budget, Query};
use super::store::Store;

/// One click, wherever it lies.
#[derive(Clone, Copy)]
pub(super) enum Row<'a> {
    Among(&'a Columns, usize),
    Lone(&'a Click),
}

impl<'a> Row<'a> {
    pub(super) fn at(&self) -> Timestamp {
        match self {
            Self::Among(columns, row) => columns.at[*row],
            Self::Lone(click) => click.at,
        }
    }

    pub(super) fn link(&self) -> LinkNo {
        match self {
            Self::Among(columns, row) => columns.place.get(*row).link,
            Self::Lone(click) => click.link,
        }
    }

    pub(super) fn flags(&self) -> ClickFlags {
        match self {
            Self::Among(columns, row) => columns.mark.get(*row).flags,
            Self::Lone(click) => click.flags,
        }
    }

    pub(super) fn variant(&self) -> u8 {
        match self {
            Self::Among(columns, row) => columns.mark.get(*row).variant,
            Self::Lone(click) => click.variant,
        }
    }

    pub(super) fn country(&self) -> &'a [u8; 2] {
        match self {
            Self::Among(columns, row) => columns.country.get(*row),
            Self::Lone(click) => &click.country,
        }
    }

    pub(super) fn locality(&self) -> &'a str {
        match self {
            Self::Among(columns, row) => columns.locality.get(*row),
            Self::Lone(click) => &click.locality,
        }
    }

    pub(super) fn user_agent(&self) -> UserAgent {
        match self {
            Self::Among(columns, row) => *columns.user_agent.get(*row),
            Self::Lone(click) => click.user_agent,
        }
    }

    pub(super) fn language(&self) -> &'a str {
        match self {
            Self::Among(columns, row) => columns.language.get(*row),
            Self::Lone(click) => &click.language,
        }
    }

    pub(super) fn referrer(&self) -> &'a str {
        match self {
            Self::Among(columns, row) => columns.referrer.get(*row),
            Self::Lone(click) => &click.referrer,
        }
    }

    pub(super) fn utm(&self) -> &'a [Box<str>; 5] {
        match self {
            Self::Among(columns, row) => columns.utm.get(*row),
            Self::Lone(click) => &click.utm,
        }
    }

    /// The visitor; only where clicks were read whole.
    pub(super) fn visitor(&self) -> u64 {
        match self {
            Self::Among(columns, row) => columns.visitor[*row],
            Self::Lone(click) => click.visitor,
        }
    }

    /// What it tapped; only where clicks were read whole.
    pub(super) fn tapped(&self) -> Option<Tapped> {
        match self {
            Self::Among(columns, row) => columns.tapped(*row),
            Self::Lone(click) => click.tapped,
        }
    }

    /// Its place in its node's sequence.
    pub(super) fn sequence(&self) -> u64 {
        match self {
            Self::Among(columns, row) => columns.sequence[*row],
            Self::Lone(click) => click.sequence,
        }
    }

    /// The whole click, where clicks were read whole.
    pub(super) fn click(&self) -> Click {
        match self {
            Self::Among(columns, row) => columns.click(*row),
            Self::Lone(click) => (*click).clone(),
        }
    }
}

/// Hands the pending clicks that `query` asks about, with the index of their frame, to `each`.
pub(super) fn pending<'a>(
    snapshot: &'a Snapshot,
    query: &Query,
    mut each: impl FnMut(u64, Row<'a>) -> Result<(), QueryError>,
) -> Result<(), QueryError> {
    for frame in snapshot.frames.iter() {
        matching(&frame.columns, query).try_for_each(|row| each(frame.index, row))?;
    }
    Ok(())
}

/// Hands the blocks that may hold clicks of `query` to `each` in order of their latest click, until it answers false.
/// Notes when clicks that it asks about are gone by age.
///
/// Blocks written after the snapshot are left out: their clicks are among its pending ones, or newer than the question.
pub(super) fn blocks(
    store: &Store,
    snapshot: &Snapshot,
    query: &Query,
    (is_newest_first, depth): (bool, Depth),
    budget: &mut Budget,
    mut each: impl FnMut(Timestamp, &Columns) -> Result<bool, QueryError>,
) -> Result<(), QueryError> {
    let first = BlockKey::lowest(query.start);
    // A block with clicks before `end` ends at most its span later.
    let last = BlockKey::highest(query.end.plus_ms(SPAN_MS));
    let mut is_whole = true;
    store.scan(&first, &last, is_newest_first, |key, body| {
        let key = BlockKey::read(key)?;
        let header = Header::read(&mut Source(body))?;
        if key.through > snapshot.watermark || header.first_at >= query.end || header.last_at < query.start {
            return Ok(true);
        }
        budget.clicks(header.count)?;
        is_whole = each(key.last_at, &Columns::decode_to(depth, body)?)?;
        Ok::<_, QueryError>(is_whole)
    })?;
    if is_whole {
        note_what_is_gone(store, query)
    } else {
        Ok(())
    }
}

/// Notes it in `query` when the log knows of clicks in its time that were removed by age. Asked after the clicks were
/// read: what was removed meanwhile is noted too.
fn note_what_is_gone(store: &Store, query: &Query) -> Result<(), QueryError> {
    let Some(cut) = store.history()?.cut.filter(|cut| query.start < *cut) else {
        return Ok(());
    };
    let last = cut.min(query.end).plus_ms(-1).bucket();
    let first = key::workspace_rollup(query.workspace, query.start.bucket());
    let last = key::workspace_rollup(query.workspace, last);
    if store.first_key(&first, &last)?.is_some() {
        query.lacks.note(cut);
    }
    Ok(())
}

/// The rows of `columns` that `query` asks about.
pub(super) fn matching<'a>(columns: &'a Columns, query: &Query) -> impl Iterator<Item = Row<'a>> + use<'a> {
    let places = columns.place.values.iter();
    let places: Vec<bool> = places
        .map(|place| query.has_link(place.workspace, place.link))
        .collect();
    let marks = columns.mark.values.iter();
    let marks: Vec<bool> = marks.map(|mark| query.classes.has(mark.flags.class())).collect();
    let mut is_asked: Vec<bool> = Vec::new();
    if places.contains(&true) && marks.contains(&true) {
        is_asked.extend((0..columns.header.count).map(|row| {
            places[columns.place.pick(row)] && marks[columns.mark.pick(row)] && query.has_instant(columns.at[row])
        }));
        query.filter.narrow(columns, &mut is_asked);
    }
    let rows = is_asked.into_iter().enumerate().filter(|(_, is_asked)| *is_asked);
    rows.map(|(row, _)| Row::Among(columns, row))
}

/// Hands every click that `query` asks about to `each`, in no order.
pub(super) fn rows(
    store: &Store,
    snapshot: &Snapshot,
    query: &Query,
    depth: Depth,
    budget: &mut Budget,
    mut each: impl FnMut(Row<'_>) -> Result<(), QueryError>,
) -> Result<(), QueryError> {
    if query.start >= query.end {
        return Ok(());
    }
    pending(snapshot, query, |_, row| each(row))?;
    blocks(store, snapshot, query, (false, depth), budget, |_, columns| {
        matching(columns, query).try_for_each(&mut each)?;
        Ok(true)
    })
}
