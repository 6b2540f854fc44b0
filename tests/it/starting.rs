//! A server that has just been started. At first it listens and has nothing open: followers wait, or are told to come
//! back. Then its table is still empty, and stays so until the test lets it be filled: followers notice nothing, and what
//! changes meanwhile is not undone by what was read before.

use std::net::SocketAddr;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hopcart::app::{Filling, Opening};
use serde_json::{Value, json};

use crate::http::{self, Request};
use crate::operation::metric;
use crate::server::{IPHONE, TestServer, eventually, id_of};

/// Dropped, it has the table be filled.
struct Held(#[expect(dead_code, reason = "it is dropped")] Sender<()>);

/// Restarts `server` with an empty table; at most `reads_max` links are read for themselves at once.
fn restart_held(server: &mut TestServer, reads_max: usize) -> Held {
    let (end, waits): (Sender<()>, Receiver<()>) = mpsc::channel();
    let waits = Mutex::new(waits);
    let hold = move || {
        let waits = waits.lock().unwrap_or_else(PoisonError::into_inner);
        // Ends when the test lets go.
        assert!(waits.recv().is_err(), "nothing is sent");
    };
    server.restart_filling(Filling {
        hold: Arc::new(hold),
        reads_max,
    });
    assert_eq!(loaded(server), 0);
    Held(end)
}

fn metric_of(server: &TestServer, name: &str) -> u64 {
    metric(&server.api().call("GET", "/metrics", None).text(), name)
}

fn loaded(server: &TestServer) -> u64 {
    metric_of(server, "hopcart_table_loaded")
}

fn let_fill(server: &TestServer, held: Held) {
    drop(held);
    eventually("the table is full", || (loaded(server) == 1).then_some(()));
}

/// Status and location.
fn follow(server: &TestServer, target: &str) -> (u16, Option<String>) {
    let answer = server.follow(target);
    (answer.status, answer.header("location").map(str::to_owned))
}

fn to(path: &str) -> (u16, Option<String>) {
    (302, Some(format!("https://shop.example/{path}")))
}

const NOWHERE: (u16, Option<String>) = (404, None);

fn link(server: &TestServer, key: &str, extra: Value) -> String {
    let mut body = json!({ "key": key, "url": format!("https://shop.example/{key}") });
    let fields = body.as_object_mut().expect("an object");
    fields.extend(extra.as_object().expect("an object").clone());
    id_of(&server.api().link(&body))
}

/// Restarts `server`; what `come` does once it listens is done before anything is open, and answered.
fn restart_early<T: Send + 'static>(
    server: &mut TestServer,
    patience: Duration,
    come: impl Fn(SocketAddr) -> T + Send + Sync + 'static,
) -> T {
    let (tell, told) = mpsc::channel();
    let hold = move |address| tell.send(come(address)).expect("the test goes on");
    server.restart_opening(Opening {
        hold: Arc::new(hold),
        patience,
    });
    told.recv().expect("it was held")
}

#[test]
fn who_comes_before_the_stores_are_open_waits() {
    let mut server = TestServer::start();
    link(&server, "a", json!({}));
    let mut waiting = restart_early(&mut server, Duration::from_secs(600), |address| {
        let mut client = http::Client::connect(address);
        client.send_raw(&Request::get("/a").header("User-Agent", IPHONE).bytes());
        client
    });
    let answer = waiting.read_answer(false);
    assert_eq!(
        (answer.status, answer.header("location"), answer.header("connection")),
        (302, Some("https://shop.example/a"), Some("close")),
        "the next connection is answered in front of hyper again"
    );
    assert_eq!(follow(&server, "/a"), to("a"));
    assert_eq!(metric_of(&server, "hopcart_requests_total{outcome=\"unavailable\"}"), 0);
}

#[test]
fn who_comes_long_before_the_stores_are_open_is_told_to_come_back() {
    let mut server = TestServer::start();
    link(&server, "a", json!({}));
    let early = restart_early(&mut server, Duration::ZERO, |address| {
        ["GET", "HEAD", "POST"].map(|method| http::send(address, &Request::new(method, "/a")))
    });
    for answer in &early {
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    }
    assert!(!early[0].body.is_empty() && early[1].body.is_empty());
    assert_eq!(follow(&server, "/a"), to("a"));
    assert_eq!(metric_of(&server, "hopcart_requests_total{outcome=\"unavailable\"}"), 3);
}

