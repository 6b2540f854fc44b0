//! How many connections each address has open, over all workers.
//!
//! Looked at twice a connection, never during one.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Parts with a lock each. 64: workers rarely meet.
const SHARDS: usize = 64;

/// An address as connections are counted by: IPv4 whole, IPv6 by its /64, which is what one customer gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Origin {
    V4(u32),
    V6(u64),
}

impl From<IpAddr> for Origin {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self::V4(v4.to_bits()),
            IpAddr::V6(v6) => Self::V6((v6.to_bits() >> 64) as u64),
        }
    }
}

/// Counts connections by [`Origin`]. Holds only those that have one.
pub(super) struct Addresses {
    shards: [Mutex<HashMap<Origin, u32>>; SHARDS],
    hasher: RandomState,
    max: u32,
}

impl Addresses {
    /// At most `max` connections of each origin.
    pub fn new(max: u32) -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::new(),
            max,
        }
    }

    fn shard(&self, origin: Origin) -> MutexGuard<'_, HashMap<Origin, u32>> {
        let shard = self.hasher.hash_one(origin) as usize % SHARDS;
        // Counts cannot be left half-changed.
        self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a connection in; false when the origin has its most.
    pub fn enter(&self, origin: Origin) -> bool {
        let mut shard = self.shard(origin);
        let count = shard.entry(origin).or_insert(0);
        let may = *count < self.max;
        *count += u32::from(may);
        if !may && self.max == 0 {
            shard.remove(&origin);
        }
        may
    }

    /// Counts a connection out that was counted in.
    pub fn leave(&self, origin: Origin) {
        let mut shard = self.shard(origin);
        if let Some(count) = shard.get_mut(&origin) {
            *count -= 1;
            if *count == 0 {
                shard.remove(&origin);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Origin {
        text.parse::<IpAddr>().unwrap().into()
    }

    #[test]
    fn neighbours_in_a_64_are_one() {
        assert_eq!(origin("2001:db8::1"), origin("2001:db8::ffff:1"));
        assert_ne!(origin("2001:db8::1"), origin("2001:db8:0:1::1"));
        assert_eq!(origin("::ffff:192.0.2.1"), origin("192.0.2.1"));
        assert_ne!(origin("::"), origin("0.0.0.0"));
    }

    #[test]
    fn each_origin_has_its_own_bound_and_nothing_stays_behind() {
        let addresses = Addresses::new(2);
        let (one, two) = (origin("192.0.2.1"), origin("192.0.2.2"));
        assert!(addresses.enter(one) && addresses.enter(one) && !addresses.enter(one));
        assert!(addresses.enter(two));
        addresses.leave(one);
        assert!(addresses.enter(one) && !addresses.enter(one));
        for origin in [one, one, two] {
            addresses.leave(origin);
        }
        let kept: usize = addresses.shards.iter().map(|shard| shard.lock().unwrap().len()).sum();
        assert_eq!(kept, 0);
    }
}
