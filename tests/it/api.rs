//! The brand's API in its dialect: links from birth to deletion, refusals that name the field, workspaces that do not
//! see each other, keys, and the one policy for destinations.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::hostile;
use crate::http::{self, Request};
use crate::server::{Api, KEY, TestServer, eventually, id_of};

/// The dialect's 51 fields of a link.
const FIELDS: [&str; 51] = [
    "id",
    "domain",
    "key",
    "url",
    "trackConversion",
    "externalId",
    "tenantId",
    "programId",
    "partnerId",
    "archived",
    "expiresAt",
    "expiredUrl",
    "disabledAt",
    "password",
    "proxy",
    "title",
    "description",
    "image",
    "video",
    "rewrite",
    "doIndex",
    "ios",
    "android",
    "geo",
    "publicStats",
    "tags",
    "folderId",
    "comments",
    "shortLink",
    "qrCode",
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "utm_term",
    "utm_content",
    "testVariants",
    "testStartedAt",
    "testCompletedAt",
    "userId",
    "workspaceId",
    "clicks",
    "leads",
    "conversions",
    "sales",
    "saleAmount",
    "lastClicked",
    "createdAt",
    "updatedAt",
    "tagId",
    "projectId",
    "webhookIds",
];
/// Ours, after them.
const OUR_FIELDS: [&str; 11] = [
    "caseSensitive",
    "maxClicks",
    "openInBrowser",
    "rules",
    "campaignId",
    "contentId",
    "contentUrl",
    "cart",
    "stockPolicy",
    "saleAmounts",
    "warnings",
];

const URL: &str = "https://shop.example/";

fn ids(links: &Value) -> Vec<String> {
    links.as_array().expect("an array").iter().map(id_of).collect()
}

/// `base` with the fields of `more`.
fn with(mut base: Value, more: Value) -> Value {
    base.as_object_mut()
        .expect("an object")
        .extend(more.as_object().expect("an object").clone());
    base
}

#[test]
fn a_link_answers_the_dialects_fields_and_ours() {
    let server = TestServer::start();
    let api = server.api();
    let store = api.store();
    let links = [
        api.link(&json!({ "url": URL })),
        api.link(&json!({ "cart": { "storeId": store, "items": [{ "variantId": 1 }] } })),
    ];
    let expected: BTreeSet<&str> = FIELDS.into_iter().chain(OUR_FIELDS).collect();
    assert_eq!(expected.len(), 62);
    for link in &links {
        let found: BTreeSet<&str> = link
            .as_object()
            .expect("an object")
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(found, expected);
    }
    let [link, cart] = &links;
    let key = link["key"].as_str().expect("a key");
    let authority = server.running().public.to_string();
    for (field, value) in [
        ("url", json!(URL)),
        ("domain", json!(authority)),
        ("shortLink", json!(format!("http://{authority}/{key}"))),
        ("trackConversion", json!(false)),
        ("archived", json!(false)),
        ("clicks", json!(0)),
        ("tags", json!([])),
        ("webhookIds", json!([])),
        ("title", Value::Null),
        ("lastClicked", Value::Null),
        ("cart", Value::Null),
        ("createdAt", json!("2026-11-21T10:30:00.000Z")),
        ("updatedAt", json!("2026-11-21T10:30:00.000Z")),
    ] {
        assert_eq!(link[field], value, "{field}");
    }
    assert!(
        key.len() == 7 && key.bytes().all(|byte| byte.is_ascii_alphanumeric()),
        "{key}"
    );
    assert!(id_of(link).starts_with("link_"));
    assert_eq!(cart["url"], "https://shop.example/cart/1:1");
    assert_eq!(cart["stockPolicy"], json!({ "onOut": "fallback", "redirectUrl": null }));
}

#[test]
fn a_link_is_found_by_every_name_it_has() {
    let server = TestServer::start();
    let api = server.api();
    let link = api.link(&json!({ "key": "mia", "url": URL, "externalId": "crm-7" }));
    let id = id_of(&link);
    for target in [
        format!("/links/{id}"),
        "/links/ext_crm-7".to_owned(),
        format!("/api/links/{id}"),
        format!("/links/info?linkId={id}"),
        "/links/info?externalId=crm-7".to_owned(),
        "/links/info?externalId=ext_crm-7".to_owned(),
        "/links/info?domain=127.0.0.1&key=mia".to_owned(),
        "/links/info?key=MIA".to_owned(),
        "/api/links/info?key=mia".to_owned(),
    ] {
        assert_eq!(api.get(&target), link, "{target}");
    }
    for target in [
        "/links/link_none",
        "/links/ext_none",
        "/links/info?key=none",
        "/links/info?externalId=none",
    ] {
        assert_eq!(api.call("GET", target, None).status, 404, "{target}");
    }
    api.call("GET", "/links/info", None).refusal(422);
    assert_eq!(
        [api.get("/links/exists?key=mia"), api.get("/links/exists?key=none")],
        [json!(true), json!(false)]
    );
    assert_eq!(api.patch("/links/ext_crm-7", &json!({ "title": "T" }))["title"], "T");
    let gone = api.call("DELETE", "/links/ext_crm-7", None);
    assert_eq!((gone.status, gone.json()), (200, json!({ "id": id })));
    assert_eq!(api.call("GET", &format!("/links/{id}"), None).status, 404);
    assert_eq!(api.call("DELETE", &format!("/links/{id}"), None).status, 404);
    assert_eq!(server.follow("/mia").status, 404);
}

#[test]
fn generated_keys_have_the_length_and_prefix_that_were_asked_for() {
    let api_server = TestServer::start();
    let api = api_server.api();
    for (more, prefix, length) in [
        (json!({}), "", 7),
        (json!({ "keyLength": 3 }), "", 3),
        (json!({ "keyLength": 20, "prefix": "/mia/" }), "mia/", 20),
    ] {
        let link = api.link(&with(json!({ "url": URL }), more));
        let key = link["key"].as_str().expect("a key");
        let drawn = key.strip_prefix(prefix).unwrap_or_else(|| panic!("{key}"));
        assert_eq!(drawn.len(), length, "{key}");
    }
}

