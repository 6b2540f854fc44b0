//! The link table: what every follow reads and only flows write.
//!
//! Short slugs are found by a 64-bit key, the rest in a second map. Reading and writing are different types, so that
//! the request path cannot write. No guard leaves a method: a caller cannot hold a shard's lock.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use dashmap::DashMap;
use foldhash::fast::RandomState;

use super::codes::{CodeTally, Codes};
use super::record::{CreatorRecord, DomainRecord, LinkRecord, StoreRecord};
use crate::domain::code_pool::{GivenCode, PoolCode};
use crate::domain::creator::Creator;
use crate::domain::id::{CodePoolNo, CreatorNo, DomainNo, LinkNo, StoreNo, WorkspaceNo};
use crate::domain::link::Link;
use crate::domain::link_domain::LinkDomain;
use crate::domain::slug::{self, SLUG_MAX, SlugKey};
use crate::domain::store::{Shelf, Store};
use crate::domain::time::Timestamp;

/// Most hosts are found without hashing a long name twice; this many bytes hold any long key.
const LONG_KEY_MAX: usize = 5 + SLUG_MAX * 4;

/// Everything that follows read.
#[derive(Debug)]
pub struct Table {
    short: DashMap<u64, Arc<LinkRecord>, RandomState>,
    long: DashMap<Box<[u8]>, Arc<LinkRecord>, RandomState>,
    /// Uses of links with a click limit, shared by all versions of a link.
    uses: DashMap<LinkNo, Arc<AtomicU64>, RandomState>,
    domains: ArcSwap<Domains>,
    stores: ArcSwap<HashMap<StoreNo, Arc<StoreRecord>>>,
    creators: DashMap<CreatorNo, Arc<CreatorRecord>, RandomState>,
    /// Creators by what links may call them; a name that two share names neither.
    creator_names: DashMap<(WorkspaceNo, Box<str>), Vec<CreatorNo>, RandomState>,
    /// Hashes of live API keys: what marks test traffic.
    /// Each with its workspace and its end.
    keys: ArcSwap<HashMap<[u8; 32], (WorkspaceNo, Timestamp)>>,
    /// Single-use codes that are ready to be handed out.
    codes: Codes,
    is_loaded: AtomicBool,
    /// Whether the uses so far of limited links are known; they come from the click log.
    are_uses_known: AtomicBool,
}

#[derive(Debug)]
struct Domains {
    by_host: HashMap<Box<str>, Arc<DomainRecord>>,
    default: Arc<DomainRecord>,
}

