//! What stores' UCP profiles last said: one row a store. The endpoint is also read as a column of the store itself.

use super::columns::Columns;
use super::error::Error;
use super::view::{Tx, View};
use crate::domain::id::StoreNo;
use crate::domain::ucp_profile::UcpProfile;

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<UcpProfile> {
    let mut columns = Columns::of(row);
    Ok(UcpProfile {
        store: columns.next()?,
        endpoint: columns.next()?,
        signing_keys: columns.next()?,
        fetched_at: columns.next()?,
        looked_at: columns.next()?,
        fresh_until: columns.next()?,
        problem: columns.next()?,
    })
}

/// What is known of the store's profile; `None` before the first look.
///
/// # Errors
/// [`Error::Failed`].
pub fn of_store(view: &View<'_>, store: StoreNo) -> Result<Option<UcpProfile>, Error> {
    let sql = "SELECT store, endpoint, signing_keys, fetched_at, looked_at, fresh_until, problem FROM ucp_profiles
               WHERE store = ?";
    view.first(sql, [store], read)
}

/// Puts `profile` in the place of what was known.
///
/// # Errors
/// [`Error::Failed`].
pub fn put(tx: &Tx<'_>, profile: &UcpProfile) -> Result<(), Error> {
    tx.run(
        "INSERT OR REPLACE INTO ucp_profiles (store, endpoint, signing_keys, fetched_at, looked_at, fresh_until,
         problem) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            profile.store,
            &profile.endpoint,
            &profile.signing_keys,
            profile.fetched_at,
            profile.looked_at,
            profile.fresh_until,
            &profile.problem,
        ),
    )?;
    Ok(())
}

/// Forgets the store's profile: it was another shop's.
///
/// # Errors
/// [`Error::Failed`].
pub fn remove(tx: &Tx<'_>, store: StoreNo) -> Result<(), Error> {
    tx.run("DELETE FROM ucp_profiles WHERE store = ?", [store])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::books::{fixture, store};
    use crate::domain::store::Provider;
    use crate::domain::time::Timestamp;

    fn profile(store: StoreNo, fresh_until: i64) -> UcpProfile {
        UcpProfile {
            store,
            endpoint: Some("https://shop.test/buy".into()),
            signing_keys: Some("[]".into()),
            fetched_at: Some(Timestamp(5)),
            looked_at: Timestamp(6),
            fresh_until: Timestamp(fresh_until),
            problem: Some("gone".into()),
        }
    }

    #[test]
    fn the_last_look_stays_and_the_store_shows_its_endpoint() {
        fixture::in_tx(|tx| {
            let workspace = fixture::workspace(tx, "a")?;
            let no = fixture::store(tx, "x", workspace)?;
            assert_eq!(of_store(tx, no)?, None);
            for fresh_until in [7, 8] {
                put(tx, &profile(no, fresh_until))?;
                assert_eq!(of_store(tx, no)?, Some(profile(no, fresh_until)));
            }
            let endpoint = |tx: &Tx<'_>| Ok::<_, Error>(store::by_no(tx, no)?.and_then(|store| store.ucp_endpoint));
            assert_eq!(endpoint(tx)?.as_deref(), Some("https://shop.test/buy"));
            remove(tx, no)?;
            assert_eq!((of_store(tx, no)?, endpoint(tx)?), (None, None));
            Ok(())
        });
    }

    #[test]
    fn stores_are_due_that_were_never_looked_at_or_are_no_longer_fresh() {
        fixture::in_tx(|tx| {
            let workspace = fixture::workspace(tx, "a")?;
            let mut nos = Vec::new();
            for name in ["never", "old", "older", "fresh", "woo"] {
                nos.push(fixture::store(tx, name, workspace)?);
            }
            for (no, fresh_until) in [(nos[1], 100), (nos[2], 50), (nos[3], 101)] {
                put(tx, &profile(no, fresh_until))?;
            }
            let mut woo = store::by_no(tx, nos[4])?.expect("a store");
            woo.provider = Provider::WooCommerce;
            store::update(tx, &woo)?;
            let due = |limit| {
                let stores = store::with_due_profile(tx, Timestamp(100), limit)?;
                Ok::<_, Error>(stores.into_iter().map(|store| store.no).collect::<Vec<_>>())
            };
            assert_eq!(due(10)?, [nos[0], nos[2], nos[1]]);
            assert_eq!(due(2)?, [nos[0], nos[2]]);
            Ok(())
        });
    }
}
