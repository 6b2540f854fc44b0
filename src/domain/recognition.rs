//! Who clicked, and was it a repeat: the only memory that counting needs.
//!
//! A visitor is the cookie's number. Without a cookie it is the number that was newly set, unless the same address and
//! user agent was seen today: then it is the number that was set there first, so that who refuses cookies counts once
//! a day and who accepts them counts once. Memory is bounded; what is forgotten can only count a visitor twice, and is
//! counted.

use std::hash::BuildHasher;

use foldhash::{HashMap, HashMapExt, quality};

use super::id::LinkNo;
use super::memory::Memory;
use super::recent::Recent;
use super::time::Timestamp;

/// Room for identities of a day: 32 MB for two million; past half of them one or the other is forgotten.
const IDENTITIES_MAX: usize = 1 << 21;
/// Room for follows within the window: 32 MB for four million, of which a rate of 100,000 a second needs a quarter in
/// 10 s; past half of them one or the other may count twice. For a window after it grew, another 18 MB at most.
const FOLLOWS_MAX: usize = 1 << 22;
/// Taps remembered: six thousand a second for a window of 10 s; past it a tap may count twice.
const TAPS_MAX: usize = 1 << 16;

/// Visitor numbers of a click, as the hot path found them; 0 = none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seen {
    /// From a valid cookie.
    pub known: u64,
    /// Newly set.
    pub new: u64,
    /// Keyed hash of address and user agent.
    pub identity: u64,
}

/// What was forgotten before its time, since the start: the bounds of memory were reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Forgotten {
    /// Identities of a day: each may count as another visitor.
    pub visitors: u64,
    /// Follows within the window: each may count again.
    pub follows: u64,
    /// Taps within it: the same.
    pub taps: u64,
}

/// Remembers identities of today and follows of the last moments.
///
/// Follows are known by a hash of visitor and link under a key of this process: two that meet in 64 bits within a
/// window would be taken for one.
#[derive(Debug)]
pub struct Recognition {
    window_ms: i64,
    day: u32,
    visitor_of: Memory,
    hasher: quality::RandomState,
    /// Counted follows.
    followed: Recent,
    tapped: HashMap<(u64, LinkNo), Timestamp>,
    taps_forgotten: u64,
}

impl Recognition {
    /// With a dedupe window of `window_ms` milliseconds; 0 = nothing is a repeat.
    pub fn new(window_ms: i64) -> Self {
        Self {
            window_ms,
            day: 0,
            visitor_of: Memory::new(IDENTITIES_MAX),
            hasher: quality::RandomState::default(),
            followed: Recent::new(window_ms, FOLLOWS_MAX),
            tapped: HashMap::new(),
            taps_forgotten: 0,
        }
    }

    /// The visitor behind `seen`; 0 = nobody.
    pub fn visitor(&mut self, seen: Seen, at: Timestamp) -> u64 {
        if at.day() != self.day {
            self.visitor_of.clear();
            self.day = at.day();
        }
        if seen.known != 0 {
            return seen.known;
        }
        let fallback = if seen.new != 0 { seen.new } else { seen.identity };
        if seen.identity == 0 {
            return fallback;
        }
        // Keyed hashes are spread evenly, whatever they are of.
        let known = self.visitor_of.meet(seen.identity, fallback);
        known.unwrap_or(fallback)
    }

    /// Looks where [`Self::visitor`] will look, and answers nothing that means anything: done for many clicks before the
    /// first is asked about, the processor waits for their places in memory together.
    pub fn look_for_visitor(&self, seen: Seen) -> u64 {
        self.visitor_of.look(seen.identity)
    }

    /// The same for [`Self::is_repeat`].
    pub fn look_for_repeat(&self, visitor: u64, link: LinkNo) -> u64 {
        self.followed.look(self.hash_of(visitor, link))
    }

    fn hash_of(&self, visitor: u64, link: LinkNo) -> u64 {
        self.hasher.hash_one((visitor, link.0))
    }

    /// Whether the click `sequence` of `link` was tapped within the window before `at`: a second finger, or a browser
    /// that sends a form twice.
    pub fn is_tapped_again(&mut self, sequence: u64, link: LinkNo, at: Timestamp) -> bool {
        let window_ms = self.window_ms;
        if self.tapped.len() >= TAPS_MAX {
            self.tapped.retain(|_, last| at.since(*last).abs() < window_ms);
        }
        let is_again = |last: &Timestamp| at.since(*last).abs() < window_ms;
        let known = self.tapped.get(&(sequence, link)).is_some_and(is_again);
        if !known && self.tapped.len() < TAPS_MAX {
            self.tapped.insert((sequence, link), at);
        } else if !known {
            self.taps_forgotten += 1;
        }
        known
    }

    /// What there was no room for.
    pub fn forgotten(&self) -> Forgotten {
        Forgotten {
            visitors: self.visitor_of.forgotten(),
            follows: self.followed.forgotten(),
            taps: self.taps_forgotten,
        }
    }

