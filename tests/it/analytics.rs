//! Analytics as brands ask for them: every grouping, every filter alone and together against a count of what was sent;
//! days of Kathmandu and of Berlin when clocks change; pages of events; clocks that jump.

use std::collections::{BTreeMap, BTreeSet};

use hopcart::domain::outside::Clock;
use hopcart::domain::time::Timestamp;
use serde_json::{Value, json};

use crate::http::Request;
use crate::server::{IPHONE, TestServer, eventually, id_of};

const HOUR_MS: i64 = 60 * 60 * 1000;
/// Clicks of the crowd: more than every combination of what they carry.
const CLICKS: usize = 360;

/// What a click of the crowd was, as reports name it.
type Fields = BTreeMap<&'static str, String>;

/// What `fixtures/maxmind/cities.mmdb` knows of the quarters of three networks: country, continent, region, city.
const PLACES: [[(&str, &str, &str, &str); 4]; 3] = [
    [
        ("DE", "EU", "DE-BE", "Berlin"),
        ("DE", "EU", "DE-BY", "Unknown"),
        ("DE", "EU", "Unknown", "Unknown"),
        ("GB", "EU", "GB-ENG", "London"),
    ],
    [
        ("US", "NA", "US-CA", "San Francisco"),
        ("US", "NA", "US-OR", "Portland"),
        ("US", "NA", "US-ME", "Portland"),
        ("SG", "AS", "Unknown", "Singapore"),
    ],
    [("Unknown", "Unknown", "Unknown", "Unknown"); 4],
];

/// A person's request and what reports should say of it. Every field has its own rhythm.
fn visit(n: usize) -> (Request, Fields) {
    let network = ["192.0.2.", "198.51.100.", "203.0.113."][n % 3];
    let last = n % 120 * 2;
    let (country, continent, region, city) = PLACES[n % 3][last / 64];
    let (agent, device, os, browser) = [
        (IPHONE, "Mobile", "iOS", "Safari"),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36 Edg/130.0.0.0",
            "Desktop",
            "Windows",
            "Edge",
        ),
        (
            "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0",
            "Desktop",
            "Linux",
            "Firefox",
        ),
        (
            "Mozilla/5.0 (Linux; Android 14; SM-S921B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36",
            "Mobile",
            "Android",
            "Chrome",
        ),
    ][n % 4];
    let (referrer, host, kept) = [
        ("", "(direct)", "(direct)"),
        (
            "https://www.tiktok.com/@mia?secret=1",
            "www.tiktok.com",
            "https://www.tiktok.com/@mia",
        ),
        (
            "https://www.tiktok.com/@leo",
            "www.tiktok.com",
            "https://www.tiktok.com/@leo",
        ),
        ("https://t.co/x", "t.co", "https://t.co/x"),
        (
            "https://l.instagram.com/",
            "l.instagram.com",
            "https://l.instagram.com/",
        ),
    ][n % 5];
    let source = ["", "tiktok", "TikTok", "a,b"][n / 3 % 4];
    let term = ["", "mug"][n / 7 % 2];
    let (qr, trigger) = [("", "link"), ("&qr=1", "qr")][n / 11 % 2];
    let key = ["a", "b", "c"][n / 5 % 3];
    let target = format!("/{key}?utm_source={source}&utm_term={term}&utm_medium=m{}{qr}", n % 2);
    let request = Request::get(&target.replace(',', "%2C"))
        .header("User-Agent", agent)
        .header("Referer", referrer)
        .header("X-Forwarded-For", &format!("{network}{last}"));
    let known = |text: &str| {
        if text.is_empty() {
            "Unknown".to_owned()
        } else {
            text.to_owned()
        }
    };
    let fields = [
        ("country", country.to_owned()),
        ("continent", continent.to_owned()),
        ("city", city.to_owned()),
        ("region", region.to_owned()),
        ("device", device.to_owned()),
        ("os", os.to_owned()),
        ("browser", browser.to_owned()),
        ("referer", host.to_owned()),
        ("refererUrl", kept.to_owned()),
        ("trigger", trigger.to_owned()),
        ("utm_source", known(source)),
        ("utm_medium", format!("m{}", n % 2)),
        ("utm_campaign", "autumn".to_owned()),
        ("utm_term", known(term)),
        ("utm_content", "Unknown".to_owned()),
        ("key", key.to_owned()),
    ];
    (request, fields.into())
}

