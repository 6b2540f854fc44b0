//! Guards what links by the million cost: making ten thousand in one call while a shop's orders come in, a page of a
//! hundred of them by every filter, and a file of them that is brought in while followers go on.
//!
//! The real program on loopback, asked by this process on the same machine, so that both share its processors. Links are
//! made in bulk calls, each durable before its answer; orders are signed webhooks at a fixed rate, and who waits behind a
//! late answer waits from the moment at which they were due. Then each list is asked for again and again.
//!
//! Environment: `HOPCART_BENCH_PART` (`calls` or `import`; default both), `HOPCART_BENCH_LINKS` (1000000), `HOPCART_BENCH_ORDER_RATE` (50 a second), `HOPCART_BENCH_ASKED` (times that
//! each list is asked for; 30), `HOPCART_BENCH_DIR` (on the disk that is measured; default the temporary directory).

mod bring;
#[path = "../orders/cpu.rs"]
mod cpu;
#[expect(dead_code, reason = "orders show click ids, these do not")]
#[path = "../orders/followers.rs"]
mod followers;
#[path = "../../tests/wire/program.rs"]
mod program;
#[path = "../orders/times.rs"]
mod times;
#[expect(dead_code, reason = "repeatable chance belongs to the tests of whole servers")]
#[path = "../../tests/wire/mod.rs"]
mod wire;

use std::env;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use program::Program;
use times::Times;
use wire::{Api, Connection, Delivery};

const KEY: &str = "links-bench-admin-key-0123456789";
const SECRET: &str = "shpss_of_the_bench";
/// Links of one call: as many as one may have.
const BULK: usize = 10_000;
/// Links of a page.
const PAGE: usize = 100;
/// Every how many links one has the rare tag.
const RARE: usize = 10_000;
/// Connections over which orders come; together they can wait for as many answers.
const LANES: u64 = 8;
/// What nine calls of ten and a page may take, and an order's 99th percentile beside the calls.
const CALL_MAX: Duration = Duration::from_secs(2);
const PAGE_MAX_MS: f64 = 10.0;
/// What a search for few may take: where each trigram of its text stands in most links, all of them are compared.
const SEARCH_MAX_MS: f64 = 100.0;
const ORDER_MAX_MS: f64 = 100.0;

fn main() {
    let number = |name: &str, default: usize| {
        env::var(name).map_or(default, |text| {
            text.parse().unwrap_or_else(|_| panic!("{name}: a number"))
        })
    };
    let links = number("HOPCART_BENCH_LINKS", 1_000_000).max(BULK);
    let rate = number("HOPCART_BENCH_ORDER_RATE", 50).max(1) as u64;
    let asked = number("HOPCART_BENCH_ASKED", 30).max(1);
    let dir = env::var_os("HOPCART_BENCH_DIR").map_or_else(env::temp_dir, PathBuf::from);
    let dir = tempfile::tempdir_in(dir).expect("a directory can be made");
    let config = dir.path().join("hopcart.toml");
    let text = "trusted_proxies = [\"127.0.0.0/8\"]\n[destinations]\nallow_private = true\n[log]\nlevel = \"warn\"\n";
    fs::write(&config, text).expect("there is room for it");
    let part = env::var("HOPCART_BENCH_PART").unwrap_or_default();
    let program = |name: &str| Program {
        data: dir.path().join(name),
        config: config.clone(),
        log: dir.path().join("log"),
        click_ack: "async",
        admin_key: KEY,
    };
    assert!(
        ["", "calls", "import"].contains(&part.as_str()),
        "HOPCART_BENCH_PART: calls or import"
    );
    if part != "import" {
        call(&program("calls"), links, rate, asked);
    }
    if part != "calls" {
        bring::run(&program("import"), links, dir.path());
    }
}

