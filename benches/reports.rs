//! Guards what a performance report over a million orders costs the books: whole days, days that the period cuts, every
//! model, by code and country, and all of it converted to another currency, which is done order by order. Prints a table;
//! `HOPCART_BENCH_ORDERS` says how many orders (1,000,000).
//!
//! Orders of 90 days, of 200 creators with three links each; one in ten came by a journey of two creators, one in five is
//! of a customer who bought before, and 8 % are refunded in part. Also tells how fast orders are stored, 500 in a commit.

use std::time::{Duration, Instant};

use hopcart::books::mark_sales::{Mark, by_mark};
use hopcart::books::sales::{Wanted, by_source};
use hopcart::books::{self, Books, Error, Options, Tx, View};
use hopcart::domain::attribution::{ClickEvidence, Evidence, Model, PastTouch, credit};
use hopcart::domain::creator::{Creator, CreatorTerms};
use hopcart::domain::id::{CreatorNo, LinkNo, StoreNo, WorkspaceNo};
use hopcart::domain::money::Currency;
use hopcart::domain::order::{Ages, Order, OrderSnapshot, Refund};
use hopcart::domain::program::Program;
use hopcart::domain::rate::{DatedRate, Rate};
use hopcart::domain::store::{Permalink, Provider, Store, StoreLook};
use hopcart::domain::time::{DAY_MS, Timestamp};

const START: i64 = 1_795_219_200_000;
const DAYS: i64 = 90;
const CREATORS: u64 = 200;
const LINKS: u64 = 3;
const COUNTRIES: [&str; 20] = [
    "AT", "BE", "CH", "CZ", "DE", "DK", "ES", "FI", "FR", "GB", "IE", "IT", "LU", "NL", "NO", "PL", "PT", "SE", "SK",
    "US",
];
const GROUP: u64 = 500;
const ROUNDS: usize = 5;

/// Numbers that only look random (splitmix64).
fn mixed(number: u64) -> u64 {
    let mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ mixed >> 27
}

