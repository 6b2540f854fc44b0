//! What is lock-free in `redirect`, under every interleaving that the memory model allows (loom).
//!
//! Compiles the same files once more with loom's atomics in the place of the standard library's.

use loom::sync::atomic::{AtomicBool, Ordering};
use loom::sync::{Arc, Mutex};
use loom::thread;

mod atomic {
    pub use loom::sync::atomic::{AtomicU64, Ordering};
}
#[path = "../src/redirect/generations.rs"]
#[expect(dead_code, reason = "the table has hundreds of stripes, a model one")]
mod generations;
#[path = "../src/redirect/uses.rs"]
#[expect(dead_code, reason = "what is not lock-free is tested elsewhere")]
mod uses;

use generations::{Generations, Stamp};
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
