//! What operators live with: the process with its lines and exit codes, its end without a lost click, its numbers, its
//! silence about secrets, and the page that it shows.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::{Ipv6Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::{self, Answer, Client, Request};
use crate::server::{IPHONE, KEY, TestServer, eventually};

/// Longest wait for a line or an end.
const PATIENCE: Duration = Duration::from_secs(30);

/// `hopcart serve` on free ports, without any setting of whoever runs the tests.
fn command(data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hopcart"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("HOPCART_")) {
        command.env_remove(name);
    }
    command
        .args(["serve", "--workers", "2", "--data"])
        .arg(data)
        .args(arguments)
        // What a killed one leaves goes with its directory.
        .env("HOPCART_CLICKS_RING_DIR", data.with_extension("rings"));
    for flag in ["--listen", "--admin-listen"]
        .iter()
        .filter(|flag| !arguments.contains(flag))
    {
        command.args([flag, "127.0.0.1:0"]);
    }
    command.stdin(Stdio::null());
    command
}

/// A running `hopcart serve`.
pub struct Process {
    child: Child,
    lines: Receiver<String>,
    reader: Option<JoinHandle<()>>,
    /// What it said until it listened, and what it said since.
    said: Vec<String>,
    log: PathBuf,
}

impl Process {
    pub fn start(home: &TempDir, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let log = home.path().join("stderr");
        let stderr = File::options().create(true).append(true).open(&log).expect("a log");
        let mut child = command(&home.path().join("data"), arguments)
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .expect("a process");
        let stdout = BufReader::new(child.stdout.take().expect("its output"));
        let (sender, lines) = mpsc::channel();
        let reader = std::thread::spawn(move || {
            for line in stdout.lines() {
                // Whoever listened may have gone.
                let _ = sender.send(line.expect("text"));
            }
        });
        let mut process = Self {
            child,
            lines,
            reader: Some(reader),
            said: Vec::new(),
            log,
        };
        while process.address("admin").is_none() {
            match process.lines.recv_timeout(PATIENCE) {
                Ok(line) => process.said.push(line),
                Err(error) => panic!("{error} after {:?}: {}", process.said, process.log()),
            }
        }
        process
    }

    /// The address that it said it listens at.
    fn address(&self, which: &str) -> Option<SocketAddr> {
        let start = format!("listening {which} http{}://", if which == "tls" { "s" } else { "" });
        let line = self.said.iter().find_map(|line| line.strip_prefix(&start))?;
        Some(line.parse().unwrap_or_else(|_| panic!("{line}")))
    }

    pub fn public(&self) -> SocketAddr {
        self.address("public").expect("a public address")
    }

    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).expect("a log")
    }

    pub fn call(&self, method: &str, target: &str, key: &str, body: Option<&Value>) -> Answer {
        let request = Request::new(method, target).header("Authorization", &format!("Bearer {key}"));
        let request = body
            .into_iter()
            .fold(request, |request, body| request.body(body.to_string()));
        http::send(self.address("admin").expect("an admin address"), &request)
    }

    pub fn link(&self, key: &str) {
        let body = json!({ "key": key, "url": "https://shop.example/" });
        assert_eq!(self.call("POST", "/links", KEY, Some(&body)).status, 200);
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("sh")
            .args(["-c", &format!("kill -{name} {}", self.child.id())])
            .status();
        assert!(sent.expect("a shell").success());
    }

    /// The exit code, once it has ended; what it said to the end is in `said`.
    fn end(&mut self) -> Option<i32> {
        let status = eventually("the end of the process", || self.child.try_wait().expect("a child"));
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => self.said.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(error) => panic!("{error}"),
            }
        }
        if let Some(reader) = self.reader.take() {
            reader.join().expect("no panic");
        }
        status.code()
    }

    /// As a crash does.
    pub fn kill(&mut self) {
        self.signal("KILL");
        assert_eq!(self.end(), None, "a signal ends it without a code");
    }

    pub fn stop(&mut self) {
        self.signal("TERM");
        assert_eq!(self.end(), Some(0), "{}", self.log());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn home() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

/// Writes a certificate for `localhost`; the arguments that name it.
fn tls_arguments(home: &TempDir) -> Vec<String> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let (cert, key) = (home.path().join("tls.crt"), home.path().join("tls.key"));
    fs::write(&cert, made.cert.pem()).expect("written");
    fs::write(&key, made.signing_key.serialize_pem()).expect("written");
    let text = |path: PathBuf| path.to_string_lossy().into_owned();
    [
        "--listen-tls",
        "127.0.0.1:0",
        "--tls-cert",
        &text(cert),
        "--tls-key",
        &text(key),
    ]
    .map(str::to_owned)
    .to_vec()
}

