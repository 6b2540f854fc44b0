//! Which columns each format has, under which names, and which format a header is of.
//!
//! Names are compared by their letters and digits alone, in any case: `image_link`, `Image Link` and `imageLink` are
//! one column, as Google's feed specification has it too.

use super::error::CatalogError;

/// Longest column name that is shown in errors, in characters; a longer one gives way to the usual name.
const SHOWN_MAX: usize = 64;

/// Whose columns a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Our own: the API's field names.
    Own,
    /// Shopify's product export, with its columns' names of before or after 2024.
    Shopify,
    /// Google Merchant Center's product feed, which Meta reads as well.
    Google,
    /// Our own of orders, not of products.
    Orders,
    /// Our own of exchange rates.
    Rates,
    /// Our own of single-use discount codes.
    Codes,
}

impl Format {
    /// The word of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Own => "hopcart",
            Self::Shopify => "shopify",
            Self::Google => "google",
            Self::Orders => "orders",
            Self::Rates => "rates",
            Self::Codes => "codes",
        }
    }

    /// Its columns, each with its names, the usual one first. Of several that a file has, the first counts.
    fn columns(self) -> &'static [(Column, &'static [&'static str])] {
        match self {
            Self::Own => OWN,
            Self::Shopify => SHOPIFY,
            Self::Google => GOOGLE,
            Self::Orders => ORDERS,
            Self::Rates => RATES,
            Self::Codes => CODES,
        }
    }

    /// The columns without which it says nothing.
    fn required(self) -> &'static [Column] {
        match self {
            Self::Own => &[Column::Sku],
            Self::Shopify => &[Column::Handle, Column::Sku],
            Self::Google => &[Column::Id],
            Self::Orders => &[Column::OrderId, Column::OrderedAt, Column::Revenue],
            Self::Rates => &[Column::Base, Column::Quote, Column::Date, Column::Rate],
            Self::Codes => &[Column::Code],
        }
    }
}

/// What a column says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    Sku,
    VariantId,
    Title,
    ImageUrl,
    Price,
    Cost,
    Stock,
    Policy,
    Handle,
    Option1,
    Option2,
    Option3,
    ProductImage,
    Tracker,
    Status,
    Id,
    Mpn,
    SalePrice,
    SaleDates,
    Availability,
    OrderId,
    OrderName,
    OrderedAt,
    UpdatedAt,
    Currency,
    Revenue,
    Discounts,
    Paid,
    Test,
    CancelledAt,
    CustomerId,
    CustomerEmail,
    DiscountCodes,
    ClickId,
    RefundId,
    Refunded,
    RefundedAt,
    Base,
    Quote,
    Date,
    Rate,
    Code,
    ExpiresAt,
}

const OWN: &[(Column, &[&str])] = &[
    (Column::Sku, &["sku"]),
    (Column::VariantId, &["variantId"]),
    (Column::Title, &["title"]),
    (Column::Price, &["price"]),
    (Column::Cost, &["cost"]),
    (Column::Stock, &["stock"]),
    (Column::Policy, &["policy"]),
    (Column::ImageUrl, &["imageUrl"]),
];

const SHOPIFY: &[(Column, &[&str])] = &[
    (Column::Handle, &["Handle", "URL handle"]),
    (Column::Title, &["Title"]),
    (Column::Status, &["Status"]),
    (Column::Option1, &["Option1 Value"]),
    (Column::Option2, &["Option2 Value"]),
    (Column::Option3, &["Option3 Value"]),
    (Column::Sku, &["Variant SKU", "SKU"]),
    (Column::VariantId, &["Variant ID"]),
    (Column::Price, &["Variant Price", "Price"]),
    (Column::Cost, &["Cost per item"]),
    (Column::Tracker, &["Variant Inventory Tracker", "Inventory tracker"]),
    (Column::Stock, &["Variant Inventory Qty", "Inventory quantity"]),
    (
        Column::Policy,
        &["Variant Inventory Policy", "Continue selling when out of stock"],
    ),
    (Column::ImageUrl, &["Variant Image", "Variant image URL"]),
    (Column::ProductImage, &["Image Src", "Product image URL"]),
];

