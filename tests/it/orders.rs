//! Every vendor's loop: a creator's cart link, a tap, the shop's signed order, revenue under the niche, a refund; orders
//! from files; and a store that goes silent.

use std::process::Command;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use aws_lc_rs::{digest, hmac};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::http::Request;
use crate::server::{Api, KEY, NOW, SECRET, TestServer, delivery, eventually, id_of};
use crate::stores::Shop;

/// What every fixture but WooCommerce's and Stripe's earns, in cents.
const REVENUE: i64 = 5382;
const HOUR: i64 = 60 * 60 * 1000;

/// A brand with one creator whose cart link is `/mia`, on a store of one vendor.
struct Brand {
    server: TestServer,
    store: String,
}

impl Brand {
    fn on(provider: &str, base_url: &str) -> Self {
        let server = TestServer::start();
        let api = server.api();
        let store = id_of(&api.post(
            "/stores",
            &json!({ "name": "Moss", "provider": provider, "baseUrl": base_url, "currency": "EUR",
                "webhookSecrets": ["older", SECRET] }),
        ));
        api.products(&store, &[("MUG-SAND", "44017", None)]);
        let mia = api.partner("Mia", "ceramics");
        api.link(&json!({ "key": "mia", "partnerId": mia,
            "cart": { "storeId": store, "items": [{ "sku": "MUG-SAND" }] } }));
        drop(api);
        Self { server, store }
    }

    fn api(&self) -> Api<'_> {
        self.server.api()
    }

    /// Somebody taps `/mia`; the click id, which stands behind `before` in the cart's URL.
    fn tap(&self, before: &str) -> String {
        let location = self.server.follow("/mia").location().to_owned();
        let (_, rest) = location
            .split_once(before)
            .unwrap_or_else(|| panic!("no {before} in {location}"));
        rest.split(['&', '#']).next().expect("a value").to_owned()
    }

    fn hook(&self) -> Request {
        Request::new("POST", &format!("/_/hooks/{}", self.store)).header("Content-Type", "application/json")
    }

    /// Sends a delivery twice: it is taken once.
    fn deliver(&self, request: &Request) {
        for expected in ["accepted\n", "nothing new\n"] {
            let answer = self.server.send(request);
            assert_eq!((answer.status, answer.text().as_str()), (200, expected));
        }
    }

    /// Orders, gross, refunds and net of Mia's niche.
    fn sales(&self) -> [i64; 4] {
        let row = self.api().report("niche", "ceramics").unwrap_or_default();
        ["orders", "grossRevenue", "refunds", "netRevenue"].map(|field| row[field].as_i64().unwrap_or(0))
    }

    fn now(&self) -> i64 {
        // The clock of a test server stands still.
        NOW.parse::<jiff::Timestamp>().expect("an instant").as_second()
    }
}

fn fixture(text: &str) -> Value {
    serde_json::from_str(text).expect("a fixture")
}

fn tag(secret: &[u8], message: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message)
}

fn woocommerce(brand: &Brand, id: &str, body: &Value) -> Request {
    let body = body.to_string();
    let signature = STANDARD.encode(tag(SECRET.as_bytes(), body.as_bytes()));
    brand
        .hook()
        .headers(&[
            ("X-WC-Webhook-Topic", "order.updated"),
            ("X-WC-Webhook-Delivery-ID", id),
            ("X-WC-Webhook-Signature", &signature),
        ])
        .body(body)
}

#[test]
fn woocommerce_from_a_tap_to_a_refund() {
    let brand = Brand::on("woocommerce", "https://moss.example");
    let ping = Request::new("POST", &format!("/_/hooks/{}", brand.store))
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body("webhook_id=7");
    assert_eq!(brand.server.send(&ping).status, 200, "an unsigned greeting");

    let mut order = fixture(include_str!("../../fixtures/woocommerce/order_updated.json"));
    order["meta_data"][3]["value"] = json!(brand.tap("&utm_id="));
    let mut pending = order.clone();
    (pending["status"], pending["date_paid_gmt"]) = (json!("pending"), Value::Null);
    pending["date_modified_gmt"] = json!("2026-11-20T09:00:01");
    brand.deliver(&woocommerce(&brand, "d1", &order));
    assert_eq!(brand.sales(), [1, 4523, 0, 4523]);
    let late = brand.server.send(&woocommerce(&brand, "d0", &pending));
    assert_eq!(
        (late.status, brand.sales()),
        (200, [1, 4523, 0, 4523]),
        "an older state"
    );

    order["refunds"] = json!([{ "id": 1, "total": "-17.91" }]);
    order["date_modified_gmt"] = json!("2026-11-21T08:00:00");
    brand.deliver(&woocommerce(&brand, "d2", &order));
    assert_eq!(brand.sales(), [1, 4523, 1505, 4523 - 1505]);
    let forged = woocommerce(&brand, "d3", &order).body("{}");
    assert_eq!(brand.server.send(&forged).status, 401);
}

