//! One exchange on a connection that does not block: what came is read and answered; the answers are sent later, once
//! others have been heard too. Neither half waits for anything.

use std::io::{ErrorKind, Read, Write};
use std::ops::Range;

use super::conversation::Opening;
use super::desk::{Buffers, Desk, Then};
use crate::net::edge::Handler;
use crate::net::forwarded::Hop;

/// What came on a connection.
pub(super) enum Heard {
    /// Nothing yet.
    Nothing,
    /// Its end.
    End,
    /// Bytes, of which was made what was to be made.
    Bytes(Unsent),
}

/// Answers that wait in the worker's buffer to be sent.
pub(super) struct Unsent {
    answers: Range<usize>,
    then: Then,
    /// Bytes behind those that were answered.
    rest: Vec<u8>,
    /// Whether more may have come than was read, or the end.
    pub is_cut: bool,
}

/// Where a connection stands once its answers were sent.
pub(super) enum Said {
    /// It is over.
    Over,
    /// All that came is answered, and the next request may come.
    Rests,
    /// It goes on from here, on a task of its own.
    GoesOn(Opening),
}

impl<H: Handler> Desk<H> {
    /// Reads once from `stream`, which must not block, and puts the answers behind those that wait already.
    pub(super) fn hear(&self, mut stream: impl Read, hop: &Hop, buffers: &mut Buffers) -> Heard {
        let Buffers { read, answers } = buffers;
        let bytes = match stream.read(read) {
            Ok(0) => return Heard::End,
            Ok(length) => &read[..length],
            Err(error) if is_later(error.kind()) => return Heard::Nothing,
            Err(_) => return Heard::End,
        };
        let start = answers.bytes.len();
        let turn = self.answer(hop, bytes, answers);
        Heard::Bytes(Unsent {
            answers: start..answers.bytes.len(),
            then: turn.then,
            rest: bytes[turn.used..].to_vec(),
            is_cut: bytes.len() == read.len(),
        })
    }
}

impl Unsent {
    /// Sends on `stream`, which must not block, what of `answers` is its own.
    pub(super) fn say(self, mut stream: impl Write, answers: &[u8]) -> Said {
        let answers = &answers[self.answers];
        let sent = match answers.is_empty() {
            true => 0,
            false => match stream.write(answers) {
                Ok(sent) => sent,
                Err(error) if is_later(error.kind()) => 0,
                Err(_) => return Said::Over,
            },
        };
        let is_sent = sent == answers.len();
        match self.then {
            Then::Close if is_sent => Said::Over,
            Then::Read if is_sent && self.rest.is_empty() && !self.is_cut => Said::Rests,
            then => Said::GoesOn(Opening::after(then, self.rest, &answers[sent..], !answers.is_empty())),
        }
    }
}

fn is_later(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::Interrupted)
}
