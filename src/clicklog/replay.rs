//! Reads the journal back: every good frame once and in order, past damaged ones, up to its end.
//!
//! A place where no good frame can be read is skipped to the next good one. Which frames were lost there is exact, for
//! indexes grow by one; which clicks, the next good frame tells (see `trail`).

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};

use super::error::StoreError;
use super::frame::{self, Content, RawFrame, find_next};
use super::gap::{Cause, Gap, between};
use super::segment::{self, Found, Header};
use super::trail::{Run, WINDOW, counts_of, runs_of, united};

/// What a replay comes upon, in order.
#[expect(clippy::large_enum_variant, reason = "lives on the reader's stack, one at a time")]
pub(super) enum Met {
    Frame(u64, Content),
    Gap(Gap),
}

/// A segment and which frame indexes it may speak for.
pub(super) struct Part {
    pub(super) path: PathBuf,
    pub(super) first_index: u64,
    /// First index that it may not speak for: the next segment's first.
    pub(super) end: u64,
    pub(super) reserved: u64,
    /// Whether its header was readable.
    pub(super) is_headed: bool,
}

/// Hands every good frame with an index above `after` and below `before` to `each`, and every gap between them; also
/// the gap up to `before`, unless that is [`u64::MAX`]. Answers the first sequence number that no header says was
/// handed out.
pub(super) fn replay(
    dir: &Path,
    after: u64,
    before: u64,
    mut each: impl FnMut(Met) -> Result<(), StoreError>,
) -> Result<u64, StoreError> {
    let parts = parts(dir)?;
    let mut place = Place::after(after);
    let first = parts.first().map_or(1, |part| part.first_index).min(before);
    if place.expected < first {
        each(Met::Gap(Gap::unknown(place.expected, first - 1, Cause::Before)))?;
        place.expected = first;
    }
    let mut last_index = 0;
    let mut reserved = 0;
    for part in &parts {
        reserved = reserved.max(part.reserved);
        last_index = last_index.max(part.first_index.saturating_sub(1));
        // Only segments that hold frames which were asked for are read.
        if part.end <= after + 1 || part.first_index >= before {
            continue;
        }
        let bytes = fs::read(&part.path)?;
        walk(&bytes, |offset, raw| {
            if raw.index >= part.end || raw.index >= before {
                return Ok(());
            }
            last_index = last_index.max(raw.index);
            place.meet(&bytes, offset, &raw, &mut each)
        })?;
        place.leave_segment();
    }
    // Headers of later segments prove that frames were there; so does whoever asks for them by name.
    let end = if before == u64::MAX { last_index + 1 } else { before };
    if place.expected < end {
        each(Met::Gap(Gap::unknown(place.expected, end - 1, Cause::Damaged)))?;
    }
    Ok(reserved)
}

/// A good frame that was passed.
enum Passed {
    /// Not asked for; where it lies in its segment, in case a gap after it wants to know.
    At(usize),
    Read {
        /// Clicks with and without details in the whole journal, as of its end.
        sums: Option<(u64, u64)>,
        runs: Vec<Run>,
    },
}

/// How far a replay has come.
struct Place {
    /// Index of the next frame.
    expected: u64,
    /// The good frames just before it, and gaps whose clicks are known exactly, each with its first and last index; at
    /// most [`WINDOW`].
    passed: VecDeque<((u64, u64), Passed)>,
}

impl Place {
    fn after(after: u64) -> Self {
        Self {
            expected: after.saturating_add(1),
            passed: VecDeque::with_capacity(WINDOW),
        }
    }

    fn meet(
        &mut self,
        bytes: &[u8],
        offset: usize,
        raw: &RawFrame<'_>,
        each: &mut impl FnMut(Met) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        if raw.version > frame::VERSION {
            return Err(StoreError::Newer {
                found: u32::from(raw.version),
                known: u32::from(frame::VERSION),
            });
        }
        if raw.index < self.expected {
            self.pass((raw.index, raw.index), Passed::At(offset));
            return Ok(());
        }
        if raw.index > self.expected {
            let gap = self.gap(bytes, raw);
            if gap.is_exact {
                let runs = gap.sequences.clone();
                self.pass((gap.first_frame, gap.last_frame), Passed::Read { sums: None, runs });
            }
            each(Met::Gap(gap))?;
        }
        self.expected = raw.index + 1;
        match raw.content() {
            Ok(content) => {
                let read = passed(raw, &content);
                self.pass((raw.index, raw.index), read);
                each(Met::Frame(raw.index, content))
            }
            Err(_) => each(Met::Gap(Gap::unknown(raw.index, raw.index, Cause::Damaged))),
        }
    }

