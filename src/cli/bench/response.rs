//! Reads answers off a connection, piece by piece: status, length, whether the connection ends. Nothing else of them is
//! looked at, so that measuring costs little beside what is measured.
//!
//! Framing is RFC 9112, strictly: bare line feeds, folded lines and lengths that contradict each other are refused, for a
//! server that sends them is broken, and figures of it would be wrong. Never keeps a body.

use memchr::{memchr, memmem};

/// Longest head of an answer, and longest trailer, in bytes: what browsers and proxies take.
pub const HEAD_MAX: usize = 16 * 1024;
/// Longest body, in bytes: a redirect has none, a page of a shop fits.
pub const BODY_MAX: u64 = 1 << 20;
/// Longest line with a chunk's size, in bytes: sixteen digits and short extensions.
const CHUNK_LINE_MAX: usize = 256;

/// A whole answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// 200 to 999.
    pub status: u16,
    /// Whether the server ends the connection after it.
    pub is_last: bool,
}

/// Why what came is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// The head is not HTTP/1, or its lengths contradict each other.
    Head,
    /// The head is longer than [`HEAD_MAX`].
    HeadTooLong,
    /// The body is longer than [`BODY_MAX`].
    BodyTooLong,
    /// A chunk's size or end is not there.
    Chunk,
    /// The connection ended inside the answer, or before it.
    CutOff,
}

impl Broken {
    /// As people read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Head => "an answer that is not HTTP/1",
            Self::HeadTooLong => "a head of more than 16 KiB",
            Self::BodyTooLong => "a body of more than 1 MiB",
            Self::Chunk => "a broken chunk",
            Self::CutOff => "closed before the answer was whole",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Head,
    /// So many bytes are still to come.
    Body(u64),
    /// The body ends with the connection.
    UntilClose,
    ChunkSize,
    ChunkData(u64),
    /// The line end after a chunk.
    ChunkEnd,
    Trailer,
}

/// What a head says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Head {
    status: u16,
    is_last: bool,
    length: Option<u64>,
    is_chunked: bool,
}

/// One connection's answers, one after the other.
#[derive(Debug)]
pub struct Reader {
    state: State,
    /// The part of a head, a chunk's line or a trailer that has come so far; empty for answers that come at once.
    kept: Vec<u8>,
    answer: Answer,
    body: u64,
    is_head_request: bool,
}

impl Reader {
    /// Answers to GET, or to HEAD, which have no body.
    pub fn new(is_head_request: bool) -> Self {
        Self {
            state: State::Head,
            kept: Vec::new(),
            answer: Answer {
                status: 0,
                is_last: false,
            },
            body: 0,
            is_head_request,
        }
    }

    /// Forgets what had come: a new connection.
    pub fn reset(&mut self) {
        self.state = State::Head;
        self.kept.clear();
    }

    /// Takes what has come, up to the end of one answer: how many bytes that were, and the answer when it is whole.
    ///
    /// # Errors
    /// [`Broken`]; the connection is of no use then.
    pub fn read(&mut self, bytes: &[u8]) -> Result<(usize, Option<Answer>), Broken> {
        let mut used = 0;
        loop {
            let rest = bytes.get(used..).unwrap_or_default();
            let (taken, is_whole) = match self.state {
                State::Head => self.read_head(rest)?,
                State::Body(left) => self.pass(rest, left, State::Head, true),
                State::ChunkData(left) => self.pass(rest, left, State::ChunkEnd, false),
                State::UntilClose => {
                    self.add_body(rest.len() as u64)?;
                    (rest.len(), false)
                }
                State::ChunkSize => self.read_chunk_size(rest)?,
                State::ChunkEnd => self.read_chunk_end(rest)?,
                State::Trailer => self.read_trailer(rest)?,
            };
            used += taken;
            if is_whole {
                self.reset();
                return Ok((used, Some(self.answer)));
            }
            // A state that takes nothing waits for more; one that ends without a byte goes on at once.
            if used == bytes.len() && !matches!(self.state, State::Body(0)) {
                return Ok((used, None));
            }
        }
    }

