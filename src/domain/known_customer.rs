//! Customers whom leads and sales have named: the dialect's customers.
//!
//! (A shop's webhooks name customers too; those are ids on orders and nothing else: [`super::customer`].)

use super::id::{CreatorNo, LinkNo, WorkspaceNo};
use super::time::Timestamp;

/// A customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownCustomer {
    /// Row number.
    pub no: i64,
    /// Public id, `cus_` and a ULID.
    pub id: String,
    pub workspace: WorkspaceNo,
    /// The brand's own id; unique in the workspace.
    pub external_id: String,
    pub name: Option<String>,
    pub email: Option<String>,
    /// URL of a picture.
    pub avatar: Option<String>,
    /// ISO 3166-1 alpha-2 code of where the click was made.
    pub country: Option<String>,
    /// The click that brought them.
    pub click: Option<CustomerClick>,
    pub sales: CustomerSales,
    pub created_at: Timestamp,
}

/// The click that brought a customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerClick {
    pub click_id: String,
    pub at: Timestamp,
    pub link: LinkNo,
    /// Who owned the link then.
    pub creator: Option<CreatorNo>,
}

/// What a customer bought, as `/track/sale` told it; refunds take nothing from it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CustomerSales {
    pub count: u64,
    /// Sum of the sales in `currency`; minor units.
    pub amount: i64,
    /// Of the first sale.
    pub currency: Option<String>,
    pub first_at: Option<Timestamp>,
}

impl CustomerSales {
    /// These and one more. A sale in another currency than the first one's is counted and not summed.
    #[must_use]
    pub fn with(self, amount: i64, currency: &str, at: Timestamp) -> Self {
        let own = self.currency.unwrap_or_else(|| currency.to_owned());
        let added = if own == currency { amount } else { 0 };
        Self {
            count: self.count + 1,
            amount: self.amount.saturating_add(added),
            currency: Some(own),
            first_at: self.first_at.or(Some(at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_of_one_currency() {
        let sales = CustomerSales::default()
            .with(500, "EUR", Timestamp(7))
            .with(300, "USD", Timestamp(8))
            .with(200, "EUR", Timestamp(9));
        let expected = CustomerSales {
            count: 3,
            amount: 700,
            currency: Some("EUR".into()),
            first_at: Some(Timestamp(7)),
        };
        assert_eq!(sales, expected);
    }
}
