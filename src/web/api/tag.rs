//! `/tags`: the dialect's tags of links.

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::Body;
use super::error::ApiError;
use super::params::Params;
use super::{Api, Caller};
use crate::books;
use crate::books::tag::TagFilter;
use crate::domain::tag::{Tag, TagColor};
use crate::flows::{Error, keep_tags};

/// Default page size, as in the dialect.
const PAGE_SIZE: u32 = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TagBody {
    name: Option<String>,
    /// The dialect's older word for the name.
    tag: Option<String>,
    color: Option<TagColor>,
}

pub(super) async fn create(
    State(api): State<Api>,
    caller: Caller,
    Body(body): Body<TagBody>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let name = body.name.or(body.tag);
    let name = name.ok_or_else(|| ApiError::invalid("name", "is required"))?;
    let tag = keep_tags::create(&api.context, caller.workspace, name, body.color).await?;
    Ok((StatusCode::CREATED, Json(answer(&tag))))
}

pub(super) async fn update(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
    Body(body): Body<TagBody>,
) -> Result<Json<Value>, ApiError> {
    let name = body.name.or(body.tag);
    let tag = keep_tags::change(&api.context, caller.workspace, id, name, body.color).await?;
    Ok(Json(answer(&tag)))
}

pub(super) async fn delete(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let tag = keep_tags::delete(&api.context, caller.workspace, id).await?;
    Ok(Json(json!({ "id": tag.id })))
}

pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<Value>>, ApiError> {
    let mut params = Params::of(query.as_deref())?;
    let page = params.numbered_page(PAGE_SIZE)?;
    let filter = filter(&mut params)?;
    params.end()?;
    let tags = api.context.books().read(move |view| {
        let tags = books::tag::list(view, caller.workspace, &filter, page)?;
        Ok::<_, Error>(tags)
    });
    Ok(Json(tags.await?.iter().map(answer).collect()))
}

/// The number of tags.
pub(super) async fn count(
    State(api): State<Api>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<u64>, ApiError> {
    let mut params = Params::of(query.as_deref())?;
    let filter = filter(&mut params)?;
    params.end()?;
    let counted = api
        .context
        .books()
        .read(move |view| books::tag::count(view, caller.workspace, &filter).map_err(Error::from));
    Ok(Json(counted.await?))
}

fn filter(params: &mut Params) -> Result<TagFilter, ApiError> {
    Ok(TagFilter {
        search: params.text("search"),
        ids: params.texts("ids"),
        by_age: params.word("sortBy", &["name", "createdAt"])? == Some("createdAt"),
        is_descending: params.word("sortOrder", &["asc", "desc"])? == Some("desc"),
    })
}

fn answer(tag: &Tag) -> Value {
    json!({ "id": tag.id, "name": tag.name, "color": tag.color })
}
