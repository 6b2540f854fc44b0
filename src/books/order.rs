//! Orders, one row each with its lines and the evidence of who brought it. Whatever was told last by the caller stays;
//! which delivery is newer, and who is credited, was decided before.

use std::collections::HashSet;

use rusqlite::types::Value;

use super::columns::{Columns, Json};
use super::error::Error;
use super::experiment;
use super::filter::Filter;
use super::page::{Listing, Page};
use super::view::{Tx, View};
use super::{customer, pool_code, product, refund, shared_sales};
use crate::domain::attribution::{ClickEvidence, ClickUse, Credit, CreditState, Evidence, EvidenceKind, Ruling};
use crate::domain::discount_code::fold;
use crate::domain::id::{CreatorNo, LinkNo, StoreNo, WorkspaceNo};
use crate::domain::order::{
    Ages, Order, OrderLine, OrderSnapshot, Quarantine, REVENUE_MAX, counts, public_id, refunded,
};
use crate::domain::time::Timestamp;

/// Orders on one click id that are looked at: whether it is shared is clear long before.
const CLICK_USES_MAX: u32 = 1_000;

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
                       is_test, is_paid, cancelled_at, customer, buyer, codes, click_id, quarantine, creator, link, credit, \
                       credited_by, owner, is_split, program, ruling, id, refunded, customer_at, buyer_at, codes_at, click_at, \
                       evidence";

/// An order with everything that is kept beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderRow {
    pub(super) no: i64,
    /// Public id, `ord_` and 26 characters.
    pub id: String,
    pub order: Order,
    pub evidence: Evidence,
    /// What of the revenue is given back; minor units.
    pub refunded: i64,
}

/// Which orders of a workspace; the default is all, tests and quarantined ones too.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OrderFilter {
    pub creator: Option<CreatorNo>,
    pub store: Option<StoreNo>,
    pub link: Option<LinkNo>,
    pub credit: Option<CreditState>,
    /// Placed from the first to before the second.
    pub placed: Option<(Timestamp, Timestamp)>,
    pub is_test: Option<bool>,
    /// Whether it is kept out of the numbers as odd.
    pub is_set_aside: Option<bool>,
    /// Its public id, the shop's id, or the name that people see, with or without its `#`.
    pub called: Option<String>,
}

/// An order as its row says it, without its lines.
fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<OrderRow> {
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
        buyer: columns.next()?,
        codes: columns.next::<Json<_>>()?.0,
        click_id: columns.next()?,
        lines: Vec::new(),
    };
    // A reason that this version does not know must not bring the order back into the numbers.
    let quarantine = columns.next_parsed(Quarantine::parse)?;
    let (creator, link) = (columns.next()?, columns.next()?);
    let credit = Credit {
        state: columns
            .next_parsed(CreditState::parse)?
            .ok_or(rusqlite::Error::InvalidQuery)?,
        by: columns.next_parsed(EvidenceKind::parse)?,
        creator,
        link,
        owner: columns.next()?,
        is_split: columns.next()?,
    };
    let (program, ruling) = (columns.next()?, columns.next_parsed(Ruling::parse)?);
    let (id, refunded) = (columns.next()?, columns.next()?);
    let own = Ages::of(&snapshot);
    let mut age = |own: Timestamp| Ok::<_, rusqlite::Error>(columns.next::<Option<Timestamp>>()?.unwrap_or(own));
    let ages = Ages {
        customer: age(own.customer)?,
        buyer: age(own.buyer)?,
        codes: age(own.codes)?,
        click_id: age(own.click_id)?,
    };
    let order = Order {
        workspace,
        store,
        snapshot,
        ages,
        quarantine,
        credit,
        program,
        ruling,
    };
    Ok(OrderRow {
        no,
        id,
        order,
        refunded,
        evidence: columns.next::<Json<_>>()?.0,
    })
}

/// The store's order that the shop calls `external_id`.
///
/// # Errors
/// [`Error::Failed`].
pub fn load(view: &View<'_>, store: StoreNo, external_id: &str) -> Result<Option<OrderRow>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM orders WHERE store = ? AND external_id = ?");
    view.first(&sql, (store, external_id), read)?
        .map(|row| with_lines(view, row))
        .transpose()
}

