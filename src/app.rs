//! The composition root: stores open, flows start, listeners bind; at the end the same in reverse.
//!
//! Nothing is decided in here and no request passes through; it says who is handed what.

mod allocator;
mod behind;
mod data_dir;
mod outside;
mod ring_dir;

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use url::Url;

use crate::books::{self, Books};
use crate::clicklog;
use crate::config::{ClickAck, Config};
use crate::domain::destination::Policy;
use crate::domain::id::DomainNo;
use crate::domain::outside::{Clock, Entropy, Fetch, NoPlaces, Places, TextRecords};
use crate::flows::backup::{Backups, NewestBackup};
use crate::flows::record_clicks::{self, Recorder};
use crate::flows::track::Clicker;
use crate::flows::{
    self, Context, PublicName, hand_out_codes, issue_key, load_table, refresh_profiles, rotate_secrets, tell,
    watch_codes,
};
use crate::integrations::dns::{NameServers, NoNameServers};
use crate::integrations::maxmind::PlaceFile;
use crate::integrations::receiver::Poster;
use crate::integrations::ucp::ProfileFetch;
use crate::net::{self, ApiOptions, Edge, EdgeOptions, Tally, TlsConfig, TlsWatch};
use crate::redirect::{self, Counters, Keys, Lane, Shared, Table, Throttle, Worker};
use crate::web::operations::Operations;
use crate::web::public::{
    CreatorPages, InboundCarts, PublicCards, PublicHandler, READS_MAX, ReadThrough, Services, Tracking, Unlocking,
    Waitlist, Webhooks,
};
use crate::web::{api, console, operations};

use data_dir::DataDir;
use outside::{OsEntropy, SystemClock};
use ring_dir::RingDir;

/// How long what was accepted may take to finish once the server is told to stop.
const GRACE: Duration = Duration::from_secs(5);
/// How often certificate files are looked at.
const TLS_RELOAD: Duration = Duration::from_secs(2);
/// Longest wait for the click log before the server says that it is up; links are followed all the while.
const CLICKS_PATIENCE: Duration = Duration::from_secs(5);
/// Longest wait for the links before the server says that it is up; what is not in the table yet is read for itself.
const LINKS_PATIENCE: Duration = Duration::from_secs(2);
/// How long after a failure the links are read again.
const LINKS_RETRY: Duration = Duration::from_secs(1);
/// How often a click log that takes longer is looked at.
const CLICKS_LOOK: Duration = Duration::from_millis(500);
/// How often secrets are looked at; they rotate by the day and the month.
const SECRETS_LOOK: Duration = Duration::from_secs(60);
/// How often it is looked whether a shop's UCP profile is due; what cannot wait is told at once.
const PROFILES_LOOK: Duration = Duration::from_secs(5);
/// How often it is looked whether a code brings far more orders than its creator brings clicks. It reads a month of both.
const CODES_LOOK: Duration = Duration::from_secs(60 * 60);
/// How often single-use codes are fetched, and noted once they are handed out. 50 ms: what a crash can lose of who was
/// handed which, and long enough for a lot of the most.
const SINGLE_USE_LOOK: Duration = Duration::from_millis(50);
/// Misses an address may make in a minute before it is told so: a carrier's address stands for many people, and only
/// wrong links are counted.
const MISSES_MAX: u32 = 120;
/// Most bytes of the ring that clicks wait in which were told, not followed: some 4,000 of them, and one is written every
/// few milliseconds.
const TOLD_CLICKS_BYTES: usize = 1 << 20;
/// Threads of the API and of background work; followers have their own.
const BACKGROUND_THREADS: usize = 2;

/// Why the server does not start. One line, for the operator.
#[derive(Debug)]
pub enum StartError {
    /// Something that was configured cannot be: exit code 2.
    Config(String),
    /// Something that is needed is not there (port, directory, newer format): exit code 69.
    Unavailable(String),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(line) | Self::Unavailable(line) => f.write_str(line),
        }
    }
}

impl std::error::Error for StartError {}

/// A running server.
pub struct Running {
    /// Where followers and webhooks come in.
    pub public: SocketAddr,
    /// The same over TLS.
    pub tls: Option<SocketAddr>,
    /// API, console and metrics.
    pub admin: SocketAddr,
    /// What links of the default domain begin with.
    pub public_url: String,
    /// The owner's key, on the first start only.
    pub first_key: Option<String>,
    edge: Edge,
    recorder: Recorder,
    stop_api: oneshot::Sender<()>,
    runtime: Runtime,
    books: Books,
    rings: RingDir,
    _tls_watch: Option<TlsWatch>,
    _data: DataDir,
    context: Context,
    clicker: Clicker,
    /// Fills the table, until it is full.
    filler: JoinHandle<()>,
}

