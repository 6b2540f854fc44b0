//! Cart links whose answer is a page: what is shown, decided from memory; drawing it is for `web`.
//!
//! The click is logged like any other. What the page shows travels in its signed token, so that the tap that follows
//! gets exactly that or a new page.

use std::sync::Arc;

use super::lane::Ticket;
use super::record::{CartRecord, CreatorRecord, LinkRecord, Offer, StoreRecord};
use super::worker::{Keys, Shared};
use crate::domain::cart::{self, Choice, Landing, OnOut};
use crate::domain::click::Outcome;
use crate::domain::click_id::ClickId;
use crate::domain::form_token::FormToken;
use crate::domain::id::DomainNo;
use crate::domain::page_token::PageToken;
use crate::domain::store::Shelf;
use crate::domain::time::Timestamp;

/// Which page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageKind {
    /// The cart, with a button to the shop.
    Cart,
    /// Nothing is left; an e-mail address may be left.
    Waitlist,
    /// Nothing is left.
    SoldOut,
}

/// Why a follower sees a page again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageNotice {
    /// What the page showed cannot be bought any more.
    StockChanged,
    /// The page was drawn too long ago.
    Expired,
    /// Every quantity was 0.
    NothingChosen,
}

/// A page to be drawn: everything of one moment, so that nothing on it disagrees.
#[derive(Debug)]
pub struct Page {
    pub kind: PageKind,
    pub notice: Option<PageNotice>,
    pub link: Arc<LinkRecord>,
    /// The A/B variant that is shown, from 1; 0 = the link's own cart.
    pub variant: u8,
    pub store: Arc<StoreRecord>,
    pub shelf: Arc<Shelf>,
    pub creator: Option<Arc<CreatorRecord>>,
    /// What the form sends back.
    pub token: String,
    /// When it is drawn: prices are fresh or not as of now.
    pub now: Timestamp,
    /// Value of `Set-Cookie`.
    pub cookie: Option<String>,
    /// Tells when the click is on disk; only in durable mode, and only when it was queued.
    pub ticket: Option<Ticket>,
}

impl Page {
    /// The cart that is shown.
    pub fn cart(&self) -> Option<&CartRecord> {
        self.link.offer(self.variant).cart.as_deref()
    }
}

/// What is known when a page may be the answer.
pub(super) struct Landed {
    pub kind: PageKind,
    pub outcome: Outcome,
    pub store: Arc<StoreRecord>,
    pub shelf: Arc<Shelf>,
}

/// Whether `offer` is answered with a page now, and with which; `None` = with a redirect.
pub(super) fn page_for(offer: &Offer, store: Option<&Arc<StoreRecord>>) -> Option<Landed> {
    let cart = offer.cart.as_ref().filter(|cart| cart.may_show_page())?;
    let store = store?;
    let shelf = store.shelf.load_full();
    let (kind, outcome) = kind_of(cart, &shelf)?;
    Some(Landed {
        kind,
        outcome,
        store: Arc::clone(store),
        shelf,
    })
}

/// The page that `cart` asks for; `None` where it asks for a redirect.
fn kind_of(cart: &CartRecord, shelf: &Shelf) -> Option<(PageKind, Outcome)> {
    let is_page = cart.cart.landing == Landing::Page;
    let outcome = match cart::choose(&cart.cart, &cart.policy, shelf) {
        Choice::Whole(_) => Outcome::Cart,
        Choice::WithFallback(_) => Outcome::CartWithFallback,
        Choice::Reduced(_) => Outcome::CartReduced,
        Choice::Nothing => {
            let kind = match (cart.policy.on_out, &cart.policy.redirect_url) {
                (OnOut::Waitlist, _) => PageKind::Waitlist,
                (_, None) if is_page => PageKind::SoldOut,
                _ => return None,
            };
            return Some((kind, Outcome::OutOfStock));
        }
    };
    is_page.then_some((PageKind::Cart, outcome))
}

/// What a page is drawn for.
pub(super) struct Shown<'a> {
    pub click: ClickId,
    pub variant: u8,
    pub may_send_id: bool,
    pub domain: DomainNo,
    pub slug: &'a str,
    pub notice: Option<PageNotice>,
    pub now: Timestamp,
}

impl Landed {
    /// The page of `link`, with the token of what it shows.
    pub fn page(self, link: Arc<LinkRecord>, shown: &Shown<'_>, shared: &Shared, keys: &Keys) -> Page {
        let token = match self.kind {
            PageKind::Waitlist => form_token(&link, shown).sign(&keys.click_id),
            PageKind::Cart | PageKind::SoldOut => self.page_token(&link, shown).sign(&keys.click_id),
        };
        Page {
            kind: self.kind,
            notice: shown.notice,
            creator: link.creator.and_then(|creator| shared.table.creator(creator)),
            link,
            variant: shown.variant,
            store: self.store,
            shelf: self.shelf,
            token,
            now: shown.now,
            cookie: None,
            ticket: None,
        }
    }

    /// What a cart's page shows, for its button.
    fn page_token(&self, link: &LinkRecord, shown: &Shown<'_>) -> PageToken {
        let (fingerprint, codes) = match &link.offer(shown.variant).cart {
            Some(cart) => {
                let picked = cart::pick(&cart.cart, &cart.policy, &self.shelf);
                (
                    cart.fingerprint,
                    picked.iter().map(|(picked, _)| picked.code()).collect(),
                )
            }
            None => (0, Vec::new()),
        };
        PageToken {
            click: shown.click,
            may_send_id: shown.may_send_id,
            variant: shown.variant,
            domain: shown.domain,
            drawn_at: shown.now,
            cart: fingerprint,
            shown: codes,
            slug: shown.slug.to_owned(),
        }
    }
}

/// Whose page a waiting list's is, for its form.
fn form_token(link: &LinkRecord, shown: &Shown<'_>) -> FormToken {
    FormToken {
        workspace: link.workspace,
        store: link.offer(shown.variant).store().unwrap_or_default(),
        link: link.no,
        variant: shown.variant,
        domain: shown.domain,
        slug: shown.slug.to_owned(),
        issued_at: shown.now,
    }
}
