//! A store and its products: what can be put into a cart, and what is left of it.
//!
//! A [`Shelf`] is one consistent view of a store's stock; a change makes a new shelf, so that no follower sees half.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::id::{StoreNo, WorkspaceNo};
use super::time::Timestamp;

/// Longest SKU, variant id or title, in characters.
pub const NAME_MAX: usize = 255;
/// Most products in one call.
pub const PRODUCTS_PER_CALL_MAX: usize = 10_000;

/// Which platform a store runs on: decides cart grammar and webhook form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// Legacy cart permalinks or `/buy`: see [`Permalink`].
    Shopify,
    /// Any shop that takes UCP permalinks. Its base URL is the endpoint, or a page of the shop once the shop's profile
    /// names the endpoint; until then carts are written on the base URL as it is.
    Ucp,
    WooCommerce,
    BigCommerce,
    /// One payment link, which is the base URL.
    Stripe,
    /// One country's shop.
    Amazon,
    /// A page that holds an Ecwid (Lightspeed) store.
    Ecwid,
    /// Any shop whose cart URL can be written as a template.
    Template,
    /// No shop: what `/track/sale` tells of no other store, one a currency. Its base URL is this server's own; it takes
    /// no carts.
    Api,
}

impl Provider {
    /// The word of the API and the books.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Shopify => "shopify",
            Self::Ucp => "ucp",
            Self::WooCommerce => "woocommerce",
            Self::BigCommerce => "bigcommerce",
            Self::Stripe => "stripe",
            Self::Amazon => "amazon",
            Self::Ecwid => "ecwid",
            Self::Template => "template",
            Self::Api => "api",
        }
    }

    /// Whether its shops can have a UCP profile (`/.well-known/ucp`) that names an endpoint for permalinks.
    pub fn has_ucp_profile(self) -> bool {
        matches!(self, Self::Shopify | Self::Ucp)
    }
}

/// Which cart permalink a Shopify store gets. Other providers have one and ignore this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum Permalink {
    /// `/cart` until an order that came over UCP has returned a click id, then `/buy`; a base URL that ends in `/buy`
    /// is `/buy` from the start.
    #[default]
    Auto,
    /// The legacy `/cart`.
    Cart,
    /// UCP's `/buy`.
    Buy,
}

/// How a store's landing pages look, and what they may show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StoreLook {
    /// `#rrggbb`.
    pub accent: Option<String>,
    /// On one of `image_hosts`, else it is not shown.
    pub logo_url: Option<String>,
    /// Hosts whose pictures are shown, lower case, with a port where it is not the scheme's own; others are kept but
    /// not shown.
    pub image_hosts: Vec<String>,
    /// Hours for which a price may be shown after it was told.
    pub price_fresh_hours: u32,
}

/// Most hosts of pictures: shops have one or two, and each stands in every page's Content-Security-Policy.
pub const IMAGE_HOSTS_MAX: usize = 20;
/// Longest time for which a price is shown, in hours: 30 days.
pub const PRICE_FRESH_HOURS_MAX: u32 = 720;
/// Hours for which a price is shown when the brand says nothing.
pub const PRICE_FRESH_HOURS: u32 = 24;

impl Default for StoreLook {
    fn default() -> Self {
        Self {
            accent: None,
            logo_url: None,
            image_hosts: Vec::new(),
            price_fresh_hours: PRICE_FRESH_HOURS,
        }
    }
}

/// A shop that carts lead to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    pub no: StoreNo,
    /// Public id, `store_` and a ULID.
    pub id: String,
    pub workspace: WorkspaceNo,
    pub name: String,
    pub provider: Provider,
    /// Front of the shop, or what [`Provider`] says: endpoint, payment link, template.
    pub base_url: String,
    /// ISO 4217 code.
    pub currency: String,
    pub permalink: Permalink,
    pub look: StoreLook,
    /// Permalink endpoint that the store's UCP profile names, when one was found.
    pub ucp_endpoint: Option<String>,
    /// Whether an order that came over UCP has returned a click id.
    pub returns_click_ids: bool,
    pub created_at: Timestamp,
}

