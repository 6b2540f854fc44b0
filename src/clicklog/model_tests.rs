//! The click log against a naive list of clicks: random batches, checkpoints, crashes and damage, then every question.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use crate::domain::click::{ClassSet, Click, ClickClass, ClickFlags, LostDetail};
use crate::domain::id::{LinkNo, WorkspaceNo};
use crate::domain::outside::FixedClock;
use crate::domain::time::{BUCKET_MS, DAY_MS, Timestamp};

use super::faulty::{EIO, Fault, FaultyDisk};
use super::samples::{NOON, click};
use super::{Batch, Dimension, OpenError, Options, Query, QueryError, Reader, Recovery, Totals, Writer, open, segment};

/// A log in a temporary directory and what it should say.
struct Model {
    dir: tempfile::TempDir,
    clock: Arc<FixedClock>,
    disk: FaultyDisk,
    pending_clicks_max: usize,
    clicks: Vec<Click>,
    lost: Vec<LostDetail>,
    log: Option<(Writer, Reader)>,
}

impl Model {
    fn new(pending_clicks_max: usize) -> Self {
        let mut model = Self {
            dir: tempfile::tempdir().expect("a directory"),
            clock: Arc::new(FixedClock::at(NOON)),
            disk: FaultyDisk::default(),
            pending_clicks_max,
            clicks: Vec::new(),
            lost: Vec::new(),
            log: None,
        };
        model.reopen();
        model
    }

    fn open(&self) -> Result<(Writer, Reader, Recovery), OpenError> {
        let options = Options {
            segment_bytes: 2000,
            pending_clicks_max: self.pending_clicks_max,
            backlog_clicks_max: self.pending_clicks_max / 2,
            few_clicks_max: 5,
            sled_cache_bytes: 1 << 20,
            disk: Arc::new(self.disk.clone()),
            ..Options::at(self.dir.path())
        };
        open(options, self.clock.clone())
    }

    /// As after a kill: whatever was not checkpointed is replayed.
    fn reopen(&mut self) -> Recovery {
        self.log = None;
        let (writer, reader, recovery) = self.open().expect("opens");
        self.log = Some((writer, reader));
        recovery
    }

    fn writer(&mut self) -> &mut Writer {
        &mut self.log.as_mut().expect("open").0
    }

    fn reader(&self) -> &Reader {
        &self.log.as_ref().expect("open").1
    }

    fn append(&mut self, clicks: Vec<Click>, lost: Vec<LostDetail>) {
        self.clicks.extend(clicks.iter().cloned());
        self.lost.extend(&lost);
        self.writer()
            .append(Batch { clicks, lost })
            .map_err(|(_, error)| error)
            .expect("durable");
        self.writer().tick();
        self.writer().settle();
    }

    fn checkpoint(&mut self) {
        self.clock.advance(10_000);
        self.writer().tick();
        self.writer().settle();
    }

    fn totals(&self) -> HashMap<LinkNo, Totals> {
        let mut totals: HashMap<LinkNo, Totals> = HashMap::new();
        let mut add = |link, at, class: ClickClass, is_use, count| {
            let sum = totals.entry(link).or_default();
            sum.counts[class as usize] += count;
            sum.uses += if is_use { count } else { 0 };
            if class == ClickClass::Human {
                sum.last_human_at = sum.last_human_at.max(Some(at));
            }
        };
        for c in &self.clicks {
            add(c.link, c.at, c.flags.class(), c.flags.has(ClickFlags::USE), 1);
        }
        for l in &self.lost {
            add(l.link, l.at, l.class, l.is_use, u64::from(l.count));
        }
        totals
    }

    /// The clicks of `query`, oldest first.
    fn matching(&self, query: &Query) -> Vec<Click> {
        let asked = self.clicks.iter().filter(|click| {
            query.has_instant(click.at)
                && query.has_link(click.workspace, click.link)
                && query.classes.has(click.flags.class())
        });
        let mut clicks: Vec<Click> = asked.cloned().collect();
        clicks.sort_by_key(|click| (click.at, click.sequence));
        clicks
    }

    /// Counts by start of their quarter hour; right only for queries that begin and end on one.
    fn counted(&self, query: &Query) -> Vec<(Timestamp, LinkNo, u64)> {
        let clicks = self.matching(query).into_iter().map(|click| (click.at, click.link, 1));
        let lost = self.lost.iter().filter(|lost| {
            query.has_instant(lost.at) && query.has_link(lost.workspace, lost.link) && query.classes.has(lost.class)
        });
        clicks
            .chain(lost.map(|lost| (lost.at, lost.link, u64::from(lost.count))))
            .collect()
    }

