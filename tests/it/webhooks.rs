//! Webhooks out: who is told of what, in which order, what happens when nobody takes it, and where nothing is ever sent.

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, TcpListener};
use std::sync::{Arc, Mutex};

use hopcart::domain::outside::Clock;
use hopcart::domain::time::Timestamp;
use hopcart::net::{LookingUp, Names};
use serde_json::{Value, json};

use crate::http::{self, Request};
use crate::moving::good;
use crate::openapi::Document;
use crate::operation::{Process, home};
use crate::receiver::{Post, Receiver, Reply};
use crate::server::{Api, IPHONE, KEY, SECRET, TestServer, delivery, eventually, id_of};

const ALL: [&str; 6] = [
    "link.created",
    "link.updated",
    "link.deleted",
    "link.clicked",
    "lead.created",
    "sale.created",
];
const HOUR_MS: i64 = 60 * 60 * 1000;

/// A webhook of `api` that is told of `triggers`.
fn webhook(api: &Api<'_>, receiver: &Receiver, triggers: &[&str]) -> Value {
    api.post(
        "/webhooks",
        &json!({ "name": "Till", "url": receiver.url(), "triggers": triggers }),
    )
}

fn link(api: &Api<'_>, key: &str) -> Value {
    api.link(&json!({ "key": key, "url": format!("https://shop.example/{key}") }))
}

/// The webhook as its answer is now.
fn show(server: &TestServer, hook: &Value) -> Value {
    server.api().get(&format!("/webhooks/{}", id_of(hook)))
}

fn deliveries(server: &TestServer, hook: &Value, query: &str) -> Vec<Value> {
    let listed = server
        .api()
        .get(&format!("/webhooks/{}/deliveries?{query}", id_of(hook)));
    listed.as_array().expect("a list").clone()
}

/// Waits until the newest delivery is as `wanted`.
fn newest(server: &TestServer, hook: &Value, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    eventually(what, || {
        deliveries(server, hook, "")
            .into_iter()
            .next()
            .filter(|line| wanted(line))
    })
}

fn keys(posts: &[Post]) -> Vec<String> {
    let key = |post: &Post| post.data()["key"].as_str().expect("a key").to_owned();
    posts.iter().map(key).collect()
}

/// Waits until a metric has this value.
fn await_metric(server: &TestServer, name: &str, expected: f64) {
    eventually(&format!("{name} {expected}"), || {
        let text = http::send(server.running().admin, &Request::get("/metrics")).text();
        let line = text.lines().find(|line| line.starts_with(&format!("{name} ")));
        let value: Option<f64> = line.and_then(|line| line.rsplit(' ').next()?.parse().ok());
        let value = value.unwrap_or_else(|| panic!("no {name}: {text}"));
        ((value - expected).abs() < 0.5).then_some(())
    });
}

#[test]
fn links_are_told_in_their_order_signed_and_to_their_brand_alone() {
    let (server, receiver, strangers) = (TestServer::start(), Receiver::start(), Receiver::start());
    let api = server.api();
    let hook = webhook(&api, &receiver, &ALL);
    let secret = hook["secret"].as_str().expect("a secret, once").to_owned();
    let other = server.other_brand("Moss");
    webhook(&other, &strangers, &ALL);
    assert_eq!(show(&server, &hook)["secret"], Value::Null);
    assert_eq!(api.get("/webhooks")[0]["secret"], Value::Null);

    let made = link(&api, "mia");
    let id = id_of(&made);
    api.patch(&format!("/links/{id}"), &json!({ "title": "Spring" }));
    api.patch(&format!("/links/{id}"), &json!({ "key": "mia2" }));
    assert_eq!(api.call("DELETE", &format!("/links/{id}"), None).status, 200);
    let posts = receiver.wait(4);
    let told: Vec<(String, Value, Value)> = posts
        .iter()
        .map(|post| (post.event(), post.data()["key"].clone(), post.data()["title"].clone()))
        .collect();
    let expected = |event: &str, key: &str, title: Value| (event.to_owned(), json!(key), title);
    assert_eq!(
        told,
        [
            expected("link.created", "mia", Value::Null),
            expected("link.updated", "mia", json!("Spring")),
            expected("link.updated", "mia2", json!("Spring")),
            expected("link.deleted", "mia2", json!("Spring")),
        ]
    );
    let ids: HashSet<String> = posts.iter().map(Post::id).collect();
    assert_eq!(ids.len(), 4);
    for post in &posts {
        assert!(post.id().starts_with("evt_"), "{post:?}");
        assert_eq!(
            (post.path.as_str(), post.header("content-type")),
            ("/hooks", "application/json")
        );
        assert!(
            post.is_signed_with(&secret) && post.is_signed_in_the_dialect_with(&secret),
            "{post:?}"
        );
        assert!(!post.is_signed_with("whsec_AAAA"));
        assert_eq!(post.json()["createdAt"], "2026-11-21T10:30:00.000Z");
        assert_eq!(post.data()["id"], id);
    }
    // What is told of a link is what the API answers.
    let (mut said, mut answered) = (posts[0].data(), made);
    for volatile in ["clicks", "lastClicked"] {
        said[volatile] = Value::Null;
        answered[volatile] = Value::Null;
    }
    assert_eq!(said, answered);
    assert!(strangers.posts().is_empty());
    let log = deliveries(&server, &hook, "state=delivered&event=link.created");
    assert_eq!(
        (log.len(), &log[0]["status"], &log[0]["response"]),
        (1, &json!(200), &json!("noted"))
    );
    await_metric(&server, "hopcart_webhook_delivered_total", 4.0);
    await_metric(&server, "hopcart_webhook_outbox", 0.0);
}

