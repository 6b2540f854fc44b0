//! What the store can still tell: from when on facets are complete, and how far single clicks were removed by age.
//!
//! Body of the value: through, 0 or 1 + signed ms of *since*, 0 or 1 + signed ms of *cut*, written, 0 or 1 + signed ms of
//! *unwritten from*; these two may be missing, then nothing is unwritten; *days since* and *pages since*, which may be
//! missing too. *Through* is the watermark at which this was last written. Facets hold everything that is newer than *since*: what was applied by a version that wrote none is as
//! old as that or older. Single clicks before *cut* were removed; counts of them stay. Facets and sketches hold frames
//! up to *written*; of later ones only blocks that end at *unwritten from* or later have clicks (see `backlog`). Clicks
//! of frames after *days since* are in links' days and sheets, those up to it in links' roll-ups of quarter hours; of frames
//! after *pages since* they are in pages of totals, up to it in links' own totals.

use crate::domain::time::Timestamp;

use super::bytes::{Damaged, Source, put_number};
use super::value::{Meta, instant, put_instant};
use super::waiting::How;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct History {
    /// The watermark at which this was last written.
    pub(super) through: u64,
    /// Facets of what is newer than this are complete; `None` = all are.
    pub(super) facets_since: Option<Timestamp>,
    /// Single clicks before this were removed; `None` = none were.
    pub(super) cut: Option<Timestamp>,
    /// Facets and sketches hold frames up to this one.
    pub(super) written: u64,
    /// The oldest click of which they do not.
    pub(super) unwritten_from: Option<Timestamp>,
    /// Links' days hold clicks of frames after this one; `None` = nobody has said so yet, and roll-ups hold all.
    pub(super) days_since: Option<u64>,
    /// Pages of totals hold clicks of frames after this one; `None` = links' own totals hold all. Never without
    /// `days_since`.
    pub(super) pages_since: Option<u64>,
}

impl History {
    pub(super) fn body(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_number(&mut out, self.through);
        put_instant(&mut out, self.facets_since);
        put_instant(&mut out, self.cut);
        put_number(&mut out, self.written);
        put_instant(&mut out, self.unwritten_from);
        if let Some(since) = self.days_since {
            put_number(&mut out, since);
            self.pages_since.iter().for_each(|since| put_number(&mut out, *since));
        }
        out
    }

    pub(super) fn read(body: &[u8]) -> Result<Self, Damaged> {
        let mut source = Source(body);
        let through = source.number()?;
        let mut history = Self {
            through,
            facets_since: instant(&mut source)?,
            cut: instant(&mut source)?,
            written: through,
            unwritten_from: None,
            days_since: None,
            pages_since: None,
        };
        if !source.0.is_empty() {
            history.written = source.number()?;
            history.unwritten_from = instant(&mut source)?;
        }
        if !source.0.is_empty() {
            history.days_since = Some(source.number()?);
        }
        if !source.0.is_empty() {
            history.pages_since = Some(source.number()?);
        }
        source.end()?;
        Ok(history)
    }

    /// The history once blocks of everything up to `through` are written; `oldest` is the oldest click in the new ones.
    #[must_use]
    pub(super) fn with_blocks(self, through: u64, oldest: Option<Timestamp>) -> Self {
        Self {
            // One that a backup brought may be ahead of the watermark.
            through: self.through.max(through),
            unwritten_from: self.unwritten_from.into_iter().chain(oldest).min(),
            ..self
        }
    }

    /// Where clicks of frame `index` are counted.
    pub(super) fn how(&self, index: u64) -> How {
        How {
            is_by_day: index > self.days_since.unwrap_or(u64::MAX),
            is_paged: index > self.pages_since.unwrap_or(u64::MAX),
        }
    }

    /// The history as it is to be read of a tree that says `stored` of itself: if that is further than the facets, a
    /// version without facets was at work.
    #[must_use]
    pub(super) fn as_of(self, stored: &Meta) -> Self {
        if self.through >= stored.watermark {
            return self;
        }
        Self {
            facets_since: self.facets_since.max(stored.newest_at),
            written: stored.watermark,
            unwritten_from: None,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histories_round_trip() {
        let (at, cut) = (Some(Timestamp(-5)), Some(Timestamp(7)));
        for (facets_since, cut, days_since, pages_since) in [
            (None, None, None, None),
            (at, cut, Some(9), None),
            (at, cut, Some(0), Some(300)),
        ] {
            let history = History {
                through: 300,
                facets_since,
                cut,
                written: 200,
                unwritten_from: cut,
                days_since,
                pages_since,
            };
            assert_eq!(History::read(&history.body()), Ok(history));
        }
        // As it was written before anything could be unwritten.
        let old = History::read(&[7, 0, 0]).expect("whole");
        assert_eq!((old.through, old.written, old.unwritten_from), (7, 7, None));
        assert!(History::read(&[1, 0]).is_err());
    }

    #[test]
    fn what_came_without_facets_is_remembered() {
        let stored = |watermark, newest_at| Meta {
            watermark,
            newest_at,
            ..Meta::default()
        };
        let fresh = History::default().as_of(&stored(0, None)).with_blocks(5, None);
        assert_eq!((fresh.through, fresh.facets_since), (5, None));
        assert_eq!(fresh.as_of(&stored(5, Some(Timestamp(9)))).facets_since, None);
        let old = History::default()
            .as_of(&stored(40, Some(Timestamp(9))))
            .with_blocks(41, None);
        assert_eq!(old.facets_since, Some(Timestamp(9)));
        let meanwhile = old.as_of(&stored(50, Some(Timestamp(20)))).with_blocks(51, None);
        assert_eq!(meanwhile.facets_since, Some(Timestamp(20)));
    }
}
