//! Every vendor's deliveries in any order, each any number of times, leave the same books.

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

use super::*;
use crate::books::Books;
use crate::domain::attribution::Credit;
use crate::domain::creator::{Creator, CreatorTerms};
use crate::domain::discount_code::DiscountCode;
use crate::domain::id::{CreatorNo, StoreNo, WorkspaceNo};
use crate::domain::keyring::{Keyring, Secret};
use crate::domain::order::OrderSnapshot;
use crate::domain::store::{Permalink, Provider, StoreLook};
use crate::integrations::{shopify, standard, stripe, ucp, woocommerce};

/// What happened to an order in one second of its life: which field of its state, and how it is now.
#[derive(Debug, Clone)]
struct Step {
    second: i64,
    status: usize,
    refunded: i64,
    has_click: bool,
    revenue: i64,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (0i64..4, 0usize..5, 0i64..400, any::<bool>(), 0i64..3).prop_map(
        |(second, status, refunded, has_click, revenue)| Step {
            second,
            status,
            refunded,
            has_click,
            revenue,
        },
    );
    proptest::collection::vec(step, 1..6)
}

fn fixture(text: &str) -> Value {
    serde_json::from_str(text).expect("a fixture")
}

fn customers() -> CustomerKey {
    let secret = Secret {
        version: 1,
        key: [7; 32],
    };
    CustomerKey::of(&Keyring::new(vec![secret]).expect("a ring"), WorkspaceNo(1))
}

/// Refunds up to and including this step, each with its own id.
fn refunds_until(steps: &[Step], place: usize) -> impl Iterator<Item = (usize, i64)> + '_ {
    let given = steps.iter().take(place + 1).enumerate();
    given
        .map(|(place, step)| (place, step.refunded))
        .filter(|(_, amount)| *amount > 200)
}

/// One vendor's deliveries of an order's life.
type Tell = fn(&[Step]) -> Vec<Vec<OrderEvent>>;

fn shopify_tells(steps: &[Step]) -> Vec<Vec<OrderEvent>> {
    let mut told = Vec::new();
    for (place, step) in steps.iter().enumerate() {
        let mut order = fixture(include_str!("../../../fixtures/shopify/orders_paid.json"));
        order["updated_at"] = json!(format!("2026-11-20T10:00:0{}Z", step.second));
        order["financial_status"] =
            json!(["pending", "authorized", "paid", "partially_refunded", "voided"][step.status]);
        order["subtotal_price"] = json!(format!("5{}.82", step.revenue));
        let topic = [
            "orders/create",
            "orders/updated",
            "orders/paid",
            "orders/updated",
            "orders/cancelled",
        ][step.status];
        told.push((topic, order));
        if step.refunded > 200 {
            let mut refund = fixture(include_str!("../../../fixtures/shopify/refunds_create.json"));
            refund["id"] = json!(place + 1);
            refund["refund_line_items"][0]["subtotal"] = json!(step.refunded);
            told.push(("refunds/create", refund));
        }
    }
    let read =
        |(topic, body): (&str, Value)| shopify::webhook::parse(topic, body.to_string().as_bytes(), "EUR", &customers());
    told.into_iter()
        .map(|told| vec![read(told).expect("a good body")])
        .collect()
}

fn woocommerce_tells(steps: &[Step]) -> Vec<Vec<OrderEvent>> {
    let tell = |(place, step): (usize, &Step)| {
        let mut order = fixture(include_str!("../../../fixtures/woocommerce/order_updated.json"));
        order["date_modified_gmt"] = json!(format!("2026-11-20T09:01:1{}", step.second));
        order["status"] = json!(["pending", "on-hold", "processing", "cancelled", "refunded"][step.status]);
        order["date_paid_gmt"] = Value::Null;
        order["discount_total"] = json!(format!("5.0{}", step.revenue));
        if !step.has_click {
            order["meta_data"] = json!([]);
        }
        let refund = |(id, cents): (usize, i64)| json!({ "id": id + 1, "total": format!("-{}.{:02}", cents / 100, cents % 100) });
        order["refunds"] = refunds_until(steps, place).map(refund).collect();
        woocommerce::webhook::parse("order.updated", order.to_string().as_bytes(), &customers()).expect("a good body")
    };
    steps.iter().enumerate().map(tell).collect()
}

