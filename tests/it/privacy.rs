//! What is not there: addresses, in whatever form and by whatever way they come; and what was erased on request, while
//! every count stays.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};

use serde_json::{Value, json};

use crate::http::{self, Client, Request};
use crate::operation::{Process, files, home, metric};
use crate::server::{IPHONE, KEY, SECRET, TestServer, delivery, eventually};

/// Headers in which proxies and networks write whom they speak for.
const HEADERS: [&str; 7] = [
    "X-Forwarded-For",
    "X-Real-IP",
    "CF-Connecting-IP",
    "True-Client-IP",
    "X-Client-IP",
    "Fastly-Client-IP",
    "X-Cluster-Client-IP",
];

/// Every form in which an address could lie in a file.
fn traces(address: IpAddr) -> Vec<Vec<u8>> {
    let octets = match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    };
    let hex: String = octets.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut forms = vec![
        address.to_string().into_bytes(),
        hex.clone().into_bytes(),
        hex.to_uppercase().into_bytes(),
        octets.clone(),
        octets.iter().rev().copied().collect(),
    ];
    if let IpAddr::V6(v6) = address {
        let groups: Vec<String> = v6.segments().iter().map(|group| format!("{group:04x}")).collect();
        forms.push(groups.join(":").into_bytes());
        // A subscriber's network tells who it was as well.
        forms.push(octets[..8].to_vec());
        let network: Vec<String> = v6.segments()[..4].iter().map(|group| format!("{group:x}")).collect();
        forms.push(network.join(":").into_bytes());
    }
    forms
}

/// The first of `traces` that `bytes` hold.
fn found<'a>(bytes: &[u8], traces: &'a [Vec<u8>]) -> Option<&'a Vec<u8>> {
    traces
        .iter()
        .find(|trace| bytes.windows(trace.len()).any(|window| window == trace.as_slice()))
}

/// A PROXY header of version 2 (haproxy's proxy-protocol.txt, section 2.2) that says `from`.
fn proxy_header(from: IpAddr) -> Vec<u8> {
    let mut bytes = b"\r\n\r\n\0\r\nQUIT\n\x21".to_vec();
    match from {
        IpAddr::V4(v4) => {
            bytes.extend([0x11, 0, 12]);
            bytes.extend(v4.octets());
            bytes.extend([127, 0, 0, 1]);
        }
        IpAddr::V6(v6) => {
            bytes.extend([0x21, 0, 36]);
            bytes.extend(v6.octets());
            bytes.extend([0; 15]);
            bytes.push(1);
        }
    }
    bytes.extend([0x12, 0x34, 0, 80]);
    bytes
}