#[test]
fn each_address_is_said_once_and_the_first_key_is_shown_once_in_a_life() {
    let home = home();
    let tls = tls_arguments(&home);
    let tls: Vec<&str> = tls.iter().map(String::as_str).collect();
    let mut first = Process::start(&home, &tls, &[]);
    for which in ["public", "tls", "admin"] {
        assert!(
            first.address(which).is_some_and(|address| address.port() != 0),
            "{which}: {:?}",
            first.said
        );
    }
    first.stop();
    let starting = |process: &Process, start: &str| process.said.iter().filter(|line| line.starts_with(start)).count();
    for start in [
        "listening public http://",
        "listening tls https://",
        "listening admin http://",
        "admin key ",
    ] {
        assert_eq!(starting(&first, start), 1, "{start}: {:?}", first.said);
    }
    let key = first
        .said
        .iter()
        .find_map(|line| line.strip_prefix("admin key "))
        .expect("a key")
        .to_owned();
    assert!(key.len() >= 32, "190 bits at least");
    let mut second = Process::start(&home, &[], &[]);
    assert_eq!(second.call("GET", "/links", &key, None).status, 200);
    second.stop();
    assert_eq!(
        (starting(&second, "admin key"), starting(&second, "listening tls")),
        (0, 0),
        "{:?}",
        second.said
    );
    assert!(!second.said.concat().contains(&key) && !second.log().contains(&key));
}

#[test]
fn the_operators_own_key_is_taken_on_the_first_start_only() {
    let home = home();
    let mut first = Process::start(&home, &[], &[("HOPCART_ADMIN_KEY", KEY)]);
    assert_eq!(first.call("GET", "/links", KEY, None).status, 200);
    first.stop();
    assert!(
        !first.said.concat().contains(KEY),
        "a chosen key is not repeated: {:?}",
        first.said
    );
    let other = "another-key-0123456789";
    let mut second = Process::start(&home, &[], &[("HOPCART_ADMIN_KEY", other)]);
    let status = |key: &str| second.call("GET", "/links", key, None).status;
    assert_eq!([status(KEY), status(other)], [200, 401]);
    second.stop();
}

/// What it is, the data directory, arguments, variables; the exit code and words of the line.
type Refused<'a> = (
    &'a str,
    &'a Path,
    &'a [&'a str],
    &'a [(&'a str, &'a str)],
    i32,
    &'a [&'a str],
);