/// What a test may put in place of the world.
#[derive(Clone)]
pub struct World {
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    /// Finds the addresses of webhooks' receivers; `None` = the system.
    pub names: Option<Arc<dyn net::Names>>,
    /// Does not wait for the table when it starts.
    pub filling: Option<Filling>,
}

/// How a test has the table filled.
#[derive(Clone)]
pub struct Filling {
    /// Called before the first link is read; filling goes on when it returns.
    pub hold: Arc<dyn Fn() + Send + Sync>,
    /// Most links that are read for themselves at once.
    pub reads_max: usize,
}

impl Default for World {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            entropy: Arc::new(OsEntropy),
            filling: None,
            names: None,
        }
    }
}

/// Starts a server. Returns when its listeners accept and its links can be followed: from the books
/// where the table does not hold them yet.
pub fn start(config: Config) -> Result<Running, StartError> {
    start_in(config, World::default())
}

/// As [`start`], with a clock and entropy of the caller's. Blocks; not for async code.
pub fn start_in(config: Config, world: World) -> Result<Running, StartError> {
    let data = DataDir::open(&config.data)?;
    let places = open_places(&config)?;
    let tls = open_tls(&config)?;
    let books = open_books(&data)?;
    let (writer, clicks) = open_clicks(&config, &data, &world.clock)?;
    let eraser = writer.eraser();
    let recording = record_clicks::Options {
        dedupe_window_ms: i64::from(config.clicks.dedupe_window_seconds) * 1000,
        is_durable: config.click_ack == ClickAck::Durable,
    };
    let mut rings = RingDir::open(data.path(), config.clicks.ring_dir.as_deref(), &*world.entropy)?;
    // Before uses are counted: clicks that were left in rings are in the log by then.
    let desk = recover_clicks(&config, &data, &mut rings, writer, recording, &world.clock)?;
    let default = books
        .read_blocking(|view| books::link_domain::by_no(view, DomainNo::DEFAULT))
        .map_err(broken)?
        .ok_or_else(|| {
            StartError::Unavailable("the books have no default domain: restore them from a backup".to_owned())
        })?;
    let room = books.read_blocking(books::link::last_no).map_err(broken)?;
    let (reader, table) = Table::with_room(&default, room as usize);
    let guess = public_name(&config, config.listen, None)?;
    let policy = Policy {
        private_allowed: config.destinations.allow_private,
        allowed_hosts: config
            .destinations
            .allowed_hosts
            .iter()
            .map(|host| host.to_ascii_lowercase())
            .collect(),
    };
    let context = Context::new(
        books.clone(),
        table,
        reader.clone(),
        Arc::clone(&world.clock),
        Arc::clone(&world.entropy),
        policy,
        guess,
    );
    if config.domains.require_verified {
        context.require_proof();
    }
    let first = issue_key::first_start(&context, config.admin_key.as_ref().map(|key| key.reveal())).map_err(broken)?;
    let keys = Arc::new(ArcSwap::from_pointee(rotate_secrets::rotate(&context).map_err(broken)?));
    load_table::open(&context).map_err(broken)?;

    let shared = Arc::new(Shared {
        table: reader.clone(),
        keys: Arc::clone(&keys),
        options: redirect::Options {
            node: NODE,
            cookie_max_age_seconds: config.cookie.max_age_days * 24 * 60 * 60,
            is_durable: config.click_ack == ClickAck::Durable,
        },
        places,
        clock: Arc::clone(&world.clock),
        throttle: Throttle::new(MISSES_MAX, fresh_key(&*world.entropy)),
        sequence: AtomicU64::new(desk.next_sequence()),
    });
    let workers = config.workers.max(1);
    let made_at = world.clock.now();
    let lane = |_| rings.lane(NODE, config.clicks.queue_bytes, made_at, &*world.entropy);
    let (lanes, mut lane_readers): (Vec<Lane>, Vec<_>) = (0..workers).map(lane).unzip();
    // The last one is of no connection: clicks that are told, not followed, go through it.
    let (own_lane, own_reader) = rings.lane(
        NODE,
        config.clicks.queue_bytes.min(TOLD_CLICKS_BYTES),
        made_at,
        &*world.entropy,
    );
    lane_readers.push(own_reader);
    let counters: Arc<[Arc<Counters>]> = (0..=workers).map(|_| Arc::default()).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(BACKGROUND_THREADS)
        .thread_name("hopcart-api")
        .on_thread_start(behind::stand)
        .enable_all()
        .build()
        .map_err(|error| StartError::Unavailable(format!("the background threads do not start: {error}")))?;
    let admin_listener = net::bind_api(config.admin_listen).map_err(|error| not_bound(&error))?;
    let admin = admin_listener
        .local_addr()
        .map_err(|error| StartError::Unavailable(error.to_string()))?;

    let recorder = Recorder::start(desk, lane_readers, Arc::clone(&shared))
        .map_err(|error| StartError::Unavailable(format!("the click recorder does not start: {error}")))?;
    context.set_recorder(Arc::clone(&recorder.stats));
    let clicker = {
        let mut lane = own_lane;
        if shared.options.is_durable {
            lane.wake_on_push(recorder.thread());
        }
        let (shared, counters) = (Arc::clone(&shared), Arc::clone(&counters[workers]));
        Clicker::new(Worker::new(shared, lane, counters, fresh_key(&*world.entropy)))
    };
    let webhooks = Webhooks::new(
        context.clone(),
        clicks.clone(),
        Arc::clone(&keys),
        runtime.handle().clone(),
        config.limits.webhook_bytes_max,
    );
    let inbound = InboundCarts::new(context.clone(), runtime.handle().clone());
    let waitlist = Waitlist::new(
        context.clone(),
        Arc::clone(&keys),
        runtime.handle().clone(),
        fresh_key(&*world.entropy),
    );
    let unlocking = Unlocking::new(
        context.clone(),
        Arc::clone(&keys),
        runtime.handle().clone(),
        fresh_key(&*world.entropy),
    );
    let tracking = Tracking::new(
        context.clone(),
        clicks.clone(),
        Arc::clone(&keys),
        clicker.clone(),
        runtime.handle().clone(),
        fresh_key(&*world.entropy),
    );
    let reads_max = world.filling.as_ref().map_or(READS_MAX, |filling| filling.reads_max);
    let creators = CreatorPages::new(
        context.clone(),
        clicks.clone(),
        Arc::clone(&keys),
        runtime.handle().clone(),
        fresh_key(&*world.entropy),
    );
    let edge = start_edge(
        &config,
        tls.clone(),
        &shared,
        lanes,
        &counters,
        &recorder,
        Services {
            webhooks,
            waitlist,
            inbound,
            tracking,
            unlocking,
            cards: PublicCards::new(context.clone(), runtime.handle().clone()),
            creators,
            read_through: ReadThrough::new(context.clone(), runtime.handle().clone(), reads_max),
        },
        &world,
    )?;
    let (filler, filled) = fill_table(context.clone(), world.filling.clone())?;
    let name = public_name(&config, edge.public_address(), edge.tls_address())?;
    let public_url = format!("{}://{}", name.scheme, name.authority);
    context.set_public(name);

    let (stop_api, stopped) = oneshot::channel::<()>();
    let gate = Arc::new(api::Gate::new(config.limits.api_calls_per_minute));
    let operations = Operations {
        table: reader,
        workers: counters,
        recorder: Arc::clone(&recorder.stats),
        clicks: clicks.clone(),
        books: books.clone(),
        connections: edge.counters(),
        waitlist: Arc::clone(context.waitlist_tally()),
        conversions: Arc::clone(context.conversion_tally()),
        codes: Arc::clone(context.code_desk()),
        telling: Arc::clone(context.telling()),
        gate: Arc::clone(&gate),
        clock: Arc::clone(&world.clock),
    };
    let profiles: Arc<dyn Fetch> = Arc::new(
        ProfileFetch::new(config.destinations.allow_private)
            .map_err(|error| StartError::Unavailable(format!("outbound calls cannot be made: {error}")))?,
    );
    let poster = Poster::new(config.webhooks.allow_local, world.names.clone())
        .map_err(|error| StartError::Unavailable(format!("outbound calls cannot be made: {error}")))?;
    let api = api_of(
        &config,
        &context,
        (&clicks, eraser, &clicker),
        &keys,
        admin,
        &recorder,
        (Arc::clone(&profiles), records(&config, Arc::clone(&world.entropy))),
        poster.clone(),
        &gate,
    );
    let router = router(api.clone(), operations);
    serve_api(&runtime, admin_listener, router, &config, stopped)?;
    look_after_profiles(&runtime, context.clone(), profiles);
    look_after_secrets(&runtime, context.clone(), keys);
    look_after_codes(&runtime, context.clone(), clicks.clone());
    look_after_single_use_codes(&runtime, context.clone());
    runtime.spawn(tell::tell(
        context.clone(),
        clicks.clone(),
        Arc::new(api::ApiTeller(api)),
    ));
    runtime.spawn(tell::deliver(context.clone(), poster));
    let tls_watch = tls.map(|tls| tls.watch(TLS_RELOAD)).transpose();
    let tls_watch =
        tls_watch.map_err(|error| StartError::Unavailable(format!("certificates cannot be watched: {error}")))?;
    let running = Running {
        public: edge.public_address(),
        tls: edge.tls_address(),
        admin,
        public_url,
        first_key: first.map(|first| first.secret),
        edge,
        recorder,
        stop_api,
        runtime,
        books,
        rings,
        _tls_watch: tls_watch,
        _data: data,
        context: context.clone(),
        clicker,
        filler,
    };
    // A table that takes longer fills on in the background; what it has not got yet is read for itself.
    let patience = if world.filling.is_some() {
        Duration::ZERO
    } else {
        LINKS_PATIENCE
    };
    if let Ok(Err(error)) = filled.recv_timeout(patience) {
        running.stop();
        return Err(broken(error));
    }
    if let Err(error) = await_clicks(&running.runtime, context, clicks) {
        let refused = not_opened(&running._data, &error);
        running.stop();
        return Err(refused);
    }
    Ok(running)
}

