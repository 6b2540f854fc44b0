//! The dialect's error envelope, and the one place where a flow's error gets a status.

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::clicklog;
use crate::flows;

/// An error as callers see it: `{"error": {code, message, doc_url}}`.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    /// Keys that stand beside the envelope's `error`.
    details: Map<String, Value>,
}

impl ApiError {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            details: Map::new(),
        }
    }

    /// With further keys beside `error`, for callers who want to know all of it.
    pub fn with_details(mut self, details: Map<String, Value>) -> Self {
        self.details = details;
        self
    }

    /// 400: not even the form is right.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    /// 413: larger than the server takes.
    pub fn too_large(message: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "bad_request", message)
    }

    /// 401: no key, or not one of ours.
    pub fn unauthorized(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
    }

    /// 403: a good key that may not do this.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    /// 404.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    /// 409: not with what is there.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", message)
    }

    /// 422: `field` is wrong.
    pub fn invalid(field: &str, message: &str) -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "unprocessable_entity",
            format!("{field}: {message}"),
        )
    }

    /// The same refusal of a field that stands within the field `whole`.
    pub fn within(mut self, whole: &str) -> Self {
        self.message = format!("{whole}.{}", self.message);
        self
    }

    /// 429: try again in a minute.
    pub fn too_many(message: impl Into<String>) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limit_exceeded", message)
    }

    /// 503: try again in a moment.
    pub fn busy() -> Self {
        flows::Error::Unavailable.into()
    }

    /// The body that says so.
    pub fn envelope(&self) -> Map<String, Value> {
        let doc_url = format!(
            "https://dub.co/docs/api-reference/errors#{}",
            self.code.replacen('_', "-", 1)
        );
        let mut body = self.details.clone();
        body.insert(
            "error".to_owned(),
            json!({ "code": self.code, "message": self.message, "doc_url": doc_url }),
        );
        body
    }

    /// The word of the dialect, such as `not_found`.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The code where the dialect's list of codes is closed: it has no word for a store that cannot be reached.
    pub fn closed_code(&self) -> &'static str {
        match self.status {
            StatusCode::SERVICE_UNAVAILABLE => "internal_server_error",
            _ => self.code,
        }
    }

    /// What is wrong, for people.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.status
    }
}

impl From<flows::Error> for ApiError {
    fn from(error: flows::Error) -> Self {
        match error {
            flows::Error::Invalid(invalid) => Self::invalid(&invalid.field, &invalid.message),
            flows::Error::NotFound { what } => Self::not_found(format!("The {what} was not found.")),
            flows::Error::Conflict { field, message } => {
                Self::new(StatusCode::CONFLICT, "conflict", format!("{field}: {message}"))
            }
            flows::Error::Forbidden { message } => Self::forbidden(message),
            flows::Error::Unavailable => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "service_unavailable",
                "Not now: please try again shortly.",
            ),
            flows::Error::Internal(detail) => {
                tracing::error!(detail, "a call failed");
                Self::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "internal_server_error",
                    "The server failed; its log says why.",
                )
            }
        }
    }
}

impl From<crate::books::Error> for ApiError {
    fn from(error: crate::books::Error) -> Self {
        flows::Error::from(error).into()
    }
}

impl From<clicklog::QueryError> for ApiError {
    fn from(error: clicklog::QueryError) -> Self {
        let message = match &error {
            clicklog::QueryError::Unavailable => {
                "Clicks are being recovered or caught up with: links work and are counted, numbers are back shortly."
            }
            clicklog::QueryError::Damaged(what) => {
                tracing::error!(what, "stored clicks are damaged");
                "Stored clicks are damaged: no number is better than a wrong one. The server's log says what happens next."
            }
            clicklog::QueryError::TooLarge(_) => return flows::Error::from(error).into(),
        };
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "service_unavailable", message)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.envelope())).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response
                .headers_mut()
                .insert(RETRY_AFTER, axum::http::HeaderValue::from_static("1"));
        }
        response
    }
}
