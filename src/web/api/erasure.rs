//! `/erasures` and `/visitors/{id}`: erasing on request what tells who somebody was, and the proof that it was done.

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::analytics::read_log;
use super::body::Body;
use super::error::ApiError;
use super::{Api, Caller};
use crate::clicklog::Erasure;
use crate::domain::click_id::CLICK_ID_LENGTH;
use crate::domain::visitor::Visitor;
use crate::flows::erase_visitor::{self, Log, Who};

/// Digits of a visitor id as answers show it.
const VISITOR_ID_LENGTH: usize = 16;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ErasureBody {
    visitor_id: Option<String>,
    click_id: Option<String>,
    order_id: Option<String>,
}

/// A visitor as answers show one: 16 hex digits; `None` for nobody.
pub(super) fn visitor_id(visitor: u64) -> Option<String> {
    (visitor != 0).then(|| format!("{visitor:016x}"))
}

pub(super) async fn erase(
    State(api): State<Api>,
    caller: Caller,
    Body(body): Body<ErasureBody>,
) -> Result<Json<Value>, ApiError> {
    let who = match (body.visitor_id, body.click_id, body.order_id) {
        (Some(id), None, None) => visitor(&api, &caller, &id, "visitorId")?,
        (None, Some(id), None) => Who::Click(id),
        (None, None, Some(id)) => Who::Order(id),
        _ => {
            return Err(ApiError::invalid(
                "visitorId",
                "give one of visitorId, clickId and orderId",
            ));
        }
    };
    run(&api, &caller, who).await
}

pub(super) async fn erase_visitor(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let who = if id.len() == CLICK_ID_LENGTH && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        Who::Click(id)
    } else {
        visitor(&api, &caller, &id, "id")?
    };
    run(&api, &caller, who).await
}

pub(super) async fn list(State(api): State<Api>, caller: Caller) -> Result<Json<Vec<Value>>, ApiError> {
    let erasures = read_log(&api, move |log| log.erasures(caller.workspace)).await?;
    Ok(Json(erasures.iter().map(answer).collect()))
}

/// The visitor that 16 hex digits or a cookie's value name.
fn visitor(api: &Api, caller: &Caller, text: &str, field: &str) -> Result<Who, ApiError> {
    if text.len() == VISITOR_ID_LENGTH
        && let Ok(visitor) = u64::from_str_radix(text, 16)
        && visitor != 0
    {
        return Ok(Who::Visitor(visitor));
    }
    match Visitor::verify(text, caller.workspace, &(api.visitors)()) {
        Some(visitor) => Ok(Who::Visitor(visitor.id)),
        None => Err(ApiError::invalid(
            field,
            "must be the value of this workspace's hop_v cookie, a visitorId of 16 hex digits, or a click id",
        )),
    }
}

async fn run(api: &Api, caller: &Caller, who: Who) -> Result<Json<Value>, ApiError> {
    let log = Log {
        reader: api.clicks.clone(),
        eraser: api.eraser.clone(),
        keys: (api.click_ids)(),
        node: api.node,
    };
    let (record, orders) = erase_visitor::erase(&api.context, log, caller.workspace, who).await?;
    let mut told = answer(&record);
    told["orders"] = json!(orders);
    Ok(Json(told))
}

fn answer(erasure: &Erasure) -> Value {
    json!({
        "erasedAt": erasure.at.to_string(),
        "what": if erasure.is_visitor { "visitor" } else { "click" },
        "clicks": erasure.clicks,
        "blocks": erasure.blocks,
        "segments": erasure.segments,
        // Corrupt stores that were set aside: only people can delete what is in them.
        "storesSetAside": erasure.set_aside,
    })
}
