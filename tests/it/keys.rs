//! What keys may do, until when and how often; calls that are carried out once; and what the audit log tells of all of it.

use serde_json::{Value, json};

use crate::http::{self, Answer, Client, Request};
use crate::operation::metric;
use crate::server::{KEY, SECRET, TestServer, eventually, id_of};

const URL: &str = "https://shop.example/";

/// A call of the owner's with the name `name`.
fn named(server: &TestServer, name: &str, method: &str, target: &str, body: &Value) -> Answer {
    let request = Request::new(method, target)
        .header("Authorization", &format!("Bearer {KEY}"))
        .header("Content-Type", "application/json")
        .header("Idempotency-Key", name)
        .body(body.to_string());
    http::send(server.running().admin, &request)
}

#[test]
fn keys_open_what_their_scopes_say_until_they_end() {
    let server = TestServer::start();
    let owner = server.api();
    let made = owner.post(
        "/keys",
        &json!({ "name": "reader", "scopes": ["links.read", "tags.write"], "expiresAt": "2026-11-21T11:30:00Z" }),
    );
    assert_eq!(made["scopes"], json!(["links.read", "tags.write"]));
    let reader = server.api_with(made["key"].as_str().expect("a key"));
    for (method, target, body, status) in [
        ("GET", "/links", None, 200),
        ("GET", "/api/links/count", None, 200),
        ("POST", "/links", Some(json!({ "url": URL })), 403),
        ("POST", "/api/links/bulk", Some(json!([])), 403),
        ("POST", "/tags", Some(json!({ "name": "t" })), 201),
        ("GET", "/tags", None, 200),
        ("GET", "/folders", None, 403),
        ("GET", "/analytics", None, 403),
        ("GET", "/audit-log", None, 403),
        ("GET", "/keys", None, 403),
    ] {
        let answer = reader.call(method, target, body.as_ref());
        assert_eq!(answer.status, status, "{method} {target}: {}", answer.text());
    }
    let message = reader.call("POST", "/links", Some(&json!({ "url": URL }))).refusal(403);
    assert!(message.contains("links.write"), "{message}");

    let path = format!("/keys/{}", id_of(&made));
    eventually("its use is noted", || {
        let listed = owner.get("/keys");
        let found = listed
            .as_array()
            .expect("keys")
            .iter()
            .find(|key| key["id"] == made["id"])
            .cloned();
        found.filter(|key| key["lastUsed"] == "2026-11-21T10:30:00.000Z")
    });
    assert_eq!(
        owner.patch(&path, &json!({ "scopes": ["links.write"] }))["scopes"],
        json!(["links.write"])
    );
    assert_eq!(
        reader.call("POST", "/links", Some(&json!({ "url": URL }))).status,
        200,
        "at once"
    );
    server.clock.advance(60 * 60 * 1000);
    assert_eq!(reader.call("GET", "/links", None).status, 401, "it has expired");
    owner.patch(&path, &json!({ "expiresAt": null }));
    assert_eq!(reader.call("GET", "/links", None).status, 200);
    assert_eq!(owner.call("DELETE", &path, None).status, 200);
    assert_eq!(reader.call("GET", "/links", None).status, 401, "revoked at once");

    let listed = owner.get("/keys");
    let own = id_of(&listed[0]);
    for (method, target, body, field) in [
        (
            "POST",
            "/keys",
            json!({ "name": "x", "scopes": ["links"] }),
            "scopes[0]:",
        ),
        ("POST", "/keys", json!({ "name": "x", "scopes": [] }), "scopes:"),
        (
            "POST",
            "/keys",
            json!({ "name": "x", "expiresAt": "2026-11-21T11:30:00Z" }),
            "expiresAt:",
        ),
        (
            "POST",
            "/keys",
            json!({ "name": "x", "expiresAt": "soon" }),
            "expiresAt:",
        ),
        (
            "POST",
            "/keys",
            json!({ "name": "x", "callsPerMinute": 1_000_001 }),
            "callsPerMinute:",
        ),
        (
            "POST",
            "/keys",
            json!({ "name": "x", "kind": "publishable", "origins": [URL.trim_end_matches('/')], "scopes": ["links.read"] }),
            "scopes:",
        ),
        (
            "PATCH",
            &format!("/keys/{own}"),
            json!({ "scopes": ["links.read"] }),
            "scopes:",
        ),
    ] {
        let message = owner.call(method, target, Some(&body)).refusal(422);
        assert!(message.starts_with(field), "{body}: {message}");
    }
    let other = server.other_brand("Other");
    assert_eq!(
        other
            .call("PATCH", &format!("/keys/{own}"), Some(&json!({ "name": "x" })))
            .status,
        403
    );
}

