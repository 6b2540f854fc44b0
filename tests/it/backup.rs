//! A backup while followers and a shop are at it, and a server that is made from it: every number is the same.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use hopcart::domain::outside::Clock;
use hopcart::flows::backup::{self, RestoreError};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::Request;
use crate::server::{Api, IPHONE, SECRET, TestServer, delivery, eventually};

const PUBLIC_URL: &str = "http://go.backup.test";

fn started() -> TestServer {
    TestServer::with(|config| config.public_url = Some(PUBLIC_URL.to_owned()))
}

/// Follows `target` from an address of its own; the click id in the cart, if there is one.
fn tap(server: &TestServer, target: &str, n: u32) -> Option<String> {
    let address = format!("198.51.{}.{}", n / 250, n % 250 + 1);
    let request = Request::get(target).headers(&[("User-Agent", IPHONE), ("X-Forwarded-For", &address)]);
    let answer = server.send(&request);
    let (_, id) = answer.header("location")?.split_once("attributes%5Bhop_id%5D=")?;
    id.split('&').next().map(str::to_owned)
}

/// The fixture's order with this id and click id, without a code.
fn order(id: &str, click_id: &str) -> Value {
    let mut order: Value = serde_json::from_str(include_str!("../../fixtures/shopify/orders_paid.json")).expect("JSON");
    order["id"] = json!(id);
    order["discount_codes"] = json!([]);
    order["note_attributes"][1] = json!({ "name": "hop_id", "value": click_id });
    order
}

/// A brand with a cart link of a creator, a plain link and a limited one; the store's id.
fn brand(api: &Api<'_>) -> String {
    let store = api.store();
    api.products(&store, &[("MUG-SAND", "44017", Some(9)), ("POT-SAND", "44018", None)]);
    let mia = api.partner("Mia", "ceramics");
    let cart = json!({ "storeId": store, "items": [{ "sku": "MUG-SAND", "quantity": 1 }] });
    api.link(&json!({ "key": "mia", "partnerId": mia, "cart": cart }));
    api.link(&json!({ "key": "plain", "url": "https://shop.example/a" }));
    api.link(&json!({ "key": "few", "url": "https://shop.example/b", "maxClicks": 7 }));
    store
}

/// Everything that a brand can be told, as the bytes that it is told in.
fn told(server: &TestServer) -> Vec<(String, String)> {
    let api = server.api();
    let mut paths = vec![
        "/links?sortBy=createdAt".to_owned(),
        "/partners".to_owned(),
        "/domains".to_owned(),
        "/stores".to_owned(),
        "/keys".to_owned(),
        "/events?interval=all&event=clicks&limit=1000".to_owned(),
    ];
    for by in [
        "count",
        "timeseries",
        "countries",
        "devices",
        "browsers",
        "top_links",
        "referers",
    ] {
        paths.push(format!("/analytics?interval=all&groupBy={by}"));
        paths.push(format!("/analytics?interval=all&groupBy={by}&include=bots,repeats"));
    }
    for by in ["creator", "niche"] {
        paths.push(format!("/reports/performance?groupBy={by}&interval=all"));
    }
    let answers = paths.into_iter().map(|path| {
        let answer = api.call("GET", &path, None);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        // QR codes are drawn on the admin listener, which takes a free port.
        (
            path,
            answer.text().replace(&server.running().admin.to_string(), "ADMIN"),
        )
    });
    answers.collect()
}

/// Has the server back up to `dir`; what it says of it.
fn back_up(server: &TestServer, dir: &Path) -> Value {
    let answer = server.api().call("POST", "/backups", Some(&json!({ "dir": dir })));
    assert_eq!(answer.status, 202, "{}", answer.text());
    eventually("the backup's end", || {
        let state = server.api().get("/backups");
        (state["status"] != "running").then_some(state)
    })
}

/// A server on what is restored from `dir`, at the same time of day.
fn restored(dir: &Path, like: &TestServer) -> TestServer {
    let home = tempfile::tempdir().expect("a directory");
    backup::restore(dir, &home.path().join("data"), |_, _| ()).expect("restored");
    let now = like.clock.now();
    TestServer::on(home, now, |config| config.public_url = Some(PUBLIC_URL.to_owned()))
}

fn backup_home() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

