//! Our own columns: the API's fields, with prices as people write them. A column that is left out leaves what is known
//! alone; an empty cell says "none" (no price, no picture, not tracked), but keeps variant id and title.

use super::cell;
use super::column::Column;
use super::error::CellError;
use super::sheet::Row;
use crate::domain::money::Currency;
use crate::domain::product::ProductDraft;
use crate::domain::store::OversellPolicy;

pub fn read(row: &Row<'_>, currency: Currency) -> Result<ProductDraft, CellError> {
    let stock = cell::whole_number(row, Column::Stock)?;
    Ok(ProductDraft {
        sku: row.required(Column::Sku)?.to_owned(),
        variant_id: cell::id(row, Column::VariantId)?.map(str::to_owned),
        title: row.said(Column::Title)?.map(str::to_owned),
        image_url: cell::image(row, Column::ImageUrl)?,
        price: cell::price(row, Column::Price, currency)?,
        stock: row.bytes(Column::Stock).map(|_| stock),
        policy: policy(row)?,
        cost: cell::price(row, Column::Cost, currency)?,
    })
}

fn policy(row: &Row<'_>) -> Result<Option<OversellPolicy>, CellError> {
    let Some(word) = row.text(Column::Policy)? else {
        return Ok(None);
    };
    match word.to_ascii_lowercase().as_str() {
        "" | "deny" => Ok(Some(OversellPolicy::Deny)),
        "continue" => Ok(Some(OversellPolicy::Continue)),
        _ => Err(row.error(Column::Policy, "must be deny or continue")),
    }
}