fn stripe(brand: &Brand, at: i64, body: &Value) -> Request {
    let body = body.to_string();
    let signature = tag(SECRET.as_bytes(), format!("{at}.{body}").as_bytes());
    let hex: String = signature.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    brand
        .hook()
        .header("Stripe-Signature", &format!("t={at},v1=00,v1={hex},v0=x"))
        .body(body)
}

#[test]
fn stripe_from_a_tap_to_two_refunds() {
    let brand = Brand::on("stripe", "https://buy.stripe.com/4gw3cd");
    let now = brand.now();
    let mut session = fixture(include_str!("../../fixtures/stripe/checkout_session_completed.json"));
    session["data"]["object"]["client_reference_id"] = json!(brand.tap("client_reference_id="));
    let mut refund = fixture(include_str!("../../fixtures/stripe/charge_refunded.json"));
    // The second running total comes first, before the order too.
    (refund["id"], refund["data"]["object"]["amount_refunded"]) = (json!("evt_2"), json!(2000));
    brand.deliver(&stripe(&brand, now, &refund));
    brand.deliver(&stripe(&brand, now, &session));
    assert_eq!(brand.sales(), [1, 4523, 2000, 2523]);
    (refund["id"], refund["data"]["object"]["amount_refunded"]) = (json!("evt_1"), json!(1000));
    assert_eq!(brand.server.send(&stripe(&brand, now, &refund)).text(), "nothing new\n");
    assert_eq!(brand.sales(), [1, 4523, 2000, 2523]);

    session["id"] = json!("evt_3");
    for (at, expected) in [(now - 301, 401), (now + 301, 401), (now - 300, 200)] {
        assert_eq!(
            brand.server.send(&stripe(&brand, at, &session)).status,
            expected,
            "{at}"
        );
    }
    (session["id"], session["livemode"]) = (json!("evt_4"), json!(false));
    session["data"]["object"]["payment_intent"] = json!("pi_test");
    brand.deliver(&stripe(&brand, now, &session));
    assert_eq!(brand.sales()[0], 1, "a test is no order");
}

fn standard(brand: &Brand, id: &str, at: i64, body: &Value) -> Request {
    let body = body.to_string();
    let signature = STANDARD.encode(tag(SECRET.as_bytes(), format!("{id}.{at}.{body}").as_bytes()));
    brand
        .hook()
        .headers(&[
            ("webhook-id", id),
            ("webhook-timestamp", &at.to_string()),
            ("webhook-signature", &format!("v1,AAAA v1,{signature}")),
        ])
        .body(body)
}

#[test]
fn any_shop_from_a_tap_to_a_refund() {
    let brand = Brand::on("template", "https://moss.example/?c={items}&cid={click_id}");
    let now = brand.now();
    let mut order = fixture(include_str!("../../fixtures/standard/order.json"));
    order["data"]["clickId"] = json!(brand.tap("&cid="));
    brand.deliver(&standard(&brand, "m1", now, &order));
    assert_eq!(brand.sales(), [1, REVENUE, 0, REVENUE]);
    let refund = fixture(include_str!("../../fixtures/standard/refund.json"));
    brand.deliver(&standard(&brand, "m2", now, &refund));
    assert_eq!(brand.sales(), [1, REVENUE, 1791, REVENUE - 1791]);

    order["data"]["clickID"] = json!("x");
    let told = brand.server.send(&standard(&brand, "m3", now, &order));
    assert_eq!(told.status, 422);
    assert!(told.text().contains("clickID"), "{}", told.text());
    order["data"] = json!({ "id": "9", "orderedAt": "2026-11-20", "currency": "XXQ", "revenue": -5, "paid": true });
    brand.deliver(&standard(&brand, "m4", now, &order));
    assert_eq!(
        brand.sales()[0],
        1,
        "an unknown currency and a negative total are set aside"
    );
    assert_eq!(
        brand.server.send(&standard(&brand, "m5", now - 301, &order)).status,
        401
    );
    let unsigned = brand.hook().body(order.to_string());
    assert_eq!(brand.server.send(&unsigned).status, 401, "no form is known");
}

