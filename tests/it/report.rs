//! The performance report by every group: clicks, taps and money fall under the right key, and add up to the same.

use serde_json::{Value, json};

use crate::http::Request;
use crate::server::{IPHONE, SECRET, TestServer, delivery, eventually, id_of};

/// Net revenue of the fixture's order.
const REVENUE: i64 = 5382;

struct Brand {
    server: TestServer,
    stores: [String; 2],
    links: Vec<String>,
}

/// Two stores; Mia (nano, TikTok) and Ben (macro, YouTube, no niche) with a link each, and a link of nobody's. Ben and
/// nobody are followed once, Mia three times; Mia's followers order twice, Ben's once and it is refunded whole.
fn brand() -> Brand {
    let server = TestServer::start();
    let api = server.api();
    let stores = [api.store(), api.store()];
    let mia = json!({ "name": "Mia", "niche": "ceramics", "platform": "tiktok", "followers": 9_999, "cost": 1_000 });
    let ben = json!({ "name": "=Ben()", "platform": "youtube", "followers": 500_000, "cost": 50_000 });
    let partners = [mia, ben].map(|body| id_of(&api.post("/partners", &body)));
    let cart = |store: &str| json!({ "storeId": store, "items": [{ "variantId": 1 }] });
    let links = vec![
        id_of(&api.link(&json!({ "key": "mia", "partnerId": partners[0], "cart": cart(&stores[0]) }))),
        id_of(&api.link(&json!({ "key": "ben", "partnerId": partners[1], "cart": cart(&stores[1]) }))),
        id_of(&api.link(&json!({ "key": "plain", "url": "https://shop.example/" }))),
    ];
    let follow = |key: &str| {
        let answer = server.send(&Request::get(&format!("/{key}")).header("User-Agent", IPHONE));
        server.clock.advance(11_000);
        let location = answer.location().to_owned();
        let from = location.find("hop_id%5D=").map(|from| from + 10);
        from.map(|from| location[from..from + 32].to_owned())
            .unwrap_or_default()
    };
    let clicks: Vec<String> = ["mia", "mia", "mia", "ben", "plain"].into_iter().map(follow).collect();
    eventually("five clicks", || (api.clicks("") == 5).then_some(()));
    for (place, (store, click, customer)) in [(0, &clicks[0], 7), (0, &clicks[1], 7), (1, &clicks[3], 8)]
        .into_iter()
        .enumerate()
    {
        let mut order: Value =
            serde_json::from_str(include_str!("../../fixtures/shopify/orders_paid.json")).expect("JSON");
        order["id"] = json!(1_000 + place);
        order["processed_at"] = json!(format!("2026-11-20T10:0{place}:00Z"));
        order["customer"] = json!({ "id": customer });
        order["note_attributes"] = json!([{ "name": "hop_id", "value": click }]);
        order["discount_codes"] = json!([]);
        if place == 2 {
            order["cancelled_at"] = json!("2026-11-20T12:00:00Z");
        }
        let sent = delivery(&stores[store], "orders/paid", &format!("d-{place}"), &order, SECRET);
        assert_eq!(server.send(&sent).status, 200);
    }
    Brand { server, stores, links }
}

/// Keys with clicks, orders, net revenue and spend, in the answer's order.
fn rows(brand: &Brand, query: &str) -> Vec<(String, i64, i64, i64, i64)> {
    let answer = brand
        .server
        .api()
        .get(&format!("/reports/performance?interval=all&{query}"));
    let rows = answer.as_array().expect("rows");
    let figure = |row: &Value, name: &str| row[name].as_i64().expect("a number");
    rows.iter()
        .map(|row| {
            let key = row["key"].as_str().expect("a key").to_owned();
            let all = ["clicks", "orders", "netRevenue", "spend"].map(|name| figure(row, name));
            (key, all[0], all[1], all[2], all[3])
        })
        .collect()
}

#[test]
fn every_group_has_its_own_and_all_of_it_is_somewhere() {
    let brand = brand();
    let row = |key: &str, clicks, orders, net, spend| (key.to_owned(), clicks, orders, net, spend);
    let (mia, ben) = ([3, 2, 2 * REVENUE, 1_000], [1, 1, 0, 50_000]);
    for (query, first, second, none) in [
        ("groupBy=tier", "nano", "macro", row("(none)", 1, 0, 0, 0)),
        ("groupBy=platform", "tiktok", "youtube", row("(none)", 1, 0, 0, 0)),
    ] {
        let expected = [
            row(first, mia[0], mia[1], mia[2], mia[3]),
            row(second, ben[0], ben[1], ben[2], ben[3]),
            none,
        ];
        let mut found = rows(&brand, query);
        found[1..].sort_by_key(|row| row.0 == "(none)");
        assert_eq!(found, expected, "{query}");
    }
    // Ben has no niche: he is among nobody's. What was paid for a creator was paid for no link or store alone.
    assert_eq!(rows(&brand, "groupBy=niche")[1], row("(none)", 2, 1, 0, 50_000));
    let [link, other] = [&brand.links[0], &brand.links[1]];
    let by_link = rows(&brand, "groupBy=link&sortBy=clicks");
    assert_eq!(by_link[0], row(link, 3, 2, 2 * REVENUE, 0));
    assert!(by_link.contains(&row(other, 1, 1, 0, 0)) && by_link.contains(&row(&brand.links[2], 1, 0, 0, 0)));
    let by_store = rows(&brand, "groupBy=store&sortBy=orders");
    assert_eq!(by_store[0], row(&brand.stores[0], 3, 2, 2 * REVENUE, 0));
    assert_eq!(by_store[1], row(&brand.stores[1], 1, 1, 0, 0));

    let answer = brand.server.api().get("/reports/performance?interval=all&groupBy=tier");
    let nano = &answer[0];
    assert_eq!(
        (&nano["newCustomers"], &nano["returningCustomers"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(nano["averageOrder"], json!(5382.0));
    assert_eq!(nano["roas"], json!(10.764));
    let refused = brand
        .server
        .api()
        .call("GET", "/reports/performance?groupBy=moon", None)
        .refusal(422);
    assert!(refused.starts_with("groupBy:"), "{refused}");
}

#[test]
fn a_table_can_be_opened_in_a_spreadsheet() {
    let brand = brand();
    let answer = brand
        .server
        .api()
        .call("GET", "/reports/performance?interval=all&format=csv&sortBy=roi", None);
    assert_eq!(answer.header("content-type"), Some("text/csv; charset=utf-8"));
    let text = answer.text();
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines[0].starts_with("key,name,clicks,uniqueVisitors,checkoutTaps,orders,"),
        "{text}"
    );
    assert!(lines[1].contains(",Mia,3,"), "the best return first: {text}");
    assert!(text.contains(",'=Ben(),1,"), "no formula of a name: {text}");
    assert_eq!(lines.len(), 4);
}
