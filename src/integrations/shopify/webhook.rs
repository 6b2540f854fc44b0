//! Shopify's order webhooks: verified on the raw body, then read into our words.
//!
//! Source: shopify.dev, "Verify webhook deliveries" and the webhook payloads of API version 2026-07. Money comes as
//! decimal strings, in refunds also as numbers. Pure: no clock, no store.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;

use crate::domain::customer::CustomerKey;
use crate::domain::money::{self, Currency};
use crate::domain::order::{OrderEvent, OrderLine, OrderSnapshot, Refund, RefundLine};
use crate::domain::time::Timestamp;
use crate::integrations::payload::{self, PayloadError, amount, bad, bounded, id_text, json};

/// Whether `signature` (`X-Shopify-Hmac-SHA256`: base64 of HMAC-SHA256 over the raw body) was made with one of
/// `secrets`. No secret accepts nothing. Compares in constant time.
pub fn verify(secrets: &[String], body: &[u8], signature: &str) -> bool {
    let Ok(tag) = STANDARD.decode(signature.trim()) else {
        return false;
    };
    payload::is_signed(secrets.iter().map(String::as_bytes), &[body], &tag)
}

/// Reads the body of a delivery under `topic` for a store that sells in `currency`; the buyer's address becomes a hash.
///
/// # Errors
/// The first field that is missing or malformed.
pub fn parse(topic: &str, body: &[u8], currency: &str, customers: &CustomerKey) -> Result<OrderEvent, PayloadError> {
    match topic {
        "orders/create" | "orders/paid" | "orders/updated" | "orders/cancelled" | "orders/edited" => {
            let order: OrderBody = json(body)?;
            order.snapshot(topic, customers).map(OrderEvent::Order)
        }
        "refunds/create" => {
            let refund: RefundBody = json(body)?;
            let currency = money::currency(currency).ok_or_else(|| bad("currency", "of the store is unknown"))?;
            refund.refund(currency).map(OrderEvent::Refund)
        }
        _ => Ok(OrderEvent::Ignored),
    }
}

#[derive(Deserialize)]
struct OrderBody {
    id: Value,
    name: Option<String>,
    created_at: Option<String>,
    processed_at: Option<String>,
    updated_at: Option<String>,
    cancelled_at: Option<String>,
    financial_status: Option<String>,
    #[serde(default)]
    test: Option<bool>,
    currency: Option<String>,
    subtotal_price: Option<Value>,
    current_subtotal_price: Option<Value>,
    total_discounts: Option<Value>,
    #[serde(default)]
    taxes_included: Option<bool>,
    #[serde(default)]
    note_attributes: Option<Vec<Attribute>>,
    #[serde(default)]
    discount_codes: Option<Vec<Code>>,
    landing_site: Option<String>,
    email: Option<String>,
    customer: Option<Customer>,
    #[serde(default)]
    line_items: Option<Vec<LineBody>>,
}

#[derive(Deserialize)]
struct Attribute {
    name: Option<Value>,
    value: Option<Value>,
}

#[derive(Deserialize)]
struct Code {
    code: Option<String>,
}

#[derive(Deserialize)]
struct Customer {
    id: Option<Value>,
}

#[derive(Deserialize)]
struct LineBody {
    id: Value,
    sku: Option<String>,
    variant_id: Option<Value>,
    title: Option<String>,
    quantity: Option<u32>,
    price: Option<Value>,
    #[serde(default)]
    discount_allocations: Option<Vec<Amount>>,
    #[serde(default)]
    tax_lines: Option<Vec<TaxLine>>,
}

#[derive(Deserialize)]
struct Amount {
    amount: Option<Value>,
}

#[derive(Deserialize)]
struct TaxLine {
    price: Option<Value>,
}

