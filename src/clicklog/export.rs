//! What a backup takes of a click log, and how it is brought back: parts of the store and the journal after them.
//!
//! A part is a file of values that change together, each: length of the key, key, length of the value, value as stored
//! (with its checksum). The store is read while checkpoints go on, so values may be newer than the watermark noted
//! first: each says up to which frame it counts, and applying the journal from the watermark on adds the rest. Blocks
//! newer than the watermark are left out; the journal has their clicks. sled's own files are never copied.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::backlog::Hold;
use super::block::VALUE_MAX;
use super::bytes::put_number;
use super::error::{OpenError, StoreError};
use super::floor::Floor;
use super::key::{self, BlockKey, META};
use super::open::{SEQUENCES_SKIPPED, lock};
use super::options::{Options, sync_dir};
use super::reader::Reader;
use super::replay::{parts, walk};
use super::segment;
use super::store::{Store, fatal, guarded};
use super::survey::survey;
use super::value::{Meta, Rollup, Totals, seal, unseal};

/// Bytes that are loaded in one sled batch.
const LOADED_AT_ONCE: usize = 1 << 20;
/// Longest key of a part: three times what this version writes.
const KEY_MAX: u64 = 64;
/// First and last key.
type KeyRange = (Vec<u8>, Vec<u8>);
/// Key and value.
type Entry = (Vec<u8>, Vec<u8>);

/// Name of the part that holds what the store says of itself.
const META_PART: &str = "meta";

/// A backup's view of a log: what its parts are called, and a hash of each.
#[derive(Debug)]
pub struct Export {
    /// Frames up to this one are in the parts; the journal has the others.
    pub watermark: u64,
    meta: Meta,
    /// BLAKE3 of each part, by name.
    pub parts: BTreeMap<String, [u8; 32]>,
    hold: Hold,
}

/// Why an export is of no use: sums were written into values that it had seen.
const OVERTAKEN: &str = "the click log wrote what the backup had read already";

/// A segment of the journal to be kept.
#[derive(Debug)]
pub struct JournalFile {
    /// As it lies in `journal/`.
    pub name: String,
    /// Open at its start: an erasure may put another file in its place meanwhile.
    pub file: File,
    /// Bytes of it that are acknowledged; what follows is being written.
    pub bytes: u64,
}

/// The files of a backup, as [`load`] and the rebuilding of a store take them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BackupFiles {
    /// Where the backup lies, for people.
    pub from: PathBuf,
    pub parts: Vec<PathBuf>,
    /// Name in `journal/`, and where its bytes lie.
    pub journal: Vec<(String, PathBuf)>,
}

/// Finds the newest backup when it is needed.
pub trait BackupSource: std::fmt::Debug + Send + Sync {
    /// Its files, their checksums verified; or why there is none, in a line.
    fn newest(&self) -> Result<BackupFiles, String>;
}

impl Reader {
    /// Looks at every value once and says what the parts of a backup are.
    ///
    /// # Errors
    /// The store is not open, or damaged: a backup of damage would look whole.
    pub fn export(&self) -> io::Result<Export> {
        let hold = self.hold();
        let (meta, parts) = self.read_all(export)?;
        Ok(Export {
            watermark: meta.watermark,
            meta,
            parts,
            hold,
        })
    }

    /// Writes the parts `names` of `export`, each to the file that `to` opens for it.
    ///
    /// # Errors
    /// As [`Reader::export`]; what `to` or the files say; [`io::ErrorKind::Interrupted`] when the export is overtaken: begin
    /// again with a new one.
    pub fn write_parts(
        &self,
        export: &Export,
        names: &BTreeSet<String>,
        to: impl FnMut(&str) -> io::Result<Box<dyn Write>>,
    ) -> io::Result<()> {
        self.read_all(|store| write_parts(store, export, names, to))?;
        match export.hold.is_whole() {
            true => Ok(()),
            // Facets of one time beside those of another would count clicks twice.
            false => Err(io::Error::new(io::ErrorKind::Interrupted, OVERTAKEN)),
        }
    }

    /// Reads the store beside all questions: a file that cannot be written is no damage of the store.
    fn read_all<T>(&self, work: impl FnOnce(&Store) -> Result<T, StoreError>) -> io::Result<T> {
        let store = self.ask_store().map_err(io::Error::other)?;
        guarded(|| work(&store)).map_err(|error| match error {
            StoreError::Io(error) => error,
            other => {
                self.suspect();
                io::Error::other(format!("the click store is damaged: {other}"))
            }
        })
    }

