//! What an experiment's numbers say: rates with intervals, the chance of each variant to be the best, and whether
//! visitors are missing.
//!
//! **The model.** An order is a visitor's yes or no: with a uniform prior the conversion rate of `c` orders of `n` visitors
//! is Beta(1 + c, 1 + n − c). What an order brings is gamma-distributed with a shape that the arm's own mean and variance
//! tell (their moments) and an unknown rate, whose conjugate is a gamma distribution (D. Fink, "A Compendium of Conjugate
//! Priors", 1997); the prior weighs as one order of the mean of all variants. Revenue per visitor is the product of
//! both. With shape 1 this is the model of C. Stucchio, "Bayesian A/B Testing at VWO" (2015).
//!
//! The interval of the conversion rate is exact; what needs both distributions is drawn: [`DRAWS`] times, always with the
//! same random numbers, so that a page shows the same numbers each time it is read.

use super::sampler::Sampler;
use super::special::{beta_quantile, gamma_above};
use crate::domain::experiment::Arm;

/// Draws of the model. 20,000: a probability of 95 % is told to 0.15 % (one standard deviation), in some 30 ms.
pub const DRAWS: usize = 20_000;
/// What the random numbers begin with. Any number would do.
const SEED: u64 = 20_260_401;
/// Bounds of the shape of order values: of the least, most orders are small and few are very large; at the most, all
/// are alike to 3 %.
const SHAPES: (f64, f64) = (0.05, 1_000.0);
/// Below this chance visitors are held to be missing.
const MISMATCH_BELOW: f64 = 0.001;

/// A rate and between what it lies with a probability of 95 %.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Credible {
    pub low: f64,
    pub high: f64,
}

/// What is believed of one variant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Belief {
    /// Orders a visitor.
    pub conversion: Credible,
    /// Minor units a visitor; `None` while the variant has no order: all of it would be the prior's.
    pub per_visitor: Option<Credible>,
    /// The probability that this variant brings the most a visitor; `None` while none has brought anything.
    pub best: Option<f64>,
}

/// What is believed of `arms`, in their order.
pub fn beliefs(arms: &[Arm]) -> Vec<Belief> {
    let drawn = draw(arms);
    let belief = |(place, arm): (usize, &Arm)| {
        let (a, b) = shapes_of(arm);
        Belief {
            conversion: Credible {
                low: beta_quantile(0.025, a, b),
                high: beta_quantile(0.975, a, b),
            },
            per_visitor: drawn
                .as_ref()
                .filter(|_| arm.orders > 0)
                .map(|(_, values)| middle(&values[place])),
            best: drawn.as_ref().map(|(wins, _)| wins[place] as f64 / DRAWS as f64),
        }
    };
    arms.iter().enumerate().map(belief).collect()
}

/// Of the beta distribution. A visitor may order twice: more orders than visitors count as all.
fn shapes_of(arm: &Arm) -> (f64, f64) {
    let hits = arm.orders.min(arm.visitors);
    (1.0 + hits as f64, 1.0 + (arm.visitors - hits) as f64)
}

/// How often each arm brought the most a visitor, and what each brought, draw by draw.
fn draw(arms: &[Arm]) -> Option<(Vec<u64>, Vec<Vec<f64>>)> {
    let revenue: f64 = arms.iter().map(|arm| arm.revenue as f64).sum();
    let orders: f64 = arms.iter().map(|arm| arm.orders as f64).sum();
    if revenue <= 0.0 || orders <= 0.0 {
        return None;
    }
    let usual = revenue / orders;
    let mut sampler = Sampler::new(SEED);
    let mut wins = vec![0; arms.len()];
    let mut values = vec![Vec::with_capacity(DRAWS); arms.len()];
    for _ in 0..DRAWS {
        let mut best = (0, f64::NEG_INFINITY);
        for (place, arm) in arms.iter().enumerate() {
            let (a, b) = shapes_of(arm);
            let (yes, no) = (sampler.gamma(a), sampler.gamma(b));
            let shape = value_shape(arm);
            let total = arm.revenue.max(0) as f64 + usual;
            let value = shape * total / sampler.gamma(shape * (arm.orders as f64 + 1.0));
            let per_visitor = yes / (yes + no) * value;
            values[place].push(per_visitor);
            if per_visitor > best.1 {
                best = (place, per_visitor);
            }
        }
        wins[best.0] += 1;
    }
    Some((wins, values))
}

/// The shape of the gamma distribution with the mean and variance of the arm's orders; 1, an exponential distribution,
/// while there are not two of them.
fn value_shape(arm: &Arm) -> f64 {
    if arm.orders < 2 || arm.revenue <= 0 {
        return 1.0;
    }
    let count = arm.orders as f64;
    let mean = arm.revenue as f64 / count;
    let variance = (arm.squares as f64 / count - mean * mean).max(0.0) * count / (count - 1.0);
    // Division by 0 is the largest of shapes.
    (mean * mean / variance).clamp(SHAPES.0, SHAPES.1)
}

