//! Clicks leave the workers' lanes, are recognised, and go into the click log: at their own pace, on one thread.
//!
//! What cannot be written stays in the lanes, which are bounded; past that, details are dropped and counts kept, per
//! link. What a process left in its lanes when it was killed is read first, once. The request path never waits for any
//! of this (in durable mode a connection waits for its ticket, at most 25 ms).

mod recognise;
mod sweeps;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

use crate::clicklog::{DRAINED_CLICKS_MAX, DRAINED_LOST_MAX, Drain, Mark, Writer};
use crate::domain::click::LostDetail;
use crate::domain::outside::Clock;
use crate::domain::recognition::Forgotten;
use crate::domain::time::Timestamp;
use crate::redirect::{ENDED, LaneReader, LaneRecord, Shared};
use recognise::Recogniser;
use sweeps::Sweeps;

/// Sequence numbers reserved ahead; a crash skips at most these.
const SEQUENCES_AHEAD: u64 = 1 << 24;
/// How long a click may wait in a lane when nobody waits for it: each turn costs a wake-up, a frame and a sync, some 0.3 ms
/// of processor time however few clicks it writes. Only a power cut sees the difference, for lanes outlive the process.
const PACE: Duration = Duration::from_millis(40);
/// Clicks for which a turn begins sooner: a little less than one append takes, for what is left over costs another.
const NEARLY_FULL: usize = DRAINED_CLICKS_MAX - DRAINED_CLICKS_MAX / 16;
/// How often lanes are looked at while nothing is pushed, and the log's own upkeep: a push wakes the recorder.
const QUIET_LOOK: Duration = Duration::from_millis(200);
/// Pause between attempts to write while the disk fails.
const RETRY: Duration = Duration::from_millis(250);
/// A write that took longer was an outage, though it succeeded.
const STALL: Duration = Duration::from_millis(750);
/// Counts that a lane could not keep in detail until so long after an outage are the outage's, in ms.
const AFTERMATH_MS: i64 = 5_000;
/// Longest that somebody waits for the latest clicks to be in the journal; longer than a slow disk's hiccup.
const SWEEP_WAIT_MAX: Duration = Duration::from_secs(10);
/// Every so many frames say the position of every lane, so that a restart finds them all near the journal's end.
const FRAMES_PER_ROLL_CALL: u64 = 256;

/// What the recorder did, for `/metrics`.
#[derive(Debug, Default)]
pub struct RecorderStats {
    /// Clicks written in detail.
    pub written: AtomicU64,
    /// Of them, those that a process left in its lanes when it ended badly.
    pub recovered: AtomicU64,
    /// Clicks counted without detail because a lane was full.
    pub lost_in_lane: AtomicU64,
    /// Clicks counted without detail because the disk failed for too long.
    pub lost_to_disk: AtomicU64,
    /// Appends that failed.
    pub failures: AtomicU64,
    /// Clicks that were read from a lane and that the disk refuses.
    pub held: AtomicU64,
    /// Visitors of today that memory had no room for: who refuses cookies may count twice.
    pub visitors_forgotten: AtomicU64,
    /// Follows and taps within the window that it had no room for: a repeat may count.
    pub follows_forgotten: AtomicU64,
    /// Records waiting in the lanes at the last look.
    pub waiting: AtomicU64,
    sweeps: Sweeps,
}

impl RecorderStats {
    /// Turns after which the journal had all that the lanes held when the turn began.
    pub fn sweeps(&self) -> u64 {
        self.sweeps.count()
    }

    /// Returns once every click that was answered before the call is in the journal. Blocks.
    ///
    /// # Errors
    /// The disk refuses clicks, or they come faster than they are written, for as long as [`SWEEP_WAIT_MAX`].
    pub fn wait_for_sweep(&self) -> std::io::Result<()> {
        self.wait_for_sweep_at_most(SWEEP_WAIT_MAX)
    }

