//! Writes clicks as columns; the layout stands at the head of `columns`. Never fails: without zstd columns stay plain.

use std::sync::Arc;

use crate::domain::click::{ClickFlags, Tapped};
use crate::domain::time::Timestamp;
use crate::domain::user_agent::UserAgent;
use crate::domain::visitor::Touch;

use super::bytes::{put_number, put_signed, put_text};
use super::columns::{CLICKS_MAX, Columns, Mark, PLAIN, Place, VERSION_BARE, VERSION_PLACED, ZSTD};
use super::merge::Room;

/// Clicks in the order in which they are written.
pub(super) trait Rows {
    fn count(&self) -> usize;
    fn at(&self, row: usize) -> Timestamp;
    fn sequence(&self, row: usize) -> u64;
    fn visitor(&self, row: usize) -> u64;
    fn flags(&self, row: usize) -> ClickFlags;
    fn journey(&self, row: usize) -> &[Touch];
    fn tapped(&self, row: usize) -> Option<Tapped>;
    /// Appends the dictionary columns; whether localities are among them.
    fn put_dictionaries(&mut self, out: &mut Vec<u8>) -> bool;
}

/// All clicks of some columns.
struct Whole<'a>(&'a Columns);

impl Rows for Whole<'_> {
    fn count(&self) -> usize {
        self.0.at.len()
    }

    fn at(&self, row: usize) -> Timestamp {
        self.0.at[row]
    }

    fn sequence(&self, row: usize) -> u64 {
        self.0.sequence[row]
    }

    fn visitor(&self, row: usize) -> u64 {
        self.0.visitor[row]
    }

    fn flags(&self, row: usize) -> ClickFlags {
        self.0.mark.get(row).flags
    }

    fn journey(&self, row: usize) -> &[Touch] {
        self.0.journey(row)
    }

    fn tapped(&self, row: usize) -> Option<Tapped> {
        self.0.tapped(row)
    }

    fn put_dictionaries(&mut self, out: &mut Vec<u8>) -> bool {
        let columns = self.0;
        columns.place.put(out, put_place);
        columns.mark.put(out, put_mark);
        columns.country.put(out, put_country);
        columns.user_agent.put(out, put_agent);
        columns.language.put(out, put_shared);
        columns.referrer.put(out, put_shared);
        columns.utm.put(out, put_utm);
        let is_placed = columns.locality.values.iter().any(|text| !text.is_empty());
        if is_placed {
            columns.locality.put(out, put_shared);
        }
        is_placed
    }
}

pub(super) fn put_place(out: &mut Vec<u8>, place: &Place) {
    for number in [place.workspace.0, place.domain.0, place.link.0] {
        put_number(out, u64::from(number));
    }
}

pub(super) fn put_mark(out: &mut Vec<u8>, mark: &Mark) {
    put_number(out, u64::from(mark.flags.0));
    out.extend([mark.outcome as u8, mark.variant]);
}

pub(super) fn put_country(out: &mut Vec<u8>, country: &[u8; 2]) {
    out.extend(country);
}

pub(super) fn put_agent(out: &mut Vec<u8>, agent: &UserAgent) {
    out.extend(agent.codes());
}

pub(super) fn put_shared(out: &mut Vec<u8>, text: &Arc<str>) {
    put_text(out, text);
}

pub(super) fn put_utm(out: &mut Vec<u8>, texts: &Arc<[Box<str>; 5]>) {
    texts.iter().for_each(|text| put_text(out, text));
}

/// Encodes clicks; keeps its buffers from one call to the next.
pub(super) struct Encoder {
    /// `None` when zstd has no memory for its context: columns stay plain then.
    packer: Option<zstd::bulk::Compressor<'static>>,
    columns: Vec<u8>,
    packed: Vec<u8>,
    /// Of merges, which blocks are cut from.
    pub(super) room: Room,
}

impl Encoder {
    pub(super) fn new() -> Self {
        Self {
            packer: zstd::bulk::Compressor::new(1).ok(),
            columns: Vec::new(),
            packed: Vec::new(),
            room: Room::default(),
        }
    }

