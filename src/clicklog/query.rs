//! What a question names, and how much of the log it may read.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::domain::click::ClassSet;
use crate::domain::id::{LinkNo, WorkspaceNo};
use crate::domain::time::{BUCKET_MS, Timestamp};

use super::error::QueryError;
use super::filter::Filter;

/// Most clicks that one question may read: a few seconds of a processor.
const CLICKS_READ_MAX: u64 = 20_000_000;
/// Longest time that one question may take.
const TIME_MAX: Duration = Duration::from_secs(30);
/// How many roll-ups are read between two looks at the clock.
const ROLLUPS_A_LOOK: u64 = 1024;

/// Which clicks a question is about.
#[derive(Debug, Clone, Default)]
pub struct Query {
    pub workspace: WorkspaceNo,
    /// Only these links; `None` = all of the workspace.
    pub links: Option<Arc<HashSet<LinkNo>>>,
    /// First instant.
    pub start: Timestamp,
    /// First instant after.
    pub end: Timestamp,
    /// Which classes count.
    pub classes: ClassSet,
    /// What else clicks must be like.
    pub filter: Filter,
    /// Where the answer notes what it could not count.
    pub lacks: Lacks,
}

/// What an answer could not count. Shared by the clones of its question; the first note stays.
#[derive(Debug, Clone, Default)]
pub struct Lacks(Arc<OnceLock<Timestamp>>);

impl Lacks {
    /// Clicks before this instant would have had to be read one by one, and were removed by age; `None` = the answer
    /// is whole.
    pub fn partial_before(&self) -> Option<Timestamp> {
        self.0.get().copied()
    }

    pub(super) fn note(&self, cut: Timestamp) {
        // Once is enough: cuts of one answer are moments apart.
        self.0.set(cut).ok();
    }
}

impl Query {
    /// Whether clicks of `link` in `workspace` are asked about.
    pub(super) fn has_link(&self, workspace: WorkspaceNo, link: LinkNo) -> bool {
        workspace == self.workspace && self.links.as_ref().is_none_or(|links| links.contains(&link))
    }

    /// Whether `at` is asked about.
    pub(super) fn has_instant(&self, at: Timestamp) -> bool {
        self.start <= at && at < self.end
    }

    /// The same question about another time.
    pub(super) fn between(&self, start: Timestamp, end: Timestamp) -> Self {
        Self {
            start,
            end,
            ..self.clone()
        }
    }
}

/// A time range as whole units (buckets or days) with ragged ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ragged {
    /// Numbers of the first whole unit and of the first after; empty when equal.
    pub(super) whole: (u32, u32),
    /// What lies before and after the whole units; empty when start = end.
    pub(super) ends: [(Timestamp, Timestamp); 2],
}

impl Ragged {
    /// Splits `start..end` by units of `unit_ms`. When nothing is as new as `end`, its unit counts as whole.
    pub(super) fn of(start: Timestamp, end: Timestamp, unit_ms: i64, newest_at: Option<Timestamp>) -> Self {
        let edge = |unit: i64| Timestamp(unit.saturating_mul(unit_ms));
        let nothing = (end, end);
        if start >= end {
            return Self {
                whole: (0, 0),
                ends: [nothing; 2],
            };
        }
        let is_open = newest_at.is_none_or(|newest| newest < end);
        // Nothing is older than unit 0.
        let first = if start.0 <= 0 {
            0
        } else {
            start.0.div_euclid(unit_ms) + i64::from(start.0 % unit_ms != 0)
        };
        let after = if is_open {
            end.0.saturating_sub(1).div_euclid(unit_ms) + 1
        } else {
            end.0.div_euclid(unit_ms)
        };
        let (first, after) = (first.min(i64::from(u32::MAX)), after.clamp(0, i64::from(u32::MAX)));
        if first >= after {
            return Self {
                whole: (0, 0),
                ends: [(start, end), nothing],
            };
        }
        let head = if first == 0 { nothing } else { (start, edge(first)) };
        let tail = if is_open { nothing } else { (edge(after), end) };
        Self {
            whole: (first as u32, after as u32),
            ends: [head, tail],
        }
    }

