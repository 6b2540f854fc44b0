//! `/partners/links`: links of one creator, made for them and listed.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use super::body::Body;
use super::error::ApiError;
use super::link_answer::{LinkView, answer_one};
use super::link_body::LinkBody;
use super::params::Params;
use super::partner;
use super::partner_standing::whom;
use super::{Api, Caller};
use crate::domain::creator::Creator;
use crate::flows::part_with_creator::Whom;
use crate::flows::publish_link::LinkChange;
use crate::flows::{Error, publish_link, upsert_link};

/// Links of a page, as a client that knows no pages sees them all. 1,000: ten times what one creator has.
const PAGE_SIZE: u32 = 1_000;

/// A link for a creator. What `linkProps` say is as in `POST /links`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PartnerLinkBody {
    partner_id: Option<String>,
    tenant_id: Option<String>,
    url: Option<String>,
    key: Option<String>,
    comments: Option<String>,
    link_props: Option<LinkBody>,
}

impl PartnerLinkBody {
    /// Whom the link is for, and what it is to be.
    fn read(self) -> Result<(Whom, LinkChange), ApiError> {
        let props = self.link_props.map(LinkBody::change).transpose()?.unwrap_or_default();
        let change = LinkChange {
            destination: self.url.or(props.destination),
            slug: self.key.or(props.slug),
            comments: self.comments.map(Some).or(props.comments),
            ..props
        };
        if change.creator_id.is_some() {
            let message = "goes beside linkProps, not into them";
            return Err(ApiError::invalid("linkProps.partnerId", message));
        }
        if change.destination.is_none() && change.cart.is_none() {
            return Err(ApiError::invalid("url", "is required: where the link leads"));
        }
        Ok((whom(self.partner_id, self.tenant_id), change))
    }
}

async fn find(api: &Api, caller: &Caller, whom: Whom) -> Result<Creator, ApiError> {
    let workspace = caller.workspace;
    Ok(api.context.books().read(move |view| whom.find(view, workspace)).await?)
}

pub(super) async fn create(
    State(api): State<Api>,
    caller: Caller,
    Body(body): Body<PartnerLinkBody>,
) -> Result<(StatusCode, Json<LinkView>), ApiError> {
    let (whom, change) = body.read()?;
    let creator = find(&api, &caller, whom).await?;
    let change = LinkChange {
        creator_id: Some(Some(creator.id)),
        ..change
    };
    let link = publish_link::create(&api.context, caller.workspace, change).await?;
    Ok((StatusCode::CREATED, answer_one(&api, &caller, link).await?))
}

/// The creator's link that leads to `url`, changed, else a new one.
pub(super) async fn upsert(
    State(api): State<Api>,
    caller: Caller,
    Body(body): Body<PartnerLinkBody>,
) -> Result<Json<LinkView>, ApiError> {
    let (whom, change) = body.read()?;
    let creator = find(&api, &caller, whom).await?;
    let link = upsert_link::upsert_of_creator(&api.context, caller.workspace, change, &creator).await?;
    answer_one(&api, &caller, link).await
}

pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<Value>>, ApiError> {
    let mut params = Params::of(query.as_deref())?;
    let whom = whom(params.text("partnerId"), params.text("tenantId"));
    let page = params.page(PAGE_SIZE)?;
    params.end()?;
    let inner = api.clone();
    let rows = api.context.books().read(move |view| {
        let creator = whom.find(view, caller.workspace)?;
        Ok::<_, Error>(partner::links_of(&inner, view, caller.workspace, &creator, &page)?.0)
    });
    Ok(Json(rows.await?))
}
