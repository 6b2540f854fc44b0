//! What was erased on request: a record without identity, the proof that it was done.
//!
//! Body of the value: what byte (1 visitor, 2 click), clicks, blocks, segments, set aside; numbers. When it was done is in
//! the key.

use crate::domain::id::{LinkNo, WorkspaceNo};
use crate::domain::time::Timestamp;

use super::bytes::{Damaged, Source, put_number};
use super::error::QueryError;
use super::key;
use super::store::Store;

/// Most records in one answer, the newest.
const LISTED_MAX: usize = 1_000;

/// Whose details are to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// Everything that this visitor, not 0, did.
    Visitor(u64),
    /// One click, as its click id names it.
    Click { at: Timestamp, sequence: u64, link: LinkNo },
}

/// One erasure, as it stays in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Erasure {
    /// When it was done.
    pub at: Timestamp,
    /// Whether a whole visitor was erased; else one click.
    pub is_visitor: bool,
    /// Clicks whose details are gone.
    pub clicks: u64,
    /// Blocks of the store that were written anew.
    pub blocks: u64,
    /// Segments of the journal that were written anew.
    pub segments: u64,
    /// Stores that were set aside as corrupt, or replaced by a rebuilt one: they still hold what they held, and people must delete them.
    pub set_aside: u64,
}

/// What an erasure did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erased {
    pub record: Erasure,
    /// The clicks: instant, sequence, link.
    pub clicks: Vec<(Timestamp, u64, LinkNo)>,
}

impl Erasure {
    pub(super) fn body(&self) -> Vec<u8> {
        let mut out = vec![if self.is_visitor { 1 } else { 2 }];
        for number in [self.clicks, self.blocks, self.segments, self.set_aside] {
            put_number(&mut out, number);
        }
        out
    }

    fn read(at: Timestamp, body: &[u8]) -> Result<Self, Damaged> {
        let mut source = Source(body);
        let what = source.byte()?;
        let erasure = Self {
            at,
            is_visitor: what == 1,
            clicks: source.number()?,
            blocks: source.number()?,
            segments: source.number()?,
            set_aside: source.number()?,
        };
        source.end()?;
        Ok(erasure)
    }
}

/// The newest erasures of `workspace`, newest first.
pub(super) fn list(store: &Store, workspace: WorkspaceNo) -> Result<Vec<Erasure>, QueryError> {
    let (first, last) = (key::erasure(workspace, 0), key::erasure(workspace, u64::MAX));
    let mut erasures = Vec::new();
    store.scan::<QueryError>(&first, &last, true, |key, body| {
        let ms = i64::from(key::number(key, 1)) << 32 | i64::from(key::number(key, 2));
        erasures.push(Erasure::read(Timestamp(ms), body)?);
        Ok(erasures.len() < LISTED_MAX)
    })?;
    Ok(erasures)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_round_trip_without_a_name() {
        let erasure = Erasure {
            at: Timestamp(7),
            is_visitor: true,
            clicks: 300,
            blocks: 2,
            segments: 1,
            set_aside: 0,
        };
        let body = erasure.body();
        assert_eq!(Erasure::read(Timestamp(7), &body), Ok(erasure));
        assert!(Erasure::read(Timestamp(7), &body[..3]).is_err());
    }
}
