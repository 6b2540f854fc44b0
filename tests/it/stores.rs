//! Stores: how their pages look, which cart links they get, what their UCP profile says, and the domains bound to them.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::http::Request;
use crate::server::{Api, IPHONE, TestServer, eventually, id_of};

/// A shop on this machine that answers every request with what it was told last.
pub struct Shop {
    pub url: String,
    answer: Arc<Mutex<String>>,
    asked: Arc<AtomicUsize>,
}

impl Shop {
    /// A shop without a profile.
    pub fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let shop = Self {
            url: format!("http://{}", listener.local_addr().expect("an address")),
            answer: Arc::default(),
            asked: Arc::default(),
        };
        shop.answer(404, "text/html", "", "not here");
        let (answer, asked) = (Arc::clone(&shop.answer), Arc::clone(&shop.asked));
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                serve(stream, &answer, &asked);
            }
        });
        shop
    }

    pub fn answer(&self, status: u16, content_type: &str, headers: &str, body: &str) {
        let length = body.len();
        *self.answer.lock().expect("no panic") = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n{headers}Connection: close\r\n\r\n{body}"
        );
    }

    /// Has a profile that names `endpoint`.
    fn name_endpoint(&self, endpoint: &str) {
        let profile = json!({ "ucp": { "version": "2026-08-25", "capabilities": {
            "dev.ucp.shopping.permalink": [{ "version": "2026-08-25", "config": { "endpoint": endpoint } }],
        } } });
        self.answer(
            200,
            "application/json",
            "Cache-Control: max-age=600\r\n",
            &profile.to_string(),
        );
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn serve(mut stream: TcpStream, answer: &Mutex<String>, asked: &AtomicUsize) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
        head.push(byte[0]);
    }
    if head.starts_with(b"GET /.well-known/ucp HTTP/1.1\r\n") {
        asked.fetch_add(1, Ordering::SeqCst);
    }
    let answer = answer.lock().expect("no panic").clone();
    // A client that has gone wants no answer.
    let _ = stream.write_all(answer.as_bytes());
}

fn add_store(api: &Api<'_>, provider: &str, base_url: &str) -> String {
    id_of(&api.post(
        "/stores",
        &json!({ "name": provider, "provider": provider, "baseUrl": base_url, "currency": "EUR" }),
    ))
}

fn ucp(api: &Api<'_>, store: &str) -> Value {
    api.get(&format!("/stores/{store}"))["ucp"].clone()
}

fn refresh(api: &Api<'_>, store: &str) -> Value {
    api.post(&format!("/stores/{store}/refresh"), &json!({}))["ucp"].clone()
}

/// A link `/mug` to a cart with one mug.
fn add_mug(api: &Api<'_>, store: &str, variant: &str, extra: &Value) {
    api.products(store, &[("MUG", variant, None)]);
    let mut cart = json!({ "storeId": store, "items": [{ "sku": "MUG", "quantity": 2 }], "discountCodes": ["MIA10"] });
    for (name, value) in extra.as_object().into_iter().flatten() {
        cart[name] = value.clone();
    }
    api.link(&json!({ "key": "mug", "cart": cart }));
}

/// Where somebody who opted out is sent: without a click id the location is exact.
fn location(server: &TestServer, target: &str) -> String {
    let request = Request::get(target).headers(&[("User-Agent", IPHONE), ("Sec-GPC", "1")]);
    server.send(&request).location().to_owned()
}