/// Writes of the API that make, change and delete no link, and bring no lead and no sale. What hangs together with many
/// links (a tag, a folder, a domain, a partner) is not told link by link.
const QUIET: [&str; 49] = [
    "DELETE /customers/{id}",
    "DELETE /discount-codes/{id}",
    "DELETE /discount-codes/pools/{id}",
    "DELETE /domains/{slug}",
    "DELETE /folders/{id}",
    "DELETE /keys/{id}",
    "DELETE /partners/{id}/report-links/{link}",
    "DELETE /tags/{id}",
    "DELETE /utm-templates/{id}",
    "DELETE /visitors/{id}",
    "DELETE /waitlist",
    "DELETE /waitlist/{id}",
    "DELETE /webhooks/{id}",
    "PATCH /campaigns/{id}",
    "PATCH /customers/{id}",
    "PATCH /discount-codes/{id}",
    "PATCH /domains/{slug}",
    "PATCH /folders/{id}",
    "PATCH /keys/{id}",
    "PATCH /program",
    "PATCH /settings",
    "PATCH /stores/{id}",
    "PATCH /tags/{id}",
    "PATCH /utm-templates/{id}",
    "PATCH /webhooks/{id}",
    "POST /backups",
    "POST /campaigns",
    "POST /discount-codes",
    "POST /discount-codes/pools",
    "POST /discount-codes/pools/{id}/codes",
    "POST /domains",
    "POST /domains/{slug}/verify",
    "POST /erasures",
    "POST /folders",
    "POST /keys",
    "POST /partners",
    "POST /partners/{id}/report-links",
    "POST /spend",
    "POST /spend/{id}/void",
    "POST /stores",
    "POST /stores/{id}/refresh",
    "POST /tags",
    "POST /utm-templates",
    "POST /webhooks",
    "POST /webhooks/{id}/rotate-secret",
    "POST /workspaces",
    "PUT /products",
    "PUT /products/stock",
    "PUT /rates",
];
/// They tell on request.
const ON_REQUEST: [&str; 2] = [
    "POST /webhooks/{id}/deliveries/{event}/replay",
    "POST /webhooks/{id}/test",
];

/// Walks what writes, and compares what is told with what should be.
struct Walk<'a> {
    server: &'a TestServer,
    receiver: &'a Receiver,
    heard: usize,
    walked: HashSet<&'static str>,
}

impl Walk<'_> {
    /// `act` is `write`, of which these events on these links are told, and no others.
    fn step<T>(&mut self, write: &'static str, told: &[(&str, &str)], act: impl FnOnce(&Api<'_>) -> T) -> T {
        let made = act(&self.server.api());
        let all = self.receiver.wait(self.heard + told.len());
        let key = |post: &Post| {
            let data = post.data();
            let link = if post.event().starts_with("link.") {
                &data
            } else {
                &data["link"]
            };
            link["key"].as_str().expect("a key").to_owned()
        };
        // The order is that of each link.
        let mut found: Vec<_> = all[self.heard..].iter().map(|post| (post.event(), key(post))).collect();
        let mut expected: Vec<_> = told
            .iter()
            .map(|(event, key)| (event.to_string(), key.to_string()))
            .collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{write}");
        self.heard += told.len();
        self.walked.insert(write);
        made
    }

    /// Nothing more is told than was looked at.
    fn end(self, document: &Document) {
        eventually("nothing waits", || {
            let text = http::send(self.server.running().admin, &Request::get("/metrics")).text();
            text.contains("hopcart_webhook_outbox 0.0").then_some(())
        });
        assert_eq!(self.receiver.posts().len(), self.heard);
        for operation in document
            .operations()
            .iter()
            .filter(|operation| operation.method != "get")
        {
            let name = operation.name();
            let is_quiet = QUIET.contains(&name.as_str()) || ON_REQUEST.contains(&name.as_str());
            assert!(
                is_quiet != self.walked.contains(name.as_str()),
                "{name} is new: walk it in the test above, or say that it is quiet"
            );
        }
    }
}

