//! Guards the price of the books' writes: one durable link, a hundred links in one commit, and what accepting an order
//! costs. The first is one fsync; a group must cost little more than one; an order must stay one fsync too.

use std::hint::black_box;
use std::sync::atomic::{AtomicU32, Ordering};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hopcart::books::{self, Books, Error, Options, Tx, link::NewLink};
use hopcart::domain::attribution::{Credit, Evidence};
use hopcart::domain::id::{DomainNo, StoreNo, WorkspaceNo};
use hopcart::domain::link::LinkTerms;
use hopcart::domain::order::{Ages, Order, OrderLine, OrderSnapshot};
use hopcart::domain::store::{Permalink, Provider, Store, StoreLook};
use hopcart::domain::time::Timestamp;

/// Links per commit in the bulk case: as many as one call of the API takes.
const BULK: u32 = 100;

fn open() -> (tempfile::TempDir, Books, WorkspaceNo, StoreNo) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let books = Books::open(Options::at(directory.path().join("books.sqlite"))).expect("new books");
    let (workspace, store) = books
        .commit_blocking(|tx| {
            let workspace = books::workspace::insert(tx, "ws_1", "bench", Timestamp(1))?;
            let store = Store {
                no: StoreNo::default(),
                id: "store_1".to_owned(),
                workspace,
                name: "bench".to_owned(),
                provider: Provider::Shopify,
                base_url: "https://shop.test".to_owned(),
                currency: "EUR".to_owned(),
                permalink: Permalink::default(),
                look: StoreLook::default(),
                ucp_endpoint: None,
                returns_click_ids: false,
                created_at: Timestamp(1),
            };
            let store = books::store::insert(tx, store, &[])?;
            Ok::<_, Error>((workspace, store.no))
        })
        .expect("a workspace and a store");
    (directory, books, workspace, store)
}

fn link(number: u32, workspace: WorkspaceNo) -> NewLink {
    NewLink {
        id: format!("link_{number:026}"),
        workspace,
        domain: DomainNo::DEFAULT,
        slug: format!("s{number}"),
        is_exact: true,
        terms: LinkTerms {
            destination: format!("https://shop.test/products/trowel?variant={number}"),
            ..LinkTerms::default()
        },
        created_at: Timestamp(i64::from(number)),
    }
}

fn accept_order(tx: &Tx<'_>, number: u32, workspace: WorkspaceNo, store: StoreNo) -> Result<(), Error> {
    let at = Timestamp(i64::from(number));
    books::delivery::record(tx, store, &format!("delivery-{number}"), "orders/paid", at)?;
    let external_id = number.to_string();
    black_box(books::order::load(tx, store, &external_id)?);
    black_box(books::discount_code::by_code(tx, workspace, "MIA10")?);
    let line = |place: u32| OrderLine {
        external_id: format!("{number}-{place}"),
        sku: Some(format!("SKU-{place}")),
        variant_id: Some("44017".to_owned()),
        title: "Trowel".to_owned(),
        quantity: 1,
        amount: 1990,
    };
    let order = Order {
        workspace,
        store,
        snapshot: OrderSnapshot {
            external_id,
            name: format!("#{number}"),
            ordered_at: at,
            updated_at: at,
            currency: "EUR".to_owned(),
            revenue: 5970,
            discounts: 0,
            is_test: false,
            is_paid: true,
            cancelled_at: None,
            customer: Some(format!("customer-{}", number % 1000)),
            buyer: None,
            codes: vec!["MIA10".to_owned()],
            click_id: None,
            lines: (0..3).map(line).collect(),
        },
        ages: Ages {
            customer: at,
            buyer: at,
            codes: at,
            click_id: at,
        },
        quarantine: None,
        credit: Credit::default(),
        program: None,
        ruling: None,
    };
    books::order::put(tx, &order, &Evidence::default(), at)
}

fn bench(criterion: &mut Criterion) {
    let (_directory, books, workspace, store) = open();
    let next = AtomicU32::new(0);
    let mut group = criterion.benchmark_group("books");
    group.bench_function("one_link_durable", |bencher| {
        bencher.iter(|| {
            let number = next.fetch_add(1, Ordering::Relaxed);
            books
                .commit_blocking(move |tx| books::link::insert(tx, &link(number, workspace)))
                .expect("a new slug")
        });
    });
    group.bench_function("accept_order_durable", |bencher| {
        bencher.iter(|| {
            let number = next.fetch_add(1, Ordering::Relaxed);
            books
                .commit_blocking(move |tx| accept_order(tx, number, workspace, store))
                .expect("a new order");
        });
    });
    group.throughput(Throughput::Elements(u64::from(BULK)));
    group.bench_function("hundred_links_one_commit", |bencher| {
        bencher.iter(|| {
            let first = next.fetch_add(BULK, Ordering::Relaxed);
            books
                .commit_blocking(move |tx| {
                    for number in first..first + BULK {
                        books::link::insert(tx, &link(number, workspace))?;
                    }
                    Ok::<_, Error>(())
                })
                .expect("new slugs");
        });
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
