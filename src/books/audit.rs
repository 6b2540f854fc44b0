//! The audit log: who wrote what over the API, in the transaction of the write. Rows are never changed; old ones go.

use serde_json::{Map, Value};

use super::author::Author;
use super::columns::Columns;
use super::error::Error;
use super::view::{Tx, View};
use crate::domain::id::WorkspaceNo;
use crate::domain::time::{DAY_MS, Timestamp};

/// How long rows stay, in days: as long as raw clicks.
const KEPT_DAYS: i64 = 400;
/// Rows of one workspace: some 400 MB at 400 bytes each; its oldest go first, so that a busy brand takes nothing from the
/// others.
const ROWS_MAX: u32 = 1_000_000;
/// Old rows that each new one takes along, so that they go as fast as new ones come, and the log shrinks again.
const PURGED_BY_EACH: u32 = 2;

/// One write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Counts up within the workspace.
    pub seq: u32,
    pub at: Timestamp,
    /// Public id of the key that wrote.
    pub key_id: String,
    /// Method and path.
    pub action: String,
    /// Public id of what was written.
    pub target: Option<String>,
    /// JSON objects of what changed, before and after; of what was made or deleted, the whole.
    pub before: Option<String>,
    pub after: Option<String>,
}

/// Which entries of a workspace, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EntryFilter {
    pub key_id: Option<String>,
    pub target: Option<String>,
    /// Only those noted before this one.
    pub before_seq: Option<u32>,
}

/// Notes a write of `target`, of which `before` and `after` are JSON objects; what is equal in both is left out. Nothing,
/// when the transaction has no author.
///
/// # Errors
/// [`Error::Failed`].
pub fn note(tx: &Tx<'_>, target: Option<&str>, before: Option<Value>, after: Option<Value>) -> Result<(), Error> {
    let Some(author) = tx.author() else { return Ok(()) };
    let (before, after) = changed(before, after);
    tx.run(
        "INSERT INTO audit_log (workspace, seq, at, key_id, action, target, before, after)
         VALUES (?1, (SELECT coalesce(max(seq), 0) + 1 FROM audit_log WHERE workspace = ?1), ?, ?, ?, ?, ?, ?)",
        (
            author.workspace,
            author.at,
            &author.key_id,
            &author.action,
            target,
            before.map(|facts| facts.to_string()),
            after.map(|facts| facts.to_string()),
        ),
    )?;
    tx.count_note();
    Ok(())
}

/// Lets rows go that are too old or too many, in proportion to what the transaction has noted.
pub(super) fn purge(tx: &Tx<'_>, author: &Author) -> Result<(), Error> {
    let at_once = tx.notes().saturating_mul(PURGED_BY_EACH);
    let old = Timestamp(author.at.0.saturating_sub(KEPT_DAYS * DAY_MS));
    tx.run(
        "DELETE FROM audit_log WHERE rowid IN (SELECT rowid FROM audit_log WHERE at < ? ORDER BY at LIMIT ?)",
        (old, at_once),
    )?;
    tx.run(
        "DELETE FROM audit_log WHERE rowid IN (SELECT rowid FROM audit_log WHERE workspace = ?1
         AND seq <= (SELECT max(seq) FROM audit_log WHERE workspace = ?1) - ?2 ORDER BY seq LIMIT ?3)",
        (author.workspace, ROWS_MAX, at_once),
    )?;
    Ok(())
}

/// Both without what is equal, when there are both.
fn changed(before: Option<Value>, after: Option<Value>) -> (Option<Value>, Option<Value>) {
    let (Some(Value::Object(before)), Some(Value::Object(after))) = (&before, &after) else {
        return (before, after);
    };
    let differing = |one: &Map<String, Value>, other: &Map<String, Value>| {
        let fields = one.iter().filter(|(name, value)| other.get(*name) != Some(value));
        Value::Object(fields.map(|(name, value)| (name.clone(), value.clone())).collect())
    };
    (Some(differing(before, after)), Some(differing(after, before)))
}