#[test]
fn what_keeps_it_from_starting_is_one_line_and_an_exit_code() {
    let home = home();
    let config = home.path().join("hopcart.toml");
    fs::write(&config, "lisen = \"127.0.0.1:0\"\n").expect("written");
    let config = config.to_string_lossy().into_owned();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = taken.local_addr().expect("an address").to_string();
    let newer = home.path().join("newer");
    fs::create_dir(&newer).expect("a directory");
    fs::write(newer.join("FORMAT"), "99\n").expect("written");
    let file = home.path().join("file");
    fs::write(&file, "x").expect("written");
    let in_use = Process::start(&home, &[], &[]);
    let (fresh, used) = (home.path().join("fresh"), home.path().join("data"));
    let table: [Refused<'_>; 13] = [
        ("a taken public port", &fresh, &["--listen", &taken], &[], 69, &[&taken]),
        (
            "a taken admin port",
            &fresh,
            &["--admin-listen", &taken],
            &[],
            69,
            &[&taken],
        ),
        (
            "the port of another hopcart",
            &fresh,
            &["--listen", &in_use.public().to_string()],
            &[],
            69,
            &[&in_use.public().to_string()],
        ),
        ("a directory in use", &used, &[], &[], 69, &["in use", "--data"]),
        ("a newer format", &newer, &[], &[], 69, &["99", "newer"]),
        ("no directory", &file, &[], &[], 69, &["data directory"]),
        (
            "an unknown key",
            &fresh,
            &["--config", &config],
            &[],
            2,
            &["lisen", "listen"],
        ),
        (
            "no such file",
            &fresh,
            &["--config", "/nonexistent/hopcart.toml"],
            &[],
            2,
            &["/nonexistent/hopcart.toml"],
        ),
        (
            "TLS without a certificate",
            &fresh,
            &["--listen-tls", "127.0.0.1:0"],
            &[],
            2,
            &["--tls-cert"],
        ),
        (
            "a wrong mode",
            &fresh,
            &["--click-ack", "maybe"],
            &[],
            2,
            &["--click-ack"],
        ),
        (
            "a wrong variable",
            &fresh,
            &[],
            &[("HOPCART_WORKERS", "many")],
            2,
            &["HOPCART_WORKERS"],
        ),
        (
            "a short key",
            &fresh,
            &[],
            &[("HOPCART_ADMIN_KEY", "short")],
            2,
            &["HOPCART_ADMIN_KEY"],
        ),
        (
            "a wrong URL",
            &fresh,
            &["--public-url", "ftp://x"],
            &[],
            2,
            &["--public-url"],
        ),
    ];
    for (what, data, arguments, variables, code, words) in table {
        let output = command(data, arguments)
            .envs(variables.iter().copied())
            .output()
            .expect("a process");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{what}: {told}");
        let errors: Vec<&str> = told.lines().filter(|line| !line.starts_with('{')).collect();
        assert_eq!(errors.len(), 1, "{what}: {told}");
        for word in words {
            assert!(errors[0].contains(word), "{what}: {word} in {told}");
        }
        assert!(!String::from_utf8_lossy(&output.stdout).contains("admin key"), "{what}");
    }
}

#[test]
fn every_answered_click_is_there_after_sigterm_and_sigint() {
    let home = home();
    let mut answered = 0;
    let mut sent = 0;
    for (round, signal) in ["TERM", "INT"].into_iter().enumerate() {
        let mut process = Process::start(&home, &[], &[("HOPCART_ADMIN_KEY", KEY)]);
        if round == 0 {
            process.link("a");
        }
        let is_over = AtomicBool::new(false);
        let public = process.public();
        let counts: Vec<(u64, u64)> = std::thread::scope(|scope| {
            let clients: Vec<_> = (0..4).map(|_| scope.spawn(|| follow_until(public, &is_over))).collect();
            let written = || {
                metric(
                    &process.call("GET", "/metrics", KEY, None).text(),
                    "hopcart_clicks_written_total",
                )
            };
            eventually("some clicks", || (written() > 200).then_some(()));
            process.signal(signal);
            let code = process.end();
            is_over.store(true, Ordering::Relaxed);
            assert_eq!(code, Some(0), "{}", process.log());
            clients
                .into_iter()
                .map(|client| client.join().expect("no panic"))
                .collect()
        });
        for (own_answered, own_sent) in counts {
            answered += own_answered;
            sent += own_sent;
        }
        let mut process = Process::start(&home, &[], &[]);
        let counted = process
            .call("GET", "/analytics?interval=all&include=repeats", KEY, None)
            .json();
        let clicks = counted["clicks"].as_u64().expect("a number");
        assert!(
            (answered..=sent).contains(&clicks),
            "SIG{signal}: {answered} answered, {sent} sent, {clicks} stored"
        );
        process.stop();
    }
}

