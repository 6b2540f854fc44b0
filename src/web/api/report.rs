//! `/reports/performance`: which creator, niche, tier, platform, link, variant or store brought what; as JSON or as CSV.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Number, Value};

use super::error::ApiError;
use super::params::Params;
use super::{Api, Caller, Period};
use crate::domain::attribution::Model;
use crate::domain::performance::WHOLE;
use crate::domain::{spreadsheet, stats};
use crate::web::report::{self, GroupBy, Row};

/// What `groupBy` may be.
const GROUPS: [(&str, GroupBy); 7] = [
    ("creator", GroupBy::Creator),
    ("niche", GroupBy::Niche),
    ("tier", GroupBy::Tier),
    ("platform", GroupBy::Platform),
    ("link", GroupBy::Link),
    ("variant", GroupBy::Variant),
    ("store", GroupBy::Store),
];

/// What `sortBy` may be: figures, largest first; a row without one comes last.
const SORTS: [&str; 12] = [
    "netRevenue",
    "grossRevenue",
    "orders",
    "clicks",
    "uniqueVisitors",
    "checkoutTaps",
    "newCustomers",
    "conversionRate",
    "conversionRateLow",
    "averageOrder",
    "epc",
    "roi",
];

/// The columns of a CSV: the fields of a row, in their order.
const COLUMNS: [&str; 22] = [
    "key",
    "name",
    "clicks",
    "uniqueVisitors",
    "checkoutTaps",
    "orders",
    "newCustomers",
    "returningCustomers",
    "grossRevenue",
    "discounts",
    "refunds",
    "netRevenue",
    "conversionRate",
    "conversionRateLow",
    "conversionRateHigh",
    "averageOrder",
    "epc",
    "spend",
    "cac",
    "roi",
    "roas",
    "currency",
];

/// One row; money in minor units of `currency`, ratios `null` where there is nothing to divide by.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RowView {
    key: String,
    name: String,
    clicks: u64,
    unique_visitors: u64,
    checkout_taps: u64,
    /// Under models that share orders out with up to three decimals.
    orders: Number,
    new_customers: Number,
    returning_customers: Number,
    gross_revenue: i64,
    discounts: i64,
    refunds: i64,
    net_revenue: i64,
    /// Orders a click, and between what that lies with 95 % confidence.
    conversion_rate: Option<f64>,
    conversion_rate_low: Option<f64>,
    conversion_rate_high: Option<f64>,
    /// Gross revenue an order.
    average_order: Option<f64>,
    epc: Option<f64>,
    spend: i64,
    cac: Option<f64>,
    roi: Option<f64>,
    roas: Option<f64>,
    currency: String,
}

pub(super) async fn performance(
    State(api): State<Api>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let mut params = Params::of(query.as_deref())?;
    let named = params.word("groupBy", &GROUPS.map(|(name, _)| name))?;
    let group_by = GROUPS.iter().find(|(name, _)| Some(*name) == named);
    let sort_by = params.word("sortBy", &SORTS)?;
    let format = params.word("format", &["json", "csv"])?;
    let currency = params.text("currency");
    let model = params
        .word("model", &Model::ALL.map(Model::as_str))?
        .and_then(Model::parse);
    let period = Period::take(&mut params, api.context.clock().now(), "all")?;
    params.end()?;
    let request = report::Request {
        workspace: caller.workspace,
        group_by: group_by.map_or(GroupBy::Creator, |(_, group_by)| *group_by),
        start: period.start,
        end: period.end,
        currency,
        model,
    };
    let report = report::performance(&api.context, &api.clicks, request).await?;
    let mut rows: Vec<RowView> = report.rows.into_iter().map(|row| view(row, &report.currency)).collect();
    if let Some(name) = sort_by {
        sort(&mut rows, name);
    }
    if format != Some("csv") {
        return Ok(Json(rows).into_response());
    }
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"performance.csv\""),
    ];
    Ok((headers, csv(&rows)).into_response())
}