impl Running {
    /// Stops: drains the accept queues, finishes what was accepted (at most 5 s), writes every click. Blocks.
    pub fn stop(self) {
        self.context.stop();
        self.filler.thread().unpark();
        self.edge.stop(GRACE);
        self.clicker.close();
        self.recorder.stop();
        if let Err(error) = self.runtime.block_on(hand_out_codes::close(&self.context)) {
            tracing::error!(%error, "single-use codes that nobody got are not put back: they are skipped");
        }
        self.rings.close();
        // An API that is gone already needs no word.
        let _ = self.stop_api.send(());
        self.runtime.shutdown_timeout(GRACE);
        if self.filler.join().is_err() {
            tracing::error!("filling the table has panicked");
        }
        self.books.close();
    }
}

/// This server's number in click ids; a cluster will give each server its own.
const NODE: u16 = 0;

fn open_places(config: &Config) -> Result<Arc<dyn Places>, StartError> {
    match &config.country_file {
        Some(path) => match PlaceFile::open(path) {
            Ok(file) => Ok(Arc::new(file)),
            Err(error) => Err(StartError::Config(format!("country_file cannot be used: {error}"))),
        },
        None => Ok(Arc::new(NoPlaces)),
    }
}

fn open_tls(config: &Config) -> Result<Option<Arc<TlsConfig>>, StartError> {
    if config.listen_tls.is_none() {
        return Ok(None);
    }
    if config.tls.certificates.is_empty() {
        return Err(StartError::Config(
            "--listen-tls needs a certificate: give --tls-cert and --tls-key".to_owned(),
        ));
    }
    TlsConfig::load(&config.tls.certificates, config.tls.http2)
        .map(Some)
        .map_err(|error| StartError::Config(error.to_string()))
}

