//! The follower's path, rule by rule: what is answered, where it leads, who is recognised, what is refused.

use base64::Engine;
use serde_json::{Value, json};

use crate::http::{Answer, Client, Request, send_raw, status_of};
use crate::server::{Api, IPHONE, TestServer, eventually, id_of};

fn person(target: &str) -> Request {
    Request::get(target).header("User-Agent", IPHONE)
}

/// A plain link to `url`.
fn plain(api: &Api<'_>, key: &str, url: &str) -> Value {
    api.link(&json!({ "key": key, "url": url }))
}

/// A link that sends its click id along.
fn tracked(api: &Api<'_>, key: &str) -> Value {
    api.link(&json!({ "key": key, "url": "https://shop.example/", "trackConversion": true }))
}

#[test]
fn a_redirect_carries_exactly_what_it_should() {
    let server = TestServer::start();
    plain(&server.api(), "a", "https://shop.example/p?a=1#top");
    let answer = server.follow("/a");
    assert_eq!(
        (answer.status, answer.location()),
        (302, "https://shop.example/p?a=1#top")
    );
    let names: Vec<&str> = answer.headers.iter().map(|(name, _)| name.as_str()).collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    let expected = [
        "cache-control",
        "content-length",
        "date",
        "location",
        "referrer-policy",
        "set-cookie",
        "x-robots-tag",
    ];
    assert_eq!(sorted, expected);
    for (name, value) in [
        ("cache-control", "private, no-store"),
        ("content-length", "0"),
        ("referrer-policy", "strict-origin-when-cross-origin"),
        ("x-robots-tag", "noindex"),
    ] {
        assert_eq!(answer.header(name), Some(value));
    }
}

#[test]
fn request_parameters_are_merged_but_what_is_protected_stays() {
    let server = TestServer::start();
    let api = server.api();
    plain(&api, "a", "https://shop.example/p?a=1&b=%C3%BC#top");
    plain(
        &api,
        "d",
        "https://shop.example/?discount=MIA&coupon=X&client_reference_id=7",
    );
    for (target, expected) in [
        ("/a?", "https://shop.example/p?a=1&b=%C3%BC#top"),
        ("/a?c=3", "https://shop.example/p?a=1&b=%C3%BC&c=3#top"),
        ("/a?a=2&a=3", "https://shop.example/p?b=%C3%BC&a=2&a=3#top"),
        ("/a?qr=1", "https://shop.example/p?a=1&b=%C3%BC#top"),
        (
            "/a?x=%3Cscript%3E&y=%22",
            "https://shop.example/p?a=1&b=%C3%BC&x=%3Cscript%3E&y=%22#top",
        ),
        (
            "/a?x=%0d%0aSet-Cookie:%20a=b",
            "https://shop.example/p?a=1&b=%C3%BC&x=%0D%0ASet-Cookie%3A+a%3Db#top",
        ),
        ("/a?hop_id=forged", "https://shop.example/p?a=1&b=%C3%BC#top"),
        ("/a?HOP_ID=forged&%68op_id=x", "https://shop.example/p?a=1&b=%C3%BC#top"),
        (
            "/d?discount=FREE&Coupon=F&client_reference_id=9&continue_to=/x&attributes[hop_id]=F&items=1&line_items/0=1",
            "https://shop.example/?discount=MIA&coupon=X&client_reference_id=7",
        ),
    ] {
        assert_eq!(server.follow(target).location(), expected, "{target}");
    }
}

#[test]
fn the_click_id_is_the_servers_own_and_each_follow_has_another() {
    let server = TestServer::start();
    tracked(&server.api(), "t");
    let id = |target: &str| {
        let answer = server.follow(target);
        let (head, id) = answer.location().split_once("hop_id=").expect("a click id");
        assert_eq!(head, "https://shop.example/?");
        assert!(
            (22..=32).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric()),
            "{id}"
        );
        id.to_owned()
    };
    assert_ne!(id("/t"), id("/t"));
    assert_ne!(id("/t?hop_id=forged"), "forged");
}

