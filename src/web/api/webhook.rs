//! `/webhooks`: who is told of what, in the dialect's shape, with how each receiver has been doing. A secret is answered
//! once: where it is made.

use axum::Json;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::{self, Body, parse, said};
use super::error::ApiError;
use super::params::Params;
use super::webhook_teller::ApiTeller;
use super::{Api, Caller};
use crate::books::{self, View};
use crate::domain::webhook::{Because, Trigger, Webhook};
use crate::flows::Error;
use crate::flows::keep_webhooks::{self, WebhookDraft};

/// Default page size.
const PAGE_SIZE: u32 = 100;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WebhookBody {
    name: Option<String>,
    url: Option<String>,
    triggers: Option<Vec<String>>,
    secret: Option<String>,
    /// Links whose clicks are told; null = all.
    #[serde(default, deserialize_with = "said")]
    link_ids: Option<Option<Vec<String>>>,
    disabled: Option<bool>,
    // Ours.
    clicks_per_event: Option<u32>,
}

impl WebhookBody {
    fn draft(self) -> WebhookDraft {
        WebhookDraft {
            name: self.name,
            url: self.url,
            triggers: self.triggers,
            secret: self.secret.filter(|secret| !secret.is_empty()),
            link_ids: self.link_ids,
            clicks_per_event: self.clicks_per_event,
            is_disabled: self.disabled,
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct TestBody {
    trigger: Option<String>,
}

pub(super) async fn create(
    State(api): State<Api>,
    caller: Caller,
    Body(body): Body<WebhookBody>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let made = keep_webhooks::create(&api.context, &api.poster, &api.clicks, caller.workspace, body.draft()).await?;
    Ok((StatusCode::CREATED, Json(with_secret(&api, made).await?)))
}

pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<Value>>, ApiError> {
    let mut params = Params::of(query.as_deref())?;
    let page = params.page(PAGE_SIZE)?;
    params.end()?;
    let listed = api.context.books().read(move |view| {
        let webhooks = books::webhook::list(view, caller.workspace, &page)?;
        let answers = webhooks.iter().map(|webhook| answer(view, webhook));
        answers.collect::<Result<Vec<_>, Error>>()
    });
    Ok(Json(listed.await?))
}

pub(super) async fn show(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let shown = api
        .context
        .books()
        .read(move |view| answer(view, &keep_webhooks::find(view, caller.workspace, &id)?));
    Ok(Json(shown.await?))
}

pub(super) async fn update(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
    Body(body): Body<WebhookBody>,
) -> Result<Json<Value>, ApiError> {
    let changed = keep_webhooks::update(
        &api.context,
        &api.poster,
        &api.clicks,
        caller.workspace,
        &id,
        body.draft(),
    )
    .await?;
    Ok(Json(told(&api, changed).await?))
}

pub(super) async fn delete(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let deleted = keep_webhooks::delete(&api.context, caller.workspace, &id).await?;
    Ok(Json(json!({ "id": deleted.id })))
}

pub(super) async fn rotate_secret(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let rotated = keep_webhooks::rotate_secret(&api.context, caller.workspace, &id).await?;
    Ok(Json(with_secret(&api, rotated).await?))
}

/// Sends an event that never happened; without a trigger the first that the webhook is told of.
pub(super) async fn test(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json<Value>, ApiError> {
    let bytes = body::bytes(request, &api).await?;
    let body: TestBody = if bytes.is_empty() {
        TestBody::default()
    } else {
        parse(&bytes)?
    };
    let (workspace, named) = (caller.workspace, id.clone());
    let webhook = api
        .context
        .books()
        .read(move |view| keep_webhooks::find(view, workspace, &named));
    let webhook = webhook.await?;
    let trigger = match &body.trigger {
        Some(word) => Trigger::parse(word).ok_or_else(|| {
            let known = Trigger::ALL.map(Trigger::word).join(", ");
            ApiError::invalid("trigger", &format!("must be one of {known}"))
        })?,
        None => webhook.triggers.iter().next().unwrap_or(Trigger::LinkCreated),
    };
    let (teller, workspace_id) = (ApiTeller(api.clone()), caller.workspace_id.clone());
    let now = api.context.clock().now();
    let sample = tokio::task::spawn_blocking(move || teller.sample((workspace, &workspace_id), trigger, now));
    let data = sample.await.map_err(|_| ApiError::busy())??;
    let event = keep_webhooks::send_test(&api.context, workspace, &id, trigger, &data).await?;
    Ok(Json(
        json!({ "id": event, "event": trigger.word(), "webhookId": webhook.id }),
    ))
}

async fn told(api: &Api, webhook: Webhook) -> Result<Value, ApiError> {
    let told = api.context.books().read(move |view| answer(view, &webhook));
    Ok(told.await?)
}

async fn with_secret(api: &Api, webhook: Webhook) -> Result<Value, ApiError> {
    let secret = webhook.secret.clone();
    let mut answer = told(api, webhook).await?;
    answer["secret"] = json!(secret);
    Ok(answer)
}

fn answer(view: &View<'_>, webhook: &Webhook) -> Result<Value, Error> {
    let mut link_ids = None;
    if webhook.is_narrow {
        let mut ids = Vec::new();
        for no in books::webhook::links(view, webhook.no)? {
            ids.extend(books::link::by_no(view, no)?.map(|link| link.id));
        }
        link_ids = Some(ids);
    }
    let health = &webhook.health;
    let triggers: Vec<&str> = webhook.triggers.iter().map(Trigger::word).collect();
    Ok(json!({
        "id": webhook.id,
        "name": webhook.name,
        "url": webhook.url,
        "secret": null,
        "triggers": triggers,
        "linkIds": link_ids,
        "installationId": null,
        "disabledAt": webhook.disabled.map(|disabled| disabled.at.to_string()),
        "createdAt": webhook.created_at.to_string(),
        "updatedAt": webhook.updated_at.to_string(),
        // Ours.
        "notice": notice(webhook),
        "clicksPerEvent": webhook.clicks_per_event,
        "failures": health.failures,
        "failingSince": health.failing_since.map(|at| at.to_string()),
        "nextTryAt": health.resting_until.map(|at| at.to_string()),
        "lastSuccessAt": health.last_success_at.map(|at| at.to_string()),
        "untold": health.untold,
        "oldSecretUntil": webhook.old_secret.as_ref().map(|(_, until)| until.to_string()),
    }))
}

/// What somebody should know and do about a webhook; `None` = nothing.
pub(in crate::web) fn notice(webhook: &Webhook) -> Option<&'static str> {
    match webhook.disabled.map(|disabled| disabled.because) {
        Some(Because::Failing) => Some(
            "Disabled: the receiver took nothing for almost three days. Mend it, enable the webhook (disabled false), then \
             replay what failed.",
        ),
        Some(Because::Gone) => Some(
            "Disabled: the receiver answered 410 Gone. Give another URL or delete the webhook; to go on, enable it \
             (disabled false).",
        ),
        Some(Because::Asked) | None => None,
    }
}