struct Crowd {
    server: TestServer,
    sent: Vec<Fields>,
    /// Links a, b, c.
    links: Vec<Value>,
}

impl Crowd {
    /// One click each twenty minutes, five days long.
    fn gather() -> Self {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/maxmind/cities.mmdb");
        let server = TestServer::with(|config| config.country_file = Some(file.into()));
        let api = server.api();
        let mia = api.partner("Mia", "ceramics");
        let link = |key: &str, url: &str, partner: Option<&str>| {
            api.link(&json!({ "key": key, "url": url, "partnerId": partner, "tenantId": format!("tenant-{key}") }))
        };
        let links = vec![
            link("a", "https://shop.example/mug?utm_campaign=autumn", Some(&mia)),
            link("b", "https://shop.example/mug?utm_campaign=autumn&size=2", None),
            link("c", "https://shop.example/pot?utm_campaign=autumn", None),
        ];
        let mut client = server.client();
        let mut sent = Vec::new();
        for n in 0..CLICKS {
            let (request, fields) = visit(n);
            assert_eq!(client.send(&request).status, 302);
            sent.push(fields);
            server.clock.advance(HOUR_MS / 3);
        }
        let api = server.api();
        eventually("every click counted", || {
            (api.clicks("") == CLICKS as u64).then_some(())
        });
        Self { server, sent, links }
    }

    fn count(&self, is_asked: impl Fn(&Fields) -> bool) -> u64 {
        self.sent.iter().filter(|fields| is_asked(fields)).count() as u64
    }

    fn check(&self) {
        self.check_groups("", |_| true);
        self.check_groups("&device=Mobile", |fields| fields["device"] == "Mobile");
        self.check_groups("&country=-DE&trigger=qr", |fields| {
            fields["country"] != "DE" && fields["trigger"] == "qr"
        });
        self.check_groups("&key=b&utm_term=mug", |fields| {
            fields["key"] == "b" && fields["utm_term"] == "mug"
        });
        self.check_groups("&country=US", |fields| fields["country"] == "US");
        self.check_groups("&region=-Unknown", |fields| fields["region"] != "Unknown");
        self.check_filters();
        self.check_events();
        self.check_links();
    }

    fn check_groups(&self, query: &str, is_asked: impl Fn(&Fields) -> bool) {
        let api = self.server.api();
        for (group, field) in [
            ("countries", "country"),
            ("devices", "device"),
            ("browsers", "browser"),
            ("os", "os"),
            ("referers", "referer"),
            ("referer_urls", "refererUrl"),
            ("triggers", "trigger"),
            ("trigger", "trigger"),
            ("continents", "continent"),
            ("regions", "region"),
            ("cities", "city"),
            ("utm_sources", "utm_source"),
            ("utm_mediums", "utm_medium"),
            ("utm_campaigns", "utm_campaign"),
            ("utm_terms", "utm_term"),
            ("utm_contents", "utm_content"),
        ] {
            let mut expected: BTreeMap<String, u64> = BTreeMap::new();
            for fields in self.sent.iter().filter(|fields| is_asked(fields)) {
                let (country, region, city) = (&fields["country"], &fields["region"], &fields["city"]);
                let name = match group {
                    "countries" => format!("{country} * *"),
                    "regions" => format!("{country} {region} *"),
                    "cities" => format!("{country} {region} {city}"),
                    _ => fields[field].clone(),
                };
                *expected.entry(name).or_default() += 1;
            }
            if group == "continents" {
                expected.remove("Unknown");
            }
            let rows = api.get(&format!("/analytics?interval=all&groupBy={group}{query}"));
            let found = rows.as_array().expect("rows").iter().map(|row| {
                let text = |field: &str| row[field].as_str().unwrap_or_else(|| panic!("{row}")).to_owned();
                let name = match group {
                    "countries" | "regions" | "cities" => ["country", "region", "city"].map(text).join(" "),
                    _ => text(field),
                };
                (name, row["clicks"].as_u64().expect("clicks"))
            });
            assert_eq!(found.collect::<BTreeMap<_, _>>(), expected, "{group}{query}");
        }
        for group in ["top_folders", "top_link_tags", "top_groups", "top_partner_tags"] {
            let rows = api.get(&format!("/analytics?interval=all&groupBy={group}{query}"));
            assert_eq!(rows, json!([]), "{group}");
        }
    }

