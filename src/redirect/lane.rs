//! The way of clicks out of the hot path: one bounded ring of bytes a worker, one reader.
//!
//! A full ring never delays a reply: the click's detail is dropped and its count kept, per link, until there is room.
//! Records are bytes rather than values so that a ring can later lie in a mapping that outlives the process.
//!
//! Record: length (4 bytes), kind (1), then the fields in the order of [`NewClick::encode`], little endian, texts
//! with a 2-byte length.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::Thread;

use rtrb::{Consumer, Producer, RingBuffer};
use tokio::sync::watch;

use crate::domain::click::{ClickClass, ClickFlags, LostDetail, Outcome, Tapped};
use crate::domain::id::{DomainNo, LinkNo, WorkspaceNo};
use crate::domain::time::Timestamp;
use crate::domain::visitor::{TOUCHES_MAX, Touch};

/// Different links whose counts are kept while the ring is full; past it counts go to link 0 of the workspace.
const LOST_MAX: usize = 4096;

const KIND_CLICK: u8 = 1;
const KIND_LOST: u8 = 2;

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
    pub country: [u8; 2],
    /// The visitor of the cookie that came with the request; 0 = none.
    pub visitor_known: u64,
    /// The visitor of a cookie that was newly set; 0 = none.
    pub visitor_new: u64,
    /// Keyed hash of address and user agent; 0 = none.
    pub identity: u64,
    pub user_agent: &'a str,
    pub language: &'a str,
    pub referrer: &'a str,
    pub utm: [&'a str; 5],
    pub journey: &'a [Touch],
    /// There if and only if [`ClickFlags::TAP`] is set.
    pub tapped: Option<Tapped>,
}

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
    pushed: AtomicU64,
}

/// The worker's end.
#[derive(Debug)]
pub struct Lane {
    ring: Producer<u8>,
    shared: Arc<Shared>,
    reader: Option<Thread>,
    position: u64,
    scratch: Vec<u8>,
    lost: Vec<LostDetail>,
}

/// The writer's end.
#[derive(Debug)]
pub struct LaneReader {
    ring: Consumer<u8>,
    shared: Arc<Shared>,
    position: u64,
    scratch: Vec<u8>,
    journey: Vec<Touch>,
}

/// Proof that a click was queued; tells when it is on disk.
#[derive(Debug)]
pub struct Ticket {
    /// The click is durable once the number in `durable` reaches this one.
    pub position: u64,
    pub durable: watch::Receiver<u64>,
}

impl Lane {
    /// A lane of `bytes` bytes.
    pub fn new(bytes: usize) -> (Lane, LaneReader) {
        let (producer, consumer) = RingBuffer::new(bytes);
        let shared = Arc::new(Shared {
            durable: watch::Sender::new(0),
            is_reader_asleep: AtomicBool::new(false),
            pushed: AtomicU64::new(0),
        });
        let lane = Lane {
            ring: producer,
            shared: Arc::clone(&shared),
            reader: None,
            position: 0,
            scratch: Vec::with_capacity(1024),
            lost: Vec::new(),
        };
        (
            lane,
            LaneReader {
                ring: consumer,
                shared,
                position: 0,
                scratch: Vec::new(),
                journey: Vec::new(),
            },
        )
    }

    /// Names the thread that reads, so that a push can wake it (durable mode).
    pub fn wake_on_push(&mut self, reader: Thread) {
        self.reader = Some(reader);
    }

    /// Queues `click`; `None` when there is no room: then only its count is kept.
    pub fn push(&mut self, click: &NewClick<'_>, wants_ticket: bool) -> Option<Ticket> {
        self.flush_lost();
        self.scratch.clear();
        click.encode(&mut self.scratch);
        if !self.lost.is_empty() || self.ring.push_entire_slice(&self.scratch).is_err() {
            self.keep_count(click);
            return None;
        }
        self.pushed();
        wants_ticket.then(|| Ticket {
            position: self.position,
            durable: self.shared.durable.subscribe(),
        })
    }

    /// Passes on the counts of clicks whose detail was dropped, as far as there is room.
    pub fn flush_lost(&mut self) {
        while let Some(lost) = self.lost.last() {
            self.scratch.clear();
            encode_lost(lost, &mut self.scratch);
            if self.ring.push_entire_slice(&self.scratch).is_err() {
                return;
            }
            self.lost.pop();
            self.pushed();
        }
    }

    /// Whether counts wait for room.
    pub fn has_lost(&self) -> bool {
        !self.lost.is_empty()
    }

    fn pushed(&mut self) {
        self.position += 1;
        self.shared.pushed.store(self.position, Ordering::Release);
        if let Some(reader) = &self.reader
            && self.shared.is_reader_asleep.swap(false, Ordering::AcqRel)
        {
            reader.unpark();
        }
    }

    fn keep_count(&mut self, click: &NewClick<'_>) {
        let class = click.flags.class();
        let is_use = click.flags.has(ClickFlags::USE);
        let same = |lost: &LostDetail, link: LinkNo| {
            lost.link == link && lost.workspace == click.workspace && lost.class == class && lost.is_use == is_use
        };
        let link = if self.lost.len() < LOST_MAX || self.lost.iter().any(|lost| same(lost, click.link)) {
            click.link
        } else {
            LinkNo(0)
        };
        match self.lost.iter_mut().rev().find(|lost| same(lost, link)) {
            Some(lost) => {
                lost.count = lost.count.saturating_add(1);
                lost.at = click.at;
            }
            None => self.lost.push(LostDetail {
                at: click.at,
                workspace: click.workspace,
                link,
                class,
                is_use,
                count: 1,
            }),
        }
    }
}