#[test]
fn every_write_tells_what_it_changed_and_nothing_else() {
    let (server, receiver) = (TestServer::start(), Receiver::start());
    let api = server.api();
    let (store, partner) = (api.store(), api.partner("Mia", "ceramics"));
    api.code("MIA10", &partner);
    let codes = api.get("/discount-codes");
    api.patch(
        &format!("/discount-codes/{}", id_of(&codes[0])),
        &json!({ "leaked": true }),
    );
    let campaign = id_of(&api.post("/campaigns", &json!({ "name": "Spring", "partnerIds": [partner] })));
    let told: Vec<&str> = ALL.into_iter().filter(|word| *word != "link.clicked").collect();
    webhook(&api, &receiver, &told);
    let url = "https://shop.example/";
    let mut walk = Walk {
        server: &server,
        receiver: &receiver,
        heard: 0,
        walked: HashSet::new(),
    };

    let a = walk.step("POST /links", &[("link.created", "a")], |api| {
        api.link(&json!({ "key": "a", "url": url, "partnerId": partner, "trackConversion": true }))
    });
    let target = format!("/links/{}", id_of(&a));
    walk.step("PATCH /links/{id}", &[("link.updated", "a")], |api| {
        api.patch(&target, &json!({ "title": "Spring" }))
    });
    walk.step("PUT /links/upsert", &[("link.created", "u")], |api| {
        api.put("/links/upsert", &json!({ "url": "https://shop.example/u", "key": "u" }))
    });
    walk.step("PUT /links/upsert", &[("link.updated", "u")], |api| {
        api.put(
            "/links/upsert",
            &json!({ "url": "https://shop.example/u", "title": "Up" }),
        )
    });
    let three = ["b1", "b2", "b3"];
    let made = walk.step("POST /links/bulk", &three.map(|key| ("link.created", key)), |api| {
        api.post(
            "/links/bulk",
            &json!(three.map(|key| json!({ "key": key, "url": url }))),
        )
    });
    let ids: Vec<String> = made.as_array().expect("links").iter().map(id_of).collect();
    walk.step("PATCH /links/bulk", &three.map(|key| ("link.updated", key)), |api| {
        api.patch("/links/bulk", &json!({ "linkIds": ids, "data": { "title": "All" } }))
    });
    walk.step("DELETE /links/bulk", &[("link.deleted", "b1")], |api| {
        assert_eq!(
            api.call("DELETE", &format!("/links/bulk?linkIds={}", ids[0]), None)
                .status,
            200
        );
    });
    walk.step("DELETE /links/bulk", &[("link.deleted", "b2")], |api| {
        let body = json!({ "linkIds": [ids[1]] });
        assert_eq!(api.call("DELETE", "/links/bulk", Some(&body)).status, 200);
    });
    walk.step("DELETE /links/{id}", &[("link.deleted", "b3")], |api| {
        assert_eq!(api.call("DELETE", &format!("/links/{}", ids[2]), None).status, 200);
    });
    let file = json!([{ "key": "i", "url": url }]);
    for (query, told) in [("?dryRun=true", &[][..]), ("", &[("link.created", "i")]), ("", &[])] {
        walk.step("POST /links/import", told, |api| {
            api.post(&format!("/links/import{query}"), &file)
        });
    }
    walk.step("POST /campaigns/{id}/mint", &[("link.created", "mia-spring")], |api| {
        let order = json!({ "slugPattern": "mia-spring", "template": { "url": url } });
        api.post(&format!("/campaigns/{campaign}/mint"), &order)
    });
    let cli = walk.step("hopcart link create", &[("link.created", "cli")], |_| {
        good(&server, &["link", "create", url, "--slug", "cli", "--json"])
    });
    let cli: Value = serde_json::from_str(&cli).expect("JSON");
    walk.step("hopcart link delete", &[("link.deleted", "cli")], |_| {
        good(&server, &["link", "delete", &id_of(&cli)])
    });
    let files = home();
    let csv = files.path().join("links.csv").display().to_string();
    std::fs::write(&csv, "url,slug\nhttps://shop.example/,f1\nhttps://shop.example/,f2\n").expect("written");
    walk.step(
        "hopcart import",
        &[("link.created", "f1"), ("link.created", "f2")],
        |_| good(&server, &["import", &csv]),
    );

    let followed = server.follow("/a");
    let (_, click) = followed.location().split_once("hop_id=").expect("a click id");
    walk.step("POST /track/click", &[], |api| {
        api.call(
            "POST",
            "/track/click",
            Some(&json!({ "domain": "none.example", "key": "a", "url": url })),
        )
    });
    for told in [&[("lead.created", "a")][..], &[]] {
        walk.step("POST /track/lead", told, |api| {
            let lead = json!({ "clickId": click, "eventName": "Sign up", "customerExternalId": "c1" });
            api.post("/track/lead", &lead)
        });
    }
    for told in [&[("sale.created", "a")][..], &[]] {
        walk.step("POST /track/sale", told, |api| {
            let sale = json!({ "customerExternalId": "c1", "amount": 4900, "currency": "eur", "invoiceId": "i1" });
            api.post("/track/sale", &sale)
        });
    }
    // What a shop tells of: brought by the click; and by a code that is known to have leaked, until somebody rules.
    let order = |number: u64, attributes: Value, codes: Value| {
        let mut order: Value =
            serde_json::from_str(include_str!("../../fixtures/shopify/orders_paid.json")).expect("an order");
        (order["id"], order["customer"]) = (json!(number), json!({ "id": number }));
        (order["note_attributes"], order["discount_codes"]) = (attributes, codes);
        order["processed_at"] = json!("2026-11-21T10:30:01Z");
        let told = delivery(&store, "orders/paid", &format!("d{number}"), &order, SECRET);
        assert_eq!(server.send(&told).status, 200);
    };
    let by_click = json!([{ "name": "hop_id", "value": click }]);
    walk.step("a shop's webhook", &[("sale.created", "a")], |_| {
        order(1, by_click, json!([]))
    });
    walk.step("a shop's webhook", &[], |_| {
        order(2, json!([]), json!([{ "code": "MIA10" }]))
    });
    let held = id_of(&api.get("/orders?credit=held")[0]);
    walk.step("POST /orders/{id}/credit", &[("sale.created", "(none)")], |api| {
        api.post(&format!("/orders/{held}/credit"), &json!({ "decision": "release" }))
    });
    walk.step("POST /orders/import", &[("sale.created", "a")], |api| {
        let csv =
            format!("orderId,orderedAt,revenue,clickId\n77,2026-11-21T10:30:02Z,10.00,{click}\n78,2026-10-01,10.00,\n");
        let request = Request::new("POST", &format!("/orders/import?storeId={store}"))
            .header("Authorization", &format!("Bearer {KEY}"))
            .header("Content-Type", "text/csv")
            .body(csv);
        let answer = http::send(server.running().admin, &request);
        assert_eq!(
            (answer.status, answer.json()["failed"].clone()),
            (200, json!(0)),
            "{}",
            answer.text()
        );
        drop(api.get("/orders"));
    });
    api.products(&store, &[("MUG", "44017", Some(5))]);
    api.post("/domains", &json!({ "slug": "buy.moss.example", "storeId": store }));
    walk.step(
        "a cart that nobody linked to before",
        &[("link.created", "~carts")],
        |_| {
            let cart = Request::get("/buy/44017:1").header("Host", "buy.moss.example");
            assert_eq!(server.send(&cart.header("User-Agent", IPHONE)).status, 303);
        },
    );
    let own = json!({ "partnerId": partner, "url": "https://shop.example/own", "key": "own" });
    walk.step("POST /partners/links", &[("link.created", "own")], |api| {
        assert_eq!(api.call("POST", "/partners/links", Some(&own)).status, 201);
    });
    let changed = json!({ "partnerId": partner, "url": "https://shop.example/own", "comments": "kept" });
    walk.step("PUT /partners/links/upsert", &[("link.updated", "own")], |api| {
        api.put("/partners/links/upsert", &changed)
    });
    // Off and on again, each link.
    let all = ["a", "mia-spring", "own"].map(|key| ("link.updated", key));
    let whom = json!({ "partnerId": partner, "reason": "spam" });
    walk.step("POST /partners/ban", &all, |api| api.post("/partners/ban", &whom));
    walk.step("POST /partners/ban", &[], |api| api.post("/partners/ban", &whom));
    let whom = json!({ "partnerId": partner });
    for write in ["POST /partners/reactivate", "POST /partners/deactivate"] {
        walk.step(write, &all, |api| api.post(&write["POST ".len()..], &whom));
    }
    walk.end(&Document::of(&server));
}

