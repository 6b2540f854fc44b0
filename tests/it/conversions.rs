//! The dialect's conversions over real sockets: leads and sales from servers and pages, customers, what is counted of
//! them, and what makes a sale the same as a shop's order.

use serde_json::{Value, json};

use crate::http::{Answer, Request};
use crate::server::{Api, IPHONE, NOW, SECRET, TestServer, delivery, eventually, id_of};

const DAY: i64 = 24 * 60 * 60 * 1000;
const PAGE: &str = "https://shop.example";

/// A brand with Mia and Ben, who have a link each; nobody has a shop yet.
struct Brand {
    server: TestServer,
    mia: String,
    ben: String,
    link: String,
}

impl Brand {
    fn new() -> Self {
        let server = TestServer::start();
        let api = server.api();
        let [mia, ben] = ["Mia", "Ben"].map(|name| api.partner(name, "ceramics"));
        let made = [("mia", &mia), ("ben", &ben)].map(|(key, partner)| {
            api.link(&json!({ "key": key, "url": "https://shop.example/", "partnerId": partner }))
        });
        let link = id_of(&made[0]);
        drop(api);
        Self { server, mia, ben, link }
    }

    fn api(&self) -> Api<'_> {
        self.server.api()
    }

    /// A person follows `key`; the click's id.
    fn tap(&self, key: &str) -> String {
        let location = self.server.follow(&format!("/{key}")).location().to_owned();
        let from = location.find("hop_id=").expect("a click id") + "hop_id=".len();
        location[from..from + 32].to_owned()
    }

    fn lead(&self, click: &str, customer: &str) -> Value {
        self.api().post("/track/lead", &lead(click, customer))
    }

    fn sale(&self, customer: &str, amount: i64, more: Value) -> Value {
        self.api().post("/track/sale", &sale(customer, amount, more))
    }

    fn link(&self) -> Value {
        self.api().get(&format!("/links/{}", self.link))
    }

    fn orders(&self) -> Vec<Value> {
        self.api().get("/orders").as_array().expect("orders").clone()
    }

    fn publishable_key(&self) -> String {
        let body = json!({ "name": "Shop", "kind": "publishable", "origins": [PAGE] });
        let issued = self.api().post("/keys", &body);
        issued["key"].as_str().expect("a key").to_owned()
    }

    /// What a page of `origin` sends.
    fn page(&self, kind: &str, key: &str, origin: &str, body: &Value) -> Answer {
        let request = Request::new("POST", &format!("/_/track/{kind}"))
            .header("Authorization", &format!("Bearer {key}"))
            .header("Origin", origin)
            .header("User-Agent", IPHONE)
            .header("Content-Type", "application/json")
            .body(body.to_string());
        self.server.send(&request)
    }
}

fn lead(click: &str, customer: &str) -> Value {
    json!({ "clickId": click, "eventName": "Sign up", "customerExternalId": customer,
        "customerName": "Zoe", "customerEmail": "zoe@mail.example" })
}

fn sale(customer: &str, amount: i64, more: Value) -> Value {
    let mut body = json!({ "customerExternalId": customer, "amount": amount });
    for (name, value) in more.as_object().expect("an object") {
        body[name] = value.clone();
    }
    body
}

/// Leads, conversions, sales and their amount, as links and partners show them.
fn counts(link: &Value) -> [i64; 4] {
    ["leads", "conversions", "sales", "saleAmount"]
        .map(|name| link[name].as_i64().unwrap_or_else(|| panic!("no {name}: {link}")))
}

#[test]
fn a_lead_and_its_sales_are_counted_once_and_credited() {
    let brand = Brand::new();
    let click = brand.tap("mia");
    let first = brand.lead(&click, "u1");
    assert_eq!(first["click"]["id"], json!(click));
    assert_eq!(
        (&first["link"]["id"], &first["link"]["partnerId"]),
        (&json!(brand.link), &json!(brand.mia))
    );
    assert_eq!(first["customer"]["externalId"], "u1");
    assert_eq!(brand.lead(&click, "u1"), first, "of one event once");
    let invoice = json!({ "invoiceId": "inv_1", "currency": "eur", "metadata": { "plan": "pro" },
        "paymentProcessor": "stripe" });
    let sold = brand.sale("u1", 4900, invoice.clone());
    assert_eq!(
        sold["sale"],
        json!({ "amount": 4900, "currency": "eur", "paymentProcessor": "stripe", "invoiceId": "inv_1",
            "metadata": { "plan": "pro" } })
    );
    assert_eq!(
        (&sold["eventName"], &sold["customer"]["name"]),
        (&json!("Purchase"), &json!("Zoe"))
    );
    let again = json!({ "invoiceId": "inv_1", "currency": "usd", "eventName": "Renewal" });
    assert_eq!(
        brand.sale("u2", 9900, again),
        sold,
        "an invoice answers as the first time"
    );
    brand.sale("u1", 100, json!({ "currency": "EUR" }));

    let orders = brand.orders();
    assert_eq!(orders.len(), 2, "{orders:?}");
    for order in &orders {
        assert_eq!(
            (
                &order["credit"]["by"],
                &order["credit"]["partnerId"],
                &order["credit"]["linkId"]
            ),
            (&json!("click"), &json!(brand.mia), &json!(brand.link))
        );
    }
    assert_eq!(counts(&brand.link()), [1, 1, 2, 5000]);
    let partners = brand.api().get("/partners");
    let mia = partners
        .as_array()
        .expect("partners")
        .iter()
        .find(|one| one["id"] == json!(brand.mia));
    let mia = mia.expect("Mia");
    assert_eq!(
        (&mia["totalLeads"], &mia["totalSales"], &mia["totalSaleAmount"]),
        (&json!(1), &json!(2), &json!(5000))
    );
    assert_eq!(counts(&mia["links"][0]), [1, 1, 2, 5000]);
    let report = brand.api().report("creator", &brand.mia).expect("Mia's row");
    assert_eq!((&report["orders"], &report["grossRevenue"]), (&json!(2), &json!(5000)));
}

