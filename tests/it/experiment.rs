//! Experiments: carts, URLs and codes tried out on the followers of one link; who gets which, and what it brought.

use serde_json::{Value, json};

use crate::http::{Client, Request};
use crate::server::{Api, IPHONE, KEY, SECRET, TestServer, delivery, eventually, id_of};

/// Net revenue of the fixture's order.
const REVENUE: i64 = 5382;
const DAY: i64 = 24 * 60 * 60 * 1000;
const BOT: &str = "Googlebot/2.1 (+http://www.google.com/bot.html)";

/// A shop and `/tour`, whose followers get a cart of variant 1 or of variant 2.
struct Shop {
    server: TestServer,
    store: String,
    link: String,
}

/// What a follow of `/tour` led to.
struct Led {
    /// Of the cart: the platform's id 1 or 2, which is the number of the variant as well; 9 is the link's own cart.
    variant: u8,
    /// Empty for those who opted out.
    click_id: String,
    cookie: String,
}

impl Shop {
    fn open() -> Self {
        let server = TestServer::start();
        let api = server.api();
        let store = api.store();
        let cart = |id: u8| json!({ "storeId": store, "items": [{ "variantId": id }] });
        let link = id_of(&api.link(&json!({ "key": "tour", "cart": cart(9), "testVariants": [
            { "percentage": 50, "cart": cart(1), "name": "one" },
            { "percentage": 50, "url": "https://shop.example/cart/2:1?utm_campaign=two" },
        ] })));
        drop(api);
        Self { server, store, link }
    }

    fn api(&self) -> Api<'_> {
        self.server.api()
    }

    fn experiment(&self) -> Value {
        self.api().get(&format!("/links/{}/experiment", self.link))
    }

    fn patch(&self, body: &Value) -> Value {
        self.api().patch(&format!("/links/{}", self.link), body)
    }

    /// A paid order that shows a click.
    fn order(&self, id: usize, click_id: &str) {
        let mut order: Value =
            serde_json::from_str(include_str!("../../fixtures/shopify/orders_paid.json")).expect("JSON");
        order["id"] = json!(10_000 + id);
        order["customer"] = json!({ "id": id });
        order["note_attributes"] = json!([{ "name": "hop_id", "value": click_id }]);
        order["discount_codes"] = json!([]);
        let sent = delivery(&self.store, "orders/paid", &format!("d-{id}"), &order, SECRET);
        assert_eq!(self.server.send(&sent).status, 200);
    }

    /// Waits until the log has counted `count` people's clicks.
    fn counted(&self, count: u64) {
        eventually("the clicks", || (self.api().clicks("") == count).then_some(()));
    }
}

/// Person number `person`, who has an address of his own, follows `/tour`.
fn follow(client: &mut Client, person: usize, headers: &[(&str, &str)]) -> Led {
    let address = format!("10.{}.{}.{}", person >> 16 & 255, person >> 8 & 255, person & 255);
    let request = Request::get("/tour")
        .header("X-Forwarded-For", &address)
        .headers(headers);
    let is_person = !headers.iter().any(|(name, _)| *name == "User-Agent");
    let request = if is_person {
        request.header("User-Agent", IPHONE)
    } else {
        request
    };
    let answer = client.send(&request);
    assert_eq!(answer.status, 303);
    let location = answer.location().to_owned();
    let (_, cart) = location.split_once("/cart/").expect("a cart");
    let click_id = location.split_once("hop_id%5D=").map(|(_, rest)| rest[..32].to_owned());
    Led {
        variant: cart.split(':').next().expect("an id").parse().expect("a number"),
        click_id: click_id.unwrap_or_default(),
        cookie: answer.header("set-cookie").map_or(String::new(), |cookie| {
            cookie.split(';').next().expect("a pair").to_owned()
        }),
    }
}

/// Visitors, clicks, conversions and revenue of a variant.
fn numbers(experiment: &Value, variant: usize) -> [i64; 4] {
    let row = &experiment["variants"][variant - 1];
    ["visitors", "clicks", "conversions", "revenue"].map(|name| row[name].as_i64().unwrap_or_else(|| panic!("{row}")))
}

fn reasons(experiment: &Value) -> String {
    experiment["reasons"].to_string()
}

