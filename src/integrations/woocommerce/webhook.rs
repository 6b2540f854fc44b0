//! WooCommerce's order webhooks: verified on the raw body, then read into our words.
//!
//! Source: WooCommerce's REST API documentation ("Webhooks", "Orders", version 3). A line's `total` is after discounts
//! and without tax, whether the shop's prices include tax or not. Refunds stand inside their order, with their tax and
//! without a date: they are taken without the tax, and dated by the first delivery that tells them. Pure.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;

use crate::domain::cart::CLICK_ID_ATTRIBUTE;
use crate::domain::click_id;
use crate::domain::customer::CustomerKey;
use crate::domain::money::{self, Currency};
use crate::domain::order::{self, OrderEvent, OrderLine, OrderSnapshot, Refund, RefundLine};
use crate::domain::time::Timestamp;
use crate::integrations::payload::{self, PayloadError, amount_rounded, bad, bounded, id_text, required_id, sum};

/// Where WooCommerce keeps `utm_id` of the visit that ended in the order: what our checkout links carry the click in.
const UTM_ID: &str = "_wc_order_attribution_utm_id";
/// The same of `utm_content`: where a brand's own links may carry it.
const UTM_CONTENT: &str = "_wc_order_attribution_utm_content";
/// The first URL of that visit: links that lead to a page carry the click in its query.
const SESSION_ENTRY: &str = "_wc_order_attribution_session_entry";

/// Whether `signature` (`X-WC-Webhook-Signature`: base64 of HMAC-SHA256 over the raw body) was made with one of
/// `secrets`. Compares in constant time.
pub fn verify(secrets: &[String], body: &[u8], signature: &str) -> bool {
    let Ok(tag) = STANDARD.decode(signature.trim()) else {
        return false;
    };
    payload::is_signed(secrets.iter().map(String::as_bytes), &[body], &tag)
}

/// Whether this is the ping that a new webhook begins with: an unsigned form that holds the webhook's number. It says
/// nothing, so nobody gains by forging it; answered otherwise than with 2xx, the webhook stays off.
pub fn is_ping(body: &[u8]) -> bool {
    let number = body.strip_prefix(b"webhook_id=");
    number.is_some_and(|number| (1..=20).contains(&number.len()) && number.iter().all(u8::is_ascii_digit))
}

/// Reads the body of a delivery under `topic`; guests are told apart by the hash of their address under `customers`.
/// Throwing an order's record away (`order.deleted`) moves no money and tells nothing.
///
/// # Errors
/// The first field that is missing or malformed.
pub fn parse(topic: &str, body: &[u8], customers: &CustomerKey) -> Result<Vec<OrderEvent>, PayloadError> {
    match topic {
        "order.created" | "order.updated" | "order.restored" => {
            let order: OrderBody = payload::json(body)?;
            order.events(customers)
        }
        _ => Ok(Vec::new()),
    }
}

#[derive(Deserialize)]
struct OrderBody {
    id: Option<Value>,
    number: Option<Value>,
    status: Option<String>,
    currency: Option<String>,
    date_created_gmt: Option<String>,
    date_modified_gmt: Option<String>,
    date_paid_gmt: Option<String>,
    discount_total: Option<Value>,
    customer_id: Option<u64>,
    billing: Option<Billing>,
    line_items: Option<Vec<LineBody>>,
    coupon_lines: Option<Vec<CouponLine>>,
    refunds: Option<Vec<RefundBody>>,
    meta_data: Option<Vec<Meta>>,
}

#[derive(Deserialize)]
struct Billing {
    email: Option<String>,
}

#[derive(Deserialize)]
struct LineBody {
    id: Option<Value>,
    name: Option<String>,
    product_id: Option<u64>,
    variation_id: Option<u64>,
    quantity: Option<u32>,
    total: Option<Value>,
    total_tax: Option<Value>,
    sku: Option<String>,
}

#[derive(Deserialize)]
struct CouponLine {
    code: Option<String>,
}

#[derive(Deserialize)]
struct RefundBody {
    id: Option<Value>,
    total: Option<Value>,
}

#[derive(Deserialize)]
struct Meta {
    key: Option<String>,
    value: Option<Value>,
}

