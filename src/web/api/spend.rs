//! `/spend`: what was paid for creators, campaigns and links. Entries are voided, never edited. Ours, not the dialect's.

use axum::Json;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::{self, Body, parse};
use super::error::ApiError;
use super::order::{link_id, partner_id};
use super::params::Params;
use super::{Api, Caller, Period};
use crate::books::spend::SpendFilter;
use crate::books::{self, View};
use crate::domain::spend::Spend;
use crate::domain::time::Timestamp;
use crate::flows::record_spend::{self, SpendDraft};
use crate::flows::{Error, plan_campaign, publish_link};

/// Default page size.
const PAGE_SIZE: u32 = 100;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SpendBody {
    external_id: Option<String>,
    partner_id: Option<String>,
    campaign_id: Option<String>,
    link_id: Option<String>,
    amount: i64,
    currency: String,
    at: Option<String>,
    note: Option<String>,
}

pub(super) async fn record(
    State(api): State<Api>,
    caller: Caller,
    Body(body): Body<SpendBody>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let some = |text: Option<String>| text.filter(|text| !text.is_empty());
    let at = some(body.at).map(|text| {
        let advice = "must be an instant such as 2026-11-21T10:00:00Z, or a date";
        Timestamp::parse(&text).ok_or_else(|| ApiError::invalid("at", advice))
    });
    let draft = SpendDraft {
        external_id: some(body.external_id),
        creator_id: some(body.partner_id),
        campaign_id: some(body.campaign_id),
        link_id: some(body.link_id),
        amount: body.amount,
        currency: body.currency,
        at: at.transpose()?,
        note: some(body.note),
    };
    let spend = record_spend::record(&api.context, caller.workspace, draft).await?;
    let told = api.context.books().read(move |view| answer(view, &spend));
    Ok((StatusCode::CREATED, Json(told.await?)))
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct VoidBody {
    note: Option<String>,
}

pub(super) async fn void(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json<Value>, ApiError> {
    let bytes = body::bytes(request, &api).await?;
    let body: VoidBody = if bytes.is_empty() {
        VoidBody::default()
    } else {
        parse(&bytes)?
    };
    let note = body.note.filter(|note| !note.is_empty());
    let spend = record_spend::void(&api.context, caller.workspace, id, note).await?;
    Ok(Json(api.context.books().read(move |view| answer(view, &spend)).await?))
}

pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<Value>>, ApiError> {
    let mut params = Params::of(query.as_deref())?;
    let page = params.page(PAGE_SIZE)?;
    let (partner, campaign, link) = (
        params.text("partnerId"),
        params.text("campaignId"),
        params.text("linkId"),
    );
    let has_period = ["interval", "start", "end"].iter().any(|name| params.has(name));
    let period = Period::take(&mut params, api.context.clock().now(), "all")?;
    params.end()?;
    let told = api.context.books().read(move |view| {
        let workspace = caller.workspace;
        let creator = match &partner {
            Some(id) => {
                let missing = || Error::invalid("partnerId", "is not a partner of this workspace");
                Some(books::creator::by_id(view, workspace, id)?.ok_or_else(missing)?.no)
            }
            None => None,
        };
        let campaign = campaign
            .map(|id| plan_campaign::find(view, workspace, &id))
            .transpose()?;
        let link = link.map(|id| publish_link::find(view, workspace, &id)).transpose()?;
        let filter = SpendFilter {
            creator,
            campaign: campaign.map(|campaign| campaign.no),
            link: link.map(|link| link.no),
            // Without a period, what is planned for tomorrow is shown as well.
            spent: has_period.then_some((period.start, period.end)),
        };
        let entries = books::spend::list(view, workspace, &filter, &page)?;
        entries
            .iter()
            .map(|spend| answer(view, spend))
            .collect::<Result<Vec<_>, Error>>()
    });
    Ok(Json(told.await?))
}

/// An entry of spend as callers see it.
pub(in crate::web) fn answer(view: &View<'_>, spend: &Spend) -> Result<Value, Error> {
    let told = &spend.told;
    let campaign = match told.campaign {
        Some(no) => books::campaign::by_no(view, no)?.map(|campaign| campaign.id),
        None => None,
    };
    Ok(json!({
        "id": spend.id,
        "externalId": told.external_id,
        "partnerId": partner_id(view, told.creator)?,
        "campaignId": campaign,
        "linkId": link_id(view, told.link)?,
        "amount": told.amount,
        "currency": told.currency,
        "at": told.at.to_string(),
        "note": told.note,
        "createdAt": spend.created_at.to_string(),
        "voidedAt": spend.voided_at.map(|at| at.to_string()),
        "voidNote": spend.void_note,
    }))
}
