//! When one click id was returned by more orders than one person's: a signature stops forging, not sharing.
//!
//! Such orders are credited and flagged: a cart's URL that was passed on in a chat is how some creators sell.

/// Different customers on one click id from which on it is shared: a household is not.
pub const CUSTOMERS_MAX: u64 = 3;
/// Orders on one click id from which on it is shared, whoever the customers are.
pub const ORDERS_MAX: u64 = 5;

/// How often one click id came back on counted orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ClickUse {
    pub orders: u64,
    /// Different customers among them.
    pub customers: u64,
    /// Whether the order's own customer came back on it before.
    pub is_repeat: bool,
}

impl ClickUse {
    /// Whether the click id goes from hand to hand.
    pub fn is_shared(self) -> bool {
        self.customers > CUSTOMERS_MAX || self.orders > ORDERS_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_household_shares_nothing() {
        for (orders, customers, expected) in [(3, 3, false), (4, 4, true), (5, 1, false), (6, 1, true)] {
            let uses = ClickUse {
                orders,
                customers,
                is_repeat: false,
            };
            assert_eq!(uses.is_shared(), expected, "{orders} {customers}");
        }
    }
}
