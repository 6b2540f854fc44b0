//! A catalogue's table: its rows under the columns that its header names. Holds one row at a time.

use std::io::Read;

use csv::ByteRecord;

use super::column::{Column, Columns, Format};
use super::error::{CatalogError, CellError};
use crate::integrations::formula::bare;
use crate::integrations::table::Table;

/// A table whose columns are known.
pub struct Sheet<R: Read> {
    table: Table<R>,
    columns: Columns,
}

impl<R: Read> Sheet<R> {
    /// Reads the header of `source`.
    ///
    /// # Errors
    /// See [`CatalogError`].
    pub fn open(source: R) -> Result<Self, CatalogError> {
        let table = Table::open(source)?;
        Ok(Self {
            columns: Columns::of(&table.names())?,
            table,
        })
    }

    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// The header as it is written.
    pub fn header(&self) -> &ByteRecord {
        self.table.header()
    }

    /// Bytes of the source that were read.
    pub fn bytes_read(&self) -> u64 {
        self.table.bytes_read()
    }

    /// The next row; `None` at the end. Lines without any character are no rows.
    ///
    /// # Errors
    /// [`CatalogError::Io`].
    pub fn next_row(&mut self) -> Result<Option<Row<'_>>, CatalogError> {
        let columns = &self.columns;
        let row = self.table.next_record()?;
        Ok(row.map(|(line, record)| Row { line, record, columns }))
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
            // Our own exports are of orders.
            Ok(text) if self.columns.format() == Format::Orders => Ok(Some(bare(text.trim()))),
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
