//! Links' days, facets, visitors and totals of the newest clicks, in memory: sled has the clicks, and takes these sums in
//! large parts.
//!
//! A checkpoint of some thousand clicks touches as many sums. Writing those values each time would cost more than the
//! clicks do, so the clicks wait here and are added up and written when there are enough of them. Readers add what is here
//! to what sled says. The history value tells which blocks these sums are of, so that the next opening makes them again.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use crate::domain::time::Timestamp;

use super::columns::Columns;
use super::error::StoreError;
use super::history::History;
use super::key::{self, BlockKey};
use super::merge::Merged;
use super::settle;
use super::store::Store;
use super::value::seal;
use super::waiting::{How, Sums};

/// Longest time between two writings: each makes sheets, and a question looks into those of every writing.
const AGE_MAX: Duration = Duration::from_secs(6 * 60 * 60);
/// Clicks that may come with the last checkpoint before a writing.
const CLICKS_MORE: usize = 1 << 16;
/// How many times as much there may be while somebody reads all of sled: then that has to begin again.
const HELD_TIMES: usize = 4;

/// Sums that one thread adds to and writes, and that questions read meanwhile.
#[derive(Debug)]
pub(super) struct Backlog {
    sums: RwLock<Sums>,
    clicks_max: usize,
    /// A link's day with fewer clicks goes into a sheet.
    few_max: usize,
    /// How many read all of sled at present.
    holds: AtomicUsize,
    /// Odd while the sums are being written, and more each time.
    writings: AtomicU64,
}

impl Backlog {
    /// One that is written every `clicks_max` clicks, if not before.
    pub(super) fn new(clicks_max: usize, few_max: usize) -> Self {
        Self {
            sums: RwLock::new(Sums::after(0, 0)),
            clicks_max,
            few_max,
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
        let mut sums = Sums::after(history.written, self.clicks_max.saturating_add(CLICKS_MORE));
        let through = watermark.max(history.written);
        if let Some(oldest) = history.unwritten_from {
            let (first, last) = (BlockKey::lowest(oldest), BlockKey::highest(Timestamp(i64::MAX)));
            store.scan::<StoreError>(&first, &last, false, |key, body| {
                let block = BlockKey::read(key)?;
                if block.through > history.written {
                    sums.add_block(&Columns::decode(body)?, history.how(block.through));
                }
                Ok(true)
            })?;
        }
        sums.through = through;
        *self.change() = sums;
        Ok(())
    }

    /// Adds the clicks of frames up to `through`, which sled has just taken and which are counted so.
    pub(super) fn add(&self, merged: &Merged<'_>, how: How, through: u64) {
        self.change().add(merged, how, through);
    }

    /// Whether it is time to write.
    pub(super) fn is_due(&self) -> bool {
        let holds = self.holds.load(Ordering::Acquire);
        let times = if holds > 0 { HELD_TIMES } else { 1 };
        let sums = self.read();
        let clicks = sums.rows.len();
        clicks >= self.clicks_max.saturating_mul(times)
            || (holds == 0 && clicks > 0 && sums.written.elapsed() >= AGE_MAX)
    }

    /// Writes everything to `store`, durably, and begins anew.
    pub(super) fn write(&self, store: &Store) -> Result<(), StoreError> {
        {
            let sums = self.read();
            let history = store.history()?;
            if sums.since == sums.through && history.unwritten_from.is_none() {
                return Ok(());
            }
            let mut batch = sled::Batch::default();
            settle::put(&sums, self.few_max, store, &mut batch)?;
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
        }
        self.change().begin_again();
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
