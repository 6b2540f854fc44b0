//! When requests are due: evenly at a rate, whatever the server does meanwhile, or each when the one before is answered.
//!
//! A rate is an open loop: who is late behind a late answer was due before, and waits from then on. Measured so, a server
//! that stands still for a second shows it in every request of that second, not in one (coordinated omission).

use std::time::{Duration, Instant};

const NANOS: u128 = 1_000_000_000;

/// The moments of one thread's requests in one slice.
#[derive(Debug, Clone)]
pub struct Schedule {
    from: Instant,
    until: Instant,
    /// Requests a second of all threads.
    rate: u64,
    threads: u64,
    thread: u64,
    next: u64,
}

impl Schedule {
    /// `rate` requests a second (not 0) from `from` to `until`, shared among `threads`, for the one called `thread`, from 0.
    pub fn new(rate: u64, from: Instant, until: Instant, thread: u64, threads: u64) -> Self {
        Self {
            from,
            until,
            rate: rate.max(1),
            threads: threads.max(1),
            thread,
            next: 0,
        }
    }

    /// The next moment, unless the slice is over by then.
    pub fn next_due(&self) -> Option<Instant> {
        let number = u128::from(self.next) * u128::from(self.threads) + u128::from(self.thread);
        let nanos = u64::try_from(number * NANOS / u128::from(self.rate)).unwrap_or(u64::MAX);
        let due = self.from.checked_add(Duration::from_nanos(nanos))?;
        (due < self.until).then_some(due)
    }

    /// Takes the next moment when it has come.
    pub fn take(&mut self, now: Instant) -> Option<Instant> {
        let due = self.next_due().filter(|due| *due <= now)?;
        self.next += 1;
        Some(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_due_evenly_and_end_with_the_slice() {
        let from = Instant::now();
        let until = from + Duration::from_secs(1);
        let mut schedule = Schedule::new(1_000, from, until, 0, 1);
        assert_eq!(schedule.take(from), Some(from));
        assert_eq!(schedule.take(from), None, "not yet");
        let mut due = vec![from];
        // Nobody looked for a second: all of them are there, each at its own moment.
        due.extend(std::iter::from_fn(|| schedule.take(until)));
        assert_eq!(due.len(), 1_000);
        assert_eq!(due[999], from + Duration::from_millis(999));
        assert_eq!(schedule.next_due(), None);
    }

    #[test]
    fn threads_share_a_rate() {
        let from = Instant::now();
        let until = from + Duration::from_secs(1);
        let mut all: Vec<Instant> = (0..3)
            .flat_map(|thread| {
                let mut schedule = Schedule::new(1_000, from, until, thread, 3);
                std::iter::from_fn(move || schedule.take(until))
            })
            .collect();
        all.sort_unstable();
        let mut alone = Schedule::new(1_000, from, until, 0, 1);
        let expected: Vec<Instant> = std::iter::from_fn(|| alone.take(until)).collect();
        assert_eq!(all, expected);
    }
}
