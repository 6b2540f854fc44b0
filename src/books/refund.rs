//! Refunds, each stored once whatever a shop repeats, also before its order is known.

use super::error::Error;
use super::view::{Tx, View};
use crate::domain::id::StoreNo;
use crate::domain::order::Refund;
use crate::domain::time::Timestamp;

/// Adds `refund`, worth `amount` minor units; `false` = it was known already, and nothing changed.
///
/// # Errors
/// [`Error::TooLarge`] when the order's refunds then no longer fit one sum: stored ones can always be summed.
pub fn insert(
    tx: &Tx<'_>,
    store: StoreNo,
    refund: &Refund,
    amount: i64,
    received_at: Timestamp,
) -> Result<bool, Error> {
    let known = tx.count(
        "SELECT EXISTS (SELECT 1 FROM refunds WHERE store = ? AND external_id = ?)",
        (store, &refund.external_id),
    )?;
    if known > 0 {
        return Ok(false);
    }
    if total(tx, store, &refund.order_external_id)?
        .checked_add(amount)
        .is_none()
    {
        return Err(Error::TooLarge { what: "refunds" });
    }
    tx.run(
        "INSERT INTO refunds (store, external_id, order_external_id, at, amount, received_at) VALUES (?, ?, ?, ?, ?, ?)",
        (
            store,
            &refund.external_id,
            &refund.order_external_id,
            refund.at,
            amount,
            received_at,
        ),
    )?;
    let no = tx.last_no()?;
    for (place, line) in (0u32..).zip(&refund.lines) {
        tx.run(
            "INSERT INTO refund_lines (refund_no, place, line_external_id, quantity, amount) VALUES (?, ?, ?, ?, ?)",
            (no, place, &line.line_external_id, line.quantity, line.amount),
        )?;
    }
    Ok(true)
}

/// Sum of the refunds of the store's order, in minor units; 0 when there is none.
///
/// # Errors
/// [`Error::TooLarge`] when it does not fit.
pub fn total(view: &View<'_>, store: StoreNo, order_external_id: &str) -> Result<i64, Error> {
    let mut total = 0i64;
    view.each(
        "SELECT amount FROM refunds WHERE store = ? AND order_external_id = ?",
        (store, order_external_id),
        |row| {
            total = total
                .checked_add(row.get(0)?)
                .ok_or(Error::TooLarge { what: "refunds" })?;
            Ok(())
        },
    )?;
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::books::fixture;
    use crate::domain::order::RefundLine;

    fn refund(external_id: &str, order_external_id: &str) -> Refund {
        Refund {
            external_id: external_id.to_owned(),
            order_external_id: order_external_id.to_owned(),
            at: Timestamp(5),
            lines: vec![RefundLine {
                line_external_id: "l1".to_owned(),
                quantity: 1,
                amount: 300,
            }],
        }
    }

    #[test]
    fn a_repeated_refund_changes_nothing() {
        fixture::in_tx(|tx| {
            let workspace = fixture::workspace(tx, "a")?;
            let (ours, theirs) = (fixture::store(tx, "x", workspace)?, fixture::store(tx, "y", workspace)?);
            assert!(insert(tx, ours, &refund("r1", "o1"), 300, Timestamp(9))?);
            assert!(!insert(tx, ours, &refund("r1", "o1"), 999, Timestamp(10))?);
            assert!(insert(tx, ours, &refund("r2", "o1"), 50, Timestamp(11))?);
            assert!(insert(tx, ours, &refund("r3", "o2"), 7, Timestamp(11))?);
            assert!(insert(tx, theirs, &refund("r1", "o1"), 1, Timestamp(11))?);
            assert_eq!(total(tx, ours, "o1")?, 350);
            assert_eq!(total(tx, ours, "o2")?, 7);
            assert_eq!(total(tx, ours, "o3")?, 0);
            assert_eq!(total(tx, theirs, "o1")?, 1);
            Ok(())
        });
    }

    #[test]
    fn refunds_that_do_not_fit_are_refused() {
        fixture::in_tx(|tx| {
            let store = fixture::store(tx, "x", fixture::workspace(tx, "a")?)?;
            assert!(insert(tx, store, &refund("r1", "o1"), i64::MAX, Timestamp(9))?);
            assert_eq!(
                insert(tx, store, &refund("r2", "o1"), 1, Timestamp(9)),
                Err(Error::TooLarge { what: "refunds" })
            );
            assert_eq!(total(tx, store, "o1")?, i64::MAX);
            Ok(())
        });
    }
}
