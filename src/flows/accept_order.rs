//! What shops tell about orders and refunds becomes money under a creator's name: verified, once, in one transaction.
//!
//! A delivery that was seen before, or that tells nothing new, changes nothing and is answered as well.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::context::Context;
use super::error::Error;
use crate::books::{self, Tx};
use crate::clicklog;
use crate::domain::attribution::{self, ClickEvidence, CodeEvidence, Evidence};
use crate::domain::click::Click;
use crate::domain::click_id::ClickId;
use crate::domain::order::{self, Order, OrderEvent, OrderSnapshot, Quarantine, Refund};
use crate::domain::store::Store;
use crate::domain::time::Timestamp;
use crate::redirect::Keys;

/// A verified delivery.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The sender's id of it.
    pub id: String,
    pub topic: String,
    pub event: OrderEvent,
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// It changed the books.
    Changed,
    /// It was seen before, or told nothing new.
    Unchanged,
}

/// A click id that came back, verified.
struct Returned {
    text: String,
    id: ClickId,
    record: Option<Click>,
}

/// The store that a webhook URL names, with the secrets that may have signed.
pub async fn store_of_hook(context: &Context, store_id: &str) -> Result<Option<(Store, Vec<String>)>, Error> {
    let store_id = store_id.to_owned();
    context
        .inner
        .books
        .read(move |view| {
            let Some(store) = books::store::by_public_id(view, &store_id)? else {
                return Ok(None);
            };
            let secrets = books::store::secrets(view, store.no)?;
            Ok(Some((store, secrets)))
        })
        .await
}

/// Acts on a delivery; durable when it returns.
pub async fn accept(
    context: &Context,
    clicks: &clicklog::Reader,
    keys: &Arc<ArcSwap<Keys>>,
    store: Store,
    delivery: Delivery,
) -> Result<Accepted, Error> {
    let returned = match &delivery.event {
        OrderEvent::Order(snapshot) => verify_click(clicks, keys, snapshot.click_id.as_deref()).await,
        _ => None,
    };
    let now = context.inner.clock.now();
    context
        .inner
        .books
        .commit(move |tx| {
            if !books::delivery::record(tx, store.no, &delivery.id, &delivery.topic, now)? {
                return Ok(Accepted::Unchanged);
            }
            match delivery.event {
                OrderEvent::Order(told) => accept_order(tx, &store, &told, returned, now),
                OrderEvent::Refund(refund) => accept_refund(tx, &store, &refund, now),
                OrderEvent::Ignored => Ok(Accepted::Unchanged),
            }
        })
        .await
}

/// Verifies a click id that came back and finds its click; the look-up reads the log and so leaves this thread.
async fn verify_click(clicks: &clicklog::Reader, keys: &Arc<ArcSwap<Keys>>, text: Option<&str>) -> Option<Returned> {
    let text = text?.trim().to_owned();
    let id = ClickId::verify(&text, &keys.load().click_id)?;
    let clicks = clicks.clone();
    let found = tokio::task::spawn_blocking(move || clicks.find(id.at, id.sequence, id.link)).await;
    let record = found.ok().and_then(|found| {
        // The id proves itself; without its record only the journey is missing.
        found
            .inspect_err(|error| tracing::warn!(%error, "the click of an order could not be looked up"))
            .ok()
            .flatten()
    });
    Some(Returned { text, id, record })
}

fn accept_order(
    tx: &Tx<'_>,
    store: &Store,
    told: &OrderSnapshot,
    returned: Option<Returned>,
    now: Timestamp,
) -> Result<Accepted, Error> {
    let known = books::order::load(tx, store.no, &told.external_id)?;
    let Some(snapshot) = order::merge(known.as_ref().map(|(order, _)| &order.snapshot), told) else {
        return Ok(Accepted::Unchanged);
    };
    let known_click = known.and_then(|(_, evidence)| evidence.click);
    let evidence = gather(tx, store, &snapshot, returned, known_click)?;
    let credit = attribution::decide(&evidence);
    let quarantine = Quarantine::of(&snapshot, &store.currency);
    if let Some(reason) = quarantine {
        tracing::warn!(order = %snapshot.name, reason = reason.as_str(), "order set aside: it is shown but not counted");
    }
    let order = Order {
        workspace: store.workspace,
        store: store.no,
        quarantine,
        creator: credit.creator,
        link: credit.link,
        snapshot,
    };
    books::order::put(tx, &order, &evidence, now)?;
    Ok(Accepted::Changed)
}

/// Everything that says who brought the order. An order that once showed a valid click keeps it.
fn gather(
    tx: &Tx<'_>,
    store: &Store,
    snapshot: &OrderSnapshot,
    returned: Option<Returned>,
    known: Option<ClickEvidence>,
) -> Result<Evidence, Error> {
    let mut codes = Vec::new();
    for code in &snapshot.codes {
        if let Some(found) = books::discount_code::by_code(tx, store.workspace, code)? {
            codes.push(CodeEvidence {
                code: code.clone(),
                creator: found.creator,
                link: found.link,
            });
        }
    }
    let click = match (returned, known) {
        // Who owned the link when the click first came back stays credited, whatever became of the link.
        (Some(returned), Some(known)) if known.click_id == returned.text => Some(known),
        (Some(returned), known) => click_evidence(tx, store, returned)?.or(known),
        (None, known) => known,
    };
    Ok(Evidence { codes, click })
}

/// The click as evidence, if it happened on a link of the store's own workspace.
fn click_evidence(tx: &Tx<'_>, store: &Store, returned: Returned) -> Result<Option<ClickEvidence>, Error> {
    let link = books::link::by_no(tx, returned.id.link)?;
    // A deleted link's click is still known to the log.
    let workspace = link
        .as_ref()
        .map(|link| link.workspace)
        .or(returned.record.as_ref().map(|click| click.workspace));
    if workspace != Some(store.workspace) {
        return Ok(None);
    }
    let evidence = ClickEvidence {
        click_id: returned.text,
        link: returned.id.link,
        creator: link.and_then(|link| link.terms.creator),
        clicked_at_ms: returned.id.at.0,
        journey: Vec::new(),
    };
    let journey = returned.record.map(|click| click.journey).unwrap_or_default();
    Ok(Some(evidence.with_journey(&journey)))
}

fn accept_refund(tx: &Tx<'_>, store: &Store, refund: &Refund, now: Timestamp) -> Result<Accepted, Error> {
    let amount = refund
        .amount()
        .ok_or_else(|| Error::invalid("refund_line_items", "add up to more than fits"))?;
    let is_new = books::refund::insert(tx, store.no, refund, amount, now)?;
    Ok(if is_new { Accepted::Changed } else { Accepted::Unchanged })
}
