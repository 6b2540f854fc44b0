//! Leads and sales as the dialect counts them: what links and creators brought.
//!
//! A sale is a counted order, told by whomever, that a link or a creator is credited with; its amount is its revenue less
//! what was given back. A conversion is a customer with such an order, one a link or creator; an order without a customer
//! is one of its own. Amounts of two currencies are never added.

use std::collections::BTreeMap;

use rusqlite::types::Value;

use super::columns::Columns;
use super::error::Error;
use super::filter::Filter;
use super::lead::{self, Lead};
use super::page::{Listing, Page};
use super::view::View;
use crate::domain::id::{CreatorNo, LinkNo, StoreNo, WorkspaceNo};
use crate::domain::time::Timestamp;

const SALE_COLUMNS: &str =
    "id, external_id, store, ordered_at, creator, link, currency, revenue, refunded, customer, click";

/// What one link or creator brought, for all time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Brought {
    pub leads: u64,
    pub conversions: u64,
    pub sales: u64,
    /// Minor units by currency.
    pub amounts: BTreeMap<String, i64>,
}

/// What `link` brought.
///
/// # Errors
/// [`Error::Failed`].
pub fn of_link(view: &View<'_>, link: LinkNo) -> Result<Brought, Error> {
    brought(
        view,
        "SELECT coalesce(sum(quantity), 0) FROM leads WHERE link = ?",
        "SELECT currency, count(*), count(DISTINCT store || ':' || customer) + sum(customer IS NULL),
             sum(revenue) - sum(refunded)
         FROM orders WHERE link = ? AND counts = 1 GROUP BY currency",
        i64::from(link.0),
    )
}

/// What `creator` brought.
///
/// # Errors
/// [`Error::Failed`].
pub fn of_creator(view: &View<'_>, creator: CreatorNo) -> Result<Brought, Error> {
    brought(
        view,
        "SELECT coalesce(sum(quantity), 0) FROM leads WHERE creator = ?",
        "SELECT currency, count(*), count(DISTINCT store || ':' || customer) + sum(customer IS NULL),
             sum(revenue) - sum(refunded)
         FROM orders WHERE creator = ? AND counts = 1 GROUP BY currency",
        i64::from(creator.0),
    )
}

/// What each creator of `workspace` brought; who brought nothing is left out.
///
/// # Errors
/// [`Error::Failed`].
pub fn of_creators(view: &View<'_>, workspace: WorkspaceNo) -> Result<BTreeMap<CreatorNo, Brought>, Error> {
    let mut all: BTreeMap<CreatorNo, Brought> = BTreeMap::new();
    let leads = "SELECT creator, sum(quantity) FROM leads WHERE workspace = ? AND creator IS NOT NULL GROUP BY creator";
    view.each(leads, [workspace], |row| {
        let mut columns = Columns::of(row);
        let brought = all.entry(columns.next()?).or_default();
        brought.leads = columns.next_count()?.unwrap_or_default();
        Ok(())
    })?;
    let sales = "SELECT creator, currency, count(*), count(DISTINCT store || ':' || customer) + sum(customer IS NULL),
                     sum(revenue) - sum(refunded)
                 FROM orders WHERE workspace = ? AND creator IS NOT NULL AND counts = 1 GROUP BY creator, currency";
    view.each(sales, [workspace], |row| {
        let mut columns = Columns::of(row);
        let brought = all.entry(columns.next()?).or_default();
        let currency: String = columns.next()?;
        brought.sales += columns.next_count()?.unwrap_or_default();
        brought.conversions += columns.next_count()?.unwrap_or_default();
        *brought.amounts.entry(currency).or_default() += columns.next::<i64>()?;
        Ok(())
    })?;
    Ok(all)
}

fn brought(view: &View<'_>, leads: &str, sales: &str, whose: i64) -> Result<Brought, Error> {
    let mut brought = Brought {
        leads: view.count(leads, [whose])?,
        ..Brought::default()
    };
    view.each(sales, [whose], |row| {
        let mut columns = Columns::of(row);
        let currency: String = columns.next()?;
        brought.sales += columns.next_count()?.unwrap_or_default();
        brought.conversions += columns.next_count()?.unwrap_or_default();
        *brought.amounts.entry(currency).or_default() += columns.next::<i64>()?;
        Ok(())
    })?;
    Ok(brought)
}

/// Which leads or sales of a workspace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConversionFilter {
    pub workspace: WorkspaceNo,
    /// From the first to before the second.
    pub span: (Timestamp, Timestamp),
    /// Of one of these links; `None` = of any, or of none.
    pub links: Option<Vec<LinkNo>>,
    /// Of these creators, or with `true` of all others.
    pub creators: Option<(Vec<CreatorNo>, bool)>,
    /// Row number of a known customer.
    pub customer: Option<i64>,
    /// Sales alone: `true` = customers' first ones, `false` = later ones.
    pub is_first: Option<bool>,
}

