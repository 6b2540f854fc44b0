//! Counts over time from roll-ups; parts of a quarter hour from the clicks themselves.

use foldhash::{HashMap, HashMapExt};

use crate::domain::id::LinkNo;
use crate::domain::time::Timestamp;

use super::columns::Depth;
use super::day::QUARTERS;
use super::error::QueryError;
use super::key;
use super::link_count::{self, EachByClass, LinkCount};
use super::pending::{Delta, Snapshot};
use super::query::{Budget, Query, Ragged};
use super::scan;
use super::sheets;
use super::store::Store;
use super::value::{Counts, Rollup};

/// A count that a question asks about: the start of its bucket or its instant, its link, how many.
pub(super) type Each<'a> = dyn FnMut(Timestamp, LinkNo, u64) + 'a;

/// Hands the counts of `query`, which has no filter, to `each`: those of whole buckets, and one for each click of a part
/// of a bucket. The link is 0 when neither the question nor `is_by_link` needs it.
pub(super) fn visit(
    store: &Store,
    snapshot: &Snapshot,
    query: &Query,
    is_by_link: bool,
    each: &mut Each<'_>,
) -> Result<(), QueryError> {
    if is_by_link || query.links.is_some() {
        return visit_links(store, snapshot, query, &mut |at, link, counts| {
            each(at, link, query.classes.sum(counts));
        });
    }
    let mut budget = Budget::new();
    let ragged = Ragged::by_bucket(query, snapshot.newest_at);
    for (start, end) in ragged.parts() {
        let part = query.between(start, end);
        scan::rows(store, snapshot, &part, Depth::Counting, &mut budget, |row| {
            each(row.at(), row.link(), 1);
            Ok(())
        })?;
    }
    match ragged.last() {
        Some(last) => workspace(store, snapshot, query, (ragged.whole.0, last), budget, each),
        None => Ok(()),
    }
}

/// As [`visit`], by link, and by class: of a bucket that is counted whole all classes, whatever is asked for.
pub(super) fn visit_links(
    store: &Store,
    snapshot: &Snapshot,
    query: &Query,
    each: &mut EachByClass<'_>,
) -> Result<(), QueryError> {
    let mut budget = Budget::new();
    let ragged = Ragged::by_bucket(query, snapshot.newest_at);
    for (start, end) in ragged.parts() {
        let part = query.between(start, end);
        scan::rows(store, snapshot, &part, Depth::Counting, &mut budget, |row| {
            let mut one = Counts::default();
            one[row.flags().class() as usize] = 1;
            each(row.at(), row.link(), &one);
            Ok(())
        })?;
    }
    match ragged.last() {
        Some(last) => LinkCount::visit(store, snapshot, query, (ragged.whole.0, last), budget, each),
        None => Ok(()),
    }
}

/// Hands the roll-ups of the workspace from the first to the last of `buckets` to `each`, with what is pending.
fn workspace(
    store: &Store,
    snapshot: &Snapshot,
    query: &Query,
    buckets: (u32, u32),
    mut budget: Budget,
    each: &mut Each<'_>,
) -> Result<(), QueryError> {
    let mut pending = pending(snapshot, query, buckets);
    let first = key::workspace_rollup(query.workspace, buckets.0);
    let last = key::workspace_rollup(query.workspace, buckets.1);
    store.scan::<QueryError>(&first, &last, false, |key, body| {
        budget.rollup()?;
        let (bucket, rollup) = (key::number(key, 1), Rollup::read(body)?);
        // Frames up to `through` are in the roll-up already.
        let additions = pending.remove(&bucket).unwrap_or_default();
        let after = additions.iter().filter(|(index, _)| *index > rollup.through);
        let added: u64 = after.map(|(_, count)| count).sum();
        let count = query.classes.sum(&rollup.counts) + added;
        each(Timestamp::of_bucket(bucket), LinkNo(0), count);
        Ok(true)
    })?;
    // What is pending for roll-ups that sled does not have.
    for (bucket, additions) in pending {
        let count = additions.iter().map(|(_, count)| count).sum();
        each(Timestamp::of_bucket(bucket), LinkNo(0), count);
    }
    Ok(())
}

/// What pending frames add to quarter hours of the workspace: index of the frame, and how many.
fn pending(snapshot: &Snapshot, query: &Query, buckets: (u32, u32)) -> HashMap<u32, Vec<(u64, u64)>> {
    let mut additions: HashMap<u32, Vec<(u64, u64)>> = HashMap::new();
    for frame in snapshot.frames.iter() {
        let asked = |delta: &Delta| {
            (buckets.0..=buckets.1).contains(&delta.bucket) && query.has_link(delta.workspace, delta.link)
        };
        for delta in frame.deltas().filter(asked) {
            let count = query.classes.sum(&delta.counts);
            additions.entry(delta.bucket).or_default().push((frame.index, count));
        }
    }
    additions
}

/// The first quarter hour in which anything happened that `query` may ask about, whatever its filter and classes.
pub(super) fn first_bucket(store: &Store, snapshot: &Snapshot, query: &Query) -> Result<Option<u32>, QueryError> {
    let (from, to) = (query.start.bucket(), query.end.plus_ms(-1).bucket());
    let workspace = query.workspace;
    let pending = snapshot.frames.iter().flat_map(|frame| frame.deltas());
    let pending = pending.filter(|delta| query.has_link(delta.workspace, delta.link));
    let mut first = pending
        .map(|delta| delta.bucket)
        .filter(|bucket| (from..=to).contains(bucket))
        .min();
    let mut look = |found: Option<u32>| first = first.into_iter().chain(found).min();
    match &query.links {
        None => {
            let (low, high) = (
                key::workspace_rollup(workspace, from),
                key::workspace_rollup(workspace, to),
            );
            look(store.first_key(&low, &high)?.map(|key| key::number(&key, 1)));
        }
        Some(links) => {
            let sums = snapshot.backlog.read();
            let always = (Timestamp(i64::MIN), Timestamp(i64::MAX));
            sums.visit((workspace, Some(links)), always, |row| {
                look(Some(row.at.bucket()).filter(|bucket| row.is_by_day() && (from..=to).contains(bucket)));
            });
            drop(sums);
            let days = (from / QUARTERS, to / QUARTERS);
            sheets::visit::<QueryError>(store, (workspace, Some(links)), days, |found| {
                let buckets = found.clicks().map(|(bucket, _)| bucket);
                look(buckets.filter(|bucket| (from..=to).contains(bucket)).min());
                Ok(())
            })?;
            let mut budget = Budget::new();
            for link in links.iter() {
                budget.rollup()?;
                look(link_count::first_bucket(store, (workspace, *link), (from, to))?);
            }
        }
    }
    Ok(first)
}
