//! Who is credited and why, over real sockets: journeys and models, windows and precedence, codes that leaked, held
//! credits, creators who buy themselves, and lists of orders.

use serde_json::{Value, json};

use crate::http::Request;
use crate::server::{Api, IPHONE, KEY, SECRET, TestServer, delivery, id_of};

const DAY: i64 = 24 * 60 * 60 * 1000;

/// A brand with Mia and Ben, a cart link and a code each, on a Shopify store; the clock shows the day of the fixtures.
struct Brand {
    server: TestServer,
    store: String,
    mia: String,
    ben: String,
    orders: std::cell::Cell<u32>,
}

impl Brand {
    fn new() -> Self {
        let server = TestServer::start();
        server.clock.advance(-DAY);
        let api = server.api();
        let store = api.store();
        let [mia, ben] = ["Mia", "Ben"].map(|name| {
            let body = json!({ "name": name, "email": format!("{name}@brand.example") });
            id_of(&api.post("/partners", &body))
        });
        for (key, partner) in [("mia", &mia), ("ben", &ben)] {
            api.link(&json!({ "key": key, "partnerId": partner,
                "cart": { "storeId": store, "items": [{ "variantId": 1 }] } }));
            api.code(&format!("{}10", key.to_uppercase()), partner);
        }
        drop(api);
        Self {
            server,
            store,
            mia,
            ben,
            orders: std::cell::Cell::new(0),
        }
    }

    fn api(&self) -> Api<'_> {
        self.server.api()
    }

    /// A follow with this cookie; the click id and the next cookie.
    fn tap(&self, key: &str, cookie: &str) -> (String, String) {
        let request = Request::get(&format!("/{key}"))
            .header("User-Agent", IPHONE)
            .header("Cookie", cookie);
        let answer = self.server.send(&request);
        let location = answer.location().to_owned();
        let from = location.find("hop_id%5D=").expect("a click id") + "hop_id%5D=".len();
        let cookie = answer.cookie().split(';').next().unwrap_or_default().to_owned();
        (location[from..from + 32].to_owned(), cookie)
    }

    /// The shop tells of a paid order; its public id.
    fn order(&self, click: Option<&str>, codes: &[&str], customer: Option<u64>) -> String {
        self.orders.set(self.orders.get() + 1);
        let number = self.orders.get();
        let text = include_str!("../../fixtures/shopify/orders_paid.json");
        let mut order: Value = serde_json::from_str(text).expect("JSON");
        order["id"] = json!(number);
        order["processed_at"] = json!(format!("2026-11-20T10:{number:02}:00Z"));
        order["note_attributes"] = match click {
            Some(click) => json!([{ "name": "hop_id", "value": click }]),
            None => json!([]),
        };
        order["discount_codes"] = codes.iter().map(|code| json!({ "code": code })).collect();
        order["customer"] = customer.map_or(Value::Null, |id| json!({ "id": id }));
        let sent = delivery(&self.store, "orders/paid", &format!("d{number}"), &order, SECRET);
        assert_eq!(self.server.send(&sent).status, 200);
        let newest = self.api().get("/orders?pageSize=100");
        let told = newest.as_array().expect("orders").iter();
        let external_id = number.to_string();
        let found = told.clone().find(|order| order["externalId"] == external_id.as_str());
        id_of(found.unwrap_or_else(|| panic!("no order {number}: {newest}")))
    }

    fn journey(&self, id: &str) -> Value {
        self.api().get(&format!("/orders/{id}/journey"))
    }
}

/// State, what decided and who is credited.
fn credit(order: &Value) -> (String, String, String) {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let credit = &order["credit"];
    (text(&credit["state"]), text(&credit["by"]), text(&credit["partnerId"]))
}

fn stands(state: &str, by: &str, partner: &str) -> (String, String, String) {
    (state.to_owned(), by.to_owned(), partner.to_owned())
}

