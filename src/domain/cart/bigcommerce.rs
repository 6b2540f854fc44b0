//! BigCommerce's checkout links, `/checkout/?products=ID:QTY,…&coupon=CODE&action=buy` (developer.bigcommerce.com,
//! "Checkout URL"): a new cart each visit, ids or SKUs, one coupon, no product options.
//!
//! The order brings back the coupon only, so the code is what attributes; the click id stands in the URL for a script
//! on the shop's pages.

use super::encode::{push_encoded, push_pairs};
use super::{CLICK_ID_ATTRIBUTE, CartRequest, append_forwarded};
use crate::domain::query;

/// Appends the checkout link to `out`.
pub fn write(out: &mut String, request: &CartRequest<'_>) {
    out.push_str(request.base.url.trim_end_matches('/'));
    out.push_str("/checkout/?products=");
    push_pairs(out, request.lines);
    if let Some(code) = request.codes().next() {
        out.push_str("&coupon=");
        push_encoded(out, code);
    }
    out.push_str("&action=buy");
    let mut is_first = false;
    if let Some(click_id) = request.click_id {
        query::append(out, &mut is_first, CLICK_ID_ATTRIBUTE, click_id);
    }
    append_forwarded(out, &mut is_first, request);
}

#[cfg(test)]
mod tests {
    use super::super::tests::cart;
    use super::super::{CartBase, Line};
    use super::*;
    use crate::domain::store::Provider;

    #[test]
    fn checkout_links_are_exact() {
        let plain = cart(&[("a", 2, &[])]);
        let mut coded = plain.clone();
        coded.discount_codes = vec!["MIA10".into()];
        let lines = [
            Line {
                variant_id: "77",
                quantity: 2,
            },
            Line {
                variant_id: "SKU 1/é",
                quantity: 1,
            },
        ];
        let utm = [Some("insta".to_owned()), None, None, None, None];
        for (cart, click_id, request_query, expected) in [
            (
                &plain,
                None,
                "",
                "https://shop.example/checkout/?products=77:2,SKU%201%2F%C3%A9:1&action=buy&utm_source=insta",
            ),
            (
                &coded,
                Some("ID"),
                "utm_source=tiktok&action=add&order_source=www",
                "https://shop.example/checkout/?products=77:2,SKU%201%2F%C3%A9:1&coupon=MIA10&action=buy&hop_id=ID&utm_source=tiktok",
            ),
        ] {
            let mut out = String::new();
            let request = CartRequest {
                base: &CartBase::plain(Provider::BigCommerce, "https://shop.example/"),
                cart,
                lines: &lines,
                code: None,
                click_id,
                request_query,
                utm: &utm,
            };
            write(&mut out, &request);
            assert_eq!(out, expected);
        }
    }
}
