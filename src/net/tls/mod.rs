//! TLS on the public port: versions 1.2 and 1.3, certificates by name, new certificates without a restart.
//!
//! AES-128 comes first and the server's order counts: SHA-256 has its own instructions, SHA-384 has not, which is an
//! eighth of a handshake. Tickets are stateless and one a connection. No client certificates, no early data.

mod certificates;
mod error;
mod reload;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, cipher_suite, kx_group};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, ServerConnection};
use tokio_rustls::TlsAcceptor;

use certificates::Certificates;
pub use error::TlsError;
use reload::Fingerprint;
pub use reload::TlsWatch;

/// A certificate chain and its key, as PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificatePair {
    /// The chain, the server's own certificate first.
    pub cert: PathBuf,
    /// The private key: PKCS#8, SEC1 or PKCS#1.
    pub key: PathBuf,
}

/// What the TLS listener shows its clients.
pub struct TlsConfig {
    pairs: Vec<CertificatePair>,
    server: Arc<ServerConfig>,
    shown: Arc<Shown>,
    reloading: Mutex<reload::State>,
    reloads: AtomicU64,
    reload_failures: AtomicU64,
}

impl TlsConfig {
    /// Loads `pairs`. A client that names no host, or one that no certificate is for, is shown the first. `http2` offers
    /// HTTP/2 besides HTTP/1.1.
    ///
    /// # Errors
    /// [`TlsError`], which names the file.
    pub fn load(pairs: &[CertificatePair], http2: bool) -> Result<Arc<Self>, TlsError> {
        let fingerprint = Fingerprint::of(pairs);
        let provider = Arc::new(provider());
        let certificates = Certificates::load(pairs, &provider)?;
        let shown = Arc::new(Shown(ArcSwap::from_pointee(certificates)));
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(TlsError::Setup)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&shown) as Arc<dyn ResolvesServerCert>);
        server.ignore_client_order = true;
        server.send_tls13_tickets = 1;
        server.ticketer = aws_lc_rs::Ticketer::new().map_err(TlsError::Setup)?;
        server.alpn_protocols = match http2 {
            true => vec![HTTP2.to_vec(), HTTP1.to_vec()],
            false => vec![HTTP1.to_vec()],
        };
        Ok(Arc::new(Self {
            pairs: pairs.to_vec(),
            server: Arc::new(server),
            shown,
            reloading: Mutex::new(reload::State::loaded(fingerprint)),
            reloads: AtomicU64::new(0),
            reload_failures: AtomicU64::new(0),
        }))
    }

    /// Looks at the files every `every` on a thread of its own, until the returned guard is dropped, and shows new
    /// connections what is new. Files that cannot be used change nothing, are counted and logged once.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn watch(self: &Arc<Self>, every: Duration) -> std::io::Result<TlsWatch> {
        TlsWatch::start(Arc::clone(self), every)
    }

    /// How often new files were taken over.
    pub fn reloads(&self) -> u64 {
        self.reloads.load(Ordering::Relaxed)
    }

    /// How often changed files could not be used.
    pub fn reload_failures(&self) -> u64 {
        self.reload_failures.load(Ordering::Relaxed)
    }

    /// Shakes hands with clients.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.server))
    }
}

const HTTP1: &[u8] = b"http/1.1";
const HTTP2: &[u8] = b"h2";

/// Whether HTTP/2 was agreed on.
pub(super) fn is_http2(session: &ServerConnection) -> bool {
    session.alpn_protocol() == Some(HTTP2)
}

/// aws-lc-rs in our order.
fn provider() -> CryptoProvider {
    CryptoProvider {
        cipher_suites: vec![
            cipher_suite::TLS13_AES_128_GCM_SHA256,
            cipher_suite::TLS13_AES_256_GCM_SHA384,
            cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
            cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
            cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
            cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
            cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        ],
        kx_groups: vec![kx_group::X25519, kx_group::SECP256R1, kx_group::X25519MLKEM768],
        ..aws_lc_rs::default_provider()
    }
}

