//! Links' days, facets and visitors of the newest clicks, in memory: sled has the clicks, and takes these sums in large
//! parts.
//!
//! A checkpoint of some thousand clicks touches every link's day. Writing those values each time would cost more than
//! the clicks do, so they are added up here and written when there are enough of them. Readers add what is here to what
//! sled says. The history value tells which blocks these sums are of, so that the next opening makes them again.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use foldhash::{HashMap, HashMapExt};

use crate::domain::click::CLASSES;
use crate::domain::id::{LinkNo, WorkspaceNo};
use crate::domain::time::{HOUR_MS, Timestamp};

use super::columns::{Columns, Place};
use super::day::Day;
use super::dimension::FACETS;
use super::error::StoreError;
use super::facets::Facets;
use super::history::History;
use super::key::{self, BlockKey};
use super::merge::Merged;
use super::pending::Frame;
use super::sketch::{self, Sketch};
use super::store::Store;
use super::tabulate::{Group, Numbers, OwnTrait, Table, places};
use super::value::{Counts, seal};

/// Sums and links' hours after which they are written: some 100 MB, and one batch of sled, which holds readers up.
const SUMS_MAX: usize = 1 << 20;
const GROUPS_MAX: usize = 1 << 16;
/// Longest time between two writings.
const AGE_MAX: Duration = Duration::from_secs(15 * 60);
/// Blocks whose facets are counted together when opening, some 10 MB: what they have in common is looked up once.
const BLOCKS_TOGETHER: usize = 128;
/// How many times as much there may be while somebody reads all of sled: then that has to begin again.
const HELD_TIMES: usize = 4;

/// A link's UTC day.
type LinkDay = (WorkspaceNo, LinkNo, u32);

/// A link's quarter hour.
type Quarter = (WorkspaceNo, LinkNo, u32);

/// The sums of frames after `since` up to `through`.
#[derive(Debug)]
pub(super) struct Sums {
    /// Days, facets and sketches in sled hold frames up to this one.
    pub(super) since: u64,
    /// Frames up to this one are there or here.
    pub(super) through: u64,
    clicks: usize,
    groups: Numbers<Group>,
    traits: Numbers<OwnTrait>,
    /// By group and trait.
    counts: HashMap<(u32, u32), [u32; CLASSES]>,
    visitors: HashMap<LinkDay, Vec<u64>>,
    quarters: HashMap<Quarter, [u32; CLASSES]>,
    written: Instant,
}

impl Sums {
    /// Nothing, where sled has everything up to frame `since`.
    fn after(since: u64) -> Self {
        Self {
            since,
            through: since,
            clicks: 0,
            groups: Numbers::new(),
            traits: Numbers::new(),
            counts: HashMap::new(),
            visitors: HashMap::new(),
            quarters: HashMap::new(),
            written: Instant::now(),
        }
    }

    /// Adds what `table` counts.
    fn add_facets(&mut self, table: &Table<'_>) {
        let groups: Vec<u32> = table.groups().iter().map(|group| self.groups.of(*group)).collect();
        let traits: Vec<u32> = table.traits().map(|known| self.traits.of(known)).collect();
        for ((group, known), more) in table.counts() {
            let place = (groups[*group as usize], traits[*known as usize]);
            let counts = self.counts.entry(place).or_default();
            counts.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
        }
    }

    /// Moves `visitors` to those of the place's link on `day`.
    fn add_visitors(&mut self, place: &Place, day: u32, visitors: &mut Vec<u64>) {
        if !visitors.is_empty() {
            let known = self.visitors.entry((place.workspace, place.link, day)).or_default();
            known.append(visitors);
        }
    }

    fn add_visitor(&mut self, place: (WorkspaceNo, LinkNo), at: Timestamp, visitor: u64) {
        let day = (place.0, place.1, at.day());
        self.visitors.entry(day).or_default().push(visitor);
    }

    fn add_to_quarter(&mut self, quarter: Quarter, more: &Counts) {
        let counts = self.quarters.entry(quarter).or_default();
        let sums = counts.iter_mut().zip(more);
        // A backlog is written long before.
        sums.for_each(|(sum, more)| *sum = sum.saturating_add(u32::try_from(*more).unwrap_or(u32::MAX)));
    }

