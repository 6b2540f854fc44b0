//! Single-use discount codes as a file: a column `code`, and if wanted `expiresAt`, a row a code.

use super::column::{Column, Format};
use super::error::{CatalogError, CellError};
use super::sheet::{Row, Sheet};
use super::too_wide;
use crate::domain::code_pool::CODES_PER_CALL_MAX;
use crate::domain::time::Timestamp;

/// What `expiresAt` must look like, in files and in JSON.
pub const EXPIRES_AT: &str = "must be an instant such as 2026-12-31T23:00:00Z, or a date";

/// A file of codes, read.
#[derive(Debug)]
pub struct CodesFile {
    /// Rows that tell of a code, in the file's order.
    pub entries: Vec<CodeEntry>,
    /// Rows below the header, whatever they are.
    pub rows: usize,
    /// Blank rows.
    pub skipped: usize,
}

/// One row that tells of a code, or fails to.
#[derive(Debug)]
pub struct CodeEntry {
    /// From 1, below the header.
    pub row: usize,
    /// Line of the file on which the row begins, from 1.
    pub line: u64,
    /// The code as written, and when it expires, if the row says so.
    pub told: Result<(String, Option<Timestamp>), CellError>,
}

/// Reads a file of codes.
///
/// # Errors
/// What is wrong with the file as a whole: its encoding, its header, more than [`CODES_PER_CALL_MAX`] rows.
pub fn parse(text: &[u8]) -> Result<CodesFile, CatalogError> {
    let mut sheet = Sheet::open(text)?;
    if sheet.columns().format() != Format::Codes {
        return Err(CatalogError::WrongKind(
            "is not of discount codes: it needs the column code",
        ));
    }
    let mut file = CodesFile {
        entries: Vec::new(),
        rows: 0,
        skipped: 0,
    };
    while let Some(row) = sheet.next_row()? {
        file.rows += 1;
        if file.rows > CODES_PER_CALL_MAX {
            return Err(CatalogError::TooManyRows(CODES_PER_CALL_MAX));
        }
        if row.is_blank() {
            file.skipped += 1;
            continue;
        }
        file.entries.push(CodeEntry {
            row: file.rows,
            line: row.line(),
            told: too_wide(&row).and_then(|()| read(&row)),
        });
    }
    Ok(file)
}

fn read(row: &Row<'_>) -> Result<(String, Option<Timestamp>), CellError> {
    let code = row.required(Column::Code)?.to_owned();
    let expires_at = match row.said(Column::ExpiresAt)? {
        Some(text) => Some(Timestamp::parse(text).ok_or_else(|| row.error(Column::ExpiresAt, EXPIRES_AT))?),
        None => None,
    };
    Ok((code, expires_at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rows_are_codes_or_name_their_column() {
        let text = "Discount code;expires_at\nSPRING-0001;2026-12-31\n;\nSPRING-0002;\n;2026-12-31\nSPRING-0003;soon\n";
        let file = parse(text.as_bytes()).expect("a file");
        assert_eq!((file.rows, file.skipped), (5, 1));
        let told: Vec<_> = file.entries.iter().map(|entry| &entry.told).collect();
        let end = Timestamp::parse("2026-12-31").expect("a date");
        assert_eq!(told[0].as_ref().expect("good"), &("SPRING-0001".to_owned(), Some(end)));
        assert_eq!(told[1].as_ref().expect("good").1, None);
        assert_eq!(told[2].as_ref().expect_err("no code").column, "Discount code");
        assert_eq!(told[3].as_ref().expect_err("no date").column, "expires_at");
        assert!(parse(b"sku,title\nA,b\n").is_err());
        let long = format!("code\n{}", "SPRING-0001\n".repeat(CODES_PER_CALL_MAX + 1));
        assert!(parse(long.as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_end_in_rows_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let text = [b"code,expiresAt\n".as_slice(), &bytes].concat();
            if let Ok(file) = parse(&text) {
                prop_assert_eq!(file.rows, file.skipped + file.entries.len());
            }
        }
    }
}
