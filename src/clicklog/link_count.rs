//! Counts of links by quarter hours: their days, sheets and roll-ups in sled, the backlog, and what is pending.
//!
//! A click with details is in a link's day or in a sheet, or, if it is older than days are, in a roll-up; one without is in a roll-up.
//! Never reads clicks: whoever asks for part of a quarter hour reads those (see `count`).

use std::collections::BTreeSet;

use foldhash::{HashMap, HashMapExt};

use crate::domain::id::{LinkNo, WorkspaceNo};
use crate::domain::time::{BUCKET_MS, Timestamp};

use super::day::{Day, QUARTERS};
use super::error::QueryError;
use super::key;
use super::pending::{Delta, Snapshot};
use super::query::{Budget, Query};
use super::sheets;
use super::store::Store;
use super::value::{Counts, Rollup, add};

/// What a pending frame adds to a link's quarter hour.
struct Addition {
    bucket: u32,
    /// Index of the frame.
    index: u64,
    detailed: Counts,
    lost: Counts,
}

/// Counts by class of what a question asks about: the start of their bucket or their instant, their link.
pub(super) type EachByClass<'a> = dyn FnMut(Timestamp, LinkNo, &Counts) + 'a;

/// Reads links' counts in a range of quarter hours.
pub(super) struct LinkCount<'a, 'b> {
    store: &'a Store,
    query: &'a Query,
    /// First and last bucket.
    buckets: (u32, u32),
    pending: HashMap<LinkNo, Vec<Addition>>,
    /// What the backlog has, in order: link, bucket and class.
    waiting: Vec<(LinkNo, u32, u8)>,
    /// Days of sled that hold later frames than `since`, and through which.
    ahead: HashMap<(LinkNo, u32), u64>,
    /// A day of sled that holds later frames than this one holds what waits as well.
    since: u64,
    /// Frames up to this one are in sled or wait.
    through: u64,
    budget: Budget,
    each: &'a mut EachByClass<'b>,
}

impl<'a, 'b> LinkCount<'a, 'b> {
    /// Hands the counts of the links of `query`, or of all links of its workspace, in the quarter hours `buckets` (first
    /// and last) to `each`, some in several parts.
    pub(super) fn visit(
        store: &'a Store,
        snapshot: &Snapshot,
        query: &'a Query,
        buckets: (u32, u32),
        budget: Budget,
        each: &'a mut EachByClass<'b>,
    ) -> Result<(), QueryError> {
        let mut this = Self {
            store,
            query,
            buckets,
            pending: pending(snapshot, query, buckets),
            waiting: Vec::new(),
            ahead: HashMap::new(),
            since: 0,
            through: 0,
            budget,
            each,
        };
        this.look_into_backlog(snapshot);
        let links: BTreeSet<LinkNo> = match &query.links {
            Some(links) => links.iter().copied().collect(),
            None => this.all_links()?,
        };
        links.into_iter().try_for_each(|link| this.link(link))?;
        this.sheets()
    }

    /// After the pending frames were looked at: what is not pending any more is here.
    fn look_into_backlog(&mut self, snapshot: &Snapshot) {
        let sums = snapshot.backlog.read();
        (self.since, self.through) = (sums.since, sums.through);
        let of = (self.query.workspace, self.query.links.as_deref());
        // The first bucket begins with the beginning of time.
        let first = match self.buckets.0 {
            0 => Timestamp(i64::MIN),
            bucket => Timestamp::of_bucket(bucket),
        };
        let last = Timestamp::of_bucket(self.buckets.1).plus_ms(BUCKET_MS - 1);
        sums.visit(of, (first, last), |row| {
            let bucket = row.at.bucket();
            if row.is_by_day() && (self.buckets.0..=self.buckets.1).contains(&bucket) {
                self.waiting.push((row.link, bucket, row.class() as u8));
            }
        });
        drop(sums);
        self.waiting.sort_unstable();
    }

    fn all_links(&self) -> Result<BTreeSet<LinkNo>, QueryError> {
        let mut links: BTreeSet<LinkNo> = self.pending.keys().copied().collect();
        links.extend(self.waiting.iter().map(|(link, ..)| *link));
        for kind in [key::link_rollup, key::link_day] {
            each_link(self.store, self.query.workspace, kind, |link| {
                links.insert(link);
                Ok(())
            })?;
        }
        Ok(links)
    }

    fn link(&mut self, link: LinkNo) -> Result<(), QueryError> {
        let rolled_up = self.rollups(link)?;
        let days = self.days(link)?;
        let through_of = |bucket: u32| days.get(&(bucket / QUARTERS)).copied();
        let start = self.waiting.partition_point(|(known, ..)| *known < link);
        let end = self.waiting.partition_point(|(known, ..)| *known <= link);
        for alike in self.waiting[start..end].chunk_by(|a, b| a == b) {
            let (_, bucket, class) = alike[0];
            if through_of(bucket).is_none_or(|through| through <= self.since) {
                let mut counts = Counts::default();
                counts[usize::from(class)] = alike.len() as u64;
                (self.each)(Timestamp::of_bucket(bucket), link, &counts);
            }
        }
        for one in self.pending.remove(&link).unwrap_or_default() {
            let counted = through_of(one.bucket).unwrap_or(0).max(self.through);
            let mut counts = Counts::default();
            if one.index > counted {
                add(&mut counts, &one.detailed);
            }
            if rolled_up.get(&one.bucket).is_none_or(|through| one.index > *through) {
                add(&mut counts, &one.lost);
            }
            (self.each)(Timestamp::of_bucket(one.bucket), link, &counts);
        }
        Ok(())
    }

