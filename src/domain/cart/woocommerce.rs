//! WooCommerce's checkout links (10.0 and later), `/checkout-link/?products=ID:QTY,…&coupon=CODE`: the cart is emptied
//! first, ids are numbers, one coupon; other parameters are kept on the checkout's URL.
//!
//! Nothing of the link is stored with the order but its UTM parameters (order attribution). The click id travels as
//! `utm_id`, which comes back as `_wc_order_attribution_utm_id`, and never as `utm_content`: that one is the creator's
//! own and stays readable in the shop's reports. A follower's `utm_id` gives way while there is a click id.

use super::encode::{push_encoded, push_pairs};
use super::{CartRequest, append_forwarded_except};
use crate::domain::query;

/// The parameter that carries the click id.
pub const CLICK_ID_PARAMETER: &str = "utm_id";

/// Appends the checkout link to `out`.
pub fn write(out: &mut String, request: &CartRequest<'_>) {
    out.push_str(request.base.url.trim_end_matches('/'));
    out.push_str("/checkout-link/?products=");
    push_pairs(out, request.lines);
    if let Some(code) = request.codes().next() {
        out.push_str("&coupon=");
        push_encoded(out, code);
    }
    let mut is_first = false;
    if let Some(click_id) = request.click_id {
        query::append(out, &mut is_first, CLICK_ID_PARAMETER, click_id);
    }
    let taken = request.click_id.map(|_| CLICK_ID_PARAMETER);
    append_forwarded_except(out, &mut is_first, request, taken);
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
        coded.discount_codes = vec!["MIA&10".into()];
        let lines = [
            Line {
                variant_id: "123",
                quantity: 2,
            },
            Line {
                variant_id: "456",
                quantity: 10,
            },
        ];
        let utm = [None, None, None, None, Some("mia".to_owned())];
        for (base_url, cart, click_id, request_query, expected) in [
            (
                "https://shop.example/",
                &plain,
                None,
                "utm_id=ad7&evil=1",
                "https://shop.example/checkout-link/?products=123:2,456:10&utm_content=mia&utm_id=ad7",
            ),
            (
                "https://shop.example/en",
                &coded,
                Some("ID"),
                "utm_id=forged&utm_source=tiktok&coupon=FREE&products=9:9",
                "https://shop.example/en/checkout-link/?products=123:2,456:10&coupon=MIA%2610&utm_id=ID&utm_content=mia&utm_source=tiktok",
            ),
        ] {
            let mut out = String::new();
            let request = CartRequest {
                base: &CartBase::plain(Provider::WooCommerce, base_url),
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
