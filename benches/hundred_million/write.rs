//! Writes the clicks as the server does: a worker pushes into its lane, the recorder drains it, recognises visitors,
//! parses user agents, appends and syncs; the checkpoint thread brings blocks, roll-ups and sketches into sled.
//!
//! What the recorder and the log take of the processor is all that this process takes, less the thread that pushes.

use std::fs;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;

use hopcart::clicklog::{self, Dimension, Query, Reader};
use hopcart::domain::consent::ConsentMode;
use hopcart::domain::id::{DomainNo, LinkNo, WorkspaceNo};
use hopcart::domain::keyring::{Keyring, Secret};
use hopcart::domain::link_domain::LinkDomain;
use hopcart::domain::outside::{Clock, NoPlaces};
use hopcart::domain::time::{DAY_MS, Timestamp};
use hopcart::flows::record_clicks::{self, Desk, Recorder};
use hopcart::redirect::{Keys, Lane, Options, Shared, Table, Throttle};

use super::traffic::{LINKS, START, Traffic, WORKSPACES};
use super::{Plan, bytes_below, measure};

/// Room of the lane, as a worker of the server has by default.
const LANE_BYTES: usize = 16 << 20;
/// Clicks that may lie in it: far from full, for a full lane would lose details.
const AHEAD: u64 = 16_384;
/// Clicks that sled may be behind by: some checkpoints.
const PENDING: u64 = 200_000;
/// A rate at which a server lives, and for how long it is watched, beside the flood before.
const STEADY_A_SECOND: u64 = 5_000;
const STEADY_SECONDS: u64 = 20;
/// Links that are asked about when they were drawn evenly.
const ASKED_LINKS: u32 = 100;

/// The clicks' own time; checkpoints come by number of clicks, so its speed changes nothing but which segments are old.
struct ClicksClock(AtomicI64);

impl Clock for ClicksClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }
}

struct Writing {
    clock: Arc<ClicksClock>,
    reader: Reader,
    recorder: Recorder,
    lane: Lane,
    shared: Arc<Shared>,
    pushed: u64,
}

pub fn run(plan: &Plan) {
    let mut writing = Writing::start(plan);
    if let Some(links) = plan.even {
        println!("{} clicks on {links} links, drawn evenly", plan.clicks);
        writing.flood(plan, &mut Traffic::even(plan.clicks, links));
        writing.ask(links);
        return finish();
    }
    let mut traffic = Traffic::new(plan.clicks);
    println!(
        "{} clicks over 90 days, {LINKS} links in {WORKSPACES} workspaces, a checkpoint every {} clicks",
        traffic.len(),
        plan.per_checkpoint
    );
    writing.flood(plan, &mut traffic);
    let last = writing.clock.now();
    writing.steady(plan, last);
    writing.tail(plan, last);
    fs::write(plan.dir.join("written"), writing.pushed.to_string()).expect("there is room for a number");
    finish();
}

/// Waits to be killed.
fn finish() {
    println!("ready");
    loop {
        thread::park();
    }
}

impl Writing {
    fn start(plan: &Plan) -> Self {
        let clock = Arc::new(ClicksClock(AtomicI64::new(START.0)));
        let options = clicklog::Options {
            pending_clicks_max: plan.per_checkpoint,
            // By number of clicks alone.
            checkpoint_every: Duration::from_secs(24 * 60 * 60),
            ..clicklog::Options::at(plan.log())
        };
        let (writer, reader, _) = clicklog::open(options, clock.clone()).expect("the log opens");
        let shared = Arc::new(shared(clock.clone(), writer.next_sequence()));
        let options = record_clicks::Options {
            dedupe_window_ms: 10_000,
            is_durable: false,
        };
        let desk = Desk::open(writer, Vec::new(), options, clock.clone());
        let (lane, lane_reader) = Lane::new(LANE_BYTES);
        let recorder = Recorder::start(desk, vec![lane_reader], Arc::clone(&shared)).expect("the recorder starts");
        Self {
            clock,
            reader,
            recorder,
            lane,
            shared,
            pushed: 0,
        }
    }

