//! One cell: texts, flags, numbers, instants, lists and addresses as people and programs write them.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::error::FieldError;
use crate::domain::time::Timestamp;

/// Whether `text` would not come back from a cell as it is.
fn needs_quotes(text: &str) -> bool {
    text.trim() != text || serde_json::from_str::<String>(text).is_ok()
}

/// `text` for a cell whose blanks are not kept: with blanks around it, as a JSON string; [`unquoted`] undoes it.
pub fn quoted(text: &str) -> Cow<'_, str> {
    match needs_quotes(text) {
        true => Cow::Owned(Value::from(text).to_string()),
        false => Cow::Borrowed(text),
    }
}

/// The text that [`quoted`] wrote; what others wrote in quotes stays in them.
pub fn unquoted(text: &str) -> Cow<'_, str> {
    match serde_json::from_str::<String>(text) {
        Ok(inner) if needs_quotes(&inner) => Cow::Owned(inner),
        _ => Cow::Borrowed(text),
    }
}

pub fn flag(name: &str, text: &str) -> Result<bool, FieldError> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" | "y" | "on" => Ok(true),
        "false" | "no" | "0" | "n" | "off" => Ok(false),
        _ => Err(FieldError::new(name, "must be yes or no")),
    }
}

pub fn number(name: &str, text: &str) -> Result<u64, FieldError> {
    text.parse()
        .map_err(|_| FieldError::new(name, "must be a whole number without separators"))
}

pub fn json(name: &str, text: &str) -> Result<Value, FieldError> {
    serde_json::from_str(text).map_err(|error| FieldError::new(name, format!("must be JSON: {error}")))
}

/// An instant in RFC 3339; without an offset it is in UTC.
pub fn instant(name: &str, text: &str) -> Result<String, FieldError> {
    let text = text.trim().trim_end_matches(" UTC");
    let read = Timestamp::parse(&format!("{text}Z")).or_else(|| Timestamp::parse(text));
    read.map(|at| at.to_string())
        .ok_or_else(|| FieldError::new(name, "must be an instant such as 2026-11-21T10:00:00Z, or a date"))
}

/// The domain and the key of a short link, with or without its scheme.
pub fn address(name: &str, text: &str) -> Result<(String, String), FieldError> {
    let bad = || FieldError::new(name, "must be a short link such as go.brand.example/spring");
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))
        .unwrap_or(text);
    let (host, path) = rest.split_once('/').ok_or_else(bad)?;
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let key = percent_decode_str(path).decode_utf8().map_err(|_| bad())?;
    let is_host = !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || c == '@');
    if !is_host || key.is_empty() {
        return Err(bad());
    }
    Ok((host.to_ascii_lowercase(), key.into_owned()))
}

/// The first of several values of a cell, and how many follow: as a JSON list, or with commas or bars between them.
pub fn list(text: &str) -> Vec<String> {
    if let Ok(Value::Array(items)) = serde_json::from_str(text) {
        let texts = items.into_iter().filter_map(|item| match item {
            Value::String(text) => Some(text),
            _ => None,
        });
        return texts.collect();
    }
    let separator = if text.contains('|') { '|' } else { ',' };
    let parts = text.split(separator).map(str::trim).filter(|part| !part.is_empty());
    parts.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::integrations::formula::{bare, harmless};

    #[test]
    fn cells_are_read_as_people_write_them() {
        for (text, expected) in [
            (
                "https://go.brand.example/a/b%20c?x=1",
                Some(("go.brand.example", "a/b c")),
            ),
            ("Bit.ly/3aBc", Some(("bit.ly", "3aBc"))),
            ("http://127.0.0.1:8080/x", Some(("127.0.0.1:8080", "x"))),
            ("go.brand.example", None),
            ("https://go.brand.example/", None),
            ("me@go.brand.example/a", None),
        ] {
            let read = address("link", text).ok();
            let expected = expected.map(|(host, key)| (host.to_owned(), key.to_owned()));
            assert_eq!(read, expected, "{text}");
        }
        for (text, expected) in [
            ("2024-03-05T14:21:09+0000", "2024-03-05T14:21:09.000Z"),
            ("2016-05-01T20:34:16+02:00", "2016-05-01T18:34:16.000Z"),
            ("2024-03-05 14:21:09", "2024-03-05T14:21:09.000Z"),
            ("2024-03-05 14:21:09 UTC", "2024-03-05T14:21:09.000Z"),
            ("2024-03-05", "2024-03-05T00:00:00.000Z"),
        ] {
            assert_eq!(instant("createdAt", text).as_deref(), Ok(expected), "{text}");
        }
        assert!(instant("createdAt", "last week").is_err());
        assert_eq!(list("a, b,,c"), ["a", "b", "c"]);
        assert_eq!(list("a, b|c"), ["a, b", "c"]);
        assert_eq!(list(r#"["a,b", "c"]"#), ["a,b", "c"]);
        assert_eq!((flag("archived", "Yes"), flag("archived", "0")), (Ok(true), Ok(false)));
        assert!(flag("archived", "perhaps").is_err() && number("maxClicks", "1,000").is_err());
    }

    proptest! {
        #[test]
        fn what_is_quoted_comes_back(text in r#"[ a"\\=']{0,6}"#) {
            let cell = harmless(&quoted(&text));
            prop_assert_eq!(cell.trim(), &cell);
            prop_assert_eq!(unquoted(bare(&cell)), text);
        }
    }
}
