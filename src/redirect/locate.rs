//! Where a follow leads: the offered destination with the query merged in, or the cart as stock allows, with the
//! follower's own code where the cart has a pool of them.

use std::sync::Arc;

use super::codes::Claim;
use super::record::{CartRecord, Offer, StoreRecord};
use super::request::Request;
use crate::domain::cart::{self, CLICK_ID_ATTRIBUTE, CartRequest, Choice};
use crate::domain::click::{Outcome, UTM_NAMES};
use crate::domain::code_pool::PoolCode;
use crate::domain::query;

/// Appends the location of `offer` to `out` and says what the follower gets.
pub(super) fn locate(
    out: &mut String,
    offer: &Offer,
    store: Option<&StoreRecord>,
    request: &Request<'_>,
    click_id: Option<&str>,
    claim: Option<&Claim<'_>>,
) -> Outcome {
    match (&offer.cart, store) {
        (Some(cart), Some(store)) => locate_cart(out, cart, store, request, click_id, claim),
        _ => {
            merge(out, &offer.destination, request.query, click_id);
            Outcome::Destination
        }
    }
}

fn locate_cart(
    out: &mut String,
    record: &CartRecord,
    store: &StoreRecord,
    request: &Request<'_>,
    click_id: Option<&str>,
    claim: Option<&Claim<'_>>,
) -> Outcome {
    let shelf = store.shelf.load();
    let (lines, outcome) = match cart::choose(&record.cart, &record.policy, &shelf) {
        Choice::Whole(lines) => (lines, Outcome::Cart),
        Choice::WithFallback(lines) => (lines, Outcome::CartWithFallback),
        Choice::Reduced(lines) => (lines, Outcome::CartReduced),
        Choice::Nothing => {
            let target = record.policy.redirect_url.as_deref().unwrap_or(&store.front);
            merge(out, target, &forwarded(record, request.query), click_id);
            return Outcome::OutOfStock;
        }
    };
    let code = own_code(record, claim);
    let request = CartRequest {
        base: &store.base,
        cart: &record.cart,
        lines: &lines,
        code: code.as_ref().map(|code| code.code.as_str()),
        click_id,
        request_query: request.query,
        utm: &record.utm,
    };
    cart::write(out, store.provider, &request);
    outcome
}

/// The follower's own code for a cart that has a pool, where there is one.
pub(super) fn own_code(record: &CartRecord, claim: Option<&Claim<'_>>) -> Option<Arc<PoolCode>> {
    claim?.code(record.cart.code_pool?)
}

fn merge(out: &mut String, destination: &str, request_query: &str, click_id: Option<&str>) {
    match click_id {
        Some(click_id) => query::merge(out, destination, request_query, &[(CLICK_ID_ATTRIBUTE, click_id)]),
        None => query::merge(out, destination, request_query, &[]),
    }
}

/// What a cart forwards of a query, for the page that stands in for the cart.
fn forwarded(record: &CartRecord, request_query: &str) -> String {
    let mut kept = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in UTM_NAMES.iter().zip(&record.utm) {
        if let Some(value) = value
            .as_deref()
            .filter(|_| query::value_of(request_query, name).is_none())
        {
            kept.append_pair(name, value);
        }
    }
    for (name, value) in url::form_urlencoded::parse(request_query.as_bytes()) {
        if query::is_forwarded_to_cart(&name) {
            kept.append_pair(&name, &value);
        }
    }
    kept.finish()
}
