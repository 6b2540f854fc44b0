//! Memory of packed links: words in chunks that never move, handed out in runs and taken back.
//!
//! A run is written under a lock of the caller's. Who reads it without may read half of what is written meanwhile, and
//! must find out; that a run once began there, and how long it is, never changes. Nothing goes back to the system: what
//! is freed is used again for a run of the same length.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering, fence};

use dashmap::DashMap;
use foldhash::fast::RandomState;

use super::words::Words;

/// Longest run, in words: the first byte of a run says its length.
pub(super) const RUN_MAX: usize = u8::MAX as usize;

/// Words of the first chunk: 1 MiB, so that a small server stays small. The next ones double what there is.
const FIRST: usize = 1 << 17;
/// Words of a big chunk: 64 MiB. Memory is asked for in steps that are small beside what is used by then.
const BIG: usize = 1 << 23;
/// Chunks that double, until they are big.
const DOUBLING: usize = (BIG / FIRST).ilog2() as usize + 1;
/// Words in all: 16 GiB, and 31 bits number them.
const WORDS_MAX: usize = 1 << 31;
const CHUNKS: usize = DOUBLING + WORDS_MAX / BIG - 1;

/// See the file's head.
#[derive(Debug)]
pub(super) struct Arena {
    chunks: Box<[OnceLock<Words>]>,
    /// The first word that was never handed out.
    next: AtomicUsize,
    /// Freed runs by length.
    free: DashMap<u8, Vec<u32>, RandomState>,
    free_runs: AtomicUsize,
    free_words: AtomicUsize,
}

impl Arena {
    /// An arena without a chunk.
    pub fn new() -> Self {
        Self {
            chunks: (0..CHUNKS).map(|_| OnceLock::new()).collect(),
            next: AtomicUsize::new(0),
            free: DashMap::with_hasher(RandomState::default()),
            free_runs: AtomicUsize::new(0),
            free_words: AtomicUsize::new(0),
        }
    }

    /// A run with `bytes` in it, whose first byte must be the length in words that holds them; `None` when all 16 GiB
    /// are used.
    pub fn store(&self, bytes: &[u8]) -> Option<u32> {
        let length = bytes.len().div_ceil(8);
        debug_assert_eq!(
            bytes.first().copied().map(usize::from),
            Some(length),
            "a run says its length"
        );
        let at = self.reuse(length).or_else(|| self.extend(length))?;
        let (words, rest) = bytes.as_chunks::<8>();
        let mut tail = [0; 8];
        tail[..rest.len()].copy_from_slice(rest);
        let values = words.iter().chain((!rest.is_empty()).then_some(&tail));
        // Who reads without a lock and finds any of this must also find that the generation of what lay here has ended.
        fence(Ordering::Release);
        for (word, value) in self.run(at)[..length].iter().zip(values) {
            word.store(u64::from_le_bytes(*value), Ordering::Relaxed);
        }
        Some(at)
    }

    /// Copies the run at `at` into `out` and returns its bytes; what lies behind the last one that was stored is 0.
    pub fn load<'a>(&self, at: u32, out: &'a mut [u8; RUN_MAX * 8]) -> &'a [u8] {
        let run = self.run(at);
        let length = length_of(run);
        let (chunks, _) = out.as_chunks_mut::<8>();
        for (word, out) in run[..length].iter().zip(chunks) {
            *out = word.load(Ordering::Relaxed).to_le_bytes();
        }
        &out[..length * 8]
    }

    /// A part of each cache line that a usual run at `at` lies in, to have them near.
    pub fn touch(&self, at: u32) -> u64 {
        let run = self.run(at);
        let words = [0, 4, 8].map(|place| run.get(place).map_or(0, |word| word.load(Ordering::Relaxed)));
        words[0] ^ words[1] ^ words[2]
    }

    /// Takes the run at `at` back. Who still reads it must find out.
    pub fn release(&self, at: u32) {
        let length = length_of(self.run(at));
        self.free.entry(length as u8).or_default().push(at);
        self.free_runs.fetch_add(1, Ordering::Release);
        self.free_words.fetch_add(length, Ordering::Relaxed);
    }

    fn reuse(&self, length: usize) -> Option<u32> {
        if self.free_runs.load(Ordering::Acquire) == 0 {
            return None;
        }
        let at = self.free.get_mut(&(length as u8))?.pop()?;
        self.free_runs.fetch_sub(1, Ordering::AcqRel);
        self.free_words.fetch_sub(length, Ordering::Relaxed);
        Some(at)
    }

    /// A run that was never used; one does not reach from one chunk into the next.
    fn extend(&self, length: usize) -> Option<u32> {
        let start = |next: usize| {
            let (chunk, place) = chunk_of(next);
            if place + length <= size_of_chunk(chunk) {
                next
            } else {
                next - place + size_of_chunk(chunk)
            }
        };
        let step = |next| (start(next) + length <= WORDS_MAX).then(|| start(next) + length);
        let at = start(
            self.next
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, step)
                .ok()?,
        );
        let (chunk, _) = chunk_of(at);
        self.chunks[chunk].get_or_init(|| Words::untouched(size_of_chunk(chunk)));
        Some(at as u32)
    }

    /// The words from `at` to the end of its chunk.
    fn run(&self, at: u32) -> &[AtomicU64] {
        let (chunk, place) = chunk_of(at as usize);
        self.chunks[chunk].get().map_or(&[], |words| &words[place..])
    }
}

