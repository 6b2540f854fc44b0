//! Replies to followers as HTTP: every header value is built from checked parts, no request byte is copied.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Response, StatusCode, Version};

use crate::net::AnswerLines;
use crate::redirect::{Redirect, Refusal};
use crate::web::pages::{FollowerPage, follower};

const NO_STORE: HeaderValue = HeaderValue::from_static("private, no-store");
pub(super) const REFERRER_POLICY: HeaderValue = HeaderValue::from_static("strict-origin-when-cross-origin");
const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");
const NO_INDEX: HeaderValue = HeaderValue::from_static("noindex");
const ROBOTS: HeaderName = HeaderName::from_static("x-robots-tag");
const ACK: HeaderName = HeaderName::from_static("hopcart-ack");
const NO_SNIFF: HeaderValue = HeaderValue::from_static("nosniff");

/// A redirect; `is_durable` says whether its click is on disk, when somebody wants to know.
pub(super) fn redirect(redirect: Redirect, is_durable: Option<bool>) -> Response<Full<Bytes>> {
    let mut response = empty(if redirect.status == 303 {
        StatusCode::SEE_OTHER
    } else {
        StatusCode::FOUND
    });
    let headers = response.headers_mut();
    match HeaderValue::from_maybe_shared(Bytes::from(redirect.location)) {
        Ok(location) => headers.insert(header::LOCATION, location),
        // Stored destinations are serialised URLs and merged parts are percent-encoded: this cannot be reached, and
        // must not be a redirect to nowhere if it ever is.
        Err(_) => return page(FollowerPage::Unavailable),
    };
    headers.insert(header::CACHE_CONTROL, NO_STORE);
    let policy = if redirect.hides_referrer {
        NO_REFERRER
    } else {
        REFERRER_POLICY
    };
    headers.insert(header::REFERRER_POLICY, policy);
    headers.insert(ROBOTS, NO_INDEX);
    mark(headers, redirect.cookie, is_durable);
    response
}

/// As [`redirect`] where nobody asks about the disk, straight into an answer's lines. False, with nothing written, when
/// the location is no header's value; see there.
#[must_use]
pub(super) fn write_redirect(redirect: &Redirect, answer: &mut AnswerLines<'_>) -> bool {
    answer.fixed(if redirect.status == 303 {
        "HTTP/1.1 303 See Other\r\n"
    } else {
        "HTTP/1.1 302 Found\r\n"
    });
    if !answer.line("location: ", &redirect.location) {
        answer.clear();
        return false;
    }
    answer.fixed(if redirect.hides_referrer {
        "cache-control: private, no-store\r\nreferrer-policy: no-referrer\r\nx-robots-tag: noindex\r\n"
    } else {
        "cache-control: private, no-store\r\nreferrer-policy: strict-origin-when-cross-origin\r\nx-robots-tag: noindex\r\n"
    });
    if let Some(cookie) = &redirect.cookie {
        // One that is no value is left out, as there.
        let _ = answer.line("set-cookie: ", cookie);
    }
    true
}

/// What every answer to a click carries: its cookie, and whether it is on disk when somebody wants to know.
pub(super) fn mark(headers: &mut HeaderMap, cookie: Option<String>, is_durable: Option<bool>) {
    if let Some(cookie) = cookie.and_then(|cookie| HeaderValue::from_maybe_shared(Bytes::from(cookie)).ok()) {
        headers.insert(header::SET_COOKIE, cookie);
    }
    if let Some(is_durable) = is_durable {
        headers.insert(
            ACK,
            HeaderValue::from_static(if is_durable { "durable" } else { "late" }),
        );
    }
}

/// Has a connection of `version` end with this answer: what began on the long way, because something was not there yet,
/// stays on it, and the next connection takes the short one.
pub(super) fn end_connection(version: Version, headers: &mut HeaderMap) {
    if version != Version::HTTP_2 {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
}

/// Nowhere to go: a page that says so.
pub(super) fn refused(refusal: Refusal) -> Response<Full<Bytes>> {
    match refusal {
        Refusal::NotFound => page(FollowerPage::NotFound),
        Refusal::Gone => page(FollowerPage::Gone),
        Refusal::TooMany => {
            let mut response = page(FollowerPage::TooMany);
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
            response
        }
        Refusal::Unavailable => {
            let mut response = page(FollowerPage::Unavailable);
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            response
        }
    }
}

/// One of the follower's pages.
pub(super) fn page(page: FollowerPage) -> Response<Full<Bytes>> {
    let status = StatusCode::from_u16(page.status()).unwrap_or(StatusCode::NOT_FOUND);
    let mut response = with_body(
        status,
        "text/html; charset=utf-8",
        Bytes::from_static(page.html().as_bytes()),
    );
    response
        .headers_mut()
        .insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(follower::CSP));
    response
}

/// A page that was drawn for this request.
pub(super) fn html(status: StatusCode, html: Bytes) -> Response<Full<Bytes>> {
    with_body(status, "text/html; charset=utf-8", html)
}

/// A JSON document.
pub(super) fn json(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    with_body(status, "application/json", text.into())
}

/// Plain text.
pub(super) fn text(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    with_body(status, "text/plain; charset=utf-8", text.into())
}

/// 405 for methods that no link takes.
pub(super) fn method_not_allowed() -> Response<Full<Bytes>> {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "Links take GET and HEAD.\n");
    response
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

/// 405 for what only a form is sent to.
pub(super) fn only_post() -> Response<Full<Bytes>> {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "This takes POST.\n");
    response
        .headers_mut()
        .insert(header::ALLOW, HeaderValue::from_static("POST"));
    response
}

/// No body.
pub(super) fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

pub(super) fn with_body(status: StatusCode, kind: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, NO_STORE);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, NO_SNIFF);
    headers.insert(ROBOTS, NO_INDEX);
    response
}
