//! Answers as bytes: what the handler writes, and the lines that belong to the connection, not to the handler.
//!
//! The bytes are those that hyper would have sent, in the same order, so that nobody can tell the paths apart.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Body;
use hyper::header::{CONNECTION, CONTENT_LENGTH, DATE, TRAILER, TRANSFER_ENCODING, UPGRADE};
use hyper::{Response, StatusCode};

/// What a handler made of a [`super::Head`].
#[derive(Debug)]
pub enum AtOnce {
    /// Nothing, and nothing was counted: [`crate::net::Handler::handle`] shall have the request.
    NotMine,
    /// The status line and all lines of an answer without a body stand in the [`AnswerLines`].
    Written,
    /// This answer. For HEAD its body must be empty.
    Whole(Box<Response<Full<Bytes>>>),
}

/// Takes the status line and header lines of an answer.
#[derive(Debug)]
pub struct AnswerLines<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
}

impl<'a> AnswerLines<'a> {
    /// Appends to `out`.
    pub(super) fn new(out: &'a mut Vec<u8>) -> Self {
        let start = out.len();
        Self { out, start }
    }

    /// Appends `text`: a status line, or whole lines, each with its CRLF. Not Content-Length, Connection or Date.
    pub fn fixed(&mut self, text: &'static str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    /// Appends a line; `name` brings its colon and space. False, with nothing appended, when no header may have this
    /// value (RFC 9110 section 5.5).
    #[must_use]
    pub fn line(&mut self, name: &'static str, value: &str) -> bool {
        let is_fit = |byte: u8| (byte >= b' ') & (byte != 0x7f) | (byte == b'\t');
        // Without a way out before the end, many bytes are looked at together; most values are ASCII that can be seen.
        let are_seen = value
            .bytes()
            .fold(true, |are_seen, byte| are_seen & (byte.wrapping_sub(b' ') < 0x5f));
        if !are_seen && !value.bytes().all(is_fit) {
            return false;
        }
        self.out.reserve(name.len() + value.len() + 2);
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(value.as_bytes());
        self.out.extend_from_slice(b"\r\n");
        true
    }

    /// Takes back everything since the start of this answer.
    pub fn clear(&mut self) {
        self.out.truncate(self.start);
    }
}

/// Writes `response` but for what [`finish`] adds; returns its body and whether it may have one.
pub(super) fn write_lines(out: &mut Vec<u8>, response: Response<Full<Bytes>>) -> (Bytes, bool) {
    let (parts, body) = response.into_parts();
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(parts.status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(parts.status.canonical_reason().unwrap_or("<none>").as_bytes());
    out.extend_from_slice(b"\r\n");
    for (name, value) in &parts.headers {
        // Whose connection it is frames its answers.
        if [CONNECTION, CONTENT_LENGTH, DATE, TRAILER, TRANSFER_ENCODING, UPGRADE].contains(name) {
            continue;
        }
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    let has_body = !matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    (if has_body { content(body) } else { Bytes::new() }, has_body)
}

/// The bytes of a body that is there already.
fn content(mut body: Full<Bytes>) -> Bytes {
    match Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
        _ => Bytes::new(),
    }
}

/// Ends the lines of an answer: how long its body is (`None`: it may have none, and says nothing of it), whether it is
/// the connection's last, and the date.
pub(super) fn finish(out: &mut Vec<u8>, length: Option<usize>, is_last: bool, date: &mut DateLine) {
    if is_last {
        out.extend_from_slice(b"connection: close\r\n");
    }
    match length {
        Some(0) => out.extend_from_slice(b"content-length: 0\r\n"),
        Some(length) => {
            out.extend_from_slice(b"content-length: ");
            push_number(out, length);
            out.extend_from_slice(b"\r\n");
        }
        None => {}
    }
    out.extend_from_slice(date.text());
}

fn push_number(out: &mut Vec<u8>, number: usize) {
    let mut digits = [0; 20];
    let (mut at, mut rest) = (digits.len(), number);
    while rest > 0 || at == digits.len() {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    out.extend_from_slice(&digits[at..]);
}

/// The Date line and the empty line behind it, made once a second; one look at the clock serves all answers that go out
/// together.
#[derive(Debug, Default)]
pub(super) struct DateLine {
    second: u64,
    text: Vec<u8>,
    /// Whether the clock was looked at for these answers.
    is_current: bool,
}

impl DateLine {
    /// The next answers go out later.
    pub fn pass(&mut self) {
        self.is_current = false;
    }

    fn text(&mut self) -> &[u8] {
        if self.is_current {
            return &self.text;
        }
        let now = SystemTime::now();
        let second = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        if second != self.second || self.text.is_empty() {
            self.second = second;
            self.text = format!("date: {}\r\n\r\n", httpdate::HttpDate::from(now)).into_bytes();
        }
        self.is_current = true;
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::{HeaderValue, LOCATION};

    #[test]
    fn no_value_may_end_its_line() {
        let mut out = b"before ".to_vec();
        let mut lines = AnswerLines::new(&mut out);
        lines.fixed("HTTP/1.1 302 Found\r\n");
        for value in ["a\r\nb", "a\nb", "a\rb", "a\0b", "\u{7f}"] {
            assert!(!lines.line("location: ", value), "{value:?}");
            assert!(HeaderValue::from_str(value).is_err(), "{value:?}");
        }
        assert!(lines.line("location: ", "https://a/?\tb=%0d"));
        assert_eq!(out, b"before HTTP/1.1 302 Found\r\nlocation: https://a/?\tb=%0d\r\n");
        let mut lines = AnswerLines {
            out: &mut out,
            start: "before ".len(),
        };
        lines.clear();
        assert_eq!(out, b"before ");
    }

    #[test]
    fn a_response_becomes_its_bytes() {
        let mut response = Response::new(Full::from("hello"));
        *response.status_mut() = StatusCode::NOT_FOUND;
        response.headers_mut().insert(LOCATION, HeaderValue::from_static("x"));
        response
            .headers_mut()
            .insert(CONTENT_LENGTH, HeaderValue::from_static("9"));
        let mut out = Vec::new();
        let (body, has_body) = write_lines(&mut out, response);
        assert!(has_body && body == "hello");
        finish(&mut out, Some(body.len()), true, &mut DateLine::default());
        let text = String::from_utf8(out).unwrap();
        let expected = "HTTP/1.1 404 Not Found\r\nlocation: x\r\nconnection: close\r\ncontent-length: 5\r\ndate: ";
        assert!(text.starts_with(expected) && text.ends_with(" GMT\r\n\r\n"), "{text}");
    }

    #[test]
    fn answers_that_go_out_together_have_one_date() {
        let mut date = DateLine::default();
        let first = date.text().to_vec();
        date.second = 1;
        date.text = b"of long ago".to_vec();
        assert_eq!(date.text(), b"of long ago", "one look at the clock");
        date.pass();
        assert!(date.text().starts_with(b"date: ") && date.text().len() == first.len());
    }

    #[test]
    fn numbers_are_written_out() {
        for number in [0, 9, 10, 12_345, usize::MAX] {
            let mut out = Vec::new();
            push_number(&mut out, number);
            assert_eq!(out, number.to_string().into_bytes());
        }
    }
}
