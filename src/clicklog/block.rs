//! Click blocks: the clicks of a checkpoint, cut so that each block is small, short in time and in one bucket.
//!
//! A block's body is clicks as in `columns`, sorted by instant, then sequence. Its value stays within
//! [`VALUE_MAX`], for sled writes large values to files that it never syncs.

use crate::domain::time::Timestamp;

use super::columns::CLICKS_MAX;
use super::encoder::Encoder;
use super::key::BlockKey;
use super::merge::{Block, Merged, Renumbers, Spot};
use super::value::seal;

/// Longest value of a block, in bytes.
pub(super) const VALUE_MAX: usize = 8 * 1024;
/// Longest time between a block's first and last click: bounds how far beside an instant a reader must look.
pub(super) const SPAN_MS: i64 = 60_000;
/// Version byte and checksum around a block's body.
const SEAL: usize = 5;
/// Clicks that the first block of a checkpoint is tried with; the next ones are tried with what fitted.
const FIRST_TRY: usize = 256;

/// Cuts the clicks of `merged` into blocks and hands each to `put` as key and value. `through` is the index of the last
/// journal frame in this checkpoint.
pub(super) fn cut(merged: &Merged<'_>, through: u64, encoder: &mut Encoder, mut put: impl FnMut([u8; 21], Vec<u8>)) {
    let mut ordinal = 0;
    let mut fits = FIRST_TRY;
    let renumbers = encoder.room.renumbers();
    let mut cutting = Cutting {
        merged,
        encoder,
        renumbers,
        tries: 0,
    };
    let mut rest = &merged.spots[..];
    while let Some(first) = rest.first() {
        let together = rest.partition_point(|spot| belongs(spot.at, first.at));
        let (length, body) = cutting.encode_fitting(&rest[..together], &mut fits);
        let key = BlockKey {
            last_at: rest[length - 1].at,
            through,
            ordinal,
        };
        let key = key.bytes();
        put(key, seal(&key, &body));
        ordinal += 1;
        rest = &rest[length..];
    }
    let Cutting { encoder, renumbers, .. } = cutting;
    encoder.room.take_renumbers_back(renumbers);
}

fn belongs(at: Timestamp, first: Timestamp) -> bool {
    at.bucket() == first.bucket() && at.since(first) <= SPAN_MS
}

struct Cutting<'m, 'f> {
    merged: &'m Merged<'f>,
    encoder: &'m mut Encoder,
    renumbers: Renumbers,
    /// Blocks that were tried.
    tries: u32,
}

impl Cutting<'_, '_> {
    /// Encodes as many of `spots` from the front as fit a block, starting with `fits` and correcting that.
    fn encode_fitting(&mut self, spots: &[Spot], fits: &mut usize) -> (usize, Vec<u8>) {
        loop {
            let length = spots.len().min(*fits).min(CLICKS_MAX);
            self.tries += 1;
            let body = self.encoder.encode_rows(&mut Block {
                merged: self.merged,
                spots: &spots[..length],
                number: self.tries,
                renumbers: &mut self.renumbers,
            });
            // One click always fits: the log cuts its texts when it is appended.
            if body.len() + SEAL > VALUE_MAX && length > 1 {
                *fits = (length * VALUE_MAX * 7 / 8 / body.len()).clamp(1, length - 1);
                continue;
            }
            if length == *fits {
                // Aim at 15/16 of a block: a second try costs more than a little room.
                *fits = (length * VALUE_MAX * 15 / 16 / body.len()).clamp(length / 2 + 1, length * 4);
            }
            return (length, body);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clicklog::columns::Columns;
    use crate::clicklog::samples::{NOON, any_click, click};
    use crate::clicklog::value::unseal;
    use crate::domain::click::Click;
    use proptest::prelude::*;

    fn cut_all(clicks: &[Click]) -> Vec<(BlockKey, usize, Vec<Click>)> {
        let mut blocks = Vec::new();
        // As several frames, each with numbers of its own.
        let frames: Vec<Columns> = clicks.chunks(clicks.len() / 3 + 1).map(Columns::of).collect();
        let merged = Merged::of(frames.iter().collect());
        cut(&merged, 7, &mut Encoder::new(), |key, value| {
            let body = unseal(&key, &value).expect("sealed");
            let clicks = Columns::decode(body).expect("own bytes").clicks();
            blocks.push((BlockKey::read(&key).expect("own key"), value.len(), clicks));
        });
        blocks
    }

    proptest! {
        #[test]
        fn room_that_was_used_before_leaves_no_trace(
            before in proptest::collection::vec(any_click(), 1..60),
            clicks in proptest::collection::vec(any_click(), 1..60),
        ) {
            let cut_with = |encoder: &mut Encoder, clicks: &[Click]| {
                let frames: Vec<Columns> = clicks.chunks(clicks.len() / 3 + 1).map(Columns::of).collect();
                let merged = Merged::within(&mut encoder.room, frames.iter().collect());
                let mut blocks = Vec::new();
                cut(&merged, 1, encoder, |key, value| blocks.push((key, value)));
                merged.leave(&mut encoder.room);
                blocks
            };
            let mut used = Encoder::new();
            cut_with(&mut used, &before);
            prop_assert_eq!(cut_with(&mut used, &clicks), cut_with(&mut Encoder::new(), &clicks));
        }
    }

    proptest! {
        #[test]
        fn no_click_is_lost_and_no_block_too_large(clicks in proptest::collection::vec(any_click(), 0..200), near: bool) {
            let clicks: Vec<Click> = clicks
                .into_iter()
                .map(|click| Click { at: if near { NOON.plus_ms(click.at.0 % 100_000) } else { click.at }, ..click })
                .collect();
            let blocks = cut_all(&clicks);
            let mut expected = clicks;
            expected.sort_by_key(|click| (click.at, click.sequence));
            let mut found = Vec::new();
            for (_, length, clicks) in &blocks {
                prop_assert!(*length <= VALUE_MAX);
                prop_assert!(clicks.iter().all(|click| belongs(click.at, clicks[0].at)));
                found.extend(clicks.iter().cloned());
            }
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn blocks_fill_up() {
        let clicks: Vec<Click> = (0..20_000u64)
            .map(|n| {
                click(
                    n,
                    NOON.plus_ms(n as i64 / 10),
                    n as u32 % 40,
                    n.wrapping_mul(0x9e37_79b9_7f4a_7c15),
                )
            })
            .collect();
        let blocks = cut_all(&clicks);
        let average = blocks.iter().map(|(_, length, _)| length).sum::<usize>() / blocks.len();
        assert!(average > VALUE_MAX * 3 / 4, "{average} bytes a block");
        assert_eq!(blocks[0].0.through, 7);
    }
}
