//! Two brands on one server. Walks the API's description, so that no route escapes: whatever one brand asks or writes,
//! under whatever ids of the other's, it reads nothing of the other, counts nothing of it and changes nothing of it. Every
//! answer on the way is held against the description, and every example in it is taken as it stands.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::http::{Answer, Request};
use crate::openapi::{Document, Operation};
use crate::receiver::Receiver;
use crate::server::{Api, IPHONE, TestServer, eventually, id_of};

/// Stands in every name that the first brand gives.
const MARK: &str = "amber";

/// Ids in the description's examples, and the paths of what they are of.
const EXAMPLES: [(&str, &str); 6] = [
    ("link_1", "/links/{id}"),
    ("pn_1", "/partners/{id}"),
    ("store_1", "/stores/{id}"),
    ("cmp_1", "/campaigns/{id}"),
    ("tag_1", "/tags/{id}"),
    ("key_1", "/keys/{id}"),
];

/// Query parameters that name things, and whose paths those have.
const NAMES: [(&str, &str); 15] = [
    ("linkId", "/links/{id}"),
    ("linkIds", "/links/{id}"),
    ("partnerId", "/partners/{id}"),
    ("storeId", "/stores/{id}"),
    ("campaignId", "/campaigns/{id}"),
    ("tagId", "/tags/{id}"),
    ("tagIds", "/tags/{id}"),
    ("ids", "/tags/{id}"),
    ("folderId", "/folders/{id}"),
    ("customerId", "/customers/{id}"),
    ("domain", "/domains/{slug}"),
    ("keyId", "/keys/{id}"),
    ("targetId", "/links/{id}"),
    ("startingAfter", "/links/{id}"),
    ("endingBefore", "/links/{id}"),
];

