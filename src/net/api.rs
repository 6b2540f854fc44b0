//! A listener for tools and people with keys: any tower service, on the multi-threaded runtime, over HTTP/1 in clear text.
//!
//! The same limits, framing rules and trust in proxies as on the public port. The service finds the [`Peer`] in the
//! request's extensions.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::{Request, Response};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

use super::accept::{ACCEPTS_AT_A_TURN, accept_until, watch};
use super::connection::{Visit, serve_http1};
use super::connections::{Bounds, Connections};
use super::counters::Tally;
use super::error::NetError;
use super::forwarded::{Hop, Peer};
use super::limits::Limits;
use super::listen;
use super::network::{IpNetwork, TrustedProxies};

/// What an API listener is served with.
pub struct ApiOptions {
    /// Bounds on connections.
    pub limits: Limits,
    /// Networks whose X-Forwarded-* headers are believed. PROXY headers are not read here.
    pub trusted_proxies: Vec<IpNetwork>,
    /// How long requests may run on after the stop.
    pub grace: Duration,
    /// Where to count: [`Tally::single`].
    pub tally: Tally,
}

/// Binds an API listener; port 0 takes a free one. The listener is non-blocking.
///
/// # Errors
/// [`NetError::AddressInUse`] or [`NetError::Bind`].
pub fn bind_api(address: SocketAddr) -> Result<std::net::TcpListener, NetError> {
    listen::bind_alone(address)
}

/// Serves `service` on `listener` until `stop`, then answers what was accepted, at most for the grace.
pub async fn serve_api<S, B>(listener: TcpListener, service: S, options: ApiOptions, stop: impl Future<Output = ()>)
where
    S: tower::Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
    B: Body + Default + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let limits = options.limits;
    let trusted = Arc::new(TrustedProxies::from(options.trusted_proxies));
    let connections = Connections::new(options.tally.worker(0), Bounds::new(&limits));
    let listener = match listener.into_std().and_then(watch) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "the API cannot be served"),
    };
    // Those that outlast the grace are cut off when this is dropped.
    let mut tasks = tokio::task::JoinSet::new();
    let serve = |stream, address: SocketAddr| {
        while tasks.try_join_next().is_some() {}
        // Who may call is a matter of keys; one address, a proxy's, may stand for all of them.
        let Some(guest) = connections.enter(None) else { return };
        let Ok(stream) = TcpStream::from_std(stream) else {
            return;
        };
        let visit = Visit {
            guest,
            hop: Hop::new(address.ip(), false, &trusted),
            limits,
            trusted: Arc::clone(&trusted),
        };
        let service = service.clone();
        tasks.spawn(serve_http1(stream, visit, move |peer, request| {
            respond(service.clone(), peer, request)
        }));
    };
    accept_until(listener, ACCEPTS_AT_A_TURN, &connections.counters, stop, serve, || {}).await;
    connections.drain();
    if tokio::time::timeout(options.grace, connections.emptied())
        .await
        .is_err()
    {
        tracing::info!("API connections cut off at the end of the grace period");
    }
}

async fn respond<S, B>(service: S, peer: Peer, mut request: Request<Incoming>) -> Response<B>
where
    S: tower::Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
{
    request.extensions_mut().insert(peer);
    match service.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::testing::{exchange, status_of};
    use axum::Extension;
    use axum::routing::{get, post};
    use std::io::{Read, Write};
    use std::sync::mpsc;
    use tokio::sync::oneshot;

    /// A served router, on a runtime of its own.
    struct Api {
        address: SocketAddr,
        tally: Tally,
        stop: oneshot::Sender<()>,
        thread: std::thread::JoinHandle<()>,
    }

    fn serve(router: axum::Router) -> Api {
        let listener = bind_api("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let tally = Tally::single();
        let options = ApiOptions {
            limits: Limits::default(),
            trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()],
            grace: Duration::from_secs(5),
            tally: tally.clone(),
        };
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                serve_api(listener, router, options, async { drop(stopped.await) }).await;
            });
        });
        Api {
            address,
            tally,
            stop,
            thread,
        }
    }

    #[test]
    fn a_router_is_served_with_the_peer_of_the_request() {
        let router = axum::Router::new()
            .route(
                "/who",
                get(|Extension(peer): Extension<Peer>| async move { format!("{peer:?}") }),
            )
            .route("/body", post(|body: String| async move { body }))
            .route(
                "/panic",
                get(|| async {
                    if true {
                        panic!("on purpose")
                    }
                }),
            );
        let api = serve(router);
        let who = b"GET /who HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\
            X-Forwarded-For: 203.0.113.1\r\nX-Forwarded-Proto: https\r\n\r\n";
        assert!(exchange(api.address, who).ends_with("Peer { address: 203.0.113.1, is_secure: true }"));
        let chunked = b"POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
        assert!(exchange(api.address, chunked).ends_with("abc"));
        assert_eq!(exchange(api.address, b"GET /panic HTTP/1.1\r\nHost: a\r\n\r\n"), "");
        assert_eq!(status_of(&exchange(api.address, b"GET /who HTTP/1.1\r\n\r\n")), 400);
        let (tally, thread) = (api.tally, api.thread);
        api.stop.send(()).unwrap();
        thread.join().unwrap();
        let totals = tally.totals();
        assert_eq!(
            (totals.accepted, totals.open, totals.panics, totals.bad_requests),
            (4, 0, 1, 1)
        );
    }

    #[test]
    fn a_request_that_runs_at_the_stop_is_answered() {
        let (started, is_started) = mpsc::channel();
        let (finish, finished) = tokio::sync::watch::channel(false);
        let router = axum::Router::new().route(
            "/slow",
            get(move || {
                let (started, mut finished) = (started.clone(), finished.clone());
                async move {
                    started.send(()).unwrap();
                    finished.wait_for(|finished| *finished).await.unwrap();
                    "done"
                }
            }),
        );
        let api = serve(router);
        let mut client = std::net::TcpStream::connect(api.address).unwrap();
        client.write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        is_started.recv().unwrap();
        api.stop.send(()).unwrap();
        while std::net::TcpStream::connect(api.address).is_ok() {
            std::thread::yield_now();
        }
        finish.send(true).unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert!(
            answer.ends_with("done") && answer.contains("connection: close"),
            "{answer}"
        );
        api.thread.join().unwrap();
    }

    #[test]
    fn a_taken_address_is_named() {
        let listener = bind_api("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        assert!(matches!(bind_api(address), Err(NetError::AddressInUse(taken)) if taken == address));
    }
}
