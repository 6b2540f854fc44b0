//! The recorder on disks that fail as they are told to: what is acknowledged, what is lost and counted, what comes back.

use super::*;
use crate::clicklog::faulty::{EIO, ENOSPC, EROFS, Fault, FaultyDisk};
use crate::clicklog::{self, Query, Reader};
use crate::domain::click::{ClassSet, ClickFlags, Outcome};
use crate::domain::id::{DomainNo, LinkNo, WorkspaceNo};
use crate::domain::outside::FixedClock;
use crate::redirect::lane::{Agent, NewClick};
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

/// A person's, of the visitor with the same number.
fn click(sequence: u64, at: Timestamp) -> NewClick<'static> {
    NewClick {
        sequence,
        at,
        workspace: WorkspaceNo(1),
        domain: DomainNo(1),
        link: LinkNo(1),
        flags: ClickFlags::default(),
        outcome: Outcome::default(),
        variant: 0,
        country: [0; 2],
        region: "",
        city: "",
        visitor_known: sequence,
        visitor_new: 0,
        identity: 0,
        user_agent: Agent::Text("Mozilla/5.0"),
        language: "de",
        referrer: "",
        utm: [""; 5],
        journey: &[],
        tapped: None,
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
            // A full ring keeps the count.
            self.lane.push(&click(self.clicks, self.clock.now()), false).ok();
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
    let sweeps = |bench: &Bench| bench.desk.stats.sweeps();
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
    let desk = &mut bench.desk;
    desk.writer.append_drained(&mut desk.batch, &marks).expect("synced");
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

#[test]
fn a_push_wakes_a_recorder_that_sleeps() {
    const CLICKS: u64 = 300;
    let Bench {
        mut desk,
        mut lane,
        home: _home,
        ..
    } = Bench::new(1 << 16);
    // A push that wakes nobody is missed for longer than this test waits.
    desk.quiet_look = Duration::from_secs(60 * 60);
    let (told, written) = std::sync::mpsc::channel();
    let recorder = thread::spawn(move || {
        while desk.stats().written.load(Ordering::Relaxed) < CLICKS {
            desk.sleep();
            if desk.turn_finds_more() && told.send(()).is_err() {
                return;
            }
        }
    });
    lane.wake_on_push(recorder.thread().clone());
    for number in 1..=CLICKS {
        lane.push(&click(number, NOW), false).expect("there is room");
        // The next one comes while it falls asleep, or just before or after.
        written
            .recv_timeout(Duration::from_secs(20))
            .unwrap_or_else(|_| panic!("nobody woke for click {number}"));
    }
    recorder.join().expect("it has all of them");
}
