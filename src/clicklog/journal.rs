//! The journal's writing end: appends frames to the newest segment and syncs them. A synced frame is acknowledged.
//!
//! After a failed write or sync the file is never trusted again: a later sync may succeed though the kernel dropped
//! the pages. What was written is cut off where that works, and the next append starts a new segment, which takes the
//! same frame indexes: see the rule in `segment`.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::error::WriteError;
use super::options::sync_dir;
use super::segment::{self, Header};

/// The segment that is being written.
struct Open {
    file: File,
    /// Length of what is synced; the next write goes here.
    length: u64,
}

/// Appends to the journal.
pub(super) struct Journal {
    dir: PathBuf,
    segment_bytes: u64,
    next_number: u64,
    open: Option<Open>,
    /// What the next append is to fail with.
    #[cfg(test)]
    pub(super) fault: Option<Fault>,
}

/// A failure that tests bring about.
#[cfg(test)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// No new segment can be made.
    Create,
    /// Everything is written, the sync fails, and nothing can be cut off.
    Sync,
}

impl Journal {
    /// A journal in `dir` whose next segment has number `next_number`.
    pub(super) fn new(dir: PathBuf, segment_bytes: u64, next_number: u64) -> Self {
        Self {
            dir,
            segment_bytes,
            next_number,
            open: None,
            #[cfg(test)]
            fault: None,
        }
    }

    /// Number of the newest segment.
    pub(super) fn newest(&self) -> u64 {
        self.next_number.saturating_sub(1)
    }

    /// Writes `frames`, the first of which `header` names, and syncs them; answers how long the sync took.
    pub(super) fn append(&mut self, frames: &[u8], header: Header) -> Result<Duration, WriteError> {
        let open = self.segment(header)?;
        let end = open.length + frames.len() as u64;
        let written = open.file.write_all_at(frames, open.length);
        let started = Instant::now();
        let result = written
            .map_err(failed("writing"))
            .and_then(|()| open.file.sync_data().map_err(failed("syncing")));
        #[cfg(test)]
        let result = match self.fault.take() {
            Some(fault) => {
                self.open = None;
                return Err(failed("a test's fault")(io::Error::other(format!("{fault:?}"))));
            }
            None => result,
        };
        match (result, &mut self.open) {
            (Ok(()), Some(open)) => {
                open.length = end;
                Ok(started.elapsed())
            }
            (Ok(()), None) => Ok(started.elapsed()),
            (Err(error), open) => {
                // Best effort: the rule about indexes holds whether or not the cut succeeds.
                if let Some(open) = open.take() {
                    open.file.set_len(open.length).ok();
                }
                Err(error)
            }
        }
    }

    /// The segment to write to; a new one after a failure and when the last is full.
    fn segment(&mut self, header: Header) -> Result<&mut Open, WriteError> {
        let segment_bytes = self.segment_bytes;
        let open = match self.open.take() {
            Some(open) if open.length < segment_bytes => open,
            _ => self.make(header)?,
        };
        Ok(self.open.insert(open))
    }

    fn make(&mut self, header: Header) -> Result<Open, WriteError> {
        #[cfg(test)]
        if self.fault == Some(Fault::Create) {
            self.fault = None;
            return Err(failed("a test's fault")(io::Error::other("no segment")));
        }
        let path = segment::path(&self.dir, self.next_number);
        // A number is never tried twice: whatever became of the file, it is not written to again.
        self.next_number += 1;
        let made = File::create_new(&path).and_then(|file| {
            file.write_all_at(&header.bytes(), 0)?;
            file.sync_data()?;
            sync_dir(&self.dir)?;
            Ok(Open {
                file,
                length: segment::HEADER as u64,
            })
        });
        made.map_err(|error| {
            fs::remove_file(&path).ok();
            failed("making a segment")(error)
        })
    }
}

fn failed(doing: &'static str) -> impl FnOnce(io::Error) -> WriteError {
    move |source| WriteError::Journal { doing, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;

    fn header(first_index: u64) -> Header {
        Header {
            node: 1,
            first_index,
            reserved: 0,
            made_at: Timestamp(0),
        }
    }

    #[test]
    fn a_full_segment_is_followed_by_the_next() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut journal = Journal::new(dir.path().to_owned(), 100, 1);
        for index in 1..=3 {
            journal.append(&[7; 50], header(index)).expect("written");
        }
        let lengths: Vec<u64> = segment::list(dir.path())
            .expect("listed")
            .iter()
            .map(|(_, path)| fs::metadata(path).expect("there").len())
            .collect();
        assert_eq!(lengths, [140, 90]);
    }

    #[test]
    fn after_a_failed_sync_the_next_append_goes_to_a_new_segment() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut journal = Journal::new(dir.path().to_owned(), 1000, 1);
        journal.append(&[1; 10], header(1)).expect("written");
        journal.fault = Some(Fault::Sync);
        assert!(journal.append(&[2; 10], header(2)).is_err());
        journal.append(&[3; 10], header(2)).expect("written");
        let segments = segment::list(dir.path()).expect("listed");
        assert_eq!(segments.len(), 2);
        assert_eq!(
            Header::of_file(&segments[1].1).expect("read"),
            segment::Found::Good(header(2))
        );
    }
}
