//! Counts by one dimension from facets and sheets, in sled and in the backlog; from the clicks themselves where facets do not reach.
//!
//! Facets do not reach the ragged ends of a time range, units of before facets were written, and dimensions that a unit
//! does not keep. What they tell and what is read beside them never overlap, so every click counts once.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use foldhash::{HashMap, HashMapExt};

use crate::domain::id::LinkNo;
use crate::domain::time::{DAY_MS, HOUR_MS, Timestamp};

use super::columns::Depth;
use super::dimension::Dimension;
use super::error::QueryError;
use super::facets::Facets;
use super::key;
use super::link_count::each_link;
use super::pending::Snapshot;
use super::query::{Budget, Query, Ragged};
use super::scan;
use super::sheets;
use super::store::Store;
use super::value::Counts;

/// A count that a question asks about: when (an instant, or the start of a unit), its link (0 when the question is about
/// a whole workspace and not by link), its name, how many.
pub(super) type Each<'a> = dyn FnMut(Timestamp, LinkNo, &str, u64) -> Result<(), QueryError> + 'a;

/// Hands the counts of `query` by the names of `by` to `each`; without `by` every name is empty.
pub(super) fn visit(
    store: &Store,
    snapshot: &Snapshot,
    query: &Query,
    (by, is_by_link): (Option<Dimension>, bool),
    budget: &mut Budget,
    each: &mut Each<'_>,
) -> Result<(), QueryError> {
    let Some(facet) = query.filter.facet(by) else {
        return read_clicks(store, snapshot, query, by, budget, each);
    };
    let is_by_link = is_by_link || query.links.is_some();
    let unit_ms = if is_by_link { DAY_MS } else { HOUR_MS };
    let ragged = Ragged::of(query.start, query.end, unit_ms, snapshot.newest_at);
    for (start, end) in ragged.parts() {
        read_clicks(store, snapshot, &query.between(start, end), by, budget, each)?;
    }
    let unit = |unit: u32| match unit {
        // The first unit begins with the beginning of time.
        0 => Timestamp(i64::MIN),
        unit => Timestamp(i64::from(unit).saturating_mul(unit_ms)),
    };
    let (first, after) = ragged.whole;
    let since = store.history()?.facets_since;
    let complete = since
        .map_or(0, |at| number_of(at, unit_ms).saturating_add(1))
        .clamp(first, after);
    let clipped = |from: u32, to: u32| query.between(unit(from).max(query.start), unit(to).min(query.end));
    if first < complete {
        read_clicks(store, snapshot, &clipped(first, complete), by, budget, each)?;
    }
    if complete >= after {
        return Ok(());
    }
    let mut units = Units {
        store,
        query,
        facet,
        by,
        pending: pending(snapshot, &clipped(complete, after), by, is_by_link, unit_ms)?,
        waiting: Waiting::of(snapshot, query, (facet, by), is_by_link, (complete, after)),
        not_kept: BTreeMap::new(),
        ahead: HashMap::new(),
        budget,
        each,
    };
    units.read((complete, after - 1), is_by_link)?;
    if is_by_link {
        units.sheets((complete, after - 1))?;
    }
    units.not_in_sled()?;
    for (number, links) in std::mem::take(&mut units.not_kept) {
        let mut part = clipped(number, number + 1);
        if is_by_link {
            part.links = Some(Arc::new(links));
        }
        read_clicks(store, snapshot, &part, by, units.budget, units.each)?;
    }
    Ok(())
}

fn number_of(at: Timestamp, unit_ms: i64) -> u32 {
    if unit_ms == DAY_MS { at.day() } else { at.hour() }
}

fn name<'a>(by: Option<Dimension>, row: &scan::Row<'a>) -> &'a str {
    by.map_or("", |by| by.name(row))
}

/// Hands every click of `query` on, read one by one.
fn read_clicks(
    store: &Store,
    snapshot: &Snapshot,
    query: &Query,
    by: Option<Dimension>,
    budget: &mut Budget,
    each: &mut Each<'_>,
) -> Result<(), QueryError> {
    scan::rows(store, snapshot, query, Depth::Counting, budget, |row| {
        each(row.at(), row.link(), name(by, &row), 1)
    })
}

