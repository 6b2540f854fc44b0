//! What goes on when followers come already: links are read into the table, and the click log opens to the end.
//!
//! The server says that it is up a little later than it answers: when both are done, or after some patience. Neither
//! ever ends the server, but a click log of a newer format.

use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::Runtime;

use super::{Filling, StartError, behind};
use crate::clicklog;
use crate::flows::{self, Context, load_table};

/// Longest wait for the click log before the server says that it is up; links are followed all the while.
const CLICKS_PATIENCE: Duration = Duration::from_secs(5);
/// Longest wait for the links before the server says that it is up; what is not in the table yet is read for itself.
pub(super) const LINKS_PATIENCE: Duration = Duration::from_secs(2);
/// How long after a failure the links are read again.
const LINKS_RETRY: Duration = Duration::from_secs(1);
/// How often a click log that takes longer is looked at.
const CLICKS_LOOK: Duration = Duration::from_millis(500);

/// How it went.
pub(super) type Filled = Result<(), flows::Error>;

/// Fills the table on a thread of its own, which tells how it went; it tries again for as long as the server runs.
pub(super) fn fill_table(
    context: Context,
    filling: Option<Filling>,
) -> Result<(JoinHandle<()>, Receiver<Filled>), StartError> {
    let (tell, told) = mpsc::channel();
    let fill = move || {
        behind::stand();
        if let Some(filling) = filling {
            (filling.hold)();
        }
        while !context.is_stopping() {
            let filled = load_table::fill(&context);
            if let Ok(links) = &filled {
                tracing::info!(links, "links loaded");
            }
            let failed = filled.map(|_| ());
            if let Err(error) = &failed {
                tracing::error!(%error, "links cannot be read; tried again, and each is read when it is asked for");
            }
            let is_done = failed.is_ok();
            // Nobody waits any more.
            let _ = tell.send(failed);
            if is_done {
                return;
            }
            thread::park_timeout(LINKS_RETRY);
        }
    };
    let thread = thread::Builder::new().name("hopcart-links".to_owned());
    let filler = thread
        .spawn(fill)
        .map_err(|error| StartError::Unavailable(format!("the thread that reads links does not start: {error}")))?;
    Ok((filler, told))
}

/// Waits a little for the click log; links are followed meanwhile. What takes longer goes on in the background.
pub(super) fn await_clicks(
    runtime: &Runtime,
    context: Context,
    clicks: clicklog::Reader,
) -> Result<(), clicklog::OpenError> {
    match clicks.wait_opened(CLICKS_PATIENCE) {
        Ok(true) => {
            let recovery = clicks.recovery();
            tracing::info!(
                replayed = recovery.replayed_clicks,
                took_ms = recovery.took.as_millis() as u64,
                "click log open"
            );
            if load_table::restore_uses(&context, &clicks).is_ok() {
                return Ok(());
            }
        }
        Ok(false) => tracing::warn!("the click log is still being opened; links work, reports wait for it"),
        Err(error @ clicklog::OpenError::NewerFormat { .. }) => return Err(error),
        Err(error) => {
            tracing::error!(%error, "the click log does not open yet; links work, clicks wait in the journal")
        }
    }
    runtime.spawn_blocking(move || restore_later(&context, &clicks));
    Ok(())
}

/// Ends with the server: a closed log's context is gone.
fn restore_later(context: &Context, clicks: &clicklog::Reader) {
    while !context.is_stopping() {
        let is_open = clicks.wait_opened(CLICKS_LOOK).unwrap_or(false);
        if is_open && load_table::restore_uses(context, clicks).is_ok() {
            tracing::info!("click log open; links with a click limit can be followed");
            return;
        }
        if is_open {
            thread::sleep(CLICKS_LOOK);
        }
    }
}
