//! The public listener: followers' links, shops' webhooks, and the few paths that the server keeps for itself.
//!
//! Runs on the edge's workers: whatever may take long is handed to the background runtime.

mod at_once;
mod creator;
mod foyer;
mod inbound;
mod interstitial;
mod landing;
mod packed;
mod public_card;
mod read_through;
mod reply;
mod shopfront;
mod track;
mod unlock;
mod waitlist;
mod webhook;

use std::net::IpAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderName};
use hyper::{Method, Request, Response, StatusCode, Uri};

pub use at_once::answer_at_once;
pub use creator::{CREATOR_PAGE, CreatorPages};
pub use foyer::{FOYER_PATIENCE, Foyer, House};
pub use inbound::InboundCarts;
pub use landing::respond as draw_page;
pub use public_card::PublicCards;
pub use read_through::{READS_MAX, ReadThrough};
pub use track::Tracking;
pub use unlock::Unlocking;
pub use waitlist::Waitlist;
pub use webhook::Webhooks;

use crate::net::{AnswerLines, AtOnce, Glance, Handler, Head, Peer};
use crate::redirect::{self, Refusal, Reply, Ticket, Worker};
use crate::web::pages::{FollowerPage, Language, assets};
use read_through::Presence;

/// Longest wait of a reply for its click to be on disk; then it goes out marked `late`.
pub const DURABLE_WAIT: Duration = Duration::from_millis(25);

/// Behind a link's address it asks for the link's card.
const PLUS: char = '+';

/// How often counts without detail are passed on when no click does it.
const FLUSH_EVERY: Duration = Duration::from_millis(250);

/// What followers' requests say about fetching ahead.
const PURPOSE_HEADERS: [&str; 4] = ["sec-purpose", "purpose", "x-purpose", "x-moz"];

/// One worker's handler.
pub struct PublicHandler {
    worker: Rc<Worker>,
    services: Services,
}

/// What requests that are no follows are handed to; made once, cloned for each worker.
#[derive(Clone)]
pub struct Services {
    pub webhooks: Webhooks,
    pub waitlist: Waitlist,
    pub inbound: InboundCarts,
    pub tracking: Tracking,
    pub unlocking: Unlocking,
    pub cards: PublicCards,
    pub creators: CreatorPages,
    pub read_through: ReadThrough,
}

impl PublicHandler {
    /// Answers follows with `worker`'s part of the hot path, everything else with `services`.
    ///
    /// Must be called on the worker's own thread and runtime: counts that found no room are passed on from there.
    pub fn new(worker: Worker, services: Services) -> Self {
        let worker = Rc::new(worker);
        let ticking = Rc::downgrade(&worker);
        tokio::task::spawn_local(async move {
            loop {
                tokio::time::sleep(FLUSH_EVERY).await;
                match ticking.upgrade() {
                    Some(worker) => worker.flush_lost(),
                    None => return,
                }
            }
        });
        Self { worker, services }
    }

    async fn follow(&self, peer: Peer, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let started = Instant::now();
        let cookies = joined_cookies(request.headers());
        let facts = facts(&peer, request.method(), request.uri(), request.headers(), &cookies);
        let is_loaded = self.worker.is_loaded();
        let unread = match is_loaded {
            true => None,
            false => self.read_through(&facts).await,
        };
        if unread.is_none()
            && facts.path.ends_with(PLUS)
            && let Some((domain, slug)) = self.worker.plus(facts.host, facts.path)
        {
            let language = Language::of_accept_language(facts.accept_language);
            let path = &facts.path[..facts.path.len() - PLUS.len_utf8()];
            let mut response = self.services.cards.show(domain, slug, path, language).await;
            if facts.is_head {
                *response.body_mut() = Full::default();
            }
            return response;
        }
        let inbound = match unread.is_none() && inbound::may_be(facts.path) {
            true => self.services.inbound.read(&facts).await,
            false => None,
        };
        let reply = match (unread, inbound) {
            (Some(reply), _) => reply,
            (None, Some(inbound)) => self.worker.follow_inbound(&facts, inbound),
            (None, None) => self.worker.follow(&facts),
        };
        let mut response = self.answer(reply, &facts).await;
        if !is_loaded {
            reply::end_connection(request.version(), response.headers_mut());
        }
        self.worker.counters().observe(started.elapsed());
        if facts.is_head {
            *response.body_mut() = Full::default();
        }
        response
    }

