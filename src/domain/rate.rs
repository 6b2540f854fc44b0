//! Exchange rates that a brand loads, one a day and pair, and amounts converted by them: integers only.
//!
//! A rate is a fixed-point number, so that the same rates and orders give the same cents on every machine.

use std::collections::BTreeMap;

use super::money::{Currency, digits};

/// Digits behind the point of a rate. 12: the rupiah in dollars (0.0000629…) still keeps eight of them.
pub const RATE_DIGITS: u32 = 12;
/// One, as a [`Rate`] holds it.
const ONE: i64 = 10_i64.pow(RATE_DIGITS);
/// How many days back a rate is taken from when its own day has none. 7: central banks publish none at week-ends and
/// through a few holidays; what is older than a week says little about today.
pub const RATE_AGE_DAYS_MAX: u32 = 7;
/// Most rates of one call. 10,000: a year of 27 currencies, some 400 kB.
pub const RATES_PER_CALL_MAX: usize = 10_000;

/// How many of the quote currency one of the base currency is worth; above 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate(i64);

/// A text that is no rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RateError {
    /// Not a decimal number such as `1.0834`.
    NotANumber,
    /// More than [`RATE_DIGITS`] digits behind the point.
    TooFine,
    /// 0, or more than fits (9,223,372).
    OutOfRange,
}

impl RateError {
    /// What is wrong and what to do.
    pub fn message(self) -> &'static str {
        match self {
            Self::NotANumber => "must be a decimal such as 1.0834, as text",
            Self::TooFine => "must have at most 12 digits behind the point",
            Self::OutOfRange => "must be above 0 and below 9000000: load the pair the other way round",
        }
    }
}

impl Rate {
    /// Reads a decimal such as `1.0834`.
    ///
    /// # Errors
    /// [`RateError`].
    pub fn parse(text: &str) -> Result<Self, RateError> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) {
            return Err(RateError::NotANumber);
        }
        let fraction = fraction.trim_end_matches('0');
        if fraction.len() > RATE_DIGITS as usize {
            return Err(RateError::TooFine);
        }
        let width = RATE_DIGITS as usize;
        let number: Option<i64> = format!("{whole}{fraction:0<width$}").parse().ok();
        number
            .filter(|number| *number > 0)
            .map(Self)
            .ok_or(RateError::OutOfRange)
    }

    /// The rate as the books keep it.
    pub fn fixed(self) -> i64 {
        self.0
    }

    /// The rate that the books keep as `fixed`; `None` unless it is above 0.
    pub fn of_fixed(fixed: i64) -> Option<Self> {
        (fixed > 0).then_some(Self(fixed))
    }
}

impl std::fmt::Display for Rate {
    /// As short a decimal as says it exactly.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = format!(
            "{}.{:0width$}",
            self.0 / ONE,
            self.0 % ONE,
            width = RATE_DIGITS as usize
        );
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// A rate as a brand tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatedRate {
    pub base: Currency,
    pub quote: Currency,
    /// Number of the UTC day since 1970.
    pub day: u32,
    pub rate: Rate,
}

/// Which way a rate was loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// From the currency that is converted.
    Direct,
    /// To it: amounts are divided.
    Inverse,
}

/// The rates of one pair of currencies, by day, loaded either way round.
#[derive(Debug, Clone)]
pub struct Exchange {
    from: Currency,
    to: Currency,
    days: BTreeMap<u32, (Way, Rate)>,
}

impl Exchange {
    /// From `from` to `to`, by those of `rates` that are of this pair. Where a day has both ways, the direct one counts.
    pub fn new(from: Currency, to: Currency, rates: impl IntoIterator<Item = DatedRate>) -> Self {
        let mut days = BTreeMap::new();
        for dated in rates {
            if (dated.base, dated.quote) == (from, to) {
                days.insert(dated.day, (Way::Direct, dated.rate));
            } else if (dated.base, dated.quote) == (to, from) {
                days.entry(dated.day).or_insert((Way::Inverse, dated.rate));
            }
        }
        Self { from, to, days }
    }

    /// Whether a rate is known for `day`: its own, or the nearest earlier one of the last [`RATE_AGE_DAYS_MAX`] days.
    pub fn knows(&self, day: u32) -> bool {
        self.from == self.to || self.rate(day).is_some()
    }

    /// `amount` minor units of `from` on `day` in minor units of `to`, halves rounded to even; `None` without a rate, or
    /// when it does not fit.
    pub fn convert(&self, amount: i64, day: u32) -> Option<i64> {
        if self.from == self.to {
            return Some(amount);
        }
        let (way, rate) = self.rate(day)?;
        let power = |digits: u32| 10_i128.pow(digits);
        let (mut over, mut under) = match way {
            Way::Direct => (i128::from(rate.0), i128::from(ONE)),
            Way::Inverse => (i128::from(ONE), i128::from(rate.0)),
        };
        over = over.checked_mul(power(digits(self.to)))?;
        under = under.checked_mul(power(digits(self.from)))?;
        i64::try_from(half_even(i128::from(amount).checked_mul(over)?, under)).ok()
    }

