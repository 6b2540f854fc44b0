//! Stripe's webhooks: sessions of payment links, and refunds of their charges. Verified on the raw body, then read into
//! our words.
//!
//! Source: docs.stripe.com, "Webhook signatures" and the objects Event, Checkout Session and Charge. A session and its
//! charge name one PaymentIntent: that is the order's id. A charge tells how much was given back so far, so its refund
//! is a running total; it says nothing of tax and shipping, and is taken as it is, up to the order's revenue. Pure.

use serde::Deserialize;
use serde_json::Value;

use super::currency;
use crate::domain::customer::CustomerKey;
use crate::domain::money::{self, Currency};
use crate::domain::order::{OrderEvent, OrderSnapshot, Refund, RefundLine};
use crate::domain::time::Timestamp;
use crate::integrations::payload::{self, PayloadError, bad, bounded};

/// How far a signature's time may be from ours, in seconds: Stripe's own libraries take as much.
pub const TOLERANCE_S: i64 = 300;
/// Most signatures of one header that are tried: one a secret, and Stripe keeps two secrets at a time.
const SIGNATURES_MAX: usize = 10;

/// Whether `header` (`Stripe-Signature: t=…,v1=…`) signs `body` with one of `secrets`, not more than [`TOLERANCE_S`]
/// before or after `now`. Other schemes than `v1` are not looked at. Compares in constant time.
pub fn verify(secrets: &[String], body: &[u8], header: &str, now: Timestamp) -> bool {
    let mut time = None;
    let mut tags: Vec<Vec<u8>> = Vec::new();
    for (name, value) in header.split(',').filter_map(|part| part.trim().split_once('=')) {
        match name {
            "t" if time.is_some() => return false,
            "t" => time = Some(value),
            "v1" if tags.len() < SIGNATURES_MAX => tags.extend(from_hex(value)),
            _ => {}
        }
    }
    let Some(time) = time else { return false };
    let is_fresh = time
        .parse::<i64>()
        .is_ok_and(|seconds| now.seconds().saturating_sub(seconds).saturating_abs() <= TOLERANCE_S);
    let keys = || secrets.iter().map(String::as_bytes);
    let fits = |tag: &&Vec<u8>| payload::is_signed(keys(), &[time.as_bytes(), b".", body], tag);
    tags.iter().filter(fits).count() > 0 && is_fresh
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let bytes = text.as_bytes();
    if bytes.len() != 64 {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    bytes
        .chunks(2)
        .map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?))
        .collect()
}

/// A delivery, read.
#[derive(Debug, PartialEq, Eq)]
pub struct StripeEvent {
    /// Stripe's id of it; the same when it is sent again.
    pub id: String,
    /// Such as `checkout.session.completed`.
    pub kind: String,
    pub events: Vec<OrderEvent>,
}

/// Reads a body; customers without an account are told apart by the hash of their address under `customers`.
///
/// # Errors
/// The first field that is missing or malformed.
pub fn parse(body: &[u8], customers: &CustomerKey) -> Result<StripeEvent, PayloadError> {
    let event: EventBody = payload::json(body)?;
    let at = event.created.map(Timestamp::from_seconds);
    let at = at.ok_or_else(|| bad("created", "is missing"))?;
    let is_test = !event.livemode.unwrap_or(true);
    let object = event.data.and_then(|data| data.object);
    let object = object.ok_or_else(|| bad("data.object", "is missing"))?;
    let events = match event.kind.as_str() {
        "checkout.session.completed" | "checkout.session.async_payment_succeeded" => {
            let session: SessionBody = part(object)?;
            let snapshot = session.snapshot(&event.kind, at, is_test, customers)?;
            snapshot.map(OrderEvent::Order).into_iter().collect()
        }
        "charge.refunded" => {
            let charge: ChargeBody = part(object)?;
            vec![OrderEvent::Refund(charge.refund(at)?)]
        }
        _ => Vec::new(),
    };
    Ok(StripeEvent {
        id: event.id,
        kind: event.kind,
        events,
    })
}

fn part<T: serde::de::DeserializeOwned>(object: Value) -> Result<T, PayloadError> {
    serde_json::from_value(object).map_err(|error| bad("data.object", &error.to_string()))
}

#[derive(Deserialize)]
struct EventBody {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    created: Option<i64>,
    livemode: Option<bool>,
    data: Option<DataBody>,
}

#[derive(Deserialize)]
struct DataBody {
    object: Option<Value>,
}

#[derive(Deserialize)]
struct SessionBody {
    id: String,
    mode: Option<String>,
    created: Option<i64>,
    currency: Option<String>,
    amount_total: Option<i64>,
    total_details: Option<TotalDetails>,
    payment_status: Option<String>,
    payment_intent: Option<Reference>,
    client_reference_id: Option<String>,
    customer: Option<Reference>,
    customer_details: Option<CustomerDetails>,
    discounts: Option<Vec<DiscountBody>>,
}

#[derive(Deserialize, Default)]
struct TotalDetails {
    amount_discount: Option<i64>,
    amount_shipping: Option<i64>,
    amount_tax: Option<i64>,
    breakdown: Option<Breakdown>,
}

#[derive(Deserialize)]
struct Breakdown {
    discounts: Option<Vec<BreakdownDiscount>>,
}

