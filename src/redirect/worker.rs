//! One core's share of the hot path: its lane of clicks, its counters, its random numbers; and what all share.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::{ArcSwap, Cache};

use super::agents::Agents;
use super::counters::Counters;
use super::interstitial::Interstitial;
use super::land::Page;
use super::lane::{Lane, Ticket};
use super::person::Person;
use super::record::LinkRecord;
use super::request::Request;
use super::table::TableReader;
use super::throttle::{Throttle, network};
use super::view::View;
use crate::domain::keyring::Keyring;
use crate::domain::outside::{Clock, Places};
use crate::domain::visitor::Visitor;

/// Sequence numbers that a worker takes at a time, so that a click writes no shared cache line.
const SEQUENCES_PER_LEASE: u64 = 64;

/// Most numbers drawn for a new visitor. 1,024: one of a variant with 1 % of all is missed once in 30,000 times, and he
/// then gets another variant at his second tap.
const VISITOR_DRAWS_MAX: usize = 1_024;

/// Longest text whose memory is kept for the next answer, in bytes. 4 KiB: locations are seldom longer than one.
const SPARE_MAX: usize = 4096;

/// What the server's owner sets.
#[derive(Debug, Clone)]
pub struct Options {
    /// Number of this server among those that share click ids; below 1024.
    pub node: u16,
    /// Life of the attribution cookie in seconds.
    pub cookie_max_age_seconds: u32,
    /// Whether replies wait for their click to be on disk: then each push asks for a ticket.
    pub is_durable: bool,
}

/// The secrets of the hot path; replaced as a whole when one rotates.
#[derive(Debug)]
pub struct Keys {
    pub click_id: Keyring,
    pub cookie: Keyring,
    /// Today's salt of the identity hash.
    pub salt: [u8; 32],
}

/// What all workers share.
pub struct Shared {
    pub table: TableReader,
    pub keys: Arc<ArcSwap<Keys>>,
    pub options: Options,
    pub places: Arc<dyn Places>,
    pub clock: Arc<dyn Clock>,
    pub throttle: Throttle,
    /// The next sequence number that no worker holds.
    pub sequence: AtomicU64,
}

/// One core's worker: lives on one thread.
pub struct Worker {
    pub(super) shared: Arc<Shared>,
    pub(super) lane: RefCell<Lane>,
    pub(super) counters: Arc<Counters>,
    /// Borrowed while a request is answered.
    pub(super) view: RefCell<View>,
    /// The number of the view.
    pub(super) seat: usize,
    pub(super) keys: RefCell<Cache<Arc<ArcSwap<Keys>>, Arc<Keys>>>,
    pub(super) agents: RefCell<Agents>,
    /// What every cookie ends in, but for what the request and the domain decide.
    pub(super) cookie_end: String,
    pub(super) spare: RefCell<Spare>,
    lease: RefCell<(u64, u64)>,
    random: RefCell<Random>,
}

/// Memory of answers that were written, for the next ones: a follow allocates nothing.
#[derive(Debug, Default)]
pub(super) struct Spare {
    pub location: String,
    pub cookie: String,
}

/// The numbers of new visitors, drawn a block of the hash function at a time.
struct Random {
    stream: blake3::OutputReader,
    block: [u8; 64],
    used: usize,
}

impl Random {
    fn new(seed: &[u8; 32]) -> Self {
        Self {
            stream: blake3::Hasher::new_keyed(seed).finalize_xof(),
            block: [0; 64],
            used: 64,
        }
    }

    fn number(&mut self) -> u64 {
        if self.used == self.block.len() {
            self.stream.fill(&mut self.block);
            self.used = 0;
        }
        let mut number = [0; 8];
        number.copy_from_slice(&self.block[self.used..self.used + 8]);
        // A number that was given away is nobody else's to know.
        self.block[self.used..self.used + 8].fill(0);
        self.used += 8;
        u64::from_le_bytes(number)
    }
}

