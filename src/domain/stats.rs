//! The ratios that people read, and what they are worth. Here and below alone the domain may use floats: nothing is
//! summed after it.

pub mod experiment;
mod sampler;
mod special;

/// `part / whole`; `None` when there is nothing to divide by.
pub fn ratio(part: i64, whole: i64) -> Option<f64> {
    (whole != 0).then(|| part as f64 / whole as f64)
}

/// What is counted in thousandths, by `whole`; `None` when there is nothing to divide by.
pub fn of_thousandths(milli: u64, whole: u64) -> Option<f64> {
    (whole != 0).then(|| milli as f64 / (1000.0 * whole as f64))
}

/// `part` by what is counted in thousandths; `None` when there is nothing to divide by.
pub fn by_thousandths(part: i64, milli: u64) -> Option<f64> {
    (milli != 0).then(|| part as f64 * 1000.0 / milli as f64)
}

/// Return on investment, `(net − spend) / spend`; `None` when nothing was spent.
pub fn roi(net: i64, spend: i64) -> Option<f64> {
    ratio(net.saturating_sub(spend), spend)
}

/// The two-sided 95 % quantile of the normal distribution.
const Z_95: f64 = 1.959_963_984_540_054;

/// Between which rates the true one lies with 95 % confidence when `hits` of `tries` succeeded: Wilson's score interval
/// (1927), which stays within 0 and 1 and makes 3 of 3 less sure than 300 of 310. `None` without tries; more hits than
/// tries count as all.
pub fn interval(hits: u64, tries: u64) -> Option<(f64, f64)> {
    if tries == 0 {
        return None;
    }
    let (n, p) = (tries as f64, hits.min(tries) as f64 / tries as f64);
    let z2 = Z_95 * Z_95;
    let centre = p + z2 / (2.0 * n);
    let half = Z_95 * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z2 / n;
    // At the ends the formula gives 0 and 1 but for rounding.
    let low = if hits == 0 { 0.0 } else { (centre - half) / scale };
    let high = if hits >= tries { 1.0 } else { (centre + half) / scale };
    Some((low, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_orders_do_not_outrank_many() {
        // Reference values: Wilson's interval of 10 in 100 is 0.0552 to 0.1744.
        let (low, high) = interval(10, 100).expect("tries");
        assert!(
            (low - 0.0552).abs() < 1e-4 && (high - 0.1744).abs() < 1e-4,
            "{low} {high}"
        );
        let lower = |hits, tries| interval(hits, tries).expect("tries").0;
        assert!(lower(300, 3_100) > lower(3, 20), "3 orders do not outrank 300");
        assert_eq!(interval(0, 0), None);
        assert_eq!(interval(0, 10).map(|(low, _)| low), Some(0.0));
        assert_eq!(interval(20, 10).map(|(_, high)| high), Some(1.0));
    }

    #[test]
    fn nothing_is_divided_by_nothing() {
        assert_eq!(ratio(87, 1000), Some(0.087));
        assert_eq!(ratio(1, 0), None);
        assert_eq!((of_thousandths(1_500, 3), of_thousandths(1, 0)), (Some(0.5), None));
        assert_eq!((by_thousandths(3, 1_500), by_thousandths(1, 0)), (Some(2.0), None));
        assert_eq!(roi(442, 100), Some(3.42));
        assert_eq!(roi(442, 0), None);
    }
}