/// Makes links by calls and asks for pages of them.
fn call(program: &Program, links: usize, rate: u64, asked: usize) {
    let server = program.start();
    let mut brand = Brand::open(server.admin);
    let cpu = cpu::of_server();
    let (calls, orders) = brand.fill(links, rate, server.public);
    let cpu = cpu::of_server() - cpu;
    println!(
        "{links} links, {BULK} a call, in {:.1} s; {rate} orders/s beside them; server's CPU {} µs a link, orders with it",
        calls.mean() * calls.count() as f64 / 1e3,
        cpu / links as u64
    );
    println!("| | number | {} |\n|---|---|---|---|---|---|", Times::HEAD);
    println!("| call | {} | {} |", calls.count(), calls.columns());
    println!("| order | {} | {} |", orders.count(), orders.columns());
    let mut late: Vec<String> = Vec::new();
    if calls.at(0.9) > CALL_MAX.as_secs_f64() * 1e3 {
        late.push(format!("one call in ten took {:.0} ms", calls.at(0.9)));
    }
    if orders.at(0.99) > ORDER_MAX_MS {
        late.push(format!("orders' p99 is {:.0} ms", orders.at(0.99)));
    }
    println!(
        "\n| page of 100 | rows | server's CPU, ms | {} |\n|---|---|---|---|---|---|---|",
        Times::HEAD
    );
    for (what, target) in brand.pages(links) {
        let cpu = cpu::of_server();
        let (rows, times) = brand.ask(&target, asked);
        let cpu = (cpu::of_server() - cpu) as f64 / asked as f64 / 1e3;
        println!("| {what} | {rows} | {cpu:.1} | {} |", times.columns());
        let most = if rows == PAGE { PAGE_MAX_MS } else { SEARCH_MAX_MS };
        if times.at(0.5) > most {
            late.push(format!("{what}: {:.1} ms", times.at(0.5)));
        }
    }
    server.kill();
    assert!(late.is_empty(), "later than is promised: {late:#?}");
}

struct Brand {
    api: Api,
    store: String,
    partner: String,
    tag: String,
    rare_tag: String,
    folder: String,
}

/// Ends the orders, also when a call fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn id(answer: &Value) -> String {
    answer["id"].as_str().expect("an id").to_owned()
}

impl Brand {
    fn open(admin: SocketAddr) -> Self {
        let mut api = Api::new(admin, KEY);
        let store = json!({"name": "Moss", "provider": "shopify", "baseUrl": "https://moss.example", "currency": "EUR",
            "webhookSecrets": [SECRET]});
        let mut make = |target: &str, body: Value| id(&api.post(target, &body));
        Self {
            store: make("/stores", store),
            partner: make("/partners", json!({"name": "Mia"})),
            tag: make("/tags", json!({"name": "many"})),
            rare_tag: make("/tags", json!({"name": "few"})),
            folder: make("/folders", json!({"name": "spring"})),
            api,
        }
    }

    /// Every second link has the tag of many, every tenth is the partner's and in the folder.
    fn link(&self, number: usize) -> Value {
        let mut link = json!({
            "key": format!("p{number:07}"),
            "url": format!("https://moss.example/products/{number}?variant={}", number * 7),
            "title": format!("Product {number} of the spring season"),
            "externalId": format!("e{number}"),
            "tenantId": format!("t{}", number % 1_000),
        });
        if number.is_multiple_of(RARE) {
            link["tagIds"] = json!([self.rare_tag]);
        } else if number.is_multiple_of(2) {
            link["tagIds"] = json!([self.tag]);
        }
        if number.is_multiple_of(10) {
            link["partnerId"] = json!(self.partner);
            link["folderId"] = json!(self.folder);
        }
        link
    }

