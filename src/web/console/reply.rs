//! What the console answers with: pages under the strict policy, ways on, and errors as pages.

use axum::http::StatusCode;
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};

use crate::flows::Error;
use crate::web::api::ApiError;
use crate::web::pages::{self, assets};

/// Why there is no page: what goes to the browser instead.
pub(super) struct Refused(Box<Response>);

impl From<Response> for Refused {
    fn from(response: Response) -> Self {
        Self(Box::new(response))
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        *self.0
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        ApiError::from(error).into()
    }
}

impl From<ApiError> for Refused {
    /// The status and the words of the API; what broke inside is the log's.
    fn from(error: ApiError) -> Self {
        let status = error.status();
        let detail = match status.is_server_error() {
            true => None,
            false => Some(error.message()),
        };
        html(status, pages::error_page(status.as_u16(), detail)).into()
    }
}

/// An answer of the API that is not what its page expects.
impl From<serde_json::Error> for Refused {
    fn from(error: serde_json::Error) -> Self {
        Error::Internal(format!("a page cannot read the API's answer: {error}")).into()
    }
}

pub(super) fn html(status: StatusCode, page: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, assets::CSP),
        (header::CACHE_CONTROL, "private, no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
    ];
    (status, headers, page).into_response()
}

pub(super) fn see_other(path: &str, cookie: Option<&str>) -> Response {
    let mut response = (StatusCode::SEE_OTHER, [(header::CACHE_CONTROL, "private, no-store")]).into_response();
    let headers = response.headers_mut();
    // Paths are made of ids that were found; what is none must not become a header.
    let path = HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/"));
    headers.insert(header::LOCATION, path);
    if let Some(cookie) = cookie.and_then(|cookie| HeaderValue::from_str(cookie).ok()) {
        headers.insert(header::SET_COOKIE, cookie);
    }
    response
}

pub(super) fn from_elsewhere() -> Response {
    html(
        StatusCode::FORBIDDEN,
        pages::error_page(
            403,
            Some("The form was sent from another site, or it is too old: open the page again."),
        ),
    )
}

/// Browsers say where a form comes from; what says nothing is no browser and has no cookie to abuse.
pub(super) fn is_own_form(headers: &HeaderMap) -> bool {
    headers
        .get("sec-fetch-site")
        .is_none_or(|site| site == "same-origin" || site == "none")
}

pub(super) async fn style() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::CACHE_CONTROL, assets::STYLE_CACHE_CONTROL),
    ];
    (headers, assets::STYLE).into_response()
}
