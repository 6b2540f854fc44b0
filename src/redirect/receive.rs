//! How a link receives its follower before it leads on: its lock, its card, its targets, and the pages on the way. A link
//! that asks for none of this passes here untouched.

use std::sync::Arc;

use super::counters::bump;
use super::interstitial::{Interstitial, InterstitialKind};
use super::lane::Ticket;
use super::person::Person;
use super::reception::{can_tap, way_out};
use super::record::{DomainRecord, LinkRecord, Offer};
use super::request::Request;
use super::worker::{Keys, Reply, Worker};
use crate::domain::click::{ClickFlags, Outcome};
use crate::domain::id::{DomainNo, LinkNo};
use crate::domain::password::{self, PasswordHash};
use crate::domain::time::Timestamp;
use crate::domain::{host, slug, visitor};

/// Where a follower goes who does not simply go where the link leads.
#[derive(Debug, Default)]
pub(super) struct Detour<'a> {
    /// The app that is opened; the offer is then for those who have it not.
    pub app: Option<&'a str>,
    /// The place that he named himself.
    redir: Option<Offer>,
}

impl Detour<'_> {
    /// What is offered in the end.
    pub fn offer<'a>(&'a self, link: &'a LinkRecord, person: &Person<'_>) -> &'a Offer {
        self.redir.as_ref().unwrap_or_else(|| link.offer(person.offered))
    }

    /// The page that stands between the link and `location`, if one does.
    pub fn page(
        &self,
        request: &Request<'_>,
        link: &LinkRecord,
        person: &Person<'_>,
        location: &str,
    ) -> Option<InterstitialKind> {
        let reception = link.reception.as_ref()?;
        let web = || location.to_owned();
        if let Some(app) = self.app {
            let app = app.to_owned();
            return Some(InterstitialKind::OpenApp { app, web: web() });
        }
        if !reception.leaves_apps || !can_tap(person.flags) {
            return None;
        }
        let outside = way_out(request, location)?;
        Some(InterstitialKind::OpenBrowser { outside, web: web() })
    }
}

impl Worker {
    /// Whether the follower has yet to say the link's password.
    pub(super) fn is_locked(request: &Request<'_>, link: &LinkRecord, keys: &Keys, now: Timestamp) -> bool {
        link.password().is_some_and(|hash| {
            let word = visitor::cookie_value(request.cookie, &password::cookie_name(link.no));
            !word.is_some_and(|word| password::verify(word, link.no, hash, now, &keys.cookie))
        })
    }

    /// Settles what the follower is offered: the place that he named, where the domain allows it, else a target of the
    /// link's, else a variant, else its own. `Err` is the answer to those who are not led on.
    pub(super) fn receive<'a>(
        &self,
        request: &Request<'_>,
        domain: &DomainRecord,
        link: &'a Arc<LinkRecord>,
        person: &mut Person<'_>,
        is_locked: bool,
        now: Timestamp,
    ) -> Result<Detour<'a>, Reply> {
        let mut detour = Detour::default();
        match link.reception.as_deref() {
            None => person.take_part(link, now),
            Some(_) if is_locked => return Err(self.between(InterstitialKind::Locked, None, None)),
            Some(it) if it.card.is_some() && person.flags.has(ClickFlags::PREVIEW) => {
                return Err(self.preview(request, domain, link, person, now));
            }
            Some(_) => detour.app = aim(request, link, person, now),
        }
        // A cart is not left for an address: its items and its stock were promised.
        if link.offer(person.offered).cart.is_none()
            && let Some(redir) = domain.redir(request.query)
        {
            detour = Detour {
                app: None,
                redir: Some(redir),
            };
        }
        Ok(detour)
    }

    /// The link's card, for a program that fetches a preview; logged as any click.
    fn preview(
        &self,
        request: &Request<'_>,
        domain: &DomainRecord,
        link: &Arc<LinkRecord>,
        person: &Person<'_>,
        now: Timestamp,
    ) -> Reply {
        let id = self.next_id(link.no, now);
        let ticket = self.enqueue(request, domain, link, person, Outcome::Destination, 0, &id, None);
        self.between(InterstitialKind::Card(Arc::clone(link)), None, ticket)
    }

    /// The link whose card is asked for by a `+` behind its address; `None` when the `+` is part of a link's own slug, or
    /// there is no link.
    pub fn plus(&self, host: &str, path: &str) -> Option<(DomainNo, String)> {
        let domain = self.shared.table.domain(&host::of_authority(host));
        let slug = slug::of_path(path)?;
        let bare = slug.strip_suffix('+').filter(|bare| !bare.is_empty())?;
        let table = &self.shared.table;
        if table.link(domain.no, &slug).is_some() {
            return None;
        }
        table.link(domain.no, bare)?;
        Some((domain.no, bare.to_owned()))
    }

    /// The lock of the link that a path names; `None` when nobody need say a password there.
    pub fn locked(&self, host: &str, path: &str) -> Option<(LinkNo, PasswordHash)> {
        let domain = self.shared.table.domain(&host::of_authority(host));
        let link = self.shared.table.link(domain.no, &slug::of_path(path)?)?;
        let hash = link.password().filter(|_| !link.is_disabled)?;
        Some((link.no, hash.clone()))
    }

    /// A page between the link and where it leads.
    pub(super) fn between(&self, kind: InterstitialKind, cookie: Option<String>, ticket: Option<Ticket>) -> Reply {
        bump(&self.counters.pages, 1);
        Reply::Interstitial(Box::new(Interstitial { kind, cookie, ticket }))
    }
}

/// The target, else the variant that the follower is offered. The answer is the app that it opens: then what he is
/// offered is for those who have it not.
fn aim<'a>(request: &Request<'_>, link: &'a LinkRecord, person: &mut Person<'_>, now: Timestamp) -> Option<&'a str> {
    let target = link.reception.as_deref()?.target(request, &person.place, now);
    let app = match target.map(|number| (number, link.offer(number))) {
        Some((_, offer)) if offer.is_app() => Some(&*offer.destination),
        Some((number, _)) => {
            person.offered = number;
            return None;
        }
        None => None,
    };
    person.take_part(link, now);
    app.filter(|_| can_tap(person.flags))
}
