//! Where plain links with short slugs lie, for those who read: a table of words in front of the map, without a lock.
//!
//! It may forget and never lies. Whoever writes a link's word holds the lock of the map that says the same; who finds no
//! word asks the map. A word has half of its key; where it stands says a part of the rest, and the link itself the other
//! ([`Trace::check`]), so that together every bit is compared. What was read is true if the generation of the key is
//! still the one of before.
//!
//! The map alone costs a request four waits for memory, one after the other, and its lock forbids to begin another
//! look-up meanwhile; here it is two, and those of many requests overlap.

use super::atomic::{AtomicU64, AtomicUsize, Ordering};
use super::words::Words;

/// Words of a bucket: one cache line. A link is in its bucket or nowhere.
pub(super) const BUCKET: usize = 8;
/// Buckets of the smallest index, as a power of two: with the bits that a bucket's number says, those of a word and those
/// of a link are the 63 of a key. 2 MiB that take memory once they are written.
pub(super) const BUCKETS_LOG_MIN: u32 = KEY_BITS - u32::BITS - u16::BITS;
/// Buckets of the largest: 2 GiB, for 200 million links; what has no room is found in the map.
const BUCKETS_LOG_MAX: u32 = 25;
/// Bits of a key without the one that tells exact from folded, which a word has for itself.
pub(super) const KEY_BITS: u32 = 63;
pub(super) const KEY_MASK: u64 = (1 << KEY_BITS) - 1;
/// The bit of a word that tells exact from folded.
const EXACT: u64 = 1 << 31;
/// What stands where there is no link. (Also what one link in 2^64 would have: it is then not in the index.)
const EMPTY: u64 = 0;

/// See the file's head.
#[derive(Debug)]
pub(super) struct Index {
    pub(super) words: Words,
    buckets_log: u32,
    /// Words that are not empty.
    pub(super) held: AtomicUsize,
}

/// A short key as the index looks for it: without the bit that tells exact from folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Trace(pub(super) u64);

impl Trace {
    /// The trace of `number`, of which `exact_bit` tells exact from folded: a bijection of the other bits, so that
    /// neighbours lie far apart.
    pub fn new(number: u64, exact_bit: u64) -> Self {
        let (low, high) = (number & (exact_bit - 1), number & !(exact_bit | (exact_bit - 1)));
        // Odd factors and shifts by at least half can be undone.
        let mut mixed = (high >> 1 | low).wrapping_mul(0x9e37_79b9_7f4a_7c15) & KEY_MASK;
        mixed ^= mixed >> 32;
        mixed = mixed.wrapping_mul(0xbf58_476d_1ce4_e5b9) & KEY_MASK;
        Self(mixed ^ mixed >> 32)
    }

    /// What the link itself must say: the bits that neither a word nor the number of the smallest index's bucket says.
    pub fn check(self) -> u16 {
        (self.0 >> u32::BITS) as u16
    }

    pub(super) fn tag(self) -> u64 {
        self.0 << u32::BITS
    }

    pub(super) fn bucket(self, buckets_log: u32) -> usize {
        (self.0 >> (KEY_BITS - buckets_log)) as usize
    }
}

impl Index {
    /// An index with room for `links` links: three quarters full with them.
    pub fn new(links: usize) -> Self {
        Self::with_buckets(buckets_log_for(links))
    }

    /// An empty index with 2^`buckets_log` buckets.
    pub(super) fn with_buckets(buckets_log: u32) -> Self {
        Self {
            words: Words::untouched(BUCKET << buckets_log),
            buckets_log,
            held: AtomicUsize::new(0),
        }
    }

    /// A larger one without a link, when so many are here that buckets overflow.
    pub fn grown(&self) -> Option<Self> {
        let is_full = self.held.load(Ordering::Relaxed) / 3 >= self.words.len() / 4;
        (is_full && self.buckets_log < BUCKETS_LOG_MAX).then(|| Self::with_buckets(self.buckets_log + 1))
    }

    /// A part of the bucket of `trace`, to have it near.
    pub fn touch(&self, trace: Trace) -> u64 {
        self.bucket(trace)[0].load(Ordering::Relaxed)
    }

    /// Where the link of `trace` may lie, which is exact if `is_exact` says so; the link must say its [`Trace::check`].
    pub fn find(&self, trace: Trace, is_exact: Option<bool>) -> Option<u32> {
        let (mask, bits) = wanted(trace, is_exact);
        // Acquire: with the place comes what lies there.
        let mut words = self.bucket(trace).iter().map(|word| word.load(Ordering::Acquire));
        words
            .find(|word| word & mask == bits && *word != EMPTY)
            .map(|word| (word & (EXACT - 1)) as u32)
    }

    /// Says that the link of `trace` lies at `place`, which has 31 bits. The caller holds the lock of the map that says
    /// so. False when the bucket has no room.
    pub fn set(&self, trace: Trace, is_exact: bool, place: u32) -> bool {
        let (mask, bits) = wanted(trace, Some(is_exact));
        let new = bits | u64::from(place);
        let bucket = self.bucket(trace);
        // Others with the same bits may do this with theirs; no word of this link stays but the new one.
        let mut is_in = false;
        for word in bucket {
            let old = word.load(Ordering::Relaxed);
            if old != EMPTY && old & mask == bits {
                let next = if is_in { EMPTY } else { new };
                is_in |= self.replace(word, old, next);
            }
        }
        is_in || new != EMPTY && bucket.iter().any(|word| self.replace(word, EMPTY, new))
    }

    /// Says no longer where the link of `trace` lies. The caller holds the lock of the map.
    pub fn clear(&self, trace: Trace, is_exact: bool) {
        let (mask, bits) = wanted(trace, Some(is_exact));
        for word in self.bucket(trace) {
            let old = word.load(Ordering::Relaxed);
            if old != EMPTY && old & mask == bits {
                // If it fails, it is another link's by now.
                self.replace(word, old, EMPTY);
            }
        }
    }

    fn replace(&self, word: &AtomicU64, old: u64, new: u64) -> bool {
        let is_done = word
            .compare_exchange(old, new, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok();
        if is_done && old == EMPTY {
            self.held.fetch_add(1, Ordering::Relaxed);
        } else if is_done && new == EMPTY {
            self.held.fetch_sub(1, Ordering::Relaxed);
        }
        is_done
    }

    fn bucket(&self, trace: Trace) -> &[AtomicU64] {
        let start = trace.bucket(self.buckets_log) * BUCKET;
        &self.words[start..start + BUCKET]
    }
}

/// Buckets that `links` links fill to three quarters, as a power of two.
pub(super) fn buckets_log_for(links: usize) -> u32 {
    let links = links.min(BUCKET << BUCKETS_LOG_MAX);
    let buckets = (links + links / 3).div_ceil(BUCKET).next_power_of_two();
    buckets.ilog2().clamp(BUCKETS_LOG_MIN, BUCKETS_LOG_MAX)
}

/// Which bits of a word are compared, and what they must be.
fn wanted(trace: Trace, is_exact: Option<bool>) -> (u64, u64) {
    let tag = u64::from(u32::MAX) << u32::BITS;
    match is_exact {
        None => (tag, trace.tag()),
        Some(true) => (tag | EXACT, trace.tag() | EXACT),
        Some(false) => (tag | EXACT, trace.tag()),
    }
}
