//! What writer, readers and the checkpoint thread share.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use crate::domain::outside::Clock;

use super::backlog::Backlog;
use super::erase::Requests;
use super::error::OpenError;
use super::floor::Floor;
use super::open::Recovery;
use super::options::Options;
use super::pending::Pending;
use super::stats::{Counters, Stats};
use super::store::Store;

/// How far the opening has come.
pub(super) enum Opening {
    Running,
    Done,
    /// It will be tried again, unless the log is closed for that.
    Failed(OpenError),
}

pub(super) struct Shared {
    pub(super) options: Options,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) counters: Counters,
    /// First sequence number that was not handed out.
    pub(super) reserved: AtomicU64,
    /// A question met damaged bytes.
    pub(super) is_suspect: AtomicBool,
    /// Checkpoints in a row that failed because stored bytes are damaged.
    pub(super) corruptions: AtomicU64,
    pub(super) backlog: Arc<Backlog>,
    pending: Mutex<Pending>,
    requests: Mutex<Requests>,
    /// Number of the first journal segment that is still written to, or will be.
    sealed: AtomicU64,
    /// `None` while it is opened and after the log was closed.
    store: RwLock<Option<Arc<Store>>>,
    opening: Mutex<Opening>,
    opened: Condvar,
    recovery: Mutex<Recovery>,
    floor: Mutex<Floor>,
}

impl Shared {
    pub(super) fn new(
        options: Options,
        clock: Arc<dyn Clock>,
        pending: Pending,
        reserved: u64,
        store: Option<Arc<Store>>,
        recovery: Recovery,
        floor: Floor,
    ) -> Self {
        let counters = Counters::default();
        counters.opened(clock.now());
        Self {
            backlog: Arc::new(Backlog::new(options.backlog_clicks_max, options.few_clicks_max)),
            options,
            clock,
            counters,
            reserved: AtomicU64::new(reserved),
            is_suspect: AtomicBool::new(false),
            corruptions: AtomicU64::new(0),
            pending: Mutex::new(pending),
            requests: Mutex::default(),
            sealed: AtomicU64::new(0),
            store: RwLock::new(store),
            opening: Mutex::new(Opening::Running),
            opened: Condvar::new(),
            recovery: Mutex::new(recovery),
            floor: Mutex::new(floor),
        }
    }

    /// What opening found and repaired so far, locked.
    pub(super) fn recovery(&self) -> MutexGuard<'_, Recovery> {
        self.recovery.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what the journal must at least reach, on disk as well.
    pub(super) fn raise_floor(&self, change: impl FnOnce(&mut Floor)) -> std::io::Result<()> {
        let mut floor = self.floor.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut floor);
        floor.write(&self.options.dir)
    }

    /// The store had every frame up to this one.
    pub(super) fn stored(&self) -> u64 {
        self.floor.lock().unwrap_or_else(PoisonError::into_inner).stored
    }

    /// The opening has come to this.
    pub(super) fn set_opening(&self, opening: Opening) {
        *self.opening.lock().unwrap_or_else(PoisonError::into_inner) = opening;
        self.opened.notify_all();
    }

    /// Waits until the opening is done or has failed once, at most `longest`; whether it is done.
    pub(super) fn wait_opened(&self, longest: Duration) -> Result<bool, OpenError> {
        let opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        let is_running = |opening: &mut Opening| matches!(opening, Opening::Running);
        let waited = self.opened.wait_timeout_while(opening, longest, is_running);
        let (mut opening, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match &*opening {
            Opening::Running => Ok(false),
            Opening::Done => Ok(true),
            Opening::Failed(_) => match std::mem::replace(&mut *opening, Opening::Running) {
                Opening::Failed(error) => Err(error),
                _ => Ok(false),
            },
        }
    }

    pub(super) fn is_opening(&self) -> bool {
        !matches!(
            *self.opening.lock().unwrap_or_else(PoisonError::into_inner),
            Opening::Done
        )
    }

    /// The pending clicks, locked: only for what takes microseconds.
    pub(super) fn pending(&self) -> MutexGuard<'_, Pending> {
        // Nothing that holds this lock leaves it half done when it panics.
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Erasures that wait, locked.
    pub(super) fn requests(&self) -> MutexGuard<'_, Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Number of the first journal segment that is still written to, or will be; as of the last erasure asked for.
    pub(super) fn sealed(&self) -> u64 {
        self.sealed.load(Ordering::Acquire)
    }

    /// Journal segments below `number` are finished, and with them everything that erasures so far are about.
    pub(super) fn seal(&self, number: u64) {
        self.sealed.store(number, Ordering::Release);
        self.requests().make_ready();
    }

    pub(super) fn store(&self) -> Option<Arc<Store>> {
        self.store.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_store(&self, store: Option<Arc<Store>>) {
        *self.store.write().unwrap_or_else(PoisonError::into_inner) = store;
    }

    pub(super) fn stats(&self) -> Stats {
        let (clicks, gap) = {
            let pending = self.pending();
            (pending.clicks(), pending.gap())
        };
        Stats {
            clicks_pending: clicks as u64,
            frames_waiting: gap.end - gap.start,
            is_recovering: self.is_opening() || self.store().is_none() || !gap.is_empty(),
            ..self.counters.read(self.clock.now())
        }
    }
}
