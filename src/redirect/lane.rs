//! The way of clicks out of the hot path: one bounded ring of bytes a worker, one reader.
//!
//! A full ring never delays a reply: the click's detail is dropped and its count kept, per link, until there is room.
//! Records lie in a [`Ring`], which may be a file that outlives the process: then neither a kill nor a panic takes a
//! click away, for the next start reads what the journal lacks.
//!
//! Payload of a record: kind (1), then the fields in the order of `NewClick::encode`, little endian, texts with a
//! 2-byte length. Region and city come last, both or, when neither is known, none: rings of version 1 have none. Instead
//! of the user agent's text, a length of 65,535 and the numbers of what it says may stand: in rings of version 1 and 2
//! none do. A change of it raises the version of the ring.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::Thread;

use tokio::sync::watch;

use super::lost::{LostCounts, left_over};
use super::ring::{RECORD_HEAD, Ring, RingReader, RingWriter};
use crate::domain::click::{ClickClass, ClickFlags, LostDetail, Outcome, Tapped, cut};
use crate::domain::id::{DomainNo, LinkNo, WorkspaceNo};
use crate::domain::time::Timestamp;
use crate::domain::user_agent::{USER_AGENT_MAX, UserAgent};
use crate::domain::visitor::{TOUCHES_MAX, Touch};

/// Counts of lost details passed on with one click: a reply after an outage must not wait for thousands.
const LOST_PER_PUSH: usize = 16;

const KIND_CLICK: u8 = 1;
const KIND_LOST: u8 = 2;

/// Position of a ring of which nothing will ever be read again.
pub const ENDED: u64 = u64::MAX;

/// A click as the hot path saw it: nothing parsed that the writer can parse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewClick<'a> {
    pub sequence: u64,
    pub at: Timestamp,
    pub workspace: WorkspaceNo,
    pub domain: DomainNo,
    pub link: LinkNo,
    pub flags: ClickFlags,
    pub outcome: Outcome,
    pub variant: u8,
    /// ISO 3166-1 alpha-2; zeros = unknown.
    pub country: [u8; 2],
    /// Code of the region in the country; empty = unknown.
    pub region: &'a str,
    /// Name of the city; empty = unknown.
    pub city: &'a str,
    /// The visitor of the cookie that came with the request; 0 = none.
    pub visitor_known: u64,
    /// The visitor of a cookie that was newly set; 0 = none.
    pub visitor_new: u64,
    /// Keyed hash of address and user agent; 0 = none.
    pub identity: u64,
    pub user_agent: Agent<'a>,
    pub language: &'a str,
    pub referrer: &'a str,
    pub utm: [&'a str; 5],
    pub journey: &'a [Touch],
    /// There if and only if [`ClickFlags::TAP`] is set.
    pub tapped: Option<Tapped>,
}

/// The program that followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Agent<'a> {
    /// As the request named it; the record has the first [`USER_AGENT_MAX`] bytes.
    Text(&'a str),
    /// What that says.
    Parsed(UserAgent),
}

/// Stands where a text's length does, before the numbers of what it says: longer than any user agent is.
const PARSED: u16 = u16::MAX;
const _: () = assert!(USER_AGENT_MAX < PARSED as usize);

/// What a reader gets.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "lives on the reader's stack, one at a time")]
pub enum LaneRecord<'a> {
    /// A click; the journey follows separately because it is unpacked.
    Click(NewClick<'a>),
    /// Counts of clicks whose detail did not fit.
    Lost(LostDetail),
}

/// Shared between a lane's two ends and whoever waits for its clicks to be durable.
#[derive(Debug)]
struct Shared {
    durable: watch::Sender<u64>,
    is_reader_asleep: AtomicBool,
    /// Nothing will be pushed any more.
    is_ended: AtomicBool,
    pushed: AtomicU64,
}

impl Shared {
    fn new(is_ended: bool) -> Arc<Self> {
        Arc::new(Self {
            durable: watch::Sender::new(0),
            is_reader_asleep: AtomicBool::new(false),
            is_ended: AtomicBool::new(is_ended),
            pushed: AtomicU64::new(0),
        })
    }
}