#[test]
fn two_carts_from_two_thousand_visitors_to_a_winner() {
    const PEOPLE: usize = 4_000;
    let shop = Shop::open();
    let mut client = shop.server.client();
    // A thousand of each, so that no unlucky draw looks like missing visitors: test traffic, which is not counted, tells
    // who will get what.
    let mut wanted = [0, 1_000, 1_000];
    let mut led: Vec<(usize, Led)> = Vec::new();
    for person in 0..PEOPLE {
        let variant = follow(&mut client, person, &[("X-Hopcart-Test", KEY)]).variant;
        if wanted[usize::from(variant)] > 0 {
            wanted[usize::from(variant)] -= 1;
            led.push((person, follow(&mut client, person, &[])));
        }
        if wanted == [0; 3] {
            break;
        }
    }
    assert_eq!(led.len(), 2_000);
    // A minute later: the even ones come back with their cookie from elsewhere, every tenth odd one without it.
    shop.server.clock.advance(60_000);
    let mut again = [0i64; 3];
    for (person, before) in led.iter().filter(|(person, _)| person % 2 == 0 || person % 10 == 1) {
        let after = match person % 2 {
            0 => follow(&mut client, *person + PEOPLE, &[("Cookie", &before.cookie)]),
            _ => follow(&mut client, *person, &[]),
        };
        assert_eq!(after.variant, before.variant, "person {person} keeps the variant");
        again[usize::from(after.variant)] += 1;
    }
    let bot = follow(&mut client, 7 * PEOPLE, &[("User-Agent", BOT)]);
    let opted_out = follow(&mut client, 8 * PEOPLE, &[("Sec-GPC", "1")]);
    let all: i64 = led.len() as i64 + again.iter().sum::<i64>() + 1;
    shop.counted(all.unsigned_abs());
    assert_eq!(
        (bot.variant, opted_out.variant),
        (1, 1),
        "who is not recognised sees the first"
    );

    let of = |variant: u8| {
        led.iter()
            .map(|(_, led)| led)
            .filter(|led| led.variant == variant)
            .collect::<Vec<_>>()
    };
    let (first, second) = (of(1), of(2));
    let mut id = 0;
    let mut order = |led: &Led| {
        id += 1;
        shop.order(id, &led.click_id);
    };
    first.iter().take(99).for_each(|led| order(led));
    second.iter().take(200).for_each(|led| order(led));
    let told = shop.experiment();
    let counted = |people: &[&Led], number: usize| (people.len() as i64, people.len() as i64 + again[number]);
    for (number, people, orders) in [(1, &first, 99), (2, &second, 200)] {
        let (visitors, clicks) = counted(people, number);
        assert_eq!(
            numbers(&told, number),
            [visitors, clicks, orders, orders * REVENUE],
            "{told}"
        );
        let rate = told["variants"][number - 1]["conversionRate"].as_f64().expect("a rate");
        assert!((rate - orders as f64 / visitors as f64).abs() < 1e-12, "{told}");
    }
    assert_eq!((&told["status"], &told["currency"]), (&json!("running"), &json!("EUR")));
    assert_eq!(told["sampleRatio"]["isMismatch"], json!(false), "{told}");
    assert_eq!(told["variants"][0]["name"], json!("one"));
    assert!(
        told["variants"][1]["probabilityToBeBest"].as_f64() > Some(0.999),
        "{told}"
    );
    assert_eq!(told["winner"], Value::Null);
    let why = reasons(&told);
    assert!(
        why.contains("run for 0 days") && why.contains("variant 1 has 99 orders"),
        "{why}"
    );

    // A week alone is not enough, nor is the hundredth order: both are.
    shop.server.clock.advance(7 * DAY);
    let told = shop.experiment();
    assert_eq!(told["winner"], Value::Null);
    assert_eq!(told["reasons"].as_array().map(Vec::len), Some(1), "{told}");
    order(first[99]);
    let told = shop.experiment();
    assert_eq!(
        (&told["winner"]["variant"], &told["reasons"]),
        (&json!(2), &json!([])),
        "{told}"
    );

    // The report has a row a variant, and what belongs to none.
    let row = |key: String| {
        shop.api()
            .report("variant", &key)
            .unwrap_or_else(|| panic!("no row {key}"))
    };
    let two = row(format!("{}/2", shop.link));
    assert_eq!(
        (&two["name"], &two["orders"], &two["netRevenue"], &two["uniqueVisitors"]),
        (
            &json!("tour, variant 2"),
            &json!(200),
            &json!(200 * REVENUE),
            &json!(second.len())
        )
    );
    let none = row("(none)".to_owned());
    assert_eq!(
        (&none["clicks"], &none["orders"]),
        (&json!(1), &json!(0)),
        "the one who opted out"
    );
}

