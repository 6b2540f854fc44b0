//! `/links/{id}/experiment`: what each variant brought, how sure that is, and the winner or why there is none.

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use serde::Serialize;
use serde_json::{Value, json};

use super::error::ApiError;
use super::link_answer::variants_of;
use super::params::Params;
use super::{Api, Caller};
use crate::domain::experiment::{Arm, Winner};
use crate::domain::stats;
use crate::domain::stats::experiment::Belief;
use crate::flows::publish_link;
use crate::web::experiment::{self, Reading};

/// One variant; money in minor units, what cannot be told yet `null`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct VariantView {
    /// From 1.
    variant: usize,
    /// `url`, `percentage`, `name`, and `cart` or `discountCodes`, as in the link's `testVariants`.
    #[serde(flatten)]
    terms: Value,
    visitors: u64,
    clicks: u64,
    checkout_taps: u64,
    /// Orders.
    conversions: u64,
    /// Less refunds.
    revenue: i64,
    conversion_rate: Option<f64>,
    conversion_rate_low: f64,
    conversion_rate_high: f64,
    revenue_per_visitor: Option<f64>,
    revenue_per_visitor_low: Option<f64>,
    revenue_per_visitor_high: Option<f64>,
    probability_to_be_best: Option<f64>,
}

pub(super) async fn show(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    let mut params = Params::of(query.as_deref())?;
    let currency = params.text("currency");
    params.end()?;
    Ok(Json(told(&api, &caller, id, currency).await?))
}

/// The experiment of the link `id`, as far as it is known by now.
pub(in crate::web) async fn told(
    api: &Api,
    caller: &Caller,
    id: String,
    currency: Option<String>,
) -> Result<Value, ApiError> {
    let workspace = caller.workspace;
    let find = move |view: &crate::books::View<'_>| publish_link::find(view, workspace, &id);
    let link = api.context.books().read(find).await?;
    let Some(experiment) = link.terms.experiment.clone() else {
        return Err(ApiError::not_found(
            "The link has no experiment: PATCH its testVariants to begin one.",
        ));
    };
    let terms = variants_of(api, &link).await?;
    let reading = experiment::read(&api.context, &api.clicks, &link, experiment.clone(), currency).await?;
    let phase = experiment.phase(api.context.clock().now());
    let variants = terms
        .into_iter()
        .zip(reading.arms.iter().zip(&reading.beliefs))
        .enumerate();
    let variants: Vec<VariantView> = variants
        .map(|(place, (terms, (arm, belief)))| view(place + 1, terms, arm, belief))
        .collect();
    let (winner, reasons) = winner(&reading, &variants);
    Ok(json!({
        "linkId": link.id,
        "key": link.slug,
        "status": phase.as_str(),
        "testStartedAt": experiment.started_at.to_string(),
        "testCompletedAt": experiment.completed_at.map(|at| at.to_string()),
        "countedSince": experiment.since().to_string(),
        "partialBefore": reading.partial_before.map(|at| at.to_string()),
        "currency": reading.currency,
        "variants": variants,
        "sampleRatio": reading.split.map(|split| json!({
            "chiSquare": split.chi_square, "pValue": split.p_value, "isMismatch": split.is_mismatch(),
        })),
        "winner": winner,
        "reasons": reasons,
    }))
}

fn winner(reading: &Reading, variants: &[VariantView]) -> (Value, Vec<String>) {
    match &reading.winner {
        Winner::Variant(number) => {
            let won = variants.iter().find(|variant| variant.variant == usize::from(*number));
            let name = won.map_or(Value::Null, |variant| variant.terms["name"].clone());
            (json!({ "variant": number, "name": name }), Vec::new())
        }
        Winner::None(reasons) => (Value::Null, reasons.clone()),
    }
}

fn view(variant: usize, terms: Value, arm: &Arm, belief: &Belief) -> VariantView {
    let visitors = i64::try_from(arm.visitors).unwrap_or(i64::MAX);
    let orders = i64::try_from(arm.orders).unwrap_or(i64::MAX);
    VariantView {
        variant,
        terms,
        visitors: arm.visitors,
        clicks: arm.clicks,
        checkout_taps: arm.checkout_taps,
        conversions: arm.orders,
        revenue: arm.revenue,
        conversion_rate: stats::ratio(orders, visitors),
        conversion_rate_low: belief.conversion.low,
        conversion_rate_high: belief.conversion.high,
        revenue_per_visitor: stats::ratio(arm.revenue, visitors),
        revenue_per_visitor_low: belief.per_visitor.map(|interval| interval.low),
        revenue_per_visitor_high: belief.per_visitor.map(|interval| interval.high),
        probability_to_be_best: belief.best,
    }
}
