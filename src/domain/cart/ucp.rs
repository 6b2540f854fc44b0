//! UCP permalinks, `{endpoint}/{items}?{query}` (Universal Commerce Protocol, `dev.ucp.shopping.permalink`): the
//! endpoint is the one of the store's profile, else its base URL; attributes and click id travel as `attribution/…` and come back in `order.attribution`.
//!
//! An id is never percent-encoded: what is not plain goes as `~` and base64url. Two parameters never name one pointer.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::encode::{push_encoded, push_number};
use super::{CLICK_ID_ATTRIBUTE, Cart, CartRequest, append_forwarded};
use crate::domain::store::NAME_MAX;

/// Whether `id` can stand in an item path as it is.
pub fn is_plain(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(is_plain_byte)
}

fn is_plain_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

/// Checks an item id: a decoded control character makes the whole link malformed.
///
/// # Errors
/// What the id must look like.
pub fn check_id(id: &str) -> Result<(), &'static str> {
    let is_good = !id.is_empty() && id.chars().count() <= NAME_MAX && !id.chars().any(char::is_control);
    is_good
        .then_some(())
        .ok_or("must have 1 to 255 characters and no control characters")
}

/// Checks that every attribute can be a field under `attribution/`.
///
/// # Errors
/// What an attribute must look like.
pub fn check_attributes(cart: &Cart) -> Result<(), &'static str> {
    let has_control = |text: &str| text.chars().any(char::is_control);
    if cart
        .attributes
        .iter()
        .any(|(name, value)| has_control(name) || has_control(value))
    {
        return Err("must not contain control characters: a UCP permalink with one is refused as a whole");
    }
    Ok(())
}

/// Appends the token of `id`.
pub fn push_token(out: &mut String, id: &str) {
    if is_plain(id) {
        out.push_str(id);
    } else {
        out.push('~');
        URL_SAFE_NO_PAD.encode_string(id, out);
    }
}

/// The id of a token; `None` for anything but its one spelling.
pub fn id_of_token(token: &str) -> Option<String> {
    let Some(encoded) = token.strip_prefix('~') else {
        return is_plain(token).then(|| token.to_owned());
    };
    // The engine refuses padding and trailing bits, so a decoded token has one spelling.
    let id = String::from_utf8(URL_SAFE_NO_PAD.decode(encoded).ok()?).ok()?;
    check_id(&id).is_ok().then_some(id)
}

/// Appends the permalink at `endpoint` to `out`.
pub fn write(out: &mut String, endpoint: &str, request: &CartRequest<'_>) {
    out.push_str(endpoint.trim_end_matches('/'));
    out.push('/');
    for (place, line) in request.lines.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        push_token(out, line.variant_id);
        out.push(':');
        push_number(out, line.quantity);
    }
    let mut is_first = true;
    for (place, code) in (0u32..).zip(request.codes()) {
        push_separator(out, &mut is_first);
        out.push_str("discounts/codes/");
        push_number(out, place);
        out.push('=');
        push_encoded(out, code);
    }
    for (name, value) in &request.cart.attributes {
        append_attribution(out, &mut is_first, name, value);
    }
    if let Some(click_id) = request.click_id {
        append_attribution(out, &mut is_first, CLICK_ID_ATTRIBUTE, click_id);
    }
    if let Some(path) = &request.cart.continue_to {
        push_separator(out, &mut is_first);
        out.push_str("continue_to=");
        push_encoded(out, path);
    }
    append_forwarded(out, &mut is_first, request);
}

/// A `/` or `~` in a name is escaped as JSON Pointer (RFC 6901) says, or the name would be two.
fn append_attribution(out: &mut String, is_first: &mut bool, name: &str, value: &str) {
    push_separator(out, is_first);
    out.push_str("attribution/");
    for (place, part) in name.split('/').enumerate() {
        if place > 0 {
            out.push_str("~1");
        }
        push_encoded(out, &part.replace('~', "~0"));
    }
    out.push('=');
    push_encoded(out, value);
}

fn push_separator(out: &mut String, is_first: &mut bool) {
    out.push(if *is_first { '?' } else { '&' });
    *is_first = false;
}

#[cfg(test)]
mod tests {
    use super::super::tests::cart;
    use super::super::{CartBase, Line};
    use super::*;
    use crate::domain::store::Provider;

    #[test]
    fn permalinks_are_exact() {
        let plain = cart(&[("a", 2, &[])]);
        let mut full = plain.clone();
        full.discount_codes = vec!["VIP20".into(), "Ü+1".into()];
        full.attributes = vec![("gift wrap".into(), "yes & no".into()), ("a/b~c".into(), "1".into())];
        full.continue_to = Some("/collections/spring?a=1".into());
        let lines = [
            Line {
                variant_id: "sku_kit",
                quantity: 3,
            },
            Line {
                variant_id: "gid://shopify/ProductVariant/70881412",
                quantity: 12,
            },
        ];
        let utm = [Some("insta".to_owned()), None, None, None, None];
        let items = "https://merchant.example/buy/sku_kit:3,~Z2lkOi8vc2hvcGlmeS9Qcm9kdWN0VmFyaWFudC83MDg4MTQxMg:12";
        for (cart, click_id, request_query, query) in [
            (&plain, None, "", "?utm_source=insta"),
            (
                &plain,
                Some("ID"),
                "utm_source=tik%20tok&attribution/hop_id=forged&discounts/codes/0=FREE&continue_to=//evil.example",
                "?attribution/hop_id=ID&utm_source=tik+tok",
            ),
            (
                &full,
                Some("ID"),
                "",
                "?discounts/codes/0=VIP20&discounts/codes/1=%C3%9C%2B1&attribution/gift%20wrap=yes%20%26%20no&attribution/a~1b~0c=1&attribution/hop_id=ID&continue_to=%2Fcollections%2Fspring%3Fa%3D1&utm_source=insta",
            ),
        ] {
            for base_url in ["https://merchant.example/buy", "https://merchant.example/buy/"] {
                let mut out = String::new();
                write(
                    &mut out,
                    base_url,
                    &CartRequest {
                        base: &CartBase::plain(Provider::Ucp, base_url),
                        cart,
                        lines: &lines,
                        code: None,
                        click_id,
                        request_query,
                        utm: &utm,
                    },
                );
                assert_eq!(out, format!("{items}{query}"));
            }
        }
    }

    #[test]
    fn tokens_have_one_spelling() {
        let gid = "gid://shopify/ProductVariant/70881412";
        let vector = "~Z2lkOi8vc2hvcGlmeS9Qcm9kdWN0VmFyaWFudC83MDg4MTQxMg";
        for (id, token) in [
            (gid, vector),
            ("sku_123", "sku_123"),
            ("é", "~w6k"),
            ("~", "~fg"),
            ("a b", "~YSBi"),
        ] {
            let mut out = String::new();
            push_token(&mut out, id);
            assert_eq!(out, token);
            assert_eq!(id_of_token(token).as_deref(), Some(id));
        }
        // Raw and encoded forms are one id; padding, trailing bits, bad UTF-8 and control characters are none.
        assert_eq!(id_of_token("~YWI").as_deref(), Some("ab"));
        for bad in [
            "", "~", "~YWI=", "~YWJ", "~/w", "~_w", "~Cg", "a%20b", "a:b", "a~b", "ü",
        ] {
            assert_eq!(id_of_token(bad), None, "{bad}");
        }
    }
}
