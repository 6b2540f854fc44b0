//! Links as files: our own export, any table with the usual columns, and what Bitly, Dub and Shlink hand out. Pure: text
//! in, drafts in the API's words out, each row good or bad by itself; holds one row at a time.
//!
//! A folder of its own rather than one a vendor: as tables the four differ in their columns' names, and Dub's JSON is the
//! dialect that our own is. Knows no server: whether a draft can be taken is for the API to say.

mod cell;
mod column;
mod dialect;
mod draft;
mod elements;
mod error;
pub mod export;
mod shlink;

use std::io::{BufRead, BufReader, Read};

use serde_json::{Map, Value};

pub use draft::{Draft, FileTag};
pub use error::{FieldError, FileError};

use super::table::Table;
use column::Columns;
use elements::Elements;

/// Whose columns or fields a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Ours, or any table with the usual names.
    Own,
    Bitly,
    Dub,
    Shlink,
}

impl Format {
    /// As people name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Own => "csv",
            Self::Bitly => "bitly",
            Self::Dub => "dub",
            Self::Shlink => "shlink",
        }
    }

    /// Whether `abc` and `aBc` are two links where the file comes from.
    fn is_exact(self) -> bool {
        matches!(self, Self::Bitly | Self::Shlink)
    }
}

/// How a file is to be read.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// `None` = as the file itself looks.
    pub format: Option<Format>,
    /// Our field and the column that tells it, where the names are not the usual ones.
    pub columns: Vec<(String, String)>,
    /// Whether letter case counts in keys, in rows that do not say so; `None` = as in the format.
    pub is_exact: Option<bool>,
}

/// One row of a file.
#[derive(Debug)]
pub struct Entry {
    /// From 1; below the header of a table.
    pub row: u64,
    /// Line of the file on which it begins, from 1.
    pub line: u64,
    pub told: Result<Draft, FieldError>,
}

/// A file, read row by row.
pub struct LinkFile<R: Read> {
    source: Source<R>,
    format: Option<Format>,
    is_exact: Option<bool>,
    rows: u64,
}

enum Source<R: Read> {
    Table(Box<Table<BufReader<R>>>, Columns),
    Json(Elements<BufReader<R>>),
}

impl<R: Read> LinkFile<R> {
    /// Looks what `source` is, and reads the header of a table.
    ///
    /// # Errors
    /// See [`FileError`].
    pub fn open(source: R, options: &Options) -> Result<Self, FileError> {
        let mut source = BufReader::new(source);
        let head = source.fill_buf()?;
        let first = head
            .strip_prefix(b"\xef\xbb\xbf")
            .unwrap_or(head)
            .iter()
            .find(|byte| !byte.is_ascii_whitespace());
        let is_json = matches!(first, Some(b'[' | b'{'));
        let mut format = options.format;
        let source = if is_json {
            if format == Some(Format::Bitly) {
                return Err(FileError::NoJson);
            }
            Source::Json(Elements::of(source))
        } else {
            let table = Table::open(source)?;
            let columns = Columns::of(&table.names(), format, &options.columns)?;
            format = Some(columns.format());
            Source::Table(Box::new(table), columns)
        };
        Ok(Self {
            source,
            format,
            is_exact: options.is_exact,
            rows: 0,
        })
    }

    /// What the file is of; of JSON, known once a row was read.
    pub fn format(&self) -> Option<Format> {
        self.format
    }

    /// Columns that say nothing that a link has here.
    pub fn ignored(&self) -> &[String] {
        match &self.source {
            Source::Table(_, columns) => columns.ignored(),
            Source::Json(_) => &[],
        }
    }

    /// Bytes of the source that were read.
    pub fn bytes_read(&self) -> u64 {
        match &self.source {
            Source::Table(table, _) => table.bytes_read(),
            Source::Json(elements) => elements.bytes_read(),
        }
    }

    /// The next row; `None` at the end. Blank rows count and tell nothing: they are passed over.
    ///
    /// # Errors
    /// What makes the rest of the file unreadable.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, FileError> {
        match &mut self.source {
            Source::Table(table, columns) => loop {
                let Some((line, record)) = table.next_record()? else {
                    return Ok(None);
                };
                self.rows += 1;
                if columns.is_blank(record) {
                    continue;
                }
                let told = columns.read(record, self.is_exact);
                return Ok(Some(Entry {
                    row: self.rows,
                    line,
                    told,
                }));
            },
            Source::Json(elements) => {
                let Some((line, text)) = elements.next_element()? else {
                    return Ok(None);
                };
                self.rows += 1;
                let told = match serde_json::from_slice::<Map<String, Value>>(text) {
                    Ok(object) => {
                        let format = *self.format.get_or_insert_with(|| format_of(&object));
                        read_object(format, object, self.is_exact)
                    }
                    Err(error) => Err(FieldError::new("row", format!("is no JSON object: {error}"))),
                };
                Ok(Some(Entry {
                    row: self.rows,
                    line,
                    told,
                }))
            }
        }
    }
}

impl<R: Read> Iterator for LinkFile<R> {
    type Item = Result<Entry, FileError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_entry().transpose()
    }
}

/// Whose an object is: only Shlink has short codes, and only our own say whether letter case counts.
fn format_of(object: &Map<String, Value>) -> Format {
    match (object.contains_key("shortCode"), object.contains_key("caseSensitive")) {
        (true, _) => Format::Shlink,
        (false, true) => Format::Own,
        (false, false) => Format::Dub,
    }
}

fn read_object(format: Format, object: Map<String, Value>, is_exact: Option<bool>) -> Result<Draft, FieldError> {
    let mut draft = match format {
        Format::Shlink => shlink::read(object)?,
        _ => dialect::read(object)?,
    };
    draft.settle(is_exact.or(format.is_exact().then_some(true)));
    Ok(draft)
}

#[cfg(test)]
mod tests;
