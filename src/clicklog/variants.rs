//! What each variant of an experiment got: follows, taps and different visitors, counted click by click.
//!
//! Exact, where reports of visitors elsewhere are sketches: a test of who is missing needs whole numbers. Reads every
//! click of its time, within the bounds of any question.

use foldhash::{HashMap, HashMapExt};

use crate::domain::click::{ClassSet, ClickClass};
use crate::domain::id::LinkNo;
use crate::domain::time::Timestamp;

use super::columns::Depth;
use super::error::QueryError;
use super::pending::Snapshot;
use super::query::{Budget, Query};
use super::scan;
use super::store::Store;

/// Most different visitors of one question: about 100 MB.
const VISITORS_MAX: usize = 2_000_000;

/// A link's variant, by its number from 1.
pub type VariantOf = (LinkNo, u8);

/// What people did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VariantClicks {
    pub clicks: u64,
    /// Taps on landing pages, of clicks that the question is about.
    pub taps: u64,
    /// A visitor who was in several variants of a link counts in the first.
    pub visitors: u64,
}

/// Counts people's clicks of `query`, whatever its classes; what belongs to no variant is left out.
pub(super) fn count(
    store: &Store,
    snapshot: &Snapshot,
    query: &Query,
) -> Result<std::collections::HashMap<VariantOf, VariantClicks>, QueryError> {
    let query = Query {
        classes: ClassSet::default().including(ClickClass::Tap),
        ..query.clone()
    };
    let mut counts: std::collections::HashMap<VariantOf, VariantClicks> = Default::default();
    let mut first: HashMap<(LinkNo, u64), (Timestamp, u8)> = HashMap::new();
    scan::rows(store, snapshot, &query, Depth::Whole, &mut Budget::new(), |row| {
        let (link, variant) = (row.link(), row.variant());
        if variant == 0 {
            return Ok(());
        }
        if row.flags().class() == ClickClass::Tap {
            // A page may be tapped a day after it was drawn: before the question's time, for another experiment.
            let is_ours = row.click().tapped.is_some_and(|tapped| tapped.at >= query.start);
            counts.entry((link, variant)).or_default().taps += u64::from(is_ours);
            return Ok(());
        }
        counts.entry((link, variant)).or_default().clicks += 1;
        if row.visitor() != 0 {
            let seen = first.entry((link, row.visitor())).or_insert((row.at(), variant));
            *seen = (*seen).min((row.at(), variant));
            if first.len() > VISITORS_MAX {
                return Err(QueryError::TooLarge("2 million visitors"));
            }
        }
        Ok(())
    })?;
    for ((link, _), (_, variant)) in first {
        counts.entry((link, variant)).or_default().visitors += 1;
    }
    Ok(counts)
}
