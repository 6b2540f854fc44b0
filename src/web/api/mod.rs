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
mod partner_sort;
mod period;
mod product;
mod product_upsert;
mod program;
mod qr;
mod rate;
mod reception_body;
mod report;
mod report_link;
mod report_query;
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
use axum::routing::{delete, get, patch, post, put};

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

/// All routes of the API.
pub fn router(api: Api) -> Router {
    let routes = Router::new()
        .route("/links", post(link::create).get(link::list))
        .route("/links/info", get(link::info))
        .route("/links/count", get(link::count))
        .route("/links/exists", get(link::exists))
        .route("/links/upsert", put(link::upsert))
        .route(
            "/links/bulk",
            post(link_bulk::create)
                .patch(link_bulk::update)
                .delete(link_bulk::delete)
                .layer(DefaultBodyLimit::max(api.catalog_max)),
        )
        .route(
            "/links/import",
            post(link_import::import).layer(DefaultBodyLimit::max(api.catalog_max)),
        )
        .route("/links/{id}", get(link::show).patch(link::update).delete(link::delete))
        .route("/links/{id}/experiment", get(experiment::show))
        .route("/tags", get(tag::list).post(tag::create))
        .route("/tags/count", get(tag::count))
        .route("/tags/{id}", patch(tag::update).delete(tag::delete))
        .route("/folders", get(folder::list).post(folder::create))
        .route("/folders/count", get(folder::count))
        .route("/folders/{id}", patch(folder::update).delete(folder::delete))
        .route("/utm-templates", get(utm_template::list).post(utm_template::create))
        .route(
            "/utm-templates/{id}",
            patch(utm_template::update).delete(utm_template::delete),
        )
        .route("/domains", get(domain::list).post(domain::create))
        .route("/domains/{slug}", patch(domain::update).delete(domain::delete))
        .route("/domains/{slug}/verify", post(domain::verify))
        .route("/stores", get(store::list).post(store::create))
        .route("/stores/{id}", get(store::show).patch(store::update))
        .route(
            "/products",
            put(product_upsert::upsert)
                .layer(DefaultBodyLimit::max(api.catalog_max))
                .get(product::list),
        )
        .route("/stores/{id}/refresh", post(store::refresh))
        .route("/products/stock", put(product::set_stock))
        .route(
            "/orders/import",
            post(order_import::import).layer(DefaultBodyLimit::max(api.catalog_max)),
        )
        .route("/orders", get(order::list))
        .route("/orders/{id}", get(order::show))
        .route("/orders/{id}/journey", get(order::journey))
        .route("/orders/{id}/credit", post(order::rule))
        .route("/program", get(program::show).patch(program::update))
        .route("/partners", get(partner::list).post(partner::enlist))
        .route("/partners/{id}", get(partner::show))
        .route(
            "/partners/{id}/report-links",
            get(report_link::list).post(report_link::create),
        )
        .route("/partners/{id}/report-links/{link}", delete(report_link::revoke))
        .route("/campaigns", get(campaign::list).post(campaign::create))
        .route("/campaigns/{id}", get(campaign::show).patch(campaign::update))
        .route("/campaigns/{id}/mint", post(mint::mint))
        .route("/spend", get(spend::list).post(spend::record))
        .route("/spend/{id}/void", post(spend::void))
        .route(
            "/rates",
            put(rate::load)
                .layer(DefaultBodyLimit::max(api.catalog_max))
                .get(rate::list),
        )
        .route("/settings", get(settings::show).patch(settings::update))
        .route("/track/click", post(track::click))
        .route("/track/lead", post(track::lead))
        .route("/track/sale", post(track::sale))
        .route("/customers", get(customer::list))
        .route(
            "/customers/{id}",
            get(customer::show).patch(customer::update).delete(customer::erase),
        )
        .route("/discount-codes", get(discount_code::list).post(discount_code::issue))
        .route("/discount-codes/{id}", patch(discount_code::update))
        .route("/discount-codes/pools", get(code_pool::list).post(code_pool::create))
        .route(
            "/discount-codes/pools/{id}",
            get(code_pool::show).delete(code_pool::delete),
        )
        .route(
            "/discount-codes/pools/{id}/codes",
            post(code_pool::upload).layer(DefaultBodyLimit::max(api.catalog_max)),
        )
        .route("/waitlist", get(waitlist::list).delete(waitlist::erase))
        .route("/waitlist/count", get(waitlist::count))
        .route("/waitlist/export", get(waitlist::export))
        .route("/waitlist/{id}", delete(waitlist::erase_one))
        .route("/webhooks", get(webhook::list).post(webhook::create))
        .route(
            "/webhooks/{id}",
            get(webhook::show).patch(webhook::update).delete(webhook::delete),
        )
        .route("/webhooks/{id}/rotate-secret", post(webhook::rotate_secret))
        .route("/webhooks/{id}/test", post(webhook::test))
        .route("/webhooks/{id}/deliveries", get(webhook_log::list))
        .route("/webhooks/{id}/deliveries/{event}", get(webhook_log::show))
        .route("/webhooks/{id}/deliveries/{event}/replay", post(webhook_log::replay))
        .route("/qr", get(qr::draw))
        .route("/analytics", get(analytics::read))
        .route("/events", get(event::list))
        .route("/erasures", get(erasure::list).post(erasure::erase))
        .route("/visitors/{id}", delete(erasure::erase_visitor))
        .route("/reports/performance", get(report::performance))
        .route("/workspaces", get(key::list_workspaces).post(key::open_workspace))
        .route("/keys", get(key::list).post(key::issue))
        .route("/keys/{id}", patch(key::update).delete(key::revoke))
        .route("/audit-log", get(audit::list))
        .route("/backups", get(backup::show).post(backup::make))
        .layer(DefaultBodyLimit::max(api.body_max))
        .layer(from_fn_with_state(api.clone(), gate::pass))
        .with_state(api);
    Router::new().merge(routes.clone()).nest("/api", routes)
}
