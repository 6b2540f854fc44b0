//! API keys as hashes. A key itself never comes here.

use super::columns::{Columns, Json};
use super::error::Error;
use super::view::{Tx, View};
use crate::domain::id::WorkspaceNo;
use crate::domain::time::Timestamp;

/// A key as the books keep it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Public id, `key_` and a ULID.
    pub id: String,
    pub workspace: WorkspaceNo,
    pub name: String,
    /// [`crate::domain::api_key::hash`] of the key.
    pub hash: [u8; 32],
    /// The key's first characters, so that people can tell keys apart.
    pub hint: String,
    /// Whether it may create workspaces: the server's owner.
    pub is_owner: bool,
    /// The origins that a publishable key may be used from, as [`crate::domain::origin`] keeps them; `None` = a secret
    /// key.
    pub origins: Option<Vec<String>>,
    /// What a secret key may do, in the words of [`crate::domain::scope`]; `None` = everything.
    pub scopes: Option<Vec<String>>,
    /// From then on it opens nothing.
    pub expires_at: Option<Timestamp>,
    /// `None` = as the server says; 0 = as many as it likes.
    pub calls_per_minute: Option<u32>,
    /// The last call, to the minute.
    pub last_used_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
}

impl ApiKey {
    /// Whether it opens anything at `now`.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|at| now < at)
    }
}

const SELECT: &str = "SELECT id, workspace, name, hash, hint, is_owner, origins, scopes, expires_at, calls_per_minute,
    last_used_at, created_at, revoked_at FROM api_keys";

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<ApiKey> {
    let mut columns = Columns::of(row);
    Ok(ApiKey {
        id: columns.next()?,
        workspace: columns.next()?,
        name: columns.next()?,
        hash: columns.next()?,
        hint: columns.next()?,
        is_owner: columns.next()?,
        origins: columns.next::<Option<Json<_>>>()?.map(|origins| origins.0),
        scopes: columns.next::<Option<Json<_>>>()?.map(|scopes| scopes.0),
        expires_at: columns.next()?,
        calls_per_minute: columns.next()?,
        last_used_at: columns.next()?,
        created_at: columns.next()?,
        revoked_at: columns.next()?,
    })
}

/// Adds `key`.
///
/// # Errors
/// [`Error::Conflict`] on `key` when the hash is known, also of a revoked key.
pub fn insert(tx: &Tx<'_>, key: &ApiKey) -> Result<(), Error> {
    tx.run_unique(
        "INSERT INTO api_keys (id, workspace, name, hash, hint, is_owner, origins, scopes, expires_at,
         calls_per_minute, last_used_at, created_at, revoked_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            &key.id,
            key.workspace,
            &key.name,
            key.hash,
            &key.hint,
            key.is_owner,
            key.origins.as_ref().map(Json),
            key.scopes.as_ref().map(Json),
            key.expires_at,
            key.calls_per_minute,
            key.last_used_at,
            key.created_at,
            key.revoked_at,
        ),
        &[("api_keys.hash", "key")],
    )?;
    Ok(())
}

/// Stores what may be changed of `key`: name, scopes, expiry, rate.
///
/// # Errors
/// [`Error::NotFound`].
pub fn update(tx: &Tx<'_>, key: &ApiKey) -> Result<(), Error> {
    let changed = tx.run(
        "UPDATE api_keys SET name = ?, scopes = ?, expires_at = ?, calls_per_minute = ? WHERE id = ?",
        (
            &key.name,
            key.scopes.as_ref().map(Json),
            key.expires_at,
            key.calls_per_minute,
            &key.id,
        ),
    )?;
    match changed {
        0 => Err(Error::NotFound { what: "key" }),
        _ => Ok(()),
    }
}

/// Notes a call at `now` with the key `id`.
///
/// # Errors
/// [`Error::Failed`].
pub fn touch(tx: &Tx<'_>, id: &str, now: Timestamp) -> Result<(), Error> {
    tx.run("UPDATE api_keys SET last_used_at = ? WHERE id = ?", (now, id))?;
    Ok(())
}

/// The key with public id `id`, of any workspace, unless it is revoked.
///
/// # Errors
/// [`Error::Failed`].
pub fn by_id(view: &View<'_>, id: &str) -> Result<Option<ApiKey>, Error> {
    view.first(&format!("{SELECT} WHERE id = ? AND revoked_at IS NULL"), [id], read)
}

/// Every key of `workspace`, revoked ones too, oldest first.
///
/// # Errors
/// [`Error::Failed`].
pub fn list(view: &View<'_>, workspace: WorkspaceNo) -> Result<Vec<ApiKey>, Error> {
    view.all(&format!("{SELECT} WHERE workspace = ? ORDER BY no"), [workspace], read)
}

