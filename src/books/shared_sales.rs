//! What models other than the last touch move from one creator and link to others, summed by day.
//!
//! An order that such a model may share out has a row in `shared_orders`: its amounts and its weights as they stand in the
//! sums of `shared_days`. Whoever changes one of those calls [`restate`] in the same transaction: what the row says is
//! taken out of the sums again, to the last minor unit, and what holds now is put in. Moves are signed: what one source
//! loses, others gain. The days that a report cuts, and orders in other currencies, are shared out anew from their rows.

use std::collections::HashMap;

use super::columns::{Columns, Json};
use super::error::Error;
use super::program;
use super::sales::{Source, Wanted, converted, in_country, one_order, source};
use super::view::{Tx, View};
use crate::domain::attribution::{Evidence, Model, Ruling, Share, shares};
use crate::domain::id::WorkspaceNo;
use crate::domain::performance::Sales;
use crate::domain::rate::Exchange;
use crate::domain::time::{DAY_MS, Timestamp};

/// Orders, new and returning customers, orders with cost (thousandths); discounts, gross, refunds, cost (minor units).
type Figures = [i64; 8];

/// What is moved, by who or what gains or, below zero, loses it.
#[derive(Default)]
pub(super) struct Moves(HashMap<Source, Figures>);

/// An order that models share out differently, as the sums have it.
#[derive(PartialEq)]
struct SharedOrder {
    ordered_at: Timestamp,
    /// Whose it is under the last touch.
    source: Source,
    sales: Sales,
    /// `None` = not in the sums yet: the file is of a format that had none.
    shares: Option<Vec<Share>>,
}

fn figures(sales: &Sales) -> Figures {
    let milli = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    [
        milli(sales.orders_milli),
        milli(sales.new_customers_milli),
        milli(sales.returning_customers_milli),
        milli(sales.costed_milli),
        sales.discounts,
        sales.gross_revenue,
        sales.refunds,
        sales.cost,
    ]
}

impl Moves {
    fn add(&mut self, source: Source, figures: &Figures, sign: i64) -> Result<(), Error> {
        let sums = self.0.entry(source).or_default();
        for (sum, figure) in sums.iter_mut().zip(figures) {
            *sum = sum
                .checked_add(sign * figure)
                .ok_or(Error::TooLarge { what: "sales" })?;
        }
        Ok(())
    }

    /// Takes the order from whose it is under the last touch and gives its parts; with `sign` -1 the other way round.
    fn share_out(&mut self, order: &SharedOrder, model: Model, sign: i64) -> Result<(), Error> {
        let shares = order.shares.as_deref().unwrap_or_default();
        let weights: Vec<u64> = shares.iter().map(|share| share.weight(model)).collect();
        // Nobody's order stays where it is.
        let Some(parts) = order.sales.share_out(&weights) else {
            return Ok(());
        };
        self.add(order.source, &figures(&order.sales), -sign)?;
        for (share, part) in shares.iter().zip(parts) {
            let receiver = Source {
                creator: share.creator,
                link: share.link,
                ..order.source
            };
            self.add(receiver, &figures(&part), sign)?;
        }
        Ok(())
    }

    /// Adds what `model` moved on the days from the first to before the second.
    pub fn add_days(
        &mut self,
        view: &View<'_>,
        wanted: Wanted<'_>,
        model: Model,
        days: (i64, i64),
    ) -> Result<(), Error> {
        view.each(
            "SELECT nullif(creator, 0), nullif(link, 0), store, orders_milli, new_customers_milli,
                 returning_customers_milli, costed_milli, discounts, gross, refunds, cost
             FROM shared_days WHERE workspace = ? AND currency = ? AND model = ? AND day >= ? AND day < ?",
            (wanted.workspace, wanted.currency, model.as_str(), days.0, days.1),
            |row| {
                let mut columns = Columns::of(row);
                let source = source(&mut columns)?;
                let mut figures = Figures::default();
                for figure in &mut figures {
                    *figure = columns.next()?;
                }
                self.add(source, &figures, 1)
            },
        )
    }

