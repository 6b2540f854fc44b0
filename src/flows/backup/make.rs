//! Makes a backup while the server works.

use std::collections::{BTreeSet, HashSet};
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::manifest::{self, BOOKS, FORMAT, JOURNAL, Manifest, NAME, OBJECTS, PARTS, Piece, hash_of};
use super::state::{Progress, State};
use crate::clicklog::{self, Export};
use crate::flows::record_clicks::RecorderStats;
use crate::flows::{Context, Error};

/// How often the click log is read from the start when an erasure or a flood of clicks comes in between.
const EXPORTS_MAX: u32 = 4;

/// Makes backups, one at a time.
#[derive(Clone)]
pub struct Backups {
    state: Arc<Mutex<State>>,
    /// The server's own data, where no backup goes.
    data: Arc<Path>,
    recorder: Arc<RecorderStats>,
}

impl Backups {
    /// For a server whose stores lie in `data`, and whose clicks `recorder` writes.
    pub fn new(data: &Path, recorder: Arc<RecorderStats>) -> Self {
        Self {
            state: Arc::default(),
            data: data.into(),
            recorder,
        }
    }

    /// What became of the last backup, or how far this one is.
    pub fn state(&self) -> State {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes `dir` for a backup; [`Backups::run`] then makes it.
    ///
    /// # Errors
    /// The directory cannot take a backup, or one is running.
    pub fn begin(&self, dir: &str) -> Result<PathBuf, Error> {
        let dir = self.checked(dir)?;
        let mut state = self.lock();
        if matches!(*state, State::Running { .. }) {
            return Err(Error::Conflict {
                field: "dir",
                message: "a backup is running: wait for it".to_owned(),
            });
        }
        *state = State::Running {
            dir: dir.clone(),
            progress: Progress::default(),
        };
        Ok(dir)
    }

    fn checked(&self, dir: &str) -> Result<PathBuf, Error> {
        let invalid = |message: &str| Error::invalid("dir", message);
        let path = Path::new(dir);
        if !path.is_absolute() || path.components().any(|step| step == Component::ParentDir) {
            return Err(invalid(
                "must be an absolute path on the server's machine, without \"..\"",
            ));
        }
        // Links are followed, so that none leads into the data.
        let there = path
            .ancestors()
            .find_map(|ancestor| Some((ancestor, ancestor.canonicalize().ok()?)));
        let (ancestor, real) = there.ok_or_else(|| invalid("cannot be found"))?;
        let real = real.join(path.strip_prefix(ancestor).unwrap_or(Path::new("")));
        let data = self.data.canonicalize().unwrap_or_else(|_| self.data.to_path_buf());
        if real.starts_with(&data) || data.starts_with(&real) {
            return Err(invalid("must lie outside the server's data directory"));
        }
        if !real.exists() || is_backup(&real) {
            return Ok(real);
        }
        match fs::read_dir(&real).map(|mut entries| entries.next().is_none()) {
            Ok(true) => Ok(real),
            Ok(false) => Err(invalid(
                "holds other files: name an empty directory, or one that holds a backup",
            )),
            Err(error) => Err(invalid(&format!("cannot be used: {error}"))),
        }
    }

    /// Makes the backup that [`Backups::begin`] took `dir` for. Blocks.
    pub fn run(&self, context: &Context, clicks: &clicklog::Reader, dir: &Path) {
        let started = Instant::now();
        let made = Work {
            backups: self,
            dir,
            pieces: Vec::new(),
            copied_files: 0,
        }
        .all(context, clicks);
        let end = match made {
            Ok((files, copied_files, bytes, copied_bytes)) => State::Done {
                dir: dir.to_owned(),
                files,
                copied_files,
                bytes,
                copied_bytes,
                took_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            },
            Err(error) => {
                tracing::error!(%error, dir = %dir.display(), "the backup failed; the one before it, if any, is as it was");
                State::Failed {
                    dir: dir.to_owned(),
                    why: error.to_string(),
                }
            }
        };
        *self.lock() = end;
    }

    fn progress(&self, change: impl FnOnce(&mut Progress)) {
        if let State::Running { progress, .. } = &mut *self.lock() {
            change(progress);
        }
    }

    fn copied_bytes(&self) -> u64 {
        match &*self.lock() {
            State::Running { progress, .. } => progress.copied_bytes,
            _ => 0,
        }
    }
}

/// Whether `dir` holds a backup or the beginning of one, and nothing else.
fn is_backup(dir: &Path) -> bool {
    let known = |name: &str| name.starts_with(NAME) || name == OBJECTS;
    let Ok(entries) = fs::read_dir(dir) else { return false };
    let mut names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    dir.join(OBJECTS).is_dir() && names.all(|name| known(&name))
}

/// A backup in the making.
struct Work<'a> {
    backups: &'a Backups,
    dir: &'a Path,
    pieces: Vec<Piece>,
    copied_files: u64,
}