    /// Hands roll-ups on; answers through which frame each goes.
    fn rollups(&mut self, link: LinkNo) -> Result<HashMap<u32, u64>, QueryError> {
        let (store, workspace) = (self.store, self.query.workspace);
        let first = key::link_rollup(workspace, link, self.buckets.0);
        let last = key::link_rollup(workspace, link, self.buckets.1);
        let mut throughs = HashMap::new();
        store.scan::<QueryError>(&first, &last, false, |key, body| {
            self.budget.rollup()?;
            let (bucket, rollup) = (key::number(key, 2), Rollup::read(body)?);
            (self.each)(Timestamp::of_bucket(bucket), link, &rollup.counts);
            throughs.insert(bucket, rollup.through);
            Ok(true)
        })?;
        Ok(throughs)
    }

    /// Hands days on; answers through which frame each goes.
    fn days(&mut self, link: LinkNo) -> Result<HashMap<u32, u64>, QueryError> {
        let (store, workspace, buckets) = (self.store, self.query.workspace, self.buckets);
        let first = key::link_day(workspace, link, buckets.0 / QUARTERS);
        let last = key::link_day(workspace, link, buckets.1 / QUARTERS);
        let mut throughs = HashMap::new();
        store.scan::<QueryError>(&first, &last, false, |key, body| {
            self.budget.rollup()?;
            let (number, day) = (key::number(key, 2), Day::read(body)?);
            let asked = day
                .buckets(number)
                .filter(|(bucket, _)| (buckets.0..=buckets.1).contains(bucket));
            for (bucket, counts) in asked {
                (self.each)(Timestamp::of_bucket(bucket), link, counts);
            }
            throughs.insert(number, day.through);
            if day.through > self.since {
                self.ahead.insert((link, number), day.through);
            }
            Ok(true)
        })?;
        Ok(throughs)
    }

    /// Hands on what sheets have: as far as days of their own go, where those go further than what waits.
    fn sheets(&mut self) -> Result<(), QueryError> {
        let (since, buckets) = (self.since, self.buckets);
        let (each, budget, ahead) = (&mut self.each, &mut self.budget, &self.ahead);
        let of = (self.query.workspace, self.query.links.as_deref());
        let days = (buckets.0 / QUARTERS, buckets.1 / QUARTERS);
        sheets::visit::<QueryError>(self.store, of, days, |found| {
            budget.rollup()?;
            if found.through > ahead.get(&(found.link, found.day)).copied().unwrap_or(since) {
                return Ok(());
            }
            let asked = found
                .clicks()
                .filter(|(bucket, _)| (buckets.0..=buckets.1).contains(bucket));
            for (bucket, click) in asked {
                let mut one = Counts::default();
                one[click.class()] = 1;
                each(Timestamp::of_bucket(bucket), found.link, &one);
            }
            Ok(())
        })
    }
}

fn pending(snapshot: &Snapshot, query: &Query, buckets: (u32, u32)) -> HashMap<LinkNo, Vec<Addition>> {
    let mut additions: HashMap<LinkNo, Vec<Addition>> = HashMap::new();
    for frame in snapshot.frames.iter() {
        let asked = |delta: &Delta| {
            (buckets.0..=buckets.1).contains(&delta.bucket) && query.has_link(delta.workspace, delta.link)
        };
        for delta in frame.deltas().filter(asked) {
            additions.entry(delta.link).or_default().push(Addition {
                bucket: delta.bucket,
                index: frame.index,
                detailed: delta.detailed(),
                lost: delta.lost,
            });
        }
    }
    additions
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

/// The first quarter hour from `from` to `to` in which sled knows of a follow of `link`, apart from sheets.
pub(super) fn first_bucket(
    store: &Store,
    (workspace, link): (WorkspaceNo, LinkNo),
    (from, to): (u32, u32),
) -> Result<Option<u32>, QueryError> {
    let is_asked = |bucket: &u32| (from..=to).contains(bucket);
    let (low, high) = (
        key::link_rollup(workspace, link, from),
        key::link_rollup(workspace, link, to),
    );
    let rolled_up = store.first_key(&low, &high)?.map(|key| key::number(&key, 2));
    let low = key::link_day(workspace, link, from / QUARTERS);
    let high = key::link_day(workspace, link, to / QUARTERS);
    let mut in_days = None;
    store.scan::<QueryError>(&low, &high, false, |key, body| {
        let (number, day) = (key::number(key, 2), Day::read(body)?);
        in_days = day.buckets(number).map(|(bucket, _)| bucket).find(is_asked);
        Ok(in_days.is_none())
    })?;
    Ok(rolled_up.into_iter().chain(in_days).min())
}
