//! Questions against a naive list of clicks: every dimension and filter, alone and together, over checkpoints, crashes,
//! stores of before facets, erasures and removal by age; and clocks that jump.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use crate::domain::click::{ClassSet, Click, ClickFlags};
use crate::domain::id::{LinkNo, WorkspaceNo};
use crate::domain::outside::{Clock, FixedClock};
use crate::domain::time::{DAY_MS, HOUR_MS, Timestamp};
use crate::domain::user_agent::{Browser, Device, Os, UserAgent};
use crate::domain::visitor::Touch;

use super::samples::{NOON, click};
use super::scan::Row;
use super::{Batch, Condition, Dimension, Filter, Options, Query, Reader, Subject, Writer, key, open, segment};

const DIMENSIONS: [Dimension; 19] = [
    Dimension::Country,
    Dimension::Continent,
    Dimension::Region,
    Dimension::Area,
    Dimension::City,
    Dimension::Locality,
    Dimension::Device,
    Dimension::Browser,
    Dimension::Os,
    Dimension::Referrer,
    Dimension::ReferrerUrl,
    Dimension::Language,
    Dimension::Trigger,
    Dimension::UtmSource,
    Dimension::UtmMedium,
    Dimension::UtmCampaign,
    Dimension::UtmTerm,
    Dimension::UtmContent,
    Dimension::Variant,
];

/// A log and the clicks that it should know.
struct Log {
    dir: tempfile::TempDir,
    clock: Arc<FixedClock>,
    keep_clicks: Option<Duration>,
    clicks: Vec<Click>,
    openings: usize,
    open: Option<(Writer, Reader)>,
}

impl Log {
    fn new(keep_clicks: Option<Duration>) -> Self {
        let mut log = Self {
            dir: tempfile::tempdir().expect("a directory"),
            clock: Arc::new(FixedClock::at(NOON)),
            keep_clicks,
            clicks: Vec::new(),
            openings: 0,
            open: None,
        };
        log.reopen();
        log
    }

    fn reopen(&mut self) {
        self.open = None;
        self.openings += 1;
        let options = Options {
            segment_bytes: 4000,
            backlog_clicks_max: [1 << 20, 1, 40][self.openings % 3],
            few_clicks_max: [3, 64, 1, 4][self.openings % 4],
            sled_cache_bytes: 1 << 20,
            keep_clicks: self.keep_clicks,
            ..Options::at(self.dir.path())
        };
        let (writer, reader, _) = open(options, self.clock.clone()).expect("opens");
        self.open = Some((writer, reader));
    }

    fn writer(&mut self) -> &mut Writer {
        &mut self.open.as_mut().expect("open").0
    }

    fn reader(&self) -> &Reader {
        &self.open.as_ref().expect("open").1
    }

    fn append(&mut self, clicks: Vec<Click>) {
        let from = self.clicks.len() as u64;
        let clicks: Vec<Click> = (from..)
            .zip(clicks)
            .map(|(sequence, click)| Click { sequence, ..click })
            .collect();
        self.clicks.extend(clicks.iter().cloned());
        let lost = Vec::new();
        let appended = self.writer().append(Batch { clicks, lost });
        appended.map_err(|(_, error)| error).expect("durable");
    }

    fn checkpoint(&mut self) {
        self.clock.advance(10_000);
        self.writer().tick();
        self.writer().settle();
    }

    /// Takes out of the store what a version without facets would not have written.
    fn forget_facets(&mut self) {
        self.checkpoint();
        let store = self.writer().shared().store().expect("open");
        self.writer().shared().backlog.write(&store).expect("written");
        let mut batch = sled::Batch::default();
        batch.remove(&key::HISTORY);
        for kind in [7u8, 8] {
            let mut found = Vec::new();
            let scanned = store.scan::<super::error::StoreError>(&[kind], &[kind + 1], false, |key, _| {
                found.push(key.to_vec());
                Ok(true)
            });
            scanned.expect("readable");
            found
                .into_iter()
                .filter(|key| key[0] == kind)
                .for_each(|key| batch.remove(key));
        }
        store.rewrite(batch).expect("written");
    }

