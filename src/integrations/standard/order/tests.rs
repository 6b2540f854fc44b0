//! Our own JSON as tables: what is read, and what of a wrong body is said.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::domain::id::WorkspaceNo;
use crate::domain::keyring::{Keyring, Secret};

const ORDER: &str = include_str!("../../../../fixtures/standard/order.json");
const REFUND: &str = include_str!("../../../../fixtures/standard/refund.json");

fn customers() -> CustomerKey {
    let secret = Secret {
        version: 1,
        key: [7; 32],
    };
    CustomerKey::of(&Keyring::new(vec![secret]).expect("a ring"), WorkspaceNo(1))
}

fn read(text: &str, change: impl FnOnce(&mut Value)) -> Result<Vec<OrderEvent>, PayloadError> {
    let mut body: Value = serde_json::from_str(text).expect("a fixture");
    change(&mut body);
    parse(body.to_string().as_bytes(), &customers()).map(|(_, events)| events)
}

#[test]
fn orders_and_refunds_are_read() {
    let events = read(ORDER, |body| {
        body["data"]["refunds"] = json!([{ "id": 5, "at": "2026-11-21", "amount": 100 }]);
    });
    let events = events.expect("a good order");
    let OrderEvent::Order(order) = &events[0] else {
        panic!("{events:?}")
    };
    assert_eq!(
        (order.external_id.as_str(), order.name.as_str(), order.revenue),
        ("1001", "A-1001", 5382)
    );
    assert_eq!((order.codes.join(" "), order.lines.len()), ("MIA10".to_owned(), 2));
    assert!(order.is_paid && order.click_id.is_some());
    assert!(
        order
            .customer
            .as_ref()
            .is_some_and(|customer| customer.starts_with("email:"))
    );
    let OrderEvent::Refund(refund) = &events[1] else {
        panic!("{events:?}")
    };
    assert_eq!(
        (refund.external_id.as_str(), refund.order_external_id.as_str()),
        ("5", "1001")
    );

    let events = read(REFUND, |_| {}).expect("a good refund");
    let OrderEvent::Refund(refund) = &events[0] else {
        panic!("{events:?}")
    };
    assert_eq!((refund.external_id.as_str(), refund.amount()), ("r1", Some(1791)));
    assert_eq!(read(REFUND, |body| body["type"] = "ping".into()), Ok(vec![]));
}

#[test]
fn wrong_bodies_say_what_is_wrong() {
    type Change = fn(&mut Value);
    let table: [(&str, &str, &str, Change); 9] = [
        (ORDER, "body", "type", |body| body["type"] = Value::Null),
        (ORDER, "data", "clickID", |body| body["data"]["clickID"] = "x".into()),
        (ORDER, "data", "revenue: ", |body| body["data"]["revenue"] = Value::Null),
        (ORDER, "data", "revenue: invalid type", |body| {
            body["data"]["revenue"] = "53.82".into()
        }),
        (ORDER, "data.id", "number or text", |body| {
            body["data"]["id"] = Value::Null
        }),
        (ORDER, "data.orderedAt", "instant", |body| {
            body["data"]["orderedAt"] = "soon".into()
        }),
        (ORDER, "data.lines", "1000", |body| {
            body["data"]["lines"] = vec![json!({ "id": 1, "amount": 1 }); 1001].into();
        }),
        (REFUND, "data.orderId", "number or text", |body| {
            body["data"]["orderId"] = Value::Null
        }),
        (REFUND, "data.amount", "negative", |body| {
            body["data"]["amount"] = (-1).into()
        }),
    ];
    for (text, field, words, change) in table {
        let error = read(text, change).expect_err(words);
        assert_eq!(error.field, field, "{error}");
        assert!(error.message.contains(words), "{error}");
    }
}

proptest! {
    #[test]
    fn any_bytes_end_in_events_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0usize..900) {
        let mut body = ORDER.as_bytes().to_vec();
        let at = at.min(body.len());
        let end = (at + bytes.len()).min(body.len());
        body.splice(at..end, bytes.iter().copied());
        for body in [&bytes, &body] {
            if let Err(error) = parse(body, &customers()) {
                prop_assert!(!error.field.is_empty());
            }
        }
    }
}
