//! Small values of the sled tree: meta, roll-ups and totals, and the seal that every value carries.
//!
//! Every value is: version byte (4; older ones are read as well), body, CRC32C (4 bytes, little endian) over key, version and body: a value that
//! turns up under another key is noticed as well.
//!
//! | value | body |
//! |---|---|
//! | meta | watermark, first sequence not handed out, 0 or 1 + signed ms of the newest click, node; numbers |
//! | roll-up | through, counts |
//! | total | through, counts, uses, 0 or 1 + signed ms of the last click by a person |
//!
//! Facets, days, history and erasures are laid out in the files of that name. Version 1 had no regions: neither in
//! blocks of clicks nor in facets. Up to version 2 clicks were counted in links' roll-ups rather than in days. Up to
//! version 3 there were neither pages of totals nor sheets: each link had a total, and for each day values, of its own.
//! All else is the same.
//!
//! *Through* is the watermark at which the value was written: the index of the last journal frame that it includes.
//! A reader that holds pending frames adds only those after it, so no click counts twice while a checkpoint runs.
//! *Counts* is a byte with a bit for each class whose count is not 0, then those counts in order of class.
//! The watermark is the index of the last journal frame of which everything is in the tree.

use crate::domain::click::CLASSES;
use crate::domain::time::Timestamp;

use super::bytes::{Damaged, Source, put_number, put_signed};
use super::error::StoreError;

/// The one that is written; older ones are read.
const VERSION: u8 = 4;
const CRC: usize = 4;

/// Clicks by class.
pub(super) type Counts = [u64; CLASSES];

/// The value that stores `body` under `key`.
pub(super) fn seal(key: &[u8], body: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(body.len() + 1 + CRC);
    value.push(VERSION);
    value.extend_from_slice(body);
    let crc = crc32c::crc32c_append(crc32c::crc32c(key), &value);
    value.extend_from_slice(&crc.to_le_bytes());
    value
}

/// The body of the value stored under `key`.
pub(super) fn unseal<'a>(key: &[u8], value: &'a [u8]) -> Result<&'a [u8], StoreError> {
    let damaged = StoreError::Damaged("a value's checksum is wrong");
    let Some((checked, crc)) = value.split_last_chunk::<CRC>() else {
        return Err(damaged);
    };
    if crc32c::crc32c_append(crc32c::crc32c(key), checked) != u32::from_le_bytes(*crc) {
        return Err(damaged);
    }
    match checked.split_first() {
        Some((1..=VERSION, body)) => Ok(body),
        Some((newer, _)) => Err(StoreError::Newer {
            found: u32::from(*newer),
            known: u32::from(VERSION),
        }),
        None => Err(damaged),
    }
}

/// What the tree says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Meta {
    pub(super) watermark: u64,
    pub(super) reserved: u64,
    pub(super) newest_at: Option<Timestamp>,
    pub(super) node: u16,
}

impl Meta {
    pub(super) fn body(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_number(&mut out, self.watermark);
        put_number(&mut out, self.reserved);
        put_instant(&mut out, self.newest_at);
        put_number(&mut out, u64::from(self.node));
        out
    }

    pub(super) fn read(body: &[u8]) -> Result<Self, Damaged> {
        let mut source = Source(body);
        let meta = Self {
            watermark: source.number()?,
            reserved: source.number()?,
            newest_at: instant(&mut source)?,
            node: u16::try_from(source.number()?).map_err(|_| Damaged("a node does not fit"))?,
        };
        source.end()?;
        Ok(meta)
    }
}

/// Counts of one link or workspace in one bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Rollup {
    pub(super) through: u64,
    pub(super) counts: Counts,
}

impl Rollup {
    pub(super) fn body(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_number(&mut out, self.through);
        put_counts(&mut out, &self.counts);
        out
    }

    pub(super) fn read(body: &[u8]) -> Result<Self, Damaged> {
        let mut source = Source(body);
        let rollup = Self {
            through: source.number()?,
            counts: counts(&mut source)?,
        };
        source.end()?;
        Ok(rollup)
    }
}

/// What a link was followed in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Clicks by class, those whose details were lost included.
    pub counts: [u64; CLASSES],
    /// Uses of a link with a click limit.
    pub uses: u64,
    /// When a person last followed it.
    pub last_human_at: Option<Timestamp>,
}

