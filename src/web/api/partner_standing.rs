//! `/partners/ban`, `/partners/deactivate` and, ours, `/partners/reactivate`: whether creators take part.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::Body;
use super::error::ApiError;
use super::{Api, Caller};
use crate::domain::creator::BanReason;
use crate::flows::part_with_creator::{self, Whom};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PartnerNamed {
    partner_id: Option<String>,
    tenant_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct BanBody {
    partner_id: Option<String>,
    tenant_id: Option<String>,
    reason: String,
}

/// Whom a caller means; an empty text names nobody.
pub(super) fn whom(partner_id: Option<String>, tenant_id: Option<String>) -> Whom {
    let named = |text: Option<String>| text.filter(|text| !text.is_empty());
    Whom {
        id: named(partner_id),
        tenant_id: named(tenant_id),
    }
}

pub(super) async fn ban(
    State(api): State<Api>,
    caller: Caller,
    Body(body): Body<BanBody>,
) -> Result<Json<Value>, ApiError> {
    let reason = BanReason::parse(&body.reason)
        .ok_or_else(|| ApiError::invalid("reason", &format!("must be one of {}", BanReason::WORDS.join(", "))))?;
    let whom = whom(body.partner_id, body.tenant_id);
    let creator = part_with_creator::part(&api.context, caller.workspace, whom, Some(reason)).await?;
    Ok(Json(json!({ "partnerId": creator.id })))
}

pub(super) async fn deactivate(
    State(api): State<Api>,
    caller: Caller,
    Body(body): Body<PartnerNamed>,
) -> Result<Json<Value>, ApiError> {
    let whom = whom(body.partner_id, body.tenant_id);
    let creator = part_with_creator::part(&api.context, caller.workspace, whom, None).await?;
    Ok(Json(json!({ "partnerId": creator.id })))
}

pub(super) async fn reactivate(
    State(api): State<Api>,
    caller: Caller,
    Body(body): Body<PartnerNamed>,
) -> Result<Json<Value>, ApiError> {
    let whom = whom(body.partner_id, body.tenant_id);
    let creator = part_with_creator::take_back(&api.context, caller.workspace, whom).await?;
    Ok(Json(json!({ "partnerId": creator.id })))
}
