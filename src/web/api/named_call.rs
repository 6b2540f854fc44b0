//! Calls that their client names (`Idempotency-Key`): carried out once, and answered the same again for a day.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Api;
use super::error::ApiError;
use super::gate::{Tally, finish};
use crate::books::author::{Author, on_behalf_of};
use crate::domain::id::WorkspaceNo;
use crate::flows::keep_answers::{self, ClaimNo, KeptAnswer, Turn};

/// A client's name for a call (draft-ietf-httpapi-idempotency-key-header).
const NAME: HeaderName = HeaderName::from_static("idempotency-key");
/// Says that an answer is an earlier one.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Longest name of a call: a few UUIDs.
const NAME_MAX: usize = 255;

/// The named calls under way; as many as there are connections.
#[derive(Debug, Default)]
pub(super) struct NamedCalls(Mutex<HashSet<(WorkspaceNo, String)>>);

impl NamedCalls {
    /// `None` = such a call is under way.
    fn enter(self: &Arc<Self>, workspace: WorkspaceNo, name: &str) -> Option<UnderWay> {
        let place = (workspace, name.to_owned());
        let mut under_way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.insert(place.clone()).then(|| UnderWay {
            calls: Arc::clone(self),
            place,
        })
    }
}

/// A named call under way.
struct UnderWay {
    calls: Arc<NamedCalls>,
    place: (WorkspaceNo, String),
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut under_way = self.calls.0.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.remove(&self.place);
    }
}

/// The name of the call with these headers.
pub(super) fn name_of(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(value) = headers.get(NAME) else {
        return Ok(None);
    };
    let name = value.to_str().ok().map(|text| text.trim_matches('"'));
    let name = name.filter(|name| (1..=NAME_MAX).contains(&name.len()));
    match name {
        Some(name) => Ok(Some(name.to_owned())),
        None => Err(ApiError::invalid(
            "Idempotency-Key",
            "must have 1 to 255 ASCII characters, such as a UUID",
        )),
    }
}

/// Carries the call called `name` out, or answers what it was answered before.
pub(super) async fn carry_out(
    api: &Api,
    author: Author,
    name: String,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let workspace = author.workspace;
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, api.catalog_max)
        .await
        .map_err(|_| ApiError::too_large("The body is too large: send less at once."))?;
    let mut hasher = blake3::Hasher::new();
    hasher.update(parts.method.as_str().as_bytes());
    hasher.update(parts.uri.to_string().as_bytes());
    hasher.update(&[0]);
    hasher.update(&body);
    let Some(under_way) = api.gate.named.enter(workspace, &name) else {
        return Err(ApiError::conflict(
            "Idempotency-Key: the first call with this key is still being carried out.",
        ));
    };
    let turn = keep_answers::claim(&api.context, workspace, name, hasher.finalize().into()).await?;
    let claim = match turn {
        Turn::Run(claim) => claim,
        Turn::Replay(answer) => {
            Tally::count(&api.gate.tally.replayed);
            return Ok(again(answer));
        }
        Turn::Other => {
            return Err(ApiError::invalid(
                "Idempotency-Key",
                "was used for another call within the last 24 hours: use a new one",
            ));
        }
        Turn::Lost => {
            return Err(ApiError::conflict(
                "Idempotency-Key: this call was carried out, and its answer is not kept: read what it made.",
            ));
        }
        Turn::TooMany => {
            Tally::count(&api.gate.tally.over_names);
            return Err(ApiError::too_many(
                "Idempotency-Key: too many keys within 24 hours; call without one, or later.",
            ));
        }
    };
    let author = Arc::new(Author {
        claim: Some(claim),
        ..author
    });
    let keeps = keeps_answer(parts.uri.path());
    let work = on_behalf_of(author, next.run(Request::from_parts(parts, Body::from(body))));
    let api = api.clone();
    finish(async move {
        let response = work.await;
        let response = settle(&api, claim, keeps, response).await;
        drop(under_way);
        response
    })
    .await
}

/// Answers that hold a secret are shown once: keys, webhooks, and the links that show a creator their report.
fn keeps_answer(path: &str) -> bool {
    !path
        .split('/')
        .any(|segment| matches!(segment, "keys" | "workspaces" | "webhooks" | "report-links"))
}

/// Keeps the answer of what was carried out, and gives the name of what was refused back.
async fn settle(api: &Api, claim: ClaimNo, keeps: bool, response: Response) -> Response {
    let (parts, body) = response.into_parts();
    // Every answer of this API is whole in memory already.
    let Ok(body) = to_bytes(body, usize::MAX).await else {
        return ApiError::busy().into_response();
    };
    let settled = if !parts.status.is_success() {
        keep_answers::release(&api.context, claim).await
    } else if keeps {
        let answer = KeptAnswer {
            status: parts.status.as_u16(),
            content_type: parts
                .headers
                .get(CONTENT_TYPE)
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned),
            body: body.to_vec(),
        };
        keep_answers::keep(&api.context, claim, answer).await
    } else {
        Ok(())
    };
    match settled {
        Ok(()) => Response::from_parts(parts, Body::from(body)),
        // Asking again says what became of it.
        Err(error) => ApiError::from(error).into_response(),
    }
}

fn again(answer: KeptAnswer) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let content_type = answer.content_type.and_then(|text| HeaderValue::from_str(&text).ok());
    response
        .headers_mut()
        .extend(content_type.map(|value| (CONTENT_TYPE, value)));
    response
        .headers_mut()
        .insert(REPLAYED, HeaderValue::from_static("true"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_call_of_a_name_is_under_way() {
        let calls = Arc::new(NamedCalls::default());
        let first = calls.enter(WorkspaceNo(1), "a");
        assert!(first.is_some() && calls.enter(WorkspaceNo(1), "a").is_none());
        assert!(calls.enter(WorkspaceNo(2), "a").is_some());
        drop(first);
        assert!(calls.enter(WorkspaceNo(1), "a").is_some());
    }

    #[test]
    fn names_are_short_text() {
        for (value, expected) in [
            (None, Ok(None)),
            (Some("a-1"), Ok(Some("a-1"))),
            (Some("\"a-1\""), Ok(Some("a-1"))),
            (Some(""), Err(())),
            (Some("\"\""), Err(())),
            (Some("é"), Err(())),
        ] {
            let mut headers = HeaderMap::new();
            headers.extend(value.map(|text| (NAME, HeaderValue::from_bytes(text.as_bytes()).expect("a value"))));
            let read = name_of(&headers).map_err(drop);
            assert_eq!(read, expected.map(|name| name.map(str::to_owned)), "{value:?}");
        }
    }

    #[test]
    fn answers_with_secrets_are_not_kept() {
        for (path, is_kept) in [
            ("/links", true),
            ("/keys", false),
            ("/workspaces", false),
            ("/webhooks", false),
            ("/webhooks/wh_1/rotate-secret", false),
            ("/partners/pn_1/report-links", false),
        ] {
            assert_eq!(keeps_answer(path), is_kept, "{path}");
        }
    }
}
