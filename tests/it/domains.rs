//! Link domains: shown to be a brand's own by a TXT record, served or not, deleted; and what each domain says for itself.

use serde_json::{Value, json};

use crate::http::Request;
use crate::name_server::{Known, NameServer};
use crate::server::{IPHONE, TestServer, id_of};

const URL: &str = "https://shop.example/own";
const HOST: &str = "go.brand.test";

fn with(names: &NameServer, is_strict: bool) -> TestServer {
    let resolver = names.address;
    TestServer::with(move |config| {
        config.domains.resolver = Some(resolver);
        config.domains.require_verified = is_strict;
    })
}

fn status_of(server: &TestServer, target: &str) -> u16 {
    let request = Request::get(target).header("Host", HOST).header("User-Agent", IPHONE);
    server.send(&request).status
}

#[test]
fn a_txt_record_shows_whose_a_domain_is() {
    let names = NameServer::start();
    let mut server = with(&names, false);
    let api = server.api();
    let made = api.post("/domains", &json!({ "slug": HOST }));
    assert_eq!((&made["verified"], &made["verifiedAt"]), (&json!(false), &Value::Null));
    let record = &made["verification"];
    assert_eq!(
        (&record["type"], &record["name"]),
        (&json!("TXT"), &json!("_hopcart.go.brand.test"))
    );
    let name = record["name"].as_str().expect("a name");
    let value = record["value"].as_str().expect("a value");
    assert!(
        value.starts_with("hopcart-verification=") && value.len() > 40,
        "{value}"
    );
    let other = api.post("/domains", &json!({ "slug": "hop.brand.test" }));
    assert_ne!(
        other["verification"]["value"], record["value"],
        "each domain has its own"
    );
    let look = || api.post(&format!("/domains/{HOST}/verify"), &json!({}));
    for (known, problem) in [
        (None, "there is no TXT record of that name yet"),
        (
            Some(Known::Texts(Vec::new())),
            "there is no TXT record of that name yet",
        ),
        (
            Some(Known::Texts(vec!["v=spf1 -all".into(), format!("{value}0")])),
            "there are TXT records of that name, but none with that value",
        ),
        (Some(Known::Refused), "nobody could tell: name server"),
    ] {
        if let Some(known) = known {
            names.set(name, known);
        }
        let told = look();
        assert_eq!(told["verified"], false);
        let found = told["verification"]["problem"].as_str().expect("a problem");
        assert!(found.starts_with(problem), "{found}");
    }
    names.set(name, Known::Texts(vec!["v=spf1 -all".into(), value.to_owned()]));
    let told = look();
    assert_eq!(
        (&told["verified"], &told["verification"]["problem"]),
        (&json!(true), &Value::Null)
    );
    assert_eq!(told["verifiedAt"], "2026-11-21T10:30:00.000Z");
    // The record may go; a restart changes nothing.
    names.set(name, Known::Texts(Vec::new()));
    assert_eq!(look()["verified"], true);
    server.restart();
    let api = server.api();
    let listed = api.get("/domains");
    let verified: Vec<&Value> = listed
        .as_array()
        .expect("an array")
        .iter()
        .map(|it| &it["verified"])
        .collect();
    assert_eq!(verified, [false, true]);
    // Another name is to be shown anew.
    let renamed = api.patch(&format!("/domains/{HOST}"), &json!({ "slug": "new.brand.test" }));
    assert_eq!(renamed["verified"], false);
    assert_eq!(renamed["verification"]["name"], "_hopcart.new.brand.test");
    // Answers too long for a datagram are asked for over TCP.
    names.set(
        "_hopcart.new.brand.test",
        Known::Long(vec!["x".repeat(250), value.to_owned()]),
    );
    assert_eq!(api.post("/domains/new.brand.test/verify", &json!({}))["verified"], true);
    server
        .other_brand("Other")
        .call("POST", "/domains/new.brand.test/verify", Some(&json!({})))
        .refusal(404);
}

