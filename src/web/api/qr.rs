//! `/qr`: a text as a QR picture, with the dialect's parameters. Open to all, for pages embed it as an image.

use axum::extract::RawQuery;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};

use super::error::ApiError;
use super::params::Params;
use crate::web::pages::qr::{self, Level, Look, MARGIN_MAX, QrError, Rgb, SIZE_MAX, SIZE_MIN};

/// Longest text, in characters, as for destinations.
const TEXT_MAX: usize = 2048;
/// Characters that a phone still scans well; a longer text is drawn with a warning.
pub(super) const QR_TEXT_GOOD: usize = 512;

const WARNING: HeaderName = HeaderName::from_static("hopcart-warning");

pub(super) async fn draw(RawQuery(query): RawQuery) -> Result<Response, ApiError> {
    let mut params = Params::of(query.as_deref())?;
    let text = params
        .text("url")
        .ok_or_else(|| ApiError::invalid("url", "is required"))?;
    if text.chars().count() > TEXT_MAX {
        return Err(ApiError::invalid("url", "must have at most 2048 characters"));
    }
    params.not_yet(&["logo"])?;
    // There is no logo to hide.
    params.flag("hideLogo")?;
    let look = look(&mut params)?;
    let format = params.word("format", &["png", "svg"])?.unwrap_or("png");
    params.end()?;
    let (kind, picture) = match format {
        "svg" => ("image/svg+xml", qr::svg(&text, &look).map(String::into_bytes)),
        _ => ("image/png", qr::png(&text, &look)),
    };
    let picture = picture.map_err(|error| match error {
        QrError::TooLong => ApiError::invalid("url", "is too long for a QR code of this level"),
        QrError::Picture => ApiError::invalid("size", "cannot be drawn"),
    })?;
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "public, max-age=86400"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'"),
    ];
    let mut response = (headers, picture).into_response();
    if text.chars().count() > QR_TEXT_GOOD {
        let warning = HeaderValue::from_static("the text has more than 512 characters: hard to scan, use a short link");
        response.headers_mut().insert(WARNING, warning);
    }
    Ok(response)
}

fn look(params: &mut Params) -> Result<Look, ApiError> {
    let mut colour = |name: &'static str, default: Rgb| match params.text(name) {
        Some(text) => Rgb::parse(&text).ok_or_else(|| ApiError::invalid(name, "must be a colour such as #000000")),
        None => Ok(default),
    };
    let (foreground, background) = (colour("fgColor", Rgb([0; 3]))?, colour("bgColor", Rgb([255; 3]))?);
    let level = match params.word("level", &["L", "M", "Q", "H"])? {
        Some("M") => Level::M,
        Some("Q") => Level::Q,
        Some("H") => Level::H,
        _ => Level::L,
    };
    let margin = params.number("margin", 0, MARGIN_MAX)?.unwrap_or(2);
    let has_margin = params.flag("includeMargin")?.unwrap_or(true);
    let size = params.number("size", SIZE_MIN, SIZE_MAX)?.unwrap_or(600);
    Ok(Look {
        size,
        margin: if has_margin { margin } else { 0 },
        level,
        foreground,
        background,
    })
}
