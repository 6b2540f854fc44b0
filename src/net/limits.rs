//! What one connection, and all of them together, may take: time, bytes, count.
//!
//! A connection is always in one phase (see `watch`); every phase has its own limit, measured from the phase's start, so
//! that trickling bytes buys no time.

use std::time::Duration;

/// Bounds on connections. The defaults fit a public port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From accept (or the end of the TLS handshake) to the first byte of a request. 5 s: clients that connect ahead of
    /// need reconnect cheaply, sockets held open by nobody are not cheap.
    pub first_byte: Duration,
    /// For a PROXY header and a TLS handshake together. 5 s: two round trips of a bad mobile network.
    pub handshake: Duration,
    /// From a request's first byte to the end of its head. 10 s.
    pub header: Duration,
    /// Between an answer and the first byte of the next request. 30 s.
    pub idle: Duration,
    /// From the end of the head to the handler's answer, the body's arrival included. 30 s.
    pub request: Duration,
    /// From the handler's answer until the kernel has taken all of it (per 16 KiB for larger answers). 30 s: a client
    /// that does not read is let go.
    pub answer: Duration,
    /// Largest request head in bytes. 16 KiB: twice what browsers send with full cookies. At least 8 KiB.
    pub header_bytes_max: usize,
    /// Most header lines of a request. 64: in-app browsers send about 25.
    pub headers_max: usize,
    /// Most HTTP/2 requests at once on one connection. 100, what clients assume without being told.
    pub http2_streams_max: u32,
    /// Most connections at once, over all workers. 65,536: beyond it they are accepted and closed at once, which tells
    /// the client at once and keeps the accept queue short.
    pub connections_max: usize,
    /// Most connections at once of one address (of one /64 in IPv6), over all workers; trusted proxies have no such
    /// bound. 4,096: behind one address of a carrier stand thousands of followers, each with a connection or two.
    pub connections_per_address_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            first_byte: Duration::from_secs(5),
            handshake: Duration::from_secs(5),
            header: Duration::from_secs(10),
            idle: Duration::from_secs(30),
            request: Duration::from_secs(30),
            answer: Duration::from_secs(30),
            header_bytes_max: 16 * 1024,
            headers_max: 64,
            http2_streams_max: 100,
            connections_max: 65_536,
            connections_per_address_max: 4_096,
        }
    }
}
