//! Universal Commerce Protocol: the profile that a shop publishes at `/.well-known/ucp`, and the order webhooks that
//! its keys sign.

mod fetch;
mod jwk;
pub mod order;
pub mod profile;
pub mod signature;
mod structured;

pub use fetch::ProfileFetch;
