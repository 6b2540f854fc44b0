//! `/orders`: what shops told, who is credited, and the brand's word on credits that are held. Ours, not the dialect's.

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::Body;
use super::error::ApiError;
use super::order_journey;
use super::params::Params;
use super::{Api, Caller, Period};
use crate::books::order::{OrderFilter, OrderRow};
use crate::books::{self, View};
use crate::domain::attribution::{CreditState, Model, Ruling, decide};
use crate::domain::id::{CreatorNo, LinkNo, WorkspaceNo};
use crate::domain::order::{Quarantine, counts, refunded_by_line};
use crate::domain::time::Timestamp;
use crate::flows::{Error, publish_link, rule_on_credit};

/// Default page size.
const PAGE_SIZE: u32 = 100;

pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<Value>>, ApiError> {
    Ok(Json(listed(&api, &caller, query.as_deref()).await?))
}

/// The orders that a raw query asks for.
pub(in crate::web) async fn listed(api: &Api, caller: &Caller, query: Option<&str>) -> Result<Vec<Value>, ApiError> {
    let workspace = caller.workspace;
    let mut params = Params::of(query)?;
    let page = params.page(PAGE_SIZE)?;
    let (partner, store, link) = (params.text("partnerId"), params.text("storeId"), params.text("linkId"));
    let credit = params.word("credit", &CreditState::ALL.map(CreditState::as_str))?;
    let is_whole = params.flag("detail")?.unwrap_or(false);
    let (is_test, is_set_aside) = (params.flag("test")?, params.flag("quarantined")?);
    let called = params.text("search").map(|text| text.trim().to_owned());
    let has_period = ["interval", "start", "end"].iter().any(|name| params.has(name));
    let period = Period::take(&mut params, api.context.clock().now(), "all")?;
    params.end()?;
    let listed = api.context.books().read(move |view| {
        let filter = OrderFilter {
            creator: partner.map(|id| creator_no(view, workspace, &id)).transpose()?,
            store: store.map(|id| store_no(view, workspace, &id)).transpose()?,
            link: link.map(|id| link_no(view, workspace, &id)).transpose()?,
            credit: credit.and_then(CreditState::parse),
            // Shops' clocks run ahead: without a period orders of tomorrow are shown as well.
            placed: has_period.then_some((period.start, period.end)),
            is_test,
            is_set_aside,
            called,
        };
        let rows = books::order::list(view, workspace, &filter, &page)?;
        let told = if is_whole { whole } else { summary };
        rows.iter().map(|row| told(view, row)).collect::<Result<Vec<_>, _>>()
    });
    Ok(listed.await?)
}

fn creator_no(view: &View<'_>, workspace: WorkspaceNo, id: &str) -> Result<CreatorNo, Error> {
    let found = books::creator::by_id(view, workspace, id)?;
    let missing = || Error::invalid("partnerId", "is not a partner of this workspace");
    Ok(found.ok_or_else(missing)?.no)
}

fn store_no(view: &View<'_>, workspace: WorkspaceNo, id: &str) -> Result<crate::domain::id::StoreNo, Error> {
    let found = books::store::by_id(view, workspace, id)?;
    let missing = || Error::invalid("storeId", "is not a store of this workspace");
    Ok(found.ok_or_else(missing)?.no)
}

fn link_no(view: &View<'_>, workspace: WorkspaceNo, id: &str) -> Result<LinkNo, Error> {
    match publish_link::find(view, workspace, id) {
        Err(Error::NotFound { .. }) => Err(Error::invalid("linkId", "is not a link of this workspace")),
        found => Ok(found?.no),
    }
}

pub(super) async fn show(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let found = api
        .context
        .books()
        .read(move |view| whole(view, &find(view, caller.workspace, &id)?));
    Ok(Json(found.await?))
}

pub(super) async fn journey(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    let mut params = Params::of(query.as_deref())?;
    let model = params.word("model", &Model::ALL.map(Model::as_str))?;
    params.end()?;
    let models = match model.and_then(Model::parse) {
        Some(model) => vec![model],
        None => Model::ALL.to_vec(),
    };
    Ok(Json(told_journey(&api, &caller, id, models).await?))
}

