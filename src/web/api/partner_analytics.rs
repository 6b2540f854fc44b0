//! `/partners/analytics`: what one creator brought, counted, over time and by link; the questions of `/analytics`.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::analytics;
use super::error::ApiError;
use super::params::Params;
use super::partner_standing::whom;
use super::{Api, Caller};
use crate::flows::part_with_creator::Whom;

pub(super) const GROUPS: [&str; 3] = ["count", "timeseries", "top_links"];

pub(super) async fn read(
    State(api): State<Api>,
    caller: Caller,
    RawQuery(raw): RawQuery,
) -> Result<Response, ApiError> {
    let (whom, asked) = read_query(raw.as_deref())?;
    let workspace = caller.workspace;
    let creator = api.context.books().read(move |view| whom.find(view, workspace)).await?;
    let question = Params::of(Some(&format!("{asked}&partnerId={}", creator.id)))?;
    let (lacks, mut told) = analytics::tell(&api, &caller, question).await?;
    match &mut told {
        Value::Array(rows) => rows.iter_mut().for_each(with_earnings),
        row => with_earnings(row),
    }
    Ok(analytics::with_lacks(&lacks, told))
}

/// Whom a call is about, and what `/analytics` is asked about them.
fn read_query(raw: Option<&str>) -> Result<(Whom, String), ApiError> {
    let mut params = Params::of(raw)?;
    let whom = whom(params.text("partnerId"), params.text("tenantId"));
    let mut question = form_urlencoded::Serializer::new(String::new());
    question.append_pair("event", "composite");
    if let Some(group_by) = params.word("groupBy", &GROUPS)? {
        question.append_pair("groupBy", group_by);
    }
    for name in ["interval", "start", "end", "timezone"] {
        if let Some(text) = params.text(name) {
            question.append_pair(name, &text);
        }
    }
    params.end()?;
    Ok((whom, question.finish()))
}

/// Nothing is paid on sales yet.
fn with_earnings(row: &mut Value) {
    row["earnings"] = json!(0);
}
