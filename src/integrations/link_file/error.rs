//! What can be wrong with a file of links, and with one field of it. Both are read by the brand.

use std::fmt;
use std::io;

use crate::integrations::table::{HEADER_BYTES_MAX, TableError};

/// Why a file cannot be read, or not to its end.
#[derive(Debug)]
pub enum FileError {
    /// There is nothing in it.
    Empty,
    /// It is UTF-16, as spreadsheets write "Unicode text".
    Utf16,
    /// Its first line is longer than [`HEADER_BYTES_MAX`].
    HeaderTooLong,
    /// Its header names no column that says where a link leads.
    Unknown,
    /// A column that was asked for is not there.
    Missing(String),
    /// A field that was asked for is none of a link's.
    NoField(String),
    /// Bitly's file is a table.
    NoJson,
    /// The JSON cannot be read on from this line: why.
    Malformed(u64, &'static str),
    /// The source cannot be read.
    Io(io::Error),
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("is empty: the first line must name the columns"),
            Self::Utf16 => f.write_str("is UTF-16: save the file as UTF-8"),
            Self::HeaderTooLong => write!(
                f,
                "its first line has more than {HEADER_BYTES_MAX} bytes: is this a table?"
            ),
            Self::Unknown => f.write_str(
                "its header names no column url (or destination, long_url, target): rename it, or say which it is with \
                 --map url=COLUMN",
            ),
            Self::Missing(column) => write!(f, "has no column {column}"),
            Self::NoField(field) => write!(f, "{field} is no field of a link: take a name of the list in --help"),
            Self::NoJson => f.write_str("is JSON, and Bitly's export is CSV"),
            Self::Malformed(line, why) => write!(f, "line {line}: {why}"),
            Self::Io(error) => write!(f, "cannot be read: {error}"),
        }
    }
}

impl std::error::Error for FileError {}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<TableError> for FileError {
    fn from(error: TableError) -> Self {
        match error {
            TableError::Empty => Self::Empty,
            TableError::Utf16 => Self::Utf16,
            TableError::HeaderTooLong => Self::HeaderTooLong,
            TableError::Io(error) => Self::Io(error),
        }
    }
}

/// Why a row cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The column as the header names it, the JSON's field, or `row`.
    pub field: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl FieldError {
    pub(super) fn new(field: &str, message: impl Into<String>) -> Self {
        Self {
            field: field.to_owned(),
            message: message.into(),
        }
    }
}
