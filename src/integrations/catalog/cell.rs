//! Cells as the values that they mean, the same in every format.

use super::column::Column;
use super::error::CellError;
use super::sheet::Row;
use crate::domain::money::{self, Currency, MoneyError};

/// A price in minor units of the store's `currency`: `19.90`, or with its code as in `19.90 EUR`. `None` = no such
/// column, `Some(None)` = no price.
///
/// # Errors
/// What is no such price, and a price in another currency.
pub fn price(row: &Row<'_>, column: Column, currency: Currency) -> Result<Option<Option<i64>>, CellError> {
    let Some(text) = row.text(column)? else { return Ok(None) };
    if text.is_empty() {
        return Ok(Some(None));
    }
    let code = currency.code();
    let is_code = |word: &str| word.len() == 3 && word.bytes().all(|byte| byte.is_ascii_alphabetic());
    let words: Vec<&str> = text.split_whitespace().take(3).collect();
    let (amount, told) = match words[..] {
        [amount] => (amount, code),
        [amount, told] | [told, amount] if is_code(told) => (amount, told),
        _ => ("", code),
    };
    if !told.eq_ignore_ascii_case(code) {
        let told = told.to_ascii_uppercase();
        return Err(row.error(column, format!("is in {told}, but the store sells in {code}")));
    }
    let amount = money::minor_units(amount, currency).map_err(|error| {
        let message = match error {
            MoneyError::NotANumber => format!("must be a decimal such as 19.90, or 19.90 {code}"),
            MoneyError::TooFine => format!("has more digits behind the point than {code} has"),
            MoneyError::TooLarge => "is too large".to_owned(),
        };
        row.error(column, message)
    })?;
    Ok(Some(Some(amount)))
}

/// A whole number; `None` = no such column or an empty cell.
///
/// # Errors
/// What is no whole number.
pub fn whole_number(row: &Row<'_>, column: Column) -> Result<Option<i64>, CellError> {
    let Some(text) = row.said(column)? else { return Ok(None) };
    let number = text.parse().map_err(|_| row.error(column, "must be a whole number"));
    number.map(Some)
}

/// An id of the platform; `None` = no such column or an empty cell.
///
/// # Errors
/// What a spreadsheet has turned into a rounded number: its digits are lost.
pub fn id<'a>(row: &Row<'a>, column: Column) -> Result<Option<&'a str>, CellError> {
    let Some(text) = row.said(column)? else { return Ok(None) };
    let is_rounded = text.split_once(['e', 'E']).is_some_and(|(number, power)| {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        number
            .split_once(['.', ','])
            .is_some_and(|(whole, rest)| digits(whole) && digits(rest))
            && power.strip_prefix('+').is_some_and(digits)
    });
    if is_rounded {
        let message = "was rounded by a spreadsheet: export again and keep this column as text";
        return Err(row.error(column, message));
    }
    Ok(Some(text))
}

/// A picture's URL; `None` = no such column, `Some(None)` = none.
///
/// # Errors
/// What is not UTF-8.
pub fn image(row: &Row<'_>, column: Column) -> Result<Option<Option<String>>, CellError> {
    let text = row.text(column)?;
    Ok(text.map(|text| Some(text.to_owned()).filter(|text| !text.is_empty())))
}
