//! Calls other people's servers over HTTP/1.1, in clear text or TLS.
//!
//! Follows no redirect (a secret header must not travel on), reads no more than it was told to, and never takes longer
//! than it was told to, whatever the other side does. Told so, it connects to public addresses alone, so that nobody can
//! point it into this machine's network. Retries nothing; callers know what may be repeated.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{HeaderMap, Method, Request};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tower::Service;

use super::network::is_public;

/// Idle connections kept for one host. 8: callers work through small queues.
const IDLE_PER_HOST_MAX: usize = 8;
/// How long an idle connection is kept. 30 s, shorter than the 60 s after which common servers close.
const IDLE: Duration = Duration::from_secs(30);

/// What [`Names::look_up`] returns.
pub type LookingUp = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>>;

/// Finds the addresses of names, in the place of the system's resolver.
pub trait Names: fmt::Debug + Send + Sync + 'static {
    /// The addresses of `host`.
    fn look_up(&self, host: &str) -> LookingUp;
}

/// How a client calls.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// For a whole call: name look-up, connection, handshake, sending, the last byte of the answer.
    pub timeout: Duration,
    /// Largest body of an answer, in bytes.
    pub body_max: usize,
    /// Certificates, as PEM, of authorities that are trusted besides the public ones.
    pub extra_roots: Option<Vec<u8>>,
    /// Whether only public addresses are connected to (see [`is_public`]): for every URL that a stranger may have
    /// written. Looked at where the connection is made, so a name cannot change its address in between; a name with one
    /// address that is not public is not connected to at all.
    pub public_only: bool,
    /// Whether nothing is sent in clear.
    pub tls_only: bool,
    /// Who finds addresses (none: the system).
    pub names: Option<Arc<dyn Names>>,
}

impl Default for ClientOptions {
    /// 10 s and 1 MiB, public authorities, any address, in clear or TLS.
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            body_max: 1024 * 1024,
            extra_roots: None,
            public_only: false,
            tls_only: false,
            names: None,
        }
    }
}

/// A server's answer, whatever its status.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum ClientError {
    /// The URL or a header cannot be sent. Ours to mend; a repetition fails again.
    Request(String),
    /// The extra roots are no certificates.
    Roots(String),
    /// The call took too long. What it asked for may have been done.
    Timeout,
    /// The host is an address that is not public, or its name leads to one. Nothing was sent.
    NotPublic,
    /// The answer's body is larger than allowed.
    TooLarge,
    /// No connection, or it broke. What the call asked for may have been done unless `is_connect`.
    Transport {
        /// Whether the connection could not be made, so that nothing was sent.
        is_connect: bool,
        /// What went wrong, for the log.
        reason: String,
    },
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(reason) => write!(f, "cannot send such a request: {reason}"),
            Self::Roots(reason) => write!(f, "extra root certificates cannot be used: {reason}"),
            Self::Timeout => f.write_str("no complete answer in time"),
            Self::NotPublic => f.write_str("the host is, or leads to, an address that is not public"),
            Self::TooLarge => f.write_str("the answer is too large"),
            Self::Transport {
                is_connect: true,
                reason,
            } => write!(f, "cannot connect: {reason}"),
            Self::Transport {
                is_connect: false,
                reason,
            } => write!(f, "connection lost: {reason}"),
        }
    }
}

impl std::error::Error for ClientError {}

/// A client with a pool of connections; a clone shares it. Needs a Tokio runtime to call from.
#[derive(Clone)]
pub struct Client {
    pool: legacy::Client<HttpsConnector<HttpConnector<Resolver>>, Full<Bytes>>,
    resolver: Resolver,
    timeout: Duration,
    body_max: usize,
}