/// The workspace's order with public id `id`.
///
/// # Errors
/// [`Error::Failed`].
pub fn by_id(view: &View<'_>, workspace: WorkspaceNo, id: &str) -> Result<Option<OrderRow>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM orders WHERE id = ? AND workspace = ?");
    view.first(&sql, (id, workspace), read)?
        .map(|row| with_lines(view, row))
        .transpose()
}

fn with_lines(view: &View<'_>, mut row: OrderRow) -> Result<OrderRow, Error> {
    let sql = "SELECT external_id, sku, variant_id, title, quantity, amount FROM order_lines WHERE order_no = ?
               ORDER BY place";
    row.order.snapshot.lines = view.all(sql, [row.no], |row| {
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
    Ok(row)
}

/// Stores `order` with its lines, in the place of what was known of it; its id and the first `received_at` stay. What is
/// given back of it and whether its customer is new follow.
///
/// # Errors
/// [`Error::Failed`].
pub fn put(tx: &Tx<'_>, order: &Order, evidence: &Evidence, received_at: Timestamp) -> Result<(), Error> {
    let (snapshot, credit) = (&order.snapshot, &order.credit);
    let is_counted = counts(snapshot, order.quarantine);
    let sql = "SELECT customer FROM orders WHERE store = ? AND external_id = ?";
    let customer_before: Option<Option<String>> =
        tx.first(sql, (order.store, &snapshot.external_id), |row| row.get(0))?;
    let refunds = refund::total(tx, order.store, &snapshot.external_id)?;
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
        credit.creator,
        credit.link,
        Json(evidence),
        is_counted,
        public_id(order.store, &snapshot.external_id),
        credit.state.as_str(),
        credit.by.map(EvidenceKind::as_str),
        credit.owner,
        credit.is_split,
        order.program,
        order.ruling.map(Ruling::as_str),
        evidence.click.as_ref().map(|click| &click.click_id),
        refunded(snapshot.revenue, refunds, snapshot.cancelled_at.is_some()),
        customer::standing(tx, order, is_counted)?,
        order.ages.customer,
        order.ages.buyer,
        order.ages.codes,
        order.ages.click_id,
        snapshot.buyer,
        code_of(tx, order, evidence)?,
        evidence.click_behind().and_then(|click| click.country.as_ref()),
        cost_of(tx, order)?,
    ];
    let no: Option<i64> = tx.first(
        "INSERT INTO orders (workspace, store, external_id, name, ordered_at, updated_at, received_at, currency,
         revenue, discounts, is_test, is_paid, cancelled_at, customer, codes, click_id, quarantine, creator, link,
         evidence, counts, id, credit, credited_by, owner, is_split, program, ruling, click, refunded, standing,
         customer_at, buyer_at, codes_at, click_at, buyer, code, country, cost)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (store, external_id) DO UPDATE SET name = excluded.name, ordered_at = excluded.ordered_at,
         updated_at = excluded.updated_at, currency = excluded.currency, revenue = excluded.revenue,
         discounts = excluded.discounts, is_test = excluded.is_test, is_paid = excluded.is_paid,
         cancelled_at = excluded.cancelled_at, customer = excluded.customer, codes = excluded.codes,
         click_id = excluded.click_id, quarantine = excluded.quarantine, creator = excluded.creator,
         link = excluded.link, evidence = excluded.evidence, counts = excluded.counts, credit = excluded.credit,
         credited_by = excluded.credited_by, owner = excluded.owner, is_split = excluded.is_split,
         program = excluded.program, ruling = excluded.ruling, click = excluded.click, refunded = excluded.refunded,
         standing = excluded.standing, customer_at = excluded.customer_at, buyer_at = excluded.buyer_at,
         codes_at = excluded.codes_at, click_at = excluded.click_at, buyer = excluded.buyer, code = excluded.code,
         country = excluded.country, cost = excluded.cost
         RETURNING no",
        params,
        |row| row.get(0),
    )?;
    let no = no.ok_or_else(|| Error::Failed("an order was not stored".to_owned()))?;
    experiment::note(tx, no, order.workspace, evidence)?;
    pool_code::note_order(tx, no, order.store, &snapshot.codes, received_at)?;
    for customer in [customer_before.flatten(), snapshot.customer.clone()]
        .into_iter()
        .flatten()
    {
        customer::restate(tx, order.store, &customer)?;
    }
    shared_sales::restate(tx, no)?;
    put_lines(tx, no, &snapshot.lines)
}