    fn check_filters(&self) {
        let api = self.server.api();
        let names = self.sent[0].keys().copied().filter(|name| *name != "key");
        for name in names {
            let values: BTreeSet<&String> = self.sent.iter().map(|fields| &fields[name]).collect();
            for value in &values {
                let written: String =
                    url::form_urlencoded::byte_serialize(value.replace(',', "\\,").as_bytes()).collect();
                let alone = self.count(|fields| fields[name] == **value);
                assert_eq!(api.clicks(&format!("{name}={written}")), alone, "{name}={value}");
                let others = CLICKS as u64 - alone;
                assert_eq!(api.clicks(&format!("{name}=-{written}")), others, "{name}=-{value}");
            }
        }
        type Asked = fn(&Fields) -> bool;
        let together: [(&str, Asked); 14] = [
            ("country=de", |f| f["country"] == "DE"),
            ("country=DE,US", |f| ["DE", "US"].contains(&f["country"].as_str())),
            ("country=-DE,US,GB,SG", |f| f["country"] == "Unknown"),
            ("city=Portland,berlin", |f| {
                ["Portland", "Berlin"].contains(&f["city"].as_str())
            }),
            ("city=Portland&region=US-ME", |f| f["region"] == "US-ME"),
            ("region=us-or,GB-ENG", |f| {
                ["US-OR", "GB-ENG"].contains(&f["region"].as_str())
            }),
            ("country=US&region=-US-CA", |f| {
                f["country"] == "US" && f["region"] != "US-CA"
            }),
            ("continent=EU&region=Unknown&city=-London", |f| {
                f["continent"] == "EU" && f["region"] == "Unknown"
            }),
            ("continent=EU&country=DE", |f| f["country"] == "DE"),
            ("country=DE&device=Mobile&utm_source=tiktok&os=iOS", |f| {
                f["country"] == "DE" && f["os"] == "iOS" && f["utm_source"] == "tiktok"
            }),
            ("qr=true&referer=t.co", |f| {
                f["trigger"] == "qr" && f["referer"] == "t.co"
            }),
            ("qr=false", |f| f["trigger"] == "link"),
            ("trigger=deeplink", |_| false),
            ("browser=Safari,Edge&key=a&referer=-(direct)", |f| {
                ["Safari", "Edge"].contains(&f["browser"].as_str()) && f["key"] == "a" && f["referer"] != "(direct)"
            }),
        ];
        for (query, is_asked) in together {
            assert_eq!(api.clicks(query), self.count(is_asked), "{query}");
            let events = api.get(&format!("/events?interval=all&limit=1000&{query}"));
            assert_eq!(
                events.as_array().expect("rows").len() as u64,
                self.count(is_asked),
                "{query}"
            );
            let series = api.get(&format!("/analytics?interval=all&groupBy=timeseries&{query}"));
            let series = series
                .as_array()
                .expect("rows")
                .iter()
                .map(|row| row["clicks"].as_u64().expect("clicks"));
            assert_eq!(series.sum::<u64>(), self.count(is_asked), "{query}");
        }
        let unique = api.get("/analytics?interval=all&country=DE,GB")["uniqueVisitors"]
            .as_u64()
            .expect("a number");
        assert!((100..=120).contains(&unique), "{unique}");
    }

    /// Events say of each click where it came from.
    fn check_events(&self) {
        let events = self.server.api().get("/events?interval=all&limit=1000&sortOrder=asc");
        let events = events.as_array().expect("rows");
        assert_eq!(events.len(), CLICKS);
        for (event, fields) in events.iter().zip(&self.sent) {
            for name in ["country", "continent", "region", "city"] {
                assert_eq!(event["click"][name], fields[name], "{event}");
                // The flat fields that old clients require have no region.
                let is_flat = name == "region" || event[name] == fields[name];
                assert!(is_flat, "{name} {event}");
            }
        }
    }

