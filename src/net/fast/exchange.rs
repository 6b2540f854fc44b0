//! One exchange on a connection that does not block, in three steps that wait for nothing: what came is read, then
//! answered, then the answers are sent. Between the steps others have theirs.

use std::io::{self, ErrorKind, Read};
use std::ops::Range;

use super::conversation::Opening;
use super::desk::{Buffers, Desk, READ_BYTES, Then};
use super::head::Glance;
use crate::net::edge::Handler;
use crate::net::forwarded::Hop;
use crate::net::wire::After;

/// What came on a connection.
pub(super) enum Heard {
    /// Nothing yet.
    Nothing,
    /// Its end.
    End,
    Bytes(Received),
}

/// Bytes that wait in the worker's buffer to be answered.
pub(super) struct Received {
    bytes: Range<usize>,
    /// Whether more may have come than was read, or the end.
    pub is_cut: bool,
}

/// Answers that wait in the worker's buffer to be sent.
pub(super) struct Unsent {
    answers: Range<usize>,
    then: Then,
    after: After,
    /// Bytes behind those that were answered.
    rest: Vec<u8>,
    is_cut: bool,
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

impl Buffers {
    /// Reads once from `stream`, which must not block, behind what waits to be answered. There must be
    /// [room](Self::has_room).
    pub(super) fn hear(&mut self, mut stream: impl Read) -> Heard {
        let start = self.received;
        let length = match stream.read(&mut self.read[start..start + READ_BYTES]) {
            Ok(0) => return Heard::End,
            Ok(length) => length,
            Err(error) if is_later(error.kind()) => return Heard::Nothing,
            Err(_) => return Heard::End,
        };
        self.received += length;
        Heard::Bytes(Received {
            bytes: start..self.received,
            is_cut: length == READ_BYTES,
        })
    }

    /// Whether one more connection can be heard before what came is answered.
    pub(super) fn has_room(&self) -> bool {
        self.read.len() - self.received >= READ_BYTES
    }
}

impl<H: Handler> Desk<H> {
    /// Shows the handler what it will be asked for, so far as that can be seen at a glance.
    pub(super) fn foresee<'a>(&self, received: impl Iterator<Item = &'a Received>, buffers: &Buffers) {
        let glances = received.filter_map(|received| Glance::at(&buffers.read[received.bytes.clone()]));
        self.handler.foresee(glances);
    }

    /// Puts the answers to what was `received` through `hop` behind those that wait already.
    pub(super) fn respond(&self, received: Received, hop: &Hop, buffers: &mut Buffers) -> Unsent {
        let Buffers { read, answers, .. } = buffers;
        let bytes = &read[received.bytes];
        let start = answers.bytes.len();
        let turn = self.answer(hop, bytes, answers);
        let after = match turn.then {
            // Who is closed because the server stops may have more to say, and closing on that drops what is held back.
            Then::Close if turn.used == bytes.len() && !received.is_cut && !self.connections.is_draining() => {
                After::Close
            }
            Then::Close => After::End,
            Then::Read | Then::Answer | Then::HandOver => After::More,
        };
        Unsent {
            answers: start..answers.bytes.len(),
            then: turn.then,
            after,
            rest: bytes[turn.used..].to_vec(),
            is_cut: received.is_cut,
        }
    }
}

/// Where answers are said, without waiting.
pub(super) trait Say {
    /// Takes `bytes` and sends what the client takes now; how many bytes were taken.
    ///
    /// # Errors
    /// As `write` on a socket that does not block. Nothing was taken then.
    fn say(&mut self, bytes: &[u8], after: After) -> io::Result<usize>;

    /// Whether bytes were taken that the client has not.
    fn is_blocked(&self) -> bool {
        false
    }
}

