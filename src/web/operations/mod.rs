//! What operators and their tools ask: is it alive, is it ready, how is it doing. On the admin listener, without a key.
//!
//! Shows no address, no slug and no name of anybody.

mod metrics;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::books::Books;
use crate::clicklog;
use crate::flows::record_clicks::RecorderStats;
use crate::net::Tally;
use crate::redirect::{Counters, TableReader};

/// What is looked at.
#[derive(Clone)]
pub struct Operations {
    pub table: TableReader,
    pub workers: Arc<[Arc<Counters>]>,
    pub recorder: Arc<RecorderStats>,
    pub clicks: clicklog::Reader,
    pub books: Books,
    pub connections: Tally,
}

/// `/healthz`, `/readyz`, `/metrics`.
pub fn router(operations: Operations) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(show_metrics))
        .with_state(operations)
}

/// 200 once the table is loaded: links can be followed, even while the click log recovers.
async fn ready(State(operations): State<Operations>) -> (StatusCode, &'static str) {
    if operations.table.is_loaded() && operations.clicks.stats().is_recovering {
        (
            StatusCode::OK,
            "ready; clicks are being recovered, reports answer 503 until then\n",
        )
    } else if operations.table.is_loaded() {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "links are still being loaded\n")
    }
}

async fn show_metrics(State(operations): State<Operations>) -> Response {
    const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    match metrics::render(operations) {
        Ok(text) => ([(header::CONTENT_TYPE, OPENMETRICS)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "metrics cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
