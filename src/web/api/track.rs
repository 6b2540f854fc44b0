//! `/track/click`, `/track/lead` and `/track/sale`: what a brand's server tells of conversions, and, through the public
//! listener, what its pages tell.
//!
//! `mode` `async` and `wait` are the same here: whatever is answered is durable and visible. `deferred` keeps the customer
//! with the click now, and the lead when it is told.

use std::net::{IpAddr, Ipv4Addr};

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::body::{Body, parse_part};
use super::error::ApiError;
use super::link_answer::{path_of, short_link};
use super::link_query::domain_name_in;
use super::{Api, Caller};
use crate::books::tracked_sale::TrackedSale;
use crate::books::{self, View};
use crate::clicklog;
use crate::domain::conversion::{
    self, AVATAR_MAX, CUSTOMER_NAME_MAX, CustomerTold, EVENT_NAME_MAX, EXTERNAL_ID_MAX, INVOICE_ID_MAX, LeadTold,
    PROCESSORS, QUANTITY_MAX, SALE_CURRENCY, SALE_EVENT, SALE_PROCESSOR, SaleTold, Teller, some_text, text,
};
use crate::domain::keyring::Keyring;
use crate::domain::known_customer::KnownCustomer;
use crate::domain::link::Link;
use crate::flows::change_customer::address;
use crate::flows::publish_link::domain_for;
use crate::flows::track::{self, Clicked, Clicker, TakenLead, TakenSale, Told};
use crate::flows::{Context, Error};
use crate::redirect::Request;

/// Longest URL or referrer of a page that is looked at, in bytes.
const URL_MAX: usize = 4096;

/// What can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum Kind {
    Click,
    Lead,
    Sale,
}

/// What telling works with.
pub(in crate::web) struct Desk<'a> {
    pub context: &'a Context,
    pub clicks: &'a clicklog::Reader,
    pub click_ids: &'a Keyring,
    pub clicker: &'a Clicker,
}

/// What a page's own request says of who clicked.
pub(in crate::web) struct Page<'a> {
    /// Host of this server as the page called it.
    pub host: &'a str,
    pub address: IpAddr,
    pub user_agent: &'a str,
    pub accept_language: &'a str,
    pub gpc: bool,
    pub dnt: bool,
}

pub(super) async fn click(
    State(api): State<Api>,
    caller: Caller,
    Body(body): Body<Value>,
) -> Result<Json<Value>, ApiError> {
    tell(&api, &caller, Kind::Click, body).await
}

pub(super) async fn lead(
    State(api): State<Api>,
    caller: Caller,
    Body(body): Body<Value>,
) -> Result<Json<Value>, ApiError> {
    tell(&api, &caller, Kind::Lead, body).await
}

pub(super) async fn sale(
    State(api): State<Api>,
    caller: Caller,
    Body(body): Body<Value>,
) -> Result<Json<Value>, ApiError> {
    tell(&api, &caller, Kind::Sale, body).await
}

async fn tell(api: &Api, caller: &Caller, kind: Kind, body: Value) -> Result<Json<Value>, ApiError> {
    let click_ids = (api.click_ids)();
    let desk = Desk {
        context: &api.context,
        clicks: &api.clicks,
        click_ids: &click_ids,
        clicker: &api.clicker,
    };
    let told = Told {
        workspace: caller.workspace,
        by: Teller::Server,
    };
    desk.take(kind, told, body, None).await.map(Json)
}

