//! Where the workers' rings lie: in memory where that outlives the process, else in the data directory.
//!
//! `<data>/RINGS` names directories, one a line: last that of the run that is on, or that ended badly, and before it
//! those in which older rings still wait to be read. The next start reads the rings in all of them, then makes its own
//! in the place that is configured now. A ring that is not understood is set aside, never deleted.

use std::collections::HashSet;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::StartError;
use crate::domain::outside::Entropy;
use crate::domain::time::Timestamp;
use crate::redirect::{FoundRing, Lane, LaneReader, Ring, RingOptions};

/// Memory that outlives the process on every Linux.
const SHARED_MEMORY: &str = "/dev/shm";
const POINTER: &str = "RINGS";
const RING: &str = "ring";
const SET_ASIDE: &str = "unread";

/// The directory of this run's rings.
pub(super) struct RingDir {
    data: PathBuf,
    /// `None`: none could be made, the rings lie in the process alone.
    dir: Option<PathBuf>,
    /// Directories of earlier runs, in which rings may still lie.
    older: Vec<PathBuf>,
    left: Vec<Ring>,
}

impl RingDir {
    /// Finds what earlier runs left, and makes this run's directory. `wanted` is the operator's choice of where.
    ///
    /// # Errors
    /// Rings were left behind that cannot be read: starting without them would lose clicks silently.
    pub fn open(data: &Path, wanted: Option<&Path>, entropy: &dyn Entropy) -> Result<Self, StartError> {
        let told = fs::read_to_string(data.join(POINTER)).unwrap_or_default();
        let before: Vec<PathBuf> = told.lines().map(PathBuf::from).collect();
        if let Some(last) = before.last().filter(|last| !last.exists()) {
            tracing::warn!(
                dir = %last.display(),
                "the last run did not end by itself and its rings are gone, as after a restart of the machine or \
                 container: clicks of its last moments may be lost"
            );
        }
        let in_data = data.join("rings");
        let mut older = before.clone();
        older.extend((!before.contains(&in_data)).then(|| in_data.clone()));
        older.retain(|place| place.exists());
        let mut left = Vec::new();
        for place in &older {
            left.extend(left_in(place).map_err(|error| unreadable(place, &error))?);
        }
        let memory = wanted.unwrap_or(Path::new(SHARED_MEMORY));
        let kept = before
            .into_iter()
            .next_back()
            .filter(|last| last.parent() == Some(memory));
        let fresh = || memory.join(format!("hopcart-{:016x}", number(entropy)));
        let choices = [kept.unwrap_or_else(fresh), in_data];
        let dir = choices.into_iter().find(|dir| match take(data, &older, dir) {
            Ok(()) => true,
            Err(error) => {
                tracing::warn!(dir = %dir.display(), %error, "rings of clicks cannot lie there");
                false
            }
        });
        Ok(Self {
            data: data.to_owned(),
            dir,
            older,
            left,
        })
    }

    /// Ids of the rings that were left behind and when the oldest of them was made.
    pub fn left(&self) -> (HashSet<u64>, Timestamp) {
        let oldest = self.left.iter().map(Ring::made_at).min();
        (self.left.iter().map(Ring::id).collect(), oldest.unwrap_or_default())
    }

    /// What was left behind, ready to be read after the positions that the journal has.
    pub fn take_left(&mut self, journaled: impl Fn(u64) -> Option<u64>) -> Vec<LaneReader> {
        let left = self.left.drain(..);
        left.filter_map(|ring| {
            let journaled = journaled(ring.id()).unwrap_or(0);
            LaneReader::of_left(ring, journaled)
        })
        .collect()
    }

    /// A lane of this run. When no file can be made for it, it lies in memory that a kill takes away, as is logged.
    pub fn lane(
        &mut self,
        node: u16,
        capacity: usize,
        made_at: Timestamp,
        entropy: &dyn Entropy,
    ) -> (Lane, LaneReader) {
        while let Some(dir) = &self.dir {
            let id = number(entropy).max(1);
            let options = RingOptions {
                node,
                id,
                capacity,
                made_at,
            };
            let error = match Ring::create(&dir.join(format!("{id:016x}.{RING}")), options) {
                Ok(ring) => return Lane::through(ring),
                Err(error) => error,
            };
            let in_data = self.data.join("rings");
            tracing::warn!(dir = %dir.display(), %error, "a ring of clicks cannot lie there");
            self.dir = (*dir != in_data && take(&self.data, &self.older, &in_data).is_ok()).then_some(in_data);
        }
        tracing::error!(
            "clicks of the last moments before a kill will be lost: give clicks.ring_dir a place with room"
        );
        Lane::new(capacity)
    }

    /// Forgets the directories, if every ring in them was written to the journal and is gone.
    pub fn close(self) {
        let dirs: Vec<PathBuf> = self.older.into_iter().chain(self.dir).collect();
        for dir in &dirs {
            // One in which something lies stays.
            fs::remove_dir(dir).ok();
        }
        if dirs.iter().all(|dir| !dir.exists()) {
            // One that stays makes the next start say that rings are gone, though none was needed.
            fs::remove_file(self.data.join(POINTER)).ok();
        }
    }
}

