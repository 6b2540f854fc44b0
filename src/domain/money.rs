//! Money as integer minor units of an ISO 4217 currency.
//!
//! Never a float; every sum is checked.

pub use iso_currency::Currency;

/// An amount that could not be read or does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MoneyError {
    /// Not a decimal number such as `19.90`.
    NotANumber,
    /// More digits behind the point than the currency has, and not all of them zero.
    TooFine,
    /// Larger than 64-bit minor units.
    TooLarge,
}

/// Digits behind the point of `currency` (2 for EUR, 0 for JPY, 3 for KWD); 2 where ISO 4217 names none.
pub fn digits(currency: Currency) -> u32 {
    currency.exponent().map_or(2, u32::from)
}

/// The currency with ISO 4217 code `code`, in any letter case.
pub fn currency(code: &str) -> Option<Currency> {
    Currency::from_code(&code.to_ascii_uppercase())
}

/// Reads a decimal such as `"19.90"`, `"-3"` or `"7.5"` into minor units of `currency`.
pub fn minor_units(text: &str, currency: Currency) -> Result<i64, MoneyError> {
    let digits = digits(currency) as usize;
    let (negative, unsigned) = match text.trim().strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.trim()),
    };
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
        return Err(MoneyError::NotANumber);
    }
    let (kept, spare) = fraction.split_at(fraction.len().min(digits));
    if spare.bytes().any(|byte| byte != b'0') {
        return Err(MoneyError::TooFine);
    }
    let mut amount: i64 = 0;
    for byte in whole
        .bytes()
        .chain(kept.bytes())
        .chain(std::iter::repeat_n(b'0', digits - kept.len()))
    {
        amount = amount
            .checked_mul(10)
            .and_then(|tens| tens.checked_add(i64::from(byte - b'0')))
            .ok_or(MoneyError::TooLarge)?;
    }
    Ok(if negative { -amount } else { amount })
}

/// As [`minor_units`], for numbers that others computed with floats: digits beyond the currency's are rounded, halves
/// away from zero.
pub fn minor_units_rounded(text: &str, currency: Currency) -> Result<i64, MoneyError> {
    let kept = text.find('.').map_or(text.len(), |point| {
        text.len().min(point + 1 + digits(currency) as usize)
    });
    let (exact, rest) = text.split_at_checked(kept).ok_or(MoneyError::NotANumber)?;
    if !rest.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(MoneyError::NotANumber);
    }
    let amount = minor_units(exact, currency)?;
    let step = match rest.bytes().next() {
        Some(b'5'..) if exact.starts_with('-') => -1,
        Some(b'5'..) => 1,
        _ => 0,
    };
    amount.checked_add(step).ok_or(MoneyError::TooLarge)
}

/// `amount` minor units of `currency` as a decimal, such as `-3.05`.
pub fn decimal(amount: i64, currency: Currency) -> String {
    let digits = digits(currency);
    let unit = 10u64.pow(digits);
    let sign = if amount < 0 { "-" } else { "" };
    let whole = amount.unsigned_abs() / unit;
    if digits == 0 {
        return format!("{sign}{whole}");
    }
    let fraction = amount.unsigned_abs() % unit;
    format!("{sign}{whole}.{fraction:0width$}", width = digits as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn amounts_are_read_by_the_currency() {
        for (text, currency, expected) in [
            ("19.90", Currency::EUR, Ok(1990)),
            ("19.9", Currency::EUR, Ok(1990)),
            ("19", Currency::EUR, Ok(1900)),
            ("0.00", Currency::EUR, Ok(0)),
            ("-3.05", Currency::USD, Ok(-305)),
            ("1200", Currency::JPY, Ok(1200)),
            ("1200.00", Currency::JPY, Ok(1200)),
            ("1.234", Currency::KWD, Ok(1234)),
            ("19.999", Currency::EUR, Err(MoneyError::TooFine)),
            ("", Currency::EUR, Err(MoneyError::NotANumber)),
            (".5", Currency::EUR, Err(MoneyError::NotANumber)),
            ("1e3", Currency::EUR, Err(MoneyError::NotANumber)),
            ("١", Currency::EUR, Err(MoneyError::NotANumber)),
            ("99999999999999999999", Currency::EUR, Err(MoneyError::TooLarge)),
        ] {
            assert_eq!(minor_units(text, currency), expected, "{text} {currency:?}");
        }
    }

    #[test]
    fn computed_numbers_are_rounded() {
        for (text, currency, expected) in [
            ("17.94", Currency::EUR, Ok(1794)),
            ("0.30000000000000004", Currency::EUR, Ok(30)),
            ("8.965", Currency::EUR, Ok(897)),
            ("-8.965", Currency::EUR, Ok(-897)),
            ("12", Currency::EUR, Ok(1200)),
            ("12.5", Currency::JPY, Ok(13)),
            ("1e-7", Currency::EUR, Err(MoneyError::NotANumber)),
            ("1.999x", Currency::EUR, Err(MoneyError::NotANumber)),
        ] {
            assert_eq!(minor_units_rounded(text, currency), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn decimals_read_back(amount in -1_000_000_000_000i64..1_000_000_000_000) {
            for currency in [Currency::EUR, Currency::JPY, Currency::KWD] {
                prop_assert_eq!(minor_units(&decimal(amount, currency), currency), Ok(amount));
            }
        }
    }
}