/// What happens at stock 0 in the shop itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum OversellPolicy {
    /// Cannot be bought.
    #[default]
    Deny,
    /// Can be bought all the same (back-order).
    Continue,
}

/// A variant that can be bought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// The brand's own name of it, unique in the store.
    pub sku: String,
    /// The platform's id of it.
    pub variant_id: String,
    pub title: String,
    pub image_url: Option<String>,
    /// Minor units of the store's currency.
    pub price: Option<i64>,
    /// When the price was last told; `None` without a price.
    pub price_at: Option<Timestamp>,
    /// Pieces left; `None` = not tracked, sellable. Negative when oversold.
    pub stock: Option<i64>,
    pub policy: OversellPolicy,
    /// When the stock was last told.
    pub stock_at: Timestamp,
    /// What one piece costs the brand; minor units of the store's currency. `None` = not known.
    pub cost: Option<i64>,
}

/// A product as the follower's path needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShelfItem {
    pub variant_id: Box<str>,
    pub title: Box<str>,
    pub image_url: Option<Box<str>>,
    /// Minor units of the store's currency, and when it was told.
    pub price: Option<(i64, Timestamp)>,
    pub stock: Option<i64>,
    pub policy: OversellPolicy,
}

impl ShelfItem {
    /// Whether `quantity` pieces can be sold.
    pub fn can_sell(&self, quantity: u32) -> bool {
        self.policy == OversellPolicy::Continue || self.stock.is_none_or(|left| left >= i64::from(quantity))
    }
}

impl ShelfItem {
    /// Most pieces, up to `most`, that can still be sold when `taken` are in the cart already.
    pub fn quantity_max(&self, taken: u32, most: u32) -> u32 {
        let most = most.saturating_sub(taken);
        match self.stock {
            Some(left) if self.policy == OversellPolicy::Deny => {
                u32::try_from(left.saturating_sub(i64::from(taken)).max(0)).map_or(most, |left| left.min(most))
            }
            _ => most,
        }
    }
}

/// One consistent view of what a store has.
#[derive(Debug, Clone, Default)]
pub struct Shelf {
    by_sku: HashMap<Box<str>, ShelfItem>,
    sku_of_variant: HashMap<Box<str>, Box<str>>,
}

impl Shelf {
    /// A shelf of `products`.
    pub fn new<'a>(products: impl IntoIterator<Item = &'a Product>) -> Self {
        let mut shelf = Self::default();
        for product in products {
            let sku: Box<str> = product.sku.as_str().into();
            let variant_id: Box<str> = product.variant_id.as_str().into();
            shelf.sku_of_variant.insert(variant_id.clone(), sku.clone());
            shelf.by_sku.insert(
                sku,
                ShelfItem {
                    variant_id,
                    title: product.title.as_str().into(),
                    image_url: product.image_url.as_deref().map(Box::from),
                    price: product.price.zip(product.price_at),
                    stock: product.stock,
                    policy: product.policy,
                },
            );
        }
        shelf
    }

    /// The item called `sku`.
    pub fn by_sku(&self, sku: &str) -> Option<&ShelfItem> {
        self.by_sku.get(sku)
    }

    /// The item with the platform's `variant_id`.
    pub fn by_variant(&self, variant_id: &str) -> Option<&ShelfItem> {
        self.by_sku.get(self.sku_of_variant.get(variant_id)?)
    }

    /// The SKU of the item with the platform's `variant_id`.
    pub fn sku_of(&self, variant_id: &str) -> Option<&str> {
        self.sku_of_variant.get(variant_id).map(|sku| &**sku)
    }

    /// Number of products.
    pub fn len(&self) -> usize {
        self.by_sku.len()
    }

    /// Whether there is no product.
    pub fn is_empty(&self) -> bool {
        self.by_sku.is_empty()
    }
}