#[test]
fn leads_and_sales_are_asked_about_as_clicks_are() {
    let brand = Brand::new();
    let clicks = [brand.tap("mia"), brand.tap("ben")];
    eventually("two clicks", || (brand.api().clicks("") == 2).then_some(()));
    brand.lead(&clicks[0], "u1");
    brand.lead(&clicks[1], "u2");
    brand.server.clock.advance(1000);
    brand.sale("u1", 4000, json!({ "invoiceId": "a" }));
    brand.server.clock.advance(1000);
    brand.sale("u1", 500, json!({ "invoiceId": "b" }));
    brand.sale("u2", 5000, json!({ "invoiceId": "c" }));
    let ask = |query: &str| brand.api().get(&format!("/analytics?interval=all&{query}"));
    assert_eq!(ask("event=leads"), json!({ "leads": 2 }));
    let sales = ask("event=sales");
    assert_eq!(
        (&sales["sales"], &sales["saleAmount"], &sales["currency"]),
        (&json!(3), &json!(9500), &json!("USD"))
    );
    let all = ask("event=composite");
    assert_eq!(
        ["clicks", "leads", "sales", "saleAmount"].map(|name| all[name].as_i64()),
        [2, 2, 3, 9500].map(Some)
    );
    assert_eq!(ask("event=sales&saleType=recurring")["sales"], 1);
    assert_eq!(ask(&format!("event=sales&partnerId={}", brand.ben))["saleAmount"], 5000);
    assert_eq!(
        ask(&format!("event=sales&partnerId=-{}", brand.ben))["saleAmount"],
        4500
    );
    assert_eq!(ask(&format!("event=leads&linkId={}", brand.link))["leads"], 1);
    assert_eq!(ask("event=sales&customerId=ext_u1")["sales"], 2);
    assert_eq!(ask("event=sales&device=Mobile")["sales"], 3);
    assert_eq!(ask("event=sales&device=-Mobile")["sales"], 0);
    let keys = |query: &str| {
        let rows = ask(&format!("groupBy=top_links&{query}"));
        let rows = rows.as_array().expect("rows").clone();
        rows.into_iter()
            .map(|row| (row["key"].clone(), row["sales"].clone()))
            .collect::<Vec<_>>()
    };
    let row = |key: &str, sales: u64| (json!(key), json!(sales));
    assert_eq!(keys("event=sales"), [row("ben", 1), row("mia", 2)], "by amount");
    assert_eq!(keys("event=sales&saleUnit=sales"), [row("mia", 2), row("ben", 1)]);
    let devices = ask("event=composite&groupBy=devices");
    assert_eq!(
        devices,
        json!([{ "device": "Mobile", "clicks": 2, "leads": 2, "sales": 3, "saleAmount": 9500 }])
    );
    let partners = ask("event=sales&groupBy=top_partners");
    assert_eq!(
        (&partners[0]["partner"]["name"], &partners[0]["saleAmount"]),
        (&json!("Ben"), &json!(5000))
    );
    let steps = brand
        .api()
        .get("/analytics?interval=24h&event=sales&groupBy=timeseries");
    let sum: i64 = steps
        .as_array()
        .expect("steps")
        .iter()
        .filter_map(|step| step["saleAmount"].as_i64())
        .sum();
    assert_eq!(sum, 9500);

    let events = |query: &str| brand.api().get(&format!("/events?interval=all&{query}"));
    let told = events("event=sales");
    let invoices = |rows: &Value| {
        let rows = rows.as_array().expect("rows").iter();
        rows.map(|row| row["invoice_id"].as_str().expect("an id").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(invoices(&told), ["c", "b", "a"]);
    let oldest = &told[2];
    assert_eq!(
        (
            &oldest["event"],
            &oldest["sale"]["amount"],
            &oldest["customer"]["externalId"],
            &oldest["click"]["device"]
        ),
        (&json!("sale"), &json!(4000), &json!("u1"), &json!("Mobile"))
    );
    assert_eq!(
        (&oldest["click_id"], &oldest["source"]),
        (&json!(clicks[0]), &json!("server"))
    );
    let from = told[0]["eventId"].as_str().expect("an id");
    assert_eq!(
        invoices(&events(&format!("event=sales&startingAfter={from}&limit=1"))),
        ["b"]
    );
    assert_eq!(invoices(&events("event=sales&page=2&limit=2")), ["a"]);
    let leads = events("event=leads&sortOrder=asc");
    assert_eq!(
        (
            &leads[0]["eventName"],
            &leads[0]["link"]["key"],
            &leads[1]["link"]["key"]
        ),
        (&json!("Sign up"), &json!("mia"), &json!("ben"))
    );
}

#[test]
fn who_brought_a_customer_is_credited_while_the_window_lasts() {
    let brand = Brand::new();
    brand.api().patch("/program", &json!({ "customerWindowDays": 60 }));
    let lead = brand.lead(&brand.tap("mia"), "u1");
    brand.server.clock.advance(40 * DAY);
    brand.sale("u1", 700, json!({ "invoiceId": "later" }));
    let order = id_of(&brand.orders()[0]);
    let told = brand.api().get(&format!("/orders/{order}/journey"));
    let credit = &told["credit"];
    assert_eq!(
        (&credit["by"], &credit["partnerId"], &credit["linkId"]),
        (&json!("customer"), &json!(brand.mia), &lead["link"]["id"])
    );
    let piece = told["evidence"]
        .as_array()
        .expect("evidence")
        .iter()
        .find(|piece| piece["kind"] == "customer");
    let lead_id = piece.expect("the lead")["leadId"].as_str().expect("an id");
    assert!(lead_id.starts_with("evt_"), "{told}");
    assert_eq!(counts(&brand.link()), [1, 1, 1, 700]);

    // A sale that names a click of its own goes by it.
    let click = brand.tap("ben");
    brand.sale("u1", 300, json!({ "clickId": click }));
    assert_eq!(brand.orders()[0]["credit"]["partnerId"], json!(brand.ben));
    brand.server.clock.advance(80 * DAY);
    brand.sale("u1", 200, json!({}));
    assert_eq!(brand.orders()[0]["credit"]["state"], "none", "nobody for ever");
}

#[test]
fn what_is_not_known_is_answered_as_the_dialect_does() {
    let brand = Brand::new();
    let click = brand.tap("mia");
    let nothing = json!({ "eventName": "Purchase", "customer": null, "sale": null });
    assert_eq!(brand.sale("nobody", 500, json!({})), nothing);
    assert_eq!(brand.sale("nobody", 0, json!({ "clickId": click })), nothing);
    assert_eq!(brand.sale("nobody", -5, json!({ "clickId": click })), nothing);
    let status = |path: &str, body: &Value| brand.api().call("POST", path, Some(body)).status;
    let mut forged = click.clone().into_bytes();
    forged[31] = if forged[31] == b'a' { b'b' } else { b'a' };
    let forged = String::from_utf8(forged).expect("ascii");
    for click in [forged.as_str(), "", "x"] {
        assert_eq!(status("/track/lead", &lead(click, "u1")), 404, "{click}");
    }
    assert_eq!(status("/track/sale", &sale("u1", 5, json!({ "clickId": forged }))), 404);
    let other = brand.server.other_brand("Other");
    assert_eq!(other.call("POST", "/track/lead", Some(&lead(&click, "u1"))).status, 404);

    // Deferred: the customer now, the lead when it is told, and no sale before it.
    let mut deferred = lead(&click, "u1");
    deferred["mode"] = json!("deferred");
    brand.api().post("/track/lead", &deferred);
    assert_eq!(counts(&brand.link())[0], 0);
    let refusal = brand.api().call("POST", "/track/sale", Some(&sale("u1", 5, json!({}))));
    assert_eq!(refusal.status, 404, "{}", refusal.text());
    let told = brand.lead("", "u1");
    assert_eq!(told["click"]["id"], json!(click), "the click that brought the customer");
    assert_eq!(
        status("/track/sale", &sale("u1", 5, json!({ "leadEventName": "Demo" }))),
        404
    );
    assert_eq!(
        brand.sale("u1", 5, json!({ "leadEventName": "Sign up" }))["sale"]["amount"],
        5
    );
    assert_eq!(counts(&brand.link()), [1, 1, 1, 5]);

    // A first sale with a click brings its lead along.
    brand.sale("u2", 7, json!({ "clickId": click, "customerName": "Kim" }));
    assert_eq!(counts(&brand.link()), [2, 2, 2, 12]);
    brand
        .api()
        .patch(&format!("/links/{}", brand.link), &json!({ "disabled": true }));
    assert_eq!(status("/track/lead", &lead(&click, "u3")), 404, "a disabled link");
}

#[test]
fn fields_that_cannot_be_are_named_in_the_dialects_envelope() {
    let brand = Brand::new();
    for (path, body, field) in [
        (
            "/track/sale",
            json!({ "customerExternalId": "u1", "amount": 1.5 }),
            "amount",
        ),
        ("/track/sale", json!({ "customerExternalId": "u1" }), "amount"),
        (
            "/track/sale",
            json!({ "customerExternalId": "u1", "amount": 5, "currency": "moons" }),
            "currency",
        ),
        (
            "/track/sale",
            json!({ "customerExternalId": "u1", "amount": 5, "storeId": "store_x", "clickId": "x" }),
            "",
        ),
        (
            "/track/lead",
            json!({ "clickId": "x", "eventName": "y" }),
            "customerExternalId",
        ),
        (
            "/track/lead",
            json!({ "clickId": "x", "eventName": "y", "customerExternalId": "u1",
                "metadata": { "a": "x".repeat(10_000) } }),
            "metadata",
        ),
        (
            "/track/lead",
            json!({ "clickId": "x", "eventName": "y", "customerExternalId": "u1", "mode": "later" }),
            "mode",
        ),
        ("/track/click", json!({ "key": "mia", "ip": "home" }), "ip"),
        ("/track/click", json!({}), "key"),
        ("/keys", json!({ "name": "x", "kind": "publishable" }), "origins"),
        (
            "/keys",
            json!({ "name": "x", "kind": "publishable", "origins": ["https://a.example/x"] }),
            "origins[0]",
        ),
        (
            "/keys",
            json!({ "name": "x", "origins": ["https://a.example"] }),
            "origins",
        ),
        (
            "/stores",
            json!({ "name": "x", "provider": "api", "baseUrl": "https://a.example", "currency": "EUR" }),
            "provider",
        ),
    ] {
        let answer = brand.api().call("POST", path, Some(&body));
        if field.is_empty() {
            assert_eq!(answer.status, 404, "{path} {body}");
            continue;
        }
        let message = answer.refusal(422);
        assert!(message.starts_with(&format!("{field}: ")), "{path} {body}: {message}");
    }
}

/// The shop tells of order `id` of 53.82 EUR.
fn webhook(store: &str, id: u64) -> Request {
    let text = include_str!("../../fixtures/shopify/orders_paid.json");
    let mut order: Value = serde_json::from_str(text).expect("JSON");
    order["id"] = json!(id);
    order["note_attributes"] = json!([]);
    order["discount_codes"] = json!([]);
    order["landing_site"] = json!("/");
    delivery(store, "orders/paid", &format!("d{id}"), &order, SECRET)
}

#[test]
fn an_invoice_that_is_a_shops_order_is_counted_once_whichever_comes_first() {
    let brand = Brand::new();
    let store = brand.api().store();
    brand.lead(&brand.tap("mia"), "u1");
    let tell = |id: &str, amount: i64| brand.sale("u1", amount, json!({ "invoiceId": id, "currency": "EUR" }));
    assert_eq!(brand.server.send(&webhook(&store, 1)).status, 200);
    tell("1", 9999);
    tell("2", 9999);
    assert_eq!(brand.server.send(&webhook(&store, 2)).status, 200);
    let orders = brand.orders();
    assert_eq!(orders.len(), 2, "{orders:?}");
    for order in &orders {
        assert_eq!(
            (&order["revenue"], &order["storeId"], &order["credit"]["partnerId"]),
            (&json!(5382), &json!(store), &json!(brand.mia)),
            "the shop's word on money, the lead's on credit"
        );
    }
    assert_eq!(counts(&brand.link())[2..], [2, 2 * 5382]);

    // Of another currency, or once there are two shops, a sale is the shop's only where it says so.
    brand.sale("u1", 100, json!({ "invoiceId": "3" }));
    brand.api().store();
    assert_eq!(brand.server.send(&webhook(&store, 4)).status, 200);
    tell("4", 5382);
    let stores: Vec<String> = brand
        .orders()
        .iter()
        .map(|order| order["storeId"].to_string())
        .collect();
    assert_eq!(stores.len(), 5, "{stores:?}");
    let named = json!({ "invoiceId": "5", "currency": "EUR", "storeId": store });
    brand.sale("u1", 5382, named);
    assert_eq!(brand.server.send(&webhook(&store, 5)).status, 200);
    assert_eq!(brand.orders().len(), 6);
    let wrong = sale(
        "u1",
        5,
        json!({ "invoiceId": "6", "currency": "USD", "storeId": store }),
    );
    let message = brand.api().call("POST", "/track/sale", Some(&wrong)).refusal(422);
    assert!(message.starts_with("currency: must be EUR"), "{message}");
}

#[test]
fn who_brought_the_customer_is_found_also_where_the_sale_tells_nothing_else() {
    let brand = Brand::new();
    let store = brand.api().store();
    let click = brand.tap("mia");
    brand.lead(&click, "u1");
    let program = json!({ "evidenceOrder": ["creator_code", "customer"] });
    brand.api().patch("/program", &program);
    let text = include_str!("../../fixtures/shopify/orders_paid.json");
    let mut order: Value = serde_json::from_str(text).expect("JSON");
    order["id"] = json!(8);
    for at in ["created_at", "processed_at", "updated_at"] {
        order[at] = json!(NOW);
    }
    order["note_attributes"] = json!([{ "name": "hop_id", "value": click }]);
    order["discount_codes"] = json!([]);
    let told = delivery(&store, "orders/paid", "d8", &order, SECRET);
    assert_eq!(brand.server.send(&told).status, 200);
    assert_eq!(brand.orders()[0]["credit"]["partnerId"], Value::Null);
    brand.sale(
        "u1",
        1,
        json!({ "invoiceId": "8", "currency": "EUR", "clickId": click }),
    );
    let orders = brand.orders();
    assert_eq!(orders.len(), 1, "{orders:?}");
    assert_eq!(orders[0]["credit"]["partnerId"], json!(brand.mia), "{orders:?}");
}

#[test]
fn what_is_given_back_of_a_sale_is_taken_from_it_once() {
    let brand = Brand::new();
    brand.lead(&brand.tap("mia"), "u1");
    brand.sale("u1", 5000, json!({ "invoiceId": "inv_1", "currency": "EUR" }));
    let stores = brand.api().get("/stores");
    let store = stores
        .as_array()
        .expect("stores")
        .iter()
        .find(|store| store["provider"] == "api");
    let store = id_of(store.expect("a store of its own"));
    let refund = "refundId,refunded,orderId,orderedAt,revenue\nr1,12.50,inv_1,2026-11-21T10:30:00Z,50.00\n";
    for _ in 0..2 {
        let request = Request::new("POST", &format!("/orders/import?storeId={store}"))
            .header("Authorization", &format!("Bearer {}", crate::server::KEY))
            .header("Content-Type", "text/csv")
            .body(refund);
        assert_eq!(crate::http::send(brand.server.running().admin, &request).status, 200);
    }
    assert_eq!(counts(&brand.link()), [1, 1, 1, 3750]);
    let told = brand.api().get("/events?interval=all&event=sales");
    assert_eq!(
        (
            &told[0]["sale"]["amount"],
            &told[0]["sale"]["refunded"],
            &told[0]["saleAmount"]
        ),
        (&json!(5000), &json!(1250), &json!(3750))
    );
}

#[test]
fn customers_are_listed_changed_and_erased_and_their_money_stays() {
    let brand = Brand::new();
    for (customer, key) in [("u1", "mia"), ("u2", "ben"), ("u3", "mia")] {
        brand.lead(&brand.tap(key), customer);
        brand.server.clock.advance(1000);
    }
    brand.sale("u1", 4000, json!({ "invoiceId": "a", "metadata": { "note": "Zoe" } }));
    let list = |query: &str| {
        let rows = brand.api().get(&format!("/customers?{query}"));
        let rows = rows.as_array().expect("rows").clone();
        rows.iter()
            .map(|row| row["externalId"].as_str().expect("an id").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(list(""), ["u3", "u2", "u1"]);
    assert_eq!(list("pageSize=2&page=2"), ["u1"]);
    assert_eq!(list("sortBy=saleAmount&pageSize=1"), ["u1"]);
    assert_eq!(list("externalId=u2"), ["u2"]);
    assert_eq!(list(&format!("linkId={}", brand.link)), ["u3", "u1"]);
    assert_eq!(list(&format!("partnerId={}", brand.ben)), ["u2"]);
    assert_eq!(list("search=u3&email=zoe@mail.example"), ["u3"]);
    let newest = brand.api().get("/customers?pageSize=1");
    assert_eq!(list(&format!("startingAfter={}", id_of(&newest[0]))), ["u2", "u1"]);
    let whole = brand.api().get("/customers/ext_u1?includeExpandedFields=true");
    let id = id_of(&whole);
    assert_eq!(
        (
            &whole["sales"],
            &whole["saleAmount"],
            &whole["link"]["key"],
            &whole["partner"]["name"]
        ),
        (&json!(1), &json!(4000), &json!("mia"), &json!("Mia"))
    );
    let path = format!("/customers/{id}");
    let changed = brand
        .api()
        .patch(&path, &json!({ "name": "Zoë", "email": null, "country": "de" }));
    assert_eq!(
        (&changed["name"], &changed["email"], &changed["country"]),
        (&json!("Zoë"), &Value::Null, &json!("DE"))
    );
    let message = brand
        .api()
        .call("PATCH", &path, Some(&json!({ "email": "x" })))
        .refusal(422);
    assert!(message.starts_with("email: "), "{message}");
    let taken = brand
        .api()
        .call("PATCH", "/customers/ext_u2", Some(&json!({ "externalId": "u3" })));
    assert_eq!(taken.status, 409);
    let other = brand.server.other_brand("Other");
    for method in ["GET", "DELETE"] {
        assert_eq!(other.call(method, &path, None).status, 404);
    }

    let before = (counts(&brand.link()), brand.api().report("creator", &brand.mia));
    assert_eq!(brand.api().call("DELETE", &path, None).json(), json!({ "id": id }));
    assert_eq!(brand.api().call("GET", &path, None).status, 404);
    assert_eq!(
        (counts(&brand.link()), brand.api().report("creator", &brand.mia)),
        before
    );
    let told = brand.api().get("/events?interval=all&event=sales");
    assert_eq!(
        (&told[0]["customer"]["name"], &told[0]["metadata"]),
        (&Value::Null, &Value::Null)
    );
    assert!(
        !told.to_string().contains("Zo") && !told.to_string().contains("u1\""),
        "{told}"
    );
    let again = brand.sale("u1", 1, json!({ "invoiceId": "a" }));
    assert_eq!(
        (&again["customer"], &again["sale"]["amount"]),
        (&Value::Null, &json!(4000))
    );
}

#[test]
fn an_invoice_is_known_for_ever_and_to_its_brand_alone() {
    let mut brand = Brand::new();
    let click = brand.tap("mia");
    brand.lead(&click, "u1");
    let sold = brand.sale("u1", 4000, json!({ "invoiceId": "a" }));
    brand.server.restart();
    brand.server.clock.advance(1000 * DAY);
    assert_eq!(brand.sale("u1", 1, json!({ "invoiceId": "a" })), sold);
    assert_eq!(brand.lead(&click, "u1")["click"]["id"], json!(click));
    assert_eq!(counts(&brand.link()), [1, 1, 1, 4000]);
    let other = brand.server.other_brand("Other");
    let told = other.post("/track/sale", &sale("u1", 1, json!({ "invoiceId": "a" })));
    assert_eq!(told["sale"], Value::Null);
    assert_eq!(other.get("/customers"), json!([]));
    assert_eq!(other.get("/analytics?event=sales&interval=all")["sales"], 0);
}

#[test]
fn pages_tell_with_a_publishable_key_from_allowed_origins_alone() {
    let brand = Brand::new();
    let key = brand.publishable_key();
    assert!(key.starts_with("hop_pk_"), "{key}");
    let click = brand.tap("mia");
    let preflight = |origin: &str| {
        let request = Request::new("OPTIONS", "/_/track/sale")
            .header("Origin", origin)
            .header("Access-Control-Request-Method", "POST")
            .header("Access-Control-Request-Headers", "authorization,content-type");
        brand.server.send(&request)
    };
    let allowed = preflight(PAGE);
    assert_eq!(
        (
            allowed.status,
            allowed.header("access-control-allow-origin"),
            allowed.header("vary")
        ),
        (204, Some(PAGE), Some("Origin"))
    );
    assert_eq!(
        allowed.header("access-control-allow-headers"),
        Some("authorization, content-type")
    );
    for origin in ["https://evil.example", "http://shop.example", "null"] {
        let refused = preflight(origin);
        assert_eq!(
            (refused.status, refused.header("access-control-allow-origin")),
            (403, None),
            "{origin}"
        );
        let refused = brand.page("lead", &key, origin, &lead(&click, "u1"));
        assert_eq!(
            (refused.status, refused.header("access-control-allow-origin")),
            (403, None),
            "{origin}"
        );
    }
    let taken = brand.page("lead", &key, PAGE, &lead(&click, "u1"));
    assert_eq!(
        (taken.status, taken.header("access-control-allow-origin")),
        (200, Some(PAGE)),
        "{}",
        taken.text()
    );
    let wrong = brand.page(
        "sale",
        &key,
        PAGE,
        &json!({ "customerExternalId": "u1", "amount": "x" }),
    );
    assert_eq!(wrong.header("access-control-allow-origin"), Some(PAGE));
    assert!(wrong.refusal(422).starts_with("amount: "));

    // A beacon sets no header.
    let mut beacon = sale("u1", 700, json!({ "invoiceId": "a" }));
    beacon["publishableKey"] = json!(key);
    let request = Request::new("POST", "/_/track/sale")
        .header("Origin", PAGE)
        .header("Content-Type", "text/plain;charset=UTF-8")
        .body(beacon.to_string());
    assert_eq!(brand.server.send(&request).json()["sale"]["amount"], 700);
    let told = brand.api().get("/events?interval=all&event=sales");
    assert_eq!(told[0]["source"], "browser");

    // What the key is not for.
    assert_eq!(brand.server.api_with(&key).call("GET", "/links", None).status, 401);
    assert_eq!(
        brand
            .server
            .api_with(&key)
            .call("POST", "/track/lead", Some(&lead(&click, "u9")))
            .status,
        401
    );
    assert_eq!(
        brand.page("lead", crate::server::KEY, PAGE, &lead(&click, "u9")).status,
        403
    );
    assert_eq!(brand.page("lead", "hop_pk_none", PAGE, &lead(&click, "u9")).status, 401);
    let long = json!({ "a": "x".repeat(70_000) });
    assert_eq!(brand.page("lead", &key, PAGE, &long).status, 413);
    assert_eq!(brand.server.send(&Request::get("/_/track/lead")).status, 405);
    let listed = brand.api().get("/keys");
    let listed = listed
        .as_array()
        .expect("keys")
        .iter()
        .find(|one| one["kind"] == "publishable");
    let listed = listed.expect("the key");
    assert_eq!(listed["origins"], json!([PAGE]));
    brand.api().call("DELETE", &format!("/keys/{}", id_of(listed)), None);
    assert_eq!(brand.page("lead", &key, PAGE, &lead(&click, "u9")).status, 401);
    assert_eq!(preflight(PAGE).status, 403);
}

#[test]
fn what_a_page_tells_makes_no_shops_order_paid_and_shows_no_names() {
    let brand = Brand::new();
    let (store, key) = (brand.api().store(), brand.publishable_key());
    brand.lead(&brand.tap("mia"), "u1");
    let metadata = json!({ "invoiceId": "own", "currency": "EUR", "metadata": { "plan": "pro" } });
    brand.sale("u1", 100, metadata);
    let tell = |customer: &str, invoice: &str| {
        let body = sale(customer, 5382, json!({ "invoiceId": invoice, "currency": "EUR" }));
        brand.page("sale", &key, PAGE, &body).json()
    };
    assert_eq!(tell("u1", "7")["sale"]["amount"], 5382);
    assert_eq!(
        counts(&brand.link())[2..],
        [1, 100],
        "the shop has not said that it was paid"
    );
    assert_eq!(brand.server.send(&webhook(&store, 7)).status, 200);
    assert_eq!(counts(&brand.link())[2..], [2, 5482]);

    let told = brand.page(
        "lead",
        &key,
        PAGE,
        &json!({ "clickId": "", "eventName": "Sign up", "customerExternalId": "u1" }),
    );
    assert_eq!(told.status, 200, "{}", told.text());
    assert!(
        !told.text().contains("Zoe") && !told.text().contains("zoe@"),
        "{}",
        told.text()
    );
    let known = tell("u1", "own");
    assert_eq!(
        (&known["sale"]["amount"], &known["sale"]["metadata"]),
        (&json!(100), &Value::Null)
    );
    assert_eq!(tell("u2", "own")["sale"], Value::Null, "another's invoice");
}

#[test]
fn a_flood_of_conversions_is_put_off_and_counted() {
    let brand = Brand::new();
    let key = brand.publishable_key();
    let click = brand.tap("mia");
    let statuses: Vec<u16> = (0..125)
        .map(|_| brand.page("lead", &key, PAGE, &lead(&click, "u1")).status)
        .collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 120);
    assert_eq!(statuses.last(), Some(&429));
    let metrics = crate::http::send(brand.server.running().admin, &Request::get("/metrics")).text();
    for line in [
        "hopcart_conversions_total{outcome=\"lead\"} 1",
        "hopcart_conversions_total{outcome=\"repeated\"} 119",
        "hopcart_conversions_total{outcome=\"throttled\"} 5",
    ] {
        assert!(metrics.contains(line), "{line}");
    }
    brand.server.clock.advance(60_000);
    assert_eq!(brand.page("lead", &key, PAGE, &lead(&click, "u1")).status, 200);
}

#[test]
fn a_click_that_is_told_is_a_click() {
    let brand = Brand::new();
    let key = brand.publishable_key();
    let domain = brand.server.running().public.to_string();
    let body = json!({ "domain": domain, "key": "mia", "url": "https://shop.example/?utm_source=insta",
        "referrer": "https://www.instagram.com/x" });
    let told = brand.page("click", &key, PAGE, &body);
    assert_eq!(told.status, 200, "{}", told.text());
    let click = told.json()["clickId"].as_str().expect("an id").to_owned();
    assert_eq!(click.len(), 32);
    eventually("the click", || (brand.api().clicks("") == 1).then_some(()));
    let event = &brand.api().get("/events?interval=all")[0];
    assert_eq!(
        (
            &event["click"]["id"],
            &event["click"]["device"],
            &event["click"]["referer"]
        ),
        (&json!(click), &json!("Mobile"), &json!("www.instagram.com"))
    );
    assert_eq!(brand.api().clicks("utm_source=insta"), 1);
    assert_eq!(brand.lead(&click, "u1")["link"]["id"], json!(brand.link));

    // Again at once: a repeat; a bot: a bot; from a server: whom it names.
    brand.page("click", &key, PAGE, &body);
    let bot = json!({ "key": "mia", "userAgent": "Googlebot/2.1", "ip": "192.0.2.9" });
    brand.api().post("/track/click", &bot);
    let person = json!({ "key": "mia", "userAgent": IPHONE, "ip": "192.0.2.10" });
    let told = brand.api().post("/track/click", &person);
    assert_eq!(told["link"]["key"], "mia");
    eventually("all four", || {
        (brand.api().clicks("include=repeats,bots") == 4).then_some(())
    });
    assert_eq!(brand.api().clicks(""), 2);
    assert_eq!(brand.api().clicks("include=repeats"), 3);
    let opted_out = json!({ "key": "mia", "userAgent": IPHONE, "optedOut": true });
    assert_eq!(brand.api().post("/track/click", &opted_out)["clickId"], Value::Null);

    let status = |body: &Value| brand.api().call("POST", "/track/click", Some(body)).status;
    assert_eq!(status(&json!({ "key": "nobody" })), 404);
    let other = brand.server.other_brand("Other");
    let theirs = json!({ "domain": domain, "key": "mia" });
    assert_eq!(other.call("POST", "/track/click", Some(&theirs)).status, 404);
    let forged = brand.page("click", &key, PAGE, &json!({ "key": "mia", "ip": "192.0.2.9" }));
    assert!(forged.refusal(422).starts_with("ip: "));
}

#[test]
fn the_script_is_kept_by_browsers() {
    let server = TestServer::start();
    let script = server.send(&Request::get("/_/t.js"));
    assert_eq!(
        (script.status, script.header("content-type")),
        (200, Some("text/javascript; charset=utf-8"))
    );
    assert!(script.text().contains("hopcart") && script.text().len() < 2048);
    assert!(
        script
            .header("cache-control")
            .expect("a header")
            .starts_with("public, max-age=")
    );
    let tag = script.header("etag").expect("a tag").to_owned();
    let again = server.send(&Request::get("/_/t.js").header("If-None-Match", &tag));
    assert_eq!(
        (again.status, again.text().as_str(), again.header("etag")),
        (304, "", Some(tag.as_str()))
    );
}

#[test]
fn partners_are_listed_by_what_they_brought() {
    let brand = Brand::new();
    let (mia, ben) = (brand.mia.as_str(), brand.ben.as_str());
    brand.server.clock.advance(1);
    let zoe = brand.api().partner("Zoe", "wood");
    let zoe = zoe.as_str();
    brand.lead(&brand.tap("mia"), "u1");
    for customer in ["u2", "u3"] {
        // Long enough that the same person's next click counts.
        brand.server.clock.advance(20_000);
        brand.lead(&brand.tap("ben"), customer);
    }
    brand.sale("u1", 9_000, json!({}));
    brand.sale("u2", 1_000, json!({}));
    eventually("three clicks are counted", || {
        let listed = brand.api().get("/partners?sortBy=totalClicks");
        (listed[0]["totalClicks"] == 2 && listed[1]["totalClicks"] == 1).then_some(())
    });
    let listed = |query: &str| -> Vec<String> {
        let answer = brand.api().get(&format!("/partners?{query}"));
        answer.as_array().expect("an array").iter().map(id_of).collect()
    };
    for (query, expected) in [
        ("", [mia, ben, zoe]),
        ("sortBy=totalSaleAmount&sortOrder=desc", [mia, ben, zoe]),
        ("sortBy=totalSaleAmount&sortOrder=asc", [zoe, ben, mia]),
        ("sortBy=totalClicks", [ben, mia, zoe]),
        ("sortBy=earningsPerClick", [mia, ben, zoe]),
        ("sortBy=totalLeads&sortOrder=asc", [zoe, mia, ben]),
        ("sortBy=createdAt", [zoe, ben, mia]),
        ("sortBy=createdAt&sortOrder=asc", [ben, mia, zoe]),
    ] {
        assert_eq!(listed(query), expected, "{query}");
    }
    assert_eq!(listed("pageSize=1&page=2"), [ben]);
    assert_eq!(listed("niche=wood&sortBy=totalLeads"), [zoe]);
    assert_eq!(listed(&format!("startingAfter={zoe}")), [ben, mia]);
    let refused = format!("/partners?startingAfter={zoe}&sortBy=totalLeads");
    let message = brand.api().call("GET", &refused, None).refusal(422);
    assert!(message.starts_with("sortBy:"), "{message}");
}