#[test]
fn what_was_committed_before_a_crash_is_told_after_it_under_its_id() {
    let (home, receiver) = (home(), Receiver::start());
    let variables = [("HOPCART_ADMIN_KEY", KEY), ("HOPCART_WEBHOOKS_ALLOW_LOCAL", "true")];
    let mut server = Process::start(&home, &[], &variables);
    let hook = json!({ "name": "Till", "url": receiver.url(), "triggers": ["link.created", "link.clicked"] });
    assert_eq!(server.call("POST", "/webhooks", KEY, Some(&hook)).status, 201);
    receiver.reply("\"held\"", Reply::Hold);
    server.link("held");
    let held = receiver.wait(1).remove(0);
    let committed: Vec<String> = (0..100).map(|n| format!("k{n}")).collect();
    let many: Vec<Value> = committed
        .iter()
        .map(|key| json!({ "key": key, "url": "https://shop.example/" }))
        .collect();
    // Killed between the answer and the last delivery: it was committed, and told in part at most.
    assert_eq!(server.call("POST", "/links/bulk", KEY, Some(&json!(many))).status, 200);
    server.kill();
    receiver.release();
    let server = Process::start(&home, &[], &variables);
    let posts = eventually("everything", || {
        let posts = receiver.posts();
        let told: HashSet<String> = keys(&posts).into_iter().collect();
        let is_whole = committed.iter().all(|key| told.contains(key));
        (is_whole && posts.iter().filter(|post| post.id() == held.id()).count() == 2).then_some(posts)
    });
    let of_held: Vec<&Post> = posts.iter().filter(|post| post.data()["key"] == "held").collect();
    assert!(
        of_held
            .iter()
            .all(|post| (post.id(), &post.text) == (held.id(), &held.text)),
        "{of_held:?}"
    );
    let events: HashSet<(String, String)> = keys(&posts).into_iter().zip(posts.iter().map(Post::id)).collect();
    assert_eq!(events.len(), 101, "one id for each link, however often it was sent");
    assert!(server.log().contains("links loaded"));
}

#[test]
fn what_was_not_done_is_not_told_and_bulk_is_told_whole() {
    let (server, receiver) = (TestServer::start(), Receiver::start());
    let api = server.api();
    link(&api, "taken");
    webhook(&api, &receiver, &["link.created", "link.deleted"]);
    let body = json!({ "key": "taken", "url": "https://shop.example/" });
    assert_eq!(api.call("POST", "/links", Some(&body)).status, 409);
    let mut many: Vec<Value> = (0..250)
        .map(|n| json!({ "key": format!("bulk{n}"), "url": "https://shop.example/" }))
        .collect();
    many[100] = body;
    let made = api.post("/links/bulk", &json!(many));
    let ids: Vec<String> = made
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|link| Some(link["id"].as_str()?.to_owned()))
        .collect();
    assert_eq!(ids.len(), 249);
    let told = receiver.wait(249);
    let distinct: HashSet<String> = keys(&told).into_iter().collect();
    assert_eq!(distinct.len(), 249);
    assert!(!distinct.contains("taken"));
    let upserted = api.put(
        "/links/upsert",
        &json!({ "url": "https://shop.example/new", "key": "upserted" }),
    );
    assert_eq!(keys(&receiver.wait(250)[249..]), ["upserted"]);
    let query = format!("/links/bulk?linkIds={},{}", ids[0], id_of(&upserted));
    assert_eq!(api.call("DELETE", &query, None).status, 200);
    assert_eq!(receiver.wait_for("link.deleted", 2).len(), 2);
    assert_eq!(receiver.posts().len(), 252, "and nothing else");
}