/// A sale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sale {
    /// The order's public id.
    pub id: String,
    /// The shop's id of the order.
    pub external_id: String,
    pub store: StoreNo,
    pub at: Timestamp,
    pub creator: Option<CreatorNo>,
    pub link: Option<LinkNo>,
    pub currency: String,
    /// Minor units.
    pub revenue: i64,
    /// What of it is given back.
    pub refunded: i64,
    /// As the store names them.
    pub customer: Option<String>,
    pub click_id: Option<String>,
}

impl Sale {
    /// Revenue less what is given back.
    pub fn net(&self) -> i64 {
        self.revenue.saturating_sub(self.refunded)
    }
}

fn read_sale(row: &rusqlite::Row<'_>) -> rusqlite::Result<Sale> {
    let mut columns = Columns::of(row);
    Ok(Sale {
        id: columns.next()?,
        external_id: columns.next()?,
        store: columns.next()?,
        at: columns.next()?,
        creator: columns.next()?,
        link: columns.next()?,
        currency: columns.next()?,
        revenue: columns.next()?,
        refunded: columns.next()?,
        customer: columns.next()?,
        click_id: columns.next()?,
    })
}

/// Order number `no` as a sale; `None` = it is none, or no more.
///
/// # Errors
/// [`Error::Failed`].
pub fn sale(view: &View<'_>, no: i64) -> Result<Option<Sale>, Error> {
    let sql = format!(
        "SELECT {SALE_COLUMNS} FROM orders WHERE no = ? AND counts = 1 AND (link IS NOT NULL OR creator IS NOT NULL)"
    );
    view.first(&sql, [no], read_sale)
}

/// Hands every sale to `take`, in no order.
///
/// # Errors
/// [`Error::Failed`], and those of `take`.
pub fn each_sale(
    view: &View<'_>,
    wanted: &ConversionFilter,
    mut take: impl FnMut(Sale) -> Result<(), Error>,
) -> Result<(), Error> {
    let filter = sales_filter(wanted)?;
    let sql = format!("SELECT {SALE_COLUMNS} FROM orders WHERE {}", filter.sql());
    view.each(&sql, rusqlite::params_from_iter(filter.values()), |row| {
        take(read_sale(row)?)
    })
}

/// Hands every lead to `take`, in no order.
///
/// # Errors
/// [`Error::Failed`], and those of `take`.
pub fn each_lead(
    view: &View<'_>,
    wanted: &ConversionFilter,
    mut take: impl FnMut(Lead) -> Result<(), Error>,
) -> Result<(), Error> {
    let filter = leads_filter(wanted)?;
    let sql = format!("SELECT {} FROM leads WHERE {}", lead::COLUMNS, filter.sql());
    view.each(&sql, rusqlite::params_from_iter(filter.values()), |row| {
        take(lead::read(row)?)
    })
}

/// One page of sales by time.
///
/// # Errors
/// [`Error::NotFound`] when the page starts at no order of the workspace.
pub fn sales(view: &View<'_>, wanted: &ConversionFilter, is_ascending: bool, page: &Page) -> Result<Vec<Sale>, Error> {
    let listing = Listing {
        table: "orders",
        columns: SALE_COLUMNS,
        id: "id",
        sort: "ordered_at",
        is_ascending,
    };
    listing.page(view, sales_filter(wanted)?, page, read_sale)
}

/// One page of leads by time.
///
/// # Errors
/// [`Error::NotFound`] when the page starts at no lead of the workspace.
pub fn leads(view: &View<'_>, wanted: &ConversionFilter, is_ascending: bool, page: &Page) -> Result<Vec<Lead>, Error> {
    let listing = Listing {
        table: "leads",
        columns: lead::COLUMNS,
        id: "id",
        sort: "at",
        is_ascending,
    };
    listing.page(view, leads_filter(wanted)?, page, lead::read)
}

fn sales_filter(wanted: &ConversionFilter) -> Result<Filter, Error> {
    let mut filter = Filter::of("workspace = ?", wanted.workspace.0);
    filter.and("counts = 1 AND (link IS NOT NULL OR creator IS NOT NULL)", []);
    narrow(&mut filter, wanted, "ordered_at")?;
    filter.and_some(
        "EXISTS (SELECT 1 FROM tracked_sales t WHERE t.store = orders.store
             AND t.order_external_id = orders.external_id AND t.customer = ?)",
        wanted.customer,
    );
    filter.and_some(
        "standing = ?",
        wanted.is_first.map(|is_first| if is_first { 1i64 } else { 2 }),
    );
    Ok(filter)
}