    /// Adds what `model` moves of single orders, those with a click from `country` alone if it is named; of those in another currency after each was converted.
    pub fn add_orders(
        &mut self,
        view: &View<'_>,
        wanted: Wanted<'_>,
        country: Option<&str>,
        model: Model,
        exchange: Option<&Exchange>,
    ) -> Result<(), Error> {
        let sql = format!(
            "SELECT {COLUMNS}, shares FROM shared_orders
             WHERE workspace = ?1 AND currency = ?2 AND ordered_at >= ?3 AND ordered_at < ?4
                 AND (?5 IS NULL OR EXISTS (SELECT 1 FROM orders WHERE no = order_no AND {}))",
            in_country(country)
        );
        view.each(
            &sql,
            (wanted.workspace, wanted.currency, wanted.start, wanted.end, country),
            |row| {
                let mut order = read_kept(row)?;
                if let Some(exchange) = exchange {
                    order.sales = converted(&order.sales, exchange, order.ordered_at);
                }
                if order.sales.unconverted > 0 {
                    return Ok(());
                }
                self.share_out(&order, model, 1)
            },
        )
    }

    /// Moves it within the sums of the last touch.
    pub fn apply(self, sums: &mut HashMap<Source, Sales>) -> Result<(), Error> {
        for (source, moved) in self.0 {
            let sum = sums.entry(source).or_default();
            *sum = moved_by(sum, &moved).ok_or(Error::TooLarge { what: "sales" })?;
        }
        Ok(())
    }

    /// Adds it to the sums of `model` on `day`.
    fn store(&self, tx: &Tx<'_>, place: (WorkspaceNo, &str, Model, i64)) -> Result<(), Error> {
        let (workspace, currency, model, day) = place;
        for (source, moved) in self.0.iter().filter(|(_, moved)| **moved != Figures::default()) {
            let [orders, new, returning, costed, discounts, gross, refunds, cost] = *moved;
            let (creator, link) = (
                source.creator.map_or(0, |creator| creator.0),
                source.link.map_or(0, |link| link.0),
            );
            tx.run(
                "INSERT INTO shared_days VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                 ON CONFLICT DO UPDATE SET orders_milli = orders_milli + excluded.orders_milli,
                 new_customers_milli = new_customers_milli + excluded.new_customers_milli,
                 returning_customers_milli = returning_customers_milli + excluded.returning_customers_milli,
                 costed_milli = costed_milli + excluded.costed_milli, discounts = discounts + excluded.discounts,
                 gross = gross + excluded.gross, refunds = refunds + excluded.refunds, cost = cost + excluded.cost",
                rusqlite::params![
                    workspace,
                    currency,
                    model.as_str(),
                    day,
                    creator,
                    link,
                    source.store,
                    orders,
                    new,
                    returning,
                    costed,
                    discounts,
                    gross,
                    refunds,
                    cost,
                ],
            )?;
        }
        Ok(())
    }
}

/// `None` when it does not fit, or would be below zero.
fn moved_by(sum: &Sales, moved: &Figures) -> Option<Sales> {
    let [orders, new, returning, costed, discounts, gross, refunds, cost] = *moved;
    let amount = |sum: i64, moved: i64| sum.checked_add(moved).filter(|rest| *rest >= 0);
    Some(Sales {
        orders_milli: sum.orders_milli.checked_add_signed(orders)?,
        new_customers_milli: sum.new_customers_milli.checked_add_signed(new)?,
        returning_customers_milli: sum.returning_customers_milli.checked_add_signed(returning)?,
        costed_milli: sum.costed_milli.checked_add_signed(costed)?,
        discounts: amount(sum.discounts, discounts)?,
        gross_revenue: amount(sum.gross_revenue, gross)?,
        refunds: amount(sum.refunds, refunds)?,
        cost: amount(sum.cost, cost)?,
        unconverted: sum.unconverted,
    })
}

const COLUMNS: &str = "creator, link, store, revenue, discounts, refunded, standing, cost, ordered_at";

fn read(columns: &mut Columns<'_, '_>) -> rusqlite::Result<SharedOrder> {
    Ok(SharedOrder {
        source: source(columns)?,
        sales: one_order(columns)?,
        ordered_at: columns.next()?,
        shares: None,
    })
}

fn read_kept(row: &rusqlite::Row<'_>) -> rusqlite::Result<SharedOrder> {
    let mut columns = Columns::of(row);
    let order = read(&mut columns)?;
    let shares: Option<Json<Vec<Share>>> = columns.next()?;
    Ok(SharedOrder {
        shares: shares.map(|shares| shares.0),
        ..order
    })
}