#[derive(Deserialize)]
struct BreakdownDiscount {
    discount: Option<DiscountBody>,
}

/// A discount names a coupon, and the promotion code that a customer typed.
#[derive(Deserialize)]
struct DiscountBody {
    promotion_code: Option<Reference>,
    coupon: Option<Reference>,
}

#[derive(Deserialize)]
struct CustomerDetails {
    email: Option<String>,
}

/// Another object: its id, or where the brand's endpoint expands it, the object itself.
#[derive(Deserialize)]
#[serde(untagged)]
enum Reference {
    Id(String),
    Object { id: String, code: Option<String> },
}

impl Reference {
    fn id(self) -> String {
        match self {
            Self::Id(id) | Self::Object { id, .. } => id,
        }
    }

    /// What a customer types, where it is told; else the id, which a brand can register as a code just as well.
    fn code(self) -> String {
        match self {
            Self::Object { code: Some(code), .. } => code,
            other => other.id(),
        }
    }
}

impl SessionBody {
    /// `None` for a session that sells nothing.
    fn snapshot(
        self,
        kind: &str,
        at: Timestamp,
        is_test: bool,
        customers: &CustomerKey,
    ) -> Result<Option<OrderSnapshot>, PayloadError> {
        if self.mode.as_deref() == Some("setup") {
            return Ok(None);
        }
        let code = self.currency.as_deref().ok_or_else(|| bad("currency", "is missing"))?;
        let money = Money::of(code);
        let total = self.amount_total.ok_or_else(|| bad("amount_total", "is missing"))?;
        let details = self.total_details.unwrap_or_default();
        // Right whether prices include the tax or not: `amount_subtotal` is not.
        let goods = [details.amount_tax, details.amount_shipping]
            .into_iter()
            .flatten()
            .try_fold(total, i64::checked_sub)
            .ok_or_else(|| bad("total_details", "does not fit"))?;
        let status = self.payment_status.as_deref().unwrap_or_default();
        let discounts = [
            self.discounts.unwrap_or_default(),
            details
                .breakdown
                .and_then(|breakdown| breakdown.discounts)
                .unwrap_or_default()
                .into_iter()
                .filter_map(|entry| entry.discount)
                .collect(),
        ];
        let buyer = self
            .customer_details
            .and_then(|details| customers.of_email(&details.email?));
        let customer = self.customer.map(Reference::id).or_else(|| buyer.clone());
        Ok(Some(OrderSnapshot {
            external_id: self.payment_intent.map_or(self.id.clone(), Reference::id),
            name: self.id,
            ordered_at: self.created.map_or(at, Timestamp::from_seconds),
            updated_at: at,
            currency: code.to_ascii_uppercase(),
            revenue: money.of_amount("amount_total", goods)?,
            discounts: money.of_amount("total_details.amount_discount", details.amount_discount.unwrap_or(0))?,
            is_test,
            is_paid: kind.ends_with(".async_payment_succeeded") || matches!(status, "paid" | "no_payment_required"),
            cancelled_at: None,
            customer,
            buyer,
            codes: codes(discounts.into_iter().flatten())?,
            click_id: self.client_reference_id.filter(|id| !id.is_empty()),
            lines: Vec::new(),
        }))
    }
}

/// Promotion codes first, which are a creator's; a coupon may be shared by many.
fn codes(discounts: impl Iterator<Item = DiscountBody>) -> Result<Vec<String>, PayloadError> {
    let discounts = bounded("discounts", discounts.collect(), payload::LINES_MAX)?;
    let (mut promotions, mut coupons) = (Vec::new(), Vec::new());
    for discount in discounts {
        promotions.extend(discount.promotion_code.map(Reference::code));
        coupons.extend(discount.coupon.map(Reference::id));
    }
    Ok(payload::codes(promotions.into_iter().chain(coupons)))
}

#[derive(Deserialize)]
struct ChargeBody {
    id: String,
    payment_intent: Option<Reference>,
    amount_refunded: Option<i64>,
    currency: Option<String>,
}

impl ChargeBody {
    fn refund(self, at: Timestamp) -> Result<Refund, PayloadError> {
        let code = self.currency.as_deref().ok_or_else(|| bad("currency", "is missing"))?;
        let refunded = self.amount_refunded.filter(|amount| *amount >= 0);
        let refunded = refunded.ok_or_else(|| bad("amount_refunded", "is missing or negative"))?;
        let line = RefundLine {
            line_external_id: String::new(),
            quantity: 1,
            amount: Money::of(code).of_amount("amount_refunded", refunded)?,
        };
        Ok(Refund {
            order_external_id: self.payment_intent.map_or(self.id.clone(), Reference::id),
            external_id: self.id,
            at,
            is_running_total: true,
            lines: vec![line],
        })
    }
}

/// Reads Stripe's amounts of one currency.
struct Money(Currency);

impl Money {
    /// An unknown currency is set aside by the flow; its amounts are read with two digits until then.
    fn of(code: &str) -> Self {
        Self(money::currency(code).unwrap_or(Currency::USD))
    }

    fn of_amount(&self, field: &'static str, amount: i64) -> Result<i64, PayloadError> {
        currency::minor_units(amount, self.0).ok_or_else(|| bad(field, "does not fit"))
    }
}

#[cfg(test)]
mod tests;
