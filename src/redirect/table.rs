//! The link table: what every follow reads and only flows write.
//!
//! Reading and writing are different types, so that the request path cannot write. No guard leaves a method: a caller
//! cannot hold a shard's lock. Workers read through a [`View`] of their own.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use arc_swap::ArcSwap;
use dashmap::DashMap;
use foldhash::fast::RandomState;

use super::codes::{CodeTally, Codes};
use super::links::Links;
use super::record::{CreatorRecord, DomainRecord, LinkRecord, StoreRecord};
use super::uses::{Account, Uses};
use super::view::View;
use crate::domain::code_pool::{GivenCode, PoolCode};
use crate::domain::creator::Creator;
use crate::domain::id::{CodePoolNo, CreatorNo, DomainNo, LinkNo, StoreNo, WorkspaceNo};
use crate::domain::link::Link;
use crate::domain::link_domain::LinkDomain;
use crate::domain::slug;
use crate::domain::store::{Shelf, Store};
use crate::domain::time::Timestamp;

/// Most links that room is made for in advance. 128 million: what is never used of it takes a byte a link.
const ROOM_MAX: usize = 1 << 27;

/// Everything that follows read.
#[derive(Debug)]
pub struct Table {
    pub(super) links: Links,
    /// Uses of links with a click limit, shared by all versions of a link.
    uses: DashMap<LinkNo, Account, RandomState>,
    pub(super) domains: Arc<ArcSwap<Domains>>,
    pub(super) stores: Arc<ArcSwap<Stores>>,
    creators: DashMap<CreatorNo, Arc<CreatorRecord>, RandomState>,
    /// Creators by what links may call them; a name that two share names neither.
    creator_names: DashMap<(WorkspaceNo, Box<str>), Vec<CreatorNo>, RandomState>,
    /// Hashes of live API keys: what marks test traffic.
    /// Each with its workspace and its end.
    keys: ArcSwap<HashMap<[u8; 32], (WorkspaceNo, Timestamp)>>,
    /// Single-use codes that are ready to be handed out.
    codes: Codes,
    is_loaded: AtomicBool,
    /// Links that were changed or removed while the table fills: what the books said of them before is obsolete.
    touched: DashMap<LinkNo, (), RandomState>,
    /// Whether the uses so far of limited links are known; they come from the click log.
    are_uses_known: AtomicBool,
    /// Views that were handed out.
    views: AtomicUsize,
}

/// Stores by number.
pub(super) type Stores = HashMap<StoreNo, Arc<StoreRecord>, RandomState>;

/// Domains by host.
#[derive(Debug)]
pub(super) struct Domains {
    by_host: HashMap<Box<str>, Arc<DomainRecord>, RandomState>,
    default: Arc<DomainRecord>,
}

impl Domains {
    /// The domain that answers for `host` (lower case, no port).
    pub fn of_host(&self, host: &str) -> &Arc<DomainRecord> {
        self.by_host.get(host).unwrap_or(&self.default)
    }
}

impl Table {
    /// An empty table whose every host is `default`.
    #[expect(clippy::new_ret_no_self, reason = "a table is its two ends, as a channel is")]
    pub fn new(default: &LinkDomain) -> (TableReader, TableWriter) {
        Self::with_room(default, 0)
    }

    /// As [`Self::new`], with room for `links` links before it grows: growing leaves memory behind, and takes time.
    pub fn with_room(default: &LinkDomain, links: usize) -> (TableReader, TableWriter) {
        let table = Arc::new(Self {
            links: Links::new(links.min(ROOM_MAX)),
            uses: DashMap::with_hasher(RandomState::default()),
            domains: Arc::new(ArcSwap::from_pointee(Domains {
                by_host: HashMap::default(),
                default: Arc::new(default.into()),
            })),
            stores: Arc::default(),
            creators: DashMap::with_hasher(RandomState::default()),
            creator_names: DashMap::with_hasher(RandomState::default()),
            keys: ArcSwap::from_pointee(HashMap::new()),
            codes: Codes::default(),
            is_loaded: AtomicBool::new(false),
            touched: DashMap::with_hasher(RandomState::default()),
            are_uses_known: AtomicBool::new(false),
            views: AtomicUsize::new(0),
        });
        (TableReader(Arc::clone(&table)), TableWriter(table))
    }
}

/// Finds; cannot change anything.
#[derive(Debug, Clone)]
pub struct TableReader(Arc<Table>);

impl TableReader {
    /// The domain that answers for `host` (lower case, no port).
    pub fn domain(&self, host: &str) -> Arc<DomainRecord> {
        Arc::clone(self.0.domains.load().of_host(host))
    }

