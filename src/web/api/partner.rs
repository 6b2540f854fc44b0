//! `/partners`: creators, in the dialect's words, with our niche, platform, followers and cost.

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::Body;
use super::conversion::home_currency;
use super::error::ApiError;
use super::link_answer::{amount_of, short_link};
use super::link_query::domain_name;
use super::params::Params;
use super::partner_sort;
use super::{Api, Caller};
use crate::books::creator::{CreatorFilter, Standing};
use crate::books::link::LinkFilter;
use crate::books::{self, NumberedPage, Page, View};
use crate::domain::click::ClassSet;
use crate::domain::creator::{BanReason, Creator, CreatorTerms};
use crate::domain::id::WorkspaceNo;
use crate::flows::Error;
use crate::flows::enlist_creator;

/// Default page size, as in the dialect.
const PAGE_SIZE: u32 = 100;
/// Links of a creator that an answer names.
const LINKS_SHOWN_MAX: u32 = 100;
/// What may be asked for and is answered.
pub(super) const STATUSES: [&str; 3] = ["approved", "deactivated", "banned"];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PartnerBody {
    name: Option<String>,
    email: Option<String>,
    username: Option<String>,
    image: Option<String>,
    tenant_id: Option<String>,
    country: Option<String>,
    description: Option<String>,
    // Ours.
    niche: Option<String>,
    platform: Option<String>,
    followers: Option<u64>,
    cost: Option<i64>,
    // Of the dialect, not built yet.
    group_id: Option<Value>,
    link_props: Option<Value>,
}

pub(super) async fn enlist(
    State(api): State<Api>,
    caller: Caller,
    Body(body): Body<PartnerBody>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    for (field, value) in [("groupId", &body.group_id), ("linkProps", &body.link_props)] {
        if value.as_ref().is_some_and(|value| !value.is_null()) {
            return Err(ApiError::invalid(field, "is not supported yet"));
        }
    }
    let some = |text: Option<String>| text.filter(|text| !text.is_empty());
    let email = some(body.email);
    let name = some(body.name).or_else(|| email.clone());
    let terms = CreatorTerms {
        name: name.ok_or_else(|| ApiError::invalid("email", "or name is required"))?,
        email,
        username: some(body.username),
        image: some(body.image),
        tenant_id: some(body.tenant_id),
        country: some(body.country),
        description: some(body.description),
        niche: some(body.niche),
        platform: some(body.platform),
        followers: body.followers,
        cost: body.cost.unwrap_or(0),
    };
    let creator = enlist_creator::enlist(&api.context, caller.workspace, terms).await?;
    let mut answers = answer(&api, &caller, vec![creator]).await?;
    Ok((StatusCode::CREATED, Json(answers.pop().unwrap_or_default())))
}

pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<Value>>, ApiError> {
    let mut params = Params::of(query.as_deref())?;
    let page = params.page(PAGE_SIZE)?;
    params.not_yet(&["groupId"])?;
    let standing = params.word("status", &STATUSES)?.map(|word| match word {
        "banned" => Standing::Banned,
        "deactivated" => Standing::Deactivated,
        _ => Standing::Approved,
    });
    let sort = params.word("sortBy", &partner_sort::SORTS)?;
    let is_ascending = params.word("sortOrder", &["desc", "asc"])? == Some("asc");
    let filter = CreatorFilter {
        search: params.text("search"),
        email: params.text("email"),
        tenant_id: params.text("tenantId"),
        niche: params.text("niche"),
        country: params.text("country"),
        standing,
    };
    params.end()?;
    let inner = api.clone();
    let found = api.context.books().read(move |view| {
        let creators = match (page, sort) {
            (page, Some("createdAt")) if !is_ascending => books::creator::list(view, caller.workspace, &filter, &page)?,
            (Page::Number { number, size }, sort) => {
                let order = (sort.unwrap_or(partner_sort::DEFAULT), is_ascending);
                let page = NumberedPage { number, size };
                partner_sort::page(&inner, view, caller.workspace, &filter, order, page)?
            }
            (page, None) if !is_ascending => books::creator::list(view, caller.workspace, &filter, &page)?,
            _ => {
                let message = "goes with page; startingAfter and endingBefore go by createdAt, the newest first";
                return Err(Error::invalid("sortBy", message));
            }
        };
        Ok((creators, caller))
    });
    let (creators, caller) = found.await?;
    Ok(Json(answer(&api, &caller, creators).await?))
}

