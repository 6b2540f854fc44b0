//! A whole server in this process, on loopback, with a clock that stands still until a test moves it; and the calls
//! that most journeys begin with.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use base64::Engine;
use hopcart::app::{self, Filling, Opening, Running, World};
use hopcart::config::{Config, Masked};
use hopcart::domain::outside::{Clock, FixedClock};
use hopcart::domain::time::Timestamp;
use hopcart::net::{CertificatePair, LookingUp, Names};
use rustls::pki_types::CertificateDer;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::{self, Answer, Client, Request, TlsStream};

/// The owner's key of every test server.
pub const KEY: &str = "it-owner-key-0123456789";
/// What the clock of a test server shows at first; the fixtures' orders are a day older.
pub const NOW: &str = "2026-11-21T10:30:00Z";
/// What shops sign their webhooks with.
pub const SECRET: &str = "shpss_it_secret";
/// The name in the test certificate.
pub const TLS_NAME: &str = "go.brand.test";
/// A user agent of a person.
pub const IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1";

/// Longest wait for something that a test expects.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until `look` finds something.
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "not in time: {what}");
        std::thread::yield_now();
    }
}

/// Knows no name: nothing that a test tells leaves this machine.
#[derive(Debug)]
struct NoNames;

impl Names for NoNames {
    fn look_up(&self, _host: &str) -> LookingUp {
        Box::pin(async { Err(std::io::ErrorKind::NotFound.into()) })
    }
}

/// A running server with its data.
pub struct TestServer {
    /// Lives as long as the server.
    _home: TempDir,
    config: Config,
    certificate: Option<CertificateDer<'static>>,
    pub clock: Arc<FixedClock>,
    /// How its table is filled at the next start.
    filling: Option<Filling>,
    /// How its stores are opened at the next start.
    opening: Option<Opening>,
    names: Arc<dyn Names>,
    running: Option<Running>,
}

impl TestServer {
    /// A server with the defaults of the tests: private destinations allowed, proxies on loopback trusted.
    pub fn start() -> Self {
        Self::with(|_| {})
    }

    /// As [`Self::start`], after `change`.
    pub fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::in_home(tempfile::tempdir().expect("a directory"), None, change)
    }

    /// As [`Self::with`], where receivers' addresses are found by `names`.
    pub fn with_names(names: Arc<dyn Names>, change: impl FnOnce(&mut Config)) -> Self {
        let mut server = Self::with(change);
        server.stop();
        server.names = names;
        server.run();
        server
    }

    /// A server on `home/data`, which is there already; its clock shows `now`.
    pub fn on(home: TempDir, now: Timestamp, change: impl FnOnce(&mut Config)) -> Self {
        let server = Self::in_home(home, None, change);
        server.clock.advance(now.since(server.clock.now()));
        server
    }

    /// As [`Self::start`], with a TLS listener.
    pub fn with_tls() -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let made = rcgen::generate_simple_self_signed(vec![TLS_NAME.to_owned()]).expect("a certificate");
        let pair = CertificatePair {
            cert: home.path().join("tls.crt"),
            key: home.path().join("tls.key"),
        };
        std::fs::write(&pair.cert, made.cert.pem()).expect("written");
        std::fs::write(&pair.key, made.signing_key.serialize_pem()).expect("written");
        Self::in_home(home, Some(made.cert.der().clone()), |config| {
            config.listen_tls = Some(([127, 0, 0, 1], 0).into());
            config.tls.certificates = vec![pair];
        })
    }

    fn in_home(home: TempDir, certificate: Option<CertificateDer<'static>>, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config {
            data: home.path().join("data"),
            listen: ([127, 0, 0, 1], 0).into(),
            admin_listen: ([127, 0, 0, 1], 0).into(),
            trusted_proxies: vec!["127.0.0.0/8".parse().expect("a network")],
            workers: 2,
            admin_key: Some(Masked::new(KEY)),
            ..Config::default()
        };
        config.destinations.allow_private = true;
        config.webhooks.allow_local = true;
        config.clicks.ring_dir = Some(home.path().join("rings"));
        change(&mut config);
        let clock = Arc::new(FixedClock::at(Timestamp::parse(NOW).expect("an instant")));
        let mut server = Self {
            _home: home,
            config,
            certificate,
            clock,
            filling: None,
            opening: None,
            names: Arc::new(NoNames),
            running: None,
        };
        server.run();
        server
    }

    fn run(&mut self) {
        let world = World {
            clock: self.clock.clone(),
            filling: self.filling.take(),
            opening: self.opening.take(),
            names: Some(Arc::clone(&self.names)),
            ..World::default()
        };
        let started = app::start_in(self.config.clone(), world);
        self.running = Some(started.unwrap_or_else(|error| panic!("{error}")));
    }

    /// Stops as SIGTERM does, and starts on the same data; ports may differ.
    pub fn restart(&mut self) {
        self.stop();
        self.run();
    }

    /// As [`Self::restart`]; the table is filled as `filling` says.
    pub fn restart_filling(&mut self, filling: Filling) {
        self.filling = Some(filling);
        self.restart();
    }

    /// As [`Self::restart`]; the stores are opened as `opening` says.
    pub fn restart_opening(&mut self, opening: Opening) {
        self.opening = Some(opening);
        self.restart();
    }

    /// As [`Self::restart`]; in between, `change` does what it will to the data and the configuration.
    pub fn restart_after(&mut self, change: impl FnOnce(&mut Config)) {
        self.stop();
        change(&mut self.config);
        self.run();
    }

    fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop();
        }
    }

    /// The server itself.
    pub fn running(&self) -> &Running {
        self.running.as_ref().expect("a running server")
    }

    /// The server's data directory.
    pub fn data(&self) -> &std::path::Path {
        &self.config.data
    }

    /// One request of a follower on a connection of its own.
    pub fn send(&self, request: &Request) -> Answer {
        http::send(self.running().public, request)
    }

    /// A person with an iPhone follows `target`.
    pub fn follow(&self, target: &str) -> Answer {
        self.send(&Request::get(target).header("User-Agent", IPHONE))
    }

    /// A connection of a follower.
    pub fn client(&self) -> Client {
        Client::connect(self.running().public)
    }

    /// A TLS connection of a follower.
    pub fn tls_client(&self) -> Client<TlsStream> {
        let address = self.running().tls.expect("a TLS listener");
        Client::connect_tls(address, self.certificate.as_ref().expect("a certificate"), TLS_NAME)
    }

    /// The API as the owner.
    pub fn api(&self) -> Api<'_> {
        self.api_with(KEY)
    }

    /// The API with another key.
    pub fn api_with(&self, key: &str) -> Api<'_> {
        Api {
            server: self,
            key: key.to_owned(),
        }
    }

    /// The API as another brand, in a workspace of its own.
    pub fn other_brand(&self, name: &str) -> Api<'_> {
        let opened = self.api().post("/workspaces", &json!({ "name": name }));
        self.api_with(opened["key"].as_str().expect("a key"))
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The API as somebody with a key sees it.
pub struct Api<'a> {
    server: &'a TestServer,
    key: String,
}

