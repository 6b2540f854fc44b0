//! Amazon's add-to-cart form, `/gp/aws/cart/add.html?AssociateTag=T&ASIN.1=…&Quantity.1=…`: one country's host, up to
//! 50 items, the follower confirms on a page. There are no codes and no order webhook.
//!
//! The associate tag stands in the base URL's query, or as the cart's one attribute `AssociateTag` where a creator has
//! a tag of her own. The click id is `ascsubtag`, which the associate reports show.

use super::encode::push_number;
use super::{CartRequest, append_forwarded};
use crate::domain::query;

/// Name of the attribute and of the base URL's parameter that hold the associate tag.
pub const TAG: &str = "AssociateTag";
/// Longest associate tag.
const TAG_MAX: usize = 64;

/// Hosts of Amazon's shops: one a country, from the Product Advertising API's list of locales.
const HOSTS: [&str; 24] = [
    "www.amazon.ae",
    "www.amazon.ca",
    "www.amazon.cn",
    "www.amazon.co.jp",
    "www.amazon.co.uk",
    "www.amazon.co.za",
    "www.amazon.com",
    "www.amazon.com.au",
    "www.amazon.com.be",
    "www.amazon.com.br",
    "www.amazon.com.mx",
    "www.amazon.com.tr",
    "www.amazon.de",
    "www.amazon.eg",
    "www.amazon.es",
    "www.amazon.fr",
    "www.amazon.ie",
    "www.amazon.in",
    "www.amazon.it",
    "www.amazon.nl",
    "www.amazon.pl",
    "www.amazon.sa",
    "www.amazon.se",
    "www.amazon.sg",
];

/// Whether `host` is one of Amazon's shops.
pub fn is_host(host: &str) -> bool {
    HOSTS.contains(&host)
}

/// Whether `id` is an ASIN: ten capitals and digits.
pub fn is_asin(id: &str) -> bool {
    id.len() == 10
        && id
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// Whether `tag` can be an associate tag, such as `mia-21`.
pub fn is_tag(tag: &str) -> bool {
    let is_known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    !tag.is_empty() && tag.len() <= TAG_MAX && tag.bytes().all(is_known)
}

/// Appends the add-to-cart URL to `out`.
pub fn write(out: &mut String, request: &CartRequest<'_>) {
    let (shop, own_query) = request.base.url.split_once('?').unwrap_or((&request.base.url, ""));
    out.push_str(shop.trim_end_matches('/'));
    out.push_str("/gp/aws/cart/add.html");
    let mut is_first = true;
    let own_tag = request.cart.attributes.iter().find(|(name, _)| name == TAG);
    match own_tag {
        Some((_, tag)) => query::append(out, &mut is_first, TAG, tag),
        None => {
            if let Some(tag) = query::value_of(own_query, TAG) {
                query::append(out, &mut is_first, TAG, &tag);
            }
        }
    }
    for (place, line) in (1u32..).zip(request.lines) {
        out.push(if is_first { '?' } else { '&' });
        is_first = false;
        out.push_str("ASIN.");
        push_number(out, place);
        out.push('=');
        out.extend(url::form_urlencoded::byte_serialize(line.variant_id.as_bytes()));
        out.push_str("&Quantity.");
        push_number(out, place);
        out.push('=');
        push_number(out, line.quantity);
    }
    if let Some(click_id) = request.click_id {
        query::append(out, &mut is_first, "ascsubtag", click_id);
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
    fn add_to_cart_urls_are_exact() {
        let plain = cart(&[("a", 1, &[])]);
        let mut tagged = plain.clone();
        tagged.attributes = vec![(TAG.into(), "mia-20".into())];
        let lines = [
            Line {
                variant_id: "B01M8L5Z3Y",
                quantity: 2,
            },
            Line {
                variant_id: "030640615X",
                quantity: 11,
            },
        ];
        let utm = std::array::from_fn(|_| None);
        for (base_url, cart, click_id, request_query, expected) in [
            (
                "https://www.amazon.de/",
                &plain,
                None,
                "",
                "https://www.amazon.de/gp/aws/cart/add.html?ASIN.1=B01M8L5Z3Y&Quantity.1=2&ASIN.2=030640615X&Quantity.2=11",
            ),
            (
                "https://www.amazon.co.uk/?AssociateTag=shop-21",
                &plain,
                Some("ID"),
                "AssociateTag=thief-21&ascsubtag=forged&utm_source=a",
                "https://www.amazon.co.uk/gp/aws/cart/add.html?AssociateTag=shop-21&ASIN.1=B01M8L5Z3Y&Quantity.1=2&ASIN.2=030640615X&Quantity.2=11&ascsubtag=ID&utm_source=a",
            ),
            (
                "https://www.amazon.com/?AssociateTag=shop-20",
                &tagged,
                None,
                "",
                "https://www.amazon.com/gp/aws/cart/add.html?AssociateTag=mia-20&ASIN.1=B01M8L5Z3Y&Quantity.1=2&ASIN.2=030640615X&Quantity.2=11",
            ),
        ] {
            let mut out = String::new();
            let request = CartRequest {
                base: &CartBase::plain(Provider::Amazon, base_url),
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

    #[test]
    fn asins_and_tags_are_told() {
        let asins = ["B01M8L5Z3Y", "030640615X", "b01m8l5z3y", "B01", "B01M8L5Z3&", ""].map(is_asin);
        assert_eq!(asins, [true, true, false, false, false, false]);
        assert_eq!(["mia-21", "", "a&b", "é"].map(is_tag), [true, false, false, false]);
    }
}
