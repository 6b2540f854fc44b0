//! What counts as a click: a thousand people among bots, previews, prefetches, HEADs, repeats and tests; reports, their
//! filters and the list of events; the same numbers after a restart.

use std::collections::{BTreeMap, HashSet};

use hopcart::domain::outside::Clock;
use serde_json::{Value, json};

use crate::http::{Client, Request};
use crate::server::{Api, IPHONE, KEY, TestServer, eventually, id_of};

/// People.
const PEOPLE: usize = 1_000;
/// Everything that `include` can name.
const ALL: &str = "include=repeats,bots,prefetch,head,test";
/// How long the clock moves on halfway: two steps of a series by the hour.
const PAUSE_MS: i64 = 2 * 60 * 60 * 1000;

/// User agents of people: device, system, browser.
const AGENTS: [(&str, &str, &str, &str); 6] = [
    (IPHONE, "Mobile", "iOS", "Safari"),
    (
        "Mozilla/5.0 (Linux; Android 15; Pixel 9; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/130.0 Mobile Safari/537.36 Instagram 355.0",
        "Mobile",
        "Android",
        "WebView",
    ),
    (
        "Mozilla/5.0 (Linux; Android 14; SM-S921B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36",
        "Mobile",
        "Android",
        "Chrome",
    ),
    (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36 Edg/130.0.0.0",
        "Desktop",
        "Windows",
        "Edge",
    ),
    (
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15",
        "Desktop",
        "Mac OS",
        "Safari",
    ),
    (
        "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0",
        "Desktop",
        "Linux",
        "Firefox",
    ),
];
/// Programs, and whether they fetch a card.
const BOTS: [(&str, bool); 6] = [
    (
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        false,
    ),
    ("curl/8.5.0", false),
    ("python-requests/2.32.3", false),
    ("WhatsApp/2.24.20.89 A", true),
    (
        "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
        true,
    ),
    ("Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", true),
];
/// How browsers say that nobody has tapped yet.
const AHEAD: [(&str, &str); 6] = [
    ("Sec-Purpose", "prefetch"),
    ("Sec-Purpose", "prefetch;prerender"),
    ("Sec-Purpose", "prefetch;anonymous-client-ip"),
    ("Purpose", "prefetch"),
    ("X-Purpose", "preview"),
    ("X-Moz", "prefetch"),
];
/// Referrers and the hosts that reports show.
const REFERRERS: [(&str, &str); 3] = [
    ("", "(direct)"),
    ("https://l.instagram.com/?u=secret", "l.instagram.com"),
    ("https://www.tiktok.com/@mia", "www.tiktok.com"),
];

/// What was sent, by class, counted by the test itself.
#[derive(Default)]
struct Sent {
    people: u64,
    repeats: u64,
    bots: u64,
    previews: u64,
    prefetch: u64,
    head: u64,
    test: u64,
    /// People by what reports group by, and by link.
    by: BTreeMap<(&'static str, String), u64>,
}

impl Sent {
    fn total(&self) -> u64 {
        self.people + self.repeats + self.bots + self.prefetch + self.head + self.test
    }

