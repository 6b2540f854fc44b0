//! Merging a request's query into a destination's: the request wins, but never over what is protected.
//!
//! Output is percent-encoded anew. Bytes of a request are copied as they came only where encoding them anew would write the
//! same: see [`PLAIN`].

use std::borrow::Cow;

use memchr::{memchr, memchr2};
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
    // Nearly all names that followers bring.
    if name.starts_with("utm_") {
        return false;
    }
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
    append_encoded(out, name);
    out.push('=');
    append_encoded(out, value);
}

fn append_encoded(out: &mut String, text: &str) {
    match are_all(PLAIN, text) {
        true => out.push_str(text),
        false => out.extend(form_urlencoded::byte_serialize(text.as_bytes())),
    }
}

/// Bytes that stand for themselves in a form-encoded text, and nothing else does (URL Standard,
/// "application/x-www-form-urlencoded percent-encode set").
const PLAIN: u8 = 1;
/// Those, and what stands between them in a query whose every byte is copied when it is decoded and encoded anew.
const COPIED: u8 = 2;

/// Of which kinds each byte is.
const KINDS: [u8; 256] = {
    let mut kinds = [0; 256];
    let plain = b"*-._0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut at = 0;
    while at < plain.len() {
        kinds[plain[at] as usize] = PLAIN | COPIED;
        at += 1;
    }
    kinds[b'=' as usize] = COPIED;
    kinds[b'&' as usize] = COPIED;
    kinds
};

/// Whether all bytes of `text` are of `kind`. Without a way out before the end no byte waits for the one before.
fn are_all(kind: u8, text: &str) -> bool {
    text.bytes().fold(kind, |all, byte| all & KINDS[usize::from(byte)]) != 0
}

/// Whether one of `bytes` is in `text`, which is short: a search that takes long strides would cost more to begin.
fn has_any<const N: usize>(text: &str, bytes: [u8; N]) -> bool {
    text.bytes().fold(false, |found, byte| {
        bytes.iter().fold(found, |found, other| found | (byte == *other))
    })
}

/// Writes `destination` with the parameters of `request_query` merged in and `extra` appended.
///
/// A name that the request brings replaces the destination's parameters of that name; the order is the
/// destination's, then the request's, then `extra`. With nothing to merge the destination is written as stored.
pub fn merge(out: &mut String, destination: &str, request_query: &str, extra: &[(&str, &str)]) {
    if request_query.is_empty() && extra.is_empty() {
        out.push_str(destination);
    } else if !merge_plain(out, destination, request_query, extra) {
        merge_any(out, destination, request_query, extra);
    }
}

/// [`merge`] where nothing has to be decoded to be compared, nor encoded to be written: what nearly all followers bring.
/// False, with nothing written, for every other query and destination.
fn merge_plain(out: &mut String, destination: &str, request_query: &str, extra: &[(&str, &str)]) -> bool {
    let cut = memchr2(b'?', b'#', destination.as_bytes()).unwrap_or(destination.len());
    let (head, own_query) = destination.split_at(cut);
    let is_encoded = |(name, value): &(&str, &str)| are_all(PLAIN, name) && are_all(PLAIN, value);
    let Some(copied) = Copied::of(request_query) else {
        return false;
    };
    if memchr(b'#', own_query.as_bytes()).is_some() || !extra.iter().all(is_encoded) {
        return false;
    }
    let start = out.len();
    out.push_str(head);
    let mut separator = '?';
    for (name, pair) in raw_pairs(own_query.strip_prefix('?').unwrap_or_default()) {
        if has_any(name, [b'%', b'+']) {
            out.truncate(start);
            return false;
        }
        let is_replaced = extra.iter().any(|(extra_name, _)| *extra_name == name) || copied.names().contains(&name);
        if !is_replaced {
            out.push(separator);
            out.push_str(pair);
            separator = '&';
        }
    }
    if !request_query.is_empty() {
        out.push(separator);
        out.push_str(request_query);
        separator = '&';
    }
    for (name, value) in extra {
        out.push(separator);
        for text in [name, "=", value] {
            out.push_str(text);
        }
        separator = '&';
    }
    true
}

