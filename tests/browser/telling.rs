//! `/_/t.js` on a shop's own pages, which are of another origin: the click id that the link brought is kept, a lead and
//! sales arrive, and a stranger's page that copied the key is refused.

use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use hyper::header::CONTENT_TYPE;
use serde_json::{Value, json};

use crate::node::run;
use crate::server::{TestServer, eventually};
use crate::small_server::SmallServer;

const SHOP: &str = "moss.test";
const STRANGER: &str = "evil.test";

/// A page with the script; what it does goes by its path.
fn page(public: &str, key: &str, path: &str) -> String {
    let tells = match path {
        "/" => {
            "out.told = await hopcart.track('lead', { eventName: 'Sign up', customerExternalId: 'u1', customerName: 'Zoe' });"
        }
        "/thanks" => {
            "out.told = await hopcart.track('sale', { customerExternalId: 'u1', amount: 4900, currency: 'eur', invoiceId: 'a' });"
        }
        _ => {
            "out.told = await hopcart.track('sale', { customerExternalId: 'u1', amount: 100, currency: 'eur', invoiceId: 'b', beacon: true });"
        }
    };
    format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Moss</title><link rel=\"icon\" href=\"data:,\">\
         <script src=\"{public}/_/t.js\" data-key=\"{key}\"></script></head><body><script>window.told = (async () => {{ \
         const out = {{ clickId: hopcart.clickId() }}; try {{ {tells} }} catch (error) {{ out.error = String(error); }} \
         return out; }})();</script></body></html>"
    )
}

#[test]
fn a_shops_pages_tell_and_a_strangers_do_not() {
    let server = TestServer::start();
    let public = format!("http://{}", server.running().public);
    let secret = std::sync::Arc::new(std::sync::OnceLock::<String>::new());
    let (base, key) = (public.clone(), std::sync::Arc::clone(&secret));
    let shop = SmallServer::start(SHOP, move |request| {
        let html = page(&base, key.get().map_or("", String::as_str), request.uri().path());
        Response::builder()
            .header(CONTENT_TYPE, "text/html; charset=utf-8")
            .body(Full::from(Bytes::from(html)))
            .expect("a good head")
    });
    let port = shop.plain.port();
    let origin = format!("http://{SHOP}:{port}");
    let issued = json!({ "name": "Moss", "kind": "publishable", "origins": [origin] });
    let issued = server.api().post("/keys", &issued);
    secret
        .set(issued["key"].as_str().expect("a key").to_owned())
        .expect("set once");
    let partner = server.api().partner("Mia", "ceramics");
    server
        .api()
        .link(&json!({ "key": "mia", "url": format!("{origin}/"), "partnerId": partner }));

    let urls = [
        format!("{public}/mia"),
        format!("{origin}/thanks"),
        format!("{origin}/later"),
        format!("http://{STRANGER}:{port}/thanks"),
    ];
    let rules = format!("MAP {SHOP} 127.0.0.1, MAP {STRANGER} 127.0.0.1");
    let seen = run("tell.mjs", &json!({ "hostRules": rules, "urls": urls }));
    let [landed, thanks, later, stranger] = [0, 1, 2, 3].map(|place| &seen[place]["told"]);
    let click = landed["clickId"].as_str().expect("a click id");
    assert_eq!(click.len(), 32, "{seen}");
    assert!(
        seen[0]["cookie"].as_str().is_some_and(|cookie| cookie.contains(click)),
        "{seen}"
    );
    assert_eq!(landed["told"]["click"]["id"], json!(click), "{seen}");
    assert_eq!(
        thanks["clickId"],
        json!(click),
        "the cookie is kept between pages: {seen}"
    );
    assert_eq!(thanks["told"]["sale"]["amount"], 4900, "{seen}");
    assert_eq!(later["told"], json!(true), "a beacon was queued: {seen}");
    assert_eq!(
        (&stranger["clickId"], &stranger["told"]),
        (&json!(""), &Value::Null),
        "{seen}"
    );
    assert!(
        stranger["error"].as_str().is_some_and(|error| error.contains("fetch")),
        "{seen}"
    );

    let told = eventually("the beacon", || {
        let told = server.api().get("/events?interval=all&event=sales");
        (told.as_array().expect("events").len() == 2).then_some(told)
    });
    let invoices: Vec<&Value> = told
        .as_array()
        .expect("events")
        .iter()
        .map(|event| &event["invoice_id"])
        .collect();
    assert_eq!(invoices, [&json!("b"), &json!("a")]);
    assert_eq!(told[0]["link"]["key"], "mia");
}
