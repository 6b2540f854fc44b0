//! Which hashes came within the last moments: eight bytes each, in a bounded memory that forgets what it has no room for.
//!
//! Entries lie in sets of eight, a cache line each, so that a look-up among millions waits for memory once; those that
//! are too old are taken over in place. It grows when a set is full of young ones: what came before is looked up where
//! it lies until it is too old. Two hashes are told apart by 38 bits and those that choose their set.

/// Entries in a set.
const WAYS: usize = 8;
/// Sets of an empty memory: 64 KiB. A power of two, as all numbers of sets are.
const SETS_MIN: usize = 1 << 10;
/// It becomes so many times larger: rarely, for fresh memory is dear, and what came before is looked up as well meanwhile.
const GROWTH: usize = 16;
/// The time of an entry, in ticks, takes its lower bits; the rest is of its hash.
const TIME_BITS: u32 = 26;
/// Ticks after which what is too old is removed everywhere, so that no time is mistaken for one a round later.
const ROUND: i64 = 1 << (TIME_BITS - 1);
/// Longest window, in ticks. Longer windows have longer ticks.
const WINDOW_MAX: i64 = ROUND / 8;

type Set = [u64; WAYS];

/// Hashes that came within a window.
#[derive(Debug)]
pub(super) struct Recent {
    /// In ticks.
    window: i64,
    /// A tick is two to the power of this ms: one, for windows of an hour and less.
    tick_bits: u32,
    sets_max: usize,
    round: i64,
    sets: Vec<Set>,
    /// Of before it grew, and the tick since when nothing was put there.
    older: Vec<(Vec<Set>, i64)>,
    /// Young ones that had to leave, since it was made.
    forgotten: u64,
}

impl Recent {
    /// Of the last `window_ms` ms, in room for at most `entries`; both are positive.
    pub(super) fn new(window_ms: i64, entries: usize) -> Self {
        let tick_bits = (0..32).find(|bits| window_ms >> bits < WINDOW_MAX).unwrap_or(32);
        Self {
            window: (window_ms >> tick_bits).clamp(1, WINDOW_MAX),
            tick_bits,
            sets_max: (entries / WAYS).next_power_of_two().max(SETS_MIN),
            round: 0,
            sets: vec![[0; WAYS]; SETS_MIN],
            older: Vec::new(),
            forgotten: 0,
        }
    }

    /// Whether `hash`, which is evenly spread over 64 bits, came within the window before (or after) `at_ms`; if not, it
    /// comes now.
    pub(super) fn meet(&mut self, hash: u64, at_ms: i64) -> bool {
        let now = at_ms >> self.tick_bits;
        if now.div_euclid(ROUND) != self.round {
            self.turn(now);
        }
        if !self.older.is_empty() && self.has_come_before(hash, now) {
            return true;
        }
        let (number, tag) = (number(hash, self.sets.len()), tag(hash));
        let window = self.window;
        let set = &mut self.sets[number];
        let (mut same, mut free) = (WAYS, WAYS);
        // Looks at all: an early end would be guessed wrongly as often as not.
        for (way, entry) in set.iter().enumerate() {
            let is_young = *entry != 0 && age(*entry, now) < window;
            let is_same = *entry >> TIME_BITS == tag;
            same = if is_same { way } else { same };
            free = if is_young { free } else { way };
        }
        if let Some(entry) = set.get_mut(same) {
            let is_young = age(*entry, now) < window;
            if !is_young {
                *entry = entry_of(tag, now);
            }
            return is_young;
        }
        if let Some(entry) = set.get_mut(free) {
            *entry = entry_of(tag, now);
            return false;
        }
        if self.sets.len() < self.sets_max {
            let sets = (self.sets.len() * GROWTH).min(self.sets_max);
            let before = std::mem::replace(&mut self.sets, vec![[0; WAYS]; sets]);
            self.older.push((before, now));
        }
        let sets = self.sets.len();
        let entry = &mut self.sets[self::number(hash, sets)][hash as usize % WAYS];
        // In a set of before it grew, all of them are young.
        self.forgotten += u64::from(*entry != 0);
        *entry = entry_of(tag, now);
        false
    }

    /// Those that had to leave before they were too old, since it was made: each may come again as if for the first time.
    pub(super) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Something that lies where `hash` does: who asks for many of them at once waits for memory once, not each time.
    pub(super) fn look(&self, hash: u64) -> u64 {
        self.sets[number(hash, self.sets.len())][0]
    }

    /// Entries that there is room for.
    #[cfg(test)]
    pub(super) fn room(&self) -> usize {
        self.sets.len() * WAYS
    }

    /// Bytes of all sets, those of before it grew as well, and the entries in them.
    #[cfg(test)]
    pub(super) fn held(&self) -> (usize, u64) {
        let all = || std::iter::once(&self.sets).chain(self.older.iter().map(|(sets, _)| sets));
        let entries = all().flatten().flatten().filter(|entry| **entry != 0);
        (all().map(|sets| size_of_val(&sets[..])).sum(), entries.count() as u64)
    }

    /// Looks where what came before it grew lies, and lets go of what is too old.
    fn has_come_before(&mut self, hash: u64, now: i64) -> bool {
        let window = self.window;
        self.older.retain(|(_, since)| (now - since).abs() < window);
        let tag = tag(hash);
        self.older.iter().any(|(sets, _)| {
            let set = &sets[number(hash, sets.len())];
            set.iter()
                .any(|entry| *entry >> TIME_BITS == tag && age(*entry, now) < window)
        })
    }

