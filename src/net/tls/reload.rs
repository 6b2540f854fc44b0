//! Takes over changed certificate files while the server runs.
//!
//! Polls: certificate tools replace files by rename, by symlink or in place, and over network file systems, which no
//! notification covers alike. Never drops a working certificate for one that does not load.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use super::certificates::Certificates;
use super::{CertificatePair, TlsConfig};

/// What tells a changed file: modification time, length, inode; `None` while it cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fingerprint(Vec<Option<(SystemTime, u64, u64)>>);

impl Fingerprint {
    /// The files of `pairs` as they are now.
    pub fn of(pairs: &[CertificatePair]) -> Self {
        let one = |path| {
            let metadata = std::fs::metadata(path).ok()?;
            Some((metadata.modified().ok()?, metadata.len(), metadata.ino()))
        };
        Self(
            pairs
                .iter()
                .flat_map(|pair| [one(&pair.cert), one(&pair.key)])
                .collect(),
        )
    }
}

/// Which files are shown, and which were tried last.
#[derive(Debug)]
pub(super) struct State {
    loaded: Fingerprint,
    failed: Option<Fingerprint>,
}

impl State {
    /// The files with this fingerprint are shown.
    pub fn loaded(fingerprint: Fingerprint) -> Self {
        Self {
            loaded: fingerprint,
            failed: None,
        }
    }
}

impl TlsConfig {
    /// Takes over the files if they changed and can be used; returns whether it did. What could not be used is tried
    /// again each time, since a certificate and its key are seldom replaced in one instant.
    pub fn reload_if_changed(&self) -> bool {
        let mut state = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        // Taken before the files are read: a change in between is seen at the next look.
        let fingerprint = Fingerprint::of(&self.pairs);
        if fingerprint == state.loaded {
            return false;
        }
        match Certificates::load(&self.pairs, self.server.crypto_provider()) {
            Ok(certificates) => {
                self.shown.0.store(Arc::new(certificates));
                *state = State::loaded(fingerprint);
                self.reloads.fetch_add(1, Ordering::Relaxed);
                tracing::info!("new certificates in use");
                true
            }
            Err(error) => {
                if state.failed.as_ref() != Some(&fingerprint) {
                    self.reload_failures.fetch_add(1, Ordering::Relaxed);
                    tracing::warn!(%error, "changed certificates cannot be used; the old ones stay");
                    state.failed = Some(fingerprint);
                }
                false
            }
        }
    }
}

/// The thread that looks for changed files; ends when this is dropped.
#[must_use = "the files are watched until this is dropped"]
pub struct TlsWatch {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl TlsWatch {
    /// Starts the thread.
    pub(super) fn start(config: Arc<TlsConfig>, every: Duration) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let thread = std::thread::Builder::new().name("tls-watch".into()).spawn(move || {
            while stopped.recv_timeout(every) == Err(mpsc::RecvTimeoutError::Timeout) {
                config.reload_if_changed();
            }
        })?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for TlsWatch {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been reported by the panic hook; the old certificates stay in use.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::testing::write_pair;

    #[test]
    fn changed_files_are_taken_over_and_bad_ones_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let pair = write_pair(folder.path(), "a", &["a.test"]);
        let config = TlsConfig::load(std::slice::from_ref(&pair), false).unwrap();
        assert!(!config.reload_if_changed());
        let shown = || config.shown.0.load().choose(None).cert[0].clone();
        let before = shown();
        std::fs::write(&pair.key, "no key").unwrap();
        assert!(!config.reload_if_changed() && !config.reload_if_changed());
        assert_eq!((config.reload_failures(), shown() == before), (1, true));
        write_pair(folder.path(), "a", &["a.test"]);
        assert!(config.reload_if_changed() && !config.reload_if_changed());
        assert_eq!((config.reloads(), shown() == before), (1, false));
    }

    #[test]
    fn the_watch_ends_when_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let pair = write_pair(folder.path(), "a", &["a.test"]);
        let config = TlsConfig::load(&[pair], true).unwrap();
        drop(config.watch(Duration::from_secs(3600)).unwrap());
        assert_eq!(Arc::strong_count(&config), 1);
    }
}
