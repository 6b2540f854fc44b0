//! Serves one connection with hyper: hyper in the middle, the limits around it ([`super::drive`]), the framing check and the handler
//! behind it. hyper's own timers stay off: see [`super::watch`].

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::header::{CONNECTION, HeaderValue};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, Version};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use super::connections::{Connections, Guest};
use super::counters::bump;
use super::drive::drive;
use super::forwarded::{Hop, Peer};
use super::framing::{body_length, is_ambiguous};
use super::guarded::Guarded;
use super::limits::Limits;
use super::network::TrustedProxies;
use super::watch::{BodyLength, Phase, Watch};

/// Between pings on an HTTP/2 connection, and until one must be answered. 10 s: a dead peer is noticed before `idle`.
const HTTP2_PING: Duration = Duration::from_secs(10);

/// Bytes of a request's body that an HTTP/2 client may send ahead of the handler, on a stream and on a connection. 64 KiB
/// and 256 KiB: webhooks read as they come, and a client that opens a hundred streams holds no more than four.
const HTTP2_STREAM_WINDOW: u32 = 64 * 1024;
const HTTP2_CONNECTION_WINDOW: u32 = 256 * 1024;
/// Bytes of answers that wait on a stream for a client that does not read. 64 KiB: more than any page.
const HTTP2_SEND_BUFFER: usize = 64 * 1024;
/// Streams that a client may open and reset before they are served; beyond it the connection ends (CVE-2023-44487). 20,
/// as h2 has it.
const HTTP2_RESETS_MAX: usize = 20;
/// Streams that we reset for errors of the client's; beyond it the connection ends (CVE-2025-8671). 100: a connection's
/// worth.
const HTTP2_OWN_RESETS_MAX: usize = 100;

/// One connection's circumstances.
pub(super) struct Visit {
    pub guest: Guest,
    pub hop: Hop,
    pub limits: Limits,
    pub trusted: Arc<TrustedProxies>,
}

/// Serves HTTP/1 on `io` with `respond`.
pub(super) async fn serve_http1<T, F, Fut, B>(io: T, visit: Visit, respond: F)
where
    T: AsyncRead + AsyncWrite + Unpin,
    F: Fn(Peer, Request<Incoming>) -> Fut,
    Fut: Future<Output = Response<B>>,
    B: Body + Default + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let watch = Arc::new(Watch::new(false, Phase::FirstByte));
    let (limits, connections) = (visit.limits, Arc::clone(&visit.guest.connections));
    let seen = Arc::clone(&watch);
    let service = service_fn(move |request| answer(&visit, &seen, &respond, request));
    let connection = http1::Builder::new()
        .header_read_timeout(None)
        .half_close(false)
        .max_headers(limits.headers_max)
        .max_header_size(limits.header_bytes_max)
        .max_buf_size(limits.header_bytes_max.max(8 * 1024))
        // One buffer, one send: writev costs half a microsecond more for an answer of one piece.
        .writev(false)
        .serve_connection(TokioIo::new(Guarded::new(io, Arc::clone(&watch))), service);
    let end = drive(pin!(connection), &watch, &limits, &connections).await;
    count_end(end, &connections);
}

/// Serves HTTP/2 on `io` with `respond`; `executor` runs its streams.
pub(super) async fn serve_http2<T, F, Fut, B, E>(io: T, visit: Visit, executor: E, respond: F)
where
    T: AsyncRead + AsyncWrite + Unpin,
    F: Fn(Peer, Request<Incoming>) -> Fut + 'static,
    Fut: Future<Output = Response<B>> + 'static,
    B: Body + Default + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    E: hyper::rt::bounds::Http2ServerConnExec<Answering<B>, B> + Unpin,
{
    let watch = Arc::new(Watch::new(true, Phase::FirstByte));
    let (limits, connections) = (visit.limits, Arc::clone(&visit.guest.connections));
    let seen = Arc::clone(&watch);
    let service = service_fn(move |request| -> Answering<B> { Box::pin(answer(&visit, &seen, &respond, request)) });
    let connection = http2::Builder::new(executor)
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(limits.header_bytes_max).unwrap_or(u32::MAX))
        .max_concurrent_streams(limits.http2_streams_max)
        .initial_stream_window_size(HTTP2_STREAM_WINDOW)
        .initial_connection_window_size(HTTP2_CONNECTION_WINDOW)
        .max_send_buf_size(HTTP2_SEND_BUFFER)
        .max_pending_accept_reset_streams(HTTP2_RESETS_MAX)
        .max_local_error_reset_streams(HTTP2_OWN_RESETS_MAX)
        .keep_alive_interval(HTTP2_PING)
        .keep_alive_timeout(HTTP2_PING)
        .serve_connection(TokioIo::new(Guarded::new(io, Arc::clone(&watch))), service);
    let end = drive(pin!(connection), &watch, &limits, &connections).await;
    count_end(end, &connections);
}

