//! What all shops' payloads have in common: ids that are numbers or text, amounts as decimals, HMACs to compare, and
//! what is said of a payload that cannot be read. Pure.

use std::fmt;

use aws_lc_rs::hmac;
use serde::Deserialize;
use serde_json::Value;

use crate::domain::money::{self, Currency};

/// Most lines of one order or refund that are read: Shopify allows 500, people buy ten.
pub const LINES_MAX: usize = 1_000;
/// Most refunds told with one order: each takes away from it, and a thousand lines can be given back one by one.
pub const REFUNDS_MAX: usize = 1_000;
/// Most codes of one order that are looked up: shops allow a handful.
pub const CODES_MAX: usize = 50;
/// Longest id, in bytes. 255: as long as the API takes one.
const ID_MAX: usize = 255;

/// A payload that is signed but not what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayloadError {
    /// The field, in the shop's spelling.
    pub field: &'static str,
    pub message: String,
}

impl fmt::Display for PayloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

impl std::error::Error for PayloadError {}

/// `field` is wrong.
pub fn bad(field: &'static str, message: &str) -> PayloadError {
    PayloadError {
        field,
        message: message.to_owned(),
    }
}

/// The JSON of `body`, nested at most 128 levels deep (serde_json's own bound).
///
/// # Errors
/// What is wrong, under the name `body`.
pub fn json<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, PayloadError> {
    serde_json::from_slice(body).map_err(|error| bad("body", &error.to_string()))
}

/// At most [`LINES_MAX`] lines.
///
/// # Errors
/// Too many, named `field`.
pub fn bounded<T>(field: &'static str, lines: Vec<T>, most: usize) -> Result<Vec<T>, PayloadError> {
    if lines.len() > most {
        return Err(bad(field, &format!("has more than {most} entries")));
    }
    Ok(lines)
}

/// The codes of an order that are looked up: without blanks, none twice, at most [`CODES_MAX`].
pub fn codes(told: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut codes: Vec<String> = Vec::new();
    for code in told {
        if code.trim().is_empty() || code.len() > ID_MAX || codes.contains(&code) {
            continue;
        }
        codes.push(code);
        if codes.len() == CODES_MAX {
            break;
        }
    }
    codes
}

/// An id as text: numbers keep all their digits.
pub fn id_text(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) if number.is_u64() => Some(number.to_string()),
        Value::String(text) if !text.is_empty() && text.len() <= ID_MAX => Some(text.clone()),
        _ => None,
    }
}

/// An id that must be there.
///
/// # Errors
/// When it is neither a number nor text of 1 to 255 bytes.
pub fn required_id(field: &'static str, value: Option<&Value>) -> Result<String, PayloadError> {
    value
        .and_then(id_text)
        .ok_or_else(|| bad(field, "is not a number or text"))
}

/// Minor units of a decimal string, or of a number (which a shop may have computed with floats: rounded).
///
/// # Errors
/// What is no amount of `currency`.
pub fn amount(field: &'static str, value: &Value, currency: Currency) -> Result<i64, PayloadError> {
    let read = match value {
        Value::String(text) => money::minor_units(text, currency),
        Value::Number(number) => money::minor_units_rounded(&number.to_string(), currency),
        _ => return Err(bad(field, "is neither a decimal string nor a number")),
    };
    read.map_err(|_| bad(field, "is not an amount of the order's currency"))
}

/// As [`amount`] for shops that compute tax to more digits than the currency has: rounded also as text.
///
/// # Errors
/// As [`amount`].
pub fn amount_rounded(field: &'static str, value: &Value, currency: Currency) -> Result<i64, PayloadError> {
    match value {
        Value::String(text) => money::minor_units_rounded(text.trim(), currency)
            .map_err(|_| bad(field, "is not an amount of the order's currency")),
        other => amount(field, other, currency),
    }
}

/// A sum of amounts.
///
/// # Errors
/// When it does not fit 64 bits.
pub fn sum(field: &'static str, amounts: impl IntoIterator<Item = i64>) -> Result<i64, PayloadError> {
    let mut amounts = amounts.into_iter();
    amounts
        .try_fold(0i64, i64::checked_add)
        .ok_or_else(|| bad(field, "add up to more than fits"))
}

/// Whether `tag` is the HMAC-SHA256 of the `parts`, one after the other, under one of `keys`. No key and an empty key
/// accept nothing. Compares in constant time, and tries every key, so that the time does not tell which one fits.
pub fn is_signed<'k>(keys: impl IntoIterator<Item = &'k [u8]>, parts: &[&[u8]], tag: &[u8]) -> bool {
    let fits = |key: &&[u8]| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        hmac::verify(&key, &parts.concat(), tag).is_ok()
    };
    keys.into_iter().filter(|key| !key.is_empty()).filter(fits).count() > 0
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn codes_are_few_and_none_twice() {
        let told = ["A", "", " ", "B", "A"].map(str::to_owned);
        assert_eq!(codes(told), ["A", "B"]);
        assert_eq!(codes((0..90).map(|code| code.to_string())).len(), CODES_MAX);
        assert_eq!(codes(["x".repeat(256)]), Vec::<String>::new());
    }

    #[test]
    fn ids_and_amounts_keep_their_digits() {
        assert_eq!(
            id_text(&json!(18_446_744_073_709_551_615_u64)).as_deref(),
            Some("18446744073709551615")
        );
        for none in [json!(-1), json!(1.5), json!(""), json!(null), json!("x".repeat(256))] {
            assert_eq!(id_text(&none), None);
        }
        let euro = Currency::EUR;
        assert_eq!(amount_rounded("a", &json!("3.8025"), euro), Ok(380));
        assert_eq!(amount_rounded("a", &json!("-10.00"), euro), Ok(-1000));
        assert!(amount("a", &json!("3.8025"), euro).is_err() && amount_rounded("a", &json!("x"), euro).is_err());
        assert!(sum("a", [i64::MAX, 1]).is_err());
    }

    #[test]
    fn deep_bodies_are_refused_and_not_followed() {
        let deep = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
        assert_eq!(json::<Value>(&deep).map_err(|error| error.field), Err("body"));
    }
}
