//! Shopify's two cart links: the legacy permalink `/cart/{variant}:{quantity},…?discount=…&attributes[…]=…`, whose
//! attributes come back on the order as `note_attributes` (shopify.dev, "Create cart permalinks"), and `/buy`, a UCP
//! permalink. The store's cart base decides: with an endpoint, carts go to `/buy`.
//!
//! Brackets are percent-encoded to be clean by RFC 3986; variant ids are digits only, so nothing can leave the path.

use super::encode::push_number;
use super::{CLICK_ID_ATTRIBUTE, Cart, CartRequest, append_forwarded, ucp};
use crate::domain::query;

/// Whether `base_url` is the store's UCP endpoint rather than its front.
pub fn is_buy(base_url: &str) -> bool {
    root(base_url).len() < base_url.trim_end_matches('/').len()
}

/// The front of the shop, without a trailing slash: `base_url` with or without `/buy`. A host called `buy` stays.
pub fn root(base_url: &str) -> &str {
    let base_url = base_url.trim_end_matches('/');
    let root = base_url.strip_suffix("/buy").unwrap_or(base_url);
    if root.ends_with('/') { base_url } else { root }
}

/// Whether a permalink at `/buy` can say all of `cart`: it knows no note.
pub fn fits_buy(cart: &Cart) -> bool {
    cart.note.is_none() && ucp::check_attributes(cart).is_ok()
}

/// The number in a variant id: digits, or the last segment of `gid://shopify/ProductVariant/44017`.
pub fn variant_number(variant_id: &str) -> Option<&str> {
    let number = variant_id
        .strip_prefix("gid://shopify/ProductVariant/")
        .unwrap_or(variant_id);
    let is_number = !number.is_empty() && number.len() <= 20 && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some(number)
}

/// Appends the permalink to `out`. A cart that `/buy` cannot say goes to `/cart`, which every shop keeps.
pub fn write(out: &mut String, request: &CartRequest<'_>) {
    match &request.base.endpoint {
        Some(endpoint) if fits_buy(request.cart) => ucp::write(out, endpoint, request),
        _ => write_legacy(out, request),
    }
}

fn write_legacy(out: &mut String, request: &CartRequest<'_>) {
    out.push_str(&request.base.url);
    out.push_str("/cart/");
    for (place, line) in request.lines.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        out.push_str(variant_number(line.variant_id).unwrap_or_default());
        out.push(':');
        push_number(out, line.quantity);
    }
    let mut is_first = true;
    for (place, code) in request.codes().enumerate() {
        out.push_str(if place > 0 { "," } else { "?discount=" });
        is_first = false;
        out.extend(url::form_urlencoded::byte_serialize(code.as_bytes()));
    }
    if let Some(note) = &request.cart.note {
        query::append(out, &mut is_first, "note", note);
    }
    for (name, value) in &request.cart.attributes {
        append_attribute(out, &mut is_first, name, value);
    }
    if let Some(click_id) = request.click_id {
        append_attribute(out, &mut is_first, CLICK_ID_ATTRIBUTE, click_id);
    }
    append_forwarded(out, &mut is_first, request);
}

fn append_attribute(out: &mut String, is_first: &mut bool, name: &str, value: &str) {
    out.push(if *is_first { '?' } else { '&' });
    *is_first = false;
    out.push_str("attributes%5B");
    out.extend(url::form_urlencoded::byte_serialize(name.as_bytes()));
    out.push_str("%5D=");
    out.extend(url::form_urlencoded::byte_serialize(value.as_bytes()));
}

#[cfg(test)]
mod tests {
    use super::super::tests::cart;
    use super::super::{CartBase, Line};
    use super::*;
    use crate::domain::store::Provider;

