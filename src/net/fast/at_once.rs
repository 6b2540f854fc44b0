//! Serves a connection's first bytes right after it was accepted, before the reactor hears of it.
//!
//! The listener defers: a connection is usually accepted with its request. Most followers bring one request and a
//! "close", or a keep-alive that they never use; the first are done here for five system calls.

use std::io::{ErrorKind, Read, Write};

use super::conversation::Opening;
use super::desk::{Desk, Then};
use crate::net::edge::Handler;
use crate::net::forwarded::Hop;

/// How far a connection got at once.
pub(in crate::net) enum Began {
    /// It is over.
    Done,
    /// It goes on from here.
    GoesOn(Opening),
}

impl<H: Handler> Desk<H> {
    /// Reads once from `stream`, which must not block, and answers what came.
    pub fn begin(&self, mut stream: impl Read + Write, hop: &Hop) -> Began {
        let mut buffers = self.buffers();
        let buffers = &mut *buffers;
        let bytes = match stream.read(&mut buffers.read) {
            Ok(0) => return Began::Done,
            Ok(length) => &buffers.read[..length],
            Err(error) if is_later(error.kind()) => return Began::GoesOn(Opening::default()),
            Err(_) => return Began::Done,
        };
        let turn = self.answer(hop, bytes, &mut buffers.answers);
        let answers = &buffers.answers.bytes[..];
        let sent = match answers.is_empty() {
            true => 0,
            false => match stream.write(answers) {
                Ok(sent) => sent,
                Err(error) if is_later(error.kind()) => 0,
                Err(_) => return Began::Done,
            },
        };
        if turn.then == Then::Close && sent == answers.len() {
            return Began::Done;
        }
        Began::GoesOn(Opening::after(turn, bytes, answers, sent))
    }
}

fn is_later(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
