//! A destination that is a known store's cart: read back into items, codes and attributes, so that it becomes a cart
//! link by itself. What a cart link cannot carry makes the whole destination a plain one: nothing is ever dropped.
//!
//! Payment links and Amazon's, Ecwid's and templates' URLs are not recognised.

use url::Url;

use super::inbound::{self, decode_text, parse_products_query, parse_ucp_items, parse_ucp_query};
use super::{Cart, CartItem, ItemName, Landing, cart_base, check, shopify};
use crate::domain::click::UTM_NAMES;
use crate::domain::id::StoreNo;
use crate::domain::store::{Provider, Shelf, Store};

/// A cart that was read from a destination.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recognised {
    /// Variant ids as they stood in the URL, and quantities from 1 to 99.
    pub items: Vec<(String, u32)>,
    pub codes: Vec<String>,
    pub note: Option<String>,
    pub attributes: Vec<(String, String)>,
    pub continue_to: Option<String>,
    /// Parameters for the link to keep: of [`UTM_NAMES`], each at most once.
    pub rest: Vec<(String, String)>,
}

impl Recognised {
    /// The cart at `store`; `rest` stays with the caller.
    pub fn cart(&self, store: StoreNo) -> Cart {
        let item = |(variant_id, quantity): &(String, u32)| CartItem {
            name: ItemName::Variant(variant_id.clone()),
            quantity: *quantity,
            fallbacks: Vec::new(),
        };
        Cart {
            store,
            items: self.items.iter().map(item).collect(),
            discount_codes: self.codes.clone(),
            note: self.note.clone(),
            attributes: self.attributes.clone(),
            continue_to: self.continue_to.clone(),
            landing: Landing::Direct,
            code_pool: None,
        }
    }
}

/// Reads `destination` by the cart grammar of `store`; `None` when it is no cart there or says more than that store's
/// cart links can. Shopify's carts are read in both forms, `/cart` and `/buy`, and at the profile's endpoint, whichever
/// of them the store's own links get. What is found passes [`check`].
pub fn recognise(store: &Store, destination: &Url) -> Option<Recognised> {
    let (provider, base_url) = (store.provider, store.base_url.as_str());
    let has_person = !destination.username().is_empty() || destination.password().is_some();
    if destination.fragment().is_some() || has_person {
        return None;
    }
    let query = destination.query().unwrap_or_default();
    let of_endpoint = |endpoint: &str| of_permalink(below(endpoint, destination)?, query);
    let of_profile = || of_endpoint(store.ucp_endpoint.as_deref()?);
    let found = match provider {
        Provider::Shopify => of_shopify(below(shopify::root(base_url), destination), query).or_else(of_profile),
        Provider::Ucp => of_profile().or_else(|| of_endpoint(base_url)),
        Provider::WooCommerce => of_products(below(base_url, destination)?, "checkout-link", query, false),
        Provider::BigCommerce => of_products(below(base_url, destination)?, "checkout", query, true),
        Provider::Stripe | Provider::Amazon | Provider::Ecwid | Provider::Template | Provider::Api => None,
    }?;
    let is_carried = check(&found.cart(StoreNo(0)), provider, &cart_base(store), &Shelf::default()).is_ok();
    (is_carried && has_only_utm(&found.rest)).then_some(found)
}

/// The path of `destination` below `base`, on the same origin.
fn below<'a>(base: &str, destination: &'a Url) -> Option<&'a str> {
    let base = Url::parse(base).ok()?;
    let same = base.origin() == destination.origin();
    let path = destination.path().strip_prefix(base.path().trim_end_matches('/'))?;
    path.strip_prefix('/').filter(|_| same)
}

fn has_only_utm(rest: &[(String, String)]) -> bool {
    let is_new = |place: usize| rest[..place].iter().all(|(name, _)| *name != rest[place].0);
    rest.iter()
        .enumerate()
        .all(|(place, (name, _))| UTM_NAMES.contains(&&**name) && is_new(place))
}

/// `path` is below the shop's root.
fn of_shopify(path: Option<&str>, query: &str) -> Option<Recognised> {
    match path?.split_once('/')? {
        ("cart", items) => of_shopify_cart(items, query),
        ("buy", items) => of_permalink(items, query),
        _ => None,
    }
}

fn of_permalink(items: &str, query: &str) -> Option<Recognised> {
    let items = parse_ucp_items(items).ok()?;
    let query = parse_ucp_query(query).ok().filter(|query| query.ignored.is_empty())?;
    Some(Recognised {
        items,
        codes: query.codes,
        note: None,
        attributes: query.attribution,
        continue_to: query.continue_to,
        rest: query.rest,
    })
}

