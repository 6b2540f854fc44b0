//! Stores and the secrets that their webhooks are verified with.

use super::columns::{Columns, Json, Word};
use super::error::Error;
use super::view::{Tx, View};
use crate::domain::id::{StoreNo, WorkspaceNo};
use crate::domain::store::Store;
use crate::domain::time::Timestamp;

const SELECT: &str = "SELECT no, id, workspace, name, provider, base_url, currency, permalink, look, \
     (SELECT endpoint FROM ucp_profiles WHERE store = stores.no), returns_click_ids, created_at FROM stores";

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Store> {
    let mut columns = Columns::of(row);
    Ok(Store {
        no: columns.next()?,
        id: columns.next()?,
        workspace: columns.next()?,
        name: columns.next()?,
        provider: columns.next::<Word<_>>()?.0,
        base_url: columns.next()?,
        currency: columns.next()?,
        permalink: columns.next::<Word<_>>()?.0,
        look: columns
            .next::<Option<Json<_>>>()?
            .map(|look| look.0)
            .unwrap_or_default(),
        ucp_endpoint: columns.next()?,
        returns_click_ids: columns.next()?,
        created_at: columns.next()?,
    })
}

/// Adds `store`, whatever its `no` is, with its webhook secrets, and returns it with the number it got.
///
/// # Errors
/// [`Error::Failed`].
pub fn insert(tx: &Tx<'_>, store: Store, secrets: &[String]) -> Result<Store, Error> {
    tx.run(
        "INSERT INTO stores (id, workspace, name, provider, base_url, currency, permalink, look, created_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            &store.id,
            store.workspace,
            &store.name,
            Word(store.provider),
            &store.base_url,
            &store.currency,
            Word(store.permalink),
            Json(&store.look),
            store.created_at,
        ),
    )?;
    let no = StoreNo(tx.last_no()?);
    set_secrets(tx, no, secrets)?;
    Ok(Store { no, ..store })
}

/// Stores name, provider, base URL, currency, permalink and look of `store`.
///
/// # Errors
/// [`Error::NotFound`].
pub fn update(tx: &Tx<'_>, store: &Store) -> Result<(), Error> {
    let changed = tx.run(
        "UPDATE stores SET name = ?, provider = ?, base_url = ?, currency = ?, permalink = ?, look = ? WHERE no = ?",
        (
            &store.name,
            Word(store.provider),
            &store.base_url,
            &store.currency,
            Word(store.permalink),
            Json(&store.look),
            store.no,
        ),
    )?;
    match changed {
        0 => Err(Error::NotFound { what: "store" }),
        _ => Ok(()),
    }
}

/// Notes that an order that came over UCP has returned a click id; `false` = that was known.
///
/// # Errors
/// [`Error::Failed`].
pub fn set_returns_click_ids(tx: &Tx<'_>, store: StoreNo) -> Result<bool, Error> {
    let sql = "UPDATE stores SET returns_click_ids = 1 WHERE no = ? AND returns_click_ids = 0";
    Ok(tx.run(sql, [store])? > 0)
}

/// Puts `secrets` in the place of the store's webhook secrets.
///
/// # Errors
/// [`Error::Failed`].
pub fn set_secrets(tx: &Tx<'_>, store: StoreNo, secrets: &[String]) -> Result<(), Error> {
    tx.run("DELETE FROM store_secrets WHERE store = ?", [store])?;
    for (place, secret) in (0u32..).zip(secrets) {
        tx.run(
            "INSERT INTO store_secrets (store, place, secret) VALUES (?, ?, ?)",
            (store, place, secret),
        )?;
    }
    Ok(())
}

/// The store's webhook secrets, in the order in which they were given.
///
/// # Errors
/// [`Error::Failed`].
pub fn secrets(view: &View<'_>, store: StoreNo) -> Result<Vec<String>, Error> {
    let sql = "SELECT secret FROM store_secrets WHERE store = ? ORDER BY place";
    view.all(sql, [store], |row| row.get(0))
}

