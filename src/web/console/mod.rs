//! The console on the admin listener: sign in with a key, see what creators brought, order by order if need be, and rule on
//! what waits. Drawn by [`super::pages`] from what the API answers, so that both say the same.

mod campaign;
mod creator;
mod experiment;
mod gate;
mod names;
mod order;
mod performance;
mod reply;
mod session;
mod sign_in;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

use super::api::Api;
use super::pages::assets;

pub(super) use performance::{picture, row};

/// Largest form, in bytes: a key or a token, and a choice. Much more than that, so that whoever pastes the wrong thing is
/// told that it is no key.
const FORM_MAX: usize = 64 * 1024;

/// The console's routes.
pub fn router(api: Api) -> Router {
    Router::new()
        .route("/", get(performance::show))
        .route("/performance.csv", get(performance::download))
        .route("/console/orders", get(order::list))
        .route("/console/orders/{id}", get(order::show))
        .route("/console/orders/{id}/credit", post(order::rule))
        .route("/console/creators", get(creator::list))
        .route("/console/creators/{id}", get(creator::show))
        .route("/console/creators/{id}/report-links", post(creator::share))
        .route(
            "/console/creators/{id}/report-links/{link}/revoke",
            post(creator::revoke),
        )
        .route("/console/campaigns", get(campaign::list))
        .route("/console/campaigns/{id}", get(campaign::show))
        .route("/console/experiments", get(experiment::list))
        .route("/console/links/{id}/experiment", get(experiment::show))
        .route("/sign-in", get(sign_in::show).post(sign_in::check_key))
        .route("/sign-out", post(sign_in::sign_out))
        .route(assets::style_path(), get(reply::style))
        .layer(DefaultBodyLimit::max(FORM_MAX))
        .layer(from_fn_with_state(api.clone(), gate::pass))
        .with_state(api)
}
