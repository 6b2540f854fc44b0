//! Sketches of a link's visitors on one UTC day: how many there were, to about 2 %, in at most 3.1 KiB.
//!
//! The body of a sketch's value is an Apache DataSketches HLL image (2^12 registers of 6 bits; up to about 380
//! visitors it holds them one by one and errs by less than 0.01 %). Only [`ClickClass::Human`] clicks of a visitor
//! enter it. Adding a visitor twice changes nothing, so a sketch needs no watermark.

use std::hash::{Hash, Hasher};

use datasketches::hll::{Coupon, HllSketch, HllType, HllUnion};

use crate::domain::click::{ClickClass, ClickFlags};

use super::bytes::Damaged;

const REGISTERS_LOG2: u8 = 12;
/// What an image of notes begins with: its version, the family of HLL, the way of a table of notes of six-bit registers,
/// without the table's empty places.
const NOTES_HEAD: [u8; 8] = [3, 1, 7, REGISTERS_LOG2, NOTES_LOG2, 8, 0, 1 | 1 << 2];
/// Room of that table, and how many notes are read at once, so that it never is full.
const NOTES_LOG2: u8 = 9;
pub(super) const NOTES_AT_ONCE: usize = 1 << 8;
/// Odd, so that notes stay different; brings the lowest bits, which say least, to the top.
const MIX: u32 = 0x9e37_79b1;

/// What a sketch of few visitors notes of `visitor`: 26 bits of a hash, and in how many zeros another part of it begins.
pub(super) fn note(visitor: u64) -> u32 {
    let mut raw = Raw(0);
    Coupon::from_value(visitor).hash(&mut raw);
    raw.0
}

/// Takes the number out of a note.
struct Raw(u32);

impl Hasher for Raw {
    fn write(&mut self, bytes: &[u8]) {
        let number = bytes.try_into().map_or(0, u32::from_ne_bytes);
        self.write_u32(number);
    }

    fn write_u32(&mut self, number: u32) {
        self.0 = number;
    }

    fn finish(&self) -> u64 {
        u64::from(self.0)
    }
}

/// Whether a click with these flags by `visitor` enters its day's sketch.
pub(super) fn counts(flags: ClickFlags, visitor: u64) -> bool {
    visitor != 0 && flags.class() == ClickClass::Human
}

/// The visitors of one link and day.
pub(super) struct Sketch(HllSketch);

impl Sketch {
    pub(super) fn new() -> Result<Self, Damaged> {
        let sketch = HllSketch::new(REGISTERS_LOG2, HllType::Hll6);
        sketch.map(Self).map_err(|_| Damaged("a sketch cannot be made"))
    }

    pub(super) fn read(body: &[u8]) -> Result<Self, Damaged> {
        let sketch = HllSketch::deserialize(body).map_err(|_| Damaged("a sketch does not read"))?;
        if sketch.lg_config_k() != REGISTERS_LOG2 {
            return Err(Damaged("a sketch has another size"));
        }
        Ok(Self(sketch))
    }

    pub(super) fn body(&self) -> Vec<u8> {
        self.0.serialize()
    }

    pub(super) fn add(&mut self, visitor: u64) {
        self.0.update(visitor);
    }
}

/// Visitors of many sketches together, each counted once.
pub(super) struct Visitors(HllUnion);

impl Visitors {
    pub(super) fn new() -> Result<Self, Damaged> {
        let union = HllUnion::new(REGISTERS_LOG2);
        union.map(Self).map_err(|_| Damaged("a union cannot be made"))
    }

    pub(super) fn add_all(&mut self, sketch: &Sketch) {
        self.0.update(&sketch.0);
    }

    /// Adds those of whom `notes` tell, and empties it. In an order that has nothing to do with what they say: the estimate
    /// takes visitors to come as it pleases them, and would be far too high if rare notes came last.
    pub(super) fn add_notes(&mut self, notes: &mut Vec<u32>) -> Result<(), Damaged> {
        notes.sort_unstable_by_key(|note| note.wrapping_mul(MIX));
        notes.dedup();
        for some in notes.chunks(NOTES_AT_ONCE) {
            let mut image = NOTES_HEAD.to_vec();
            image.extend_from_slice(&(some.len() as u32).to_le_bytes());
            some.iter()
                .for_each(|note| image.extend_from_slice(&note.to_le_bytes()));
            self.add_all(&Sketch::read(&image)?);
        }
        notes.clear();
        Ok(())
    }

    pub(super) fn unite(&mut self, others: &Visitors) {
        self.0.update(&others.0.to_sketch(HllType::Hll8));
    }

    pub(super) fn add(&mut self, visitor: u64) {
        self.0.update_value(visitor);
    }

    pub(super) fn count(&self) -> u64 {
        // The estimate is finite and not negative; `as` saturates if it ever were not.
        self.0.estimate().round() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clicklog::block::VALUE_MAX;
    use proptest::prelude::*;

    #[test]
    fn sketches_round_trip_stay_small_and_unite() {
        let mut visitors = Visitors::new().expect("made");
        for day in 0..3u64 {
            let mut sketch = Sketch::new().expect("made");
            for n in 0..50_000u64 {
                sketch.add((n + day * 25_000).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            }
            let body = sketch.body();
            assert!(body.len() <= VALUE_MAX / 2, "{}", body.len());
            visitors.add_all(&Sketch::read(&body).expect("own bytes"));
        }
        let count = visitors.count();
        assert!((95_000..105_000).contains(&count), "{count}");
    }

    #[test]
    fn notes_count_as_their_visitors_do() {
        for count in [1u64, 7, 30, 300, 5_000] {
            let (mut told, mut noted) = (Visitors::new().expect("made"), Visitors::new().expect("made"));
            let mut sketch = Sketch::new().expect("made");
            let visitors = || (1..=count).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let mut notes = Vec::new();
            for visitor in visitors() {
                sketch.add(visitor);
                notes.extend([note(visitor), note(visitor)]);
            }
            if count == 1 {
                assert_eq!(sketch.body().last_chunk(), Some(&notes[0].to_le_bytes()));
            }
            told.add_all(&sketch);
            noted.add_notes(&mut notes).expect("own notes");
            // Beyond some hundred it is estimated, in one of two ways.
            assert!(told.count().abs_diff(noted.count()) * 30 <= count, "{count}");
            let before = noted.count();
            visitors().for_each(|visitor| noted.add(visitor));
            assert_eq!(noted.count(), before, "the same visitors");
        }
    }

    #[test]
    fn few_visitors_are_counted_exactly() {
        let mut visitors = Visitors::new().expect("made");
        for n in 0..200 {
            visitors.add(n % 100 + 1);
        }
        assert_eq!(visitors.count(), 100);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(visitors in proptest::collection::vec(any::<u64>(), 0..600), place: prop::sample::Index, byte: u8) {
            let mut sketch = Sketch::new().expect("made");
            visitors.iter().for_each(|visitor| sketch.add(*visitor));
            let mut body = sketch.body();
            let place = place.index(body.len());
            body[place] = byte;
            let known = Sketch::read(&body).is_ok();
            prop_assert!(known || body != sketch.body());
            prop_assert!(Sketch::read(&body[..place.min(7)]).is_err());
        }
    }
}
