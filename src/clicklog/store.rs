//! The sled tree under the journal: the only file that opens sled, writes to it and makes it durable.
//!
//! sled's `flush()` does not sync on Linux, so every checkpoint syncs the file through a descriptor of our own, opened
//! before anything is written: the kernel reports failed write-backs to it. Values stay small, scans go by key range
//! and in slices, and a panic inside sled becomes an error: after any error the store is reopened, never used again.

use std::fs::{self, File};
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::domain::time::Timestamp;

use super::error::{OpenError, StoreError};
use super::gap::Gap;
use super::history::History;
use super::key;
use super::options::sync_dir;
use super::value::{Meta, seal, unseal};

/// Longest time that sled may take to open. Measured: 0.8 s for 1.7 GB after a kill; a slow disk takes minutes.
const OPEN_DEADLINE: Duration = Duration::from_secs(15 * 60);
/// Longest wait for a closed store, or a question that still reads it, to let go of its file, and how often to look.
const LET_GO_MAX: Duration = Duration::from_secs(35);
const LET_GO_LOOK: Duration = Duration::from_millis(5);
/// Entries read before a scan lets go of the tree and checks whether it may go on.
const SLICE: usize = 256;

/// Values of which sixteen, as many as a page has, are worth [`Store::let_go`], in bytes.
const LARGE: usize = 1024;
/// Accesses to a page beside each of a scan's own: with sixteen values a page twice as many as fill a queue.
const ACCESSES_MORE: usize = 7;

/// Most gaps that are read at once; who has more has other worries.
const GAPS_READ_MAX: usize = 10_000;

/// An open sled tree.
pub(super) struct Store {
    db: sled::Db,
    file: File,
}

/// Turns a panic into an error.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(StoreError::Panicked))
}

impl Store {
    pub(super) fn open(dir: &Path, cache_bytes: u64) -> Result<Self, StoreError> {
        remove_half_snapshots(dir)?;
        let config = sled::Config::new()
            .path(dir)
            .cache_capacity(cache_bytes)
            .use_compression(false)
            // Checkpoints flush; in between the journal is what is durable.
            .flush_every_ms(None);
        let db = open_when_let_go(&config)?;
        let file = File::open(dir.join("db"))?;
        let store = Self { db, file };
        if store.get(&key::IS_LOADING)?.is_some() {
            return Err(StoreError::Damaged("a backup was loaded by half"));
        }
        store.meta()?;
        Ok(store)
    }

    /// What the tree says of itself; the default for an empty one.
    pub(super) fn meta(&self) -> Result<Meta, StoreError> {
        match self.get(&key::META)? {
            Some(body) => Ok(Meta::read(&body)?),
            None => Ok(Meta::default()),
        }
    }