impl LaneReader {
    /// Hands the next record to `take`; `false` when the ring is empty.
    pub fn next(&mut self, take: impl FnOnce(LaneRecord<'_>)) -> bool {
        let mut length = [0; 4];
        if self.ring.pop_entire_slice(&mut length).is_err() {
            return false;
        }
        self.scratch.resize(u32::from_le_bytes(length) as usize, 0);
        // A push is one slice: where the length is, the rest is.
        if self.ring.pop_entire_slice(&mut self.scratch).is_err() {
            return false;
        }
        self.position += 1;
        if let Some(record) = decode(&self.scratch, &mut self.journey) {
            take(record);
        }
        true
    }

    /// Records read so far.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Records queued and not yet read.
    pub fn waiting(&self) -> u64 {
        self.shared.pushed.load(Ordering::Acquire).saturating_sub(self.position)
    }

    /// Says that all records up to `position` are on disk.
    pub fn set_durable(&self, position: u64) {
        self.shared.durable.send_if_modified(|durable| {
            let is_newer = position > *durable;
            *durable = position.max(*durable);
            is_newer
        });
    }

    /// Announces that the reader is about to sleep; `false` when a record came meanwhile and it must not.
    pub fn may_sleep(&self) -> bool {
        self.shared.is_reader_asleep.store(true, Ordering::SeqCst);
        self.ring.is_empty()
    }
}

impl NewClick<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[0; 4]);
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
        for text in [self.user_agent, self.language, self.referrer].iter().chain(&self.utm) {
            let bytes = &text.as_bytes()[..text.len().min(usize::from(u16::MAX))];
            out.extend_from_slice(&(bytes.len() as u16).to_le_bytes());
            out.extend_from_slice(bytes);
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
        set_length(out);
    }
}

fn encode_lost(lost: &LostDetail, out: &mut Vec<u8>) {
    out.extend_from_slice(&[0; 4]);
    out.push(KIND_LOST);
    out.extend_from_slice(&lost.at.0.to_le_bytes());
    out.extend_from_slice(&lost.workspace.0.to_le_bytes());
    out.extend_from_slice(&lost.link.0.to_le_bytes());
    out.extend_from_slice(&[lost.class as u8, u8::from(lost.is_use)]);
    out.extend_from_slice(&lost.count.to_le_bytes());
    set_length(out);
}

fn set_length(out: &mut [u8]) {
    let length = (out.len() - 4) as u32;
    out[..4].copy_from_slice(&length.to_le_bytes());
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

    fn text(&mut self) -> Option<&'a str> {
        let length = usize::from(u16::from_le_bytes(self.bytes()?));
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(std::str::from_utf8(head).unwrap_or_default())
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
    let (user_agent, language, referrer) = (fields.text()?, fields.text()?, fields.text()?);
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
    use super::*;
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
            visitor_known: 0,
            visitor_new: 9,
            identity: 11,
            user_agent: "Mozilla/5.0",
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

    #[test]
    fn clicks_come_out_as_they_went_in() {
        let (mut lane, mut reader) = Lane::new(4096);
        for link in 1..=3 {
            let ticket = lane.push(&click(link), true).expect("room");
            assert_eq!(ticket.position, u64::from(link));
        }
        assert_eq!(reader.waiting(), 3);
        for link in 1..=3 {
            let mut seen = false;
            assert!(reader.next(|record| seen = record == LaneRecord::Click(click(link))));
            assert!(seen, "{link}");
        }
        assert!(!reader.next(|_| {}));
        reader.set_durable(2);
        assert_eq!(*lane.push(&click(4), true).expect("room").durable.borrow(), 2);
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
        lane.push(&tap, false);
        let mut seen = false;
        assert!(reader.next(|record| seen = record == LaneRecord::Click(tap.clone())));
        assert!(seen);
    }

    #[test]
    fn a_full_ring_keeps_the_count() {
        let (mut lane, mut reader) = Lane::new(1024);
        let queued = (0..100).filter(|_| lane.push(&click(5), true).is_some()).count();
        assert!(queued > 0 && queued < 10);
        assert!(lane.has_lost());
        let mut details = 0;
        let mut counts = 0;
        for _ in 0..3 {
            while reader.next(|record| match record {
                LaneRecord::Click(_) => details += 1,
                LaneRecord::Lost(lost) => counts += lost.count,
            }) {}
            lane.flush_lost();
        }
        assert_eq!((details, details + counts as usize), (queued, 100));
        assert!(!lane.has_lost());
        assert!(lane.push(&click(5), false).is_none(), "no ticket unless wanted");
        assert_eq!(reader.waiting(), 1);
    }

    proptest! {
        #[test]
        fn no_bytes_panic_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut journey = Vec::new();
            if let Some(LaneRecord::Click(click)) = decode(&bytes, &mut journey) {
                prop_assert!(click.user_agent.len() < bytes.len());
            }
        }
    }
}
