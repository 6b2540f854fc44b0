//! Carts that others link to on a domain bound to a store: logged, credited and sent on like a cart link, with the cart
//! that the link itself spells out.

use std::sync::Arc;

use super::counters::bump;
use super::follow::LOCATION_CAPACITY;
use super::lane::Ticket;
use super::person::Person;
use super::record::{DomainRecord, LinkRecord, StoreRecord};
use super::request::Request;
use super::worker::{Redirect, Reply, Worker};
use crate::domain::cart::{self, Asked, CartRequest, Choice, StockPolicy};
use crate::domain::click::{ClickFlags, Outcome};
use crate::domain::id::StoreNo;
use crate::domain::query;

/// A cart that a link spells out, and whose link it counts as.
#[derive(Debug)]
pub struct Inbound {
    pub domain: Arc<DomainRecord>,
    pub store_no: StoreNo,
    pub store: Arc<StoreRecord>,
    /// The link that such clicks count on; `None` while there is none: then the click is counted as lost.
    pub link: Option<Arc<LinkRecord>>,
    /// `None` when the link could not be read: the follower goes to the store's front.
    pub asked: Option<Asked>,
}

impl Worker {
    /// Answers a GET or HEAD that spells out a cart.
    pub fn follow_inbound(&self, request: &Request<'_>, inbound: Inbound) -> Reply {
        let now = self.shared.clock.now();
        let mut keys = self.keys.borrow_mut();
        let keys = keys.load();
        let Some(link) = inbound.link.as_ref() else {
            bump(&self.counters.unlogged, 1);
            let (location, _) = lead_on(request, &inbound, None);
            return to(location, None, None);
        };
        let mut person = Person::read(request, &inbound.domain, link, self, keys, now);
        let id = self.next_id(link.no, now);
        let may_send_id = !person.flags.has(ClickFlags::OPTED_OUT) || inbound.domain.has_legal_basis;
        let id_text = may_send_id.then(|| id.sign(&keys.click_id));
        if may_send_id {
            person.flags = person.flags.with(ClickFlags::ID_SENT);
        }
        let (location, outcome) = lead_on(request, &inbound, id_text.as_ref().map(|text| text.as_str()));
        let (cookie, new_visitor) = self.cookie(request, &inbound.domain, link, &person, keys, now);
        let ticket = self.enqueue(request, &inbound.domain, link, &person, outcome, new_visitor, &id, None);
        bump(&self.counters.carts, 1);
        to(location, cookie, ticket)
    }
}

/// A permalink is answered with 303, is not stored, and tells the shop no referrer (UCP permalink, "Response").
fn to(location: String, cookie: Option<String>, ticket: Option<Ticket>) -> Reply {
    Reply::Redirect(Redirect {
        status: 303,
        location,
        cookie,
        ticket,
        hides_referrer: true,
    })
}

/// Where the follower goes: the cart as far as it fits and stock allows, else the store's front.
fn lead_on(request: &Request<'_>, inbound: &Inbound, click_id: Option<&str>) -> (String, Outcome) {
    let store = &*inbound.store;
    let shelf = store.shelf.load();
    let mut location = String::with_capacity(LOCATION_CAPACITY);
    let fitted = inbound
        .asked
        .clone()
        .and_then(|asked| cart::fit(asked, inbound.store_no, store.provider, &store.base, &shelf));
    let Some((cart, left_out)) = fitted else {
        front(&mut location, store, request, click_id);
        return (location, Outcome::Destination);
    };
    let (lines, outcome) = match cart::choose(&cart, &StockPolicy::default(), &shelf) {
        Choice::Whole(lines) if left_out.is_empty() => (lines, Outcome::Cart),
        Choice::Whole(lines) | Choice::WithFallback(lines) | Choice::Reduced(lines) => (lines, Outcome::CartReduced),
        Choice::Nothing => {
            front(&mut location, store, request, click_id);
            return (location, Outcome::OutOfStock);
        }
    };
    let sent = CartRequest {
        base: &store.base,
        cart: &cart,
        lines: &lines,
        code: None,
        click_id,
        request_query: request.query,
        utm: &[const { None }; 5],
    };
    cart::write(&mut location, store.provider, &sent);
    (location, outcome)
}

fn front(location: &mut String, store: &StoreRecord, request: &Request<'_>, click_id: Option<&str>) {
    let extra: &[(&str, &str)] = match &click_id {
        Some(click_id) => &[(cart::CLICK_ID_ATTRIBUTE, click_id)],
        None => &[],
    };
    query::merge(location, &store.front, &query::forwarded_to_cart(request.query), extra);
}