impl OrderBody {
    fn events(self, customers: &CustomerKey) -> Result<Vec<OrderEvent>, PayloadError> {
        let external_id = required_id("id", self.id.as_ref())?;
        let code = self.currency.as_deref().ok_or_else(|| bad("currency", "is missing"))?;
        // An unknown currency is set aside by the flow; its amounts are read with two digits until then.
        let currency = money::currency(code).unwrap_or(Currency::USD);
        let (lines, tax) = read_lines(self.line_items.unwrap_or_default(), currency)?;
        let revenue = sum("line_items", lines.iter().map(|line| line.amount))?;
        let ordered_at = gmt(self.date_created_gmt.as_deref());
        let ordered_at = ordered_at.ok_or_else(|| bad("date_created_gmt", "is missing or not an instant"))?;
        let updated_at = gmt(self.date_modified_gmt.as_deref()).unwrap_or(ordered_at);
        let refunds = read_refunds(self.refunds.unwrap_or_default(), currency)?;
        let status = self.status.as_deref().unwrap_or_default();
        let buyer = self.billing.and_then(|billing| customers.of_email(&billing.email?));
        let snapshot = OrderSnapshot {
            name: self
                .number
                .as_ref()
                .and_then(id_text)
                .map_or_else(|| format!("#{external_id}"), |number| format!("#{number}")),
            ordered_at,
            updated_at,
            currency: code.to_ascii_uppercase(),
            revenue,
            discounts: self
                .discount_total
                .as_ref()
                .map_or(Ok(0), |value| amount_rounded("discount_total", value, currency))?,
            is_test: false,
            is_paid: matches!(status, "processing" | "completed" | "refunded")
                || gmt(self.date_paid_gmt.as_deref()).is_some(),
            cancelled_at: matches!(status, "cancelled" | "refunded").then_some(updated_at),
            customer: customer(self.customer_id, buyer.as_ref()),
            buyer,
            codes: payload::codes(
                self.coupon_lines
                    .unwrap_or_default()
                    .into_iter()
                    .filter_map(|line| line.code),
            ),
            click_id: click_id(&self.meta_data.unwrap_or_default()),
            lines,
            external_id: external_id.clone(),
        };
        let refund = |(id, gross): (String, i64)| {
            OrderEvent::Refund(Refund {
                external_id: id,
                order_external_id: external_id.clone(),
                at: updated_at,
                is_running_total: false,
                lines: vec![RefundLine {
                    line_external_id: String::new(),
                    quantity: 1,
                    amount: order::without_tax(gross, revenue, tax),
                }],
            })
        };
        let refunds = refunds.into_iter().map(refund);
        Ok(std::iter::once(OrderEvent::Order(snapshot)).chain(refunds).collect())
    }
}

/// The order's lines, and the sum of their tax.
fn read_lines(bodies: Vec<LineBody>, currency: Currency) -> Result<(Vec<OrderLine>, i64), PayloadError> {
    let bodies = bounded("line_items", bodies, payload::LINES_MAX)?;
    let mut lines = Vec::with_capacity(bodies.len());
    let mut taxes = Vec::with_capacity(bodies.len());
    for body in bodies {
        let total = body
            .total
            .as_ref()
            .ok_or_else(|| bad("line_items.total", "is missing"))?;
        let tax = body.total_tax.as_ref();
        taxes.push(tax.map_or(Ok(0), |tax| amount_rounded("line_items.total_tax", tax, currency))?);
        let variant = [body.variation_id, body.product_id]
            .into_iter()
            .flatten()
            .find(|id| *id > 0);
        lines.push(OrderLine {
            external_id: required_id("line_items.id", body.id.as_ref())?,
            sku: body.sku.filter(|sku| !sku.is_empty()),
            variant_id: variant.map(|id| id.to_string()),
            title: body.name.unwrap_or_default(),
            quantity: body.quantity.unwrap_or(1),
            amount: amount_rounded("line_items.total", total, currency)?,
        });
    }
    Ok((lines, sum("line_items.total_tax", taxes)?))
}

/// Ids of the refunds and what each gave back, with its tax.
fn read_refunds(bodies: Vec<RefundBody>, currency: Currency) -> Result<Vec<(String, i64)>, PayloadError> {
    let read = |body: RefundBody| {
        let total = body.total.as_ref().ok_or_else(|| bad("refunds.total", "is missing"))?;
        // Told as what it does to the order: `-10.00`.
        let gross = amount_rounded("refunds.total", total, currency)?;
        Ok((required_id("refunds.id", body.id.as_ref())?, gross.saturating_abs()))
    };
    let bodies = bounded("refunds", bodies, payload::REFUNDS_MAX)?;
    bodies.into_iter().map(read).collect()
}

/// An instant as WooCommerce writes it: UTC without saying so, `2026-11-20T09:00:00`.
fn gmt(text: Option<&str>) -> Option<Timestamp> {
    let text = text?.trim();
    Timestamp::parse(&format!("{text}Z")).or_else(|| Timestamp::parse(text))
}

/// The shop's number of an account; guests by their address.
fn customer(account: Option<u64>, buyer: Option<&String>) -> Option<String> {
    match account {
        Some(number) if number > 0 => Some(number.to_string()),
        _ => buyer.cloned(),
    }
}

/// The click that came back: by its own name, as `utm_id`, in the first URL of the visit, as `utm_content`. The two
/// parameters are also used by others, so only what is written as a click id is taken from them.
fn click_id(meta: &[Meta]) -> Option<String> {
    let text = |key: &str| {
        let named = meta.iter().find(|entry| entry.key.as_deref() == Some(key))?;
        named
            .value
            .as_ref()?
            .as_str()
            .map(str::trim)
            .filter(|text| !text.is_empty())
    };
    let shaped = |key: &str| text(key).filter(|text| click_id::is_shaped(text)).map(str::to_owned);
    let landed = || {
        let query = text(SESSION_ENTRY)?.split_once('?')?.1.split('#').next()?;
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        let (_, id) = pairs.find(|(name, _)| name == CLICK_ID_ATTRIBUTE)?;
        Some(id.into_owned())
    };
    text(CLICK_ID_ATTRIBUTE)
        .map(str::to_owned)
        .or_else(|| shaped(UTM_ID))
        .or_else(landed)
        .or_else(|| shaped(UTM_CONTENT))
}

#[cfg(test)]
mod tests;
