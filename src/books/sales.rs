//! What orders brought, summed by who or what is credited.
//!
//! Under the last touch whole days come from `sales_days`, which the schema's triggers keep, and the days that a report
//! cuts from an index that holds all it asks. Other models move parts of that to others ([`super::shared_sales`]). Sums
//! are checked; one snapshot is read, so a late order or refund is in the next one. Orders in other currencies are read one
//! by one and converted by the rates of their days, for each is rounded by itself.

use std::collections::{BTreeMap, HashMap};

use super::columns::Columns;
use super::customer;
use super::error::Error;
use super::rate;
use super::shared_sales::Moves;
use super::view::View;
use crate::domain::attribution::Model;
use crate::domain::id::{CreatorNo, LinkNo, StoreNo, WorkspaceNo};
use crate::domain::performance::{Sales, WHOLE};
use crate::domain::rate::Exchange;
use crate::domain::time::{DAY_MS, Timestamp};

/// Who and what is credited with an order, and where it was placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source {
    /// `None` = nobody.
    pub creator: Option<CreatorNo>,
    pub link: Option<LinkNo>,
    pub store: StoreNo,
}

/// Which orders are summed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted<'a> {
    pub workspace: WorkspaceNo,
    /// Placed from then on.
    pub start: Timestamp,
    /// Placed before.
    pub end: Timestamp,
    /// What amounts are in: ISO 4217, any letter case. Orders in others are converted where a rate is known.
    pub currency: &'a str,
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

/// Sales by source under `model`; sources without an order are left out.
///
/// # Errors
/// [`Error::TooLarge`] when a sum does not fit.
pub fn by_source(view: &View<'_>, wanted: Wanted<'_>, model: Model) -> Result<Vec<(Source, Sales)>, Error> {
    by_source_in(view, wanted, model, None)
}

/// As [`by_source`], but only of orders whose click came from `country` (ISO 3166-1 alpha-2), when there is one. Days are
/// not summed by country and source, so each order of the period is looked at then.
///
/// # Errors
/// As [`by_source`].
pub fn by_source_in(
    view: &View<'_>,
    wanted: Wanted<'_>,
    model: Model,
    country: Option<&str>,
) -> Result<Vec<(Source, Sales)>, Error> {
    let mut sums = Sums::default();
    let mut moves = Moves::default();
    let is_shared = model != Model::Last;
    let first_day = wanted.start.0.saturating_add(DAY_MS - 1).div_euclid(DAY_MS);
    let end_day = wanted.end.0.div_euclid(DAY_MS);
    let mut cut_days = vec![wanted];
    if first_day < end_day && country.is_none() {
        sums.add_days(view, wanted, (first_day, end_day))?;
        if is_shared {
            moves.add_days(view, wanted, model, (first_day, end_day))?;
        }
        let (first, end) = (Timestamp(first_day * DAY_MS), Timestamp(end_day * DAY_MS));
        cut_days = vec![Wanted { end: first, ..wanted }, Wanted { start: end, ..wanted }];
    }
    for span in cut_days {
        sums.add_orders(view, span, country)?;
        if is_shared {
            moves.add_orders(view, span, country, model, None)?;
        }
    }
    for (currency, exchange) in rate::of_others(view, wanted)? {
        let foreign = Wanted {
            currency: &currency,
            ..wanted
        };
        sums.add_converted(view, foreign, country, &exchange)?;
        if is_shared {
            moves.add_orders(view, foreign, country, model, Some(&exchange))?;
        }
    }
    moves.apply(&mut sums.0)?;
    let found = sums.0.into_iter().filter(|(_, sales)| *sales != Sales::default());
    Ok(found.collect::<BTreeMap<_, _>>().into_iter().collect())
}

/// The condition on the country, which is parameter 5. Without one the index that holds all a sum asks is enough.
pub(super) fn in_country(country: Option<&str>) -> &'static str {
    match country {
        Some(_) => "country = ?5",
        None => "?5 IS NULL",
    }
}

/// The sums so far, by what they are of.
pub(super) struct Sums<K>(pub HashMap<K, Sales>);

