//! `/folders`: the dialect's folders of links.

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
use crate::domain::folder::{Access, Folder};
use crate::flows::Error;
use crate::flows::keep_folders::{self, FolderChange};

/// Default page size, as in the dialect.
const PAGE_SIZE: u32 = 50;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct FolderBody {
    name: Option<String>,
    #[serde(default, deserialize_with = "said")]
    description: Option<Option<String>>,
    #[serde(default, deserialize_with = "said")]
    access_level: Option<Option<Access>>,
}

impl FolderBody {
    fn change(self) -> FolderChange {
        FolderChange {
            name: self.name,
            description: self.description,
            access: self.access_level,
        }
    }
}

pub(super) async fn create(
    State(api): State<Api>,
    caller: Caller,
    Body(body): Body<FolderBody>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let folder = keep_folders::create(&api.context, caller.workspace, body.change()).await?;
    Ok((StatusCode::CREATED, Json(answer(&folder))))
}

pub(super) async fn update(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
    Body(body): Body<FolderBody>,
) -> Result<Json<Value>, ApiError> {
    let folder = keep_folders::change(&api.context, caller.workspace, id, body.change()).await?;
    Ok(Json(answer(&folder)))
}

pub(super) async fn delete(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let folder = keep_folders::delete(&api.context, caller.workspace, id).await?;
    Ok(Json(json!({ "id": folder.id })))
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
    let folders = api
        .context
        .books()
        .read(move |view| books::folder::list(view, caller.workspace, search.as_deref(), page).map_err(Error::from));
    Ok(Json(folders.await?.iter().map(answer).collect()))
}

/// The number of folders.
pub(super) async fn count(
    State(api): State<Api>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<u64>, ApiError> {
    let mut params = Params::of(query.as_deref())?;
    let search = params.text("search");
    params.end()?;
    let counted = api
        .context
        .books()
        .read(move |view| books::folder::count(view, caller.workspace, search.as_deref()).map_err(Error::from));
    Ok(Json(counted.await?))
}

fn answer(folder: &Folder) -> Value {
    json!({
        "id": folder.id,
        "name": folder.name,
        "description": folder.description,
        "type": "default",
        "accessLevel": folder.access,
        "createdAt": folder.created_at.to_string(),
        "updatedAt": folder.updated_at.to_string(),
    })
}
