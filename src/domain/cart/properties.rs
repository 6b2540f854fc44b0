//! What holds for every cart on every platform: locations stay at the store and are clean, UCP's match the published
//! pattern and parse back, and what was written is recognised again.

use proptest::prelude::*;
use url::Url;

use super::inbound::{parse_ucp_items, parse_ucp_query};
use super::tests::{cart, store};
use super::*;
use crate::domain::store::Shelf;

const STORES: [(Provider, &str); 13] = [
    (Provider::Shopify, "https://shop.example/"),
    (Provider::Shopify, "https://shop.example/de"),
    (Provider::Shopify, "https://shop.example/buy"),
    (Provider::Ucp, "https://shop.example/buy"),
    (Provider::Ucp, "https://shop.example/"),
    (Provider::WooCommerce, "https://shop.example/"),
    (Provider::BigCommerce, "https://shop.example/en/"),
    (Provider::Stripe, "https://shop.example/4gw3cd"),
    (Provider::Amazon, "https://shop.example/?AssociateTag=a-21"),
    (Provider::Ecwid, "https://shop.example/store"),
    (Provider::Ecwid, "https://shop.example/?page_id=5"),
    (
        Provider::Template,
        "https://shop.example/c/{items}?d={codes}&n={continue_to}",
    ),
    (
        Provider::Template,
        "https://shop.example/?c={click_id}#!/{items}/{continue_to}",
    ),
];

/// Any text, with more of what URLs trip over.
const WILD: &str = "(\\PC|[/:@?#%&=,.~+\\\\\r\n\t\u{0}]|%2[fF]|//){0,12}";

type Pairs = Vec<(String, String)>;
type Items = Vec<(String, u32)>;

fn wild_pairs() -> impl Strategy<Value = Pairs> {
    prop::collection::vec((WILD, WILD), 0..3)
}

fn written(
    provider: Provider,
    base: &CartBase,
    cart: &Cart,
    click_id: Option<&str>,
    query: &str,
    rest: &Pairs,
) -> String {
    let names = cart.items.iter().map(|item| match &item.name {
        ItemName::Variant(name) | ItemName::Sku(name) => (name.as_str(), item.quantity),
    });
    let line = |(variant_id, quantity)| Line { variant_id, quantity };
    let lines: Vec<Line<'_>> = names.map(line).collect();
    let value_of = |name: &str| {
        rest.iter()
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.clone())
    };
    let request = CartRequest {
        base,
        cart,
        lines: &lines,
        code: None,
        click_id,
        request_query: query,
        utm: &crate::domain::click::UTM_NAMES.map(value_of),
    };
    let mut out = String::new();
    write(&mut out, provider, &request);
    out
}

fn cart_of(items: &[(String, u32)]) -> Cart {
    let mut made = cart(&[]);
    made.items = Recognised {
        items: items.to_vec(),
        ..Recognised::default()
    }
    .cart(StoreNo(1))
    .items;
    made
}

