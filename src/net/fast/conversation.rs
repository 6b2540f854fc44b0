//! One connection on the fast path, from where it was begun to its end or to hyper.
//!
//! While it waits it holds no buffer: bytes are read into the worker's. Only the part of a head that has come, or the
//! part of an answer that the client does not take yet, are kept in buffers of its own.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::ReadBuf;

use super::desk::{Desk, READ_BYTES, Then, Turn};
use super::head::may_end;
use crate::net::drive::{Graceful, drive};
use crate::net::edge::Handler;
use crate::net::forwarded::Hop;
use crate::net::watch::{Phase, Watch};
use crate::net::wire::Wire;

/// Where a conversation stands.
#[derive(Debug, Default)]
pub(in crate::net) struct Opening {
    /// Bytes that were read and not answered.
    held: Vec<u8>,
    /// Bytes of answers that were not sent.
    unsent: Vec<u8>,
    has_answered: bool,
    next: Next,
}

/// What to do once everything is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Next {
    #[default]
    Read,
    /// Answer what is held.
    Answer,
    HandOver,
    Close,
}

impl Opening {
    /// A conversation whose first bytes were read by somebody else.
    pub fn with(bytes: &[u8]) -> Self {
        Self {
            held: bytes.to_vec(),
            next: if bytes.is_empty() { Next::Read } else { Next::Answer },
            ..Self::default()
        }
    }

    /// A conversation in which `held` was read and not answered, and `unsent` was answered and not sent.
    pub(super) fn after(then: Then, held: Vec<u8>, unsent: &[u8], has_answered: bool) -> Self {
        Self {
            held,
            unsent: unsent.to_vec(),
            has_answered,
            next: then.into(),
        }
    }

    /// A conversation in which nothing is left to do.
    pub(super) fn at_rest(has_answered: bool) -> Self {
        Self {
            has_answered,
            ..Self::default()
        }
    }

    fn phase(&self) -> Phase {
        match self {
            Self { unsent, .. } if !unsent.is_empty() => Phase::Answer,
            Self { held, .. } if !held.is_empty() => Phase::Head,
            Self { has_answered: true, .. } => Phase::Idle,
            _ => Phase::FirstByte,
        }
    }
}

impl From<Then> for Next {
    fn from(then: Then) -> Self {
        match then {
            Then::Read => Self::Read,
            Then::Answer => Self::Answer,
            Then::HandOver => Self::HandOver,
            Then::Close => Self::Close,
        }
    }
}

/// A connection on the fast path: what it is while nobody looks at it.
pub(in crate::net) struct Conversation<T> {
    watch: Watch,
    stand: Stand<T>,
}

/// All of it but the watch, which others look at too.
struct Stand<T> {
    io: T,
    hop: Hop,
    held: Vec<u8>,
    unsent: Vec<u8>,
    is_flushed: bool,
    next: Next,
}

impl<T: Wire> Conversation<T> {
    /// A conversation on `io` with what came through `hop`.
    pub fn new(io: T, hop: Hop, opening: Opening) -> Self {
        let watch = Watch::new(false, opening.phase());
        let stand = Stand {
            io,
            hop,
            held: opening.held,
            unsent: opening.unsent,
            is_flushed: true,
            next: opening.next,
        };
        Self { watch, stand }
    }

    /// Goes on under the worker's limits until it ends (false) or is hyper's (true).
    pub async fn go_on<H: Handler>(&mut self, desk: &Desk<H>) -> bool {
        let Self { watch, stand } = self;
        let mut talk = Talk { stand, desk, watch };
        let end = drive(Pin::new(&mut talk), watch, &desk.limits, &desk.connections).await;
        matches!(end, Some(End::HandOver))
    }

    /// The stream, the bytes that were read from it, and whom they came through.
    pub fn into_parts(self) -> (T, Bytes, Hop) {
        let Stand { io, held, hop, .. } = self.stand;
        (io, held.into(), hop)
    }
}

/// A conversation that goes on.
struct Talk<'a, T, H> {
    stand: &'a mut Stand<T>,
    desk: &'a Desk<H>,
    watch: &'a Watch,
}

enum End {
    Over,
    HandOver,
}

impl<T: Wire, H: Handler> Future for Talk<'_, T, H> {
    type Output = End;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<End> {
        let this = self.get_mut();
        loop {
            if ready!(this.stand.send_rest(cx, this.watch)).is_err() {
                return Poll::Ready(End::Over);
            }
            match this.stand.next {
                Next::Read => {
                    if !ready!(this.read(cx)).unwrap_or(false) {
                        this.stand.next = Next::Close;
                    }
                }
                Next::Answer => this.answer_held(cx),
                Next::HandOver => return Poll::Ready(End::HandOver),
                Next::Close => {
                    let _ = ready!(Pin::new(&mut this.stand.io).poll_shutdown(cx));
                    return Poll::Ready(End::Over);
                }
            }
        }
    }
}

