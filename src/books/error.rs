//! What can go wrong in the books: at the start, and with one piece of work.
//!
//! Says whose fault it is; knows no status code. The texts of [`Error::Failed`] are for the log, not for brands.

use std::fmt;

/// Why the books could not be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpenError {
    /// The file was written by a newer version of this program: update the program.
    NewerFormat {
        /// Format number of the file.
        found: u32,
        /// Newest format number that this program reads.
        known: u32,
    },
    /// The file is a database, but not one of ours: it is left untouched.
    Foreign,
    /// The file is damaged or no database at all: restore a backup.
    Corrupt(String),
    /// The file cannot be read or written, or another process holds it.
    Io(String),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NewerFormat { found, known } => write!(
                f,
                "the books have format {found}, this version of hopcart knows formats up to {known}: install a newer hopcart"
            ),
            Self::Foreign => f.write_str("the file belongs to another program: choose another data directory"),
            Self::Corrupt(detail) => write!(f, "the books are damaged, restore them from a backup: {detail}"),
            Self::Io(detail) => write!(f, "the books cannot be opened: {detail}"),
        }
    }
}

impl std::error::Error for OpenError {}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        match error.sqlite_error_code() {
            Some(DatabaseCorrupt | NotADatabase) => Self::Corrupt(error.to_string()),
            _ => Self::Io(error.to_string()),
        }
    }
}

/// Why a piece of work was not done. Nothing of it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// Somebody else has this value already: the caller's request cannot be granted as it is.
    Conflict {
        /// Which value, such as `key`.
        what: &'static str,
    },
    /// A row that the work names does not exist.
    NotFound {
        /// Which noun, such as `link`.
        what: &'static str,
    },
    /// A number that does not fit what is stored or summed.
    TooLarge {
        /// Which number.
        what: &'static str,
    },
    /// Too much work is waiting, or the books are closing: try again later.
    Busy,
    /// The work panicked; neighbours in its commit are unharmed.
    Panicked,
    /// The store itself failed (disk full, input or output error, a damaged row): somebody must look at it.
    Failed(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict { what } => write!(f, "{what} is taken"),
            Self::NotFound { what } => write!(f, "{what} does not exist"),
            Self::TooLarge { what } => write!(f, "{what} is too large"),
            Self::Busy => f.write_str("too much work is waiting for the books, try again"),
            Self::Panicked => f.write_str("the work panicked"),
            Self::Failed(detail) => write!(f, "the books failed: {detail}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::Failed(error.to_string())
    }
}