    fn check(&self, query: &Query, is_whole: bool) {
        let reader = self.reader();
        let clicks = self.matching(query);
        let counted = if is_whole {
            self.counted(query)
        } else {
            clicks.iter().map(|click| (click.at, click.link, 1)).collect()
        };
        let sum: u64 = counted.iter().map(|(_, _, count)| count).sum();
        if is_whole || self.lost.is_empty() {
            assert_eq!(reader.count(query).expect("counted"), sum, "{query:?}");
            let mut by_link = HashMap::new();
            counted
                .iter()
                .for_each(|(_, link, count)| *by_link.entry(*link).or_default() += count);
            assert_eq!(reader.count_by_link(query).expect("counted"), by_link);
            let by_class = reader.count_by_link_and_class(query).expect("counted");
            let summed = by_class.iter().map(|(link, counts)| (*link, query.classes.sum(counts)));
            assert_eq!(summed.collect::<HashMap<_, _>>(), by_link);
            self.check_timeseries(query, &counted);
        }
        let all = reader.events(query, false, 0, usize::MAX).expect("read");
        assert_eq!(all, clicks);
        let newest: Vec<Click> = clicks.iter().rev().skip(3).take(5).cloned().collect();
        assert_eq!(reader.events(query, true, 3, 5).expect("read"), newest);
        for click in clicks.iter().step_by(7) {
            let found = reader.find(click.at, click.sequence, click.link).expect("read");
            assert_eq!(found.as_ref(), Some(click));
        }
        let by_link: u64 = reader
            .top(query, Dimension::Trigger, 9)
            .expect("read")
            .iter()
            .map(|(_, count)| count)
            .sum();
        assert_eq!(by_link, clicks.len() as u64);
        self.check_visitors(query);
    }

    fn check_timeseries(&self, query: &Query, counted: &[(Timestamp, LinkNo, u64)]) {
        let middle = Timestamp::of_bucket((query.start.bucket() + query.end.bucket()) / 2).max(query.start);
        let edges = [query.start, middle, query.end];
        let spans = edges.windows(2).map(|span| {
            counted
                .iter()
                .filter(|(at, _, _)| span[0] <= *at && *at < span[1])
                .map(|(_, _, count)| count)
                .sum::<u64>()
        });
        assert_eq!(
            self.reader().timeseries(query, &edges).expect("counted"),
            spans.collect::<Vec<_>>()
        );
    }

    fn check_visitors(&self, query: &Query) {
        let people = Query {
            classes: ClassSet::default(),
            ..query.clone()
        };
        let visitors: HashSet<u64> = self
            .matching(&people)
            .iter()
            .map(|click| click.visitor)
            .filter(|visitor| *visitor != 0)
            .collect();
        assert_eq!(
            self.reader().unique_visitors(&people).expect("counted"),
            visitors.len() as u64
        );
        let groups: Vec<Arc<HashSet<LinkNo>>> = (1..4)
            .map(|link| Arc::new(HashSet::from([LinkNo(link), LinkNo(link + 1)])))
            .collect();
        let expected: Vec<u64> = groups
            .iter()
            .map(|group| {
                let all = Query {
                    links: Some(Arc::clone(group)),
                    ..people.clone()
                };
                let visitors = self
                    .matching(&all)
                    .into_iter()
                    .map(|click| click.visitor)
                    .filter(|visitor| *visitor != 0);
                visitors.collect::<HashSet<u64>>().len() as u64
            })
            .collect();
        let found = self
            .reader()
            .unique_visitors_by(query.workspace, &groups, query.start, query.end);
        let (found, all) = found.expect("counted");
        assert_eq!(found, expected);
        let links = groups.iter().flat_map(|group| group.iter().copied()).collect();
        let all_links = Query {
            links: Some(Arc::new(links)),
            ..people.clone()
        };
        assert_eq!(all, self.reader().unique_visitors(&all_links).expect("counted"));
    }

    fn check_all(&self) {
        let mut totals = HashMap::new();
        self.reader()
            .each_total(|link, sum| assert!(totals.insert(link, sum).is_none()))
            .expect("read");
        assert_eq!(totals, self.totals());
        for (link, sum) in totals {
            assert_eq!(self.reader().totals(link).expect("read"), sum);
        }
        self.check(&everything(), true);
    }
}