#[test]
fn clicks_of_people_are_told_together_once_and_after_a_restart() {
    let (mut server, receiver, narrow) = (TestServer::start(), Receiver::start(), Receiver::start());
    let api = server.api();
    let (mia, ben) = (link(&api, "mia"), link(&api, "ben"));
    server.follow("/mia");
    // Before anybody asked.
    eventually("the click", || (api.clicks("") == 1).then_some(()));
    let hook = webhook(&api, &receiver, &["link.clicked"]);
    let body = json!({ "name": "Ben's", "url": narrow.url(), "triggers": ["link.clicked"], "linkIds": [id_of(&ben)],
        "clicksPerEvent": 1 });
    let of_ben = api.post("/webhooks", &body);
    assert_eq!(of_ben["linkIds"], json!([id_of(&ben)]));
    assert_eq!(
        api.get(&format!("/links/{}", id_of(&ben)))["webhookIds"],
        json!([id_of(&of_ben)])
    );
    for round in 0..4 {
        for (key, count) in [("mia", 3), ("ben", 2)] {
            for _ in 0..count {
                server.clock.advance(60_000);
                let followed = server.send(&Request::get(&format!("/{key}?r={round}")).header("User-Agent", IPHONE));
                assert_eq!(followed.status, 302);
            }
        }
        server.send(&Request::get("/mia").header("User-Agent", "Googlebot/2.1"));
        if round == 1 {
            server.restart();
        }
    }
    let clicks = |posts: &[Post], key: &str| -> Vec<Value> {
        let of_key = posts.iter().filter(|post| post.data()["link"]["key"] == key);
        let told = of_key.flat_map(|post| {
            let data = post.data();
            let clicks = data["clicks"].as_array().expect("clicks").clone();
            assert_eq!(data["click"], clicks[0]);
            let instants: Vec<&str> = clicks
                .iter()
                .map(|click| click["timestamp"].as_str().expect("an instant"))
                .collect();
            assert!(instants.is_sorted(), "{instants:?}");
            clicks
        });
        told.collect()
    };
    let mine = eventually("every click", || {
        let posts = receiver.posts();
        (clicks(&posts, "ben").len() >= 8 && clicks(&posts, "mia").len() >= 12).then_some(posts)
    });
    for key in ["mia", "ben"] {
        let told = clicks(&mine, key);
        let ids: HashSet<&str> = told.iter().map(|click| click["id"].as_str().expect("an id")).collect();
        assert_eq!(told.len(), ids.len(), "{key} once");
    }
    assert_eq!(clicks(&mine, "ben").len(), 8);
    // Those before the webhook, and programs, are not told.
    let counted = server.api().clicks("") as usize;
    assert_eq!(clicks(&mine, "mia").len() + 8, counted - 1);
    let single = narrow.wait(8);
    assert_eq!(
        (single.len(), clicks(&single, "mia").len(), clicks(&single, "ben").len()),
        (8, 0, 8)
    );
    let of_mia = mine.iter().find(|post| post.data()["link"]["key"] == "mia");
    let of_mia = of_mia.expect("Mia's").data();
    let first = &of_mia["click"];
    assert_eq!(
        (&first["device"], &first["ip"], &first["trigger"]),
        (&json!("Mobile"), &json!(""), &json!("link"))
    );
    assert_eq!(of_mia["link"]["id"], id_of(&mia));
    assert_eq!(show(&server, &hook)["untold"], 0);
}

#[test]
fn leads_and_sales_are_told_once_with_what_brought_them() {
    let (server, receiver) = (TestServer::start(), Receiver::start());
    let api = server.api();
    let partner = api.partner("Mia", "ceramics");
    let made = api.link(&json!({ "key": "mia", "url": "https://shop.example/", "partnerId": partner }));
    webhook(&api, &receiver, &["lead.created", "sale.created"]);
    // The order is a day old, and nobody followed Mia then.
    api.patch("/program", &json!({ "leakSignals": [] }));
    let followed = server.follow("/mia");
    let (_, click) = followed.location().split_once("hop_id=").expect("a click id");
    let lead = json!({ "clickId": click, "eventName": "Sign up", "customerExternalId": "c1", "customerName": "Zoë" });
    let sale = json!({ "customerExternalId": "c1", "amount": 4900, "currency": "eur", "invoiceId": "inv_1",
        "eventName": "Purchase", "paymentProcessor": "custom" });
    for _ in 0..2 {
        api.post("/track/lead", &lead);
        api.post("/track/sale", &sale);
    }
    // A partner's numbers are those of when the event is written out.
    receiver.wait(2);
    // A shop's own order, told twice, that a creator's code brought.
    let store = api.store();
    api.code("MIA10", &partner);
    let mut order: Value =
        serde_json::from_str(include_str!("../../fixtures/shopify/orders_paid.json")).expect("an order");
    order["discount_codes"] = json!([{ "code": "MIA10", "amount": "1.00", "type": "fixed_amount" }]);
    for delivery_id in ["d1", "d2"] {
        let told = server.send(&delivery(&store, "orders/paid", delivery_id, &order, SECRET));
        assert_eq!(told.status, 200, "{}", told.text());
    }
    receiver.wait(3);
    let sales = receiver.wait_for("sale.created", 2);
    let lead = receiver.of("lead.created")[0].data();
    let of_shop = |sale: &&Post| sale.data()["sale"]["paymentProcessor"] == "shopify";
    let (shop, own): (Vec<&Post>, Vec<&Post>) = sales.iter().partition(of_shop);
    assert_eq!(
        (
            &lead["eventName"],
            &lead["customer"]["externalId"],
            &lead["customer"]["name"]
        ),
        (&json!("Sign up"), &json!("c1"), &json!("Zoë"))
    );
    assert_eq!(
        (&lead["click"]["id"], &lead["click"]["device"]),
        (&json!(click), &json!("Mobile"))
    );
    assert_eq!(
        (&lead["link"]["id"], &lead["partner"]["name"]),
        (&made["id"], &json!("Mia"))
    );
    let sale = own[0].data();
    assert_eq!(
        (
            &sale["sale"]["amount"],
            &sale["sale"]["invoiceId"],
            &sale["sale"]["currency"]
        ),
        (&json!(4900), &json!("inv_1"), &json!("eur"))
    );
    assert_eq!(
        (
            &sale["customer"]["externalId"],
            &sale["click"]["id"],
            &sale["partner"]["totalSales"]
        ),
        (&json!("c1"), &json!(click), &json!(1))
    );
    let shop = shop[0].data();
    assert_eq!(
        (
            &shop["sale"]["paymentProcessor"],
            &shop["partner"]["id"],
            &shop["link"]["id"]
        ),
        (&json!("shopify"), &json!(partner), &json!(""))
    );
    // Nothing comes twice, however often it is told.
    link(&api, "later");
    server.send(&delivery(&store, "orders/paid", "d3", &order, SECRET));
    assert_eq!(receiver.posts().len(), 3);
}

