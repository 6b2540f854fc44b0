//! Webhooks out: who is told of what, and when a delivery that failed is tried again.
//!
//! Sends nothing and draws nothing: the clock's word and a random number are arguments.

use serde::{Deserialize, Serialize};
use url::Url;

use super::id::WorkspaceNo;
use super::link::Link;
use super::time::{DAY_MS, HOUR_MS, Timestamp};

/// Longest name, in characters.
pub const NAME_MAX: usize = 190;
/// Longest URL, in characters, as long as a destination.
pub const URL_MAX: usize = 2048;
/// Most webhooks of one workspace. Every event is sent to each: ten systems are more than a brand has.
pub const PER_WORKSPACE_MAX: u64 = 10;
/// Most links that one webhook may be narrowed to, so that one call is one transaction.
pub const LINKS_MAX: usize = 1_000;
/// Clicks that one event of `link.clicked` tells at most, unless the brand says otherwise: some 50 KB.
pub const CLICKS_PER_EVENT: u32 = 100;
/// The most that a brand may choose: a delivery of some 250 KB.
pub const CLICKS_PER_EVENT_MAX: u32 = 500;
/// Bytes of a new secret: as many as HMAC-SHA256 gives out.
pub const SECRET_BYTES: usize = 32;
/// How long the secret before signs beside the newest one.
pub const OLD_SECRET_MS: i64 = DAY_MS;

/// How long a delivery is tried.
pub const GIVE_UP_MS: i64 = 3 * DAY_MS;
/// First pause after a failure, before jitter: long enough for a restart.
const FIRST_PAUSE_MS: u64 = 5_000;
/// Longest pause: a receiver that is mended waits no longer.
const PAUSE_MS_MAX: u64 = 4 * HOUR_MS as u64;
/// How long nothing may have been taken before a webhook is disabled: three days less one pause, so that it is decided
/// by the last try of a delivery and not by the first one after it.
pub const LASTING_MS: i64 = GIVE_UP_MS - 4 * HOUR_MS;
/// And how often it must have failed: one delivery and a quiet week say little.
pub const LASTING_FAILURES: u32 = 10;
/// Failures in a row after which a webhook as a whole is left alone for a while, and then tried with one delivery.
pub const FAILURES_BEFORE_REST: u32 = 3;
/// A later event of a link waits for an earlier one that was tried less often: six tries take some ten minutes, and
/// then one body that a receiver never takes must not hold up what comes after it.
pub const TRIES_IN_ORDER: u32 = 6;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Trigger {
    #[serde(rename = "link.created")]
    LinkCreated,
    #[serde(rename = "link.updated")]
    LinkUpdated,
    #[serde(rename = "link.deleted")]
    LinkDeleted,
    #[serde(rename = "link.clicked")]
    LinkClicked,
    #[serde(rename = "lead.created")]
    LeadCreated,
    #[serde(rename = "sale.created")]
    SaleCreated,
}

impl Trigger {
    /// All of them; the place is the bit of [`TriggerSet`], which is stored.
    pub const ALL: [Self; 6] = [
        Self::LinkCreated,
        Self::LinkUpdated,
        Self::LinkDeleted,
        Self::LinkClicked,
        Self::LeadCreated,
        Self::SaleCreated,
    ];

    /// The dialect's word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::LinkCreated => "link.created",
            Self::LinkUpdated => "link.updated",
            Self::LinkDeleted => "link.deleted",
            Self::LinkClicked => "link.clicked",
            Self::LeadCreated => "lead.created",
            Self::SaleCreated => "sale.created",
        }
    }

    /// The trigger that `word` names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|trigger| trigger.word() == word)
    }

    /// Its bit in a [`TriggerSet`].
    pub fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// Some of the triggers, a bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TriggerSet(pub u32);

impl TriggerSet {
    /// Whether `trigger` is among them.
    pub fn has(self, trigger: Trigger) -> bool {
        self.0 & trigger.bit() != 0
    }

    /// They, in the order of [`Trigger::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Trigger> {
        Trigger::ALL.into_iter().filter(move |trigger| self.has(*trigger))
    }
}

impl FromIterator<Trigger> for TriggerSet {
    fn from_iter<I: IntoIterator<Item = Trigger>>(triggers: I) -> Self {
        Self(triggers.into_iter().fold(0, |bits, trigger| bits | trigger.bit()))
    }
}

/// Who is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Row number; never used twice.
    pub no: i64,
    /// Public id, `wh_` and a ULID.
    pub id: String,
    pub workspace: WorkspaceNo,
    pub name: String,
    /// Serialised.
    pub url: String,
    pub triggers: TriggerSet,
    /// Whether it is told only of clicks on the links that were named with it.
    pub is_narrow: bool,
    pub clicks_per_event: u32,
    /// `whsec_` and base64.
    pub secret: String,
    /// The one before, and until when it signs as well.
    pub old_secret: Option<(String, Timestamp)>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub disabled: Option<Disabled>,
    pub health: Health,
}

