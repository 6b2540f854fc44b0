//! `GET /products` and `PUT /products/stock`: what can be put into carts, and what is left of it.

use axum::Json;
use axum::extract::{RawQuery, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::{Body, said};
use super::error::ApiError;
use super::params::Params;
use super::{Api, Caller};
use crate::books::{self, Page};
use crate::domain::store::Product;
use crate::domain::time::Timestamp;
use crate::flows::Error;
use crate::flows::publish_product::{self, StockLevel, StockNews};

/// Default page size.
const PAGE_SIZE: u32 = 100;

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
        "cost": product.cost,
        "stock": product.stock,
        "policy": product.policy,
        "updatedAt": product.stock_at.to_string(),
    })
}
