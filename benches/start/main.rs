//! How long after its start a server with millions of links answers its first follower, and what a link takes of memory.
//!
//! The real program on loopback. Its books are filled by this bench, straight into the table of links, which would take
//! an hour over the API: plain links with slugs of 7 characters and URLs of 71 bytes; of the indexes only the one that
//! finds a slug is there. Then it is started and killed again and again; from the moment at which it is started a link
//! drawn at random is asked for until one is followed. The file is in the page cache, as after a restart, not as after
//! the machine's. The links are made once and kept for the next run. What the server's log says of its phases stands
//! beside what the follower saw.
//!
//! Environment: `HOPCART_BENCH_LINKS` (1000000), `HOPCART_BENCH_STARTS` (5), `HOPCART_BENCH_DIR` (default beside what is
//! built; ten million links take 2 GB there, and 2 GB while the bench runs).

#[path = "../../tests/wire/program.rs"]
#[expect(dead_code, reason = "this bench knows where the server listens before it says so")]
mod program;
mod store;
#[path = "../../tests/wire/mod.rs"]
#[expect(dead_code, reason = "a bench sends no orders")]
mod wire;

use std::env;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use hopcart::domain::outside::{Entropy, SeededEntropy};
use serde_json::Value;

use program::Program;
use wire::{BROWSER, Connection};

const KEY: &str = "start-bench-admin-key-0123456789";
/// When the first follower must have been led on.
const FIRST_MAX: Duration = Duration::from_secs(2);
/// Longest wait for anything, so that the bench ends.
const PATIENCE: Duration = Duration::from_secs(600);
/// How often it is looked whether it listens.
const KNOCK: Duration = Duration::from_millis(1);
/// How often it is looked whether the table is loaded: seldom enough not to be what is measured.
const LOOK: Duration = Duration::from_millis(100);
/// Links that are followed before the server is killed: their clicks lie in its rings.
const FOLLOWED: usize = 500;

fn main() {
    let number = |name: &str, default: u32| {
        env::var(name).map_or(default, |text| {
            text.parse().unwrap_or_else(|_| panic!("{name}: a number"))
        })
    };
    let links = number("HOPCART_BENCH_LINKS", 1_000_000).max(1);
    let starts = number("HOPCART_BENCH_STARTS", 5).max(1);
    let kept = env::var_os("HOPCART_BENCH_DIR").map_or_else(|| env!("CARGO_TARGET_TMPDIR").into(), PathBuf::from);
    let dir = tempfile::tempdir_in(&kept).expect("a directory can be made");
    let bench = Bench::new(dir.path());
    let empty = bench.resident_of_empty();
    store::fill(&bench.data.join("books.sqlite"), &kept, links);
    println!(
        "| start | listening, ms | stores open | followers led on | first redirect | answers before it | table loaded | \
         bytes a link |\n|---|---|---|---|---|---|---|---|"
    );
    let entropy = SeededEntropy::new(5);
    let mut slowest = Duration::ZERO;
    for start in 0..starts {
        let server = bench.start();
        let draw = || store::slug(1 + (entropy.number() % u64::from(links)) as u32);
        let (first, refused) = server.until_followed(draw);
        let loaded = server.until_loaded();
        let bytes = server.resident().saturating_sub(empty) as f64 / f64::from(links);
        let [listening, open, led] = bench.phases();
        println!(
            "| {} | {listening} | {open} | {led} | {:.0} | {refused} | {:.0} | {bytes:.1} |",
            if start == 0 { "first" } else { "after SIGKILL" },
            first.as_secs_f64() * 1e3,
            loaded.as_secs_f64() * 1e3,
        );
        slowest = slowest.max(first);
        let mut connection = Connection::open(server.public).expect("it listens");
        (0..FOLLOWED).for_each(|_| assert_eq!(follow(&mut connection, &draw()), Some(302)));
        // Dropping it kills it.
    }
    assert!(slowest <= FIRST_MAX, "the first follower waited for {slowest:?}");
}