#[test]
fn what_fails_is_sent_again_later_under_its_id_and_its_links_events_wait() {
    let (server, receiver) = (TestServer::start(), Receiver::start());
    let api = server.api();
    let hook = webhook(&api, &receiver, &ALL);
    receiver.reply("\"key\":\"mia\"", Reply::Status(503));
    let mia = link(&api, "mia");
    api.patch(&format!("/links/{}", id_of(&mia)), &json!({ "title": "Spring" }));
    let ben = link(&api, "ben");
    // Ben's does not wait for Mia's; Mia's second does.
    let told = receiver.wait(2);
    let told: HashSet<String> = keys(&told).into_iter().collect();
    assert_eq!(told, HashSet::from(["mia".to_owned(), "ben".to_owned()]));
    let waiting = eventually("the failure in the log", || {
        let log = deliveries(&server, &hook, "state=waiting&event=link.created");
        log.into_iter().next().filter(|line| line["attempts"] == 1)
    });
    assert_eq!(
        (&waiting["status"], &waiting["error"]),
        (&json!(503), &json!("the receiver answered 503"))
    );
    server.clock.advance(2_000);
    api.patch(&format!("/links/{}", id_of(&ben)), &json!({ "title": "Autumn" }));
    receiver.wait(3);
    assert_eq!(receiver.of("link.created").len(), 2, "not before its time");
    server.clock.advance(3_001);
    let again = receiver.wait_for("link.created", 3);
    let of_mia: Vec<&Post> = again.iter().filter(|post| post.data()["key"] == "mia").collect();
    let (first, second) = (of_mia[0], of_mia[1]);
    assert_eq!((first.id(), &first.text), (second.id(), &second.text));
    assert_ne!(first.header("webhook-timestamp"), second.header("webhook-timestamp"));
    receiver.reply("\"key\":\"mia\"", Reply::Status(202));
    eventually("the second failure in the log", || {
        let log = deliveries(&server, &hook, "state=waiting&event=link.created");
        log.into_iter().next().filter(|line| line["attempts"] == 2)
    });
    // Nothing else happens meanwhile that would have anybody look.
    eventually("nothing is under way", || {
        let text = http::send(server.running().admin, &Request::get("/metrics")).text();
        text.contains("hopcart_webhook_in_flight 0.0").then_some(())
    });
    server.clock.advance(15_001);
    eventually("Mia's, in order", || {
        let posts = receiver.posts();
        let of_mia = posts.iter().filter(|post| post.data()["key"] == "mia");
        let events: Vec<String> = of_mia.map(Post::event).collect();
        (events == ["link.created", "link.created", "link.created", "link.updated"]).then_some(())
    });
    newest(&server, &hook, "all taken", |_| {
        deliveries(&server, &hook, "state=waiting").is_empty()
    });
    await_metric(&server, "hopcart_webhook_failures_total{reason=\"status\"}", 2.0);
}

#[test]
fn nothing_is_lost_by_a_restart_and_the_same_is_sent_again() {
    let (mut server, receiver) = (TestServer::start(), Receiver::start());
    let hook = webhook(&server.api(), &receiver, &ALL);
    receiver.reply("\"held\"", Reply::Hold);
    link(&server.api(), "held");
    let held = receiver.wait(1);
    // It was sent and not answered: nobody knows whether it was taken.
    for n in 0..20 {
        link(&server.api(), &format!("more{n}"));
    }
    server.restart();
    receiver.release();
    let posts = eventually("everything", || {
        let posts = receiver.posts();
        let distinct: HashSet<String> = keys(&posts).into_iter().collect();
        (distinct.len() == 21 && keys(&posts).iter().filter(|key| *key == "held").count() == 2).then_some(posts)
    });
    let of_held: Vec<&Post> = posts.iter().filter(|post| post.data()["key"] == "held").collect();
    assert_eq!((of_held[0].id(), of_held[1].id()), (held[0].id(), held[0].id()));
    assert_eq!(of_held[0].text, of_held[1].text);
    newest(&server, &hook, "all noted", |_| {
        deliveries(&server, &hook, "state=waiting").is_empty()
    });
    let ids: HashSet<String> = posts.iter().map(Post::id).collect();
    assert_eq!((ids.len(), deliveries(&server, &hook, "pageSize=100").len()), (21, 21));
}

#[test]
fn a_delivery_is_sent_again_on_request() {
    let (server, receiver) = (TestServer::start(), Receiver::start());
    let api = server.api();
    let hook = webhook(&api, &receiver, &ALL);
    link(&api, "mia");
    let first = receiver.wait(1).remove(0);
    let line = newest(&server, &hook, "taken", |line| line["state"] == "delivered");
    assert_eq!((&line["id"], &line["attempts"]), (&json!(first.id()), &json!(1)));
    let target = format!("/webhooks/{}/deliveries/{}", id_of(&hook), first.id());
    assert_eq!(api.get(&target)["body"], first.text);
    let replayed = api.post(&format!("{target}/replay"), &json!({}));
    assert_eq!(replayed["id"], first.id());
    let again = receiver.wait(2).remove(1);
    assert_eq!((again.id(), &again.text), (first.id(), &first.text));
    let other = server.other_brand("Moss");
    for (asker, target) in [
        (&api, format!("/webhooks/{}/deliveries/evt_none/replay", id_of(&hook))),
        (&api, format!("/webhooks/wh_none/deliveries/{}/replay", first.id())),
        (&other, format!("{target}/replay")),
    ] {
        assert_eq!(asker.call("POST", &target, None).status, 404, "{target}");
    }
    assert_eq!(other.call("GET", &target, None).status, 404);
    assert_eq!(other.get("/webhooks"), json!([]));
}

