//! Opens the log and asks it; each question's time, and the most memory that the process held meanwhile.

use std::fs;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hopcart::clicklog::{Condition, Dimension, Filter, Options, Query, Reader, Writer, open};
use hopcart::domain::click::{ClassSet, ClickClass};
use hopcart::domain::id::{LinkNo, WorkspaceNo};
use hopcart::domain::outside::FixedClock;
use hopcart::domain::time::{DAY_MS, Timestamp};

use super::traffic::{ASKED, DAYS, START, WORKSPACES};
use super::{Plan, measure};

/// How often each question is put: the first time it reads from sled's file, then from its cache.
const TIMES: usize = 7;

fn opened(plan: &Plan) -> (Writer, Reader) {
    let started = Instant::now();
    let clock = Arc::new(FixedClock::at(START.plus_ms(DAYS as i64 * DAY_MS)));
    let (writer, reader, recovery) = open(Options::at(plan.log()), clock).expect("the log opens");
    println!(
        "open: {} ms, {} clicks replayed, {} MiB resident, peak {} MiB",
        started.elapsed().as_millis(),
        recovery.replayed_clicks,
        measure::resident_mib(),
        measure::peak_mib(),
    );
    assert_eq!((recovery.bad_frames, recovery.quarantined), (0, None));
    (writer, reader)
}

/// Leaves without closing, as a kill would.
pub fn open_only(plan: &Plan) {
    drop(opened(plan));
}

pub fn run(plan: &Plan) {
    let (writer, reader) = opened(plan);
    whole(plan, &reader);
    let days = 0..=DAYS as i64;
    let edges: Vec<Timestamp> = days.map(|day| START.plus_ms(day * DAY_MS)).collect();
    let year = query(DAYS as i64);
    let week = Query {
        start: START.plus_ms((DAYS as i64 - 7) * DAY_MS),
        ..year.clone()
    };
    let link = Query {
        links: Some(Arc::new([LinkNo(ASKED.0)].into())),
        ..year.clone()
    };
    println!("of one workspace of {WORKSPACES}, over {DAYS} days unless another time is named:");
    time("total", || reader.count(&year));
    time("timeseries by day", || reader.timeseries(&year, &edges));
    time("by link", || reader.count_by_link(&year));
    time("total of one link", || reader.count(&link));
    time("unique visitors", || reader.unique_visitors(&year));
    time("unique visitors of one link", || reader.unique_visitors(&link));
    time("top countries", || reader.top(&year, Dimension::Country, 10));
    time("top referrers of 7 days", || reader.top(&week, Dimension::Referrer, 10));
    let filtered = |days: &Query, conditions: &[(Dimension, &str)]| {
        let conditions = conditions.iter().map(|(by, name)| Condition {
            by: *by,
            names: vec![(*name).to_owned()],
            is_excluded: false,
        });
        Query {
            filter: Filter::of(conditions.collect()),
            ..days.clone()
        }
    };
    let one = filtered(&year, &[(Dimension::Country, "DE")]);
    time("total with one filter", || reader.count(&one));
    time("timeseries by day with one filter", || reader.timeseries(&one, &edges));
    let two = filtered(&week, &[(Dimension::Country, "DE"), (Dimension::Os, "iOS")]);
    time("total of 7 days with two filters", || reader.count(&two));
    time("newest 100 events", || reader.events(&year, true, 0, 100));
    drop(writer);
}

/// Every click that was written counts, once.
fn whole(plan: &Plan, reader: &Reader) {
    let written = fs::read_to_string(plan.dir.join("written")).expect("the writer told it");
    let classes = [
        ClickClass::Repeat,
        ClickClass::Bot,
        ClickClass::Prefetch,
        ClickClass::Head,
        ClickClass::Test,
    ];
    let all = classes.into_iter().fold(ClassSet::default(), ClassSet::including);
    let counted: u64 = (1..=WORKSPACES)
        .map(|workspace| {
            let everything = Query {
                workspace: WorkspaceNo(workspace),
                classes: all,
                ..query(DAYS as i64 + 1)
            };
            reader.count(&everything).expect("counted")
        })
        .sum();
    assert_eq!(counted.to_string(), written, "clicks counted, and written");
    println!("{counted} clicks counted, as many as were written");
}

fn query(days: i64) -> Query {
    Query {
        workspace: ASKED,
        links: None,
        start: START,
        end: START.plus_ms(days * DAY_MS),
        classes: ClassSet::default(),
        ..Query::default()
    }
}

fn time<T, E: std::fmt::Display>(what: &str, ask: impl Fn() -> Result<T, E>) {
    measure::reset_peak();
    let mut took: Vec<Duration> = Vec::new();
    for _ in 0..TIMES {
        let started = Instant::now();
        if let Err(error) = black_box(ask()) {
            println!("{what}: refused after {} ms: {error}", started.elapsed().as_millis());
            return;
        }
        took.push(started.elapsed());
    }
    let first = took[0];
    took.sort_unstable();
    println!(
        "{what}: first {:.1} ms, median {:.1} ms, peak {} MiB",
        first.as_secs_f64() * 1e3,
        took[TIMES / 2].as_secs_f64() * 1e3,
        measure::peak_mib(),
    );
}