/// Counts what hyper refused to read.
fn count_end(end: Option<hyper::Result<()>>, connections: &Connections) {
    if matches!(end, Some(Err(error)) if error.is_parse()) {
        bump(&connections.counters.bad_requests);
    }
}

/// A stream's answer in the making. Boxed: executors must be able to name it.
pub(super) type Answering<B> = Pin<Box<dyn Future<Output = Result<Response<B>, Infallible>>>>;

/// Answers one request: refuses it, or asks `respond`.
fn answer<F, Fut, B>(
    visit: &Visit,
    watch: &Arc<Watch>,
    respond: &F,
    request: Request<Incoming>,
) -> impl Future<Output = Result<Response<B>, Infallible>> + use<F, Fut, B>
where
    F: Fn(Peer, Request<Incoming>) -> Fut,
    Fut: Future<Output = Response<B>>,
    B: Default,
{
    let length = body_length(&request);
    let in_flight = watch.begin(length);
    let is_http1 = request.version() != Version::HTTP_2;
    let is_refused = is_ambiguous(&request, watch.content_lengths());
    let response = (!is_refused).then(|| respond(visit.hop.client(request.headers(), &visit.trusted), request));
    let connections = Arc::clone(&visit.guest.connections);
    async move {
        let _in_flight = in_flight;
        let mut response = match response {
            Some(response) => response.await,
            None => {
                bump(&connections.counters.bad_requests);
                let mut refusal = Response::new(B::default());
                *refusal.status_mut() = StatusCode::BAD_REQUEST;
                refusal
            }
        };
        // Behind a chunked body the stream is no longer watched, so nothing may follow.
        let is_last = is_refused || length == BodyLength::Chunked || connections.is_draining();
        if is_http1 && is_last {
            response
                .headers_mut()
                .insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::testing::{
        Echo, connect, edge_options, eventually, exchange, read_answer, read_to_close, status_of,
    };
    use crate::net::{Edge, EdgeOptions};
    use std::io::Write;
    use std::time::Instant;

    /// Small limit for the phase under test.
    const SHORT: Duration = Duration::from_millis(60);
    const GET: &[u8] = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n";

    fn edge(limits: Limits) -> Edge {
        Edge::start(
            EdgeOptions {
                limits,
                ..edge_options()
            },
            |_| Echo,
        )
        .unwrap()
    }

    #[test]
    fn framing_table() {
        let edge = edge(Limits::default());
        let many: String = (0..65).map(|n| format!("X-{n}: a\r\n")).collect();
        let head = |lines: &str| format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{lines}\r\n");
        let post = |lines: &str, body: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n{body}");
        let chunk = "3\r\nabc\r\n0\r\n\r\n";
        let table = [
            (head(""), 200),
            ("GET / HTTP/1.0\r\n\r\n".into(), 200),
            (
                "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".into(),
                200,
            ),
            ("GET / HTTP/1.1\r\n\r\n".into(), 400),
            (head("Host: b\r\n"), 400),
            (head("Content-Length: 1\r\n") + "x", 400),
            (head("Content-Length: 0\r\n"), 200),
            (head("Transfer-Encoding: chunked\r\n") + "0\r\n\r\n", 400),
            ("HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx".into(), 400),
            (post("Connection: close\r\nContent-Length: 3\r\n", "abc"), 200),
            (post("Transfer-Encoding: chunked\r\n", chunk), 200),
            (post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", chunk), 400),
            (post("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", chunk), 400),
            (post("Content-Length: 3\r\nContent-Length: 3\r\n", "abc"), 400),
            (post("Content-Length: 3\r\nContent-Length: 4\r\n", "abc"), 400),
            (post("Content-Length: +3\r\n", "abc"), 400),
            (post("Transfer-Encoding: xchunked\r\n", chunk), 400),
            (post("Transfer-Encoding : chunked\r\n", chunk), 400),
            (
                "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned() + chunk,
                400,
            ),
            (head("X: a\r\n b\r\n"), 400),
            (head("X: a\0b\r\n"), 400),
            ("nonsense\r\n\r\n".into(), 400),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(), 400),
            (head(&many), 431),
            (head(&format!("X: {}\r\n", "a".repeat(20_000))), 431),
            (format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(20_000)), 431),
        ];
        for (bytes, expected) in &table {
            // A second request behind a refused one must get no answer.
            let canary = "GET /canary HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
            let sent = if *expected == 200 {
                bytes.clone()
            } else {
                bytes.clone() + canary
            };
            let answer = exchange(edge.public_address(), sent.as_bytes());
            let shown: String = bytes.chars().take(90).collect();
            assert_eq!(
                (status_of(&answer), answer.matches("HTTP/1.").count()),
                (*expected, 1),
                "{shown:?}: {answer}"
            );
            assert!(!answer.contains("canary"), "{shown:?}");
        }
        let refused = table.iter().filter(|(_, status)| *status != 200).count();
        eventually("all counted", || {
            edge.counters().totals().bad_requests == refused as u64
        });
    }

    #[test]
    fn requests_sent_ahead_are_answered_in_order() {
        let edge = edge(Limits::default());
        let sent = b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc\
            POST /3 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\nGET /4 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        for size in [sent.len(), 1, 7] {
            let mut client = connect(edge.public_address());
            client.set_nodelay(true).unwrap();
            sent.chunks(size).for_each(|piece| client.write_all(piece).unwrap());
            let answers = read_to_close(&mut client);
            let places: Vec<_> = ["GET /1 ", "POST /2 127.0.0.1 clear abc", "POST /3 ", "GET /4 "]
                .iter()
                .map(|text| answers.find(text).unwrap_or_else(|| panic!("{text} in {answers}")))
                .collect();
            assert!(places.is_sorted(), "{answers}");
        }
        assert_eq!(edge.counters().totals().bad_requests, 0);
    }

    #[test]
    fn a_slow_head_is_closed_while_others_are_served() {
        let edge = edge(Limits {
            header: SHORT,
            ..Limits::default()
        });
        let mut slow = connect(edge.public_address());
        slow.write_all(b"GET / HTTP/1.1\r\nHost:").unwrap();
        let mut other = connect(edge.public_address());
        let before = Instant::now();
        while edge.counters().totals().timeouts == 0 {
            assert!(
                before.elapsed() < Duration::from_secs(10),
                "the slow client is still there"
            );
            // One byte more buys no time.
            let _ = slow.write_all(b" ");
            other.write_all(GET).unwrap();
            assert_eq!(status_of(&read_answer(&mut other)), 200);
        }
        assert_eq!(read_to_close(&mut slow), "");
    }

    #[test]
    fn silent_and_idle_connections_end() {
        let limits = Limits {
            first_byte: SHORT,
            idle: SHORT,
            ..Limits::default()
        };
        let edge = edge(limits);
        let mut silent = connect(edge.public_address());
        assert_eq!(read_to_close(&mut silent), "");
        assert_eq!(edge.counters().totals().timeouts, 1);
        let mut idle = connect(edge.public_address());
        idle.write_all(GET).unwrap();
        assert_eq!(status_of(&read_answer(&mut idle)), 200);
        assert_eq!(read_to_close(&mut idle), "");
        assert_eq!(edge.counters().totals().timeouts, 1, "idle connections are no fault");
    }

    #[test]
    fn a_body_that_does_not_come_is_not_awaited() {
        let edge = edge(Limits {
            request: SHORT,
            ..Limits::default()
        });
        let mut client = connect(edge.public_address());
        client
            .write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab")
            .unwrap();
        assert_eq!(read_to_close(&mut client), "");
        assert_eq!(edge.counters().totals().timeouts, 1);
    }

    #[test]
    fn an_answer_that_is_not_read_is_given_up() {
        let edge = edge(Limits {
            answer: SHORT,
            ..Limits::default()
        });
        let body = vec![b'a'; 32 * 1024 * 1024];
        let mut client = connect(edge.public_address());
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len());
        client.write_all(head.as_bytes()).unwrap();
        client.write_all(&body).unwrap();
        eventually("the answer given up", || edge.counters().totals().timeouts == 1);
    }

    #[test]
    fn beyond_the_bound_connections_are_closed_at_once() {
        let edge = edge(Limits {
            connections_max: 2,
            ..Limits::default()
        });
        let mut kept: Vec<_> = (0..2).map(|_| connect(edge.public_address())).collect();
        for client in &mut kept {
            client.write_all(GET).unwrap();
            assert_eq!(status_of(&read_answer(client)), 200);
        }
        assert_eq!(exchange(edge.public_address(), GET), "");
        assert_eq!(
            (edge.counters().totals().refused, edge.counters().totals().open),
            (1, 2)
        );
        drop(kept);
        eventually("none open", || edge.counters().totals().open == 0);
        assert_eq!(
            status_of(&exchange(edge.public_address(), b"GET / HTTP/1.0\r\n\r\n")),
            200
        );
    }

    #[test]
    fn a_panic_closes_its_own_connection_only() {
        let edge = edge(Limits::default());
        let mut other = connect(edge.public_address());
        other.write_all(GET).unwrap();
        read_answer(&mut other);
        assert_eq!(
            exchange(edge.public_address(), b"GET /panic HTTP/1.1\r\nHost: a\r\n\r\n"),
            ""
        );
        other.write_all(GET).unwrap();
        assert_eq!(status_of(&read_answer(&mut other)), 200);
        eventually("the panic counted", || edge.counters().totals().panics == 1);
        eventually("one left", || edge.counters().totals().open == 1);
    }
}
