//! Instants as the product stores them, and the quarter-hour buckets that roll-ups use.
//!
//! Never reads a clock: see [`crate::domain::outside::Clock`].

use std::fmt;

use serde::{Deserialize, Serialize};

/// A quarter of an hour: every time zone's days begin on a multiple of it, so roll-ups serve any zone.
pub const BUCKET_MS: i64 = 15 * 60 * 1000;

/// Milliseconds of one hour without leap seconds.
pub const HOUR_MS: i64 = 4 * BUCKET_MS;

/// Characters of a date such as `2026-11-21`.
const DATE_LENGTH: usize = 10;

/// Milliseconds of one day without leap seconds.
pub const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// An instant in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The instant `seconds` after the Unix epoch.
    pub fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Whole seconds since the Unix epoch, rounded towards the past.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Number of the quarter hour since the epoch that holds this instant; instants before 1970 fall into bucket 0.
    pub fn bucket(self) -> u32 {
        u32::try_from(self.0.div_euclid(BUCKET_MS).max(0)).unwrap_or(u32::MAX)
    }

    /// First instant of quarter hour number `bucket`.
    pub fn of_bucket(bucket: u32) -> Self {
        Self(i64::from(bucket) * BUCKET_MS)
    }

    /// Number of the UTC hour since the epoch; instants before 1970 fall into hour 0.
    pub fn hour(self) -> u32 {
        u32::try_from(self.0.div_euclid(HOUR_MS).max(0)).unwrap_or(u32::MAX)
    }

    /// Number of the UTC day since the epoch; instants before 1970 fall into day 0.
    pub fn day(self) -> u32 {
        u32::try_from(self.0.div_euclid(DAY_MS).max(0)).unwrap_or(u32::MAX)
    }

    /// This instant moved by `milliseconds`, stopping at the ends of what the type holds.
    pub fn plus_ms(self, milliseconds: i64) -> Self {
        Self(self.0.saturating_add(milliseconds))
    }

    /// Milliseconds from `earlier` to this instant; negative when `earlier` is later.
    pub fn since(self, earlier: Timestamp) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Reads an RFC 3339 instant such as `2026-11-21T10:00:00Z` or `2026-11-21T10:00:00.5+01:00`. What says no offset, a
    /// plain date too, is in UTC.
    pub fn parse(text: &str) -> Option<Self> {
        Self::parse_in(text, &jiff::tz::TimeZone::UTC)
    }

    /// As [`Self::parse`], where what says no offset is in `zone`: a date is when that day begins there.
    pub fn parse_in(text: &str, zone: &jiff::tz::TimeZone) -> Option<Self> {
        if let Ok(instant) = text.parse::<jiff::Timestamp>() {
            return Some(Self(instant.as_millisecond()));
        }
        let instant = match text.len() {
            // Not always at midnight, which clocks may skip.
            DATE_LENGTH => {
                let date = text.parse::<jiff::civil::Date>().ok()?;
                date.to_zoned(zone.clone()).ok()?.start_of_day().ok()?
            }
            // The parser passes over offsets that are none, and over names of zones: what has them is refused.
            _ if text.get(DATE_LENGTH..)?.contains(['+', '-', '[', 'Z', 'z']) => return None,
            _ => text
                .parse::<jiff::civil::DateTime>()
                .ok()?
                .to_zoned(zone.clone())
                .ok()?,
        };
        Some(Self(instant.timestamp().as_millisecond()))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with milliseconds, the form of every instant in answers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(instant) => write!(f, "{instant:.3}"),
            Err(_) => write!(f, "{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_round_trip_through_text() {
        let instant = Timestamp(1_795_254_780_123);
        assert_eq!(Timestamp::parse(&instant.to_string()), Some(instant));
        assert_eq!(instant.to_string(), "2026-11-21T09:53:00.123Z");
        assert_eq!(Timestamp::parse("2026-11-21"), Some(Timestamp(1_795_219_200_000)));
        assert_eq!(Timestamp::parse("yesterday"), None);
    }

    #[test]
    fn no_part_of_an_instant_is_passed_over() {
        let berlin = jiff::tz::TimeZone::get("Europe/Berlin").expect("a zone");
        for (text, utc, in_berlin) in [
            (
                "2024-03-05 14:21:09",
                "2024-03-05T14:21:09.000Z",
                "2024-03-05T13:21:09.000Z",
            ),
            (
                "2024-03-05T14:21:09.25",
                "2024-03-05T14:21:09.250Z",
                "2024-03-05T13:21:09.250Z",
            ),
            (
                "2024-07-05 14:21",
                "2024-07-05T14:21:00.000Z",
                "2024-07-05T12:21:00.000Z",
            ),
            ("2024-03-05", "2024-03-05T00:00:00.000Z", "2024-03-04T23:00:00.000Z"),
            (
                "2024-03-05T14:21:09Z",
                "2024-03-05T14:21:09.000Z",
                "2024-03-05T14:21:09.000Z",
            ),
            (
                "2024-03-05 14:21:09-05:00",
                "2024-03-05T19:21:09.000Z",
                "2024-03-05T19:21:09.000Z",
            ),
        ] {
            let read = |instant: Option<Timestamp>| instant.map(|instant| instant.to_string());
            assert_eq!(read(Timestamp::parse(text)).as_deref(), Some(utc), "{text}");
            assert_eq!(
                read(Timestamp::parse_in(text, &berlin)).as_deref(),
                Some(in_berlin),
                "{text}"
            );
        }
        for text in [
            "2024-03-05 14:21:09+99:00",
            "2024-03-05 14:21:09[Europe/Berlin]",
            "2024-03-05 25:00:00",
            "2024-03-05 noon",
            "2024-03-05 ",
            "2024-13-05",
            "2024-03-05x",
            "1709648469",
            "2024-03-0ä 14:00",
            "",
        ] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }

    #[test]
    fn an_instant_lies_within_its_bucket() {
        for ms in [0, 1, BUCKET_MS - 1, BUCKET_MS, 1_795_254_780_123] {
            let instant = Timestamp(ms);
            let start = Timestamp::of_bucket(instant.bucket());
            assert!(start <= instant && instant.since(start) < BUCKET_MS, "{ms}");
        }
        assert_eq!(Timestamp(-5).bucket(), 0);
    }
}