/// The order as the sums have it, with its workspace and currency.
fn known(view: &View<'_>, order_no: i64) -> Result<Option<(WorkspaceNo, String, SharedOrder)>, Error> {
    let sql = format!("SELECT {COLUMNS}, shares, workspace, currency FROM shared_orders WHERE order_no = ?");
    view.first(&sql, [order_no], |row| {
        Ok((row.get(10)?, row.get(11)?, read_kept(row)?))
    })
}

/// The order as it is, if it counts and may be shared out.
fn present(view: &View<'_>, order_no: i64) -> Result<Option<(WorkspaceNo, String, SharedOrder)>, Error> {
    let sql = format!(
        "SELECT {COLUMNS}, workspace, currency, program, ruling, evidence FROM orders
         WHERE no = ? AND counts = 1 AND is_split = 1"
    );
    let found = view.first(&sql, [order_no], |row| {
        let mut columns = Columns::of(row);
        let order = read(&mut columns)?;
        let place = (columns.next()?, columns.next()?);
        let (program, ruling) = (columns.next()?, columns.next_parsed(Ruling::parse)?);
        Ok((place, order, program, ruling, columns.next::<Json<Evidence>>()?.0))
    })?;
    let Some(((workspace, currency), order, program, ruling, evidence)) = found else {
        return Ok(None);
    };
    let program = program::by_no(view, program)?;
    let shares = shares(&evidence, &program, order.ordered_at, ruling);
    let order = SharedOrder {
        shares: Some(shares),
        ..order
    };
    Ok(Some((workspace, currency, order)))
}

/// Brings the sums up with an order of which something changed.
///
/// # Errors
/// [`Error::TooLarge`] when a sum does not fit.
pub(super) fn restate(tx: &Tx<'_>, order_no: i64) -> Result<(), Error> {
    let (before, now) = (known(tx, order_no)?, present(tx, order_no)?);
    if before == now {
        return Ok(());
    }
    for (found, sign) in [(&before, -1), (&now, 1)] {
        let Some((workspace, currency, order)) = found else {
            continue;
        };
        for model in Model::ALL.into_iter().filter(|model| *model != Model::Last) {
            let mut moves = Moves::default();
            moves.share_out(order, model, sign)?;
            let day = order.ordered_at.0.div_euclid(DAY_MS);
            moves.store(tx, (*workspace, currency, model, day))?;
        }
    }
    let Some((.., SharedOrder { shares, .. })) = &now else {
        tx.run("DELETE FROM shared_orders WHERE order_no = ?", [order_no])?;
        return Ok(());
    };
    let sql = format!(
        "INSERT OR REPLACE INTO shared_orders (order_no, workspace, currency, {COLUMNS}, shares)
         SELECT no, workspace, currency, {COLUMNS}, ? FROM orders WHERE no = ?"
    );
    tx.run(&sql, (shares.as_ref().map(Json), order_no))?;
    Ok(())
}

