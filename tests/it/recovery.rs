//! A server whose click store is corrupt: links are followed at once, the store is set aside and made anew of journal
//! and backup while they are, and no number is lost.

use std::fs;
use std::path::Path;

use hopcart::config::Config;
use serde_json::json;

use crate::http::Request;
use crate::operation::metric;
use crate::server::{IPHONE, TestServer, eventually};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Follows `/a` from an address of its own.
fn tap(server: &TestServer, n: u32) {
    let address = format!("198.18.{}.{}", n / 250, n % 250 + 1);
    let request = Request::get("/a").headers(&[("User-Agent", IPHONE), ("X-Forwarded-For", &address)]);
    assert_eq!(server.send(&request).status, 302);
}

fn until_counted(server: &TestServer, clicks: u64) {
    eventually("every click counted", || {
        // While the store is being made anew there is no number, rather than a wrong one.
        let answer = server.api().call("GET", "/analytics?interval=all", None);
        if answer.status == 503 {
            return None;
        }
        let found = answer.json()["clicks"].as_u64().expect("a number");
        assert!(found <= clicks, "{}", answer.text());
        (found == clicks).then_some(())
    });
}

/// Has everything that is counted so far go into the store.
fn until_stored(server: &TestServer) {
    let stored = || {
        metric(
            &server.api().call("GET", "/metrics", None).text(),
            "hopcart_click_log_checkpoints_total",
        )
    };
    let before = stored();
    server.clock.advance(10_000);
    eventually("a checkpoint", || (stored() > before).then_some(()));
}

/// Makes sled's file unreadable, from the first byte to the last.
fn corrupt(config: &Config) {
    let path = config.data.join("clicklog/db/db");
    let length = fs::metadata(&path).expect("sled's file").len();
    fs::write(&path, vec![0xa5; length as usize]).expect("written");
}

fn stores_set_aside(data: &Path) -> usize {
    let entries = fs::read_dir(data.join("clicklog")).expect("listed");
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter(|name| name.contains(".quarantine-")).count()
}

#[test]
fn a_corrupt_store_is_made_anew_of_the_journal_while_links_are_followed() {
    let mut server = TestServer::start();
    server
        .api()
        .link(&json!({ "key": "a", "url": "https://shop.example/" }));
    (0..300).for_each(|n| tap(&server, n));
    until_counted(&server, 300);
    until_stored(&server);
    server.restart_after(|config| corrupt(config));
    for n in 300..400 {
        tap(&server, n);
    }
    until_counted(&server, 400);
    assert_eq!(stores_set_aside(server.data()), 1);
    let metrics = server.api().call("GET", "/metrics", None).text();
    assert_eq!(metric(&metrics, "hopcart_click_log_rebuilds_total"), 1);
    // And it stays so.
    server.restart();
    until_counted(&server, 400);
    assert_eq!(stores_set_aside(server.data()), 1);
}

#[test]
fn what_the_journal_no_longer_has_comes_from_the_backup() {
    let mut server = TestServer::start();
    server
        .api()
        .link(&json!({ "key": "a", "url": "https://shop.example/" }));
    (0..40).for_each(|n| tap(&server, n));
    until_counted(&server, 40);
    let home = tempfile::tempdir().expect("a directory");
    let dir = home.path().join("backup");
    let made = server.api().call("POST", "/backups", Some(&json!({ "dir": dir })));
    assert_eq!(made.status, 202, "{}", made.text());
    eventually("the backup", || {
        (server.api().get("/backups")["status"] == "done").then_some(())
    });
    // Another segment; then the first is too old to be kept.
    server.restart();
    tap(&server, 40);
    server.clock.advance(9 * DAY_MS);
    tap(&server, 41);
    until_counted(&server, 42);
    let segments = || {
        fs::read_dir(server.data().join("clicklog/journal"))
            .expect("listed")
            .count()
    };
    eventually("the first segment gone", || (segments() == 1).then_some(()));
    server.restart_after(|config| {
        corrupt(config);
        config.clicks.backup = Some(dir.clone());
    });
    (42..60).for_each(|n| tap(&server, n));
    until_counted(&server, 60);
    assert_eq!(stores_set_aside(server.data()), 1);
}
