//! The list of orders, one order with its journey, and the brand's word on credits that are held.

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::http::header::HeaderMap;
use axum::response::Response;
use serde_json::Value;

use super::names;
use super::reply::{Refused, html, see_other};
use super::session::Session;
use crate::books;
use crate::domain::attribution::{Model, Ruling};
use crate::flows::{Error, rule_on_credit};
use crate::web::api::{Api, listed_orders, told_journey};
use crate::web::pages::{self, Asked, ORDERS_A_PAGE, OrderPage, OrderView, OrdersPage};

pub(super) async fn list(
    State(api): State<Api>,
    session: Session,
    RawQuery(query): RawQuery,
) -> Result<Response, Refused> {
    let asked = Asked::of(query.as_deref().unwrap_or_default());
    let caller = &session.caller;
    let wanted = asked.with(&[("pageSize", &ORDERS_A_PAGE.to_string())]);
    let told = Value::from(listed_orders(&api, caller, Some(&wanted.query())).await?);
    let names = names::of(&api, caller.workspace, &told).await?;
    let orders: Vec<OrderView> = serde_json::from_value(told)?;
    let page = OrdersPage {
        workspace: caller.workspace_name.clone(),
        number: asked.get("page").and_then(|page| page.parse().ok()).unwrap_or(1),
        has_more: orders.len() == ORDERS_A_PAGE,
        asked,
        orders,
        names,
    };
    Ok(html(StatusCode::OK, pages::orders_page(&page)))
}

pub(super) async fn show(
    State(api): State<Api>,
    session: Session,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refused> {
    let asked = Asked::of(query.as_deref().unwrap_or_default());
    let caller = &session.caller;
    let model = match asked.get("model") {
        Some(word) => Model::parse(word).ok_or_else(|| {
            let words = Model::ALL.map(Model::as_str).join(", ");
            Error::invalid("model", format!("must be one of {words}"))
        })?,
        None => own_model(&api, caller.workspace).await?,
    };
    let told = told_journey(&api, caller, id, vec![model]).await?;
    let names = names::of(&api, caller.workspace, &told).await?;
    let page = OrderPage {
        workspace: caller.workspace_name.clone(),
        order: serde_json::from_value(told)?,
        names,
        model: model.as_str().to_owned(),
        form_token: session.form_token,
    };
    Ok(html(StatusCode::OK, pages::order_page(&page)))
}

/// The model of the brand's program.
async fn own_model(api: &Api, workspace: crate::domain::id::WorkspaceNo) -> Result<Model, Error> {
    let read = api.context.books().read(move |view| {
        let in_force = books::program::in_force(view, workspace)?;
        Ok::<_, Error>(in_force.map(|(_, program)| program.model).unwrap_or_default())
    });
    read.await
}

pub(super) async fn rule(
    State(api): State<Api>,
    session: Session,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refused> {
    let form = session.form(&headers, &body)?;
    let decision = Ruling::parse(form.get("decision"));
    let decision = decision.ok_or_else(|| Error::invalid("decision", "must be release or refuse"))?;
    let click_ids = (api.click_ids)();
    let row = rule_on_credit::rule(&api.context, &click_ids, session.caller.workspace, id, decision).await?;
    Ok(see_other(&format!("/console/orders/{}", row.id), None))
}