const GOOGLE: &[(Column, &[&str])] = &[
    (Column::Id, &["id"]),
    (Column::Sku, &["sku"]),
    (Column::Mpn, &["mpn"]),
    (Column::Title, &["title"]),
    (Column::ImageUrl, &["image_link"]),
    (Column::Price, &["price"]),
    (Column::SalePrice, &["sale_price"]),
    (Column::Cost, &["cost_of_goods_sold"]),
    (Column::SaleDates, &["sale_price_effective_date"]),
    (Column::Availability, &["availability"]),
    (
        Column::Stock,
        &["quantity", "quantity_to_sell_on_facebook", "inventory"],
    ),
];

const ORDERS: &[(Column, &[&str])] = &[
    (Column::OrderId, &["orderId"]),
    (Column::OrderName, &["name"]),
    (Column::OrderedAt, &["orderedAt"]),
    (Column::UpdatedAt, &["updatedAt"]),
    (Column::Currency, &["currency"]),
    (Column::Revenue, &["revenue"]),
    (Column::Discounts, &["discounts"]),
    (Column::Paid, &["paid"]),
    (Column::Test, &["test"]),
    (Column::CancelledAt, &["cancelledAt"]),
    (Column::CustomerId, &["customerId"]),
    (Column::CustomerEmail, &["customerEmail"]),
    (Column::DiscountCodes, &["discountCodes"]),
    (Column::ClickId, &["clickId"]),
    (Column::RefundId, &["refundId"]),
    (Column::Refunded, &["refunded"]),
    (Column::RefundedAt, &["refundedAt"]),
];

const RATES: &[(Column, &[&str])] = &[
    (Column::Base, &["base"]),
    (Column::Quote, &["quote"]),
    (Column::Date, &["date"]),
    (Column::Rate, &["rate"]),
];

const CODES: &[(Column, &[&str])] = &[
    (Column::Code, &["code", "Discount code", "Coupon code"]),
    (Column::ExpiresAt, &["expiresAt"]),
];

/// The columns of one file.
#[derive(Debug)]
pub struct Columns {
    format: Format,
    width: usize,
    /// Each known column with its place and its name as written.
    found: Vec<(Column, usize, String)>,
}

impl Columns {
    /// Recognises a header.
    ///
    /// # Errors
    /// [`CatalogError::Unknown`] and [`CatalogError::Missing`].
    pub fn of(header: &[String]) -> Result<Self, CatalogError> {
        let bare: Vec<String> = header.iter().map(|name| letters(name)).collect();
        let has = |name: &str| bare.iter().any(|known| *known == letters(name));
        let format = if has("orderId") {
            Format::Orders
        } else if has("base") && has("quote") {
            Format::Rates
        } else if has("Handle") || has("URL handle") {
            Format::Shopify
        } else if has("id") && ["availability", "link", "image_link"].into_iter().any(has) {
            Format::Google
        } else if has("sku") {
            Format::Own
        } else if has("code") || has("Discount code") || has("Coupon code") {
            Format::Codes
        } else {
            return Err(CatalogError::Unknown);
        };
        let mut found = Vec::new();
        for (column, names) in format.columns() {
            let place = names
                .iter()
                .find_map(|name| bare.iter().position(|known| *known == letters(name)));
            if let Some(place) = place {
                let written = header[place].trim();
                let is_short = written.chars().count() <= SHOWN_MAX;
                found.push((*column, place, if is_short { written } else { names[0] }.to_owned()));
            }
        }
        let columns = Self {
            format,
            width: header.len(),
            found,
        };
        match format
            .required()
            .iter()
            .find(|column| columns.place(**column).is_none())
        {
            Some(missing) => Err(CatalogError::Missing(columns.usual_name(*missing))),
            None => Ok(columns),
        }
    }

    pub fn format(&self) -> Format {
        self.format
    }

    /// Number of cells in the header.
    pub fn width(&self) -> usize {
        self.width
    }

