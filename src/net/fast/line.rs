//! A connection of the pool as it is spoken over: a socket that does not block, or TLS on one.

use std::io::{self, Read};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::ServerConfig;

use super::exchange::Say;
use super::secure::Secure;
use crate::net::wire::{After, receive, send};

/// See the file's head.
pub(in crate::net) enum Line {
    Clear(TcpStream),
    /// Boxed: a session is a kilobyte, which clear connections shall not pay for.
    Secure(Box<Secure>),
}

impl Line {
    /// TLS on `socket`, whose client has the first word.
    ///
    /// # Errors
    /// When the settings fit no session.
    pub fn secure(socket: TcpStream, config: &Arc<ServerConfig>) -> Result<Self, rustls::Error> {
        Ok(Self::Secure(Box::new(Secure::new(socket, config)?)))
    }

    /// What events come on.
    pub(super) fn socket(&self) -> &TcpStream {
        match self {
            Self::Clear(socket) => socket,
            Self::Secure(secure) => &secure.socket,
        }
    }

    /// Whether the handshake is under way. Never in clear text.
    pub fn is_handshaking(&self) -> bool {
        match self {
            Self::Clear(_) => false,
            Self::Secure(secure) => secure.session.is_handshaking(),
        }
    }

    /// Whether there may be more to read, of which no event will tell. Always known in clear text: a read that fills its
    /// buffer.
    pub(super) fn has_more(&self) -> bool {
        matches!(self, Self::Secure(secure) if secure.has_more())
    }

    /// Whether nothing was heard because the pool is not enough for this client.
    pub(super) fn is_for_a_task(&self) -> bool {
        match self {
            Self::Clear(_) => false,
            Self::Secure(secure) => secure.is_for_a_task(),
        }
    }

    /// Says that nothing more will be said, where that is said at all (RFC 8446 section 6.1).
    pub(super) fn say_goodbye(&mut self) {
        if let Self::Secure(secure) = self {
            secure.say_goodbye();
        }
    }
}

/// As from a socket that does not block: what the client said, in clear text. 0: it has said that this was all.
impl Read for Line {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Clear(socket) => receive(socket, buffer),
            Self::Secure(secure) => secure.read(buffer),
        }
    }
}

impl Say for Line {
    fn say(&mut self, bytes: &[u8], after: After) -> io::Result<usize> {
        match self {
            Self::Clear(socket) => send(socket, bytes, after),
            Self::Secure(secure) => secure.say(bytes, after),
        }
    }

    fn is_blocked(&self) -> bool {
        matches!(self, Self::Secure(secure) if secure.session.wants_write())
    }
}