fn middle(values: &[f64]) -> Credible {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let at = |part: f64| sorted[(part * (sorted.len() - 1) as f64).round() as usize];
    Credible {
        low: at(0.025),
        high: at(0.975),
    }
}

/// A test of whether visitors are split as the percentages say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SplitTest {
    /// Pearson's statistic (1900).
    pub chi_square: f64,
    /// The chance of at least that much by luck alone.
    pub p_value: f64,
}

impl SplitTest {
    /// Whether luck is no explanation.
    pub fn is_mismatch(&self) -> bool {
        self.p_value < MISMATCH_BELOW
    }
}

/// Tests `visitors` against `percentages`; `None` without visitors or with only one variant.
pub fn split_test(visitors: &[u64], percentages: &[u8]) -> Option<SplitTest> {
    let all: f64 = visitors.iter().map(|count| *count as f64).sum();
    let freedom = visitors.len().checked_sub(1).filter(|freedom| *freedom > 0)?;
    if all <= 0.0 {
        return None;
    }
    let terms = visitors.iter().zip(percentages).map(|(count, percentage)| {
        let expected = all * f64::from(*percentage) / 100.0;
        (*count as f64 - expected).powi(2) / expected
    });
    let chi_square = terms.sum();
    Some(SplitTest {
        chi_square,
        p_value: gamma_above(freedom as f64 / 2.0, chi_square / 2.0),
    })
}

/// A probability in millionths.
pub fn millionths(probability: f64) -> u32 {
    (probability.clamp(0.0, 1.0) * 1e6).round() as u32
}

#[cfg(test)]
mod tests {
    use super::super::special::{beta_below, ln_gamma};
    use super::*;
    use proptest::prelude::*;

    fn arm(visitors: u64, orders: &[i64]) -> Arm {
        let mut arm = Arm {
            visitors,
            ..Arm::default()
        };
        orders.iter().for_each(|value| arm.add_order(*value).expect("fits"));
        arm
    }

    /// Orders that bring the same: then the one that converts best is the best.
    fn alike(visitors: u64, orders: usize) -> Arm {
        arm(visitors, &vec![2_000; orders])
    }

