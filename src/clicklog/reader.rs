//! The reading end: answers from sled as of the watermark and from the pending frames after it.
//!
//! Cheap to clone, usable from any thread; never holds the writer up. An answer counts each click that was appended
//! before the question exactly once; clicks appended meanwhile may be in it or not.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::domain::click::{CLASSES, ClassSet, Click, ClickClass};
use crate::domain::id::{LinkNo, WorkspaceNo};
use crate::domain::time::Timestamp;

use super::backlog::Hold;
use super::breakdown::Breakdown;
use super::count;
use super::dimension::Dimension;
use super::erasure::{self, Erasure};
use super::error::{OpenError, QueryError};
use super::events;
use super::facet_count;
use super::gap::Gap;
use super::open::Recovery;
use super::pending::{Frames, Snapshot};
use super::query::{Budget, Query};
use super::shared::Shared;
use super::stats::Stats;
use super::store::{Store, guarded};
use super::totals;
use super::uniques;
use super::value::{Counts, Totals, add};
use super::variants::{self, VariantClicks, VariantOf};

/// Reads the click log.
#[derive(Clone)]
pub struct Reader {
    shared: Arc<Shared>,
}

/// All questions fail with [`QueryError::Unavailable`] while the store is reopened or catches up and after the log was closed, with
/// [`QueryError::Damaged`] when stored bytes are, and those that read clicks with [`QueryError::TooLarge`].
impl Reader {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// All that `link` was ever followed.
    ///
    /// # Errors
    /// See above.
    pub fn totals(&self, link: LinkNo) -> Result<Totals, QueryError> {
        self.ask(|store, snapshot| totals::of_link(store, snapshot, link))
    }

    /// Hands the totals of every link that was ever followed to `each`.
    ///
    /// # Errors
    /// See above.
    pub fn each_total(&self, mut each: impl FnMut(LinkNo, Totals)) -> Result<(), QueryError> {
        self.ask(|store, snapshot| totals::each(store, snapshot, &mut each))
    }

    /// Number of clicks.
    ///
    /// # Errors
    /// See above.
    pub fn count(&self, query: &Query) -> Result<u64, QueryError> {
        self.visit(query, false, |sum: &mut u64, _, _, count| *sum += count)
    }

    /// Number of clicks by link; links without clicks are left out.
    ///
    /// # Errors
    /// See above.
    pub fn count_by_link(&self, query: &Query) -> Result<HashMap<LinkNo, u64>, QueryError> {
        self.visit(query, true, |counts: &mut HashMap<_, _>, _, link, count| {
            if count > 0 {
                *counts.entry(link).or_default() += count;
            }
        })
    }

    /// Number of clicks by link and class, of the classes that `query` asks for; links without any are left out.
    ///
    /// # Errors
    /// See above.
    pub fn count_by_link_and_class(&self, query: &Query) -> Result<HashMap<LinkNo, Counts>, QueryError> {
        let mut sums: HashMap<LinkNo, Counts> = HashMap::new();
        let mut add_class = |link: LinkNo, class: ClickClass, count: u64| {
            if count > 0 && query.classes.has(class) {
                sums.entry(link).or_default()[class as usize] += count;
            }
        };
        let classes = || (0..CLASSES as u8).filter_map(ClickClass::of_code);
        if query.filter.is_empty() {
            let counted = self.ask_until(query.end, |store, snapshot| {
                let mut counted: HashMap<LinkNo, Counts> = HashMap::new();
                count::visit_links(store, snapshot, query, &mut |_, link, counts| {
                    add(counted.entry(link).or_default(), counts);
                })?;
                Ok(counted)
            })?;
            for (link, counts) in counted {
                classes().for_each(|class| add_class(link, class, counts[class as usize]));
            }
            return Ok(sums);
        }
        // Facets say less at a time.
        for class in classes().filter(|class| query.classes.has(*class)) {
            let of_class = Query {
                classes: ClassSet::only(class),
                ..query.clone()
            };
            let counted = self.count_by_link(&of_class)?;
            counted
                .into_iter()
                .for_each(|(link, count)| add_class(link, class, count));
        }
        Ok(sums)
    }