struct Bench {
    data: PathBuf,
    config: PathBuf,
    log: PathBuf,
    public: SocketAddr,
    admin: SocketAddr,
}

impl Bench {
    fn new(dir: &Path) -> Self {
        let config = dir.join("hopcart.toml");
        fs::write(&config, "[log]\nlevel = \"info\"\n").expect("there is room for it");
        Self {
            data: dir.join("data"),
            log: dir.join("log"),
            config,
            public: free_address(),
            admin: free_address(),
        }
    }

    /// Memory of a server without links; it makes the books.
    fn resident_of_empty(&self) -> usize {
        let program = Program {
            data: self.data.clone(),
            config: self.config.clone(),
            log: self.log.clone(),
            click_ack: "async",
            admin_key: KEY,
        };
        // Waits until it says that it is up.
        program.start().kill();
        let server = self.start();
        server.until_loaded();
        server.resident()
    }

    /// When the last start reached its phases, in milliseconds after it began, as the log has it.
    fn phases(&self) -> [u64; 3] {
        let log = fs::read_to_string(&self.log).expect("it writes one");
        let lines: Vec<Value> = log.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        ["listening", "stores open", "followers are led on"].map(|phase| {
            let reached = lines.iter().rev().find(|line| line["phase"] == phase);
            let after = reached.and_then(|line| line["after_ms"].as_u64());
            after.unwrap_or_else(|| panic!("the log does not say when it was {phase:?}"))
        })
    }

    fn start(&self) -> Server {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(&self.log)
            .expect("a log");
        let began = Instant::now();
        let child = Command::new(env!("CARGO_BIN_EXE_hopcart"))
            .args(["serve", "--listen", &self.public.to_string()])
            .args(["--admin-listen", &self.admin.to_string()])
            .arg("--config")
            .arg(&self.config)
            .arg("--data")
            .arg(&self.data)
            .env_clear()
            .env("HOPCART_ADMIN_KEY", KEY)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the program runs");
        Server {
            child,
            began,
            public: self.public,
            admin: self.admin,
        }
    }
}

/// An address of this machine that nobody listens at; the server takes it a moment later.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address")
}

/// A running program.
struct Server {
    child: Child,
    began: Instant,
    public: SocketAddr,
    admin: SocketAddr,
}

impl Server {
    /// When the first link was followed, and how many answers before that were something else.
    fn until_followed(&self, draw: impl Fn() -> String) -> (Duration, usize) {
        let mut refused = 0;
        while self.began.elapsed() < PATIENCE {
            let Ok(mut connection) = Connection::open(self.public) else {
                // It listens in a moment; spinning would take the processor from it.
                thread::sleep(KNOCK);
                continue;
            };
            match follow(&mut connection, &draw()) {
                Some(302) => return (self.began.elapsed(), refused),
                _ => refused += 1,
            }
        }
        panic!("no link could be followed in {PATIENCE:?}")
    }

    fn until_loaded(&self) -> Duration {
        while self.began.elapsed() < PATIENCE {
            let ready = Connection::open(self.admin).and_then(|mut asked| asked.ask("GET", "/readyz", &[], None));
            if ready.is_ok_and(|answer| answer.status == 200) {
                return self.began.elapsed();
            }
            thread::sleep(LOOK);
        }
        panic!("the table was not loaded in {PATIENCE:?}")
    }

    /// Bytes of the program that are in use (proc(5), `statm`).
    fn resident(&self) -> usize {
        let statm = fs::read_to_string(format!("/proc/{}/statm", self.child.id())).expect("a Linux system");
        let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
        pages.expect("a number of pages") * 4096
    }
}

impl Drop for Server {
    /// SIGKILL.
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn follow(connection: &mut Connection, slug: &str) -> Option<u16> {
    let answer = connection.ask("GET", &format!("/{slug}"), &[("User-Agent", BROWSER)], None);
    answer.ok().map(|answer| answer.status)
}
