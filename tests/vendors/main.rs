//! The vendors' own libraries (npm: Stripe's, Standard Webhooks') against ours: what theirs sign a server takes, what they
//! refuse it refuses, and what ours would sign they take. And the dialect's official clients (npm, PyPI), which drive a
//! server unmodified. Needs nodejs and npm, python3 and python3-venv, and fails without them.

#[path = "../it/http.rs"]
#[expect(dead_code, reason = "the journeys of tests/it need more of it")]
mod http;
#[path = "../it/receiver.rs"]
#[expect(dead_code, reason = "the journeys of tests/it need more of it")]
mod receiver;
#[path = "../it/server.rs"]
#[expect(dead_code, reason = "the journeys of tests/it need more of it")]
mod server;

mod every;
mod fuzz;
mod node;
mod python;
mod readme;
mod script;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use http::Request;
use node::ask;
use receiver::Receiver;
use server::{IPHONE, NOW, TestServer, id_of};

const STANDARD_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const STRIPE_SECRET: &str = "whsec_of_an_endpoint_that_is_a_test";

fn seconds(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().expect("an instant").as_second()
}

/// A store of `provider` that takes `secret`; its id.
fn store(server: &TestServer, provider: &str, base_url: &str, secret: &str) -> String {
    let body = json!({ "name": "Moss", "provider": provider, "baseUrl": base_url, "currency": "EUR",
        "webhookSecrets": ["whsec_AAAA", secret] });
    id_of(&server.api().post("/stores", &body))
}

/// The status that a server gives to `body` under the headers that the vendor's library made.
fn post(server: &TestServer, store: &str, headers: &Value, body: &str) -> u16 {
    let mut request = Request::new("POST", &format!("/_/hooks/{store}"))
        .header("Content-Type", "application/json")
        .header("X-WC-Webhook-Topic", "order.updated");
    for (name, value) in headers.as_object().expect("headers") {
        request = request.header(name, value.as_str().expect("text"));
    }
    server.send(&request.body(body)).status
}

#[test]
fn what_the_vendors_libraries_sign_is_taken_once_it_is_theirs_and_fresh() {
    let now = seconds(NOW);
    let server = TestServer::start();
    let session = include_str!("../../fixtures/stripe/checkout_session_completed.json");
    let order = include_str!("../../fixtures/standard/order.json");
    let woo = include_str!("../../fixtures/woocommerce/order_updated.json");
    for (kind, provider, base_url, secret, body) in [
        (
            "stripe",
            "stripe",
            "https://buy.stripe.com/4gw3cd",
            STRIPE_SECRET,
            session,
        ),
        (
            "standard",
            "template",
            "https://moss.example/{items}",
            STANDARD_SECRET,
            order,
        ),
        (
            "woocommerce",
            "woocommerce",
            "https://moss.example",
            "a secret of the shop's",
            woo,
        ),
    ] {
        let store = store(&server, provider, base_url, secret);
        let task =
            |secret: &str, at: i64| json!({ "kind": kind, "secret": secret, "body": body, "at": at, "id": "msg_1" });
        let signed = ask(&[
            task(secret, now),
            task(secret, now - 299),
            task("whsec_BBBB", now),
            task(secret, now - 301),
        ]);
        let status = |place: usize, body: &str| post(&server, &store, &signed[place]["sign"], body);
        assert_eq!(
            status(0, &body.replace("EUR", "USD").replace("eur", "usd")),
            401,
            "{kind}: another body"
        );
        assert_eq!(status(2, body), 401, "{kind}: another secret");
        if kind != "woocommerce" {
            assert_eq!(status(3, body), 401, "{kind}: too old");
        }
        assert_eq!([status(0, body), status(1, body)], [200, 200], "{kind}");
    }
}

#[test]
fn what_ours_verify_the_vendors_libraries_verify_too() {
    let body = include_str!("../../fixtures/standard/order.json");
    // Standard Webhooks' library asks its own clock.
    let now = jiff::Timestamp::now().as_second();
    let tag = |key: &[u8], message: &str| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message.as_bytes());
    let key = STANDARD
        .decode(STANDARD_SECRET.trim_start_matches("whsec_"))
        .expect("base64");
    let signature = STANDARD.encode(tag(&key, &format!("msg_1.{now}.{body}")));
    let hex: String = tag(STRIPE_SECRET.as_bytes(), &format!("{now}.{body}"))
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let standard = json!({ "webhook-id": "msg_1", "webhook-timestamp": now.to_string(),
        "webhook-signature": format!("v1,{signature}") });
    let stripe = json!({ "Stripe-Signature": format!("t={now},v1={hex}") });
    let task = |kind: &str, secret: &str, headers: &Value, body: &str| json!({ "kind": kind, "secret": secret, "headers": headers, "body": body });
    let said = ask(&[
        task("standard", STANDARD_SECRET, &standard, body),
        task("standard", STANDARD_SECRET, &standard, "{}"),
        task("stripe", STRIPE_SECRET, &stripe, body),
        task("stripe", STRIPE_SECRET, &stripe, "{}"),
    ]);
    let said: Vec<_> = said.iter().map(|answer| answer["verify"].as_bool()).collect();
    assert_eq!(said, [Some(true), Some(false), Some(true), Some(false)]);
}

