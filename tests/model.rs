//! Random histories of links, clicks, orders, refunds and restarts, played to a whole server through its sockets and
//! held against a naive model of the rules: every report row, every count and every limit must be equal.
//!
//! The clock is the test's own and stands between steps. One worker serves, so that clicks are recognised in the order
//! in which they were made. A history that fails is made shorter and printed. Environment: `HOPCART_MODEL_HISTORIES`
//! (how many), `HOPCART_MODEL_SEED` (what is drawn).

#[path = "model/naive.rs"]
mod naive;
#[path = "model/step.rs"]
mod step;
mod wire;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use hopcart::app::{Running, World, start_in};
use hopcart::config::{Config, Masked};
use hopcart::domain::outside::{FixedClock, SeededEntropy};
use hopcart::domain::time::Timestamp;

use naive::{Class, Cookie, Creator, DAY_MS, Link, Naive, Row, Tap, Telling};
use step::{Change, How, Step, Topic, Traits};
use wire::{Api, BROWSER, Connection, Delivery, eventually};

const KEY: &str = "model-test-admin-key-0123456789";
const SECRET: &str = "model-test-webhook-secret";
/// 2026-11-21T21:30:00Z: the first day ends within a usual history.
const START: i64 = 1_795_296_600_000;
const STEPS: usize = 60;
/// Histories that are played at the same time.
const STAGES: usize = 2;

const PHONE: &str = "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) \
                     Chrome/138.0.0.0 Mobile Safari/537.36";
const CRAWLER: &str = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";
const PREVIEW: &str = "WhatsApp/2.23.20.0 A";
const AGENTS: [&str; 4] = [BROWSER, PHONE, CRAWLER, PREVIEW];

/// Address, user agent and whether cookies are kept. Some share an address, some an address and a user agent.
const FOLLOWERS: [(u8, u8, bool); 9] = [
    (1, 0, true),
    (1, 0, false),
    (1, 0, true),
    (1, 1, false),
    (2, 0, false),
    (2, 1, true),
    (3, 1, true),
    (4, 2, false),
    (5, 3, false),
];

const NICHES: [&str; 3] = ["cycling", "beauty", "baking"];
/// Revenue of an order's versions, in cents.
const REVENUES: [i64; 6] = [5_000, 4_217, 0, 9_900, 5_000, 1];
const STATUSES: [&str; 4] = ["pending", "authorized", "partially_refunded", "refunded"];

#[test]
fn reports_counts_and_limits_follow_a_naive_model() {
    let histories = variable("HOPCART_MODEL_HISTORIES", 100);
    let seed = variable("HOPCART_MODEL_SEED", 20_261_121);
    let next = AtomicU64::new(0);
    let failed = Mutex::new(None);
    let play_some = || {
        while failed.lock().expect("no panic while it is held").is_none() {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= histories {
                break;
            }
            let steps = history(seed + number);
            if let Err(why) = play(&steps) {
                *failed.lock().expect("no panic while it is held") = Some((seed + number, why, steps));
            }
        }
    };
    thread::scope(|scope| {
        (0..STAGES).for_each(|_| drop(scope.spawn(play_some)));
    });
    let Some((seed, why, steps)) = failed.into_inner().expect("no panic while it was held") else {
        println!("{histories} histories of {STEPS} steps, seeds from {seed}");
        return;
    };
    let (why, steps) = shorter(why, steps);
    let steps: Vec<String> = steps.iter().map(|step| format!("  {step:?}")).collect();
    panic!(
        "HOPCART_MODEL_HISTORIES=1 HOPCART_MODEL_SEED={seed}: {why}\nafter\n{}",
        steps.join("\n")
    );
}

/// The history that belongs to `seed`.
fn history(seed: u64) -> Vec<Step> {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Default::default(), random);
    let drawn = step::steps(STEPS).new_tree(&mut runner);
    drawn.expect("nothing is filtered").current()
}

