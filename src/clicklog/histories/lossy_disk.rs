//! A disk under the journal that fails or dies at any of its operations, and that knows what a power cut leaves.
//!
//! Files lie on the real disk as the running system sees them. Beside that this keeps what was synced: at a power cut
//! each file becomes that, and a random part of what was not. After a failed sync the system may drop what it held, and
//! a later sync that succeeds proves nothing of what was before it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use super::super::disk::{Disk, DiskFile, SystemDisk};
use super::chance::{Chance, Reach};

/// What disks write as a whole.
const SECTOR: u64 = 512;

/// What an operation meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mishap {
    /// So many operations in a row fail with this number of the system's.
    Fails { number: i32, times: u32 },
    /// The process dies in the middle of it.
    Dies,
}

/// The disk; clones are the same one.
#[derive(Debug, Clone)]
pub(super) struct LossyDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    chance: Chance,
    /// Operations until the mishap, and the mishap.
    plan: Option<(u32, Mishap)>,
    is_dead: bool,
    files: BTreeMap<PathBuf, Known>,
}

/// What is known of a file that was made here.
#[derive(Debug, Default)]
struct Known {
    synced: Vec<u8>,
    /// Changes after that, in order.
    unsynced: Vec<Change>,
    /// How many of those a failed sync may have thrown away: no later sync makes them durable.
    forsaken: usize,
    is_name_synced: bool,
    is_removed: bool,
}

#[derive(Debug, Clone)]
enum Change {
    Write { offset: u64, bytes: Vec<u8> },
    Cut(u64),
}

/// What the disk does with an operation.
enum Fate {
    Done,
    Fails(io::Error),
    Dies,
}

