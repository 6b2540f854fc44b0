//! Customers as a store's orders name them: which of their orders was the first.
//!
//! Derived from the orders whenever it is asked, never kept: orders come late, change their time or stop counting, and
//! what is new must follow.

use super::error::Error;
use super::view::View;
use crate::domain::id::StoreNo;

/// Whether another counted order of the same customer in the same store came before order `o` (SQL, of `orders o`).
/// Orders of one millisecond stand in the order of their ids.
pub(super) const HAS_EARLIER_ORDER: &str = "EXISTS (SELECT 1 FROM orders e WHERE e.store = o.store
     AND e.customer = o.customer AND e.counts = 1 AND (e.ordered_at, e.external_id) < (o.ordered_at, o.external_id))";

/// The shop's id of the customer's earliest counted order in `store`.
///
/// # Errors
/// [`Error::Failed`].
pub fn first_order(view: &View<'_>, store: StoreNo, customer: &str) -> Result<Option<String>, Error> {
    view.first(
        "SELECT external_id FROM orders WHERE store = ? AND customer = ? AND counts = 1
         ORDER BY ordered_at, external_id LIMIT 1",
        (store, customer),
        |row| row.get(0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::books::{fixture, order};
    use crate::domain::attribution::Evidence;
    use crate::domain::time::Timestamp;

    #[test]
    fn the_earliest_counted_order_is_the_first() {
        fixture::in_tx(|tx| {
            let workspace = fixture::workspace(tx, "a")?;
            let (ours, theirs) = (fixture::store(tx, "x", workspace)?, fixture::store(tx, "y", workspace)?);
            let put = |id: &str, ordered_at, is_paid, is_test| {
                let mut told = fixture::order(id, workspace, ours);
                told.snapshot.customer = Some("c".into());
                told.snapshot.ordered_at = Timestamp(ordered_at);
                (told.snapshot.is_paid, told.snapshot.is_test) = (is_paid, is_test);
                order::put(tx, &told, &Evidence::default(), Timestamp(1))
            };
            let first = || first_order(tx, ours, "c");
            assert_eq!(first()?, None);
            put("3", 30, true, false)?;
            put("1", 10, false, false)?;
            assert_eq!(first()?.as_deref(), Some("3"), "unpaid orders do not count");
            put("2", 20, true, false)?;
            assert_eq!(first()?.as_deref(), Some("2"), "deliveries come in any order");
            put("1b", 20, true, false)?;
            assert_eq!(first()?.as_deref(), Some("1b"), "ids decide within a millisecond");
            put("1b", 20, true, true)?;
            put("2", 40, true, false)?;
            assert_eq!(first()?.as_deref(), Some("3"), "orders change");
            assert_eq!(first_order(tx, theirs, "c")?, None);
            Ok(())
        });
    }
}
