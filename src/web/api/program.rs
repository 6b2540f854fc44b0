//! `/program`: how the brand's orders are credited. Ours, not the dialect's.

use axum::Json;
use axum::extract::{RawQuery, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::Body;
use super::error::ApiError;
use super::params::Params;
use super::{Api, Caller};
use crate::books;
use crate::domain::attribution::{EvidenceKind, LeakSignal, Model};
use crate::domain::program::Program;
use crate::flows::Error;
use crate::flows::set_program::{self, ProgramChange};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ProgramBody {
    attribution_window_days: Option<u32>,
    customer_window_days: Option<u32>,
    evidence_order: Option<Vec<EvidenceKind>>,
    leak_signals: Option<Vec<LeakSignal>>,
    model: Option<String>,
}

pub(super) async fn show(
    State(api): State<Api>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    Params::of(query.as_deref())?.end()?;
    let found = api
        .context
        .books()
        .read(move |view| books::program::in_force(view, caller.workspace).map_err(Error::from));
    let program = found.await?.map(|(_, program)| program);
    Ok(Json(answer(&program.unwrap_or_default())))
}

pub(super) async fn update(
    State(api): State<Api>,
    caller: Caller,
    Body(body): Body<ProgramBody>,
) -> Result<Json<Value>, ApiError> {
    let unknown = || {
        ApiError::invalid(
            "model",
            &format!("must be one of {}", Model::ALL.map(Model::as_str).join(", ")),
        )
    };
    let model = body
        .model
        .map(|word| Model::parse(&word).ok_or_else(unknown))
        .transpose()?;
    let change = ProgramChange {
        window_days: body.attribution_window_days,
        customer_window_days: body.customer_window_days,
        evidence_order: body.evidence_order,
        leak_signals: body.leak_signals,
        model,
    };
    let program = set_program::change(&api.context, caller.workspace, change).await?;
    Ok(Json(answer(&program)))
}

/// The program as answers show it.
pub(super) fn answer(program: &Program) -> Value {
    json!({
        "attributionWindowDays": program.window_days,
        "customerWindowDays": program.customer_window_days,
        "evidenceOrder": program.evidence_order,
        "leakSignals": program.leak_signals,
        "model": program.model.as_str(),
    })
}
