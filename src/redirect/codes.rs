//! Single-use codes that are ready to be handed out, whose each is, and what was handed out and is not yet in the books.
//!
//! Every code in here was taken out of its pool and committed before: none is in here twice, whatever crashed. Taking
//! one is a step of a counter. Nothing waits; what is full or empty answers `None`, and the cart's own codes go out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use arc_swap::ArcSwap;
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use foldhash::fast::RandomState;

use super::person::Person;
use super::record::LinkRecord;
use crate::domain::click_id::ClickId;
use crate::domain::code_pool::{GivenCode, PoolCode, sticks_until};
use crate::domain::id::{CodePoolNo, LinkNo};
use crate::domain::time::Timestamp;

/// Most codes that are handed out and not yet in the books. 16,384: 2 MB, and a second of the rush that lots are made
/// for; while books cannot be written, more are not handed out, for nobody would know whose an order's code was.
const GIVEN_MAX: usize = 16_384;
/// Most followers whose code is remembered. 524,288: some 60 MB; past it a follower who comes again gets another code.
pub const REMEMBERED_MAX: usize = 1 << 19;

/// What became of codes that were asked for, and how much is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CodeTally {
    /// Handed out.
    pub given: u64,
    /// Handed out again to the same follower.
    pub again: u64,
    /// Not handed out: none was ready.
    pub empty: u64,
    /// Not handed out: the books lag behind.
    pub full: u64,
    /// Handed out to followers who cannot be remembered: too many are.
    pub not_remembered: u64,
    /// Followers whose code is remembered.
    pub remembered: u64,
    /// Handed out and not yet in the books.
    pub waiting: u64,
}

/// Codes that were taken out of a pool together.
#[derive(Debug)]
struct Lot {
    codes: Box<[Arc<PoolCode>]>,
    /// Those before this place are somebody's.
    next: AtomicUsize,
}

impl Lot {
    fn take(&self) -> Option<Arc<PoolCode>> {
        let step = |next: usize| (next < self.codes.len()).then_some(next + 1);
        let place = self.next.fetch_update(Ordering::AcqRel, Ordering::Acquire, step);
        self.codes.get(place.ok()?).cloned()
    }

    fn left(&self) -> usize {
        self.codes.len().saturating_sub(self.next.load(Ordering::Acquire))
    }
}

/// A pool that links use.
#[derive(Debug, Default)]
struct Pool {
    lots: ArcSwap<Vec<Arc<Lot>>>,
    is_dropped: AtomicBool,
}

/// Whose a code is: by the cookie's number, or by the hash of address and agent.
type Holder = (CodePoolNo, LinkNo, u64);

#[derive(Debug, Clone)]
struct Held {
    code: Arc<PoolCode>,
    until: Timestamp,
}

/// See the file's head.
#[derive(Debug, Default)]
pub(super) struct Codes {
    pools: DashMap<CodePoolNo, Arc<Pool>, RandomState>,
    holders: DashMap<Holder, Held, RandomState>,
    held: AtomicUsize,
    given: DashMap<u64, GivenCode, RandomState>,
    waiting: AtomicUsize,
    tally: [AtomicU64; 5],
}

/// What is counted, as places in the tally.
#[derive(Clone, Copy)]
enum Count {
    Given,
    Again,
    Empty,
    Full,
    NotRemembered,
}

/// Who asks for a code, and on which click.
pub(super) struct Claim<'a> {
    pub codes: &'a Codes,
    pub link: &'a LinkRecord,
    pub click: ClickId,
    pub now: Timestamp,
    /// From the cookie; 0 = none.
    pub known: u64,
    /// Newly set; 0 = none.
    pub new: u64,
    pub identity: u64,
}

impl<'a> Claim<'a> {
    /// The claim of `person`; `None` for whoever is no person, a test, or must not be known again: they use nothing up.
    pub fn of(
        codes: &'a Codes,
        link: &'a LinkRecord,
        person: &Person<'_>,
        new: u64,
        click: ClickId,
        now: Timestamp,
    ) -> Option<Self> {
        let is_entitled = person.is_use() && person.may_be_recognised();
        is_entitled.then(|| Self {
            codes,
            link,
            click,
            now,
            known: person.known.map_or(0, |visitor| visitor.id),
            new,
            identity: person.identity,
        })
    }