    /// The other side has closed: the answer whose end that was.
    ///
    /// # Errors
    /// [`Broken::CutOff`] when there is none.
    pub fn end(&mut self) -> Result<Answer, Broken> {
        let was = self.state;
        self.reset();
        match was {
            State::UntilClose => Ok(self.answer),
            _ => Err(Broken::CutOff),
        }
    }

    /// Passes over bytes that nobody looks at.
    fn pass(&mut self, bytes: &[u8], left: u64, then: State, is_end: bool) -> (usize, bool) {
        let taken = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let left = left - taken as u64;
        self.state = match (left, self.state) {
            (0, _) => then,
            (left, State::Body(_)) => State::Body(left),
            (left, _) => State::ChunkData(left),
        };
        (taken, left == 0 && is_end)
    }

    fn add_body(&mut self, more: u64) -> Result<(), Broken> {
        self.body = self.body.saturating_add(more);
        if self.body > BODY_MAX {
            return Err(Broken::BodyTooLong);
        }
        Ok(())
    }

    fn read_head(&mut self, bytes: &[u8]) -> Result<(usize, bool), Broken> {
        let Some((taken, head)) = self.gather(bytes, b"\r\n\r\n", HEAD_MAX, Broken::HeadTooLong, parse_head)? else {
            return Ok((bytes.len(), false));
        };
        let head = head?;
        if head.status < 200 {
            // 101 would be another protocol, which nobody asked for.
            return if head.status == 101 {
                Err(Broken::Head)
            } else {
                Ok((taken, false))
            };
        }
        self.answer = Answer {
            status: head.status,
            is_last: head.is_last,
        };
        self.body = 0;
        let is_bare = self.is_head_request || matches!(head.status, 204 | 304);
        self.state = match (is_bare, head.is_chunked, head.length) {
            (true, ..) | (false, false, Some(0)) => return Ok((taken, true)),
            (false, true, _) => State::ChunkSize,
            (false, false, Some(length)) => {
                self.add_body(length)?;
                State::Body(length)
            }
            (false, false, None) => {
                self.answer.is_last = true;
                State::UntilClose
            }
        };
        Ok((taken, false))
    }

    fn read_chunk_size(&mut self, bytes: &[u8]) -> Result<(usize, bool), Broken> {
        let Some((taken, size)) = self.gather(bytes, b"\r\n", CHUNK_LINE_MAX, Broken::Chunk, chunk_size)? else {
            return Ok((bytes.len(), false));
        };
        let size = size.ok_or(Broken::Chunk)?;
        self.add_body(size)?;
        self.state = if size == 0 {
            State::Trailer
        } else {
            State::ChunkData(size)
        };
        Ok((taken, false))
    }

    fn read_chunk_end(&mut self, bytes: &[u8]) -> Result<(usize, bool), Broken> {
        let Some((taken, is_empty)) = self.gather(bytes, b"\r\n", 2, Broken::Chunk, |line| line.len() == 2)? else {
            return Ok((bytes.len(), false));
        };
        if !is_empty {
            return Err(Broken::Chunk);
        }
        self.state = State::ChunkSize;
        Ok((taken, false))
    }

    /// Lines until an empty one.
    fn read_trailer(&mut self, bytes: &[u8]) -> Result<(usize, bool), Broken> {
        let read = self.gather(bytes, b"\r\n", HEAD_MAX, Broken::HeadTooLong, |line| line.len() == 2)?;
        Ok(read.unwrap_or((bytes.len(), false)))
    }

