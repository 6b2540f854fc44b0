//! Every link by its slug: short slugs by a 64-bit key, the rest in a second map, and behind both 32 bits that say where
//! the link lies.
//!
//! Plain links lie packed in the arena; what has a cart, rules, a limit or the like has a record of its own, shared by
//! whoever reads it. Plain links with short slugs are found in the [`Index`], without a lock; every other link is copied
//! out under its shard's lock, which no method lets out.

use std::borrow::{Borrow, Cow};
use std::hash::{BuildHasher, Hash, Hasher};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering, fence};

use arc_swap::ArcSwap;
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use foldhash::fast::RandomState;

use super::arena::Arena;
use super::generations::{Generations, STRIPES, Stamp};
use super::index::{Index, Trace};
use super::origins::Origins;
use super::packed::{self, PACKED_MAX};
use super::record::LinkRecord;
use crate::domain::id::{DomainNo, LinkNo};
use crate::domain::link::Link;
use crate::domain::slug::{self, SHORT_EXACT, SLUG_MAX, SlugKey};

/// Bytes that hold any long key.
const LONG_KEY_MAX: usize = 5 + SLUG_MAX * 4;
/// Shards of the map of short slugs. 1,024: 128 KiB, and when one grows, with its readers waiting, it moves some
/// thousand entries and not a million.
const SHARDS: usize = 1024;

/// A short key as links of any letter case are looked for: exact or folded. With the alignment of 32 bits, so that it
/// and a place take 12 bytes and not 16.
#[derive(Debug, Clone, Copy)]
struct AnyCase([u32; 2]);

impl AnyCase {
    fn new(number: u64) -> Self {
        Self([number as u32, (number >> 32) as u32])
    }

    fn number(self) -> u64 {
        u64::from(self.0[1]) << 32 | u64::from(self.0[0])
    }
}

impl PartialEq for AnyCase {
    fn eq(&self, other: &Self) -> bool {
        (self.number() ^ other.number()) & !SHORT_EXACT == 0
    }
}

impl Eq for AnyCase {}

impl Hash for AnyCase {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.number() & !SHORT_EXACT);
    }
}

/// A short key that is exact or folded. It is hashed as [`AnyCase`], so that a slug that is its own fold needs one look:
/// exact or folded, at most one link of a domain has it.
#[derive(Debug, Clone, Copy)]
struct ShortKey(AnyCase);

impl ShortKey {
    fn new(number: u64) -> Self {
        Self(AnyCase::new(number))
    }

    fn is_exact(self) -> bool {
        self.0.number() & SHORT_EXACT != 0
    }

    fn trace(self) -> Trace {
        Trace::new(self.0.number(), SHORT_EXACT)
    }
}

impl PartialEq for ShortKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.0 == other.0.0
    }
}

impl Eq for ShortKey {}

impl Hash for ShortKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl Borrow<AnyCase> for ShortKey {
    fn borrow(&self) -> &AnyCase {
        &self.0
    }
}

/// Where a link lies: at a word of the arena, or with [`RICH`] among those with a record of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place(u32);

const RICH: u32 = 1 << 31;

/// Room for one packed link.
pub(super) type Buffer = [u8; PACKED_MAX];

/// A link as it was found.
pub(super) enum Found<'a> {
    /// See [`packed`].
    Packed(&'a [u8]),
    Rich(Arc<LinkRecord>),
}

/// See the file's head.
#[derive(Debug)]
pub(super) struct Links {
    short: DashMap<ShortKey, Place, RandomState>,
    /// What `short` says of plain links, as far as it is known.
    index: ArcSwap<Index>,
    long: DashMap<Box<[u8]>, Place, RandomState>,
    arena: Arena,
    origins: Origins,
    rich: DashMap<u32, Arc<LinkRecord>, RandomState>,
    /// The number of the next rich link, without [`RICH`].
    next_rich: AtomicU32,
    generations: Generations,
    /// Of keys, for generations.
    hasher: RandomState,
}

