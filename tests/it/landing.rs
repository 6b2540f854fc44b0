//! Landing pages: one answer that shows the cart, and a tap that leads to exactly what it showed, on the same click.

use serde_json::{Value, json};

use crate::http::{Answer, Request};
use crate::server::{IPHONE, TestServer, eventually};

const MINUTE: i64 = 60 * 1000;
const HOUR: i64 = 60 * MINUTE;

/// A shop with three products, a creator with a code, and the link `/mia` to a page with all of them.
fn shop(server: &TestServer, policy: &Value) -> String {
    let api = server.api();
    let store = api.store();
    let product = |sku: &str, variant: &str, price: i64, stock: Option<i64>| {
        json!({ "sku": sku, "variantId": variant, "title": format!("The {sku}"), "price": price, "stock": stock,
            "imageUrl": format!("https://cdn.elsewhere.example/{sku}.jpg") })
    };
    api.put(
        "/products",
        &json!({ "storeId": store, "products": [
            product("mug", "44017", 1990, Some(12)),
            product("bowl", "44018", 3450, Some(5)),
            product("vase", "44019", 5900, None),
            product("cup", "44020", 1490, Some(3)),
        ] }),
    );
    let partner = api.partner("Mia <3", "ceramics");
    api.code("MIA10", &partner);
    api.link(
        &json!({ "key": "mia", "partnerId": partner, "stockPolicy": policy, "cart": {
        "storeId": store,
        "items": [{ "sku": "mug", "quantity": 2, "fallbacks": ["cup"] }, { "sku": "bowl" }, { "sku": "vase" }],
        "discountCodes": ["MIA10"],
        "landing": "page",
    } }),
    );
    store
}

fn stock(server: &TestServer, store: &str, sku: &str, left: i64) {
    server.api().call(
        "PUT",
        "/products/stock",
        Some(&json!({ "storeId": store, "items": [{ "sku": sku, "stock": left }] })),
    );
}

/// The value of the form's field `name`, as a browser would send it untouched.
fn token(page: &str) -> &str {
    let from = page.find("name=\"token\" value=\"").expect("a token") + 20;
    &page[from..from + page[from..].find('"').expect("its end")]
}

fn send(server: &TestServer, query: &str, form: &str, headers: &[(&str, &str)]) -> Answer {
    let request = Request::new("POST", &format!("/_/go{query}"))
        .header("Content-Type", "application/x-www-form-urlencoded")
        .header("User-Agent", IPHONE)
        .headers(headers)
        .body(form);
    server.send(&request)
}

fn phone(target: &str) -> Request {
    Request::get(target).header("User-Agent", IPHONE)
}

#[test]
fn a_page_is_one_answer_and_its_button_leads_to_what_it_shows() {
    let server = TestServer::start();
    shop(&server, &json!(null));
    let answer =
        server.send(&phone("/mia?utm_source=insta&fbclid=f&coupon=EVIL").header("Accept-Language", "de-DE,en;q=0.5"));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(answer.header("cache-control"), Some("private, no-store"));
    let policy = answer.header("content-security-policy").expect("a policy").to_owned();
    assert!(
        policy.contains("default-src 'none'") && !policy.contains("unsafe-inline"),
        "{policy}"
    );
    assert!(answer.cookie().starts_with("hop_v"), "{}", answer.cookie());
    let page = answer.text();
    for shown in [
        "lang=\"de\"",
        "The mug",
        "19,90",
        "Mia &lt;3",
        "MIA10",
        "action=\"/_/go?utm_source=insta&amp;fbclid=f\"",
    ] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    for hidden in ["cdn.elsewhere.example", "EVIL", "<script", "hop_id"] {
        assert!(!page.contains(hidden), "{hidden}");
    }
    let token = token(&page).to_owned();
    let cookie = answer.cookie().split(';').next().expect("a pair").to_owned();
    let gone = send(
        &server,
        "?utm_source=insta&fbclid=f&discount=EVIL",
        &format!("token={token}&q0=1&q1=0&q2=4"),
        &[("Cookie", &cookie)],
    );
    assert_eq!(gone.status, 303);
    let location = gone.location();
    assert!(
        location.starts_with("https://shop.example/cart/44017:1,44019:4?discount=MIA10&attributes%5Bhop_id%5D="),
        "{location}"
    );
    assert!(location.ends_with("&utm_source=insta&fbclid=f"), "{location}");

    // One click, one tap; the second finger within ten seconds is none, a later tap is.
    let taps = |expected: u64| {
        eventually("the tap", || {
            let counted = server.api().get("/analytics?interval=all");
            (counted["checkoutTaps"] == expected && counted["clicks"] == 1).then_some(())
        });
    };
    taps(1);
    let form = format!("token={token}&q0=1");
    assert_eq!(send(&server, "", &form, &[]).status, 303);
    server.clock.advance(11_000);
    assert_eq!(send(&server, "", &form, &[]).status, 303);
    taps(2);
    let row = server.api().report("niche", "ceramics").expect("a row");
    assert_eq!((&row["clicks"], &row["checkoutTaps"]), (&json!(1), &json!(2)));
    let events = server.api().get("/events?interval=all&event=clicks");
    assert_eq!(events.as_array().map(Vec::len), Some(1), "a tap is no click: {events}");
}

