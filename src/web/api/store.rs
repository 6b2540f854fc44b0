//! `/stores`: the shops that carts lead to and webhooks come from. Ours, not the dialect's.

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::Body;
use super::error::ApiError;
use super::params::Params;
use super::{Api, Caller};
use crate::books;
use crate::domain::store::{Provider, Store};
use crate::flows::Error;
use crate::flows::publish_store::{self, StoreChange};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct StoreBody {
    name: Option<String>,
    provider: Option<Provider>,
    base_url: Option<String>,
    currency: Option<String>,
    webhook_secrets: Option<Vec<String>>,
}

impl StoreBody {
    fn change(self) -> StoreChange {
        StoreChange {
            name: self.name,
            provider: self.provider,
            base_url: self.base_url,
            currency: self.currency,
            webhook_secrets: self.webhook_secrets,
        }
    }
}

pub(super) async fn create(
    State(api): State<Api>,
    caller: Caller,
    Body(body): Body<StoreBody>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let store = publish_store::create(&api.context, caller.workspace, body.change()).await?;
    Ok((StatusCode::CREATED, Json(answer(&api, &store))))
}

pub(super) async fn update(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
    Body(body): Body<StoreBody>,
) -> Result<Json<Value>, ApiError> {
    let store = publish_store::update(&api.context, caller.workspace, &id, body.change()).await?;
    Ok(Json(answer(&api, &store)))
}

pub(super) async fn show(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let found = api
        .context
        .books()
        .read(move |view| books::store::by_id(view, caller.workspace, &id)?.ok_or(Error::NotFound { what: "store" }));
    let store = found.await?;
    Ok(Json(answer(&api, &store)))
}

pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<Value>>, ApiError> {
    Params::of(query.as_deref())?.end()?;
    let stores = api
        .context
        .books()
        .read(move |view| books::store::list(view, caller.workspace).map_err(Error::from))
        .await?;
    Ok(Json(stores.iter().map(|store| answer(&api, store)).collect()))
}

/// Secrets are never shown again.
fn answer(api: &Api, store: &Store) -> Value {
    let public = api.context.public();
    json!({
        "id": store.id,
        "name": store.name,
        "provider": store.provider,
        "baseUrl": store.base_url,
        "currency": store.currency,
        "webhookUrl": format!("{}://{}/_/hooks/{}", public.scheme, public.authority, store.id),
        "createdAt": store.created_at.to_string(),
    })
}
