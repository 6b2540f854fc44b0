//! Periods of reports: the dialect's intervals or a start and an end, in a time zone, and the steps between.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Zoned};

use super::error::ApiError;
use super::params::Params;
use crate::domain::time::{BUCKET_MS, DAY_MS, Timestamp};

/// The dialect's intervals.
pub(in crate::web) const INTERVALS: [&str; 9] = ["24h", "7d", "30d", "90d", "1y", "mtd", "qtd", "ytd", "all"];

/// Most steps of a time series.
const STEPS_MAX: usize = 2_000;

/// Where a period's series begins when it reaches back to the beginning of time: no click is older.
const BEGINNING: Timestamp = Timestamp(crate::domain::click_id::EPOCH_MS);

/// A period of time; `end` is exclusive.
#[derive(Debug, Clone)]
pub(in crate::web) struct Period {
    pub start: Timestamp,
    pub end: Timestamp,
    zone: TimeZone,
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
        let (start, end) = (params.instant("start")?, params.instant("end")?);
        match (interval, start) {
            (Some(_), Some(_)) => Err(ApiError::invalid("interval", "goes with neither start nor end")),
            (interval, None) if end.is_none() => Ok(Self::of_interval(interval.unwrap_or(default), now, zone)),
            (_, None) => Err(ApiError::invalid("start", "is required with end")),
            (None, Some(start)) => {
                let end = end.unwrap_or_else(|| now.plus_ms(1));
                if end <= start {
                    return Err(ApiError::invalid("end", "must be after start"));
                }
                Ok(Self { start, end, zone })
            }
        }
    }

    /// The period that `interval` means at `now`.
    pub fn of_interval(interval: &str, now: Timestamp, zone: TimeZone) -> Self {
        // The present quarter hour is part of it: what happens now is seen now.
        let end = now.plus_ms(1);
        let days = |days: i64| now.plus_ms(-days * DAY_MS);
        let start = match interval {
            "24h" => days(1),
            "7d" => days(7),
            "30d" => days(30),
            "90d" => days(90),
            "1y" => days(365),
            "mtd" | "qtd" | "ytd" => calendar_start(interval, now, &zone).unwrap_or(BEGINNING),
            _ => Timestamp(0),
        };
        Self { start, end, zone }
    }

    /// The series' edges, ascending: hours up to two days, days up to 180, else months; in the period's time zone.
    pub fn edges(&self, first: Option<Timestamp>) -> Vec<Timestamp> {
        let start = if self.start < BEGINNING {
            first.unwrap_or(self.end.plus_ms(-DAY_MS)).max(BEGINNING)
        } else {
            self.start
        };
        let length = self.end.since(start);
        let step = if length <= 2 * DAY_MS {
            Span::new().hours(1)
        } else if length <= 180 * DAY_MS {
            Span::new().days(1)
        } else {
            Span::new().months(1)
        };
        let mut edges = vec![start];
        let Some(mut next) = zoned(start, &self.zone).and_then(|start| floor(&start, length)) else {
            return vec![start, self.end];
        };
        while edges.len() < STEPS_MAX {
            let Ok(following) = next.checked_add(step) else { break };
            next = following;
            let edge = Timestamp(next.timestamp().as_millisecond());
            if edge >= self.end {
                break;
            }
            if edge > start {
                edges.push(edge);
            }
        }
        edges.push(self.end);
        edges
    }

    /// An instant in the period's zone as the dialect writes the start of a step.
    pub fn label(&self, instant: Timestamp) -> String {
        match zoned(instant, &self.zone) {
            Some(zoned) => zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
            None => instant.to_string(),
        }
    }
}

fn zoned(instant: Timestamp, zone: &TimeZone) -> Option<Zoned> {
    jiff::Timestamp::from_millisecond(instant.0)
        .ok()
        .map(|instant| instant.to_zoned(zone.clone()))
}

/// The step's border at or before `start`.
fn floor(start: &Zoned, length_ms: i64) -> Option<Zoned> {
    if length_ms <= 2 * DAY_MS {
        let into_hour = start.timestamp().as_millisecond().rem_euclid(4 * BUCKET_MS);
        return start.checked_sub(Span::new().milliseconds(into_hour)).ok();
    }
    let date = if length_ms <= 180 * DAY_MS {
        start.date()
    } else {
        start.date().first_of_month()
    };
    date.to_zoned(start.time_zone().clone()).ok()
}

fn calendar_start(interval: &str, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let today = zoned(now, zone)?.date();
    let month = match interval {
        "mtd" => today.month(),
        "qtd" => (today.month() - 1) / 3 * 3 + 1,
        _ => 1,
    };
    let first = Date::new(today.year(), month, 1).ok()?.to_zoned(zone.clone()).ok()?;
    Some(Timestamp(first.timestamp().as_millisecond()))
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
    fn edges_are_days_of_the_zone_even_when_clocks_change() {
        let zone = TimeZone::get("Europe/Berlin").expect("a zone");
        let period = Period {
            start: at("2026-10-24T12:00:00Z"),
            end: at("2026-10-27T12:00:00Z"),
            zone,
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
                zone: TimeZone::UTC,
            }
            .edges(None);
            assert!(edges.len() >= 2 && edges.len() <= STEPS_MAX + 1);
            assert!(edges.windows(2).all(|pair| pair[0] < pair[1]), "{edges:?}");
        }
    }
}
