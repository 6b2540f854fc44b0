//! A bounded memory of numbers under hashes: what it has no room for it forgets.
//!
//! Places are taken in sets of eight, the keys of a set in one cache line and their values in the next: a look-up among
//! millions waits for memory once. It grows as it fills, up to its bound. Never fails, and never says that it knows what
//! it was not told.

/// Places in a set.
const WAYS: usize = 8;
/// Sets of an empty memory: 16 KiB.
const SETS_MIN: usize = 128;
/// It becomes so many times larger: rarely, for fresh memory is dear.
const GROWTH: usize = 4;

/// Eight keys, 0 where there is none, then their values.
type Set = [u64; 2 * WAYS];

/// Values under keys that are hashes already: evenly spread over all 64 bits.
#[derive(Debug)]
pub(super) struct Memory {
    sets: Vec<Set>,
    sets_max: usize,
    /// Places that are taken.
    taken: usize,
    /// Values that had to leave for others, since it was made.
    forgotten: u64,
}

impl Memory {
    /// One that holds at most `places` values, 16 bytes each; rounded up to a power of two.
    pub(super) fn new(places: usize) -> Self {
        Self {
            sets: Self::empty(SETS_MIN),
            sets_max: (places / WAYS).next_power_of_two().max(SETS_MIN),
            taken: 0,
            forgotten: 0,
        }
    }

    fn empty(sets: usize) -> Vec<Set> {
        vec![[0; 2 * WAYS]; sets]
    }

    /// The value under `key`; if there is none, `value` is from now on.
    pub(super) fn meet(&mut self, key: u64, value: u64) -> Option<u64> {
        // 0 stands for an empty place.
        let key = key.max(1);
        let sets = self.sets.len();
        let set = &self.sets[number(key, sets)];
        if let Some(way) = way_of(set, key) {
            return Some(set[WAYS + way]);
        }
        let is_full = self.taken >= sets * WAYS / 2 || way_of(set, 0).is_none();
        if is_full && sets < self.sets_max {
            self.grow();
        }
        self.put(key, value);
        None
    }

    /// Something that lies where `key` does: who asks for many of them at once waits for memory once, not each time.
    pub(super) fn look(&self, key: u64) -> u64 {
        self.sets[number(key.max(1), self.sets.len())][0]
    }

    /// Values that had to leave for others, since it was made; those of [`Self::clear`] are none of them.
    pub(super) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Forgets everything and gives the room back.
    pub(super) fn clear(&mut self) {
        if self.taken > 0 {
            (self.sets, self.taken) = (Self::empty(SETS_MIN), 0);
        }
    }

    /// Places that there are.
    #[cfg(test)]
    pub(super) fn places(&self) -> usize {
        self.sets.len() * WAYS
    }

    /// Values in it.
    #[cfg(test)]
    pub(super) fn values(&self) -> usize {
        self.taken
    }

    fn grow(&mut self) {
        let sets = (self.sets.len() * GROWTH).min(self.sets_max);
        let old = std::mem::replace(&mut self.sets, Self::empty(sets));
        self.taken = 0;
        for set in &old {
            for way in (0..WAYS).filter(|way| set[*way] != 0) {
                self.put(set[way], set[WAYS + way]);
            }
        }
    }

    /// Puts what is not there yet, in the place of another if it must be.
    fn put(&mut self, key: u64, value: u64) {
        let sets = self.sets.len();
        let set = &mut self.sets[number(key, sets)];
        let free = way_of(set, 0);
        self.taken += usize::from(free.is_some());
        self.forgotten += u64::from(free.is_none());
        let way = free.unwrap_or(key as usize % WAYS);
        (set[way], set[WAYS + way]) = (key, value);
    }
}

fn number(key: u64, sets: usize) -> usize {
    (key >> 32) as usize & (sets - 1)
}

/// Where `key` lies. Looks at all: an early end would be guessed wrongly as often as not.
fn way_of(set: &Set, key: u64) -> Option<usize> {
    let hits = (0..WAYS).fold(0u32, |hits, way| hits | u32::from(set[way] == key) << way);
    (hits != 0).then(|| hits.trailing_zeros() as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    /// Evenly spread, as hashes are.
    fn hash(n: u64) -> u64 {
        let mixed = (n ^ n >> 31).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9)
    }

    #[test]
    fn nothing_is_forgotten_below_the_bound_and_nothing_made_up_above() {
        let mut memory = Memory::new(1 << 14);
        for n in 1..=2_000 {
            assert_eq!(memory.meet(hash(n), n), None);
        }
        for n in 1..=2_000 {
            assert_eq!(memory.meet(hash(n), 0), Some(n));
        }
        for n in 2_001..100_000 {
            assert_eq!(memory.meet(hash(n), n), None, "{n}");
        }
        assert_eq!(memory.places(), 1 << 14);
        let known = (98_000..100_000)
            .rev()
            .filter(|n| memory.meet(hash(*n), *n).is_some())
            .count();
        assert!((1_000..2_000).contains(&known), "{known}");
        memory.clear();
        assert_eq!((memory.places(), memory.meet(hash(1), 7)), (SETS_MIN * WAYS, None));
    }

    proptest! {
        #[test]
        fn it_answers_as_a_map_does(keys in proptest::collection::vec(0u64..400, 1..1500)) {
            let (mut memory, mut map) = (Memory::new(1 << 14), HashMap::new());
            for (value, key) in (1u64..).zip(keys) {
                let expected = map.get(&key).copied();
                map.entry(key).or_insert(value);
                prop_assert_eq!(memory.meet(hash(key), value), expected);
            }
        }
    }
}