#[test]
fn links_are_followed_before_the_table_is_filled() {
    let mut server = TestServer::start();
    link(&server, "a", json!({}));
    link(&server, "Summer-Sale", json!({}));
    link(&server, "locked", json!({ "password": "open sesame" }));
    link(&server, "off", json!({ "expiresAt": "2026-01-01T00:00:00Z" }));
    let held = restart_held(&mut server, 16);
    let ready = |server: &TestServer| server.api().call("GET", "/readyz", None).status;
    assert_eq!(ready(&server), 503);
    for (target, expected) in [
        ("/a", to("a")),
        ("/a", to("a")),
        ("/summer-SALE", to("Summer-Sale")),
        ("/nothing", NOWHERE),
        ("/off", (410, None)),
    ] {
        assert_eq!(follow(&server, target), expected, "{target}");
    }
    let head = server.send(&Request::new("HEAD", "/nothing"));
    assert_eq!((head.status, head.body.len()), (404, 0));
    let mut early = http::Client::connect(server.running().public);
    early.send_raw(&Request::get("/a").header("User-Agent", IPHONE).bytes());
    assert_eq!(
        early.read_answer(false).header("connection"),
        Some("close"),
        "the next connection is answered in front of hyper"
    );
    assert_eq!(server.follow("/locked").status, 200, "asks for the word");
    assert_eq!(server.follow("/a+").status, 200, "the card");
    let word = Request::new("POST", "/locked")
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body("password=open+sesame");
    assert_eq!(server.send(&word).status, 303);
    assert_eq!(metric_of(&server, "hopcart_links"), 4, "those that were asked for");
    let_fill(&server, held);
    assert_eq!(ready(&server), 200);
    assert_eq!(follow(&server, "/a"), to("a"));
    assert_eq!(follow(&server, "/nothing"), NOWHERE);
    let mut late = http::Client::connect(server.running().public);
    late.send_raw(&Request::get("/a").header("User-Agent", IPHONE).bytes());
    assert_eq!(late.read_answer(false).header("connection"), None);
}

#[test]
fn a_word_is_taken_from_whoever_comes_first() {
    let mut server = TestServer::start();
    link(&server, "locked", json!({ "password": "open sesame" }));
    let _held = restart_held(&mut server, 16);
    let word = Request::new("POST", "/locked")
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body("password=open+sesame");
    assert_eq!(server.send(&word).status, 303);
}

#[test]
fn what_changes_while_the_table_fills_stays() {
    let mut server = TestServer::start();
    let keys = [
        "same",
        "changed",
        "renamed",
        "gone",
        "read-and-gone",
        "taken-over",
        "read-and-changed",
    ];
    let ids: Vec<String> = keys.iter().map(|key| link(&server, key, json!({}))).collect();
    let held = restart_held(&mut server, 16);
    let api = server.api();
    for read in ["/read-and-gone", "/read-and-changed"] {
        assert_eq!(server.follow(read).status, 302);
    }
    api.patch(
        &format!("/links/{}", ids[1]),
        &json!({ "url": "https://shop.example/new" }),
    );
    api.patch(
        &format!("/links/{}", ids[6]),
        &json!({ "url": "https://shop.example/newer" }),
    );
    api.patch(&format!("/links/{}", ids[2]), &json!({ "key": "other-name" }));
    for gone in [&ids[3], &ids[4], &ids[5]] {
        assert_eq!(api.call("DELETE", &format!("/links/{gone}"), None).status, 200);
    }
    api.link(&json!({ "key": "taken-over", "url": "https://shop.example/by-another" }));
    link(&server, "made", json!({}));
    let check = || {
        for (target, expected) in [
            ("/same", to("same")),
            ("/changed", to("new")),
            ("/read-and-changed", to("newer")),
            ("/renamed", NOWHERE),
            ("/other-name", to("renamed")),
            ("/gone", NOWHERE),
            ("/read-and-gone", NOWHERE),
            ("/taken-over", to("by-another")),
            ("/made", to("made")),
        ] {
            assert_eq!(follow(&server, target), expected, "{target}");
        }
    };
    check();
    let_fill(&server, held);
    check();
    assert_eq!(metric_of(&server, "hopcart_links"), 6);
}

#[test]
fn a_limit_holds_from_before_the_start_until_after_it() {
    let mut server = TestServer::start();
    link(&server, "few", json!({ "maxClicks": 5 }));
    let tap = |server: &TestServer, n: u8| {
        let address = format!("198.18.7.{n}");
        let request = Request::get("/few").headers(&[("User-Agent", IPHONE), ("X-Forwarded-For", &address)]);
        server.send(&request).status
    };
    assert_eq!([tap(&server, 1), tap(&server, 2)], [302, 302]);
    let held = restart_held(&mut server, 16);
    let third = eventually("the uses so far are known", || {
        Some(tap(&server, 3)).filter(|status| *status != 503)
    });
    assert_eq!([third, tap(&server, 4)], [302, 302]);
    let_fill(&server, held);
    assert_eq!([tap(&server, 5), tap(&server, 6), tap(&server, 7)], [302, 410, 410]);
}

#[test]
fn more_than_can_be_read_at_once_are_told_to_come_back() {
    let mut server = TestServer::start();
    link(&server, "a", json!({}));
    let held = restart_held(&mut server, 0);
    let answer = server.follow("/a");
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    assert_eq!(
        http::send(server.running().public, &Request::new("POST", "/a")).status,
        503
    );
    link(&server, "new", json!({}));
    assert_eq!(follow(&server, "/new"), to("new"), "it is in the table");
    let unavailable = metric_of(&server, "hopcart_requests_total{outcome=\"unavailable\"}");
    assert_eq!(unavailable, 2);
    let_fill(&server, held);
    assert_eq!(follow(&server, "/a"), to("a"));
}

#[test]
fn a_server_stops_while_its_table_fills() {
    let mut server = TestServer::start();
    link(&server, "a", json!({}));
    let held = restart_held(&mut server, 16);
    let stopping = std::thread::spawn(move || drop(held));
    server.restart();
    stopping.join().expect("no panic");
    assert_eq!(follow(&server, "/a"), to("a"));
}
