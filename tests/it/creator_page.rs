//! The signed page of a creator: theirs alone, readable by whoever has its address, until it ends or is taken back.

use serde_json::{Value, json};

use crate::http::{Answer, Request};
use crate::server::{IPHONE, SECRET, TestServer, delivery, eventually, id_of};

const DAY: i64 = 24 * 60 * 60 * 1000;

/// Mia and Ben, who share a store; Mia is followed three times and sells once, Ben is followed and sells once.
struct Brand {
    server: TestServer,
    mia: String,
    ben: String,
}

fn brand() -> Brand {
    let server = TestServer::start();
    server.clock.advance(-DAY);
    let api = server.api();
    let store = api.store();
    let [mia, ben] = [("Mia <script>", "clay"), ("Benedikt", "wood")].map(|(name, niche)| api.partner(name, niche));
    for (key, partner) in [("mias-link", &mia), ("bens-link", &ben)] {
        api.link(
            &json!({ "key": key, "partnerId": partner, "contentId": format!("{key}-video"),
            "cart": { "storeId": store, "items": [{ "variantId": 1 }] } }),
        );
    }
    let follow = |key: &str, person: u8| {
        let request = Request::get(&format!("/{key}"))
            .header("User-Agent", IPHONE)
            .header("X-Forwarded-For", &format!("10.1.1.{person}"));
        let location = server.send(&request).location().to_owned();
        let from = location.find("hop_id%5D=").expect("a click id") + "hop_id%5D=".len();
        location[from..from + 32].to_owned()
    };
    let clicks = [1, 2, 3].map(|person| follow("mias-link", person));
    let bens = follow("bens-link", 4);
    eventually("four clicks", || (api.clicks("") == 4).then_some(()));
    for (number, click, customer) in [(1, &clicks[0], 70_707), (2, &bens, 80_808)] {
        let text = include_str!("../../fixtures/shopify/orders_paid.json");
        let mut order: Value = serde_json::from_str(text).expect("JSON");
        order["id"] = json!(number);
        order["processed_at"] = json!("2026-11-20T10:05:00Z");
        order["customer"] = json!({ "id": customer });
        order["note_attributes"] = json!([{ "name": "hop_id", "value": click }]);
        order["discount_codes"] = json!([]);
        let sent = delivery(&store, "orders/paid", &format!("d{number}"), &order, SECRET);
        assert_eq!(server.send(&sent).status, 200);
    }
    drop(api);
    Brand { server, mia, ben }
}

impl Brand {
    /// A link to a creator's page: its answer and the path of the page.
    fn share(&self, partner: &str, body: &Value) -> (Value, String) {
        let made = self
            .server
            .api()
            .post(&format!("/partners/{partner}/report-links"), body);
        let url = made["url"].as_str().unwrap_or_else(|| panic!("{made}"));
        let path = url.find("/_/creator/").map(|from| url[from..].to_owned());
        (made, path.expect("the public path"))
    }

    fn read(&self, path: &str) -> Answer {
        self.server.send(&Request::get(path))
    }
}

