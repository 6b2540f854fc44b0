//! `PUT /products`: products as JSON or as a catalogue file. Good rows are taken together, bad ones are told one by one.

use axum::Json;
use axum::extract::{RawQuery, Request, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::body::{self, parse, parse_part};
use super::error::ApiError;
use super::params::Params;
use super::row_error::{Place, RowError, list};
use super::{Api, Caller};
use crate::books;
use crate::domain::money;
use crate::domain::product::ProductDraft;
use crate::domain::store::{OversellPolicy, PRODUCTS_PER_CALL_MAX};
use crate::flows::Error;
use crate::flows::publish_product::{self, Telling};
use crate::integrations::catalog::{self, Catalog, CatalogError};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ProductsBody {
    store_id: String,
    products: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ProductBody {
    sku: String,
    variant_id: Value,
    title: String,
    image_url: Option<String>,
    price: Option<i64>,
    stock: Option<i64>,
    policy: Option<OversellPolicy>,
    cost: Option<i64>,
}

/// Products as a caller sent them, in whatever form.
struct Sent {
    store_id: String,
    form: Form,
    rows: usize,
    skipped: usize,
    drafts: Vec<ProductDraft>,
    /// The row of each draft.
    places: Vec<Place>,
    errors: Vec<RowError>,
    /// Code of the currency that prices were read in.
    currency: Option<String>,
}

/// How errors name rows and fields.
enum Form {
    Json,
    File(Catalog),
}

/// Adds or replaces products by SKU; the next follow sees all that were taken.
pub(super) async fn upsert(
    State(api): State<Api>,
    caller: Caller,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Json<Value>, ApiError> {
    let mut params = Params::of(query.as_deref())?;
    let is_dry_run = params.flag("dryRun")?.unwrap_or(false);
    let mut sent = if is_file(request.headers())? {
        let store_id = params.text("storeId");
        let store_id = store_id.ok_or_else(|| ApiError::invalid("storeId", "is required in the query"))?;
        params.end()?;
        read_file(&api, &caller, store_id, &body::bytes(request, &api).await?).await?
    } else {
        params.end()?;
        read_json(&body::bytes(request, &api).await?)?
    };
    let telling = Telling {
        drafts: std::mem::take(&mut sent.drafts),
        currency: sent.currency.take(),
        is_dry_run,
    };
    let told = publish_product::upsert(&api.context, caller.workspace, &sent.store_id, telling).await?;
    for (place, error) in &told.refused {
        let field = sent.form.name(error.field);
        sent.errors
            .push(RowError::new(sent.places[*place], field, error.message));
    }
    sent.errors.sort_by_key(|error| error.place.row);
    let answer = sent.answer(told.upserted, is_dry_run);
    match sent.errors.first() {
        Some(first) if told.upserted == 0 => Err(first.refusal("products").with_details(answer)),
        _ => Ok(Json(Value::Object(answer))),
    }
}

/// Whether the body is a table. What says nothing of itself is JSON, as everywhere in the API.
pub(super) fn is_file(headers: &HeaderMap) -> Result<bool, ApiError> {
    let told = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let told = told.unwrap_or_default().to_ascii_lowercase();
    let (kind, parameters) = told.split_once(';').unwrap_or((&told, ""));
    if !matches!(kind.trim(), "text/csv" | "text/tab-separated-values") {
        return Ok(false);
    }
    let charset = parameters
        .split(';')
        .find_map(|parameter| parameter.trim().strip_prefix("charset="));
    if charset.is_some_and(|charset| !matches!(charset.trim_matches('"'), "utf-8" | "utf8" | "us-ascii")) {
        return Err(ApiError::invalid(
            "Content-Type",
            "must be UTF-8: save the file as UTF-8",
        ));
    }
    Ok(true)
}

fn read_json(bytes: &[u8]) -> Result<Sent, ApiError> {
    let body: ProductsBody = parse(bytes)?;
    let mut sent = Sent::of(body.store_id, Form::Json, body.products.len());
    if body.products.len() > PRODUCTS_PER_CALL_MAX {
        return Err(ApiError::invalid(
            "products",
            &format!("must have at most {PRODUCTS_PER_CALL_MAX} entries a call"),
        ));
    }
    for (row, product) in body.products.into_iter().enumerate() {
        let place = Place { row, line: None };
        match draft(product) {
            Ok(draft) => sent.push(place, draft),
            Err((field, message)) => sent.errors.push(RowError::new(place, &field, &message)),
        }
    }
    Ok(sent)
}

/// One product of a JSON body. What is left out is "none", as a PUT has it.
fn draft(product: Value) -> Result<ProductDraft, (String, String)> {
    let product: ProductBody = parse_part(product)?;
    let variant_id = match product.variant_id {
        Value::String(id) => id,
        Value::Number(id) if id.is_u64() => id.to_string(),
        _ => return Err(("variantId".to_owned(), "must be text or a number".to_owned())),
    };
    Ok(ProductDraft {
        sku: product.sku,
        variant_id: Some(variant_id),
        title: Some(product.title),
        image_url: Some(product.image_url),
        price: Some(product.price),
        stock: Some(product.stock),
        policy: Some(product.policy.unwrap_or_default()),
        cost: Some(product.cost),
    })
}

async fn read_file(api: &Api, caller: &Caller, store_id: String, bytes: &[u8]) -> Result<Sent, ApiError> {
    let (workspace, id) = (caller.workspace, store_id.clone());
    let found = api.context.books().read(move |view| {
        let missing = || Error::invalid("storeId", "is not a store of this workspace");
        books::store::by_id(view, workspace, &id)?.ok_or_else(missing)
    });
    let code = found.await?.currency;
    let currency =
        money::currency(&code).ok_or_else(|| Error::Internal(format!("a store sells in {code}, which is unknown")))?;
    let mut catalog = catalog::parse(bytes, currency)
        .map_err(|error: CatalogError| ApiError::invalid(error.field(), &error.to_string()))?;
    let entries = std::mem::take(&mut catalog.entries);
    let (rows, skipped) = (catalog.rows, catalog.skipped);
    let mut sent = Sent::of(store_id, Form::File(catalog), rows);
    sent.skipped = skipped;
    sent.currency = Some(code);
    for entry in entries {
        let place = Place {
            row: entry.row,
            line: Some(entry.line),
        };
        match entry.told {
            Ok(draft) => sent.push(place, draft),
            Err(error) => sent.errors.push(RowError::new(place, &error.column, &error.message)),
        }
    }
    Ok(sent)
}

impl Sent {
    fn of(store_id: String, form: Form, rows: usize) -> Self {
        Self {
            store_id,
            form,
            rows,
            skipped: 0,
            drafts: Vec::new(),
            places: Vec::new(),
            errors: Vec::new(),
            currency: None,
        }
    }

    fn push(&mut self, place: Place, draft: ProductDraft) {
        self.places.push(place);
        self.drafts.push(draft);
    }

    fn answer(&self, upserted: usize, is_dry_run: bool) -> Map<String, Value> {
        let mut answer = Map::new();
        let mut say = |key: &str, value: Value| answer.insert(key.to_owned(), value);
        say("storeId", json!(self.store_id));
        if let Form::File(catalog) = &self.form {
            say("format", json!(catalog.format.as_str()));
        }
        say("dryRun", json!(is_dry_run));
        say("rows", json!(self.rows));
        say("upserted", json!(upserted));
        say("skipped", json!(self.skipped));
        say("failed", json!(self.errors.len()));
        say("errors", list(&self.errors));
        answer
    }
}

impl Form {
    /// What the caller calls our `field`.
    fn name<'a>(&'a self, field: &'a str) -> &'a str {
        match self {
            Self::Json => field,
            Self::File(catalog) => catalog.column_of(field),
        }
    }
}
