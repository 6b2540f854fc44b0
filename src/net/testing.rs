//! What the room's tests share: certificates, an echo handler, raw clients. Compiled for tests only.

#![cfg(test)]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Request, Response};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion};

use super::{AnswerLines, AtOnce, CertificatePair, EdgeOptions, Handler, Head, Limits, Peer};

/// Longest wait for bytes that a test expects.
const PATIENCE: Duration = Duration::from_secs(20);

/// Writes a new self-signed pair for `names`, replacing an older one as certificate tools do.
pub fn write_pair(folder: &Path, stem: &str, names: &[&str]) -> CertificatePair {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let pair = CertificatePair {
        cert: folder.join(format!("{stem}.crt")),
        key: folder.join(format!("{stem}.key")),
    };
    for (path, text) in [
        (&pair.cert, made.cert.pem()),
        (&pair.key, made.signing_key.serialize_pem()),
    ] {
        let fresh = path.with_extension("new");
        std::fs::write(&fresh, text).unwrap();
        std::fs::rename(&fresh, path).unwrap();
    }
    pair
}

/// A PROXY v2 header for TCP over IPv4 with this source.
pub fn proxy_header(source: &str, version_and_command: u8, tlvs: &[u8]) -> Vec<u8> {
    let mut bytes = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    bytes.extend([version_and_command, 0x11]);
    bytes.extend(u16::try_from(12 + tlvs.len()).unwrap().to_be_bytes());
    bytes.extend(source.parse::<Ipv4Addr>().unwrap().octets());
    bytes.extend([127, 0, 0, 1, 0x10, 0x00, 0x00, 0x50]);
    bytes.extend(tlvs);
    bytes
}

/// Answers `METHOD URI ADDRESS tls|clear BODY`, at once what has no query; panics on `/panic`.
pub struct Echo;

impl Handler for Echo {
    async fn handle(&self, peer: Peer, request: Request<Incoming>) -> Response<Full<Bytes>> {
        assert!(request.uri().path() != "/panic", "on purpose");
        let scheme = if peer.is_secure { "tls" } else { "clear" };
        let head = format!("{} {} {} {scheme} ", request.method(), request.uri(), peer.address);
        let body = request
            .into_body()
            .collect()
            .await
            .map(|body| body.to_bytes())
            .unwrap_or_default();
        Response::new(Full::from([head.as_bytes(), &body].concat()))
    }

    fn answer_at_once(&self, peer: Peer, head: &Head<'_>, _: &mut AnswerLines<'_>) -> AtOnce {
        assert!(head.path() != "/panic", "on purpose");
        if !head.query().is_empty() {
            return AtOnce::NotMine;
        }
        let scheme = if peer.is_secure { "tls" } else { "clear" };
        let method = if head.is_head() { "HEAD" } else { "GET" };
        let text = format!("{method} {} {} {scheme} ", head.path(), peer.address);
        AtOnce::Whole(Box::new(Response::new(Full::from(text))))
    }
}

/// An edge on loopback, one worker, default limits.
pub fn edge_options() -> EdgeOptions {
    EdgeOptions {
        listen: "127.0.0.1:0".parse().unwrap(),
        listen_tls: None,
        tls: None,
        workers: 1,
        trusted_proxies: Vec::new(),
        limits: Limits::default(),
        fast_path: true,
    }
}

/// A connected client that waits for bytes, but not for ever.
pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends `bytes` on a new connection and reads until the server closes it. A reset counts as a close.
pub fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = connect(address);
    let _ = stream.write_all(bytes);
    read_to_close(&mut stream)
}

/// Waits until `is_so`: what a client sees and what is counted are not one instant.
pub fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let before = std::time::Instant::now();
    while !is_so() {
        assert!(before.elapsed() < PATIENCE, "not in time: {what}");
        std::thread::yield_now();
    }
}

/// Reads until the server closes.
pub fn read_to_close(stream: &mut impl Read) -> String {
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => answer.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("the server did not close"),
            Err(_) => break,
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// Reads one answer with a Content-Length; returns head and body as one text.
pub fn read_answer(stream: &mut impl Read) -> String {
    let mut answer = Vec::new();
    let mut byte = [0];
    loop {
        stream.read_exact(&mut byte).unwrap();
        answer.push(byte[0]);
        if answer.ends_with(b"\r\n\r\n") {
            break;
        }
    }
    let head = String::from_utf8_lossy(&answer).to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .unwrap()
        .parse()
        .unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    answer.extend(body);
    String::from_utf8(answer).unwrap()
}

/// The status of an answer; 0 when there is none.
pub fn status_of(answer: &str) -> u16 {
    answer
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or(0)
}

/// A TLS client.
pub type TlsStream = StreamOwned<ClientConnection, TcpStream>;

/// What a client shakes hands with that speaks `versions` and trusts the certificates of `pairs` only.
pub fn client_config(
    versions: &[&'static SupportedProtocolVersion],
    pairs: &[&CertificatePair],
    alpn: &[&[u8]],
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for pair in pairs {
        roots.add(CertificateDer::from_pem_file(&pair.cert).unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    Arc::new(config)
}

/// A client that has said nothing yet, and asks for `name`.
pub fn begin_tls(address: SocketAddr, name: &str, config: &Arc<ClientConfig>) -> TlsStream {
    let name = ServerName::try_from(name.to_string()).unwrap();
    let session = ClientConnection::new(Arc::clone(config), name).unwrap();
    StreamOwned::new(session, connect(address))
}

/// Connects over TLS after sending `before`, trusting the certificates of `pairs` only and asking for `name`.
pub fn connect_tls(
    address: SocketAddr,
    before: &[u8],
    name: &str,
    pairs: &[&CertificatePair],
    alpn: &[&[u8]],
) -> TlsStream {
    let mut tls = begin_tls(address, name, &client_config(rustls::DEFAULT_VERSIONS, pairs, alpn));
    tls.sock.write_all(before).unwrap();
    shake_hands(&mut tls);
    tls
}

/// Ends the handshake.
pub fn shake_hands(tls: &mut TlsStream) {
    while tls.conn.is_handshaking() {
        tls.conn.complete_io(&mut tls.sock).unwrap();
    }
}
