//! The ratios that people read. The only file of the domain that may use floats: nothing is summed after it.

/// `part / whole`; `None` when there is nothing to divide by.
pub fn ratio(part: i64, whole: i64) -> Option<f64> {
    (whole != 0).then(|| part as f64 / whole as f64)
}

/// Return on investment, `(net − spend) / spend`; `None` when nothing was spent.
pub fn roi(net: i64, spend: i64) -> Option<f64> {
    ratio(net.saturating_sub(spend), spend)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_divided_by_nothing() {
        assert_eq!(ratio(87, 1000), Some(0.087));
        assert_eq!(ratio(1, 0), None);
        assert_eq!(roi(442, 100), Some(3.42));
        assert_eq!(roi(442, 0), None);
    }
}