impl<K> Default for Sums<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + std::hash::Hash> Sums<K> {
    pub fn add(&mut self, source: K, sales: &Sales) -> Result<(), Error> {
        let sum = self.0.entry(source).or_default();
        *sum = sum.plus(sales).ok_or(Error::TooLarge { what: "sales" })?;
        Ok(())
    }
}

impl Sums<Source> {
    /// Adds the days from the first to before the second.
    fn add_days(&mut self, view: &View<'_>, wanted: Wanted<'_>, days: (i64, i64)) -> Result<(), Error> {
        view.each(
            "SELECT nullif(creator, 0), nullif(link, 0), store, orders, new_customers, returning_customers, discounts,
                 gross, refunds
             FROM sales_days WHERE workspace = ? AND currency = ? AND day >= ? AND day < ? AND orders > 0",
            (wanted.workspace, wanted.currency, days.0, days.1),
            |row| {
                let mut columns = Columns::of(row);
                let source = source(&mut columns)?;
                let mut milli = || Ok::<_, Error>(columns.next_count()?.unwrap_or(0).saturating_mul(WHOLE));
                let (orders_milli, new_customers_milli) = (milli()?, milli()?);
                let sales = Sales {
                    orders_milli,
                    new_customers_milli,
                    returning_customers_milli: milli()?,
                    discounts: columns.next()?,
                    gross_revenue: columns.next()?,
                    refunds: columns.next()?,
                    ..Sales::default()
                };
                self.add(source, &sales)
            },
        )?;
        view.each(
            "SELECT nullif(creator, 0), nullif(link, 0), store, cost, costed
             FROM cost_days WHERE workspace = ? AND currency = ? AND day >= ? AND day < ? AND costed > 0",
            (wanted.workspace, wanted.currency, days.0, days.1),
            |row| {
                let mut columns = Columns::of(row);
                let source = source(&mut columns)?;
                let cost = Sales {
                    cost: columns.next()?,
                    costed_milli: columns.next_count()?.unwrap_or(0).saturating_mul(WHOLE),
                    ..Sales::default()
                };
                self.add(source, &cost)
            },
        )
    }

    /// Adds order by order.
    fn add_orders(&mut self, view: &View<'_>, wanted: Wanted<'_>, country: Option<&str>) -> Result<(), Error> {
        let sql = format!(
            "SELECT creator, link, store, revenue, discounts, refunded, standing, cost FROM orders
             WHERE workspace = ? AND counts = 1 AND currency = ? AND ordered_at >= ? AND ordered_at < ? AND {}",
            in_country(country)
        );
        view.each(
            &sql,
            (wanted.workspace, wanted.currency, wanted.start, wanted.end, country),
            |row| {
                let mut columns = Columns::of(row);
                let source = source(&mut columns)?;
                self.add(source, &one_order(&mut columns)?)
            },
        )
    }

    /// Adds order by order, each converted by the rate of its day.
    fn add_converted(
        &mut self,
        view: &View<'_>,
        wanted: Wanted<'_>,
        country: Option<&str>,
        exchange: &Exchange,
    ) -> Result<(), Error> {
        let sql = format!(
            "SELECT creator, link, store, revenue, discounts, refunded, standing, cost, ordered_at FROM orders
             WHERE workspace = ? AND counts = 1 AND currency = ? AND ordered_at >= ? AND ordered_at < ? AND {}",
            in_country(country)
        );
        view.each(
            &sql,
            (wanted.workspace, wanted.currency, wanted.start, wanted.end, country),
            |row| {
                let mut columns = Columns::of(row);
                let source = source(&mut columns)?;
                let order = one_order(&mut columns)?;
                self.add(source, &converted(&order, exchange, columns.next()?))
            },
        )
    }
}

pub(super) fn source(columns: &mut Columns<'_, '_>) -> rusqlite::Result<Source> {
    Ok(Source {
        creator: columns.next()?,
        link: columns.next()?,
        store: columns.next()?,
    })
}