#[test]
fn visitors_that_are_missing_are_noticed() {
    let shop = Shop::open();
    let mut client = shop.server.client();
    let mut counted = [0i64; 3];
    for person in 0..700 {
        // Test traffic tells which variant somebody will get, and is not counted.
        let variant = follow(&mut client, person, &[("X-Hopcart-Test", KEY)]).variant;
        let is_blocked = variant == 1 && person % 2 == 0;
        if !is_blocked {
            assert_eq!(follow(&mut client, person, &[]).variant, variant);
            counted[usize::from(variant)] += 1;
        }
    }
    shop.counted((counted[1] + counted[2]).unsigned_abs());
    let told = shop.experiment();
    assert_eq!([numbers(&told, 1)[0], numbers(&told, 2)[0]], [counted[1], counted[2]]);
    assert_eq!(told["sampleRatio"]["isMismatch"], json!(true), "{told}");
    assert!(told["sampleRatio"]["pValue"].as_f64() < Some(0.001), "{told}");
    assert!(reasons(&told).contains("not split as the percentages say"), "{told}");
}

#[test]
fn what_is_compared_may_be_changed_and_ends() {
    let mut shop = Shop::open();
    let people = 0..200;
    let variants = |shop: &Shop| -> Vec<u8> {
        let mut client = shop.server.client();
        people
            .clone()
            .map(|person| follow(&mut client, person, &[]).variant)
            .collect()
    };
    let before = variants(&shop);
    shop.counted(200);
    // A client that sends back what it read, in the dialect's two fields, and a new name: nothing is drawn anew.
    let link = shop.api().get(&format!("/links/{}", shop.link));
    assert_eq!(
        link["testVariants"][1]["cart"]["items"][0]["variantId"],
        json!("2"),
        "{link}"
    );
    shop.server.clock.advance(1_000);
    let read: Vec<Value> = link["testVariants"]
        .as_array()
        .expect("variants")
        .iter()
        .map(|it| json!({ "url": it["url"], "percentage": it["percentage"].as_f64(), "name": "new" }))
        .collect();
    let same = shop.patch(&json!({ "title": "Tour", "testVariants": read, "testStartedAt": link["testStartedAt"] }));
    assert_eq!(same["testStartedAt"], link["testStartedAt"]);
    assert_eq!(
        (&same["testVariants"][0]["name"], &same["url"]),
        (&json!("new"), &link["url"])
    );
    shop.server.clock.advance(60_000);
    shop.server.restart();
    assert_eq!(variants(&shop), before);

    // Other shares: everybody is drawn anew, and only what follows counts.
    shop.server.clock.advance(60_000);
    let (one, two) = (&read[0]["url"], &read[1]["url"]);
    let changed = shop.patch(&json!({ "testVariants": [
        { "url": one, "percentage": 90 }, { "url": two, "percentage": 10 },
    ] }));
    assert!(
        changed["testStartedAt"].as_str() > link["testStartedAt"].as_str(),
        "{changed}"
    );
    let after = variants(&shop);
    let ones = after.iter().filter(|variant| **variant == 1).count();
    assert!((155..=199).contains(&ones) && after != before, "{ones} of 200");
    shop.counted(600);
    assert_eq!(numbers(&shop.experiment(), 1)[0], ones as i64);

    // Over: the link's own cart; then the brand makes the winner the link's own.
    let end = shop.server.clock.clone();
    let at = |ms: i64| hopcart::domain::outside::Clock::now(&*end).plus_ms(ms).to_string();
    shop.patch(&json!({ "testCompletedAt": at(1_000) }));
    assert!(variants(&shop).iter().all(|variant| *variant != 9));
    shop.server.clock.advance(1_000);
    assert!(variants(&shop).iter().all(|variant| *variant == 9), "the link's own");
    let over = shop.experiment();
    assert_eq!(over["status"], json!("completed"));
    let won = shop.patch(&json!({ "url": two, "testVariants": null }));
    assert_eq!((&won["testVariants"], &won["url"]), (&Value::Null, two));
    assert!(variants(&shop).iter().all(|variant| *variant == 2));
    let gone = shop
        .api()
        .call("GET", &format!("/links/{}/experiment", shop.link), None);
    assert_eq!(gone.status, 404);
    assert_eq!(
        shop.server
            .other_brand("Other")
            .call("GET", &format!("/links/{}/experiment", shop.link), None)
            .status,
        404
    );
}

