//! Journal segments: files `journal/<number, 16 hex digits>.log`, numbers growing, each a header and then frames.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 8 | `hopclick` |
//! | 8 | 2 | version, 1 |
//! | 10 | 2 | node |
//! | 12 | 8 | index of its first frame |
//! | 20 | 8 | first sequence number that was not handed out when it was made |
//! | 28 | 8 | when it was made, signed ms since 1970 |
//! | 36 | 4 | CRC32C of the bytes before |
//! | 40 | … | frames |
//!
//! All numbers are little endian. **A segment's frames count only below the first index of the next segment**: frames
//! whose write or sync failed stay unproven, their indexes are used again in a new segment, and this rule keeps them
//! from being counted twice.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::domain::time::Timestamp;

use super::bytes::Source;

pub(super) const HEADER: usize = 40;
pub(super) const VERSION: u16 = 1;
const MAGIC: [u8; 8] = *b"hopclick";

/// What a segment says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) node: u16,
    pub(super) first_index: u64,
    pub(super) reserved: u64,
    pub(super) made_at: Timestamp,
}

/// A segment's header as found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    Good(Header),
    /// Cut short or damaged: its frames speak for themselves.
    Damaged,
    /// Written by a newer version.
    Newer(u16),
}

impl Header {
    pub(super) fn bytes(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..10].copy_from_slice(&VERSION.to_le_bytes());
        bytes[10..12].copy_from_slice(&self.node.to_le_bytes());
        bytes[12..20].copy_from_slice(&self.first_index.to_le_bytes());
        bytes[20..28].copy_from_slice(&self.reserved.to_le_bytes());
        bytes[28..36].copy_from_slice(&self.made_at.0.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..36]);
        bytes[36..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads the header at the start of `bytes`.
    pub(super) fn read(bytes: &[u8]) -> Found {
        Self::checked(bytes).unwrap_or(Found::Damaged)
    }

    fn checked(bytes: &[u8]) -> Option<Found> {
        let bytes = bytes.get(..HEADER)?;
        let mut source = Source(bytes);
        let magic: [u8; 8] = source.array().ok()?;
        let version = u16::from_le_bytes(source.array().ok()?);
        let header = Self {
            node: u16::from_le_bytes(source.array().ok()?),
            first_index: u64::from_le_bytes(source.array().ok()?),
            reserved: u64::from_le_bytes(source.array().ok()?),
            made_at: Timestamp(i64::from_le_bytes(source.array().ok()?)),
        };
        let crc = u32::from_le_bytes(source.array().ok()?);
        if magic != MAGIC || crc != crc32c::crc32c(&bytes[..36]) {
            return None;
        }
        Some(match version {
            VERSION => Found::Good(header),
            newer => Found::Newer(newer),
        })
    }

    /// Reads the header of the segment at `path`.
    pub(super) fn of_file(path: &Path) -> io::Result<Found> {
        let mut bytes = Vec::with_capacity(HEADER);
        fs::File::open(path)?.take(HEADER as u64).read_to_end(&mut bytes)?;
        Ok(Self::read(&bytes))
    }
}

/// Where segment `number` lies.
pub(super) fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:016x}.log"))
}

/// The segments in `dir`, oldest first. Files with other names are not the journal's.
pub(super) fn list(dir: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut segments = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let number = path
            .file_name()
            .and_then(|name| name.to_str())
            .and_then(|name| name.strip_suffix(".log"))
            .filter(|stem| stem.len() == 16)
            .and_then(|stem| u64::from_str_radix(stem, 16).ok());
        segments.extend(number.map(|number| (number, path)));
    }
    segments.sort_unstable();
    Ok(segments)
}

/// Deletes the oldest segments whose frames are all at or below `watermark` and that ended before `oldest_kept`.
/// The newest always stays: it tells the next opening which indexes and sequences are used.
pub(super) fn remove_old(dir: &Path, watermark: u64, oldest_kept: Timestamp) -> io::Result<()> {
    let segments = list(dir)?;
    for pair in segments.windows(2) {
        let [(_, path), (_, next)] = pair else { break };
        // A segment ended when the next one was made.
        match Header::of_file(next)? {
            Found::Good(next) if next.first_index <= watermark.saturating_add(1) && next.made_at < oldest_kept => {
                fs::remove_file(path)?;
            }
            _ => break,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(first_index: u64, made_at: i64) -> Header {
        Header {
            node: 9,
            first_index,
            reserved: 1 << 24,
            made_at: Timestamp(made_at),
        }
    }

    #[test]
    fn headers_round_trip_and_notice_each_flipped_bit() {
        let good = header(77, -5);
        assert_eq!(Header::read(&good.bytes()), Found::Good(good));
        for bit in 0..HEADER * 8 {
            let mut bytes = good.bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Header::read(&bytes), Found::Damaged, "bit {bit}");
        }
        assert_eq!(Header::read(&good.bytes()[..39]), Found::Damaged);
    }

    #[test]
    fn a_newer_version_is_told_from_damage() {
        let mut bytes = header(1, 1).bytes();
        bytes[8] = 2;
        let crc = crc32c::crc32c(&bytes[..36]);
        bytes[36..].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(Header::read(&bytes), Found::Newer(2));
    }

    #[test]
    fn segments_go_when_applied_and_old() {
        let dir = tempfile::tempdir().expect("a directory");
        for (number, first_index, made_at) in [(1, 1, 10), (2, 5, 20), (3, 9, 30), (10, 12, 40)] {
            fs::write(path(dir.path(), number), header(first_index, made_at).bytes()).expect("written");
        }
        let left = |watermark, oldest_kept| {
            remove_old(dir.path(), watermark, Timestamp(oldest_kept)).expect("removed");
            let numbers = list(dir.path()).expect("listed").into_iter().map(|(number, _)| number);
            numbers.collect::<Vec<_>>()
        };
        assert_eq!(left(100, 15), [1, 2, 3, 10], "too young");
        assert_eq!(left(3, 100), [1, 2, 3, 10], "not applied");
        assert_eq!(left(8, 100), [3, 10], "frames up to 8 are applied");
        assert_eq!(left(100, 100), [10], "the newest stays");
    }
}