#[test]
fn a_journey_tells_all_and_models_share_it_out() {
    let brand = Brand::new();
    let (_, cookie) = brand.tap("ben", "");
    brand.server.clock.advance(30_000);
    // The order overtakes its click on the way into the log.
    let (click, _) = brand.tap("mia", &cookie);
    let id = brand.order(Some(&click), &[], Some(7));
    let told = brand.journey(&id);
    assert_eq!(credit(&told), stands("credited", "click", &brand.mia));
    assert_eq!(told["credit"]["reason"], "Click: This decided who is credited.");
    assert_eq!(told["program"]["attributionWindowDays"], 30);
    let evidence = &told["evidence"][0];
    assert_eq!((&evidence["clickId"], &evidence["used"]), (&json!(click), &json!(true)));
    let touches = told["touches"].as_array().expect("touches");
    let kinds: Vec<_> = touches
        .iter()
        .map(|touch| (&touch["kind"], &touch["partnerId"]))
        .collect();
    let (ben, mia) = (json!(brand.ben), json!(brand.mia));
    assert_eq!(kinds, [(&json!("follow"), &ben), (&json!("click"), &mia)]);
    for (model, expected) in [("last", [0, 5382]), ("first", [5382, 0]), ("linear", [2691, 2691])] {
        let shares = [0, 1].map(|place| touches[place]["shares"][model]["revenue"].as_i64().expect("cents"));
        assert_eq!(shares, expected, "{model}");
    }
    let one = brand.api().get(&format!("/orders/{id}/journey?model=position"));
    assert_eq!(one["touches"][0]["shares"].as_object().expect("shares").len(), 1);

    let rows = |model: &str| {
        let rows = brand
            .api()
            .get(&format!("/reports/performance?interval=all&model={model}"));
        let row = |id: &str| {
            let rows = rows.as_array().expect("rows").iter();
            let row = rows.clone().find(|row| row["key"] == id).cloned().unwrap_or_default();
            (row["orders"].clone(), row["grossRevenue"].clone())
        };
        [row(&brand.ben), row(&brand.mia)]
    };
    assert_eq!(rows("last"), [(json!(0), json!(0)), (json!(1), json!(5382))]);
    assert_eq!(rows("linear"), [(json!(0.5), json!(2691)), (json!(0.5), json!(2691))]);
    brand.api().patch("/program", &json!({ "model": "first" }));
    assert_eq!(brand.api().report("creator", &brand.ben).expect("Ben")["orders"], 1);

    // A link that changes hands later changes no order.
    let link = brand.api().get("/links/info?domain=&key=mia");
    brand
        .api()
        .patch(&format!("/links/{}", id_of(&link)), &json!({ "partnerId": brand.ben }));
    assert_eq!(brand.journey(&id)["touches"], told["touches"]);
}

#[test]
fn the_brand_orders_the_evidence_and_sets_windows() {
    let brand = Brand::new();
    let usual = brand.api().get("/program");
    assert_eq!(
        usual["evidenceOrder"],
        json!(["single_use_code", "creator_code", "click", "customer"])
    );
    let (click, _) = brand.tap("mia", "");
    // Ben is followed as well: his code is not odd.
    brand.tap("ben", "");
    let by_code = brand.order(Some(&click), &["ben10"], Some(1));
    assert_eq!(
        credit(&brand.journey(&by_code)),
        stands("credited", "creator_code", &brand.ben)
    );
    brand.api().patch(
        "/program",
        &json!({ "evidenceOrder": ["click", "creator_code"], "attributionWindowDays": 2 }),
    );
    let by_click = brand.order(Some(&click), &["BEN10"], Some(1));
    assert_eq!(
        credit(&brand.journey(&by_click)),
        stands("credited", "click", &brand.mia)
    );
    assert_eq!(
        credit(&brand.journey(&by_code)).1,
        "creator_code",
        "the past keeps its program"
    );
    for (body, words) in [
        (json!({ "attributionWindowDays": 0 }), "attributionWindowDays"),
        (json!({ "customerWindowDays": 366 }), "customerWindowDays"),
        (json!({ "evidenceOrder": [] }), "evidenceOrder"),
        (json!({ "evidenceOrder": ["click", "click"] }), "evidenceOrder"),
        (json!({ "evidenceOrder": ["luck"] }), "evidenceOrder[0]"),
        (json!({ "model": "best" }), "model"),
        (json!({ "colour": 1 }), "colour"),
    ] {
        let refusal = brand.api().call("PATCH", "/program", Some(&body)).refusal(422);
        assert!(refusal.contains(words), "{refusal}");
    }
    let other = brand.server.other_brand("Other");
    assert_eq!(other.get("/program")["attributionWindowDays"], 30);
    assert_eq!(other.call("GET", &format!("/orders/{by_code}"), None).status, 404);
}

