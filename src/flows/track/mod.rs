//! Conversions that a brand's server or page tells of: clicks, leads and sales. Durable when they are answered.

mod click;
mod lead;
mod sale;

use std::sync::atomic::AtomicU64;

pub use click::{Clicked, Clicker, DURABLE_WAIT};
pub use lead::{TakenLead, lead};
pub use sale::{TakenSale, sale};

use super::error::Error;
use super::look_up_order::Returned;
use crate::books::{self, View};
use crate::domain::conversion::{CustomerTold, FieldError, Teller};
use crate::domain::id::WorkspaceNo;
use crate::domain::known_customer::{CustomerClick, KnownCustomer};
use crate::domain::link::Link;

/// Whose conversions they are, and who tells of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    pub workspace: WorkspaceNo,
    pub by: Teller,
}

/// What became of everything that was told, for `/metrics`.
#[derive(Debug, Default)]
pub struct Tally {
    pub clicks: AtomicU64,
    pub leads: AtomicU64,
    pub sales: AtomicU64,
    /// Leads and invoices that were known.
    pub repeated: AtomicU64,
    /// Sales of nobody who is known, or of nothing.
    pub passed: AtomicU64,
    /// Not in form, or naming what is not there.
    pub refused: AtomicU64,
    /// From a page without a key of ours, or on an origin that its key does not allow.
    pub foreign: AtomicU64,
    /// Too many from one network.
    pub throttled: AtomicU64,
    /// Too much at once, or a store cannot be written.
    pub unavailable: AtomicU64,
}

impl From<FieldError> for Error {
    fn from((field, message): FieldError) -> Self {
        Self::invalid(field, message)
    }
}

/// The click that came back as a customer's, with its link; `None` unless that is the workspace's and enabled.
fn click_of(
    view: &View<'_>,
    workspace: WorkspaceNo,
    returned: &Returned,
) -> Result<Option<(CustomerClick, Link)>, Error> {
    let link = books::link::by_no(view, returned.id.link)?;
    let own = link.filter(|link| link.workspace == workspace && link.terms.disabled_at.is_none());
    Ok(own.map(|link| {
        let click = CustomerClick {
            click_id: returned.text.clone(),
            at: returned.id.at,
            link: link.no,
            creator: link.terms.creator,
        };
        (click, link)
    }))
}

/// The country of the click, as far as the log knows it.
fn country_of(returned: &Returned) -> Option<String> {
    let code = returned.record.as_ref()?.country;
    (code != [0, 0]).then(|| String::from_utf8_lossy(&code).into_owned())
}

/// Adds what was told to what was not known of a customer; whether that changed anything. What is known stays: a page
/// must not rename a customer whose id it read somewhere.
fn complete(known: &mut KnownCustomer, told: &CustomerTold, click: Option<&CustomerClick>) -> bool {
    let before = known.clone();
    let fill = |own: &mut Option<String>, told: &Option<String>| {
        if own.is_none() {
            own.clone_from(told);
        }
    };
    fill(&mut known.name, &told.name);
    fill(&mut known.email, &told.email);
    fill(&mut known.avatar, &told.avatar);
    if known.click.is_none() {
        known.click = click.cloned();
    }
    *known != before
}
