//! Structured header fields (RFC 9651), as far as message signatures need them: dictionaries of inner lists and of byte
//! sequences. Strict: what is not in the grammar is no field. Pure.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Most members of one dictionary: signatures of one message, or digests of one body.
pub const MEMBERS_MAX: usize = 16;
/// Most items of an inner list, and most parameters of anything.
const ITEMS_MAX: usize = 64;

/// A bare item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bare {
    Integer(i64),
    Text(String),
    Token(String),
    Bytes(Vec<u8>),
    Boolean(bool),
}

/// Parameters in their order; a key that is written twice has its last value.
pub type Parameters = Vec<(String, Bare)>;

/// A dictionary's member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Member {
    Item(Bare, Parameters),
    List(Vec<(Bare, Parameters)>, Parameters),
}

/// Reads a dictionary; a label that is written twice has its last value. `None` when it is not one.
pub fn dictionary(text: &str) -> Option<Vec<(String, Member)>> {
    let mut rest = Rest(text.trim_matches(' ').as_bytes());
    let mut members: Vec<(String, Member)> = Vec::new();
    while !rest.0.is_empty() {
        let key = rest.key()?;
        let member = if rest.take(b'=') {
            rest.member()?
        } else {
            Member::Item(Bare::Boolean(true), rest.parameters()?)
        };
        members.retain(|(known, _)| *known != key);
        members.push((key, member));
        if members.len() > MEMBERS_MAX {
            return None;
        }
        rest.skip_blanks();
        if rest.0.is_empty() {
            break;
        }
        if !rest.take(b',') {
            return None;
        }
        rest.skip_blanks();
        // A comma promises another member.
        rest.0.first()?;
    }
    Some(members)
}

/// An inner list with its parameters, in its one spelling (RFC 9651 section 4.1.1.1).
pub fn write_list(items: &[(Bare, Parameters)], parameters: &Parameters) -> String {
    let mut out = String::from("(");
    for (place, (item, own)) in items.iter().enumerate() {
        if place > 0 {
            out.push(' ');
        }
        write_bare(&mut out, item);
        write_parameters(&mut out, own);
    }
    out.push(')');
    write_parameters(&mut out, parameters);
    out
}

fn write_parameters(out: &mut String, parameters: &Parameters) {
    for (key, value) in parameters {
        out.push(';');
        out.push_str(key);
        if *value != Bare::Boolean(true) {
            out.push('=');
            write_bare(out, value);
        }
    }
}

fn write_bare(out: &mut String, bare: &Bare) {
    match bare {
        Bare::Integer(number) => out.push_str(&number.to_string()),
        Bare::Token(token) => out.push_str(token),
        Bare::Boolean(value) => out.push_str(if *value { "?1" } else { "?0" }),
        Bare::Bytes(bytes) => {
            out.push(':');
            STANDARD.encode_string(bytes, out);
            out.push(':');
        }
        Bare::Text(text) => {
            out.push('"');
            for c in text.chars() {
                if matches!(c, '"' | '\\') {
                    out.push('\\');
                }
                out.push(c);
            }
            out.push('"');
        }
    }
}

