//! Shopify's product export: a row a variant. What belongs to the product (title, status, first picture) stands in the
//! first row of a `Handle`; further rows of it are further variants, or pictures alone.
//!
//! The export has no variant ids. Apps such as Matrixify write a column `Variant ID`; without it the store's own
//! knowledge of the SKU must do.

use std::collections::HashMap;

use super::cell;
use super::column::Column;
use super::error::CellError;
use super::sheet::Row;
use crate::domain::money::Currency;
use crate::domain::product::ProductDraft;
use crate::domain::store::{NAME_MAX, OversellPolicy};

/// What a product without options has as the value of its only one.
const NO_OPTION: &str = "Default Title";

/// An export that is being read.
pub struct Export {
    currency: Currency,
    /// By handle. Rows of one handle need not stand together.
    products: HashMap<String, ProductHead>,
}

/// What the rows of a product share.
#[derive(Default, Clone)]
struct ProductHead {
    title: Option<String>,
    image: Option<String>,
    is_hidden: bool,
}

impl Export {
    pub fn new(currency: Currency) -> Self {
        Self {
            currency,
            products: HashMap::new(),
        }
    }

    /// The variant of a row; `None` = the row only adds to its product.
    pub fn read(&mut self, row: &Row<'_>) -> Result<Option<ProductDraft>, CellError> {
        let head = self.learn(row)?;
        let variant_columns = [Column::Sku, Column::VariantId, Column::Price, Column::Option1];
        if variant_columns
            .iter()
            .all(|column| row.bytes(*column).is_none_or(<[u8]>::is_empty))
        {
            return Ok(None);
        }
        let no_sku = || row.error(Column::Sku, "is missing: give the variant a SKU in Shopify");
        let sku = row.said(Column::Sku)?.ok_or_else(no_sku)?.to_owned();
        let (stock, policy) = if head.is_hidden {
            (Some(Some(0)), Some(OversellPolicy::Deny))
        } else {
            (stock(row)?, policy(row)?)
        };
        let own_image = row.said(Column::ImageUrl)?.map(str::to_owned);
        let knows_images = [Column::ImageUrl, Column::ProductImage]
            .iter()
            .any(|column| row.bytes(*column).is_some());
        Ok(Some(ProductDraft {
            sku,
            variant_id: cell::id(row, Column::VariantId)?.map(str::to_owned),
            title: title(row, head.title.as_deref())?,
            image_url: knows_images.then(|| own_image.or(head.image)),
            price: cell::price(row, Column::Price, self.currency)?,
            stock,
            policy,
            cost: cell::price(row, Column::Cost, self.currency)?,
        }))
    }

    fn learn(&mut self, row: &Row<'_>) -> Result<ProductHead, CellError> {
        let head = self
            .products
            .entry(row.required(Column::Handle)?.to_owned())
            .or_default();
        if let Some(title) = row.said(Column::Title)? {
            head.title = Some(title.to_owned());
        }
        if let Some(image) = row.said(Column::ProductImage)?
            && head.image.is_none()
        {
            head.image = Some(image.to_owned());
        }
        if let Some(status) = row.said(Column::Status)? {
            head.is_hidden = match status.to_ascii_lowercase().as_str() {
                "active" | "unlisted" => false,
                "draft" | "archived" => true,
                _ => return Err(row.error(Column::Status, "must be active, unlisted, draft or archived")),
            };
        }
        Ok(head.clone())
    }
}

/// The product's title with the variant's options behind it, as Shopify writes it on orders; without them when that
/// would be too long.
fn title(row: &Row<'_>, product: Option<&str>) -> Result<Option<String>, CellError> {
    let Some(product) = product else { return Ok(None) };
    let mut options = Vec::new();
    for column in [Column::Option1, Column::Option2, Column::Option3] {
        options.extend(row.said(column)?.filter(|value| *value != NO_OPTION));
    }
    if options.is_empty() {
        return Ok(Some(product.to_owned()));
    }
    let full = format!("{product} - {}", options.join(" / "));
    let is_short = full.chars().count() <= NAME_MAX;
    Ok(Some(if is_short { full } else { product.to_owned() }))
}

/// Without a tracker nothing is tracked, whatever quantity is written. With one but without a quantity (shops with
/// several locations export none) what is known stays.
fn stock(row: &Row<'_>) -> Result<Option<Option<i64>>, CellError> {
    if row.bytes(Column::Tracker).is_some_and(<[u8]>::is_empty) {
        return Ok(Some(None));
    }
    Ok(cell::whole_number(row, Column::Stock)?.map(Some))
}

fn policy(row: &Row<'_>) -> Result<Option<OversellPolicy>, CellError> {
    let Some(word) = row.said(Column::Policy)? else {
        return Ok(None);
    };
    match word.to_ascii_lowercase().as_str() {
        "deny" | "false" => Ok(Some(OversellPolicy::Deny)),
        "continue" | "true" => Ok(Some(OversellPolicy::Continue)),
        _ => Err(row.error(Column::Policy, "must be deny or continue")),
    }
}