fn everything() -> Query {
    Query {
        workspace: WorkspaceNo(1),
        links: None,
        start: Timestamp(0),
        end: Timestamp(i64::MAX),
        classes: ClassSet::parse("repeats,bots").expect("known"),
        ..Query::default()
    }
}

fn some_click() -> impl Strategy<Value = Click> {
    let minutes = -3000i64..200;
    (minutes, 0i64..60_000, 1u32..5, 0u64..40, 0u16..8, 1u32..3).prop_map(
        |(minutes, ms, link, visitor, flags, space)| Click {
            flags: ClickFlags([0, 1, 32, 64, 256, 8, 320, 2][usize::from(flags)]),
            workspace: WorkspaceNo(space),
            link: LinkNo(link + 10 * space - 10),
            ..click(0, NOON.plus_ms(minutes * 60_000 + ms), link, visitor)
        },
    )
}

fn some_lost() -> impl Strategy<Value = LostDetail> {
    (-3000i64..200, 1u32..5, any::<bool>(), 1u32..9).prop_map(|(minutes, link, is_use, count)| LostDetail {
        at: NOON.plus_ms(minutes * 60_000),
        workspace: WorkspaceNo(1),
        link: LinkNo(link),
        class: if is_use { ClickClass::Human } else { ClickClass::Bot },
        is_use,
        count,
    })
}

#[derive(Debug, Clone)]
enum Step {
    Append(Vec<Click>, Vec<LostDetail>),
    Checkpoint,
    Crash,
    FailedSync(Vec<Click>),
}

fn some_step() -> impl Strategy<Value = Step> {
    let clicks = || proptest::collection::vec(some_click(), 0..30);
    prop_oneof![
        6 => (clicks(), proptest::collection::vec(some_lost(), 0..3)).prop_map(|(clicks, lost)| Step::Append(clicks, lost)),
        2 => Just(Step::Checkpoint),
        1 => Just(Step::Crash),
        1 => clicks().prop_map(Step::FailedSync),
    ]
}

fn some_query() -> impl Strategy<Value = (Query, bool)> {
    let links = proptest::option::of(proptest::collection::hash_set((0u32..5).prop_map(LinkNo), 0..4));
    (links, -3100i64..300, 0i64..3000, any::<bool>(), any::<bool>()).prop_map(
        |(links, from, length, bots, is_whole)| {
            let whole = |at: Timestamp| {
                if is_whole {
                    Timestamp::of_bucket(at.bucket())
                } else {
                    at
                }
            };
            let query = Query {
                workspace: WorkspaceNo(1),
                links: links.map(Arc::new),
                start: whole(NOON.plus_ms(from * 61_001)),
                end: whole(NOON.plus_ms((from + length) * 61_001)),
                classes: ClassSet::parse(if bots { "bots,repeats" } else { "" }).expect("known"),
                ..Query::default()
            };
            (query, is_whole)
        },
    )
}

proptest! {
    // Each case opens sled several times.
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn the_log_says_what_a_list_of_clicks_says(
        steps in proptest::collection::vec(some_step(), 1..14),
        queries in proptest::collection::vec(some_query(), 1..6),
        pending_clicks_max in prop_oneof![Just(20usize), Just(100_000)],
    ) {
        let mut model = Model::new(pending_clicks_max);
        let mut sequence = 0;
        let mut number = |clicks: Vec<Click>| -> Vec<Click> {
            clicks.into_iter().map(|click| { sequence += 1; Click { sequence, ..click } }).collect()
        };
        for step in steps {
            match step {
                Step::Append(clicks, lost) => model.append(number(clicks), lost),
                Step::Checkpoint => model.checkpoint(),
                Step::Crash => prop_assert_eq!(model.reopen().bad_frames, 0),
                Step::FailedSync(clicks) => {
                    let mut clicks = number(clicks);
                    let late = clicks.pop();
                    if !clicks.is_empty() {
                        model.disk.once(Fault::Sync(EIO));
                        let batch = Batch { clicks, lost: Vec::new() };
                        let (mut back, _) = model.writer().append(batch.clone()).expect_err("the sync fails");
                        prop_assert_eq!(&back, &batch);
                        // What is tried again need not be the same: only the second try may count.
                        back.clicks.splice(..1, late);
                        model.append(back.clicks, back.lost);
                    }
                }
            }
        }
        for _ in 0..2 {
            model.check_all();
            queries.iter().for_each(|(query, is_whole)| model.check(query, *is_whole));
            // And once more from what is on disk alone.
            model.reopen();
        }
    }
}

