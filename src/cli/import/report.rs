//! What became of each row: told as it is known, kept by nobody but for what people look at first.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::cursor::Place;
use crate::cli::failure::Failure;
use crate::cli::terminal::{align_right, cell, say, table};
use crate::integrations::link_file::{Format, export};

/// Most rows that are shown as a table: a screen or two. `--report` and `--json` have all.
const SHOWN_MAX: usize = 50;
/// The report's columns.
const COLUMNS: [&str; 7] = ["row", "line", "status", "link", "id", "field", "message"];

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Created,
    /// It was there.
    Known,
    Failed,
}

impl Status {
    fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Known => "known",
            Self::Failed => "failed",
        }
    }
}

/// A row that is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowResult {
    pub row: u64,
    pub line: u64,
    pub status: Status,
    /// The short link as the row has it.
    pub link: String,
    /// Public id, where there is a link.
    pub id: Option<String>,
    /// What is wrong, where the row failed.
    pub field: Option<String>,
    /// What is wrong and what to do, or what of the row could not be taken over.
    pub message: String,
}

impl RowResult {
    fn json(&self) -> Value {
        json!({
            "row": self.row,
            "line": self.line,
            "status": self.status.as_str(),
            "link": self.link,
            "id": self.id,
            "field": self.field,
            "message": (!self.message.is_empty()).then_some(&self.message),
        })
    }
}

/// Rows by what became of them.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    pub created: u64,
    pub known: u64,
    pub failed: u64,
    /// Of the first two, those with something that could not be taken over.
    pub noted: u64,
}

impl Tally {
    pub fn add(&mut self, result: &RowResult) {
        match result.status {
            Status::Created => self.created += 1,
            Status::Known => self.known += 1,
            Status::Failed => self.failed += 1,
        }
        self.noted += u64::from(result.status != Status::Failed && !result.message.is_empty());
    }

    pub fn rows(&self) -> u64 {
        self.created + self.known + self.failed
    }

    pub fn json(&self, format: Option<Format>, is_dry_run: bool) -> Value {
        json!({
            "format": format.map(Format::as_str),
            "dryRun": is_dry_run,
            "rows": self.rows(),
            "created": self.created,
            "known": self.known,
            "failed": self.failed,
            "noted": self.noted,
        })
    }

    /// The sum in words.
    pub fn sentence(&self, is_dry_run: bool) -> String {
        let done = if is_dry_run { "would be created" } else { "created" };
        let mut text = format!("{} {done}", self.created);
        for (count, words) in [
            (self.known, "there already"),
            (self.failed, "failed"),
            (self.noted, "not taken over in full"),
        ] {
            if count > 0 {
                text += &format!(", {count} {words}");
            }
        }
        text
    }
}

/// Where rows are told.
pub struct Report {
    file: Option<File>,
    is_json: bool,
    /// The first rows that people should look at.
    shown: Vec<RowResult>,
    unshown: u64,
}

impl Report {
    /// A report to `path`, going on after `place`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn open(path: Option<&Path>, is_json: bool, place: &Place) -> Result<Self, Failure> {
        let open = |path: &Path| {
            let goes_on = place.rows > 0 && path.is_file();
            let mut options = OpenOptions::new();
            let mut file = options.write(true).create(true).truncate(!goes_on).open(path)?;
            if goes_on {
                // Rows that were told and not done are told again.
                let length = file.metadata()?.len().min(place.report_bytes);
                file.set_len(length)?;
                file.seek(SeekFrom::End(0))?;
            } else {
                file.write_all(&export::line(COLUMNS))?;
            }
            Ok(file)
        };
        let opened = path.map(|path| {
            let cannot = |error: std::io::Error| {
                Failure::Usage(format!("--report {} cannot be written: {error}", path.display()))
            };
            open(path).map_err(cannot)
        });
        Ok(Self {
            file: opened.transpose()?,
            is_json,
            shown: Vec::new(),
            unshown: 0,
        })
    }

    /// Tells of a row.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn tell(&mut self, result: &RowResult) -> Result<(), Failure> {
        let told = result.json();
        if let Some(file) = &mut self.file {
            file.write_all(&export::line(COLUMNS.map(|name| export::cell(told.get(name)))))?;
        }
        if self.is_json {
            say(&told.to_string())?;
        } else if !result.message.is_empty() {
            match self.shown.len() < SHOWN_MAX {
                true => self.shown.push(result.clone()),
                false => self.unshown += 1,
            }
        }
        Ok(())
    }

    /// Bytes of the file so far.
    ///
    /// # Errors
    /// When it is gone.
    pub fn bytes(&mut self) -> Result<u64, Failure> {
        Ok(match &mut self.file {
            Some(file) => file.stream_position()?,
            None => 0,
        })
    }

    /// The rows that people should look at; `None` when there are none.
    pub fn table(&self) -> Option<String> {
        if self.shown.is_empty() {
            return None;
        }
        let mut rows = table(&["row", "line", "link", "field", "problem"]);
        align_right(&mut rows, [0, 1]);
        for result in &self.shown {
            let told = result.json();
            rows.add_row(["row", "line", "link", "field", "message"].map(|name| cell(&told[name])));
        }
        let mut text = rows.to_string();
        if self.unshown > 0 {
            text += &format!("\n... and {} more: --report FILE has all", self.unshown);
        }
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(row: u64, status: Status, message: &str) -> RowResult {
        RowResult {
            row,
            line: row + 1,
            status,
            link: "go.brand.example/a".to_owned(),
            id: (status != Status::Failed).then(|| "link_1".to_owned()),
            field: (status == Status::Failed).then(|| "url".to_owned()),
            message: message.to_owned(),
        }
    }

    #[test]
    fn rows_are_counted_and_said() {
        let mut tally = Tally::default();
        for result in [
            result(1, Status::Created, ""),
            result(2, Status::Created, "no webhooks"),
            result(3, Status::Known, ""),
            result(4, Status::Failed, "is required"),
        ] {
            tally.add(&result);
        }
        assert_eq!(
            tally.sentence(true),
            "2 would be created, 1 there already, 1 failed, 1 not taken over in full"
        );
        assert_eq!(tally.json(Some(Format::Bitly), false)["rows"], 4);
    }

    #[test]
    fn a_report_goes_on_where_it_was() {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("report.csv");
        let mut place = Place::default();
        let mut report = Report::open(Some(&path), false, &place).expect("a report");
        report.tell(&result(1, Status::Failed, "=bad, \"very\"")).expect("told");
        place.rows = 1;
        place.report_bytes = report.bytes().expect("bytes");
        report.tell(&result(2, Status::Created, "")).expect("told");
        assert!(report.table().expect("a table").contains("=bad"));
        let mut report = Report::open(Some(&path), false, &place).expect("a report");
        report.tell(&result(2, Status::Known, "")).expect("told");
        let text = std::fs::read_to_string(&path).expect("a report");
        assert_eq!(
            text.lines().collect::<Vec<_>>(),
            [
                "row,line,status,link,id,field,message",
                "1,2,failed,go.brand.example/a,,url,\"'=bad, \"\"very\"\"\"",
                "2,3,known,go.brand.example/a,link_1,,",
            ]
        );
    }
}