#[test]
fn patch_clears_with_null_and_keeps_what_is_left_out() {
    let server = TestServer::start();
    let api = server.api();
    let partner = api.partner("Mia", "ceramics");
    let set = json!({ "title": "T", "description": "D", "comments": "C", "externalId": "E", "tenantId": "N",
        "partnerId": partner, "expiresAt": "2026-12-01T00:00:00.000Z", "expiredUrl": "https://shop.example/over",
        "maxClicks": 5, "utm_source": "s", "utm_medium": "m", "utm_campaign": "c", "utm_term": "t", "utm_content": "x" });
    let link = api.link(&with(
        json!({ "key": "a", "url": URL, "trackConversion": true }),
        set.clone(),
    ));
    let path = format!("/links/{}", id_of(&link));
    assert_eq!(
        link["url"],
        "https://shop.example/?utm_source=s&utm_medium=m&utm_campaign=c&utm_term=t&utm_content=x"
    );
    for (field, value) in set.as_object().expect("an object") {
        assert_eq!(&link[field], value, "{field}");
    }
    server.clock.advance(1_000);
    let untouched = api.patch(&path, &json!({}));
    let later = json!({ "updatedAt": "2026-11-21T10:30:01.000Z" });
    assert_eq!(untouched, with(link.clone(), later), "nothing said, nothing changed");
    for field in set.as_object().expect("an object").keys() {
        let before = api.get(&path);
        let after = api.patch(&path, &json!({ field: null }));
        assert_eq!(after[field], Value::Null, "{field}");
        let (mut expected, mut found) = (before, after);
        for ignored in [field.as_str(), "url", "updatedAt"] {
            expected[ignored] = Value::Null;
            found[ignored] = Value::Null;
        }
        assert_eq!(found, expected, "only {field} changed");
    }
    let bare = api.get(&path);
    assert_eq!((&bare["url"], &bare["trackConversion"]), (&json!(URL), &json!(true)));
    let back = api.patch(&path, &set);
    assert_eq!(back["title"], "T", "what an answer holds can be sent back");
}

#[test]
fn an_answer_can_be_sent_back_as_it_is_and_changes_nothing() {
    let server = TestServer::start();
    let api = server.api();
    let store = api.store();
    for link in [
        api.link(&json!({ "url": URL, "utm_source": "x", "title": "T" })),
        api.link(
            &json!({ "utm_source": "x", "cart": { "storeId": store, "items": [{ "variantId": 1, "quantity": 2 }],
            "discountCodes": ["A"], "note": "n", "attributes": { "gift": "yes" } } }),
        ),
    ] {
        // What dialects' clients can send of what they read.
        let mut body = serde_json::Map::new();
        for field in [
            "url",
            "title",
            "comments",
            "partnerId",
            "externalId",
            "utm_source",
            "archived",
            "expiresAt",
            "cart",
            "stockPolicy",
        ] {
            body.insert(field.to_owned(), link[field].clone());
        }
        let same = api.patch(&format!("/links/{}", id_of(&link)), &Value::Object(body));
        assert_eq!(same, link);
    }
}

#[test]
fn changes_are_followed_at_once() {
    let server = TestServer::start();
    let api = server.api();
    let path = format!("/links/{}", id_of(&api.link(&json!({ "key": "a", "url": URL }))));
    for n in 0..20 {
        let url = format!("https://shop.example/{n}");
        api.patch(&path, &json!({ "url": url }));
        assert_eq!(server.follow("/a").location(), url);
    }
    api.patch(&path, &json!({ "key": "b" }));
    assert_eq!([server.follow("/a").status, server.follow("/b").status], [404, 302]);
}

#[test]
fn lists_are_paged_both_ways_without_gaps() {
    let server = TestServer::start();
    let api = server.api();
    // Links of one moment too: the order must not depend on their time alone.
    for n in 0..25 {
        api.link(&json!({ "key": format!("k{n}"), "url": URL }));
        server.clock.advance(if n % 5 == 0 { 1_000 } else { 0 });
    }
    let all = ids(&api.get("/links"));
    assert_eq!(all.len(), 25);
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 25);
    let by_page: Vec<String> = (1..=4)
        .flat_map(|page| ids(&api.get(&format!("/links?page={page}&pageSize=7"))))
        .collect();
    assert_eq!(by_page, all);
    assert_eq!(api.get("/links?page=5&pageSize=7"), json!([]));
    let mut after = vec![all[0].clone()];
    loop {
        let last = after.last().expect("one");
        let next = ids(&api.get(&format!("/links?pageSize=7&startingAfter={last}")));
        assert!(next.len() <= 7);
        if next.is_empty() {
            break;
        }
        after.extend(next);
        assert!(after.len() <= 25, "pages overlap");
    }
    assert_eq!(after, all);
    let mut before = vec![all[24].clone()];
    loop {
        let previous = ids(&api.get(&format!("/links?pageSize=7&endingBefore={}", before[0])));
        assert!(previous.len() <= 7);
        if previous.is_empty() {
            break;
        }
        before.splice(0..0, previous);
        assert!(before.len() <= 25, "pages overlap");
    }
    assert_eq!(before, all);
    let mut reversed = ids(&api.get("/links?sortOrder=asc"));
    reversed.reverse();
    assert_eq!(reversed, all);
    for (target, field) in [
        ("/links?page=0", "page"),
        ("/links?pageSize=101", "pageSize"),
        ("/links?pageSize=0", "pageSize"),
        ("/links?page=1&startingAfter=x", "page"),
        ("/links?sortBy=colour", "sortBy"),
        ("/links?colour=red", "colour"),
        ("/links?tagId=t", "tagIds[0]"),
        ("/links?tagNames=t", "tagNames[0]"),
        ("/links?folderId=f", "folderId"),
        ("/links?domain=other.example", "domain"),
        ("/links?partnerId=pn_none", "partnerId"),
        ("/links?archived=true", "archived"),
    ] {
        let message = api.call("GET", target, None).refusal(422);
        assert!(message.starts_with(&format!("{field}:")), "{target}: {message}");
    }
}