    /// The same by quarter hours.
    pub(super) fn by_bucket(query: &Query, newest_at: Option<Timestamp>) -> Self {
        Self::of(query.start, query.end, BUCKET_MS, newest_at)
    }

    /// The last whole unit, if there is one.
    pub(super) fn last(&self) -> Option<u32> {
        let (first, after) = self.whole;
        after.checked_sub(1).filter(|last| first <= *last)
    }

    /// The ends that are not empty.
    pub(super) fn parts(&self) -> impl Iterator<Item = (Timestamp, Timestamp)> + use<> {
        self.ends.into_iter().filter(|(start, end)| start < end)
    }
}

/// What a question may still read.
pub(super) struct Budget {
    clicks: u64,
    rollups: u64,
    deadline: Instant,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self::of_clicks(CLICKS_READ_MAX)
    }

    /// A budget of `clicks` clicks.
    pub(super) fn of_clicks(clicks: u64) -> Self {
        Self {
            clicks,
            rollups: 0,
            deadline: Instant::now() + TIME_MAX,
        }
    }

    /// Reads `count` clicks.
    pub(super) fn clicks(&mut self, count: usize) -> Result<(), QueryError> {
        self.clicks = self
            .clicks
            .checked_sub(count as u64)
            .ok_or(QueryError::TooLarge("20 million clicks"))?;
        self.time()
    }

    /// Reads one roll-up, total or sketch.
    pub(super) fn rollup(&mut self) -> Result<(), QueryError> {
        self.rollups += 1;
        if self.rollups.is_multiple_of(ROLLUPS_A_LOOK) {
            self.time()
        } else {
            Ok(())
        }
    }

    fn time(&self) -> Result<(), QueryError> {
        if Instant::now() < self.deadline {
            Ok(())
        } else {
            Err(QueryError::TooLarge("30 seconds"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ragged(start: i64, end: i64, newest: i64) -> Ragged {
        Ragged::of(Timestamp(start), Timestamp(end), 10, Some(Timestamp(newest)))
    }

    #[test]
    fn ranges_are_split_at_units() {
        assert_eq!(ragged(10, 40, 99).whole, (1, 4));
        assert_eq!(ragged(10, 40, 99).parts().count(), 0);
        let both: Vec<_> = ragged(11, 49, 99)
            .parts()
            .map(|(start, end)| (start.0, end.0))
            .collect();
        assert_eq!(both, [(11, 20), (40, 49)]);
        assert_eq!(
            ragged(11, 49, 45).whole,
            (2, 5),
            "nothing newer: the last unit is whole"
        );
        assert_eq!(ragged(-7, 15, 99).whole, (0, 1));
        assert_eq!(ragged(13, 17, 99).parts().count(), 1);
        assert_eq!(ragged(17, 13, 99).parts().count(), 0);
    }

    proptest! {
        #[test]
        fn every_instant_is_in_one_part(start in -50i64..200, length in 0i64..200, newest in 0i64..300, at in 0i64..400) {
            let end = start + length;
            let ragged = ragged(start, end, newest);
            let whole = (i64::from(ragged.whole.0) * 10..i64::from(ragged.whole.1) * 10).contains(&at);
            let parts = ragged.parts().filter(|(from, to)| from.0 <= at && at < to.0).count();
            if at <= newest {
                prop_assert_eq!(usize::from(whole) + parts, usize::from(start <= at && at < end));
            }
        }
    }

    #[test]
    fn a_budget_ends() {
        let mut budget = Budget::new();
        assert!(budget.clicks(CLICKS_READ_MAX as usize).is_ok());
        let error = budget.clicks(1).expect_err("spent");
        assert_eq!(
            error.to_string(),
            "the query reads too much (20 million clicks): narrow its time range, links or filters"
        );
    }
}