fn open_books(data: &DataDir) -> Result<Books, StartError> {
    let options = books::Options::at(data.path().join("books.sqlite"));
    behind::start(|| Books::open(options)).map_err(|error| {
        StartError::Unavailable(match error {
            books::OpenError::NewerFormat { .. } => {
                format!(
                    "{} was written by a newer hopcart: start that version, or another --data directory",
                    data.path().display()
                )
            }
            other => format!("the books in {} cannot be opened: {other}", data.path().display()),
        })
    })
}

fn open_clicks(
    config: &Config,
    data: &DataDir,
    clock: &Arc<dyn Clock>,
) -> Result<(clicklog::Writer, clicklog::Reader), StartError> {
    let options = click_options(config, data);
    behind::start(|| clicklog::start(options, Arc::clone(clock))).map_err(|error| not_opened(data, &error))
}

fn not_opened(data: &DataDir, error: &clicklog::OpenError) -> StartError {
    StartError::Unavailable(format!(
        "the click log in {} cannot be opened: {error}",
        data.path().display()
    ))
}

/// How it went.
type Filled = Result<(), flows::Error>;

/// Fills the table on a thread of its own, which tells how it went; it tries again for as long as the server runs.
fn fill_table(context: Context, filling: Option<Filling>) -> Result<(JoinHandle<()>, Receiver<Filled>), StartError> {
    let (tell, told) = mpsc::channel();
    let fill = move || {
        behind::stand();
        if let Some(filling) = filling {
            (filling.hold)();
        }
        while !context.is_stopping() {
            let filled = load_table::fill(&context);
            if let Ok(links) = &filled {
                tracing::info!(links, "links loaded");
            }
            let failed = filled.map(|_| ());
            if let Err(error) = &failed {
                tracing::error!(%error, "links cannot be read; tried again, and each is read when it is asked for");
            }
            let is_done = failed.is_ok();
            // Nobody waits any more.
            let _ = tell.send(failed);
            if is_done {
                return;
            }
            thread::park_timeout(LINKS_RETRY);
        }
    };
    let thread = thread::Builder::new().name("hopcart-links".to_owned());
    let filler = thread
        .spawn(fill)
        .map_err(|error| StartError::Unavailable(format!("the thread that reads links does not start: {error}")))?;
    Ok((filler, told))
}

