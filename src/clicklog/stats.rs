//! Figures of the click log for `/metrics`: plain counters that never wait.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::domain::time::Timestamp;

use super::error::{StoreError, WriteError};
use super::gap::Gap;

/// An append that takes longer has met a stalled disk: longer than any sync of a disk that works, and short enough for
/// the alarm to be raised within a second.
const STALLED_AFTER: Duration = Duration::from_millis(750);
/// What durations are counted from; no clock that can be set.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Failures of the journal by cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JournalFailures {
    /// No room, or no more of it for this user.
    pub full: u64,
    /// The file system does not take writes.
    pub read_only: u64,
    /// The disk failed, and whatever else.
    pub io: u64,
}

impl JournalFailures {
    /// All of them.
    pub fn all(&self) -> u64 {
        self.full + self.read_only + self.io
    }
}

/// Upper bounds of the buckets of [`Stats::fsync_buckets`] in microseconds; a last bucket holds what is longer.
pub const FSYNC_BOUNDS_US: [u64; 10] = [
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 100_000, 250_000, 1_000_000,
];
const FSYNC_BUCKETS: usize = FSYNC_BOUNDS_US.len() + 1;

/// The click log's figures at one moment. Counters count from the opening.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stats {
    /// Clicks made durable with their details.
    pub clicks_written: u64,
    /// Clicks made durable of which only the count is known.
    pub lost_details: u64,
    /// Journal frames written.
    pub frames: u64,
    /// Bytes written to the journal.
    pub journal_bytes: u64,
    /// Size of sled's file at the last checkpoint.
    pub store_bytes: u64,
    /// How long the last sync of the journal took.
    pub last_fsync: Duration,
    /// Sum of the durations of all syncs of the journal.
    pub fsync_total: Duration,
    /// Syncs by duration, see [`FSYNC_BOUNDS_US`]; not cumulative.
    pub fsync_buckets: [u64; FSYNC_BUCKETS],
    /// Clicks in memory that are not in sled yet.
    pub clicks_pending: u64,
    /// Journal frames that are neither in memory nor in sled; questions are refused until sled has them.
    pub frames_waiting: u64,
    /// Checkpoints done.
    pub checkpoints: u64,
    /// Time since the last checkpoint, or since the opening.
    pub checkpoint_age: Duration,
    /// Failed appends to the journal.
    pub journal_failures: JournalFailures,
    /// Appends to the journal that took so long that the disk must have stalled, and were answered in the end.
    pub stalls: u64,
    /// Failed checkpoints.
    pub checkpoint_failures: u64,
    /// Failures to open the store again.
    pub reopen_failures: u64,
    /// Corrupt stores set aside while running.
    pub quarantines: u64,
    /// Journal frames found damaged or missing since the opening, and in it.
    pub bad_frames: u64,
    /// Gaps of the log that are known, from its beginning.
    pub gaps: u64,
    /// Clicks that are missing in them, as far as that is known.
    pub missing_clicks: u64,
    /// Stores rebuilt from journal or backup.
    pub rebuilds: u64,
    /// Whether the store is being opened or catches up: questions are refused.
    pub is_recovering: bool,
    /// Whether a question met damaged bytes that the journal cannot replace.
    pub is_damaged: bool,
    /// Whether the last append or the last checkpoint failed, or an append has been stalled for most of a second.
    pub is_failed: bool,
    /// What failed last and has not succeeded since; for people.
    pub problem: Option<String>,
}

