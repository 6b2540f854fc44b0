//! `/partners/{id}/report-links`: links that show a creator their own report. Ours, not the dialect's.

use axum::Json;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::{self, parse};
use super::error::ApiError;
use super::params::Params;
use super::{Api, Caller};
use crate::books;
use crate::domain::report_link::{DAYS_DEFAULT, ReportLink};
use crate::flows::{Error, share_report};
use crate::web::public::CREATOR_PAGE;

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ShareBody {
    /// How long it lasts; 90 when it is left out.
    days: Option<u32>,
}

pub(super) async fn create(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let bytes = body::bytes(request, &api).await?;
    let body: ShareBody = if bytes.is_empty() {
        ShareBody::default()
    } else {
        parse(&bytes)?
    };
    let days = body.days.unwrap_or(DAYS_DEFAULT);
    let link = share_report::share(&api.context, caller.workspace, id, days).await?;
    Ok((StatusCode::CREATED, Json(answer(&api, &link))))
}

pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<Value>>, ApiError> {
    Params::of(query.as_deref())?.end()?;
    Ok(Json(of_partner(&api, &caller, id).await?))
}

/// The links of a creator, newest first.
pub(in crate::web) async fn of_partner(api: &Api, caller: &Caller, id: String) -> Result<Vec<Value>, Error> {
    let workspace = caller.workspace;
    let links = api.context.books().read(move |view| {
        let creator = books::creator::by_id(view, workspace, &id)?.ok_or(Error::NotFound { what: "partner" })?;
        Ok::<_, Error>(books::report_link::of_creator(view, creator.no)?)
    });
    Ok(links.await?.iter().map(|link| answer(api, link)).collect())
}

pub(super) async fn revoke(
    State(api): State<Api>,
    caller: Caller,
    Path((id, link)): Path<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    let link = share_report::revoke(&api.context, caller.workspace, id, link).await?;
    Ok(Json(answer(&api, &link)))
}

/// A link that shows nothing any more has no `url`.
fn answer(api: &Api, link: &ReportLink) -> Value {
    let public = api.context.public();
    let is_open = link.is_open(api.context.clock().now());
    let url = is_open.then(|| {
        let token = link.token(&(api.click_ids)());
        format!("{}://{}{CREATOR_PAGE}{token}", public.scheme, public.authority)
    });
    json!({
        "id": link.id,
        "url": url,
        "createdAt": link.created_at.to_string(),
        "expiresAt": link.expires_at.to_string(),
        "revokedAt": link.revoked_at.map(|at| at.to_string()),
    })
}
