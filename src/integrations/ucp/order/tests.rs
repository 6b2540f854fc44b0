//! UCP's orders as tables: what is read of a whole state, its adjustments, and what is evidence only.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::domain::id::WorkspaceNo;
use crate::domain::keyring::{Keyring, Secret};

const ORDER: &str = include_str!("../../../../fixtures/ucp/order.json");
const TOLD: Timestamp = Timestamp(1_795_165_272_000);

fn customers() -> CustomerKey {
    let secret = Secret {
        version: 1,
        key: [7; 32],
    };
    CustomerKey::of(&Keyring::new(vec![secret]).expect("a ring"), WorkspaceNo(1))
}

fn read(change: impl FnOnce(&mut Value)) -> Result<Vec<OrderEvent>, PayloadError> {
    let mut body: Value = serde_json::from_str(ORDER).expect("a fixture");
    change(&mut body);
    parse(body.to_string().as_bytes(), TOLD, &customers())
}

fn order(change: impl FnOnce(&mut Value)) -> OrderSnapshot {
    match read(change).expect("a good order").swap_remove(0) {
        OrderEvent::Order(order) => order,
        other => panic!("{other:?}"),
    }
}

#[test]
fn orders_are_read() {
    let read = order(|_| {});
    assert_eq!(
        (read.external_id.as_str(), read.name.as_str()),
        ("order_7311", "M-7311")
    );
    assert_eq!(
        (read.revenue, read.discounts, read.currency.as_str()),
        (5382, 598, "EUR")
    );
    assert_eq!(read.lines.iter().map(|line| line.amount).sum::<i64>(), 5382);
    assert_eq!(read.codes, ["MIA10"], "what was asked for and refused is no code");
    assert_eq!(read.click_id.as_deref(), Some("CLICK0000000000000000000000CLICK"));
    assert!(read.is_paid && read.cancelled_at.is_none());
    assert_eq!((read.ordered_at, read.updated_at), (TOLD, TOLD));
}

#[test]
fn versions_and_shops_write_alike_things_differently() {
    type Change = fn(&mut Value);
    let table: [(&str, i64, Change); 4] = [
        ("positive discounts", 5382, |body| {
            body["totals"][1]["amount"] = 598.into()
        }),
        ("an order-level discount", 5282, |body| {
            body["totals"][2] = json!({ "type": "discount", "amount": -100 });
        }),
        ("no subtotal", 5382, |body| {
            body["totals"] = json!([{ "type": "total", "amount": 1 }])
        }),
        ("no totals", 5382, |body| body["totals"] = Value::Null),
    ];
    for (what, revenue, change) in table {
        assert_eq!(order(change).revenue, revenue, "{what}");
    }
    let prefixed = order(|body| body["attribution"] = json!({ "attribution/hop_id": "X" }));
    assert_eq!(prefixed.click_id.as_deref(), Some("X"));
    for none in [json!(null), json!({}), json!({ "hop_id": 5 }), json!({ "hop_id": "" })] {
        assert_eq!(order(|body| body["attribution"] = none).click_id, None);
    }
    let asked = order(|body| body["discounts"] = json!({ "codes": ["A"] }));
    assert_eq!(asked.codes, ["A"]);
}

#[test]
fn adjustments_that_are_done_give_money_back() {
    let total = |amount: i64| json!([{ "type": "total", "amount": amount }]);
    let at = "2026-11-21T08:00:00Z";
    for (adjustment, expected, is_cancelled) in [
        (
            json!({ "type": "refund", "status": "completed", "totals": total(-2131) }),
            Some(1791),
            false,
        ),
        (
            json!({ "type": "refund", "totals": [{ "type": "subtotal", "amount": -1791 }, { "type": "total", "amount": -2131 }] }),
            Some(1791),
            false,
        ),
        (
            json!({ "type": "refund", "status": "completed", "amount": 2131 }),
            Some(1791),
            false,
        ),
        (
            json!({ "type": "refund", "status": "pending", "totals": total(-2131) }),
            None,
            false,
        ),
        (
            json!({ "type": "refund", "status": "failed", "totals": total(-2131) }),
            None,
            false,
        ),
        (
            json!({ "type": "exchange", "status": "completed", "totals": total(500) }),
            None,
            false,
        ),
        (json!({ "type": "cancellation", "status": "completed" }), None, true),
        (
            json!({ "type": "cancellation", "status": "completed", "line_items": [{ "id": "li_pot", "quantity": -1 }],
            "totals": total(-2142) }),
            Some(1800),
            false,
        ),
    ] {
        let mut adjustment = adjustment;
        adjustment["id"] = "adj_1".into();
        adjustment["occurred_at"] = at.into();
        let events = read(|body| body["adjustments"] = json!([adjustment])).expect("a good order");
        let OrderEvent::Order(order) = &events[0] else {
            panic!("{events:?}")
        };
        assert_eq!(
            order.cancelled_at.map(|at| at.to_string()),
            is_cancelled.then(|| "2026-11-21T08:00:00.000Z".to_owned())
        );
        let refund = events.get(1).map(|event| match event {
            OrderEvent::Refund(refund) => (refund.external_id.as_str(), refund.amount()),
            other => panic!("{other:?}"),
        });
        assert_eq!(refund, expected.map(|amount| ("adj_1", Some(amount))), "{adjustment}");
    }
}

#[test]
fn shopifys_own_webhooks_tell_the_money() {
    for (id, expected) in [
        (
            json!("gid://shopify/Order/820982911946154508"),
            Ok("820982911946154508"),
        ),
        (json!("gid://shopify/Order/5?key=1"), Ok("5")),
        (json!(17), Ok("17")),
        (json!("order_abc"), Err("id")),
        (json!("gid://shopify/Order/"), Err("id")),
    ] {
        let events = read(|body| {
            body["id"] = id.clone();
            body["adjustments"] =
                json!([{ "id": "a", "type": "refund", "totals": [{ "type": "total", "amount": -5 }] }]);
        });
        let kept = evidence_only(events.expect("a good order")).map_err(|error| error.field);
        let told = kept.as_ref().map(|events| match &events[..] {
            [OrderEvent::Order(order)] => {
                assert!(!order.is_paid && order.updated_at.0 == TOLD.seconds() && order.click_id.is_some());
                order.external_id.as_str()
            }
            other => panic!("{other:?}"),
        });
        assert_eq!(told.map_err(|field| *field), expected, "{id}");
    }
}

#[test]
fn bad_orders_name_their_field() {
    type Change = fn(&mut Value);
    let table: [(&str, Change); 4] = [
        ("id", |body| body["id"] = Value::Null),
        ("currency", |body| body["currency"] = Value::Null),
        ("body", |body| body["totals"] = "free".into()),
        ("adjustments.id", |body| {
            body["adjustments"] = json!([{ "type": "refund", "totals": [{ "type": "total", "amount": -5 }] }]);
        }),
    ];
    for (field, change) in table {
        assert_eq!(read(change).map_err(|error| error.field), Err(field));
    }
}

proptest! {
    #[test]
    fn any_bytes_end_in_events_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0usize..2000) {
        let mut body = ORDER.as_bytes().to_vec();
        let at = at.min(body.len());
        let end = (at + bytes.len()).min(body.len());
        body.splice(at..end, bytes.iter().copied());
        for body in [&bytes, &body] {
            if let Err(error) = parse(body, TOLD, &customers()) {
                prop_assert!(!error.field.is_empty());
            }
        }
    }
}
