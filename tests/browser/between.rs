//! The pages between a link and where it leads: a password, an app, another browser, a card. What they lead to is reached.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::brand::Brand;
use crate::node::browse;
use crate::seen::Seen;
use crate::server::TLS_NAME;
use crate::visit::{Visit, half_of_everybody};

/// TikTok's own browser on a phone with Android.
const IN_AN_APP: &str = "Mozilla/5.0 (Linux; Android 15; Pixel 9; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 \
                         Chrome/131.0.0.0 Mobile Safari/537.36 musical_ly_2023";
const ON_ANDROID: &str = "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36";

/// The address of a link called `slug` that leads to the shop, and is otherwise as `more` says.
fn link(brand: &Brand, slug: &str, more: &Value) -> String {
    let mut body = json!({
        "key": slug,
        "url": format!("{}/shelf?of=skin", brand.shop.origin()),
        "title": "Dewy Barrier Serum",
        "description": "Niacinamide, 30 ml, hand-poured in small batches — and a word that does not end: \
                        Barriereschutzfeuchtigkeitsserumkonzentrat",
    });
    for (name, value) in more.as_object().expect("an object") {
        body[name] = value.clone();
    }
    brand.api().link(&body);
    format!("https://{TLS_NAME}:{}/{slug}", brand.tls().port())
}

/// Every page came in one answer, besides the icon for which browsers ask unasked.
fn assert_alone(visit: &Visit, seen: &Seen) {
    seen.assert_sound(visit);
    assert_eq!(seen.status, 200, "{}", seen.name);
    let others = &seen.answers[1..];
    let is_icon = |url: &str| url.ends_with("/favicon.ico");
    assert!(
        others.iter().all(|other| is_icon(&other.url)),
        "{}: fetches {others:?}",
        seen.name
    );
}

#[test]
fn everybody_can_read_what_stands_between() {
    let brand = Brand::open();
    brand.api().patch("/settings", &json!({ "appSchemes": ["glow"] }));
    let app = link(&brand, "app", &json!({ "android": "glow://p/7?a=1&b=2" }));
    let out = link(&brand, "out", &json!({ "openInBrowser": true }));
    let locked = link(&brand, "vip", &json!({ "password": "dew" }));
    let card = link(&brand, "serum", &json!({})) + "+";
    let mut visits = Vec::new();
    for (name, url, agent) in [
        ("between-app", &app, Some(ON_ANDROID)),
        ("between-browser", &out, Some(IN_AN_APP)),
        ("between-password", &locked, None),
        ("between-card", &card, None),
    ] {
        for visit in half_of_everybody(name, url) {
            visits.push(Visit { agent, ..visit });
        }
    }
    let seen = browse(&Brand::host_rules(), &visits);
    for (visit, seen) in visits.iter().zip(&seen) {
        assert_alone(visit, seen);
        // Two ways on from an app, one from the others.
        let ways = if visit.agent.is_some() { 2 } else { 1 };
        let fields = usize::from(seen.name.starts_with("between-password"));
        assert_eq!(
            seen.measures.taps.len(),
            ways + fields,
            "{}: {:?}",
            seen.name,
            seen.measures.taps
        );
    }
}

#[test]
fn who_says_the_password_comes_to_the_shop() {
    let brand = Brand::open();
    let locked = link(&brand, "vip", &json!({ "password": "dew & rose" }));
    let visits = [
        Visit::phone("between-said", &locked),
        Visit::desk("between-said-1280", &locked),
    ];
    let visits = visits.map(|visit| Visit {
        choose: BTreeMap::from([("password", "dew & rose")]),
        ..visit
    });
    let seen = browse(&Brand::host_rules(), &visits);
    for (visit, seen) in visits.iter().zip(&seen) {
        assert_alone(visit, seen);
        let arrived = seen
            .arrived
            .as_ref()
            .unwrap_or_else(|| panic!("{}: went nowhere", seen.name));
        let expected = format!("{}/shelf?of=skin", brand.shop.origin());
        assert_eq!(
            (&*arrived.url, arrived.status, &*arrived.method),
            (&*expected, 200, "GET")
        );
    }
    assert_eq!(brand.shop.asked(), ["/shelf?of=skin", "/shelf?of=skin"]);
}