/// The certificates that new connections are shown.
#[derive(Debug)]
struct Shown(ArcSwap<Certificates>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load().choose(hello.server_name()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::testing::{
        Echo, connect, connect_tls, edge_options, eventually, read_answer, read_to_close, write_pair,
    };
    use crate::net::{Edge, EdgeOptions, Limits};
    use bytes::Bytes;
    use http_body_util::{BodyExt, Full};
    use hyper::Request;
    use hyper_util::rt::{TokioExecutor, TokioIo};
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;
    use rustls::{CipherSuite, NamedGroup, ProtocolVersion};
    use std::io::Write;

    const GET: &[u8] = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n";

    fn edge(config: &Arc<TlsConfig>, limits: Limits) -> Edge {
        let options = EdgeOptions {
            listen_tls: Some("127.0.0.1:0".parse().unwrap()),
            tls: Some(Arc::clone(config)),
            limits,
            ..edge_options()
        };
        Edge::start(options, |_| Echo).unwrap()
    }

    #[test]
    fn a_request_over_tls_is_answered_with_our_preferences() {
        let folder = tempfile::tempdir().unwrap();
        let pair = write_pair(folder.path(), "a", &["a.test"]);
        let edge = edge(
            &TlsConfig::load(std::slice::from_ref(&pair), false).unwrap(),
            Limits::default(),
        );
        let address = edge.tls_address().unwrap();
        let mut client = connect_tls(address, b"", "a.test", &[&pair], &[HTTP2, HTTP1]);
        for _ in 0..2 {
            client.write_all(GET).unwrap();
            assert!(read_answer(&mut client).ends_with("GET /x 127.0.0.1 tls "));
        }
        let connection = &client.conn;
        assert_eq!(connection.protocol_version(), Some(ProtocolVersion::TLSv1_3));
        let suite = connection.negotiated_cipher_suite().map(|suite| suite.suite());
        assert_eq!(suite, Some(CipherSuite::TLS13_AES_128_GCM_SHA256));
        let group = connection.negotiated_key_exchange_group().map(|group| group.name());
        assert_eq!(group, Some(NamedGroup::X25519));
        assert_eq!(connection.alpn_protocol(), Some(HTTP1));
    }

    #[test]
    fn names_and_reloads_reach_new_connections_only() {
        let folder = tempfile::tempdir().unwrap();
        let one = write_pair(folder.path(), "one", &["one.test"]);
        let two = write_pair(folder.path(), "two", &["two.test"]);
        let config = TlsConfig::load(&[one.clone(), two.clone()], false).unwrap();
        let edge = edge(&config, Limits::default());
        let address = edge.tls_address().unwrap();
        let first = CertificateDer::from_pem_file(&one.cert).unwrap();
        let mut kept = connect_tls(address, b"", "two.test", &[&two], &[]);
        assert_ne!(kept.conn.peer_certificates().unwrap()[0], first);
        let shown = |name| {
            connect_tls(address, b"", name, &[&one], &[])
                .conn
                .peer_certificates()
                .unwrap()[0]
                .clone()
        };
        assert_eq!(shown("one.test"), first);
        let watching = config.watch(Duration::from_millis(5)).unwrap();
        write_pair(folder.path(), "one", &["one.test"]);
        let renewed = CertificateDer::from_pem_file(&one.cert).unwrap();
        eventually("the reload", || config.reloads() > 0);
        drop(watching);
        assert_eq!(shown("one.test"), renewed);
        kept.write_all(GET).unwrap();
        assert!(read_answer(&mut kept).ends_with("GET /x 127.0.0.1 tls "));
    }

    #[test]
    fn handshakes_that_fail_or_do_not_come_are_closed_and_counted() {
        let folder = tempfile::tempdir().unwrap();
        let pair = write_pair(folder.path(), "a", &["a.test"]);
        let limits = Limits {
            handshake: Duration::from_millis(60),
            ..Limits::default()
        };
        let edge = edge(&TlsConfig::load(&[pair], false).unwrap(), limits);
        for sent in [GET, b"\x16\x03\x01", b""] {
            let mut client = connect(edge.tls_address().unwrap());
            client.write_all(sent).unwrap();
            assert!(!read_to_close(&mut client).contains("HTTP/1.1 200"));
        }
        eventually("all counted", || edge.counters().totals().handshake_failures == 3);
    }

    #[tokio::test]
    async fn http2_is_spoken_when_it_is_offered() {
        let folder = tempfile::tempdir().unwrap();
        let pair = write_pair(folder.path(), "a", &["a.test"]);
        let edge = edge(
            &TlsConfig::load(std::slice::from_ref(&pair), true).unwrap(),
            Limits::default(),
        );
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&pair.cert).unwrap()).unwrap();
        let mut config = rustls::ClientConfig::builder_with_provider(Arc::new(provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![HTTP2.to_vec()];
        let tcp = tokio::net::TcpStream::connect(edge.tls_address().unwrap())
            .await
            .unwrap();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let tls = connector.connect("a.test".try_into().unwrap(), tcp).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(tls))
            .await
            .unwrap();
        let connection = tokio::spawn(connection);
        let get = |path: &str| {
            Request::builder()
                .uri(format!("https://a.test{path}"))
                .body(Full::<Bytes>::default())
                .unwrap()
        };
        let answer = sender.send_request(get("/x")).await.unwrap();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, "GET https://a.test/x 127.0.0.1 tls ");
        let with_body = Request::builder().uri("https://a.test/").body(Full::from("x")).unwrap();
        assert_eq!(sender.send_request(with_body).await.unwrap().status(), 400);
        assert!(
            sender.send_request(get("/panic")).await.is_err(),
            "a panic ends its stream"
        );
        assert_eq!(sender.send_request(get("/x")).await.unwrap().status(), 200);
        eventually("the panic counted", || edge.counters().totals().panics == 1);
        tokio::task::spawn_blocking(move || edge.stop(Duration::from_secs(5)))
            .await
            .unwrap();
        assert!(connection.await.unwrap().is_ok(), "told to go away, not cut off");
    }
}