impl Links {
    /// No link yet, and room for `room` with short slugs before the map of them grows.
    pub fn new(room: usize) -> Self {
        Self {
            short: DashMap::with_capacity_and_hasher_and_shard_amount(room, RandomState::default(), SHARDS),
            index: ArcSwap::from_pointee(Index::new(room)),
            long: DashMap::with_hasher(RandomState::default()),
            arena: Arena::new(),
            origins: Origins::new(),
            rich: DashMap::with_hasher(RandomState::default()),
            next_rich: AtomicU32::new(0),
            generations: Generations::new(STRIPES),
            hasher: RandomState::default(),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.short.len() + self.long.len()
    }

    /// The link that `slug` (decoded) names on `domain`: the exact one first, then one in any letter case. It holds for
    /// as long as the stamp is current: the other of the two keys cannot come into use before this one is free
    /// (`domain::link::slugs_conflict`).
    pub fn find<'a>(&self, domain: DomainNo, slug: &str, buffer: &'a mut Buffer) -> Option<(Stamp, Found<'a>)> {
        if slug::is_own_fold(slug)
            && let SlugKey::Short(number) = SlugKey::new(domain, false, slug)
        {
            let (stamp, place) = self.look_short(ShortKey::new(number), true, buffer)?;
            return Some((stamp, place.found(buffer)));
        }
        if let Some((stamp, place)) = self.look(&SlugKey::new(domain, true, slug), buffer) {
            return Some((stamp, place.found(buffer)));
        }
        let (stamp, place) = self.look(&SlugKey::new(domain, false, &slug::fold(slug)), buffer)?;
        Some((stamp, place.found(buffer)))
    }

    /// The short key that [`Self::find`] will look at first for `slug` on `domain`, if it will.
    pub fn first_key(domain: DomainNo, slug: &str) -> Option<u64> {
        match SlugKey::new(domain, true, slug) {
            SlugKey::Short(number) => Some(number),
            SlugKey::Long(..) => None,
        }
    }

    /// Gets near what [`Self::find`] will read for these short keys, for all of them at once.
    pub fn foresee(&self, keys: &[u64]) {
        let index = self.index.load();
        let traces = || keys.iter().map(|key| ShortKey::new(*key).trace());
        // Two loops: no step of one waits for the step before.
        let buckets = traces().fold(0, |sum, trace| sum ^ index.touch(trace));
        let places = traces().filter_map(|trace| index.find(trace, None));
        let runs = places.fold(0, |sum, place| sum ^ self.arena.touch(place));
        black_box(buckets ^ runs);
    }

    /// As [`Self::find`], as a record of the caller's own.
    pub fn record(&self, domain: DomainNo, slug: &str) -> Option<Arc<LinkRecord>> {
        let mut buffer = [0; PACKED_MAX];
        let (_, found) = self.find(domain, slug, &mut buffer)?;
        let mut record = Arc::new(LinkRecord::empty());
        self.fill(&mut record, found);
        Some(record)
    }

    /// Makes `record` what was found. The memory of one that nobody else holds is used again.
    pub fn fill(&self, record: &mut Arc<LinkRecord>, found: Found<'_>) {
        match found {
            Found::Rich(rich) => *record = rich,
            Found::Packed(bytes) => match Arc::get_mut(record) {
                Some(own) => packed::unpack(bytes, &self.origins, own),
                None => {
                    let mut own = LinkRecord::empty();
                    packed::unpack(bytes, &self.origins, &mut own);
                    *record = Arc::new(own);
                }
            },
        }
    }

    /// Whether what was found under `stamp` is still so.
    pub fn is_current(&self, stamp: Stamp) -> bool {
        self.generations.is_current(stamp)
    }

    /// Puts `record` where `link` is found, in the place of what was there.
    pub fn put(&self, link: &Link, record: LinkRecord) {
        let key = Key::of(link);
        let place = self.keep(record, &key);
        let before = match &key {
            Key::Short(key) => match self.short.entry(*key) {
                Entry::Occupied(mut occupied) => {
                    let before = occupied.insert(place);
                    self.point(*key, place);
                    Some(before)
                }
                Entry::Vacant(vacant) => {
                    let _held = vacant.insert(place);
                    self.point(*key, place);
                    None
                }
            },
            Key::Long(key) => self.long.insert(key.clone(), place),
        };
        self.end(&key, before);
    }

