//! The list of creators, and one with the links that show them their own report: made and taken back here.

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::http::header::HeaderMap;
use axum::response::Response;
use serde_json::Value;

use super::reply::{Refused, html, see_other};
use super::session::Session;
use crate::books::creator::CreatorFilter;
use crate::books::{self, Page, View};
use crate::domain::creator::Creator;
use crate::domain::time::Timestamp;
use crate::flows::{Error, share_report};
use crate::web::api::{Api, report_links};
use crate::web::pages::{self, Asked, CREATORS_A_PAGE, CreatorPage, CreatorView, CreatorsPage};

pub(super) async fn list(
    State(api): State<Api>,
    session: Session,
    RawQuery(query): RawQuery,
) -> Result<Response, Refused> {
    let asked = Asked::of(query.as_deref().unwrap_or_default());
    let number = asked.get("page").and_then(|page| page.parse().ok()).unwrap_or(1);
    let (workspace, now) = (session.caller.workspace, api.context.clock().now());
    let search = asked.get("search").map(str::to_owned);
    let found = api.context.books().read(move |view| {
        let filter = CreatorFilter {
            search,
            ..CreatorFilter::default()
        };
        let size = CREATORS_A_PAGE as u32;
        let creators = books::creator::list(view, workspace, &filter, &Page::Number { number, size })?;
        creators
            .into_iter()
            .map(|creator| told(view, creator, now))
            .collect::<Result<Vec<_>, Error>>()
    });
    let creators = found.await?;
    let page = CreatorsPage {
        workspace: session.caller.workspace_name,
        asked,
        has_more: creators.len() == CREATORS_A_PAGE,
        creators,
        number,
    };
    Ok(html(StatusCode::OK, pages::creators_page(&page)))
}

fn told(view: &View<'_>, creator: Creator, now: Timestamp) -> Result<CreatorView, Error> {
    Ok(CreatorView {
        id: creator.id,
        name: creator.terms.name,
        niche: creator.terms.niche,
        platform: creator.terms.platform,
        followers: creator.terms.followers,
        open_links: books::report_link::count_open(view, creator.no, now)?,
    })
}

pub(super) async fn show(
    State(api): State<Api>,
    session: Session,
    Path(id): Path<String>,
) -> Result<Response, Refused> {
    let page = page(&api, &session, id, None).await?;
    Ok(html(StatusCode::OK, page))
}

async fn page(api: &Api, session: &Session, id: String, refused: Option<String>) -> Result<String, Refused> {
    let (workspace, now, wanted) = (session.caller.workspace, api.context.clock().now(), id.clone());
    let creator = api.context.books().read(move |view| {
        let found = books::creator::by_id(view, workspace, &wanted)?;
        told(view, found.ok_or(Error::NotFound { what: "partner" })?, now)
    });
    let creator = creator.await?;
    let links = Value::from(report_links(api, &session.caller, id).await?);
    Ok(pages::creator_page(&CreatorPage {
        workspace: session.caller.workspace_name.clone(),
        creator,
        links: serde_json::from_value(links)?,
        form_token: session.form_token.clone(),
        refused,
    }))
}

pub(super) async fn share(
    State(api): State<Api>,
    session: Session,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refused> {
    let form = session.form(&headers, &body)?;
    // Anything that is no number is as wrong as 0, and told in the same words.
    let days = form.get("days").parse().unwrap_or(0);
    match share_report::share(&api.context, session.caller.workspace, id.clone(), days).await {
        Ok(_) => Ok(see_other(&format!("/console/creators/{id}"), None)),
        Err(error @ (Error::Conflict { .. } | Error::Invalid(_))) => {
            let refused = crate::web::api::ApiError::from(error);
            let (status, words) = (refused.status(), refused.message().to_owned());
            Ok(html(status, page(&api, &session, id, Some(words)).await?))
        }
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn revoke(
    State(api): State<Api>,
    session: Session,
    Path((id, link)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refused> {
    session.form(&headers, &body)?;
    share_report::revoke(&api.context, session.caller.workspace, id.clone(), link).await?;
    Ok(see_other(&format!("/console/creators/{id}"), None))
}
