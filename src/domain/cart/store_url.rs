//! A store's URLs: what the base URL must look like for its platform, what carts are written on, where the shop's front
//! is, and which hosts a cart's location may have. The destination policy has looked at each of them before; nothing
//! here asks the network.

use url::{Host, Url};

use super::{amazon, shopify, template};
use crate::domain::query;
use crate::domain::store::{Permalink, Provider, Store};

const WITHOUT_TAIL: &str = "must not have a query or fragment";

/// Checks the serialised base URL of a store on `provider`; a template as it was written.
///
/// # Errors
/// What is wrong with it.
pub fn check_base_url(provider: Provider, url: &str) -> Result<(), &'static str> {
    if provider == Provider::Template {
        return template::sample(url).map(drop);
    }
    let parsed = Url::parse(url).map_err(|_| "is not a valid URL")?;
    if parsed.fragment().is_some() {
        return Err(WITHOUT_TAIL);
    }
    match provider {
        Provider::Amazon => check_amazon(&parsed),
        // A page of WordPress may be named by its query; the cart stands in the fragment.
        Provider::Ecwid => Ok(()),
        _ if parsed.query().is_some() => Err(WITHOUT_TAIL),
        Provider::Ucp if parsed.scheme() != "https" && !is_loopback(&parsed) => {
            Err("must start with https://: it is the UCP permalink endpoint")
        }
        Provider::Ucp if parsed.path().len() > 1 && parsed.path().ends_with('/') => {
            Err("must not end in a slash: it is the UCP permalink endpoint such as https://shop.example/buy")
        }
        Provider::Stripe if parsed.path().len() < 2 => {
            Err("must be a payment link such as https://buy.stripe.com/4gw3cd")
        }
        _ => Ok(()),
    }
}

fn check_amazon(url: &Url) -> Result<(), &'static str> {
    let is_shop = url.scheme() == "https" && url.port().is_none() && url.host_str().is_some_and(amazon::is_host);
    if (!is_shop && !is_loopback(url)) || url.path() != "/" {
        return Err("must be one of Amazon's shops such as https://www.amazon.de/");
    }
    let tag = query::value_of(url.query().unwrap_or_default(), amazon::TAG);
    let has_only_tag = url.query_pairs().count() == 1 && tag.is_some_and(|tag| amazon::is_tag(&tag));
    if url.query().is_some() && !has_only_tag {
        return Err("may have one parameter only: AssociateTag, of letters, digits and hyphens");
    }
    Ok(())
}

/// Stand-ins on this machine, for demos and tests; the destination policy lets them through only where it is told to.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Where followers go when nothing of a cart can be bought and the link names no page for it. A payment link is its
/// own front: its host shows nothing.
pub fn front(provider: Provider, base_url: &str) -> String {
    match provider {
        Provider::Shopify if shopify::is_buy(base_url) => shopify::root(base_url).to_owned() + "/",
        // An endpoint or a template is no page; its shop's front is the root of the same origin.
        Provider::Ucp | Provider::Template => origin(base_url).to_owned() + "/",
        Provider::Shopify
        | Provider::WooCommerce
        | Provider::BigCommerce
        | Provider::Stripe
        | Provider::Amazon
        | Provider::Ecwid
        | Provider::Api => base_url.to_owned(),
    }
}

/// Scheme, host and port of a checked URL, as they are written.
pub fn origin(url: &str) -> &str {
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url[start..].find(['/', '?', '#']).map_or(url.len(), |at| start + at);
    &url[..end]
}

/// What a store's carts are written on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CartBase {
    /// What the platform's own grammar starts from: the shop's front (Shopify's without `/buy` and a final slash),
    /// payment link, page or template; for UCP the base URL.
    pub url: Box<str>,
    /// Where UCP permalinks start, without a final slash: always there for UCP, for Shopify only when its carts go to
    /// `/buy`.
    pub endpoint: Option<Box<str>>,
}

impl CartBase {
    /// The base of a store of which nothing but its base URL is known.
    pub fn plain(provider: Provider, base_url: &str) -> Self {
        Self::new(provider, base_url, Permalink::Auto, None, false)
    }