/// Puts the orders into the sums that came with a file of a format that had none; does nothing the second time.
///
/// # Errors
/// [`Error::TooLarge`] when a sum does not fit.
pub(super) fn fill(tx: &Tx<'_>) -> Result<(), Error> {
    let waiting: Vec<i64> = tx.all("SELECT order_no FROM shared_orders WHERE shares IS NULL", [], |row| {
        row.get(0)
    })?;
    waiting.into_iter().try_for_each(|order_no| restate(tx, order_no))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashSet};

    use proptest::prelude::*;

    use super::super::sales::by_source;
    use super::super::{creator, fixture, order, refund};
    use super::*;
    use crate::domain::attribution::{ClickEvidence, CreditState, PastTouch, credit};
    use crate::domain::id::{LinkNo, StoreNo};
    use crate::domain::order::{Refund, counts};
    use crate::domain::program::Program;

    const DAY_SECONDS: u32 = 86_400;

    /// What happens to an order; numbers name orders, days, creators and customers.
    #[derive(Debug, Clone)]
    enum Event {
        /// Placed or told again: order, half days, revenue, journey of creators, customer, euros, paid.
        Told(u8, i64, i64, Vec<u8>, Option<u8>, bool, bool),
        Refunded(u8, i64),
        Cancelled(u8),
        Forgotten(u8),
    }

    fn event() -> impl Strategy<Value = Event> {
        let journey = proptest::collection::vec(0u8..3, 1..5);
        let told = (
            0u8..8,
            60i64..68,
            0i64..1000,
            journey,
            proptest::option::of(0u8..3),
            prop::bool::weighted(0.8),
            prop::bool::weighted(0.9),
        );
        prop_oneof![
            5 => told.prop_map(|(o, at, revenue, journey, customer, is_euro, is_paid)| {
                Event::Told(o, at, revenue, journey, customer, is_euro, is_paid)
            }),
            2 => (0u8..8, 1i64..400).prop_map(|(o, amount)| Event::Refunded(o, amount)),
            1 => (0u8..8).prop_map(Event::Cancelled),
            1 => (0u8..8).prop_map(Event::Forgotten),
        ]
    }

    /// A click on the last creator's link after follows of the others', one a day.
    fn evidence(id: u8, at: Timestamp, journey: &[u8], first: u32) -> Evidence {
        let creator = |number: u8| crate::domain::id::CreatorNo(first + u32::from(number));
        let (last, before) = journey.split_last().expect("a journey");
        let past = (1u32..).zip(before).map(|(age, number)| PastTouch {
            link: LinkNo(u32::from(*number) + 1),
            creator: Some(creator(*number)),
            seconds: (at.0 / 1000) as u32 - age * DAY_SECONDS,
        });
        let click = ClickEvidence {
            click_id: format!("click-{id}"),
            link: LinkNo(u32::from(*last) + 1),
            creator: Some(creator(*last)),
            clicked_at_ms: at.0 - 1000,
            variant: 0,
            journey: past.collect(),
            is_recorded: true,
            is_from_coupon_site: false,
            country: None,
        };
        Evidence {
            click: Some(click),
            ..Evidence::default()
        }
    }

    /// Every order shared out by itself, from the orders alone.
    fn naive(
        view: &View<'_>,
        store: StoreNo,
        span: (i64, i64),
        model: Model,
    ) -> Result<BTreeMap<Source, Figures>, Error> {
        let mut sums: BTreeMap<Source, Figures> = BTreeMap::new();
        for id in 0..8 {
            let Some(row) = order::load(view, store, &id.to_string())? else {
                continue;
            };
            let (snapshot, at) = (&row.order.snapshot, row.order.snapshot.ordered_at);
            let is_wanted = counts(snapshot, row.order.quarantine) && snapshot.currency == "EUR";
            if !is_wanted || at.0 < span.0 || at.0 >= span.1 {
                continue;
            }
            let sql = "SELECT revenue, discounts, refunded, standing, cost FROM orders WHERE no = ?";
            let whole = view.first(sql, [row.no], |row| one_order(&mut Columns::of(row)))?;
            let whole = whole.expect("it is there");
            let shares = shares(&row.evidence, &Program::default(), at, None);
            let weights: Vec<u64> = shares.iter().map(|share| share.weight(model)).collect();
            let parts = whole.share_out(&weights).expect("somebody's");
            for (share, part) in shares.iter().zip(parts) {
                let source = Source {
                    creator: share.creator,
                    link: share.link,
                    store,
                };
                let sum = sums.entry(source).or_default();
                sum.iter_mut()
                    .zip(figures(&part))
                    .for_each(|(sum, figure)| *sum += figure);
            }
        }
        sums.retain(|_, sum| *sum != Figures::default());
        Ok(sums)
    }

    fn follows_the_orders(events: Vec<Event>) {
        fixture::in_tx(move |tx| {
            let workspace = fixture::workspace(tx, "a")?;
            let store = fixture::store(tx, "x", workspace)?;
            let mut first = None;
            for name in ["Mia", "Ben", "Eva"] {
                let made = creator::insert(tx, fixture::creator(name, workspace))?.no;
                first.get_or_insert(made.0);
            }
            let first = first.expect("a creator");
            for (number, event) in (0..).zip(events) {
                match event {
                    Event::Told(id, at, revenue, journey, customer, is_euro, is_paid) => {
                        let mut told = fixture::order(&id.to_string(), workspace, store);
                        let at = Timestamp(at * DAY_MS / 2 + 5_000);
                        (told.snapshot.ordered_at, told.snapshot.revenue) = (at, revenue);
                        told.snapshot.customer = customer.map(|customer| customer.to_string());
                        told.snapshot.currency = if is_euro { "EUR" } else { "USD" }.to_owned();
                        told.snapshot.is_paid = is_paid;
                        let evidence = evidence(id, at, &journey, first);
                        told.credit = credit(&evidence, &Program::default(), at, None);
                        order::put(tx, &told, &evidence, Timestamp(0))?;
                    }
                    Event::Cancelled(id) => {
                        let Some(mut row) = order::load(tx, store, &id.to_string())? else {
                            continue;
                        };
                        row.order.snapshot.cancelled_at = Some(Timestamp(99));
                        order::put(tx, &row.order, &row.evidence, Timestamp(0))?;
                    }
                    Event::Refunded(of, amount) => {
                        let told = Refund {
                            external_id: format!("{number}"),
                            order_external_id: of.to_string(),
                            at: Timestamp(50),
                            is_running_total: false,
                            lines: vec![],
                        };
                        refund::insert(tx, store, &told, amount, Timestamp(0))?;
                    }
                    Event::Forgotten(id) => {
                        order::forget_journeys(tx, workspace, &HashSet::from([format!("click-{id}")]))?;
                    }
                }
            }
            let whole = (30 * DAY_MS, 34 * DAY_MS);
            for span in [whole, (31 * DAY_MS + 5_000, 33 * DAY_MS + 9), (0, 31 * DAY_MS)] {
                for model in Model::ALL {
                    let wanted = Wanted {
                        workspace,
                        start: Timestamp(span.0),
                        end: Timestamp(span.1),
                        currency: "EUR",
                    };
                    let rows = by_source(tx, wanted, model)?.into_iter();
                    let found: BTreeMap<Source, Figures> = rows
                        .map(|(source, sales)| (source, figures(&sales)))
                        .filter(|(_, figures)| *figures != Figures::default())
                        .collect();
                    assert_eq!(found, naive(tx, store, span, model)?, "{model:?} within {span:?}");
                }
            }
            // A file of an older format has the orders and no sums.
            let days = |tx: &Tx<'_>| {
                tx.all(
                    "SELECT model, day, creator, link, gross, orders_milli FROM shared_days
                     WHERE (gross, orders_milli, refunds) <> (0, 0, 0) ORDER BY 1, 2, 3, 4",
                    [],
                    |row| {
                        let mut columns = Columns::of(row);
                        let of = (columns.next::<String>()?, columns.next::<i64>()?);
                        Ok((
                            of,
                            columns.next::<i64>()?,
                            columns.next::<i64>()?,
                            columns.next::<i64>()?,
                            columns.next::<i64>()?,
                        ))
                    },
                )
            };
            let before = days(tx)?;
            tx.run("DELETE FROM shared_days", [])?;
            tx.run("UPDATE shared_orders SET shares = NULL, revenue = 1", [])?;
            fill(tx)?;
            assert_eq!(days(tx)?, before, "after the migration");
            fill(tx)?;
            assert_eq!(days(tx)?, before, "after another start");
            Ok(())
        });
    }

    proptest! {
        // Each case opens a file.
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn sums_follow_the_orders_under_every_model(events in proptest::collection::vec(event(), 0..40)) {
            follows_the_orders(events);
        }
    }

    #[test]
    fn a_held_order_moves_nothing() {
        let at = Timestamp(40 * DAY_MS);
        let found = evidence(1, at, &[0, 1], 1);
        let split = credit(&found, &Program::default(), at, None);
        assert!(split.is_split && split.state == CreditState::Credited);
        let order = SharedOrder {
            ordered_at: at,
            source: Source {
                creator: split.creator,
                link: split.link,
                store: StoreNo(1),
            },
            sales: Sales {
                orders_milli: 1000,
                gross_revenue: 999,
                ..Sales::default()
            },
            shares: Some(Vec::new()),
        };
        let mut moves = Moves::default();
        moves.share_out(&order, Model::Linear, 1).expect("it fits");
        assert!(moves.0.is_empty());
    }
}
