//! Measured times, and what is told of them.

use std::fmt;
use std::time::Duration;

/// Times in microseconds, in any order.
#[derive(Default)]
pub struct Times(Vec<u32>);

impl Times {
    /// What [`Self::columns`] are.
    pub const HEAD: &str = "median, ms | p90, ms | p99, ms | longest, ms";

    pub fn add(&mut self, time: Duration) {
        self.0.push(u32::try_from(time.as_micros()).unwrap_or(u32::MAX));
    }

    pub fn join(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    pub fn count(&self) -> u64 {
        self.0.len() as u64
    }

    /// Milliseconds.
    pub fn mean(&self) -> f64 {
        let sum: u64 = self.0.iter().copied().map(u64::from).sum();
        sum as f64 / self.0.len().max(1) as f64 / 1e3
    }

    /// Milliseconds within which that part of them lies; 0 where there is none.
    pub fn at(&self, part: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let place = (sorted.len() as f64 * part) as usize;
        let last = sorted.len().saturating_sub(1);
        sorted.get(place.min(last)).map_or(0.0, |time| f64::from(*time) / 1e3)
    }

    pub fn columns(&self) -> String {
        let parts = [0.5, 0.9, 0.99, 1.0].map(|part| format!("{:.3}", self.at(part)));
        parts.join(" | ")
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "median {:.3} ms, p99 {:.3} ms", self.at(0.5), self.at(0.99))
    }
}
