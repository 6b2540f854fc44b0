//! What the hot path keeps of links, domains and stores: only what an answer needs.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::reception::{FIRST_TARGET, ReceptionRecord};
use super::uses::Uses;
use crate::domain::app_link;
use crate::domain::cart::{self, Cart, CartBase, Landing, OnOut, StockPolicy};
use crate::domain::consent::ConsentMode;
use crate::domain::creator::Creator;
use crate::domain::destination::Policy;
use crate::domain::experiment::{Experiment, Phase, Split, Variant};
use crate::domain::id::{CodePoolNo, CreatorNo, DomainNo, LinkNo, StoreNo, WorkspaceNo};
use crate::domain::link::{Link, LinkTerms};
use crate::domain::link_domain::LinkDomain;
use crate::domain::query;
use crate::domain::reception::Target;
use crate::domain::slug;
use crate::domain::store::{Provider, Shelf, Store, StoreLook};
use crate::domain::time::Timestamp;

/// A link that can be followed.
#[derive(Debug)]
pub struct LinkRecord {
    pub no: LinkNo,
    pub workspace: WorkspaceNo,
    /// Where it leads but for experiments.
    pub own: Offer,
    pub experiment: Option<Box<ExperimentRecord>>,
    /// What is done before followers are led on; most links ask for nothing.
    pub reception: Option<Box<ReceptionRecord>>,
    pub sends_click_id: bool,
    pub creator: Option<CreatorNo>,
    pub is_disabled: bool,
    pub expires_at: Option<Timestamp>,
    pub expired_url: Option<Box<str>>,
    /// Uses that are left, where they are limited; shared by all versions of the link.
    pub limit: Option<Arc<Uses>>,
}

/// Where followers are led.
#[derive(Debug)]
pub struct Offer {
    /// Serialised URL; for a cart what is sent when its store is not known (yet).
    pub destination: String,
    pub cart: Option<Box<CartRecord>>,
}

impl Offer {
    /// One without a cart.
    #[cfg(test)]
    pub(super) fn plain(destination: &str) -> Self {
        Self {
            destination: destination.into(),
            cart: None,
        }
    }

    /// Whether it opens an app and not a page of the web.
    pub fn is_app(&self) -> bool {
        app_link::is_app_link(&self.destination)
    }

    /// What `target` of a link with `terms` leads to.
    fn of_target(target: &Target, terms: &LinkTerms) -> Self {
        let utm = filled(&target.utm, &terms.utm);
        Self::new(&target.destination, target.cart.as_ref(), &terms.stock_policy, &utm)
    }

    /// Number of the cart's store.
    pub fn store(&self) -> Option<StoreNo> {
        self.cart.as_ref().map(|record| record.cart.store)
    }

    fn new(destination: &str, cart: Option<&Cart>, policy: &StockPolicy, utm: &[Option<String>; 5]) -> Self {
        let cart = cart.map(|cart| {
            let mut record = CartRecord {
                cart: cart.clone(),
                policy: policy.clone(),
                utm: utm.clone(),
                fingerprint: 0,
            };
            if record.may_show_page() {
                record.fingerprint = cart.fingerprint();
            }
            Box::new(record)
        });
        Self {
            destination: destination.into(),
            cart,
        }
    }
}

/// What a link leads to while it is tried out, and whom to what. Kept when the experiment is over: pages that it drew
/// are still open.
#[derive(Debug)]
pub struct ExperimentRecord {
    pub split: Split,
    started_at: Timestamp,
    completed_at: Option<Timestamp>,
    variants: Box<[Offer]>,
}

impl ExperimentRecord {
    fn new(link: LinkNo, experiment: &Experiment, terms: &LinkTerms) -> Self {
        let offer = |variant: &Variant| {
            let utm = filled(&variant.utm, &terms.utm);
            Offer::new(&variant.destination, variant.cart.as_ref(), &terms.stock_policy, &utm)
        };
        Self {
            split: Split::new(link, experiment),
            started_at: experiment.started_at,
            completed_at: experiment.completed_at,
            variants: experiment.variants.iter().map(offer).collect(),
        }
    }
}

