//! Guards what a click costs the click log: encoding, journal and sync; a checkpoint; a count; a page of events.
//!
//! Prints before the timings what an append and its share of a checkpoint take of the processor and of the disk.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

use hopcart::clicklog::{Batch, Condition, Dimension, Filter, Options, Query, Reader, Writer, open};
use hopcart::domain::click::{ClassSet, Click, ClickFlags, Outcome};
use hopcart::domain::id::{DomainNo, LinkNo, WorkspaceNo};
use hopcart::domain::outside::{Clock, Entropy, FixedClock, SeededEntropy};
use hopcart::domain::time::{DAY_MS, Timestamp};
use hopcart::domain::user_agent::{App, Browser, Device, Os, UserAgent};
use hopcart::domain::visitor::Touch;

const BATCH: usize = 2048;
const START: Timestamp = Timestamp(1_795_219_200_000);

/// A realistic stream: 200 links, some of them hot; few referrers and agents; journeys of 0 to 3 touches.
struct Stream {
    entropy: SeededEntropy,
    sequence: u64,
    at: Timestamp,
    /// Milliseconds from click to click, times 1000.
    step_us: i64,
}

impl Stream {
    fn new(step_us: i64) -> Self {
        Self {
            entropy: SeededEntropy::new(7),
            sequence: 0,
            at: START,
            step_us,
        }
    }

    fn batch(&mut self) -> Batch {
        Batch {
            clicks: (0..BATCH).map(|_| self.click()).collect(),
            lost: Vec::new(),
        }
    }

    fn click(&mut self) -> Click {
        let random = self.entropy.number();
        let pick = |shift: u32, of: u64| (random >> shift) % of;
        self.sequence += 1;
        self.at = START.plus_ms(self.sequence as i64 * self.step_us / 1000);
        let apps = [App::TikTok, App::Instagram, App::Instagram, App::Facebook, App::Unknown];
        let referrers = [
            "https://l.instagram.com/",
            "https://www.tiktok.com/",
            "",
            "https://t.co/",
        ];
        let countries = [*b"US", *b"US", *b"DE", *b"GB", *b"FR", *b"BR"];
        let link = LinkNo(1 + (pick(0, 200) * pick(8, 200) / 200) as u32);
        let touch = |n: u64| Touch {
            link: LinkNo(1 + pick(n as u32 * 5, 200) as u32),
            seconds: (self.at.seconds() - 60 * (pick(16 + n as u32, 20_000) as i64)) as u32,
        };
        Click {
            sequence: self.sequence,
            at: self.at,
            workspace: WorkspaceNo(1 + link.0 % 3),
            domain: DomainNo(1),
            link,
            flags: ClickFlags([0, 0, 512, 512, 32, 1][pick(20, 6) as usize]),
            outcome: Outcome::of_code(pick(24, 2) as u8),
            visitor: self.entropy.number() | 1,
            variant: 0,
            country: countries[pick(28, 6) as usize],
            locality: "".into(),
            user_agent: UserAgent {
                device: if pick(31, 8) == 0 {
                    Device::Desktop
                } else {
                    Device::Mobile
                },
                os: if pick(34, 2) == 0 { Os::Ios } else { Os::Android },
                browser: if pick(36, 3) == 0 {
                    Browser::Chrome
                } else {
                    Browser::WebView
                },
                app: apps[pick(40, 5) as usize],
            },
            language: ["en-US", "en-US", "de-DE", "pt-BR"][pick(44, 4) as usize].into(),
            referrer: referrers[pick(48, 4) as usize].into(),
            utm: if pick(52, 3) == 0 {
                Default::default()
            } else {
                Arc::new(["tiktok".into(), "social".into(), "autumn".into(), "".into(), "".into()])
            },
            journey: (0..pick(56, 4)).map(touch).collect(),
            tapped: None,
        }
    }
}

struct Log {
    writer: Writer,
    reader: Reader,
    clock: Arc<FixedClock>,
    dir: tempfile::TempDir,
}

impl Log {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let clock = Arc::new(FixedClock::at(START));
        let (writer, reader, _) = open(Options::at(dir.path()), clock.clone() as Arc<dyn Clock>).expect("opens");
        Self {
            writer,
            reader,
            clock,
            dir,
        }
    }

    fn append(&mut self, batch: Batch) {
        self.writer.append(batch).map_err(|(_, error)| error).expect("durable");
        self.writer.tick();
    }

    /// Waits until everything is in sled.
    fn settle(&mut self) {
        while self.reader.stats().clicks_pending > 0 {
            self.clock.advance(6_000);
            self.writer.tick();
            // Not a spin: the processor time of the report is the log's.
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }
}

