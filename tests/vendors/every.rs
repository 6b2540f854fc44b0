//! Every operation of the dialect's official clients that this server serves, called by them, unmodified: what they make
//! of the answers is their own judgement. Prints a table of what was called and passed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::http::Request;
use super::server::{self, IPHONE, TestServer};
use super::{node, python};

/// What the clients have and this server does not serve, in words of the client for TypeScript: a server of one's own sells
/// no domains.
const NOT_SERVED: [&str; 2] = ["domains.checkStatus", "domains.register"];

/// What is passed on by the clients' base classes, and is no operation.
const NO_OPERATIONS: [&str; 2] = ["do_request", "parent_ref"];

/// One client's calls by area: operations, calls, and what failed.
#[derive(Default)]
struct Area {
    operations: BTreeSet<String>,
    calls: usize,
    failures: Vec<String>,
}

/// A name as the client for TypeScript writes it: `create_many` as `createMany`.
fn plain(name: &str) -> String {
    let mut parts = name.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |name, part| {
        let (head, tail) = part.split_at(part.len().min(1));
        name + &head.to_uppercase() + tail
    })
}

fn task(server: &TestServer) -> Value {
    let partner = server.api().partner("Mia", "ceramics");
    server
        .api()
        .link(&json!({ "key": "mia", "url": "https://shop.example/", "partnerId": partner }));
    let followed = server.send(&Request::get("/mia").header("User-Agent", IPHONE));
    let (_, click) = followed.location().split_once("hop_id=").expect("a click id");
    json!({ "url": format!("http://{}", server.running().admin), "key": server::KEY, "clickId": click })
}

/// The areas of one client's calls; also that nothing it has was passed over.
fn areas(client: &str, said: &Value) -> BTreeMap<String, Area> {
    let mut areas: BTreeMap<String, Area> = BTreeMap::new();
    for call in said["calls"].as_array().expect("calls") {
        let text = |name: &str| call[name].as_str().unwrap_or_default();
        let area = areas.entry(plain(text("area"))).or_default();
        area.operations.insert(plain(text("operation")));
        area.calls += 1;
        if let Some(error) = call["error"].as_str() {
            area.failures
                .push(format!("{client} {}.{}: {error}", text("area"), text("operation")));
        }
    }
    let known = said["known"].as_array().expect("names").iter();
    let known: BTreeSet<String> = known.map(|name| plain(name.as_str().expect("a name"))).collect();
    let called = areas.iter().flat_map(|(area, told)| {
        told.operations
            .iter()
            .map(move |operation| format!("{area}.{operation}"))
    });
    let called: BTreeSet<String> = called.collect();
    let left: Vec<&String> = known
        .difference(&called)
        .filter(|name| !NO_OPERATIONS.iter().any(|none| name.ends_with(&plain(none))))
        .collect();
    assert_eq!(left, NOT_SERVED, "{client} has other operations that were not called");
    areas
}

#[test]
fn every_operation_that_is_served_passes_in_both_official_clients() {
    let clients = [
        (
            "npm dub 0.73.5",
            areas("npm", &node::run("every.mjs", &task(&TestServer::start()))),
        ),
        (
            "PyPI dub 0.39.0",
            areas("PyPI", &python::run("every.py", &task(&TestServer::start()))),
        ),
    ];
    println!("{:<16}{:>30}{:>30}", "operations/calls", clients[0].0, clients[1].0);
    let mut failures = Vec::new();
    for area in clients[0].1.keys() {
        let cell = |(_, areas): &(&str, BTreeMap<String, Area>)| {
            let told = &areas[area];
            format!(
                "{}/{}, {} failed",
                told.operations.len(),
                told.calls,
                told.failures.len()
            )
        };
        println!("{area:<16}{:>30}{:>30}", cell(&clients[0]), cell(&clients[1]));
        failures.extend(clients.iter().flat_map(|(_, areas)| areas[area].failures.clone()));
    }
    let total = |areas: &BTreeMap<String, Area>| areas.values().map(|area| area.operations.len()).sum::<usize>();
    println!(
        "{:<16}{:>30}{:>30}",
        "all operations",
        total(&clients[0].1),
        total(&clients[1].1)
    );
    assert!(failures.is_empty(), "{failures:#?}");
    assert!(total(&clients[0].1) >= 41, "operations were passed over");
}