#[test]
fn lists_and_counts_are_narrowed_alike() {
    let server = TestServer::start();
    let api = server.api();
    let partner = api.partner("Mia", "ceramics");
    api.link(&json!({ "key": "summer", "url": URL, "partnerId": partner }));
    api.link(&json!({ "key": "winter", "url": "https://shop.example/summer-sale", "tenantId": "t1" }));
    api.link(&json!({ "key": "old", "url": URL, "archived": true }));
    api.post("/domains", &json!({ "slug": "go.brand.example" }));
    api.link(&json!({ "key": "spring", "url": URL, "domain": "go.brand.example" }));
    let keys = |query: &str| -> Vec<String> {
        let links = api.get(&format!("/links?sortOrder=asc&{query}"));
        let links = links.as_array().expect("an array").clone();
        links
            .iter()
            .map(|link| link["key"].as_str().expect("a key").to_owned())
            .collect()
    };
    for (query, expected) in [
        ("", &["summer", "winter", "spring"][..]),
        ("showArchived=true", &["summer", "winter", "old", "spring"]),
        ("search=summer", &["summer", "winter"]),
        ("search=SUMMER", &["summer", "winter"]),
        ("search=%25", &[]),
        ("search=_", &[]),
        ("domain=go.brand.example", &["spring"]),
        ("domain=127.0.0.1", &["summer", "winter"]),
        ("tenantId=t1", &["winter"]),
        (&format!("partnerId={partner}"), &["summer"]),
    ] {
        assert_eq!(keys(query), expected, "{query}");
        assert_eq!(api.get(&format!("/links/count?{query}")), expected.len(), "{query}");
    }
    let groups = api.get("/links/count?groupBy=domain&showArchived=true");
    let mut groups: Vec<(String, u64)> = groups
        .as_array()
        .expect("groups")
        .iter()
        .map(|group| {
            (
                group["domain"].as_str().expect("a domain").to_owned(),
                group["_count"].as_u64().expect("a count"),
            )
        })
        .collect();
    groups.sort();
    assert_eq!(
        groups,
        [
            (server.running().public.to_string(), 3),
            ("go.brand.example".to_owned(), 1)
        ]
    );
}

#[test]
fn bulk_makes_what_is_good_and_says_what_is_not() {
    let server = TestServer::start();
    let api = server.api();
    api.link(&json!({ "key": "taken", "url": URL }));
    let mut links: Vec<Value> = (0..100)
        .map(|n| json!({ "key": format!("b{n}"), "url": URL }))
        .collect();
    let bad = [
        (3, json!({ "key": "TAKEN", "url": URL }), "conflict", "key:"),
        (7, json!({ "key": "b8", "url": URL }), "", ""),
        (8, json!({ "key": "b8", "url": URL }), "conflict", "key:"),
        (
            11,
            json!({ "url": "javascript:alert(1)" }),
            "unprocessable_entity",
            "url:",
        ),
        (12, json!({ "url": 5 }), "unprocessable_entity", "url:"),
        (
            13,
            json!({ "url": URL, "colour": "red" }),
            "unprocessable_entity",
            "colour:",
        ),
        (
            14,
            json!({ "url": URL, "doIndex": true }),
            "unprocessable_entity",
            "doIndex:",
        ),
        (15, json!("https://shop.example/"), "unprocessable_entity", ""),
        (99, json!({}), "unprocessable_entity", "url:"),
    ];
    for (place, link, ..) in &bad {
        links[*place] = link.clone();
    }
    let answers = api.post("/links/bulk", &json!(links));
    let answers = answers.as_array().expect("an array");
    assert_eq!(answers.len(), 100);
    for (place, answer) in answers.iter().enumerate() {
        match bad.iter().find(|(bad, ..)| *bad == place) {
            Some((_, link, code, start)) if !code.is_empty() => {
                assert_eq!(
                    (&answer["link"], &answer["code"]),
                    (link, &json!(code)),
                    "{place}: {answer}"
                );
                let message = answer["error"].as_str().unwrap_or_else(|| panic!("{answer}"));
                assert!(message.starts_with(start), "{place}: {message}");
            }
            _ => assert_eq!(answer["key"], links[place]["key"], "{place}: {answer}"),
        }
    }
    assert_eq!(api.get("/links/count"), 1 + 100 - 8);
    assert_eq!([server.follow("/b0").status, server.follow("/b98").status], [302, 302]);
    let too_many: Vec<Value> = (0..10_001).map(|_| json!({})).collect();
    assert!(
        api.call("POST", "/links/bulk", Some(&json!(too_many)))
            .refusal(422)
            .contains("10000")
    );
    assert_eq!(api.get("/links/count"), 93, "none of too many is made");
    assert_eq!(api.post("/links/bulk", &json!([])), json!([]));
}

#[test]
fn fields_of_the_dialect_that_are_not_built_are_refused_never_ignored() {
    let server = TestServer::start();
    let api = server.api();
    let link = format!("/links/{}", id_of(&api.link(&json!({ "key": "a", "url": URL }))));
    for (field, value, nothing) in [
        ("programId", json!("prog_1"), Value::Null),
        ("rewrite", json!(true), json!(false)),
        ("doIndex", json!(true), json!(false)),
        ("publicStats", json!(true), json!(false)),
    ] {
        for (method, target) in [("POST", "/links"), ("PATCH", link.as_str())] {
            let message = api
                .call(method, target, Some(&json!({ "url": URL, field: value })))
                .refusal(422);
            assert_eq!(message, format!("{field}: is not supported yet"), "{method}");
        }
        api.link(&json!({ "url": URL, field: nothing }));
    }
    for (target, field, value) in [
        ("/domains", "placeholder", json!(URL)),
        ("/domains", "logo", json!(URL)),
        ("/domains", "assetLinks", json!("{}")),
        ("/domains", "appleAppSiteAssociation", json!("{}")),
        ("/partners", "groupId", json!("grp_1")),
        ("/partners", "linkProps", json!({ "url": URL })),
    ] {
        let body = json!({ "slug": "go.brand.example", field: value });
        let body = if target == "/partners" {
            json!({ "name": "Mia", field: value })
        } else {
            body
        };
        let message = api.call("POST", target, Some(&body)).refusal(422);
        assert_eq!(message, format!("{field}: is not supported yet"), "{target}");
    }
}

