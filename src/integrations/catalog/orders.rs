//! Orders as a file: what a shop knew before its webhooks came, or while they did not. One row an order; an order with
//! several refunds has a row for each.
//!
//! Columns: `orderId`, `orderedAt`, `revenue` (after discounts, without tax and shipping); if wanted `name`,
//! `updatedAt` (else `orderedAt`: whatever a webhook has told is newer), `currency` (else the store's), `discounts`,
//! `paid` (else yes), `test`, `cancelledAt`, `customerId` or `customerEmail`, `discountCodes` (with blanks between
//! them), `clickId`, and of a refund `refundId`, `refunded`, `refundedAt` (else `updatedAt`). Amounts are decimals.

use super::cell;
use super::column::{Column, Format};
use super::error::{CatalogError, CellError};
use super::sheet::{Row, Sheet};
use super::too_wide;
use crate::domain::customer::CustomerKey;
use crate::domain::money::{self, Currency};
use crate::domain::order::{ORDERS_PER_CALL_MAX, OrderSnapshot, Refund, RefundLine};
use crate::domain::time::Timestamp;
use crate::integrations::payload;

/// A file of orders, read.
#[derive(Debug)]
pub struct OrdersFile {
    /// Rows that tell of an order, in the file's order.
    pub entries: Vec<OrderEntry>,
    /// Rows below the header, whatever they are.
    pub rows: usize,
    /// Blank rows.
    pub skipped: usize,
}

/// One row that tells of an order, or fails to.
#[derive(Debug)]
pub struct OrderEntry {
    /// From 1, below the header.
    pub row: usize,
    /// Line of the file on which the row begins, from 1.
    pub line: u64,
    pub told: Result<OrderRow, CellError>,
}

/// What a row tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderRow {
    pub order: OrderSnapshot,
    pub refund: Option<Refund>,
}

/// Reads a file of orders of a store that sells in `currency`.
///
/// # Errors
/// What is wrong with the file as a whole: its encoding, its header, more than [`ORDERS_PER_CALL_MAX`] rows.
pub fn parse(text: &[u8], currency: Currency, customers: &CustomerKey) -> Result<OrdersFile, CatalogError> {
    let mut sheet = Sheet::open(text)?;
    if sheet.columns().format() != Format::Orders {
        return Err(CatalogError::WrongKind(
            "is not of orders: it needs the columns orderId, orderedAt and revenue",
        ));
    }
    let mut file = OrdersFile {
        entries: Vec::new(),
        rows: 0,
        skipped: 0,
    };
    while let Some(row) = sheet.next_row()? {
        file.rows += 1;
        if file.rows > ORDERS_PER_CALL_MAX {
            return Err(CatalogError::TooManyRows(ORDERS_PER_CALL_MAX));
        }
        if row.is_blank() {
            file.skipped += 1;
            continue;
        }
        file.entries.push(OrderEntry {
            row: file.rows,
            line: row.line(),
            told: too_wide(&row).and_then(|()| read(&row, currency, customers)),
        });
    }
    Ok(file)
}

