//! `/reports/performance`: which creator, niche, campaign, video, link, variant, code, country … brought what; as JSON or
//! as CSV.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Number, Value};

use super::error::ApiError;
use super::report_query::Asked;
use super::{Api, Caller};
use crate::domain::performance::{Performance, WHOLE};
use crate::domain::{spreadsheet, stats};
use crate::flows::Error;
use crate::web::report::{self, Report, Row};

/// The figures of a row in the order of a CSV's columns. `sortBy` may be each of them: largest first, and a row without
/// it last.
pub(in crate::web) const FIGURES: [&str; 24] = [
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
    "costOfGoods",
    "margin",
    "roi",
    "roas",
    "ordersWithCost",
    "unconverted",
    "unconvertedSpend",
];

/// One row.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RowView {
    key: String,
    name: String,
    #[serde(flatten)]
    figures: Figures,
    currency: String,
    /// Of the period of the same length right before.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<Figures>,
}

/// The figures of a row; money in minor units of its currency, ratios `null` where there is nothing to divide by.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::web) struct Figures {
    pub clicks: u64,
    /// `null` by code and country: nobody counts them so.
    pub unique_visitors: Option<u64>,
    pub checkout_taps: u64,
    /// Under models that share orders out with up to three decimals.
    pub orders: Number,
    pub new_customers: Number,
    pub returning_customers: Number,
    pub gross_revenue: i64,
    pub discounts: i64,
    pub refunds: i64,
    pub net_revenue: i64,
    /// Orders a click, and between what that lies with 95 % confidence.
    pub conversion_rate: Option<f64>,
    pub conversion_rate_low: Option<f64>,
    pub conversion_rate_high: Option<f64>,
    /// Gross revenue an order.
    pub average_order: Option<f64>,
    pub epc: Option<f64>,
    pub spend: i64,
    pub cac: Option<f64>,
    /// Of the orders whose cost is known, and how many these are.
    pub cost_of_goods: i64,
    pub orders_with_cost: Number,
    /// Net revenue less the cost of goods, and the return on it: `null` unless the cost of every order is known.
    pub margin: Option<i64>,
    pub roi: Option<f64>,
    pub roas: Option<f64>,
    /// Orders, and entries of spend, in a currency without a rate: they are in no other figure.
    pub unconverted: u64,
    pub unconverted_spend: u64,
}

pub(super) async fn performance(
    State(api): State<Api>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let now = api.context.clock().now();
    let asked = Asked::of(query.as_deref(), caller.workspace, now, "all")?;
    Ok(answer(&read(&api, &asked).await?, &asked))
}

/// The report, its rows in the order that was asked for.
pub(in crate::web) async fn read(api: &Api, asked: &Asked) -> Result<Report, Error> {
    let mut report = report::performance(&api.context, &api.clicks, asked.request.clone()).await?;
    if let Some(name) = asked.sort_by {
        sort(&mut report.rows, name);
    }
    Ok(report)
}

/// The report as JSON or CSV.
pub(in crate::web) fn answer(report: &Report, asked: &Asked) -> Response {
    let rows: Vec<RowView> = report.rows.iter().map(|row| view(row, &report.currency)).collect();
    if !asked.is_csv {
        return Json(rows).into_response();
    }
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"performance.csv\""),
    ];
    (headers, csv(&rows, asked.request.compares)).into_response()
}

