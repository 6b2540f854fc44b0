//! What webhooks read: the dialect's payloads, made of what the API answers, so that both say the same.

use serde_json::{Value, json};

use super::Api;
use super::conversion::click_of;
use super::conversion_event::{Told as Conversion, no_link, of_lead, of_sale};
use super::customer::brief;
use super::event::{click_part, event_of};
use super::link_answer::{Names, answer_in, deleted_of};
use super::partner;
use crate::books::outbox::Waiting;
use crate::books::{self, View};
use crate::domain::click::Click;
use crate::domain::id::{CreatorNo, DomainNo, LinkNo, WorkspaceNo};
use crate::domain::known_customer::{CustomerSales, KnownCustomer};
use crate::domain::link::{Link, LinkTerms};
use crate::domain::time::Timestamp;
use crate::domain::webhook::{Facts, Trigger};
use crate::flows::Error;
use crate::flows::tell::{Teller, Told};

/// Writes events out as the API does.
#[derive(Clone)]
pub struct ApiTeller(pub Api);

impl Teller for ApiTeller {
    fn event(&self, view: &View<'_>, event: &Waiting) -> Result<Option<Told>, Error> {
        let workspace = Workspace::of(view, event.workspace)?;
        match &event.facts {
            Some(Facts::Link(link)) => Ok(Some(Told {
                link: Some(link.no),
                data: self.link(view, link, &workspace)?,
            })),
            Some(Facts::Lead(no)) => match books::lead::by_no(view, *no)? {
                Some(lead) => {
                    let creator = lead.creator;
                    self.conversion(view, &workspace, of_lead(view, lead)?, creator)
                        .map(Some)
                }
                None => Ok(None),
            },
            Some(Facts::Sale(no)) => match books::conversion::sale(view, *no)? {
                Some(sale) => {
                    let creator = sale.creator;
                    self.conversion(view, &workspace, of_sale(view, sale)?, creator)
                        .map(Some)
                }
                None => Ok(None),
            },
            None => Err(Error::Internal("the facts of an event cannot be read".to_owned())),
        }
    }

    fn clicks(&self, view: &View<'_>, link: LinkNo, clicks: &[Click]) -> Result<Option<Value>, Error> {
        let Some(link) = books::link::by_no(view, link)? else {
            return Ok(None);
        };
        let workspace = Workspace::of(view, link.workspace)?;
        let link = self.link(view, &link, &workspace)?;
        Ok(self.clicked(link, clicks))
    }
}

/// A workspace by its number and public id.
struct Workspace {
    no: WorkspaceNo,
    id: String,
}

impl Workspace {
    fn of(view: &View<'_>, no: WorkspaceNo) -> Result<Self, Error> {
        let found = books::workspace::by_no(view, no)?.ok_or(Error::NotFound { what: "workspace" })?;
        Ok(Self { no, id: found.id })
    }
}

impl ApiTeller {
    fn link(&self, view: &View<'_>, link: &Link, workspace: &Workspace) -> Result<Value, Error> {
        let link = answer_in(&self.0, view, &mut Names::default(), link, &workspace.id)?;
        serde_json::to_value(link).map_err(|error| Error::Internal(error.to_string()))
    }

    /// The dialect's click and link; ours is the list of all clicks, of which the dialect's is the first.
    fn clicked(&self, link: Value, clicks: &[Click]) -> Option<Value> {
        let keys = (self.0.click_ids)();
        let clicks: Vec<Value> = clicks
            .iter()
            .map(|click| click_part(click, &link, &keys, self.0.node))
            .collect();
        let first = clicks.first()?.clone();
        Some(json!({ "click": first, "link": link, "clicks": clicks }))
    }

    fn conversion(
        &self,
        view: &View<'_>,
        workspace: &Workspace,
        told: Conversion,
        creator: Option<CreatorNo>,
    ) -> Result<Told, Error> {
        let api = &self.0;
        let link = told.link.map(|no| books::link::by_no(view, no)).transpose()?.flatten();
        let link_json = match (&link, told.link) {
            (Some(link), _) => self.link(view, link, workspace)?,
            (None, no) => {
                let whose = (workspace.no, workspace.id.as_str());
                let gone = serde_json::to_value(deleted_of(api, whose, no.unwrap_or_default())).unwrap_or_default();
                if no.is_some() { gone } else { no_link(gone) }
            }
        };
        let click = click_of(&api.clicks, told.click_id.as_deref(), &(api.click_ids)())?;
        let click_id = told.click_id.clone().unwrap_or_default();
        let mut event = told.view(event_of(&click, link_json, &click_id));
        let creator = creator.map(|no| books::creator::by_no(view, no)).transpose()?.flatten();
        let partner = match creator {
            Some(creator) => {
                let whose = (workspace.no, workspace.id.as_str());
                let mut partner = partner::answer_one(api, view, whose, &creator)?;
                // A creator's hundred links are no part of what happened.
                partner.as_object_mut().map(|fields| fields.remove("links"));
                partner
            }
            None => Value::Null,
        };
        let mut data = json!({ "partner": partner });
        for field in [
            "eventName",
            "customer",
            "click",
            "link",
            "metadata",
            "eventId",
            "source",
        ] {
            data[field] = event[field].take();
        }
        if let Some(sale) = event.get_mut("sale") {
            data["sale"] = sale.take();
        }
        Ok(Told { link: told.link, data })
    }

    /// What a test event tells: shaped like a true one, of a link that never was.
    pub(super) fn sample(
        &self,
        (no, id): (WorkspaceNo, &str),
        trigger: Trigger,
        now: Timestamp,
    ) -> Result<Value, Error> {
        let link = Link {
            no: LinkNo::default(),
            id: "link_sample".to_owned(),
            workspace: no,
            domain: DomainNo::DEFAULT,
            slug: "sample".to_owned(),
            is_exact: false,
            terms: LinkTerms {
                destination: "https://shop.example/".to_owned(),
                title: Some("A test of this webhook".to_owned()),
                ..LinkTerms::default()
            },
            created_at: now,
            updated_at: now,
        };
        let workspace = Workspace { no, id: id.to_owned() };
        let books = self.0.context.books();
        let link = books.read_blocking(|view| self.link(view, &link, &workspace))?;
        let click = Click {
            at: now,
            workspace: no,
            ..Click::default()
        };
        let clicked = self.clicked(link, &[click]).unwrap_or_default();
        let customer = KnownCustomer {
            no: 0,
            id: "cus_sample".to_owned(),
            workspace: no,
            external_id: "sample".to_owned(),
            name: Some("Sam Sample".to_owned()),
            email: None,
            avatar: None,
            country: None,
            click: None,
            sales: CustomerSales::default(),
            created_at: now,
        };
        let mut data = json!({
            "eventName": if trigger == Trigger::LeadCreated { "Sign up" } else { "Purchase" },
            "customer": brief(&customer),
            "click": clicked["click"],
            "link": clicked["link"],
            "partner": null,
            "metadata": null,
        });
        Ok(match trigger {
            Trigger::LinkCreated | Trigger::LinkUpdated | Trigger::LinkDeleted => clicked["link"].clone(),
            Trigger::LinkClicked => clicked,
            Trigger::LeadCreated => data,
            Trigger::SaleCreated => {
                data["sale"] = json!({ "amount": 4900, "currency": "eur", "paymentProcessor": "custom",
                    "invoiceId": "sample", "refunded": 0 });
                data
            }
        })
    }
}
