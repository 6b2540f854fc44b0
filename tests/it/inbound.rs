//! Carts that others link to on a domain bound to a store: UCP permalinks and products links lead to the shop's own
//! cart, count as clicks, and credit the creator whom they name.

use hopcart::integrations::ucp::profile;
use serde_json::{Value, json};

use crate::http::{Answer, Request};
use crate::server::{IPHONE, SECRET, TestServer, delivery, eventually, id_of};

const HOST: &str = "buy.moss.example";

/// A store whose domain takes carts, and a creator; the store's id.
fn bound(server: &TestServer, provider: &str, base_url: &str) -> String {
    let api = server.api();
    let store = id_of(&api.post(
        "/stores",
        &json!({ "name": "Moss", "provider": provider, "baseUrl": base_url, "currency": "EUR", "webhookSecrets": [SECRET] }),
    ));
    api.products(&store, &[("MUG", "44017", Some(5)), ("POT", "44018", Some(0))]);
    api.post("/domains", &json!({ "slug": HOST, "storeId": store }));
    api.post(
        "/partners",
        &json!({ "name": "Mia", "username": "mia.pots", "tenantId": "T-1", "niche": "ceramics" }),
    );
    store
}

fn get(server: &TestServer, target: &str) -> Answer {
    server.send(&Request::get(target).header("Host", HOST).header("User-Agent", IPHONE))
}

/// A location with its click id, if there is one, replaced.
fn without_id(location: &str) -> String {
    for mark in ["hop_id%5D=", "hop_id="] {
        if let Some(from) = location.find(mark) {
            let from = from + mark.len();
            return format!("{}ID{}", &location[..from], &location[from + 32..]);
        }
    }
    location.to_owned()
}

#[test]
fn permalinks_lead_to_the_shops_cart() {
    let server = TestServer::start();
    bound(&server, "shopify", "https://moss.example");
    for (target, expected) in [
        (
            "/buy/44017:2",
            "https://moss.example/cart/44017:2?attributes%5Bhop_id%5D=ID",
        ),
        // A SKU is a product's name as well; lines of one product are one line.
        (
            "/buy/MUG:1,44019:1",
            "https://moss.example/cart/44017:1,44019:1?attributes%5Bhop_id%5D=ID",
        ),
        (
            "/buy/44017:1,44017:2",
            "https://moss.example/cart/44017:3?attributes%5Bhop_id%5D=ID",
        ),
        (
            "/buy/~NDQwMTc:1",
            "https://moss.example/cart/44017:1?attributes%5Bhop_id%5D=ID",
        ),
        (
            "/buy/44017:1?discounts/codes/0=MIA10&attribution/source=mail&attribution/hop_id=forged&utm_source=x&evil=1",
            "https://moss.example/cart/44017:1?discount=MIA10&attributes%5Bsource%5D=mail&attributes%5Bhop_id%5D=ID&utm_source=x",
        ),
        // More than is left, and what is sold out: the rest is sold.
        (
            "/buy/44017:1,44018:1",
            "https://moss.example/cart/44017:1?attributes%5Bhop_id%5D=ID",
        ),
        ("/buy/44018:1", "https://moss.example?hop_id=ID"),
        ("/buy/44017:6", "https://moss.example?hop_id=ID"),
        // What cannot be read safely leads to the front; a next page that Shopify's /cart cannot say is left out.
        ("/buy/44017:0", "https://moss.example?hop_id=ID"),
        ("/buy/44017", "https://moss.example?hop_id=ID"),
        (
            "/buy/44017:1?continue_to=/a&continue_to=/b",
            "https://moss.example?hop_id=ID",
        ),
        (
            "/buy/44017:1?continue_to=//evil.example",
            "https://moss.example/cart/44017:1?attributes%5Bhop_id%5D=ID",
        ),
        ("/buy/44017:1%00", "https://moss.example?hop_id=ID"),
        ("/buy/not-a-number:1", "https://moss.example?hop_id=ID"),
        (
            "/checkout?products=44017%3A3%2C44019%3A1&coupon=SUMMER&fbclid=f&cart_origin=facebook",
            "https://moss.example/cart/44017:3,44019:1?discount=SUMMER&attributes%5Bhop_id%5D=ID&fbclid=f&cart_origin=facebook",
        ),
        (
            "/checkout?products=44017",
            "https://moss.example/cart/44017:1?attributes%5Bhop_id%5D=ID",
        ),
        ("/checkout", "https://moss.example?hop_id=ID"),
    ] {
        let answer = get(&server, target);
        assert_eq!(answer.status, 303, "{target}");
        let location = without_id(answer.location()).replace("moss.example/?", "moss.example?");
        assert_eq!(location, expected, "{target}");
        let header = |name| answer.header(name).unwrap_or_default().to_owned();
        assert!(header("cache-control").contains("no-store"), "{target}");
        assert_eq!(header("referrer-policy"), "no-referrer", "{target}");
    }
}

