//! Products of a store and what is left of them. One row a SKU; whether news of stock is newer is the caller's to say.

use super::columns::{Columns, Word};
use super::error::Error;
use super::view::{Tx, View};
use crate::domain::id::StoreNo;
use crate::domain::store::Product;
use crate::domain::time::Timestamp;

const SELECT: &str = "SELECT sku, variant_id, title, image_url, price, price_at, stock, policy, stock_at, cost FROM products WHERE store = ?";

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Product> {
    let mut columns = Columns::of(row);
    Ok(Product {
        sku: columns.next()?,
        variant_id: columns.next()?,
        title: columns.next()?,
        image_url: columns.next()?,
        price: columns.next()?,
        price_at: columns.next()?,
        stock: columns.next()?,
        policy: columns.next::<Word<_>>()?.0,
        stock_at: columns.next()?,
        cost: columns.next()?,
    })
}

/// Adds `products`, or replaces every field of those whose SKU the store has.
///
/// # Errors
/// [`Error::Failed`].
pub fn upsert(tx: &Tx<'_>, store: StoreNo, products: &[Product]) -> Result<(), Error> {
    for product in products {
        tx.run(
            "INSERT OR REPLACE INTO products (store, sku, variant_id, title, image_url, price, price_at, stock, policy,
             stock_at, cost) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                store,
                &product.sku,
                &product.variant_id,
                &product.title,
                &product.image_url,
                product.price,
                product.price_at,
                product.stock,
                Word(product.policy),
                product.stock_at,
                product.cost,
            ),
        )?;
    }
    Ok(())
}

/// Sets what is left of `sku` (`None` = not tracked); `false` = the store has no such SKU.
///
/// # Errors
/// [`Error::Failed`].
pub fn set_stock(tx: &Tx<'_>, store: StoreNo, sku: &str, stock: Option<i64>, at: Timestamp) -> Result<bool, Error> {
    let changed = tx.run(
        "UPDATE products SET stock = ?, stock_at = ? WHERE store = ? AND sku = ?",
        (stock, at, store, sku),
    )?;
    Ok(changed > 0)
}

/// What one piece of the product costs the brand that a shop calls `sku`, or without one `variant_id`; `None` = not known.
pub(super) fn cost_of(
    view: &View<'_>,
    store: StoreNo,
    sku: Option<&str>,
    variant_id: Option<&str>,
) -> Result<Option<i64>, Error> {
    let by_sku = match sku {
        Some(sku) => view.first(
            "SELECT cost FROM products WHERE store = ? AND sku = ?",
            (store, sku),
            |row| row.get(0),
        )?,
        None => None,
    };
    match (by_sku, variant_id) {
        (Some(cost), _) => Ok(cost),
        (None, Some(variant)) => Ok(view
            .first(
                "SELECT cost FROM products WHERE store = ? AND variant_id = ? ORDER BY sku LIMIT 1",
                (store, variant),
                |row| row.get(0),
            )?
            .flatten()),
        (None, None) => Ok(None),
    }
}

/// Every product of the store by SKU: what a shelf is made of.
///
/// # Errors
/// [`Error::Failed`].
pub fn list(view: &View<'_>, store: StoreNo) -> Result<Vec<Product>, Error> {
    view.all(&format!("{SELECT} ORDER BY sku"), [store], read)
}

/// Page `number`, from 1, of the store's products by SKU.
///
/// # Errors
/// [`Error::Failed`].
pub fn page(view: &View<'_>, store: StoreNo, number: u32, size: u32) -> Result<Vec<Product>, Error> {
    let offset = i64::from(number.saturating_sub(1)) * i64::from(size);
    view.all(
        &format!("{SELECT} ORDER BY sku LIMIT ? OFFSET ?"),
        (store, size, offset),
        read,
    )
}

/// Number of products of the store.
///
/// # Errors
/// [`Error::Failed`].
pub fn count(view: &View<'_>, store: StoreNo) -> Result<u64, Error> {
    view.count("SELECT count(*) FROM products WHERE store = ?", [store])
}

/// The store's product called `sku`.
///
/// # Errors
/// [`Error::Failed`].
pub fn by_sku(view: &View<'_>, store: StoreNo, sku: &str) -> Result<Option<Product>, Error> {
    view.first(&format!("{SELECT} AND sku = ?"), (store, sku), read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::books::fixture;
    use crate::domain::store::OversellPolicy;

    fn product(sku: &str) -> Product {
        Product {
            sku: sku.to_owned(),
            variant_id: format!("v-{sku}"),
            title: "Trowel".to_owned(),
            image_url: Some("https://cdn.test/1.png".to_owned()),
            price: Some(1990),
            price_at: Some(Timestamp(4)),
            stock: Some(-2),
            policy: OversellPolicy::Continue,
            stock_at: Timestamp(5),
            cost: None,
        }
    }

    #[test]
    fn a_sku_is_one_row_of_its_store() {
        fixture::in_tx(|tx| {
            let workspace = fixture::workspace(tx, "a")?;
            let (ours, theirs) = (fixture::store(tx, "x", workspace)?, fixture::store(tx, "y", workspace)?);
            upsert(tx, ours, &[product("b"), product("a"), product("c")])?;
            upsert(tx, theirs, &[product("a")])?;
            let changed = Product {
                title: "Spade".into(),
                image_url: None,
                price: None,
                price_at: None,
                stock: None,
                policy: OversellPolicy::Deny,
                ..product("a")
            };
            upsert(tx, ours, std::slice::from_ref(&changed))?;
            assert_eq!(list(tx, ours)?, [changed.clone(), product("b"), product("c")]);
            assert_eq!(page(tx, ours, 1, 2)?, [changed, product("b")]);
            assert_eq!(page(tx, ours, 2, 2)?, [product("c")]);
            assert_eq!((count(tx, ours)?, count(tx, theirs)?), (3, 1));

            assert!(set_stock(tx, ours, "a", Some(4), Timestamp(9))?);
            assert!(!set_stock(tx, ours, "z", Some(4), Timestamp(9))?);
            let stock = |store| Ok::<_, Error>(by_sku(tx, store, "a")?.map(|found| (found.stock, found.stock_at)));
            assert_eq!(stock(ours)?, Some((Some(4), Timestamp(9))));
            assert_eq!(stock(theirs)?, Some((Some(-2), Timestamp(5))));
            assert_eq!(by_sku(tx, theirs, "b")?, None);
            Ok(())
        });
    }
}
