//! `/workspaces` and `/keys`: for the server's owner. Keys are shown once.

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::{Body, said};
use super::error::ApiError;
use super::params::Params;
use super::{Api, Caller};
use crate::books;
use crate::books::api_key::ApiKey;
use crate::domain::time::Timestamp;
use crate::flows::Error;
use crate::flows::issue_key::{self, KeyChange};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WorkspaceBody {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct KeyBody {
    name: String,
    workspace_id: Option<String>,
    #[serde(default)]
    kind: Kind,
    /// Where a publishable key may be used.
    origins: Option<Vec<String>>,
    #[serde(default, deserialize_with = "said")]
    scopes: Option<Option<Vec<String>>>,
    #[serde(default, deserialize_with = "said")]
    expires_at: Option<Option<String>>,
    #[serde(default, deserialize_with = "said")]
    calls_per_minute: Option<Option<u32>>,
}

/// What a key may do, until when, and how often.
struct Bounds {
    scopes: Option<Option<Vec<String>>>,
    expires_at: Option<Option<String>>,
    calls_per_minute: Option<Option<u32>>,
}

impl Bounds {
    fn change(self, name: Option<String>) -> Result<KeyChange, ApiError> {
        let instant = |text: String| {
            let advice = "must be an instant such as 2027-01-01T00:00:00Z";
            Timestamp::parse(&text).ok_or_else(|| ApiError::invalid("expiresAt", advice))
        };
        Ok(KeyChange {
            name,
            scopes: self.scopes,
            expires_at: self.expires_at.map(|text| text.map(instant).transpose()).transpose()?,
            calls_per_minute: self.calls_per_minute,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct KeyChangeBody {
    name: Option<String>,
    #[serde(default, deserialize_with = "said")]
    scopes: Option<Option<Vec<String>>>,
    #[serde(default, deserialize_with = "said")]
    expires_at: Option<Option<String>>,
    #[serde(default, deserialize_with = "said")]
    calls_per_minute: Option<Option<u32>>,
}

#[derive(Deserialize, Default, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Kind {
    #[default]
    Secret,
    Publishable,
}

pub(super) async fn open_workspace(
    State(api): State<Api>,
    caller: Caller,
    Body(body): Body<WorkspaceBody>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    caller.must_own()?;
    let (workspace, issued) = issue_key::open_workspace(&api.context, body.name).await?;
    let answer = json!({
        "id": workspace.id,
        "name": workspace.name,
        "key": issued.secret,
        "keyId": issued.key.id,
        "createdAt": workspace.created_at.to_string(),
    });
    Ok((StatusCode::CREATED, Json(answer)))
}

/// All workspaces for the owner, else the caller's own.
pub(super) async fn list_workspaces(
    State(api): State<Api>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<Value>>, ApiError> {
    Params::of(query.as_deref())?.end()?;
    let all = api
        .context
        .books()
        .read(|view| books::workspace::list(view).map_err(Error::from))
        .await?;
    let seen = all
        .iter()
        .filter(|workspace| caller.is_owner || workspace.no == caller.workspace);
    let answer = seen.map(|workspace| json!({ "id": workspace.id, "name": workspace.name, "createdAt": workspace.created_at.to_string() }));
    Ok(Json(answer.collect()))
}

pub(super) async fn issue(
    State(api): State<Api>,
    caller: Caller,
    Body(body): Body<KeyBody>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let workspace_id = body.workspace_id.unwrap_or_else(|| caller.workspace_id.clone());
    let is_own = workspace_id == caller.workspace_id;
    let bounds = Bounds {
        scopes: body.scopes,
        expires_at: body.expires_at,
        calls_per_minute: body.calls_per_minute,
    };
    let terms = bounds.change(Some(body.name))?;
    let issued = match (body.kind, body.origins) {
        (Kind::Secret, None) => {
            caller.must_own()?;
            issue_key::issue(&api.context, workspace_id.clone(), terms).await?
        }
        (Kind::Secret, Some(_)) => {
            return Err(ApiError::invalid(
                "origins",
                "goes with kind publishable: a secret key is never sent by a page",
            ));
        }
        // It may do less than the key that asks for it.
        (Kind::Publishable, origins) => {
            if !is_own {
                caller.must_own()?;
            }
            let origins = origins.unwrap_or_default();
            issue_key::issue_publishable(&api.context, workspace_id.clone(), terms, origins).await?
        }
    };
    let mut answer = answer(&issued.key, &workspace_id);
    answer["key"] = json!(issued.secret);
    Ok((StatusCode::CREATED, Json(answer)))
}

/// Changes a key's name and bounds.
pub(super) async fn update(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
    Body(body): Body<KeyChangeBody>,
) -> Result<Json<Value>, ApiError> {
    caller.must_own()?;
    let bounds = Bounds {
        scopes: body.scopes,
        expires_at: body.expires_at,
        calls_per_minute: body.calls_per_minute,
    };
    let change = bounds.change(body.name)?;
    let (key, workspace_id) = issue_key::change(&api.context, id, change).await?;
    Ok(Json(answer(&key, &workspace_id)))
}

/// The keys of the caller's workspace.
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<Value>>, ApiError> {
    Params::of(query.as_deref())?.end()?;
    let keys = api
        .context
        .books()
        .read(move |view| books::api_key::list(view, caller.workspace).map_err(Error::from))
        .await?;
    let live = keys.iter().filter(|key| key.revoked_at.is_none());
    Ok(Json(live.map(|key| answer(key, &caller.workspace_id)).collect()))
}

pub(super) async fn revoke(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    caller.must_own()?;
    issue_key::revoke(&api.context, id.clone()).await?;
    Ok(Json(json!({ "id": id })))
}

fn answer(key: &ApiKey, workspace_id: &str) -> Value {
    json!({
        "id": key.id,
        "name": key.name,
        "hint": key.hint,
        "workspaceId": workspace_id,
        "isOwner": key.is_owner,
        "kind": if key.origins.is_some() { "publishable" } else { "secret" },
        "origins": key.origins,
        "scopes": key.scopes,
        "expiresAt": key.expires_at.map(|at| at.to_string()),
        "callsPerMinute": key.calls_per_minute,
        "lastUsed": key.last_used_at.map(|at| at.to_string()),
        "createdAt": key.created_at.to_string(),
    })
}