    /// As [`Self::wait_for_sweep`], but no longer than `longest`.
    ///
    /// # Errors
    /// As [`Self::wait_for_sweep`], after `longest`.
    pub fn wait_for_sweep_at_most(&self, longest: Duration) -> std::io::Result<()> {
        match self.sweeps.wait(longest) {
            true => Ok(()),
            false => Err(std::io::Error::other(
                "the latest clicks are not in the click log yet: look at /readyz and /metrics, then try again",
            )),
        }
    }
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
    ///
    /// # Errors
    /// The journal takes no reservation of sequence numbers, or there is no thread.
    pub fn start(mut desk: Desk, lanes: Vec<LaneReader>, shared: Arc<Shared>) -> std::io::Result<Self> {
        // Before anybody takes a number: none may be handed out twice, whatever crashes.
        let reserved = shared.sequence.load(Ordering::Relaxed) + SEQUENCES_AHEAD;
        desk.writer.reserve_sequences(reserved).map_err(std::io::Error::other)?;
        desk.take_on(lanes);
        let stop = Arc::new(AtomicBool::new(false));
        let stats = Arc::clone(&desk.stats);
        let stopping = Arc::clone(&stop);
        let mut numbers = Numbers { shared, reserved };
        let thread = thread::Builder::new().name("hopcart-clicks".into()).spawn(move || {
            while !stopping.load(Ordering::Acquire) {
                let is_busy = desk.turn();
                numbers.reserve(&mut desk);
                desk.writer.tick();
                if !is_busy {
                    desk.rest(&stopping);
                }
            }
            desk.finish();
        })?;
        stats.sweeps.are_made_by(thread.thread().clone());
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
            tracing::error!("the click recorder panicked; the next start reads what it left in the lanes");
        }
    }
}

/// Sequence numbers, reserved in the journal ahead of the workers.
struct Numbers {
    shared: Arc<Shared>,
    /// Those below this one are reserved.
    reserved: u64,
}

impl Numbers {
    /// Keeps the reservation ahead of the numbers that workers take.
    fn reserve(&mut self, desk: &mut Desk) {
        let taken = self.shared.sequence.load(Ordering::Relaxed);
        if self.reserved >= taken + SEQUENCES_AHEAD / 2 || desk.retry_at.is_some() {
            return;
        }
        match desk.writer.reserve_sequences(taken + SEQUENCES_AHEAD) {
            Ok(()) => self.reserved = taken + SEQUENCES_AHEAD,
            Err(error) => {
                tracing::warn!(%error, "sequence numbers cannot be reserved yet");
                desk.retry_at = Some(Instant::now() + RETRY);
            }
        }
    }
}

/// A lane and how far the journal has it.
struct Source {
    lane: LaneReader,
    journaled: u64,
    /// Damage that was told of.
    damaged: u64,
}

/// Where clicks are taken from lanes and written.
pub struct Desk {
    sources: Vec<Source>,
    /// The lane that is read first next time, so that none waits for the others.
    first: usize,
    writer: Writer,
    clock: Arc<dyn Clock>,
    options: Options,
    recogniser: Recogniser,
    /// What was read and is not written yet.
    batch: Drain,
    /// Whether the disk refused it.
    is_held: bool,
    stats: Arc<RecorderStats>,
    retry_at: Option<Instant>,
    /// When the disk last failed or stalled: from, and until when if that is over.
    outage: Option<(Timestamp, Option<Timestamp>)>,
    frames: u64,
    /// When lanes were last read, and how long after that they are again.
    looked: Instant,
    pause: Duration,
    /// Whether something was read then.
    has_found: bool,
    /// [`QUIET_LOOK`], but in tests.
    quiet_look: Duration,
}

impl Desk {
    /// A desk that first writes what processes before left in `left` lanes. If the disk refuses, that stays where it is
    /// and is tried again while the recorder runs.
    pub fn open(writer: Writer, left: Vec<LaneReader>, options: Options, clock: Arc<dyn Clock>) -> Self {
        let mut desk = Self {
            sources: Vec::new(),
            first: 0,
            writer,
            clock,
            options,
            recogniser: Recogniser::new(options.dedupe_window_ms),
            batch: Drain::new(),
            is_held: false,
            stats: Arc::default(),
            retry_at: None,
            outage: None,
            frames: 0,
            looked: Instant::now(),
            pause: PACE,
            has_found: false,
            quiet_look: QUIET_LOOK,
        };
        desk.take_on(left);
        while !desk.sources.is_empty() && desk.retry_at.is_none() {
            desk.turn();
        }
        let recovered = desk.stats.written.load(Ordering::Relaxed);
        desk.stats.recovered.store(recovered, Ordering::Relaxed);
        desk
    }

    /// The first sequence number that was never handed out.
    pub fn next_sequence(&self) -> u64 {
        self.writer.next_sequence()
    }

    /// What it did so far.
    pub fn stats(&self) -> &RecorderStats {
        &self.stats
    }

