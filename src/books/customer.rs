//! Customers as a store's orders name them: which of their orders was the first, and who brought them.
//!
//! Both follow from the orders and are kept up with every change of one: orders come late, change their time or stop
//! counting. Orders of one millisecond stand in the order of their ids.

use super::columns::Columns;
use super::error::Error;
use super::lead;
use super::shared_sales;
use super::view::{Tx, View};
use crate::domain::attribution::CustomerEvidence;
use crate::domain::id::StoreNo;
use crate::domain::order::Order;
use crate::domain::time::Timestamp;

/// Nobody knows the customer, or the order does not count.
const UNKNOWN: u8 = 0;
/// The customer's first counted order in the store.
pub(super) const NEW: u8 = 1;
/// A later one.
pub(super) const RETURNING: u8 = 2;

/// How `order`, which is about to be stored, stands among its customer's.
pub(super) fn standing(view: &View<'_>, order: &Order, is_counted: bool) -> Result<u8, Error> {
    let snapshot = &order.snapshot;
    let Some(customer) = snapshot.customer.as_ref().filter(|_| is_counted) else {
        return Ok(UNKNOWN);
    };
    let earlier = view.count(
        "SELECT EXISTS (SELECT 1 FROM orders WHERE store = ?1 AND customer = ?2 AND counts = 1 AND external_id <> ?4
             AND (ordered_at, external_id) < (?3, ?4))",
        (order.store, customer, snapshot.ordered_at, &snapshot.external_id),
    )?;
    Ok(if earlier == 0 { NEW } else { RETURNING })
}

/// Makes the customer's first counted order the new one, and no other, after one of them changed.
pub(super) fn restate(tx: &Tx<'_>, store: StoreNo, customer: &str) -> Result<(), Error> {
    let first: Option<i64> = tx.first(
        "SELECT no FROM orders WHERE store = ? AND customer = ? AND counts = 1 ORDER BY ordered_at, external_id LIMIT 1",
        (store, customer),
        |row| row.get(0),
    )?;
    let mut changed: Vec<i64> = tx.all(
        "UPDATE orders SET standing = ? WHERE store = ? AND customer = ? AND standing = 1 AND no IS NOT ? RETURNING no",
        (RETURNING, store, customer, first),
        |row| row.get(0),
    )?;
    changed.extend(tx.all(
        "UPDATE orders SET standing = ? WHERE no = ? AND standing <> 1 RETURNING no",
        (NEW, first),
        |row| row.get::<_, i64>(0),
    )?);
    changed.into_iter().try_for_each(|no| shared_sales::restate(tx, no))
}

/// Who brought the customer before `before` (time and the shop's id), and not before `since`: of their latest order that
/// was somebody's by what it showed itself, and of the first lead of the customer whom a sale told with this order, the
/// later.
///
/// # Errors
/// [`Error::Failed`].
pub fn owner(
    view: &View<'_>,
    store: StoreNo,
    customer: &str,
    before: (Timestamp, &str),
    since: Timestamp,
) -> Result<Option<CustomerEvidence>, Error> {
    let by_order = owner_by_order(view, store, customer, before, since)?;
    let by_lead = lead::owner(view, store, before, since)?;
    // Of one instant the order, which says more.
    Ok(match (by_order, by_lead) {
        (Some(order), Some(lead)) if lead.ordered_at_ms > order.ordered_at_ms => Some(lead),
        (order, lead) => order.or(lead),
    })
}

fn owner_by_order(
    view: &View<'_>,
    store: StoreNo,
    customer: &str,
    before: (Timestamp, &str),
    since: Timestamp,
) -> Result<Option<CustomerEvidence>, Error> {
    view.first(
        "SELECT owner, id, ordered_at FROM orders
         WHERE store = ? AND customer = ? AND counts = 1 AND owner IS NOT NULL
             AND (ordered_at, external_id) < (?, ?) AND ordered_at >= ?
         ORDER BY ordered_at DESC, external_id DESC LIMIT 1",
        (store, customer, before.0, before.1, since),
        |row| {
            let mut columns = Columns::of(row);
            Ok(CustomerEvidence {
                creator: columns.next()?,
                order: columns.next()?,
                ordered_at_ms: columns.next()?,
                link: None,
            })
        },
    )
}

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
    use crate::books::{creator, fixture, order};
    use crate::domain::attribution::{Credit, Evidence};

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

    #[test]
    fn an_owner_is_the_latest_whom_an_order_itself_shows() {
        fixture::in_tx(|tx| {
            let workspace = fixture::workspace(tx, "a")?;
            let store = fixture::store(tx, "x", workspace)?;
            let [mia, ben] = ["Mia", "Ben"].map(|name| creator::insert(tx, fixture::creator(name, workspace)));
            let (mia, ben) = (mia?.no, ben?.no);
            let put = |id: &str, ordered_at, creator, owner, is_paid| {
                let mut told = fixture::order(id, workspace, store);
                told.snapshot.customer = Some("c".into());
                (told.snapshot.ordered_at, told.snapshot.is_paid) = (Timestamp(ordered_at), is_paid);
                told.credit = Credit {
                    creator,
                    owner,
                    ..Credit::default()
                };
                order::put(tx, &told, &Evidence::default(), Timestamp(1))
            };
            put("1", 10, Some(mia), Some(mia), true)?;
            put("2", 20, Some(mia), None, true)?;
            put("3", 30, Some(mia), Some(ben), true)?;
            put("4", 40, Some(mia), Some(mia), false)?;
            let owner = |before: i64, id: &str, since| {
                let found = owner(tx, store, "c", (Timestamp(before), id), Timestamp(since))?;
                Ok::<_, Error>(found.map(|found| (found.creator, found.ordered_at_ms)))
            };
            assert_eq!(owner(50, "9", 0)?, Some((ben, 30)), "unpaid orders make none");
            assert_eq!(owner(30, "3", 0)?, Some((mia, 10)));
            assert_eq!(owner(30, "3", 11)?, None);
            assert_eq!(owner(10, "1", 0)?, None);
            Ok(())
        });
    }
}