/// A shop with a UCP profile, and the key that signs its deliveries.
struct UcpShop {
    stand_in: Shop,
    key: Ed25519KeyPair,
}

impl UcpShop {
    fn open() -> Self {
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
        let key = Ed25519KeyPair::from_pkcs8(key.as_ref()).expect("a key");
        let stand_in = Shop::open();
        let profile = json!({
            "ucp": { "version": "2026-08-25", "capabilities": { "dev.ucp.shopping.permalink":
                [{ "version": "2026-08-25", "config": { "endpoint": format!("{}/buy", stand_in.url) } }] } },
            "signing_keys": [{ "kid": "moss-2026", "kty": "OKP", "crv": "Ed25519",
                "x": URL_SAFE_NO_PAD.encode(key.public_key().as_ref()) }],
        });
        stand_in.answer(200, "application/json", "", &profile.to_string());
        Self { stand_in, key }
    }

    fn delivery(&self, brand: &Brand, id: &str, at: i64, body: &Value) -> Request {
        let body = body.to_string();
        let path = format!("/_/hooks/{}", brand.store);
        let digest = format!(
            "sha-256=:{}:",
            STANDARD.encode(digest::digest(&digest::SHA256, body.as_bytes()))
        );
        let agent = r#"profile="https://moss.example/.well-known/ucp""#;
        let input = "(\"@method\" \"@authority\" \"@path\" \"ucp-agent\" \"content-digest\" \"content-type\" \
                     \"webhook-id\" \"webhook-timestamp\");keyid=\"moss-2026\"";
        let base = format!(
            "\"@method\": POST\n\"@authority\": {}\n\"@path\": {path}\n\"ucp-agent\": {agent}\n\
             \"content-digest\": {digest}\n\"content-type\": application/json\n\"webhook-id\": {id}\n\
             \"webhook-timestamp\": {at}\n\"@signature-params\": {input}",
            brand.server.running().public
        );
        let signature = STANDARD.encode(self.key.sign(base.as_bytes()));
        brand
            .hook()
            .headers(&[
                ("UCP-Agent", agent),
                ("Content-Digest", &digest),
                ("Webhook-Id", id),
                ("Webhook-Timestamp", &at.to_string()),
                ("Signature-Input", &format!("sig1={input}")),
                ("Signature", &format!("sig1=:{signature}:")),
            ])
            .body(body)
    }
}

/// Waits until the store's profile was read.
fn know_profile(brand: &Brand) {
    eventually("the profile is read", || {
        let store = brand.api().get(&format!("/stores/{}", brand.store));
        (!store["ucp"]["fetchedAt"].is_null()).then_some(())
    });
}

#[test]
fn ucp_from_a_tap_to_a_refund() {
    let shop = UcpShop::open();
    let brand = Brand::on("ucp", &shop.stand_in.url);
    know_profile(&brand);
    let now = brand.now();
    let mut order = fixture(include_str!("../../fixtures/ucp/order.json"));
    order["attribution"]["hop_id"] = json!(brand.tap("attribution/hop_id="));
    brand.deliver(&shop.delivery(&brand, "e1", now - 60, &order));
    assert_eq!(brand.sales(), [1, REVENUE, 0, REVENUE]);
    order["adjustments"] = json!([{ "id": "adj_1", "type": "refund", "status": "completed",
        "totals": [{ "type": "total", "amount": -2131 }] }]);
    brand.deliver(&shop.delivery(&brand, "e2", now, &order));
    assert_eq!(brand.sales(), [1, REVENUE, 1791, REVENUE - 1791]);

    let from_tomorrow = shop.delivery(&brand, "e3", now + 86_400, &order);
    assert_eq!(brand.server.send(&from_tomorrow).status, 401);
    let changed = shop.delivery(&brand, "e4", now, &order).body("{}");
    assert_eq!(brand.server.send(&changed).status, 401);
    let other = UcpShop::open().delivery(&brand, "e5", now, &order);
    assert_eq!(brand.server.send(&other).status, 401, "another shop's key");
}