    fn pass(&mut self, (first, last): (u64, u64), passed: Passed) {
        // Unproven frames of an older segment come again.
        self.passed.retain(|((_, known), _)| *known < first);
        if self.passed.len() == WINDOW {
            self.passed.pop_front();
        }
        self.passed.push_back(((first, last), passed));
    }

    /// The gap before `next`.
    fn gap(&mut self, bytes: &[u8], next: &RawFrame<'_>) -> Gap {
        for (_, known) in &mut self.passed {
            if let Passed::At(offset) = known
                && let Some((raw, _)) = bytes.get(*offset..).and_then(RawFrame::read)
                && let Ok(content) = raw.content()
            {
                *known = passed(&raw, &content);
            }
        }
        let mut good = Vec::new();
        let mut good_from = self.expected;
        let mut before = None;
        for ((first, last), known) in self.passed.iter().rev() {
            let Passed::Read { sums, runs } = known else { break };
            if last + 1 != good_from {
                break;
            }
            if last + 1 == self.expected {
                before = *sums;
            }
            good_from = *first;
            good.extend_from_slice(runs);
        }
        let past = next.past().ok().flatten();
        between(
            self.expected,
            next.index,
            past.as_ref(),
            before,
            (&united(good), good_from),
        )
    }

    /// Offsets mean nothing in the next segment.
    fn leave_segment(&mut self) {
        self.passed.retain(|(_, passed)| matches!(passed, Passed::Read { .. }));
    }
}

fn passed(raw: &RawFrame<'_>, content: &Content) -> Passed {
    let (clicks, lost) = counts_of(content);
    let past = raw.past().ok().flatten();
    Passed::Read {
        sums: past.map(|past| (past.clicks.saturating_add(clicks), past.lost.saturating_add(lost))),
        runs: runs_of(content),
    }
}

/// First sequence number above all that `content` says were handed out.
pub(super) fn used(content: &Content) -> u64 {
    match content {
        Content::Clicks(columns) | Content::Drained { columns, .. } => {
            let used = columns.sequence.iter().map(|sequence| sequence.saturating_add(1));
            used.max().unwrap_or(0)
        }
        Content::Lost(_) => 0,
        Content::Reserved(up_to) => *up_to,
    }
}

/// The segments in `dir` that hold frames or may, oldest first.
pub(super) fn parts(dir: &Path) -> Result<Vec<Part>, StoreError> {
    let mut parts: Vec<Part> = Vec::new();
    for (_, path) in segment::list(dir)? {
        let (first_index, reserved, is_headed) = match Header::of_file(&path)? {
            Found::Good(header) => (Some(header.first_index), header.reserved, true),
            Found::Newer(version) => {
                return Err(StoreError::Newer {
                    found: u32::from(version),
                    known: u32::from(segment::VERSION),
                });
            }
            Found::Damaged => (first_frame(&fs::read(&path)?), 0, false),
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
            is_headed,
        });
    }
    Ok(parts)
}

fn first_frame(bytes: &[u8]) -> Option<u64> {
    let start = find_next(bytes, 0)?;
    RawFrame::read(&bytes[start..]).map(|(frame, _)| frame.index)
}