/// Most parameters of a request that are copied as they came: more than networks add. With more the merge is the general
/// one.
const COPIED_MAX: usize = 16;

/// The names in a query that merging copies as it came: each of its pairs is wanted, and decoded and encoded anew is what
/// it was.
struct Copied<'q> {
    names: [&'q str; COPIED_MAX],
    count: usize,
}

impl<'q> Copied<'q> {
    fn of(query: &'q str) -> Option<Self> {
        let mut copied = Self {
            names: [""; COPIED_MAX],
            count: 0,
        };
        if query.is_empty() {
            return Some(copied);
        }
        if !are_all(COPIED, query) {
            return None;
        }
        let mut length = 0;
        for (name, pair) in raw_pairs(query) {
            let value = pair.get(name.len() + 1..)?;
            let is_wanted = !name.is_empty() && !is_protected(name) && !is_for_us(name, value);
            if !is_wanted || has_any(value, [b'=']) {
                return None;
            }
            *copied.names.get_mut(copied.count)? = name;
            copied.count += 1;
            length += pair.len() + 1;
        }
        // With an `&` too many it is longer than its pairs.
        (length == query.len() + 1).then_some(copied)
    }

    fn names(&self) -> &[&'q str] {
        &self.names[..self.count]
    }
}

/// The parts of `query` that are not empty, each behind its name; nothing is decoded.
fn raw_pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = query;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            // Names are short: no search that takes long strides.
            let cut = rest.bytes().position(|byte| byte == b'=' || byte == b'&');
            let name_end = cut.unwrap_or(rest.len());
            let end = memchr(b'&', &rest.as_bytes()[name_end..]).map_or(rest.len(), |end| name_end + end);
            let (name, pair) = (&rest[..name_end], &rest[..end]);
            rest = rest.get(end + 1..).unwrap_or_default();
            if !pair.is_empty() {
                return Some((name, pair));
            }
        }
        None
    })
}

/// Names and values of `query`, decoded: what `form_urlencoded::parse` reads.
pub fn pairs(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    raw_pairs(query).map(|(name, pair)| {
        let value = pair.get(name.len() + 1..).unwrap_or_default();
        (decoded(name), decoded(value))
    })
}

/// `text` form-decoded; borrowed where nothing is encoded.
fn decoded(text: &str) -> Cow<'_, str> {
    if !has_any(text, [b'%', b'+']) {
        return Cow::Borrowed(text);
    }
    // `text` has no `&`, and as a value no `=` cuts it.
    let pair = ["=", text].concat();
    let value = form_urlencoded::parse(pair.as_bytes())
        .next()
        .map(|(_, value)| value.into_owned());
    Cow::Owned(value.unwrap_or_default())
}

/// [`merge`] in general.
fn merge_any(out: &mut String, destination: &str, request_query: &str, extra: &[(&str, &str)]) {
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

/// The values of the parameters `names` in `queries`, the first of each that is not empty.
pub fn values_of<'a, const N: usize>(queries: [&'a str; 2], names: &[&str; N]) -> [Cow<'a, str>; N] {
    let mut values = [const { Cow::Borrowed("") }; N];
    let shortest = names.iter().map(|name| name.len()).min().unwrap_or_default();
    // Decoding makes no name longer.
    let pairs = queries
        .into_iter()
        .flat_map(raw_pairs)
        .filter(|(name, _)| name.len() >= shortest);
    for (name, pair) in pairs {
        let place = match names.iter().position(|known| *known == name) {
            None if has_any(name, [b'%']) => {
                let name = decoded(name);
                names.iter().position(|known| *known == name)
            }
            place => place,
        };
        if let Some(value) = place.and_then(|place| values.get_mut(place))
            && value.is_empty()
        {
            *value = decoded(pair.get(name.len() + 1..).unwrap_or_default());
        }
    }
    values
}

/// What stands behind the first `?` of `url`, up to a `#`: its query, or that of a page that keeps its own in the fragment.
pub fn of_url(url: &str) -> &str {
    let query = memchr(b'?', url.as_bytes()).map_or("", |mark| &url[mark + 1..]);
    &query[..memchr(b'#', query.as_bytes()).unwrap_or(query.len())]
}

