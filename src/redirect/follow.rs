//! The hot path on one screen: resolve, read who it is, gate, locate, set the cookie, enqueue.

use std::mem;
use std::sync::Arc;

use super::codes::Claim;
use super::counters::bump;
use super::land::{Landed, Page, Shown, page_for};
use super::lane::{Agent, Full, NewClick, Ticket};
use super::locate::locate;
use super::person::{Person, bare_referrer, first_language};
use super::record::{DomainRecord, LinkRecord};
use super::request::Request;
use super::view::View;
use super::worker::{Keys, Redirect, Refusal, Reply, Worker};
use crate::domain::click::{ClickFlags, Outcome, Tapped, UTM_MAX, UTM_NAMES, cut};
use crate::domain::click_id::ClickId;
use crate::domain::id::LinkNo;
use crate::domain::time::Timestamp;
use crate::domain::visitor::{CookieName, Touch, Visitor};
use crate::domain::{host, query, slug};

/// Room for a usual location without growing.
pub(super) const LOCATION_CAPACITY: usize = 512;
/// Room for a cookie of eight touches on a domain with a usual name.
const COOKIE_CAPACITY: usize = 256;

impl Worker {
    /// Answers a GET or HEAD of a path that is not reserved.
    pub fn follow(&self, request: &Request<'_>) -> Reply {
        let now = self.shared.clock.now();
        let View {
            domains, stores, links, ..
        } = &mut *self.view.borrow_mut();
        let domain = domains.find(&host::of_authority(request.host));
        let slug = slug::of_path(request.path);
        let Some(link) = slug.as_ref().and_then(|slug| links.find(domain.no, slug)) else {
            return self.nowhere(domain, request, now);
        };
        let mut keys = self.keys.borrow_mut();
        let keys = keys.load();
        let mut person = Person::read(request, domain, link, self, keys, now);
        let is_locked = Self::is_locked(request, link, keys, now);
        if let Some(reply) = self.gate(domain, link, &mut person, !is_locked, now) {
            return reply;
        }
        let detour = match self.receive(request, domain, link, &mut person, is_locked, now) {
            Ok(detour) => detour,
            Err(reply) => return reply,
        };
        let offer = detour.offer(link, &person);
        let id = self.next_id(link.no, now);
        let store = offer.store().and_then(|store| stores.find(store));
        let may_send_id = !person.flags.has(ClickFlags::OPTED_OUT) || domain.has_legal_basis;
        if let (None, Some(landed)) = (detour.app, page_for(offer, store)) {
            let shown = Shown {
                click: id,
                variant: person.offered,
                may_send_id: link.sends_click_id && may_send_id,
                domain: domain.no,
                slug: slug.as_deref().unwrap_or_default(),
                notice: None,
                now,
            };
            return self.land(request, domain, Arc::clone(link), person, landed, &shown, keys);
        }
        let id_text = (link.sends_click_id && may_send_id).then(|| id.sign(&keys.click_id));
        if id_text.is_some() {
            person.flags = person.flags.with(ClickFlags::ID_SENT);
        }
        let (cookie, new_visitor) = self.cookie(request, domain, link, &person, keys, now);
        let mut location = self.blank_location();
        let outcome = locate(
            &mut location,
            offer,
            store.map(|store| &**store),
            request,
            id_text.as_ref().map(|text| text.as_str()),
            Claim::of(self.shared.table.codes(), link, &person, new_visitor, id, now).as_ref(),
        );
        let ticket = self.enqueue(request, domain, link, &person, outcome, new_visitor, &id, None);
        if let Some(kind) = detour.page(request, link, &person, &location) {
            return self.between(kind, cookie, ticket);
        }
        let (counter, status) = match offer.cart {
            Some(_) => (&self.counters.carts, 303),
            None => (&self.counters.redirected, 302),
        };
        bump(counter, 1);
        Reply::Redirect(Redirect {
            status,
            location,
            cookie,
            ticket,
            hides_referrer: false,
        })
    }