/// Hands every good frame of a segment to `each`, with where it starts; answers where the last good one ends.
pub(super) fn walk(
    bytes: &[u8],
    mut each: impl FnMut(usize, RawFrame<'_>) -> Result<(), StoreError>,
) -> Result<usize, StoreError> {
    let mut offset = segment::HEADER.min(bytes.len());
    loop {
        if let Some((frame, length)) = RawFrame::read(&bytes[offset..]) {
            each(offset, frame)?;
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
    use crate::clicklog::columns::Columns;
    use crate::clicklog::encoder::Encoder;
    use crate::clicklog::frame::{put_clicks, put_reserved};
    use crate::clicklog::samples::{NOON, click};
    use crate::clicklog::trail::Trail;
    use crate::domain::click::Click;
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
            .for_each(|index| put_reserved(&mut bytes, *index, *index, &mut Trail::default()));
        bytes
    }

    fn indexes(segments: &[Vec<u8>], after: u64, before: u64) -> (Vec<u64>, Vec<Gap>) {
        let dir = tempfile::tempdir().expect("a directory");
        for (number, bytes) in segments.iter().enumerate() {
            fs::write(segment::path(dir.path(), number as u64 + 1), bytes).expect("written");
        }
        let (mut seen, mut gaps) = (Vec::new(), Vec::new());
        let replayed = replay(dir.path(), after, before, |met| {
            match met {
                Met::Frame(index, _) => seen.push(index),
                Met::Gap(gap) => gaps.push(gap),
            }
            Ok(())
        });
        replayed.expect("readable");
        (seen, gaps)
    }

    fn spans(gaps: &[Gap]) -> Vec<(u64, u64)> {
        gaps.iter().map(|gap| (gap.first_frame, gap.last_frame)).collect()
    }

    /// Length of a reservation frame below 128 whose past is empty.
    const FRAME: usize = 27;

    #[test]
    fn frames_after_the_watermark_come_in_order() {
        let (seen, gaps) = indexes(&[segment(1, &[1, 2, 3]), segment(4, &[4, 5])], 2, u64::MAX);
        assert_eq!((seen, gaps), (vec![3, 4, 5], vec![]));
    }

    #[test]
    fn damage_inside_is_skipped_and_told() {
        let mut bad = segment(1, &[1, 2, 3, 4]);
        bad[segment::HEADER + FRAME + 8] ^= 0x40;
        bad[segment::HEADER + 2 * FRAME + 22] ^= 1;
        let (seen, gaps) = indexes(&[bad, segment(5, &[5])], 0, u64::MAX);
        assert_eq!((seen, spans(&gaps)), (vec![1, 4, 5], vec![(2, 3)]));
    }

    #[test]
    fn unproven_frames_give_way_to_the_next_segment() {
        let (seen, gaps) = indexes(
            &[segment(1, &[1, 2, 3]), segment(2, &[]), segment(2, &[2])],
            0,
            u64::MAX,
        );
        assert_eq!((seen, gaps), (vec![1, 2], vec![]));
    }

    #[test]
    fn a_damaged_header_does_not_hide_frames() {
        let mut bad = segment(3, &[3, 4]);
        bad[0] = 0;
        let (seen, gaps) = indexes(
            &[segment(1, &[1, 2]), bad, segment(5, &[5]), vec![1, 2, 3]],
            0,
            u64::MAX,
        );
        assert_eq!((seen, gaps), (vec![1, 2, 3, 4, 5], vec![]));
    }

    #[test]
    fn what_lies_before_between_and_after_segments_is_missing() {
        let (seen, gaps) = indexes(&[segment(4, &[4]), segment(7, &[7]), segment(9, &[])], 1, u64::MAX);
        assert_eq!((seen, spans(&gaps)), (vec![4, 7], vec![(2, 3), (5, 6), (8, 8)]));
        assert_eq!(gaps[0].cause, Cause::Before);
        let (seen, gaps) = indexes(&[segment(1, &[1])], 0, 4);
        assert_eq!((seen, spans(&gaps)), (vec![1], vec![(2, 3)]));
        assert_eq!(spans(&indexes(&[], 2, 5).1), [(3, 4)]);
    }

    /// Ten frames of three clicks each with holes between them, those in `bad` damaged.
    fn with_clicks(bad: &[u64]) -> Vec<u8> {
        let mut bytes = segment(1, &[]);
        let (mut trail, mut encoder) = (Trail::default(), Encoder::new());
        for index in 1..=10u64 {
            let clicks: Vec<Click> = [0, 1, 5].map(|n| click(index * 10 + n, NOON, 1, 7)).to_vec();
            let start = bytes.len();
            put_clicks(&mut bytes, index, &Columns::of(&clicks), &mut encoder, &mut trail);
            if bad.contains(&index) {
                bytes[start + 30] ^= 1;
            }
        }
        bytes
    }

    #[test]
    fn lost_clicks_are_told_by_sequence() {
        for after in [0, 2, 3] {
            let (seen, gaps) = indexes(&[with_clicks(&[4, 5, 8])], after, u64::MAX);
            assert_eq!(seen.last(), Some(&10));
            assert_eq!(spans(&gaps), [(4, 5), (8, 8)], "after {after}");
            assert!(gaps.iter().all(|gap| gap.is_exact));
            assert_eq!((gaps[0].clicks, gaps[1].clicks), (Some(6), Some(3)));
            assert_eq!(gaps[0].sequences, [(40, 41), (45, 45), (50, 51), (55, 55)]);
            assert_eq!(gaps[1].sequences, [(80, 81), (85, 85)]);
        }
    }
}
