//! `hopcart bench`: it believes no answer whose status it was not told to expect, shows a server that stands still, and
//! leaves no trace in reports.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::server::{KEY, TestServer, eventually};

/// How long the stand-in for a stalling server stands still.
const STALL: Duration = Duration::from_millis(400);

fn bench(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hopcart"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("HOPCART_")) {
        command.env_remove(name);
    }
    command.arg("bench").args(words).output().expect("the program")
}

/// The JSON and the exit code.
fn measured(words: &[&str]) -> (Value, Option<i32>) {
    let output = bench(&[words, &["--json"]].concat());
    let said = String::from_utf8_lossy(&output.stdout);
    let figures = serde_json::from_str(&said).unwrap_or_else(|error| {
        let complaint = String::from_utf8_lossy(&output.stderr);
        panic!("{error}: {said}{complaint}")
    });
    (figures, output.status.code())
}

fn server_with(slugs: &[&str]) -> TestServer {
    let server = TestServer::start();
    for slug in slugs {
        server
            .api()
            .link(&json!({ "key": slug, "url": "https://shop.example/" }));
    }
    server
}

fn url(server: &TestServer, path: &str) -> String {
    format!("http://{}{path}", server.running().public)
}

fn clicks_of_all(server: &TestServer) -> u64 {
    server.api().clicks("include=bots,prefetch,repeats,head,test")
}

#[test]
fn flagged_clicks_enter_no_report() {
    let server = server_with(&["one", "two"]);
    let home = tempfile::tempdir().expect("a directory");
    let slugs = home.path().join("slugs.txt");
    std::fs::write(&slugs, "one\ntwo\n").expect("written");
    let (target, file) = (url(&server, ""), slugs.to_str().expect("a path"));
    let words = [
        "--slugs",
        file,
        "--draw",
        "zipf",
        "--browser",
        "--rate",
        "400",
        "--connections",
        "4",
    ];
    let time = ["--duration", "500ms", "--test-key", KEY];
    let (figures, code) = measured(&[&[target.as_str()][..], &words, &time].concat());
    assert_eq!(code, Some(0), "{figures}");
    let told = &figures["targets"][0];
    let statuses = told["statuses"].as_object().expect("statuses");
    // Those before the measured time are counted too: clicks are clicks.
    let answered = statuses["302"].as_u64().expect("a count");
    assert_eq!(
        (statuses.len(), &told["wrong"], &told["failed"]),
        (1, &json!(0), &json!(0))
    );
    assert!(
        answered >= told["requests"].as_u64().expect("a count") && answered >= 200,
        "{told}"
    );
    eventually("every click in the log", || {
        (clicks_of_all(&server) == answered).then_some(())
    });
    assert_eq!(server.api().clicks(""), 0, "tests are left out");
    assert!(server.api().report("link", "one").is_none_or(|row| row["clicks"] == 0));
}

#[test]
fn a_wrong_status_fails_it_after_the_figures() {
    let server = server_with(&["one"]);
    let (good, missing) = (url(&server, "/one"), url(&server, "/none"));
    let targets = [format!("good={good}"), format!("missing={missing}")];
    let words = [
        "--rounds",
        "2",
        "--slice",
        "60ms",
        "--connections",
        "2",
        "--test-key",
        KEY,
    ];
    let words = [&[targets[0].as_str(), &targets[1]][..], &words].concat();
    let (figures, code) = measured(&words);
    assert_eq!(code, Some(1), "{figures}");
    let [one, other] = [&figures["targets"][0], &figures["targets"][1]];
    assert_eq!(
        (&one["wrong"], one["perRound"].as_array().map(Vec::len)),
        (&json!(0), Some(2))
    );
    let wrong = other["wrong"].as_u64().expect("a count");
    let counted: u64 = other["statuses"]
        .as_object()
        .expect("statuses")
        .values()
        .filter_map(Value::as_u64)
        .sum();
    assert!(wrong > 0 && wrong == counted, "{other}");
    assert!(other["statuses"]["404"].is_u64(), "{other}");
    // The same is right where it is expected.
    let expected = [
        "--expect",
        "404,429",
        "--duration",
        "60ms",
        "--close",
        "--test-key",
        KEY,
    ];
    let (figures, code) = measured(&[&[missing.as_str()][..], &expected].concat());
    assert_eq!(code, Some(0), "{figures}");
}

