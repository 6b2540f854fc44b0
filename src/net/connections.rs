//! The connections of one listener group: how many, how many there may be, and when they shall end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::Notify;

use super::addresses::{Addresses, Origin};
use super::counters::{Counters, bump};
use super::limits::Limits;

/// How many connections there may be in all groups that share this.
pub(super) struct Bounds {
    total: AtomicUsize,
    total_max: usize,
    addresses: Addresses,
}

impl Bounds {
    /// The bounds that `limits` name.
    pub fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            total: AtomicUsize::new(0),
            total_max: limits.connections_max,
            addresses: Addresses::new(limits.connections_per_address_max),
        })
    }
}

/// Shared by an accept loop and the connections that it started.
pub(super) struct Connections {
    pub counters: Arc<Counters>,
    /// Open in this group.
    open: AtomicUsize,
    bounds: Arc<Bounds>,
    is_draining: AtomicBool,
    drain: Notify,
    emptied: Notify,
}

impl Connections {
    /// No connections yet.
    pub fn new(counters: Arc<Counters>, bounds: Arc<Bounds>) -> Arc<Self> {
        Arc::new(Self {
            counters,
            open: AtomicUsize::new(0),
            bounds,
            is_draining: AtomicBool::new(false),
            drain: Notify::new(),
            emptied: Notify::new(),
        })
    }

    /// Counts an accepted connection in; `None` when there are too many, in all or of its origin. Without an origin
    /// only the first is asked.
    pub fn enter(self: &Arc<Self>, origin: Option<Origin>) -> Option<Guest> {
        bump(&self.counters.accepted);
        let bounds = &self.bounds;
        if bounds.total.fetch_add(1, Ordering::Relaxed) >= bounds.total_max {
            bounds.total.fetch_sub(1, Ordering::Relaxed);
            bump(&self.counters.refused);
            return None;
        }
        if origin.is_some_and(|origin| !bounds.addresses.enter(origin)) {
            bounds.total.fetch_sub(1, Ordering::Relaxed);
            bump(&self.counters.refused_addresses);
            return None;
        }
        self.open.fetch_add(1, Ordering::Relaxed);
        bump(&self.counters.open);
        Some(Guest {
            connections: Arc::clone(self),
            origin,
        })
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
pub(super) struct Guest {
    pub connections: Arc<Connections>,
    origin: Option<Origin>,
}

impl Drop for Guest {
    fn drop(&mut self) {
        let connections = &self.connections;
        if std::thread::panicking() {
            bump(&connections.counters.panics);
        }
        connections.counters.open.fetch_sub(1, Ordering::Relaxed);
        connections.bounds.total.fetch_sub(1, Ordering::Relaxed);
        if let Some(origin) = self.origin {
            connections.bounds.addresses.leave(origin);
        }
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
        let bounds = bounds(2, 1);
        let one = Connections::new(Arc::default(), Arc::clone(&bounds));
        let two = Connections::new(Arc::default(), bounds);
        let first = one.enter(None);
        let second = two.enter(None);
        assert!(first.is_some() && second.is_some() && one.enter(None).is_none());
        drop(first);
        one.emptied().await;
        assert!(one.enter(None).is_some());
        assert_eq!(one.counters.refused.load(Ordering::Relaxed), 1);
    }

    fn bounds(connections_max: usize, connections_per_address_max: u32) -> Arc<Bounds> {
        Bounds::new(&Limits {
            connections_max,
            connections_per_address_max,
            ..Limits::default()
        })
    }

    #[test]
    fn groups_share_what_an_address_may_have() {
        let bounds = bounds(9, 2);
        let one = Connections::new(Arc::default(), Arc::clone(&bounds));
        let two = Connections::new(Arc::default(), Arc::clone(&bounds));
        let origin = Some(Origin::V4(1));
        let kept = (one.enter(origin), two.enter(origin));
        assert!(two.enter(origin).is_none() && two.enter(Some(Origin::V4(2))).is_some() && two.enter(None).is_some());
        assert_eq!(two.counters.refused_addresses.load(Ordering::Relaxed), 1);
        assert_eq!(
            bounds.total.load(Ordering::Relaxed),
            2,
            "who is refused leaves nothing behind"
        );
        drop(kept);
        assert!(two.enter(origin).is_some());
    }

    #[tokio::test]
    async fn a_drain_reaches_those_who_wait_and_those_who_come_later() {
        let connections = Connections::new(Arc::default(), bounds(1, 1));
        tokio::join!(connections.draining(), async { connections.drain() });
        connections.draining().await;
        assert!(connections.is_draining());
    }
}
