//! The console's pages: what they show is what the API answers to the same query, orders can be ruled on, and nobody else
//! can send its forms.

use serde_json::{Value, json};

use crate::http::{self, Answer, Request};
use crate::server::{Api, IPHONE, KEY, SECRET, TestServer, delivery, eventually, id_of};

const DAY: i64 = 24 * 60 * 60 * 1000;

/// Somebody who is signed in.
struct Console<'a> {
    server: &'a TestServer,
    cookie: String,
}

impl<'a> Console<'a> {
    fn sign_in(server: &'a TestServer, key: &str) -> Self {
        let form = Request::new("POST", "/sign-in")
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(format!("key={key}"));
        let answer = http::send(server.running().admin, &form);
        assert_eq!(answer.status, 303);
        let cookie = answer.cookie().split(';').next().unwrap_or_default().to_owned();
        Self { server, cookie }
    }

    fn get(&self, target: &str) -> Answer {
        http::send(
            self.server.running().admin,
            &Request::get(target).header("Cookie", &self.cookie),
        )
    }

    /// The text of a page that is there.
    fn page(&self, target: &str) -> String {
        let answer = self.get(target);
        assert_eq!(answer.status, 200, "{target}: {}", answer.text());
        assert!(
            answer
                .header("content-security-policy")
                .is_some_and(|policy| policy.contains("default-src 'none'"))
        );
        answer.text()
    }

    fn post(&self, target: &str, form: &str, headers: &[(&str, &str)]) -> Answer {
        let request = Request::new("POST", target)
            .header("Cookie", &self.cookie)
            .header("Content-Type", "application/x-www-form-urlencoded")
            .headers(headers)
            .body(form.to_owned());
        http::send(self.server.running().admin, &request)
    }

    /// The token in the forms of a page.
    fn token(&self, target: &str) -> String {
        let page = self.page(target);
        let (_, rest) = page.split_once("name=\"token\" value=\"").expect("a form with a token");
        rest.split('"').next().expect("its end").to_owned()
    }
}

/// A store, Mia and Ben with a link and a code each in one campaign, and followers who bought.
struct Brand {
    server: TestServer,
    store: String,
    mia: String,
    ben: String,
    campaign: String,
}

impl Brand {
    fn open() -> Self {
        let server = TestServer::start();
        server.clock.advance(-DAY);
        let api = server.api();
        let store = api.store();
        let [mia, ben] = [("Mia <b>", "clay"), ("Ben", "wood")].map(|(name, niche)| api.partner(name, niche));
        let campaign = id_of(&api.post(
            "/campaigns",
            &json!({ "name": "Autumn", "partnerIds": [mia, ben],
            "budget": 100_000, "currency": "EUR" }),
        ));
        for (key, partner) in [("mia", &mia), ("ben", &ben)] {
            api.link(
                &json!({ "key": key, "partnerId": partner, "campaignId": campaign, "contentId": format!("{key}-video"),
                "cart": { "storeId": store, "items": [{ "variantId": 1 }] } }),
            );
            api.code(&format!("{}10", key.to_uppercase()), partner);
        }
        api.post(
            "/spend",
            &json!({ "campaignId": campaign, "amount": 700, "currency": "EUR", "note": "boost" }),
        );
        drop(api);
        Self {
            server,
            store,
            mia,
            ben,
            campaign,
        }
    }

    fn api(&self) -> Api<'_> {
        self.server.api()
    }

    /// A person with an address of their own follows `key`; the click id.
    fn follow(&self, key: &str, person: usize) -> String {
        let request = Request::get(&format!("/{key}")).header("User-Agent", IPHONE).header(
            "X-Forwarded-For",
            &format!("10.9.{}.{}", person / 250, person % 250 + 1),
        );
        let answer = self.server.send(&request);
        let location = answer.location().to_owned();
        let from = location.find("hop_id%5D=").expect("a click id") + "hop_id%5D=".len();
        location[from..from + 32].to_owned()
    }

    /// The shop tells of a paid order; its public id.
    fn order(&self, number: u32, click: Option<&str>, codes: &[&str]) -> String {
        let text = include_str!("../../fixtures/shopify/orders_paid.json");
        let mut order: Value = serde_json::from_str(text).expect("JSON");
        order["id"] = json!(number);
        order["name"] = json!(format!("#{number}"));
        order["processed_at"] = json!("2026-11-20T10:05:00Z");
        order["note_attributes"] = click.map_or(json!([]), |click| json!([{ "name": "hop_id", "value": click }]));
        order["discount_codes"] = codes.iter().map(|code| json!({ "code": code })).collect();
        order["customer"] = json!({ "id": number });
        let sent = delivery(&self.store, "orders/paid", &format!("d{number}"), &order, SECRET);
        assert_eq!(self.server.send(&sent).status, 200);
        let found = self.api().get(&format!("/orders?search=%23{number}"));
        id_of(&found[0])
    }

    fn counted(&self, clicks: u64) {
        eventually("the clicks", || (self.api().clicks("") == clicks).then_some(()));
    }

    fn rows(&self, query: &str) -> Vec<Value> {
        let rows = self.api().get(&format!("/reports/performance?{query}"));
        rows.as_array().expect("rows").clone()
    }
}

