//! Other people's systems: one folder a vendor, and one for the catalogue files of several. Inbound is pure (verify,
//! parse); outbound speaks through `net`.
//!
//! Knows no store, no flow and no path of ours.

pub mod catalog;
pub mod maxmind;
pub mod payload;
pub mod receiver;
pub mod shopify;
pub mod standard;
pub mod stripe;
pub mod ucp;
pub mod woocommerce;
