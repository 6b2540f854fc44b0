//! A store's base URL: what it must look like for its platform, where the shop's front is, and which hosts a cart's
//! location may have. The destination policy has looked at it before; nothing here asks the network.

use url::{Host, Url};

use super::{amazon, shopify, template};
use crate::domain::query;
use crate::domain::store::Provider;

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
fn is_loopback(url: &Url) -> bool {
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
        | Provider::Ecwid => base_url.to_owned(),
    }
}

fn origin(url: &str) -> &str {
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url[start..].find(['/', '?', '#']).map_or(url.len(), |at| start + at);
    &url[..end]
}

/// The hosts, lower case and without port, that a cart's location at this store may have: every platform keeps to
/// its base URL's. Empty only for a URL that [`check_base_url`] refuses.
pub fn hosts(base_url: &str) -> Vec<String> {
    let url = Url::parse(base_url).ok();
    url.and_then(|url| url.host_str().map(str::to_owned))
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests {
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
        assert_eq!(hosts("https://Shop.example:8443/{items}"), ["shop.example"]);
        assert!(hosts("nonsense").is_empty());
    }
}
