//! Google Merchant Center's product feed, which Meta's catalogue reads too (with its own words for some availabilities
//! and quantities). One row an offer.

use super::cell;
use super::column::{Column, letters};
use super::error::CellError;
use super::sheet::Row;
use crate::domain::money::Currency;
use crate::domain::product::ProductDraft;
use crate::domain::store::OversellPolicy;

pub fn read(row: &Row<'_>, currency: Currency) -> Result<ProductDraft, CellError> {
    let no_id = || row.error(Column::Id, "is required");
    let id = cell::id(row, Column::Id)?.ok_or_else(no_id)?;
    let (stock, policy) = stock(row)?;
    Ok(ProductDraft {
        sku: sku(row, id)?.to_owned(),
        variant_id: Some(variant(id).to_owned()),
        title: row.said(Column::Title)?.map(str::to_owned),
        image_url: cell::image(row, Column::ImageUrl)?,
        price: price(row, currency)?,
        stock,
        policy,
        cost: cell::price(row, Column::Cost, currency)?,
    })
}

/// A feed has no column for the brand's own number: `sku` where somebody has added it, else `mpn`, which is where shop
/// systems write it, else the offer's id.
fn sku<'a>(row: &Row<'a>, id: &'a str) -> Result<&'a str, CellError> {
    let told = match row.said(Column::Sku)? {
        Some(sku) => Some(sku),
        None => cell::id(row, Column::Mpn)?,
    };
    Ok(told.unwrap_or(id))
}

/// What the platform's cart takes. Shopify's channel writes `shopify_COUNTRY_PRODUCT_VARIANT`; other ids are the cart's.
fn variant(id: &str) -> &str {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = id.splitn(5, '_').collect();
    match parts[..] {
        [channel, country, product, variant]
            if channel.eq_ignore_ascii_case("shopify")
                && !country.is_empty()
                && country.bytes().all(|byte| byte.is_ascii_alphabetic())
                && is_number(product)
                && is_number(variant) =>
        {
            variant
        }
        _ => id,
    }
}

/// The sale's price while it has no dates; a sale with dates may be over or not have begun, and a price that is too low
/// disappoints at the checkout.
fn price(row: &Row<'_>, currency: Currency) -> Result<Option<Option<i64>>, CellError> {
    let regular = cell::price(row, Column::Price, currency)?;
    let sale = cell::price(row, Column::SalePrice, currency)?;
    let has_dates = row.said(Column::SaleDates)?.is_some();
    Ok(match sale {
        Some(Some(sale)) if !has_dates => Some(Some(sale)),
        _ => regular,
    })
}

/// What is left, and whether it sells beyond that.
type Stock = (Option<Option<i64>>, Option<OversellPolicy>);

fn stock(row: &Row<'_>) -> Result<Stock, CellError> {
    let quantity = cell::whole_number(row, Column::Stock)?;
    let Some(word) = row.said(Column::Availability)? else {
        return Ok((quantity.map(Some), None));
    };
    match letters(word).as_str() {
        "instock" => Ok((Some(quantity), Some(OversellPolicy::Deny))),
        "outofstock" | "discontinued" => Ok((Some(Some(0)), Some(OversellPolicy::Deny))),
        "preorder" | "backorder" | "availablefororder" => Ok((Some(quantity), Some(OversellPolicy::Continue))),
        _ => Err(row.error(
            Column::Availability,
            "must be in_stock, out_of_stock, preorder or backorder (Meta's available for order and discontinued are \
             taken too)",
        )),
    }
}