impl Desk<'_> {
    /// Takes one conversion; `page` is there when a page tells it. What is not taken is counted here.
    pub async fn take(&self, kind: Kind, told: Told, body: Value, page: Option<Page<'_>>) -> Result<Value, ApiError> {
        let taken = match kind {
            Kind::Click => self.click(told, body, page).await,
            Kind::Lead => self.lead(told, body).await,
            Kind::Sale => self.sale(told, body).await,
        };
        taken.inspect_err(|error| {
            let tally = self.context.conversion_tally();
            let counter = if error.status().is_server_error() {
                &tally.unavailable
            } else {
                &tally.refused
            };
            counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        })
    }

    async fn click(&self, told: Told, body: Value, page: Option<Page<'_>>) -> Result<Value, ApiError> {
        let body: ClickBody = part(body)?;
        let domain = match (&body.domain, &page) {
            (Some(domain), _) => domain.clone(),
            (None, Some(page)) => page.host.to_owned(),
            (None, None) => self.usual_domain(told).await?,
        };
        let key = text("key", &body.key, 255).map_err(Error::from)?;
        let (url, referrer) = (bounded("url", &body.url)?, bounded("referrer", &body.referrer)?);
        let address = match (&body.ip, &page) {
            (_, Some(page)) => Some(page.address),
            (Some(ip), None) => {
                let parsed: Option<IpAddr> = ip.trim().parse().ok();
                Some(parsed.ok_or_else(|| ApiError::invalid("ip", "must be an IPv4 or IPv6 address"))?)
            }
            (None, None) => None,
        };
        if page.is_some() && body.says_who_clicked() {
            let message = "is for servers, which tell of others: a page is its own follower";
            return Err(ApiError::invalid("ip", message));
        }
        let query = url.split_once('?').map_or("", |(_, query)| query);
        let path = path_of(&key);
        let agent = body.user_agent.as_deref().unwrap_or_default();
        let language = body.accept_language.as_deref().unwrap_or_default();
        let request = Request {
            query: query.split('#').next().unwrap_or_default(),
            user_agent: page.as_ref().map_or(agent, |page| page.user_agent),
            accept_language: page.as_ref().map_or(language, |page| page.accept_language),
            referrer,
            gpc: page.as_ref().map_or(body.opted_out.unwrap_or(false), |page| page.gpc),
            dnt: page.as_ref().is_some_and(|page| page.dnt),
            ..Request::get(&domain, &path, address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)))
        };
        let clicked = self
            .clicker
            .click(self.context, told, &request, address.is_some())
            .await?;
        self.click_answer(clicked).await
    }

    /// The domain that links of the workspace get without one.
    async fn usual_domain(&self, told: Told) -> Result<String, ApiError> {
        let context = self.context.clone();
        let found = self.context.books().read(move |view| {
            let domain = domain_for(&context, view, told.workspace, None)?;
            domain_name_in(&context, view, domain.no)
        });
        Ok(found.await?)
    }

    async fn click_answer(&self, clicked: Clicked) -> Result<Value, ApiError> {
        let context = self.context.clone();
        let link = self.context.books().read(move |view| {
            let link = books::link::by_no(view, clicked.link)?;
            link.map(|link| link_view(&context, view, &link)).transpose()
        });
        Ok(json!({ "clickId": clicked.click_id, "link": link.await? }))
    }

    async fn lead(&self, told: Told, body: Value) -> Result<Value, ApiError> {
        let body: LeadBody = part(body)?;
        let lead = body.told()?;
        let said = lead.customer.clone();
        let mut taken = track::lead(self.context, self.clicks, self.click_ids, told, lead).await?;
        if told.by == Teller::Browser {
            only_said(&mut taken.customer, said);
        }
        self.lead_answer(taken).await
    }

    async fn lead_answer(&self, taken: TakenLead) -> Result<Value, ApiError> {
        let context = self.context.clone();
        let answer = self.context.books().read(move |view| {
            let link = taken.link.as_ref().map(|link| link_view(&context, view, link));
            let customer = &taken.customer;
            Ok::<_, Error>(json!({
                "click": { "id": taken.click_id },
                "link": link.transpose()?,
                "customer": {
                    "id": customer.id,
                    "name": customer.name,
                    "email": customer.email,
                    "avatar": customer.avatar,
                    "externalId": customer.external_id,
                },
            }))
        });
        Ok(answer.await?)
    }

    async fn sale(&self, told: Told, body: Value) -> Result<Value, ApiError> {
        let body: SaleBody = part(body)?;
        let sale = body.told()?;
        let (event_name, said) = (sale.event_name.clone(), sale.customer.clone());
        let mut taken = track::sale(self.context, self.clicks, self.click_ids, told, sale).await?;
        if told.by == Teller::Browser {
            let is_theirs = taken
                .customer
                .as_ref()
                .is_some_and(|own| own.external_id == said.external_id);
            if taken.is_repeat && !is_theirs {
                taken = TakenSale::default();
            }
            if let Some(sale) = taken.sale.as_mut().filter(|_| taken.is_repeat) {
                sale.metadata = None;
            }
            if let Some(customer) = &mut taken.customer {
                only_said(customer, said);
            }
        }
        Ok(sale_answer(&taken, event_name))
    }
}

/// Leaves of a customer what the page itself said: whoever reads its key and guesses an id must not learn names.
fn only_said(customer: &mut KnownCustomer, said: CustomerTold) {
    (customer.name, customer.email, customer.avatar) = (said.name, said.email, said.avatar);
}

/// Reads a body whose wrong fields are named; its own are at the top.
fn part<T: DeserializeOwned>(body: Value) -> Result<T, ApiError> {
    if !body.is_object() {
        return Err(ApiError::invalid("body", "must be a JSON object"));
    }
    parse_part(body).map_err(|(field, message)| ApiError::invalid(&field, &message))
}

