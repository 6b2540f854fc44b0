//! Campaigns: minting links and codes, spend, tiers, and a campaign of raw clicks and webhooks that reads back to the
//! cent.

use std::io::{Cursor, Read};
use std::process::Command;

use serde_json::{Value, json};

use crate::http::Request;
use crate::server::{Api, IPHONE, KEY, SECRET, TestServer, delivery, eventually, id_of};

const HOUR_MS: i64 = 60 * 60 * 1000;
/// What one mat sells for and costs, in cents.
const PRICE: i64 = 15_166;
const COST: i64 = 5_000;

/// A brand that sells mats in dollars, with the creators named.
struct Brand {
    server: TestServer,
    store: String,
    partners: Vec<String>,
    campaign: String,
}

impl Brand {
    fn with(partners: &[Value]) -> Self {
        let server = TestServer::start();
        let api = server.api();
        let store = id_of(&api.post(
            "/stores",
            &json!({ "name": "Flex", "provider": "shopify", "baseUrl": "https://flex.example", "currency": "USD",
                "webhookSecrets": [SECRET] }),
        ));
        let mat = json!({ "sku": "MAT", "variantId": "1", "title": "Mat", "price": PRICE, "cost": COST });
        api.put("/products", &json!({ "storeId": store, "products": [mat] }));
        let partners = partners
            .iter()
            .map(|body| id_of(&api.post("/partners", body)))
            .collect();
        let campaign = id_of(&api.post(
            "/campaigns",
            &json!({ "name": "Spring Sale", "start": "2026-11-01",
            "end": "2026-12-01", "budget": 1_000_000, "currency": "usd", "partnerIds": partners }),
        ));
        Self {
            server,
            store,
            partners,
            campaign,
        }
    }

    fn api(&self) -> Api<'_> {
        self.server.api()
    }

    fn mint(&self, body: &Value) -> Value {
        self.api().post(&format!("/campaigns/{}/mint", self.campaign), body)
    }

    fn cart(&self) -> Value {
        json!({ "storeId": self.store, "items": [{ "sku": "MAT" }] })
    }

    fn spend(&self, body: &Value) -> Value {
        self.api().post("/spend", body)
    }
}

fn partner(name: &str, followers: u64, cost: i64) -> Value {
    json!({ "name": name, "followers": followers, "platform": "tiktok", "cost": cost })
}

/// The shop's word on an order of one mat, by its own customer.
fn order(id: usize, click_id: &str, code: &str) -> Value {
    let mut order: Value = serde_json::from_str(include_str!("../../fixtures/shopify/orders_paid.json")).expect("JSON");
    order["id"] = json!(5_000 + id);
    order["customer"] = json!({ "id": 9_000 + id });
    for at in ["created_at", "processed_at", "updated_at"] {
        order[at] = json!("2026-11-21T11:00:00Z");
    }
    (order["currency"], order["presentment_currency"]) = (json!("USD"), json!("USD"));
    for (field, amount) in [
        ("subtotal_price", "151.66"),
        ("current_subtotal_price", "151.66"),
        ("total_price", "151.66"),
        ("total_tax", "0.00"),
        ("total_discounts", "0.00"),
    ] {
        order[field] = json!(amount);
    }
    order["line_items"] = json!([{ "id": 1, "variant_id": 1, "sku": "MAT", "title": "Mat", "quantity": 1,
        "price": "151.66", "total_discount": "0.00", "discount_allocations": [], "tax_lines": [] }]);
    order["note_attributes"] = json!([{ "name": "hop_id", "value": click_id }]);
    order["discount_codes"] = json!([{ "code": code, "amount": "0.00", "type": "percentage" }]);
    order
}

