//! What a click costs the recorder's thread, step by step: with 2,400 links that are followed, and with a million drawn
//! evenly, 100,000 clicks a second.
//!
//! Prints processor time in ns a click. A worker's thread pushes a frame's clicks into its lane; then this thread reads
//! and decodes them, looks up who it was, gathers columns, and writes them, each step for itself. What they are
//! together, parsing of user agents included, is measured on a recorder that runs as in the server. `recorder SECONDS`
//! pushes for so long (10); words after it choose cases by their names.

use std::env;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;

use hopcart::clicklog::{self, Drain, NewRow};
use hopcart::domain::click::{ClickFlags, Outcome};
use hopcart::domain::consent::ConsentMode;
use hopcart::domain::id::{DomainNo, LinkNo, WorkspaceNo};
use hopcart::domain::keyring::{Keyring, Secret};
use hopcart::domain::link_domain::LinkDomain;
use hopcart::domain::outside::{Clock, NoPlaces};
use hopcart::domain::recognition::{Recognition, Seen};
use hopcart::domain::time::Timestamp;
use hopcart::domain::user_agent::{self, UserAgent};
use hopcart::flows::record_clicks::{self, Desk, Recorder};
use hopcart::redirect::lane::{Agent, NewClick};
use hopcart::redirect::{Keys, Lane, LaneReader, LaneRecord, Options, Shared, Table, Throttle};

const START: Timestamp = Timestamp(1_795_219_200_000);
const A_SECOND: u64 = 100_000;
/// The recorder's pace, and so many clicks at that rate.
const PACE_MS: u64 = 40;
const FRAME: u64 = A_SECOND * PACE_MS / 1000;
const LANE_BYTES: usize = 16 << 20;
const WINDOW_MS: i64 = 10_000;
const AGENTS: [&str; 4] = [
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 \
     Instagram 356.0.0.130.950",
    "Mozilla/5.0 (Linux; Android 15; Pixel 9; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 \
     Chrome/129.0.6678.3 Mobile Safari/537.36 trill_300012 BytedanceWebview/d8a21c6 NetType/WIFI Channel/googleplay",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 \
     Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36",
];
const LANGUAGES: [&str; 4] = ["en-US", "de-DE", "en-US", "pt-BR"];
const REFERRERS: [&str; 4] = [
    "https://l.instagram.com/",
    "https://www.tiktok.com/",
    "",
    "https://t.co/",
];

/// Who follows what.
#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    links: u64,
    /// Whether each click is of a visitor of their own; else all are of one, as of a load generator.
    is_crowd: bool,
}

const CASES: [Case; 3] = [
    Case {
        name: "2400-links",
        links: 2_400,
        is_crowd: true,
    },
    Case {
        name: "million-links",
        links: 1_000_000,
        is_crowd: true,
    },
    Case {
        name: "million-links-one-visitor",
        links: 1_000_000,
        is_crowd: false,
    },
];

/// The clicks, the same for each case every time.
struct Traffic {
    case: Case,
    random: u64,
    sequence: u64,
    /// A worker meets each of them again and again.
    agents: [UserAgent; 4],
}

impl Traffic {
    fn new(case: Case) -> Self {
        Self {
            case,
            random: 0x9e37_79b9_7f4a_7c15,
            sequence: 0,
            agents: AGENTS.map(user_agent::parse),
        }
    }

    fn number(&mut self) -> u64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        self.random.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn next(&mut self) -> NewClick<'static> {
        let (choice, person) = (self.number(), self.number() | 1);
        self.sequence += 1;
        let link = ((u128::from(choice) * u128::from(self.case.links)) >> 64) as u32;
        let pick = |shift: u32| (choice >> shift) as usize % 4;
        NewClick {
            sequence: self.sequence,
            at: START.plus_ms((self.sequence * 1000 / A_SECOND) as i64),
            workspace: WorkspaceNo(1),
            domain: DomainNo(1),
            link: LinkNo(1 + link),
            flags: ClickFlags::ID_SENT,
            outcome: Outcome::default(),
            variant: 0,
            country: *b"DE",
            region: "",
            city: "",
            visitor_known: 0,
            visitor_new: person,
            identity: if self.case.is_crowd { person.rotate_left(17) } else { 7 },
            user_agent: Agent::Parsed(self.agents[if self.case.is_crowd { pick(0) } else { 0 }]),
            language: LANGUAGES[pick(2)],
            referrer: REFERRERS[if self.case.is_crowd { pick(4) } else { 0 }],
            utm: ["instagram", "", "", "", ""],
            journey: &[],
            tapped: None,
        }
    }
}