    /// The body of the value under `key`.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.db.get(key)? {
            Some(value) => Ok(Some(unseal(key, &value)?.to_vec())),
            None => Ok(None),
        }
    }

    /// Hands the bodies of all values from `first` to `last` to `each`, until it answers false.
    pub(super) fn scan<E: From<StoreError>>(
        &self,
        first: &[u8],
        last: &[u8],
        is_reversed: bool,
        mut each: impl FnMut(&[u8], &[u8]) -> Result<bool, E>,
    ) -> Result<(), E> {
        let (mut from, mut to) = (Bound::Included(first.to_vec()), Bound::Included(last.to_vec()));
        if first > last {
            return Ok(());
        }
        loop {
            let mut slice = self.db.range((from.clone(), to.clone()));
            let mut met = None;
            for _ in 0..SLICE {
                let entry = if is_reversed { slice.next_back() } else { slice.next() };
                let Some(entry) = entry else { return Ok(()) };
                let (key, value) = entry.map_err(StoreError::from)?;
                let body = unseal(&key, &value)?;
                let (is_large, goes_on) = (body.len() >= LARGE, each(&key, body)?);
                if is_large {
                    self.let_go(&key)?;
                }
                if !goes_on {
                    return Ok(());
                }
                met = Some(key.to_vec());
            }
            match met {
                Some(key) if key == if is_reversed { first } else { last } => return Ok(()),
                Some(key) if is_reversed => to = Bound::Excluded(key),
                Some(key) => from = Bound::Excluded(key),
                None => return Ok(()),
            }
        }
    }

    /// Lets sled's cache notice that the page of `key` was read. It notes accesses in 256 queues and looks for what to
    /// let go only when one has 64; a page of sixteen blocks is accessed sixteen times by a scan, so that some 130 MB
    /// of pages were held beyond the cache's bound.
    fn let_go(&self, key: &[u8]) -> Result<(), StoreError> {
        for _ in 0..ACCESSES_MORE {
            self.db.contains_key(key)?;
        }
        Ok(())
    }

    /// Hands every key and its body to `each`; a body that its checksum contradicts as an error. For whoever looks for
    /// damage: what sled itself cannot read ends it.
    pub(super) fn each_value(
        &self,
        mut each: impl FnMut(&[u8], Result<&[u8], StoreError>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut from = Bound::Unbounded;
        loop {
            let mut met = None;
            for entry in self.db.range::<Vec<u8>, _>((from, Bound::Unbounded)).take(SLICE) {
                let (key, value) = entry?;
                each(&key, unseal(&key, &value))?;
                met = Some(key.to_vec());
            }
            match met {
                Some(key) => from = Bound::Excluded(key),
                None => return Ok(()),
            }
        }
    }

    /// The first key from `first` to `last`.
    pub(super) fn first_key(&self, first: &[u8], last: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        if first > last {
            return Ok(None);
        }
        let entry = self.db.range(first..=last).next().transpose()?;
        Ok(entry.map(|(key, _)| key.to_vec()))
    }

    /// Writes `batch` and `meta` as one and makes them durable.
    pub(super) fn commit(&self, mut batch: sled::Batch, meta: &Meta) -> Result<(), StoreError> {
        batch.insert(&key::META, seal(&key::META, &meta.body()));
        self.rewrite(batch)
    }

    /// Whether nothing was ever committed.
    pub(super) fn is_empty(&self) -> Result<bool, StoreError> {
        Ok(self.meta()? == Meta::default())
    }

    /// What the tree can still tell; the default for one of before that was written down.
    pub(super) fn history(&self) -> Result<History, StoreError> {
        // The watermark first: a checkpoint in between must not look like a version that writes no facets.
        let meta = self.meta()?;
        let history = match self.get(&key::HISTORY)? {
            Some(body) => History::read(&body)?,
            None => History::default(),
        };
        Ok(history.as_of(&meta))
    }

    /// Notes, unless that was done before, that clicks of frames after `last_index` are counted by links' days and in pages
    /// of totals: what is here may hold frames up to that one. An empty store holds none.
    pub(super) fn count_anew_after(&self, last_index: u64) -> Result<(), StoreError> {
        let history = self.history()?;
        if history.days_since.is_some() && history.pages_since.is_some() {
            return Ok(());
        }
        let since = if self.is_empty()? { 0 } else { last_index };
        let history = History {
            days_since: history.days_since.or(Some(since)),
            pages_since: history.pages_since.or(Some(since)),
            ..history
        };
        let mut batch = sled::Batch::default();
        batch.insert(&key::HISTORY, seal(&key::HISTORY, &history.body()));
        self.rewrite(batch)
    }

    /// Writes `batch`, which leaves the watermark where it is, and makes it durable.
    pub(super) fn rewrite(&self, batch: sled::Batch) -> Result<(), StoreError> {
        self.db.apply_batch(batch)?;
        self.db.flush()?;
        self.file.sync_data()?;
        Ok(())
    }

    /// Writes `batch` alone; nothing of it is durable before the next [`Store::commit`].
    pub(super) fn put(&self, batch: sled::Batch) -> Result<(), StoreError> {
        Ok(self.db.apply_batch(batch)?)
    }

    /// The gaps that were ever found.
    pub(super) fn gaps(&self) -> Result<Vec<Gap>, StoreError> {
        let mut gaps = Vec::new();
        self.scan::<StoreError>(&key::gap(0), &key::gap(u64::MAX), false, |key, body| {
            let first = key.last_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
            gaps.push(Gap::read(first, body)?);
            Ok(gaps.len() < GAPS_READ_MAX)
        })?;
        Ok(gaps)
    }

    /// Size of sled's file in bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.file.metadata().map_or(0, |metadata| metadata.len())
    }
}

/// sled's own threads hold its file for a moment after it was closed. No other process does: we hold the log's lock.
fn open_when_let_go(config: &sled::Config) -> Result<sled::Db, StoreError> {
    let give_up = Instant::now() + LET_GO_MAX;
    loop {
        match config.open() {
            Err(sled::Error::Io(error)) if is_held(&error) && Instant::now() < give_up => {
                std::thread::sleep(LET_GO_LOOK);
            }
            result => return Ok(result?),
        }
    }
}

fn is_held(error: &std::io::Error) -> bool {
    // sled wraps the error of the lock into a text.
    error.to_string().contains("could not acquire lock")
}

