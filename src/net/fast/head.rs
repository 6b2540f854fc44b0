//! One request head, parsed in place, if it is of the plain kind.
//!
//! At least as strict as hyper and `framing`: the same parser, and every line that could change what belongs to the
//! request, or who reads it next, makes the head not plain. It never refuses: not plain means that hyper decides.

use std::mem::MaybeUninit;

use httparse::Status;

/// Most header lines of a plain head. 64: in-app browsers send about 25.
pub(super) const LINES_MAX: usize = 64;

/// Room for the lines of one head, on the stack.
pub(super) type Lines<'b> = [MaybeUninit<httparse::Header<'b>>; LINES_MAX];

/// A plain GET or HEAD: HTTP/1.1, one Host, no body, a path for a target.
#[derive(Debug)]
pub struct Head<'h> {
    is_head: bool,
    path: &'h str,
    query: &'h str,
    host: &'h str,
    lines: &'h [httparse::Header<'h>],
    /// All of it, where it is UTF-8: looking through it once costs less than through some lines one by one.
    text: Option<&'h str>,
}

/// What a request is for, as far as that shows without reading its head: nobody may rely on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Glance<'b> {
    pub path: &'b str,
    pub host: &'b str,
}

impl<'b> Glance<'b> {
    /// Looks at the first two lines in `bytes`: clients send Host first (RFC 9112 section 3.2).
    pub(super) fn at(bytes: &'b [u8]) -> Option<Self> {
        // What is looked for is mostly near: no search that takes long strides.
        let until =
            |bytes: &'b [u8], end: &[u8]| Some(bytes.split_at(bytes.iter().position(|byte| end.contains(byte))?));
        let target = bytes.strip_prefix(b"GET ").or_else(|| bytes.strip_prefix(b"HEAD "))?;
        let (path, rest) = until(target, b" ?")?;
        let line = match rest.strip_prefix(b" HTTP/1.1\r\n") {
            Some(line) => line,
            None => until(rest, b"\n")?.1.strip_prefix(b"\n")?,
        };
        let (name, value) = line.split_at_checked("host:".len())?;
        let (value, _) = until(value, b"\r")?;
        let is_host = name.eq_ignore_ascii_case(b"host:");
        is_host.then_some(Self {
            path: std::str::from_utf8(path).ok()?,
            host: std::str::from_utf8(value.trim_ascii()).ok()?,
        })
    }
}

/// What stands at the start of some bytes.
#[derive(Debug)]
pub(super) enum Found<'h> {
    /// The beginning of a head.
    Part,
    /// A plain head.
    Plain {
        head: Head<'h>,
        /// Its length in bytes, with empty lines before it.
        length: usize,
        /// Whether the client wants no further answer.
        is_last: bool,
    },
    /// Something else.
    Other,
}

impl<'h> Head<'h> {
    /// HEAD, not GET.
    pub fn is_head(&self) -> bool {
        self.is_head
    }

    /// The path as it was sent, with its leading slash.
    pub fn path(&self) -> &'h str {
        self.path
    }

    /// What stands behind the first `?`; empty = nothing.
    pub fn query(&self) -> &'h str {
        self.query
    }

    /// The Host.
    pub fn host(&self) -> &'h str {
        self.host
    }

    /// Names and values of all lines, in the order in which they came. Names in any letter case; values may be of any
    /// bytes but control characters.
    pub fn lines(&self) -> impl DoubleEndedIterator<Item = (&'h str, &'h [u8])> + Clone {
        self.lines.iter().map(|line| (line.name, line.value))
    }

    /// As [`Self::lines`], each with what its value reads as: `None` where it is no UTF-8.
    pub fn texts(&self) -> impl Iterator<Item = (&'h str, &'h [u8], impl FnOnce() -> Option<&'h str>)> {
        let whole = self.text;
        self.lines().map(move |(name, value)| {
            (name, value, move || {
                let within = whole.and_then(|whole| {
                    let at = value.as_ptr().addr().wrapping_sub(whole.as_ptr().addr());
                    whole.get(at..at.checked_add(value.len())?)
                });
                within.or_else(|| std::str::from_utf8(value).ok())
            })
        })
    }

    /// Looks at the head at the start of `bytes`, with room for its lines in `lines`: no more of them than that.
    pub(super) fn find<'b: 'h>(bytes: &'b [u8], lines: &'h mut [MaybeUninit<httparse::Header<'b>>]) -> Found<'h> {
        let mut request = httparse::Request::new(&mut []);
        let length = match request.parse_with_uninit_headers(bytes, lines) {
            Ok(Status::Complete(length)) => length,
            Ok(Status::Partial) => return Found::Part,
            Err(_) => return Found::Other,
        };
        let is_head = match request.method {
            Some("GET") => false,
            Some("HEAD") => true,
            _ => return Found::Other,
        };
        let target = request.path.unwrap_or_default();
        if request.version != Some(1) || !is_plain_target(target) {
            return Found::Other;
        }
        let lines: &'h [httparse::Header<'b>] = request.headers;
        let Some((host, is_last)) = read_lines(lines) else {
            return Found::Other;
        };
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let head = Head {
            is_head,
            path,
            query,
            host,
            lines,
            text: simdutf8::basic::from_utf8(&bytes[..length]).ok(),
        };
        Found::Plain { head, length, is_last }
    }
}

