//! Single clicks: in order of time, a page at a time, and by the name that a click id gives them.

use std::collections::BTreeMap;

use crate::domain::click::Click;
use crate::domain::id::LinkNo;
use crate::domain::time::Timestamp;

use super::block::SPAN_MS;
use super::bytes::Source;
use super::columns::{Columns, Depth, Header};
use super::error::QueryError;
use super::key::BlockKey;
use super::pending::Snapshot;
use super::query::{Budget, Query};
use super::scan::{self, Row};
use super::store::Store;

/// Clicks that were read but may still be overtaken by an unread one, by instant, sequence and order of reading.
/// Holds what lies within a block's span, not the whole answer.
#[derive(Default)]
struct Window<'a>(BTreeMap<(Timestamp, u64, usize), Held<'a>>);

/// A click in the window: one in memory is not copied before it is in the answer.
enum Held<'a> {
    Pending(Row<'a>),
    Read(Click),
}

impl<'a> Window<'a> {
    fn add(&mut self, row: Row<'_>, held: Held<'a>) {
        self.0.insert((row.at(), row.sequence(), self.0.len()), held);
    }
}

/// Where a page begins: beyond this instant and sequence, in the page's direction.
pub(super) type Place = (Timestamp, u64);

/// A page under construction.
struct Page {
    is_newest_first: bool,
    beyond: Option<Place>,
    skip: usize,
    take: usize,
    clicks: Vec<Click>,
}

impl Page {
    /// Moves what no unread click can overtake from `window` here: all when `edge` is `None`, else clicks beyond it.
    fn settle(&mut self, window: &mut Window<'_>, edge: Option<Timestamp>) {
        while !self.is_full() {
            let next = if self.is_newest_first {
                window.0.last_entry()
            } else {
                window.0.first_entry()
            };
            let Some(next) = next else { return };
            let at = next.key().0;
            let is_settled = edge.is_none_or(|edge| if self.is_newest_first { at > edge } else { at < edge });
            if !is_settled {
                return;
            }
            let (at, sequence, _) = *next.key();
            let click = next.remove();
            let is_beyond = self.beyond.is_none_or(|place| match self.is_newest_first {
                true => (at, sequence) < place,
                false => (at, sequence) > place,
            });
            if !is_beyond {
                continue;
            }
            if self.skip > 0 {
                self.skip -= 1;
            } else {
                self.clicks.push(match click {
                    Held::Pending(row) => row.click(),
                    Held::Read(click) => click,
                });
            }
        }
    }

    fn is_full(&self) -> bool {
        self.clicks.len() >= self.take
    }
}

/// The clicks of `query` in order of time, then sequence, beyond a place if there is one, without the first `skip`, at
/// most `take`.
pub(super) fn page(
    store: &Store,
    snapshot: &Snapshot,
    query: &Query,
    (is_newest_first, beyond): (bool, Option<Place>),
    (skip, take): (usize, usize),
) -> Result<Vec<Click>, QueryError> {
    let narrowed = match beyond {
        Some((at, _)) if is_newest_first => query.between(query.start, query.end.min(at.plus_ms(1))),
        Some((at, _)) => query.between(query.start.max(at), query.end),
        None => query.clone(),
    };
    let query = &narrowed;
    let mut window = Window::default();
    let mut page = Page {
        is_newest_first,
        beyond,
        skip,
        take,
        clicks: Vec::new(),
    };
    if query.start >= query.end {
        return Ok(page.clicks);
    }
    scan::pending(snapshot, query, |_, row| {
        window.add(row, Held::Pending(row));
        Ok(())
    })?;
    let mut budget = Budget::new();
    scan::blocks(
        store,
        snapshot,
        query,
        (is_newest_first, Depth::Whole),
        &mut budget,
        |last_at, columns| {
            // Newest first, the unread blocks end no later than this one; oldest first, they begin no earlier than a
            // block's span before its end.
            let edge = if is_newest_first {
                last_at
            } else {
                last_at.plus_ms(-SPAN_MS)
            };
            page.settle(&mut window, Some(edge));
            if page.is_full() {
                return Ok(false);
            }
            scan::matching(columns, query).for_each(|row| window.add(row, Held::Read(row.click())));
            Ok(true)
        },
    )?;
    page.settle(&mut window, None);
    Ok(page.clicks)
}

/// The click of `link` at `at` with `sequence`.
pub(super) fn find(
    store: &Store,
    snapshot: &Snapshot,
    (at, sequence, link): (Timestamp, u64, LinkNo),
) -> Result<Option<Click>, QueryError> {
    let find_in = |columns: &Columns| {
        let rows = (0..columns.header.count).filter(|row| columns.sequence[*row] == sequence && columns.at[*row] == at);
        rows.map(|row| columns.click(row)).find(|click| click.link == link)
    };
    let pending = snapshot.frames.iter().filter_map(|frame| frame.columns_around(at));
    if let Some(click) = pending.filter_map(find_in).next() {
        return Ok(Some(click));
    }
    let mut budget = Budget::new();
    let mut found = None;
    let (first, last) = (BlockKey::lowest(at), BlockKey::highest(at.plus_ms(SPAN_MS)));
    store.scan::<QueryError>(&first, &last, false, |_, body| {
        let header = Header::read(&mut Source(body))?;
        let spans = header.first_at <= at && at <= header.last_at;
        if spans && (header.first_sequence..=header.last_sequence).contains(&sequence) {
            budget.clicks(header.count)?;
            found = find_in(&Columns::decode(body)?);
        }
        Ok(found.is_none())
    })?;
    Ok(found)
}
