//! A lead is told: somebody who clicked has signed up. Of one customer each event counts once, for ever; telling it again
//! answers as the first time.

use std::sync::atomic::Ordering;

use super::super::context::Context;
use super::super::error::Error;
use super::super::look_up_order::{Returned, look_up_click};
use super::{Told, click_of, complete, country_of};
use crate::books::lead::Lead;
use crate::books::{self, Tx};
use crate::clicklog;
use crate::domain::conversion::{CustomerTold, LeadTold, Teller};
use crate::domain::keyring::Keyring;
use crate::domain::known_customer::{CustomerClick, CustomerSales, KnownCustomer};
use crate::domain::link::Link;

/// What is answered.
#[derive(Debug, Clone)]
pub struct TakenLead {
    pub click_id: String,
    /// `None` once it was deleted.
    pub link: Option<Link>,
    pub customer: KnownCustomer,
    pub is_repeat: bool,
}

/// Takes a lead.
///
/// # Errors
/// [`Error::NotFound`] when the click is not one of the workspace's enabled links, or when none is named and the customer
/// is not known by one.
pub async fn lead(
    context: &Context,
    clicks: &clicklog::Reader,
    click_ids: &Keyring,
    told_by: Told,
    told: LeadTold,
) -> Result<TakenLead, Error> {
    let returned = match told.click_id.trim() {
        "" => None,
        text => {
            let found = look_up_click(context, clicks, click_ids, text).await;
            Some(found.ok_or(Error::NotFound { what: "click" })?)
        }
    };
    let inner = context.clone();
    let taken = context
        .inner
        .books
        .commit(move |tx| take(&inner, tx, told_by, &told, returned.as_ref()));
    let taken = taken.await?;
    let tally = &context.inner.conversions;
    let counter = if taken.is_repeat { &tally.repeated } else { &tally.leads };
    counter.fetch_add(1, Ordering::Relaxed);
    Ok(taken)
}

fn take(
    context: &Context,
    tx: &Tx<'_>,
    told_by: Told,
    told: &LeadTold,
    returned: Option<&Returned>,
) -> Result<TakenLead, Error> {
    let own = match returned {
        Some(returned) => {
            let found = click_of(tx, told_by.workspace, returned)?;
            Some(found.ok_or(Error::NotFound { what: "click" })?.0)
        }
        None => None,
    };
    let country = returned.and_then(country_of);
    let customer = match books::known_customer::by_external_id(tx, told_by.workspace, &told.customer.external_id)? {
        Some(mut known) => {
            if complete(&mut known, &told.customer, own.as_ref()) {
                books::known_customer::update(tx, &known)?;
            }
            known
        }
        None => {
            let click = own.clone().ok_or(Error::NotFound {
                what: "click of this customer",
            })?;
            insert_customer(context, tx, told_by, &told.customer, click, country)?
        }
    };
    let click = own.or_else(|| customer.click.clone()).ok_or(Error::NotFound {
        what: "click of this customer",
    })?;
    let mut is_repeat = false;
    let mut click_id = click.click_id.clone();
    let mut link = click.link;
    if !told.is_deferred
        && !insert_lead(
            context,
            tx,
            told_by,
            &customer,
            &click,
            &told.event_name,
            told.quantity,
            told.metadata.clone(),
        )?
    {
        is_repeat = true;
        if let Some(first) = books::lead::of_customer(tx, customer.no, Some(&told.event_name))? {
            (click_id, link) = (first.click_id, first.link);
        }
    }
    Ok(TakenLead {
        click_id,
        link: books::link::by_no(tx, link)?,
        customer,
        is_repeat,
    })
}

/// Keeps a customer who was not known before.
pub(super) fn insert_customer(
    context: &Context,
    tx: &Tx<'_>,
    told_by: Told,
    told: &CustomerTold,
    click: CustomerClick,
    country: Option<String>,
) -> Result<KnownCustomer, Error> {
    let customer = KnownCustomer {
        no: 0,
        id: context.new_id("cus_"),
        workspace: told_by.workspace,
        external_id: told.external_id.clone(),
        name: told.name.clone(),
        email: told.email.clone(),
        avatar: told.avatar.clone(),
        country,
        click: Some(click),
        sales: CustomerSales::default(),
        created_at: context.inner.clock.now(),
    };
    Ok(books::known_customer::insert(tx, customer)?)
}

/// Counts a lead; `false` = it was known.
#[expect(clippy::too_many_arguments, reason = "a lead's fields, each of another source")]
pub(super) fn insert_lead(
    context: &Context,
    tx: &Tx<'_>,
    told_by: Told,
    customer: &KnownCustomer,
    click: &CustomerClick,
    event_name: &str,
    quantity: u32,
    metadata: Option<String>,
) -> Result<bool, Error> {
    let lead = Lead {
        no: 0,
        id: context.new_id("evt_"),
        workspace: told_by.workspace,
        customer: Some(customer.no),
        event_name: event_name.to_owned(),
        at: context.inner.clock.now(),
        quantity,
        metadata,
        click_id: click.click_id.clone(),
        clicked_at: click.at,
        link: click.link,
        creator: click.creator,
        is_from_browser: told_by.by == Teller::Browser,
    };
    Ok(books::lead::insert(tx, &lead)?)
}
