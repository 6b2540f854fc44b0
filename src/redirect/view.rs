//! What one worker sees of the table: the domains and stores of the moment, and the links that are followed most.
//!
//! Looking again at what was seen before writes nothing that another core reads: no lock, no count of owners. What has
//! changed since is noticed by a number or a pointer that only changes write.

use std::hash::BuildHasher;
use std::sync::Arc;

use arc_swap::{ArcSwap, Cache};
use foldhash::fast::RandomState;

use super::generations::Stamp;
use super::links::{Buffer, Links};
use super::packed::PACKED_MAX;
use super::record::{DomainRecord, LinkRecord, StoreRecord};
use super::table::{Domains, Stores, Table};
use crate::domain::id::{DomainNo, StoreNo};

/// Links that a worker remembers. 512: some 150 KB, a part of what a core has for itself.
const SLOTS: usize = 512;
/// Most links that are looked ahead for at a time. 64: as many as are asked for before the first is answered.
const AHEAD_MAX: usize = 64;

/// See the file's head.
pub struct View {
    pub(super) domains: DomainView,
    pub(super) stores: StoreView,
    pub(super) links: LinkView,
    /// The worker's number, from 0: its lane of what is counted exactly.
    pub(super) seat: usize,
}

impl View {
    /// The view of the worker with number `seat`.
    pub(super) fn new(table: &Arc<Table>, seat: usize) -> Self {
        Self {
            domains: DomainView(Cache::new(Arc::clone(&table.domains))),
            stores: StoreView(Cache::new(Arc::clone(&table.stores))),
            links: LinkView::new(Arc::clone(table)),
            seat,
        }
    }

    /// As [`super::TableReader::link`].
    pub fn link(&mut self, domain: DomainNo, slug: &str) -> Option<&LinkRecord> {
        self.links.find(domain, slug).map(|found| &**found)
    }
}

/// The domains.
pub(super) struct DomainView(Cache<Arc<ArcSwap<Domains>>, Arc<Domains>>);

impl DomainView {
    /// As [`super::TableReader::domain`].
    pub fn find(&mut self, host: &str) -> &DomainRecord {
        self.0.load().of_host(host)
    }
}

/// The stores.
pub(super) struct StoreView(Cache<Arc<ArcSwap<Stores>>, Arc<Stores>>);

impl StoreView {
    /// As [`super::TableReader::store`].
    pub fn find(&mut self, store: StoreNo) -> Option<&Arc<StoreRecord>> {
        self.0.load().get(&store)
    }
}

/// The links.
pub(super) struct LinkView {
    table: Arc<Table>,
    hasher: RandomState,
    slots: Box<[Slot]>,
    /// Holds a link until the next one is found, when it is not (yet) worth a slot.
    passing: Arc<LinkRecord>,
    buffer: Box<Buffer>,
    /// Short keys that are looked ahead for.
    ahead: Vec<u64>,
}

/// A remembered link.
struct Slot {
    /// Of domain and slug, as they were asked for.
    hash: u64,
    domain: DomainNo,
    slug: String,
    stamp: Stamp,
    record: Arc<LinkRecord>,
    /// The hash of whoever was asked for last and is not in here: asked for once more, it takes the slot. So a crawl
    /// through a million links takes the viral ones no place away.
    next: u64,
}

impl LinkView {
    fn new(table: Arc<Table>) -> Self {
        let empty = Arc::new(LinkRecord::empty());
        let slot = |_| Slot {
            hash: 0,
            domain: DomainNo(0),
            slug: String::new(),
            stamp: Stamp::NEVER,
            record: Arc::clone(&empty),
            next: 0,
        };
        Self {
            slots: (0..SLOTS).map(slot).collect(),
            table,
            hasher: RandomState::default(),
            passing: empty,
            buffer: Box::new([0; PACKED_MAX]),
            ahead: Vec::with_capacity(AHEAD_MAX),
        }
    }

    /// As [`super::TableReader::link`].
    pub fn find(&mut self, domain: DomainNo, slug: &str) -> Option<&Arc<LinkRecord>> {
        let hash = self.hasher.hash_one((domain.0, slug));
        let slot = &mut self.slots[hash as usize % SLOTS];
        let links = &self.table.links;
        let is_here = slot.hash == hash && slot.domain == domain && slot.slug == slug;
        if is_here && links.is_current(slot.stamp) {
            return Some(&slot.record);
        }
        let (stamp, found) = links.find(domain, slug, &mut self.buffer)?;
        let is_worth = is_here || slot.next == hash || slot.stamp == Stamp::NEVER;
        slot.next = hash;
        if !is_worth {
            links.fill(&mut self.passing, found);
            return Some(&self.passing);
        }
        (slot.hash, slot.domain, slot.stamp) = (hash, domain, stamp);
        slot.slug.clear();
        slot.slug.push_str(slug);
        links.fill(&mut slot.record, found);
        Some(&slot.record)
    }

    /// Gets near what [`Self::find`] will read for these.
    pub fn foresee<S: AsRef<str>>(&mut self, asked: impl Iterator<Item = (DomainNo, S)>) {
        self.ahead.clear();
        for (domain, slug) in asked.take(AHEAD_MAX) {
            let hash = self.hasher.hash_one((domain.0, slug.as_ref()));
            if self.slots[hash as usize % SLOTS].hash != hash {
                self.ahead.extend(Links::first_key(domain, slug.as_ref()));
            }
        }
        self.table.links.foresee(&self.ahead);
    }
}
