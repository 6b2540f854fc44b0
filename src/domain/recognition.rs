//! Who clicked, and was it a repeat: the only memory that counting needs.
//!
//! A visitor is the cookie's number. Without a cookie it is the number that was newly set, unless the same address and
//! user agent was seen today: then it is the number that was set there first, so that who refuses cookies counts once
//! a day and who accepts them counts once. Memory is bounded; what is forgotten can only count a visitor twice.

use foldhash::{HashMap, HashMapExt};

use super::id::LinkNo;
use super::time::Timestamp;

/// Identities remembered within a day: 24 MB.
const IDENTITIES_MAX: usize = 1 << 20;
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

/// Remembers identities of today and follows of the last moments.
#[derive(Debug)]
pub struct Recognition {
    window_ms: i64,
    day: u32,
    visitor_of: HashMap<u64, u64>,
    /// Two generations of counted follows, each at least a window long: old ones leave without a sweep.
    recent: HashMap<(u64, LinkNo), Timestamp>,
    older: HashMap<(u64, LinkNo), Timestamp>,
    recent_since: Timestamp,
    tapped: HashMap<(u64, LinkNo), Timestamp>,
}

impl Recognition {
    /// With a dedupe window of `window_ms` milliseconds; 0 = nothing is a repeat.
    pub fn new(window_ms: i64) -> Self {
        Self {
            window_ms,
            day: 0,
            visitor_of: HashMap::new(),
            recent: HashMap::new(),
            older: HashMap::new(),
            recent_since: Timestamp(0),
            tapped: HashMap::new(),
        }
    }

    /// The visitor behind `seen`; 0 = nobody.
    pub fn visitor(&mut self, seen: Seen, at: Timestamp) -> u64 {
        if at.day() != self.day || self.visitor_of.len() >= IDENTITIES_MAX {
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
        *self.visitor_of.entry(seen.identity).or_insert(fallback)
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
        }
        known
    }

    /// Whether `visitor` followed `link` within the window before `at`. Only a follow that counts starts a window:
    /// reloading every few seconds does not make one click last for ever.
    pub fn is_repeat(&mut self, visitor: u64, link: LinkNo, at: Timestamp) -> bool {
        if visitor == 0 || self.window_ms == 0 {
            return false;
        }
        if at.since(self.recent_since).abs() > self.window_ms {
            let next = HashMap::with_capacity(self.recent.len());
            self.older = std::mem::replace(&mut self.recent, next);
            self.recent_since = at;
        }
        let key = (visitor, link);
        let last = self.recent.get(&key).or_else(|| self.older.get(&key));
        // The clock may have been set back: a follow "after" this one counts as the same moment.
        let is_repeat = last.is_some_and(|last| at.since(*last).abs() < self.window_ms);
        if !is_repeat {
            self.recent.insert(key, at);
        }
        is_repeat
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
    fn memory_is_given_back() {
        let mut memory = Recognition::new(1_000);
        for visitor in 1..10_000u64 {
            memory.is_repeat(visitor, LinkNo(1), Timestamp(visitor as i64 * 10));
        }
        assert!(memory.recent.len() + memory.older.len() <= 300);
    }
}