fn read(row: &Row<'_>, store: Currency, customers: &CustomerKey) -> Result<OrderRow, CellError> {
    let external_id = required_id(row, Column::OrderId)?;
    let currency = match row.said(Column::Currency)? {
        None => store,
        Some(code) => {
            money::currency(code).ok_or_else(|| row.error(Column::Currency, "must be an ISO 4217 code such as EUR"))?
        }
    };
    let ordered_at = instant(row, Column::OrderedAt)?;
    let ordered_at = ordered_at.ok_or_else(|| row.error(Column::OrderedAt, "is required"))?;
    let updated_at = instant(row, Column::UpdatedAt)?.unwrap_or(ordered_at);
    let revenue = cell::price(row, Column::Revenue, currency)?.flatten();
    let buyer = email(row, customers)?;
    let customer = match cell::id(row, Column::CustomerId)? {
        Some(id) => Some(id.to_owned()),
        None => buyer.clone(),
    };
    let codes = row.said(Column::DiscountCodes)?.unwrap_or_default();
    let order = OrderSnapshot {
        name: match row.said(Column::OrderName)? {
            Some(name) => name.to_owned(),
            None => format!("#{external_id}"),
        },
        ordered_at,
        updated_at,
        currency: currency.code().to_owned(),
        revenue: revenue.ok_or_else(|| row.error(Column::Revenue, "is required"))?,
        discounts: cell::price(row, Column::Discounts, currency)?.flatten().unwrap_or(0),
        is_test: yes(row, Column::Test)?.unwrap_or(false),
        is_paid: yes(row, Column::Paid)?.unwrap_or(true),
        cancelled_at: instant(row, Column::CancelledAt)?,
        customer,
        buyer,
        codes: payload::codes(codes.split_whitespace().map(str::to_owned)),
        click_id: row.said(Column::ClickId)?.map(str::to_owned),
        lines: Vec::new(),
        external_id,
    };
    let refund = refund(row, &order, currency)?;
    Ok(OrderRow { order, refund })
}

fn refund(row: &Row<'_>, order: &OrderSnapshot, currency: Currency) -> Result<Option<Refund>, CellError> {
    let Some(amount) = cell::price(row, Column::Refunded, currency)?
        .flatten()
        .filter(|amount| *amount != 0)
    else {
        return Ok(None);
    };
    if amount < 0 {
        return Err(row.error(Column::Refunded, "must not be negative"));
    }
    let advice =
        "is required with refunded: the shop's id of the refund, so that a webhook about it does not count twice";
    let id = cell::id(row, Column::RefundId)?.ok_or_else(|| row.error(Column::RefundId, advice))?;
    Ok(Some(Refund {
        external_id: bounded_id(row, Column::RefundId, id)?,
        order_external_id: order.external_id.clone(),
        at: instant(row, Column::RefundedAt)?.unwrap_or(order.updated_at),
        is_running_total: false,
        lines: vec![RefundLine {
            line_external_id: String::new(),
            quantity: 1,
            amount,
        }],
    }))
}

fn required_id(row: &Row<'_>, column: Column) -> Result<String, CellError> {
    let id = cell::id(row, column)?.ok_or_else(|| row.error(column, "is required"))?;
    bounded_id(row, column, id)
}

fn bounded_id(row: &Row<'_>, column: Column, id: &str) -> Result<String, CellError> {
    payload::id_text(&id.into()).ok_or_else(|| row.error(column, "must have at most 255 bytes"))
}

fn email(row: &Row<'_>, customers: &CustomerKey) -> Result<Option<String>, CellError> {
    let Some(address) = row.said(Column::CustomerEmail)? else {
        return Ok(None);
    };
    let hash = customers.of_email(address);
    hash.map(Some)
        .ok_or_else(|| row.error(Column::CustomerEmail, "is not an e-mail address"))
}

fn instant(row: &Row<'_>, column: Column) -> Result<Option<Timestamp>, CellError> {
    let Some(text) = row.said(column)? else { return Ok(None) };
    let instant = Timestamp::parse(text);
    instant
        .map(Some)
        .ok_or_else(|| row.error(column, "must be an instant such as 2026-11-20T09:00:00Z, or a date"))
}

