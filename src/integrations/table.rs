//! A table of text, row by row: finds the separator and the header, and tells each row with its line. Holds one row at a
//! time, and no row without end. Knows no column.

use std::io::{self, BufRead, BufReader, Chain, Cursor, Read};

use csv::ByteRecord;

use super::lines::Lines;

/// Longest first line, in bytes. 64 KiB: exports with hundreds of columns need a few; a file without line ends is no
/// table, and is not read to its end to find that out.
pub const HEADER_BYTES_MAX: u64 = 64 << 10;
/// Longest row, in bytes. 4 MiB: far beyond any product's description; a quote that is never closed ends here, not in
/// memory.
const ROW_BYTES_MAX: u64 = 4 << 20;
/// Most lines before the header that begin with `#`: Meta's templates have one or two that explain the columns.
const REMARKS_MAX: usize = 8;

const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";
const UTF16_MARKS: [&[u8]; 2] = [b"\xff\xfe", b"\xfe\xff"];

/// The first line, which was read to find the separator, and what follows.
type Source<R> = Lines<Chain<Cursor<Vec<u8>>, BufReader<R>>>;

/// Why a table cannot be read.
#[derive(Debug)]
pub enum TableError {
    /// There is nothing in it.
    Empty,
    /// It is UTF-16, as spreadsheets write "Unicode text".
    Utf16,
    /// Its first line is longer than [`HEADER_BYTES_MAX`].
    HeaderTooLong,
    /// The source cannot be read.
    Io(io::Error),
}

impl From<io::Error> for TableError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::FileTooLarge => Self::Io(io::Error::other(
                "a row has more than 4 MiB: is there a quote that is never closed?",
            )),
            _ => Self::Io(error),
        }
    }
}

impl From<csv::Error> for TableError {
    fn from(error: csv::Error) -> Self {
        match error.into_kind() {
            csv::ErrorKind::Io(error) => error.into(),
            other => Self::Io(io::Error::other(format!("{other:?}"))),
        }
    }
}

/// A table whose header is known.
pub struct Table<R: Read> {
    reader: csv::Reader<Source<R>>,
    header: ByteRecord,
    record: ByteRecord,
}

impl<R: Read> Table<R> {
    /// Reads the header of `source`.
    ///
    /// # Errors
    /// See [`TableError`].
    pub fn open(source: R) -> Result<Self, TableError> {
        let mut source = BufReader::new(source);
        let mut head = Vec::new();
        source.by_ref().take(HEADER_BYTES_MAX).read_until(b'\n', &mut head)?;
        if UTF16_MARKS.iter().any(|mark| head.starts_with(mark)) {
            return Err(TableError::Utf16);
        }
        if head.starts_with(UTF8_MARK) {
            head.drain(..UTF8_MARK.len());
        }
        let first_line = head
            .split(|byte| matches!(byte, b'\r' | b'\n'))
            .next()
            .unwrap_or_default();
        if first_line.len() as u64 + 1 >= HEADER_BYTES_MAX {
            return Err(TableError::HeaderTooLong);
        }
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(separator(first_line))
            .has_headers(false)
            .flexible(true)
            .from_reader(Lines::of(Cursor::new(head).chain(source)));
        let mut header = ByteRecord::new();
        for _ in 0..=REMARKS_MAX {
            bound(&mut reader);
            if !reader.read_byte_record(&mut header)? {
                return Err(TableError::Empty);
            }
            if !header.get(0).is_some_and(|cell| cell.starts_with(b"#")) {
                break;
            }
        }
        Ok(Self {
            reader,
            header,
            record: ByteRecord::new(),
        })
    }

    /// The header as it is written.
    pub fn header(&self) -> &ByteRecord {
        &self.header
    }

    /// The names of the columns.
    pub fn names(&self) -> Vec<String> {
        let names = self.header.iter();
        names.map(|name| String::from_utf8_lossy(name).into_owned()).collect()
    }

    /// Bytes of the source that were read.
    pub fn bytes_read(&self) -> u64 {
        self.reader.position().byte()
    }

    /// The next row with the line of the source, from 1, on which it begins; `None` at the end. Lines without any
    /// character are no rows.
    ///
    /// # Errors
    /// [`TableError::Io`].
    pub fn next_record(&mut self) -> Result<Option<(u64, &ByteRecord)>, TableError> {
        bound(&mut self.reader);
        let has_more = self.reader.read_byte_record(&mut self.record)?;
        if !has_more {
            return Ok(None);
        }
        // What was read last is the row's line end, or its last byte.
        let last = self.reader.position().byte().saturating_sub(1);
        let line_ends = |cell: &[u8]| cell.iter().filter(|byte| **byte == b'\n').count() as u64;
        let inside: u64 = self.record.iter().map(line_ends).sum();
        let line = self.reader.get_mut().line_at(last).saturating_sub(inside);
        Ok(Some((line, &self.record)))
    }
}

/// Allows the reader one row.
fn bound<R: Read>(reader: &mut csv::Reader<Source<R>>) {
    let end = reader.position().byte().saturating_add(ROW_BYTES_MAX);
    reader.get_mut().stop_at(end);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_that_is_never_closed_ends_the_file() {
        let text = format!("a,b\n1,2\n3,\"{}", "x\n".repeat(4 << 20));
        let mut table = Table::open(text.as_bytes()).expect("a header");
        let (line, row) = table.next_record().expect("a row").expect("one");
        assert_eq!((line, row.len()), (2, 2));
        let error = table.next_record().expect_err("too long");
        assert!(matches!(&error, TableError::Io(error) if error.to_string().contains("never closed")));
    }

    #[test]
    fn long_files_of_short_rows_are_read_to_their_end() {
        let text = format!("a,b\n{}", "1,2\n".repeat(2 << 20));
        let mut table = Table::open(text.as_bytes()).expect("a header");
        let mut rows = 0;
        while table.next_record().expect("a row").is_some() {
            rows += 1;
        }
        assert_eq!((rows, table.bytes_read()), (2 << 20, text.len() as u64));
    }
}