#[test]
fn bad_bodies_are_refused_with_the_name_of_the_field() {
    let server = TestServer::start();
    let api = server.api();
    let store = api.store();
    let partner = api.partner("Mia", "ceramics");
    let link = id_of(&api.link(&json!({ "key": "taken", "url": URL, "externalId": "E" })));
    let long = |length: usize| "x".repeat(length);
    let items = |items: Value| json!({ "cart": { "storeId": store, "items": items } });
    let ok_items = json!([{ "variantId": 1 }]);
    let table = [
        ("POST", "/links", json!({}), 422, "url"),
        ("POST", "/links", json!({ "url": null }), 422, "url"),
        ("POST", "/links", json!({ "url": 5 }), 422, "url"),
        ("POST", "/links", json!({ "url": URL, "colour": "red" }), 422, "colour"),
        ("POST", "/links", json!({ "url": URL, "key": 5 }), 422, "key"),
        ("POST", "/links", json!({ "url": URL, "key": "" }), 422, "key"),
        ("POST", "/links", json!({ "url": URL, "key": "a//b" }), 422, "key"),
        ("POST", "/links", json!({ "url": URL, "key": "a\u{0}b" }), 422, "key"),
        ("POST", "/links", json!({ "url": URL, "key": long(191) }), 422, "key"),
        ("POST", "/links", json!({ "url": URL, "key": "taken" }), 409, "key"),
        ("POST", "/links", json!({ "url": URL, "key": "TAKEN" }), 409, "key"),
        (
            "POST",
            "/links",
            json!({ "url": URL, "externalId": "E" }),
            409,
            "externalId",
        ),
        (
            "POST",
            "/links",
            json!({ "url": URL, "keyLength": 2 }),
            422,
            "keyLength",
        ),
        (
            "POST",
            "/links",
            json!({ "url": URL, "keyLength": "7" }),
            422,
            "keyLength",
        ),
        (
            "POST",
            "/links",
            json!({ "url": URL, "domain": "other.example" }),
            422,
            "domain",
        ),
        (
            "POST",
            "/links",
            json!({ "url": URL, "partnerId": "pn_none" }),
            422,
            "partnerId",
        ),
        (
            "POST",
            "/links",
            json!({ "url": URL, "externalId": long(256) }),
            422,
            "externalId",
        ),
        (
            "POST",
            "/links",
            json!({ "url": URL, "tenantId": long(256) }),
            422,
            "tenantId",
        ),
        (
            "POST",
            "/links",
            json!({ "url": URL, "title": long(4097) }),
            422,
            "title",
        ),
        (
            "POST",
            "/links",
            json!({ "url": URL, "description": long(4097) }),
            422,
            "description",
        ),
        (
            "POST",
            "/links",
            json!({ "url": URL, "comments": long(4097) }),
            422,
            "comments",
        ),
        (
            "POST",
            "/links",
            json!({ "url": URL, "utm_source": long(256) }),
            422,
            "utm_source",
        ),
        (
            "POST",
            "/links",
            json!({ "url": URL, "utm_source": 5 }),
            422,
            "utm_source",
        ),
        (
            "POST",
            "/links",
            json!({ "url": URL, "archived": "yes" }),
            422,
            "archived",
        ),
        (
            "POST",
            "/links",
            json!({ "url": URL, "maxClicks": 0 }),
            422,
            "maxClicks",
        ),
        (
            "POST",
            "/links",
            json!({ "url": URL, "maxClicks": -1 }),
            422,
            "maxClicks",
        ),
        (
            "POST",
            "/links",
            json!({ "url": URL, "maxClicks": 1.5 }),
            422,
            "maxClicks",
        ),
        (
            "POST",
            "/links",
            json!({ "url": URL, "expiresAt": "soon" }),
            422,
            "expiresAt",
        ),
        (
            "POST",
            "/links",
            json!({ "url": URL, "expiredUrl": "ftp://x" }),
            422,
            "expiredUrl",
        ),
        ("POST", "/links", items(json!([])), 422, "cart.items"),
        ("POST", "/links", items(json!([{}])), 422, "cart.items[0].sku"),
        (
            "POST",
            "/links",
            items(json!([{ "sku": "NONE" }])),
            422,
            "cart.items[0].sku",
        ),
        (
            "POST",
            "/links",
            items(json!([{ "sku": "A", "variantId": 1 }])),
            422,
            "cart.items[0]",
        ),
        (
            "POST",
            "/links",
            items(json!([{ "variantId": "abc" }])),
            422,
            "cart.items[0].variantId",
        ),
        (
            "POST",
            "/links",
            items(json!([{ "variantId": 1, "quantity": 0 }])),
            422,
            "cart.items[0].quantity",
        ),
        (
            "POST",
            "/links",
            items(json!([{ "variantId": 1, "quantity": 100 }])),
            422,
            "cart.items[0].quantity",
        ),
        (
            "POST",
            "/links",
            items(json!([{ "variantId": 1, "quantity": "2" }])),
            422,
            "cart.items[0].quantity",
        ),
        (
            "POST",
            "/links",
            items(json!([{ "variantId": 1, "fallbacks": ["NONE"] }])),
            422,
            "cart.items[0].fallbacks[0]",
        ),
        (
            "POST",
            "/links",
            items(json!([{ "variantId": 1, "colour": "red" }])),
            422,
            "cart.items[0].colour",
        ),
        (
            "POST",
            "/links",
            items(json!(vec![json!({ "variantId": 1 }); 51])),
            422,
            "cart.items",
        ),
        (
            "POST",
            "/links",
            json!({ "cart": { "items": ok_items } }),
            422,
            "cart.storeId",
        ),
        (
            "POST",
            "/links",
            json!({ "cart": { "storeId": "store_none", "items": ok_items } }),
            422,
            "cart.storeId",
        ),
        (
            "POST",
            "/links",
            json!({ "cart": { "storeId": store, "items": ok_items, "discountCodes": ["A,B"] } }),
            422,
            "cart.discountCodes[0]",
        ),
        (
            "POST",
            "/links",
            json!({ "cart": { "storeId": store, "items": ok_items, "attributes": { "hop_id": "x" } } }),
            422,
            "cart.attributes",
        ),
        (
            "POST",
            "/links",
            json!({ "cart": { "storeId": store, "items": ok_items, "continueTo": "/x" } }),
            422,
            "cart.continueTo",
        ),
        (
            "POST",
            "/links",
            json!({ "cart": { "storeId": store, "items": ok_items, "note": long(2000) } }),
            422,
            "cart",
        ),
        (
            "PATCH",
            &format!("/links/{link}"),
            json!({ "keyLength": 5 }),
            422,
            "keyLength",
        ),
        ("PATCH", &format!("/links/{link}"), json!({ "url": "x" }), 422, "url"),
        ("PATCH", "/links/link_none", json!({ "title": "x" }), 404, ""),
        ("POST", "/links/bulk", json!({ "url": URL }), 422, "body"),
        ("POST", "/domains", json!({}), 422, "slug"),
        ("POST", "/domains", json!({ "slug": "https://x.example" }), 422, "slug"),
        (
            "POST",
            "/domains",
            json!({ "slug": "x.example", "consent": "maybe" }),
            422,
            "consent",
        ),
        ("POST", "/domains", json!({ "slug": "127.0.0.1" }), 409, "slug"),
        ("PATCH", "/domains/none.example", json!({ "archived": true }), 404, ""),
        ("POST", "/stores", json!({ "name": "x" }), 422, "provider"),
        ("POST", "/stores", json!({ "provider": "magento" }), 422, "provider"),
        (
            "POST",
            "/stores",
            json!({ "name": "x", "provider": "shopify", "baseUrl": URL, "currency": "EURO" }),
            422,
            "currency",
        ),
        (
            "POST",
            "/stores",
            json!({ "name": "", "provider": "shopify", "baseUrl": URL, "currency": "EUR" }),
            422,
            "name",
        ),
        (
            "POST",
            "/stores",
            json!({ "name": "x", "provider": "shopify", "baseUrl": "https://shop.example/?a=b", "currency": "EUR" }),
            422,
            "baseUrl",
        ),
        ("PATCH", "/stores/store_none", json!({ "name": "x" }), 404, ""),
        (
            "PATCH",
            &format!("/stores/{store}"),
            json!({ "provider": "template" }),
            422,
            "provider",
        ),
        (
            "PUT",
            "/products",
            json!({ "storeId": "store_none", "products": [] }),
            422,
            "storeId",
        ),
        ("PUT", "/products", json!({ "products": [] }), 422, "storeId"),
        ("PUT", "/products/stock", json!({ "storeId": store }), 422, "items"),
        ("POST", "/partners", json!({}), 422, "email"),
        ("POST", "/partners", json!({ "name": long(191) }), 422, "name"),
        ("POST", "/partners", json!({ "name": "x", "cost": "5" }), 422, "cost"),
        ("POST", "/partners", json!({ "name": "x", "cost": -1 }), 422, "cost"),
        (
            "POST",
            "/partners",
            json!({ "name": "x", "followers": -1 }),
            422,
            "followers",
        ),
        (
            "POST",
            "/partners",
            json!({ "name": "x", "colour": "red" }),
            422,
            "colour",
        ),
        ("POST", "/discount-codes", json!({ "code": "A" }), 422, "partnerId"),
        ("POST", "/discount-codes", json!({ "partnerId": partner }), 422, "code"),
        (
            "POST",
            "/discount-codes",
            json!({ "code": "", "partnerId": partner }),
            422,
            "code",
        ),
        (
            "POST",
            "/discount-codes",
            json!({ "code": "A,B", "partnerId": partner }),
            422,
            "code",
        ),
        (
            "POST",
            "/discount-codes",
            json!({ "code": "A", "partnerId": "pn_none" }),
            422,
            "partnerId",
        ),
        ("POST", "/workspaces", json!({}), 422, "name"),
        (
            "POST",
            "/keys",
            json!({ "name": "x", "workspaceId": "ws_none" }),
            422,
            "workspaceId",
        ),
        ("POST", "/keys", json!({ "name": " " }), 422, "name"),
        ("DELETE", "/keys/key_none", json!({}), 404, ""),
    ];
    for (method, target, body, status, field) in &table {
        let message = api.call(method, target, Some(body)).refusal(*status);
        let told = message.split(':').next().unwrap_or_default();
        assert!(
            field.is_empty() || told == *field,
            "{method} {target} {body}: {message}"
        );
    }
    api.code("MIA10", &partner);
    let again = json!({ "code": "mia10", "partnerId": partner });
    assert!(
        api.call("POST", "/discount-codes", Some(&again))
            .refusal(409)
            .starts_with("code:")
    );
    assert_eq!(api.get("/links/count"), 1, "nothing was made");
}