impl OrderBody {
    fn snapshot(self, topic: &str, customers: &CustomerKey) -> Result<OrderSnapshot, PayloadError> {
        let code = self.currency.as_deref().ok_or_else(|| bad("currency", "is missing"))?;
        // An unknown currency is set aside by the flow; its amounts are read with two digits until then.
        let currency = money::currency(code).unwrap_or(Currency::USD);
        let subtotal = self.subtotal_price.as_ref().or(self.current_subtotal_price.as_ref());
        let subtotal = amount(
            "subtotal_price",
            subtotal.ok_or_else(|| bad("subtotal_price", "is missing"))?,
            currency,
        )?;
        let is_tax_inside = self.taxes_included.unwrap_or(false);
        let (lines, tax) = read_lines(self.line_items.unwrap_or_default(), currency, is_tax_inside)?;
        let revenue = subtotal
            .checked_sub(tax)
            .ok_or_else(|| bad("subtotal_price", "does not fit"))?;
        let instant = |text: &Option<String>| text.as_deref().and_then(Timestamp::parse);
        let ordered_at = instant(&self.processed_at).or(instant(&self.created_at));
        let ordered_at = ordered_at.ok_or_else(|| bad("created_at", "is missing or not an instant"))?;
        let updated_at = instant(&self.updated_at).unwrap_or(ordered_at);
        let told_cancelled = (topic == "orders/cancelled").then_some(updated_at);
        let status = self.financial_status.as_deref().unwrap_or_default();
        let external_id = id_text(&self.id).ok_or_else(|| bad("id", "is not a number or text"))?;
        let attributes = self.note_attributes.unwrap_or_default();
        Ok(OrderSnapshot {
            name: self.name.unwrap_or_else(|| format!("#{external_id}")),
            external_id,
            ordered_at,
            updated_at,
            currency: code.to_ascii_uppercase(),
            revenue,
            discounts: self
                .total_discounts
                .as_ref()
                .map_or(Ok(0), |value| amount("total_discounts", value, currency))?,
            is_test: self.test.unwrap_or(false),
            is_paid: topic == "orders/paid" || matches!(status, "paid" | "partially_refunded" | "refunded"),
            cancelled_at: instant(&self.cancelled_at).or(told_cancelled),
            customer: self
                .customer
                .and_then(|customer| customer.id.as_ref().and_then(id_text)),
            buyer: self.email.and_then(|address| customers.of_email(&address)),
            codes: payload::codes(
                self.discount_codes
                    .unwrap_or_default()
                    .into_iter()
                    .filter_map(|code| code.code),
            ),
            click_id: click_id(&attributes, self.landing_site.as_deref()),
            lines,
        })
    }
}

/// The cart attribute `hop_id`; for links that lead to a page, the same name in the landing URL.
fn click_id(attributes: &[Attribute], landing_site: Option<&str>) -> Option<String> {
    let named = |attribute: &&Attribute| attribute.name.as_ref().and_then(Value::as_str) == Some("hop_id");
    let returned = attributes
        .iter()
        .find(named)
        .and_then(|attribute| attribute.value.as_ref())
        .and_then(Value::as_str);
    if let Some(returned) = returned.filter(|text| !text.is_empty()) {
        return Some(returned.to_owned());
    }
    let query = landing_site?.split_once('?')?.1.split('#').next()?;
    let (_, value) = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "hop_id")?;
    Some(value.into_owned())
}