fn stream(from: u64, count: u64) -> Vec<Click> {
    (from..from + count)
        .map(|n| click(n, NOON.plus_ms(n as i64 * 10), n as u32 % 3 + 1, n % 50 + 1))
        .collect()
}

fn last_segment(dir: &Path) -> std::path::PathBuf {
    segment::list(&dir.join("journal"))
        .expect("listed")
        .pop()
        .expect("a segment")
        .1
}

#[test]
fn sequences_are_never_handed_out_twice() {
    let mut model = Model::new(1000);
    assert_eq!(model.writer().next_sequence(), 0);
    model.writer().reserve_sequences(1 << 24).expect("durable");
    model.reopen();
    assert_eq!(model.writer().next_sequence(), 1 << 24);
    model.append(stream(1 << 25, 1), Vec::new());
    model.checkpoint();
    model.reopen();
    assert_eq!(model.writer().next_sequence(), (1 << 25) + 1);
    model.log = None;
    std::fs::remove_dir_all(model.dir.path().join("journal")).expect("removed");
    model.reopen();
    // What the journal's end had reserved nobody knows: a wide step leads past it.
    assert_eq!(model.writer().next_sequence(), (1 << 25) + 1 + (1 << 26));
}

#[test]
fn a_torn_end_is_cut_and_nothing_acknowledged_is_lost() {
    let mut model = Model::new(1000);
    model.append(stream(0, 10), Vec::new());
    let path = last_segment(model.dir.path());
    model.log = None;
    let mut bytes = std::fs::read(&path).expect("read");
    bytes.extend([0xc1, 0x1c, 0x4b, 0x0f, 1, 2, 3]);
    std::fs::write(&path, bytes).expect("written");
    let recovery = model.reopen();
    assert_eq!(
        (recovery.torn_bytes, recovery.bad_frames, recovery.replayed_clicks),
        (7, 0, 10)
    );
    model.check_all();
    assert_eq!(model.reopen().torn_bytes, 0);
}

#[test]
fn a_damaged_frame_is_counted_and_the_others_stay() {
    let mut model = Model::new(1000);
    for part in 0..3 {
        model.append(stream(part * 5, 5), Vec::new());
    }
    let path = last_segment(model.dir.path());
    model.log = None;
    let mut bytes = std::fs::read(&path).expect("read");
    let second = super::frame::find_next(&bytes, segment::HEADER + 1).expect("a second frame");
    bytes[second + 30] ^= 1;
    std::fs::write(&path, bytes).expect("written");
    let recovery = model.reopen();
    assert_eq!((recovery.bad_frames, recovery.replayed_clicks), (1, 10));
    model.clicks.retain(|click| !(5..10).contains(&click.sequence));
    model.check_all();
}

#[test]
fn a_corrupt_store_is_rebuilt_from_the_journal() {
    let mut model = Model::new(50);
    for part in 0..5 {
        model.append(stream(part * 40, 40), Vec::new());
        model.checkpoint();
    }
    model.log = None;
    std::fs::write(
        model.dir.path().join("db/conf"),
        "nonsense that sled does not understand",
    )
    .expect("written");
    let recovery = model.reopen();
    assert!(recovery.quarantined.is_some_and(|path| path.join("db").exists()));
    assert_eq!((recovery.replayed_clicks, recovery.bad_frames), (200, 0));
    model.check_all();
}

#[test]
fn beyond_the_bound_clicks_wait_in_the_journal_until_the_store_works_again() {
    let mut model = Model::new(20);
    model.append(stream(0, 10), Vec::new());
    model.checkpoint();
    model.writer().shared().set_store(None);
    let error = model.reader().count(&everything()).expect_err("no store");
    assert!(matches!(error, QueryError::Unavailable), "{error}");
    for part in 1..20 {
        model.append(stream(part * 10, 10), Vec::new());
    }
    let stats = model.reader().stats();
    assert!(stats.frames_waiting > 0 && stats.clicks_pending <= 80, "{stats:?}");
    // Even with a store, a count that lacks what waits would be wrong.
    let error = model.reader().totals(LinkNo(1)).expect_err("no store");
    assert!(matches!(error, QueryError::Unavailable), "{error}");
    model.checkpoint();
    model.check_all();
    let stats = model.reader().stats();
    assert_eq!(
        (stats.frames_waiting, stats.clicks_pending, stats.bad_frames),
        (0, 0, 0)
    );
}

