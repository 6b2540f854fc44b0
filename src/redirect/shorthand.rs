//! Texts of URLs in fewer bytes: pairs of digits and what URLs of shops are full of are one byte each.
//!
//! A fixed code, so that it needs no memory and no training, and reading it touches one small table. Knows nothing of
//! URLs but that they are printable ASCII; any other text it refuses.

use std::sync::LazyLock;

/// Ends the text, and fills up what follows it.
pub(super) const END: u8 = 0;
/// Stands between two texts of one record.
pub(super) const NEXT: u8 = 1;

/// Longest word, in bytes: one is copied whole, however short it is.
const WORD_MAX: usize = 16;

/// One byte each, besides pairs of digits. Chosen by hand from paths and queries of shop systems and campaigns; the pairs
/// of letters are the most frequent of English and its neighbours.
const WORDS: [&str; 60] = [
    "/products/",
    "/collections/",
    "/product/",
    "/shop/",
    "/cart/",
    "/p/",
    "/blogs/",
    "/pages/",
    "/category/",
    "/item/",
    "?utm_source=",
    "&utm_medium=",
    "&utm_campaign=",
    "&utm_content=",
    "utm_",
    "?variant=",
    "?ref=",
    "?id=",
    "&discount=",
    "https://",
    ".html",
    "instagram",
    "tiktok",
    "youtube",
    "social",
    "story",
    "creator",
    "summer",
    "winter",
    "spring",
    "sale",
    "shirt",
    "shoes",
    "%20",
    "en",
    "er",
    "in",
    "an",
    "on",
    "re",
    "st",
    "te",
    "at",
    "ar",
    "or",
    "es",
    "ti",
    "al",
    "le",
    "it",
    "ra",
    "co",
    "li",
    "ri",
    "ma",
    "ch",
    "ne",
    "ro",
    "de",
    "se",
];

/// The codes, in order: every byte that is no printable character and has no meaning above.
fn codes() -> impl Iterator<Item = u8> {
    (NEXT + 1..=b' ').chain(0x7f..=u8::MAX)
}

struct Book {
    /// What a byte stands for, with its length; 0 for those that stand for nothing.
    meanings: [([u8; WORD_MAX], u8); 256],
    /// By the first byte: words with their codes, longest first.
    words: [Vec<(&'static [u8], u8)>; 128],
    /// By tens and ones.
    pairs: [u8; 100],
}

static BOOK: LazyLock<Box<Book>> = LazyLock::new(|| Box::new(Book::new()));

impl Book {
    fn new() -> Self {
        let mut book = Self {
            meanings: [([0; WORD_MAX], 0); 256],
            words: std::array::from_fn(|_| Vec::new()),
            pairs: [END; 100],
        };
        for byte in b'!'..=b'~' {
            book.meanings[usize::from(byte)] = meaning(&[byte]);
        }
        let mut codes = codes();
        for (number, code) in (0u8..100).zip(&mut codes) {
            book.meanings[usize::from(code)] = meaning(&[b'0' + number / 10, b'0' + number % 10]);
            book.pairs[usize::from(number)] = code;
        }
        for (word, code) in WORDS.iter().zip(codes) {
            book.meanings[usize::from(code)] = meaning(word.as_bytes());
            book.words[usize::from(word.as_bytes()[0])].push((word.as_bytes(), code));
        }
        for words in &mut book.words {
            words.sort_by_key(|(word, _)| std::cmp::Reverse(word.len()));
        }
        book
    }
}

fn meaning(text: &[u8]) -> ([u8; WORD_MAX], u8) {
    let mut bytes = [0; WORD_MAX];
    bytes[..text.len()].copy_from_slice(text);
    (bytes, text.len() as u8)
}

/// Appends `text` to `out`; `false`, with nothing of use appended, when it is not printable ASCII.
pub(super) fn write(out: &mut Vec<u8>, text: &str) -> bool {
    let book = &**BOOK;
    let mut left = text.as_bytes();
    while let [first, rest @ ..] = left {
        if !first.is_ascii_graphic() {
            return false;
        }
        let pair = rest
            .first()
            .filter(|second| first.is_ascii_digit() && second.is_ascii_digit());
        let word = book.words[usize::from(*first)]
            .iter()
            .find(|(word, _)| left.starts_with(word));
        let (code, length) = match (pair, word) {
            (Some(second), _) => (book.pairs[usize::from((first - b'0') * 10 + (second - b'0'))], 2),
            (None, Some((word, code))) => (*code, word.len()),
            (None, None) => (*first, 1),
        };
        out.push(code);
        left = &left[length..];
    }
    true
}

/// Appends the text that `codes` begin with to `out` and returns what follows its end.
pub(super) fn read<'a>(out: &mut String, codes: &'a [u8]) -> &'a [u8] {
    /// Written out at a time.
    const ROOM: usize = 240;
    let book = &**BOOK;
    let mut room = [0; ROOM + WORD_MAX];
    let mut length = 0;
    let mut flush = |room: &[u8]| out.push_str(str::from_utf8(room).unwrap_or_default());
    for (place, code) in codes.iter().enumerate() {
        let (bytes, count) = &book.meanings[usize::from(*code)];
        if *count == 0 {
            flush(&room[..length]);
            return &codes[place..];
        }
        room[length..length + WORD_MAX].copy_from_slice(bytes);
        length += usize::from(*count);
        if length >= ROOM {
            flush(&room[..length]);
            length = 0;
        }
    }
    flush(&room[..length]);
    &[]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn there_and_back(text: &str) -> (usize, String) {
        let mut codes = Vec::new();
        assert!(write(&mut codes, text), "{text}");
        let length = codes.len();
        codes.extend([NEXT, END, END]);
        let mut read_back = String::new();
        assert_eq!(read(&mut read_back, &codes), [NEXT, END, END]);
        (length, read_back)
    }

    #[test]
    fn usual_urls_get_shorter() {
        for (text, bytes) in [
            ("/products/00481516", 5),
            ("?utm_source=instagram&utm_medium=social", 4),
            ("/a1b2c3", 7),
            ("/123", 3),
            ("", 0),
        ] {
            assert_eq!(there_and_back(text), (bytes, text.to_owned()));
        }
    }

    #[test]
    fn every_code_has_one_meaning() {
        assert_eq!(codes().count(), 100 + WORDS.len(), "none is left over, none is missing");
        let known: std::collections::HashSet<&str> = WORDS.into_iter().collect();
        assert_eq!(known.len(), WORDS.len());
        assert!(
            WORDS
                .iter()
                .all(|word| word.len() <= WORD_MAX && word.bytes().all(|b| b.is_ascii_graphic()))
        );
        for code in codes() {
            let mut text = String::new();
            read(&mut text, &[code]);
            let mut written = Vec::new();
            assert!(write(&mut written, &text));
            assert_eq!(written, [code], "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["/a b", "/ä", "/\n", "\0", "\u{7f}"] {
            assert!(!write(&mut Vec::new(), text), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(text in "[!-~]{0,600}") {
            let (bytes, read) = there_and_back(&text);
            prop_assert!(bytes <= text.len());
            prop_assert_eq!(read, text);
        }

        #[test]
        fn no_bytes_panic(codes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let mut text = String::new();
            let left = read(&mut text, &codes);
            prop_assert!(left.len() <= codes.len());
        }
    }
}
