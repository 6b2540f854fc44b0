//! Webhooks are told what happened: out of the outbox and the click log into deliveries, and from there to receivers.
//!
//! Each event is stored with its body before it is sent for the first time, so that a restart in the middle sends it again
//! under the same id, and never another one in its place. Nothing here holds up whoever made it happen.

mod clicks;
mod deliver;
mod outbox;

pub(super) use clicks::begin as begin_clicks;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;
use tokio::sync::Notify;

use super::context::Context;
use super::error::Error;
use crate::books::View;
use crate::books::outbox::Waiting;
use crate::books::webhook_delivery::{self, Kept};
use crate::clicklog;
use crate::domain::click::Click;
use crate::domain::id::LinkNo;
use crate::domain::time::{DAY_MS, Timestamp};
use crate::domain::webhook::Trigger;
use crate::integrations::receiver::Poster;

/// How often it is looked whether something was committed, and then at the outbox: nobody waits for it.
const LOOK: Duration = Duration::from_millis(200);
/// How often the outbox is looked at when nothing was: a commit that is said to have failed may have been none.
const QUIET_LOOK: Duration = Duration::from_secs(5);
/// How often the click log is looked at, so that the clicks of a second go together.
const CLICKS_LOOK: Duration = Duration::from_millis(500);
/// How often the log of deliveries is trimmed.
const TRIM_LOOK: Duration = Duration::from_secs(60);
/// Rows of the log that one transaction takes away: a few milliseconds.
const TRIMMED_AT_ONCE: u32 = 200;
/// How long finished deliveries are kept.
const KEPT_MS: i64 = 30 * DAY_MS;
/// Delivered ones that are kept for each webhook: they are only looked at.
const DELIVERED_KEPT: u32 = 2_000;
/// Failed ones that are kept for each webhook: they may be sent again.
const FAILED_KEPT: u32 = 10_000;
/// Deliveries of one webhook that may wait, so that ten thousand links in one call fit several times; at some 3 KB each,
/// and a body is stored once for all webhooks.
pub(super) const WAITING_MAX: u64 = 50_000;
/// As many of clicks, which must leave room for the rest: half an hour of a link that is clicked every second.
const CLICKS_WAITING_MAX: u64 = 2_000;

/// Says what receivers read: the surface that brands know knows how.
pub trait Teller: Send + Sync + 'static {
    /// What is told of an event; `None` = what it is about is gone.
    ///
    /// # Errors
    /// The books cannot be read.
    fn event(&self, view: &View<'_>, event: &Waiting) -> Result<Option<Told>, Error>;

    /// What is told of these clicks on one link; `None` = it is gone.
    ///
    /// # Errors
    /// The books cannot be read.
    fn clicks(&self, view: &View<'_>, link: LinkNo, clicks: &[Click]) -> Result<Option<Value>, Error>;
}

/// What is told.
#[derive(Debug)]
pub struct Told {
    /// Whose events are told in their order.
    pub link: Option<LinkNo>,
    pub data: Value,
}

/// What became of events and deliveries, for `/metrics`.
#[derive(Debug, Default)]
pub struct Tally {
    /// Events that were queued for somebody.
    pub events: AtomicU64,
    /// Clicks told in them.
    pub clicks: AtomicU64,
    pub delivered: AtomicU64,
    /// Attempts that failed, by [`crate::integrations::receiver::FailureKind`].
    pub failed: [AtomicU64; 5],
    /// Deliveries that were given up after three days.
    pub given_up: AtomicU64,
    /// Webhooks that were disabled for lasting failure.
    pub disabled: AtomicU64,
    /// Deliveries that were not queued, because too many wait for that webhook.
    pub full: AtomicU64,
    /// Clicks among them.
    pub clicks_full: AtomicU64,
    /// Events of what was gone before it could be told.
    pub gone: AtomicU64,
    /// Orders and clicks that were too old to be news.
    pub old: AtomicU64,
    /// Events that could not be written.
    pub unreadable: AtomicU64,
    /// Deliveries that are under way.
    pub in_flight: AtomicU64,
    /// Frames of the click log that were not looked at yet.
    pub click_lag: AtomicU64,
}

/// What the parts tell each other.
#[derive(Debug, Default)]
pub struct Desk {
    pub tally: Tally,
    /// Told when a delivery may be due.
    due: Notify,
}

impl Desk {
    /// A delivery may be due now.
    pub(super) fn wake(&self) {
        self.due.notify_one();
    }
}

fn count(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}

/// An event as it is sent.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    id: &'a str,
    event: &'static str,
    created_at: String,
    data: &'a Value,
}

/// The body of an event.
///
/// # Errors
/// [`Error::Internal`]: what is told has no JSON.
pub(super) fn body(id: &str, trigger: Trigger, at: Timestamp, data: &Value) -> Result<String, Error> {
    let envelope = Envelope {
        id,
        event: trigger.word(),
        created_at: at.to_string(),
        data,
    };
    serde_json::to_string(&envelope).map_err(|error| Error::Internal(error.to_string()))
}

