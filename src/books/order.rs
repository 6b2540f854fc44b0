//! Orders, one row each with its lines and the evidence of who brought it. Whatever was told last by the caller stays;
//! which delivery is newer, and who is credited, was decided before.

use std::collections::HashSet;

use super::columns::{Columns, Json};
use super::error::Error;
use super::experiment;
use super::filter::Filter;
use super::page::{Listing, Page};
use super::view::{Tx, View};
use crate::domain::attribution::{ClickEvidence, Evidence};
use crate::domain::id::{StoreNo, WorkspaceNo};
use crate::domain::order::{Order, OrderLine, OrderSnapshot, Quarantine, counts};
use crate::domain::time::Timestamp;

/// Numbers of orders of the whole server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OrderCounts {
    /// All of them.
    pub orders: u64,
    /// Kept out of the numbers as odd.
    pub quarantined: u64,
    /// Marked as tests by the shop.
    pub tests: u64,
}

const COLUMNS: &str = "no, workspace, store, external_id, name, ordered_at, updated_at, currency, revenue, discounts, \
                       is_test, is_paid, cancelled_at, customer, codes, click_id, quarantine, creator, link, evidence";

/// An order as its row says it, without its lines, and the row's number.
fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<(i64, Order, Evidence)> {
    let mut columns = Columns::of(row);
    let no = columns.next()?;
    let (workspace, store) = (columns.next()?, columns.next()?);
    let snapshot = OrderSnapshot {
        external_id: columns.next()?,
        name: columns.next()?,
        ordered_at: columns.next()?,
        updated_at: columns.next()?,
        currency: columns.next()?,
        revenue: columns.next()?,
        discounts: columns.next()?,
        is_test: columns.next()?,
        is_paid: columns.next()?,
        cancelled_at: columns.next()?,
        customer: columns.next()?,
        codes: columns.next::<Json<_>>()?.0,
        click_id: columns.next()?,
        lines: Vec::new(),
    };
    let quarantine = match columns.next::<Option<String>>()? {
        // A reason that this version does not know must not bring the order back into the numbers.
        Some(word) => Some(Quarantine::parse(&word).ok_or(rusqlite::Error::InvalidQuery)?),
        None => None,
    };
    let order = Order {
        workspace,
        store,
        snapshot,
        quarantine,
        creator: columns.next()?,
        link: columns.next()?,
    };
    Ok((no, order, columns.next::<Json<_>>()?.0))
}

/// The store's order that the shop calls `external_id`, with its evidence.
///
/// # Errors
/// [`Error::Failed`].
pub fn load(view: &View<'_>, store: StoreNo, external_id: &str) -> Result<Option<(Order, Evidence)>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM orders WHERE store = ? AND external_id = ?");
    view.first(&sql, (store, external_id), read)?
        .map(|row| with_lines(view, row))
        .transpose()
}

fn with_lines(view: &View<'_>, row: (i64, Order, Evidence)) -> Result<(Order, Evidence), Error> {
    let (no, mut order, evidence) = row;
    let sql = "SELECT external_id, sku, variant_id, title, quantity, amount FROM order_lines WHERE order_no = ?
               ORDER BY place";
    order.snapshot.lines = view.all(sql, [no], |row| {
        let mut columns = Columns::of(row);
        Ok(OrderLine {
            external_id: columns.next()?,
            sku: columns.next()?,
            variant_id: columns.next()?,
            title: columns.next()?,
            quantity: columns.next()?,
            amount: columns.next()?,
        })
    })?;
    Ok((order, evidence))
}

