//! Removes single clicks by age: blocks go by range of keys, in small batches, on the checkpoint thread.
//!
//! How far clicks were removed (the cut) is written with the first of them, so an answer that needed them says so. **A clock
//! that jumps ahead must not cost years of clicks**: a pass removes at most a day of them, and passes are minutes apart
//! by a clock that nobody sets.

use std::time::{Duration, Instant};

use crate::domain::time::{DAY_MS, Timestamp};

use super::backlog::Backlog;
use super::error::StoreError;
use super::history::History;
use super::key::{self, BlockKey};
use super::store::Store;
use super::value::seal;

/// Time between two passes. A day a pass: what an age of 400 days holds would take almost three days to go.
const PASS_EVERY: Duration = Duration::from_secs(10 * 60);
/// Blocks removed in one batch: a few milliseconds.
const BLOCKS_A_BATCH: usize = 512;

/// When clicks were last looked through by age.
#[derive(Default)]
pub(super) struct Retention {
    last_pass: Option<Instant>,
}

impl Retention {
    /// Removes what is older than `keep_ms` at `now` if a pass is due; `None` keeps everything.
    pub(super) fn pass(
        &mut self,
        store: &Store,
        backlog: &Backlog,
        now: Timestamp,
        keep_ms: Option<i64>,
    ) -> Result<(), StoreError> {
        let is_due = self.last_pass.is_none_or(|last| last.elapsed() >= PASS_EVERY);
        let Some(keep_ms) = keep_ms.filter(|_| is_due) else {
            return Ok(());
        };
        self.last_pass = Some(Instant::now());
        remove(store, backlog, now.plus_ms(keep_ms.saturating_neg()))
    }
}

/// Removes clicks before `oldest_kept`, at most a day of them.
fn remove(store: &Store, backlog: &Backlog, oldest_kept: Timestamp) -> Result<(), StoreError> {
    let first = BlockKey::lowest(Timestamp(i64::MIN));
    let Some(oldest) = store.first_key(&first, &BlockKey::highest(Timestamp(i64::MAX)))? else {
        return Ok(());
    };
    let oldest = BlockKey::read(&oldest)?.last_at;
    // Blocks never reach across a quarter hour: none is cut in two.
    let cut = Timestamp::of_bucket(oldest_kept.min(oldest.plus_ms(DAY_MS)).bucket());
    if oldest >= cut {
        return Ok(());
    }
    let last = BlockKey::highest(cut.plus_ms(-1));
    if store.history()?.unwritten_from.is_some_and(|from| from < cut) {
        // Nothing but these blocks can tell the sums again.
        backlog.write(store)?;
    }
    let history = store.history()?;
    let history = History {
        cut: history.cut.max(Some(cut)),
        ..history
    };
    loop {
        let mut keys = Vec::new();
        store.scan::<StoreError>(&first, &last, false, |key, _| {
            keys.push(key.to_vec());
            Ok(keys.len() < BLOCKS_A_BATCH)
        })?;
        if keys.is_empty() {
            return Ok(());
        }
        let mut batch = sled::Batch::default();
        batch.insert(&key::HISTORY, seal(&key::HISTORY, &history.body()));
        keys.into_iter().for_each(|key| batch.remove(key));
        store.rewrite(batch)?;
    }
}