/// The order's lines, and the tax inside their prices.
fn read_lines(
    bodies: Vec<LineBody>,
    currency: Currency,
    is_tax_inside: bool,
) -> Result<(Vec<OrderLine>, i64), PayloadError> {
    let bodies = bounded("line_items", bodies, payload::LINES_MAX)?;
    let too_large = || bad("line_items", "add up to more than fits");
    let mut lines = Vec::with_capacity(bodies.len());
    let mut tax_total: i64 = 0;
    for body in bodies {
        let quantity = body.quantity.unwrap_or(1);
        let price = body
            .price
            .as_ref()
            .map_or(Ok(0), |price| amount("line_items.price", price, currency))?;
        let mut tax: i64 = 0;
        for line in body.tax_lines.unwrap_or_default().iter().filter(|_| is_tax_inside) {
            let part = line
                .price
                .as_ref()
                .map_or(Ok(0), |price| amount("line_items.tax_lines.price", price, currency))?;
            tax = tax.checked_add(part).ok_or_else(too_large)?;
        }
        let mut net = price
            .checked_mul(i64::from(quantity))
            .and_then(|gross| gross.checked_sub(tax))
            .ok_or_else(too_large)?;
        for discount in body.discount_allocations.unwrap_or_default() {
            let part = discount
                .amount
                .as_ref()
                .map_or(Ok(0), |part| amount("line_items.discount_allocations", part, currency))?;
            net = net.checked_sub(part).ok_or_else(too_large)?;
        }
        tax_total = tax_total.checked_add(tax).ok_or_else(too_large)?;
        lines.push(OrderLine {
            external_id: id_text(&body.id).ok_or_else(|| bad("line_items.id", "is not a number or text"))?,
            sku: body.sku.filter(|sku| !sku.is_empty()),
            variant_id: body.variant_id.as_ref().and_then(id_text),
            title: body.title.unwrap_or_default(),
            quantity,
            amount: net,
        });
    }
    Ok((lines, tax_total))
}

#[derive(Deserialize)]
struct RefundBody {
    id: Value,
    order_id: Option<Value>,
    processed_at: Option<String>,
    created_at: Option<String>,
    #[serde(default)]
    refund_line_items: Option<Vec<RefundLineBody>>,
}

#[derive(Deserialize)]
struct RefundLineBody {
    line_item_id: Option<Value>,
    quantity: Option<u32>,
    subtotal: Option<Value>,
}

