//! What writer, readers and the checkpoint thread share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use crate::domain::outside::Clock;

use super::erase::Requests;
use super::options::Options;
use super::pending::Pending;
use super::stats::{Counters, Stats};
use super::store::Store;

pub(super) struct Shared {
    pub(super) options: Options,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) counters: Counters,
    /// First sequence number that was not handed out.
    pub(super) reserved: AtomicU64,
    pending: Mutex<Pending>,
    requests: Mutex<Requests>,
    /// Number of the first journal segment that is still written to, or will be.
    sealed: AtomicU64,
    /// `None` while it is reopened and after the log was closed.
    store: RwLock<Option<Arc<Store>>>,
}

impl Shared {
    pub(super) fn new(
        options: Options,
        clock: Arc<dyn Clock>,
        pending: Pending,
        reserved: u64,
        store: Arc<Store>,
    ) -> Self {
        let counters = Counters::default();
        counters.store_bytes.store(store.bytes(), Ordering::Relaxed);
        counters.opened(clock.now());
        Self {
            options,
            clock,
            counters,
            reserved: AtomicU64::new(reserved),
            pending: Mutex::new(pending),
            requests: Mutex::default(),
            sealed: AtomicU64::new(0),
            store: RwLock::new(Some(store)),
        }
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
            ..self.counters.read(self.clock.now())
        }
    }
}
