//! The password's form, posted to the link's own address: whoever says the password gets a signed cookie for an hour and
//! is sent to the link again. Guessing is slow: a hash takes tens of milliseconds, and tries are counted by address and
//! by link.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, SET_COOKIE};
use hyper::{Request, Response, StatusCode};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::{interstitial, reply, text_of};
use crate::domain::id::LinkNo;
use crate::domain::password::{self, PasswordHash, UNLOCKED_SECONDS};
use crate::flows::{Context, lock_link};
use crate::redirect::{Keys, Refusal, Throttle};
use crate::web::pages::Language;
use crate::web::pages::interstitial::password_page;

/// Largest form, in bytes: a password of the longest kind with every byte escaped, and its name.
const BODY_MAX: usize = 2048;
/// A form is a packet: whoever needs longer than this is not a browser.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// Forms worked on at once, most of them waiting for a hash; more are told to come back.
const AT_ONCE_MAX: usize = 32;
/// Tries of one network (IPv4 address, IPv6 /64) in a minute: typing errors of a few people, no dictionary.
const PER_MINUTE_MAX: u32 = 10;
/// Wrong tries at one link in a minute, from wherever: a guesser with many addresses is held up, and with him, for the
/// rest of the minute, whoever has not yet said it.
const WRONG_PER_MINUTE_MAX: u32 = 30;

/// What the forms of locked links need; one for all workers.
#[derive(Clone)]
pub struct Unlocking {
    inner: Arc<Inner>,
}

struct Inner {
    context: Context,
    keys: Arc<ArcSwap<Keys>>,
    runtime: Handle,
    places: Arc<Semaphore>,
    by_address: Throttle,
    by_link: Throttle,
}

/// A link that is locked, and who tries to open it.
pub(super) struct Try {
    pub link: LinkNo,
    pub hash: PasswordHash,
    pub address: IpAddr,
    pub is_secure: bool,
}

impl Unlocking {
    /// Works on `runtime`; `throttle_key` must be fresh from the system's entropy.
    pub fn new(context: Context, keys: Arc<ArcSwap<Keys>>, runtime: Handle, throttle_key: [u8; 32]) -> Self {
        Self {
            inner: Arc::new(Inner {
                context,
                keys,
                runtime,
                places: Arc::new(Semaphore::new(AT_ONCE_MAX)),
                by_address: Throttle::new(PER_MINUTE_MAX, throttle_key),
                by_link: Throttle::new(WRONG_PER_MINUTE_MAX, throttle_key),
            }),
        }
    }

    /// Takes one form.
    pub(super) async fn take(&self, tried: Try, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let now = self.inner.context.clock().now();
        let link = tried.link.0.to_be_bytes();
        if self.inner.by_link.is_over(&link, now) || self.inner.by_address.miss(tried.address, now) {
            return reply::refused(Refusal::TooMany);
        }
        if !text_of(request.headers(), CONTENT_TYPE.as_str()).starts_with("application/x-www-form-urlencoded") {
            return reply::text(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Send the page's form.\n");
        }
        let Ok(place) = Arc::clone(&self.inner.places).try_acquire_owned() else {
            return reply::refused(Refusal::Unavailable);
        };
        let (parts, body) = request.into_parts();
        let body = Limited::new(body, BODY_MAX).collect();
        let body = match tokio::time::timeout(BODY_TIMEOUT, body).await {
            Ok(Ok(body)) => body.to_bytes(),
            Err(_) => return reply::text(StatusCode::REQUEST_TIMEOUT, "The form came too slowly.\n"),
            Ok(Err(_)) => return reply::text(StatusCode::PAYLOAD_TOO_LARGE, "The form is too large.\n"),
        };
        let said = url::form_urlencoded::parse(&body).find(|(name, _)| name == "password");
        let said = said.map(|(_, value)| value.into_owned()).unwrap_or_default();
        let (context, hash) = (self.inner.context.clone(), tried.hash.clone());
        // The hash is computed where followers do not wait for it.
        let work = self.inner.runtime.spawn(async move {
            let _place = place;
            lock_link::opens(&context, hash, said).await
        });
        match work.await {
            Ok(Ok(true)) => self.open(&tried, &parts.uri),
            Ok(Ok(false)) => {
                self.inner.by_link.count(&link, now);
                let header = |name: HeaderName| text_of(&parts.headers, name.as_str());
                let language = Language::of_accept_language(header(ACCEPT_LANGUAGE));
                interstitial::page(StatusCode::FORBIDDEN, password_page(language, true))
            }
            Ok(Err(_)) | Err(_) => reply::refused(Refusal::Unavailable),
        }
    }

    /// Back to the link, with the cookie that opens it.
    fn open(&self, tried: &Try, uri: &hyper::Uri) -> Response<Full<Bytes>> {
        let end = self.inner.context.clock().now().plus_ms(UNLOCKED_SECONDS * 1000);
        let value = password::sign(tried.link, &tried.hash, end, &self.inner.keys.load().cookie);
        let secure = if tried.is_secure { "; Secure" } else { "" };
        let cookie = format!(
            "{}={value}; Path=/; Max-Age={UNLOCKED_SECONDS}; HttpOnly; SameSite=Lax{secure}",
            password::cookie_name(tried.link)
        );
        // The path named a link, so it begins with one slash: it cannot name another host.
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        let (Ok(location), Ok(cookie)) = (HeaderValue::from_str(target), HeaderValue::from_str(&cookie)) else {
            return reply::refused(Refusal::NotFound);
        };
        let mut response = reply::empty(StatusCode::SEE_OTHER);
        let headers = response.headers_mut();
        headers.insert(LOCATION, location);
        headers.insert(SET_COOKIE, cookie);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
        response
    }
}
