//! From the outbox into deliveries: a slice at a time, in order. An event leaves the outbox in the transaction that queues
//! it, so it is queued once, whatever ends in between.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::context::Context;
use super::super::error::Error;
use super::{Room, Teller, WAITING_MAX, body, count};
use crate::books::outbox::Waiting;
use crate::books::webhook_delivery::NewEvent;
use crate::books::{self, Tx, View};
use crate::domain::id::WorkspaceNo;
use crate::domain::time::{DAY_MS, Timestamp};
use crate::domain::webhook::{Facts, Trigger, Webhook};

/// Events of one slice: some 20 ms of reading, and ten of the books' writer with a few webhooks each.
const SLICE: u32 = 100;

/// Orders that were placed before are not told: a payment that settles late is days behind, never weeks.
const SALE_AGE_MS_MAX: i64 = 14 * DAY_MS;

/// A slice, written out.
#[derive(Default)]
struct Written {
    events: Vec<NewEvent>,
    /// The last one that was looked at.
    last: Option<i64>,
    is_full: bool,
    gone: u64,
    old: u64,
    unreadable: u64,
}

/// Queues the next slice; whether there is more.
pub(super) async fn turn(context: &Context, teller: &Arc<dyn Teller>) -> Result<bool, Error> {
    let (inner, teller, now) = (context.clone(), Arc::clone(teller), context.inner.clock.now());
    let written = context.inner.books.read(move |view| {
        let mut written = Written::default();
        let waiting = books::outbox::oldest(view, SLICE)?;
        written.is_full = waiting.len() == SLICE as usize;
        written.last = waiting.last().map(|event| event.no);
        for event in waiting {
            if is_old(view, &event, now)? {
                written.old += 1;
                continue;
            }
            match teller.event(view, &event) {
                Ok(Some(told)) => written.events.push(write(&inner, &event, &told)?),
                Ok(None) => written.gone += 1,
                Err(Error::Unavailable) => return Err(Error::Unavailable),
                Err(error) => {
                    // One that cannot be told must not hold up the others for ever.
                    tracing::error!(%error, event = event.no, "an event is not told: it cannot be written out");
                    written.unreadable += 1;
                }
            }
        }
        Ok::<_, Error>(written)
    });
    let written = written.await?;
    let Some(last) = written.last else { return Ok(false) };
    let Written {
        events,
        is_full,
        gone,
        old,
        unreadable,
        ..
    } = written;
    let queued = context.inner.books.commit(move |tx| {
        let queued = queue(tx, &events, now)?;
        books::outbox::remove_through(tx, last)?;
        Ok::<_, Error>(queued)
    });
    let (queued, full) = queued.await?;
    let desk = &context.inner.telling;
    count(&desk.tally.events, queued);
    count(&desk.tally.full, full);
    count(&desk.tally.gone, gone);
    count(&desk.tally.old, old);
    count(&desk.tally.unreadable, unreadable);
    desk.wake();
    Ok(is_full)
}

/// Whether the event is of an order that was placed long ago: what a file brings in is no news.
fn is_old(view: &View<'_>, event: &Waiting, now: Timestamp) -> Result<bool, Error> {
    let Some(Facts::Sale(no)) = event.facts else {
        return Ok(false);
    };
    let sale = books::conversion::sale(view, no)?;
    Ok(sale.is_some_and(|sale| now.since(sale.at) > SALE_AGE_MS_MAX))
}

fn write(context: &Context, event: &Waiting, told: &super::Told) -> Result<NewEvent, Error> {
    let id = context.new_id("evt_");
    let created_at = event.at.unwrap_or_else(|| context.inner.clock.now());
    Ok(NewEvent {
        body: body(&id, event.trigger, created_at, &told.data)?,
        id,
        workspace: event.workspace,
        trigger: event.trigger,
        link: told.link,
        created_at,
    })
}

/// Queues `events` for whoever wants them now; how many events were queued, and how many deliveries had no room.
fn queue(tx: &Tx<'_>, events: &[NewEvent], now: Timestamp) -> Result<(u64, u64), Error> {
    let mut wanting: HashMap<(WorkspaceNo, Trigger), Vec<Webhook>> = HashMap::new();
    let mut room = Room::new();
    let (mut queued, mut full) = (0, 0);
    for event in events {
        let whom = (event.workspace, event.trigger);
        if let std::collections::hash_map::Entry::Vacant(unknown) = wanting.entry(whom) {
            unknown.insert(books::webhook::wanting(tx, event.workspace, event.trigger)?);
        }
        let mut no = None;
        for webhook in &wanting[&whom] {
            if !room.take(tx, webhook.no, WAITING_MAX)? {
                books::webhook::add_untold(tx, webhook.no, 1)?;
                full += 1;
                continue;
            }
            let no = match no {
                Some(no) => no,
                None => *no.insert(books::webhook_delivery::insert_event(tx, event)?),
            };
            books::webhook_delivery::queue(tx, webhook.no, no, event.link, now)?;
        }
        queued += u64::from(no.is_some());
    }
    Ok((queued, full))
}
