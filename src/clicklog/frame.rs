//! A journal frame: the unit that is written, checked and replayed as a whole.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 4 | marker `C1 1C 4B 0F`: where a reader looks for the next frame after a damaged one |
//! | 4 | 4 | CRC32C of everything from offset 8 to the end of the payload, little endian |
//! | 8 | 4 | length of the payload, little endian, at most [`PAYLOAD_MAX`] |
//! | 12 | 8 | frame index, little endian: grows by one from frame to frame, across segments |
//! | 20 | 1 | version, 4; 1 to 3 are read as well |
//! | 21 | 1 | kind: 1 clicks, 2 lost details, 3 reservation, 4 drained |
//! | 22 | … | payload; since version 3 it begins with the past, as in `trail` |
//!
//! Payloads: *clicks* as in `columns`; *lost details* = count, then for each: signed ms, workspace, link, class byte,
//! use byte (0 or 1), count; *reservation* = the first sequence number that was not handed out, a number; *drained*
//! (since version 2) = number of marks, for each: a ring's id, 8 bytes little endian, and a position in it, a number;
//! then lost details as above; then clicks as above, or nothing when there are none. Since version 4 clicks may have
//! localities.
//!
//! A drained frame is what was read from rings, whole: with it, everything in those rings up to the marks is in the
//! journal, without it nothing after the marks before it. So a restart reads each record of a ring once.

use crate::domain::click::{Click, ClickClass, LostDetail};
use crate::domain::id::{LinkNo, WorkspaceNo};
use crate::domain::time::Timestamp;

use super::bytes::{Damaged, Source, put_number, put_signed};
use super::columns::{Columns, Header};
use super::encoder::Encoder;
use super::trail::{Past, Trail, runs_in};

/// Newest frame version that is read, and the one that is written.
pub(super) const VERSION: u8 = 4;
/// The first version that tells of the frames before.
const VERSION_OF_PASTS: u8 = 3;
/// Most lost details in one frame.
pub(super) const LOST_MAX: usize = 4096;
/// Most lost details in a drained frame: a full one, and the left-over counts of a ring that ended.
pub(super) const LOST_DRAINED_MAX: usize = 2 * LOST_MAX;
/// Most rings that one frame speaks of: as many workers as there may be, and as many rings that they left behind.
pub(super) const MARKS_MAX: usize = 2048;
/// Longest payload: more than the longest clicks that the encoder makes.
const PAYLOAD_MAX: usize = 32 << 20;
const MARKER: [u8; 4] = [0xc1, 0x1c, 0x4b, 0x0f];
const CRC_AT: usize = 4;
const CHECKED_AT: usize = 8;
const HEAD: usize = 22;
const DRAINED: u8 = 4;

/// What a frame says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    Clicks(Columns),
    Lost(Vec<LostDetail>),
    Reserved(u64),
    /// What was read from rings.
    Drained {
        columns: Columns,
        lost: Vec<LostDetail>,
        marks: Vec<Mark>,
    },
}

/// Everything in a ring up to a position is in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The ring's id.
    pub ring: u64,
    /// `u64::MAX`: it ended, nothing in it will ever be read again.
    pub position: u64,
}

/// Appends frame number `index` of `clicks` and adds it to `trail`.
pub(super) fn put_clicks(out: &mut Vec<u8>, index: u64, clicks: &Columns, encoder: &mut Encoder, trail: &mut Trail) {
    put(out, index, 1, &trail.past(), |out| encoder.put(out, clicks));
    follow(trail, &clicks.sequence, &[]);
}

fn follow(trail: &mut Trail, sequences: &[u64], lost: &[LostDetail]) {
    let runs = runs_in(sequences);
    let lost = lost.iter().map(|lost| u64::from(lost.count)).sum();
    trail.count(sequences.len() as u64, lost, runs);
}

/// Appends frame number `index` of `lost` details, at most [`LOST_MAX`], and adds it to `trail`.
pub(super) fn put_lost(out: &mut Vec<u8>, index: u64, lost: &[LostDetail], trail: &mut Trail) {
    put(out, index, 2, &trail.past(), |out| put_lost_details(out, lost));
    follow(trail, &[], lost);
}

