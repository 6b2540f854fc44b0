//! Random histories of uploads, followers, turns, crashes and good stops: no code goes to two followers, and what was
//! handed out is known to the books or skipped.

use std::sync::Arc;

use proptest::prelude::*;

use super::super::context::PublicName;
use super::super::stock_codes::{CodeDraft, PoolDraft, open_pool, upload};
use super::*;
use crate::books::Books;
use crate::domain::cart::{Cart, Landing};
use crate::domain::destination::Policy;
use crate::domain::id::{DomainNo, LinkNo, WorkspaceNo};
use crate::domain::link::{Link, LinkTerms};
use crate::domain::outside::{Clock, FixedClock, SeededEntropy};
use crate::domain::store::{Permalink, Provider, Store, StoreLook};
use crate::redirect::{Table, TableReader};

const START: Timestamp = Timestamp(1_795_000_000_000);

/// One step of a history.
#[derive(Debug, Clone)]
enum Step {
    Upload(usize),
    /// Followers who come, each a new one.
    Follow(u64),
    /// The visitor of before comes again.
    FollowAgain,
    Turn,
    Crash,
    Stop,
    Wait(i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1usize..60).prop_map(Step::Upload),
        (1u64..50).prop_map(Step::Follow),
        Just(Step::FollowAgain),
        Just(Step::Turn),
        Just(Step::Crash),
        Just(Step::Stop),
        (1i64..40).prop_map(|hours| Step::Wait(hours * 3_600_000)),
    ]
}

/// A server without its sockets, on books that outlive it.
struct Ground {
    runtime: tokio::runtime::Runtime,
    home: tempfile::TempDir,
    clock: Arc<FixedClock>,
    context: Context,
    reader: TableReader,
    link: Link,
    pool: CodePoolNo,
    pool_id: String,
    uploaded: usize,
    followers: u64,
}

fn context_on(home: &std::path::Path, clock: &Arc<FixedClock>) -> (Context, TableReader) {
    let books = Books::open(books::Options::at(home.join("books.sqlite"))).expect("books");
    let default = books
        .read_blocking(|view| books::link_domain::by_no(view, DomainNo::DEFAULT))
        .expect("read")
        .expect("the default domain");
    let (reader, writer) = Table::new(&default);
    let url = url::Url::parse("https://go.brand.example").expect("a URL");
    let context = Context::new(
        books,
        writer,
        reader.clone(),
        clock.clone(),
        Arc::new(SeededEntropy::new(clock.now().0.cast_unsigned())),
        Policy {
            private_allowed: true,
            allowed_hosts: Vec::new(),
        },
        PublicName::of_url(&url, &[]).expect("a name"),
    );
    (context, reader)
}

fn link_with(cart: Cart, workspace: WorkspaceNo) -> Link {
    Link {
        no: LinkNo(9),
        id: "link_9".into(),
        workspace,
        domain: DomainNo::DEFAULT,
        slug: "mia".into(),
        is_exact: false,
        terms: LinkTerms {
            destination: "https://shop.example/".into(),
            cart: Some(cart),
            ..LinkTerms::default()
        },
        created_at: START,
        updated_at: START,
    }
}

impl Ground {
    fn new() -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let clock = Arc::new(FixedClock::at(START));
        let (context, reader) = context_on(home.path(), &clock);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .build()
            .expect("a runtime");
        let (workspace, store) = context
            .books()
            .commit_blocking(|tx| {
                let workspace = books::workspace::insert(tx, "ws_1", "Brand", START)?;
                let store = Store {
                    no: StoreNo(0),
                    id: "store_1".into(),
                    workspace,
                    name: "Shop".into(),
                    provider: Provider::Shopify,
                    base_url: "https://shop.example".into(),
                    currency: "EUR".into(),
                    permalink: Permalink::default(),
                    look: StoreLook::default(),
                    ucp_endpoint: None,
                    returns_click_ids: false,
                    created_at: START,
                };
                Ok::<_, Error>((workspace, books::store::insert(tx, store, &[])?.no))
            })
            .expect("a store");
        let draft = PoolDraft {
            name: "Spring".into(),
            store_id: "store_1".into(),
            creator_id: None,
        };
        let pool = runtime.block_on(open_pool(&context, workspace, draft)).expect("a pool");
        let cart = Cart {
            store,
            items: vec![],
            discount_codes: vec![],
            note: None,
            attributes: vec![],
            continue_to: None,
            landing: Landing::Direct,
            code_pool: Some(pool.no),
        };
        let ground = Self {
            runtime,
            home,
            clock,
            context,
            reader,
            link: link_with(cart, workspace),
            pool: pool.no,
            pool_id: pool.id,
            uploaded: 0,
            followers: 0,
        };
        ground.context.inner.table.put(&ground.link, None);
        ground
    }

    /// The process is gone and another one begins; what was only in memory is lost.
    fn restart(&mut self) {
        self.context.books().close();
        (self.context, self.reader) = context_on(self.home.path(), &self.clock);
        self.context.inner.table.put(&self.link, None);
        remember(&self.context).expect("remembered");
        open(&self.context).expect("opened");
    }

    fn upload(&mut self, count: usize) {
        let codes = (self.uploaded..self.uploaded + count).map(|no| CodeDraft {
            code: format!("SPRING-{no:05}"),
            expires_at: None,
        });
        let upload = upload(
            &self.context,
            self.link.workspace,
            &self.pool_id,
            codes.collect(),
            false,
        );
        assert_eq!(self.runtime.block_on(upload).expect("uploaded").added, count);
        self.uploaded += count;
    }

    /// The code of the follower with this cookie.
    fn follow(&self, visitor: u64) -> Option<String> {
        self.reader.hand_out(self.pool, self.link.no, visitor, self.clock.now())
    }

    fn counts(&self) -> crate::domain::code_pool::PoolCounts {
        let (pool, now) = (self.pool, self.clock.now());
        let read = self
            .context
            .books()
            .read_blocking(move |view| books::code_pool::counts(view, pool, now));
        read.expect("read")
    }
}

