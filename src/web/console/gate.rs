//! What stands before every page of the console: whether the session's key may see it, and in whose name its forms write.
//! Requests without a session pass through: each page sends them to sign in itself.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::reply::Refused;
use super::session;
use crate::books::author::on_behalf_of;
use crate::web::api::{Api, author, finish};

/// Lets a request through, or answers with why not.
pub(super) async fn pass(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    match session::of(&api, request.headers()).await {
        Ok(None) => next.run(request).await,
        Ok(Some(session)) => {
            request.extensions_mut().insert(session.clone());
            let served = serve(&api, &session, request, next).await;
            served.unwrap_or_else(IntoResponse::into_response)
        }
        Err(error) => Refused::from(error).into_response(),
    }
}

async fn serve(api: &Api, session: &session::Session, request: Request, next: Next) -> Result<Response, Refused> {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let path = request.uri().path();
    if let Some(segment) = segment(path) {
        session.caller.must_have_scope(segment, is_read)?;
    }
    if is_read {
        return Ok(next.run(request).await);
    }
    let author = author(&session.caller, request.method(), path, api.context.clock().now());
    Ok(finish(on_behalf_of(Arc::new(author), next.run(request))).await?)
}

/// The API's path that shows and does the same; `None` = everybody may.
fn segment(path: &str) -> Option<&str> {
    let mut segments = path.split('/').skip(1);
    match (segments.next()?, segments.next()) {
        ("" | "performance.csv", _) => Some("reports"),
        ("console", Some("creators")) => Some("partners"),
        ("console", Some("experiments")) => Some("links"),
        ("console", noun) => noun,
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::scope;

    #[test]
    fn every_page_of_the_console_belongs_to_a_scope() {
        let routes = include_str!("mod.rs").split(".route(").skip(1);
        let paths: Vec<&str> = routes.filter_map(|call| call.split('"').nth(1)).collect();
        let open: Vec<&str> = paths.iter().copied().filter(|path| segment(path).is_none()).collect();
        assert_eq!(open, ["/sign-in", "/sign-out"]);
        let shown = paths.into_iter().filter_map(segment);
        let nouns: Vec<_> = shown.map(|segment| scope::noun_of(segment).ok_or(segment)).collect();
        assert!(nouns.len() > 10 && nouns.iter().all(Result::is_ok), "{nouns:?}");
    }
}
