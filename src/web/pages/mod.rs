//! The server-rendered pages: pure functions from plain view structs to HTML text.
//!
//! Nothing in here waits, reads a store, knows a route's handler or trusts a string: every value passes maud's
//! escaping. The brand's pages carry no script and no inline style, so they are sent under [`assets::CSP`];
//! the pages that followers see stand alone and are sent under [`follower::CSP`].

pub mod assets;
mod chart;
pub mod error;
pub mod follower;
mod format;
mod layout;
pub mod performance;
pub mod qr;
mod ranking;
pub mod sign_in;
mod tiles;

#[cfg(test)]
mod look;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod tags;

pub use error::error_page;
pub use follower::FollowerPage;
pub use performance::{GroupBy, INTERVALS, PerformancePage, RowView, performance_page};
pub use sign_in::sign_in_page;