/// The article: micro-influencers convert 8.7 % at $23 a customer and return 342 %, a celebrity converts 1.2 % at $67.
#[test]
fn a_campaign_of_the_articles_ratios_reads_back_exactly() {
    let mut creators: Vec<Value> = (1..=5)
        .map(|n| partner(&format!("Micro {n}"), 10_000 * n, 30_000))
        .collect();
    // 50,000 is no longer micro.
    creators[4]["followers"] = json!(49_999);
    creators.push(partner("Celeb", 4_000_000, 0));
    let brand = Brand::with(&creators);
    let minted = brand.mint(&json!({ "codePattern": "{USERNAME}10",
        "template": { "cart": brand.cart(), "contentId": "video-{platform}" } }));
    assert_eq!(
        (&minted["minted"], &minted["failed"]),
        (&json!(6), &json!(0)),
        "{minted}"
    );

    // 1,000 people a tier, each their own; so many of each creator's first ones buy.
    let buyers = [18, 18, 17, 17, 17, 12];
    let mut bought = Vec::new();
    let mut client = brand.server.client();
    for (place, row) in minted["links"].as_array().expect("rows").iter().enumerate() {
        let (key, code) = (
            row["key"].as_str().expect("a key"),
            row["discountCode"].as_str().expect("a code"),
        );
        for n in 0..if place < 5 { 200 } else { 1_000 } {
            let request = Request::get(&format!("/{key}"))
                .header("User-Agent", IPHONE)
                .header("X-Forwarded-For", &format!("100.{place}.{}.{}", n / 250, n % 250));
            let answer = client.send(&request);
            let location = answer.location();
            let (_, id) = location
                .split_once("hop_id%5D=")
                .unwrap_or_else(|| panic!("no id in {location}"));
            if n < buyers[place] {
                bought.push((id.split('&').next().expect("an id").to_owned(), code.to_owned()));
            }
        }
    }
    drop(client);
    eventually("every click", || (brand.api().clicks("") == 2_000).then_some(()));
    brand.server.clock.advance(HOUR_MS);
    for (id, (click, code)) in bought.iter().enumerate() {
        let sent = delivery(
            &brand.store,
            "orders/paid",
            &format!("d{id}"),
            &order(id, click, code),
            SECRET,
        );
        assert_eq!(brand.server.send(&sent).status, 200);
    }
    let links = minted["links"].as_array().expect("rows");
    brand.spend(&json!({ "partnerId": brand.partners[0], "amount": 50_000, "currency": "USD" }));
    brand.spend(&json!({ "linkId": links[1]["linkId"], "amount": 100, "currency": "USD", "note": "boost" }));
    brand.spend(
        &json!({ "partnerId": brand.partners[5], "campaignId": brand.campaign, "amount": 80_400,
        "currency": "USD" }),
    );
    let typo = id_of(&brand.spend(&json!({ "partnerId": brand.partners[2], "amount": 999, "currency": "USD" })));
    brand
        .api()
        .post(&format!("/spend/{typo}/void"), &json!({ "note": "typo" }));

    let tiers = brand
        .api()
        .get("/reports/performance?groupBy=tier&interval=30d&compare=previous");
    let figures = |row: &Value, names: &[&str]| names.iter().map(|name| row[*name].clone()).collect::<Vec<_>>();
    let names = [
        "key",
        "clicks",
        "orders",
        "newCustomers",
        "returningCustomers",
        "conversionRate",
        "spend",
        "cac",
        "grossRevenue",
        "refunds",
        "netRevenue",
        "costOfGoods",
        "ordersWithCost",
        "margin",
        "roi",
        "unconverted",
        "currency",
    ];
    let micro = json!([
        "micro",
        1_000,
        87,
        87,
        0,
        0.087,
        200_100,
        2_300.0,
        87 * PRICE,
        0,
        87 * PRICE,
        87 * COST,
        87,
        884_442,
        3.42,
        0,
        "USD"
    ]);
    let celebrity = json!([
        "celebrity",
        1_000,
        12,
        12,
        0,
        0.012,
        80_400,
        6_700.0,
        12 * PRICE,
        0,
        12 * PRICE,
        12 * COST,
        12,
        121_992,
        41_592.0 / 80_400.0,
        0,
        "USD"
    ]);
    assert_eq!(json!(figures(&tiers[0], &names)), micro);
    assert_eq!(json!(figures(&tiers[1], &names)), celebrity);
    assert_eq!(tiers[0]["roas"], json!(1_319_442.0 / 200_100.0));
    let low_high = ["conversionRateLow", "conversionRateHigh"].map(|name| tiers[0][name].as_f64().expect("a rate"));
    assert!(0.070 < low_high[0] && low_high[0] < 0.073 && 0.105 < low_high[1] && low_high[1] < 0.107);
    let unique = tiers[0]["uniqueVisitors"].as_u64().expect("a count");
    assert!((970..=1_030).contains(&unique), "{unique} of 1,000");
    assert_eq!(tiers[0]["previous"]["clicks"], 0);

    // The same by everything else that a campaign is looked at by.
    let row = |group: &str, place: usize| {
        let rows = brand
            .api()
            .get(&format!("/reports/performance?groupBy={group}&interval=30d"));
        json!(figures(
            &rows[place],
            &["key", "name", "clicks", "orders", "newCustomers", "spend"]
        ))
    };
    assert_eq!(row("campaign", 0)[2], 2_000);
    assert_eq!(
        row("campaign", 0),
        json!([brand.campaign, "Spring Sale", 2_000, 99, 99, 80_500])
    );
    assert_eq!(
        row("content", 0),
        json!(["video-tiktok", "video-tiktok", 2_000, 99, 99, 100])
    );
    assert_eq!(row("code", 0), json!(["MICRO-110", "MICRO-110", 0, 18, 18, 0]));
    assert_eq!(row("country", 0), json!(["(none)", "(none)", 2_000, 99, 99, 0]));
    assert_eq!(row("platform", 0), json!(["tiktok", "tiktok", 2_000, 99, 99, 280_500]));

    // A month later the campaign is the period before.
    brand.server.clock.advance(31 * 24 * HOUR_MS);
    let later = brand
        .api()
        .get("/reports/performance?groupBy=tier&interval=30d&compare=previous&sortBy=spend");
    let micro = later
        .as_array()
        .expect("rows")
        .iter()
        .find(|row| row["key"] == "micro")
        .expect("micro");
    assert_eq!((&micro["clicks"], &micro["orders"]), (&json!(0), &json!(0)));
    assert_eq!(
        (&micro["previous"]["orders"], &micro["previous"]["cac"]),
        (&json!(87), &json!(2_300.0))
    );
    let refused = brand
        .api()
        .call("GET", "/reports/performance?compare=previous&interval=all", None);
    assert!(refused.refusal(422).starts_with("compare:"));

    // Bounds of one's own apply to what is read from then on.
    let refused = brand
        .api()
        .call("PATCH", "/settings", Some(&json!({ "tiers": { "micro": 60_000 } })));
    assert_eq!(
        refused.refusal(422),
        "tiers: must ascend from above 0: micro < mid < macro < celebrity"
    );
    brand.api().patch("/settings", &json!({ "tiers": { "micro": 20_000 } }));
    assert_eq!(brand.api().get("/settings")["tiers"]["micro"], 20_000);
    let tiers = brand.api().get("/reports/performance?groupBy=tier&interval=90d");
    let nano = tiers
        .as_array()
        .expect("rows")
        .iter()
        .find(|row| row["key"] == "nano")
        .expect("nano");
    assert_eq!((&nano["clicks"], &nano["orders"]), (&json!(200), &json!(18)));
}

