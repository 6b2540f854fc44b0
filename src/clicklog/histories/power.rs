//! What a kill or a power cut in the middle leaves of a directory that other code writes: sled's, and old segments.
//!
//! sled writes its file by itself, so its steps cannot be stopped one by one. Instead its files are read before and
//! after: what was cut short is a mixture of both, page by page. That includes every state that a real cut could leave.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use super::chance::{Chance, Reach};

/// What the system writes as a whole.
const PAGE: usize = 4096;

/// The files of a directory by name.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

/// The files in `dir`; none when it is missing.
pub(super) fn read(dir: &Path) -> io::Result<Files> {
    let mut files = Files::new();
    if !dir.exists() {
        return Ok(files);
    }
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            files.insert(
                entry.file_name().to_string_lossy().into_owned(),
                fs::read(entry.path())?,
            );
        }
    }
    Ok(files)
}

/// Leaves in `dir`, which has changed since `before`, what a cut somewhere in between could have left.
pub(super) fn cut_short(dir: &Path, before: &Files, chance: &mut Chance) -> io::Result<()> {
    let after = read(dir)?;
    let reach = Reach::draw(chance);
    for name in before
        .keys()
        .chain(after.keys().filter(|name| !before.contains_key(*name)))
    {
        let path = dir.join(name);
        match (before.get(name), after.get(name)) {
            (Some(old), Some(new)) if old == new => {}
            (Some(old), Some(new)) => fs::write(path, mixture(old, new, reach, chance))?,
            // Removed: its name may still be there.
            (Some(old), None) => {
                if chance.one_in(2) {
                    fs::write(path, old)?;
                }
            }
            (None, Some(new)) => made(&path, new, reach, chance)?,
            (None, None) => {}
        }
    }
    Ok(())
}

fn mixture(old: &[u8], new: &[u8], reach: Reach, chance: &mut Chance) -> Vec<u8> {
    let mut bytes = old.to_vec();
    let pages = new.len().div_ceil(PAGE);
    for (number, page) in new.chunks(PAGE).enumerate() {
        if reach.has(number, pages, chance) {
            let start = number * PAGE;
            if bytes.len() < start + page.len() {
                bytes.resize(start + page.len(), 0);
            }
            bytes[start..start + page.len()].copy_from_slice(page);
        }
    }
    bytes
}

/// A file that was made in between: it may be missing, and sled's snapshots, which are synced under another name before
/// they are renamed, may still have that.
fn made(path: &Path, new: &[u8], reach: Reach, chance: &mut Chance) -> io::Result<()> {
    let is_snapshot = path
        .file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with("snap."));
    match (reach, is_snapshot) {
        (Reach::Everything, _) => Ok(()),
        (Reach::Nothing, _) => fs::remove_file(path),
        (_, true) if chance.one_in(2) => Ok(()),
        (_, true) => {
            fs::remove_file(path)?;
            let mut name = path.as_os_str().to_owned();
            name.push(".generating");
            fs::write(name, mixture(&[], new, reach, chance))
        }
        (_, false) => fs::write(path, mixture(&[], new, reach, chance)),
    }
}

/// Puts one in `one_in` of the files back that were removed since `before`: the removal of a name need not have reached
/// the disk.
pub(super) fn bring_back(dir: &Path, before: &Files, one_in: usize, chance: &mut Chance) -> io::Result<()> {
    for (name, bytes) in before {
        let path = dir.join(name);
        if !path.exists() && chance.one_in(one_in) {
            fs::write(path, bytes)?;
        }
    }
    Ok(())
}
