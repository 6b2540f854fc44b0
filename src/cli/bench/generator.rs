//! The generator: one thread, one event loop, many connections to one target for one slice.
//!
//! Light on purpose, so that it is not what is measured: bare sockets, one read and one write a request, answers parsed no
//! further than [`super::response`] does, nothing allocated per request in clear text. It computes as long as a request is
//! due within a millisecond, so give it a processor of its own. Never retries: a request without an answer is a failure.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::cpu;
use super::draw::Dice;
use super::requests::Requests;
use super::response::{Answer, Reader};
use super::schedule::Schedule;
use super::stats::Stats;
use super::transport::{Tls, Transport};
use crate::cli::failure::Failure;

/// What is read at once, in bytes: any redirect, whole.
const READ_MAX: usize = 64 * 1024;
/// Events that are taken at once.
const EVENTS_MAX: usize = 1024;
/// Longest sleep, so that timeouts are seen and the view moves.
const NAP: Duration = Duration::from_millis(10);
/// How often requests are looked at for having taken too long.
const SWEEP: Duration = Duration::from_millis(50);
/// How long a connection rests after a failure: a server that refuses is not asked in a tight loop.
const REST: Duration = Duration::from_millis(10);
/// How long an open loop waits for answers after the end of a slice.
const DRAIN: Duration = Duration::from_millis(500);
/// How often the watcher is told how far it is.
const TELL: Duration = Duration::from_millis(250);

/// What one thread does in one slice.
#[derive(Debug)]
pub struct Task<'a> {
    pub address: SocketAddr,
    pub tls: Option<&'a Tls>,
    pub requests: &'a Requests,
    pub is_head: bool,
    /// One connection for each request.
    pub is_closing: bool,
    pub connections: usize,
    /// Requests a second of all threads; `None` = as fast as they are answered.
    pub rate: Option<u64>,
    pub thread: usize,
    pub threads: usize,
    /// What comes before is answered, not measured.
    pub measured_from: Instant,
    pub until: Instant,
    /// How long an answer may take.
    pub timeout: Duration,
}

/// A moment of a slice.
#[derive(Debug)]
pub enum Moment<'a> {
    MeasureBegins,
    Going(&'a Stats, Instant),
    MeasureEnds,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing is asked; the connection may be there or not.
    Free,
    Asking,
    /// Answered; the server is about to close.
    Closing,
    Resting,
}

struct Slot {
    transport: Option<Transport>,
    reader: Reader,
    phase: Phase,
    /// When the request was due, or was sent.
    since: Instant,
    /// When the phase began.
    began: Instant,
    request: Vec<u8>,
    sent: usize,
}

/// A slice under way.
struct Slice<'a> {
    task: &'a Task<'a>,
    poll: Poll,
    slots: Vec<Slot>,
    /// Slots of an open loop that wait for a request to be due.
    free: VecDeque<usize>,
    schedule: Option<Schedule>,
    stats: Stats,
    dice: &'a mut Dice,
    buffer: Vec<u8>,
    is_measuring: bool,
    is_draining: bool,
}

/// Runs `task` to its end. `tell` hears of its moments.
///
/// # Errors
/// When the system has no event queue left. What servers do wrong is counted, not returned.
pub fn run(task: &Task<'_>, dice: &mut Dice, tell: &mut dyn FnMut(Moment<'_>)) -> Result<Stats, Failure> {
    let now = Instant::now();
    let slot = |_| Slot {
        transport: None,
        reader: Reader::new(task.is_head),
        phase: Phase::Free,
        since: now,
        began: now,
        request: Vec::new(),
        sent: 0,
    };
    let mut slice = Slice {
        task,
        poll: Poll::new()?,
        slots: (0..task.connections).map(slot).collect(),
        free: (0..task.connections).collect(),
        schedule: task
            .rate
            .map(|rate| slice_schedule(task, rate, now, task.measured_from)),
        stats: Stats::new()?,
        dice,
        buffer: vec![0; READ_MAX],
        is_measuring: false,
        is_draining: false,
    };
    slice.run(tell)?;
    Ok(slice.stats)
}

fn slice_schedule(task: &Task<'_>, rate: u64, from: Instant, until: Instant) -> Schedule {
    Schedule::new(rate, from, until, task.thread as u64, task.threads as u64)
}

