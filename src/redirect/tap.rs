//! A tap on a landing page's button: logged on the click that the page was for, then on to the shop with exactly what
//! the page showed. Whatever does not fit any more gets the page again, with a word on why.

use std::sync::Arc;

use super::codes::Claim;
use super::counters::bump;
use super::follow::LOCATION_CAPACITY;
use super::land::{Page, PageNotice, Shown, page_for};
use super::locate::{locate, own_code};
use super::person::Person;
use super::reception::FIRST_TARGET;
use super::record::{LinkRecord, StoreRecord};
use super::request::Request;
use super::view::View;
use super::worker::{Keys, Redirect, Refusal, Reply, Worker};
use crate::domain::cart::{self, CartRequest, QUANTITY_MAX, Refill};
use crate::domain::click::{ClickFlags, Outcome, Tapped};
use crate::domain::click_id::ClickId;
use crate::domain::host;
use crate::domain::page_token::PageToken;

/// Longest form that is read, in bytes: a token and 50 quantities, with room for names.
pub const FORM_MAX: usize = 4096;

/// The form of a landing page.
#[derive(Debug, Default)]
struct Form<'a> {
    token: std::borrow::Cow<'a, str>,
    /// By place in the cart; what is not there was not on the page or is not wanted.
    quantities: Vec<u32>,
}

impl<'a> Form<'a> {
    /// Reads `token`, `q0`, `q1`, …; everything else is somebody else's and left alone.
    fn read(text: &'a str) -> Self {
        let mut form = Self::default();
        for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
            if name == "token" {
                form.token = value;
            } else if let Some(place) = name.strip_prefix('q').and_then(|place| place.parse::<usize>().ok())
                && place < cart::ITEMS_MAX
            {
                if form.quantities.len() <= place {
                    form.quantities.resize(place + 1, 0);
                }
                form.quantities[place] = value.trim().parse().map_or(0, |pieces: u32| pieces.min(QUANTITY_MAX));
            }
        }
        form
    }
}

impl Worker {
    /// Answers the form of a landing page; `request` is the POST, its query what the page was told to pass on.
    pub fn tap(&self, request: &Request<'_>, form: &str) -> Reply {
        let now = self.shared.clock.now();
        let mut keys = self.keys.borrow_mut();
        let keys = keys.load();
        let View {
            domains, stores, links, ..
        } = &mut *self.view.borrow_mut();
        let domain = domains.find(&host::of_authority(request.host));
        let form = Form::read(form);
        let token = PageToken::verify(&form.token, &keys.click_id).filter(|token| token.domain == domain.no);
        let Some(token) = token else {
            return self.miss(request, now);
        };
        let link = links.find(token.domain, &token.slug);
        if link.is_none() && !self.is_loaded() {
            return self.unavailable();
        }
        let link = link.filter(|link| {
            link.no == token.click.link && !link.is_disabled && link.expires_at.is_none_or(|end| end > now)
        });
        let found = link.and_then(|link| Some((link, stores.find(link.offer(token.variant).store()?)?)));
        let Some((link, store)) = found else {
            bump(&self.counters.gone, 1);
            return Reply::Refused(Refusal::Gone);
        };
        let mut person = Person::read(request, domain, link, self, keys, now);
        // Taken on the way to the shop, not when the page is drawn: most who look at one do not go on.
        let claim = Claim::of(self.shared.table.codes(), link, &person, 0, token.click, now);
        let (location, outcome) = match self.lead_on(request, link, store, &token, &form, keys, claim.as_ref()) {
            Ok(found) => found,
            Err(page) => {
                bump(&self.counters.pages, 1);
                return Reply::Page(page);
            }
        };
        person.flags = person.flags.with(ClickFlags::TAP);
        person.offered = token.variant;
        if person.may_be_recognised() {
            person.variant = if token.variant < FIRST_TARGET { token.variant } else { 0 };
        }
        if token.may_send_id {
            person.flags = person.flags.with(ClickFlags::ID_SENT);
        }
        let id = ClickId {
            at: now,
            sequence: self.next_sequence(),
            ..token.click
        };
        let tapped = Tapped {
            sequence: token.click.sequence,
            at: token.click.at,
        };
        let ticket = self.enqueue(request, domain, link, &person, outcome, 0, &id, Some(tapped));
        bump(&self.counters.taps, 1);
        Reply::Redirect(Redirect {
            status: 303,
            location,
            cookie: None,
            ticket,
            hides_referrer: false,
        })
    }

    /// Where the tap leads and what the follower gets there; or the page once more.
    #[expect(clippy::too_many_arguments, reason = "what tap() has found out, handed on once")]
    fn lead_on(
        &self,
        request: &Request<'_>,
        link: &Arc<LinkRecord>,
        store: &Arc<StoreRecord>,
        token: &PageToken,
        form: &Form<'_>,
        keys: &Keys,
        claim: Option<&Claim<'_>>,
    ) -> Result<(String, Outcome), Box<Page>> {
        let now = self.shared.clock.now();
        let click_id = token.may_send_id.then(|| token.click.sign(&keys.click_id));
        let click_id = click_id.as_ref().map(|text| text.as_str());
        let mut location = String::with_capacity(LOCATION_CAPACITY);
        let offer = link.offer(token.variant);
        let Some(landed) = page_for(offer, Some(store)) else {
            // The link has become a direct one since.
            let outcome = locate(&mut location, offer, Some(store), request, click_id, claim);
            return Ok((location, outcome));
        };
        let refill = offer.cart.as_deref().map(|record| {
            let (cart, is_same) = (&record.cart, record.fingerprint == token.cart);
            let refill = cart::refill(cart, &record.policy, &landed.shelf, &token.shown, &form.quantities);
            (record, if is_same { refill } else { Refill::StockChanged })
        });
        let notice = match refill {
            _ if token.is_expired(now) => PageNotice::Expired,
            Some((record, Refill::Lines(lines))) => {
                let code = own_code(record, claim);
                let sent = CartRequest {
                    base: &store.base,
                    cart: &record.cart,
                    lines: &lines,
                    code: code.as_ref().map(|code| code.code.as_str()),
                    click_id,
                    request_query: request.query,
                    utm: &record.utm,
                };
                cart::write(&mut location, store.provider, &sent);
                return Ok((location, landed.outcome));
            }
            Some((_, Refill::NothingChosen)) => PageNotice::NothingChosen,
            Some((_, Refill::StockChanged)) | None => PageNotice::StockChanged,
        };
        let shown = Shown {
            click: token.click,
            variant: token.variant,
            may_send_id: token.may_send_id,
            domain: token.domain,
            slug: &token.slug,
            notice: Some(notice),
            now,
        };
        Err(Box::new(landed.page(Arc::clone(link), &shown, &self.shared, keys)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_read_softly() {
        let quantities = |text| Form::read(text).quantities;
        assert_eq!(quantities("token=t&q0=1&q2=3"), [1, 0, 3]);
        assert_eq!(quantities("q0=-1&q1=many&q2=1000&q49=2").len(), 50);
        assert_eq!(quantities("q0=-1&q1=many&q2=1000"), [0, 0, QUANTITY_MAX]);
        assert_eq!(quantities("q50=1&q=1&qx=1&q18446744073709551616=1"), [0; 0]);
        assert_eq!(Form::read("token=a%2Bb&token=c").token, "c");
    }
}
