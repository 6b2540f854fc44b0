//! The waiting list: a form that only our pages' followers can send, an address once, consent on record, an export that
//! no spreadsheet calculates, and erasure that leaves nothing.

use hopcart::books::{self, Books, Options};
use hopcart::domain::form_token::{FormToken, LIFE_MS};
use hopcart::domain::id::WorkspaceNo;
use hopcart::domain::keyring::{Keyring, Secret};
use hopcart::domain::outside::Clock;
use serde_json::{Value, json};

use crate::http::{Answer, Request};
use crate::server::{Api, TestServer, id_of};

const CONSENT: &str = "consent=yes";

/// A link `/m` whose one item is sold out; store id and link id.
fn sold_out(api: &Api<'_>) -> (String, String) {
    let store = api.store();
    api.products(&store, &[("SAND", "1", Some(0))]);
    let link = api.link(
        &json!({ "key": "m", "cart": { "storeId": store, "items": [{ "variantId": "1" }] },
        "stockPolicy": { "onOut": "waitlist" } }),
    );
    assert_eq!(link["stockPolicy"], json!({ "onOut": "waitlist", "redirectUrl": null }));
    (store, id_of(&link))
}

/// What the page of the first workspace's link `link_id` carries, and the keys that it is signed with.
fn page_of(server: &TestServer, link_id: &str) -> (FormToken, Keyring) {
    let books = Books::open(Options::at(server.data().join("books.sqlite"))).expect("the server's books");
    let read = books.read_blocking(|view| {
        let link = books::link::by_id(view, WorkspaceNo(1), link_id)?.expect("a link");
        let secrets = books::secret::all(view, "click_id")?;
        Ok::<_, books::Error>((link, secrets))
    });
    let (link, secrets) = read.expect("link and keys");
    let token = FormToken {
        workspace: link.workspace,
        store: link.terms.cart.expect("a cart").store,
        link: link.no,
        variant: 0,
        domain: link.domain,
        slug: link.slug,
        issued_at: server.clock.now(),
    };
    let secrets = secrets.into_iter().map(|(secret, _)| secret).collect();
    (token, Keyring::new(secrets).expect("keys"))
}

fn token_of(server: &TestServer, link_id: &str) -> String {
    let (token, keys) = page_of(server, link_id);
    token.sign(&keys)
}

fn form(body: &str) -> Request {
    Request::new("POST", "/_/waitlist")
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(body)
}

fn join(server: &TestServer, token: &str, email: &str, consent: &str) -> Answer {
    let email: String = url::form_urlencoded::byte_serialize(email.as_bytes()).collect();
    server.send(&form(&format!("token={token}&email={email}&{consent}")))
}

fn emails(api: &Api<'_>, query: &str) -> Vec<String> {
    let listed = api.get(&format!("/waitlist?{query}"));
    let listed = listed.as_array().expect("an array").iter();
    listed
        .map(|entry| entry["email"].as_str().expect("an address").to_owned())
        .collect()
}

/// The text between `start` and the next quote.
fn value_after<'a>(page: &'a str, start: &str) -> &'a str {
    let rest = page
        .split_once(start)
        .unwrap_or_else(|| panic!("no {start} in {page}"))
        .1;
    rest.split('"').next().expect("a value")
}