impl Client {
    /// A client.
    ///
    /// # Errors
    /// [`ClientError::Roots`].
    pub fn new(options: ClientOptions) -> Result<Self, ClientError> {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let config = rustls::ClientConfig::builder_with_provider(provider.into())
            .with_safe_default_protocol_versions()
            .map_err(|error| ClientError::Roots(error.to_string()))?
            .with_root_certificates(roots(options.extra_roots.as_deref())?)
            .with_no_client_auth();
        let resolver = Resolver {
            system: GaiResolver::new(),
            names: options.names,
            public_only: options.public_only,
        };
        let mut connector = HttpConnector::new_with_resolver(resolver.clone());
        connector.enforce_http(false);
        let builder = hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(config);
        let builder = match options.tls_only {
            true => builder.https_only(),
            false => builder.https_or_http(),
        };
        let connector = builder.enable_http1().wrap_connector(connector);
        let pool = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_PER_HOST_MAX)
            .build(connector);
        Ok(Self {
            pool,
            resolver,
            timeout: options.timeout,
            body_max: options.body_max,
        })
    }

    /// Sends one request and reads the whole answer.
    ///
    /// # Errors
    /// [`ClientError`]; an answer with any status is no error.
    pub async fn send(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Answer, ClientError> {
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .body(Full::new(body))
            .map_err(|error| ClientError::Request(error.to_string()))?;
        if request.uri().authority().is_none() {
            return Err(ClientError::Request("the URL is not absolute".into()));
        }
        // A written address is never resolved; every other spelling of one goes through the resolver.
        if let Some(Ok(address)) = request.uri().host().map(written) {
            self.resolver.allow(&[address]).map_err(|_| ClientError::NotPublic)?;
        }
        tokio::time::timeout(self.timeout, self.call(request))
            .await
            .unwrap_or(Err(ClientError::Timeout))
    }

    /// Looks up `host`, as a URL has it, and sends nothing.
    ///
    /// # Errors
    /// [`ClientError::NotPublic`]; [`ClientError::Timeout`]; [`ClientError::Transport`] when the name has no address.
    pub async fn look_up(&self, host: &str) -> Result<(), ClientError> {
        let looked_up = async {
            match written(host) {
                Ok(address) => self.resolver.allow(&[address]),
                Err(_) => self.resolver.look_up(host).await.map(drop),
            }
        };
        let looked_up = tokio::time::timeout(self.timeout, looked_up).await;
        let looked_up = looked_up.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        looked_up.map_err(|error| match is_not_public(&error) {
            true => ClientError::NotPublic,
            false if error.kind() == io::ErrorKind::TimedOut => ClientError::Timeout,
            false => ClientError::Transport {
                is_connect: true,
                reason: chain(&error),
            },
        })
    }

    /// [`Self::send`] of a GET.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn get(&self, url: &str, headers: &[(&str, &str)]) -> Result<Answer, ClientError> {
        self.send(Method::GET, url, headers, Bytes::new()).await
    }

    /// [`Self::send`] of a POST.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn post(&self, url: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Result<Answer, ClientError> {
        self.send(Method::POST, url, headers, Bytes::from(body)).await
    }

    async fn call(&self, request: Request<Full<Bytes>>) -> Result<Answer, ClientError> {
        let response = self
            .pool
            .request(request)
            .await
            .map_err(|error| match is_not_public(&error) {
                true => ClientError::NotPublic,
                false => ClientError::Transport {
                    is_connect: error.is_connect(),
                    reason: chain(&error),
                },
            })?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, self.body_max).collect().await.map_err(|error| {
            match error.downcast_ref::<LengthLimitError>() {
                Some(_) => ClientError::TooLarge,
                None => ClientError::Transport {
                    is_connect: false,
                    reason: chain(error.as_ref()),
                },
            }
        })?;
        Ok(Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: body.to_bytes(),
        })
    }
}

/// The address that a URL's host writes out.
fn written(host: &str) -> Result<IpAddr, std::net::AddrParseError> {
    host.trim_matches(['[', ']']).parse()
}

/// Finds addresses; gives none of a name that leads inside, where it was told to.
#[derive(Clone)]
struct Resolver {
    system: GaiResolver,
    names: Option<Arc<dyn Names>>,
    public_only: bool,
}

impl Resolver {
    /// Whether all of `addresses` may be connected to.
    fn allow(&self, addresses: &[IpAddr]) -> io::Result<()> {
        match self.public_only && !addresses.iter().all(|address| is_public(*address)) {
            true => Err(io::Error::other(NotPublic)),
            false => Ok(()),
        }
    }

    async fn look_up(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let addresses: Vec<IpAddr> = match &self.names {
            Some(names) => names.look_up(host).await?,
            None => {
                let name = host.parse::<Name>().map_err(io::Error::other)?;
                let looked_up = self.system.clone().call(name).await?;
                looked_up.map(|address| address.ip()).collect()
            }
        };
        if addresses.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
        }
        self.allow(&addresses)?;
        Ok(addresses)
    }
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let resolver = self.clone();
        Box::pin(async move {
            let addresses = resolver.look_up(name.as_str()).await?;
            // The connector puts the URL's port in the place of 0.
            let addresses: Vec<SocketAddr> = addresses.into_iter().map(|address| (address, 0).into()).collect();
            Ok(addresses.into_iter())
        })
    }
}

/// What the resolver says of a name that leads inside.
#[derive(Debug)]
struct NotPublic;

impl fmt::Display for NotPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        ClientError::NotPublic.fmt(f)
    }
}

impl std::error::Error for NotPublic {}

