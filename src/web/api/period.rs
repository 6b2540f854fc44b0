//! Periods of reports: the dialect's intervals or a start and an end, in a time zone, and the steps between.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp as Instant};

use super::error::ApiError;
use super::params::Params;
use crate::domain::time::{DAY_MS, HOUR_MS, Timestamp};

/// The dialect's intervals.
const INTERVALS: [&str; 9] = ["24h", "7d", "30d", "90d", "1y", "mtd", "qtd", "ytd", "all"];

/// The steps that a series can have.
const STEPS: [&str; 4] = ["hour", "day", "week", "month"];

/// Most steps of a time series.
const STEPS_MAX: usize = 2_000;

/// Periods that begin before this reach back to the beginning of time: only a clock that was wrong has clicks there.
const BEGINNING: Timestamp = Timestamp(crate::domain::click_id::EPOCH_MS);

/// A period of time; `end` is exclusive.
#[derive(Debug, Clone)]
pub(in crate::web) struct Period {
    pub start: Timestamp,
    pub end: Timestamp,
    /// Whether it is to hold everything, whatever the clock says.
    is_all: bool,
    zone: TimeZone,
    /// What the series' steps are; `None` = by length.
    step: Option<Step>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Hour,
    Day,
    /// From Monday, as ISO 8601 counts weeks.
    Week,
    Month,
}

impl Step {
    fn of_length(length_ms: i64) -> Self {
        if length_ms <= 2 * DAY_MS {
            Self::Hour
        } else if length_ms <= 180 * DAY_MS {
            Self::Day
        } else {
            Self::Month
        }
    }
}

impl Period {
    /// Takes `interval` or `start` and `end`, and `timezone`, out of `params`.
    pub(in crate::web::api) fn take(
        params: &mut Params,
        now: Timestamp,
        default: &'static str,
    ) -> Result<Self, ApiError> {
        let zone = match params.text("timezone") {
            Some(name) => TimeZone::get(&name)
                .map_err(|_| ApiError::invalid("timezone", "must be a time zone such as Europe/Berlin"))?,
            None => TimeZone::UTC,
        };
        let interval = params.word("interval", &INTERVALS)?;
        let (start, end) = (instant_in(params, "start", &zone)?, instant_in(params, "end", &zone)?);
        match (interval, start) {
            (Some(_), Some(_)) => Err(ApiError::invalid("interval", "goes with neither start nor end")),
            (interval, None) if end.is_none() => Ok(Self::of_interval(interval.unwrap_or(default), now, zone)),
            (_, None) => Err(ApiError::invalid("start", "is required with end")),
            (None, Some(start)) => {
                let end = end.unwrap_or_else(|| now.plus_ms(1));
                if end <= start {
                    return Err(ApiError::invalid("end", "must be after start"));
                }
                Ok(Self {
                    start,
                    end,
                    is_all: false,
                    zone,
                    step: None,
                })
            }
        }
    }

    /// The period that `interval` means at `now`. Those of several days begin with a day of `zone`.
    pub fn of_interval(interval: &str, now: Timestamp, zone: TimeZone) -> Self {
        // The present quarter hour is part of it: what happens now is seen now.
        let end = now.plus_ms(1);
        // Whole days: a chart's first day is not a part of one, and no click of a day has to be read one by one.
        let days = |days: i64| {
            let before = now.plus_ms(-days * DAY_MS);
            date_of(before, &zone)
                .and_then(|date| midnight(date, &zone))
                .unwrap_or(before)
        };
        let start = match interval {
            "24h" => now.plus_ms(-DAY_MS),
            "7d" => days(7),
            "30d" => days(30),
            "90d" => days(90),
            "1y" => days(365),
            "mtd" | "qtd" | "ytd" => calendar_start(interval, now, &zone).unwrap_or(BEGINNING),
            _ => Timestamp(0),
        };
        Self {
            start,
            end,
            is_all: interval == "all",
            zone,
            step: None,
        }
    }

    /// The same period, ending after `newest_at` if it is to hold everything: a clock that was set back does not hide
    /// what was clicked before.
    pub(in crate::web::api) fn reaching(self, newest_at: Option<Timestamp>) -> Self {
        let after_newest = newest_at.filter(|_| self.is_all).map(|newest| newest.plus_ms(1));
        Self {
            end: self.end.max(after_newest.unwrap_or(self.end)),
            ..self
        }
    }

    /// Takes `granularity` out of `params`: what the series' steps are, instead of what suits the length.
    pub(in crate::web::api) fn in_steps(self, params: &mut Params) -> Result<Self, ApiError> {
        let step = params.word("granularity", &STEPS)?.map(|word| match word {
            "hour" => Step::Hour,
            "day" => Step::Day,
            "week" => Step::Week,
            _ => Step::Month,
        });
        Ok(Self {
            step: step.or(self.step),
            ..self
        })
    }