/// A crash while sled wrote a snapshot leaves a file that keeps it from opening.
fn remove_half_snapshots(dir: &Path) -> Result<(), StoreError> {
    fs::create_dir_all(dir)?;
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// An opened store and where a corrupt one before it was put.
pub(super) struct Opened {
    pub(super) store: Arc<Store>,
    pub(super) quarantined: Option<PathBuf>,
}

/// Where a store lies that was rebuilt and is about to take the place of the one in `dir`.
pub(super) fn rebuilt_beside(dir: &Path) -> PathBuf {
    dir.with_extension("rebuilt")
}

/// Opens the store in `dir`; a corrupt one is moved aside and an empty one made in its place.
pub(super) fn open_or_set_aside(dir: &Path, cache_bytes: u64, now: Timestamp) -> Result<Opened, OpenError> {
    let rebuilt = rebuilt_beside(dir);
    if !dir.exists() && rebuilt.exists() {
        // A rebuild was cut short between its last two steps.
        fs::rename(&rebuilt, dir).map_err(OpenError::io(&rebuilt))?;
    }
    match open_in_time(dir, cache_bytes)? {
        Ok(store) => Ok(Opened {
            store: Arc::new(store),
            quarantined: None,
        }),
        Err(error) if error.is_corruption() => {
            let aside = set_aside(dir, now)?;
            let store = open_in_time(dir, cache_bytes)?.map_err(|error| fatal(error, dir))?;
            Ok(Opened {
                store: Arc::new(store),
                quarantined: Some(aside),
            })
        }
        Err(error) => Err(fatal(error, dir)),
    }
}

/// Opens on a thread of its own: recovery may hang on a stalled disk or panic.
fn open_in_time(dir: &Path, cache_bytes: u64) -> Result<Result<Store, StoreError>, OpenError> {
    let (opened, wait) = mpsc::sync_channel(1);
    let path = dir.to_owned();
    let open = move || {
        let result = guarded(|| Store::open(&path, cache_bytes));
        opened.send(result).ok();
    };
    let thread = std::thread::Builder::new().name("click-store-open".to_owned());
    thread.spawn(open).map_err(OpenError::io(dir))?;
    wait.recv_timeout(OPEN_DEADLINE).map_err(|_| OpenError::Stalled)
}

/// Waits until nothing of an earlier opening writes to `dir` any more: sled names its snapshots by path, and would put
/// them into the store that comes next.
fn wait_closed(dir: &Path) {
    let Ok(file) = File::open(dir.join("db")) else { return };
    let began = Instant::now();
    while file.try_lock().is_err() && began.elapsed() < LET_GO_MAX {
        std::thread::sleep(LET_GO_LOOK);
    }
}

/// Moves the store in `dir` out of the way; says where it is now.
pub(super) fn set_aside(dir: &Path, now: Timestamp) -> Result<PathBuf, OpenError> {
    wait_closed(dir);
    let name = dir.file_name().and_then(|name| name.to_str()).unwrap_or("db");
    let free = (0..).map(|n| dir.with_file_name(format!("{name}.quarantine-{}", now.0.saturating_add(n))));
    // The first name that is not taken: an endless range has one.
    let aside = free
        .into_iter()
        .find(|path| !path.exists())
        .unwrap_or_else(|| dir.to_owned());
    fs::rename(dir, &aside).map_err(OpenError::io(dir))?;
    if let Some(parent) = dir.parent() {
        sync_dir(parent).map_err(OpenError::io(parent))?;
    }
    Ok(aside)
}

/// The error that ends an opening.
pub(super) fn fatal(error: StoreError, path: &Path) -> OpenError {
    match error {
        StoreError::Io(source) => OpenError::Io {
            path: path.to_owned(),
            source,
        },
        StoreError::Newer { found, known } => OpenError::NewerFormat { found, known },
        other => OpenError::Store(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(dir: &Path) -> Opened {
        open_or_set_aside(dir, 1 << 20, Timestamp(5)).expect("opened")
    }

    #[test]
    fn scans_go_both_ways_across_slices() {
        let dir = tempfile::tempdir().expect("a directory");
        let opened = open(&dir.path().join("db"));
        let mut batch = sled::Batch::default();
        for n in 0..600u32 {
            let key = n.to_be_bytes();
            batch.insert(&key, seal(&key, &key));
        }
        opened.store.commit(batch, &Meta::default()).expect("written");
        for is_reversed in [false, true] {
            let mut seen = Vec::new();
            let scanned: Result<(), StoreError> =
                opened
                    .store
                    .scan(&5u32.to_be_bytes(), &594u32.to_be_bytes(), is_reversed, |key, body| {
                        assert_eq!(key, body);
                        seen.push(key.to_vec());
                        Ok(true)
                    });
            scanned.expect("readable");
            if is_reversed {
                seen.reverse();
            }
            let expected: Vec<_> = (5..=594u32).map(|n| n.to_be_bytes().to_vec()).collect();
            assert_eq!(seen, expected);
        }
    }

    #[test]
    fn a_corrupt_store_is_set_aside() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("db");
        drop(open(&path));
        fs::write(path.join("conf"), "nonsense that sled does not understand").expect("written");
        fs::write(path.join("snap.0000000000000001.generating"), "half").expect("written");
        let opened = open(&path);
        let aside = opened.quarantined.expect("set aside");
        assert_eq!(aside, dir.path().join("db.quarantine-5"));
        assert!(aside.join("db").exists());
        assert_eq!(opened.store.meta().expect("readable"), Meta::default());
    }
}
