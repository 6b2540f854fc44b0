//! A worker's connections that are at rest, or were just accepted.
//!
//! A keep-alive connection rests nearly all of its life, and then wants one exchange. A task, a timer and a wake-up for
//! each would cost more than reading the request; here it is an entry in a list, and one look at the event queue serves
//! many. All that is ready is read before anything is answered, and answered before anything is said. So the handler can
//! look ahead at all that it will be asked for, its code and its tables stay near while it answers, and when the first
//! answer wakes a whole server in front of this one, the others find it awake.
//!
//! Whatever is not one exchange (half a head, an answer that the client does not take, what is hyper's, the end of the
//! server) goes on as a task, and does not come back.

use std::cell::{Cell, RefCell};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::spawn_local;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_rustls::TlsAcceptor;

use super::conversation::Opening;
use super::desk::Desk;
use super::exchange::{Heard, Received, Said, Unsent};
use super::line::Line;
use super::queue::Queue;
use crate::net::connections::Guest;
use crate::net::counters::bump;
use crate::net::edge::Handler;
use crate::net::forwarded::Hop;
use crate::net::worker::{go_on, go_on_secure};

/// Most connections that are heard before answers are sent. 64: a quarter of a millisecond.
const AT_A_TURN: usize = 64;
/// Answers are sent before there is a connection too many to hear once they are this long, so that pages do not pile up.
const ANSWERS_BYTES: usize = 256 * 1024;
/// How often connections are looked for that rest too long: a quarter of the shortest time that one may rest, within
/// these bounds. A second: nobody notices, and a look at 65,536 takes a tenth of a millisecond.
const SWEEPS: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// The connections of one worker.
pub(in crate::net) struct Pool<H> {
    desk: Rc<Desk<H>>,
    /// What secure connections go on with.
    tls: Option<TlsAcceptor>,
    queue: Queue,
    seats: RefCell<Seats>,
    /// When this turn looked at the clock.
    now: Cell<Option<Instant>>,
}

#[derive(Default)]
struct Seats {
    all: Vec<Option<Seat>>,
    free: Vec<u32>,
    /// Who was heard and not answered.
    received: Vec<(u32, Received)>,
    /// Whose answers were not sent.
    unsent: Vec<(u32, Unsent)>,
}

/// A connection.
struct Seat {
    line: Line,
    hop: Hop,
    guest: Guest,
    /// When it was accepted, had shaken hands, or was answered last.
    since: Instant,
    has_answered: bool,
    /// Whether the queue tells of it.
    is_watched: bool,
}

impl<H: Handler> Pool<H> {
    /// A pool without connections. To be called on the worker's runtime.
    ///
    /// # Errors
    /// When there is no event queue to be had.
    pub fn new(desk: Rc<Desk<H>>, tls: Option<TlsAcceptor>) -> io::Result<Rc<Self>> {
        Ok(Rc::new(Self {
            desk,
            tls,
            queue: Queue::new(AT_A_TURN)?,
            seats: RefCell::default(),
            now: Cell::default(),
        }))
    }

    /// Takes a connection in and hears it; it is answered by [`Self::answer`].
    pub fn admit(&self, line: Line, hop: Hop, guest: Guest) {
        let seat = Seat {
            line,
            hop,
            guest,
            since: self.now(),
            has_answered: false,
            is_watched: false,
        };
        let mut seats = self.seats.borrow_mut();
        let key = seats.seat(seat);
        self.hear(&mut seats, key, false);
    }

    /// Serves those who rest, until the worker drains; then everybody goes on alone.
    pub async fn serve(self: Rc<Self>) {
        let limits = &self.desk.limits;
        let shortest = limits.first_byte.min(limits.idle).min(limits.handshake);
        let mut sweeps = interval((shortest / 4).clamp(SWEEPS.0, SWEEPS.1));
        sweeps.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut draining = pin!(self.desk.connections.draining());
        loop {
            let hear = |ready: super::queue::Ready| {
                self.hear(&mut self.seats.borrow_mut(), ready.key, ready.is_ending);
            };
            tokio::select! {
                biased;
                () = &mut draining => break,
                taken = self.queue.take(hear) => {
                    self.answer();
                    match taken {
                        Ok(true) => {}
                        Ok(false) => tokio::task::yield_now().await,
                        // The reactor is gone, and the worker with it.
                        Err(_) => break,
                    }
                }
                _ = sweeps.tick() => self.sweep(Instant::now()),
            }
        }
        let seats = &mut *self.seats.borrow_mut();
        for key in 0..seats.all.len() as u32 {
            let left = seats.leave(key);
            let opening = Opening::at_rest(left.as_ref().is_some_and(|seat| seat.has_answered));
            self.go_on(left, opening);
        }
    }

