//! Merging a request's query into a destination's: the request wins, but never over what is protected.
//!
//! Output is always percent-encoded anew; no request byte is copied as it came.

use url::form_urlencoded;

/// Parameters that a follower's request can neither add nor replace: click id, items, codes, order attributes,
/// the client reference and the page that follows.
pub fn is_protected(name: &str) -> bool {
    const NAMES: [&str; 12] = [
        "hop_id",
        "client_reference_id",
        "continue_to",
        "discount",
        "discounts",
        "coupon",
        "codes",
        "products",
        "items",
        "attributes",
        "attribution",
        "line_items",
    ];
    const FAMILIES: [&str; 5] = ["attributes[", "attribution/", "discounts/", "line_items/", "checkout["];
    // A permalink reads leading slashes as the same name (UCP, JSON pointer).
    let name = name.trim_start_matches('/');
    NAMES.iter().any(|protected| name.eq_ignore_ascii_case(protected))
        || FAMILIES.iter().any(|family| {
            name.get(..family.len())
                .is_some_and(|head| head.eq_ignore_ascii_case(family))
        })
}

/// Parameters that a cart forwards: campaign names, the networks' click ids and consent strings.
pub fn is_forwarded_to_cart(name: &str) -> bool {
    const NAMES: [&str; 10] = [
        // Meta asks checkout URLs to keep it.
        "cart_origin",
        "fbclid",
        "ttclid",
        "gclid",
        "gdpr",
        "gdpr_consent",
        "us_privacy",
        "gpp",
        "gpp_sid",
        "addtl_consent",
    ];
    name.starts_with("utm_") || NAMES.contains(&name)
}

/// What a cart forwards of `query`, form-encoded anew.
pub fn forwarded_to_cart(query: &str) -> String {
    let mut kept = form_urlencoded::Serializer::new(String::new());
    for (name, value) in form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| is_forwarded_to_cart(name)) {
        kept.append_pair(&name, &value);
    }
    kept.finish()
}

/// Parameters that speak to this server and go no further.
pub fn is_for_us(name: &str, value: &str) -> bool {
    name == "qr" && value == "1" || name == "redir_url"
}

/// Appends `name=value` to `out`, form-encoded, with the separator that is due.
pub fn append(out: &mut String, is_first: &mut bool, name: &str, value: &str) {
    out.push(if *is_first { '?' } else { '&' });
    *is_first = false;
    out.extend(form_urlencoded::byte_serialize(name.as_bytes()));
    out.push('=');
    out.extend(form_urlencoded::byte_serialize(value.as_bytes()));
}

/// Writes `destination` with the parameters of `request_query` merged in and `extra` appended.
///
/// A name that the request brings replaces the destination's parameters of that name; the order is the
/// destination's, then the request's, then `extra`. With nothing to merge the destination is written as stored.
pub fn merge(out: &mut String, destination: &str, request_query: &str, extra: &[(&str, &str)]) {
    let wanted = || {
        form_urlencoded::parse(request_query.as_bytes())
            .filter(|(name, value)| !name.is_empty() && !is_protected(name) && !is_for_us(name, value))
    };
    let nothing_wanted = request_query.is_empty() || wanted().next().is_none();
    if nothing_wanted && extra.is_empty() {
        out.push_str(destination);
        return;
    }
    let (rest, fragment) = destination
        .split_once('#')
        .map_or((destination, None), |(rest, tail)| (rest, Some(tail)));
    let (head, own_query) = rest.split_once('?').unwrap_or((rest, ""));
    out.push_str(head);
    let mut is_first = true;
    for pair in own_query.split('&').filter(|pair| !pair.is_empty()) {
        let name = form_urlencoded::parse(pair.as_bytes())
            .next()
            .map(|(name, _)| name)
            .unwrap_or_default();
        let replaced = extra.iter().any(|(extra_name, _)| *extra_name == name)
            || (!nothing_wanted && wanted().any(|(wanted_name, _)| wanted_name == name));
        if !replaced {
            out.push(if is_first { '?' } else { '&' });
            is_first = false;
            out.push_str(pair);
        }
    }
    if !nothing_wanted {
        for (name, value) in wanted() {
            append(out, &mut is_first, &name, &value);
        }
    }
    for (name, value) in extra {
        append(out, &mut is_first, name, value);
    }
    if let Some(fragment) = fragment {
        out.push('#');
        out.push_str(fragment);
    }
}

/// The first value of parameter `name` in `query`.
pub fn value_of<'a>(query: &'a str, name: &str) -> Option<std::borrow::Cow<'a, str>> {
    form_urlencoded::parse(query.as_bytes())
        .find(|(candidate, _)| candidate == name)
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_request_wins_but_not_over_what_is_protected() {
        let plain = "https://shop.example/p?a=1&b=%C3%BC#top";
        for (destination, query, extra, expected) in [
            (plain, "", &[][..], plain),
            (plain, "qr=1", &[], plain),
            (plain, "redir_url=https%3A%2F%2Fevil.example", &[], plain),
            (plain, "hop_id=forged", &[], plain),
            (plain, "c=3", &[], "https://shop.example/p?a=1&b=%C3%BC&c=3#top"),
            (plain, "a=2&a=3", &[], "https://shop.example/p?b=%C3%BC&a=2&a=3#top"),
            (
                plain,
                "",
                &[("hop_id", "X")],
                "https://shop.example/p?a=1&b=%C3%BC&hop_id=X#top",
            ),
            (
                "https://shop.example/",
                "utm_source=insta gram&x=%0d%0aA",
                &[],
                "https://shop.example/?utm_source=insta+gram&x=%0D%0AA",
            ),
            (
                "https://shop.example/?discount=MIA",
                "discount=FREE&Discount=F&%2Fdiscounts%2Fcodes%2F0=F&attributes%5Bhop_id%5D=F",
                &[],
                "https://shop.example/?discount=MIA",
            ),
            (
                "https://shop.example/?hop_id=old",
                "",
                &[("hop_id", "new")],
                "https://shop.example/?hop_id=new",
            ),
            (
                "https://shop.example/?flag",
                "x=<&y=\"",
                &[],
                "https://shop.example/?flag&x=%3C&y=%22",
            ),
        ] {
            let mut out = String::new();
            merge(&mut out, destination, query, extra);
            assert_eq!(out, expected, "{destination} + {query}");
        }
    }

    proptest! {
        #[test]
        fn merged_locations_are_clean_and_lead_to_the_same_host(query in ".{0,200}") {
            let mut out = String::new();
            merge(&mut out, "https://shop.example/p?a=1&discount=MIA", &query, &[("hop_id", "X")]);
            prop_assert!(out.bytes().all(|byte| byte.is_ascii_graphic()), "{}", out);
            let url = url::Url::parse(&out).expect("a URL");
            prop_assert_eq!(url.host_str(), Some("shop.example"));
            let codes: Vec<_> = url.query_pairs().filter(|(name, _)| name == "discount").collect();
            prop_assert_eq!(codes.len(), 1);
            let ids: Vec<_> = url.query_pairs().filter(|(name, _)| name == "hop_id").collect();
            prop_assert_eq!(ids.len(), 1);
        }
    }
}