    /// Erases `subject` in workspace 1; answers how many clicks the log says that was.
    fn erase(&mut self, subject: Subject) -> u64 {
        let eraser = self.writer().eraser();
        let erasing = std::thread::spawn(move || eraser.erase(WorkspaceNo(1), subject));
        while !erasing.is_finished() {
            self.writer().tick();
            std::thread::yield_now();
        }
        let erased = erasing.join().expect("no panic").expect("erased");
        assert_eq!(erased.clicks.len() as u64, erased.record.clicks);
        for click in self.clicks.iter_mut().filter(|click| click.workspace == WorkspaceNo(1)) {
            let is_it = match subject {
                Subject::Visitor(visitor) => click.visitor == visitor,
                Subject::Click { sequence, .. } => click.sequence == sequence,
            };
            if is_it {
                *click = Click {
                    flags: click.flags.with(ClickFlags::ERASED),
                    visitor: 0,
                    user_agent: UserAgent::default(),
                    language: "".into(),
                    referrer: "".into(),
                    utm: Default::default(),
                    locality: "".into(),
                    journey: Vec::new(),
                    ..click.clone()
                };
            }
        }
        erased.record.clicks
    }

    fn matching(&self, query: &Query) -> Vec<&Click> {
        let asked = self.clicks.iter().filter(|click| {
            click.workspace == query.workspace
                && query.links.as_ref().is_none_or(|links| links.contains(&click.link))
                && query.start <= click.at
                && click.at < query.end
                && query.classes.has(click.flags.class())
        });
        let mut clicks: Vec<&Click> = asked
            .filter(|click| {
                query.filter.conditions().iter().all(|condition| {
                    let name = condition.by.name(&Row::Lone(click));
                    condition.names.iter().any(|asked| asked == name) != condition.is_excluded
                })
            })
            .collect();
        clicks.sort_by_key(|click| (click.at, click.sequence));
        clicks
    }

    fn check(&self, query: &Query, by: Dimension) {
        let (reader, clicks) = (self.reader(), self.matching(query));
        assert_eq!(reader.count(query).expect("counted"), clicks.len() as u64, "{query:?}");
        let mut by_link: HashMap<LinkNo, u64> = HashMap::new();
        let mut by_name: HashMap<&str, u64> = HashMap::new();
        let mut visitors = HashSet::new();
        for click in &clicks {
            *by_link.entry(click.link).or_default() += 1;
            *by_name.entry(by.name(&Row::Lone(click))).or_default() += 1;
            visitors.extend((click.visitor != 0).then_some(click.visitor));
        }
        assert_eq!(reader.count_by_link(query).expect("counted"), by_link, "{query:?}");
        let mut names: Vec<(String, u64)> = by_name.into_iter().map(|(name, n)| (name.to_owned(), n)).collect();
        names.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        assert_eq!(reader.top(query, by, 1000).expect("counted"), names, "{by:?} {query:?}");
        if query.classes == ClassSet::default() && !self.has_erased() {
            let unique = reader.unique_visitors(query).expect("counted");
            assert_eq!(unique, visitors.len() as u64, "{query:?}");
        }
        self.check_series(query, &clicks);
        self.check_events(query, &clicks);
    }

    /// Sketches keep those who were erased: unique visitors of whole days stay what they were.
    fn has_erased(&self) -> bool {
        self.clicks.iter().any(|click| click.flags.has(ClickFlags::ERASED))
    }

    fn check_series(&self, query: &Query, clicks: &[&Click]) {
        // Days of Kathmandu: they begin 18:15 UTC.
        let day = query.start.max(NOON.plus_ms(-9 * DAY_MS)).0.div_euclid(DAY_MS);
        let first = Timestamp(day * DAY_MS + 73 * HOUR_MS / 4);
        let inner = (0..8).map(|day| first.plus_ms(day * DAY_MS));
        let inner = inner.filter(|edge| query.start < *edge && *edge < query.end);
        let edges: Vec<Timestamp> = [query.start].into_iter().chain(inner).chain([query.end]).collect();
        let expected: Vec<u64> = edges
            .windows(2)
            .map(|span| {
                clicks
                    .iter()
                    .filter(|click| span[0] <= click.at && click.at < span[1])
                    .count() as u64
            })
            .collect();
        assert_eq!(
            self.reader().timeseries(query, &edges).expect("counted"),
            expected,
            "{query:?}"
        );
    }

