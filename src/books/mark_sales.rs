//! What orders brought, summed by what they show: the code on them, or the country of their click.
//!
//! Whoever is credited, an order stands under its own code and country, so these sums know no model.

use super::columns::Columns;
use super::error::Error;
use super::rate;
use super::sales::{Source, Sums, Wanted, converted, in_country, one_order, source};
use super::view::View;
use crate::domain::performance::{Sales, WHOLE};
use crate::domain::time::{DAY_MS, Timestamp};

/// What orders show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// The first code that is a creator's, else the first; in the form in which codes are compared.
    Code,
    /// ISO 3166-1 alpha-2, of the click whose id came back.
    Country,
}

impl Mark {
    /// The column of `orders`, and the word in `mark_days`.
    fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Country => "country",
        }
    }
}

/// Sales by mark; `None` = of orders that show none. Marks without an order are left out.
///
/// # Errors
/// [`Error::TooLarge`] when a sum does not fit.
pub fn by_mark(view: &View<'_>, wanted: Wanted<'_>, mark: Mark) -> Result<Vec<(Option<String>, Sales)>, Error> {
    let mut sums = Sums::default();
    let first_day = wanted.start.0.saturating_add(DAY_MS - 1).div_euclid(DAY_MS);
    let end_day = wanted.end.0.div_euclid(DAY_MS);
    if first_day < end_day {
        add_days(&mut sums, view, wanted, mark, (first_day, end_day))?;
        let (first, end) = (Timestamp(first_day * DAY_MS), Timestamp(end_day * DAY_MS));
        add_orders(&mut sums, view, Wanted { end: first, ..wanted }, mark, |order, _| order)?;
        add_orders(&mut sums, view, Wanted { start: end, ..wanted }, mark, |order, _| order)?;
    } else {
        add_orders(&mut sums, view, wanted, mark, |order, _| order)?;
    }
    for (currency, exchange) in rate::of_others(view, wanted)? {
        let foreign = Wanted {
            currency: &currency,
            ..wanted
        };
        add_orders(&mut sums, view, foreign, mark, |order, at| {
            converted(&order, &exchange, at)
        })?;
    }
    let mut found: Vec<_> = sums
        .0
        .into_iter()
        .filter(|(_, sales)| *sales != Sales::default())
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(found)
}

/// What orders show, and who is credited with them.
pub type MarkAndSource = (Option<String>, Source);

/// As [`by_mark`], with who is credited under the last touch, and where; only of orders whose click came from `country`,
/// when there is one. Every order of the period is looked at.
///
/// # Errors
/// As [`by_mark`].
pub fn by_mark_and_source(
    view: &View<'_>,
    wanted: Wanted<'_>,
    mark: Mark,
    country: Option<&str>,
) -> Result<Vec<(MarkAndSource, Sales)>, Error> {
    let mut sums = Sums::default();
    let sql = format!(
        "SELECT nullif({}, ''), creator, link, store, revenue, discounts, refunded, standing, cost, ordered_at FROM orders
         WHERE workspace = ? AND counts = 1 AND currency = ? AND ordered_at >= ? AND ordered_at < ? AND {}",
        mark.as_str(),
        in_country(country)
    );
    let mut add = |currency: &str, make: &dyn Fn(Sales, Timestamp) -> Sales| {
        let params = (wanted.workspace, currency, wanted.start, wanted.end, country);
        view.each(&sql, params, |row| {
            let mut columns = Columns::of(row);
            let mark: Option<String> = columns.next()?;
            let source = source(&mut columns)?;
            let order = one_order(&mut columns)?;
            sums.add((mark, source), &make(order, columns.next()?))
        })
    };
    add(wanted.currency, &|order, _| order)?;
    for (currency, exchange) in rate::of_others(view, wanted)? {
        add(&currency, &|order, at| converted(&order, &exchange, at))?;
    }
    let found = sums.0.into_iter().filter(|(_, sales)| *sales != Sales::default());
    Ok(found.collect())
}

type MarkSums = Sums<Option<String>>;

/// Adds the days from the first to before the second.
fn add_days(
    sums: &mut MarkSums,
    view: &View<'_>,
    wanted: Wanted<'_>,
    mark: Mark,
    days: (i64, i64),
) -> Result<(), Error> {
    view.each(
        "SELECT nullif(mark, ''), orders, new_customers, returning_customers, costed, discounts, gross, refunds, cost
         FROM mark_days WHERE workspace = ? AND currency = ? AND kind = ? AND day >= ? AND day < ? AND orders > 0",
        (wanted.workspace, wanted.currency, mark.as_str(), days.0, days.1),
        |row| {
            let mut columns = Columns::of(row);
            let mark = columns.next()?;
            let mut milli = || Ok::<_, Error>(columns.next_count()?.unwrap_or(0).saturating_mul(WHOLE));
            let (orders_milli, new_customers_milli) = (milli()?, milli()?);
            let (returning_customers_milli, costed_milli) = (milli()?, milli()?);
            let sales = Sales {
                orders_milli,
                new_customers_milli,
                returning_customers_milli,
                costed_milli,
                discounts: columns.next()?,
                gross_revenue: columns.next()?,
                refunds: columns.next()?,
                cost: columns.next()?,
                unconverted: 0,
            };
            sums.add(mark, &sales)
        },
    )
}

