//! Opens the click log: take the lock, open sled or set a corrupt one aside, apply the journal after the watermark.

use std::fs::{self, File, TryLockError};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::domain::outside::Clock;

use super::checkpoint::catch_up;
use super::encoder::Encoder;
use super::error::{OpenError, StoreError};
use super::journal::Journal;
use super::options::{Options, sync_dir};
use super::pending::Pending;
use super::reader::Reader;
use super::replay::Replayed;
use super::shared::Shared;
use super::store::{Store, fatal, guarded, open_or_set_aside};
use super::value::Meta;
use super::writer::Writer;

/// What opening found and repaired.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recovery {
    /// Clicks that the journal had and sled had not.
    pub replayed_clicks: u64,
    /// Bytes cut off the newest segment: a write that a crash cut short, never acknowledged.
    pub torn_bytes: u64,
    /// Journal frames after the watermark that are damaged or missing: acknowledged clicks that are lost.
    pub bad_frames: u64,
    /// Where a corrupt sled was put; what is older than the journal is only there and in backups.
    pub quarantined: Option<PathBuf>,
    /// How long opening took.
    pub took: Duration,
}

/// Opens the click log in `options.dir`, making it when there is none.
///
/// # Errors
/// See [`OpenError`]; a damaged log opens with what is left of it, as [`Recovery`] tells.
pub fn open(options: Options, clock: Arc<dyn Clock>) -> Result<(Writer, Reader, Recovery), OpenError> {
    let started = Instant::now();
    let journal_dir = options.journal_dir();
    fs::create_dir_all(&journal_dir).map_err(OpenError::io(&journal_dir))?;
    sync_dir(&options.dir).map_err(OpenError::io(&options.dir))?;
    let lock = lock(&options)?;
    let opened = open_or_set_aside(&options.store_dir(), options.sled_cache_bytes, clock.now())?;
    let applied = guarded(|| apply_journal(&options, &opened.store));
    let (meta, replayed, clicks) = applied.map_err(|error| fatal(error, &options.dir))?;
    replayed.cut_torn_end().map_err(OpenError::io(&journal_dir))?;
    // A journal that was deleted by hand must not make indexes start again below the watermark.
    let last_index = replayed.last_index.max(meta.watermark);
    let (disk, segment_bytes) = (Arc::clone(&options.disk), options.segment_bytes);
    let journal = Journal::new(disk, journal_dir, segment_bytes, replayed.last_number + 1);
    let pending = Pending::opened(last_index, meta.newest_at);
    let reserved = meta.reserved.max(replayed.reserved);
    let dir = options.dir.clone();
    let shared = Arc::new(Shared::new(options, clock, pending, reserved, opened.store));
    let writer = Writer::start(Arc::clone(&shared), journal, last_index, lock).map_err(OpenError::io(&dir))?;
    let recovery = Recovery {
        replayed_clicks: clicks,
        torn_bytes: replayed.torn.map_or(0, |(_, _, torn)| torn),
        bad_frames: replayed.bad_frames,
        quarantined: opened.quarantined,
        took: started.elapsed(),
    };
    Ok((writer, Reader::new(shared), recovery))
}

fn lock(options: &Options) -> Result<File, OpenError> {
    let path = options.lock_path();
    let file = File::options()
        .create(true)
        .append(true)
        .open(&path)
        .map_err(OpenError::io(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(options.dir.clone())),
        Err(TryLockError::Error(source)) => Err(OpenError::Io { path, source }),
    }
}

/// Applies what sled lacks; answers the new meta, what the journal said and how many clicks were applied.
fn apply_journal(options: &Options, store: &Store) -> Result<(Meta, Replayed, u64), StoreError> {
    let mut meta = Meta {
        node: options.node,
        ..store.meta()?
    };
    let journal = options.journal_dir();
    let most = options.pending_clicks_max;
    let mut clicks = 0;
    let mut encoder = Encoder::new();
    let replayed = catch_up(store, &journal, u64::MAX, most, &mut meta, &mut encoder, |applied| {
        clicks += applied.clicks;
    })?;
    Ok((meta, replayed, clicks))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::outside::FixedClock;
    use crate::domain::time::Timestamp;

    #[test]
    fn a_crash_while_opening_hands_no_sequence_number_out_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let open_once = || {
            let clock = Arc::new(FixedClock::at(Timestamp(0)));
            let (writer, ..) = open(Options::at(dir.path()), clock).expect("it opens");
            writer
        };
        let mut writer = open_once();
        writer.reserve_sequences(1000).expect("the disk works");
        // Dropped, not closed: as a kill would leave it.
        drop(writer);
        for _ in 0..3 {
            let writer = open_once();
            assert!(writer.next_sequence() >= 1000, "{}", writer.next_sequence());
        }
    }
}
