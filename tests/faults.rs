//! A disk that fills up under load: every follower is redirected, every click is counted, and it heals by itself.
//!
//! The real program with its data on a tmpfs of 64 MiB, filled to the last byte while followers keep coming. Needs the
//! right to mount (root, as in most containers of CI with `CAP_SYS_ADMIN`); without it the tests say so, loudly, and
//! prove nothing: what can be proved without a mount is proved in `flows/record_clicks.rs`, on a disk that fails by
//! script. Environment: `HOPCART_FAULTS_RATE` (follows a second, 5000).

#[expect(dead_code, reason = "shops and pages belong to the other tests of whole servers")]
mod wire;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use wire::{Api, BROWSER, Connection, eventually};

const ADMIN_KEY: &str = "faults-test-admin-key-0123456789";
/// Threads that follow links; each has its own connection.
const FOLLOWERS: u32 = 8;
/// How soon an alarm must be raised.
const ALARM: Duration = Duration::from_secs(1);
/// How soon all must be well again once there is room.
const HEALED: Duration = Duration::from_secs(5);

/// Every address follows once: no click is a repeat.
static ADDRESSES: AtomicU32 = AtomicU32::new(0);

/// A file system of 64 MiB of its own.
struct SmallDisk {
    dir: PathBuf,
}

impl SmallDisk {
    fn mount(dir: &Path) -> Option<Self> {
        fs::create_dir(dir).expect("made");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64m", "hopcart-faults"])
            .arg(dir)
            .stderr(Stdio::null())
            .status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self { dir: dir.to_owned() });
        }
        eprintln!("SKIPPED: a tmpfs cannot be mounted here; a disk that fills up was NOT tested");
        None
    }

    /// Leaves no more room than `room` bytes.
    fn fill(&self, room: usize) {
        let spare = self.dir.join("spare");
        fs::write(&spare, vec![7; room]).expect("there is that much");
        let mut file = File::create(self.dir.join("ballast")).expect("made");
        let mut piece = vec![7; 1 << 20];
        while !piece.is_empty() {
            if file.write_all(&piece).is_err() {
                piece.truncate(piece.len() / 2);
            }
        }
        fs::remove_file(&spare).expect("removed");
    }

    fn free(&self) {
        fs::remove_file(self.dir.join("ballast")).expect("removed");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // One that is still busy goes with the machine.
        let _ = Command::new("umount").arg("-l").arg(&self.dir).status();
    }
}

/// The program.
struct Server {
    child: Child,
    public: SocketAddr,
    admin: SocketAddr,
    _stdout: BufReader<ChildStdout>,
}

impl Server {
    fn start(home: &Path) -> Self {
        let log = File::options().create(true).append(true).open(home.join("log"));
        let mut child = Command::new(env!("CARGO_BIN_EXE_hopcart"))
            .args([
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--admin-listen",
                "127.0.0.1:0",
                "--config",
            ])
            .arg(home.join("hopcart.toml"))
            .arg("--data")
            .arg(home.join("disk/data"))
            .env_clear()
            .env("HOPCART_ADMIN_KEY", ADMIN_KEY)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log.expect("a log"))
            .spawn()
            .expect("the program runs");
        let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let (mut public, mut admin) = (None, None);
        let mut line = String::new();
        while public.is_none() || admin.is_none() {
            line.clear();
            if stdout.read_line(&mut line).expect("text") == 0 {
                let log = fs::read_to_string(home.join("log")).unwrap_or_default();
                panic!("the server did not start: {:?}\n{log}", child.wait());
            }
            let address = |prefix| line.trim().strip_prefix(prefix)?.parse::<SocketAddr>().ok();
            public = public.or(address("listening public http://"));
            admin = admin.or(address("listening admin http://"));
        }
        Self {
            child,
            public: public.expect("told"),
            admin: admin.expect("told"),
            _stdout: stdout,
        }
    }

    /// Ends it by `signal`, and waits until it is gone.
    fn end(mut self, signal: &str) {
        let sent = Command::new("kill")
            .arg(signal)
            .arg(self.child.id().to_string())
            .status();
        assert!(sent.expect("kill runs").success());
        self.child.wait().expect("it ends");
    }

    /// A metric's value; all that are asked for are whole numbers.
    fn metric(&self, name: &str) -> u64 {
        let mut connection = Connection::open(self.admin).expect("the admin listener accepts");
        let answer = connection.ask("GET", "/metrics", &[], None).expect("answered");
        let text = String::from_utf8(answer.body).expect("text");
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let value = line.and_then(|value| value.parse::<f64>().ok());
        value.unwrap_or_else(|| panic!("{name}: {text}")) as u64
    }

    fn is_log_ok(&self) -> bool {
        self.metric("hopcart_click_log_ok") == 1
    }
}

