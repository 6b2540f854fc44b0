//! `/stores`: the shops that carts lead to and webhooks come from. Ours, not the dialect's.

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
use crate::domain::id::StoreNo;
use crate::domain::pulse::Pulse;
use crate::domain::store::{Permalink, Provider, Store};
use crate::domain::ucp_profile::UcpProfile;
use crate::flows::publish_store::{self, StoreChange};
use crate::flows::{Error, LookChange, refresh_profiles};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct StoreBody {
    name: Option<String>,
    provider: Option<Provider>,
    base_url: Option<String>,
    currency: Option<String>,
    webhook_secrets: Option<Vec<String>>,
    #[serde(default, deserialize_with = "said")]
    permalink: Option<Option<Permalink>>,
    #[serde(default, deserialize_with = "said")]
    accent_color: Option<Option<String>>,
    #[serde(default, deserialize_with = "said")]
    logo_url: Option<Option<String>>,
    #[serde(default, deserialize_with = "said")]
    image_hosts: Option<Option<Vec<String>>>,
    #[serde(default, deserialize_with = "said")]
    price_fresh_hours: Option<Option<u32>>,
}

impl StoreBody {
    fn change(self) -> StoreChange {
        StoreChange {
            name: self.name,
            provider: self.provider,
            base_url: self.base_url,
            currency: self.currency,
            webhook_secrets: self.webhook_secrets,
            permalink: self.permalink,
            look: LookChange {
                accent: self.accent_color,
                logo_url: self.logo_url,
                image_hosts: self.image_hosts,
                price_fresh_hours: self.price_fresh_hours,
            },
        }
    }
}

pub(super) async fn create(
    State(api): State<Api>,
    caller: Caller,
    Body(body): Body<StoreBody>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let store = publish_store::create(&api.context, caller.workspace, body.change()).await?;
    Ok((StatusCode::CREATED, Json(answer(&api, &store, &Known::default()))))
}

pub(super) async fn update(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
    Body(body): Body<StoreBody>,
) -> Result<Json<Value>, ApiError> {
    let store = publish_store::update(&api.context, caller.workspace, &id, body.change()).await?;
    let no = store.no;
    let known = api.context.books().read(move |view| Known::of(view, no));
    Ok(Json(answer(&api, &store, &known.await?)))
}

pub(super) async fn show(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let found = api.context.books().read(move |view| {
        let store = books::store::by_id(view, caller.workspace, &id)?.ok_or(Error::NotFound { what: "store" })?;
        let known = Known::of(view, store.no)?;
        Ok::<_, Error>((store, known))
    });
    let (store, known) = found.await?;
    Ok(Json(answer(&api, &store, &known)))
}

pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<Value>>, ApiError> {
    Params::of(query.as_deref())?.end()?;
    let found = api.context.books().read(move |view| {
        let with_known = |store: Store| {
            let known = Known::of(view, store.no)?;
            Ok::<_, Error>((store, known))
        };
        let stores = books::store::list(view, caller.workspace)?;
        stores.into_iter().map(with_known).collect::<Result<Vec<_>, _>>()
    });
    let stores = found.await?;
    let answers = stores.iter().map(|(store, known)| answer(&api, store, known));
    Ok(Json(answers.collect()))
}

/// Looks at the store's UCP profile now, whenever the next look is due.
pub(super) async fn refresh(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let refreshed = refresh_profiles::refresh(&api.context, &*api.profiles, caller.workspace, &id);
    let (store, profile) = refreshed.await?;
    let no = store.no;
    let known = api.context.books().read(move |view| Known::of(view, no));
    let known = Known {
        profile,
        ..known.await?
    };
    Ok(Json(answer(&api, &store, &known)))
}

/// What others have told of a store.
#[derive(Default)]
struct Known {
    profile: Option<UcpProfile>,
    pulse: Option<Pulse>,
}

impl Known {
    fn of(view: &View<'_>, store: StoreNo) -> Result<Self, Error> {
        Ok(Self {
            profile: books::ucp_profile::of_store(view, store)?,
            pulse: books::pulse::of_store(view, store)?,
        })
    }
}

/// Secrets are never shown again. Stores on platforms without a UCP profile, or with one form of cart link, say `null`.
fn answer(api: &Api, store: &Store, known: &Known) -> Value {
    let public = api.context.public();
    let profile = known.profile.as_ref();
    let now = api.context.clock().now();
    let silent_since = known.pulse.and_then(|pulse| pulse.silent_since(now));
    let ucp = store.provider.has_ucp_profile().then(|| {
        json!({
            "endpoint": store.ucp_endpoint,
            "fetchedAt": profile.and_then(|profile| profile.fetched_at).map(|at| at.to_string()),
            "problem": profile.and_then(|profile| profile.problem.as_ref()),
        })
    });
    json!({
        "id": store.id,
        "name": store.name,
        "provider": store.provider,
        "baseUrl": store.base_url,
        "currency": store.currency,
        "permalink": (store.provider == Provider::Shopify).then_some(store.permalink),
        "accentColor": store.look.accent,
        "logoUrl": store.look.logo_url,
        "imageHosts": store.look.image_hosts,
        "priceFreshHours": store.look.price_fresh_hours,
        "ucp": ucp,
        "webhookUrl": format!("{}://{}/_/hooks/{}", public.scheme, public.authority, store.id),
        "silentSince": silent_since.map(|at| at.to_string()),
        "createdAt": store.created_at.to_string(),
    })
}