/// Appends frame number `index` of what was read from rings: at most `CLICKS_MAX` clicks, [`LOST_DRAINED_MAX`] lost
/// details and [`MARKS_MAX`] marks.
pub(super) fn put_drained(
    out: &mut Vec<u8>,
    index: u64,
    (clicks, lost): (&Columns, &[LostDetail]),
    marks: &[Mark],
    encoder: &mut Encoder,
    trail: &mut Trail,
) {
    put(out, index, DRAINED, &trail.past(), |out| {
        put_number(out, marks.len() as u64);
        for mark in marks {
            out.extend(mark.ring.to_le_bytes());
            put_number(out, mark.position);
        }
        put_lost_details(out, lost);
        if clicks.header.count > 0 {
            encoder.put(out, clicks);
        }
    });
    follow(trail, &clicks.sequence, lost);
}

fn put_lost_details(out: &mut Vec<u8>, lost: &[LostDetail]) {
    put_number(out, lost.len() as u64);
    for detail in lost {
        put_signed(out, detail.at.0);
        put_number(out, u64::from(detail.workspace.0));
        put_number(out, u64::from(detail.link.0));
        out.extend([detail.class as u8, u8::from(detail.is_use)]);
        put_number(out, u64::from(detail.count));
    }
}

/// Appends frame number `index`, which says that sequences below `up_to` were handed out, and adds it to
/// `trail`.
pub(super) fn put_reserved(out: &mut Vec<u8>, index: u64, up_to: u64, trail: &mut Trail) {
    put(out, index, 3, &trail.past(), |out| put_number(out, up_to));
    follow(trail, &[], &[]);
}

fn put(out: &mut Vec<u8>, index: u64, kind: u8, past: &Past, payload: impl FnOnce(&mut Vec<u8>)) {
    let start = begin(out, index, VERSION, kind);
    past.put(out);
    payload(out);
    end(out, start);
}

/// Appends the head of a frame, to be made whole by [`end`]; answers where it starts.
fn begin(out: &mut Vec<u8>, index: u64, version: u8, kind: u8) -> usize {
    let start = out.len();
    out.extend_from_slice(&MARKER);
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(&index.to_le_bytes());
    out.extend([version, kind]);
    start
}

fn end(out: &mut [u8], start: usize) {
    let length = (out.len() - start - HEAD) as u32;
    out[start + CHECKED_AT..start + CHECKED_AT + 4].copy_from_slice(&length.to_le_bytes());
    let crc = crc32c::crc32c(&out[start + CHECKED_AT..]);
    out[start + CRC_AT..start + CHECKED_AT].copy_from_slice(&crc.to_le_bytes());
}

/// Whether `rest`, in which no good frame starts, looks like a frame whose write was cut short: what a crash leaves.
/// Anything else was damaged later and may have been acknowledged.
pub(super) fn is_cut_short(rest: &[u8]) -> bool {
    let head = rest.len().min(MARKER.len());
    if rest[..head] != MARKER[..head] {
        return false;
    }
    let Some(length) = rest
        .get(CHECKED_AT..CHECKED_AT + 4)
        .and_then(|bytes| bytes.try_into().ok())
    else {
        return true;
    };
    let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
    length <= PAYLOAD_MAX && HEAD + length > rest.len()
}

/// A frame whose checksum holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct RawFrame<'a> {
    pub(super) index: u64,
    pub(super) version: u8,
    kind: u8,
    payload: &'a [u8],
}

impl<'a> RawFrame<'a> {
    /// The frame at the start of `bytes` and its length; `None` when there is no whole, undamaged one.
    pub(super) fn read(bytes: &'a [u8]) -> Option<(Self, usize)> {
        let mut source = Source(bytes);
        if source.array().ok()? != MARKER {
            return None;
        }
        let crc = u32::from_le_bytes(source.array().ok()?);
        let length = usize::try_from(u32::from_le_bytes(source.array().ok()?)).ok()?;
        let end = HEAD + length;
        if length > PAYLOAD_MAX || end > bytes.len() || crc32c::crc32c(&bytes[CHECKED_AT..end]) != crc {
            return None;
        }
        let frame = Self {
            index: u64::from_le_bytes(source.array().ok()?),
            version: source.byte().ok()?,
            kind: source.byte().ok()?,
            payload: &bytes[HEAD..end],
        };
        Some((frame, end))
    }