    /// Walks the pages both ways.
    fn check_events(&self, query: &Query, clicks: &[&Click]) {
        for is_newest_first in [false, true] {
            let mut found = self.reader().events(query, is_newest_first, 0, 7).expect("read");
            while let Some(last) = found.last() {
                let place = (last.at, last.sequence);
                let more = self
                    .reader()
                    .events_beyond(query, is_newest_first, place, 7)
                    .expect("read");
                if more.is_empty() {
                    break;
                }
                found.extend(more);
            }
            if is_newest_first {
                found.reverse();
            }
            assert!(found.iter().eq(clicks.iter().copied()), "{query:?}");
        }
    }
}

/// Countries with regions and cities as far as they are known.
const PLACES: [([u8; 2], &str); 9] = [
    (*b"DE", ""),
    (*b"US", ""),
    (*b"NP", ""),
    ([0, 0], ""),
    (*b"DE", "DE-BE/Berlin"),
    (*b"US", "US-OR/Portland"),
    (*b"US", "US-ME/Portland"),
    (*b"US", "US-ME"),
    (*b"NP", "NP/Portland"),
];

fn some_click() -> impl Strategy<Value = Click> {
    let when = (-40i64..10, 0i64..HOUR_MS);
    let who = (1u32..5, 1u64..40, 0usize..7, 0usize..9, 0usize..3);
    (when, who, 0usize..5, 0usize..60, 1u32..3).prop_map(|((hours, ms), who, referrer, term, workspace)| {
        let (link, visitor, flags, country, agent) = who;
        // Some links have more terms in a day than their facets keep.
        let term = if link == 1 {
            format!("{term}").repeat(60)
        } else {
            format!("{}", term % 3)
        };
        Click {
            flags: ClickFlags([0, 0, 0, 64, 1, 32, 16][flags]),
            workspace: WorkspaceNo(workspace),
            country: PLACES[country].0,
            locality: PLACES[country].1.into(),
            user_agent: [
                UserAgent::default(),
                UserAgent {
                    device: Device::Mobile,
                    os: Os::Ios,
                    browser: Browser::Safari,
                    ..UserAgent::default()
                },
                UserAgent {
                    device: Device::Desktop,
                    browser: Browser::Chrome,
                    ..UserAgent::default()
                },
            ][agent],
            language: ["", "de-DE", "ne"][agent].into(),
            referrer: [
                "",
                "https://t.co/",
                "https://t.co/x",
                "https://l.instagram.com/",
                "t.co",
            ][referrer]
                .into(),
            utm: Arc::new([
                ["", "tiktok", "TikTok", "mail", ""][referrer].into(),
                "".into(),
                "autumn".into(),
                term.into(),
                ["", "a,b", "-c"][agent].into(),
            ]),
            variant: (visitor % 3) as u8,
            journey: vec![Touch::new(LinkNo(9), NOON); (visitor % 2) as usize],
            ..click(0, NOON.plus_ms(hours * HOUR_MS + ms), link + 10 * workspace, visitor)
        }
    })
}

#[derive(Debug, Clone)]
enum Step {
    Append(Vec<Click>),
    Checkpoint,
    Crash,
    ForgetFacets,
    EraseVisitor(u64),
    EraseClick(prop::sample::Index),
}

fn some_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => proptest::collection::vec(some_click(), 1..60).prop_map(Step::Append),
        4 => Just(Step::Checkpoint),
        1 => Just(Step::Crash),
        1 => Just(Step::ForgetFacets),
        1 => (1u64..40).prop_map(Step::EraseVisitor),
        1 => any::<prop::sample::Index>().prop_map(Step::EraseClick),
    ]
}

/// A question, with conditions still to be filled with names that occur.
#[derive(Debug, Clone)]
struct Asked {
    query: Query,
    by: Dimension,
    conditions: Vec<(usize, bool, Vec<prop::sample::Index>)>,
}