#[test]
fn a_cart_forwards_campaigns_and_consent_and_nothing_else() {
    let server = TestServer::start();
    let api = server.api();
    let store = api.store();
    api.link(&json!({ "key": "c", "utm_source": "mia", "utm_medium": "video",
        "cart": { "storeId": store, "items": [{ "variantId": 44017 }], "discountCodes": ["MIA10"] } }));
    let answer = server.follow(
        "/c?utm_source=tiktok&fbclid=f%20g&gdpr_consent=CP&ref=x&discount=FREE&note=n&attributes%5Bhop_id%5D=F&id=5",
    );
    assert_eq!(answer.status, 303);
    let (head, tail) = answer.location().split_once("hop_id%5D=").expect("a click id");
    assert_eq!(head, "https://shop.example/cart/44017:1?discount=MIA10&attributes%5B");
    let (_, forwarded) = tail.split_once('&').expect("more");
    assert_eq!(
        forwarded,
        "utm_medium=video&utm_source=tiktok&fbclid=f+g&gdpr_consent=CP"
    );
}

/// What a cookie of ours says (the layout is in `domain/visitor.rs`): visitor, links followed.
fn read_cookie(cookie: &str) -> (u64, Vec<u32>) {
    let (_, value) = cookie.split_once('=').expect("a value");
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(value)
        .expect("base64url");
    assert_eq!(bytes[0], 2, "the format");
    let visitor = u64::from_be_bytes(bytes[2..10].try_into().expect("eight bytes"));
    let touches = bytes[10..bytes.len() - 16].chunks_exact(8);
    let link = |touch: &[u8]| u32::from_be_bytes(touch[..4].try_into().expect("four bytes"));
    (visitor, touches.map(link).collect())
}

#[test]
fn the_cookie_is_for_the_server_alone_and_secure_where_tls_is() {
    let server = TestServer::with_tls();
    plain(&server.api(), "a", "https://shop.example/");
    let tail = |answer: &Answer| {
        let line = answer.header("set-cookie").expect("a cookie").to_owned();
        line.split_once(';').expect("attributes").1.to_owned()
    };
    let bare = " Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax";
    let secure = format!("{bare}; Secure");
    assert_eq!(tail(&server.follow("/a")), bare);
    assert_eq!(tail(&server.tls_client().send(&person("/a"))), secure);
    assert_eq!(
        tail(&server.send(&person("/a").header("X-Forwarded-Proto", "https"))),
        secure
    );
    assert_eq!(
        tail(&server.send(&person("/a").header("X-Forwarded-Proto", "http"))),
        bare
    );

    let doubtful = TestServer::with(|config| config.trusted_proxies.clear());
    plain(&doubtful.api(), "a", "https://shop.example/");
    assert_eq!(
        tail(&doubtful.send(&person("/a").header("X-Forwarded-Proto", "https"))),
        bare
    );
}

#[test]
fn the_cookie_keeps_its_visitor_and_the_last_eight_links() {
    let server = TestServer::start();
    let api = server.api();
    for key in 0..10 {
        plain(&api, &format!("k{key}"), "https://shop.example/");
    }
    let first = server.follow("/k0");
    assert!(first.cookie().starts_with("hop_v="));
    let (visitor, touches) = read_cookie(first.cookie());
    assert_eq!(touches.len(), 1);
    let mut cookie = first.cookie().to_owned();
    let mut journey = touches;
    for key in 1..10 {
        let answer = server.send(&person(&format!("/k{key}")).header("Cookie", &format!("other=1; {cookie}; x=y")));
        cookie = answer.cookie().to_owned();
        let (same, touches) = read_cookie(&cookie);
        assert_eq!(same, visitor);
        let newest = *touches.last().expect("a touch");
        assert!(!journey.contains(&newest));
        journey.push(newest);
        let kept = journey.len().saturating_sub(8);
        assert_eq!(touches, journey[kept..], "after {key}");
    }
    // A cookie that somebody changed is no cookie.
    let mut forged = cookie.clone().into_bytes();
    let place = forged.len() - 30;
    forged[place] = if forged[place] == b'A' { b'B' } else { b'A' };
    let forged = String::from_utf8(forged).expect("ASCII");
    let (stranger, touches) = read_cookie(server.send(&person("/k0").header("Cookie", &forged)).cookie());
    assert!(stranger != visitor && touches.len() == 1);
    // Another brand's link neither reads nor replaces it.
    plain(&server.other_brand("Other"), "foreign", "https://shop.example/");
    let foreign = server.send(&person("/foreign").header("Cookie", &cookie));
    assert!(foreign.cookie().starts_with("hop_v2="), "{}", foreign.cookie());
    assert_ne!(read_cookie(foreign.cookie()).0, visitor);
}

