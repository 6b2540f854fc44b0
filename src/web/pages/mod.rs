//! The server-rendered pages: pure functions from plain view structs to HTML text.
//!
//! Nothing in here waits, reads a store, knows a route's handler or trusts a string: every value passes maud's
//! escaping. The brand's pages carry no script and no inline style, so they are sent under [`assets::CSP`];
//! the pages that followers see stand alone: the constant ones are sent under [`follower::CSP`], those of a store's
//! cart under [`landing_csp`].

pub mod accent;
mod address;
pub mod assets;
pub mod campaigns;
mod chart;
pub mod creator_report;
pub mod creators;
mod delta;
pub mod error;
pub mod experiments;
pub mod filters;
pub mod follower;
mod format;
pub mod interstitial;
pub mod landing;
pub mod language;
mod layout;
mod names;
pub mod order;
pub mod orders;
pub mod performance;
mod price;
pub mod qr;
mod ranking;
mod reference;
pub mod sign_in;
pub mod sold_out;
pub mod storefront;
mod table;
mod tiles;
pub mod waitlist;
mod whisker;
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
pub use address::Asked;
pub use campaigns::{CAMPAIGNS_A_PAGE, CampaignPage, CampaignView, CampaignsPage, campaign_page, campaigns_page};
pub use creator_report::CreatorReport;
pub use creators::{CREATORS_A_PAGE, CreatorPage, CreatorView, CreatorsPage, creator_page, creators_page};
pub use error::error_page;
pub use experiments::{
    EXPERIMENTS_A_PAGE, ExperimentView, ExperimentsPage, TriedOut, experiment_page, experiments_page,
};
pub use filters::{Choices, INTERVALS, Narrowed};
pub use follower::FollowerPage;
pub use landing::{ItemState, LandingItem, LandingPage, Notice, landing_page};
pub use language::Language;
pub use names::Names;
pub use order::{OrderPage, OrderView, order_page};
pub use orders::{ORDERS_A_PAGE, OrdersPage, orders_page};
pub use performance::{PerformancePage, RowView, performance_page};
pub use reference::reference_page;
pub use sign_in::sign_in_page;
pub use sold_out::sold_out_page;
pub use storefront::{Storefront, landing_csp, opening};
pub use waitlist::{Refused, WaitlistPage, consent_text, thanks_page, waitlist_page};
