//! Links by the thousand: bulk calls in every form, upsert, and that webhooks are answered beside a bulk call.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::server::{SECRET, TestServer, delivery, id_of};

const URL: &str = "https://shop.example/";

/// Links in the large call.
const MANY: usize = 10_000;

fn ids(links: &Value) -> Vec<String> {
    links.as_array().expect("an array").iter().map(id_of).collect()
}

#[test]
fn ten_thousand_links_are_made_changed_and_deleted_in_one_call_each() {
    let server = TestServer::start();
    let api = server.api();
    let bodies: Vec<Value> = (0..MANY)
        .map(|n| json!({ "url": format!("{URL}{n}"), "key": format!("k{n}"), "externalId": format!("e{n}") }))
        .collect();
    let made = api.post("/links/bulk", &json!(bodies));
    let ids = ids(&made);
    assert_eq!((ids.len(), made[MANY - 1]["key"].as_str()), (MANY, Some("k9999")));
    assert_eq!(server.follow("/k9999").location(), &format!("{URL}9999"));

    let changed = api.patch(
        "/links/bulk",
        &json!({ "linkIds": ids, "data": { "url": "https://shop.example/new" } }),
    );
    assert_eq!(changed.as_array().map(Vec::len), Some(MANY));
    assert_eq!(server.follow("/k5").location(), "https://shop.example/new");

    let some: Vec<String> = (0..100).map(|n| format!("e{n}")).collect();
    let by_query = format!("/links/bulk?externalIds={}", some.join(","));
    let gone = api.call("DELETE", &by_query, None).json();
    assert_eq!(gone["deletedCount"], 100);
    let gone = api
        .call("DELETE", "/links/bulk", Some(&json!({ "linkIds": ids })))
        .json();
    assert_eq!(gone["deletedCount"], MANY - 100, "those that are gone are passed over");
    assert_eq!(api.get("/links/count?showArchived=true"), 0);
    assert_eq!(
        [server.follow("/k5").status, server.follow("/k9999").status],
        [404, 404]
    );
}

#[test]
fn webhooks_are_answered_beside_a_bulk_call() {
    let server = TestServer::start();
    let api = server.api();
    let store = api.store();
    let bodies: Vec<Value> = (0..MANY).map(|n| json!({ "url": format!("{URL}{n}") })).collect();
    let order: Value = serde_json::from_str(include_str!("../../fixtures/shopify/orders_paid.json")).expect("an order");
    let mut slowest = Duration::ZERO;
    std::thread::scope(|scope| {
        let bulk = scope.spawn(|| api.post("/links/bulk", &json!(bodies)));
        let mut answered = 0;
        while !bulk.is_finished() || answered == 0 {
            answered += 1;
            let began = Instant::now();
            let told = server.send(&delivery(
                &store,
                "orders/paid",
                &format!("d{answered}"),
                &order,
                SECRET,
            ));
            assert_eq!(told.status, 200);
            slowest = slowest.max(began.elapsed());
        }
        assert_eq!(bulk.join().expect("made").as_array().map(Vec::len), Some(MANY));
        assert!(answered > 1, "the call is long enough to be seen beside");
    });
    // The bound is generous, for this is an unoptimised build on a busy machine; one transaction would take seconds.
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
}