/// The worker's end.
#[derive(Debug)]
pub struct Lane {
    ring: RingWriter,
    shared: Arc<Shared>,
    reader: Option<Thread>,
    pushed: u64,
    scratch: Vec<u8>,
    lost: LostCounts,
}

/// The recorder's end.
#[derive(Debug)]
pub struct LaneReader {
    ring: RingReader,
    shared: Arc<Shared>,
    /// Records read.
    read: u64,
    scratch: Vec<u8>,
    journey: Vec<Touch>,
    /// Whether the counts that found no room until the end were read: nothing can follow them.
    is_over: bool,
}

/// The ring had no room for a click's detail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// Proof that a click was queued; tells when it is on disk.
#[derive(Debug, Clone)]
pub struct Ticket {
    /// The click is durable once the number in `durable` reaches this one.
    pub position: u64,
    pub durable: watch::Receiver<u64>,
}

impl Lane {
    /// A lane in the process's own memory, with room for `bytes` bytes.
    pub fn new(bytes: usize) -> (Lane, LaneReader) {
        Self::through(Ring::in_memory(bytes))
    }

    /// A lane through `ring`, which must be new.
    pub fn through(ring: Ring) -> (Lane, LaneReader) {
        let ring = Arc::new(ring);
        let shared = Shared::new(false);
        let lane = Lane {
            ring: RingWriter::new(Arc::clone(&ring)),
            shared: Arc::clone(&shared),
            reader: None,
            pushed: 0,
            scratch: Vec::with_capacity(1024),
            lost: LostCounts::new(),
        };
        (lane, LaneReader::new(RingReader::new(ring), shared))
    }

    /// Names the thread that reads, so that a push can wake it when it sleeps.
    pub fn wake_on_push(&mut self, reader: Thread) {
        self.reader = Some(reader);
    }

    /// Queues `click`; the ticket is there if it is wanted.
    ///
    /// # Errors
    /// There is no room: only its count is kept.
    pub fn push(&mut self, click: &NewClick<'_>, wants_ticket: bool) -> Result<Option<Ticket>, Full> {
        if self.has_lost() {
            self.pass_on(LOST_PER_PUSH);
        }
        self.scratch.clear();
        click.encode(&mut self.scratch);
        if !self.ring.push(&mut self.scratch) {
            self.lost.add(&self.ring.ring, click);
            return Err(Full);
        }
        self.pushed();
        Ok(wants_ticket.then(|| Ticket {
            position: self.ring.position(),
            durable: self.shared.durable.subscribe(),
        }))
    }

    /// Passes on the counts of clicks whose detail was dropped, as far as there is room.
    pub fn flush_lost(&mut self) {
        if self.has_lost() {
            self.pass_on(usize::MAX);
            self.wake();
        }
    }

    /// Whether counts wait for room.
    pub fn has_lost(&self) -> bool {
        !self.lost.is_empty()
    }

    fn pass_on(&mut self, most: usize) {
        let Self {
            ring,
            lost,
            scratch,
            shared,
            pushed,
            ..
        } = self;
        let of = Arc::clone(&ring.ring);
        lost.pass_on(&of, most, |detail, mark| {
            scratch.clear();
            encode_lost(&detail, scratch);
            let Some(end) = ring.room_for(scratch.len()) else {
                return false;
            };
            mark(end);
            if !ring.push(scratch) {
                return false;
            }
            *pushed += 1;
            shared.pushed.store(*pushed, Ordering::SeqCst);
            true
        });
    }

    fn pushed(&mut self) {
        self.pushed += 1;
        // Both this and the look at who sleeps are in one order with what `may_sleep` does: the one sees the other.
        self.shared.pushed.store(self.pushed, Ordering::SeqCst);
        self.wake();
    }