/// Adds order by order, each as `make` makes it of itself and its time.
fn add_orders(
    sums: &mut MarkSums,
    view: &View<'_>,
    wanted: Wanted<'_>,
    mark: Mark,
    make: impl Fn(Sales, Timestamp) -> Sales,
) -> Result<(), Error> {
    let sql = format!(
        "SELECT nullif({}, ''), revenue, discounts, refunded, standing, cost, ordered_at FROM orders
         WHERE workspace = ? AND counts = 1 AND currency = ? AND ordered_at >= ? AND ordered_at < ?",
        mark.as_str()
    );
    view.each(
        &sql,
        (wanted.workspace, wanted.currency, wanted.start, wanted.end),
        |row| {
            let mut columns = Columns::of(row);
            let mark = columns.next()?;
            let order = one_order(&mut columns)?;
            sums.add(mark, &make(order, columns.next()?))
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::books::{fixture, order, refund};
    use crate::domain::attribution::{ClickEvidence, Evidence, Model};
    use crate::domain::id::LinkNo;
    use crate::domain::money::Currency;
    use crate::domain::order::Refund;
    use crate::domain::rate::{DatedRate, Rate};

    fn click(country: &str) -> Evidence {
        Evidence {
            click: Some(ClickEvidence {
                click_id: "c".to_owned(),
                link: LinkNo(1),
                creator: None,
                variant: 0,
                clicked_at_ms: 1,
                journey: Vec::new(),
                is_recorded: true,
                is_from_coupon_site: false,
                country: Some(country.to_owned()),
            }),
            ..Evidence::default()
        }
    }

    #[test]
    fn orders_stand_under_their_code_and_country_by_day_and_by_order() {
        fixture::in_tx(|tx| {
            let workspace = fixture::workspace(tx, "a")?;
            let store = fixture::store(tx, "x", workspace)?;
            let at = |day: i64, hour: i64| Timestamp(day * DAY_MS + hour * 3_600_000);
            for (id, ordered_at, codes, country, currency) in [
                ("1", at(5, 1), &["MIA10"][..], "DE", "EUR"),
                ("2", at(6, 1), &[" mia10 ", "BEN"], "AT", "EUR"),
                ("3", at(7, 23), &[], "DE", "EUR"),
                ("4", at(7, 1), &["BEN"], "DE", "USD"),
                ("5", at(1, 1), &["BEN"], "FR", "USD"),
            ] {
                let mut told = fixture::order(id, workspace, store);
                told.snapshot.ordered_at = ordered_at;
                told.snapshot.codes = codes.iter().map(|code| (*code).to_owned()).collect();
                told.snapshot.currency = currency.to_owned();
                told.snapshot.customer = Some(id.to_owned());
                order::put(tx, &told, &click(country), Timestamp(0))?;
                // Told again, it counts once.
                told.snapshot.updated_at = Timestamp(999);
                order::put(tx, &told, &click(country), Timestamp(0))?;
            }
            let back = Refund {
                external_id: "r".to_owned(),
                order_external_id: "2".to_owned(),
                is_running_total: false,
                at: Timestamp(9),
                lines: Vec::new(),
            };
            refund::insert(tx, store, &back, 250, Timestamp(9))?;
            let dollar = DatedRate {
                base: Currency::USD,
                quote: Currency::EUR,
                day: 6,
                rate: Rate::parse("0.9").expect("a rate"),
            };
            rate::put(tx, workspace, &[dollar])?;
            let read = |mark, start, end| {
                let wanted = Wanted {
                    workspace,
                    start,
                    end,
                    currency: "EUR",
                };
                let rows = by_mark(tx, wanted, mark)?;
                let text = rows.iter().map(|(mark, sales)| {
                    let mark = mark.as_deref().unwrap_or("-");
                    format!(
                        "{mark} {} {} {}",
                        sales.orders(),
                        sales.net_revenue(),
                        sales.unconverted
                    )
                });
                Ok::<_, Error>(text.collect::<Vec<_>>().join(", "))
            };
            let (first, last) = (Timestamp(0), at(100, 0));
            assert_eq!(
                read(Mark::Code, first, last)?,
                "- 1 1000 0, ben 1 900 1, mia10 2 1750 0"
            );
            assert_eq!(read(Mark::Country, first, last)?, "AT 1 750 0, DE 3 2900 0, FR 0 0 1");
            // Told apart by source as well, it is the same.
            let wanted = Wanted {
                workspace,
                start: first,
                end: last,
                currency: "EUR",
            };
            for (mark, country) in [(Mark::Code, None), (Mark::Country, None), (Mark::Code, Some("DE"))] {
                let mut whole: Vec<(Option<String>, i64)> = Vec::new();
                let mut apart = by_mark_and_source(tx, wanted, mark, country)?;
                apart.sort_by(|a, b| a.0.cmp(&b.0));
                whole.extend(apart.into_iter().map(|((mark, _), sales)| (mark, sales.net_revenue())));
                let expected: Vec<(Option<String>, i64)> = match country {
                    None => by_mark(tx, wanted, mark)?
                        .into_iter()
                        .map(|(mark, sales)| (mark, sales.net_revenue()))
                        .collect(),
                    Some(_) => vec![(None, 1000), (Some("ben".into()), 900), (Some("mia10".into()), 1000)],
                };
                assert_eq!(whole, expected, "{mark:?} {country:?}");
            }
            let german = crate::books::sales::by_source_in(tx, wanted, Model::Last, Some("DE"))?;
            assert_eq!(german.iter().map(|(_, sales)| sales.net_revenue()).sum::<i64>(), 2900);
            assert_eq!(german.iter().map(|(_, sales)| sales.orders()).sum::<u64>(), 3);
            // Days that the period cuts are read order by order.
            assert_eq!(read(Mark::Code, at(5, 1), at(7, 2))?, "ben 1 900 0, mia10 2 1750 0");
            assert_eq!(read(Mark::Code, at(5, 2), at(7, 1))?, "mia10 1 750 0");
            Ok(())
        });
    }
}
