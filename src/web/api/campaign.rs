//! `/campaigns`: what creators, links, videos and spend stand under. Ours, not the dialect's.

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::{Body, said};
use super::error::ApiError;
use super::params::Params;
use super::{Api, Caller};
use crate::books::{self, View};
use crate::domain::campaign::Campaign;
use crate::domain::time::Timestamp;
use crate::flows::Error;
use crate::flows::plan_campaign::{self, CampaignChange};

/// Default page size.
const PAGE_SIZE: u32 = 100;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct CampaignBody {
    name: Option<String>,
    #[serde(default, deserialize_with = "said")]
    start: Option<Option<String>>,
    #[serde(default, deserialize_with = "said")]
    end: Option<Option<String>>,
    #[serde(default, deserialize_with = "said")]
    budget: Option<Option<i64>>,
    currency: Option<String>,
    #[serde(default, deserialize_with = "said")]
    note: Option<Option<String>>,
    archived: Option<bool>,
    partner_ids: Option<Vec<String>>,
}

impl CampaignBody {
    fn change(self) -> Result<CampaignChange, ApiError> {
        let instant = |field: &str, text: Option<Option<String>>| {
            let parse = |text: String| {
                let advice = "must be an instant such as 2026-11-21T10:00:00Z, or a date";
                Timestamp::parse(&text).ok_or_else(|| ApiError::invalid(field, advice))
            };
            text.map(|text| text.map(parse).transpose()).transpose()
        };
        Ok(CampaignChange {
            name: self.name,
            starts_at: instant("start", self.start)?,
            ends_at: instant("end", self.end)?,
            budget: self.budget,
            currency: self.currency,
            note: self.note,
            is_archived: self.archived,
            creator_ids: self.partner_ids,
        })
    }
}

pub(super) async fn create(
    State(api): State<Api>,
    caller: Caller,
    Body(body): Body<CampaignBody>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let change = body.change()?;
    if change.name.is_none() {
        return Err(ApiError::invalid("name", "is required"));
    }
    let campaign = plan_campaign::plan(&api.context, caller.workspace, change).await?;
    let told = api.context.books().read(move |view| answer(view, &campaign));
    Ok((StatusCode::CREATED, Json(told.await?)))
}

pub(super) async fn update(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
    Body(body): Body<CampaignBody>,
) -> Result<Json<Value>, ApiError> {
    let campaign = plan_campaign::change(&api.context, caller.workspace, id, body.change()?).await?;
    let told = api.context.books().read(move |view| answer(view, &campaign));
    Ok(Json(told.await?))
}

pub(super) async fn show(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let told = api
        .context
        .books()
        .read(move |view| answer(view, &plan_campaign::find(view, caller.workspace, &id)?));
    Ok(Json(told.await?))
}

pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<Value>>, ApiError> {
    let mut params = Params::of(query.as_deref())?;
    let page = params.page(PAGE_SIZE)?;
    let search = params.text("search");
    let shows_archived = params.flag("showArchived")?.unwrap_or(false);
    params.end()?;
    let told = api.context.books().read(move |view| {
        let campaigns = books::campaign::list(view, caller.workspace, search.as_deref(), shows_archived, &page)?;
        let answers = campaigns.iter().map(|campaign| answer(view, campaign));
        answers.collect::<Result<Vec<_>, Error>>()
    });
    Ok(Json(told.await?))
}

/// A campaign as callers see it.
pub(in crate::web) fn answer(view: &View<'_>, campaign: &Campaign) -> Result<Value, Error> {
    let terms = &campaign.terms;
    let (budget, currency) = terms.budget.clone().unzip();
    Ok(json!({
        "id": campaign.id,
        "name": terms.name,
        "start": terms.starts_at.map(|at| at.to_string()),
        "end": terms.ends_at.map(|at| at.to_string()),
        "budget": budget,
        "currency": currency,
        "note": terms.note,
        "archived": terms.is_archived,
        "partnerIds": books::campaign::creator_ids(view, campaign.no)?,
        "createdAt": campaign.created_at.to_string(),
        "updatedAt": campaign.updated_at.to_string(),
    }))
}