#[test]
fn what_is_not_json_is_400_and_errors_have_the_dialects_form() {
    let server = TestServer::with(|config| config.limits.api_bytes_max = 4096);
    let bearer = format!("Bearer {KEY}");
    let post = |body: &str| {
        let request = Request::new("POST", "/links")
            .header("Authorization", &bearer)
            .body(body);
        http::send(server.running().admin, &request)
    };
    for body in [
        "",
        "{",
        "{\"url\":",
        "not json",
        "{} x",
        "\u{feff}{}",
        "{\"url\": \"a\u{1}b\"}",
        "\"\\ud800\"",
    ] {
        let answer = post(body);
        assert_eq!(answer.status, 400, "{body:?}: {}", answer.text());
        let error = &answer.json()["error"];
        assert_eq!(error["code"], "bad_request");
        assert_eq!(error["doc_url"], "https://dub.co/docs/api-reference/errors#bad-request");
    }
    assert!([400, 413].contains(&post(&format!("{{\"url\": \"{}\"}}", "x".repeat(5000))).status));
    let deep = format!("{}{}", "[".repeat(2000), "]".repeat(2000));
    assert!([400, 422].contains(&post(&deep).status), "however deep");
    for (status, method, target, code) in [
        (404, "GET", "/links/link_none", "not_found"),
        (422, "GET", "/links?page=0", "unprocessable_entity"),
        (409, "POST", "/domains", "conflict"),
    ] {
        let body = json!({ "slug": "127.0.0.1" });
        let answer = server.api().call(method, target, (method == "POST").then_some(&body));
        assert_eq!(
            (answer.status, &answer.json()["error"]["code"]),
            (status, &json!(code)),
            "{target}"
        );
    }
}

