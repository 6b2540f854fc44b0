//! `/webhooks/{id}/deliveries`: what was sent, what the receiver said, and sending it again.

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use serde_json::{Value, json};

use super::error::ApiError;
use super::params::Params;
use super::{Api, Caller};
use crate::books;
use crate::books::webhook_delivery::{Delivery, State as DeliveryState};
use crate::domain::webhook::Trigger;
use crate::flows::Error;
use crate::flows::keep_webhooks;

/// Default page size.
const PAGE_SIZE: u32 = 50;

pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<Value>>, ApiError> {
    let mut params = Params::of(query.as_deref())?;
    let page = params.page(PAGE_SIZE)?;
    let state = params.word("state", &["waiting", "delivered", "failed"])?;
    let trigger = params.word("event", &Trigger::ALL.map(Trigger::word))?;
    params.end()?;
    let (state, trigger) = (state.and_then(DeliveryState::parse), trigger.and_then(Trigger::parse));
    let listed = api.context.books().read(move |view| {
        let webhook = keep_webhooks::find(view, caller.workspace, &id)?;
        let deliveries = books::webhook_delivery::list(view, webhook.no, state, trigger, &page)?;
        Ok::<_, Error>(deliveries.iter().map(answer).collect())
    });
    Ok(Json(listed.await?))
}

/// One delivery with the body that was sent.
pub(super) async fn show(
    State(api): State<Api>,
    caller: Caller,
    Path((id, event)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    let shown = api.context.books().read(move |view| {
        let webhook = keep_webhooks::find(view, caller.workspace, &id)?;
        let found = books::webhook_delivery::find(view, webhook.no, &event)?;
        let (delivery, body) = found.ok_or(Error::NotFound { what: "delivery" })?;
        let mut answer = answer(&delivery);
        answer["body"] = json!(body);
        Ok::<_, Error>(answer)
    });
    Ok(Json(shown.await?))
}

pub(super) async fn replay(
    State(api): State<Api>,
    caller: Caller,
    Path((id, event)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    keep_webhooks::replay(&api.context, caller.workspace, &id, &event).await?;
    show(State(api), caller, Path((id, event))).await
}

fn answer(delivery: &Delivery) -> Value {
    let is_waiting = delivery.state == DeliveryState::Waiting;
    json!({
        "id": delivery.event_id,
        "event": delivery.trigger.word(),
        "createdAt": delivery.created_at.to_string(),
        "state": delivery.state.word(),
        "attempts": delivery.attempts,
        "nextAttemptAt": is_waiting.then(|| delivery.due_at.to_string()),
        "lastAttemptAt": delivery.attempted_at.map(|at| at.to_string()),
        "tookMs": delivery.took_ms,
        "status": delivery.status,
        "error": delivery.error,
        "response": delivery.answer,
    })
}