#[test]
fn codes_are_tried_on_the_links_own_cart_and_follow_it() {
    let shop = Shop::open();
    shop.patch(&json!({ "testVariants": [
        { "percentage": 50, "discountCodes": ["TEN"] }, { "percentage": 50, "discountCodes": ["SHIP"] },
    ] }));
    let locations = |item: &str| {
        let mut found: Vec<String> = Vec::new();
        for person in 0..40 {
            let address = format!("10.9.9.{person}");
            let request = Request::get("/tour")
                .header("User-Agent", IPHONE)
                .header("X-Forwarded-For", &address);
            let location = shop.server.send(&request).location().to_owned();
            let start = location.split('&').next().expect("a start").to_owned();
            assert!(location.contains(item), "{location}");
            found.push(start);
        }
        found.sort();
        found.dedup();
        found
    };
    assert_eq!(
        locations("/cart/9:1"),
        [
            "https://shop.example/cart/9:1?discount=SHIP",
            "https://shop.example/cart/9:1?discount=TEN"
        ]
    );
    let cart = json!({ "storeId": shop.store, "items": [{ "variantId": 8 }] });
    let changed = shop.patch(&json!({ "cart": cart }));
    assert_eq!(
        changed["testVariants"][1]["discountCodes"],
        json!(["SHIP"]),
        "{changed}"
    );
    assert_eq!(locations("/cart/8:1").len(), 2);
    let lost = shop.api().call(
        "PATCH",
        &format!("/links/{}", shop.link),
        Some(&json!({ "url": "https://shop.example/about" })),
    );
    let message = lost.refusal(422);
    assert!(message.starts_with("testVariants[0].discountCodes: "), "{message}");
}

#[test]
fn a_landing_page_keeps_its_variant_at_the_tap() {
    let server = TestServer::start();
    let api = server.api();
    let store = api.store();
    api.products(&store, &[("MUG", "1", Some(5)), ("BOWL", "2", Some(0))]);
    let page = |sku: &str| json!({ "storeId": store, "items": [{ "sku": sku }], "landing": "page" });
    let link = id_of(&api.link(
        &json!({ "key": "tour", "url": "https://shop.example/", "testVariants": [
        { "percentage": 50, "cart": page("MUG") }, { "percentage": 50, "cart": page("BOWL") },
    ] }),
    ));
    let (mut taps, mut sold_out) = (0, 0);
    for person in 0..30 {
        let address = format!("10.9.9.{person}");
        let headers = [("User-Agent", IPHONE), ("X-Forwarded-For", address.as_str())];
        let shown = server.send(&Request::get("/tour").headers(&headers));
        assert_eq!(shown.status, 200);
        let page = shown.text();
        let Some((_, rest)) = page.split_once("name=\"token\" value=\"") else {
            sold_out += 1;
            continue;
        };
        let token = rest.split('"').next().expect("its end");
        let tap = Request::new("POST", "/_/go")
            .headers(&headers)
            .header("Content-Type", "application/x-www-form-urlencoded")
            .body(format!("token={token}&q0=1"));
        let tapped = server.send(&tap);
        assert_eq!(tapped.status, 303, "{}", tapped.text());
        assert!(
            tapped.location().starts_with("https://shop.example/cart/1:1"),
            "{}",
            tapped.location()
        );
        taps += 1;
    }
    assert!(taps > 3 && sold_out > 3, "{taps} {sold_out}");
    let told = eventually("the taps", || {
        let told = api.get(&format!("/links/{link}/experiment"));
        (told["variants"][0]["checkoutTaps"] == json!(taps)).then_some(told)
    });
    assert_eq!((numbers(&told, 1)[0], numbers(&told, 2)[0]), (taps, sold_out));
    assert_eq!(told["variants"][1]["checkoutTaps"], json!(0));
}

