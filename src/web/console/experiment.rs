//! The list of experiments, and one as the API answers it.

use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::reply::{Refused, html};
use super::session::Session;
use crate::books::link::LinkFilter;
use crate::books::{self, Page};
use crate::flows::Error;
use crate::web::api::{Api, told_experiment};
use crate::web::pages::{self, Asked, EXPERIMENTS_A_PAGE, ExperimentsPage, TriedOut};

pub(super) async fn list(
    State(api): State<Api>,
    session: Session,
    RawQuery(query): RawQuery,
) -> Result<Response, Refused> {
    let asked = Asked::of(query.as_deref().unwrap_or_default());
    let number = asked.get("page").and_then(|page| page.parse().ok()).unwrap_or(1);
    let (workspace, now) = (session.caller.workspace, api.context.clock().now());
    let found = api.context.books().read(move |view| {
        let filter = LinkFilter {
            has_experiment: true,
            shows_archived: true,
            ..LinkFilter::default()
        };
        let size = EXPERIMENTS_A_PAGE as u32;
        books::link::list(view, workspace, &filter, &Page::Number { number, size }).map_err(Error::from)
    });
    let links = found.await?;
    let tried = |link: crate::domain::link::Link| {
        let experiment = link.terms.experiment?;
        Some(TriedOut {
            link_id: link.id,
            slug: link.slug,
            status: experiment.phase(now).as_str().to_owned(),
            started_at: experiment.started_at.to_string(),
            variants: experiment.variants.len(),
        })
    };
    let page = ExperimentsPage {
        workspace: session.caller.workspace_name,
        has_more: links.len() == EXPERIMENTS_A_PAGE,
        links: links.into_iter().filter_map(tried).collect(),
        number,
    };
    Ok(html(StatusCode::OK, pages::experiments_page(&page)))
}

pub(super) async fn show(
    State(api): State<Api>,
    session: Session,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refused> {
    let asked = Asked::of(query.as_deref().unwrap_or_default());
    let currency = asked.get("currency").map(str::to_owned);
    let told = told_experiment(&api, &session.caller, id, currency).await?;
    let experiment = serde_json::from_value(told)?;
    Ok(html(
        StatusCode::OK,
        pages::experiment_page(&session.caller.workspace_name, &experiment),
    ))
}
