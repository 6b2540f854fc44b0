//! `POST /orders/import`: a file of orders becomes orders, the same that the shop's webhooks tell. Good rows are taken,
//! bad ones are told one by one. Ours, not the dialect's.

use axum::Json;
use axum::extract::{RawQuery, Request, State};
use serde_json::{Map, Value, json};

use super::body;
use super::error::ApiError;
use super::params::Params;
use super::product_upsert::is_file;
use super::row_error::{Place, RowError, list};
use super::{Api, Caller};
use crate::books;
use crate::domain::customer::CustomerKey;
use crate::domain::money;
use crate::flows::Error;
use crate::flows::import_orders::{self, Imported};
use crate::integrations::catalog::orders;

/// Takes a CSV or TSV file; `?storeId=` names the store, `dryRun=true` only says what would become of it.
pub(super) async fn import(
    State(api): State<Api>,
    caller: Caller,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Json<Value>, ApiError> {
    let mut params = Params::of(query.as_deref())?;
    let is_dry_run = params.flag("dryRun")?.unwrap_or(false);
    let store_id = params.text("storeId");
    let store_id = store_id.ok_or_else(|| ApiError::invalid("storeId", "is required in the query"))?;
    params.end()?;
    if !is_file(request.headers())? {
        return Err(ApiError::invalid(
            "Content-Type",
            "must be text/csv or text/tab-separated-values",
        ));
    }
    let bytes = body::bytes(request, &api).await?;
    let (workspace, id) = (caller.workspace, store_id.clone());
    let found = api.context.books().read(move |view| {
        let missing = || Error::invalid("storeId", "is not a store of this workspace");
        books::store::by_id(view, workspace, &id)?.ok_or_else(missing)
    });
    let store = found.await?;
    let code = &store.currency;
    let currency =
        money::currency(code).ok_or_else(|| Error::Internal(format!("a store sells in {code}, which is unknown")))?;
    let click_ids = (api.click_ids)();
    let customers = CustomerKey::of(&click_ids, workspace);
    let file = orders::parse(&bytes, currency, &customers)
        .map_err(|error| ApiError::invalid(error.field(), &error.to_string()))?;
    let mut rows = Vec::with_capacity(file.entries.len());
    let mut errors = Vec::new();
    for entry in file.entries {
        let place = Place {
            row: entry.row,
            line: Some(entry.line),
        };
        match entry.told {
            Ok(row) => rows.push((row.order, row.refund)),
            Err(error) => errors.push(RowError::new(place, &error.column, &error.message)),
        }
    }
    let imported = import_orders::import(&api.context, &api.clicks, &click_ids, store, rows, is_dry_run).await?;
    let mut answer = Map::new();
    for (key, value) in [
        ("storeId", json!(store_id)),
        ("format", json!("orders")),
        ("dryRun", json!(is_dry_run)),
        ("rows", json!(file.rows)),
        ("upserted", json!(imported.taken())),
        ("changed", json!(imported.changed)),
        ("skipped", json!(file.skipped)),
        ("failed", json!(errors.len())),
        ("errors", list(&errors)),
    ] {
        answer.insert(key.to_owned(), value);
    }
    match (errors.first(), imported) {
        (
            Some(first),
            Imported {
                changed: 0,
                unchanged: 0,
            },
        ) => Err(first.refusal("orders").with_details(answer)),
        _ => Ok(Json(Value::Object(answer))),
    }
}
