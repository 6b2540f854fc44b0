//! What clicks are counted and filtered by, and under which name each click counts.

use std::sync::LazyLock;

use crate::domain::click::{Click, ClickFlags};
use crate::domain::continent;
use crate::domain::locality;
use crate::domain::user_agent::{Browser, Device, Os, UserAgent};

use super::scan::Row;

pub(super) const UNKNOWN: &str = "Unknown";
const DIRECT: &str = "(direct)";
const QR: &str = "qr";

/// Every A/B variant's number as text; none for 0.
static NUMBERS: LazyLock<[String; 256]> =
    LazyLock::new(|| std::array::from_fn(|n| if n == 0 { String::new() } else { n.to_string() }));

/// What clicks are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dimension {
    Country,
    /// The country's, two letters.
    Continent,
    /// The region with its country, such as `US-CA`.
    Region,
    /// As [`Self::Region`], and where only the country is known that: tells unknown regions of countries apart.
    Area,
    /// The city's name alone: cities of one name are one.
    City,
    /// The city with what it lies in, as far as each is known, as in [`crate::domain::locality`].
    Locality,
    Device,
    Browser,
    Os,
    App,
    /// The host of the referrer.
    Referrer,
    /// The referrer as stored.
    ReferrerUrl,
    Language,
    /// `link` or `qr`.
    Trigger,
    UtmSource,
    UtmMedium,
    UtmCampaign,
    UtmTerm,
    UtmContent,
    /// The number of the A/B variant.
    Variant,
}

/// Dimensions that roll-ups keep, in the order in which `facets` writes them: append, never reorder.
///
/// Cities are none: a workspace has tens of thousands a day, too many for a value, and a link a hundred, which would cost
/// more than its clicks do. They are read from the clicks, and go with them by age.
pub(super) const FACETS: [Dimension; 12] = [
    Dimension::Country,
    Dimension::Device,
    Dimension::Browser,
    Dimension::Os,
    Dimension::Trigger,
    Dimension::Referrer,
    Dimension::UtmSource,
    Dimension::UtmMedium,
    Dimension::UtmCampaign,
    Dimension::UtmTerm,
    Dimension::UtmContent,
    Dimension::Area,
];
/// Places in [`FACETS`]: what tells countries alone, and what tells them with their regions.
pub(super) const BY_COUNTRY: usize = 0;
pub(super) const BY_AREA: usize = 11;

impl Dimension {
    /// The name under which `click` counts. A value that is not known is `Unknown`, no referrer `(direct)`.
    pub fn of(self, click: &Click) -> &str {
        self.name(&Row::Lone(click))
    }

    /// The name under which `row` counts. A value that is not known is `Unknown`, no referrer `(direct)`.
    pub(super) fn name<'a>(self, row: &Row<'a>) -> &'a str {
        match self {
            Self::Country => country(row.country()),
            Self::Continent => continent(row.country()),
            Self::Region | Self::City => text_name(self, row.locality()),
            Self::Area => or(area_key(row.country(), row.locality()), UNKNOWN),
            Self::Locality => or(locality_name(row.country(), row.locality()), UNKNOWN),
            Self::Device | Self::Browser | Self::Os | Self::App => self.name_of_agent(row.user_agent()),
            Self::Referrer => or(host(row.referrer()), DIRECT),
            Self::ReferrerUrl => or(row.referrer(), DIRECT),
            Self::Language => or(row.language(), UNKNOWN),
            Self::Trigger => trigger(row.flags()),
            Self::Variant => variant(row.variant()),
            Self::UtmSource | Self::UtmMedium | Self::UtmCampaign | Self::UtmTerm | Self::UtmContent => {
                or(&row.utm()[self.utm_place()], UNKNOWN)
            }
        }
    }

    /// The name that `agent` has here; `Unknown` in dimensions that are not about agents.
    pub(super) fn name_of_agent(self, agent: UserAgent) -> &'static str {
        match self {
            Self::Device => agent.device.name(),
            Self::Browser => agent.browser.name(),
            Self::Os => agent.os.name(),
            Self::App => agent.app.name(),
            _ => UNKNOWN,
        }
    }

    /// The place in [`crate::domain::click::Click::utm`]; 0 in dimensions that are not a UTM parameter's.
    pub(super) fn utm_place(self) -> usize {
        match self {
            Self::UtmMedium => 1,
            Self::UtmCampaign => 2,
            Self::UtmTerm => 3,
            Self::UtmContent => 4,
            _ => 0,
        }
    }

    /// Which of [`FACETS`] tells this dimension.
    pub(super) fn facet(self) -> Option<usize> {
        let kept = match self {
            Self::Continent => Self::Country,
            Self::Region => Self::Area,
            other => other,
        };
        FACETS.iter().position(|facet| *facet == kept)
    }

    /// The name that a key of its facet has here; countries and continents are told by areas as well.
    pub(super) fn name_of_key(self, key: &[u8]) -> &str {
        let code = key.first().copied().unwrap_or(0);
        let text = std::str::from_utf8(key).unwrap_or("");
        match self {
            Self::Country => or(locality::country(text), UNKNOWN),
            Self::Continent => continent::of_country(locality::country(text)).unwrap_or(UNKNOWN),
            Self::Region => or(locality::region(text), UNKNOWN),
            Self::Device => Device::of_code(code).name(),
            Self::Browser => Browser::of_code(code).name(),
            Self::Os => Os::of_code(code).name(),
            Self::Trigger if text.is_empty() => "link",
            Self::Referrer => or(text, DIRECT),
            _ => or(text, UNKNOWN),
        }
    }

    /// Whether letter case tells two names apart: only in what brands and referrers write themselves.
    pub(super) fn is_exact(self) -> bool {
        matches!(
            self,
            Self::ReferrerUrl
                | Self::UtmSource
                | Self::UtmMedium
                | Self::UtmCampaign
                | Self::UtmTerm
                | Self::UtmContent
        )
    }
}

