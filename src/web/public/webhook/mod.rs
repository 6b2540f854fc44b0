//! Shops' webhooks, `POST /_/hooks/{store}`: the raw body is verified before it is parsed ([`read`]), and answered 2xx
//! only after the commit. The work runs on the background runtime, so that an order storm does not slow followers.

mod read;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{HeaderValue, RETRY_AFTER};
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::reply;
use crate::clicklog;
use crate::domain::customer::CustomerKey;
use crate::flows::accept_order::{self, Accepted};
use crate::flows::{Context, Error};
use crate::redirect::Keys;
use read::{Incoming as Delivered, Read};

/// A shop that sends slower than this is no shop.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// Deliveries worked on at once; more are told to come back, which every shop does.
const AT_ONCE_MAX: usize = 256;

/// What webhooks need; one for all workers.
#[derive(Clone)]
pub struct Webhooks {
    inner: Arc<Inner>,
}

struct Inner {
    context: Context,
    clicks: clicklog::Reader,
    keys: Arc<ArcSwap<Keys>>,
    runtime: Handle,
    places: Arc<Semaphore>,
    body_max: usize,
}

impl Webhooks {
    /// Works on `runtime`; bodies have at most `body_max` bytes.
    pub fn new(
        context: Context,
        clicks: clicklog::Reader,
        keys: Arc<ArcSwap<Keys>>,
        runtime: Handle,
        body_max: usize,
    ) -> Self {
        let places = Arc::new(Semaphore::new(AT_ONCE_MAX));
        Self {
            inner: Arc::new(Inner {
                context,
                clicks,
                keys,
                runtime,
                places,
                body_max,
            }),
        }
    }

    /// Takes one delivery for the store called `store_id`.
    pub(super) async fn take(&self, store_id: String, request: Request<Incoming>) -> Response<Full<Bytes>> {
        if request.method() != Method::POST {
            let mut response = reply::text(StatusCode::METHOD_NOT_ALLOWED, "Webhooks are POSTed.\n");
            response.headers_mut().insert("allow", HeaderValue::from_static("POST"));
            return response;
        }
        let Ok(place) = Arc::clone(&self.inner.places).try_acquire_owned() else {
            return busy();
        };
        let (head, body) = request.into_parts();
        let body = match tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, self.inner.body_max).collect()).await {
            Err(_) => return reply::text(StatusCode::REQUEST_TIMEOUT, "The body came too slowly.\n"),
            Ok(Err(_)) => return reply::text(StatusCode::PAYLOAD_TOO_LARGE, "The body is too large for a webhook.\n"),
            Ok(Ok(body)) => body.to_bytes(),
        };
        let inner = Arc::clone(&self.inner);
        let work = self.inner.runtime.spawn(async move {
            let _place = place;
            inner.work(&store_id, &head, &body).await
        });
        work.await.unwrap_or_else(|_| busy())
    }
}

impl Inner {
    async fn work(&self, store_id: &str, head: &Parts, body: &[u8]) -> Response<Full<Bytes>> {
        let known = match accept_order::store_of_hook(&self.context, store_id).await {
            Ok(known) => known,
            Err(error) => return refuse(&error),
        };
        let Some((store, signers)) = known else {
            return reply::text(StatusCode::NOT_FOUND, "No store has this webhook URL.\n");
        };
        let delivered = Delivered {
            head,
            body,
            signers: &signers,
            customers: CustomerKey::of(&self.keys.load().click_id, store.workspace),
            authority: &self.context.public().authority,
            now: self.context.clock().now(),
            store: &store,
        };
        let delivery = match delivered.read() {
            Ok(Read::Delivery(delivery)) => delivery,
            Ok(Read::Ping) => return reply::text(StatusCode::OK, "pong\n"),
            Err(refusal) => {
                tracing::warn!(store = %store.id, reason = %refusal, "webhook refused");
                return refusal.answer();
            }
        };
        match accept_order::accept(&self.context, &self.clicks, &self.keys, store, delivery).await {
            Ok(Accepted::Changed) => reply::text(StatusCode::OK, "accepted\n"),
            Ok(Accepted::Unchanged) => reply::text(StatusCode::OK, "nothing new\n"),
            Err(error) => refuse(&error),
        }
    }
}

fn refuse(error: &Error) -> Response<Full<Bytes>> {
    match error {
        Error::Invalid(_) => reply::text(
            StatusCode::UNPROCESSABLE_ENTITY,
            "The body is not what its topic says.\n",
        ),
        error => {
            tracing::error!(%error, "webhook not accepted; the shop will send it again");
            busy()
        }
    }
}

fn busy() -> Response<Full<Bytes>> {
    let mut response = reply::text(StatusCode::SERVICE_UNAVAILABLE, "Not now; please send it again.\n");
    response
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from_static("5"));
    response
}
