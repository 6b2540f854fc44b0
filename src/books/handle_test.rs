//! Tests of the handle as a whole: group commit, failing neighbours, full queues, reopening, foreign files.

use std::sync::mpsc;

use super::sales::Wanted;
use super::schema::NEWEST;
use super::{Books, Error, JOBS_QUEUED_MAX, OpenError, Options, Tx, fixture, link, link_domain, meta, workspace};
use super::{api_key, audit, folder, idempotency, outbox, tag, utm_template, webhook};
use super::{campaign, code_pool, creator, experiment, known_customer, lead, mint, order, pool_code, product, program};
use super::{rate, refund, report_link, sales};
use super::{settings, spend, store, tracked_sale, ucp_profile, waitlist};
use crate::domain::attribution::{CreditState, EvidenceKind, LeakSignal, Model, PastTouch};
use crate::domain::cart::Landing;
use crate::domain::id::{CampaignNo, CodePoolNo, CreatorNo, LinkNo, StoreNo, WorkspaceNo};
use crate::domain::store::{Permalink, StoreLook};
use crate::domain::time::Timestamp;

/// Keeps the writer at work until the sender sends or is dropped; returns once it is.
fn occupy(books: &Books) -> (mpsc::Sender<()>, std::thread::JoinHandle<Result<(), Error>>) {
    let (release, released) = mpsc::channel::<()>();
    let (begun, has_begun) = mpsc::channel();
    let own = books.clone();
    let thread = std::thread::spawn(move || {
        own.commit_blocking(move |_| {
            begun.send(()).expect("the test waits");
            // An error is the dropped sender: released too.
            let _ = released.recv();
            Ok(())
        })
    });
    has_begun.recv().expect("the job begins");
    (release, thread)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime")
}

fn put(tx: &Tx<'_>, name: String) -> Result<(), Error> {
    meta::put(tx, &name, "x")
}

#[test]
fn waiting_jobs_share_a_commit_and_no_failure() {
    let (_directory, books) = fixture::open();
    let (release, occupied) = occupy(&books);
    let before = books.stats();
    let answers = runtime().block_on(async {
        let jobs: Vec<_> = (0..100)
            .map(|number| {
                let books = books.clone();
                let job = async move {
                    books
                        .commit(move |tx| {
                            put(tx, format!("n{number}"))?;
                            match number % 10 {
                                3 => Err(Error::Conflict { what: "test" }),
                                7 => panic!("on purpose: job {number}"),
                                _ => Ok(number),
                            }
                        })
                        .await
                };
                Box::pin(job)
            })
            .collect();
        let tasks = tokio::task::LocalSet::new();
        tasks
            .run_until(async {
                let tasks: Vec<_> = jobs.into_iter().map(tokio::task::spawn_local).collect();
                while books.stats().queued < tasks.len() {
                    tokio::task::yield_now().await;
                }
                release.send(()).expect("the writer waits");
                let mut answers = vec![];
                for task in tasks {
                    answers.push(task.await.expect("no panic reaches the caller"));
                }
                answers
            })
            .await
    });
    occupied.join().expect("joined").expect("committed");

    for (number, answer) in answers.iter().enumerate() {
        let expected = match number % 10 {
            3 => Err(Error::Conflict { what: "test" }),
            7 => Err(Error::Panicked),
            _ => Ok(number),
        };
        assert_eq!(*answer, expected);
        let stored = books.read_blocking(|view| meta::get(view, &format!("n{number}")));
        assert_eq!(stored.map(|value| value.is_some()), Ok(expected.is_ok()), "{number}");
    }
    let after = books.stats();
    assert_eq!(after.jobs - before.jobs, 101);
    assert!(after.commits - before.commits < 50, "{after:?}");
    assert_eq!((after.queued, after.is_failed), (0, false));
}

