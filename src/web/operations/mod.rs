//! What operators and their tools ask: is it alive, is it ready, how is it doing. On the admin listener, without a key.
//!
//! Shows no address, no slug and no name of anybody; stores and pools of codes by their ids.

mod metrics;

use std::cmp::Reverse;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::books::{self, Books};
use crate::clicklog;
use crate::domain::outside::Clock;
use crate::flows::record_clicks::RecorderStats;
use crate::flows::{hand_out_codes, join_waitlist, tell, track};
use crate::net::Tally;
use crate::redirect::{Counters, TableReader};
use crate::web::api::Gate;

/// Most stores whose last order is shown: each is a time series of its own, and a server of many brands would flood
/// whoever collects them.
const STORES_MAX: usize = 200;
/// Most pools of single-use codes that are shown, for the same reason.
const POOLS_MAX: usize = 200;

/// Most webhooks whose waiting deliveries are shown, for the same reason.
const WEBHOOKS_MAX: usize = 200;

/// What the books say of webhooks.
#[derive(Default)]
struct WebhookFigures {
    /// Those that can be sent to.
    live: u64,
    /// Those that are disabled because their receivers failed.
    given_up: u64,
    /// Events that are not queued yet.
    outbox: u64,
    /// Events that they were not told of for want of room, ever.
    untold: u64,
    /// Deliveries that wait, by webhook; the most.
    backlogs: Vec<(String, u64)>,
}

/// What is looked at.
#[derive(Clone)]
pub struct Operations {
    pub table: TableReader,
    pub workers: Arc<[Arc<Counters>]>,
    pub recorder: Arc<RecorderStats>,
    pub clicks: clicklog::Reader,
    pub books: Books,
    pub connections: Tally,
    pub waitlist: Arc<join_waitlist::Tally>,
    pub conversions: Arc<track::Tally>,
    pub codes: Arc<hand_out_codes::Desk>,
    pub telling: Arc<tell::Desk>,
    /// What stands before the API's calls.
    pub gate: Arc<Gate>,
    pub clock: Arc<dyn Clock>,
}

/// `/healthz`, `/readyz`, `/metrics`.
pub fn router(operations: Operations) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(show_metrics))
        .with_state(operations)
}

/// 200 once the table is loaded: links can be followed, even while the click log recovers, which is told. A click log that fails is told, with 200: followers are
/// redirected all the same, and a server that is taken out for it would lose them.
async fn ready(State(operations): State<Operations>) -> (StatusCode, String) {
    if !operations.table.is_loaded() {
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            "links are still being loaded\n".to_owned(),
        );
    }
    let stats = operations.clicks.stats();
    if stats.is_recovering && stats.problem.is_none() {
        let told = "ready; clicks are being recovered, reports answer 503 until then\n";
        return (StatusCode::OK, told.to_owned());
    }
    match stats.problem {
        Some(problem) => (StatusCode::OK, format!("ready, but clicks wait: {problem}\n")),
        None => (StatusCode::OK, "ready\n".to_owned()),
    }
}

/// Ids of stores with the seconds since their webhooks last told of an order; those that never did are left out.
async fn store_ages(operations: &Operations) -> Result<Vec<(String, u64)>, books::Error> {
    let now = operations.clock.now();
    let read = operations.books.read(move |view| {
        let mut ages = Vec::new();
        for store in books::store::all(view)? {
            if let Some(pulse) = books::pulse::of_store(view, store.no)? {
                let seconds = now.since(pulse.last).max(0).unsigned_abs() / 1000;
                ages.push((store.id, seconds));
            }
        }
        // The most silent first: those are looked for.
        ages.sort_by_key(|(_, seconds)| Reverse(*seconds));
        ages.truncate(STORES_MAX);
        Ok(ages)
    });
    read.await
}

/// Ids of pools of single-use codes with what can be handed out of them; the scarcest.
async fn pools(operations: &Operations) -> Result<Vec<(String, u64)>, books::Error> {
    let now = operations.clock.now();
    let read = operations
        .books
        .read(move |view| books::code_pool::scarcest(view, now, POOLS_MAX));
    read.await
}

async fn webhooks(operations: &Operations) -> Result<WebhookFigures, books::Error> {
    let read = operations.books.read(|view| {
        let (live, given_up) = books::webhook::counts(view)?;
        Ok(WebhookFigures {
            live,
            given_up,
            outbox: books::outbox::count(view)?,
            untold: books::webhook::untold(view)?,
            backlogs: books::webhook_delivery::backlogs(view, WEBHOOKS_MAX)?,
        })
    });
    read.await
}

async fn show_metrics(State(operations): State<Operations>) -> Response {
    const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let ages = match store_ages(&operations).await {
        Ok(ages) => ages,
        Err(error) => {
            // The rest is worth showing, most of all when the books cannot be read.
            tracing::warn!(%error, "the times of stores' last orders cannot be read");
            Vec::new()
        }
    };
    let pools = pools(&operations).await.unwrap_or_else(|error| {
        tracing::warn!(%error, "the pools of single-use codes cannot be read");
        Vec::new()
    });
    let webhooks = webhooks(&operations).await.unwrap_or_else(|error| {
        tracing::warn!(%error, "what waits for webhooks cannot be read");
        WebhookFigures::default()
    });
    match metrics::render(operations, ages, pools, webhooks) {
        Ok(text) => ([(header::CONTENT_TYPE, OPENMETRICS)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "metrics cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