#[test]
fn the_order_of_a_page_finds_its_creator() {
    let server = TestServer::start();
    let store = shop(&server, &json!(null));
    let page = server.send(&phone("/mia")).text();
    let gone = send(&server, "", &format!("token={}&q1=1", token(&page)), &[]);
    let location = gone.location();
    let from = location.find("hop_id%5D=").expect("a click id") + 10;
    let click_id = &location[from..from + 32];
    eventually("the click in the log", || (server.api().clicks("") == 1).then_some(()));
    let mut order: Value = serde_json::from_str(include_str!("../../fixtures/shopify/orders_paid.json")).expect("JSON");
    order["note_attributes"] = json!([{ "name": "hop_id", "value": click_id }]);
    order["discount_codes"] = json!([]);
    let delivery = crate::server::delivery(&store, "orders/paid", "d-1", &order, crate::server::SECRET);
    assert_eq!(server.send(&delivery).status, 200);
    let row = server.api().report("niche", "ceramics").expect("a row");
    assert_eq!(row["orders"], json!(1), "{row}");
}

#[test]
fn what_changed_since_brings_the_page_back_with_a_word() {
    let server = TestServer::start();
    let store = shop(&server, &json!(null));
    let first = server.send(&phone("/mia")).text();
    let form = |page: &str, rest: &str| format!("token={}&{rest}", token(page));

    // Nothing chosen, then more than is left, then what was shown is gone: never another cart than the one shown.
    let nothing = send(&server, "", &form(&first, "q0=0&q1=0&q2=0"), &[]);
    assert_eq!(nothing.status, 422);
    assert!(nothing.text().contains("role=\"alert\""));
    let greedy = send(&server, "", &form(&first, "q1=6"), &[]);
    assert_eq!(greedy.status, 422);
    stock(&server, &store, "mug", 0);
    let gone = send(&server, "?utm_source=insta", &form(&first, "q0=2"), &[]);
    assert_eq!(gone.status, 422);
    let again = gone.text();
    assert!(again.contains("Instead of <bdi>The mug</bdi>"), "{again}");
    assert!(again.contains("action=\"/_/go?utm_source=insta\""));
    let sold = send(&server, "", &form(&again, "q0=2"), &[]);
    assert!(
        sold.location().starts_with("https://shop.example/cart/44020:2?"),
        "{}",
        sold.location()
    );

    // The shown fallback stays what it was although the first choice is back.
    stock(&server, &store, "mug", 9);
    let sold = send(&server, "", &form(&again, "q0=1"), &[]);
    assert!(
        sold.location().starts_with("https://shop.example/cart/44020:1?"),
        "{}",
        sold.location()
    );
}

#[test]
fn a_changed_link_and_an_old_page_are_told() {
    let server = TestServer::start();
    let store = shop(&server, &json!(null));
    let api = server.api();
    let page = server.send(&phone("/mia")).text();
    let form = format!("token={}&q0=1", token(&page));
    server.clock.advance(24 * HOUR);
    assert_eq!(send(&server, "", &form, &[]).status, 303, "a day old");
    server.clock.advance(1);
    let old = send(&server, "", &form, &[]);
    assert_eq!(old.status, 422);
    let fresh = format!("token={}&q0=1", token(&old.text()));
    assert_eq!(send(&server, "", &fresh, &[]).status, 303);

    let id = api.get("/links/info?domain=127.0.0.1&key=mia")["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    api.patch(
        &format!("/links/{id}"),
        &json!({ "cart": { "storeId": store, "items": [{ "sku": "bowl" }], "landing": "page" } }),
    );
    assert_eq!(send(&server, "", &fresh, &[]).status, 422, "another cart");
    api.patch(
        &format!("/links/{id}"),
        &json!({ "cart": { "storeId": store, "items": [{ "sku": "bowl" }] } }),
    );
    let direct = send(&server, "", &fresh, &[]);
    assert!(
        direct.location().starts_with("https://shop.example/cart/44018:1?"),
        "{}",
        direct.location()
    );
    api.patch(&format!("/links/{id}"), &json!({ "disabled": true }));
    assert_eq!(send(&server, "", &fresh, &[]).status, 410);
}

