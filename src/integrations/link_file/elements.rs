//! The objects of a JSON file of any length, one at a time: a list of them, one after the other (JSON lines), or the pages
//! of Shlink's list. Finds where each begins and ends; what is in it is for serde_json to say.

use std::io::{BufRead, Read};

use super::error::FileError;

/// Longest object, in bytes. 1 MiB: a link with every text at its longest has a tenth of it.
const ELEMENT_MAX: usize = 1 << 20;
/// How a page of Shlink's list begins, without blanks: its short URLs follow.
const PAGE_HEAD: &[u8] = br#"{"shortUrls":{"data":["#;
/// Objects that a page's list stands in.
const PAGE_DEPTH: u32 = 2;

/// The objects of a source.
pub struct Elements<R> {
    source: R,
    place: Place,
    element: Vec<u8>,
    bytes: u64,
    line: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Between the values of the file.
    Top,
    /// In a list within so many objects.
    List(u32),
}

/// Where one is inside a value.
#[derive(Default)]
struct Nesting {
    depth: u32,
    in_text: bool,
    is_escaped: bool,
}

impl Nesting {
    /// Passes `byte`.
    fn pass(&mut self, byte: u8) {
        match (self.in_text, self.is_escaped, byte) {
            (true, true, _) => self.is_escaped = false,
            (true, false, b'\\') => self.is_escaped = true,
            (true, false, b'"') => self.in_text = false,
            (true, false, _) => {}
            (false, _, b'"') => self.in_text = true,
            (false, _, b'{' | b'[') => self.depth += 1,
            (false, _, b'}' | b']') => self.depth = self.depth.saturating_sub(1),
            (false, _, _) => {}
        }
    }
}

impl<R: BufRead> Elements<R> {
    pub fn of(source: R) -> Self {
        Self {
            source,
            place: Place::Top,
            element: Vec::new(),
            bytes: 0,
            line: 1,
        }
    }

    /// Bytes that were read.
    pub fn bytes_read(&self) -> u64 {
        self.bytes
    }

    /// The next object and the line on which it begins; `None` at the end.
    ///
    /// # Errors
    /// [`FileError::Malformed`] where there is none, and [`FileError::Io`].
    pub fn next_element(&mut self) -> Result<Option<(u64, &[u8])>, FileError> {
        loop {
            let byte = self.next_byte()?;
            match (self.place, byte) {
                (Place::Top, None) => return Ok(None),
                (Place::List(_), None) => return Err(self.malformed("the file ends within its list: is it whole?")),
                (_, Some(b' ' | b'\t' | b'\r' | b'\n' | b',')) | (Place::Top, Some(0xef | 0xbb | 0xbf)) => {}
                (Place::Top, Some(b'[')) => self.place = Place::List(0),
                (Place::List(depth), Some(b']')) => {
                    self.leave(depth)?;
                    self.place = Place::Top;
                }
                (place, Some(b'{')) => {
                    let line = self.line;
                    if self.collect(place == Place::Top)? {
                        return Ok(Some((line, &self.element)));
                    }
                    self.place = Place::List(PAGE_DEPTH);
                }
                (_, Some(_)) => return Err(self.malformed("a link must be an object, { ... }")),
            }
        }
    }

    /// Reads an object to its end; `false` = it is a page, and its list has begun.
    fn collect(&mut self, may_be_page: bool) -> Result<bool, FileError> {
        self.element.clear();
        self.element.push(b'{');
        let mut nesting = Nesting {
            depth: 1,
            ..Nesting::default()
        };
        let mut alike = may_be_page.then_some(1);
        while nesting.depth > 0 {
            let Some(byte) = self.next_byte()? else {
                return Err(self.malformed("the file ends within an object: is it whole?"));
            };
            if self.element.len() == ELEMENT_MAX {
                return Err(self.malformed("an object has more than 1 MiB: is a bracket missing?"));
            }
            self.element.push(byte);
            nesting.pass(byte);
            if let Some(count) = alike
                && !byte.is_ascii_whitespace()
            {
                alike = (PAGE_HEAD.get(count) == Some(&byte)).then_some(count + 1);
                if alike == Some(PAGE_HEAD.len()) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Passes what follows a list within `depth` objects.
    fn leave(&mut self, depth: u32) -> Result<(), FileError> {
        let mut nesting = Nesting {
            depth,
            ..Nesting::default()
        };
        while nesting.depth > 0 {
            match self.next_byte()? {
                Some(byte) => nesting.pass(byte),
                None => return Err(self.malformed("the file ends within an object: is it whole?")),
            }
        }
        Ok(())
    }

    fn next_byte(&mut self) -> Result<Option<u8>, FileError> {
        let byte = self.source.by_ref().bytes().next().transpose()?;
        self.bytes += u64::from(byte.is_some());
        self.line += u64::from(byte == Some(b'\n'));
        Ok(byte)
    }

    fn malformed(&self, why: &'static str) -> FileError {
        FileError::Malformed(self.line, why)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(text: &str) -> Result<Vec<(u64, String)>, String> {
        let mut elements = Elements::of(text.as_bytes());
        let mut found = Vec::new();
        while let Some((line, element)) = elements.next_element().map_err(|error| error.to_string())? {
            found.push((line, String::from_utf8_lossy(element).into_owned()));
        }
        Ok(found)
    }

    #[test]
    fn lists_lines_and_pages_are_told_apart() {
        for (text, expected) in [
            ("", vec![]),
            ("[]", vec![]),
            (r#"[{"a":1},{"b":"]}\"{"}]"#, vec![r#"{"a":1}"#, r#"{"b":"]}\"{"}"#]),
            (
                "{\"a\":1}\n{\"b\":{\"c\":[2]}}\n",
                vec![r#"{"a":1}"#, r#"{"b":{"c":[2]}}"#],
            ),
            (
                "{ \"shortUrls\" : {\n \"data\": [ {\"a\":1} , {\"b\":2} ], \"pagination\": {\"x\": [1, \"}\"]} } }\n\
                 {\"shortUrls\":{\"data\":[{\"c\":3}]}}",
                vec![r#"{"a":1}"#, r#"{"b":2}"#, r#"{"c":3}"#],
            ),
            (r#"{"shortUrlsX":1}"#, vec![r#"{"shortUrlsX":1}"#]),
        ] {
            let found = all(text).map(|found| found.into_iter().map(|(_, text)| text).collect::<Vec<_>>());
            assert_eq!(found, Ok(expected.into_iter().map(str::to_owned).collect()), "{text}");
        }
        assert_eq!(
            all("[\n{},\n\n{\n}]").map(|found| found.into_iter().map(|(line, _)| line).collect::<Vec<_>>()),
            Ok(vec![2, 4])
        );
    }

    #[test]
    fn what_is_cut_off_is_said() {
        for (text, part) in [
            ("[", "within its list"),
            ("[{}", "within its list"),
            ("{\"a\":", "within an object"),
            (r#"{"shortUrls":{"data":[]}"#, "within an object"),
            ("[1]", "must be an object"),
            ("{}x", "must be an object"),
        ] {
            let error = all(text).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
        let endless = format!("{{\"a\":\"{}", "x".repeat(2 << 20));
        assert!(all(&endless).expect_err("too long").contains("1 MiB"));
    }

    proptest! {
        #[test]
        fn any_text_ends(text in "[\\[\\]{}\",:\\\\ a1\n]{0,60}") {
            if let Ok(found) = all(&text) {
                let are_objects = found.iter().all(|(_, element)| element.starts_with('{'));
                prop_assert!(are_objects);
            }
        }
    }
}
