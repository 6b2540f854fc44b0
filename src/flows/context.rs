//! What every flow works with, made once by `app`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::sync::{Notify, Semaphore};
use url::Url;

use super::error::Error;
use super::hand_out_codes;
use super::join_waitlist::{Lists, Tally};
use super::lock_link;
use super::locks::Locks;
use super::record_clicks::RecorderStats;
use super::refresh_profiles::LOOKS_AT_ONCE_MAX;
use super::tell;
use super::track;
use super::verify_domain::ASKED_AT_ONCE_MAX;
use crate::books::Books;
use crate::domain::destination::{DestinationError, Policy};
use crate::domain::host;
use crate::domain::id::new_id;
use crate::domain::link_domain::LinkDomain;
use crate::domain::outside::{Clock, Entropy};
use crate::redirect::{TableReader, TableWriter};

/// The stores, the table and the outside world, as flows use them. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub books: Books,
    pub table: TableWriter,
    pub reader: TableReader,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub destinations: Policy,
    pub public: PublicName,
    pub locks: Locks,
    pub is_stopping: AtomicBool,
    /// Whether domains serve only once they are verified.
    pub needs_proof: AtomicBool,
    /// Told when a store's profile is to be looked at before its time.
    pub profile_due: Notify,
    /// One permit a hash of a password.
    pub hashes: Arc<Semaphore>,
    /// One permit a question to a name server.
    pub asked: Semaphore,
    /// One permit a look at a profile.
    pub looks: Semaphore,
    pub lists: Lists,
    pub conversions: Arc<track::Tally>,
    /// How single-use codes are handed out.
    pub codes: Arc<hand_out_codes::Desk>,
    /// How webhooks are told.
    pub telling: Arc<tell::Desk>,
    /// Says when the latest clicks are in the log.
    pub recorder: OnceLock<Arc<RecorderStats>>,
}

/// How followers reach the default domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicName {
    /// `http` or `https`.
    pub scheme: String,
    /// Host, with the port when it is not the scheme's own.
    pub authority: String,
    /// Host alone.
    pub host: String,
    /// Ports at which this server itself answers under that host.
    pub ports: Vec<u16>,
}

impl PublicName {
    /// The name in `--public-url`.
    pub fn of_url(url: &Url, listening: &[u16]) -> Option<Self> {
        let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
        let authority = match url.port() {
            Some(port) => format!("{}:{port}", url.host_str()?),
            None => url.host_str()?.to_owned(),
        };
        let mut ports = listening.to_vec();
        ports.extend(url.port_or_known_default());
        Some(Self {
            scheme: url.scheme().to_owned(),
            authority,
            host,
            ports,
        })
    }

    /// Whether `domain`, as a brand writes it, means the default domain.
    pub fn is_meant_by(&self, domain: &str) -> bool {
        domain.eq_ignore_ascii_case(&self.authority) || host::of_authority(domain) == self.host
    }
}

impl Context {
    /// Brings together what flows need.
    pub fn new(
        books: Books,
        table: TableWriter,
        reader: TableReader,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        destinations: Policy,
        public: PublicName,
    ) -> Self {
        let (locks, lists) = (Locks::new(), Lists::default());
        let recorder = OnceLock::new();
        let inner = Inner {
            books,
            table,
            reader,
            clock,
            entropy,
            destinations,
            public,
            locks,
            is_stopping: AtomicBool::new(false),
            needs_proof: AtomicBool::new(false),
            profile_due: Notify::new(),
            hashes: lock_link::room(),
            asked: Semaphore::new(ASKED_AT_ONCE_MAX),
            looks: Semaphore::new(LOOKS_AT_ONCE_MAX),
            lists,
            conversions: Arc::default(),
            codes: Arc::default(),
            telling: Arc::default(),
            recorder,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Says that the server stops: what waits in the background ends.
    pub fn stop(&self) {
        self.inner.is_stopping.store(true, Ordering::Release);
    }

    /// Whether the server stops.
    pub fn is_stopping(&self) -> bool {
        self.inner.is_stopping.load(Ordering::Acquire)
    }

    /// Says that domains serve only once they are verified. Comes before any is published.
    pub fn require_proof(&self) {
        self.inner.needs_proof.store(true, Ordering::Release);
    }

    /// Publishes all domains that serve: the server's own, and the brands' ones.
    pub(super) fn put_domains(&self, all: &[LinkDomain]) {
        let needs_proof = self.inner.needs_proof.load(Ordering::Acquire);
        let serves = |domain: &&LinkDomain| !needs_proof || domain.workspace.is_none() || domain.verified_at.is_some();
        let serving: Vec<LinkDomain> = all.iter().filter(serves).cloned().collect();
        self.inner.table.put_domains(&serving);
    }

    /// The books, for reading.
    pub fn books(&self) -> &Books {
        &self.inner.books
    }

    /// The clock of this server.
    pub fn clock(&self) -> &dyn Clock {
        &*self.inner.clock
    }

    /// How followers reach the default domain.
    pub fn public(&self) -> &PublicName {
        &self.inner.public
    }

    /// Says who writes clicks, once it runs: an order may come back before its click is in the log.
    pub fn set_recorder(&self, recorder: Arc<RecorderStats>) {
        // Started once: a second word would be the same.
        let _ = self.inner.recorder.set(recorder);
    }

    /// The link table, for reading.
    pub fn table(&self) -> &TableReader {
        &self.inner.reader
    }

    /// Waits until a store's profile is to be looked at before its time; at once when that was so since the last wait.
    pub async fn profile_due(&self) {
        self.inner.profile_due.notified().await;
    }

    /// What became of what was posted to waiting lists.
    pub fn waitlist_tally(&self) -> &Arc<Tally> {
        &self.inner.lists.tally
    }

    /// What became of conversions that were told.
    pub fn conversion_tally(&self) -> &Arc<track::Tally> {
        &self.inner.conversions
    }

    /// How many pools of single-use codes are empty, and the like.
    pub fn code_desk(&self) -> &Arc<hand_out_codes::Desk> {
        &self.inner.codes
    }

    /// What became of events that webhooks are told.
    pub fn telling(&self) -> &Arc<tell::Desk> {
        &self.inner.telling
    }

    pub(super) fn new_id(&self, prefix: &str) -> String {
        new_id(prefix, self.inner.clock.now(), &*self.inner.entropy)
    }

    /// Brings a destination through the one policy; `field` names it in the error.
    pub(super) fn check_destination(&self, field: &str, input: &str) -> Result<Url, Error> {
        self.allow_destination(input)
            .map_err(|error| Error::invalid(field, error.message()))
    }

    /// [`Self::check_destination`] of what no caller's field has named.
    pub(super) fn allow_destination(&self, input: &str) -> Result<Url, DestinationError> {
        let public = self.public();
        let is_own = |host: &str, port: u16| {
            self.inner.reader.is_own_host(host) || (host == public.host && public.ports.contains(&port))
        };
        self.inner.destinations.check(input, is_own)
    }
}
