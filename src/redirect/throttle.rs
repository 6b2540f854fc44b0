//! Throttling of misses (and of forms) per address, and of wrong passwords per link: bounded memory, no lock, no clean-up.
//!
//! Addresses share 65,536 slots by a keyed hash; a slot counts misses within one window. Two addresses may share a
//! slot, which is harmless: a 429 only ever replaces a 404 or puts a form off for a minute, never a valid slug.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::domain::time::Timestamp;

/// Slots: 512 KiB of memory, few enough collisions for tens of thousands of addresses a window.
const SLOTS: usize = 1 << 16;

/// Length of a window in seconds.
const WINDOW_SECONDS: u64 = 60;

/// Counts misses per address (IPv6: per /64).
#[derive(Debug)]
pub struct Throttle {
    slots: Box<[AtomicU64]>,
    key: [u8; 32],
    misses_max: u64,
}

impl Throttle {
    /// Allows `misses_max` misses an address and minute. `key` keeps others from choosing slots.
    pub fn new(misses_max: u32, key: [u8; 32]) -> Self {
        Self {
            slots: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(),
            key,
            misses_max: u64::from(misses_max),
        }
    }

    /// Counts a miss of `address` at `now`; `true` when there were too many.
    pub fn miss(&self, address: IpAddr, now: Timestamp) -> bool {
        self.count(&network(address), now)
    }

    /// Whether `who` has no try left at `now`; counts nothing.
    pub fn is_over(&self, who: &[u8], now: Timestamp) -> bool {
        let seen = self.slot(who).load(Ordering::Relaxed);
        seen >> 32 == window_of(now) && seen & 0xffff_ffff >= self.misses_max
    }

    /// Counts a miss of `who` at `now`; `true` when there were too many.
    pub fn count(&self, who: &[u8], now: Timestamp) -> bool {
        let window = window_of(now);
        let slot = self.slot(who);
        let count = slot
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |seen| {
                let count = if seen >> 32 == window { seen & 0xffff_ffff } else { 0 };
                Some(window << 32 | (count + 1).min(0xffff_ffff))
            })
            .map_or(0, |seen| if seen >> 32 == window { seen & 0xffff_ffff } else { 0 });
        count >= self.misses_max
    }

    fn slot(&self, who: &[u8]) -> &AtomicU64 {
        let hash = blake3::keyed_hash(&self.key, who);
        &self.slots[usize::from(u16::from_le_bytes([hash.as_bytes()[0], hash.as_bytes()[1]]))]
    }
}

fn window_of(now: Timestamp) -> u64 {
    (now.seconds().max(0) as u64 / WINDOW_SECONDS) & 0xffff_ffff
}

/// The part of an address that one subscriber holds.
pub(super) fn network(address: IpAddr) -> [u8; 9] {
    let mut bytes = [0; 9];
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            bytes[0] = 4;
            bytes[1..5].copy_from_slice(&v4.octets());
        }
        IpAddr::V6(v6) => {
            bytes[0] = 6;
            bytes[1..].copy_from_slice(&v6.octets()[..8]);
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misses_are_counted_per_address_and_window() {
        let throttle = Throttle::new(3, [1; 32]);
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        let now = Timestamp(1_700_000_000_000);
        let told: Vec<bool> = (0..5).map(|_| throttle.miss(address("192.0.2.1"), now)).collect();
        assert_eq!(told, [false, false, false, true, true]);
        assert!(!throttle.miss(address("192.0.2.2"), now));
        assert!(!throttle.miss(address("192.0.2.1"), now.plus_ms(60_000)));
        for _ in 0..3 {
            throttle.miss(address("2001:db8::1"), now);
        }
        assert!(
            throttle.miss(address("2001:db8::ffff"), now),
            "one /64 is one subscriber"
        );
    }
}