    /// Number of clicks in each span between two of `edges`, which ascend; inner ones lie on quarter hours, for what
    /// a quarter hour holds counts where it begins.
    ///
    /// # Errors
    /// See above.
    pub fn timeseries(&self, query: &Query, edges: &[Timestamp]) -> Result<Vec<u64>, QueryError> {
        let (Some(first), Some(last)) = (edges.first(), edges.last()) else {
            return Ok(Vec::new());
        };
        let query = query.between(query.start.max(*first), query.end.min(*last));
        let spans = edges.len() - 1;
        let add = |counts: &mut Vec<u64>, at: Timestamp, count: u64| {
            counts.resize(spans, 0);
            // The first quarter hour may begin before the first edge, when nothing in it does.
            let span = edges.partition_point(|edge| *edge <= at).saturating_sub(1);
            if let Some(sum) = counts.get_mut(span) {
                *sum += count;
            }
        };
        let counts = match query.filter.facet(None) {
            // Facets are of whole hours: each span takes its own and reads what is left of it.
            Some(_) => self.ask_until(query.end, |store, snapshot| {
                let mut budget = Budget::new();
                let mut counts = Vec::new();
                for span in edges.windows(2) {
                    let part = query.between(query.start.max(span[0]), query.end.min(span[1]));
                    facet_count::visit(
                        store,
                        snapshot,
                        &part,
                        (None, false),
                        &mut budget,
                        &mut |_, _, _, count| {
                            add(&mut counts, span[0], count);
                            Ok(())
                        },
                    )?;
                }
                Ok(counts)
            })?,
            None => self.visit(&query, false, |counts: &mut Vec<u64>, at, _, count| {
                add(counts, at, count);
            })?,
        };
        Ok(if counts.is_empty() { vec![0; spans] } else { counts })
    }

    /// Where the first quarter hour begins in which anything happened that `query` may ask about, whatever its filter
    /// and classes; `None` when nothing did.
    ///
    /// # Errors
    /// See above.
    pub fn first_at(&self, query: &Query) -> Result<Option<Timestamp>, QueryError> {
        let bucket = self.ask(|store, snapshot| count::first_bucket(store, snapshot, query))?;
        Ok(bucket.map(Timestamp::of_bucket))
    }

    /// The `limit` values of `by` with the most clicks, most first, then by name. A value that is not known counts as
    /// `Unknown`, no referrer as `(direct)`.
    ///
    /// # Errors
    /// See above.
    pub fn top(&self, query: &Query, by: Dimension, limit: usize) -> Result<Vec<(String, u64)>, QueryError> {
        self.ask_until(query.end, |store, snapshot| {
            let mut breakdown = Breakdown::new();
            let how = (Some(by), false);
            facet_count::visit(
                store,
                snapshot,
                query,
                how,
                &mut Budget::new(),
                &mut |_, _, name, count| breakdown.add(name, count),
            )?;
            Ok(breakdown.top(limit))
        })
    }

    /// Single clicks in order of time, without the first `skip`, at most `take`.
    ///
    /// # Errors
    /// See above.
    pub fn events(
        &self,
        query: &Query,
        is_newest_first: bool,
        skip: usize,
        take: usize,
    ) -> Result<Vec<Click>, QueryError> {
        self.ask(|store, snapshot| events::page(store, snapshot, query, (is_newest_first, None), (skip, take)))
    }

    /// Single clicks in order of time beyond the click at `place` (its instant and sequence), at most `take`.
    ///
    /// # Errors
    /// See above.
    pub fn events_beyond(
        &self,
        query: &Query,
        is_newest_first: bool,
        place: (Timestamp, u64),
        take: usize,
    ) -> Result<Vec<Click>, QueryError> {
        let how = (is_newest_first, Some(place));
        self.ask(|store, snapshot| events::page(store, snapshot, query, how, (0, take)))
    }

    /// Number of unique visitors, to about 2 %. People only, unless the classes include prefetches or test traffic.
    /// With those, or with a filter, every click is read.
    ///
    /// # Errors
    /// See above.
    pub fn unique_visitors(&self, query: &Query) -> Result<u64, QueryError> {
        self.ask_until(query.end, |store, snapshot| uniques::of_query(store, snapshot, query))
    }

    /// Number of unique visitors (people) by group of links, and of all groups together, in one pass.
    ///
    /// # Errors
    /// See above.
    pub fn unique_visitors_by(
        &self,
        workspace: WorkspaceNo,
        groups: &[Arc<HashSet<LinkNo>>],
        start: Timestamp,
        end: Timestamp,
    ) -> Result<(Vec<u64>, u64), QueryError> {
        self.ask_until(end, |store, snapshot| {
            uniques::by_group(store, snapshot, workspace, groups, (start, end))
        })
    }

    /// What people did with each variant of each link; its visitors are exact. Every click is read.
    ///
    /// # Errors
    /// See above.
    pub fn by_variant(&self, query: &Query) -> Result<HashMap<VariantOf, VariantClicks>, QueryError> {
        self.ask(|store, snapshot| variants::count(store, snapshot, query))
    }

    /// The click that a click id of this node names; `None` when it is not in the log.
    ///
    /// # Errors
    /// See above.
    pub fn find(&self, at: Timestamp, sequence: u64, link: LinkNo) -> Result<Option<Click>, QueryError> {
        self.ask(|store, snapshot| events::find(store, snapshot, (at, sequence, link)))
    }

