//! A page between a link and where it leads: decided here, drawn by `web`.

use std::sync::Arc;

use super::lane::Ticket;
use super::reception::Card;
use super::record::LinkRecord;
use crate::domain::password::PasswordHash;

/// A page to be drawn.
#[derive(Debug)]
pub struct Interstitial {
    pub kind: InterstitialKind,
    /// Value of `Set-Cookie`.
    pub cookie: Option<String>,
    /// Tells when the click is on disk; only in durable mode, and only when it was queued.
    pub ticket: Option<Ticket>,
}

/// Which page.
#[derive(Debug)]
pub enum InterstitialKind {
    /// Asks for the link's password.
    Locked,
    /// Shows the card of a link that has one.
    Card(Arc<LinkRecord>),
    /// Offers to open the system's browser in the place of an app's own.
    OpenBrowser {
        /// As `domain::app_browser` writes it.
        outside: String,
        /// A serialised URL.
        web: String,
    },
    /// Opens an app, or the web page for those who have it not.
    OpenApp {
        /// As `domain::app_link` checked it.
        app: String,
        /// A serialised URL.
        web: String,
    },
}

impl LinkRecord {
    /// The hash of the password that followers must say.
    pub(super) fn password(&self) -> Option<&PasswordHash> {
        self.reception.as_ref()?.lock.as_ref()
    }

    /// What programs that fetch a preview get.
    pub fn card(&self) -> Option<&Card> {
        self.reception.as_ref()?.card.as_deref()
    }
}