fn set_up(tx: &Tx<'_>) -> Result<(WorkspaceNo, StoreNo, CreatorNo), Error> {
    let workspace = books::workspace::insert(tx, "ws_1", "bench", Timestamp(1))?;
    let mut first = None;
    for number in 0..CREATORS {
        let creator = Creator {
            no: CreatorNo::default(),
            id: format!("pn_{number}"),
            workspace,
            terms: CreatorTerms {
                name: format!("C{number}"),
                ..CreatorTerms::default()
            },
            created_at: Timestamp(1),
        };
        let made = books::creator::insert(tx, creator)?.no;
        first.get_or_insert(made);
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
    let store = books::store::insert(tx, store, &[])?.no;
    let first_day = Timestamp(START).day();
    let rates: Vec<DatedRate> = (0..DAYS as u32)
        .map(|day| DatedRate {
            base: Currency::EUR,
            quote: Currency::USD,
            day: first_day + day,
            rate: Rate::parse(&format!("1.08{day:02}")).unwrap_or_else(|_| unreachable!("a decimal")),
        })
        .collect();
    books::rate::put(tx, workspace, &rates)?;
    Ok((workspace, store, first.unwrap_or_default()))
}

fn order(number: u64, orders: u64, (workspace, store, first): (WorkspaceNo, StoreNo, CreatorNo)) -> (Order, Evidence) {
    let drawn = mixed(number);
    let at = Timestamp(START + (number as i64 * DAYS * DAY_MS) / orders as i64);
    let source = |drawn: u64| {
        let creator = drawn % CREATORS;
        let link = creator * LINKS + drawn / CREATORS % LINKS + 1;
        (CreatorNo(first.0 + creator as u32), LinkNo(link as u32))
    };
    let (creator, link) = source(drawn);
    let (before, before_link) = source(mixed(drawn));
    let journey = (drawn >> 20).is_multiple_of(10).then_some(PastTouch {
        link: before_link,
        creator: Some(before),
        seconds: (at.0 / 1000 - 3_600) as u32,
    });
    let evidence = Evidence {
        click: Some(ClickEvidence {
            click_id: format!("{number:032}"),
            link,
            creator: Some(creator),
            clicked_at_ms: at.0 - 60_000,
            variant: 0,
            journey: journey.into_iter().collect(),
            is_recorded: true,
            is_from_coupon_site: false,
            country: Some(COUNTRIES[(drawn >> 30) as usize % COUNTRIES.len()].to_owned()),
        }),
        ..Evidence::default()
    };
    let customer = if (drawn >> 24).is_multiple_of(5) {
        mixed(number) % (number + 1)
    } else {
        number
    };
    let snapshot = OrderSnapshot {
        external_id: number.to_string(),
        name: format!("#{number}"),
        ordered_at: at,
        updated_at: at,
        currency: "EUR".to_owned(),
        revenue: 2_000 + (drawn >> 8) as i64 % 10_000,
        discounts: 100,
        is_test: false,
        is_paid: true,
        cancelled_at: None,
        customer: Some(customer.to_string()),
        buyer: None,
        codes: vec![format!("CODE{}", creator.0)],
        click_id: Some(format!("{number:032}")),
        lines: Vec::new(),
    };
    let order = Order {
        workspace,
        store,
        ages: Ages::of(&snapshot),
        quarantine: None,
        credit: credit(&evidence, &Program::default(), at, None),
        program: None,
        ruling: None,
        snapshot,
    };
    (order, evidence)
}

fn fill(books: &Books, orders: u64, place: (WorkspaceNo, StoreNo, CreatorNo)) -> Duration {
    let began = Instant::now();
    for group in (0..orders).step_by(GROUP as usize) {
        let stored = books.commit_blocking(move |tx| {
            for number in group..(group + GROUP).min(orders) {
                let (order, evidence) = order(number, orders, place);
                if mixed(number ^ 5) % 100 < 8 {
                    let refund = Refund {
                        external_id: format!("r{number}"),
                        order_external_id: number.to_string(),
                        at: order.snapshot.ordered_at,
                        is_running_total: false,
                        lines: Vec::new(),
                    };
                    books::refund::insert(tx, place.1, &refund, 700, refund.at)?;
                }
                books::order::put(tx, &order, &evidence, order.snapshot.ordered_at)?;
            }
            Ok::<_, Error>(())
        });
        stored.expect("stored");
    }
    began.elapsed()
}

fn main() {
    let orders = std::env::var("HOPCART_BENCH_ORDERS").map_or(1_000_000, |text| text.parse().expect("a number"));
    let directory = tempfile::tempdir().expect("a directory");
    let books = Books::open(Options::at(directory.path().join("books.sqlite"))).expect("new books");
    let place = books.commit_blocking(set_up).expect("set up");
    let took = fill(&books, orders, place);
    let (rate, bytes) = (
        orders as f64 / took.as_secs_f64(),
        books.stats().file_bytes / orders.max(1),
    );
    println!("{orders} orders stored, {rate:.0} a second, {bytes} bytes each");
    println!("| period | what | rows | shortest of {ROUNDS}, ms |\n|---|---|---|---|");
    let end = START + DAYS * DAY_MS;
    for (name, span) in [
        ("90 whole days", (START, end)),
        ("all time, to now", (0, end - 12_345)),
        (
            "30 days, cut at both ends",
            (end - 30 * DAY_MS - 40_000_000, end - 40_000_000),
        ),
    ] {
        let wanted = Wanted {
            workspace: place.0,
            start: Timestamp(span.0),
            end: Timestamp(span.1),
            currency: "EUR",
        };
        for (what, mark) in [("by code", Mark::Code), ("by country", Mark::Country)] {
            time(&books, name, what, |view| by_mark(view, wanted, mark));
        }
        for model in Model::ALL {
            time(&books, name, model.as_str(), |view| by_source(view, wanted, model));
        }
        let dollars = Wanted {
            currency: "USD",
            ..wanted
        };
        time(&books, name, "last, converted", |view| {
            by_source(view, dollars, Model::Last)
        });
    }
}

/// Asks [`ROUNDS`] times and prints a row of the table.
fn time<T>(books: &Books, period: &str, what: &str, ask: impl Fn(&View<'_>) -> Result<Vec<T>, Error>) {
    let (mut shortest, mut rows) = (Duration::MAX, 0);
    for _ in 0..ROUNDS {
        let began = Instant::now();
        rows = books.read_blocking(&ask).expect("read").len();
        shortest = shortest.min(began.elapsed());
    }
    let ms = shortest.as_secs_f64() * 1000.0;
    println!("| {period} | {what} | {rows} | {ms:.1} |");
}
