//! The list of campaigns, and one with what it brought and cost.

use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;

use super::names;
use super::performance::{rows, total};
use super::reply::{Refused, html};
use super::session::Session;
use crate::books::spend::SpendFilter;
use crate::books::{self, Page};
use crate::domain::money::{self, Currency};
use crate::flows::{Error, plan_campaign};
use crate::web::api::{self, Api, Caller, campaign_answer, read_report, spend_answer};
use crate::web::pages::{self, Asked, CAMPAIGNS_A_PAGE, CampaignPage, CampaignView, CampaignsPage, RowView};
use crate::web::report::Report;

/// Entries of spend on a campaign's page: the API has the others.
const SPEND_SHOWN: u32 = 50;

pub(super) async fn list(
    State(api): State<Api>,
    session: Session,
    RawQuery(query): RawQuery,
) -> Result<Response, Refused> {
    let asked = Asked::of(query.as_deref().unwrap_or_default());
    let number = asked.get("page").and_then(|page| page.parse().ok()).unwrap_or(1);
    let caller = &session.caller;
    let workspace = caller.workspace;
    let told = api.context.books().read(move |view| {
        let size = CAMPAIGNS_A_PAGE as u32;
        let found = books::campaign::list(view, workspace, None, true, &Page::Number { number, size })?;
        found
            .iter()
            .map(|campaign| campaign_answer(view, campaign))
            .collect::<Result<Vec<_>, Error>>()
    });
    let campaigns: Vec<CampaignView> = serde_json::from_value(Value::from(told.await?))?;
    let report = report(&api, caller, &Asked::of("groupBy=campaign&interval=all")).await?;
    let brought = rows(&report);
    let with_rows = |campaign: CampaignView| {
        let row: Option<RowView> = brought.iter().find(|row| row.key == campaign.id).cloned();
        (campaign, row)
    };
    let page = CampaignsPage {
        workspace: caller.workspace_name.clone(),
        has_more: campaigns.len() == CAMPAIGNS_A_PAGE,
        campaigns: campaigns.into_iter().map(with_rows).collect(),
        currency: currency_of(&report),
        number,
    };
    Ok(html(StatusCode::OK, pages::campaigns_page(&page)))
}

pub(super) async fn show(
    State(api): State<Api>,
    session: Session,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refused> {
    let asked = Asked::of(query.as_deref().unwrap_or_default());
    let caller = &session.caller;
    let (campaign, spend) = told(&api, caller, id).await?;
    let key = campaign["id"].as_str().unwrap_or_default().to_owned();
    let within = |group_by: &str| {
        let interval = asked.get("interval").unwrap_or(pages::campaigns::INTERVAL);
        asked.with(&[("interval", interval), ("campaignId", &key), ("groupBy", group_by)])
    };
    let by_creator = report(&api, caller, &within("creator")).await?;
    let by_content = report(&api, caller, &within("content")).await?;
    let by_link = report(&api, caller, &within("link")).await?;
    let mentioned = Value::from(vec![campaign.clone(), spend.clone()]);
    let page = CampaignPage {
        workspace: caller.workspace_name.clone(),
        names: names::of(&api, caller.workspace, &mentioned).await?,
        campaign: serde_json::from_value(campaign)?,
        currency: currency_of(&by_creator),
        totals: total(&by_creator),
        by_creator: rows(&by_creator),
        by_content: rows(&by_content),
        by_link: rows(&by_link),
        spend: serde_json::from_value(spend)?,
        asked,
    };
    Ok(html(StatusCode::OK, pages::campaign_page(&page)))
}

/// The campaign and its latest spend, as the API answers them.
async fn told(api: &Api, caller: &Caller, id: String) -> Result<(Value, Value), Error> {
    let workspace = caller.workspace;
    let read = api.context.books().read(move |view| {
        let campaign = plan_campaign::find(view, workspace, &id)?;
        let filter = SpendFilter {
            campaign: Some(campaign.no),
            ..SpendFilter::default()
        };
        let page = Page::Number {
            number: 1,
            size: SPEND_SHOWN,
        };
        let entries = books::spend::list(view, workspace, &filter, &page)?;
        let spend = entries
            .iter()
            .map(|entry| spend_answer(view, entry))
            .collect::<Result<Vec<_>, Error>>()?;
        Ok::<_, Error>((campaign_answer(view, &campaign)?, Value::from(spend)))
    });
    read.await
}

async fn report(api: &Api, caller: &Caller, asked: &Asked) -> Result<Report, Refused> {
    let now = api.context.clock().now();
    let read = api::Asked::of(Some(&asked.query()), caller.workspace, now, "all")?;
    Ok(read_report(api, &read).await?)
}

fn currency_of(report: &Report) -> Currency {
    money::currency(&report.currency).unwrap_or(Currency::USD)
}