    /// Whether `link` and `other` are found by the same key.
    pub fn are_found_alike(link: &Link, other: &Link) -> bool {
        Key::of(link) == Key::of(other)
    }

    /// As [`Self::put`], unless a link is there or `is_obsolete` says, at a moment when nobody changes what is there,
    /// that this one must not be.
    pub fn put_unless(&self, link: &Link, record: LinkRecord, is_obsolete: impl FnOnce() -> bool) -> bool {
        let key = Key::of(link);
        let place = self.keep(record, &key);
        let is_put = match key {
            Key::Short(key) => insert_unless(self.short.entry(key), place, is_obsolete, || self.point(key, place)),
            Key::Long(key) => insert_unless(self.long.entry(key), place, is_obsolete, || {}),
        };
        // No generation ends: nobody remembers that there was nothing.
        if !is_put {
            self.release(place);
        }
        is_put
    }

    /// Takes `link` away from where it is found, unless another link is there.
    pub fn remove(&self, link: &Link) {
        let key = Key::of(link);
        let is_it = |place: &Place| self.link_no(*place) == Some(link.no);
        let before = match &key {
            Key::Short(key) => self
                .short
                .remove_if(key, |_, place| {
                    let is_it = is_it(place);
                    if is_it {
                        self.index.load().clear(key.trace(), key.is_exact());
                    }
                    is_it
                })
                .map(|(_, place)| place),
            Key::Long(key) => self
                .long
                .remove_if(key, |_, place| is_it(place))
                .map(|(_, place)| place),
        };
        self.end(&key, before);
    }

    /// Has the index say what the map says of `key`. The caller holds the lock of its shard, so that nobody says
    /// anything else meanwhile.
    fn point(&self, key: ShortKey, place: Place) {
        let index = self.index.load();
        if place.is_rich() {
            return index.clear(key.trace(), key.is_exact());
        }
        index.set(key.trace(), key.is_exact(), place.0);
        // The larger one fills as links are read and written.
        if let Some(grown) = index.grown() {
            self.index.compare_and_swap(&*index, Arc::new(grown));
        }
    }

    /// What was found at `key` until now is no more: workers forget it, and its memory is used again. Who still reads it
    /// does so under the lock under which it was taken away, or looks at the generation afterwards.
    fn end(&self, key: &Key, before: Option<Place>) {
        self.generations.bump(self.hasher.hash_one(key));
        if let Some(place) = before {
            self.release(place);
        }
    }

    fn keep(&self, record: LinkRecord, key: &Key) -> Place {
        let packed = packed::pack(&record, key.check(), &self.origins).and_then(|bytes| self.arena.store(&bytes));
        packed.map(Place).unwrap_or_else(|| {
            let record = Arc::new(record);
            // Numbers come again after two thousand million rich links; one that is held is passed over.
            loop {
                let number = self.next_rich.fetch_add(1, Ordering::Relaxed) & !RICH;
                if let Entry::Vacant(vacant) = self.rich.entry(number) {
                    vacant.insert(Arc::clone(&record));
                    return Place(number | RICH);
                }
            }
        })
    }

    fn release(&self, place: Place) {
        if place.is_rich() {
            self.rich.remove(&place.number());
        } else {
            self.arena.release(place.0);
        }
    }

    fn link_no(&self, place: Place) -> Option<LinkNo> {
        if place.is_rich() {
            return self.rich.get(&place.number()).map(|record| record.no);
        }
        Some(packed::link_no(self.arena.load(place.0, &mut [0; PACKED_MAX])))
    }

    /// Reads what lies at `key`, with a stamp from before.
    fn look(&self, key: &SlugKey<'_>, buffer: &mut Buffer) -> Option<(Stamp, Read)> {
        match key {
            SlugKey::Short(number) => self.look_short(ShortKey::new(*number), false, buffer),
            SlugKey::Long(domain, is_exact, slug) => {
                let mut bytes = [0; LONG_KEY_MAX];
                let key = long_key(&mut bytes, *domain, *is_exact, slug)?;
                let stamp = self.generations.stamp(self.hasher.hash_one(LongKey(key)));
                let place = self.long.get(key)?;
                Some((stamp, self.read(*place, buffer)?))
            }
        }
    }