impl Slice<'_> {
    fn run(&mut self, tell: &mut dyn FnMut(Moment<'_>)) -> Result<(), Failure> {
        let mut events = Events::with_capacity(EVENTS_MAX);
        let mut swept = Instant::now();
        let mut told = swept;
        let mut busy = 0;
        if self.schedule.is_none() {
            (0..self.slots.len()).for_each(|place| self.start(place, swept));
        }
        loop {
            let now = Instant::now();
            if !self.is_measuring && now >= self.task.measured_from {
                self.is_measuring = true;
                self.stats.begin();
                busy = cpu::own_thread();
                let rate = self.task.rate;
                self.schedule =
                    rate.map(|rate| slice_schedule(self.task, rate, self.task.measured_from, self.task.until));
                tell(Moment::MeasureBegins);
            }
            if now >= self.task.until {
                break;
            }
            if now >= told + TELL {
                told = now;
                tell(Moment::Going(&self.stats, now));
            }
            if now >= swept + SWEEP {
                swept = now;
                self.sweep(now);
            }
            self.send_due(now);
            self.turn(&mut events, now)?;
        }
        tell(Moment::MeasureEnds);
        self.stats.busy_ns = cpu::own_thread().saturating_sub(busy);
        let measured = self.task.until.saturating_duration_since(self.task.measured_from);
        self.stats.seconds = measured.as_secs_f64();
        if self.task.rate.is_some() {
            self.drain(&mut events)?;
        }
        Ok(())
    }

    /// Sleeps until something happens, and deals with it.
    fn turn(&mut self, events: &mut Events, now: Instant) -> Result<(), Failure> {
        let due = match &self.schedule {
            Some(schedule) if !self.free.is_empty() && !self.is_draining => schedule.next_due(),
            _ => None,
        };
        let nap = due.map_or(NAP, |due| due.saturating_duration_since(now).min(NAP));
        // The system sleeps whole milliseconds: less would be late.
        let nap = Duration::from_millis(u64::try_from(nap.as_millis()).unwrap_or(0));
        match self.poll.poll(events, Some(nap)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            polled => polled?,
        }
        for event in events.iter() {
            self.hear(event);
        }
        Ok(())
    }

    /// After the end: answers that are on their way count; whoever has none by then has waited at least so long.
    fn drain(&mut self, events: &mut Events) -> Result<(), Failure> {
        self.is_draining = true;
        let end = self.task.until + DRAIN;
        let is_waiting = |slot: &Slot| slot.phase == Phase::Asking;
        let mut now = Instant::now();
        while now < end && self.slots.iter().any(is_waiting) {
            self.turn(events, now)?;
            now = Instant::now();
        }
        let in_flight: Vec<Instant> = self
            .slots
            .iter()
            .filter(|slot| is_waiting(slot))
            .map(|slot| slot.since)
            .collect();
        for since in in_flight {
            self.record(since, now);
        }
        while let Some(due) = self.schedule.as_mut().and_then(|schedule| schedule.take(now)) {
            self.stats.unsent += 1;
            self.stats.waited(now.saturating_duration_since(due));
        }
        Ok(())
    }

    /// Sends what is due in an open loop, as far as connections are free.
    fn send_due(&mut self, now: Instant) {
        while let Some(place) = self.free.front().copied() {
            let Some(due) = self.schedule.as_mut().and_then(|schedule| schedule.take(now)) else {
                break;
            };
            self.free.pop_front();
            self.start(place, due);
        }
    }

    /// Asks on this slot, on its connection or a new one.
    fn start(&mut self, place: usize, since: Instant) {
        let Some(slot) = self.slots.get_mut(place) else { return };
        self.task.requests.write_next(self.dice, &mut slot.request);
        (slot.since, slot.began, slot.sent, slot.phase) = (since, since.max(slot.began), 0, Phase::Asking);
        if slot.transport.is_none() {
            slot.reader.reset();
            let opened = open(self.task).and_then(|mut transport| {
                slot.sent = transport.send(&slot.request)?;
                let both = Interest::READABLE | Interest::WRITABLE;
                self.poll.registry().register(transport.socket(), Token(place), both)?;
                Ok(transport)
            });
            match opened {
                Ok(transport) => slot.transport = Some(transport),
                Err(error) => self.fail(place, &told(&error)),
            }
            return;
        }
        if let Err(error) = slot.send_rest() {
            self.fail(place, &told(&error));
        }
    }

    fn hear(&mut self, event: &Event) {
        let place = event.token().0;
        let Some(slot) = self.slots.get_mut(place) else { return };
        let is_ended = event.is_read_closed() || event.is_error();
        match slot.phase {
            Phase::Asking => {
                if let Err(error) = slot.send_rest() {
                    return self.fail(place, &told(&error));
                }
                self.receive(place, is_ended);
            }
            Phase::Closing => self.see_the_end(place),
            // An idle connection that the server has closed: the next request opens another.
            Phase::Free if is_ended => slot.transport = None,
            Phase::Free | Phase::Resting => {}
        }
    }

    fn receive(&mut self, place: usize, is_ended: bool) {
        loop {
            let Some(slot) = self.slots.get_mut(place) else { return };
            let Some(transport) = &mut slot.transport else { return };
            let may_hold_more = is_ended || transport.is_buffered();
            let read = match transport.receive(&mut self.buffer) {
                Ok(None) => return,
                Ok(Some(0)) => {
                    return match slot.reader.end() {
                        Ok(answer) => self.answered(place, answer, true),
                        Err(broken) => self.fail(place, broken.as_str()),
                    };
                }
                Ok(Some(read)) => read,
                Err(error) => return self.fail(place, &told(&error)),
            };
            match slot.reader.read(self.buffer.get(..read).unwrap_or_default()) {
                Err(broken) => return self.fail(place, broken.as_str()),
                Ok((used, Some(_))) if used < read => return self.fail(place, "bytes after the answer"),
                Ok((_, Some(answer))) => return self.answered(place, answer, false),
                // The queue tells of what comes after a read that did not fill the buffer.
                Ok((_, None)) if read < self.buffer.len() && !may_hold_more => return,
                Ok((_, None)) => {}
            }
        }
    }

    fn answered(&mut self, place: usize, answer: Answer, is_over: bool) {
        let now = Instant::now();
        *self.stats.statuses.entry(answer.status).or_default() += 1;
        let Some(slot) = self.slots.get_mut(place) else { return };
        let since = slot.since;
        slot.began = now;
        if is_over {
            slot.transport = None;
        }
        let is_closing = !is_over && (answer.is_last || self.task.is_closing);
        slot.phase = if is_closing { Phase::Closing } else { Phase::Free };
        if !self.is_draining {
            self.stats.answered += 1;
        }
        self.record(since, now);
        if is_closing {
            self.see_the_end(place);
        } else {
            self.go_on(place, now);
        }
    }

    /// A latency counts when its request was due in the measured time; a closed loop has sent it then.
    fn record(&mut self, since: Instant, now: Instant) {
        if self.is_measuring && since >= self.task.measured_from {
            self.stats.waited(now.saturating_duration_since(since));
        }
    }

    /// Waits for the server to close first, as browsers do with `Connection: close`: then the server's side, not ours, keeps
    /// the pair of ports for a while, and we never run out of ports.
    fn see_the_end(&mut self, place: usize) {
        let Some(slot) = self.slots.get_mut(place) else { return };
        while let Some(transport) = &mut slot.transport {
            match transport.receive(&mut self.buffer) {
                Ok(None) => return,
                Ok(Some(0)) | Err(_) => slot.transport = None,
                Ok(Some(_)) => {
                    self.fail(place, "bytes after the answer");
                    return;
                }
            }
        }
        slot.phase = Phase::Free;
        self.go_on(place, Instant::now());
    }

    /// The slot is free again.
    fn go_on(&mut self, place: usize, now: Instant) {
        match (&self.schedule, self.is_draining) {
            (_, true) => {}
            (Some(_), false) => self.free.push_back(place),
            (None, false) => self.start(place, now),
        }
    }

    fn fail(&mut self, place: usize, why: &str) {
        *self.stats.failures.entry(why.to_owned()).or_default() += 1;
        let now = Instant::now();
        let Some(slot) = self.slots.get_mut(place) else { return };
        (slot.transport, slot.phase, slot.began) = (None, Phase::Resting, now);
    }

    /// Ends what takes too long, and rests that are over.
    fn sweep(&mut self, now: Instant) {
        for place in 0..self.slots.len() {
            let Some(slot) = self.slots.get_mut(place) else { return };
            let age = now.saturating_duration_since(slot.began);
            match slot.phase {
                Phase::Asking if age > self.task.timeout => {
                    // Whoever gives up has waited all the same; a quick refusal is no latency.
                    let since = slot.since;
                    self.record(since, now);
                    self.fail(place, "no answer in time");
                }
                Phase::Closing if age > self.task.timeout => self.fail(place, "not closed though asked to"),
                Phase::Resting if age >= REST => {
                    slot.phase = Phase::Free;
                    self.go_on(place, now);
                }
                _ => {}
            }
        }
    }
}

impl Slot {
    fn send_rest(&mut self) -> io::Result<()> {
        let Some(transport) = &mut self.transport else {
            return Ok(());
        };
        while let Some(rest) = self.request.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match transport.send(rest)? {
                0 => break,
                sent => self.sent += sent,
            }
        }
        transport.flush()
    }
}

fn open(task: &Task<'_>) -> io::Result<Transport> {
    let socket = TcpStream::connect(task.address)?;
    if !task.is_closing {
        socket.set_nodelay(true)?;
    }
    Transport::new(socket, task.tls)
}

/// Few words for each kind, so that failures can be counted by them.
fn told(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted => {
            "connection reset".to_owned()
        }
        ErrorKind::AddrNotAvailable => "this machine has no port left: use keep-alive, or fewer connections".to_owned(),
        ErrorKind::InvalidData => format!("TLS: {error}"),
        _ => error.to_string(),
    }
}
