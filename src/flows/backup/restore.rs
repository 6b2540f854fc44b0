//! Makes a data directory from a backup: everything is verified before anything is written.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::manifest::{BOOKS, Manifest};
use crate::clicklog;

/// Why a backup was not restored; the target is as it was.
#[derive(Debug)]
pub enum RestoreError {
    /// The backup or the target cannot be used.
    Refused(String),
    /// Writing failed.
    Failed(String),
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(why) | Self::Failed(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for RestoreError {}

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// When the backup was made.
    pub made_at: String,
    pub files: usize,
    pub bytes: u64,
}

/// Restores the backup in `dir` to `data`, which is empty or not there yet. `checked` hears of bytes as they are
/// verified, and how many there are.
///
/// # Errors
/// See [`RestoreError`].
pub fn restore(dir: &Path, data: &Path, mut checked: impl FnMut(u64, u64)) -> Result<Restored, RestoreError> {
    let is_empty = match fs::read_dir(data) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => true,
        Err(error) => return Err(RestoreError::Refused(format!("{}: {error}", data.display()))),
    };
    if !is_empty {
        return Err(RestoreError::Refused(format!(
            "{} is not empty: name a new directory",
            data.display()
        )));
    }
    let manifest = Manifest::read(dir).map_err(RestoreError::Refused)?;
    let bytes = manifest.files.iter().map(|piece| piece.bytes).sum();
    let verified = manifest.verify(dir, |done| checked(done, bytes));
    verified.map_err(RestoreError::Refused)?;
    let books = manifest.books(dir);
    let books = books.ok_or_else(|| RestoreError::Refused(format!("{} holds no {BOOKS}", dir.display())))?;
    let failed = |error: io::Error| RestoreError::Failed(format!("{}: {error}", data.display()));
    let fresh = beside(data);
    if fresh.exists() {
        // What an earlier attempt left behind.
        fs::remove_dir_all(&fresh).map_err(failed)?;
    }
    let mut builder = fs::DirBuilder::new();
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(&fresh).map_err(failed)?;
    copy(&books, &fresh.join(BOOKS)).map_err(failed)?;
    let log = clicklog::Options::at(fresh.join("clicklog"));
    clicklog::load(&log, &manifest.click_files(dir)).map_err(|error| RestoreError::Failed(error.to_string()))?;
    put_in_place(&fresh, data).map_err(failed)?;
    Ok(Restored {
        made_at: manifest.made_at,
        files: manifest.files.len(),
        bytes,
    })
}

/// Where it is put together: on the same disk, so that it is put in place at once.
fn beside(data: &Path) -> PathBuf {
    let name = data.file_name().and_then(|name| name.to_str()).unwrap_or("data");
    data.with_file_name(format!(".{name}.restoring"))
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::copy(from, to)?;
    File::open(to)?.sync_all()
}

fn put_in_place(fresh: &Path, data: &Path) -> io::Result<()> {
    if data.exists() {
        fs::remove_dir(data)?;
    }
    fs::rename(fresh, data)?;
    match data.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}