#[test]
fn minting_again_finds_what_is_there_and_numbers_what_is_taken() {
    let brand = Brand::with(&[partner("Mia", 1, 0), partner("=Mia", 1, 0), partner("Ben Ö.", 1, 0)]);
    brand
        .api()
        .link(&json!({ "key": "mia-spring-sale", "url": "https://flex.example/" }));
    let body = json!({ "slugPattern": "{username}-{campaign}", "codePattern": "{USERNAME}10",
        "partnerIds": [brand.partners[0], brand.partners[1], brand.partners[2], "pn_nobody"],
        "template": { "cart": brand.cart(), "contentId": "v1", "contentUrl": "https://tiktok.example/v1" } });
    let minted = brand.mint(&body);
    assert_eq!([&minted["minted"], &minted["known"], &minted["failed"]], [3, 0, 1]);
    let rows: Vec<Value> = minted["links"]
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| {
            json!([
                row["name"],
                row["key"],
                row["discountCode"],
                row["numbered"],
                row["error"]
            ])
        })
        .collect();
    assert_eq!(
        json!(rows),
        json!([
            ["Mia", "mia-spring-sale-2", "MIA10", true, null],
            ["=Mia", "mia-spring-sale-3", "MIA10-2", true, null],
            ["Ben Ö.", "ben-o-spring-sale", "BEN-O10", false, null],
            ["", null, null, null, "partnerId: is not a partner of this workspace"],
        ])
    );
    assert_eq!(minted["links"][3]["partnerId"], "pn_nobody");
    let location = brand.server.follow("/ben-o-spring-sale").location().to_owned();
    assert!(
        location.contains("/cart/1:1") && location.contains("discount=BEN-O10"),
        "{location}"
    );

    let again = brand.mint(&body);
    assert_eq!([&again["minted"], &again["known"], &again["failed"]], [0, 3, 1]);
    assert_eq!(again["links"][0]["linkId"], minted["links"][0]["linkId"]);
    assert_eq!(again["links"][0]["discountCode"], "MIA10");
    let mut other = body.clone();
    other["template"]["contentId"] = json!("v2");
    let second = brand.mint(&other);
    assert_eq!(second["minted"], 3);
    assert_eq!(second["links"][2]["key"], "ben-o-spring-sale-2");
    assert_eq!(second["links"][2]["discountCode"], "BEN-O10", "the creator's own code");
    let found = brand
        .api()
        .get(&format!("/links?campaignId={}&contentId=v1", brand.campaign));
    assert_eq!(found.as_array().map(Vec::len), Some(3));
    assert_eq!(
        (&found[0]["campaignId"], &found[0]["contentUrl"]),
        (&json!(brand.campaign), &json!("https://tiktok.example/v1"))
    );

    for (change, message) in [
        (
            json!({ "slugPattern": "{user}" }),
            "slugPattern: has an unknown placeholder {user}",
        ),
        (json!({ "codePattern": "{username" }), "codePattern: has a brace"),
        (
            json!({ "template": { "url": "https://x.example", "key": "x" } }),
            "template: takes no key",
        ),
    ] {
        let mut body = body.clone();
        for (field, value) in change.as_object().expect("fields") {
            body[field] = value.clone();
        }
        let target = format!("/campaigns/{}/mint", brand.campaign);
        let refused = brand.api().call("POST", &target, Some(&body)).refusal(422);
        assert!(refused.starts_with(message), "{refused}");
    }
}

