//! What the tests of whole servers speak: HTTP/1.1 over plain sockets, a shop's signed deliveries, repeatable chance.
//!
//! Shares no code with the server, so that a mistake there does not hide itself here.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// A browser that nobody takes for a program.
pub const BROWSER: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                           Version/18.5 Mobile/15E148 Safari/604.1";

/// Longest wait for an answer: far more than any takes, so that a test ends.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// An answer, read to its end.
pub struct Answer {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// The first header called `name` (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// The click id that the location carries, as a page's parameter or as a cart's attribute.
    pub fn hop_id(&self) -> Option<String> {
        let (_, after) = self.header("location")?.split_once("hop_id")?;
        let (_, value) = after.split_once('=')?;
        let id: String = value.chars().take_while(char::is_ascii_alphanumeric).collect();
        assert_eq!(id.len(), 32, "{value}");
        Some(id)
    }
}

/// A connection that stays open between requests.
pub struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        Ok(Self {
            stream,
            read: Vec::new(),
        })
    }

    /// Sends a request and reads its answer.
    pub fn ask(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> io::Result<Answer> {
        let mut request = format!("{method} {target} HTTP/1.1\r\nhost: hop.example\r\n");
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(body) = body {
            request.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        request.push_str("\r\n");
        let mut bytes = request.into_bytes();
        bytes.extend_from_slice(body.unwrap_or_default());
        self.stream.write_all(&bytes)?;
        self.answer(method == "HEAD")
    }

    fn answer(&mut self, is_head: bool) -> io::Result<Answer> {
        let end = loop {
            if let Some(end) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                break end;
            }
            self.more()?;
        };
        let head = String::from_utf8_lossy(&self.read[..end]).into_owned();
        self.read.drain(..end + 4);
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(head.clone()))?;
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let mut answer = Answer {
            status,
            headers,
            body: Vec::new(),
        };
        if is_head || status == 204 || status == 304 {
            return Ok(answer);
        }
        let length = answer.header("content-length").and_then(|text| text.parse().ok());
        let length = length.ok_or_else(|| io::Error::other(format!("an answer without a length: {head}")))?;
        while self.read.len() < length {
            self.more()?;
        }
        answer.body = self.read.drain(..length).collect();
        Ok(answer)
    }

    fn more(&mut self) -> io::Result<()> {
        let mut piece = [0; 16 * 1024];
        match self.stream.read(&mut piece)? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            length => {
                self.read.extend_from_slice(&piece[..length]);
                Ok(())
            }
        }
    }
}

/// The brand's API, asked with one key.
pub struct Api {
    connection: Connection,
    bearer: String,
}

impl Api {
    pub fn new(address: SocketAddr, key: &str) -> Self {
        Self {
            connection: Connection::open(address).expect("the API accepts"),
            bearer: format!("Bearer {key}"),
        }
    }

    /// The answer's JSON; any status but 2xx is a failure of the test.
    pub fn call(&mut self, method: &str, target: &str, body: Option<&Value>) -> Value {
        let text = body.map(Value::to_string);
        let headers = [
            ("authorization", self.bearer.as_str()),
            ("content-type", "application/json"),
        ];
        let answer = self
            .connection
            .ask(method, target, &headers, text.as_deref().map(str::as_bytes))
            .unwrap_or_else(|error| panic!("{method} {target}: {error}"));
        let told = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(
            (200..300).contains(&answer.status),
            "{method} {target} {text:?}: {} {told}",
            answer.status
        );
        answer.json()
    }

    pub fn get(&mut self, target: &str) -> Value {
        self.call("GET", target, None)
    }

    pub fn post(&mut self, target: &str, body: &Value) -> Value {
        self.call("POST", target, Some(body))
    }
}

/// A shop's delivery: what is sent again when nobody answered.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub store_id: String,
    pub topic: &'static str,
    pub id: String,
    pub body: Value,
}

impl Delivery {
    /// Sends it, signed with `secret`; the answer's status.
    pub fn send(&self, connection: &mut Connection, secret: &str) -> io::Result<u16> {
        let body = self.body.to_string();
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let signature = STANDARD.encode(hmac::sign(&key, body.as_bytes()).as_ref());
        let headers = [
            ("content-type", "application/json"),
            ("x-shopify-topic", self.topic),
            ("x-shopify-webhook-id", self.id.as_str()),
            ("x-shopify-hmac-sha256", signature.as_str()),
        ];
        let target = format!("/_/hooks/{}", self.store_id);
        Ok(connection.ask("POST", &target, &headers, Some(body.as_bytes()))?.status)
    }
}

/// Asks `probe` until it has an answer.
pub fn eventually<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + ANSWER_TIMEOUT;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < deadline, "not in time: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}