/// Stores `order` with its lines, in the place of what was known of it; the first `received_at` stays.
///
/// # Errors
/// [`Error::Failed`].
pub fn put(tx: &Tx<'_>, order: &Order, evidence: &Evidence, received_at: Timestamp) -> Result<(), Error> {
    let snapshot = &order.snapshot;
    let params = rusqlite::params![
        order.workspace,
        order.store,
        snapshot.external_id,
        snapshot.name,
        snapshot.ordered_at,
        snapshot.updated_at,
        received_at,
        snapshot.currency,
        snapshot.revenue,
        snapshot.discounts,
        snapshot.is_test,
        snapshot.is_paid,
        snapshot.cancelled_at,
        snapshot.customer,
        Json(&snapshot.codes),
        snapshot.click_id,
        order.quarantine.map(Quarantine::as_str),
        order.creator,
        order.link,
        Json(evidence),
        counts(snapshot, order.quarantine),
    ];
    let no: Option<i64> = tx.first(
        "INSERT INTO orders (workspace, store, external_id, name, ordered_at, updated_at, received_at, currency,
         revenue, discounts, is_test, is_paid, cancelled_at, customer, codes, click_id, quarantine, creator, link,
         evidence, counts) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (store, external_id) DO UPDATE SET name = excluded.name, ordered_at = excluded.ordered_at,
         updated_at = excluded.updated_at, currency = excluded.currency, revenue = excluded.revenue,
         discounts = excluded.discounts, is_test = excluded.is_test, is_paid = excluded.is_paid,
         cancelled_at = excluded.cancelled_at, customer = excluded.customer, codes = excluded.codes,
         click_id = excluded.click_id, quarantine = excluded.quarantine, creator = excluded.creator,
         link = excluded.link, evidence = excluded.evidence, counts = excluded.counts
         RETURNING no",
        params,
        |row| row.get(0),
    )?;
    let no = no.ok_or_else(|| Error::Failed("an order was not stored".to_owned()))?;
    experiment::note(tx, no, order.workspace, evidence)?;
    put_lines(tx, no, &snapshot.lines)
}

fn put_lines(tx: &Tx<'_>, order_no: i64, lines: &[OrderLine]) -> Result<(), Error> {
    tx.run("DELETE FROM order_lines WHERE order_no = ?", [order_no])?;
    for (place, line) in (0u32..).zip(lines) {
        tx.run(
            "INSERT INTO order_lines (order_no, place, external_id, sku, variant_id, title, quantity, amount)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                order_no,
                place,
                &line.external_id,
                &line.sku,
                &line.variant_id,
                &line.title,
                line.quantity,
                line.amount,
            ),
        )?;
    }
    Ok(())
}

/// When the store's order was first heard of.
///
/// # Errors
/// [`Error::Failed`].
pub fn received_at(view: &View<'_>, store: StoreNo, external_id: &str) -> Result<Option<Timestamp>, Error> {
    view.first(
        "SELECT received_at FROM orders WHERE store = ? AND external_id = ?",
        (store, external_id),
        |row| row.get(0),
    )
}

/// Takes the journeys out of the evidence of the workspace's orders that show one of `click_ids`; who is credited stays.
/// Answers how many orders that were.
///
/// # Errors
/// [`Error::Failed`].
pub fn forget_journeys(tx: &Tx<'_>, workspace: WorkspaceNo, click_ids: &HashSet<String>) -> Result<u64, Error> {
    let shown = tx.all(
        "SELECT no, evidence FROM orders WHERE workspace = ? AND evidence LIKE '%click_id%'",
        [workspace],
        |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Json<Evidence>>(1)?.0)),
    )?;
    let mut count = 0;
    for (no, mut evidence) in shown {
        let is_theirs = |click: &&mut ClickEvidence| click_ids.contains(&click.click_id);
        if let Some(click) = evidence.click.as_mut().filter(is_theirs) {
            click.journey.clear();
            tx.run("UPDATE orders SET evidence = ? WHERE no = ?", (Json(&evidence), no))?;
            count += 1;
        }
    }
    Ok(count)
}