#[test]
fn credit_for_a_leaked_code_waits_for_the_brand() {
    let brand = Brand::new();
    brand.tap("mia", "");
    let codes = brand.api().get("/discount-codes");
    let code = codes
        .as_array()
        .expect("codes")
        .iter()
        .find(|code| code["code"] == "MIA10");
    let code = id_of(code.expect("Mia's code"));
    let marked = brand
        .api()
        .patch(&format!("/discount-codes/{code}"), &json!({ "leaked": true }));
    assert_eq!(marked["leakSignal"], "reported");
    let held = [1, 2].map(|customer| brand.order(None, &["MIA10"], Some(customer)));
    let listed = brand.api().get("/orders?credit=held");
    assert_eq!(listed.as_array().expect("orders").len(), 2, "{listed}");
    assert_eq!(listed[0]["credit"]["heldFor"], json!(brand.mia));
    let told = brand.journey(&held[0]);
    assert_eq!(credit(&told), stands("held", "creator_code", "-"));
    assert_eq!(told["flags"], json!(["leaked_code"]));
    let rule = |id: &str, decision: &str| {
        let path = format!("/orders/{id}/credit");
        brand.api().post(&path, &json!({ "decision": decision }))
    };
    for _ in 0..2 {
        assert_eq!(
            credit(&rule(&held[0], "release")),
            stands("credited", "creator_code", &brand.mia)
        );
    }
    assert_eq!(credit(&rule(&held[1], "refuse")), stands("none", "-", "-"));
    assert_eq!(brand.journey(&held[1])["evidence"][0]["why"], "refused");
    assert_eq!(brand.api().get("/orders?credit=held"), json!([]));

    // A click id goes before it; Ben's code, whom nobody follows, is odd by itself.
    let (click, _) = brand.tap("mia", "");
    let backed = brand.order(Some(&click), &["MIA10"], Some(3));
    assert_eq!(credit(&brand.journey(&backed)), stands("credited", "click", &brand.mia));
    let odd = brand.order(None, &["BEN10"], Some(4));
    assert_eq!(brand.journey(&odd)["evidence"][0]["leakSignals"], json!(["no_clicks"]));
    let path = format!("/orders/{backed}/credit");
    let body = json!({ "decision": "release" });
    assert_eq!(brand.api().call("POST", &path, Some(&body)).status, 409);
    let body = json!({ "decision": "maybe" });
    let refusal = brand.api().call("POST", &path, Some(&body)).refusal(422);
    assert!(refusal.starts_with("decision"), "{refusal}");
    let trusted = brand
        .api()
        .patch(&format!("/discount-codes/{code}"), &json!({ "leaked": false }));
    assert_eq!(
        (&trusted["leakSignal"], &trusted["trusted"]),
        (&Value::Null, &json!(true))
    );
    let fine = brand.order(None, &["MIA10"], Some(5));
    assert_eq!(credit(&brand.journey(&fine)).0, "credited");
}

#[test]
fn a_customer_stays_with_who_brought_them_until_the_window_ends() {
    let brand = Brand::new();
    brand.tap("mia", "");
    let first = brand.order(None, &["MIA10"], Some(9));
    let second = brand.order(None, &[], Some(9));
    let told = brand.journey(&second);
    assert_eq!(credit(&told), stands("credited", "customer", &brand.mia));
    assert_eq!(told["evidence"][0]["orderId"], json!(first));
    assert_eq!(credit(&brand.journey(&brand.order(None, &[], Some(10)))).0, "none");
}

#[test]
fn nobody_earns_from_their_own_purchase() {
    let brand = Brand::new();
    brand.tap("mia", "");
    let csv = "orderId,orderedAt,revenue,customerEmail,discountCodes\n\
               77,2026-11-20T10:00:00Z,10.00,mia@BRAND.example,MIA10\n";
    let request = Request::new("POST", &format!("/orders/import?storeId={}", brand.store))
        .header("Authorization", &format!("Bearer {KEY}"))
        .header("Content-Type", "text/csv")
        .body(csv);
    assert_eq!(crate::http::send(brand.server.running().admin, &request).status, 200);
    let listed = brand.api().get("/orders");
    let told = brand.journey(&id_of(&listed[0]));
    assert_eq!(credit(&told), stands("none", "creator_code", "-"));
    assert_eq!(told["evidence"][0]["why"], "self_purchase");
    assert_eq!(told["flags"], json!(["self_purchase"]));

    // A shop that numbers its customers tells the address beside the number.
    let text = include_str!("../../fixtures/shopify/orders_paid.json");
    let mut order: Value = serde_json::from_str(text).expect("JSON");
    order["email"] = json!("MIA@brand.example");
    order["note_attributes"] = json!([]);
    let sent = delivery(&brand.store, "orders/paid", "d1", &order, SECRET);
    assert_eq!(brand.server.send(&sent).status, 200);
    let listed = brand.api().get("/orders?credit=none&pageSize=100");
    let own = listed
        .as_array()
        .expect("orders")
        .iter()
        .filter(|order| order["credit"]["by"] == "creator_code");
    assert_eq!(own.count(), 2, "{listed}");
}