/// The first code that is a creator's, else the first, in the form in which codes are compared. A single-use code stands
/// under its pool's public id: nobody asks what one of ten thousand sold.
fn code_of(tx: &Tx<'_>, order: &Order, evidence: &Evidence) -> Result<Option<String>, Error> {
    let known = evidence.codes.first().map(|code| &code.code);
    let Some(code) = known.or(order.snapshot.codes.first()) else {
        return Ok(None);
    };
    let pool = pool_code::find(tx, order.store, code)?.map(|found| found.pool_id);
    Ok(pool.or_else(|| Some(fold(code))).filter(|code| !code.is_empty()))
}

/// What the goods of the order cost the brand, by what its products cost now; 0 once cancelled, `None` when the cost of a
/// line is not known. Products cost in the store's currency: in another one, nobody knows.
fn cost_of(tx: &Tx<'_>, order: &Order) -> Result<Option<i64>, Error> {
    let snapshot = &order.snapshot;
    let sells_in = |store| {
        tx.first("SELECT currency FROM stores WHERE no = ?", [store], |row| {
            row.get::<_, String>(0)
        })
    };
    if snapshot.lines.is_empty() {
        return Ok(None);
    }
    let mut total = 0i64;
    for line in &snapshot.lines {
        let piece = product::cost_of(tx, order.store, line.sku.as_deref(), line.variant_id.as_deref())?;
        let cost = piece.and_then(|piece| piece.checked_mul(i64::from(line.quantity)));
        let Some(sum) = cost.and_then(|cost| total.checked_add(cost)) else {
            return Ok(None);
        };
        total = sum;
    }
    let is_own = sells_in(order.store)?.is_some_and(|own| own.eq_ignore_ascii_case(&snapshot.currency));
    let cost = if snapshot.cancelled_at.is_some() { 0 } else { total };
    Ok(is_own.then_some(cost).filter(|cost| *cost <= REVENUE_MAX))
}

/// Stores who is credited with a known order by what evidence, and nothing else of it.
///
/// # Errors
/// [`Error::Failed`].
pub fn set_credit(tx: &Tx<'_>, row: &OrderRow) -> Result<(), Error> {
    let credit = &row.order.credit;
    tx.run(
        "UPDATE orders SET creator = ?, link = ?, credit = ?, credited_by = ?, owner = ?, is_split = ?, ruling = ?,
         evidence = ? WHERE no = ?",
        (
            credit.creator,
            credit.link,
            credit.state.as_str(),
            credit.by.map(EvidenceKind::as_str),
            credit.owner,
            credit.is_split,
            row.order.ruling.map(Ruling::as_str),
            Json(&row.evidence),
            row.no,
        ),
    )?;
    shared_sales::restate(tx, row.no)
}

/// What refunds of the store's order changed: what is given back of it, if it is known.
///
/// # Errors
/// [`Error::Failed`].
pub(super) fn restate_refunds(tx: &Tx<'_>, store: StoreNo, external_id: &str) -> Result<(), Error> {
    let sql = "SELECT no, revenue, cancelled_at IS NOT NULL FROM orders WHERE store = ? AND external_id = ?";
    let known = tx.first(sql, (store, external_id), |row| {
        Ok((row.get::<_, i64>(0)?, row.get(1)?, row.get(2)?))
    })?;
    let Some((no, revenue, is_cancelled)) = known else {
        return Ok(());
    };
    let refunded = refunded(revenue, refund::total(tx, store, external_id)?, is_cancelled);
    tx.run("UPDATE orders SET refunded = ? WHERE no = ?", (refunded, no))?;
    shared_sales::restate(tx, no)
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

/// Orders that the customer placed in the store after `after` (time and the shop's id) and until `until`, the earliest
/// first, without their lines; at most `size`.
///
/// # Errors
/// [`Error::Failed`].
pub fn later_of_customer(
    view: &View<'_>,
    store: StoreNo,
    customer: &str,
    after: (Timestamp, &str),
    until: Timestamp,
    size: u32,
) -> Result<Vec<OrderRow>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM orders WHERE store = ? AND customer = ? AND (ordered_at, external_id) > (?, ?)
         AND ordered_at <= ? ORDER BY ordered_at, external_id LIMIT ?"
    );
    view.all(&sql, (store, customer, after.0, after.1, until, size), read)
}

