//! The fast path against hyper alone: the same bytes, cut in the same places, must get the same answers.
//!
//! Both sides serve a connection in memory with one handler, whose answers tell all that it was told of the request. What
//! is compared: every byte sent but the dates, how often the handler answered, how many requests were counted as bad, and
//! whether the connection ended. `HOPCART_DIFFERENTIAL_INPUTS=10000000` makes it a long run; `HOPCART_DIFFERENTIAL_SEED`
//! starts it elsewhere.

#![cfg(test)]

mod inputs;
mod script;

use std::cell::Cell;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{HeaderValue, LOCATION};
use hyper::{Request, Response, StatusCode};
use tokio::runtime::{Builder, LocalOptions};

use super::exchange::{Heard, Said};
use super::{AnswerLines, AtOnce, Desk, Head, Opening};
use crate::net::connections::{Bounds, Connections};
use crate::net::forwarded::{Hop, Peer};
use crate::net::rewind::Rewind;
use crate::net::worker::{go_on, hand_over};
use crate::net::{Handler, Limits};
use inputs::{Chance, Input};
use script::Script;

/// Inputs of the run that everybody makes: some seconds.
const INPUTS: u64 = 40_000;

/// Answers with what it was told. `/w…` and `/r…` and `/e…` at once, in the three shapes that answers have.
#[derive(Default)]
struct Mirror {
    at_once: Cell<u64>,
    in_all: Cell<u64>,
    /// Makes the two ways differ, to see that it is seen.
    lies: bool,
}

/// A number for all that a handler can know about a request.
fn told<'a>(peer: Peer, words: [&str; 4], lines: impl Iterator<Item = (&'a str, &'a [u8])>) -> u64 {
    let mut lines: Vec<_> = lines.map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
    // A map keeps the values of one name together.
    lines.sort_by(|one, other| one.0.cmp(&other.0));
    let mut hasher = DefaultHasher::new();
    (peer.address, peer.is_secure, words, lines).hash(&mut hasher);
    hasher.finish()
}

fn response(path: &str, is_head: bool, told: u64) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    let status = match path.as_bytes().get(1) {
        Some(b'w') => StatusCode::FOUND,
        Some(b'e') => StatusCode::NO_CONTENT,
        Some(b'r') => StatusCode::NOT_FOUND,
        _ => StatusCode::OK,
    };
    *response.status_mut() = status;
    let location = HeaderValue::try_from(format!("https://x.test/{told}")).expect("a number is a value");
    response.headers_mut().insert(LOCATION, location);
    response.headers_mut().insert("x-more", HeaderValue::from_static("1"));
    if !is_head && matches!(status, StatusCode::OK | StatusCode::NOT_FOUND) {
        *response.body_mut() = Full::from(format!("<p>{told}"));
    }
    response
}

impl Handler for Mirror {
    async fn handle(&self, peer: Peer, request: Request<Incoming>) -> Response<Full<Bytes>> {
        self.in_all.set(self.in_all.get() + 1);
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let host = match parts.uri.authority() {
            Some(authority) => authority.as_str(),
            None => parts
                .headers
                .get("host")
                .and_then(|host| host.to_str().ok())
                .unwrap_or("-"),
        };
        let words = [
            parts.method.as_str(),
            parts.uri.path(),
            parts.uri.query().unwrap_or_default(),
            host,
        ];
        let lines = parts
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()));
        let told = told(peer, words, lines) ^ body.len() as u64;
        response(parts.uri.path(), parts.method == "HEAD", told)
    }

    fn answer_at_once(&self, peer: Peer, head: &Head<'_>, answer: &mut AnswerLines<'_>) -> AtOnce {
        let method = if head.is_head() { "HEAD" } else { "GET" };
        let told = told(peer, [method, head.path(), head.query(), head.host()], head.lines());
        let shape = head.path().as_bytes().get(1);
        if !matches!(shape, Some(b'w' | b'e' | b'r')) {
            answer.fixed("what is not mine leaves nothing behind\r\n");
            return AtOnce::NotMine;
        }
        self.in_all.set(self.in_all.get() + 1);
        self.at_once.set(self.at_once.get() + 1);
        if shape != Some(&b'w') {
            return AtOnce::Whole(Box::new(response(head.path(), head.is_head(), told)));
        }
        answer.fixed("HTTP/1.1 302 Found\r\n");
        assert!(!answer.line("location: ", "a\r\nb"), "refused, and nothing appended");
        assert!(answer.line("location: ", &format!("https://x.test/{told}")));
        answer.fixed(if self.lies { "x-more: 2\r\n" } else { "x-more: 1\r\n" });
        AtOnce::Written
    }
}

