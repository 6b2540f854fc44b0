//! Guards what a performance report over a million orders costs the books: whole days, days that the period cuts, every
//! model, by code and country, and all of it converted to another currency, which is done order by order. Prints a table;
//! `HOPCART_BENCH_ORDERS` says how many orders (1,000,000).
//!
//! Orders of 90 days, of 200 creators with three links each; one in ten came by a journey of two creators, one in five is
//! of a customer who bought before, and 8 % are refunded in part. Also tells how fast orders are stored, 500 in a commit.
//!
//! With `HOPCART_BENCH_CLICKLOG`, the directory of a click log that `hundred_million` has written, it asks the real program
//! for whole reports instead: the log's clicks, the orders, and everything that a row says.

mod orders;
#[expect(dead_code, reason = "nobody follows a link here")]
#[path = "../../tests/wire/program.rs"]
mod program;
mod whole;
#[expect(
    dead_code,
    reason = "shops and repeatable chance belong to the tests of whole servers"
)]
#[path = "../../tests/wire/mod.rs"]
mod wire;

use std::time::{Duration, Instant};

use hopcart::books::mark_sales::{Mark, by_mark};
use hopcart::books::sales::{Wanted, by_source};
use hopcart::books::{self, Books, Error, Options, View};
use hopcart::domain::attribution::Model;
use hopcart::domain::time::{DAY_MS, Timestamp};

use orders::DAYS;

const START: i64 = 1_795_219_200_000;
const CREATORS: u64 = 200;
const ROUNDS: usize = 5;

fn main() {
    let orders = std::env::var("HOPCART_BENCH_ORDERS").map_or(1_000_000, |text| text.parse().expect("a number"));
    if let Some(log) = std::env::var_os("HOPCART_BENCH_CLICKLOG") {
        return whole::run(orders, log.as_ref());
    }
    let directory = tempfile::tempdir().expect("a directory");
    let books = Books::open(Options::at(directory.path().join("books.sqlite"))).expect("new books");
    let set_up = books.commit_blocking(|tx| {
        let workspace = books::workspace::insert(tx, "ws_1", "bench", Timestamp(1))?;
        orders::set_up(tx, workspace, CREATORS, START)
    });
    let brand = set_up.expect("set up");
    let took = orders::fill(&books, orders, brand);
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
            workspace: brand.workspace,
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
