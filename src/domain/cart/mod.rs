//! Carts: what a link puts into a shop's cart, chosen by stock, written in the platform's grammar.
//!
//! [`choose`] decides what can be bought; [`check`] says what a platform can carry; [`write`] turns lines into a URL;
//! [`recognise()`] and [`inbound`] read carts that others wrote. Pure: the shelf is an argument.

pub mod amazon;
pub mod bigcommerce;
mod checks;
pub mod continue_to;
pub mod ecwid;
mod encode;
pub mod inbound;
#[cfg(test)]
mod properties;
mod recognise;
pub mod shopify;
mod store_url;
pub mod stripe;
pub mod template;
pub mod ucp;
pub mod woocommerce;

pub use checks::{CartError, check, check_code, check_variant};
pub use recognise::{Recognised, recognise};
pub use store_url::{CartBase, cart_base, check_base_url, front, hosts, is_loopback};

use serde::{Deserialize, Serialize};

use super::id::StoreNo;
use super::query;
use super::store::{Provider, Shelf};

/// Most different items in one cart.
pub const ITEMS_MAX: usize = 50;
/// Most pieces of one item.
pub const QUANTITY_MAX: u32 = 99;
/// Most fallbacks of one item.
pub const FALLBACKS_MAX: usize = 10;
/// Most discount codes in one cart.
pub const CODES_MAX: usize = 5;
/// Longest discount code, in characters.
pub const CODE_MAX: usize = 64;
/// Most order attributes.
pub const ATTRIBUTES_MAX: usize = 20;
/// Longest URL that every platform and in-app browser takes.
pub const URL_MAX: usize = 2000;
/// Name under which the click id travels through the shop and back.
pub const CLICK_ID_ATTRIBUTE: &str = "hop_id";

/// How an item is named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ItemName {
    Sku(String),
    Variant(String),
}

/// One line of a cart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CartItem {
    pub name: ItemName,
    /// 1 to [`QUANTITY_MAX`].
    pub quantity: u32,
    /// SKUs that stand in, in order.
    pub fallbacks: Vec<String>,
}

/// A cart as a brand wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cart {
    pub store: StoreNo,
    pub items: Vec<CartItem>,
    pub discount_codes: Vec<String>,
    pub note: Option<String>,
    /// Order attributes, in the brand's order.
    pub attributes: Vec<(String, String)>,
    /// Path in the shop to go to next, for templates that name it.
    pub continue_to: Option<String>,
    #[serde(default)]
    pub landing: Landing,
}

/// What a follower of a cart link sees first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum Landing {
    /// The shop, with the cart filled.
    #[default]
    Direct,
    /// A page of ours that shows the cart, with a button to the shop.
    Page,
}

/// What to do when an item cannot be bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum OnOut {
    /// Put in its first fallback that can be bought; without one, leave it out.
    #[default]
    Fallback,
    /// Leave it out.
    Drop,
    /// Go to [`StockPolicy::redirect_url`].
    Redirect,
    /// Send the cart as written: the shop decides.
    Pass,
    /// As [`Self::Fallback`]; when nothing is left, a page that takes an e-mail address.
    Waitlist,
}

/// A link's rule for what is sold out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct StockPolicy {
    pub on_out: OnOut,
    /// Serialised URL for carts of which nothing can be bought; without one, the store's front.
    pub redirect_url: Option<String>,
}

/// A line that can be bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    pub variant_id: &'a str,
    pub quantity: u32,
}

