//! Reads clicks with their details: pending ones from memory, the others block by block over a range of keys.

use std::borrow::Cow;

use crate::domain::click::Click;
use crate::domain::id::LinkNo;
use crate::domain::time::Timestamp;

use super::block::SPAN_MS;
use super::bytes::Source;
use super::columns::{Columns, Header};
use super::error::QueryError;
use super::key::BlockKey;
use super::pending::Snapshot;
use super::query::{Budget, Query};
use super::store::Store;

/// One click, wherever it lies.
#[derive(Clone, Copy)]
pub(super) enum Row<'a> {
    Stored(&'a Columns, usize),
    Pending(&'a Click),
}

impl<'a> Row<'a> {
    pub(super) fn at(&self) -> Timestamp {
        match self {
            Self::Stored(columns, row) => columns.at[*row],
            Self::Pending(click) => click.at,
        }
    }

    pub(super) fn link(&self) -> LinkNo {
        match self {
            Self::Stored(columns, row) => columns.place.get(*row).link,
            Self::Pending(click) => click.link,
        }
    }

    pub(super) fn visitor(&self) -> u64 {
        match self {
            Self::Stored(columns, row) => columns.visitor[*row],
            Self::Pending(click) => click.visitor,
        }
    }

    /// The whole click; one in memory is not copied.
    pub(super) fn click(&self) -> Cow<'a, Click> {
        match self {
            Self::Stored(columns, row) => Cow::Owned(columns.click(*row)),
            Self::Pending(click) => Cow::Borrowed(click),
        }
    }
}

/// Hands the pending clicks that `query` asks about to `each`.
pub(super) fn pending<'a>(
    snapshot: &'a Snapshot,
    query: &Query,
    mut each: impl FnMut(Row<'a>) -> Result<(), QueryError>,
) -> Result<(), QueryError> {
    let clicks = snapshot.frames.iter().flat_map(|frame| &frame.clicks);
    clicks
        .filter(|click| query.has_instant(click.at) && query.has_link(click.workspace, click.link))
        .filter(|click| query.classes.has(click.flags.class()))
        .try_for_each(|click| each(Row::Pending(click)))
}

/// Hands the blocks that may hold clicks of `query` to `each` in order of their latest click, until it answers false.
///
/// Blocks written after the snapshot are left out: their clicks are among its pending ones, or newer than the question.
pub(super) fn blocks(
    store: &Store,
    snapshot: &Snapshot,
    query: &Query,
    is_newest_first: bool,
    budget: &mut Budget,
    mut each: impl FnMut(Timestamp, &Columns) -> Result<bool, QueryError>,
) -> Result<(), QueryError> {
    let first = BlockKey::lowest(query.start);
    // A block with clicks before `end` ends at most its span later.
    let last = BlockKey::highest(query.end.plus_ms(SPAN_MS));
    store.scan(&first, &last, is_newest_first, |key, body| {
        let key = BlockKey::read(key)?;
        let header = Header::read(&mut Source(body))?;
        if key.through > snapshot.watermark || header.first_at >= query.end || header.last_at < query.start {
            return Ok(true);
        }
        budget.clicks(header.count)?;
        each(key.last_at, &Columns::decode(body)?)
    })
}

/// The rows of `columns` that `query` asks about.
pub(super) fn matching<'a>(columns: &'a Columns, query: &'a Query) -> impl Iterator<Item = Row<'a>> {
    let places: Vec<bool> = columns
        .place
        .values
        .iter()
        .map(|place| query.has_link(place.workspace, place.link))
        .collect();
    let marks: Vec<bool> = columns
        .mark
        .values
        .iter()
        .map(|mark| query.classes.has(mark.flags.class()))
        .collect();
    (0..columns.header.count)
        .filter(move |row| places[columns.place.pick(*row)] && marks[columns.mark.pick(*row)])
        .filter(|row| query.has_instant(columns.at[*row]))
        .map(|row| Row::Stored(columns, row))
}

/// Hands every click that `query` asks about to `each`, in no order.
pub(super) fn rows(
    store: &Store,
    snapshot: &Snapshot,
    query: &Query,
    budget: &mut Budget,
    mut each: impl FnMut(Row<'_>) -> Result<(), QueryError>,
) -> Result<(), QueryError> {
    if query.start >= query.end {
        return Ok(());
    }
    pending(snapshot, query, &mut each)?;
    blocks(store, snapshot, query, false, budget, |_, columns| {
        matching(columns, query).try_for_each(&mut each)?;
        Ok(true)
    })
}
