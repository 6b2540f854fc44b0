//! `/links`: the dialect's links with our cart, stock policy, click limit and switch.

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use serde_json::{Value, json};

use super::body::Body;
use super::error::ApiError;
use super::link_answer::{LinkView, answer, answer_one};
use super::link_body::LinkBody;
use super::link_query::{Named, Wanted, domain_name};
use super::params::Params;
use super::{Api, Caller};
use crate::books;
use crate::books::link::LinkSort;
use crate::flows::publish_link::{self, domain_for};
use crate::flows::{Error, upsert_link};

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

/// The link that leads to `url`, changed, else a new one.
pub(super) async fn upsert(
    State(api): State<Api>,
    caller: Caller,
    Body(body): Body<LinkBody>,
) -> Result<Json<LinkView>, ApiError> {
    let link = upsert_link::upsert(&api.context, caller.workspace, body.change()?).await?;
    answer_one(&api, &caller, link).await
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

/// The number of links, or with `groupBy` groups such as `[{domain, _count}]`.
pub(super) async fn count(
    State(api): State<Api>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    let mut params = Params::of(query.as_deref())?;
    let group_by = params.word("groupBy", &["domain", "tagId", "userId", "folderId"])?;
    let wanted = Wanted::take(&mut params)?;
    params.end()?;
    let inner = api.clone();
    let counted = api.context.books().read(move |view| {
        let filter = wanted.filter(&inner, view, &caller)?;
        let of = caller.workspace;
        let mut groups = Vec::new();
        match group_by {
            Some("domain") => {
                for (domain, count) in books::link::count_by_domain(view, of, &filter)? {
                    groups.push(json!({ "domain": domain_name(&inner, view, domain)?, "_count": count }));
                }
            }
            Some("tagId") => {
                for (tag, count) in books::link::count_by_tag(view, of, &filter)? {
                    let id = books::tag::by_no(view, tag)?.map(|tag| tag.id);
                    groups.push(json!({ "tagId": id, "_count": count }));
                }
            }
            Some("folderId") => {
                for (folder, count) in books::link::count_by_folder(view, of, &filter)? {
                    let id = match folder {
                        Some(no) => books::folder::by_no(view, no)?.map(|folder| folder.id),
                        None => None,
                    };
                    groups.push(json!({ "folderId": id, "_count": count }));
                }
            }
            // Links here are their workspace's, not a person's.
            Some(_) => groups.push(json!({ "userId": null, "_count": books::link::count(view, of, &filter)? })),
            None => return Ok::<_, Error>(json!(books::link::count(view, of, &filter)?)),
        }
        Ok(Value::Array(groups))
    });
    Ok(Json(counted.await?))
}