#[test]
fn calls_are_counted_a_minute_and_key() {
    let server = TestServer::with(|config| config.limits.api_calls_per_minute = 3);
    let owner = server.api();
    let free = owner.post("/keys", &json!({ "name": "free", "callsPerMinute": 0 }));
    for (remaining, status) in [("1", 200), ("0", 200), ("0", 429)] {
        let answer = owner.call("GET", "/links", None);
        assert_eq!(answer.status, status);
        assert_eq!(
            [
                answer.header("x-ratelimit-limit"),
                answer.header("x-ratelimit-remaining")
            ],
            [Some("3"), Some(remaining)]
        );
        assert_eq!(answer.header("x-ratelimit-reset"), Some("1795257060000"));
    }
    server.clock.advance(17_500);
    let refused = owner.call("POST", "/links", Some(&json!({ "url": URL })));
    assert_eq!(refused.header("retry-after"), Some("43"), "whole seconds, rounded up");
    assert_eq!(refused.json()["error"]["code"], "rate_limit_exceeded");
    let free = server.api_with(free["key"].as_str().expect("a key"));
    for _ in 0..5 {
        let answer = free.call("GET", "/links", None);
        assert_eq!((answer.status, answer.header("x-ratelimit-limit")), (200, None));
    }
    assert_eq!(free.get("/links/count"), 0, "what was refused was not done");
    let metrics = owner.call("GET", "/metrics", None).text();
    assert_eq!(metric(&metrics, "hopcart_api_calls_limited_total{reason=\"key\"}"), 2);
    server.clock.advance(42_500);
    assert_eq!(owner.call("GET", "/links", None).status, 200);
}

#[test]
fn a_named_call_is_carried_out_once() {
    let mut server = TestServer::start();
    let body = json!({ "url": URL, "key": "once" });
    let first = named(&server, "n1", "POST", "/links", &body);
    assert_eq!((first.status, first.header("idempotency-replayed")), (200, None));
    server.restart();
    let again = named(&server, "n1", "POST", "/links", &body);
    assert_eq!(
        (again.status, again.header("idempotency-replayed")),
        (200, Some("true"))
    );
    assert_eq!(
        (again.json(), again.header("content-type")),
        (first.json(), first.header("content-type"))
    );
    assert_eq!(server.api().get("/links/count"), 1);
    let metrics = server.api().call("GET", "/metrics", None).text();
    assert_eq!(metric(&metrics, "hopcart_api_calls_replayed_total"), 1);

    for (target, body) in [
        ("/links", json!({ "url": URL })),
        ("/links/bulk", body.clone()),
        ("/links?a=1", body.clone()),
    ] {
        let message = named(&server, "n1", "POST", target, &body).refusal(422);
        assert!(message.starts_with("Idempotency-Key:"), "{message}");
    }
    // What was refused can be put right under the same name.
    assert_eq!(named(&server, "n2", "POST", "/links", &json!({ "url": 5 })).status, 422);
    assert_eq!(
        named(&server, "n2", "POST", "/links", &json!({ "url": URL })).status,
        200
    );
    assert_eq!(
        named(&server, "n2", "POST", "/links", &json!({ "url": URL })).status,
        200
    );
    assert_eq!(server.api().get("/links/count"), 2);
    let too_long = "x".repeat(256);
    assert_eq!(named(&server, &too_long, "POST", "/links", &body).status, 422);

    // A secret is shown once: its answer is not kept.
    let key = json!({ "name": "k" });
    assert_eq!(named(&server, "n3", "POST", "/keys", &key).status, 201);
    assert!(
        named(&server, "n3", "POST", "/keys", &key)
            .refusal(409)
            .contains("was carried out")
    );
    assert_eq!(server.api().get("/keys").as_array().map(Vec::len), Some(2));
    // Nor is one that is too large.
    let many: Vec<Value> = (0..400).map(|n| json!({ "url": format!("{URL}{n}") })).collect();
    assert_eq!(named(&server, "n4", "POST", "/links/bulk", &json!(many)).status, 200);
    assert_eq!(named(&server, "n4", "POST", "/links/bulk", &json!(many)).status, 409);
    assert_eq!(server.api().get("/links/count"), 402);

    server.clock.advance(24 * 60 * 60 * 1000);
    assert_eq!(
        named(&server, "n1", "POST", "/links", &body).status,
        409,
        "a day later it is a new call: the key is taken"
    );
    let race: Vec<u16> = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..6)
            .map(|_| scope.spawn(|| named(&server, "n5", "POST", "/links", &json!({ "url": URL })).status))
            .collect();
        calls.into_iter().map(|call| call.join().expect("an answer")).collect()
    });
    assert!(
        race.iter().all(|status| [200, 409].contains(status)) && race.contains(&200),
        "{race:?}"
    );
    assert_eq!(server.api().get("/links/count"), 403, "six at once make one");
}

