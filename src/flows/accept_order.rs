//! What shops tell about orders and refunds becomes money under a creator's name: verified, once, in one transaction.
//!
//! A delivery that was seen before, or that tells nothing new, changes nothing and is answered as well.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::context::Context;
use super::error::Error;
use super::publish_store;
use crate::books::{self, Tx};
use crate::clicklog;
use crate::domain::attribution::{self, ClickEvidence, CodeEvidence, Evidence};
use crate::domain::click::Click;
use crate::domain::click_id::ClickId;
use crate::domain::keyring::Keyring;
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
    /// All that it tells; taken together or not at all.
    pub events: Vec<OrderEvent>,
    /// Whether it came over UCP: a valid click id on it shows that the shop returns what its permalinks carry.
    pub is_ucp: bool,
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// It changed the books.
    Changed,
    /// It was seen before, or told nothing new.
    Unchanged,
}

impl Accepted {
    /// Changed when either did.
    pub(super) fn or(self, other: Self) -> Self {
        if self == Self::Changed { self } else { other }
    }
}

/// A click id that came back, verified.
pub(super) struct Returned {
    text: String,
    id: ClickId,
    record: Option<Click>,
}

/// Who may have signed the deliveries of a webhook URL.
#[derive(Debug, Clone, Default)]
pub struct Signers {
    pub secrets: Vec<String>,
    /// JSON array of JWKs, from the store's UCP profile.
    pub signing_keys: Option<String>,
}

/// The store that a webhook URL names, with those who may have signed.
pub async fn store_of_hook(context: &Context, store_id: &str) -> Result<Option<(Store, Signers)>, Error> {
    let store_id = store_id.to_owned();
    context
        .inner
        .books
        .read(move |view| {
            let Some(store) = books::store::by_public_id(view, &store_id)? else {
                return Ok(None);
            };
            let signers = Signers {
                secrets: books::store::secrets(view, store.no)?,
                signing_keys: books::ucp_profile::of_store(view, store.no)?.and_then(|profile| profile.signing_keys),
            };
            Ok(Some((store, signers)))
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
    let click_ids = keys.load().click_id.clone();
    let mut returned = Vec::with_capacity(delivery.events.len());
    for event in &delivery.events {
        returned.push(match event {
            OrderEvent::Order(snapshot) => verify_click(clicks, &click_ids, snapshot.click_id.as_deref()).await,
            _ => None,
        });
    }
    let now = context.inner.clock.now();
    let no = store.no;
    let taken = context
        .inner
        .books
        .commit(move |tx| take(tx, &store, delivery, returned, now));
    let (accepted, is_news) = taken.await?;
    if is_news {
        // From the next follow on, carts with the permalink `auto` go where click ids come back from.
        publish_store::publish_again(context, no).await?;
    }
    Ok(accepted)
}

/// What a delivery does to the books, with the verified click id of each of its events; and whether the store was not
/// known before to return click ids over UCP.
fn take(
    tx: &Tx<'_>,
    store: &Store,
    delivery: Delivery,
    returned: Vec<Option<Returned>>,
    now: Timestamp,
) -> Result<(Accepted, bool), Error> {
    if !books::delivery::record(tx, store.no, &delivery.id, &delivery.topic, now)? {
        return Ok((Accepted::Unchanged, false));
    }
    let is_order = |event: &OrderEvent| matches!(event, OrderEvent::Order(_));
    if delivery.events.iter().any(is_order) {
        books::pulse::beat(tx, store.no, now)?;
    }
    let mut accepted = Accepted::Unchanged;
    let mut returns_click_ids = false;
    for (event, returned) in delivery.events.into_iter().zip(returned) {
        accepted = accepted.or(match event {
            OrderEvent::Order(told) => {
                let (accepted, has_click) = accept_order(tx, store, &told, returned, now)?;
                returns_click_ids |= delivery.is_ucp && has_click;
                accepted
            }
            OrderEvent::Refund(refund) => accept_refund(tx, store, &refund, now)?,
            OrderEvent::Ignored => Accepted::Unchanged,
        });
    }
    let is_news = returns_click_ids && books::store::set_returns_click_ids(tx, store.no)?;
    Ok((accepted, is_news))
}

/// Verifies a click id that came back and finds its click; the look-up reads the log and so leaves this thread.
pub(super) async fn verify_click(
    clicks: &clicklog::Reader,
    click_ids: &Keyring,
    text: Option<&str>,
) -> Option<Returned> {
    let text = text?.trim().to_owned();
    let id = ClickId::verify(&text, click_ids)?;
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

/// What became of the order, and whether a valid click of the store's own workspace stands behind it.
pub(super) fn accept_order(
    tx: &Tx<'_>,
    store: &Store,
    told: &OrderSnapshot,
    returned: Option<Returned>,
    now: Timestamp,
) -> Result<(Accepted, bool), Error> {
    let known = books::order::load(tx, store.no, &told.external_id)?;
    let Some(snapshot) = order::merge(known.as_ref().map(|(order, _)| &order.snapshot), told) else {
        return Ok((Accepted::Unchanged, false));
    };
    let told_click = returned.as_ref().map(|returned| returned.text.clone());
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
    let has_click = told_click.is_some() && evidence.click.map(|click| click.click_id) == told_click;
    Ok((Accepted::Changed, has_click))
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
        variant: returned.record.as_ref().map_or(0, |click| click.variant),
        journey: Vec::new(),
    };
    let journey = returned.record.map(|click| click.journey).unwrap_or_default();
    Ok(Some(evidence.with_journey(&journey)))
}

pub(super) fn accept_refund(tx: &Tx<'_>, store: &Store, refund: &Refund, now: Timestamp) -> Result<Accepted, Error> {
    let amount = refund
        .amount()
        .ok_or_else(|| Error::invalid("refund_line_items", "add up to more than fits"))?;
    // No order that is believed holds more, and so sums of refunds always fit.
    let amount = amount.min(order::REVENUE_MAX);
    let is_new = books::refund::insert(tx, store.no, refund, amount, now)?;
    Ok(if is_new { Accepted::Changed } else { Accepted::Unchanged })
}

#[cfg(test)]
mod tests;
