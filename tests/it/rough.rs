//! Rough clients: garbage, huge and slow requests, two readings of one message. Refused or closed, while others are
//! served on the same port.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::http::{Client, Request, send_raw, status_of};
use crate::server::{IPHONE, KEY, SECRET, TestServer, delivery};

/// A server with one link, `/a`, and time limits of a second.
fn short_tempered() -> TestServer {
    let server = TestServer::with(|config| {
        config.limits.header_seconds = 1;
        config.limits.first_byte_seconds = 1;
        config.limits.idle_seconds = 1;
        config.limits.webhook_bytes_max = 4096;
        // From trusted proxies a PROXY header may come first, for which there is time as for a handshake.
        config.trusted_proxies.clear();
    });
    server
        .api()
        .link(&json!({ "key": "a", "url": "https://shop.example/" }));
    server
}

fn well_behaved() -> Request {
    Request::get("/a").header("User-Agent", IPHONE)
}

#[test]
fn malformed_requests_are_refused_and_nothing_behind_them_is_answered() {
    let server = short_tempered();
    let get = |lines: &str| format!("GET /a HTTP/1.1\r\nHost: a\r\n{lines}\r\n").into_bytes();
    let post = |lines: &str, body: &str| {
        format!("POST /_/hooks/store_x HTTP/1.1\r\nHost: a\r\n{lines}\r\n{body}").into_bytes()
    };
    let chunks = "3\r\nabc\r\n0\r\n\r\n";
    let many: String = (0..150).map(|n| format!("X-{n}: a\r\n")).collect();
    let table: [(&str, Vec<u8>, &[u16]); 20] = [
        ("garbage", b"nonsense\r\n\r\n".to_vec(), &[400]),
        (
            "bytes",
            vec![0xff; 64].into_iter().chain(*b"\r\n\r\n").collect(),
            &[400],
        ),
        (
            "TLS on the clear port",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec(),
            &[400, 0],
        ),
        (
            "HTTP/2 without agreement",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
            &[400],
        ),
        (
            "an unknown version",
            b"GET /a HTTP/3.7\r\nHost: a\r\n\r\n".to_vec(),
            &[400, 505],
        ),
        ("no Host", b"GET /a HTTP/1.1\r\n\r\n".to_vec(), &[400]),
        ("two Hosts", get("Host: b\r\n"), &[400]),
        (
            "a GET with a body",
            [get("Content-Length: 5\r\n"), b"hello".to_vec()].concat(),
            &[400],
        ),
        (
            "a GET with a chunked body",
            [get("Transfer-Encoding: chunked\r\n"), chunks.into()].concat(),
            &[400],
        ),
        (
            "CL and TE",
            post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", chunks),
            &[400],
        ),
        (
            "TE and CL",
            post("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", chunks),
            &[400],
        ),
        (
            "two lengths",
            post("Content-Length: 3\r\nContent-Length: 4\r\n", "abcd"),
            &[400],
        ),
        ("a signed length", post("Content-Length: +3\r\n", "abc"), &[400]),
        ("an odd coding", post("Transfer-Encoding: xchunked\r\n", chunks), &[400]),
        (
            "a space before the colon",
            post("Transfer-Encoding : chunked\r\n", chunks),
            &[400],
        ),
        ("a folded header", get("X: a\r\n b\r\n"), &[400]),
        ("a NUL in a header", get("X: a\0b\r\n"), &[400]),
        ("too many headers", get(&many), &[431]),
        ("a huge header", get(&format!("X: {}\r\n", "a".repeat(40_000))), &[431]),
        (
            "a huge URI",
            format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(40_000)).into_bytes(),
            &[414, 431],
        ),
    ];
    for (what, bytes, expected) in table {
        // An answer to this one would be a second answer on a connection that should be closed.
        let smuggled = b"GET /a HTTP/1.1\r\nHost: smuggled\r\nConnection: close\r\n\r\n";
        let raw = send_raw(server.running().public, &[&bytes[..], smuggled].concat());
        assert!(expected.contains(&status_of(&raw)), "{what}: {raw:?}");
        assert!(!raw.contains("302"), "{what}: {raw}");
        assert_eq!(server.send(&well_behaved()).status, 302, "after {what}");
    }
    assert_eq!(
        status_of(&send_raw(server.running().admin, b"nonsense\r\n\r\n")),
        400,
        "the admin port too"
    );
    let two_lengths = post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", chunks);
    assert_eq!(status_of(&send_raw(server.running().admin, &two_lengths)), 400);
}

