//! A worker's desk: answers the requests in some bytes, one after the other, into one buffer.

use std::cell::RefCell;
use std::mem::MaybeUninit;
use std::rc::Rc;
use std::sync::Arc;

use super::answer::{AnswerLines, AtOnce, DateLine, finish, write_lines};
use super::head::{Found, Head, LINES_MAX, Lines};
use crate::net::connections::Connections;
use crate::net::edge::Handler;
use crate::net::forwarded::Hop;
use crate::net::limits::Limits;
use crate::net::network::TrustedProxies;

/// Most bytes that are read at once. 16 KiB: a full head.
pub(super) const READ_BYTES: usize = 16 * 1024;
/// Room for what is read before it is answered. 80 KiB: heads of a kilobyte from all whom a turn hears, and one read.
const RECEIVED_BYTES: usize = 64 * 1024 + READ_BYTES;
/// Answers to requests that were sent ahead are sent once they are this long; the rest waits its turn.
const ANSWERS_BYTES: usize = 32 * 1024;
/// Room for answers that is kept. A larger one was a page's, and rare.
const ANSWERS_KEPT_BYTES: usize = 256 * 1024;

/// What all connections of a worker share.
pub(in crate::net) struct Desk<H> {
    pub handler: Rc<H>,
    pub connections: Arc<Connections>,
    pub limits: Limits,
    pub trusted: Arc<TrustedProxies>,
    buffers: RefCell<Buffers>,
}

/// A worker's buffers; one connection at a time uses them, and never across a wait.
pub(super) struct Buffers {
    pub read: Box<[u8]>,
    /// Bytes of `read` that wait to be answered.
    pub received: usize,
    pub answers: Answers,
}

/// Answers that go out together.
#[derive(Default)]
pub(super) struct Answers {
    pub bytes: Vec<u8>,
    date: DateLine,
}

/// What became of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Turn {
    /// Bytes at their start that were answered.
    pub used: usize,
    pub then: Then,
}

/// What follows once the answers are sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// The rest is nothing, or a part of a head.
    Read,
    /// The rest has more requests.
    Answer,
    /// The rest is hyper's.
    HandOver,
    Close,
}

impl Answers {
    /// None; the next ones go out later.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(ANSWERS_KEPT_BYTES);
        self.date.pass();
    }
}

impl<H: Handler> Desk<H> {
    /// A desk whose requests go to `handler`.
    pub fn new(handler: Rc<H>, connections: Arc<Connections>, limits: Limits, trusted: Arc<TrustedProxies>) -> Self {
        let buffers = Buffers {
            read: vec![0; RECEIVED_BYTES].into(),
            received: 0,
            answers: Answers::default(),
        };
        Self {
            handler,
            connections,
            limits,
            trusted,
            buffers: RefCell::new(buffers),
        }
    }

    /// The worker's buffers, with what waits to be answered or sent.
    pub(super) fn waiting_buffers(&self) -> std::cell::RefMut<'_, Buffers> {
        self.buffers.borrow_mut()
    }

    /// The worker's buffers, with nothing that waits.
    pub(super) fn buffers(&self) -> std::cell::RefMut<'_, Buffers> {
        let mut buffers = self.buffers.borrow_mut();
        buffers.received = 0;
        buffers.answers.clear();
        buffers
    }

    /// Answers the requests at the start of `bytes`, which came through `hop`, behind what stands in `answers`.
    pub(super) fn answer(&self, hop: &Hop, bytes: &[u8], answers: &mut Answers) -> Turn {
        let (mut used, start) = (0, answers.bytes.len());
        let then = loop {
            let rest = &bytes[used..];
            if rest.is_empty() {
                break Then::Read;
            }
            if answers.bytes.len() - start >= ANSWERS_BYTES {
                break Then::Answer;
            }
            let mut lines: Lines<'_> = [const { MaybeUninit::uninit() }; LINES_MAX];
            let lines_max = self.limits.headers_max.min(LINES_MAX);
            match Head::find(rest, &mut lines[..lines_max]) {
                Found::Part if rest.len() < self.limits.header_bytes_max => break Then::Read,
                Found::Plain { head, length, is_last } if length <= self.limits.header_bytes_max => {
                    let is_last = is_last || self.connections.is_draining();
                    if !self.answer_one(hop, &head, is_last, answers) {
                        break Then::HandOver;
                    }
                    used += length;
                    if is_last {
                        break Then::Close;
                    }
                }
                Found::Part | Found::Plain { .. } | Found::Other => break Then::HandOver,
            }
        };
        Turn { used, then }
    }

    /// Whether the handler had an answer to `head`.
    fn answer_one(&self, hop: &Hop, head: &Head<'_>, is_last: bool, answers: &mut Answers) -> bool {
        let peer = hop.client_of_lines(head.lines(), &self.trusted);
        let Answers { bytes, date } = answers;
        let start = bytes.len();
        match self.handler.answer_at_once(peer, head, &mut AnswerLines::new(bytes)) {
            AtOnce::NotMine => {
                bytes.truncate(start);
                false
            }
            AtOnce::Written => {
                let length = (!head.is_head()).then_some(0);
                finish(bytes, length, is_last, date);
                true
            }
            AtOnce::Whole(response) => {
                bytes.truncate(start);
                let (body, may_have_body) = write_lines(bytes, *response);
                let says_length = may_have_body && !(head.is_head() && body.is_empty());
                finish(bytes, says_length.then_some(body.len()), is_last, date);
                if !head.is_head() {
                    bytes.extend_from_slice(&body);
                }
                true
            }
        }
    }
}