#[test]
fn a_shopify_store_goes_to_buy_once_ucp_has_returned_a_click_and_counts_its_orders_once() {
    let shop = UcpShop::open();
    let brand = Brand::on("shopify", &shop.stand_in.url);
    know_profile(&brand);
    let id = brand.tap("/cart/44017:1?attributes%5Bhop_id%5D=");
    let mut order = fixture(include_str!("../../fixtures/ucp/order.json"));
    order["id"] = json!("gid://shopify/Order/820982911946154508");
    order["adjustments"] =
        json!([{ "id": "adj_1", "type": "refund", "totals": [{ "type": "total", "amount": -100 }] }]);
    order["attribution"]["hop_id"] = json!("0123456789abcdefABCDEF0123456789");
    brand.deliver(&shop.delivery(&brand, "e1", brand.now() - 60, &order));
    brand.tap("/cart/44017:1?attributes%5Bhop_id%5D=");
    order["attribution"]["hop_id"] = json!(id);
    brand.deliver(&shop.delivery(&brand, "e2", brand.now(), &order));
    assert_eq!(brand.sales(), [0, 0, 0, 0], "Shopify's own webhook tells the money");
    brand.tap(&format!("{}/buy/44017:1?attribution/hop_id=", shop.stand_in.url));

    let mut paid = fixture(include_str!("../../fixtures/shopify/orders_paid.json"));
    (paid["discount_codes"], paid["note_attributes"]) = (json!([]), json!([]));
    brand.deliver(&delivery(&brand.store, "orders/paid", "d1", &paid, SECRET));
    assert_eq!(
        brand.sales(),
        [1, REVENUE, 0, REVENUE],
        "credited by the click that UCP returned"
    );
}

#[test]
fn deliveries_that_are_signed_and_cannot_be_read_are_refused() {
    let brand = Brand::on("woocommerce", "https://moss.example");
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    for body in ["[]", "{}", "nothing", &deep] {
        let signature = STANDARD.encode(tag(SECRET.as_bytes(), body.as_bytes()));
        let request = brand
            .hook()
            .headers(&[
                ("X-WC-Webhook-Topic", "order.created"),
                ("X-WC-Webhook-Signature", &signature),
            ])
            .body(body);
        assert_eq!(
            brand.server.send(&request).status,
            422,
            "{}",
            &body[..body.len().min(9)]
        );
    }
}

fn import(brand: &Brand, query: &str, csv: &str) -> crate::http::Answer {
    let request = Request::new("POST", &format!("/orders/import?storeId={}{query}", brand.store))
        .header("Authorization", &format!("Bearer {KEY}"))
        .header("Content-Type", "text/csv")
        .body(csv);
    crate::http::send(brand.server.running().admin, &request)
}