#[test]
fn a_next_page_travels_where_the_platform_takes_it() {
    let server = TestServer::start();
    bound(&server, "ucp", "https://moss.example/buy");
    let answer = get(
        &server,
        "/buy/44017:1?continue_to=/pages/thanks&discounts/codes/0=A&/discounts/codes/1=B",
    );
    assert_eq!(
        without_id(answer.location()),
        "https://moss.example/buy/44017:1?discounts/codes/0=A&discounts/codes/1=B&attribution/hop_id=ID&continue_to=%2Fpages%2Fthanks"
    );
}

#[test]
fn carts_count_as_clicks_and_credit_whom_they_name() {
    let mut server = TestServer::start();
    let store = bound(&server, "shopify", "https://moss.example");
    for query in [
        "",
        "?ref=nobody",
        "?ref=mia.pots",
        "?utm_content=T-1",
        "?ref=MIA&utm_content=nobody",
    ] {
        assert_eq!(get(&server, &format!("/buy/44017:1{query}")).status, 303, "{query}");
        server.clock.advance(20_000);
    }
    let answer = get(&server, "/checkout?products=44017:1&utm_content=mia");
    let location = answer.location();
    let from = location.find("hop_id%5D=").expect("a click id") + 10;
    let click_id = location[from..from + 32].to_owned();
    eventually("six clicks", || (server.api().clicks("") == 6).then_some(()));
    let clicks = |server: &TestServer, key: &str| server.api().report("niche", key).map(|row| row["clicks"].clone());
    assert_eq!(clicks(&server, "ceramics"), Some(json!(4)));
    assert_eq!(clicks(&server, "(none)"), Some(json!(2)));

    let mut order: Value = serde_json::from_str(include_str!("../../fixtures/shopify/orders_paid.json")).expect("JSON");
    order["note_attributes"] = json!([{ "name": "hop_id", "value": click_id }]);
    order["discount_codes"] = json!([]);
    assert_eq!(
        server
            .send(&delivery(&store, "orders/paid", "d-1", &order, SECRET))
            .status,
        200
    );
    assert_eq!(
        server.api().report("niche", "ceramics").expect("a row")["orders"],
        json!(1)
    );

    server.restart();
    assert_eq!(get(&server, "/buy/44017:1?ref=mia").status, 303);
    eventually("the next click", || {
        (clicks(&server, "ceramics") == Some(json!(5))).then_some(())
    });
    let links = server.api().get("/links?search=carts");
    let keys: Vec<_> = links
        .as_array()
        .expect("links")
        .iter()
        .map(|link| link["key"].as_str().expect("a key").len())
        .collect();
    assert_eq!(keys.len(), 2, "one for the domain, one for Mia: {links}");
}

