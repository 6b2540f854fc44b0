//! Addresses within the console: what was asked, with one thing changed.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::form_urlencoded::Serializer;

/// All but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The address of the thing called `id` in one of the console's places, such as `orders`.
pub fn of_thing(place: &str, id: &str) -> String {
    format!("/console/{place}/{}", utf8_percent_encode(id, RESERVED))
}

/// What a page was asked: names and values as they stand in its address, without empty ones.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Asked(pub Vec<(String, String)>);

impl Asked {
    /// Reads a raw query; of a name that comes twice the last value counts.
    pub fn of(query: &str) -> Self {
        let mut asked = Self::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            asked.set(&name, &value);
        }
        asked
    }

    /// The value of `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Sets `name`; an empty value takes it away.
    pub fn set(&mut self, name: &str, value: &str) {
        self.0.retain(|(known, _)| known != name);
        if !value.is_empty() {
            self.0.push((name.to_owned(), value.to_owned()));
        }
    }

    /// The same with these set; an empty value takes its name away.
    pub fn with(&self, changes: &[(&str, &str)]) -> Self {
        let mut changed = self.clone();
        for (name, value) in changes {
            changed.set(name, value);
        }
        changed
    }

    /// As a raw query.
    pub fn query(&self) -> String {
        let mut text = Serializer::new(String::new());
        text.extend_pairs(&self.0);
        text.finish()
    }

    /// The address of `path` with this query.
    pub fn at(&self, path: &str) -> String {
        match self.0.is_empty() {
            true => path.to_owned(),
            false => format!("{path}?{}", self.query()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_changes_and_nothing_breaks_out() {
        let asked = Asked::of("interval=7d&niche=a%26b%3Cc&model=&interval=30d");
        assert_eq!(asked.get("interval"), Some("30d"));
        assert_eq!(asked.get("model"), None);
        let changed = asked.with(&[("groupBy", "link"), ("interval", "")]);
        assert_eq!(changed.at("/"), "/?niche=a%26b%3Cc&groupBy=link");
        assert_eq!(Asked::default().at("/x"), "/x");
        assert_eq!(of_thing("orders", "ord_1"), "/console/orders/ord_1");
        assert_eq!(of_thing("orders", "../\"<"), "/console/orders/..%2F%22%3C");
        assert_eq!(Asked::of(&changed.query()), changed);
    }
}