#[test]
fn a_creator_reads_their_own_numbers_and_nothing_else() {
    let brand = brand();
    let (made, path) = brand.share(&brand.mia, &json!({}));
    assert_eq!(made["expiresAt"], "2027-02-18T10:30:00.000Z");
    let answer = brand.read(&path);
    assert_eq!(answer.status, 200);
    for (name, value) in [
        ("cache-control", "private, no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-robots-tag", "noindex"),
        ("x-content-type-options", "nosniff"),
        ("content-type", "text/html; charset=utf-8"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
    let policy = answer.header("content-security-policy").expect("a policy");
    assert!(
        policy.contains("default-src 'none'") && policy.contains("form-action 'none'"),
        "{policy}"
    );
    let page = answer.text();
    let row = brand.server.api().report("creator", &brand.mia).expect("Mia");
    assert_eq!(
        (&row["clicks"], &row["orders"], &row["netRevenue"]),
        (&json!(3), &json!(1), &json!(5_382))
    );
    for part in [
        "Mia &lt;script&gt;",
        "<dd class=\"figure\">3</dd>",
        "<dd class=\"figure\">1</dd>",
        "<dd class=\"figure\">53.82</dd>",
        "<dd class=\"figure\">33.3%</dd>",
        "mias-link",
        "mias-link-video",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let spend = "20.00";
    for word in [
        "Benedikt",
        "bens-link",
        "wood",
        "70707",
        "80808",
        spend,
        "pn_",
        "ord_",
        "link_",
        "<script>",
    ] {
        assert!(!page.contains(word), "{word}: {page}");
    }
    let sheet = page
        .split("href=\"/_/style-")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .expect("a sheet");
    let sheet = brand.read(&format!("/_/style-{sheet}"));
    assert_eq!(
        (sheet.status, sheet.header("content-type")),
        (200, Some("text/css; charset=utf-8"))
    );
    assert!(brand.read(&format!("{path}?interval=all")).text().contains("All time"));
    assert!(
        brand
            .read(&format!("{path}?interval=moon"))
            .text()
            .contains("Last 30 days")
    );
    let head = brand.server.send(&Request::new("HEAD", &path));
    assert_eq!((head.status, head.text().len()), (200, 0));
    assert_eq!(brand.server.send(&Request::new("POST", &path)).status, 405);
}

#[test]
fn what_is_forged_leads_nowhere_and_what_is_over_is_gone() {
    let brand = brand();
    let (made, path) = brand.share(&brand.mia, &json!({ "days": 2 }));
    let (other, second) = brand.share(&brand.mia, &json!({}));
    assert_ne!(path, second);
    // The last character but one: some bits of the last one itself are padding.
    let at = path.len() - 2;
    let other_one = if path[at..].starts_with('A') { "B" } else { "A" };
    let forged = format!("{}{other_one}{}", &path[..at], &path[at + 1..]);
    assert_ne!(forged, path);
    for wrong in [
        forged.as_str(),
        "/_/creator/",
        "/_/creator/abc",
        &format!("{path}A"),
        &path[..path.len() - 1],
    ] {
        let answer = brand.read(wrong);
        assert_eq!(answer.status, 404, "{wrong}");
        assert_eq!(answer.header("cache-control"), Some("private, no-store"));
        assert!(!answer.text().contains("Mia"));
    }
    let target = format!("/partners/{}/report-links", brand.mia);
    let api = brand.server.api();
    let wrong_owner = format!("/partners/{}/report-links/{}", brand.ben, id_of(&other));
    assert_eq!(api.call("DELETE", &wrong_owner, None).status, 404);
    assert_eq!(brand.read(&second).status, 200);
    let revoke = format!("{target}/{}", id_of(&other));
    let first = api.call("DELETE", &revoke, None).json();
    brand.server.clock.advance(1_000);
    let again = api.call("DELETE", &revoke, None).json();
    assert_eq!(
        (&first["url"], &first["revokedAt"]),
        (&Value::Null, &again["revokedAt"])
    );
    let gone = brand.read(&second);
    assert_eq!(
        (gone.status, gone.header("referrer-policy")),
        (410, Some("no-referrer"))
    );
    assert!(!gone.text().contains("Mia"));
    assert_eq!(brand.read(&path).status, 200, "the other one is still good");
    brand.server.clock.advance(2 * DAY);
    assert_eq!(brand.read(&path).status, 410);
    let listed = api.get(&target);
    let urls: Vec<&Value> = listed
        .as_array()
        .expect("links")
        .iter()
        .map(|link| &link["url"])
        .collect();
    assert_eq!(urls, [&Value::Null, &Value::Null]);
    assert_eq!(listed[1]["id"], made["id"]);
}

#[test]
fn links_are_bounded_and_the_brands_own() {
    let brand = brand();
    let target = format!("/partners/{}/report-links", brand.mia);
    let api = brand.server.api();
    for days in [json!({ "days": 0 }), json!({ "days": 367 })] {
        let refused = api.call("POST", &target, Some(&days)).refusal(422);
        assert!(refused.starts_with("days: must be"), "{refused}");
    }
    for _ in 0..20 {
        api.post(&target, &json!({}));
    }
    assert_eq!(api.call("POST", &target, Some(&json!({}))).status, 409);
    let theirs = brand.server.other_brand("Theirs");
    assert_eq!(theirs.call("POST", &target, Some(&json!({}))).status, 404);
    assert_eq!(theirs.call("GET", &target, None).status, 404);
}

#[test]
fn whoever_asks_too_often_is_told_to_wait() {
    let brand = brand();
    let (_, path) = brand.share(&brand.mia, &json!({}));
    let read = |address: &str, path: &str| {
        let request = Request::get(path).header("X-Forwarded-For", address);
        brand.server.send(&request).status
    };
    let statuses: Vec<u16> = (0..61).map(|_| read("198.51.100.7", "/_/creator/wrong")).collect();
    assert_eq!((statuses[59], statuses[60]), (404, 429));
    assert_eq!(read("198.51.100.7", &path), 429, "also with the right address");
    assert_eq!(read("198.51.100.8", &path), 200);
    brand.server.clock.advance(60_000);
    assert_eq!(read("198.51.100.7", &path), 200);
}