#[test]
fn files_and_webhooks_tell_one_order_once() {
    let brand = Brand::on("template", "https://moss.example/?c={items}&cid={click_id}");
    let mut order = fixture(include_str!("../../fixtures/standard/order.json"));
    order["data"]["clickId"] = json!(brand.tap("&cid="));
    order["data"]["discountCodes"] = json!([]);
    let csv = include_str!("../../fixtures/standard/orders.csv").replace("MIA10", "");
    let counts = |answer: &Value| ["rows", "upserted", "changed", "failed"].map(|name| answer[name].as_u64());
    let dry = import(&brand, "&dryRun=true", &csv).json();
    assert_eq!(counts(&dry), [2, 2, 2, 0].map(Some), "{dry}");
    assert_eq!(
        brand.api().report("niche", "(none)").unwrap_or_default()["orders"],
        json!(null)
    );
    assert_eq!(counts(&import(&brand, "", &csv).json()), [2, 2, 2, 0].map(Some));
    assert_eq!(
        counts(&import(&brand, "", &csv).json()),
        [2, 2, 0, 0].map(Some),
        "again"
    );
    // The shop's own webhooks about the same order and refund.
    brand.deliver(&standard(&brand, "m1", brand.now(), &order));
    let refund = fixture(include_str!("../../fixtures/standard/refund.json"));
    assert_eq!(
        brand.server.send(&standard(&brand, "m2", brand.now(), &refund)).text(),
        "nothing new\n"
    );
    assert_eq!(
        brand.sales(),
        [1, REVENUE, 1791, REVENUE - 1791],
        "the click came with the webhook"
    );
    assert_eq!(
        counts(&import(&brand, "", &csv).json()),
        [2, 2, 0, 0].map(Some),
        "after the webhooks"
    );
    assert_eq!(brand.sales(), [1, REVENUE, 1791, REVENUE - 1791]);

    let mixed = import(
        &brand,
        "",
        "orderId,orderedAt,revenue\n5,2026-11-20,1.00\n6,soon,1.00\n",
    )
    .json();
    assert_eq!(counts(&mixed), [2, 1, 1, 1].map(Some));
    assert_eq!(mixed["errors"][0]["field"], "orderedAt");
    assert_eq!(mixed["errors"][0]["line"], 3);
    for (csv, words) in [
        ("orderId,orderedAt,revenue\n6,soon,1.00\n", "orderedAt"),
        ("sku,title\nA,b\n", "orderId"),
        ("orderId,orderedAt\n1,2026-11-20\n", "revenue"),
    ] {
        let refusal = import(&brand, "", csv).refusal(422);
        assert!(refusal.contains(words), "{refusal}");
    }
}

#[test]
fn the_command_imports_orders() {
    let brand = Brand::on("template", "https://moss.example/?c={items}");
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/standard/orders.csv");
    let run = |words: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_hopcart"))
            .args(["orders", "import", file, "--store", &brand.store])
            .args(words)
            .env("HOPCART_SERVER", format!("http://{}", brand.server.running().admin))
            .env("HOPCART_API_KEY", KEY)
            .output();
        let output = output.expect("the program");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    assert_eq!(run(&["--dry-run"]), "2 rows (orders): 2 would be taken");
    assert_eq!(run(&[]), "2 rows (orders): 2 taken");
    let row = brand.api().report("niche", "(none)").expect("a row");
    assert_eq!(
        (&row["orders"], &row["grossRevenue"]),
        (&json!(2), &json!(REVENUE + 2000))
    );
}

#[test]
fn a_store_that_sent_daily_and_sends_no_more_is_called_silent() {
    let brand = Brand::on("template", "https://moss.example/?c={items}");
    let mut order = fixture(include_str!("../../fixtures/standard/order.json"));
    let silent = || brand.api().get(&format!("/stores/{}", brand.store))["silentSince"].clone();
    let seconds = || {
        let text = crate::http::send(brand.server.running().admin, &Request::get("/metrics")).text();
        let name = format!("hopcart_store_last_order_seconds{{store=\"{}\"}} ", brand.store);
        text.lines().find_map(|line| {
            line.strip_prefix(&name)?
                .trim()
                .parse::<f64>()
                .ok()
                .map(|age| age as i64)
        })
    };
    assert_eq!((silent(), seconds()), (json!(null), None));
    for day in 0..3 {
        if day > 0 {
            brand.server.clock.advance(24 * HOUR);
        }
        order["data"]["id"] = json!(format!("{day}"));
        brand.deliver(&standard(
            &brand,
            &format!("m{day}"),
            brand.now() + day * 86_400,
            &order,
        ));
    }
    brand.server.clock.advance(24 * HOUR - 1000);
    assert_eq!((silent(), seconds()), (json!(null), Some(86_399)));
    brand.server.clock.advance(1000);
    assert_eq!(silent(), json!("2026-11-23T10:30:00.000Z"));
    let doctor = Command::new(env!("CARGO_BIN_EXE_hopcart"))
        .arg("doctor")
        .env("HOPCART_SERVER", format!("http://{}", brand.server.running().admin))
        .env("HOPCART_API_KEY", KEY)
        .output()
        .expect("the program");
    let said = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert!(said.contains("no order since: Moss (2026-11-23 10:30)"), "{said}");
    order["data"]["id"] = json!("9");
    brand.deliver(&standard(&brand, "m9", brand.now() + 3 * 86_400, &order));
    assert_eq!((silent(), seconds()), (json!(null), Some(0)));
}
