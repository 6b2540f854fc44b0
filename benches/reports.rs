//! Guards the price of a report's sums over a million orders of a year: at most 100 ms each.
//!
//! Making the books takes minutes, so that only `HOPCART_BENCH_ORDERS` (such as 1000000) makes as many; without it there
//! are 20,000.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use hopcart::books::mark_sales::{Mark, by_mark};
use hopcart::books::sales::{Wanted, by_source};
use hopcart::books::{self, Books, Error, Options, Tx};
use hopcart::domain::attribution::{ClickEvidence, Credit, CreditState, Evidence, EvidenceKind, Model};
use hopcart::domain::creator::{Creator, CreatorTerms};
use hopcart::domain::id::{CreatorNo, LinkNo, StoreNo, WorkspaceNo};
use hopcart::domain::order::{Ages, Order, OrderSnapshot};
use hopcart::domain::store::{Permalink, Provider, Store, StoreLook};
use hopcart::domain::time::{DAY_MS, Timestamp};

/// Orders without a word of the environment.
const ORDERS: u32 = 20_000;
/// Orders of one transaction while the books are made.
const SLICE: u32 = 5_000;
/// Creators with a link and a code each.
const CREATORS: u32 = 200;
const COUNTRIES: [&str; 20] = [
    "AT", "BE", "CH", "CZ", "DE", "DK", "ES", "FI", "FR", "GB", "IE", "IT", "LU", "NL", "NO", "PL", "PT", "SE", "SK",
    "US",
];
const DAYS: i64 = 365;

fn open(orders: u32) -> (tempfile::TempDir, Books, WorkspaceNo) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let books = Books::open(Options::at(directory.path().join("books.sqlite"))).expect("new books");
    let (workspace, store) = books.commit_blocking(brand).expect("a brand");
    for first in (0..orders).step_by(SLICE as usize) {
        books
            .commit_blocking(move |tx| {
                for number in first..orders.min(first + SLICE) {
                    put_order(tx, number, orders, workspace, store)?;
                }
                Ok::<_, Error>(())
            })
            .expect("orders");
    }
    (directory, books, workspace)
}

fn brand(tx: &Tx<'_>) -> Result<(WorkspaceNo, StoreNo), Error> {
    let workspace = books::workspace::insert(tx, "ws_1", "bench", Timestamp(1))?;
    for number in 1..=CREATORS {
        let creator = Creator {
            no: CreatorNo::default(),
            id: format!("pn_{number}"),
            workspace,
            terms: CreatorTerms {
                name: format!("Creator {number}"),
                ..CreatorTerms::default()
            },
            created_at: Timestamp(1),
        };
        books::creator::insert(tx, creator)?;
    }
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
    Ok((workspace, books::store::insert(tx, store, &[])?.no))
}

/// Order `number` of `orders`, spread over the year; every third is of a customer who comes back.
fn put_order(tx: &Tx<'_>, number: u32, orders: u32, workspace: WorkspaceNo, store: StoreNo) -> Result<(), Error> {
    let by = number.wrapping_mul(2_654_435_761) % CREATORS + 1;
    let at = Timestamp(i64::from(number) * (DAYS * DAY_MS) / i64::from(orders));
    let snapshot = OrderSnapshot {
        external_id: number.to_string(),
        name: format!("#{number}"),
        ordered_at: at,
        updated_at: at,
        currency: "EUR".to_owned(),
        revenue: 5970 + i64::from(number % 1000),
        discounts: 597,
        is_test: false,
        is_paid: true,
        cancelled_at: None,
        customer: Some(format!("customer-{}", number - number % 3)),
        codes: vec![format!("CODE{by}")],
        click_id: None,
        lines: Vec::new(),
    };
    let click = ClickEvidence {
        click_id: format!("click-{number}"),
        link: LinkNo(by),
        creator: Some(CreatorNo(by)),
        clicked_at_ms: at.0,
        journey: Vec::new(),
        is_recorded: true,
        is_from_coupon_site: false,
        country: Some(COUNTRIES[number as usize % COUNTRIES.len()].to_owned()),
    };
    let order = Order {
        workspace,
        store,
        ages: Ages::of(&snapshot),
        snapshot,
        quarantine: None,
        credit: Credit {
            state: CreditState::Credited,
            by: Some(EvidenceKind::Click),
            creator: Some(CreatorNo(by)),
            link: Some(LinkNo(by)),
            owner: Some(CreatorNo(by)),
            is_split: false,
        },
        program: None,
        ruling: None,
    };
    let evidence = Evidence {
        click: Some(click),
        ..Evidence::default()
    };
    books::order::put(tx, &order, &evidence, at)
}

fn bench(criterion: &mut Criterion) {
    let told = std::env::var("HOPCART_BENCH_ORDERS").ok();
    let orders = told.and_then(|told| told.parse().ok()).unwrap_or(ORDERS);
    let (_directory, books, workspace) = open(orders);
    let mut group = criterion.benchmark_group("reports");
    group.sample_size(20).measurement_time(Duration::from_secs(5));
    let end = Timestamp(DAYS * DAY_MS);
    let month = Timestamp(end.0 - 30 * DAY_MS - DAY_MS / 2);
    for (span, start) in [("year", Timestamp(0)), ("30 days, cut", month)] {
        let wanted = Wanted {
            workspace,
            start,
            end,
            currency: "EUR",
        };
        group.bench_function(BenchmarkId::new("by_source", span), |bencher| {
            bencher.iter(|| {
                let read = books.read_blocking(move |view| by_source(view, wanted, Model::Last));
                black_box(read.expect("sums"))
            });
        });
        for (name, mark) in [("by_code", Mark::Code), ("by_country", Mark::Country)] {
            group.bench_function(BenchmarkId::new(name, span), |bencher| {
                bencher.iter(|| {
                    black_box(
                        books
                            .read_blocking(move |view| by_mark(view, wanted, mark))
                            .expect("sums"),
                    )
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
