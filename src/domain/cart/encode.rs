//! How ids, codes and numbers are spelt in cart URLs. Never writes a byte that is not printable ASCII.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::Line;

/// Everything but RFC 3986's unreserved characters.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Appends `text`, a space as `%20`.
pub(super) fn push_encoded(out: &mut String, text: &str) {
    out.extend(utf8_percent_encode(text, ENCODED));
}

/// Appends a quantity, at most two digits.
pub(super) fn push_number(out: &mut String, number: u32) {
    if number >= 10 {
        out.push((b'0' + (number / 10 % 10) as u8) as char);
    }
    out.push((b'0' + (number % 10) as u8) as char);
}

/// Appends `id:quantity,…`, the value of `products` at WooCommerce, BigCommerce and Meta.
pub(super) fn push_pairs(out: &mut String, lines: &[Line<'_>]) {
    for (place, line) in lines.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        push_encoded(out, line.variant_id);
        out.push(':');
        push_number(out, line.quantity);
    }
}

/// Whether `text` is a number as shops count their products: digits, not starting with 0, at most an i64's 18.
pub(super) fn is_product_number(text: &str) -> bool {
    !text.is_empty() && text.len() <= 18 && !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit())
}
