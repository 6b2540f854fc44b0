//! Single-use codes: a pool is filled, each follower gets one of their own, programs get the creator's, and the order that
//! shows one names the click that it was handed out on.

use serde_json::{Value, json};

use crate::http::{self, Answer, Request};
use crate::server::{Api, IPHONE, KEY, SECRET, TestServer, delivery, eventually, id_of};

const HOUR: i64 = 60 * 60 * 1000;

/// A brand with Mia, her code, a pool of her codes and a link that uses it.
struct Brand {
    server: TestServer,
    store: String,
    mia: String,
    pool: String,
    orders: std::cell::Cell<u32>,
}

impl Brand {
    fn with(codes: &[&str], landing: &str) -> Self {
        let server = TestServer::start();
        let api = server.api();
        let store = api.store();
        let mia = api.partner("Mia", "ceramics");
        api.code("MIA10", &mia);
        let body = json!({ "name": "Spring, 10 off", "storeId": store, "partnerId": mia });
        let pool = id_of(&api.post("/discount-codes/pools", &body));
        if !codes.is_empty() {
            api.post(
                &format!("/discount-codes/pools/{pool}/codes"),
                &json!({ "codes": codes }),
            );
        }
        let link = api.link(&json!({ "key": "mia", "partnerId": mia, "cart": { "storeId": store,
            "items": [{ "variantId": 44017 }], "discountCodes": ["MIA10"], "codePoolId": pool, "landing": landing } }));
        assert_eq!(link["cart"]["codePoolId"], pool.as_str());
        drop(api);
        Self {
            server,
            store,
            mia,
            pool,
            orders: std::cell::Cell::new(0),
        }
    }

    fn api(&self) -> Api<'_> {
        self.server.api()
    }

    fn upload(&self, codes: &[&str]) -> Value {
        let path = format!("/discount-codes/pools/{}/codes", self.pool);
        self.api().post(&path, &json!({ "codes": codes }))
    }

    fn counts(&self) -> (u64, u64, u64, u64) {
        let pool = self.api().get(&format!("/discount-codes/pools/{}", self.pool));
        let count = |name: &str| pool[name].as_u64().unwrap_or_else(|| panic!("{pool}"));
        (count("remaining"), count("leased"), count("given"), count("used"))
    }

    /// A person on this address follows the link, without a cookie.
    fn follow_from(&self, address: &str) -> Answer {
        self.server.send(&person(address))
    }

    /// The shop tells of a paid order with this code at this minute; its public id.
    fn order(&self, minute: u32, code: &str, customer: u64) -> String {
        self.orders.set(self.orders.get() + 1);
        let number = self.orders.get();
        let text = include_str!("../../fixtures/shopify/orders_paid.json");
        let mut order: Value = serde_json::from_str(text).expect("JSON");
        order["id"] = json!(number);
        order["processed_at"] = json!(format!("2026-11-21T10:{minute:02}:00Z"));
        order["note_attributes"] = json!([]);
        order["discount_codes"] = json!([{ "code": code }]);
        order["customer"] = json!({ "id": customer });
        let sent = delivery(&self.store, "orders/paid", &format!("d{number}"), &order, SECRET);
        assert_eq!(self.server.send(&sent).status, 200);
        let listed = self.api().get("/orders?pageSize=100");
        let external_id = number.to_string();
        let mut told = listed.as_array().expect("orders").iter();
        id_of(
            told.find(|order| order["externalId"] == external_id.as_str())
                .expect("the order"),
        )
    }

    fn metrics(&self) -> String {
        http::send(self.server.running().admin, &Request::get("/metrics")).text()
    }
}

fn person(address: &str) -> Request {
    Request::get("/mia")
        .header("User-Agent", IPHONE)
        .header("X-Forwarded-For", address)
}