/// Follows `/a` until the server is gone; how many were answered and how many sent.
fn follow_until(public: SocketAddr, is_over: &AtomicBool) -> (u64, u64) {
    use std::io::{Read, Write};
    use std::net::TcpStream;
    let (mut answered, mut sent) = (0, 0);
    let request = format!("GET /a HTTP/1.1\r\nHost: a\r\nUser-Agent: {IPHONE}\r\n\r\n");
    while !is_over.load(Ordering::Relaxed) {
        let Ok(mut stream) = TcpStream::connect(public) else {
            break;
        };
        stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
        let mut is_open = true;
        while is_open && !is_over.load(Ordering::Relaxed) {
            sent += 1;
            if stream.write_all(request.as_bytes()).is_err() {
                break;
            }
            let mut head = Vec::new();
            let mut byte = [0];
            while is_open && !head.ends_with(b"\r\n\r\n") {
                is_open = stream.read(&mut byte).is_ok_and(|length| length == 1);
                head.extend(is_open.then_some(byte[0]));
            }
            answered += u64::from(head.starts_with(b"HTTP/1.1 302") && head.ends_with(b"\r\n\r\n"));
            let text = String::from_utf8_lossy(&head).to_lowercase();
            is_open &= !text.contains("connection: close");
        }
    }
    (answered, sent)
}

/// The value of the line of `/metrics` that begins with `name`.
pub fn metric(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let value = line.and_then(|value| value.trim().split('.').next()?.parse().ok());
    value.unwrap_or_else(|| panic!("no whole {name} in {text}"))
}

#[test]
fn health_readiness_and_metrics_need_no_key_and_tell_no_names() {
    let server = TestServer::start();
    server
        .api()
        .link(&json!({ "key": "secret-launch", "url": "https://shop.example/" }));
    let get = |target: &str| http::send(server.running().admin, &Request::get(target));
    for target in ["/healthz", "/readyz"] {
        assert_eq!(get(target).status, 200, "{target}");
    }
    for target in ["/secret-launch", "/secret-launch", "/none", "/secret-launch"] {
        server.follow(target);
    }
    eventually("clicks written", || {
        let text = get("/metrics").text();
        let are_written = metric(&text, "hopcart_clicks_written_total") == 3;
        // What waits is looked at before each round of writing, so it is zero a moment later.
        (are_written && metric(&text, "hopcart_clicks_queued") == 0).then_some(())
    });
    let answer = get("/metrics");
    assert!(
        answer
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("application/openmetrics-text"))
    );
    let text = answer.text();
    for (name, expected) in [
        ("hopcart_requests_total{outcome=\"redirected\"}", 3),
        ("hopcart_requests_total{outcome=\"not_found\"}", 1),
        ("hopcart_request_duration_seconds_count", 4),
        ("hopcart_links", 1),
        ("hopcart_clicks_dropped_total{reason=\"queue_full\"}", 0),
        ("hopcart_click_log_failed", 0),
        ("hopcart_click_log_ok", 1),
        ("hopcart_clicks_recovered_total", 0),
        ("hopcart_recognition_forgotten_total{what=\"visitor\"}", 0),
        ("hopcart_recognition_forgotten_total{what=\"follow\"}", 0),
        ("hopcart_click_log_failures_total{cause=\"disk_full\"}", 0),
        ("hopcart_books_failed", 0),
    ] {
        assert_eq!(metric(&text, name), expected, "{name}");
    }
    assert!(metric(&text, "hopcart_connections_accepted_total") >= 4);
    assert!(metric(&text, "hopcart_click_log_fsync_seconds_count") >= 1);
    for store in ["journal", "books"] {
        assert!(
            metric(&text, &format!("hopcart_store_bytes{{store=\"{store}\"}}")) > 0,
            "{store}"
        );
    }
    assert!(text.trim_end().ends_with("# EOF"), "the end of OpenMetrics");
    assert!(!text.contains("secret-launch") && !text.contains("127.0.0.1"), "{text}");
    // Every sample belongs to a described metric, and none is there twice.
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.rsplit_once(' ').expect("a value").0;
        *seen.entry(name).or_default() += 1;
    }
    let twice: Vec<_> = seen.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

#[test]
fn sizes_are_known_right_after_a_start() {
    let mut server = TestServer::start();
    server
        .api()
        .link(&json!({ "key": "a", "url": "https://shop.example/" }));
    server.follow("/a");
    server.restart();
    let text = http::send(server.running().admin, &Request::get("/metrics")).text();
    for store in ["journal", "clicks", "books"] {
        assert!(
            metric(&text, &format!("hopcart_store_bytes{{store=\"{store}\"}}")) > 0,
            "{store}"
        );
    }
}

