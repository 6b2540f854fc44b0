//! What is wrong with single rows of a call that takes many: where, which field, what to do.

use serde_json::{Value, json};

use super::error::ApiError;

/// Most errors that an answer lists. 1,000: a brand sees what is wrong from far fewer, and the answer stays below 1 MiB;
/// `failed` counts all of them.
const ERRORS_MAX: usize = 1_000;
/// Longest name and message of one error, in characters: both may repeat what the caller wrote.
const ERROR_TEXT_MAX: usize = 200;

/// Where a thing stands: its index in JSON; its row, from 1, and its line in a file.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub row: usize,
    pub line: Option<u64>,
}

pub(super) struct RowError {
    pub place: Place,
    field: String,
    message: String,
}

impl RowError {
    pub fn new(place: Place, field: &str, message: &str) -> Self {
        let short = |text: &str| text.chars().take(ERROR_TEXT_MAX).collect();
        Self {
            place,
            field: short(field),
            message: short(message),
        }
    }

    /// The refusal of a call of which nothing could be taken: its first error names the field, in JSON within `list`.
    pub fn refusal(&self, list: &str) -> ApiError {
        let (row, field) = (self.place.row, &self.field);
        let place = match self.place.line {
            Some(line) => format!("row {row} (line {line}), {field}"),
            None => format!("{list}[{row}].{field}"),
        };
        ApiError::invalid(&place, &self.message)
    }

    fn answer(&self) -> Value {
        let mut answer = json!({ "row": self.place.row, "field": self.field, "message": self.message });
        if let Some(line) = self.place.line {
            answer["line"] = json!(line);
        }
        answer
    }
}

/// The errors as an answer lists them.
pub(super) fn list(errors: &[RowError]) -> Value {
    errors.iter().take(ERRORS_MAX).map(RowError::answer).collect()
}
