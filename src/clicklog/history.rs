//! What the store can still tell: from when on facets are complete, and how far single clicks were removed by age.
//!
//! Body of the value: through, 0 or 1 + signed ms of *since*, 0 or 1 + signed ms of *cut*. *Through* is the watermark at
//! which facets were last written. Facets hold everything that is newer than *since*: what was applied by a version
//! that wrote none is as old as that or older. Single clicks before *cut* were removed; counts of them stay.

use crate::domain::time::Timestamp;

use super::bytes::{Damaged, Source, put_number};
use super::value::{Meta, instant, put_instant};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct History {
    /// The watermark at which facets were last written.
    pub(super) through: u64,
    /// Facets of what is newer than this are complete; `None` = all are.
    pub(super) facets_since: Option<Timestamp>,
    /// Single clicks before this were removed; `None` = none were.
    pub(super) cut: Option<Timestamp>,
}

impl History {
    pub(super) fn body(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_number(&mut out, self.through);
        put_instant(&mut out, self.facets_since);
        put_instant(&mut out, self.cut);
        out
    }

    pub(super) fn read(body: &[u8]) -> Result<Self, Damaged> {
        let mut source = Source(body);
        let history = Self {
            through: source.number()?,
            facets_since: instant(&mut source)?,
            cut: instant(&mut source)?,
        };
        source.end()?;
        Ok(history)
    }

    /// The history once facets of everything up to `through` are written.
    #[must_use]
    pub(super) fn with_facets(self, through: u64) -> Self {
        // One that a backup brought may be ahead of the watermark.
        let through = self.through.max(through);
        Self { through, ..self }
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
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histories_round_trip() {
        for (facets_since, cut) in [(None, None), (Some(Timestamp(-5)), Some(Timestamp(7)))] {
            let history = History {
                through: 300,
                facets_since,
                cut,
            };
            assert_eq!(History::read(&history.body()), Ok(history));
        }
        assert!(History::read(&[1, 0]).is_err());
    }

    #[test]
    fn what_came_without_facets_is_remembered() {
        let stored = |watermark, newest_at| Meta {
            watermark,
            newest_at,
            ..Meta::default()
        };
        let fresh = History::default().as_of(&stored(0, None)).with_facets(5);
        assert_eq!((fresh.through, fresh.facets_since), (5, None));
        assert_eq!(fresh.as_of(&stored(5, Some(Timestamp(9)))).facets_since, None);
        let old = History::default()
            .as_of(&stored(40, Some(Timestamp(9))))
            .with_facets(41);
        assert_eq!(old.facets_since, Some(Timestamp(9)));
        let meanwhile = old.as_of(&stored(50, Some(Timestamp(20)))).with_facets(51);
        assert_eq!(meanwhile.facets_since, Some(Timestamp(20)));
    }
}
