//! What happened to connections, counted: one set a worker, so that no core writes to another's cache line.
//!
//! Relaxed atomics: a reader may see one figure ahead of another, never a wrong one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// One worker's figures.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Counters {
    pub(super) accepted: AtomicU64,
    pub(super) open: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) refused_addresses: AtomicU64,
    pub(super) accept_errors: AtomicU64,
    pub(super) handshake_failures: AtomicU64,
    pub(super) timeouts: AtomicU64,
    pub(super) bad_requests: AtomicU64,
    pub(super) panics: AtomicU64,
}

/// Adds one to a counter.
pub(super) fn bump(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// All workers' figures; a clone reads the same counters.
#[derive(Debug, Clone)]
pub struct Tally(Arc<[Arc<Counters>]>);

impl Tally {
    /// A tally of `workers` sets.
    pub(super) fn new(workers: usize) -> Self {
        Self((0..workers).map(|_| Arc::default()).collect())
    }

    /// A tally of one set, as an API listener has it.
    pub fn single() -> Self {
        Self::new(1)
    }

    /// The set of worker `index`.
    pub(super) fn worker(&self, index: usize) -> Arc<Counters> {
        Arc::clone(&self.0[index])
    }

    /// The sums over all workers.
    pub fn totals(&self) -> Totals {
        let sum = |pick: fn(&Counters) -> &AtomicU64| self.0.iter().map(|c| pick(c).load(Ordering::Relaxed)).sum();
        Totals {
            accepted: sum(|c| &c.accepted),
            open: sum(|c| &c.open),
            refused: sum(|c| &c.refused),
            refused_addresses: sum(|c| &c.refused_addresses),
            accept_errors: sum(|c| &c.accept_errors),
            handshake_failures: sum(|c| &c.handshake_failures),
            timeouts: sum(|c| &c.timeouts),
            bad_requests: sum(|c| &c.bad_requests),
            panics: sum(|c| &c.panics),
        }
    }
}

/// Sums of [`Counters`] at one moment. All but `open` only grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Connections taken from an accept queue, refused ones included.
    pub accepted: u64,
    /// Connections open now.
    pub open: u64,
    /// Connections closed at once because there were too many.
    pub refused: u64,
    /// Connections closed at once because their address had too many.
    pub refused_addresses: u64,
    /// Failed accepts: out of descriptors, or the client was gone.
    pub accept_errors: u64,
    /// Failed or slow TLS handshakes and malformed PROXY headers.
    pub handshake_failures: u64,
    /// Connections closed because a limit passed; idle ones that ran out are not among them.
    pub timeouts: u64,
    /// Requests refused before the handler: framing that can be read in two ways, or no HTTP at all.
    pub bad_requests: u64,
    /// Handlers that panicked.
    pub panics: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_the_sums_over_workers() {
        let tally = Tally::new(2);
        bump(&tally.worker(0).accepted);
        bump(&tally.worker(1).accepted);
        bump(&tally.worker(1).panics);
        assert_eq!(
            tally.totals(),
            Totals {
                accepted: 2,
                panics: 1,
                ..Totals::default()
            }
        );
    }
}
