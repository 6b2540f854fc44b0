//! The facts of a request that a follow needs, borrowed from wherever they were parsed.

use std::net::IpAddr;

/// A GET or HEAD of a path that is not reserved.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    pub is_head: bool,
    /// `Host` header or authority, as it came.
    pub host: &'a str,
    /// Raw path, percent-encoded, with its leading slash.
    pub path: &'a str,
    /// Raw query without `?`; empty = none.
    pub query: &'a str,
    pub address: IpAddr,
    /// Whether the follower speaks TLS, to us or to a trusted proxy.
    pub is_secure: bool,
    pub user_agent: &'a str,
    pub referrer: &'a str,
    pub accept_language: &'a str,
    pub accept_encoding: &'a str,
    pub cookie: &'a str,
    /// `Sec-GPC: 1`.
    pub gpc: bool,
    /// `DNT: 1`.
    pub dnt: bool,
    /// `Sec-Purpose`, `Purpose`, `X-Purpose` or `X-Moz` says that nobody has tapped yet.
    pub is_prefetch: bool,
    /// `X-Hopcart-Test`; empty = none.
    pub test_key: &'a str,
}

impl<'a> Request<'a> {
    /// A plain GET of `path` on `host` from `address`: what tests and benches start from.
    pub fn get(host: &'a str, path: &'a str, address: IpAddr) -> Self {
        Self {
            is_head: false,
            host,
            path,
            query: "",
            address,
            is_secure: false,
            user_agent: "",
            referrer: "",
            accept_language: "",
            accept_encoding: "",
            cookie: "",
            gpc: false,
            dnt: false,
            is_prefetch: false,
            test_key: "",
        }
    }
}