#[test]
fn whoever_leaves_an_address_is_on_the_list_once() {
    let server = TestServer::start();
    let api = server.api();
    let (store, link) = sold_out(&api);
    let token = token_of(&server, &link);
    let first = join(&server, &token, "  Mia@Shop.EXAMPLE ", CONSENT);
    assert_eq!(first.status, 200, "{}", first.text());
    assert_eq!(first.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(first.header("cache-control"), Some("private, no-store"));
    assert_eq!(first.header("vary"), Some("accept-encoding, accept-language"));
    let email = "email=MIA%40shop.example";
    let packed = server.send(&form(&format!("token={token}&{email}&{CONSENT}")).header("Accept-Encoding", "br, gzip"));
    assert_eq!((packed.status, packed.header("content-encoding")), (200, Some("gzip")));
    assert!(packed.body.len() < first.body.len() / 2, "{}", packed.body.len());
    let csp = first.header("content-security-policy").expect("a policy");
    assert!(
        csp.starts_with("default-src 'none'") && !csp.contains("unsafe"),
        "{csp}"
    );
    for (email, consent) in [
        ("Mia@shop.example", CONSENT),
        ("mIA@SHOP.example", "consent=yes&language=de"),
    ] {
        let again = join(&server, &token, email, consent);
        assert_eq!(
            (again.status, again.body),
            (200, first.body.clone()),
            "nobody is told who is on it"
        );
    }
    let listed = api.get(&format!(
        "/waitlist?linkId={link}&storeId={store}&email=MIA@shop.example"
    ));
    let id = listed[0]["id"].as_str().expect("an id");
    assert!(id.starts_with("wl_") && id.len() == 29, "{id}");
    let consent = listed[0]["consent"].as_str().expect("a sentence");
    assert!(consent.contains("Sand & Clay"), "{consent}");
    let expected = json!([{ "id": id, "email": "Mia@shop.example", "linkId": link, "storeId": store, "skus": ["SAND"],
        "language": "en", "consent": consent, "createdAt": "2026-11-21T10:30:00.000Z" }]);
    assert_eq!(listed, expected);
    assert_eq!(api.get("/waitlist/count"), json!(1));
    let metrics = crate::http::send(server.running().admin, &Request::get("/metrics")).text();
    for line in ["{outcome=\"added\"} 1", "{outcome=\"known\"} 3", "{outcome=\"full\"} 0"] {
        assert!(
            metrics.contains(&format!("hopcart_waitlist_submissions_total{line}")),
            "{line}"
        );
    }
}

#[test]
fn the_page_that_a_follower_sees_can_be_sent() {
    let server = TestServer::start();
    let api = server.api();
    let (store, _) = sold_out(&api);
    let page = server.follow("/m").text();
    assert!(page.contains("action=\"/_/waitlist\""), "{page}");
    let token = value_after(&page, "name=\"token\" value=\"");
    assert_eq!(join(&server, token, "mia@shop.example", CONSENT).status, 200);
    assert_eq!(emails(&api, ""), ["mia@shop.example"]);
    // What a cart's page carries is for its button alone.
    api.products(&store, &[("VASE", "2", None)]);
    let cart = json!({ "storeId": store, "items": [{ "sku": "VASE" }], "landing": "page" });
    api.link(&json!({ "key": "cart", "cart": cart }));
    let page = server.follow("/cart").text();
    let token = value_after(&page, "name=\"token\" value=\"");
    assert_eq!(join(&server, token, "eva@shop.example", CONSENT).status, 404);
    assert_eq!(emails(&api, ""), ["mia@shop.example"]);
}

#[test]
fn followers_are_addressed_and_asked_in_their_language() {
    let server = TestServer::start();
    let (_, link) = sold_out(&server.api());
    let token = token_of(&server, &link);
    let body = format!("token={token}&email=mia%40shop.example&{CONSENT}");
    let thanks = server.send(&form(&body).header("Accept-Language", "de-AT,en;q=0.5"));
    assert!(thanks.text().contains("<html lang=\"de\""), "{}", thanks.text());
    let listed = server.api().get("/waitlist");
    assert_eq!(listed[0]["language"], json!("de"));
    let page = server.send(&form(&format!("token={token}&email=x")).header("Accept-Language", "de-AT"));
    let shown = page
        .text()
        .replace("<bdi>", "")
        .replace("</bdi>", "")
        .replace("&amp;", "&");
    assert!(
        shown.contains(listed[0]["consent"].as_str().expect("a sentence")),
        "{shown}"
    );
}

#[test]
fn what_cannot_be_taken_comes_back_with_what_was_typed() {
    let server = TestServer::start();
    let (_, link) = sold_out(&server.api());
    let token = token_of(&server, &link);
    for (email, consent, field) in [
        ("mia@shop", CONSENT, "email"),
        ("", CONSENT, "email"),
        ("a,b@shop.example\"><script>", CONSENT, "email"),
        ("mia@shop.example", "", "consent"),
        ("mia@shop.example", "consent=no", "consent"),
    ] {
        let answer = join(&server, &token, email, consent);
        let page = answer.text();
        assert_eq!(answer.status, 422, "{email} {consent}: {page}");
        assert!(page.contains("role=\"alert\"") && page.contains("SAND"), "{page}");
        let typed = email.replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;");
        let mail = page.split("id=\"email\"").nth(1).expect("a field");
        let input = mail.split('>').next().expect("an end");
        assert!(input.contains(&format!("value=\"{typed}\"")), "{input}");
        let refused = page.split(&format!("id=\"{field}\"")).nth(1).expect("the field");
        assert!(
            refused.split('>').next().expect("an end").contains("aria-invalid"),
            "{page}"
        );
        assert!(!page.contains("<script"), "{page}");
        // The page that came back can be sent.
        let fresh = value_after(&page, "name=\"token\" value=\"").to_owned();
        assert_eq!(join(&server, &fresh, "ok@shop.example", CONSENT).status, 200);
    }
    assert_eq!(emails(&server.api(), ""), ["ok@shop.example"]);
}

#[test]
fn pages_that_we_did_not_show_or_long_ago_put_nobody_on_a_list() {
    let server = TestServer::start();
    let api = server.api();
    let (_, link) = sold_out(&api);
    let (shown, keys) = page_of(&server, &link);
    let foreign = Keyring::new(vec![Secret {
        version: 1,
        key: [7; 32],
    }])
    .expect("a key");
    let mut bent = shown.sign(&keys);
    let at = bent.len() - 4;
    let with = if bent[at..].starts_with('A') { "B" } else { "A" };
    bent.replace_range(at..=at, with);
    for token in [shown.sign(&foreign), bent, String::new(), "x".repeat(900)] {
        assert_eq!(
            join(&server, &token, "mia@shop.example", CONSENT).status,
            404,
            "{token}"
        );
    }

    let token = shown.sign(&keys);
    server.clock.advance(LIFE_MS - 1);
    assert_eq!(join(&server, &token, "early@shop.example", CONSENT).status, 200);
    server.clock.advance(1);
    let late = join(&server, &token, "late@shop.example", CONSENT);
    assert_eq!(late.status, 422);
    let page = late.text();
    assert!(
        page.contains("value=\"late@shop.example\"") && !page.contains("role=\"alert\""),
        "{page}"
    );
    assert_eq!(emails(&api, ""), ["early@shop.example"]);
    let fresh = value_after(&page, "name=\"token\" value=\"").to_owned();
    assert_eq!(join(&server, &fresh, "late@shop.example", CONSENT).status, 200);
    assert_eq!(emails(&api, ""), ["late@shop.example", "early@shop.example"]);
}

#[test]
fn tokens_outlive_a_restart() {
    let mut server = TestServer::start();
    let (_, link) = sold_out(&server.api());
    let token = token_of(&server, &link);
    join(&server, &token, "mia@shop.example", CONSENT);
    server.restart();
    assert_eq!(join(&server, &token, "MIA@shop.example", CONSENT).status, 200);
    assert_eq!(emails(&server.api(), ""), ["mia@shop.example"]);
}

#[test]
fn a_link_that_is_gone_leads_on_to_the_shop() {
    let server = TestServer::start();
    let api = server.api();
    let (store, link) = sold_out(&api);
    let token = token_of(&server, &link);
    let gone = |what: &str| {
        let answer = join(&server, &token, "mia@shop.example", CONSENT);
        assert_eq!(answer.status, 410, "{what}");
        assert!(
            answer.text().contains("href=\"https://shop.example/\""),
            "{what}: {}",
            answer.text()
        );
    };
    api.patch(&format!("/links/{link}"), &json!({ "disabled": true }));
    gone("disabled");
    api.patch(
        &format!("/links/{link}"),
        &json!({ "disabled": false, "expiresAt": "2026-11-21T10:30:00Z" }),
    );
    gone("expired");
    api.patch(&format!("/links/{link}"), &json!({ "expiresAt": null }));
    assert_eq!(join(&server, &token, "mia@shop.example", CONSENT).status, 200);
    assert_eq!(api.call("DELETE", &format!("/links/{link}"), None).status, 200);
    gone("deleted");
    let other = json!({ "key": "m", "cart": { "storeId": store, "items": [{ "sku": "SAND" }] } });
    api.link(&other);
    gone("another link with its slug");
    // Who is on the list of a link that was deleted stays there until erased.
    let listed = api.get("/waitlist");
    assert_eq!(
        (&listed[0]["email"], &listed[0]["linkId"]),
        (&json!("mia@shop.example"), &Value::Null)
    );
    let message = api.call("GET", &format!("/waitlist?linkId={link}"), None).refusal(422);
    assert!(message.starts_with("linkId:"), "{message}");
}

#[test]
fn only_small_forms_are_taken() {
    let server = TestServer::start();
    let (_, link) = sold_out(&server.api());
    let token = token_of(&server, &link);
    let good = format!("token={token}&email=mia%40shop.example&{CONSENT}");
    for method in ["GET", "HEAD", "PUT", "DELETE"] {
        let answer = server.send(&Request::new(method, "/_/waitlist"));
        assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")), "{method}");
    }
    for kind in ["application/json", "text/plain", "multipart/form-data; boundary=x"] {
        let request = Request::new("POST", "/_/waitlist")
            .header("Content-Type", kind)
            .body(good.as_str());
        assert_eq!(server.send(&request).status, 415, "{kind}");
    }
    let padded = |length: usize| {
        let padding = "x".repeat(length - good.len() - "&pad=".len());
        server.send(&form(&format!("{good}&pad={padding}"))).status
    };
    assert_eq!(padded(2049), 413);
    assert_eq!(emails(&server.api(), ""), Vec::<String>::new());
    assert_eq!(padded(2048), 200);
    assert_eq!(emails(&server.api(), ""), ["mia@shop.example"]);
}

#[test]
fn the_longest_form_that_a_browser_can_send_is_taken() {
    let server = TestServer::start();
    let api = server.api();
    let store = api.store();
    api.products(&store, &[("SAND", "1", Some(0))]);
    // 190 characters of 4 bytes, and an address whose every byte is escaped.
    let link = api.link(&json!({ "key": "𝒳".repeat(190), "cart": { "storeId": store, "items": [{ "sku": "SAND" }] } }));
    let token = token_of(&server, &id_of(&link));
    let host = format!("{}.{}.{}.example", "h".repeat(63), "h".repeat(63), "h".repeat(53));
    let email = format!("{}@{host}", "ü".repeat(32));
    assert_eq!(email.len(), 254);
    let answer = join(&server, &token, &email, CONSENT);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(emails(&api, ""), [email]);
}

#[test]
fn one_network_sends_twenty_forms_a_minute() {
    let server = TestServer::start();
    let (_, link) = sold_out(&server.api());
    let token = token_of(&server, &link);
    let send = |from: &str, number: u32| {
        let body = format!("token={token}&email=m{number}%40shop.example&{CONSENT}");
        server.send(&form(&body).header("X-Forwarded-For", from))
    };
    for number in 0..20 {
        assert_eq!(send("192.0.2.1", number).status, 200, "{number}");
    }
    let told = send("192.0.2.1", 20);
    assert_eq!((told.status, told.header("retry-after")), (429, Some("60")));
    assert_eq!(send("192.0.2.2", 21).status, 200, "another network");
    assert_eq!(server.api().get("/waitlist/count"), json!(21));
    server.clock.advance(60_000);
    assert_eq!(send("192.0.2.1", 22).status, 200, "another minute");
}

#[test]
fn lists_are_paged_and_exported_whole() {
    let server = TestServer::start();
    let api = server.api();
    let (store, link) = sold_out(&api);
    let token = token_of(&server, &link);
    for number in 0..6 {
        server.clock.advance(1_000);
        let email = if number == 0 {
            "=1+1@shop.example".to_owned()
        } else {
            format!("m{number}@shop.example")
        };
        assert_eq!(join(&server, &token, &email, CONSENT).status, 200);
    }
    let all = emails(&api, "");
    assert_eq!(
        (all.len(), all[0].as_str(), all[5].as_str()),
        (6, "m5@shop.example", "=1+1@shop.example")
    );
    assert_eq!(emails(&api, "page=2&pageSize=4"), all[4..]);
    for (query, field) in [
        ("pageSize=101", "pageSize"),
        ("email=mia", "email"),
        ("linkId=link_x", "linkId"),
        ("storeId=store_x", "storeId"),
        ("colour=red", "colour"),
        ("startingAfter=wl_x", "page"),
    ] {
        let answer = api.call("GET", &format!("/waitlist?{query}"), None);
        let message = answer.refusal(if field == "page" { 404 } else { 422 });
        assert!(message.contains(field), "{query}: {message}");
    }
    let rows = |query: &str| {
        let answer = api.call("GET", &format!("/waitlist/export?{query}"), None);
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (200, Some("text/csv; charset=utf-8; header=present"))
        );
        let lines: Vec<String> = answer.text().split_terminator("\r\n").map(str::to_owned).collect();
        assert_eq!(lines[0], "id,email,linkId,storeId,skus,language,consent,createdAt");
        lines[1..].to_vec()
    };
    let whole = rows(&format!("storeId={store}"));
    assert_eq!(whole.len(), 6);
    assert!(
        whole[5].contains(&format!(",'=1+1@shop.example,{link},{store},SAND,en,")),
        "{}",
        whole[5]
    );
    assert!(whole[5].ends_with(",2026-11-21T10:30:01.000Z"), "{}", whole[5]);
    let second = rows("pageSize=2");
    assert_eq!(second, whole[..2]);
    let id = second[1].split(',').next().expect("an id");
    assert_eq!(rows(&format!("pageSize=3&startingAfter={id}")), whole[2..5]);
    assert_eq!(rows("email=M1@shop.example"), whole[4..5]);
    assert_eq!(api.call("GET", "/waitlist/export?startingAfter=wl_x", None).status, 404);
}

