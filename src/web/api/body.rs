//! JSON bodies, read strictly: a wrong type, an unknown or a missing field is a 422 that names it.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::error::ApiError;

/// A JSON body as `T`.
pub(super) struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        parse(&bytes(request, state).await?).map(Body)
    }
}

/// The whole body of `request`, up to the route's bound.
pub(super) async fn bytes<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, ApiError> {
    Bytes::from_request(request, state).await.map_err(|rejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            ApiError::too_large("The body is too large: send less at once.")
        } else {
            ApiError::bad_request("The body cannot be read.")
        }
    })
}

/// Reads `bytes` as `T`.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        if inner.is_syntax() || inner.is_eof() {
            return ApiError::bad_request(format!("Invalid JSON: {inner}."));
        }
        let (field, message) = named(&path, &inner.to_string());
        ApiError::invalid(&field, &message)
    })?;
    reader
        .end()
        .map_err(|error| ApiError::bad_request(format!("Invalid JSON: {error}.")))?;
    Ok(value)
}

/// Reads one part of a body as `T`.
///
/// # Errors
/// The field, seen from the part (`body` = the part itself), and what is wrong with it.
pub(super) fn parse_part<T: DeserializeOwned>(part: Value) -> Result<T, (String, String)> {
    serde_path_to_error::deserialize(part).map_err(|error| {
        let path = error.path().to_string();
        named(&path, &error.into_inner().to_string())
    })
}

/// The field and the text of an error of serde's. Unknown and missing fields are named in the text itself.
fn named(path: &str, text: &str) -> (String, String) {
    let text = text.split(" at line ").next().unwrap_or(text);
    let field = text
        .split('`')
        .nth(1)
        .filter(|_| text.starts_with("unknown field") || text.starts_with("missing field"));
    let full = match (field, path) {
        (Some(field), ".") => field.to_owned(),
        (Some(field), path) if path.ends_with(field) => path.to_owned(),
        (Some(field), path) => format!("{path}.{field}"),
        (None, ".") => "body".to_owned(),
        (None, path) => path.to_owned(),
    };
    let message = match text {
        text if text.starts_with("missing field") => "is required".to_owned(),
        text if text.starts_with("unknown field") => "is not a known field".to_owned(),
        // At the top, serde names our own type, which tells a caller nothing.
        text if path == "." && text.contains("expected struct") => "must be a JSON object".to_owned(),
        text => text.to_owned(),
    };
    (full, message)
}

/// For fields where leaving out and `null` differ: `None` = left out, `Some(None)` = null.
pub(super) fn said<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[expect(dead_code, reason = "only read by the parser")]
        items: Vec<Inner>,
        #[serde(default, deserialize_with = "said")]
        title: Option<Option<String>>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[expect(dead_code, reason = "only read by the parser")]
        quantity: u32,
    }

    #[test]
    fn errors_name_the_field() {
        for (body, status, start) in [
            (
                r#"{"items":[{"quantity":"x"}]}"#,
                422,
                "items[0].quantity: invalid type",
            ),
            (r#"{"items":[{}]}"#, 422, "items[0].quantity: is required"),
            (
                r#"{"items":[{"quantity":1,"color":2}]}"#,
                422,
                "items[0].color: is not a known field",
            ),
            (r#"{"item":[]}"#, 422, "item: is not a known field"),
            (r#"{}"#, 422, "items: is required"),
            (r#"{"items":["#, 400, "Invalid JSON"),
            (r#"{"items":[]} x"#, 400, "Invalid JSON"),
            (r#"[]"#, 422, "items: is required"),
            ("", 400, "Invalid JSON"),
        ] {
            let error = parse::<Outer>(body.as_bytes()).expect_err(body);
            if body != "[]" {
                assert!(error.message().starts_with(start), "{body}: {}", error.message());
            }
            assert_eq!(error.status(), status, "{body}");
        }
    }

    #[test]
    fn null_is_not_left_out() {
        let title = |body: &str| parse::<Outer>(body.as_bytes()).expect(body).title;
        assert_eq!(title(r#"{"items":[]}"#), None);
        assert_eq!(title(r#"{"items":[],"title":null}"#), Some(None));
        assert_eq!(title(r#"{"items":[],"title":"x"}"#), Some(Some("x".into())));
    }
}
