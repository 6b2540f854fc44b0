//! `/settings`: what a workspace's reports are in, and where tiers of creators begin, which apps links may open. Ours, not the dialect's.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::{Body, said};
use super::error::ApiError;
use super::{Api, Caller};
use crate::books;
use crate::domain::settings::Settings;
use crate::flows::Error;
use crate::flows::set_settings::{self, SettingsChange};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SettingsBody {
    #[serde(default, deserialize_with = "said")]
    currency: Option<Option<String>>,
    #[serde(default)]
    tiers: TiersBody,
    app_schemes: Option<Vec<String>>,
    public_cards: Option<bool>,
}

/// Followers from which each tier begins.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TiersBody {
    micro: Option<u64>,
    mid: Option<u64>,
    #[serde(rename = "macro")]
    large: Option<u64>,
    celebrity: Option<u64>,
}

pub(super) async fn show(State(api): State<Api>, caller: Caller) -> Result<Json<Value>, ApiError> {
    let found = api
        .context
        .books()
        .read(move |view| books::settings::of(view, caller.workspace).map_err(Error::from));
    Ok(Json(answer(&found.await?)))
}

pub(super) async fn update(
    State(api): State<Api>,
    caller: Caller,
    Body(body): Body<SettingsBody>,
) -> Result<Json<Value>, ApiError> {
    let tiers = body.tiers;
    let change = SettingsChange {
        currency: body.currency,
        tiers: [tiers.micro, tiers.mid, tiers.large, tiers.celebrity],
        app_schemes: body.app_schemes,
        hides_cards: body.public_cards.map(|shown| !shown),
    };
    let settings = set_settings::set(&api.context, caller.workspace, change).await?;
    Ok(Json(answer(&settings)))
}

fn answer(settings: &Settings) -> Value {
    let [micro, mid, large, celebrity] = settings.tiers.get();
    json!({
        "currency": settings.currency,
        "appSchemes": settings.app_schemes,
        "publicCards": !settings.hides_cards,
        "tiers": { "micro": micro, "mid": mid, "macro": large, "celebrity": celebrity },
    })
}
