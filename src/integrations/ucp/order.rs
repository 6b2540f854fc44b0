//! UCP's orders: each delivery is the whole present state of one (ucp.dev, `dev.ucp.shopping.order`). Amounts are integer
//! minor units; `order.attribution` brings back what a permalink's `attribution/…` carried. Pure.
//!
//! The protocol has no time at which an order was placed: the earliest delivery stands for it.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::domain::cart::CLICK_ID_ATTRIBUTE;
use crate::domain::customer::CustomerKey;
use crate::domain::order::{self, OrderEvent, OrderLine, OrderSnapshot, Refund, RefundLine};
use crate::domain::time::Timestamp;
use crate::integrations::payload::{self, PayloadError, bad, bounded, required_id, sum};

/// Reads a delivery that was signed at `told_at`; customers without an id are told apart by the hash of their address
/// under `customers`.
///
/// # Errors
/// The first field that is missing or malformed.
pub fn parse(body: &[u8], told_at: Timestamp, customers: &CustomerKey) -> Result<Vec<OrderEvent>, PayloadError> {
    let order: OrderBody = payload::json(body)?;
    order.events(told_at, customers)
}

/// What a delivery over UCP is worth for a shop whose own webhooks tell the money of the same orders, as Shopify's do:
/// the evidence of who brought it, under the number that those webhooks use. Refunds would count twice.
///
/// # Errors
/// When the id is neither a number nor a `gid://shopify/Order/…`.
pub fn evidence_only(events: Vec<OrderEvent>) -> Result<Vec<OrderEvent>, PayloadError> {
    let mut kept = Vec::new();
    for event in events {
        let OrderEvent::Order(mut told) = event else { continue };
        let number = told.external_id.rsplit('/').next().unwrap_or_default();
        let number = number.split('?').next().unwrap_or_default();
        if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(bad("id", "is not the number of one of Shopify's orders"));
        }
        told.external_id = number.to_owned();
        // Seconds read as milliseconds lie in January 1970: whatever Shopify itself has told, or will, is newer, and among
        // themselves these deliveries keep their order.
        told.updated_at = Timestamp(told.updated_at.seconds());
        told.is_paid = false;
        told.cancelled_at = None;
        kept.push(OrderEvent::Order(told));
    }
    Ok(kept)
}

#[derive(Deserialize)]
struct OrderBody {
    id: Option<Value>,
    label: Option<String>,
    currency: Option<String>,
    line_items: Option<Vec<LineBody>>,
    adjustments: Option<Vec<AdjustmentBody>>,
    totals: Option<Vec<TotalBody>>,
    discounts: Option<Discounts>,
    attribution: Option<Map<String, Value>>,
    buyer: Option<Buyer>,
}

#[derive(Deserialize)]
struct LineBody {
    id: Option<Value>,
    item: Option<ItemBody>,
    quantity: Option<Quantity>,
    totals: Option<Vec<TotalBody>>,
}

#[derive(Deserialize)]
struct ItemBody {
    id: Option<Value>,
    title: Option<String>,
}

#[derive(Deserialize)]
struct Quantity {
    original: Option<u32>,
    total: Option<u32>,
}

#[derive(Deserialize)]
struct TotalBody {
    #[serde(rename = "type")]
    kind: Option<String>,
    amount: Option<i64>,
}

#[derive(Deserialize)]
struct AdjustmentBody {
    id: Option<Value>,
    #[serde(rename = "type")]
    kind: Option<String>,
    occurred_at: Option<String>,
    status: Option<String>,
    line_items: Option<Vec<Value>>,
    totals: Option<Vec<TotalBody>>,
    /// As earlier versions of the protocol tell it: what was given back, positive.
    amount: Option<i64>,
}

#[derive(Deserialize)]
struct Discounts {
    codes: Option<Vec<String>>,
    applied: Option<Vec<Applied>>,
}

#[derive(Deserialize)]
struct Applied {
    code: Option<String>,
}

#[derive(Deserialize)]
struct Buyer {
    id: Option<Value>,
    email: Option<String>,
}

/// The amounts of a `totals` list, by type.
struct Totals<'a>(&'a [TotalBody]);

impl Totals<'_> {
    fn get(&self, kind: &str) -> Option<i64> {
        let found = self.0.iter().find(|total| total.kind.as_deref() == Some(kind));
        found.and_then(|total| total.amount)
    }

    /// Discounts, however the version signs them.
    fn discounts(&self) -> Option<i64> {
        let of = |kind| self.get(kind).unwrap_or(0).saturating_abs();
        of("items_discount").checked_add(of("discount"))
    }

    /// Goods after discounts, without tax and shipping.
    fn goods(&self) -> Option<i64> {
        self.get("subtotal")?.checked_sub(self.discounts()?)
    }
}