#[test]
fn a_receiver_that_takes_nothing_for_days_is_left_with_a_notice() {
    let (server, receiver) = (TestServer::start(), Receiver::start());
    let api = server.api();
    let hook = webhook(&api, &receiver, &ALL);
    receiver.reply("", Reply::Status(500));
    link(&api, "mia");
    let disabled = loop {
        let shown = eventually("a failure", || {
            Some(show(&server, &hook))
                .filter(|shown| shown["failures"] == receiver.posts().len() && shown["failures"] != 0)
        });
        if shown["disabledAt"] != Value::Null {
            break shown;
        }
        let line = deliveries(&server, &hook, "").remove(0);
        assert_eq!(line["state"], "waiting", "{line}");
        let tries = receiver.posts().len();
        for at in [&shown["nextTryAt"], &line["nextAttemptAt"]] {
            let at = at.as_str().and_then(Timestamp::parse);
            server
                .clock
                .advance(at.map_or(0, |at| at.since(server.clock.now())).max(0));
        }
        receiver.wait(tries + 1);
    };
    let tries = receiver.posts().len();
    assert!((15..60).contains(&tries), "{tries}");
    assert!(
        disabled["notice"]
            .as_str()
            .is_some_and(|text| text.starts_with("Disabled: ")),
        "{disabled}"
    );
    let lasted = disabled["failingSince"].as_str().expect("since when").to_owned();
    assert_eq!(lasted, "2026-11-21T10:30:00.000Z");
    await_metric(&server, "hopcart_webhooks{state=\"given_up\"}", 1.0);
    link(&api, "unheard");
    server.clock.advance(60_000);
    let refused = api.call("POST", &format!("/webhooks/{}/test", id_of(&hook)), Some(&json!({})));
    assert!(refused.refusal(409).contains("enable the webhook first"));
    assert_eq!(receiver.posts().len(), tries);

    receiver.reply("", Reply::Status(200));
    let enabled = api.patch(&format!("/webhooks/{}", id_of(&hook)), &json!({ "disabled": false }));
    assert_eq!(
        (&enabled["disabledAt"], &enabled["notice"], &enabled["failures"]),
        (&Value::Null, &Value::Null, &json!(0))
    );
    link(&api, "ben");
    // Mia's may have been given up with its last try: whoever mends a receiver asks for what has failed.
    let failed = deliveries(&server, &hook, "event=link.created").pop().expect("Mia's");
    let target = format!("/webhooks/{}/deliveries/{}/replay", id_of(&hook), id_of(&failed));
    api.post(&target, &json!({}));
    eventually("what waited, and what is new", || {
        let after: HashSet<String> = keys(&receiver.posts()[tries..]).into_iter().collect();
        (after == HashSet::from(["mia".to_owned(), "ben".to_owned()])).then_some(())
    });
}

#[test]
fn a_receiver_that_wants_no_more_is_left_at_once_and_redirects_are_not_followed() {
    let (server, receiver, elsewhere) = (TestServer::start(), Receiver::start(), Receiver::start());
    let api = server.api();
    let hook = webhook(&api, &receiver, &ALL);
    receiver.reply("\"moved\"", Reply::Redirect(elsewhere.url()));
    receiver.reply("\"gone\"", Reply::Status(410));
    link(&api, "moved");
    let line = newest(&server, &hook, "the redirect", |line| line["attempts"] == 1);
    assert_eq!((&line["status"], &line["state"]), (&json!(302), &json!("waiting")));
    assert!(
        line["error"]
            .as_str()
            .is_some_and(|text| text.contains("redirects are not followed"))
    );
    link(&api, "gone");
    let shown = eventually("a notice", || {
        Some(show(&server, &hook)).filter(|shown| shown["disabledAt"] != Value::Null)
    });
    assert!(
        shown["notice"].as_str().is_some_and(|text| text.contains("410")),
        "{shown}"
    );
    assert!(elsewhere.posts().is_empty());
}

#[test]
fn two_secrets_sign_for_a_day_and_a_brand_may_bring_its_own() {
    let (server, receiver) = (TestServer::start(), Receiver::start());
    let api = server.api();
    let own = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let body = json!({ "name": "Till", "url": receiver.url(), "triggers": ["link.created"], "secret": own });
    let hook = api.post("/webhooks", &body);
    assert_eq!(hook["secret"], own);
    let rotated = api.post(&format!("/webhooks/{}/rotate-secret", id_of(&hook)), &json!({}));
    let new = rotated["secret"].as_str().expect("a secret").to_owned();
    assert_ne!(new, own);
    link(&api, "a");
    let both = receiver.wait(1).remove(0);
    assert!(both.is_signed_with(own) && both.is_signed_with(&new));
    assert!(both.is_signed_in_the_dialect_with(&new));
    server.clock.advance(24 * HOUR_MS);
    link(&api, "b");
    let one = receiver.wait(2).remove(1);
    assert!(!one.is_signed_with(own) && one.is_signed_with(&new));
    let refused = api.call(
        "PATCH",
        &format!("/webhooks/{}", id_of(&hook)),
        Some(&json!({ "secret": own })),
    );
    assert!(refused.refusal(422).contains("rotate-secret"));
}

#[test]
fn test_events_have_the_shape_of_true_ones() {
    let (server, receiver) = (TestServer::start(), Receiver::start());
    let api = server.api();
    let hook = webhook(&api, &receiver, &["sale.created"]);
    let target = format!("/webhooks/{}/test", id_of(&hook));
    let sent = api.post(&target, &json!({}));
    assert_eq!(sent["event"], "sale.created");
    for trigger in ALL {
        api.post(&target, &json!({ "trigger": trigger }));
    }
    let posts = receiver.wait(7);
    let words: HashSet<String> = posts.iter().map(Post::event).collect();
    assert_eq!(words.len(), 6);
    for post in &posts {
        let data = post.data();
        let link = if post.event().starts_with("link.") && post.event() != "link.clicked" {
            &data
        } else {
            &data["link"]
        };
        assert_eq!(
            (&link["id"], &link["webhookIds"]),
            (&json!("link_sample"), &json!([])),
            "{post:?}"
        );
    }
    let refused = api.call("POST", &target, Some(&json!({ "trigger": "link.opened" })));
    assert!(refused.refusal(422).starts_with("trigger: must be one of"));
}