/// The path pattern of permalink.openapi.json:
/// `^(?:[A-Za-z0-9._-]+|~[A-Za-z0-9_-]+):[1-9][0-9]*(?:,(?:[A-Za-z0-9._-]+|~[A-Za-z0-9_-]+):[1-9][0-9]*)*$`.
fn matches_published_pattern(path: &str) -> bool {
    let is_word = |text: &str, more: &str| {
        let is_known = |c: char| c.is_ascii_alphanumeric() || more.contains(c);
        !text.is_empty() && text.chars().all(is_known)
    };
    path.split(',').all(|pair| {
        let Some((token, digits)) = pair.split_once(':') else {
            return false;
        };
        let is_token = match token.strip_prefix('~') {
            Some(encoded) => is_word(encoded, "_-"),
            None => is_word(token, "._-"),
        };
        is_token && !digits.starts_with('0') && !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// Fields of a UCP cart that [`check`] lets through.
fn plain_text() -> impl Strategy<Value = String> {
    "[^\\p{C}]{0,8}"
}

fn attributes() -> impl Strategy<Value = Pairs> {
    let named = ("[^\\p{C}]{1,6}", plain_text());
    prop::collection::vec(named, 0..4).prop_map(|mut pairs| {
        pairs.sort();
        pairs.dedup_by(|a, b| a.0 == b.0);
        pairs
    })
}

fn codes(most: usize) -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("[^\\p{C}\\s,]{1,8}", 0..=most)
}

fn utm() -> impl Strategy<Value = Pairs> {
    let chosen = prop::sample::subsequence(crate::domain::click::UTM_NAMES.to_vec(), 0..=5);
    (chosen, plain_text())
        .prop_map(|(names, value)| names.into_iter().map(|name| (name.to_owned(), value.clone())).collect())
}

fn items(id: &'static str) -> impl Strategy<Value = Items> {
    prop::collection::vec((id, 1..=QUANTITY_MAX), 1..5).prop_map(|mut items| {
        items.sort();
        items.dedup_by(|a, b| a.0 == b.0);
        items
    })
}

proptest! {
    #[test]
    fn no_input_leaves_the_stores_hosts(
        ids in prop::collection::vec((WILD, 1u32..=99), 1..4),
        codes in prop::collection::vec(WILD, 0..3),
        note in prop::option::of(WILD),
        attributes in wild_pairs(),
        continue_to in prop::option::of(WILD),
        query in wild_pairs(),
        raw_query in WILD,
        value in WILD,
        tracked in any::<bool>(),
    ) {
        let mut cart = cart_of(&ids);
        cart.discount_codes = codes;
        cart.note = note;
        cart.attributes = attributes;
        cart.continue_to = continue_to;
        let mut form = url::form_urlencoded::Serializer::new(raw_query);
        form.extend_pairs(&query).append_pair("utm_source", &value).append_pair("utm_x/../../@evil.example", &value);
        let query = form.finish();
        let rest = vec![("utm_content".to_owned(), value)];
        let click_id = tracked.then_some("0123456789abcdefghijABCDEFGHIJ01");
        let elsewhere = |provider, base_url| CartBase {
            endpoint: Some("https://pay.example/ucp".into()),
            ..CartBase::plain(provider, base_url)
        };
        let plain = STORES.map(|(provider, base_url)| (provider, CartBase::plain(provider, base_url)));
        let with_endpoint = STORES[..5].iter().map(|(provider, base_url)| (*provider, elsewhere(*provider, base_url)));
        for (provider, base) in plain.into_iter().chain(with_endpoint) {
            let location = written(provider, &base, &cart, click_id, &query, &rest);
            prop_assert!(location.bytes().all(|byte| byte.is_ascii_graphic()), "{}", location);
            let url = Url::parse(&location).expect("a URL");
            let host = url.host_str().map(str::to_owned);
            prop_assert!(host.is_some_and(|host| hosts(&base).contains(&host)), "{}", location);
            prop_assert!(url.username().is_empty() && url.port().is_none() && url.scheme() == "https");
        }
    }

    #[test]
    fn ucp_carts_match_the_pattern_and_parse_back(
        items in items("[^\\p{Cc}]{1,9}"),
        codes in codes(CODES_MAX),
        attributes in attributes(),
        path in "/[a-z0-9/._-]{0,8}(\\?[a-z]{1,4}=[a-z]{0,4})?",
        utm in utm(),
    ) {
        let mut cart = cart_of(&items);
        cart.discount_codes = codes.clone();
        cart.attributes = attributes.clone();
        cart.continue_to = continue_to::canonical(&path);
        prop_assume!(check(&cart, Provider::Ucp, &CartBase::plain(Provider::Ucp, "https://shop.example/buy"), &Shelf::default()).is_ok());
        let url = written(Provider::Ucp, &CartBase::plain(Provider::Ucp, "https://shop.example/buy"), &cart, None, "", &utm);
        let tail = url.strip_prefix("https://shop.example/buy/").expect("below the endpoint");
        let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
        prop_assert!(matches_published_pattern(path), "{}", path);
        prop_assert_eq!(parse_ucp_items(path), Ok(items));
        let found = parse_ucp_query(query).expect("a query");
        prop_assert_eq!(found.codes, codes);
        prop_assert_eq!(found.attribution, attributes);
        prop_assert_eq!(found.continue_to, cart.continue_to);
        prop_assert_eq!(found.rest, utm);
        prop_assert!(found.ignored.is_empty());
    }

    #[test]
    fn what_was_written_is_recognised(
        numbers in items("[1-9][0-9]{0,9}"),
        skus in items("[^\\p{Cc},:]{1,9}"),
        five in codes(5),
        one in codes(1),
        note in prop::option::of("\\PC{0,9}"),
        attributes in attributes(),
        rest in utm(),
    ) {
        for (provider, base_url) in STORES {
            let is_bare = matches!(provider, Provider::WooCommerce | Provider::BigCommerce);
            let is_shopify = provider == Provider::Shopify;
            let expected = Recognised {
                items: if is_shopify || provider == Provider::WooCommerce { numbers.clone() } else { skus.clone() },
                codes: if is_bare { one.clone() } else { five.clone() },
                note: note.clone().filter(|_| is_shopify),
                attributes: if is_bare { Vec::new() } else { attributes.clone() },
                continue_to: None,
                rest: rest.clone(),
            };
            if !matches!(provider, Provider::Shopify | Provider::Ucp) && !is_bare {
                continue;
            }
            let cart = expected.cart(StoreNo(1));
            if check(&cart, provider, &CartBase::plain(provider, base_url), &Shelf::default()).is_err() {
                continue;
            }
            let location = written(provider, &CartBase::plain(provider, base_url), &cart, None, "", &rest);
            let url = Url::parse(&location).expect("a URL");
            prop_assert_eq!(recognise(&store(provider, base_url), &url), Some(expected), "{}", location);
        }
    }
}
