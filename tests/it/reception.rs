//! How links receive their followers: targets by device, country and rule, pages on the way; and what is refused.

use serde_json::{Value, json};

use crate::http::{Answer, Request};
use crate::server::{Api, IPHONE, TestServer, eventually, id_of};

const URL: &str = "https://shop.example/own";
const PIXEL: &str =
    "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Mobile Safari/537.36";
const PREVIEW: &str = "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)";
const DESK: &str =
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36";

/// A server that knows where addresses are: 192.0.2.200 is in London, 192.0.2.1 in Berlin.
fn with_places() -> TestServer {
    TestServer::with(|config| {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/maxmind/cities.mmdb");
        config.country_file = Some(file.into());
    })
}

fn from(address: &str, agent: &str, target: &str) -> Request {
    Request::get(target)
        .header("User-Agent", agent)
        .header("X-Forwarded-For", address)
}

/// Waits until `count` clicks are counted under `query`.
fn counted(api: &Api<'_>, query: &str, count: u64) {
    eventually(&format!("{count} clicks of {query}"), || {
        (api.clicks(query) == count).then_some(())
    });
}

fn led(server: &TestServer, request: &Request) -> String {
    let answer = server.send(request);
    assert!(matches!(answer.status, 302 | 303), "{}", answer.status);
    answer.location().to_owned()
}

#[test]
fn devices_and_countries_have_their_own_destinations() {
    let server = with_places();
    let api = server.api();
    let link = api.link(&json!({ "key": "a", "url": URL, "ios": "https://shop.example/ios",
        "android": "https://shop.example/android", "geo": { "gb": "https://shop.example/gb" } }));
    assert_eq!(link["geo"], json!({ "GB": "https://shop.example/gb" }));
    for (address, agent, expected) in [
        ("192.0.2.200", IPHONE, "https://shop.example/ios"),
        ("192.0.2.200", PIXEL, "https://shop.example/android"),
        ("192.0.2.200", DESK, "https://shop.example/gb"),
        ("203.0.113.1", DESK, URL),
        ("203.0.113.1", "curl/8", URL),
    ] {
        assert_eq!(led(&server, &from(address, agent, "/a")), expected, "{address} {agent}");
    }
    assert_eq!(
        led(&server, &from("192.0.2.200", IPHONE, "/a?x=1")),
        "https://shop.example/ios?x=1"
    );
    let link = id_of(&link);
    let changed = api.patch(&format!("/links/{link}"), &json!({ "ios": null, "geo": null }));
    assert_eq!((&changed["ios"], &changed["geo"]), (&Value::Null, &Value::Null));
    assert_eq!(changed["android"], "https://shop.example/android");
    assert_eq!(led(&server, &from("192.0.2.200", IPHONE, "/a")), URL);
    // Four people were counted, each once, for nobody moved the clock; and the program beside them.
    counted(&api, &format!("linkId={link}&include=bots"), 5);
    assert_eq!(api.clicks(&format!("linkId={link}")), 4);
}

