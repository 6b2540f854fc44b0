//! Whether a store that used to send its orders has gone silent: a webhook that was switched off by the shop after
//! failures, or a secret that was changed, tells nobody.
//!
//! Pure: remembers the last order and on which days before it there were some, and is told the time.

use super::time::{DAY_MS, Timestamp};

/// Days on which a store must have sent orders, one after the other, to be one that sends daily. Three: one busy day
/// after a video is not a habit, and a new store is watched before its first week is over.
pub const DAILY_DAYS: u32 = 3;
/// How long such a store may send nothing, in milliseconds.
pub const SILENCE_MS: i64 = DAY_MS;

/// When a store's webhooks told of orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pulse {
    /// When the last one came.
    pub last: Timestamp,
    /// One bit a UTC day, the lowest for the day of `last`, the next for the day before: whether an order came.
    days: u32,
}

impl Pulse {
    /// After an order at `now`, given what was known `before`. A clock that went back changes nothing.
    pub fn after(before: Option<Self>, now: Timestamp) -> Self {
        let Some(before) = before else {
            return Self { last: now, days: 1 };
        };
        if now <= before.last {
            return before;
        }
        let passed = now.day().saturating_sub(before.last.day());
        Self {
            last: now,
            days: before.days.checked_shl(passed).unwrap_or(0) | 1,
        }
    }

    /// Since when the store is silent, if it is at `now`: it used to send orders daily, and has sent none for 24 hours.
    pub fn silent_since(self, now: Timestamp) -> Option<Timestamp> {
        let habit = (1 << DAILY_DAYS) - 1;
        let was_daily = self.days & habit == habit;
        (was_daily && now.since(self.last) >= SILENCE_MS).then_some(self.last)
    }

    /// As the books keep it.
    pub fn to_text(self) -> String {
        format!("{} {}", self.last.0, self.days)
    }

    /// Reads [`Pulse::to_text`].
    pub fn parse(text: &str) -> Option<Self> {
        let (last, days) = text.split_once(' ')?;
        Some(Self {
            last: Timestamp(last.parse().ok()?),
            days: days.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 60 * 60 * 1000;

    #[test]
    fn only_daily_stores_go_silent() {
        // Hours at which orders came, the hour at which somebody looks, since which hour it is silent.
        for (orders, look, silent) in [
            (&[][..], 500, None),
            (&[10], 500, None),
            (&[10, 34], 500, None),
            (&[10, 34, 58], 81, None),
            (&[10, 34, 58], 82, Some(58)),
            (&[10, 34, 58], 500, Some(58)),
            // Twice a day, and at any hour of the day.
            (&[1, 2, 47, 48, 49], 73, Some(49)),
            (&[1, 2, 47, 48, 49], 72, None),
            // A day without an order, and the habit again.
            (&[10, 34, 90, 114], 500, None),
            (&[10, 34, 90, 114, 130], 500, Some(130)),
            // A viral day is not a habit.
            (&[10, 11, 12, 13, 14, 15], 500, None),
            // An order after the silence ends it, and the habit must be shown anew.
            (&[10, 34, 58, 400], 401, None),
            (&[10, 34, 58, 400], 500, None),
            // A clock that goes back.
            (&[10, 34, 58, 20], 82, Some(58)),
            (&[10, 2000], 9000, None),
        ] {
            let mut pulse = None;
            for hour in orders {
                pulse = Some(Pulse::after(pulse, Timestamp(hour * HOUR)));
            }
            let read = pulse.map(|pulse| Pulse::parse(&pulse.to_text()).expect("it was written"));
            assert_eq!(read, pulse);
            let found = pulse.and_then(|pulse| pulse.silent_since(Timestamp(look * HOUR)));
            assert_eq!(
                found,
                silent.map(|hour: i64| Timestamp(hour * HOUR)),
                "{orders:?} at {look}"
            );
        }
        for bad in ["", "1", "x 1", "1 -1", "1 1 1"] {
            assert_eq!(Pulse::parse(bad), None);
        }
    }
}
