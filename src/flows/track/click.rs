//! A click is told: logged through a lane of its own, as a follow is.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::super::context::Context;
use super::super::error::Error;
use super::Told;
use crate::domain::id::LinkNo;
use crate::redirect::{Request, Ticket, Tracked, Worker};

/// Longest wait of an answer for its click to be on disk, where the server was told to wait.
pub const DURABLE_WAIT: Duration = Duration::from_millis(25);

/// The one worker of the hot path that clicks go through which no follower's request brought. Held for some
/// microseconds a click.
#[derive(Clone)]
pub struct Clicker {
    worker: Arc<Mutex<Option<Worker>>>,
}

/// A click that was logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clicked {
    pub link: LinkNo,
    /// `None` where whoever clicked has opted out.
    pub click_id: Option<String>,
}

impl Clicker {
    /// Logs through `worker`, which nobody else uses.
    pub fn new(worker: Worker) -> Self {
        Self {
            worker: Arc::new(Mutex::new(Some(worker))),
        }
    }

    /// Ends the worker: its last counts leave. Clicks that are told after that are refused.
    pub fn close(&self) {
        self.worker.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Logs a click on the link that `request` names; see [`Worker::track`].
    ///
    /// # Errors
    /// [`Error::NotFound`] when the workspace has no such link, or none that can be followed; [`Error::Unavailable`].
    pub async fn click(
        &self,
        context: &Context,
        told: Told,
        request: &Request<'_>,
        knows_address: bool,
    ) -> Result<Clicked, Error> {
        let tracked = {
            let worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner);
            let worker = worker.as_ref().ok_or(Error::Unavailable)?;
            let tracked = worker.track(request, told.workspace, knows_address);
            worker.flush_lost();
            tracked
        };
        match tracked {
            Tracked::Clicked { link, click_id, ticket } => {
                if let Some(ticket) = ticket {
                    wait(ticket).await;
                }
                context.inner.conversions.clicks.fetch_add(1, Ordering::Relaxed);
                Ok(Clicked { link, click_id })
            }
            Tracked::NotFound => Err(Error::NotFound { what: "link" }),
            Tracked::Gone => Err(Error::NotFound {
                what: "link, which is disabled, expired or used up,",
            }),
            Tracked::Unavailable => Err(Error::Unavailable),
        }
    }
}

/// What takes longer is on its way all the same.
async fn wait(ticket: Ticket) {
    let Ticket { position, mut durable } = ticket;
    let _ = tokio::time::timeout(DURABLE_WAIT, durable.wait_for(|reached| *reached >= position)).await;
}