#[test]
fn the_endpoint_of_a_profile_is_found_kept_and_followed() {
    let mut server = TestServer::start();
    let shop = Shop::open();
    let endpoint = format!("{}/ucp/buy", shop.url);
    shop.name_endpoint(&endpoint);
    let store = add_store(&server.api(), "ucp", &shop.url);
    add_mug(&server.api(), &store, "mug-1", &json!({}));
    // Nobody asked for it: the store was just added.
    let found = eventually("the profile is read", || {
        let ucp = ucp(&server.api(), &store);
        (!ucp["fetchedAt"].is_null()).then_some(ucp)
    });
    assert_eq!(
        (&found["endpoint"], &found["problem"]),
        (&json!(endpoint), &json!(null))
    );
    let expected = format!("{endpoint}/mug-1:2?discounts/codes/0=MIA10");
    assert_eq!(location(&server, "/mug"), expected);

    // A destination below the endpoint is this store's cart.
    let written = server
        .api()
        .link(&json!({ "key": "as-url", "url": format!("{endpoint}/mug-1:1") }));
    assert_eq!(written["cart"]["storeId"], json!(store));

    // A profile that is gone, or is no profile, changes nothing but what the brand reads.
    let asked = shop.asked();
    for (status, content_type, headers, body, problem) in [
        (404, "text/html", "", "gone", "answered 404"),
        (
            302,
            "text/html",
            "Location: http://169.254.169.254/\r\n",
            "",
            "redirects are not followed",
        ),
        (200, "text/html", "", "{}", "not application/json"),
        (200, "application/json", "", "{", "not valid JSON"),
        (200, "application/json", "", &" ".repeat(300_000), "too large"),
    ] {
        shop.answer(status, content_type, headers, body);
        let kept = refresh(&server.api(), &store);
        assert_eq!(
            (&kept["endpoint"], &kept["fetchedAt"]),
            (&json!(endpoint), &found["fetchedAt"])
        );
        let told = kept["problem"].as_str().unwrap_or_default();
        assert!(told.contains(problem), "{told}");
        assert_eq!(location(&server, "/mug"), expected);
    }
    assert_eq!(shop.asked(), asked + 5, "a follow asks nobody");
    server.restart();
    assert_eq!(location(&server, "/mug"), expected);

    // Another shop's base URL: nothing of the first one's profile is left.
    let other = Shop::open();
    server.api().patch(
        &format!("/stores/{store}"),
        &json!({ "baseUrl": format!("{}/buy", other.url) }),
    );
    assert_eq!(
        location(&server, "/mug"),
        format!("{}/buy/mug-1:2?discounts/codes/0=MIA10", other.url)
    );
    let told = eventually("the other shop is asked", || {
        ucp(&server.api(), &store)["problem"].as_str().map(str::to_owned)
    });
    assert!(told.contains("answered 404"), "{told}");
    assert!(ucp(&server.api(), &store)["endpoint"].is_null());
}

#[test]
fn an_endpoint_that_followers_must_not_be_sent_to_is_refused() {
    let server = TestServer::start();
    let api = server.api();
    let shop = Shop::open();
    let store = add_store(&api, "ucp", &format!("{}/buy", shop.url));
    add_mug(&api, &store, "mug-1", &json!({}));
    let own = server.running().public_url.clone();
    for (endpoint, problem) in [
        ("http://169.254.169.254/latest", "must start with https://"),
        ("http://shop.example/buy", "must start with https://"),
        ("javascript:alert(1)", "must start with https://"),
        ("https://shop.example/buy?next=1", "no user name, query, fragment"),
        ("https://me:pw@shop.example/buy", "no user name, query, fragment"),
        ("https://shop.example/buy/", "final slash"),
        ("https://shop.example/\u{fc}", "clean form"),
        (&format!("{own}/buy"), "link domain of this server"),
    ] {
        shop.name_endpoint(endpoint);
        let told = refresh(&api, &store);
        assert_eq!(
            (&told["endpoint"], &told["fetchedAt"]),
            (&json!(null), &json!(null)),
            "{endpoint}"
        );
        let line = told["problem"].as_str().unwrap_or_default();
        assert!(line.contains(problem), "{endpoint}: {line}");
        assert_eq!(
            location(&server, "/mug"),
            format!("{}/buy/mug-1:2?discounts/codes/0=MIA10", shop.url)
        );
    }
    // The next good one is taken.
    shop.name_endpoint("https://shop.example/buy");
    assert_eq!(refresh(&api, &store)["endpoint"], json!("https://shop.example/buy"));
    assert_eq!(
        location(&server, "/mug"),
        "https://shop.example/buy/mug-1:2?discounts/codes/0=MIA10"
    );
}

