//! Why a configuration was refused: always one line that names where the value came from.

use std::fmt;
use std::path::PathBuf;

/// Why there is no configuration to start with. All of them are the operator's to mend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigError {
    /// The file cannot be read.
    Unreadable {
        /// The file as it was named.
        file: PathBuf,
        /// What the system said.
        why: String,
    },
    /// The file is not TOML.
    NotToml {
        /// The file as it was named.
        file: PathBuf,
        /// Line of the mistake, from 1; 0 when it is not known.
        line: usize,
        /// What the parser said.
        why: String,
    },
    /// The file names a key that does not exist.
    UnknownKey {
        /// The file as it was named.
        file: PathBuf,
        /// The key with its section, such as `clicks.dedupe`.
        key: String,
        /// The known key that is spelled most alike, if any is close.
        nearest: Option<String>,
    },
    /// A secret stands in the file.
    SecretInFile {
        /// The file as it was named.
        file: PathBuf,
    },
    /// A value has the wrong type or lies outside of what is allowed.
    BadValue {
        /// Where the value came from: the file, a flag or an environment variable.
        origin: String,
        /// The key with its section; empty when `origin` already says it.
        key: String,
        /// What is wrong, and what is allowed.
        why: String,
    },
    /// `HOPCART_ADMIN_KEY` is too short or too long.
    AdminKey {
        /// What is allowed.
        why: String,
    },
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { file, why } => write!(f, "{}: cannot be read: {why}", file.display()),
            Self::NotToml { file, line: 0, why } => write!(f, "{}: not valid TOML: {why}", file.display()),
            Self::NotToml { file, line, why } => write!(f, "{}:{line}: not valid TOML: {why}", file.display()),
            Self::UnknownKey { file, key, nearest } => {
                write!(f, "{}: unknown key `{key}`", file.display())?;
                match nearest {
                    Some(nearest) => write!(f, "; did you mean `{nearest}`?"),
                    None => Ok(()),
                }
            }
            Self::SecretInFile { file } => write!(
                f,
                "{}: `admin_key` is not read from files: set HOPCART_ADMIN_KEY in the environment",
                file.display()
            ),
            Self::BadValue { origin, key, why } if key.is_empty() => write!(f, "{origin}: {why}"),
            Self::BadValue { origin, key, why } => write!(f, "{origin}: `{key}` {why}"),
            Self::AdminKey { why } => write!(f, "HOPCART_ADMIN_KEY: {why}"),
        }
    }
}

impl std::error::Error for ConfigError {}