#[test]
fn a_failed_commit_is_told_and_the_next_one_works() {
    let (_directory, books) = fixture::open();
    let broken = books.commit_blocking(|tx| {
        // A debt that only the commit notices.
        tx.run("PRAGMA defer_foreign_keys = 1", [])?;
        tx.run("INSERT INTO store_secrets VALUES (99, 0, 'x')", [])?;
        put(tx, "broken".to_owned())
    });
    assert!(matches!(broken, Err(Error::Failed(_))), "{broken:?}");
    assert!(books.stats().is_failed);
    books
        .commit_blocking(|tx| put(tx, "after".to_owned()))
        .expect("works again");
    assert!(!books.stats().is_failed);
    let stored = |name| books.read_blocking(|view| meta::get(view, name)).expect("readable");
    assert_eq!((stored("broken"), stored("after").as_deref()), (None, Some("x")));
}

#[test]
fn a_full_queue_says_so() {
    let (_directory, books) = fixture::open();
    let (release, occupied) = occupy(&books);
    runtime().block_on(async {
        let tasks = tokio::task::LocalSet::new();
        tasks
            .run_until(async {
                let spawn = |number: usize| {
                    let books = books.clone();
                    tokio::task::spawn_local(async move { books.commit(move |tx| put(tx, number.to_string())).await })
                };
                let waiting: Vec<_> = (0..JOBS_QUEUED_MAX).map(spawn).collect();
                while books.stats().queued < JOBS_QUEUED_MAX {
                    tokio::task::yield_now().await;
                }
                assert_eq!(spawn(JOBS_QUEUED_MAX).await.expect("joined"), Err(Error::Busy));
                drop(release);
                for task in waiting {
                    assert_eq!(task.await.expect("joined"), Ok(()));
                }
            })
            .await;
    });
    occupied.join().expect("joined").expect("committed");
}

#[test]
fn closing_finishes_what_was_queued_and_reopening_finds_it() {
    let (directory, books) = fixture::open();
    let path = directory.path().join("books.sqlite");
    let (release, occupied) = occupy(&books);
    let queued = {
        let books = books.clone();
        std::thread::spawn(move || {
            books.commit_blocking(|tx| {
                let workspace = workspace::insert(tx, "ws_1", "a", Timestamp(1))?;
                link::insert(tx, &fixture::link("abc", workspace))
            })
        })
    };
    while books.stats().queued < 1 {
        std::thread::yield_now();
    }
    drop(release);
    books.close();
    occupied.join().expect("joined").expect("committed");
    let link = queued.join().expect("joined").expect("committed");
    assert_eq!(books.commit_blocking(|tx| put(tx, "late".to_owned())), Err(Error::Busy));
    drop(books);

    let books = Books::open(Options::at(&path)).expect("reopened");
    let found = books
        .read_blocking(|view| link::by_no(view, link.no))
        .expect("readable");
    assert_eq!(found, Some(link));
    let domains = books.read_blocking(link_domain::all).expect("readable");
    assert_eq!(domains.len(), 1, "the schema is not made twice");
}

#[test]
fn a_job_may_hold_the_last_handle() {
    let (directory, books) = fixture::open();
    let path = directory.path().join("books.sqlite");
    let (done, is_done) = mpsc::channel();
    let own = books.clone();
    let (release, occupied) = occupy(&books);
    runtime().block_on(async {
        let job = Box::pin(books.commit(move |tx| {
            put(tx, "held".to_owned())?;
            drop(own);
            done.send(()).expect("the test waits");
            Ok::<_, Error>(())
        }));
        // Polled once, so that it is queued, and then forgotten.
        let mut job = job;
        std::future::poll_fn(|context| {
            assert!(job.as_mut().poll(context).is_pending());
            std::task::Poll::Ready(())
        })
        .await;
    });
    drop(books);
    drop(release);
    occupied.join().expect("joined").expect("committed");
    is_done.recv().expect("the forgotten job ran");
    let books = Books::open(Options::at(path)).expect("reopened");
    books
        .commit_blocking(|tx| put(tx, "next".to_owned()))
        .expect("the writer before is gone or waits");
    let held = books.read_blocking(|view| meta::get(view, "held")).expect("readable");
    assert_eq!(held.as_deref(), Some("x"));
}

