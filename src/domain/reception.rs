//! How a link receives its followers before it leads them on: whom it sends elsewhere, and by which rule.
//!
//! Says what a brand may set; `redirect` compiles it once into the link's record.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::app_link;
use super::cart::Cart;
use super::password::PasswordHash;
use super::time::Timestamp;

/// Rules of a link. 50: each that does not match costs a follow some ten nanoseconds, and nobody reads longer lists.
pub const RULES_MAX: usize = 50;
/// Values of one condition (countries, languages, networks): as many as the EU has members, with room.
pub const VALUES_MAX: usize = 50;
/// Countries of `geo`. 190: variants, rules, two devices and these are numbered by one byte.
pub const GEO_MAX: usize = 190;
/// Longest name or value of a query parameter in a rule, in characters.
pub const PARAMETER_MAX: usize = 100;

/// What a brand may set on how a link receives its followers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Reception {
    /// Asked in their order before everything else; the first whose conditions all hold decides.
    pub rules: Vec<Rule>,
    /// Where iPhones and iPads go; may be an app's address.
    pub ios: Option<Target>,
    /// Where Android devices go; may be an app's address.
    pub android: Option<Target>,
    /// Where followers from a country go, by its ISO 3166-1 alpha-2 code in capitals.
    pub geo: BTreeMap<String, Target>,
    /// What followers must say first.
    pub password: Option<PasswordHash>,
    /// Whether programs that fetch a preview get the link's card; people go where the link leads.
    pub is_card: bool,
    /// The card's picture and film; serialised URLs.
    pub image: Option<String>,
    pub video: Option<String>,
    /// Whether people in an app's own browser are offered the system's.
    pub leaves_apps: bool,
}

impl Reception {
    /// Every target, in the order in which they are numbered.
    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        let rules = self.rules.iter().map(|rule| &rule.target);
        rules.chain(&self.ios).chain(&self.android).chain(self.geo.values())
    }
}

/// Where some followers go instead of the link's destination.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Target {
    /// Serialised URL; for a cart the cart's own URL without a click id.
    pub destination: String,
    pub cart: Option<Cart>,
    /// UTM parameters of the cart that stood in its URL; the link's own fill the gaps.
    #[serde(default)]
    pub utm: [Option<String>; 5],
}

impl Target {
    /// Whether it opens an app and not a page of the web.
    pub fn is_app(&self) -> bool {
        app_link::is_app_link(&self.destination)
    }
}

/// Followers for whom all of `when` holds go to `target`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    pub when: Conditions,
    pub target: Target,
}

/// Conditions, all of which must hold; one that lists nothing holds for everybody. Within a list any value will do.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Conditions {
    /// Names of [`super::user_agent::Device`].
    pub devices: Vec<String>,
    /// Names of [`super::user_agent::Browser`].
    pub browsers: Vec<String>,
    /// Names of [`super::user_agent::Os`].
    pub systems: Vec<String>,
    /// Language tags: `de` holds for `de-AT` too. The follower's is the first of Accept-Language.
    pub languages: Vec<String>,
    pub query: Option<Parameter>,
    /// As [`super::ip_range::IpRange::parse`] reads them.
    pub networks: Vec<String>,
    /// ISO 3166-1 alpha-2 codes in capitals.
    pub countries: Vec<String>,
    /// English names, in any letter case.
    pub cities: Vec<String>,
    /// From this instant on.
    pub from: Option<Timestamp>,
    /// Before this instant.
    pub until: Option<Timestamp>,
}

impl Conditions {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A parameter that the follower's address must have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameter {
    pub name: String,
    /// `None` = any value.
    pub value: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_a_number_of_one_byte() {
        let most = super::super::experiment::VARIANTS_MAX + RULES_MAX + 2 + GEO_MAX;
        assert!(most <= usize::from(u8::MAX), "{most}");
    }

    #[test]
    fn what_older_books_hold_is_read() {
        let read: Reception = serde_json::from_str("{}").expect("an empty one");
        assert_eq!(read, Reception::default());
        assert_eq!(read.targets().count(), 0);
    }
}
