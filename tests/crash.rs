//! SIGKILL under load, over and over, on one data directory: every click that was answered must still be there, once,
//! in both modes of acknowledgement.
//!
//! Each round starts the real program, lets several followers and a shop at it over keep-alive connections, kills it at
//! a random moment and starts it again. Every second time it is killed once more while it opens, and some rounds last
//! until the first checkpoint, so that replay and checkpoint are cut short as well. Environment:
//! `HOPCART_CRASH_ROUNDS` (rounds for each mode, 20), `HOPCART_CRASH_SEED` (what is drawn). A hundred rounds of each,
//! with the figures: `HOPCART_CRASH_ROUNDS=100 cargo test --test crash -- --nocapture --test-threads=1`.

mod wire;

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use wire::{Answer, Api, BROWSER, Connection, Delivery, eventually};

const ADMIN_KEY: &str = "crash-test-admin-key-0123456789";
const SECRET: &str = "crash-test-webhook-secret";
const CODE: &str = "MIA10";

/// Threads that follow links.
const FOLLOWERS: usize = 4;
/// Uses of each round's limited link: some are taken before the kill, the rest after it.
const USES_MAX: usize = 40;
/// Age at which a checkpoint is due; see `clicklog::Options`.
const CHECKPOINT_AFTER: Duration = Duration::from_secs(5);

#[test]
fn durable_mode_loses_no_click_that_was_answered_durable() {
    Drill::new("durable").run();
}

#[test]
fn async_mode_loses_no_click_that_was_answered() {
    Drill::new("async").run();
}

/// Kills while a backup is written, each at a drawn moment.
const BACKUP_KILLS: usize = 8;

#[test]
fn a_backup_that_is_killed_never_looks_complete() {
    let home = tempfile::tempdir().expect("a directory");
    fs::write(
        home.path().join("hopcart.toml"),
        "[destinations]\nallow_private = true\n",
    )
    .expect("written");
    let dir = home.path().join("backup");
    let restore = |to: &str| {
        let done = Command::new(env!("CARGO_BIN_EXE_hopcart"))
            .arg("restore")
            .arg(&dir)
            .arg("--data")
            .arg(home.path().join(to))
            .env_clear()
            .output();
        done.expect("the program runs")
    };
    let mut is_complete = false;
    for kill in 0..BACKUP_KILLS {
        let server = Server::start(home.path(), "durable");
        let mut api = Api::new(server.admin, ADMIN_KEY);
        for n in 0..20 {
            api.post("/links", &json!({"url": format!("https://shop.example/{kill}/{n}")}));
        }
        api.post("/backups", &json!({ "dir": dir }));
        thread::sleep(Duration::from_millis(4 * kill as u64));
        is_complete |= api.get("/backups")["status"] == "done";
        server.kill();
        let to = format!("restored-{kill}");
        let restored = restore(&to);
        if dir.join("manifest.json").exists() {
            assert!(
                restored.status.success(),
                "{}",
                String::from_utf8_lossy(&restored.stderr)
            );
        } else {
            assert!(!is_complete, "a complete backup is gone");
            assert!(!restored.status.success() && !home.path().join(&to).exists());
        }
    }
    let server = Server::start(home.path(), "durable");
    let mut api = Api::new(server.admin, ADMIN_KEY);
    api.post("/backups", &json!({ "dir": dir }));
    let done = eventually("the backup's end", || {
        let state = api.get("/backups");
        (state["status"] == "done").then_some(state)
    });
    server.kill();
    assert!(restore("restored").status.success(), "{done}");
    let named = fs::read_dir(dir.join("objects")).expect("listed").count();
    assert_eq!(json!(named), done["files"], "nothing of what was cut short is left");
}

/// Every address follows once: no click is a repeat.
static ADDRESSES: AtomicU32 = AtomicU32::new(0);

/// The program, started on a data directory.
struct Server {
    child: Child,
    public: SocketAddr,
    admin: SocketAddr,
    started: Instant,
    _stdout: BufReader<ChildStdout>,
}

impl Server {
    fn start(home: &Path, mode: &str) -> Self {
        let mut child = spawn(home, mode);
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
            started: Instant::now(),
            _stdout: stdout,
        }
    }

    /// SIGKILL.
    fn kill(mut self) {
        self.child.kill().expect("it was running");
        self.child.wait().expect("it is gone");
    }
}