/// The first value of parameter `name` in `query`.
pub fn value_of<'a>(query: &'a str, name: &str) -> Option<Cow<'a, str>> {
    pairs(query)
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

    /// Queries as followers bring them, and as nobody should.
    fn queries() -> impl Strategy<Value = String> {
        let word = "(a|b|c|utm_source|utm%5Fsource|utm_term|hop_id|Hop_ID|discount|coupon|qr|redir_url|1|%41|x%5B0|\\+|%|%2|~|[a-z]{0,3}|[ -~]{0,4}|\u{e4})";
        let pair = (word, "(=|=|=|=|==|)", word).prop_map(|(name, is, value)| format!("{name}{is}{value}"));
        proptest::collection::vec(pair, 0..5).prop_map(|pairs| pairs.join("&"))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn the_plain_way_writes_what_the_general_one_does(
            own in queries(),
            tail in "(|#|#[a?&=]{0,4})",
            query in queries(),
            extra in "(|hop_id|a)",
        ) {
            let destination = match own.is_empty() {
                true => format!("https://shop.example/p{tail}"),
                false => format!("https://shop.example/p?{own}{tail}"),
            };
            let extra: &[(&str, &str)] = match &*extra {
                "" => &[],
                "a" => &[("a", "X 9"), ("b", "\u{e4}")],
                name => &[(name, "X9")],
            };
            let (mut merged, mut expected) = (String::new(), String::new());
            merge(&mut merged, &destination, &query, extra);
            merge_any(&mut expected, &destination, &query, extra);
            prop_assert_eq!(merged, expected, "{} + {}", destination, query);
        }

        #[test]
        fn values_are_the_first_that_say_something(query in queries(), second in queries()) {
            let names = ["utm_source", "A", "b"];
            let first = |name: &str| {
                let mut pairs = [&query, &second].into_iter().flat_map(|query| form_urlencoded::parse(query.as_bytes()));
                pairs.find(|(known, value)| known == name && !value.is_empty()).map_or(Cow::Borrowed(""), |(_, value)| value)
            };
            prop_assert_eq!(values_of([&query, &second], &names), names.map(first));
        }

        #[test]
        fn pairs_are_those_that_the_standard_reads(query in prop_oneof![queries(), ".{0,40}"]) {
            let expected: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
            prop_assert_eq!(pairs(&query).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn queries_of_urls_are_found() {
        for (url, query) in [
            ("https://shop.example/", ""),
            ("https://shop.example/?a=1?b", "a=1?b"),
            ("https://shop.example/?a=1#?b", "a=1"),
            ("https://shop.example/#/p?a=1", "a=1"),
        ] {
            assert_eq!(of_url(url), query, "{url}");
        }
    }

    #[test]
    fn the_plain_way_is_taken_where_it_may_be() {
        let many = |count: usize| (0..count).map(|n| format!("a{n}=1")).collect::<Vec<_>>().join("&");
        let (most, too_many) = (many(COPIED_MAX), many(COPIED_MAX + 1));
        for (destination, query, is_plain) in [
            (
                "https://shop.example/p?a=1",
                "utm_source=instagram&fbclid=PAZXh0bgNhZW0",
                true,
            ),
            ("https://shop.example/", "", true),
            ("https://shop.example/p#top", "a=1", false),
            ("https://shop.example/p?%61=1", "a=1", false),
            ("https://shop.example/p", "a=1&hop_id=forged", false),
            ("https://shop.example/p", "a=%0d", false),
            ("https://shop.example/p", "a=b=c", false),
            ("https://shop.example/p", "a&b=1", false),
            ("https://shop.example/p", &most, true),
            ("https://shop.example/p", &too_many, false),
            ("https://shop.example/p", "a=1&", false),
            ("https://shop.example/p", "qr=1", false),
        ] {
            let mut out = "before ".to_owned();
            let taken = merge_plain(&mut out, destination, query, &[("hop_id", "X")]);
            assert_eq!(taken, is_plain, "{destination} + {query}");
            assert_eq!(out == "before ", !is_plain, "{out}");
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
