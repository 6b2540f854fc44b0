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
            let is_ours = row.tapped().is_some_and(|tapped| tapped.at >= query.start);
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::clicklog::samples::{NOON, click};
    use crate::clicklog::{Batch, Options, open};
    use crate::domain::click::{Click, ClickFlags, Tapped};
    use crate::domain::id::WorkspaceNo;
    use crate::domain::outside::FixedClock;

    /// A click of link 7: sequence, minutes after noon, variant, visitor, flags.
    fn of(sequence: u64, minutes: i64, variant: u8, visitor: u64, flags: ClickFlags) -> Click {
        Click {
            variant,
            flags,
            ..click(sequence, NOON.plus_ms(minutes * 60_000), 7, visitor)
        }
    }

    fn tap(sequence: u64, minutes: i64, variant: u8, clicked: i64) -> Click {
        Click {
            tapped: Some(Tapped {
                sequence: 0,
                at: NOON.plus_ms(clicked * 60_000),
            }),
            ..of(sequence, minutes, variant, 1, ClickFlags::TAP)
        }
    }

    #[test]
    fn stored_and_pending_clicks_count_alike() {
        let directory = tempfile::tempdir().expect("a directory");
        let clock = Arc::new(FixedClock::at(NOON));
        let (mut writer, reader, _) = open(Options::at(directory.path()), clock.clone()).expect("opens");
        let none = ClickFlags::default();
        let clicks = vec![
            of(1, -1, 1, 9, none),
            // The visitor's second variant comes first in the log.
            of(2, 30, 2, 1, none),
            of(3, 10, 1, 1, none),
            of(4, 11, 1, 1, ClickFlags::REPEAT),
            of(5, 12, 2, 2, none),
            of(6, 12, 2, 0, none),
            of(7, 12, 1, 3, ClickFlags::BOT),
            of(8, 12, 0, 4, none),
            tap(9, 13, 1, 10),
            tap(10, 13, 1, -1),
            Click {
                link: LinkNo(8),
                ..of(11, 12, 2, 2, none)
            },
            Click {
                workspace: WorkspaceNo(2),
                ..of(12, 12, 2, 2, none)
            },
        ];
        let lost = Vec::new();
        writer
            .append(Batch { clicks, lost })
            .map_err(|(_, error)| error)
            .expect("durable");
        let query = Query {
            workspace: WorkspaceNo(1),
            links: Some(Arc::new([LinkNo(7)].into())),
            start: NOON,
            end: Timestamp(i64::MAX),
            ..Query::default()
        };
        let expected = [((LinkNo(7), 1), (1, 1, 1)), ((LinkNo(7), 2), (3, 0, 1))];
        for turn in ["pending", "stored"] {
            let found = reader.by_variant(&query).expect("counted");
            let mut found: Vec<_> = found
                .into_iter()
                .map(|(of, told)| (of, (told.clicks, told.taps, told.visitors)))
                .collect();
            found.sort();
            assert_eq!(found, expected, "{turn}");
            clock.advance(10_000);
            writer.tick();
            writer.settle();
        }
        let all = Query { links: None, ..query };
        assert_eq!(reader.by_variant(&all).expect("counted").len(), 3, "link 8 as well");
    }
}
