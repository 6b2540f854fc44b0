//! The sums behind a row of the performance report. Integers only; ratios are made of them at the edge.

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
    /// Paid orders, also those refunded or cancelled later.
    pub orders: u64,
    /// Orders that were their customer's first in that store.
    pub new_customers: u64,
    /// Orders of customers who had bought in that store before; of the rest nobody knows the customer.
    pub returning_customers: u64,
    /// Taken off by codes and other discounts.
    pub discounts: i64,
    /// Before refunds.
    pub gross_revenue: i64,
    pub refunds: i64,
}

impl Sales {
    /// Revenue less refunds; never negative, for refunds are capped order by order.
    pub fn net_revenue(&self) -> i64 {
        self.gross_revenue - self.refunds
    }

    /// Both sums together; `None` when it does not fit.
    pub fn plus(&self, other: &Sales) -> Option<Sales> {
        Some(Sales {
            orders: self.orders.checked_add(other.orders)?,
            new_customers: self.new_customers.checked_add(other.new_customers)?,
            returning_customers: self.returning_customers.checked_add(other.returning_customers)?,
            discounts: self.discounts.checked_add(other.discounts)?,
            gross_revenue: self.gross_revenue.checked_add(other.gross_revenue)?,
            refunds: self.refunds.checked_add(other.refunds)?,
        })
    }
}

impl Sales {
    /// These sales without `part`; `None` when it is no part of them.
    pub fn minus(&self, part: &Sales) -> Option<Sales> {
        Some(Sales {
            orders: self.orders.checked_sub(part.orders)?,
            new_customers: self.new_customers.checked_sub(part.new_customers)?,
            returning_customers: self.returning_customers.checked_sub(part.returning_customers)?,
            discounts: self.discounts.checked_sub(part.discounts)?,
            gross_revenue: self.gross_revenue.checked_sub(part.gross_revenue)?,
            refunds: self.refunds.checked_sub(part.refunds)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_checked() {
        let sales = Sales {
            orders: 1,
            new_customers: 1,
            gross_revenue: 1000,
            refunds: 300,
            ..Sales::default()
        };
        assert_eq!(sales.net_revenue(), 700);
        assert_eq!(sales.plus(&sales).map(|both| both.net_revenue()), Some(1400));
        assert_eq!(
            sales.plus(&Sales {
                gross_revenue: i64::MAX,
                ..sales
            }),
            None
        );
        let both = sales.plus(&sales).expect("fits");
        assert_eq!(both.minus(&sales), Some(sales));
        assert_eq!(sales.minus(&both), None);
    }
}