    /// Reads what lies at `key`, or with `in_any_case` at the one that differs from it in being exact or folded.
    fn look_short(&self, key: ShortKey, in_any_case: bool, buffer: &mut Buffer) -> Option<(Stamp, Read)> {
        let stamp = self.generations.stamp(self.hasher.hash_one(key));
        let is_exact = (!in_any_case).then(|| key.is_exact());
        let place = self.index.load().find(key.trace(), is_exact);
        if let Some(length) = place.and_then(|place| self.read_unlocked(place, key.trace(), stamp, buffer)) {
            return Some((stamp, Read::Packed(length)));
        }
        let held = match in_any_case {
            true => self.short.get(&key.0),
            false => self.short.get(&key),
        }?;
        let (key, place) = held.pair();
        let read = self.read(*place, buffer)?;
        if !place.is_rich() {
            self.point(*key, *place);
        }
        Some((stamp, read))
    }

    /// Reads what lies at `place` if that is, and was all the while since `stamp`, the link of `trace`.
    fn read_unlocked(&self, place: u32, trace: Trace, stamp: Stamp, buffer: &mut Buffer) -> Option<usize> {
        let bytes = self.arena.load(place, buffer);
        let is_its = packed::check(bytes) == Some(trace.check());
        let length = bytes.len();
        // After all of the bytes, the generation; it ends before the place is another link's.
        fence(Ordering::Acquire);
        (is_its && self.is_current(stamp)).then_some(length)
    }

    /// Reads what lies at `place`. The caller holds the lock of the shard that says so: until it lets go, nobody takes
    /// the link away. (Who holds a lock of the rich links never asks for one of a shard.)
    fn read(&self, place: Place, buffer: &mut Buffer) -> Option<Read> {
        if place.is_rich() {
            let record = self.rich.get(&place.number())?;
            return Some(Read::Rich(Arc::clone(&record)));
        }
        Some(Read::Packed(self.arena.load(place.0, buffer).len()))
    }
}

impl Place {
    fn is_rich(self) -> bool {
        self.0 & RICH != 0
    }

    fn number(self) -> u32 {
        self.0 & !RICH
    }
}

/// What [`Links::look`] has read: a record, or so many bytes of the buffer.
enum Read {
    Packed(usize),
    Rich(Arc<LinkRecord>),
}

impl Read {
    fn found(self, buffer: &Buffer) -> Found<'_> {
        match self {
            Self::Packed(length) => Found::Packed(&buffer[..length]),
            Self::Rich(record) => Found::Rich(record),
        }
    }
}

/// Puts `place` in and calls `then` under the same lock, unless something is there or `is_obsolete` says no.
fn insert_unless<K: Eq + Hash>(
    entry: Entry<'_, K, Place>,
    place: Place,
    is_obsolete: impl FnOnce() -> bool,
    then: impl FnOnce(),
) -> bool {
    match entry {
        Entry::Vacant(vacant) if !is_obsolete() => {
            let _held = vacant.insert(place);
            then();
            true
        }
        _ => false,
    }
}

/// What a link is found by.
#[derive(PartialEq, Eq)]
enum Key {
    Short(ShortKey),
    Long(Box<[u8]>),
}

impl Key {
    /// What a packed link says of its key.
    fn check(&self) -> u16 {
        match self {
            Self::Short(key) => key.trace().check(),
            Self::Long(_) => 0,
        }
    }

    /// The key of `link`.
    fn of(link: &Link) -> Self {
        let slug = if link.is_exact {
            Cow::Borrowed(link.slug.as_str())
        } else {
            Cow::Owned(slug::fold(&link.slug))
        };
        match SlugKey::new(link.domain, link.is_exact, &slug) {
            SlugKey::Short(number) => Self::Short(ShortKey::new(number)),
            SlugKey::Long(domain, is_exact, slug) => {
                let mut bytes = Vec::with_capacity(5 + slug.len());
                bytes.extend_from_slice(&domain.0.to_be_bytes());
                bytes.push(u8::from(is_exact));
                bytes.extend_from_slice(slug.as_bytes());
                Self::Long(bytes.into())
            }
        }
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Short(key) => key.hash(state),
            Self::Long(bytes) => LongKey(bytes).hash(state),
        }
    }
}