impl Table {
    /// An empty table whose every host is `default`.
    #[expect(clippy::new_ret_no_self, reason = "a table is its two ends, as a channel is")]
    pub fn new(default: &LinkDomain) -> (TableReader, TableWriter) {
        let table = Arc::new(Self {
            short: DashMap::with_hasher(RandomState::default()),
            long: DashMap::with_hasher(RandomState::default()),
            uses: DashMap::with_hasher(RandomState::default()),
            domains: ArcSwap::from_pointee(Domains {
                by_host: HashMap::new(),
                default: Arc::new(default.into()),
            }),
            stores: ArcSwap::from_pointee(HashMap::new()),
            creators: DashMap::with_hasher(RandomState::default()),
            creator_names: DashMap::with_hasher(RandomState::default()),
            keys: ArcSwap::from_pointee(HashMap::new()),
            codes: Codes::default(),
            is_loaded: AtomicBool::new(false),
            are_uses_known: AtomicBool::new(false),
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
        let domains = self.0.domains.load();
        Arc::clone(domains.by_host.get(host).unwrap_or(&domains.default))
    }

    /// Whether `host` is a registered link domain.
    pub fn is_own_host(&self, host: &str) -> bool {
        self.0.domains.load().by_host.contains_key(host)
    }

    /// The link that `slug` (decoded) names on `domain`: the exact one first, then one in any letter case.
    pub fn link(&self, domain: DomainNo, slug: &str) -> Option<Arc<LinkRecord>> {
        self.get(&SlugKey::new(domain, true, slug)).or_else(|| {
            let is_folded = slug.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
            let folded = if is_folded {
                Cow::Borrowed(slug)
            } else {
                Cow::Owned(slug::fold(slug))
            };
            self.get(&SlugKey::new(domain, false, &folded))
        })
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
        self.0.short.len() + self.0.long.len()
    }

    /// Whether every link of the books is in.
    pub fn is_loaded(&self) -> bool {
        self.0.is_loaded.load(Ordering::Acquire)
    }

    /// Whether the uses so far of links with a click limit are known.
    pub fn are_uses_known(&self) -> bool {
        self.0.are_uses_known.load(Ordering::Acquire)
    }

    fn get(&self, key: &SlugKey<'_>) -> Option<Arc<LinkRecord>> {
        match key {
            SlugKey::Short(number) => self.0.short.get(number).map(|found| Arc::clone(&found)),
            SlugKey::Long(domain, is_exact, slug) => {
                let mut bytes = [0; LONG_KEY_MAX];
                let key = long_key(&mut bytes, *domain, *is_exact, slug)?;
                self.0.long.get(key).map(|found| Arc::clone(&found))
            }
        }
    }
}

/// Changes the table. Flows hold it; the request path does not.
#[derive(Debug, Clone)]
pub struct TableWriter(Arc<Table>);

impl TableWriter {
    /// Makes `link` followable, replacing its earlier version `before`.
    pub fn put(&self, link: &Link, before: Option<&Link>) {
        let uses = link
            .terms
            .clicks_max
            .map(|_| Arc::clone(&self.0.uses.entry(link.no).or_default()));
        let record = Arc::new(LinkRecord::new(link, uses));
        record.code_pools().for_each(|pool| self.0.codes.want(pool));
        if let Some(before) = before.filter(|before| key_of(before) != key_of(link)) {
            self.unlist(before);
        }
        match key_of(link) {
            Key::Short(number) => {
                self.0.short.insert(number, record);
            }
            Key::Long(bytes) => {
                self.0.long.insert(bytes, record);
            }
        }
    }

    /// Makes `link` unknown.
    pub fn remove(&self, link: &Link) {
        self.0.uses.remove(&link.no);
        self.unlist(link);
    }

    fn unlist(&self, link: &Link) {
        match key_of(link) {
            Key::Short(number) => drop(self.0.short.remove_if(&number, |_, record| record.no == link.no)),
            Key::Long(bytes) => drop(self.0.long.remove_if(&bytes, |_, record| record.no == link.no)),
        }
    }

    /// Sets the uses so far of a link with a click limit.
    pub fn restore_uses(&self, link: LinkNo, uses: u64) {
        self.0.uses.entry(link).or_default().store(uses, Ordering::Relaxed);
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
    }

    /// From now on links with a click limit are followed: their uses were restored.
    pub fn set_uses_known(&self) {
        self.0.are_uses_known.store(true, Ordering::Release);
    }
}

#[derive(PartialEq, Eq)]
enum Key {
    Short(u64),
    Long(Box<[u8]>),
}

fn key_of(link: &Link) -> Key {
    let slug = if link.is_exact {
        Cow::Borrowed(link.slug.as_str())
    } else {
        Cow::Owned(slug::fold(&link.slug))
    };
    match SlugKey::new(link.domain, link.is_exact, &slug) {
        SlugKey::Short(number) => Key::Short(number),
        SlugKey::Long(domain, is_exact, slug) => {
            let mut bytes = Vec::with_capacity(5 + slug.len());
            bytes.extend_from_slice(&domain.0.to_be_bytes());
            bytes.push(u8::from(is_exact));
            bytes.extend_from_slice(slug.as_bytes());
            Key::Long(bytes.into())
        }
    }
}

/// Writes the key that [`key_of`] makes into `bytes`; `None` when `slug` is longer than any stored one.
fn long_key<'a>(bytes: &'a mut [u8; LONG_KEY_MAX], domain: DomainNo, is_exact: bool, slug: &str) -> Option<&'a [u8]> {
    let end = 5 + slug.len();
    bytes[..4].copy_from_slice(&domain.0.to_be_bytes());
    bytes[4] = u8::from(is_exact);
    bytes.get_mut(5..end)?.copy_from_slice(slug.as_bytes());
    Some(&bytes[..end])
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
                .and_then(|record| record.limit.as_ref().map(|limit| limit.take()))
        };
        assert_eq!(take(), Some(true));
        writer.put(&limited(6), Some(&limited(5)));
        assert_eq!([take(), take(), take()], [Some(true), Some(true), Some(false)]);
    }
}
