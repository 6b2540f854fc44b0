//! Stripe's webhooks as tables: what is read of real bodies, and which signatures hold.

use aws_lc_rs::hmac;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::domain::id::WorkspaceNo;
use crate::domain::keyring::{Keyring, Secret};

const SESSION: &str = include_str!("../../../../fixtures/stripe/checkout_session_completed.json");
const REFUNDED: &str = include_str!("../../../../fixtures/stripe/charge_refunded.json");
const AT: i64 = 1_795_165_272;

fn customers() -> CustomerKey {
    let secret = Secret {
        version: 1,
        key: [7; 32],
    };
    CustomerKey::of(&Keyring::new(vec![secret]).expect("a ring"), WorkspaceNo(1))
}

fn read(text: &str, change: impl FnOnce(&mut Value)) -> Result<StripeEvent, PayloadError> {
    let mut body: Value = serde_json::from_str(text).expect("a fixture");
    change(&mut body);
    parse(body.to_string().as_bytes(), &customers())
}

fn session(change: impl FnOnce(&mut Value)) -> OrderSnapshot {
    let event = read(SESSION, |body| change(&mut body["data"]["object"]));
    match event.expect("a good session").events.swap_remove(0) {
        OrderEvent::Order(order) => order,
        other => panic!("{other:?}"),
    }
}

#[test]
fn sessions_are_orders_under_their_payment() {
    let order = session(|_| {});
    assert_eq!(
        (order.external_id.as_str(), order.name.as_str()),
        ("pi_3Hop7311", "cs_live_a1Hop7311")
    );
    assert_eq!(
        (order.revenue, order.discounts, order.currency.as_str()),
        (5872 - 859 - 490, 598, "EUR")
    );
    assert_eq!(order.click_id.as_deref(), Some("CLICK0000000000000000000000CLICK"));
    assert_eq!(order.codes, ["promo_1HopMia10"]);
    assert!(order.is_paid && !order.is_test);
    assert!(order.customer.is_some_and(|customer| customer.starts_with("email:")));
    assert_eq!((order.ordered_at.seconds(), order.updated_at.seconds()), (AT - 72, AT));
    let bare = session(|session| session["payment_intent"] = Value::Null);
    assert_eq!(bare.external_id, "cs_live_a1Hop7311");
    let expanded = session(|session| {
        session["customer"] = json!({ "id": "cus_9" });
        session["payment_intent"] = json!({ "id": "pi_9", "code": null });
    });
    assert_eq!(
        (expanded.customer.as_deref(), expanded.external_id.as_str()),
        (Some("cus_9"), "pi_9")
    );
}

#[test]
fn codes_are_what_customers_typed_where_stripe_tells_it() {
    for (discounts, breakdown, expected) in [
        (json!([]), Value::Null, ""),
        (json!(null), Value::Null, ""),
        (
            json!([{ "promotion_code": "promo_1", "coupon": "MIA" }]),
            Value::Null,
            "promo_1 MIA",
        ),
        (
            json!([{ "promotion_code": { "id": "promo_1", "code": "MIA10" }, "coupon": { "id": "c1", "name": "x" } }]),
            Value::Null,
            "MIA10 c1",
        ),
        (
            json!(null),
            json!({ "discounts": [{ "amount": 5, "discount": { "promotion_code": "promo_2", "coupon": { "id": "c2" } } }] }),
            "promo_2 c2",
        ),
    ] {
        let order = session(|session| {
            session["discounts"] = discounts.clone();
            session["total_details"]["breakdown"] = breakdown;
        });
        assert_eq!(order.codes.join(" "), expected, "{discounts}");
    }
}

#[test]
fn what_is_not_paid_or_not_real_says_so() {
    for (kind, status, livemode, expected) in [
        ("checkout.session.completed", "paid", true, (true, false)),
        ("checkout.session.completed", "no_payment_required", true, (true, false)),
        ("checkout.session.completed", "unpaid", true, (false, false)),
        ("checkout.session.async_payment_succeeded", "paid", true, (true, false)),
        ("checkout.session.completed", "paid", false, (true, true)),
    ] {
        let event = read(SESSION, |body| {
            body["type"] = kind.into();
            body["livemode"] = livemode.into();
            body["data"]["object"]["payment_status"] = status.into();
        });
        let events = event.expect("a good session").events;
        let OrderEvent::Order(order) = &events[0] else {
            panic!("{events:?}")
        };
        assert_eq!((order.is_paid, order.is_test), expected, "{kind} {status}");
    }
    let none = read(SESSION, |body| body["data"]["object"]["mode"] = "setup".into());
    assert_eq!(none.expect("readable").events, []);
    for kind in ["checkout.session.expired", "invoice.paid", ""] {
        let event = read(SESSION, |body| body["type"] = kind.into()).expect("readable");
        assert_eq!(event.events, [], "{kind}");
    }
}