/// What one side made of an input.
#[derive(PartialEq, Eq)]
struct Outcome {
    sent: Vec<u8>,
    answers: u64,
    bad_requests: u64,
    has_ended: bool,
}

impl Outcome {
    /// This outcome with its refusal, if it ends in one, made a 400. A head that is both too large and malformed is
    /// refused with the one or the other: which of them hyper notices first depends on where the bytes were cut, and the
    /// fast path hands over what it holds in one piece.
    fn blurred(&self) -> Self {
        const TOO_LARGE: &[u8] = b"HTTP/1.1 431 Request Header Fields Too Large\r\n";
        let mut sent = self.sent.clone();
        if let Some(at) = memchr::memmem::rfind(&sent, TOO_LARGE) {
            sent.splice(at..at + TOO_LARGE.len(), *b"HTTP/1.1 400 Bad Request\r\n");
        }
        Self { sent, ..*self }
    }
}

impl std::fmt::Debug for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (answers, bad, ended) = (self.answers, self.bad_requests, self.has_ended);
        write!(
            f,
            "{answers} answers, {bad} bad, ended {ended}: {}",
            self.sent.escape_ascii()
        )
    }
}

/// How a connection is served.
#[derive(Clone, Copy)]
enum Way {
    /// Read before anybody waits, then on the fast path.
    AtOnce,
    Fast,
    Hyper,
}

/// Two sides that differ in nothing but the path.
struct Sides {
    desk: Rc<Desk<Mirror>>,
    hop: Hop,
    /// Outcomes that were the same only when [`Outcome::blurred`].
    blurred: Cell<u64>,
}

/// What the pool does with a connection that was just accepted: where it goes on from, if it goes on.
fn exchange(desk: &Desk<Mirror>, stream: &Script, hop: &Hop) -> Option<Opening> {
    let mut buffers = desk.buffers();
    match buffers.hear(stream.clone()) {
        Heard::Nothing => Some(Opening::default()),
        Heard::End => None,
        Heard::Bytes(received) => match desk
            .respond(received, hop, &mut buffers)
            .say(&mut stream.clone(), &buffers.answers.bytes)
        {
            Said::Over => None,
            Said::Rests => Some(Opening::at_rest(true)),
            Said::GoesOn(opening) => Some(opening),
        },
    }
}

impl Sides {
    fn new(limits: Limits, is_draining: bool, lies: bool, hop: &str) -> Self {
        let trusted = Arc::new(vec!["10.0.0.0/8".parse().expect("a network")].into());
        let hop = Hop::new(hop.parse().expect("an address"), false, &trusted);
        let connections = Connections::new(Arc::default(), Bounds::new(&limits));
        if is_draining {
            connections.drain();
        }
        let handler = Rc::new(Mirror {
            lies,
            ..Mirror::default()
        });
        Self {
            desk: Rc::new(Desk::new(handler, connections, limits, trusted)),
            hop,
            blurred: Cell::new(0),
        }
    }

    fn all() -> [Self; 4] {
        let small = Limits {
            // Below the documented least, so that long heads fit into one read of hyper's.
            header_bytes_max: 1024,
            ..Limits::default()
        };
        let many = Limits {
            headers_max: 100,
            ..small
        };
        let few = Limits {
            headers_max: 8,
            ..small
        };
        [
            Self::new(small, false, false, "192.0.2.1"),
            Self::new(many, false, false, "10.0.0.1"),
            Self::new(few, false, false, "192.0.2.1"),
            Self::new(small, true, false, "10.0.0.1"),
        ]
    }