/// `1234567` cents as the page writes them.
fn money(cents: i64) -> String {
    let (whole, rest) = (cents / 100, cents % 100);
    let text = whole.to_string();
    let mut grouped = String::new();
    for (place, digit) in text.chars().enumerate() {
        if place > 0 && (text.len() - place) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{grouped}.{rest:02}")
}

/// `text` as it stands in a page.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The cells of the ranking's row that begins with `name`, as text without tags.
fn cells(page: &str, name: &str) -> Vec<String> {
    let name = escaped(name);
    let (_, rest) = page
        .split_once(&format!("<th scope=\"row\" title=\"{name}\">"))
        .unwrap_or_else(|| panic!("no row {name}"));
    let row = rest.split("</tr>").next().expect("its end");
    let text = |cell: &str| {
        let mut out = String::new();
        for part in cell.split('<') {
            out.push_str(part.split_once('>').map_or(part, |(_, text)| text));
        }
        out
    };
    row.split("<td>").skip(2).map(text).collect()
}

/// What one row of the report is, as the page calls it.
fn what(query: &str) -> &str {
    let (_, group_by) = query.split_once("groupBy=").unwrap_or(("", "creator"));
    match group_by.split('&').next().expect("a word") {
        "content" => "video or post",
        word => word,
    }
}

#[test]
fn the_page_shows_what_the_api_answers() {
    let brand = Brand::open();
    let clicks: Vec<String> = (0..5).map(|person| brand.follow("mia", person)).collect();
    let bens = brand.follow("ben", 9);
    brand.counted(6);
    brand.order(1, Some(&clicks[0]), &[]);
    brand.order(2, Some(&clicks[1]), &[]);
    brand.order(3, Some(&bens), &[]);
    brand.server.clock.advance(DAY);
    let console = Console::sign_in(&brand.server, KEY);
    for (query, asked) in [
        ("interval=30d", "/"),
        (
            "interval=7d&groupBy=niche&sortBy=conversionRateLow",
            "/?interval=7d&groupBy=niche&sortBy=conversionRateLow",
        ),
        ("interval=30d&groupBy=content", "/?interval=30d&groupBy=content"),
        (
            "interval=30d&model=first&groupBy=link",
            "/?interval=30d&model=first&groupBy=link",
        ),
        (
            "start=2026-11-20&end=2026-11-21&timezone=Europe/Berlin&groupBy=store",
            "/?interval=30d&start=2026-11-20&end=2026-11-21&timezone=Europe/Berlin&groupBy=store&niche=&model=",
        ),
    ] {
        let page = console.page(asked);
        let rows = brand.rows(query);
        assert!(!rows.is_empty(), "{query}");
        let mut last = 0;
        for row in &rows {
            let name = row["name"].as_str().expect("a name");
            let nobody = format!("No {}", what(query));
            let name = if name == "(none)" { nobody.as_str() } else { name };
            let found = cells(&page, name);
            assert_eq!(
                found[0],
                money(row["netRevenue"].as_i64().expect("cents")),
                "{query} {row}"
            );
            assert_eq!(found[1], row["clicks"].to_string(), "{query} {row}");
            assert_eq!(found[3], row["orders"].to_string(), "{query} {row}");
            assert_eq!(found[8], money(row["spend"].as_i64().expect("cents")), "{query} {row}");
            let rate = row["conversionRate"].as_f64();
            let expected = rate.map_or("–".to_owned(), |rate| format!("{:.1}%", rate * 100.0));
            assert!(
                found[4].starts_with(&expected),
                "{query}: {} is not {expected}",
                found[4]
            );
            if let (Some(low), Some(high)) = (row["conversionRateLow"].as_f64(), row["conversionRateHigh"].as_f64()) {
                let bounds = format!("{:.1}–{:.1}%", low * 100.0, high * 100.0);
                assert!(found[4].ends_with(&bounds), "{query}: {} is not {bounds}", found[4]);
            }
            let place = page.find(&format!("title=\"{}\">", escaped(name))).expect("a row");
            assert!(place > last, "{query}: {name} is out of order");
            last = place;
        }
        // The file holds the same rows as the API's.
        let csv = console.get(&format!("/performance.csv?{query}"));
        let told = brand
            .api()
            .call("GET", &format!("/reports/performance?{query}&format=csv"), None);
        assert_eq!(csv.text(), told.text(), "{query}");
        assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8"));
    }
    let refused = console.get("/?groupBy=moon");
    assert_eq!(refused.status, 422);
    assert!(refused.text().contains("groupBy: must be one of"));
}

#[test]
fn a_filter_leaves_what_stands_in_the_row_of_its_name() {
    let brand = Brand::open();
    let clicks: Vec<String> = (0..4).map(|person| brand.follow("mia", person)).collect();
    brand.follow("ben", 9);
    brand.counted(5);
    brand.order(1, Some(&clicks[0]), &[]);
    // Ben's code decides; the click was Mia's.
    brand.order(2, None, &["BEN10"]);
    let (mia, ben, campaign, store) = (&brand.mia, &brand.ben, &brand.campaign, &brand.store);
    let figures = [
        "clicks",
        "orders",
        "netRevenue",
        "grossRevenue",
        "spend",
        "newCustomers",
        "uniqueVisitors",
    ];
    let link = id_of(&brand.api().get("/links/info?domain=&key=mia"));
    for (filter, group_by, key) in [
        (format!("partnerId={mia}"), "creator", mia.as_str()),
        (format!("partnerId={ben}"), "creator", ben),
        ("niche=clay".to_owned(), "niche", "clay"),
        (format!("campaignId={campaign}"), "campaign", campaign),
        (format!("storeId={store}"), "store", store),
        (format!("linkId={link}"), "link", &link),
        ("contentId=mia-video".to_owned(), "content", "mia-video"),
        ("tier=%28none%29".to_owned(), "tier", "(none)"),
    ] {
        let whole = brand.rows(&format!("groupBy={group_by}"));
        let row = whole
            .iter()
            .find(|row| row["key"] == key)
            .unwrap_or_else(|| panic!("no {key}: {whole:?}"));
        let only = brand.rows(&format!("groupBy={group_by}&{filter}"));
        assert_eq!(only.len(), 1, "{filter}: {only:?}");
        for figure in figures {
            assert_eq!(only[0][figure], row[figure], "{filter} {figure}");
        }
        // Told apart by what is within, it adds up to the same.
        for within in ["link", "creator", "code"] {
            let parts = brand.rows(&format!("groupBy={within}&{filter}"));
            let sum = |figure: &str| {
                parts
                    .iter()
                    .map(|part| part[figure].as_i64().expect("a number"))
                    .sum::<i64>()
            };
            assert_eq!(
                sum("netRevenue"),
                row["netRevenue"].as_i64().expect("cents"),
                "{filter} by {within}"
            );
            assert_eq!(
                sum("orders"),
                row["orders"].as_i64().expect("orders"),
                "{filter} by {within}"
            );
        }
    }
    // Nobody knows where they came from: nothing came from Germany.
    let german = brand.rows("country=DE");
    assert!(
        german
            .iter()
            .all(|row| row["clicks"] == 0 && row["orders"] == 0 && row["spend"] == 0)
    );
    for (query, words) in [
        ("partnerId=pn_x", "partnerId: is not a partner"),
        ("country=Germany", "country: must be"),
        ("tier=huge", "tier: must be one of nano"),
    ] {
        let refused = brand
            .api()
            .call("GET", &format!("/reports/performance?{query}"), None)
            .refusal(422);
        assert!(refused.starts_with(words), "{refused}");
    }
    let theirs = brand.server.other_brand("Theirs");
    let refused = theirs
        .call("GET", &format!("/reports/performance?partnerId={mia}"), None)
        .refusal(422);
    assert!(refused.starts_with("partnerId:"), "{refused}");
}

#[test]
fn the_period_before_stands_beside_each_figure() {
    let brand = Brand::open();
    brand.follow("mia", 1);
    brand.counted(1);
    brand.server.clock.advance(8 * DAY);
    for person in 2..5 {
        brand.follow("mia", person);
    }
    brand.counted(4);
    let console = Console::sign_in(&brand.server, KEY);
    let page = console.page("/?interval=7d&compare=previous");
    assert!(page.contains("▲ +200.0%</span>, was 1<"), "clicks tripled: {page}");
    assert_eq!(cells(&page, "Mia <b>")[1], "3 ▲ +200.0%");
    let row = &brand.rows("interval=7d&compare=previous")[0];
    assert_eq!((&row["clicks"], &row["previous"]["clicks"]), (&json!(3), &json!(1)));
    assert!(
        !console.page("/?interval=all&compare=previous").contains(", was "),
        "all time has nothing before it"
    );
}

#[test]
fn orders_are_found_and_held_credits_ruled_on() {
    let brand = Brand::open();
    let click = brand.follow("mia", 1);
    brand.counted(1);
    let credited = brand.order(1001, Some(&click), &[]);
    let codes = brand.api().get("/discount-codes");
    let bens = codes
        .as_array()
        .expect("codes")
        .iter()
        .find(|code| code["code"] == "BEN10")
        .map(id_of)
        .expect("Ben's");
    brand
        .api()
        .patch(&format!("/discount-codes/{bens}"), &json!({ "leaked": true }));
    let held = brand.order(1002, None, &["BEN10"]);
    let console = Console::sign_in(&brand.server, KEY);
    let all = console.page("/console/orders");
    assert!(all.contains("#1001") && all.contains("#1002") && all.contains("Mia &lt;b&gt;"));
    let waiting = console.page("/console/orders?credit=held");
    assert!(!waiting.contains("#1001") && waiting.contains("held for Ben"));
    for search in ["1001", "%231001", credited.as_str()] {
        let found = console.page(&format!("/console/orders?search={search}"));
        assert!(found.contains("#1001") && !found.contains("#1002"), "{search}");
    }
    assert!(
        console
            .page("/console/orders?search=nothing")
            .contains("No order is called")
    );
    for (flag, count) in [
        ("test=true", 0),
        ("test=false", 2),
        ("quarantined=true", 0),
        ("quarantined=false", 2),
    ] {
        let listed = brand.api().get(&format!("/orders?{flag}"));
        assert_eq!(listed.as_array().map(Vec::len), Some(count), "{flag}");
    }

    // The journey as the API tells it.
    let page = console.page(&format!("/console/orders/{credited}?model=linear"));
    let told = brand.api().get(&format!("/orders/{credited}/journey"));
    assert!(
        page.contains("Credited to Mia &lt;b&gt;") && page.contains(told["credit"]["reason"].as_str().expect("why"))
    );
    assert!(page.contains("100.0% · 53.82"), "{page}");
    assert!(!page.contains("name=\"decision\""));

    let path = format!("/console/orders/{held}");
    let page = console.page(&path);
    assert!(
        page.contains("The credit of Ben is held") && page.contains("leak signal"),
        "{page}"
    );
    let token = console.token(&path);
    let ruled = format!("decision=release&token={token}");
    for (form, headers) in [
        ("decision=release", &[][..]),
        ("decision=release&token=0123", &[]),
        (ruled.as_str(), &[("Sec-Fetch-Site", "cross-site")]),
    ] {
        assert_eq!(
            console.post(&format!("{path}/credit"), form, headers).status,
            403,
            "{form}"
        );
    }
    assert_eq!(
        console
            .post(&format!("{path}/credit"), &format!("decision=x&token={token}"), &[])
            .status,
        422
    );
    assert_eq!(brand.api().get(&format!("/orders/{held}"))["credit"]["state"], "held");
    let answer = console.post(&format!("{path}/credit"), &ruled, &[]);
    assert_eq!((answer.status, answer.location()), (303, path.as_str()));
    assert_eq!(
        brand.api().get(&format!("/orders/{held}"))["credit"]["state"],
        "credited"
    );
    assert!(console.page(&path).contains("You ruled: credit it."));

    // Another brand sees none of it.
    let opened = brand.api().post("/workspaces", &json!({ "name": "Theirs" }));
    let theirs = Console::sign_in(&brand.server, opened["key"].as_str().expect("a key"));
    assert_eq!(theirs.get(&path).status, 404);
    assert_eq!(
        theirs.get(&format!("/console/campaigns/{}", brand.campaign)).status,
        404
    );
    assert_eq!(theirs.get(&format!("/console/creators/{}", brand.mia)).status, 404);
    assert!(theirs.page("/console/orders").contains("No orders yet"));
    for place in [
        "/console/orders",
        "/console/creators",
        "/console/campaigns",
        "/console/experiments",
    ] {
        let nobody = http::send(brand.server.running().admin, &Request::get(place));
        assert_eq!((nobody.status, nobody.location()), (303, "/sign-in"), "{place}");
    }
}

#[test]
fn campaigns_creators_and_experiments_have_their_pages() {
    let brand = Brand::open();
    let click = brand.follow("mia", 1);
    brand.counted(1);
    brand.order(1, Some(&click), &[]);
    let api = brand.api();
    let link = id_of(&api.link(
        &json!({ "key": "tour", "url": "https://shop.example/a", "testVariants": [
        { "url": "https://shop.example/a", "percentage": 50, "name": "plain" },
        { "url": "https://shop.example/b", "percentage": 50, "name": "new <i>" },
    ] }),
    ));
    let console = Console::sign_in(&brand.server, KEY);
    let list = console.page("/console/campaigns");
    assert!(list.contains("Autumn") && list.contains("53.82"), "{list}");
    let page = console.page(&format!("/console/campaigns/{}", brand.campaign));
    let rows = brand.rows(&format!("groupBy=creator&campaignId={}", brand.campaign));
    for row in &rows {
        let name = match row["name"].as_str().expect("a name") {
            "(none)" => "No creator",
            name => name,
        };
        let found = cells(&page, name);
        assert_eq!(found[0], money(row["netRevenue"].as_i64().expect("cents")));
        assert_eq!(found[8], money(row["spend"].as_i64().expect("cents")));
    }
    for part in [
        "mia-video",
        "boost",
        "7.00\u{a0}EUR of 1,000.00\u{a0}EUR spent",
        "Mia &lt;b&gt;",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(
        console
            .page("/console/experiments")
            .contains(&format!("/console/links/{link}/experiment"))
    );
    let page = console.page(&format!("/console/links/{link}/experiment"));
    let told = api.get(&format!("/links/{link}/experiment"));
    assert!(page.contains("No winner yet") && page.contains("new &lt;i&gt;"));
    for reason in told["reasons"].as_array().expect("reasons") {
        let reason = reason.as_str().expect("text");
        assert!(page.contains(&format!("<li>{reason}</li>")), "{reason}: {page}");
    }
    assert!(console.page("/console/creators?search=mia").contains("Mia &lt;b&gt;"));
    assert!(!console.page("/console/creators?search=mia").contains(">Ben<"));
}

#[test]
fn a_key_sees_what_its_scopes_open_and_its_forms_are_in_the_audit_log() {
    let brand = Brand::open();
    let api = brand.api();
    let issue = |scopes: Value| api.post("/keys", &json!({ "name": "desk", "scopes": scopes }));
    let reader = issue(json!(["analytics.read", "partners.read"]));
    let console = Console::sign_in(&brand.server, reader["key"].as_str().expect("a key"));
    let creator = format!("/console/creators/{}", brand.mia);
    for (target, status) in [
        ("/", 200),
        ("/performance.csv", 200),
        (creator.as_str(), 200),
        ("/console/campaigns", 200),
        ("/console/orders", 403),
        ("/console/experiments", 403),
        ("/sign-in", 200),
    ] {
        let answer = console.get(target);
        assert_eq!(answer.status, status, "{target}: {}", answer.text());
    }
    let form = format!("token={}&days=7", console.token(&creator));
    let refused = console.post(&format!("{creator}/report-links"), &form, &[]);
    assert_eq!(refused.status, 403);
    assert!(refused.text().contains("partners.write"), "{}", refused.text());

    let writer = issue(json!(["partners.write"]));
    let console = Console::sign_in(&brand.server, writer["key"].as_str().expect("a key"));
    let form = format!("token={}&days=7", console.token(&creator));
    let shared = console.post(&format!("{creator}/report-links"), &form, &[]);
    assert_eq!(shared.status, 303, "{}", shared.text());
    let entry = &api.get(&format!("/audit-log?keyId={}", id_of(&writer)))[0];
    assert_eq!(entry["action"], format!("POST {creator}/report-links"));
    assert!(
        entry["targetId"].as_str().is_some_and(|id| id.starts_with("rl_")),
        "{entry}"
    );
    api.call("DELETE", &format!("/keys/{}", id_of(&writer)), None);
    assert_eq!(console.get(&creator).status, 303, "its sessions end with it");
}
