//! A desk without sockets: requests as bytes in, answers as bytes out. For benches and for tests of handlers.
//!
//! Does what is done between receiving and sending, on the same code, and nothing else.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use super::desk::{Answers, Desk};
use crate::net::connections::{Bounds, Connections};
use crate::net::edge::Handler;
use crate::net::forwarded::Hop;
use crate::net::limits::Limits;
use crate::net::network::TrustedProxies;

/// See the file's head.
pub struct Rehearsal<H> {
    desk: Desk<H>,
    hop: Hop,
    answers: Answers,
}

impl<H: Handler> Rehearsal<H> {
    /// One in which `client` asks `handler` in clear text. No proxy is trusted.
    pub fn new(handler: H, client: IpAddr) -> Self {
        let limits = Limits::default();
        let trusted = Arc::new(TrustedProxies::default());
        let connections = Connections::new(Arc::default(), Bounds::new(&limits));
        Self {
            hop: Hop::new(client, false, &trusted),
            desk: Desk::new(Rc::new(handler), connections, limits, trusted),
            answers: Answers::default(),
        }
    }

    /// The answers to the plain requests at the start of `bytes`, and how many bytes these are.
    pub fn answer(&mut self, bytes: &[u8]) -> (&[u8], usize) {
        self.answers.clear();
        let turn = self.desk.answer(&self.hop, bytes, &mut self.answers);
        (&self.answers.bytes, turn.used)
    }
}