    /// When the newest click happened, by the clock of then; `None` when there is none.
    pub fn newest_at(&self) -> Option<Timestamp> {
        self.shared.pending().newest_at
    }

    /// The newest erasures of `workspace`, newest first, at most a thousand.
    ///
    /// # Errors
    /// See above.
    pub fn erasures(&self, workspace: WorkspaceNo) -> Result<Vec<Erasure>, QueryError> {
        self.ask(|store, _| erasure::list(store, workspace))
    }

    /// Waits until the log's store is open and has caught up, at most `longest`; whether it is.
    ///
    /// # Errors
    /// The store does not open; it is tried again every few seconds, unless it has a newer format.
    pub fn wait_opened(&self, longest: Duration) -> Result<bool, OpenError> {
        self.shared.wait_opened(longest)
    }

    /// What opening found and repaired, so far.
    pub fn recovery(&self) -> Recovery {
        self.shared.recovery().clone()
    }

    /// Every gap that was ever found in the journal, in order.
    ///
    /// # Errors
    /// See above.
    pub fn gaps(&self) -> Result<Vec<Gap>, QueryError> {
        self.ask(|store, _| Ok(store.gaps()?))
    }

    /// The log's figures.
    pub fn stats(&self) -> Stats {
        self.shared.stats()
    }

    /// Folds the counts of `query`.
    fn visit<T: Default>(
        &self,
        query: &Query,
        is_by_link: bool,
        mut fold: impl FnMut(&mut T, Timestamp, LinkNo, u64),
    ) -> Result<T, QueryError> {
        self.ask_until(query.end, |store, snapshot| {
            let mut sum = T::default();
            if query.filter.is_empty() {
                count::visit(store, snapshot, query, is_by_link, &mut |at, link, count| {
                    fold(&mut sum, at, link, count);
                })?;
            } else {
                let how = (None, is_by_link);
                facet_count::visit(
                    store,
                    snapshot,
                    query,
                    how,
                    &mut Budget::new(),
                    &mut |at, link, _, count| {
                        fold(&mut sum, at, link, count);
                        Ok(())
                    },
                )?;
            }
            Ok(sum)
        })
    }

    /// Answers a question whose last unit counts whole when nothing is as new as `end`. If a click that new came in
    /// meanwhile, it may have been counted with that unit: the question is answered again, this time knowing of it.
    fn ask_until<T>(
        &self,
        end: Timestamp,
        mut answer: impl FnMut(&Store, &Snapshot) -> Result<T, QueryError>,
    ) -> Result<T, QueryError> {
        let is_open = |newest_at: Option<Timestamp>| newest_at.is_none_or(|newest| newest < end);
        let was_open = is_open(self.shared.pending().newest_at);
        let result = self.ask(&mut answer)?;
        if was_open && !is_open(self.shared.pending().newest_at) {
            return self.ask(answer);
        }
        Ok(result)
    }

    /// Number of the last frame in the log, and the frames in memory.
    pub(super) fn newest_and_frames(&self) -> (u64, Arc<Frames>) {
        let pending = self.shared.pending();
        (pending.last_index, pending.frames())
    }

    pub(super) fn journal_dir(&self) -> PathBuf {
        self.shared.options.journal_dir()
    }

    /// The store, for whoever reads all of it, when it has caught up.
    pub(super) fn ask_store(&self) -> Result<Arc<Store>, QueryError> {
        self.ask(|_, _| Ok(()))?;
        self.shared.store().ok_or(QueryError::Unavailable)
    }

    /// Puts the writing of sums off for whoever reads all of the store.
    pub(super) fn hold(&self) -> Hold {
        self.shared.backlog.hold()
    }

    /// Stored bytes are damaged: the checkpoint thread sees whether the journal can replace them.
    pub(super) fn suspect(&self) {
        self.shared.is_suspect.store(true, Ordering::Release);
    }

    /// Answers from one snapshot.
    pub(super) fn ask<T>(
        &self,
        answer: impl FnOnce(&Store, &Snapshot) -> Result<T, QueryError>,
    ) -> Result<T, QueryError> {
        let store = self.shared.store().ok_or(QueryError::Unavailable)?;
        let snapshot = {
            let pending = self.shared.pending();
            // What waits in the journal alone would be missing: no number is better than a wrong one.
            if !pending.gap().is_empty() {
                return Err(QueryError::Unavailable);
            }
            pending.snapshot(&self.shared.backlog)
        };
        let result = guarded(|| Ok(answer(&store, &snapshot)));
        let result = result.unwrap_or_else(|error| Err(error.into()));
        if matches!(result, Err(QueryError::Damaged(_))) {
            self.suspect();
        }
        result
    }
}