#[test]
fn click_ids_from_hand_to_hand_are_flagged() {
    let brand = Brand::new();
    let (click, _) = brand.tap("mia", "");
    let flags = |id: &str| brand.api().get(&format!("/orders/{id}"))["flags"].clone();
    let first = brand.order(Some(&click), &[], Some(1));
    let again = brand.order(Some(&click), &[], Some(1));
    assert_eq!((flags(&first), flags(&again)), (json!([]), json!(["repeat"])));
    for customer in 2..=4 {
        brand.order(Some(&click), &[], Some(customer));
    }
    assert_eq!(flags(&first), json!(["shared_click"]), "four customers");
    assert_eq!(credit(&brand.journey(&first)), stands("credited", "click", &brand.mia));
}

#[test]
fn orders_are_listed_with_their_lines_and_refunds() {
    let brand = Brand::new();
    let (click, _) = brand.tap("mia", "");
    let ids: Vec<String> = (1..=3)
        .map(|customer| brand.order(Some(&click), &[], Some(customer)))
        .collect();
    let refund: Value = serde_json::from_str(include_str!("../../fixtures/shopify/refunds_create.json")).expect("JSON");
    let mut refund = refund;
    refund["order_id"] = json!(1);
    let sent = delivery(&brand.store, "refunds/create", "r1", &refund, SECRET);
    assert_eq!(brand.server.send(&sent).status, 200);
    let told = brand.api().get(&format!("/orders/{}", ids[0]));
    let refunded = told["refunded"].as_i64().expect("cents");
    assert!(refunded > 0 && told["netRevenue"] == json!(5382 - refunded), "{told}");
    let lines = told["lines"].as_array().expect("lines");
    let by_line: i64 = lines.iter().map(|line| line["refunded"].as_i64().expect("cents")).sum();
    assert_eq!((lines.len(), by_line), (2, refunded));

    let listed = |query: &str| {
        let listed = brand.api().get(&format!("/orders?{query}"));
        let ids: Vec<String> = listed.as_array().expect("orders").iter().map(id_of).collect();
        ids
    };
    let [first, second, third] = [&ids[0], &ids[1], &ids[2]].map(Clone::clone);
    let newest_first = vec![third.clone(), second.clone(), first.clone()];
    assert_eq!(listed(""), newest_first);
    assert_eq!(listed(&format!("partnerId={}", brand.mia)), newest_first);
    assert_eq!(listed(&format!("partnerId={}", brand.ben)), Vec::<String>::new());
    assert_eq!(
        listed(&format!("storeId={}&credit=credited", brand.store)),
        newest_first
    );
    let only_second = std::slice::from_ref(&second);
    assert_eq!(listed("pageSize=1&page=2"), only_second);
    assert_eq!(
        listed(&format!("pageSize=5&startingAfter={third}")),
        [second.clone(), first.clone()]
    );
    assert_eq!(listed(&format!("pageSize=1&endingBefore={first}")), only_second);
    assert_eq!(
        listed("start=2026-11-20T10:02:00Z&end=2026-11-20T10:03:00Z"),
        only_second
    );
    for query in [
        "credit=lost",
        "partnerId=pn_x",
        "linkId=link_x",
        "storeId=store_x",
        "colour=red",
    ] {
        let name = query.split('=').next().expect("a name");
        let refusal = brand.api().call("GET", &format!("/orders?{query}"), None).refusal(422);
        assert!(refusal.starts_with(name), "{refusal}");
    }
    assert_eq!(brand.api().call("GET", "/orders/ord_x/journey", None).status, 404);
}