fn is_not_public(error: &(dyn std::error::Error + 'static)) -> bool {
    causes(error).any(|cause| {
        let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        inner.is_some_and(|inner| inner.is::<NotPublic>())
    })
}

/// The public authorities, and those in `extra`.
fn roots(extra: Option<&[u8]>) -> Result<RootCertStore, ClientError> {
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let Some(extra) = extra else { return Ok(roots) };
    let public = roots.len();
    for certificate in CertificateDer::pem_slice_iter(extra) {
        let certificate = certificate.map_err(|error| ClientError::Roots(error.to_string()))?;
        roots
            .add(certificate)
            .map_err(|error| ClientError::Roots(error.to_string()))?;
    }
    if roots.len() == public {
        return Err(ClientError::Roots("no certificate in it".into()));
    }
    Ok(roots)
}

/// An error with what caused it; the outermost one alone says little.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    causes(error).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| error.source())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::testing::{Echo, edge_options, write_pair};
    use crate::net::{Edge, EdgeOptions, TlsConfig};
    use std::io::{Read, Write};
    use std::net::TcpListener;

    fn client(timeout_ms: u64, body_max: usize, extra_roots: Option<Vec<u8>>) -> Client {
        Client::new(ClientOptions {
            timeout: Duration::from_millis(timeout_ms),
            body_max,
            extra_roots,
            ..ClientOptions::default()
        })
        .unwrap()
    }

    /// A server that gives each of its connections the same bytes, and keeps it open.
    fn canned(answer: &'static [u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let mut kept = Vec::new();
            while let Ok((mut stream, _)) = listener.accept() {
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(answer);
                kept.push(stream);
            }
        });
        url
    }

    async fn get(client: &Client, url: &str) -> Result<Answer, ClientError> {
        client.get(url, &[]).await
    }

    #[tokio::test]
    async fn a_call_over_tls_reaches_a_server_of_an_extra_authority() {
        let folder = tempfile::tempdir().unwrap();
        let pair = write_pair(folder.path(), "a", &["localhost"]);
        let tls = TlsConfig::load(std::slice::from_ref(&pair), false).unwrap();
        let listen_tls = Some("127.0.0.1:0".parse().unwrap());
        let options = EdgeOptions {
            listen_tls,
            tls: Some(tls),
            ..edge_options()
        };
        let edge = Edge::start(options, |_| Echo).unwrap();
        let url = format!("https://localhost:{}/x?y", edge.tls_address().unwrap().port());
        let trusting = client(5_000, 10_000, Some(std::fs::read(&pair.cert).unwrap()));
        let answer = trusting
            .send(Method::POST, &url, &[("x-a", "b")], Bytes::from_static(b"hi"))
            .await
            .unwrap();
        assert_eq!(answer.status, 200);
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        assert!(
            text.starts_with("POST /x?y 127.0.0.1 tls") && text.ends_with("hi"),
            "{text}"
        );
        let stranger = client(5_000, 10_000, None);
        assert!(matches!(
            get(&stranger, &url).await,
            Err(ClientError::Transport { is_connect: true, .. })
        ));
    }

    #[tokio::test]
    async fn redirects_are_answers() {
        let url = canned(b"HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\nContent-Length: 0\r\n\r\n");
        let answer = get(&client(5_000, 10, None), &url).await.unwrap();
        assert_eq!(
            (answer.status, answer.headers["location"].as_bytes()),
            (302, &b"http://192.0.2.1/"[..])
        );
    }

    #[tokio::test]
    async fn a_large_body_is_refused_declared_or_not() {
        for answer in [
            &b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n0123456789a"[..],
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n0123456789a\r\n",
        ] {
            let error = get(&client(5_000, 10, None), &canned(answer)).await.unwrap_err();
            assert!(matches!(error, ClientError::TooLarge), "{error}");
        }
    }

    #[tokio::test]
    async fn a_slow_server_is_left() {
        for answer in [&b""[..], b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"] {
            let error = get(&client(100, 10, None), &canned(answer)).await.unwrap_err();
            assert!(matches!(error, ClientError::Timeout), "{error}");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_sent_or_reached_is_told_apart() {
        let client = client(5_000, 10, None);
        for url in ["", "/x", "not a url"] {
            assert!(matches!(get(&client, url).await, Err(ClientError::Request(_))), "{url}");
        }
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let error = get(&client, &format!("http://{closed}/")).await.unwrap_err();
        assert!(
            matches!(error, ClientError::Transport { is_connect: true, .. }),
            "{error}"
        );
        let no_roots = ClientOptions {
            extra_roots: Some(b"none".to_vec()),
            ..ClientOptions::default()
        };
        assert!(matches!(Client::new(no_roots), Err(ClientError::Roots(_))));
    }

    #[tokio::test]
    async fn a_client_for_strangers_urls_stays_out_of_the_network() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let options = |public_only| ClientOptions {
            public_only,
            timeout: Duration::from_millis(300),
            ..ClientOptions::default()
        };
        let outward = Client::new(options(true)).unwrap();
        for host in [
            "127.0.0.1",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "localhost",
            "127.1",
            "0x7f.1",
            "2130706433",
            "169.254.169.254",
            "10.0.0.1",
            "0.0.0.0",
        ] {
            // TLS refuses such spellings of an address before anything is looked up.
            let is_odd = ["127.1", "0x7f.1", "2130706433"].contains(&host);
            for scheme in ["http", "https"] {
                let url = format!("{scheme}://{host}:{port}/");
                let error = get(&outward, &url).await.unwrap_err();
                let is_refused = match error {
                    ClientError::NotPublic => true,
                    ClientError::Transport { is_connect, .. } => is_odd && is_connect && scheme == "https",
                    _ => false,
                };
                assert!(is_refused, "{url}: {error}");
            }
        }
        assert_eq!(listener.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);

        // The same address is reached by a client that may.
        let inward = Client::new(options(false)).unwrap();
        let error = get(&inward, &format!("http://localhost:{port}/")).await.unwrap_err();
        assert!(matches!(error, ClientError::Timeout), "{error}");
        assert!(listener.accept().is_ok());
    }

    /// Names whose addresses change from one look-up to the next; the last ones stay.
    #[derive(Debug)]
    struct Turning(std::sync::Mutex<Vec<Vec<&'static str>>>);

    impl Turning {
        fn through(turns: &[&[&'static str]]) -> Option<Arc<dyn Names>> {
            let turns = turns.iter().rev().map(|turn| turn.to_vec()).collect();
            Some(Arc::new(Self(std::sync::Mutex::new(turns))))
        }
    }

    impl Names for Turning {
        fn look_up(&self, _: &str) -> LookingUp {
            let mut turns = self.0.lock().unwrap();
            let turn = match turns.len() {
                1 => turns[0].clone(),
                _ => turns.pop().unwrap(),
            };
            Box::pin(async move { Ok(turn.iter().map(|address| address.parse().unwrap()).collect()) })
        }
    }

    #[tokio::test]
    async fn a_name_with_one_address_inside_is_not_connected_to() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        for turn in [
            &["127.0.0.1"][..],
            &["192.0.2.9", "127.0.0.1"],
            &["1.1.1.1", "10.0.0.1"],
            &["2606:4700::1111", "::ffff:127.0.0.1"],
            &["2606:4700::1111", "fe80::1"],
            &["169.254.169.254"],
        ] {
            let options = ClientOptions {
                names: Turning::through(&[turn]),
                public_only: true,
                timeout: Duration::from_millis(300),
                ..ClientOptions::default()
            };
            let client = Client::new(options).unwrap();
            let looked_up = client.look_up("hooks.example").await;
            assert!(matches!(looked_up, Err(ClientError::NotPublic)), "{turn:?}");
            let error = get(&client, &format!("http://hooks.example:{port}/"))
                .await
                .unwrap_err();
            assert!(matches!(error, ClientError::NotPublic), "{turn:?}: {error}");
        }
        assert_eq!(listener.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }

    #[tokio::test]
    async fn a_name_that_turns_inside_after_it_was_checked_is_not_connected_to() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let options = ClientOptions {
            names: Turning::through(&[&["1.1.1.1"], &["127.0.0.1"]]),
            public_only: true,
            ..ClientOptions::default()
        };
        let client = Client::new(options).unwrap();
        assert!(client.look_up("hooks.example").await.is_ok());
        let error = get(&client, &format!("http://hooks.example:{port}/"))
            .await
            .unwrap_err();
        assert!(matches!(error, ClientError::NotPublic), "{error}");
        assert_eq!(listener.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }

    #[tokio::test]
    async fn names_may_be_found_elsewhere_and_the_host_is_told_as_it_was_called() {
        let url = canned(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
        let port = url.trim_end_matches('/').rsplit(':').next().unwrap().to_owned();
        let options = ClientOptions {
            names: Turning::through(&[&["127.0.0.1"]]),
            ..ClientOptions::default()
        };
        let client = Client::new(options).unwrap();
        let answer = get(&client, &format!("http://hooks.example:{port}/")).await.unwrap();
        assert_eq!((answer.status, &answer.body[..]), (200, &b"hi"[..]));
        let nowhere = ClientOptions {
            names: Turning::through(&[&[]]),
            ..ClientOptions::default()
        };
        let error = Client::new(nowhere)
            .unwrap()
            .look_up("hooks.example")
            .await
            .unwrap_err();
        assert!(
            matches!(error, ClientError::Transport { is_connect: true, .. }),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_client_of_tls_alone_sends_nothing_in_clear() {
        let url = canned(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
        let options = ClientOptions {
            tls_only: true,
            ..ClientOptions::default()
        };
        let error = get(&Client::new(options).unwrap(), &url).await.unwrap_err();
        assert!(
            matches!(error, ClientError::Transport { is_connect: true, .. }),
            "{error}"
        );
    }
}
