//! Carts that others link to on a domain bound to a store: `/buy/{items}` (UCP permalink), `/checkout?products=…`
//! (Meta, WooCommerce, BigCommerce), and the domain's UCP profile, which says so to machines.
//!
//! Reads what was asked for and finds out whom it counts for; where it leads is decided in `redirect`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{self, HeaderValue};
use hyper::{Response, StatusCode};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::reply;
use crate::domain::cart::Asked;
use crate::domain::cart::inbound::{parse_products_query, parse_ucp_items, parse_ucp_query};
use crate::domain::id::{CreatorNo, WorkspaceNo};
use crate::domain::{host, query};
use crate::flows::{Context, open_inbound};
use crate::redirect::{self, DomainRecord, Inbound, LinkRecord, TableReader};

/// Where UCP permalinks begin on a bound domain.
const BUY: &str = "/buy/";
const CHECKOUT: &str = "/checkout";
/// Where machines look for the profile.
pub(super) const PROFILE: &str = "/.well-known/ucp";
/// The version of UCP whose permalinks are read.
const UCP_VERSION: &str = "2026-08-25";
/// Parameters that may name the creator, the most deliberate first.
const NAMING: [&str; 2] = ["ref", "utm_content"];
/// First carts of a creator that wait for their link at once; a link is opened once and then found in memory.
const OPENINGS_AT_ONCE: usize = 16;
/// Longest wait for a link to be opened; then the follower goes on and the click is counted as unlogged.
const OPENING_WAIT: Duration = Duration::from_millis(500);

/// What inbound carts need; one for all workers.
#[derive(Clone)]
pub struct InboundCarts {
    inner: Arc<Inner>,
}

struct Inner {
    context: Context,
    runtime: Handle,
    places: Semaphore,
}

impl InboundCarts {
    /// Opens links on `runtime`.
    pub fn new(context: Context, runtime: Handle) -> Self {
        let places = Semaphore::new(OPENINGS_AT_ONCE);
        Self {
            inner: Arc::new(Inner {
                context,
                runtime,
                places,
            }),
        }
    }

    /// What `request` asks for, if it spells out a cart on a domain bound to a store.
    pub(super) async fn read(&self, request: &redirect::Request<'_>) -> Option<Inbound> {
        let table = self.inner.context.table();
        let domain = table.domain(&host::of_authority(request.host));
        let (store_no, workspace) = (domain.store?, domain.workspace?);
        let store = table.store(store_no)?;
        let asked = match request.path.strip_prefix(BUY) {
            Some(items) => permalink(items, request.query),
            None => products(request.query),
        };
        let link = self.link(table, &domain, workspace, request.query).await;
        Some(Inbound {
            domain,
            store_no,
            store,
            link,
            asked,
        })
    }

    /// The link that the cart counts on: the named creator's, else the domain's.
    async fn link(
        &self,
        table: &TableReader,
        domain: &DomainRecord,
        workspace: WorkspaceNo,
        query: &str,
    ) -> Option<Arc<LinkRecord>> {
        let mut names = NAMING.iter().filter_map(|name| query::value_of(query, name));
        let creator = names.find_map(|name| table.creator_named(workspace, &name));
        let slug = open_inbound::slug(creator.as_ref().map(|creator| &*creator.id));
        if let Some(link) = table.link(domain.no, &slug) {
            return Some(link);
        }
        let creator: Option<(CreatorNo, String)> = creator.map(|creator| (creator.no, creator.id.to_string()));
        let _place = self.inner.places.try_acquire().ok()?;
        let (inner, no) = (Arc::clone(&self.inner), domain.no);
        let opening = self.inner.runtime.spawn(async move {
            if let Err(error) = open_inbound::open(&inner.context, no, creator).await {
                tracing::warn!(%error, "no link for inbound carts could be opened");
            }
        });
        // It goes on when nobody waits any more: the next cart finds its link.
        let _ = tokio::time::timeout(OPENING_WAIT, opening).await;
        table.link(domain.no, &slug)
    }

    /// The UCP profile of a domain that is bound to a store.
    pub(super) fn profile(&self, request: &redirect::Request<'_>) -> Option<Response<Full<Bytes>>> {
        let table = self.inner.context.table();
        let host = host::of_authority(request.host);
        table.domain(&host).store?;
        let scheme = if request.is_secure { "https" } else { "http" };
        // A registered domain's name is its own; the port is the one that was asked.
        let authority = if request.host.eq_ignore_ascii_case(&host) {
            host.into_owned()
        } else {
            format!("{host}:{}", port_of(request.host)?)
        };
        let profile = serde_json::json!({ "ucp": {
            "version": UCP_VERSION,
            "capabilities": {
                "dev.ucp.shopping.permalink": [{
                    "version": UCP_VERSION,
                    "config": { "endpoint": format!("{scheme}://{authority}/buy") },
                }],
            },
        } });
        let mut response = reply::json(StatusCode::OK, profile.to_string());
        response
            .headers_mut()
            .insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
        Some(response)
    }
}

/// Whether `path` spells out a cart, if the domain is bound to a store.
pub(super) fn may_be(path: &str) -> bool {
    path.starts_with(BUY) || path == CHECKOUT
}

fn port_of(authority: &str) -> Option<u16> {
    authority.rsplit_once(':')?.1.parse().ok()
}

/// What a UCP permalink asks for; `None` = it cannot be read safely.
fn permalink(items: &str, query: &str) -> Option<Asked> {
    let items = parse_ucp_items(items).ok()?;
    let query = parse_ucp_query(query).ok()?;
    Some(Asked {
        items: merged(items),
        codes: query.codes,
        attributes: query.attribution,
        continue_to: query.continue_to,
    })
}

/// Lines of one id are one line: a cart has each of its items once.
fn merged(items: Vec<(String, u32)>) -> Vec<(String, u32)> {
    let mut lines: Vec<(String, u32)> = Vec::with_capacity(items.len());
    for (id, quantity) in items {
        match lines.iter_mut().find(|(known, _)| *known == id) {
            Some((_, sum)) => *sum = sum.saturating_add(quantity).min(crate::domain::cart::QUANTITY_MAX),
            None => lines.push((id, quantity)),
        }
    }
    lines
}

/// What a products link asks for; `None` = it cannot be read safely.
fn products(query: &str) -> Option<Asked> {
    let query = parse_products_query(query).ok()?;
    Some(Asked {
        items: query.items,
        codes: query.code.into_iter().collect(),
        ..Asked::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_read_or_not() {
        let asked = permalink(
            "1:2,~MQ:3,b:1",
            "discounts/codes/0=MIA10&attribution/source=mail&utm_source=x",
        )
        .expect("read");
        assert_eq!(asked.items, [("1".to_owned(), 5), ("b".to_owned(), 1)]);
        assert_eq!((&*asked.codes[0], &*asked.attributes[0].1), ("MIA10", "mail"));
        assert_eq!(permalink("1:0", ""), None);
        assert_eq!(permalink("1:1", "continue_to=/a&continue_to=/b"), None);
        let asked = products("products=12345%3A3%2C23456%3A1&coupon=SUMMER&fbclid=x").expect("read");
        assert_eq!(asked.items, [("12345".to_owned(), 3), ("23456".to_owned(), 1)]);
        assert_eq!(asked.codes, ["SUMMER"]);
        assert_eq!(products("coupon=SUMMER"), None);
    }
}