/// The counters behind [`Stats`].
#[derive(Default)]
pub(super) struct Counters {
    pub(super) clicks_written: AtomicU64,
    pub(super) lost_details: AtomicU64,
    pub(super) frames: AtomicU64,
    pub(super) journal_bytes: AtomicU64,
    pub(super) store_bytes: AtomicU64,
    last_fsync_us: AtomicU64,
    fsync_total_us: AtomicU64,
    fsync_buckets: [AtomicU64; FSYNC_BUCKETS],
    checkpoints: AtomicU64,
    last_checkpoint_ms: AtomicI64,
    full: AtomicU64,
    read_only: AtomicU64,
    io: AtomicU64,
    stalls: AtomicU64,
    /// When the append under way began, in µs since [`START`], plus 1; 0 = none is.
    append_started_us: AtomicU64,
    /// What the journal and the checkpoint said last when they failed.
    problems: Mutex<[Option<String>; 2]>,
    checkpoint_failures: AtomicU64,
    pub(super) reopen_failures: AtomicU64,
    pub(super) quarantines: AtomicU64,
    pub(super) bad_frames: AtomicU64,
    pub(super) gaps: AtomicU64,
    pub(super) missing_clicks: AtomicU64,
    pub(super) rebuilds: AtomicU64,
    pub(super) is_damaged: AtomicBool,
    is_journal_failed: AtomicBool,
    is_checkpoint_failed: AtomicBool,
}

impl Counters {
    pub(super) fn append_started(&self) {
        self.append_started_us.store(micros(START.elapsed()) + 1, Relaxed);
    }

    fn append_ended(&self) {
        if self.append_took().is_some_and(|took| took >= STALLED_AFTER) {
            self.stalls.fetch_add(1, Relaxed);
        }
        self.append_started_us.store(0, Relaxed);
    }

    /// How long the append under way has taken so far.
    fn append_took(&self) -> Option<Duration> {
        let started = self.append_started_us.load(Relaxed).checked_sub(1)?;
        Some(START.elapsed().saturating_sub(Duration::from_micros(started)))
    }

    pub(super) fn synced(&self, took: Duration) {
        self.append_ended();
        let us = micros(took);
        self.last_fsync_us.store(us, Relaxed);
        self.fsync_total_us.fetch_add(us, Relaxed);
        let bucket = FSYNC_BOUNDS_US.partition_point(|bound| *bound < us);
        self.fsync_buckets[bucket].fetch_add(1, Relaxed);
        if self.is_journal_failed.swap(false, Relaxed) {
            self.tell(0, None);
        }
    }

    pub(super) fn append_failed(&self, error: &WriteError) {
        self.append_ended();
        let kind = match error {
            WriteError::Journal { source, .. } => source.kind(),
            WriteError::Checkpoint(_) | WriteError::Erasure(_) => io::ErrorKind::Other,
        };
        let counter = match kind {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => &self.full,
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => &self.read_only,
            _ => &self.io,
        };
        counter.fetch_add(1, Relaxed);
        self.tell(0, Some(error.to_string()));
        self.is_journal_failed.store(true, Relaxed);
    }

