//! The journal's writing end: appends frames to the newest segment and syncs them. A synced frame is acknowledged.
//!
//! After a failed write or sync the file is never trusted again: a later sync may succeed though the kernel dropped
//! the pages. What was written is cut off where that works, and the next append starts a new segment, which takes the
//! same frame indexes: see the rule in `segment`.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::disk::{Disk, DiskFile};
use super::error::WriteError;
use super::segment::{self, Header};

/// The segment that is being written.
struct Open {
    file: Box<dyn DiskFile>,
    /// Length of what is synced; the next write goes here.
    length: u64,
}

/// Appends to the journal.
pub(super) struct Journal {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    segment_bytes: u64,
    next_number: u64,
    open: Option<Open>,
}

impl Journal {
    /// A journal in `dir` on `disk` whose next segment has number `next_number`.
    pub(super) fn new(disk: Arc<dyn Disk>, dir: PathBuf, segment_bytes: u64, next_number: u64) -> Self {
        Self {
            disk,
            dir,
            segment_bytes,
            next_number,
            open: None,
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
        let written = open.file.write_at(frames, open.length);
        let started = Instant::now();
        let result = written
            .map_err(failed("writing"))
            .and_then(|()| open.file.sync().map_err(failed("syncing")));
        match (result, &mut self.open) {
            (Ok(()), Some(open)) => {
                open.length = end;
                Ok(started.elapsed())
            }
            (Ok(()), None) => Ok(started.elapsed()),
            (Err(error), open) => {
                // Best effort: the rule about indexes holds whether or not the cut succeeds.
                if let Some(open) = open.take() {
                    open.file.cut(open.length).ok();
                }
                Err(error)
            }
        }
    }

    /// Ends the segment that is being written; answers the number of the next.
    pub(super) fn seal(&mut self) -> u64 {
        self.open = None;
        self.next_number
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
        let path = segment::path(&self.dir, self.next_number);
        // A number is never tried twice: whatever became of the file, it is not written to again.
        self.next_number += 1;
        let made = self.disk.create(&path).and_then(|file| {
            file.write_at(&header.bytes(), 0)?;
            file.sync()?;
            self.disk.sync_dir(&self.dir)?;
            Ok(Open {
                file,
                length: segment::HEADER as u64,
            })
        });
        made.map_err(|error| {
            // One that stays holds no frame that was acknowledged.
            self.disk.remove(&path).ok();
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
    use crate::clicklog::disk::SystemDisk;
    use crate::clicklog::faulty::{EIO, ENOSPC, EROFS, Fault, FaultyDisk};
    use crate::domain::time::Timestamp;
    use std::fs;
    use std::path::Path;

    fn header(first_index: u64) -> Header {
        Header {
            node: 1,
            first_index,
            reserved: 0,
            made_at: Timestamp(0),
        }
    }

    fn lengths(dir: &Path) -> Vec<u64> {
        let segments = segment::list(dir).expect("listed");
        let length = |(_, path): &(u64, PathBuf)| fs::metadata(path).expect("there").len();
        segments.iter().map(length).collect()
    }

    #[test]
    fn a_full_segment_is_followed_by_the_next() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut journal = Journal::new(Arc::new(SystemDisk), dir.path().to_owned(), 100, 1);
        for index in 1..=3 {
            journal.append(&[7; 50], header(index)).expect("written");
        }
        assert_eq!(lengths(dir.path()), [140, 90]);
    }

    #[test]
    fn after_any_failure_the_next_append_goes_to_a_new_segment() {
        let cases: [(Fault, io::ErrorKind, u64); 6] = [
            (Fault::Write(0, EIO), io::Error::from_raw_os_error(EIO).kind(), 50),
            (Fault::Write(4, ENOSPC), io::ErrorKind::StorageFull, 50),
            (Fault::Write(10, EROFS), io::ErrorKind::ReadOnlyFilesystem, 50),
            (Fault::Sync(EIO), io::Error::from_raw_os_error(EIO).kind(), 60),
            (Fault::Sync(ENOSPC), io::ErrorKind::StorageFull, 60),
            (Fault::SyncDropping(EIO), io::Error::from_raw_os_error(EIO).kind(), 60),
        ];
        for (fault, kind, left) in cases {
            let dir = tempfile::tempdir().expect("a directory");
            let disk = FaultyDisk::default();
            let mut journal = Journal::new(Arc::new(disk.clone()), dir.path().to_owned(), 1000, 1);
            journal.append(&[1; 10], header(1)).expect("written");
            disk.once(fault);
            let error = journal.append(&[2; 10], header(2)).expect_err("it fails");
            let WriteError::Journal { source, .. } = error else {
                panic!("{error}")
            };
            assert_eq!(source.kind(), kind, "{fault:?}");
            journal.append(&[3; 10], header(2)).expect("written");
            assert_eq!(lengths(dir.path()), [left, 50], "{fault:?}");
            let second = segment::path(dir.path(), 2);
            assert_eq!(
                Header::of_file(&second).expect("read"),
                segment::Found::Good(header(2)),
                "{fault:?}"
            );
        }
    }

    #[test]
    fn a_disk_without_room_for_a_segment_leaves_no_pieces() {
        let dir = tempfile::tempdir().expect("a directory");
        let disk = FaultyDisk::default();
        let mut journal = Journal::new(Arc::new(disk.clone()), dir.path().to_owned(), 1000, 1);
        for fault in [Fault::Create(EROFS), Fault::Write(7, ENOSPC), Fault::Sync(EIO)] {
            disk.always(fault);
            assert!(journal.append(&[1; 10], header(1)).is_err(), "{fault:?}");
            assert!(lengths(dir.path()).is_empty(), "{fault:?}");
        }
        disk.heal();
        journal.append(&[1; 10], header(1)).expect("written");
        assert_eq!(lengths(dir.path()), [50]);
    }
}