/// Whatever strangers write, the follower ends at the shop: never an error of ours, never another host.
#[test]
fn hostile_carts_end_at_the_shop() {
    const NASTY: [&str; 16] = [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "%2F%2Fevil.example",
        "%0d%0aLocation:%20https://evil.example",
        "%00",
        "%FF%FE",
        "@evil.example",
        "javascript:alert(1)",
        "~",
        "~Ly9ldmlsLmV4YW1wbGU",
        "..%2F..%2F",
        "44017:1,,",
        "44017:99999999999999999999",
        "%E2%80%AE",
        "a%20b",
    ];
    let server = TestServer::start();
    for (number, (provider, base_url, host)) in [
        ("shopify", "https://moss.example", "moss.example"),
        ("woocommerce", "https://woo.example/", "woo.example"),
        ("ecwid", "https://site.example/shop", "site.example"),
    ]
    .into_iter()
    .enumerate()
    {
        let api = server.api();
        let body = json!({ "name": "Moss", "provider": provider, "baseUrl": base_url, "currency": "EUR" });
        let store = id_of(&api.post("/stores", &body));
        let domain = format!("shop{number}.example");
        api.post("/domains", &json!({ "slug": domain, "storeId": store }));
        let mut client = server.client();
        for nasty in NASTY {
            for target in [
                format!("/buy/{}", nasty.replace(['\\', ' '], "")),
                format!("/buy/44017:1?continue_to={nasty}"),
                format!("/buy/44017:1?discounts/codes/0={nasty}&attribution/x={nasty}"),
                format!("/buy/44017:1?{nasty}={nasty}&utm_source={nasty}"),
                format!("/checkout?products={nasty}&coupon={nasty}"),
                format!("/checkout?products=44017:1&coupon={nasty}&fbclid={nasty}"),
            ] {
                let request = Request::get(&target.replace(['\\', ' '], "%5C")).header("Host", &domain);
                let answer = client.send(&request);
                assert_eq!(answer.status, 303, "{provider} {target}");
                let location = url::Url::parse(answer.location()).expect("an address");
                assert_eq!(location.host_str(), Some(host), "{provider} {target}: {location}");
                assert_eq!(answer.header("server"), None, "one answer, not two");
            }
        }
    }
}

#[test]
fn only_bound_domains_take_carts() {
    let server = TestServer::start();
    bound(&server, "shopify", "https://moss.example");
    let api = server.api();
    api.post("/domains", &json!({ "slug": "go.moss.example" }));
    for host in ["127.0.0.1", "go.moss.example"] {
        for target in ["/buy/44017:1", "/checkout?products=44017:1", "/.well-known/ucp"] {
            let answer = server.send(&Request::get(target).header("Host", host));
            assert_eq!(answer.status, 404, "{host} {target}");
        }
    }
    let post = server.send(&Request::new("POST", "/buy/44017:1").header("Host", HOST));
    assert_eq!(post.status, 405);

    // Paths that the domain keeps for carts can be no links there, and a link there keeps the domain from being bound.
    for key in ["checkout", "Checkout", "buy/now"] {
        let body = json!({ "domain": HOST, "key": key, "url": "https://moss.example/" });
        let message = api.call("POST", "/links", Some(&body)).refusal(422);
        assert!(message.starts_with("key: "), "{message}");
        let body = json!({ "domain": "go.moss.example", "key": key, "url": "https://moss.example/" });
        let link = id_of(&api.link(&body));
        let store = api.get("/stores")[0]["id"].clone();
        let message = api
            .call("PATCH", "/domains/go.moss.example", Some(&json!({ "storeId": store })))
            .refusal(409);
        assert!(message.contains(&format!("/{key}")), "{message}");
        let moved = api
            .call("PATCH", &format!("/links/{link}"), Some(&json!({ "domain": HOST })))
            .refusal(422);
        assert!(moved.starts_with("key: "), "{moved}");
        api.call("DELETE", &format!("/links/{link}"), None);
    }
}

#[test]
fn a_bound_domain_tells_machines_where_its_carts_are() {
    let server = TestServer::start();
    bound(&server, "shopify", "https://moss.example");
    let answer = get(&server, "/.well-known/ucp");
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, Some("application/json"))
    );
    let profile = answer.json();
    assert_eq!(
        profile["ucp"]["capabilities"]["dev.ucp.shopping.permalink"][0]["config"]["endpoint"],
        json!(format!("http://{HOST}/buy"))
    );
    // What we say of ourselves is what we would take from a shop.
    let secure = Request::get("/.well-known/ucp")
        .header("Host", HOST)
        .header("X-Forwarded-Proto", "https");
    let (endpoint, keys) = profile::parse(&server.send(&secure).body).expect("a profile");
    assert_eq!((endpoint, keys), (Some(format!("https://{HOST}/buy")), None));
}
