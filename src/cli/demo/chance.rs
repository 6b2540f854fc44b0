//! Repeatable chance: the same seed plays the same day at the shop. Never for anything that must be unguessable.

/// SplitMix64: small, fast and even enough for a play.
pub struct Chance(u64);

impl Chance {
    /// The play that belongs to `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 when `end` is 0. The tiny unevenness of a remainder does not show in a play.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next().checked_rem(end).unwrap_or(0)
    }

    /// Whether something happens that happens `percent` times in a hundred.
    pub fn happens(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// A place in `items`, which must not be empty.
    pub fn place_in<T>(&mut self, items: &[T]) -> usize {
        let count = u64::try_from(items.len()).unwrap_or(u64::MAX);
        usize::try_from(self.below(count)).unwrap_or(0)
    }

    /// One of `items`, which must not be empty.
    pub fn one_of<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.place_in(items)]
    }

    /// A place in `weights`, each as likely as its weight.
    pub fn weighted(&mut self, weights: &[u64]) -> usize {
        let mut left = self.below(weights.iter().sum());
        for (place, weight) in weights.iter().enumerate() {
            if left < *weight {
                return place;
            }
            left -= weight;
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_plays_the_same_day_again() {
        let draw = |seed| {
            let mut chance = Chance::new(seed);
            [chance.below(1000), chance.below(1000), chance.below(1000)]
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn weights_are_kept() {
        let mut chance = Chance::new(7);
        let mut counts = [0; 3];
        for _ in 0..10_000 {
            counts[chance.weighted(&[70, 0, 30])] += 1;
        }
        assert_eq!(counts[1], 0);
        assert!((6_700..7_300).contains(&counts[0]), "{counts:?}");
        let happened = (0..10_000).filter(|_| chance.happens(8)).count();
        assert!((700..900).contains(&happened), "{happened}");
    }
}
