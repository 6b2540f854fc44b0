//! Guards what a follow costs the request path: nobody may put a lock, a look-up or a copy more into it unnoticed.
//!
//! First as the edge does it, from the bytes of a request to the bytes of its answer (`edge/…`): the browser inside an app
//! with the twelve headers that `hopcart bench --browser` sends, on its first visit to one of 100,000 links, and to one
//! viral link; and the same with the cookie of four follows.
//!
//! Then `Worker::follow` alone, as a browser inside an app asks: a plain link among 100,000 drawn at random, one
//! viral link over and over, a first visit (no cookie yet), a cart of three items with a code, the same as one of eight
//! variants of an experiment (also on a first visit, which draws a number that stays in its variant), as a landing page
//! (drawn and packed), the tap on its button, and a link that does not exist. Another thread empties the lane, as the recorder does. A cart must stay within twice the viral link; a miss
//! must cost a fraction of it, for it is what an attacker sends.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use http_body_util::Full;
use hyper::Response;
use hyper::body::Incoming;

use hopcart::domain::cart::{Cart, CartItem, ItemName, Landing};
use hopcart::domain::consent::ConsentMode;
use hopcart::domain::experiment::{Experiment, Variant};
use hopcart::domain::id::{CreatorNo, DomainNo, LinkNo, StoreNo, WorkspaceNo};
use hopcart::domain::keyring::{Keyring, Secret};
use hopcart::domain::link::{Link, LinkTerms};
use hopcart::domain::link_domain::LinkDomain;
use hopcart::domain::outside::{Clock, Entropy, NoPlaces, SeededEntropy};
use hopcart::domain::store::{OversellPolicy, Permalink, Product, Provider, Shelf, Store, StoreLook};
use hopcart::domain::time::Timestamp;
use hopcart::net::{AnswerLines, AtOnce, Handler, Head, Peer, Rehearsal};
use hopcart::redirect::{
    Counters, Keys, Lane, LaneReader, Options, Redirect, Reply, Request, Shared, Table, TableWriter, Throttle, Worker,
};
use hopcart::web::public::{answer_at_once, draw_page};

const LINKS: u32 = 100_000;
/// Links that are followed, drawn from all: enough not to stay in the processor's caches.
const FOLLOWED: usize = 1 << 14;
const STORE: StoreNo = StoreNo(1);
const WORKSPACE: WorkspaceNo = WorkspaceNo(1);
const AGENT: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                     Mobile/15E148 Instagram 390.0.0.21.80 (iPhone15,3; iOS 18_5; de_DE; de; scale=3.00; 1290x2796)";
const QUERY: &str = "utm_source=instagram&utm_medium=social&utm_campaign=spring&fbclid=PAZXh0bgNhZW0CMTEAAadq";

/// The machine's clock: reading it is part of a follow.
struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Timestamp(since.map_or(0, |since| since.as_millis() as i64))
    }
}

