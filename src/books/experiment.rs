//! Which variant of a link an order came of: what its click's record said when the order was accepted. Who is credited
//! with the order is another question and changes nothing here.

use std::collections::BTreeMap;

use super::columns::Columns;
use super::error::Error;
use super::rate;
use super::sales::{Wanted, converted, one_order};
use super::view::{Tx, View};
use crate::domain::attribution::Evidence;
use crate::domain::experiment::Arm;
use crate::domain::id::{LinkNo, WorkspaceNo};
use crate::domain::performance::Sales;
use crate::domain::time::Timestamp;

/// A link's variant, by its number from 1.
pub type VariantOf = (LinkNo, u8);

/// Notes what the evidence of order number `order_no` says, in the place of what was noted before.
pub(super) fn note(tx: &Tx<'_>, order_no: i64, workspace: WorkspaceNo, evidence: &Evidence) -> Result<(), Error> {
    match evidence.click_behind().filter(|click| click.variant != 0) {
        Some(click) => tx.run(
            "INSERT INTO variant_orders (order_no, workspace, link, variant, clicked_at) VALUES (?, ?, ?, ?, ?)
             ON CONFLICT (order_no) DO UPDATE SET workspace = excluded.workspace, link = excluded.link,
             variant = excluded.variant, clicked_at = excluded.clicked_at",
            (order_no, workspace, click.link, click.variant, click.clicked_at_ms),
        )?,
        None => tx.run("DELETE FROM variant_orders WHERE order_no = ?", [order_no])?,
    };
    Ok(())
}

/// Counted orders in `currency` of clicks on `link` from `start` to before `end`, by variant: orders, revenue less
/// refunds, squares.
///
/// # Errors
/// [`Error::TooLarge`] when a sum does not fit.
pub fn arms(
    view: &View<'_>,
    workspace: WorkspaceNo,
    link: LinkNo,
    (start, end): (Timestamp, Timestamp),
    currency: &str,
) -> Result<BTreeMap<u8, Arm>, Error> {
    let sql = "SELECT v.variant, o.revenue - o.refunded FROM variant_orders v JOIN orders o ON o.no = v.order_no
         WHERE v.link = ? AND v.clicked_at >= ? AND v.clicked_at < ? AND v.workspace = ?
             AND o.counts = 1 AND o.currency = ?";
    let mut arms: BTreeMap<u8, Arm> = BTreeMap::new();
    view.each(sql, (link, start, end, workspace, currency), |row| {
        let mut columns = Columns::of(row);
        let (variant, net) = (columns.next()?, columns.next()?);
        let arm = arms.entry(variant).or_default();
        arm.add_order(net).ok_or(Error::TooLarge { what: "sales" })
    })?;
    Ok(arms)
}

/// The currencies of those orders, ISO 4217 in capitals, in the order of the alphabet.
///
/// # Errors
/// [`Error::Failed`].
pub fn currencies(view: &View<'_>, workspace: WorkspaceNo, link: LinkNo) -> Result<Vec<String>, Error> {
    view.all(
        "SELECT DISTINCT upper(o.currency) FROM variant_orders v JOIN orders o ON o.no = v.order_no
         WHERE v.link = ? AND v.workspace = ? AND o.counts = 1 ORDER BY 1",
        (link, workspace),
        |row| row.get(0),
    )
}

/// Sales by variant, whoever is credited: each order is one variant's as a whole. Orders in other currencies are
/// converted where a rate is known.
///
/// # Errors
/// [`Error::TooLarge`] when a sum does not fit.
pub fn sales(view: &View<'_>, wanted: Wanted<'_>) -> Result<BTreeMap<VariantOf, Sales>, Error> {
    let mut sums: BTreeMap<VariantOf, Sales> = BTreeMap::new();
    add_sales(&mut sums, view, wanted, |order, _| order)?;
    for (currency, exchange) in rate::of_others(view, wanted)? {
        let foreign = Wanted {
            currency: &currency,
            ..wanted
        };
        add_sales(&mut sums, view, foreign, |order, at| converted(&order, &exchange, at))?;
    }
    Ok(sums)
}