/// What [`choose`] decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice<'a> {
    /// These lines, as written.
    Whole(Vec<Line<'a>>),
    /// These lines, of which at least one is a fallback.
    WithFallback(Vec<Line<'a>>),
    /// These lines; at least one is missing.
    Reduced(Vec<Line<'a>>),
    /// Nothing: go to the policy's page or the store's front.
    Nothing,
}

/// Chooses the lines of `cart` that `shelf` can sell. Pieces already taken by an earlier line of the same cart count,
/// so two lines that end on one variant are one line and never more than is left.
pub fn choose<'a>(cart: &'a Cart, policy: &StockPolicy, shelf: &'a Shelf) -> Choice<'a> {
    let mut lines: Vec<Line<'a>> = Vec::with_capacity(cart.items.len());
    let mut has_fallback = false;
    let mut is_reduced = false;
    for item in &cart.items {
        let own = match &item.name {
            ItemName::Sku(sku) => shelf.by_sku(sku),
            ItemName::Variant(variant_id) => shelf.by_variant(variant_id),
        };
        // A variant that the brand never described has no stock to look at: it is sent as written.
        let own_variant = own.map(|found| &*found.variant_id).or(match &item.name {
            ItemName::Variant(variant_id) => Some(variant_id),
            ItemName::Sku(_) => None,
        });
        let taken = |lines: &[Line<'_>], variant_id: &str| {
            lines
                .iter()
                .find(|line| line.variant_id == variant_id)
                .map_or(0, |line| line.quantity)
        };
        let own_sells = policy.on_out == OnOut::Pass
            || match (own, own_variant) {
                (Some(found), _) => found.can_sell(item.quantity + taken(&lines, &found.variant_id)),
                (None, variant_id) => variant_id.is_some(),
            };
        let (variant_id, is_fallback) = match (own_sells, own_variant, policy.on_out) {
            (true, Some(variant_id), _) => (variant_id, false),
            (_, _, OnOut::Redirect) => return Choice::Nothing,
            (_, _, OnOut::Fallback | OnOut::Waitlist) => {
                let sells = |sku: &&String| {
                    shelf
                        .by_sku(sku)
                        .is_some_and(|found| found.can_sell(item.quantity + taken(&lines, &found.variant_id)))
                };
                match item.fallbacks.iter().find(sells).and_then(|sku| shelf.by_sku(sku)) {
                    Some(found) => (&*found.variant_id, true),
                    None => {
                        is_reduced = true;
                        continue;
                    }
                }
            }
            (_, _, OnOut::Drop | OnOut::Pass) => {
                is_reduced = true;
                continue;
            }
        };
        has_fallback |= is_fallback;
        match lines.iter_mut().find(|line| line.variant_id == variant_id) {
            Some(line) => line.quantity = (line.quantity + item.quantity).min(QUANTITY_MAX),
            None => lines.push(Line {
                variant_id,
                quantity: item.quantity,
            }),
        }
    }
    match (lines.is_empty(), is_reduced, has_fallback) {
        (true, ..) => Choice::Nothing,
        (_, true, _) => Choice::Reduced(lines),
        (_, _, true) => Choice::WithFallback(lines),
        _ => Choice::Whole(lines),
    }
}

/// What a cart URL is written from.
#[derive(Debug, Clone, Copy)]
pub struct CartRequest<'a> {
    /// The store's, by [`cart_base`].
    pub base: &'a CartBase,
    pub cart: &'a Cart,
    pub lines: &'a [Line<'a>],
    /// Signed click id; `None` for the stored form and for opted-out followers.
    pub click_id: Option<&'a str>,
    /// The request's query; only what a cart forwards is taken from it.
    pub request_query: &'a str,
    /// The link's own UTM parameters, in the order of [`super::click::UTM_NAMES`]; the request's win over them.
    pub utm: &'a [Option<String>; 5],
}

/// Appends the platform's cart URL to `out`.
pub fn write(out: &mut String, provider: Provider, request: &CartRequest<'_>) {
    match provider {
        Provider::Shopify => shopify::write(out, request),
        Provider::Ucp => ucp::write(
            out,
            request.base.endpoint.as_deref().unwrap_or(&request.base.url),
            request,
        ),
        Provider::WooCommerce => woocommerce::write(out, request),
        Provider::BigCommerce => bigcommerce::write(out, request),
        Provider::Stripe => stripe::write(out, request),
        Provider::Amazon => amazon::write(out, request),
        Provider::Ecwid => ecwid::write(out, request),
        Provider::Template => template::write(out, request),
    }
}

/// Appends what a cart forwards of the request, and the link's UTM parameters that the request does not replace.
fn append_forwarded(out: &mut String, is_first: &mut bool, request: &CartRequest<'_>) {
    append_forwarded_except(out, is_first, request, None);
}