    /// The follower's code of `pool`: the one of before, or a new one.
    pub fn code(&self, pool: CodePoolNo) -> Option<Arc<PoolCode>> {
        let codes = self.codes;
        let holder = |who| (pool, self.link.no, who);
        let first = holder(if self.known == 0 { self.identity } else { self.known });
        let ready = codes.pools.get(&pool).map(|pool| Arc::clone(&pool))?;
        if ready.is_dropped.load(Ordering::Acquire) {
            return None;
        }
        if let Some(held) = codes.held_by(&first, self.now) {
            codes.count(Count::Again);
            self.keep(holder, &held);
            return Some(held.code);
        }
        if codes.waiting.fetch_add(1, Ordering::AcqRel) >= GIVEN_MAX {
            codes.waiting.fetch_sub(1, Ordering::AcqRel);
            codes.count(Count::Full);
            return None;
        }
        let Some(code) = ready.take(self.now) else {
            codes.waiting.fetch_sub(1, Ordering::AcqRel);
            codes.count(Count::Empty);
            return None;
        };
        let own = Held {
            until: sticks_until(self.now, code.expires_at),
            code,
        };
        let held = codes.hold(first, &own, self.now);
        if held.code.no != own.code.no {
            // Two taps at once: both get the first one's code, and this one stays nobody's.
            codes.waiting.fetch_sub(1, Ordering::AcqRel);
            codes.count(Count::Again);
            return Some(held.code);
        }
        self.keep(holder, &held);
        let code = held.code;
        let given = GivenCode {
            code: code.no,
            pool,
            at: self.now,
            click: self.click,
            creator: self.link.creator,
            visitor: if self.known == 0 { self.new } else { self.known },
            identity: if self.known == 0 { self.identity } else { 0 },
        };
        codes.given.insert(code.no, given);
        codes.count(Count::Given);
        Some(code)
    }

    /// A cookie that is set now will show the new number.
    fn keep(&self, holder: impl Fn(u64) -> Holder, held: &Held) {
        if self.known == 0 && self.new != 0 {
            self.codes.hold(holder(self.new), held, self.now);
        }
    }
}

impl Pool {
    fn take(&self, now: Timestamp) -> Option<Arc<PoolCode>> {
        let lots = self.lots.load();
        lots.iter().find_map(|lot| {
            // Each turn takes one for good, so this ends.
            while let Some(code) = lot.take() {
                if code.expires_at > now {
                    return Some(code);
                }
            }
            None
        })
    }
}

impl Codes {
    fn count(&self, what: Count) {
        self.tally[what as usize].fetch_add(1, Ordering::Relaxed);
    }

    fn held_by(&self, holder: &Holder, now: Timestamp) -> Option<Held> {
        let held = self.holders.get(holder)?;
        (held.until > now).then(|| held.clone())
    }

    /// What `holder` has from now on: the code of before while it sticks, else `held`.
    fn hold(&self, holder: Holder, held: &Held, now: Timestamp) -> Held {
        match self.holders.entry(holder) {
            Entry::Occupied(known) if known.get().until > now => return known.get().clone(),
            Entry::Occupied(mut known) => {
                known.insert(held.clone());
            }
            Entry::Vacant(_) if self.held.load(Ordering::Relaxed) >= REMEMBERED_MAX => self.count(Count::NotRemembered),
            Entry::Vacant(room) => {
                self.held.fetch_add(1, Ordering::Relaxed);
                room.insert(held.clone());
            }
        }
        held.clone()
    }

    pub fn want(&self, pool: CodePoolNo) {
        self.pools.entry(pool).or_default();
    }

    pub fn wanted(&self) -> Vec<CodePoolNo> {
        let live = self.pools.iter();
        live.filter(|pool| !pool.is_dropped.load(Ordering::Acquire))
            .map(|pool| *pool.key())
            .collect()
    }

    fn pool(&self, pool: CodePoolNo) -> Option<Arc<Pool>> {
        self.pools.get(&pool).map(|found| Arc::clone(&found))
    }

    pub fn ready(&self, pool: CodePoolNo) -> usize {
        self.pool(pool)
            .map_or(0, |pool| pool.lots.load().iter().map(|lot| lot.left()).sum())
    }