#[test]
fn a_domain_may_share_its_cookie_with_the_brands_site() {
    let server = TestServer::start();
    let api = server.api();
    api.post(
        "/domains",
        &json!({ "slug": "go.brand.example", "cookieDomain": "brand.example" }),
    );
    api.link(&json!({ "key": "a", "url": "https://shop.example/", "domain": "go.brand.example" }));
    let answer = server.send(&person("/a").header("Host", "go.brand.example"));
    assert!(
        answer
            .header("set-cookie")
            .is_some_and(|cookie| cookie.ends_with("; Domain=brand.example"))
    );
    for parent in [
        "evil.example",
        "example",
        "go.brand.example.evil.example",
        "rand.example",
    ] {
        let body = json!({ "cookieDomain": parent });
        let message = api.call("PATCH", "/domains/go.brand.example", Some(&body)).refusal(422);
        assert!(message.starts_with("cookieDomain:"), "{parent}: {message}");
    }
}

#[test]
fn who_opts_out_is_counted_and_not_recognised() {
    // Consent mode, legal basis, request; cookie?, click id?
    let gpc: (&str, &str) = ("Sec-GPC", "1");
    let dnt = ("DNT", "1");
    let nothing = ("Accept", "*/*");
    let table = [
        ("gpc", false, nothing, "", true, true),
        ("gpc", false, gpc, "", false, false),
        ("gpc", false, dnt, "", false, false),
        ("gpc", false, ("Sec-GPC", "0"), "", true, true),
        ("gpc", false, nothing, "?gdpr=1", false, false),
        ("gpc", false, nothing, "?gdpr=0", true, true),
        ("gpc", false, nothing, "?gdpr=1&gdpr_consent=CPXX", true, true),
        ("gpc", true, gpc, "", false, true),
        ("strict", false, nothing, "", false, false),
        ("strict", false, nothing, "?gdpr_consent=CPXX", true, true),
        ("strict", false, gpc, "?gdpr_consent=CPXX", false, false),
        ("strict", true, nothing, "", false, true),
        ("off", false, gpc, "", true, true),
    ];
    let server = TestServer::start();
    let api = server.api();
    api.post("/domains", &json!({ "slug": "go.brand.example" }));
    api.link(
        &json!({ "key": "t", "url": "https://shop.example/", "domain": "go.brand.example", "trackConversion": true }),
    );
    for (place, (consent, legal_basis, header, query, has_cookie, has_id)) in table.into_iter().enumerate() {
        api.patch(
            "/domains/go.brand.example",
            &json!({ "consent": consent, "legalBasis": legal_basis }),
        );
        let request = person(&format!("/t{query}"))
            .header("Host", "go.brand.example")
            .header("X-Forwarded-For", &format!("100.64.9.{place}"))
            .header(header.0, header.1);
        let answer = server.send(&request);
        let said = format!("{consent} {legal_basis} {header:?} {query}");
        assert_eq!(answer.status, 302, "{said}");
        assert_eq!(answer.header("set-cookie").is_some(), has_cookie, "cookie: {said}");
        assert_eq!(answer.location().contains("hop_id="), has_id, "click id: {said}");
    }
    let all = table.len() as u64;
    let recognised = table.iter().filter(|row| row.4).count() as u64;
    eventually("all counted", || (api.clicks("") == all).then_some(()));
    assert_eq!(api.get("/analytics?interval=all")["uniqueVisitors"], recognised);
}

#[test]
fn opting_out_ends_an_earlier_recognition() {
    let server = TestServer::start();
    plain(&server.api(), "a", "https://shop.example/");
    let cookie = server.follow("/a").cookie().to_owned();
    let answer = server.send(&person("/a").header("Cookie", &cookie).header("Sec-GPC", "1"));
    let line = answer.header("set-cookie").expect("a cookie");
    assert!(line.starts_with("hop_v=; ") && line.contains("Max-Age=0"), "{line}");
}

#[test]
fn who_is_no_person_gets_no_cookie() {
    let server = TestServer::start();
    plain(&server.api(), "a", "https://shop.example/");
    for (what, request) in [
        ("a bot", Request::get("/a").header("User-Agent", "curl/8.5.0")),
        ("nobody", Request::get("/a")),
        ("HEAD", Request::new("HEAD", "/a").header("User-Agent", IPHONE)),
        ("a prefetch", person("/a").header("Sec-Purpose", "prefetch")),
    ] {
        let answer = server.send(&request);
        assert_eq!((answer.status, answer.header("set-cookie")), (302, None), "{what}");
    }
}

