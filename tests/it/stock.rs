//! Stock decides what a cart holds: fallbacks, policies, snapshots that nobody sees half of, and the template provider.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::http::Request;
use crate::server::{Api, IPHONE, TestServer, id_of};

/// What stands in the path of the cart that `/{key}` leads to now.
fn cart(server: &TestServer, key: &str) -> String {
    let answer = server.follow(&format!("/{key}"));
    assert_eq!(answer.status, 303);
    path_of(answer.location())
}

fn path_of(location: &str) -> String {
    let rest = location.strip_prefix("https://shop.example/cart/").unwrap_or(location);
    rest.split('?').next().expect("a path").to_owned()
}

fn set_stock(api: &Api<'_>, store: &str, items: &Value) -> Value {
    api.put("/products/stock", &json!({ "storeId": store, "items": items }))
}

/// A store with three mugs; the link `/m` puts two of the first into the cart and falls back to the others.
fn mugs(server: &TestServer) -> String {
    let api = server.api();
    let store = api.store();
    api.products(
        &store,
        &[
            ("SAND", "1", Some(5)),
            ("CLAY", "2", Some(5)),
            ("ROCK", "3", None),
            ("BOWL", "4", Some(5)),
        ],
    );
    api.link(&json!({ "key": "m", "cart": { "storeId": store, "items": [
        { "sku": "SAND", "quantity": 2, "fallbacks": ["CLAY", "ROCK"] },
        { "sku": "BOWL" },
    ] } }));
    store
}

#[test]
fn the_next_tap_after_a_change_of_stock_gets_what_is_left() {
    let server = TestServer::start();
    let (api, store) = (server.api(), mugs(&server));
    assert_eq!(cart(&server, "m"), "1:2,4:1");
    for (items, expected) in [
        (json!([{ "sku": "SAND", "stock": 0 }]), "2:2,4:1"),
        (json!([{ "sku": "CLAY", "stock": 1 }]), "3:2,4:1"),
        (json!([{ "sku": "SAND", "stock": 2 }]), "1:2,4:1"),
        (json!([{ "sku": "SAND", "delta": -1 }]), "3:2,4:1"),
        (json!([{ "sku": "ROCK", "stock": 0 }]), "4:1"),
        (
            json!([{ "sku": "SAND", "delta": 1 }, { "sku": "BOWL", "stock": 0 }]),
            "1:2",
        ),
        (json!([{ "sku": "SAND", "stock": null }]), "1:2"),
        (
            json!([{ "sku": "SAND", "stock": -3 }, { "sku": "CLAY", "stock": 9 }]),
            "2:2",
        ),
    ] {
        set_stock(&api, &store, &items);
        assert_eq!(cart(&server, "m"), expected, "after {items}");
    }
    set_stock(&api, &store, &json!([{ "sku": "CLAY", "stock": 0 }]));
    assert_eq!(
        server.follow("/m").location().split('?').next(),
        Some("https://shop.example/"),
        "nothing is left"
    );
}

#[test]
fn products_can_be_replaced_and_sold_beyond_their_stock() {
    let server = TestServer::start();
    let (api, store) = (server.api(), mugs(&server));
    let product = json!({ "sku": "SAND", "variantId": 77, "title": "Sand mug", "stock": 0, "policy": "continue" });
    let answer = api.put("/products", &json!({ "storeId": store, "products": [product] }));
    assert_eq!(
        (answer["upserted"].as_u64(), answer["failed"].as_u64()),
        (Some(1), Some(0))
    );
    assert_eq!(cart(&server, "m"), "77:2,4:1");
}

#[test]
fn news_that_is_older_than_what_is_known_changes_nothing() {
    let server = TestServer::start();
    let (api, store) = (server.api(), mugs(&server));
    server.clock.advance(60_000);
    for (item, changed) in [
        (
            json!({ "sku": "SAND", "stock": 0, "updatedAt": "2026-11-21T10:29:00Z" }),
            0,
        ),
        (
            json!({ "sku": "SAND", "stock": 4, "updatedAt": "2026-11-21T10:30:30Z" }),
            1,
        ),
        (
            json!({ "sku": "SAND", "stock": 0, "updatedAt": "2026-11-21T10:30:20Z" }),
            0,
        ),
    ] {
        assert_eq!(set_stock(&api, &store, &json!([item]))["changed"], changed, "{item}");
        assert_eq!(cart(&server, "m"), "1:2,4:1", "{item}");
    }
}

