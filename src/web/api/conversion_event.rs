//! `/events?event=leads|sales`: leads and sales one by one, each with its link, its click and its customer, and with the
//! flat fields that the dialect's clients still require. A sale is an order that somebody is credited with, told by
//! whomever.

use std::collections::HashMap;

use axum::Json;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::conversion::clicks_of;
use super::conversion_filter::{Event, Question};
use super::customer::brief;
use super::error::ApiError;
use super::event::{LIMIT, LIMIT_MAX, PAGE_MAX, event_of, link_views};
use super::link_answer::deleted;
use super::params::Params;
use super::track::metadata_view;
use super::{Api, Caller};
use crate::books::conversion::Sale;
use crate::books::lead::Lead;
use crate::books::tracked_sale::TrackedSale;
use crate::books::{self, Page, View};
use crate::domain::id::LinkNo;
use crate::domain::known_customer::KnownCustomer;
use crate::domain::store::Provider;
use crate::flows::Error;

/// Whether leads or sales are asked for; clicks are told elsewhere.
pub(super) fn asked(params: &mut Params) -> Result<Option<Event>, ApiError> {
    match params.peek("event") {
        Some("leads") => Ok(Some(Event::Leads)),
        Some("sales") => Ok(Some(Event::Sales)),
        Some("composite") => Err(ApiError::invalid("event", "must be one of clicks, leads, sales")),
        _ => Ok(None),
    }
}

/// A lead or a sale with what was kept beside it.
pub(super) struct Told {
    kind: Kind,
    customer: Option<KnownCustomer>,
    pub link: Option<LinkNo>,
    pub click_id: Option<String>,
}

