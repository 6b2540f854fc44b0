//! The net room: sockets, TLS, accept loops, timeouts, and the client for calls that leave the house.
//!
//! It knows no path and no product noun, and imports nothing of ours. [`Edge`] serves whoever implements [`Handler`];
//! [`serve_api`] serves any tower service; [`Client`] calls others, [`ask_by_datagram`] asks name servers.
//!
//! A connection's way through the room:
//! `accept` takes it from the queue → `proxy_protocol` reads who a trusted proxy says is behind it → `tls` shakes hands →
//! `fast` answers what is plain → the handler; for everything else, from where the plain ended:
//! `connection` wraps hyper → `framing` refuses what could be read in two ways → the handler.
//! `drive` runs either under the limits of `watch`.

mod accept;
mod addresses;
mod api;
mod ask;
mod client;
mod connection;
mod connections;
mod counters;
mod drive;
mod edge;
mod error;
mod fast;
mod forwarded;
mod framing;
mod guarded;
mod head_scan;
mod limits;
mod listen;
mod network;
mod proxy_protocol;
mod rewind;
#[cfg(test)]
mod testing;
mod tls;
mod watch;
mod wire;
mod worker;

pub use api::{ApiOptions, bind_api, serve_api};
pub use ask::{ask_by_datagram, ask_by_stream};
pub use client::{Answer, Client, ClientError, ClientOptions, LookingUp, Names};
pub use counters::{Counters, Tally, Totals};
pub use edge::{Edge, EdgeOptions, Handler};
pub use error::NetError;
pub use fast::{AnswerLines, AtOnce, Glance, Head, Rehearsal};
pub use forwarded::Peer;
pub use limits::Limits;
pub use network::{IpNetwork, NetworkError, TrustedProxies, is_public};
pub use tls::{CertificatePair, TlsConfig, TlsError, TlsWatch};