/// A long key that is not kept; hashed as one that is.
struct LongKey<'a>(&'a [u8]);

impl Hash for LongKey<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

/// Writes the key that [`Key::of`] makes into `bytes`; `None` when `slug` is longer than any stored one.
fn long_key<'a>(bytes: &'a mut [u8; LONG_KEY_MAX], domain: DomainNo, is_exact: bool, slug: &str) -> Option<&'a [u8]> {
    let end = 5 + slug.len();
    bytes[..4].copy_from_slice(&domain.0.to_be_bytes());
    bytes[4] = u8::from(is_exact);
    bytes.get_mut(5..end)?.copy_from_slice(slug.as_bytes());
    Some(&bytes[..end])
}

#[cfg(test)]
mod tests {
    use super::super::table::tests::link;
    use super::*;

    const LINKS: u32 = 400;

    fn slug_of(no: u32) -> String {
        format!("s{no}")
    }

    fn links() -> Links {
        let links = Links::new(0);
        links.index.store(Arc::new(Index::with_buckets(2)));
        for no in 0..LINKS {
            links.put(
                &link(no, &slug_of(no), true),
                LinkRecord::new(&link(no, &slug_of(no), true), None),
            );
        }
        links
    }

    fn found(links: &Links, slug: &str) -> Option<LinkNo> {
        links.record(DomainNo::DEFAULT, slug).map(|record| record.no)
    }

    /// Whether the index says where the link is.
    fn is_pointed_at(links: &Links, slug: &str) -> bool {
        let key = ShortKey::new(Links::first_key(DomainNo::DEFAULT, slug).expect("a short slug"));
        links.index.load().find(key.trace(), None).is_some()
    }

    #[test]
    fn links_are_found_while_the_index_grows_and_are_in_it_once_they_were_read() {
        let links = links();
        let missing = |links: &Links| (0..LINKS).filter(|no| !is_pointed_at(links, &slug_of(*no))).count();
        assert!(missing(&links) > 0, "those from before it grew");
        for _ in 0..3 {
            for no in 0..LINKS {
                assert_eq!(found(&links, &slug_of(no)), Some(LinkNo(no)));
            }
        }
        assert!(missing(&links) < 40, "{} found no room", missing(&links));
        assert_eq!(found(&links, "nobody"), None);
    }

    #[test]
    fn the_index_forgets_what_is_not_plain_or_not_there() {
        let links = links();
        assert!((0..LINKS).all(|no| found(&links, &slug_of(no)).is_some()));
        let pointed = (0..LINKS).filter(|no| is_pointed_at(&links, &slug_of(*no))).take(2);
        let [gone, rich] = pointed.collect::<Vec<_>>()[..] else {
            panic!("hardly any is in the index");
        };
        links.remove(&link(gone, &slug_of(gone), true));
        assert!(!is_pointed_at(&links, &slug_of(gone)) && found(&links, &slug_of(gone)).is_none());
        let uses = Arc::new(super::super::uses::Uses::in_lanes(1, 1));
        let record = LinkRecord::new(&link(rich, &slug_of(rich), true), Some(uses));
        links.put(&link(rich, &slug_of(rich), true), record);
        assert!(!is_pointed_at(&links, &slug_of(rich)));
        let record = links.record(DomainNo::DEFAULT, &slug_of(rich));
        assert!(record.is_some_and(|record| record.limit.is_some()));
        // And the other way round.
        let record = LinkRecord::new(&link(rich, &slug_of(rich), true), None);
        links.put(&link(rich, &slug_of(rich), true), record);
        assert!(is_pointed_at(&links, &slug_of(rich)));
    }

    #[test]
    fn what_the_index_says_of_another_key_is_not_believed() {
        let links = links();
        let key = ShortKey::new(Links::first_key(DomainNo::DEFAULT, "other").expect("a short slug"));
        let Some(place) = links.short.get(&ShortKey::new(
            Links::first_key(DomainNo::DEFAULT, &slug_of(1)).expect("a short slug"),
        )) else {
            panic!("a link")
        };
        assert!(links.index.load().set(key.trace(), true, place.0));
        drop(place);
        assert_eq!(found(&links, "other"), None);
    }
}