#[test]
fn keys_are_asked_for_everywhere_and_a_wrong_one_opens_nothing() {
    let server = TestServer::start();
    let routes = [
        ("GET", "/links"),
        ("POST", "/links"),
        ("GET", "/links/info"),
        ("GET", "/links/count"),
        ("GET", "/links/exists"),
        ("POST", "/links/bulk"),
        ("GET", "/links/x"),
        ("PATCH", "/links/x"),
        ("DELETE", "/links/x"),
        ("GET", "/domains"),
        ("POST", "/domains"),
        ("PATCH", "/domains/x"),
        ("GET", "/stores"),
        ("POST", "/stores"),
        ("GET", "/stores/x"),
        ("PATCH", "/stores/x"),
        ("PUT", "/products"),
        ("GET", "/products"),
        ("PUT", "/products/stock"),
        ("GET", "/partners"),
        ("POST", "/partners"),
        ("GET", "/discount-codes"),
        ("POST", "/discount-codes"),
        ("GET", "/analytics"),
        ("GET", "/events"),
        ("GET", "/reports/performance"),
        ("GET", "/workspaces"),
        ("POST", "/workspaces"),
        ("GET", "/keys"),
        ("POST", "/keys"),
        ("DELETE", "/keys/x"),
    ];
    let long = format!("Bearer {}", "x".repeat(9_000));
    for prefix in ["", "/api"] {
        for (method, path) in routes {
            let target = format!("{prefix}{path}");
            let status = |authorization: Option<&str>| {
                let request = Request::new(method, &target);
                let request = authorization
                    .into_iter()
                    .fold(request, |request, text| request.header("Authorization", text));
                http::send(server.running().admin, &request).status
            };
            assert_eq!(status(None), 401, "{method} {target}");
            for (authorization, expected) in [
                ("Bearer wrong-key-0123456789", 401),
                ("Bearer ", 400),
                (long.as_str(), 401),
                (KEY, 400),
                ("Basic b3duZXI6a2V5", 400),
            ] {
                let found = status(Some(authorization));
                // Spaces at the end of a header are no part of it: "Bearer " may be read either way.
                let is_either = authorization == "Bearer " && found == 401;
                assert!(
                    found == expected || is_either,
                    "{method} {target} {authorization}: {found}"
                );
            }
        }
    }
}

#[test]
fn keys_work_from_their_making_to_their_revocation() {
    let server = TestServer::start();
    let owner = server.api();
    let issued = owner.post("/keys", &json!({ "name": "shop" }));
    let secret = issued["key"].as_str().expect("a key");
    let (random, others) = (secret.len(), owner.get("/keys").to_string());
    assert!(random >= 32, "190 bits at least: {random} characters");
    assert!(!others.contains(secret), "shown once");
    let hint = issued["hint"].as_str().expect("a hint");
    assert!(secret.starts_with(hint) && hint.len() < 12, "{hint}");
    let key = server.api_with(secret);
    assert_eq!(key.call("GET", "/links", None).status, 200);
    let mut corrupted = secret.to_owned();
    corrupted.pop();
    assert_eq!(server.api_with(&corrupted).call("GET", "/links", None).status, 401);
    let path = format!("/keys/{}", id_of(&issued));
    assert_eq!(owner.call("DELETE", &path, None).status, 200);
    assert_eq!(key.call("GET", "/links", None).status, 401, "at once");
    let listed = owner.get("/keys");
    let owners = listed.as_array().expect("keys").clone();
    assert_eq!(owners.len(), 1);
    let own = format!("/keys/{}", id_of(&owners[0]));
    assert_eq!(
        owner.call("DELETE", &own, None).refusal(403),
        "the owner's key cannot be revoked"
    );
}

#[test]
fn only_the_owner_opens_workspaces_and_makes_keys() {
    let server = TestServer::start();
    let brand = server.other_brand("Brand");
    let own_key = id_of(&brand.get("/keys")[0]);
    for (method, target, body) in [
        ("POST", "/workspaces".to_owned(), json!({ "name": "More" })),
        ("POST", "/keys".to_owned(), json!({ "name": "More" })),
        ("DELETE", format!("/keys/{own_key}"), json!({})),
    ] {
        brand.call(method, &target, Some(&body)).refusal(403);
    }
    let names = |api: &Api<'_>| -> Vec<String> {
        let listed = api.get("/workspaces");
        let listed = listed.as_array().expect("workspaces").clone();
        listed
            .iter()
            .map(|workspace| workspace["name"].as_str().expect("a name").to_owned())
            .collect()
    };
    assert_eq!(names(&brand), ["Brand"]);
    assert_eq!(names(&server.api()), ["Default", "Brand"]);
}