/// What a brand has: an id for each path that names one.
struct Things(BTreeMap<&'static str, String>);

impl Things {
    fn id(&self, path: &str) -> &str {
        let found = self.0.get(path);
        found.unwrap_or_else(|| panic!("{path} is new: make one in Things::of, so that it is walked"))
    }

    /// `path` with this brand's ids.
    fn target(&self, path: &str) -> String {
        let mut built = String::new();
        let mut template = String::new();
        for segment in path.split('/').skip(1) {
            template += &format!("/{segment}");
            if segment.starts_with('{') {
                // What stands below a thing is named by the thing's own path.
                built += &format!("/{}", self.id(&template));
            } else {
                built += &format!("/{segment}");
            }
        }
        built
    }

    /// The id that query parameter `name` of `operation` would name; `None` when it names nothing.
    fn named(&self, operation: Operation<'_>, name: &str) -> Option<&str> {
        let (_, path) = NAMES.iter().find(|(own, _)| *own == name)?;
        // Pages go on from an entry of their own list.
        let own = format!("{}/{{id}}", operation.path);
        let is_cursor = matches!(name, "startingAfter" | "endingBefore");
        let listed = self.0.get(own.as_str()).filter(|_| is_cursor);
        Some(listed.map_or_else(|| self.id(path), String::as_str))
    }

    /// `body` with this brand's ids in the place of those of the examples.
    fn body(&self, body: &Value) -> Value {
        let mut text = body.to_string();
        for (example, path) in EXAMPLES {
            text = text.replace(&format!("\"{example}\""), &format!("\"{}\"", self.id(path)));
        }
        serde_json::from_str(&text).expect("JSON")
    }

    /// One of everything that paths name.
    fn of(server: &TestServer, api: &Api<'_>) -> Self {
        let mut things = BTreeMap::new();
        let store = api.post(
            "/stores",
            &json!({ "name": MARK, "provider": "woocommerce", "baseUrl": "https://amber.example", "currency": "EUR",
                "webhookSecrets": ["amber-secret"] }),
        );
        let store = id_of(&store);
        api.products(&store, &[("MUG-1", "44017", Some(9)), ("AMBER-2", "44018", Some(0))]);
        let partner = api.post(
            "/partners",
            &json!({ "name": MARK, "email": "amber@mail.example", "niche": MARK }),
        );
        let partner = id_of(&partner);
        let share = api.post(&format!("/partners/{partner}/report-links"), &json!({}));
        let tag = id_of(&api.post("/tags", &json!({ "name": MARK })));
        let folder = id_of(&api.post("/folders", &json!({ "name": MARK })));
        let campaign = id_of(&api.post("/campaigns", &json!({ "name": MARK })));
        api.post("/domains", &json!({ "slug": "go.amber.example" }));
        let link = api.link(&json!({
            "domain": "go.amber.example", "key": "amber", "url": "https://amber.example/", "partnerId": partner,
            "tagIds": [tag], "folderId": folder, "campaignId": campaign, "externalId": "amber-1", "tenantId": MARK,
            "testVariants": [{ "url": "https://amber.example/a", "percentage": 50 },
                { "url": "https://amber.example/b", "percentage": 50 }],
        }));
        let code = id_of(&api.post("/discount-codes", &json!({ "code": "AMBER10", "partnerId": partner })));
        let pool = id_of(&api.post("/discount-codes/pools", &json!({ "name": MARK, "storeId": store })));
        let spent = json!({ "partnerId": partner, "amount": 500, "currency": "EUR", "note": MARK });
        let spend = id_of(&api.post("/spend", &spent));
        let key = id_of(&api.post(
            "/keys",
            &json!({ "name": MARK, "kind": "publishable", "origins": ["https://amber.example"] }),
        ));
        let template = id_of(&api.post("/utm-templates", &json!({ "name": MARK, "utm_source": MARK })));
        let rate = json!({ "base": "EUR", "quote": "USD", "date": "2026-11-20", "rate": "7.7777" });
        api.put("/rates", &json!({ "rates": [rate] }));

        let followed = Request::get("/amber")
            .header("Host", "go.amber.example")
            .header("User-Agent", IPHONE);
        let followed = server.send(&followed);
        let (_, click) = followed.location().split_once("hop_id=").expect("a click id");
        let lead = json!({ "clickId": click, "eventName": MARK, "customerExternalId": "amber-c",
            "customerName": MARK, "customerEmail": "amber-c@mail.example" });
        let customer = api.post("/track/lead", &lead)["customer"]["id"].clone();
        let sale =
            json!({ "customerExternalId": "amber-c", "amount": 4900, "currency": "eur", "invoiceId": "amber-i" });
        api.post("/track/sale", &sale);
        let order = eventually("the order is there", || {
            let orders = api.get("/orders");
            orders[0]["id"].as_str().map(str::to_owned)
        });
        let visitor = eventually("the click is there", || {
            let events = api.get("/events?interval=all");
            events[0]["click"]["visitorId"].as_str().map(str::to_owned)
        });
        let waiting = waiting(server, api, &store);
        let (webhook, delivery) = told(api);
        // Clicks are written beside what followers get: what is compared later must hold both.
        eventually("both clicks count", || (api.clicks("") == 2).then_some(()));

        things.insert("/links/{id}", id_of(&link));
        things.insert("/tags/{id}", tag);
        things.insert("/utm-templates/{id}", template);
        things.insert("/folders/{id}", folder);
        things.insert("/domains/{slug}", "go.amber.example".to_owned());
        things.insert("/stores/{id}", store);
        things.insert("/orders/{id}", order);
        things.insert("/partners/{id}/report-links/{link}", id_of(&share));
        things.insert("/partners/{id}", partner);
        things.insert("/campaigns/{id}", campaign);
        things.insert("/spend/{id}", spend);
        things.insert("/customers/{id}", customer.as_str().expect("an id").to_owned());
        things.insert("/discount-codes/{id}", code);
        things.insert("/discount-codes/pools/{id}", pool);
        things.insert("/waitlist/{id}", waiting);
        things.insert("/visitors/{id}", visitor);
        things.insert("/webhooks/{id}", webhook);
        things.insert("/webhooks/{id}/deliveries/{event}", delivery);
        things.insert("/keys/{id}", key);
        Self(things)
    }
}

/// A webhook that took one event and is told of nothing that the tests do: its id and the event's.
fn told(api: &Api<'_>) -> (String, String) {
    let receiver = Receiver::start();
    let url = format!("{}/{MARK}", receiver.url());
    let webhook = id_of(&api.post(
        "/webhooks",
        &json!({ "name": MARK, "url": url, "triggers": ["link.clicked"], "linkIds": [] }),
    ));
    let event = id_of(&api.post(&format!("/webhooks/{webhook}/test"), &json!({})));
    let delivery = format!("/webhooks/{webhook}/deliveries/{event}");
    eventually("the delivery is noted", || {
        (api.get(&delivery)["state"] == "delivered").then_some(())
    });
    (webhook, event)
}

/// Somebody waits for a sold-out link of `store`; the entry's id.
fn waiting(server: &TestServer, api: &Api<'_>, store: &str) -> String {
    api.link(&json!({ "domain": "go.amber.example", "key": "gone",
        "cart": { "storeId": store, "items": [{ "sku": "AMBER-2" }] }, "stockPolicy": { "onOut": "waitlist" } }));
    let page = Request::get("/gone")
        .header("Host", "go.amber.example")
        .header("User-Agent", IPHONE);
    let page = server.send(&page).text();
    let token = page.split_once("name=\"token\" value=\"").expect("a form").1;
    let token = token.split('"').next().expect("a token");
    let form = Request::new("POST", "/_/waitlist")
        .header("Host", "go.amber.example")
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(format!("token={token}&email=amber-w%40mail.example&consent=yes"));
    let answer = server.send(&form);
    assert_eq!(answer.status, 200, "{}", answer.text());
    id_of(&api.get("/waitlist")[0])
}

/// Reads `operation` as `api`, with the ids of `things` in path and query.
fn read(api: &Api<'_>, operation: Operation<'_>, things: &Things) -> Answer {
    let mut query = Vec::new();
    for parameter in operation.query() {
        if parameter["required"] == true {
            let name = parameter["name"].as_str().expect("a name");
            query.push(format!("{name}={}", things.named(operation, name).unwrap_or("none")));
        }
    }
    // They are about one creator, named either way, so that neither name is required.
    if ["/partners/analytics", "/partners/links"].contains(&operation.path) {
        query.push(format!("partnerId={}", things.id("/partners/{id}")));
    }
    let target = format!("{}?{}", things.target(operation.path), query.join("&"));
    api.call("GET", target.trim_end_matches('?'), None)
}

/// Everything that `api` reads, each answer under its operation's name.
fn everything(document: &Document, api: &Api<'_>, things: &Things) -> BTreeMap<String, (u16, String)> {
    let reads = document
        .operations()
        .into_iter()
        .filter(|operation| operation.method == "get");
    let told = reads.map(|operation| {
        let answer = read(api, operation, things);
        (operation.name(), (answer.status, answer.text()))
    });
    told.collect()
}

/// Whether `text` shows anything of the first brand's, beside what the asker said itself.
fn shows(text: &str, said: &str) -> bool {
    text.to_lowercase().contains(MARK) && !said.to_lowercase().contains(MARK)
}

/// A brand in a workspace of its own whose key's use is noted, so that reading changes nothing any more.
fn brand<'a>(server: &'a TestServer, name: &str) -> Api<'a> {
    let api = server.other_brand(name);
    eventually("the key's use is noted", || {
        let keys = api.get("/keys");
        (!keys[0]["lastUsed"].is_null()).then_some(())
    });
    api
}

