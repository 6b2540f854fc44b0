//! Processor time of each target with what its slices leave to do: clicks that are written, tables that are summed up after
//! the last answer. So a target's time runs from the begin of its slice to the begin of its next one, while others are asked.
//!
//! Where two targets are one process, the time of one ends where the other's slice begins.

use std::thread;
use std::time::{Duration, Instant};

use super::cpu::{Processes, Reading};
use crate::cli::failure::Failure;

/// How often it is looked whether processes still compute.
const LOOK: Duration = Duration::from_millis(500);
/// What a server that has nothing to do may compute in that time, in ns: a hundredth.
const REST_NS: u64 = 5_000_000;

/// Targets whose time runs.
#[derive(Debug)]
pub struct Watch(Vec<Option<Running>>);

#[derive(Debug)]
struct Running {
    roots: Vec<u32>,
    processes: Processes,
    since: Reading,
}

/// A target's time has ended: its place, and what it computed, in ns.
pub type Ended = (usize, u64);

impl Watch {
    /// Nobody's time runs; there are `count` targets.
    pub fn new(count: usize) -> Self {
        Self((0..count).map(|_| None).collect())
    }

    /// A slice of the target at `place` begins, whose processes are `roots` and what these have started.
    ///
    /// # Errors
    /// When one of `roots` does not run.
    pub fn begin(&mut self, place: usize, roots: &[u32]) -> Result<Vec<Ended>, Failure> {
        let is_shared = |running: &Running| running.roots.iter().any(|root| roots.contains(root));
        let ended = self.end(is_shared);
        if let Some(slot) = self.0.get_mut(place).filter(|_| !roots.is_empty()) {
            let processes = Processes::of(roots)?;
            let since = processes.read();
            *slot = Some(Running {
                roots: roots.to_vec(),
                processes,
                since,
            });
        }
        Ok(ended)
    }

    /// The processes of the target at `place`, while its time runs.
    pub fn processes(&self, place: usize) -> Option<&Processes> {
        self.0.get(place)?.as_ref().map(|running| &running.processes)
    }

    /// Waits until nobody whose time runs has anything left to do, at most `longest`.
    pub fn settle(&self, longest: Duration) {
        let end = Instant::now() + longest;
        for running in self.0.iter().flatten() {
            let mut before = running.processes.read();
            while Instant::now() < end {
                thread::sleep(LOOK.min(longest));
                let now = running.processes.read();
                if now.since(&before, None).total_ns < REST_NS {
                    break;
                }
                before = now;
            }
        }
    }

    /// Everybody's time ends.
    pub fn finish(&mut self) -> Vec<Ended> {
        self.end(|_| true)
    }

    fn end(&mut self, is_over: impl Fn(&Running) -> bool) -> Vec<Ended> {
        let mut ended = Vec::new();
        for (place, slot) in self.0.iter_mut().enumerate() {
            if let Some(running) = slot.take_if(|running| is_over(running)) {
                let time = running.processes.read().since(&running.since, None);
                ended.push((place, time.total_ns));
            }
        }
        ended
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_time_ends_where_a_slice_of_the_same_process_begins() {
        let own = std::process::id();
        let mut watch = Watch::new(3);
        assert_eq!(watch.begin(0, &[own]), Ok(Vec::new()));
        assert!(watch.processes(0).is_some() && watch.processes(1).is_none());
        assert_eq!(
            watch.begin(2, &[]),
            Ok(Vec::new()),
            "nobody's processor time is asked for"
        );
        let places = |ended: Vec<Ended>| ended.into_iter().map(|(place, _)| place).collect::<Vec<_>>();
        assert_eq!(watch.begin(1, &[own]).map(places), Ok(vec![0]));
        assert_eq!(places(watch.finish()), [1]);
        assert_eq!(places(watch.finish()), [0usize; 0]);
    }
}
