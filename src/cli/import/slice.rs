//! Rows that travel in one call.

use bytes::Bytes;
use hyper::Method;
use serde_json::Value;

use super::report::{RowResult, Status};
use crate::cli::api::Api;
use crate::cli::failure::Failure;

/// Links of one call. 2,000 of the 10,000 that it may have: an import that is cut off repeats little.
const ROWS_MAX: usize = 2_000;
/// Bytes after which a call is full. 4 MiB: at 1.2 Mbit/s it arrives in the 30 s that a server waits for a body.
const BYTES_MAX: usize = 4 << 20;
/// Passwords in one call: as many different ones as the server takes.
const PASSWORDS_MAX: usize = 100;

/// A row, ready to be sent or refused already.
#[derive(Debug)]
pub struct Prepared {
    pub row: u64,
    pub line: u64,
    /// The short link as the row has it.
    pub link: String,
    /// The link, or field and message of what is wrong.
    pub body: Result<Value, (String, String)>,
    pub notes: Vec<String>,
}

impl Prepared {
    fn result(self, status: Status, id: Option<String>, problem: Option<(Option<String>, String)>) -> RowResult {
        let (field, message) = problem.unwrap_or_else(|| (None, self.notes.join("; ")));
        RowResult {
            row: self.row,
            line: self.line,
            status,
            link: self.link,
            id,
            field,
            message,
        }
    }
}

/// Rows of one call, in the file's order.
#[derive(Debug, Default)]
pub struct Slice {
    rows: Vec<Prepared>,
    /// The good ones' links as a JSON list, without its last bracket.
    body: Vec<u8>,
    passwords: usize,
}

impl Slice {
    pub fn push(&mut self, mut row: Prepared) {
        if let Ok(link) = &mut row.body {
            self.body.push(if self.body.is_empty() { b'[' } else { b',' });
            self.body.extend_from_slice(link.to_string().as_bytes());
            self.passwords += usize::from(link.get("password").is_some());
            // Its text is in the body.
            *link = Value::Null;
        }
        self.rows.push(row);
    }

    pub fn is_full(&self) -> bool {
        self.rows.len() >= ROWS_MAX || self.body.len() >= BYTES_MAX || self.passwords >= PASSWORDS_MAX
    }

    /// The last row's number.
    pub fn last_row(&self) -> Option<u64> {
        self.rows.last().map(|row| row.row)
    }

    /// Sends the good rows; what became of each row.
    ///
    /// # Errors
    /// When the server is away, refuses the call as a whole or was cut off in it: nothing is known of any row then.
    pub async fn send(mut self, api: &Api, is_dry_run: bool) -> Result<Vec<RowResult>, Failure> {
        let mut results = Vec::new();
        if !self.body.is_empty() {
            self.body.push(b']');
            let path = if is_dry_run {
                "/links/import?dryRun=true"
            } else {
                "/links/import"
            };
            let body = Bytes::from(std::mem::take(&mut self.body));
            let sent = api.send(Method::POST, path, Some(("application/json", body))).await;
            let reply = sent.map_err(|error| api.explain(&Method::POST, path, error))?;
            if let Value::Array(list) = reply.value["results"].clone() {
                results = list;
            }
        }
        let mut results = results.into_iter();
        let told = self.rows.into_iter().map(|row| match row.body.clone() {
            Err((field, message)) => Ok(row.result(Status::Failed, None, Some((Some(field), message)))),
            Ok(_) => told(row, results.next()),
        });
        told.collect()
    }
}

fn told(row: Prepared, result: Option<Value>) -> Result<RowResult, Failure> {
    let result = result.unwrap_or_default();
    let text = |name: &str| result[name].as_str().map(str::to_owned);
    let message = text("message").unwrap_or_default();
    match (result["status"].as_str(), result["code"].as_str()) {
        (Some("created"), _) => Ok(row.result(Status::Created, text("id"), None)),
        (Some("known"), _) => Ok(row.result(Status::Known, text("id"), None)),
        // Not the row's fault: it is sent again.
        (Some("failed"), Some("service_unavailable" | "internal_server_error")) => Err(Failure::Unavailable(format!(
            "the server was cut off at row {}: {message}",
            row.row
        ))),
        (Some("failed"), _) => Ok(row.result(Status::Failed, None, Some((text("field"), message)))),
        _ => Err(Failure::Failed(format!(
            "POST /links/import did not tell what became of row {}",
            row.row
        ))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(number: u64, body: Result<Value, (String, String)>) -> Prepared {
        Prepared {
            row: number,
            line: number + 1,
            link: String::new(),
            body,
            notes: vec!["a".to_owned(), "b".to_owned()],
        }
    }

    #[test]
    fn a_call_has_bounds() {
        let mut slice = Slice::default();
        assert_eq!((slice.last_row(), slice.is_full()), (None, false));
        slice.push(row(1, Err(("url".to_owned(), "bad".to_owned()))));
        slice.push(row(2, Ok(json!({ "url": "x" }))));
        slice.push(row(3, Ok(json!({ "password": "y" }))));
        assert_eq!(slice.body, br#"[{"url":"x"},{"password":"y"}"#);
        assert_eq!((slice.last_row(), slice.passwords), (Some(3), 1));
        for number in 4..=ROWS_MAX as u64 {
            assert!(!slice.is_full());
            slice.push(row(number, Ok(json!({}))));
        }
        assert!(slice.is_full());
    }

    #[test]
    fn answers_are_told_apart() {
        let good = |answer: Value| told(row(7, Ok(Value::Null)), Some(answer));
        let created = good(json!({ "status": "created", "id": "link_1" })).expect("told");
        assert_eq!(
            (created.status, created.id.as_deref(), created.message.as_str()),
            (Status::Created, Some("link_1"), "a; b")
        );
        let failed = good(json!({ "status": "failed", "code": "conflict", "field": "key", "message": "is taken" }));
        let failed = failed.expect("told");
        assert_eq!(
            (failed.status, failed.field.as_deref(), failed.message.as_str()),
            (Status::Failed, Some("key"), "is taken")
        );
        let away = good(json!({ "status": "failed", "code": "service_unavailable", "message": "Not now" }));
        assert_eq!(away.map_err(|failure| failure.code()), Err(69));
        assert!(told(row(7, Ok(Value::Null)), None).is_err());
    }
}
