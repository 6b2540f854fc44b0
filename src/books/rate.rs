//! Exchange rates, one a pair and day. Loading one later changes what reports read: no converted amount is stored.

use rusqlite::params_from_iter;
use rusqlite::types::Value;

use super::columns::Columns;
use super::error::Error;
use super::filter::Filter;
use super::sales::{self, Wanted};
use super::view::{Tx, View};
use crate::domain::id::WorkspaceNo;
use crate::domain::money::{Currency, currency};
use crate::domain::rate::{DatedRate, Exchange, RATE_AGE_DAYS_MAX, Rate};

/// Which rates of a workspace; the default is all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RateFilter {
    pub base: Option<Currency>,
    pub quote: Option<Currency>,
    /// First day, and first day after.
    pub days: Option<(u32, u32)>,
}

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<DatedRate> {
    let mut columns = Columns::of(row);
    let mut code = || {
        let code: String = columns.next()?;
        currency(&code).ok_or(rusqlite::Error::InvalidQuery)
    };
    let (base, quote) = (code()?, code()?);
    Ok(DatedRate {
        base,
        quote,
        day: columns.next()?,
        rate: Rate::of_fixed(columns.next()?).ok_or(rusqlite::Error::InvalidQuery)?,
    })
}

/// Adds `rates`, in the place of those that are known of the same pairs and days.
///
/// # Errors
/// [`Error::Failed`].
pub fn put(tx: &Tx<'_>, workspace: WorkspaceNo, rates: &[DatedRate]) -> Result<(), Error> {
    for dated in rates {
        tx.run(
            "INSERT OR REPLACE INTO rates (workspace, base, quote, day, rate) VALUES (?, ?, ?, ?, ?)",
            (
                workspace,
                dated.base.code(),
                dated.quote.code(),
                dated.day,
                dated.rate.fixed(),
            ),
        )?;
    }
    Ok(())
}

/// One page of the workspace's rates, the newest day first, then by pair; pages count from 1.
///
/// # Errors
/// [`Error::Failed`].
pub fn list(
    view: &View<'_>,
    workspace: WorkspaceNo,
    filter: &RateFilter,
    (number, size): (u32, u32),
) -> Result<Vec<DatedRate>, Error> {
    let mut conditions = Filter::of("workspace = ?", workspace.0);
    conditions.and_some("base = ?", filter.base.map(|base| base.code().to_owned()));
    conditions.and_some("quote = ?", filter.quote.map(|quote| quote.code().to_owned()));
    if let Some((first, after)) = filter.days {
        let day = |day: u32| Value::Integer(i64::from(day));
        conditions.and("day >= ? AND day < ?", [day(first), day(after)]);
    }
    let sql = format!(
        "SELECT base, quote, day, rate FROM rates WHERE {} ORDER BY day DESC, base, quote LIMIT ? OFFSET ?",
        conditions.sql()
    );
    conditions.bind_after(i64::from(size));
    conditions.bind_after(i64::from(number.saturating_sub(1)) * i64::from(size));
    view.all(&sql, params_from_iter(conditions.values()), read)
}

/// What converts amounts of the days from `first` to `last` from `from` to `to`.
///
/// # Errors
/// [`Error::Failed`].
pub fn exchange(
    view: &View<'_>,
    workspace: WorkspaceNo,
    (from, to): (Currency, Currency),
    (first, last): (u32, u32),
) -> Result<Exchange, Error> {
    let oldest = first.saturating_sub(RATE_AGE_DAYS_MAX);
    let mut rates = Vec::new();
    for (base, quote) in [(from, to), (to, from)] {
        rates.extend(view.all(
            "SELECT base, quote, day, rate FROM rates
             WHERE workspace = ? AND base = ? AND quote = ? AND day >= ? AND day <= ?",
            (workspace, base.code(), quote.code(), oldest, last),
            read,
        )?);
    }
    Ok(Exchange::new(from, to, rates))
}

/// Every other currency in which the workspace has counted orders, with what converts them to the one wanted.
pub(super) fn of_others(view: &View<'_>, wanted: Wanted<'_>) -> Result<Vec<(String, Exchange)>, Error> {
    let Some(to) = currency(wanted.currency) else {
        return Ok(Vec::new());
    };
    let days = (wanted.start.day(), wanted.end.day());
    let mut others = Vec::new();
    for code in sales::currencies(view, wanted.workspace)? {
        if let Some(from) = currency(&code).filter(|from| *from != to) {
            others.push((code, exchange(view, wanted.workspace, (from, to), days)?));
        }
    }
    Ok(others)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::books::fixture;

    #[test]
    fn the_last_rate_told_of_a_day_stays() {
        fixture::in_tx(|tx| {
            let (ours, theirs) = (fixture::workspace(tx, "a")?, fixture::workspace(tx, "b")?);
            let dated = |quote, day, rate: &str| DatedRate {
                base: Currency::EUR,
                quote,
                day,
                rate: Rate::parse(rate).expect("a rate"),
            };
            put(
                tx,
                ours,
                &[dated(Currency::USD, 20, "1.1"), dated(Currency::USD, 20, "1.2")],
            )?;
            put(
                tx,
                ours,
                &[dated(Currency::JPY, 21, "160"), dated(Currency::USD, 22, "1.3")],
            )?;
            put(tx, theirs, &[dated(Currency::USD, 20, "9")])?;
            let text = |filter: RateFilter, page| {
                let found = list(tx, ours, &filter, page)?;
                let text = found.iter().map(|dated| format!("{} {}", dated.day, dated.rate));
                Ok::<_, Error>(text.collect::<Vec<_>>().join(", "))
            };
            assert_eq!(text(RateFilter::default(), (1, 9))?, "22 1.3, 21 160, 20 1.2");
            assert_eq!(text(RateFilter::default(), (2, 2))?, "20 1.2");
            let dollars = RateFilter {
                quote: Some(Currency::USD),
                days: Some((20, 22)),
                ..RateFilter::default()
            };
            assert_eq!(text(dollars, (1, 9))?, "20 1.2");
            let dollars = exchange(tx, ours, (Currency::EUR, Currency::USD), (27, 30))?;
            assert_eq!(
                (dollars.convert(100, 27), dollars.convert(100, 29)),
                (Some(130), Some(130))
            );
            let euros = exchange(tx, theirs, (Currency::USD, Currency::EUR), (20, 20))?;
            assert_eq!(euros.convert(900, 20), Some(100));
            Ok(())
        });
    }
}
