//! Products and stock are told; one call publishes one snapshot of the store.

use std::collections::HashMap;
use std::sync::Arc;

use super::context::Context;
use super::error::Error;
use crate::books::{self, Tx, View};
use crate::domain::id::WorkspaceNo;
use crate::domain::product::{self, FieldError, ProductDraft, Taken};
use crate::domain::store::{PRODUCTS_PER_CALL_MAX, Shelf, Store};
use crate::domain::time::Timestamp;

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

/// Products that are told in one call.
#[derive(Debug, Default)]
pub struct Telling {
    pub drafts: Vec<ProductDraft>,
    /// ISO 4217 code that prices were read in; `None` = as the store sells now.
    pub currency: Option<String>,
    /// Only say what would become of it.
    pub is_dry_run: bool,
}

/// What became of a [`Telling`].
#[derive(Debug, PartialEq, Eq)]
pub struct Told {
    /// Products that were stored, or would be.
    pub upserted: usize,
    /// Place among the drafts and the reason, of each that was not.
    pub refused: Vec<(usize, FieldError)>,
}

/// Adds products to a store or replaces them, by SKU, in one commit and one snapshot. A draft that cannot be taken is
/// left out and does not touch the others.
///
/// # Errors
/// What is wrong with the call as a whole: nothing was changed.
pub async fn upsert(
    context: &Context,
    workspace: WorkspaceNo,
    store_id: &str,
    telling: Telling,
) -> Result<Told, Error> {
    bounded(telling.drafts.len())?;
    let now = context.inner.clock.now();
    if telling.is_dry_run {
        let id = store_id.to_owned();
        let read = context.inner.books.read(move |view| {
            let store = books::store::by_id(view, workspace, &id)?.ok_or_else(no_store)?;
            decide(view, &store, telling, now)
        });
        return read.await.map(told);
    }
    change_shelf(context, workspace, store_id, move |tx, store| {
        let taken = decide(tx, store, telling, now)?;
        books::product::upsert(tx, store.no, &taken.products)?;
        Ok(told(taken))
    })
    .await
}

fn decide(view: &View<'_>, store: &Store, telling: Telling, now: Timestamp) -> Result<Taken, Error> {
    if telling.currency.is_some_and(|currency| currency != store.currency) {
        return Err(Error::Conflict {
            field: "currency",
            message: "of the store was changed meanwhile: send the products again".to_owned(),
        });
    }
    let known = if telling.drafts.iter().all(ProductDraft::is_whole) {
        HashMap::new()
    } else {
        let known = books::product::list(view, store.no)?;
        known
            .into_iter()
            .map(|product| (product.sku.clone(), product))
            .collect()
    };
    Ok(product::take(telling.drafts, &known, store.provider, now))
}

fn told(taken: Taken) -> Told {
    Told {
        upserted: taken.products.len(),
        refused: taken.refused,
    }
}

fn no_store() -> Error {
    Error::invalid("storeId", "is not a store of this workspace")
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
        let store = books::store::by_id(tx, workspace, &store_id)?.ok_or_else(no_store)?;
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