impl Work<'_> {
    /// Answers files, files copied, bytes and bytes copied.
    fn all(mut self, context: &Context, clicks: &clicklog::Reader) -> io::Result<(u64, u64, u64, u64)> {
        let objects = self.dir.join(OBJECTS);
        private_dir(&objects)?;
        self.step("books", 1);
        // First: whatever the click log holds later, the click of each of these orders is in it.
        let made_at = context.clock().now().to_string();
        self.books(context)?;
        self.step("clicks", 0);
        // An order's click may still be in a worker's lane when the order is in the books.
        self.backups.recorder.wait_for_sweep()?;
        let export = self.clicks(clicks)?;
        self.journal(clicks, &export)?;
        File::open(&objects)?.sync_all()?;
        let manifest = Manifest {
            format: FORMAT,
            made_at,
            watermark: export.watermark,
            files: self.pieces,
        };
        manifest::write(&manifest, self.dir)?;
        let bytes = manifest.files.iter().map(|piece| piece.bytes).sum();
        let copied_bytes = self.backups.copied_bytes();
        remove_unnamed(&objects, &manifest)?;
        Ok((manifest.files.len() as u64, self.copied_files, bytes, copied_bytes))
    }

    fn step(&self, step: &'static str, total: u64) {
        self.backups.progress(|progress| {
            *progress = Progress {
                step,
                total,
                done: 0,
                copied_bytes: progress.copied_bytes,
            }
        });
    }

    fn fresh(&self, name: &str) -> PathBuf {
        self.dir.join(OBJECTS).join(format!("{name}.new"))
    }

    fn books(&mut self, context: &Context) -> io::Result<()> {
        let fresh = self.fresh("books");
        remove(&fresh)?;
        context
            .books()
            .back_up(&fresh)
            .map_err(|error| io::Error::other(error.to_string()))?;
        self.keep(&fresh, BOOKS.to_owned())
    }

    /// The parts of the click log, as of one moment.
    fn clicks(&mut self, clicks: &clicklog::Reader) -> io::Result<Export> {
        let known = self.pieces.len();
        for attempt in 1.. {
            let export = clicks.export()?;
            self.step("clicks", export.parts.len() as u64);
            match self.parts(clicks, &export) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted && attempt < EXPORTS_MAX => {
                    tracing::info!(%error, "the backup reads the click log again");
                    self.pieces.truncate(known);
                }
                result => return result.map(|()| export),
            }
        }
        Err(io::Error::other("the click log changes too fast for a backup"))
    }

    fn parts(&mut self, clicks: &clicklog::Reader, export: &Export) -> io::Result<()> {
        let mut missing = BTreeSet::new();
        for (name, hash) in &export.parts {
            let hash = blake3::Hash::from_bytes(*hash).to_hex().to_string();
            match fs::metadata(self.dir.join(OBJECTS).join(&hash)) {
                // Copied by an earlier backup, which named it by its content.
                Ok(known) => {
                    self.name(format!("{PARTS}{name}"), known.len(), hash);
                }
                Err(_) => {
                    missing.insert(name.clone());
                }
            }
        }
        let fresh = |name: &str| self.fresh(name);
        clicks.write_parts(export, &missing, |name| {
            let file: Box<dyn Write> = Box::new(BufWriter::new(private_file(&fresh(name))?));
            Ok(file)
        })?;
        for name in &missing {
            self.keep(&self.fresh(name), format!("{PARTS}{name}"))?;
        }
        Ok(())
    }

    /// After the parts: what was written since the export is here.
    fn journal(&mut self, clicks: &clicklog::Reader, export: &Export) -> io::Result<()> {
        let segments = clicks.journal_after(export)?;
        self.backups
            .progress(|progress| progress.total += segments.len() as u64);
        for segment in segments {
            let fresh = self.fresh(&segment.name);
            let mut to = private_file(&fresh)?;
            io::copy(&mut segment.file.take(segment.bytes), &mut to)?;
            self.keep(&fresh, format!("{JOURNAL}{}", segment.name))?;
        }
        Ok(())
    }

    /// Gives a file that was just written its name, unless there is such a one already.
    fn keep(&mut self, fresh: &Path, path: String) -> io::Result<()> {
        File::open(fresh)?.sync_all()?;
        let (bytes, hash) = hash_of(fresh)?;
        let object = self.dir.join(OBJECTS).join(&hash);
        match object.exists() {
            true => fs::remove_file(fresh)?,
            false => {
                fs::rename(fresh, object)?;
                self.copied_files += 1;
                self.backups.progress(|progress| progress.copied_bytes += bytes);
            }
        }
        self.name(path, bytes, hash);
        Ok(())
    }

    fn name(&mut self, path: String, bytes: u64, blake3: String) {
        self.pieces.push(Piece { path, bytes, blake3 });
        self.backups.progress(|progress| progress.done += 1);
    }
}

