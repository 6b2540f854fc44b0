//! Shops that speak UCP (Universal Commerce Protocol): their profile is read here, and fetched by [`ProfileFetch`].

mod fetch;
pub mod profile;

pub use fetch::ProfileFetch;
