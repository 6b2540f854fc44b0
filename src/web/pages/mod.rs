//! The server-rendered pages: pure functions from plain view structs to HTML text.
//!
//! Nothing in here waits, reads a store, knows a route's handler or trusts a string: every value passes maud's
//! escaping. The brand's pages carry no script and no inline style, so they are sent under [`assets::CSP`];
//! the pages that followers see stand alone: the constant ones are sent under [`follower::CSP`], those of a store's
//! cart under [`landing_csp`].

pub mod accent;
pub mod assets;
mod chart;
pub mod error;
pub mod follower;
mod format;
pub mod interstitial;
pub mod landing;
pub mod language;
mod layout;
pub mod performance;
mod price;
pub mod qr;
mod ranking;
pub mod sign_in;
pub mod sold_out;
pub mod storefront;
mod tiles;
pub mod waitlist;
pub mod words;

#[cfg(test)]
mod contrast;
#[cfg(test)]
mod landing_look;
#[cfg(test)]
mod landing_sample;
#[cfg(test)]
mod look;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod tags;

pub use accent::Accent;
pub use error::error_page;
pub use follower::FollowerPage;
pub use landing::{ItemState, LandingItem, LandingPage, Notice, landing_page};
pub use language::Language;
pub use performance::{GroupBy, INTERVALS, PerformancePage, RowView, performance_page};
pub use sign_in::sign_in_page;
pub use sold_out::sold_out_page;
pub use storefront::{Storefront, landing_csp, opening};
pub use waitlist::{Refused, WaitlistPage, consent_text, thanks_page, waitlist_page};