/// Since when nothing is sent, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disabled {
    pub at: Timestamp,
    pub because: Because,
}

/// Why a webhook is disabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Because {
    /// The brand said so.
    Asked,
    /// Nothing was taken for days.
    Failing,
    /// The receiver answered 410: it wants no more.
    Gone,
}

/// How a webhook's receiver has been doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Health {
    /// Failures since the last success.
    pub failures: u32,
    /// When the first of them was.
    pub failing_since: Option<Timestamp>,
    /// Nothing is tried before.
    pub resting_until: Option<Timestamp>,
    pub last_success_at: Option<Timestamp>,
    /// Events that could not be kept, because too many waited.
    pub untold: u64,
}

impl Health {
    /// After one more failure at `now`; `draw` is any number.
    #[must_use]
    pub fn after_failure(self, now: Timestamp, draw: u64) -> Self {
        let failures = self.failures.saturating_add(1);
        let rest = failures.checked_sub(FAILURES_BEFORE_REST).filter(|rests| *rests > 0);
        Self {
            failures,
            failing_since: self.failing_since.or(Some(now)),
            resting_until: rest.map(|rests| now.plus_ms(pause_ms(rests, draw))),
            ..self
        }
    }

    /// After a success at `now`.
    #[must_use]
    pub fn after_success(self, now: Timestamp) -> Self {
        Self {
            last_success_at: Some(now),
            untold: self.untold,
            ..Self::default()
        }
    }

    /// Whether it has failed for so long that nobody can be there.
    pub fn is_lasting(&self, now: Timestamp) -> bool {
        let since = self.failing_since.map_or(0, |since| now.since(since));
        since >= LASTING_MS && self.failures >= LASTING_FAILURES
    }
}

/// How long to wait after the `failures`th failure in a row, in ms: three times as long each time, up to four hours, and
/// of that a half to the whole, by `draw`, so that what failed together does not come back together.
pub fn pause_ms(failures: u32, draw: u64) -> i64 {
    let whole = 3u64
        .checked_pow(failures.saturating_sub(1))
        .and_then(|factor| factor.checked_mul(FIRST_PAUSE_MS))
        .unwrap_or(PAUSE_MS_MAX)
        .min(PAUSE_MS_MAX);
    let half = whole / 2;
    i64::try_from(half + draw % (whole - half + 1)).unwrap_or(i64::MAX)
}

/// What an event is about, as it waits to be told. Its JSON is the format on disk; triggers of the books write it too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Facts {
    /// The link as the write left it, or as it was before it went.
    Link(Box<Link>),
    /// Row number of a lead.
    Lead(i64),
    /// Row number of an order.
    Sale(i64),
}

/// Why a URL cannot be told of anything. The text is what the brand reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UrlError(pub &'static str);