impl<T: Wire, H: Handler> Graceful for Talk<'_, T, H> {
    fn shut_down(self: Pin<&mut Self>) {
        self.get_mut().stand.next = Next::Close;
    }
}

impl<T: Wire, H: Handler> Talk<'_, T, H> {
    /// Reads once and answers what came; false when nothing will come any more.
    fn read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let (stand, desk) = (&mut *self.stand, self.desk);
        let mut buffers = desk.buffers();
        let buffers = &mut *buffers;
        let mut read = ReadBuf::new(&mut buffers.read[..READ_BYTES]);
        ready!(Pin::new(&mut stand.io).poll_read(cx, &mut read))?;
        let bytes = read.filled();
        if bytes.is_empty() {
            return Poll::Ready(Ok(false));
        }
        self.watch.read();
        if stand.held.is_empty() {
            let turn = desk.answer(&stand.hop, bytes, &mut buffers.answers);
            stand.take(cx, self.watch, turn, bytes, &buffers.answers.bytes);
            return Poll::Ready(Ok(true));
        }
        let before = stand.held.len();
        stand.held.extend_from_slice(bytes);
        if may_end(&stand.held, before) || stand.held.len() >= desk.limits.header_bytes_max {
            stand.next = Next::Answer;
        }
        Poll::Ready(Ok(true))
    }

    /// Answers what is held.
    fn answer_held(&mut self, cx: &mut Context<'_>) {
        let mut buffers = self.desk.buffers();
        let held = std::mem::take(&mut self.stand.held);
        let turn = self.desk.answer(&self.stand.hop, &held, &mut buffers.answers);
        self.stand.take(cx, self.watch, turn, &held, &buffers.answers.bytes);
    }
}

impl<T: Wire> Stand<T> {
    /// Sends what is left of the answers.
    fn send_rest(&mut self, cx: &mut Context<'_>, watch: &Watch) -> Poll<io::Result<()>> {
        while !self.unsent.is_empty() {
            match ready!(Pin::new(&mut self.io).poll_write(cx, &self.unsent))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent if sent == self.unsent.len() => self.unsent = Vec::new(),
                sent => drop(self.unsent.drain(..sent)),
            }
            self.is_flushed = false;
        }
        if !self.is_flushed {
            ready!(Pin::new(&mut self.io).poll_flush(cx))?;
            self.is_flushed = true;
            watch.flushed();
            if !self.held.is_empty() {
                watch.read();
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Goes on after `turn` was made of `bytes`: sends the answers, keeps what is left.
    fn take(&mut self, cx: &mut Context<'_>, watch: &Watch, turn: Turn, bytes: &[u8], answers: &[u8]) {
        self.next = turn.then.into();
        self.held = match self.next {
            Next::Close => Vec::new(),
            _ => bytes[turn.used..].to_vec(),
        };
        if answers.is_empty() {
            return;
        }
        watch.wrote();
        self.is_flushed = false;
        let said = match self.next {
            Next::Close => self.io.poll_write_last(cx, answers),
            _ => Pin::new(&mut self.io).poll_write(cx, answers),
        };
        let sent = match said {
            Poll::Ready(Ok(sent)) => sent,
            // An error comes back at the next try.
            Poll::Ready(Err(_)) | Poll::Pending => 0,
        };
        self.unsent = answers[sent..].to_vec();
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use crate::net::testing::{Echo, connect, edge_options, eventually, read_answer, status_of};
    use crate::net::{Edge, EdgeOptions, Limits};
    use std::io::Write;

    /// Connections that rest at once.
    const RESTING: usize = 5_000;
    /// Most memory of a resting connection, in bytes. Alone it takes some 970; what other tests allocate meanwhile counts too.
    const BYTES_MAX: usize = 6_000;

    /// The memory that this process holds, in bytes.
    fn resident() -> usize {
        let status = std::fs::read_to_string("/proc/self/status").expect("a process's status");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .expect("its memory");
        line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") * 1024
    }

    #[test]
    fn a_resting_connection_takes_little() {
        let limits = Limits {
            connections_per_address_max: u32::MAX,
            ..Limits::default()
        };
        let options = EdgeOptions {
            limits,
            ..edge_options()
        };
        let edge = Edge::start(options, |_| Echo).unwrap();
        // Both ends are in this process.
        let enough = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        let count = enough.map_or(RESTING, |most| RESTING.min((most as usize).saturating_sub(200) / 2));
        let mut clients = Vec::with_capacity(count);
        let mut rest = |count: usize| {
            for _ in 0..count {
                let mut client = connect(edge.public_address());
                client.write_all(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
                assert_eq!(status_of(&read_answer(&mut client)), 200);
                clients.push(client);
            }
        };
        rest(count / 10);
        let before = resident();
        rest(count - count / 10);
        let each = resident().saturating_sub(before) / (count - count / 10);
        println!("{each} bytes a resting connection");
        assert!(each <= BYTES_MAX, "{each} bytes");
        eventually("all open", || edge.counters().totals().open == count as u64);
    }
}
