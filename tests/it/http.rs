//! A tiny HTTP/1.1 client over any stream, so that the tests share no code with what they test.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;

/// Longest wait for bytes that a test expects: ten thousand links in one call, on a machine that builds besides.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the server answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case, in the order of the answer.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// The first header called `name` (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Where it sends the client.
    pub fn location(&self) -> &str {
        self.header("location")
            .unwrap_or_else(|| panic!("no Location: {self:?}"))
    }

    /// `name=value` of the cookie that it sets.
    pub fn cookie(&self) -> &str {
        let line = self
            .header("set-cookie")
            .unwrap_or_else(|| panic!("no cookie: {self:?}"));
        line.split(';').next().expect("a first part")
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The message of an error of the API, after checking its status.
    pub fn refusal(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.text());
        let envelope = self.json();
        let message = envelope["error"]["message"].as_str();
        message.unwrap_or_else(|| panic!("no message: {envelope}")).to_owned()
    }
}

/// What is sent.
#[derive(Debug, Clone)]
pub struct Request {
    method: String,
    target: String,
    host: String,
    headers: String,
    body: Vec<u8>,
}

impl Request {
    /// `method` of `target`, which is sent as it is written.
    pub fn new(method: &str, target: &str) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            host: "127.0.0.1".to_owned(),
            headers: String::new(),
            body: Vec::new(),
        }
    }

    /// A GET of `target`.
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// With this header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if name.eq_ignore_ascii_case("host") {
            self.host = value.to_owned();
        } else {
            self.headers += &format!("{name}: {value}\r\n");
        }
        self
    }

    /// With each of these headers.
    #[must_use]
    pub fn headers(self, headers: &[(&str, &str)]) -> Self {
        headers
            .iter()
            .fold(self, |request, (name, value)| request.header(name, value))
    }

    /// With this body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// What goes over the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let Self {
            method,
            target,
            host,
            headers,
            body,
        } = self;
        let length = match body.len() {
            0 if method == "GET" || method == "HEAD" => String::new(),
            length => format!("Content-Length: {length}\r\n"),
        };
        let head = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n{headers}{length}\r\n");
        [head.as_bytes(), body].concat()
    }
}

/// A kept connection.
pub struct Client<S: Read + Write = TcpStream> {
    stream: S,
}

/// A TLS stream of the tests.
pub type TlsStream = StreamOwned<ClientConnection, TcpStream>;

impl Client {
    /// A connection in clear text.
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("a listening server");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        stream.set_nodelay(true).expect("no delay");
        Self { stream }
    }

    /// Sends bytes as they are; what the server thinks of them is read afterwards.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        // A server that has closed already has answered.
        let _ = self.stream.write_all(bytes);
    }

    /// Reads until the server closes. A reset counts as a close; bytes that never come fail the test.
    pub fn read_to_close(&mut self) -> String {
        let mut read = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => read.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("the server did not close"),
                Err(_) => break,
            }
        }
        String::from_utf8_lossy(&read).into_owned()
    }
}

impl Client<TlsStream> {
    /// A TLS connection that trusts `certificate` alone and asks for `name`.
    pub fn connect_tls(address: SocketAddr, certificate: &CertificateDer<'static>, name: &str) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone()).expect("a certificate");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("TLS versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        let connection = ClientConnection::new(Arc::new(config), name).expect("a client");
        Self {
            stream: StreamOwned::new(connection, Client::connect(address).stream),
        }
    }
}

impl<S: Read + Write> Client<S> {
    /// Sends `request` and reads its answer; the connection stays.
    pub fn send(&mut self, request: &Request) -> Answer {
        self.stream.write_all(&request.bytes()).expect("bytes sent");
        self.read_answer(request.method == "HEAD")
    }

    /// Reads one answer, whose body has a Content-Length or comes in chunks.
    pub fn read_answer(&mut self, is_head: bool) -> Answer {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            self.stream.read_exact(&mut byte).unwrap_or_else(|error| {
                panic!("{error} after {:?}", String::from_utf8_lossy(&head));
            });
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).expect("a head in ASCII");
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let headers: Vec<(String, String)> = lines
            .map(|line| {
                let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("{line}"));
                (name.to_ascii_lowercase(), value.trim().to_owned())
            })
            .collect();
        let mut answer = Answer {
            status: status.unwrap_or_else(|| panic!("{head}")),
            headers,
            body: Vec::new(),
        };
        let length = answer
            .header("content-length")
            .map(|length| length.parse().expect("a length"));
        if answer.header("transfer-encoding") == Some("chunked") {
            answer.body = self.read_chunks();
        } else if !is_head && !matches!(answer.status, 204 | 304) {
            answer.body = vec![0; length.unwrap_or_else(|| panic!("no Content-Length: {head}"))];
            self.stream.read_exact(&mut answer.body).expect("a body");
        }
        answer
    }

    /// A body in chunks (RFC 9112 section 7.1), without trailers.
    fn read_chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let mut line = Vec::new();
            while !line.ends_with(b"\r\n") {
                let mut byte = [0];
                self.stream.read_exact(&mut byte).expect("a chunk's length");
                line.push(byte[0]);
            }
            let line = String::from_utf8(line).expect("ASCII");
            let length = usize::from_str_radix(line.trim(), 16).unwrap_or_else(|_| panic!("{line}"));
            let start = body.len();
            body.resize(start + length + 2, 0);
            self.stream.read_exact(&mut body[start..]).expect("a chunk");
            assert!(body.ends_with(b"\r\n"), "a chunk ends");
            body.truncate(start + length);
            if length == 0 {
                return body;
            }
        }
    }
}

/// One request on a connection of its own.
pub fn send(address: SocketAddr, request: &Request) -> Answer {
    Client::connect(address).send(request)
}

/// Sends `bytes` on a new connection and reads until the server closes it.
pub fn send_raw(address: SocketAddr, bytes: &[u8]) -> String {
    let mut client = Client::connect(address);
    client.send_raw(bytes);
    client.read_to_close()
}

/// The status of a raw answer; 0 when there is none.
pub fn status_of(raw: &str) -> u16 {
    raw.split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or(0)
}