/// Largest first; equal rows stay as they were.
fn sort(rows: &mut [RowView], name: &str) {
    let figure = |row: &RowView| {
        let row = serde_json::to_value(row).unwrap_or_default();
        row[name].as_f64().unwrap_or(f64::NEG_INFINITY)
    };
    rows.sort_by_cached_key(|row| std::cmp::Reverse(Ordered(figure(row))));
}

/// A figure with its total order.
#[derive(PartialEq)]
struct Ordered(f64);

impl Eq for Ordered {}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ordered {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

/// The rows as a table whose header is the JSON's names; a missing ratio is an empty cell.
fn csv(rows: &[RowView]) -> String {
    let mut out = String::new();
    spreadsheet::push_row(&mut out, &COLUMNS);
    for row in rows {
        let row = serde_json::to_value(row).unwrap_or_default();
        let cells: Vec<String> = COLUMNS
            .iter()
            .map(|name| match &row[name] {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                number => number.to_string(),
            })
            .collect();
        let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
        spreadsheet::push_row(&mut out, &cells);
    }
    out
}

/// Thousandths as people count: a whole number where it is one.
fn count(milli: u64) -> Number {
    if milli.is_multiple_of(WHOLE) {
        return (milli / WHOLE).into();
    }
    let parts = stats::of_thousandths(milli, 1).and_then(Number::from_f64);
    parts.unwrap_or_else(|| (milli / WHOLE).into())
}

fn view(row: Row, currency: &str) -> RowView {
    let sums = row.sums;
    let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let interval = stats::interval(sums.sales.orders(), sums.clicks);
    RowView {
        key: row.key,
        name: row.name,
        clicks: sums.clicks,
        unique_visitors: sums.unique_visitors,
        checkout_taps: sums.checkout_taps,
        orders: count(sums.sales.orders_milli),
        new_customers: count(sums.sales.new_customers_milli),
        returning_customers: count(sums.sales.returning_customers_milli),
        gross_revenue: sums.sales.gross_revenue,
        discounts: sums.sales.discounts,
        refunds: sums.sales.refunds,
        net_revenue: sums.sales.net_revenue(),
        conversion_rate: stats::of_thousandths(sums.sales.orders_milli, sums.clicks),
        conversion_rate_low: interval.map(|(low, _)| low),
        conversion_rate_high: interval.map(|(_, high)| high),
        average_order: stats::by_thousandths(sums.sales.gross_revenue, sums.sales.orders_milli),
        epc: stats::ratio(sums.sales.net_revenue(), signed(sums.clicks)),
        spend: sums.spend,
        cac: stats::by_thousandths(sums.spend, sums.sales.new_customers_milli),
        roi: stats::roi(sums.sales.net_revenue(), sums.spend),
        roas: stats::ratio(sums.sales.net_revenue(), sums.spend),
        currency: currency.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_table_has_every_field_and_every_sort_is_one() {
        let row = serde_json::to_value(view(Row::default(), "EUR")).expect("a row");
        let fields: BTreeSet<&str> = row.as_object().expect("fields").keys().map(String::as_str).collect();
        assert_eq!(COLUMNS.into_iter().collect::<BTreeSet<_>>(), fields);
        assert!(SORTS.iter().all(|name| fields.contains(name)));
    }

    #[test]
    fn parts_of_orders_have_three_decimals() {
        let told = [0, 2_000, 1_333, 5, 999_999_999_500].map(|milli| count(milli).to_string());
        assert_eq!(told, ["0", "2", "1.333", "0.005", "999999999.5"]);
    }

    #[test]
    fn rows_without_a_figure_come_last() {
        let row = |name: &str, roi| RowView {
            roi,
            ..view(
                Row {
                    name: name.to_owned(),
                    ..Row::default()
                },
                "EUR",
            )
        };
        let mut rows = [row("none", None), row("loss", Some(-0.5)), row("gain", Some(3.0))];
        sort(&mut rows, "roi");
        assert_eq!(rows.map(|row| row.name), ["gain", "loss", "none"]);
    }
}