#[test]
fn bad_variants_are_named() {
    let shop = Shop::open();
    let good = json!({ "url": "https://a.example/", "percentage": 50 });
    let with = |name: &str, value: Value| {
        let mut variant = good.clone();
        variant[name] = value;
        variant
    };
    let codes = |value: Value| json!({ "percentage": 50, "discountCodes": value });
    let cart = json!({ "storeId": "store_none", "items": [{ "variantId": 1 }] });
    let long = "https://shop.example/cart/".to_owned() + &"44017000000000:1,".repeat(200) + "1:1";
    for (variants, start) in [
        (json!([good]), "testVariants: must have 2 to 8"),
        (json!(vec![good.clone(); 9]), "testVariants: must have 2 to 8"),
        (
            json!([good, with("percentage", json!(49))]),
            "testVariants: must have percentages that add up to 100",
        ),
        (
            json!([good, with("percentage", json!(0))]),
            "testVariants[1].percentage: must be a whole number",
        ),
        (
            json!([with("percentage", json!(100)), good]),
            "testVariants[0].percentage: ",
        ),
        (
            json!([good, with("percentage", json!(50.5))]),
            "testVariants[1].percentage: ",
        ),
        (
            json!([good, with("percentage", json!("50"))]),
            "testVariants[1].percentage: ",
        ),
        (
            json!([good, with("url", json!("javascript:alert(1)"))]),
            "testVariants[1].url: ",
        ),
        (json!([good, with("url", json!(long))]), "testVariants[1].url"),
        (
            json!([good, with("cart", cart.clone())]),
            "testVariants[1].cart.storeId: ",
        ),
        (
            json!([
                good,
                with(
                    "cart",
                    json!({ "storeId": shop.store, "items": [{ "variantId": "x" }] })
                )
            ]),
            "testVariants[1].cart.items[0].variantId: ",
        ),
        (
            json!([good, with("cart", json!({ "storeId": shop.store, "items": [{}] }))]),
            "testVariants[1].cart.items[0].sku: ",
        ),
        (
            json!([good, with("name", json!("x".repeat(101)))]),
            "testVariants[1].name: ",
        ),
        (
            json!([good, with("discountCodes", json!(["A"]))]),
            "testVariants[1].discountCodes: ",
        ),
        (
            json!([good, codes(json!(["A B"]))]),
            "testVariants[1].discountCodes[0]: ",
        ),
        (json!([good, { "percentage": 50 }]), "testVariants[1].url: is required"),
        (json!([good, with("color", json!("red"))]), "testVariants[1].color: "),
    ] {
        for (method, target, body) in [
            (
                "POST",
                "/links".to_owned(),
                json!({ "url": "https://a.example/", "cart": { "storeId": shop.store,
                "items": [{ "variantId": 1 }] }, "testVariants": variants }),
            ),
            (
                "PATCH",
                format!("/links/{}", shop.link),
                json!({ "testVariants": variants }),
            ),
        ] {
            let refused = shop.api().call(method, &target, Some(&body)).refusal(422);
            assert!(refused.starts_with(start), "{method} {variants}: {refused}");
        }
    }
    let plain = json!({ "url": "https://a.example/" });
    for (field, value, start) in [
        ("testStartedAt", json!("soon"), "testStartedAt: must be an instant"),
        (
            "testCompletedAt",
            json!("2026-11-22T00:00:00Z"),
            "testCompletedAt: goes with testVariants",
        ),
    ] {
        let mut body = plain.clone();
        body[field] = value;
        let refused = shop.api().call("POST", "/links", Some(&body)).refusal(422);
        assert!(refused.starts_with(start), "{refused}");
    }
    let past = json!({ "testCompletedAt": "2020-01-01T00:00:00Z" });
    let refused = shop
        .api()
        .call("PATCH", &format!("/links/{}", shop.link), Some(&past))
        .refusal(422);
    assert!(
        refused.starts_with("testCompletedAt: must be after testStartedAt"),
        "{refused}"
    );
    // Many at once: each stands or falls by itself, and codes need a cart of the link's own.
    let made = shop.api().post(
        "/links/bulk",
        &json!([
            { "url": "https://a.example/", "testVariants": [good, good] },
            { "url": "https://a.example/", "testVariants": [good, codes(json!(["A"]))] },
            { "url": "https://a.example/", "testVariants": [] },
        ]),
    );
    assert_eq!(
        made[0]["testVariants"][0],
        json!({ "url": "https://a.example/", "percentage": 50, "name": null })
    );
    let error = made[1]["error"].as_str().expect("an error");
    assert!(
        error.starts_with("testVariants[1].discountCodes: goes with a link that has a cart"),
        "{error}"
    );
    assert_eq!(made[2]["testVariants"], Value::Null, "{made}");
}