    /// The marks of a drained frame, without its clicks; none of other kinds.
    pub(super) fn marks(&self) -> Result<Vec<Mark>, Damaged> {
        match self.kind {
            DRAINED => marks(&mut self.after_past()?),
            _ => Ok(Vec::new()),
        }
    }

    /// What it says of the frames before it; `None` in versions that do not.
    pub(super) fn past(&self) -> Result<Option<Past>, Damaged> {
        match self.version >= VERSION_OF_PASTS {
            true => Past::read(&mut Source(self.payload)).map(Some),
            false => Ok(None),
        }
    }

    /// What follows the past.
    fn after_past(&self) -> Result<Source<'a>, Damaged> {
        let mut source = Source(self.payload);
        if self.version >= VERSION_OF_PASTS {
            Past::read(&mut source)?;
        }
        Ok(source)
    }

    /// First sequence number above all that it says were handed out; reads no column.
    pub(super) fn used(&self) -> Result<u64, Damaged> {
        let mut source = self.after_past()?;
        let used = |source: &mut Source<'_>| Header::read(source).map(|header| header.last_sequence.saturating_add(1));
        match self.kind {
            1 => used(&mut source),
            3 => source.number(),
            DRAINED => {
                marks(&mut source)?;
                lost_details(&mut source, LOST_DRAINED_MAX)?;
                if source.0.is_empty() { Ok(0) } else { used(&mut source) }
            }
            _ => Ok(0),
        }
    }

    /// Appends this frame with `clicks` in the place of its own; of kinds without clicks as it is.
    pub(super) fn put_with(&self, out: &mut Vec<u8>, clicks: &[Click], encoder: &mut Encoder) -> Result<(), Damaged> {
        let mut source = self.after_past()?;
        match self.kind {
            1 => {}
            DRAINED => {
                marks(&mut source)?;
                lost_details(&mut source, LOST_DRAINED_MAX)?;
            }
            _ => source = Source(&[]),
        }
        let kept = &self.payload[..self.payload.len() - source.0.len()];
        let start = begin(out, self.index, self.version, self.kind);
        out.extend_from_slice(kept);
        if !source.0.is_empty() {
            encoder.put(out, &Columns::of(clicks));
        }
        end(out, start);
        Ok(())
    }

    /// Reads the payload.
    pub(super) fn content(&self) -> Result<Content, Damaged> {
        let mut source = self.after_past()?;
        match self.kind {
            1 => Columns::decode(source.0).map(Content::Clicks),
            2 => lost(source.0).map(Content::Lost),
            3 => source.number().map(Content::Reserved),
            DRAINED => drained(source.0),
            _ => Err(Damaged("a frame has an unknown kind")),
        }
    }
}

fn lost(payload: &[u8]) -> Result<Vec<LostDetail>, Damaged> {
    let mut source = Source(payload);
    let lost = lost_details(&mut source, LOST_MAX)?;
    source.end()?;
    Ok(lost)
}

fn lost_details(source: &mut Source<'_>, most: usize) -> Result<Vec<LostDetail>, Damaged> {
    let count = source.count(most)?;
    (0..count).map(|_| lost_detail(source)).collect()
}

fn marks(source: &mut Source<'_>) -> Result<Vec<Mark>, Damaged> {
    let count = source.count(MARKS_MAX)?;
    let mark = |_| {
        Ok(Mark {
            ring: u64::from_le_bytes(source.array()?),
            position: source.number()?,
        })
    };
    (0..count).map(mark).collect()
}

fn drained(payload: &[u8]) -> Result<Content, Damaged> {
    let mut source = Source(payload);
    let marks = marks(&mut source)?;
    let lost = lost_details(&mut source, LOST_DRAINED_MAX)?;
    let columns = match source.0 {
        [] => Columns::default(),
        columns => Columns::decode(columns)?,
    };
    Ok(Content::Drained { columns, lost, marks })
}

