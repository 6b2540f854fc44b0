//! Carts: what a link puts into a shop's cart, chosen by stock, written in the platform's grammar.
//!
//! [`choose()`] decides what can be bought; [`check`] says what a platform can carry; [`write`] turns lines into a URL;
//! [`recognise()`] and [`inbound`] read carts that others wrote. Pure: the shelf is an argument.

pub mod amazon;
pub mod bigcommerce;
mod checks;
mod choose;
pub mod continue_to;
pub mod ecwid;
mod encode;
mod fit;
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
pub use choose::{Choice, Line, OnOut, Picked, Refill, StockPolicy, choose, pick, refill};
pub use fit::{Asked, fit};
pub use recognise::{Recognised, recognise};
pub use store_url::{CartBase, cart_base, check_base_url, front, hosts, is_loopback, origin};

use serde::{Deserialize, Serialize};

use super::id::{CodePoolNo, StoreNo};
use super::query;
use super::store::Provider;

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
    /// Pool of single-use codes, one of which stands in the place of `discount_codes` where a follower gets one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_pool: Option<CodePoolNo>,
}

impl Cart {
    /// Tells two carts apart: a page that was drawn of another one is drawn anew. Stable from one start to the next.
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = blake3::Hasher::new();
        // Length before text: no two lists of items read the same.
        let mut text = |text: &str| {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        };
        for item in &self.items {
            match &item.name {
                ItemName::Sku(sku) => text(&format!("sku {sku}")),
                ItemName::Variant(variant_id) => text(&format!("variant {variant_id}")),
            }
            text(&format!("{} of {}", item.quantity, item.fallbacks.len()));
            item.fallbacks.iter().for_each(|sku| text(sku));
        }
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
        u64::from_le_bytes(bytes) ^ u64::from(self.store.0)
    }
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

/// What a cart URL is written from.
#[derive(Debug, Clone, Copy)]
pub struct CartRequest<'a> {
    /// The store's, by [`cart_base`].
    pub base: &'a CartBase,
    pub cart: &'a Cart,
    pub lines: &'a [Line<'a>],
    /// The follower's own single-use code, in the place of the cart's codes.
    pub code: Option<&'a str>,
    /// Signed click id; `None` for the stored form and for opted-out followers.
    pub click_id: Option<&'a str>,
    /// The request's query; only what a cart forwards is taken from it.
    pub request_query: &'a str,
    /// The link's own UTM parameters, in the order of [`super::click::UTM_NAMES`]; the request's win over them.
    pub utm: &'a [Option<String>; 5],
}

impl<'a> CartRequest<'a> {
    /// The codes that the URL carries.
    fn codes(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let own = self.code.is_none().then_some(self.cart.discount_codes.as_slice());
        let own = own.into_iter().flatten().map(String::as_str);
        self.code.into_iter().chain(own)
    }
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
        // No cart passes the checks; what was stored all the same leads to the front.
        Provider::Api => out.push_str(&request.base.url),
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
            cost: None,
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
            code_pool: None,
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
}
