//! Counts over time from roll-ups; parts of a quarter hour from the clicks themselves.

use foldhash::{HashMap, HashMapExt};

use crate::domain::id::{LinkNo, WorkspaceNo};
use crate::domain::time::Timestamp;

use super::columns::Depth;
use super::error::QueryError;
use super::key;
use super::pending::{Delta, Snapshot};
use super::query::{Budget, Query, Ragged};
use super::scan;
use super::store::Store;
use super::value::{Rollup, Totals};

/// A count that a question asks about: the start of its bucket or its instant, its link, how many.
type Each<'a> = dyn FnMut(Timestamp, LinkNo, u64) + 'a;

/// Hands the counts of `query`, which has no filter, to `each`: those of whole buckets, and one for each click of a part
/// of a bucket. The link is 0 when neither the question nor `is_by_link` needs it.
pub(super) fn visit(
    store: &Store,
    snapshot: &Snapshot,
    query: &Query,
    is_by_link: bool,
    each: &mut Each<'_>,
) -> Result<(), QueryError> {
    let mut budget = Budget::new();
    let ragged = Ragged::by_bucket(query, snapshot.newest_at);
    for (start, end) in ragged.parts() {
        let part = query.between(start, end);
        scan::rows(store, snapshot, &part, Depth::Counting, &mut budget, |row| {
            each(row.at(), row.link(), 1);
            Ok(())
        })?;
    }
    let (first, after) = ragged.whole;
    let Some(last) = after.checked_sub(1).filter(|last| first <= *last) else {
        return Ok(());
    };
    let mut rollups = Rollups {
        store,
        query,
        buckets: (first, last),
        pending: pending(snapshot, query, (first, last), is_by_link),
        budget,
        each,
    };
    match &query.links {
        Some(links) => {
            let mut links: Vec<LinkNo> = links.iter().copied().collect();
            links.sort_unstable();
            links.into_iter().try_for_each(|link| rollups.link(link))?;
        }
        None if is_by_link => rollups.all_links()?,
        None => rollups.workspace()?,
    }
    rollups.only_pending();
    Ok(())
}

/// What pending frames add to a roll-up, with the index of the frame.
type Additions = HashMap<(LinkNo, u32), Vec<(u64, u64)>>;

fn pending(snapshot: &Snapshot, query: &Query, buckets: (u32, u32), is_by_link: bool) -> Additions {
    let is_merged = query.links.is_none() && !is_by_link;
    let mut additions = Additions::new();
    for frame in snapshot.frames.iter() {
        let asked = |delta: &&Delta| {
            (buckets.0..=buckets.1).contains(&delta.bucket) && query.has_link(delta.workspace, delta.link)
        };
        for delta in frame.deltas.iter().filter(asked) {
            let link = if is_merged { LinkNo(0) } else { delta.link };
            let count = query.classes.sum(&delta.counts);
            additions
                .entry((link, delta.bucket))
                .or_default()
                .push((frame.index, count));
        }
    }
    additions
}

/// Reads roll-ups and adds to each what is pending.
struct Rollups<'a, 'b> {
    store: &'a Store,
    query: &'a Query,
    /// First and last bucket.
    buckets: (u32, u32),
    /// Additions to roll-ups that were not met yet.
    pending: Additions,
    budget: Budget,
    each: &'a mut Each<'b>,
}

impl Rollups<'_, '_> {
    fn link(&mut self, link: LinkNo) -> Result<(), QueryError> {
        let workspace = self.query.workspace;
        let first = key::link_rollup(workspace, link, self.buckets.0);
        let last = key::link_rollup(workspace, link, self.buckets.1);
        self.range(&first, &last, link, 2)
    }

    fn workspace(&mut self) -> Result<(), QueryError> {
        let first = key::workspace_rollup(self.query.workspace, self.buckets.0);
        let last = key::workspace_rollup(self.query.workspace, self.buckets.1);
        self.range(&first, &last, LinkNo(0), 1)
    }

    fn all_links(&mut self) -> Result<(), QueryError> {
        each_link(self.store, self.query.workspace, key::link_rollup, |link| {
            self.link(link)
        })
    }

    fn range(&mut self, first: &[u8], last: &[u8], link: LinkNo, bucket_place: usize) -> Result<(), QueryError> {
        let (store, classes) = (self.store, self.query.classes);
        store.scan(first, last, false, |key, body| {
            self.budget.rollup()?;
            let rollup = Rollup::read(body)?;
            let bucket = key::number(key, bucket_place);
            // Frames up to `through` are in the roll-up already.
            let additions = self.pending.remove(&(link, bucket)).unwrap_or_default();
            let added: u64 = additions
                .iter()
                .filter(|(index, _)| *index > rollup.through)
                .map(|(_, count)| count)
                .sum();
            (self.each)(Timestamp::of_bucket(bucket), link, classes.sum(&rollup.counts) + added);
            Ok(true)
        })
    }