#[test]
fn a_zip_has_a_table_and_a_picture_a_creator() {
    let brand = Brand::with(&[partner("Mia", 1, 0), partner("=Ben", 1, 0)]);
    let body = json!({ "template": { "url": "https://flex.example/?by={username}" } });
    let target = format!("/campaigns/{}/mint?format=zip&qr=png", brand.campaign);
    let answer = brand.api().call("POST", &target, Some(&body));
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, Some("application/zip"))
    );
    let mut zip = zip::ZipArchive::new(Cursor::new(answer.body)).expect("a ZIP");
    assert_eq!(zip.len(), 3);
    let mut table = String::new();
    let mut file = zip.by_name("links.csv").expect("a table");
    file.read_to_string(&mut table).expect("text");
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[1].contains(",Mia,http") && lines[1].contains("mia-spring-sale,,qr/0001-mia-spring-sale.png"));
    assert!(lines[2].contains(",'=Ben,"), "{table}");
    assert!(brand.server.follow("/ben-spring-sale").location().contains("by=ben"));
}

#[test]
fn the_command_line_mints_and_writes_a_zip() {
    let brand = Brand::with(&[partner("Mia", 1, 0), partner("Ben", 1, 0)]);
    let home = tempfile::tempdir().expect("a directory");
    let out = home.path().join("links.zip");
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_hopcart"))
            .args(arguments)
            .args(["--server", &format!("http://{}", brand.server.running().admin)])
            .env("HOPCART_API_KEY", KEY)
            .output()
            .expect("the program");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, said, complaint) = run(&[
        "campaigns",
        "mint",
        &brand.campaign,
        "--url",
        "https://flex.example/",
        "--code",
        "{USERNAME}10",
        "--out",
        out.to_str().expect("a path"),
    ]);
    assert_eq!(code, Some(0), "{said}{complaint}");
    assert!(
        said.contains("mia-spring-sale") && said.contains("BEN10") && said.contains("2 minted"),
        "{said}"
    );
    let zip = std::fs::read(&out).expect("a file");
    assert_eq!(zip::ZipArchive::new(Cursor::new(zip)).expect("a ZIP").len(), 3);
    let partners = ["--partner", "pn_nobody", "--partner", &brand.partners[0]];
    let mut again = vec![
        "campaigns",
        "mint",
        &brand.campaign,
        "--url",
        "https://flex.example/",
        "--json",
    ];
    again.extend(partners);
    let (code, said, complaint) = run(&again);
    assert_eq!(code, Some(1), "{complaint}");
    let told: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!((&told["known"], &told["failed"]), (&json!(1), &json!(1)));
    assert!(complaint.contains("1 of 2 partners failed"), "{complaint}");
}

