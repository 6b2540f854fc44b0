//! Refunds, each stored once whatever a shop repeats, also before its order is known.

use super::columns::Columns;
use super::error::Error;
use super::order;
use super::view::{Tx, View};
use crate::domain::id::StoreNo;
use crate::domain::order::{Refund, RefundLine};
use crate::domain::time::Timestamp;

/// Adds `refund`, worth `amount` minor units; `false` = it was known already, and its amount did not change. Of a known
/// one the earliest time stays, and the first amount, or of running totals the largest.
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
    let sql = "SELECT no, amount FROM refunds WHERE store = ? AND external_id = ?";
    let known = tx.first(sql, (store, &refund.external_id), |row| Ok((row.get(0)?, row.get(1)?)))?;
    if let Some((no, known)) = known {
        return tell_again(tx, store, refund, amount, (no, known));
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
    order::restate_refunds(tx, store, &refund.order_external_id)?;
    Ok(true)
}

/// Whether the store's refund is known.
///
/// # Errors
/// [`Error::Failed`].
pub fn is_known(view: &View<'_>, store: StoreNo, external_id: &str) -> Result<bool, Error> {
    let sql = "SELECT EXISTS (SELECT 1 FROM refunds WHERE store = ? AND external_id = ?)";
    Ok(view.count(sql, (store, external_id))? > 0)
}

fn tell_again(tx: &Tx<'_>, store: StoreNo, refund: &Refund, amount: i64, known: (i64, i64)) -> Result<bool, Error> {
    let (no, known) = known;
    tx.run("UPDATE refunds SET at = min(at, ?) WHERE no = ?", (refund.at, no))?;
    if !refund.is_running_total || amount <= known {
        return Ok(false);
    }
    let others = total(tx, store, &refund.order_external_id)?.saturating_sub(known);
    if others.checked_add(amount).is_none() {
        return Err(Error::TooLarge { what: "refunds" });
    }
    tx.run("UPDATE refunds SET amount = ? WHERE no = ?", (amount, no))?;
    // A running total has one line, which is all of it.
    tx.run("UPDATE refund_lines SET amount = ? WHERE refund_no = ?", (amount, no))?;
    // A refund told again for another order stays with its first one.
    let of = tx.first("SELECT order_external_id FROM refunds WHERE no = ?", [no], |row| {
        row.get::<_, String>(0)
    })?;
    order::restate_refunds(tx, store, &of.unwrap_or_default())?;
    Ok(true)
}

/// The refunds of the store's order, as they came: the shop's id, when, and how much in minor units.
///
/// # Errors
/// [`Error::Failed`].
pub fn of_order(
    view: &View<'_>,
    store: StoreNo,
    order_external_id: &str,
) -> Result<Vec<(String, Timestamp, i64)>, Error> {
    view.all(
        "SELECT external_id, at, amount FROM refunds WHERE store = ? AND order_external_id = ? ORDER BY no",
        (store, order_external_id),
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )
}

/// What refunds name of the lines of the store's order.
///
/// # Errors
/// [`Error::Failed`].
pub fn lines_of_order(view: &View<'_>, store: StoreNo, order_external_id: &str) -> Result<Vec<RefundLine>, Error> {
    view.all(
        "SELECT l.line_external_id, l.quantity, l.amount FROM refunds r JOIN refund_lines l ON l.refund_no = r.no
         WHERE r.store = ? AND r.order_external_id = ? ORDER BY r.no, l.place",
        (store, order_external_id),
        |row| {
            let mut columns = Columns::of(row);
            Ok(RefundLine {
                line_external_id: columns.next()?,
                quantity: columns.next()?,
                amount: columns.next()?,
            })
        },
    )
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

    fn refund(external_id: &str, order_external_id: &str) -> Refund {
        Refund {
            external_id: external_id.to_owned(),
            order_external_id: order_external_id.to_owned(),
            is_running_total: false,
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
            assert_eq!(lines_of_order(tx, ours, "o1")?.len(), 2);
            assert_eq!(
                of_order(tx, ours, "o1")?,
                [
                    ("r1".to_owned(), Timestamp(5), 300),
                    ("r2".to_owned(), Timestamp(5), 50)
                ]
            );
            assert_eq!(total(tx, ours, "o2")?, 7);
            assert_eq!(total(tx, ours, "o3")?, 0);
            assert_eq!(total(tx, theirs, "o1")?, 1);
            Ok(())
        });
    }

    #[test]
    fn the_largest_running_total_and_the_earliest_time_stay() {
        fixture::in_tx(|tx| {
            let store = fixture::store(tx, "x", fixture::workspace(tx, "a")?)?;
            let told = |at| Refund {
                at: Timestamp(at),
                is_running_total: true,
                ..refund("r1", "o1")
            };
            assert!(insert(tx, store, &told(7), 300, Timestamp(9))?);
            assert!(!insert(tx, store, &told(5), 200, Timestamp(9))?);
            assert!(insert(tx, store, &told(8), 500, Timestamp(9))?);
            assert!(!insert(tx, store, &told(8), 500, Timestamp(9))?);
            assert_eq!(total(tx, store, "o1")?, 500);
            let kept = tx.all(
                "SELECT at, (SELECT sum(amount) FROM refund_lines) FROM refunds",
                [],
                |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)),
            )?;
            assert_eq!(kept, [(5, 500)]);
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