impl Drop for Server {
    /// A failed test leaves no server behind.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What followers saw: how many were redirected, and how long each took.
#[derive(Default)]
struct Seen {
    redirected: u64,
    took: Vec<Duration>,
}

impl Seen {
    fn p99(&mut self) -> Duration {
        self.took.sort_unstable();
        self.took[self.took.len() * 99 / 100]
    }
}

/// Follows `target` at a steady pace until told otherwise. Anything but a redirect is a failure of the test.
fn follow(public: SocketAddr, target: &str, is_over: &AtomicBool) -> Seen {
    let pace = Duration::from_secs(1) / (variable("HOPCART_FAULTS_RATE", 5000) / FOLLOWERS).max(1);
    let mut connection = Connection::open(public).expect("followers come in");
    let mut seen = Seen::default();
    let mut due = Instant::now();
    while !is_over.load(Ordering::Relaxed) {
        let number = ADDRESSES.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let address = format!("10.{}.{}.{}", number[1], number[2], number[3]);
        let headers = [("user-agent", BROWSER), ("x-forwarded-for", address.as_str())];
        let started = Instant::now();
        let answer = connection.ask("GET", target, &headers, None).expect("answered");
        seen.took.push(started.elapsed());
        assert_eq!(answer.status, 302, "{target}");
        seen.redirected += 1;
        due += pace;
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    seen
}

/// Lets followers at the server while `meanwhile` happens.
fn under_load<T>(server: &Server, target: &str, meanwhile: impl FnOnce() -> T) -> (Seen, T) {
    let is_over = &AtomicBool::new(false);
    thread::scope(|scope| {
        let public = server.public;
        let followers: Vec<_> = (0..FOLLOWERS)
            .map(|_| scope.spawn(move || follow(public, target, is_over)))
            .collect();
        let told = meanwhile();
        is_over.store(true, Ordering::Relaxed);
        let mut all = Seen::default();
        for follower in followers {
            let own = follower.join().expect("every follower is redirected");
            all.redirected += own.redirected;
            all.took.extend(own.took);
        }
        (all, told)
    })
}

/// One link on a server with a small disk.
struct Stage {
    home: tempfile::TempDir,
    disk: SmallDisk,
    link: String,
}

impl Stage {
    /// A stage and its server; `None` where nothing can be mounted.
    fn set(queue_bytes: usize) -> Option<(Self, Server)> {
        let home = tempfile::tempdir().expect("a directory");
        let disk = SmallDisk::mount(&home.path().join("disk"))?;
        let rings = home.path().join("rings");
        fs::create_dir(&rings).expect("made");
        let config = format!(
            "trusted_proxies = [\"127.0.0.1/32\"]\nworkers = 2\n[clicks]\nqueue_bytes = {queue_bytes}\nring_dir = \"{}\"\n",
            rings.display()
        );
        fs::write(home.path().join("hopcart.toml"), config).expect("written");
        let server = Server::start(home.path());
        let mut api = Api::new(server.admin, ADMIN_KEY);
        let made = api.post("/links", &json!({"url": "https://shop.example/p", "key": "full"}));
        let link = made["id"].as_str().expect("an id").to_owned();
        Some((Self { home, disk, link }, server))
    }

    /// Clicks in reports; `None` while questions are refused.
    fn counted(&self, server: &Server) -> Option<u64> {
        let mut connection = Connection::open(server.admin).expect("the API accepts");
        let bearer = format!("Bearer {ADMIN_KEY}");
        let target = format!("/analytics?event=clicks&interval=all&linkId={}", self.link);
        let answer = connection
            .ask("GET", &target, &[("authorization", &bearer)], None)
            .expect("answered");
        let body: Value = (answer.status == 200).then(|| answer.json())?;
        body["clicks"].as_u64()
    }
}

/// How long it takes until `is_so`, looked at over and over.
fn time_until(what: &str, mut is_so: impl FnMut() -> bool) -> Duration {
    let started = Instant::now();
    eventually(what, || is_so().then_some(()));
    started.elapsed()
}

#[test]
fn a_full_disk_costs_no_redirect_and_no_count_and_heals_by_itself() {
    // Rings so small that they overflow: what they cannot hold is counted without detail.
    let Some((stage, server)) = Stage::set(512 << 10) else {
        return;
    };
    let (mut before, ()) = under_load(&server, "/full", || thread::sleep(Duration::from_secs(2)));
    let (mut full, alarm) = under_load(&server, "/full", || {
        stage.disk.fill(0);
        let alarm = time_until("the alarm", || !server.is_log_ok());
        thread::sleep(Duration::from_secs(3));
        assert!(!server.is_log_ok(), "the disk is still full");
        alarm
    });
    let redirected = before.redirected + full.redirected;
    let (after, (healed, counted)) = under_load(&server, "/full", || {
        stage.disk.free();
        let healed = time_until("it heals", || server.is_log_ok());
        let counted = time_until("what happened is counted", || {
            stage.counted(&server).is_some_and(|count| count >= redirected)
        });
        (healed, counted + healed)
    });
    let all = redirected + after.redirected;
    assert!(alarm <= ALARM, "the alarm came after {alarm:?}");
    assert!(
        healed <= HEALED && counted <= HEALED,
        "healed after {healed:?}, counted after {counted:?}"
    );
    eventually("the last clicks are written", || {
        stage.counted(&server).filter(|count| *count >= all)
    });
    assert_eq!(stage.counted(&server), Some(all), "each is counted once");
    let dropped = server.metric("hopcart_clicks_dropped_total{reason=\"disk\"}");
    let written = server.metric("hopcart_clicks_written_total");
    assert!(dropped > 0, "the rings were to overflow");
    assert_eq!(written + dropped, all, "accepted = stored + counted drops");
    println!(
        "{all} follows, 100 % redirected, {dropped} counted without detail; p99 {:?} before, {:?} while full; alarm after \
         {alarm:?}, healed after {healed:?}",
        before.p99(),
        full.p99(),
    );
    // And what is on disk says the same.
    server.end("-TERM");
    let server = Server::start(stage.home.path());
    assert_eq!(stage.counted(&server), Some(all), "after a restart");
}

#[test]
fn the_store_heals_after_it_alone_found_the_disk_full() {
    let Some((stage, server)) = Stage::set(4 << 20) else {
        return;
    };
    // Room for the journal of some seconds, and for no checkpoint of as many clicks.
    let checkpoints = "hopcart_click_log_failures_total{cause=\"checkpoint\"}";
    let (seen, failed) = under_load(&server, "/full", || {
        thread::sleep(Duration::from_secs(3));
        stage.disk.fill(900 << 10);
        time_until("something fails", || !server.is_log_ok());
        thread::sleep(Duration::from_secs(2));
        server.metric(checkpoints)
    });
    stage.disk.free();
    let (after, healed) = under_load(&server, "/full", || {
        time_until("it heals", || {
            server.is_log_ok() && stage.counted(&server).is_some_and(|count| count >= seen.redirected)
        })
    });
    let all = seen.redirected + after.redirected;
    assert!(healed <= HEALED, "healed after {healed:?}");
    eventually("the last clicks are written", || {
        stage.counted(&server).filter(|count| *count >= all)
    });
    assert_eq!(stage.counted(&server), Some(all), "each is counted once");
    let aside = server.metric("hopcart_click_log_failures_total{cause=\"quarantine\"}");
    assert_eq!(aside, 0, "a full disk is no reason to set the store aside");
    println!("{all} follows, {failed} failed checkpoints, healed after {healed:?}");
    server.end("-TERM");
    let server = Server::start(stage.home.path());
    assert_eq!(stage.counted(&server), Some(all), "after a restart");
}

#[test]
fn a_kill_while_the_disk_is_full_loses_nothing() {
    let Some((stage, server)) = Stage::set(4 << 20) else {
        return;
    };
    let (seen, ()) = under_load(&server, "/full", || {
        stage.disk.fill(0);
        time_until("the alarm", || !server.is_log_ok());
        thread::sleep(Duration::from_secs(1));
    });
    server.end("-KILL");
    stage.disk.free();
    let server = Server::start(stage.home.path());
    assert_eq!(stage.counted(&server), Some(seen.redirected), "each is counted once");
    let recovered = server.metric("hopcart_clicks_recovered_total");
    assert!(recovered > 0, "there was something to recover");
    println!(
        "{} follows, {recovered} of them recovered from the rings",
        seen.redirected
    );
}

fn variable(name: &str, default: u32) -> u32 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} must be a number")),
        Err(_) => default,
    }
}
