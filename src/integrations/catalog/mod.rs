//! Product catalogues as files: our own columns, Shopify's product export, Google's and Meta's product feed; commas,
//! tabs or semicolons between cells. Orders come as such files too ([`orders`]). Pure: text in, drafts out, each row
//! good or bad by itself.
//!
//! A folder of its own rather than one a vendor: the three differ in a table of columns and one function, and which of
//! them a file is can only be said by its header. Knows no store: whether a draft can be taken is for
//! [`crate::domain::product`] to say.

mod cell;
pub mod codes;
mod column;
mod error;
mod google;
pub mod orders;
mod own;
pub mod rates;
mod sheet;
mod shopify;
mod slices;

pub use column::{Format, letters};
pub use error::{CatalogError, CellError};
pub use slices::{Slice, SliceLimits, Slices};

use crate::domain::money::Currency;
use crate::domain::product::ProductDraft;
use crate::domain::store::PRODUCTS_PER_CALL_MAX;
use sheet::{Row, Sheet};

/// A file, read.
#[derive(Debug)]
pub struct Catalog {
    pub format: Format,
    /// Rows that tell of a product, in the file's order.
    pub entries: Vec<Entry>,
    /// Rows below the header, whatever they are.
    pub rows: usize,
    /// Rows that tell of none: blank ones, and those that only add a picture to a product.
    pub skipped: usize,
    names: Vec<(&'static str, String)>,
}

/// One row that tells of a product, or fails to.
#[derive(Debug)]
pub struct Entry {
    /// From 1, below the header.
    pub row: usize,
    /// Line of the file on which the row begins, from 1.
    pub line: u64,
    pub told: Result<ProductDraft, CellError>,
}

impl Catalog {
    /// How the file's header calls the API's `field`; the API's name when it has no such column.
    pub fn column_of<'a>(&'a self, field: &'a str) -> &'a str {
        let named = self.names.iter().find(|(known, _)| *known == field);
        named.map_or(field, |(_, name)| name.as_str())
    }
}

/// Reads a catalogue of a store that sells in `currency`.
///
/// # Errors
/// What is wrong with the file as a whole: its encoding, its header, more than [`PRODUCTS_PER_CALL_MAX`] rows.
pub fn parse(text: &[u8], currency: Currency) -> Result<Catalog, CatalogError> {
    let mut sheet = Sheet::open(text)?;
    let mut format = Reader::of(sheet.columns().format(), currency)?;
    let mut catalog = Catalog {
        format: sheet.columns().format(),
        entries: Vec::new(),
        rows: 0,
        skipped: 0,
        names: sheet.columns().names_of_fields(),
    };
    while let Some(row) = sheet.next_row()? {
        catalog.rows += 1;
        if catalog.rows > PRODUCTS_PER_CALL_MAX {
            return Err(CatalogError::TooManyRows(PRODUCTS_PER_CALL_MAX));
        }
        match format.read(&row).transpose() {
            Some(told) => catalog.entries.push(Entry {
                row: catalog.rows,
                line: row.line(),
                told,
            }),
            None => catalog.skipped += 1,
        }
    }
    Ok(catalog)
}

/// What a file of each format needs while it is read.
enum Reader {
    Own(Currency),
    Shopify(shopify::Export),
    Google(Currency),
}

impl Reader {
    fn of(format: Format, currency: Currency) -> Result<Self, CatalogError> {
        Ok(match format {
            Format::Own => Self::Own(currency),
            Format::Shopify => Self::Shopify(shopify::Export::new(currency)),
            Format::Google => Self::Google(currency),
            Format::Orders => {
                return Err(CatalogError::WrongKind(
                    "is of orders: `hopcart orders import` takes them",
                ));
            }
            Format::Codes => {
                return Err(CatalogError::WrongKind(
                    "is of discount codes: `hopcart codes upload` takes them",
                ));
            }
            Format::Rates => {
                return Err(CatalogError::WrongKind(
                    "is of rates: `hopcart rates import` takes them",
                ));
            }
        })
    }

    /// What the row tells; `None` = nothing of a product.
    fn read(&mut self, row: &Row<'_>) -> Result<Option<ProductDraft>, CellError> {
        if row.is_blank() {
            return Ok(None);
        }
        too_wide(row)?;
        match self {
            Self::Own(currency) => own::read(row, *currency).map(Some),
            Self::Shopify(export) => export.read(row),
            Self::Google(currency) => google::read(row, *currency).map(Some),
        }
    }
}

fn too_wide(row: &Row<'_>) -> Result<(), CellError> {
    if row.is_too_wide() {
        return Err(CellError::new(
            "row",
            "has more cells than the header: put cells that contain the separator in quotes",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