fn follow(c: &mut Criterion) {
    let (worker, _, reader, paths) = worker();
    let is_over = Arc::new(AtomicBool::new(false));
    let drain = thread::spawn({
        let is_over = Arc::clone(&is_over);
        move || empty(reader, &is_over)
    });
    let cookie = cookie_of(&worker, &paths);
    let mut group = c.benchmark_group("follow");
    group.throughput(Throughput::Elements(1));
    for (name, path, cookie) in [
        ("plain", None, cookie.as_str()),
        ("viral", Some(paths[0].as_str()), cookie.as_str()),
        ("first_visit", None, ""),
        ("cart_of_three", Some("/tour-cart"), cookie.as_str()),
        ("one_of_eight_carts", Some("/tour-test"), cookie.as_str()),
        ("first_visit_of_eight", Some("/tour-test"), ""),
        ("miss", Some("/nothing"), cookie.as_str()),
    ] {
        let mut turn = 0;
        group.bench_function(name, |b| {
            b.iter(|| {
                turn = (turn + 1) % FOLLOWED;
                let request = request(path.unwrap_or(&paths[turn]), cookie, turn);
                match worker.follow(black_box(&request)) {
                    Reply::Redirect(redirect) => worker.reuse(black_box(redirect)),
                    other => drop(black_box(other)),
                }
            });
        });
        // A full lane would have made every follow after it cheaper.
        assert!(
            !worker.has_lost() && worker.counters().outcomes().details_lost == 0,
            "{name}: the lane was full"
        );
    }
    let page_request = |turn| Request {
        accept_encoding: "gzip, deflate, br",
        ..request("/tour-page", &cookie, turn)
    };
    let page_of = |turn| match worker.follow(&page_request(turn)) {
        Reply::Page(page) => page,
        other => panic!("no page: {other:?}"),
    };
    let mut turn = 0;
    group.bench_function("page_of_three", |b| {
        b.iter(|| {
            turn = (turn + 1) % FOLLOWED;
            let page = page_of(turn);
            black_box(draw_page(&page, &page_request(turn)))
        });
    });
    let form = format!("token={}&q0=1&q1=2&q2=1", page_of(0).token);
    group.bench_function("tap_on_a_page", |b| {
        b.iter(|| {
            turn = (turn + 1) % FOLLOWED;
            black_box(worker.tap(&page_request(turn), black_box(&form)))
        });
    });
    group.finish();
    is_over.store(true, Ordering::Relaxed);
    drain.join().expect("the reader");
}

/// Answers from memory what needs not wait; nothing else is asked for here.
struct AtOnceOnly(Worker);

impl Handler for AtOnceOnly {
    async fn handle(&self, _: Peer, _: hyper::Request<Incoming>) -> Response<Full<Bytes>> {
        Response::default()
    }

    fn answer_at_once(&self, peer: Peer, head: &Head<'_>, answer: &mut AnswerLines<'_>) -> AtOnce {
        answer_at_once(&self.0, peer, head, answer)
    }
}

fn edge(c: &mut Criterion) {
    let (worker, counters, reader, paths) = worker();
    let is_over = Arc::new(AtomicBool::new(false));
    let drain = thread::spawn({
        let is_over = Arc::clone(&is_over);
        move || empty(reader, &is_over)
    });
    let known = cookie_of(&worker, &paths);
    let mut edge = Rehearsal::new(AtOnceOnly(worker), IpAddr::V4(Ipv4Addr::LOCALHOST));
    let mut group = c.benchmark_group("edge");
    group.throughput(Throughput::Elements(1));
    let stranger = "_ga=GA1.1.8305172640.1763714999";
    for (name, paths, cookie) in [
        ("first_visit", &paths[..], stranger),
        ("first_visit_viral", &paths[..1], stranger),
        ("known", &paths[..], &known),
        ("known_viral", &paths[..1], &known),
    ] {
        let requests: Vec<_> = paths.iter().map(|path| browser_request(path, cookie)).collect();
        let mut turn = 0;
        group.bench_function(name, |b| {
            b.iter(|| {
                turn = (turn + 1) % requests.len();
                let (answer, used) = edge.answer(black_box(&requests[turn]));
                assert!(
                    used == requests[turn].len() && answer.starts_with(b"HTTP/1.1 302"),
                    "{name}"
                );
                black_box(answer.len())
            });
        });
        assert_eq!(counters.outcomes().details_lost, 0, "{name}: the lane was full");
    }
    group.finish();
    is_over.store(true, Ordering::Relaxed);
    drain.join().expect("the reader");
}

/// What `hopcart bench --browser` sends.
fn browser_request(path: &str, cookie: &str) -> Vec<u8> {
    format!(
        "GET {path}?utm_source=instagram HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: Mozilla/5.0 (iPhone; CPU iPhone OS \
         18_1_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 Instagram 356.0.0.130.950\r\n\
         Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\nAccept-Language: de-DE,de;q=0.9,en;q=0.8\r\n\
         Accept-Encoding: gzip, deflate, br\r\nReferer: https://l.instagram.com/\r\nSec-Fetch-Dest: document\r\n\
         Sec-Fetch-Mode: navigate\r\nSec-Fetch-Site: cross-site\r\nUpgrade-Insecure-Requests: 1\r\nPriority: u=0, i\r\n\
         Cookie: {cookie}\r\n\r\n"
    )
    .into_bytes()
}