/// Turns what happens into deliveries, until the server stops.
pub async fn tell(context: Context, clicks: clicklog::Reader, teller: Arc<dyn Teller>) {
    let mut desk = Telling {
        context,
        clicks,
        teller,
        feed: clicks::Feed::default(),
        looked: None,
        clicks_at: Instant::now(),
        trim_at: Instant::now(),
    };
    let mut has_failed = false;
    while !desk.context.is_stopping() {
        let turned = desk.turn().await;
        match &turned {
            // Once an outage, not five times a second.
            Err(error) if !has_failed => tracing::error!(%error, "webhooks are not told at the moment"),
            _ => {}
        }
        has_failed = turned.is_err();
        if !matches!(turned, Ok(true)) {
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// What one turn of the telling needs, and when its slower parts are due.
struct Telling {
    context: Context,
    clicks: clicklog::Reader,
    teller: Arc<dyn Teller>,
    feed: clicks::Feed,
    /// When nothing was left to tell, and what had been committed before.
    looked: Option<(Instant, u64)>,
    clicks_at: Instant,
    trim_at: Instant,
}

impl Telling {
    /// Whether the books say what they said when nothing was left to tell: then they are not read again.
    fn is_quiet(&self, now: Instant, commits: u64) -> bool {
        let is_recent = |at: Instant| now.saturating_duration_since(at) < QUIET_LOOK;
        self.looked.is_some_and(|(at, known)| known == commits && is_recent(at))
    }

    /// A little of everything that is due; whether there is more.
    async fn turn(&mut self) -> Result<bool, Error> {
        let (now, commits) = (Instant::now(), self.context.inner.books.commits());
        let is_quiet = self.is_quiet(now, commits);
        if is_quiet && !self.feed.is_wanted() && now < self.trim_at {
            return Ok(false);
        }
        let mut is_busy = !is_quiet && outbox::turn(&self.context, &self.teller).await?;
        let is_fed = now >= self.clicks_at;
        if is_fed {
            let has_more = self.feed.turn(&self.context, &self.clicks, &self.teller).await?;
            self.clicks_at = if has_more { now } else { now + CLICKS_LOOK };
            is_busy |= has_more;
        }
        if now >= self.trim_at {
            let has_more = trim(&self.context).await?;
            self.trim_at = if has_more { now } else { now + TRIM_LOOK };
            is_busy |= has_more;
        }
        // Whether anybody wants clicks was asked as well.
        if !is_quiet && !is_busy && is_fed {
            self.looked = Some((now, commits));
        }
        Ok(is_busy)
    }
}

/// Sends what is due, until the server stops.
pub async fn deliver(context: Context, poster: Poster) {
    deliver::run(context, poster).await;
}

/// Takes a little of the log away; whether there may be more.
async fn trim(context: &Context) -> Result<bool, Error> {
    let now = context.inner.clock.now();
    let kept = Kept {
        oldest: now.plus_ms(-KEPT_MS),
        delivered: DELIVERED_KEPT,
        failed: FAILED_KEPT,
    };
    let looked = context
        .inner
        .books
        .read(move |view| webhook_delivery::surplus(view, kept, now, TRIMMED_AT_ONCE).map_err(Error::from));
    let surplus = looked.await?;
    if surplus.is_empty() {
        return Ok(false);
    }
    let trimmed = context
        .inner
        .books
        .commit(move |tx| webhook_delivery::trim(tx, &surplus).map_err(Error::from));
    trimmed.await.map(|()| true)
}

/// Room for deliveries of one webhook, as of one transaction.
struct Room(std::collections::HashMap<i64, u64>);

impl Room {
    fn new() -> Self {
        Self(std::collections::HashMap::new())
    }

    /// Takes one place, if fewer than `most` deliveries of `webhook` wait.
    fn take(&mut self, view: &View<'_>, webhook: i64, most: u64) -> Result<bool, Error> {
        let waiting = match self.0.entry(webhook) {
            std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::hash_map::Entry::Vacant(unknown) => {
                let most = u32::try_from(WAITING_MAX).unwrap_or(u32::MAX);
                unknown.insert(webhook_delivery::count_waiting(view, webhook, most)?)
            }
        };
        let has_room = *waiting < most;
        *waiting += u64::from(has_room);
        Ok(has_room)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_says_first_what_it_is() {
        let data = serde_json::json!({ "key": "a\"b" });
        let text = body("evt_1", Trigger::LinkCreated, Timestamp(1_700_000_000_000), &data);
        assert_eq!(
            text.expect("a body"),
            r#"{"id":"evt_1","event":"link.created","createdAt":"2023-11-14T22:13:20.000Z","data":{"key":"a\"b"}}"#
        );
    }
}
