//! The world as the domain's traits want it: the system's clock and entropy.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::domain::outside::{Clock, Entropy};
use crate::domain::time::Timestamp;

/// The machine's clock.
pub(super) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let now = SystemTime::now();
        // A clock before 1970 counts backwards, as the type allows.
        let ms = match now.duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |ms| -ms),
        };
        Timestamp(ms)
    }
}

/// The kernel's random bytes.
pub(super) struct OsEntropy;

impl Entropy for OsEntropy {
    #[expect(
        clippy::panic,
        reason = "without entropy there can be no key and no id: nothing sensible can go on"
    )]
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).unwrap_or_else(|error| panic!("the system gives no random bytes: {error}"));
    }
}
