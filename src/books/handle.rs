//! The handle: opens the file, takes work in, tells figures.
//!
//! Cheap to clone. Work is a closure, so that what a flow decides lies between its reads and its writes, inside one
//! transaction. Holds no business rule.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::author;
use super::error::{Error, OpenError};
use super::readers::Readers;
use super::schema;
use super::view::{Tx, View};
use super::writer::Writer;

/// How long a connection waits for a lock: the writer alone writes, so only a backup or a checkpoint is ever in the way.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);
/// Compiled statements that a connection keeps: more than this room has, apart from filtered lists.
const STATEMENTS_KEPT: usize = 192;
/// Bytes that the write-ahead log is cut back to after a burst of bulk work: a disk is not held by yesterday's import.
const LOG_BYTES_KEPT: i64 = 64 << 20;
/// Most reading connections: each has a page cache of its own (2 MB).
const READERS_MAX: usize = 64;

/// What the books need to open.
#[derive(Debug, Clone)]
pub struct Options {
    /// The file, such as `data/books.sqlite`; made when missing. Its directory must exist.
    pub path: PathBuf,
    /// Read-only connections, 1 to 64.
    pub readers: usize,
}

impl Options {
    /// The defaults for the file at `path`: two readers.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            readers: 2,
        }
    }
}

/// The books. Clones share one writer; the last one dropped finishes what was queued.
#[derive(Clone)]
pub struct Books(Arc<Shared>);

struct Shared {
    path: PathBuf,
    writer: Writer,
    readers: Readers,
}

/// Figures for operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Bytes of the file and its write-ahead log.
    pub file_bytes: u64,
    /// Transactions committed since the start.
    pub commits: u64,
    /// Jobs answered since the start; several share a commit.
    pub jobs: u64,
    /// Jobs that wait.
    pub queued: usize,
    /// How long the last commit took, fsync included.
    pub last_commit: Duration,
    /// Whether the last commit failed: nothing is acknowledged while this stands.
    pub is_failed: bool,
}

