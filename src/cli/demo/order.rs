//! An order as the demo's shop writes it: amounts in cents that add up, told in Shopify's webhook payloads.
//!
//! Pure: the instant is an argument.

use serde_json::{Value, json};

use crate::domain::cart::CLICK_ID_ATTRIBUTE;
use crate::domain::money::{Currency, decimal};
use crate::domain::time::Timestamp;

/// What shipping costs, in minor units: never part of the revenue.
const SHIPPING: i64 = 490;
/// Tax on top, in percent: never part of the revenue either.
const TAX_PERCENT: i64 = 19;
/// How long after an order the shop calls it paid, and after that refunds of it, in milliseconds.
const STEP_MS: i64 = 1_000;

/// What somebody bought.
#[derive(Debug, Clone)]
pub struct Order {
    /// The shop's id.
    pub id: u64,
    /// The shop's id of the customer.
    pub customer: u64,
    pub currency: Currency,
    pub lines: Vec<Line>,
    pub code: Option<Code>,
    pub is_test: bool,
    /// The line and how many pieces of it come back.
    pub refund: Option<(usize, i64)>,
}

/// One line.
#[derive(Debug, Clone)]
pub struct Line {
    pub sku: String,
    pub variant_id: String,
    pub title: String,
    /// Minor units a piece.
    pub price: i64,
    pub quantity: i64,
}

/// A discount code that was used.
#[derive(Debug, Clone)]
pub struct Code {
    pub text: String,
    pub percent: i64,
}

impl Order {
    /// What the code takes off a line, in minor units.
    fn discount(&self, line: &Line) -> i64 {
        self.code
            .as_ref()
            .map_or(0, |code| line.price * line.quantity * code.percent / 100)
    }

    /// What is paid for a line, without tax, in minor units.
    fn amount(&self, line: &Line) -> i64 {
        line.price * line.quantity - self.discount(line)
    }

    /// Subtotal after discounts, without tax and shipping, in minor units: what a report calls revenue.
    pub fn subtotal(&self) -> i64 {
        self.lines.iter().map(|line| self.amount(line)).sum()
    }

    /// What comes back of the subtotal, in minor units.
    pub fn refunded(&self) -> i64 {
        self.refund.map_or(0, |(place, pieces)| {
            self.lines
                .get(place)
                .map_or(0, |line| self.amount(line) * pieces / line.quantity)
        })
    }

    fn money(&self, amount: i64) -> String {
        decimal(amount, self.currency)
    }

    fn line_id(&self, place: usize) -> u64 {
        self.id * 100 + u64::try_from(place).unwrap_or(0)
    }

    /// The payload of `orders/create` (not paid yet) or `orders/paid`, for an order of `ordered_at`.
    pub fn payload(&self, is_paid: bool, click_id: Option<&str>, ordered_at: Timestamp) -> Value {
        let discounts: i64 = self.lines.iter().map(|line| self.discount(line)).sum();
        let subtotal = self.subtotal();
        let tax = subtotal * TAX_PERCENT / 100;
        let number = self.id % 1_000_000;
        let attributes: Vec<Value> = click_id
            .iter()
            .map(|id| json!({"name": CLICK_ID_ATTRIBUTE, "value": id}))
            .collect();
        let codes: Vec<Value> = self
            .code
            .iter()
            .map(|code| json!({"code": code.text, "amount": self.money(discounts), "type": "percentage"}))
            .collect();
        json!({
            "id": self.id,
            "admin_graphql_api_id": format!("gid://shopify/Order/{}", self.id),
            "name": format!("#{number}"),
            "order_number": number,
            "created_at": ordered_at.to_string(),
            "processed_at": ordered_at.to_string(),
            "updated_at": ordered_at.plus_ms(if is_paid { STEP_MS } else { 0 }).to_string(),
            "cancelled_at": null,
            "financial_status": if is_paid { "paid" } else { "pending" },
            "test": self.is_test,
            "currency": self.currency.code(),
            "presentment_currency": self.currency.code(),
            "taxes_included": false,
            "total_line_items_price": self.money(subtotal + discounts),
            "total_discounts": self.money(discounts),
            "subtotal_price": self.money(subtotal),
            "current_subtotal_price": self.money(subtotal),
            "total_tax": self.money(tax),
            "total_price": self.money(subtotal + tax + SHIPPING),
            "current_total_price": self.money(subtotal + tax + SHIPPING),
            "source_name": "web",
            "note_attributes": attributes,
            "discount_codes": codes,
            "customer": {"id": self.customer},
            "line_items": self.lines.iter().enumerate().map(|(place, line)| self.line(place, line)).collect::<Vec<_>>(),
            "refunds": [],
        })
    }

