//! `/products` and `/products/stock`: what can be put into carts, and what is left of it.

use axum::Json;
use axum::extract::{RawQuery, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::{Body, said};
use super::error::ApiError;
use super::params::Params;
use super::{Api, Caller};
use crate::books::{self, Page};
use crate::domain::store::{OversellPolicy, Product};
use crate::domain::time::Timestamp;
use crate::flows::Error;
use crate::flows::publish_product::{self, StockLevel, StockNews};

/// Default page size.
const PAGE_SIZE: u32 = 100;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ProductsBody {
    store_id: String,
    products: Vec<ProductBody>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ProductBody {
    sku: String,
    variant_id: Value,
    title: String,
    image_url: Option<String>,
    price: Option<i64>,
    stock: Option<i64>,
    policy: Option<OversellPolicy>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct StockBody {
    store_id: String,
    items: Vec<StockItemBody>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StockItemBody {
    sku: String,
    #[serde(default, deserialize_with = "said")]
    stock: Option<Option<i64>>,
    delta: Option<i64>,
    updated_at: Option<String>,
}

/// Adds or replaces products by SKU; the next follow sees all of them.
pub(super) async fn upsert(
    State(api): State<Api>,
    caller: Caller,
    Body(body): Body<ProductsBody>,
) -> Result<Json<Value>, ApiError> {
    let now = api.context.clock().now();
    let read = |(place, product): (usize, ProductBody)| {
        let variant_id = match product.variant_id {
            Value::String(id) => id,
            Value::Number(id) if id.is_u64() => id.to_string(),
            _ => {
                return Err(ApiError::invalid(
                    &format!("products[{place}].variantId"),
                    "must be text or a number",
                ));
            }
        };
        Ok(Product {
            sku: product.sku,
            variant_id,
            title: product.title,
            image_url: product.image_url,
            price: product.price,
            price_at: product.price.map(|_| now),
            stock: product.stock,
            policy: product.policy.unwrap_or_default(),
            stock_at: now,
        })
    };
    let products = body
        .products
        .into_iter()
        .enumerate()
        .map(read)
        .collect::<Result<Vec<_>, _>>()?;
    let count = publish_product::upsert(&api.context, caller.workspace, &body.store_id, products).await?;
    Ok(Json(json!({ "storeId": body.store_id, "upserted": count })))
}

/// Takes news about stock; one call is one snapshot.
pub(super) async fn set_stock(
    State(api): State<Api>,
    caller: Caller,
    Body(body): Body<StockBody>,
) -> Result<Json<Value>, ApiError> {
    let read = |(place, item): (usize, StockItemBody)| {
        let field = |name: &str| format!("items[{place}].{name}");
        let level = match (item.stock, item.delta) {
            (Some(stock), None) => StockLevel::Exactly(stock),
            (None, Some(delta)) => StockLevel::ChangedBy(delta),
            _ => return Err(ApiError::invalid(&field("stock"), "or delta is required, not both")),
        };
        let at = match item.updated_at {
            Some(text) => Some(Timestamp::parse(&text).ok_or_else(|| {
                ApiError::invalid(&field("updatedAt"), "must be an instant such as 2026-11-21T10:00:00Z")
            })?),
            None => None,
        };
        Ok(StockNews {
            sku: item.sku,
            level,
            at,
        })
    };
    let news = body
        .items
        .into_iter()
        .enumerate()
        .map(read)
        .collect::<Result<Vec<_>, _>>()?;
    let changed = publish_product::set_stock(&api.context, caller.workspace, &body.store_id, news).await?;
    Ok(Json(json!({ "storeId": body.store_id, "changed": changed })))
}

pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<Value>>, ApiError> {
    let mut params = Params::of(query.as_deref())?;
    let store_id = params
        .text("storeId")
        .ok_or_else(|| ApiError::invalid("storeId", "is required"))?;
    let Page::Number { number, size } = params.page(PAGE_SIZE)? else {
        return Err(ApiError::invalid("page", "is how products are paged"));
    };
    params.end()?;
    let products = api.context.books().read(move |view| {
        let missing = || Error::invalid("storeId", "is not a store of this workspace");
        let store = books::store::by_id(view, caller.workspace, &store_id)?.ok_or_else(missing)?;
        Ok::<_, Error>(books::product::page(view, store.no, number, size)?)
    });
    Ok(Json(products.await?.iter().map(answer).collect()))
}

fn answer(product: &Product) -> Value {
    json!({
        "sku": product.sku,
        "variantId": product.variant_id,
        "title": product.title,
        "imageUrl": product.image_url,
        "price": product.price,
        "stock": product.stock,
        "policy": product.policy,
        "updatedAt": product.stock_at.to_string(),
    })
}