#[test]
fn refunds_are_running_totals_of_their_charge() {
    let events = read(REFUNDED, |_| {}).expect("a good refund").events;
    let OrderEvent::Refund(refund) = &events[0] else {
        panic!("{events:?}")
    };
    assert_eq!(
        (refund.order_external_id.as_str(), refund.external_id.as_str()),
        ("pi_3Hop7311", "ch_3Hop7311")
    );
    assert_eq!((refund.amount(), refund.is_running_total), (Some(1791), true));
}

#[test]
fn currencies_without_digits_are_read_as_stripe_counts() {
    for (code, amount, revenue) in [("jpy", 1200, 1200), ("isk", 500, 5), ("kwd", 1230, 1230)] {
        let order = session(|session| {
            session["currency"] = code.into();
            session["amount_total"] = amount.into();
            session["total_details"] = Value::Null;
        });
        assert_eq!((order.revenue, order.currency), (revenue, code.to_uppercase()));
    }
}

#[test]
fn bad_bodies_name_their_field() {
    type Change = fn(&mut Value);
    let table: [(&str, &str, Change); 6] = [
        (SESSION, "data.object", |body| body["data"] = Value::Null),
        (SESSION, "created", |body| body["created"] = Value::Null),
        (SESSION, "currency", |body| {
            body["data"]["object"]["currency"] = Value::Null
        }),
        (SESSION, "amount_total", |body| {
            body["data"]["object"]["amount_total"] = Value::Null
        }),
        (REFUNDED, "amount_refunded", |body| {
            body["data"]["object"]["amount_refunded"] = (-1).into()
        }),
        (REFUNDED, "data.object", |body| {
            body["data"]["object"]["amount_refunded"] = "5".into()
        }),
    ];
    for (text, field, change) in table {
        assert_eq!(read(text, change).map_err(|error| error.field), Err(field));
    }
}

fn sign(secret: &str, time: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let tag = hmac::sign(&key, format!("{time}.{SESSION}").as_bytes());
    tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn signatures_hold_for_five_minutes_under_any_secret() {
    let secrets = ["whsec_old".to_owned(), "whsec_new".to_owned()];
    let check =
        |header: &str, seconds: i64| verify(&secrets, SESSION.as_bytes(), header, Timestamp::from_seconds(seconds));
    let time = AT.to_string();
    let (old, new, other) = (
        sign("whsec_old", &time),
        sign("whsec_new", &time),
        sign("whsec_x", &time),
    );
    for (header, seconds, expected) in [
        (format!("t={AT},v1={new}"), AT, true),
        (format!("t={AT},v1={old},v0={other}"), AT + 300, true),
        (format!("t={AT}, v1={other}, v1={new}"), AT - 300, true),
        (format!("t={AT},v1={new}"), AT + 301, false),
        (format!("t={AT},v1={new}"), AT - 301, false),
        (format!("t={},v1={new}", AT + 1), AT, false),
        (format!("t={AT},t={AT},v1={new}"), AT, false),
        (format!("t={AT},v1={other}"), AT, false),
        (format!("t={AT},v0={new}"), AT, false),
        (format!("v1={new}"), AT, false),
        (format!("t={AT},v1={}", &new[..62]), AT, false),
        (format!("t={AT},v1="), AT, false),
        (String::new(), AT, false),
        (format!("t=now,v1={new}"), AT, false),
    ] {
        assert_eq!(check(&header, seconds), expected, "{header} at {seconds}");
    }
    let none = format!("t={AT},v1={}", sign("", &time));
    assert!(!verify(
        &[String::new()],
        SESSION.as_bytes(),
        &none,
        Timestamp::from_seconds(AT)
    ));
}

proptest! {
    #[test]
    fn any_bytes_end_in_an_event_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0usize..1500) {
        for text in [SESSION, REFUNDED] {
            let mut body = text.as_bytes().to_vec();
            let at = at.min(body.len());
            let end = (at + bytes.len()).min(body.len());
            body.splice(at..end, bytes.iter().copied());
            for body in [&bytes, &body] {
                if let Err(error) = parse(body, &customers()) {
                    prop_assert!(!error.field.is_empty());
                }
            }
        }
        let header = String::from_utf8_lossy(&bytes);
        prop_assert!(!verify(&["s".to_owned()], b"", &header, Timestamp(0)));
    }
}