/// The code in a location, and the click id.
fn code_of(answer: &Answer) -> (String, Option<String>) {
    let location = answer.location();
    let after = |name: &str| {
        let rest = &location[location.find(name)? + name.len()..];
        Some(rest.split('&').next().unwrap_or_default().to_owned())
    };
    (after("discount=").expect("a code"), after("hop_id%5D="))
}

#[test]
fn each_follower_gets_a_code_of_their_own_and_its_order_names_the_click() {
    let brand = Brand::with(&["SPRING-0001", "SPRING-0002", "SPRING-0003"], "direct");
    let first = brand.follow_from("198.51.100.1");
    let (code, click) = code_of(&first);
    assert_eq!((first.status, code.as_str()), (303, "SPRING-0001"));

    // The same visitor gets the same: by the cookie, and without one by address and browser.
    let again = brand
        .server
        .send(&person("203.0.113.99").header("Cookie", first.cookie()));
    assert_eq!(code_of(&again).0, code);
    assert_eq!(code_of(&brand.follow_from("198.51.100.1")).0, code);
    // Programs, those who only look ahead, tests and those who are not to be known get the creator's and use nothing up.
    for (name, request) in [
        ("a bot", Request::get("/mia").header("User-Agent", "Twitterbot/1.0")),
        ("HEAD", Request::new("HEAD", "/mia").header("User-Agent", IPHONE)),
        ("a prefetch", person("198.51.100.2").header("Sec-Purpose", "prefetch")),
        ("a test", person("198.51.100.2").header("X-Hopcart-Test", KEY)),
        ("an opt-out", person("198.51.100.2").header("Sec-GPC", "1")),
    ] {
        assert_eq!(code_of(&brand.server.send(&request)).0, "MIA10", "{name}");
    }
    assert_eq!(code_of(&brand.follow_from("198.51.100.2")).0, "SPRING-0002");

    // The order shows the code and no click id: the click, its journey and the credit come with the code.
    let order = brand.order(31, &code.to_lowercase(), 1);
    let told = brand.api().get(&format!("/orders/{order}/journey"));
    assert_eq!(
        (
            &told["credit"]["state"],
            &told["credit"]["by"],
            &told["credit"]["partnerId"]
        ),
        (&json!("credited"), &json!("single_use_code"), &json!(brand.mia)),
        "{told}"
    );
    let evidence = &told["evidence"][0];
    assert_eq!(
        (&evidence["kind"], &evidence["why"]),
        (&json!("single_use_code"), &json!("used"))
    );
    assert_eq!(evidence["clickId"].as_str(), click.as_deref(), "{evidence}");
    assert_eq!(
        (&told["touches"][0]["kind"], &told["flags"]),
        (&json!("click"), &json!([]))
    );
    assert_eq!(brand.counts(), (0, 1, 2, 1));
    brand.server.clock.advance(HOUR);
    let row = brand.api().report("code", &brand.pool).expect("the pool's row");
    assert_eq!(
        (&row["name"], &row["orders"]),
        (&json!("Spring, 10 off"), &json!(1)),
        "{row}"
    );

    // Whoever has bought with a code gets another one the next time.
    let next = brand
        .server
        .send(&person("203.0.113.99").header("Cookie", first.cookie()));
    assert_eq!(code_of(&next).0, "SPRING-0003");
}

#[test]
fn a_code_that_a_second_customer_uses_is_held_whichever_order_is_told_first() {
    let brand = Brand::with(&["SPRING-0001"], "direct");
    let code = code_of(&brand.follow_from("198.51.100.1")).0;
    let state = |order: &str| {
        let told = brand.api().get(&format!("/orders/{order}/journey"));
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        (
            text(&told["credit"]["state"]),
            told["evidence"][0]["leakSignals"].clone(),
        )
    };
    let later = brand.order(40, &code, 2);
    assert_eq!(state(&later), ("credited".to_owned(), json!([])));
    let own = brand.order(35, &code, 2);
    assert_eq!(state(&later), ("credited".to_owned(), json!([])), "the same customer's");
    let first = brand.order(33, &code, 1);
    assert_eq!(state(&first), ("credited".to_owned(), json!([])));
    for order in [&own, &later] {
        assert_eq!(state(order), ("held".to_owned(), json!(["used_twice"])));
        let flags = brand.api().get(&format!("/orders/{order}"))["flags"].clone();
        assert_eq!(flags, json!(["leaked_code"]));
    }
    brand
        .api()
        .post(&format!("/orders/{own}/credit"), &json!({ "decision": "release" }));
    assert_eq!(state(&own).0, "credited");
}