/// The click id that the workspace's orders called `external_id`, in whatever store, show; `None` in the place of one that
/// shows none.
///
/// # Errors
/// [`Error::Failed`].
pub fn click_ids_of(view: &View<'_>, workspace: WorkspaceNo, external_id: &str) -> Result<Vec<Option<String>>, Error> {
    let evidence = view.all(
        "SELECT evidence FROM orders WHERE workspace = ? AND external_id = ?",
        (workspace, external_id),
        |row| Ok(row.get::<_, Json<Evidence>>(0)?.0),
    )?;
    let click_ids = evidence
        .into_iter()
        .map(|evidence| evidence.click.map(|click| click.click_id));
    Ok(click_ids.collect())
}

/// One page of the workspace's orders, the latest placed first, tests and quarantined ones too. Pages after and before
/// a row take the shop's id of an order; should two stores share one, the order that came first is meant.
///
/// # Errors
/// [`Error::NotFound`] on `page` for an unknown id to go on from.
pub fn list(view: &View<'_>, workspace: WorkspaceNo, page: &Page) -> Result<Vec<(Order, Evidence)>, Error> {
    let listing = Listing {
        table: "orders",
        columns: COLUMNS,
        id: "external_id",
        sort: "ordered_at",
        is_ascending: false,
    };
    let rows = listing.page(view, Filter::of("workspace = ?", workspace.0), page, read)?;
    rows.into_iter().map(|row| with_lines(view, row)).collect()
}

