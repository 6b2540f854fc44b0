//! WooCommerce's webhooks as tables: what is read of a real body, and what of bad ones is said.

use aws_lc_rs::hmac;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::domain::id::WorkspaceNo;
use crate::domain::keyring::{Keyring, Secret};

const BODY: &str = include_str!("../../../../fixtures/woocommerce/order_updated.json");

fn customers() -> CustomerKey {
    let secret = Secret {
        version: 1,
        key: [7; 32],
    };
    CustomerKey::of(&Keyring::new(vec![secret]).expect("a ring"), WorkspaceNo(1))
}

fn events(change: impl FnOnce(&mut Value)) -> Result<Vec<OrderEvent>, PayloadError> {
    let mut body: Value = serde_json::from_str(BODY).expect("a fixture");
    change(&mut body);
    parse("order.updated", body.to_string().as_bytes(), &customers())
}

fn order(change: impl FnOnce(&mut Value)) -> OrderSnapshot {
    match events(change).expect("a good order").swap_remove(0) {
        OrderEvent::Order(order) => order,
        other => panic!("{other:?}"),
    }
}

#[test]
fn orders_are_read_without_their_tax() {
    let read = order(|_| {});
    assert_eq!((read.external_id.as_str(), read.name.as_str()), ("7311", "#7311"));
    assert_eq!(
        (read.revenue, read.discounts, read.currency.as_str()),
        (3010 + 1513, 503, "EUR")
    );
    assert_eq!(read.codes, ["mia10"]);
    assert_eq!(read.click_id.as_deref(), Some("CLICK0000000000000000000000CLICK"));
    assert!(read.is_paid && read.cancelled_at.is_none());
    assert_eq!(read.ordered_at.to_string(), "2026-11-20T09:00:00.000Z");
    assert_eq!(read.updated_at.to_string(), "2026-11-20T09:01:12.000Z");
    let variants: Vec<_> = read.lines.iter().map(|line| line.variant_id.as_deref()).collect();
    assert_eq!(variants, [Some("44017"), Some("44018")]);
    let guest = read.customer.expect("a hash");
    assert!(
        guest.starts_with("email:") && !guest.to_lowercase().contains("lea"),
        "{guest}"
    );
    assert_eq!(
        order(|body| body["customer_id"] = 12.into()).customer.as_deref(),
        Some("12")
    );
}

#[test]
fn statuses_say_what_was_paid_and_what_is_over() {
    for (status, paid_at, expected) in [
        ("pending", false, (false, false)),
        ("on-hold", false, (false, false)),
        ("failed", false, (false, false)),
        ("checkout-draft", false, (false, false)),
        ("processing", false, (true, false)),
        ("completed", false, (true, false)),
        ("cancelled", false, (false, true)),
        ("cancelled", true, (true, true)),
        ("refunded", false, (true, true)),
        ("shipped-by-a-plugin", true, (true, false)),
    ] {
        let read = order(|body| {
            body["status"] = status.into();
            if !paid_at {
                body["date_paid_gmt"] = Value::Null;
            }
        });
        assert_eq!((read.is_paid, read.cancelled_at.is_some()), expected, "{status}");
    }
}

#[test]
fn refunds_are_told_without_their_tax_each_by_its_id() {
    let told = events(|body| {
        // One mug and its tax, then all of the order with shipping.
        body["refunds"] = json!([{ "id": 1, "reason": "", "total": "-17.91" }, { "id": 2, "total": "-40.81" }]);
    });
    let amounts: Vec<_> = told
        .expect("a good order")
        .into_iter()
        .filter_map(|event| match event {
            OrderEvent::Refund(refund) => Some((refund.external_id.clone(), refund.amount())),
            _ => None,
        })
        .collect();
    // 17.91 of 45.23 + 8.59 is 15.05 without tax.
    assert_eq!(amounts, [("1".to_owned(), Some(1505)), ("2".to_owned(), Some(3430))]);
}