    fn line(&self, place: usize, line: &Line) -> Value {
        let allocations: Vec<Value> = self
            .code
            .iter()
            .map(|_| json!({"amount": self.money(self.discount(line)), "discount_application_index": 0}))
            .collect();
        json!({
            "id": self.line_id(place),
            "variant_id": line.variant_id.parse::<u64>().ok(),
            "sku": line.sku,
            "title": line.title,
            "name": line.title,
            "quantity": line.quantity,
            "current_quantity": line.quantity,
            "price": self.money(line.price),
            "total_discount": self.money(0),
            "discount_allocations": allocations,
            "properties": [],
        })
    }

    /// The payload of `refunds/create`; `None` when nothing comes back. Shops write subtotals as texts or as numbers.
    pub fn refund_payload(&self, is_number: bool, ordered_at: Timestamp) -> Option<Value> {
        let (place, pieces) = self.refund?;
        let amount = self.money(self.refunded());
        let subtotal = if is_number {
            Value::Number(amount.parse().ok()?)
        } else {
            Value::String(amount.clone())
        };
        let at = ordered_at.plus_ms(2 * STEP_MS).to_string();
        Some(json!({
            "id": self.id + 500_000_000,
            "order_id": self.id,
            "created_at": at,
            "processed_at": at,
            "note": "did not fit",
            "refund_line_items": [{
                "id": self.line_id(place) + 500_000_000,
                "line_item_id": self.line_id(place),
                "quantity": pieces,
                "restock_type": "return",
                "subtotal": subtotal,
                "total_tax": self.money(self.refunded() * TAX_PERCENT / 100),
            }],
            "order_adjustments": [],
            "transactions": [{"kind": "refund", "status": "success", "amount": amount, "currency": self.currency.code()}],
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::money::minor_units;

    fn order() -> Order {
        let line = |sku: &str, variant: &str, price, quantity| Line {
            sku: sku.to_owned(),
            variant_id: variant.to_owned(),
            title: sku.to_lowercase(),
            price,
            quantity,
        };
        Order {
            id: 5_001_000_007,
            customer: 9,
            currency: Currency::EUR,
            lines: vec![line("A", "44017001", 3_333, 3), line("B", "44017002", 990, 1)],
            code: Some(Code {
                text: "MIA10".to_owned(),
                percent: 10,
            }),
            is_test: false,
            refund: Some((0, 1)),
        }
    }

    fn cents(value: &Value) -> i64 {
        minor_units(value.as_str().expect("a text"), Currency::EUR).expect("an amount")
    }

    #[test]
    fn amounts_add_up() {
        let payload = order().payload(true, Some("CLICK"), Timestamp(1_795_254_780_000));
        let lines = payload["line_items"].as_array().expect("lines");
        let paid: i64 = lines
            .iter()
            .map(|line| {
                let taken: i64 = line["discount_allocations"]
                    .as_array()
                    .expect("a list")
                    .iter()
                    .map(|a| cents(&a["amount"]))
                    .sum();
                cents(&line["price"]) * line["quantity"].as_i64().expect("a number") - taken
            })
            .sum();
        // 99.99 less 9.99, and 9.90 less 0.99.
        assert_eq!(paid, 9_891);
        assert_eq!((cents(&payload["subtotal_price"]), order().subtotal()), (paid, paid));
        assert_eq!(cents(&payload["total_discounts"]), 1_098);
        assert_eq!(
            cents(&payload["total_price"]),
            paid + cents(&payload["total_tax"]) + SHIPPING
        );
        assert_eq!(
            payload["note_attributes"],
            json!([{"name": "hop_id", "value": "CLICK"}])
        );
        assert_eq!(payload["discount_codes"][0]["code"], "MIA10");
        assert_eq!(payload["line_items"][0]["variant_id"], 44_017_001);
    }

    #[test]
    fn a_pending_order_is_older_than_its_payment() {
        let at = Timestamp(1_795_254_780_000);
        let (pending, paid) = (order().payload(false, None, at), order().payload(true, None, at));
        assert_eq!(
            (&pending["financial_status"], &paid["financial_status"]),
            (&json!("pending"), &json!("paid"))
        );
        assert!(pending["updated_at"].as_str() < paid["updated_at"].as_str());
        assert_eq!(pending["created_at"], paid["created_at"]);
        assert_eq!(pending["note_attributes"], json!([]));
    }

    #[test]
    fn refunds_are_a_part_of_their_line() {
        // 90.00 for three pieces: one comes back.
        assert_eq!(order().refunded(), 3_000);
        let told = |is_number| order().refund_payload(is_number, Timestamp(0)).expect("a refund");
        assert_eq!(told(false)["refund_line_items"][0]["subtotal"], "30.00");
        assert_eq!(told(true)["refund_line_items"][0]["subtotal"].as_f64(), Some(30.0));
        assert_eq!(told(true)["refund_line_items"][0]["line_item_id"], 500_100_000_700_u64);
        let kept = Order {
            refund: None,
            ..order()
        };
        assert_eq!((kept.refunded(), kept.refund_payload(true, Timestamp(0))), (0, None));
    }
}