    /// Wakes the reader if it sleeps.
    fn wake(&self) {
        if let Some(reader) = &self.reader
            && self.shared.is_reader_asleep.load(Ordering::SeqCst)
            && self.shared.is_reader_asleep.swap(false, Ordering::SeqCst)
        {
            reader.unpark();
        }
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.shared.is_ended.store(true, Ordering::Release);
    }
}

impl LaneReader {
    fn new(ring: RingReader, shared: Arc<Shared>) -> Self {
        Self {
            ring,
            shared,
            read: 0,
            scratch: Vec::new(),
            journey: Vec::new(),
            is_over: false,
        }
    }

    /// What a process left behind in `ring`, after the position up to which the journal has it. `None` when it has
    /// everything: then the ring's file goes.
    pub fn of_left(ring: Ring, journaled: u64) -> Option<Self> {
        if journaled == ENDED {
            ring.remove();
            return None;
        }
        Some(Self::new(RingReader::of_left(ring, journaled), Shared::new(true)))
    }

    /// Hands the next record to `take`; `false` when there is none now.
    pub fn next(&mut self, take: impl FnOnce(LaneRecord<'_>)) -> bool {
        while self.ring.next(&mut self.scratch) {
            self.read += 1;
            if let Some(record) = decode(&self.scratch, &mut self.journey) {
                take(record);
                return true;
            }
            self.ring.damaged += self.scratch.len() as u64;
        }
        false
    }

    /// The counts that found no room until the end, at most a slot's each and all at once: they have no position of
    /// their own, so they belong into one append. `None` as long as something may still come, and when they were taken.
    pub fn left_over(&mut self) -> Option<Vec<LostDetail>> {
        // Looked at first: what was pushed before the end is seen below.
        let is_ended = self.shared.is_ended.load(Ordering::Acquire);
        if !is_ended || self.is_over || !self.ring.is_empty() {
            return None;
        }
        self.is_over = true;
        Some(left_over(&self.ring.ring, self.ring.position()))
    }

    /// What the journal knows the lane's ring by; 0 for one in memory.
    pub fn ring(&self) -> u64 {
        self.ring.ring.id()
    }

    /// Position after the last record that was read; [`ENDED`] once nothing can follow.
    pub fn position(&self) -> u64 {
        if self.is_over { ENDED } else { self.ring.position() }
    }

    /// Bytes in which nothing could be read: clicks that are lost, and nobody knows how many.
    pub fn damaged(&self) -> u64 {
        self.ring.damaged
    }

    /// Records queued and not yet read.
    pub fn waiting(&self) -> u64 {
        self.shared.pushed.load(Ordering::Acquire).saturating_sub(self.read)
    }

    /// Says that all records up to `position` are in the journal, synced: their room is free, and who waits is told.
    /// After [`ENDED`] the ring's file is gone.
    pub fn acknowledge(&self, position: u64) {
        if position == ENDED {
            self.ring.acknowledge(self.ring.position());
            self.ring.ring.remove();
        } else {
            self.ring.acknowledge(position);
        }
        self.shared.durable.send_if_modified(|durable| {
            let is_newer = position > *durable;
            *durable = position.max(*durable);
            is_newer
        });
    }

    /// Announces that the reader is about to sleep: the next push wakes it. `false` when a record came meanwhile and it
    /// must not.
    pub fn may_sleep(&mut self) -> bool {
        self.shared.is_reader_asleep.store(true, Ordering::SeqCst);
        self.shared.pushed.load(Ordering::SeqCst) <= self.read || self.ring.is_empty()
    }

    /// Says that the reader is awake: pushes need not wake it.
    pub fn is_awake(&self) {
        self.shared.is_reader_asleep.store(false, Ordering::SeqCst);
    }
}

impl NewClick<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[0; RECORD_HEAD]);
        out.push(KIND_CLICK);
        out.extend_from_slice(&self.sequence.to_le_bytes());
        out.extend_from_slice(&self.at.0.to_le_bytes());
        out.extend_from_slice(&self.workspace.0.to_le_bytes());
        out.extend_from_slice(&self.domain.0.to_le_bytes());
        out.extend_from_slice(&self.link.0.to_le_bytes());
        out.extend_from_slice(&self.flags.0.to_le_bytes());
        out.extend_from_slice(&[self.outcome as u8, self.variant]);
        out.extend_from_slice(&self.country);
        out.extend_from_slice(&self.visitor_known.to_le_bytes());
        out.extend_from_slice(&self.visitor_new.to_le_bytes());
        out.extend_from_slice(&self.identity.to_le_bytes());
        match self.user_agent {
            Agent::Text(text) => encode_text(cut(text, USER_AGENT_MAX), out),
            Agent::Parsed(parsed) => {
                out.extend_from_slice(&PARSED.to_le_bytes());
                out.extend_from_slice(&parsed.codes());
            }
        }
        for text in [self.language, self.referrer].iter().chain(&self.utm) {
            encode_text(text, out);
        }
        let journey = &self.journey[..self.journey.len().min(TOUCHES_MAX)];
        out.push(journey.len() as u8);
        for touch in journey {
            out.extend_from_slice(&touch.link.0.to_le_bytes());
            out.extend_from_slice(&touch.seconds.to_le_bytes());
        }
        if let Some(tapped) = self.tapped.filter(|_| self.flags.has(ClickFlags::TAP)) {
            out.extend_from_slice(&tapped.sequence.to_le_bytes());
            out.extend_from_slice(&tapped.at.0.to_le_bytes());
        }
        if !self.region.is_empty() || !self.city.is_empty() {
            encode_text(self.region, out);
            encode_text(self.city, out);
        }
    }
}