    /// Begins the round of `now`: nothing stays that is too old. After one that nobody met anything in, nothing at all.
    fn turn(&mut self, now: i64) {
        let round = now.div_euclid(ROUND);
        let (is_next, window) = (round == self.round + 1, self.window);
        self.round = round;
        let is_young = |entry: u64| is_next && entry != 0 && age(entry, now) < window;
        let older = self.older.drain(..).flat_map(|(sets, _)| sets).flatten();
        self.forgotten += older.filter(|entry| is_young(*entry)).count() as u64;
        let mut young = 0;
        for entry in self.sets.iter_mut().flatten().filter(|entry| **entry != 0) {
            match is_young(*entry) {
                true => young += 1,
                false => *entry = 0,
            }
        }
        // After a rush its room goes back; the few that came just now may count twice.
        if self.sets.len() > SETS_MIN && young < self.sets.len() / GROWTH {
            self.sets = vec![[0; WAYS]; SETS_MIN];
            self.forgotten += young as u64;
        }
    }
}

fn number(hash: u64, sets: usize) -> usize {
    (hash >> (64 - TIME_BITS)) as usize & (sets - 1)
}

/// The bits that do not choose the set; never 0, so that no entry is.
fn tag(hash: u64) -> u64 {
    (hash << TIME_BITS >> TIME_BITS).max(1)
}

fn entry_of(tag: u64, now: i64) -> u64 {
    tag << TIME_BITS | now as u64 & ((1 << TIME_BITS) - 1)
}

/// Ticks from `entry` to `now`, or back if the clock was set back.
fn age(entry: u64, now: i64) -> i64 {
    let since = (now as u64).wrapping_sub(entry) << (64 - TIME_BITS);
    (since as i64 >> (64 - TIME_BITS)).abs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    const NOON: i64 = 1_795_254_780_000;

    /// Evenly spread, as hashes are.
    fn hash(n: u64) -> u64 {
        let mixed = (n ^ n >> 31).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed ^ mixed >> 32
    }

    #[test]
    fn it_grows_without_forgetting_and_stays_within_its_bound() {
        let mut recent = Recent::new(10_000, 1 << 20);
        for n in 0..30_000u64 {
            assert!(!recent.meet(hash(n), NOON), "{n}");
        }
        assert!(recent.room() > SETS_MIN * WAYS);
        assert!((0..30_000).all(|n| recent.meet(hash(n), NOON + 9_999)));
        // Far more than there is room for.
        let mut recent = Recent::new(10_000, 1 << 14);
        assert!((0..100_000u64).all(|n| !recent.meet(hash(n), NOON)));
        assert_eq!(recent.room(), 1 << 14);
        let known = (98_000..100_000u64)
            .rev()
            .filter(|n| recent.meet(hash(*n), NOON))
            .count();
        assert!((1_000..2_000).contains(&known), "{known}");
    }

    #[test]
    fn what_is_old_makes_room_and_a_pause_forgets_all() {
        let mut recent = Recent::new(1_000, 1 << 22);
        for n in 0..100_000i64 {
            assert!(!recent.meet(hash(n as u64), NOON + n * 10));
        }
        assert_eq!(recent.room(), SETS_MIN * WAYS);
        let last = NOON + 99_999 * 10;
        assert!(recent.meet(hash(99_999), last + 999));
        // A round of the times in there, less a moment: half a day and more.
        for pause in [ROUND, 2 * ROUND - 5, 2 * ROUND, 2 * ROUND + 5, 4 * ROUND] {
            let mut recent = Recent::new(1_000, 1 << 22);
            assert!(!recent.meet(7, NOON));
            assert!(!recent.meet(7, NOON + pause), "{pause}");
        }
    }

    #[test]
    fn the_room_of_a_rush_goes_back() {
        let mut recent = Recent::new(1_000, 1 << 22);
        (0..50_000u64).for_each(|n| {
            recent.meet(hash(n), NOON);
        });
        assert!(recent.room() > SETS_MIN * WAYS);
        recent.meet(1, NOON + ROUND);
        assert_eq!(recent.room(), SETS_MIN * WAYS);
    }

    #[test]
    fn a_window_of_a_day_has_longer_ticks() {
        let day = 24 * 60 * 60 * 1000;
        let mut recent = Recent::new(day, 1 << 17);
        assert!(!recent.meet(7, NOON));
        assert!(recent.meet(7, NOON + day - 100));
        assert!(!recent.meet(7, NOON + day + 100));
    }

    proptest! {
        #[test]
        fn it_answers_as_a_map_does(steps in proptest::collection::vec((0u64..60, -50i64..400), 1..400)) {
            let (mut recent, mut map, mut now) = (Recent::new(1_000, 1 << 14), HashMap::new(), NOON);
            for (key, ms) in steps {
                now += ms;
                let expected = map.get(&key).is_some_and(|last: &i64| (now - last).abs() < 1_000);
                if !expected {
                    map.insert(key, now);
                }
                prop_assert_eq!(recent.meet(hash(key), now), expected);
            }
        }
    }
}
