//! Carts of any shop whose cart URL can be written as a template: `{items}`, `{codes}`, `{click_id}`,
//! `{continue_to}`, each percent-encoded where it stands.
//!
//! A placeholder can stand in the path, the query or the fragment, never in the host.

use super::encode::{push_encoded, push_number};
use super::{CartRequest, append_forwarded};
use crate::domain::query;

/// What a template may name.
const PLACEHOLDERS: [&str; 4] = ["{items}", "{codes}", "{click_id}", "{continue_to}"];

/// Checks a template and returns a sample URL that the destination policy can look at.
///
/// # Errors
/// What is wrong with it.
pub fn sample(template: &str) -> Result<String, &'static str> {
    if !template.is_ascii() {
        return Err("must be ASCII: percent-encode everything else");
    }
    if !template.contains("{items}") {
        return Err("must contain {items}: it is the template of the shop's cart URL");
    }
    let after_scheme = template.split_once("://").map_or("", |(_, rest)| rest);
    let host = after_scheme.split(['/', '?', '#']).next().unwrap_or_default();
    if host.contains(['{', '}']) {
        return Err("must not have a placeholder in the host");
    }
    let mut url = template.to_owned();
    for placeholder in PLACEHOLDERS {
        url = url.replace(placeholder, "x");
    }
    if url.contains(['{', '}']) {
        return Err("may only contain {items}, {codes}, {click_id} and {continue_to}");
    }
    Ok(url)
}

/// Appends the filled template to `out`; campaign parameters follow in its query.
pub fn write(out: &mut String, request: &CartRequest<'_>) {
    let (body, fragment) = request
        .base
        .url
        .split_once('#')
        .map_or((&*request.base.url, None), |(body, tail)| (body, Some(tail)));
    fill(out, body, request);
    let mut is_first = !body.contains('?');
    append_forwarded(out, &mut is_first, request);
    if let Some(fragment) = fragment {
        out.push('#');
        fill(out, fragment, request);
    }
    if !request.base.url.contains("{click_id}")
        && fragment.is_none()
        && let Some(click_id) = request.click_id
    {
        query::append(out, &mut is_first, super::CLICK_ID_ATTRIBUTE, click_id);
    }
}

fn fill(out: &mut String, text: &str, request: &CartRequest<'_>) {
    let mut rest = text;
    while let Some(start) = rest.find('{') {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        let end = rest.find('}').map_or(rest.len(), |end| end + 1);
        match &rest[..end] {
            "{items}" => {
                for (place, line) in request.lines.iter().enumerate() {
                    if place > 0 {
                        out.push_str("%2C");
                    }
                    push_encoded(out, line.variant_id);
                    out.push_str("%3A");
                    push_number(out, line.quantity);
                }
            }
            "{codes}" => {
                for (place, code) in request.codes().enumerate() {
                    if place > 0 {
                        out.push_str("%2C");
                    }
                    push_encoded(out, code);
                }
            }
            "{click_id}" => out.push_str(request.click_id.unwrap_or_default()),
            "{continue_to}" => {
                push_encoded(out, request.cart.continue_to.as_deref().unwrap_or_default());
            }
            other => out.push_str(other),
        }
        rest = &rest[end..];
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::super::tests::cart;
    use super::super::{CartBase, Line};
    use super::*;
    use crate::domain::store::Provider;

    #[test]
    fn templates_are_filled_and_encoded() {
        let mut cart = cart(&[("a", 1, &[])]);
        cart.discount_codes = vec!["A&B".into(), "C".into()];
        let lines = [
            Line {
                variant_id: "sku/1",
                quantity: 2,
            },
            Line {
                variant_id: "é",
                quantity: 1,
            },
        ];
        let utm = std::array::from_fn(|_| None);
        for (base_url, request_query, expected) in [
            (
                "https://s.example/checkout?products={items}&coupon={codes}&cid={click_id}",
                "utm_source=a&evil=1",
                "https://s.example/checkout?products=sku%2F1%3A2%2C%C3%A9%3A1&coupon=A%26B%2CC&cid=ID&utm_source=a",
            ),
            (
                "https://s.example/c/{items}",
                "",
                "https://s.example/c/sku%2F1%3A2%2C%C3%A9%3A1?hop_id=ID",
            ),
            (
                "https://s.example/#!/{items}/{click_id}",
                "utm_source=a",
                "https://s.example/?utm_source=a#!/sku%2F1%3A2%2C%C3%A9%3A1/ID",
            ),
        ] {
            let mut out = String::new();
            write(
                &mut out,
                &CartRequest {
                    base: &CartBase::plain(Provider::Template, base_url),
                    cart: &cart,
                    lines: &lines,
                    code: None,
                    click_id: Some("ID"),
                    request_query,
                    utm: &utm,
                },
            );
            assert_eq!(out, expected);
        }
    }

    #[test]
    fn templates_are_checked() {
        assert_eq!(
            sample("https://s.example/c?p={items}").as_deref(),
            Ok("https://s.example/c?p=x")
        );
        assert!(sample("https://s.example/").is_err());
        assert!(sample("https://{items}.example/").is_err());
        assert!(sample("https://s.example/{items}?{other}").is_err());
    }
}