#[test]
fn readers_see_commits_and_cannot_write() {
    let (_directory, books) = fixture::open();
    runtime().block_on(async {
        let before = books.read(|view| meta::get(view, "a")).await;
        assert_eq!(before, Ok(None));
        books.commit(|tx| put(tx, "a".to_owned())).await.expect("committed");
        let after = books.read(|view| meta::get(view, "a")).await;
        assert_eq!(after, Ok(Some("x".to_owned())));
        let panicked = books.read::<(), Error>(|_| panic!("on purpose: a read")).await;
        assert_eq!(panicked, Err(Error::Panicked));
        let written = books
            .read(|view| view.first("INSERT INTO meta VALUES ('b', 'x') RETURNING name", [], |_| Ok(())))
            .await;
        assert!(matches!(written, Err(Error::Failed(_))), "{written:?}");
        // Every connection came back.
        for _ in 0..10 {
            assert_eq!(books.read(workspace::count).await, Ok(0));
        }
    });
}

#[test]
fn commits_are_synced_and_the_file_is_private() {
    let (directory, books) = fixture::open();
    let settings = books.commit_blocking(|tx| {
        let number = |sql| Ok::<_, Error>(tx.first(sql, [], |row| row.get::<_, i64>(0))?.unwrap_or(-1));
        Ok::<_, Error>((
            tx.first("PRAGMA journal_mode", [], |row| row.get::<_, String>(0))?,
            number("PRAGMA synchronous")?,
            number("PRAGMA foreign_keys")?,
        ))
    });
    // 2 is FULL: each commit waits for the log's fsync.
    assert_eq!(settings, Ok((Some("wal".to_owned()), 2, 1)));
    #[cfg(unix)]
    for name in ["books.sqlite", "books.sqlite-wal"] {
        use std::os::unix::fs::PermissionsExt;
        let file = std::fs::metadata(directory.path().join(name)).expect("there");
        assert_eq!(file.permissions().mode() & 0o777, 0o600, "{name}");
    }
    assert!(books.stats().file_bytes > 0);
}

#[test]
fn files_that_are_not_ours_are_left_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    let newer = directory.path().join("newer.sqlite");
    drop(Books::open(Options::at(&newer)).expect("new books"));
    let foreign = directory.path().join("foreign.sqlite");
    let garbage = directory.path().join("garbage.sqlite");
    let change =
        |path: &std::path::Path, sql: &str| rusqlite::Connection::open(path).and_then(|file| file.execute_batch(sql));
    change(&newer, &format!("PRAGMA user_version = {}", NEWEST + 1)).expect("changed");
    change(&foreign, "CREATE TABLE recipes (name TEXT)").expect("changed");
    std::fs::write(
        &garbage,
        "not a database at all, but long enough to be looked at. ".repeat(40),
    )
    .expect("written");

    let error = |path: &std::path::Path| Books::open(Options::at(path)).err();
    let (found, known) = (NEWEST + 1, NEWEST);
    assert_eq!(error(&newer), Some(OpenError::NewerFormat { found, known }));
    let bytes = std::fs::read(&foreign).expect("readable");
    assert_eq!(error(&foreign), Some(OpenError::Foreign));
    assert_eq!(std::fs::read(&foreign).expect("readable"), bytes);
    assert!(matches!(error(&garbage), Some(OpenError::Corrupt(_))));
    assert!(matches!(
        error(&directory.path().join("no/such.sqlite")),
        Some(OpenError::Io(_))
    ));
}

/// Files of every released format stay readable: what they say is found, what they did not know has its default.
#[test]
fn books_of_format_1_become_the_newest() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("books.sqlite");
    std::fs::write(&path, include_bytes!("../../fixtures/books/format_1.sqlite")).expect("written");
    for opening in ["first", "again"] {
        let books = Books::open(Options::at(&path)).expect(opening);
        books
            .read_blocking(|view| {
                let shop = store::by_no(view, StoreNo(1))?.expect("the store");
                assert_eq!((shop.permalink, shop.look), (Permalink::Auto, StoreLook::default()));
                assert_eq!((shop.ucp_endpoint, shop.returns_click_ids), (None, false));
                let products = product::list(view, StoreNo(1))?;
                let told: Vec<_> = products.iter().map(|one| (&*one.sku, one.price_at)).collect();
                assert_eq!(told, [("MUG", Some(Timestamp(1_795_254_780_005))), ("POT", None)]);
                let link = link::by_no(view, LinkNo(1))?.expect("the link");
                let cart = link.terms.cart.expect("a cart");
                assert_eq!((cart.landing, cart.items.len()), (Landing::Direct, 1));
                assert_eq!(link.terms.creator, Some(CreatorNo(1)));
                assert_eq!(creator::of_all_workspaces(view)?.len(), 1);
                Ok::<_, Error>(())
            })
            .expect("read");
        drop(books);
    }
}