fn encode_text(text: &str, out: &mut Vec<u8>) {
    let bytes = &text.as_bytes()[..text.len().min(usize::from(u16::MAX))];
    out.extend_from_slice(&(bytes.len() as u16).to_le_bytes());
    out.extend_from_slice(bytes);
}

fn encode_lost(lost: &LostDetail, out: &mut Vec<u8>) {
    out.extend_from_slice(&[0; RECORD_HEAD]);
    out.push(KIND_LOST);
    out.extend_from_slice(&lost.at.0.to_le_bytes());
    out.extend_from_slice(&lost.workspace.0.to_le_bytes());
    out.extend_from_slice(&lost.link.0.to_le_bytes());
    out.extend_from_slice(&[lost.class as u8, u8::from(lost.is_use)]);
    out.extend_from_slice(&lost.count.to_le_bytes());
}

/// Reads fields off the front of a record; every step fails softly on a short one.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn u32(&mut self) -> Option<u32> {
        self.bytes().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.bytes().map(u64::from_le_bytes)
    }

    fn agent(&mut self) -> Option<Agent<'a>> {
        match u16::from_le_bytes(self.bytes()?) {
            PARSED => self.bytes().map(|codes| Agent::Parsed(UserAgent::of_codes(codes))),
            length => self.text_of(length).map(Agent::Text),
        }
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = u16::from_le_bytes(self.bytes()?);
        self.text_of(length)
    }

    fn text_of(&mut self, length: u16) -> Option<&'a str> {
        let (head, rest) = self.0.split_at_checked(usize::from(length))?;
        self.0 = rest;
        // Most parameters are empty.
        Some(match head {
            [] => "",
            text => std::str::from_utf8(text).unwrap_or_default(),
        })
    }
}

fn decode<'a>(record: &'a [u8], journey: &'a mut Vec<Touch>) -> Option<LaneRecord<'a>> {
    let mut fields = Fields(record);
    match fields.bytes::<1>()?[0] {
        KIND_CLICK => decode_click(&mut fields, journey).map(LaneRecord::Click),
        KIND_LOST => decode_lost(&mut fields).map(LaneRecord::Lost),
        _ => None,
    }
}

