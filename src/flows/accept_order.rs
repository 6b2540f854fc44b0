//! What shops tell about orders and refunds becomes money under a creator's name: verified, once, in one transaction.
//!
//! A delivery that was seen before, or that tells nothing new, changes nothing and is answered as well.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::context::Context;
use super::credit_order::Desk;
use super::error::Error;
use super::hand_out_codes;
use super::look_up_order::{self, Seen};
use super::publish_store;
use crate::books::{self, Tx};
use crate::clicklog;
use crate::domain::customer::CustomerKey;
use crate::domain::order::{self, OrderEvent, Refund};
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
    let mut seen = Vec::with_capacity(delivery.events.len());
    for event in &delivery.events {
        seen.push(match event {
            OrderEvent::Order(told) => look_up_order::look_up(context, clicks, &click_ids, &store, told).await,
            _ => Seen::default(),
        });
    }
    let codes = delivery.events.iter().flat_map(|event| match event {
        OrderEvent::Order(told) => told.codes.as_slice(),
        _ => &[],
    });
    let codes: Vec<String> = codes.cloned().collect();
    let (no, now) = (store.no, context.inner.clock.now());
    let desk = Desk {
        customers: CustomerKey::of(&click_ids, store.workspace),
        store,
        now,
    };
    let taken = context.inner.books.commit(move |tx| take(tx, &desk, delivery, seen));
    let (accepted, is_news) = taken.await?;
    if let Err(error) = hand_out_codes::forget_used(context, no, codes).await {
        // The order is in the books: at worst a follower is sent a used code for the rest of a day.
        tracing::warn!(%error, "it could not be forgotten whose an order's codes are");
    }
    if is_news {
        // From the next follow on, carts with the permalink `auto` go where click ids come back from.
        publish_store::publish_again(context, no).await?;
    }
    Ok(accepted)
}

/// What a delivery does to the books, with what was seen beside each of its events; and whether the store was not known
/// before to return click ids over UCP.
fn take(tx: &Tx<'_>, desk: &Desk, delivery: Delivery, seen: Vec<Seen>) -> Result<(Accepted, bool), Error> {
    let (store, now) = (&desk.store, desk.now);
    if !books::delivery::record(tx, store.no, &delivery.id, &delivery.topic, now)? {
        return Ok((Accepted::Unchanged, false));
    }
    let is_order = |event: &OrderEvent| matches!(event, OrderEvent::Order(_));
    if delivery.events.iter().any(is_order) {
        books::pulse::beat(tx, store.no, now)?;
    }
    let mut accepted = Accepted::Unchanged;
    let mut returns_click_ids = false;
    for (event, seen) in delivery.events.into_iter().zip(seen) {
        accepted = accepted.or(match event {
            OrderEvent::Order(told) => {
                let (accepted, has_click) = desk.take_order(tx, &told, seen)?;
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
