//! Whether an experiment has a winner, and if not, why not, in words that a brand can act on.
//!
//! Whoever looks every day and stops at the first good number finds winners that are none. So nothing is named before
//! every variant has a hundred orders and a whole week has passed, and never while visitors are missing.

use super::{Experiment, Phase};
use crate::domain::time::{DAY_MS, Timestamp};

/// Orders that every variant must have before one wins.
pub const ORDERS_MIN: u64 = 100;
/// How long an experiment must run before a variant wins, in milliseconds: a whole week, for people buy otherwise on
/// Sundays.
pub const RUN_MIN_MS: i64 = 7 * DAY_MS;
/// How sure one must be that a variant is the best, in millionths.
const BEST_MIN_MILLIONTHS: u32 = 950_000;

/// What was counted of one variant. Amounts in minor units of one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Arm {
    /// Different people who got it first.
    pub visitors: u64,
    /// Follows, also of the same people.
    pub clicks: u64,
    /// Taps on its landing page that led on to the shop.
    pub checkout_taps: u64,
    pub orders: u64,
    /// What its orders brought less what was given back.
    pub revenue: i64,
    /// The sum of the squares of what each order brought.
    pub squares: u128,
}

impl Arm {
    /// Adds an order that brought `revenue`; `None` when it does not fit.
    pub fn add_order(&mut self, revenue: i64) -> Option<()> {
        let square = u128::from(revenue.unsigned_abs()).pow(2);
        self.revenue = self.revenue.checked_add(revenue)?;
        self.squares = self.squares.checked_add(square)?;
        self.orders += 1;
        Some(())
    }
}

/// What is known of the experiment as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing<'a> {
    pub arms: &'a [Arm],
    /// The probability that each is the best, in millionths; `None` = nothing to tell it by.
    pub best_millionths: &'a [Option<u32>],
    /// Whether visitors are not split as the percentages say.
    pub has_mismatch: bool,
    /// Clicks before this instant were removed by age.
    pub partial_before: Option<Timestamp>,
}

/// The winner, or every reason why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Winner {
    /// The number of a variant, from 1.
    Variant(u8),
    None(Vec<String>),
}

/// Judges `experiment` as it stands at `now`.
pub fn judge(experiment: &Experiment, standing: &Standing<'_>, now: Timestamp) -> Winner {
    let mut reasons = Vec::new();
    if experiment.phase(now) == Phase::Scheduled {
        reasons.push(format!("it begins at {}", experiment.started_at));
    }
    let run_ms = experiment.run_ms(now);
    if run_ms < RUN_MIN_MS {
        let days = run_ms / DAY_MS;
        let least = RUN_MIN_MS / DAY_MS;
        reasons.push(format!(
            "it has run for {}: at least {least} are needed",
            counted(days, "day")
        ));
    }
    for (number, arm) in (1..).zip(standing.arms) {
        if arm.orders < ORDERS_MIN {
            let orders = counted(arm.orders, "order");
            reasons.push(format!(
                "variant {number} has {orders}: each needs at least {ORDERS_MIN}"
            ));
        }
    }
    if standing.has_mismatch {
        reasons.push(
            "visitors are not split as the percentages say: something keeps those of a variant from being counted, so \
             its other numbers cannot be trusted either"
                .to_owned(),
        );
    }
    if let Some(cut) = standing.partial_before {
        reasons.push(format!("its clicks before {cut} were removed by age"));
    }
    let chances = (1..).zip(standing.best_millionths);
    let leader = chances
        .filter_map(|(number, chance)| chance.map(|chance| (number, chance)))
        .max_by_key(|(number, chance)| (*chance, std::cmp::Reverse(*number)));
    let least = BEST_MIN_MILLIONTHS / 10_000;
    match leader {
        Some((number, chance)) if chance < BEST_MIN_MILLIONTHS => reasons.push(format!(
            "variant {number} leads with a probability of {} %: at least {least} % is needed",
            chance / 10_000
        )),
        None => reasons.push("no order tells which variant is the best".to_owned()),
        Some((number, _)) if reasons.is_empty() => return Winner::Variant(number),
        Some(_) => {}
    }
    Winner::None(reasons)
}

fn counted(count: impl Into<i128>, what: &str) -> String {
    let count: i128 = count.into();
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn experiment() -> Experiment {
        Experiment {
            variants: vec![],
            started_at: Timestamp(0),
            completed_at: None,
            changed_at: Timestamp(0),
        }
    }

    const WEEK: Timestamp = Timestamp(RUN_MIN_MS);

    #[test]
    fn nobody_wins_before_all_of_it_is_there() {
        let arms = |orders: [u64; 2]| {
            orders.map(|orders| Arm {
                orders,
                ..Arm::default()
            })
        };
        let sure = [Some(50_000), Some(950_000)];
        for (orders, best, now, has_mismatch, expected) in [
            ([100, 100], sure, WEEK, false, Ok(2)),
            (
                [100, 99],
                sure,
                WEEK,
                false,
                Err("variant 2 has 99 orders: each needs at least 100"),
            ),
            (
                [1, 100],
                sure,
                WEEK,
                false,
                Err("variant 1 has 1 order: each needs at least 100"),
            ),
            (
                [100, 100],
                sure,
                WEEK.plus_ms(-1),
                false,
                Err("it has run for 6 days: at least 7 are needed"),
            ),
            (
                [100, 100],
                sure,
                WEEK,
                true,
                Err("visitors are not split as the percentages say"),
            ),
            (
                [100, 100],
                [Some(50_001), Some(949_999)],
                WEEK,
                false,
                Err("variant 2 leads with a probability of 94 %: at least 95 % is needed"),
            ),
            (
                [100, 100],
                [None, None],
                WEEK,
                false,
                Err("no order tells which variant is the best"),
            ),
        ] {
            let standing = Standing {
                arms: &arms(orders),
                best_millionths: &best,
                has_mismatch,
                partial_before: None,
            };
            match (judge(&experiment(), &standing, now), expected) {
                (Winner::Variant(number), Ok(expected)) => assert_eq!(number, expected),
                (Winner::None(reasons), Err(start)) => {
                    assert!(reasons.len() == 1 && reasons[0].starts_with(start), "{reasons:?}");
                }
                (found, expected) => panic!("{found:?} in the place of {expected:?}"),
            }
        }
    }

    #[test]
    fn every_reason_is_told() {
        let standing = Standing {
            arms: &[Arm::default(); 2],
            best_millionths: &[None, None],
            has_mismatch: true,
            partial_before: Some(Timestamp(5)),
        };
        let planned = Experiment {
            started_at: Timestamp(10),
            ..experiment()
        };
        let Winner::None(reasons) = judge(&planned, &standing, Timestamp(9)) else {
            panic!("a winner");
        };
        assert_eq!(reasons.len(), 7, "{reasons:?}");
        // An end stops the week as well.
        let stopped = Experiment {
            completed_at: Some(Timestamp(DAY_MS)),
            ..experiment()
        };
        assert_eq!(stopped.run_ms(WEEK), DAY_MS);
    }

    #[test]
    fn sums_of_orders_are_checked() {
        let mut arm = Arm::default();
        assert_eq!((arm.add_order(300), arm.add_order(-100)), (Some(()), Some(())));
        assert_eq!((arm.orders, arm.revenue, arm.squares), (2, 200, 100_000));
        assert_eq!(arm.add_order(i64::MAX), None);
    }
}
