//! The manifest: what a backup holds, and how each piece is recognised.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::clicklog::{BackupFiles, BackupSource};

/// The format that this version writes, and the newest that it reads.
pub(super) const FORMAT: u32 = 1;
pub(super) const NAME: &str = "manifest.json";
pub(super) const OBJECTS: &str = "objects";
/// Longest manifest: ten years of parts and segments are a tenth of it.
const BYTES_MAX: u64 = 16 << 20;
pub(super) const BOOKS: &str = "books.sqlite";
pub(super) const PARTS: &str = "clicklog/store/";
pub(super) const JOURNAL: &str = "clicklog/journal/";

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    pub format: u32,
    /// When the books were cut, ISO 8601.
    pub made_at: String,
    /// Clicks up to this journal frame are in the parts of the store; the journal's files have the later ones.
    pub watermark: u64,
    pub files: Vec<Piece>,
}

/// A piece.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// What it is: `books.sqlite`, `clicklog/store/<part>` or `clicklog/journal/<segment>`.
    pub path: String,
    pub bytes: u64,
    /// Its BLAKE3 in hexadecimal, and its name in `objects/`.
    pub blake3: String,
}

impl Manifest {
    /// Reads the manifest of the backup in `dir`.
    pub fn read(dir: &Path) -> Result<Self, String> {
        let path = dir.join(NAME);
        let mut text = String::new();
        match File::open(&path).and_then(|file| file.take(BYTES_MAX).read_to_string(&mut text)) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(format!("{} holds no complete backup: it has no {NAME}", dir.display()));
            }
            Err(error) => return Err(format!("{}: {error}", path.display())),
        }
        let manifest: Self =
            serde_json::from_str(&text).map_err(|error| format!("{} is damaged: {error}", path.display()))?;
        if manifest.format > FORMAT {
            return Err(format!(
                "{} has format {}, this hopcart knows {FORMAT}: use the newer version",
                path.display(),
                manifest.format
            ));
        }
        let is_plain = |piece: &Piece| piece.blake3.len() == 64 && piece.blake3.bytes().all(|b| b.is_ascii_hexdigit());
        let has_way_out = |piece: &Piece| piece.path.split('/').any(|step| step == "..");
        match manifest
            .files
            .iter()
            .all(|piece| is_plain(piece) && !has_way_out(piece))
        {
            true => Ok(manifest),
            false => Err(format!("{} is damaged: it names files that cannot be", path.display())),
        }
    }

    /// Checks every piece of the backup in `dir`; `checked` hears of each piece's bytes.
    pub fn verify(&self, dir: &Path, mut checked: impl FnMut(u64)) -> Result<(), String> {
        for piece in &self.files {
            let path = piece.at(dir);
            let (bytes, hash) =
                hash_of(&path).map_err(|error| format!("{} ({}): {error}", path.display(), piece.path))?;
            if bytes != piece.bytes || hash != piece.blake3 {
                return Err(format!(
                    "{} ({}) is damaged: its checksum is wrong",
                    path.display(),
                    piece.path
                ));
            }
            checked(bytes);
        }
        Ok(())
    }

    /// The click log's files of the backup in `dir`.
    pub fn click_files(&self, dir: &Path) -> BackupFiles {
        let mut files = BackupFiles {
            from: dir.to_owned(),
            ..BackupFiles::default()
        };
        for piece in &self.files {
            if piece.path.starts_with(PARTS) {
                files.parts.push(piece.at(dir));
            } else if let Some(name) = piece.path.strip_prefix(JOURNAL) {
                files.journal.push((name.to_owned(), piece.at(dir)));
            }
        }
        files
    }

    /// The books of the backup in `dir`.
    pub fn books(&self, dir: &Path) -> Option<PathBuf> {
        self.files
            .iter()
            .find(|piece| piece.path == BOOKS)
            .map(|piece| piece.at(dir))
    }
}

impl Piece {
    /// Where its bytes lie.
    pub fn at(&self, dir: &Path) -> PathBuf {
        dir.join(OBJECTS).join(&self.blake3)
    }
}

/// Length and BLAKE3 of a file.
pub(super) fn hash_of(path: &Path) -> io::Result<(u64, String)> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path)?)?;
    Ok((hasher.count(), hasher.finalize().to_hex().to_string()))
}

/// The backup in a directory, looked for when a click store has to be rebuilt.
#[derive(Debug, Clone)]
pub struct NewestBackup(pub PathBuf);

impl BackupSource for NewestBackup {
    fn newest(&self) -> Result<BackupFiles, String> {
        let manifest = Manifest::read(&self.0)?;
        let clicks = Manifest {
            files: manifest.files.into_iter().filter(|piece| piece.path != BOOKS).collect(),
            ..manifest
        };
        clicks.verify(&self.0, |_| ())?;
        Ok(clicks.click_files(&self.0))
    }
}

/// Puts the manifest in place, durably.
pub(super) fn write(manifest: &Manifest, dir: &Path) -> io::Result<()> {
    let fresh = dir.join("manifest.json.new");
    let text = serde_json::to_string_pretty(manifest).map_err(io::Error::other)?;
    fs::write(&fresh, text + "\n")?;
    File::open(&fresh)?.sync_all()?;
    fs::rename(&fresh, dir.join(NAME))?;
    File::open(dir)?.sync_all()
}