fn yes(row: &Row<'_>, column: Column) -> Result<Option<bool>, CellError> {
    let Some(word) = row.said(column)? else { return Ok(None) };
    match word.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" => Ok(Some(true)),
        "false" | "no" | "0" => Ok(Some(false)),
        _ => Err(row.error(column, "must be yes or no")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::id::WorkspaceNo;
    use crate::domain::keyring::{Keyring, Secret};

    fn customers() -> CustomerKey {
        let secret = Secret {
            version: 1,
            key: [7; 32],
        };
        CustomerKey::of(&Keyring::new(vec![secret]).expect("a ring"), WorkspaceNo(1))
    }

    fn of(text: &str) -> OrdersFile {
        parse(text.as_bytes(), Currency::EUR, &customers()).expect("a file")
    }

    #[test]
    fn every_column_is_read() {
        let file = of("\
order_id;orderedAt;updatedAt;revenue;discounts;currency;paid;test;cancelledAt;customerEmail;discountCodes;clickId;name;refundId;refunded;refundedAt
1001;2026-11-20;2026-11-20T10:00:00+01:00;53.82;5.98;EUR;no;yes;2026-11-21;mia@x.example;MIA10 VIP;abc;A-1;r1;3.00;2026-11-22
");
        let told = file.entries[0].told.as_ref().expect("a good row");
        let order = &told.order;
        assert_eq!((order.external_id.as_str(), order.name.as_str()), ("1001", "A-1"));
        assert_eq!(
            (order.revenue, order.discounts, order.currency.as_str()),
            (5382, 598, "EUR")
        );
        assert_eq!((order.is_paid, order.is_test), (false, true));
        assert_eq!(order.updated_at.to_string(), "2026-11-20T09:00:00.000Z");
        assert!(
            order.cancelled_at.is_some() && order.customer.as_deref().is_some_and(|text| text.starts_with("email:"))
        );
        assert_eq!(
            (order.codes.join(","), order.click_id.as_deref()),
            ("MIA10,VIP".to_owned(), Some("abc"))
        );
        let refund = told.refund.as_ref().expect("a refund");
        assert_eq!((refund.external_id.as_str(), refund.amount()), ("r1", Some(300)));
    }

    #[test]
    fn what_is_left_out_has_a_meaning() {
        let file = of("orderId,orderedAt,revenue\n1001,2026-11-20T09:00:00Z,53.82\n,,\n");
        let told = file.entries[0].told.as_ref().expect("a good row");
        assert_eq!((told.order.updated_at, &told.refund), (told.order.ordered_at, &None));
        assert!(told.order.is_paid && !told.order.is_test);
        assert_eq!((file.rows, file.skipped), (2, 1));
    }

    #[test]
    fn bad_rows_name_their_column() {
        let header = "orderId,orderedAt,revenue,currency,paid,customerEmail,refunded,refundId";
        for (row, column) in [
            (",2026-11-20,1.00,,,,,", "orderId"),
            ("1.2E+12,2026-11-20,1.00,,,,,", "orderId"),
            ("1,,1.00,,,,,", "orderedAt"),
            ("1,soon,1.00,,,,,", "orderedAt"),
            ("1,2026-11-20,,,,,,", "revenue"),
            ("1,2026-11-20,1.005,,,,,", "revenue"),
            ("1,2026-11-20,1.00,XXQ,,,,", "currency"),
            ("1,2026-11-20,1.00,,maybe,,,", "paid"),
            ("1,2026-11-20,1.00,,,nobody,,", "customerEmail"),
            ("1,2026-11-20,1.00,,,,0.50,", "refundId"),
            ("1,2026-11-20,1.00,,,,-0.50,r", "refunded"),
            ("1,2026-11-20,1.00,,,,,,more", "row"),
        ] {
            let file = of(&format!("{header}\n{row}\n"));
            let told = file.entries[0].told.as_ref();
            assert_eq!(told.expect_err(row).column, column, "{row}");
        }
    }

    #[test]
    fn files_of_products_and_long_ones_are_refused() {
        for text in [
            "sku,title\nA,b\n".to_owned(),
            format!(
                "orderId,orderedAt,revenue\n{}",
                "1,2026-11-20,1\n".repeat(ORDERS_PER_CALL_MAX + 1)
            ),
        ] {
            assert!(parse(text.as_bytes(), Currency::EUR, &customers()).is_err());
        }
    }

    proptest! {
        #[test]
        fn any_bytes_end_in_rows_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let text = [b"orderId,orderedAt,revenue,refunded,refundId\n".as_slice(), &bytes].concat();
            if let Ok(file) = parse(&text, Currency::EUR, &customers()) {
                prop_assert_eq!(file.rows, file.skipped + file.entries.len());
            }
        }
    }
}