/// At most `size` entries of the workspace that `filter` lets through, newest first.
///
/// # Errors
/// [`Error::Failed`].
pub fn list(view: &View<'_>, workspace: WorkspaceNo, filter: &EntryFilter, size: u32) -> Result<Vec<Entry>, Error> {
    view.all(
        &format!(
            "SELECT seq, at, key_id, action, target, before, after FROM audit_log
             WHERE workspace = ?1 AND seq < ?2 AND (?3 IS NULL OR key_id = ?3) {} ORDER BY seq DESC LIMIT ?5",
            // Said only where it is asked for, so that its index is taken then.
            match filter.target {
                Some(_) => "AND target = ?4",
                None => "AND ?4 IS NULL",
            }
        ),
        (
            workspace,
            filter.before_seq.unwrap_or(u32::MAX),
            &filter.key_id,
            &filter.target,
            size,
        ),
        |row| {
            let mut columns = Columns::of(row);
            Ok(Entry {
                seq: columns.next()?,
                at: columns.next()?,
                key_id: columns.next()?,
                action: columns.next()?,
                target: columns.next()?,
                before: columns.next()?,
                after: columns.next()?,
            })
        },
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::books::fixture;

    fn author(workspace: WorkspaceNo, at: i64) -> Arc<Author> {
        Arc::new(Author {
            workspace,
            key_id: "key_1".into(),
            action: "PATCH /links/link_1".into(),
            at: Timestamp(at),
            claim: None,
            is_noted: Default::default(),
        })
    }

    #[test]
    fn what_changed_is_noted_and_nothing_else() {
        fixture::in_tx(|tx| {
            let ours = fixture::workspace(tx, "a")?;
            note(tx, Some("link_1"), None, Some(json!({})))?;
            let all = |tx: &Tx<'_>| list(tx, ours, &EntryFilter::default(), 9);
            assert_eq!(all(tx)?, [], "nobody's write is nobody's entry");
            let signed = tx.by(author(ours, 5));
            note(
                &signed,
                Some("link_1"),
                Some(json!({ "url": "a", "title": "t", "key": "k" })),
                Some(json!({ "url": "b", "title": null, "key": "k" })),
            )?;
            let entries = all(tx)?;
            assert_eq!(entries[0].before.as_deref(), Some(r#"{"title":"t","url":"a"}"#));
            assert_eq!(entries[0].after.as_deref(), Some(r#"{"title":null,"url":"b"}"#));
            author(ours, 5).sign(&signed)?;
            assert_eq!(all(tx)?.len(), 1, "noted already");
            author(ours, 5).sign(&tx.by(author(ours, 5)))?;
            assert_eq!(all(tx)?.len(), 2, "what no flow notes is noted by its call");
            let of_target = EntryFilter {
                target: Some("link_1".into()),
                ..EntryFilter::default()
            };
            assert_eq!(list(tx, ours, &of_target, 9)?.len(), 1);
            let older = EntryFilter {
                before_seq: Some(entries[0].seq),
                ..EntryFilter::default()
            };
            assert_eq!(list(tx, ours, &older, 9)?, []);
            Ok(())
        });
    }

    #[test]
    fn old_entries_go_as_new_ones_come() {
        fixture::in_tx(|tx| {
            let ours = fixture::workspace(tx, "a")?;
            let (ours, theirs) = (ours, fixture::workspace(tx, "b")?);
            let sign = |at, workspace| author(workspace, at).sign(&tx.by(author(workspace, at)));
            let seqs = |workspace| {
                let listed = list(tx, workspace, &EntryFilter::default(), 9)?;
                Ok::<_, Error>(listed.iter().map(|entry| entry.seq).collect::<Vec<_>>())
            };
            for at in 0..3 {
                sign(at, ours)?;
            }
            let late = KEPT_DAYS * DAY_MS + 3;
            sign(late, theirs)?;
            assert_eq!((seqs(ours)?, seqs(theirs)?), (vec![3], vec![1]), "two by age");
            sign(late, ours)?;
            assert_eq!(seqs(ours)?, [4], "the last of them");
            tx.run("UPDATE audit_log SET seq = ? WHERE workspace = ?", (ROWS_MAX, theirs))?;
            sign(late, theirs)?;
            sign(late, theirs)?;
            tx.run("UPDATE audit_log SET seq = 2 WHERE seq = ?", [ROWS_MAX])?;
            sign(late, theirs)?;
            assert_eq!(
                seqs(theirs)?,
                [ROWS_MAX + 3, ROWS_MAX + 2, ROWS_MAX + 1],
                "one by number"
            );
            assert_eq!(seqs(ours)?, [4], "a brand's own alone");
            Ok(())
        });
    }
}
