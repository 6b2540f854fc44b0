//! The sums behind a row of the performance report. Integers only; ratios are made of them at the edge.

use super::attribution::share;

/// One whole order, in the thousandths in which orders and customers are counted: some models credit several creators
/// with parts of one.
pub const WHOLE: u64 = 1000;

/// What one creator, niche or other group brought.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Performance {
    pub clicks: u64,
    pub unique_visitors: u64,
    /// Taps on landing pages that led on to the shop.
    pub checkout_taps: u64,
    pub sales: Sales,
    /// What was paid for it; minor units.
    pub spend: i64,
}

/// What orders brought; amounts in minor units of one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sales {
    /// Thousandths of paid orders, also of those refunded or cancelled later.
    pub orders_milli: u64,
    /// Thousandths of orders that were their customer's first in that store.
    pub new_customers_milli: u64,
    /// Thousandths of orders of customers who had bought in that store before; of the rest nobody knows the customer.
    pub returning_customers_milli: u64,
    /// Taken off by codes and other discounts.
    pub discounts: i64,
    /// Before refunds.
    pub gross_revenue: i64,
    pub refunds: i64,
}

impl Sales {
    /// Orders, rounded to whole ones: exact where each is credited as a whole.
    pub fn orders(&self) -> u64 {
        rounded(self.orders_milli)
    }

    /// New customers, rounded to whole ones.
    pub fn new_customers(&self) -> u64 {
        rounded(self.new_customers_milli)
    }

    /// Revenue less refunds; never negative, for refunds are capped order by order, and part by part ([`Self::share_out`]).
    pub fn net_revenue(&self) -> i64 {
        self.gross_revenue - self.refunds
    }

    /// Both sums together; `None` when it does not fit.
    pub fn plus(&self, other: &Sales) -> Option<Sales> {
        Some(Sales {
            orders_milli: self.orders_milli.checked_add(other.orders_milli)?,
            new_customers_milli: self.new_customers_milli.checked_add(other.new_customers_milli)?,
            returning_customers_milli: self
                .returning_customers_milli
                .checked_add(other.returning_customers_milli)?,
            discounts: self.discounts.checked_add(other.discounts)?,
            gross_revenue: self.gross_revenue.checked_add(other.gross_revenue)?,
            refunds: self.refunds.checked_add(other.refunds)?,
        })
    }

    /// This sum without a part of it; `None` when `other` is none.
    pub fn minus(&self, other: &Sales) -> Option<Sales> {
        let less = |whole: i64, part: i64| whole.checked_sub(part).filter(|rest| *rest >= 0);
        Some(Sales {
            orders_milli: self.orders_milli.checked_sub(other.orders_milli)?,
            new_customers_milli: self.new_customers_milli.checked_sub(other.new_customers_milli)?,
            returning_customers_milli: self
                .returning_customers_milli
                .checked_sub(other.returning_customers_milli)?,
            discounts: less(self.discounts, other.discounts)?,
            gross_revenue: less(self.gross_revenue, other.gross_revenue)?,
            refunds: less(self.refunds, other.refunds)?,
        })
    }

    /// These sales, of one order, in parts by `weights` that add up to them exactly; `None` when all weights are 0.
    ///
    /// Refunds are shared out in proportion to the parts of the revenue: a part never gives back more than it got.
    pub fn share_out(&self, weights: &[u64]) -> Option<Vec<Sales>> {
        let count = |milli: u64| share(i64::try_from(milli).unwrap_or(i64::MAX), weights);
        let (orders, new) = (count(self.orders_milli)?, count(self.new_customers_milli)?);
        let returning = count(self.returning_customers_milli)?;
        let (discounts, gross) = (share(self.discounts, weights)?, share(self.gross_revenue, weights)?);
        let by_gross: Vec<u64> = gross.iter().map(|part| part.unsigned_abs()).collect();
        let refunds = share(self.refunds, &by_gross).unwrap_or_else(|| vec![0; weights.len()]);
        let part = |place: usize| Sales {
            orders_milli: orders[place].unsigned_abs(),
            new_customers_milli: new[place].unsigned_abs(),
            returning_customers_milli: returning[place].unsigned_abs(),
            discounts: discounts[place],
            gross_revenue: gross[place],
            refunds: refunds[place],
        };
        Some((0..weights.len()).map(part).collect())
    }
}

fn rounded(milli: u64) -> u64 {
    milli.saturating_add(WHOLE / 2) / WHOLE
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sums_are_checked() {
        let sales = Sales {
            orders_milli: WHOLE,
            new_customers_milli: WHOLE,
            gross_revenue: 1000,
            refunds: 300,
            ..Sales::default()
        };
        assert_eq!(sales.net_revenue(), 700);
        let both = sales.plus(&sales).expect("fits");
        assert_eq!((both.net_revenue(), both.orders(), both.new_customers()), (1400, 2, 2));
        assert_eq!(both.minus(&sales), Some(sales));
        assert_eq!(sales.minus(&both), None);
        assert_eq!(
            sales.plus(&Sales {
                gross_revenue: i64::MAX,
                ..sales
            }),
            None
        );
    }

    proptest! {
        #[test]
        fn parts_add_up_and_none_is_negative(
            gross in 0i64..10_000,
            refunded in 0i64..=100,
            weights in proptest::collection::vec(0u64..1_000, 1..9),
        ) {
            let sales = Sales {
                orders_milli: WHOLE,
                new_customers_milli: WHOLE,
                returning_customers_milli: 0,
                discounts: gross / 3,
                gross_revenue: gross,
                refunds: gross * refunded / 100,
            };
            let parts = sales.share_out(&weights);
            prop_assert_eq!(parts.is_none(), weights.iter().all(|weight| *weight == 0));
            if let Some(parts) = parts {
                let sum = parts.iter().try_fold(Sales::default(), |sum, part| sum.plus(part));
                prop_assert_eq!(sum, Some(sales));
                prop_assert!(parts.iter().all(|part| part.net_revenue() >= 0 && part.refunds >= 0));
            }
        }
    }
}