#[test]
fn a_page_is_packed_for_those_who_take_it() {
    use std::io::Read;
    let server = TestServer::start();
    shop(&server, &json!(null));
    let answer = server.send(&phone("/mia").header("Accept-Encoding", "gzip, br"));
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
    assert!(answer.body.len() < 10_000, "{}", answer.body.len());
    let mut page = String::new();
    let mut unpacked = flate2::read::GzDecoder::new(&*answer.body);
    unpacked.read_to_string(&mut page).expect("a page");
    assert!(page.contains("The mug") && page.ends_with("</html>"));
    let plain = server.send(&phone("/mia"));
    assert_eq!(plain.header("content-encoding"), None);
    assert!(plain.header("vary").expect("vary").contains("accept-encoding"));
}

#[test]
fn prices_are_shown_while_they_are_fresh() {
    let server = TestServer::start();
    shop(&server, &json!(null));
    let shows_price = || server.follow("/mia").text().contains("19.90");
    assert!(shows_price());
    server.clock.advance(24 * HOUR);
    assert!(shows_price());
    server.clock.advance(1);
    assert!(!shows_price());
}

#[test]
fn a_page_with_nothing_left_says_so_or_leads_on() {
    for (policy, status, words) in [
        (json!(null), 200, "Sold out"),
        (json!({ "onOut": "drop" }), 200, "Sold out"),
        (json!({ "onOut": "waitlist" }), 200, "name=\"email\""),
        (
            json!({ "onOut": "redirect", "redirectUrl": "https://shop.example/soon" }),
            303,
            "",
        ),
        (
            json!({ "onOut": "fallback", "redirectUrl": "https://shop.example/soon" }),
            303,
            "",
        ),
    ] {
        let server = TestServer::start();
        let store = shop(&server, &policy);
        for sku in ["mug", "bowl", "cup"] {
            stock(&server, &store, sku, 0);
        }
        server.api().put(
            "/products",
            &json!({ "storeId": store, "products": [
            { "sku": "vase", "variantId": "44019", "title": "The vase", "stock": 0 },
        ] }),
        );
        let answer = server.follow("/mia");
        assert_eq!(answer.status, status, "{policy}");
        if status != 200 {
            assert!(
                answer.location().starts_with("https://shop.example/soon?"),
                "{policy}: {}",
                answer.location()
            );
        } else {
            assert!(answer.text().contains(words), "{policy}: {}", answer.text());
        }
        eventually("the click", || (server.api().clicks("") == 1).then_some(()));
    }
}

#[test]
fn who_opted_out_gets_the_cart_without_a_click_id() {
    let server = TestServer::start();
    shop(&server, &json!(null));
    let answer = server.send(&phone("/mia").header("Sec-GPC", "1"));
    assert_eq!(answer.header("set-cookie"), None);
    let gone = send(
        &server,
        "",
        &format!("token={}&q0=1", token(&answer.text())),
        &[("Sec-GPC", "1")],
    );
    assert_eq!(gone.location(), "https://shop.example/cart/44017:1?discount=MIA10");
}

#[test]
fn head_has_no_body_and_bots_no_cookie() {
    let server = TestServer::start();
    shop(&server, &json!(null));
    let head = server.send(&Request::new("HEAD", "/mia").header("User-Agent", IPHONE));
    assert_eq!((head.status, head.body.len()), (200, 0));
    let bot = server.send(&Request::get("/mia").header("User-Agent", "facebookexternalhit/1.1"));
    assert_eq!((bot.status, bot.header("set-cookie")), (200, None));
    eventually("both in the log", || {
        (server.api().clicks("include=bots,head") == 2).then_some(())
    });
    assert_eq!(server.api().clicks(""), 0);
}

#[test]
fn what_is_no_form_is_refused() {
    let server = TestServer::start();
    shop(&server, &json!(null));
    let page = server.send(&phone("/mia")).text();
    let good = format!("token={}&q0=1", token(&page));
    let get = server.send(&Request::get("/_/go"));
    assert_eq!((get.status, get.header("allow")), (405, Some("POST")));
    let json = server.send(
        &Request::new("POST", "/_/go")
            .header("Content-Type", "application/json")
            .body(good.clone()),
    );
    assert_eq!(json.status, 415);
    for (form, status) in [
        (String::new(), 404),
        ("token=nonsense&q0=1".to_owned(), 404),
        (good.replacen("token=A", "token=B", 1), 404),
        (format!("{good}&padding={}", "x".repeat(5000)), 413),
        ("token=%FF%FE&q0=1".to_owned(), 404),
        (format!("{good}&q0=%00&q1=1&q99=9&q1=2"), 303),
    ] {
        let answer = send(&server, "", &form, &[]);
        assert_eq!(answer.status, status, "{form}");
    }
    // Another host's page is not this one's.
    let domain = server.api().post("/domains", &json!({ "slug": "go.brand.test" }));
    assert_eq!(domain["slug"], json!("go.brand.test"));
    assert_eq!(send(&server, "", &good, &[("Host", "go.brand.test")]).status, 404);
}
