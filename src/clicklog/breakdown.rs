//! Counts by what a click carries: country, device, referrer and the like, read from the clicks themselves.

use foldhash::{HashMap, HashMapExt};

use crate::domain::click::ClickFlags;
use crate::domain::user_agent::UserAgent;

use super::error::QueryError;
use super::scan::Row;

/// Most distinct names that a breakdown holds at once: at most some 500 MB of referrers.
const NAMES_MAX: usize = 1_000_000;
const UNKNOWN: &str = "Unknown";
const DIRECT: &str = "(direct)";

/// What clicks are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dimension {
    Country,
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

impl Dimension {
    /// The name under which `row` counts.
    fn name<'a>(self, row: &Row<'a>, numbers: &'a [String; 256]) -> &'a str {
        match self {
            Self::Country => country(row),
            Self::Device => user_agent(row).device.name(),
            Self::Browser => user_agent(row).browser.name(),
            Self::Os => user_agent(row).os.name(),
            Self::App => user_agent(row).app.name(),
            Self::Referrer => or(host(referrer(row)), DIRECT),
            Self::ReferrerUrl => or(referrer(row), DIRECT),
            Self::Language => match row {
                Row::Stored(columns, row) => or(columns.language.get(*row), UNKNOWN),
                Row::Pending(click) => or(&click.language, UNKNOWN),
            },
            Self::Trigger if flags(row).has(ClickFlags::QR) => "qr",
            Self::Trigger => "link",
            Self::UtmSource => utm(row, 0),
            Self::UtmMedium => utm(row, 1),
            Self::UtmCampaign => utm(row, 2),
            Self::UtmTerm => utm(row, 3),
            Self::UtmContent => utm(row, 4),
            Self::Variant => match row {
                Row::Stored(columns, row) => or(&numbers[usize::from(columns.mark.get(*row).variant)], UNKNOWN),
                Row::Pending(click) => or(&numbers[usize::from(click.variant)], UNKNOWN),
            },
        }
    }
}

fn or<'a>(text: &'a str, otherwise: &'a str) -> &'a str {
    if text.is_empty() { otherwise } else { text }
}

fn country<'a>(row: &Row<'a>) -> &'a str {
    let country = match row {
        Row::Stored(columns, row) => columns.country.get(*row),
        Row::Pending(click) => &click.country,
    };
    match std::str::from_utf8(country) {
        Ok(code) if *country != [0; 2] => code,
        _ => UNKNOWN,
    }
}

fn user_agent(row: &Row<'_>) -> UserAgent {
    match row {
        Row::Stored(columns, row) => *columns.user_agent.get(*row),
        Row::Pending(click) => click.user_agent,
    }
}

fn flags(row: &Row<'_>) -> ClickFlags {
    match row {
        Row::Stored(columns, row) => columns.mark.get(*row).flags,
        Row::Pending(click) => click.flags,
    }
}

fn referrer<'a>(row: &Row<'a>) -> &'a str {
    match row {
        Row::Stored(columns, row) => columns.referrer.get(*row),
        Row::Pending(click) => &click.referrer,
    }
}

fn utm<'a>(row: &Row<'a>, place: usize) -> &'a str {
    let texts = match row {
        Row::Stored(columns, row) => columns.utm.get(*row),
        Row::Pending(click) => &click.utm,
    };
    or(&texts[place], UNKNOWN)
}

/// The host in a referrer such as `https://l.instagram.com/x`; what is no URL stands for itself.
fn host(referrer: &str) -> &str {
    let rest = referrer.split_once("://").map_or(referrer, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let host = authority.rsplit('@').next().unwrap_or(authority);
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => host,
    }
}

/// Counts by name.
pub(super) struct Breakdown {
    by: Dimension,
    counts: HashMap<String, u64>,
    /// Every variant's number as text; none for 0.
    numbers: Box<[String; 256]>,
}

impl Breakdown {
    pub(super) fn new(by: Dimension) -> Self {
        let number = |n: usize| if n == 0 { String::new() } else { n.to_string() };
        Self {
            by,
            counts: HashMap::new(),
            numbers: Box::new(std::array::from_fn(number)),
        }
    }

    pub(super) fn add(&mut self, row: &Row<'_>) -> Result<(), QueryError> {
        let name = self.by.name(row, &self.numbers);
        if let Some(count) = self.counts.get_mut(name) {
            *count += 1;
        } else if self.counts.len() < NAMES_MAX {
            self.counts.insert(name.to_owned(), 1);
        } else {
            return Err(QueryError::TooLarge("a million distinct names"));
        }
        Ok(())
    }

    /// The `limit` names with the most clicks, most first, then by name.
    pub(super) fn top(self, limit: usize) -> Vec<(String, u64)> {
        let mut names: Vec<(String, u64)> = self.counts.into_iter().collect();
        names.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        names.truncate(limit);
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clicklog::columns::Columns;
    use crate::clicklog::encoder::Encoder;
    use crate::clicklog::samples::any_click;
    use crate::domain::click::Click;
    use proptest::prelude::*;

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
    fn what_is_not_known_has_a_name() {
        let click = Click::default();
        for (by, name) in [
            (Dimension::Country, UNKNOWN),
            (Dimension::Referrer, DIRECT),
            (Dimension::Variant, UNKNOWN),
            (Dimension::UtmTerm, UNKNOWN),
            (Dimension::Trigger, "link"),
        ] {
            let mut breakdown = Breakdown::new(by);
            breakdown.add(&Row::Pending(&click)).expect("room");
            assert_eq!(breakdown.top(9), [(name.to_owned(), 1)]);
        }
    }

    proptest! {
        #[test]
        fn stored_and_pending_clicks_have_the_same_names(click in any_click()) {
            type D = Dimension;
            let columns = Columns::decode(&Encoder::new().encode(std::slice::from_ref(&click))).expect("own bytes");
            for by in [D::Country, D::Device, D::Browser, D::Os, D::App, D::Referrer, D::ReferrerUrl, D::Language, D::Trigger, D::UtmSource, D::UtmContent, D::Variant] {
                let mut breakdown = Breakdown::new(by);
                breakdown.add(&Row::Pending(&click)).expect("room");
                breakdown.add(&Row::Stored(&columns, 0)).expect("room");
                let top = breakdown.top(9);
                prop_assert_eq!((top.len(), top[0].1), (1, 2));
            }
        }
    }
}
