//! Reads the journal back: every good frame once and in order, past damaged ones, up to a torn end.
//!
//! A place where no good frame can be read is skipped to the next good one. How many frames were lost there is exact,
//! for indexes grow by one. What follows the last good frame of the last segment is torn: a crash cut its write short.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::error::StoreError;
use super::frame::{self, Content, RawFrame, find_next};
use super::segment::{self, Found, Header};

/// What a replay found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Replayed {
    /// Index of the last good frame, also of those that were not asked for; 0 = there is none.
    pub(super) last_index: u64,
    /// First sequence number that no header, reservation or click says was handed out.
    pub(super) reserved: u64,
    /// Number of the newest segment; 0 = there is none.
    pub(super) last_number: u64,
    /// Frames that are missing between good ones, and good ones whose payload means nothing.
    pub(super) bad_frames: u64,
    /// The newest segment, the length of what is good in it and of the torn rest.
    pub(super) torn: Option<(PathBuf, u64, u64)>,
}

impl Replayed {
    /// Cuts the torn end off, so that it is not met again.
    pub(super) fn cut_torn_end(&self) -> std::io::Result<()> {
        if let Some((path, good, _)) = &self.torn {
            let file = File::options().write(true).open(path)?;
            file.set_len(*good)?;
            file.sync_all()?;
        }
        Ok(())
    }
}

/// A segment and which frame indexes it may speak for.
struct Part {
    path: PathBuf,
    first_index: u64,
    /// First index that it may not speak for: the next segment's first.
    end: u64,
    reserved: u64,
}

/// Hands every good frame with an index above `after` and below `before` to `each`.
pub(super) fn replay(
    dir: &Path,
    after: u64,
    before: u64,
    mut each: impl FnMut(u64, Content) -> Result<(), StoreError>,
) -> Result<Replayed, StoreError> {
    let segments = segment::list(dir)?;
    let mut replayed = Replayed {
        last_number: segments.last().map_or(0, |(number, _)| *number),
        ..Replayed::default()
    };
    let parts = parts(segments)?;
    let mut expected = parts.first().map_or(1, |part| part.first_index).max(after + 1);
    for (place, part) in parts.iter().enumerate() {
        replayed.reserved = replayed.reserved.max(part.reserved);
        replayed.last_index = replayed.last_index.max(part.first_index.saturating_sub(1));
        // Only segments that hold frames which were asked for are read.
        if part.end <= after + 1 || part.first_index >= before {
            continue;
        }
        let bytes = fs::read(&part.path)?;
        let good_end = walk(&bytes, |raw| {
            if raw.index >= part.end || raw.index >= before {
                return Ok(());
            }
            if raw.version > frame::VERSION {
                return Err(StoreError::Newer(u32::from(raw.version)));
            }
            replayed.last_index = replayed.last_index.max(raw.index);
            if raw.index < expected {
                return Ok(());
            }
            replayed.bad_frames += raw.index - expected;
            expected = raw.index + 1;
            match raw.content() {
                Ok(content) => {
                    replayed.reserved = replayed.reserved.max(used(&content));
                    each(raw.index, content)
                }
                Err(_) => {
                    replayed.bad_frames += 1;
                    Ok(())
                }
            }
        })?;
        let torn = (bytes.len() - good_end) as u64;
        if place + 1 == parts.len() && torn > 0 {
            replayed.torn = Some((part.path.clone(), good_end as u64, torn));
        }
    }
    Ok(replayed)
}

/// First sequence number above all that `content` says were handed out.
pub(super) fn used(content: &Content) -> u64 {
    match content {
        Content::Clicks(clicks) | Content::Drained { clicks, .. } => clicks
            .iter()
            .map(|click| click.sequence.saturating_add(1))
            .max()
            .unwrap_or(0),
        Content::Lost(_) => 0,
        Content::Reserved(up_to) => *up_to,
    }
}

fn parts(segments: Vec<(u64, PathBuf)>) -> Result<Vec<Part>, StoreError> {
    let mut parts: Vec<Part> = Vec::with_capacity(segments.len());
    for (_, path) in segments {
        let (first_index, reserved) = match Header::of_file(&path)? {
            Found::Good(header) => (Some(header.first_index), header.reserved),
            Found::Newer(version) => return Err(StoreError::Newer(u32::from(version))),
            Found::Damaged => (first_frame(&fs::read(&path)?), 0),
        };
        // A segment with neither a header nor a frame was never acknowledged from.
        let Some(first_index) = first_index else { continue };
        if let Some(last) = parts.last_mut() {
            last.end = first_index;
        }
        parts.push(Part {
            path,
            first_index,
            end: u64::MAX,
            reserved,
        });
    }
    Ok(parts)
}