#[test]
fn spend_is_told_once_and_voided_but_never_edited() {
    let brand = Brand::with(&[partner("Mia", 1, 0)]);
    let mia = &brand.partners[0];
    let entry = json!({ "partnerId": mia, "amount": 500, "currency": "usd", "at": "2026-11-20", "externalId": "inv-7",
        "note": "fee" });
    let first = brand.spend(&entry);
    assert_eq!(brand.spend(&entry)["id"], first["id"], "told again");
    assert_eq!(
        (&first["currency"], &first["at"]),
        (&json!("USD"), &json!("2026-11-20T00:00:00.000Z"))
    );
    let mut other = entry.clone();
    other["amount"] = json!(501);
    assert!(
        brand
            .api()
            .call("POST", "/spend", Some(&other))
            .refusal(409)
            .starts_with("externalId:")
    );
    let spend = || brand.api().report("creator", mia).expect("Mia")["spend"].clone();
    assert_eq!(spend(), 500);
    let void = format!("/spend/{}/void", id_of(&first));
    let voided = brand.api().post(&void, &json!({ "note": "twice" }));
    assert_eq!((&voided["voidNote"], spend()), (&json!("twice"), json!(0)));
    assert_eq!(brand.api().post(&void, &json!({}))["voidedAt"], voided["voidedAt"]);

    brand.spend(&json!({ "campaignId": brand.campaign, "amount": 70, "currency": "EUR", "at": "2026-11-19" }));
    let listed = |query: &str| brand.api().get(&format!("/spend?{query}")).as_array().map(Vec::len);
    assert_eq!(listed(""), Some(2));
    assert_eq!(listed(&format!("partnerId={mia}")), Some(1));
    assert_eq!(
        listed(&format!("campaignId={}&start=2026-11-20", brand.campaign)),
        Some(0)
    );
    let row = brand.api().report("campaign", &brand.campaign).expect("the campaign");
    assert_eq!(
        (&row["spend"], &row["unconvertedSpend"]),
        (&json!(0), &json!(1)),
        "no rate of that day"
    );
    for (body, field) in [
        (json!({ "amount": 1, "currency": "EUR" }), "partnerId:"),
        (
            json!({ "partnerId": "pn_x", "amount": 1, "currency": "EUR" }),
            "partnerId:",
        ),
        (
            json!({ "campaignId": "cmp_x", "amount": 1, "currency": "EUR" }),
            "campaignId:",
        ),
        (json!({ "linkId": "link_x", "amount": 1, "currency": "EUR" }), "linkId:"),
        (json!({ "partnerId": mia, "amount": 0, "currency": "EUR" }), "amount:"),
        (
            json!({ "partnerId": mia, "amount": 1, "currency": "EURO" }),
            "currency:",
        ),
        (
            json!({ "partnerId": mia, "amount": 1, "currency": "EUR", "at": "soon" }),
            "at:",
        ),
        (
            json!({ "partnerId": mia, "amount": 1, "currency": "EUR", "colour": 1 }),
            "colour:",
        ),
    ] {
        let refused = brand.api().call("POST", "/spend", Some(&body)).refusal(422);
        assert!(refused.starts_with(field), "{refused}");
    }
    let stranger = brand.server.other_brand("Others");
    assert_eq!(stranger.get("/spend"), json!([]));
    assert_eq!(stranger.call("POST", &void, None).status, 404);
}

#[test]
fn campaigns_are_changed_and_archived_but_stay() {
    let brand = Brand::with(&[partner("Mia", 1, 0)]);
    let target = format!("/campaigns/{}", brand.campaign);
    let shown = brand.api().get(&target);
    assert_eq!(
        [&shown["name"], &shown["budget"], &shown["currency"], &shown["end"]],
        [
            &json!("Spring Sale"),
            &json!(1_000_000),
            &json!("USD"),
            &json!("2026-12-01T00:00:00.000Z")
        ]
    );
    assert!(brand.campaign.starts_with("cmp_") && shown["partnerIds"] == json!(brand.partners));
    let change = json!({ "name": "Autumn", "budget": null, "partnerIds": [], "archived": true });
    let changed = brand.api().patch(&target, &change);
    assert_eq!(
        (&changed["budget"], &changed["currency"], &changed["partnerIds"]),
        (&Value::Null, &Value::Null, &json!([]))
    );
    assert_eq!(brand.api().get("/campaigns"), json!([]));
    assert_eq!(
        brand.api().get("/campaigns?showArchived=true&search=autu")[0]["id"],
        shown["id"]
    );
    for (body, field) in [
        (json!({ "end": "2026-10-01" }), "end:"),
        (json!({ "budget": 5 }), "currency:"),
        (json!({ "name": "" }), "name:"),
        (json!({ "partnerIds": ["pn_x"] }), "partnerIds[0]:"),
    ] {
        let refused = brand.api().call("PATCH", &target, Some(&body)).refusal(422);
        assert!(refused.starts_with(field), "{refused}");
    }
    assert_eq!(
        brand.server.other_brand("Others").call("GET", &target, None).status,
        404
    );
    let refused = brand.api().call(
        "POST",
        &format!("{target}/mint"),
        Some(&json!({ "template": { "url": "https://x.example" } })),
    );
    assert!(
        refused.refusal(422).starts_with("partnerIds:"),
        "nobody takes part any more"
    );
}
