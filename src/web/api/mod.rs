//! The brand's API, in the dialect of Dub (same paths, fields, statuses, errors, paging), as a superset.
//!
//! Wire names live here and nowhere else. Every route is in [`router`]; each is also under `/api`.

mod analytics;
mod audit;
mod auth;
mod backup;
mod body;
mod campaign;
mod click_filter;
mod code_pool;
mod conversion;
mod conversion_event;
mod conversion_filter;
mod customer;
mod description;
mod discount_code;
mod domain;
mod erasure;
mod error;
mod event;
mod experiment;
mod folder;
mod gate;
mod key;
mod link;
mod link_answer;
mod link_body;
mod link_bulk;
mod link_import;
mod link_query;
mod mint;
mod mint_zip;
mod named_call;
mod order;
mod order_import;
mod order_journey;
mod pace;
mod params;
mod partner;
mod partner_analytics;
mod partner_link;
mod partner_sort;
mod partner_standing;
mod period;
mod product;
mod product_upsert;
mod program;
mod qr;
mod rate;
mod reception_body;
mod reference;
mod report;
mod report_link;
mod report_query;
mod routes;
mod row_error;
mod settings;
mod spend;
mod store;
mod tag;
mod track;
mod utm_template;
mod waitlist;
mod webhook;
mod webhook_log;
mod webhook_teller;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;

use crate::clicklog;
use crate::domain::consent::ConsentMode;
use crate::domain::keyring::Keyring;
use crate::domain::outside::{Fetch, TextRecords};
use crate::flows::Context;
use crate::flows::backup::Backups;
use crate::flows::track::Clicker;
use crate::integrations::receiver::Poster;

pub use auth::Caller;
pub(super) use auth::{caller_of, caller_of_key};
pub(super) use campaign::answer as campaign_answer;
pub use error::ApiError;
pub(super) use experiment::told as told_experiment;
pub use gate::Gate;
pub(super) use gate::{author, finish};
pub(super) use order::{listed as listed_orders, told_journey};
pub(super) use period::Period;
#[cfg(test)]
pub(super) use report::FIGURES;
pub(super) use report::{answer as answer_report, figures, read as read_report};
pub(super) use report_link::of_partner as report_links;
pub(super) use report_query::{Asked, FILTERS, GROUPS};
pub(super) use spend::answer as spend_answer;
pub(super) use track::{Desk as TrackingDesk, Kind as ConversionKind, Page as TellingPage};
pub(super) use webhook::notice as webhook_notice;
pub use webhook_teller::ApiTeller;

/// What the API works with.
#[derive(Clone)]
pub struct Api {
    pub context: Context,
    pub clicks: clicklog::Reader,
    /// Erases on request.
    pub eraser: clicklog::Eraser,
    pub click_ids: Arc<dyn Fn() -> Keyring + Send + Sync>,
    /// Keys of the visitors' cookies.
    pub visitors: Arc<dyn Fn() -> Keyring + Send + Sync>,
    pub node: u16,
    /// Where this API is reached, for URLs in answers.
    pub base_url: Arc<str>,
    /// Consent mode of new domains.
    pub consent: ConsentMode,
    /// Signs sessions of the console.
    pub session_key: [u8; 32],
    /// Logs clicks that no follower's request brought.
    pub clicker: Clicker,
    /// Reads shops' UCP profiles.
    pub profiles: Arc<dyn Fetch>,
    /// Posts to webhooks' receivers.
    pub poster: Poster,
    /// Reads what shows whose a domain is.
    pub records: Arc<dyn TextRecords>,
    /// Makes backups of the server.
    pub backups: Backups,
    /// Largest body of a call, in bytes.
    pub body_max: usize,
    /// Largest catalogue in one call, in bytes.
    pub catalog_max: usize,
    /// What stands before every call.
    pub gate: Arc<Gate>,
}

/// All routes of the API, and `/openapi.json` and `/docs`, which describe them.
pub fn router(api: Api) -> Router {
    let (routes, described) = routes::all(api.catalog_max).split();
    let reference = reference::router(described, Arc::clone(&api.base_url));
    let routes = routes
        .layer(DefaultBodyLimit::max(api.body_max))
        .layer(from_fn_with_state(api.clone(), gate::pass))
        .with_state(api)
        .merge(reference);
    Router::new().merge(routes.clone()).nest("/api", routes)
}
