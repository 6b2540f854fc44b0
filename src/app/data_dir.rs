//! The data directory: made when missing, locked while in use, marked with its format.
//!
//! Holds `books.sqlite`, `clicklog/`, `LOCK` and `FORMAT`.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::StartError;

/// The format that this program writes.
const FORMAT: u32 = 1;

/// A data directory in use by this process.
pub(super) struct DataDir {
    path: PathBuf,
    /// The lock goes with the file.
    _lock: File,
}

impl DataDir {
    /// Opens or makes `path`.
    pub fn open(path: &Path) -> Result<Self, StartError> {
        let cannot = |error: io::Error| {
            StartError::Unavailable(format!("the data directory {} cannot be used: {error}", path.display()))
        };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(cannot)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path.join("LOCK"))
            .map_err(cannot)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StartError::Unavailable(format!(
                    "the data directory {} is in use by another hopcart: stop that one, or choose another --data",
                    path.display()
                )));
            }
            Err(TryLockError::Error(error)) => return Err(cannot(error)),
        }
        check_format(path)?;
        Ok(Self {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn check_format(path: &Path) -> Result<(), StartError> {
    let file = path.join("FORMAT");
    let cannot = |error: io::Error| StartError::Unavailable(format!("{} cannot be used: {error}", file.display()));
    match fs::read_to_string(&file) {
        // Once it was put in place unsynced, and a power loss emptied it. There was only one format then.
        Ok(text) if text.is_empty() => write_format(path).map_err(cannot),
        Ok(text) => match text.trim().parse::<u32>() {
            Ok(found) if found <= FORMAT => Ok(()),
            Ok(found) => Err(StartError::Unavailable(format!(
                "{} has format {found}, this hopcart knows {FORMAT}: start the newer version, or choose another --data",
                path.display()
            ))),
            Err(_) => Err(StartError::Unavailable(format!(
                "{} is damaged: it must hold the number {FORMAT}",
                file.display()
            ))),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => write_format(path).map_err(cannot),
        Err(error) => Err(cannot(error)),
    }
}

/// Written whole, synced, and put in place at once: neither a crash nor a power loss leaves half of it.
fn write_format(path: &Path) -> io::Result<()> {
    let fresh = path.join("FORMAT.new");
    let mut file = File::create(&fresh)?;
    file.write_all(format!("{FORMAT}\n").as_bytes())?;
    file.sync_all()?;
    fs::rename(&fresh, path.join("FORMAT"))?;
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(path: &Path) -> String {
        match DataDir::open(path) {
            Err(StartError::Unavailable(line)) => line,
            Err(StartError::Config(line)) => panic!("{line}"),
            Ok(_) => panic!("opened"),
        }
    }

    #[test]
    fn a_directory_has_one_user_and_one_format() {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("new/data");
        let first = DataDir::open(&path).expect("a fresh directory");
        assert!(refusal(&path).contains("in use by another hopcart"));
        drop(first);
        fs::write(path.join("FORMAT"), "2\n").expect("written");
        assert!(refusal(&path).contains("format 2, this hopcart knows 1"));
        fs::write(path.join("FORMAT"), "x").expect("written");
        assert!(refusal(&path).contains("damaged"));
        for gone in ["", "1\n"] {
            fs::write(path.join("FORMAT"), gone).expect("written");
            assert!(DataDir::open(&path).is_ok(), "{gone:?}");
            assert_eq!(fs::read_to_string(path.join("FORMAT")).expect("there"), "1\n");
        }
        fs::remove_file(path.join("FORMAT")).expect("removed");
        assert!(DataDir::open(&path).is_ok());
    }

    #[test]
    fn what_is_no_directory_is_refused() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        assert!(refusal(file.path()).contains("cannot be used"));
    }
}