/// Brings a receiver's URL into the form that is stored: `https`, or `http` too where `is_local_allowed`. What its name
/// leads to is looked at elsewhere.
///
/// # Errors
/// What is wrong with it.
pub fn check_url(text: &str, is_local_allowed: bool) -> Result<Url, UrlError> {
    if text.chars().count() > URL_MAX {
        return Err(UrlError("must have at most 2048 characters"));
    }
    if text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\') {
        return Err(UrlError(
            "must not contain control characters, spaces or backslashes: percent-encode them",
        ));
    }
    let url = Url::parse(text).map_err(|_| UrlError("must be a URL such as https://api.example.com/hooks"))?;
    match url.scheme() {
        "https" => {}
        "http" if is_local_allowed => {}
        _ => return Err(UrlError("must begin with https://")),
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(UrlError("must name a host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(UrlError(
            "must not contain a user name or password: check the signature instead",
        ));
    }
    if url.fragment().is_some() {
        return Err(UrlError("must not contain a fragment: no server sees it"));
    }
    if url.as_str().len() > URL_MAX {
        return Err(UrlError("must have at most 2048 characters"));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_four_hours_and_vary_by_half() {
        let hour = HOUR_MS;
        for (failures, longest) in [
            (1, 5_000),
            (2, 15_000),
            (3, 45_000),
            (4, 135_000),
            (5, 405_000),
            (6, 1_215_000),
            (7, 3_645_000),
            (8, 10_935_000),
            (9, 4 * hour),
            (40, 4 * hour),
            (u32::MAX, 4 * hour),
        ] {
            let half = longest / 2;
            assert_eq!(pause_ms(failures, 0), half, "{failures}");
            assert_eq!(pause_ms(failures, (longest - half) as u64), longest, "{failures}");
            for draw in [1, 77, u64::MAX] {
                assert!(
                    (half..=longest).contains(&pause_ms(failures, draw)),
                    "{failures} {draw}"
                );
            }
        }
        let waited: i64 = (1..=TRIES_IN_ORDER)
            .map(|failures| pause_ms(failures, u64::MAX / 2))
            .sum();
        assert!(waited < 40 * 60_000, "{waited}");
        // With the shortest pauses as with the longest there is a last try within three days, and not a hundred of them.
        for draw in [0, 2 * hour as u64] {
            let (mut at, mut tries) = (0, 1);
            while at < GIVE_UP_MS {
                at += pause_ms(tries, draw);
                tries += 1;
            }
            assert!((20..60).contains(&tries), "{tries}");
        }
    }

    #[test]
    fn a_receiver_rests_after_three_failures_and_is_given_up_after_days() {
        let at = |ms| Timestamp(ms);
        let mut health = Health::default();
        for failures in 1..=3 {
            health = health.after_failure(at(1_000), 0);
            assert_eq!((health.failures, health.resting_until), (failures, None));
        }
        health = health.after_failure(at(2_000), 0);
        assert_eq!(health.resting_until, Some(at(4_500)));
        assert_eq!(health.failing_since, Some(at(1_000)));
        health = (5..LASTING_FAILURES).fold(health, |health, _| health.after_failure(at(3_000), 0));
        assert!(!health.is_lasting(at(1_000 + LASTING_MS)), "one failure too few");
        health = health.after_failure(at(3_000), 0);
        assert!(!health.is_lasting(at(999 + LASTING_MS)));
        assert!(health.is_lasting(at(1_000 + LASTING_MS)));
        let well = Health { untold: 7, ..health }.after_success(at(9_000));
        let expected = Health {
            last_success_at: Some(at(9_000)),
            untold: 7,
            ..Health::default()
        };
        assert_eq!(well, expected);
    }

    #[test]
    fn triggers_keep_their_words_and_bits() {
        let words: Vec<_> = Trigger::ALL
            .iter()
            .map(|trigger| (trigger.word(), trigger.bit()))
            .collect();
        assert_eq!(
            words,
            [
                ("link.created", 1),
                ("link.updated", 2),
                ("link.deleted", 4),
                ("link.clicked", 8),
                ("lead.created", 16),
                ("sale.created", 32),
            ]
        );
        for trigger in Trigger::ALL {
            assert_eq!(Trigger::parse(trigger.word()), Some(trigger));
            assert_eq!(serde_json::to_value(trigger).expect("a word"), trigger.word());
        }
        assert_eq!(Trigger::parse("link"), None);
        let set: TriggerSet = [Trigger::SaleCreated, Trigger::LinkCreated].into_iter().collect();
        assert_eq!(set, TriggerSet(33));
        assert_eq!(
            set.iter().collect::<Vec<_>>(),
            [Trigger::LinkCreated, Trigger::SaleCreated]
        );
    }

    #[test]
    fn facts_are_written_as_the_books_triggers_write_them() {
        assert_eq!(serde_json::to_string(&Facts::Lead(5)).expect("JSON"), r#"{"lead":5}"#);
        let read: Facts = serde_json::from_str(r#"{"sale":7}"#).expect("facts");
        assert_eq!(read, Facts::Sale(7));
    }

    #[test]
    fn only_https_urls_without_secrets_are_told() {
        for (text, is_good, is_good_locally) in [
            ("https://api.example.com/hooks?x=1", true, true),
            ("https://api.example.com:8443", true, true),
            ("http://api.example.com/", false, true),
            ("http://127.0.0.1:9/", false, true),
            ("ftp://api.example.com/", false, false),
            ("javascript:alert(1)", false, false),
            ("https:///x", true, true),
            ("https://", false, false),
            ("/hooks", false, false),
            ("", false, false),
            ("https://u:p@api.example.com/", false, false),
            ("https://u@api.example.com/", false, false),
            ("https://api.example.com/#x", false, false),
            ("https://api.example.com/a b", false, false),
            ("https://api.example.com\\@evil.example/", false, false),
        ] {
            assert_eq!(check_url(text, false).is_ok(), is_good, "{text}");
            assert_eq!(check_url(text, true).is_ok(), is_good_locally, "{text}");
        }
        let long = format!("https://api.example.com/{}", "x".repeat(URL_MAX));
        assert!(check_url(&long, true).is_err());
        let grown = format!("https://api.example.com/{}", "ü".repeat(1_000));
        assert!(check_url(&grown, true).is_err(), "longer once it is written out");
    }
}
