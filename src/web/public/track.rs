//! What pages tell, `POST /_/track/click|lead|sale`, with a publishable key and across origins; and the script that tells
//! it, `/_/t.js`.
//!
//! A publishable key is no secret: it says whose conversion it is. What keeps a stranger's page out is the `Origin` that
//! browsers send, which must be one that the key allows; only such an origin is ever echoed (Fetch standard, CORS). What
//! keeps a stranger's program out is nothing: what pages tell is marked as told by a browser. The work runs on the
//! background runtime, so that a spike of conversions does not slow followers.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::{host_of, reply, text_of};
use crate::books;
use crate::clicklog;
use crate::domain::api_key::{self, KEY_MAX};
use crate::domain::conversion::Teller;
use crate::domain::origin;
use crate::flows::track::{Clicker, Tally, Told};
use crate::flows::{Context, Error};
use crate::redirect::{Keys, Throttle};
use crate::web::api::{ApiError, ConversionKind as Kind, TellingPage, TrackingDesk};

/// Where the script is.
pub(super) const SCRIPT: &str = "/_/t.js";
const SCRIPT_TEXT: &str = include_str!("t.js");
/// Its ETag: the text's own hash.
static SCRIPT_TAG: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = blake3::hash(SCRIPT_TEXT.as_bytes()).to_hex();
    let tag = format!("\"{}\"", &hash.as_str()[..16]);
    HeaderValue::from_maybe_shared(Bytes::from(tag)).unwrap_or(HeaderValue::from_static("\"0\""))
});

/// Largest body, in bytes: metadata of 10,000 characters of up to 4 bytes, and everything else that is bounded.
const BODY_MAX: usize = 64 * 1024;
/// A body is a packet or a few: whoever needs longer than this is not a browser.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// Conversions worked on at once; more are told to come back.
const AT_ONCE_MAX: usize = 256;
/// Conversions of one network (IPv4 address, IPv6 /64) in a minute: many people behind one carrier's address, yet no
/// flood.
const PER_MINUTE_MAX: u32 = 120;
/// How long a browser may remember a preflight, in seconds: ten minutes, so that a revoked origin is soon one.
const PREFLIGHT_SECONDS: HeaderValue = HeaderValue::from_static("600");

/// What is told at `path`.
pub(super) fn told_at(path: &str) -> Option<Kind> {
    match path {
        "/_/track/click" => Some(Kind::Click),
        "/_/track/lead" => Some(Kind::Lead),
        "/_/track/sale" => Some(Kind::Sale),
        _ => None,
    }
}

/// The script, for any page; 304 where the browser has it.
pub(super) fn script(request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let known = text_of(request.headers(), header::IF_NONE_MATCH.as_str());
    let tag = SCRIPT_TAG.clone();
    let is_known = tag
        .to_str()
        .is_ok_and(|tag| known.split(',').any(|one| one.trim().trim_start_matches("W/") == tag));
    let mut response = if is_known {
        reply::empty(StatusCode::NOT_MODIFIED)
    } else {
        let body = Bytes::from_static(SCRIPT_TEXT.as_bytes());
        reply::with_body(StatusCode::OK, "text/javascript; charset=utf-8", body)
    };
    if request.method() == Method::HEAD {
        *response.body_mut() = Full::default();
    }
    let headers = response.headers_mut();
    headers.insert(header::ETAG, tag);
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=604800, stale-while-revalidate=86400"),
    );
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("cross-origin"),
    );
    response
}

/// What pages' conversions need; one for all workers.
#[derive(Clone)]
pub struct Tracking {
    inner: Arc<Inner>,
}

struct Inner {
    context: Context,
    clicks: clicklog::Reader,
    keys: Arc<ArcSwap<Keys>>,
    clicker: Clicker,
    runtime: Handle,
    places: Arc<Semaphore>,
    throttle: Throttle,
}