    /// Gives what comes up to and with `end` to `parse`, whether it came at once or in pieces; nothing while the end is not
    /// there, and then everything is kept.
    fn gather<T>(
        &mut self,
        bytes: &[u8],
        end: &[u8],
        max: usize,
        too_long: Broken,
        parse: impl FnOnce(&[u8]) -> T,
    ) -> Result<Option<(usize, T)>, Broken> {
        if self.kept.is_empty()
            && let Some(at) = memmem::find(bytes, end)
        {
            let taken = at + end.len();
            let whole = bytes.get(..taken).filter(|whole| whole.len() <= max).ok_or(too_long)?;
            return Ok(Some((taken, parse(whole))));
        }
        // The end may lie across two pieces.
        let had = self.kept.len();
        let from = had.saturating_sub(end.len() - 1);
        let room = max + end.len() - had.min(max);
        self.kept
            .extend_from_slice(bytes.get(..bytes.len().min(room)).unwrap_or_default());
        let found = self.kept.get(from..).and_then(|tail| memmem::find(tail, end));
        match found {
            Some(at) => {
                let whole = from + at + end.len();
                if whole > max {
                    return Err(too_long);
                }
                let parsed = parse(self.kept.get(..whole).unwrap_or_default());
                self.kept.clear();
                Ok(Some((whole - had, parsed)))
            }
            None if self.kept.len() >= max => Err(too_long),
            None => Ok(None),
        }
    }
}

/// A chunk's size in its line: hexadecimal, an extension after `;` is passed over.
fn chunk_size(line: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(line).ok()?.trim_end();
    let digits = text.split(';').next()?.trim_end_matches([' ', '\t']);
    let is_hex = !digits.is_empty() && digits.len() <= 16 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_hex.then(|| u64::from_str_radix(digits, 16).ok())?
}

/// The head in `bytes`, which end with an empty line.
fn parse_head(bytes: &[u8]) -> Result<Head, Broken> {
    let mut lines = Lines(bytes);
    let (minor, status) = parse_status(lines.next()?.ok_or(Broken::Head)?)?;
    let mut head = Head {
        status,
        is_last: minor == 0,
        length: None,
        is_chunked: false,
    };
    while let Some(line) = lines.next()? {
        if line.is_empty() {
            break;
        }
        head.read_line(line, minor)?;
    }
    // Both could be read in two ways (RFC 9112 section 6.3).
    if head.is_chunked && head.length.is_some() {
        return Err(Broken::Head);
    }
    Ok(head)
}

impl Head {
    fn read_line(&mut self, line: &[u8], minor: u8) -> Result<(), Broken> {
        // By far most fields are none of these three: their first letter says so.
        match line.first().map(u8::to_ascii_lowercase) {
            Some(b'c') => {
                if let Some(value) = value_of(line, b"content-length") {
                    let length = length_of(value).ok_or(Broken::Head)?;
                    if self.length.is_some_and(|other| other != length) {
                        return Err(Broken::Head);
                    }
                    self.length = Some(length);
                } else if let Some(value) = value_of(line, b"connection") {
                    if has_token(value, b"close") {
                        self.is_last = true;
                    } else if minor == 0 && has_token(value, b"keep-alive") {
                        self.is_last = false;
                    }
                }
            }
            Some(b't') => {
                if let Some(value) = value_of(line, b"transfer-encoding") {
                    if !value.eq_ignore_ascii_case(b"chunked") || self.is_chunked {
                        return Err(Broken::Head);
                    }
                    self.is_chunked = true;
                }
            }
            Some(b' ' | b'\t' | b':') => return Err(Broken::Head),
            _ => {}
        }
        Ok(())
    }
}

/// Lines that end with CRLF, and no other line feed.
struct Lines<'a>(&'a [u8]);

impl<'a> Lines<'a> {
    fn next(&mut self) -> Result<Option<&'a [u8]>, Broken> {
        let Some(end) = memchr(b'\n', self.0) else {
            return Ok(None);
        };
        let (line, rest) = self.0.split_at(end + 1);
        self.0 = rest;
        line.strip_suffix(b"\r\n").map(Some).ok_or(Broken::Head)
    }
}

