//! A brand with everything that a follower may meet: a store on the stand-in shop, products with pictures, a creator
//! with a code, and links to landing pages.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::server::{Api, TLS_NAME, TestServer, id_of};
use crate::shop::{SHOP, Shop};

/// SKU, variant, title and price of what is sold.
const PRODUCTS: [(&str, &str, &str, i64); 3] = [
    ("serum", "44017", "Dewy Barrier Serum with Niacinamide, 30 ml", 2_490),
    ("sunscreen", "44018", "Mineral Sunscreen SPF 50, tinted", 1_800),
    ("lip-oil", "44019", "Lip Oil, Rosehip", 1_250),
];

/// What most links lead to: SKU and pieces.
pub const CART: [(&str, u32); 3] = [("serum", 1), ("sunscreen", 2), ("lip-oil", 1)];

/// In business until it is dropped.
pub struct Brand {
    pub server: TestServer,
    pub shop: Shop,
    partner: String,
    store: String,
}

impl Brand {
    /// A brand whose store speaks TLS.
    pub fn open() -> Self {
        Self::with_store_at(Shop::origin)
    }

    /// A brand whose store is at what `origin` says of the shop.
    pub fn with_store_at(origin: impl FnOnce(&Shop) -> String) -> Self {
        let (server, shop) = (TestServer::with_tls(), Shop::open());
        let api = server.api();
        let store = id_of(&api.post(
            "/stores",
            &json!({ "name": "Glow Botanics", "provider": "shopify", "baseUrl": origin(&shop), "currency": "EUR",
                "accentColor": "#c2255c", "imageHosts": [shop.host()] }),
        ));
        let product = |(sku, variant, title, price)| json!({ "sku": sku, "variantId": variant, "title": title, "price": price, "imageUrl": shop.picture(sku) });
        let products: Vec<Value> = PRODUCTS.map(product).into();
        api.put("/products", &json!({ "storeId": store, "products": products }));
        let creator = json!({ "name": "Mia Fernández", "niche": "skin", "image": shop.picture("mia") });
        let partner = id_of(&api.post("/partners", &creator));
        api.code("MIA10", &partner);
        Self {
            server,
            shop,
            partner,
            store,
        }
    }

    /// Links `slug` to a landing page with `items` (SKU and pieces) and the creator's code.
    pub fn link(&self, slug: &str, items: &[(&str, u32)]) -> Link<'_> {
        self.link_with(slug, items, &Value::Null)
    }

    /// As [`Self::link`], with a stock policy.
    pub fn link_with(&self, slug: &str, items: &[(&str, u32)], stock_policy: &Value) -> Link<'_> {
        let item = |&(sku, quantity): &(&str, u32)| json!({ "sku": sku, "quantity": quantity });
        let items: Vec<Value> = items.iter().map(item).collect();
        let link = self.api().link(&json!({
            "key": slug,
            "partnerId": self.partner,
            "stockPolicy": stock_policy,
            "cart": { "storeId": self.store, "items": items, "discountCodes": ["MIA10"], "landing": "page" },
        }));
        assert_eq!(link["cart"]["landing"], json!("page"));
        Link {
            brand: self,
            slug: slug.to_owned(),
        }
    }

    /// Nothing of `sku` is left.
    pub fn sell_out(&self, sku: &str) {
        let items = json!([{ "sku": sku, "stock": 0 }]);
        self.api()
            .put("/products/stock", &json!({ "storeId": self.store, "items": items }));
    }

    pub fn api(&self) -> Api<'_> {
        self.server.api()
    }

    /// Where the server speaks TLS.
    pub fn tls(&self) -> SocketAddr {
        self.server.running().tls.expect("a TLS listener")
    }

    /// How the browser finds brand and shop.
    pub fn host_rules() -> String {
        format!("MAP {TLS_NAME} 127.0.0.1, MAP {SHOP} 127.0.0.1")
    }

    /// How the browser finds brand and shop on other ports than theirs.
    pub fn host_rules_by(&self, way: impl Fn(SocketAddr) -> SocketAddr) -> String {
        let (page, shop) = (way(self.tls()), way(self.shop.tls()));
        format!("MAP {TLS_NAME} {page}, MAP {SHOP} {shop}")
    }
}

/// A link of a brand.
pub struct Link<'a> {
    brand: &'a Brand,
    slug: String,
}

impl Link<'_> {
    /// Its address over TLS.
    pub fn url(&self) -> String {
        format!("https://{TLS_NAME}:{}/{}", self.brand.tls().port(), self.slug)
    }

    /// Its address in clear text.
    pub fn plain_url(&self) -> String {
        let port = self.brand.server.running().public.port();
        format!("http://{TLS_NAME}:{port}/{}", self.slug)
    }
}