/// UTM parameters `own`, with the link's where there are none.
fn filled(own: &[Option<String>; 5], links: &[Option<String>; 5]) -> [Option<String>; 5] {
    std::array::from_fn(|place| own[place].clone().or_else(|| links[place].clone()))
}

/// A cart link's cart.
#[derive(Debug)]
pub struct CartRecord {
    pub cart: Cart,
    pub policy: StockPolicy,
    pub utm: [Option<String>; 5],
    /// Of `cart`; 0 where no page can be shown.
    pub fingerprint: u64,
}

impl CartRecord {
    /// Whether a follow may be answered with a page.
    pub fn may_show_page(&self) -> bool {
        self.cart.landing == Landing::Page || self.policy.on_out == OnOut::Waitlist
    }
}

impl LinkRecord {
    /// The record of `link`, which is limited to `limit`.
    pub fn new(link: &Link, limit: Option<Arc<Uses>>) -> Self {
        let terms = &link.terms;
        let experiment = terms.experiment.as_ref();
        Self {
            no: link.no,
            workspace: link.workspace,
            own: Offer::new(&terms.destination, terms.cart.as_ref(), &terms.stock_policy, &terms.utm),
            experiment: experiment.map(|it| Box::new(ExperimentRecord::new(link.no, it, terms))),
            reception: ReceptionRecord::new(
                terms,
                terms
                    .reception
                    .targets()
                    .map(|target| Offer::of_target(target, terms))
                    .collect(),
            ),
            sends_click_id: terms.sends_click_id(),
            creator: terms.creator,
            is_disabled: terms.disabled_at.is_some(),
            expires_at: terms.expires_at,
            expired_url: terms.expired_url.as_deref().map(Box::from),
            limit,
        }
    }

    /// A record of no link, for its memory.
    pub(super) fn empty() -> Self {
        Self {
            no: LinkNo(0),
            workspace: WorkspaceNo(0),
            own: Offer {
                destination: String::new(),
                cart: None,
            },
            experiment: None,
            reception: None,
            sends_click_id: false,
            creator: None,
            is_disabled: false,
            expires_at: None,
            expired_url: None,
            limit: None,
        }
    }

    /// Pools of the link's carts.
    pub fn code_pools(&self) -> impl Iterator<Item = CodePoolNo> + '_ {
        let variants = self.experiment.iter().flat_map(|it| it.variants.iter());
        let targets = self.reception.iter().flat_map(|it| it.offers());
        let carts = std::iter::once(&self.own).chain(variants).chain(targets);
        carts.filter_map(|offer| offer.cart.as_ref()?.cart.code_pool)
    }

    /// The experiment that splits followers up at `now`.
    pub fn running(&self, now: Timestamp) -> Option<&ExperimentRecord> {
        let running = |it: &&ExperimentRecord| Phase::of(it.started_at, it.completed_at, now) == Phase::Running;
        self.experiment.as_deref().filter(running)
    }

    /// What those are offered who got variant or target number `variant`: the link's own for 0, and for one that there
    /// is no more.
    pub fn offer(&self, variant: u8) -> &Offer {
        if variant >= FIRST_TARGET {
            let target = self.reception.as_ref().and_then(|it| it.offer(variant));
            return target.unwrap_or(&self.own);
        }
        let variants = self.experiment.as_deref().map_or(&[][..], |it| &it.variants);
        let place = usize::from(variant).checked_sub(1);
        place.and_then(|place| variants.get(place)).unwrap_or(&self.own)
    }
}

