//! Repeatable chance for what happens below the log, where no strategy reaches. (SplitMix64.)

/// A stream of numbers that its seed determines.
#[derive(Debug, Clone)]
pub(super) struct Chance(pub(super) u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not 0.
    pub(super) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// One time in `n`.
    pub(super) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// Which pieces of something reach the disk before the power goes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reach {
    Nothing,
    /// Everything before this part of 256.
    Front(usize),
    /// Each piece with a chance of one half.
    Some,
    Everything,
}

impl Reach {
    pub(super) fn draw(chance: &mut Chance) -> Self {
        match chance.below(4) {
            0 => Self::Nothing,
            1 => Self::Front(chance.below(256)),
            2 => Self::Some,
            _ => Self::Everything,
        }
    }

    /// Whether piece number `piece` of `pieces` does.
    pub(super) fn has(self, piece: usize, pieces: usize, chance: &mut Chance) -> bool {
        match self {
            Self::Nothing => false,
            Self::Front(part) => piece * 256 < pieces * part,
            Self::Some => chance.one_in(2),
            Self::Everything => true,
        }
    }
}
