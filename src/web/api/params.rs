//! Query parameters, read strictly: what is not taken by the end is unknown and named.

use std::collections::BTreeMap;

use super::error::ApiError;
use crate::books::{NumberedPage, Page};

/// Most rows of a page, as in the dialect.
const PAGE_SIZE_MAX: u32 = 100;
/// Most parameters of one call.
const PARAMS_MAX: usize = 64;

/// The parameters of one call.
pub(super) struct Params {
    given: BTreeMap<String, Vec<String>>,
    /// What the call has asked for.
    known: Vec<&'static str>,
}

impl Params {
    /// Reads a raw query. Of a name that comes twice the last value counts; empty values count as left out.
    pub fn of(query: Option<&str>) -> Result<Self, ApiError> {
        let pairs: Vec<_> = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes())
            .into_owned()
            .take(PARAMS_MAX + 1)
            .collect();
        if pairs.len() > PARAMS_MAX {
            return Err(ApiError::bad_request("Too many query parameters."));
        }
        let mut values: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in pairs.into_iter().filter(|(_, value)| !value.is_empty()) {
            values.entry(name).or_default().push(value);
        }
        Ok(Self {
            given: values,
            known: Vec::new(),
        })
    }

    /// Takes the text `name`.
    pub fn text(&mut self, name: &'static str) -> Option<String> {
        self.known.push(name);
        self.given.remove(name)?.pop()
    }

    /// Takes the texts of `name`, which may come several times (also as `name[]`) and hold several between commas.
    pub fn texts(&mut self, name: &'static str) -> Option<Vec<String>> {
        self.known.push(name);
        let plain = self.given.remove(name);
        let bracketed = self.given.remove(&format!("{name}[]"));
        if plain.is_none() && bracketed.is_none() {
            return None;
        }
        let values = plain.into_iter().chain(bracketed).flatten();
        let texts = values.flat_map(|value| value.split(',').map(|text| text.trim().to_owned()).collect::<Vec<_>>());
        Some(texts.filter(|text| !text.is_empty()).collect())
    }

    /// The text `name`, which stays to be taken.
    pub fn peek(&self, name: &str) -> Option<&str> {
        self.given.get(name)?.last().map(String::as_str)
    }

    /// Whether `name` was given and not taken yet.
    pub fn has(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    /// Takes the whole number `name`, from `min` to `max`.
    pub fn number(&mut self, name: &'static str, min: u32, max: u32) -> Result<Option<u32>, ApiError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        // Some clients have no whole numbers: 2.0 is 2.
        let whole = text.strip_suffix(".0").unwrap_or(&text);
        let number = whole.parse().ok().filter(|number| (min..=max).contains(number));
        number
            .map(Some)
            .ok_or_else(|| ApiError::invalid(name, &format!("must be a whole number from {min} to {max}")))
    }

    /// Takes the flag `name`.
    pub fn flag(&mut self, name: &'static str) -> Result<Option<bool>, ApiError> {
        match self.text(name).as_deref() {
            None => Ok(None),
            Some("true" | "1") => Ok(Some(true)),
            Some("false" | "0") => Ok(Some(false)),
            Some(_) => Err(ApiError::invalid(name, "must be true or false")),
        }
    }

    /// Takes one of `words`.
    pub fn word(&mut self, name: &'static str, words: &[&'static str]) -> Result<Option<&'static str>, ApiError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let word = words.iter().find(|word| **word == text).copied();
        word.map(Some)
            .ok_or_else(|| ApiError::invalid(name, &format!("must be one of {}", words.join(", "))))
    }

    /// Takes the page: `page` and `pageSize`, or `startingAfter`, or `endingBefore`.
    pub fn page(&mut self, default_size: u32) -> Result<Page, ApiError> {
        let size = self.number("pageSize", 1, PAGE_SIZE_MAX)?.unwrap_or(default_size);
        let number = self.number("page", 1, u32::MAX)?;
        let (after, before) = (self.text("startingAfter"), self.text("endingBefore"));
        match (number, after, before) {
            (number, None, None) => Ok(Page::Number {
                number: number.unwrap_or(1),
                size,
            }),
            (None, Some(id), None) => Ok(Page::After { id, size }),
            (None, None, Some(id)) => Ok(Page::Before { id, size }),
            _ => Err(ApiError::invalid(
                "page",
                "goes with neither startingAfter nor endingBefore; use one of them",
            )),
        }
    }

    /// Takes the page of a list that is paged by number alone.
    pub fn numbered_page(&mut self, default_size: u32) -> Result<NumberedPage, ApiError> {
        Ok(NumberedPage {
            size: self.number("pageSize", 1, PAGE_SIZE_MAX)?.unwrap_or(default_size),
            number: self.number("page", 1, u32::MAX)?.unwrap_or(1),
        })
    }

    /// 422 when one of `names`, known to the dialect but not built yet, is set: never ignored.
    pub fn not_yet(&mut self, names: &[&str]) -> Result<(), ApiError> {
        match names.iter().find(|name| self.given.contains_key(**name)) {
            Some(name) => Err(ApiError::invalid(name, "is not supported yet")),
            None => Ok(()),
        }
    }

    /// 422 when anything is left: says what this call knows.
    pub fn end(mut self) -> Result<(), ApiError> {
        let Some(name) = self.given.keys().next() else {
            return Ok(());
        };
        self.known.sort_unstable();
        self.known.dedup();
        let advice = match self.known.join(", ") {
            none if none.is_empty() => "is not a known query parameter: this call takes none".to_owned(),
            known => format!("is not a known query parameter: this call takes {known}"),
        };
        Err(ApiError::invalid(name, &advice))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_named() {
        let mut params = Params::of(Some("page=2&pageSize=10&colour=red&empty=")).expect("a query");
        assert_eq!(params.page(50).expect("a page"), Page::Number { number: 2, size: 10 });
        assert_eq!(
            params.end().expect_err("colour").message(),
            "colour: is not a known query parameter: this call takes endingBefore, page, pageSize, startingAfter"
        );
    }

    #[test]
    fn lists_come_in_every_form_that_clients_write() {
        for (query, texts) in [
            ("ids=a,b", Some(vec!["a", "b"])),
            ("ids=a&ids=b", Some(vec!["a", "b"])),
            ("ids[]=a&ids[]=b,c", Some(vec!["a", "b", "c"])),
            ("ids=a,,%20b", Some(vec!["a", "b"])),
            ("ids=", None),
            ("other=a", None),
        ] {
            let found = Params::of(Some(query)).expect("a query").texts("ids");
            let texts = texts.map(|texts| texts.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(found, texts, "{query}");
        }
        let mut last = Params::of(Some("page=1&page=2")).expect("a query");
        assert_eq!(last.text("page").as_deref(), Some("2"));
    }

    #[test]
    fn pages_and_numbers_are_bounded() {
        for (query, good) in [
            ("", true),
            ("page=0", false),
            ("page=2.0", true),
            ("page=2.5", false),
            ("pageSize=101", false),
            ("pageSize=x", false),
            ("startingAfter=link_1", true),
            ("page=1&startingAfter=link_1", false),
            ("startingAfter=a&endingBefore=b", false),
        ] {
            assert_eq!(
                Params::of(Some(query)).expect("a query").page(50).is_ok(),
                good,
                "{query}"
            );
        }
    }
}
