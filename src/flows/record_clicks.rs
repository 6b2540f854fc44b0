//! Clicks leave the workers' lanes, are recognised, and go into the click log: at their own pace, on one thread.
//!
//! What cannot be written stays in the lanes, which are bounded; past that, details are dropped and counts kept, per
//! link. What a process left in its lanes when it was killed is read first, once. The request path never waits for any
//! of this (in durable mode a connection waits for its ticket, at most 25 ms).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

use foldhash::{HashMap, HashMapExt};

use crate::clicklog::{Batch, DRAINED_CLICKS_MAX, DRAINED_LOST_MAX, Mark, Writer};
use crate::domain::click::{Click, ClickClass, ClickFlags, LostDetail};
use crate::domain::locality;
use crate::domain::outside::Clock;
use crate::domain::recognition::{Recognition, Seen};
use crate::domain::time::Timestamp;
use crate::domain::user_agent::{self, UserAgent};
use crate::redirect::lane::NewClick;
use crate::redirect::{ENDED, LaneReader, LaneRecord, Shared};

/// User agents whose parse is remembered; more than a day's different apps.
const AGENTS_MAX: usize = 8_192;
/// Sequence numbers reserved ahead; a crash skips at most these.
const SEQUENCES_AHEAD: u64 = 1 << 24;
/// How long a click may wait in a lane when nobody waits for it.
const PACE: Duration = Duration::from_millis(20);
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
    /// Records waiting in the lanes at the last look.
    pub waiting: AtomicU64,
    /// Turns after which the journal had all that the lanes held when the turn began.
    pub sweeps: AtomicU64,
}

