//! `/audit-log`: who wrote what. Ours, not the dialect's.

use axum::Json;
use axum::extract::{RawQuery, State};
use serde_json::{Value, json};

use super::error::ApiError;
use super::params::Params;
use super::{Api, Caller};
use crate::books;
use crate::books::audit::{Entry, EntryFilter};
use crate::flows::Error;

/// Entries of a page, by default and at most.
pub(super) const PAGE_SIZE: u32 = 100;

/// Newest first; the next page is `startingAfter` the last entry's id.
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<Value>>, ApiError> {
    let mut params = Params::of(query.as_deref())?;
    let size = params.number("pageSize", 1, PAGE_SIZE)?.unwrap_or(PAGE_SIZE);
    let before_seq = match params.text("startingAfter") {
        Some(id) => {
            let seq = id.strip_prefix(PREFIX).and_then(|seq| seq.parse().ok());
            Some(seq.ok_or_else(|| ApiError::invalid("startingAfter", "must be the id of an entry"))?)
        }
        None => None,
    };
    let filter = EntryFilter {
        key_id: params.text("keyId"),
        target: params.text("targetId"),
        before_seq,
    };
    params.end()?;
    let entries = api
        .context
        .books()
        .read(move |view| books::audit::list(view, caller.workspace, &filter, size).map_err(Error::from));
    Ok(Json(entries.await?.iter().map(answer).collect()))
}

const PREFIX: &str = "aud_";

fn answer(entry: &Entry) -> Value {
    let facts = |text: &Option<String>| {
        text.as_deref()
            .and_then(|text| serde_json::from_str::<Value>(text).ok())
    };
    json!({
        "id": format!("{PREFIX}{}", entry.seq),
        "at": entry.at.to_string(),
        "keyId": entry.key_id,
        "action": entry.action,
        "targetId": entry.target,
        "before": facts(&entry.before),
        "after": facts(&entry.after),
    })
}