    fn take_on(&mut self, lanes: Vec<LaneReader>) {
        let source = |lane: LaneReader| Source {
            journaled: lane.position(),
            lane,
            damaged: 0,
        };
        self.sources.extend(lanes.into_iter().map(source));
    }

    /// Reads and writes one batch; whether there is more to do at once.
    fn turn(&mut self) -> bool {
        let waiting = self.sources.iter().map(|source| source.lane.waiting()).sum();
        self.stats.waiting.store(waiting, Ordering::Relaxed);
        if self.retry_at.is_some_and(|at| Instant::now() < at) {
            return false;
        }
        // What the disk refused is tried again as it was: the lanes keep the rest.
        let was_held = self.is_held;
        let since = self.looked.elapsed();
        self.looked = Instant::now();
        if !was_held {
            self.retry_at = None;
            self.read();
        }
        let clicks = self.batch.clicks();
        self.pause = pause_after(clicks, since);
        let is_full = clicks >= DRAINED_CLICKS_MAX;
        let has_left_some = is_full || self.batch.lost.len() >= DRAINED_LOST_MAX / 2;
        let is_written = self.write();
        self.has_found = is_written || self.is_held;
        if !(was_held || self.is_held || has_left_some) {
            self.stats.sweeps.swept();
        }
        is_written && is_full
    }

    /// Takes records out of the lanes, as many as one append takes.
    fn read(&mut self) {
        let count = self.sources.len().max(1);
        self.first = (self.first + 1) % count;
        for place in 0..self.sources.len() {
            let Self {
                sources,
                first,
                recogniser,
                batch,
                stats,
                outage,
                ..
            } = self;
            let source = &mut sources[(*first + place) % count];
            // Room for a ring's left-over counts stays: they are read all at once.
            while batch.clicks() < DRAINED_CLICKS_MAX && batch.lost.len() < DRAINED_LOST_MAX / 2 {
                let is_there = source.lane.next(|record| match record {
                    LaneRecord::Click(click) => recogniser.take(&click, batch),
                    LaneRecord::Lost(lost) => take_lost(batch, stats, *outage, lost),
                });
                if is_there {
                    continue;
                }
                let left_over = source.lane.left_over().unwrap_or_default();
                left_over
                    .into_iter()
                    .for_each(|lost| take_lost(batch, stats, *outage, lost));
                break;
            }
            source.tell_damage();
        }
        self.recogniser.recognise(&mut self.batch);
        let Forgotten {
            visitors,
            follows,
            taps,
        } = self.recogniser.forgotten();
        self.stats.visitors_forgotten.store(visitors, Ordering::Relaxed);
        self.stats.follows_forgotten.store(follows + taps, Ordering::Relaxed);
    }

    /// Writes what was read, if anything was; whether the disk took it.
    fn write(&mut self) -> bool {
        if self
            .sources
            .iter()
            .all(|source| source.lane.position() == source.journaled)
        {
            return false;
        }
        let count = self.batch.clicks() as u64;
        let is_roll_call = self.frames.is_multiple_of(FRAMES_PER_ROLL_CALL);
        let marks: Vec<Mark> = self
            .sources
            .iter()
            .filter_map(|source| source.mark(is_roll_call))
            .collect();
        let (began, started) = (self.clock.now(), Instant::now());
        let result = self.writer.append_drained(&mut self.batch, &marks);
        let is_stalled = started.elapsed() >= STALL;
        let is_written = match result {
            Ok(_) => {
                self.frames += 1;
                self.stats.written.fetch_add(count, Ordering::Relaxed);
                self.acknowledge();
                true
            }
            Err(error) => {
                if self.retry_at.is_none() {
                    tracing::error!(%error, "clicks cannot be written; they wait in the lanes and are tried again");
                }
                self.stats.failures.fetch_add(1, Ordering::Relaxed);
                false
            }
        };
        self.note_outage(is_written, is_stalled, began);
        self.is_held = !is_written;
        self.retry_at = (!is_written).then(|| Instant::now() + RETRY);
        self.stats.held.store(self.batch.clicks() as u64, Ordering::Relaxed);
        is_written
    }

    /// Tells the lanes that everything read from them is durable; those that ended are gone.
    fn acknowledge(&mut self) {
        for source in &mut self.sources {
            let position = source.lane.position();
            if position != source.journaled {
                source.lane.acknowledge(position);
                source.journaled = position;
            }
        }
        self.sources.retain(|source| source.journaled != ENDED);
    }