fn decode_click<'a>(fields: &mut Fields<'a>, journey: &'a mut Vec<Touch>) -> Option<NewClick<'a>> {
    let sequence = fields.u64()?;
    let at = Timestamp(i64::from_le_bytes(fields.bytes()?));
    let (workspace, domain, link) = (
        WorkspaceNo(fields.u32()?),
        DomainNo(fields.u32()?),
        LinkNo(fields.u32()?),
    );
    let flags = ClickFlags(u16::from_le_bytes(fields.bytes()?));
    let [outcome, variant] = fields.bytes()?;
    let country = fields.bytes()?;
    let (visitor_known, visitor_new, identity) = (fields.u64()?, fields.u64()?, fields.u64()?);
    let (user_agent, language, referrer) = (fields.agent()?, fields.text()?, fields.text()?);
    let mut utm = [""; 5];
    for value in &mut utm {
        *value = fields.text()?;
    }
    journey.clear();
    for _ in 0..fields.bytes::<1>()?[0] {
        journey.push(Touch {
            link: LinkNo(fields.u32()?),
            seconds: fields.u32()?,
        });
    }
    let tapped = match flags.has(ClickFlags::TAP) {
        true => Some(Tapped {
            sequence: fields.u64()?,
            at: Timestamp(i64::from_le_bytes(fields.bytes()?)),
        }),
        false => None,
    };
    let (region, city) = match fields.0 {
        [] => ("", ""),
        _ => (fields.text()?, fields.text()?),
    };
    let outcome = Outcome::of_code(outcome);
    Some(NewClick {
        sequence,
        at,
        workspace,
        domain,
        link,
        flags,
        outcome,
        variant,
        country,
        region,
        city,
        visitor_known,
        visitor_new,
        identity,
        user_agent,
        language,
        referrer,
        utm,
        journey,
        tapped,
    })
}