#[test]
fn an_export_longer_than_a_slice_is_whole() {
    let server = TestServer::start();
    let (_, link) = sold_out(&server.api());
    let (token, keys) = page_of(&server, &link);
    let text = token.sign(&keys);
    // As many as two slices and one, from so many networks that none is told to wait.
    const ENTRIES: usize = 1_001;
    let mut client = server.client();
    for number in 0..ENTRIES {
        let body = format!("token={text}&email=m{number}%40shop.example&{CONSENT}");
        let from = format!("10.{}.{}.1", number / 200, number % 200);
        assert_eq!(client.send(&form(&body).header("X-Forwarded-For", &from)).status, 200);
    }
    let answer = server.api().call("GET", "/waitlist/export", None);
    let mut found: Vec<String> = answer
        .text()
        .lines()
        .skip(1)
        .map(|row| row.split(',').nth(1).expect("an address").to_owned())
        .collect();
    found.sort_unstable();
    found.dedup();
    assert_eq!(found.len(), ENTRIES);
}

#[test]
fn what_is_erased_is_gone_and_other_brands_see_nothing() {
    let server = TestServer::start();
    let api = server.api();
    let (store, link) = sold_out(&api);
    let token = token_of(&server, &link);
    for email in ["a@shop.example", "b@shop.example", "c@shop.example"] {
        join(&server, &token, email, CONSENT);
    }
    let other = server.other_brand("Other");
    assert_eq!(other.get("/waitlist"), json!([]));
    assert_eq!(other.get("/waitlist/count"), json!(0));
    assert_eq!(other.call("GET", "/waitlist/export", None).text().lines().count(), 1);
    for query in [format!("linkId={link}"), format!("storeId={store}")] {
        other.call("GET", &format!("/waitlist?{query}"), None).refusal(422);
        other
            .call("GET", &format!("/waitlist/export?{query}"), None)
            .refusal(422);
    }
    let erase = |api: &Api<'_>, target: &str| api.call("DELETE", target, None);
    let id = id_of(&api.get("/waitlist?email=c@shop.example")[0]);
    assert_eq!(
        erase(&other, "/waitlist?email=a@shop.example").json(),
        json!({ "erased": 0 })
    );
    assert_eq!(erase(&other, &format!("/waitlist/{id}")).status, 404);
    assert_eq!(emails(&api, "").len(), 3);

    assert_eq!(
        erase(&api, "/waitlist?email=A@Shop.example").json(),
        json!({ "erased": 1 })
    );
    assert_eq!(
        erase(&api, "/waitlist?email=a@shop.example").json(),
        json!({ "erased": 0 })
    );
    assert_eq!(erase(&api, &format!("/waitlist/{id}")).json(), json!({ "erased": 1 }));
    assert_eq!(erase(&api, &format!("/waitlist/{id}")).status, 404);
    for target in [
        "/waitlist",
        "/waitlist?email=",
        "/waitlist?email=nobody",
        "/waitlist?email=a@b.example&linkId=x",
    ] {
        assert_eq!(erase(&api, target).status, 422, "{target}");
    }
    assert_eq!(emails(&api, ""), ["b@shop.example"]);
    let left = api.call("GET", "/waitlist/export", None).text();
    assert!(left.contains("b@shop.example") && !left.contains("a@shop.example") && !left.contains("c@shop.example"));
    assert_eq!(
        join(&server, &token, "a@shop.example", CONSENT).status,
        200,
        "who was erased may come again"
    );
    assert_eq!(emails(&api, "").len(), 2);
    let unkeyed = crate::http::send(server.running().admin, &Request::get("/waitlist/export"));
    assert_eq!(unkeyed.status, 401);
}
