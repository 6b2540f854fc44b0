//! What the journal must at least reach: a small file beside it, written before each checkpoint.
//!
//! It tells a deleted newest segment from one that never was, and lets writing go on before the store is open: its
//! watermark is never below the store's. 56 bytes at `floor`, replaced as a whole:
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 8 | `hopfloor` |
//! | 8 | 4 | version, 2 |
//! | 12 | 8 | watermark of the checkpoint that is about to be written |
//! | 20 | 8 | number of the newest segment |
//! | 28 | 8 | first sequence number that was not handed out |
//! | 36 | 8 | 1 = the log was closed and every frame is in the store, 0 = it may go on |
//! | 44 | 8 | watermark that the store had, for certain; not in version 1 |
//! | 52 | 4 | CRC32C of the bytes before |
//!
//! All numbers are little endian. Version 1 has 48 bytes, its CRC at 44. Without this file the store is asked before anything is written.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use super::bytes::Source;
use super::options::sync_dir;

const MAGIC: [u8; 8] = *b"hopfloor";
const VERSION: u32 = 2;
const LENGTH: usize = 56;
const LENGTH_1: usize = 48;

/// What is certain of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Floor {
    pub(super) watermark: u64,
    pub(super) segment: u64,
    pub(super) reserved: u64,
    /// Whether nothing was written after the watermark.
    pub(super) is_closed: bool,
    /// The store had every frame up to this one: one that is empty now was damaged.
    pub(super) stored: u64,
}

impl Floor {
    /// The floor in `dir`; `None` when there is none that can be trusted.
    pub(super) fn read(dir: &Path) -> Option<Self> {
        let bytes = fs::read(dir.join("floor")).ok()?;
        let (checked, crc) = bytes.split_last_chunk::<4>()?;
        if crc32c::crc32c(checked) != u32::from_le_bytes(*crc) {
            return None;
        }
        let mut source = Source(checked);
        let magic: [u8; 8] = source.array().ok()?;
        let version = u32::from_le_bytes(source.array().ok()?);
        if magic != MAGIC || !matches!((version, bytes.len()), (1, LENGTH_1) | (VERSION, LENGTH)) {
            return None;
        }
        let mut number = || source.array().ok().map(u64::from_le_bytes);
        let (watermark, segment, reserved, is_closed) = (number()?, number()?, number()?, number()? == 1);
        // Who closed the log of version 1 had stored everything.
        let stored = number().unwrap_or(if is_closed { watermark } else { 0 });
        Some(Self {
            watermark,
            segment,
            reserved,
            is_closed,
            stored,
        })
    }

    /// Puts this floor in place of the old one, durably.
    pub(super) fn write(&self, dir: &Path) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(LENGTH);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        let is_closed = u64::from(self.is_closed);
        for number in [self.watermark, self.segment, self.reserved, is_closed, self.stored] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        let crc = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        let fresh = dir.join("floor.new");
        let mut file = File::create(&fresh)?;
        file.write_all(&bytes)?;
        file.sync_data()?;
        fs::rename(&fresh, dir.join("floor"))?;
        sync_dir(dir)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floors_round_trip_and_notice_each_flipped_bit() {
        let dir = tempfile::tempdir().expect("a directory");
        assert_eq!(Floor::read(dir.path()), None);
        let floor = Floor {
            watermark: 7,
            segment: 8,
            reserved: u64::MAX,
            is_closed: true,
            stored: 6,
        };
        floor.write(dir.path()).expect("written");
        assert_eq!(Floor::read(dir.path()), Some(floor));
        let good = fs::read(dir.path().join("floor")).expect("there");
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            fs::write(dir.path().join("floor"), bad).expect("written");
            assert_eq!(Floor::read(dir.path()), None, "bit {bit}");
        }
    }

    #[test]
    fn floors_of_version_1_are_read() {
        let dir = tempfile::tempdir().expect("a directory");
        for (is_closed, stored) in [(0u64, 0), (1, 7)] {
            let mut bytes = [&MAGIC[..], &1u32.to_le_bytes()].concat();
            for number in [7, 8, 9, is_closed] {
                bytes.extend_from_slice(&u64::to_le_bytes(number));
            }
            let crc = crc32c::crc32c(&bytes);
            bytes.extend_from_slice(&crc.to_le_bytes());
            fs::write(dir.path().join("floor"), bytes).expect("written");
            let floor = Floor::read(dir.path()).expect("a floor");
            assert_eq!((floor.watermark, floor.segment, floor.reserved), (7, 8, 9));
            assert_eq!((floor.is_closed, floor.stored), (is_closed == 1, stored));
        }
    }
}
