//! Customers whom leads and sales have named; in a workspace each external id once. What is erased is gone.

use rusqlite::types::Value;

use super::columns::{self, Columns};
use super::error::Error;
use super::filter::Filter;
use super::page::{Listing, Page};
use super::shared_sales;
use super::view::{Tx, View};
use crate::domain::id::{CreatorNo, LinkNo, WorkspaceNo};
use crate::domain::known_customer::{CustomerClick, CustomerSales, KnownCustomer};

const COLUMNS: &str = "no, id, workspace, external_id, name, email, avatar, country, click_id, clicked_at, link, creator, \
                       sales, sale_amount, sale_currency, first_sale_at, created_at";
const TAKEN: &[(&str, &str)] = &[("customers.workspace, customers.external_id", "externalId")];

/// Which customers of a workspace; everything that is set must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CustomerFilter {
    pub external_id: Option<String>,
    /// In any case of ASCII letters.
    pub email: Option<String>,
    /// Contained in external id, name or address, in any case of ASCII letters.
    pub search: Option<String>,
    pub country: Option<String>,
    pub link: Option<LinkNo>,
    pub creator: Option<CreatorNo>,
}

/// How a list is sorted; what is equal, and those who never bought, by birth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CustomerSort {
    #[default]
    CreatedAt,
    SaleAmount,
    FirstSaleAt,
}

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<KnownCustomer> {
    let mut columns = Columns::of(row);
    let (no, id, workspace, external_id) = (columns.next()?, columns.next()?, columns.next()?, columns.next()?);
    let (name, email, avatar, country) = (columns.next()?, columns.next()?, columns.next()?, columns.next()?);
    let (click_id, at): (Option<String>, Option<_>) = (columns.next()?, columns.next()?);
    let (link, creator): (Option<_>, _) = (columns.next()?, columns.next()?);
    let click = match (click_id, at, link) {
        (Some(click_id), Some(at), Some(link)) => Some(CustomerClick {
            click_id,
            at,
            link,
            creator,
        }),
        _ => None,
    };
    let sales = CustomerSales {
        count: columns.next_count()?.unwrap_or_default(),
        amount: columns.next()?,
        currency: columns.next()?,
        first_at: columns.next()?,
    };
    Ok(KnownCustomer {
        no,
        id,
        workspace,
        external_id,
        name,
        email,
        avatar,
        country,
        click,
        sales,
        created_at: columns.next()?,
    })
}

/// Adds `customer`, whatever its `no` is, and returns it with the number it got.
///
/// # Errors
/// [`Error::Conflict`] on `externalId`.
pub fn insert(tx: &Tx<'_>, customer: KnownCustomer) -> Result<KnownCustomer, Error> {
    let params = write_params(&customer, None)?;
    tx.run_unique(
        "INSERT INTO customers (no, id, workspace, external_id, name, email, avatar, country, click_id, clicked_at, link,
         creator, sales, sale_amount, sale_currency, first_sale_at, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
        rusqlite::params_from_iter(params),
        TAKEN,
    )?;
    let no = tx.last_no()?.into();
    Ok(KnownCustomer { no, ..customer })
}

/// Stores every field of `customer` under its number.
///
/// # Errors
/// As [`insert`]; [`Error::NotFound`].
pub fn update(tx: &Tx<'_>, customer: &KnownCustomer) -> Result<(), Error> {
    let changed = tx.run_unique(
        "UPDATE customers SET id = ?2, workspace = ?3, external_id = ?4, name = ?5, email = ?6, avatar = ?7, country = ?8,
         click_id = ?9, clicked_at = ?10, link = ?11, creator = ?12, sales = ?13, sale_amount = ?14, sale_currency = ?15,
         first_sale_at = ?16, created_at = ?17 WHERE no = ?1",
        rusqlite::params_from_iter(write_params(customer, Some(customer.no))?),
        TAKEN,
    )?;
    match changed {
        0 => Err(Error::NotFound { what: "customer" }),
        _ => Ok(()),
    }
}