    /// Adds the clicks of frames up to `through`; those of `frames` to days.
    fn add(&mut self, merged: &Merged<'_>, table: &Table<'_>, frames: &[Arc<Frame>], through: u64) {
        self.through = through;
        self.clicks += merged.spots.len();
        self.add_facets(table);
        let mut of_places: Vec<Vec<u64>> = vec![Vec::new(); merged.place.values.len()];
        let mut days = vec![0; of_places.len()];
        for spot in &merged.spots {
            let visitor = merged.visitor(spot);
            if sketch::counts(merged.flags(spot), visitor) {
                let (place, day) = (merged.place(spot), spot.at.day());
                if days[place] != day {
                    self.add_visitors(merged.place.values[place], days[place], &mut of_places[place]);
                    days[place] = day;
                }
                of_places[place].push(visitor);
            }
        }
        for (place, visitors) in of_places.iter_mut().enumerate() {
            self.add_visitors(merged.place.values[place], days[place], visitors);
        }
        for delta in frames.iter().flat_map(|frame| frame.deltas()) {
            let counts = delta.detailed();
            if counts != Counts::default() {
                self.add_to_quarter((delta.workspace, delta.link, delta.bucket), &counts);
            }
        }
    }

    /// Adds the clicks of a block but for its facets; `is_by_day` tells whether days hold them.
    fn add_block(&mut self, columns: &Columns, is_by_day: bool) {
        self.clicks += columns.header.count;
        for row in 0..columns.header.count {
            let (place, mark, at) = (columns.place.get(row), columns.mark.get(row), columns.at[row]);
            let link = (place.workspace, place.link);
            if sketch::counts(mark.flags, columns.visitor[row]) {
                self.add_visitor(link, at, columns.visitor[row]);
            }
            if is_by_day {
                let mut one = Counts::default();
                one[mark.flags.class() as usize] = 1;
                self.add_to_quarter((link.0, link.1, at.bucket()), &one);
            }
        }
    }

    /// Hands key and counts by class in dimension number `facet` to `each`, with the unit that `unit` gives for
    /// workspace, link and UTC hour; where that is `None`, nothing.
    pub(super) fn visit(
        &self,
        facet: usize,
        unit: impl Fn(&Group) -> Option<(LinkNo, u32)>,
        mut each: impl FnMut((LinkNo, u32), &[u8], &Counts),
    ) {
        let units: Vec<_> = self.groups.values.iter().map(unit).collect();
        if units.iter().all(Option::is_none) {
            return;
        }
        let traits = self.traits.values.iter();
        let keys: Vec<_> = traits.map(|known| known.as_trait().key(FACETS[facet])).collect();
        for ((group, known), counts) in &self.counts {
            if let (Some(unit), Some(key)) = (units[*group as usize], keys[*known as usize]) {
                each(unit, key, &counts.map(u64::from));
            }
        }
    }

    /// The visitors of each link's UTC day.
    pub(super) fn visitors(&self) -> impl Iterator<Item = (&LinkDay, &[u64])> {
        self.visitors.iter().map(|(day, visitors)| (day, visitors.as_slice()))
    }

    /// The clicks of each link's quarter hour, by class.
    pub(super) fn quarters(&self) -> impl Iterator<Item = (&Quarter, Counts)> {
        let quarters = self.quarters.iter();
        quarters.map(|(quarter, counts)| (quarter, counts.map(u64::from)))
    }

    fn put_days(&self, store: &Store, batch: &mut sled::Batch) -> Result<(), StoreError> {
        let mut days: HashMap<LinkDay, Vec<(u32, Counts)>> = HashMap::new();
        for ((workspace, link, bucket), counts) in self.quarters() {
            let day = Timestamp::of_bucket(*bucket).day();
            days.entry((*workspace, *link, day))
                .or_default()
                .push((*bucket, counts));
        }
        for ((workspace, link, day), more) in days {
            let key = key::link_day(workspace, link, day);
            let mut sum = match store.get(&key)? {
                Some(body) => Day::read(&body)?,
                None => Day::default(),
            };
            if sum.through > self.since {
                return Err(StoreError::Damaged("a link's day is ahead of what was written"));
            }
            more.iter().for_each(|(bucket, counts)| sum.add(*bucket, counts));
            sum.through = self.through;
            batch.insert(&key, seal(&key, &sum.body()));
        }
        Ok(())
    }