#[test]
fn books_of_format_2_become_the_newest() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("books.sqlite");
    std::fs::write(&path, include_bytes!("../../fixtures/books/format_2.sqlite")).expect("written");
    for opening in ["first", "again"] {
        let books = Books::open(Options::at(&path)).expect(opening);
        books
            .read_blocking(|view| {
                let shop = store::by_no(view, StoreNo(1))?.expect("the store");
                assert_eq!((shop.permalink, shop.returns_click_ids), (Permalink::Buy, true));
                assert!(ucp_profile::of_store(view, StoreNo(1))?.is_some());
                assert!(waitlist::is_listed(view, LinkNo(1), "Ann@example.com")?);
                let row = order::load(view, StoreNo(1), "7001")?.expect("the order");
                let (told, evidence) = (row.order, row.evidence);
                assert_eq!(
                    (told.credit.creator, told.credit.link),
                    (Some(CreatorNo(1)), Some(LinkNo(1)))
                );
                let stands = (told.credit.state, told.credit.by, told.credit.owner);
                let expected = (
                    CreditState::Credited,
                    Some(EvidenceKind::CreatorCode),
                    Some(CreatorNo(1)),
                );
                assert_eq!((stands, row.refunded), (expected, 2100));
                assert!(row.id.starts_with("ord_") && row.id.len() == 30, "{}", row.id);
                assert_eq!((told.snapshot.revenue, told.snapshot.lines.len()), (4200, 1));
                assert_eq!(evidence.codes[0].creator, CreatorNo(1));
                let click = evidence.click.expect("a click");
                let touch = PastTouch {
                    link: LinkNo(1),
                    creator: Some(CreatorNo(1)),
                    seconds: 1_795_254_000,
                };
                assert_eq!(click.journey, [touch]);
                let span = (Timestamp(0), Timestamp(i64::MAX));
                let wanted = Wanted {
                    workspace: told.workspace,
                    start: span.0,
                    end: span.1,
                    currency: &told.snapshot.currency,
                };
                let sums = sales::by_source(view, wanted, Model::Last)?;
                assert_eq!((sums[0].1.orders(), sums[0].1.net_revenue()), (1, 2100));
                assert_eq!(refund::total(view, StoreNo(1), "7001")?, 2100);
                Ok::<_, Error>(())
            })
            .expect("read");
        drop(books);
    }
}