/// Largest first; equal rows stay as they were.
fn sort(rows: &mut [Row], name: &str) {
    let figure = |row: &Row| {
        let figures = serde_json::to_value(figures(&row.sums)).unwrap_or_default();
        figures[name].as_f64().unwrap_or(f64::NEG_INFINITY)
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

/// The rows as a table whose header is the JSON's names, those of the period before as `previous.clicks`; a missing
/// ratio is an empty cell.
fn csv(rows: &[RowView], compares: bool) -> String {
    let earlier = if compares { &FIGURES[..] } else { &[] };
    let earlier: Vec<String> = earlier.iter().map(|name| format!("previous.{name}")).collect();
    let names = ["key", "name"].into_iter().chain(FIGURES).chain(["currency"]);
    let columns: Vec<&str> = names.chain(earlier.iter().map(String::as_str)).collect();
    let mut out = String::new();
    spreadsheet::push_row(&mut out, &columns);
    for row in rows {
        let row = serde_json::to_value(row).unwrap_or_default();
        let value = |name: &str| match name.strip_prefix("previous.") {
            Some(name) => row["previous"][name].clone(),
            None => row[name].clone(),
        };
        let cells: Vec<String> = columns
            .iter()
            .map(|name| match value(name) {
                Value::Null => String::new(),
                Value::String(text) => text,
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

fn view(row: &Row, currency: &str) -> RowView {
    RowView {
        key: row.key.clone(),
        name: row.name.clone(),
        figures: figures(&row.sums),
        currency: currency.to_owned(),
        previous: row.previous.as_ref().map(figures),
    }
}

/// The figures that these sums come to.
pub(in crate::web) fn figures(sums: &Performance) -> Figures {
    let (sales, net) = (&sums.sales, sums.sales.net_revenue());
    let clicks = i64::try_from(sums.clicks).unwrap_or(i64::MAX);
    let interval = stats::interval(sales.orders(), sums.clicks);
    let margin = sales.margin();
    Figures {
        clicks: sums.clicks,
        unique_visitors: sums.unique_visitors,
        checkout_taps: sums.checkout_taps,
        orders: count(sales.orders_milli),
        new_customers: count(sales.new_customers_milli),
        returning_customers: count(sales.returning_customers_milli),
        gross_revenue: sales.gross_revenue,
        discounts: sales.discounts,
        refunds: sales.refunds,
        net_revenue: net,
        conversion_rate: stats::of_thousandths(sales.orders_milli, sums.clicks),
        conversion_rate_low: interval.map(|(low, _)| low),
        conversion_rate_high: interval.map(|(_, high)| high),
        average_order: stats::by_thousandths(sales.gross_revenue, sales.orders_milli),
        epc: stats::ratio(net, clicks),
        spend: sums.spend,
        cac: stats::by_thousandths(sums.spend, sales.new_customers_milli),
        cost_of_goods: sales.cost,
        orders_with_cost: count(sales.costed_milli),
        margin,
        roi: margin.and_then(|margin| stats::roi(margin, sums.spend)),
        roas: stats::ratio(net, sums.spend),
        unconverted: sales.unconverted,
        unconverted_spend: sums.unconverted_spend,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::domain::performance::Sales;

    #[test]
    fn every_figure_is_a_column_and_a_sort() {
        let told = serde_json::to_value(figures(&Performance::default())).expect("figures");
        let fields: BTreeSet<&str> = told.as_object().expect("fields").keys().map(String::as_str).collect();
        assert_eq!(FIGURES.into_iter().collect::<BTreeSet<_>>(), fields);
    }

    #[test]
    fn a_table_that_compares_has_both_periods() {
        let row = Row {
            name: "=Mia".to_owned(),
            previous: Some(Performance {
                clicks: 7,
                ..Performance::default()
            }),
            ..Row::default()
        };
        let text = csv(&[view(&row, "EUR")], true);
        let lines: Vec<&str> = text.lines().collect();
        assert!(
            lines[0].contains(",currency,previous.clicks,previous.uniqueVisitors,"),
            "{text}"
        );
        assert!(
            lines[1].starts_with(",'=Mia,0,,0,") && lines[1].contains(",EUR,7,,0,"),
            "{text}"
        );
    }

    #[test]
    fn parts_of_orders_have_three_decimals() {
        let told = [0, 2_000, 1_333, 5, 999_999_999_500].map(|milli| count(milli).to_string());
        assert_eq!(told, ["0", "2", "1.333", "0.005", "999999999.5"]);
    }

    #[test]
    fn rows_without_a_figure_come_last() {
        let row = |name: &str, spend| {
            let costed = Sales {
                orders_milli: WHOLE,
                costed_milli: WHOLE,
                gross_revenue: 400,
                ..Sales::default()
            };
            Row {
                name: name.to_owned(),
                sums: Performance {
                    spend,
                    sales: costed,
                    ..Performance::default()
                },
                ..Row::default()
            }
        };
        let mut rows = [row("none", 0), row("loss", 800), row("gain", 100)];
        sort(&mut rows, "roi");
        assert_eq!(rows.map(|row| row.name), ["gain", "loss", "none"]);
    }
}