    /// Gets near what [`Self::follow`] will read for these hosts and paths.
    pub fn foresee<'a>(&self, asked: impl Iterator<Item = (&'a str, &'a str)>) {
        let View { domains, links, .. } = &mut *self.view.borrow_mut();
        links.foresee(asked.filter_map(|(host, path)| {
            let domain = domains.find(&host::of_authority(host)).no;
            Some((domain, slug::of_path(path)?))
        }));
    }

    /// An empty text with room for a location.
    pub(super) fn blank_location(&self) -> String {
        let mut location = mem::take(&mut self.spare.borrow_mut().location);
        location.reserve(LOCATION_CAPACITY);
        location
    }

    /// The id of a click of `link`.
    pub(super) fn next_id(&self, link: LinkNo, now: Timestamp) -> ClickId {
        ClickId {
            at: now,
            node: self.shared.options.node,
            sequence: self.next_sequence(),
            link,
        }
    }

    /// The page of a cart link, logged as any click.
    #[expect(clippy::too_many_arguments, reason = "what follow() has found out, handed on once")]
    fn land(
        &self,
        request: &Request<'_>,
        domain: &DomainRecord,
        link: Arc<LinkRecord>,
        mut person: Person<'_>,
        landed: Landed,
        shown: &Shown<'_>,
        keys: &Keys,
    ) -> Reply {
        person.flags = person.flags.with(ClickFlags::PAGE);
        let (cookie, new_visitor) = self.cookie(request, domain, &link, &person, keys, shown.now);
        let (outcome, id) = (landed.outcome, &shown.click);
        let ticket = self.enqueue(request, domain, &link, &person, outcome, new_visitor, id, None);
        bump(&self.counters.pages, 1);
        let page = landed.page(link, shown, &self.shared, keys);
        Reply::Page(Box::new(Page { cookie, ticket, ..page }))
    }

    /// As [`Self::miss`], or where the domain sends those who meet no link.
    fn nowhere(&self, domain: &DomainRecord, request: &Request<'_>, now: Timestamp) -> Reply {
        elsewhere(self.miss(request, now), domain)
    }

    /// Nothing is there, or not yet. Too many of these from one address are told so.
    pub(super) fn miss(&self, request: &Request<'_>, now: Timestamp) -> Reply {
        if !self.is_loaded() {
            return self.unavailable();
        }
        self.missed(request, now)
    }

    fn missed(&self, request: &Request<'_>, now: Timestamp) -> Reply {
        if request.path != "/" && self.shared.throttle.miss(request.address, now) {
            bump(&self.counters.throttled, 1);
            return Reply::Refused(Refusal::TooMany);
        }
        bump(&self.counters.not_found, 1);
        Reply::Refused(Refusal::NotFound)
    }

    /// Answers for a link that is not in the books either, while the table fills.
    pub fn absent(&self, request: &Request<'_>) -> Reply {
        let now = self.shared.clock.now();
        let domains = &mut self.view.borrow_mut().domains;
        let domain = domains.find(&host::of_authority(request.host));
        elsewhere(self.missed(request, now), domain)
    }

    /// Answers for what cannot be known yet.
    pub fn unavailable(&self) -> Reply {
        bump(&self.counters.unavailable, 1);
        Reply::Refused(Refusal::Unavailable)
    }

    /// Disabled, expired, used up: in this order. A follow that passes has taken its use if `takes` says so.
    fn gate(
        &self,
        domain: &DomainRecord,
        link: &LinkRecord,
        person: &mut Person<'_>,
        takes: bool,
        now: Timestamp,
    ) -> Option<Reply> {
        let is_over = link.expires_at.is_some_and(|end| end <= now);
        let is_counted = link.limit.is_some() && !link.is_disabled && !is_over;
        if is_counted && !self.shared.table.are_uses_known() {
            return Some(self.unavailable());
        }
        let is_used_up = !is_over
            && !link.is_disabled
            && link.limit.as_ref().is_some_and(|limit| {
                if takes && person.is_use() {
                    !limit.take(self.seat)
                } else {
                    !limit.has_left()
                }
            });
        if !link.is_disabled && !is_over && !is_used_up {
            if takes && link.limit.is_some() && person.is_use() {
                person.flags = person.flags.with(ClickFlags::USE);
            }
            return None;
        }
        bump(&self.counters.gone, 1);
        let elsewhere = link.expired_url.as_ref().or(domain.expired_url.as_ref());
        Some(match elsewhere.filter(|_| !link.is_disabled) {
            Some(url) => send_to(url),
            None => Reply::Refused(Refusal::Gone),
        })
    }

    /// The `Set-Cookie` value, and the visitor's number when the cookie is new.
    pub(super) fn cookie(
        &self,
        request: &Request<'_>,
        domain: &DomainRecord,
        link: &LinkRecord,
        person: &Person<'_>,
        keys: &Keys,
        now: Timestamp,
    ) -> (Option<String>, u64) {
        let name = CookieName::of(link.workspace);
        let secure = if request.is_secure { "; Secure" } else { "" };
        if !person.may_be_recognised() {
            // An opt-out also ends a recognition that began before it.
            let forget = person.has_cookie && person.flags.has(ClickFlags::OPTED_OUT);
            let cookie = forget.then(|| {
                let (name, parent) = (name.as_str(), &domain.cookie_domain);
                format!("{name}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax{secure}{parent}")
            });
            return (cookie, 0);
        }
        let mut visitor = person.known.unwrap_or_else(|| self.new_visitor(link, person));
        visitor.add(Touch::new(link.no, now));
        let mut cookie = mem::take(&mut self.spare.borrow_mut().cookie);
        cookie.reserve(COOKIE_CAPACITY);
        cookie.push_str(name.as_str());
        cookie.push('=');
        visitor.sign(link.workspace, &keys.cookie, &mut cookie);
        for end in [&*self.cookie_end, secure, &domain.cookie_domain] {
            cookie.push_str(end);
        }
        (Some(cookie), if person.known.is_some() { 0 } else { visitor.id })
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the one place where all that was found out comes together"
    )]
    pub(super) fn enqueue(
        &self,
        request: &Request<'_>,
        domain: &DomainRecord,
        link: &LinkRecord,
        person: &Person<'_>,
        outcome: Outcome,
        visitor_new: u64,
        id: &ClickId,
        tapped: Option<Tapped>,
    ) -> Option<Ticket> {
        let destination = &link.offer(person.offered).destination;
        // What the follower brings is his; the destination says the rest.
        let utm = query::values_of([request.query, query::of_url(destination)], &UTM_NAMES);
        let click = NewClick {
            sequence: id.sequence,
            at: id.at,
            workspace: link.workspace,
            domain: domain.no,
            link: link.no,
            flags: person.flags,
            outcome,
            variant: person.variant,
            country: person.place.country.unwrap_or_default(),
            region: person.place.region,
            city: person.place.city,
            visitor_known: person.known.map_or(0, |visitor| visitor.id),
            visitor_new,
            identity: person.identity,
            user_agent: match person.agent {
                Some(parsed) => Agent::Parsed(parsed),
                None => Agent::Text(request.user_agent),
            },
            language: first_language(request.accept_language),
            referrer: bare_referrer(request.referrer),
            utm: std::array::from_fn(|place| cut(&utm[place], UTM_MAX)),
            journey: person.known.as_ref().map_or(&[], Visitor::touches),
            tapped,
        };
        let is_durable = self.shared.options.is_durable;
        let queued = self.lane.borrow_mut().push(&click, is_durable);
        queued.unwrap_or_else(|Full| {
            bump(&self.counters.details_lost, 1);
            None
        })
    }
}

/// `miss`, or where `domain` sends those who meet no link.
fn elsewhere(miss: Reply, domain: &DomainRecord) -> Reply {
    match (miss, &domain.not_found_url) {
        (Reply::Refused(Refusal::NotFound), Some(url)) => send_to(url),
        (reply, _) => reply,
    }
}

/// A redirect that counts as no click.
fn send_to(url: &str) -> Reply {
    Reply::Redirect(Redirect {
        status: 302,
        location: url.to_owned(),
        cookie: None,
        ticket: None,
        hides_referrer: false,
    })
}