    /// Hears what the connection `key` says; `is_ending`: it will say no more.
    fn hear(&self, seats: &mut Seats, key: u32, is_ending: bool) {
        let Some(seat) = seats.all.get_mut(key as usize).and_then(Option::as_mut) else {
            return;
        };
        let mut buffers = self.desk.waiting_buffers();
        let was_handshaking = seat.line.is_handshaking();
        // A panic in a handshake ends this connection, not the worker's others.
        let heard = catch_unwind(AssertUnwindSafe(|| buffers.hear(&mut seat.line)));
        if was_handshaking && !seat.line.is_handshaking() {
            seat.since = self.now();
        }
        match heard {
            Ok(Heard::Bytes(mut received)) => {
                received.is_cut |= is_ending || seat.line.has_more();
                seats.received.push((key, received));
            }
            Ok(Heard::Nothing) if seat.line.is_for_a_task() => {
                let opening = Opening::at_rest(seat.has_answered);
                self.go_on(seats.leave(key), opening);
            }
            Ok(Heard::Nothing) if !is_ending => self.watch(seats, key),
            Ok(Heard::Nothing | Heard::End) => self.end(seats.leave(key)),
            Err(_) => {
                bump(&self.desk.connections.counters.panics);
                drop(seats.leave(key));
            }
        }
        if !buffers.has_room() {
            drop(buffers);
            self.respond(seats);
        }
    }

    /// Answers everybody who was heard.
    pub fn answer(&self) {
        self.respond(&mut self.seats.borrow_mut());
        self.now.set(None);
    }

    /// The time, looked at once a turn: limits are longer than that.
    fn now(&self) -> Instant {
        let now = self.now.get().unwrap_or_else(Instant::now);
        self.now.set(Some(now));
        now
    }

    fn respond(&self, seats: &mut Seats) {
        let mut received = std::mem::take(&mut seats.received);
        // One alone has nobody to be looked ahead for.
        if received.len() > 1 {
            self.foresee(&received);
        }
        for (key, received) in received.drain(..) {
            let Some(seat) = &seats.all[key as usize] else { continue };
            let mut buffers = self.desk.waiting_buffers();
            let start = buffers.answers.bytes.len();
            // A panic in the handler ends this connection, not the worker's others.
            let answered = catch_unwind(AssertUnwindSafe(|| {
                self.desk.respond(received, &seat.hop, &mut buffers)
            }));
            match answered {
                Ok(unsent) => seats.unsent.push((key, unsent)),
                Err(_) => {
                    buffers.answers.bytes.truncate(start);
                    bump(&self.desk.connections.counters.panics);
                    drop(seats.leave(key));
                }
            }
            if buffers.answers.bytes.len() >= ANSWERS_BYTES {
                drop(buffers);
                self.say(seats);
            }
        }
        seats.received = received;
        self.say(seats);
        // Empties them.
        drop(self.desk.buffers());
    }

    fn foresee(&self, received: &[(u32, Received)]) {
        let buffers = self.desk.waiting_buffers();
        let looked = catch_unwind(AssertUnwindSafe(|| {
            self.desk
                .foresee(received.iter().map(|(_, received)| received), &buffers);
        }));
        if looked.is_err() {
            bump(&self.desk.connections.counters.panics);
        }
    }

