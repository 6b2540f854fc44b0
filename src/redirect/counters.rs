//! What a worker counts: written by one thread, read by `/metrics`.
//!
//! Relaxed stores of a single writer: no shared cache line is fought over on the hot path.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the latency histogram in microseconds; one more bucket holds the rest.
pub const LATENCY_BOUNDS_US: [u64; 14] = [
    10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 1_000_000,
];

/// Of so many requests that are answered at once one is timed: reading the clock twice costs a tenth of such an answer.
const TIMED_EVERY: u64 = 16;

/// How requests ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outcomes {
    pub redirected: u64,
    pub carts: u64,
    /// Landing pages, waiting lists and sold-out pages.
    pub pages: u64,
    /// Taps on a landing page that led on to the shop.
    pub taps: u64,
    /// Inbound carts that were sent on without a link to count on.
    pub unlogged: u64,
    pub not_found: u64,
    pub gone: u64,
    pub throttled: u64,
    pub unavailable: u64,
    /// Requests whose click could not be queued in detail.
    pub details_lost: u64,
}

/// One worker's counters.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Counters {
    pub(super) redirected: AtomicU64,
    pub(super) carts: AtomicU64,
    pub(super) pages: AtomicU64,
    pub(super) taps: AtomicU64,
    pub(super) unlogged: AtomicU64,
    pub(super) not_found: AtomicU64,
    pub(super) gone: AtomicU64,
    pub(super) throttled: AtomicU64,
    pub(super) unavailable: AtomicU64,
    pub(super) details_lost: AtomicU64,
    latency: [AtomicU64; LATENCY_BOUNDS_US.len() + 1],
    latency_sum_us: AtomicU64,
    /// The last request that was answered at once and timed.
    last_us: AtomicU64,
    /// Requests that were answered at once.
    at_once: AtomicU64,
}

/// Adds `by`; only the owning worker calls this, so load and store need no locked instruction.
pub(super) fn bump(counter: &AtomicU64, by: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(by), Ordering::Relaxed);
}

impl Counters {
    /// Notes how long a request took from its head to its reply.
    pub fn observe(&self, took: Duration) {
        self.add(micros(took));
    }

    /// Whether the next request that is answered at once is to be timed ([`Self::observe_at_once`]); every other counts
    /// as the last that was ([`Self::observe_as_last`]), so that all are counted.
    pub fn is_next_timed(&self) -> bool {
        let before = self.at_once.load(Ordering::Relaxed);
        bump(&self.at_once, 1);
        before.is_multiple_of(TIMED_EVERY)
    }

    /// As [`Self::observe`], for a request that was answered at once.
    pub fn observe_at_once(&self, took: Duration) {
        self.last_us.store(micros(took), Ordering::Relaxed);
        self.observe(took);
    }

    /// Counts a request that was answered at once and that nobody timed.
    pub fn observe_as_last(&self) {
        self.add(self.last_us.load(Ordering::Relaxed));
    }

    fn add(&self, us: u64) {
        let bucket = LATENCY_BOUNDS_US.partition_point(|bound| *bound < us);
        bump(&self.latency[bucket], 1);
        bump(&self.latency_sum_us, us);
    }

    /// Notes a request that came before there was anything to answer it with.
    pub fn turned_away(&self) {
        bump(&self.unavailable, 1);
    }

    /// The counts so far.
    pub fn outcomes(&self) -> Outcomes {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Outcomes {
            redirected: read(&self.redirected),
            carts: read(&self.carts),
            pages: read(&self.pages),
            taps: read(&self.taps),
            unlogged: read(&self.unlogged),
            not_found: read(&self.not_found),
            gone: read(&self.gone),
            throttled: read(&self.throttled),
            unavailable: read(&self.unavailable),
            details_lost: read(&self.details_lost),
        }
    }

    /// The latency histogram: counts by bucket of [`LATENCY_BOUNDS_US`], and the sum in microseconds.
    pub fn latency(&self) -> ([u64; LATENCY_BOUNDS_US.len() + 1], u64) {
        let counts = std::array::from_fn(|bucket| self.latency[bucket].load(Ordering::Relaxed));
        (counts, self.latency_sum_us.load(Ordering::Relaxed))
    }
}

fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_fall_into_their_bucket() {
        let counters = Counters::default();
        for us in [0, 10, 11, 2_000_000] {
            counters.observe(Duration::from_micros(us));
        }
        let (counts, sum) = counters.latency();
        assert_eq!((counts[0], counts[1], counts[14], sum), (2, 1, 1, 2_000_021));
    }

    #[test]
    fn all_count_and_one_in_sixteen_is_timed() {
        let counters = Counters::default();
        let timed = (0..64).filter(|_| counters.is_next_timed()).count();
        assert_eq!(timed, 4);
        assert!(counters.is_next_timed(), "the first of the next sixteen");
        counters.observe_at_once(Duration::from_micros(30));
        counters.observe(Duration::from_micros(1));
        counters.observe_as_last();
        let (counts, sum) = counters.latency();
        assert_eq!((counts[0], counts[2], sum), (1, 2, 61));
    }
}