    fn check_links(&self) {
        let api = self.server.api();
        let ids: Vec<String> = self.links.iter().map(id_of).collect();
        let partner = self.links[0]["partnerId"].as_str().expect("a creator");
        let of = |keys: &[&str]| self.count(|fields| keys.contains(&fields["key"].as_str()));
        for (query, keys) in [
            (format!("linkId={}", ids[1]), &["b"][..]),
            (format!("linkId={},{}", ids[0], ids[2]), &["a", "c"]),
            (format!("linkId=-{}", ids[0]), &["b", "c"]),
            (format!("partnerId={partner}"), &["a"]),
            (format!("partnerId=-{partner}"), &["b", "c"]),
            ("tenantId=tenant-b,tenant-c".to_owned(), &["b", "c"]),
            ("url=https://shop.example/mug".to_owned(), &["a", "b"]),
            ("url=https://shop.example/pot?utm_campaign%3Dautumn".to_owned(), &["c"]),
            ("url=-https://shop.example/mug".to_owned(), &["c"]),
            ("url=https://shop.example/mu".to_owned(), &[]),
            ("root=true".to_owned(), &[]),
            ("root=false".to_owned(), &["a", "b", "c"]),
            (format!("linkId={},{}&tenantId=tenant-b", ids[0], ids[1]), &["b"]),
        ] {
            assert_eq!(api.clicks(&query), of(keys), "{query}");
        }
        let rows = |group: &str| api.get(&format!("/analytics?interval=all&groupBy={group}"));
        let pairs = |group: &str, field: &str| -> BTreeMap<String, u64> {
            let rows = rows(group);
            let rows = rows.as_array().expect("rows").iter();
            rows.map(|row| {
                (
                    row[field].as_str().expect("a name").to_owned(),
                    row["clicks"].as_u64().expect("clicks"),
                )
            })
            .collect()
        };
        let base = [
            ("https://shop.example/mug".to_owned(), of(&["a", "b"])),
            ("https://shop.example/pot".to_owned(), of(&["c"])),
        ];
        assert_eq!(pairs("top_base_urls", "url"), base.into());
        let urls = pairs("top_urls", "url");
        assert_eq!(
            (urls.len(), urls["https://shop.example/pot?utm_campaign=autumn"]),
            (3, of(&["c"]))
        );
        assert_eq!(
            pairs("top_partners", "partnerId"),
            [(partner.to_owned(), of(&["a"]))].into()
        );
        assert_eq!(rows("top_partners")[0]["partner"]["name"], "Mia");
        let domains = pairs("top_domains", "domain");
        assert_eq!((domains.len(), domains.values().sum::<u64>()), (1, CLICKS as u64));
        let top = api.get("/analytics?interval=all&groupBy=top_links&device=Desktop");
        for row in top.as_array().expect("rows") {
            let key = row["key"].as_str().expect("a key");
            assert_eq!(
                row["clicks"],
                self.count(|f| f["key"] == key && f["device"] == "Desktop")
            );
        }
    }
}

#[test]
fn every_grouping_and_filter_counts_what_was_sent_before_and_after_a_restart() {
    let mut crowd = Crowd::gather();
    crowd.check();
    crowd.server.restart();
    crowd.check();
}

/// A link `/a` on a server that keeps clicks for so many days, and a click on it at each of these instants, by people who never came before.
fn clicked_at(retention_days: u32, instants: impl IntoIterator<Item = i64>) -> TestServer {
    let server = TestServer::with(|config| config.clicks.retention_days = retention_days);
    server
        .api()
        .link(&json!({ "key": "a", "url": "https://shop.example/" }));
    let mut client = server.client();
    let mut count = 0;
    for at in instants {
        server.clock.advance(at - server.clock.now().0);
        let address = format!("100.64.{}.{}", count / 250, count % 250);
        let request = Request::get("/a")
            .header("User-Agent", IPHONE)
            .header("X-Forwarded-For", &address);
        assert_eq!(client.send(&request).status, 302);
        count += 1;
    }
    let api = server.api();
    eventually("every click counted", || (api.clicks("") == count).then_some(()));
    server
}