/// Plays `steps`; the message of the first assertion that fails.
fn play(steps: &[Step]) -> Result<(), String> {
    let played = catch_unwind(AssertUnwindSafe(|| Stage::new().play(steps)));
    played.map_err(|panic| match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(_) => "a panic without words".to_owned(),
    })
}

/// Leaves steps out as long as the history still fails.
fn shorter(mut why: String, mut steps: Vec<Step>) -> (String, Vec<Step>) {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let mut length = steps.len() / 2;
    while length > 0 {
        let mut start = 0;
        while start < steps.len() {
            let end = (start + length).min(steps.len());
            let fewer: Vec<Step> = [&steps[..start], &steps[end..]].concat();
            match play(&fewer) {
                Err(still) => (why, steps) = (still, fewer),
                Ok(()) => start = end,
            }
        }
        length /= 2;
    }
    std::panic::set_hook(hook);
    (why, steps)
}

/// The cookie of a follower as the browser keeps it, and whom the model says it names.
#[derive(Default, Clone)]
struct Jar {
    text: String,
    visitor: Option<u32>,
}

/// An order's constant parts.
struct Known {
    traits: Traits,
    /// When it was first told of.
    at: i64,
    /// The click id that comes back, and the link that it belongs to if it is a good one.
    click: Option<(String, Option<usize>)>,
}

/// A running server.
struct Server {
    running: Running,
    public: Connection,
    api: Api,
}

/// A server on its own directory, the model of it, and what the world outside remembers.
struct Stage {
    home: tempfile::TempDir,
    clock: Arc<FixedClock>,
    world: World,
    server: Option<Server>,
    naive: Naive,
    keys: Vec<String>,
    stores: Vec<String>,
    jars: Vec<Jar>,
    click_ids: Vec<(String, usize)>,
    orders: HashMap<(usize, u64), Known>,
    sent: Vec<Delivery>,
    deliveries: usize,
}

impl Stage {
    fn new() -> Self {
        let clock = Arc::new(FixedClock::at(Timestamp(START)));
        let world = World {
            clock: Arc::clone(&clock) as _,
            // One stream for the whole history: a restart must not draw the same numbers again.
            entropy: Arc::new(SeededEntropy::new(7)),
            ..World::default()
        };
        let mut stage = Self {
            home: tempfile::tempdir().expect("a directory"),
            clock,
            world,
            server: None,
            naive: Naive::at(START),
            keys: Vec::new(),
            stores: Vec::new(),
            jars: vec![Jar::default(); FOLLOWERS.len()],
            click_ids: Vec::new(),
            orders: HashMap::new(),
            sent: Vec::new(),
            deliveries: 0,
        };
        stage.open();
        stage.set_up();
        stage
    }

    fn open(&mut self) {
        let any_port = "127.0.0.1:0".parse().expect("an address");
        let mut config = Config {
            data: self.home.path().join("data"),
            listen: any_port,
            admin_listen: any_port,
            workers: 1,
            trusted_proxies: vec!["127.0.0.1/32".parse().expect("a network")],
            admin_key: Some(Masked::new(KEY)),
            ..Config::default()
        };
        config.clicks.ring_dir = Some(self.home.path().join("rings"));
        let running = start_in(config, self.world.clone()).expect("it starts");
        let public = Connection::open(running.public).expect("followers come in");
        let api = Api::new(running.admin, KEY);
        self.server = Some(Server { running, public, api });
    }

    fn close(&mut self) {
        if let Some(Server { running, public, api }) = self.server.take() {
            drop((public, api));
            running.stop();
        }
    }

    fn server(&mut self) -> &mut Server {
        self.server.as_mut().expect("a running server")
    }

    fn api(&mut self) -> &mut Api {
        &mut self.server().api
    }