/// Removes objects that `manifest` does not name: of earlier backups, and of some that were cut short.
fn remove_unnamed(objects: &Path, manifest: &Manifest) -> io::Result<()> {
    let named: HashSet<&str> = manifest.files.iter().map(|piece| piece.blake3.as_str()).collect();
    for entry in fs::read_dir(objects)? {
        let entry = entry?;
        let is_named = entry.file_name().to_str().is_some_and(|name| named.contains(name));
        if !is_named {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// A directory for its owner alone: a backup holds secrets.
fn private_dir(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(path)
}

fn private_file(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.write(true).create(true).truncate(true).open(path)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_directory_of_its_own_takes_a_backup() {
        let home = tempfile::tempdir().expect("a directory");
        let data = home.path().join("data");
        fs::create_dir_all(home.path().join("other")).expect("made");
        fs::create_dir_all(&data).expect("made");
        fs::write(home.path().join("other/file"), "x").expect("written");
        std::os::unix::fs::symlink(&data, home.path().join("link")).expect("linked");
        let backups = Backups::new(&data, Arc::default());
        let at = |name: &str| home.path().join(name).display().to_string();
        for (dir, part) in [
            ("relative/dir".to_owned(), "absolute"),
            (at("a/../b"), "without"),
            (at("data/backup"), "outside"),
            (at("link/backup"), "outside"),
            (at(""), "outside"),
            (at("other"), "other files"),
        ] {
            match backups.begin(&dir) {
                Err(Error::Invalid(invalid)) => assert!(invalid.message.contains(part), "{dir}: {invalid:?}"),
                taken => panic!("{dir}: {taken:?}"),
            }
        }
        assert!(backups.begin(&at("new/backup")).is_ok());
        assert!(matches!(backups.begin(&at("new")), Err(Error::Conflict { .. })));
    }
}