fn at(text: &str) -> i64 {
    Timestamp::parse(text).expect("an instant").0
}

fn series(server: &TestServer, query: &str) -> Vec<(String, u64)> {
    let rows = server.api().get(&format!("/analytics?groupBy=timeseries&{query}"));
    let rows = rows.as_array().expect("rows").iter();
    rows.map(|row| {
        let start = row["start"].as_str().expect("a start").to_owned();
        (start, row["clicks"].as_u64().expect("clicks"))
    })
    .collect()
}

#[test]
fn days_of_berlin_have_23_and_25_hours_when_clocks_change() {
    for (first, day, next, hours) in [
        (
            "2026-10-24T20:30:00Z",
            "2026-10-25T00:00:00+02:00",
            "2026-10-26T00:00:00+01:00",
            25,
        ),
        (
            "2027-03-27T20:30:00Z",
            "2027-03-28T00:00:00+01:00",
            "2027-03-29T00:00:00+02:00",
            23,
        ),
    ] {
        let server = clicked_at(0, (0..40).map(|n| at(first) + n * HOUR_MS));
        let query = format!("start={}&end={}&timezone=Europe/Berlin", &day[..10], &next[..10]);
        // One click an hour; the filter goes other ways through the log than the plain count.
        for filter in ["", "&device=Mobile", "&device=Mobile&os=iOS", "&key=a&device=Mobile"] {
            let told = series(&server, &format!("{query}&granularity=day{filter}"));
            assert_eq!(told, [(day.to_owned(), hours)], "{filter}");
            let told = series(&server, &format!("{query}&granularity=hour{filter}"));
            assert_eq!(told.len() as u64, hours);
            assert!(told.iter().all(|(_, clicks)| *clicks == 1), "{told:?}");
        }
    }
}

#[test]
fn days_of_kathmandu_begin_at_a_quarter_past() {
    // Two a day around midnight there, 18:15 UTC, and one at noon.
    let days = (0..3).flat_map(|day| {
        ["18:14:59.999", "18:15:00", "06:00:00"].map(|time| at(&format!("2026-11-{:02}T{time}Z", 10 + day)))
    });
    let mut instants: Vec<i64> = days.collect();
    instants.sort_unstable();
    let server = clicked_at(0, instants);
    for filter in ["", "&os=iOS", "&os=iOS&trigger=link"] {
        let query = format!("start=2026-11-10&end=2026-11-14&timezone=Asia/Kathmandu&granularity=day{filter}");
        let expected = [
            ("2026-11-10T00:00:00+05:45", 2),
            ("2026-11-11T00:00:00+05:45", 3),
            ("2026-11-12T00:00:00+05:45", 3),
            ("2026-11-13T00:00:00+05:45", 1),
        ];
        assert_eq!(
            series(&server, &query),
            expected.map(|(start, clicks)| (start.to_owned(), clicks)),
            "{filter}"
        );
    }
}

#[test]
fn pages_of_events_go_on_from_a_click_both_ways() {
    let server = clicked_at(0, (0..25).map(|n| at("2026-11-21T10:30:00Z") + n / 3 * 1000));
    let api = server.api();
    let page = |query: &str| -> Vec<String> {
        let rows = api.get(&format!("/events?interval=all&limit=10&{query}"));
        let rows = rows.as_array().expect("rows").iter();
        rows.map(|row| row["click"]["id"].as_str().expect("an id").to_owned())
            .collect()
    };
    for order in ["desc", "asc"] {
        let by_number: Vec<String> = (1..=3)
            .flat_map(|n| page(&format!("sortOrder={order}&page={n}")))
            .collect();
        assert_eq!(by_number.len(), 25);
        let mut by_click = page(&format!("sortOrder={order}"));
        while let Some(last) = by_click.last() {
            let more = page(&format!("sortOrder={order}&startingAfter={last}"));
            if more.is_empty() {
                break;
            }
            by_click.extend(more);
        }
        assert_eq!(by_click, by_number, "{order}");
        let back = page(&format!("sortOrder={order}&endingBefore={}", by_number[20]));
        assert_eq!(back, by_number[10..20], "{order}");
        assert!(page(&format!("sortOrder={order}&endingBefore={}", by_number[0])).is_empty());
    }
    let other = server.other_brand("Other");
    let stranger = other.get(&format!("/events?interval=all&startingAfter={}", page("")[0]));
    assert_eq!(stranger, json!([]));
}

