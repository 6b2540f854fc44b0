//! Whoever a brand wants told: signs a delivery and posts it, once. Connects to no address inside a network, and knows no
//! queue and no log.

mod signature;

pub use signature::{is_secret, secret_of};

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::domain::time::Timestamp;
use crate::net::{Client, ClientError, ClientOptions, Names};

/// Longest delivery, name look-up and handshake included: a receiver answers first and works afterwards.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Largest answer: nobody reads more than its head.
const ANSWER_MAX: usize = 64 * 1024;
/// Characters of an answer that the log keeps: enough to see what a receiver complained of.
pub const ANSWER_KEPT: usize = 500;
const USER_AGENT: &str = concat!("Hopcart-Webhooks/", env!("CARGO_PKG_VERSION"));

/// Where and how is told.
#[derive(Debug, Clone)]
pub struct Letter<'a> {
    pub url: &'a str,
    /// The newest first; each signs.
    pub secrets: Vec<&'a str>,
    /// Public id of the event.
    pub id: &'a str,
    pub body: &'a str,
    pub now: Timestamp,
}

/// How it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// `None` = there was no answer.
    pub status: Option<u16>,
    /// The head of the answer's body, as text.
    pub answer: Option<String>,
    /// What went wrong; `None` = it was taken.
    pub error: Option<Failure>,
    pub took: Duration,
}

/// What went wrong, and what is to be done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub kind: FailureKind,
    /// For the brand.
    pub message: String,
}

/// Kinds of failures, for `/metrics`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// An answer that is no success.
    Status,
    /// 410: it wants no more.
    Gone,
    Timeout,
    /// The address is inside a network; nothing was sent.
    NotPublic,
    /// No connection, or it broke.
    Transport,
}

impl FailureKind {
    /// All of them, in their order.
    pub const ALL: [Self; 5] = [
        Self::Status,
        Self::Gone,
        Self::Timeout,
        Self::NotPublic,
        Self::Transport,
    ];

    /// The word of the metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Gone => "gone",
            Self::Timeout => "timeout",
            Self::NotPublic => "not_public",
            Self::Transport => "transport",
        }
    }
}

/// Posts deliveries. A clone shares its connections.
#[derive(Clone)]
pub struct Poster {
    client: Client,
    is_local_allowed: bool,
}

impl Poster {
    /// A poster that speaks TLS to public addresses alone, unless `is_local_allowed`: then it also speaks in clear, and to
    /// any address. `names` finds addresses in the place of the system.
    ///
    /// # Errors
    /// When the client cannot be made.
    pub fn new(is_local_allowed: bool, names: Option<Arc<dyn Names>>) -> Result<Self, ClientError> {
        let options = ClientOptions {
            timeout: TIMEOUT,
            body_max: ANSWER_MAX,
            public_only: !is_local_allowed,
            tls_only: !is_local_allowed,
            names,
            ..ClientOptions::default()
        };
        let client = Client::new(options)?;
        Ok(Self {
            client,
            is_local_allowed,
        })
    }

    /// Whether receivers inside a network are told, and in clear.
    pub fn is_local_allowed(&self) -> bool {
        self.is_local_allowed
    }

    /// Whether `host`, as a URL has it, may be told: not where it is, or its name leads, inside a network. A name that has
    /// no address yet may.
    pub async fn allows(&self, host: &str) -> bool {
        !matches!(self.client.look_up(host).await, Err(ClientError::NotPublic))
    }

    /// Signs and posts. Every success of HTTP is one; a redirect is none, and is not followed.
    pub async fn post(&self, letter: Letter<'_>) -> Outcome {
        let timestamp = letter.now.seconds().to_string();
        let signatures = signature::of(&letter.secrets, letter.id, &timestamp, letter.body.as_bytes());
        let headers = [
            ("content-type", "application/json"),
            ("user-agent", USER_AGENT),
            ("webhook-id", letter.id),
            ("webhook-timestamp", &timestamp),
            ("webhook-signature", &signatures.standard),
            ("dub-signature", &signatures.dialect),
        ];
        let began = Instant::now();
        let sent = self
            .client
            .post(letter.url, &headers, letter.body.as_bytes().to_vec())
            .await;
        let took = began.elapsed();
        match sent {
            Ok(answer) => Outcome {
                status: Some(answer.status),
                answer: head(&answer.body),
                error: refusal(answer.status),
                took,
            },
            Err(error) => Outcome {
                status: None,
                answer: None,
                error: Some(failure(&error)),
                took,
            },
        }
    }
}

fn refusal(status: u16) -> Option<Failure> {
    let kind = match status {
        200..=299 => return None,
        410 => FailureKind::Gone,
        _ => FailureKind::Status,
    };
    let message = match status {
        300..=399 => format!("the receiver answered {status}: redirects are not followed, give the URL itself"),
        _ => format!("the receiver answered {status}"),
    };
    Some(Failure { kind, message })
}

fn failure(error: &ClientError) -> Failure {
    let kind = match error {
        ClientError::Timeout => FailureKind::Timeout,
        ClientError::NotPublic => FailureKind::NotPublic,
        _ => FailureKind::Transport,
    };
    let message = match error {
        ClientError::Timeout => format!("the receiver did not answer within {} s", TIMEOUT.as_secs()),
        other => other.to_string(),
    };
    Failure { kind, message }
}

/// The head of an answer's body; `None` = it has none.
fn head(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let head: String = text.chars().take(ANSWER_KEPT).collect();
    (!head.trim().is_empty()).then_some(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_successes_are_successes() {
        for (status, expected) in [
            (200, None),
            (204, None),
            (299, None),
            (199, Some(FailureKind::Status)),
            (302, Some(FailureKind::Status)),
            (404, Some(FailureKind::Status)),
            (410, Some(FailureKind::Gone)),
            (503, Some(FailureKind::Status)),
        ] {
            assert_eq!(refusal(status).map(|failure| failure.kind), expected, "{status}");
        }
    }

    #[test]
    fn heads_are_short_and_text() {
        assert_eq!(head(b" \n"), None);
        assert_eq!(
            head("ü".repeat(1_000).as_bytes()).map(|head| head.chars().count()),
            Some(ANSWER_KEPT)
        );
        assert_eq!(head(&[b'a', 0xff]).as_deref(), Some("a\u{fffd}"));
    }
}
