//! A click that a page or a brand's server tells of: on the page that a link would have led to, without the detour.
//!
//! Logged as a follow is, with the same eyes for bots, test traffic, opt-outs and repeats. No cookie is set, for the page
//! is somebody else's: who comes again is known by the day's hash of address and agent. An experiment has no part in it:
//! the page that was seen is not one that the link's variants chose.

use super::counters::bump;
use super::lane::Ticket;
use super::person::Person;
use super::record::LinkRecord;
use super::request::Request;
use super::view::View;
use super::worker::Worker;
use crate::domain::click::{ClickFlags, Outcome};
use crate::domain::click_id::ClickId;
use crate::domain::host;
use crate::domain::id::{LinkNo, WorkspaceNo};
use crate::domain::slug;

/// What became of a click that was told.
#[derive(Debug)]
pub enum Tracked {
    Clicked {
        link: LinkNo,
        /// `None` where whoever clicked has opted out and the domain has no legal basis for it.
        click_id: Option<String>,
        /// As in [`super::Redirect`].
        ticket: Option<Ticket>,
    },
    /// The workspace has no such link.
    NotFound,
    /// Disabled, expired or used up.
    Gone,
    /// Not loaded yet.
    Unavailable,
}

impl Worker {
    /// Logs a click on the link of `workspace` that `request` names by host and path; its query is the page's. With
    /// `knows_address` false the address is not the follower's, and nobody is known again by it.
    pub fn track(&self, request: &Request<'_>, workspace: WorkspaceNo, knows_address: bool) -> Tracked {
        let now = self.shared.clock.now();
        let View { domains, links, .. } = &mut *self.view.borrow_mut();
        let domain = domains.find(&host::of_authority(request.host));
        let slug = slug::of_path(request.path);
        let link = slug.as_ref().and_then(|slug| links.find(domain.no, slug));
        let Some(link) = link.filter(|link| link.workspace == workspace) else {
            let is_loaded = self.shared.table.is_loaded();
            let counter = if is_loaded {
                &self.counters.not_found
            } else {
                &self.counters.unavailable
            };
            bump(counter, 1);
            return if is_loaded {
                Tracked::NotFound
            } else {
                Tracked::Unavailable
            };
        };
        let mut keys = self.keys.borrow_mut();
        let keys = keys.load();
        let mut person = Person::read(request, domain, link, self, keys, now);
        if !knows_address {
            person.identity = 0;
            person.place = Default::default();
        }
        if link.limit.is_some() && !self.shared.table.are_uses_known() {
            bump(&self.counters.unavailable, 1);
            return Tracked::Unavailable;
        }
        let is_over = link.is_disabled || link.expires_at.is_some_and(|end| end <= now);
        if is_over || !takes_use(link, &mut person, self.seat) {
            bump(&self.counters.gone, 1);
            return Tracked::Gone;
        }
        let id = ClickId {
            at: now,
            node: self.shared.options.node,
            sequence: self.next_sequence(),
            link: link.no,
        };
        let may_send_id = !person.flags.has(ClickFlags::OPTED_OUT) || domain.has_legal_basis;
        if may_send_id {
            person.flags = person.flags.with(ClickFlags::ID_SENT);
        }
        let new_visitor = if person.may_be_recognised() && person.known.is_none() && knows_address {
            self.new_visitor(link, &person).id
        } else {
            0
        };
        let outcome = Outcome::Destination;
        let ticket = self.enqueue(request, domain, link, &person, outcome, new_visitor, &id, None);
        bump(&self.counters.redirected, 1);
        Tracked::Clicked {
            link: link.no,
            click_id: may_send_id.then(|| id.sign(&keys.click_id).as_str().to_owned()),
            ticket,
        }
    }
}

/// Whether a use was left of a link with a limit, or none was needed; what was taken is noted.
fn takes_use(link: &LinkRecord, person: &mut Person<'_>, seat: usize) -> bool {
    let Some(limit) = &link.limit else { return true };
    if !person.is_use() {
        return limit.has_left();
    }
    person.flags = person.flags.with(ClickFlags::USE);
    limit.take(seat)
}
