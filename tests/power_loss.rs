//! The power goes under load, over and over, on real file systems: every reply marked `Hopcart-Ack: durable` is counted.
//!
//! A file with a file system in it is mounted through the loop device and holds the data directory of the real program in
//! durable mode. In mid-load the file system is shut down (`xfs_io -x -c shutdown`): what its log and its pages held in
//! memory never reaches the file. Then the program is killed, the file unmounted and mounted again, which recovers its
//! log, and the program started. Links that were answered as created must lead somewhere, too.
//!
//! A machine that loses its power answers nobody afterwards; this one goes on. An `fdatasync` that is under way while the
//! shutdown is returns 0 now and then though nothing of it stays (seen with three lines of Python as well, on both file
//! systems, Linux 6.18): who was answered in those milliseconds is told apart, one answer a follower, and counted.
//!
//! Needs root, loop mounts, xfsprogs and e2fsprogs: `tests/power-loss` sees whether they are there, says so loudly when
//! not, and runs this. Environment: `HOPCART_POWER_LOSS_ROUNDS` (for each file system, 2), `HOPCART_POWER_LOSS_SEED`.

#[path = "wire/program.rs"]
mod program;
#[expect(dead_code, reason = "shops and waiting belong to the other tests of whole servers")]
mod wire;

use std::collections::HashSet;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use program::{Program, Server};
use wire::{Api, BROWSER, Connection};

const ADMIN_KEY: &str = "power-loss-admin-key-0123456789";
/// Threads that follow links.
const FOLLOWERS: usize = 8;
/// Room in the file: 20 rounds take some tens of megabytes. (XFS wants at least 300 MB.)
const IMAGE_BYTES: u64 = 1 << 30;
/// How long the program goes on without its disk: whoever asks meanwhile must not be told `durable`.
const DARKNESS: Duration = Duration::from_millis(60);

#[test]
#[ignore = "needs root and loop mounts; tests/power-loss runs it"]
fn nothing_durable_is_lost_on_xfs() {
    Drill::new("xfs", &["-q", "-f"]).run();
}

#[test]
#[ignore = "needs root and loop mounts; tests/power-loss runs it"]
fn nothing_durable_is_lost_on_ext4() {
    Drill::new("ext4", &["-q", "-F"]).run();
}

/// Every address follows once: no click is a repeat.
static ADDRESSES: AtomicU32 = AtomicU32::new(0);

/// A file system in a file.
struct Disk {
    image: PathBuf,
    mounted: PathBuf,
}

impl Disk {
    fn make(home: &Path, kind: &str, options: &[&str]) -> Self {
        let disk = Self {
            image: home.join("image"),
            mounted: home.join("mounted"),
        };
        let file = fs::File::create(&disk.image).expect("a file");
        file.set_len(IMAGE_BYTES).expect("files may have holes");
        fs::create_dir(&disk.mounted).expect("a directory");
        run(Command::new(format!("mkfs.{kind}")).args(options).arg(&disk.image));
        disk.mount();
        disk
    }

    fn mount(&self) {
        run(Command::new("mount")
            .args(["-o", "loop"])
            .arg(&self.image)
            .arg(&self.mounted));
    }

    fn unmount(&self) {
        run(Command::new("umount").arg(&self.mounted));
    }

    /// Nothing that is in memory alone reaches the disk any more, not even the file system's log.
    fn cut_power(&self) {
        run(Command::new("xfs_io").args(["-x", "-c", "shutdown"]).arg(&self.mounted));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // After a failed test only: what is mounted would keep the file.
        let _ = Command::new("umount").arg("-l").arg(&self.mounted).output();
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?}: {said}");
}

/// How far the loss of power is.
#[derive(Default)]
struct Power(AtomicU8);

impl Power {
    const GOING: u8 = 1;
    const GONE: u8 = 2;

    fn is_at(&self) -> u8 {
        self.0.load(Ordering::SeqCst)
    }

    fn set(&self, to: u8) {
        self.0.store(to, Ordering::SeqCst);
    }
}

/// What followers were told.
#[derive(Default)]
struct Told {
    durable: Vec<String>,
    /// Told to be durable while the power went: the last of each follower.
    meanwhile: Vec<String>,
    late: Vec<String>,
    /// Sent, and never answered.
    unanswered: usize,
    /// Keys of links that were answered as created.
    links: Vec<String>,
}

struct Drill {
    kind: &'static str,
    home: tempfile::TempDir,
    disk: Disk,
    seed: u64,
    drawn: u64,
    /// Each round's link and how many clicks it had after the power came back.
    counted: Vec<(String, usize)>,
    durable: usize,
    meanwhile: usize,
    meanwhile_lost: usize,
    late: usize,
    late_lost: usize,
    links: usize,
    reopened: Duration,
}