    /// While the table fills: sees to it that the link is in it. The answer where it is not.
    async fn read_through(&self, facts: &redirect::Request<'_>) -> Option<Reply> {
        if self.worker.has_missed_often(facts) {
            return Some(self.worker.unavailable());
        }
        match self.services.read_through.find(facts.host, facts.path).await {
            Presence::Here => None,
            // Carts that others link to have links that are made when the first comes.
            Presence::Absent if inbound::may_be(facts.path) => None,
            Presence::Absent => Some(self.worker.absent(facts)),
            Presence::Unknown => Some(self.worker.unavailable()),
        }
    }

    /// What machines read to find out where a domain takes carts.
    fn profile(&self, peer: &Peer, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let facts = facts(peer, request.method(), request.uri(), request.headers(), "");
        let found = self.services.inbound.profile(&facts);
        found.unwrap_or_else(|| reply::page(FollowerPage::NotFound))
    }

    /// A landing page's form: logged, then on to the shop.
    async fn go(&self, peer: Peer, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (parts, form) = match landing::read_form(request).await {
            Ok(read) => read,
            Err(refused) => return refused,
        };
        let cookies = joined_cookies(&parts.headers);
        let facts = facts(&peer, &parts.method, &parts.uri, &parts.headers, &cookies);
        self.answer(self.worker.tap(&facts, &form), &facts).await
    }

    async fn answer(&self, reply: Reply, facts: &redirect::Request<'_>) -> Response<Full<Bytes>> {
        let ack = match &reply {
            Reply::Redirect(redirect) => self.acknowledged(redirect.ticket.as_ref()).await,
            // What the page carries is on its click's record, unless it is shown again.
            Reply::Page(page) if page.notice.is_some() => None,
            Reply::Page(page) => self.acknowledged(page.ticket.as_ref()).await,
            Reply::Interstitial(page) => self.acknowledged(page.ticket.as_ref()).await,
            Reply::Refused(_) => None,
        };
        respond(reply, facts, ack)
    }

    /// Whether the click is on disk; `None` where nobody asked for it.
    async fn acknowledged(&self, ticket: Option<&Ticket>) -> Option<bool> {
        match (ticket, self.worker.is_durable()) {
            (_, false) => None,
            (Some(ticket), true) => Some(wait_durable(ticket).await),
            (None, true) => Some(false),
        }
    }
}

/// Whether GET and HEAD of `path` are follows; every other path is reserved or answers itself.
fn is_follow(path: &str) -> bool {
    let is_reserved = path.starts_with("/_/")
        || path.starts_with("/.well-known/")
        || matches!(path, "/_" | "/robots.txt" | "/favicon.ico");
    !is_reserved
}

/// `reply` as HTTP; `is_durable` says whether its click is on disk, when somebody wants to know.
fn respond(reply: Reply, facts: &redirect::Request<'_>, is_durable: Option<bool>) -> Response<Full<Bytes>> {
    match reply {
        Reply::Redirect(redirect) => reply::redirect(redirect, is_durable),
        Reply::Page(mut page) => {
            let mut response = landing::respond(&page, facts);
            reply::mark(response.headers_mut(), page.cookie.take(), is_durable);
            response
        }
        Reply::Interstitial(page) => {
            let mut response = interstitial::respond(&page.kind, facts);
            reply::mark(response.headers_mut(), page.cookie, is_durable);
            response
        }
        Reply::Refused(refusal) => reply::refused(refusal),
    }
}

impl Handler for PublicHandler {
    fn answer_at_once(&self, peer: Peer, head: &Head<'_>, answer: &mut AnswerLines<'_>) -> AtOnce {
        self.follow_at_once(peer, head, answer)
    }

