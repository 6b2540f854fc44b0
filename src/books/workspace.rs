//! Workspaces: whose everything is. Every other row belongs to one, directly or through its store.

use super::columns::Columns;
use super::error::Error;
use super::view::{Tx, View};
use crate::domain::id::WorkspaceNo;
use crate::domain::time::Timestamp;

/// A brand's share of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    pub no: WorkspaceNo,
    /// Public id, `ws_` and a ULID.
    pub id: String,
    pub name: String,
    pub created_at: Timestamp,
}

const SELECT: &str = "SELECT no, id, name, created_at FROM workspaces";

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Workspace> {
    let mut columns = Columns::of(row);
    Ok(Workspace {
        no: columns.next()?,
        id: columns.next()?,
        name: columns.next()?,
        created_at: columns.next()?,
    })
}

/// Adds a workspace.
///
/// # Errors
/// [`Error::Failed`].
pub fn insert(tx: &Tx<'_>, id: &str, name: &str, now: Timestamp) -> Result<WorkspaceNo, Error> {
    tx.run(
        "INSERT INTO workspaces (id, name, created_at) VALUES (?, ?, ?)",
        (id, name, now),
    )?;
    Ok(WorkspaceNo(tx.last_no()?))
}

/// The workspace with public id `id`.
///
/// # Errors
/// [`Error::Failed`].
pub fn by_id(view: &View<'_>, id: &str) -> Result<Option<Workspace>, Error> {
    view.first(&format!("{SELECT} WHERE id = ?"), [id], read)
}

/// The workspace number `no`.
///
/// # Errors
/// [`Error::Failed`].
pub fn by_no(view: &View<'_>, no: WorkspaceNo) -> Result<Option<Workspace>, Error> {
    view.first(&format!("{SELECT} WHERE no = ?"), [no], read)
}

/// Every workspace, oldest first. Brands on one server are few.
///
/// # Errors
/// [`Error::Failed`].
pub fn list(view: &View<'_>) -> Result<Vec<Workspace>, Error> {
    view.all(&format!("{SELECT} ORDER BY no"), [], read)
}

/// Number of workspaces.
///
/// # Errors
/// [`Error::Failed`].
pub fn count(view: &View<'_>) -> Result<u64, Error> {
    view.count("SELECT count(*) FROM workspaces", [])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::books::fixture;

    #[test]
    fn workspaces_are_found_by_both_names() {
        fixture::in_tx(|tx| {
            assert_eq!(count(tx)?, 0);
            let no = insert(tx, "ws_1", "Mia & Co", Timestamp(5))?;
            let expected = Workspace {
                no,
                id: "ws_1".into(),
                name: "Mia & Co".into(),
                created_at: Timestamp(5),
            };
            assert_eq!(by_id(tx, "ws_1")?.as_ref(), Some(&expected));
            assert_eq!(by_no(tx, no)?.as_ref(), Some(&expected));
            assert_eq!(by_id(tx, "ws_2")?, None);
            assert_eq!(list(tx)?, [expected]);
            assert_eq!(count(tx)?, 1);
            Ok(())
        });
    }
}