impl Drop for Server {
    /// A failed test leaves no server behind.
    fn drop(&mut self) {
        // It is gone already after a kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(home: &Path, mode: &str) -> Child {
    let log = File::options().create(true).append(true).open(home.join("log"));
    Command::new(env!("CARGO_BIN_EXE_hopcart"))
        .args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"])
        .args(["--click-ack", mode, "--config"])
        .arg(home.join("hopcart.toml"))
        .arg("--data")
        .arg(home.join("data"))
        .env_clear()
        .env("HOPCART_ADMIN_KEY", ADMIN_KEY)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log.expect("a log"))
        .spawn()
        .expect("the program runs")
}

/// A click that was answered.
struct Noted {
    hop_id: String,
    is_durable: bool,
}

/// What one link's followers sent and got.
#[derive(Default)]
struct Followed {
    sent: usize,
    noted: Vec<Noted>,
    /// Answered with 410: the limit was reached.
    refused: usize,
}

impl Followed {
    fn add(&mut self, other: Followed) {
        self.sent += other.sent;
        self.noted.extend(other.noted);
        self.refused += other.refused;
    }

    /// Sent, and killed before the answer: whether it was counted nobody can know.
    fn unanswered(&self) -> usize {
        self.sent - self.noted.len() - self.refused
    }

    /// Follows `target` as somebody new. An error is the kill.
    fn follow(&mut self, connection: &mut Connection, target: &str) -> std::io::Result<Answer> {
        let number = ADDRESSES.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let address = format!("10.{}.{}.{}", number[1], number[2], number[3]);
        self.sent += 1;
        let headers = [("user-agent", BROWSER), ("x-forwarded-for", &address)];
        let answer = connection.ask("GET", target, &headers, None)?;
        match answer.status {
            302 => self.noted.push(Noted {
                hop_id: answer.hop_id().expect("a creator's link carries a click id"),
                is_durable: answer.header("hopcart-ack") == Some("durable"),
            }),
            410 => self.refused += 1,
            status => panic!("{target}: {status}"),
        }
        Ok(answer)
    }
}

/// What the shop told and what must be in the books.
#[derive(Default)]
struct Told {
    answered: Vec<Delivery>,
    /// Sent, and killed before the answer: the shop sends it again.
    unanswered: Option<Delivery>,
    orders: u64,
    gross: i64,
    refunds: i64,
}

impl Told {
    fn count(&mut self, delivery: Delivery) {
        let cents = |value: &Value| value.as_str().map(|text| text.replace('.', "").parse::<i64>());
        match delivery.topic {
            "orders/paid" => {
                self.orders += 1;
                self.gross += cents(&delivery.body["subtotal_price"]).expect("money").expect("money");
            }
            _ => {
                let line = &delivery.body["refund_line_items"][0]["subtotal"];
                self.refunds += cents(line).expect("money").expect("money");
            }
        }
        self.answered.push(delivery);
    }

    fn sums(&self) -> (u64, i64, i64) {
        (self.orders, self.gross, self.refunds)
    }
}

/// What a server was under until its kill.
struct Load {
    followed: Followed,
    uses: Followed,
    told: Told,
}

/// One mode's rounds on one data directory.
struct Drill {
    mode: &'static str,
    home: tempfile::TempDir,
    seed: u64,
    drawn: u64,
    partner: String,
    store: String,
    told: Told,
    /// Sequence numbers of all click ids ever seen.
    sequences: HashSet<u64>,
    answered: usize,
    durable: usize,
}

impl Drop for Drill {
    /// What the last server left in the machine's memory.
    fn drop(&mut self) {
        let rings = fs::read_to_string(self.home.path().join("data/RINGS")).unwrap_or_default();
        for dir in rings.lines() {
            fs::remove_dir_all(dir).ok();
        }
    }
}

impl Drill {
    fn new(mode: &'static str) -> Self {
        let home = tempfile::tempdir().expect("a directory");
        // One mode with its rings where they lie unless somebody says otherwise, one with its rings on the disk.
        let rings = match mode {
            "async" => String::new(),
            _ => format!("[clicks]\nring_dir = \"{}\"\n", home.path().join("rings").display()),
        };
        let config = format!("trusted_proxies = [\"127.0.0.1/32\"]\n[destinations]\nallow_private = true\n{rings}");
        fs::write(home.path().join("hopcart.toml"), config).expect("written");
        Self {
            mode,
            home,
            seed: variable("HOPCART_CRASH_SEED", 20_261_121),
            drawn: 0,
            partner: String::new(),
            store: String::new(),
            told: Told::default(),
            sequences: HashSet::new(),
            answered: 0,
            durable: 0,
        }
    }