/// Ours: the dialect has no call for one partner.
pub(super) async fn show(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let workspace = caller.workspace;
    let found = api.context.books().read(move |view| {
        let found = books::creator::by_id(view, workspace, &id)?;
        found.ok_or(Error::NotFound { what: "partner" })
    });
    let mut answers = answer(&api, &caller, vec![found.await?]).await?;
    Ok(Json(answers.pop().unwrap_or_default()))
}

async fn answer(api: &Api, caller: &Caller, creators: Vec<Creator>) -> Result<Vec<Value>, ApiError> {
    let (inner, caller) = (api.clone(), caller.clone());
    let answers = api.context.books().read(move |view| {
        creators
            .iter()
            .map(|creator| answer_one(&inner, view, (caller.workspace, &caller.workspace_id), creator))
            .collect::<Result<Vec<_>, Error>>()
    });
    Ok(answers.await?)
}

/// A page of the creator's links with what each brought, and all their clicks.
pub(super) fn links_of(
    api: &Api,
    view: &View<'_>,
    workspace: WorkspaceNo,
    creator: &Creator,
    page: &Page,
) -> Result<(Vec<Value>, u64), Error> {
    let filter = LinkFilter {
        creator: Some(creator.no),
        shows_archived: true,
        ..LinkFilter::default()
    };
    let mut links = Vec::new();
    let mut clicks = 0;
    for link in books::link::list(view, workspace, &filter, page)? {
        let own = ClassSet::default().sum(&api.clicks.totals(link.no)?.counts);
        clicks += own;
        let domain = domain_name(api, view, link.domain)?;
        let brought = books::conversion::of_link(view, link.no)?;
        links.push(json!({
            "id": link.id,
            "shortLink": short_link(&api.context.public().scheme, &domain, &link.slug),
            "domain": domain,
            "key": link.slug,
            "url": link.terms.destination,
            "clicks": own,
            "leads": brought.leads,
            "conversions": brought.conversions,
            "sales": brought.sales,
            "saleAmount": amount_of(&brought.amounts, || home_currency(view, workspace))?,
        }));
    }
    Ok((links, clicks))
}

/// `creator` as an answer, as of `view`.
pub(super) fn answer_one(
    api: &Api,
    view: &View<'_>,
    (workspace, workspace_id): (WorkspaceNo, &str),
    creator: &Creator,
) -> Result<Value, Error> {
    let page = Page::Number {
        number: 1,
        size: LINKS_SHOWN_MAX,
    };
    let (links, clicks) = links_of(api, view, workspace, creator, &page)?;
    let ban = creator.departure.and_then(|departure| departure.ban);
    let terms = &creator.terms;
    let brought = books::conversion::of_creator(view, creator.no)?;
    let amount = amount_of(&brought.amounts, || home_currency(view, workspace))?;
    Ok(json!({
        "id": creator.id,
        "name": terms.name,
        "username": terms.username,
        "email": terms.email,
        "image": terms.image,
        "description": terms.description,
        "country": terms.country,
        "companyName": null,
        "networkStatus": "approved",
        "defaultPayoutMethod": null,
        "paypalEmail": null,
        "stripeConnectId": null,
        "payoutsEnabledAt": null,
        "identityVerifiedAt": null,
        "programId": workspace_id,
        "partnerId": creator.id,
        "tenantId": terms.tenant_id,
        "createdAt": creator.created_at.to_string(),
        "status": creator.status(),
        "bannedAt": ban.and(creator.departure).map(|departure| departure.at.to_string()),
        "bannedReason": ban.map(BanReason::as_str),
        "links": links,
        "totalClicks": clicks,
        "totalLeads": brought.leads,
        "totalConversions": brought.conversions,
        "totalSales": brought.sales,
        "totalSaleAmount": amount,
        "saleAmounts": brought.amounts,
        "totalCommissions": 0,
        // Nothing is paid on sales yet.
        "netRevenue": amount,
        "niche": terms.niche,
        "platform": terms.platform,
        "followers": terms.followers,
        "cost": terms.cost,
    }))
}