fn decode_lost(fields: &mut Fields<'_>) -> Option<LostDetail> {
    let at = Timestamp(i64::from_le_bytes(fields.bytes()?));
    let (workspace, link) = (WorkspaceNo(fields.u32()?), LinkNo(fields.u32()?));
    let [class, is_use] = fields.bytes()?;
    Some(LostDetail {
        at,
        workspace,
        link,
        class: ClickClass::of_code(class)?,
        is_use: is_use != 0,
        count: fields.u32()?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::ring::{Found, RingOptions};
    use super::*;
    use crate::domain::user_agent;
    use proptest::prelude::*;

    fn click(link: u32) -> NewClick<'static> {
        NewClick {
            sequence: 7,
            at: Timestamp(1_700_000_000_123),
            workspace: WorkspaceNo(1),
            domain: DomainNo(1),
            link: LinkNo(link),
            flags: ClickFlags::QR,
            outcome: Outcome::CartWithFallback,
            variant: 2,
            country: *b"DE",
            region: "",
            city: "",
            visitor_known: 0,
            visitor_new: 9,
            identity: 11,
            user_agent: Agent::Text("Mozilla/5.0"),
            language: "de-DE",
            referrer: "https://www.instagram.com/",
            utm: ["insta", "", "sommer", "", "grün"],
            journey: &[Touch {
                link: LinkNo(3),
                seconds: 5,
            }],
            tapped: None,
        }
    }

    /// Everything that can be read now: details and counts.
    fn read_all(reader: &mut LaneReader) -> (Vec<u32>, Vec<LostDetail>) {
        let (mut links, mut lost) = (Vec::new(), Vec::new());
        while reader.next(|record| match record {
            LaneRecord::Click(click) => links.push(click.link.0),
            LaneRecord::Lost(detail) => lost.push(detail),
        }) {}
        lost.extend(reader.left_over().unwrap_or_default());
        (links, lost)
    }

    #[test]
    fn clicks_come_out_as_they_went_in() {
        let (mut lane, mut reader) = Lane::new(4096);
        let tickets: Vec<Ticket> = (1..=3)
            .map(|link| lane.push(&click(link), true).expect("room").expect("wanted"))
            .collect();
        assert_eq!(reader.waiting(), 3);
        for (link, ticket) in (1..=3).zip(&tickets) {
            let mut seen = false;
            assert!(reader.next(|record| seen = record == LaneRecord::Click(click(link))));
            assert!(seen, "{link}");
            assert_eq!(reader.position(), ticket.position);
        }
        assert!(!reader.next(|_| {}));
        reader.acknowledge(tickets[1].position);
        assert_eq!(*tickets[0].durable.borrow(), tickets[1].position);
    }

    #[test]
    fn taps_say_what_was_tapped() {
        let (mut lane, mut reader) = Lane::new(4096);
        let tap = NewClick {
            flags: ClickFlags::TAP,
            tapped: Some(Tapped {
                sequence: 6,
                at: Timestamp(1_700_000_000_000),
            }),
            ..click(1)
        };
        assert!(lane.push(&tap, false).is_ok());
        let mut seen = false;
        assert!(reader.next(|record| seen = record == LaneRecord::Click(tap.clone())));
        assert!(seen);
    }

    #[test]
    fn clicks_say_where_they_came_from_and_those_of_before_do_not() {
        for (region, city, more) in [("BE", "Berlin", 12), ("", "Zürich", 11), ("BY", "", 6), ("", "", 0)] {
            let (mut placed, mut bare, mut journey) = (Vec::new(), Vec::new(), Vec::new());
            let click = NewClick {
                region,
                city,
                ..click(1)
            };
            click.encode(&mut placed);
            self::click(1).encode(&mut bare);
            assert_eq!(placed.len() - bare.len(), more, "{region} {city}");
            assert_eq!(
                placed[..bare.len()],
                bare,
                "what stood in a record of version 1 stands where it stood"
            );
            let read = decode(&placed[RECORD_HEAD..], &mut journey);
            assert_eq!(read, Some(LaneRecord::Click(click)));
        }
    }

    #[test]
    fn what_is_known_of_an_agent_goes_without_its_text() {
        let text = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) Mobile/15E148 Instagram 355.0";
        let of = |user_agent| NewClick { user_agent, ..click(1) };
        let long = "x".repeat(2 * USER_AGENT_MAX);
        for (told, read, bytes) in [
            (Agent::Text(text), Agent::Text(text), text.len()),
            (Agent::Text(&long), Agent::Text(&long[..USER_AGENT_MAX]), USER_AGENT_MAX),
            (Agent::Text(""), Agent::Text(""), 0),
            (
                Agent::Parsed(user_agent::parse(text)),
                Agent::Parsed(user_agent::parse(text)),
                4,
            ),
        ] {
            let (mut record, mut nameless, mut journey) = (Vec::new(), Vec::new(), Vec::new());
            of(told).encode(&mut record);
            of(Agent::Text("")).encode(&mut nameless);
            assert_eq!(record.len() - nameless.len(), bytes, "{told:?}");
            let expected = Some(LaneRecord::Click(of(read)));
            assert_eq!(decode(&record[RECORD_HEAD..], &mut journey), expected);
        }
    }

    #[test]
    fn a_full_ring_keeps_the_count() {
        let (mut lane, mut reader) = Lane::new(1024);
        let queued = (0..100).filter(|_| lane.push(&click(5), true).is_ok()).count();
        assert!(queued > 0 && queued < 10);
        assert!(lane.has_lost());
        let (mut details, mut counts) = (0, 0);
        for _ in 0..3 {
            let (links, lost) = read_all(&mut reader);
            details += links.len();
            counts += lost.iter().map(|lost| lost.count as usize).sum::<usize>();
            reader.acknowledge(reader.position());
            lane.flush_lost();
        }
        assert_eq!((details, details + counts), (queued, 100));
        assert!(!lane.has_lost());
        assert!(
            lane.push(&click(5), false).expect("room").is_none(),
            "no ticket unless wanted"
        );
        assert_eq!(reader.waiting(), 1);
    }

    #[test]
    fn counts_are_kept_apart_by_link_and_quarter_hour_until_there_is_no_slot() {
        const LINKS: u32 = 10_000;
        let (mut lane, mut reader) = Lane::new(4096);
        while lane.push(&click(1), false).is_ok() {}
        let later = NewClick {
            at: click(1).at.plus_ms(15 * 60 * 1000),
            ..click(1)
        };
        let lost = std::iter::once(later).chain((2..=LINKS).map(click));
        assert!(lost.into_iter().all(|click| lane.push(&click, false).is_err()));
        drop(lane);
        let (_, lost) = read_all(&mut reader);
        let counted = |link| lost.iter().filter(|lost| lost.link == LinkNo(link)).count();
        assert_eq!((counted(1), counted(2), counted(LINKS), counted(0)), (2, 1, 0, 1));
        assert_eq!(lost.iter().map(|lost| lost.count).sum::<u32>(), LINKS + 1);
    }

    #[test]
    fn a_kill_takes_neither_clicks_nor_counts() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("0.ring");
        let options = RingOptions {
            node: 0,
            id: 9,
            capacity: 2048,
            made_at: Timestamp(0),
        };
        let ring = Ring::create(&path, options).expect("made");
        let (mut lane, mut reader) = Lane::through(ring);
        let queued = (0..100).filter(|_| lane.push(&click(5), true).is_ok()).count();
        let left = |journaled| {
            let copy = dir.path().join("killed.ring");
            std::fs::copy(&path, &copy).expect("copied");
            let Found::Left(ring) = Ring::left_behind(&copy).expect("readable") else {
                panic!("a ring")
            };
            let mut reader = LaneReader::of_left(ring, journaled).expect("something may be left");
            let (links, lost) = read_all(&mut reader);
            assert_eq!((reader.position(), reader.damaged()), (ENDED, 0));
            reader.acknowledge(ENDED);
            assert!(!copy.exists(), "what is in the journal needs no ring");
            (links.len(), lost.iter().map(|lost| lost.count as usize).sum::<usize>())
        };
        assert_eq!(left(0), (queued, 100 - queued));
        let copy = dir.path().join("known.ring");
        std::fs::copy(&path, &copy).expect("copied");
        let Found::Left(ring) = Ring::left_behind(&copy).expect("readable") else {
            panic!("a ring")
        };
        assert!(LaneReader::of_left(ring, ENDED).is_none() && !copy.exists());
        // One is in the journal, whether or not the kill came before the ring was told.
        assert!(reader.next(|_| {}));
        assert_eq!(left(reader.position()), (queued - 1, 100 - queued));
        reader.acknowledge(reader.position());
        assert_eq!(left(0), (queued - 1, 100 - queued));
        // The counts are on their way as a record, and in their slot no more.
        lane.flush_lost();
        assert!(!lane.has_lost());
        assert_eq!(left(0), (queued - 1, 100 - queued));
        // Killed after that record and before the slot was cleared: it is counted once.
        let slot = reader.ring.ring.slot(0);
        let marked = [(0, 1 << 63), (1, 1 << 32 | 5), (3, 100), (4, lane.ring.position())];
        marked
            .into_iter()
            .for_each(|(word, value)| slot[word].store(value, Ordering::Relaxed));
        let crc = crc32c::crc32c_append(
            crc32c::crc32c(&(1u64 << 63).to_le_bytes()),
            &(1u64 << 32 | 5).to_le_bytes(),
        );
        slot[5].store(u64::from(crc), Ordering::Relaxed);
        assert_eq!(left(0), (queued - 1, 100 - queued));
        // And a record that did not make it leaves the slot's count standing.
        slot[4].store(lane.ring.position() + 8, Ordering::Relaxed);
        assert_eq!(left(0), (queued - 1, 200 - queued));
    }

    proptest! {
        #[test]
        fn no_bytes_panic_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut journey = Vec::new();
            if let Some(LaneRecord::Click(click)) = decode(&bytes, &mut journey) {
                let text = match click.user_agent {
                    Agent::Text(text) => text,
                    Agent::Parsed(_) => click.referrer,
                };
                prop_assert!(text.len() < bytes.len());
            }
        }
    }
}