enum Kind {
    Lead(Lead),
    Sale(Box<Sale>, Option<Box<TrackedSale>>, &'static str),
}

pub(super) async fn list(api: &Api, caller: &Caller, event: Event, mut params: Params) -> Result<Response, ApiError> {
    let size = params.number("limit", 1, LIMIT_MAX)?.unwrap_or(LIMIT);
    params.word("sortBy", &["timestamp"])?;
    let old_order = params.word("order", &["asc", "desc"])?;
    let is_ascending = params.word("sortOrder", &["asc", "desc"])?.or(old_order) == Some("asc");
    let number = params.number("page", 1, PAGE_MAX)?;
    let (after, before) = (params.text("startingAfter"), params.text("endingBefore"));
    let page = match (number, after, before) {
        (number, None, None) => Page::Number {
            number: number.unwrap_or(1),
            size,
        },
        (None, Some(id), None) => Page::After { id, size },
        (None, None, Some(id)) => Page::Before { id, size },
        _ => {
            let message = "goes with neither startingAfter nor endingBefore; use one of them";
            return Err(ApiError::invalid("page", message));
        }
    };
    let question = Question::take(api, &mut params)?;
    params.end()?;
    if let Some(name) = question.clicks.filter_name {
        let message = "does not narrow the events of leads and sales: /analytics counts them by it";
        return Err(ApiError::invalid(name, message));
    }
    let filter = question.filter(api, caller).await?;
    let told = api.context.books().read(move |view| {
        let mut told = Vec::new();
        if event == Event::Leads {
            for lead in books::conversion::leads(view, &filter, is_ascending, &page)? {
                told.push(of_lead(view, lead)?);
            }
        } else {
            for sale in books::conversion::sales(view, &filter, is_ascending, &page)? {
                told.push(of_sale(view, sale)?);
            }
        }
        Ok::<_, Error>(told)
    });
    let told = told.await?;
    let clicks = clicks_of(api, told.iter().map(|told| told.click_id.clone()).collect()).await?;
    let links = link_views(api, caller, told.iter().filter_map(|told| told.link).collect()).await?;
    let rows: Vec<Value> = told
        .iter()
        .zip(&clicks)
        .map(|(told, click)| {
            let link = link_of(api, caller, told.link, &links);
            let event = event_of(click, link, told.click_id.as_deref().unwrap_or_default());
            told.view(event)
        })
        .collect();
    Ok(Json(rows).into_response())
}

fn link_of(api: &Api, caller: &Caller, link: Option<LinkNo>, known: &HashMap<LinkNo, Value>) -> Value {
    let gone = |link| serde_json::to_value(deleted(api, caller, link)).unwrap_or_default();
    match link {
        Some(link) => known.get(&link).cloned().unwrap_or_else(|| gone(link)),
        // A code credits without a link; the dialect's clients want one all the same.
        None => no_link(gone(LinkNo::default())),
    }
}

/// `deleted`, the answer for a deleted link, as that for none.
pub(super) fn no_link(mut deleted: Value) -> Value {
    deleted["id"] = json!("");
    deleted["key"] = json!("(none)");
    deleted
}

pub(super) fn of_lead(view: &View<'_>, lead: Lead) -> Result<Told, Error> {
    let customer = lead.customer.map(|no| books::known_customer::by_no(view, no));
    Ok(Told {
        customer: customer.transpose()?.flatten(),
        link: Some(lead.link),
        click_id: Some(lead.click_id.clone()),
        kind: Kind::Lead(lead),
    })
}

pub(super) fn of_sale(view: &View<'_>, sale: Sale) -> Result<Told, Error> {
    let tracked = books::tracked_sale::of_order(view, sale.store, &sale.external_id)?;
    let customer = tracked.as_ref().and_then(|tracked| tracked.customer);
    let customer = customer.map(|no| books::known_customer::by_no(view, no));
    let processor = match books::store::by_no(view, sale.store)?.map(|store| store.provider) {
        Some(Provider::Shopify) => "shopify",
        Some(Provider::Stripe) => "stripe",
        _ => "custom",
    };
    Ok(Told {
        customer: customer.transpose()?.flatten(),
        link: sale.link,
        click_id: sale.click_id.clone(),
        kind: Kind::Sale(Box::new(sale), tracked.map(Box::new), processor),
    })
}

impl Told {
    /// The event of the click, made one of a lead or a sale.
    pub(super) fn view(&self, mut event: Value) -> Value {
        event["customer"] = match (&self.customer, &self.kind) {
            (Some(customer), _) => brief(customer),
            (None, Kind::Lead(lead)) => unnamed(None, &lead.at.to_string()),
            (None, Kind::Sale(sale, ..)) => unnamed(sale.customer.as_deref(), &sale.at.to_string()),
        };
        match &self.kind {
            Kind::Lead(lead) => {
                event["event"] = json!("lead");
                event["timestamp"] = json!(lead.at.to_string());
                event["eventId"] = json!(lead.id);
                event["eventName"] = json!(lead.event_name);
                event["eventQuantity"] = json!(lead.quantity);
                event["metadata"] = metadata_view(lead.metadata.as_deref());
                event["source"] = source(lead.is_from_browser);
            }
            Kind::Sale(sale, tracked, processor) => {
                let processor = tracked.as_ref().map_or(*processor, |tracked| &tracked.processor);
                let name = tracked.as_ref().map_or("Purchase", |tracked| &tracked.event_name);
                event["event"] = json!("sale");
                event["timestamp"] = json!(sale.at.to_string());
                event["eventId"] = json!(sale.id);
                event["eventName"] = json!(name);
                event["sale"] = json!({
                    "amount": sale.revenue,
                    "invoiceId": sale.external_id,
                    "paymentProcessor": processor,
                    "currency": sale.currency.to_ascii_lowercase(),
                    "refunded": sale.refunded,
                });
                event["saleAmount"] = json!(sale.net());
                event["invoice_id"] = json!(sale.external_id);
                event["payment_processor"] = json!(processor);
                event["metadata"] = metadata_view(tracked.as_ref().and_then(|tracked| tracked.metadata.as_deref()));
                event["source"] = match tracked {
                    Some(tracked) => source(tracked.is_from_browser),
                    None => json!("store"),
                };
            }
        }
        event
    }
}

fn source(is_from_browser: bool) -> Value {
    json!(if is_from_browser { "browser" } else { "server" })
}

/// A customer of whom no more is known than a store's name for them, or who was erased.
fn unnamed(external_id: Option<&str>, at: &str) -> Value {
    json!({
        "id": "",
        "externalId": external_id.unwrap_or_default(),
        "name": null,
        "email": null,
        "avatar": null,
        "country": null,
        "stripeCustomerId": null,
        "createdAt": at,
    })
}