#[test]
fn a_brand_sees_and_touches_nothing_of_another() {
    let server = TestServer::start();
    let (a, b) = (server.api(), server.other_brand("Other"));
    let store = a.store();
    a.products(&store, &[("A", "1", Some(5))]);
    let partner = a.partner("Mia", "ceramics");
    a.code("MIA10", &partner);
    a.post("/domains", &json!({ "slug": "go.brand.example" }));
    let link = a.link(&json!({ "key": "a", "url": URL, "domain": "go.brand.example", "externalId": "E" }));
    let shared = a.link(&json!({ "key": "shared", "url": URL, "domain": "127.0.0.1" }));
    assert_eq!(server.follow("/shared").status, 302);
    eventually("a click of the first brand", || (a.clicks("") == 1).then_some(()));
    let (id, shared_id) = (id_of(&link), id_of(&shared));
    let mine = b.partner("Olaf", "ceramics");
    for (method, target, body, status) in [
        ("GET", format!("/links/{id}"), json!({}), 404),
        (
            "PATCH",
            format!("/links/{id}"),
            json!({ "url": "https://evil.example/" }),
            404,
        ),
        ("DELETE", format!("/links/{shared_id}"), json!({}), 404),
        ("GET", "/links/ext_E".to_owned(), json!({}), 404),
        ("GET", format!("/links/info?linkId={shared_id}"), json!({}), 404),
        (
            "GET",
            "/links/info?domain=127.0.0.1&key=shared".to_owned(),
            json!({}),
            404,
        ),
        (
            "GET",
            "/links/info?domain=go.brand.example&key=a".to_owned(),
            json!({}),
            422,
        ),
        (
            "GET",
            "/links/exists?domain=go.brand.example&key=a".to_owned(),
            json!({}),
            422,
        ),
        ("GET", "/links?domain=go.brand.example".to_owned(), json!({}), 422),
        ("GET", format!("/links?partnerId={partner}"), json!({}), 422),
        (
            "POST",
            "/links".to_owned(),
            json!({ "url": URL, "domain": "go.brand.example" }),
            422,
        ),
        (
            "POST",
            "/links".to_owned(),
            json!({ "url": URL, "partnerId": partner }),
            422,
        ),
        (
            "POST",
            "/links".to_owned(),
            json!({ "url": URL, "key": "shared", "domain": "127.0.0.1" }),
            409,
        ),
        (
            "POST",
            "/links".to_owned(),
            json!({ "cart": { "storeId": store, "items": [{ "variantId": 1 }] } }),
            422,
        ),
        ("GET", format!("/stores/{store}"), json!({}), 404),
        (
            "PATCH",
            format!("/stores/{store}"),
            json!({ "webhookSecrets": ["mine"] }),
            404,
        ),
        ("GET", format!("/products?storeId={store}"), json!({}), 422),
        (
            "PUT",
            "/products".to_owned(),
            json!({ "storeId": store, "products": [] }),
            422,
        ),
        (
            "PUT",
            "/products/stock".to_owned(),
            json!({ "storeId": store, "items": [{ "sku": "A", "stock": 0 }] }),
            422,
        ),
        (
            "POST",
            "/discount-codes".to_owned(),
            json!({ "code": "X", "partnerId": partner }),
            422,
        ),
        (
            "POST",
            "/discount-codes".to_owned(),
            json!({ "code": "X", "partnerId": mine, "linkId": id }),
            422,
        ),
        ("GET", format!("/discount-codes?partnerId={partner}"), json!({}), 422),
        (
            "POST",
            "/domains".to_owned(),
            json!({ "slug": "go.brand.example" }),
            409,
        ),
        (
            "PATCH",
            "/domains/go.brand.example".to_owned(),
            json!({ "archived": true }),
            404,
        ),
        ("GET", format!("/analytics?linkId={shared_id}"), json!({}), 404),
        ("GET", format!("/analytics?partnerId={partner}"), json!({}), 422),
        ("GET", "/analytics?domain=go.brand.example".to_owned(), json!({}), 422),
        (
            "GET",
            "/analytics?domain=127.0.0.1&key=shared".to_owned(),
            json!({}),
            404,
        ),
        ("GET", format!("/events?linkId={shared_id}"), json!({}), 404),
    ] {
        let answer = b.call(method, &target, (method != "GET").then_some(&body));
        assert_eq!(answer.status, status, "{method} {target}: {}", answer.text());
        assert!(
            !answer.text().contains("shop.example"),
            "{target} tells of the other's link"
        );
    }
    for target in [
        "/links",
        "/stores",
        "/domains",
        "/discount-codes",
        "/events?interval=all",
    ] {
        assert_eq!(b.get(target), json!([]), "{target}");
    }
    assert_eq!((b.clicks(""), b.get("/links/count")), (0, json!(0)));
    assert_eq!(b.get("/partners").as_array().map(Vec::len), Some(1));
    assert_eq!(b.get("/analytics?interval=all&groupBy=top_links"), json!([]));
    assert_eq!(b.report("niche", "ceramics").expect("its own")["clicks"], 0);
    let listed = a.get(&format!("/products?storeId={store}"));
    assert_eq!(listed[0]["stock"], 5, "untouched");
    // Codes are each brand's own.
    b.code("MIA10", &mine);
}

