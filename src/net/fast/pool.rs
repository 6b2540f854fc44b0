//! A worker's clear connections that are at rest, or were just accepted.
//!
//! A keep-alive connection rests nearly all of its life, and then wants one exchange. A task, a timer and a wake-up for
//! each would cost more than reading the request; here it is an entry in a list, and one look at the event queue serves
//! many. All that is ready is heard before anything is said: the first answer may wake a whole server in front of this
//! one, and the others find it awake.
//!
//! Whatever is not one exchange (half a head, an answer that the client does not take, what is hyper's, the end of the
//! server) goes on as a task, and does not come back.

use std::cell::RefCell;
use std::io;
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use tokio::task::spawn_local;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::conversation::Opening;
use super::desk::Desk;
use super::exchange::{Heard, Said, Unsent};
use super::queue::Queue;
use crate::net::connections::Guest;
use crate::net::counters::bump;
use crate::net::edge::Handler;
use crate::net::forwarded::Hop;
use crate::net::worker::go_on;

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
    queue: Queue,
    seats: RefCell<Seats>,
}

#[derive(Default)]
struct Seats {
    all: Vec<Option<Seat>>,
    free: Vec<u32>,
    /// Who was heard and not answered.
    unsent: Vec<(u32, Unsent)>,
}

/// A connection.
struct Seat {
    stream: TcpStream,
    hop: Hop,
    guest: Guest,
    /// When it was accepted, or answered last.
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
    pub fn new(desk: Rc<Desk<H>>) -> io::Result<Rc<Self>> {
        Ok(Rc::new(Self {
            desk,
            queue: Queue::new(AT_A_TURN)?,
            seats: RefCell::default(),
        }))
    }

    /// Takes a connection in and hears it; it is answered by [`Self::answer`].
    pub fn admit(&self, stream: TcpStream, hop: Hop, guest: Guest) {
        let seat = Seat {
            stream,
            hop,
            guest,
            since: Instant::now(),
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
        let mut sweeps = interval((limits.first_byte.min(limits.idle) / 4).clamp(SWEEPS.0, SWEEPS.1));
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
        let Some(seat) = seats.all.get(key as usize).and_then(Option::as_ref) else {
            return;
        };
        let mut buffers = self.desk.waiting_buffers();
        let start = buffers.answers.bytes.len();
        // A panic in the handler ends this connection, not the worker's others.
        let heard = catch_unwind(AssertUnwindSafe(|| {
            self.desk.hear(&seat.stream, &seat.hop, &mut buffers)
        }));
        match heard {
            Ok(Heard::Bytes(mut unsent)) => {
                unsent.is_cut |= is_ending;
                seats.unsent.push((key, unsent));
            }
            Ok(Heard::Nothing) if !is_ending => self.watch(seats, key),
            Ok(Heard::Nothing | Heard::End) => drop(seats.leave(key)),
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

    /// Answers everybody who was heard.
    pub fn answer(&self) {
        self.say(&mut self.seats.borrow_mut());
    }

    fn say(&self, seats: &mut Seats) {
        if seats.unsent.is_empty() {
            return;
        }
        let now = Instant::now();
        let mut unsent = std::mem::take(&mut seats.unsent);
        let buffers = self.desk.waiting_buffers();
        for (key, unsent) in unsent.drain(..) {
            let Some(seat) = seats.all[key as usize].as_mut() else {
                continue;
            };
            match unsent.say(&seat.stream, &buffers.answers.bytes) {
                Said::Over => drop(seats.leave(key)),
                Said::Rests => {
                    (seat.since, seat.has_answered) = (now, true);
                    self.watch(seats, key);
                }
                Said::GoesOn(opening) => self.go_on(seats.leave(key), opening),
            }
        }
        seats.unsent = unsent;
        drop(buffers);
        // Empties them.
        drop(self.desk.buffers());
    }

    /// Has the queue tell of the connection `key`.
    fn watch(&self, seats: &mut Seats, key: u32) {
        let Some(seat) = seats.all[key as usize].as_mut().filter(|seat| !seat.is_watched) else {
            return;
        };
        match self.queue.watch(&seat.stream, key) {
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
            self.queue.forget(&seat.stream);
        }
        if let Ok(stream) = tokio::net::TcpStream::from_std(seat.stream) {
            spawn_local(go_on(Rc::clone(&self.desk), stream, seat.hop, seat.guest, opening));
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
                false => (limits.first_byte, true),
            };
            if now.duration_since(seat.since) >= limit {
                if is_fault {
                    bump(&counters.timeouts);
                }
                drop(seats.leave(key));
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