impl Tracking {
    /// Works on `runtime`; `throttle_key` must be fresh from the system's entropy.
    pub fn new(
        context: Context,
        clicks: clicklog::Reader,
        keys: Arc<ArcSwap<Keys>>,
        clicker: Clicker,
        runtime: Handle,
        throttle_key: [u8; 32],
    ) -> Self {
        Self {
            inner: Arc::new(Inner {
                context,
                clicks,
                keys,
                clicker,
                runtime,
                places: Arc::new(Semaphore::new(AT_ONCE_MAX)),
                throttle: Throttle::new(PER_MINUTE_MAX, throttle_key),
            }),
        }
    }

    /// Takes one conversion, or the question before it, from `address`.
    pub(super) async fn take(&self, kind: Kind, address: IpAddr, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let method = request.method().clone();
        if method != Method::POST && method != Method::OPTIONS {
            return reply::only_post();
        }
        let tally = self.inner.context.conversion_tally();
        // Preflights are counted with the rest: each is a look at the books.
        if self.inner.throttle.miss(address, self.inner.context.clock().now()) {
            add(&tally.throttled);
            let mut response = refused(&ApiError::too_many(
                "Too many conversions from here: try again in a minute.",
            ));
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
            return response;
        }
        let Ok(place) = Arc::clone(&self.inner.places).try_acquire_owned() else {
            add(&tally.unavailable);
            return refused(&ApiError::busy());
        };
        let (head, body) = request.into_parts();
        let body = match tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, BODY_MAX).collect()).await {
            Ok(Ok(body)) => body.to_bytes(),
            failed => {
                add(&tally.refused);
                return refused(&match failed {
                    Err(_) => ApiError::bad_request("The body came too slowly."),
                    Ok(_) => ApiError::too_large("The body is too large: 64 KiB at most."),
                });
            }
        };
        let inner = Arc::clone(&self.inner);
        let work = self.inner.runtime.spawn(async move {
            let _place = place;
            match method {
                Method::OPTIONS => inner.preflight(&head.headers).await,
                _ => inner.work(kind, address, &head, &body).await,
            }
        });
        work.await.unwrap_or_else(|_| refused(&ApiError::busy()))
    }
}

