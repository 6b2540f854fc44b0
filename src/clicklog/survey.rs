//! A look at the journal's end, before anything is applied: where to go on, which numbers are used, what is torn.
//!
//! Reads all headers and the newest segment, never the whole journal: writing may go on while the store opens.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::error::StoreError;
use super::frame::{RawFrame, is_cut_short};
use super::replay::{Part, parts, walk};
use super::segment;
use super::trail::{Trail, WINDOW};

/// What lies after the last good frame of the newest segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Torn {
    path: PathBuf,
    good: u64,
    pub(super) bytes: u64,
    /// Whether it does not look like a write that was cut short: it was damaged later, perhaps after it counted.
    pub(super) is_suspect: bool,
}

impl Torn {
    /// Cuts it off, so that it is not met again.
    pub(super) fn cut(&self) -> std::io::Result<()> {
        let file = File::options().write(true).open(&self.path)?;
        file.set_len(self.good)?;
        file.sync_all()
    }
}

/// The end of the journal.
#[derive(Default)]
pub(super) struct Survey {
    /// Index of the last good frame, or the last that a header says was there; 0 = there is none.
    pub(super) last_index: u64,
    /// First sequence number that no header, reservation or click says was handed out.
    pub(super) reserved: u64,
    /// Number of the newest segment; 0 = there is none.
    pub(super) last_number: u64,
    pub(super) torn: Option<Torn>,
    /// Whether the newest segment has bytes after its header, and neither header nor frames can be read: a header is
    /// synced before the first frame, so they were damaged later.
    pub(super) is_newest_unreadable: bool,
    /// What the next frame is to say of those before it.
    pub(super) trail: Trail,
}

/// Looks at the journal in `dir`.
pub(super) fn survey(dir: &Path) -> Result<Survey, StoreError> {
    let newest = segment::list(dir)?.pop();
    let parts = parts(dir)?;
    let mut survey = Survey {
        last_number: newest.as_ref().map_or(0, |(number, _)| *number),
        is_newest_unreadable: is_unreadable(newest.map(|(_, path)| path), &parts)?,
        ..Survey::default()
    };
    for part in &parts {
        survey.reserved = survey.reserved.max(part.reserved);
        survey.last_index = survey.last_index.max(part.first_index.saturating_sub(1));
    }
    let mut has_trail = false;
    // The newest segment tells all, unless its header is gone or no frame is in it yet.
    for (back, part) in parts.iter().rev().enumerate() {
        let bytes = fs::read(&part.path)?;
        let (offsets, good_end) = survey.frames(part, &bytes)?;
        let rest = &bytes[good_end..];
        if back == 0 && !rest.is_empty() {
            survey.torn = Some(Torn {
                path: part.path.clone(),
                good: good_end as u64,
                bytes: rest.len() as u64,
                is_suspect: !is_cut_short(rest),
            });
        }
        if !has_trail && !offsets.is_empty() {
            has_trail = true;
            survey.trail = trail(&bytes, &offsets);
        }
        if has_trail && part.is_headed {
            break;
        }
    }
    Ok(survey)
}

fn is_unreadable(newest: Option<PathBuf>, parts: &[Part]) -> std::io::Result<bool> {
    match newest.filter(|path| parts.last().is_none_or(|part| part.path != *path)) {
        Some(path) => Ok(fs::metadata(path)?.len() > segment::HEADER as u64),
        None => Ok(false),
    }
}

impl Survey {
    /// Takes in the frames of `part`; answers where the newest of them start, and where the last good one ends.
    fn frames(&mut self, part: &Part, bytes: &[u8]) -> Result<(Vec<usize>, usize), StoreError> {
        let mut offsets = Vec::new();
        let good_end = walk(bytes, |offset, raw| {
            if raw.version > super::frame::VERSION {
                return Err(StoreError::Newer {
                    found: u32::from(raw.version),
                    known: u32::from(super::frame::VERSION),
                });
            }
            if raw.index < part.end {
                self.last_index = self.last_index.max(raw.index);
                self.reserved = self.reserved.max(raw.used().unwrap_or(0));
                offsets.push(offset);
            }
            Ok(())
        })?;
        let newest = offsets.split_off(offsets.len().saturating_sub(WINDOW));
        Ok((newest, good_end))
    }
}

/// The trail after the frames at `offsets`, which follow each other but for damaged ones.
fn trail(bytes: &[u8], offsets: &[usize]) -> Trail {
    let mut trail = Trail::default();
    let mut expected = None;
    for offset in offsets {
        let Some((raw, _)) = RawFrame::read(&bytes[*offset..]) else {
            continue;
        };
        let past = raw.past().ok().flatten().unwrap_or_default();
        if expected != Some(raw.index) {
            trail = Trail::after(past.clicks, past.lost);
        }
        match raw.content() {
            Ok(content) => trail.push(&content),
            Err(_) => trail = Trail::after(past.clicks, past.lost),
        }
        expected = Some(raw.index + 1);
    }
    trail
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clicklog::frame::put_reserved;
    use crate::clicklog::segment::Header;
    use crate::domain::time::Timestamp;

    /// A journal of one segment with these frames; `change` may do harm to its bytes.
    fn surveyed(first_index: u64, indexes: &[u64], change: impl FnOnce(&mut Vec<u8>)) -> Survey {
        let dir = tempfile::tempdir().expect("a directory");
        let header = Header {
            node: 0,
            first_index,
            reserved: 5,
            made_at: Timestamp(0),
        };
        let mut bytes = header.bytes().to_vec();
        for index in indexes {
            put_reserved(&mut bytes, *index, index * 10, &mut Trail::default());
        }
        change(&mut bytes);
        fs::write(segment::path(dir.path(), 3), bytes).expect("written");
        survey(dir.path()).expect("readable")
    }

    #[test]
    fn the_end_is_found() {
        let found = surveyed(1, &[1, 2, 3], |_| {});
        assert_eq!((found.last_index, found.reserved, found.last_number), (3, 30, 3));
        assert_eq!(found.torn, None);
        let headless = surveyed(1, &[1, 2, 3], |bytes| bytes[0] = 0);
        assert_eq!((headless.last_index, headless.reserved), (3, 30));
        let empty = surveyed(9, &[], |_| {});
        assert_eq!((empty.last_index, empty.reserved), (8, 5));
    }

    #[test]
    fn a_write_that_was_cut_short_is_told_from_damage() {
        for (change, is_suspect) in [
            (
                Box::new(|bytes: &mut Vec<u8>| bytes.truncate(bytes.len() - 5)) as Box<dyn FnOnce(&mut Vec<u8>)>,
                false,
            ),
            (Box::new(|bytes: &mut Vec<u8>| bytes.truncate(bytes.len() - 25)), false),
            (
                Box::new(|bytes: &mut Vec<u8>| *bytes.last_mut().expect("bytes") ^= 1),
                true,
            ),
            (Box::new(|bytes: &mut Vec<u8>| bytes.extend([0; 40])), true),
        ] {
            let torn = surveyed(1, &[1, 2, 3], change).torn.expect("torn");
            assert_eq!(torn.is_suspect, is_suspect, "{torn:?}");
        }
    }
}
