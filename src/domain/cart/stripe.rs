//! Stripe's payment links: the base URL is the link and sells one thing; no id stands in the URL.
//!
//! The click id is `client_reference_id`, which comes back in `checkout.session.completed`. Stripe drops a value that
//! is not 1 to 200 of `[A-Za-z0-9_-]` without a word; a click id is 32 base62 characters.

use super::{CartRequest, append_forwarded};
use crate::domain::query;

/// Appends the payment link to `out`.
pub fn write(out: &mut String, request: &CartRequest<'_>) {
    out.push_str(&request.base.url);
    let mut is_first = true;
    if let Some(click_id) = request.click_id {
        query::append(out, &mut is_first, "client_reference_id", click_id);
    }
    if let Some(code) = request.codes().next() {
        query::append(out, &mut is_first, "prefilled_promo_code", code);
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
    fn payment_links_are_exact() {
        let plain = cart(&[("a", 1, &[])]);
        let mut coded = plain.clone();
        coded.discount_codes = vec!["MIA10".into()];
        let lines = [Line {
            variant_id: "price_1",
            quantity: 1,
        }];
        let utm = [Some("insta".to_owned()), None, None, None, None];
        let none = std::array::from_fn(|_| None);
        for (cart, click_id, request_query, utm, expected) in [
            (&plain, None, "", &none, "https://buy.stripe.com/4gw3cd"),
            (
                &coded,
                Some("ID"),
                "client_reference_id=forged&prefilled_promo_code=FREE&fbclid=f",
                &utm,
                "https://buy.stripe.com/4gw3cd?client_reference_id=ID&prefilled_promo_code=MIA10&utm_source=insta&fbclid=f",
            ),
        ] {
            let mut out = String::new();
            let request = CartRequest {
                base: &CartBase::plain(Provider::Stripe, "https://buy.stripe.com/4gw3cd"),
                cart,
                lines: &lines,
                code: None,
                click_id,
                request_query,
                utm,
            };
            write(&mut out, &request);
            assert_eq!(out, expected);
        }
    }
}