#[test]
fn each_policy_says_what_happens_when_an_item_is_sold_out() {
    let server = TestServer::start();
    let api = server.api();
    let store = api.store();
    api.products(
        &store,
        &[("OUT", "1", Some(0)), ("IN", "2", Some(5)), ("ELSE", "3", Some(5))],
    );
    let elsewhere = "https://shop.example/waiting-list";
    let front = "https://shop.example/";
    // Policy, its URL, items; where the tap leads.
    let both = json!([{ "sku": "OUT", "fallbacks": ["ELSE"] }, { "sku": "IN" }]);
    let out = json!([{ "sku": "OUT" }]);
    let table = [
        (json!(null), &both, "3:1,2:1"),
        (json!({ "onOut": "fallback" }), &both, "3:1,2:1"),
        (json!({ "onOut": "drop" }), &both, "2:1"),
        (json!({ "onOut": "pass" }), &both, "1:1,2:1"),
        (
            json!({ "onOut": "redirect", "redirectUrl": elsewhere }),
            &both,
            elsewhere,
        ),
        (json!({ "onOut": "fallback" }), &out, front),
        (
            json!({ "onOut": "fallback", "redirectUrl": elsewhere }),
            &out,
            elsewhere,
        ),
        (json!({ "onOut": "drop" }), &out, front),
        (json!({ "onOut": "drop", "redirectUrl": elsewhere }), &out, elsewhere),
        (json!({ "onOut": "pass" }), &out, "1:1"),
    ];
    for (place, (policy, items, expected)) in table.into_iter().enumerate() {
        let key = format!("p{place}");
        let link = json!({ "key": key, "cart": { "storeId": store, "items": items }, "stockPolicy": policy });
        api.link(&link);
        let answer = server.follow(&format!("/{key}?utm_source=x&discount=FREE"));
        assert_eq!(answer.status, 303, "{link}");
        assert_eq!(path_of(answer.location()), expected, "{link}");
        assert!(
            answer.location().contains("hop_id") && !answer.location().contains("FREE"),
            "{}",
            answer.location()
        );
    }
    let incomplete = json!({ "cart": { "storeId": store, "items": both }, "stockPolicy": { "onOut": "redirect" } });
    let message = api.call("POST", "/links", Some(&incomplete)).refusal(422);
    assert!(message.starts_with("stockPolicy.redirectUrl:"), "{message}");
}

#[test]
fn pieces_that_an_earlier_line_takes_are_gone_for_a_later_one() {
    let server = TestServer::start();
    let api = server.api();
    let store = api.store();
    api.products(&store, &[("A", "1", Some(3)), ("B", "2", Some(9))]);
    api.link(&json!({ "key": "m", "cart": { "storeId": store, "items": [
        { "sku": "A", "quantity": 2 },
        { "sku": "A", "quantity": 2, "fallbacks": ["B"] },
    ] } }));
    assert_eq!(cart(&server, "m"), "1:2,2:2");
    set_stock(&api, &store, &json!([{ "sku": "A", "stock": 4 }]));
    assert_eq!(cart(&server, "m"), "1:4");
}

#[test]
fn one_call_is_one_snapshot_that_no_follower_sees_half_of() {
    const FLIPS: usize = 200;
    let server = TestServer::start();
    let api = server.api();
    let store = api.store();
    api.products(
        &store,
        &[
            ("A", "1", Some(9)),
            ("B", "2", Some(9)),
            ("A0", "11", None),
            ("B0", "22", None),
        ],
    );
    api.link(&json!({ "key": "m", "cart": { "storeId": store, "items": [
        { "sku": "A", "fallbacks": ["A0"] },
        { "sku": "B", "fallbacks": ["B0"] },
    ] } }));
    let (full, empty) = ("1:1,2:1", "11:1,22:1");
    let is_over = AtomicBool::new(false);
    let seen: Vec<Vec<String>> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = server.client();
                    let request = Request::get("/m").header("User-Agent", IPHONE);
                    let mut seen = Vec::new();
                    while !is_over.load(Ordering::Relaxed) {
                        seen.push(path_of(client.send(&request).location()));
                    }
                    seen
                })
            })
            .collect();
        for flip in 0..FLIPS {
            let stock = if flip % 2 == 0 { 0 } else { 9 };
            set_stock(
                &api,
                &store,
                &json!([{ "sku": "A", "stock": stock }, { "sku": "B", "stock": stock }]),
            );
            let expected = if flip % 2 == 0 { empty } else { full };
            assert_eq!(cart(&server, "m"), expected, "the answer comes after the snapshot");
        }
        is_over.store(true, Ordering::Relaxed);
        clients
            .into_iter()
            .map(|client| client.join().expect("no panic"))
            .collect()
    });
    for seen in seen {
        assert!(
            seen.contains(&full.to_owned()) && seen.contains(&empty.to_owned()),
            "{} taps",
            seen.len()
        );
        let mixed: Vec<&String> = seen.iter().filter(|cart| *cart != full && *cart != empty).collect();
        assert!(mixed.is_empty(), "{mixed:?}");
    }
}

