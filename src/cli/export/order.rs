//! Orders: as JSON what the API tells of each; as CSV what `hopcart orders import` takes, and the credit beside.

use serde_json::{Map, Value};

use super::Output;
use super::pages::Pages;
use crate::cli::api::Api;
use crate::cli::failure::Failure;
use crate::domain::money;
use crate::integrations::link_file::export::cell;

/// Orders of a page: as many as the API gives.
const PAGE: usize = 100;
/// The columns of the import, then what is beside.
const COLUMNS: [&str; 25] = [
    "orderId",
    "name",
    "orderedAt",
    "updatedAt",
    "currency",
    "revenue",
    "discounts",
    "paid",
    "test",
    "cancelledAt",
    "customerId",
    "discountCodes",
    "clickId",
    "refundId",
    "refunded",
    "refundedAt",
    "id",
    "storeId",
    "netRevenue",
    "quarantine",
    "creditState",
    "creditBy",
    "partnerId",
    "linkId",
    "decision",
];

pub async fn write(
    api: &Api,
    [start, end]: &[Option<String>; 2],
    store: Option<&str>,
    out: &mut Output,
) -> Result<(), Failure> {
    let wanted = vec![
        ("start", start.clone()),
        ("end", end.clone()),
        ("storeId", store.map(str::to_owned)),
        ("detail", Some("true".to_owned())),
    ];
    let mut pages = Pages::of(api, "/orders", wanted, ("pageSize", PAGE), "/id");
    out.header(&COLUMNS)?;
    while let Some(orders) = pages.next().await? {
        for order in orders {
            let Value::Object(order) = order else { continue };
            out.thing(&order, || rows(&order))?;
        }
        out.page()?;
    }
    Ok(())
}

/// A row for each refund, at least one.
fn rows(order: &Map<String, Value>) -> Vec<Vec<String>> {
    let refunds = order.get("refunds").and_then(Value::as_array);
    let refunds = refunds.map_or(&[][..], Vec::as_slice);
    let none = [Value::Null];
    let refunds = if refunds.is_empty() { &none[..] } else { refunds };
    let row = |refund: &Value| COLUMNS.map(|name| told(order, refund, name)).into();
    refunds.iter().map(row).collect()
}

fn told(order: &Map<String, Value>, refund: &Value, column: &str) -> String {
    let currency = order.get("currency").and_then(Value::as_str).and_then(money::currency);
    let amount = |value: Option<&Value>| match (value.and_then(Value::as_i64), currency) {
        (Some(amount), Some(currency)) => money::decimal(amount, currency),
        _ => cell(value),
    };
    let credit = |name: &str| cell(order.get("credit").map(|credit| &credit[name]));
    match column {
        "orderId" => cell(order.get("externalId")),
        "revenue" | "discounts" | "netRevenue" => amount(order.get(column)),
        "discountCodes" => {
            let codes = order.get(column).and_then(Value::as_array).into_iter().flatten();
            codes.filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
        }
        "refundId" => cell(refund.get("id")),
        "refunded" => amount(refund.get("amount")),
        "refundedAt" => cell(refund.get("at")),
        "creditState" => credit("state"),
        "creditBy" => credit("by"),
        "partnerId" | "linkId" | "decision" => credit(column),
        other => cell(order.get(other)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_order_has_a_row_for_each_refund() {
        let order = json!({
            "externalId": "1001", "currency": "EUR", "revenue": 12_345, "discounts": 0, "paid": true,
            "discountCodes": ["MIA10", "VIP"], "credit": { "state": "credited", "partnerId": "pn_1" },
            "refunds": [{ "id": "r1", "amount": 300, "at": "2026-11-21T10:00:00.000Z" }, { "id": "r2", "amount": 45 }],
        });
        let rows = rows(order.as_object().expect("an order"));
        let place = |name: &str| COLUMNS.iter().position(|column| *column == name).expect("a column");
        let of = |row: usize, name: &str| rows[row][place(name)].as_str();
        assert_eq!(rows.len(), 2);
        for (name, first, second) in [
            ("orderId", "1001", "1001"),
            ("revenue", "123.45", "123.45"),
            ("refundId", "r1", "r2"),
            ("refunded", "3.00", "0.45"),
            ("discountCodes", "MIA10 VIP", "MIA10 VIP"),
            ("partnerId", "pn_1", "pn_1"),
            ("paid", "true", "true"),
            ("cancelledAt", "", ""),
        ] {
            assert_eq!((of(0, name), of(1, name)), (first, second), "{name}");
        }
        let plain = json!({ "externalId": "1002", "currency": "JPY", "revenue": 500, "refunds": [] });
        assert_eq!(super::rows(plain.as_object().expect("an order")).len(), 1);
    }
}
