//! Uses that are left of a link with a click limit, spread over lanes, so that takers on different cores write different
//! cache lines.
//!
//! Every use lies in exactly one lane from the moment it is granted until it is taken: none is ever on its way from one
//! place to another, where nobody would find it. Whoever finds his own lane empty takes from the fullest other. So no
//! use is given twice, and none is refused while one is left; nobody waits.

use std::sync::Arc;

use super::atomic::{AtomicU64, Ordering};

/// Lanes of a link with many uses. 8: more cores than that share one, which costs time and nothing else.
const LANES: usize = 8;
/// Fewest uses that are spread. 4,096: below it lanes would take more memory than the sharing costs time, for a brand
/// may have a million links that each work once.
const SPREAD_MIN: u64 = 4_096;

/// A lane has a cache line to itself (and the one that processors fetch along with it).
#[derive(Debug, Default)]
#[repr(align(128))]
struct Lane(AtomicU64);

#[derive(Debug)]
enum Lanes {
    One(AtomicU64),
    Many(Box<[Lane]>),
}

/// What is left of one link; shared by all versions of it.
#[derive(Debug)]
pub struct Uses(Lanes);

impl Uses {
    /// `left` uses in `lanes` lanes.
    pub(super) fn in_lanes(left: u64, lanes: usize) -> Self {
        let uses = match lanes {
            1 => Self(Lanes::One(AtomicU64::new(0))),
            _ => Self(Lanes::Many((0..lanes).map(|_| Lane::default()).collect())),
        };
        uses.grant(left);
        uses
    }

    /// Takes one use for the worker with number `seat`; `false` when none is left.
    pub(super) fn take(&self, seat: usize) -> bool {
        if self.take_of(self.lane(seat % self.lanes()), 1) == 1 {
            return true;
        }
        // Lanes only get emptier: when every one of them was seen empty, all are. (A grant that comes meanwhile comes
        // after this refusal.)
        while let Some(lane) = self.fullest() {
            if self.take_of(lane, 1) == 1 {
                return true;
            }
        }
        false
    }

    /// Whether a use is left.
    pub(super) fn has_left(&self) -> bool {
        self.fullest().is_some()
    }

    /// Adds `count` uses, spread evenly.
    pub(super) fn grant(&self, count: u64) {
        let lanes = self.lanes() as u64;
        for place in (0..lanes).filter(|_| count > 0) {
            let share = count / lanes + u64::from(place < count % lanes);
            self.lane(place as usize).fetch_add(share, Ordering::Relaxed);
        }
    }

    /// Takes back up to `count` uses and returns how many; fewer only when no more are left.
    pub(super) fn withdraw(&self, count: u64) -> u64 {
        let mut back = 0;
        while back < count {
            let Some(lane) = self.fullest() else { break };
            back += self.take_of(lane, count - back);
        }
        back
    }

    /// Takes up to `count` out of a lane.
    fn take_of(&self, lane: &AtomicU64, count: u64) -> u64 {
        let left = lane.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            (left > 0).then(|| left - left.min(count))
        });
        left.map_or(0, |left| left.min(count))
    }

    /// The lane with the most uses; `None` when each was seen empty.
    fn fullest(&self) -> Option<&AtomicU64> {
        let lanes = (0..self.lanes()).map(|place| self.lane(place));
        let left = lanes.map(|lane| (lane.load(Ordering::Relaxed), lane));
        let (left, lane) = left.max_by_key(|(left, _)| *left)?;
        (left > 0).then_some(lane)
    }

    fn lanes(&self) -> usize {
        match &self.0 {
            Lanes::One(_) => 1,
            Lanes::Many(lanes) => lanes.len(),
        }
    }

    fn lane(&self, place: usize) -> &AtomicU64 {
        match &self.0 {
            Lanes::One(lane) => lane,
            Lanes::Many(lanes) => &lanes[place].0,
        }
    }
}

/// The account of one link: how many uses it was ever granted. Changed by one thread at a time.
#[derive(Debug, Default)]
pub(super) struct Account {
    /// Those that were taken and those that are left: the limit, or what was used where that is more.
    granted: u64,
    max: u64,
    uses: Option<Arc<Uses>>,
}

impl Account {
    /// Sets the limit. Uses that were taken stay taken.
    pub(super) fn limit(&mut self, max: u64) -> Arc<Uses> {
        let lanes = if max.saturating_sub(self.granted) < SPREAD_MIN {
            1
        } else {
            LANES
        };
        self.limit_in_lanes(max, lanes)
    }

    /// As [`Self::limit`], with the number of lanes that a link gets with its first limit.
    pub(super) fn limit_in_lanes(&mut self, max: u64, lanes: usize) -> Arc<Uses> {
        self.max = max;
        let more = max.saturating_sub(self.granted);
        let uses = match &self.uses {
            Some(uses) => {
                uses.grant(more);
                self.granted += more;
                self.granted -= uses.withdraw(self.granted.saturating_sub(max));
                Arc::clone(uses)
            }
            None => {
                self.granted += more;
                Arc::new(Uses::in_lanes(more, lanes))
            }
        };
        self.uses = Some(Arc::clone(&uses));
        uses
    }

    /// Sets how many uses were taken so far; before any is taken from here.
    pub(super) fn restore(&mut self, taken: u64) {
        if let Some(uses) = &self.uses {
            uses.withdraw(u64::MAX);
        }
        self.granted = taken;
        if self.uses.is_some() {
            self.limit(self.max);
        }
    }
}