#[test]
fn the_audit_log_tells_who_changed_what() {
    let server = TestServer::start();
    let (owner, other) = (server.api(), server.other_brand("Other"));
    let link = owner.link(&json!({ "url": URL, "key": "a", "title": "Before" }));
    let id = id_of(&link);
    owner.patch(&format!("/links/{id}"), &json!({ "title": "After" }));
    owner.call("POST", "/links", Some(&json!({ "url": "javascript:1" })));
    owner.post("/partners", &json!({ "name": "Zoe", "email": "zoe@mail.example" }));
    owner.call("DELETE", &format!("/links/{id}"), None);
    let entries = owner.get(&format!("/audit-log?targetId={id}"));
    let told: Vec<(&str, &Value, &Value)> = entries
        .as_array()
        .expect("an array")
        .iter()
        .map(|entry| {
            (
                entry["action"].as_str().expect("text"),
                &entry["before"],
                &entry["after"],
            )
        })
        .collect();
    let (one, whole) = (
        format!("/links/{id}"),
        |title: &str| json!({ "key": "a", "title": title, "url": URL }),
    );
    assert_eq!(
        told,
        [
            (format!("DELETE {one}").as_str(), &whole("After"), &Value::Null),
            (
                format!("PATCH {one}").as_str(),
                &json!({ "title": "Before" }),
                &json!({ "title": "After" })
            ),
            ("POST /links", &Value::Null, &whole("Before")),
        ]
    );
    let all = owner.get("/audit-log");
    assert!(!all.to_string().contains("zoe"), "nobody is named: {all}");
    let actions: Vec<&Value> = all
        .as_array()
        .expect("an array")
        .iter()
        .map(|entry| &entry["action"])
        .collect();
    assert_eq!(
        actions.len(),
        5,
        "the workspace opened, three writes of a link, a partner; not what was refused: {all}"
    );
    assert_eq!(actions[1], "POST /partners");
    let key = all[0]["keyId"].as_str().expect("an id");
    assert_eq!(
        owner.get(&format!("/audit-log?keyId={key}")).as_array().map(Vec::len),
        Some(5)
    );
    let next = owner.get(&format!("/audit-log?pageSize=2&startingAfter={}", id_of(&all[1])));
    assert_eq!(
        next.as_array().map(|page| page.iter().map(id_of).collect::<Vec<_>>()),
        Some(vec![id_of(&all[2]), id_of(&all[3])])
    );
    assert_eq!(other.get("/audit-log"), json!([]), "each brand reads its own");
    assert!(
        owner
            .call("GET", "/audit-log?startingAfter=x", None)
            .refusal(422)
            .starts_with("startingAfter:")
    );
}

