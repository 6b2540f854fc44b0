//! The way in and the way out.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::HeaderMap;
use axum::response::{IntoResponse, Response};

use super::reply::{Refused, from_elsewhere, html, is_own_form, see_other};
use super::session;
use crate::net::Peer;
use crate::web::api::{Api, caller_of_key};
use crate::web::pages;

pub(super) async fn show() -> Response {
    html(StatusCode::OK, pages::sign_in_page(None))
}

pub(super) async fn check_key(
    State(api): State<Api>,
    peer: Option<axum::Extension<Peer>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if !is_own_form(&headers) {
        return from_elsewhere();
    }
    let key = url::form_urlencoded::parse(&body)
        .find(|(name, _)| name == "key")
        .map(|(_, key)| key.trim().to_owned());
    match caller_of_key(&api.context, key.as_deref().unwrap_or_default()).await {
        Ok(Some(caller)) => {
            let is_secure = peer.is_some_and(|peer| peer.is_secure);
            see_other("/", Some(&session::cookie(&api, &caller, is_secure)))
        }
        Ok(None) => html(
            StatusCode::UNAUTHORIZED,
            pages::sign_in_page(Some("This key is not known here, or was revoked.")),
        ),
        Err(error) => Refused::from(error).into_response(),
    }
}

pub(super) async fn sign_out(headers: HeaderMap) -> Response {
    if !is_own_form(&headers) {
        return from_elsewhere();
    }
    see_other("/sign-in", Some(session::FORGET))
}