#[test]
fn a_brand_reads_and_counts_nothing_of_another() {
    let server = TestServer::start();
    let document = Document::of(&server);
    let (first, second) = (brand(&server, MARK), brand(&server, "basalt"));
    let nothing = Things(
        NAMES
            .iter()
            .map(|(_, path)| (*path, "none".to_owned()))
            .chain([
                ("/orders/{id}", "none".to_owned()),
                ("/discount-codes/pools/{id}", "none".to_owned()),
                ("/webhooks/{id}", "none".to_owned()),
                ("/webhooks/{id}/deliveries/{event}", "none".to_owned()),
            ])
            .collect(),
    );
    let before = everything(&document, &second, &nothing);
    let things = Things::of(&server, &first);
    assert_eq!(
        everything(&document, &second, &nothing),
        before,
        "it counts or shows another's"
    );

    let mut asked = 0;
    for operation in document.operations() {
        if operation.method != "get" || operation.is_open() {
            continue;
        }
        let answer = read(&second, operation, &things);
        if operation.path.contains('{') {
            assert!(
                matches!(answer.status, 403 | 404),
                "{}: {}",
                operation.name(),
                answer.text()
            );
        }
        assert!(!shows(&answer.text(), ""), "{}: {}", operation.name(), answer.text());
        for parameter in operation.query() {
            let name = parameter["name"].as_str().expect("a name");
            let Some(theirs) = things.named(operation, name) else {
                continue;
            };
            let ask = |id: &str| {
                let store = match name != "storeId" && operation.path == "/products" {
                    true => "&storeId=none",
                    false => "",
                };
                second.call(
                    "GET",
                    &format!("{}?{name}={id}{store}", nothing.target(operation.path)),
                    None,
                )
            };
            let (theirs, nobodys) = (ask(theirs), ask("none"));
            assert_eq!(
                theirs.status,
                nobodys.status,
                "{}?{name}: {}",
                operation.name(),
                theirs.text()
            );
            if theirs.status == 200 {
                assert_eq!(theirs.text(), nobodys.text(), "{}?{name}", operation.name());
            }
            asked += 1;
        }
    }
    assert!(asked > 50, "{asked}");
}