#[test]
fn slugs_are_found_as_people_write_them() {
    let server = TestServer::start();
    let api = server.api();
    api.post(
        "/domains",
        &json!({ "slug": "exact.example", "caseSensitive": true, "primary": false }),
    );
    let default = api.get("/links/count");
    assert_eq!(default, 0);
    for (domain, key) in [
        ("127.0.0.1", "Summer"),
        ("127.0.0.1", "mia/summer"),
        ("127.0.0.1", "größe"),
        ("127.0.0.1", "50% off"),
        ("exact.example", "Case"),
        ("exact.example", "case"),
    ] {
        api.link(&json!({ "domain": domain, "key": key, "url": format!("https://shop.example/?k={}", key.len()) }));
    }
    for (host, target, found) in [
        ("127.0.0.1", "/Summer", true),
        ("127.0.0.1", "/summer", true),
        ("127.0.0.1", "/SUMMER", true),
        ("127.0.0.1", "/Summer/", true),
        ("127.0.0.1", "/%53ummer", true),
        ("127.0.0.1", "/Summer%2F", false),
        ("127.0.0.1", "/Summer//", false),
        ("127.0.0.1", "//Summer", false),
        ("127.0.0.1", "/%2553ummer", false),
        ("127.0.0.1", "/mia/summer", true),
        ("127.0.0.1", "/MIA%2FSummer", true),
        ("127.0.0.1", "/mia", false),
        ("127.0.0.1", "/gr%C3%B6%C3%9Fe", true),
        ("127.0.0.1", "/GRo%CC%88SSE", true),
        ("127.0.0.1", "/gr%F6%DFe", false),
        ("127.0.0.1", "/50%25%20off", true),
        ("127.0.0.1", "/50%25+off", false),
        ("exact.example", "/Case", true),
        ("exact.example", "/case", true),
        ("exact.example", "/CASE", false),
        ("exact.example", "/Summer", false),
        ("127.0.0.1", "/case", false),
    ] {
        let answer = server.send(&person(target).header("Host", host));
        assert_eq!(answer.status, if found { 302 } else { 404 }, "{host}{target}");
    }
    let generated = api.link(&json!({ "domain": "127.0.0.1", "url": "https://shop.example/" }));
    let key = generated["key"].as_str().expect("a key");
    let swapped: String = key
        .chars()
        .map(|c| {
            if c.is_lowercase() {
                c.to_ascii_uppercase()
            } else {
                c.to_ascii_lowercase()
            }
        })
        .collect();
    assert_eq!(server.follow(&format!("/{key}")).status, 302);
    if swapped != key {
        assert_eq!(
            server.follow(&format!("/{swapped}")).status,
            404,
            "a generated key's case counts"
        );
    }
}

#[test]
fn short_links_in_answers_can_be_followed() {
    let server = TestServer::start();
    let api = server.api();
    let authority = server.running().public.to_string();
    for key in ["plain", "größe & mehr?", "a/b", "50% off", "#tag", "semi;colon"] {
        let link = plain(&api, key, "https://shop.example/");
        let short = link["shortLink"].as_str().expect("a short link");
        let target = short
            .strip_prefix(&format!("http://{authority}"))
            .unwrap_or_else(|| panic!("{short}"));
        assert_eq!(server.follow(target).status, 302, "{short}");
    }
}

