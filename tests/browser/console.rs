//! The brand's console and the creator's own page, seen by people who work with them: on a phone and at a desk, by day and
//! by night, down to 320 pixels.

use serde_json::{Value, json};

use crate::http::{self, Request};
use crate::node::browse;
use crate::server::{IPHONE, KEY, SECRET, TestServer, delivery, eventually, id_of};
use crate::visit::{Session, Visit};

/// Names that are long, and names that would be markup.
const NAMES: [(&str, &str); 3] = [
    ("Maximiliane von Hohenstein-Weber", "slow travel"),
    ("<img src=x onerror=alert(1)>", "ceramics"),
    ("Donaudampfschifffahrtselektrizitätenhauptbetriebswerk", "steam"),
];

/// A brand that has something on every page.
struct Brand {
    server: TestServer,
    /// Pages of the console.
    pages: Vec<(&'static str, String)>,
    /// A creator's own.
    report: String,
}

impl Brand {
    fn open() -> Self {
        let server = TestServer::start();
        let api = server.api();
        let store = api.store();
        let partners = NAMES.map(|(name, niche)| api.partner(name, niche));
        let campaign = id_of(&api.post(
            "/campaigns",
            &json!({ "name": "Autumn & winter <b>", "budget": 250_000,
            "currency": "EUR", "start": "2026-11-01", "partnerIds": partners, "note": "Two videos each." }),
        ));
        for (place, partner) in partners.iter().enumerate() {
            api.link(
                &json!({ "key": format!("link-{place}"), "partnerId": partner, "campaignId": campaign,
                "contentId": format!("video-{place}"),
                "cart": { "storeId": store, "items": [{ "variantId": 1 }] } }),
            );
        }
        api.code("MAXI10", &partners[0]);
        let codes = api.get("/discount-codes");
        api.patch(
            &format!("/discount-codes/{}", id_of(&codes[0])),
            &json!({ "leaked": true }),
        );
        let spend = json!({ "campaignId": campaign, "amount": 45_000, "currency": "EUR", "note": "boosts" });
        api.post("/spend", &spend);
        let tried = id_of(&api.link(
            &json!({ "key": "tour", "url": "https://shop.example/a", "testVariants": [
            { "url": "https://shop.example/a", "percentage": 50, "name": "the page as it was" },
            { "url": "https://shop.example/b", "percentage": 50 },
        ] }),
        ));
        let follow = |key: &str, person: usize| {
            let request = Request::get(&format!("/{key}"))
                .header("User-Agent", IPHONE)
                .header("X-Forwarded-For", &format!("10.5.5.{person}"));
            let location = server.send(&request).location().to_owned();
            let from = location.find("hop_id%5D=").map(|from| from + "hop_id%5D=".len());
            from.map(|from| location[from..from + 32].to_owned())
                .unwrap_or_default()
        };
        let clicks: Vec<String> = (1..30)
            .map(|person| follow(&format!("link-{}", person % 3), person))
            .collect();
        (30..60).for_each(|person| drop(follow("tour", person)));
        eventually("the clicks", || (api.clicks("") == 59).then_some(()));
        for (number, click, code) in [
            (1, Some(&clicks[0]), None),
            (2, Some(&clicks[1]), None),
            (3, None, Some("MAXI10")),
        ] {
            let text = include_str!("../../fixtures/shopify/orders_paid.json");
            let mut order: Value = serde_json::from_str(text).expect("JSON");
            order["id"] = json!(number);
            order["name"] = json!(format!("#100{number}"));
            order["customer"] = json!({ "id": number });
            order["note_attributes"] = click.map_or(json!([]), |click| json!([{ "name": "hop_id", "value": click }]));
            order["discount_codes"] = code.map_or(json!([]), |code| json!([{ "code": code }]));
            let sent = delivery(&store, "orders/paid", &format!("d{number}"), &order, SECRET);
            assert_eq!(server.send(&sent).status, 200);
        }
        let order = |query: &str| id_of(&api.get(&format!("/orders?{query}"))[0]);
        let (credited, held) = (order("search=1001"), order("credit=held"));
        let made = api.post(&format!("/partners/{}/report-links", partners[1]), &json!({}));
        let report = made["url"].as_str().expect("an address").to_owned();
        let pages = vec![
            (
                "performance",
                "/?interval=7d&compare=previous&niche=ceramics&timezone=Europe/Berlin".to_owned(),
            ),
            (
                "links",
                "/?interval=7d&groupBy=link&sortBy=conversionRateLow".to_owned(),
            ),
            ("orders", "/console/orders".to_owned()),
            ("orders-empty", "/console/orders?test=true".to_owned()),
            ("order", format!("/console/orders/{credited}")),
            ("order-held", format!("/console/orders/{held}?model=position")),
            ("creators", "/console/creators".to_owned()),
            ("creator", format!("/console/creators/{}", partners[1])),
            ("campaigns", "/console/campaigns".to_owned()),
            ("campaign", format!("/console/campaigns/{campaign}")),
            ("experiments", "/console/experiments".to_owned()),
            ("reference", "/docs?q=partners".to_owned()),
            ("reference-one", "/docs?q=upsertLink".to_owned()),
            ("experiment", format!("/console/links/{tried}/experiment")),
        ];
        drop(api);
        Self { server, pages, report }
    }

