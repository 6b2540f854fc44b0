//! `/domains`: the dialect's link domains with our consent mode, legal basis, cookie domain, letter case and store, and
//! how a brand shows that one is its own.

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
use crate::domain::consent::ConsentMode;
use crate::domain::id::WorkspaceNo;
use crate::domain::link_domain::LinkDomain;
use crate::domain::store::Store;
use crate::flows::Error;
use crate::flows::publish_domain::{self, DomainChange};
use crate::flows::verify_domain;

/// Default page size, as in the dialect.
const PAGE_SIZE: u32 = 50;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct DomainBody {
    slug: Option<String>,
    archived: Option<bool>,
    primary: Option<bool>,
    // Ours.
    case_sensitive: Option<bool>,
    consent: Option<ConsentMode>,
    legal_basis: Option<bool>,
    #[serde(default, deserialize_with = "said")]
    cookie_domain: Option<Option<String>>,
    #[serde(default, deserialize_with = "said")]
    store_id: Option<Option<String>>,
    redir_hosts: Option<Vec<String>>,
    // Of the dialect.
    #[serde(default, deserialize_with = "said")]
    expired_url: Option<Option<String>>,
    #[serde(default, deserialize_with = "said")]
    not_found_url: Option<Option<String>>,
    // Not built yet.
    placeholder: Option<Value>,
    logo: Option<Value>,
    asset_links: Option<Value>,
    apple_app_site_association: Option<Value>,
}

impl DomainBody {
    fn change(self) -> Result<DomainChange, ApiError> {
        let not_yet = [
            ("placeholder", &self.placeholder),
            ("logo", &self.logo),
            ("assetLinks", &self.asset_links),
            ("appleAppSiteAssociation", &self.apple_app_site_association),
        ];
        if let Some((field, _)) = not_yet
            .iter()
            .find(|(_, value)| value.as_ref().is_some_and(|value| value != "" && !value.is_null()))
        {
            return Err(ApiError::invalid(field, "is not supported yet"));
        }
        Ok(DomainChange {
            slug: self.slug,
            is_primary: self.primary,
            is_archived: self.archived,
            is_case_sensitive: self.case_sensitive,
            consent: self.consent,
            has_legal_basis: self.legal_basis,
            cookie_domain: self.cookie_domain,
            store: self.store_id,
            not_found_url: self.not_found_url.map(filled),
            expired_url: self.expired_url.map(filled),
            redir_hosts: self.redir_hosts,
        })
    }
}

/// An empty text means "none", as in the dialect.
fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

pub(super) async fn create(
    State(api): State<Api>,
    caller: Caller,
    Body(body): Body<DomainBody>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let domain = publish_domain::create(&api.context, caller.workspace, body.change()?, api.consent).await?;
    let stores = stores(&api, caller.workspace).await?;
    Ok((StatusCode::CREATED, Json(answer(&domain, &stores))))
}

pub(super) async fn update(
    State(api): State<Api>,
    caller: Caller,
    Path(slug): Path<String>,
    Body(body): Body<DomainBody>,
) -> Result<Json<Value>, ApiError> {
    let domain = publish_domain::update(&api.context, caller.workspace, &slug, body.change()?).await?;
    let stores = stores(&api, caller.workspace).await?;
    Ok(Json(answer(&domain, &stores)))
}

/// Looks now whether the domain's TXT record says whose it is.
pub(super) async fn verify(
    State(api): State<Api>,
    caller: Caller,
    Path(slug): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let (domain, problem) = verify_domain::verify(&api.context, &*api.records, caller.workspace, &slug).await?;
    let stores = stores(&api, caller.workspace).await?;
    let mut answer = answer(&domain, &stores);
    answer["verification"]["problem"] = json!(problem);
    Ok(Json(answer))
}

pub(super) async fn delete(
    State(api): State<Api>,
    caller: Caller,
    Path(slug): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let domain = publish_domain::delete(&api.context, caller.workspace, &slug).await?;
    Ok(Json(json!({ "slug": domain.slug })))
}

pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<Value>>, ApiError> {
    let mut params = Params::of(query.as_deref())?;
    let page = params.page(PAGE_SIZE)?;
    let search = params.text("search");
    let archived = params.flag("archived")?.unwrap_or(false);
    params.end()?;
    let domains = api.context.books().read(move |view| {
        books::link_domain::list(view, caller.workspace, search.as_deref(), archived, &page).map_err(Error::from)
    });
    let domains = domains.await?;
    let stores = stores(&api, caller.workspace).await?;
    Ok(Json(domains.iter().map(|domain| answer(domain, &stores)).collect()))
}

/// The workspace's stores, for their public ids. A brand has a handful.
async fn stores(api: &Api, workspace: WorkspaceNo) -> Result<Vec<Store>, ApiError> {
    let read = api
        .context
        .books()
        .read(move |view| books::store::list(view, workspace).map_err(Error::from));
    Ok(read.await?)
}

fn answer(domain: &LinkDomain, stores: &[Store]) -> Value {
    let store = stores.iter().find(|store| Some(store.no) == domain.store);
    json!({
        "id": domain.id,
        "slug": domain.slug,
        "verified": domain.verified_at.is_some(),
        "primary": domain.is_primary,
        "archived": domain.is_archived,
        "placeholder": null,
        "expiredUrl": domain.expired_url,
        "notFoundUrl": domain.not_found_url,
        "logo": null,
        "assetLinks": null,
        "appleAppSiteAssociation": null,
        "createdAt": domain.created_at.to_string(),
        "updatedAt": domain.updated_at.to_string(),
        "registeredDomain": null,
        "verifiedAt": domain.verified_at.map(|at| at.to_string()),
        "verification": { "type": "TXT", "name": domain.proof_name(), "value": domain.proof_text() },
        "caseSensitive": domain.is_case_sensitive,
        "consent": domain.consent,
        "legalBasis": domain.has_legal_basis,
        "cookieDomain": domain.cookie_domain,
        "redirHosts": domain.redir_hosts,
        "storeId": store.map(|store| &store.id),
    })
}
