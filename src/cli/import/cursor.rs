//! The place in a file up to which its rows are done, kept beside the file while an import is not at its end.
//!
//! Only saves time: rows that were sent and are sent again are recognised by the server.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::report::Tally;
use crate::cli::failure::Failure;
use crate::cli::terminal::note;

/// What the place's own file is called after the import's.
const SUFFIX: &str = ".hopcart-import";
/// How much of a file says which it is, with its length. 1 MiB: read at once.
const HEAD_BYTES: u64 = 1 << 20;

/// Where an import is.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Which file, imported how.
    mark: String,
    /// The last row that is done.
    pub rows: u64,
    /// Bytes of the report that tell of them.
    pub report_bytes: u64,
    pub tally: Tally,
}

/// The place, and where it is kept.
#[derive(Debug)]
pub struct Cursor {
    pub place: Place,
    /// `None` = nowhere: of standard input and dry runs.
    path: Option<PathBuf>,
}

impl Cursor {
    /// The place that an earlier run of `file` left, else its beginning.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn open(file: &str, manner: &str, restarts: bool, is_dry_run: bool) -> Result<Self, Failure> {
        if file == "-" || is_dry_run {
            return Ok(Self {
                place: Place::default(),
                path: None,
            });
        }
        let mark = mark(file, manner).map_err(|error| Failure::Usage(format!("{file} cannot be read: {error}")))?;
        let path = PathBuf::from(format!("{file}{SUFFIX}"));
        let kept = fs::read(&path).ok();
        let kept = kept.and_then(|text| serde_json::from_slice::<Place>(&text).ok());
        let place = match kept {
            Some(place) if place.mark == mark && !restarts => place,
            Some(place) if !restarts && place.mark != mark => {
                note("the file or the way to import it changed since it was cut off: begins with the first row");
                Place::default()
            }
            _ => Place::default(),
        };
        Ok(Self {
            place: Place { mark, ..place },
            path: Some(path),
        })
    }

    /// Keeps the place; a directory that cannot be written loses only time.
    ///
    /// # Errors
    /// None but a full disk.
    pub fn save(&mut self) -> Result<(), Failure> {
        let Some(path) = &self.path else { return Ok(()) };
        let text = serde_json::to_vec(&self.place).unwrap_or_default();
        match write(path, &text) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::StorageFull => Err(error.into()),
            Err(error) => {
                note(&format!(
                    "{} cannot be written ({error}): an import that is cut off begins anew",
                    path.display()
                ));
                self.path = None;
                Ok(())
            }
        }
    }

    /// Forgets the place: the import is at its end.
    pub fn remove(&mut self) {
        if let Some(path) = self.path.take() {
            // It may never have been written.
            let _ = fs::remove_file(path);
        }
    }
}

/// Replaces `path` as a whole.
fn write(path: &PathBuf, text: &[u8]) -> io::Result<()> {
    let beside = path.with_added_extension("new");
    File::create(&beside)?.write_all(text)?;
    fs::rename(&beside, path)
}

/// Which file it is, and how it is imported.
fn mark(file: &str, manner: &str) -> io::Result<String> {
    let opened = File::open(file)?;
    let about = opened.metadata()?;
    if !about.is_file() {
        // A pipe can be read only once.
        return Ok(format!("{file} {manner}"));
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update(&about.len().to_le_bytes());
    hasher.update(manner.as_bytes());
    let mut head = Vec::new();
    opened.take(HEAD_BYTES).read_to_end(&mut head)?;
    hasher.update(&head);
    Ok(hasher.finalize().to_hex()[..32].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_found_again_until_something_changes() {
        let home = tempfile::tempdir().expect("a directory");
        let file = home.path().join("links.csv").display().to_string();
        fs::write(&file, "url\nhttps://a.example/\n").expect("written");
        let open = |manner: &str, restarts, is_dry_run| {
            let cursor = Cursor::open(&file, manner, restarts, is_dry_run);
            cursor.expect("a place").place.rows
        };
        let mut cursor = Cursor::open(&file, "a", false, false).expect("a place");
        cursor.place.rows = 7;
        cursor.save().expect("saved");
        assert_eq!(
            [
                open("a", false, false),
                open("b", false, false),
                open("a", true, false),
                open("a", false, true)
            ],
            [7, 0, 0, 0]
        );
        fs::write(&file, "url\nhttps://b.example/\n").expect("written");
        assert_eq!(open("a", false, false), 0);
        cursor.remove();
        assert_eq!(fs::read_dir(home.path()).expect("a directory").count(), 1);
        assert!(Cursor::open("/nowhere/links.csv", "a", false, false).is_err());
    }
}