/// [`append_forwarded`] without the parameter `taken`, under which the platform carries something of ours.
fn append_forwarded_except(out: &mut String, is_first: &mut bool, request: &CartRequest<'_>, taken: Option<&str>) {
    let forwarded = || {
        url::form_urlencoded::parse(request.request_query.as_bytes())
            .filter(|(name, _)| query::is_forwarded_to_cart(name) && Some(&**name) != taken)
    };
    for (name, value) in super::click::UTM_NAMES.iter().zip(request.utm) {
        let Some(value) = value else { continue };
        if !forwarded().any(|(candidate, _)| candidate == *name) {
            query::append(out, is_first, name, value);
        }
    }
    for (name, value) in forwarded() {
        query::append(out, is_first, &name, &value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::WorkspaceNo;
    use crate::domain::store::{OversellPolicy, Permalink, Product, Store, StoreLook};
    use crate::domain::time::Timestamp;

    pub(super) fn product(sku: &str, variant_id: &str, stock: Option<i64>) -> Product {
        Product {
            sku: sku.into(),
            variant_id: variant_id.into(),
            title: sku.into(),
            image_url: None,
            price: None,
            price_at: None,
            stock,
            policy: OversellPolicy::Deny,
            stock_at: Timestamp(0),
        }
    }

    pub(super) fn cart(items: &[(&str, u32, &[&str])]) -> Cart {
        let item = |(sku, quantity, fallbacks): &(&str, u32, &[&str])| CartItem {
            name: ItemName::Sku((*sku).into()),
            quantity: *quantity,
            fallbacks: fallbacks.iter().map(|sku| (*sku).to_owned()).collect(),
        };
        Cart {
            store: StoreNo(1),
            items: items.iter().map(item).collect(),
            discount_codes: vec![],
            note: None,
            attributes: vec![],
            continue_to: None,
            landing: Landing::Direct,
        }
    }

    pub(super) fn store(provider: Provider, base_url: &str) -> Store {
        Store {
            no: StoreNo(1),
            id: "store_1".into(),
            workspace: WorkspaceNo(1),
            name: "Shop".into(),
            provider,
            base_url: base_url.into(),
            currency: "EUR".into(),
            permalink: Permalink::Auto,
            look: StoreLook::default(),
            ucp_endpoint: None,
            returns_click_ids: false,
            created_at: Timestamp(0),
        }
    }

    fn told(choice: &Choice<'_>) -> String {
        let lines = |word: &str, lines: &[Line<'_>]| {
            let pairs: Vec<_> = lines
                .iter()
                .map(|line| format!("{}:{}", line.variant_id, line.quantity))
                .collect();
            format!("{word} {}", pairs.join(","))
        };
        match choice {
            Choice::Whole(chosen) => lines("whole", chosen),
            Choice::WithFallback(chosen) => lines("fallback", chosen),
            Choice::Reduced(chosen) => lines("reduced", chosen),
            Choice::Nothing => "nothing".into(),
        }
    }

    #[test]
    fn stock_decides() {
        let shelf = Shelf::new(&[
            product("full", "1", Some(10)),
            product("empty", "2", Some(0)),
            product("untracked", "3", None),
            product("last", "4", Some(1)),
            product("oversold", "5", Some(-3)),
            Product {
                policy: OversellPolicy::Continue,
                ..product("backorder", "6", Some(0))
            },
        ]);
        let none: &[&str] = &[];
        for (items, on_out, expected) in [
            (&[("full", 2, none)][..], OnOut::Fallback, "whole 1:2"),
            (
                &[("untracked", 99, none), ("backorder", 1, none)],
                OnOut::Fallback,
                "whole 3:99,6:1",
            ),
            (&[("empty", 1, &["oversold", "full"])], OnOut::Fallback, "fallback 1:1"),
            (&[("empty", 1, none), ("full", 1, none)], OnOut::Fallback, "reduced 1:1"),
            (&[("empty", 1, none)], OnOut::Fallback, "nothing"),
            (
                &[("empty", 1, &["full"]), ("full", 1, none)],
                OnOut::Drop,
                "reduced 1:1",
            ),
            (
                &[("full", 1, none), ("empty", 1, &["full"])],
                OnOut::Redirect,
                "nothing",
            ),
            (&[("empty", 3, &["full"])], OnOut::Pass, "whole 2:3"),
            (
                &[("last", 1, none), ("empty", 1, &["last", "full"])],
                OnOut::Fallback,
                "fallback 4:1,1:1",
            ),
            (
                &[("full", 1, none), ("empty", 2, &["full"])],
                OnOut::Fallback,
                "fallback 1:3",
            ),
            (&[("last", 2, none)], OnOut::Fallback, "nothing"),
        ] {
            let policy = StockPolicy {
                on_out,
                redirect_url: None,
            };
            assert_eq!(
                told(&choose(&cart(items), &policy, &shelf)),
                expected,
                "{items:?} {on_out:?}"
            );
        }
    }

    #[test]
    fn undescribed_variants_are_sent_as_written() {
        let mut cart = cart(&[("x", 1, &[])]);
        cart.items[0].name = ItemName::Variant("77".into());
        assert_eq!(
            told(&choose(&cart, &StockPolicy::default(), &Shelf::default())),
            "whole 77:1"
        );
    }
}