/// An order with its journey, shared out under `models`.
pub(in crate::web) async fn told_journey(
    api: &Api,
    caller: &Caller,
    id: String,
    models: Vec<Model>,
) -> Result<Value, Error> {
    let workspace = caller.workspace;
    let told = api.context.books().read(move |view| {
        let row = find(view, workspace, &id)?;
        let mut answer = whole(view, &row)?;
        order_journey::add(view, &row, &models, &mut answer)?;
        Ok::<_, Error>(answer)
    });
    told.await
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RulingBody {
    decision: Ruling,
}

pub(super) async fn rule(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
    Body(body): Body<RulingBody>,
) -> Result<Json<Value>, ApiError> {
    let click_ids = (api.click_ids)();
    let row = rule_on_credit::rule(&api.context, &click_ids, caller.workspace, id, body.decision).await?;
    Ok(Json(api.context.books().read(move |view| whole(view, &row)).await?))
}

fn find(view: &View<'_>, workspace: WorkspaceNo, id: &str) -> Result<OrderRow, Error> {
    books::order::by_id(view, workspace, id)?.ok_or(Error::NotFound { what: "order" })
}

/// Public id of a creator.
pub(super) fn partner_id(view: &View<'_>, creator: Option<CreatorNo>) -> Result<Option<String>, Error> {
    Ok(match creator {
        Some(no) => books::creator::by_no(view, no)?.map(|creator| creator.id),
        None => None,
    })
}

/// Public id of a link; a deleted one has none any more.
pub(super) fn link_id(view: &View<'_>, link: Option<LinkNo>) -> Result<Option<String>, Error> {
    Ok(match link {
        Some(no) => books::link::by_no(view, no)?.map(|link| link.id),
        None => None,
    })
}

/// An order as lists show it; money in minor units.
fn summary(view: &View<'_>, row: &OrderRow) -> Result<Value, Error> {
    let (order, snapshot, credit) = (&row.order, &row.order.snapshot, &row.order.credit);
    let held_for = match credit.state {
        CreditState::Held => {
            let program = books::program::by_no(view, order.program)?;
            decide(&row.evidence, &program, snapshot.ordered_at, order.ruling).held_for
        }
        _ => None,
    };
    Ok(json!({
        "id": row.id,
        "storeId": books::store::by_no(view, order.store)?.map(|store| store.id),
        "externalId": snapshot.external_id,
        "name": snapshot.name,
        "orderedAt": snapshot.ordered_at.to_string(),
        "currency": snapshot.currency,
        "revenue": snapshot.revenue,
        "discounts": snapshot.discounts,
        "refunded": row.refunded,
        "netRevenue": snapshot.revenue - row.refunded,
        "paid": snapshot.is_paid,
        "test": snapshot.is_test,
        "cancelledAt": snapshot.cancelled_at.map(|at| at.to_string()),
        "quarantine": order.quarantine.map(Quarantine::as_str),
        "counted": counts(snapshot, order.quarantine),
        "credit": {
            "state": credit.state,
            "by": credit.by,
            "partnerId": partner_id(view, credit.creator)?,
            "linkId": link_id(view, credit.link)?,
            "heldFor": partner_id(view, held_for)?,
            "decision": order.ruling,
        },
    }))
}

/// An order with its lines, refunds and flags.
fn whole(view: &View<'_>, row: &OrderRow) -> Result<Value, Error> {
    let mut answer = summary(view, row)?;
    let snapshot = &row.order.snapshot;
    let refunds = books::refund::lines_of_order(view, row.order.store, &snapshot.external_id)?;
    let refunded = refunded_by_line(&snapshot.lines, &refunds, snapshot.cancelled_at.is_some());
    let lines = snapshot.lines.iter().zip(refunded).map(|(line, refunded)| {
        json!({
            "id": line.external_id,
            "sku": line.sku,
            "variantId": line.variant_id,
            "title": line.title,
            "quantity": line.quantity,
            "amount": line.amount,
            "refunded": refunded,
            "netAmount": line.amount - refunded,
        })
    });
    answer["lines"] = lines.collect();
    answer["discountCodes"] = json!(snapshot.codes);
    answer["updatedAt"] = json!(snapshot.updated_at.to_string());
    answer["clickId"] = json!(snapshot.click_id);
    // A hash of an address is nobody's business outside.
    answer["customerId"] = json!(
        snapshot
            .customer
            .as_ref()
            .filter(|id| snapshot.buyer.as_ref() != Some(id))
    );
    let refunds = books::refund::of_order(view, row.order.store, &snapshot.external_id)?;
    let refund =
        |(id, at, amount): (String, Timestamp, i64)| json!({ "id": id, "at": at.to_string(), "amount": amount });
    answer["refunds"] = refunds.into_iter().map(refund).collect();
    answer["flags"] = json!(order_journey::flags(view, row)?);
    Ok(answer)
}
