//! Stores and their products.

use serde_json::json;

use super::super::description::{BodyForm, Kind, Routes, Shape, has, may, op};
use super::super::{product, product_upsert, store};
use super::{COUNT, CURRENCY, DRY_RUN, ID, MAYBE_INSTANT, MAYBE_TEXT, MAYBE_URL, MAYBE_WHOLE, PAGE, TAKEN, TEXTS, URL};

const PROVIDERS: Kind = Kind::Words(&[
    "shopify",
    "ucp",
    "woocommerce",
    "bigcommerce",
    "stripe",
    "amazon",
    "ecwid",
    "template",
]);

const UCP: Shape = Shape {
    name: "UcpProfile",
    fields: &[
        has("endpoint", MAYBE_URL, ""),
        has("fetchedAt", MAYBE_INSTANT, ""),
        has("problem", MAYBE_TEXT, "Why the shop's profile cannot be used."),
    ],
};

const STORE: Shape = Shape {
    name: "Store",
    fields: &[
        has("id", Kind::Text("store_1"), ""),
        has("name", Kind::Text("Sand & Clay"), ""),
        has("provider", PROVIDERS, ""),
        has("baseUrl", Kind::Text("https://shop.example"), ""),
        has("currency", CURRENCY, ""),
        has(
            "permalink",
            Kind::OrNull(&Kind::Words(&["auto", "cart", "buy"])),
            "Of Shopify: which cart link it gets.",
        ),
        has("accentColor", MAYBE_TEXT, ""),
        has("logoUrl", MAYBE_URL, ""),
        has("imageHosts", Kind::OrNull(&TEXTS), ""),
        has("priceFreshHours", MAYBE_WHOLE, ""),
        has("ucp", Kind::OrNull(&Kind::Shape(&UCP)), ""),
        has("webhookUrl", URL, "Where the shop tells of orders."),
        has(
            "silentSince",
            MAYBE_INSTANT,
            "When the shop told of an order last, if that is suspiciously long ago.",
        ),
        has("createdAt", Kind::Instant, ""),
    ],
};

const PRODUCT: Shape = Shape {
    name: "Product",
    fields: &[
        has("sku", Kind::Text("MUG-1"), ""),
        has("variantId", Kind::Text("44017"), "The shop's id of it."),
        has("title", Kind::Text("Mug"), ""),
        has("imageUrl", MAYBE_URL, ""),
        has("price", MAYBE_WHOLE, "Minor units."),
        has("cost", MAYBE_WHOLE, "Minor units."),
        has("stock", MAYBE_WHOLE, "null: unknown."),
        has(
            "policy",
            Kind::Words(&["deny", "continue"]),
            "What the shop does at stock 0.",
        ),
        has("updatedAt", Kind::Instant, "When its stock was told."),
    ],
};

const STOCK_SET: Shape = Shape {
    name: "StockSet",
    fields: &[has("storeId", Kind::Text("store_1"), ""), has("changed", COUNT, "")],
};

pub(super) fn add(routes: Routes) -> Routes {
    routes.with(stores).with(products)
}

fn stores(routes: Routes) -> Routes {
    let body = |example| {
        BodyForm::of::<store::StoreBody>("StoreInput", example).note(
            "webhookSecrets",
            "What the shop signs its webhooks with; never shown again.",
        )
    };
    let new = json!({ "name": "Sand & Clay", "provider": "shopify", "baseUrl": "https://shop.example",
        "currency": "EUR", "webhookSecrets": ["shpss_0123456789"] });
    let change = json!({ "name": "Sand & Clay, Berlin" });
    routes
        .tag("Stores")
        .get(
            "/stores",
            store::list,
            op("listStores", "List stores")
                .note("Ours.")
                .gives(200, Kind::List(&Kind::Shape(&STORE))),
        )
        .post(
            "/stores",
            store::create,
            op("createStore", "Add a store")
                .note("Ours.")
                .body(body(new))
                .gives(201, Kind::Shape(&STORE)),
        )
        .get(
            "/stores/{id}",
            store::show,
            op("getStore", "Read a store")
                .note("Ours.")
                .gives(200, Kind::Shape(&STORE)),
        )
        .patch(
            "/stores/{id}",
            store::update,
            op("updateStore", "Change a store")
                .note("Ours.")
                .body(body(change))
                .gives(200, Kind::Shape(&STORE)),
        )
        .post(
            "/stores/{id}/refresh",
            store::refresh,
            op("refreshStore", "Look at the store's UCP profile now")
                .note("Ours.")
                .gives(200, Kind::Shape(&STORE)),
        )
}

fn products(routes: Routes) -> Routes {
    let products = BodyForm::of::<product_upsert::ProductsBody>(
        "ProductsInput",
        json!({ "storeId": "store_1",
            "products": [{ "sku": "MUG-1", "variantId": "44017", "title": "Mug", "price": 2450, "stock": 12 }] }),
    )
    .rows::<product_upsert::ProductBody>("products")
    .note("products[]/variantId", "Text or a number.");
    let stock = BodyForm::of::<product::StockBody>(
        "StockInput",
        json!({ "storeId": "store_1", "items": [{ "sku": "MUG-1", "stock": 11 }] }),
    )
    .note("items[]/stock", "null: unknown. Or delta.");
    routes
        .tag("Products")
        .get(
            "/products",
            product::list,
            op("listProducts", "List a store's products")
                .note("Ours.")
                .query(&[has("storeId", Kind::Text("store_1"), "")])
                .query(&PAGE)
                .gives(200, Kind::List(&Kind::Shape(&PRODUCT))),
        )
        .put(
            "/products",
            product_upsert::upsert,
            op("upsertProducts", "Add or replace products")
                .note("Ours. JSON, or a catalogue file with `storeId` in the query.")
                .query(&[DRY_RUN, may("storeId", ID, "With a file.")])
                .body(products)
                .table()
                .gives(200, Kind::Shape(&TAKEN))
                .large(),
        )
        .put(
            "/products/stock",
            product::set_stock,
            op("setStock", "Tell what is left")
                .note("Ours.")
                .body(stock)
                .gives(200, Kind::Shape(&STOCK_SET))
                .refuses(404),
        )
}