impl Unsent {
    /// Says on `line` what of `answers` is its own.
    pub(super) fn say(self, line: &mut impl Say, answers: &[u8]) -> Said {
        let answers = &answers[self.answers];
        let sent = match answers.is_empty() {
            true => 0,
            false => match line.say(answers, self.after) {
                Ok(sent) => sent,
                Err(error) if is_later(error.kind()) => 0,
                Err(_) => return Said::Over,
            },
        };
        let is_sent = sent == answers.len() && !line.is_blocked();
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

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;
    use std::sync::Arc;

    use bytes::Bytes;
    use http_body_util::Full;
    use hyper::body::Incoming;
    use hyper::{Request, Response};

    use super::*;
    use crate::net::connections::{Bounds, Connections};
    use crate::net::fast::{AnswerLines, AtOnce, Head};
    use crate::net::forwarded::Peer;
    use crate::net::limits::Limits;
    use crate::net::network::TrustedProxies;

    /// Notes what it is told, in order.
    #[derive(Default)]
    struct Notes(RefCell<Vec<String>>);

    impl Handler for Notes {
        async fn handle(&self, _: Peer, _: Request<Incoming>) -> Response<Full<Bytes>> {
            Response::default()
        }

        fn answer_at_once(&self, _: Peer, head: &Head<'_>, answer: &mut AnswerLines<'_>) -> AtOnce {
            self.0.borrow_mut().push(format!("asked {}", head.path()));
            answer.fixed("HTTP/1.1 204 No Content\r\n");
            AtOnce::Written
        }

        fn foresee<'a>(&self, glances: impl Iterator<Item = Glance<'a>>) {
            let seen = glances.map(|glance| format!("foreseen {}{}", glance.host, glance.path));
            self.0.borrow_mut().extend(seen);
        }
    }

    fn desk() -> (Desk<Notes>, Hop) {
        let (limits, trusted) = (Limits::default(), Arc::new(TrustedProxies::default()));
        let connections = Connections::new(Arc::default(), Bounds::new(&limits));
        let hop = Hop::new([192, 0, 2, 1].into(), false, &trusted);
        (Desk::new(Rc::default(), connections, limits, trusted), hop)
    }

    fn head(path: &str) -> Vec<u8> {
        format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes()
    }

    #[test]
    fn all_are_heard_and_foreseen_before_one_is_answered() {
        let (desk, hop) = desk();
        let mut buffers = desk.buffers();
        let asked = [
            head("/1"),
            b"GET /half HT".to_vec(),
            head("/2"),
            [head("/3"), head("/4")].concat(),
        ];
        let received: Vec<_> = asked
            .iter()
            .map(|bytes| match buffers.hear(&**bytes) {
                Heard::Bytes(received) => received,
                Heard::Nothing | Heard::End => panic!("nothing was heard"),
            })
            .collect();
        assert!(matches!(buffers.hear(&b""[..]), Heard::End));
        desk.foresee(received.iter(), &buffers);
        let lengths = received.into_iter().map(|received| {
            let unsent = desk.respond(received, &hop, &mut buffers);
            (!unsent.answers.is_empty(), unsent.rest.len())
        });
        assert_eq!(
            lengths.collect::<Vec<_>>(),
            [(true, 0), (false, 12), (true, 0), (true, 0)]
        );
        let expected = [
            "foreseen a/1",
            "foreseen a/2",
            "foreseen a/3",
            "asked /1",
            "asked /2",
            "asked /3",
            "asked /4",
        ];
        assert_eq!(*desk.handler.0.borrow(), expected);
    }

    #[test]
    fn as_many_are_heard_as_there_is_room_for() {
        let (desk, _) = desk();
        let mut buffers = desk.buffers();
        let long = vec![b'x'; 2 * READ_BYTES];
        let mut cut = Vec::new();
        while buffers.has_room() {
            match buffers.hear(&*long) {
                Heard::Bytes(received) => cut.push(received.is_cut),
                Heard::Nothing | Heard::End => panic!("nothing was heard"),
            }
        }
        assert_eq!(cut, [true; 5]);
        drop(buffers);
        assert!(desk.buffers().has_room(), "what was answered makes room");
    }
}