fn stripe_tells(steps: &[Step]) -> Vec<Vec<OrderEvent>> {
    let mut refunded = 0;
    let mut told = Vec::new();
    for step in steps {
        let mut session = fixture(include_str!("../../../fixtures/stripe/checkout_session_completed.json"));
        session["created"] = json!(1_795_165_272 + step.second);
        session["data"]["object"]["payment_status"] = json!(["unpaid", "paid"][step.status % 2]);
        if step.status > 2 {
            session["type"] = json!("checkout.session.async_payment_succeeded");
        }
        told.push(session);
        if step.refunded > 200 {
            refunded += step.refunded;
            let mut charge = fixture(include_str!("../../../fixtures/stripe/charge_refunded.json"));
            charge["created"] = json!(1_795_165_272 + step.second);
            charge["data"]["object"]["amount_refunded"] = json!(refunded);
            told.push(charge);
        }
    }
    let read = |body: Value| stripe::webhook::parse(body.to_string().as_bytes(), &customers());
    told.into_iter()
        .map(|body| read(body).expect("a good body").events)
        .collect()
}

fn ucp_tells(steps: &[Step]) -> Vec<Vec<OrderEvent>> {
    let tell = |(place, step): (usize, &Step)| {
        let mut order = fixture(include_str!("../../../fixtures/ucp/order.json"));
        if !step.has_click {
            order["attribution"] = Value::Null;
        }
        let refund = |(id, amount): (usize, i64)| {
            json!({ "id": format!("adj_{id}"), "type": "refund", "status": "completed",
                "totals": [{ "type": "total", "amount": -amount }] })
        };
        let mut adjustments: Vec<Value> = refunds_until(steps, place).map(refund).collect();
        if step.status == 4 {
            adjustments.push(json!({ "id": "adj_c", "type": "cancellation", "occurred_at": "2026-11-21T08:00:00Z" }));
        }
        order["adjustments"] = adjustments.into();
        let at = Timestamp::from_seconds(1_795_165_272 + step.second);
        ucp::order::parse(order.to_string().as_bytes(), at, &customers()).expect("a good body")
    };
    steps.iter().enumerate().map(tell).collect()
}

fn standard_tells(steps: &[Step]) -> Vec<Vec<OrderEvent>> {
    let mut told = Vec::new();
    for (place, step) in steps.iter().enumerate() {
        let mut order = fixture(include_str!("../../../fixtures/standard/order.json"));
        order["data"]["updatedAt"] = json!(format!("2026-11-20T09:01:1{}Z", step.second));
        order["data"]["paid"] = json!(step.status > 1);
        order["data"]["revenue"] = json!(5382 + step.revenue);
        if !step.has_click {
            order["data"]["clickId"] = Value::Null;
        }
        told.push(order);
        if step.refunded > 200 {
            let mut refund = fixture(include_str!("../../../fixtures/standard/refund.json"));
            refund["data"]["id"] = json!(place + 1);
            refund["data"]["amount"] = json!(step.refunded);
            told.push(refund);
        }
    }
    let read = |body: Value| standard::order::parse(body.to_string().as_bytes(), &customers());
    told.into_iter()
        .map(|body| read(body).expect("a good body").1)
        .collect()
}

const VENDORS: [(&str, Tell); 5] = [
    ("shopify", shopify_tells),
    ("woocommerce", woocommerce_tells),
    ("stripe", stripe_tells),
    ("ucp", ucp_tells),
    ("standard", standard_tells),
];

/// A brand with a creator whose codes the fixtures show.
fn new_brand(tx: &Tx<'_>) -> Result<WorkspaceNo, Error> {
    let workspace = books::workspace::insert(tx, "ws_1", "Brand", Timestamp(1))?;
    let creator = Creator {
        no: CreatorNo(0),
        id: "pn_1".to_owned(),
        workspace,
        terms: CreatorTerms {
            name: "Mia".to_owned(),
            ..CreatorTerms::default()
        },
        created_at: Timestamp(1),
        departure: None,
    };
    let creator = books::creator::insert(tx, creator)?.no;
    for code in ["MIA10", "promo_1HopMia10"] {
        let code = DiscountCode {
            id: format!("dcode_{code}"),
            workspace,
            code: code.to_owned(),
            creator,
            link: None,
            created_at: Timestamp(1),
            leak: None,
            is_trusted: false,
        };
        books::discount_code::insert(tx, &code)?;
    }
    Ok(workspace)
}