fn length_of(run: &[AtomicU64]) -> usize {
    run.first()
        .map_or(0, |word| usize::from(word.load(Ordering::Relaxed) as u8))
}

/// The chunk of a word, and its place there.
fn chunk_of(word: usize) -> (usize, usize) {
    if word < BIG {
        let doublings = (word / FIRST)
            .checked_ilog2()
            .map_or(0, |doublings| doublings as usize + 1);
        (
            doublings,
            word - if doublings == 0 { 0 } else { FIRST << (doublings - 1) },
        )
    } else {
        (DOUBLING + word / BIG - 1, word % BIG)
    }
}

fn size_of_chunk(chunk: usize) -> usize {
    match chunk {
        0 => FIRST,
        _ if chunk < DOUBLING => FIRST << (chunk - 1),
        _ => BIG,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn chunks_follow_each_other() {
        let mut word = 0;
        for chunk in 0..CHUNKS {
            assert_eq!(chunk_of(word), (chunk, 0));
            let size = size_of_chunk(chunk);
            assert_eq!(chunk_of(word + size - 1), (chunk, size - 1));
            word += size;
        }
        assert_eq!(word, WORDS_MAX);
    }

    fn bytes(length: usize, fill: u8) -> Vec<u8> {
        let mut bytes = vec![fill; length];
        bytes[0] = length.div_ceil(8) as u8;
        bytes
    }

    #[test]
    fn a_run_does_not_reach_into_the_next_chunk() {
        let arena = Arena::new();
        arena.next.store(FIRST - 1, Ordering::Relaxed);
        assert_eq!(arena.store(&bytes(9, 7)), Some(FIRST as u32));
        arena.next.store(WORDS_MAX - 1, Ordering::Relaxed);
        assert_eq!(arena.store(&bytes(9, 7)), None, "all is used");
        assert_eq!(arena.store(&bytes(8, 7)), Some(WORDS_MAX as u32 - 1));
    }

    proptest! {
        #[test]
        fn runs_hold_what_was_stored(steps in proptest::collection::vec((any::<bool>(), 1..300usize, any::<u8>()), 1..300)) {
            let arena = Arena::new();
            let mut held: Vec<(u32, Vec<u8>)> = Vec::new();
            let mut most = 0;
            for (adds, length, fill) in steps {
                if adds || held.is_empty() {
                    let bytes = bytes(length, fill);
                    held.push((arena.store(&bytes).expect("room"), bytes));
                } else {
                    let (at, _) = held.swap_remove(length % held.len());
                    arena.release(at);
                }
                let used: usize = held.iter().map(|(_, bytes)| bytes.len().div_ceil(8)).sum();
                most = most.max(used + arena.free_words.load(Ordering::Relaxed));
                for (at, bytes) in &held {
                    let mut out = [0; RUN_MAX * 8];
                    let loaded = arena.load(*at, &mut out);
                    prop_assert_eq!(&loaded[..bytes.len()], bytes);
                    prop_assert!(loaded[bytes.len()..].iter().all(|byte| *byte == 0));
                }
                prop_assert_eq!(arena.next.load(Ordering::Relaxed), most, "every word is used or free");
            }
        }
    }
}
