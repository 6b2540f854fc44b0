//! Links that show creators their own report. Kept when they end or are revoked: their numbers stand in tokens and are
//! never used twice.

use super::columns::Columns;
use super::error::Error;
use super::view::{Tx, View};
use crate::domain::id::{CreatorNo, WorkspaceNo};
use crate::domain::report_link::ReportLink;
use crate::domain::time::Timestamp;

/// Links of one creator that a list shows, the newest ones: many years of them.
const LISTED_MAX: u32 = 100;

const COLUMNS: &str = "no, id, workspace, creator, created_at, expires_at, revoked_at";

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<ReportLink> {
    let mut columns = Columns::of(row);
    Ok(ReportLink {
        no: columns.next()?,
        id: columns.next()?,
        workspace: columns.next()?,
        creator: columns.next()?,
        created_at: columns.next()?,
        expires_at: columns.next()?,
        revoked_at: columns.next()?,
    })
}

/// Adds `link`, whatever its `no` is, and returns it with the number it got.
///
/// # Errors
/// [`Error::Failed`].
pub fn insert(tx: &Tx<'_>, link: ReportLink) -> Result<ReportLink, Error> {
    tx.run(
        "INSERT INTO report_links (id, workspace, creator, created_at, expires_at, revoked_at) VALUES (?, ?, ?, ?, ?, ?)",
        (
            &link.id,
            link.workspace,
            link.creator,
            link.created_at,
            link.expires_at,
            link.revoked_at,
        ),
    )?;
    Ok(ReportLink {
        no: tx.last_no()?,
        ..link
    })
}

/// Link number `no`.
///
/// # Errors
/// [`Error::Failed`].
pub fn by_no(view: &View<'_>, no: u32) -> Result<Option<ReportLink>, Error> {
    view.first(&format!("SELECT {COLUMNS} FROM report_links WHERE no = ?"), [no], read)
}

/// The workspace's link with public id `id`.
///
/// # Errors
/// [`Error::Failed`].
pub fn by_id(view: &View<'_>, workspace: WorkspaceNo, id: &str) -> Result<Option<ReportLink>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM report_links WHERE id = ? AND workspace = ?");
    view.first(&sql, (id, workspace), read)
}

/// The creator's links, newest first, at most a hundred.
///
/// # Errors
/// [`Error::Failed`].
pub fn of_creator(view: &View<'_>, creator: CreatorNo) -> Result<Vec<ReportLink>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM report_links WHERE creator = ? ORDER BY created_at DESC, no DESC LIMIT {LISTED_MAX}"
    );
    view.all(&sql, [creator], read)
}

/// How many of the creator's links can be read at `now`.
///
/// # Errors
/// [`Error::Failed`].
pub fn count_open(view: &View<'_>, creator: CreatorNo, now: Timestamp) -> Result<u64, Error> {
    view.count(
        "SELECT count(*) FROM report_links WHERE creator = ?1 AND revoked_at IS NULL AND expires_at > ?2",
        (creator, now),
    )
}

/// Ends the link at `at`; one that was revoked before stays as it was.
///
/// # Errors
/// [`Error::Failed`].
pub fn revoke(tx: &Tx<'_>, no: u32, at: Timestamp) -> Result<(), Error> {
    tx.run(
        "UPDATE report_links SET revoked_at = ? WHERE no = ? AND revoked_at IS NULL",
        (at, no),
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::books::{creator, fixture};

    #[test]
    fn links_are_kept_and_revoked_once() {
        fixture::in_tx(|tx| {
            let (ours, theirs) = (fixture::workspace(tx, "a")?, fixture::workspace(tx, "b")?);
            let mia = creator::insert(tx, fixture::creator("Mia", ours))?.no;
            let link = |id: &str, ends| ReportLink {
                no: 0,
                id: id.to_owned(),
                workspace: ours,
                creator: mia,
                created_at: Timestamp(ends - 10),
                expires_at: Timestamp(ends),
                revoked_at: None,
            };
            let first = insert(tx, link("rl_1", 100))?;
            let second = insert(tx, link("rl_2", 200))?;
            assert_eq!(by_no(tx, first.no)?, Some(first.clone()));
            assert_eq!(by_id(tx, ours, "rl_2")?, Some(second.clone()));
            assert_eq!(by_id(tx, theirs, "rl_2")?, None);
            assert_eq!(of_creator(tx, mia)?, [second.clone(), first]);
            assert_eq!(
                (
                    count_open(tx, mia, Timestamp(99))?,
                    count_open(tx, mia, Timestamp(100))?
                ),
                (2, 1)
            );
            revoke(tx, second.no, Timestamp(50))?;
            revoke(tx, second.no, Timestamp(60))?;
            assert_eq!(
                by_no(tx, second.no)?.and_then(|link| link.revoked_at),
                Some(Timestamp(50))
            );
            assert_eq!(count_open(tx, mia, Timestamp(0))?, 1);
            Ok(())
        });
    }
}
