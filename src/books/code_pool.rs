//! Pools of single-use codes: whose they are and how many codes they have. The codes are in [`super::pool_code`].

use super::columns::Columns;
use super::error::Error;
use super::filter::Filter;
use super::page::{Listing, Page};
use super::view::{Tx, View};
use crate::domain::code_pool::{CodePool, PoolCounts};
use crate::domain::id::{CodePoolNo, WorkspaceNo};
use crate::domain::time::Timestamp;

const COLUMNS: &str = "no, id, workspace, store, creator, name, created_at";

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<CodePool> {
    let mut columns = Columns::of(row);
    Ok(CodePool {
        no: columns.next()?,
        id: columns.next()?,
        workspace: columns.next()?,
        store: columns.next()?,
        creator: columns.next()?,
        name: columns.next()?,
        created_at: columns.next()?,
    })
}

/// Adds `pool`, whatever its `no` is, and returns it with the number it got.
///
/// # Errors
/// [`Error::Failed`].
pub fn insert(tx: &Tx<'_>, pool: CodePool) -> Result<CodePool, Error> {
    tx.run(
        "INSERT INTO code_pools (id, workspace, store, creator, name, created_at) VALUES (?, ?, ?, ?, ?, ?)",
        (
            &pool.id,
            pool.workspace,
            pool.store,
            pool.creator,
            &pool.name,
            pool.created_at,
        ),
    )?;
    Ok(CodePool {
        no: CodePoolNo(tx.last_no()?),
        ..pool
    })
}

/// The workspace's pool with public id `id`, unless it was deleted.
///
/// # Errors
/// [`Error::Failed`].
pub fn by_id(view: &View<'_>, workspace: WorkspaceNo, id: &str) -> Result<Option<CodePool>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM code_pools WHERE id = ? AND workspace = ? AND deleted_at IS NULL");
    view.first(&sql, (id, workspace), read)
}

/// The pool with number `no`, unless it was deleted.
///
/// # Errors
/// [`Error::Failed`].
pub fn by_no(view: &View<'_>, no: CodePoolNo) -> Result<Option<CodePool>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM code_pools WHERE no = ? AND deleted_at IS NULL");
    view.first(&sql, [no], read)
}

/// The name of the workspace's pool with public id `id`, deleted or not.
///
/// # Errors
/// [`Error::Failed`].
pub fn name_of(view: &View<'_>, workspace: WorkspaceNo, id: &str) -> Result<Option<String>, Error> {
    let sql = "SELECT name FROM code_pools WHERE id = ? AND workspace = ?";
    view.first(sql, (id, workspace), |row| row.get(0))
}

/// Number of the workspace's pools that were not deleted.
///
/// # Errors
/// [`Error::Failed`].
pub fn count(view: &View<'_>, workspace: WorkspaceNo) -> Result<u64, Error> {
    let sql = "SELECT count(*) FROM code_pools WHERE workspace = ? AND deleted_at IS NULL";
    view.count(sql, [workspace])
}

/// One page of the workspace's pools, newest first.
///
/// # Errors
/// [`Error::NotFound`] on `page` for an unknown id to go on from.
pub fn list(view: &View<'_>, workspace: WorkspaceNo, page: &Page) -> Result<Vec<CodePool>, Error> {
    let mut filter = Filter::of("workspace = ?", workspace.0);
    filter.and("deleted_at IS NULL", []);
    let listing = Listing {
        table: "code_pools",
        columns: COLUMNS,
        id: "id",
        sort: "created_at",
        is_ascending: false,
    };
    listing.page(view, filter, page, read)
}

/// Public ids of at most `most` pools of the whole server that were not deleted, with what can be handed out of them at
/// `now`; those with the least first.
///
/// # Errors
/// [`Error::Failed`].
pub fn scarcest(view: &View<'_>, now: Timestamp, most: usize) -> Result<Vec<(String, u64)>, Error> {
    let all = view.all(
        "SELECT no, id FROM code_pools WHERE deleted_at IS NULL ORDER BY total - leased, no LIMIT ?",
        [i64::try_from(most).unwrap_or(i64::MAX)],
        |row| Ok((row.get::<_, CodePoolNo>(0)?, row.get(1)?)),
    )?;
    let count = |(no, id)| Ok((id, counts(view, no, now)?.remaining));
    all.into_iter().map(count).collect()
}

/// How many codes the pool has at `now`.
///
/// # Errors
/// [`Error::Failed`].
pub fn counts(view: &View<'_>, no: CodePoolNo, now: Timestamp) -> Result<PoolCounts, Error> {
    let sql = "SELECT total, leased, given, used FROM code_pools WHERE no = ?";
    let kept = view.first(sql, [no], |row| {
        let mut columns = Columns::of(row);
        let mut next = || Ok::<_, rusqlite::Error>(columns.next_count()?.unwrap_or(0));
        Ok((next()?, next()?, next()?, next()?))
    })?;
    let (total, leased, given, used) = kept.unwrap_or_default();
    let expired = view.count(
        "SELECT count(*) FROM pool_codes WHERE pool = ? AND leased_at IS NULL AND expires_at <= ?",
        (no, now),
    )?;
    Ok(PoolCounts {
        total,
        remaining: total.saturating_sub(leased).saturating_sub(expired),
        leased: leased.saturating_sub(given),
        given,
        used,
        expired,
    })
}

/// Takes the pool away: its codes that nobody took out are gone, the others stay for the orders that show them.
///
/// # Errors
/// [`Error::Failed`].
pub fn delete(tx: &Tx<'_>, no: CodePoolNo, now: Timestamp) -> Result<(), Error> {
    // A code that an order showed counts as taken out, so no order loses its own.
    tx.run("DELETE FROM pool_codes WHERE pool = ? AND leased_at IS NULL", [no])?;
    tx.run(
        "UPDATE code_pools SET deleted_at = ?, total = leased WHERE no = ?",
        (now, no),
    )?;
    Ok(())
}