    /// Whether `host` is a registered link domain.
    pub fn is_own_host(&self, host: &str) -> bool {
        self.0.domains.load().by_host.contains_key(host)
    }

    /// A worker's own view of the table: finds the same, without writing what other workers read.
    pub fn view(&self) -> View {
        View::new(&self.0, self.0.views.fetch_add(1, Ordering::Relaxed))
    }

    /// The link that `slug` (decoded) names on `domain`: the exact one first, then one in any letter case.
    pub fn link(&self, domain: DomainNo, slug: &str) -> Option<Arc<LinkRecord>> {
        self.0.links.record(domain, slug)
    }

    /// The store with number `store`.
    pub fn store(&self, store: StoreNo) -> Option<Arc<StoreRecord>> {
        self.0.stores.load().get(&store).cloned()
    }

    /// The creator with number `creator`.
    pub fn creator(&self, creator: CreatorNo) -> Option<Arc<CreatorRecord>> {
        self.0.creators.get(&creator).map(|found| Arc::clone(&found))
    }

    /// The one creator of `workspace` whom `name` names, in any letter case: by public id, tenant id, user name or name.
    pub fn creator_named(&self, workspace: WorkspaceNo, name: &str) -> Option<Arc<CreatorRecord>> {
        let key = (workspace, slug::fold(name).into());
        let named = self.0.creator_names.get(&key)?;
        match named.as_slice() {
            [one] => self.creator(*one),
            _ => None,
        }
    }

    /// Single-use codes, for handing them out.
    pub(super) fn codes(&self) -> &Codes {
        &self.0.codes
    }

    /// Hands a code to the follower with cookie number `visitor`, as a follow does: for tests without a request.
    #[cfg(test)]
    pub fn hand_out(&self, pool: CodePoolNo, link: LinkNo, visitor: u64, now: Timestamp) -> Option<String> {
        let record = LinkRecord::new(&tests::link(link.0, "a", false), None);
        let claim = super::codes::Claim {
            codes: &self.0.codes,
            link: &record,
            click: crate::domain::click_id::ClickId {
                at: now,
                node: 0,
                sequence: visitor,
                link,
            },
            now,
            known: visitor,
            new: 0,
            identity: 1,
        };
        claim.code(pool).map(|code| code.code.clone())
    }

    /// What became of single-use codes that were asked for.
    pub fn code_tally(&self) -> CodeTally {
        self.0.codes.tally()
    }

    /// The workspace of an API key that is live at `now`, by its hash.
    pub fn key(&self, hash: &[u8; 32], now: Timestamp) -> Option<WorkspaceNo> {
        let keys = self.0.keys.load();
        let (workspace, end) = keys.get(hash)?;
        (now < *end).then_some(*workspace)
    }

    /// Number of links.
    pub fn links(&self) -> usize {
        self.0.links.len()
    }

    /// Whether every link of the books is in.
    pub fn is_loaded(&self) -> bool {
        self.0.is_loaded.load(Ordering::Acquire)
    }

    /// Whether the uses so far of links with a click limit are known.
    pub fn are_uses_known(&self) -> bool {
        self.0.are_uses_known.load(Ordering::Acquire)
    }
}

/// Changes the table. Flows hold it; the request path does not.
#[derive(Debug, Clone)]
pub struct TableWriter(Arc<Table>);

impl TableWriter {
    /// Makes `link` followable, replacing its earlier version `before`.
    pub fn put(&self, link: &Link, before: Option<&Link>) {
        self.touch(link.no);
        let record = self.record(link, |max| Some(self.0.uses.entry(link.no).or_default().limit(max)));
        self.0.links.put(link, record);
        if let Some(before) = before.filter(|before| !Links::are_found_alike(before, link)) {
            self.0.links.remove(before);
        }
    }

    /// As [`Self::put`], for what the books said at some moment while the table fills: it does not replace what was put,
    /// nor bring back what was removed, since it fills. Once it is loaded, nothing is missing and nothing is done.
    pub fn load(&self, link: &Link) {
        // In this order: what was touched is forgotten only after the table is said to be loaded.
        let is_obsolete = || self.0.touched.contains_key(&link.no) || self.0.is_loaded.load(Ordering::Acquire);
        let record = self.record(link, |max| {
            let mut account = self.0.uses.entry(link.no).or_default();
            // Looked at under the account's lock: a limit that is set after this look replaces this one.
            (!is_obsolete()).then(|| account.limit(max))
        });
        self.0.links.put_unless(link, record, is_obsolete);
    }

