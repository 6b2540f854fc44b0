//! What the click log can be told: where it lies, how much it holds and for how long.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::disk::{Disk, SystemDisk};
use super::export::BackupSource;

/// Settings of the click log.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its directory; created when missing. Holds `lock`, `journal/` and `db/` (sled).
    pub dir: PathBuf,
    /// Number of this server, below 1024; written into each journal segment.
    pub node: u16,
    /// Size at which a journal segment is followed by the next, in bytes.
    pub segment_bytes: u64,
    /// Longest time between two checkpoints while clicks come in.
    pub checkpoint_every: Duration,
    /// Clicks in memory that bring a checkpoint forward. Eight times as many are the most that memory ever holds,
    /// some 60 bytes each: as many as may come while the backlog is written on a busy core. Beyond that they wait in the journal
    /// alone until sled has caught up, and questions are refused.
    pub pending_clicks_max: usize,
    /// Clicks whose days, facets and visitors are added up in memory before they are written to sled; as many are read again
    /// from sled at the next opening after a kill.
    pub backlog_clicks_max: usize,
    /// A link's day with fewer clicks than this among those is written beside those of other links, with more into values
    /// of its own: three, which cost as much as some dozen clicks.
    pub few_clicks_max: usize,
    /// How long journal segments are kept after their clicks are in sled, so that sled can be rebuilt.
    pub keep_segments: Duration,
    /// How long single clicks are kept; counts of them stay for good. `None` = for ever.
    pub keep_clicks: Option<Duration>,
    /// Backup that gives back what the journal no longer reaches, when the store has to be rebuilt.
    pub backup: Option<Arc<dyn BackupSource>>,
    /// Bound of sled's page cache, in bytes.
    pub sled_cache_bytes: u64,
    /// What the journal is written through.
    pub disk: Arc<dyn Disk>,
}

impl Options {
    /// The defaults for a click log in `dir`.
    pub fn at(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            node: 0,
            segment_bytes: 64 << 20,
            checkpoint_every: Duration::from_secs(5),
            pending_clicks_max: 65_536,
            backlog_clicks_max: 3 << 19,
            few_clicks_max: 64,
            keep_segments: Duration::from_secs(7 * 24 * 60 * 60),
            keep_clicks: None,
            backup: None,
            sled_cache_bytes: 32 << 20,
            disk: Arc::new(SystemDisk),
        }
    }

    pub(super) fn journal_dir(&self) -> PathBuf {
        self.dir.join("journal")
    }

    pub(super) fn store_dir(&self) -> PathBuf {
        self.dir.join("db")
    }

    pub(super) fn lock_path(&self) -> PathBuf {
        self.dir.join("lock")
    }

    /// Most clicks held in memory while sled does not take them.
    pub(super) fn pending_bound(&self) -> usize {
        self.pending_clicks_max.saturating_mul(8)
    }
}

/// Makes the names in `dir` durable: a synced file without its name is lost.
pub(super) fn sync_dir(dir: &Path) -> std::io::Result<()> {
    std::fs::File::open(dir)?.sync_all()
}
