//! Keys of the one sled tree: a kind byte, then big-endian numbers, so that a range of time is a range of keys.
//!
//! | kind | key after it | value (see `value`, `block`, `sketch`, `facets`, `history`, `erasure`, `day`, `total_page`, `sheet`) |
//! |---|---|---|
//! | 0 | - | meta |
//! | 1 | bucket 4, ms within the bucket of the latest click 4, frame index 8, ordinal 4 | block of clicks |
//! | 2 | workspace 4, link 4, bucket 4 | roll-up of the link: clicks without details, and all clicks of before days were written |
//! | 3 | workspace 4, bucket 4 | roll-up of the workspace |
//! | 4 | link 4 | total of the link: clicks without details, and all clicks of before pages were written |
//! | 5 | workspace 4, link 4, UTC day 4 | sketch of the visitors |
//! | 6 | index of the first missing frame 8 | gap (see `gap`) |
//! | 7 | workspace 4, link 4, UTC day 4 | facets of the link |
//! | 8 | workspace 4, UTC hour 4 | facets of the workspace |
//! | 9 | - | history: what facets and clicks can still tell; missing in stores of before it |
//! | 10 | workspace 4, ms since 1970 8 | erasure |
//! | 11 | workspace 4, link 4, UTC day 4 | quarter hours of the link's day |
//! | 12 | link / 64, 4 | totals of 64 neighbouring links: clicks with details |
//! | 13 | workspace 4, UTC day 4, frame index 8, first link 4 | sheet of links' days with few clicks |
//! | 255 | - | nothing; a backup is being loaded |
//!
//! A bucket is a quarter of an hour since 1970; instants before that are in bucket 0. The frame index of a block is
//! that of the last journal frame in its checkpoint; the ordinal tells blocks of one checkpoint apart. That of a sheet is
//! the last frame in the writing that made it.

use crate::domain::id::{LinkNo, WorkspaceNo};
use crate::domain::time::Timestamp;

use super::bytes::{Damaged, Source};

pub(super) const META: [u8; 1] = [0];
const BLOCK: u8 = 1;
const LINK_ROLLUP: u8 = 2;
const WORKSPACE_ROLLUP: u8 = 3;
const TOTAL: u8 = 4;
const SKETCH: u8 = 5;
const LINK_FACETS: u8 = 7;
const WORKSPACE_FACETS: u8 = 8;
pub(super) const HISTORY: [u8; 1] = [9];
const ERASURE: u8 = 10;
const LINK_DAY: u8 = 11;
const TOTAL_PAGE: u8 = 12;
const SHEET: u8 = 13;
const GAP: u8 = 6;
const LOADING: u8 = 255;
/// Stands in a store while a backup is being loaded into it: one that was cut short is never mistaken for a whole one.
pub(super) const IS_LOADING: [u8; 1] = [LOADING];

/// Where a block lies. Its latest click leads, so that reading newest first meets blocks in the order of their ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BlockKey {
    pub(super) last_at: Timestamp,
    pub(super) through: u64,
    pub(super) ordinal: u32,
}

impl BlockKey {
    pub(super) fn bytes(&self) -> [u8; 21] {
        let bucket = self.last_at.bucket();
        let within = self.last_at.since(Timestamp::of_bucket(bucket)).max(0);
        let within = u32::try_from(within).unwrap_or(u32::MAX);
        let mut key = [BLOCK; 21];
        key[1..5].copy_from_slice(&bucket.to_be_bytes());
        key[5..9].copy_from_slice(&within.to_be_bytes());
        key[9..17].copy_from_slice(&self.through.to_be_bytes());
        key[17..].copy_from_slice(&self.ordinal.to_be_bytes());
        key
    }

    pub(super) fn read(key: &[u8]) -> Result<Self, Damaged> {
        let mut source = Source(key);
        if source.byte()? != BLOCK {
            return Err(Damaged("a key is not a block's"));
        }
        let bucket = u32::from_be_bytes(source.array()?);
        let within = u32::from_be_bytes(source.array()?);
        Ok(Self {
            last_at: Timestamp::of_bucket(bucket).plus_ms(i64::from(within)),
            through: u64::from_be_bytes(source.array()?),
            ordinal: u32::from_be_bytes(source.array()?),
        })
    }

    /// Lowest key of blocks that end at `at` or later.
    pub(super) fn lowest(at: Timestamp) -> [u8; 21] {
        Self {
            last_at: at,
            through: 0,
            ordinal: 0,
        }
        .bytes()
    }

    /// Highest key of blocks that end at `at` or earlier.
    pub(super) fn highest(at: Timestamp) -> [u8; 21] {
        Self {
            last_at: at,
            through: u64::MAX,
            ordinal: u32::MAX,
        }
        .bytes()
    }
}