impl Books {
    /// Opens the books, makes them when they are missing, and brings an older format up to date.
    ///
    /// # Errors
    /// See [`OpenError`]; the file is then left as it was found.
    pub fn open(options: Options) -> Result<Self, OpenError> {
        make_private(&options.path)?;
        let mut connection = Connection::open_with_flags(&options.path, flags(OpenFlags::SQLITE_OPEN_READ_WRITE))?;
        connection.busy_timeout(LOCK_TIMEOUT)?;
        schema::migrate(&mut connection)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "trusted_schema", false)?;
        connection.pragma_update(None, "journal_size_limit", LOG_BYTES_KEPT)?;
        // What a savepoint may have to bring back stays in memory: a file would be made and deleted with each job.
        connection.pragma_update(None, "temp_store", "memory")?;
        // An address that was erased is overwritten, not only unlisted; deletes are rare here.
        connection.pragma_update(None, "secure_delete", true)?;
        keep_statements(&connection)?;
        let readers = (0..options.readers.clamp(1, READERS_MAX))
            .map(|_| open_reader(&options.path))
            .collect::<Result<_, _>>()?;
        let writer = Writer::start(connection).map_err(|error| OpenError::Io(error.to_string()))?;
        Ok(Self(Arc::new(Shared {
            path: options.path,
            writer,
            readers: Readers::new(readers),
        })))
    }

    /// Runs `work` in a transaction. `Ok` means that its changes are on disk; after `Err` nothing of it is stored.
    /// Dropping the future does not call back work that was queued.
    ///
    /// # Errors
    /// What `work` returned; [`Error::Busy`] when too much waits; [`Error::Failed`] when the store failed.
    pub async fn commit<T, E>(&self, work: impl FnOnce(&Tx<'_>) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let Some(author) = author::current() else {
            let answer = self.0.writer.enqueue(work)?;
            return answer.await.unwrap_or_else(|_| Err(writer_stopped().into()));
        };
        let signing = Arc::clone(&author);
        let answer = self.0.writer.enqueue(move |tx| {
            let tx = tx.by(Arc::clone(&signing));
            let done = work(&tx)?;
            signing.sign(&tx)?;
            Ok::<_, E>(done)
        })?;
        let done = answer.await.unwrap_or_else(|_| Err(writer_stopped().into()))?;
        author.is_noted.store(true, Ordering::Relaxed);
        Ok(done)
    }

    /// As [`Books::commit`], waiting on this thread: for threads of the caller's own, never inside async code (it
    /// panics there) and never inside other work of the books (it would wait for itself).
    ///
    /// # Errors
    /// As [`Books::commit`].
    pub fn commit_blocking<T, E>(&self, work: impl FnOnce(&Tx<'_>) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let answer = self.0.writer.enqueue(work)?;
        answer.blocking_recv().unwrap_or_else(|_| Err(writer_stopped().into()))
    }

    /// Runs `work` on one snapshot of what was committed, on the blocking pool.
    ///
    /// # Errors
    /// What `work` returned; [`Error::Busy`] when too many wait; [`Error::Failed`] when the store failed.
    pub async fn read<T, E>(&self, work: impl FnOnce(&View<'_>) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let turn = self.0.readers.turn().await?;
        let shared = Arc::clone(&self.0);
        let reading = tokio::task::spawn_blocking(move || {
            let result = shared.readers.read(work);
            drop(turn);
            result
        });
        // The work's own panic is caught below it; what is left is a runtime that shuts down.
        reading.await.unwrap_or_else(|_| Err(Error::Busy.into()))
    }

    /// As [`Books::read`], on this thread. Never inside other work of the books: it may wait for itself.
    ///
    /// # Errors
    /// As [`Books::read`].
    pub fn read_blocking<T, E: From<Error>>(&self, work: impl FnOnce(&View<'_>) -> Result<T, E>) -> Result<T, E> {
        self.0.readers.read(work)
    }

    /// A reading connection of the caller's own: for long work, which would keep others from the shared ones.
    ///
    /// # Errors
    /// [`Error::Failed`].
    pub fn lone_reader(&self) -> Result<LoneReader, Error> {
        let connection = open_reader(&self.0.path).map_err(|error| Error::Failed(format!("a reader: {error}")))?;
        Ok(LoneReader(Readers::new(vec![connection])))
    }

    /// Writes the books as of now to a new file at `to`, synced. Changes go on meanwhile; the write-ahead log grows
    /// until this is done, for it reads one snapshot.
    ///
    /// # Errors
    /// [`Error::Failed`]; `to` may then hold a part.
    pub fn back_up(&self, to: &Path) -> Result<(), Error> {
        let failed = |error: String| Error::Failed(format!("backing up to {}: {error}", to.display()));
        make_private(to).map_err(|error| failed(error.to_string()))?;
        let connection = open_reader(&self.0.path).map_err(|error| failed(error.to_string()))?;
        connection.pragma_update(None, "query_only", false)?;
        let target = to.to_str().ok_or_else(|| failed("its name is not UTF-8".to_owned()))?;
        connection.execute("VACUUM INTO ?1", [target])?;
        let synced = std::fs::File::open(to).and_then(|file| file.sync_all());
        synced.map_err(|error| failed(error.to_string()))
    }

    /// Takes no further work, finishes what is queued and ends the writer. Waits for it on this thread.
    pub fn close(&self) {
        self.0.writer.close();
    }

    /// Transactions committed since the start: as long as it is the same, so is what a reader sees.
    pub fn commits(&self) -> u64 {
        self.0.writer.gauges.commits.load(Ordering::Acquire)
    }

    /// The figures of this moment.
    pub fn stats(&self) -> Stats {
        let gauges = &self.0.writer.gauges;
        let bytes = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
        let mut log = self.0.path.clone().into_os_string();
        log.push("-wal");
        Stats {
            file_bytes: bytes(&self.0.path) + bytes(Path::new(&log)),
            commits: self.commits(),
            jobs: gauges.jobs.load(Ordering::Relaxed),
            queued: gauges.queued.load(Ordering::Relaxed),
            last_commit: Duration::from_micros(gauges.last_commit_us.load(Ordering::Relaxed)),
            is_failed: gauges.is_failed.load(Ordering::Relaxed),
        }
    }
}

/// See [`Books::lone_reader`].
pub struct LoneReader(Readers);

impl LoneReader {
    /// As [`Books::read_blocking`].
    ///
    /// # Errors
    /// As [`Books::read`].
    pub fn read<T, E: From<Error>>(&self, work: impl FnOnce(&View<'_>) -> Result<T, E>) -> Result<T, E> {
        self.0.read(work)
    }
}

fn writer_stopped() -> Error {
    Error::Failed("the writer stopped".to_owned())
}

/// Each connection belongs to one thread at a time, so SQLite's own mutex is left out.
fn flags(access: OpenFlags) -> OpenFlags {
    access | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

fn open_reader(path: &Path) -> Result<Connection, OpenError> {
    let connection = Connection::open_with_flags(path, flags(OpenFlags::SQLITE_OPEN_READ_ONLY))?;
    connection.busy_timeout(LOCK_TIMEOUT)?;
    connection.pragma_update(None, "query_only", true)?;
    keep_statements(&connection)?;
    Ok(connection)
}

/// Statements are compiled once and hold for every value: otherwise SQLite compiles those with a `LIMIT ?`, or a parameter
/// that a partial index might want to know, again with each, which was a sixth of what an order costs.
fn keep_statements(connection: &Connection) -> Result<(), OpenError> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

/// Makes the file when it is missing, readable by its owner alone: it holds secrets. SQLite's log takes the same mode.
fn make_private(path: &Path) -> Result<(), OpenError> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) => Err(OpenError::Io(format!("{}: {error}", path.display()))),
    }
}