    fn session(&self) -> Session {
        let form = Request::new("POST", "/sign-in")
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(format!("key={KEY}"));
        let answer = http::send(self.server.running().admin, &form);
        let cookie = answer.cookie().split(';').next().unwrap_or_default().to_owned();
        let (name, value) = cookie.split_once('=').expect("a session");
        Session {
            name: name.to_owned(),
            value: value.to_owned(),
        }
    }
}

/// Everybody who looks at a page: axe-core goes along at the usual sizes.
fn onlookers(name: &str, url: &str, session: Option<&Session>) -> Vec<Visit> {
    let of = |screen: Visit, width, scheme, axe| Visit {
        name: format!("console-{name}-{width}-{scheme}"),
        width,
        scheme,
        axe,
        session: session.cloned(),
        ..screen
    };
    vec![
        of(Visit::phone("", url), 390, "light", true),
        of(Visit::phone("", url), 320, "dark", false),
        of(Visit::desk("", url), 1280, "dark", true),
        of(Visit::desk("", url), 768, "light", false),
    ]
}

/// Visits the pages whose names are given, and judges them.
fn look_at(names: &[&str]) {
    let brand = Brand::open();
    let session = brand.session();
    let admin = brand.server.running().admin;
    let mut visits = Vec::new();
    for name in names {
        let page = brand.pages.iter().find(|(known, _)| known == name);
        visits.extend(match page {
            Some((_, path)) => onlookers(name, &format!("http://{admin}{path}"), Some(&session)),
            None if *name == "sign-in" => onlookers(name, &format!("http://{admin}/sign-in"), None),
            None if *name == "creator-report" => onlookers(name, &brand.report, None),
            None => panic!("no page is called {name}"),
        });
    }
    let seen = browse("", &visits);
    for (visit, seen) in visits.iter().zip(&seen) {
        assert_eq!(seen.status, 200, "{}", visit.name);
        seen.assert_sound(visit);
        // A page and its sheet: nothing else is fetched, from nowhere else.
        for answer in &seen.answers {
            let is_ours = matches!(answer.kind.as_str(), "Document" | "Stylesheet") || answer.url.starts_with("data:");
            assert!(is_ours, "{}: fetches {answer:?}", visit.name);
        }
    }
}

// One test for each few pages: on a busy machine a page takes seconds.

#[test]
fn the_numbers_fit_every_screen() {
    look_at(&["performance", "links", "sign-in", "creator-report"]);
}

#[test]
fn orders_fit_every_screen() {
    look_at(&["orders", "orders-empty", "order", "order-held"]);
}

#[test]
fn creators_and_campaigns_fit_every_screen() {
    look_at(&["creators", "creator", "campaigns", "campaign"]);
}

#[test]
fn experiments_fit_every_screen() {
    look_at(&["experiments", "experiment"]);
}

#[test]
fn the_reference_fits_every_screen() {
    look_at(&["reference", "reference-one"]);
}