#[test]
fn the_first_rule_that_holds_decides() {
    let server = with_places();
    let api = server.api();
    let rules = json!([
        { "query": { "name": "src", "value": "bio" }, "url": "https://shop.example/bio" },
        { "ip": ["192.0.2.8/30", "2001:db8::/32"], "url": "https://shop.example/office" },
        { "city": "london", "os": ["iOS", "Android"], "url": "https://shop.example/london" },
        { "country": ["gb", "DE"], "language": "de", "url": "https://shop.example/german" },
        { "device": "Desktop", "browser": "chrome", "until": "2026-11-21T11:00:00Z", "url": "https://shop.example/desk" },
    ]);
    let made = api.link(&json!({ "key": "r", "url": URL, "rules": rules }));
    let link = id_of(&made);
    assert_eq!(made["rules"][3]["country"], json!(["GB", "DE"]));
    assert_eq!(made["rules"][4]["browser"], json!(["Chrome"]));
    let check = |name: &str| {
        for (request, expected) in [
            (
                from("192.0.2.200", IPHONE, "/r?src=bio"),
                "https://shop.example/bio?src=bio",
            ),
            (from("192.0.2.9", DESK, "/r"), "https://shop.example/office"),
            (from("192.0.2.200", IPHONE, "/r"), "https://shop.example/london"),
            (
                from("192.0.2.200", DESK, "/r").header("Accept-Language", "de-AT,en"),
                "https://shop.example/german",
            ),
            (from("192.0.2.200", DESK, "/r"), "https://shop.example/desk"),
            (from("203.0.113.1", PIXEL, "/r"), URL),
        ] {
            assert_eq!(led(&server, &request), expected, "{name}");
        }
    };
    check("as it was made");
    // What an answer shows can be sent back, and changes nothing.
    let again = api.patch(&format!("/links/{link}"), &json!({ "rules": made["rules"] }));
    assert_eq!(again["rules"], made["rules"]);
    check("as it was sent back");
    server.clock.advance(31 * 60 * 1000);
    assert_eq!(
        led(&server, &from("192.0.2.200", DESK, "/r")),
        URL,
        "the window is over"
    );
    api.patch(&format!("/links/{link}"), &json!({ "rules": [] }));
    assert_eq!(led(&server, &from("192.0.2.9", DESK, "/r")), URL);
}

#[test]
fn a_rule_may_lead_to_a_cart_and_survives_a_restart() {
    let mut server = TestServer::start();
    let api = server.api();
    let store = api.store();
    api.products(&store, &[("MUG", "44017", Some(3)), ("BOWL", "44018", Some(0))]);
    api.link(&json!({ "key": "c", "url": URL, "rules": [
        { "os": "iOS", "cart": { "storeId": store, "items": [{ "sku": "MUG" }] } },
        { "os": "Windows", "url": "https://shop.example/cart/44017:2?discount=MIA" },
        { "os": "Android", "cart": { "storeId": store, "items": [{ "sku": "BOWL" }], "landing": "page" } },
    ] }));
    let check = |server: &TestServer| {
        let cart = led(server, &from("192.0.2.1", IPHONE, "/c"));
        assert!(
            cart.starts_with("https://shop.example/cart/44017:1?attributes%5Bhop_id%5D="),
            "{cart}"
        );
        let cart = led(server, &from("192.0.2.1", DESK, "/c"));
        assert!(
            cart.starts_with("https://shop.example/cart/44017:2?discount=MIA&attributes%5Bhop_id%5D="),
            "{cart}"
        );
        let page = server.send(&from("192.0.2.1", PIXEL, "/c"));
        assert_eq!(page.status, 200, "{}", page.text());
    };
    check(&server);
    server.restart();
    check(&server);
}