fn bounded<'a>(field: &str, text: &'a Option<String>) -> Result<&'a str, ApiError> {
    let text = text.as_deref().unwrap_or_default();
    if text.len() > URL_MAX {
        return Err(ApiError::invalid(field, &format!("must have at most {URL_MAX} bytes")));
    }
    Ok(text)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ClickBody {
    domain: Option<String>,
    key: String,
    /// The page that was landed on, with its query.
    url: Option<String>,
    referrer: Option<String>,
    // Ours, for servers: who clicked.
    ip: Option<String>,
    user_agent: Option<String>,
    accept_language: Option<String>,
    opted_out: Option<bool>,
}

impl ClickBody {
    fn says_who_clicked(&self) -> bool {
        self.ip.is_some() || self.user_agent.is_some() || self.accept_language.is_some() || self.opted_out.is_some()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct LeadBody {
    click_id: Option<String>,
    event_name: String,
    #[serde(alias = "externalId", alias = "customerId")]
    customer_external_id: String,
    customer_name: Option<String>,
    customer_email: Option<String>,
    customer_avatar: Option<String>,
    mode: Option<String>,
    event_quantity: Option<i64>,
    metadata: Option<Map<String, Value>>,
}

impl LeadBody {
    fn told(self) -> Result<LeadTold, Error> {
        let mode = self.mode.as_deref().unwrap_or("async");
        if !["async", "wait", "deferred"].contains(&mode) {
            return Err(Error::invalid("mode", "must be one of async, wait, deferred"));
        }
        let quantity = u32::try_from(self.event_quantity.unwrap_or(1)).ok();
        let quantity = quantity.filter(|quantity| (1..=QUANTITY_MAX).contains(quantity));
        Ok(LeadTold {
            click_id: self.click_id.unwrap_or_default(),
            event_name: text("eventName", &self.event_name, EVENT_NAME_MAX)?,
            customer: customer(
                &self.customer_external_id,
                self.customer_name,
                self.customer_email,
                self.customer_avatar,
            )?,
            is_deferred: mode == "deferred",
            quantity: quantity
                .ok_or_else(|| Error::invalid("eventQuantity", format!("must be from 1 to {QUANTITY_MAX}")))?,
            metadata: metadata(self.metadata)?,
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SaleBody {
    #[serde(alias = "externalId", alias = "customerId")]
    customer_external_id: String,
    amount: i64,
    currency: Option<String>,
    event_name: Option<String>,
    payment_processor: Option<String>,
    invoice_id: Option<String>,
    lead_event_name: Option<String>,
    click_id: Option<String>,
    customer_name: Option<String>,
    customer_email: Option<String>,
    customer_avatar: Option<String>,
    metadata: Option<Map<String, Value>>,
    // Ours.
    store_id: Option<String>,
}

impl SaleBody {
    fn told(self) -> Result<SaleTold, Error> {
        let processor = self.payment_processor.as_deref().unwrap_or(SALE_PROCESSOR);
        let processor = PROCESSORS.into_iter().find(|known| *known == processor);
        let event_name = some_text("eventName", self.event_name, EVENT_NAME_MAX)?;
        Ok(SaleTold {
            customer: customer(
                &self.customer_external_id,
                self.customer_name,
                self.customer_email,
                self.customer_avatar,
            )?,
            amount: conversion::amount(self.amount)?,
            currency: conversion::currency(self.currency.as_deref().unwrap_or(SALE_CURRENCY))?,
            event_name: event_name.unwrap_or_else(|| SALE_EVENT.to_owned()),
            processor: processor.ok_or_else(|| {
                Error::invalid("paymentProcessor", format!("must be one of {}", PROCESSORS.join(", ")))
            })?,
            invoice_id: some_text("invoiceId", self.invoice_id, INVOICE_ID_MAX)?,
            lead_event_name: some_text("leadEventName", self.lead_event_name, EVENT_NAME_MAX)?,
            click_id: self.click_id,
            metadata: metadata(self.metadata)?,
            store_id: some_text("storeId", self.store_id, EVENT_NAME_MAX)?,
        })
    }
}

fn customer(
    external_id: &str,
    name: Option<String>,
    email: Option<String>,
    avatar: Option<String>,
) -> Result<CustomerTold, Error> {
    Ok(CustomerTold {
        external_id: text("customerExternalId", external_id, EXTERNAL_ID_MAX)?,
        name: some_text("customerName", name, CUSTOMER_NAME_MAX)?,
        email: address("customerEmail", email)?,
        avatar: some_text("customerAvatar", avatar, AVATAR_MAX)?,
    })
}

fn metadata(told: Option<Map<String, Value>>) -> Result<Option<String>, Error> {
    Ok(conversion::metadata(told.map(|told| Value::Object(told).to_string()))?)
}

/// What answers show of a link that was clicked.
fn link_view(context: &Context, view: &View<'_>, link: &Link) -> Result<Value, Error> {
    let domain = domain_name_in(context, view, link.domain)?;
    let creator = link.terms.creator.map(|no| books::creator::by_no(view, no));
    let creator = creator.transpose()?.flatten();
    Ok(json!({
        "id": link.id,
        "shortLink": short_link(&context.public().scheme, &domain, &link.slug),
        "domain": domain,
        "key": link.slug,
        "url": link.terms.destination,
        "partnerId": creator.map(|creator| creator.id),
        "programId": null,
        "tenantId": link.terms.tenant_id,
        "externalId": link.terms.external_id,
    }))
}

fn sale_answer(taken: &TakenSale, event_name: String) -> Value {
    let customer = taken.customer.as_ref().map(
        |KnownCustomer {
             id,
             name,
             email,
             avatar,
             external_id,
             ..
         }| { json!({ "id": id, "name": name, "email": email, "avatar": avatar, "externalId": external_id }) },
    );
    let event_name = taken.sale.as_ref().map_or(event_name, |sale| sale.event_name.clone());
    json!({ "eventName": event_name, "customer": customer, "sale": taken.sale.as_ref().map(sale_view) })
}

fn sale_view(sale: &TrackedSale) -> Value {
    json!({
        "amount": sale.amount,
        "currency": sale.currency.to_ascii_lowercase(),
        "paymentProcessor": sale.processor,
        "invoiceId": sale.invoice_id,
        "metadata": metadata_view(sale.metadata.as_deref()),
    })
}

/// Metadata as it was told.
pub(super) fn metadata_view(text: Option<&str>) -> Value {
    text.and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_that_cannot_be_are_refused_by_field() {
        let sale = |body: Value| part::<SaleBody>(body).and_then(|body| Ok(body.told()?));
        let lead = |body: Value| part::<LeadBody>(body).and_then(|body| Ok(body.told()?));
        let whole = |more: Value| {
            let mut body = json!({ "customerExternalId": "u1", "amount": 5, "eventName": "x" });
            for (name, value) in more.as_object().expect("an object") {
                body[name] = value.clone();
            }
            body
        };
        for (more, field) in [
            (json!({ "amount": 1.5 }), "amount"),
            (json!({ "amount": "5" }), "amount"),
            (json!({ "amount": i64::MAX }), "amount"),
            (json!({ "currency": "euros" }), "currency"),
            (json!({ "paymentProcessor": "cash" }), "paymentProcessor"),
            (json!({ "customerExternalId": "x".repeat(101) }), "customerExternalId"),
            (json!({ "customerEmail": "nobody" }), "customerEmail"),
            (json!({ "metadata": [] }), "metadata"),
            (json!({ "metadata": { "a": "x".repeat(10_000) } }), "metadata"),
            (json!({ "invoiceId": "x".repeat(256) }), "invoiceId"),
            (json!({ "colour": 1 }), "colour"),
        ] {
            let error = sale(whole(more.clone())).expect_err(field);
            assert!(
                error.message().starts_with(&format!("{field}: ")),
                "{more}: {}",
                error.message()
            );
            assert_eq!(error.status(), 422, "{more}");
        }
        assert!(sale(json!([])).is_err());
        for (body, field) in [
            (json!({ "eventName": "x" }), "customerExternalId"),
            (json!({ "customerExternalId": "u1" }), "eventName"),
            (json!({ "customerExternalId": "u1", "eventName": "" }), "eventName"),
            (
                json!({ "customerExternalId": "u1", "eventName": "x", "mode": "soon" }),
                "mode",
            ),
            (
                json!({ "customerExternalId": "u1", "eventName": "x", "eventQuantity": 101 }),
                "eventQuantity",
            ),
            (
                json!({ "customerExternalId": "u1", "eventName": "x", "eventQuantity": 0 }),
                "eventQuantity",
            ),
        ] {
            let error = lead(body.clone()).expect_err(field);
            assert!(
                error.message().starts_with(&format!("{field}: ")),
                "{body}: {}",
                error.message()
            );
        }
    }

    #[test]
    fn the_dialects_defaults_and_aliases_are_known() {
        let body = json!({ "customerId": "u1", "amount": 5, "clickId": null, "customerName": "" });
        let told = part::<SaleBody>(body).and_then(|body| Ok(body.told()?)).expect("good");
        assert_eq!(
            (
                told.currency.as_str(),
                told.event_name.as_str(),
                told.processor,
                told.customer.external_id.as_str()
            ),
            ("USD", "Purchase", "custom", "u1")
        );
        assert_eq!(told.customer.name, None);
    }
}