    /// The series' edges, ascending, in the period's time zone: hours up to two days, days up to 180, else months, unless
    /// something else was asked for. Steps that would be too many become longer. Begins at `first`, when something
    /// was first counted, if the period reaches back to the beginning of time.
    pub fn edges(&self, first: Option<Timestamp>) -> Vec<Timestamp> {
        let start = if self.start < BEGINNING {
            first.unwrap_or(self.end.plus_ms(-DAY_MS)).max(self.start)
        } else {
            self.start
        };
        let asked = self.step.unwrap_or(Step::of_length(self.end.since(start)));
        let steps = [Step::Hour, Step::Day, Step::Week, Step::Month];
        let mut fitting = steps.into_iter().skip_while(|step| *step != asked);
        let edges = fitting
            .find_map(|step| self.inner_edges(start, step))
            .unwrap_or_default();
        let mut all = vec![start];
        all.extend(edges);
        all.push(self.end);
        all
    }

    /// The borders of steps between `start` and the end; `None` when there are too many.
    fn inner_edges(&self, start: Timestamp, step: Step) -> Option<Vec<Timestamp>> {
        let mut edges = Vec::new();
        let mut last = start;
        while edges.len() <= STEPS_MAX {
            last = match self.next_border(last, step) {
                Some(next) if next < self.end && next > last => next,
                _ => return Some(edges),
            };
            edges.push(last);
        }
        None
    }

    /// The first border of steps after `at`.
    fn next_border(&self, at: Timestamp, step: Step) -> Option<Timestamp> {
        let local = Instant::from_millisecond(at.0).ok()?.to_zoned(self.zone.clone());
        if step == Step::Hour {
            let offset_ms = i64::from(local.offset().seconds()) * 1000;
            let into_hour = at.since(Timestamp(-offset_ms)).rem_euclid(HOUR_MS);
            return Some(at.plus_ms(HOUR_MS - into_hour));
        }
        let date = local.date();
        let next = match step {
            Step::Hour | Step::Day => date.tomorrow().ok()?,
            Step::Week => {
                let into_week = date.weekday().to_monday_zero_offset();
                date.checked_add(Span::new().days(7 - i64::from(into_week))).ok()?
            }
            Step::Month => date.first_of_month().checked_add(Span::new().months(1)).ok()?,
        };
        midnight(next, &self.zone)
    }

    /// An instant in the period's zone as the dialect writes the start of a step.
    pub fn label(&self, instant: Timestamp) -> String {
        match Instant::from_millisecond(instant.0) {
            Ok(at) => at
                .to_zoned(self.zone.clone())
                .strftime("%Y-%m-%dT%H:%M:%S%:z")
                .to_string(),
            Err(_) => instant.to_string(),
        }
    }
}

/// Where `date` begins in `zone`: not always at midnight, which clocks may skip.
fn midnight(date: Date, zone: &TimeZone) -> Option<Timestamp> {
    let start = date.to_zoned(zone.clone()).ok()?.start_of_day().ok()?;
    Some(Timestamp(start.timestamp().as_millisecond()))
}

/// Takes the instant `name`; what says no offset is in `zone`.
fn instant_in(params: &mut Params, name: &'static str, zone: &TimeZone) -> Result<Option<Timestamp>, ApiError> {
    let Some(text) = params.text(name) else { return Ok(None) };
    let instant = Timestamp::parse_in(&text, zone);
    instant
        .map(Some)
        .ok_or_else(|| ApiError::invalid(name, "must be an instant such as 2026-11-21T10:00:00Z, or a date"))
}

fn date_of(at: Timestamp, zone: &TimeZone) -> Option<Date> {
    Some(Instant::from_millisecond(at.0).ok()?.to_zoned(zone.clone()).date())
}