    /// The segments that hold frames after the watermark of `export`, as of now.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn journal_after(&self, export: &Export) -> io::Result<Vec<JournalFile>> {
        let failed = |error: StoreError| io::Error::other(error.to_string());
        let parts = parts(&self.journal_dir()).map_err(failed)?;
        let mut files = Vec::new();
        let newest = parts.len().saturating_sub(1);
        for (place, part) in parts.into_iter().enumerate() {
            // The newest is always taken: it says which indexes and sequences are used.
            if part.end <= export.watermark + 1 && place != newest {
                continue;
            }
            let mut file = File::open(&part.path)?;
            let bytes = match place == newest {
                true => {
                    let mut all = Vec::new();
                    file.read_to_end(&mut all)?;
                    file.rewind()?;
                    walk(&all, |_, _| Ok(())).map_err(failed)? as u64
                }
                false => file.metadata()?.len(),
            };
            let name = part.path.file_name().and_then(|name| name.to_str());
            files.push(JournalFile {
                name: name.unwrap_or_default().to_owned(),
                file,
                bytes,
            });
        }
        Ok(files)
    }
}

fn export(store: &Store) -> Result<(Meta, BTreeMap<String, [u8; 32]>), StoreError> {
    let meta = store.meta()?;
    let mut hashers: BTreeMap<String, blake3::Hasher> = BTreeMap::new();
    let mut entry = Vec::new();
    let (first, last) = ([1], [u8::MAX - 1; 25]);
    each_value(store, (&first, &last), meta.watermark, |key, value| {
        put_entry(&mut entry, key, value);
        hashers.entry(key::part(key)).or_default().update(&entry);
        Ok(())
    })?;
    let mut of_meta = blake3::Hasher::new();
    put_entry(&mut entry, &META, &seal(&META, &meta.body()));
    of_meta.update(&entry);
    hashers.insert(META_PART.to_owned(), of_meta);
    let parts = hashers
        .into_iter()
        .map(|(name, hasher)| (name, *hasher.finalize().as_bytes()));
    Ok((meta, parts.collect()))
}

fn write_parts(
    store: &Store,
    export: &Export,
    names: &BTreeSet<String>,
    mut to: impl FnMut(&str) -> io::Result<Box<dyn Write>>,
) -> Result<(), StoreError> {
    let mut entry = Vec::new();
    // Parts of one kind lie in one range: it is read once for all of them.
    let mut ranges: BTreeMap<KeyRange, BTreeMap<&str, Box<dyn Write>>> = BTreeMap::new();
    for name in names {
        let mut file = to(name)?;
        if name == META_PART {
            put_entry(&mut entry, &META, &seal(&META, &export.meta.body()));
            file.write_all(&entry)?;
            file.flush()?;
        } else {
            ranges.entry(key::range_of_part(name)).or_default().insert(name, file);
        }
    }
    for ((first, last), mut files) in ranges {
        each_value(store, (&first, &last), export.watermark, |key, value| {
            if let Some(file) = files.get_mut(key::part(key).as_str()) {
                put_entry(&mut entry, key, value);
                file.write_all(&entry)?;
            }
            Ok(())
        })?;
        for file in files.values_mut() {
            file.flush()?;
        }
    }
    Ok(())
}