    fn run(mut self) {
        let rounds = variable("HOPCART_CRASH_ROUNDS", 20);
        let mut server = Server::start(self.home.path(), self.mode);
        self.set_up(&server);
        for round in 0..rounds {
            server = self.round(round, server);
        }
        assert!(self.answered > 0, "nobody was answered");
        assert!(self.mode == "async" || self.durable > 0, "nothing was answered durable");
        println!(
            "{}: {rounds} of {rounds} reopened, {} clicks answered ({} of them durable), 0 lost, {} deliveries",
            self.mode,
            self.answered,
            self.durable,
            self.told.answered.len(),
        );
    }

    fn set_up(&mut self, server: &Server) {
        let mut api = Api::new(server.admin, ADMIN_KEY);
        let partner = json!({"name": "Mia", "email": "mia@creators.example", "niche": "cycling"});
        self.partner = text(&api.post("/partners", &partner)["id"]);
        let store = json!({"name": "Shop", "provider": "shopify", "baseUrl": "https://shop.example", "currency": "EUR",
            "webhookSecrets": [SECRET]});
        self.store = text(&api.post("/stores", &store)["id"]);
        api.post("/discount-codes", &json!({"code": CODE, "partnerId": self.partner}));
        self.be_followed(server, &mut api);
    }

    /// Lets somebody follow the creator before anybody buys: orders with the code of one whom nobody follows are held back.
    fn be_followed(&self, server: &Server, api: &mut Api) {
        let link = self.link(api, "first", None);
        let mut connection = Connection::open(server.public).expect("followers come in");
        Followed::default()
            .follow(&mut connection, "/first")
            .expect("nobody kills yet");
        eventually("the first click is stored", || {
            Some(events(api, &link)).filter(|stored| stored.len() == 1)
        });
    }

    /// Load, kill, restart, compare. Returns the restarted server.
    fn round(&mut self, round: u64, server: Server) -> Server {
        let mut api = Api::new(server.admin, ADMIN_KEY);
        let plain = self.link(&mut api, &format!("plain-{round}"), None);
        let limited = self.link(&mut api, &format!("limited-{round}"), Some(USES_MAX));
        let kill_after = if round % 10 == 7 {
            let due = CHECKPOINT_AFTER.saturating_sub(server.started.elapsed());
            (due + Duration::from_millis(self.draw(250))).saturating_sub(Duration::from_millis(100))
        } else {
            Duration::from_millis(100 + self.draw(300))
        };
        let Load { followed, uses, told } = self.load(round, server, kill_after);
        if self.draw(2) == 0 {
            let mut opening = spawn(self.home.path(), self.mode);
            thread::sleep(Duration::from_millis(self.draw(120)));
            opening.kill().expect("it was running");
            opening.wait().expect("it is gone");
        }
        let server = Server::start(self.home.path(), self.mode);
        let mut api = Api::new(server.admin, ADMIN_KEY);
        let stored = events(&mut api, &plain);
        self.compare(round, &mut api, &plain, &followed, &stored);
        let stored = events(&mut api, &limited);
        self.compare(round, &mut api, &limited, &uses, &stored);
        self.use_up(round, &server, &mut api, &limited, uses);
        self.compare_orders(&server, &mut api, told);
        server
    }

    /// Lets followers and a shop at the server until it is killed.
    fn load(&self, round: u64, server: Server, kill_after: Duration) -> Load {
        let (plain, limited) = (&format!("/plain-{round}"), &format!("/limited-{round}"));
        let (public, store, first_order) = (server.public, self.store.as_str(), (round + 1) * 1_000_000);
        thread::scope(|scope| {
            let follow = || scope.spawn(move || follow_until_killed(public, plain, limited));
            let followers: Vec<_> = (0..FOLLOWERS).map(|_| follow()).collect();
            let shop = scope.spawn(move || sell_until_killed(public, store, first_order));
            // Not a wait for anything: the moment of the kill is what is drawn.
            thread::sleep(kill_after);
            server.kill();
            let (mut followed, mut uses) = (Followed::default(), Followed::default());
            for follower in followers {
                let (own, own_uses) = follower.join().expect("a follower");
                followed.add(own);
                uses.add(own_uses);
            }
            Load {
                followed,
                uses,
                told: shop.join().expect("the shop"),
            }
        })
    }