#[test]
fn an_empty_pool_falls_back_to_the_creators_code_and_is_told() {
    let brand = Brand::with(&["SPRING-0001"], "direct");
    let one = brand.follow_from("198.51.100.1");
    assert_eq!(code_of(&one).0, "SPRING-0001");
    assert_eq!(code_of(&brand.follow_from("198.51.100.2")).0, "MIA10");
    eventually("the alarm", || {
        let metrics = brand.metrics();
        metrics.contains("hopcart_code_pools_empty 1").then_some(())
    });
    let metrics = brand.metrics();
    let remaining = format!("hopcart_code_pool_remaining{{pool=\"{}\"}} 0", brand.pool);
    for line in [
        "hopcart_single_use_codes_total{outcome=\"given\"} 1",
        "hopcart_single_use_codes_total{outcome=\"empty\"} 1",
        remaining.as_str(),
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    // What is uploaded can be had at once.
    assert_eq!(brand.upload(&["SPRING-0002"])["added"], 1);
    assert_eq!(code_of(&brand.follow_from("198.51.100.2")).0, "SPRING-0002");
    assert_eq!(
        code_of(&brand.server.send(&person("203.0.113.1").header("Cookie", one.cookie()))).0,
        "SPRING-0001"
    );
}

#[test]
fn restarts_repeat_no_code_and_forget_no_follower_of_the_day() {
    let codes: Vec<String> = (0..40).map(|no| format!("SPRING-{no:04}")).collect();
    let mut brand = Brand::with(&codes.iter().map(String::as_str).collect::<Vec<_>>(), "direct");
    let first = brand.follow_from("198.51.100.1");
    let mut seen = vec![code_of(&first).0];
    for round in 2..6 {
        brand.server.restart();
        assert_eq!(
            brand.counts(),
            (40 - 32 - (round - 1), 32, round - 1, 0),
            "round {round}"
        );
        seen.push(code_of(&brand.follow_from(&format!("198.51.100.{round}"))).0);
        let again = brand
            .server
            .send(&person("203.0.113.99").header("Cookie", first.cookie()));
        assert_eq!(code_of(&again).0, seen[0]);
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 5);
    // A day later it is another one, and the visitors are forgotten.
    brand.server.clock.advance(25 * HOUR);
    let next_day = brand
        .server
        .send(&person("203.0.113.99").header("Cookie", first.cookie()));
    assert!(!seen.contains(&code_of(&next_day).0));
}

#[test]
fn the_tap_on_a_landing_page_carries_the_code() {
    let brand = Brand::with(&["SPRING-0001", "SPRING-0002"], "page");
    let page = brand.follow_from("198.51.100.1");
    assert_eq!(
        (page.status, brand.counts().2),
        (200, 0),
        "who only looks uses nothing up"
    );
    assert!(!page.text().contains("MIA10"), "which code it is is not known yet");
    let text = page.text();
    let from = text.find("name=\"token\" value=\"").expect("a token") + 20;
    let token = &text[from..from + text[from..].find('"').expect("its end")];
    let tap = |cookie: &str, agent: &str| {
        let request = Request::new("POST", "/_/go")
            .header("Content-Type", "application/x-www-form-urlencoded")
            .header("User-Agent", agent)
            .header("Cookie", cookie)
            .body(format!("token={token}&q0=1"));
        brand.server.send(&request)
    };
    assert_eq!(code_of(&tap("", "Twitterbot/1.0")).0, "MIA10");
    let tapped = tap(page.cookie(), IPHONE);
    assert_eq!((tapped.status, code_of(&tapped).0.as_str()), (303, "SPRING-0001"));
    assert_eq!(code_of(&tap(page.cookie(), IPHONE)).0, "SPRING-0001");
    let order = brand.order(31, "SPRING-0001", 1);
    let told = brand.api().get(&format!("/orders/{order}/journey"));
    assert_eq!(told["evidence"][0]["clickId"].as_str(), code_of(&tapped).1.as_deref());
}

#[test]
fn uploads_tell_what_became_of_each_row() {
    let brand = Brand::with(&["SPRING-0001"], "direct");
    let api = brand.api();
    let told = brand.upload(&[
        "SPRING-0002",
        "spring-0001",
        "SPRING-0002",
        "short",
        "MIA10-MIA10",
        "with blank",
    ]);
    assert_eq!(
        (&told["rows"], &told["added"], &told["known"], &told["failed"]),
        (&json!(6), &json!(2), &json!(2), &json!(2)),
        "{told}"
    );
    assert_eq!(
        (&told["duplicates"][0]["row"], &told["errors"][0]["row"]),
        (&json!(1), &json!(3))
    );
    let codes = format!("/discount-codes/pools/{}/codes", brand.pool);
    let csv = |query: &str, text: &str| {
        let request = Request::new("POST", &format!("{codes}{query}"))
            .header("Authorization", &format!("Bearer {KEY}"))
            .header("Content-Type", "text/csv")
            .body(text);
        http::send(brand.server.running().admin, &request)
    };
    let dry = csv(
        "?dryRun=true",
        "code,expiresAt\nSPRING-0003,2026-12-31\nSPRING-0004,2020-01-01\n",
    )
    .json();
    assert_eq!(
        (&dry["added"], &dry["errors"][0]["line"]),
        (&json!(1), &json!(3)),
        "{dry}"
    );
    assert_eq!(csv("", "code\nSPRING-0003\n").json()["added"], 1);
    let counts = brand.counts();
    assert_eq!(counts.0 + counts.1, 4);
    assert_eq!(
        csv("", "code\nSPRING-0003\n").json()["known"],
        1,
        "sent again, it does no harm"
    );

    // One code is one thing: a creator's is no pool's, and the other way round.
    api.code("MIA10-OWN-CODE", &brand.mia);
    let post = |path: &str, body: Value| api.call("POST", path, Some(&body)).refusal(422);
    let said = post(&codes, json!({ "codes": ["mia10-own-code"] }));
    assert!(said.starts_with("codes[0].code: is a partner's own code"), "{said}");
    let said = post(
        "/discount-codes",
        json!({ "code": "SPRING-0001", "partnerId": brand.mia }),
    );
    assert!(said.starts_with("code: is a single-use code"), "{said}");
    for (body, field) in [
        (json!({ "name": "", "storeId": brand.store }), "name"),
        (json!({ "name": "x", "storeId": "store_x" }), "storeId"),
        (
            json!({ "name": "x", "storeId": brand.store, "partnerId": "pn_x" }),
            "partnerId",
        ),
    ] {
        let said = post("/discount-codes/pools", body);
        assert!(said.starts_with(field), "{said}");
    }
    let other = brand.server.other_brand("Other");
    let theirs = other.call("GET", &format!("/discount-codes/pools/{}", brand.pool), None);
    assert_eq!((theirs.status, other.get("/discount-codes/pools")), (404, json!([])));
}

#[test]
fn links_use_pools_of_their_store_and_partner() {
    let brand = Brand::with(&["SPRING-0001", "SPRING-0002"], "direct");
    let api = brand.api();
    let ben = api.partner("Ben", "ceramics");
    let cart = |store: &str| json!({ "storeId": store, "items": [{ "variantId": 1 }], "discountCodes": ["MIA10"], "codePoolId": brand.pool });
    let refused = |body: Value| api.call("POST", "/links", Some(&body)).refusal(422);
    let second = json!({ "name": "Two", "provider": "shopify", "baseUrl": "https://two.example", "currency": "EUR" });
    let second = id_of(&api.post("/stores", &second));
    for (body, why) in [
        (
            json!({ "key": "b", "partnerId": ben, "cart": cart(&brand.store) }),
            "is a pool of another partner",
        ),
        (
            json!({ "key": "b", "partnerId": brand.mia, "cart": cart(&second) }),
            "is a pool of another store",
        ),
        (
            json!({ "key": "b", "cart": { "storeId": second, "items": [{ "variantId": 1 }], "codePoolId": "cpool_x" } }),
            "is not a code pool",
        ),
    ] {
        let said = refused(body);
        assert!(said.starts_with("cart.codePoolId: ") && said.contains(why), "{said}");
    }
    let moved = api.call("PATCH", "/links/link_x", Some(&json!({})));
    assert_eq!(moved.status, 404);
    let link = api.get("/links/info?domain=127.0.0.1&key=mia");
    let to_ben = json!({ "partnerId": ben });
    let said = api
        .call("PATCH", &format!("/links/{}", id_of(&link)), Some(&to_ben))
        .refusal(422);
    assert!(said.starts_with("cart.codePoolId"), "{said}");

    // A deleted pool hands nothing out; what it handed out still says whose an order is.
    let code = code_of(&brand.follow_from("198.51.100.1")).0;
    api.call("DELETE", &format!("/discount-codes/pools/{}", brand.pool), None);
    assert_eq!(code_of(&brand.follow_from("198.51.100.1")).0, "MIA10");
    let order = api.get(&format!("/orders/{}", brand.order(31, &code, 1)));
    assert_eq!(order["credit"]["by"], "single_use_code");
    let link = api.get("/links/info?domain=127.0.0.1&key=mia");
    assert_eq!(
        (&link["cart"]["codePoolId"], api.get("/discount-codes/pools")),
        (&json!(null), json!([]))
    );
}

#[test]
fn a_pool_of_everybody_credits_the_links_partner_and_variants_have_pools_of_their_own() {
    let brand = Brand::with(&[], "direct");
    let api = brand.api();
    let ben = api.partner("Ben", "ceramics");
    let pool = id_of(&api.post(
        "/discount-codes/pools",
        &json!({ "name": "All", "storeId": brand.store }),
    ));
    let path = format!("/discount-codes/pools/{pool}/codes");
    api.post(
        &path,
        &json!({ "codes": [{ "code": "EVERY-0001" }], "expiresAt": "2026-12-01T00:00:00Z" }),
    );
    let cart = json!({ "storeId": brand.store, "items": [{ "variantId": 1 }], "codePoolId": pool });
    api.link(
        &json!({ "key": "ben", "partnerId": ben, "url": "https://shop.example/tea", "testVariants": [
        { "percentage": 99, "cart": cart }, { "percentage": 1, "url": "https://shop.example/coffee" }] }),
    );
    let codes = (1..30).find_map(|no| {
        let request = Request::get("/ben")
            .header("User-Agent", IPHONE)
            .header("X-Forwarded-For", &format!("198.51.100.{no}"));
        let answer = brand.server.send(&request);
        answer.location().contains("discount=").then(|| code_of(&answer).0)
    });
    assert_eq!(codes.as_deref(), Some("EVERY-0001"));
    let order = api.get(&format!("/orders/{}", brand.order(31, "EVERY-0001", 1)));
    assert_eq!(
        (&order["credit"]["partnerId"], &order["credit"]["by"]),
        (&json!(ben), &json!("single_use_code"))
    );
}