/// The Host, and whether the connection shall close; `None` when a line makes the head not plain.
fn read_lines<'h>(lines: &[httparse::Header<'h>]) -> Option<(&'h str, bool)> {
    let (mut host, mut connection) = (None, None);
    for line in lines {
        match line.name.len() {
            4 if line.name.eq_ignore_ascii_case("host") => {
                if host.is_some() {
                    return None;
                }
                host = Some(plain_host(line.value)?);
            }
            10 if line.name.eq_ignore_ascii_case("connection") => {
                if connection.is_some() {
                    return None;
                }
                connection = Some(closes(line.value)?);
            }
            6 if line.name.eq_ignore_ascii_case("expect") => return None,
            7 if line.name.eq_ignore_ascii_case("upgrade") => return None,
            14 if line.name.eq_ignore_ascii_case("content-length") => return None,
            17 if line.name.eq_ignore_ascii_case("transfer-encoding") => return None,
            _ => {}
        }
    }
    Some((host?, connection.unwrap_or(false)))
}

/// What a Connection line asks for; `None` for anything but the two usual values.
fn closes(value: &[u8]) -> Option<bool> {
    if value.eq_ignore_ascii_case(b"keep-alive") {
        Some(false)
    } else if value.eq_ignore_ascii_case(b"close") {
        Some(true)
    } else {
        None
    }
}

fn plain_host(value: &[u8]) -> Option<&str> {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b".-:_[]".contains(byte);
    if value.is_empty() || !value.iter().all(is_plain) {
        return None;
    }
    std::str::from_utf8(value).ok()
}

/// What may stand in a plain target: RFC 3986's path and query characters. Browsers send a few more, which hyper may
/// judge.
const TARGET_BYTES: [bool; 256] = {
    let mut table = [false; 256];
    let allowed = b"-._~!$&'()*+,;=:@/?%0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut at = 0;
    while at < allowed.len() {
        table[allowed[at] as usize] = true;
        at += 1;
    }
    table
};

fn is_plain_target(target: &str) -> bool {
    target.starts_with('/') && target.bytes().all(|byte| TARGET_BYTES[usize::from(byte)])
}