/// Processor time of this process, user and system, in microseconds.
fn processor_us() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |place: usize| fields.get(place).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    (ticks(11) + ticks(12)) * 10_000
}

fn bytes_below(dir: &Path) -> u64 {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .map(|entry| {
            if entry.path().is_dir() {
                bytes_below(&entry.path())
            } else {
                entry.metadata().map_or(0, |file| file.len())
            }
        })
        .sum()
}

/// What a click costs when everything is included.
fn report(log: &mut Log, batches: Vec<Batch>) {
    let clicks = (batches.len() * BATCH) as u64;
    let (processor, started) = (processor_us(), Instant::now());
    batches.into_iter().for_each(|batch| log.append(batch));
    log.settle();
    let (processor, took) = (processor_us() - processor, started.elapsed());
    let journal = bytes_below(&log.dir.path().join("journal"));
    let store = bytes_below(&log.dir.path().join("db"));
    println!(
        "{clicks} clicks: {:.2} µs of the processor, {:.2} µs of time, {:.1} B of journal, {:.1} B of sled a click",
        processor as f64 / clicks as f64,
        took.as_secs_f64() * 1e6 / clicks as f64,
        journal as f64 / clicks as f64,
        store as f64 / clicks as f64,
    );
}

fn click_log(c: &mut Criterion) {
    let mut stream = Stream::new(100);
    let mut log = Log::new();
    report(&mut log, (0..500).map(|_| stream.batch()).collect());

    let mut group = c.benchmark_group("click_log");
    group.sample_size(20).throughput(Throughput::Elements(BATCH as u64));
    group.bench_function("append_2048", |b| {
        b.iter_batched(
            || stream.batch(),
            |batch| log.append(batch),
            criterion::BatchSize::PerIteration,
        );
    });
    log.settle();

    // Three weeks of clicks: what questions meet.
    let mut old = Log::new();
    let mut stream = Stream::new(21 * DAY_MS * 1000 / (100 * BATCH as i64));
    (0..100).for_each(|_| old.append(stream.batch()));
    old.settle();
    let query = |links: Option<u32>, days: i64| Query {
        workspace: WorkspaceNo(2),
        links: links.map(|link| Arc::new([LinkNo(link)].into())),
        start: START,
        end: START.plus_ms(days * DAY_MS),
        classes: ClassSet::default(),
        ..Query::default()
    };
    group.throughput(Throughput::Elements(1));
    group.bench_function("count_workspace_21_days", |b| {
        b.iter(|| black_box(old.reader.count(&query(None, 21)).expect("counted")));
    });
    group.bench_function("count_one_link_21_days", |b| {
        b.iter(|| black_box(old.reader.count(&query(Some(4), 21)).expect("counted")));
    });
    group.bench_function("count_by_link_7_days", |b| {
        b.iter(|| black_box(old.reader.count_by_link(&query(None, 7)).expect("counted")));
    });
    group.bench_function("events_newest_100", |b| {
        b.iter(|| black_box(old.reader.events(&query(None, 21), true, 0, 100).expect("read")));
    });
    group.bench_function("countries_21_days", |b| {
        b.iter(|| {
            black_box(
                old.reader
                    .top(&query(None, 21), Dimension::Country, 100)
                    .expect("counted"),
            )
        });
    });
    let filtered = |conditions: &[(Dimension, &str)]| {
        let conditions = conditions.iter().map(|(by, name)| Condition {
            by: *by,
            names: vec![(*name).to_owned()],
            is_excluded: false,
        });
        Query {
            filter: Filter::of(conditions.collect()),
            ..query(None, 21)
        }
    };
    let one = filtered(&[(Dimension::Country, "DE")]);
    group.bench_function("count_one_filter_21_days", |b| {
        b.iter(|| black_box(old.reader.count(&one).expect("counted")));
    });
    // Reads every click: divide by their number.
    let two = filtered(&[(Dimension::Country, "DE"), (Dimension::Os, "iOS")]);
    group.bench_function("count_two_filters_of_204800_clicks", |b| {
        b.iter(|| black_box(old.reader.count(&two).expect("counted")));
    });
    group.bench_function("unique_visitors_21_days", |b| {
        b.iter(|| black_box(old.reader.unique_visitors(&query(None, 21)).expect("counted")));
    });
    group.finish();
}

criterion_group!(benches, click_log);
criterion_main!(benches);