#[test]
fn bad_webhooks_are_refused_by_field() {
    let (server, receiver) = (TestServer::start(), Receiver::start());
    let api = server.api();
    let url = receiver.url();
    let good = json!({ "name": "Till", "url": url, "triggers": ["link.created"] });
    for (field, value, refused) in [
        ("name", json!(""), "name: "),
        ("name", json!("x".repeat(191)), "name: "),
        ("url", json!("ftp://api.example.com/"), "url: must begin with https://"),
        (
            "url",
            json!("https://u:p@api.example.com/"),
            "url: must not contain a user name",
        ),
        ("url", Value::Null, "url: is required"),
        ("triggers", json!([]), "triggers: must hold at least one"),
        (
            "triggers",
            json!(["link.opened"]),
            "triggers: must be some of link.created",
        ),
        ("secret", json!("short"), "secret: must be whsec_"),
        ("linkIds", json!(["link_none"]), "linkIds: holds link_none"),
        (
            "clicksPerEvent",
            json!(0),
            "clicksPerEvent: must be a whole number from 1 to 500",
        ),
        ("clicksPerEvent", json!(501), "clicksPerEvent: "),
        ("colour", json!("red"), "colour: is not a known field"),
    ] {
        let mut body = good.clone();
        body[field] = value;
        let refusal = api.call("POST", "/webhooks", Some(&body)).refusal(422);
        assert!(refusal.starts_with(refused), "{field}: {refusal}");
    }
    let hooks: Vec<Value> = (0..10).map(|_| api.post("/webhooks", &good)).collect();
    assert!(
        api.call("POST", "/webhooks", Some(&good))
            .refusal(409)
            .contains("delete one first")
    );
    let gone = format!("/webhooks/{}", id_of(&hooks[0]));
    assert_eq!(api.call("DELETE", &gone, None).status, 200);
    assert_eq!(api.call("GET", &gone, None).status, 404);
    api.post("/webhooks", &good);
    let strange = json!({ "key": "a", "url": "https://shop.example/", "webhookIds": [id_of(&hooks[0])] });
    let refusal = api.call("POST", "/links", Some(&strange)).refusal(422);
    assert!(refusal.starts_with("webhookIds[0]: "), "{refusal}");
    let named = json!({ "key": "a", "url": "https://shop.example/", "webhookIds": [id_of(&hooks[1])] });
    let made = api.link(&named);
    assert_eq!(made["webhookIds"], json!([id_of(&hooks[1])]));
    let cleared = api.patch(&format!("/links/{}", id_of(&made)), &json!({ "webhookIds": [] }));
    assert_eq!(cleared["webhookIds"], json!([]));
}

/// Names that turn inside once they were looked up so often.
#[derive(Debug)]
struct Rebinding {
    public_times: Mutex<usize>,
}

impl Names for Rebinding {
    fn look_up(&self, host: &str) -> LookingUp {
        let addresses: Vec<IpAddr> = match host {
            "inside.example" => vec![[10, 0, 0, 1].into()],
            "both.example" => vec![[1, 1, 1, 1].into(), [127, 0, 0, 1].into()],
            "rebinding.example" => {
                let mut times = self.public_times.lock().expect("a number");
                let is_public = *times > 0;
                *times = times.saturating_sub(1);
                vec![if is_public {
                    [1, 1, 1, 1].into()
                } else {
                    [127, 0, 0, 1].into()
                }]
            }
            _ => return Box::pin(async { Err(io::ErrorKind::NotFound.into()) }),
        };
        Box::pin(async move { Ok(addresses) })
    }
}

#[test]
fn no_delivery_goes_into_a_private_network() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("it polls");
    let port = listener.local_addr().expect("an address").port();
    let names = Rebinding {
        public_times: Mutex::new(1),
    };
    let server = TestServer::with_names(Arc::new(names), |config| config.webhooks.allow_local = false);
    let api = server.api();
    let body = |url: String| json!({ "name": "Till", "url": url, "triggers": ["link.created"] });
    for host in [
        "127.0.0.1",
        "127.255.255.254",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "100.100.100.200",
        "192.0.0.192",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "[fe80::1]",
        "[fc00::1]",
        "[fd00:ec2::254]",
        "[ff02::1]",
        "[64:ff9b::a00:1]",
        "[2002:7f00:1::]",
        // Other ways to write such addresses.
        "2130706433",
        "0x7f000001",
        "017700000001",
        "127.1",
        "inside.example",
        "both.example",
    ] {
        let refusal = api
            .call("POST", "/webhooks", Some(&body(format!("https://{host}:{port}/"))))
            .refusal(422);
        assert!(
            refusal.starts_with("url: must lead to a public address"),
            "{host}: {refusal}"
        );
    }
    let clear = api.call("POST", "/webhooks", Some(&body("http://rebinding.example/".to_owned())));
    assert!(clear.refusal(422).starts_with("url: must begin with https://"));
    // Public when it is made, inside when it is told.
    let hook = api.post("/webhooks", &body(format!("https://rebinding.example:{port}/")));
    link(&api, "mia");
    let line = newest(&server, &hook, "the refusal", |line| line["attempts"] == 1);
    assert!(
        line["error"].as_str().is_some_and(|text| text.contains("not public")),
        "{line}"
    );
    await_metric(&server, "hopcart_webhook_failures_total{reason=\"not_public\"}", 1.0);
    let refusal = api.call(
        "PATCH",
        &format!("/webhooks/{}", id_of(&hook)),
        Some(&json!({ "url": "https://inside.example/" })),
    );
    assert!(refusal.refusal(422).starts_with("url: "));
    assert_eq!(
        listener.accept().expect_err("nobody came").kind(),
        io::ErrorKind::WouldBlock
    );
}
