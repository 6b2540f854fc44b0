//! What can go wrong in the click log: at opening, at writing and at reading.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::bytes::Damaged;

/// Why the click log does not open. Nothing was changed but leftovers of an earlier crash.
#[derive(Debug)]
pub enum OpenError {
    /// Another process holds the directory.
    InUse(PathBuf),
    /// Written by a newer version of this server; opening it with this one could lose clicks.
    NewerFormat {
        /// The version found.
        found: u32,
        /// The newest version that this server reads.
        known: u32,
    },
    /// A file operation failed.
    Io {
        /// The file or directory.
        path: PathBuf,
        source: io::Error,
    },
    /// The store failed while the journal was being applied to it; says how.
    Store(String),
    /// The store did not open within the deadline.
    Stalled,
}

impl OpenError {
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse(path) => write!(f, "{} is in use by another process", path.display()),
            Self::NewerFormat { found, known } => write!(
                f,
                "the click log has format {found}, this version reads up to {known}: start the newer version"
            ),
            Self::Io { path, source } => write!(f, "{}: {source}", path.display()),
            Self::Store(how) => write!(f, "the click store failed while opening: {how}"),
            Self::Stalled => f.write_str("the click store did not open in time: is the disk stalled?"),
        }
    }
}

impl std::error::Error for OpenError {}

/// Why clicks were not made durable. The caller keeps them and tries again.
#[derive(Debug)]
pub enum WriteError {
    /// The journal could not be written or synced; the next try goes to a new segment.
    Journal {
        /// What was being done.
        doing: &'static str,
        source: io::Error,
    },
    /// The last checkpoint failed; the journal has every click and is applied at the next opening.
    Checkpoint(String),
    /// Not all that was to be erased is gone; asking again goes on.
    Erasure(String),
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Journal { doing, source } => write!(f, "click journal, {doing}: {source}"),
            Self::Checkpoint(how) => write!(f, "click checkpoint: {how}"),
            Self::Erasure(how) => write!(f, "erasing clicks: {how}"),
        }
    }
}

impl std::error::Error for WriteError {}

/// Why a question got no answer.
#[derive(Debug)]
pub enum QueryError {
    /// It would read too much; says of what. Narrowing the time range or the links helps.
    TooLarge(&'static str),
    /// The store is closed, being reopened or catching up with the journal; trying again soon helps.
    Unavailable,
    /// Stored bytes are damaged; says which. No number is better than a wrong one.
    Damaged(String),
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge(what) => write!(
                f,
                "the query reads too much ({what}): narrow its time range, links or filters"
            ),
            Self::Unavailable => f.write_str("the click store is catching up: try again"),
            Self::Damaged(what) => write!(f, "the click store is damaged: {what}"),
        }
    }
}

impl std::error::Error for QueryError {}

/// Why the store under the journal failed.
#[derive(Debug)]
pub(super) enum StoreError {
    /// sled says so; it is poisoned and must be reopened.
    Sled(sled::Error),
    /// Syncing or reading beside sled failed.
    Io(io::Error),
    /// A value does not mean anything.
    Damaged(&'static str),
    /// sled panicked.
    Panicked,
    /// A value, a frame or a segment of a newer version than the newest that is known.
    Newer { found: u32, known: u32 },
}

impl StoreError {
    /// Whether the files, not the disk, are at fault: setting them aside helps.
    pub(super) fn is_corruption(&self) -> bool {
        match self {
            Self::Sled(sled::Error::Io(error)) => {
                matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData)
            }
            Self::Sled(_) | Self::Damaged(_) | Self::Panicked => true,
            Self::Io(_) | Self::Newer { .. } => false,
        }
    }
}

impl From<sled::Error> for StoreError {
    fn from(error: sled::Error) -> Self {
        Self::Sled(error)
    }
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Damaged> for StoreError {
    fn from(damaged: Damaged) -> Self {
        Self::Damaged(damaged.0)
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sled(error) => write!(f, "{error}"),
            Self::Io(error) => write!(f, "{error}"),
            Self::Damaged(what) => f.write_str(what),
            Self::Panicked => f.write_str("sled panicked"),
            Self::Newer { found, known } => write!(f, "format {found} is newer than {known}, the newest known here"),
        }
    }
}

impl From<StoreError> for QueryError {
    fn from(error: StoreError) -> Self {
        Self::Damaged(error.to_string())
    }
}

impl From<Damaged> for QueryError {
    fn from(damaged: Damaged) -> Self {
        Self::Damaged(damaged.0.to_owned())
    }
}