/// Adds order by order, each as `make` makes it of itself and its time.
fn add_sales(
    sums: &mut BTreeMap<VariantOf, Sales>,
    view: &View<'_>,
    wanted: Wanted<'_>,
    make: impl Fn(Sales, Timestamp) -> Sales,
) -> Result<(), Error> {
    let sql = "SELECT v.link, v.variant, o.revenue, o.discounts, o.refunded, o.standing, o.cost, o.ordered_at
         FROM variant_orders v JOIN orders o ON o.no = v.order_no
         WHERE v.workspace = ? AND o.counts = 1 AND o.currency = ? AND o.ordered_at >= ? AND o.ordered_at < ?";
    let params = (wanted.workspace, wanted.currency, wanted.start, wanted.end);
    view.each(sql, params, |row| {
        let mut columns = Columns::of(row);
        let of = (columns.next()?, columns.next()?);
        let order = one_order(&mut columns)?;
        let order = make(order, columns.next()?);
        let sum = sums.entry(of).or_default();
        *sum = sum.plus(&order).ok_or(Error::TooLarge { what: "sales" })?;
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::books::{fixture, order, refund};
    use crate::domain::attribution::ClickEvidence;
    use crate::domain::order::{Quarantine, Refund, RefundLine};

    fn evidence(link: u32, variant: u8, clicked_at_ms: i64) -> Evidence {
        Evidence {
            click: Some(ClickEvidence {
                click_id: "id".into(),
                link: LinkNo(link),
                creator: None,
                clicked_at_ms,
                variant,
                journey: vec![],
                is_recorded: true,
                is_from_coupon_site: false,
                country: None,
            }),
            ..Evidence::default()
        }
    }

    #[test]
    fn orders_are_summed_by_the_variant_of_their_click() {
        fixture::in_tx(|tx| {
            let workspace = fixture::workspace(tx, "a")?;
            let store = fixture::store(tx, "x", workspace)?;
            let all = (Timestamp(0), Timestamp(1_000));
            for (id, link, variant, at) in [
                ("1", 7, 1, 50),
                ("2", 7, 2, 50),
                ("3", 7, 2, 99),
                ("before", 7, 2, 9),
                ("after", 7, 2, 100),
                ("none", 7, 0, 50),
                ("other", 8, 1, 50),
                ("odd", 7, 1, 50),
            ] {
                let mut told = fixture::order(id, workspace, store);
                told.quarantine = (id == "odd").then_some(Quarantine::Negative);
                order::put(tx, &told, &evidence(link, variant, at), Timestamp(0))?;
            }
            let given_back = Refund {
                external_id: "r".into(),
                order_external_id: "3".into(),
                at: Timestamp(200),
                is_running_total: false,
                lines: vec![RefundLine {
                    line_external_id: "l".into(),
                    quantity: 1,
                    amount: 400,
                }],
            };
            refund::insert(tx, store, &given_back, 400, Timestamp(200))?;
            let found = arms(tx, workspace, LinkNo(7), (Timestamp(10), Timestamp(100)), "eur")?;
            let told: Vec<_> = found
                .iter()
                .map(|(of, arm)| (*of, arm.orders, arm.revenue, arm.squares))
                .collect();
            assert_eq!(told, [(1, 1, 1_000, 1_000_000), (2, 2, 1_600, 1_360_000)]);
            assert_eq!(arms(tx, workspace, LinkNo(7), all, "USD")?.len(), 0);
            assert_eq!(currencies(tx, workspace, LinkNo(7))?, ["EUR"]);
            let wanted = |workspace| Wanted {
                workspace,
                start: all.0,
                end: all.1,
                currency: "EUR",
            };
            let by_variant = sales(tx, wanted(workspace))?;
            assert_eq!(
                by_variant.keys().collect::<Vec<_>>(),
                [&(LinkNo(7), 1), &(LinkNo(7), 2), &(LinkNo(8), 1)]
            );
            assert_eq!(by_variant[&(LinkNo(7), 2)].net_revenue(), 3_600);
            let stranger = fixture::workspace(tx, "b")?;
            assert_eq!(sales(tx, wanted(stranger))?.len(), 0);

            // A later telling that shows another click moves the order.
            order::put(
                tx,
                &fixture::order("1", workspace, store),
                &evidence(7, 2, 50),
                Timestamp(0),
            )?;
            assert_eq!(
                arms(tx, workspace, LinkNo(7), all, "EUR")?.keys().collect::<Vec<_>>(),
                [&2]
            );
            Ok(())
        });
    }
}