/// Revenue, discounts, refunds, standing and cost of one order.
pub(super) fn one_order(columns: &mut Columns<'_, '_>) -> rusqlite::Result<Sales> {
    let (gross_revenue, discounts, refunds) = (columns.next()?, columns.next()?, columns.next()?);
    let standing: u8 = columns.next()?;
    let cost: Option<i64> = columns.next()?;
    let is = |wanted: u8| if standing == wanted { WHOLE } else { 0 };
    Ok(Sales {
        orders_milli: WHOLE,
        new_customers_milli: is(customer::NEW),
        returning_customers_milli: is(customer::RETURNING),
        discounts,
        gross_revenue,
        refunds,
        cost: cost.unwrap_or(0),
        costed_milli: if cost.is_some() { WHOLE } else { 0 },
        unconverted: 0,
    })
}

/// One order by the rate of the day on which it was placed; without a rate it is only counted as left out.
pub(super) fn converted(order: &Sales, exchange: &Exchange, ordered_at: Timestamp) -> Sales {
    let day = ordered_at.day();
    let convert = |amount| exchange.convert(amount, day);
    let amounts = [order.discounts, order.gross_revenue, order.refunds, order.cost].map(convert);
    let [Some(discounts), Some(gross_revenue), Some(refunds), Some(cost)] = amounts else {
        return Sales {
            unconverted: 1,
            ..Sales::default()
        };
    };
    Sales {
        discounts,
        gross_revenue,
        refunds,
        cost,
        ..*order
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::books::{creator, fixture, order, refund};
    use crate::domain::attribution::{ClickEvidence, Credit, Evidence, PastTouch};
    use crate::domain::money::Currency;
    use crate::domain::order::{Order, Quarantine, Refund};
    use crate::domain::rate::{DatedRate, Rate};
    use proptest::prelude::*;

    /// A quarter of a day: spans begin and end within days and between them.
    const STEP: i64 = DAY_MS / 4;

    fn of(workspace: WorkspaceNo, span: (i64, i64), currency: &str) -> Wanted<'_> {
        Wanted {
            workspace,
            start: Timestamp(span.0),
            end: Timestamp(span.1),
            currency,
        }
    }

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
                creator: order.credit.creator,
                link: order.credit.link,
                store: order.store,
            };
            let row = rows.entry(source).or_default();
            row.orders_milli += WHOLE;
            row.discounts += order.snapshot.discounts;
            row.new_customers_milli += WHOLE * u64::from(order.snapshot.customer.is_some() && first == Some(*id));
            row.returning_customers_milli += WHOLE * u64::from(order.snapshot.customer.is_some() && first != Some(*id));
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
                        told.credit.creator = by.map(|by| creators[usize::from(by)]);
                        told.quarantine = is_odd.then_some(Quarantine::Currency);
                        told.snapshot.ordered_at = Timestamp(at * STEP);
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
            for span in [(0, 40), (10, 30), (5, 5), (3, 9), (4, 8), (-9, 17)] {
                let span = (span.0 * STEP, span.1 * STEP);
                let wanted = of(workspace, span, "eur");
                let found = by_source(tx, wanted, Model::Last)?;
                assert_eq!(found, naive(&orders, &refunds, span), "{span:?}");
                assert_eq!(by_source(tx, wanted, Model::Linear)?, found, "nothing is split");
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
                told.credit.link = link;
                told.snapshot.currency = currency.to_owned();
                told.snapshot.is_test = is_test;
                order::put(tx, &told, &Evidence::default(), Timestamp(0))?;
            }
            let all = |currency| {
                let rows = by_source(tx, of(ours, (0, 1000), currency), Model::Last)?;
                Ok::<_, Error>(
                    rows.into_iter()
                        .map(|(source, sales)| (source.link, sales))
                        .collect::<Vec<_>>(),
                )
            };
            let row = |orders: u64, gross_revenue, unconverted| Sales {
                orders_milli: orders * WHOLE,
                gross_revenue,
                unconverted,
                ..Sales::default()
            };
            let (none, seven) = (None, Some(LinkNo(7)));
            assert_eq!(all("EUR")?, [(none, row(1, 1000, 0)), (seven, row(2, 2000, 1))]);
            assert_eq!(all("usd")?, [(none, row(0, 0, 1)), (seven, row(1, 1000, 2))]);
            assert_eq!(all("JPY")?, [(none, row(0, 0, 1)), (seven, row(0, 0, 3))]);
            let dollar = DatedRate {
                base: Currency::USD,
                quote: Currency::EUR,
                day: 0,
                rate: Rate::parse("0.9236").expect("a rate"),
            };
            rate::put(tx, ours, &[dollar])?;
            assert_eq!(all("EUR")?, [(none, row(1, 1000, 0)), (seven, row(3, 2924, 0))]);
            assert_eq!(all("usd")?, [(none, row(1, 1083, 0)), (seven, row(3, 3166, 0))]);
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
            let put = |id: &str, currency: &str, ordered_at| {
                let mut told = fixture::order(id, workspace, store);
                told.snapshot.revenue = i64::MAX;
                (told.snapshot.currency, told.snapshot.ordered_at) = (currency.to_owned(), Timestamp(ordered_at));
                order::put(tx, &told, &Evidence::default(), Timestamp(0))
            };
            put("1", "EUR", 0)?;
            put("2", "EUR", DAY_MS)?;
            assert_eq!(
                by_source(tx, of(workspace, (0, 2 * DAY_MS), "EUR"), Model::Last),
                Err(Error::TooLarge { what: "sales" })
            );
            // No order that counts is as large (REVENUE_MAX), so that no day overflows.
            assert!(put("3", "EUR", 5).is_err());
            Ok(())
        });
    }

    #[test]
    fn journeys_are_shared_out_to_the_cent() {
        fixture::in_tx(|tx| {
            let workspace = fixture::workspace(tx, "a")?;
            let store = fixture::store(tx, "x", workspace)?;
            let [mia, ben] = ["Mia", "Ben"].map(|name| creator::insert(tx, fixture::creator(name, workspace)));
            let (mia, ben) = (mia?.no, ben?.no);
            let mut told = fixture::order("1", workspace, store);
            told.snapshot.revenue = 1001;
            told.snapshot.customer = Some("c".into());
            told.snapshot.ordered_at = Timestamp(5 * DAY_MS);
            told.credit = Credit {
                creator: Some(mia),
                link: Some(LinkNo(7)),
                is_split: true,
                ..Credit::default()
            };
            let evidence = Evidence {
                click: Some(ClickEvidence {
                    click_id: "x".into(),
                    link: LinkNo(7),
                    creator: Some(mia),
                    clicked_at_ms: 4 * DAY_MS,
                    variant: 0,
                    journey: vec![PastTouch {
                        link: LinkNo(8),
                        creator: Some(ben),
                        seconds: 60,
                    }],
                    is_recorded: true,
                    is_from_coupon_site: false,
                    country: None,
                }),
                ..Evidence::default()
            };
            order::put(tx, &told, &evidence, Timestamp(0))?;
            let refund = Refund {
                external_id: "r".into(),
                order_external_id: "1".into(),
                at: Timestamp(1),
                is_running_total: false,
                lines: vec![],
            };
            refund::insert(tx, store, &refund, 333, Timestamp(0))?;
            let rows = |model| {
                let rows = by_source(tx, of(workspace, (0, 9 * DAY_MS), "EUR"), model)?;
                let told = rows.iter().map(|(source, sales)| {
                    let creator = source.creator.map_or("", |no| if no == mia { "mia" } else { "ben" });
                    (
                        creator,
                        sales.orders_milli,
                        sales.new_customers_milli,
                        sales.gross_revenue,
                        sales.refunds,
                    )
                });
                Ok::<_, Error>(told.collect::<Vec<_>>())
            };
            assert_eq!(rows(Model::Last)?, [("mia", 1000, 1000, 1001, 333)]);
            assert_eq!(rows(Model::First)?, [("ben", 1000, 1000, 1001, 333)]);
            assert_eq!(
                rows(Model::Linear)?,
                [("mia", 500, 500, 500, 166), ("ben", 500, 500, 501, 167)]
            );
            Ok(())
        });
    }
}