/// How often the click id that the order shows came back, on the workspace's counted orders.
///
/// # Errors
/// [`Error::Failed`].
pub fn click_use(view: &View<'_>, row: &OrderRow) -> Result<ClickUse, Error> {
    let Some(click) = &row.evidence.click else {
        return Ok(ClickUse::default());
    };
    let (order, snapshot) = (&row.order, &row.order.snapshot);
    let sql = "SELECT count(*), count(DISTINCT customer),
                   coalesce(sum(customer = ?3 AND store = ?4 AND (ordered_at, external_id) < (?5, ?6)), 0)
               FROM (SELECT * FROM orders WHERE click = ?1 AND workspace = ?2 AND counts = 1 LIMIT ?7)";
    let params = (
        &click.click_id,
        order.workspace,
        &snapshot.customer,
        order.store,
        snapshot.ordered_at,
        &snapshot.external_id,
        CLICK_USES_MAX,
    );
    let read = |row: &rusqlite::Row<'_>| {
        Ok(ClickUse {
            orders: row.get::<_, i64>(0)?.unsigned_abs(),
            customers: row.get::<_, i64>(1)?.unsigned_abs(),
            is_repeat: row.get::<_, i64>(2)? > 0,
        })
    };
    Ok(view.first(sql, params, read)?.unwrap_or_default())
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
        let handed_out = evidence
            .codes
            .iter_mut()
            .filter_map(|code| code.given_on.as_deref_mut());
        let theirs: Vec<_> = evidence.click.iter_mut().chain(handed_out).filter(is_theirs).collect();
        let has_theirs = !theirs.is_empty();
        theirs.into_iter().for_each(|click| click.journey.clear());
        if has_theirs {
            tx.run("UPDATE orders SET evidence = ? WHERE no = ?", (Json(&evidence), no))?;
            shared_sales::restate(tx, no)?;
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
        .map(|evidence| evidence.click_behind().map(|click| click.click_id.clone()));
    Ok(click_ids.collect())
}