/// What pending clicks add to units, by link: the index of the frame and the name.
type Additions<'a> = HashMap<(LinkNo, u32), Vec<(u64, &'a str)>>;

fn pending<'a>(
    snapshot: &'a Snapshot,
    query: &Query,
    by: Option<Dimension>,
    is_by_link: bool,
    unit_ms: i64,
) -> Result<Additions<'a>, QueryError> {
    let mut additions = Additions::new();
    scan::pending(snapshot, query, |index, row| {
        let link = if is_by_link { row.link() } else { LinkNo(0) };
        let place = (link, number_of(row.at(), unit_ms));
        additions.entry(place).or_default().push((index, name(by, &row)));
        Ok(())
    })?;
    Ok(additions)
}

/// What the backlog adds to units.
struct Waiting {
    /// A value of sled that holds later frames holds these as well.
    since: u64,
    /// Frames up to this one are in sled or here.
    through: u64,
    /// By link and number of the unit: names, and how many.
    of: HashMap<(LinkNo, u32), Vec<(String, u64)>>,
}

impl Waiting {
    fn of(
        snapshot: &Snapshot,
        query: &Query,
        (facet, by): (usize, Option<Dimension>),
        is_by_link: bool,
        (first, after): (u32, u32),
    ) -> Self {
        let sums = snapshot.backlog.read();
        let mut waiting = Self {
            since: sums.since,
            through: sums.through,
            of: HashMap::new(),
        };
        let mut counts: HashMap<((LinkNo, u32), u32), Counts> = HashMap::new();
        sums.visit(query.workspace, query.links.as_deref(), |row| {
            let unit = match is_by_link {
                true => (row.link, row.at.day()),
                false => (LinkNo(0), row.at.hour()),
            };
            if (first..after).contains(&unit.1) {
                let counts = counts.entry((unit, sums.number(row, facet))).or_default();
                counts[row.class()] += 1;
            }
        });
        for ((unit, number), counts) in counts {
            if let Some((name, count)) = counted(query, by, sums.key(number, facet), &counts) {
                waiting.of.entry(unit).or_default().push((name.to_owned(), count));
            }
        }
        drop(sums);
        waiting
    }
}

/// The name under which clicks with `key` count, and how many of them do; `None` when none does.
fn counted<'k>(query: &Query, by: Option<Dimension>, key: &'k [u8], counts: &Counts) -> Option<(&'k str, u64)> {
    let count = query.classes.sum(counts);
    let mut conditions = query.filter.conditions().iter();
    let is_meant = count > 0 && conditions.all(|condition| condition.has(condition.by.name_of_key(key)));
    is_meant.then(|| (by.map_or("", |by| by.name_of_key(key)), count))
}

/// Reads facets and adds to each what waits in the backlog and what is pending.
struct Units<'a, 'b> {
    store: &'a Store,
    query: &'a Query,
    facet: usize,
    by: Option<Dimension>,
    /// Additions to units that were not met yet.
    pending: Additions<'a>,
    waiting: Waiting,
    /// Units that do not keep the dimension, and of which links.
    not_kept: BTreeMap<u32, HashSet<LinkNo>>,
    /// Links' days that hold later frames than those of before what waits, and through which.
    ahead: HashMap<(LinkNo, u32), u64>,
    budget: &'a mut Budget,
    each: &'a mut Each<'b>,
}

impl Units<'_, '_> {
    fn read(&mut self, (first, last): (u32, u32), is_by_link: bool) -> Result<(), QueryError> {
        let (store, workspace) = (self.store, self.query.workspace);
        let of_link = |units: &mut Self, link| {
            let low = key::link_facets(workspace, link, first);
            let high = key::link_facets(workspace, link, last);
            units.range(&low, &high, link, 2)
        };
        match &self.query.links {
            Some(links) => {
                let mut links: Vec<LinkNo> = links.iter().copied().collect();
                links.sort_unstable();
                links.into_iter().try_for_each(|link| of_link(self, link))
            }
            None if is_by_link => each_link(store, workspace, key::link_facets, |link| of_link(self, link)),
            None => {
                let low = key::workspace_facets(workspace, first);
                let high = key::workspace_facets(workspace, last);
                self.range(&low, &high, LinkNo(0), 1)
            }
        }
    }

