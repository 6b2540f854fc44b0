//! Ecwid's (Lightspeed's) generated carts, `{page}#!/~/cart/create=` and a percent-encoded JSON text
//! (docs.ecwid.com): the fragment is read by the page's script, no server sees it.
//!
//! Only the order's comment comes back, so it holds the note and, on a line of its own, the click id. Discount codes
//! and order attributes have no place. Wix pages want base64 and are not served.

use serde::Serialize;

use super::encode::push_encoded;
use super::{CLICK_ID_ATTRIBUTE, CartRequest, append_forwarded};
use crate::domain::click_id::CLICK_ID_LENGTH;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Generated {
    goto_checkout: bool,
    products: Vec<GeneratedItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<Profile>,
}

#[derive(Serialize)]
struct GeneratedItem {
    id: u64,
    quantity: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Profile {
    order_comments: String,
}

/// Appends the page's URL with the cart in its fragment to `out`.
pub fn write(out: &mut String, request: &CartRequest<'_>) {
    out.push_str(&request.base.url);
    let mut is_first = !request.base.url.contains('?');
    append_forwarded(out, &mut is_first, request);
    let item = |line: &super::Line<'_>| GeneratedItem {
        id: line.variant_id.parse().unwrap_or_default(),
        quantity: line.quantity,
    };
    let cart = Generated {
        goto_checkout: true,
        products: request.lines.iter().map(item).collect(),
        profile: comments(request).map(|order_comments| Profile { order_comments }),
    };
    out.push_str("#!/~/cart/create=");
    push_encoded(out, &serde_json::to_string(&cart).unwrap_or_default());
}

fn comments(request: &CartRequest<'_>) -> Option<String> {
    let click = request
        .click_id
        .map(|click_id| format!("{CLICK_ID_ATTRIBUTE}={click_id}"));
    let parts: Vec<&str> = request
        .cart
        .note
        .as_deref()
        .into_iter()
        .chain(click.as_deref())
        .collect();
    (!parts.is_empty()).then(|| parts.join("\n"))
}

/// The click id in an order's comment, which the customer may have edited around it; not verified.
pub fn click_id_in(comments: &str) -> Option<&str> {
    let (_, tail) = comments.rsplit_once(CLICK_ID_ATTRIBUTE)?;
    let candidate = tail.strip_prefix('=')?.get(..CLICK_ID_LENGTH)?;
    candidate
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric())
        .then_some(candidate)
}

#[cfg(test)]
mod tests {
    use super::super::tests::cart;
    use super::super::{CartBase, Line};
    use super::*;
    use crate::domain::store::Provider;

    #[test]
    fn generated_carts_are_exact() {
        let plain = cart(&[("a", 1, &[])]);
        let mut noted = plain.clone();
        noted.note = Some("hi \"Mia\"".into());
        let lines = [Line {
            variant_id: "66821181",
            quantity: 3,
        }];
        let utm = [Some("insta".to_owned()), None, None, None, None];
        let products =
            "%7B%22gotoCheckout%22%3Atrue%2C%22products%22%3A%5B%7B%22id%22%3A66821181%2C%22quantity%22%3A3%7D%5D";
        for (base_url, cart, click_id, head, tail) in [
            (
                "https://site.example/store",
                &plain,
                None,
                "https://site.example/store?utm_source=insta",
                "%7D",
            ),
            (
                "https://site.example/?page_id=5",
                &noted,
                Some("ID"),
                "https://site.example/?page_id=5&utm_source=insta",
                "%2C%22profile%22%3A%7B%22orderComments%22%3A%22hi%20%5C%22Mia%5C%22%5Cnhop_id%3DID%22%7D%7D",
            ),
        ] {
            let mut out = String::new();
            let request = CartRequest {
                base: &CartBase::plain(Provider::Ecwid, base_url),
                cart,
                lines: &lines,
                code: None,
                click_id,
                request_query: "evil=1",
                utm: &utm,
            };
            write(&mut out, &request);
            assert_eq!(out, format!("{head}#!/~/cart/create={products}{tail}"));
        }
    }

    #[test]
    fn click_ids_come_back_from_comments() {
        let id = "0123456789abcdefghijABCDEFGHIJ01";
        for (comments, expected) in [
            (format!("hop_id={id}"), Some(id)),
            (format!("hop_id=old\nplease ring\nhop_id={id} thanks"), Some(id)),
            ("hop_id=short".to_owned(), None),
            (format!("hop_id={}", "é".repeat(32)), None),
            (String::new(), None),
        ] {
            assert_eq!(click_id_in(&comments), expected);
        }
    }
}
