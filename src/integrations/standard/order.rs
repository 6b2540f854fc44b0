//! Our own JSON of orders and refunds, for every shop that can be taught to send it:
//!
//! ```json
//! {"type": "order", "data": {"id": "1001", "orderedAt": "2026-11-20T09:00:00Z", "updatedAt": "2026-11-20T09:05:00Z",
//!   "currency": "EUR", "revenue": 5382, "paid": true, "discountCodes": ["MIA10"], "clickId": "…"}}
//! {"type": "refund", "data": {"id": "r1", "orderId": "1001", "at": "2026-11-21T08:00:00Z", "amount": 1990}}
//! ```
//!
//! Money is integer minor units, after discounts, without tax and shipping. A field that is not known is refused: a
//! misspelt click id would lose its creator in silence. Pure.

use serde::Deserialize;
use serde_json::Value;

use crate::domain::customer::CustomerKey;
use crate::domain::order::{OrderEvent, OrderLine, OrderSnapshot, Refund, RefundLine};
use crate::domain::time::Timestamp;
use crate::integrations::payload::{self, PayloadError, bad, bounded, required_id};

#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "type")]
    kind: String,
    data: Value,
}

/// Reads a body; customers without an id are told apart by the hash of their address under `customers`. Returns the
/// type and what it tells; types that begin neither with `order` nor with `refund` tell nothing.
///
/// # Errors
/// The first field that is missing, malformed or unknown.
pub fn parse(body: &[u8], customers: &CustomerKey) -> Result<(String, Vec<OrderEvent>), PayloadError> {
    let Envelope { kind, data } = payload::json(body)?;
    let events = match kind.split('.').next().unwrap_or_default() {
        "order" => part::<OrderBody>(data)?.events(customers)?,
        "refund" => {
            let refund: RefundBody = part(data)?;
            let order = required_id("data.orderId", refund.order_id.as_ref())?;
            vec![OrderEvent::Refund(refund.refund(order)?)]
        }
        _ => Vec::new(),
    };
    Ok((kind, events))
}

fn part<T: serde::de::DeserializeOwned>(data: Value) -> Result<T, PayloadError> {
    serde_path_to_error::deserialize(data).map_err(|error| bad("data", &format!("{}: {}", error.path(), error.inner())))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OrderBody {
    id: Option<Value>,
    name: Option<String>,
    ordered_at: String,
    updated_at: Option<String>,
    currency: String,
    revenue: i64,
    #[serde(default)]
    discounts: i64,
    paid: bool,
    #[serde(default)]
    test: bool,
    cancelled_at: Option<String>,
    customer_id: Option<Value>,
    customer_email: Option<String>,
    #[serde(default)]
    discount_codes: Vec<String>,
    click_id: Option<String>,
    #[serde(default)]
    lines: Vec<LineBody>,
    #[serde(default)]
    refunds: Vec<RefundBody>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LineBody {
    id: Option<Value>,
    sku: Option<String>,
    variant_id: Option<Value>,
    #[serde(default)]
    title: String,
    quantity: Option<u32>,
    amount: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RefundBody {
    id: Option<Value>,
    order_id: Option<Value>,
    at: String,
    amount: i64,
}

impl OrderBody {
    fn events(self, customers: &CustomerKey) -> Result<Vec<OrderEvent>, PayloadError> {
        let external_id = required_id("data.id", self.id.as_ref())?;
        let ordered_at = instant("data.orderedAt", &self.ordered_at)?;
        let optional = |field, text: Option<String>| text.map(|text| instant(field, &text)).transpose();
        let lines = bounded("data.lines", self.lines, payload::LINES_MAX)?;
        let buyer = self.customer_email.and_then(|address| customers.of_email(&address));
        let customer = match &self.customer_id {
            Some(id) => Some(required_id("data.customerId", Some(id))?),
            None => buyer.clone(),
        };
        let snapshot = OrderSnapshot {
            name: self.name.unwrap_or_else(|| format!("#{external_id}")),
            ordered_at,
            updated_at: optional("data.updatedAt", self.updated_at)?.unwrap_or(ordered_at),
            currency: self.currency.to_ascii_uppercase(),
            revenue: self.revenue,
            discounts: self.discounts,
            is_test: self.test,
            is_paid: self.paid,
            cancelled_at: optional("data.cancelledAt", self.cancelled_at)?,
            customer,
            buyer,
            codes: payload::codes(self.discount_codes),
            click_id: self.click_id.filter(|id| !id.is_empty()),
            lines: lines.into_iter().map(LineBody::line).collect::<Result<_, _>>()?,
            external_id: external_id.clone(),
        };
        let refunds = bounded("data.refunds", self.refunds, payload::REFUNDS_MAX)?;
        let mut events = vec![OrderEvent::Order(snapshot)];
        for refund in refunds {
            events.push(OrderEvent::Refund(refund.refund(external_id.clone())?));
        }
        Ok(events)
    }
}

impl LineBody {
    fn line(self) -> Result<OrderLine, PayloadError> {
        Ok(OrderLine {
            external_id: required_id("data.lines.id", self.id.as_ref())?,
            sku: self.sku.filter(|sku| !sku.is_empty()),
            variant_id: self.variant_id.as_ref().and_then(payload::id_text),
            title: self.title,
            quantity: self.quantity.unwrap_or(1),
            amount: self.amount,
        })
    }
}

impl RefundBody {
    fn refund(self, order: String) -> Result<Refund, PayloadError> {
        if self.amount < 0 {
            return Err(bad(
                "data.amount",
                "is negative: tell what was given back as a positive amount",
            ));
        }
        Ok(Refund {
            external_id: required_id("data.id", self.id.as_ref())?,
            order_external_id: order,
            at: instant("data.at", &self.at)?,
            is_running_total: false,
            lines: vec![RefundLine {
                line_external_id: String::new(),
                quantity: 1,
                amount: self.amount,
            }],
        })
    }
}

fn instant(field: &'static str, text: &str) -> Result<Timestamp, PayloadError> {
    Timestamp::parse(text).ok_or_else(|| bad(field, "must be an instant such as 2026-11-20T09:00:00Z"))
}

#[cfg(test)]
mod tests;
