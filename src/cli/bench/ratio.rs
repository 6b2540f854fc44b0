//! Medians, and ratios of two targets that were measured side by side.
//!
//! What else a machine does falls on targets that take turns alike, so the ratio within a round is steadier than either
//! figure; the median of these ratios is what is told, with the fifth below and above.

/// A median and where three fifths of the values lie.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    pub median: f64,
    pub p20: f64,
    pub p80: f64,
}

impl Spread {
    /// Of `values` that are numbers; nothing where there is none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        Some(Self {
            median: quantile(&sorted, 0.5)?,
            p20: quantile(&sorted, 0.2)?,
            p80: quantile(&sorted, 0.8)?,
        })
    }

    /// Of the ratios of one round each: `values` to `bases`. Rounds without either are left out.
    pub fn paired(values: &[Option<f64>], bases: &[Option<f64>]) -> Option<Self> {
        let pairs = values.iter().zip(bases);
        Self::of(pairs.filter_map(|(value, base)| Some((*value)? / (*base)?)))
    }
}

/// Between the two values that lie nearest.
fn quantile(sorted: &[f64], part: f64) -> Option<f64> {
    let place = sorted.len().checked_sub(1)? as f64 * part;
    let (below, above) = (sorted.get(place.floor() as usize)?, sorted.get(place.ceil() as usize)?);
    Some(below + (above - below) * place.fract())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_not_moved_by_one_bad_round() {
        let spread = Spread::of([1.0, 1.1, 0.9, 40.0, 1.0]).expect("values");
        assert!(
            (spread.median - 1.0).abs() < 1e-9 && (spread.p20 - 0.98).abs() < 1e-9,
            "{spread:?}"
        );
        assert_eq!(Spread::of([f64::NAN]), None);
        let one = Spread::of([2.5]).expect("one");
        assert!(
            [one.median, one.p20, one.p80]
                .iter()
                .all(|value| (value - 2.5).abs() < 1e-9)
        );
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        // The machine is four times as slow in the second round, for both.
        let fast = [Some(10.0), Some(40.0), None, Some(9.0)];
        let slow = [Some(20.0), Some(80.0), Some(5.0), Some(18.0)];
        let ratio = Spread::paired(&slow, &fast).expect("pairs");
        assert!(
            (ratio.median - 2.0).abs() < 1e-9 && (ratio.p80 - 2.0).abs() < 1e-9,
            "{ratio:?}"
        );
        let itself = Spread::paired(&fast, &fast).expect("pairs");
        assert!(
            (itself.p20 - 1.0).abs() < 1e-9 && (itself.p80 - 1.0).abs() < 1e-9,
            "{itself:?}"
        );
        assert_eq!(Spread::paired(&fast, &[None, None, Some(1.0), None]), None);
    }
}