#[test]
fn the_dialects_client_tells_of_conversions_and_reads_them() {
    let server = TestServer::start();
    let partner = server.api().partner("Mia", "ceramics");
    let link = json!({ "key": "mia", "url": "https://shop.example/", "partnerId": partner });
    server.api().link(&link);
    let followed = server.send(&Request::get("/mia").header("User-Agent", IPHONE));
    let (_, click) = followed.location().split_once("hop_id=").expect("a click id");
    let task = json!({ "url": format!("http://{}", server.running().admin), "key": server::KEY, "clickId": click });
    let said = node::run("dub.mjs", &task);
    assert_eq!(said["lead"]["link"]["key"], "mia");
    assert_eq!(said["sale"]["sale"]["amount"], 4900);
    assert_eq!(said["again"], said["sale"]);
    assert_eq!(
        (&said["nobody"]["sale"], &said["nobody"]["customer"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(said["unknownClick"]["status"], 404, "{}", said["unknownClick"]);
    assert_eq!(said["customers"][0]["partner"]["name"], "Mia");
    assert_eq!(said["customer"]["saleAmount"], 4900);
    assert_eq!(said["changed"]["name"], "Zo\u{eb}");
    assert_eq!(said["leads"][0]["eventName"], "Sign up");
    assert_eq!(said["sales"][0]["sale"]["invoiceId"], "inv_1");
    assert_eq!(
        (&said["count"]["leads"], &said["count"]["saleAmount"]),
        (&json!(1), &json!(4900))
    );
    assert_eq!(said["devices"][0]["sales"], 1);
    assert_eq!(said["links"][0]["leads"], 1);
    assert!(said["series"].as_array().is_some_and(|steps| !steps.is_empty()));
    assert_eq!(said["deleted"]["id"], said["customer"]["id"]);
}

/// The official client for Python checks every answer against its own models and raises where one does not fit; what it
/// sends and reads is the client's, unmodified.
#[test]
fn the_dialects_client_for_python_mints_tells_and_reads() {
    let server = TestServer::start();
    let partner = server.api().partner("Mia", "ceramics");
    let link = json!({ "key": "mia", "url": "https://shop.example/", "partnerId": partner });
    server.api().link(&link);
    let followed = server.send(&Request::get("/mia").header("User-Agent", IPHONE));
    let (_, click) = followed.location().split_once("hop_id=").expect("a click id");
    let task = json!({ "url": format!("http://{}", server.running().admin), "key": server::KEY, "clickId": click });
    let said = python::run("dialect.py", &task);

    assert_eq!(
        (&said["link"]["key"], &said["link"]["externalId"]),
        (&json!("py"), &json!("own-1"))
    );
    assert_eq!(said["got"]["id"], said["link"]["id"]);
    assert_eq!(said["updated"]["comments"], "spring");
    let followed = server.send(&Request::get("/py").header("User-Agent", IPHONE));
    assert!(
        followed.location().contains("utm_source=tiktok"),
        "{}",
        followed.location()
    );
    assert_eq!(said["count"], 3.0);
    assert_eq!(said["pages"], json!([["many-2", "many-1"], ["many-0"]]));
    assert_eq!(said["deleted"]["id"], said["many"][0]["id"]);
    for (what, error, status) in [
        ("taken", "Conflict", 409),
        ("badUrl", "UnprocessableEntity", 422),
        ("gone", "NotFound", 404),
        ("unknownClick", "NotFound", 404),
        ("noCustomer", "NotFound", 404),
    ] {
        assert_eq!(said[what], json!({ "error": error, "status": status }), "{what}");
    }
    assert_eq!(said["partner"]["tenantId"], "t1");
    assert_eq!(said["partners"][0]["id"], said["partner"]["id"]);

    assert_eq!(said["lead"]["link"]["key"], "mia");
    assert_eq!(said["sale"]["sale"]["amount"], 4900.0);
    assert_eq!(said["again"], said["sale"]);
    assert_eq!(
        (&said["nobody"]["sale"], &said["nobody"]["customer"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(said["customers"][0]["partner"]["name"], "Mia");
    assert_eq!(said["customer"]["saleAmount"], 4900.0);
    assert_eq!(said["changed"]["name"], "Zo\u{eb}");
    assert_eq!(said["erased"]["id"], said["customer"]["id"]);

    assert_eq!(said["clicks"][0]["click"]["id"], click);
    assert_eq!(said["leads"][0]["eventName"], "Sign up");
    assert_eq!(said["sales"][0]["sale"]["invoiceId"], "inv_1");
    assert_eq!(
        said["composite"],
        json!({ "clicks": 1.0, "leads": 1.0, "sales": 1.0, "saleAmount": 4900.0 })
    );
    for by in [
        "timeseries",
        "countries",
        "devices",
        "browsers",
        "os",
        "triggers",
        "referers",
        "top_links",
        "top_urls",
    ] {
        let sum = |event: &str, figure: &str| -> f64 {
            let rows = said[format!("by {by}")][event].as_array().expect("rows").iter();
            rows.map(|row| row[figure].as_f64().expect("a number")).sum()
        };
        let counted = (
            sum("clicks", "clicks"),
            sum("leads", "leads"),
            sum("sales", "sales"),
            sum("sales", "saleAmount"),
        );
        assert_eq!(counted, (1.0, 1.0, 1.0, 4900.0), "by {by}");
    }
}

/// What brands receive, read by Standard Webhooks' own verifier and by the official client's own schemas.
#[test]
fn what_webhooks_tell_the_vendors_libraries_verify_and_read() {
    let server = TestServer::start();
    // Standard Webhooks' library asks its own clock.
    let now = jiff::Timestamp::now().as_millisecond();
    server.clock.advance(now - seconds(NOW) * 1000);
    let (api, receiver) = (server.api(), Receiver::start());
    let triggers = [
        "link.created",
        "link.updated",
        "link.deleted",
        "link.clicked",
        "lead.created",
        "sale.created",
    ];
    let hook = api.post(
        "/webhooks",
        &json!({ "name": "Till", "url": receiver.url(), "triggers": triggers }),
    );
    let partner = api.partner("Mia", "ceramics");
    let link = api.link(&json!({ "key": "mia", "url": "https://shop.example/", "partnerId": partner }));
    let gone = api.link(&json!({ "key": "gone", "url": "https://shop.example/" }));
    api.patch(&format!("/links/{}", id_of(&link)), &json!({ "title": "Spring" }));
    assert_eq!(
        api.call("DELETE", &format!("/links/{}", id_of(&gone)), None).status,
        200
    );
    let followed = server.send(&Request::get("/mia").header("User-Agent", IPHONE));
    let (_, click) = followed.location().split_once("hop_id=").expect("a click id");
    api.post(
        "/track/lead",
        &json!({ "clickId": click, "eventName": "Sign up", "customerExternalId": "c1", "metadata": { "plan": "pro" } }),
    );
    api.post(
        "/track/sale",
        &json!({ "customerExternalId": "c1", "amount": 4900, "currency": "eur", "invoiceId": "inv_1" }),
    );
    let posts = receiver.wait(7);
    let task: Vec<_> = posts
        .iter()
        .map(|post| json!({ "headers": post.headers, "text": post.text }))
        .collect();
    let found = node::run("receive.mjs", &json!({ "secret": hook["secret"], "posts": task }));
    let found = found.as_array().expect("a list").clone();
    for one in &found {
        assert_eq!((&one["read"], &one["error"]), (&json!(true), &json!(null)), "{one}");
        let verified = [
            &one["verified"],
            &one["verifiedByStranger"],
            &one["verifiedWhenChanged"],
        ];
        assert_eq!(verified, [&json!(true), &json!(false), &json!(false)], "{one}");
    }
    let of = |event: &str| {
        let first = found.iter().find(|one| one["event"] == event);
        first.unwrap_or_else(|| panic!("no {event}"))["value"]["data"].clone()
    };
    assert_eq!(of("link.updated")["title"], "Spring");
    assert_eq!(of("link.deleted")["key"], "gone");
    assert_eq!(of("link.clicked")["click"]["id"], click);
    assert_eq!(
        (
            &of("lead.created")["metadata"]["plan"],
            &of("lead.created")["partner"]["name"]
        ),
        (&json!("pro"), &json!("Mia"))
    );
    assert_eq!(
        (
            &of("sale.created")["sale"]["amount"],
            &of("sale.created")["click"]["id"]
        ),
        (&json!(4900), &json!(click))
    );
}