#[test]
fn the_audit_log_holds_no_secret_and_nobody() {
    let server = TestServer::start();
    let api = server.api();
    let free = id_of(&api.link(&json!({ "url": URL, "key": "free", "trackConversion": true })));
    let location = server.follow("/free").location().to_owned();
    let (_, click) = location.split_once("hop_id=").expect("a click id");
    api.post(
        "/track/lead",
        &json!({ "clickId": click, "eventName": "Sign up", "customerExternalId": "zoe-1" }),
    );
    let store = api.store();
    api.patch(
        &format!("/stores/{store}"),
        &json!({ "name": "Renamed", "webhookSecrets": ["a-very-secret-word"] }),
    );
    let domain = id_of(&api.post("/domains", &json!({ "slug": "go.brand.example" })));
    api.patch("/domains/go.brand.example", &json!({ "consent": "strict" }));
    let partner = api.partner("Zoe Quill", "clay");
    api.code("ZOE10", &partner);
    let shared = api.post(&format!("/partners/{partner}/report-links"), &json!({}));
    api.patch("/program", &json!({ "attributionWindowDays": 7 }));
    api.patch("/settings", &json!({ "currency": "EUR" }));
    let campaign = id_of(&api.post(
        "/campaigns",
        &json!({ "name": "Autumn", "budget": 5, "currency": "EUR" }),
    ));
    api.patch(&format!("/campaigns/{campaign}"), &json!({ "budget": 9 }));
    let key = api.post("/keys", &json!({ "name": "desk" }));
    let link =
        id_of(&api.link(&json!({ "url": URL, "key": "locked", "trackConversion": true, "password": "open-sesame" })));
    for (password, title) in [("open-says-me", "T"), ("********", "U")] {
        api.patch(
            &format!("/links/{link}"),
            &json!({ "password": password, "title": title }),
        );
    }

    let newest = |target: &str| {
        let entry = &api.get(&format!("/audit-log?targetId={target}"))[0];
        (entry["before"].clone(), entry["after"].clone())
    };
    assert_eq!(
        newest(&domain),
        (json!({ "consent": "gpc" }), json!({ "consent": "strict" }))
    );
    assert_eq!(newest(&campaign), (json!({ "budget": 5 }), json!({ "budget": 9 })));
    assert_eq!(newest(&link).1, json!({ "title": "U" }), "the password stays");
    let changes = api.get(&format!("/audit-log?targetId={link}"));
    assert_eq!(changes[1]["after"]["password"], "******** (another)");
    assert_eq!(changes[2]["after"]["password"], "********");
    assert_eq!(newest(&free).1["key"], "free");
    let (before, after) = newest(&store);
    assert_eq!(after, json!({ "name": "Renamed", "webhookSecrets": "set" }));
    assert!(before.get("webhookSecrets").is_none());
    let all = api.get("/audit-log");
    let entries = all.as_array().expect("an array");
    let of = |action: &str| {
        let found = entries.iter().find(|entry| entry["action"] == action);
        found.unwrap_or_else(|| panic!("no {action}: {all}"))
    };
    assert_eq!(of("PATCH /program")["before"], json!({ "attributionWindowDays": 30 }));
    assert_eq!(of("PATCH /settings")["after"], json!({ "currency": "EUR" }));
    assert_eq!(of("POST /discount-codes")["after"]["code"], "ZOE10");
    assert!(
        entries.iter().all(|entry| entry["action"] != "POST /track/lead"),
        "conversions are kept as such"
    );
    let text = all.to_string();
    for secret in [
        "a-very-secret-word",
        "open-sesame",
        "open-says-me",
        "argon2",
        SECRET,
        "Zoe Quill",
        "zoe-1",
        key["key"].as_str().expect("a key"),
        shared["url"].as_str().expect("a url"),
    ] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
}

#[test]
fn a_write_whose_client_hangs_up_is_carried_to_its_end() {
    const MANY: usize = 3_000;
    let server = TestServer::start();
    let api = server.api();
    let bodies: Vec<Value> = (0..MANY)
        .map(|n| json!({ "url": URL, "key": format!("h{n}") }))
        .collect();
    let request = Request::new("POST", "/links/bulk")
        .header("Authorization", &format!("Bearer {KEY}"))
        .header("Content-Type", "application/json")
        .body(json!(bodies).to_string());
    let mut client = Client::connect(server.running().admin);
    client.send_raw(&request.bytes());
    eventually("its first links are in the books", || {
        (api.get("/links/count") != 0).then_some(())
    });
    drop(client);
    eventually("the rest is made all the same", || {
        (api.get("/links/count") == MANY).then_some(())
    });
    // What is in the books can be followed, in the time that putting it there takes.
    eventually("the last one can be followed", || {
        (server.follow(&format!("/h{}", MANY - 1)).status == 302).then_some(())
    });
    for n in 0..MANY {
        assert_eq!(server.follow(&format!("/h{n}")).status, 302, "h{n}");
    }
}
