//! Who waits until the journal has all clicks that were answered so far, and how they are told.
//!
//! Waiting costs the recorder nothing while nobody does.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};
use std::thread::Thread;
use std::time::Duration;

/// Turns after which the journal had all that the lanes held when the turn began.
#[derive(Debug, Default)]
pub(super) struct Sweeps {
    count: AtomicU64,
    /// Who waits for one.
    awaited: AtomicU64,
    /// Whose turns they are.
    recorder: OnceLock<Thread>,
    turn: Mutex<()>,
    swept: Condvar,
}

impl Sweeps {
    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::SeqCst)
    }

    /// Names the thread that is woken when somebody waits.
    pub(super) fn are_made_by(&self, recorder: Thread) {
        // Started once: a second word would be the same.
        let _ = self.recorder.set(recorder);
    }

    /// Whether somebody waits: then the next turn comes at once.
    pub(super) fn are_awaited(&self) -> bool {
        self.awaited.load(Ordering::SeqCst) > 0
    }

    /// One more.
    pub(super) fn swept(&self) {
        self.count.fetch_add(1, Ordering::SeqCst);
        if self.are_awaited() {
            // Who has looked at the count and does not sleep yet holds the lock.
            drop(self.turn.lock().unwrap_or_else(PoisonError::into_inner));
            self.swept.notify_all();
        }
    }

    /// Returns once everything that lies in a lane now is in the journal: `true`; or after `longest`: `false`.
    pub(super) fn wait(&self, longest: Duration) -> bool {
        // The turn that runs may have read a lane already, so it is the one after it that has seen everything.
        let seen = self.count() + 2;
        self.awaited.fetch_add(1, Ordering::SeqCst);
        if let Some(recorder) = self.recorder.get() {
            recorder.unpark();
        }
        let turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.swept.wait_timeout_while(turn, longest, |()| self.count() < seen);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
        self.awaited.fetch_sub(1, Ordering::SeqCst);
        self.count() >= seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::thread;

    #[test]
    fn who_waits_wakes_the_recorder_and_sees_two_turns() {
        let sweeps = Arc::new(Sweeps::default());
        let made = Arc::clone(&sweeps);
        let recorder = thread::spawn(move || {
            // As the recorder does: no turn until somebody asks for it, then one after the other.
            while !made.are_awaited() {
                thread::park();
            }
            while made.are_awaited() {
                made.swept();
            }
        });
        sweeps.are_made_by(recorder.thread().clone());
        assert!(sweeps.wait(Duration::from_secs(60)));
        recorder.join().expect("it saw that nobody waits any more");
        assert!(sweeps.count() >= 2);
    }

    #[test]
    fn nobody_waits_for_ever() {
        let sweeps = Sweeps::default();
        sweeps.swept();
        assert!(!sweeps.wait(Duration::from_millis(1)), "one is not enough");
        assert!(!sweeps.are_awaited());
    }
}
