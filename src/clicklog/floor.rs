//! What the journal must at least reach: a small file beside it, written before each checkpoint.
//!
//! It tells a deleted newest segment from one that never was, and lets writing go on before the store is open: its
//! watermark is never below the store's. 48 bytes at `floor`, replaced as a whole:
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 8 | `hopfloor` |
//! | 8 | 4 | version, 1 |
//! | 12 | 8 | watermark of the checkpoint that is about to be written |
//! | 20 | 8 | number of the newest segment |
//! | 28 | 8 | first sequence number that was not handed out |
//! | 36 | 8 | 1 = the log was closed and every frame is in the store, 0 = it may go on |
//! | 44 | 4 | CRC32C of the bytes before |
//!
//! All numbers are little endian. Without this file the store is asked before anything is written.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use super::bytes::Source;
use super::options::sync_dir;

const MAGIC: [u8; 8] = *b"hopfloor";
const VERSION: u32 = 1;
const LENGTH: usize = 48;

/// What is certain of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Floor {
    pub(super) watermark: u64,
    pub(super) segment: u64,
    pub(super) reserved: u64,
    /// Whether nothing was written after the watermark.
    pub(super) is_closed: bool,
}

impl Floor {
    /// The floor in `dir`; `None` when there is none that can be trusted.
    pub(super) fn read(dir: &Path) -> Option<Self> {
        let bytes: [u8; LENGTH] = fs::read(dir.join("floor")).ok()?.try_into().ok()?;
        let (checked, crc) = bytes.split_last_chunk::<4>()?;
        if crc32c::crc32c(checked) != u32::from_le_bytes(*crc) {
            return None;
        }
        let mut source = Source(checked);
        let magic: [u8; 8] = source.array().ok()?;
        let version = u32::from_le_bytes(source.array().ok()?);
        let mut number = || source.array().ok().map(u64::from_le_bytes);
        let floor = Self {
            watermark: number()?,
            segment: number()?,
            reserved: number()?,
            is_closed: number()? == 1,
        };
        (magic == MAGIC && version == VERSION).then_some(floor)
    }

    /// Puts this floor in place of the old one, durably.
    pub(super) fn write(&self, dir: &Path) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(LENGTH);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        for number in [self.watermark, self.segment, self.reserved, u64::from(self.is_closed)] {
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
}