    pub fn put(&self, pool: CodePoolNo, codes: Vec<PoolCode>) {
        let lot = Arc::new(Lot {
            codes: codes.into_iter().map(Arc::new).collect(),
            next: AtomicUsize::new(0),
        });
        let pool = Arc::clone(&self.pools.entry(pool).or_default());
        pool.lots.rcu(|lots| {
            let mut next: Vec<_> = lots.iter().filter(|lot| lot.left() > 0).cloned().collect();
            next.push(Arc::clone(&lot));
            next
        });
    }

    pub fn take_back(&self, pool: CodePoolNo) -> Vec<u64> {
        let Some(pool) = self.pool(pool) else { return Vec::new() };
        let mut back = Vec::new();
        for lot in pool.lots.load().iter() {
            // Whoever comes later finds the lot empty, whoever was before is before this place.
            let from = lot.next.swap(lot.codes.len(), Ordering::AcqRel);
            back.extend(lot.codes[from.min(lot.codes.len())..].iter().map(|code| code.no));
        }
        back
    }

    pub fn drop_pool(&self, pool: CodePoolNo) {
        if let Some(pool) = self.pool(pool) {
            pool.is_dropped.store(true, Ordering::Release);
            pool.lots.store(Arc::default());
        }
        self.retain(|(of, ..), _| *of != pool);
    }

    pub fn given(&self, most: usize) -> Vec<GivenCode> {
        self.given.iter().take(most).map(|given| *given).collect()
    }

    pub fn recorded(&self, given: &[GivenCode]) {
        for one in given {
            if self.given.remove(&one.code).is_some() {
                self.waiting.fetch_sub(1, Ordering::AcqRel);
            }
        }
    }

    pub fn remember(&self, code: PoolCode, given: &GivenCode) {
        let held = Held {
            until: sticks_until(given.at, code.expires_at),
            code: Arc::new(code),
        };
        for who in [given.visitor, given.identity].into_iter().filter(|who| *who != 0) {
            self.hold((given.pool, given.click.link, who), &held, given.at);
        }
    }