#[test]
fn no_entry_takes_a_destination_that_links_may_not_lead_to() {
    let server = TestServer::with(|config| {
        config.destinations.allow_private = false;
        config.public_url = Some("https://link.brand.example".to_owned());
    });
    let api = server.api();
    api.post("/domains", &json!({ "slug": "go.brand.example" }));
    let store = api.store();
    let link = api.link(&json!({ "key": "a", "url": URL }));
    let id = id_of(&link);
    let path = format!("/links/{id}");
    let cart = |url: &str| json!({ "cart": { "storeId": store, "items": [{ "variantId": 1 }] }, "stockPolicy": { "onOut": "drop", "redirectUrl": url } });
    let shop = |url: &str| json!({ "name": "x", "provider": "shopify", "currency": "EUR", "baseUrl": url });
    let rule = |url: &str| json!({ "url": URL, "rules": [{ "os": "iOS", "url": url }] });
    let variants =
        |url: &str| json!({ "testVariants": [{ "url": URL, "percentage": 50 }, { "url": url, "percentage": 50 }] });
    api.patch("/settings", &json!({ "appSchemes": ["myshop"] }));
    let hostile = hostile::destinations();
    assert!(hostile.len() >= 300, "{}", hostile.len());
    for url in hostile.iter().map(String::as_str) {
        // An empty text takes these away, as in the dialect.
        for (target, field) in [
            (path.as_str(), "ios"),
            (&path, "android"),
            (&path, "image"),
            (&path, "video"),
            ("/domains/go.brand.example", "notFoundUrl"),
            ("/domains/go.brand.example", "expiredUrl"),
        ] {
            if !url.is_empty() {
                let message = api.call("PATCH", target, Some(&json!({ field: url }))).refusal(422);
                assert!(message.starts_with(&format!("{field}: ")), "{field} {url:?}: {message}");
            }
        }
        for (method, target, body, field) in [
            ("POST", "/links", json!({ "url": url }), "url"),
            ("PATCH", path.as_str(), json!({ "url": url }), "url"),
            ("POST", "/links", json!({ "url": URL, "expiredUrl": url }), "expiredUrl"),
            ("PATCH", path.as_str(), json!({ "expiredUrl": url }), "expiredUrl"),
            ("PUT", "/links/upsert", json!({ "url": url }), "url"),
            (
                "PUT",
                "/links/upsert",
                json!({ "url": URL, "geo": { "DE": url } }),
                "geo.DE",
            ),
            ("POST", "/links", cart(url), "stockPolicy.redirectUrl"),
            ("PATCH", path.as_str(), json!({ "geo": { "DE": url } }), "geo.DE"),
            ("PATCH", path.as_str(), rule(url), "rules[0].url"),
            ("PATCH", path.as_str(), variants(url), "testVariants[1].url"),
            ("POST", "/stores", shop(url), "baseUrl"),
            (
                "PATCH",
                &format!("/stores/{store}"),
                json!({ "baseUrl": url }),
                "baseUrl",
            ),
        ] {
            let message = api.call(method, target, Some(&body)).refusal(422);
            assert!(
                message.starts_with(&format!("{field}: ")),
                "{method} {target} {url:?}: {message}"
            );
        }
        let data = json!({ "linkIds": [id], "data": rule(url) });
        let told = api.patch("/links/bulk", &data);
        let error = told[0]["error"].as_str().unwrap_or_default();
        assert!(error.starts_with("rules[0].url: "), "{url:?}: {told}");
    }
    for (said, field) in [
        (&(|url: &str| json!({ "url": url })) as &dyn Fn(&str) -> Value, "url"),
        (&|url: &str| json!({ "url": URL, "expiredUrl": url }), "expiredUrl"),
        (&rule, "rules[0].url"),
    ] {
        let all: Vec<Value> = hostile.iter().map(|url| said(url)).collect();
        let told = api.post("/links/bulk", &Value::Array(all.clone()));
        for dry_run in ["", "?dryRun=true"] {
            let told = api.post(&format!("/links/import{dry_run}"), &json!(all));
            for (url, result) in hostile.iter().zip(told["results"].as_array().expect("an array")) {
                assert_eq!(
                    (&result["status"], &result["field"]),
                    (&json!("failed"), &json!(field)),
                    "{url:?}: {result}"
                );
            }
        }
        for (url, told) in hostile.iter().zip(told.as_array().expect("an array")) {
            let error = told["error"].as_str().unwrap_or_default();
            assert!(error.starts_with(&format!("{field}: ")), "{url:?}: {told}");
        }
    }
    let after = api.get(&path);
    assert_eq!((&after["url"], &after["expiredUrl"]), (&json!(URL), &Value::Null));
    assert_eq!(api.get("/links/count"), 1);
    for url in [
        "https://shop.example/@creator",
        "http://shop.example:8080/x?y=z#w",
        "https://grün.example/ü",
        "HTTPS://Shop.Example",
    ] {
        assert_eq!(
            api.call("POST", "/links", Some(&json!({ "url": url }))).status,
            200,
            "{url}"
        );
    }
}

#[test]
fn an_allow_list_of_hosts_is_kept() {
    let server = TestServer::with(|config| config.destinations.allowed_hosts = vec!["Shop.example".to_owned()]);
    for (url, status) in [
        ("https://shop.example/", 200),
        ("https://eu.shop.example/", 200),
        ("https://shop.example.evil.example/", 422),
        ("https://notshop.example/", 422),
    ] {
        assert_eq!(
            server.api().call("POST", "/links", Some(&json!({ "url": url }))).status,
            status,
            "{url}"
        );
    }
}

#[test]
fn what_the_brand_made_is_there_after_a_restart() {
    let mut server = TestServer::start();
    let api = server.api();
    let partner = api.partner("Mia", "ceramics");
    let link = api.link(&json!({ "key": "mia", "url": URL, "partnerId": partner, "title": "T", "externalId": "E" }));
    let other = api.post("/workspaces", &json!({ "name": "Other" }));
    server.restart();
    let api = server.api();
    let mut same = api.get("/links/ext_E");
    for field in ["domain", "shortLink", "qrCode"] {
        same[field] = link[field].clone();
    }
    assert_eq!(same, link);
    assert_eq!(server.follow("/mia").status, 302);
    let key = other["key"].as_str().expect("a key");
    assert_eq!(server.api_with(key).get("/links"), json!([]));
}