    fn set_up(&mut self) {
        for name in ["North", "South"] {
            let store = json!({"name": name, "provider": "shopify", "baseUrl": "https://shop.example",
                "currency": "EUR", "webhookSecrets": [SECRET]});
            let id = text(&self.api().post("/stores", &store)["id"]);
            self.stores.push(id);
        }
        for creator in 0..4 {
            // The last one has no niche.
            self.enlist(creator, (creator < 3).then_some(creator as u8), 10 * creator as i64);
        }
        for creator in 0..2 {
            let code = json!({"code": format!("CODE{creator}"), "partnerId": self.naive.creators[creator].id});
            self.api().post("/discount-codes", &code);
        }
        // What tests/oracle plays is left out here: leaks, customers' pasts and windows.
        let program = json!({"attributionWindowDays": 365, "evidenceOrder": ["creator_code", "click"],
            "leakSignals": []});
        self.api().call("PATCH", "/program", Some(&program));
        self.create(None, None, false);
        self.create(Some(0), None, false);
        self.create(Some(1), Some(4), true);
    }

    fn play(&mut self, steps: &[Step]) {
        for step in steps {
            self.step(step);
        }
        self.compare();
        self.use_up();
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Wait(ms) => {
                self.clock.advance(ms);
                self.naive.now += ms;
            }
            Step::Follow { follower, link, how } => {
                let link = usize::from(link) % self.naive.links.len();
                self.follow(usize::from(follower) % FOLLOWERS.len(), link, how);
            }
            Step::Create {
                creator,
                uses_max,
                is_cart,
            } => self.create(
                creator.map(usize::from),
                uses_max.map(|max| u64::from(max) + 1),
                is_cart,
            ),
            Step::Change { link, change } => self.change(usize::from(link) % self.naive.links.len(), change),
            Step::Delete { link } => self.delete(usize::from(link) % self.naive.links.len()),
            Step::Enlist { creator, niche, cost } => self.enlist(usize::from(creator), niche, i64::from(cost)),
            Step::Order {
                store,
                order,
                topic,
                status,
                version,
                tells_evidence,
                is_test,
                traits,
            } => {
                let at = (usize::from(store), 1_000 + 3 * u64::from(order));
                self.know(at, traits);
                self.tell(
                    at,
                    topic,
                    usize::from(status),
                    usize::from(version),
                    tells_evidence,
                    is_test,
                );
            }
            Step::Refund {
                store,
                refund,
                order,
                amount,
                is_number,
            } => {
                let (store, order) = (usize::from(store), 1_000 + 3 * u64::from(order));
                self.refund(store, u64::from(refund), order, i64::from(amount), is_number);
            }
            Step::Again { delivery, is_new_id } => {
                let Some(mut again) = self.earlier(delivery) else {
                    return;
                };
                if is_new_id {
                    again.id = self.delivery_id();
                }
                assert_eq!(self.send(&again, SECRET), 200, "{again:?}");
            }
            Step::Forged { delivery } => {
                let Some(mut forged) = self.earlier(delivery) else {
                    return;
                };
                forged.id = self.delivery_id();
                forged.body["subtotal_price"] = json!("777.00");
                assert_eq!(self.send(&forged, "not the secret"), 401, "{forged:?}");
            }
            Step::Restart => {
                self.close();
                self.naive.restart();
                self.open();
            }
        }
    }

    // Links and creators.

    fn enlist(&mut self, creator: usize, niche: Option<u8>, cost: i64) {
        let niche = niche.map(|niche| NICHES[usize::from(niche)].to_owned());
        let body = json!({"name": format!("Creator {creator}"), "email": format!("c{creator}@creators.example"),
            "niche": niche, "cost": cost});
        let id = text(&self.api().post("/partners", &body)["id"]);
        let enlisted = Creator { id, niche, cost };
        match self.naive.creators.get_mut(creator) {
            Some(known) => *known = enlisted,
            None => self.naive.creators.push(enlisted),
        }
    }

    fn create(&mut self, creator: Option<usize>, uses_max: Option<u64>, is_cart: bool) {
        // The key of a link that is gone is free again.
        let is_taken = |key: &String| {
            let mut links = self.naive.links.iter().zip(&self.keys);
            links.any(|(link, known)| link.is_alive && known == key)
        };
        let key = (0..).map(|number| format!("k{number}")).find(|key| !is_taken(key));
        let key = key.expect("numbers do not end");
        let mut body = json!({"key": key, "maxClicks": uses_max,
            "partnerId": creator.map(|creator| self.naive.creators[creator].id.clone())});
        if is_cart {
            body["cart"] = json!({"storeId": self.stores[0], "items": [{"variantId": "44017", "quantity": 2}]});
        } else {
            body["url"] = json!("https://shop.example/products/mug?color=red");
        }
        let id = text(&self.api().post("/links", &body)["id"]);
        self.keys.push(key);
        self.naive.links.push(Link {
            id,
            is_alive: true,
            creator,
            is_cart,
            uses_max,
            ..Link::default()
        });
    }

    fn change(&mut self, link: usize, change: Change) {
        let known = &mut self.naive.links[link];
        if !known.is_alive {
            return;
        }
        let body = match change {
            Change::Creator(creator) => {
                known.creator = creator.map(usize::from);
                json!({"partnerId": known.creator.map(|creator| self.naive.creators[creator].id.clone())})
            }
            Change::UsesMax(max) => {
                known.uses_max = max.map(|max| u64::from(max) + 1);
                json!({"maxClicks": known.uses_max})
            }
            Change::Disabled(is_disabled) => {
                known.is_disabled = is_disabled;
                json!({"disabled": is_disabled})
            }
        };
        let target = format!("/links/{}", known.id);
        self.api().call("PATCH", &target, Some(&body));
    }

    fn delete(&mut self, link: usize) {
        if !self.naive.links[link].is_alive {
            return;
        }
        self.naive.links[link].is_alive = false;
        let target = format!("/links/{}", self.naive.links[link].id);
        self.api().call("DELETE", &target, None);
    }

    // Followers.

    fn follow(&mut self, follower: usize, link: usize, how: How) {
        let (address, agent, keeps_cookies) = FOLLOWERS[follower];
        let key = self.keys[link].clone();
        // A key leads to whatever link has it now.
        let alive = (0..self.keys.len()).find(|other| self.keys[*other] == key && self.naive.links[*other].is_alive);
        let jar = self.jars[follower].clone();
        let tap = Tap {
            link: alive.unwrap_or(link),
            identity: (address, agent),
            cookie: jar.visitor,
            is_bot: agent >= 2,
            is_head: how == How::Head,
            is_prefetch: how == How::Prefetch,
            is_test: how == How::Test,
            is_private: how == How::Private,
        };
        let expected = self.naive.tap(tap);
        let address = format!("192.0.2.{address}");
        let mut headers = vec![
            ("user-agent", AGENTS[usize::from(agent)]),
            ("x-forwarded-for", &address),
        ];
        if jar.visitor.is_some() {
            headers.push(("cookie", &jar.text));
        }
        headers.extend(match how {
            How::Tap | How::Head => None,
            How::Prefetch => Some(("sec-purpose", "prefetch;prerender")),
            How::Test => Some(("x-hopcart-test", KEY)),
            How::Private => Some(("sec-gpc", "1")),
        });
        let method = if how == How::Head { "HEAD" } else { "GET" };
        let answer = self
            .server()
            .public
            .ask(method, &format!("/{key}"), &headers, None)
            .expect("an answer");
        let click_id = answer.hop_id();
        assert_eq!(
            (answer.status, click_id.is_some()),
            (expected.status, expected.has_click_id),
            "{tap:?}"
        );
        self.click_ids.extend(click_id.map(|id| (id, tap.link)));
        let set = answer.header("set-cookie");
        let is_removed = set.is_some_and(|set| set.contains("Max-Age=0"));
        let next = match expected.cookie {
            Cookie::Untouched => {
                assert_eq!(set, None, "{tap:?}");
                jar
            }
            Cookie::Removed => {
                assert!(is_removed, "{tap:?}: {set:?}");
                Jar::default()
            }
            Cookie::Names(visitor) => {
                assert!(set.is_some() && !is_removed, "{tap:?}: {set:?}");
                let text = set.unwrap_or_default().split(';').next().unwrap_or_default().to_owned();
                Jar {
                    text,
                    visitor: Some(visitor),
                }
            }
        };
        if keeps_cookies {
            self.jars[follower] = next;
        }
    }

    /// Takes what is left of every limit: not one use more, not one less.
    fn use_up(&mut self) {
        for link in 0..self.naive.links.len() {
            let known = &self.naive.links[link];
            let Some(max) = known.uses_max.filter(|_| known.is_alive) else {
                continue;
            };
            for _ in 0..=max.saturating_sub(known.uses) {
                self.follow(6, link, How::Tap);
            }
        }
    }

    // Orders.

    fn know(&mut self, at: (usize, u64), traits: Traits) {
        if self.orders.contains_key(&at) {
            return;
        }
        let click = traits.click.filter(|_| !self.click_ids.is_empty()).map(|click| {
            let place = usize::from(click) % (self.click_ids.len() + 1);
            match self.click_ids.get(place) {
                Some((id, link)) => (id.clone(), Some(*link)),
                None => (forge(&self.click_ids[0].0), None),
            }
        });
        let known = Known {
            traits,
            at: self.naive.now,
            click,
        };
        self.orders.insert(at, known);
    }

    fn tell(
        &mut self,
        (store, order): (usize, u64),
        topic: Topic,
        status: usize,
        version: usize,
        tells_evidence: bool,
        is_test: bool,
    ) {
        let known = &self.orders[&(store, order)];
        let traits = known.traits;
        let ordered_at = known.at - i64::from(traits.hours_ago) * 3_600_000;
        let created_at = ordered_at + if traits.has_processed_at { 5_400_000 } else { 0 };
        let updated_at = known.at + 60_000 * version as i64;
        let (topic, is_paid, is_cancelled) = match topic {
            Topic::Create => ("orders/create", status >= 2, false),
            Topic::Paid => ("orders/paid", true, false),
            Topic::Updated => ("orders/updated", status >= 2, false),
            Topic::Cancelled => ("orders/cancelled", status >= 2, true),
        };
        let (codes, code_of): (&[&str], _) = match traits.codes {
            0 => (&["CODE0"], Some(0)),
            1 => (&["SUMMER", "code1"], Some(1)),
            2 => (&["CODE1", "CODE0"], Some(1)),
            3 => (&["SUMMER"], None),
            _ => (&[], None),
        };
        let mut body = json!({
            "id": order, "name": format!("#{order}"), "financial_status": STATUSES[status],
            "created_at": instant(created_at), "updated_at": instant(updated_at),
            "currency": if traits.is_foreign { "USD" } else { "EUR" },
            "subtotal_price": money(REVENUES[version]), "total_discounts": "1.00", "line_items": [],
            "test": traits.is_test || is_test,
        });
        if traits.has_processed_at {
            body["processed_at"] = json!(instant(ordered_at));
        }
        if tells_evidence {
            body["discount_codes"] = codes.iter().map(|code| json!({"code": code})).collect();
            body["customer"] = json!(traits.customer.map(|customer| json!({"id": 100 + u64::from(customer)})));
            match &known.click {
                Some((id, _)) if order % 2 == 0 => {
                    body["note_attributes"] =
                        json!([{"name": "gift", "value": "yes"}, {"name": "hop_id", "value": id}]);
                }
                Some((id, _)) => body["landing_site"] = json!(format!("/products/mug?color=red&hop_id={id}")),
                None => {}
            }
        }
        let clicked = known.click.as_ref().and_then(|(_, link)| *link);
        let telling = Telling {
            updated_at,
            ordered_at,
            revenue: REVENUES[version],
            is_paid,
            is_cancelled,
            is_test: traits.is_test || is_test,
            is_store_currency: !traits.is_foreign,
            customer: traits.customer.filter(|_| tells_evidence),
            code_of: code_of.filter(|_| tells_evidence),
            clicked: clicked.filter(|_| tells_evidence),
        };
        self.naive.tell(store, order, telling);
        self.deliver(store, topic, body);
    }

    fn refund(&mut self, store: usize, refund: u64, order: u64, amount: i64, is_number: bool) {
        // Two lines, one of them told as a number: shops do both.
        let (first, second) = (amount / 3, amount - amount / 3);
        let second = match is_number {
            true => json!(second as f64 / 100.0),
            false => json!(money(second)),
        };
        let body = json!({
            "id": refund, "order_id": order, "created_at": instant(self.naive.now),
            "refund_line_items": [
                {"line_item_id": 1, "quantity": 1, "subtotal": money(first)},
                {"line_item_id": 2, "quantity": 1, "subtotal": second},
            ],
        });
        self.naive.refund(store, refund, order, amount);
        self.deliver(store, "refunds/create", body);
    }

    fn deliver(&mut self, store: usize, topic: &'static str, body: Value) {
        let delivery = Delivery {
            store_id: self.stores[store].clone(),
            topic,
            id: self.delivery_id(),
            body,
        };
        assert_eq!(self.send(&delivery, SECRET), 200, "{delivery:?}");
        self.sent.push(delivery);
    }

    fn delivery_id(&mut self) -> String {
        self.deliveries += 1;
        format!("delivery-{}", self.deliveries)
    }

    fn earlier(&self, delivery: u8) -> Option<Delivery> {
        let place = usize::from(delivery).checked_rem(self.sent.len())?;
        self.sent.get(place).cloned()
    }

    fn send(&mut self, delivery: &Delivery, secret: &str) -> u16 {
        delivery.send(&mut self.server().public, secret).expect("an answer")
    }

    // Numbers.

    fn compare(&mut self) {
        let made = self.naive.clicks.len() as u64;
        eventually("every click is in the log", || {
            let found = self.clicks("interval=all&include=repeats,bots,prefetch,head,test");
            (found >= made).then_some(())
        });
        self.compare_events();
        let now = self.naive.now;
        let ragged = (now - 5_400_001, now - 1_000);
        for (period, span) in [
            ("interval=all".to_owned(), (0, now + 1)),
            ("interval=24h".to_owned(), (now - DAY_MS, now + 1)),
            (
                "interval=7d".to_owned(),
                ((now - 7 * DAY_MS).div_euclid(DAY_MS) * DAY_MS, now + 1),
            ),
            (format!("start={}&end={}", instant(ragged.0), instant(ragged.1)), ragged),
        ] {
            self.compare_reports(&period, span);
            self.compare_counts(&period, span);
        }
        for link in 0..self.naive.links.len() {
            self.compare_link(link);
        }
    }

    fn clicks(&mut self, query: &str) -> u64 {
        let found = self.api().get(&format!("/analytics?event=clicks&{query}"));
        found["clicks"].as_u64().unwrap_or_else(|| panic!("{query}: {found}"))
    }

    /// Every click is there once, at its instant and under its flag.
    fn compare_events(&mut self) {
        let events = "/events?event=clicks&interval=all&include=repeats,bots,prefetch,head,test&limit=1000";
        let events = self.api().get(events);
        let class = |event: &Value| {
            let flags = event["click"]["flags"].as_array().expect("flags");
            let order = [
                ("test", Class::Test),
                ("head", Class::Head),
                ("bot", Class::Bot),
                ("prefetch", Class::Prefetch),
                ("repeat", Class::Repeat),
            ];
            let found = order.iter().find(|(word, _)| flags.contains(&json!(word)));
            found.map_or(Class::Human, |(_, class)| *class)
        };
        let events = events.as_array().expect("a list");
        let mut found: Vec<(String, Class)> = events
            .iter()
            .map(|event| (text(&event["timestamp"]), class(event)))
            .collect();
        let made = self.naive.clicks.iter();
        let mut made: Vec<(String, Class)> = made.map(|click| (instant(click.at), click.class)).collect();
        found.sort();
        made.sort();
        assert_eq!(found, made, "clicks found and clicks made");
    }

    fn compare_reports(&mut self, period: &str, span: (i64, i64)) {
        for group in ["creator", "niche"] {
            let rows = self
                .api()
                .get(&format!("/reports/performance?groupBy={group}&{period}"));
            let found: BTreeMap<String, Row> = rows.as_array().expect("rows").iter().map(row).collect();
            let expected = self.naive.report(group == "niche", span);
            let differ = |key: &&String| found.get(*key) != expected.get(*key);
            let keys: BTreeSet<&String> = found.keys().chain(expected.keys()).filter(differ).collect();
            let rows: Vec<_> = keys
                .iter()
                .map(|key| (key, found.get(*key), expected.get(*key)))
                .collect();
            assert!(rows.is_empty(), "{group}, {period}: rows found and expected: {rows:#?}");
        }
    }

    fn compare_counts(&mut self, period: &str, span: (i64, i64)) {
        let classes = [
            ("", Class::Human),
            ("repeats", Class::Repeat),
            ("bots", Class::Bot),
            ("prefetch", Class::Prefetch),
            ("head", Class::Head),
            ("test", Class::Test),
        ];
        for (include, class) in classes {
            let found = self.clicks(&format!("{period}&include={include}"));
            let expected = self.naive.count(&[Class::Human, class], span, |_| true);
            assert_eq!(found, expected, "{include}, {period}: found and expected");
        }
        for creator in 0..self.naive.creators.len() {
            let found = self.clicks(&format!("{period}&partnerId={}", self.naive.creators[creator].id));
            let links = &self.naive.links;
            let is_own = |link: usize| links[link].is_alive && links[link].creator == Some(creator);
            let expected = self.naive.count(&[Class::Human], span, is_own);
            assert_eq!(found, expected, "creator {creator}, {period}: found and expected");
        }
    }

    fn compare_link(&mut self, link: usize) {
        if !self.naive.links[link].is_alive {
            return;
        }
        let id = self.naive.links[link].id.clone();
        let expected = |class| {
            self.naive
                .count(&[Class::Human, class], (0, self.naive.now + 1), |other| other == link)
        };
        let (people, with_repeats) = (expected(Class::Human), expected(Class::Repeat));
        let shown = self.api().get(&format!("/links/{id}"))["clicks"].clone();
        assert_eq!(shown, json!(people), "link {link}: shown and expected");
        let found = self.clicks(&format!("interval=all&include=repeats&linkId={id}"));
        assert_eq!(found, with_repeats, "link {link} with repeats: found and expected");
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.close();
    }
}

fn row(row: &Value) -> (String, Row) {
    let number = |field: &str| row[field].as_i64().unwrap_or_else(|| panic!("{field}: {row}"));
    let found = Row {
        clicks: number("clicks").unsigned_abs(),
        unique_visitors: number("uniqueVisitors").unsigned_abs(),
        orders: number("orders").unsigned_abs(),
        new_customers: number("newCustomers").unsigned_abs(),
        gross: number("grossRevenue"),
        refunds: number("refunds"),
        net: number("netRevenue"),
        spend: number("spend"),
        unconverted: number("unconverted").unsigned_abs(),
    };
    (text(&row["key"]), found)
}

/// A click id with one character changed.
fn forge(click_id: &str) -> String {
    let last = if click_id.ends_with('A') { "B" } else { "A" };
    format!("{}{last}", &click_id[..click_id.len() - 1])
}

fn money(cents: i64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

fn instant(ms: i64) -> String {
    let instant = jiff::Timestamp::from_millisecond(ms).expect("within the calendar");
    format!("{instant:.3}")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

fn variable(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} must be a number")),
        Err(_) => default,
    }
}
