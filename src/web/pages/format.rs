//! Numbers, money and instants as people read them.
//!
//! Text only: whoever puts it into a page escapes it like any other text. Never rounds an amount that is counted in
//! whole minor units.

use crate::domain::money::{self, Currency};
use crate::domain::time::Timestamp;

/// Stands where there is nothing to divide by.
pub const NOTHING: &str = "–";

/// A typographic minus, as wide as a digit.
const MINUS: &str = "−";

/// Digits between two separators.
const GROUP: usize = 3;

/// `12345` as `12,345`.
pub fn count(number: u64) -> String {
    grouped(&number.to_string())
}

/// A count that may be missing.
pub fn maybe_count(number: Option<u64>) -> String {
    number.map_or_else(|| NOTHING.to_owned(), count)
}

/// Thousandths as people count: `2000` as `2`, `1333` as `1.333`.
pub fn thousandths(milli: u64) -> String {
    let (whole, rest) = (count(milli / 1_000), milli % 1_000);
    match rest {
        0 => whole,
        rest => format!("{whole}.{}", format!("{rest:03}").trim_end_matches('0')),
    }
}

/// Minor units as `12,345.60`, without the currency.
pub fn amount(minor: i64, currency: Currency) -> String {
    grouped(&money::decimal(minor, currency))
}

/// Minor units as `12,345.60 EUR`; the two never part at the end of a line.
pub fn money(minor: i64, currency: Currency) -> String {
    format!("{}\u{a0}{}", amount(minor, currency), currency.code())
}

/// A quotient in minor units, rounded to whole ones: `12.4` cents as `0.12`.
pub fn mean_amount(minor: Option<f64>, currency: Currency) -> String {
    match minor {
        Some(minor) if minor.is_finite() => amount(minor.round() as i64, currency),
        _ => NOTHING.to_owned(),
    }
}

/// A ratio with one digit behind the point: `0.0871` as `8.7%`.
pub fn percent(ratio: Option<f64>) -> String {
    match ratio.map(|ratio| ratio * 100.0) {
        Some(percent) if percent.is_finite() => format!("{}%", grouped(&format!("{percent:.1}"))),
        _ => NOTHING.to_owned(),
    }
}

/// An instant as it stands in an answer of the API, for people; as it is when it is none.
pub fn told_moment(text: &str) -> String {
    Timestamp::parse(text).map_or_else(|| text.to_owned(), moment)
}

/// An instant as `21 Nov 2026, 09:53 UTC`; RFC 3339 where the calendar ends.
pub fn moment(instant: Timestamp) -> String {
    match jiff::Timestamp::from_millisecond(instant.0) {
        Ok(exact) => exact.strftime("%-d %b %Y, %H:%M UTC").to_string(),
        Err(_) => instant.to_string(),
    }
}

/// Puts separators into the whole part of a decimal, and a proper minus before it unless it is zero.
fn grouped(decimal: &str) -> String {
    let (negative, unsigned) = match decimal.strip_prefix('-') {
        Some(rest) => (rest.bytes().any(|byte| matches!(byte, b'1'..=b'9')), rest),
        None => (false, decimal),
    };
    let (whole, fraction) = match unsigned.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (unsigned, None),
    };
    let mut text = String::with_capacity(decimal.len() * 2);
    if negative {
        text.push_str(MINUS);
    }
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(GROUP) {
            text.push(',');
        }
        text.push(digit);
    }
    if let Some(fraction) = fraction {
        text.push('.');
        text.push_str(fraction);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn counts_are_grouped() {
        for (number, expected) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (123_456, "123,456"),
            (1_234_567, "1,234,567"),
            (u64::MAX, "18,446,744,073,709,551,615"),
        ] {
            assert_eq!(count(number), expected);
        }
    }

    #[test]
    fn parts_of_orders_are_written_as_short_as_they_are() {
        for (milli, expected) in [
            (0, "0"),
            (2_000, "2"),
            (1_333, "1.333"),
            (5, "0.005"),
            (1_234_500, "1,234.5"),
        ] {
            assert_eq!(thousandths(milli), expected);
        }
        assert_eq!(maybe_count(None), "–");
    }

    #[test]
    fn money_is_written_by_the_currency() {
        for (minor, currency, expected) in [
            (0, Currency::EUR, "0.00\u{a0}EUR"),
            (5, Currency::USD, "0.05\u{a0}USD"),
            (-305, Currency::USD, "−3.05\u{a0}USD"),
            (123_456_789, Currency::EUR, "1,234,567.89\u{a0}EUR"),
            (-100_000, Currency::EUR, "−1,000.00\u{a0}EUR"),
            (1_200, Currency::JPY, "1,200\u{a0}JPY"),
            (1_234_567, Currency::KWD, "1,234.567\u{a0}KWD"),
            (i64::MIN, Currency::JPY, "−9,223,372,036,854,775,808\u{a0}JPY"),
        ] {
            assert_eq!(money(minor, currency), expected);
        }
    }

    #[test]
    fn ratios_have_one_digit_or_are_a_dash() {
        for (ratio, expected) in [
            (None, "–"),
            (Some(f64::NAN), "–"),
            (Some(f64::INFINITY), "–"),
            (Some(0.0), "0.0%"),
            (Some(-0.0), "0.0%"),
            (Some(-0.0001), "0.0%"),
            (Some(0.0871), "8.7%"),
            (Some(3.42), "342.0%"),
            (Some(-0.355), "−35.5%"),
            (Some(123.45), "12,345.0%"),
        ] {
            assert_eq!(percent(ratio), expected, "{ratio:?}");
        }
    }

    #[test]
    fn mean_amounts_are_rounded_to_minor_units() {
        for (minor, currency, expected) in [
            (None, Currency::EUR, "–"),
            (Some(f64::NAN), Currency::EUR, "–"),
            (Some(12.4), Currency::EUR, "0.12"),
            (Some(-0.3), Currency::EUR, "0.00"),
            (Some(123_456.5), Currency::EUR, "1,234.57"),
            (Some(12.5), Currency::JPY, "13"),
        ] {
            assert_eq!(mean_amount(minor, currency), expected, "{minor:?}");
        }
    }

    #[test]
    fn instants_are_read_in_utc() {
        assert_eq!(moment(Timestamp(1_795_254_780_123)), "21 Nov 2026, 09:53 UTC");
        assert_eq!(moment(Timestamp(i64::MAX)), i64::MAX.to_string());
    }

    proptest! {
        #[test]
        fn separators_change_nothing_else(minor: i64) {
            let plain = amount(minor, Currency::EUR).replace(',', "").replace(MINUS, "-");
            prop_assert_eq!(plain, money::decimal(minor, Currency::EUR));
        }
    }
}