    pub fn place(&self, column: Column) -> Option<usize> {
        let found = self.found.iter().find(|(known, ..)| *known == column);
        found.map(|(_, place, _)| *place)
    }

    /// Places of all columns that are read.
    pub fn places(&self) -> impl Iterator<Item = usize> + '_ {
        self.found.iter().map(|(_, place, _)| *place)
    }

    /// The column's name as written, else its usual one.
    pub fn name(&self, column: Column) -> &str {
        let found = self.found.iter().find(|(known, ..)| *known == column);
        found.map_or(self.usual_name(column), |(.., name)| name.as_str())
    }

    fn usual_name(&self, column: Column) -> &'static str {
        let known = self.format.columns().iter().find(|(known, _)| *known == column);
        known.and_then(|(_, names)| names.first()).copied().unwrap_or("row")
    }

    /// The API's fields, each with the column that tells it here.
    pub fn names_of_fields(&self) -> Vec<(&'static str, String)> {
        let first_of = |columns: &[Column]| {
            let present = columns.iter().find(|column| self.place(**column).is_some());
            self.name(present.copied().unwrap_or(columns[0])).to_owned()
        };
        let (sku, variant): (&[Column], &[Column]) = match self.format {
            Format::Google => (&[Column::Sku, Column::Mpn, Column::Id], &[Column::Id]),
            _ => (&[Column::Sku], &[Column::VariantId]),
        };
        vec![
            ("sku", first_of(sku)),
            ("variantId", first_of(variant)),
            ("title", first_of(&[Column::Title])),
            ("imageUrl", first_of(&[Column::ImageUrl, Column::ProductImage])),
            ("price", first_of(&[Column::Price])),
            ("cost", first_of(&[Column::Cost])),
        ]
    }
}

/// The letters and digits of a name, small.
pub fn letters(name: &str) -> String {
    name.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(header: &str) -> Result<Columns, CatalogError> {
        Columns::of(&header.split(',').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn the_header_says_whose_file_it_is() {
        for (header, expected) in [
            ("sku,variantId,title,price,stock,policy,imageUrl", Format::Own),
            ("SKU", Format::Own),
            ("Handle,Title,Variant SKU,Variant Price", Format::Shopify),
            ("HANDLE, title ,variant sku", Format::Shopify),
            ("Title,URL handle,SKU,Price,Inventory quantity", Format::Shopify),
            ("id,title,link,image_link,price,availability", Format::Google),
            ("Id,Title,Image Link,Price", Format::Google),
            ("id,sku,availability", Format::Google),
            ("order_id,Ordered At,revenue,sku", Format::Orders),
            ("Base,Quote,Date,Rate", Format::Rates),
            ("Code,Expires at", Format::Codes),
            ("Discount Code", Format::Codes),
        ] {
            assert_eq!(
                of(header).map(|columns| columns.format()).ok(),
                Some(expected),
                "{header}"
            );
        }
        for header in ["", "id,title,price", "name,amount", "s k u 2"] {
            assert!(matches!(of(header), Err(CatalogError::Unknown)), "{header}");
        }
        let missing = of("Handle,Title").map(|columns| columns.format());
        assert!(
            matches!(missing, Err(CatalogError::Missing("Variant SKU"))),
            "{missing:?}"
        );
    }

    #[test]
    fn errors_name_columns_as_the_file_does() {
        let columns = of("ID,Image Link,availability,MPN").expect("a feed");
        assert_eq!(columns.name(Column::ImageUrl), "Image Link");
        assert_eq!(columns.name(Column::Price), "price", "not there: the usual name");
        let fields = columns.names_of_fields();
        assert_eq!(fields[0], ("sku", "MPN".to_owned()));
        assert_eq!(fields[1], ("variantId", "ID".to_owned()));
        let long = of(&format!("sku,{}title", "!".repeat(100))).expect("known");
        assert_eq!(long.name(Column::Title), "title");
    }

    #[test]
    fn of_several_names_the_first_that_we_list_counts() {
        let columns = of("id,link,inventory,quantity").expect("a feed");
        assert_eq!(columns.place(Column::Stock), Some(3));
    }
}
