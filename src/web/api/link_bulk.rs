//! `/links/bulk`: up to 10,000 links in one call. What is wrong with one is told in its place.

use axum::Json;
use axum::extract::{RawQuery, Request, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::{self, Body, parse, parse_part};
use super::error::ApiError;
use super::link_answer::answer_by;
use super::link_body::LinkBody;
use super::params::Params;
use super::{Api, Caller};
use crate::flows::bulk_links::{self, BULK_MAX};
use crate::flows::lock_link::PASSWORD_SHOWN;
use crate::flows::publish_link::LinkChange;

/// Makes links; each entry of the answer is a link or `{link, error, code}`.
pub(super) async fn create(
    State(api): State<Api>,
    caller: Caller,
    Body(bodies): Body<Vec<Value>>,
) -> Result<Json<Vec<Value>>, ApiError> {
    check_count("body", bodies.len())?;
    let read: Vec<Result<LinkChange, ApiError>> = bodies.iter().map(read_one).collect();
    let good = read.iter().filter_map(|change| change.as_ref().ok()).cloned().collect();
    let made = bulk_links::create(&api.context, caller.workspace, good).await?;
    let mut made = made.into_iter();
    let results = read.into_iter().map(|change| match change {
        // There is one result for each good change.
        Ok(_) => made
            .next()
            .unwrap_or(Err(crate::flows::Error::Unavailable))
            .map_err(ApiError::from),
        Err(error) => Err(error),
    });
    let results = results
        .zip(bodies)
        .map(|(result, body)| (without_password(body), result))
        .collect();
    Ok(Json(answer_by(&api, &caller, results).await?))
}

/// What is told back of a link that was not made.
fn without_password(mut body: Value) -> Value {
    if let Some(password) = body.get_mut("password").filter(|password| password.is_string()) {
        *password = json!(PASSWORD_SHOWN);
    }
    body
}

fn read_one(body: &Value) -> Result<LinkChange, ApiError> {
    parse_part::<LinkBody>(body.clone())
        .map_err(|(field, message)| ApiError::invalid(&field, &message))
        .and_then(LinkBody::change)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ManyBody {
    link_ids: Option<Vec<String>>,
    external_ids: Option<Vec<String>>,
    data: Option<Value>,
}

/// Changes links alike; each entry of the answer is a link or `{link, error, code}`.
pub(super) async fn update(
    State(api): State<Api>,
    caller: Caller,
    Body(body): Body<ManyBody>,
) -> Result<Json<Vec<Value>>, ApiError> {
    let ids = named(body.link_ids, body.external_ids)?;
    let data = body.data.ok_or_else(|| ApiError::invalid("data", "is required"))?;
    let within = |field: &str, message: &str| ApiError::invalid(&format!("data.{field}"), message);
    let change = parse_part::<LinkBody>(data).map_err(|(field, message)| within(&field, &message))?;
    let change = change.change().map_err(|error| error.within("data"))?;
    for (field, is_said) in [
        ("domain", change.domain.is_some()),
        ("key", change.slug.is_some()),
        ("keyLength", change.slug_length.is_some()),
        ("prefix", change.slug_prefix.is_some()),
        ("externalId", change.external_id.is_some()),
    ] {
        if is_said {
            return Err(within(field, "is one link's own: change it with PATCH /links/{id}"));
        }
    }
    let changed = bulk_links::update(&api.context, caller.workspace, ids, change).await?;
    let results = changed.into_iter().map(|(id, result)| {
        let link = match id.strip_prefix("ext_") {
            Some(external_id) => json!({ "externalId": external_id }),
            None => json!({ "id": id }),
        };
        (link, result.map_err(ApiError::from))
    });
    Ok(Json(answer_by(&api, &caller, results.collect()).await?))
}

/// Deletes links, named in the query or in a body.
pub(super) async fn delete(
    State(api): State<Api>,
    caller: Caller,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Json<Value>, ApiError> {
    let mut params = Params::of(query.as_deref())?;
    let mut ids = (params.texts("linkIds"), params.texts("externalIds"));
    params.end()?;
    let bytes = body::bytes(request, &api).await?;
    if !bytes.is_empty() {
        if ids.0.is_some() || ids.1.is_some() {
            return Err(ApiError::invalid(
                "linkIds",
                "stands in the query or in the body, not in both",
            ));
        }
        let body: ManyBody = parse(&bytes)?;
        if body.data.is_some() {
            return Err(ApiError::invalid("data", "is not a known field"));
        }
        ids = (body.link_ids, body.external_ids);
    }
    let ids = named(ids.0, ids.1)?;
    let count = bulk_links::delete(&api.context, caller.workspace, ids).await?;
    Ok(Json(json!({ "deletedCount": count })))
}

/// The links that a call names: by their ids or by the brand's own.
fn named(link_ids: Option<Vec<String>>, external_ids: Option<Vec<String>>) -> Result<Vec<String>, ApiError> {
    let ids = match (link_ids, external_ids) {
        (Some(ids), None) => ids,
        (None, Some(ids)) => ids
            .into_iter()
            .map(|id| match id.starts_with("ext_") {
                true => id,
                false => format!("ext_{id}"),
            })
            .collect(),
        (Some(_), Some(_)) => {
            return Err(ApiError::invalid(
                "linkIds",
                "goes without externalIds: use one of them",
            ));
        }
        (None, None) => return Err(ApiError::invalid("linkIds", "or externalIds is required")),
    };
    check_count("linkIds", ids.len())?;
    Ok(ids)
}

fn check_count(field: &str, count: usize) -> Result<(), ApiError> {
    match count > BULK_MAX {
        true => Err(ApiError::invalid(
            field,
            &format!("must have at most {BULK_MAX} entries a call"),
        )),
        false => Ok(()),
    }
}