impl Inner {
    /// Which origins may ask at all. A preflight carries no key: whatever some key allows may go on and show its own.
    async fn preflight(&self, headers: &HeaderMap) -> Response<Full<Bytes>> {
        let origin = text_of(headers, header::ORIGIN.as_str()).to_owned();
        let asked = origin.clone();
        let is_known = self.context.books().read(move |view| {
            let lists = books::api_key::allowed_origins(view)?;
            Ok::<_, Error>(lists.iter().any(|allowed| origin::is_allowed(&asked, allowed)))
        });
        let mut response = reply::empty(StatusCode::NO_CONTENT);
        vary(response.headers_mut());
        match is_known.await {
            Ok(true) => {}
            Ok(false) => {
                add(&self.context.conversion_tally().foreign);
                *response.status_mut() = StatusCode::FORBIDDEN;
                return response;
            }
            Err(error) => return refused(&error.into()),
        }
        allow(response.headers_mut(), &origin);
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::from_static("authorization, content-type"),
        );
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_SECONDS);
        response
    }

    async fn work(&self, kind: Kind, address: IpAddr, head: &Parts, body: &[u8]) -> Response<Full<Bytes>> {
        let origin = text_of(&head.headers, header::ORIGIN.as_str());
        let mut body: Value = match serde_json::from_slice(body) {
            Ok(body) => body,
            Err(error) => {
                add(&self.tally().refused);
                return refused(&ApiError::bad_request(format!("Invalid JSON: {error}.")));
            }
        };
        let workspace = match self.admit(&head.headers, &mut body, origin).await {
            Ok(workspace) => workspace,
            Err(error) => {
                let counter = if error.status().is_server_error() {
                    &self.tally().unavailable
                } else {
                    &self.tally().foreign
                };
                add(counter);
                return refused(&error);
            }
        };
        let text = |name: HeaderName| text_of(&head.headers, name.as_str());
        let page = TellingPage {
            host: host_of(&head.uri, &head.headers),
            address,
            user_agent: text(header::USER_AGENT),
            accept_language: text(header::ACCEPT_LANGUAGE),
            gpc: text_of(&head.headers, "sec-gpc") == "1",
            dnt: text_of(&head.headers, "dnt") == "1",
        };
        let click_ids = self.keys.load().click_id.clone();
        let desk = TrackingDesk {
            context: &self.context,
            clicks: &self.clicks,
            click_ids: &click_ids,
            clicker: &self.clicker,
        };
        let told = Told {
            workspace,
            by: Teller::Browser,
        };
        let mut response = match desk.take(kind, told, body, Some(page)).await {
            Ok(answer) => reply::json(StatusCode::OK, answer.to_string()),
            Err(error) => refused(&error),
        };
        vary(response.headers_mut());
        allow(response.headers_mut(), origin);
        response
    }

    /// Whose key it is, in the header or, where a beacon cannot set one, as `publishableKey` of the body, which is taken
    /// out.
    async fn admit(
        &self,
        headers: &HeaderMap,
        body: &mut Value,
        origin: &str,
    ) -> Result<crate::domain::id::WorkspaceNo, ApiError> {
        let in_body = body.as_object_mut().and_then(|body| body.remove("publishableKey"));
        let in_header = text_of(headers, header::AUTHORIZATION.as_str());
        let bearer = in_header
            .get(..7)
            .filter(|scheme| scheme.eq_ignore_ascii_case("bearer "));
        let key = match (bearer, in_body) {
            (Some(_), _) => in_header[7..].trim().to_owned(),
            (None, Some(Value::String(key))) => key,
            _ => {
                return Err(ApiError::unauthorized(
                    "A publishable key is missing: send \"Bearer hop_pk_...\".",
                ));
            }
        };
        if key.len() > KEY_MAX {
            return Err(ApiError::unauthorized("Unauthorized: Invalid API key."));
        }
        let (hash, now) = (api_key::hash(&key), self.context.clock().now());
        let found = self.context.books().read(move |view| {
            let key = books::api_key::by_hash(view, &hash)?;
            Ok::<_, Error>(key.filter(|key| key.is_live(now)))
        });
        let Some(key) = found.await? else {
            return Err(ApiError::unauthorized("Unauthorized: Invalid API key."));
        };
        let Some(origins) = &key.origins else {
            return Err(ApiError::forbidden(
                "This is a secret key: never send it from a page. Revoke it, and issue a publishable one.",
            ));
        };
        if !origin::is_allowed(origin, origins) {
            return Err(ApiError::forbidden(
                "This origin is not one that the publishable key allows.",
            ));
        }
        Ok(key.workspace)
    }

    fn tally(&self) -> &Tally {
        self.context.conversion_tally()
    }
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// An error in the dialect's envelope.
fn refused(error: &ApiError) -> Response<Full<Bytes>> {
    let status = StatusCode::from_u16(error.status().as_u16()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = reply::json(status, Value::Object(error.envelope()).to_string());
    vary(response.headers_mut());
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

fn vary(headers: &mut HeaderMap) {
    headers.insert(header::VARY, HeaderValue::from_static("Origin"));
}

/// Lets the page of `origin`, which was found to be allowed, read the answer.
fn allow(headers: &mut HeaderMap, origin: &str) {
    if let Ok(origin) = HeaderValue::from_str(origin) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_is_small_and_its_tag_is_its_own() {
        assert!(SCRIPT_TEXT.len() < 2048, "{} bytes", SCRIPT_TEXT.len());
        let tag = SCRIPT_TAG.to_str().expect("ascii");
        assert!(tag.len() == 18 && tag.starts_with('"') && tag.ends_with('"'), "{tag}");
    }
}