    /// As fast as they are taken.
    fn flood(&mut self, plan: &Plan, traffic: &mut Traffic) {
        let before = (measure::process_us(), measure::thread_us(), Instant::now());
        let threads_before = measure::threads_ns();
        while self.push(traffic) {}
        self.settle();
        for (name, ns) in measure::threads_ns() {
            let ns = ns - threads_before.get(&name).unwrap_or(&0);
            println!("thread {name}: {} ns of the processor a click", ns / self.pushed.max(1));
        }
        let own_us = measure::thread_us() - before.1;
        let writer_us = measure::process_us() - before.0 - own_us;
        let (clicks, stats) = (self.pushed as f64, self.reader.stats());
        let log = plan.log();
        let (journal, store) = (bytes_below(&log.join("journal")), bytes_below(&log.join("db")));
        println!(
            "writer: {:.2} µs of the processor a click, {:.0} clicks a second, {} checkpoints, peak {} MiB",
            writer_us as f64 / clicks,
            clicks / before.2.elapsed().as_secs_f64(),
            stats.checkpoints,
            measure::peak_mib(),
        );
        println!(
            "disk: {:.1} B of sled and {:.1} B of journal a click; on the disk now {} MiB of sled and {} MiB of journal \
             (its last 7 days): {:.1} B a click",
            store as f64 / clicks,
            stats.journal_bytes as f64 / clicks,
            store >> 20,
            journal >> 20,
            (store + journal) as f64 / clicks,
        );
    }

    /// How long questions about one link take: the longest of some, for links far from one another.
    fn ask(&self, links: u32) {
        let mut longest = [Duration::ZERO; 4];
        let mut found = 0;
        for n in 0..ASKED_LINKS {
            let link = LinkNo(1 + n * (links / ASKED_LINKS));
            let query = Query {
                workspace: WorkspaceNo(1 + (link.0 - 1) % WORKSPACES),
                links: Some(Arc::new([link].into())),
                start: START,
                end: START.plus_ms(DAY_MS),
                ..Query::default()
            };
            let took = [
                timed(|| found += self.reader.count(&query).expect("counted")),
                timed(|| self.reader.top(&query, Dimension::Country, 10).expect("counted")),
                timed(|| self.reader.unique_visitors(&query).expect("counted")),
                timed(|| self.reader.totals(link).expect("summed up")),
            ];
            longest = std::array::from_fn(|place| longest[place].max(took[place]));
        }
        let [count, top, visitors, totals] = longest.map(|took| took.as_secs_f64() * 1000.0);
        println!(
            "a link's day, the longest of {ASKED_LINKS} ({found} clicks): count {count:.2} ms, countries {top:.2} ms, \
             visitors {visitors:.2} ms, totals {totals:.2} ms"
        );
    }

    /// As a server lives: clicks every 20 ms, a batch at the recorder's pace, a checkpoint every 5 s.
    fn steady(&mut self, plan: &Plan, from: Timestamp) {
        let mut traffic = Traffic::new(plan.clicks.max(1_000_000));
        let before = (measure::process_us(), measure::thread_us(), self.pushed);
        let started = Instant::now();
        for second in 0..STEADY_SECONDS {
            if second % 5 == 4 {
                self.clock
                    .0
                    .store(from.plus_ms((second as i64 + 2) * DAY_MS / 4).0, Ordering::Relaxed);
            }
            for part in 0..50 {
                let ms = 1000 * second + 20 * part;
                for _ in 0..STEADY_A_SECOND / 50 {
                    self.push_at(&mut traffic, from.plus_ms(ms as i64));
                }
                thread::sleep(Duration::from_millis(ms + 20).saturating_sub(started.elapsed()));
            }
        }
        self.settle();
        let own_us = measure::thread_us() - before.1;
        let writer_us = measure::process_us() - before.0 - own_us;
        println!(
            "writer at {STEADY_A_SECOND} clicks a second: {:.2} µs of the processor a click",
            writer_us as f64 / (self.pushed - before.2) as f64
        );
    }

