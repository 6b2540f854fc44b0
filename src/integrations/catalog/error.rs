//! What can be wrong with a file, and with one cell of it. Both are read by the brand.

use std::fmt;
use std::io;

use crate::integrations::table::{HEADER_BYTES_MAX, TableError};

/// Why a file cannot be read at all.
#[derive(Debug)]
pub enum CatalogError {
    /// There is nothing in it.
    Empty,
    /// It is UTF-16, as spreadsheets write "Unicode text".
    Utf16,
    /// Its first line is longer than [`HEADER_BYTES_MAX`].
    HeaderTooLong,
    /// Its header is none that we know.
    Unknown,
    /// It is of a known format, but lacks this column.
    Missing(&'static str),
    /// More rows than one call takes: so many.
    TooManyRows(usize),
    /// It tells of orders where products are wanted, or of products where orders are.
    WrongKind(&'static str),
    /// The source cannot be read.
    Io(io::Error),
}

impl CatalogError {
    /// The part of the file that is wrong.
    pub fn field(&self) -> &'static str {
        match self {
            Self::Empty | Self::HeaderTooLong | Self::Unknown | Self::Missing(_) | Self::WrongKind(_) => "header",
            Self::TooManyRows(_) => "rows",
            Self::Utf16 | Self::Io(_) => "body",
        }
    }
}

impl fmt::Display for CatalogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("is missing: the first line must name the columns"),
            Self::Utf16 => f.write_str("is UTF-16: save the file as UTF-8"),
            Self::HeaderTooLong => write!(f, "has more than {HEADER_BYTES_MAX} bytes: is this a table?"),
            Self::Unknown => f.write_str(
                "is not known: it needs a column Handle (Shopify's export), or id with availability, link or image_link \
                 (Google's and Meta's feed), or sku (sku, variantId, title, price, stock, policy, imageUrl)",
            ),
            Self::Missing(column) => write!(f, "has no column {column}"),
            Self::TooManyRows(most) => write!(f, "must be at most {most} a call: send the rest in further calls"),
            Self::WrongKind(advice) => f.write_str(advice),
            Self::Io(error) => write!(f, "cannot be read: {error}"),
        }
    }
}

impl std::error::Error for CatalogError {}

impl From<TableError> for CatalogError {
    fn from(error: TableError) -> Self {
        match error {
            TableError::Empty => Self::Empty,
            TableError::Utf16 => Self::Utf16,
            TableError::HeaderTooLong => Self::HeaderTooLong,
            TableError::Io(error) => Self::Io(error),
        }
    }
}

impl From<csv::Error> for CatalogError {
    fn from(error: csv::Error) -> Self {
        Self::Io(error.into())
    }
}

/// Why a row cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CellError {
    /// The column as the header names it, or `row`.
    pub column: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl CellError {
    pub(super) fn new(column: &str, message: impl Into<String>) -> Self {
        Self {
            column: column.to_owned(),
            message: message.into(),
        }
    }
}
