//! Calls other people's servers over HTTP/1.1, in clear text or TLS.
//!
//! Follows no redirect (a secret header must not travel on), reads no more than it was told to, and never takes longer
//! than it was told to, whatever the other side does. Retries nothing; callers know what may be repeated.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{HeaderMap, Method, Request};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// Idle connections kept for one host. 8: callers work through small queues.
const IDLE_PER_HOST_MAX: usize = 8;
/// How long an idle connection is kept. 30 s, shorter than the 60 s after which common servers close.
const IDLE: Duration = Duration::from_secs(30);

/// How a client calls.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// For a whole call: name look-up, connection, handshake, sending, the last byte of the answer.
    pub timeout: Duration,
    /// Largest body of an answer, in bytes.
    pub body_max: usize,
    /// Certificates, as PEM, of authorities that are trusted besides the public ones.
    pub extra_roots: Option<Vec<u8>>,
}

impl Default for ClientOptions {
    /// 10 s and 1 MiB, public authorities only.
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            body_max: 1024 * 1024,
            extra_roots: None,
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
    pool: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
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
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_or_http()
            .enable_http1()
            .build();
        let pool = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_PER_HOST_MAX)
            .build(connector);
        Ok(Self {
            pool,
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
        tokio::time::timeout(self.timeout, self.call(request))
            .await
            .unwrap_or(Err(ClientError::Timeout))
    }

    async fn call(&self, request: Request<Full<Bytes>>) -> Result<Answer, ClientError> {
        let response = self
            .pool
            .request(request)
            .await
            .map_err(|error| ClientError::Transport {
                is_connect: error.is_connect(),
                reason: chain(&error),
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
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
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
        client.send(Method::GET, url, &[], Bytes::new()).await
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
}