    fn put_facets(&self, store: &Store, batch: &mut sled::Batch) -> Result<(), StoreError> {
        let mut units: HashMap<Vec<u8>, Vec<usize>> = HashMap::new();
        for (place, (workspace, link, hour)) in self.groups.values.iter().enumerate() {
            let start = Timestamp(i64::from(*hour) * HOUR_MS);
            for key in places(*workspace, *link, start) {
                units.entry(key).or_default().push(place);
            }
        }
        let mut of_groups: Vec<Vec<(u32, &[u32; CLASSES])>> = vec![Vec::new(); self.groups.values.len()];
        for ((group, known), counts) in &self.counts {
            of_groups[*group as usize].push((*known, counts));
        }
        let mut adding = Adding::of(&self.traits.values);
        for (key, groups) in units {
            let stored = store.get(&key)?;
            let mut sum = match &stored {
                Some(body) => Facets::read(body)?,
                None => Facets::new(),
            };
            if sum.through > self.since {
                // Nobody knows which of these are in it: questions about it read the clicks.
                sum = Facets::not_kept();
            }
            let counts = groups.iter().flat_map(|group| &of_groups[*group]);
            counts.for_each(|(known, counts)| adding.add(*known, counts));
            adding.put(&mut sum);
            sum.through = self.through;
            batch.insert(&*key, seal(&key, &sum.body()));
        }
        Ok(())
    }

    fn put_sketches(&self, store: &Store, batch: &mut sled::Batch) -> Result<(), StoreError> {
        for ((workspace, link, day), visitors) in &self.visitors {
            let key = key::sketch(*workspace, *link, *day);
            let mut sketch = match store.get(&key)? {
                Some(body) => Sketch::read(&body)?,
                None => Sketch::new()?,
            };
            visitors.iter().for_each(|visitor| sketch.add(*visitor));
            batch.insert(&key, seal(&key, &sketch.body()));
        }
        Ok(())
    }
}

/// Adds one unit's counts up by numbers rather than by texts; used again for the next.
struct Adding<'t> {
    /// Facet and key, in the order of facets' values.
    keys: Vec<(usize, &'t [u8])>,
    /// The places in there that a trait tells.
    told: Vec<Vec<u32>>,
    counts: Vec<Counts>,
    /// Places whose counts are not zero.
    met: Vec<u32>,
}

impl<'t> Adding<'t> {
    fn of(traits: &'t [OwnTrait]) -> Self {
        let told: Vec<Vec<(usize, &[u8])>> = traits.iter().map(|known| known.as_trait().keys()).collect();
        let mut keys: Vec<(usize, &[u8])> = told.iter().flatten().copied().collect();
        keys.sort_unstable();
        keys.dedup();
        // Each of them is there: they were made of these.
        let place = |key: &(usize, &[u8])| keys.binary_search(key).unwrap_or(0) as u32;
        let told = told.iter().map(|keys| keys.iter().map(place).collect());
        Self {
            told: told.collect(),
            counts: vec![Counts::default(); keys.len()],
            keys,
            met: Vec::new(),
        }
    }

    fn add(&mut self, known: u32, more: &[u32; CLASSES]) {
        for place in &self.told[known as usize] {
            let counts = &mut self.counts[*place as usize];
            if *counts == Counts::default() {
                self.met.push(*place);
            }
            counts
                .iter_mut()
                .zip(more)
                .for_each(|(sum, more)| *sum += u64::from(*more));
        }
    }

    /// Moves what was added into `facets`.
    fn put<'f>(&mut self, facets: &mut Facets<'f>)
    where
        't: 'f,
    {
        self.met.sort_unstable();
        for place in self.met.drain(..) {
            let (facet, key) = self.keys[place as usize];
            facets.add(facet, key, &std::mem::take(&mut self.counts[place as usize]));
        }
    }
}

/// Sums that one thread adds to and writes, and that questions read meanwhile.
#[derive(Debug)]
pub(super) struct Backlog {
    sums: RwLock<Sums>,
    clicks_max: usize,
    /// How many read all of sled at present.
    holds: AtomicUsize,
    /// Odd while the sums are being written, and more each time.
    writings: AtomicU64,
}

impl Backlog {
    /// One that is written every `clicks_max` clicks, if not before.
    pub(super) fn new(clicks_max: usize) -> Self {
        Self {
            sums: RwLock::new(Sums::after(0)),
            clicks_max,
            holds: AtomicUsize::new(0),
            writings: AtomicU64::new(0),
        }
    }