fn write_params(customer: &KnownCustomer, no: Option<i64>) -> Result<[Value; 17], Error> {
    let text = |text: &Option<String>| text.clone().map_or(Value::Null, Value::Text);
    let number = |number: Option<i64>| number.map_or(Value::Null, Value::Integer);
    let (click, sales) = (customer.click.as_ref(), &customer.sales);
    Ok([
        number(no),
        Value::Text(customer.id.clone()),
        Value::Integer(customer.workspace.0.into()),
        Value::Text(customer.external_id.clone()),
        text(&customer.name),
        text(&customer.email),
        text(&customer.avatar),
        text(&customer.country),
        text(&click.map(|click| click.click_id.clone())),
        number(click.map(|click| click.at.0)),
        number(click.map(|click| click.link.0.into())),
        number(click.and_then(|click| click.creator).map(|creator| creator.0.into())),
        number(columns::count(Some(sales.count), "sales")?),
        Value::Integer(sales.amount),
        text(&sales.currency),
        number(sales.first_at.map(|at| at.0)),
        Value::Integer(customer.created_at.0),
    ])
}

/// The customer whom the workspace calls `external_id`.
///
/// # Errors
/// [`Error::Failed`].
pub fn by_external_id(
    view: &View<'_>,
    workspace: WorkspaceNo,
    external_id: &str,
) -> Result<Option<KnownCustomer>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM customers WHERE workspace = ? AND external_id = ?");
    view.first(&sql, (workspace, external_id), read)
}

/// The workspace's customer with public id `id`.
///
/// # Errors
/// [`Error::Failed`].
pub fn by_id(view: &View<'_>, workspace: WorkspaceNo, id: &str) -> Result<Option<KnownCustomer>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM customers WHERE id = ? AND workspace = ?");
    view.first(&sql, (id, workspace), read)
}

/// The customer with this number.
///
/// # Errors
/// [`Error::Failed`].
pub fn by_no(view: &View<'_>, no: i64) -> Result<Option<KnownCustomer>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM customers WHERE no = ?");
    view.first(&sql, [no], read)
}

/// One page of the workspace's customers.
///
/// # Errors
/// [`Error::NotFound`] when the page starts at nobody of the workspace.
pub fn list(
    view: &View<'_>,
    workspace: WorkspaceNo,
    wanted: &CustomerFilter,
    (sort, is_ascending): (CustomerSort, bool),
    page: &Page,
) -> Result<Vec<KnownCustomer>, Error> {
    let listing = Listing {
        table: "customers",
        columns: COLUMNS,
        id: "id",
        sort: match sort {
            CustomerSort::CreatedAt => "created_at",
            CustomerSort::SaleAmount => "sale_amount",
            CustomerSort::FirstSaleAt => "coalesce(first_sale_at, 0)",
        },
        is_ascending,
    };
    let mut filter = Filter::of("workspace = ?", workspace.0);
    filter.and_some("external_id = ?", wanted.external_id.clone());
    filter.and_some("email = ?", wanted.email.clone());
    filter.and_some("country = ?", wanted.country.clone());
    filter.and_some("link = ?", wanted.link.map(|link| i64::from(link.0)));
    filter.and_some("creator = ?", wanted.creator.map(|creator| i64::from(creator.0)));
    if let Some(search) = &wanted.search {
        filter.and_any_contains(&[("external_id", search), ("name", search), ("email", search)]);
    }
    listing.page(view, filter, page, read)
}

