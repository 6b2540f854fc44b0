//! Calls that must not be carried out twice: claimed by a name of the caller's, marked by their writes, answered again.

use super::columns::Columns;
use super::error::Error;
use super::view::{Tx, View};
use crate::domain::id::WorkspaceNo;
use crate::domain::time::Timestamp;

/// Row number of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClaimNo(pub u32);

/// A claim as the books keep it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    pub no: ClaimNo,
    /// Hash of the call.
    pub request: [u8; 32],
    pub created_at: Timestamp,
    /// Whether something that the call wrote is in the books.
    pub has_written: bool,
    pub answer: Option<KeptAnswer>,
}

/// What a call was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAnswer {
    /// HTTP status.
    pub status: u16,
    pub content_type: Option<String>,
    pub body: Vec<u8>,
}

/// The workspace's claim called `name`.
///
/// # Errors
/// [`Error::Failed`].
pub fn find(view: &View<'_>, workspace: WorkspaceNo, name: &str) -> Result<Option<Claim>, Error> {
    view.first(
        "SELECT no, request, created_at, has_written, status, content_type, body FROM idempotency_keys
         WHERE workspace = ? AND name = ?",
        (workspace, name),
        |row| {
            let mut columns = Columns::of(row);
            let (no, request, created_at) = (columns.next()?, columns.next()?, columns.next()?);
            let has_written = columns.next()?;
            let (status, content_type): (Option<u16>, Option<String>) = (columns.next()?, columns.next()?);
            let body: Option<Vec<u8>> = columns.next()?;
            Ok(Claim {
                no: ClaimNo(no),
                request,
                created_at,
                has_written,
                answer: status.zip(body).map(|(status, body)| KeptAnswer {
                    status,
                    content_type,
                    body,
                }),
            })
        },
    )
}

/// Claims `name` for the call that hashes to `request`.
///
/// # Errors
/// [`Error::Conflict`] on `name`.
pub fn insert(
    tx: &Tx<'_>,
    workspace: WorkspaceNo,
    name: &str,
    request: [u8; 32],
    now: Timestamp,
) -> Result<ClaimNo, Error> {
    tx.run_unique(
        "INSERT INTO idempotency_keys (workspace, name, request, created_at) VALUES (?, ?, ?, ?)",
        (workspace, name, request, now),
        &[("idempotency_keys.workspace, idempotency_keys.name", "name")],
    )?;
    Ok(ClaimNo(tx.last_no()?))
}

/// The number of the workspace's claims.
///
/// # Errors
/// [`Error::Failed`].
pub fn count(view: &View<'_>, workspace: WorkspaceNo) -> Result<u64, Error> {
    view.count("SELECT count(*) FROM idempotency_keys WHERE workspace = ?", [workspace])
}

/// Says that the call has written; in the transaction of that write.
///
/// # Errors
/// [`Error::Failed`].
pub fn mark_written(tx: &Tx<'_>, claim: ClaimNo) -> Result<(), Error> {
    tx.run(
        "UPDATE idempotency_keys SET has_written = 1 WHERE no = ? AND has_written = 0",
        [claim.0],
    )?;
    Ok(())
}

/// Keeps what the call was answered.
///
/// # Errors
/// [`Error::Failed`].
pub fn keep(tx: &Tx<'_>, claim: ClaimNo, answer: &KeptAnswer) -> Result<(), Error> {
    tx.run(
        "UPDATE idempotency_keys SET status = ?, content_type = ?, body = ? WHERE no = ?",
        (answer.status, &answer.content_type, &answer.body, claim.0),
    )?;
    Ok(())
}

/// Gives a claim back whose call has written nothing.
///
/// # Errors
/// [`Error::Failed`].
pub fn release(tx: &Tx<'_>, claim: ClaimNo) -> Result<(), Error> {
    tx.run(
        "DELETE FROM idempotency_keys WHERE no = ? AND has_written = 0",
        [claim.0],
    )?;
    Ok(())
}

/// Forgets one claim, whatever became of its call.
///
/// # Errors
/// [`Error::Failed`].
pub fn drop_claim(tx: &Tx<'_>, claim: ClaimNo) -> Result<(), Error> {
    tx.run("DELETE FROM idempotency_keys WHERE no = ?", [claim.0])?;
    Ok(())
}

/// Forgets claims made before `before`, at most `limit`.
///
/// # Errors
/// [`Error::Failed`].
pub fn forget(tx: &Tx<'_>, before: Timestamp, limit: u32) -> Result<usize, Error> {
    let sql = "DELETE FROM idempotency_keys
               WHERE no IN (SELECT no FROM idempotency_keys WHERE created_at < ? ORDER BY created_at LIMIT ?)";
    tx.run(sql, (before, limit))
}

/// Drops every answer that is kept for the workspace: they may tell of a person who is erased. The claims stay.
///
/// # Errors
/// [`Error::Failed`].
pub fn drop_answers(tx: &Tx<'_>, workspace: WorkspaceNo) -> Result<usize, Error> {
    tx.run(
        "UPDATE idempotency_keys SET status = NULL, content_type = NULL, body = NULL, has_written = 1
         WHERE workspace = ? AND status IS NOT NULL",
        [workspace],
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::books::fixture;

    #[test]
    fn claims_are_kept_released_and_forgotten() {
        fixture::in_tx(|tx| {
            let (ours, theirs) = (fixture::workspace(tx, "a")?, fixture::workspace(tx, "b")?);
            let one = insert(tx, ours, "k", [1; 32], Timestamp(10))?;
            insert(tx, theirs, "k", [2; 32], Timestamp(20))?;
            assert_eq!(
                insert(tx, ours, "k", [1; 32], Timestamp(11)),
                Err(Error::Conflict { what: "name" })
            );
            let answer = KeptAnswer {
                status: 201,
                content_type: Some("application/json".into()),
                body: b"{}".to_vec(),
            };
            keep(tx, one, &answer)?;
            let found = find(tx, ours, "k")?.expect("a claim");
            assert_eq!(
                (found.request, found.has_written, found.answer),
                ([1; 32], false, Some(answer))
            );
            mark_written(tx, one)?;
            release(tx, one)?;
            assert!(
                find(tx, ours, "k")?.is_some_and(|claim| claim.has_written),
                "written: not given back"
            );
            assert_eq!(drop_answers(tx, ours)?, 1);
            assert_eq!(find(tx, ours, "k")?.and_then(|claim| claim.answer), None);
            assert_eq!(
                (forget(tx, Timestamp(20), 9)?, count(tx, ours)?, count(tx, theirs)?),
                (1, 0, 1)
            );
            Ok(())
        });
    }
}