impl RefundBody {
    fn refund(self, currency: Currency) -> Result<Refund, PayloadError> {
        let bodies = bounded(
            "refund_line_items",
            self.refund_line_items.unwrap_or_default(),
            payload::LINES_MAX,
        )?;
        let line = |body: RefundLineBody| {
            let subtotal = body
                .subtotal
                .as_ref()
                .ok_or_else(|| bad("refund_line_items.subtotal", "is missing"))?;
            let amount = amount("refund_line_items.subtotal", subtotal, currency)?;
            if amount < 0 {
                return Err(bad("refund_line_items.subtotal", "is negative"));
            }
            let line_external_id = body.line_item_id.as_ref().and_then(id_text).unwrap_or_default();
            Ok(RefundLine {
                line_external_id,
                quantity: body.quantity.unwrap_or(1),
                amount,
            })
        };
        let at = self
            .processed_at
            .or(self.created_at)
            .as_deref()
            .and_then(Timestamp::parse);
        Ok(Refund {
            external_id: id_text(&self.id).ok_or_else(|| bad("id", "is not a number or text"))?,
            order_external_id: self
                .order_id
                .as_ref()
                .and_then(id_text)
                .ok_or_else(|| bad("order_id", "is missing"))?,
            at: at.ok_or_else(|| bad("created_at", "is missing or not an instant"))?,
            is_running_total: false,
            lines: bodies.into_iter().map(line).collect::<Result<_, _>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::hmac;

    use super::*;
    use crate::domain::id::WorkspaceNo;
    use crate::domain::keyring::{Keyring, Secret};

    fn customers() -> CustomerKey {
        let secret = Secret {
            version: 1,
            key: [7; 32],
        };
        CustomerKey::of(&Keyring::new(vec![secret]).expect("a ring"), WorkspaceNo(1))
    }

    fn order(change: impl FnOnce(&mut Value)) -> Result<OrderSnapshot, PayloadError> {
        let mut body: Value =
            serde_json::from_str(include_str!("../../../fixtures/shopify/orders_paid.json")).expect("a fixture");
        change(&mut body);
        match parse("orders/paid", body.to_string().as_bytes(), "EUR", &customers())? {
            OrderEvent::Order(snapshot) => Ok(snapshot),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn paid_orders_are_read() {
        let snapshot = order(|_| {}).expect("a good order");
        assert_eq!(
            (snapshot.external_id.as_str(), snapshot.name.as_str()),
            ("820982911946154508", "#1001")
        );
        assert_eq!(
            (snapshot.revenue, snapshot.discounts, snapshot.currency.as_str()),
            (5382, 598, "EUR")
        );
        assert_eq!(snapshot.codes, ["MIA10"]);
        assert_eq!(snapshot.click_id.as_deref(), Some("CLICK"));
        assert_eq!(snapshot.customer.as_deref(), Some("115310627314723954"));
        assert_eq!(snapshot.buyer, None);
        let named = order(|body| body["email"] = "Mia@brand.example".into()).expect("a good order");
        assert_eq!(
            named.buyer,
            customers().of_email("mia@BRAND.example"),
            "hashed, never kept"
        );
        assert!(snapshot.is_paid && !snapshot.is_test);
        assert_eq!(snapshot.lines.iter().map(|line| line.amount).sum::<i64>(), 5382);
        assert_eq!(snapshot.ordered_at.to_string(), "2026-11-20T09:00:00.000Z");
    }

    #[test]
    fn tax_inside_prices_is_taken_out() {
        let snapshot = order(|body| {
            body["taxes_included"] = true.into();
            body["line_items"][0]["tax_lines"] = serde_json::json!([{ "price": "3.00" }, { "price": "0.82" }]);
            body["line_items"][1]["tax_lines"] = serde_json::json!([{ "price": "1.00" }]);
        });
        assert_eq!(snapshot.map(|order| order.revenue), Ok(5382 - 382 - 100));
    }

    #[test]
    fn links_to_pages_return_their_id_in_the_landing_url() {
        let snapshot = order(|body| {
            body["note_attributes"] = serde_json::json!([]);
            body["landing_site"] = "/products/mug?utm_source=x&hop_id=LANDED#a".into();
        });
        assert_eq!(snapshot.expect("a good order").click_id.as_deref(), Some("LANDED"));
    }

    #[test]
    fn bad_orders_name_their_field() {
        for (change, field) in [
            (
                (|body| body["subtotal_price"] = Value::Null) as fn(&mut Value),
                "subtotal_price",
            ),
            (|body| body["subtotal_price"] = "abc".into(), "subtotal_price"),
            (|body| body["currency"] = Value::Null, "currency"),
            (|body| body["created_at"] = "soon".into(), "created_at"),
            (|body| body["id"] = (-1).into(), "id"),
        ] {
            let told = order(|body| {
                body["current_subtotal_price"] = Value::Null;
                body["processed_at"] = Value::Null;
                change(body);
            });
            assert_eq!(told.map_err(|error| error.field), Err(field));
        }
    }

    #[test]
    fn refunds_add_up_strings_and_numbers() {
        let body = include_bytes!("../../../fixtures/shopify/refunds_create.json");
        let OrderEvent::Refund(refund) = parse("refunds/create", body, "EUR", &customers()).expect("a good refund")
        else {
            panic!("not a refund")
        };
        assert_eq!(
            (refund.order_external_id.as_str(), refund.amount()),
            ("820982911946154508", Some(1794 + 897))
        );
        assert_eq!(
            parse("products/update", b"{}", "EUR", &customers()),
            Ok(OrderEvent::Ignored)
        );
        assert!(parse("refunds/create", b"[]", "EUR", &customers()).is_err());
    }

    #[test]
    fn only_the_raw_body_under_a_known_secret_passes() {
        let secrets = vec!["old".to_owned(), "new".to_owned()];
        let body = br#"{"id":1}"#;
        let sign = |secret: &str| {
            STANDARD.encode(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), body).as_ref())
        };
        assert!(verify(&secrets, body, &sign("old")) && verify(&secrets, body, &sign("new")));
        assert!(!verify(&secrets, body, &sign("other")));
        assert!(!verify(&secrets, br#"{"id": 1}"#, &sign("new")));
        assert!(!verify(&secrets, body, "not base64!") && !verify(&secrets, body, ""));
        assert!(!verify(&[], body, &sign("")) && !verify(&[String::new()], body, &sign("")));
    }
}
