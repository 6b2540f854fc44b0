//! `/rates`: the exchange rates that the brand loads, as JSON or as a file. Good rows are taken together, bad ones are told
//! one by one. Ours, not the dialect's.

use axum::Json;
use axum::extract::{RawQuery, Request, State};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::body::{self, parse, parse_part};
use super::error::ApiError;
use super::params::Params;
use super::product_upsert::is_file;
use super::row_error::{Place, RowError, list as list_errors};
use super::{Api, Caller, Period};
use crate::books;
use crate::books::rate::RateFilter;
use crate::domain::money::{self, Currency};
use crate::domain::rate::{DatedRate, RATES_PER_CALL_MAX};
use crate::domain::time::{DAY_MS, Timestamp};
use crate::flows::{Error, load_rates};
use crate::integrations::catalog::rates;

/// Rates of a page, at least and by default.
const PAGE_SIZE: u32 = 100;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RatesBody {
    rates: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RateBody {
    base: String,
    quote: String,
    date: String,
    rate: String,
}

/// Rates as a caller sent them.
#[derive(Default)]
struct Sent {
    rows: usize,
    skipped: usize,
    good: Vec<DatedRate>,
    errors: Vec<RowError>,
}

pub(super) async fn load(
    State(api): State<Api>,
    caller: Caller,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Json<Value>, ApiError> {
    let mut params = Params::of(query.as_deref())?;
    let is_dry_run = params.flag("dryRun")?.unwrap_or(false);
    params.end()?;
    let has_file = is_file(request.headers())?;
    let bytes = body::bytes(request, &api).await?;
    let sent = if has_file {
        read_file(&bytes)?
    } else {
        read_json(&bytes)?
    };
    let upserted = sent.good.len();
    let mut answer = Map::new();
    for (key, value) in [
        ("format", json!("rates")),
        ("dryRun", json!(is_dry_run)),
        ("rows", json!(sent.rows)),
        ("upserted", json!(upserted)),
        ("skipped", json!(sent.skipped)),
        ("failed", json!(sent.errors.len())),
        ("errors", list_errors(&sent.errors)),
    ] {
        answer.insert(key.to_owned(), value);
    }
    if let Some(first) = sent.errors.first().filter(|_| upserted == 0) {
        return Err(first.refusal("rates").with_details(answer));
    }
    if !is_dry_run {
        load_rates::load(&api.context, caller.workspace, sent.good).await?;
    }
    Ok(Json(Value::Object(answer)))
}

fn read_json(bytes: &[u8]) -> Result<Sent, ApiError> {
    let body: RatesBody = parse(bytes)?;
    if body.rates.len() > RATES_PER_CALL_MAX {
        return Err(ApiError::invalid(
            "rates",
            &format!("must have at most {RATES_PER_CALL_MAX} entries a call"),
        ));
    }
    let mut sent = Sent {
        rows: body.rates.len(),
        ..Sent::default()
    };
    for (row, rate) in body.rates.into_iter().enumerate() {
        let told = parse_part(rate).and_then(|rate: RateBody| {
            rates::dated(&rate.base, &rate.quote, &rate.date, &rate.rate)
                .map_err(|(field, message)| (field.to_owned(), message.to_owned()))
        });
        match told {
            Ok(rate) => sent.good.push(rate),
            Err((field, message)) => {
                let place = Place { row, line: None };
                sent.errors.push(RowError::new(place, &field, &message));
            }
        }
    }
    Ok(sent)
}

fn read_file(bytes: &[u8]) -> Result<Sent, ApiError> {
    let file = rates::parse(bytes).map_err(|error| ApiError::invalid(error.field(), &error.to_string()))?;
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
        match entry.told {
            Ok(rate) => sent.good.push(rate),
            Err(error) => sent.errors.push(RowError::new(place, &error.column, &error.message)),
        }
    }
    Ok(sent)
}

pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<Value>>, ApiError> {
    let mut params = Params::of(query.as_deref())?;
    let number = params.number("page", 1, u32::MAX)?.unwrap_or(1);
    let size = params.number("pageSize", 1, 1_000)?.unwrap_or(PAGE_SIZE);
    let (base, quote) = (currency(&mut params, "base")?, currency(&mut params, "quote")?);
    let has_period = ["interval", "start", "end"].iter().any(|name| params.has(name));
    let period = Period::take(&mut params, api.context.clock().now(), "all")?;
    params.end()?;
    let after = Timestamp(period.end.0.saturating_add(DAY_MS - 1)).day();
    let filter = RateFilter {
        base,
        quote,
        days: has_period.then_some((period.start.day(), after)),
    };
    let found = api
        .context
        .books()
        .read(move |view| books::rate::list(view, caller.workspace, &filter, (number, size)).map_err(Error::from));
    let rows = found.await?.into_iter().map(|dated| {
        let date = Timestamp(i64::from(dated.day) * DAY_MS).to_string();
        json!({
            "base": dated.base.code(),
            "quote": dated.quote.code(),
            "date": date.get(..10),
            "rate": dated.rate.to_string(),
        })
    });
    Ok(Json(rows.collect()))
}

fn currency(params: &mut Params, name: &'static str) -> Result<Option<Currency>, ApiError> {
    let Some(code) = params.text(name) else { return Ok(None) };
    let known = money::currency(&code);
    known
        .map(Some)
        .ok_or_else(|| ApiError::invalid(name, "must be an ISO 4217 code such as EUR"))
}