    /// The bytes of all of `columns`, which hold 1 to [`CLICKS_MAX`] clicks.
    pub(super) fn encode(&mut self, columns: &Columns) -> Vec<u8> {
        self.encode_rows(&mut Whole(columns))
    }

    /// The bytes of `rows`, of which there are 1 to [`CLICKS_MAX`].
    pub(super) fn encode_rows(&mut self, rows: &mut impl Rows) -> Vec<u8> {
        let mut out = Vec::new();
        self.put_rows(&mut out, rows);
        out
    }

    /// Appends the bytes of all of `columns`, which hold 1 to [`CLICKS_MAX`] clicks.
    pub(super) fn put(&mut self, out: &mut Vec<u8>, columns: &Columns) {
        self.put_rows(out, &mut Whole(columns));
    }

    fn put_rows(&mut self, out: &mut Vec<u8>, rows: &mut impl Rows) {
        let count = rows.count();
        debug_assert!((1..=CLICKS_MAX).contains(&count));
        let (first_at, last_at) = ends((0..count).map(|row| rows.at(row).0));
        let (first_sequence, last_sequence) = ends((0..count).map(|row| rows.sequence(row)));
        self.columns.clear();
        let is_placed = put_columns(&mut self.columns, rows, first_at, first_sequence);
        let (packing, columns) = match self.pack() {
            true => (ZSTD, &self.packed),
            false => (PLAIN, &self.columns),
        };
        out.reserve(columns.len() + count * 8 + 64);
        out.extend([if is_placed { VERSION_PLACED } else { VERSION_BARE }, packing]);
        put_number(out, count as u64);
        put_signed(out, first_at);
        put_number(out, last_at.wrapping_sub(first_at) as u64);
        put_number(out, first_sequence);
        put_number(out, last_sequence - first_sequence);
        put_number(out, self.columns.len() as u64);
        put_number(out, columns.len() as u64);
        out.extend_from_slice(columns);
        for visitor in (0..count).map(|row| rows.visitor(row)).filter(|visitor| *visitor != 0) {
            out.extend_from_slice(&visitor.to_le_bytes());
        }
    }

    /// Packs the columns; whether that made them shorter.
    fn pack(&mut self) -> bool {
        let Some(packer) = &mut self.packer else { return false };
        self.packed.clear();
        self.packed.reserve(zstd::zstd_safe::compress_bound(self.columns.len()));
        let packed = packer.compress_to_buffer(&self.columns, &mut self.packed);
        packed.is_ok() && self.packed.len() < self.columns.len()
    }
}

fn ends<T: Ord + Copy + Default>(values: impl Iterator<Item = T> + Clone) -> (T, T) {
    (
        values.clone().min().unwrap_or_default(),
        values.max().unwrap_or_default(),
    )
}

/// Appends the columns of `rows`; whether localities are among them.
fn put_columns(out: &mut Vec<u8>, rows: &mut impl Rows, first_at: i64, first_sequence: u64) -> bool {
    let count = rows.count();
    let mut before = first_at;
    for row in 0..count {
        let at = rows.at(row).0;
        put_signed(out, at.wrapping_sub(before));
        before = at;
    }
    let mut before = first_sequence;
    for row in 0..count {
        let sequence = rows.sequence(row);
        put_signed(out, sequence.wrapping_sub(before) as i64);
        before = sequence;
    }
    let is_placed = rows.put_dictionaries(out);
    for first in (0..count).step_by(8) {
        let group = first..count.min(first + 8);
        out.push(group.fold(0, |byte, row| byte | u8::from(rows.visitor(row) != 0) << (row - first)));
    }
    for row in 0..count {
        let journey = rows.journey(row);
        put_number(out, journey.len() as u64);
        for touch in journey {
            put_number(out, u64::from(touch.link.0));
            put_signed(out, rows.at(row).seconds() - i64::from(touch.seconds));
        }
    }
    for row in (0..count).filter(|row| rows.flags(*row).has(ClickFlags::TAP)) {
        let (sequence, at) = (rows.sequence(row), rows.at(row));
        let tapped = rows.tapped(row).unwrap_or(Tapped { sequence, at });
        put_signed(out, sequence.wrapping_sub(tapped.sequence) as i64);
        put_signed(out, at.0.wrapping_sub(tapped.at.0));
    }
    is_placed
}
