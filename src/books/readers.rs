//! The read-only connections: a few, handed from one reader to the next.
//!
//! Each piece of work sees one snapshot from its first statement to its last, and never waits for the writer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::Error;
use super::view::View;

/// Reads that may wait for a connection: a page of people reloading a report, not an unbounded heap of futures.
pub const READS_WAITING_MAX: usize = 1024;

/// The pool.
pub(super) struct Readers {
    idle: Mutex<Vec<Connection>>,
    returned: Condvar,
    /// One permit a connection: async readers wait here and not on threads of the blocking pool.
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
}

impl Readers {
    /// A pool of `connections`, at least one.
    pub fn new(connections: Vec<Connection>) -> Self {
        Self {
            turns: Arc::new(Semaphore::new(connections.len())),
            idle: Mutex::new(connections),
            returned: Condvar::new(),
            waiting: AtomicUsize::new(0),
        }
    }

    /// Waits for a turn to call [`Readers::read`] without holding a thread.
    pub async fn turn(&self) -> Result<OwnedSemaphorePermit, Error> {
        let _waiting = self.wait()?;
        Arc::clone(&self.turns).acquire_owned().await.map_err(|_| Error::Busy)
    }

    /// Runs `work` on one snapshot; waits on this thread while all connections are out.
    pub fn read<T, E: From<Error>>(&self, work: impl FnOnce(&View<'_>) -> Result<T, E>) -> Result<T, E> {
        let lent = self.lend()?;
        let connection = lent.connection.as_ref().ok_or(Error::Busy)?;
        let control = |sql| connection.prepare_cached(sql).and_then(|mut step| step.execute([]));
        control("BEGIN").map_err(Error::from)?;
        let result = catch_unwind(AssertUnwindSafe(|| work(&View::new(connection))));
        // Ends the snapshot; there is nothing to lose. SQLite has done it already after some failures.
        if !connection.is_autocommit() {
            let _ = control("ROLLBACK");
        }
        result.unwrap_or_else(|_| Err(Error::Panicked.into()))
    }

    fn lend(&self) -> Result<Lent<'_>, Error> {
        let _waiting = self.wait()?;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(connection) = idle.pop() {
                return Ok(Lent {
                    readers: self,
                    connection: Some(connection),
                });
            }
            idle = self.returned.wait(idle).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn wait(&self) -> Result<Waiting<'_>, Error> {
        let waiting = Waiting(&self.waiting);
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= READS_WAITING_MAX {
            return Err(Error::Busy);
        }
        Ok(waiting)
    }
}

/// Somebody who waits; counted down when dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection that goes back to the pool when dropped.
struct Lent<'a> {
    readers: &'a Readers,
    connection: Option<Connection>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut idle = self.readers.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.extend(self.connection.take());
        self.readers.returned.notify_one();
    }
}
