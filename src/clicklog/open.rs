//! Opens the click log: take the lock, look at the journal's end, start writing; the store follows on its own thread.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::domain::outside::Clock;

use super::error::OpenError;
use super::floor::Floor;
use super::gap::{Cause, Gap};
use super::journal::Journal;
use super::options::{Options, sync_dir};
use super::pending::Pending;
use super::reader::Reader;
use super::shared::Shared;
use super::store::{Opened, fatal, open_or_set_aside};
use super::survey::{Survey, survey};
use super::value::Meta;
use super::writer::Writer;

/// Sequences passed over when the journal's newest segment is gone: it may have reserved more than is known. Four times
/// what the recorder reserves at once.
pub(super) const SEQUENCES_SKIPPED: u64 = 1 << 26;
/// Longest wait of [`open`]: twice the store's own deadline, which may pass two times.
const OPEN_MAX: Duration = Duration::from_secs(30 * 60);

/// What opening found and repaired.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recovery {
    /// Clicks that the journal had and sled had not.
    pub replayed_clicks: u64,
    /// Bytes cut off the newest segment: a write that a crash cut short, never acknowledged.
    pub torn_bytes: u64,
    /// Journal frames after the watermark that are damaged or missing: acknowledged clicks that are lost.
    pub bad_frames: u64,
    /// Which they are, and which clicks were in them; at most [`GAPS_TOLD_MAX`].
    pub gaps: Vec<Gap>,
    /// Where a corrupt sled was put.
    pub quarantined: Option<PathBuf>,
    /// The backup that gave back what the journal no longer reaches.
    pub restored_from: Option<PathBuf>,
    /// How long opening took.
    pub took: Duration,
}

/// Most gaps that a [`Recovery`] lists; the store keeps all.
pub const GAPS_TOLD_MAX: usize = 1000;

impl Recovery {
    pub(super) fn tell(&mut self, gap: &Gap) {
        if gap.cause != Cause::End {
            self.bad_frames += gap.frames();
        }
        if self.gaps.len() < GAPS_TOLD_MAX {
            self.gaps.push(gap.clone());
        }
    }
}

/// Opens the click log in `options.dir`, making it when there is none, and waits until its store has caught up.
///
/// # Errors
/// See [`OpenError`]; a damaged log opens with what is left of it, as [`Recovery`] tells.
pub fn open(options: Options, clock: Arc<dyn Clock>) -> Result<(Writer, Reader, Recovery), OpenError> {
    let (writer, reader) = start(options, clock)?;
    match reader.wait_opened(OPEN_MAX)? {
        true => {
            let recovery = reader.recovery();
            Ok((writer, reader, recovery))
        }
        false => Err(OpenError::Stalled),
    }
}

/// As [`open`], without waiting for the store: clicks can be written at once, questions are refused until it is there.
///
/// # Errors
/// The journal cannot be used; what is wrong with the store is told by [`Reader::wait_opened`].
pub fn start(options: Options, clock: Arc<dyn Clock>) -> Result<(Writer, Reader), OpenError> {
    let journal_dir = options.journal_dir();
    fs::create_dir_all(&journal_dir).map_err(OpenError::io(&journal_dir))?;
    sync_dir(&options.dir).map_err(OpenError::io(&options.dir))?;
    let lock = lock(&options.lock_path(), &options.dir)?;
    let survey = survey(&journal_dir).map_err(|error| fatal(error, &options.dir))?;
    let (floor, opened) = floor(&options, &*clock)?;
    let recovery = Recovery {
        torn_bytes: survey.torn.as_ref().map_or(0, |torn| torn.bytes),
        quarantined: opened.as_ref().and_then(|opened| opened.quarantined.clone()),
        gaps: gap_at_end(&survey, &floor).into_iter().collect(),
        ..Recovery::default()
    };
    if let Some(torn) = &survey.torn {
        torn.cut().map_err(OpenError::io(&journal_dir))?;
    }
    // A journal that lost its end must not make indexes start again below the watermark.
    let last_index = survey.last_index.max(floor.watermark);
    let last_number = survey.last_number.max(floor.segment);
    let mut reserved = survey.reserved.max(floor.reserved);
    if is_newest_missing(&survey, &floor) {
        reserved = reserved.saturating_add(SEQUENCES_SKIPPED);
    }
    let going_on = Floor {
        watermark: floor.watermark,
        segment: last_number,
        reserved,
        is_closed: false,
        stored: floor.stored,
    };
    // A disk that takes nothing now must not keep links from being followed; the next checkpoint writes it.
    going_on.write(&options.dir).ok();
    let (disk, segment_bytes) = (Arc::clone(&options.disk), options.segment_bytes);
    let journal = Journal::new(disk, journal_dir, segment_bytes, last_number + 1);
    let pending = Pending::unopened(last_index);
    let dir = options.dir.clone();
    let store = opened.map(|opened| opened.store);
    let shared = Arc::new(Shared::new(
        options, clock, pending, reserved, store, recovery, going_on,
    ));
    let writer = Writer::start(Arc::clone(&shared), journal, survey.trail, last_index, lock);
    let writer = writer.map_err(OpenError::io(&dir))?;
    Ok((writer, Reader::new(shared)))
}

/// What the journal must at least reach. Where no file says so the store is opened to ask it.
fn floor(options: &Options, clock: &dyn Clock) -> Result<(Floor, Option<Opened>), OpenError> {
    if let Some(floor) = Floor::read(&options.dir) {
        return Ok((floor, None));
    }
    let store_dir = options.store_dir();
    if !store_dir.exists() {
        return Ok((Floor::default(), None));
    }
    let opened = open_or_set_aside(&store_dir, options.sled_cache_bytes, clock.now())?;
    let meta: Meta = opened.store.meta().map_err(|error| fatal(error, &store_dir))?;
    let floor = Floor {
        watermark: meta.watermark,
        reserved: meta.reserved,
        stored: meta.watermark,
        ..Floor::default()
    };
    Ok((floor, Some(opened)))
}

/// Whether the journal had a newer segment than can be read, and may have written to it after the last checkpoint.
fn is_newest_missing(survey: &Survey, floor: &Floor) -> bool {
    (survey.last_number < floor.segment || survey.is_newest_unreadable) && !floor.is_closed
}

/// What may be missing at the journal's end. What the floor says is in the store needs no journal.
fn gap_at_end(survey: &Survey, floor: &Floor) -> Option<Gap> {
    let is_suspect = survey.torn.as_ref().is_some_and(|torn| torn.is_suspect) && survey.last_index >= floor.watermark;
    let first = survey.last_index.max(floor.watermark) + 1;
    (is_suspect || is_newest_missing(survey, floor)).then(|| Gap::unknown(first, first, Cause::End))
}

/// Takes the log's lock at `path` for as long as the file is kept.
pub(super) fn lock(path: &Path, dir: &Path) -> Result<File, OpenError> {
    let file = File::options()
        .create(true)
        .append(true)
        .open(path)
        .map_err(OpenError::io(path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(dir.to_owned())),
        Err(TryLockError::Error(source)) => Err(OpenError::Io {
            path: path.to_owned(),
            source,
        }),
    }
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
