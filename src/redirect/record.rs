//! What the hot path keeps of links, domains and stores: only what an answer needs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;

use crate::domain::cart::{self, Cart, CartBase, StockPolicy};
use crate::domain::consent::ConsentMode;
use crate::domain::id::{DomainNo, LinkNo, StoreNo, WorkspaceNo};
use crate::domain::link::Link;
use crate::domain::link_domain::LinkDomain;
use crate::domain::store::{Provider, Shelf, Store};
use crate::domain::time::Timestamp;

/// A link that can be followed.
#[derive(Debug)]
pub struct LinkRecord {
    pub no: LinkNo,
    pub workspace: WorkspaceNo,
    /// Serialised URL; for a cart what is sent when its store is not known (yet).
    pub destination: Box<str>,
    pub sends_click_id: bool,
    pub is_disabled: bool,
    pub expires_at: Option<Timestamp>,
    pub expired_url: Option<Box<str>>,
    pub limit: Option<Limit>,
    pub cart: Option<Box<CartRecord>>,
}

/// A click limit with the uses so far; the count is shared by all versions of the link.
#[derive(Debug)]
pub struct Limit {
    pub max: u64,
    pub uses: Arc<AtomicU64>,
}

impl Limit {
    /// Takes one use; `false` when none is left. Exact however many take at once.
    pub fn take(&self) -> bool {
        self.uses
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |uses| {
                (uses < self.max).then_some(uses + 1)
            })
            .is_ok()
    }

    /// Whether a use is left.
    pub fn has_left(&self) -> bool {
        self.uses.load(Ordering::Relaxed) < self.max
    }
}

/// A cart link's cart.
#[derive(Debug)]
pub struct CartRecord {
    pub cart: Cart,
    pub policy: StockPolicy,
    pub utm: [Option<String>; 5],
}

impl LinkRecord {
    /// The record of `link`, counting on `uses`.
    pub fn new(link: &Link, uses: Option<Arc<AtomicU64>>) -> Self {
        let terms = &link.terms;
        let cart = terms.cart.as_ref().map(|cart| {
            Box::new(CartRecord {
                cart: cart.clone(),
                policy: terms.stock_policy.clone(),
                utm: terms.utm.clone(),
            })
        });
        let limit = terms.clicks_max.map(|max| Limit {
            max,
            uses: uses.unwrap_or_default(),
        });
        Self {
            no: link.no,
            workspace: link.workspace,
            destination: terms.destination.as_str().into(),
            sends_click_id: terms.sends_click_id(),
            is_disabled: terms.disabled_at.is_some(),
            expires_at: terms.expires_at,
            expired_url: terms.expired_url.as_deref().map(Box::from),
            limit,
            cart,
        }
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
        }
    }
}

/// A store with its present shelf.
#[derive(Debug)]
pub struct StoreRecord {
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
            provider: store.provider,
            base: cart::cart_base(store),
            front: cart::front(store.provider, &store.base_url).into(),
            shelf: ArcSwap::new(shelf),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_exact_under_contention() {
        let limit = Limit {
            max: 1000,
            uses: Arc::default(),
        };
        let taken: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| (0..500).filter(|_| limit.take()).count()))
                .collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
        });
        assert_eq!(taken, 1000);
        assert!(!limit.has_left());
    }
}