    /// The chance that the second rate is above the first, in closed form (E. Miller, "Formulas for Bayesian A/B
    /// Testing", 2015).
    fn is_above(first: (f64, f64), second: (f64, f64)) -> f64 {
        let ln_beta = |a: f64, b: f64| ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b);
        let terms = (0..second.0 as u32).map(f64::from).map(|i| {
            let ln = ln_beta(first.0 + i, first.1 + second.1) - ln_beta(1.0 + i, second.1) - ln_beta(first.0, first.1);
            ln.exp() / (second.1 + i)
        });
        terms.sum()
    }

    #[test]
    fn the_best_of_two_is_that_of_the_closed_form() {
        for (visitors, orders) in [
            ([1_000, 1_000], [100, 120]),
            ([2_000, 500], [180, 60]),
            ([300, 300], [30, 30]),
        ] {
            let arms = [alike(visitors[0], orders[0]), alike(visitors[1], orders[1])];
            let expected = is_above(shapes_of(&arms[0]), shapes_of(&arms[1]));
            let found = beliefs(&arms)[1].best.expect("orders");
            // All order values alike still leave 3 % of doubt about each: it blurs a little towards one half.
            assert!((found - expected).abs() < 0.02, "{found}, not {expected}");
        }
    }

    #[test]
    fn ten_orders_of_a_hundred_visitors() {
        // By integrating x^10 (1 − x)^90, normalised, until 2.5 % and 97.5 % are reached.
        let belief = beliefs(&[alike(100, 10), alike(100, 10)])[0];
        let (low, high) = (belief.conversion.low, belief.conversion.high);
        let steps = 1_000_000u32;
        let density = |n: u32| {
            let x = (f64::from(n) + 0.5) / f64::from(steps);
            (10.0 * x.ln() + 90.0 * (1.0 - x).ln()).exp()
        };
        let whole: f64 = (0..steps).map(density).sum();
        let below = |part: f64| {
            let mut sum = 0.0;
            let place = (0..steps).find(|n| {
                sum += density(*n);
                sum >= part * whole
            });
            f64::from(place.expect("reached")) / f64::from(steps)
        };
        assert!(
            (low - below(0.025)).abs() < 1e-5 && (high - below(0.975)).abs() < 1e-5,
            "{low} {high}"
        );
        assert!((beta_below(low, 11.0, 91.0) - 0.025).abs() < 1e-9);
        let per_visitor = belief.per_visitor.expect("orders");
        assert!(
            (per_visitor.low / 2_000.0 - low).abs() < 0.004 && (per_visitor.high / 2_000.0 - high).abs() < 0.006,
            "orders of 2,000 each: {per_visitor:?}"
        );
    }

    #[test]
    fn what_orders_bring_decides() {
        // The first converts better, the second sells for three times as much.
        let cheap = arm(2_000, &(0..200).map(|n| 1_000 + n).collect::<Vec<_>>());
        let dear = arm(2_000, &(0..150).map(|n| 3_000 + 10 * n).collect::<Vec<_>>());
        let beliefs = beliefs(&[cheap, dear]);
        assert!(beliefs[1].best > Some(0.999), "{beliefs:?}");
        let [cheap, dear] = [0, 1].map(|place: usize| beliefs[place].per_visitor.expect("orders"));
        assert!(cheap.high < dear.low, "{cheap:?} {dear:?}");
    }

    #[test]
    fn the_mean_of_exponential_orders_is_as_wide_as_its_model_says() {
        // Values spread as an exponential distribution's: the sample's shape is near 1, so the posterior of the mean is
        // that of an inverse gamma distribution, whose relative deviation is about 1/√n.
        let count = 400;
        let spread = |n: usize| {
            let part = (n as f64 + 0.5) / count as f64;
            (-(1.0 - part).ln() * 5_000.0) as i64
        };
        let orders: Vec<i64> = (0..count).map(spread).collect();
        let arm = arm(count as u64, &orders);
        assert!((value_shape(&arm) - 1.0).abs() < 0.05, "{}", value_shape(&arm));
        // Everybody bought: what is left is the doubt about the mean, 1.96 × 5 % to each side.
        let interval = beliefs(&[arm, arm])[0].per_visitor.expect("orders");
        let mean = arm.revenue as f64 / count as f64;
        assert!((interval.low / mean - 0.91).abs() < 0.02, "{}", interval.low / mean);
        assert!((interval.high / mean - 1.10).abs() < 0.02, "{}", interval.high / mean);
    }

    #[test]
    fn nothing_is_said_about_nothing() {
        let none = beliefs(&[Arm::default(); 2]);
        assert_eq!((none[0].best, none[0].per_visitor), (None, None));
        assert!(
            (none[0].conversion.low - 0.025).abs() < 1e-9,
            "anything is possible: {none:?}"
        );
        let refunded = beliefs(&[arm(10, &[0, 0]), arm(10, &[0])]);
        assert_eq!(refunded[0].best, None, "all of it was given back");
        let one_sided = beliefs(&[arm(1_000, &[]), arm(1_000, &[500; 50])]);
        assert_eq!(one_sided[0].per_visitor, None);
        // What no order has told is taken to be worth the usual, within an order of magnitude.
        assert!(one_sided[1].best > Some(0.95), "{one_sided:?}");
        let more_orders_than_visitors = beliefs(&[arm(1, &[500; 3]), arm(0, &[500])]);
        assert!(more_orders_than_visitors.iter().all(|belief| belief.best.is_some()));
    }

    #[test]
    fn missing_visitors_are_noticed() {
        for (visitors, percentages, chi_square, is_mismatch) in [
            (vec![1_000, 1_000], vec![50, 50], 0.0, false),
            (vec![1_030, 970], vec![50, 50], 1.8, false),
            (vec![1_080, 920], vec![50, 50], 12.8, true),
            (vec![900, 80, 20], vec![90, 8, 2], 0.0, false),
            (vec![900, 90, 10], vec![90, 8, 2], 6.25, false),
        ] {
            let test = split_test(&visitors, &percentages).expect("visitors");
            assert!((test.chi_square - chi_square).abs() < 1e-9, "{visitors:?}: {test:?}");
            assert_eq!(test.is_mismatch(), is_mismatch, "{visitors:?}: {test:?}");
        }
        assert_eq!(split_test(&[0, 0], &[50, 50]), None);
        assert_eq!(split_test(&[5], &[100]), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]

        #[test]
        fn beliefs_are_whole_and_always_the_same(
            arms in proptest::collection::vec((0u64..5_000, proptest::collection::vec(0i64..100_000, 0..60)), 2..=8),
        ) {
            let arms: Vec<Arm> = arms.iter().map(|(visitors, orders)| arm(*visitors, orders)).collect();
            let found = beliefs(&arms);
            prop_assert_eq!(&found, &beliefs(&arms));
            for (belief, arm) in found.iter().zip(&arms) {
                let rate = arm.orders.min(arm.visitors) as f64 / arm.visitors.max(1) as f64;
                prop_assert!(belief.conversion.low < belief.conversion.high);
                // A uniform prior pulls the ends in: the rate itself may lie just outside at 0 and 1.
                prop_assert!(belief.conversion.low <= rate + 1e-9 || rate == 0.0);
                prop_assert!(belief.per_visitor.is_none_or(|it| it.low.is_finite() && it.low <= it.high));
            }
            let chances: Vec<f64> = found.iter().filter_map(|belief| belief.best).collect();
            prop_assert!(chances.is_empty() || (chances.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        }
    }
}
