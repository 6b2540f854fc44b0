//! A hundred million clicks over ninety days, through the real way of a click from the lane on: what one costs, how soon
//! the server is back after a kill, and how long questions take.
//!
//! Takes minutes and gigabytes, so it runs only when told how much:
//! `HOPCART_BENCH_CLICKS=100000000 cargo bench --profile release --bench hundred_million`. More of the environment:
//! `HOPCART_BENCH_DIR` (where; a directory that is removed afterwards), `HOPCART_BENCH_PER_CHECKPOINT` (clicks from one
//! checkpoint to the next; 65536, as under a load of thousands a second), `HOPCART_BENCH_EVEN` (links that the clicks of
//! one hour are drawn from evenly, as load tests do: then only what writing costs each thread is told).
//!
//! Four processes, each a process of its own so that its memory is its own: one writes and is killed, the server starts
//! on what it left, one opens the log, one asks.

mod agents;
mod ask;
mod measure;
#[path = "../../tests/wire/program.rs"]
mod program;
mod serve;
mod traffic;
#[expect(dead_code, reason = "shops belong to the tests of whole servers")]
#[path = "../../tests/wire/mod.rs"]
mod wire;
mod write;

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// What the environment asks for.
struct Plan {
    clicks: u64,
    per_checkpoint: usize,
    even: Option<u32>,
    dir: PathBuf,
}

impl Plan {
    fn of_environment() -> Option<Self> {
        let number = |name| {
            env::var(name)
                .ok()
                .map(|text| text.parse().unwrap_or_else(|_| panic!("{name}: a number")))
        };
        Some(Self {
            clicks: number("HOPCART_BENCH_CLICKS")?,
            per_checkpoint: number("HOPCART_BENCH_PER_CHECKPOINT").unwrap_or(65_536) as usize,
            even: number("HOPCART_BENCH_EVEN").map(|links: u64| links as u32),
            dir: env::var_os("HOPCART_BENCH_DIR")
                .map_or_else(|| env::temp_dir().join("hopcart-hundred-million"), PathBuf::from),
        })
    }

    fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    fn log(&self) -> PathBuf {
        self.data().join("clicklog")
    }
}

fn main() {
    let Some(plan) = Plan::of_environment() else {
        println!("hundred_million: not run; HOPCART_BENCH_CLICKS says how many clicks (10000000 take about a minute)");
        return;
    };
    match env::var("HOPCART_BENCH_PART").as_deref() {
        Ok("write") => write::run(&plan),
        Ok("open") => ask::open_only(&plan),
        Ok("ask") => ask::run(&plan),
        _ => run_all(&plan),
    }
}

fn run_all(plan: &Plan) {
    fs::remove_dir_all(&plan.dir).ok();
    fs::create_dir_all(&plan.dir).expect("a directory can be made");
    serve::prepare(plan);
    let writer = part("write");
    until_ready(writer);
    if plan.even.is_some() {
        fs::remove_dir_all(&plan.dir).ok();
        return;
    }
    serve::first_redirect(plan);
    until_end(part("open"));
    if measure::forget_cache() {
        println!("open, nothing of it in the page cache:");
        until_end(part("open"));
    }
    until_end(part("ask"));
    fs::remove_dir_all(&plan.dir).ok();
}

/// This program again, for one part.
fn part(name: &str) -> Child {
    let program = env::current_exe().expect("this program has a name");
    let mut command = Command::new(program);
    command.env("HOPCART_BENCH_PART", name).stdout(Stdio::piped());
    command.spawn().expect("this program runs")
}

/// Shows what a part says until it is ready, and kills it.
fn until_ready(mut child: Child) {
    let is_ready = show(&mut child, |line| line == "ready");
    assert!(is_ready, "the writer ended: {:?}", child.wait());
    child.kill().expect("it was running");
    child.wait().expect("it is gone");
}

fn until_end(mut child: Child) {
    show(&mut child, |_| false);
    let status = child.wait().expect("it ends");
    assert!(status.success(), "{status}");
}

/// Shows lines until one is the `last`; whether it came.
fn show(child: &mut Child, last: impl Fn(&str) -> bool) -> bool {
    let stdout = child.stdout.take().expect("a pipe");
    for line in BufReader::new(stdout).lines() {
        let line = line.expect("text");
        if last(&line) {
            return true;
        }
        println!("{line}");
    }
    false
}

/// Bytes of all files below `dir`.
fn bytes_below(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let size = |entry: fs::DirEntry| match entry.path().is_dir() {
        true => bytes_below(&entry.path()),
        false => entry.metadata().map_or(0, |file| file.len()),
    };
    entries.map(size).sum()
}