    /// For questions. After the pending frames were looked at: what is not pending any more is here.
    pub(super) fn read(&self) -> RwLockReadGuard<'_, Sums> {
        // Nothing that holds this lock leaves it half done when it panics.
        self.sums.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self) -> RwLockWriteGuard<'_, Sums> {
        self.sums.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes up what the blocks of `store`, which was just opened, have and its days, facets and sketches have not.
    pub(super) fn take_up(&self, store: &Store) -> Result<(), StoreError> {
        let (history, watermark) = (store.history()?, store.meta()?.watermark);
        let days_since = history.days_since.unwrap_or(u64::MAX);
        let mut sums = Sums::after(history.written);
        let through = watermark.max(history.written);
        if let Some(oldest) = history.unwritten_from {
            let (first, last) = (BlockKey::lowest(oldest), BlockKey::highest(Timestamp(i64::MAX)));
            let mut blocks = Vec::new();
            store.scan::<StoreError>(&first, &last, false, |key, body| {
                let block = BlockKey::read(key)?;
                if block.through > history.written {
                    let columns = Columns::decode(body)?;
                    sums.add_block(&columns, block.through > days_since);
                    blocks.push(columns);
                }
                if blocks.len() >= BLOCKS_TOGETHER {
                    sums.add_facets(&Table::of_blocks(&blocks));
                    blocks.clear();
                }
                Ok(true)
            })?;
            sums.add_facets(&Table::of_blocks(&blocks));
        }
        sums.through = through;
        *self.change() = sums;
        Ok(())
    }

    /// Adds the clicks of frames up to `through`, which sled has just taken. Those of `frames` are counted in days.
    pub(super) fn add(&self, merged: &Merged<'_>, frames: &[Arc<Frame>], through: u64) {
        // Counted before anybody has to wait.
        let table = Table::of(merged);
        self.change().add(merged, &table, frames, through);
    }

    /// Whether it is time to write.
    pub(super) fn is_due(&self) -> bool {
        let holds = self.holds.load(Ordering::Acquire);
        let times = if holds > 0 { HELD_TIMES } else { 1 };
        let sums = self.read();
        sums.clicks >= self.clicks_max.saturating_mul(times)
            || sums.counts.len() >= SUMS_MAX * times
            || sums.groups.values.len() >= GROUPS_MAX * times
            || sums.quarters.len() >= SUMS_MAX * times
            || (holds == 0 && sums.clicks > 0 && sums.written.elapsed() >= AGE_MAX)
    }

    /// Writes everything to `store`, durably, and begins anew.
    pub(super) fn write(&self, store: &Store) -> Result<(), StoreError> {
        let through = {
            let sums = self.read();
            let history = store.history()?;
            if sums.since == sums.through && history.unwritten_from.is_none() {
                return Ok(());
            }
            let mut batch = sled::Batch::default();
            sums.put_days(store, &mut batch)?;
            sums.put_facets(store, &mut batch)?;
            sums.put_sketches(store, &mut batch)?;
            let history = History {
                written: sums.through,
                unwritten_from: None,
                ..history
            };
            batch.insert(&key::HISTORY, seal(&key::HISTORY, &history.body()));
            self.writings.fetch_add(1, Ordering::AcqRel);
            let rewritten = store.rewrite(batch);
            self.writings.fetch_add(1, Ordering::AcqRel);
            rewritten?;
            sums.through
        };
        *self.change() = Sums::after(through);
        Ok(())
    }

    /// Puts writing off for somebody who reads all of sled, as far as that goes.
    pub(super) fn hold(self: &Arc<Self>) -> Hold {
        self.holds.fetch_add(1, Ordering::AcqRel);
        Hold {
            backlog: Arc::clone(self),
            writings: self.writings.load(Ordering::Acquire),
        }
    }
}

/// Somebody reads all of sled.
#[derive(Debug)]
pub(super) struct Hold {
    backlog: Arc<Backlog>,
    writings: u64,
}

impl Hold {
    /// Whether nothing was written since, nor when it began.
    pub(super) fn is_whole(&self) -> bool {
        self.writings.is_multiple_of(2) && self.backlog.writings.load(Ordering::Acquire) == self.writings
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.backlog.holds.fetch_sub(1, Ordering::AcqRel);
    }
}
