//! `/openapi.json` and `/docs`: the API's description, for programs and for people. Both are for everybody, and say
//! nothing of any brand.

use std::sync::Arc;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use serde_json::Value;

use super::description::{Described, Kind, document, may, op};
use super::error::ApiError;
use super::params::Params;
use crate::web::pages::{assets, reference_page};

/// What is told.
#[derive(Clone)]
struct Told {
    document: Arc<Value>,
    text: Bytes,
    /// Where the API is reached, for the calls that people copy.
    base_url: Arc<str>,
}

/// The routes of the description, which describes them too.
pub(super) fn router(mut described: Vec<Described>, base_url: Arc<str>) -> Router {
    let own = [
        (
            "/openapi.json",
            op("getDescription", "This document").open().gives(200, Kind::Object),
        ),
        (
            "/docs",
            op("readReference", "This document as a page")
                .open()
                .query(&[may(
                    "q",
                    Kind::Text("links"),
                    "Shows operations in which each of these words stands.",
                )])
                .gives_file("text/html", "The page."),
        ),
    ];
    described.extend(own.map(|(path, operation)| Described {
        tag: "Reference",
        method: "get",
        path,
        operation,
    }));
    let document = document(&described);
    let told = Told {
        text: document.to_string().into(),
        document: Arc::new(document),
        base_url,
    };
    Router::new()
        .route("/openapi.json", get(show))
        .route("/docs", get(draw))
        .with_state(told)
}

async fn show(State(told): State<Told>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-cache"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // Pages of tools may read it: it is the same for everybody.
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    ];
    (headers, told.text).into_response()
}

async fn draw(State(told): State<Told>, RawQuery(query): RawQuery) -> Result<Response, ApiError> {
    let mut params = Params::of(query.as_deref())?;
    let search = params.text("q").unwrap_or_default();
    params.end()?;
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, assets::CSP),
        (header::CACHE_CONTROL, "no-cache"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
    ];
    let page = reference_page(&told.document, &told.base_url, &search);
    Ok((headers, page).into_response())
}