fn first_frame(bytes: &[u8]) -> Option<u64> {
    let start = find_next(bytes, 0)?;
    RawFrame::read(&bytes[start..]).map(|(frame, _)| frame.index)
}

/// Hands every good frame of a segment to `each`; answers where the last good one ends.
pub(super) fn walk(
    bytes: &[u8],
    mut each: impl FnMut(RawFrame<'_>) -> Result<(), StoreError>,
) -> Result<usize, StoreError> {
    let mut offset = segment::HEADER.min(bytes.len());
    loop {
        if let Some((frame, length)) = RawFrame::read(&bytes[offset..]) {
            each(frame)?;
            offset += length;
        } else if let Some(next) = find_next(bytes, offset) {
            offset = next;
        } else {
            return Ok(offset);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clicklog::frame::put_reserved;
    use crate::domain::time::Timestamp;

    /// A segment with one reservation frame for each of `indexes`.
    fn segment(first_index: u64, indexes: &[u64]) -> Vec<u8> {
        let header = Header {
            node: 0,
            first_index,
            reserved: 5,
            made_at: Timestamp(0),
        };
        let mut bytes = header.bytes().to_vec();
        indexes
            .iter()
            .for_each(|index| put_reserved(&mut bytes, *index, *index));
        bytes
    }

    fn indexes(segments: &[Vec<u8>], after: u64) -> (Vec<u64>, Replayed) {
        let dir = tempfile::tempdir().expect("a directory");
        for (number, bytes) in segments.iter().enumerate() {
            fs::write(segment::path(dir.path(), number as u64 + 1), bytes).expect("written");
        }
        let mut seen = Vec::new();
        let replayed = replay(dir.path(), after, u64::MAX, |index, _| {
            seen.push(index);
            Ok(())
        });
        (seen, replayed.expect("readable"))
    }

    const FRAME: usize = 23;

    #[test]
    fn frames_after_the_watermark_come_in_order() {
        let (seen, replayed) = indexes(&[segment(1, &[1, 2, 3]), segment(4, &[4, 5])], 2);
        assert_eq!(seen, [3, 4, 5]);
        assert_eq!((replayed.last_index, replayed.reserved, replayed.bad_frames), (5, 5, 0));
        assert_eq!(replayed.last_number, 2);
    }

    #[test]
    fn a_torn_end_is_cut() {
        let mut torn = segment(1, &[1, 2, 3]);
        torn.truncate(segment::HEADER + 2 * FRAME + 10);
        let (seen, replayed) = indexes(&[torn], 0);
        assert_eq!(seen, [1, 2]);
        assert_eq!(replayed.torn.map(|(_, good, torn)| (good, torn)), Some((86, 10)));
        assert_eq!(replayed.bad_frames, 0);
    }

    #[test]
    fn damage_inside_is_skipped_and_counted() {
        let mut bad = segment(1, &[1, 2, 3, 4]);
        bad[segment::HEADER + FRAME + 8] ^= 0x40;
        bad[segment::HEADER + 2 * FRAME + 22] ^= 1;
        let (seen, replayed) = indexes(&[bad, segment(5, &[5])], 0);
        assert_eq!((seen, replayed.bad_frames), (vec![1, 4, 5], 2));
    }

    #[test]
    fn unproven_frames_give_way_to_the_next_segment() {
        let (seen, replayed) = indexes(&[segment(1, &[1, 2, 3]), segment(2, &[]), segment(2, &[2])], 0);
        assert_eq!((seen, replayed.bad_frames, replayed.last_index), (vec![1, 2], 0, 2));
    }

    #[test]
    fn a_damaged_header_does_not_hide_frames() {
        let mut bad = segment(3, &[3, 4]);
        bad[0] = 0;
        let (seen, replayed) = indexes(&[segment(1, &[1, 2]), bad, segment(5, &[5]), vec![1, 2, 3]], 0);
        assert_eq!((seen, replayed.bad_frames), (vec![1, 2, 3, 4, 5], 0));
    }

    #[test]
    fn an_empty_newest_segment_keeps_indexes_from_being_used_again() {
        let (seen, replayed) = indexes(&[segment(9, &[])], 3);
        assert_eq!((seen, replayed.last_index), (vec![], 8));
    }
}