#[test]
fn books_of_format_3_become_the_newest() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("books.sqlite");
    std::fs::write(&path, include_bytes!("../../fixtures/books/format_3.sqlite")).expect("written");
    let ours = WorkspaceNo(1);
    for opening in ["first", "again"] {
        let books = Books::open(Options::at(&path)).expect(opening);
        books
            .read_blocking(|view| {
                let (_, rules) = program::in_force(view, ours)?.expect("a program");
                assert_eq!((rules.window_days, rules.model), (14, Model::Linear));
                assert_eq!(rules.leak_signals, LeakSignal::ALL, "the new one is heeded too");
                let spring = campaign::by_no(view, CampaignNo(1))?.expect("the campaign");
                assert_eq!(
                    (spring.terms.name.as_str(), spring.terms.budget),
                    ("Spring Sale", Some((500_000, "EUR".to_owned())))
                );
                let minted = mint::find(view, CampaignNo(1), CreatorNo(2), "")?.expect("a minted link");
                assert_eq!((minted.link, minted.code.as_deref()), (LinkNo(3), Some("ZOE5")));
                assert_eq!(
                    settings::of(view, ours)?.currency.as_deref(),
                    Some("EUR"),
                    "what reports are in"
                );

                let mia = link::by_no(view, LinkNo(1))?.expect("the link");
                let terms = mia.terms;
                assert_eq!(
                    (terms.campaign, terms.content_id.as_deref()),
                    (Some(CampaignNo(1)), Some("video-7"))
                );
                let variants = terms.experiment.expect("variants").variants;
                assert_eq!(
                    variants[0].cart.as_ref().expect("a cart").discount_codes,
                    ["MIA10".to_owned()]
                );
                assert_eq!((variants.len(), variants[1].name.as_deref()), (2, Some("with a bowl")));

                let row = order::load(view, StoreNo(1), "7001")?.expect("the order");
                let credit = &row.order.credit;
                assert_eq!(
                    (credit.by, credit.creator, credit.link),
                    (Some(EvidenceKind::CreatorCode), Some(CreatorNo(1)), Some(LinkNo(1)))
                );
                let click = row.evidence.click.expect("a click");
                assert_eq!((click.variant, click.journey.len()), (1, 1));
                assert_eq!(click.journey[0].creator, Some(CreatorNo(2)));
                let arms = experiment::arms(view, ours, LinkNo(1), (Timestamp(0), Timestamp(i64::MAX)), "EUR")?;
                assert_eq!(arms[&1].orders, 1);

                let ben = known_customer::by_external_id(view, ours, "u1")?.expect("the customer");
                assert_eq!((ben.sales.count, ben.sales.amount), (1, 2500));
                let lead = lead::of_customer(view, ben.no, None)?.expect("the lead");
                assert_eq!((lead.event_name.as_str(), lead.link), ("Sign up", LinkNo(2)));
                let sale = tracked_sale::by_invoice(view, ours, "inv1")?.expect("the sale");
                assert_eq!((sale.amount, sale.customer), (2500, Some(ben.no)));

                let spent = spend::by_id(view, ours, "spend_01M810ZSAA62YA777PS9EHWGHK")?.expect("the spend");
                assert_eq!((spent.told.amount, spent.told.creator), (45_000, Some(CreatorNo(1))));
                let rates = rate::list(view, ours, &rate::RateFilter::default(), (1, 10))?;
                assert_eq!(rates[0].rate.to_string(), "1.0823");
                let wanted = Wanted {
                    workspace: ours,
                    start: Timestamp(0),
                    end: Timestamp(i64::MAX),
                    currency: "EUR",
                };
                let shared = sales::by_source(view, wanted, Model::Linear)?;
                let parts: Vec<_> = shared
                    .iter()
                    .map(|(source, sums)| (source.creator, sums.orders_milli, sums.gross_revenue))
                    .collect();
                let halves = [(Some(CreatorNo(1)), 500, 2100), (Some(CreatorNo(2)), 1500, 4600)];
                assert_eq!(parts, halves, "one order is shared, the other is not");
                let net: i64 = sales::by_source(view, wanted, Model::Last)?
                    .iter()
                    .map(|(_, sums)| sums.net_revenue())
                    .sum();
                assert_eq!(net, 6700);
                Ok::<_, Error>(())
            })
            .expect("read");
        drop(books);
    }
}

#[test]
fn books_of_format_4_become_the_newest() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("books.sqlite");
    std::fs::write(&path, include_bytes!("../../fixtures/books/format_4.sqlite")).expect("written");
    let ours = WorkspaceNo(1);
    for opening in ["first", "again"] {
        let books = Books::open(Options::at(&path)).expect(opening);
        books
            .read_blocking(|view| {
                let pool = code_pool::by_no(view, CodePoolNo(1))?.expect("the pool");
                assert_eq!((pool.name.as_str(), pool.workspace), ("Spring once", ours));
                let counts = code_pool::counts(view, pool.no, Timestamp(1_795_346_300_000))?;
                let told = (counts.total, counts.leased, counts.given, counts.used);
                assert_eq!(told, (3, 0, 1, 1));
                let link = link::by_no(view, LinkNo(1))?.expect("the link");
                assert_eq!(link.terms.cart.expect("a cart").code_pool, Some(pool.no));

                let row = order::load(view, StoreNo(1), "7001")?.expect("the order");
                assert_eq!(
                    (row.order.credit.creator, row.order.snapshot.revenue),
                    (Some(CreatorNo(1)), 1890)
                );
                assert_eq!(pool_code::of_order(view, &row)?, ["spring-one-1"]);
                let given = pool_code::find(view, StoreNo(1), "spring-one-1")?
                    .expect("the code")
                    .given;
                assert_eq!(given.expect("handed out").click.link, LinkNo(1));

                let links = report_link::of_creator(view, CreatorNo(1))?;
                let revoked: Vec<_> = links.iter().map(|link| (link.no, link.revoked_at.is_some())).collect();
                assert_eq!(revoked, [(2, true), (1, false)]);
                Ok::<_, Error>(())
            })
            .expect("read");
        drop(books);
    }
}