/// A follow of `/a` on a connection that a proxy opened for `from`.
fn follow_behind_proxy(public: SocketAddr, from: IpAddr) {
    let mut stream = TcpStream::connect(public).expect("a connection");
    stream.write_all(&proxy_header(from)).expect("sent");
    let request = format!("GET /a HTTP/1.1\r\nHost: x\r\nUser-Agent: {IPHONE}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert_eq!(http::status_of(&answer), 302, "{answer}");
}

#[test]
fn no_file_holds_an_address_in_any_form() {
    let addresses: [IpAddr; 2] = [
        "198.18.77.213".parse().expect("an address"),
        "2001:db8:5e1c:77a3:9b1f:3d6e:8c94:a1f6".parse().expect("an address"),
    ];
    let home = home();
    let variables = [("HOPCART_ADMIN_KEY", KEY), ("HOPCART_LOG", "info,hopcart=trace")];
    let mut process = Process::start(&home, &["--trusted-proxy", "127.0.0.0/8"], &variables);
    process.link("a");
    let mut clicks = 0;
    for address in addresses {
        let mut client = Client::connect(process.public());
        let text = address.to_string();
        let forwarded = format!("for=\"[{text}]\";proto=http");
        let carried = HEADERS.iter().map(|name| (*name, text.as_str())).chain([
            ("Forwarded", forwarded.as_str()),
            ("X-Forwarded-For", "198.18.0.1, 198.18.0.2"),
        ]);
        for (name, value) in carried {
            let follow = Request::get("/a").header("User-Agent", IPHONE).header(name, value);
            assert_eq!(client.send(&follow).status, 302);
            clicks += 1;
            let miss = Request::get("/none").header("User-Agent", IPHONE).header(name, value);
            client.send(&miss);
        }
        follow_behind_proxy(process.public(), address);
        clicks += 1;
    }
    eventually("clicks written", || {
        let metrics = process.call("GET", "/metrics", KEY, None).text();
        (metric(&metrics, "hopcart_clicks_written_total") == clicks).then_some(())
    });
    // What is packed on disk is looked at unpacked.
    let events = process.call("GET", "/events?interval=all&include=repeats&limit=1000", KEY, None);
    assert_eq!(events.json().as_array().map(Vec::len), Some(clicks as usize));
    process.stop();
    let traces: Vec<Vec<u8>> = addresses.into_iter().flat_map(traces).collect();
    assert_eq!(found(&events.body, &traces), None);
    let control = home.path().join("data").join("control");
    let mut seen = 0;
    for file in files(home.path()) {
        let bytes = std::fs::read(&file).expect("a file");
        assert_eq!(found(&bytes, &traces), None, "in {}", file.display());
        seen += 1;
    }
    assert!(seen >= 6, "journal, sled, books, log");
    // The search can find: each form, planted.
    for trace in &traces {
        let planted = [b"before".as_slice(), trace, b"after"].concat();
        std::fs::write(&control, planted).expect("written");
        let hit = files(home.path()).iter().any(|file| {
            let bytes = std::fs::read(file).expect("a file");
            found(&bytes, std::slice::from_ref(trace)).is_some()
        });
        assert!(hit, "{trace:02x?}");
    }
}

/// Two links; a visitor who keeps the cookie follows both, another one follows the first.
struct Visits {
    server: TestServer,
    cookie: String,
    click_ids: Vec<String>,
}

impl Visits {
    fn new() -> Self {
        let server = TestServer::start();
        let api = server.api();
        for key in ["a", "b"] {
            api.link(&json!({ "key": key, "url": "https://shop.example/", "trackConversion": true }));
        }
        let first = server.follow("/a?utm_term=their-own-term");
        let cookie = first.cookie().to_owned();
        let again = Request::get("/b?utm_term=their-own-term")
            .header("User-Agent", IPHONE)
            .header("Cookie", &cookie);
        let second = server.send(&again.header("Referer", "https://their-own-page.example/me"));
        let stranger = Request::get("/a?utm_term=mug").header(
            "User-Agent",
            "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0",
        );
        server.send(&stranger.header("X-Forwarded-For", "198.51.100.9"));
        eventually("three clicks", || (api.clicks("") == 3).then_some(()));
        let click_ids = [first, second].map(|answer| {
            let (_, id) = answer.location().split_once("hop_id=").expect("a click id");
            id.split('&').next().expect("a value").to_owned()
        });
        Self {
            server,
            cookie: cookie.split_once('=').expect("a value").1.to_owned(),
            click_ids: click_ids.into(),
        }
    }

    fn events(&self) -> Vec<Value> {
        self.server
            .api()
            .get("/events?interval=all")
            .as_array()
            .expect("rows")
            .clone()
    }

    /// Two clicks are bare and one is not; everything is counted as before.
    fn check_erased(&self) {
        let api = self.server.api();
        let events = self.events();
        let (bare, others): (Vec<&Value>, Vec<&Value>) = events.iter().partition(|event| {
            let flags = event["click"]["flags"].as_array().expect("flags");
            flags.contains(&json!("erased"))
        });
        assert_eq!((bare.len(), others.len()), (2, 1));
        for event in bare {
            let click = &event["click"];
            assert_eq!(
                (
                    &click["visitorId"],
                    &click["refererUrl"],
                    &click["device"],
                    &click["language"]
                ),
                (&Value::Null, &json!("(direct)"), &json!("Unknown"), &json!(""))
            );
        }
        assert!(others[0]["click"]["visitorId"].is_string());
        assert_eq!((api.clicks(""), api.clicks("key=b")), (3, 1));
        let terms = api.get("/analytics?interval=all&groupBy=utm_terms");
        assert!(!terms.to_string().contains("their-own-term"), "{terms}");
        let referrers = api.get("/analytics?interval=all&groupBy=referers");
        assert!(!referrers.to_string().contains("their-own-page"), "{referrers}");
        let record = &api.get("/erasures")[0];
        assert_eq!((&record["clicks"], &record["what"]), (&json!(2), &json!("visitor")));
        assert!(
            record
                .as_object()
                .expect("fields")
                .values()
                .all(|value| value.is_number() || value.as_str().is_some_and(|text| text.len() <= 24)),
            "no name: {record}"
        );
    }

    /// The visitor's id as events show it.
    fn visitor_id(&self) -> String {
        let events = self.events();
        let theirs = events.iter().find(|event| event["click"]["id"] == self.click_ids[0]);
        let theirs = theirs.expect("the click");
        theirs["click"]["visitorId"].as_str().expect("an id").to_owned()
    }
}

#[test]
fn a_visitor_is_erased_by_cookie_by_id_and_by_click() {
    for by in ["cookie", "id", "click", "path", "click path"] {
        let mut visits = Visits::new();
        let api = visits.server.api();
        let id = visits.visitor_id();
        let told = match by {
            "cookie" => api.post("/erasures", &json!({ "visitorId": visits.cookie })),
            "id" => api.post("/erasures", &json!({ "visitorId": id })),
            "click" => api.post("/erasures", &json!({ "clickId": visits.click_ids[0] })),
            "path" => api.call("DELETE", &format!("/visitors/{}", visits.cookie), None).json(),
            _ => api
                .call("DELETE", &format!("/visitors/{}", visits.click_ids[1]), None)
                .json(),
        };
        assert_eq!(
            (&told["clicks"], &told["orders"]),
            (&json!(2), &json!(0)),
            "{by}: {told}"
        );
        visits.check_erased();
        visits.server.restart();
        visits.check_erased();
    }
}

#[test]
fn a_visitor_is_erased_by_order_and_the_credit_stays() {
    let visits = Visits::new();
    let api = visits.server.api();
    let store = api.store();
    let mut order: Value = serde_json::from_str(include_str!("../../fixtures/shopify/orders_paid.json")).expect("JSON");
    order["id"] = json!("9001");
    order["discount_codes"] = json!([]);
    order["note_attributes"][1] = json!({ "name": "hop_id", "value": visits.click_ids[1] });
    let sent = visits
        .server
        .send(&delivery(&store, "orders/paid", "d1", &order, SECRET));
    assert_eq!(sent.status, 200, "{}", sent.text());
    let before = api.get("/reports/performance?groupBy=creator&interval=all");
    let told = api.post("/erasures", &json!({ "orderId": "9001" }));
    assert_eq!((&told["clicks"], &told["orders"]), (&json!(2), &json!(1)), "{told}");
    visits.check_erased();
    let after = api.get("/reports/performance?groupBy=creator&interval=all");
    assert_eq!(before[0]["netRevenue"], after[0]["netRevenue"]);
    assert_eq!((&after[0]["orders"], &after[0]["clicks"]), (&json!(1), &json!(3)));
}

#[test]
fn erasing_is_the_brands_own_and_names_somebody() {
    let visits = Visits::new();
    let api = visits.server.api();
    for (body, status, field) in [
        (json!({}), 422, "visitorId"),
        (json!({ "visitorId": "x", "clickId": "y" }), 422, "visitorId"),
        (json!({ "visitorId": "0000000000000000" }), 422, "visitorId"),
        (json!({ "visitorId": "somebody" }), 422, "visitorId"),
        (json!({ "clickId": "x" }), 422, "clickId"),
        (json!({ "orderId": "9001" }), 404, ""),
    ] {
        let message = api.call("POST", "/erasures", Some(&body)).refusal(status);
        assert!(message.starts_with(field), "{body}: {message}");
    }
    let other = visits.server.other_brand("Other");
    let theirs = json!({ "clickId": visits.click_ids[0] });
    assert_eq!(other.call("POST", "/erasures", Some(&theirs)).status, 404);
    let id = visits.visitor_id();
    assert_eq!(other.post("/erasures", &json!({ "visitorId": id }))["clicks"], 0);
    assert_eq!(other.get("/erasures").as_array().map(Vec::len), Some(1));
    assert_eq!(api.get("/erasures"), json!([]));
    assert!(
        visits
            .events()
            .iter()
            .all(|event| event["click"]["visitorId"].is_string())
    );
}