    /// Whether `visitor` followed `link` within the window before `at`. Only a follow that counts starts a window:
    /// reloading every few seconds does not make one click last for ever.
    pub fn is_repeat(&mut self, visitor: u64, link: LinkNo, at: Timestamp) -> bool {
        if visitor == 0 || self.window_ms == 0 {
            return false;
        }
        // The clock may have been set back: a follow "after" this one counts as the same moment.
        self.followed.meet(self.hash_of(visitor, link), at.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_click_is_tapped_once_a_window() {
        let mut memory = Recognition::new(10_000);
        let at = Timestamp(1_700_000_000_000);
        let mut tap = |sequence, link, ms| memory.is_tapped_again(sequence, LinkNo(link), at.plus_ms(ms));
        assert!(!tap(7, 1, 0));
        assert!(tap(7, 1, 9_999));
        assert!(!tap(7, 2, 9_999), "another link's");
        assert!(!tap(8, 1, 9_999), "another click");
        assert!(!tap(7, 1, 10_000));
    }

    #[test]
    fn visitors_are_counted_once() {
        let mut memory = Recognition::new(10_000);
        let at = Timestamp(1_700_000_000_000);
        let first = Seen {
            known: 0,
            new: 7,
            identity: 99,
        };
        assert_eq!(memory.visitor(first, at), 7);
        assert_eq!(
            memory.visitor(
                Seen {
                    known: 7,
                    ..Seen::default()
                },
                at
            ),
            7,
            "who keeps the cookie"
        );
        assert_eq!(
            memory.visitor(
                Seen {
                    known: 0,
                    new: 8,
                    identity: 99
                },
                at
            ),
            7,
            "who refuses it"
        );
        assert_eq!(
            memory.visitor(
                Seen {
                    known: 0,
                    new: 9,
                    identity: 100
                },
                at
            ),
            9,
            "another"
        );
        assert_eq!(memory.visitor(Seen::default(), at), 0, "nobody");
        let tomorrow = at.plus_ms(24 * 60 * 60 * 1000);
        assert_eq!(
            memory.visitor(
                Seen {
                    known: 0,
                    new: 10,
                    identity: 99
                },
                tomorrow
            ),
            10
        );
    }

    #[test]
    fn repeats_are_of_one_visitor_on_one_link() {
        let mut memory = Recognition::new(10_000);
        let at = |ms: i64| Timestamp(1_700_000_000_000 + ms);
        for (visitor, link, ms, expected) in [
            (1, 1, 0, false),
            (1, 1, 9_999, true),
            (2, 1, 9_999, false),
            (1, 2, 9_999, false),
            (1, 1, 10_000, false),
            (1, 1, 19_000, true),
            (1, 1, 25_000, false),
            (1, 1, 24_000, true),
            (0, 1, 25_000, false),
            (0, 1, 25_000, false),
        ] {
            assert_eq!(
                memory.is_repeat(visitor, LinkNo(link), at(ms)),
                expected,
                "{visitor} {link} {ms}"
            );
        }
        let mut off = Recognition::new(0);
        assert!(!off.is_repeat(1, LinkNo(1), at(0)) && !off.is_repeat(1, LinkNo(1), at(0)));
    }

    #[test]
    fn what_has_no_room_is_counted_and_memory_stays_within_its_bounds() {
        let mut memory = Recognition::new(10_000);
        let at = Timestamp(1_700_000_000_000);
        // Spread as a keyed hash spreads them.
        let seen = |n: u64| Seen {
            known: 0,
            new: n,
            identity: n
                .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .rotate_left(29)
                .wrapping_mul(0xbf58_476d_1ce4_e5b9),
        };
        let few = IDENTITIES_MAX as u64 / 16;
        (1..=few).for_each(|n| assert_eq!(memory.visitor(seen(n), at), n));
        assert_eq!(
            memory.forgotten(),
            Forgotten::default(),
            "there is room for a hundred thousand"
        );
        let visitors = IDENTITIES_MAX as u64 * 5 / 4;
        (few + 1..=visitors).for_each(|n| assert_eq!(memory.visitor(seen(n), at), n));
        let kept = memory.visitor_of.values() as u64;
        assert_eq!(memory.visitor_of.places(), IDENTITIES_MAX, "16 bytes each: 32 MB");
        assert_eq!(memory.forgotten().visitors, visitors - kept);
        assert!(
            kept <= IDENTITIES_MAX as u64 && kept > IDENTITIES_MAX as u64 * 9 / 10,
            "{kept}"
        );

        let follows = FOLLOWS_MAX as u64 * 5 / 4;
        (1..=follows).for_each(|n| assert!(!memory.is_repeat(n, LinkNo(1), at)));
        let (bytes, kept) = memory.followed.held();
        // Three sizes that it had before it grew, a sixteenth, a sixteenth and half of the next.
        assert!(bytes <= FOLLOWS_MAX * 8 * 25 / 16, "{bytes}");
        assert_eq!(memory.forgotten().follows, follows - kept);
        assert!(kept > FOLLOWS_MAX as u64 * 9 / 10, "{kept}");
        assert!(!memory.is_repeat(follows, LinkNo(1), at.plus_ms(10_000)));
        assert_eq!(
            memory.followed.held().0,
            FOLLOWS_MAX * 8,
            "what it had before it grew is given back"
        );

        let taps = TAPS_MAX as u64 + 7;
        (1..=taps).for_each(|n| assert!(!memory.is_tapped_again(n, LinkNo(1), at)));
        assert_eq!((memory.forgotten().taps, memory.tapped.len()), (7, TAPS_MAX));
    }

    #[test]
    fn memory_is_given_back() {
        let mut memory = Recognition::new(1_000);
        for visitor in 1..10_000u64 {
            memory.is_repeat(visitor, LinkNo(1), Timestamp(visitor as i64 * 10));
        }
        assert!(memory.followed.room() <= 8_192);
    }
}
