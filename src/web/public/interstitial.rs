//! The pages between a link and where it leads, as HTTP: nobody keeps them, and they fetch nothing.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_SECURITY_POLICY, HeaderValue, REFERRER_POLICY, VARY};
use hyper::{Response, StatusCode};

use super::reply;
use crate::redirect::{self, Card, InterstitialKind};
use crate::web::pages::interstitial::{CSP, CardView, card_page, open_app_page, open_browser_page, password_page};
use crate::web::pages::{FollowerPage, Language};

/// The answer that shows a page of `kind`.
pub(super) fn respond(kind: &InterstitialKind, request: &redirect::Request<'_>) -> Response<Full<Bytes>> {
    let language = Language::of_accept_language(request.accept_language);
    let html = match kind {
        InterstitialKind::Locked => password_page(language, false),
        InterstitialKind::Card(link) => link.card().map(|card| card_page(&seen(card))).unwrap_or_default(),
        InterstitialKind::OpenBrowser { outside, web } => open_browser_page(language, outside, web),
        InterstitialKind::OpenApp { app, web } => open_app_page(language, app, web),
    };
    page(StatusCode::OK, html)
}

/// A card as pages show it.
pub(super) fn seen(card: &Card) -> CardView<'_> {
    CardView {
        title: &card.title,
        description: card.description.as_deref(),
        image: card.image.as_deref(),
        video: card.video.as_deref(),
    }
}

/// One of these pages under their policy.
pub(super) fn page(status: StatusCode, html: String) -> Response<Full<Bytes>> {
    // The policy is a constant: this cannot be reached, and no page goes out without one.
    let Ok(csp) = HeaderValue::from_str(&CSP) else {
        return reply::page(FollowerPage::Unavailable);
    };
    let mut response = reply::html(status, html.into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, csp);
    headers.insert(REFERRER_POLICY, reply::REFERRER_POLICY);
    headers.insert(VARY, HeaderValue::from_static("accept-language"));
    response
}
