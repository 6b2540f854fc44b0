//! Other people's systems: one folder a vendor, and one each for the catalogues and the links of several as files. Inbound
//! is pure (verify, parse); outbound speaks through `net`.
//!
//! Knows no store, no flow and no path of ours.

pub mod catalog;
pub mod dns;
mod formula;
mod lines;
pub mod link_file;
pub mod maxmind;
pub mod payload;
pub mod receiver;
pub mod shopify;
pub mod standard;
pub mod stripe;
mod table;
pub mod ucp;
pub mod woocommerce;
