//! `/utm-templates`: UTM parameters under a name, for `utmTemplateId` of links.

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::{Body, said};
use super::error::ApiError;
use super::params::Params;
use super::{Api, Caller};
use crate::books;
use crate::domain::utm_template::UtmTemplate;
use crate::flows::Error;
use crate::flows::keep_utm_templates::{self, UtmTemplateChange};

/// Default page size.
const PAGE_SIZE: u32 = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UtmTemplateBody {
    name: Option<String>,
    #[serde(default, deserialize_with = "said")]
    utm_source: Option<Option<String>>,
    #[serde(default, deserialize_with = "said")]
    utm_medium: Option<Option<String>>,
    #[serde(default, deserialize_with = "said")]
    utm_campaign: Option<Option<String>>,
    #[serde(default, deserialize_with = "said")]
    utm_term: Option<Option<String>>,
    #[serde(default, deserialize_with = "said")]
    utm_content: Option<Option<String>>,
    #[serde(default, rename = "ref", deserialize_with = "said")]
    reference: Option<Option<String>>,
}

impl UtmTemplateBody {
    fn change(self) -> UtmTemplateChange {
        UtmTemplateChange {
            name: self.name,
            utm: [
                self.utm_source,
                self.utm_medium,
                self.utm_campaign,
                self.utm_term,
                self.utm_content,
            ],
            reference: self.reference,
        }
    }
}

pub(super) async fn create(
    State(api): State<Api>,
    caller: Caller,
    Body(body): Body<UtmTemplateBody>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let template = keep_utm_templates::create(&api.context, caller.workspace, body.change()).await?;
    Ok((StatusCode::CREATED, Json(answer(&template))))
}

pub(super) async fn update(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
    Body(body): Body<UtmTemplateBody>,
) -> Result<Json<Value>, ApiError> {
    let template = keep_utm_templates::change(&api.context, caller.workspace, id, body.change()).await?;
    Ok(Json(answer(&template)))
}

pub(super) async fn delete(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let template = keep_utm_templates::delete(&api.context, caller.workspace, id).await?;
    Ok(Json(json!({ "id": template.id })))
}

pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<Value>>, ApiError> {
    let mut params = Params::of(query.as_deref())?;
    let page = params.numbered_page(PAGE_SIZE)?;
    let search = params.text("search");
    params.end()?;
    let templates = api.context.books().read(move |view| {
        books::utm_template::list(view, caller.workspace, search.as_deref(), page).map_err(Error::from)
    });
    Ok(Json(templates.await?.iter().map(answer).collect()))
}

fn answer(template: &UtmTemplate) -> Value {
    let [source, medium, campaign, term, content] = &template.utm;
    json!({
        "id": template.id,
        "name": template.name,
        "utm_source": source,
        "utm_medium": medium,
        "utm_campaign": campaign,
        "utm_term": term,
        "utm_content": content,
        "ref": template.reference,
        "createdAt": template.created_at.to_string(),
        "updatedAt": template.updated_at.to_string(),
    })
}
