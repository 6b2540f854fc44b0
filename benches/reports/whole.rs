//! Whole reports, as the API answers them: a million orders beside a hundred million clicks.
//!
//! The log has 20 brands with 120 links each. The one that is asked about has all the orders, 40 creators with three links,
//! and its own of the clicks.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use hopcart::books::{self, Books, Error, Options, Tx};
use hopcart::domain::id::{CreatorNo, DomainNo, WorkspaceNo};
use hopcart::domain::link::LinkTerms;
use hopcart::domain::time::Timestamp;

use super::orders::{self, Brand, LINKS};
use super::program::{Program, Server};
use super::wire;

/// As `hundred_million` has them.
const START: i64 = 1_755_907_200_000;
const BRANDS: u32 = 20;
const LINKS_IN_ALL: u32 = 2_400;
const CREATORS: u64 = (LINKS_IN_ALL / BRANDS) as u64 / LINKS;
const KEY: &str = "bench-of-whole-reports";
const ROUNDS: usize = 7;
/// The days of all clicks and orders.
const PERIOD: &str = "start=2025-08-23T00:00:00Z&end=2025-11-21T00:00:00Z";

/// Prints a table of how long reports over `orders` orders take beside the clicks in `log`.
pub fn run(orders: u64, log: &Path) {
    let log = fs::canonicalize(log).expect("a click log");
    assert!(log.join("journal").is_dir(), "{} is no click log", log.display());
    let home = tempfile::tempdir().expect("a directory");
    let dir = home.path();
    fs::write(dir.join("hopcart.toml"), "").expect("a file");
    let program = Program {
        data: dir.join("data"),
        config: dir.join("hopcart.toml"),
        log: dir.join("log"),
        click_ack: "async",
        admin_key: KEY,
    };
    // Makes the first workspace.
    program.start().kill();
    let took = {
        let books = Books::open(Options::at(program.data.join("books.sqlite"))).expect("the books");
        let brand = books.commit_blocking(set_up).expect("set up");
        orders::fill(&books, orders, brand)
    };
    println!("{orders} orders stored in {:.0} s", took.as_secs_f64());
    let own = program.data.join("clicklog");
    fs::remove_dir_all(&own).expect("an empty log");
    std::os::unix::fs::symlink(log, &own).expect("a link");
    let server = program.start();
    println!(
        "| report, 90 days | rows | clicks | orders | first, ms | median, ms | longest, ms |\n|---|---|---|---|---|---|---|"
    );
    for (what, more) in [
        ("by creator, last touch", "groupBy=creator&model=last"),
        ("by creator, linear", "groupBy=creator&model=linear"),
        ("by creator, time decay", "groupBy=creator&model=time_decay"),
        ("by creator, position", "groupBy=creator&model=position"),
        ("by niche", "groupBy=niche&model=last"),
        ("by link", "groupBy=link&model=last"),
        ("by code", "groupBy=code&model=last"),
        ("by country", "groupBy=country&model=last"),
    ] {
        time(&server, what, &format!("/reports/performance?{more}&{PERIOD}"));
    }
    server.kill();
}

fn set_up(tx: &Tx<'_>) -> Result<Brand, Error> {
    let brand = orders::set_up(tx, WorkspaceNo(1), CREATORS, START)?;
    let brand = Brand {
        link_step: BRANDS,
        ..brand
    };
    for number in 0..LINKS_IN_ALL {
        let place = u64::from(number / BRANDS);
        let is_ours = number.is_multiple_of(BRANDS);
        let creator = CreatorNo(brand.first_creator.0 + (place / LINKS) as u32);
        let link = books::link::NewLink {
            id: format!("link_{number}"),
            workspace: brand.workspace,
            domain: DomainNo::DEFAULT,
            slug: format!("l{number}"),
            is_exact: false,
            terms: LinkTerms {
                destination: "https://moss.example/p".to_owned(),
                creator: is_ours.then_some(creator),
                ..LinkTerms::default()
            },
            created_at: Timestamp(START),
        };
        let made = books::link::insert(tx, &link)?;
        assert_eq!(made.no.0, number + 1, "links have the numbers of the log");
    }
    Ok(brand)
}

fn time(server: &Server, what: &str, target: &str) {
    let mut connection = wire::Connection::open(server.admin).expect("the API accepts");
    let bearer = format!("Bearer {KEY}");
    let mut ask = || {
        wire::eventually("a report", || {
            let began = Instant::now();
            let answer = connection
                .ask("GET", target, &[("authorization", bearer.as_str())], None)
                .ok()?;
            let took = began.elapsed();
            assert!(
                answer.status == 200 || answer.status == 503,
                "{}",
                String::from_utf8_lossy(&answer.body)
            );
            (answer.status == 200).then(|| (took, answer.json()))
        })
    };
    let (first, report) = ask();
    let mut times: Vec<Duration> = (0..ROUNDS).map(|_| ask().0).collect();
    times.sort_unstable();
    let rows = report.as_array().expect("rows");
    let sum = |name: &str| rows.iter().filter_map(|row| row[name].as_f64()).sum::<f64>();
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    println!(
        "| {what} | {} | {} | {} | {:.1} | {:.1} | {:.1} |",
        rows.len(),
        sum("clicks"),
        sum("orders"),
        ms(first),
        ms(times[ROUNDS / 2]),
        ms(times[ROUNDS - 1])
    );
}