impl RecorderStats {
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
        // The turn that runs may have read a lane already, so it is the one after it that has seen everything.
        let seen = self.sweeps.load(Ordering::Acquire) + 2;
        let began = Instant::now();
        while self.sweeps.load(Ordering::Acquire) < seen {
            if began.elapsed() >= longest {
                return Err(std::io::Error::other(
                    "the latest clicks are not in the click log yet: look at /readyz and /metrics, then try again",
                ));
            }
            thread::sleep(PACE / 4);
        }
        Ok(())
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
                    desk.rest();
                }
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
    recognition: Recognition,
    agents: HashMap<Box<str>, UserAgent>,
    /// What was read and is not written yet.
    batch: Batch,
    /// Whether the disk refused it.
    is_held: bool,
    stats: Arc<RecorderStats>,
    retry_at: Option<Instant>,
    /// When the disk last failed or stalled: from, and until when if that is over.
    outage: Option<(Timestamp, Option<Timestamp>)>,
    frames: u64,
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
            recognition: Recognition::new(options.dedupe_window_ms),
            agents: HashMap::new(),
            batch: Batch::default(),
            is_held: false,
            stats: Arc::default(),
            retry_at: None,
            outage: None,
            frames: 0,
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
        if !was_held {
            self.retry_at = None;
            self.read();
        }
        let is_full = self.batch.clicks.len() >= DRAINED_CLICKS_MAX;
        let has_left_some = is_full || self.batch.lost.len() >= DRAINED_LOST_MAX / 2;
        let is_written = self.write();
        if !(was_held || self.is_held || has_left_some) {
            self.stats.sweeps.fetch_add(1, Ordering::Release);
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
                recognition,
                agents,
                batch,
                stats,
                outage,
                ..
            } = self;
            let source = &mut sources[(*first + place) % count];
            // Room for a ring's left-over counts stays: they are read all at once.
            while batch.clicks.len() < DRAINED_CLICKS_MAX && batch.lost.len() < DRAINED_LOST_MAX / 2 {
                let is_there = source.lane.next(|record| match record {
                    LaneRecord::Click(click) => batch.clicks.push(recognise(recognition, agents, &click)),
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
        let count = self.batch.clicks.len() as u64;
        let is_roll_call = self.frames.is_multiple_of(FRAMES_PER_ROLL_CALL);
        let marks: Vec<Mark> = self
            .sources
            .iter()
            .filter_map(|source| source.mark(is_roll_call))
            .collect();
        let (began, started) = (self.clock.now(), Instant::now());
        let result = self.writer.append_drained(std::mem::take(&mut self.batch), &marks);
        let is_stalled = started.elapsed() >= STALL;
        let is_written = match result {
            Ok(_) => {
                self.frames += 1;
                self.stats.written.fetch_add(count, Ordering::Relaxed);
                self.acknowledge();
                true
            }
            Err((batch, error)) => {
                if self.retry_at.is_none() {
                    tracing::error!(%error, "clicks cannot be written; they wait in the lanes and are tried again");
                }
                self.stats.failures.fetch_add(1, Ordering::Relaxed);
                self.batch = batch;
                false
            }
        };
        self.note_outage(is_written, is_stalled, began);
        self.is_held = !is_written;
        self.retry_at = (!is_written).then(|| Instant::now() + RETRY);
        self.stats.held.store(self.batch.clicks.len() as u64, Ordering::Relaxed);
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

    fn rest(&mut self) {
        let is_awaited = self.options.is_durable && self.retry_at.is_none();
        if is_awaited && !self.sources.iter_mut().all(|source| source.lane.may_sleep()) {
            return;
        }
        thread::park_timeout(PACE);
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

fn take_lost(
    batch: &mut Batch,
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
        locality: locality::of(new.country, new.region, new.city),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clicklog::faulty::{EIO, ENOSPC, EROFS, Fault, FaultyDisk};
    use crate::clicklog::{self, Query, Reader};
    use crate::domain::click::{ClassSet, Outcome};
    use crate::domain::id::{DomainNo, LinkNo, WorkspaceNo};
    use crate::domain::outside::FixedClock;
    use crate::redirect::{FoundRing, Lane, Ring, RingOptions};
    use std::collections::HashSet;
    use std::path::{Path, PathBuf};

    const NOW: Timestamp = Timestamp(1_795_254_780_000);
    const OPTIONS: Options = Options {
        dedupe_window_ms: 10_000,
        is_durable: false,
    };

    /// A desk with one worker's lane, on a disk that fails as it is told to.
    struct Bench {
        home: tempfile::TempDir,
        disk: FaultyDisk,
        clock: Arc<FixedClock>,
        reader: Reader,
        desk: Desk,
        lane: Lane,
        clicks: u64,
    }

    fn log_options(home: &Path, disk: &FaultyDisk) -> clicklog::Options {
        clicklog::Options {
            disk: Arc::new(disk.clone()),
            ..clicklog::Options::at(home.join("clicklog"))
        }
    }

    fn ring_path(home: &Path, run: u64) -> PathBuf {
        home.join(format!("{run}.ring"))
    }

    impl Bench {
        fn new(ring_bytes: usize) -> Self {
            Self::start(tempfile::tempdir().expect("a directory"), 1, ring_bytes)
        }

        fn start(home: tempfile::TempDir, run: u64, capacity: usize) -> Self {
            let (disk, clock) = (FaultyDisk::default(), Arc::new(FixedClock::at(NOW)));
            let options = log_options(home.path(), &disk);
            let (writer, reader, _) = clicklog::open(options.clone(), clock.clone()).expect("opens");
            let left = Ring::left_behind(&ring_path(home.path(), run - 1))
                .ok()
                .and_then(|found| {
                    let FoundRing::Left(ring) = found else {
                        panic!("{found:?}")
                    };
                    let marks = clicklog::marks(&options, &HashSet::from([ring.id()]), NOW).expect("readable");
                    let journaled = marks.get(&ring.id()).copied().unwrap_or(0);
                    LaneReader::of_left(ring, journaled)
                });
            let mut desk = Desk::open(writer, left.into_iter().collect(), OPTIONS, clock.clone());
            let ring = RingOptions {
                node: 0,
                id: run,
                capacity,
                made_at: NOW,
            };
            let ring = Ring::create(&ring_path(home.path(), run), ring).expect("made");
            let (lane, lane_reader) = Lane::through(ring);
            desk.take_on(vec![lane_reader]);
            Self {
                home,
                disk,
                clock,
                reader,
                desk,
                lane,
                clicks: run << 32,
            }
        }

        /// As a kill leaves it: the files. Neither end of a lane writes when it is dropped, nor does the log.
        fn kill(self) -> tempfile::TempDir {
            self.home
        }

        fn follow(&mut self, count: u64) {
            for _ in 0..count {
                self.clicks += 1;
                self.clock.advance(1);
                let click = NewClick {
                    sequence: self.clicks,
                    at: self.clock.now(),
                    workspace: WorkspaceNo(1),
                    domain: DomainNo(1),
                    link: LinkNo(1),
                    flags: ClickFlags::default(),
                    outcome: Outcome::default(),
                    variant: 0,
                    country: [0; 2],
                    region: "",
                    city: "",
                    visitor_known: self.clicks,
                    visitor_new: 0,
                    identity: 0,
                    user_agent: "Mozilla/5.0",
                    language: "de",
                    referrer: "",
                    utm: [""; 5],
                    journey: &[],
                    tapped: None,
                };
                // A full ring keeps the count.
                self.lane.push(&click, false).ok();
            }
            self.lane.flush_lost();
        }

        /// As the recorder's thread does, without its pauses.
        fn work(&mut self) {
            for _ in 0..20 {
                self.desk.retry_at = None;
                self.desk.turn();
                self.lane.flush_lost();
            }
        }

        fn counted(&self) -> u64 {
            let query = Query {
                workspace: WorkspaceNo(1),
                links: None,
                start: Timestamp(0),
                end: Timestamp(i64::MAX),
                classes: ClassSet::default(),
                ..Query::default()
            };
            self.reader.count(&query).expect("counted")
        }

        fn lost(&self) -> u64 {
            self.desk.stats.lost_to_disk.load(Ordering::Relaxed)
        }
    }

    #[test]
    fn whatever_fails_each_click_is_counted_once_as_soon_as_it_works_again() {
        let faults = [
            Fault::Create(ENOSPC),
            Fault::Write(0, ENOSPC),
            Fault::Write(30, ENOSPC),
            Fault::Write(1000, EIO),
            Fault::Write(0, EROFS),
            Fault::Sync(EIO),
            Fault::Sync(ENOSPC),
            Fault::SyncDropping(EIO),
        ];
        for fault in faults {
            // Once with room for everything, once with a ring that overflows.
            for (ring_bytes, overflows) in [(1 << 20, false), (64 << 10, true)] {
                let mut bench = Bench::new(ring_bytes);
                bench.follow(10);
                bench.work();
                assert_eq!(bench.counted(), 10);
                bench.disk.always(fault);
                // A segment that is open already does not notice that none can be made.
                let is_noticed = !matches!(fault, Fault::Create(_));
                bench.disk.once(Fault::Sync(EIO));
                bench.follow(1000);
                bench.work();
                assert_eq!(
                    bench.counted(),
                    10,
                    "{fault:?}: nothing is acknowledged that was not synced"
                );
                let stats = bench.reader.stats();
                assert!(stats.is_failed && stats.problem.is_some(), "{fault:?}");
                assert!(stats.journal_failures.all() > u64::from(is_noticed), "{fault:?}");
                bench.follow(1000);
                bench.disk.heal();
                bench.work();
                assert_eq!(bench.counted(), 2010, "{fault:?} {ring_bytes}");
                assert_eq!(bench.lost() > 0, overflows, "{fault:?} {ring_bytes}");
                let written = bench.desk.stats.written.load(Ordering::Relaxed);
                assert_eq!(written + bench.lost(), 2010, "{fault:?}: stored and counted drops");
                assert!(!bench.reader.stats().is_failed, "{fault:?}");
                // And what is on disk says the same.
                let home = bench.kill();
                let bench = Bench::start(home, 2, ring_bytes);
                assert_eq!(bench.counted(), 2010, "{fault:?} {ring_bytes}: after a kill");
            }
        }
    }

    #[test]
    fn a_sweep_is_a_turn_that_left_nothing_behind() {
        let mut bench = Bench::new(4 << 20);
        let sweeps = |bench: &Bench| bench.desk.stats.sweeps.load(Ordering::Relaxed);
        let turn = |bench: &mut Bench| {
            bench.desk.retry_at = None;
            bench.desk.turn();
        };
        let before = sweeps(&bench);
        turn(&mut bench);
        assert_eq!(sweeps(&bench), before + 1, "empty lanes are swept");
        bench.follow(5);
        bench.disk.always(Fault::Sync(EIO));
        turn(&mut bench);
        assert_eq!(sweeps(&bench), before + 1, "refused by the disk");
        bench.follow(5);
        bench.disk.heal();
        turn(&mut bench);
        assert_eq!(
            sweeps(&bench),
            before + 1,
            "what was held is written, the rest was not looked at"
        );
        turn(&mut bench);
        assert_eq!((sweeps(&bench), bench.counted()), (before + 2, 10));
        bench.follow(DRAINED_CLICKS_MAX as u64 + 1);
        turn(&mut bench);
        assert_eq!(sweeps(&bench), before + 2, "one append does not take all");
        turn(&mut bench);
        assert_eq!(sweeps(&bench), before + 3);
    }

    #[test]
    fn a_kill_at_any_step_loses_nothing_and_counts_nothing_twice() {
        for fault in [
            None,
            Some(Fault::Sync(EIO)),
            Some(Fault::SyncDropping(EIO)),
            Some(Fault::Write(70, ENOSPC)),
        ] {
            for turns in 0..4 {
                let mut bench = Bench::new(1 << 20);
                bench.follow(20);
                bench.work();
                bench.follow(30);
                if let Some(fault) = fault {
                    bench.disk.once(fault);
                }
                for _ in 0..turns {
                    bench.desk.retry_at = None;
                    bench.desk.turn();
                }
                bench.follow(5);
                let mut home = bench.kill();
                // Killed again while it recovers, and after it did.
                for run in 2..5 {
                    let mut bench = Bench::start(home, run, 1 << 20);
                    assert_eq!(
                        bench.counted(),
                        55 + 7 * (run - 2),
                        "{fault:?}, {turns} turns, run {run}"
                    );
                    bench.follow(7);
                    home = bench.kill();
                }
            }
        }
    }

    #[test]
    fn a_journal_write_that_nobody_acknowledged_is_not_read_twice() {
        let mut bench = Bench::new(1 << 20);
        bench.follow(50);
        bench.desk.read();
        // Written and synced, and killed before the ring was told.
        let marks: Vec<Mark> = bench
            .desk
            .sources
            .iter()
            .filter_map(|source| source.mark(false))
            .collect();
        assert_eq!(marks.len(), 1);
        let batch = std::mem::take(&mut bench.desk.batch);
        bench
            .desk
            .writer
            .append_drained(batch, &marks)
            .map_err(|(_, error)| error)
            .expect("synced");
        bench.follow(3);
        let bench = Bench::start(bench.kill(), 2, 1 << 20);
        assert_eq!(bench.counted(), 53);
        assert_eq!(bench.desk.stats().recovered.load(Ordering::Relaxed), 3);
        assert!(!ring_path(bench.home.path(), 1).exists(), "what was read is gone");
    }

    #[test]
    fn a_stalled_disk_is_told_while_it_stalls_and_holds_nobody_up() {
        let mut bench = Bench::new(1 << 20);
        bench.follow(10);
        bench.work();
        bench.disk.stall();
        bench.follow(10);
        let (disk, reader) = (bench.disk.clone(), bench.reader.clone());
        let Bench {
            mut desk,
            mut lane,
            home: _home,
            ..
        } = bench;
        let writing = thread::spawn(move || {
            desk.turn();
            desk
        });
        disk.when_stalled();
        let stalled = Instant::now();
        // The hot path's end goes on.
        assert!(!lane.has_lost());
        lane.flush_lost();
        while !reader.stats().is_failed {
            thread::yield_now();
        }
        assert!(stalled.elapsed() <= Duration::from_secs(1), "the alarm came late");
        disk.heal();
        let desk = writing.join().expect("it goes on");
        assert_eq!(desk.stats.written.load(Ordering::Relaxed), 20);
        assert!(!reader.stats().is_failed && reader.stats().stalls == 1);
    }
}