fn lost_detail(source: &mut Source<'_>) -> Result<LostDetail, Damaged> {
    Ok(LostDetail {
        at: Timestamp(source.signed()?),
        workspace: WorkspaceNo(source.small()?),
        link: LinkNo(source.small()?),
        class: ClickClass::of_code(source.byte()?).ok_or(Damaged("a lost detail has an unknown class"))?,
        is_use: source.byte()? != 0,
        count: source.small()?,
    })
}

/// Where in `bytes`, from `from` on, the next whole, undamaged frame starts.
pub(super) fn find_next(bytes: &[u8], from: usize) -> Option<usize> {
    let tail = bytes.get(from..)?;
    tail.windows(MARKER.len())
        .enumerate()
        .filter(|(_, window)| *window == MARKER)
        .map(|(offset, _)| from + offset)
        .find(|start| RawFrame::read(&bytes[*start..]).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clicklog::samples::{NOON, any_click, click};
    use proptest::prelude::*;

    fn lost_detail() -> LostDetail {
        LostDetail {
            at: NOON,
            workspace: WorkspaceNo(1),
            link: LinkNo(2),
            class: ClickClass::Bot,
            is_use: true,
            count: 70_000,
        }
    }

    #[test]
    fn every_kind_round_trips() {
        let mut bytes = Vec::new();
        let clicks = Columns::of(&[click(1, NOON, 2, 3)]);
        let mut trail = Trail::default();
        put_clicks(&mut bytes, 5, &clicks, &mut Encoder::new(), &mut trail);
        put_lost(&mut bytes, 6, &[lost_detail()], &mut trail);
        put_reserved(&mut bytes, 7, u64::MAX, &mut trail);
        let marks = vec![
            Mark {
                ring: 1 << 63,
                position: u64::MAX,
            },
            Mark { ring: 7, position: 8 },
        ];
        let read = (&clicks, &[lost_detail()][..]);
        put_drained(&mut bytes, 8, read, &marks, &mut Encoder::new(), &mut trail);
        put_drained(
            &mut bytes,
            9,
            (&Columns::default(), &[]),
            &marks,
            &mut Encoder::new(),
            &mut trail,
        );
        let drained = |columns, lost| Content::Drained {
            columns,
            lost,
            marks: marks.clone(),
        };
        let mut rest = &bytes[..];
        for (index, content) in [
            (5, Content::Clicks(clicks.clone())),
            (6, Content::Lost(vec![lost_detail()])),
            (7, Content::Reserved(u64::MAX)),
            (8, drained(clicks, vec![lost_detail()])),
            (9, drained(Columns::default(), Vec::new())),
        ] {
            let (frame, length) = RawFrame::read(rest).expect("a frame");
            let is_drained = matches!(content, Content::Drained { .. });
            assert_eq!(
                (frame.index, frame.version, frame.content()),
                (index, VERSION, Ok(content))
            );
            let told = frame.marks().expect("undamaged");
            assert_eq!(told, if is_drained { marks.clone() } else { Vec::new() });
            rest = &rest[length..];
        }
        assert!(rest.is_empty());
    }

    proptest! {
        #[test]
        fn one_flipped_bit_is_noticed(clicks in proptest::collection::vec(any_click(), 1..9), place: prop::sample::Index, bit in 0u8..8) {
            let mut bytes = Vec::new();
            put_clicks(&mut bytes, 9, &Columns::of(&clicks), &mut Encoder::new(), &mut Trail::default());
            let place = place.index(bytes.len());
            bytes[place] ^= 1 << bit;
            prop_assert!(RawFrame::read(&bytes).is_none());
            let good = bytes.len();
            put_reserved(&mut bytes, 10, 1, &mut Trail::default());
            prop_assert_eq!(find_next(&bytes, 1), Some(good));
        }

        #[test]
        fn no_bytes_panic(kind in 0u8..6, payload: Vec<u8>) {
            prop_assert!(RawFrame::read(&payload).is_none());
            let mut bytes = Vec::new();
            put(&mut bytes, 1, kind, &Past::default(), |out| out.extend_from_slice(&payload));
            let (frame, _) = RawFrame::read(&bytes).expect("sealed just now");
            if let Ok(Content::Lost(lost)) = frame.content() {
                prop_assert!(lost.len() <= payload.len());
            }
            if let Ok(marks) = frame.marks() {
                prop_assert!(marks.len() <= payload.len());
            }
        }
    }
}
