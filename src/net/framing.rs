//! Refuses requests whose bytes another server might read differently, before a handler sees them.
//!
//! What is plain garbage, too large or contradictory in itself is refused by hyper (400, 431). Here:
//! HTTP/1.1 without exactly one Host, any request with two; Content-Length more than once or beside Transfer-Encoding;
//! GET and HEAD with a body. The answer is 400 and the connection closes, since what follows cannot be trusted.

use hyper::body::Body;
use hyper::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use hyper::{HeaderMap, Method, Request, Version};

use super::watch::BodyLength;

/// The length of a request's body, as its framing declares it.
pub(super) fn body_length<B: Body>(request: &Request<B>) -> BodyLength {
    match request.body().size_hint().exact() {
        Some(length) => BodyLength::Known(length),
        None => BodyLength::Chunked,
    }
}

/// Whether a request must not reach a handler. `content_lengths` is how many such lines were sent; hyper keeps at most
/// one of them.
pub(super) fn is_ambiguous<B: Body>(request: &Request<B>, content_lengths: usize) -> bool {
    let headers = request.headers();
    let has_body = body_length(request) != BodyLength::Known(0);
    if has_body && matches!(*request.method(), Method::GET | Method::HEAD) {
        return true;
    }
    if request.version() == Version::HTTP_2 {
        return headers.get_all(HOST).iter().nth(1).is_some();
    }
    hosts_are_wrong(headers, request.version()) || lengths_are_wrong(headers, content_lengths)
}

fn hosts_are_wrong(headers: &HeaderMap, version: Version) -> bool {
    match headers.get_all(HOST).iter().count() {
        0 => version == Version::HTTP_11,
        1 => false,
        _ => true,
    }
}

fn lengths_are_wrong(headers: &HeaderMap, content_lengths: usize) -> bool {
    let is_encoded = headers.contains_key(TRANSFER_ENCODING);
    content_lengths > 1 || (is_encoded && (content_lengths > 0 || headers.contains_key(CONTENT_LENGTH)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use http_body_util::Full;

    fn request(method: &str, lines: &[(&str, &str)], body: &'static str) -> Request<Full<Bytes>> {
        let mut builder = Request::builder().method(method).version(Version::HTTP_11);
        for (name, value) in lines {
            builder = builder.header(*name, *value);
        }
        builder.body(Full::from(body)).unwrap()
    }

    #[test]
    fn table() {
        let host = ("host", "a.test");
        let chunked = ("transfer-encoding", "chunked");
        type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], &'static str, usize, bool);
        let table: [Row<'_>; 9] = [
            ("GET", &[host], "", 0, false),
            ("GET", &[], "", 0, true),
            ("GET", &[host, host], "", 0, true),
            ("GET", &[host], "x", 1, true),
            ("HEAD", &[host], "x", 1, true),
            ("POST", &[host], "x", 1, false),
            ("POST", &[host], "x", 2, true),
            ("POST", &[host, chunked], "x", 0, false),
            ("POST", &[host, chunked], "x", 1, true),
        ];
        for (method, lines, body, content_lengths, expected) in table {
            let request = request(method, lines, body);
            assert_eq!(
                is_ambiguous(&request, content_lengths),
                expected,
                "{method} {lines:?} {content_lengths}"
            );
        }
        let mut old = request("GET", &[], "");
        *old.version_mut() = Version::HTTP_10;
        assert!(!is_ambiguous(&old, 0), "HTTP/1.0 needs no Host");
    }
}
