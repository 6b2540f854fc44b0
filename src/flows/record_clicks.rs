//! Clicks leave the workers' lanes, are recognised, and go into the click log: at their own pace, on one thread.
//!
//! What cannot be written is held up to a bound; past it details are dropped and counts kept, per link. The request
//! path never waits for any of this (in durable mode a connection waits for its ticket, at most 25 ms).

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

use crate::clicklog::{Batch, Writer};
use crate::domain::click::{Click, ClickClass, ClickFlags, LostDetail};
use crate::domain::recognition::{Recognition, Seen};
use crate::domain::user_agent::{self, UserAgent};
use crate::redirect::lane::NewClick;
use crate::redirect::{LaneReader, LaneRecord, Shared};

/// Clicks in one append: bounds a block's work and the time until waiters are answered.
const BATCH_MAX: usize = 8_192;
/// Clicks held in memory while the disk fails: about 60 MB.
const HELD_MAX: usize = 131_072;
/// User agents whose parse is remembered; more than a day's different apps.
const AGENTS_MAX: usize = 8_192;
/// Sequence numbers reserved ahead; a crash skips at most these.
const SEQUENCES_AHEAD: u64 = 1 << 24;
/// How long a click may wait in a lane when nobody waits for it.
const PACE: Duration = Duration::from_millis(20);
/// Pause between attempts to write while the disk fails.
const RETRY: Duration = Duration::from_millis(250);

/// What the recorder did, for `/metrics`.
#[derive(Debug, Default)]
pub struct RecorderStats {
    /// Clicks written in detail.
    pub written: AtomicU64,
    /// Clicks counted without detail because a lane was full.
    pub lost_in_lane: AtomicU64,
    /// Clicks counted without detail because the disk failed for too long.
    pub lost_to_disk: AtomicU64,
    /// Appends that failed.
    pub failures: AtomicU64,
    /// Clicks held in memory now because the disk fails.
    pub held: AtomicU64,
    /// Records waiting in the lanes at the last look.
    pub waiting: AtomicU64,
}

/// The running recorder.
pub struct Recorder {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
    pub stats: Arc<RecorderStats>,
}

/// How it runs.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    pub dedupe_window_ms: i64,
    /// Whether somebody may wait for a click: then it is written as soon as it comes.
    pub is_durable: bool,
}

impl Recorder {
    /// Starts the thread. It owns the log's writer and closes it when stopped.
    pub fn start(
        lanes: Vec<LaneReader>,
        mut writer: Writer,
        shared: Arc<Shared>,
        options: Options,
    ) -> std::io::Result<Self> {
        // Before anybody takes a number: none may be handed out twice, whatever crashes.
        let reserved = shared.sequence.load(Ordering::Relaxed) + SEQUENCES_AHEAD;
        writer.reserve_sequences(reserved).map_err(std::io::Error::other)?;
        let stop = Arc::new(AtomicBool::new(false));
        let stats = Arc::new(RecorderStats::default());
        let mut desk = Desk {
            lanes,
            writer,
            shared,
            options,
            recognition: Recognition::new(options.dedupe_window_ms),
            agents: HashMap::new(),
            held: Batch::default(),
            stats: Arc::clone(&stats),
            retry_at: None,
            reserved,
        };
        let stopping = Arc::clone(&stop);
        let thread = thread::Builder::new().name("hopcart-clicks".into()).spawn(move || {
            while !stopping.load(Ordering::Acquire) {
                desk.turn();
            }
            desk.finish();
        })?;
        Ok(Self { stop, thread, stats })
    }

    /// The thread to wake when a click is waited for.
    pub fn thread(&self) -> Thread {
        self.thread.thread().clone()
    }

    /// Writes what is left and closes the log. Call it after the workers have ended.
    pub fn stop(self) {
        self.stop.store(true, Ordering::Release);
        self.thread.thread().unpark();
        if self.thread.join().is_err() {
            tracing::error!("the click recorder panicked; the journal keeps what it acknowledged");
        }
    }
}

struct Desk {
    lanes: Vec<LaneReader>,
    writer: Writer,
    shared: Arc<Shared>,
    options: Options,
    recognition: Recognition,
    agents: HashMap<Box<str>, UserAgent>,
    held: Batch,
    stats: Arc<RecorderStats>,
    retry_at: Option<Instant>,
    /// Sequence numbers below this one are reserved in the journal.
    reserved: u64,
}

impl Desk {
    fn turn(&mut self) {
        let drained = self.drain();
        self.write();
        self.reserve();
        self.writer.tick();
        if drained < BATCH_MAX {
            self.rest();
        }
    }

    /// Takes records out of the lanes; returns how many.
    fn drain(&mut self) -> usize {
        let mut drained = 0;
        let mut waiting = 0;
        let Self {
            lanes,
            recognition,
            agents,
            held,
            stats,
            ..
        } = self;
        for lane in lanes {
            waiting += lane.waiting();
            let mut left = BATCH_MAX;
            while left > 0
                && lane.next(|record| match record {
                    LaneRecord::Click(click) if held.clicks.len() < HELD_MAX => {
                        held.clicks.push(recognise(recognition, agents, &click));
                    }
                    LaneRecord::Click(click) => {
                        let click = recognise(recognition, agents, &click);
                        keep_count(&mut held.lost, &click);
                        stats.lost_to_disk.fetch_add(1, Ordering::Relaxed);
                    }
                    LaneRecord::Lost(lost) => {
                        stats.lost_in_lane.fetch_add(u64::from(lost.count), Ordering::Relaxed);
                        held.lost.push(lost);
                    }
                })
            {
                left -= 1;
                drained += 1;
            }
        }
        self.stats.waiting.store(waiting, Ordering::Relaxed);
        drained
    }