/// `path` is `{page}` or `{page}/`. BigCommerce takes products only with `action=buy`; elsewhere it means nothing.
fn of_products(path: &str, page: &str, query: &str, is_bought: bool) -> Option<Recognised> {
    let buys = query.split('&').filter(|pair| *pair == "action=buy").count();
    if path.strip_suffix('/').unwrap_or(path) != page || buys != usize::from(is_bought) {
        return None;
    }
    // What a repeated id means differs between platforms, or is not said.
    let is_whole = |found: &inbound::ProductsQuery| found.ignored.is_empty() && !found.has_duplicates;
    let query = parse_products_query(query).ok().filter(is_whole)?;
    Some(Recognised {
        items: query.items,
        codes: query.code.into_iter().collect(),
        rest: query.rest,
        ..Recognised::default()
    })
}

fn of_shopify_cart(items: &str, query: &str) -> Option<Recognised> {
    let mut found = Recognised::default();
    for pair in decode_text(items)?.split(',') {
        let (variant_id, digits) = pair.split_once(':')?;
        found.items.push((variant_id.to_owned(), inbound::quantity(digits)?));
    }
    let mut has_codes = false;
    for (raw_name, raw_value) in inbound::pairs(query).ok()? {
        let (name, value) = (decode_text(raw_name)?, decode_text(raw_value)?);
        match &*name {
            "discount" if !has_codes => {
                found.codes = value.split(',').map(str::to_owned).collect();
                has_codes = true;
            }
            "note" if found.note.is_none() => found.note = Some(value),
            _ => match name.strip_prefix("attributes[").and_then(|tail| tail.strip_suffix(']')) {
                Some(attribute) => found.attributes.push((attribute.to_owned(), value)),
                // A second code list or note falls through to here too, and is refused with the unknown.
                None => found.rest.push((name, value)),
            },
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::super::tests::store;
    use super::*;

    fn told(provider: Provider, base_url: &str, destination: &str) -> Option<String> {
        told_by(&store(provider, base_url), destination)
    }

    fn told_by(store: &Store, destination: &str) -> Option<String> {
        let url = Url::parse(destination).expect("a URL");
        recognise(store, &url).map(|found| {
            let pairs = |pairs: &[(String, String)]| {
                let words: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
                words.join("&")
            };
            let items: Vec<_> = found
                .items
                .iter()
                .map(|(id, quantity)| format!("{id}x{quantity}"))
                .collect();
            let parts = [
                items.join(","),
                found.codes.join(","),
                found.note.unwrap_or_default(),
                pairs(&found.attributes),
                found.continue_to.unwrap_or_default(),
                pairs(&found.rest),
            ];
            parts.join("|")
        })
    }

    #[test]
    fn carts_of_the_store_are_recognised() {
        use Provider::*;
        let (front, buy) = ("https://shop.example/", "https://shop.example/buy");
        for (provider, base_url, tail, expected) in [
            (Shopify, front, "/cart/44017:2?discount=X", "44017x2|X||||"),
            (
                Shopify,
                front,
                "/cart/1:2,3:4?discount=A,B&note=hi+%26&attributes[gift+wrap]=y&attributes%5Bk%5D=&utm_source=i&utm_content=mia",
                "1x2,3x4|A,B|hi &|gift wrap=y&k=||utm_source=i&utm_content=mia",
            ),
            (Shopify, front, "/cart/1%3A2%2C3%3A4", "1x2,3x4|||||"),
            (Shopify, buy, "/cart/1:2?note=n", "1x2||n|||"),
            (
                Shopify,
                front,
                "/buy/44017:1?discounts/codes/0=X&attribution/k=v",
                "44017x1|X||k=v||",
            ),
            (
                Shopify,
                buy,
                "/buy/~Z2lkOi8vc2hvcGlmeS9Qcm9kdWN0VmFyaWFudC83MDg4MTQxMg:1?continue_to=/a",
                "gid://shopify/ProductVariant/70881412x1||||/a|",
            ),
            (
                Ucp,
                buy,
                "/buy/a:1,~w6k:2?discounts/codes/0=X&utm_term=t",
                "ax1,éx2|X||||utm_term=t",
            ),
            (
                WooCommerce,
                front,
                "/checkout-link/?products=12:2,34&coupon=C",
                "12x2,34x1|C||||",
            ),
            (WooCommerce, front, "/checkout-link?products=12%3A2", "12x2|||||"),
            (
                BigCommerce,
                front,
                "/checkout/?products=S1:2&coupon=C&action=buy&utm_source=a",
                "S1x2|C||||utm_source=a",
            ),
        ] {
            let found = told(provider, base_url, &format!("https://shop.example{tail}"));
            assert_eq!(found.as_deref(), Some(expected), "{tail}");
        }
    }

    #[test]
    fn every_form_of_a_store_is_recognised_whichever_its_links_get() {
        use crate::domain::store::Permalink;
        let endpoint = "https://pay.example/ucp/v1";
        let forms = [
            ("https://shop.example/cart/44017:2", "44017x2|||||"),
            ("https://shop.example/buy/44017:2", "44017x2|||||"),
            ("https://pay.example/ucp/v1/44017:2", "44017x2|||||"),
        ];
        for permalink in [Permalink::Auto, Permalink::Cart, Permalink::Buy] {
            for base_url in ["https://shop.example/", "https://shop.example/buy"] {
                let mut store = store(Provider::Shopify, base_url);
                store.permalink = permalink;
                store.ucp_endpoint = Some(endpoint.into());
                for (destination, expected) in forms {
                    assert_eq!(told_by(&store, destination).as_deref(), Some(expected), "{destination}");
                }
                store.ucp_endpoint = None;
                assert_eq!(told_by(&store, forms[2].0), None);
            }
        }
        // A UCP store whose base URL is its front, or an endpoint that it had before.
        let mut store = store(Provider::Ucp, "https://shop.example/");
        store.ucp_endpoint = Some("https://shop.example/buy".into());
        assert_eq!(
            told_by(&store, "https://shop.example/buy/a:1").as_deref(),
            Some("ax1|||||")
        );
        assert_eq!(told_by(&store, "https://shop.example/a:1").as_deref(), Some("ax1|||||"));
        assert_eq!(told_by(&store, "https://shop.example/other/a:1"), None);
    }

    #[test]
    fn what_a_cart_cannot_say_stays_a_plain_destination() {
        use Provider::*;
        let (front, buy) = ("https://shop.example/", "https://shop.example/buy");
        for (provider, base_url, destination) in [
            (Shopify, front, "https://other.example/cart/1:2"),
            (Shopify, front, "http://shop.example/cart/1:2"),
            (Shopify, front, "https://shop.example:8443/cart/1:2"),
            (Shopify, front, "https://me@shop.example/cart/1:2"),
            (Shopify, front, "https://shop.example/cart/1:2#x"),
            (Shopify, front, "https://shop.example/de/cart/1:2"),
            (Shopify, front, "https://shop.example/cart"),
            (Shopify, front, "https://shop.example/cart/"),
            (Shopify, front, "https://shop.example/cart/1:2/"),
            (Shopify, front, "https://shop.example/cart/1"),
            (Shopify, front, "https://shop.example/cart/1:0"),
            (Shopify, front, "https://shop.example/cart/1:100"),
            (Shopify, front, "https://shop.example/cart/a:1"),
            (Shopify, front, "https://shop.example/cart/1:2?storefront=true"),
            (Shopify, front, "https://shop.example/cart/1:2?ref=mia"),
            (Shopify, front, "https://shop.example/cart/1:2?fbclid=x"),
            (
                Shopify,
                front,
                "https://shop.example/cart/1:2?checkout%5Bemail%5D=a@b.example",
            ),
            (Shopify, front, "https://shop.example/cart/1:2?discount=A&discount=B"),
            (Shopify, front, "https://shop.example/cart/1:2?discount="),
            (Shopify, front, "https://shop.example/cart/1:2?note=a&note=b"),
            (
                Shopify,
                front,
                "https://shop.example/cart/1:2?utm_source=a&utm_source=b",
            ),
            (
                Shopify,
                front,
                "https://shop.example/cart/1:2?attributes[k]=1&attributes[k]=2",
            ),
            (Shopify, front, "https://shop.example/cart/1:2?attributes[hop_id]=old"),
            (Shopify, front, "https://shop.example/cart/1:2?note=%FF"),
            (Shopify, front, "https://shop.example/buy/1:2?continue_to=/a"),
            (Ucp, buy, "https://shop.example/buying/a:1"),
            (Ucp, buy, "https://shop.example/buy/"),
            (Ucp, buy, "https://shop.example/buy/a:1?buyer/email=x"),
            (Ucp, buy, "https://shop.example/buy/a:1?continue_to=//evil.example"),
            (Ucp, buy, "https://shop.example/buy/a:1?color=black"),
            (WooCommerce, front, "https://shop.example/checkout-link/?products=SKU:1"),
            (
                WooCommerce,
                front,
                "https://shop.example/checkout-link/?products=1:1,1:2",
            ),
            (
                WooCommerce,
                front,
                "https://shop.example/checkout-link/?products=1&session=x",
            ),
            (
                WooCommerce,
                front,
                "https://shop.example/checkout-link/?products=1&action=buy",
            ),
            (WooCommerce, front, "https://shop.example/checkout/?products=1"),
            (BigCommerce, front, "https://shop.example/checkout/?products=1:1"),
            (
                BigCommerce,
                front,
                "https://shop.example/checkout/?products=1:1&action=buy&order_source=www",
            ),
            (Stripe, "https://buy.stripe.com/4gw", "https://buy.stripe.com/4gw"),
            (Template, "https://shop.example/c/{items}", "https://shop.example/c/1:2"),
        ] {
            assert_eq!(
                told(provider, base_url, destination),
                None,
                "{provider:?} {destination}"
            );
        }
    }
}