impl Asked {
    fn query(&self, clicks: &[Click]) -> Query {
        let name = |by: Dimension, index: &prop::sample::Index| match clicks.is_empty() {
            true => "nothing".to_owned(),
            false => by.name(&Row::Lone(index.get(clicks))).to_owned(),
        };
        let conditions = self.conditions.iter().map(|(by, is_excluded, indexes)| {
            let by = DIMENSIONS[*by];
            Condition {
                by,
                names: indexes.iter().map(|index| name(by, index)).collect(),
                is_excluded: *is_excluded,
            }
        });
        Query {
            filter: Filter::of(conditions.collect()),
            ..self.query.clone()
        }
    }
}

fn some_question() -> impl Strategy<Value = Asked> {
    let links = proptest::option::of(proptest::collection::hash_set((10u32..16).prop_map(LinkNo), 0..4));
    let names = proptest::collection::vec(any::<prop::sample::Index>(), 1..3);
    let conditions = proptest::collection::vec((0..DIMENSIONS.len(), any::<bool>(), names), 0..3);
    let time = (-45i64 * 4..48, 0i64..60 * 4, any::<bool>(), any::<bool>());
    (links, conditions, time, 0..DIMENSIONS.len(), any::<bool>()).prop_map(|(links, conditions, time, by, others)| {
        let (from, length, is_ragged, is_all) = time;
        let quarter = HOUR_MS / 4 + i64::from(is_ragged) * 777;
        let query = Query {
            workspace: WorkspaceNo(1),
            links: links.map(Arc::new),
            start: if is_all {
                Timestamp(0)
            } else {
                Timestamp::of_bucket(NOON.bucket()).plus_ms(from * quarter)
            },
            end: Timestamp::of_bucket(NOON.bucket()).plus_ms((from + length) * quarter),
            classes: ClassSet::parse(if others { "bots,repeats,test" } else { "" }).expect("known"),
            ..Query::default()
        };
        Asked {
            query,
            by: DIMENSIONS[by],
            conditions,
        }
    })
}

proptest! {
    // Each case opens sled several times.
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn every_question_is_answered_as_by_a_list_of_clicks(
        steps in proptest::collection::vec(some_step(), 1..12),
        questions in proptest::collection::vec(some_question(), 1..12),
    ) {
        let mut log = Log::new(None);
        for step in steps {
            match step {
                Step::Append(clicks) => log.append(clicks),
                Step::Checkpoint => log.checkpoint(),
                Step::Crash => log.reopen(),
                Step::ForgetFacets => log.forget_facets(),
                Step::EraseVisitor(visitor) => {
                    let known = log.clicks.iter().filter(|click| click.workspace == WorkspaceNo(1));
                    let known = known.filter(|click| click.visitor == visitor).count();
                    prop_assert_eq!(log.erase(Subject::Visitor(visitor)), known as u64);
                }
                Step::EraseClick(index) if !log.clicks.is_empty() => {
                    let click = index.get(&log.clicks).clone();
                    let is_ours = click.workspace == WorkspaceNo(1) && !click.flags.has(ClickFlags::ERASED);
                    let subject = Subject::Click { at: click.at, sequence: click.sequence, link: click.link };
                    prop_assert_eq!(log.erase(subject), u64::from(is_ours));
                }
                Step::EraseClick(_) => {}
            }
        }
        for _ in 0..2 {
            for asked in &questions {
                log.check(&asked.query(&log.clicks), asked.by);
            }
            // And once more from what is on disk alone.
            log.reopen();
        }
    }
}

/// A day of clicks a day for ten days before [`NOON`], one an hour.
fn ten_days() -> Vec<Click> {
    let hourly = |hour: i64| Click {
        country: [*b"DE", *b"US"][(hour % 2) as usize],
        referrer: format!("https://site{}.example/", hour % 3).into(),
        ..click(0, NOON.plus_ms(-hour * HOUR_MS), 1, hour as u64 % 5 + 1)
    };
    (0..240).map(hourly).collect()
}

fn all_time() -> Query {
    Query {
        workspace: WorkspaceNo(1),
        end: NOON.plus_ms(1),
        ..Query::default()
    }
}