/// Every file below `folder`.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path());
    entries
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .collect()
}

#[test]
fn neither_logs_nor_data_hold_an_address_or_a_key() {
    let v4 = "203.0.113.177";
    let v6: Ipv6Addr = "2001:db8:7a5c:91e3:4b1f:2d6e:8c93:a0f7".parse().expect("an address");
    let home = home();
    let variables = [("HOPCART_ADMIN_KEY", KEY), ("HOPCART_LOG", "info,hopcart=trace")];
    let mut process = Process::start(&home, &["--trusted-proxy", "127.0.0.0/8"], &variables);
    process.link("a");
    let store = json!({ "name": "S", "provider": "shopify", "baseUrl": "https://shop.example", "currency": "EUR",
        "webhookSecrets": ["shpss_planted_secret"] });
    let store = process.call("POST", "/stores", KEY, Some(&store)).json();
    let issued = process
        .call("POST", "/keys", KEY, Some(&json!({ "name": "second" })))
        .json();
    let second = issued["key"].as_str().expect("a key").to_owned();
    let mut client = Client::connect(process.public());
    for address in [v4, &v6.to_string()] {
        for target in ["/a", "/none", "/a?email=planted%40person.example"] {
            let request = Request::get(target)
                .header("User-Agent", IPHONE)
                .header("X-Forwarded-For", address);
            client.send(&request.header("Referer", "https://x.example/?token=planted-token"));
        }
        let forged = Request::new("POST", &format!("/_/hooks/{}", store["id"].as_str().expect("an id")))
            .headers(&[("X-Forwarded-For", address), ("X-Shopify-Hmac-SHA256", "AAAA")])
            .body("{}");
        assert_eq!(client.send(&forged).status, 401);
    }
    assert_eq!(process.call("GET", "/links", "planted-wrong-key-000", None).status, 401);
    assert_eq!(process.call("GET", "/links", &second, None).status, 200);
    http::send_raw(process.public(), b"planted garbage\r\n\r\n");
    eventually("clicks written", || {
        (metric(
            &process.call("GET", "/metrics", KEY, None).text(),
            "hopcart_clicks_written_total",
        ) == 4)
            .then_some(())
    });
    process.stop();

    let log = process.log();
    assert!(log.lines().count() > 2, "{log}");
    for line in log.lines().filter(|line| line.starts_with('{')) {
        let parsed: Result<Value, _> = serde_json::from_str(line);
        assert!(parsed.is_ok(), "{line}");
    }
    assert!(
        log.lines().any(|line| line.starts_with('{')),
        "JSON when it is no terminal: {log}"
    );
    let v6_text = v6.to_string();
    let secrets = [
        KEY,
        &second,
        "shpss_planted_secret",
        "planted-wrong-key-000",
        "planted-token",
        "planted%40person",
        v4,
        &v6_text,
    ];
    for secret in secrets {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
    let data = files(&home.path().join("data"));
    assert!(data.len() >= 4, "{data:?}");
    for file in data {
        let bytes = fs::read(&file).expect("a file");
        let holds = |wanted: &[u8]| bytes.windows(wanted.len()).any(|window| window == wanted);
        for secret in [KEY, &second, "planted-wrong-key-000", "planted-token", v4, &v6_text] {
            assert!(!holds(secret.as_bytes()), "{secret} in {}", file.display());
        }
        assert!(!holds(&v6.octets()[..8]), "an address in {}", file.display());
    }
}

#[test]
fn links_of_the_default_domain_outlive_another_port_and_another_name() {
    let home = home();
    let mut first = Process::start(&home, &[], &[("HOPCART_ADMIN_KEY", KEY)]);
    first.link("a");
    first.stop();
    for (arguments, start) in [
        (&[][..], None),
        (
            &["--public-url", "https://go.brand.example"],
            Some("https://go.brand.example/a"),
        ),
        (
            &["--public-url", "https://other.brand.example:8443"],
            Some("https://other.brand.example:8443/a"),
        ),
    ] {
        let mut next = Process::start(&home, arguments, &[]);
        let answer = http::send(next.public(), &Request::get("/a").header("User-Agent", IPHONE));
        assert_eq!(
            (answer.status, answer.location()),
            (302, "https://shop.example/"),
            "{arguments:?}"
        );
        let link = next.call("GET", "/links/info?key=a", KEY, None).json();
        let own = format!("http://{}/a", next.public());
        assert_eq!(link["shortLink"], start.unwrap_or(&own), "{arguments:?}");
        next.stop();
    }
}

#[test]
fn the_page_is_for_those_with_a_key_and_shows_their_numbers() {
    let server = TestServer::start();
    let api = server.api();
    let mia = api.partner("Mia <script>", "ceramics & clay");
    api.link(&json!({ "key": "mia", "url": "https://shop.example/", "partnerId": mia }));
    for visitor in 0..37 {
        let request = Request::get("/mia").header("User-Agent", IPHONE);
        assert_eq!(
            server
                .send(&request.header("X-Forwarded-For", &format!("100.64.1.{visitor}")))
                .status,
            302
        );
    }
    eventually("the clicks", || (api.clicks("") == 37).then_some(()));
    let admin = server.running().admin;
    let get = |target: &str, cookie: &str| http::send(admin, &Request::get(target).header("Cookie", cookie));
    let sign_in = |key: &str| {
        let form = Request::new("POST", "/sign-in").header("Content-Type", "application/x-www-form-urlencoded");
        http::send(admin, &form.body(format!("key={key}")))
    };
    for cookie in ["", "hopcart_session=x", "hopcart_session=key_1.9999999999.00"] {
        let answer = get("/", cookie);
        assert_eq!((answer.status, answer.location()), (303, "/sign-in"), "{cookie}");
        assert!(!answer.text().contains("Mia"));
    }
    for wrong in ["wrong-key-0123456789", "", &"x".repeat(5_000)] {
        let answer = sign_in(wrong);
        assert_eq!((answer.status, answer.header("set-cookie")), (401, None), "{wrong}");
    }
    let issued = api.post("/keys", &json!({ "name": "for the page" }));
    let answer = sign_in(issued["key"].as_str().expect("a key"));
    assert_eq!((answer.status, answer.location()), (303, "/"));
    let line = answer.header("set-cookie").expect("a session");
    assert!(line.contains("HttpOnly") && line.contains("SameSite=Strict"), "{line}");
    let cookie = answer.cookie().to_owned();
    let page = get("/", &cookie);
    assert_eq!(page.status, 200);
    let html = page.text();
    assert!(
        html.contains("37") && html.contains("Mia &lt;script&gt;") && !html.contains("Mia <script>"),
        "{html}"
    );
    assert!(
        html.contains("<svg") && html.contains("name=\"viewport\""),
        "a picture, readable on a phone"
    );
    let niches = get("/?groupBy=niche&interval=24h", &cookie).text();
    assert!(niches.contains("ceramics &amp; clay"), "{niches}");
    for page in [&page, &get("/sign-in", "")] {
        let policy = page.header("content-security-policy").expect("a CSP");
        assert!(
            policy.contains("default-src 'none'") && !policy.contains("unsafe"),
            "{policy}"
        );
        assert_eq!(page.header("cache-control"), Some("private, no-store"));
    }
    let cross = Request::new("POST", "/sign-in")
        .header("Sec-Fetch-Site", "cross-site")
        .body(format!("key={KEY}"));
    assert_eq!(http::send(admin, &cross).status, 403);
    let tampered = format!("{}0", &cookie[..cookie.len() - 1]);
    let forged = if tampered == cookie {
        format!("{}1", &cookie[..cookie.len() - 1])
    } else {
        tampered
    };
    assert_eq!(get("/", &forged).status, 303);
    let id = issued["id"].as_str().expect("an id");
    assert_eq!(api.call("DELETE", &format!("/keys/{id}"), None).status, 200);
    assert_eq!(get("/", &cookie).status, 303, "a revoked key ends its sessions at once");
    let owner = sign_in(KEY);
    server.clock.advance(8 * 24 * 60 * 60 * 1000);
    assert_eq!(get("/", owner.cookie()).status, 303, "sessions end after a week");
}
