//! `POST /campaigns/{id}/mint`: links and codes for up to 1,000 creators, as JSON or as a ZIP with pictures to print.

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::Body;
use super::error::ApiError;
use super::link_answer;
use super::link_body::LinkBody;
use super::mint_zip::{self, Picture, ZipRow};
use super::params::Params;
use super::{Api, Caller};
use crate::flows::mint_links::{self, MintOrder};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct MintBody {
    #[serde(default)]
    partner_ids: Vec<String>,
    slug_pattern: Option<String>,
    code_pattern: Option<String>,
    template: LinkBody,
}

/// The slugs of a call that names no pattern.
const SLUG_PATTERN: &str = "{username}-{campaign}";

/// One creator's row, with what its answer needs of the link.
struct Told {
    partner_id: String,
    name: String,
    made: Result<Link, ApiError>,
}

struct Link {
    id: String,
    key: String,
    short_link: String,
    code: Option<String>,
    is_known: bool,
    is_numbered: bool,
}

pub(super) async fn mint(
    State(api): State<Api>,
    caller: Caller,
    Path(campaign_id): Path<String>,
    RawQuery(query): RawQuery,
    Body(body): Body<MintBody>,
) -> Result<Response, ApiError> {
    let mut params = Params::of(query.as_deref())?;
    let is_zip = params.word("format", &["json", "zip"])? == Some("zip");
    let picture = match params.word("qr", &["svg", "png"])? {
        Some("png") => Picture::Png,
        _ => Picture::Svg,
    };
    params.end()?;
    let order = MintOrder {
        campaign_id,
        creator_ids: body.partner_ids,
        slug_pattern: body.slug_pattern.unwrap_or_else(|| SLUG_PATTERN.to_owned()),
        code_pattern: body.code_pattern.filter(|pattern| !pattern.is_empty()),
        template: body.template.change()?,
    };
    let (campaign, rows) = mint_links::mint(&api.context, caller.workspace, order).await?;
    let told = tell(&api, &caller, rows).await?;
    if !is_zip {
        return Ok(Json(answer(&campaign.id, &told)).into_response());
    }
    let rows = told.into_iter().map(zip_row).collect();
    let packed = tokio::task::spawn_blocking(move || mint_zip::pack(rows, picture)).await;
    let zip = packed
        .map_err(|error| error.to_string())
        .and_then(|packed| packed)
        .map_err(|detail| ApiError::from(crate::flows::Error::Internal(detail)))?;
    let headers = [
        (header::CONTENT_TYPE, "application/zip"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"links.zip\""),
    ];
    Ok((headers, zip).into_response())
}

async fn tell(api: &Api, caller: &Caller, rows: Vec<mint_links::MintRow>) -> Result<Vec<Told>, ApiError> {
    let links = rows.iter().filter_map(|row| row.made.as_ref().ok());
    let links = links.map(|made| made.link.clone()).collect();
    let mut views = link_answer::answer(api, caller, links).await?.into_iter();
    let told = rows.into_iter().map(|row| {
        let made = match row.made {
            // There is one view for each link, in their order.
            Ok(made) => views.next().map(|view| Link {
                id: view.id,
                key: view.key,
                short_link: view.short_link,
                code: made.code,
                is_known: made.is_known,
                is_numbered: made.is_numbered,
            }),
            Err(error) => {
                return Told {
                    partner_id: row.creator_id,
                    name: row.creator,
                    made: Err(error.into()),
                };
            }
        };
        Told {
            partner_id: row.creator_id,
            name: row.creator,
            made: made.ok_or_else(|| ApiError::not_found("The link was not found.")),
        }
    });
    Ok(told.collect())
}

fn answer(campaign_id: &str, told: &[Told]) -> Value {
    let count = |is: fn(&Link) -> bool| told.iter().filter(|row| row.made.as_ref().is_ok_and(is)).count();
    let rows: Vec<Value> = told
        .iter()
        .map(|row| match &row.made {
            Ok(link) => json!({
                "partnerId": row.partner_id, "name": row.name, "linkId": link.id, "key": link.key,
                "shortLink": link.short_link, "discountCode": link.code, "known": link.is_known,
                "numbered": link.is_numbered,
            }),
            Err(error) => json!({
                "partnerId": row.partner_id, "name": row.name, "error": error.message(), "code": error.code(),
            }),
        })
        .collect();
    json!({
        "campaignId": campaign_id,
        "minted": count(|link| !link.is_known),
        "known": count(|link| link.is_known),
        "failed": told.iter().filter(|row| row.made.is_err()).count(),
        "links": rows,
    })
}

fn zip_row(told: Told) -> ZipRow {
    let (link, error) = match told.made {
        Ok(link) => (Some(link), String::new()),
        Err(error) => (None, error.message().to_owned()),
    };
    let (key, short_link, code) = link.map_or((String::new(), String::new(), None), |link| {
        (link.key, link.short_link, link.code)
    });
    ZipRow {
        partner_id: told.partner_id,
        name: told.name,
        key,
        short_link,
        code: code.unwrap_or_default(),
        error,
    }
}
