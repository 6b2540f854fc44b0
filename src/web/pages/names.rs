//! What people call the ids that answers of the API name, and how such answers' amounts are written.

use std::collections::BTreeMap;

use crate::domain::money;

use super::format;

/// Names by id. What is not in it is shown by its id.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Names {
    /// Name and niche.
    pub creators: BTreeMap<String, (String, Option<String>)>,
    /// Slug.
    pub links: BTreeMap<String, String>,
    pub stores: BTreeMap<String, String>,
}

impl Names {
    /// The name of a creator; nobody's when there is none.
    pub fn creator<'a>(&'a self, id: Option<&'a str>) -> &'a str {
        let Some(id) = id else { return "nobody" };
        self.creators.get(id).map_or(id, |(name, _)| name)
    }

    /// The niche of a creator.
    pub fn niche(&self, id: Option<&str>) -> Option<&str> {
        self.creators.get(id?).and_then(|(_, niche)| niche.as_deref())
    }

    /// The slug of a link; one that is gone says so.
    pub fn link<'a>(&'a self, id: Option<&'a str>) -> &'a str {
        let Some(id) = id else { return "a link that is gone" };
        self.links.get(id).map_or(id, String::as_str)
    }

    /// The name of a store.
    pub fn store<'a>(&'a self, id: Option<&'a str>) -> &'a str {
        let Some(id) = id else { return "–" };
        self.stores.get(id).map_or(id, String::as_str)
    }
}

/// Minor units of whatever currency the shop told; of one that nobody knows as they came.
pub fn told_money(minor: i64, code: &str) -> String {
    match money::currency(code) {
        Some(currency) => format::money(minor, currency),
        None => format!("{minor} minor units of {code}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_name_is_shown_by_its_id() {
        let names = Names {
            creators: [("pn_1".to_owned(), ("Mia".to_owned(), Some("clay".to_owned())))].into(),
            ..Names::default()
        };
        assert_eq!(
            [Some("pn_1"), Some("pn_2"), None].map(|id| names.creator(id)),
            ["Mia", "pn_2", "nobody"]
        );
        assert_eq!(names.niche(Some("pn_1")), Some("clay"));
        assert_eq!(
            (names.link(None), names.store(Some("store_1"))),
            ("a link that is gone", "store_1")
        );
        assert_eq!(told_money(1_990, "EUR"), "19.90\u{a0}EUR");
        assert_eq!(told_money(-5, "QQQ"), "-5 minor units of QQQ");
    }
}