#[test]
fn what_is_merely_unusual_is_answered() {
    let server = short_tempered();
    for (what, bytes) in [
        (
            "empty lines first",
            "\r\n\r\nGET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        ),
        ("HTTP/1.0", "GET /a HTTP/1.0\r\n\r\n"),
        (
            "an empty length",
            "GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        ),
        (
            "an absolute target",
            "GET http://a/a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        ),
        (
            "an upgrade that is not offered",
            "GET /a HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: close\r\n\r\n",
        ),
    ] {
        let raw = send_raw(server.running().public, bytes.as_bytes());
        assert_eq!(status_of(&raw), 302, "{what}: {raw}");
    }
    let mut ahead = server.client();
    ahead.send_raw(&b"GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /none HTTP/1.1\r\nHost: a\r\n\r\n".repeat(20));
    let statuses: Vec<u16> = (0..40).map(|_| ahead.read_answer(false).status).collect();
    assert_eq!(
        statuses,
        [302, 404].repeat(20),
        "requests sent ahead are answered in their order"
    );
}

/// Serves a well-behaved client until `rough` is closed; its answer, and how long that took.
fn outlast(server: &TestServer, mut rough: Client, mut poke: impl FnMut(&mut Client)) -> (String, Duration) {
    let started = Instant::now();
    let mut other = server.client();
    // Within the second that the rough client has, and a little after.
    while started.elapsed() < Duration::from_millis(1_500) {
        poke(&mut rough);
        let asked = Instant::now();
        assert_eq!(other.send(&well_behaved()).status, 302);
        assert!(
            asked.elapsed() < Duration::from_secs(1),
            "others wait: {:?}",
            asked.elapsed()
        );
    }
    let raw = rough.read_to_close();
    (raw, started.elapsed())
}

#[test]
fn who_dawdles_is_cut_off_while_others_are_served() {
    let server = short_tempered();
    let table: [(&str, &[u8], bool); 3] = [
        ("a head that does not end", b"GET /a HTTP/1.1\r\nHost:", false),
        ("a head that drips", b"GET /a HTTP/1.1\r\nX:", true),
        ("silence", b"", false),
    ];
    for (what, bytes, drips) in table {
        let mut rough = server.client();
        rough.send_raw(bytes);
        let (raw, took) = outlast(&server, rough, |rough| {
            if drips {
                rough.send_raw(b"a");
            }
        });
        assert!([0, 408, 431].contains(&status_of(&raw)), "{what}: {raw}");
        assert!(took < Duration::from_secs(6), "{what}: {took:?}");
    }
    let mut idle = server.client();
    assert_eq!(idle.send(&well_behaved()).status, 302);
    assert_eq!(idle.read_to_close(), "", "an idle connection ends without a word");
}

#[test]
fn bodies_that_are_too_large_are_refused() {
    let server = short_tempered();
    let store = server.api().store();
    let padded = |length: usize| json!({ "id": 1, "padding": "x".repeat(length) });
    let status = |length: usize| {
        server
            .send(&delivery(&store, "customers/create", "d", &padded(length), SECRET))
            .status
    };
    assert_eq!(status(3_000), 200);
    assert_eq!(status(5_000), 413);
    // Neither told in advance nor all at once: the bound holds for chunks.
    let chunk = format!("{:x}\r\n{}\r\n", 1_000, "x".repeat(1_000)).repeat(6);
    let head = format!("POST /_/hooks/{store} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    let raw = send_raw(server.running().public, format!("{head}{chunk}0\r\n\r\n").as_bytes());
    assert_eq!(status_of(&raw), 413, "{raw}");
    let large = json!({ "url": "https://shop.example/", "title": "x".repeat(9 << 20) });
    let answer = server.api_with(KEY).call("POST", "/links", Some(&large));
    assert!([400, 413].contains(&answer.status), "{}", answer.status);
    assert_eq!(server.send(&well_behaved()).status, 302);
}

#[test]
fn too_many_connections_do_not_shut_out_those_who_are_in() {
    let server = TestServer::with(|config| {
        config.limits.connections_max = 8;
        config.workers = 1;
    });
    server
        .api()
        .link(&json!({ "key": "a", "url": "https://shop.example/" }));
    let mut kept: Vec<Client> = (0..8).map(|_| server.client()).collect();
    for client in &mut kept {
        assert_eq!(client.send(&well_behaved()).status, 302);
    }
    let shut_out = send_raw(server.running().public, b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!([0, 503].contains(&status_of(&shut_out)), "{shut_out}");
    for client in &mut kept {
        assert_eq!(client.send(&well_behaved()).status, 302);
    }
    drop(kept);
    crate::server::eventually("a free place", || {
        let raw = send_raw(server.running().public, b"GET /a HTTP/1.0\r\n\r\n");
        (status_of(&raw) == 302).then_some(())
    });
}