    /// Makes `link` unknown.
    pub fn remove(&self, link: &Link) {
        self.touch(link.no);
        self.0.links.remove(link);
        self.0.uses.remove(&link.no);
    }

    /// Notes, before it happens, that a link changes: what is read of it from now on may be older than the change.
    fn touch(&self, link: LinkNo) {
        if !self.0.is_loaded.load(Ordering::Acquire) {
            self.0.touched.insert(link, ());
        }
    }

    fn record(&self, link: &Link, limit: impl FnOnce(u64) -> Option<Arc<Uses>>) -> LinkRecord {
        let record = LinkRecord::new(link, link.terms.clicks_max.and_then(limit));
        record.code_pools().for_each(|pool| self.0.codes.want(pool));
        record
    }

    /// Sets the uses so far of a link with a click limit, before they are known.
    pub fn restore_uses(&self, link: LinkNo, uses: u64) {
        self.0.uses.entry(link).or_default().restore(uses);
    }

    /// Replaces all domains.
    pub fn put_domains(&self, domains: &[LinkDomain]) {
        let by_host = domains.iter().filter(|domain| domain.no != DomainNo::DEFAULT);
        let by_host = by_host
            .map(|domain| (domain.slug.as_str().into(), Arc::new(domain.into())))
            .collect();
        let default = domains.iter().find(|domain| domain.no == DomainNo::DEFAULT);
        let default = default.map_or_else(
            || Arc::clone(&self.0.domains.load().default),
            |found| Arc::new(found.into()),
        );
        self.0.domains.store(Arc::new(Domains { by_host, default }));
    }

    /// Adds or replaces a store with its shelf.
    pub fn put_store(&self, store: &Store, shelf: Arc<Shelf>) {
        let record = Arc::new(StoreRecord::new(store, shelf));
        self.0.stores.rcu(|stores| {
            let mut next = HashMap::clone(stores);
            next.insert(store.no, Arc::clone(&record));
            next
        });
    }

    /// Adds or replaces a creator.
    pub fn put_creator(&self, creator: &Creator) {
        let record = CreatorRecord::from(creator);
        let names = record.names.clone();
        let before = self.0.creators.insert(creator.no, Arc::new(record));
        let gone = before.iter().flat_map(|before| &before.names);
        for name in gone.filter(|name| !names.contains(name)) {
            let key = (creator.workspace, name.clone());
            if let Some(mut named) = self.0.creator_names.get_mut(&key) {
                named.retain(|other| *other != creator.no);
            }
            self.0.creator_names.remove_if(&key, |_, named| named.is_empty());
        }
        for name in names {
            let mut named = self.0.creator_names.entry((creator.workspace, name)).or_default();
            if !named.contains(&creator.no) {
                named.push(creator.no);
            }
        }
    }

    /// Publishes one snapshot of what a store has; no follower sees half of it.
    pub fn put_shelf(&self, store: StoreNo, shelf: Arc<Shelf>) {
        if let Some(record) = self.0.stores.load().get(&store) {
            record.shelf.store(shelf);
        }
    }

    /// Pools that links use: their codes are wanted here.
    pub fn code_pools(&self) -> Vec<CodePoolNo> {
        self.0.codes.wanted()
    }

    /// Codes of the pool that are ready; expired ones may be among them.
    pub fn codes_ready(&self, pool: CodePoolNo) -> usize {
        self.0.codes.ready(pool)
    }

    /// Makes codes ready that were taken out of the pool, which is committed.
    pub fn put_codes(&self, pool: CodePoolNo, codes: Vec<PoolCode>) {
        self.0.codes.put(pool, codes);
    }

    /// Takes back what nobody was handed; of these nobody will be.
    pub fn take_codes_back(&self, pool: CodePoolNo) -> Vec<u64> {
        self.0.codes.take_back(pool)
    }

    /// Has the pool no more: nobody is handed its codes, not even those who had one.
    pub fn drop_code_pool(&self, pool: CodePoolNo) {
        self.0.codes.drop_pool(pool);
    }

    /// At most `most` codes that were handed out and are not known to be in the books.
    pub fn codes_given(&self, most: usize) -> Vec<GivenCode> {
        self.0.codes.given(most)
    }

    /// These are in the books.
    pub fn codes_recorded(&self, given: &[GivenCode]) {
        self.0.codes.recorded(given);
    }

    /// Remembers whose a code is, as the books say.
    pub fn remember_code(&self, code: PoolCode, given: &GivenCode) {
        self.0.codes.remember(code, given);
    }

