//! Guards what shops' orders cost: how many a second are accepted, each durable before its 200, and what a hundred a
//! second do to followers who come twenty thousand a second meanwhile.
//!
//! The real program on loopback, asked by this process on the same machine, so that both share its processors. Orders are
//! signed webhooks with a click id, a code and two lines. Alone: as fast as they are answered, over many connections, once
//! on a disk and once in memory, where a sync costs nothing; then the program is killed and started again, and must have
//! every order that it answered. Together: slices with and without orders take turns, so that what else the machine does
//! falls on both; followers and orders come at their rates, whatever is answered, and who waits behind a late answer waits
//! from the moment at which they were due.
//!
//! Environment: `HOPCART_BENCH_CLICK_RATE` (20000 a second), `HOPCART_BENCH_ORDER_RATE` (100), `HOPCART_BENCH_SECONDS` (of a
//! slice; 3), `HOPCART_BENCH_PAIRS` (5), `HOPCART_BENCH_CONNECTIONS` (of shops that send as fast as they can; 64),
//! `HOPCART_BENCH_DIR` (on the disk that is measured; default the temporary directory).

mod cpu;
mod followers;
#[path = "../../tests/wire/program.rs"]
mod program;
mod shop;
mod times;
#[expect(dead_code, reason = "repeatable chance belongs to the tests of whole servers")]
#[path = "../../tests/wire/mod.rs"]
mod wire;

use std::env;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use followers::Followers;
use program::{Program, Server};
use shop::Shop;
use times::Times;
use wire::Api;

const KEY: &str = "orders-bench-admin-key-0123456789";
/// Creators, and links of each: a brand of the size that the reports are measured with.
const CREATORS: usize = 50;
const LINKS: usize = 4;
/// Syncs of a small write, to tell what the disk takes.
const SYNCS: usize = 200;

struct Plan {
    click_rate: u64,
    order_rate: u64,
    slice: Duration,
    pairs: u64,
    connections: u64,
    dir: PathBuf,
}

impl Plan {
    fn of_environment() -> Self {
        let number = |name: &str, default: u64| {
            env::var(name).map_or(default, |text| {
                text.parse().unwrap_or_else(|_| panic!("{name}: a number"))
            })
        };
        Self {
            click_rate: number("HOPCART_BENCH_CLICK_RATE", 20_000).max(1),
            order_rate: number("HOPCART_BENCH_ORDER_RATE", 100).max(1),
            slice: Duration::from_secs(number("HOPCART_BENCH_SECONDS", 3).max(1)),
            pairs: number("HOPCART_BENCH_PAIRS", 5).max(1),
            connections: number("HOPCART_BENCH_CONNECTIONS", 64).max(1),
            dir: env::var_os("HOPCART_BENCH_DIR").map_or_else(env::temp_dir, PathBuf::from),
        }
    }
}

fn main() {
    let plan = Plan::of_environment();
    let disk = tempfile::tempdir_in(&plan.dir).expect("a directory can be made");
    println!("a sync of 4 KiB on this disk: {}", sync_times(disk.path()));
    println!(
        "| orders alone, {} connections | a second | server's CPU, µs each | {} |",
        plan.connections,
        Times::HEAD
    );
    println!("|---|---|---|---|---|---|---|");
    alone(&plan, disk.path(), "each synced to disk");
    if let Ok(memory) = tempfile::tempdir_in("/dev/shm") {
        alone(&plan, memory.path(), "in memory: a sync is free");
    }
    let both = tempfile::tempdir_in(&plan.dir).expect("a directory can be made");
    together(&plan, both.path());
}

/// A brand on a server in `dir`.
struct Brand {
    program: Program,
    server: Server,
    store: String,
    slugs: Vec<String>,
}

fn brand(dir: &Path) -> Brand {
    let config = dir.join("hopcart.toml");
    let text = "trusted_proxies = [\"127.0.0.0/8\"]\n[destinations]\nallow_private = true\n[log]\nlevel = \"warn\"\n";
    fs::write(&config, text).expect("there is room for it");
    let program = Program {
        data: dir.join("data"),
        config,
        log: dir.join("log"),
        click_ack: "async",
        admin_key: KEY,
    };
    let server = program.start();
    let mut api = Api::new(server.admin, KEY);
    let id = |answer: &Value| answer["id"].as_str().expect("an id").to_owned();
    let body = json!({"name": "Moss", "provider": "shopify", "baseUrl": "https://moss.example", "currency": "EUR",
        "webhookSecrets": [shop::SECRET]});
    let store = id(&api.post("/stores", &body));
    let mut slugs = Vec::new();
    for creator in 0..CREATORS {
        let partner = id(&api.post(
            "/partners",
            &json!({"name": format!("Creator {creator}"), "niche": "ceramics"}),
        ));
        api.post(
            "/discount-codes",
            &json!({"code": shop::code(creator), "partnerId": partner}),
        );
        let link = |number: usize| {
            let key = format!("c{creator}-{number}");
            json!({"key": key, "url": "https://moss.example/p", "partnerId": partner})
        };
        api.post("/links/bulk", &(0..LINKS).map(link).collect());
        slugs.extend((0..LINKS).map(|number| format!("c{creator}-{number}")));
    }
    Brand {
        program,
        server,
        store,
        slugs,
    }
}

