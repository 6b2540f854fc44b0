//! Products and stock are told; one call publishes one snapshot of the store.

use std::collections::HashSet;
use std::sync::Arc;

use super::context::Context;
use super::error::Error;
use crate::books::{self, Tx};
use crate::domain::cart;
use crate::domain::id::WorkspaceNo;
use crate::domain::store::{NAME_MAX, PRODUCTS_PER_CALL_MAX, Product, Shelf, Store};
use crate::domain::time::Timestamp;

/// Longest image URL, in characters.
const IMAGE_URL_MAX: usize = 2048;

/// News about one product's stock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StockNews {
    pub sku: String,
    pub level: StockLevel,
    /// When it was so; older news than what is known is dropped. `None` = now.
    pub at: Option<Timestamp>,
}

/// How stock is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StockLevel {
    /// So many are left; `None` = not tracked.
    Exactly(Option<i64>),
    /// So many more, or fewer.
    ChangedBy(i64),
}

/// Adds products to a store or replaces them, by SKU. Returns how many.
pub async fn upsert(
    context: &Context,
    workspace: WorkspaceNo,
    store_id: &str,
    products: Vec<Product>,
) -> Result<usize, Error> {
    bounded(products.len())?;
    let count = products.len();
    change_shelf(context, workspace, store_id, move |tx, store| {
        let mut seen = HashSet::new();
        for (place, product) in products.iter().enumerate() {
            check(store, product)
                .map_err(|(field, message)| Error::invalid(format!("products[{place}].{field}"), message))?;
            if !seen.insert(product.sku.as_str()) {
                return Err(Error::invalid(
                    format!("products[{place}].sku"),
                    "appears twice in this call",
                ));
            }
        }
        Ok(books::product::upsert(tx, store.no, &products)?)
    })
    .await?;
    Ok(count)
}

/// Takes news about stock. Returns how many products changed.
pub async fn set_stock(
    context: &Context,
    workspace: WorkspaceNo,
    store_id: &str,
    news: Vec<StockNews>,
) -> Result<usize, Error> {
    bounded(news.len())?;
    let now = context.inner.clock.now();
    change_shelf(context, workspace, store_id, move |tx, store| {
        let mut changed = 0;
        for (place, item) in news.iter().enumerate() {
            let unknown = || Error::invalid(format!("items[{place}].sku"), "is not a product of this store");
            let product = books::product::by_sku(tx, store.no, &item.sku)?.ok_or_else(unknown)?;
            let at = item.at.unwrap_or(now);
            let level = match item.level {
                StockLevel::Exactly(_) if at < product.stock_at => continue,
                StockLevel::Exactly(stock) => stock,
                StockLevel::ChangedBy(delta) => Some(product.stock.unwrap_or(0).saturating_add(delta)),
            };
            books::product::set_stock(tx, store.no, &item.sku, level, at.max(product.stock_at))?;
            changed += 1;
        }
        Ok(changed)
    })
    .await
}

async fn change_shelf<T: Send + 'static>(
    context: &Context,
    workspace: WorkspaceNo,
    store_id: &str,
    change: impl FnOnce(&Tx<'_>, &Store) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let _order = context.inner.locks.of(store_id).await;
    let store_id = store_id.to_owned();
    let changed = context.inner.books.commit(move |tx| {
        let missing = || Error::invalid("storeId", "is not a store of this workspace");
        let store = books::store::by_id(tx, workspace, &store_id)?.ok_or_else(missing)?;
        let told = change(tx, &store)?;
        Ok::<_, Error>((told, store.no, Shelf::new(&books::product::list(tx, store.no)?)))
    });
    let (told, store, shelf) = changed.await?;
    context.inner.table.put_shelf(store, Arc::new(shelf));
    Ok(told)
}

fn bounded(count: usize) -> Result<(), Error> {
    if count > PRODUCTS_PER_CALL_MAX {
        return Err(Error::invalid("products", "must have at most 10000 entries a call"));
    }
    Ok(())
}

fn check(store: &Store, product: &Product) -> Result<(), (&'static str, &'static str)> {
    let is_name = |text: &str| !text.trim().is_empty() && text.chars().count() <= NAME_MAX;
    for (field, text) in [
        ("sku", &product.sku),
        ("variantId", &product.variant_id),
        ("title", &product.title),
    ] {
        if !is_name(text) {
            return Err((field, "must have 1 to 255 characters"));
        }
    }
    cart::check_variant(store.provider, &product.variant_id).map_err(|message| ("variantId", message))?;
    if product
        .image_url
        .as_ref()
        .is_some_and(|url| url.chars().count() > IMAGE_URL_MAX)
    {
        return Err(("imageUrl", "must have at most 2048 characters"));
    }
    if product.price.is_some_and(|price| price < 0) {
        return Err(("price", "must not be negative"));
    }
    Ok(())
}
