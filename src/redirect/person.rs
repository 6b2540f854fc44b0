//! Who follows: person or program, opted in or out, known or new. Decided from the request alone.

use memchr::memchr2;

use super::record::{DomainRecord, LinkRecord};
use super::request::Request;
use super::throttle::network;
use super::worker::{Keys, Shared, Worker};
use crate::domain::api_key;
use crate::domain::click::{ClickFlags, LANGUAGE_MAX, REFERRER_MAX, cut};
use crate::domain::consent::Signals;
use crate::domain::outside::Place;
use crate::domain::query;
use crate::domain::time::Timestamp;
use crate::domain::user_agent::UserAgent;
use crate::domain::visitor::{self, CookieName, Visitor};

/// What is known of the follower.
#[derive(Debug)]
pub(super) struct Person<'a> {
    pub flags: ClickFlags,
    pub place: Place<'a>,
    /// What the click log keeps of the user agent, where that is known already.
    pub agent: Option<UserAgent>,
    /// From a valid cookie.
    pub known: Option<Visitor>,
    /// Keyed hash of address and user agent; 0 for those who must not be recognised, and for those who
    /// are known.
    pub identity: u64,
    /// The A/B variant that this person belongs to, from 1; 0 = none: what is logged.
    pub variant: u8,
    /// The A/B variant whose offer is the answer, or the target; not 0 for those who belong to no variant and see the first.
    pub offered: u8,
    /// The request showed a cookie of ours, valid or not.
    pub has_cookie: bool,
}

impl<'a> Person<'a> {
    /// Reads who follows `link` on `domain`.
    pub fn read(
        request: &Request<'_>,
        domain: &DomainRecord,
        link: &LinkRecord,
        worker: &'a Worker,
        keys: &Keys,
        now: Timestamp,
    ) -> Self {
        let place = worker.shared.places.find(request.address);
        let agent = worker.agents.borrow_mut().read(request.user_agent);
        let mut flags = agent.class.with(marks(request, &worker.shared, now));
        if domain.consent.is_opted_out(&signals(request, place.country)) {
            flags = flags.with(ClickFlags::OPTED_OUT);
        }
        let text = visitor::cookie_value(request.cookie, CookieName::of(link.workspace).as_str());
        let mut person = Self {
            flags,
            place,
            agent: agent.parsed,
            known: None,
            identity: 0,
            variant: 0,
            offered: 0,
            has_cookie: text.is_some(),
        };
        if person.may_be_recognised() {
            person.known = text.and_then(|text| Visitor::verify(text, link.workspace, &keys.cookie));
            // Nobody asks for the hash of whom a cookie names.
            if person.known.is_none() {
                person.identity = visitor::hash_identity(
                    &keys.salt,
                    now.day(),
                    link.workspace,
                    &network(request.address),
                    &agent.digest,
                );
            }
        }
        person
    }

    /// Finds the variant of `link`'s experiment, if one runs. A visitor keeps his by the number in his cookie. Without
    /// one it is that of his identity, so that who refuses cookies keeps his for the day; the number that he is given
    /// now will lead to the same ([`super::worker::Worker::new_visitor`]). Whoever must not be recognised sees the
    /// first and belongs to none.
    pub fn take_part(&mut self, link: &LinkRecord, now: Timestamp) {
        let Some(experiment) = link.running(now) else { return };
        if !self.may_be_recognised() {
            self.offered = 1;
            return;
        }
        let visitor = self.known.map_or(self.identity, |known| known.id);
        self.variant = experiment.split.variant_of(visitor);
        self.offered = self.variant;
    }

    /// Whether a visitor number, a cookie and a journey may be kept.
    pub fn may_be_recognised(&self) -> bool {
        let shy = ClickFlags::BOT.0 | ClickFlags::HEAD.0 | ClickFlags::PREFETCH.0 | ClickFlags::OPTED_OUT.0;
        self.flags.0 & shy == 0
    }

    /// Whether the follow is a person's that takes one of a limited number of uses.
    pub fn is_use(&self) -> bool {
        let others = ClickFlags::BOT.0 | ClickFlags::HEAD.0 | ClickFlags::PREFETCH.0 | ClickFlags::TEST.0;
        self.flags.0 & others == 0
    }
}

/// What a request says of itself, besides its user agent.
fn marks(request: &Request<'_>, shared: &Shared, now: Timestamp) -> ClickFlags {
    let mut flags = ClickFlags::default();
    if request.is_head {
        flags = flags.with(ClickFlags::HEAD);
    }
    if request.is_prefetch {
        flags = flags.with(ClickFlags::PREFETCH);
    }
    if !request.test_key.is_empty() && request.test_key.len() <= api_key::KEY_MAX {
        let is_known = shared.table.key(&api_key::hash(request.test_key), now).is_some();
        flags = if is_known { flags.with(ClickFlags::TEST) } else { flags };
    }
    if request.query.contains("qr=1") && query::value_of(request.query, "qr").as_deref() == Some("1") {
        flags = flags.with(ClickFlags::QR);
    }
    flags
}

fn signals(request: &Request<'_>, country: Option<[u8; 2]>) -> Signals {
    let mut signals = Signals {
        gpc: request.gpc,
        dnt: request.dnt,
        country,
        ..Signals::default()
    };
    if request.query.contains("gdpr") {
        signals.gdpr_applies = query::value_of(request.query, "gdpr").as_deref() == Some("1");
        signals.has_consent_string =
            query::value_of(request.query, "gdpr_consent").is_some_and(|text| !text.is_empty());
    }
    signals
}

/// First language of `Accept-Language`, such as `de-DE`; empty when it is none.
pub(super) fn first_language(header: &str) -> &str {
    let end = memchr2(b',', b';', header.as_bytes()).unwrap_or(header.len());
    let tag = header[..end].trim();
    let is_tag = tag.len() <= LANGUAGE_MAX && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if is_tag { tag } else { "" }
}

/// A referrer without query and fragment, which can hold names and tokens.
pub(super) fn bare_referrer(referrer: &str) -> &str {
    let bare = &referrer[..memchr2(b'?', b'#', referrer.as_bytes()).unwrap_or(referrer.len())];
    let is_web = bare.starts_with("https://") || bare.starts_with("http://") || bare.starts_with("android-app://");
    if is_web { cut(bare, REFERRER_MAX) } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_reduced_to_what_reports_show() {
        assert_eq!(first_language("de-DE,de;q=0.9,en;q=0.8"), "de-DE");
        assert_eq!(first_language("*"), "");
        assert_eq!(first_language("\"><script>"), "");
        assert_eq!(
            bare_referrer("https://l.instagram.com/x?token=secret#y"),
            "https://l.instagram.com/x"
        );
        assert_eq!(bare_referrer("javascript:alert(1)"), "");
    }
}