    /// Hands on what is pending for roll-ups that sled does not have.
    fn only_pending(&mut self) {
        for ((link, bucket), additions) in self.pending.drain() {
            let count = additions.iter().map(|(_, count)| count).sum();
            (self.each)(Timestamp::of_bucket(bucket), link, count);
        }
    }
}

/// Hands each link of `workspace` that has a key made by `key` to `each`, without reading what lies between.
pub(super) fn each_link(
    store: &Store,
    workspace: WorkspaceNo,
    key: impl Fn(WorkspaceNo, LinkNo, u32) -> [u8; 13],
    mut each: impl FnMut(LinkNo) -> Result<(), QueryError>,
) -> Result<(), QueryError> {
    let last = key(workspace, LinkNo(u32::MAX), u32::MAX);
    let mut next = Some(LinkNo(0));
    while let Some(from) = next {
        let Some(found) = store.first_key(&key(workspace, from, 0), &last)? else {
            break;
        };
        let link = LinkNo(key::number(&found, 1));
        each(link)?;
        next = link.0.checked_add(1).map(LinkNo);
    }
    Ok(())
}

/// The first quarter hour in which anything happened that `query` may ask about, whatever its filter and classes.
pub(super) fn first_bucket(store: &Store, snapshot: &Snapshot, query: &Query) -> Result<Option<u32>, QueryError> {
    let (from, to) = (query.start.bucket(), query.end.plus_ms(-1).bucket());
    let workspace = query.workspace;
    let pending = snapshot.frames.iter().flat_map(|frame| &frame.deltas);
    let pending = pending.filter(|delta| query.has_link(delta.workspace, delta.link));
    let mut first = pending
        .map(|delta| delta.bucket)
        .filter(|bucket| (from..=to).contains(bucket))
        .min();
    let mut look = |found: Option<Vec<u8>>, place| {
        let found = found.map(|key| key::number(&key, place));
        first = first.into_iter().chain(found).min();
    };
    match &query.links {
        None => {
            let (low, high) = (
                key::workspace_rollup(workspace, from),
                key::workspace_rollup(workspace, to),
            );
            look(store.first_key(&low, &high)?, 1);
        }
        Some(links) => {
            let mut budget = Budget::new();
            for link in links.iter() {
                budget.rollup()?;
                let (low, high) = (
                    key::link_rollup(workspace, *link, from),
                    key::link_rollup(workspace, *link, to),
                );
                look(store.first_key(&low, &high)?, 2);
            }
        }
    }
    Ok(first)
}

/// The totals of `link` with what is pending.
pub(super) fn totals(store: &Store, snapshot: &Snapshot, link: LinkNo) -> Result<Totals, QueryError> {
    let (mut totals, through) = match store.get(&key::total(link))? {
        Some(body) => Totals::read(&body)?,
        None => Default::default(),
    };
    let frames = snapshot.frames.iter().filter(|frame| frame.index > through);
    let deltas = frames.flat_map(|frame| frame.deltas_of(link));
    deltas.for_each(|delta| delta.add_to(&mut totals));
    Ok(totals)
}

/// Hands the totals of every link to `each`.
pub(super) fn each_total(
    store: &Store,
    snapshot: &Snapshot,
    mut each: impl FnMut(LinkNo, Totals),
) -> Result<(), QueryError> {
    let mut pending: HashMap<LinkNo, Vec<(u64, &Delta)>> = HashMap::new();
    for frame in snapshot.frames.iter() {
        for delta in &frame.deltas {
            pending.entry(delta.link).or_default().push((frame.index, delta));
        }
    }
    let (first, last) = (key::total(LinkNo(0)), key::total(LinkNo(u32::MAX)));
    store.scan::<QueryError>(&first, &last, false, |key, body| {
        let link = LinkNo(key::number(key, 0));
        let (mut totals, through) = Totals::read(body)?;
        let deltas = pending.remove(&link).unwrap_or_default();
        deltas
            .iter()
            .filter(|(index, _)| *index > through)
            .for_each(|(_, delta)| delta.add_to(&mut totals));
        each(link, totals);
        Ok(true)
    })?;
    for (link, deltas) in pending {
        let mut totals = Totals::default();
        deltas.iter().for_each(|(_, delta)| delta.add_to(&mut totals));
        each(link, totals);
    }
    Ok(())
}