/// Waits a little for the click log; links are followed meanwhile. What takes longer goes on in the background.
fn await_clicks(runtime: &Runtime, context: Context, clicks: clicklog::Reader) -> Result<(), clicklog::OpenError> {
    match clicks.wait_opened(CLICKS_PATIENCE) {
        Ok(true) => {
            let recovery = clicks.recovery();
            tracing::info!(
                replayed = recovery.replayed_clicks,
                took_ms = recovery.took.as_millis() as u64,
                "click log open"
            );
            if load_table::restore_uses(&context, &clicks).is_ok() {
                return Ok(());
            }
        }
        Ok(false) => tracing::warn!("the click log is still being opened; links work, reports wait for it"),
        Err(error @ clicklog::OpenError::NewerFormat { .. }) => return Err(error),
        Err(error) => {
            tracing::error!(%error, "the click log does not open yet; links work, clicks wait in the journal")
        }
    }
    runtime.spawn_blocking(move || restore_later(&context, &clicks));
    Ok(())
}

/// Ends with the server: a closed log's context is gone.
fn restore_later(context: &Context, clicks: &clicklog::Reader) {
    while !context.is_stopping() {
        let is_open = clicks.wait_opened(CLICKS_LOOK).unwrap_or(false);
        if is_open && load_table::restore_uses(context, clicks).is_ok() {
            tracing::info!("click log open; links with a click limit can be followed");
            return;
        }
        if is_open {
            thread::sleep(CLICKS_LOOK);
        }
    }
}

fn click_options(config: &Config, data: &DataDir) -> clicklog::Options {
    let backup = config.clicks.backup.clone();
    let days = config.clicks.retention_days;
    clicklog::Options {
        node: NODE,
        keep_clicks: (days > 0).then(|| Duration::from_secs(u64::from(days) * 24 * 60 * 60)),
        backup: backup.map(|dir| Arc::new(NewestBackup(dir)) as Arc<dyn clicklog::BackupSource>),
        ..clicklog::Options::at(data.path().join("clicklog"))
    }
}

/// Writes what a killed process left in its rings; the desk that did it goes on as the recorder's.
fn recover_clicks(
    config: &Config,
    data: &DataDir,
    rings: &mut RingDir,
    writer: clicklog::Writer,
    options: record_clicks::Options,
    clock: &Arc<dyn Clock>,
) -> Result<record_clicks::Desk, StartError> {
    let (left, since) = rings.left();
    let marks = clicklog::marks(&click_options(config, data), &left, since).map_err(broken)?;
    let lanes = rings.take_left(|ring| marks.get(&ring).copied());
    let count = lanes.len();
    let desk = record_clicks::Desk::open(writer, lanes, options, Arc::clone(clock));
    if count > 0 {
        let clicks = desk.stats().recovered.load(Ordering::Relaxed);
        tracing::info!(
            rings = count,
            clicks,
            "clicks that the last run left in its rings are in the log"
        );
    }
    Ok(desk)
}