impl OrderBody {
    fn events(self, told_at: Timestamp, customers: &CustomerKey) -> Result<Vec<OrderEvent>, PayloadError> {
        let external_id = required_id("id", self.id.as_ref())?;
        let currency = self.currency.ok_or_else(|| bad("currency", "is missing"))?;
        let lines = bounded("line_items", self.line_items.unwrap_or_default(), payload::LINES_MAX)?;
        let lines = lines.into_iter().map(LineBody::line).collect::<Result<Vec<_>, _>>()?;
        let told = self.totals.unwrap_or_default();
        let totals = Totals(&told);
        let revenue = match totals.get("subtotal") {
            Some(_) => totals.goods().ok_or_else(|| bad("totals", "do not fit"))?,
            None => sum("line_items.totals", lines.iter().map(|line| line.amount))?,
        };
        let adjustments = self.adjustments.unwrap_or_default();
        let adjustments = bounded("adjustments", adjustments, payload::REFUNDS_MAX)?;
        let done: Vec<AdjustmentBody> = adjustments.into_iter().filter(AdjustmentBody::is_done).collect();
        let cancelled_at = done.iter().filter(|adjustment| adjustment.cancels());
        let (customer, buyer) = customer(self.buyer, customers);
        let snapshot = OrderSnapshot {
            name: self.label.unwrap_or_else(|| format!("#{external_id}")),
            ordered_at: told_at,
            updated_at: told_at,
            currency: currency.to_ascii_uppercase(),
            revenue,
            discounts: totals.discounts().ok_or_else(|| bad("totals", "do not fit"))?,
            is_test: false,
            // An order is what a completed checkout leaves.
            is_paid: true,
            cancelled_at: cancelled_at.map(|adjustment| adjustment.at().unwrap_or(told_at)).min(),
            customer,
            buyer,
            codes: codes(self.discounts),
            click_id: click_id(&self.attribution.unwrap_or_default()),
            lines,
            external_id: external_id.clone(),
        };
        let tax = totals.get("tax").unwrap_or(0);
        let mut events = vec![OrderEvent::Order(snapshot)];
        for adjustment in done {
            let refund = adjustment.refund(&external_id, told_at, (revenue, tax))?;
            events.extend(refund.map(OrderEvent::Refund));
        }
        Ok(events)
    }
}

impl LineBody {
    fn line(self) -> Result<OrderLine, PayloadError> {
        let told = self.totals.unwrap_or_default();
        let totals = Totals(&told);
        let quantity = self.quantity.and_then(|quantity| quantity.original.or(quantity.total));
        let (item, title) = self.item.map_or((None, None), |item| (item.id, item.title));
        Ok(OrderLine {
            external_id: required_id("line_items.id", self.id.as_ref())?,
            sku: None,
            variant_id: item.as_ref().and_then(payload::id_text),
            title: title.unwrap_or_default(),
            quantity: quantity.unwrap_or(1),
            amount: totals.goods().or_else(|| totals.get("total")).unwrap_or(0),
        })
    }
}

impl AdjustmentBody {
    /// Pending ones may still fail.
    fn is_done(&self) -> bool {
        self.status.as_deref().is_none_or(|status| status == "completed")
    }

    /// Whether it takes the whole order back. (A cancelled line is a refund of that line.)
    fn cancels(&self) -> bool {
        let is_cancellation = self.kind.as_deref().is_some_and(|kind| kind.starts_with("cancel"));
        is_cancellation && self.line_items.as_ref().is_none_or(Vec::is_empty)
    }

    fn at(&self) -> Option<Timestamp> {
        self.occurred_at.as_deref().and_then(Timestamp::parse)
    }

    /// What it gave back of an order of that revenue and tax; `None` when it gave nothing back.
    fn refund(
        self,
        order: &str,
        told_at: Timestamp,
        (revenue, tax): (i64, i64),
    ) -> Result<Option<Refund>, PayloadError> {
        let at = self.at().unwrap_or(told_at);
        let told = self.totals.unwrap_or_default();
        let totals = Totals(&told);
        // A breakdown says what the goods were; a sum alone holds their tax.
        let amount = match (totals.get("subtotal"), totals.get("total"), self.amount) {
            (Some(goods), ..) if goods < 0 => goods.saturating_abs(),
            (None, Some(total), _) if total < 0 => order::without_tax(total.saturating_abs(), revenue, tax),
            (None, None, Some(amount)) => order::without_tax(amount.saturating_abs(), revenue, tax),
            _ => return Ok(None),
        };
        Ok(Some(Refund {
            external_id: required_id("adjustments.id", self.id.as_ref())?,
            order_external_id: order.to_owned(),
            at,
            is_running_total: false,
            lines: vec![RefundLine {
                line_external_id: String::new(),
                quantity: 1,
                amount,
            }],
        }))
    }
}

/// Codes that were applied; where the shop only lists what was asked for, those.
fn codes(told: Option<Discounts>) -> Vec<String> {
    let Some(told) = told else { return Vec::new() };
    match told.applied {
        Some(applied) => payload::codes(applied.into_iter().filter_map(|discount| discount.code)),
        None => payload::codes(told.codes.unwrap_or_default()),
    }
}

/// The customer as the shop numbers them, else by their address; and the address alone.
fn customer(buyer: Option<Buyer>, customers: &CustomerKey) -> (Option<String>, Option<String>) {
    let Some(buyer) = buyer else { return (None, None) };
    let by_address = buyer.email.and_then(|address| customers.of_email(&address));
    let id = buyer.id.as_ref().and_then(payload::id_text);
    (id.or_else(|| by_address.clone()), by_address)
}

/// A shop may keep the permalink's prefix.
fn click_id(attribution: &Map<String, Value>) -> Option<String> {
    let prefixed = format!("attribution/{CLICK_ID_ATTRIBUTE}");
    let told = attribution
        .get(CLICK_ID_ATTRIBUTE)
        .or_else(|| attribution.get(&prefixed))?;
    told.as_str().filter(|id| !id.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests;
