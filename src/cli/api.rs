//! Talks to a server's API: one call, one answer, and failures that say what to do.

use bytes::Bytes;
use clap::Args;
use hyper::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use url::form_urlencoded;

use super::failure::Failure;
use crate::config::Masked;
use crate::net::{Client, ClientOptions};

/// Most characters of an answer that is not the API's that an error shows.
const ODD_ANSWER_MAX: usize = 200;

/// All but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Which server, and who asks.
#[derive(Debug, Clone, Args)]
pub struct Connection {
    /// Admin address of the server
    #[arg(
        long,
        value_name = "URL",
        env = "HOPCART_SERVER",
        default_value = "http://127.0.0.1:8081",
        global = true
    )]
    server: String,
    /// API key; better given by the environment, where other users cannot see it
    #[arg(long, value_name = "KEY", env = "HOPCART_API_KEY", hide_env_values = true, value_parser = masked, global = true)]
    key: Option<Masked>,
}

fn masked(text: &str) -> Result<Masked, String> {
    Ok(Masked::new(text.trim()))
}

/// An API that can be called.
pub struct Api {
    client: Client,
    server: String,
    key: Option<Masked>,
}

/// What a call brought.
#[derive(Debug)]
pub struct Reply {
    /// The bytes as sent.
    pub body: Bytes,
    /// What they say.
    pub value: Value,
}

/// How a call failed.
#[derive(Debug)]
pub enum CallError {
    /// There was no answer.
    NoAnswer(String),
    /// There was one: a status that is no success, and the message in it.
    Refused {
        /// HTTP status.
        status: u16,
        /// The envelope's message, or the head of whatever came instead.
        message: String,
        /// The bytes as sent.
        body: Bytes,
    },
    /// A success whose body is not JSON.
    NotJson(String),
}

impl Connection {
    /// The API at the other end; nothing is sent yet.
    ///
    /// # Errors
    /// When the address is no HTTP address.
    pub fn open(&self) -> Result<Api, Failure> {
        self.open_with(ClientOptions::default())
    }

    /// As [`Self::open`], with other bounds on calls.
    ///
    /// # Errors
    /// When the address is no HTTP address.
    pub fn open_with(&self, options: ClientOptions) -> Result<Api, Failure> {
        let is_http = self.server.starts_with("http://") || self.server.starts_with("https://");
        if !is_http || url::Url::parse(&self.server).is_err() {
            return Err(Failure::Usage(format!(
                "--server (HOPCART_SERVER) must be a URL such as http://127.0.0.1:8081, not \"{}\"",
                self.server
            )));
        }
        Api::with(&self.server, self.key.clone(), options)
    }
}

impl Api {
    /// The API at `server`, called with `key`.
    ///
    /// # Errors
    /// When no client can be made.
    pub fn new(server: &str, key: Option<Masked>) -> Result<Self, Failure> {
        Self::with(server, key, ClientOptions::default())
    }

    fn with(server: &str, key: Option<Masked>, options: ClientOptions) -> Result<Self, Failure> {
        let client = Client::new(options).map_err(|error| Failure::Failed(error.to_string()))?;
        Ok(Self {
            client,
            server: server.trim_end_matches('/').to_owned(),
            key,
        })
    }

    /// The server's address, without a final slash.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Whether calls carry a key.
    pub fn has_key(&self) -> bool {
        self.key.is_some()
    }

    /// The client below, for addresses that are not the API's.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Calls `path` (with its query) with `body` as JSON.
    ///
    /// # Errors
    /// In one line, with what to do where that is known.
    pub async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Reply, Failure> {
        self.try_call(method.clone(), path, body)
            .await
            .map_err(|error| self.explain(&method, path, error))
    }

    /// As [`Self::call`], for callers who look at the failure themselves.
    ///
    /// # Errors
    /// Each kind as it is.
    pub async fn try_call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Reply, CallError> {
        let body = body.map(|body| ("application/json", Bytes::from(body.to_string())));
        self.send(method, path, body).await
    }

    /// Calls `path` with a body of any kind: its content type and its bytes.
    ///
    /// # Errors
    /// Each kind as it is.
    pub async fn send(&self, method: Method, path: &str, body: Option<(&str, Bytes)>) -> Result<Reply, CallError> {
        let body = self.exchange(method, path, "application/json", body).await?;
        match serde_json::from_slice(&body) {
            Ok(value) => Ok(Reply { body, value }),
            Err(_) => Err(CallError::NotJson(head_of(&body))),
        }
    }