impl Drill {
    fn new(kind: &'static str, options: &[&str]) -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let disk = Disk::make(home.path(), kind, options);
        Self {
            kind,
            home,
            disk,
            seed: variable("HOPCART_POWER_LOSS_SEED", 20_261_121),
            drawn: 0,
            counted: Vec::new(),
            durable: 0,
            meanwhile: 0,
            meanwhile_lost: 0,
            late: 0,
            late_lost: 0,
            links: 0,
            reopened: Duration::ZERO,
        }
    }

    fn run(mut self) {
        let rounds = variable("HOPCART_POWER_LOSS_ROUNDS", 2);
        let mut server = self.program(0).start();
        for round in 0..rounds {
            server = self.round(round, server);
        }
        let mut api = Api::new(server.admin, ADMIN_KEY);
        for (link, count) in &self.counted {
            assert_eq!(
                events(&mut api, link).len(),
                *count,
                "{}: clicks of an earlier round",
                self.kind
            );
        }
        drop(api);
        let rings = self.rings_in_memory();
        server.kill();
        forget(rings);
        self.disk.unmount();
        assert!(
            self.durable > 0 && self.links > 0,
            "{}: nothing was answered",
            self.kind
        );
        println!(
            "{}: {rounds} power losses: {} clicks answered durable, 0 of them lost; {} answered while the power went, {} of \
             them lost; {} answered late, {} of them lost; {} links created, 0 lost; longest start {} ms",
            self.kind,
            self.durable,
            self.meanwhile,
            self.meanwhile_lost,
            self.late,
            self.late_lost,
            self.links,
            self.reopened.as_millis(),
        );
    }

    /// Every second round the rings lie on the disk that loses its power, else in memory, which loses it as well.
    fn program(&self, round: u64) -> Program {
        let config = self.home.path().join("hopcart.toml");
        let rings = match round % 2 {
            0 => String::new(),
            _ => format!(
                "[clicks]\nring_dir = \"{}\"\n",
                self.disk.mounted.join("rings").display()
            ),
        };
        let text = format!("trusted_proxies = [\"127.0.0.1/32\"]\n[destinations]\nallow_private = true\n{rings}");
        fs::write(&config, text).expect("written");
        Program {
            data: self.disk.mounted.join("data"),
            config,
            log: self.home.path().join("log"),
            click_ack: "durable",
            admin_key: ADMIN_KEY,
        }
    }

    fn round(&mut self, round: u64, server: Server) -> Server {
        let mut api = Api::new(server.admin, ADMIN_KEY);
        let partner = json!({"name": "Mia", "email": format!("mia-{round}@creators.example"), "niche": "cycling"});
        let partner = text(&api.post("/partners", &partner)["id"]);
        let key = format!("plain-{round}");
        let body = json!({"url": "https://shop.example/p", "key": key, "partnerId": partner});
        let link = text(&api.post("/links", &body)["id"]);
        let told = self.load(round, server, &format!("/{key}"));
        self.disk.unmount();
        self.disk.mount();
        let started = Instant::now();
        let server = self.program(round + 1).start();
        self.reopened = self.reopened.max(started.elapsed());
        self.compare(round, &server, &link, &told);
        server
    }

    /// Lets followers and a brand at the server until the power goes.
    fn load(&mut self, round: u64, server: Server, target: &str) -> Told {
        let after = Duration::from_millis(150 + self.draw(600));
        let (public, admin) = (server.public, server.admin);
        let rings = self.rings_in_memory();
        let power = &Power::default();
        let told = thread::scope(|scope| {
            let followers: Vec<_> = (0..FOLLOWERS)
                .map(|_| scope.spawn(move || follow_until_killed(public, target, power)))
                .collect();
            let brand = scope.spawn(move || create_until_dark(admin, round));
            // Not a wait for anything: the moment of the loss is what is drawn.
            thread::sleep(after);
            power.set(Power::GOING);
            self.disk.cut_power();
            power.set(Power::GONE);
            thread::sleep(DARKNESS);
            server.kill();
            let mut told = Told {
                links: brand.join().expect("the brand"),
                ..Told::default()
            };
            for follower in followers {
                let own = follower.join().expect("a follower");
                told.durable.extend(own.durable);
                told.meanwhile.extend(own.meanwhile);
                told.late.extend(own.late);
                told.unanswered += own.unanswered;
            }
            told
        });
        forget(rings);
        told
    }

    /// Where the rings of this run lie, if not on the disk.
    fn rings_in_memory(&self) -> Vec<PathBuf> {
        let rings = fs::read_to_string(self.disk.mounted.join("data/RINGS")).unwrap_or_default();
        let elsewhere = |rings: &PathBuf| !rings.starts_with(&self.disk.mounted) && rings.exists();
        rings.lines().map(PathBuf::from).filter(elsewhere).collect()
    }