    fn write(&mut self) {
        if self.held.clicks.is_empty() && self.held.lost.is_empty() {
            return;
        }
        if self.retry_at.is_some_and(|at| Instant::now() < at) {
            return;
        }
        let count = self.held.clicks.len() as u64;
        match self.writer.append(std::mem::take(&mut self.held)) {
            Ok(_) => {
                self.stats.written.fetch_add(count, Ordering::Relaxed);
                self.retry_at = None;
                for lane in &self.lanes {
                    lane.set_durable(lane.position());
                }
            }
            Err((batch, error)) => {
                if self.retry_at.is_none() {
                    tracing::error!(%error, clicks = batch.clicks.len(), "clicks cannot be written; they are held and tried again");
                }
                self.stats.failures.fetch_add(1, Ordering::Relaxed);
                self.held = batch;
                self.retry_at = Some(Instant::now() + RETRY);
            }
        }
        self.stats.held.store(self.held.clicks.len() as u64, Ordering::Relaxed);
    }

    /// Keeps the reservation ahead of the numbers that workers take.
    fn reserve(&mut self) {
        let taken = self.shared.sequence.load(Ordering::Relaxed);
        if self.reserved >= taken + SEQUENCES_AHEAD / 2 || self.retry_at.is_some() {
            return;
        }
        match self.writer.reserve_sequences(taken + SEQUENCES_AHEAD) {
            Ok(()) => self.reserved = taken + SEQUENCES_AHEAD,
            Err(error) => tracing::warn!(%error, "sequence numbers cannot be reserved yet"),
        }
    }

    fn rest(&self) {
        if self.options.is_durable && !self.lanes.iter().all(LaneReader::may_sleep) {
            return;
        }
        thread::park_timeout(PACE);
    }

    /// The last records, then the log's own end. A disk that fails now gets a few more chances.
    fn finish(mut self) {
        const ATTEMPTS: usize = 8;
        for _ in 0..ATTEMPTS {
            while self.drain() > 0 {}
            self.retry_at = None;
            self.write();
            if self.held.clicks.is_empty() && self.held.lost.is_empty() {
                break;
            }
            thread::park_timeout(RETRY);
        }
        if !self.held.clicks.is_empty() {
            tracing::error!(
                clicks = self.held.clicks.len(),
                "clicks could not be written before the end"
            );
        }
        if let Err(error) = self.writer.close() {
            tracing::error!(%error, "the click log did not close cleanly; it is replayed at the next start");
        }
    }
}

fn recognise(recognition: &mut Recognition, agents: &mut HashMap<Box<str>, UserAgent>, new: &NewClick<'_>) -> Click {
    let seen = Seen {
        known: new.visitor_known,
        new: new.visitor_new,
        identity: new.identity,
    };
    let mut flags = new.flags;
    let visitor = if flags.has(ClickFlags::TEST) {
        // Test traffic leaves nothing in the memory: nobody else becomes the visitor that it was.
        if seen.known == 0 { seen.new } else { seen.known }
    } else {
        recognition.visitor(seen, new.at)
    };
    // A tap belongs to its click, so that click is what can be tapped twice.
    if flags.class() == ClickClass::Tap
        && let Some(tapped) = new.tapped
        && recognition.is_tapped_again(tapped.sequence, new.link, new.at)
    {
        flags = flags.with(ClickFlags::REPEAT);
    }
    // Only what counts can be repeated, and only that is remembered.
    if flags.class() == ClickClass::Human && recognition.is_repeat(visitor, new.link, new.at) {
        flags = flags.with(ClickFlags::REPEAT);
    }
    Click {
        sequence: new.sequence,
        at: new.at,
        workspace: new.workspace,
        domain: new.domain,
        link: new.link,
        flags,
        outcome: new.outcome,
        visitor,
        variant: new.variant,
        country: new.country,
        user_agent: parse_agent(agents, new.user_agent),
        language: new.language.into(),
        referrer: new.referrer.into(),
        utm: new.utm.map(Into::into),
        journey: new.journey.to_vec(),
        tapped: new.tapped,
    }
}

fn parse_agent(agents: &mut HashMap<Box<str>, UserAgent>, text: &str) -> UserAgent {
    if let Some(known) = agents.get(text) {
        return *known;
    }
    if agents.len() >= AGENTS_MAX {
        agents.clear();
    }
    let parsed = user_agent::parse(text);
    agents.insert(text.into(), parsed);
    parsed
}

fn keep_count(lost: &mut Vec<LostDetail>, click: &Click) {
    let class = click.flags.class();
    let is_use = click.flags.has(ClickFlags::USE);
    let same = |known: &&mut LostDetail| {
        known.link == click.link
            && known.class == class
            && known.is_use == is_use
            && known.at.bucket() == click.at.bucket()
    };
    match lost.iter_mut().rev().take(AGENTS_MAX).find(same) {
        Some(known) => known.count = known.count.saturating_add(1),
        None => lost.push(LostDetail {
            at: click.at,
            workspace: click.workspace,
            link: click.link,
            class,
            is_use,
            count: 1,
        }),
    }
}
