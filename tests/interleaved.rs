//! What is lock-free in `redirect`, under every interleaving that the memory model allows (loom).
//!
//! Compiles the same files once more with loom's atomics in the place of the standard library's.

use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use loom::sync::{Arc, Mutex};
use loom::thread;

mod atomic {
    pub use loom::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
}
/// Words as the index needs them.
mod words {
    #[derive(Debug)]
    pub struct Words(Box<[super::AtomicU64]>);

    impl Words {
        pub fn untouched(count: usize) -> Self {
            Self((0..count).map(|_| super::AtomicU64::new(0)).collect())
        }
    }

    impl std::ops::Deref for Words {
        type Target = [super::AtomicU64];

        fn deref(&self) -> &[super::AtomicU64] {
            &self.0
        }
    }
}
#[path = "../src/redirect/generations.rs"]
#[expect(dead_code, reason = "the table has hundreds of stripes, a model one")]
mod generations;
#[path = "../src/redirect/index.rs"]
#[expect(dead_code, reason = "a model's index does not grow")]
mod index;
#[path = "../src/redirect/uses.rs"]
#[expect(dead_code, reason = "what is not lock-free is tested elsewhere")]
mod uses;

use generations::{Generations, Stamp};
use index::{Index, Trace};
use uses::{Account, Uses};

/// Most times that a thread is put aside where it need not be. Three find nearly every fault that there is, in a bounded
/// time (loom's own advice).
const PREEMPTIONS_MAX: usize = 3;

fn every_interleaving(test: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(PREEMPTIONS_MAX);
    builder.check(test);
}

/// How many of `tries` uses the worker with number `seat` gets.
fn take(uses: &Uses, seat: usize, tries: usize) -> u64 {
    (0..tries).filter(|_| uses.take(seat)).count() as u64
}

#[test]
fn takers_get_what_there_is_and_no_more() {
    every_interleaving(|| {
        let uses = Arc::new(Uses::in_lanes(3, 2));
        let taker = |seat| {
            let uses = Arc::clone(&uses);
            thread::spawn(move || take(&uses, seat, 2))
        };
        let others = [taker(0), taker(1)];
        let own = take(&uses, 1, 1);
        let taken: u64 = others.into_iter().map(|taker| taker.join().expect("no panic")).sum();
        assert_eq!(own + taken, 3, "of five tries three succeed, whatever the order");
    });
}

#[test]
fn a_limit_may_change_while_uses_are_taken() {
    for (before, after) in [(1, 2), (3, 1), (3, 0), (0, 2)] {
        every_interleaving(move || {
            let mut account = Account::default();
            let uses = account.limit_in_lanes(before, 2);
            let taker = thread::spawn({
                let uses = std::sync::Arc::clone(&uses);
                move || take(&uses, 0, 2)
            });
            account.limit(after);
            let taken = taker.join().expect("no panic");
            assert!(taken <= before.max(after));
            assert_eq!(
                take(&uses, 1, 4),
                after.saturating_sub(taken),
                "what was taken counts, nothing got lost"
            );
        });
    }
}

/// A link as the table holds it: under a shard's lock, with the generation ended after the change.
struct Table {
    link: Mutex<u64>,
    generations: Generations,
}

impl Table {
    fn put(&self, link: u64) {
        *self.link.lock().expect("no panic") = link;
        self.generations.bump(0);
    }

    /// As a worker finds a link: what it remembers if that is current, else what the table has.
    fn find(&self, remembered: &mut (Stamp, u64)) -> u64 {
        if !self.generations.is_current(remembered.0) {
            let stamp = self.generations.stamp(0);
            *remembered = (stamp, *self.link.lock().expect("no panic"));
        }
        remembered.1
    }
}

#[test]
fn nobody_finds_a_link_that_was_replaced_before_he_looked() {
    every_interleaving(|| {
        let table = Arc::new(Table {
            link: Mutex::new(1),
            generations: Generations::new(1),
        });
        let is_put = Arc::new(AtomicBool::new(false));
        let writer = thread::spawn({
            let (table, is_put) = (Arc::clone(&table), Arc::clone(&is_put));
            move || {
                table.put(2);
                is_put.store(true, Ordering::Release);
            }
        });
        let mut remembered = (Stamp::NEVER, 0);
        for _ in 0..2 {
            let must_be_new = is_put.load(Ordering::Acquire);
            let found = table.find(&mut remembered);
            assert!(found == 2 || !must_be_new, "answered, and not followed");
        }
        writer.join().expect("no panic");
        assert_eq!(table.find(&mut remembered), 2);
    });
}

/// The link of one key as [`nobody_reads_what_is_not_his`] holds it: in the map, where it lies, under a lock; in the
/// index; and the runs of the arena, one number each.
struct Packed {
    map: Mutex<Option<u32>>,
    index: Index,
    runs: [AtomicU64; 2],
    generations: Generations,
}

/// What lies in a run: the first and the second version of the link, and what somebody else put there after it.
const FIRST: u64 = 1;
const SECOND: u64 = 2;
const ANOTHERS: u64 = 9;

impl Packed {
    fn new() -> Self {
        let packed = Self {
            map: Mutex::new(Some(0)),
            index: Index::with_buckets(0),
            runs: [AtomicU64::new(FIRST), AtomicU64::new(0)],
            generations: Generations::new(1),
        };
        packed.index.set(Self::trace(), true, 0);
        packed
    }

    fn trace() -> Trace {
        Trace::new(7, 1 << 48)
    }

    /// As the arena stores: after this fence.
    fn store(&self, run: usize, value: u64) {
        fence(Ordering::Release);
        self.runs[run].store(value, Ordering::Relaxed);
    }

    /// Puts the link elsewhere or takes it away; another link takes its run.
    fn change(&self, to: Option<u32>) {
        if let Some(run) = to {
            self.store(run as usize, SECOND);
        }
        {
            let mut map = self.map.lock().expect("no panic");
            *map = to;
            match to {
                Some(run) => assert!(self.index.set(Self::trace(), true, run)),
                None => self.index.clear(Self::trace(), true),
            }
        }
        self.generations.bump(0);
        self.store(0, ANOTHERS);
    }

    fn find(&self) -> Option<u64> {
        let stamp = self.generations.stamp(0);
        if let Some(run) = self.index.find(Self::trace(), Some(true)) {
            let read = self.runs[run as usize].load(Ordering::Relaxed);
            fence(Ordering::Acquire);
            if self.generations.is_current(stamp) {
                return Some(read);
            }
        }
        let map = self.map.lock().expect("no panic");
        let run = (*map)?;
        assert!(self.index.set(Self::trace(), true, run));
        Some(self.runs[run as usize].load(Ordering::Relaxed))
    }
}

#[test]
fn nobody_reads_what_is_not_his() {
    for to in [Some(1), None] {
        every_interleaving(move || {
            let packed = Arc::new(Packed::new());
            let is_changed = Arc::new(AtomicBool::new(false));
            let writer = thread::spawn({
                let (packed, is_changed) = (Arc::clone(&packed), Arc::clone(&is_changed));
                move || {
                    packed.change(to);
                    is_changed.store(true, Ordering::Release);
                }
            });
            let after = to.map(|_| SECOND);
            for _ in 0..2 {
                let must_be_new = is_changed.load(Ordering::Acquire);
                let found = packed.find();
                assert!(found == after || found == Some(FIRST) && !must_be_new, "{found:?}");
            }
            writer.join().expect("no panic");
            assert_eq!(packed.find(), after);
        });
    }
}