impl LossyDisk {
    pub(super) fn new() -> Self {
        let state = State {
            chance: Chance(0),
            plan: None,
            is_dead: false,
            files: BTreeMap::new(),
        };
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Lets the operation after the next `after` ones meet `mishap`.
    pub(super) fn plan(&self, after: u32, mishap: Mishap, seed: u64) {
        let mut state = self.state();
        state.chance = Chance(seed);
        state.plan = Some((after, mishap));
    }

    /// Forgets what was planned.
    pub(super) fn heal(&self) {
        self.state().plan = None;
    }

    /// Whether the process died.
    pub(super) fn is_dead(&self) -> bool {
        self.state().is_dead
    }

    /// The process ended and another begins, on the same system: everything is as it saw it.
    pub(super) fn restart(&self) {
        let mut state = self.state();
        (state.plan, state.is_dead) = (None, false);
    }

    /// The power went: leaves of each file what was synced and some of the rest. What is left is durable.
    pub(super) fn cut_power(&self, seed: u64) -> io::Result<()> {
        self.restart();
        let mut state = self.state();
        let mut chance = Chance(seed);
        for (path, known) in std::mem::take(&mut state.files) {
            let is_there = match (known.is_name_synced, known.is_removed) {
                (true, false) => true,
                _ => chance.one_in(2),
            };
            if is_there {
                fs::write(&path, known.after_power_cut(&mut chance))?;
            } else if path.exists() {
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    }

    /// Whoever opened the log may have cut files by other ways, and synced them.
    pub(super) fn note_cuts(&self) -> io::Result<()> {
        let mut state = self.state();
        for (path, known) in &mut state.files {
            let Ok(bytes) = fs::read(path) else { continue };
            if bytes.len() != known.length() {
                (known.synced, known.unsynced, known.forsaken) = (bytes, Vec::new(), 0);
            }
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while it is held")
    }
}

impl State {
    fn fate(&mut self) -> Fate {
        if self.is_dead {
            return Fate::Fails(io::Error::other("the process is dead"));
        }
        match &mut self.plan {
            None => Fate::Done,
            Some((0, Mishap::Dies)) => {
                self.is_dead = true;
                Fate::Dies
            }
            Some((0, Mishap::Fails { number, times })) => {
                let error = io::Error::from_raw_os_error(*number);
                *times = times.saturating_sub(1);
                if *times == 0 {
                    self.plan = None;
                }
                Fate::Fails(error)
            }
            Some((after, _)) => {
                *after -= 1;
                Fate::Done
            }
        }
    }

    fn known(&mut self, path: &Path) -> &mut Known {
        self.files.entry(path.to_owned()).or_default()
    }
}

fn dead() -> io::Error {
    io::Error::other("the process dies here")
}

impl Known {
    /// As the running system sees it.
    fn length(&self) -> usize {
        let grown = |length: usize, change: &Change| match change {
            Change::Write { offset, bytes } => length.max(*offset as usize + bytes.len()),
            Change::Cut(length) => *length as usize,
        };
        self.unsynced.iter().fold(self.synced.len(), grown)
    }

    fn sync(&mut self) {
        for change in self.unsynced.split_off(self.forsaken) {
            apply(&mut self.synced, &change);
        }
    }

    fn after_power_cut(&self, chance: &mut Chance) -> Vec<u8> {
        let mut bytes = self.synced.clone();
        let reach = Reach::draw(chance);
        for change in &self.unsynced {
            match change {
                Change::Write { offset, bytes: written } => {
                    let end = offset + written.len() as u64;
                    let sectors = (end.div_ceil(SECTOR) - offset / SECTOR) as usize;
                    for (number, (start, piece)) in sectors_of(*offset, written).enumerate() {
                        if reach.has(number, sectors, chance) {
                            // The last that arrives may be cut anywhere.
                            let is_torn = matches!(reach, Reach::Front(_)) && chance.one_in(2);
                            let length = if is_torn {
                                chance.below(piece.len() + 1)
                            } else {
                                piece.len()
                            };
                            put(&mut bytes, start, &piece[..length]);
                        }
                    }
                    // Its length may have arrived before its bytes.
                    if chance.one_in(8) && (bytes.len() as u64) < end {
                        bytes.resize(end as usize, 0);
                    }
                }
                cut @ Change::Cut(_) if chance.one_in(2) => apply(&mut bytes, cut),
                Change::Cut(_) => {}
            }
        }
        bytes
    }
}

/// `bytes` at `offset`, in pieces that end where sectors do.
fn sectors_of(offset: u64, bytes: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = offset + at as u64;
        let end = bytes.len().min(at + (SECTOR - start % SECTOR) as usize);
        let piece = &bytes[at..end];
        at = end;
        (!piece.is_empty()).then_some((start, piece))
    })
}

fn apply(to: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write { offset, bytes } => put(to, *offset, bytes),
        Change::Cut(length) => to.resize(*length as usize, 0),
    }
}

fn put(to: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    let (start, end) = (offset as usize, offset as usize + bytes.len());
    if to.len() < end {
        to.resize(end, 0);
    }
    to[start..end].copy_from_slice(bytes);
}

impl Disk for LossyDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.state();
        let fate = state.fate();
        if let Fate::Fails(error) = fate {
            return Err(error);
        }
        let file = SystemDisk.create(path)?;
        *state.known(path) = Known::default();
        if let Fate::Dies = fate {
            return Err(dead());
        }
        Ok(Box::new(LossyFile {
            disk: self.clone(),
            path: path.to_owned(),
            file,
        }))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.state();
        match state.fate() {
            Fate::Fails(error) => return Err(error),
            Fate::Dies => return Err(dead()),
            Fate::Done => SystemDisk.sync_dir(dir)?,
        }
        state.files.retain(|_, known| {
            known.is_name_synced = true;
            !known.is_removed
        });
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        let fate = state.fate();
        if let Fate::Fails(error) = fate {
            return Err(error);
        }
        SystemDisk.remove(path)?;
        state.known(path).is_removed = true;
        match fate {
            Fate::Dies => Err(dead()),
            _ => Ok(()),
        }
    }
}

#[derive(Debug)]
struct LossyFile {
    disk: LossyDisk,
    path: PathBuf,
    file: Box<dyn DiskFile>,
}