#[test]
fn a_look_stays_out_of_the_servers_network() {
    let server = TestServer::with(|config| config.destinations.allow_private = false);
    let api = server.api();
    for base_url in ["http://127.0.0.1/", "https://169.254.169.254/", "https://localhost/buy"] {
        let body = json!({ "name": "x", "provider": "ucp", "baseUrl": base_url, "currency": "EUR" });
        let told = api.call("POST", "/stores", Some(&body)).refusal(422);
        assert!(told.starts_with("baseUrl: "), "{told}");
    }
    let plain = add_store(&api, "shopify", "http://shop.example/");
    assert!(
        refresh(&api, &plain)["problem"]
            .as_str()
            .is_some_and(|told| told.contains("https://"))
    );
    let woo = add_store(&api, "woocommerce", "https://woo.example/");
    let told = api.call("POST", &format!("/stores/{woo}/refresh"), None).refusal(422);
    assert!(told.starts_with("provider: "), "{told}");
    let other = server.other_brand("Other");
    other
        .call("POST", &format!("/stores/{plain}/refresh"), None)
        .refusal(404);
}

#[test]
fn a_shopify_store_gets_the_permalink_that_it_is_set_to() {
    let server = TestServer::start();
    let api = server.api();
    let shop = Shop::open();
    let endpoint = format!("{}/ucp", shop.url);
    let store = add_store(&api, "shopify", &format!("{}/de", shop.url));
    add_mug(&api, &store, "gid://shopify/ProductVariant/44017", &json!({}));
    api.link(&json!({ "key": "noted", "cart": {
        "storeId": store, "items": [{ "sku": "MUG" }], "note": "hi",
    } }));
    refresh(&api, &store);
    let (legacy, buy, token) = (
        format!("{}/de/cart/44017:2?discount=MIA10", shop.url),
        "?discounts/codes/0=MIA10",
        "~Z2lkOi8vc2hvcGlmeS9Qcm9kdWN0VmFyaWFudC80NDAxNw",
    );
    let (at_root, at_endpoint) = (
        format!("{}/de/buy/{token}:2{buy}", shop.url),
        format!("{endpoint}/{token}:2{buy}"),
    );
    let noted = format!("{}/de/cart/44017:1?note=hi", shop.url);
    for (base, permalink, has_profile, expected) in [
        ("/de", "auto", false, &legacy),
        ("/de", "cart", false, &legacy),
        ("/de", "buy", false, &at_root),
        ("/de/buy", "auto", false, &at_root),
        ("/de/buy", "cart", false, &legacy),
        ("/de/buy", "buy", false, &at_root),
        ("/de/buy", "auto", true, &at_root),
        ("/de/buy", "buy", true, &at_endpoint),
        ("/de", "auto", true, &legacy),
        ("/de", "cart", true, &legacy),
        ("/de", "buy", true, &at_endpoint),
    ] {
        if has_profile {
            shop.name_endpoint(&endpoint);
        }
        let change = json!({ "baseUrl": format!("{}{base}", shop.url), "permalink": permalink });
        let changed = api.patch(&format!("/stores/{store}"), &change);
        assert_eq!(changed["permalink"], json!(permalink));
        let known = refresh(&api, &store);
        assert_eq!(
            known["endpoint"],
            if has_profile { json!(endpoint) } else { json!(null) }
        );
        assert_eq!(&location(&server, "/mug"), expected, "{base} {permalink} {has_profile}");
        // What /buy cannot say goes to the shop's own /cart, wherever the endpoint is.
        assert_eq!(location(&server, "/noted"), noted, "{base} {permalink} {has_profile}");
    }
    // The click id travels in the form's own name.
    let location = server.follow("/mug").location().to_owned();
    assert!(
        location.starts_with(&format!("{at_endpoint}&attribution/hop_id=")),
        "{location}"
    );
    let taken_away = api.patch(&format!("/stores/{store}"), &json!({ "permalink": null }));
    assert_eq!(taken_away["permalink"], json!("auto"));
}

