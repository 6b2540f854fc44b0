//! What was measured of one target: latencies in a histogram, statuses, failures.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::cli::failure::Failure;

/// Longest latency that is told apart, in ns: a minute; longer ones count as that.
const LATENCY_MAX_NS: u64 = 60_000_000_000;
/// Digits of a latency that are kept.
const DIGITS: u8 = 3;

/// Sums of a slice, or of several.
#[derive(Debug, Clone)]
pub struct Stats {
    /// Latencies in ns.
    pub latency: Histogram<u64>,
    /// Answers within the measured time.
    pub answered: u64,
    /// The measured time.
    pub seconds: f64,
    /// Every answer by its status, those before and after the measured time too.
    pub statuses: BTreeMap<u16, u64>,
    /// Requests without an answer, by what went wrong.
    pub failures: BTreeMap<String, u64>,
    /// Requests of an open loop that were due and could not be sent in time; each is in the latencies with at least the
    /// time that it had waited by then.
    pub unsent: u64,
    /// Time in which the generator's threads computed, in ns; 0 where the system does not tell.
    pub busy_ns: u64,
}

impl Stats {
    /// Nothing yet.
    ///
    /// # Errors
    /// When there is no room for a histogram.
    pub fn new() -> Result<Self, Failure> {
        let latency = Histogram::new_with_bounds(1, LATENCY_MAX_NS, DIGITS);
        Ok(Self {
            latency: latency.map_err(|error| Failure::Failed(error.to_string()))?,
            answered: 0,
            seconds: 0.0,
            statuses: BTreeMap::new(),
            failures: BTreeMap::new(),
            unsent: 0,
            busy_ns: 0,
        })
    }

    /// Takes a latency down.
    pub fn waited(&mut self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.latency.saturating_record(nanos);
    }

    /// Forgets what is not of the measured time; statuses and failures stay, for every one of them counts.
    pub fn begin(&mut self) {
        self.latency.reset();
        self.answered = 0;
        self.unsent = 0;
    }

    /// Adds another thread's part of the same time, or with `is_later` another slice.
    pub fn add(&mut self, other: &Self, is_later: bool) {
        // Both have the same bounds, so nothing can be lost.
        let _ = self.latency.add(&other.latency);
        self.answered += other.answered;
        self.seconds = if is_later {
            self.seconds + other.seconds
        } else {
            self.seconds.max(other.seconds)
        };
        for (status, count) in &other.statuses {
            *self.statuses.entry(*status).or_default() += count;
        }
        for (why, count) in &other.failures {
            *self.failures.entry(why.clone()).or_default() += count;
        }
        self.unsent += other.unsent;
        self.busy_ns += other.busy_ns;
    }

    /// Answers a second.
    pub fn rate(&self) -> f64 {
        if self.seconds > 0.0 {
            self.answered as f64 / self.seconds
        } else {
            0.0
        }
    }

    /// The latency in µs that `part` of the requests did not exceed.
    pub fn at(&self, part: f64) -> f64 {
        self.latency.value_at_quantile(part) as f64 / 1e3
    }

    /// The longest latency in µs.
    pub fn longest(&self) -> f64 {
        self.latency.max() as f64 / 1e3
    }

    /// Answers whose status is none of `expected`.
    pub fn wrong(&self, expected: &[u16]) -> u64 {
        let wrong = self.statuses.iter().filter(|(status, _)| !expected.contains(status));
        wrong.map(|(_, count)| count).sum()
    }

    /// Requests without an answer.
    pub fn failed(&self) -> u64 {
        self.failures.values().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_and_slices_add_up() {
        let slice = |status: u16, ms: u64| {
            let mut stats = Stats::new().expect("room");
            stats.waited(Duration::from_millis(ms));
            (stats.answered, stats.seconds) = (1, 2.0);
            stats.statuses.insert(status, 1);
            stats.failures.insert("reset".to_owned(), 2);
            stats
        };
        let mut sum = slice(302, 1);
        sum.add(&slice(404, 3), false);
        assert!((sum.rate() - 1.0).abs() < 1e-9, "two answers in the same two seconds");
        sum.add(&slice(302, 5), true);
        assert!((sum.rate() - 0.75).abs() < 1e-9, "three in four");
        assert_eq!((sum.wrong(&[302]), sum.wrong(&[302, 404]), sum.failed()), (1, 0, 6));
        assert!((sum.at(0.5) / 3_000.0 - 1.0).abs() < 0.01, "{}", sum.at(0.5));
        sum.waited(Duration::from_secs(3_600));
        assert!((sum.longest() / 60e6 - 1.0).abs() < 0.01, "{}", sum.longest());
    }

    #[test]
    fn what_came_before_counts_for_statuses_alone() {
        let mut stats = Stats::new().expect("room");
        stats.waited(Duration::from_millis(1));
        stats.statuses.insert(500, 1);
        stats.answered = 1;
        stats.begin();
        assert_eq!((stats.answered, stats.latency.len(), stats.wrong(&[302])), (0, 0, 1));
    }
}