impl DiskFile for LossyFile {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        let (length, result) = match state.fate() {
            Fate::Done => (bytes.len(), Ok(())),
            Fate::Fails(error) if state.is_dead => return Err(error),
            Fate::Fails(error) => (state.chance.below(bytes.len() + 1), Err(error)),
            Fate::Dies => (state.chance.below(bytes.len() + 1), Err(dead())),
        };
        self.file.write_at(&bytes[..length], offset)?;
        let bytes = bytes[..length].to_vec();
        state.known(&self.path).unsynced.push(Change::Write { offset, bytes });
        result
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        match state.fate() {
            Fate::Done => {
                self.file.sync()?;
                state.known(&self.path).sync();
                Ok(())
            }
            Fate::Fails(error) if state.is_dead => Err(error),
            Fate::Fails(error) => {
                let is_dropped = state.chance.one_in(2);
                let known = state.known(&self.path);
                known.forsaken = known.unsynced.len();
                if is_dropped {
                    // What is read from now on is what the disk has; the length stays.
                    let length = fs::metadata(&self.path)?.len() as usize;
                    let mut bytes = known.synced.clone();
                    bytes.resize(length, 0);
                    fs::write(&self.path, bytes)?;
                }
                Err(error)
            }
            Fate::Dies => Err(dead()),
        }
    }

    fn cut(&self, length: u64) -> io::Result<()> {
        let mut state = self.disk.state();
        let fate = state.fate();
        if let Fate::Fails(error) = fate {
            return Err(error);
        }
        self.file.cut(length)?;
        state.known(&self.path).unsynced.push(Change::Cut(length));
        match fate {
            Fate::Dies => Err(dead()),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(disk: &LossyDisk, path: &Path) -> Box<dyn DiskFile> {
        let file = disk.create(path).expect("made");
        file.write_at(b"synced", 0).expect("written");
        file.sync().expect("synced");
        file
    }

    #[test]
    fn a_power_cut_keeps_what_was_synced_and_any_part_of_the_rest() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let dir = tempfile::tempdir().expect("a directory");
            let (disk, path) = (LossyDisk::new(), dir.path().join("file"));
            let file = written(&disk, &path);
            disk.sync_dir(dir.path()).expect("synced");
            file.write_at(b" rest", 6).expect("written");
            disk.cut_power(seed).expect("files can be written");
            let left = fs::read(&path).expect("its name was synced");
            assert!(left.starts_with(b"synced"), "{left:?}");
            seen.insert(left);
        }
        assert!(seen.contains(&b"synced"[..]) && seen.contains(&b"synced rest"[..]) && seen.len() > 3);
    }

    #[test]
    fn a_name_that_was_not_synced_may_go() {
        let is_there = |seed| {
            let dir = tempfile::tempdir().expect("a directory");
            let (disk, path) = (LossyDisk::new(), dir.path().join("file"));
            written(&disk, &path);
            disk.cut_power(seed).expect("files can be written");
            path.exists()
        };
        assert!((0..20).any(is_there) && !(0..20).all(is_there));
    }

    #[test]
    fn a_sync_after_a_failed_one_proves_nothing() {
        let kept = |seed| {
            let dir = tempfile::tempdir().expect("a directory");
            let (disk, path) = (LossyDisk::new(), dir.path().join("file"));
            let file = written(&disk, &path);
            disk.sync_dir(dir.path()).expect("synced");
            file.write_at(b" rest", 6).expect("written");
            disk.plan(0, Mishap::Fails { number: 5, times: 1 }, seed);
            assert!(file.sync().is_err());
            file.sync().expect("the second one succeeds");
            disk.cut_power(seed).expect("files can be written");
            fs::read(&path).expect("its name was synced").len() == 11
        };
        assert!((0..20).any(kept) && !(0..20).all(kept));
    }

    #[test]
    fn who_is_dead_writes_nothing() {
        let dir = tempfile::tempdir().expect("a directory");
        let (disk, path) = (LossyDisk::new(), dir.path().join("file"));
        let file = written(&disk, &path);
        disk.plan(1, Mishap::Dies, 1);
        file.write_at(b"12", 6).expect("one more");
        assert!(file.write_at(b"34", 8).is_err() && disk.is_dead());
        let length = fs::metadata(&path).expect("there").len();
        assert!((8..=10).contains(&length), "{length}");
        assert!(file.write_at(b"56", 8).is_err() && file.cut(0).is_err() && disk.remove(&path).is_err());
        assert_eq!(fs::metadata(&path).expect("there").len(), length);
    }
}