    fn tell(&self, whose: usize, problem: Option<String>) {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner)[whose] = problem;
    }

    pub(super) fn is_journal_failed(&self) -> bool {
        self.is_journal_failed.load(Relaxed)
    }

    pub(super) fn is_checkpoint_failed(&self) -> bool {
        self.is_checkpoint_failed.load(Relaxed)
    }

    /// The store is up to date as of `now`.
    pub(super) fn checkpointed(&self, now: Timestamp) {
        self.checkpoints.fetch_add(1, Relaxed);
        self.opened(now);
    }

    /// These gaps are all that is known.
    pub(super) fn know(&self, gaps: &[Gap]) {
        self.gaps.store(gaps.len() as u64, Relaxed);
        let missing = gaps
            .iter()
            .map(|gap| gap.clicks.unwrap_or(0) + gap.without_details.unwrap_or(0));
        self.missing_clicks.store(missing.sum(), Relaxed);
    }

    pub(super) fn opened(&self, now: Timestamp) {
        self.last_checkpoint_ms.store(now.0, Relaxed);
        self.tell(1, None);
        self.is_checkpoint_failed.store(false, Relaxed);
    }

    pub(super) fn checkpoint_failed(&self, error: &StoreError) {
        self.checkpoint_failures.fetch_add(1, Relaxed);
        self.tell(1, Some(format!("click store: {error}")));
        self.is_checkpoint_failed.store(true, Relaxed);
    }

    /// The figures; those of pending clicks are left for the caller.
    pub(super) fn read(&self, now: Timestamp) -> Stats {
        let age = now.since(Timestamp(self.last_checkpoint_ms.load(Relaxed)));
        let took = self.append_took().filter(|took| *took >= STALLED_AFTER);
        let stalled = took.map(|took| format!("click journal: the disk has not answered for {} ms", took.as_millis()));
        let problems = self.problems.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let problem = stalled.or(problems.into_iter().flatten().next());
        Stats {
            clicks_written: self.clicks_written.load(Relaxed),
            lost_details: self.lost_details.load(Relaxed),
            frames: self.frames.load(Relaxed),
            journal_bytes: self.journal_bytes.load(Relaxed),
            store_bytes: self.store_bytes.load(Relaxed),
            last_fsync: Duration::from_micros(self.last_fsync_us.load(Relaxed)),
            fsync_total: Duration::from_micros(self.fsync_total_us.load(Relaxed)),
            fsync_buckets: self.fsync_buckets.each_ref().map(|bucket| bucket.load(Relaxed)),
            checkpoints: self.checkpoints.load(Relaxed),
            checkpoint_age: Duration::from_millis(u64::try_from(age).unwrap_or(0)),
            journal_failures: JournalFailures {
                full: self.full.load(Relaxed),
                read_only: self.read_only.load(Relaxed),
                io: self.io.load(Relaxed),
            },
            stalls: self.stalls.load(Relaxed),
            checkpoint_failures: self.checkpoint_failures.load(Relaxed),
            reopen_failures: self.reopen_failures.load(Relaxed),
            quarantines: self.quarantines.load(Relaxed),
            bad_frames: self.bad_frames.load(Relaxed),
            gaps: self.gaps.load(Relaxed),
            missing_clicks: self.missing_clicks.load(Relaxed),
            rebuilds: self.rebuilds.load(Relaxed),
            is_damaged: self.is_damaged.load(Relaxed),
            is_failed: took.is_some() || self.is_journal_failed() || self.is_checkpoint_failed(),
            problem,
            ..Stats::default()
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syncs_are_counted_by_duration() {
        let counters = Counters::default();
        for us in [1, 250, 251, 2_000_000] {
            counters.synced(Duration::from_micros(us));
        }
        let stats = counters.read(Timestamp(0));
        assert_eq!(stats.fsync_buckets, [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(stats.last_fsync, Duration::from_secs(2));
    }

    #[test]
    fn a_failure_shows_until_the_next_success() {
        let counters = Counters::default();
        let failed = |kind: io::ErrorKind| WriteError::Journal {
            doing: "syncing",
            source: kind.into(),
        };
        counters.append_failed(&failed(io::ErrorKind::StorageFull));
        counters.append_failed(&failed(io::ErrorKind::ReadOnlyFilesystem));
        counters.append_failed(&failed(io::ErrorKind::Other));
        let stats = counters.read(Timestamp(0));
        let once_each = JournalFailures {
            full: 1,
            read_only: 1,
            io: 1,
        };
        assert_eq!((stats.is_failed, stats.journal_failures), (true, once_each));
        assert!(stats.problem.is_some_and(|problem| problem.contains("syncing")));
        counters.synced(Duration::ZERO);
        let stats = counters.read(Timestamp(0));
        assert_eq!((stats.is_failed, stats.problem), (false, None));
    }

    #[test]
    fn a_disk_that_does_not_answer_is_a_failure_before_it_answers() {
        let counters = Counters::default();
        counters.append_started();
        assert!(!counters.read(Timestamp(0)).is_failed);
        let long_ago = micros(START.elapsed()).saturating_sub(micros(STALLED_AFTER));
        if long_ago == 0 {
            // The process is younger than a stall: as if it had begun earlier.
            counters.append_started_us.store(1, Relaxed);
            while counters.append_took().is_some_and(|took| took < STALLED_AFTER) {
                std::thread::yield_now();
            }
        } else {
            counters.append_started_us.store(long_ago, Relaxed);
        }
        let stats = counters.read(Timestamp(0));
        assert!(stats.is_failed && stats.stalls == 0, "{stats:?}");
        assert!(stats.problem.is_some_and(|problem| problem.contains("not answered")));
        counters.synced(Duration::ZERO);
        let stats = counters.read(Timestamp(0));
        assert_eq!((stats.is_failed, stats.stalls), (false, 1));
    }
}