/// Reads the lane empty, over and over.
fn empty(mut reader: LaneReader, is_over: &AtomicBool) {
    while !is_over.load(Ordering::Relaxed) {
        while reader.next(|record| {
            black_box(record);
        }) {}
        reader.acknowledge(reader.position());
        thread::park_timeout(Duration::from_millis(1));
    }
}

fn request<'a>(path: &'a str, cookie: &'a str, turn: usize) -> Request<'a> {
    let turn = turn.to_le_bytes();
    Request {
        query: QUERY,
        is_secure: true,
        user_agent: AGENT,
        referrer: "https://l.instagram.com/?u=https%3A%2F%2Fgo.brand.example%2Ftour&e=AT0x",
        accept_language: "de-DE,de;q=0.9,en-US;q=0.8",
        cookie,
        ..Request::get(
            "go.brand.example",
            path,
            IpAddr::V4(Ipv4Addr::new(10, 0, turn[1], turn[0])),
        )
    }
}

/// The `Cookie` header of somebody who followed four links before, among the shop's own.
fn cookie_of(worker: &Worker, paths: &[String]) -> String {
    let mut cookie = String::new();
    for (turn, path) in paths.iter().take(4).enumerate() {
        let Reply::Redirect(Redirect { cookie: Some(set), .. }) = worker.follow(&request(path, &cookie, turn)) else {
            panic!("{path}: no cookie");
        };
        let own = set.split(';').next().unwrap_or_default();
        cookie = format!("_ga=GA1.1.1234567890.1790000000; {own}; lang=de");
    }
    cookie
}

fn worker() -> (Worker, Arc<Counters>, LaneReader, Vec<String>) {
    let (table, writer) = Table::new(&domain());
    let entropy = SeededEntropy::new(7);
    let slugs: Vec<String> = (0..LINKS).map(|_| slug(&entropy)).collect();
    for (no, slug) in (1..).zip(&slugs) {
        let terms = LinkTerms {
            destination: format!("https://shop.example/products/{no}?utm_content=story"),
            creator: Some(CreatorNo(no % 40)),
            ..LinkTerms::default()
        };
        writer.put(&link(no, slug, true, terms), None);
    }
    put_cart(&writer);
    writer.set_loaded();
    let ring = |key| {
        let secret = Secret {
            version: 1,
            key: [key; 32],
        };
        Keyring::new(vec![secret]).expect("a key")
    };
    let keys = Keys {
        click_id: ring(1),
        cookie: ring(2),
        salt: [3; 32],
    };
    let shared = Arc::new(Shared {
        table,
        keys: Arc::new(ArcSwap::from_pointee(keys)),
        options: Options {
            node: 0,
            cookie_max_age_seconds: 365 * 24 * 60 * 60,
            is_durable: false,
        },
        places: Arc::new(NoPlaces),
        clock: Arc::new(WallClock),
        throttle: Throttle::new(u32::MAX, [4; 32]),
        sequence: AtomicU64::new(1),
    });
    let (lane, reader) = Lane::new(16 << 20);
    let counters = Arc::new(Counters::default());
    let worker = Worker::new(shared, lane, Arc::clone(&counters), [5; 32]);
    let pick = |_| format!("/{}", slugs[(entropy.number() % u64::from(LINKS)) as usize]);
    (worker, counters, reader, (0..FOLLOWED).map(pick).collect())
}

/// Seven base62 characters, as generated slugs have.
fn slug(entropy: &SeededEntropy) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut number = entropy.number();
    let digit = |_| {
        let digit = DIGITS[(number % 62) as usize];
        number /= 62;
        char::from(digit)
    };
    (0..7).map(digit).collect()
}