#[test]
fn the_click_is_found_where_it_may_stand() {
    let id = "0123456789abcdefABCDEF0123456789";
    let meta = |key: &str, value: Value| json!([{ "key": "x", "value": { "a": 1 } }, { "key": key, "value": value }]);
    for (key, value, expected) in [
        ("hop_id", json!(id), Some(id)),
        (UTM_ID, json!(id), Some(id)),
        (UTM_ID, json!("summer-ad-7"), None),
        (UTM_CONTENT, json!(id), Some(id)),
        (UTM_CONTENT, json!("mia"), None),
        (
            SESSION_ENTRY,
            json!(format!("https://s.example/mug?a=1&hop_id={id}#top")),
            Some(id),
        ),
        (SESSION_ENTRY, json!("https://s.example/mug"), None),
        (UTM_ID, json!(17), None),
    ] {
        let read = order(|body| body["meta_data"] = meta(key, value.clone()));
        assert_eq!(read.click_id.as_deref(), expected, "{key} {value}");
    }
}

#[test]
fn bad_orders_name_their_field() {
    type Change = fn(&mut Value);
    let table: [(&str, Change); 8] = [
        ("id", |body| body["id"] = Value::Null),
        ("currency", |body| body["currency"] = Value::Null),
        ("date_created_gmt", |body| body["date_created_gmt"] = "soon".into()),
        ("line_items.total", |body| body["line_items"][0]["total"] = "abc".into()),
        ("line_items.total", |body| body["line_items"][0]["total"] = Value::Null),
        ("line_items.id", |body| body["line_items"][0]["id"] = Value::Null),
        ("refunds.total", |body| body["refunds"] = json!([{ "id": 1 }])),
        ("line_items", |body| {
            body["line_items"] = vec![json!({ "id": 1, "total": "1" }); 1001].into()
        }),
    ];
    for (field, change) in table {
        assert_eq!(events(change).map_err(|error| error.field), Err(field));
    }
    assert!(parse("order.updated", b"[]", &customers()).is_err());
}

#[test]
fn other_topics_tell_nothing() {
    for topic in ["order.deleted", "product.updated", "action.x", ""] {
        assert_eq!(parse(topic, br#"{"id": 7311}"#, &customers()), Ok(vec![]), "{topic}");
    }
}

#[test]
fn only_the_raw_body_under_a_known_secret_passes() {
    let secrets = vec!["old".to_owned(), "new".to_owned()];
    let sign = |secret: &str| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        STANDARD.encode(hmac::sign(&key, BODY.as_bytes()))
    };
    let check = |secrets: &[String], signature: &str| verify(secrets, BODY.as_bytes(), signature);
    assert!(check(&secrets, &sign("old")) && check(&secrets, &sign("new")));
    assert!(!check(&secrets, &sign("other")) && !check(&secrets, "") && !check(&[], &sign("")));
    assert!(!verify(&secrets, b"{}", &sign("new")));
}

#[test]
fn a_ping_is_a_number_and_nothing_else() {
    assert!(is_ping(b"webhook_id=1") && is_ping(b"webhook_id=12345678901234567890"));
    for body in [
        &b""[..],
        b"webhook_id=",
        b"webhook_id=1&x=2",
        b"webhook_id=123456789012345678901",
        b"{}",
    ] {
        assert!(!is_ping(body), "{body:?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_end_in_events_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0usize..2000) {
        let mut body = BODY.as_bytes().to_vec();
        let at = at.min(body.len());
        let end = (at + bytes.len()).min(body.len());
        body.splice(at..end, bytes.iter().copied());
        for body in [&bytes, &body] {
            match parse("order.updated", body, &customers()) {
                Ok(events) => prop_assert!(!events.is_empty()),
                Err(error) => prop_assert!(!error.field.is_empty()),
            }
        }
    }
}
