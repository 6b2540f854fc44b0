//! What the dialect's `/track/lead` and `/track/sale` tell: bounds, the words of payment processors, and the checks that
//! both share.
//!
//! Lengths are the dialect's where it has one. Nothing here is looked up; amounts are integers in minor units.

use super::money;
use super::order::REVENUE_MAX;

/// Longest id by which the brand knows a customer, in characters.
pub const EXTERNAL_ID_MAX: usize = 100;
/// Longest name of an event, in characters.
pub const EVENT_NAME_MAX: usize = 255;
/// Longest name of a customer, in characters.
pub const CUSTOMER_NAME_MAX: usize = 100;
/// Longest URL of a customer's picture, in characters.
pub const AVATAR_MAX: usize = 2_000;
/// Longest id of an invoice, in characters.
pub const INVOICE_ID_MAX: usize = 255;
/// Longest metadata as JSON text, in characters.
pub const METADATA_MAX: usize = 10_000;
/// Most leads that one call can be.
pub const QUANTITY_MAX: u32 = 100;
/// What a lead is called that a customer's first sale brings along.
pub const FIRST_SALE_LEAD: &str = "Sign up";
/// What a sale is called that names no event.
pub const SALE_EVENT: &str = "Purchase";
/// The currency of a sale that names none, as in the dialect.
pub const SALE_CURRENCY: &str = "usd";
/// The processor of a sale that names none.
pub const SALE_PROCESSOR: &str = "custom";
/// The processors that the dialect knows; its clients know no other.
pub const PROCESSORS: [&str; 9] = [
    "stripe",
    "shopify",
    "polar",
    "paddle",
    "apple",
    "revenuecat",
    "lemonsqueezy",
    "dub",
    "custom",
];

/// Who told of a conversion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Teller {
    /// The brand's own server, with a secret key.
    Server,
    /// A page, with a publishable key: anybody can read such a key.
    Browser,
}

/// What was told of a customer; `None` = nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CustomerTold {
    /// The brand's own id.
    pub external_id: String,
    pub name: Option<String>,
    pub email: Option<String>,
    pub avatar: Option<String>,
}

/// A lead as it was told, checked for form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeadTold {
    /// Empty = the click that brought the customer.
    pub click_id: String,
    pub event_name: String,
    pub customer: CustomerTold,
    /// Only the customer is kept now, with the click; the lead is told later.
    pub is_deferred: bool,
    pub quantity: u32,
    /// JSON text.
    pub metadata: Option<String>,
}

/// A sale as it was told, checked for form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaleTold {
    pub customer: CustomerTold,
    /// Minor units; 0 and less is no sale.
    pub amount: i64,
    /// ISO 4217 code, upper case.
    pub currency: String,
    pub event_name: String,
    /// One of [`PROCESSORS`].
    pub processor: &'static str,
    pub invoice_id: Option<String>,
    /// The lead that must have come before; `None` = any.
    pub lead_event_name: Option<String>,
    pub click_id: Option<String>,
    /// JSON text.
    pub metadata: Option<String>,
    /// Public id of the store whose order this is.
    pub store_id: Option<String>,
}

/// A field and what is wrong with it.
pub type FieldError = (&'static str, String);

/// A text that must be there: trimmed, 1 to `max` characters, no control characters.
///
/// # Errors
/// The field, and what it must be.
pub fn text(field: &'static str, text: &str, max: usize) -> Result<String, FieldError> {
    let text = text.trim();
    let is_good = !text.is_empty() && text.chars().count() <= max && !text.chars().any(char::is_control);
    if is_good {
        Ok(text.to_owned())
    } else {
        Err((
            field,
            format!("must have 1 to {max} characters, none of them a control character"),
        ))
    }
}

/// As [`text`], where nothing, and an empty text, is nothing.
///
/// # Errors
/// As [`text`].
pub fn some_text(field: &'static str, told: Option<String>, max: usize) -> Result<Option<String>, FieldError> {
    match told.filter(|told| !told.trim().is_empty()) {
        Some(told) => text(field, &told, max).map(Some),
        None => Ok(None),
    }
}

/// The code of a currency, upper case.
///
/// # Errors
/// The field, and what it must be.
pub fn currency(code: &str) -> Result<String, FieldError> {
    let known = money::currency(&code.trim().to_ascii_uppercase());
    let known = known.map(|currency| currency.code().to_owned());
    known.ok_or_else(|| ("currency", "must be an ISO 4217 code such as EUR".to_owned()))
}

/// The amount of a sale.
///
/// # Errors
/// It is larger than any that is believed.
pub fn amount(told: i64) -> Result<i64, FieldError> {
    if told <= REVENUE_MAX {
        Ok(told)
    } else {
        Err(("amount", format!("must be at most {REVENUE_MAX} minor units")))
    }
}

/// Metadata as JSON text.
///
/// # Errors
/// It is too long.
pub fn metadata(text: Option<String>) -> Result<Option<String>, FieldError> {
    match text {
        Some(text) if text.chars().count() > METADATA_MAX => Err((
            "metadata",
            format!("must have at most {METADATA_MAX} characters as JSON"),
        )),
        other => Ok(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_bounded_and_named() {
        assert_eq!(text("eventName", " Sign up ", 255), Ok("Sign up".to_owned()));
        for told in ["", "  ", "a\nb", &"x".repeat(256)] {
            assert_eq!(text("eventName", told, 255).expect_err(told).0, "eventName");
        }
        assert_eq!(some_text("customerName", Some("  ".into()), 9), Ok(None));
        assert_eq!(some_text("customerName", None, 9), Ok(None));
        assert!(some_text("customerName", Some("0123456789".into()), 9).is_err());
    }

    #[test]
    fn money_is_bounded_and_metadata_too() {
        assert_eq!(currency("eur"), Ok("EUR".to_owned()));
        assert_eq!(currency("euro").expect_err("no code").0, "currency");
        for (told, is_good) in [(-5, true), (0, true), (REVENUE_MAX, true), (REVENUE_MAX + 1, false)] {
            assert_eq!(amount(told).is_ok(), is_good, "{told}");
        }
        assert!(metadata(Some("x".repeat(METADATA_MAX))).is_ok());
        assert_eq!(
            metadata(Some("x".repeat(METADATA_MAX + 1))).expect_err("long").0,
            "metadata"
        );
    }
}