    pub fn forget(&self, given: &GivenCode) {
        for who in [given.visitor, given.identity] {
            let is_it = |_: &Holder, held: &Held| held.code.no == given.code;
            if self
                .holders
                .remove_if(&(given.pool, given.click.link, who), is_it)
                .is_some()
            {
                self.held.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }

    pub fn forget_old(&self, now: Timestamp) {
        self.retain(|_, held| held.until > now);
    }

    fn retain(&self, mut stays: impl FnMut(&Holder, &Held) -> bool) {
        let mut gone = 0;
        self.holders.retain(|holder, held| {
            let is_kept = stays(holder, held);
            gone += usize::from(!is_kept);
            is_kept
        });
        self.held.fetch_sub(gone, Ordering::Relaxed);
    }

    pub fn tally(&self) -> CodeTally {
        let [given, again, empty, full, not_remembered] =
            std::array::from_fn(|place| self.tally[place].load(Ordering::Relaxed));
        CodeTally {
            given,
            again,
            empty,
            full,
            not_remembered,
            remembered: self.held.load(Ordering::Relaxed) as u64,
            waiting: self.waiting.load(Ordering::Relaxed) as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::super::table::tests::link;
    use super::*;
    use crate::domain::code_pool::NEVER;
    use crate::domain::time::DAY_MS;

    const POOL: CodePoolNo = CodePoolNo(1);

    fn codes(numbers: std::ops::Range<u64>, expires_at: Timestamp) -> Vec<PoolCode> {
        let code = |no| PoolCode {
            no,
            code: format!("CODE-{no:04}"),
            expires_at,
        };
        numbers.map(code).collect()
    }

    struct Ground {
        codes: Codes,
        links: [LinkRecord; 2],
    }

    impl Ground {
        fn with(lots: Vec<Vec<PoolCode>>) -> Self {
            let codes = Codes::default();
            codes.want(POOL);
            lots.into_iter().for_each(|lot| codes.put(POOL, lot));
            let links = [1, 2].map(|no| LinkRecord::new(&link(no, "a", false), None));
            Self { codes, links }
        }

        /// The code that a follower of link `link` with these numbers gets at `now`.
        fn ask(&self, link: usize, (known, new, identity): (u64, u64, u64), now: i64) -> Option<u64> {
            let claim = Claim {
                codes: &self.codes,
                link: &self.links[link],
                click: ClickId {
                    at: Timestamp(now),
                    node: 0,
                    sequence: 1,
                    link: self.links[link].no,
                },
                now: Timestamp(now),
                known,
                new,
                identity,
            };
            claim.code(POOL).map(|code| code.no)
        }
    }

    #[test]
    fn a_follower_keeps_a_code_for_a_day_on_each_link() {
        let ground = Ground::with(vec![codes(1..9, NEVER)]);
        for (link, who, now, expected, why) in [
            (0, (0, 77, 5), 0, 1, "new"),
            (0, (77, 0, 6), 1, 1, "with the cookie that was set"),
            (0, (0, 78, 5), 2, 1, "without a cookie, from the same phone"),
            (0, (78, 0, 9), 3, 1, "with the second cookie"),
            (1, (77, 0, 5), 4, 2, "another link"),
            (0, (99, 0, 5), 5, 3, "another cookie on the same network"),
            (0, (77, 0, 6), DAY_MS - 1, 1, "just before the day is over"),
            (0, (77, 0, 6), DAY_MS, 4, "a day later"),
        ] {
            assert_eq!(ground.ask(link, who, now), Some(expected), "{why}");
        }
        let tally = ground.codes.tally();
        assert_eq!((tally.given, tally.again, tally.waiting), (4, 4, 4));
        let mut given = ground.codes.given(9);
        given.sort_by_key(|given| given.code);
        assert_eq!(
            (given[0].visitor, given[0].identity, given[0].click.link),
            (77, 5, LinkNo(1))
        );
        ground.codes.recorded(&given);
        assert_eq!(ground.codes.tally().waiting, 0);
        ground.codes.forget(&given[2]);
        assert_eq!(ground.ask(0, (99, 0, 5), 6), Some(5), "the code was used");
        ground.codes.forget_old(Timestamp(3 * DAY_MS));
        assert_eq!(ground.codes.tally().remembered, 0);
    }

    #[test]
    fn what_is_not_there_or_has_expired_is_not_handed_out() {
        let ground = Ground::with(vec![codes(1..3, Timestamp(10)), codes(3..5, NEVER)]);
        assert_eq!(ground.ask(0, (1, 0, 1), 10), Some(3));
        assert_eq!(ground.codes.take_back(POOL), [4]);
        assert_eq!(ground.ask(0, (2, 0, 1), 10), None);
        assert_eq!((ground.codes.tally().empty, ground.codes.ready(POOL)), (1, 0));
        assert_eq!(ground.codes.take_back(POOL), [0; 0]);
        ground.codes.drop_pool(POOL);
        assert_eq!(ground.ask(0, (1, 0, 1), 10), None, "nor is a deleted pool's");
        assert_eq!(ground.codes.wanted(), []);
    }

    #[test]
    fn while_the_books_lag_behind_nothing_more_is_handed_out() {
        let most = GIVEN_MAX as u64;
        let ground = Ground::with(vec![codes(0..most + 9, NEVER)]);
        let given = (1..=most).filter_map(|who| ground.ask(0, (who, 0, 1), 0)).count();
        assert_eq!(given, GIVEN_MAX);
        assert_eq!(ground.ask(0, (most + 1, 0, 1), 0), None);
        assert_eq!(ground.ask(0, (1, 0, 1), 0), Some(0), "who has one keeps it");
        ground.codes.recorded(&ground.codes.given(1));
        assert!(ground.ask(0, (most + 1, 0, 1), 0).is_some());
        assert_eq!(ground.codes.tally().full, 1);
    }

    #[test]
    fn no_code_goes_to_two_followers_at_once() {
        let ground = Ground::with(vec![codes(0..500, NEVER), codes(500..1_000, NEVER)]);
        let taken: Vec<u64> = std::thread::scope(|scope| {
            let taker = |thread: u64| {
                let ground = &ground;
                let ask = move |one| ground.ask(0, (thread * 1_000 + one, 0, 1), 0);
                scope.spawn(move || (1..=400).filter_map(ask).collect::<Vec<_>>())
            };
            let threads: Vec<_> = (0..4).map(taker).collect();
            threads
                .into_iter()
                .flat_map(|thread| thread.join().expect("no panic"))
                .collect()
        });
        assert_eq!(taken.len(), 1_000);
        assert_eq!(taken.iter().collect::<HashSet<_>>().len(), 1_000);
    }
}