    fn range(&mut self, low: &[u8], high: &[u8], link: LinkNo, unit_place: usize) -> Result<(), QueryError> {
        let store = self.store;
        store.scan(low, high, false, |key, body| {
            self.budget.rollup()?;
            self.unit(link, key::number(key, unit_place), unit_place == 2, body)?;
            Ok(true)
        })
    }

    fn unit(&mut self, link: LinkNo, unit: u32, is_day: bool, body: &[u8]) -> Result<(), QueryError> {
        let additions = self.pending.remove(&(link, unit)).unwrap_or_default();
        let waiting = self.waiting.of.remove(&(link, unit)).unwrap_or_default();
        let (through, keys) = Facets::read_one(body, self.facet)?;
        let Some(keys) = keys else {
            // The clicks themselves, pending ones too, are read instead.
            self.not_kept.entry(unit).or_default().insert(link);
            return Ok(());
        };
        let start = Timestamp(i64::from(unit) * if is_day { DAY_MS } else { HOUR_MS });
        for (key, counts) in keys {
            if let Some((name, count)) = counted(self.query, self.by, key, &counts) {
                (self.each)(start, link, name, count)?;
            }
        }
        if is_day && through > self.waiting.since {
            self.ahead.insert((link, unit), through);
        }
        if through <= self.waiting.since {
            let mut waiting = waiting.iter();
            waiting.try_for_each(|(name, count)| (self.each)(start, link, name, *count))?;
        }
        // Frames up to these are counted already.
        let through = through.max(self.waiting.through);
        let mut after = additions.into_iter().filter(|(index, _)| *index > through);
        after.try_for_each(|(_, name)| (self.each)(start, link, name, 1))
    }

    /// Hands on what sheets have: as far as a link's own facets go, where those go further than what waits. Where those do
    /// not keep the dimension, the clicks themselves are read.
    fn sheets(&mut self, days: (u32, u32)) -> Result<(), QueryError> {
        let Self {
            query, facet, by, each, ..
        } = self;
        let since = self.waiting.since;
        let of = (query.workspace, query.links.as_deref());
        sheets::visit::<QueryError>(self.store, of, days, |found| {
            self.budget.rollup()?;
            let place = (found.link, found.day);
            let is_read = self
                .not_kept
                .get(&found.day)
                .is_some_and(|links| links.contains(&found.link));
            if is_read || found.through > self.ahead.get(&place).copied().unwrap_or(since) {
                return Ok(());
            }
            let start = Timestamp(i64::from(found.day) * DAY_MS);
            for (_, click) in found.clicks() {
                let mut one = Counts::default();
                one[click.class()] = 1;
                if let Some((name, count)) = counted(query, *by, found.sheet.key(click, *facet), &one) {
                    each(start, found.link, name, count)?;
                }
            }
            Ok(())
        })
    }

    /// Hands on what waits and what is pending for units that sled does not have. A link's are days, a workspace's hours.
    fn not_in_sled(&mut self) -> Result<(), QueryError> {
        let start = |link, unit| {
            let unit_ms = if link == LinkNo(0) { HOUR_MS } else { DAY_MS };
            Timestamp(i64::from(unit) * unit_ms)
        };
        for ((link, unit), waiting) in std::mem::take(&mut self.waiting.of) {
            let start = start(link, unit);
            for (name, count) in waiting {
                (self.each)(start, link, &name, count)?;
            }
        }
        for ((link, unit), additions) in std::mem::take(&mut self.pending) {
            let start = start(link, unit);
            let through = self.waiting.through;
            for (_, name) in additions.into_iter().filter(|(index, _)| *index > through) {
                (self.each)(start, link, name, 1)?;
            }
        }
        Ok(())
    }
}