#[test]
fn bad_rules_are_refused_with_the_name_of_the_field() {
    let server = TestServer::start();
    let api = server.api();
    let rule = |field: &str, value: Value| {
        let good = json!({ "os": "iOS", "url": URL });
        let mut bad = json!({ "url": URL });
        bad[field] = value;
        json!({ "url": URL, "rules": [good, bad] })
    };
    for (body, start) in [
        (
            rule("country", json!("Germany")),
            "rules[1].country: must be an ISO 3166-1",
        ),
        (
            rule("country", json!(["DE", "XX"])),
            "rules[1].country: must be an ISO 3166-1",
        ),
        (
            rule("device", json!("phone")),
            "rules[1].device: must be one of Mobile, Tablet",
        ),
        (
            rule("browser", json!("Mosaic")),
            "rules[1].browser: must be one of Chrome",
        ),
        (rule("os", json!("")), "rules[1].os: must be one of iOS"),
        (
            rule("language", json!("d_e")),
            "rules[1].language: must be a language tag",
        ),
        (
            rule("ip", json!("10.0.0.0/33")),
            "rules[1].ip: must be an address or a network",
        ),
        (rule("city", json!(" ")), "rules[1].city: must be a name"),
        (rule("query", json!({ "name": "" })), "rules[1].query: must have a name"),
        (rule("from", json!("tomorrow")), "rules[1].from: must be an instant"),
        (rule("colour", json!("red")), "rules[1].colour: is not a known field"),
        (rule("os", json!(7)), "rules[1].os: must be text or a list"),
        (
            json!({ "url": URL, "rules": [{ "from": "2026-11-22T00:00:00Z", "until": "2026-11-21T00:00:00Z", "url": URL }] }),
            "rules[0].until: must be after from",
        ),
        (
            json!({ "url": URL, "rules": [{ "url": URL }] }),
            "rules[0]: must have a condition",
        ),
        (
            json!({ "url": URL, "rules": [{ "os": "iOS" }] }),
            "rules[0].url: is required",
        ),
        (
            json!({ "url": URL, "rules": [{ "os": "iOS", "cart": { "storeId": "store_no", "items": [{ "sku": "A" }] } }] }),
            "rules[0].cart.storeId: is not a store",
        ),
        (
            json!({ "url": URL, "rules": vec![json!({ "os": "iOS", "url": URL }); 51] }),
            "rules: must have at most 50",
        ),
        (
            json!({ "url": URL, "geo": { "Germany": URL } }),
            "geo.Germany: must be an ISO 3166-1",
        ),
        (
            json!({ "url": URL, "geo": { "DE": URL, "de": URL } }),
            "geo.de: is named twice",
        ),
        (json!({ "url": URL, "ios": "myshop://p" }), "ios: must start with http"),
    ] {
        let message = api.call("POST", "/links", Some(&body)).refusal(422);
        assert!(message.starts_with(start), "{message}");
    }
}

