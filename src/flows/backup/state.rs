//! How far a backup is: what the API and the command show.

use std::path::PathBuf;

/// A running backup.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// What is being done, such as `books`.
    pub step: &'static str,
    /// Pieces done and pieces known so far.
    pub done: u64,
    pub total: u64,
    /// Bytes copied.
    pub copied_bytes: u64,
}

/// What became of the last backup.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum State {
    /// None since the server started.
    #[default]
    Never,
    Running {
        dir: PathBuf,
        progress: Progress,
    },
    Done {
        dir: PathBuf,
        /// Pieces of the backup, and how many of them were copied now.
        files: u64,
        copied_files: u64,
        bytes: u64,
        copied_bytes: u64,
        took_ms: u64,
    },
    Failed {
        dir: PathBuf,
        why: String,
    },
}
