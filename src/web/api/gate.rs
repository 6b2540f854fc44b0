//! What stands before every call: whether its key may make it and how often, that a named call is carried out once, and in
//! whose name its writes are noted. Calls without a good key pass through: each handler refuses them itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::{FromRequestParts, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;

use super::error::ApiError;
use super::named_call::{self, NamedCalls};
use super::pace::Paces;
use super::{Api, Caller};
use crate::books::author::{Author, on_behalf_of};
use crate::domain::time::Timestamp;
use crate::flows::{Error, issue_key, keep_answers};

/// What the gate remembers; shared by all calls.
#[derive(Debug, Default)]
pub struct Gate {
    paces: Paces,
    pub(super) named: Arc<NamedCalls>,
    pub tally: Tally,
}

/// Calls that were answered without being carried out, for `/metrics`.
#[derive(Debug, Default)]
pub struct Tally {
    /// Answered 429: their key made too many calls.
    pub over_pace: AtomicU64,
    /// Answered 429: their workspace named too many calls.
    pub over_names: AtomicU64,
    /// Named calls that were answered as before.
    pub replayed: AtomicU64,
}

impl Tally {
    pub(super) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

impl Gate {
    /// With the server's own bound in calls a minute; 0 = none.
    pub fn new(calls_per_minute: u32) -> Self {
        Self {
            paces: Paces::new(calls_per_minute),
            named: Arc::default(),
            tally: Tally::default(),
        }
    }
}

/// Lets a call through, or answers it.
pub(super) async fn pass(State(api): State<Api>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    if percent_decode_str(parts.uri.path()).decode_utf8().is_err() {
        return ApiError::bad_request("The path is not UTF-8.").into_response();
    }
    let Ok(caller) = Caller::from_request_parts(&mut parts, &api).await else {
        return next.run(Request::from_parts(parts, body)).await;
    };
    let now = api.context.clock().now();
    let (quota, touches) = api.gate.paces.count(&caller, now);
    if touches {
        note_use(&api, &caller);
    }
    parts.extensions.insert(caller.clone());
    let mut response = match quota {
        Some(quota) if quota.is_over => {
            Tally::count(&api.gate.tally.over_pace);
            let message = format!("Rate limit exceeded: the key may make {} calls a minute.", quota.limit);
            ApiError::too_many(message).into_response()
        }
        _ => serve(&api, &caller, Request::from_parts(parts, body), next, now)
            .await
            .unwrap_or_else(IntoResponse::into_response),
    };
    if let Some(quota) = quota {
        quota.tell(response.headers_mut(), now);
    }
    response
}

/// Beside the call, which does not wait for it.
fn note_use(api: &Api, caller: &Caller) {
    let (context, id) = (api.context.clone(), caller.key_id.clone());
    tokio::spawn(async move {
        if let Err(error) = issue_key::touch(&context, id).await {
            tracing::warn!(%error, "a key's last use was not noted");
        }
    });
}

async fn serve(api: &Api, caller: &Caller, request: Request, next: Next, now: Timestamp) -> Result<Response, ApiError> {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let segment = request.uri().path().split('/').nth(1).unwrap_or_default();
    caller.must_have_scope(segment, is_read)?;
    if is_read {
        return Ok(next.run(request).await);
    }
    let author = author(caller, request.method(), request.uri().path(), now);
    let erases = is_personal(segment) && (*request.method() == Method::DELETE || segment == "erasures");
    let response = match named_call::name_of(request.headers())? {
        Some(name) => named_call::carry_out(api, author, name, request, next).await?,
        None => finish(on_behalf_of(Arc::new(author), next.run(request))).await?,
    };
    if erases && response.status().is_success() {
        keep_answers::drop_answers(&api.context, caller.workspace).await?;
    }
    Ok(response)
}

/// In whose name `caller` calls.
pub(in crate::web) fn author(caller: &Caller, method: &Method, path: &str, now: Timestamp) -> Author {
    Author {
        workspace: caller.workspace,
        key_id: caller.key_id.clone(),
        action: action(method, path),
        at: now,
        claim: None,
        // What is told of conversions is kept as such: it is no brand's decision, and would drown them.
        is_noted: path.starts_with("/track/").into(),
    }
}

/// Whether paths that begin with `segment` are about people.
fn is_personal(segment: &str) -> bool {
    matches!(segment, "customers" | "visitors" | "waitlist" | "erasures")
}

/// Carries a write out to its end, even when who asked hangs up half way: what was committed must be followable.
pub(in crate::web) async fn finish(
    work: impl Future<Output = Response> + Send + 'static,
) -> Result<Response, ApiError> {
    let done = tokio::spawn(work).await;
    done.map_err(|error| Error::Internal(error.to_string()).into())
}

/// Method and path; who is erased or looked up by an id of the brand's is not named.
fn action(method: &Method, path: &str) -> String {
    let mut segments = path.trim_start_matches('/').split('/');
    let first = segments.next().unwrap_or_default();
    let hides = is_personal(first);
    let mut action = format!("{method} /{first}");
    for segment in segments {
        action.push('/');
        action.push_str(if hides && !segment.starts_with("cus_") {
            "***"
        } else {
            segment
        });
    }
    // Paths are as long as a request's head may be; the log keeps what ids need.
    action.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;
    use crate::domain::scope;

    #[tokio::test]
    async fn a_write_ends_though_who_asked_hung_up() {
        let (commit, committed) = tokio::sync::oneshot::channel();
        let (publish, published) = tokio::sync::oneshot::channel();
        {
            let call = finish(async move {
                committed.await.expect("the commit");
                publish.send("followable").expect("somebody looks");
                Response::default()
            });
            let mut call = pin!(call);
            assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            tokio::task::yield_now().await;
        }
        commit.send(()).expect("the work goes on");
        assert_eq!(published.await, Ok("followable"));
    }

    #[test]
    fn the_log_names_no_person() {
        for (path, expected) in [
            ("/links/link_1", "PATCH /links/link_1"),
            ("/customers/cus_1", "PATCH /customers/cus_1"),
            ("/customers/ext_zoe@mail.example", "PATCH /customers/***"),
            ("/visitors/0123", "PATCH /visitors/***"),
            ("/keys", "PATCH /keys"),
        ] {
            assert_eq!(action(&Method::PATCH, path), expected);
        }
    }

    #[test]
    fn every_route_belongs_to_a_scope() {
        let (_, described) = super::super::routes::all(0).split();
        assert!(described.len() > 90, "{}", described.len());
        for path in described.iter().map(|one| one.path) {
            let segment = path.split('/').nth(1).unwrap_or_default();
            assert!(scope::noun_of(segment).is_some(), "{path} belongs to no scope");
        }
    }
}