#[test]
fn a_store_keeps_how_its_pages_look() {
    let server = TestServer::start();
    let api = server.api();
    let store = add_store(&api, "woocommerce", "https://woo.example/");
    let show = || api.get(&format!("/stores/{store}"));
    let look = |store: &Value| {
        [
            "accentColor",
            "logoUrl",
            "imageHosts",
            "priceFreshHours",
            "permalink",
            "ucp",
        ]
        .map(|name| store[name].clone())
    };
    let plain = [json!(null), json!(null), json!([]), json!(24), json!(null), json!(null)];
    assert_eq!(look(&show()), plain);
    let change = json!({
        "accentColor": "#0A6B4B", "logoUrl": "https://cdn.woo.example/logo.svg",
        "imageHosts": ["CDN.woo.example", "img.example:8443", "cdn.woo.example:443"], "priceFreshHours": 720,
    });
    let expected = [
        json!("#0a6b4b"),
        json!("https://cdn.woo.example/logo.svg"),
        json!(["cdn.woo.example", "img.example:8443"]),
        json!(720),
        json!(null),
        json!(null),
    ];
    assert_eq!(look(&api.patch(&format!("/stores/{store}"), &change)), expected);
    assert_eq!(look(&show()), expected);
    assert_eq!(look(&api.get("/stores")[0]), expected);

    for (change, start) in [
        (json!({ "accentColor": "green" }), "accentColor: must be a colour"),
        (json!({ "logoUrl": "javascript:1" }), "logoUrl: must start with http"),
        (
            json!({ "imageHosts": ["https://cdn.example"] }),
            "imageHosts[0]: must be a host such as cdn.shop.example, without https://",
        ),
        (json!({ "imageHosts": ["a.example", "*.b.example"] }), "imageHosts[1]: "),
        (
            json!({ "imageHosts": vec!["a.example"; 21] }),
            "imageHosts: must have at most 20",
        ),
        (json!({ "imageHosts": "a.example" }), "imageHosts: invalid type"),
        (
            json!({ "priceFreshHours": 0 }),
            "priceFreshHours: must be from 1 to 720",
        ),
        (
            json!({ "priceFreshHours": 721 }),
            "priceFreshHours: must be from 1 to 720",
        ),
        (
            json!({ "permalink": "buy" }),
            "permalink: can be set for provider shopify only",
        ),
        (json!({ "permalink": "checkout" }), "permalink: unknown variant"),
    ] {
        let told = api
            .call("PATCH", &format!("/stores/{store}"), Some(&change))
            .refusal(422);
        assert!(told.starts_with(start), "{change}: {told}");
        assert_eq!(look(&show()), expected);
    }
    let nulls =
        json!({ "accentColor": null, "logoUrl": null, "imageHosts": null, "priceFreshHours": null, "permalink": null });
    assert_eq!(look(&api.patch(&format!("/stores/{store}"), &nulls)), plain);

    let made = api.post(
        "/stores",
        &json!({
            "name": "S", "provider": "shopify", "baseUrl": "https://s.example", "currency": "EUR", "permalink": "buy",
            "accentColor": "#ffffff",
        }),
    );
    assert_eq!(
        (&made["permalink"], &made["accentColor"]),
        (&json!("buy"), &json!("#ffffff"))
    );
    assert_eq!(
        made["ucp"],
        json!({ "endpoint": null, "fetchedAt": null, "problem": null })
    );
}

#[test]
fn a_domain_is_bound_to_a_store_of_its_workspace() {
    let server = TestServer::start();
    let api = server.api();
    let (first, second) = (
        add_store(&api, "ucp", "https://a.example/buy"),
        add_store(&api, "woocommerce", "https://b.example/"),
    );
    let made = api.post("/domains", &json!({ "slug": "go.brand.example", "storeId": first }));
    assert_eq!(made["storeId"], json!(first));
    let change = |body: &Value| api.patch("/domains/go.brand.example", body)["storeId"].clone();
    assert_eq!(
        change(&json!({ "archived": false })),
        json!(first),
        "what is not said stays"
    );
    assert_eq!(change(&json!({ "storeId": second })), json!(second));
    assert_eq!(api.get("/domains")[0]["storeId"], json!(second));
    let theirs = add_store(&server.other_brand("Other"), "ucp", "https://c.example/buy");
    for unknown in [json!(theirs), json!("store_none"), json!("")] {
        let body = json!({ "storeId": unknown });
        let told = api.call("PATCH", "/domains/go.brand.example", Some(&body)).refusal(422);
        assert_eq!(told, "storeId: is not a store of this workspace");
        let body = json!({ "slug": "hop.brand.example", "storeId": unknown });
        api.call("POST", "/domains", Some(&body)).refusal(422);
    }
    assert_eq!(change(&json!({ "storeId": null })), json!(null));
    for default in ["dom_default", "127.0.0.1"] {
        let body = json!({ "storeId": first });
        api.call("PATCH", &format!("/domains/{default}"), Some(&body))
            .refusal(404);
    }
}
