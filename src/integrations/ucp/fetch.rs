//! Fetches profiles over `net`'s client: one GET, bounded in time and size, never into a private network unless told so.

use std::time::Duration;

use super::profile::BODY_MAX;
use crate::domain::outside::{Fetch, Fetched, Fetching};
use crate::net::{Client, ClientError, ClientOptions};

/// Longest look at a profile, name look-up and handshake included: a shop that takes longer is not there.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Some shops answer nobody without a name.
const USER_AGENT: &str = concat!("hopcart/", env!("CARGO_PKG_VERSION"));

/// A client for profiles.
pub struct ProfileFetch(Client);

impl ProfileFetch {
    /// A client that connects to public addresses only, unless `private_allowed`.
    ///
    /// # Errors
    /// When the client cannot be made.
    pub fn new(private_allowed: bool) -> Result<Self, ClientError> {
        let options = ClientOptions {
            timeout: TIMEOUT,
            body_max: BODY_MAX,
            public_only: !private_allowed,
            ..ClientOptions::default()
        };
        Client::new(options).map(Self)
    }
}

impl Fetch for ProfileFetch {
    fn get<'a>(&'a self, url: &'a str) -> Fetching<'a> {
        const HEADERS: [(&str, &str); 2] = [("Accept", "application/json"), ("User-Agent", USER_AGENT)];
        Box::pin(async move {
            let answer = self.0.get(url, &HEADERS).await.map_err(|error| error.to_string())?;
            let header = |name: &str| {
                let value = answer.headers.get(name)?.to_str().ok()?;
                Some(value.to_owned())
            };
            Ok(Fetched {
                status: answer.status,
                content_type: header("content-type"),
                cache_control: header("cache-control"),
                body: answer.body.to_vec(),
            })
        })
    }
}
