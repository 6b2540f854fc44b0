//! A journal frame: the unit that is written, checked and replayed as a whole.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 4 | marker `C1 1C 4B 0F`: where a reader looks for the next frame after a damaged one |
//! | 4 | 4 | CRC32C of everything from offset 8 to the end of the payload, little endian |
//! | 8 | 4 | length of the payload, little endian, at most [`PAYLOAD_MAX`] |
//! | 12 | 8 | frame index, little endian: grows by one from frame to frame, across segments |
//! | 20 | 1 | version, 1; of kind 4, 2 |
//! | 21 | 1 | kind: 1 clicks, 2 lost details, 3 reservation, 4 drained |
//! | 22 | … | payload |
//!
//! Payloads: *clicks* as in `columns`; *lost details* = count, then for each: signed ms, workspace, link, class byte,
//! use byte (0 or 1), count; *reservation* = the first sequence number that was not handed out, a number; *drained*
//! (since version 2) = number of marks, for each: a ring's id, 8 bytes little endian, and a position in it, a number;
//! then lost details as above; then clicks as above, or nothing when there are none.
//!
//! A drained frame is what was read from rings, whole: with it, everything in those rings up to the marks is in the
//! journal, without it nothing after the marks before it. So a restart reads each record of a ring once.

use crate::domain::click::{Click, ClickClass, LostDetail};
use crate::domain::id::{LinkNo, WorkspaceNo};
use crate::domain::time::Timestamp;

use super::bytes::{Damaged, Source, put_number, put_signed};
use super::columns::Columns;
use super::encoder::Encoder;

/// Newest frame version that is read.
pub(super) const VERSION: u8 = 2;
/// Version of the kinds that every version knows: what can be read by older ones stays readable by them.
const VERSION_OF_FIRST_KINDS: u8 = 1;
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
    Clicks(Vec<Click>),
    Lost(Vec<LostDetail>),
    Reserved(u64),
    /// What was read from rings.
    Drained {
        clicks: Vec<Click>,
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

/// Appends frame number `index` of `clicks`.
pub(super) fn put_clicks(out: &mut Vec<u8>, index: u64, clicks: &[Click], encoder: &mut Encoder) {
    put(out, index, 1, &encoder.encode(clicks));
}

/// Appends frame number `index` of `lost` details, at most [`LOST_MAX`].
pub(super) fn put_lost(out: &mut Vec<u8>, index: u64, lost: &[LostDetail]) {
    let mut payload = Vec::with_capacity(lost.len() * 16 + 4);
    put_lost_details(&mut payload, lost);
    put(out, index, 2, &payload);
}

/// Appends frame number `index` of what was read from rings: at most `CLICKS_MAX` clicks, [`LOST_DRAINED_MAX`] lost
/// details and [`MARKS_MAX`] marks.
pub(super) fn put_drained(
    out: &mut Vec<u8>,
    index: u64,
    (clicks, lost): (&[Click], &[LostDetail]),
    marks: &[Mark],
    encoder: &mut Encoder,
) {
    let mut payload = Vec::new();
    put_number(&mut payload, marks.len() as u64);
    for mark in marks {
        payload.extend(mark.ring.to_le_bytes());
        put_number(&mut payload, mark.position);
    }
    put_lost_details(&mut payload, lost);
    if !clicks.is_empty() {
        payload.extend(encoder.encode(clicks));
    }
    put(out, index, DRAINED, &payload);
}

fn put_lost_details(payload: &mut Vec<u8>, lost: &[LostDetail]) {
    put_number(payload, lost.len() as u64);
    for detail in lost {
        put_signed(payload, detail.at.0);
        put_number(payload, u64::from(detail.workspace.0));
        put_number(payload, u64::from(detail.link.0));
        payload.extend([detail.class as u8, u8::from(detail.is_use)]);
        put_number(payload, u64::from(detail.count));
    }
}

/// Appends frame number `index`, which says that sequences below `up_to` were handed out.
pub(super) fn put_reserved(out: &mut Vec<u8>, index: u64, up_to: u64) {
    let mut payload = Vec::with_capacity(10);
    put_number(&mut payload, up_to);
    put(out, index, 3, &payload);
}

fn put(out: &mut Vec<u8>, index: u64, kind: u8, payload: &[u8]) {
    let start = out.len();
    out.extend_from_slice(&MARKER);
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    out.extend_from_slice(&index.to_le_bytes());
    let version = if kind == DRAINED {
        VERSION
    } else {
        VERSION_OF_FIRST_KINDS
    };
    out.extend([version, kind]);
    out.extend_from_slice(payload);
    let crc = crc32c::crc32c(&out[start + CHECKED_AT..]);
    out[start + CRC_AT..start + CHECKED_AT].copy_from_slice(&crc.to_le_bytes());
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
            DRAINED => marks(&mut Source(self.payload)),
            _ => Ok(Vec::new()),
        }
    }

    /// Reads the payload.
    pub(super) fn content(&self) -> Result<Content, Damaged> {
        match self.kind {
            1 => Columns::decode(self.payload).map(|columns| Content::Clicks(columns.clicks())),
            2 => lost(self.payload).map(Content::Lost),
            3 => Source(self.payload).number().map(Content::Reserved),
            DRAINED => drained(self.payload),
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
    let clicks = match source.0 {
        [] => Vec::new(),
        columns => Columns::decode(columns)?.clicks(),
    };
    Ok(Content::Drained { clicks, lost, marks })
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
        let clicks = vec![click(1, NOON, 2, 3)];
        put_clicks(&mut bytes, 5, &clicks, &mut Encoder::new());
        put_lost(&mut bytes, 6, &[lost_detail()]);
        put_reserved(&mut bytes, 7, u64::MAX);
        let marks = vec![
            Mark {
                ring: 1 << 63,
                position: u64::MAX,
            },
            Mark { ring: 7, position: 8 },
        ];
        put_drained(&mut bytes, 8, (&clicks, &[lost_detail()]), &marks, &mut Encoder::new());
        put_drained(&mut bytes, 9, (&[], &[]), &marks, &mut Encoder::new());
        let drained = |clicks, lost| Content::Drained {
            clicks,
            lost,
            marks: marks.clone(),
        };
        let mut rest = &bytes[..];
        for (index, version, content) in [
            (5, 1, Content::Clicks(clicks.clone())),
            (6, 1, Content::Lost(vec![lost_detail()])),
            (7, 1, Content::Reserved(u64::MAX)),
            (8, 2, drained(clicks, vec![lost_detail()])),
            (9, 2, drained(Vec::new(), Vec::new())),
        ] {
            let (frame, length) = RawFrame::read(rest).expect("a frame");
            let is_drained = matches!(content, Content::Drained { .. });
            assert_eq!(
                (frame.index, frame.version, frame.content()),
                (index, version, Ok(content))
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
            put_clicks(&mut bytes, 9, &clicks, &mut Encoder::new());
            let place = place.index(bytes.len());
            bytes[place] ^= 1 << bit;
            prop_assert!(RawFrame::read(&bytes).is_none());
            let good = bytes.len();
            put_reserved(&mut bytes, 10, 1);
            prop_assert_eq!(find_next(&bytes, 1), Some(good));
        }

        #[test]
        fn no_bytes_panic(kind in 0u8..6, payload: Vec<u8>) {
            prop_assert!(RawFrame::read(&payload).is_none());
            let mut bytes = Vec::new();
            put(&mut bytes, 1, kind, &payload);
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