#[test]
fn bulk_changes_say_what_is_wrong_with_each() {
    let server = TestServer::start();
    let (api, other) = (server.api(), server.other_brand("Other"));
    let foreign = id_of(&other.link(&json!({ "url": URL, "key": "theirs" })));
    let one = id_of(&api.link(&json!({ "url": URL, "key": "one", "externalId": "1" })));
    let two = id_of(&api.link(&json!({ "url": URL, "key": "two" })));
    let told = api.patch(
        "/links/bulk",
        &json!({ "linkIds": [one, "link_unknown", foreign, two, one], "data": { "title": "T" } }),
    );
    let told = told.as_array().expect("an array");
    assert_eq!(told.len(), 4, "a link that is named twice is changed once");
    assert_eq!([&told[0]["title"], &told[3]["title"]], ["T", "T"]);
    for place in [1, 2] {
        assert_eq!(told[place]["code"], "not_found", "{}", told[place]);
        assert!(told[place]["error"].as_str().is_some_and(|text| text.contains("link")));
    }
    assert_eq!(told[2]["link"]["id"], foreign);
    let by_own = api.patch(
        "/links/bulk",
        &json!({ "externalIds": ["1", "2"], "data": { "title": null } }),
    );
    assert_eq!(by_own[0]["title"], Value::Null);
    assert_eq!(by_own[1]["link"], json!({ "externalId": "2" }));

    for (method, target, body, field) in [
        ("PATCH", "/links/bulk", json!({ "linkIds": [one] }), "data:"),
        ("PATCH", "/links/bulk", json!({ "data": {} }), "linkIds:"),
        (
            "PATCH",
            "/links/bulk",
            json!({ "linkIds": [one], "externalIds": [], "data": {} }),
            "linkIds:",
        ),
        (
            "PATCH",
            "/links/bulk",
            json!({ "linkIds": [one], "data": { "key": "x" } }),
            "data.key:",
        ),
        (
            "PATCH",
            "/links/bulk",
            json!({ "linkIds": [one], "data": { "colour": 1 } }),
            "data.colour:",
        ),
        (
            "PATCH",
            "/links/bulk",
            json!({ "linkIds": [one], "data": { "expiresAt": "soon" } }),
            "data.expiresAt:",
        ),
        (
            "PATCH",
            "/links/bulk",
            json!({ "linkIds": vec!["x"; MANY + 1], "data": {} }),
            "linkIds:",
        ),
        ("DELETE", "/links/bulk", json!({}), "linkIds:"),
        (
            "DELETE",
            "/links/bulk?linkIds=a",
            json!({ "linkIds": ["b"] }),
            "linkIds:",
        ),
        ("DELETE", "/links/bulk?colour=red", json!({}), "colour:"),
    ] {
        let message = api.call(method, target, Some(&body)).refusal(422);
        assert!(message.starts_with(field), "{method} {body}: {message}");
    }
    let gone = api
        .call("DELETE", &format!("/links/bulk?linkIds={foreign}&linkIds={two}"), None)
        .json();
    assert_eq!(gone["deletedCount"], 1, "another brand's link stays");
    assert_eq!(server.follow("/theirs").status, 302);
}

#[test]
fn upsert_makes_one_link_for_a_destination() {
    let server = TestServer::start();
    let api = server.api();
    let made = api.put(
        "/links/upsert",
        &json!({ "url": "https://shop.example", "keyLength": 9 }),
    );
    let again = api.put(
        "/links/upsert",
        &json!({ "url": "https://SHOP.example/", "title": "T", "keyLength": 9 }),
    );
    assert_eq!(
        (again["id"].clone(), &again["title"]),
        (made["id"].clone(), &json!("T"))
    );
    let tagged = api.put("/links/upsert", &json!({ "url": URL, "utm_source": "tiktok" }));
    assert_ne!(tagged["id"], made["id"], "the source is part of where it leads");
    let tagged_again = api.put(
        "/links/upsert",
        &json!({ "url": format!("{URL}?utm_source=tiktok"), "key": "tt" }),
    );
    assert_eq!(
        (&tagged_again["id"], &tagged_again["key"]),
        (&tagged["id"], &json!("tt"))
    );
    assert_eq!(server.follow("/tt").status, 302);
    let theirs = server.other_brand("Other").put("/links/upsert", &json!({ "url": URL }));
    assert_ne!(theirs["id"], made["id"]);
    assert_eq!(api.get("/links/count"), 2);
    assert!(
        api.call("PUT", "/links/upsert", Some(&json!({ "title": "T" })))
            .refusal(422)
            .starts_with("url:")
    );

    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| api.put("/links/upsert", &json!({ "url": "https://shop.example/raced" })));
        }
    });
    assert_eq!(api.get("/links/count"), 3, "eight at once make one link");
}
