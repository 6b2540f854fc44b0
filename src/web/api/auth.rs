//! Who calls: the workspace is taken from the key, never from the call.

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

use super::Api;
use super::error::ApiError;
use crate::books;
use crate::books::api_key::ApiKey;
use crate::domain::api_key::{self, KEY_MAX, PUBLISHABLE_PREFIX};
use crate::domain::id::WorkspaceNo;
use crate::domain::scope;
use crate::domain::time::Timestamp;
use crate::flows::{Context, Error};

/// A caller with a live key.
#[derive(Debug, Clone)]
pub struct Caller {
    pub key_id: String,
    pub workspace: WorkspaceNo,
    /// Public id of the workspace.
    pub workspace_id: String,
    pub workspace_name: String,
    /// Whether it is the server's owner, who opens workspaces and issues keys.
    pub is_owner: bool,
    /// What the key may do; `None` = everything.
    pub scopes: Option<Vec<String>>,
    /// The key's own bound; `None` = as the server says.
    pub calls_per_minute: Option<u32>,
    /// When the key was last used, as the books know.
    pub last_used_at: Option<Timestamp>,
}

impl Caller {
    /// 403 unless the key's scopes open a call of the paths that begin with `segment`.
    pub fn must_have_scope(&self, segment: &str, is_read: bool) -> Result<(), ApiError> {
        let Some(scopes) = &self.scopes else { return Ok(()) };
        scope::check(scopes, segment, is_read)
            .map_err(|lacking| ApiError::forbidden(format!("The key lacks the scope {lacking}.")))
    }

    /// 403 unless the caller owns the server.
    pub fn must_own(&self) -> Result<(), ApiError> {
        self.is_owner
            .then_some(())
            .ok_or_else(|| ApiError::forbidden("Only the server owner's key may do this."))
    }
}

/// The caller that `key` belongs to; `None` when it is no live key.
pub(in crate::web) async fn caller_of_key(context: &Context, key: &str) -> Result<Option<Caller>, Error> {
    if key.len() > KEY_MAX {
        return Ok(None);
    }
    let (hash, now) = (api_key::hash(key), context.clock().now());
    context
        .books()
        .read(move |view| caller_of(view, books::api_key::by_hash(view, &hash)?, now))
        .await
}

/// The caller behind a key row; `None` when there is none, it was revoked or it has expired.
pub(in crate::web) fn caller_of(
    view: &books::View<'_>,
    key: Option<ApiKey>,
    now: Timestamp,
) -> Result<Option<Caller>, Error> {
    // A publishable key stands in pages: it reads nothing.
    let Some(key) = key.filter(|key| key.is_live(now) && key.origins.is_none()) else {
        return Ok(None);
    };
    let workspace = books::workspace::by_no(view, key.workspace)?.ok_or(Error::NotFound { what: "workspace" })?;
    Ok(Some(Caller {
        key_id: key.id,
        workspace: workspace.no,
        workspace_id: workspace.id,
        workspace_name: workspace.name,
        is_owner: key.is_owner,
        scopes: key.scopes,
        calls_per_minute: key.calls_per_minute,
        last_used_at: key.last_used_at,
    }))
}

impl FromRequestParts<Api> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        // The gate has looked already.
        if let Some(caller) = parts.extensions.get::<Self>() {
            return Ok(caller.clone());
        }
        let header = parts
            .headers
            .get(AUTHORIZATION)
            .ok_or_else(|| ApiError::unauthorized("Missing Authorization header."))?;
        let text = header.to_str().unwrap_or_default();
        let scheme_end = "Bearer ".len();
        let is_bearer = text
            .get(..scheme_end)
            .is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer "));
        if !is_bearer {
            return Err(ApiError::bad_request(
                "Misconfigured Authorization header: it must be \"Bearer KEY\".",
            ));
        }
        let caller = caller_of_key(&api.context, text[scheme_end..].trim()).await?;
        caller.ok_or_else(|| {
            ApiError::unauthorized(match text[scheme_end..].trim().starts_with(PUBLISHABLE_PREFIX) {
                true => "Unauthorized: a publishable key tells of conversions under /_/track, and no more.",
                false => "Unauthorized: Invalid API key.",
            })
        })
    }
}