#[test]
fn what_goes_by_age_leaves_its_counts_and_a_note_where_it_lacks() {
    let mut log = Log::new(Some(Duration::from_secs(3 * 24 * 60 * 60)));
    log.append(ten_days());
    // A pass removes a day; passes are minutes apart, and each opening begins with one.
    for _ in 0..9 {
        log.checkpoint();
        log.reopen();
        log.append(vec![Click {
            workspace: WorkspaceNo(2),
            ..click(0, NOON, 9, 1)
        }]);
    }
    let reader = log.reader();
    let kept = reader.events(&all_time(), false, 0, 1000).expect("read");
    let oldest = kept.first().expect("clicks").at;
    let age = NOON.since(oldest);
    assert!((2 * DAY_MS..3 * DAY_MS + HOUR_MS).contains(&age), "{age}");
    // Whole: everything that roll-ups, sketches and facets tell.
    let query = all_time();
    assert_eq!(reader.count(&query).expect("counted"), 240);
    assert_eq!(reader.unique_visitors(&query).expect("counted"), 5);
    let countries = reader.top(&query, Dimension::Country, 9).expect("counted");
    assert_eq!(countries, [("DE".to_owned(), 120), ("US".to_owned(), 120)]);
    assert_eq!(query.lacks.partial_before(), None);
    // Partial, and said so: what needs the clicks themselves.
    let query = all_time();
    let urls = reader.top(&query, Dimension::ReferrerUrl, 9).expect("counted");
    let counted: u64 = urls.iter().map(|(_, count)| count).sum();
    let cut = query.lacks.partial_before().expect("a note");
    assert_eq!(counted, kept.len() as u64);
    assert!(cut <= oldest && oldest.since(cut) <= HOUR_MS, "{cut} {oldest}");
    // Whole again where nothing is missing.
    let query = Query {
        start: cut,
        ..all_time()
    };
    let urls = reader.top(&query, Dimension::ReferrerUrl, 9).expect("counted");
    assert_eq!(urls.iter().map(|(_, count)| count).sum::<u64>(), counted);
    assert_eq!(query.lacks.partial_before(), None);
}

#[test]
fn a_clock_that_jumps_ahead_costs_a_day_of_clicks_at_most() {
    let mut log = Log::new(Some(Duration::from_secs(3 * 24 * 60 * 60)));
    log.append(ten_days());
    log.checkpoint();
    let before = log.reader().events(&all_time(), false, 0, 1000).expect("read").len();
    log.clock.advance(20 * 365 * DAY_MS);
    for _ in 0..50 {
        log.append(vec![click(0, NOON, 9, 1)]);
        log.checkpoint();
    }
    let after = log.reader().events(
        &Query {
            links: Some(Arc::new(HashSet::from([LinkNo(1)]))),
            ..all_time()
        },
        false,
        0,
        1000,
    );
    let after = after.expect("read").len();
    assert!(before - after <= 25, "{before} {after}");
}

#[test]
fn an_erased_visitor_is_in_no_file_and_still_counts() {
    let mut log = Log::new(None);
    let secret = 0x1122_3344_5566_7788u64;
    let theirs = |n: i64| Click {
        country: *b"DE",
        locality: "DE-BW/Their-Own-Village".into(),
        referrer: "https://their-own-page.example/profile".into(),
        utm: Arc::new(["".into(), "".into(), "".into(), "their-own-term".into(), "".into()]),
        journey: vec![Touch::new(LinkNo(77), NOON)],
        ..click(0, NOON.plus_ms(n * HOUR_MS), 1, secret)
    };
    log.append(vec![theirs(0), click(0, NOON, 1, 5), theirs(1)]);
    log.checkpoint();
    // Not in the store yet when it is asked for.
    log.append(vec![theirs(2), click(0, NOON.plus_ms(2 * HOUR_MS), 1, 6)]);
    let journal = |log: &Log| {
        let segments = segment::list(&log.dir.path().join("journal")).expect("listed");
        let bytes: Vec<u8> = segments
            .iter()
            .flat_map(|(_, path)| std::fs::read(path).expect("read"))
            .collect();
        bytes.windows(8).any(|window| window == secret.to_le_bytes())
    };
    assert!(journal(&log), "the check can fail");
    let query = Query {
        end: NOON.plus_ms(DAY_MS),
        ..all_time()
    };
    assert_eq!(log.erase(Subject::Visitor(secret)), 3);
    assert!(!journal(&log));
    assert_eq!(log.reader().count(&query).expect("counted"), 5);
    for by in [
        Dimension::Referrer,
        Dimension::ReferrerUrl,
        Dimension::UtmTerm,
        Dimension::Region,
        Dimension::City,
    ] {
        let names = log.reader().top(&query, by, 9).expect("counted");
        assert_eq!(names.len(), 1, "{names:?}");
        assert_eq!(names[0].1, 5);
    }
    assert_eq!(
        log.reader().top(&query, Dimension::Country, 9).expect("counted")[0],
        ("DE".to_owned(), 3)
    );
    let events = log.reader().events(&query, false, 0, 9).expect("read");
    assert_eq!(
        events
            .iter()
            .filter(|click| click.flags.has(ClickFlags::ERASED))
            .count(),
        3
    );
    assert!(
        events
            .iter()
            .all(|click| click.visitor != secret && click.journey.is_empty())
    );
    // The proof stays, and a second time there is nothing left to do.
    assert_eq!(log.erase(Subject::Visitor(secret)), 0);
    let erasures = log.reader().erasures(WorkspaceNo(1)).expect("read");
    assert_eq!(
        erasures.iter().map(|erasure| erasure.clicks).collect::<Vec<_>>(),
        [0, 3]
    );
    assert_eq!(log.reader().erasures(WorkspaceNo(2)).expect("read"), []);
    // A store that is rebuilt from the journal does not bring them back.
    log.open = None;
    std::fs::remove_dir_all(log.dir.path().join("db")).expect("removed");
    log.reopen();
    assert_eq!(log.reader().count(&query).expect("counted"), 5);
    let events = log.reader().events(&query, false, 0, 9).expect("read");
    assert!(events.iter().all(|click| click.visitor != secret));
}