/// One page of the workspace's orders, the latest placed first, tests and quarantined ones too.
///
/// # Errors
/// [`Error::NotFound`] on `page` for an unknown id to go on from.
pub fn list(
    view: &View<'_>,
    workspace: WorkspaceNo,
    wanted: &OrderFilter,
    page: &Page,
) -> Result<Vec<OrderRow>, Error> {
    let listing = Listing {
        table: "orders",
        columns: COLUMNS,
        id: "id",
        sort: "ordered_at",
        is_ascending: false,
    };
    let mut filter = Filter::of("workspace = ?", workspace.0);
    filter.and_some("creator = ?", wanted.creator.map(|creator| i64::from(creator.0)));
    filter.and_some("store = ?", wanted.store.map(|store| i64::from(store.0)));
    filter.and_some("link = ?", wanted.link.map(|link| i64::from(link.0)));
    // The few that are held have an index of their own, which a parameter would not find.
    match wanted.credit {
        Some(CreditState::Held) => filter.and("credit = 'held'", []),
        other => filter.and_some("credit = ?", other.map(|state| state.as_str().to_owned())),
    }
    if let Some((start, end)) = wanted.placed {
        filter.and(
            "ordered_at >= ? AND ordered_at < ?",
            [Value::Integer(start.0), Value::Integer(end.0)],
        );
    }
    // As with those that are held: the few have an index of their own.
    match wanted.is_test {
        Some(true) => filter.and("is_test = 1", []),
        Some(false) => filter.and("is_test = 0", []),
        None => {}
    }
    match wanted.is_set_aside {
        Some(true) => filter.and("quarantine IS NOT NULL", []),
        Some(false) => filter.and("quarantine IS NULL", []),
        None => {}
    }
    if let Some(called) = &wanted.called {
        // Three look-ups in indexes instead of a walk over all orders.
        let clause = "no IN (SELECT no FROM orders WHERE id = ?
             UNION SELECT no FROM orders WHERE store IN (SELECT no FROM stores WHERE workspace = ?) AND external_id = ?
             UNION SELECT no FROM orders WHERE workspace = ? AND name IN (?, '#' || ?))";
        let (text, own) = (|| Value::Text(called.clone()), || Value::Integer(workspace.0.into()));
        filter.and(clause, [text(), own(), text(), own(), text(), text()]);
    }
    let rows = listing.page(view, filter, page, read)?;
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
    use crate::domain::attribution::{CodeEvidence, CodeKind, CustomerEvidence, LeakSignal, PastTouch};

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
            let read = |tx: &Tx<'_>| {
                let row = load(tx, store, "1001")?;
                Ok::<_, Error>(row.map(|row| (row.order, row.evidence)))
            };
            assert_eq!(read(tx)?, Some((order.clone(), Evidence::default())));

            order.snapshot = OrderSnapshot {
                updated_at: Timestamp(200),
                revenue: -5,
                discounts: 30,
                is_test: true,
                cancelled_at: Some(Timestamp(190)),
                customer: Some("c9".into()),
                buyer: Some("email:00".into()),
                codes: vec!["MIA10".into(), "x\"y".into()],
                click_id: Some("abc".into()),
                lines: vec![line("l2", 300)],
                ..order.snapshot
            };
            order.quarantine = Some(Quarantine::Negative);
            order.credit = Credit {
                state: CreditState::Credited,
                by: Some(EvidenceKind::CreatorCode),
                creator: Some(mia),
                link: Some(LinkNo(77)),
                owner: Some(mia),
                is_split: true,
            };
            order.ruling = Some(Ruling::Release);
            order.ages.codes = Timestamp(7);
            let evidence = Evidence {
                codes: vec![CodeEvidence {
                    code: "MIA10".into(),
                    creator: mia,
                    link: None,
                    kind: CodeKind::SingleUse,
                    given_on: Some(Box::new(ClickEvidence {
                        click_id: "def".into(),
                        link: LinkNo(78),
                        creator: Some(mia),
                        clicked_at_ms: 80,
                        variant: 2,
                        journey: vec![],
                        is_recorded: true,
                        is_from_coupon_site: false,
                        country: Some("DE".into()),
                    })),
                    leaks: vec![LeakSignal::ClickShare],
                }],
                click: Some(ClickEvidence {
                    click_id: "abc".into(),
                    link: LinkNo(77),
                    creator: Some(CreatorNo(3)),
                    clicked_at_ms: 90,
                    variant: 0,
                    journey: vec![PastTouch {
                        link: LinkNo(1),
                        creator: Some(mia),
                        seconds: 5,
                    }],
                    is_recorded: true,
                    is_from_coupon_site: true,
                    country: None,
                }),
                customer: Some(CustomerEvidence {
                    creator: mia,
                    order: "ord_0".into(),
                    ordered_at_ms: 3,
                    link: None,
                }),
                buyers: vec![mia],
            };
            put(tx, &order, &evidence, Timestamp(900))?;
            assert_eq!(read(tx)?, Some((order, evidence)));
            let id = public_id(store, "1001");
            assert_eq!(
                by_id(tx, workspace, &id)?.map(|row| row.order.snapshot.name),
                Some("#1001".into())
            );
            assert_eq!(by_id(tx, WorkspaceNo(9), &id)?, None);
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
                click: Some(ClickEvidence {
                    click_id: click_id.into(),
                    link: LinkNo(77),
                    creator: Some(CreatorNo(3)),
                    clicked_at_ms: 90,
                    variant: 0,
                    journey: vec![PastTouch {
                        link: LinkNo(1),
                        creator: None,
                        seconds: 5,
                    }],
                    is_recorded: true,
                    is_from_coupon_site: false,
                    country: None,
                }),
                ..Evidence::default()
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
                    .and_then(|row| row.evidence.click)
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
            let id = |external: &str| public_id(our_store, external);
            for (page, expected) in [
                (Page::Number { number: 1, size: 2 }, "2 3"),
                (Page::After { id: id("3"), size: 9 }, "1"),
                (Page::Before { id: id("1"), size: 1 }, "3"),
            ] {
                let found = list(tx, ours, &OrderFilter::default(), &page)?;
                let ids: Vec<&str> = found
                    .iter()
                    .map(|row| row.order.snapshot.external_id.as_str())
                    .collect();
                assert_eq!(ids.join(" "), expected);
                assert!(found.iter().all(|row| row.order.snapshot.lines.len() == 1));
            }
            Ok(())
        });
    }

    #[test]
    fn lists_are_narrowed() {
        fixture::in_tx(|tx| {
            let ours = fixture::workspace(tx, "a")?;
            let stores = [fixture::store(tx, "x", ours)?, fixture::store(tx, "y", ours)?];
            let mia = creator::insert(tx, fixture::creator("Mia", ours))?.no;
            for (id, store, creator, state) in [
                ("1", 0, Some(mia), CreditState::Credited),
                ("2", 1, None, CreditState::Held),
                ("3", 1, None, CreditState::None),
            ] {
                let mut order = fixture::order(id, ours, stores[store]);
                order.snapshot.ordered_at = Timestamp(id.parse().expect("a number"));
                (order.credit.creator, order.credit.state) = (creator, state);
                order.credit.link = creator.map(|_| LinkNo(5));
                put(tx, &order, &Evidence::default(), Timestamp(1))?;
            }
            let all = OrderFilter::default();
            let page = Page::Number { number: 1, size: 9 };
            for (filter, expected) in [
                (
                    OrderFilter {
                        creator: Some(mia),
                        ..all.clone()
                    },
                    "1",
                ),
                (
                    OrderFilter {
                        link: Some(LinkNo(5)),
                        ..all.clone()
                    },
                    "1",
                ),
                (
                    OrderFilter {
                        store: Some(stores[1]),
                        ..all.clone()
                    },
                    "3 2",
                ),
                (
                    OrderFilter {
                        credit: Some(CreditState::Held),
                        ..all.clone()
                    },
                    "2",
                ),
                (
                    OrderFilter {
                        credit: Some(CreditState::None),
                        ..all.clone()
                    },
                    "3",
                ),
                (
                    OrderFilter {
                        placed: Some((Timestamp(2), Timestamp(3))),
                        ..all
                    },
                    "2",
                ),
            ] {
                let found = list(tx, ours, &filter, &page)?;
                let ids: Vec<&str> = found
                    .iter()
                    .map(|row| row.order.snapshot.external_id.as_str())
                    .collect();
                assert_eq!(ids.join(" "), expected, "{filter:?}");
            }
            Ok(())
        });
    }

    #[test]
    fn a_click_id_is_counted_over_counted_orders() {
        fixture::in_tx(|tx| {
            let ours = fixture::workspace(tx, "a")?;
            let store = fixture::store(tx, "x", ours)?;
            let evidence = Evidence {
                click: Some(ClickEvidence {
                    click_id: "shared".into(),
                    link: LinkNo(1),
                    creator: None,
                    clicked_at_ms: 5,
                    variant: 0,
                    journey: vec![],
                    is_recorded: true,
                    is_from_coupon_site: false,
                    country: None,
                }),
                ..Evidence::default()
            };
            for (id, customer, is_test) in [
                ("1", "c", false),
                ("2", "c", false),
                ("3", "d", false),
                ("4", "e", true),
            ] {
                let mut order = fixture::order(id, ours, store);
                (order.snapshot.customer, order.snapshot.is_test) = (Some(customer.to_owned()), is_test);
                put(tx, &order, &evidence, Timestamp(1))?;
            }
            let uses = |id| click_use(tx, &load(tx, store, id)?.expect("the order"));
            let told = |is_repeat| ClickUse {
                orders: 3,
                customers: 2,
                is_repeat,
            };
            assert_eq!(uses("1")?, told(false));
            assert_eq!(uses("2")?, told(true));
            assert_eq!(uses("3")?, told(false));
            Ok(())
        });
    }
}
