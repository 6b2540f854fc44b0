//! At start: what every follow needs is read before the first one, the links while followers come already; click limits
//! follow once the click log is open.
//!
//! What changes meanwhile wins over what was read: the table knows which links were touched since ([`TableWriter::load`]).
//! A link that is asked for before it was read is read for itself ([`read_through`]).
//!
//! [`TableWriter::load`]: crate::redirect::TableWriter::load

use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use super::context::Context;
use super::error::Error;
use super::hand_out_codes;
use crate::books;
use crate::clicklog;
use crate::domain::id::DomainNo;
use crate::domain::store::{Shelf, Store};

/// Numbers of links that are read at a time: some milliseconds, so that stopping need not wait and no snapshot of the
/// books is held for long.
const SLICE: u32 = 5_000;
/// Most threads that read. Four read ten million links in seconds; more would want the disk of those who are read for.
const READERS_MAX: usize = 4;
/// How often it is told how far it is.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// Fills the table with everything; returns the number of links. For whoever has no followers yet.
///
/// # Errors
/// The books cannot be read or written.
pub fn load(context: &Context) -> Result<u64, Error> {
    open(context)?;
    fill(context)
}

/// Reads what answers depend on besides links: domains, stores with their shelves, creators, and whose single-use codes
/// are. Before the first follow.
///
/// # Errors
/// The books cannot be read.
pub fn open(context: &Context) -> Result<(), Error> {
    let books = &context.inner.books;
    let table = &context.inner.table;
    context.put_domains(&books.read_blocking(|view| books::link_domain::all(view).map_err(Error::from))?);
    let stores = books.read_blocking(|view| {
        let stores = books::store::all(view)?;
        let with_shelf = |store: Store| {
            let shelf = Shelf::new(&books::product::list(view, store.no)?);
            Ok::<_, Error>((store, shelf))
        };
        stores.into_iter().map(with_shelf).collect::<Result<Vec<_>, _>>()
    })?;
    for creator in books.read_blocking(|view| books::creator::of_all_workspaces(view).map_err(Error::from))? {
        table.put_creator(&creator);
    }
    for (store, shelf) in stores {
        table.put_store(&store, Arc::new(shelf));
    }
    hand_out_codes::remember(context)
}

/// Reads the links, and fetches the first single-use codes for them; afterwards the table says that it is loaded. Returns
/// the number of links; when the server stops, it ends early and the table says nothing. Blocks for as long as it takes.
///
/// # Errors
/// The books cannot be read or written. What was read stays; trying again reads all.
pub fn fill(context: &Context) -> Result<u64, Error> {
    let last = context
        .inner
        .books
        .read_blocking(|view| books::link::last_no(view).map_err(Error::from))?;
    let progress = Progress {
        next: AtomicU32::new(0),
        last,
        links: AtomicU64::new(0),
    };
    let readers = thread::available_parallelism().map_or(1, NonZero::get).min(READERS_MAX);
    thread::scope(|scope| {
        let (done, finished) = mpsc::channel::<()>();
        let start = |_| {
            let (done, progress) = (done.clone(), &progress);
            scope.spawn(move || {
                let result = progress.read_slices(context);
                drop(done);
                result
            })
        };
        let threads: Vec<_> = (0..readers).map(start).collect();
        drop(done);
        progress.tell_until(&finished);
        let mut results = threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or(Err(Error::Unavailable)));
        results.try_for_each(|result| result)
    })?;
    if !context.is_stopping() {
        hand_out_codes::open(context)?;
        context.inner.table.set_loaded();
    }
    Ok(progress.links.into_inner())
}

/// How far reading is.
struct Progress {
    /// The next slice that nobody reads yet.
    next: AtomicU32,
    /// The highest number. Who makes a link later puts it into the table himself.
    last: u32,
    links: AtomicU64,
}

impl Progress {
    /// Reads slices, as long as there are some, on a connection of its own.
    fn read_slices(&self, context: &Context) -> Result<(), Error> {
        let reader = context.inner.books.lone_reader()?;
        let table = &context.inner.table;
        while !context.is_stopping() {
            let slice = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(first) = slice.checked_mul(SLICE).filter(|first| *first < self.last) else {
                break;
            };
            let numbers = first + 1..=first.saturating_add(SLICE);
            let mut links = 0;
            reader.read(|view| {
                books::link::each_followed(view, numbers, |link| {
                    table.load(&link);
                    links += 1;
                })
                .map_err(Error::from)
            })?;
            self.links.fetch_add(links, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Tells how far it is, until every reader has let go of its end of `finished`.
    fn tell_until(&self, finished: &mpsc::Receiver<()>) {
        let began = Instant::now();
        while let Err(RecvTimeoutError::Timeout) = finished.recv_timeout(TELL_EVERY) {
            tracing::info!(
                links = self.links.load(Ordering::Relaxed),
                of_at_most = self.last,
                seconds = began.elapsed().as_secs(),
                "links are being read"
            );
        }
    }
}

/// Reads the link that `slug` names on `domain` into the table, while it fills. Whether there is one.
///
/// # Errors
/// The books cannot be read.
pub async fn read_through(context: &Context, domain: DomainNo, slug: String) -> Result<bool, Error> {
    let read = context
        .inner
        .books
        .read(move |view| books::link::by_slug(view, domain, &slug).map_err(Error::from));
    let found = read.await?;
    if let Some(link) = &found {
        context.inner.table.load(link);
    }
    Ok(found.is_some())
}

/// Restores the uses so far of links with a click limit; until then they answer that they cannot be followed yet.
pub fn restore_uses(context: &Context, clicks: &clicklog::Reader) -> Result<(), Error> {
    let table = &context.inner.table;
    // Also of links without a limit now: one that gets its limit back has not got its uses back.
    clicks.each_total(|link, totals| {
        if totals.uses > 0 {
            table.restore_uses(link, totals.uses);
        }
    })?;
    table.set_uses_known();
    Ok(())
}