    fn rate(&self, day: u32) -> Option<(Way, Rate)> {
        let oldest = day.saturating_sub(RATE_AGE_DAYS_MAX);
        self.days.range(oldest..=day).next_back().map(|(_, found)| *found)
    }
}

/// `over / under` (above 0), halves rounded to the even neighbour.
fn half_even(over: i128, under: i128) -> i128 {
    let (whole, rest) = (over.div_euclid(under), over.rem_euclid(under));
    let goes_up = match rest.cmp(&(under - rest)) {
        std::cmp::Ordering::Less => false,
        std::cmp::Ordering::Equal => whole % 2 != 0,
        std::cmp::Ordering::Greater => true,
    };
    whole + i128::from(goes_up)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn dated(base: Currency, quote: Currency, day: u32, rate: &str) -> DatedRate {
        DatedRate {
            base,
            quote,
            day,
            rate: Rate::parse(rate).expect("a rate"),
        }
    }

    #[test]
    fn rates_are_read_exactly() {
        for (text, expected) in [
            ("1", Ok("1")),
            ("1.0834", Ok("1.0834")),
            ("01.50", Ok("1.5")),
            ("0.000062900000", Ok("0.0000629")),
            ("9223371", Ok("9223371")),
            ("0.0000000000001", Err(RateError::TooFine)),
            ("0", Err(RateError::OutOfRange)),
            ("9223373", Err(RateError::OutOfRange)),
            ("99999999999999999999", Err(RateError::OutOfRange)),
            ("-1", Err(RateError::NotANumber)),
            ("1e3", Err(RateError::NotANumber)),
            ("1,5", Err(RateError::NotANumber)),
            (".5", Err(RateError::NotANumber)),
            ("", Err(RateError::NotANumber)),
        ] {
            assert_eq!(
                Rate::parse(text).map(|rate| rate.to_string()).as_deref(),
                expected.as_ref().map(|text| *text),
                "{text}"
            );
        }
    }

    #[test]
    fn halves_go_to_the_even_cent() {
        let exchange = |rate| {
            Exchange::new(
                Currency::USD,
                Currency::EUR,
                [dated(Currency::USD, Currency::EUR, 10, rate)],
            )
        };
        for (amount, rate, expected) in [
            (1, "0.5", 0),
            (3, "0.5", 2),
            (5, "0.5", 2),
            (7, "0.5", 4),
            (-1, "0.5", 0),
            (-3, "0.5", -2),
            (1_000, "0.9236", 924),
            (0, "0.9236", 0),
        ] {
            assert_eq!(exchange(rate).convert(amount, 10), Some(expected), "{amount} at {rate}");
        }
        assert_eq!(exchange("9000000").convert(i64::MAX, 10), None, "does not fit");
    }

    #[test]
    fn currencies_without_cents_and_rates_of_either_way() {
        let yen = [dated(Currency::EUR, Currency::JPY, 10, "160")];
        assert_eq!(
            Exchange::new(Currency::EUR, Currency::JPY, yen).convert(1_999, 10),
            Some(3_198)
        );
        assert_eq!(
            Exchange::new(Currency::JPY, Currency::EUR, yen).convert(3_200, 10),
            Some(2_000)
        );
        let both = [
            dated(Currency::EUR, Currency::JPY, 10, "160"),
            dated(Currency::JPY, Currency::EUR, 10, "0.01"),
        ];
        assert_eq!(
            Exchange::new(Currency::JPY, Currency::EUR, both).convert(3_200, 10),
            Some(3_200)
        );
        assert_eq!(Exchange::new(Currency::EUR, Currency::EUR, []).convert(5, 10), Some(5));
    }

    #[test]
    fn the_nearest_earlier_rate_counts_for_a_week() {
        let rates = [
            dated(Currency::USD, Currency::EUR, 10, "2"),
            dated(Currency::USD, Currency::EUR, 12, "3"),
            dated(Currency::EUR, Currency::USD, 13, "0.25"),
            dated(Currency::USD, Currency::GBP, 14, "9"),
        ];
        let exchange = Exchange::new(Currency::USD, Currency::EUR, rates);
        for (day, expected) in [
            (9, None),
            (10, Some(200)),
            (11, Some(200)),
            (12, Some(300)),
            (13, Some(400)),
            (20, Some(400)),
            (21, None),
        ] {
            assert_eq!(exchange.convert(100, day), expected, "{day}");
            assert_eq!(exchange.knows(day), expected.is_some(), "{day}");
        }
    }

    proptest! {
        #[test]
        fn a_larger_amount_never_converts_to_less(a in 0i64..1_000_000_000, b in 0i64..1_000_000_000, rate in 1i64..9_000_000_000_000) {
            let rate = Rate::of_fixed(rate).expect("above 0");
            for (base, quote) in [(Currency::USD, Currency::KWD), (Currency::KWD, Currency::USD)] {
                let exchange = Exchange::new(Currency::USD, Currency::KWD, [DatedRate { base, quote, day: 5, rate }]);
                if let (Some(x), Some(y)) = (exchange.convert(a.min(b), 5), exchange.convert(a.max(b), 5)) {
                    prop_assert!(0 <= x && x <= y);
                }
            }
            prop_assert_eq!(Rate::parse(&rate.to_string()), Ok(rate));
        }
    }
}
