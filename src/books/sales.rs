//! What orders brought, summed by who or what is credited.
//!
//! Orders are streamed and summed with checked arithmetic; how much of one is given back is the domain's rule. Reads
//! one snapshot and keeps nothing, so a late order or refund is in the next sum.

use std::collections::BTreeMap;

use super::columns::Columns;
use super::customer::HAS_EARLIER_ORDER;
use super::error::Error;
use super::view::View;
use crate::domain::id::{CreatorNo, LinkNo, StoreNo, WorkspaceNo};
use crate::domain::order::refunded;
use crate::domain::performance::Sales;
use crate::domain::time::Timestamp;

/// Who and what is credited with an order, and where it was placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    /// `None` = nobody.
    pub creator: Option<CreatorNo>,
    pub link: Option<LinkNo>,
    pub store: StoreNo,
}

/// The currencies of the workspace's counted orders, ISO 4217 in capitals, in the order of the alphabet.
///
/// # Errors
/// [`Error::Failed`].
pub fn currencies(view: &View<'_>, workspace: WorkspaceNo) -> Result<Vec<String>, Error> {
    // Each round of the recursion is one seek in the index, so a million orders of one currency are not visited.
    view.all(
        "WITH RECURSIVE found (currency) AS (
             SELECT min(currency) FROM orders WHERE workspace = ?1 AND counts = 1
             UNION ALL
             SELECT (SELECT min(currency) FROM orders
                     WHERE workspace = ?1 AND counts = 1 AND currency > found.currency)
             FROM found WHERE found.currency IS NOT NULL
         )
         SELECT upper(currency) FROM found WHERE currency IS NOT NULL",
        [workspace],
        |row| row.get(0),
    )
}

