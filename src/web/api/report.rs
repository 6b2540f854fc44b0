//! `/reports/performance`: which creator and which niche brought what.

use axum::Json;
use axum::extract::{RawQuery, State};
use serde::Serialize;

use super::error::ApiError;
use super::params::Params;
use super::{Api, Caller, Period};
use crate::domain::stats;
use crate::web::report::{self, GroupBy, Row};

/// One row; money in minor units of `currency`, ratios `null` where there is nothing to divide by.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RowView {
    key: String,
    name: String,
    clicks: u64,
    unique_visitors: u64,
    checkout_taps: u64,
    orders: u64,
    new_customers: u64,
    gross_revenue: i64,
    refunds: i64,
    net_revenue: i64,
    conversion_rate: Option<f64>,
    epc: Option<f64>,
    spend: i64,
    cac: Option<f64>,
    roi: Option<f64>,
    currency: String,
}

pub(super) async fn performance(
    State(api): State<Api>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<RowView>>, ApiError> {
    let mut params = Params::of(query.as_deref())?;
    let group_by = match params.word("groupBy", &["creator", "niche"])? {
        Some("niche") => GroupBy::Niche,
        _ => GroupBy::Creator,
    };
    let currency = params.text("currency");
    let period = Period::take(&mut params, api.context.clock().now(), "all")?;
    params.end()?;
    let request = report::Request {
        workspace: caller.workspace,
        group_by,
        start: period.start,
        end: period.end,
        currency,
    };
    let report = report::performance(&api.context, &api.clicks, request).await?;
    Ok(Json(
        report.rows.into_iter().map(|row| view(row, &report.currency)).collect(),
    ))
}

fn view(row: Row, currency: &str) -> RowView {
    let sums = row.sums;
    let signed = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    RowView {
        key: row.key,
        name: row.name,
        clicks: sums.clicks,
        unique_visitors: sums.unique_visitors,
        checkout_taps: sums.checkout_taps,
        orders: sums.sales.orders,
        new_customers: sums.sales.new_customers,
        gross_revenue: sums.sales.gross_revenue,
        refunds: sums.sales.refunds,
        net_revenue: sums.sales.net_revenue(),
        conversion_rate: stats::ratio(signed(sums.sales.orders), signed(sums.clicks)),
        epc: stats::ratio(sums.sales.net_revenue(), signed(sums.clicks)),
        spend: sums.spend,
        cac: stats::ratio(sums.spend, signed(sums.sales.new_customers)),
        roi: stats::roi(sums.sales.net_revenue(), sums.spend),
        currency: currency.to_owned(),
    }
}