#[test]
fn a_brand_writes_nothing_of_another() {
    let server = TestServer::start();
    let document = Document::of(&server);
    let (first, second) = (brand(&server, MARK), brand(&server, "basalt"));
    let things = Things::of(&server, &first);
    let before = everything(&document, &first, &things);
    for (name, (status, text)) in &before {
        let needs_more = ["GET /backups", "GET /links/info"].contains(&name.as_str());
        assert!(*status == 200 || needs_more, "{name}: {status} {text}");
    }
    for operation in document.operations() {
        if operation.method == "get" {
            continue;
        }
        let body = operation.example().map(|example| things.body(example));
        let mut targets = vec![things.target(operation.path)];
        for parameter in operation.query() {
            let name = parameter["name"].as_str().expect("a name");
            if let Some(id) = things.named(operation, name) {
                targets.push(format!("{}?{name}={id}", things.target(operation.path)));
            }
        }
        targets.push(format!("{}?email=amber-w@mail.example", things.target(operation.path)));
        for target in targets {
            let body = body.as_ref().filter(|_| !target.contains("linkIds="));
            let answer = second.call(&operation.method.to_uppercase(), &target, body);
            let said = format!("{target} {}", body.map(Value::to_string).unwrap_or_default());
            assert!(
                !shows(&answer.text(), &said),
                "{} {target}: {}",
                operation.method,
                answer.text()
            );
            // Erasing finds a visitor among the workspace's own clicks: there are none.
            let finds_nobody = operation.path.starts_with("/visitors");
            if operation.path.contains('{') && !finds_nobody {
                let status = answer.status;
                assert!(
                    matches!(status, 403 | 404 | 422),
                    "{}: {status} {}",
                    operation.name(),
                    answer.text()
                );
            }
            let faults = document.faults(operation, &answer);
            assert!(faults.is_empty(), "{faults:#?}");
        }
    }
    let after = everything(&document, &first, &things);
    for (name, told) in &before {
        assert_eq!(after.get(name), Some(told), "{name} tells otherwise than before");
    }
}

#[test]
fn every_example_is_taken_and_every_answer_is_as_described() {
    let server = TestServer::start();
    let document = Document::of(&server);
    let first = brand(&server, MARK);
    let owner = server.api();
    let things = Things::of(&server, &first);
    // What erases and ends comes last, and what was read before is read again after it.
    let mut operations = document.operations();
    operations.sort_by_key(|operation| {
        let parting = match operation.path {
            "/partners/deactivate" => 1,
            "/partners/ban" => 2,
            _ => 0,
        };
        (operation.method == "delete", operation.method != "get", parting)
    });
    let mut faults = Vec::new();
    for operation in operations {
        let is_owners = operation.told["description"]
            .as_str()
            .is_some_and(|text| text.contains("For the server's owner"));
        let api = if is_owners { &owner } else { &first };
        let answer = match operation.method {
            "get" => read(api, operation, &things),
            method => {
                let mut body = operation.example().map(|example| things.body(example));
                if operation.path == "/backups" {
                    body = Some(json!({ "dir": server.data().with_file_name("backup") }));
                }
                api.call(&method.to_uppercase(), &target_of(operation, &things), body.as_ref())
            }
        };
        faults.extend(document.faults(operation, &answer));
        let is_good = match operation.path {
            // There is no click of this id and no link under this key; no file, nothing named; no profile to look at
            // and no credit to rule on.
            "/track/lead" | "/track/click" => answer.status == 404,
            "/orders/import" | "/links/info" => answer.status == 422,
            "/stores/{id}/refresh" | "/orders/{id}/credit" => matches!(answer.status, 200 | 409 | 422),
            // It has links still.
            "/domains/{slug}" if operation.method == "delete" => answer.status == 409,
            // What an earlier call deleted is gone.
            "/waitlist/{id}" | "/links/{id}" if operation.method == "delete" => matches!(answer.status, 200 | 404),
            _ => matches!(answer.status, 200..=202),
        };
        if !is_good {
            faults.push(format!("{}: {} {}", operation.name(), answer.status, answer.text()));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

/// The path of a write with the query that it cannot do without.
fn target_of(operation: Operation<'_>, things: &Things) -> String {
    let target = things.target(operation.path);
    match operation.path {
        "/waitlist" => format!("{target}?email=amber-w@mail.example"),
        "/orders/import" => format!("{target}?storeId={}", things.id("/stores/{id}")),
        _ => target,
    }
}