/// Every secret key of the server that is not revoked: what followers' requests are held against in memory.
///
/// # Errors
/// [`Error::Failed`].
pub fn all_live(view: &View<'_>) -> Result<Vec<ApiKey>, Error> {
    view.all(
        &format!("{SELECT} WHERE revoked_at IS NULL AND origins IS NULL ORDER BY no"),
        [],
        read,
    )
}

/// What each publishable key of the server that is not revoked allows.
///
/// # Errors
/// [`Error::Failed`].
pub fn allowed_origins(view: &View<'_>) -> Result<Vec<Vec<String>>, Error> {
    let sql = "SELECT origins FROM api_keys WHERE revoked_at IS NULL AND origins IS NOT NULL";
    view.all(sql, [], |row| Ok(row.get::<_, Json<Vec<String>>>(0)?.0))
}

/// The key with this hash, unless it is revoked.
///
/// # Errors
/// [`Error::Failed`].
pub fn by_hash(view: &View<'_>, hash: &[u8; 32]) -> Result<Option<ApiKey>, Error> {
    view.first(
        &format!("{SELECT} WHERE hash = ? AND revoked_at IS NULL"),
        [hash.as_slice()],
        read,
    )
}

/// Revokes the key with public id `id`; `false` = the workspace has no such key, or it is revoked already.
///
/// # Errors
/// [`Error::Failed`].
pub fn revoke(tx: &Tx<'_>, workspace: WorkspaceNo, id: &str, now: Timestamp) -> Result<bool, Error> {
    let revoked = tx.run(
        "UPDATE api_keys SET revoked_at = ? WHERE workspace = ? AND id = ? AND revoked_at IS NULL",
        (now, workspace, id),
    )?;
    Ok(revoked > 0)
}

/// Whether a key was ever made here, revoked or not: the first start is over.
///
/// # Errors
/// [`Error::Failed`].
pub fn any_exists(view: &View<'_>) -> Result<bool, Error> {
    Ok(view.count("SELECT EXISTS (SELECT 1 FROM api_keys)", [])? > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::books::fixture;

    #[test]
    fn revoked_keys_open_nothing() {
        fixture::in_tx(|tx| {
            let (ours, theirs) = (fixture::workspace(tx, "a")?, fixture::workspace(tx, "b")?);
            assert!(!any_exists(tx)?);
            let key = |id: &str, workspace, byte| ApiKey {
                id: id.into(),
                workspace,
                name: "laptop".into(),
                hash: [byte; 32],
                hint: "hop_abcd".into(),
                is_owner: byte == 1,
                origins: None,
                scopes: (byte == 2).then(|| vec!["links.read".to_owned()]),
                expires_at: (byte == 2).then_some(Timestamp(100)),
                calls_per_minute: None,
                last_used_at: None,
                created_at: Timestamp(1),
                revoked_at: None,
            };
            let (first, second) = (key("key_1", ours, 1), key("key_2", theirs, 2));
            insert(tx, &first)?;
            insert(tx, &second)?;
            assert!(any_exists(tx)?);
            assert_eq!(insert(tx, &key("key_3", ours, 2)), Err(Error::Conflict { what: "key" }));
            assert_eq!(by_hash(tx, &[1; 32])?.as_ref(), Some(&first));
            assert_eq!(by_hash(tx, &[9; 32])?, None);

            assert!(!revoke(tx, theirs, "key_1", Timestamp(9))?, "another workspace's key");
            assert!(revoke(tx, ours, "key_1", Timestamp(9))?);
            assert!(!revoke(tx, ours, "key_1", Timestamp(10))?);
            assert_eq!(by_hash(tx, &[1; 32])?, None);
            assert_eq!(all_live(tx)?, std::slice::from_ref(&second));
            assert!(second.is_live(Timestamp(99)) && !second.is_live(Timestamp(100)));
            let mut changed = second;
            (changed.name, changed.scopes, changed.calls_per_minute) = ("desk".into(), None, Some(60));
            update(tx, &changed)?;
            touch(tx, &changed.id, Timestamp(9))?;
            changed.last_used_at = Some(Timestamp(9));
            assert_eq!(by_id(tx, "key_2")?, Some(changed));
            assert_eq!(by_id(tx, "key_1")?, None, "revoked");
            assert_eq!(list(tx, ours)?[0].revoked_at, Some(Timestamp(9)));
            assert!(any_exists(tx)?);
            Ok(())
        });
    }
}
