//! The one thread that changes the books, and its group commit.
//!
//! One fsync serves every job that was waiting: each job after the first runs in a savepoint of its own, so that a failing
//! one takes nothing of its neighbours along, and all are answered after the commit. An answer therefore means durable.
//! Never waits for more jobs: an idle writer commits a single job at once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::error::Error;
use super::view::Tx;

/// Jobs that may wait. At some 50 µs a job this is a fifth of a second of work; who comes later is told to retry.
pub const JOBS_QUEUED_MAX: usize = 4096;

/// How long a group takes jobs in: bounds what the first of them waits beyond its own work and the fsync.
const GROUP_SPAN: Duration = Duration::from_millis(25);

/// What the writer tells about itself.
#[derive(Default)]
pub(super) struct Gauges {
    pub commits: AtomicU64,
    pub jobs: AtomicU64,
    pub queued: AtomicUsize,
    pub last_commit_us: AtomicU64,
    pub is_failed: AtomicBool,
}

/// The queue to the writer's thread; dropping it finishes what was queued.
pub(super) struct Writer {
    queue: Mutex<Option<SyncSender<Box<dyn Job>>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    pub gauges: Arc<Gauges>,
}

impl Writer {
    /// Starts the thread that owns `connection`.
    pub fn start(connection: Connection) -> std::io::Result<Self> {
        let gauges = Arc::new(Gauges::default());
        let (queue, jobs) = sync_channel(JOBS_QUEUED_MAX);
        let told = Arc::clone(&gauges);
        let thread = std::thread::Builder::new()
            .name("books-writer".to_owned())
            .spawn(move || run(&connection, &jobs, &told))?;
        Ok(Self {
            queue: Mutex::new(Some(queue)),
            thread: Mutex::new(Some(thread)),
            gauges,
        })
    }

    /// Queues `work`; its answer comes after the commit. Dropping the answer does not call the work back.
    pub fn enqueue<T, E>(
        &self,
        work: impl FnOnce(&Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<oneshot::Receiver<Result<T, E>>, Error>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let task = Task {
            work: Some(work),
            result: None,
            reply,
        };
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(sender) = queue.as_ref() else {
            return Err(Error::Busy);
        };
        self.gauges.queued.fetch_add(1, Ordering::Relaxed);
        match sender.try_send(Box::new(task)) {
            Ok(()) => Ok(answer),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.gauges.queued.fetch_sub(1, Ordering::Relaxed);
                Err(Error::Busy)
            }
        }
    }

    /// Takes no further work, finishes what is queued and ends the thread. The second call does nothing.
    pub fn close(&self) {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.thread().id() != std::thread::current().id()
        {
            // A panic has been printed already, and the jobs that it took along are answered by their dropped replies.
            let _ = thread.join();
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.close();
    }
}

/// A piece of work with somebody waiting for it, whatever its types.
trait Job: Send {
    /// Does the work; whether its changes are to be kept.
    fn run(&mut self, tx: &Tx<'_>) -> bool;
    /// Tells who waits how it went. `committed` is the verdict on the whole group.
    fn answer(self: Box<Self>, committed: Result<(), Error>);
}

struct Task<W, T, E> {
    work: Option<W>,
    /// `None` = not run, or panicked.
    result: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
}

impl<W, T, E> Job for Task<W, T, E>
where
    W: FnOnce(&Tx<'_>) -> Result<T, E> + Send,
    T: Send,
    E: From<Error> + Send,
{
    fn run(&mut self, tx: &Tx<'_>) -> bool {
        self.result = self.work.take().map(|work| work(tx));
        matches!(self.result, Some(Ok(_)))
    }

    fn answer(self: Box<Self>, committed: Result<(), Error>) {
        let answer = match (committed, self.result) {
            (Ok(()), Some(result)) => result,
            (Ok(()), None) => Err(Error::Panicked.into()),
            // Also for work that refused: what it saw of its neighbours never happened.
            (Err(error), _) => Err(error.into()),
        };
        // Who asked may have gone; the work is done all the same.
        let _ = self.reply.send(answer);
    }
}

/// The thread: group after group until every sender is gone and the queue is empty.
fn run(connection: &Connection, jobs: &Receiver<Box<dyn Job>>, gauges: &Gauges) {
    while let Ok(first) = jobs.recv() {
        run_group(connection, first, jobs, GROUP_SPAN, gauges);
    }
    // Leaves one tidy file behind. What cannot be moved now is moved by the next start.
    let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
}

/// One transaction of `first` and the jobs that wait, taken in for at most `span`.
fn run_group(
    connection: &Connection,
    first: Box<dyn Job>,
    jobs: &Receiver<Box<dyn Job>>,
    span: Duration,
    gauges: &Gauges,
) {
    let started = Instant::now();
    let mut group = Vec::new();
    let mut verdict = step(connection, "BEGIN IMMEDIATE");
    let mut next = Some(first);
    while let Some(mut job) = next {
        gauges.queued.fetch_sub(1, Ordering::Relaxed);
        if verdict.is_ok() {
            verdict = match group.is_empty() {
                true => run_first(connection, job.as_mut()),
                false => run_job(connection, job.as_mut()),
            };
        }
        group.push(job);
        let takes_more = verdict.is_ok() && started.elapsed() < span;
        next = if takes_more { jobs.try_recv().ok() } else { None };
    }
    let committing = Instant::now();
    let verdict = verdict.and_then(|()| step(connection, "COMMIT"));
    if !connection.is_autocommit() {
        // Only after a failure; should this fail too, the next BEGIN does, and says so.
        let _ = step(connection, "ROLLBACK");
    }
    let took = u64::try_from(committing.elapsed().as_micros()).unwrap_or(u64::MAX);
    gauges.last_commit_us.store(took, Ordering::Relaxed);
    gauges.is_failed.store(verdict.is_err(), Ordering::Relaxed);
    // Who sees this reads what was committed.
    gauges.commits.fetch_add(u64::from(verdict.is_ok()), Ordering::Release);
    gauges.jobs.fetch_add(group.len() as u64, Ordering::Relaxed);
    for job in group {
        job.answer(verdict.clone());
    }
}

/// Runs the first job of a group, which is often the only one. Nothing comes before it, so the transaction is its
/// savepoint: keeping what a savepoint would bring back takes as long as the work itself.
fn run_first(connection: &Connection, job: &mut dyn Job) -> Result<(), Error> {
    if !run_alone(connection, job)? {
        step(connection, "ROLLBACK")?;
        step(connection, "BEGIN IMMEDIATE")?;
    }
    Ok(())
}

/// Runs `job`; whether its changes are to be kept.
fn run_alone(connection: &Connection, job: &mut dyn Job) -> Result<bool, Error> {
    let tx = Tx::new(connection);
    let is_kept = catch_unwind(AssertUnwindSafe(|| job.run(&tx))).unwrap_or(false);
    if connection.is_autocommit() {
        // A full disk or a failed read makes SQLite roll back everything, not just the statement.
        return Err(Error::Failed("the transaction was rolled back by SQLite".to_owned()));
    }
    Ok(is_kept)
}

/// Runs one job within a savepoint. An error is the whole group's: the job's own is kept for its answer.
fn run_job(connection: &Connection, job: &mut dyn Job) -> Result<(), Error> {
    step(connection, "SAVEPOINT job")?;
    if !run_alone(connection, job)? {
        step(connection, "ROLLBACK TO job")?;
    }
    step(connection, "RELEASE job")
}

fn step(connection: &Connection, sql: &str) -> Result<(), Error> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Answer = oneshot::Receiver<Result<u32, Error>>;

    /// A job that runs `sql`, and who waits for it.
    fn job(number: u32, sql: &'static str) -> (Box<dyn Job>, Answer) {
        let (reply, answer) = oneshot::channel();
        let work = move |tx: &Tx<'_>| -> Result<u32, Error> {
            tx.run(sql, [])?;
            Ok(number)
        };
        let task = Task {
            work: Some(work),
            result: None,
            reply,
        };
        (Box::new(task), answer)
    }