    fn new(
        provider: Provider,
        base_url: &str,
        permalink: Permalink,
        known: Option<&str>,
        returns_click_ids: bool,
    ) -> Self {
        let known = known.map(|known| known.trim_end_matches('/'));
        match provider {
            Provider::Shopify => {
                let root = shopify::root(base_url);
                let own = || format!("{root}/buy").into_boxed_str();
                let is_as_written = permalink == Permalink::Auto && !returns_click_ids;
                Self {
                    url: root.into(),
                    endpoint: match permalink {
                        Permalink::Cart => None,
                        _ if is_as_written => shopify::is_buy(base_url).then(own),
                        _ => Some(known.map_or_else(own, Box::from)),
                    },
                }
            }
            Provider::Ucp => Self {
                url: base_url.into(),
                endpoint: Some(known.unwrap_or(base_url.trim_end_matches('/')).into()),
            },
            _ => Self {
                url: base_url.into(),
                endpoint: None,
            },
        }
    }
}

/// What the carts of `store` are written on. Shopify: `/cart` at the shop's root, or the UCP endpoint (the profile's
/// when it is known, else `/buy` at the root) when [`Permalink`] says so. UCP: the profile's endpoint when it is known,
/// else the base URL. Others: the base URL.
pub fn cart_base(store: &Store) -> CartBase {
    let known = store.ucp_endpoint.as_deref();
    CartBase::new(
        store.provider,
        &store.base_url,
        store.permalink,
        known,
        store.returns_click_ids,
    )
}

/// The hosts, lower case and without port, that a cart's location on `base` may have: its own, and its endpoint's.
/// Empty only for URLs that [`check_base_url`] refuses.
pub fn hosts(base: &CartBase) -> Vec<String> {
    let mut hosts: Vec<String> = Vec::with_capacity(2);
    for url in std::iter::once(&base.url).chain(&base.endpoint) {
        let host = Url::parse(url).ok().and_then(|url| url.host_str().map(str::to_owned));
        if let Some(host) = host.filter(|host| !hosts.contains(host)) {
            hosts.push(host);
        }
    }
    hosts
}

#[cfg(test)]
mod tests {
    use super::super::tests::store;
    use super::*;

    #[test]
    fn base_urls_are_checked_by_platform() {
        use Provider::*;
        let tail = Err(WITHOUT_TAIL);
        let amazon = Err("must be one of Amazon's shops such as https://www.amazon.de/");
        let tag = Err("may have one parameter only: AssociateTag, of letters, digits and hyphens");
        for (provider, url, expected) in [
            (Shopify, "https://shop.example/", Ok(())),
            (Shopify, "https://shop.example/buy", Ok(())),
            (Shopify, "https://shop.example/?a=1", tail),
            (WooCommerce, "https://shop.example/en", Ok(())),
            (WooCommerce, "https://shop.example/#x", tail),
            (BigCommerce, "https://shop.example/?a=1", tail),
            (Ucp, "https://shop.example/buy", Ok(())),
            (Ucp, "https://shop.example/", Ok(())),
            (
                Ucp,
                "https://shop.example/buy/",
                Err("must not end in a slash: it is the UCP permalink endpoint such as https://shop.example/buy"),
            ),
            (
                Ucp,
                "http://shop.example/buy",
                Err("must start with https://: it is the UCP permalink endpoint"),
            ),
            (Ucp, "http://127.0.0.1:8080/buy", Ok(())),
            (Stripe, "https://buy.stripe.com/4gw3cd", Ok(())),
            (
                Stripe,
                "https://buy.stripe.com/",
                Err("must be a payment link such as https://buy.stripe.com/4gw3cd"),
            ),
            (Stripe, "https://buy.stripe.com/4gw3cd?locale=de", tail),
            (Amazon, "https://www.amazon.de/", Ok(())),
            (Amazon, "https://www.amazon.sg/?AssociateTag=mia-21", Ok(())),
            (Amazon, "https://www.amazon.evil.example/", amazon),
            (Amazon, "http://www.amazon.de/", amazon),
            (Amazon, "https://www.amazon.de/dp/B01M8L5Z3Y", amazon),
            (Amazon, "https://www.amazon.de/?tag=mia-21", tag),
            (Amazon, "https://www.amazon.de/?AssociateTag=a&AssociateTag=b", tag),
            (Amazon, "https://www.amazon.de/?AssociateTag=a%26b", tag),
            (Ecwid, "https://site.example/?page_id=5", Ok(())),
            (Ecwid, "https://site.example/#!/", tail),
            (Template, "https://s.example/?p={items}", Ok(())),
            (
                Template,
                "https://s.example/ü?p={items}",
                Err("must be ASCII: percent-encode everything else"),
            ),
        ] {
            assert_eq!(check_base_url(provider, url), expected, "{provider:?} {url}");
        }
    }