#[test]
fn a_clock_that_jumps_loses_no_click_and_no_report() {
    let year = 365 * 24 * HOUR_MS;
    let start = at("2026-11-21T10:30:00Z");
    // Ahead by years, back by more, the same second twice, one left out, and on.
    let jumps = [0, 5 * year, -9 * year, 4 * year + 1000, 0, 2000, -1, 7 * HOUR_MS];
    let mut now = start;
    let instants: Vec<i64> = jumps
        .iter()
        .map(|jump| {
            now += jump;
            now
        })
        .collect();
    let count = instants.len() as u64;
    let mut server = clicked_at(0, instants.clone());
    for _ in 0..2 {
        let api = server.api();
        assert_eq!(api.clicks(""), count);
        assert_eq!(api.clicks("device=Mobile"), count);
        assert_eq!(
            series(&server, "interval=all")
                .iter()
                .map(|(_, clicks)| clicks)
                .sum::<u64>(),
            count
        );
        let events = api.get("/events?interval=all&limit=100");
        let told: Vec<i64> = events
            .as_array()
            .expect("rows")
            .iter()
            .map(|row| at(row["timestamp"].as_str().expect("an instant")))
            .collect();
        let mut expected = instants.clone();
        expected.sort_unstable_by(|a, b| b.cmp(a));
        assert_eq!(told, expected);
        let link = api.get("/links/info?key=a&domain=127.0.0.1");
        assert_eq!(link["clicks"], count);
        server.restart();
    }
}

#[test]
fn what_is_gone_by_age_is_counted_and_where_it_is_missed_the_answer_says_so() {
    let first = at("2026-11-21T10:30:00Z");
    let mut server = clicked_at(1, (0..10).map(|n| first + n * HOUR_MS / 2));
    server.clock.advance(5 * 24 * HOUR_MS);
    // Each start looks for clicks that are too old, with its first checkpoint.
    server.restart();
    let last = server.clock.now();
    let follow = Request::get("/a")
        .header("User-Agent", IPHONE)
        .header("X-Forwarded-For", "100.64.9.9");
    assert_eq!(server.send(&follow).status, 302);
    server.clock.advance(10_000);
    let api = server.api();
    let events = eventually("old clicks gone", || {
        let events = api.get("/events?interval=all");
        (events.as_array().map(Vec::len) == Some(1)).then_some(events)
    });
    assert_eq!(events[0]["timestamp"], last.to_string());
    let told = |query: &str| api.call("GET", &format!("/analytics?interval=all&{query}"), None);
    for query in [
        "groupBy=count",
        "groupBy=timeseries",
        "groupBy=devices",
        "groupBy=top_links",
        "device=Mobile",
    ] {
        let answer = told(query);
        let rows = answer.json();
        let rows = rows.as_array().cloned().unwrap_or_else(|| vec![rows]);
        assert_eq!(
            rows.iter()
                .map(|row| row["clicks"].as_u64().expect("clicks"))
                .sum::<u64>(),
            11,
            "{query}"
        );
        assert_eq!(answer.header("hopcart-partial-before"), None, "{query}");
    }
    assert_eq!(told("groupBy=count").json()["uniqueVisitors"], 11);
    // The last quarter hour of clicks ended at 15:15.
    let cut = Some("2026-11-21T15:15:00.000Z");
    for query in ["groupBy=referer_urls", "device=Mobile&os=iOS", "refererUrl=(direct)"] {
        assert!(told(query).header("hopcart-partial-before") >= cut, "{query}");
    }
    let partial = told("device=Mobile&os=iOS").json();
    assert_eq!(
        (&partial["clicks"], partial["partialBefore"].is_string()),
        (&json!(1), true)
    );
}