/// A thousand taps on both workers around one change of stock: until it is sent everybody gets the mug, from the moment
/// its answer is here nobody does, and no cart is half of each.
#[test]
fn a_thousand_taps_around_a_change_are_before_it_or_after_it() {
    const TAPS: usize = 1_000;
    const CLIENTS: usize = 4;
    struct Tap {
        began: Instant,
        ended: Instant,
        cart: String,
    }
    let server = TestServer::start();
    mugs(&server);
    let api = server.api();
    let store = api.get("/stores")[0]["id"].as_str().expect("an id").to_owned();
    let sent = AtomicUsize::new(0);
    let (taps, asked, answered) = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = server.client();
                    let request = Request::get("/m").header("User-Agent", IPHONE);
                    let tap = || {
                        sent.fetch_add(1, Ordering::Relaxed);
                        let began = Instant::now();
                        let cart = path_of(client.send(&request).location());
                        let ended = Instant::now();
                        Tap { began, ended, cart }
                    };
                    std::iter::repeat_with(tap).take(TAPS / CLIENTS).collect::<Vec<_>>()
                })
            })
            .collect();
        while sent.load(Ordering::Relaxed) < TAPS / 3 {
            std::hint::spin_loop();
        }
        let asked = Instant::now();
        set_stock(&api, &store, &json!([{ "sku": "SAND", "stock": 0 }]));
        let answered = Instant::now();
        let taps: Vec<Tap> = clients
            .into_iter()
            .flat_map(|client| client.join().expect("no panic"))
            .collect();
        (taps, asked, answered)
    });
    assert_eq!(taps.len(), TAPS);
    let (before, after) = ("1:2,4:1", "2:2,4:1");
    for tap in &taps {
        assert!(tap.cart == before || tap.cart == after, "{}", tap.cart);
        assert!(tap.ended >= asked || tap.cart == before, "changed before it was said");
        assert!(
            tap.began <= answered || tap.cart == after,
            "an answered change was not followed"
        );
    }
    let last_old = taps.iter().filter(|tap| tap.cart == before).map(|tap| tap.began).max();
    let late = last_old.map_or(Duration::ZERO, |last| last.saturating_duration_since(answered));
    println!(
        "{} taps before, {} after; the call took {:?}, the last old cart began {late:?} after its answer",
        taps.iter().filter(|tap| tap.cart == before).count(),
        taps.iter().filter(|tap| tap.cart == after).count(),
        answered - asked,
    );
    assert_eq!(cart(&server, "m"), after);
}