fn each_value(
    store: &Store,
    (first, last): (&[u8], &[u8]),
    watermark: u64,
    mut each: impl FnMut(&[u8], &[u8]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    store.scan::<StoreError>(first, last, false, |key, body| {
        let is_newer = BlockKey::read(key).is_ok_and(|block| block.through > watermark);
        if !is_newer {
            each(key, &seal(key, body))?;
        }
        Ok(true)
    })
}

fn put_entry(entry: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    entry.clear();
    put_number(entry, key.len() as u64);
    entry.extend_from_slice(key);
    put_number(entry, value.len() as u64);
    entry.extend_from_slice(value);
}

/// Puts the values of `files` into `store`, which must be empty.
pub(super) fn load_parts(store: &Store, files: &[PathBuf]) -> Result<Meta, StoreError> {
    let mut begin = sled::Batch::default();
    begin.insert(&key::IS_LOADING, seal(&key::IS_LOADING, &[]));
    store.commit(begin, &Meta::default())?;
    let mut meta = None;
    // Roll-ups and totals may be newer than the watermark that was noted before they were read.
    let mut rolled_up = 0;
    for path in files {
        let mut source = BufReader::new(File::open(path)?);
        let mut batch = sled::Batch::default();
        let mut weight = 0;
        while let Some((key, value)) = read_entry(&mut source)? {
            let body = unseal(&key, &value)?;
            if key == META {
                meta = Some(Meta::read(body)?);
                continue;
            }
            if key::is_link_rollup(&key) {
                rolled_up = rolled_up.max(Rollup::read(body)?.through);
            }
            if key::is_total(&key) {
                rolled_up = rolled_up.max(Totals::read(body)?.1);
            }
            weight += key.len() + value.len();
            batch.insert(key, value);
            if weight >= LOADED_AT_ONCE {
                weight = 0;
                store.put(std::mem::take(&mut batch))?;
            }
        }
        store.put(batch)?;
    }
    let meta = meta.ok_or(StoreError::Damaged("a backup has no meta part"))?;
    let mut end = sled::Batch::default();
    end.remove(&key::IS_LOADING);
    store.commit(end, &meta)?;
    store.count_anew_after(rolled_up.max(meta.watermark))?;
    Ok(meta)
}

fn read_entry(source: &mut impl Read) -> Result<Option<Entry>, StoreError> {
    let Some(length) = read_number(source)? else {
        return Ok(None);
    };
    let key = read_bytes(source, length, KEY_MAX)?;
    let length = read_number(source)?.ok_or(StoreError::Damaged("a part ends inside a value"))?;
    let value = read_bytes(source, length, VALUE_MAX as u64 * 2)?;
    Ok(Some((key, value)))
}

fn read_bytes(source: &mut impl Read, length: u64, most: u64) -> Result<Vec<u8>, StoreError> {
    if length > most {
        return Err(StoreError::Damaged("a part holds a value that is too long"));
    }
    let mut bytes = Vec::new();
    source.take(length).read_to_end(&mut bytes)?;
    match bytes.len() as u64 == length {
        true => Ok(bytes),
        false => Err(StoreError::Damaged("a part ends inside a value")),
    }
}

fn read_number(source: &mut impl Read) -> Result<Option<u64>, StoreError> {
    let mut number = 0u64;
    for shift in (0..63).step_by(7) {
        let mut byte = [0];
        match source.read(&mut byte)? {
            0 if shift == 0 => return Ok(None),
            0 => return Err(StoreError::Damaged("a part ends inside a value")),
            _ => number |= u64::from(byte[0] & 0x7f) << shift,
        }
        if byte[0] < 0x80 {
            return Ok(Some(number));
        }
    }
    Err(StoreError::Damaged("a length in a part does not end"))
}

/// Makes a click log in `options.dir`, which must be empty, from a backup's files.
///
/// # Errors
/// See [`OpenError`]; the directory is then good for nothing.
pub fn load(options: &Options, files: &BackupFiles) -> Result<(), OpenError> {
    let journal_dir = options.journal_dir();
    fs::create_dir_all(&journal_dir).map_err(OpenError::io(&journal_dir))?;
    let _lock = lock(&options.lock_path(), &options.dir)?;
    copy_journal(files, &journal_dir).map_err(OpenError::io(&journal_dir))?;
    let failed = |error: StoreError| fatal(error, &options.dir);
    let loaded = guarded(|| {
        let store = Store::open(&options.store_dir(), options.sled_cache_bytes)?;
        load_parts(&store, &files.parts)
    });
    let meta = loaded.map_err(failed)?;
    let survey = survey(&journal_dir).map_err(failed)?;
    let floor = Floor {
        watermark: meta.watermark,
        segment: survey.last_number,
        // The server that was backed up may have gone on handing numbers out.
        reserved: survey.reserved.max(meta.reserved).saturating_add(SEQUENCES_SKIPPED),
        is_closed: false,
        stored: meta.watermark,
    };
    floor.write(&options.dir).map_err(OpenError::io(&options.dir))
}

/// Copies the segments of a backup to `dir`, under their names.
pub(super) fn copy_journal(files: &BackupFiles, dir: &Path) -> io::Result<()> {
    for (name, path) in &files.journal {
        let number = name
            .strip_suffix(".log")
            .and_then(|stem| u64::from_str_radix(stem, 16).ok());
        let number = number.ok_or_else(|| io::Error::other(format!("{name} is no segment of a journal")))?;
        let to = segment::path(dir, number);
        fs::copy(path, &to)?;
        File::open(&to)?.sync_all()?;
    }
    sync_dir(dir)
}
