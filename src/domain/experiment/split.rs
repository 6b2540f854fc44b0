//! Which variant a visitor gets: a hash of the visitor under a key that the link and its variants' age make.
//!
//! The same on every server and after every start, and without memory: a visitor keeps his variant as long as his
//! number, whatever else of the link is changed. Changed variants make another key, so everybody is drawn anew.

use super::{Experiment, VARIANTS_MAX};
use crate::domain::id::LinkNo;

const CONTEXT: &str = "hopcart 2026 which variant a visitor gets";

/// Splits visitors up by percentages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Split {
    keys: [u64; 2],
    /// The percentages up to and with each variant; 100 from the last one on.
    ends: [u8; VARIANTS_MAX],
}

impl Split {
    /// The split of `link`'s visitors.
    pub fn new(link: LinkNo, experiment: &Experiment) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
        hasher.update(&link.0.to_le_bytes());
        hasher.update(&experiment.changed_at.0.to_le_bytes());
        let digest = hasher.finalize();
        let half = |from: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&digest.as_bytes()[from..from + 8]);
            u64::from_le_bytes(bytes)
        };
        let mut ends = [100; VARIANTS_MAX];
        let mut sum = 0u8;
        for (end, variant) in ends.iter_mut().zip(&experiment.variants) {
            sum = sum.saturating_add(variant.percentage);
            *end = sum.min(100);
        }
        Self {
            keys: [half(0), half(8)],
            ends,
        }
    }

    /// The number of the variant, from 1, that `visitor` gets. Visitors' numbers are random or hashes.
    pub fn variant_of(&self, visitor: u64) -> u8 {
        let hash = mix(mix(visitor ^ self.keys[0]) ^ self.keys[1]);
        // The high half of the product lies evenly in 0..100.
        let point = (u128::from(hash) * 100) >> 64;
        1 + self.ends.iter().filter(|end| u128::from(**end) <= point).count() as u8
    }
}

/// A permutation of 64 bits in which every bit of the input moves every bit of the output: the finaliser of SplitMix64
/// (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::super::Variant;
    use super::*;
    use crate::domain::time::Timestamp;
    use proptest::prelude::*;

    fn split(link: u32, changed_at: i64, percentages: &[u8]) -> Split {
        let variant = |percentage: &u8| Variant {
            name: None,
            percentage: *percentage,
            destination: String::new(),
            cart: None,
            utm: Default::default(),
            is_own_cart: false,
        };
        let experiment = Experiment {
            variants: percentages.iter().map(variant).collect(),
            started_at: Timestamp(0),
            completed_at: None,
            changed_at: Timestamp(changed_at),
        };
        Split::new(LinkNo(link), &experiment)
    }

    /// Two to eight percentages that add up to 100.
    fn percentages() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::btree_set(1u8..100, 1..VARIANTS_MAX).prop_map(|cuts| {
            let ends: Vec<u8> = cuts.into_iter().chain([100]).collect();
            let starts = std::iter::once(0).chain(ends.iter().copied());
            ends.iter().zip(starts).map(|(end, start)| end - start).collect()
        })
    }

    proptest! {
        #[test]
        fn a_visitor_keeps_his_variant(link: u32, at: i64, percentages in percentages(), visitor: u64) {
            let variant = split(link, at, &percentages).variant_of(visitor);
            prop_assert!((1..=percentages.len()).contains(&usize::from(variant)));
            prop_assert_eq!(split(link, at, &percentages).variant_of(visitor), variant, "after a restart, elsewhere");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        /// Numbers in a row are the worst that a hash can get: visitors' are random.
        #[test]
        fn a_hundred_thousand_visitors_are_split_as_the_percentages_say(link: u32, at: i64, percentages in percentages(), first: u64) {
            const VISITORS: u64 = 100_000;
            let split = split(link, at, &percentages);
            let mut counts = vec![0u64; percentages.len()];
            for visitor in 0..VISITORS {
                counts[usize::from(split.variant_of(first.wrapping_add(visitor))) - 1] += 1;
            }
            for (count, percentage) in counts.iter().zip(&percentages) {
                let share = f64::from(*percentage) / 100.0;
                let (expected, deviation) = (share * VISITORS as f64, (VISITORS as f64 * share * (1.0 - share)).sqrt());
                prop_assert!((*count as f64 - expected).abs() < 5.0 * deviation, "{counts:?} of {percentages:?}");
            }
        }

        #[test]
        fn changed_variants_and_other_links_draw_anew(link: u32, at in 0i64..1 << 40) {
            let halves = [50, 50];
            let before = split(link, at, &halves);
            for after in [split(link, at + 1, &halves), split(link.wrapping_add(1), at, &halves)] {
                let moved = (0..10_000u64).filter(|visitor| before.variant_of(*visitor) != after.variant_of(*visitor));
                let moved = moved.count();
                prop_assert!((4_700..5_300).contains(&moved), "half of them, and not {moved}");
            }
        }
    }
}
