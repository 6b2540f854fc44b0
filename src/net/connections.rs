//! The connections of one listener group: how many, how many there may be, and when they shall end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::Notify;

use super::counters::{Counters, bump};

/// Shared by an accept loop and the connections that it started.
pub(super) struct Connections {
    pub counters: Arc<Counters>,
    /// Open in this group.
    open: AtomicUsize,
    /// Open in all groups that share one bound.
    total: Arc<AtomicUsize>,
    total_max: usize,
    is_draining: AtomicBool,
    drain: Notify,
    emptied: Notify,
}

impl Connections {
    /// No connections yet. Groups that are given the same `total` share `total_max`.
    pub fn new(counters: Arc<Counters>, total: Arc<AtomicUsize>, total_max: usize) -> Arc<Self> {
        Arc::new(Self {
            counters,
            open: AtomicUsize::new(0),
            total,
            total_max,
            is_draining: AtomicBool::new(false),
            drain: Notify::new(),
            emptied: Notify::new(),
        })
    }

    /// Counts an accepted connection in; `None` when there are too many.
    pub fn enter(self: &Arc<Self>) -> Option<Guest> {
        bump(&self.counters.accepted);
        if self.total.fetch_add(1, Ordering::Relaxed) >= self.total_max {
            self.total.fetch_sub(1, Ordering::Relaxed);
            bump(&self.counters.refused);
            return None;
        }
        self.open.fetch_add(1, Ordering::Relaxed);
        bump(&self.counters.open);
        Some(Guest(Arc::clone(self)))
    }

    /// Asks every connection to end after what it is doing.
    pub fn drain(&self) {
        self.is_draining.store(true, Ordering::Release);
        self.drain.notify_waiters();
    }

    /// Whether connections shall end.
    pub fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Acquire)
    }

    /// Waits until connections shall end.
    pub async fn draining(&self) {
        let mut drain = std::pin::pin!(self.drain.notified());
        // Registered before the flag is read, so that a drain between the two is not missed.
        drain.as_mut().enable();
        if !self.is_draining() {
            drain.await;
        }
    }

    /// Waits until no connection is open.
    pub async fn emptied(&self) {
        while self.open.load(Ordering::Acquire) > 0 {
            self.emptied.notified().await;
        }
    }
}

/// A connection that counts as open until this is dropped.
pub(super) struct Guest(pub Arc<Connections>);

impl Drop for Guest {
    fn drop(&mut self) {
        let connections = &self.0;
        if std::thread::panicking() {
            bump(&connections.counters.panics);
        }
        connections.counters.open.fetch_sub(1, Ordering::Relaxed);
        connections.total.fetch_sub(1, Ordering::Relaxed);
        if connections.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            connections.emptied.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn groups_share_their_bound_and_tell_when_they_are_empty() {
        let total = Arc::new(AtomicUsize::new(0));
        let one = Connections::new(Arc::default(), Arc::clone(&total), 2);
        let two = Connections::new(Arc::default(), total, 2);
        let first = one.enter();
        let second = two.enter();
        assert!(first.is_some() && second.is_some() && one.enter().is_none());
        drop(first);
        one.emptied().await;
        assert!(one.enter().is_some());
        assert_eq!(one.counters.refused.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_drain_reaches_those_who_wait_and_those_who_come_later() {
        let connections = Connections::new(Arc::default(), Arc::default(), 1);
        tokio::join!(connections.draining(), async { connections.drain() });
        connections.draining().await;
        assert!(connections.is_draining());
    }
}