#[test]
fn where_brands_do_not_know_each_other_only_what_is_shown_serves() {
    let names = NameServer::start();
    let mut server = with(&names, true);
    let api = server.api();
    let made = api.post("/domains", &json!({ "slug": HOST }));
    api.link(&json!({ "domain": HOST, "key": "a", "url": URL }));
    assert_eq!(status_of(&server, "/a"), 404);
    // Nor does it keep others from leading there.
    let other = server.other_brand("Other");
    other.link(&json!({ "key": "to-them", "url": format!("https://{HOST}/x") }));
    let value = made["verification"]["value"].as_str().expect("a value").to_owned();
    names.set("_hopcart.go.brand.test", Known::Texts(vec![value]));
    assert_eq!(
        api.post(&format!("/domains/{HOST}/verify"), &json!({}))["verified"],
        true
    );
    assert_eq!(status_of(&server, "/a"), 302);
    let message = other
        .call("POST", "/links", Some(&json!({ "url": format!("https://{HOST}/x") })))
        .refusal(422);
    assert!(message.starts_with("url: "), "{message}");
    assert_eq!(
        server.follow("/to-them").status,
        302,
        "the default domain serves all along"
    );
    server.restart();
    assert_eq!(status_of(&server, "/a"), 302);
}

#[test]
fn a_domain_goes_when_its_links_are_gone() {
    let server = TestServer::start();
    let api = server.api();
    api.post("/domains", &json!({ "slug": HOST }));
    let link = api.link(&json!({ "key": "a", "url": URL }));
    assert_eq!(link["domain"], HOST, "the first one is primary");
    let path = format!("/domains/{HOST}");
    let message = api.call("DELETE", &path, None).refusal(409);
    assert!(message.starts_with("slug: still has links"), "{message}");
    server.other_brand("Other").call("DELETE", &path, None).refusal(404);
    api.call("DELETE", &format!("/links/{}", id_of(&link)), None);
    assert_eq!(api.call("DELETE", &path, None).json(), json!({ "slug": HOST }));
    assert_eq!(api.get("/domains"), json!([]));
    api.call("DELETE", &path, None).refusal(404);
    api.call("DELETE", "/domains/dom_default", None).refusal(404);
    let link = api.link(&json!({ "key": "a", "url": URL }));
    assert_ne!(link["domain"], HOST, "what follows goes to the server's own");
    assert_eq!(status_of(&server, "/a"), 302);
    api.post("/domains", &json!({ "slug": HOST }));
    assert_eq!(status_of(&server, "/a"), 404, "a domain of the same name begins anew");
}

#[test]
fn a_domain_has_its_own_consent_mode_and_cookie() {
    let server = TestServer::start();
    let api = server.api();
    api.post(
        "/domains",
        &json!({ "slug": HOST, "consent": "off", "cookieDomain": "brand.test" }),
    );
    api.link(&json!({ "key": "a", "url": URL }));
    let follow = || {
        let request = Request::get("/a").header("Host", HOST).header("User-Agent", IPHONE);
        let answer = server.send(&request.header("Sec-GPC", "1"));
        answer.header("set-cookie").map(str::to_owned)
    };
    let cookie = follow().expect("a cookie: nobody is asked here");
    assert!(cookie.ends_with("; Domain=brand.test"), "{cookie}");
    let path = format!("/domains/{HOST}");
    let changed = api.patch(&path, &json!({ "consent": "gpc", "cookieDomain": null }));
    assert_eq!(
        (&changed["consent"], &changed["cookieDomain"]),
        (&json!("gpc"), &Value::Null)
    );
    assert_eq!(follow(), None, "who opts out has none");
    for (body, start) in [
        (json!({ "consent": "maybe" }), "consent: "),
        (
            json!({ "cookieDomain": "other.test" }),
            "cookieDomain: must be the domain itself",
        ),
    ] {
        let message = api.call("PATCH", &path, Some(&body)).refusal(422);
        assert!(message.starts_with(start), "{message}");
    }
}

