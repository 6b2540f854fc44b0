//! `/discount-codes`: whose code is whose.

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::Body;
use super::error::ApiError;
use super::params::Params;
use super::{Api, Caller};
use crate::books::{self, View};
use crate::domain::discount_code::DiscountCode;
use crate::flows::{Error, issue_code, trust_code};

/// Default page size, as in the dialect.
const PAGE_SIZE: u32 = 100;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct CodeBody {
    code: String,
    partner_id: String,
    link_id: Option<String>,
}

pub(super) async fn issue(
    State(api): State<Api>,
    caller: Caller,
    Body(body): Body<CodeBody>,
) -> Result<Json<Value>, ApiError> {
    let link_id = body.link_id.filter(|id| !id.is_empty());
    let code = issue_code::issue(&api.context, caller.workspace, body.code, body.partner_id, link_id).await?;
    Ok(Json(api.context.books().read(move |view| answer(view, &code)).await?))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct TrustBody {
    leaked: bool,
}

pub(super) async fn withdraw(
    State(api): State<Api>,
    caller: Caller,
    Path(id_or_code): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let code = issue_code::withdraw(&api.context, caller.workspace, id_or_code).await?;
    Ok(Json(json!({ "id": code.id })))
}

/// Says that a code has leaked, or that it is to be trusted whatever signals say.
pub(super) async fn update(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
    Body(body): Body<TrustBody>,
) -> Result<Json<Value>, ApiError> {
    let code = trust_code::say(&api.context, caller.workspace, id, body.leaked).await?;
    Ok(Json(api.context.books().read(move |view| answer(view, &code)).await?))
}

pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<Value>>, ApiError> {
    let mut params = Params::of(query.as_deref())?;
    let page = params.page(PAGE_SIZE)?;
    params.not_yet(&["discountId"])?;
    let partner_id = params.text("partnerId");
    params.end()?;
    let codes = api.context.books().read(move |view| {
        let creator = match partner_id {
            Some(id) => {
                let creator = books::creator::by_id(view, caller.workspace, &id)?;
                Some(
                    creator
                        .ok_or_else(|| Error::invalid("partnerId", "is not a partner of this workspace"))?
                        .no,
                )
            }
            None => None,
        };
        let codes = books::discount_code::list(view, caller.workspace, creator, &page)?;
        codes
            .iter()
            .map(|code| answer(view, code))
            .collect::<Result<Vec<_>, Error>>()
    });
    Ok(Json(codes.await?))
}

fn answer(view: &View<'_>, code: &DiscountCode) -> Result<Value, Error> {
    let creator = books::creator::by_no(view, code.creator)?;
    let departure = creator.as_ref().and_then(|creator| creator.departure);
    let link = match code.link {
        Some(no) => books::link::by_no(view, no)?.map(|link| link.id),
        None => None,
    };
    Ok(json!({
        "id": code.id,
        "code": code.code,
        "discountId": null,
        "partnerId": creator.map(|creator| creator.id).unwrap_or_default(),
        // The dialect's clients want text here; a code without a link has none.
        "linkId": link.unwrap_or_default(),
        // With its creator.
        "disabledAt": departure.map(|departure| departure.at.to_string()),
        // Ours.
        "leakSignal": code.leak,
        "trusted": code.is_trusted,
    }))
}