    fn link(&self, api: &mut Api, key: &str, uses_max: Option<usize>) -> String {
        let body =
            json!({"url": "https://shop.example/p", "key": key, "partnerId": self.partner, "maxClicks": uses_max});
        text(&api.post("/links", &body)["id"])
    }

    /// Holds what is stored of a link against what was answered.
    fn compare(&mut self, round: u64, api: &mut Api, link: &str, followed: &Followed, stored: &[String]) {
        let context = format!("{}, round {round}, seed {}", self.mode, self.seed);
        let set: HashSet<&str> = stored.iter().map(String::as_str).collect();
        assert_eq!(set.len(), stored.len(), "{context}: an id is stored twice");
        for noted in &followed.noted {
            self.is_new(&noted.hop_id);
            self.answered += 1;
            self.durable += usize::from(noted.is_durable);
        }
        let lost = followed
            .noted
            .iter()
            .filter(|noted| !set.contains(noted.hop_id.as_str()));
        assert_eq!(lost.count(), 0, "{context}: answered clicks are lost");
        let answered: HashSet<&str> = followed.noted.iter().map(|noted| noted.hop_id.as_str()).collect();
        let others = stored.iter().filter(|id| !answered.contains(id.as_str()));
        let others: Vec<&String> = others.collect();
        assert!(
            others.len() <= followed.unanswered(),
            "{context}: {} clicks that nobody made",
            others.len()
        );
        for id in others {
            self.is_new(id);
        }
        let counted = api.get(&format!("/analytics?event=clicks&interval=all&linkId={link}"));
        assert_eq!(
            counted["clicks"],
            json!(stored.len()),
            "{context}: the roll-up and the clicks differ"
        );
    }

    /// No click id, and no sequence number in one, is handed out twice: not even after a crash.
    fn is_new(&mut self, hop_id: &str) {
        let is_new = self.sequences.insert(sequence_of(hop_id));
        assert!(
            is_new,
            "{}, seed {}: {hop_id} uses a sequence number again",
            self.mode, self.seed
        );
    }

    /// Takes the uses that are left: together they are as many as the limit.
    fn use_up(&mut self, round: u64, server: &Server, api: &mut Api, link: &str, before: Followed) {
        let target = format!("/limited-{round}");
        let mut connection = Connection::open(server.public).expect("followers come in");
        let mut after = Followed::default();
        while after.refused == 0 {
            assert!(after.noted.len() <= USES_MAX, "{target}: no end of uses");
            after.follow(&mut connection, &target).expect("nobody kills now");
        }
        let granted = before.noted.len() + after.noted.len();
        let context = format!("{}, round {round}, seed {}", self.mode, self.seed);
        assert!(granted <= USES_MAX, "{context}: {granted} uses");
        assert!(
            granted + before.unanswered() >= USES_MAX,
            "{context}: only {granted} uses"
        );
        let stored = eventually("the last uses are stored", || {
            Some(events(api, link)).filter(|stored| stored.len() >= USES_MAX)
        });
        assert_eq!(stored.len(), USES_MAX, "{context}: stored uses");
        for noted in after.noted {
            assert!(stored.contains(&noted.hop_id), "{context}: a use is not stored");
            self.is_new(&noted.hop_id);
        }
    }

    /// What was answered is in the report; what was not is sent again; what is repeated changes nothing.
    fn compare_orders(&mut self, server: &Server, api: &mut Api, told: Told) {
        for delivery in told.answered {
            self.told.count(delivery);
        }
        let least = self.told.sums();
        let found = report(api, &self.partner);
        if let Some(delivery) = told.unanswered {
            self.told.count(delivery.clone());
            let most = self.told.sums();
            assert!(
                found == least || found == most,
                "{found:?}: neither {least:?} nor {most:?}"
            );
            self.send(server, &delivery);
        }
        assert_eq!(report(api, &self.partner), self.told.sums(), "{}", self.mode);
        for _ in 0..3 {
            let Some(place) = (self.told.answered.len() as u64).checked_sub(1) else {
                return;
            };
            let place = self.draw(place + 1) as usize;
            let again = self.told.answered[place].clone();
            self.send(server, &again);
            let id = format!("{}-again-{}", again.id, self.drawn);
            self.send(server, &Delivery { id, ..again });
        }
        assert_eq!(
            report(api, &self.partner),
            self.told.sums(),
            "{}: after repeats",
            self.mode
        );
    }

