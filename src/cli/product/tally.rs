//! Sums up the answers to the slices of one file, with rows and lines as the file counts them.

use serde_json::{Value, json};

use crate::cli::terminal::{align_right, cell, table};
use crate::integrations::catalog::Slice;

/// Most failed rows that are shown as a table: a screen or two. `--json` lists all that the server named.
const SHOWN_MAX: usize = 50;

/// What became of a file so far.
#[derive(Debug, Default)]
pub struct Tally {
    pub format: String,
    pub rows: u64,
    pub upserted: u64,
    pub skipped: u64,
    pub failed: u64,
    /// As the API lists them, but with the file's rows and lines.
    errors: Vec<Value>,
}

impl Tally {
    /// Adds the answer to `slice`; `false` when it is no such answer.
    pub fn add(&mut self, slice: &Slice, answer: &Value) -> bool {
        let numbers = ["rows", "upserted", "skipped", "failed"].map(|name| answer[name].as_u64());
        let ([Some(rows), Some(upserted), Some(skipped), Some(failed)], Some(errors)) =
            (numbers, answer["errors"].as_array())
        else {
            return false;
        };
        self.rows += rows;
        self.upserted += upserted;
        self.skipped += skipped;
        self.failed += failed;
        self.format = cell(&answer["format"]);
        for error in errors {
            let Some(row) = error["row"].as_u64().and_then(|row| usize::try_from(row).ok()) else {
                return false;
            };
            let mut error = error.clone();
            error["row"] = json!(slice.rows_before + row);
            error["line"] = json!(slice.line(row));
            self.errors.push(error);
        }
        true
    }

    /// The sum in the form of one answer.
    pub fn json(&self, store: Option<&str>, is_dry_run: bool) -> Value {
        let mut sum = json!({
            "format": self.format,
            "dryRun": is_dry_run,
            "rows": self.rows,
            "upserted": self.upserted,
            "skipped": self.skipped,
            "failed": self.failed,
            "errors": self.errors,
        });
        if let Some(store) = store {
            sum["storeId"] = json!(store);
        }
        sum
    }

    /// The sum in one line.
    pub fn summary(&self, is_dry_run: bool) -> String {
        let done = if is_dry_run { "would be taken" } else { "taken" };
        let mut text = format!("{} rows ({}): {} {done}", self.rows, self.format, self.upserted);
        if self.skipped > 0 {
            text += &format!(", {} without a product", self.skipped);
        }
        if self.failed > 0 {
            text += &format!(", {} failed", self.failed);
        }
        text
    }

    /// The failed rows as a table; `None` when there are none.
    pub fn failures(&self) -> Option<String> {
        if self.errors.is_empty() {
            return None;
        }
        let mut rows = table(&["row", "line", "column", "problem"]);
        align_right(&mut rows, [0, 1]);
        for error in self.errors.iter().take(SHOWN_MAX) {
            rows.add_row(["row", "line", "field", "message"].map(|name| cell(&error[name])));
        }
        let shown = self.errors.len().min(SHOWN_MAX) as u64;
        let mut text = rows.to_string();
        if self.failed > shown {
            text += &format!("\n... and {} more", self.failed - shown);
        }
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::integrations::catalog::{SliceLimits, Slices};

    #[test]
    fn rows_and_lines_are_the_files() {
        let file = "sku,title\nA,a\n\nB,\"b\nb\"\nC,c\nD,d\n";
        let limits = SliceLimits {
            rows: 2,
            bytes: 1 << 20,
        };
        let slices: Vec<Slice> = Slices::of(file.as_bytes(), limits)
            .expect("a header")
            .collect::<Result<_, _>>()
            .expect("rows");
        let mut tally = Tally::default();
        for slice in &slices {
            let answer = json!({"rows": slice.rows(), "upserted": 1, "skipped": 0, "failed": 1, "format": "hopcart",
                "errors": [{"row": 2, "line": 99, "field": "title", "message": "no"}]});
            assert!(tally.add(slice, &answer));
        }
        let sum = tally.json(Some("store_1"), true);
        assert_eq!((sum["rows"].as_u64(), sum["failed"].as_u64()), (Some(4), Some(2)));
        assert_eq!(
            sum["errors"][0],
            json!({"row": 2, "line": 4, "field": "title", "message": "no"})
        );
        assert_eq!(
            sum["errors"][1],
            json!({"row": 4, "line": 7, "field": "title", "message": "no"})
        );
        assert_eq!(tally.summary(true), "4 rows (hopcart): 2 would be taken, 2 failed");
        assert!(tally.failures().expect("failures").contains("title"));
        assert!(!Tally::default().add(&slices[0], &json!({"storeId": "x"})));
        assert_eq!(Tally::default().failures(), None);
    }

    #[test]
    fn long_tables_are_cut() {
        let slices = Slices::of("sku\nA\n".as_bytes(), SliceLimits { rows: 9, bytes: 9 }).expect("a header");
        let slice = slices.last().expect("a slice").expect("rows");
        let errors = vec![json!({"row": 1, "field": "sku", "message": "no"}); 60];
        let answer = json!({"rows": 99, "upserted": 0, "skipped": 0, "failed": 99, "errors": errors});
        let mut tally = Tally::default();
        assert!(tally.add(&slice, &answer));
        let text = tally.failures().expect("failures");
        assert!(text.ends_with("... and 49 more"), "{text}");
    }
}