#[test]
fn a_restored_server_tells_the_same_byte_by_byte() {
    let server = started();
    let store = brand(&server.api());
    for n in 0..60 {
        tap(&server, ["/plain", "/few", "/mia"][n as usize % 3], n);
    }
    let id = tap(&server, "/mia", 999).expect("a click id");
    let paid = delivery(&store, "orders/paid", "d-1", &order("7001", &id), SECRET);
    assert_eq!(server.send(&paid).status, 200);
    eventually("clicks", || (server.api().clicks("") == 48).then_some(()));
    // Some of it in the store, the rest in the journal alone.
    server.clock.advance(6_000);
    for n in 100..130 {
        tap(&server, "/plain", n);
    }
    eventually("clicks", || (server.api().clicks("") == 78).then_some(()));
    let home = backup_home();
    let dir = home.path().join("backup");
    let made = back_up(&server, &dir);
    assert_eq!(made["status"], "done", "{made}");
    let before = told(&server);
    let copy = restored(&dir, &server);
    for ((path, left), (_, right)) in before.iter().zip(told(&copy)) {
        assert_eq!(*left, right, "{path}");
    }
    // The limit is used up there as well, and the same delivery changes nothing.
    assert_eq!(copy.follow("/few").status, 410);
    assert_eq!(copy.send(&paid).status, 200);
    assert_eq!(told(&copy).last(), before.last(), "the report");
    // Nothing changed: the second backup copies the books at most.
    let again = back_up(&server, &dir);
    let copied = again["copiedFiles"].as_u64().expect("a number");
    assert!(copied <= 1, "{again}");
}

#[test]
fn a_backup_under_load_holds_the_click_of_every_order() {
    let server = started();
    let store = brand(&server.api());
    let home = backup_home();
    let dir = home.path().join("backup");
    let is_over = AtomicBool::new(false);
    let taken = thread::scope(|scope| {
        let load = scope.spawn(|| {
            let mut n = 0;
            while !is_over.load(Ordering::Relaxed) {
                n += 1;
                let id = tap(&server, "/mia", n).expect("a click id");
                let body = order(&format!("8{n}"), &id);
                let answer = server.send(&delivery(&store, "orders/paid", &format!("d-{n}"), &body, SECRET));
                assert_eq!(answer.status, 200);
            }
            n
        });
        let made: Vec<Value> = (0..4).map(|_| back_up(&server, &dir)).collect();
        is_over.store(true, Ordering::Relaxed);
        let orders = load.join().expect("the load");
        assert!(made.iter().all(|made| made["status"] == "done"), "{made:?}");
        orders
    });
    let copy = restored(&dir, &server);
    let orders = copy
        .api()
        .report("niche", "ceramics")
        .map_or(0, |row| row["orders"].as_u64().unwrap_or(0));
    let clicks = copy.api().clicks("");
    assert!(orders > 0 && orders <= u64::from(taken), "{orders} of {taken}");
    assert!(clicks >= orders, "{clicks} clicks of {orders} orders");
    let last = server.api().get("/reports/performance?groupBy=niche&interval=all");
    assert_eq!(last[0]["orders"], json!(taken), "the server itself went on");
}

#[test]
fn what_is_no_whole_backup_is_not_restored() {
    let server = started();
    brand(&server.api());
    tap(&server, "/plain", 1);
    let home = backup_home();
    let dir = home.path().join("backup");
    assert_eq!(back_up(&server, &dir)["status"], "done");
    let refusal = |target: &Path| match backup::restore(&dir, target, |_, _| ()) {
        Err(RestoreError::Refused(why)) => why,
        other => panic!("{other:?}"),
    };
    let full = home.path().join("full");
    fs::create_dir_all(full.join("something")).expect("made");
    assert!(refusal(&full).contains("not empty"));
    let target = home.path().join("new");
    let object = fs::read_dir(dir.join("objects"))
        .expect("listed")
        .next()
        .expect("one")
        .expect("listed")
        .path();
    let good = fs::read(&object).expect("read");
    let mut bad = good.clone();
    bad[good.len() / 2] ^= 4;
    fs::write(&object, bad).expect("written");
    assert!(refusal(&target).contains("checksum is wrong"));
    fs::remove_file(&object).expect("removed");
    assert!(refusal(&target).contains(object.file_name().and_then(|name| name.to_str()).expect("a name")));
    fs::write(&object, good).expect("written");
    fs::rename(dir.join("manifest.json"), dir.join("manifest.json.new")).expect("moved");
    assert!(refusal(&target).contains("no complete backup"));
    assert!(!target.exists(), "nothing was written");
}

#[test]
fn backups_are_the_owners() {
    let server = started();
    let body = json!({ "dir": "/tmp/hopcart-never" });
    let other = server.other_brand("other");
    assert_eq!(other.call("POST", "/backups", Some(&body)).status, 403);
    assert_eq!(other.call("GET", "/backups", None).status, 403);
    let relative = server.api().call("POST", "/backups", Some(&json!({ "dir": "here" })));
    assert_eq!(relative.status, 422);
}