#[test]
fn books_of_format_5_become_the_newest() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("books.sqlite");
    std::fs::write(&path, include_bytes!("../../fixtures/books/format_5.sqlite")).expect("written");
    let ours = WorkspaceNo(1);
    for opening in ["first", "again"] {
        let books = Books::open(Options::at(&path)).expect(opening);
        books
            .read_blocking(|view| {
                let mia = link::by_no(view, LinkNo(1))?.expect("the link");
                let reception = &mia.terms.reception;
                assert_eq!((reception.rules.len(), reception.geo.len()), (3, 1));
                assert!(reception.ios.is_some() && reception.password.is_some());
                assert!(reception.is_card && reception.leaves_apps);
                let tags = tag::of_link(view, mia.no)?;
                let names = tags.iter().map(|no| Ok(tag::by_no(view, *no)?.expect("a tag").name));
                assert_eq!(names.collect::<Result<Vec<_>, Error>>()?, ["Spring", "Sale"]);
                let lies_in = folder::of_link(view, mia.no)?.expect("a folder");
                assert_eq!(folder::by_no(view, lies_in)?.expect("it").name, "Creators");
                let search = link::LinkFilter {
                    search: Some("and clay".to_owned()),
                    ..link::LinkFilter::default()
                };
                assert_eq!(link::count(view, ours, &search)?, 1);
                assert_eq!(utm_template::count(view, ours)?, 1);
                let domain = link_domain::by_slug(view, "go.sand.example")?.expect("the domain");
                let places = [&domain.not_found_url, &domain.expired_url].map(Option::as_deref);
                assert_eq!(
                    places,
                    [Some("https://shop.example/gone"), Some("https://shop.example/over")]
                );
                let settings = settings::of(view, ours)?;
                assert_eq!(
                    (settings.app_schemes, settings.hides_cards),
                    (vec!["sandshop".to_owned()], true)
                );

                let keys = api_key::list(view, ours)?;
                let reader = keys.iter().find(|key| key.name == "reader").expect("the key");
                let scopes = reader.scopes.as_deref().expect("scopes");
                assert_eq!(scopes, ["links.read".to_owned(), "tags.write".to_owned()]);
                assert_eq!(
                    (reader.calls_per_minute, reader.last_used_at.is_some()),
                    (Some(60), true)
                );
                let claim = idempotency::find(view, ours, "call-1")?.expect("the call");
                assert!(claim.has_written && claim.answer.is_some_and(|answer| answer.status == 200));
                let noted = audit::list(view, ours, &audit::EntryFilter::default(), 100)?;
                assert_eq!((noted.len(), noted[0].action.as_str()), (19, "POST /links"));

                let pool = code_pool::by_no(view, CodePoolNo(1))?.expect("the pool");
                let counts = code_pool::counts(view, pool.no, Timestamp(1_795_356_000_000))?;
                assert_eq!((counts.total, counts.used), (3, 1));
                let row = order::load(view, StoreNo(1), "820982911946154508")?.expect("the order");
                let credit = (row.order.credit.creator, row.order.credit.link);
                assert_eq!(credit, (Some(CreatorNo(1)), Some(LinkNo(2))));
                let ben = known_customer::by_external_id(view, ours, "u1")?.expect("the customer");
                assert_eq!(
                    lead::of_customer(view, ben.no, None)?.expect("the lead").link,
                    LinkNo(2)
                );

                // What is new is empty: orders from before are no news.
                assert_eq!((outbox::count(view)?, webhook::count(view, ours)?), (0, 0));
                Ok::<_, Error>(())
            })
            .expect("read");
        drop(books);
    }
}
