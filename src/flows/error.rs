//! Why a flow did not do what was asked, in our words; the web maps each to a status.

use std::fmt;

use crate::books;
use crate::clicklog;

/// A field that cannot be taken as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// The field as the caller named it, such as `cart.items[0].sku`.
    pub field: String,
    /// What is wrong and what to do.
    pub message: String,
}

/// Why a flow failed.
#[derive(Debug)]
pub enum Error {
    /// The caller's input: nothing was changed.
    Invalid(Invalid),
    /// What the caller named does not exist in the caller's workspace.
    NotFound { what: &'static str },
    /// It exists already.
    Conflict { field: &'static str, message: String },
    /// The key may not do this.
    Forbidden { message: &'static str },
    /// A store cannot be written or read at the moment; worth another try.
    Unavailable,
    /// A bug or a broken store; the text is for the log alone.
    Internal(String),
}

impl Error {
    /// The caller's `field` is wrong.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid(Invalid {
            field: field.into(),
            message: message.into(),
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(invalid) => write!(f, "{}: {}", invalid.field, invalid.message),
            Self::NotFound { what } => write!(f, "{what} not found"),
            Self::Conflict { field, message } => write!(f, "{field}: {message}"),
            Self::Forbidden { message } => f.write_str(message),
            Self::Unavailable => f.write_str("a store cannot be reached at the moment"),
            Self::Internal(detail) => f.write_str(detail),
        }
    }
}

impl std::error::Error for Error {}

impl From<clicklog::QueryError> for Error {
    fn from(error: clicklog::QueryError) -> Self {
        match error {
            clicklog::QueryError::TooLarge(_) => Self::invalid("interval", error.to_string()),
            clicklog::QueryError::Unavailable => Self::Unavailable,
            other => Self::Internal(other.to_string()),
        }
    }
}

impl From<clicklog::WriteError> for Error {
    fn from(error: clicklog::WriteError) -> Self {
        tracing::error!(%error, "the click log could not be written");
        Self::Unavailable
    }
}

impl From<books::Error> for Error {
    fn from(error: books::Error) -> Self {
        match error {
            books::Error::Conflict { what } => Self::Conflict {
                field: what,
                message: "is taken already".to_owned(),
            },
            books::Error::NotFound { what } => Self::NotFound { what },
            books::Error::Busy => Self::Unavailable,
            other => Self::Internal(other.to_string()),
        }
    }
}