#[expect(clippy::too_many_arguments, reason = "a list of who is handed what, used once")]
fn start_edge(
    config: &Config,
    tls: Option<Arc<TlsConfig>>,
    shared: &Arc<Shared>,
    lanes: Vec<Lane>,
    counters: &Arc<[Arc<Counters>]>,
    recorder: &Recorder,
    services: Services,
    world: &World,
) -> Result<Edge, StartError> {
    let limits = net::Limits {
        first_byte: Duration::from_secs(config.limits.first_byte_seconds.into()),
        handshake: Duration::from_secs(config.limits.handshake_seconds.into()),
        header: Duration::from_secs(config.limits.header_seconds.into()),
        idle: Duration::from_secs(config.limits.idle_seconds.into()),
        header_bytes_max: config.limits.header_bytes_max,
        headers_max: config.limits.headers_max,
        connections_max: config.limits.connections_max,
        connections_per_address_max: config.limits.connections_per_address_max,
        ..net::Limits::default()
    };
    let options = EdgeOptions {
        listen: config.listen,
        listen_tls: config.listen_tls,
        tls,
        workers: lanes.len(),
        trusted_proxies: config.trusted_proxies.clone(),
        limits,
        fast_path: config.fast_path,
    };
    let (reader, is_durable) = (recorder.thread(), shared.options.is_durable);
    let lanes: Vec<Mutex<Option<Lane>>> = lanes.into_iter().map(|lane| Mutex::new(Some(lane))).collect();
    let (shared, counters, entropy) = (Arc::clone(shared), Arc::clone(counters), Arc::clone(&world.entropy));
    let make = move |index: usize| {
        let taken = lanes[index].lock().ok().and_then(|mut lane| lane.take());
        // A worker is made once; a lane of its own keeps even a second one harmless.
        let mut lane = taken.unwrap_or_else(|| Lane::new(1 << 16).0);
        if is_durable {
            lane.wake_on_push(reader.clone());
        }
        let worker = Worker::new(
            Arc::clone(&shared),
            lane,
            Arc::clone(&counters[index]),
            fresh_key(&*entropy),
        );
        PublicHandler::new(worker, services.clone())
    };
    Edge::start(options, make).map_err(|error| not_bound(&error))
}

#[expect(clippy::too_many_arguments, reason = "a list of what the API works with, used once")]
fn api_of(
    config: &Config,
    context: &Context,
    (clicks, eraser, clicker): (&clicklog::Reader, clicklog::Eraser, &Clicker),
    keys: &Arc<ArcSwap<Keys>>,
    admin: SocketAddr,
    recorder: &Recorder,
    (profiles, records): (Arc<dyn Fetch>, Arc<dyn TextRecords>),
    poster: Poster,
    gate: &Arc<api::Gate>,
) -> api::Api {
    let (ring, cookie_ring) = (Arc::clone(keys), Arc::clone(keys));
    api::Api {
        context: context.clone(),
        clicks: clicks.clone(),
        eraser,
        click_ids: Arc::new(move || ring.load().click_id.clone()),
        visitors: Arc::new(move || cookie_ring.load().cookie.clone()),
        node: NODE,
        base_url: format!("http://{admin}").into(),
        consent: config.consent.default,
        session_key: session_key(keys),
        clicker: clicker.clone(),
        profiles,
        records,
        poster,
        backups: Backups::new(&config.data, Arc::clone(&recorder.stats)),
        body_max: config.limits.api_bytes_max,
        catalog_max: config.limits.catalog_bytes_max,
        gate: Arc::clone(gate),
    }
}

fn router(api: api::Api, operations: Operations) -> Router {
    api::router(api.clone())
        .merge(console::router(api))
        .merge(operations::router(operations))
}

/// Who is asked for TXT records. A machine without a name server starts all the same: verifying says what is missing.
fn records(config: &Config, entropy: Arc<dyn Entropy>) -> Arc<dyn TextRecords> {
    match NameServers::new(config.domains.resolver, entropy) {
        Ok(servers) => Arc::new(servers),
        Err(why) => Arc::new(NoNameServers(why)),
    }
}

/// Sessions are signed with a key of their own, derived from a secret that stays, so that a restart keeps them.
fn session_key(keys: &ArcSwap<Keys>) -> [u8; 32] {
    let keys = keys.load();
    blake3::derive_key("hopcart console session 1", &keys.click_id.newest().key)
}