/// Numbers of orders of the whole server, for operation.
///
/// # Errors
/// [`Error::Failed`].
pub fn totals(view: &View<'_>, workspace: WorkspaceNo) -> Result<OrderCounts, Error> {
    Ok(OrderCounts {
        orders: view.count("SELECT count(*) FROM orders WHERE workspace = ?1", [workspace.0])?,
        quarantined: view.count(
            "SELECT count(*) FROM orders WHERE workspace = ?1 AND quarantine IS NOT NULL",
            [workspace.0],
        )?,
        tests: view.count(
            "SELECT count(*) FROM orders WHERE workspace = ?1 AND is_test = 1",
            [workspace.0],
        )?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::books::{creator, fixture};
    use crate::domain::attribution::CodeEvidence;
    use crate::domain::id::{CreatorNo, LinkNo};

    fn line(external_id: &str, amount: i64) -> OrderLine {
        OrderLine {
            external_id: external_id.to_owned(),
            sku: Some("S".to_owned()),
            variant_id: None,
            title: "Trowel".to_owned(),
            quantity: 2,
            amount,
        }
    }

    #[test]
    fn the_last_state_stays_with_the_first_arrival() {
        fixture::in_tx(|tx| {
            let workspace = fixture::workspace(tx, "a")?;
            let store = fixture::store(tx, "x", workspace)?;
            let mia = creator::insert(tx, fixture::creator("Mia", workspace))?.no;
            assert_eq!(load(tx, store, "1001")?, None);
            let mut order = fixture::order("1001", workspace, store);
            order.snapshot.lines = vec![line("l1", 600), line("l2", 400), line("l3", 0)];
            put(tx, &order, &Evidence::default(), Timestamp(500))?;
            assert_eq!(load(tx, store, "1001")?, Some((order.clone(), Evidence::default())));

            order.snapshot = OrderSnapshot {
                updated_at: Timestamp(200),
                revenue: -5,
                discounts: 30,
                is_test: true,
                cancelled_at: Some(Timestamp(190)),
                customer: Some("c9".into()),
                codes: vec!["MIA10".into(), "x\"y".into()],
                click_id: Some("abc".into()),
                lines: vec![line("l2", 300)],
                ..order.snapshot
            };
            order.quarantine = Some(Quarantine::Negative);
            order.creator = Some(mia);
            order.link = Some(LinkNo(77));
            let evidence = Evidence {
                codes: vec![CodeEvidence {
                    code: "MIA10".into(),
                    creator: mia,
                    link: None,
                }],
                click: Some(ClickEvidence {
                    click_id: "abc".into(),
                    link: LinkNo(77),
                    creator: Some(CreatorNo(3)),
                    clicked_at_ms: 90,
                    variant: 0,
                    journey: vec![(LinkNo(1), 5)],
                }),
            };
            put(tx, &order, &evidence, Timestamp(900))?;
            assert_eq!(load(tx, store, "1001")?, Some((order, evidence)));
            assert_eq!(received_at(tx, store, "1001")?, Some(Timestamp(500)));
            assert_eq!(
                totals(tx, WorkspaceNo(1))?,
                OrderCounts {
                    orders: 1,
                    quarantined: 1,
                    tests: 1
                }
            );
            Ok(())
        });
    }

    #[test]
    fn a_forgotten_journey_leaves_the_credit() {
        fixture::in_tx(|tx| {
            let (ours, theirs) = (fixture::workspace(tx, "a")?, fixture::workspace(tx, "b")?);
            let evidence = |click_id: &str| Evidence {
                codes: Vec::new(),
                click: Some(ClickEvidence {
                    click_id: click_id.into(),
                    link: LinkNo(77),
                    creator: Some(CreatorNo(3)),
                    clicked_at_ms: 90,
                    variant: 0,
                    journey: vec![(LinkNo(1), 5)],
                }),
            };
            let stores = [fixture::store(tx, "x", ours)?, fixture::store(tx, "y", theirs)?];
            for (id, workspace, store, click_id) in [
                ("1", ours, stores[0], "erased"),
                ("2", ours, stores[0], "kept"),
                ("3", theirs, stores[1], "erased"),
            ] {
                put(
                    tx,
                    &fixture::order(id, workspace, store),
                    &evidence(click_id),
                    Timestamp(1),
                )?;
            }
            put(
                tx,
                &fixture::order("4", ours, stores[0]),
                &Evidence::default(),
                Timestamp(1),
            )?;
            assert_eq!(forget_journeys(tx, ours, &HashSet::from(["erased".to_owned()]))?, 1);
            for (store, id, touches) in [(stores[0], "1", 0), (stores[0], "2", 1), (stores[1], "3", 1)] {
                let click = load(tx, store, id)?
                    .and_then(|(_, evidence)| evidence.click)
                    .expect("a click");
                assert_eq!(
                    (click.journey.len(), click.creator),
                    (touches, Some(CreatorNo(3))),
                    "{id}"
                );
            }
            assert_eq!(click_ids_of(tx, ours, "1")?, [Some("erased".to_owned())]);
            assert_eq!(click_ids_of(tx, ours, "4")?, [None]);
            assert_eq!(click_ids_of(tx, ours, "3")?, [], "another brand's");
            Ok(())
        });
    }

    #[test]
    fn lists_show_the_latest_first() {
        fixture::in_tx(|tx| {
            let (ours, theirs) = (fixture::workspace(tx, "a")?, fixture::workspace(tx, "b")?);
            let (our_store, their_store) = (fixture::store(tx, "x", ours)?, fixture::store(tx, "y", theirs)?);
            for (id, ordered_at) in [("1", 10), ("2", 30), ("3", 20)] {
                let mut order = fixture::order(id, ours, our_store);
                order.snapshot.ordered_at = Timestamp(ordered_at);
                order.snapshot.lines = vec![line(id, 1)];
                put(tx, &order, &Evidence::default(), Timestamp(1))?;
            }
            put(
                tx,
                &fixture::order("9", theirs, their_store),
                &Evidence::default(),
                Timestamp(1),
            )?;
            for (page, expected) in [
                (Page::Number { number: 1, size: 2 }, "2 3"),
                (
                    Page::After {
                        id: "3".into(),
                        size: 9,
                    },
                    "1",
                ),
                (
                    Page::Before {
                        id: "1".into(),
                        size: 1,
                    },
                    "3",
                ),
            ] {
                let found = list(tx, ours, &page)?;
                let ids: Vec<&str> = found.iter().map(|row| row.0.snapshot.external_id.as_str()).collect();
                assert_eq!(ids.join(" "), expected);
                assert!(found.iter().all(|row| row.0.snapshot.lines.len() == 1));
            }
            Ok(())
        });
    }
}