#[test]
fn targets_take_turns_and_are_compared() {
    let server = server_with(&["one"]);
    let target = url(&server, "/one");
    let (a, b) = (format!("a={target}"), format!("b={target}"));
    let own = std::process::id().to_string();
    let (of_a, of_b) = (format!("a={own}"), format!("b={own}"));
    let words = [
        "--server-pid",
        &of_a,
        "--server-pid",
        &of_b,
        "--serving-threads",
        "edge-",
    ];
    let rest = [
        "--rounds",
        "5",
        "--slice",
        "100ms",
        "--connections",
        "8",
        "--test-key",
        KEY,
    ];
    let home = tempfile::tempdir().expect("a directory");
    let svg = home.path().join("plot.svg");
    let drawing = ["--svg", svg.to_str().expect("a path")];
    let (figures, code) = measured(&[&[a.as_str(), &b][..], &words, &rest, &drawing].concat());
    assert_eq!(code, Some(0), "{figures}");
    let ratio = &figures["ratios"][0];
    assert_eq!((&ratio["target"], &ratio["of"]), (&json!("b"), &json!("a")));
    for figure in ["cpuTotal", "cpuServing", "perSecond", "p50", "p99"] {
        let median = ratio[figure]["median"]
            .as_f64()
            .unwrap_or_else(|| panic!("{figure}: {ratio}"));
        // A busy machine: the arithmetic has its own tests, this only sees that like is compared with like.
        assert!((0.1..10.0).contains(&median), "{figure}: {ratio}");
    }
    let cpu = &figures["targets"][0]["cpuUsPerRequest"];
    let [serving, total] = ["serving", "total"].map(|part| cpu[part]["median"].as_f64().expect("a figure"));
    assert!(0.0 < serving && serving <= total, "{cpu}");
    let drawn = std::fs::read_to_string(&svg).expect("drawn");
    assert_eq!(drawn.matches("<polyline").count(), 2);
}

#[test]
fn every_manner_of_asking_is_answered() {
    let server = TestServer::with_tls();
    server
        .api()
        .link(&json!({ "key": "one", "url": "https://shop.example/" }));
    let tls = format!("https://{}/one", server.running().tls.expect("a listener"));
    let clear = url(&server, "/one");
    for words in [
        &[clear.as_str(), "--close"][..],
        &[&clear, "--head", "--threads", "3", "--connections", "5"],
        &[&tls, "--insecure", "--close", "--connections", "2"],
        &[&tls, "--insecure", "--browser", "--header", "Host: go.brand.test"],
    ] {
        let (figures, code) = measured(&[words, &["--duration", "100ms", "--test-key", KEY]].concat());
        assert_eq!(code, Some(0), "{words:?}: {figures}");
        assert!(
            figures["targets"][0]["requests"].as_u64() > Some(0),
            "{words:?}: {figures}"
        );
    }
    let untrusted = measured(&[&tls, "--duration", "60ms", "--connections", "1", "--test-key", KEY]);
    assert_eq!(untrusted.1, Some(1), "{}", untrusted.0);
    let failures = untrusted.0["targets"][0]["failures"].to_string();
    assert!(failures.contains("TLS"), "{failures}");
}

#[test]
fn what_cannot_be_measured_has_its_exit_code() {
    let closed = TcpListener::bind("127.0.0.1:0")
        .expect("a port")
        .local_addr()
        .expect("an address");
    let closed = format!("http://{closed}/");
    let server = server_with(&[]);
    let open = url(&server, "/");
    for (words, code, part) in [
        (&[closed.as_str()][..], 69, "cannot be reached"),
        (&[&open, &open], 2, "two targets"),
        (&[&open, "--slugs", "/no/such/file"], 2, "/no/such/file"),
        (&[&open, "--server-pid", "1073741824"], 2, "no process"),
        (&["ftp://x/"], 2, "http://"),
    ] {
        let output = bench(&[words, &["--duration", "60ms"]].concat());
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {complaint}");
        assert!(complaint.contains(part), "{words:?}: {complaint}");
    }
    let unflagged = bench(&[&open, "--expect", "404,429", "--duration", "60ms"]);
    assert!(
        String::from_utf8_lossy(&unflagged.stderr).contains("--test-key"),
        "it warns"
    );
}

/// Answers everything with 302 at once, but stands still once, some time after the first request.
fn stalling_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        // The look whether it is there.
        drop(listener.accept());
        let Ok((mut connection, _)) = listener.accept() else {
            return;
        };
        let began = Instant::now();
        let mut has_stalled = false;
        while read_request(&mut connection) {
            if !has_stalled && began.elapsed() > Duration::from_millis(700) {
                has_stalled = true;
                let stalled = Instant::now();
                while stalled.elapsed() < STALL {
                    thread::yield_now();
                }
            }
            if connection
                .write_all(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n")
                .is_err()
            {
                return;
            }
        }
    });
    address
}

fn read_request(connection: &mut TcpStream) -> bool {
    let (mut read, mut byte) = (Vec::new(), [0]);
    while !read.ends_with(b"\r\n\r\n") {
        match connection.read(&mut byte) {
            Ok(1) => read.extend(byte),
            _ => return false,
        }
    }
    true
}

/// At 200 a second, 400 ms are 80 of 400 requests that wait: more than a tenth waits at least half of it. Were each timed
/// from its own sending, one in 400 would have been slow.
#[test]
fn a_stall_is_seen_by_everybody_who_was_due_in_it() {
    let target = format!("http://{}/", stalling_server());
    let words = [&target, "--rate", "200", "--connections", "1", "--duration", "2s"];
    let (figures, code) = measured(&words);
    assert_eq!(code, Some(0), "{figures}");
    let told = &figures["targets"][0];
    let at = |part: &str| told["latencyUs"][part].as_f64().expect("a latency") / 1e3;
    let stall = STALL.as_secs_f64() * 1e3;
    assert!(at("p99") > stall * 0.8 && at("p90") > stall * 0.4, "{told}");
    assert!(at("p50") < stall * 0.4, "{told}");
    assert!(at("max") >= stall, "{told}");
}