    #[test]
    fn permalinks_are_exact() {
        let mut full = cart(&[("a", 2, &[]), ("b", 1, &[])]);
        full.discount_codes = vec!["MIA10".into(), "Ü+1".into()];
        full.note = Some("hi & bye".into());
        full.attributes = vec![("gift wrap".into(), "yes".into())];
        let lines = [
            Line {
                variant_id: "gid://shopify/ProductVariant/44017",
                quantity: 2,
            },
            Line {
                variant_id: "44018",
                quantity: 10,
            },
        ];
        let utm = [Some("insta".to_owned()), None, None, None, None];
        let plain = cart(&[("a", 2, &[])]);
        for (cart, click_id, request_query, expected) in [
            (
                &plain,
                None,
                "",
                "https://shop.example/cart/44017:2,44018:10?utm_source=insta",
            ),
            (
                &plain,
                Some("ID"),
                "utm_source=tiktok&ref=x&discount=FREE&fbclid=f%20g&attributes%5Bhop_id%5D=forged",
                "https://shop.example/cart/44017:2,44018:10?attributes%5Bhop_id%5D=ID&utm_source=tiktok&fbclid=f+g",
            ),
            (
                &full,
                Some("ID"),
                "",
                "https://shop.example/cart/44017:2,44018:10?discount=MIA10,%C3%9C%2B1&note=hi+%26+bye&attributes%5Bgift+wrap%5D=yes&attributes%5Bhop_id%5D=ID&utm_source=insta",
            ),
        ] {
            let mut out = String::new();
            write(
                &mut out,
                &CartRequest {
                    base: &CartBase::plain(Provider::Shopify, "https://shop.example/"),
                    cart,
                    lines: &lines,
                    code: None,
                    click_id,
                    request_query,
                    utm: &utm,
                },
            );
            assert_eq!(out, expected);
        }
    }

    #[test]
    fn the_base_decides_between_cart_and_buy() {
        let own = CartBase::plain(Provider::Shopify, "https://shop.example/de/buy");
        let mut cart = cart(&[("a", 2, &[])]);
        let lines = [
            Line {
                variant_id: "gid://shopify/ProductVariant/70881412",
                quantity: 2,
            },
            Line {
                variant_id: "44018",
                quantity: 1,
            },
        ];
        let elsewhere = CartBase {
            endpoint: Some("https://pay.example/ucp".into()),
            ..own.clone()
        };
        let written = |base: &CartBase, cart: &Cart| {
            let mut out = String::new();
            let utm = std::array::from_fn(|_| None);
            let request = CartRequest {
                base,
                cart,
                lines: &lines,
                code: None,
                click_id: Some("ID"),
                request_query: "",
                utm: &utm,
            };
            write(&mut out, &request);
            out
        };
        cart.discount_codes = vec!["MIA10".into()];
        assert_eq!(
            written(&own, &cart),
            "https://shop.example/de/buy/~Z2lkOi8vc2hvcGlmeS9Qcm9kdWN0VmFyaWFudC83MDg4MTQxMg:2,44018:1?discounts/codes/0=MIA10&attribution/hop_id=ID"
        );
        assert_eq!(
            written(&elsewhere, &cart),
            "https://pay.example/ucp/~Z2lkOi8vc2hvcGlmeS9Qcm9kdWN0VmFyaWFudC83MDg4MTQxMg:2,44018:1?discounts/codes/0=MIA10&attribution/hop_id=ID"
        );
        cart.note = Some("hi".into());
        for base in [&own, &elsewhere] {
            assert_eq!(
                written(base, &cart),
                "https://shop.example/de/cart/70881412:2,44018:1?discount=MIA10&note=hi&attributes%5Bhop_id%5D=ID"
            );
        }
    }

    #[test]
    fn endpoints_end_in_buy() {
        for (base_url, root_of_it, is_endpoint) in [
            ("https://shop.example/", "https://shop.example", false),
            ("https://shop.example/buy", "https://shop.example", true),
            ("https://shop.example/de/buy/", "https://shop.example/de", true),
            ("https://shop.example/nobuy", "https://shop.example/nobuy", false),
            ("http://buy/", "http://buy", false),
        ] {
            assert_eq!((root(base_url), is_buy(base_url)), (root_of_it, is_endpoint));
        }
    }

    #[test]
    fn only_numbers_are_variants() {
        assert_eq!(variant_number("44017"), Some("44017"));
        assert_eq!(variant_number("gid://shopify/ProductVariant/9"), Some("9"));
        for bad in ["", "4a", "../1", "gid://shopify/Product/9", "1:2", "１"] {
            assert_eq!(variant_number(bad), None, "{bad}");
        }
    }
}