fn or<'a>(text: &'a str, otherwise: &'a str) -> &'a str {
    if text.is_empty() { otherwise } else { text }
}

/// The key of a country in its facet; empty = unknown.
pub(super) fn country_key(country: &[u8; 2]) -> &[u8] {
    match std::str::from_utf8(country) {
        Ok(code) if *country != [0; 2] => code.as_bytes(),
        _ => &[],
    }
}

/// The key of a click in the facet of areas: its region, else its country; empty = unknown.
pub(super) fn area_key<'a>(country: &'a [u8; 2], of: &'a str) -> &'a str {
    locality::area(locality_name(country, of))
}

/// `of`, or the country when no more is known; empty = unknown.
fn locality_name<'a>(country: &'a [u8; 2], of: &'a str) -> &'a str {
    or(of, std::str::from_utf8(country_key(country)).unwrap_or(""))
}

/// The key of a click in the facet of triggers.
pub(super) fn trigger_key(is_qr: bool) -> &'static [u8] {
    if is_qr { QR.as_bytes() } else { &[] }
}

pub(super) fn country(country: &[u8; 2]) -> &str {
    or(std::str::from_utf8(country_key(country)).unwrap_or(""), UNKNOWN)
}

pub(super) fn continent(of: &[u8; 2]) -> &'static str {
    continent::of_country(country(of)).unwrap_or(UNKNOWN)
}

pub(super) fn trigger(flags: ClickFlags) -> &'static str {
    if flags.has(ClickFlags::QR) { QR } else { "link" }
}

pub(super) fn variant(number: u8) -> &'static str {
    or(&NUMBERS[usize::from(number)], UNKNOWN)
}

/// `text`, or what an empty one is called in `by`.
pub(super) fn text_name(by: Dimension, text: &str) -> &str {
    match by {
        Dimension::Referrer => or(host(text), DIRECT),
        Dimension::ReferrerUrl => or(text, DIRECT),
        Dimension::Region => or(locality::region(text), UNKNOWN),
        Dimension::City => or(locality::city(text), UNKNOWN),
        _ => or(text, UNKNOWN),
    }
}

/// The host in a referrer such as `https://l.instagram.com/x`; what is no URL stands for itself.
pub(super) fn host(referrer: &str) -> &str {
    let rest = referrer.split_once("://").map_or(referrer, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let host = authority.rsplit('@').next().unwrap_or(authority);
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_found_in_referrers() {
        for (referrer, expected) in [
            ("https://l.instagram.com/", "l.instagram.com"),
            ("https://shop.example:8443/a?b", "shop.example"),
            ("http://user:secret@host/x", "host"),
            ("android-app://com.google.android.gm", "com.google.android.gm"),
            ("t.co/x", "t.co"),
            ("", ""),
        ] {
            assert_eq!(host(referrer), expected, "{referrer}");
        }
    }

    #[test]
    fn places_are_named_as_far_as_they_are_known() {
        type D = Dimension;
        for (country, text, names) in [
            (
                *b"US",
                "US-CA/Portland",
                ["US", "US-CA", "US-CA", "Portland", "US-CA/Portland"],
            ),
            (*b"US", "US-CA", ["US", "US-CA", "US-CA", UNKNOWN, "US-CA"]),
            (
                *b"SG",
                "SG/Singapore",
                ["SG", UNKNOWN, "SG", "Singapore", "SG/Singapore"],
            ),
            (*b"DE", "", ["DE", UNKNOWN, "DE", UNKNOWN, "DE"]),
            ([0; 2], "", [UNKNOWN; 5]),
        ] {
            let click = Click {
                country,
                locality: text.into(),
                ..Click::default()
            };
            let row = Row::Lone(&click);
            let told = [D::Country, D::Region, D::Area, D::City, D::Locality].map(|by| by.name(&row));
            assert_eq!(told, names, "{text}");
            // The facet of areas says the same.
            let key = area_key(&click.country, &click.locality).as_bytes();
            for by in [D::Country, D::Continent, D::Region, D::Area] {
                assert_eq!(by.name_of_key(key), by.name(&row), "{by:?} {text}");
            }
        }
        assert_eq!((FACETS[BY_COUNTRY], FACETS[BY_AREA]), (D::Country, D::Area));
    }

    #[test]
    fn what_is_not_known_has_a_name() {
        let click = Click::default();
        for (by, name) in [
            (Dimension::Country, UNKNOWN),
            (Dimension::Continent, UNKNOWN),
            (Dimension::Region, UNKNOWN),
            (Dimension::Area, UNKNOWN),
            (Dimension::City, UNKNOWN),
            (Dimension::Locality, UNKNOWN),
            (Dimension::Referrer, DIRECT),
            (Dimension::ReferrerUrl, DIRECT),
            (Dimension::Variant, UNKNOWN),
            (Dimension::UtmTerm, UNKNOWN),
            (Dimension::Trigger, "link"),
        ] {
            assert_eq!(by.name(&Row::Lone(&click)), name, "{by:?}");
        }
    }
}