fn key<const N: usize>(kind: u8, numbers: &[u32]) -> [u8; N] {
    let mut key = [kind; N];
    for (place, number) in key[1..].chunks_exact_mut(4).zip(numbers) {
        place.copy_from_slice(&number.to_be_bytes());
    }
    key
}

pub(super) fn link_rollup(workspace: WorkspaceNo, link: LinkNo, bucket: u32) -> [u8; 13] {
    key(LINK_ROLLUP, &[workspace.0, link.0, bucket])
}

pub(super) fn workspace_rollup(workspace: WorkspaceNo, bucket: u32) -> [u8; 9] {
    key(WORKSPACE_ROLLUP, &[workspace.0, bucket])
}

pub(super) fn total(link: LinkNo) -> [u8; 5] {
    key(TOTAL, &[link.0])
}

pub(super) fn sketch(workspace: WorkspaceNo, link: LinkNo, day: u32) -> [u8; 13] {
    key(SKETCH, &[workspace.0, link.0, day])
}

pub(super) fn link_facets(workspace: WorkspaceNo, link: LinkNo, day: u32) -> [u8; 13] {
    key(LINK_FACETS, &[workspace.0, link.0, day])
}

pub(super) fn workspace_facets(workspace: WorkspaceNo, hour: u32) -> [u8; 9] {
    key(WORKSPACE_FACETS, &[workspace.0, hour])
}

pub(super) fn link_day(workspace: WorkspaceNo, link: LinkNo, day: u32) -> [u8; 13] {
    key(LINK_DAY, &[workspace.0, link.0, day])
}

/// Number `page` of those that `total_page` tells of.
pub(super) fn total_page(page: u32) -> [u8; 5] {
    key(TOTAL_PAGE, &[page])
}

pub(super) fn sheet(workspace: WorkspaceNo, day: u32, through: u64, first: LinkNo) -> [u8; 21] {
    let (high, low) = ((through >> 32) as u32, through as u32);
    key(SHEET, &[workspace.0, day, high, low, first.0])
}

/// Day, frame index and first link of the sheet under `key`.
pub(super) fn of_sheet(key: &[u8]) -> (u32, u64, LinkNo) {
    let through = u64::from(number(key, 2)) << 32 | u64::from(number(key, 3));
    (number(key, 1), through, LinkNo(number(key, 4)))
}

/// `ms` is not negative.
pub(super) fn erasure(workspace: WorkspaceNo, ms: u64) -> [u8; 13] {
    key(ERASURE, &[workspace.0, (ms >> 32) as u32, ms as u32])
}

pub(super) fn gap(first_frame: u64) -> [u8; 9] {
    let mut key = [GAP; 9];
    key[1..].copy_from_slice(&first_frame.to_be_bytes());
    key
}

/// Whether the value under `key` is a link's total.
pub(super) fn is_total(key: &[u8]) -> bool {
    key.first() == Some(&TOTAL)
}

/// Whether the value under `key` is a link's roll-up of a quarter hour.
pub(super) fn is_link_rollup(key: &[u8]) -> bool {
    key.first() == Some(&LINK_ROLLUP)
}

/// Which part of a backup the value under `key` belongs to: what changes together lies together, so that old parts stay
/// as they are. Blocks by UTC day, roll-ups and sketches by 30 days.
pub(super) fn part(key: &[u8]) -> String {
    const BUCKETS_A_DAY: u32 = 96;
    const HOURS_A_DAY: u32 = 24;
    const DAYS: u32 = 30;
    match key.first().copied().unwrap_or_default() {
        BLOCK => format!("blocks-{:06}", number(key, 0) / BUCKETS_A_DAY),
        LINK_ROLLUP => format!("links-{:04}", number(key, 2) / BUCKETS_A_DAY / DAYS),
        WORKSPACE_ROLLUP => format!("workspaces-{:04}", number(key, 1) / BUCKETS_A_DAY / DAYS),
        TOTAL => "totals".to_owned(),
        SKETCH => format!("visitors-{:04}", number(key, 2) / DAYS),
        GAP => "gaps".to_owned(),
        LINK_FACETS => format!("facets-{:04}", number(key, 2) / DAYS),
        WORKSPACE_FACETS => format!("hours-{:04}", number(key, 1) / HOURS_A_DAY / DAYS),
        kind if kind == HISTORY[0] => "history".to_owned(),
        ERASURE => "erasures".to_owned(),
        LINK_DAY => format!("days-{:04}", number(key, 2) / DAYS),
        TOTAL_PAGE => "pages".to_owned(),
        SHEET => format!("sheets-{:04}", number(key, 1) / DAYS),
        kind => format!("kind-{kind:03}"),
    }
}