    fn say(&self, seats: &mut Seats) {
        if seats.unsent.is_empty() {
            return;
        }
        let now = self.now();
        let mut unsent = std::mem::take(&mut seats.unsent);
        let mut buffers = self.desk.waiting_buffers();
        for (key, unsent) in unsent.drain(..) {
            let Some(seat) = seats.all[key as usize].as_mut() else {
                continue;
            };
            match unsent.say(&mut seat.line, &buffers.answers.bytes) {
                Said::Over => drop(seats.leave(key)),
                Said::Rests => {
                    (seat.since, seat.has_answered) = (now, true);
                    self.watch(seats, key);
                }
                Said::GoesOn(opening) => self.go_on(seats.leave(key), opening),
            }
        }
        seats.unsent = unsent;
        buffers.answers.clear();
    }

    /// Has the queue tell of the connection `key`.
    fn watch(&self, seats: &mut Seats, key: u32) {
        let Some(seat) = seats.all[key as usize].as_mut().filter(|seat| !seat.is_watched) else {
            return;
        };
        match self.queue.watch(seat.line.socket(), key) {
            Ok(()) => seat.is_watched = true,
            Err(_) => {
                let opening = Opening::at_rest(seat.has_answered);
                self.go_on(seats.leave(key), opening);
            }
        }
    }

    /// Goes on with a connection that left its seat.
    fn go_on(&self, left: Option<Seat>, opening: Opening) {
        let Some(seat) = left else { return };
        if seat.is_watched {
            self.queue.forget(seat.line.socket());
        }
        let desk = Rc::clone(&self.desk);
        match seat.line {
            Line::Clear(socket) => {
                if let Ok(stream) = tokio::net::TcpStream::from_std(socket) {
                    spawn_local(go_on(desk, stream, seat.hop, seat.guest, opening));
                }
            }
            Line::Secure(secure) => {
                // There is one where there are secure lines.
                let Some(tls) = self.tls.clone() else { return };
                let since = seat.since;
                spawn_local(go_on_secure(desk, tls, secure, since, seat.hop, seat.guest, opening));
            }
        }
    }

    /// Ends a connection that left its seat because its client did, or rested too long.
    fn end(&self, left: Option<Seat>) {
        let Some(mut seat) = left else { return };
        match seat.line.is_handshaking() {
            true => bump(&self.desk.connections.counters.handshake_failures),
            false => seat.line.say_goodbye(),
        }
    }

    /// Ends connections that rested too long at `now`.
    fn sweep(&self, now: Instant) {
        let (limits, counters) = (&self.desk.limits, &self.desk.connections.counters);
        let seats = &mut *self.seats.borrow_mut();
        for key in 0..seats.all.len() as u32 {
            let Some(seat) = &seats.all[key as usize] else { continue };
            let (limit, is_fault) = match seat.has_answered {
                true => (limits.idle, false),
                false if seat.line.is_handshaking() => (limits.handshake, false),
                false => (limits.first_byte, true),
            };
            if now.duration_since(seat.since) >= limit {
                if is_fault {
                    bump(&counters.timeouts);
                }
                self.end(seats.leave(key));
            }
        }
    }
}

impl Seats {
    /// Gives a connection a place; its key.
    fn seat(&mut self, seat: Seat) -> u32 {
        match self.free.pop() {
            Some(key) => {
                self.all[key as usize] = Some(seat);
                key
            }
            None => {
                self.all.push(Some(seat));
                // At most `connections_max`.
                (self.all.len() - 1) as u32
            }
        }
    }