    /// What the journal alone has when the kill comes.
    fn tail(&mut self, plan: &Plan, from: Timestamp) {
        let mut traffic = Traffic::new(1_000_000);
        for _ in 0..(plan.per_checkpoint / 2).min(50_000) {
            self.push_at(&mut traffic, from);
        }
        self.wait(|writing| writing.written() == writing.pushed);
        println!(
            "killed with {} clicks in the journal alone",
            self.reader.stats().clicks_pending
        );
    }

    /// One click at its own time; `false` when there are no more.
    fn push(&mut self, traffic: &mut Traffic) -> bool {
        if self.pushed.is_multiple_of(1024) {
            self.wait(|writing| writing.pushed - writing.written() < AHEAD && writing.pending() < PENDING);
        }
        let sequence = self.shared.sequence.fetch_add(1, Ordering::Relaxed);
        let Some((at, pushed)) = traffic.next(sequence, |click| self.lane.push(click, false)) else {
            return false;
        };
        pushed.expect("the lane has room");
        self.clock.0.store(at.0, Ordering::Relaxed);
        self.pushed += 1;
        true
    }

    /// One click at `at`.
    fn push_at(&mut self, traffic: &mut Traffic, at: Timestamp) {
        let sequence = self.shared.sequence.fetch_add(1, Ordering::Relaxed);
        let next = traffic.next(sequence, |click| {
            let click = hopcart::redirect::lane::NewClick { at, ..click.clone() };
            self.lane.push(&click, false)
        });
        let (_, pushed) = next.expect("there are more than are asked for");
        pushed.expect("the lane has room");
        self.pushed += 1;
    }

    /// Clicks that sled does not have yet. More than some checkpoints' worth would leave memory and be read again.
    fn pending(&self) -> u64 {
        self.reader.stats().clicks_pending
    }

    fn written(&self) -> u64 {
        self.recorder.stats.written.load(Ordering::Relaxed)
    }

    /// Waits until everything is in sled.
    fn settle(&self) {
        self.wait(|writing| writing.written() == writing.pushed);
        let now = self.clock.now();
        self.clock.0.store(now.plus_ms(DAY_MS + 1).0, Ordering::Relaxed);
        self.wait(|writing| writing.reader.stats().clicks_pending == 0);
        self.clock.0.store(now.0, Ordering::Relaxed);
    }

    fn wait(&self, is_over: impl Fn(&Self) -> bool) {
        while !is_over(self) {
            // Not a spin: the processor time of the report is the log's.
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// What the recorder shares with workers: the sequence alone is used here.
fn shared(clock: Arc<dyn Clock>, sequence: u64) -> Shared {
    let (table, _) = Table::new(&LinkDomain {
        no: DomainNo::DEFAULT,
        id: "dom_default".to_owned(),
        workspace: None,
        slug: String::new(),
        is_primary: false,
        is_archived: false,
        is_case_sensitive: false,
        consent: ConsentMode::Gpc,
        has_legal_basis: false,
        cookie_domain: None,
        store: None,
        not_found_url: None,
        expired_url: None,
        redir_hosts: Vec::new(),
        proof: String::new(),
        verified_at: None,
        created_at: START,
        updated_at: START,
    });
    let ring = |key| {
        let secret = Secret {
            version: 1,
            key: [key; 32],
        };
        Keyring::new(vec![secret]).expect("a key")
    };
    let keys = Keys {
        click_id: ring(1),
        cookie: ring(2),
        salt: [3; 32],
    };
    Shared {
        table,
        keys: Arc::new(ArcSwap::from_pointee(keys)),
        options: Options {
            node: 0,
            cookie_max_age_seconds: 1,
            is_durable: false,
        },
        places: Arc::new(NoPlaces),
        clock,
        throttle: Throttle::new(u32::MAX, [4; 32]),
        sequence: AtomicU64::new(sequence),
    }
}

fn timed<T>(ask: impl FnOnce() -> T) -> Duration {
    let started = Instant::now();
    black_box(ask());
    started.elapsed()
}