#[test]
fn nobody_gets_a_code_that_somebody_had_whatever_crashes() {
    proptest!(ProptestConfig::with_cases(24), |(steps in proptest::collection::vec(step(), 1..40))| {
        let mut ground = Ground::new();
        ground.upload(40);
        // Whose each code is, and what the last follower got when.
        let mut owners: HashMap<String, u64> = HashMap::new();
        let mut last: Option<(u64, String, Timestamp)> = None;
        let mut is_noted = true;
        for step in steps {
            match step {
                Step::Upload(count) => ground.upload(count),
                Step::Follow(count) => {
                    for _ in 0..count {
                        ground.followers += 1;
                        let who = ground.followers;
                        let Some(code) = ground.follow(who) else { continue };
                        prop_assert_eq!(owners.insert(code.clone(), who), None, "{} went to two", code);
                        last = Some((who, code, ground.clock.now()));
                        is_noted = false;
                    }
                }
                Step::FollowAgain => {
                    let Some((who, code, at)) = last.clone() else { continue };
                    let again = ground.follow(who);
                    let is_within_a_day = ground.clock.now().since(at) < STICKY_MS;
                    if is_within_a_day && is_noted {
                        prop_assert_eq!(again.as_ref(), Some(&code), "within a day it is the same");
                    }
                    if let Some(new) = again.filter(|new| *new != code) {
                        prop_assert_eq!(owners.insert(new.clone(), who), None, "{} went to two", new);
                        last = Some((who, new, ground.clock.now()));
                        is_noted = false;
                    }
                }
                Step::Turn => {
                    ground.runtime.block_on(turn(&ground.context)).expect("a turn");
                    is_noted = true;
                }
                Step::Crash => {
                    ground.restart();
                    if !is_noted {
                        // Who got the last code is lost with the crash; that it is somebody's is not.
                        last = None;
                    }
                    is_noted = true;
                }
                Step::Stop => {
                    ground.runtime.block_on(close(&ground.context)).expect("a good stop");
                    let counts = ground.counts();
                    prop_assert_eq!(counts.remaining + counts.leased + counts.given, ground.uploaded as u64);
                    ground.restart();
                    is_noted = true;
                }
                Step::Wait(ms) => ground.clock.advance(ms),
            }
        }
        ground.runtime.block_on(close(&ground.context)).expect("a good stop");
        let counts = ground.counts();
        prop_assert!(counts.given <= owners.len() as u64, "{:?}", counts);
        prop_assert!(counts.given + counts.leased >= owners.len() as u64, "{:?}", counts);
    });
}

#[test]
fn a_good_stop_skips_nothing_and_an_empty_pool_is_told() {
    let mut ground = Ground::new();
    ground.upload(3);
    let codes: Vec<_> = (1..=2).map(|who| ground.follow(who).expect("a code")).collect();
    ground.runtime.block_on(close(&ground.context)).expect("a good stop");
    let counts = ground.counts();
    assert_eq!((counts.remaining, counts.leased, counts.given), (1, 0, 2));
    ground.restart();
    assert_eq!(ground.follow(1).as_ref(), Some(&codes[0]), "after a restart too");
    let third = ground.follow(3).expect("a code");
    assert!(!codes.contains(&third));
    assert_eq!(ground.follow(4), None);
    ground.runtime.block_on(turn(&ground.context)).expect("a turn");
    assert_eq!(
        (ground.context.code_desk().empty_pools(), ground.counts().remaining),
        (1, 0)
    );
    ground.upload(1);
    assert!(ground.follow(4).is_some());
    ground.upload(40);
    ground.runtime.block_on(turn(&ground.context)).expect("a turn");
    assert_eq!(ground.context.code_desk().empty_pools(), 0);
}