/// Erases the customer and what names them: the row, on their orders the customer and the buyer, metadata of their leads
/// and sales. Orders, leads and who is credited stay; `pseudonym` keeps their orders together.
///
/// # Errors
/// [`Error::Failed`].
pub fn erase(tx: &Tx<'_>, customer: &KnownCustomer, pseudonym: &str) -> Result<(), Error> {
    let orders: Vec<i64> = tx.all(
        "UPDATE orders SET customer = ?1, buyer = NULL, evidence = json_replace(evidence, '$.click.journey', json('[]'))
         WHERE customer = ?2 AND store IN (SELECT store FROM tracked_sales WHERE customer = ?3) RETURNING no",
        (pseudonym, &customer.external_id, customer.no),
        |row| row.get(0),
    )?;
    orders.into_iter().try_for_each(|no| shared_sales::restate(tx, no))?;
    tx.run(
        "UPDATE leads SET customer = NULL, metadata = NULL WHERE customer = ?",
        [customer.no],
    )?;
    tx.run(
        "UPDATE tracked_sales SET customer = NULL, metadata = NULL WHERE customer = ?",
        [customer.no],
    )?;
    tx.run("DELETE FROM customers WHERE no = ?", [customer.no])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::books::fixture;
    use crate::domain::time::Timestamp;

    fn customer(external_id: &str, workspace: WorkspaceNo, at: i64) -> KnownCustomer {
        KnownCustomer {
            no: 0,
            id: format!("cus_{external_id}"),
            workspace,
            external_id: external_id.to_owned(),
            name: Some(format!("Name {external_id}")),
            email: Some(format!("{external_id}@Shop.example")),
            avatar: None,
            country: Some("DE".to_owned()),
            click: Some(CustomerClick {
                click_id: "c".into(),
                at: Timestamp(at - 1),
                link: LinkNo(7),
                creator: None,
            }),
            sales: CustomerSales::default(),
            created_at: Timestamp(at),
        }
    }

    #[test]
    fn rows_read_as_they_were_written() {
        fixture::in_tx(|tx| {
            let (ours, theirs) = (fixture::workspace(tx, "a")?, fixture::workspace(tx, "b")?);
            let mut made = insert(tx, customer("u1", ours, 10))?;
            assert_eq!(by_external_id(tx, ours, "u1")?, Some(made.clone()));
            assert_eq!(by_external_id(tx, theirs, "u1")?, None);
            assert_eq!(by_id(tx, theirs, "cus_u1")?, None);
            made.sales = made.sales.with(500, "EUR", Timestamp(11));
            made.click = None;
            update(tx, &made)?;
            assert_eq!(by_no(tx, made.no)?, Some(made.clone()));
            let twice = insert(
                tx,
                KnownCustomer {
                    id: "cus_x".into(),
                    ..customer("u1", ours, 10)
                },
            );
            assert_eq!(twice, Err(Error::Conflict { what: "externalId" }));
            Ok(())
        });
    }

    #[test]
    fn lists_are_filtered_sorted_and_paged() {
        fixture::in_tx(|tx| {
            let ours = fixture::workspace(tx, "a")?;
            for (name, at, amount) in [("u1", 10, 300), ("u2", 20, 0), ("u3", 30, 200)] {
                let mut customer = customer(name, ours, at);
                if amount > 0 {
                    customer.sales = customer.sales.with(amount, "EUR", Timestamp(100 - at));
                }
                insert(tx, customer)?;
            }
            let ids = |wanted: &CustomerFilter, sort, page: &Page| {
                let rows = list(tx, ours, wanted, sort, page)?;
                Ok::<_, Error>(rows.into_iter().map(|row| row.external_id).collect::<Vec<_>>())
            };
            let first = Page::Number { number: 1, size: 2 };
            let all = CustomerFilter::default();
            let newest = (CustomerSort::CreatedAt, false);
            assert_eq!(ids(&all, newest, &first)?, ["u3", "u2"]);
            let after = Page::After {
                id: "cus_u2".into(),
                size: 9,
            };
            assert_eq!(ids(&all, newest, &after)?, ["u1"]);
            let whole = Page::Number { number: 1, size: 9 };
            assert_eq!(
                ids(&all, (CustomerSort::SaleAmount, false), &whole)?,
                ["u1", "u3", "u2"]
            );
            assert_eq!(
                ids(&all, (CustomerSort::FirstSaleAt, true), &whole)?,
                ["u2", "u3", "u1"]
            );
            let by_email = CustomerFilter {
                email: Some("U2@shop.EXAMPLE".into()),
                ..all.clone()
            };
            assert_eq!(ids(&by_email, newest, &whole)?, ["u2"]);
            let searched = CustomerFilter {
                search: Some("name u".into()),
                country: Some("AT".into()),
                ..all
            };
            assert_eq!(ids(&searched, newest, &whole)?, Vec::<String>::new());
            Ok(())
        });
    }
}