#[test]
fn a_failed_checkpoint_is_counted_and_healed() {
    let mut model = Model::new(1000);
    model.append(stream(0, 10), Vec::new());
    model.writer().shared().set_store(None);
    let (db, away) = (model.dir.path().join("db"), model.dir.path().join("away"));
    std::fs::rename(&db, &away).expect("moved");
    std::fs::write(&db, "a file where a directory should be").expect("written");
    model.checkpoint();
    let stats = model.reader().stats();
    assert_eq!(
        (stats.is_failed, stats.checkpoint_failures, stats.reopen_failures),
        (true, 1, 1)
    );
    std::fs::remove_file(&db).expect("removed");
    std::fs::rename(&away, &db).expect("moved");
    model.checkpoint();
    assert!(!model.reader().stats().is_failed);
    model.check_all();
}

#[test]
fn after_a_clean_close_nothing_is_replayed_and_readers_end() {
    let mut model = Model::new(1000);
    model.append(stream(0, 100), Vec::new());
    let (writer, reader) = model.log.take().expect("open");
    writer.close().expect("closed");
    assert!(reader.count(&everything()).is_err());
    drop(reader);
    assert_eq!(model.reopen().replayed_clicks, 0);
    model.check_all();
}

#[test]
fn a_log_in_use_and_a_newer_one_are_refused() {
    let mut model = Model::new(1000);
    let error = model.open().err().expect("in use");
    assert!(matches!(error, OpenError::InUse(_)), "{error}");
    model.append(stream(0, 1), Vec::new());
    model.log = None;
    let path = last_segment(model.dir.path());
    let mut bytes = std::fs::read(&path).expect("read");
    bytes[8] = 2;
    let crc = crc32c::crc32c(&bytes[..36]);
    bytes[36..40].copy_from_slice(&crc.to_le_bytes());
    std::fs::write(&path, bytes).expect("written");
    let error = model.open().err().expect("newer");
    assert!(
        matches!(error, OpenError::NewerFormat { found: 2, known: 1 }),
        "{error}"
    );
}

#[test]
fn old_segments_go_after_their_checkpoint() {
    let mut model = Model::new(1000);
    let segments = |model: &Model| segment::list(&model.dir.path().join("journal")).expect("listed").len();
    for part in 0..40 {
        model.append(stream(part * 40, 40), Vec::new());
    }
    model.checkpoint();
    let before = segments(&model);
    assert!(before > 3, "{before}");
    model
        .clock
        .advance(Duration::from_secs(8 * 24 * 3600).as_millis() as i64);
    model.append(stream(2000, 40), Vec::new());
    model.checkpoint();
    assert!(segments(&model) <= 2);
    model.reopen();
    model.check_all();
}

#[test]
fn many_visitors_are_counted_to_about_two_percent() {
    let mut model = Model::new(100_000);
    let clicks = (0..30_000u64).map(|n| {
        let visitor = (n % 20_000 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        click(n, NOON.plus_ms(n as i64 * DAY_MS / 10_000), n as u32 % 3 + 1, visitor)
    });
    model.append(clicks.collect(), Vec::new());
    model.checkpoint();
    let count = model.reader().unique_visitors(&everything()).expect("counted");
    assert!((19_000..=21_000).contains(&count), "{count}");
}

#[test]
fn counts_stay_right_while_checkpoints_run() {
    let mut model = Model::new(500);
    let reader = model.reader().clone();
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let done = Arc::clone(&stop);
    let counter = std::thread::spawn(move || {
        let whole = everything();
        let part = whole.between(NOON.plus_ms(1), Timestamp(NOON.0 + 5 * BUCKET_MS + 1));
        let (mut last, mut rounds) = (0, 0);
        while !done.load(std::sync::atomic::Ordering::Acquire) {
            let count = reader.count(&whole).expect("counted");
            let rows = reader.events(&part, true, 0, usize::MAX).expect("read");
            let sequences: HashSet<u64> = rows.iter().map(|click| click.sequence).collect();
            // Nothing is counted twice, nothing that was there goes away.
            assert_eq!(sequences.len(), rows.len());
            assert!(
                count >= last && rows.len() as u64 + 1 >= last,
                "{last} {count} {}",
                rows.len()
            );
            (last, rounds) = (count, rounds + 1);
        }
        (last, rounds)
    });
    for part in 0..150 {
        model.append(stream(part * 100, 100), Vec::new());
        model.clock.advance(10_000);
        model.writer().tick();
    }
    model.writer().settle();
    stop.store(true, std::sync::atomic::Ordering::Release);
    let (last, rounds) = counter.join().expect("no wrong count");
    assert!(last <= 15_000 && rounds > 0);
    assert_eq!(model.reader().count(&everything()).expect("counted"), 15_000);
}
