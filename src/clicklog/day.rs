//! A link's UTC day in one value: its clicks by quarter hour.
//!
//! Body: through, then for each quarter hour with clicks its number in the day (0 to 95, one byte, ascending) and its
//! counts. One value a link and quarter hour, as older versions wrote, costs sled a hundred times as much: those stay
//! where they are and are read beside days. Never holds clicks of which only the count is known (see `apply`).

use std::collections::BTreeMap;

use super::bytes::{Damaged, Source, put_number};
use super::value::{Counts, add, counts, put_counts};

/// Quarter hours of a day.
pub(super) const QUARTERS: u32 = 96;

/// The clicks of a link's day.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Day {
    /// Index of the last journal frame that is in it.
    pub(super) through: u64,
    quarters: BTreeMap<u8, Counts>,
}

impl Day {
    /// Adds `more` to the quarter hour `bucket`, which must lie in this day.
    pub(super) fn add(&mut self, bucket: u32, more: &Counts) {
        add(self.quarters.entry((bucket % QUARTERS) as u8).or_default(), more);
    }

    /// The buckets that have clicks, in order, of day number `day`.
    pub(super) fn buckets(&self, day: u32) -> impl Iterator<Item = (u32, &Counts)> {
        let first = day.saturating_mul(QUARTERS);
        let buckets = self.quarters.iter();
        buckets.map(move |(quarter, counts)| (first.saturating_add(u32::from(*quarter)), counts))
    }

    pub(super) fn body(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_number(&mut out, self.through);
        for (quarter, counts) in &self.quarters {
            out.push(*quarter);
            put_counts(&mut out, counts);
        }
        out
    }

    pub(super) fn read(body: &[u8]) -> Result<Self, Damaged> {
        let mut source = Source(body);
        let through = source.number()?;
        let mut quarters = BTreeMap::new();
        while !source.0.is_empty() {
            let quarter = source.byte()?;
            let is_next = quarters.last_key_value().is_none_or(|(last, _)| *last < quarter);
            if !is_next || u32::from(quarter) >= QUARTERS {
                return Err(Damaged("quarter hours of a day are out of order"));
            }
            quarters.insert(quarter, counts(&mut source)?);
        }
        Ok(Self { through, quarters })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn days_round_trip(through: u64, quarters in proptest::collection::btree_map(0u8..96, any::<Counts>(), 0..96)) {
            let day = Day { through, quarters };
            prop_assert_eq!(Day::read(&day.body()), Ok(day));
        }

        #[test]
        fn no_bytes_panic(body: Vec<u8>) {
            if let Ok(day) = Day::read(&body) {
                prop_assert_eq!(Day::read(&day.body()), Ok(day));
            }
        }
    }

    #[test]
    fn buckets_add_up_in_their_day() {
        let mut day = Day::default();
        for (bucket, count) in [(20_000 * 96 + 95, 1), (20_000 * 96, 2), (20_000 * 96 + 95, 3)] {
            day.add(bucket, &[count, 0, 0, 0, 0, 0, 0, 1]);
        }
        let told: Vec<_> = day
            .buckets(20_000)
            .map(|(bucket, counts)| (bucket, counts[0], counts[7]))
            .collect();
        assert_eq!(told, [(1_920_000, 2, 1), (1_920_095, 4, 2)]);
    }

    #[test]
    fn quarters_out_of_order_are_damage() {
        for body in [&[5, 3, 0, 3, 0][..], &[5, 3, 0, 2, 0], &[5, 96, 0], &[5, 1]] {
            assert!(Day::read(body).is_err(), "{body:?}");
        }
        // The last day that a bucket's 32 bits reach into.
        assert_eq!(
            Day {
                through: 1,
                quarters: [(95, Counts::default())].into()
            }
            .buckets(u32::MAX)
            .count(),
            1
        );
    }
}