    fn send(&self, server: &Server, delivery: &Delivery) {
        let mut connection = Connection::open(server.public).expect("webhooks come in");
        assert_eq!(delivery.send(&mut connection, SECRET).expect("an answer"), 200);
    }

    /// A number below `end`, the same for the same seed.
    fn draw(&mut self, end: u64) -> u64 {
        self.drawn += 1;
        let hash = blake3::hash(format!("{} {} {}", self.mode, self.seed, self.drawn).as_bytes());
        let mut head = [0; 8];
        head.copy_from_slice(&hash.as_bytes()[..8]);
        u64::from_le_bytes(head) % end
    }
}

/// Follows the plain link and, every eighth time, the limited one, with a breath between: the server's own threads must
/// not starve on a machine with two cores, or the test measures that.
fn follow_until_killed(public: SocketAddr, plain: &str, limited: &str) -> (Followed, Followed) {
    let (mut followed, mut uses) = (Followed::default(), Followed::default());
    let mut connection = Connection::open(public).expect("followers come in");
    for turn in 0u64.. {
        let (target, of) = if turn % 8 == 7 {
            (limited, &mut uses)
        } else {
            (plain, &mut followed)
        };
        if of.follow(&mut connection, target).is_err() {
            break;
        }
        thread::sleep(Duration::from_micros(300));
    }
    (followed, uses)
}

/// Tells of one paid order after the other, and of a refund of every third.
fn sell_until_killed(public: SocketAddr, store: &str, first_order: u64) -> Told {
    let mut told = Told::default();
    let mut connection = Connection::open(public).expect("webhooks come in");
    for order in first_order.. {
        let mut deliveries = vec![Delivery {
            store_id: store.to_owned(),
            topic: "orders/paid",
            id: format!("delivery-{order}"),
            body: json!({
                "id": order, "name": format!("#{order}"), "currency": "EUR", "financial_status": "paid",
                "created_at": "2026-01-05T10:00:00Z", "updated_at": "2026-01-05T10:00:01Z",
                "subtotal_price": format!("{}.07", 10 + order % 90), "discount_codes": [{"code": CODE}],
                "line_items": [],
            }),
        }];
        if order % 3 == 0 {
            deliveries.push(Delivery {
                store_id: store.to_owned(),
                topic: "refunds/create",
                id: format!("delivery-{order}-refund"),
                body: json!({
                    "id": order, "order_id": order, "created_at": "2026-01-06T10:00:00Z",
                    "refund_line_items": [{"line_item_id": 1, "quantity": 1, "subtotal": "1.03"}],
                }),
            });
        }
        for delivery in deliveries {
            match delivery.send(&mut connection, SECRET) {
                Ok(status) => assert_eq!(status, 200, "{delivery:?}"),
                Err(_) => {
                    told.unanswered = Some(delivery);
                    return told;
                }
            }
            told.answered.push(delivery);
        }
    }
    told
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

/// Orders, gross revenue and refunds of the creator.
fn report(api: &mut Api, partner: &str) -> (u64, i64, i64) {
    let rows = api.get("/reports/performance?groupBy=creator&interval=all");
    let rows = rows.as_array().expect("rows");
    assert!(
        rows.iter().all(|row| row["key"] == partner || row["orders"] == 0),
        "an order was credited to somebody else: {rows:?}"
    );
    let row = rows
        .iter()
        .find(|row| row["key"] == partner)
        .expect("the creator's row");
    let number = |field: &str| row[field].as_i64().unwrap_or_else(|| panic!("{field}: {row}"));
    (
        number("orders").unsigned_abs(),
        number("grossRevenue"),
        number("refunds"),
    )
}

/// The sequence number in a click id: of its first 16 base62 characters the bits above the lowest, 43 of them.
fn sequence_of(hop_id: &str) -> u64 {
    const DIGITS: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let digit = |c| DIGITS.find(c).expect("base62") as u128;
    let head = hop_id[..16].chars().fold(0u128, |number, c| number * 62 + digit(c));
    (head >> 1) as u64 & ((1 << 43) - 1)
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
