//! `/discount-codes/pools`: pools of single-use codes, filled as JSON or as a file. Good rows are taken together, bad ones
//! are told one by one. Ours, not the dialect's.

use axum::Json;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::body::{self, Body, parse, parse_part};
use super::error::ApiError;
use super::order::partner_id;
use super::params::Params;
use super::product_upsert::is_file;
use super::row_error::{Place, RowError, list as list_errors};
use super::{Api, Caller};
use crate::books::{self, View};
use crate::domain::code_pool::{CODES_PER_CALL_MAX, CodePool};
use crate::domain::time::Timestamp;
use crate::flows::Error;
use crate::flows::stock_codes::{self, CodeDraft, PoolDraft};
use crate::integrations::catalog::codes;

/// Default page size.
const PAGE_SIZE: u32 = 100;
/// Most codes that were there already whose rows an answer lists, as with errors; `known` counts all of them.
const KNOWN_MAX: usize = 1_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PoolBody {
    name: String,
    store_id: String,
    partner_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct CodesBody {
    codes: Vec<Value>,
    /// Of those that say none themselves.
    expires_at: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CodeBody {
    code: String,
    expires_at: Option<String>,
}

/// Codes as a caller sent them.
#[derive(Default)]
struct Sent {
    rows: usize,
    skipped: usize,
    good: Vec<CodeDraft>,
    /// Where each good one stands.
    places: Vec<Place>,
    errors: Vec<RowError>,
}

pub(super) async fn create(
    State(api): State<Api>,
    caller: Caller,
    Body(body): Body<PoolBody>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let draft = PoolDraft {
        name: body.name,
        store_id: body.store_id,
        creator_id: body.partner_id.filter(|id| !id.is_empty()),
    };
    let pool = stock_codes::open_pool(&api.context, caller.workspace, draft).await?;
    Ok((StatusCode::CREATED, Json(told(&api, pool).await?)))
}

pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<Value>>, ApiError> {
    let mut params = Params::of(query.as_deref())?;
    let page = params.page(PAGE_SIZE)?;
    params.end()?;
    let now = api.context.clock().now();
    let pools = api.context.books().read(move |view| {
        let pools = books::code_pool::list(view, caller.workspace, &page)?;
        let answers = pools.iter().map(|pool| answer(view, pool, now));
        answers.collect::<Result<Vec<_>, Error>>()
    });
    Ok(Json(pools.await?))
}

pub(super) async fn show(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let now = api.context.clock().now();
    let shown = api
        .context
        .books()
        .read(move |view| answer(view, &stock_codes::find(view, caller.workspace, &id)?, now));
    Ok(Json(shown.await?))
}

pub(super) async fn delete(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let pool = stock_codes::delete(&api.context, caller.workspace, id).await?;
    Ok(Json(json!({ "id": pool.id })))
}

pub(super) async fn upload(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Json<Value>, ApiError> {
    let mut params = Params::of(query.as_deref())?;
    let is_dry_run = params.flag("dryRun")?.unwrap_or(false);
    params.end()?;
    let has_file = is_file(request.headers())?;
    let bytes = body::bytes(request, &api).await?;
    let mut sent = if has_file {
        read_file(&bytes)?
    } else {
        read_json(&bytes)?
    };
    let good = std::mem::take(&mut sent.good);
    let uploaded = stock_codes::upload(&api.context, caller.workspace, &id, good, is_dry_run).await?;
    for (place, field, message) in &uploaded.refused {
        sent.errors.push(RowError::new(sent.places[*place], field, message));
    }
    sent.errors.sort_by_key(|error| error.place.row);
    let known = uploaded.known.iter().take(KNOWN_MAX).map(|place| {
        let Place { row, line } = sent.places[*place];
        json!({ "row": row, "line": line })
    });
    let taken = uploaded.added + uploaded.known.len();
    let mut answer = Map::new();
    for (key, value) in [
        ("format", json!("codes")),
        ("poolId", json!(id)),
        ("dryRun", json!(is_dry_run)),
        ("rows", json!(sent.rows)),
        ("upserted", json!(taken)),
        ("added", json!(uploaded.added)),
        ("known", json!(uploaded.known.len())),
        ("duplicates", known.collect()),
        ("skipped", json!(sent.skipped)),
        ("failed", json!(sent.errors.len())),
        ("errors", list_errors(&sent.errors)),
    ] {
        answer.insert(key.to_owned(), value);
    }
    match sent.errors.first() {
        Some(first) if taken == 0 => Err(first.refusal("codes").with_details(answer)),
        _ => Ok(Json(Value::Object(answer))),
    }
}

fn instant(text: &str) -> Result<Timestamp, (String, String)> {
    Timestamp::parse(text).ok_or_else(|| ("expiresAt".to_owned(), codes::EXPIRES_AT.to_owned()))
}

fn read_json(bytes: &[u8]) -> Result<Sent, ApiError> {
    let body: CodesBody = parse(bytes)?;
    if body.codes.len() > CODES_PER_CALL_MAX {
        let message = format!("must have at most {CODES_PER_CALL_MAX} entries a call");
        return Err(ApiError::invalid("codes", &message));
    }
    let usual = body.expires_at.as_deref().map(instant).transpose();
    let usual = usual.map_err(|(field, message)| ApiError::invalid(&field, &message))?;
    let mut sent = Sent {
        rows: body.codes.len(),
        ..Sent::default()
    };
    for (row, code) in body.codes.into_iter().enumerate() {
        let told = match code {
            Value::String(code) => Ok((code, None)),
            other => parse_part(other).map(|code: CodeBody| (code.code, code.expires_at)),
        };
        let told = told.and_then(|(code, end)| Ok((code, end.as_deref().map(instant).transpose()?)));
        sent.take(Place { row, line: None }, told, usual);
    }
    Ok(sent)
}

fn read_file(bytes: &[u8]) -> Result<Sent, ApiError> {
    let file = codes::parse(bytes).map_err(|error| ApiError::invalid(error.field(), &error.to_string()))?;
    let mut sent = Sent {
        rows: file.rows,
        skipped: file.skipped,
        ..Sent::default()
    };
    for entry in file.entries {
        let place = Place {
            row: entry.row,
            line: Some(entry.line),
        };
        sent.take(place, entry.told.map_err(|error| (error.column, error.message)), None);
    }
    Ok(sent)
}

impl Sent {
    fn take(
        &mut self,
        place: Place,
        told: Result<(String, Option<Timestamp>), (String, String)>,
        usual: Option<Timestamp>,
    ) {
        match told {
            Ok((code, expires_at)) => {
                self.places.push(place);
                self.good.push(CodeDraft {
                    code,
                    expires_at: expires_at.or(usual),
                });
            }
            Err((field, message)) => self.errors.push(RowError::new(place, &field, &message)),
        }
    }
}

async fn told(api: &Api, pool: CodePool) -> Result<Value, Error> {
    let now = api.context.clock().now();
    api.context.books().read(move |view| answer(view, &pool, now)).await
}

fn answer(view: &View<'_>, pool: &CodePool, now: Timestamp) -> Result<Value, Error> {
    let counts = books::code_pool::counts(view, pool.no, now)?;
    Ok(json!({
        "id": pool.id,
        "name": pool.name,
        "storeId": books::store::by_no(view, pool.store)?.map(|store| store.id),
        "partnerId": partner_id(view, pool.creator)?,
        "createdAt": pool.created_at.to_string(),
        "total": counts.total,
        "remaining": counts.remaining,
        "leased": counts.leased,
        "given": counts.given,
        "used": counts.used,
        "expired": counts.expired,
    }))
}