#[test]
fn links_end_when_they_should() {
    let server = TestServer::start();
    let api = server.api();
    let with = |key: &str, more: Value| {
        let mut body = json!({ "key": key, "url": "https://shop.example/" });
        body.as_object_mut()
            .expect("an object")
            .extend(more.as_object().expect("an object").clone());
        api.link(&body)
    };
    let soon = "2026-11-21T10:31:00Z";
    with("ends", json!({ "expiresAt": soon }));
    with(
        "ends-there",
        json!({ "expiresAt": soon, "expiredUrl": "https://shop.example/over?x=1" }),
    );
    let disabled = with("disabled", json!({ "disabled": true }));
    with(
        "disabled-there",
        json!({ "disabled": true, "expiresAt": soon, "expiredUrl": "https://shop.example/over" }),
    );
    with("archived", json!({ "archived": true }));
    let status = |key: &str| server.follow(&format!("/{key}")).status;
    assert_eq!(
        [
            status("ends"),
            status("ends-there"),
            status("disabled"),
            status("archived")
        ],
        [302, 302, 410, 302]
    );
    server.clock.advance(59_999);
    assert_eq!(status("ends"), 302);
    server.clock.advance(1);
    assert_eq!([status("ends"), status("disabled-there")], [410, 410]);
    let over = server.follow("/ends-there?utm_source=x");
    assert_eq!((over.status, over.location()), (302, "https://shop.example/over?x=1"));
    api.patch(&format!("/links/{}", id_of(&disabled)), &json!({ "disabled": false }));
    assert_eq!(status("disabled"), 302);
    assert_eq!(
        api.call("DELETE", &format!("/links/{}", id_of(&disabled)), None).status,
        200
    );
    assert_eq!(status("disabled"), 404);
    plain(&api, "disabled", "https://shop.example/again");
    assert_eq!(
        server.follow("/disabled").location(),
        "https://shop.example/again",
        "a deleted link's key is free"
    );
}

#[test]
fn a_click_limit_is_exact_for_eight_clients_at_once_and_after_a_restart() {
    let mut server = TestServer::start();
    let api = server.api();
    api.link(&json!({ "key": "drop", "url": "https://shop.example/", "maxClicks": 100 }));
    api.link(&json!({ "key": "half", "url": "https://shop.example/", "maxClicks": 50, "expiredUrl": "https://shop.example/over" }));
    // None of these takes a use.
    for request in [
        Request::new("HEAD", "/drop").header("User-Agent", IPHONE),
        Request::get("/drop").header("User-Agent", "curl/8.5.0"),
        person("/drop").header("Sec-Purpose", "prefetch"),
        person("/drop").header("X-Hopcart-Test", crate::server::KEY),
    ] {
        assert_eq!(server.send(&request).status, 302);
    }
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let mut client = server.client();
                    (0..25)
                        .map(|_| client.send(&person("/drop")).status)
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        clients
            .into_iter()
            .flat_map(|client| client.join().expect("no panic"))
            .collect()
    });
    let count = |wanted: u16| statuses.iter().filter(|status| **status == wanted).count();
    assert_eq!((count(302), count(410)), (100, 100));
    let follow_half = |server: &TestServer, times: usize| {
        let mut client = server.client();
        let answers = (0..times).map(|_| client.send(&person("/half")).location().to_owned());
        answers.filter(|location| location == "https://shop.example/").count()
    };
    assert_eq!(follow_half(&server, 30), 30);
    server.restart();
    assert_eq!(server.follow("/drop").status, 410);
    assert_eq!(follow_half(&server, 30), 20);
    let half = server.api().get("/links/info?domain=127.0.0.1&key=half");
    server
        .api()
        .patch(&format!("/links/{}", id_of(&half)), &json!({ "maxClicks": 55 }));
    assert_eq!(follow_half(&server, 10), 5, "a higher limit counts the uses so far");
}

#[test]
fn reserved_paths_and_other_methods() {
    let server = TestServer::start();
    plain(&server.api(), "a", "https://shop.example/");
    for (method, target, status) in [
        ("POST", "/a", 405),
        ("PUT", "/a", 405),
        ("DELETE", "/a", 405),
        ("OPTIONS", "/a", 405),
        ("TRACE", "/a", 405),
        ("POST", "/nothing", 405),
        ("GET", "/", 404),
        ("GET", "/nothing", 404),
        ("GET", "/_", 404),
        ("GET", "/_/anything", 404),
        ("GET", "/_/hooks/store_x", 405),
        ("GET", "/.well-known/acme-challenge/x", 404),
        ("GET", "/robots.txt", 200),
        ("GET", "/favicon.ico", 204),
        ("GET", "/links", 404),
        ("GET", "/metrics", 404),
    ] {
        let answer = server.send(&Request::new(method, target).header("User-Agent", IPHONE));
        assert_eq!(answer.status, status, "{method} {target}");
        assert_eq!(answer.header("allow").is_some(), status == 405, "{method} {target}");
    }
    assert_eq!(server.follow("/robots.txt").text(), "User-agent: *\nDisallow: /\n");
    for key in ["_/x", "_", ".well-known/x", "robots.txt", "FAVICON.ICO"] {
        let body = json!({ "key": key, "url": "https://shop.example/" });
        let message = server.api().call("POST", "/links", Some(&body)).refusal(422);
        assert!(message.starts_with("key:"), "{key}: {message}");
    }
}