/// A page that fetches nothing, runs nothing and is kept by nobody.
fn assert_bare(page: &Answer) {
    let policy = page.header("content-security-policy").expect("a policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert_eq!(page.header("cache-control"), Some("private, no-store"));
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    let text = page.text();
    for word in ["<script", " src=", " style=", "javascript:", " onclick"] {
        assert!(!text.contains(word), "{word}: {text}");
    }
}

#[test]
fn an_app_is_opened_only_under_a_scheme_that_the_brand_listed() {
    let server = TestServer::start();
    let api = server.api();
    for scheme in [
        "javascript",
        "data",
        "FILE:",
        "intent",
        "https",
        "my shop",
        "ms-settings",
    ] {
        let message = api
            .call("PATCH", "/settings", Some(&json!({ "appSchemes": ["myshop", scheme] })))
            .refusal(422);
        assert!(
            message.starts_with("appSchemes[1]: must be a scheme of an app"),
            "{message}"
        );
    }
    let settings = api.patch("/settings", &json!({ "appSchemes": ["MyShop://", "com.brand.app"] }));
    assert_eq!(settings["appSchemes"], json!(["com.brand.app", "myshop"]));
    let link = api.link(&json!({ "key": "app", "url": URL, "ios": "MyShop://p/7?a=1&b=2", "trackConversion": true }));
    assert_eq!(link["ios"], "myshop://p/7?a=1&b=2");
    let page = server.follow("/app?x=1");
    assert_eq!(page.status, 200);
    assert_bare(&page);
    let text = page.text();
    assert!(text.contains("href=\"myshop://p/7?a=1&amp;b=2\""), "{text}");
    assert!(
        text.contains("href=\"https://shop.example/own?x=1&amp;hop_id="),
        "{text}"
    );
    assert!(
        page.header("set-cookie")
            .is_some_and(|cookie| cookie.starts_with("hop_v="))
    );
    // Whoever cannot tap goes on at once.
    let mut robot = Request::get("/app").header("User-Agent", &format!("{IPHONE} (compatible; Googlebot/2.1)"));
    assert!(led(&server, &robot).starts_with(URL));
    robot = Request::new("HEAD", "/app").header("User-Agent", IPHONE);
    assert!(led(&server, &robot).starts_with(URL));
    assert!(led(&server, &from("192.0.2.1", PIXEL, "/app")).starts_with(URL));
    counted(&api, &format!("linkId={}&include=bots", id_of(&link)), 3);
    assert_eq!(api.clicks(&format!("linkId={}", id_of(&link))), 2);
    // Schemes are the devices' alone, and the brand's own.
    for body in [
        json!({ "url": "myshop://p" }),
        json!({ "url": URL, "geo": { "DE": "myshop://p" } }),
        json!({ "url": URL, "rules": [{ "os": "iOS", "url": "myshop://p" }] }),
        json!({ "url": URL, "expiredUrl": "myshop://p" }),
    ] {
        api.call("POST", "/links", Some(&body)).refusal(422);
    }
    let other = server.other_brand("Other");
    other
        .call("POST", "/links", Some(&json!({ "url": URL, "ios": "myshop://p" })))
        .refusal(422);
}

/// Says `password` to the link at `target`.
fn say(server: &TestServer, address: &str, target: &str, password: &str) -> Answer {
    let body: String = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("password", password)
        .finish();
    let request = Request::new("POST", target)
        .header("User-Agent", IPHONE)
        .header("X-Forwarded-For", address)
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(body);
    server.send(&request)
}

#[test]
fn a_locked_link_opens_for_an_hour_to_whoever_says_its_password() {
    let mut server = TestServer::start();
    let api = server.api();
    let link = api.link(
        &json!({ "key": "vip", "url": URL, "password": "grün & gut", "maxClicks": 2,
        "ios": "https://shop.example/ios" }),
    );
    assert_eq!(link["password"], "********");
    assert!(
        !api.get(&format!("/links/{}", id_of(&link)))
            .to_string()
            .contains("argon2")
    );
    let id = id_of(&link);
    for request in [
        Request::get("/vip"),
        Request::get("/vip").header("Cookie", "hop_p1=AQEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
    ] {
        let page = server.send(&request.header("User-Agent", IPHONE));
        assert_eq!(page.status, 200);
        assert_bare(&page);
        assert!(
            page.text().contains("type=\"password\"") && !page.text().contains("shop.example"),
            "{}",
            page.text()
        );
        assert_eq!(page.header("set-cookie"), None);
    }
    let german = server.send(
        &Request::get("/vip")
            .header("User-Agent", IPHONE)
            .header("Accept-Language", "de"),
    );
    assert!(german.text().contains("<html lang=\"de\""), "{}", german.text());
    let wrong = say(&server, "203.0.113.9", "/vip", "guess");
    assert_eq!((wrong.status, wrong.header("set-cookie")), (403, None));
    assert!(wrong.text().contains("role=\"alert\"") && !wrong.text().contains("guess"));
    let opened = say(&server, "203.0.113.9", "/vip?utm_source=bio", "grün & gut");
    assert_eq!((opened.status, opened.location()), (303, "/vip?utm_source=bio"));
    let line = opened.header("set-cookie").expect("a cookie").to_owned();
    assert!(
        line.ends_with("; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax"),
        "{line}"
    );
    let cookie = opened.cookie().to_owned();
    let follow = |server: &TestServer| {
        server.send(
            &Request::get("/vip")
                .header("User-Agent", IPHONE)
                .header("Cookie", &cookie),
        )
    };
    assert_eq!(follow(&server).location(), "https://shop.example/ios");
    // Seeing the form took no use, and is no click.
    counted(&server.api(), &format!("linkId={id}&include=bots,repeats"), 1);
    server.restart();
    let api = server.api();
    assert_eq!(follow(&server).status, 302, "keys and hash outlive a restart");
    assert_eq!(follow(&server).status, 410, "both uses are taken");
    api.patch(
        &format!("/links/{id}"),
        &json!({ "maxClicks": null, "password": "********", "title": "VIP" }),
    );
    assert_eq!(follow(&server).status, 302, "what an answer shows changes nothing");
    server.clock.advance(60 * 60 * 1000);
    assert_eq!(follow(&server).status, 200, "the hour is over");
    let again = say(&server, "203.0.113.9", "/vip", "grün & gut").cookie().to_owned();
    let follow = |server: &TestServer| {
        server.send(
            &Request::get("/vip")
                .header("User-Agent", IPHONE)
                .header("Cookie", &again),
        )
    };
    assert_eq!(follow(&server).status, 302);
    api.patch(&format!("/links/{id}"), &json!({ "password": "another" }));
    assert_eq!(follow(&server).status, 200, "a new password ends it");
    assert_eq!(
        api.patch(&format!("/links/{id}"), &json!({ "password": null }))["password"],
        Value::Null
    );
    assert_eq!(follow(&server).status, 302);
    // What is not locked takes no form.
    assert_eq!(say(&server, "203.0.113.9", "/vip", "x").status, 405);
    for (body, start) in [
        (
            json!({ "url": URL, "password": "********" }),
            "password: is what answers show",
        ),
        (
            json!({ "url": URL, "password": "x".repeat(129) }),
            "password: must have at most 128",
        ),
    ] {
        let message = api.call("POST", "/links", Some(&body)).refusal(422);
        assert!(message.starts_with(start), "{message}");
    }
    let bulk = api.post("/links/bulk", &json!([{ "url": "javascript:1", "password": "sesame" }]));
    assert!(!bulk.to_string().contains("sesame"), "{bulk}");
}

#[test]
fn many_links_are_locked_in_one_call() {
    let server = TestServer::start();
    let api = server.api();
    let link = |n: usize, password: String| json!({ "url": URL, "key": format!("k{n}"), "password": password });
    // Twenty different ones, the first once more, one too many, and one too long.
    let mut links: Vec<Value> = (0..20).map(|n| link(n, format!("secret {n}"))).collect();
    links.push(link(20, "secret 0".to_owned()));
    links.push(link(21, "secret 21".to_owned()));
    links.push(link(22, "secret".repeat(30)));
    let made = api.post("/links/bulk", &Value::Array(links));
    let made = made.as_array().expect("an array");
    assert!(
        made[..=20].iter().all(|link| link["password"] == "********"),
        "{}",
        made[0]
    );
    for (place, start) in [
        (21, "password: must be one of at most 20 different ones a call"),
        (22, "password: must have at most 128"),
    ] {
        let told = &made[place];
        assert!(
            told["error"].as_str().is_some_and(|error| error.starts_with(start)),
            "{told}"
        );
        assert_eq!(told["link"]["password"], "********", "{told}");
    }
    assert_eq!(say(&server, "203.0.113.9", "/k0", "secret 0").status, 303);
    let opened = say(&server, "203.0.113.9", "/k20", "secret 0");
    assert_eq!(opened.status, 303);
    // One hash, but not one key: each link is opened by itself.
    let first = say(&server, "203.0.113.9", "/k0", "secret 0").cookie().to_owned();
    let name = first.split('=').next().expect("a name");
    let value = opened.cookie().split_once('=').expect("a cookie").1;
    let forged = Request::get("/k0").header("Cookie", &format!("{name}={value}"));
    assert_eq!(server.send(&forged.header("User-Agent", IPHONE)).status, 200);
    // All at once, and by destination.
    let ids: Vec<String> = made[..2].iter().map(id_of).collect();
    let changed = api.patch(
        "/links/bulk",
        &json!({ "linkIds": ids, "data": { "password": "sesame" } }),
    );
    assert_eq!(changed[1]["password"], "********");
    assert_eq!(say(&server, "203.0.113.9", "/k1", "sesame").status, 303);
    let vip = json!({ "url": "https://shop.example/vip", "key": "vip", "password": "sesame" });
    assert_eq!(api.put("/links/upsert", &vip)["password"], "********");
    let again = json!({ "url": "https://shop.example/vip", "password": "********", "title": "VIP" });
    assert_eq!(api.put("/links/upsert", &again)["title"], "VIP");
    assert_eq!(say(&server, "203.0.113.9", "/vip", "sesame").status, 303);
}

#[test]
fn guessing_is_held_up_by_address_and_by_link() {
    let server = TestServer::start();
    server
        .api()
        .link(&json!({ "key": "vip", "url": URL, "password": "sesame" }));
    let said: Vec<u16> = (0..12)
        .map(|_| say(&server, "203.0.113.9", "/vip", "guess").status)
        .collect();
    assert_eq!(said, [vec![403; 10], vec![429; 2]].concat());
    assert_eq!(
        say(&server, "203.0.113.9", "/vip", "sesame").status,
        429,
        "not even with the right one"
    );
    assert_eq!(
        say(&server, "203.0.113.10", "/vip", "sesame").status,
        303,
        "others are not held up"
    );
    for n in 0..20 {
        assert_eq!(
            say(&server, &format!("198.51.100.{n}"), "/vip", "guess").status,
            403,
            "{n}"
        );
    }
    assert_eq!(
        say(&server, "198.51.100.200", "/vip", "sesame").status,
        429,
        "thirty wrong ones in a minute"
    );
    server.clock.advance(60 * 1000);
    assert_eq!(
        say(&server, "203.0.113.9", "/vip", "sesame").status,
        303,
        "the next minute"
    );
    for (kind, length, status) in [
        ("application/json", 2, 415),
        ("application/x-www-form-urlencoded", 3_000, 413),
    ] {
        let request = Request::new("POST", "/vip")
            .header("Content-Type", kind)
            .body("x".repeat(length));
        assert_eq!(server.send(&request).status, status);
    }
}

#[test]
fn programs_that_preview_get_the_card_and_people_go_on() {
    let server = TestServer::start();
    let api = server.api();
    let hostile = "\"><script>alert(1)</script>";
    let link = api.link(&json!({ "key": "card", "url": URL, "proxy": true, "title": hostile,
        "description": "Hand-made & \"fired\"", "image": "https://cdn.example/mug.jpg?w=1&h=2",
        "video": "https://cdn.example/mug.mp4", "password": "" }));
    assert_eq!(
        (&link["proxy"], &link["image"]),
        (&json!(true), &json!("https://cdn.example/mug.jpg?w=1&h=2"))
    );
    let page = server.send(&Request::get("/card").header("User-Agent", PREVIEW));
    assert_eq!(page.status, 200);
    assert_bare(&page);
    for part in [
        "property=\"og:title\" content=\"&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;\"",
        "property=\"og:description\" content=\"Hand-made &amp; &quot;fired&quot;\"",
        "property=\"og:image\" content=\"https://cdn.example/mug.jpg?w=1&amp;h=2\"",
        "property=\"og:video\" content=\"https://cdn.example/mug.mp4\"",
        "content=\"summary_large_image\"",
    ] {
        assert!(page.text().contains(part), "{part}: {}", page.text());
    }
    assert_eq!(server.follow("/card").location(), URL);
    let robot = Request::get("/card").header("User-Agent", "curl/8");
    assert_eq!(server.send(&robot).location(), URL, "other programs are no previews");
    let query = format!("linkId={}", id_of(&link));
    counted(&api, &format!("{query}&include=bots"), 3);
    assert_eq!(api.clicks(&query), 1);
    // A locked link tells programs nothing.
    api.patch(&format!("/links/{}", id_of(&link)), &json!({ "password": "sesame" }));
    let page = server.send(&Request::get("/card").header("User-Agent", PREVIEW));
    assert!(
        page.text().contains("type=\"password\"") && !page.text().contains("og:"),
        "{}",
        page.text()
    );
    for field in ["image", "video"] {
        let message = api
            .call("POST", "/links", Some(&json!({ "url": URL, field: "javascript:1" })))
            .refusal(422);
        assert!(
            message.starts_with(&format!("{field}: must start with http")),
            "{message}"
        );
    }
}

#[test]
fn a_plus_shows_the_public_card() {
    let server = TestServer::start();
    let api = server.api();
    let mug = api.link(
        &json!({ "key": "mug", "url": "https://shop.example/secret-path?token=1", "title": "<Mugs>",
        "comments": "internal note", "externalId": "ERP-7" }),
    );
    api.link(&json!({ "key": "a+", "url": URL }));
    api.link(&json!({ "key": "a", "url": URL }));
    api.link(&json!({ "key": "gone", "url": URL, "disabled": true }));
    api.link(&json!({ "key": "vip", "url": URL, "title": "Secret", "password": "sesame" }));
    let page = server.follow("/mug+");
    assert_eq!(page.status, 200);
    assert_bare(&page);
    let text = page.text();
    assert!(
        text.contains("&lt;Mugs&gt;") && text.contains("shop.example") && text.contains("href=\"/mug\""),
        "{text}"
    );
    for private in ["secret-path", "token", "internal note", "ERP-7", "link_"] {
        assert!(!text.contains(private), "{private}");
    }
    assert_eq!(server.follow("/a+").location(), URL, "a slug of its own comes first");
    for target in ["/gone+", "/vip+", "/nothing+", "/+"] {
        let answer = server.follow(target);
        assert_eq!(answer.status, 404, "{target}");
        assert!(!answer.text().contains("Secret"), "{target}");
    }
    assert_eq!(
        api.patch("/settings", &json!({ "publicCards": false }))["publicCards"],
        false
    );
    assert_eq!(server.follow("/mug+").status, 404);
    assert_eq!(server.follow("/mug").status, 302);
    // Whoever looked at the card has not followed.
    counted(&api, &format!("linkId={}", id_of(&mug)), 1);
}

#[test]
fn an_apps_own_browser_is_left_where_the_link_says_so() {
    let server = TestServer::start();
    let api = server.api();
    let link = api.link(
        &json!({ "key": "out", "url": "https://shop.example/p", "openInBrowser": true, "trackConversion": true }),
    );
    assert_eq!(link["openInBrowser"], true);
    api.link(&json!({ "key": "in", "url": "https://shop.example/p" }));
    let instagram = format!(
        "{} Instagram 445.0 (iPhone15,2)",
        IPHONE.replace(" Version/18.1", "").replace(" Safari/604.1", "")
    );
    let tiktok = "Mozilla/5.0 (Linux; Android 15; Pixel 9; wv) AppleWebKit/537.36 Version/4.0 Chrome/130.0 Mobile Safari/537.36 musical_ly_2023";
    for (agent, way) in [
        (
            instagram.as_str(),
            "href=\"instagram://extbrowser/?url=https%3A%2F%2Fshop.example%2Fp%3Fhop_id%3D",
        ),
        (tiktok, "href=\"intent://shop.example/p?hop_id="),
    ] {
        let page = server.send(&from("203.0.113.9", agent, "/out"));
        assert_eq!(page.status, 200);
        assert_bare(&page);
        assert!(page.text().contains(way), "{}", page.text());
        assert!(
            page.text().contains("href=\"https://shop.example/p?hop_id="),
            "{}",
            page.text()
        );
        assert_eq!(server.send(&from("203.0.113.9", agent, "/in")).status, 302);
    }
    for agent in [IPHONE, DESK, PREVIEW] {
        assert_eq!(server.send(&from("203.0.113.9", agent, "/out")).status, 302, "{agent}");
    }
    counted(&api, &format!("linkId={}&include=bots", id_of(&link)), 5);
    assert_eq!(api.clicks(&format!("linkId={}", id_of(&link))), 4);
}

#[test]
fn redir_url_leads_only_to_hosts_that_the_domain_lists() {
    let server = TestServer::start();
    let api = server.api();
    let domain = api.post(
        "/domains",
        &json!({ "slug": "go.brand.test", "redirHosts": ["Shop.Example"] }),
    );
    assert_eq!(domain["redirHosts"], json!(["shop.example"]));
    api.link(&json!({ "key": "a", "url": URL, "domain": "go.brand.test" }));
    let led = |target: &str| {
        led(
            &server,
            &Request::get(target)
                .header("Host", "go.brand.test")
                .header("User-Agent", IPHONE),
        )
    };
    for (redir, expected) in [
        ("https://shop.example/sale?x=1", "https://shop.example/sale?x=1"),
        ("https%3A%2F%2Feu.shop.example%2Fsale", "https://eu.shop.example/sale"),
        ("https://shop.example.evil.example/", URL),
        ("https://notshop.example/", URL),
        ("https://evil.example/https://shop.example", URL),
        ("https://shop.example@evil.example/", URL),
        ("//shop.example/x", URL),
        ("javascript:alert(1)//shop.example", URL),
        ("https://127.0.0.1/", URL),
        ("", URL),
    ] {
        assert_eq!(led(&format!("/a?redir_url={redir}")), expected, "{redir}");
    }
    assert_eq!(
        led("/a?redir_url=https://shop.example/s&b=2"),
        "https://shop.example/s?b=2"
    );
    api.patch("/domains/go.brand.test", &json!({ "redirHosts": [] }));
    assert_eq!(led("/a?redir_url=https://shop.example/sale"), URL, "off");
    for host in [
        "",
        "https://shop.example",
        "127.0.0.1",
        "*.example",
        "localhost",
        "go.brand.test",
    ] {
        let message = api
            .call(
                "PATCH",
                "/domains/go.brand.test",
                Some(&json!({ "redirHosts": [host] })),
            )
            .refusal(422);
        assert!(
            message.starts_with("redirHosts[0]: must be a public host name"),
            "{message}"
        );
    }
}

#[test]
fn a_domain_says_where_those_go_who_meet_nothing() {
    let server = TestServer::start();
    let api = server.api();
    let domain = api.post(
        "/domains",
        &json!({ "slug": "go.brand.test", "notFoundUrl": "https://shop.example/404",
        "expiredUrl": "https://shop.example/over" }),
    );
    assert_eq!(domain["notFoundUrl"], "https://shop.example/404");
    let at = "2026-11-21T10:00:00Z";
    api.link(&json!({ "key": "over", "url": URL, "expiresAt": at }));
    api.link(&json!({ "key": "own", "url": URL, "expiresAt": at, "expiredUrl": "https://shop.example/own-over" }));
    api.link(&json!({ "key": "off", "url": URL, "disabled": true }));
    let follow = |target: &str| {
        server.send(
            &Request::get(target)
                .header("Host", "go.brand.test")
                .header("User-Agent", IPHONE),
        )
    };
    for (target, expected) in [
        ("/nothing", "https://shop.example/404"),
        ("/", "https://shop.example/404"),
        ("/over", "https://shop.example/over"),
        ("/own", "https://shop.example/own-over"),
    ] {
        let answer = follow(target);
        assert_eq!((answer.status, answer.location()), (302, expected), "{target}");
    }
    assert_eq!(follow("/off").status, 410);
    assert_eq!(server.follow("/nothing").status, 404, "another domain");
    let domain = api.patch(
        "/domains/go.brand.test",
        &json!({ "notFoundUrl": null, "expiredUrl": "" }),
    );
    assert_eq!(
        (&domain["notFoundUrl"], &domain["expiredUrl"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!((follow("/nothing").status, follow("/over").status), (404, 410));
    for field in ["notFoundUrl", "expiredUrl"] {
        let message = api
            .call(
                "PATCH",
                "/domains/go.brand.test",
                Some(&json!({ field: "javascript:1" })),
            )
            .refusal(422);
        assert!(
            message.starts_with(&format!("{field}: must start with http")),
            "{message}"
        );
    }
}

#[test]
fn ref_is_written_into_the_destination() {
    let server = TestServer::start();
    let api = server.api();
    let link = api.link(
        &json!({ "key": "a", "url": "https://shop.example/p?a=1&ref=old", "ref": "mia & co", "utm_source": "bio" }),
    );
    assert_eq!(link["url"], "https://shop.example/p?a=1&utm_source=bio&ref=mia+%26+co");
    let link = api.patch(&format!("/links/{}", id_of(&link)), &json!({ "ref": null }));
    assert_eq!(link["url"], "https://shop.example/p?a=1&utm_source=bio");
    let store = api.store();
    let cart = json!({ "storeId": store, "items": [{ "variantId": 1 }] });
    let message = api
        .call("POST", "/links", Some(&json!({ "cart": cart, "ref": "mia" })))
        .refusal(422);
    assert_eq!(message, "ref: goes with a url, not with a cart");
}
