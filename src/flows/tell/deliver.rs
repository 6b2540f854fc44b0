//! From deliveries to receivers: a few at once, in the order of each link, again with growing pauses where it fails.
//!
//! What was sent is noted before the same delivery can be sent again; what a stop cuts off is sent again under its id.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::JoinSet;

use super::super::context::Context;
use super::super::error::Error;
use super::{LOOK, QUIET_LOOK, count};
use crate::books::webhook_delivery::{self, Attempt, Due, State};
use crate::books::{self, Tx};
use crate::domain::time::Timestamp;
use crate::domain::webhook::{Because, Disabled, GIVE_UP_MS, Webhook, pause_ms};
use crate::integrations::receiver::{FailureKind, Letter, Outcome, Poster};

/// Deliveries under way at once: at 5 s each for the slowest, and a few milliseconds for the others.
const AT_ONCE_MAX: usize = 32;
/// Of one webhook, so that a slow receiver takes no other's place.
const AT_ONCE_FOR_ONE: usize = 4;
/// Pause between attempts to note what became of a delivery while the books cannot be written.
const NOTE_AGAIN: Duration = Duration::from_secs(1);

/// What is under way.
#[derive(Default)]
struct Office {
    deliveries: HashSet<i64>,
    by_webhook: HashMap<i64, usize>,
    /// When the first of the others is due.
    next: Option<Timestamp>,
    /// Which webhook is served first: another one each time, so that none waits for the others.
    first: usize,
}

pub(super) async fn run(context: Context, poster: Poster) {
    let mut office = Office::default();
    let mut under_way: JoinSet<(i64, i64)> = JoinSet::new();
    let (mut is_asked, mut has_failed) = (true, false);
    while !context.is_stopping() {
        let is_due = office.next.is_some_and(|at| at <= context.inner.clock.now());
        if is_asked || is_due {
            let filled = office.fill(&context, &poster, &mut under_way).await;
            if let (Err(error), false) = (&filled, has_failed) {
                tracing::error!(%error, "deliveries cannot be looked up");
            }
            has_failed = filled.is_err();
        }
        // While none waits for its time, whoever queues one says so.
        let look = if office.next.is_some() || has_failed {
            LOOK
        } else {
            QUIET_LOOK
        };
        is_asked = tokio::select! {
            Some(done) = under_way.join_next() => {
                match done {
                    Ok(done) => office.forget(done),
                    Err(error) => tracing::error!(%error, "a delivery ended badly: it is sent again after a restart"),
                }
                true
            }
            () = context.inner.telling.due.notified() => true,
            () = tokio::time::sleep(look) => has_failed,
        };
        let count = under_way.len() as u64;
        context.inner.telling.tally.in_flight.store(count, Ordering::Relaxed);
    }
}

impl Office {
    /// Sends what is due, as far as there is room.
    async fn fill(
        &mut self,
        context: &Context,
        poster: &Poster,
        under_way: &mut JoinSet<(i64, i64)>,
    ) -> Result<(), Error> {
        let now = context.inner.clock.now();
        let by_webhook = self.by_webhook.clone();
        let found = context.inner.books.read(move |view| {
            let (mut found, mut next) = (Vec::new(), None::<Timestamp>);
            for (no, at, is_failing) in webhook_delivery::next_due(view)? {
                let busy = by_webhook.get(&no).copied().unwrap_or_default();
                // One that fails is tried with one delivery; the others wait for what becomes of it.
                let places = if is_failing { 1 } else { AT_ONCE_FOR_ONE };
                // What is due may wait for an earlier one of its link, which is due later.
                let later = match at > now {
                    true => Some(at),
                    false => webhook_delivery::due_after(view, no, now)?,
                };
                next = next.into_iter().chain(later).min();
                if at <= now
                    && busy < places
                    && let Some(webhook) = books::webhook::by_no(view, no)?
                {
                    // Those under way are among what is found.
                    let due = webhook_delivery::due(view, no, now, u32::try_from(places + busy).unwrap_or(u32::MAX))?;
                    found.push((webhook, due, places - busy));
                }
            }
            Ok::<_, Error>((found, next))
        });
        let (mut found, next) = found.await?;
        self.next = next;
        self.first = self.first.wrapping_add(1);
        let turns = self.first % found.len().max(1);
        found.rotate_left(turns);
        for (webhook, due, places) in found {
            let free = due.into_iter().filter(|due| !self.deliveries.contains(&due.no));
            let room = AT_ONCE_MAX.saturating_sub(under_way.len());
            let chosen: Vec<Due> = free.take(places.min(room)).collect();
            for due in chosen {
                self.deliveries.insert(due.no);
                *self.by_webhook.entry(webhook.no).or_default() += 1;
                under_way.spawn(send(context.clone(), poster.clone(), webhook.clone(), due));
            }
        }
        // What waits for one that is under way, or for room, is found when that is done.
        Ok(())
    }