/// The workspace's store with public id `id`.
///
/// # Errors
/// [`Error::Failed`].
pub fn by_id(view: &View<'_>, workspace: WorkspaceNo, id: &str) -> Result<Option<Store>, Error> {
    view.first(
        &format!("{SELECT} WHERE id = ? AND workspace = ?"),
        (id, workspace),
        read,
    )
}

/// The store with public id `id`, whoever owns it: a webhook names nothing else.
///
/// # Errors
/// [`Error::Failed`].
pub fn by_public_id(view: &View<'_>, id: &str) -> Result<Option<Store>, Error> {
    view.first(&format!("{SELECT} WHERE id = ?"), [id], read)
}

/// Store number `no`.
///
/// # Errors
/// [`Error::Failed`].
pub fn by_no(view: &View<'_>, no: StoreNo) -> Result<Option<Store>, Error> {
    view.first(&format!("{SELECT} WHERE no = ?"), [no], read)
}

/// The workspace's stores, oldest first. A brand has a handful.
///
/// # Errors
/// [`Error::Failed`].
pub fn list(view: &View<'_>, workspace: WorkspaceNo) -> Result<Vec<Store>, Error> {
    view.all(&format!("{SELECT} WHERE workspace = ? ORDER BY no"), [workspace], read)
}

/// Every store of the server, oldest first: what stock is loaded for.
///
/// # Errors
/// [`Error::Failed`].
pub fn all(view: &View<'_>) -> Result<Vec<Store>, Error> {
    view.all(&format!("{SELECT} ORDER BY no"), [], read)
}

/// At most `limit` stores that can have a UCP profile and whose last look no longer holds at `now`: those never looked
/// at first, then the longest due.
///
/// # Errors
/// [`Error::Failed`].
pub fn with_due_profile(view: &View<'_>, now: Timestamp, limit: u32) -> Result<Vec<Store>, Error> {
    let sql = format!(
        "{SELECT} LEFT JOIN ucp_profiles p ON p.store = stores.no
         WHERE provider IN ('shopify', 'ucp') AND (p.fresh_until IS NULL OR p.fresh_until <= ?)
         ORDER BY p.fresh_until, no LIMIT ?"
    );
    view.all(&sql, (now, limit), read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::books::fixture;
    use crate::domain::store::{Permalink, Provider, StoreLook};

    #[test]
    fn stores_come_back_with_their_secrets() {
        fixture::in_tx(|tx| {
            let (ours, theirs) = (fixture::workspace(tx, "a")?, fixture::workspace(tx, "b")?);
            let store = Store {
                no: StoreNo::default(),
                id: "store_1".into(),
                workspace: ours,
                name: "Garden".into(),
                provider: Provider::Template,
                base_url: "https://shop.test/?items={items}".into(),
                currency: "JPY".into(),
                permalink: Permalink::Buy,
                look: StoreLook {
                    accent: Some("#0a6b4b".into()),
                    ..StoreLook::default()
                },
                ucp_endpoint: None,
                returns_click_ids: false,
                created_at: Timestamp(5),
            };
            let mut store = insert(tx, store, &["z".to_owned(), "a".to_owned()])?;
            assert_eq!(secrets(tx, store.no)?, ["z", "a"]);
            store.name = "Garden & more".into();
            store.provider = Provider::Shopify;
            update(tx, &store)?;
            for found in [
                by_id(tx, ours, "store_1")?,
                by_public_id(tx, "store_1")?,
                by_no(tx, store.no)?,
            ] {
                assert_eq!(found.as_ref(), Some(&store));
            }
            assert_eq!(by_id(tx, theirs, "store_1")?, None);
            assert_eq!(list(tx, theirs)?, []);
            assert_eq!((list(tx, ours)?.len(), all(tx)?.len()), (1, 1));

            assert!(set_returns_click_ids(tx, store.no)? && !set_returns_click_ids(tx, store.no)?);
            assert!(by_no(tx, store.no)?.is_some_and(|store| store.returns_click_ids));
            set_secrets(tx, store.no, &["new".to_owned()])?;
            assert_eq!(secrets(tx, store.no)?, ["new"]);
            store.no = StoreNo(77);
            assert_eq!(update(tx, &store), Err(Error::NotFound { what: "store" }));
            Ok(())
        });
    }
}
