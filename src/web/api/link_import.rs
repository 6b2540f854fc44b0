//! `POST /links/import`: links that were made elsewhere, up to 10,000 a call. Ours, not the dialect's: a link that is there
//! already is recognised, `dryRun=true` only says what would become of each, and a link keeps the day it was made.

use axum::Json;
use axum::extract::{RawQuery, State};
use serde_json::{Value, json};

use super::body::{Body, parse_part};
use super::error::ApiError;
use super::link_body::{LinkBody, instant};
use super::params::Params;
use super::{Api, Caller};
use crate::flows::bulk_links::BULK_MAX;
use crate::flows::import_links::{self, Imported};
use crate::flows::publish_link::LinkChange;

/// Makes the links that are not there; `results` tells of each, in their order.
pub(super) async fn import(
    State(api): State<Api>,
    caller: Caller,
    RawQuery(query): RawQuery,
    Body(bodies): Body<Vec<Value>>,
) -> Result<Json<Value>, ApiError> {
    let mut params = Params::of(query.as_deref())?;
    let is_dry_run = params.flag("dryRun")?.unwrap_or(false);
    params.end()?;
    if bodies.len() > BULK_MAX {
        return Err(ApiError::invalid(
            "body",
            &format!("must have at most {BULK_MAX} entries a call"),
        ));
    }
    let (mut good, mut refused) = (Vec::with_capacity(bodies.len()), Vec::with_capacity(bodies.len()));
    for body in bodies {
        match read(body) {
            Ok(change) => {
                good.push(change);
                refused.push(None);
            }
            Err(error) => refused.push(Some(error)),
        }
    }
    let mut done = import_links::import(&api.context, caller.workspace, good, is_dry_run)
        .await?
        .into_iter();
    let [mut created, mut known, mut failed] = [0u64; 3];
    let results: Vec<Value> = refused
        .into_iter()
        .map(|error| {
            let result = match error {
                Some(error) => Err(error),
                // There is one result for each good link.
                None => done
                    .next()
                    .unwrap_or(Err(crate::flows::Error::Unavailable))
                    .map_err(ApiError::from),
            };
            match result {
                Ok(Imported::Created(link)) => {
                    created += 1;
                    json!({ "status": "created", "id": (!is_dry_run).then_some(link.id), "key": link.slug })
                }
                Ok(Imported::Known(id)) => {
                    known += 1;
                    json!({ "status": "known", "id": id })
                }
                Err(error) => {
                    failed += 1;
                    told(&error)
                }
            }
        })
        .collect();
    Ok(Json(json!({
        "dryRun": is_dry_run,
        "rows": results.len(),
        "created": created,
        "known": known,
        "failed": failed,
        "results": results,
    })))
}

/// A link of the body: all that a new link may say, and what only a link from elsewhere has.
fn read(mut body: Value) -> Result<LinkChange, ApiError> {
    let mut take = |name: &str| match body.as_object_mut().and_then(|fields| fields.remove(name)) {
        None | Some(Value::Null) => None,
        Some(value) => Some(value),
    };
    let created_at = match take("createdAt") {
        None => None,
        Some(Value::String(text)) => instant("createdAt", Some(Some(text)))?.flatten(),
        Some(_) => {
            return Err(ApiError::invalid(
                "createdAt",
                "must be an instant such as 2026-11-21T10:00:00Z",
            ));
        }
    };
    let is_exact = match take("caseSensitive") {
        None => None,
        Some(Value::Bool(is_exact)) => Some(is_exact),
        Some(_) => return Err(ApiError::invalid("caseSensitive", "must be true or false")),
    };
    let link = parse_part::<LinkBody>(body).map_err(|(field, message)| ApiError::invalid(&field, &message))?;
    Ok(LinkChange {
        created_at,
        is_exact,
        ..link.change()?
    })
}

/// A refusal: the field that is wrong, and what to do.
fn told(error: &ApiError) -> Value {
    let (field, message) = error.message().split_once(": ").unwrap_or(("", error.message()));
    let is_field = !field.is_empty() && !field.contains(' ');
    json!({
        "status": "failed",
        "code": error.code(),
        "field": is_field.then_some(field),
        "message": if is_field { message } else { error.message() },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_field() {
        for (error, field, message) in [
            (ApiError::invalid("url", "is required"), json!("url"), "is required"),
            (
                ApiError::invalid("rules[0].url", "must be a: b"),
                json!("rules[0].url"),
                "must be a: b",
            ),
            (
                ApiError::not_found("The link was not found."),
                Value::Null,
                "The link was not found.",
            ),
            (ApiError::busy(), Value::Null, "Not now: please try again shortly."),
        ] {
            let told = told(&error);
            assert_eq!((&told["field"], &told["message"]), (&field, &json!(message)));
        }
    }

    #[test]
    fn what_only_links_from_elsewhere_say_is_read() {
        let change = read(json!({
            "url": "https://shop.example/", "createdAt": "2020-01-02", "caseSensitive": true
        }))
        .expect("a link");
        assert_eq!(
            (change.created_at.map(|at| at.to_string()), change.is_exact),
            (Some("2020-01-02T00:00:00.000Z".to_owned()), Some(true))
        );
        for (body, field) in [
            (json!({ "url": "x", "createdAt": 5 }), "createdAt"),
            (json!({ "url": "x", "createdAt": "yesterday" }), "createdAt"),
            (json!({ "url": "x", "caseSensitive": "yes" }), "caseSensitive"),
            (json!({ "url": "x", "colour": 1 }), "colour"),
            (json!([]), ""),
        ] {
            let error = read(body).expect_err("refused");
            assert!(error.message().starts_with(field), "{}", error.message());
        }
    }
}
