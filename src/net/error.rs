//! Why a listener could not be opened. Errors of single connections are counted, never returned.

use std::fmt;
use std::io;
use std::net::SocketAddr;

/// A start-up error of the room.
#[derive(Debug)]
pub enum NetError {
    /// Another socket listens on this address already.
    AddressInUse(SocketAddr),
    /// The address could not be bound for another reason: not ours, not permitted, no sockets left.
    Bind(SocketAddr, io::Error),
    /// A TLS listener was asked for without certificates.
    TlsMissing,
    /// A worker thread or its runtime could not be started.
    Worker(io::Error),
}

impl fmt::Display for NetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddressInUse(address) => write!(f, "address {address} is in use"),
            Self::Bind(address, error) => write!(f, "cannot listen on {address}: {error}"),
            Self::TlsMissing => f.write_str("a TLS listener needs a certificate and a key"),
            Self::Worker(error) => write!(f, "cannot start a worker: {error}"),
        }
    }
}

impl std::error::Error for NetError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Bind(_, error) | Self::Worker(error) => Some(error),
            Self::AddressInUse(_) | Self::TlsMissing => None,
        }
    }
}
