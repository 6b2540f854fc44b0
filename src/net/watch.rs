//! What a connection is doing, so that the right limit runs.
//!
//! hyper's own head timeout starts while the connection is still idle and knows nothing of answers that are not read.
//! Here the stream ([`super::guarded`]) and the service around the handler write the phase down as it changes; the
//! connection's driver ([`super::connection`]) gives each phase its limit, from the phase's start:
//!
//! ```text
//! FirstByte ─► Head ─► Request ─► Answer ─► Idle ─► Head ...        HTTP/1
//! FirstByte ─► Head ─► Request ─► Idle ─► Request ...               HTTP/2: Request while any stream has one
//! ```
//!
//! The fast path writes it down itself and knows no Request: it answers while it reads.
//!
//! Relaxed atomics, although one task at a time reads and writes: API connections move between threads.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use super::limits::Limits;

/// A stage in a connection's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Phase {
    /// Nothing has come yet.
    FirstByte,
    /// A request's head is coming.
    Head,
    /// The handler has a request.
    Request,
    /// An answer goes out.
    Answer,
    /// Between requests.
    Idle,
}

const PHASES: [Phase; 5] = [
    Phase::FirstByte,
    Phase::Head,
    Phase::Request,
    Phase::Answer,
    Phase::Idle,
];

/// How long a request's body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyLength {
    /// In bytes; 0 without a body.
    Known(u64),
    /// The sender marks the end.
    Chunked,
}

const NOT_KNOWN: u64 = u64::MAX;
const CHUNKED: u64 = u64::MAX - 1;

/// Shared by the three that see parts of a connection.
#[derive(Debug)]
pub(super) struct Watch {
    is_http2: bool,
    phase: AtomicU8,
    has_changed: AtomicBool,
    /// Requests that the handler has.
    in_flight: AtomicU32,
    /// Content-Length lines of the last head.
    content_lengths: AtomicUsize,
    /// The last request's [`BodyLength`], until the stream has taken it.
    body: AtomicU64,
}

impl Watch {
    /// A watch on a connection that is in `phase`; a fresh one is in [`Phase::FirstByte`].
    pub fn new(is_http2: bool, phase: Phase) -> Self {
        Self {
            is_http2,
            phase: AtomicU8::new(phase as u8),
            has_changed: AtomicBool::new(false),
            in_flight: AtomicU32::new(0),
            content_lengths: AtomicUsize::new(0),
            body: AtomicU64::new(NOT_KNOWN),
        }
    }

    /// Whether the connection speaks HTTP/2.
    pub fn is_http2(&self) -> bool {
        self.is_http2
    }

    /// The present phase.
    pub fn phase(&self) -> Phase {
        PHASES[usize::from(self.phase.load(Relaxed)) % PHASES.len()]
    }

    fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Relaxed);
        self.has_changed.store(true, Relaxed);
    }

    /// Whether a phase began since the last call.
    pub fn take_change(&self) -> bool {
        self.has_changed.load(Relaxed) && self.has_changed.swap(false, Relaxed)
    }

    /// The stream gave bytes to hyper.
    pub fn read(&self) {
        match self.phase() {
            Phase::FirstByte => self.enter(Phase::Head),
            Phase::Idle if !self.is_http2 => self.enter(Phase::Head),
            _ => {}
        }
    }

    /// The stream took bytes from hyper; without a request they refuse one that could not be parsed.
    pub fn wrote(&self) {
        if !self.is_http2 && matches!(self.phase(), Phase::FirstByte | Phase::Head | Phase::Idle) {
            self.enter(Phase::Answer);
        }
    }

    /// Everything that hyper wrote has been taken.
    pub fn flushed(&self) {
        if self.phase() == Phase::Answer {
            self.enter(Phase::Idle);
        }
    }

    /// The stream saw the end of a head.
    pub fn head_ended(&self, content_lengths: usize) {
        self.content_lengths.store(content_lengths, Relaxed);
    }

    /// Content-Length lines of the head of the request that hyper parsed last. HTTP/1 only.
    pub fn content_lengths(&self) -> usize {
        self.content_lengths.load(Relaxed)
    }

    /// The handler gets a request with a body of this length; it has it until the returned value is dropped.
    pub fn begin(self: &std::sync::Arc<Self>, body: BodyLength) -> InFlight {
        let body = match body {
            BodyLength::Known(length) => length.min(CHUNKED - 1),
            BodyLength::Chunked => CHUNKED,
        };
        self.body.store(body, Relaxed);
        self.in_flight.fetch_add(1, Relaxed);
        self.enter(Phase::Request);
        InFlight(std::sync::Arc::clone(self))
    }

    /// The length of the body that follows the last head; `None` while hyper has made no request of it.
    pub fn take_body(&self) -> Option<BodyLength> {
        match self.body.swap(NOT_KNOWN, Relaxed) {
            NOT_KNOWN => None,
            CHUNKED => Some(BodyLength::Chunked),
            length => Some(BodyLength::Known(length)),
        }
    }
}

/// A request that the handler has.
#[derive(Debug)]
pub(super) struct InFlight(std::sync::Arc<Watch>);

impl Drop for InFlight {
    fn drop(&mut self) {
        let others = self.0.in_flight.fetch_sub(1, Relaxed) - 1;
        match self.0.is_http2 {
            true if others == 0 => self.0.enter(Phase::Idle),
            true => {}
            false => self.0.enter(Phase::Answer),
        }
    }
}

/// How long `phase` may last.
pub(super) fn limit(phase: Phase, limits: &Limits) -> Duration {
    match phase {
        Phase::FirstByte => limits.first_byte,
        Phase::Head => limits.header,
        Phase::Request => limits.request,
        Phase::Answer => limits.answer,
        Phase::Idle => limits.idle,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn http1_goes_round_in_order() {
        let watch = Arc::new(Watch::new(false, Phase::FirstByte));
        let mut seen = vec![watch.phase()];
        watch.read();
        seen.push(watch.phase());
        let request = watch.begin(BodyLength::Known(3));
        watch.read();
        watch.wrote();
        watch.flushed();
        seen.push(watch.phase());
        drop(request);
        seen.push(watch.phase());
        watch.flushed();
        seen.push(watch.phase());
        assert_eq!(seen, PHASES);
        assert_eq!(watch.take_body(), Some(BodyLength::Known(3)));
        assert_eq!(watch.take_body(), None);
        assert!(watch.take_change() && !watch.take_change());
    }

    #[test]
    fn http2_is_idle_when_the_last_request_is_answered() {
        let watch = Arc::new(Watch::new(true, Phase::FirstByte));
        watch.read();
        let (first, second) = (watch.begin(BodyLength::Known(0)), watch.begin(BodyLength::Chunked));
        drop(first);
        assert_eq!(watch.phase(), Phase::Request);
        drop(second);
        assert_eq!(watch.phase(), Phase::Idle);
        watch.read();
        assert_eq!(watch.phase(), Phase::Idle, "a ping buys no time");
    }
}