impl Totals {
    pub(super) fn body(&self, through: u64) -> Vec<u8> {
        let mut out = Vec::new();
        put_number(&mut out, through);
        put_counts(&mut out, &self.counts);
        put_number(&mut out, self.uses);
        put_instant(&mut out, self.last_human_at);
        out
    }

    /// The totals and the index of the last frame that they include.
    pub(super) fn read(body: &[u8]) -> Result<(Self, u64), Damaged> {
        let mut source = Source(body);
        let through = source.number()?;
        let totals = Self {
            counts: counts(&mut source)?,
            uses: source.number()?,
            last_human_at: instant(&mut source)?,
        };
        source.end()?;
        Ok((totals, through))
    }
}

/// Adds `more` to `counts`, class by class.
pub(super) fn add(counts: &mut Counts, more: &Counts) {
    for (count, more) in counts.iter_mut().zip(more) {
        *count = count.saturating_add(*more);
    }
}

pub(super) fn put_counts(out: &mut Vec<u8>, counts: &Counts) {
    let classes = counts.iter().enumerate();
    out.push(classes.fold(0, |byte, (class, count)| byte | u8::from(*count > 0) << class));
    counts
        .iter()
        .filter(|count| **count > 0)
        .for_each(|count| put_number(out, *count));
}

pub(super) fn counts(source: &mut Source<'_>) -> Result<Counts, Damaged> {
    let classes = source.byte()?;
    let mut counts = [0; CLASSES];
    for (class, count) in counts.iter_mut().enumerate() {
        if classes >> class & 1 == 1 {
            *count = source.number()?;
        }
    }
    Ok(counts)
}

pub(super) fn put_instant(out: &mut Vec<u8>, instant: Option<Timestamp>) {
    out.push(u8::from(instant.is_some()));
    if let Some(instant) = instant {
        put_signed(out, instant.0);
    }
}

pub(super) fn instant(source: &mut Source<'_>) -> Result<Option<Timestamp>, Damaged> {
    match source.byte()? {
        0 => Ok(None),
        1 => source.signed().map(|ms| Some(Timestamp(ms))),
        _ => Err(Damaged("an instant is neither there nor missing")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn values_round_trip(through: u64, counts: Counts, uses: u64, at: Option<i64>, node: u16) {
            let totals = Totals { counts, uses, last_human_at: at.map(Timestamp) };
            prop_assert_eq!(Totals::read(&totals.body(through)), Ok((totals, through)));
            let rollup = Rollup { through, counts };
            prop_assert_eq!(Rollup::read(&rollup.body()), Ok(rollup));
            let meta = Meta { watermark: through, reserved: uses, newest_at: at.map(Timestamp), node };
            prop_assert_eq!(Meta::read(&meta.body()), Ok(meta));
        }

        #[test]
        fn no_bytes_panic_and_no_flipped_bit_passes(body: Vec<u8>, place: prop::sample::Index, bit in 0u8..8) {
            let read = (Totals::read(&body).is_ok(), Rollup::read(&body).is_ok(), Meta::read(&body).is_ok());
            prop_assert!(body.len() > 1 || read == (false, false, false));
            let mut value = seal(b"key", &body);
            prop_assert_eq!(unseal(b"key", &value).expect("sealed just now"), &body[..]);
            prop_assert!(unseal(b"kez", &value).is_err());
            let place = place.index(value.len());
            value[place] ^= 1 << bit;
            prop_assert!(unseal(b"key", &value).is_err());
            prop_assert!(unseal(b"key", &body).is_err());
        }
    }

    #[test]
    fn a_newer_version_is_told_from_damage() {
        let of_version = |version: u8| {
            let mut value = vec![version, 9];
            let crc = crc32c::crc32c_append(crc32c::crc32c(b"k"), &value);
            value.extend_from_slice(&crc.to_le_bytes());
            value
        };
        let error = unseal(b"k", &of_version(VERSION + 1)).expect_err("newer");
        assert!(matches!(error, StoreError::Newer { found: 5, known: 4 }), "{error}");
        for version in 1..=VERSION {
            assert_eq!(unseal(b"k", &of_version(version)).expect("known"), [9]);
        }
    }
}