    async fn outcome(&self, way: Way, input: &Input) -> Outcome {
        let (desk, script) = (Rc::clone(&self.desk), Script::new(input));
        let counters = Arc::clone(&desk.connections.counters);
        let before = (desk.handler.in_all.get(), counters.bad_requests.load(Relaxed));
        let guest = desk.connections.enter(None).expect("one at a time");
        let stream = script.clone();
        let has_ended = match way {
            Way::Hyper => {
                let stream = Rewind::new(Bytes::new(), stream);
                script.play(hand_over(desk, stream, self.hop, guest)).await
            }
            Way::Fast => {
                script
                    .play(go_on(desk, stream, self.hop, guest, Opening::default()))
                    .await
            }
            Way::AtOnce => {
                script.open();
                match exchange(&desk, &stream, &self.hop) {
                    None => true,
                    Some(opening) => script.play(go_on(desk, stream, self.hop, guest, opening)).await,
                }
            }
        };
        Outcome {
            sent: without_dates(script.sent()),
            answers: self.desk.handler.in_all.get() - before.0,
            bad_requests: counters.bad_requests.load(Relaxed) - before.1,
            has_ended,
        }
    }

    /// Fails when the ways differ on `input`.
    async fn compare(&self, input: &Input, seed: u64) {
        let expected = self.outcome(Way::Hyper, input).await;
        for (way, name) in [(Way::Fast, "fast"), (Way::AtOnce, "at once")] {
            let found = self.outcome(way, input).await;
            if found != expected && found.blurred() == expected.blurred() {
                self.blurred.set(self.blurred.get() + 1);
                continue;
            }
            assert!(
                found == expected,
                "seed {seed}: {} cut at {:?}, {} at a time\n{name}: {found:?}\nhyper: {expected:?}",
                input.bytes.escape_ascii(),
                input.cuts,
                input.takes_max,
            );
        }
    }
}

/// Blanks the dates: two answers may fall into two seconds.
fn without_dates(mut sent: Vec<u8>) -> Vec<u8> {
    const NAME: &[u8] = b"\r\ndate: ";
    let found: Vec<usize> = memchr::memmem::find_iter(&sent, NAME).collect();
    for at in found {
        let from = at + NAME.len();
        let end = (from + "Sun, 06 Nov 1994 08:49:37 GMT".len()).min(sent.len());
        sent[from..end].fill(b'#');
    }
    sent
}

fn on_a_runtime(test: impl Future<Output = ()>) {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default());
    runtime.expect("a runtime").block_on(test);
}

fn number(variable: &str, default: u64) -> u64 {
    let text = std::env::var(variable).ok();
    text.map_or(default, |text| text.replace('_', "").parse().expect("a number"))
}

#[test]
fn odd_bytes_get_the_same_answers() {
    let (inputs, first) = (
        number("HOPCART_DIFFERENTIAL_INPUTS", INPUTS),
        number("HOPCART_DIFFERENTIAL_SEED", 0),
    );
    on_a_runtime(async {
        let sides = Sides::all();
        for seed in first..first + inputs {
            let mut chance = Chance::new(seed);
            let sides = &sides[chance.below(sides.len())];
            sides.compare(&Input::draw(&mut chance), seed).await;
            if (seed + 1).is_multiple_of(1_000_000) {
                println!("{} inputs", seed + 1 - first);
            }
        }
        let at_once: u64 = sides.iter().map(|sides| sides.desk.handler.at_once.get()).sum();
        let in_all: u64 = sides.iter().map(|sides| sides.desk.handler.in_all.get()).sum();
        let bad: u64 = sides
            .iter()
            .map(|side| side.desk.connections.counters.bad_requests.load(Relaxed))
            .sum();
        let blurred: u64 = sides.iter().map(|sides| sides.blurred.get()).sum();
        println!("{inputs} inputs: {in_all} answers, {at_once} at once, {bad} bad requests, {blurred} blurred");
        assert!(blurred * 500 < inputs, "400 or 431 is a rare question");
        // Otherwise the inputs would try nothing.
        assert!(at_once > inputs && in_all > at_once + at_once / 2 && bad > inputs / 4);
    });
}

#[test]
fn a_difference_is_seen() {
    on_a_runtime(async {
        let input = Input {
            bytes: b"GET /w HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(),
            cuts: vec![5],
            takes_max: usize::MAX,
        };
        let sides = Sides::new(Limits::default(), false, true, "192.0.2.1");
        let (fast, hyper) = (
            sides.outcome(Way::Fast, &input).await,
            sides.outcome(Way::Hyper, &input).await,
        );
        assert_ne!(fast, hyper);
        assert_eq!((fast.answers, fast.has_ended), (1, true));
        assert!(
            hyper
                .sent
                .starts_with(b"HTTP/1.1 302 Found\r\nlocation: https://x.test/")
        );
    });
}