/// A link domain.
#[derive(Debug)]
pub struct DomainRecord {
    pub no: DomainNo,
    pub workspace: Option<WorkspaceNo>,
    pub consent: ConsentMode,
    pub has_legal_basis: bool,
    /// `; Domain=…` of the cookie, ready to append; empty for this host alone.
    pub cookie_domain: Box<str>,
    /// The store whose carts this host takes.
    pub store: Option<StoreNo>,
    pub not_found_url: Option<Box<str>>,
    pub expired_url: Option<Box<str>>,
    /// What a follower's `redir_url` must pass; `None` = it leads nowhere.
    pub(super) redir: Option<Box<Policy>>,
}

impl From<&LinkDomain> for DomainRecord {
    fn from(domain: &LinkDomain) -> Self {
        let cookie_domain = domain
            .cookie_domain
            .as_ref()
            .map(|parent| format!("; Domain={parent}"))
            .unwrap_or_default();
        Self {
            no: domain.no,
            workspace: domain.workspace,
            consent: domain.consent,
            has_legal_basis: domain.has_legal_basis,
            cookie_domain: cookie_domain.into(),
            store: domain.store,
            not_found_url: domain.not_found_url.as_deref().map(Box::from),
            expired_url: domain.expired_url.as_deref().map(Box::from),
            redir: (!domain.redir_hosts.is_empty()).then(|| {
                Box::new(Policy {
                    private_allowed: false,
                    allowed_hosts: domain.redir_hosts.clone(),
                })
            }),
        }
    }
}

impl DomainRecord {
    /// Where the follower's own `redir_url` leads, if this domain allows that host.
    pub(super) fn redir(&self, query: &str) -> Option<Offer> {
        let policy = self.redir.as_deref().filter(|_| query.contains("redir_url"))?;
        let wanted = query::value_of(query, "redir_url")?;
        let url = policy.check(&wanted, |_, _| false).ok()?;
        Some(Offer {
            destination: url.into(),
            cart: None,
        })
    }
}

/// What a follower sees of a creator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatorRecord {
    pub no: CreatorNo,
    /// Public id.
    pub id: Box<str>,
    pub workspace: WorkspaceNo,
    pub name: Box<str>,
    pub image_url: Option<Box<str>>,
    /// What links may call the creator, folded: public id, tenant id, user name, name.
    pub names: Vec<Box<str>>,
}

impl From<&Creator> for CreatorRecord {
    fn from(creator: &Creator) -> Self {
        let terms = &creator.terms;
        let names = [
            Some(&creator.id),
            terms.tenant_id.as_ref(),
            terms.username.as_ref(),
            Some(&terms.name),
        ];
        // Nobody is to be credited by name who takes part no more.
        let names = names
            .into_iter()
            .flatten()
            .filter(|_| creator.departure.is_none())
            .map(|name| slug::fold(name).into())
            .collect();
        Self {
            no: creator.no,
            id: creator.id.as_str().into(),
            workspace: creator.workspace,
            name: creator.terms.name.as_str().into(),
            image_url: creator.terms.image.as_deref().map(Box::from),
            names,
        }
    }
}

/// A store with its present shelf.
#[derive(Debug)]
pub struct StoreRecord {
    pub name: Box<str>,
    /// ISO 4217 code.
    pub currency: Box<str>,
    pub look: StoreLook,
    pub provider: Provider,
    /// What its carts are written on.
    pub base: CartBase,
    /// Where followers go when nothing of a cart can be bought.
    pub front: Box<str>,
    pub shelf: ArcSwap<Shelf>,
}

impl StoreRecord {
    /// The record of `store` with `shelf`.
    pub fn new(store: &Store, shelf: Arc<Shelf>) -> Self {
        Self {
            name: store.name.as_str().into(),
            currency: store.currency.as_str().into(),
            look: store.look.clone(),
            provider: store.provider,
            base: cart::cart_base(store),
            front: cart::front(store.provider, &store.base_url).into(),
            shelf: ArcSwap::new(shelf),
        }
    }
}
