//! A tiny HTTP/1.1 server on loopback, in clear text and over TLS, for whatever a test needs to stand in for.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

/// What is answered to a request whose body was read to its end.
pub type Answer = Response<Full<Bytes>>;

/// Serves until it is dropped.
pub struct SmallServer {
    pub plain: SocketAddr,
    pub tls: SocketAddr,
    _runtime: Runtime,
}

impl SmallServer {
    /// `name` is what the certificate is for; `answer` is asked for every request, one connection at a time or several.
    pub fn start(name: &str, answer: impl Fn(&Request<Bytes>) -> Answer + Send + Sync + 'static) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let answer = Arc::new(answer);
        let acceptor = acceptor(name);
        let (plain, tls) = runtime.block_on(async {
            let (for_plain, for_tls) = (Arc::clone(&answer), answer);
            let plain = accept(move |stream| converse(stream, Arc::clone(&for_plain))).await;
            let tls = accept(move |stream| {
                let (acceptor, answer) = (acceptor.clone(), Arc::clone(&for_tls));
                async move {
                    // Who does not finish its handshake has no question.
                    if let Ok(stream) = acceptor.accept(stream).await {
                        converse(stream, answer).await;
                    }
                }
            })
            .await;
            (plain, tls)
        });
        Self {
            plain,
            tls,
            _runtime: runtime,
        }
    }
}

fn acceptor(name: &str) -> TlsAcceptor {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("TLS versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("a pair");
    TlsAcceptor::from(Arc::new(config))
}

/// Listens on a free port and gives each connection a task.
pub async fn accept<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).expect("no delay");
            tokio::spawn(serve(stream));
        }
    });
    address
}

async fn converse<S, A>(stream: S, answer: Arc<A>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    A: Fn(&Request<Bytes>) -> Answer + ?Sized,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = Arc::clone(&answer);
        async move {
            let (head, body) = request.into_parts();
            // A browser that went away in the middle of its request gets an answer to what came.
            let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
            Ok::<_, Infallible>(answer(&Request::from_parts(head, body)))
        }
    });
    // Browsers cut connections short when they close.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}