/// The minor version and the status of `HTTP/1.1 302 Found`.
fn parse_status(line: &[u8]) -> Result<(u8, u16), Broken> {
    let rest = line.strip_prefix(b"HTTP/1.").ok_or(Broken::Head)?;
    let [
        minor @ (b'0' | b'1'),
        b' ',
        a @ b'1'..=b'9',
        b @ b'0'..=b'9',
        c @ b'0'..=b'9',
        after @ ..,
    ] = rest
    else {
        return Err(Broken::Head);
    };
    if !matches!(after, [] | [b' ', ..]) {
        return Err(Broken::Head);
    }
    let digit = |byte: &u8| u16::from(byte - b'0');
    Ok((minor - b'0', digit(a) * 100 + digit(b) * 10 + digit(c)))
}

/// The value of `line` when the field's name is `name` (in lower case).
fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (field, rest) = line.split_at_checked(name.len())?;
    let value = rest.strip_prefix(b":")?;
    field.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}

fn length_of(value: &[u8]) -> Option<u64> {
    let is_number = (1..=19).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
    is_number.then(|| std::str::from_utf8(value).ok()?.parse().ok())?
}

fn has_token(value: &[u8], token: &[u8]) -> bool {
    value
        .split(|byte| *byte == b',')
        .any(|part| part.trim_ascii().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every answer in `pieces`, and the end when the connection is closed after them.
    fn read_all(pieces: &[&[u8]], is_head: bool, is_closed: bool) -> Result<Vec<Answer>, Broken> {
        let mut reader = Reader::new(is_head);
        let mut answers = Vec::new();
        for piece in pieces {
            let mut rest = *piece;
            while !rest.is_empty() {
                let (used, answer) = reader.read(rest)?;
                assert!(used > 0, "no progress");
                answers.extend(answer);
                rest = &rest[used..];
            }
        }
        if is_closed {
            answers.push(reader.end()?);
        }
        Ok(answers)
    }

    fn one(text: &str) -> Result<Vec<Answer>, Broken> {
        read_all(&[text.as_bytes()], false, false)
    }

    fn answer(status: u16, is_last: bool) -> Answer {
        Answer { status, is_last }
    }

    #[test]
    fn answers_of_each_framing() {
        for (text, answers) in [
            (
                "HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n",
                vec![answer(302, false)],
            ),
            ("HTTP/1.1 204 No Content\r\n\r\n", vec![answer(204, false)]),
            (
                "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
                vec![answer(304, false)],
            ),
            ("HTTP/1.1 200\r\ncontent-length:3\r\n\r\nabc", vec![answer(200, false)]),
            (
                "HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 0\r\n\r\n",
                vec![answer(200, true)],
            ),
            ("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", vec![answer(200, true)]),
            (
                "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
                vec![answer(200, false)],
            ),
            (
                "HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\nHTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n",
                vec![answer(302, false)],
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nT: 1\r\n\r\nHTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno",
                vec![answer(200, false), answer(404, false)],
            ),
        ] {
            assert_eq!(one(text), Ok(answers), "{text}");
        }
        let until_close = b"HTTP/1.1 200 OK\r\n\r\nabc";
        assert_eq!(read_all(&[until_close], false, true), Ok(vec![answer(200, true)]));
        let of_head =
            b"HTTP/1.1 302 Found\r\nContent-Length: 99\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(
            read_all(&[of_head], true, false),
            Ok(vec![answer(302, false), answer(200, false)])
        );
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        let long_head = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(HEAD_MAX));
        let long_body = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", BODY_MAX + 1);
        for (text, broken) in [
            ("SSH-2.0-x\r\n\r\n", Broken::Head),
            ("HTTP/2 200\r\n\r\n", Broken::Head),
            ("HTTP/1.1 20 OK\r\n\r\n", Broken::Head),
            ("HTTP/1.1 2000 OK\r\n\r\n", Broken::Head),
            ("HTTP/1.1 101 Switching\r\n\r\n", Broken::Head),
            ("HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n", Broken::Head),
            ("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", Broken::Head),
            ("HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n", Broken::Head),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
                Broken::Head,
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                Broken::Head,
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
                Broken::Head,
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
                Broken::Chunk,
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
                Broken::Chunk,
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFF\r\n",
                Broken::BodyTooLong,
            ),
            (&long_head, Broken::HeadTooLong),
            (&long_body, Broken::BodyTooLong),
        ] {
            assert_eq!(one(text), Err(broken), "{text:.60}");
        }
        for cut in ["", "HTTP/1.1 302", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab"] {
            assert_eq!(read_all(&[cut.as_bytes()], false, true), Err(Broken::CutOff), "{cut}");
        }
        let endless = [b"a".as_slice(); HEAD_MAX + 9];
        assert_eq!(read_all(&endless, false, false), Err(Broken::HeadTooLong));
    }

    /// An answer as a server may send it, and what must be read of it.
    fn any_answer() -> impl Strategy<Value = (Vec<u8>, Answer)> {
        let fields = prop::collection::vec("[A-BD-SU-Za-bd-su-z][A-Za-z-]{0,20}: [ -~]{0,60}", 0..8);
        let body = prop::collection::vec(any::<u8>(), 0..300);
        let status = prop_oneof![
            Just(200u16),
            Just(204),
            Just(302),
            Just(303),
            Just(304),
            Just(404),
            Just(503)
        ];
        (status, fields, body, 0..3, any::<bool>(), any::<bool>()).prop_map(
            |(status, fields, body, framing, is_last, is_early)| {
                let mut text = Vec::new();
                if is_early {
                    text.extend_from_slice(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n");
                }
                text.extend_from_slice(format!("HTTP/1.1 {status} Why\r\n").as_bytes());
                for field in fields {
                    text.extend_from_slice(format!("{field}\r\n").as_bytes());
                }
                if is_last {
                    text.extend_from_slice(b"cOnnection:  close \r\n");
                }
                let is_bare = matches!(status, 204 | 304);
                match framing {
                    _ if is_bare => text.extend_from_slice(b"Content-Length: 0\r\n\r\n"),
                    0 => text.extend_from_slice(b"Content-Length: 0\r\n\r\n"),
                    1 => {
                        text.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
                        text.extend_from_slice(&body);
                    }
                    _ => {
                        text.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
                        for chunk in body.chunks(70) {
                            text.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                            text.extend_from_slice(chunk);
                            text.extend_from_slice(b"\r\n");
                        }
                        text.extend_from_slice(b"0\r\n\r\n");
                    }
                }
                (text, Answer { status, is_last })
            },
        )
    }

    proptest! {
        /// However the network cuts a stream of answers, the same answers come out.
        #[test]
        fn pieces_do_not_matter(
            all in prop::collection::vec(any_answer(), 1..6),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let stream: Vec<u8> = all.iter().flat_map(|(text, _)| text.clone()).collect();
            let expected: Vec<Answer> = all.iter().map(|(_, answer)| *answer).collect();
            let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
            places.extend([0, stream.len()]);
            places.sort_unstable();
            let pieces: Vec<&[u8]> = places.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();
            prop_assert_eq!(read_all(&pieces, false, false), Ok(expected.clone()));
            let bytes: Vec<&[u8]> = stream.chunks(1).collect();
            prop_assert_eq!(read_all(&bytes, false, false), Ok(expected));
        }

        /// Whatever comes: an answer, a refusal or patience, and never more kept than the bounds say.
        #[test]
        fn anything_is_survived(
            start in prop_oneof![Just(&b""[..]), Just(&b"HTTP/1.1 200 OK\r\n"[..]), Just(&b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"[..])],
            pieces in prop::collection::vec(prop::collection::vec(prop_oneof![any::<u8>(), Just(b'\r'), Just(b'\n'), Just(b'0')], 0..400), 0..60),
        ) {
            let mut reader = Reader::new(false);
            let first = reader.read(start);
            prop_assert!(first.is_ok());
            'pieces: for piece in pieces {
                let mut rest = &piece[..];
                while !rest.is_empty() {
                    match reader.read(rest) {
                        Ok((used, _)) => rest = &rest[used..],
                        Err(_) => break 'pieces,
                    }
                    prop_assert!(reader.kept.len() <= HEAD_MAX + 4);
                }
            }
        }
    }
}