impl Api<'_> {
    /// One call; `body` is sent as JSON when there is one.
    pub fn call(&self, method: &str, target: &str, body: Option<&Value>) -> Answer {
        let mut request = Request::new(method, target).header("Authorization", &format!("Bearer {}", self.key));
        if let Some(body) = body {
            request = request
                .header("Content-Type", "application/json")
                .body(body.to_string());
        }
        http::send(self.server.running().admin, &request)
    }

    fn good(&self, method: &str, target: &str, body: Option<&Value>) -> Value {
        let answer = self.call(method, target, body);
        assert!(
            matches!(answer.status, 200 | 201),
            "{method} {target}: {} {}",
            answer.status,
            answer.text()
        );
        answer.json()
    }

    /// A GET that succeeds.
    pub fn get(&self, target: &str) -> Value {
        self.good("GET", target, None)
    }

    /// A POST that succeeds.
    pub fn post(&self, target: &str, body: &Value) -> Value {
        self.good("POST", target, Some(body))
    }

    /// A PUT that succeeds.
    pub fn put(&self, target: &str, body: &Value) -> Value {
        self.good("PUT", target, Some(body))
    }

    /// A PATCH that succeeds.
    pub fn patch(&self, target: &str, body: &Value) -> Value {
        self.good("PATCH", target, Some(body))
    }

    /// A link; its answer.
    pub fn link(&self, body: &Value) -> Value {
        self.post("/links", body)
    }

    /// A Shopify store in euros, signing with [`SECRET`]; its id.
    pub fn store(&self) -> String {
        let body = json!({ "name": "Sand & Clay", "provider": "shopify", "baseUrl": "https://shop.example",
            "currency": "EUR", "webhookSecrets": [SECRET] });
        id_of(&self.post("/stores", &body))
    }

    /// Products of a store: SKU, variant, stock.
    pub fn products(&self, store: &str, products: &[(&str, &str, Option<i64>)]) {
        let products: Vec<Value> = products
            .iter()
            .map(|(sku, variant, stock)| json!({ "sku": sku, "variantId": variant, "title": sku, "stock": stock }))
            .collect();
        let told = self.put("/products", &json!({ "storeId": store, "products": products }));
        assert_eq!(told["failed"], 0, "{told}");
    }

    /// A creator; the id.
    pub fn partner(&self, name: &str, niche: &str) -> String {
        id_of(&self.post("/partners", &json!({ "name": name, "niche": niche, "cost": 2000 })))
    }

    /// A creator's discount code.
    pub fn code(&self, code: &str, partner: &str) {
        self.post("/discount-codes", &json!({ "code": code, "partnerId": partner }));
    }

    /// Clicks that `/analytics` counts for all time under this query.
    pub fn clicks(&self, query: &str) -> u64 {
        let counted = self.get(&format!("/analytics?interval=all&{query}"));
        counted["clicks"].as_u64().unwrap_or_else(|| panic!("{counted}"))
    }

    /// The row called `key` of the performance report, if there is one.
    pub fn report(&self, group_by: &str, key: &str) -> Option<Value> {
        let rows = self.get(&format!("/reports/performance?groupBy={group_by}&interval=all"));
        let rows = rows.as_array().expect("an array").clone();
        rows.into_iter().find(|row| row["key"] == key)
    }
}

/// The `id` of an answer.
pub fn id_of(answer: &Value) -> String {
    answer["id"]
        .as_str()
        .unwrap_or_else(|| panic!("no id: {answer}"))
        .to_owned()
}

/// A delivery of the store `store`, signed with `secret`.
pub fn delivery(store: &str, topic: &str, id: &str, body: &Value, secret: &str) -> Request {
    let body = body.to_string();
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signature = base64::engine::general_purpose::STANDARD.encode(hmac::sign(&key, body.as_bytes()));
    Request::new("POST", &format!("/_/hooks/{store}"))
        .headers(&[
            ("X-Shopify-Topic", topic),
            ("X-Shopify-Webhook-Id", id),
            ("X-Shopify-Hmac-SHA256", &signature),
        ])
        .header("Content-Type", "application/json")
        .body(body)
}