fn put_cart(writer: &TableWriter) {
    let store = Store {
        no: STORE,
        id: "store_1".to_owned(),
        workspace: WORKSPACE,
        name: "bench".to_owned(),
        provider: Provider::Shopify,
        base_url: "https://shop.example/".to_owned(),
        currency: "EUR".to_owned(),
        permalink: Permalink::default(),
        look: StoreLook::default(),
        ucp_endpoint: None,
        returns_click_ids: false,
        created_at: Timestamp(0),
    };
    let product = |number: u32| Product {
        sku: format!("SKU-{number}"),
        variant_id: format!("4401700000{number}"),
        title: format!("Product {number}"),
        image_url: None,
        price: Some(1_999),
        price_at: Some(Timestamp(0)),
        // The second is sold out: its fallback stands in.
        stock: Some(if number == 2 { 0 } else { 1_000_000 }),
        policy: OversellPolicy::Deny,
        stock_at: Timestamp(0),
        cost: None,
    };
    let products: Vec<Product> = (1..=20).map(product).collect();
    writer.put_store(&store, Arc::new(Shelf::new(&products)));
    let item = |number: u32| CartItem {
        name: ItemName::Sku(format!("SKU-{number}")),
        quantity: number,
        fallbacks: vec![format!("SKU-{}", number + 10)],
    };
    let cart = Cart {
        store: STORE,
        items: (1..=3).map(item).collect(),
        discount_codes: vec!["MIA10".to_owned()],
        note: None,
        attributes: vec![("creator".to_owned(), "mia".to_owned())],
        continue_to: None,
        landing: Landing::Direct,
        code_pool: None,
    };
    let terms = LinkTerms {
        destination: "https://shop.example/cart/44017000001:1".to_owned(),
        creator: Some(CreatorNo(1)),
        utm: [Some("instagram".to_owned()), None, None, None, None],
        cart: Some(cart),
        ..LinkTerms::default()
    };
    let variant = |number: u8| Variant {
        name: None,
        percentage: if number == 8 { 30 } else { 10 },
        destination: terms.destination.clone(),
        cart: terms.cart.clone(),
        utm: Default::default(),
        is_own_cart: false,
    };
    let test = LinkTerms {
        experiment: Some(Experiment {
            variants: (1..=8).map(variant).collect(),
            started_at: Timestamp(0),
            completed_at: None,
            changed_at: Timestamp(0),
        }),
        ..terms.clone()
    };
    writer.put(&link(LINKS + 3, "tour-test", false, test), None);
    let mut page = terms.clone();
    if let Some(cart) = &mut page.cart {
        cart.landing = Landing::Page;
    }
    writer.put(&link(LINKS + 1, "tour-cart", false, terms), None);
    writer.put(&link(LINKS + 2, "tour-page", false, page), None);
}

fn link(no: u32, slug: &str, is_exact: bool, terms: LinkTerms) -> Link {
    Link {
        no: LinkNo(no),
        id: format!("link_{no}"),
        workspace: WORKSPACE,
        domain: DomainNo::DEFAULT,
        slug: slug.to_owned(),
        is_exact,
        terms,
        created_at: Timestamp(0),
        updated_at: Timestamp(0),
    }
}

fn domain() -> LinkDomain {
    LinkDomain {
        no: DomainNo::DEFAULT,
        id: "dom_default".to_owned(),
        workspace: None,
        slug: String::new(),
        is_primary: false,
        is_archived: false,
        is_case_sensitive: false,
        consent: ConsentMode::Gpc,
        has_legal_basis: false,
        cookie_domain: None,
        store: None,
        not_found_url: None,
        expired_url: None,
        redir_hosts: Vec::new(),
        proof: String::new(),
        verified_at: None,
        created_at: Timestamp(0),
        updated_at: Timestamp(0),
    }
}

criterion_group!(benches, edge, follow);
criterion_main!(benches);
