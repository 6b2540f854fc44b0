//! Finds where a request's head ends, and what hyper does not tell: how often Content-Length was sent.
//!
//! hyper drops Content-Length when Transfer-Encoding is there too, so that a request that two servers would read in two
//! ways looks harmless to a handler. This scan sees the bytes. It parses nothing else; hyper remains the judge.

/// Longest line start that is looked at.
const CONTENT_LENGTH: &[u8] = b"content-length:";

/// A scan over one request head, fed piece by piece.
#[derive(Debug, Default)]
pub(super) struct HeadScan {
    /// The start of the line that the last piece ended in.
    start: [u8; CONTENT_LENGTH.len()],
    /// Bytes of that line so far, without its line feed.
    line_length: usize,
    /// Whether a line with text was seen: empty lines before the request line do not end a head.
    has_begun: bool,
    content_lengths: usize,
}

/// A head that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HeadEnd {
    /// Bytes of the last piece that belong to the head.
    pub length: usize,
    /// Lines named Content-Length.
    pub content_lengths: usize,
}

impl HeadScan {
    /// Scans on. After an end was returned the scan stands at the start of a new head.
    pub fn feed(&mut self, piece: &[u8]) -> Option<HeadEnd> {
        let mut from = 0;
        while let Some(found) = memchr::memchr(b'\n', &piece[from..]) {
            self.extend(&piece[from..from + found]);
            from += found + 1;
            if self.end_line() {
                let content_lengths = self.content_lengths;
                *self = Self::default();
                return Some(HeadEnd {
                    length: from,
                    content_lengths,
                });
            }
        }
        self.extend(&piece[from..]);
        None
    }

    fn extend(&mut self, part: &[u8]) {
        if self.line_length < self.start.len() {
            let kept = part.len().min(self.start.len() - self.line_length);
            self.start[self.line_length..self.line_length + kept].copy_from_slice(&part[..kept]);
        }
        self.line_length += part.len();
    }

    /// Whether the line that just ended was the empty one that ends the head.
    fn end_line(&mut self) -> bool {
        let length = std::mem::take(&mut self.line_length);
        let is_empty = length == 0 || (length == 1 && self.start[0] == b'\r');
        if is_empty {
            return self.has_begun;
        }
        self.has_begun = true;
        if length >= CONTENT_LENGTH.len() && self.start.eq_ignore_ascii_case(CONTENT_LENGTH) {
            self.content_lengths += 1;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scan(bytes: &[u8]) -> Option<HeadEnd> {
        HeadScan::default().feed(bytes)
    }

    #[test]
    fn heads_end_at_the_first_empty_line() {
        let table: [(&[u8], usize, usize); 6] = [
            (b"GET / HTTP/1.1\r\nHost: a\r\n\r\nrest", 27, 0),
            (b"GET / HTTP/1.1\nHost: a\n\nrest", 24, 0),
            (b"\r\n\r\nGET / HTTP/1.1\r\n\r\n", 22, 0),
            (b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", 38, 1),
            (
                b"POST / HTTP/1.1\r\ncontent-length:3\r\nCONTENT-LENGTH:3\r\n\r\n",
                55,
                2,
            ),
            (
                b"POST / HTTP/1.1\r\nX-Content-Length: 3\r\nContent-Length-X: 1\r\n\r\n",
                61,
                0,
            ),
        ];
        for (bytes, length, content_lengths) in table {
            assert_eq!(
                scan(bytes),
                Some(HeadEnd {
                    length,
                    content_lengths
                }),
                "{}",
                bytes.escape_ascii()
            );
        }
        assert_eq!(scan(b"GET / HTTP/1.1\r\nHost: a\r\n"), None);
    }

    proptest! {
        #[test]
        fn the_cut_into_pieces_does_not_matter(
            lines in proptest::collection::vec("(content-length: 1|a|content-len|transfer-encoding: x|\r)(\r)?\n", 0..8),
            cuts in proptest::collection::vec(0usize..120, 0..6),
        ) {
            let bytes = (lines.concat() + "\r\n\r\nbody").into_bytes();
            let whole = scan(&bytes);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let mut scan = HeadScan::default();
            let pieces = cuts.windows(2).find_map(|cut| {
                scan.feed(&bytes[cut[0]..cut[1]]).map(|end| HeadEnd { length: end.length + cut[0], ..end })
            });
            prop_assert_eq!(pieces, whole);
        }
    }
}