    fn note_outage(&mut self, is_written: bool, is_stalled: bool, began: Timestamp) {
        let now = self.clock.now();
        match (&mut self.outage, is_written) {
            (Some((_, until @ None)), true) => {
                tracing::warn!("clicks are written again");
                *until = Some(now);
            }
            (Some((_, None)), false) => {}
            (outage, false) => *outage = Some((began, None)),
            (outage, true) if is_stalled => *outage = Some((began, Some(now))),
            (_, true) => {}
        }
    }

    /// Waits until it is worth while to look at the lanes again, or somebody waits for it.
    fn rest(&mut self, stopping: &AtomicBool) {
        if self.retry_at.is_some() {
            thread::park_timeout(PACE);
            return;
        }
        if self.options.is_durable {
            // Somebody waits for every click: what is pushed is written at once.
            self.sleep();
            return;
        }
        if !self.has_found {
            self.sleep();
            // Whatever woke it is the first of those that are written together.
            (self.looked, self.pause) = (Instant::now(), PACE);
            if self.sources.iter().all(|source| source.lane.waiting() == 0) {
                return;
            }
        }
        let is_awaited = || self.stats.sweeps.are_awaited() || stopping.load(Ordering::Acquire);
        while let Some(left) = self
            .pause
            .checked_sub(self.looked.elapsed())
            .filter(|left| !left.is_zero())
            && !is_awaited()
        {
            thread::park_timeout(left);
        }
    }

    /// Sleeps until something is pushed, somebody waits for a sweep, or [`QUIET_LOOK`] is over.
    fn sleep(&mut self) {
        let mut are_empty = true;
        for source in &mut self.sources {
            // All of them are told, also those after one in which something lies.
            are_empty &= source.lane.may_sleep();
        }
        if are_empty && !self.stats.sweeps.are_awaited() {
            thread::park_timeout(self.quiet_look);
        }
        self.sources.iter().for_each(|source| source.lane.is_awake());
    }

    /// The last records, then the log's own end. A disk that fails now gets a few more chances; what it does not take
    /// stays in the lanes for the next start.
    fn finish(mut self) {
        const ATTEMPTS: usize = 8;
        for _ in 0..ATTEMPTS {
            self.retry_at = None;
            self.write();
            while self.retry_at.is_none() && self.turn_finds_more() {}
            if self.retry_at.is_none() {
                break;
            }
            thread::park_timeout(RETRY);
        }
        if self.retry_at.is_some() {
            tracing::error!("clicks could not be written before the end; the next start reads them from their lanes");
        }
        if let Err(error) = self.writer.close() {
            tracing::error!(%error, "the click log did not close cleanly; it is replayed at the next start");
        }
    }

    fn turn_finds_more(&mut self) -> bool {
        let before = self.frames;
        self.turn();
        self.frames > before
    }
}

impl Source {
    /// Its place in the journal, if that moved or all are asked for. A lane in memory has none: it ends with the process.
    fn mark(&self, is_asked: bool) -> Option<Mark> {
        let (ring, position) = (self.lane.ring(), self.lane.position());
        (ring != 0 && (is_asked || position != self.journaled)).then_some(Mark { ring, position })
    }

    fn tell_damage(&mut self) {
        let damaged = self.lane.damaged();
        if damaged > self.damaged {
            tracing::error!(
                bytes = damaged - self.damaged,
                ring = format!("{:016x}", self.lane.ring()),
                "a ring of clicks was damaged: what could be read of it is counted"
            );
            self.damaged = damaged;
        }
    }
}

/// How long after a look that found `clicks` of the `since` before the next one comes.
fn pause_after(clicks: usize, since: Duration) -> Duration {
    let nearly_full = since.saturating_mul(NEARLY_FULL as u32) / clicks.max(1) as u32;
    nearly_full.min(PACE)
}

fn take_lost(
    batch: &mut Drain,
    stats: &RecorderStats,
    outage: Option<(Timestamp, Option<Timestamp>)>,
    lost: LostDetail,
) {
    let is_of_outage = outage.is_some_and(|(from, until)| {
        from <= lost.at && until.is_none_or(|until| lost.at <= until.plus_ms(AFTERMATH_MS))
    });
    let counter = if is_of_outage {
        &stats.lost_to_disk
    } else {
        &stats.lost_in_lane
    };
    counter.fetch_add(u64::from(lost.count), Ordering::Relaxed);
    batch.lost.push(lost);
}

#[cfg(test)]
mod tests;