/// Makes `dir` and notes it durably behind the `older` ones, before anything is put into it.
fn take(data: &Path, older: &[PathBuf], dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let older = older.iter().map(PathBuf::as_path).filter(|older| *older != dir);
    let mut text = String::new();
    for dir in older.chain([dir]) {
        text.push_str(dir.to_str().ok_or(io::ErrorKind::InvalidFilename)?);
        text.push('\n');
    }
    let fresh = data.join("RINGS.new");
    let mut file = File::create(&fresh)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&fresh, data.join(POINTER))?;
    File::open(data)?.sync_all()
}

/// The rings that nobody uses in `dir`.
fn left_in(dir: &Path) -> io::Result<Vec<Ring>> {
    let mut left = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != RING) {
            continue;
        }
        match Ring::left_behind(&path)? {
            FoundRing::Left(ring) => left.push(ring),
            FoundRing::InUse => {}
            FoundRing::Blank => fs::remove_file(&path)?,
            FoundRing::Unknown(why) => {
                let aside = path.with_extension(SET_ASIDE);
                fs::rename(&path, &aside)?;
                tracing::error!(file = %aside.display(), why, "a ring of clicks is not understood; it was set aside");
            }
        }
    }
    Ok(left)
}

fn number(entropy: &dyn Entropy) -> u64 {
    let mut bytes = [0; 8];
    entropy.fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

fn unreadable(dir: &Path, error: &io::Error) -> StartError {
    StartError::Unavailable(format!(
        "the rings of clicks in {} cannot be read: {error}: make them readable, or move them away to start without them",
        dir.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::outside::SeededEntropy;

    fn entropy() -> SeededEntropy {
        SeededEntropy::new(7)
    }

    fn open(data: &Path, wanted: &Path, entropy: &SeededEntropy) -> RingDir {
        RingDir::open(data, Some(wanted), entropy).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn rings_are_found_where_the_last_run_left_them() {
        let (data, memory, other) = (
            tempfile::tempdir().expect("a directory"),
            tempfile::tempdir().expect("a directory"),
            tempfile::tempdir().expect("a directory"),
        );
        let entropy = entropy();
        let mut first = open(data.path(), memory.path(), &entropy);
        let (lane, reader) = first.lane(0, 64 << 10, Timestamp(5), &entropy);
        let id = reader.ring();
        assert!(id != 0 && first.left().0.is_empty());
        // A second server on the same directory would not touch a ring in use.
        assert!(open(data.path(), memory.path(), &entropy).left().0.is_empty());
        // The run ends badly; the next one is configured otherwise.
        drop((lane, reader, first));
        // Killed before it read anything: the one after it still finds them.
        drop(open(data.path(), other.path(), &entropy));
        let mut second = open(data.path(), other.path(), &entropy);
        assert_eq!(second.left(), (HashSet::from([id]), Timestamp(5)));
        let mut left = second.take_left(|ring| (ring == id).then_some(0));
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].left_over(), Some(Vec::new()));
        left[0].acknowledge(left[0].position());
        second.close();
        assert!(!data.path().join(POINTER).exists());
        assert_eq!(fs::read_dir(other.path()).expect("there").count(), 0, "nothing is left");
    }

    #[test]
    fn without_a_place_in_memory_the_data_directory_takes_them_and_without_any_the_process() {
        let data = tempfile::tempdir().expect("a directory");
        let file = data.path().join("file");
        fs::write(&file, "no directory").expect("written");
        let entropy = entropy();
        let mut rings = open(data.path(), &file, &entropy);
        let (_lane, reader) = rings.lane(0, 64 << 10, Timestamp(5), &entropy);
        assert_ne!(reader.ring(), 0);
        assert!(
            data.path()
                .join("rings")
                .join(format!("{:016x}.ring", reader.ring()))
                .exists()
        );
        fs::remove_dir_all(data.path().join("rings")).expect("removed");
        let (_lane, reader) = rings.lane(0, 64 << 10, Timestamp(5), &entropy);
        assert_eq!(reader.ring(), 0);
    }

    #[test]
    fn what_is_not_understood_is_set_aside() {
        let data = tempfile::tempdir().expect("a directory");
        let rings = data.path().join("rings");
        fs::create_dir(&rings).expect("made");
        fs::write(rings.join("1.ring"), "written by somebody else").expect("written");
        fs::write(rings.join("2.ring"), "").expect("written");
        fs::write(rings.join("notes"), "kept").expect("written");
        let opened = open(data.path(), &data.path().join("memory"), &entropy());
        assert!(opened.left().0.is_empty());
        let mut names: Vec<_> = fs::read_dir(&rings)
            .expect("there")
            .map(|entry| entry.expect("read").file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["1.unread", "notes"]);
    }
}