/// Sales by source, of orders placed from `start` to before `end` in `currency` (ISO 4217, any letter case); sources
/// without an order are left out.
///
/// # Errors
/// [`Error::TooLarge`] when a sum does not fit.
pub fn by_source(
    view: &View<'_>,
    workspace: WorkspaceNo,
    start: Timestamp,
    end: Timestamp,
    currency: &str,
) -> Result<Vec<(Source, Sales)>, Error> {
    let sql = format!(
        "SELECT o.creator, o.link, o.store, o.revenue, o.discounts, o.cancelled_at IS NOT NULL,
             (SELECT sum(r.amount) FROM refunds r WHERE r.store = o.store AND r.order_external_id = o.external_id),
             o.customer IS NOT NULL, {HAS_EARLIER_ORDER}
         FROM orders o
         WHERE o.workspace = ? AND o.counts = 1 AND o.currency = ? AND o.ordered_at >= ? AND o.ordered_at < ?"
    );
    let mut sums: BTreeMap<Source, Sales> = BTreeMap::new();
    view.each(&sql, (workspace, currency, start, end), |row| {
        let mut columns = Columns::of(row);
        let source = Source {
            creator: columns.next()?,
            link: columns.next()?,
            store: columns.next()?,
        };
        let (revenue, discounts, is_cancelled) = (columns.next()?, columns.next()?, columns.next()?);
        let refunds: Option<i64> = columns.next()?;
        let (is_known, has_earlier): (bool, bool) = (columns.next()?, columns.next()?);
        let order = Sales {
            orders: 1,
            new_customers: u64::from(is_known && !has_earlier),
            returning_customers: u64::from(is_known && has_earlier),
            discounts,
            gross_revenue: revenue,
            refunds: refunded(revenue, refunds.unwrap_or(0), is_cancelled),
        };
        let sum = sums.entry(source).or_default();
        *sum = sum.plus(&order).ok_or(Error::TooLarge { what: "sales" })?;
        Ok(())
    })?;
    Ok(sums.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::books::{creator, fixture, order, refund};
    use crate::domain::attribution::Evidence;
    use crate::domain::order::{Order, Quarantine, Refund};
    use proptest::prelude::*;

    /// What happens to an order in the model test.
    #[derive(Debug, Clone)]
    enum Event {
        /// Placed or told again: order, creator, seconds, revenue, customer, paid, test, quarantined.
        Told(u8, Option<u8>, i64, i64, Option<u8>, bool, bool, bool),
        /// Order and how much; the third says which refund it is, so that some repeat.
        Refunded(u8, i64, u8),
        Cancelled(u8),
    }

    fn event() -> impl Strategy<Value = Event> {
        let option = proptest::option::of::<std::ops::Range<u8>>;
        let told = (
            0u8..12,
            option(0..3),
            0i64..40,
            0i64..1000,
            option(0..4),
            prop::bool::weighted(0.8),
            prop::bool::weighted(0.1),
            prop::bool::weighted(0.1),
        );
        prop_oneof![
            5 => told.prop_map(|(o, c, at, revenue, customer, paid, test, odd)| {
                Event::Told(o, c, at, revenue, customer, paid, test, odd)
            }),
            3 => (0u8..14, 0i64..800, 0u8..20).prop_map(|(o, amount, id)| Event::Refunded(o, amount, id)),
            1 => (0u8..12).prop_map(Event::Cancelled),
        ]
    }

    /// The same sums, written as plainly as possible.
    fn naive(
        orders: &BTreeMap<u8, Order>,
        refunds: &BTreeMap<u8, (u8, i64)>,
        span: (i64, i64),
    ) -> Vec<(Source, Sales)> {
        let counted: Vec<(&u8, &Order)> = orders
            .iter()
            .filter(|(_, order)| order.snapshot.is_paid && !order.snapshot.is_test && order.quarantine.is_none())
            .collect();
        let mut rows: BTreeMap<Source, Sales> = BTreeMap::new();
        for (id, order) in &counted {
            let at = order.snapshot.ordered_at.0;
            if at < span.0 || at >= span.1 {
                continue;
            }
            let back: i64 = refunds
                .values()
                .filter(|(of, _)| of == *id)
                .map(|(_, amount)| amount)
                .sum();
            let first = counted
                .iter()
                .filter(|(_, other)| other.snapshot.customer == order.snapshot.customer)
                .min_by_key(|(_, other)| (other.snapshot.ordered_at, other.snapshot.external_id.clone()))
                .map(|(id, _)| *id);
            let source = Source {
                creator: order.creator,
                link: order.link,
                store: order.store,
            };
            let row = rows.entry(source).or_default();
            row.orders += 1;
            row.discounts += order.snapshot.discounts;
            row.new_customers += u64::from(order.snapshot.customer.is_some() && first == Some(*id));
            row.returning_customers += u64::from(order.snapshot.customer.is_some() && first != Some(*id));
            row.gross_revenue += order.snapshot.revenue;
            row.refunds += match order.snapshot.cancelled_at {
                Some(_) => order.snapshot.revenue,
                None => back.min(order.snapshot.revenue),
            };
        }
        rows.into_iter().collect()
    }

    fn follows_the_model(events: Vec<Event>) {
        fixture::in_tx(move |tx| {
            let workspace = fixture::workspace(tx, "a")?;
            let store = fixture::store(tx, "x", workspace)?;
            let mut creators = vec![];
            for name in ["Mia", "Ben", "Eva"] {
                creators.push(creator::insert(tx, fixture::creator(name, workspace))?.no);
            }
            let (mut orders, mut refunds) = (BTreeMap::<u8, Order>::new(), BTreeMap::new());
            for event in events {
                match event {
                    Event::Told(id, by, at, revenue, customer, is_paid, is_test, is_odd) => {
                        let mut told = fixture::order(&id.to_string(), workspace, store);
                        told.creator = by.map(|by| creators[usize::from(by)]);
                        told.quarantine = is_odd.then_some(Quarantine::Currency);
                        told.snapshot.ordered_at = Timestamp(at);
                        told.snapshot.revenue = revenue;
                        told.snapshot.customer = customer.map(|customer| customer.to_string());
                        (told.snapshot.is_paid, told.snapshot.is_test) = (is_paid, is_test);
                        order::put(tx, &told, &Evidence::default(), Timestamp(0))?;
                        orders.insert(id, told);
                    }
                    Event::Cancelled(id) => {
                        let Some(known) = orders.get_mut(&id) else { continue };
                        known.snapshot.cancelled_at = Some(Timestamp(99));
                        order::put(tx, known, &Evidence::default(), Timestamp(0))?;
                    }
                    Event::Refunded(of, amount, id) => {
                        let told = Refund {
                            external_id: id.to_string(),
                            order_external_id: of.to_string(),
                            at: Timestamp(50),
                            is_running_total: false,
                            lines: vec![],
                        };
                        let is_new = refund::insert(tx, store, &told, amount, Timestamp(0))?;
                        assert_eq!(is_new, !refunds.contains_key(&id));
                        refunds.entry(id).or_insert((of, amount));
                    }
                }
            }
            for span in [(0, 40), (10, 30), (5, 5)] {
                let found = by_source(tx, workspace, Timestamp(span.0), Timestamp(span.1), "eur")?;
                assert_eq!(found, naive(&orders, &refunds, span), "{span:?}");
            }
            Ok(())
        });
    }

    proptest! {
        // Each case opens a file.
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn sums_follow_a_naive_model(events in proptest::collection::vec(event(), 0..60)) {
            follows_the_model(events);
        }
    }

    #[test]
    fn groups_currencies_and_workspaces_stay_apart() {
        fixture::in_tx(|tx| {
            let (ours, theirs) = (fixture::workspace(tx, "a")?, fixture::workspace(tx, "b")?);
            let (our_store, their_store) = (fixture::store(tx, "x", ours)?, fixture::store(tx, "y", theirs)?);
            for (id, workspace, store, currency, link, is_test) in [
                ("1", ours, our_store, "EUR", Some(LinkNo(7)), false),
                ("2", ours, our_store, "eur", Some(LinkNo(7)), false),
                ("3", ours, our_store, "EUR", None, false),
                ("4", ours, our_store, "USD", Some(LinkNo(7)), false),
                ("5", ours, our_store, "JPY", None, true),
                ("1", theirs, their_store, "CHF", None, false),
            ] {
                let mut told = fixture::order(id, workspace, store);
                told.link = link;
                told.snapshot.currency = currency.to_owned();
                told.snapshot.is_test = is_test;
                order::put(tx, &told, &Evidence::default(), Timestamp(0))?;
            }
            let all = |currency| {
                let rows = by_source(tx, ours, Timestamp(0), Timestamp(1000), currency)?;
                Ok::<_, Error>(
                    rows.into_iter()
                        .map(|(source, sales)| (source.link, sales))
                        .collect::<Vec<_>>(),
                )
            };
            let row = |orders, gross_revenue| Sales {
                orders,
                gross_revenue,
                ..Sales::default()
            };
            assert_eq!(all("EUR")?, [(None, row(1, 1000)), (Some(LinkNo(7)), row(2, 2000))]);
            assert_eq!(all("usd")?, [(Some(LinkNo(7)), row(1, 1000))]);
            assert_eq!(all("JPY")?, []);
            assert_eq!(currencies(tx, ours)?, ["EUR", "USD"]);
            assert_eq!(currencies(tx, theirs)?, ["CHF"]);
            assert_eq!(currencies(tx, fixture::workspace(tx, "c")?)?, Vec::<String>::new());
            Ok(())
        });
    }

    #[test]
    fn sums_that_do_not_fit_are_an_error() {
        fixture::in_tx(|tx| {
            let workspace = fixture::workspace(tx, "a")?;
            let store = fixture::store(tx, "x", workspace)?;
            for id in ["1", "2"] {
                let mut told = fixture::order(id, workspace, store);
                told.snapshot.revenue = i64::MAX;
                order::put(tx, &told, &Evidence::default(), Timestamp(0))?;
            }
            assert_eq!(
                by_source(tx, workspace, Timestamp(0), Timestamp(1000), "EUR"),
                Err(Error::TooLarge { what: "sales" })
            );
            Ok(())
        });
    }
}