fn new_store(tx: &Tx<'_>, workspace: WorkspaceNo, name: &str) -> Result<Store, Error> {
    let store = Store {
        no: StoreNo(0),
        id: format!("store_{name}"),
        workspace,
        name: name.to_owned(),
        provider: Provider::Template,
        base_url: "https://shop.example/{items}".into(),
        currency: "EUR".into(),
        permalink: Permalink::default(),
        look: StoreLook::default(),
        ucp_endpoint: None,
        returns_click_ids: false,
        created_at: Timestamp(1),
    };
    Ok(books::store::insert(tx, store, &[])?)
}

/// An order as the books have it, who is credited, and what is given back.
type Said = (OrderSnapshot, Credit, i64);

/// What the books say after these deliveries, each under its number as its id.
fn told(
    tx: &Tx<'_>,
    store: &Store,
    deliveries: impl Iterator<Item = (usize, Vec<OrderEvent>)>,
) -> Result<Vec<Said>, Error> {
    let mut ids = Vec::new();
    for (number, events) in deliveries {
        for event in &events {
            let id = match event {
                OrderEvent::Order(order) => order.external_id.clone(),
                OrderEvent::Refund(refund) => refund.order_external_id.clone(),
                OrderEvent::Ignored => continue,
            };
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        let seen = events.iter().map(|_| Seen::default()).collect();
        let delivery = Delivery {
            id: number.to_string(),
            topic: "t".into(),
            events,
            is_ucp: false,
        };
        let desk = Desk {
            store: store.clone(),
            customers: customers(),
            now: Timestamp(5),
        };
        take(tx, &desk, delivery, seen)?;
    }
    ids.sort();
    let mut said = Vec::new();
    for id in ids {
        if let Some(row) = books::order::load(tx, store.no, &id)? {
            said.push((row.order.snapshot, row.order.credit, row.refunded));
        }
    }
    Ok(said)
}

/// The deliveries in another order, each at least once.
fn shuffled(deliveries: &[Vec<OrderEvent>], picks: &[Index]) -> Vec<(usize, Vec<OrderEvent>)> {
    let mut numbered: Vec<_> = deliveries.iter().cloned().enumerate().collect();
    for (place, pick) in picks.iter().enumerate() {
        let length = deliveries.len();
        numbered.swap(place % length, pick.index(length));
    }
    // Sent again under the same id, and again under another.
    for (place, pick) in picks.iter().enumerate().take(4) {
        let (number, events) = numbered[pick.index(deliveries.len())].clone();
        numbered.push((if place % 2 == 0 { number } else { 1_000 + place }, events));
    }
    numbered
}

#[test]
fn deliveries_in_any_order_and_number_leave_the_same_books() {
    let home = tempfile::tempdir().expect("a directory");
    let books = Books::open(books::Options::at(home.path().join("books.sqlite"))).expect("new books");
    let workspace = books.commit_blocking(new_brand).expect("a workspace");
    let round = std::cell::Cell::new(0);
    let picks = proptest::collection::vec(any::<Index>(), 0..16);
    proptest!(ProptestConfig::with_cases(40), |(steps in steps(), picks in picks)| {
        for (vendor, tell) in VENDORS {
            round.set(round.get() + 1);
            let names = [format!("{}a", round.get()), format!("{}b", round.get())];
            let deliveries = tell(&steps);
            let other = shuffled(&deliveries, &picks);
            let (straight, mixed) = books.commit_blocking(move |tx| {
                let [a, b] = [new_store(tx, workspace, &names[0])?, new_store(tx, workspace, &names[1])?];
                let straight = told(tx, &a, deliveries.into_iter().enumerate())?;
                Ok::<_, Error>((straight, told(tx, &b, other.into_iter())?))
            }).expect("a transaction");
            prop_assert_eq!(straight.len(), 1, "{}", vendor);
            let is_credited = straight[0].1.creator.is_some();
            prop_assert_eq!(is_credited, !straight[0].0.codes.is_empty(), "{}", vendor);
            prop_assert_eq!(straight, mixed, "{}", vendor);
        }
    });
}
