//! How a model shares an order out among its touches: whole numbers as weights, and parts that add up exactly.
//!
//! | model | weights, oldest touch first |
//! |---|---|
//! | last | all to the last touch |
//! | first | all to the first; to the code's creator where a code decided |
//! | linear | the same to each |
//! | time decay | half as much for every [`HALF_LIFE_DAYS`] days before the last touch |
//! | position | 40 % first, 40 % last, 20 % among those between; two touches halve it |
//!
//! With multi-touch models (linear, time decay, position) a code that decided counts as the last touch, see
//! [`super::journey`]; with `last` and `first` it takes all, also where it is one touch with the click that it confirms.

use super::journey::Touch;
use crate::domain::time::DAY_MS;

/// Days after which a touch counts half.
pub const HALF_LIFE_DAYS: i64 = 7;

/// `2^40 × 2^(−d/7)` for d = 0 to 6 whole days, rounded to the nearest: the weight of a touch d days before the last one.
/// Each further 7 days halve it, so that one of 281 days before weighs nothing.
const DECAY: [u64; HALF_LIFE_DAYS as usize] = [
    1_099_511_627_776,
    995_853_700_410,
    901_968_262_606,
    816_933_999_857,
    739_916_455_813,
    670_159_843_608,
    606_979_629_195,
];

/// How credit is shared out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Model {
    #[default]
    Last,
    First,
    Linear,
    TimeDecay,
    Position,
}

impl Model {
    /// Every model.
    pub const ALL: [Self; 5] = [Self::Last, Self::First, Self::Linear, Self::TimeDecay, Self::Position];

    /// The word in the books and in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Last => "last",
            Self::First => "first",
            Self::Linear => "linear",
            Self::TimeDecay => "time_decay",
            Self::Position => "position",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|model| model.as_str() == word)
    }

    /// Whether each order is one creator's as a whole.
    pub fn is_whole(self) -> bool {
        matches!(self, Self::Last | Self::First)
    }
}

/// The weight of each touch; those that do not count have 0. All are 0 when none counts: the order is nobody's.
pub fn weights(model: Model, touches: &[Touch]) -> Vec<u64> {
    let places: Vec<usize> = (0..touches.len()).filter(|place| touches[*place].counts).collect();
    let mut weights = vec![0; touches.len()];
    let (Some(first), Some(last)) = (places.first(), places.last()) else {
        return weights;
    };
    let between = places.len().saturating_sub(2) as u64;
    let is_decided_by_code = touches[*last].is_decided_by_code;
    for place in &places {
        let is_end = place == first || place == last;
        weights[*place] = match model {
            Model::Last => u64::from(place == last),
            Model::First if is_decided_by_code => u64::from(place == last),
            Model::First => u64::from(place == first),
            Model::Linear => 1,
            Model::TimeDecay => decay(touches[*last].at.since(touches[*place].at)),
            // 40 to 20 / between, in whole numbers.
            Model::Position if is_end && between > 0 => 2 * between,
            Model::Position => 1,
        };
    }
    weights
}

/// The weight of a touch `age_ms` before the last one.
fn decay(age_ms: i64) -> u64 {
    let days = age_ms.max(0) / DAY_MS;
    let halvings = u32::try_from(days / HALF_LIFE_DAYS).unwrap_or(u32::MAX);
    DECAY[(days % HALF_LIFE_DAYS) as usize]
        .checked_shr(halvings)
        .unwrap_or(0)
}