/// First and last key that can belong to the part `name`.
pub(super) fn range_of_part(name: &str) -> (Vec<u8>, Vec<u8>) {
    if let Some(day) = name.strip_prefix("blocks-").and_then(|day| day.parse::<u32>().ok()) {
        let first = (u64::from(day) * 96).min(u64::from(u32::MAX)) as u32;
        let last = first.saturating_add(95);
        let key = |bucket: u32, fill: u8| [&[BLOCK][..], &bucket.to_be_bytes(), &[fill; 16]].concat();
        return (key(first, 0), key(last, u8::MAX));
    }
    let kind = match name.split('-').next().unwrap_or(name) {
        "links" => LINK_ROLLUP,
        "workspaces" => WORKSPACE_ROLLUP,
        "totals" => TOTAL,
        "visitors" => SKETCH,
        "gaps" => GAP,
        "facets" => LINK_FACETS,
        "hours" => WORKSPACE_FACETS,
        "history" => HISTORY[0],
        "erasures" => ERASURE,
        "days" => LINK_DAY,
        "pages" => TOTAL_PAGE,
        "sheets" => SHEET,
        _ => name
            .strip_prefix("kind-")
            .and_then(|kind| kind.parse().ok())
            .unwrap_or(u8::MAX),
    };
    (vec![kind], [&[kind][..], &[u8::MAX; 24]].concat())
}

/// Number `place` (from 0) of the 4-byte numbers after the kind byte of `key`; 0 when there is none.
pub(super) fn number(key: &[u8], place: usize) -> u32 {
    key.get(1 + 4 * place..5 + 4 * place)
        .and_then(|bytes| bytes.try_into().ok())
        .map_or(0, u32::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn block_keys_sort_by_time_and_round_trip() {
        let at = |ms| BlockKey {
            last_at: Timestamp(ms),
            through: 5,
            ordinal: 6,
        };
        let keys = [at(0), at(899_999), at(900_000), at(1_795_254_780_123)];
        for pair in keys.windows(2) {
            assert!(pair[0].bytes() < pair[1].bytes());
        }
        for key in keys {
            assert_eq!(BlockKey::read(&key.bytes()), Ok(key));
            assert!(BlockKey::lowest(key.last_at) < key.bytes() && key.bytes() < BlockKey::highest(key.last_at));
        }
    }

    #[test]
    fn every_key_lies_in_the_range_of_its_part() {
        let block = BlockKey {
            last_at: Timestamp(1_795_254_780_123),
            through: 5,
            ordinal: 6,
        };
        let (workspace, link) = (WorkspaceNo(7), LinkNo(u32::MAX));
        for (key, name) in [
            (block.bytes().to_vec(), "blocks-020778"),
            (link_rollup(workspace, link, 1_994_000).to_vec(), "links-0692"),
            (workspace_rollup(workspace, 1_994_000).to_vec(), "workspaces-0692"),
            (total(link).to_vec(), "totals"),
            (sketch(workspace, link, 20_778).to_vec(), "visitors-0692"),
            (gap(u64::MAX).to_vec(), "gaps"),
            (link_facets(workspace, link, 20_778).to_vec(), "facets-0692"),
            (workspace_facets(workspace, 498_672).to_vec(), "hours-0692"),
            (HISTORY.to_vec(), "history"),
            (erasure(workspace, u64::MAX).to_vec(), "erasures"),
            (link_day(workspace, link, 20_778).to_vec(), "days-0692"),
            (total_page(7).to_vec(), "pages"),
            (sheet(workspace, 20_778, u64::MAX, link).to_vec(), "sheets-0692"),
            (vec![99, 1, 2], "kind-099"),
        ] {
            assert_eq!(part(&key), name);
            let (first, last) = range_of_part(name);
            assert!(first <= key && key <= last, "{name}");
        }
    }

    #[test]
    fn sheets_sort_by_day_then_by_writing() {
        let of = |day, through, link| sheet(WorkspaceNo(7), day, through, LinkNo(link));
        let keys = [of(1, 5, 9), of(1, 1 << 40, 2), of(1, 1 << 40, 3), of(2, 4, 0)];
        assert!(keys.is_sorted());
        assert_eq!(of_sheet(&keys[2]), (1, 1 << 40, LinkNo(3)));
    }

    #[test]
    fn numbers_are_read_from_keys() {
        let key = link_rollup(WorkspaceNo(1), LinkNo(2), 3);
        assert_eq!(
            [number(&key, 0), number(&key, 1), number(&key, 2), number(&key, 3)],
            [1, 2, 3, 0]
        );
    }
}
