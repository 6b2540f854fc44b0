//! A journal frame: the unit that is written, checked and replayed as a whole.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 4 | marker `C1 1C 4B 0F`: where a reader looks for the next frame after a damaged one |
//! | 4 | 4 | CRC32C of everything from offset 8 to the end of the payload, little endian |
//! | 8 | 4 | length of the payload, little endian, at most [`PAYLOAD_MAX`] |
//! | 12 | 8 | frame index, little endian: grows by one from frame to frame, across segments |
//! | 20 | 1 | version, 2; 1 is read as well |
//! | 21 | 1 | kind: 1 clicks, 2 lost details, 3 reservation |
//! | 22 | … | payload; in version 2 it begins with the past, as in `trail` |
//!
//! Payloads: *clicks* as in `columns`; *lost details* = count, then for each: signed ms, workspace, link, class byte,
//! use byte (0 or 1), count; *reservation* = the first sequence number that was not handed out, a number.

use crate::domain::click::{Click, ClickClass, LostDetail};
use crate::domain::id::{LinkNo, WorkspaceNo};
use crate::domain::time::Timestamp;

use super::bytes::{Damaged, Source, put_number, put_signed};
use super::columns::{Columns, Header};
use super::encoder::Encoder;
use super::trail::{Past, Trail, united};

/// Newest frame version that is read, and the one that is written.
pub(super) const VERSION: u8 = 2;
/// Most lost details in one frame.
pub(super) const LOST_MAX: usize = 4096;
/// Longest payload: more than the longest clicks that the encoder makes.
const PAYLOAD_MAX: usize = 32 << 20;
const MARKER: [u8; 4] = [0xc1, 0x1c, 0x4b, 0x0f];
const CRC_AT: usize = 4;
const CHECKED_AT: usize = 8;
const HEAD: usize = 22;

/// What a frame says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    Clicks(Vec<Click>),
    Lost(Vec<LostDetail>),
    Reserved(u64),
}

/// Appends frame number `index` of `clicks` and adds it to `trail`.
pub(super) fn put_clicks(out: &mut Vec<u8>, index: u64, clicks: &[Click], encoder: &mut Encoder, trail: &mut Trail) {
    put(out, index, 1, &trail.past(), &encoder.encode(clicks));
    let runs = united(clicks.iter().map(|click| (click.sequence, click.sequence)).collect());
    trail.count(clicks.len() as u64, 0, runs);
}

/// Appends frame number `index` of `lost` details, at most [`LOST_MAX`], and adds it to `trail`.
pub(super) fn put_lost(out: &mut Vec<u8>, index: u64, lost: &[LostDetail], trail: &mut Trail) {
    let mut payload = Vec::with_capacity(lost.len() * 16 + 4);
    put_number(&mut payload, lost.len() as u64);
    for detail in lost {
        put_signed(&mut payload, detail.at.0);
        put_number(&mut payload, u64::from(detail.workspace.0));
        put_number(&mut payload, u64::from(detail.link.0));
        payload.extend([detail.class as u8, u8::from(detail.is_use)]);
        put_number(&mut payload, u64::from(detail.count));
    }
    put(out, index, 2, &trail.past(), &payload);
    trail.count(0, lost.iter().map(|lost| u64::from(lost.count)).sum(), Vec::new());
}

/// Appends frame number `index`, which says that sequences below `up_to` were handed out, and adds it to `trail`.
pub(super) fn put_reserved(out: &mut Vec<u8>, index: u64, up_to: u64, trail: &mut Trail) {
    let mut payload = Vec::with_capacity(10);
    put_number(&mut payload, up_to);
    put(out, index, 3, &trail.past(), &payload);
    trail.count(0, 0, Vec::new());
}

fn put(out: &mut Vec<u8>, index: u64, kind: u8, past: &Past, payload: &[u8]) {
    let start = out.len();
    out.extend_from_slice(&MARKER);
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(&index.to_le_bytes());
    out.extend([VERSION, kind]);
    past.put(out);
    out.extend_from_slice(payload);
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

    /// What it says of the frames before it; `None` in version 1.
    pub(super) fn past(&self) -> Result<Option<Past>, Damaged> {
        match self.version {
            0 | 1 => Ok(None),
            _ => Past::read(&mut Source(self.payload)).map(Some),
        }
    }

    /// First sequence number above all that it says were handed out; reads no column.
    pub(super) fn used(&self) -> Result<u64, Damaged> {
        let mut source = Source(self.payload);
        if self.version > 1 {
            Past::read(&mut source)?;
        }
        match self.kind {
            1 => Header::read(&mut source).map(|header| header.last_sequence.saturating_add(1)),
            3 => source.number(),
            _ => Ok(0),
        }
    }

    /// Reads the payload.
    pub(super) fn content(&self) -> Result<Content, Damaged> {
        let mut source = Source(self.payload);
        if self.version > 1 {
            Past::read(&mut source)?;
        }
        match self.kind {
            1 => Columns::decode(source.0).map(|columns| Content::Clicks(columns.clicks())),
            2 => lost(source.0).map(Content::Lost),
            3 => source.number().map(Content::Reserved),
            _ => Err(Damaged("a frame has an unknown kind")),
        }
    }
}

fn lost(payload: &[u8]) -> Result<Vec<LostDetail>, Damaged> {
    let mut source = Source(payload);
    let count = source.count(LOST_MAX)?;
    let lost = (0..count).map(|_| lost_detail(&mut source)).collect::<Result<_, _>>()?;
    source.end()?;
    Ok(lost)
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
        let mut trail = Trail::default();
        put_clicks(&mut bytes, 5, &clicks, &mut Encoder::new(), &mut trail);
        put_lost(&mut bytes, 6, &[lost_detail()], &mut trail);
        put_reserved(&mut bytes, 7, u64::MAX, &mut trail);
        let mut rest = &bytes[..];
        for (index, content) in [
            (5, Content::Clicks(clicks)),
            (6, Content::Lost(vec![lost_detail()])),
            (7, Content::Reserved(u64::MAX)),
        ] {
            let (frame, length) = RawFrame::read(rest).expect("a frame");
            assert_eq!((frame.index, frame.content()), (index, Ok(content)));
            rest = &rest[length..];
        }
        assert!(rest.is_empty());
    }

    proptest! {
        #[test]
        fn one_flipped_bit_is_noticed(clicks in proptest::collection::vec(any_click(), 1..9), place: prop::sample::Index, bit in 0u8..8) {
            let mut bytes = Vec::new();
            put_clicks(&mut bytes, 9, &clicks, &mut Encoder::new(), &mut Trail::default());
            let place = place.index(bytes.len());
            bytes[place] ^= 1 << bit;
            prop_assert!(RawFrame::read(&bytes).is_none());
            let good = bytes.len();
            put_reserved(&mut bytes, 10, 1, &mut Trail::default());
            prop_assert_eq!(find_next(&bytes, 1), Some(good));
        }

        #[test]
        fn no_bytes_panic(kind in 0u8..5, payload: Vec<u8>) {
            prop_assert!(RawFrame::read(&payload).is_none());
            let mut bytes = Vec::new();
            put(&mut bytes, 1, kind, &Past::default(), &payload);
            let (frame, _) = RawFrame::read(&bytes).expect("sealed just now");
            if let Ok(Content::Lost(lost)) = frame.content() {
                prop_assert!(lost.len() <= payload.len());
            }
        }
    }
}