    fn leave(&mut self, key: u32) -> Option<Seat> {
        let seat = self.all[key as usize].take();
        self.free.extend(seat.is_some().then_some(key));
        seat
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpStream;
    use std::time::Duration;

    use super::AT_A_TURN;
    use crate::net::testing::{Echo, connect, edge_options, eventually, read_answer, read_to_close, status_of};
    use crate::net::{Edge, EdgeOptions, Limits};

    fn edge() -> Edge {
        Edge::start(edge_options(), |_| Echo).unwrap()
    }

    fn ask(client: &mut TcpStream, path: &str) {
        write!(client, "GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    }

    #[test]
    fn each_of_many_is_told_its_own_answers() {
        let edge = edge();
        let mut clients: Vec<_> = (0..3 * AT_A_TURN).map(|_| connect(edge.public_address())).collect();
        for round in 0..4 {
            // All of them, then every other one, so that places in a turn change.
            let comes = |place: usize| round % 2 == 0 || place.is_multiple_of(2);
            for (place, client) in clients.iter_mut().enumerate().filter(|(place, _)| comes(*place)) {
                ask(client, &format!("/{round}-{place}"));
            }
            for (place, client) in clients.iter_mut().enumerate().filter(|(place, _)| comes(*place)) {
                let answer = read_answer(client);
                let own = format!("GET /{round}-{place} 127.0.0.1 clear ");
                assert!(answer.ends_with(&own), "{place}: {answer}");
            }
        }
        // Places that became free are taken again.
        clients.truncate(AT_A_TURN);
        eventually("two thirds left", || edge.counters().totals().open == AT_A_TURN as u64);
        clients.extend((0..AT_A_TURN).map(|_| connect(edge.public_address())));
        for (place, client) in clients.iter_mut().enumerate() {
            ask(client, &format!("/again-{place}"));
            assert!(read_answer(client).ends_with(&format!("GET /again-{place} 127.0.0.1 clear ")));
        }
    }

    #[test]
    fn who_does_not_rest_goes_on_alone() {
        let edge = edge();
        let mut other = connect(edge.public_address());
        ask(&mut other, "/other");
        read_answer(&mut other);
        let mut client = connect(edge.public_address());
        for round in 0..3 {
            // By the long way, in halves, and two at once with half a third.
            ask(&mut client, "/x?long");
            assert!(read_answer(&mut client).contains("GET /x?long "), "{round}");
            client.write_all(b"GET /half HTTP/1.1\r\nHo").unwrap();
            ask(&mut other, "/between");
            assert!(read_answer(&mut other).contains("/between"));
            client.write_all(b"st: a\r\n\r\n").unwrap();
            assert!(read_answer(&mut client).contains("GET /half "), "{round}");
        }
        let mut ahead = connect(edge.public_address());
        ask(&mut ahead, "/first");
        read_answer(&mut ahead);
        ahead
            .write_all(b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HTTP/1.1\r\n")
            .unwrap();
        ahead.write_all(b"Host: a\r\nConnection: close\r\n\r\n").unwrap();
        let answers = read_to_close(&mut ahead);
        assert_eq!(answers.matches("HTTP/1.1 200").count(), 3, "{answers}");
    }

    #[test]
    fn an_end_that_comes_with_a_request_is_noticed() {
        let edge = edge();
        let mut client = connect(edge.public_address());
        for path in ["/1", "/2"] {
            ask(&mut client, path);
            assert_eq!(status_of(&read_answer(&mut client)), 200);
        }
        ask(&mut client, "/last");
        client.shutdown(std::net::Shutdown::Write).unwrap();
        assert!(read_to_close(&mut client).contains("GET /last "));
        eventually("none open", || edge.counters().totals().open == 0);
    }

    #[test]
    fn a_handler_that_panics_takes_nobody_along() {
        let edge = edge();
        let mut clients: Vec<_> = (0..8).map(|_| connect(edge.public_address())).collect();
        for path in ["/calm", "/panic"] {
            for (place, client) in clients.iter_mut().enumerate() {
                ask(client, if place == 3 { path } else { "/calm" });
            }
            for (place, client) in clients.iter_mut().enumerate() {
                match (place, path) {
                    (3, "/panic") => assert_eq!(read_to_close(client), ""),
                    _ => assert!(read_answer(client).contains("GET /calm ")),
                }
            }
        }
        assert_eq!(edge.counters().totals().panics, 1);
        eventually("the others are there", || edge.counters().totals().open == 7);
    }

    #[test]
    fn those_who_rest_end_with_the_server_and_are_heard_before() {
        let edge = Edge::start(
            EdgeOptions {
                limits: Limits {
                    idle: Duration::from_secs(600),
                    ..Limits::default()
                },
                ..edge_options()
            },
            |_| Echo,
        )
        .unwrap();
        let mut resting = connect(edge.public_address());
        ask(&mut resting, "/x");
        read_answer(&mut resting);
        ask(&mut resting, "/sent-before-the-stop");
        edge.stop(Duration::from_secs(10));
        let answer = read_to_close(&mut resting);
        assert!(answer.contains("/sent-before-the-stop"), "{answer}");
    }
}