/// The clicks' own time: checkpoints come by it.
struct ClicksClock(AtomicI64);

impl Clock for ClicksClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }
}

/// Processor time of thread `task` of this process in ns, up to when it slept last.
fn time_of(task: &Path) -> u64 {
    let told = fs::read_to_string(task.join("schedstat")).expect("Linux tells it");
    let first = told.split(' ').next().and_then(|number| number.parse().ok());
    first.expect("a number")
}

/// Processor time of this thread in ns. It sleeps first: the system adds up when a thread stops.
fn own_time() -> u64 {
    thread::sleep(Duration::from_micros(1));
    time_of(Path::new("/proc/thread-self"))
}

/// Processor time of all threads called `name`, in ns.
fn times_of(name: &str) -> u64 {
    let tasks = fs::read_dir("/proc/self/task").expect("Linux tells them").flatten();
    let of_name =
        tasks.filter(|task| fs::read_to_string(task.path().join("comm")).is_ok_and(|comm| comm.trim() == name));
    of_name.map(|task| time_of(&task.path())).sum()
}

/// A worker that pushes a frame of clicks whenever it is asked; answers what its thread took for each.
fn pushing(case: Case, mut lane: Lane, asked: Receiver<()>, pushed: SyncSender<u64>) {
    let mut traffic = Traffic::new(case);
    while asked.recv().is_ok() {
        let clicks: Vec<NewClick<'_>> = (0..FRAME).map(|_| traffic.next()).collect();
        let before = own_time();
        for click in &clicks {
            lane.push(black_box(click), false).expect("the lane is emptied");
        }
        let took = own_time() - before;
        if pushed.send(took).is_err() {
            break;
        }
    }
}

/// The steps one after the other, each for a whole frame.
struct Steps {
    names: [&'static str; 5],
    took: [u64; 5],
}

fn row<'a>(new: &NewClick<'a>) -> NewRow<'a> {
    NewRow {
        sequence: new.sequence,
        at: new.at,
        workspace: new.workspace,
        domain: new.domain,
        link: new.link,
        flags: new.flags,
        outcome: new.outcome,
        visitor: new.visitor_new,
        variant: new.variant,
        country: new.country,
        locality: "",
        user_agent: UserAgent::default(),
        language: new.language,
        referrer: new.referrer,
        utm: new.utm,
        journey: new.journey,
        tapped: new.tapped,
    }
}

fn measure_steps(case: Case, seconds: u64) -> Steps {
    let dir = tempfile::tempdir().expect("a directory");
    let clock = Arc::new(ClicksClock(AtomicI64::new(START.0)));
    let (mut writer, _reader, _) =
        clicklog::open(clicklog::Options::at(dir.path()), clock.clone()).expect("the log opens");
    let (lane, mut reader) = Lane::new(LANE_BYTES);
    let (ask, asked) = sync_channel(1);
    let (pushed, answers) = sync_channel(1);
    thread::spawn(move || pushing(case, lane, asked, pushed));
    let mut recognition = Recognition::new(WINDOW_MS);
    let mut drain = Drain::new();
    // The same again, for gathering by itself.
    let mut traffic = Traffic::new(case);
    let mut took = [0; 5];
    // What it costs to look at the clock of this thread.
    let watching = (0..100).map(|_| -(own_time() as i64 - own_time() as i64)).sum::<i64>() as u64 / 100;
    for _ in 0..seconds * 1000 / PACE_MS {
        let started = Instant::now();
        ask.send(()).expect("it pushes");
        let pushing = answers.recv().expect("it pushed");
        let clicks: Vec<NewClick<'_>> = (0..FRAME).map(|_| traffic.next()).collect();
        let began = own_time();
        read(&mut reader);
        let has_read = own_time();
        let look_up = |click: &NewClick<'_>| Seen {
            known: click.visitor_known,
            new: click.visitor_new,
            identity: click.identity,
        };
        let places = clicks.iter().map(|click| recognition.look_for_visitor(look_up(click)));
        black_box(places.fold(0, |all, place| all ^ place));
        let visitors: Vec<u64> = clicks
            .iter()
            .map(|click| recognition.visitor(look_up(click), click.at))
            .collect();
        let follows = || clicks.iter().zip(&visitors);
        let places = follows().map(|(click, visitor)| recognition.look_for_repeat(*visitor, click.link));
        black_box(places.fold(0, |all, place| all ^ place));
        for (click, visitor) in follows() {
            black_box(recognition.is_repeat(*visitor, click.link, click.at));
        }
        let has_recognised = own_time();
        clicks.iter().for_each(|click| drain.push(black_box(row(click))));
        let has_gathered = own_time();
        writer.append_drained(&mut drain, &[]).expect("durable");
        let has_written = own_time();
        let ends = [began, has_read, has_recognised, has_gathered, has_written];
        took[0] += pushing.saturating_sub(watching);
        for (sum, pair) in took[1..].iter_mut().zip(ends.windows(2)) {
            *sum += (pair[1] - pair[0]).saturating_sub(watching);
        }
        clock.0.fetch_add(PACE_MS as i64, Ordering::Relaxed);
        writer.tick();
        thread::sleep(Duration::from_millis(PACE_MS).saturating_sub(started.elapsed()));
    }
    Steps {
        names: ["push (worker)", "read", "recognise", "gather", "write"],
        took,
    }
}