#[test]
fn a_utm_template_fills_in_what_a_link_does_not_say() {
    let server = TestServer::start();
    let api = server.api();
    let template = api.post(
        "/utm-templates",
        &json!({ "name": "Spring on TikTok", "utm_source": "tiktok", "utm_medium": "social", "utm_campaign": "spring & sun",
            "ref": "mia", "utm_term": "" }),
    );
    assert_eq!((&template["utm_term"], &template["ref"]), (&Value::Null, &json!("mia")));
    let id = id_of(&template);
    let link = api.link(
        &json!({ "key": "a", "url": "https://shop.example/p?a=1&utm_source=old", "utm_medium": "bio", "utmTemplateId": id }),
    );
    let filled = "https://shop.example/p?a=1&utm_source=tiktok&utm_medium=bio&utm_campaign=spring+%26+sun&ref=mia";
    assert_eq!(link["url"], filled);
    assert_eq!(
        (&link["utm_source"], &link["utm_medium"]),
        (&json!("tiktok"), &json!("bio"))
    );
    assert_eq!(server.follow("/a").location(), filled, "and so it is followed");
    let story = server.follow("/a?utm_source=story").location().to_owned();
    assert!(
        story.contains("utm_source=story") && !story.contains("tiktok"),
        "{story}"
    );
    // A cart takes the parameters, and no ref.
    let store = api.store();
    let cart =
        json!({ "key": "c", "utmTemplateId": id, "cart": { "storeId": store, "items": [{ "variantId": 44017 }] } });
    assert_eq!(api.link(&cart)["utm_source"], "tiktok");
    let link_to_cart = json!({ "key": "d", "utmTemplateId": id, "url": "https://shop.example/cart/44017:1" });
    assert!(api.link(&link_to_cart)["cart"].is_object());
    // Every entry knows it.
    let bulk = api.post(
        "/links/bulk",
        &json!([
            { "url": URL, "utmTemplateId": id, "ref": null },
            { "url": URL, "utmTemplateId": "utm_unknown" },
        ]),
    );
    assert_eq!(
        bulk[0]["url"],
        format!("{URL}?utm_source=tiktok&utm_medium=social&utm_campaign=spring+%26+sun")
    );
    assert!(
        bulk[1]["error"]
            .as_str()
            .is_some_and(|text| text.starts_with("utmTemplateId: ")),
        "{bulk}"
    );
    // A template that changes, or goes, changes no link.
    let changed = api.patch(
        &format!("/utm-templates/{id}"),
        &json!({ "utm_source": "reels", "ref": null, "name": "Reels" }),
    );
    assert_eq!(
        (&changed["utm_source"], &changed["ref"]),
        (&json!("reels"), &Value::Null)
    );
    assert_eq!(server.follow("/a").location(), filled);
    assert_eq!(api.get("/utm-templates?search=eel").as_array().map(Vec::len), Some(1));
    let other = server.other_brand("Other");
    assert_eq!(other.get("/utm-templates"), json!([]));
    other
        .call("POST", "/links", Some(&json!({ "url": URL, "utmTemplateId": id })))
        .refusal(422);
    other.call("DELETE", &format!("/utm-templates/{id}"), None).refusal(404);
    for (body, status, start) in [
        (json!({ "name": "reels" }), 409, "name: "),
        (json!({ "utm_source": "x" }), 422, "name: is required"),
        (
            json!({ "name": "x", "utm_source": "x".repeat(256) }),
            422,
            "utm_source: must have at most",
        ),
        (
            json!({ "name": "x", "utm_sauce": "x" }),
            422,
            "utm_sauce: is not a known field",
        ),
    ] {
        let message = api.call("POST", "/utm-templates", Some(&body)).refusal(status);
        assert!(message.starts_with(start), "{message}");
    }
    assert_eq!(
        api.call("DELETE", &format!("/utm-templates/{id}"), None).json(),
        json!({ "id": id })
    );
    assert_eq!(api.get("/utm-templates"), json!([]));
    assert_eq!(server.follow("/a").location(), filled);
}
