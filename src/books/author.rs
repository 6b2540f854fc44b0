//! On whose behalf the books are written. Whoever serves a call names its author once, around all of its work; every
//! commit within then notes, in its own transaction, that the call has written, and who it was.
//!
//! Work without an author (webhooks, what the server does by itself) is committed as it is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::audit;
use super::error::Error;
use super::idempotency::{self, ClaimNo};
use super::view::Tx;
use crate::domain::id::WorkspaceNo;
use crate::domain::time::Timestamp;

tokio::task_local! {
    static AUTHOR: Arc<Author>;
}

/// Who writes, and with which call.
#[derive(Debug)]
pub struct Author {
    pub workspace: WorkspaceNo,
    /// Public id of the key.
    pub key_id: String,
    /// Method and path, such as `PATCH /links/link_1`; no query, no body.
    pub action: String,
    pub at: Timestamp,
    /// The claim of a call that must not be carried out twice.
    pub claim: Option<ClaimNo>,
    /// Whether the call needs no entry of its own in the audit log: an earlier transaction of it has one, or what it
    /// tells of is no decision of a brand's.
    pub is_noted: AtomicBool,
}

/// Does `work` on behalf of `author`.
pub async fn on_behalf_of<F: Future>(author: Arc<Author>, work: F) -> F::Output {
    AUTHOR.scope(author, work).await
}

/// On whose behalf this task works.
pub(super) fn current() -> Option<Arc<Author>> {
    AUTHOR.try_with(Arc::clone).ok()
}

impl Author {
    /// Signs a transaction that is about to be kept.
    pub(super) fn sign(&self, tx: &Tx<'_>) -> Result<(), Error> {
        if let Some(claim) = self.claim {
            idempotency::mark_written(tx, claim)?;
        }
        if tx.notes() == 0 && !self.is_noted.load(Ordering::Relaxed) {
            audit::note(tx, None, None, None)?;
        }
        match tx.notes() {
            0 => Ok(()),
            _ => audit::purge(tx, self),
        }
    }
}