/// Whether a head may end in `bytes` at or behind `from`: an empty line. What hyper looks for too before it parses a head
/// that came in pieces once more.
pub(super) fn may_end(bytes: &[u8], from: usize) -> bool {
    let bytes = &bytes[from.saturating_sub(3)..];
    memchr::memchr_iter(b'\n', bytes).any(|at| matches!(&bytes[at + 1..], [b'\n', ..] | [b'\r', b'\n', ..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `path|query|host|is_head|is_last|length`, or what else was found.
    fn find(bytes: &[u8]) -> String {
        let mut lines: Lines<'_> = [const { MaybeUninit::uninit() }; LINES_MAX];
        match Head::find(bytes, &mut lines) {
            Found::Part => "part".to_owned(),
            Found::Other => "other".to_owned(),
            Found::Plain { head, length, is_last } => {
                let method = if head.is_head() { "HEAD" } else { "GET" };
                let last = if is_last { "last" } else { "more" };
                let (path, query, host) = (head.path(), head.query(), head.host());
                format!("{method} {path} {query} {host} {last} {length}")
            }
        }
    }

    #[test]
    fn a_glance_sees_what_will_be_read() {
        let table: [(&[u8], &str); 9] = [
            (b"GET /a HTTP/1.1\r\nHost: b\r\n\r\n", "b/a"),
            (b"HEAD /a?x=1?y HTTP/1.1\r\nhOST:b:80\r\nAc", "b:80/a"),
            (b"GET /a HTTP/1.1\r\nAccept: */*\r\nHost: b\r\n\r\n", "nothing"),
            (b"POST /a HTTP/1.1\r\nHost: b\r\n\r\n", "nothing"),
            (b"GET /a HTTP/1.1\r\nHost: b", "nothing"),
            (b"GET /a HTTP/1.1\r\nHo", "nothing"),
            (b"GET /a HTTP/1.1", "nothing"),
            (b"GET /\xff HTTP/1.1\r\nHost: b\r\n\r\n", "nothing"),
            (b"", "nothing"),
        ];
        for (bytes, expected) in table {
            let seen = Glance::at(bytes).map(|glance| [glance.host, glance.path].concat());
            assert_eq!(
                seen.as_deref().unwrap_or("nothing"),
                expected,
                "{}",
                bytes.escape_ascii()
            );
        }
    }

    #[test]
    fn plain_heads_are_read() {
        let table: [(&[u8], &str); 6] = [
            (b"GET /a HTTP/1.1\r\nHost: b\r\n\r\n", "GET /a  b more 28"),
            (
                b"HEAD /a?x=1?y HTTP/1.1\r\nhOST:b:80\r\n\r\nrest",
                "HEAD /a x=1?y b:80 more 37",
            ),
            (
                b"\r\nGET / HTTP/1.1\r\nHost: [::1]\r\nConnection: Close\r\n\r\n",
                "GET /  [::1] last 52",
            ),
            (
                b"GET //a HTTP/1.1\nHost: b\nConnection: keep-alive\n\n",
                "GET //a  b more 49",
            ),
            (b"GET /a HTTP/1.1\r\nHost: b\r\n", "part"),
            (b"", "part"),
        ];
        for (bytes, expected) in table {
            assert_eq!(find(bytes), expected, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn values_read_as_text_where_they_are() {
        let texts = |bytes: &[u8]| {
            let mut lines: Lines<'_> = [const { MaybeUninit::uninit() }; LINES_MAX];
            let Found::Plain { head, .. } = Head::find(bytes, &mut lines) else {
                panic!("not plain: {}", bytes.escape_ascii());
            };
            let texts = head.texts().map(|(name, value, text)| {
                let text = text();
                assert_eq!(text, std::str::from_utf8(value).ok(), "{name}");
                text.map(str::to_owned)
            });
            texts.collect::<Vec<_>>()
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            texts("\r\nGET / HTTP/1.1\r\nHost: b\r\nX: \u{fc}ber \r\nY:\r\n\r\nrest".as_bytes()),
            [some("b"), some("\u{fc}ber"), some("")]
        );
        assert_eq!(
            texts(b"GET / HTTP/1.1\r\nHost: b\r\nX: \xff\r\nY: \xc3\xbc\r\n\r\n"),
            [some("b"), None, some("\u{fc}")]
        );
    }

    #[test]
    fn what_is_not_plain_is_left_alone() {
        let lines = [
            "Content-Length: 0",
            "Transfer-Encoding: chunked",
            "Expect: 100-continue",
            "Upgrade: websocket",
            "Connection: upgrade",
            "Connection: keep-alive, close",
            "Connection: close\r\nConnection: close",
            "Host: b",
            "X: a\r\n b",
            "X : a",
            "X: \0",
        ];
        for line in lines {
            let bytes = format!("GET /a HTTP/1.1\r\nHost: b\r\n{line}\r\n\r\n");
            assert_eq!(find(bytes.as_bytes()), "other", "{line}");
        }
        let many = "X: a\r\n".repeat(LINES_MAX);
        for bytes in [
            "GET /a HTTP/1.1\r\n\r\n".to_owned(),
            "GET /a HTTP/1.1\r\nHost:\r\n\r\n".to_owned(),
            "GET /a HTTP/1.1\r\nHost: b/c\r\n\r\n".to_owned(),
            "GET /a HTTP/1.0\r\nHost: b\r\n\r\n".to_owned(),
            "POST /a HTTP/1.1\r\nHost: b\r\n\r\n".to_owned(),
            "get /a HTTP/1.1\r\nHost: b\r\n\r\n".to_owned(),
            "GET * HTTP/1.1\r\nHost: b\r\n\r\n".to_owned(),
            "GET http://b/a HTTP/1.1\r\nHost: b\r\n\r\n".to_owned(),
            "GET /a#b HTTP/1.1\r\nHost: b\r\n\r\n".to_owned(),
            "GET /\u{e4} HTTP/1.1\r\nHost: b\r\n\r\n".to_owned(),
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
            format!("GET /a HTTP/1.1\r\nHost: b\r\n{many}\r\n"),
        ] {
            assert_eq!(find(bytes.as_bytes()), "other", "{bytes:.40}");
        }
    }

    #[test]
    fn an_end_is_seen_across_pieces() {
        let head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        for from in 0..head.len() {
            assert!(may_end(head, from), "{from}");
            assert!(!may_end(&head[..head.len() - 1], from.min(head.len() - 1)), "{from}");
        }
        assert!(may_end(b"a\n\n", 2) && !may_end(b"a\n\r", 2));
    }
}
