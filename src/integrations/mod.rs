//! Other people's systems: one folder a vendor. Inbound is pure (verify, parse); outbound speaks through `net`.
//!
//! Knows no store, no flow and no path of ours.

pub mod maxmind;
pub mod shopify;
pub mod ucp;
