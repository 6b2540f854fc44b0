//! A disk that fails as a test tells it to: once or until it is healed, before, during or after the bytes were written.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};

use super::disk::{Disk, DiskFile, SystemDisk};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// No file can be made: `ENOSPC`, `EROFS`, `EIO`, … of the number.
    Create(i32),
    /// A write stores this many bytes and then fails with the number.
    Write(usize, i32),
    /// Everything is written, the sync fails, and nothing can be cut off. The bytes stay in the file, as when the disk
    /// had taken them after all.
    Sync(i32),
    /// The same, but the kernel dropped the pages: the bytes turn to zeros, and a later sync would succeed.
    SyncDropping(i32),
}

pub(crate) const EIO: i32 = 5;
pub(crate) const ENOSPC: i32 = 28;
pub(crate) const EROFS: i32 = 30;

#[derive(Debug, Default)]
struct State {
    once: VecDeque<Fault>,
    always: Option<Fault>,
    is_stalled: bool,
    /// Operations that a stall holds up.
    waiting: usize,
}

/// The disk; clones are the same one.
#[derive(Debug, Clone, Default)]
pub(crate) struct FaultyDisk {
    state: Arc<(Mutex<State>, Condvar)>,
}

impl FaultyDisk {
    /// Brings `fault` about once, after those before it.
    pub(crate) fn once(&self, fault: Fault) {
        self.change(|state| state.once.push_back(fault));
    }

    /// Brings `fault` about until [`FaultyDisk::heal`].
    pub(crate) fn always(&self, fault: Fault) {
        self.change(|state| state.always = Some(fault));
    }

    /// Lets every operation wait until [`FaultyDisk::heal`].
    pub(crate) fn stall(&self) {
        self.change(|state| state.is_stalled = true);
    }

    pub(crate) fn heal(&self) {
        self.change(|state| *state = State::default());
    }

    /// Returns once somebody waits for a stalled disk.
    pub(crate) fn when_stalled(&self) {
        let (state, changed) = &*self.state;
        let state = state.lock().expect("no test panics with it");
        drop(
            changed
                .wait_while(state, |state| state.waiting == 0)
                .expect("no test panics with it"),
        );
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.0.lock().expect("no test panics with it"));
        self.state.1.notify_all();
    }

    /// Waits out a stall; the fault that is due, if `fits` it.
    fn next(&self, fits: impl Fn(&Fault) -> bool) -> Option<Fault> {
        let (state, changed) = &*self.state;
        let mut state = state.lock().expect("no test panics with it");
        if state.is_stalled {
            state.waiting += 1;
            changed.notify_all();
            state = changed
                .wait_while(state, |state| state.is_stalled)
                .expect("no test panics with it");
        }
        if state.once.front().is_some_and(&fits) {
            return state.once.pop_front();
        }
        state.always.filter(&fits)
    }
}

impl Disk for FaultyDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        if let Some(Fault::Create(number)) = self.next(|fault| matches!(fault, Fault::Create(_))) {
            return Err(io::Error::from_raw_os_error(number));
        }
        Ok(Box::new(FaultyFile {
            disk: self.clone(),
            file: SystemDisk.create(path)?,
            last: Mutex::default(),
        }))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        SystemDisk.sync_dir(dir)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        SystemDisk.remove(path)
    }
}

#[derive(Debug)]
struct FaultyFile {
    disk: FaultyDisk,
    file: Box<dyn DiskFile>,
    /// Where the last write went, and whether its sync failed: then nothing can be cut off.
    last: Mutex<(u64, usize, bool)>,
}

impl DiskFile for FaultyFile {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        *self.last.lock().expect("no test panics with it") = (offset, bytes.len(), false);
        match self.disk.next(|fault| matches!(fault, Fault::Write(..))) {
            Some(Fault::Write(length, number)) => {
                self.file.write_at(&bytes[..length.min(bytes.len())], offset)?;
                Err(io::Error::from_raw_os_error(number))
            }
            _ => self.file.write_at(bytes, offset),
        }
    }

    fn sync(&self) -> io::Result<()> {
        let fault = self
            .disk
            .next(|fault| matches!(fault, Fault::Sync(_) | Fault::SyncDropping(_)));
        let mut last = self.last.lock().expect("no test panics with it");
        match fault {
            Some(Fault::SyncDropping(number)) => {
                self.file.write_at(&vec![0; last.1], last.0)?;
                last.2 = true;
                Err(io::Error::from_raw_os_error(number))
            }
            Some(Fault::Sync(number)) => {
                last.2 = true;
                Err(io::Error::from_raw_os_error(number))
            }
            _ => self.file.sync(),
        }
    }

    fn cut(&self, length: u64) -> io::Result<()> {
        if self.last.lock().expect("no test panics with it").2 {
            return Err(io::Error::from_raw_os_error(EIO));
        }
        self.file.cut(length)
    }
}