    fn foresee<'a>(&self, glances: impl Iterator<Item = Glance<'a>>) {
        self.worker.foresee(glances.map(|glance| (glance.host, glance.path)));
    }

    async fn handle(&self, peer: Peer, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path();
        if is_follow(path) && matches!(*request.method(), Method::GET | Method::HEAD) {
            return self.follow(peer, &request).await;
        }
        if let Some(store_id) = path.strip_prefix("/_/hooks/") {
            let store_id = store_id.to_owned();
            return self.services.webhooks.take(store_id, request).await;
        }
        if path == landing::GO {
            return self.go(peer, request).await;
        }
        if path == landing::WAITLIST {
            return self.services.waitlist.take(canonical(peer.address), request).await;
        }
        if let Some(kind) = track::told_at(path) {
            return self
                .services
                .tracking
                .take(kind, canonical(peer.address), request)
                .await;
        }
        if request.method() == Method::POST && !self.worker.is_loaded() {
            let host = host_of(request.uri(), request.headers());
            if self.services.read_through.find(host, path).await == Presence::Unknown {
                self.worker.unavailable();
                return reply::refused(Refusal::Unavailable);
            }
        }
        if request.method() == Method::POST
            && let Some((link, hash)) = self.worker.locked(host_of(request.uri(), request.headers()), path)
        {
            let tried = unlock::Try {
                link,
                hash,
                address: canonical(peer.address),
                is_secure: peer.is_secure,
            };
            return self.services.unlocking.take(tried, request).await;
        }
        if request.method() != Method::GET && request.method() != Method::HEAD {
            return reply::method_not_allowed();
        }
        if let Some(token) = path.strip_prefix(CREATOR_PAGE) {
            return self
                .services
                .creators
                .show(token, canonical(peer.address), &request)
                .await;
        }
        match path {
            track::SCRIPT => track::script(&request),
            "/robots.txt" => reply::text(StatusCode::OK, "User-agent: *\nDisallow: /\n"),
            "/favicon.ico" => reply::empty(StatusCode::NO_CONTENT),
            _ if path == assets::public_style_path() => creator::style(),
            inbound::PROFILE => self.profile(&peer, &request),
            _ => reply::page(FollowerPage::NotFound),
        }
    }
}

async fn wait_durable(ticket: &Ticket) -> bool {
    let mut durable = ticket.durable.clone();
    let wait = durable.wait_for(|position| *position >= ticket.position);
    tokio::time::timeout(DURABLE_WAIT, wait)
        .await
        .is_ok_and(|waited| waited.is_ok())
}

fn facts<'a>(
    peer: &Peer,
    method: &Method,
    uri: &'a Uri,
    headers: &'a HeaderMap,
    cookies: &'a str,
) -> redirect::Request<'a> {
    let text = |name: HeaderName| text_of(headers, name.as_str());
    redirect::Request {
        is_head: *method == Method::HEAD,
        host: host_of(uri, headers),
        path: uri.path(),
        query: uri.query().unwrap_or_default(),
        address: canonical(peer.address),
        is_secure: peer.is_secure,
        user_agent: text(header::USER_AGENT),
        referrer: text(header::REFERER),
        accept_language: text(header::ACCEPT_LANGUAGE),
        accept_encoding: text(header::ACCEPT_ENCODING),
        cookie: cookies,
        gpc: text_of(headers, "sec-gpc") == "1",
        dnt: text_of(headers, "dnt") == "1",
        is_prefetch: PURPOSE_HEADERS.iter().any(|name| is_ahead(text_of(headers, name))),
        test_key: text_of(headers, "x-hopcart-test"),
    }
}

fn is_ahead(purpose: &str) -> bool {
    let purpose = purpose.to_ascii_lowercase();
    purpose.contains("prefetch") || purpose.contains("preview") || purpose.contains("prerender")
}

/// HTTP/2 and absolute-form requests name their host in the URI; the header is second (RFC 9112 section 3.2.2).
fn host_of<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> &'a str {
    match uri.authority() {
        Some(authority) => authority.as_str(),
        None => text_of(headers, "host"),
    }
}

fn text_of<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers
        .get(name)
        .and_then(|value| std::str::from_utf8(value.as_bytes()).ok())
        .unwrap_or_default()
}

/// HTTP/2 may split cookies over several headers (RFC 9113 section 8.2.3).
fn joined_cookies(headers: &HeaderMap) -> std::borrow::Cow<'_, str> {
    let mut all = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let first = all.next().unwrap_or_default();
    all.fold(first.into(), |joined, next| format!("{joined}; {next}").into())
}

fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}