    fn forget(&mut self, (webhook, delivery): (i64, i64)) {
        self.deliveries.remove(&delivery);
        if let Some(busy) = self.by_webhook.get_mut(&webhook) {
            *busy = busy.saturating_sub(1);
            if *busy == 0 {
                self.by_webhook.remove(&webhook);
            }
        }
    }
}

/// Sends one delivery and notes what became of it; the numbers of the webhook and of the delivery.
async fn send(context: Context, poster: Poster, webhook: Webhook, due: Due) -> (i64, i64) {
    let now = context.inner.clock.now();
    let old = webhook.old_secret.iter().filter(|(_, until)| *until > now);
    let mut secrets = vec![webhook.secret.as_str()];
    secrets.extend(old.map(|(secret, _)| secret.as_str()));
    let letter = Letter {
        url: &webhook.url,
        secrets,
        id: &due.event_id,
        body: &due.body,
        now,
    };
    let outcome = poster.post(letter).await;
    let done = (webhook.no, due.no);
    let mut has_failed = false;
    while !context.is_stopping() {
        match note(&context, &due, &outcome).await {
            Ok(()) => break,
            Err(error) if !has_failed => tracing::error!(%error, "what became of a delivery cannot be noted yet"),
            Err(_) => {}
        }
        has_failed = true;
        tokio::time::sleep(NOTE_AGAIN).await;
    }
    done
}

/// What an attempt came to.
#[derive(Default)]
struct Noted {
    is_given_up: bool,
    /// Public id of the webhook that was disabled.
    disabled: Option<String>,
}

async fn note(context: &Context, due: &Due, outcome: &Outcome) -> Result<(), Error> {
    let (now, draw) = (context.inner.clock.now(), context.inner.entropy.number());
    let (due, sent) = (due.clone(), outcome.clone());
    let noted = context
        .inner
        .books
        .commit(move |tx| note_in(tx, &due, &sent, now, draw));
    let noted = noted.await?;
    let desk = &context.inner.telling;
    match &outcome.error {
        None => count(&desk.tally.delivered, 1),
        Some(failure) => count(&desk.tally.failed[failure.kind as usize], 1),
    }
    count(&desk.tally.given_up, u64::from(noted.is_given_up));
    if let Some(webhook) = noted.disabled {
        tracing::warn!(
            webhook,
            "a webhook is disabled: its receiver took nothing for days, or wants no more"
        );
        count(&desk.tally.disabled, 1);
    }
    Ok(())
}

fn note_in(tx: &Tx<'_>, due: &Due, outcome: &Outcome, now: Timestamp, draw: u64) -> Result<Noted, Error> {
    let Some(mut webhook) = books::webhook::by_no(tx, due.webhook)? else {
        return Ok(Noted::default());
    };
    let attempt = Attempt {
        at: now,
        took_ms: u32::try_from(outcome.took.as_millis()).unwrap_or(u32::MAX),
        status: outcome.status,
        error: outcome.error.as_ref().map(|failure| failure.message.clone()),
        answer: outcome.answer.clone(),
    };
    let Some(failure) = &outcome.error else {
        webhook_delivery::note(tx, due.no, &attempt, State::Delivered, now)?;
        webhook.health = webhook.health.after_success(now);
        books::webhook::update(tx, &webhook)?;
        return Ok(Noted::default());
    };
    let again_at = now.plus_ms(pause_ms(due.attempts.saturating_add(1), draw));
    let is_given_up = again_at.since(due.since) > GIVE_UP_MS;
    let state = if is_given_up { State::Failed } else { State::Waiting };
    webhook_delivery::note(tx, due.no, &attempt, state, again_at)?;
    webhook.health = webhook.health.after_failure(now, draw.rotate_left(32));
    let because = match failure.kind {
        FailureKind::Gone => Some(Because::Gone),
        _ if webhook.health.is_lasting(now) => Some(Because::Failing),
        _ => None,
    };
    let is_new = because.is_some() && webhook.disabled.is_none();
    if let (Some(because), true) = (because, is_new) {
        webhook.disabled = Some(Disabled { at: now, because });
    }
    books::webhook::update(tx, &webhook)?;
    Ok(Noted {
        is_given_up,
        disabled: is_new.then_some(webhook.id),
    })
}