fn calendar_start(interval: &str, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let today = date_of(now, zone)?;
    let month = match interval {
        "mtd" => today.month(),
        "qtd" => (today.month() - 1) / 3 * 3 + 1,
        _ => 1,
    };
    midnight(Date::new(today.year(), month, 1).ok()?, zone)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("an instant")
    }

    #[test]
    fn intervals_end_now() {
        let now = at("2026-11-21T10:30:00Z");
        let berlin = TimeZone::get("Europe/Berlin").expect("a zone");
        for (interval, start) in [
            ("24h", "2026-11-20T10:30:00Z"),
            ("7d", "2026-11-13T23:00:00Z"),
            // In summer, when midnight is another hour.
            ("90d", "2026-08-22T22:00:00Z"),
            ("mtd", "2026-10-31T23:00:00Z"),
            ("qtd", "2026-09-30T22:00:00Z"),
            ("ytd", "2025-12-31T23:00:00Z"),
            ("all", "1970-01-01T00:00:00Z"),
        ] {
            let period = Period::of_interval(interval, now, berlin.clone());
            assert_eq!((period.start, period.end), (at(start), now.plus_ms(1)), "{interval}");
        }
    }

    #[test]
    fn only_what_is_to_hold_everything_reaches_beyond_its_end() {
        let (now, newest) = (at("2026-11-21T10:30:00Z"), at("2030-01-01T00:00:00Z"));
        for (query, end) in [
            ("interval=all", newest.plus_ms(1)),
            ("interval=30d", now.plus_ms(1)),
            ("start=1970-01-01T00:00:00Z&end=2026-11-01", at("2026-11-01T00:00:00Z")),
            ("start=1970-01-01T00:00:00Z", now.plus_ms(1)),
        ] {
            let mut params = Params::of(Some(query)).expect("parameters");
            let period = Period::take(&mut params, now, "24h").expect("a period");
            assert_eq!(period.reaching(Some(newest)).end, end, "{query}");
        }
    }

    #[test]
    fn edges_are_days_of_the_zone_even_when_clocks_change() {
        let zone = TimeZone::get("Europe/Berlin").expect("a zone");
        let period = Period {
            start: at("2026-10-24T12:00:00Z"),
            end: at("2026-10-27T12:00:00Z"),
            is_all: false,
            zone,
            step: None,
        };
        let edges: Vec<String> = period.edges(None).iter().map(|edge| edge.to_string()).collect();
        assert_eq!(
            edges,
            [
                "2026-10-24T12:00:00.000Z",
                "2026-10-24T22:00:00.000Z",
                "2026-10-25T23:00:00.000Z",
                "2026-10-26T23:00:00.000Z",
                "2026-10-27T12:00:00.000Z",
            ]
        );
        assert_eq!(period.label(period.start), "2026-10-24T14:00:00+02:00");
    }

    #[test]
    fn edges_are_bounded_and_ascend() {
        for (start, end) in [
            ("1970-01-01T00:00:00Z", "2026-11-21T10:00:00Z"),
            ("2026-11-21T09:59:59Z", "2026-11-21T10:00:00Z"),
        ] {
            let edges = Period {
                start: at(start),
                end: at(end),
                is_all: false,
                zone: TimeZone::UTC,
                step: None,
            }
            .edges(None);
            assert!(edges.len() >= 2 && edges.len() <= STEPS_MAX + 1);
            assert!(edges.windows(2).all(|pair| pair[0] < pair[1]), "{edges:?}");
        }
    }

    fn edges(start: &str, end: &str, zone: &str, step: Step) -> Vec<String> {
        let period = Period {
            start: at(start),
            end: at(end),
            is_all: false,
            zone: TimeZone::get(zone).expect("a zone"),
            step: Some(step),
        };
        period.edges(None).iter().map(|edge| period.label(*edge)).collect()
    }

    #[test]
    fn steps_are_the_zones_own() {
        for (step, zone, start, end, second) in [
            (
                Step::Hour,
                "Asia/Kathmandu",
                "2026-11-21T10:00:00Z",
                "2026-11-21T12:00:00Z",
                "2026-11-21T16:00:00+05:45",
            ),
            (
                Step::Day,
                "Asia/Kathmandu",
                "2026-11-21T10:00:00Z",
                "2026-11-23T12:00:00Z",
                "2026-11-22T00:00:00+05:45",
            ),
            (
                Step::Week,
                "Europe/Berlin",
                "2026-11-21T10:00:00Z",
                "2026-12-21T12:00:00Z",
                "2026-11-23T00:00:00+01:00",
            ),
            (
                Step::Month,
                "America/New_York",
                "2026-10-21T10:00:00Z",
                "2026-12-21T12:00:00Z",
                "2026-11-01T00:00:00-04:00",
            ),
            // Midnight was skipped there on that day.
            (
                Step::Day,
                "Africa/Cairo",
                "2024-04-25T12:00:00Z",
                "2024-04-28T12:00:00Z",
                "2024-04-26T01:00:00+03:00",
            ),
        ] {
            let edges = edges(start, end, zone, step);
            assert_eq!(edges[1], second, "{step:?} in {zone}");
        }
        let after_the_gap = edges(
            "2024-04-25T12:00:00Z",
            "2024-04-28T12:00:00Z",
            "Africa/Cairo",
            Step::Day,
        );
        assert_eq!(after_the_gap[2], "2024-04-27T00:00:00+03:00");
    }

    #[test]
    fn too_many_steps_become_longer() {
        let edges = edges("2024-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "UTC", Step::Hour);
        assert_eq!(
            edges.len(),
            732,
            "days of two years, one of them a leap year, and the end"
        );
    }
}