/// Shares `amount` (not negative) out by `weights`: parts that add up to it exactly, by the method of the largest
/// remainder, of equal remainders the earlier first. `None` when all weights are 0.
pub fn share(amount: i64, weights: &[u64]) -> Option<Vec<i64>> {
    let whole: u128 = weights.iter().copied().map(u128::from).sum();
    if whole == 0 {
        return None;
    }
    let amount = u128::from(amount.max(0).unsigned_abs());
    // Below 2^63 × 2^64, which fits.
    let exact = weights.iter().map(|weight| amount * u128::from(*weight));
    let mut parts: Vec<u128> = exact.clone().map(|exact| exact / whole).collect();
    let mut by_remainder: Vec<(u128, usize)> = exact.enumerate().map(|(place, exact)| (exact % whole, place)).collect();
    by_remainder.sort_by_key(|(remainder, place)| (std::cmp::Reverse(*remainder), *place));
    let left = amount - parts.iter().sum::<u128>();
    // Fewer are left than there are remainders above 0.
    for (_, place) in by_remainder.iter().take(usize::try_from(left).unwrap_or(0)) {
        parts[*place] += 1;
    }
    // No part is larger than the amount, which came from an i64.
    Some(
        parts
            .into_iter()
            .map(|part| i64::try_from(part).unwrap_or(i64::MAX))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::super::journey::TouchKind;
    use super::*;
    use crate::domain::id::{CreatorNo, LinkNo};
    use crate::domain::time::Timestamp;
    use proptest::prelude::*;

    fn touch(days: i64, kind: TouchKind, counts: bool) -> Touch {
        Touch {
            kind,
            link: Some(LinkNo(1)),
            creator: Some(CreatorNo(1)),
            at: Timestamp(days * DAY_MS),
            counts,
            is_buyers_own: false,
            is_decided_by_code: kind == TouchKind::Code,
        }
    }

    fn follows(days: &[i64]) -> Vec<Touch> {
        days.iter().map(|day| touch(*day, TouchKind::Follow, true)).collect()
    }

    #[test]
    fn models_weigh_touches_as_they_say() {
        use Model as M;
        for (model, days, expected) in [
            (M::Last, vec![1, 2, 3], vec![0, 0, 100]),
            (M::First, vec![1, 2, 3], vec![100, 0, 0]),
            (M::Linear, vec![1, 2, 3], vec![34, 33, 33]),
            (M::Position, vec![1], vec![100]),
            (M::Position, vec![1, 2], vec![50, 50]),
            (M::Position, vec![1, 2, 3], vec![40, 20, 40]),
            (M::Position, vec![1, 2, 3, 4], vec![40, 10, 10, 40]),
            (M::TimeDecay, vec![1, 8, 15], vec![14, 29, 57]),
            (M::TimeDecay, vec![1, 400], vec![0, 100]),
            (M::TimeDecay, vec![3, 3], vec![50, 50]),
        ] {
            let weights = weights(model, &follows(&days));
            assert_eq!(share(100, &weights), Some(expected), "{model:?} {days:?}");
        }
    }

    #[test]
    fn a_code_takes_all_of_last_and_first_and_ends_the_journey_of_others() {
        let mut touches = follows(&[1, 2]);
        touches.push(touch(2, TouchKind::Code, true));
        for (model, expected) in [
            (Model::Last, vec![0, 0, 1]),
            (Model::First, vec![0, 0, 1]),
            (Model::Linear, vec![1, 1, 1]),
            (Model::Position, vec![2, 1, 2]),
        ] {
            assert_eq!(weights(model, &touches), expected, "{model:?}");
        }
    }

    #[test]
    fn touches_that_do_not_count_get_nothing() {
        let mut touches = follows(&[1, 2, 3]);
        touches[0].counts = false;
        for model in Model::ALL {
            assert_eq!(weights(model, &touches)[0], 0, "{model:?}");
        }
        assert_eq!(weights(Model::First, &touches), [0, 1, 0]);
        touches.iter_mut().for_each(|touch| touch.counts = false);
        assert_eq!(share(100, &weights(Model::Linear, &touches)), None);
        assert_eq!(share(100, &weights(Model::Last, &[])), None);
    }

    #[test]
    fn the_decay_halves_in_seven_days() {
        // (2 × 2^40 × 2^(−d/7))^7 lies around 2^287 / 2^d: checked by neighbours, without floats. What two entries
        // whose days add up to seven multiply to is half of the square, but for rounding.
        for days in 1..7 {
            let product = u128::from(DECAY[days]) * u128::from(DECAY[7 - days]);
            let expected = u128::from(DECAY[0]) * u128::from(DECAY[0]) / 2;
            assert!(product.abs_diff(expected) < 1 << 42, "{days}");
        }
        assert!(DECAY.is_sorted_by(|a, b| a > b));
        assert_eq!(decay(7 * DAY_MS), DECAY[0] / 2);
        assert_eq!(decay(8 * DAY_MS + 5), DECAY[1] / 2);
        assert_eq!((decay(-5), decay(i64::MAX)), (DECAY[0], 0));
    }

    proptest! {
        #[test]
        fn parts_always_add_up(amount in 0i64.., weights in proptest::collection::vec(any::<u64>(), 1..12)) {
            let parts = share(amount, &weights);
            prop_assert_eq!(parts.is_none(), weights.iter().all(|weight| *weight == 0));
            if let Some(parts) = parts {
                prop_assert_eq!(parts.iter().map(|part| i128::from(*part)).sum::<i128>(), i128::from(amount));
                let whole: u128 = weights.iter().copied().map(u128::from).sum();
                for (part, weight) in parts.iter().zip(&weights) {
                    let exact = u128::from(amount.unsigned_abs()) * u128::from(*weight) / whole;
                    prop_assert!(i128::from(*part) - exact as i128 <= 1 && i128::from(*part) >= exact as i128);
                    prop_assert!(*weight > 0 || *part == 0);
                }
            }
        }

        #[test]
        fn every_model_shares_out_all_of_an_order(days in proptest::collection::vec((0i64..60, any::<bool>()), 1..10), amount in 0i64..1_000_000) {
            let touches: Vec<Touch> = days.iter().map(|(day, counts)| touch(*day, TouchKind::Follow, *counts)).collect();
            for model in Model::ALL {
                let shared = share(amount, &weights(model, &touches));
                prop_assert_eq!(shared.is_some(), touches.iter().any(|touch| touch.counts));
                prop_assert!(shared.is_none_or(|parts| parts.iter().sum::<i64>() == amount));
            }
        }
    }

    #[test]
    fn words_are_read_back() {
        for model in Model::ALL {
            assert_eq!(Model::parse(model.as_str()), Some(model));
        }
        assert_eq!(Model::parse("data_driven"), None);
    }
}