    /// Gets `path` (with its query) as a file of this kind.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn download(&self, path: &str, kind: &str) -> Result<Bytes, Failure> {
        self.exchange(Method::GET, path, kind, None)
            .await
            .map_err(|error| self.explain(&Method::GET, path, error))
    }

    /// Posts `body` as JSON to `path` for a file of this kind.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn post_for_file(&self, path: &str, body: &Value, kind: &str) -> Result<Bytes, Failure> {
        let sent = ("application/json", Bytes::from(body.to_string()));
        self.exchange(Method::POST, path, kind, Some(sent))
            .await
            .map_err(|error| self.explain(&Method::POST, path, error))
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        wanted: &str,
        body: Option<(&str, Bytes)>,
    ) -> Result<Bytes, CallError> {
        let bearer = self.key.as_ref().map(|key| format!("Bearer {}", key.reveal()));
        let mut headers = vec![("accept", wanted)];
        headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
        let sent = body.map_or_else(Bytes::new, |(kind, bytes)| {
            headers.push(("content-type", kind));
            bytes
        });
        let url = format!("{}{path}", self.server);
        let answer = self
            .client
            .send(method, &url, &headers, sent)
            .await
            .map_err(|error| CallError::NoAnswer(error.to_string()))?;
        if !(200..300).contains(&answer.status) {
            return Err(CallError::Refused {
                status: answer.status,
                message: message_of(&answer.body),
                body: answer.body,
            });
        }
        Ok(answer.body)
    }

    /// The failure that people read.
    pub fn explain(&self, method: &Method, path: &str, error: CallError) -> Failure {
        let server = &self.server;
        match error {
            CallError::NoAnswer(why) => Failure::Unavailable(format!(
                "no answer from {server}: {why}; is `hopcart serve` running there? (--server or HOPCART_SERVER names another)"
            )),
            CallError::Refused {
                status: 401, message, ..
            } if self.has_key() => Failure::Failed(format!(
                "{message} (401): the key is not valid at {server}; `hopcart keys create` with a valid key makes another"
            )),
            CallError::Refused { status: 401, .. } => Failure::Failed(format!(
                "{server} asks for an API key: set HOPCART_API_KEY; the first start of `hopcart serve` printed one, and \
                 `hopcart keys create` makes more"
            )),
            CallError::Refused {
                status: 503, message, ..
            } => Failure::Unavailable(format!("{message} (503 from {server})")),
            CallError::Refused { status, message, .. } if message.is_empty() => {
                Failure::Failed(format!("{method} {server}{path} answered {status}"))
            }
            CallError::Refused { message, .. } => Failure::Failed(message),
            CallError::NotJson(head) => Failure::Failed(format!(
                "{method} {server}{path} answered something that is not the API's JSON: {head}"
            )),
        }
    }
}

/// A query that begins with `?`, of those pairs that have a value; empty when none has.
pub fn query(pairs: &[(&str, Option<&str>)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in pairs {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    let query = query.finish();
    if query.is_empty() { query } else { format!("?{query}") }
}

/// `text` as one segment of a path.
pub fn segment(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// The message of the error envelope, or the head of whatever else it is, in one line.
fn message_of(body: &[u8]) -> String {
    let envelope: Option<Value> = serde_json::from_slice(body).ok();
    let message = envelope
        .as_ref()
        .and_then(|value| value.pointer("/error/message"))
        .and_then(Value::as_str);
    match message {
        Some(message) => one_line(message),
        None => head_of(body),
    }
}

fn head_of(body: &[u8]) -> String {
    one_line(&String::from_utf8_lossy(body))
        .chars()
        .take(ODD_ANSWER_MAX)
        .collect()
}

/// `text` in one line, without anything that could steer a terminal.
fn one_line(text: &str) -> String {
    let visible: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(key: Option<&str>) -> Api {
        Api::new("http://127.0.0.1:8081/", key.map(Masked::new)).expect("a client")
    }

    #[test]
    fn refusals_read_as_one_line() {
        let body =
            br#"{"error":{"code":"unprocessable_entity","message":"url:\n must start with http://","doc_url":"x"}}"#;
        assert_eq!(message_of(body), "url: must start with http://");
        assert_eq!(message_of(b"<html>\x1b[31m502"), "<html> [31m502");
        let refused = |status, message: &str| CallError::Refused {
            status,
            message: message.to_owned(),
            body: Bytes::new(),
        };
        for (key, error, code, part) in [
            (None, refused(401, "Missing key"), 1, "set HOPCART_API_KEY"),
            (Some("hop_x"), refused(401, "Unknown key"), 1, "keys create"),
            (None, refused(409, "Duplicate slug."), 1, "Duplicate slug."),
            (
                None,
                refused(500, ""),
                1,
                "GET http://127.0.0.1:8081/links answered 500",
            ),
            (None, refused(503, "Busy"), 69, "Busy (503"),
            (
                None,
                CallError::NoAnswer("refused".to_owned()),
                69,
                "is `hopcart serve` running",
            ),
            (
                None,
                CallError::NotJson("hello".to_owned()),
                1,
                "not the API's JSON: hello",
            ),
        ] {
            let failure = api(key).explain(&Method::GET, "/links", error);
            assert_eq!(failure.code(), code, "{failure}");
            assert!(failure.to_string().contains(part), "{failure}");
            assert!(!failure.to_string().contains("hop_x"), "{failure}");
        }
    }

    #[test]
    fn queries_leave_out_what_is_not_set() {
        assert_eq!(query(&[("a", None), ("b", Some("x y&z"))]), "?b=x+y%26z");
        assert_eq!(query(&[("a", None)]), "");
        assert_eq!(segment("a_1/b c"), "a_1%2Fb%20c");
    }
}