    /// Runs `jobs` as one group on a table `t` whose column refers to itself only when committed.
    fn run_one_group(jobs: [&'static str; 3]) -> (Vec<Result<u32, Error>>, i64, Gauges) {
        let connection = Connection::open_in_memory().expect("memory");
        connection
            .execute_batch(
                "PRAGMA foreign_keys = 1;
                 CREATE TABLE t (a INTEGER PRIMARY KEY, b INTEGER REFERENCES t (a) DEFERRABLE INITIALLY DEFERRED)",
            )
            .expect("a table");
        let gauges = Gauges::default();
        gauges.queued.store(jobs.len(), Ordering::Relaxed);
        let (mut jobs, mut answers): (Vec<_>, Vec<_>) = (0..).zip(jobs).map(|(number, sql)| job(number, sql)).unzip();
        let (queue, waiting) = sync_channel(8);
        for job in jobs.drain(1..) {
            assert!(queue.send(job).is_ok());
        }
        let first = jobs.remove(0);
        run_group(&connection, first, &waiting, Duration::from_secs(3600), &gauges);
        assert!(connection.is_autocommit(), "no transaction is left open");
        let answers = answers
            .iter_mut()
            .map(|answer| answer.try_recv().unwrap_or(Err(Error::Busy)))
            .collect();
        let rows = connection
            .query_row("SELECT count(*) FROM t", [], |row| row.get(0))
            .expect("counted");
        (answers, rows, gauges)
    }

    #[test]
    fn a_group_is_one_commit() {
        let (answers, rows, gauges) = run_one_group([
            "INSERT INTO t VALUES (1, 1)",
            "INSERT INTO no_table VALUES (1)",
            "INSERT INTO t VALUES (2, 1)",
        ]);
        assert_eq!((&answers[0], &answers[2]), (&Ok(0), &Ok(2)));
        assert!(matches!(&answers[1], Err(Error::Failed(_))));
        assert_eq!(rows, 2);
        assert_eq!(gauges.commits.into_inner(), 1);
        assert_eq!(gauges.jobs.into_inner(), 3);
        assert_eq!(gauges.queued.into_inner(), 0);
    }

    #[test]
    fn a_failed_commit_is_everybodys() {
        let (answers, rows, gauges) = run_one_group([
            "INSERT INTO t VALUES (1, 1)",
            "INSERT INTO t VALUES (2, 77)",
            "INSERT INTO t VALUES (3, 1)",
        ]);
        assert!(
            answers.iter().all(|answer| matches!(answer, Err(Error::Failed(_)))),
            "{answers:?}"
        );
        assert_eq!(rows, 0);
        assert_eq!(gauges.commits.into_inner(), 0);
        assert!(gauges.is_failed.into_inner());
    }

    #[test]
    fn a_transaction_that_sqlite_gave_up_is_everybodys_failure() {
        let (answers, rows, gauges) = run_one_group([
            "INSERT INTO t VALUES (1, 1)",
            "INSERT OR ROLLBACK INTO t VALUES (1, 1)",
            "INSERT INTO t VALUES (3, 1)",
        ]);
        assert!(matches!(&answers[0], Err(Error::Failed(_))));
        assert!(matches!(&answers[1], Err(Error::Failed(_))));
        assert_eq!(answers[2], Err(Error::Busy), "left in the queue for the next group");
        assert_eq!(rows, 0);
        assert!(gauges.is_failed.into_inner());
    }
}