    /// Makes the links; how long each call took, and each order beside them.
    fn fill(&mut self, links: usize, rate: u64, public: SocketAddr) -> (Times, Times) {
        let (mut calls, mut orders) = (Times::default(), Times::default());
        let (is_over, store) = (AtomicBool::new(false), self.store.clone());
        thread::scope(|scope| {
            let (is_over, store, began) = (&is_over, &store, Instant::now());
            let over = Over(is_over);
            let lanes: Vec<_> = (0..LANES)
                .map(|lane| scope.spawn(move || send_orders(public, store, lane, rate, began, is_over)))
                .collect();
            for from in (0..links).step_by(BULK) {
                let body: Value = (from..from + BULK).map(|number| self.link(number)).collect();
                let began = Instant::now();
                let made = self.api.post("/links/bulk", &body);
                calls.add(began.elapsed());
                eprintln!(
                    "{from} links, then a call of {:.0} ms",
                    began.elapsed().as_secs_f64() * 1e3
                );
                let made = made.as_array().expect("an array");
                assert!(made.len() == BULK && made.iter().all(|link| link["id"].is_string()));
            }
            drop(over);
            lanes
                .into_iter()
                .for_each(|lane| orders.join(lane.join().expect("a lane ends")));
        });
        (calls, orders)
    }

    fn pages(&mut self, links: usize) -> Vec<(&'static str, String)> {
        let middle = id(&self.api.get(&format!("/links/info?externalId=e{}", links / 2)));
        vec![
            ("the newest", "/links".to_owned()),
            ("by last change", "/links?sortBy=updatedAt".to_owned()),
            ("after a link in the middle", format!("/links?startingAfter={middle}")),
            ("before it", format!("/links?endingBefore={middle}")),
            ("of a partner", format!("/links?partnerId={}", self.partner)),
            ("of a tenant", "/links?tenantId=t7".to_owned()),
            ("in a folder", format!("/links?folderId={}", self.folder)),
            ("with a tag of many", format!("/links?tagIds={}", self.tag)),
            ("with a tag of few", format!("/links?tagIds={}", self.rare_tag)),
            ("search in all", "/links?search=season".to_owned()),
            ("search in few", format!("/links?search=p{:06}", links / 20)),
            ("search in one", format!("/links?search=products/{}?", links - 7)),
            ("search in none", "/links?search=wintersale".to_owned()),
            ("search of two letters in none", "/links?search=qx".to_owned()),
            (
                "search in none of a partner",
                format!("/links?search=wintersale&partnerId={}", self.partner),
            ),
        ]
    }

    /// The number of rows, and how long each answer took.
    fn ask(&mut self, target: &str, asked: usize) -> (usize, Times) {
        let mut times = Times::default();
        let mut rows = 0;
        for _ in 0..asked {
            let began = Instant::now();
            let answer = self.api.get(target);
            times.add(began.elapsed());
            rows = answer.as_array().expect("an array").len();
        }
        (rows, times)
    }
}

/// Orders over one connection, each at its time, until it is over.
fn send_orders(address: SocketAddr, store: &str, lane: u64, rate: u64, began: Instant, is_over: &AtomicBool) -> Times {
    let mut connection = Connection::open(address).expect("the server accepts");
    let mut times = Times::default();
    for number in 0.. {
        let number = number * LANES + lane;
        let due = began + Duration::from_nanos(number * 1_000_000_000 / rate);
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if is_over.load(Ordering::Relaxed) {
            break;
        }
        let status = order(store, number + 1)
            .send(&mut connection, SECRET)
            .expect("an answer");
        assert_eq!(status, 200, "order {number}");
        times.add(due.elapsed());
    }
    times
}

fn order(store: &str, number: u64) -> Delivery {
    let now = jiff::Timestamp::now().to_string();
    let body = json!({
        "id": number, "name": format!("#{number}"), "created_at": now, "updated_at": now, "currency": "EUR",
        "subtotal_price": "39.90", "total_discounts": "0.00", "financial_status": "paid", "test": false,
        "customer": {"id": number}, "discount_codes": [], "note_attributes": [],
        "line_items": [{"id": number, "sku": "SKU-1", "variant_id": 44_001, "title": "Mug", "quantity": 1,
            "price": "39.90", "total_discount": "0.00", "discount_allocations": []}],
        "refunds": [],
    });
    Delivery {
        store_id: store.to_owned(),
        topic: "orders/paid",
        id: format!("delivery-{number}"),
        body,
    }
}
