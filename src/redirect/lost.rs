//! Counts of clicks whose detail found no room in the ring: per link and quarter hour, in the ring's own file, so that
//! a kill takes nothing of them either.
//!
//! | word of a slot | what |
//! |---|---|
//! | 0 | bit 63: in use; bit 8: uses of a link with a click limit; bits 0 to 7: class |
//! | 1 | workspace (upper 32 bits), link (lower 32) |
//! | 2 | when the last of them happened, ms since 1970 |
//! | 3 | how many |
//! | 4 | position at which the record with this count ends, while it is being passed on; otherwise 0 |
//! | 5 | CRC32C of words 0 and 1 |
//!
//! A count is passed on as a record of the ring as soon as there is room. Word 4 is stored before that record and
//! cleared after the slot, so whoever finds the slot after a kill knows whether the record made it.

use std::sync::atomic::{Ordering, fence};

use foldhash::{HashMap, HashMapExt};

use super::ring::{Ring, SLOTS};
use crate::domain::click::{CLASSES, ClickClass, ClickFlags, LostDetail};
use crate::domain::id::{LinkNo, WorkspaceNo};
use crate::domain::time::Timestamp;

use super::lane::NewClick;

const IN_USE: u64 = 1 << 63;
const IS_USE: u64 = 1 << 8;
/// Slots for the sums of nobody in particular: one for each class, used up or not.
const LAST_RESORT: usize = CLASSES * 2;
/// Slots for the sums of a workspace's links, beside which there is no room.
const BY_WORKSPACE: usize = 512;

/// Whom a count is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    workspace: WorkspaceNo,
    link: LinkNo,
    class: u8,
    is_use: bool,
    bucket: u32,
}

/// The writer's view of the slots.
#[derive(Debug)]
pub(super) struct LostCounts {
    slots: HashMap<Key, usize>,
    free: Vec<usize>,
}

impl LostCounts {
    /// The slots of a new ring.
    pub(super) fn new() -> Self {
        Self {
            slots: HashMap::new(),
            free: (0..SLOTS).rev().collect(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Counts `click`.
    pub(super) fn add(&mut self, ring: &Ring, click: &NewClick<'_>) {
        let exact = Key {
            workspace: click.workspace,
            link: click.link,
            class: click.flags.class() as u8,
            is_use: click.flags.has(ClickFlags::USE),
            bucket: click.at.bucket(),
        };
        let of_workspace = Key {
            link: LinkNo(0),
            ..exact
        };
        let of_nobody = Key {
            workspace: WorkspaceNo(0),
            bucket: 0,
            ..of_workspace
        };
        let with_room_left = [
            (exact, BY_WORKSPACE + LAST_RESORT),
            (of_workspace, LAST_RESORT),
            (of_nobody, 0),
        ];
        for (key, left) in with_room_left {
            if let Some(slot) = self.slots.get(&key) {
                let slot = ring.slot(*slot);
                slot[2].store(click.at.0 as u64, Ordering::Relaxed);
                slot[3].fetch_add(1, Ordering::Release);
                return;
            }
            if self.free.len() > left
                && let Some(number) = self.free.pop()
            {
                let slot = ring.slot(number);
                let (word, place) = (word(&key), place(&key));
                slot[1].store(place, Ordering::Relaxed);
                slot[2].store(click.at.0 as u64, Ordering::Relaxed);
                slot[3].store(1, Ordering::Relaxed);
                slot[5].store(check(word, place), Ordering::Relaxed);
                slot[0].store(word, Ordering::Release);
                self.slots.insert(key, number);
                return;
            }
        }
    }

    /// Offers up to `most` counts to `pass_on`, each with what marks its slot with the place where the record will end;
    /// a count that is taken is cleared, and the first that is not ends it.
    pub(super) fn pass_on(
        &mut self,
        ring: &Ring,
        most: usize,
        mut pass_on: impl FnMut(LostDetail, &dyn Fn(u64)) -> bool,
    ) {
        for _ in 0..most {
            let Some((key, number)) = self.slots.iter().next().map(|(key, number)| (*key, *number)) else {
                return;
            };
            let slot = ring.slot(number);
            let mark = |end: u64| {
                slot[4].store(end, Ordering::Relaxed);
                // Nothing of the record may be seen without its mark.
                fence(Ordering::SeqCst);
            };
            if let Some(lost) = read(ring, number)
                && !pass_on(lost, &mark)
            {
                mark(0);
                return;
            }
            fence(Ordering::SeqCst);
            slot[0].store(0, Ordering::Relaxed);
            fence(Ordering::SeqCst);
            slot[3].store(0, Ordering::Relaxed);
            mark(0);
            self.slots.remove(&key);
            self.free.push(number);
        }
    }
}

/// The counts that nobody passed on, in a ring without a writer of which `end` is where its records end.
pub(super) fn left_over(ring: &Ring, end: u64) -> Vec<LostDetail> {
    let unread = (0..SLOTS).filter(|number| {
        let mark = ring.slot(*number)[4].load(Ordering::Acquire);
        mark == 0 || mark > end
    });
    unread.filter_map(|number| read(ring, number)).collect()
}

fn read(ring: &Ring, number: usize) -> Option<LostDetail> {
    let slot = ring.slot(number);
    let head = slot[0].load(Ordering::Acquire);
    let place = slot[1].load(Ordering::Relaxed);
    let count = slot[3].load(Ordering::Relaxed);
    if head & IN_USE == 0 || count == 0 || slot[5].load(Ordering::Relaxed) != check(head, place) {
        return None;
    }
    Some(LostDetail {
        at: Timestamp(slot[2].load(Ordering::Relaxed) as i64),
        workspace: WorkspaceNo((place >> 32) as u32),
        link: LinkNo(place as u32),
        class: ClickClass::of_code(head as u8)?,
        is_use: head & IS_USE != 0,
        count: u32::try_from(count).unwrap_or(u32::MAX),
    })
}

fn word(key: &Key) -> u64 {
    IN_USE | u64::from(key.class) | if key.is_use { IS_USE } else { 0 }
}

fn place(key: &Key) -> u64 {
    u64::from(key.workspace.0) << 32 | u64::from(key.link.0)
}

fn check(word: u64, place: u64) -> u64 {
    let crc = crc32c::crc32c_append(crc32c::crc32c(&word.to_le_bytes()), &place.to_le_bytes());
    u64::from(crc)
}