fn read(lane: &mut LaneReader) {
    while lane.next(|record| {
        if let LaneRecord::Click(click) = record {
            black_box(click);
        }
    }) {}
    lane.acknowledge(lane.position());
}

/// The server's own recorder, fed at its pace: what its thread took, and the checkpoint's.
fn measure_whole(case: Case, seconds: u64) -> (u64, u64) {
    let dir = tempfile::tempdir().expect("a directory");
    let clock = Arc::new(ClicksClock(AtomicI64::new(START.0)));
    let (writer, log, _) = clicklog::open(clicklog::Options::at(dir.path()), clock.clone()).expect("the log opens");
    let shared = Arc::new(shared(clock.clone()));
    let options = record_clicks::Options {
        dedupe_window_ms: WINDOW_MS,
        is_durable: false,
    };
    let desk = Desk::open(writer, Vec::new(), options, clock.clone());
    let (mut lane, reader) = Lane::new(LANE_BYTES);
    let recorder = Recorder::start(desk, vec![reader], shared).expect("the recorder starts");
    let mut traffic = Traffic::new(case);
    let started = Instant::now();
    for part in 0..seconds * 1000 / PACE_MS {
        for _ in 0..FRAME {
            // A recorder that was held up by others on this machine catches up.
            while recorder.stats.waiting.load(Ordering::Relaxed) > 20 * FRAME {
                thread::sleep(Duration::from_millis(PACE_MS));
            }
            lane.push(&traffic.next(), false).expect("there is room");
        }
        clock.0.fetch_add(PACE_MS as i64, Ordering::Relaxed);
        thread::sleep(Duration::from_millis((part + 1) * PACE_MS).saturating_sub(started.elapsed()));
    }
    recorder.stats.wait_for_sweep().expect("the disk takes them");
    while log.stats().clicks_pending > 0 {
        clock.0.fetch_add(6_000, Ordering::Relaxed);
        thread::sleep(Duration::from_millis(50));
    }
    let took = (times_of("hopcart-clicks"), times_of("click-checkpoin"));
    assert_eq!(log.stats().clicks_written, traffic.sequence, "every click was written");
    recorder.stop();
    took
}

fn shared(clock: Arc<dyn Clock>) -> Shared {
    let domain = LinkDomain {
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
        created_at: Timestamp(0),
        updated_at: Timestamp(0),
    };
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
        table: Table::new(&domain).0,
        keys: Arc::new(ArcSwap::from_pointee(keys)),
        options: Options {
            node: 0,
            cookie_max_age_seconds: 60,
            is_durable: false,
        },
        places: Arc::new(NoPlaces),
        clock,
        throttle: Throttle::new(u32::MAX, [4; 32]),
        sequence: AtomicU64::new(1),
    }
}

fn main() {
    // `cargo bench` adds words of its own.
    let words: Vec<String> = env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let (seconds, names): (Vec<&String>, Vec<&String>) = words.iter().partition(|word| word.parse::<u64>().is_ok());
    let seconds = seconds.first().and_then(|word| word.parse().ok()).unwrap_or(10);
    let chosen = |case: &&Case| names.is_empty() || names.iter().any(|name| *name == case.name);
    for case in CASES.iter().filter(chosen) {
        let clicks = (seconds * 1000 / PACE_MS * FRAME) as f64;
        let steps = measure_steps(*case, seconds);
        println!("{}: ns of the processor a click", case.name);
        for (name, took) in steps.names.iter().zip(steps.took) {
            println!("  {name:<14} {:>7.0}", took as f64 / clicks);
        }
        let (recorder, checkpoint) = measure_whole(*case, seconds);
        println!("  {:<14} {:>7.0}", "recorder, all", recorder as f64 / clicks);
        println!("  {:<14} {:>7.0}", "checkpoint", checkpoint as f64 / clicks);
    }
}