#[test]
fn nobody_waits_for_a_closed_log() {
    let mut log = Log::new(None);
    let eraser = log.writer().eraser();
    let waiting = {
        let eraser = eraser.clone();
        std::thread::spawn(move || eraser.erase(WorkspaceNo(1), Subject::Visitor(1)))
    };
    log.open = None;
    assert!(waiting.join().expect("no panic").is_err());
    assert!(eraser.erase(WorkspaceNo(1), Subject::Visitor(1)).is_err());
}

/// How a clock moves before a batch and within it, in milliseconds.
fn some_jump() -> impl Strategy<Value = i64> {
    let year = 365 * DAY_MS;
    prop_oneof![
        4 => 0i64..2000,
        // Twice as fast; the same second twice; a second left out; set back a little.
        1 => Just(40_000i64), 1 => Just(-1000i64), 1 => Just(1001i64), 1 => -5000i64..0,
        1 => (-60i64..60).prop_map(move |years| years * year),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn whatever_the_clock_does_every_click_counts_once(
        batches in proptest::collection::vec((proptest::collection::vec(some_jump(), 1..20), any::<bool>()), 1..12),
    ) {
        let mut log = Log::new(None);
        for (jumps, is_crash) in batches {
            let clicks = jumps.into_iter().map(|jump| {
                // No system sets its clock before 1970.
                log.clock.advance(jump.max(-log.clock.now().0));
                click(0, log.clock.now(), 1, 7)
            });
            let clicks = clicks.collect();
            log.append(clicks);
            let reserved = log.writer().next_sequence();
            log.writer().tick();
            log.writer().settle();
            if is_crash {
                log.reopen();
            }
            // Sequence numbers only grow, whatever the time.
            prop_assert!(log.writer().next_sequence() >= reserved && reserved >= log.clicks.len() as u64);
        }
        let count = log.clicks.len() as u64;
        let all = Query { workspace: WorkspaceNo(1), start: Timestamp(i64::MIN), end: Timestamp(i64::MAX), ..Query::default() };
        prop_assert_eq!(log.reader().totals(LinkNo(1)).expect("read").counts[0], count);
        log.check(&all, Dimension::Device);
        // Each instant is in one half, whichever way the clock went.
        let middle = log.clicks[log.clicks.len() / 2].at;
        for query in [Query { end: middle, ..all.clone() }, Query { start: middle, ..all.clone() }] {
            log.check(&query, Dimension::Country);
        }
        let first = log.reader().first_at(&all).expect("read").expect("clicks");
        let oldest = log.clicks.iter().map(|click| click.at).min().expect("clicks");
        prop_assert_eq!(first.bucket(), oldest.bucket());
    }
}
