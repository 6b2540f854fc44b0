//! Makes a new store from a backup and the journal, beside the old one, and puts it in its place.
//!
//! The old store stays as `db.replaced-<ms>`. The new one takes its place only when it is whole; a crash between the two
//! renames leaves `db.rebuilt`, which the next opening takes.

use std::fs;
use std::path::PathBuf;

use crate::domain::time::Timestamp;

use super::backlog::Backlog;
use super::checkpoint::{catch_up, load_before};
use super::encoder::Encoder;
use super::error::{OpenError, StoreError};
use super::export::BackupFiles;
use super::floor::Floor;
use super::gap::Gap;
use super::open::lock;
use super::options::{Options, sync_dir};
use super::replay::parts;
use super::store::{Store, fatal, guarded, rebuilt_beside};
use super::survey::survey;

/// What a rebuild made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilt {
    /// Clicks with details that came from the journal.
    pub clicks_from_journal: u64,
    /// Journal frames that are in the new store.
    pub through: u64,
    /// What could not be brought back.
    pub gaps: Vec<Gap>,
    /// Where the old store is now, if there was one.
    pub replaced: Option<PathBuf>,
}

/// Rebuilds the store of the log in `options.dir`, which no server uses. `progress` hears of clicks as they are applied.
///
/// # Errors
/// See [`OpenError`]; the old store is then where it was.
pub fn rebuild(
    options: &Options,
    backup: Option<&BackupFiles>,
    now: Timestamp,
    mut progress: impl FnMut(u64),
) -> Result<Rebuilt, OpenError> {
    let _lock = lock(&options.lock_path(), &options.dir)?;
    let failed = |error: StoreError| fatal(error, &options.dir);
    let fresh = options.store_dir().with_extension("rebuilding");
    if fresh.exists() {
        fs::remove_dir_all(&fresh).map_err(OpenError::io(&fresh))?;
    }
    let made = guarded(|| {
        let store = Store::open(&fresh, options.sled_cache_bytes)?;
        let backlog = Backlog::new(options.backlog_clicks_max, options.few_clicks_max);
        let journal = options.journal_dir();
        let floor = Floor::read(&options.dir).unwrap_or_default();
        let last_index = survey(&journal)?.last_index.max(floor.watermark);
        let live = parts(&journal)?.first().map_or(u64::MAX, |part| part.first_index);
        let mut gaps = match backup {
            Some(files) if live > 1 => load_before(&store, files, options, live.min(last_index + 1), &backlog)?,
            _ => Vec::new(),
        };
        store.count_anew_after(last_index)?;
        let mut meta = store.meta()?;
        meta.node = options.node;
        let mut clicks = 0;
        let most = options.pending_clicks_max;
        let found = catch_up(
            (&store, &backlog),
            &journal,
            last_index + 1,
            most,
            &mut meta,
            &mut Encoder::new(),
            |applied| {
                clicks += applied.clicks;
                progress(clicks);
            },
        )?;
        gaps.extend(found);
        backlog.write(&store)?;
        Ok((clicks, meta.watermark, gaps))
    });
    let (clicks_from_journal, through, gaps) = made.map_err(failed)?;
    let replaced = swap(options, &fresh, now)?;
    Ok(Rebuilt {
        clicks_from_journal,
        through,
        gaps,
        replaced,
    })
}

fn swap(options: &Options, fresh: &std::path::Path, now: Timestamp) -> Result<Option<PathBuf>, OpenError> {
    let dir = options.store_dir();
    let rebuilt = rebuilt_beside(&dir);
    let rename = |from: &std::path::Path, to: &std::path::Path| fs::rename(from, to).map_err(OpenError::io(from));
    rename(fresh, &rebuilt)?;
    let mut replaced = None;
    if dir.exists() {
        let names = (0..).map(|n| dir.with_extension(format!("replaced-{}", now.0.saturating_add(n))));
        // The first name that is not taken: an endless range has one.
        let free = names
            .into_iter()
            .find(|path| !path.exists())
            .unwrap_or_else(|| dir.clone());
        rename(&dir, &free)?;
        replaced = Some(free);
    }
    rename(&rebuilt, &dir)?;
    sync_dir(&options.dir).map_err(OpenError::io(&options.dir))?;
    Ok(replaced)
}
