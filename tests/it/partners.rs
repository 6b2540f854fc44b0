//! Creators' own links, what they brought, and what becomes of both when a brand parts with a creator and takes them back.

use serde_json::{Value, json};

use crate::server::{Api, SECRET, TestServer, delivery, eventually, id_of};

const MUGS: &str = "https://moss.example/mugs";

fn ids(links: &Value) -> Vec<String> {
    links.as_array().expect("links").iter().map(id_of).collect()
}

/// The shop tells of an order with this code, placed at that time of 21 November 2026; who is credited.
fn credited(server: &TestServer, store: &str, number: u32, time: &str, code: &str) -> Value {
    let text = include_str!("../../fixtures/shopify/orders_paid.json");
    let mut order: Value = serde_json::from_str(text).expect("JSON");
    order["id"] = json!(number);
    order["processed_at"] = json!(format!("2026-11-21T{time}Z"));
    order["note_attributes"] = json!([]);
    order["discount_codes"] = json!([{ "code": code }]);
    order["customer"] = json!({ "id": number });
    let sent = delivery(store, "orders/paid", &format!("d{number}"), &order, SECRET);
    assert_eq!(server.send(&sent).status, 200);
    let listed = server.api().get("/orders?pageSize=100");
    let external_id = number.to_string();
    let mut told = listed.as_array().expect("orders").iter();
    told.find(|order| order["externalId"] == external_id.as_str())
        .expect("the order")["credit"]["partnerId"]
        .clone()
}

fn click_is_counted(api: &Api<'_>) {
    eventually("a click", || (api.clicks("") == 1).then_some(()));
}

fn statuses(api: &Api<'_>) -> Vec<(String, String)> {
    let listed = api.get("/partners");
    let one = |partner: &Value| {
        let text = |name: &str| partner[name].as_str().expect("text").to_owned();
        (text("name"), text("status"))
    };
    listed.as_array().expect("partners").iter().map(one).collect()
}