    #[test]
    fn fronts_are_pages_of_the_shop() {
        use Provider::*;
        for (provider, base_url, expected) in [
            (Shopify, "https://shop.example/de", "https://shop.example/de"),
            (Shopify, "https://shop.example/de/buy", "https://shop.example/de/"),
            (Ucp, "https://shop.example:8443/api/buy", "https://shop.example:8443/"),
            (Template, "https://s.example?p={items}", "https://s.example/"),
            (Stripe, "https://buy.stripe.com/4gw3cd", "https://buy.stripe.com/4gw3cd"),
        ] {
            assert_eq!(front(provider, base_url), expected);
        }
    }

    #[test]
    fn carts_are_written_where_the_store_says() {
        use Permalink::*;
        use Provider::*;
        let (front, buy, known) = (
            "https://shop.example/",
            "https://shop.example/buy",
            "https://pay.example/ucp/v1",
        );
        for (provider, base_url, permalink, endpoint, returns, expected) in [
            (Shopify, front, Auto, None, false, ("https://shop.example", None)),
            (Shopify, front, Auto, Some(known), false, ("https://shop.example", None)),
            (Shopify, front, Auto, None, true, ("https://shop.example", Some(buy))),
            (
                Shopify,
                front,
                Auto,
                Some(known),
                true,
                ("https://shop.example", Some(known)),
            ),
            (Shopify, buy, Auto, None, false, ("https://shop.example", Some(buy))),
            (
                Shopify,
                buy,
                Auto,
                Some(known),
                false,
                ("https://shop.example", Some(buy)),
            ),
            (Shopify, buy, Cart, Some(known), true, ("https://shop.example", None)),
            (Shopify, front, Cart, None, true, ("https://shop.example", None)),
            (Shopify, front, Buy, None, false, ("https://shop.example", Some(buy))),
            (Shopify, buy, Buy, None, false, ("https://shop.example", Some(buy))),
            (
                Shopify,
                front,
                Buy,
                Some(known),
                false,
                ("https://shop.example", Some(known)),
            ),
            (
                Shopify,
                "https://shop.example/de/",
                Buy,
                None,
                false,
                ("https://shop.example/de", Some("https://shop.example/de/buy")),
            ),
            (Ucp, buy, Auto, None, false, (buy, Some(buy))),
            (Ucp, front, Auto, None, false, (front, Some("https://shop.example"))),
            (Ucp, front, Auto, Some(buy), false, (front, Some(buy))),
            (Ucp, buy, Auto, Some(known), false, (buy, Some(known))),
            (
                Ucp,
                buy,
                Auto,
                Some("https://pay.example/"),
                false,
                (buy, Some("https://pay.example")),
            ),
            (WooCommerce, front, Buy, Some(known), true, (front, None)),
            (
                Template,
                "https://s.example/?p={items}",
                Auto,
                None,
                false,
                ("https://s.example/?p={items}", None),
            ),
        ] {
            let mut store = store(provider, base_url);
            store.permalink = permalink;
            store.ucp_endpoint = endpoint.map(str::to_owned);
            store.returns_click_ids = returns;
            let base = cart_base(&store);
            let found = (&*base.url, base.endpoint.as_deref());
            assert_eq!(
                found, expected,
                "{provider:?} {base_url} {permalink:?} {endpoint:?} {returns}"
            );
        }
    }

    #[test]
    fn locations_have_the_hosts_of_both_bases() {
        let mut store = store(Provider::Ucp, "https://Shop.example:8443/");
        let found = |store: &Store| hosts(&cart_base(store));
        assert_eq!(found(&store), ["shop.example"]);
        store.ucp_endpoint = Some("https://pay.example/buy".into());
        assert_eq!(found(&store), ["shop.example", "pay.example"]);
        assert!(hosts(&CartBase::plain(Provider::Ucp, "nonsense")).is_empty());
    }
}