fn serve_api(
    runtime: &Runtime,
    listener: std::net::TcpListener,
    router: Router,
    config: &Config,
    stopped: oneshot::Receiver<()>,
) -> Result<(), StartError> {
    let options = ApiOptions {
        limits: net::Limits {
            idle: Duration::from_secs(config.limits.idle_seconds.into()),
            ..net::Limits::default()
        },
        trusted_proxies: config.trusted_proxies.clone(),
        grace: GRACE,
        tally: Tally::single(),
    };
    let _entered = runtime.enter();
    let listener = tokio::net::TcpListener::from_std(listener)
        .map_err(|error| StartError::Unavailable(format!("the admin listener does not start: {error}")))?;
    runtime.spawn(net::serve_api(listener, router, options, async move {
        let _ = stopped.await;
    }));
    Ok(())
}

fn look_after_profiles(runtime: &Runtime, context: Context, profiles: Arc<dyn Fetch>) {
    runtime.spawn(async move {
        loop {
            if let Err(error) = refresh_profiles::refresh_due(&context, &profiles).await {
                tracing::error!(%error, "UCP profiles were not looked after");
            }
            tokio::select! {
                () = context.profile_due() => {}
                () = tokio::time::sleep(PROFILES_LOOK) => {}
            }
        }
    });
}

fn look_after_secrets(runtime: &Runtime, context: Context, keys: Arc<ArcSwap<Keys>>) {
    runtime.spawn(async move {
        loop {
            tokio::time::sleep(SECRETS_LOOK).await;
            let context = context.clone();
            match tokio::task::spawn_blocking(move || rotate_secrets::rotate(&context)).await {
                Ok(Ok(rotated)) => keys.store(Arc::new(rotated)),
                Ok(Err(error)) => tracing::error!(%error, "secrets were not looked after"),
                Err(error) => tracing::error!(%error, "looking after secrets panicked"),
            }
        }
    });
}

fn look_after_codes(runtime: &Runtime, context: Context, clicks: clicklog::Reader) {
    runtime.spawn(async move {
        loop {
            tokio::time::sleep(CODES_LOOK).await;
            let (context, clicks) = (context.clone(), clicks.clone());
            match tokio::task::spawn_blocking(move || watch_codes::look(&context, &clicks)).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => tracing::error!(%error, "codes were not looked after"),
                Err(error) => tracing::error!(%error, "looking after codes panicked"),
            }
        }
    });
}

fn look_after_single_use_codes(runtime: &Runtime, context: Context) {
    runtime.spawn(async move {
        let mut has_failed = false;
        loop {
            tokio::time::sleep(SINGLE_USE_LOOK).await;
            let turned = hand_out_codes::turn(&context).await;
            match &turned {
                // Once an outage, not twenty times a second.
                Err(error) if !has_failed => tracing::error!(%error, "single-use codes were not looked after"),
                _ => {}
            }
            has_failed = turned.is_err();
        }
    });
}

/// How followers reach the default domain: as configured, else where it listens.
fn public_name(config: &Config, public: SocketAddr, tls: Option<SocketAddr>) -> Result<PublicName, StartError> {
    let ports: Vec<u16> = std::iter::once(public.port())
        .chain(tls.map(|tls| tls.port()))
        .collect();
    let text = config.public_url.clone().unwrap_or_else(|| {
        // An unspecified address is nothing to send a follower to.
        let host = if public.ip().is_unspecified() {
            "127.0.0.1".to_owned()
        } else {
            public.ip().to_string()
        };
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        format!("http://{host}:{}", public.port())
    });
    let url = Url::parse(&text).map_err(|_| StartError::Config(format!("public_url is not a URL: {text}")))?;
    let name = PublicName::of_url(&url, &ports).filter(|_| matches!(url.scheme(), "http" | "https"));
    name.ok_or_else(|| StartError::Config(format!("public_url must begin with http:// or https://: {text}")))
}

fn fresh_key(entropy: &dyn Entropy) -> [u8; 32] {
    let mut key = [0; 32];
    entropy.fill(&mut key);
    key
}

fn not_bound(error: &net::NetError) -> StartError {
    let advice = match error {
        net::NetError::AddressInUse(_) => ": stop what listens there, or choose another address",
        _ => "",
    };
    StartError::Unavailable(format!("{error}{advice}"))
}

fn broken(error: impl fmt::Display) -> StartError {
    StartError::Unavailable(error.to_string())
}