#[test]
fn head_says_what_get_says_without_a_body() {
    let server = TestServer::start();
    plain(&server.api(), "a", "https://shop.example/");
    let mut client = server.client();
    for (target, status) in [("/a", 302), ("/nothing", 404), ("/robots.txt", 200)] {
        let got = client.send(&person(target));
        let head = client.send(&Request::new("HEAD", target).header("User-Agent", IPHONE));
        assert_eq!(
            (head.status, head.header("location")),
            (status, got.header("location")),
            "{target}"
        );
    }
    assert_eq!(client.send(&person("/a")).status, 302, "no body was left in the way");
}

#[test]
fn hosts_lead_to_their_domain_and_strangers_to_the_default() {
    let server = TestServer::start();
    let api = server.api();
    plain(&api, "only-default", "https://shop.example/default");
    let follow = |host: &str, target: &str| {
        let answer = server.send(&person(target).header("Host", host));
        if answer.status == 302 {
            answer.location().to_owned()
        } else {
            answer.status.to_string()
        }
    };
    assert_eq!(
        follow("anything.example", "/only-default"),
        "https://shop.example/default"
    );
    assert_eq!(
        follow("go.brand.example", "/only-default"),
        "https://shop.example/default"
    );
    api.post("/domains", &json!({ "slug": "Go.Brand.Example" }));
    api.link(&json!({ "key": "a", "url": "https://shop.example/own", "domain": "go.brand.example" }));
    let own = "https://shop.example/own";
    for (host, target, expected) in [
        ("go.brand.example", "/a", own),
        ("GO.brand.example", "/a", own),
        ("go.brand.example:8080", "/a", own),
        ("go.brand.example.", "/a", own),
        ("go.brand.example", "/only-default", "404"),
        ("other.example", "/a", "404"),
        ("other.example", "http://go.brand.example/a", own),
        ("www.go.brand.example", "/a", "404"),
    ] {
        assert_eq!(follow(host, target), expected, "{host} {target}");
    }
    let primary = api.link(&json!({ "key": "b", "url": "https://shop.example/b" }));
    assert_eq!(
        primary["domain"], "go.brand.example",
        "the first domain becomes the primary"
    );
    assert_eq!(follow("go.brand.example", "/b"), "https://shop.example/b");
}

#[test]
fn misses_are_throttled_by_address_and_links_never_are() {
    let server = TestServer::start();
    plain(&server.api(), "a", "https://shop.example/");
    let mut client = server.client();
    let mut status = |address: &str, target: &str| {
        let request = person(target).header("X-Forwarded-For", address);
        client.send(&request).status
    };
    let statuses: Vec<u16> = (0..500)
        .map(|guess| status("203.0.113.5", &format!("/guess-{guess}")))
        .collect();
    let first = statuses
        .iter()
        .position(|status| *status == 429)
        .expect("throttled within 500 misses");
    assert!(first >= 60, "a carrier's address stands for many people: {first}");
    assert!(statuses[..first].iter().all(|status| *status == 404));
    assert!(statuses[first..].iter().all(|status| *status == 429));
    assert_eq!(status("203.0.113.5", "/a"), 302);
    assert_eq!(status("203.0.113.6", "/guess"), 404);
    server.clock.advance(60_000);
    assert_eq!(status("203.0.113.5", "/guess"), 404);
}