    /// Forgets whose this code is: the follower is handed another one the next time.
    pub fn forget_code(&self, given: &GivenCode) {
        self.0.codes.forget(given);
    }

    /// Forgets whose codes those were that no longer stick to anybody at `now`.
    pub fn forget_old_codes(&self, now: Timestamp) {
        self.0.codes.forget_old(now);
    }

    /// Replaces the API keys: hashes, whose they are, and when they end; `None` = never.
    pub fn put_keys(&self, keys: impl IntoIterator<Item = ([u8; 32], WorkspaceNo, Option<Timestamp>)>) {
        let never = Timestamp(i64::MAX);
        let keys = keys
            .into_iter()
            .map(|(hash, workspace, end)| (hash, (workspace, end.unwrap_or(never))));
        self.0.keys.store(Arc::new(keys.collect()));
    }

    /// Says that every link of the books is in.
    pub fn set_loaded(&self) {
        self.0.is_loaded.store(true, Ordering::Release);
        self.0.touched.clear();
    }

    /// From now on links with a click limit are followed: their uses were restored.
    pub fn set_uses_known(&self) {
        self.0.are_uses_known.store(true, Ordering::Release);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::consent::ConsentMode;
    use crate::domain::creator::CreatorTerms;
    use crate::domain::link::LinkTerms;

    pub fn default_domain() -> LinkDomain {
        LinkDomain {
            no: DomainNo::DEFAULT,
            id: "dom_default".into(),
            workspace: None,
            slug: String::new(),
            is_primary: false,
            is_archived: false,
            is_case_sensitive: false,
            consent: ConsentMode::Gpc,
            has_legal_basis: false,
            cookie_domain: None,
            store: None,
            not_found_url: None,
            expired_url: None,
            redir_hosts: Vec::new(),
            proof: String::new(),
            verified_at: None,
            created_at: Timestamp(0),
            updated_at: Timestamp(0),
        }
    }

    pub fn link(no: u32, slug: &str, is_exact: bool) -> Link {
        Link {
            no: LinkNo(no),
            id: format!("link_{no}"),
            workspace: WorkspaceNo(1),
            domain: DomainNo::DEFAULT,
            slug: slug.into(),
            is_exact,
            terms: LinkTerms {
                destination: format!("https://shop.example/{no}"),
                ..LinkTerms::default()
            },
            created_at: Timestamp(0),
            updated_at: Timestamp(0),
        }
    }

    #[test]
    fn exact_comes_before_folded() {
        let (reader, writer) = Table::new(&default_domain());
        let found = |slug: &str| reader.link(DomainNo::DEFAULT, slug).map(|record| record.no.0);
        writer.put(&link(1, "AbC", true), None);
        writer.put(&link(2, "Summer-Sale", false), None);
        writer.put(&link(3, "ÄPFEL", false), None);
        for (slug, expected) in [
            ("AbC", Some(1)),
            ("abc", None),
            ("summer-sale", Some(2)),
            ("SUMMER-SALE", Some(2)),
            ("äpfel", Some(3)),
            ("nothing-here", None),
        ] {
            assert_eq!(found(slug), expected, "{slug}");
        }
        assert_eq!(reader.link(DomainNo(2), "AbC").map(|record| record.no), None);
        assert_eq!(reader.links(), 3);
    }

    #[test]
    fn a_slug_without_capitals_is_found_in_one_look_whether_exact_or_folded() {
        let (reader, writer) = Table::new(&default_domain());
        let found = |slug: &str| reader.link(DomainNo::DEFAULT, slug).map(|record| record.no.0);
        let exact = link(1, "abc7", true);
        writer.put(&exact, None);
        assert_eq!([found("abc7"), found("ABC7"), found("Abc7")], [Some(1), None, None]);
        // The same link in any letter case: another key of the same slug.
        let folded = link(1, "abc7", false);
        writer.put(&folded, Some(&exact));
        assert_eq!([found("abc7"), found("ABC7"), found("Abc7")], [Some(1); 3]);
        assert_eq!(reader.links(), 1);
        writer.put(&exact, Some(&folded));
        assert_eq!([found("abc7"), found("ABC7")], [Some(1), None]);
        writer.put(&link(2, "ABC7", true), None);
        assert_eq!([found("abc7"), found("ABC7"), found("aBC7")], [Some(1), Some(2), None]);
        writer.remove(&exact);
        assert_eq!([found("abc7"), found("ABC7")], [None, Some(2)]);
    }

    #[test]
    fn a_renamed_link_leaves_its_old_slug() {
        let (reader, writer) = Table::new(&default_domain());
        let before = link(1, "old", false);
        writer.put(&before, None);
        writer.put(&link(1, "a-much-longer-new-slug", false), Some(&before));
        assert!(reader.link(DomainNo::DEFAULT, "old").is_none());
        assert!(reader.link(DomainNo::DEFAULT, "A-much-longer-new-slug").is_some());
        writer.remove(&link(2, "a-much-longer-new-slug", false));
        assert_eq!(reader.links(), 1, "another link's removal leaves this one");
    }

    #[test]
    fn creators_are_found_by_a_name_that_is_theirs_alone() {
        let (reader, writer) = Table::new(&default_domain());
        let creator = |no: u32, name: &str, username: Option<&str>| Creator {
            no: CreatorNo(no),
            id: format!("pn_{no}"),
            workspace: WorkspaceNo(1),
            terms: CreatorTerms {
                name: name.into(),
                username: username.map(str::to_owned),
                ..CreatorTerms::default()
            },
            created_at: Timestamp(0),
            departure: None,
        };
        let named = |name: &str| reader.creator_named(WorkspaceNo(1), name).map(|found| found.no.0);
        writer.put_creator(&creator(1, "Mia", Some("mia.pots")));
        writer.put_creator(&creator(2, "Nils", None));
        for (name, expected) in [
            ("MIA", Some(1)),
            ("mia.pots", Some(1)),
            ("PN_2", Some(2)),
            ("Ole", None),
            ("", None),
        ] {
            assert_eq!(named(name), expected, "{name}");
        }
        assert!(reader.creator_named(WorkspaceNo(2), "Mia").is_none());
        writer.put_creator(&creator(3, "mia", None));
        assert_eq!((named("Mia"), named("mia.pots")), (None, Some(1)), "two are called so");
        writer.put_creator(&creator(3, "Mona", None));
        assert_eq!((named("Mia"), named("mona")), (Some(1), Some(3)), "one has changed it");
    }

    #[test]
    fn uses_outlive_a_change_of_the_link() {
        let (reader, writer) = Table::new(&default_domain());
        let limited = |max| {
            let mut link = link(1, "few", false);
            link.terms.clicks_max = Some(max);
            link
        };
        writer.restore_uses(LinkNo(1), 3);
        writer.put(&limited(5), None);
        let take = || {
            reader
                .link(DomainNo::DEFAULT, "few")
                .and_then(|record| record.limit.as_ref().map(|limit| limit.take(0)))
        };
        assert_eq!(take(), Some(true));
        writer.put(&limited(6), Some(&limited(5)));
        assert_eq!([take(), take(), take()], [Some(true), Some(true), Some(false)]);
    }

    #[test]
    fn a_limit_is_exact_under_contention() {
        for max in [1_000, 40_003] {
            let uses = Account::default().limit(max);
            let take = |seat| {
                std::iter::repeat_with(|| uses.take(seat))
                    .take_while(|taken| *taken)
                    .count() as u64
            };
            let taken: u64 = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..4).map(|seat| scope.spawn(move || take(seat))).collect();
                threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
            });
            assert_eq!(taken, max);
            assert!(!uses.has_left());
        }
    }

    /// How many uses are left, taken one after the other by workers in turn.
    fn drain(uses: &Uses) -> u64 {
        (0..).take_while(|seat| uses.take(*seat)).count() as u64
    }

    #[test]
    fn a_new_limit_counts_what_was_taken() {
        for (restored, first, taken, second, left) in [
            (0, 5, 2, 9, 7),
            (3, 5, 2, 6, 1),
            (7, 5, 0, 10, 3),
            (0, 5, 4, 2, 0),
            (0, 10_000, 3, 5, 2),
            (0, 5, 2, 10_000, 9_998),
            (9_000, 10_000, 1_000, 9_000, 0),
        ] {
            let mut account = Account::default();
            account.restore(restored);
            let uses = account.limit(first);
            assert_eq!((0..taken).filter(|seat| uses.take(*seat)).count(), taken);
            assert_eq!(
                drain(&account.limit(second)),
                left,
                "{restored} {first} {taken} {second}"
            );
        }
    }

    #[test]
    fn uses_are_restored_before_or_after_the_limit_is_known_and_more_than_once() {
        let mut account = Account::default();
        let uses = account.limit(10);
        account.restore(4);
        account.restore(4);
        assert_eq!(drain(&account.limit(10)), 6);
        assert!(!uses.has_left(), "all versions of the link share them");
        account.restore(12);
        assert_eq!(drain(&account.limit(13)), 1);
    }
}
