//! Cuts a file of any length into files that one call takes, each with the header, never between the rows of one
//! product. Holds one slice at a time.

use std::io::Read;

use super::column::Column;
use super::error::CatalogError;
use super::sheet::Sheet;

/// Where a slice may be cut.
#[derive(Debug, Clone, Copy)]
pub struct SliceLimits {
    pub rows: usize,
    /// Bytes after which the next product begins a new slice.
    pub bytes: usize,
}

/// A piece of a file: a whole file by itself, with commas.
#[derive(Debug)]
pub struct Slice {
    pub csv: Vec<u8>,
    /// Rows of the file before this slice.
    pub rows_before: usize,
    /// Bytes of the file that were read so far.
    pub bytes_read: u64,
    /// On which line of the file each row begins.
    lines: Vec<u64>,
}

impl Slice {
    /// Number of its rows.
    pub fn rows(&self) -> usize {
        self.lines.len()
    }

    /// The file's line of the slice's `row`, from 1.
    pub fn line(&self, row: usize) -> Option<u64> {
        self.lines.get(row.checked_sub(1)?).copied()
    }
}

/// The slices of a file.
pub struct Slices<R: Read> {
    sheet: Sheet<R>,
    limits: SliceLimits,
    rows: usize,
    /// The first row of the next slice, which was read to see that this one ends.
    held: Option<HeldRow>,
}

struct HeldRow {
    record: csv::ByteRecord,
    line: u64,
    handle: Option<Vec<u8>>,
}

impl<R: Read> Slices<R> {
    /// Slices of `source`.
    ///
    /// # Errors
    /// As [`super::parse`], of its header.
    pub fn of(source: R, limits: SliceLimits) -> Result<Self, CatalogError> {
        Ok(Self {
            sheet: Sheet::open(source)?,
            limits,
            rows: 0,
            held: None,
        })
    }

    fn next_slice(&mut self) -> Result<Option<Slice>, CatalogError> {
        let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
        writer.write_byte_record(self.sheet.header())?;
        let (mut lines, mut bytes, mut last_handle) = (Vec::new(), 0, None);
        loop {
            let row = match self.held.take() {
                Some(row) => row,
                None => match self.read_row()? {
                    Some(row) => row,
                    None => break,
                },
            };
            let is_full = lines.len() >= self.limits.rows || bytes >= self.limits.bytes;
            let continues = row.handle.is_some() && row.handle == last_handle;
            if is_full && !continues {
                self.held = Some(row);
                break;
            }
            bytes += row.record.as_slice().len();
            writer.write_byte_record(&row.record)?;
            lines.push(row.line);
            last_handle = row.handle;
        }
        if lines.is_empty() {
            return Ok(None);
        }
        let rows_before = self.rows;
        self.rows += lines.len();
        let csv = writer
            .into_inner()
            .map_err(|error| CatalogError::Io(error.into_error()))?;
        Ok(Some(Slice {
            csv,
            rows_before,
            bytes_read: self.sheet.bytes_read(),
            lines,
        }))
    }

    fn read_row(&mut self) -> Result<Option<HeldRow>, CatalogError> {
        Ok(self.sheet.next_row()?.map(|row| HeldRow {
            record: row.record().clone(),
            line: row.line(),
            handle: row
                .bytes(Column::Handle)
                .filter(|handle| !handle.is_empty())
                .map(<[u8]>::to_vec),
        }))
    }
}

impl<R: Read> Iterator for Slices<R> {
    type Item = Result<Slice, CatalogError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_slice().transpose()
    }
}