/// What a sync costs here, whoever asks for it.
fn sync_times(dir: &Path) -> Times {
    let mut file = File::create(dir.join("synced")).expect("a file");
    let mut times = Times::default();
    for _ in 0..SYNCS {
        let began = Instant::now();
        file.write_all(&[7; 4096]).expect("room");
        file.sync_data().expect("synced");
        times.add(began.elapsed());
    }
    times
}

/// Orders as fast as they are answered; then the kill, and whether every one is there.
fn alone(plan: &Plan, dir: &Path, what: &str) {
    let brand = brand(dir);
    let clicks = followers::click_ids(brand.server.public, &brand.slugs);
    let shop = Shop::new(brand.server.public, brand.store.clone(), clicks);
    let cpu = cpu::of_server();
    let began = Instant::now();
    let until = began + plan.slice;
    let mut times = Times::default();
    thread::scope(|scope| {
        let lanes: Vec<_> = (0..plan.connections)
            .map(|_| scope.spawn(|| shop.send_until(until)))
            .collect();
        lanes
            .into_iter()
            .for_each(|lane| times.join(lane.join().expect("a lane ends")));
    });
    let rate = times.count() as f64 / began.elapsed().as_secs_f64();
    let cpu = (cpu::of_server() - cpu) / times.count().max(1);
    brand.server.kill();
    let server = brand.program.start();
    assert_eq!(
        kept(server.admin),
        times.count(),
        "orders kept, and answered, after a kill"
    );
    println!("| {what} | {rate:.0} | {cpu} | {} |", times.columns());
}

/// Orders that the report counts, once the click log is open.
fn kept(admin: std::net::SocketAddr) -> u64 {
    let mut connection = wire::Connection::open(admin).expect("the API accepts");
    let bearer = format!("Bearer {KEY}");
    let target = "/reports/performance?groupBy=store&interval=all";
    let report = wire::eventually("a report", || {
        let answer = connection
            .ask("GET", target, &[("authorization", bearer.as_str())], None)
            .ok()?;
        (answer.status == 200).then(|| answer.json())
    });
    let rows = report.as_array().expect("rows").iter();
    rows.map(|row| row["orders"].as_u64().expect("a count")).sum()
}

fn together(plan: &Plan, dir: &Path) {
    let brand = brand(dir);
    let clicks = followers::click_ids(brand.server.public, &brand.slugs);
    let shop = Shop::new(brand.server.public, brand.store.clone(), clicks);
    let followers = Followers::new(brand.server.public, brand.slugs.clone(), plan.click_rate);
    // A slice that is not counted: connections, caches and files grow.
    followers.follow_for(plan.slice);
    let (mut without, mut with, mut orders) = (Vec::new(), Vec::new(), Times::default());
    let mut cpu = [0, 0];
    for _ in 0..plan.pairs {
        let before = cpu::of_server();
        without.push(followers.follow_for(plan.slice));
        let between = cpu::of_server();
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            let sending = scope.spawn(|| shop.send_at(plan.order_rate, &is_over));
            with.push(followers.follow_for(plan.slice));
            is_over.store(true, Ordering::Relaxed);
            orders.join(sending.join().expect("the shop ends"));
        });
        cpu[0] += between - before;
        cpu[1] += cpu::of_server() - between;
    }
    print_together(plan, without, with, &mut orders);
    let seconds = plan.pairs as f64 * plan.slice.as_secs_f64();
    let [alone, both] = cpu.map(|us| us as f64 / 1e4 / seconds);
    println!("server's CPU: {alone:.1} % of a core alone, {both:.1} % with orders");
}

fn print_together(plan: &Plan, without: Vec<Times>, with: Vec<Times>, orders: &mut Times) {
    println!(
        "\n{} pairs of {} s, in turn: {} redirects/s, and the same with {} orders/s",
        plan.pairs,
        plan.slice.as_secs(),
        plan.click_rate,
        plan.order_rate
    );
    println!(
        "| | a second | mean, ms | {} |\n|---|---|---|---|---|---|---|",
        Times::HEAD
    );
    let seconds = plan.slice.as_secs_f64() * plan.pairs as f64;
    let mut ratios: Vec<f64> = without.iter().zip(&with).map(|(a, b)| b.mean() / a.mean()).collect();
    ratios.sort_by(f64::total_cmp);
    let all = |slices: Vec<Times>| {
        let mut all = Times::default();
        slices.into_iter().for_each(|slice| all.join(slice));
        all
    };
    let (mut without, mut with) = (all(without), all(with));
    for (what, times) in [
        ("redirects alone", &mut without),
        ("redirects during orders", &mut with),
        ("orders", orders),
    ] {
        let rate = times.count() as f64 / seconds;
        println!("| {what} | {rate:.0} | {:.3} | {} |", times.mean(), times.columns());
    }
    let ratio = |place: f64| with.at(place) / without.at(place);
    println!(
        "redirects during orders / alone: mean {:.2} (of each pair: {}), median {:.2}, p99 {:.2}; order p99 {:.1} ms",
        with.mean() / without.mean(),
        ratios
            .iter()
            .map(|ratio| format!("{ratio:.2}"))
            .collect::<Vec<_>>()
            .join(" "),
        ratio(0.5),
        ratio(0.99),
        orders.at(0.99),
    );
}