fn leads_filter(wanted: &ConversionFilter) -> Result<Filter, Error> {
    let mut filter = Filter::of("workspace = ?", wanted.workspace.0);
    narrow(&mut filter, wanted, "at")?;
    filter.and_some("customer = ?", wanted.customer);
    Ok(filter)
}

fn narrow(filter: &mut Filter, wanted: &ConversionFilter, at: &str) -> Result<(), Error> {
    let (start, end) = wanted.span;
    let within = format!("{at} >= ? AND {at} < ?");
    filter.and(&within, [Value::Integer(start.0), Value::Integer(end.0)]);
    if let Some(links) = &wanted.links {
        let numbers = json(links.iter().map(|link| link.0))?;
        filter.and("link IN (SELECT value FROM json_each(?))", [numbers]);
    }
    if let Some((creators, is_excluded)) = &wanted.creators {
        let numbers = json(creators.iter().map(|creator| creator.0))?;
        let clause = match is_excluded {
            true => "(creator IS NULL OR creator NOT IN (SELECT value FROM json_each(?)))",
            false => "creator IN (SELECT value FROM json_each(?))",
        };
        filter.and(clause, [numbers]);
    }
    Ok(())
}

fn json(numbers: impl Iterator<Item = u32>) -> Result<Value, Error> {
    let numbers: Vec<u32> = numbers.collect();
    let text = serde_json::to_string(&numbers).map_err(|error| Error::Failed(error.to_string()))?;
    Ok(Value::Text(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::books::{creator, fixture, order, refund};
    use crate::domain::attribution::Evidence;
    use crate::domain::order::Refund;

    #[test]
    fn what_a_link_brought_is_counted_once_a_customer_and_by_currency() {
        fixture::in_tx(|tx| {
            let workspace = fixture::workspace(tx, "a")?;
            let store = fixture::store(tx, "x", workspace)?;
            let mia = creator::insert(tx, fixture::creator("Mia", workspace))?.no;
            let put = |id: &str, customer: Option<&str>, currency: &str, link, is_paid| {
                let mut told = fixture::order(id, workspace, store);
                (told.snapshot.customer, told.snapshot.currency) = (customer.map(str::to_owned), currency.to_owned());
                (told.credit.link, told.credit.creator, told.snapshot.is_paid) = (link, Some(mia), is_paid);
                told.snapshot.revenue = 1000;
                order::put(tx, &told, &Evidence::default(), Timestamp(1))
            };
            let link = Some(LinkNo(7));
            put("1", Some("c"), "EUR", link, true)?;
            put("2", Some("c"), "EUR", link, true)?;
            put("3", None, "EUR", link, true)?;
            put("4", Some("d"), "USD", link, true)?;
            put("5", Some("e"), "EUR", link, false)?;
            put("6", Some("f"), "EUR", None, true)?;
            let back = Refund {
                external_id: "r".into(),
                order_external_id: "1".into(),
                at: Timestamp(2),
                is_running_total: false,
                lines: vec![],
            };
            refund::insert(tx, store, &back, 300, Timestamp(2))?;
            let amounts = |eur, usd| BTreeMap::from([("EUR".to_owned(), eur), ("USD".to_owned(), usd)]);
            let expected = Brought {
                leads: 0,
                conversions: 3,
                sales: 4,
                amounts: amounts(2700, 1000),
            };
            assert_eq!(of_link(tx, LinkNo(7))?, expected);
            assert_eq!(of_link(tx, LinkNo(8))?, Brought::default());
            let whole = of_creator(tx, mia)?;
            assert_eq!(
                (whole.sales, whole.conversions, whole.amounts),
                (5, 4, amounts(3700, 1000))
            );

            let all = ConversionFilter {
                workspace,
                span: (Timestamp(0), Timestamp(i64::MAX)),
                ..ConversionFilter::default()
            };
            let ids = |wanted: &ConversionFilter| {
                let page = Page::Number { number: 1, size: 9 };
                let found = sales(tx, wanted, true, &page)?;
                Ok::<_, Error>(found.into_iter().map(|sale| sale.external_id).collect::<Vec<_>>())
            };
            assert_eq!(ids(&all)?, ["1", "2", "3", "4", "6"]);
            let of_links = ConversionFilter {
                links: Some(vec![LinkNo(7)]),
                is_first: Some(true),
                ..all.clone()
            };
            assert_eq!(ids(&of_links)?, ["1", "4"]);
            let of_others = ConversionFilter {
                creators: Some((vec![mia], true)),
                ..all.clone()
            };
            assert_eq!(ids(&of_others)?, Vec::<String>::new());
            let mut net = 0;
            each_sale(tx, &all, |sale| {
                net += sale.net();
                Ok(())
            })?;
            assert_eq!(net, 4700);
            Ok(())
        });
    }
}
