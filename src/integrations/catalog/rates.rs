//! Exchange rates as a file: columns `base`, `quote`, `date` and `rate`, a row a pair and day.

use super::column::{Column, Format};
use super::error::{CatalogError, CellError};
use super::sheet::{Row, Sheet};
use super::too_wide;
use crate::domain::money::{self, Currency};
use crate::domain::rate::{DatedRate, RATES_PER_CALL_MAX, Rate};
use crate::domain::time::Timestamp;

/// A file of rates, read.
#[derive(Debug)]
pub struct RatesFile {
    /// Rows that tell of a rate, in the file's order.
    pub entries: Vec<RateEntry>,
    /// Rows below the header, whatever they are.
    pub rows: usize,
    /// Blank rows.
    pub skipped: usize,
}

/// One row that tells of a rate, or fails to.
#[derive(Debug)]
pub struct RateEntry {
    /// From 1, below the header.
    pub row: usize,
    /// Line of the file on which the row begins, from 1.
    pub line: u64,
    pub told: Result<DatedRate, CellError>,
}

/// Reads a file of rates.
///
/// # Errors
/// What is wrong with the file as a whole: its encoding, its header, more than [`RATES_PER_CALL_MAX`] rows.
pub fn parse(text: &[u8]) -> Result<RatesFile, CatalogError> {
    let mut sheet = Sheet::open(text)?;
    if sheet.columns().format() != Format::Rates {
        return Err(CatalogError::WrongKind(
            "is not of rates: it needs the columns base, quote, date and rate",
        ));
    }
    let mut file = RatesFile {
        entries: Vec::new(),
        rows: 0,
        skipped: 0,
    };
    while let Some(row) = sheet.next_row()? {
        file.rows += 1;
        if file.rows > RATES_PER_CALL_MAX {
            return Err(CatalogError::TooManyRows(RATES_PER_CALL_MAX));
        }
        if row.is_blank() {
            file.skipped += 1;
            continue;
        }
        file.entries.push(RateEntry {
            row: file.rows,
            line: row.line(),
            told: too_wide(&row).and_then(|()| read(&row)),
        });
    }
    Ok(file)
}

fn read(row: &Row<'_>) -> Result<DatedRate, CellError> {
    let texts = [Column::Base, Column::Quote, Column::Date, Column::Rate].map(|column| row.required(column));
    let [base, quote, date, rate] = texts;
    dated(base?, quote?, date?, rate?).map_err(|(field, message)| {
        let column = match field {
            "base" => Column::Base,
            "quote" => Column::Quote,
            "date" => Column::Date,
            _ => Column::Rate,
        };
        row.error(column, message)
    })
}

/// A rate of four texts, as files and JSON have it.
///
/// # Errors
/// The field that is wrong, and what to do.
pub fn dated(base: &str, quote: &str, date: &str, rate: &str) -> Result<DatedRate, (&'static str, &'static str)> {
    let currency = |field, code: &str| -> Result<Currency, (&'static str, &'static str)> {
        money::currency(code).ok_or((field, "must be an ISO 4217 code such as EUR"))
    };
    let (base, quote) = (currency("base", base)?, currency("quote", quote)?);
    if base == quote {
        return Err(("quote", "must be another currency than base"));
    }
    let is_date = date.len() == 10;
    let day = Timestamp::parse(date)
        .filter(|at| is_date && at.0 >= 0)
        .map(Timestamp::day);
    Ok(DatedRate {
        base,
        quote,
        day: day.ok_or(("date", "must be a date such as 2026-11-20"))?,
        rate: Rate::parse(rate).map_err(|error| ("rate", error.message()))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rows_are_rates_or_name_their_column() {
        let file = parse(b"base;quote;date;rate\nusd;EUR;2026-11-20;0.9236\n;;;\n").expect("a file");
        let told = file.entries[0].told.as_ref().expect("a good row");
        assert_eq!(
            (told.base, told.quote, told.day),
            (Currency::USD, Currency::EUR, 20_777)
        );
        assert_eq!(
            (told.rate.to_string().as_str(), file.rows, file.skipped),
            ("0.9236", 2, 1)
        );
        for (row, column) in [
            ("EURO,USD,2026-11-20,1", "base"),
            ("EUR,,2026-11-20,1", "quote"),
            ("EUR,EUR,2026-11-20,1", "quote"),
            ("EUR,USD,20.11.2026,1", "date"),
            ("EUR,USD,2026-11-20T10:00:00Z,1", "date"),
            ("EUR,USD,1969-11-20,1", "date"),
            ("EUR,USD,2026-11-20,0", "rate"),
            ("EUR,USD,2026-11-20,1,more", "row"),
        ] {
            let file = parse(format!("base,quote,date,rate\n{row}\n").as_bytes()).expect(row);
            assert_eq!(file.entries[0].told.as_ref().expect_err(row).column, column, "{row}");
        }
        assert!(parse(b"sku,title\nA,b\n").is_err() && parse(b"base,quote,date\n").is_err());
        let long = format!(
            "base,quote,date,rate\n{}",
            "EUR,USD,2026-11-20,1\n".repeat(RATES_PER_CALL_MAX + 1)
        );
        assert!(parse(long.as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_end_in_rows_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let text = [b"base,quote,date,rate\n".as_slice(), &bytes].concat();
            if let Ok(file) = parse(&text) {
                prop_assert_eq!(file.rows, file.skipped + file.entries.len());
            }
        }
    }
}