#[test]
fn no_byte_of_a_request_reaches_a_header_unescaped() {
    let server = TestServer::start();
    let api = server.api();
    plain(&api, "a", "https://shop.example/");
    let store = api.store();
    api.link(&json!({ "key": "c", "cart": { "storeId": store, "items": [{ "variantId": "1" }] } }));
    for target in [
        "/a?x=%0d%0aX-Evil:%201",
        "/a?%0d%0aX-Evil:1=2",
        "/a?x=%0a%0a<script>",
        "/a?x=%E2%80%A8X-Evil",
        "/a?x=%00%7f%80",
        "/a?x=\"'`\\",
        "/c?utm_source=%0d%0aX-Evil:%201",
        "/c?utm_%0d%0aX-Evil:1=2",
        "/a%0d%0aX-Evil:%201",
        "/%0d%0aX-Evil:%201",
        "/a/..%2f..%0d%0aX-Evil:1",
    ] {
        let raw = send_raw(
            server.running().public,
            format!("GET {target} HTTP/1.1\r\nHost: a\r\nUser-Agent: {IPHONE}\r\nConnection: close\r\n\r\n").as_bytes(),
        );
        let (head, _) = raw.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{target}: {raw}"));
        assert!([302, 303, 400, 404].contains(&status_of(&raw)), "{target}: {raw}");
        assert!(
            head.bytes()
                .all(|byte| byte.is_ascii_graphic() || b" \r\n".contains(&byte)),
            "{target}: {head}"
        );
        for line in head.split("\r\n").skip(1) {
            assert!(!line.to_ascii_lowercase().starts_with("x-evil"), "{target}: {head}");
        }
        assert!(!head.replace("\r\n", "").contains(['\r', '\n']), "{target}: {head}");
    }
    for bytes in [
        &b"GET /a?x=\xff\xfe HTTP/1.1"[..],
        b"GET /a?x=\ry HTTP/1.1",
        b"GET /a\x00 HTTP/1.1",
        b"GET /a b HTTP/1.1",
    ] {
        let raw = send_raw(
            server.running().public,
            &[bytes, b"\r\nHost: a\r\nConnection: close\r\n\r\n"].concat(),
        );
        if status_of(&raw) != 400 {
            let location = raw
                .lines()
                .find_map(|line| line.strip_prefix("location: "))
                .unwrap_or_default();
            assert!(location.bytes().all(|byte| byte.is_ascii_graphic()), "{bytes:?}: {raw}");
        }
    }
    let mut odd = Client::connect(server.running().public);
    odd.send_raw(
        b"GET /a HTTP/1.1\r\nHost: a\r\nCookie: hop_v=\xff\xfe; a\r\nReferer: \xff\r\nUser-Agent: \xff\r\n\r\n",
    );
    assert_eq!(
        odd.read_answer(false).status,
        302,
        "headers that are no text say nothing"
    );
}

#[test]
fn a_country_file_tells_countries_and_makes_eea_consent_strict_there() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/maxmind/countries.mmdb");
    let server = TestServer::with(|config| {
        config.country_file = Some(file.into());
        config.consent.default = hopcart::domain::consent::ConsentMode::Eea;
    });
    let api = server.api();
    api.post("/domains", &json!({ "slug": "go.brand.example" }));
    api.link(
        &json!({ "key": "c", "domain": "go.brand.example", "url": "https://shop.example/", "trackConversion": true }),
    );
    for (address, is_recognised) in [("192.0.2.7", false), ("198.51.100.1", true), ("203.0.113.1", false)] {
        let request = Request::get("/c")
            .header("Host", "go.brand.example")
            .header("User-Agent", IPHONE)
            .header("X-Forwarded-For", address);
        let answer = server.send(&request);
        assert_eq!(answer.header("set-cookie").is_some(), is_recognised, "{address}");
        assert_eq!(answer.location().contains("hop_id="), is_recognised, "{address}");
    }
    let countries = eventually("three clicks", || {
        (api.clicks("groupBy=count") == 3).then(|| api.get("/analytics?groupBy=countries&interval=all"))
    });
    let mut told: Vec<String> = countries
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| row["country"].as_str().expect("a code").to_owned())
        .collect();
    told.sort();
    assert_eq!(told, ["DE", "US", "Unknown"]);
    for (group, city) in [("regions", "*"), ("cities", "Unknown")] {
        let rows = api.get(&format!("/analytics?groupBy={group}&interval=all"));
        let rows = rows.as_array().expect("rows").iter();
        let mut found: Vec<_> = rows
            .map(|row| [&row["country"], &row["region"], &row["city"]])
            .collect();
        found.sort_by_key(|row| row[0].to_string());
        let expected = told
            .iter()
            .map(|country| [json!(country), json!("Unknown"), json!(city)]);
        let expected: Vec<_> = expected.collect();
        let expected: Vec<_> = expected.iter().map(|row| row.each_ref()).collect();
        assert_eq!(found, expected, "a country file knows no more");
    }
}
