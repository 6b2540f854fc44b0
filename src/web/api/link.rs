//! `/links`: the dialect's links with our cart, stock policy, click limit and switch.

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use serde_json::{Value, json};

use super::body::{Body, parse};
use super::error::ApiError;
use super::link_answer::{LinkView, answer, answer_one};
use super::link_body::LinkBody;
use super::link_query::{Named, Wanted, domain_name};
use super::params::Params;
use super::{Api, Caller};
use crate::books;
use crate::books::link::LinkSort;
use crate::flows::Error;
use crate::flows::lock_link::PASSWORD_SHOWN;
use crate::flows::publish_link::{self, LinkChange, domain_for};

/// Default page size of link lists, as in the dialect.
const PAGE_SIZE: u32 = 100;

pub(super) async fn create(
    State(api): State<Api>,
    caller: Caller,
    Body(body): Body<LinkBody>,
) -> Result<Json<LinkView>, ApiError> {
    let link = publish_link::create(&api.context, caller.workspace, body.change()?).await?;
    answer_one(&api, &caller, link).await
}

/// Up to 100 links at once; each entry of the answer is a link or `{link, error, code}`.
pub(super) async fn create_bulk(
    State(api): State<Api>,
    caller: Caller,
    Body(bodies): Body<Vec<Value>>,
) -> Result<Json<Vec<Value>>, ApiError> {
    if bodies.len() > publish_link::BULK_MAX {
        return Err(ApiError::invalid("body", "must have at most 100 links"));
    }
    let read: Vec<Result<LinkChange, ApiError>> = bodies
        .iter()
        .map(|body| parse::<LinkBody>(body.to_string().as_bytes()).and_then(LinkBody::change))
        .collect();
    let good = read.iter().filter_map(|change| change.as_ref().ok()).cloned().collect();
    let mut made = publish_link::create_all(&api.context, caller.workspace, good)
        .await?
        .into_iter();
    let mut results = Vec::with_capacity(bodies.len());
    for (change, body) in read.into_iter().zip(bodies) {
        let result = match change {
            Ok(_) => made.next().unwrap_or(Err(Error::Unavailable)).map_err(ApiError::from),
            Err(error) => Err(error),
        };
        results.push(match result {
            Ok(link) => serde_json::to_value(&answer_one(&api, &caller, link).await?.0).unwrap_or_default(),
            Err(error) => json!({ "link": without_password(body), "error": error.message(), "code": error.code() }),
        });
    }
    Ok(Json(results))
}

/// What is told back of a link that was not made.
fn without_password(mut body: Value) -> Value {
    if let Some(password) = body.get_mut("password").filter(|password| password.is_string()) {
        *password = json!(PASSWORD_SHOWN);
    }
    body
}

pub(super) async fn update(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
    Body(body): Body<LinkBody>,
) -> Result<Json<LinkView>, ApiError> {
    let link = publish_link::update(&api.context, caller.workspace, &id, body.change()?).await?;
    answer_one(&api, &caller, link).await
}

pub(super) async fn delete(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let link = publish_link::delete(&api.context, caller.workspace, &id).await?;
    Ok(Json(json!({ "id": link.id })))
}

pub(super) async fn show(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<LinkView>, ApiError> {
    let link = api
        .context
        .books()
        .read(move |view| publish_link::find(view, caller.workspace, &id))
        .await?;
    answer_one(&api, &caller, link).await
}

/// The link named by `linkId`, `externalId`, or `domain` and `key`.
pub(super) async fn info(
    State(api): State<Api>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<LinkView>, ApiError> {
    let mut params = Params::of(query.as_deref())?;
    let named = Named::take(&mut params);
    params.end()?;
    let (inner, workspace) = (api.clone(), caller.workspace);
    let link = api
        .context
        .books()
        .read(move |view| named.find(&inner, view, workspace))
        .await?;
    let link = link.ok_or_else(|| ApiError::invalid("linkId", "or externalId, or domain and key, is required"))?;
    answer_one(&api, &caller, link).await
}

/// Whether `domain` and `key` are taken.
pub(super) async fn exists(
    State(api): State<Api>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<bool>, ApiError> {
    let mut params = Params::of(query.as_deref())?;
    let domain = params.text("domain");
    let key = params
        .text("key")
        .ok_or_else(|| ApiError::invalid("key", "is required"))?;
    params.end()?;
    let inner = api.clone();
    let found = api.context.books().read(move |view| {
        let domain = domain_for(&inner.context, view, caller.workspace, domain.as_deref())?;
        Ok::<_, Error>(books::link::by_slug(view, domain.no, &key)?.is_some())
    });
    Ok(Json(found.await?))
}

pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<LinkView>>, ApiError> {
    let mut params = Params::of(query.as_deref())?;
    let page = params.page(PAGE_SIZE)?;
    let wanted = Wanted::take(&mut params)?;
    let sort = params.word("sortBy", &["createdAt", "updatedAt"])?;
    let order = params.word("sortOrder", &["asc", "desc"])?;
    params.end()?;
    let (inner, workspace) = (api.clone(), caller.workspace);
    let links = api.context.books().read(move |view| {
        let mut filter = wanted.filter(&inner, view, &caller)?;
        filter.sort = if sort == Some("updatedAt") {
            LinkSort::UpdatedAt
        } else {
            LinkSort::CreatedAt
        };
        filter.is_ascending = order == Some("asc");
        let links = books::link::list(view, workspace, &filter, &page)?;
        Ok::<_, Error>((links, caller))
    });
    let (links, caller) = links.await?;
    Ok(Json(answer(&api, &caller, links).await?))
}

/// The number of links, or groups `[{domain, _count}]` with `groupBy=domain`.
pub(super) async fn count(
    State(api): State<Api>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    let mut params = Params::of(query.as_deref())?;
    let group_by = params.word("groupBy", &["domain"])?;
    let wanted = Wanted::take(&mut params)?;
    params.end()?;
    let inner = api.clone();
    let counted = api.context.books().read(move |view| {
        let filter = wanted.filter(&inner, view, &caller)?;
        if group_by.is_none() {
            return Ok::<_, Error>(json!(books::link::count(view, caller.workspace, &filter)?));
        }
        let mut groups = Vec::new();
        for (domain, count) in books::link::count_by_domain(view, caller.workspace, &filter)? {
            groups.push(json!({ "domain": domain_name(&inner, view, domain)?, "_count": count }));
        }
        Ok(Value::Array(groups))
    });
    Ok(Json(counted.await?))
}