    fn compare(&mut self, round: u64, server: &Server, link: &str, told: &Told) {
        let context = format!("{}, round {round}, seed {}", self.kind, self.seed);
        let mut api = Api::new(server.admin, ADMIN_KEY);
        let stored = events(&mut api, link);
        let set: HashSet<&str> = stored.iter().map(String::as_str).collect();
        assert_eq!(set.len(), stored.len(), "{context}: a click is stored twice");
        let is_lost = |id: &&String| !set.contains(id.as_str());
        let lost = told.durable.iter().filter(is_lost).count();
        assert_eq!(lost, 0, "{context}: of {} answered durable", told.durable.len());
        let late_lost = told.late.iter().filter(is_lost).count();
        let meanwhile_lost = told.meanwhile.iter().filter(is_lost).count();
        let answered = told.durable.len() + told.meanwhile.len() + told.late.len() - late_lost - meanwhile_lost;
        assert!(
            stored.len() <= answered + told.unanswered,
            "{context}: {} clicks, of which {answered} were answered and {} were not",
            stored.len(),
            told.unanswered
        );
        let counted = api.get(&format!("/analytics?event=clicks&interval=all&linkId={link}"));
        assert_eq!(
            counted["clicks"],
            json!(stored.len()),
            "{context}: the roll-up and the clicks differ"
        );
        let mut followers = Connection::open(server.public).expect("followers come in");
        for key in &told.links {
            let answer = followers.ask("GET", &format!("/{key}"), &[("user-agent", BROWSER)], None);
            assert_eq!(
                answer.expect("an answer").status,
                302,
                "{context}: {key} was answered as created"
            );
        }
        self.counted.push((link.to_owned(), stored.len()));
        self.durable += told.durable.len();
        self.meanwhile += told.meanwhile.len();
        self.meanwhile_lost += meanwhile_lost;
        self.late += told.late.len();
        self.late_lost += late_lost;
        self.links += told.links.len();
    }

    /// A number below `end`, the same for the same seed.
    fn draw(&mut self, end: u64) -> u64 {
        self.drawn += 1;
        let hash = blake3::hash(format!("{} {} {}", self.kind, self.seed, self.drawn).as_bytes());
        let mut head = [0; 8];
        head.copy_from_slice(&hash.as_bytes()[..8]);
        u64::from_le_bytes(head) % end
    }
}

/// A machine without power keeps nothing in memory.
fn forget(rings: Vec<PathBuf>) {
    for rings in rings {
        fs::remove_dir_all(rings).expect("nobody else removes them");
    }
}

/// Follows one link as somebody new each time, until nobody answers.
fn follow_until_killed(public: SocketAddr, target: &str, power: &Power) -> Told {
    let mut told = Told::default();
    let mut connection = Connection::open(public).expect("followers come in");
    loop {
        let sent = power.is_at();
        let Ok((id, is_durable)) = follow(&mut connection, target) else {
            told.unanswered += 1;
            return told;
        };
        if !is_durable {
            told.late.push(id);
            continue;
        }
        // Only the answers of one request can be meant by a sync that was under way.
        if sent != Power::GONE && power.is_at() != 0 {
            told.durable.append(&mut told.meanwhile);
            told.meanwhile.push(id);
        } else {
            told.durable.push(id);
        }
    }
}

/// The click id, and whether it was told to be durable.
fn follow(connection: &mut Connection, target: &str) -> io::Result<(String, bool)> {
    let number = ADDRESSES.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    let address = format!("10.{}.{}.{}", number[1], number[2], number[3]);
    let headers = [("user-agent", BROWSER), ("x-forwarded-for", address.as_str())];
    let answer = connection.ask("GET", target, &headers, None)?;
    assert_eq!(answer.status, 302, "{target}");
    let id = answer.hop_id().expect("a creator's link carries a click id");
    Ok((id, answer.header("hopcart-ack") == Some("durable")))
}

/// Creates links until the answer is anything but a yes; the keys of those that were.
fn create_until_dark(admin: SocketAddr, round: u64) -> Vec<String> {
    let mut created = Vec::new();
    let mut connection = Connection::open(admin).expect("the API accepts");
    let bearer = format!("Bearer {ADMIN_KEY}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    for number in 0.. {
        let key = format!("made-{round}-{number}");
        let body = json!({"url": "https://shop.example/q", "key": key}).to_string();
        match connection.ask("POST", "/links", &headers, Some(body.as_bytes())) {
            Ok(answer) if (200..300).contains(&answer.status) => created.push(key),
            _ => break,
        }
    }
    created
}

/// Ids of all clicks of a link that are in the log, whatever their flags.
fn events(api: &mut Api, link: &str) -> Vec<String> {
    const PAGE: usize = 1000;
    let mut ids = Vec::new();
    for page in 1.. {
        let found = api.get(&format!(
            "/events?event=clicks&interval=all&include=repeats,bots,prefetch,head,test&limit={PAGE}&page={page}&linkId={link}"
        ));
        let found = found.as_array().expect("a list");
        ids.extend(found.iter().map(|event| text(&event["click_id"])));
        if found.len() < PAGE {
            break;
        }
    }
    ids
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

fn variable(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} must be a number")),
        Err(_) => default,
    }
}
