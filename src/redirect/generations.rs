//! Generations of the link table: how a worker knows that what it remembers of a link is still so.
//!
//! One number for every stripe of keys. Reading it writes nothing, so that any number of cores may; only who changes a
//! link writes it, after the change.

use super::atomic::{AtomicU64, Ordering};

/// Stripes. 512: 32 KiB; beside an import of 50,000 links a second a stripe changes a hundred times, and what a worker
/// remembers of a viral link holds for thousands of follows.
pub(super) const STRIPES: usize = 512;

/// Has a cache line to itself: changes of one stripe must not slow down readers of its neighbour.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Generation(AtomicU64);

/// See the file's head.
#[derive(Debug)]
pub(super) struct Generations(Box<[Generation]>);

/// When something was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    stripe: usize,
    generation: u64,
}

impl Stamp {
    /// A stamp that is never current.
    pub const NEVER: Self = Self {
        stripe: 0,
        generation: u64::MAX,
    };
}

impl Generations {
    /// All stripes in their first generation.
    pub fn new(stripes: usize) -> Self {
        Self((0..stripes).map(|_| Generation::default()).collect())
    }

    /// The stamp of what is read after this call.
    pub fn stamp(&self, hash: u64) -> Stamp {
        let stripe = hash as usize % self.0.len();
        let generation = self.0[stripe].0.load(Ordering::Acquire);
        Stamp { stripe, generation }
    }

    /// Whether nothing was changed since.
    pub fn is_current(&self, stamp: Stamp) -> bool {
        self.0[stamp.stripe].0.load(Ordering::Acquire) == stamp.generation
    }

    /// Ends the generation. Called after the change: who reads the old generation may still have read the old link, who
    /// reads the new one has not.
    pub fn bump(&self, hash: u64) {
        self.0[hash as usize % self.0.len()].0.fetch_add(1, Ordering::Release);
    }
}