#[test]
fn a_call_that_is_refused_changes_no_stock_at_all() {
    let server = TestServer::start();
    let (api, store) = (server.api(), mugs(&server));
    for (items, field) in [
        (
            json!([{ "sku": "SAND", "stock": 0 }, { "sku": "NONE", "stock": 1 }]),
            "items[1].sku",
        ),
        (json!([{ "sku": "SAND", "stock": 0, "delta": 1 }]), "items[0].stock"),
        (json!([{ "sku": "SAND" }]), "items[0].stock"),
        (
            json!([{ "sku": "SAND", "stock": 0, "updatedAt": "soon" }]),
            "items[0].updatedAt",
        ),
        (json!([{ "sku": "SAND", "stock": "0" }]), "items[0].stock"),
        (json!([{ "sku": "SAND", "stock": 0, "left": 1 }]), "items[0].left"),
    ] {
        let body = json!({ "storeId": store, "items": items });
        let message = api.call("PUT", "/products/stock", Some(&body)).refusal(422);
        assert!(message.starts_with(&format!("{field}:")), "{items}: {message}");
        assert_eq!(cart(&server, "m"), "1:2,4:1", "{items}");
    }
    for (product, field) in [
        (json!({ "sku": "X", "variantId": "abc", "title": "X" }), "variantId"),
        (json!({ "sku": "X", "title": "X" }), "variantId"),
        (json!({ "variantId": 1, "title": "X" }), "sku"),
        (json!({ "sku": "X", "variantId": 1 }), "title"),
        (json!({ "sku": "", "variantId": 1, "title": "X" }), "sku"),
        (json!({ "sku": "x".repeat(256), "variantId": 1, "title": "X" }), "sku"),
        (
            json!({ "sku": "X", "variantId": 1, "title": "X", "price": -1 }),
            "price",
        ),
        (
            json!({ "sku": "X", "variantId": 1, "title": "X", "policy": "maybe" }),
            "policy",
        ),
        (
            json!({ "sku": "X", "variantId": 1, "title": "X", "colour": "red" }),
            "colour",
        ),
    ] {
        let body = json!({ "storeId": store, "products": [product] });
        let message = api.call("PUT", "/products", Some(&body)).refusal(422);
        assert!(
            message.starts_with(&format!("products[0].{field}:")),
            "{product}: {message}"
        );
        assert_eq!(cart(&server, "m"), "1:2,4:1", "{product}");
    }
}

#[test]
fn stock_and_products_outlive_a_restart() {
    let mut server = TestServer::start();
    let store = mugs(&server);
    set_stock(&server.api(), &store, &json!([{ "sku": "SAND", "stock": 0 }]));
    server.restart();
    assert_eq!(cart(&server, "m"), "2:2,4:1");
    let products = server
        .api()
        .get(&format!("/products?storeId={store}&pageSize=2&page=1"));
    assert_eq!(products.as_array().map(Vec::len), Some(2));
}

#[test]
fn a_shop_with_its_own_cart_url_is_served_by_its_template() {
    let server = TestServer::start();
    let api = server.api();
    let template = "https://shop.example/checkout?p={items}&code={codes}&cid={click_id}&next={continue_to}";
    let store = id_of(&api.post(
        "/stores",
        &json!({ "name": "Own", "provider": "template", "baseUrl": template, "currency": "EUR" }),
    ));
    api.products(&store, &[("A/1", "mug/1", Some(0)), ("B", "püt", None)]);
    api.link(
        &json!({ "key": "t", "cart": { "storeId": store, "discountCodes": ["A&B", "C"], "continueTo": "/thanks?x=1",
        "items": [{ "sku": "A/1", "quantity": 3, "fallbacks": ["B"] }] } }),
    );
    let answer = server.follow("/t?utm_source=x&cid=forged&p=9");
    let location = answer.location();
    let (head, tail) = location.split_once("&cid=").expect("a click id");
    assert_eq!(head, "https://shop.example/checkout?p=p%C3%BCt%3A3&code=A%26B%2CC");
    let (id, tail) = tail.split_once('&').expect("more");
    assert!((22..=32).contains(&id.len()), "{location}");
    assert_eq!(tail, "next=%2Fthanks%3Fx%3D1&utm_source=x");
    set_stock(&api, &store, &json!([{ "sku": "B", "stock": 0 }]));
    let front = server.follow("/t");
    assert_eq!(front.location().split('?').next(), Some("https://shop.example/"));
    for (url, why) in [
        ("https://shop.example/cart", "{items}"),
        ("https://{items}.example/", "host"),
        ("https://shop.example/{items}/{other}", "may only contain"),
        ("javascript:alert({items})", "http"),
        ("https://user@shop.example/{items}", "user"),
    ] {
        let body = json!({ "name": "Bad", "provider": "template", "baseUrl": url, "currency": "EUR" });
        let message = api.call("POST", "/stores", Some(&body)).refusal(422);
        assert!(
            message.starts_with("baseUrl:") && message.contains(why),
            "{url}: {message}"
        );
    }
}