#[test]
fn a_creators_links_are_made_found_and_counted_by_either_name() {
    let server = TestServer::start();
    let api = server.api();
    let mia = id_of(&api.post("/partners", &json!({ "name": "Mia", "tenantId": "t-mia" })));
    let ben = api.partner("Ben", "looms");
    let first = api.call(
        "POST",
        "/partners/links",
        Some(&json!({ "tenantId": "t-mia", "url": MUGS, "key": "mia",
        "comments": "spring", "linkProps": { "title": "Mugs", "comments": "overruled" } })),
    );
    assert_eq!(first.status, 201);
    let first = first.json();
    assert_eq!(
        (&first["partnerId"], &first["comments"], &first["title"]),
        (&json!(mia), &json!("spring"), &json!("Mugs"))
    );

    // Kept by where it leads, among the creator's own.
    let upsert = |partner: &str, url: &str| {
        let body = json!({ "partnerId": partner, "url": url, "linkProps": { "title": "Kept" } });
        api.put("/partners/links/upsert", &body)
    };
    let again = upsert(&mia, MUGS);
    assert_eq!((id_of(&again), &again["title"]), (id_of(&first), &json!("Kept")));
    let of_ben = upsert(&ben, MUGS);
    assert_ne!(id_of(&of_ben), id_of(&first));
    assert_eq!(id_of(&upsert(&ben, MUGS)), id_of(&of_ben));

    assert_eq!(server.follow("/mia").status, 302);
    click_is_counted(&api);
    let own = api.get(&format!("/partners/links?partnerId={mia}"));
    assert_eq!(ids(&own), [id_of(&first)]);
    assert_eq!(api.get("/partners/links?tenantId=t-mia"), own);
    assert_eq!(own[0]["shortLink"], first["shortLink"]);

    let counted = |query: &str| api.get(&format!("/partners/analytics?interval=all&{query}"));
    let of_mia = counted("tenantId=t-mia");
    assert_eq!(
        (&of_mia["clicks"], &of_mia["sales"], &of_mia["earnings"]),
        (&json!(1), &json!(0), &json!(0))
    );
    assert_eq!(counted(&format!("partnerId={ben}"))["clicks"], 0);
    let top = counted(&format!("partnerId={mia}&groupBy=top_links"));
    assert_eq!(
        (&top[0]["id"], &top[0]["clicks"], &top[0]["earnings"]),
        (&first["id"], &json!(1), &json!(0))
    );
    let steps = counted(&format!("partnerId={mia}&groupBy=timeseries"));
    let clicks: u64 = steps
        .as_array()
        .expect("steps")
        .iter()
        .map(|step| step["clicks"].as_u64().expect("a count"))
        .sum();
    assert_eq!(clicks, 1, "{steps}");

    for (method, target, body, status, named) in [
        (
            "POST",
            "/partners/links",
            Some(json!({ "url": MUGS })),
            422,
            "partnerId",
        ),
        ("POST", "/partners/links", Some(json!({ "partnerId": mia })), 422, "url"),
        (
            "POST",
            "/partners/links",
            Some(json!({ "partnerId": "pn_none", "url": MUGS })),
            404,
            "partner",
        ),
        (
            "POST",
            "/partners/links",
            Some(json!({ "partnerId": mia, "url": MUGS, "linkProps": { "partnerId": ben } })),
            422,
            "linkProps.partnerId",
        ),
        (
            "POST",
            "/partners/links",
            Some(json!({ "partnerId": mia, "url": MUGS, "linkProps": { "rewrite": true } })),
            422,
            "rewrite",
        ),
        ("GET", "/partners/links", None, 422, "partnerId"),
        ("GET", "/partners/links?partnerId=pn_none", None, 404, "partner"),
        (
            "GET",
            "/partners/analytics?tenantId=t-mia&groupBy=countries",
            None,
            422,
            "groupBy",
        ),
    ] {
        let answer = api.call(method, target, body.as_ref());
        let message = answer.json()["error"]["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        assert_eq!(answer.status, status, "{method} {target}: {message}");
        assert!(message.contains(named), "{method} {target}: {message}");
    }
}

#[test]
fn who_is_sent_away_gets_nothing_more_and_keeps_what_was() {
    let server = TestServer::start();
    let api = server.api();
    let store = api.store();
    let mia = id_of(&api.post(
        "/partners",
        &json!({ "name": "Mia", "tenantId": "t-mia", "username": "miagrows" }),
    ));
    api.code("MIA10", &mia);
    let link = |key: &str, more: Value| {
        let mut body = json!({ "key": key, "url": MUGS, "partnerId": mia });
        body.as_object_mut()
            .expect("an object")
            .extend(more.as_object().expect("an object").clone());
        id_of(&api.link(&body))
    };
    let on = link("mia", json!({}));
    link("mia-off", json!({ "disabled": true }));
    // A code whose creator's links nobody follows is not believed.
    assert_eq!(server.follow("/mia").status, 302);
    click_is_counted(&api);
    assert_eq!(credited(&server, &store, 1, "09:00:00", "MIA10"), json!(mia));

    // The brand's clock stands at noon; what was switched off before stays off for good.
    server.clock.advance(1_000);
    let ban = json!({ "tenantId": "t-mia", "reason": "fake_traffic" });
    assert_eq!(api.post("/partners/ban", &ban), json!({ "partnerId": mia }));
    assert_eq!(
        api.post("/partners/ban", &ban),
        json!({ "partnerId": mia }),
        "a second time says the same"
    );
    let told = api.get(&format!("/partners/{mia}"));
    assert_eq!(
        (&told["status"], &told["bannedReason"]),
        (&json!("banned"), &json!("fake_traffic"))
    );
    assert!(told["bannedAt"].is_string(), "{told}");
    assert_eq!(server.follow("/mia").status, 410);
    assert!(api.get(&format!("/links/{on}"))["disabledAt"].is_string());
    let codes = api.get(&format!("/discount-codes?partnerId={mia}"));
    assert!(codes[0]["disabledAt"].is_string(), "{codes}");
    assert_eq!(
        credited(&server, &store, 2, "23:00:00", "MIA10"),
        Value::Null,
        "ordered after it"
    );
    assert_eq!(
        credited(&server, &store, 3, "09:30:00", "MIA10"),
        json!(mia),
        "ordered before it"
    );
    for (target, body, named) in [
        (
            "/partners/links",
            json!({ "partnerId": mia, "url": MUGS }),
            "partnerId: is banned",
        ),
        (
            "/links",
            json!({ "partnerId": mia, "url": MUGS }),
            "partnerId: is banned",
        ),
        (
            "/discount-codes",
            json!({ "partnerId": mia, "code": "MIA20" }),
            "partnerId: is banned",
        ),
        ("/partners/deactivate", json!({ "partnerId": mia }), "banned"),
        (
            "/partners/ban",
            json!({ "partnerId": mia, "reason": "taste" }),
            "tos_violation",
        ),
    ] {
        let answer = api.call("POST", target, Some(&body));
        let message = answer.json()["error"]["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        assert_eq!(answer.status, 422, "{target}: {message}");
        assert!(message.contains(named), "{target}: {message}");
    }
    for (query, expected) in [
        ("banned", vec![mia.clone()]),
        ("approved", vec![]),
        ("deactivated", vec![]),
    ] {
        assert_eq!(ids(&api.get(&format!("/partners?status={query}"))), expected, "{query}");
    }

    // Taken back: what went off with them is on again, and nothing else.
    assert_eq!(
        api.post("/partners/reactivate", &json!({ "partnerId": mia })),
        json!({ "partnerId": mia })
    );
    assert_eq!(server.follow("/mia").status, 302);
    assert_eq!(server.follow("/mia-off").status, 410);
    assert_eq!(statuses(&api), [("Mia".to_owned(), "approved".to_owned())]);
    assert_eq!(credited(&server, &store, 4, "23:30:00", "MIA10"), json!(mia));

    // In good standing it is the same without a reason; and banned after all.
    api.post("/partners/deactivate", &json!({ "partnerId": mia }));
    assert_eq!(server.follow("/mia").status, 410);
    let told = api.get(&format!("/partners/{mia}"));
    assert_eq!(
        (&told["status"], &told["bannedReason"]),
        (&json!("deactivated"), &Value::Null)
    );
    api.post("/partners/ban", &json!({ "partnerId": mia, "reason": "fraud" }));
    assert_eq!(statuses(&api), [("Mia".to_owned(), "banned".to_owned())]);

    let noted = api.get("/audit-log?pageSize=100");
    let of_mia = noted.as_array().expect("entries").iter();
    let bans = of_mia.filter(|entry| entry["after"]["status"] == "banned" && entry["before"]["status"] != "banned");
    assert_eq!(bans.count(), 2, "{noted}");
}

#[test]
fn a_standing_lasts_and_so_does_what_went_off_with_it() {
    let mut server = TestServer::start();
    let mia = server.api().partner("Mia", "mugs");
    server
        .api()
        .link(&json!({ "key": "mia", "url": MUGS, "partnerId": mia }));
    server.api().post("/partners/deactivate", &json!({ "partnerId": mia }));
    server.restart();
    assert_eq!(server.follow("/mia").status, 410);
    assert_eq!(statuses(&server.api()), [("Mia".to_owned(), "deactivated".to_owned())]);
}

#[test]
fn a_code_is_taken_back_by_id_or_by_name() {
    let server = TestServer::start();
    let api = server.api();
    let store = api.store();
    let mia = api.partner("Mia", "mugs");
    for code in ["MIA10", "MIA20"] {
        api.code(code, &mia);
    }
    assert_eq!(credited(&server, &store, 1, "09:00:00", "MIA10"), json!(mia));
    let listed = api.get("/discount-codes");
    let id = |code: &str| {
        id_of(
            listed
                .as_array()
                .expect("codes")
                .iter()
                .find(|one| one["code"] == code)
                .expect("a code"),
        )
    };
    for (named, expected) in [("mia10".to_owned(), id("MIA10")), (id("MIA20"), id("MIA20"))] {
        let gone = api.call("DELETE", &format!("/discount-codes/{named}"), None);
        assert_eq!((gone.status, gone.json()), (200, json!({ "id": expected })), "{named}");
        assert_eq!(
            api.call("DELETE", &format!("/discount-codes/{named}"), None).status,
            404
        );
    }
    assert_eq!(api.get("/discount-codes"), json!([]));
    assert_eq!(credited(&server, &store, 2, "09:30:00", "MIA10"), Value::Null);
    assert_eq!(
        credited(&server, &store, 1, "09:00:00", "MIA10"),
        json!(mia),
        "what it brought stays"
    );
}
