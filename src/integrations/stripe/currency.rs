//! Stripe's amounts: integers in each currency's smallest unit as Stripe counts it, which is not always ISO 4217's.
//!
//! Source: docs.stripe.com/currencies, "Zero-decimal currencies", "Special cases" and "Three-decimal currencies".

use crate::domain::money::{self, Currency};

/// Digits behind the point that Stripe leaves out of `currency`'s amounts.
fn digits(currency: Currency) -> u32 {
    match currency.code() {
        "BIF" | "CLP" | "DJF" | "GNF" | "JPY" | "KMF" | "KRW" | "MGA" | "PYG" | "RWF" | "VND" | "VUV" | "XAF"
        | "XOF" | "XPF" => 0,
        "BHD" | "JOD" | "KWD" | "OMR" | "TND" => 3,
        // Also those that ISO 4217 counts without digits and Stripe with two: ISK and UGX.
        _ => 2,
    }
}

/// Our minor units of Stripe's `amount`; halves away from zero. `None` when it does not fit.
pub fn minor_units(amount: i64, currency: Currency) -> Option<i64> {
    let (theirs, ours) = (digits(currency), money::digits(currency));
    if ours >= theirs {
        return amount.checked_mul(10i64.checked_pow(ours - theirs)?);
    }
    let unit = 10i64.checked_pow(theirs - ours)?;
    let half = unit / 2 * amount.signum();
    Some(amount.checked_add(half)? / unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_in_our_minor_units() {
        for (code, theirs, ours) in [
            ("EUR", 1990, Some(1990)),
            ("JPY", 1200, Some(1200)),
            ("KWD", 1230, Some(1230)),
            // Five krónur are 500 there; ours has no digits.
            ("ISK", 500, Some(5)),
            ("UGX", 12_300, Some(123)),
            ("UGX", -12_350, Some(-124)),
            ("EUR", i64::MAX, Some(i64::MAX)),
            ("ISK", i64::MAX, None),
        ] {
            let currency = money::currency(code).expect("a currency");
            assert_eq!(minor_units(theirs, currency), ours, "{theirs} {code}");
        }
        let ariary = money::currency("MGA").expect("a currency");
        let scale = 10i64.pow(money::digits(ariary));
        assert_eq!(minor_units(7, ariary), Some(7 * scale), "told without digits");
    }
}
