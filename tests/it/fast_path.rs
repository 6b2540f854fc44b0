//! The fast path beside the HTTP library alone: followers cannot tell which of the two answered, and both count alike.

use serde_json::json;

use crate::http::{Answer, Request, send};
use crate::operation::metric;
use crate::server::{IPHONE, TestServer, eventually};

/// A server with a link of every kind that answers differently.
fn server(fast_path: bool) -> TestServer {
    let server = TestServer::with(|config| config.fast_path = fast_path);
    let api = server.api();
    for link in [
        json!({ "key": "a", "url": "https://shop.example/p?a=1#top" }),
        json!({ "key": "tracked", "url": "https://shop.example/", "trackConversion": true }),
        json!({ "key": "over", "url": "https://shop.example/", "expiresAt": "2020-01-01T00:00:00Z" }),
        json!({ "key": "locked", "url": "https://shop.example/", "password": "sesame" }),
    ] {
        api.link(&link);
    }
    server
}

/// The text of `answer` without what differs from one follow to the next: the date, the click id, the cookie's content.
fn shape(answer: &Answer) -> String {
    let mut text = format!("{}\n", answer.status);
    for (name, value) in &answer.headers {
        let value = match name.as_str() {
            "date" => "some day".to_owned(),
            "set-cookie" => {
                let (cookie, attributes) = value.split_once(';').unwrap_or((value, ""));
                format!("{}={attributes}", cookie.split('=').next().unwrap_or_default())
            }
            "location" => match value.split_once("hop_id=") {
                Some((before, id)) => format!("{before}hop_id of {} characters", id.len()),
                None => value.clone(),
            },
            _ => value.clone(),
        };
        text += &format!("{name}: {value}\n");
    }
    text + &answer.text()
}

#[test]
fn both_paths_answer_and_count_alike() {
    let (fast, slow) = (server(true), server(false));
    let person = |target: &str| Request::get(target).header("User-Agent", IPHONE);
    let requests = [
        person("/a"),
        person("/a?utm_source=x&a=2"),
        person("/A%61"),
        Request::new("HEAD", "/a").header("User-Agent", IPHONE),
        person("/tracked"),
        person("/tracked").header("Sec-GPC", "1"),
        person("/tracked").header("sec-purpose", "prefetch;prerender"),
        person("/tracked")
            .header("Accept-Language", "de")
            .header("Referer", "https://social.example/"),
        person("/tracked").header("Cookie", "a=b").header("Cookie", "c=d"),
        person("/tracked")
            .header("X-Forwarded-For", "203.0.113.9")
            .header("X-Forwarded-Proto", "https"),
        person("/a").header("Host", "LOCALHOST:8080"),
        person("/over"),
        person("/locked"),
        person("/a+"),
        person("/missing"),
        Request::new("HEAD", "/missing"),
        person("/robots.txt"),
        person("/_/nothing"),
        person("/"),
        Request::new("DELETE", "/a"),
        person("/a").header("Connection", "close"),
    ];
    let (mut to_fast, mut to_slow) = (fast.client(), slow.client());
    for request in &requests {
        let (one, other) = (to_fast.send(request), to_slow.send(request));
        assert_eq!(shape(&one), shape(&other), "{request:?}");
    }
    let counted = |server: &TestServer| {
        eventually("all clicks written", || {
            let text = send(server.running().admin, &Request::get("/metrics")).text();
            let written = metric(&text, "hopcart_clicks_written_total");
            let lines = text.lines().filter(|line| line.starts_with("hopcart_requests_total"));
            let outcomes: Vec<String> = lines.map(str::to_owned).collect();
            let are_all = metric(&text, "hopcart_requests_total{outcome=\"redirected\"}") <= written;
            are_all.then_some((written, outcomes))
        })
    };
    let (fast, slow) = (counted(&fast), counted(&slow));
    assert!(fast.0 > 10, "{fast:?}");
    assert_eq!(fast, slow);
}