    fn person(&mut self, fields: [(&'static str, &str); 5]) {
        self.people += 1;
        for (field, value) in fields {
            *self.by.entry((field, value.to_owned())).or_default() += 1;
        }
    }

    /// How many people had this value of `field`.
    fn of(&self, field: &'static str, value: &str) -> u64 {
        self.by.get(&(field, value.to_owned())).copied().unwrap_or(0)
    }
}

/// Two links: `/a` of a creator, `/b` on a domain of the brand's own.
struct Crowd {
    server: TestServer,
    links: [Value; 2],
    sent: Sent,
}

fn address(person: usize) -> String {
    format!("100.64.{}.{}", person / 250, person % 250)
}

impl Crowd {
    fn gather() -> Self {
        let server = TestServer::start();
        let api = server.api();
        let mia = api.partner("Mia", "ceramics");
        let a = api.link(&json!({ "key": "a", "url": "https://shop.example/a", "partnerId": mia }));
        api.post("/domains", &json!({ "slug": "go.brand.example" }));
        let b = api.link(&json!({ "key": "b", "url": "https://shop.example/b", "domain": "go.brand.example" }));
        let mut crowd = Self {
            server,
            links: [a, b],
            sent: Sent::default(),
        };
        let mut client = crowd.server.client();
        for person in 0..PEOPLE {
            if person == PEOPLE / 2 {
                // Clicks take the time of their request.
                crowd.server.clock.advance(PAUSE_MS);
            }
            crowd.visit(&mut client, person);
        }
        crowd
    }

    /// One person's click, with everything around it that must not count.
    fn visit(&mut self, client: &mut Client, person: usize) {
        let link = ["a", "b"][person % 2];
        let host = ["127.0.0.1", "go.brand.example"][person % 2];
        let (agent, device, os, browser) = AGENTS[person % AGENTS.len()];
        let (referrer, referrer_host) = REFERRERS[person % REFERRERS.len()];
        let from = |method: &str, agent: &str, address: &str| {
            Request::new(method, &format!("/{link}"))
                .header("Host", host)
                .header("User-Agent", agent)
                .header("X-Forwarded-For", address)
        };
        let own = address(person);
        let send = |client: &mut Client, request: &Request| {
            let answer = client.send(request);
            assert_eq!(answer.status, 302);
            answer
        };
        if person.is_multiple_of(4) {
            // Ahead of the tap, by the very person who taps then: the tap is no repeat of it.
            let ahead = AHEAD[person / 4 % AHEAD.len()];
            send(client, &from("GET", agent, &own).header(ahead.0, ahead.1));
            self.sent.prefetch += 1;
        }
        if person.is_multiple_of(5) {
            send(client, &from("HEAD", agent, &own));
            self.sent.head += 1;
        }
        if person.is_multiple_of(3) {
            let (bot, is_preview) = BOTS[person / 3 % BOTS.len()];
            send(client, &from("GET", bot, &own));
            self.sent.bots += 1;
            self.sent.previews += u64::from(is_preview);
        }
        if person.is_multiple_of(10) {
            send(client, &from("GET", agent, &own).header("X-Hopcart-Test", KEY));
            self.sent.test += 1;
        }
        let answer = send(client, &from("GET", agent, &own).header("Referer", referrer));
        self.sent.person([
            ("devices", device),
            ("os", os),
            ("browsers", browser),
            ("referers", referrer_host),
            ("key", link),
        ]);
        if person.is_multiple_of(6) {
            // Who refuses cookies is known by address and user agent.
            send(client, &from("GET", agent, &own));
            self.sent.repeats += 1;
        }
        if person.is_multiple_of(7) {
            // Who keeps them is known wherever they are.
            send(
                client,
                &from("GET", agent, "198.51.100.77").header("Cookie", answer.cookie()),
            );
            self.sent.repeats += 1;
        }
    }

    fn api(&self) -> Api<'_> {
        self.server.api()
    }

    /// Everything that the reports say of the crowd; called before and after a restart.
    fn check(&self) {
        let (api, sent) = (self.api(), &self.sent);
        eventually("every click written", || {
            (api.clicks(ALL) == sent.total()).then_some(())
        });
        let counts: [(&str, u64); 8] = [
            ("", PEOPLE as u64),
            ("include=repeats", sent.people + sent.repeats),
            ("include=bots", sent.people + sent.bots),
            ("include=prefetch", sent.people + sent.prefetch),
            ("include=head", sent.people + sent.head),
            ("include=test", sent.people + sent.test),
            ("include=bots,head", sent.people + sent.bots + sent.head),
            (ALL, sent.total()),
        ];
        for (query, expected) in counts {
            assert_eq!(api.clicks(query), expected, "{query:?}");
        }
        let unique = api.get("/analytics?interval=all")["uniqueVisitors"]
            .as_u64()
            .expect("a number");
        assert!((970..=1030).contains(&unique), "{unique}");
        self.check_groups();
        self.check_filters();
    }

    fn check_groups(&self) {
        let (api, sent) = (self.api(), &self.sent);
        let rows = |group: &str, query: &str| {
            let rows = api.get(&format!("/analytics?interval=24h&groupBy={group}&{query}"));
            rows.as_array().expect("rows").clone()
        };
        let sum = |rows: &[Value]| {
            rows.iter()
                .map(|row| row["clicks"].as_u64().expect("clicks"))
                .sum::<u64>()
        };
        for (group, field) in [
            ("devices", "device"),
            ("os", "os"),
            ("browsers", "browser"),
            ("referers", "referer"),
        ] {
            let found = rows(group, "");
            assert_eq!(sum(&found), sent.people, "{group}");
            for row in &found {
                let value = row[field].as_str().expect("a name");
                assert_eq!(row["clicks"], sent.of(group, value), "{group} {row}");
            }
            assert_eq!(sum(&rows(group, ALL)), sent.total(), "{group} with everything");
        }
        let countries = rows("countries", "");
        assert_eq!(
            (countries.len(), sum(&countries)),
            (1, sent.people),
            "no country file: {countries:?}"
        );
        let top = rows("top_links", "");
        let keys: Vec<(&str, u64)> = top
            .iter()
            .map(|row| {
                (
                    row["key"].as_str().expect("a key"),
                    row["clicks"].as_u64().expect("clicks"),
                )
            })
            .collect();
        assert_eq!(keys.len(), 2);
        for (key, clicks) in keys {
            assert_eq!(clicks, sent.of("key", key), "{key}");
        }
        let hours = rows("timeseries", "");
        let filled: Vec<(&str, u64)> = hours
            .iter()
            .map(|row| {
                (
                    row["start"].as_str().expect("a start"),
                    row["clicks"].as_u64().expect("clicks"),
                )
            })
            .filter(|(_, clicks)| *clicks > 0)
            .collect();
        assert_eq!(
            filled,
            [("2026-11-21T10:00:00+00:00", 500), ("2026-11-21T12:00:00+00:00", 500)]
        );
        assert_eq!(sum(&rows("timeseries", "timezone=Asia/Kolkata")), sent.people);
    }

    fn check_filters(&self) {
        let (api, sent) = (self.api(), &self.sent);
        let [a, b] = &self.links;
        let authority = a["domain"].as_str().expect("a domain");
        let table = [
            (format!("linkId={}", id_of(a)), "a"),
            (format!("linkId={}", id_of(b)), "b"),
            (format!("domain={authority}&key=a"), "a"),
            ("domain=go.brand.example&key=b".to_owned(), "b"),
            ("domain=go.brand.example".to_owned(), "b"),
            (
                format!("partnerId={}", a["partnerId"].as_str().expect("a creator")),
                "a",
            ),
        ];
        for (query, key) in table {
            assert_eq!(api.clicks(&query), sent.of("key", key), "{query}");
        }
        let b_and_creator = format!(
            "linkId={}&partnerId={}",
            id_of(b),
            a["partnerId"].as_str().expect("a creator")
        );
        assert_eq!(api.clicks(&b_and_creator), 0);
        let half = PEOPLE as u64 / 2;
        for (query, expected) in [
            ("interval=24h", 2 * half),
            ("interval=7d", 2 * half),
            ("interval=mtd", 2 * half),
            ("start=2026-11-21T10:30:00Z&end=2026-11-21T12:30:00Z", half),
            ("start=2026-11-21T12:30:00Z", half),
            ("start=2026-11-21T11:00:00Z&end=2026-11-21T12:00:00Z", 0),
            ("start=2026-11-21&end=2026-11-22", 2 * half),
            ("start=2026-11-20&end=2026-11-21", 0),
        ] {
            let counted = api.get(&format!("/analytics?{query}"));
            assert_eq!(counted["clicks"], expected, "{query}");
        }
    }
}

#[test]
fn a_thousand_visitors_are_a_thousand_clicks_before_and_after_a_restart() {
    let mut crowd = Crowd::gather();
    assert_eq!(crowd.sent.people, PEOPLE as u64);
    crowd.check();
    crowd.server.restart();
    // The default domain's name has the new port in it.
    let key = crowd.links[0]["key"].as_str().expect("a key").to_owned();
    crowd.links[0] = crowd.api().get(&format!("/links/info?key={key}&domain=127.0.0.1"));
    crowd.check();
    assert_eq!(crowd.links[0]["clicks"], crowd.sent.of("key", "a"));
    check_events(&crowd);
}

/// The list of events: pages without overlap, flags, order.
fn check_events(crowd: &Crowd) {
    let (api, sent) = (crowd.api(), &crowd.sent);
    let page = |query: &str| {
        api.get(&format!("/events?event=clicks&interval=all&{query}"))
            .as_array()
            .expect("rows")
            .clone()
    };
    let id = |event: &Value| event["click"]["id"].as_str().expect("an id").to_owned();
    let mut ids = HashSet::new();
    let mut last_at = String::from("9999");
    for number in 1..=10 {
        let events = page(&format!("page={number}&limit=100"));
        assert_eq!(events.len(), 100, "page {number}");
        for event in &events {
            assert!(ids.insert(id(event)), "twice: {event}");
            assert_eq!((&event["click"]["counted"], &event["ip"]), (&json!(true), &json!("")));
            let at = event["timestamp"].as_str().expect("an instant").to_owned();
            assert!(at <= last_at, "newest first");
            last_at = at;
        }
    }
    assert!(page("page=11&limit=100").is_empty());
    assert_eq!(page("limit=1000").len(), PEOPLE);
    let oldest = page("limit=1&sortOrder=asc");
    assert_eq!(oldest[0]["timestamp"], "2026-11-21T10:30:00.000Z");

    let mut flags: BTreeMap<String, u64> = BTreeMap::new();
    let mut counted = 0;
    for number in 1.. {
        let events = page(&format!("{ALL}&page={number}&limit=1000"));
        for event in &events {
            counted += u64::from(event["click"]["counted"] == true);
            for flag in event["click"]["flags"].as_array().expect("flags") {
                *flags.entry(flag.as_str().expect("a word").to_owned()).or_default() += 1;
            }
        }
        if events.len() < 1000 {
            break;
        }
    }
    assert_eq!(counted, sent.people);
    let expected = [
        ("bot", sent.bots),
        ("preview", sent.previews),
        ("prefetch", sent.prefetch),
        ("head", sent.head),
        ("test", sent.test),
        ("repeat", sent.repeats),
    ];
    assert_eq!(flags, expected.map(|(word, count)| (word.to_owned(), count)).into());
}

#[test]
fn a_second_click_counts_again_after_the_window_and_on_another_link() {
    let server = TestServer::start();
    let api = server.api();
    for key in ["a", "b"] {
        api.link(&json!({ "key": key, "url": "https://shop.example/" }));
    }
    let follows = [(0, "a"), (0, "b"), (9_999, "a"), (1, "a"), (9_999, "a"), (20_000, "a")];
    for ((ms, key), count) in follows.into_iter().zip(1..) {
        server.clock.advance(ms);
        assert_eq!(server.follow(&format!("/{key}")).status, 302);
        // Two workers' clicks are recognised in any order: ten seconds must not pass between them unwritten.
        eventually("one more click", || (api.clicks(ALL) == count).then_some(()));
    }
    assert_eq!(
        (api.clicks("key=a"), api.clicks("key=b"), api.clicks("include=repeats")),
        (3, 1, 6)
    );
    let unique = &api.get("/analytics?interval=all")["uniqueVisitors"];
    assert_eq!(unique, 1);
}

#[test]
fn a_click_is_visible_within_a_second() {
    let server = TestServer::start();
    let api = server.api();
    api.link(&json!({ "key": "a", "url": "https://shop.example/" }));
    // The median: a try that another program on the machine held up says nothing.
    let mut took: Vec<_> = (1..=5)
        .map(|count| {
            server.clock.advance(60_000);
            let started = std::time::Instant::now();
            server.follow("/a");
            eventually("one more click", || (api.clicks("") == count).then_some(()));
            started.elapsed()
        })
        .collect();
    took.sort();
    assert!(took[2].as_millis() < 1000, "{took:?}");
    let link = api.get("/links/info?key=a");
    assert_eq!(
        (&link["clicks"], &link["lastClicked"]),
        (&json!(5), &json!(server.clock.now().to_string()))
    );
}

#[test]
fn test_traffic_needs_a_live_key() {
    let server = TestServer::start();
    let api = server.api();
    api.link(&json!({ "key": "a", "url": "https://shop.example/" }));
    let issued = api.post("/keys", &json!({ "name": "load test" }));
    let key = issued["key"].as_str().expect("a key");
    let follow = |key: &str| {
        server.clock.advance(60_000);
        let request = Request::get("/a")
            .header("User-Agent", IPHONE)
            .header("X-Hopcart-Test", key);
        assert_eq!(server.send(&request).status, 302);
    };
    follow(key);
    follow("wrong-key-wrong-key");
    follow(&"x".repeat(5_000));
    assert_eq!(
        api.call("DELETE", &format!("/keys/{}", id_of(&issued)), None).status,
        200
    );
    follow(key);
    eventually("four clicks", || (api.clicks(ALL) == 4).then_some(()));
    assert_eq!(api.clicks(""), 3);
}

#[test]
fn what_cannot_be_asked_is_refused_by_name() {
    let server = TestServer::start();
    for (target, field) in [
        ("/analytics?groupBy=colours", "groupBy"),
        ("/analytics?event=refunds", "event"),
        ("/analytics?interval=2h", "interval"),
        ("/analytics?interval=24h&start=2026-11-21", "interval"),
        ("/analytics?end=2026-11-21", "start"),
        ("/analytics?start=2026-11-21&end=2026-11-20", "end"),
        ("/analytics?start=yesterday", "start"),
        ("/analytics?timezone=Mars/Olympus", "timezone"),
        ("/analytics?include=people", "include"),
        ("/events?event=composite", "event"),
        ("/events?event=sales&country=DE", "country"),
        ("/analytics?event=leads&saleType=new", "saleType"),
        ("/analytics?event=composite&customerId=cus_1", "customerId"),
        ("/analytics?event=sales&saleUnit=moons", "saleUnit"),
        ("/analytics?event=sales&currency=moons", "currency"),
        ("/analytics?country=Germany", "country"),
        ("/analytics?continent=Europe", "continent"),
        ("/analytics?trigger=tap", "trigger"),
        ("/analytics?device=Mobile,", "device"),
        ("/analytics?qr=maybe", "qr"),
        ("/analytics?granularity=decade", "granularity"),
        ("/analytics?customerId=cus_1", "customerId"),
        ("/analytics?query=metadata", "query"),
        ("/analytics?saleType=new", "saleType"),
        ("/events?startingAfter=x", "startingAfter"),
        ("/events?endingBefore=x", "endingBefore"),
        ("/analytics?colour=red", "colour"),
        ("/analytics?partnerId=pn_none", "partnerId"),
        ("/analytics?domain=other.example", "domain"),
        ("/events?limit=0", "limit"),
        ("/events?limit=1001", "limit"),
        ("/events?page=0", "page"),
        ("/events?sortBy=colour", "sortBy"),
        ("/reports/performance?groupBy=moon", "groupBy"),
        ("/reports/performance?currency=XXQ", "currency"),
    ] {
        let message = server.api().call("GET", target, None).refusal(422);
        assert!(message.starts_with(&format!("{field}:")), "{target}: {message}");
    }
    for target in [
        "/analytics?linkId=link_none",
        "/analytics?key=none",
        "/events?externalId=none",
    ] {
        assert_eq!(server.api().call("GET", target, None).status, 404, "{target}");
    }
}