/// What is left to read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, byte: u8) -> bool {
        match self.0.split_first() {
            Some((first, rest)) if *first == byte => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    fn skip_blanks(&mut self) {
        while self.take(b' ') || self.take(b'\t') {}
    }

    fn while_(&mut self, fits: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.0.iter().position(|byte| !fits(*byte)).unwrap_or(self.0.len());
        let (taken, rest) = self.0.split_at(end);
        self.0 = rest;
        taken
    }

    fn key(&mut self) -> Option<String> {
        let first = *self.0.first()?;
        if !first.is_ascii_lowercase() && first != b'*' {
            return None;
        }
        let key = self.while_(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-' | b'.' | b'*')
        });
        String::from_utf8(key.to_vec()).ok()
    }

    fn member(&mut self) -> Option<Member> {
        if !self.take(b'(') {
            return Some(Member::Item(self.bare()?, self.parameters()?));
        }
        let mut items = Vec::new();
        loop {
            while self.take(b' ') {}
            if self.take(b')') {
                return Some(Member::List(items, self.parameters()?));
            }
            items.push((self.bare()?, self.parameters()?));
            let is_separated = matches!(self.0.first(), Some(b' ' | b')'));
            if !is_separated || items.len() > ITEMS_MAX {
                return None;
            }
        }
    }

    fn parameters(&mut self) -> Option<Parameters> {
        let mut parameters: Parameters = Vec::new();
        while self.take(b';') {
            while self.take(b' ') {}
            let key = self.key()?;
            let value = if self.take(b'=') {
                self.bare()?
            } else {
                Bare::Boolean(true)
            };
            parameters.retain(|(known, _)| *known != key);
            parameters.push((key, value));
            if parameters.len() > ITEMS_MAX {
                return None;
            }
        }
        Some(parameters)
    }

    fn bare(&mut self) -> Option<Bare> {
        match *self.0.first()? {
            b'"' => self.text(),
            b':' => {
                self.take(b':');
                let encoded = self.while_(|byte| byte != b':');
                self.take(b':').then_some(())?;
                Some(Bare::Bytes(STANDARD.decode(encoded).ok()?))
            }
            b'?' => {
                self.take(b'?');
                let is_true = self.take(b'1');
                (is_true || self.take(b'0')).then_some(Bare::Boolean(is_true))
            }
            byte if byte.is_ascii_alphabetic() || byte == b'*' => {
                let token = self.while_(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:/".contains(&byte));
                Some(Bare::Token(String::from_utf8(token.to_vec()).ok()?))
            }
            _ => self.integer(),
        }
    }

    /// At most 15 digits; decimals stand in no signature.
    fn integer(&mut self) -> Option<Bare> {
        let is_negative = self.take(b'-');
        let digits = self.while_(|byte| byte.is_ascii_digit());
        if digits.is_empty() || digits.len() > 15 {
            return None;
        }
        let number: i64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
        Some(Bare::Integer(if is_negative { -number } else { number }))
    }

    fn text(&mut self) -> Option<Bare> {
        self.take(b'"');
        let mut text = String::new();
        loop {
            let (first, rest) = self.0.split_first()?;
            self.0 = rest;
            match first {
                b'"' => return Some(Bare::Text(text)),
                b'\\' => {
                    let escaped = *self.0.first()?;
                    matches!(escaped, b'"' | b'\\').then_some(())?;
                    self.take(escaped);
                    text.push(char::from(escaped));
                }
                0x20..=0x7e => text.push(char::from(*first)),
                _ => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fields_are_read_and_written_in_one_spelling() {
        for (text, expected) in [
            (
                r#"sig1=("@method" "a");keyid="k";created=5"#,
                Some(r#"("@method" "a");keyid="k";created=5"#),
            ),
            (r#"sig1=(  "a"   "b" )  ; x"#, None),
            (
                r#"sig1=(  "a"   "b" );  x;y=?0;z=*t/1"#,
                Some(r#"("a" "b");x;y=?0;z=*t/1"#),
            ),
            (r#"a=1, sig1=();n=:AQI=:"#, Some("();n=:AQI=:")),
            (r#"sig1=("\"\\");a=1;a=2"#, Some(r#"("\"\\");a=2"#)),
            (r#"sig1=("a""b")"#, None),
            (r#"sig1=("a"#, None),
            (r#"sig1=("a"),"#, None),
            (r#"sig1=("a") sig2=("b")"#, None),
            (r#"Sig1=("a")"#, None),
            (r#"sig1=("é")"#, None),
            ("sig1=(1.5)", None),
            ("sig1=(1234567890123456)", None),
        ] {
            let written = dictionary(text).and_then(|members| {
                let found = members.into_iter().find(|(label, _)| label == "sig1");
                match found?.1 {
                    Member::List(items, parameters) => Some(write_list(&items, &parameters)),
                    Member::Item(..) => None,
                }
            });
            assert_eq!(written.as_deref(), expected, "{text}");
        }
        let digest = dictionary("sha-256=:AQI=:").expect("a dictionary");
        assert_eq!(digest[0].1, Member::Item(Bare::Bytes(vec![1, 2]), vec![]));
        assert_eq!(dictionary(&"a, ".repeat(40)), None);
        assert_eq!(dictionary(""), Some(vec![]));
    }

    proptest! {
        #[test]
        fn any_text_is_a_dictionary_or_none(text in "[a-c=;,:()\"\\\\ ?1-9*é]{0,60}") {
            if let Some(members) = dictionary(&text) {
                for (_, member) in members {
                    if let Member::List(items, parameters) = member {
                        let written = format!("x={}", write_list(&items, &parameters));
                        let again = dictionary(&written).expect("its own spelling");
                        prop_assert_eq!(&again[0].1, &Member::List(items, parameters));
                    }
                }
            }
        }
    }
}
