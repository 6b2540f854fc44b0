//! A table of text, row by row: finds the header, the separator, the place of each cell. Holds one row at a time.

use std::io::{BufRead, BufReader, Chain, Cursor, Read};

use csv::ByteRecord;

use super::column::{Column, Columns};
use super::error::{CatalogError, CellError};
use super::lines::Lines;

/// Longest first line, in bytes. 64 KiB: exports with hundreds of columns need a few; a file without line ends is no
/// table, and is not read to its end to find that out.
pub const HEADER_BYTES_MAX: u64 = 64 << 10;
/// Most lines before the header that begin with `#`: Meta's templates have one or two that explain the columns.
const REMARKS_MAX: usize = 8;

const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";
const UTF16_MARKS: [&[u8]; 2] = [b"\xff\xfe", b"\xfe\xff"];

/// The first line, which was read to find the separator, and what follows.
type Source<R> = Lines<Chain<Cursor<Vec<u8>>, BufReader<R>>>;

/// A table whose header is known.
pub struct Sheet<R: Read> {
    reader: csv::Reader<Source<R>>,
    header: ByteRecord,
    columns: Columns,
    record: ByteRecord,
}

impl<R: Read> Sheet<R> {
    /// Reads the header of `source`.
    ///
    /// # Errors
    /// See [`CatalogError`].
    pub fn open(source: R) -> Result<Self, CatalogError> {
        let mut source = BufReader::new(source);
        let mut head = Vec::new();
        source.by_ref().take(HEADER_BYTES_MAX).read_until(b'\n', &mut head)?;
        if UTF16_MARKS.iter().any(|mark| head.starts_with(mark)) {
            return Err(CatalogError::Utf16);
        }
        if head.starts_with(UTF8_MARK) {
            head.drain(..UTF8_MARK.len());
        }
        let first_line = head
            .split(|byte| matches!(byte, b'\r' | b'\n'))
            .next()
            .unwrap_or_default();
        if first_line.len() as u64 + 1 >= HEADER_BYTES_MAX {
            return Err(CatalogError::HeaderTooLong);
        }
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(separator(first_line))
            .has_headers(false)
            .flexible(true)
            .from_reader(Lines::of(Cursor::new(head).chain(source)));
        let mut header = ByteRecord::new();
        for _ in 0..=REMARKS_MAX {
            if !reader.read_byte_record(&mut header)? {
                return Err(CatalogError::Empty);
            }
            if !header.get(0).is_some_and(|cell| cell.starts_with(b"#")) {
                break;
            }
        }
        let names: Vec<String> = header
            .iter()
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .collect();
        Ok(Self {
            reader,
            columns: Columns::of(&names)?,
            header,
            record: ByteRecord::new(),
        })
    }

    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// The header as it is written.
    pub fn header(&self) -> &ByteRecord {
        &self.header
    }

    /// Bytes of the source that were read.
    pub fn bytes_read(&self) -> u64 {
        self.reader.position().byte()
    }

    /// The next row; `None` at the end. Lines without any character are no rows.
    ///
    /// # Errors
    /// [`CatalogError::Io`].
    pub fn next_row(&mut self) -> Result<Option<Row<'_>>, CatalogError> {
        let has_more = self.reader.read_byte_record(&mut self.record)?;
        if !has_more {
            return Ok(None);
        }
        // What was read last is the row's line end, or its last byte.
        let last = self.reader.position().byte().saturating_sub(1);
        let line_ends = |cell: &[u8]| cell.iter().filter(|byte| **byte == b'\n').count() as u64;
        let inside: u64 = self.record.iter().map(line_ends).sum();
        Ok(Some(Row {
            line: self.reader.get_mut().line_at(last).saturating_sub(inside),
            record: &self.record,
            columns: &self.columns,
        }))
    }
}

/// What stands between the cells of `header`: a tab if there is one, else the more frequent of comma and semicolon
/// (which spreadsheets write where the comma is the decimal point).
fn separator(header: &[u8]) -> u8 {
    let count = |byte: u8| header.iter().filter(|known| **known == byte).count();
    if count(b'\t') > 0 {
        b'\t'
    } else if count(b';') > count(b',') {
        b';'
    } else {
        b','
    }
}

/// One row, under its header.
pub struct Row<'a> {
    line: u64,
    record: &'a ByteRecord,
    columns: &'a Columns,
}

impl<'a> Row<'a> {
    /// Line of the source on which it begins, from 1.
    pub fn line(&self) -> u64 {
        self.line
    }

    pub fn record(&self) -> &'a ByteRecord {
        self.record
    }

    /// Whether no column that is read says anything.
    pub fn is_blank(&self) -> bool {
        let is_empty = |cell: &[u8]| cell.trim_ascii().is_empty();
        self.columns
            .places()
            .all(|place| self.record.get(place).is_none_or(is_empty))
    }

    /// Whether there is something to the right of the header's last column.
    pub fn is_too_wide(&self) -> bool {
        self.record
            .iter()
            .skip(self.columns.width())
            .any(|cell| !cell.trim_ascii().is_empty())
    }

    /// The bytes of a cell; a row that ends early has empty ones. `None` = there is no such column.
    pub fn bytes(&self, column: Column) -> Option<&'a [u8]> {
        let place = self.columns.place(column)?;
        Some(self.record.get(place).unwrap_or_default().trim_ascii())
    }

    /// The text of a cell without blanks around it. `None` = there is no such column.
    ///
    /// # Errors
    /// When it is not UTF-8.
    pub fn text(&self, column: Column) -> Result<Option<&'a str>, CellError> {
        let Some(bytes) = self.bytes(column) else {
            return Ok(None);
        };
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Some(text.trim())),
            Err(_) => Err(self.error(column, "is not UTF-8 text: save the file as UTF-8")),
        }
    }

    /// As [`Self::text`]; `None` also for an empty cell.
    ///
    /// # Errors
    /// When it is not UTF-8.
    pub fn said(&self, column: Column) -> Result<Option<&'a str>, CellError> {
        Ok(self.text(column)?.filter(|text| !text.is_empty()))
    }

    /// The text of a cell that must not be empty.
    ///
    /// # Errors
    /// When it is empty or not UTF-8.
    pub fn required(&self, column: Column) -> Result<&'a str, CellError> {
        self.said(column)?.ok_or_else(|| self.error(column, "is required"))
    }

    /// An error of one of its cells.
    pub fn error(&self, column: Column, message: impl Into<String>) -> CellError {
        CellError::new(self.columns.name(column), message)
    }
}