impl Worker {
    /// A worker that queues into `lane`; `seed` must be fresh from the system's entropy.
    pub fn new(shared: Arc<Shared>, lane: Lane, counters: Arc<Counters>, seed: [u8; 32]) -> Self {
        let view = shared.table.view();
        let max_age = shared.options.cookie_max_age_seconds;
        Self {
            keys: RefCell::new(Cache::new(Arc::clone(&shared.keys))),
            agents: RefCell::new(Agents::new()),
            cookie_end: format!("; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Lax"),
            spare: RefCell::default(),
            shared,
            lane: RefCell::new(lane),
            counters,
            seat: view.seat,
            view: RefCell::new(view),
            lease: RefCell::new((0, 0)),
            random: RefCell::new(Random::new(&seed)),
        }
    }

    /// Whether replies wait for their click to be on disk.
    pub fn is_durable(&self) -> bool {
        self.shared.options.is_durable
    }

    /// Whether every link of the books is in the table.
    pub fn is_loaded(&self) -> bool {
        self.shared.table.is_loaded()
    }

    /// Whether so many links that are not there were asked for from `request`'s address that no more are looked for.
    pub fn has_missed_often(&self, request: &Request<'_>) -> bool {
        let now = self.shared.clock.now();
        self.shared.throttle.is_over(&network(request.address), now)
    }

    /// What this worker counted.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What all workers share.
    pub fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Passes on counts that found no room, and lets go of keys that were replaced; called a few times a second and
    /// before the worker ends.
    pub fn flush_lost(&self) {
        self.keys.borrow_mut().load();
        self.lane.borrow_mut().flush_lost();
    }

    /// Whether counts still wait for room.
    pub fn has_lost(&self) -> bool {
        self.lane.borrow().has_lost()
    }

    pub(super) fn next_sequence(&self) -> u64 {
        let mut lease = self.lease.borrow_mut();
        if lease.0 == lease.1 {
            let start = self.shared.sequence.fetch_add(SEQUENCES_PER_LEASE, Ordering::Relaxed);
            *lease = (start, start + SEQUENCES_PER_LEASE);
        }
        lease.0 += 1;
        lease.0 - 1
    }

    /// A visitor with a new number: one that keeps the person in the variant that was just given by another number.
    pub(super) fn new_visitor(&self, link: &LinkRecord, person: &Person<'_>) -> Visitor {
        let split = link
            .experiment
            .as_ref()
            .filter(|_| person.variant != 0)
            .map(|it| &it.split);
        let mut visitor = Visitor::new(self.random());
        if let Some(split) = split {
            let mut draws = 1;
            while split.variant_of(visitor.id) != person.variant && draws < VISITOR_DRAWS_MAX {
                visitor = Visitor::new(self.random());
                draws += 1;
            }
        }
        visitor
    }

    fn random(&self) -> u64 {
        self.random.borrow_mut().number()
    }

    /// Takes back a redirect that was written, for its memory.
    pub fn reuse(&self, redirect: Redirect) {
        let mut spare = self.spare.borrow_mut();
        keep(&mut spare.location, redirect.location);
        keep(&mut spare.cookie, redirect.cookie.unwrap_or_default());
    }
}

/// Keeps the memory of `used` in `spare`, unless there is more already, or so much that it is a rare one's.
fn keep(spare: &mut String, mut used: String) {
    if (spare.capacity()..=SPARE_MAX).contains(&used.capacity()) {
        used.clear();
        *spare = used;
    }
}

impl Drop for Worker {
    /// The last counts leave with the worker.
    fn drop(&mut self) {
        self.flush_lost();
    }
}

/// A reply to a follower.
#[derive(Debug)]
pub enum Reply {
    Redirect(Redirect),
    Page(Box<Page>),
    Interstitial(Box<Interstitial>),
    Refused(Refusal),
}

/// Go there.
#[derive(Debug)]
pub struct Redirect {
    /// 302, or 303 for carts.
    pub status: u16,
    /// A serialised URL: printable ASCII.
    pub location: String,
    /// Value of `Set-Cookie`.
    pub cookie: Option<String>,
    /// Whether the destination is told nothing of where the follower came from.
    pub hides_referrer: bool,
    /// Tells when the click is on disk; only in durable mode, and only when it was queued.
    pub ticket: Option<Ticket>,
}

/// Why there is nowhere to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// 404
    NotFound,
    /// 410: expired, disabled or used up.
    Gone,
    /// 429 in place of a 404.
    TooMany,
    /// 503: not loaded yet.
    Unavailable,
}
