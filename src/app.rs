//! The composition root: listeners bind, stores open, flows start; at the end the same in reverse.
//!
//! Nothing is decided in here and no request passes through; it says who is handed what.

mod admin;
mod allocator;
mod behind;
mod data_dir;
mod doors;
mod files;
mod filling;
mod followers;
mod outside;
mod ring_dir;
mod stores;
mod upkeep;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::oneshot;

use crate::books::{self, Books};
use crate::clicklog;
use crate::config::{ClickAck, Config};
use crate::domain::destination::Policy;
use crate::domain::id::DomainNo;
use crate::domain::outside::{Clock, Entropy, Fetch};
use crate::flows::record_clicks::Recorder;
use crate::flows::track::Clicker;
use crate::flows::{Context, PublicName, hand_out_codes, issue_key, load_table, rotate_secrets, tell};
use crate::integrations::receiver::Poster;
use crate::integrations::ucp::ProfileFetch;
use crate::net::{self, Edge, TlsWatch};
use crate::redirect::{self, Keys, Lane, Shared, Table, TableReader, Throttle, Worker};
use crate::web::api;
use crate::web::public::FOYER_PATIENCE;

use admin::Admin;
use data_dir::DataDir;
use doors::Doors;
use filling::{LINKS_PATIENCE, await_clicks, fill_table};
use outside::{OsEntropy, SystemClock};
use ring_dir::RingDir;
use stores::Stores;

/// How long what was accepted may take to finish once the server is told to stop.
const GRACE: Duration = Duration::from_secs(5);
/// How often certificate files are looked at.
const TLS_RELOAD: Duration = Duration::from_secs(2);
/// Misses an address may make in a minute before it is told so: a carrier's address stands for many people, and only
/// wrong links are counted.
const MISSES_MAX: u32 = 120;
/// Most bytes of the ring that clicks wait in which were told, not followed: some 4,000 of them, and one is written every
/// few milliseconds.
const TOLD_CLICKS_BYTES: usize = 1 << 20;
/// Threads of the API and of background work; followers have their own.
const BACKGROUND_THREADS: usize = 2;
/// This server's number in click ids; a cluster will give each server its own.
const NODE: u16 = 0;

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
    pub opening: Option<Opening>,
}

/// How a test has the stores opened.
#[derive(Clone)]
pub struct Opening {
    /// Called with the public address once the server listens, before any store is opened; opening goes on when it
    /// returns.
    pub hold: Arc<dyn Fn(SocketAddr) + Send + Sync>,
    /// How long a follower waits for it.
    pub patience: Duration,
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
            opening: None,
            names: None,
        }
    }
}

/// What both sides of a server work with once its stores are open.
struct Indoors<'a> {
    config: &'a Config,
    world: &'a World,
    context: &'a Context,
    clicks: &'a clicklog::Reader,
    keys: &'a Arc<ArcSwap<Keys>>,
    clicker: &'a Clicker,
    recorder: &'a Recorder,
    runtime: &'a Handle,
}

/// Starts a server. Returns when its links can be followed: from the books where the table does not hold them yet.
pub fn start(config: Config) -> Result<Running, StartError> {
    allocator::keep_freed_memory();
    start_in(config, World::default())
}

/// As [`start`], with a clock and entropy of the caller's. Blocks; not for async code.
pub fn start_in(config: Config, world: World) -> Result<Running, StartError> {
    let began = Instant::now();
    let reached = |phase: &str| tracing::info!(phase, after_ms = began.elapsed().as_millis() as u64, "start");
    let data = DataDir::open(&config.data)?;
    let places = files::open_places(&config)?;
    let tls = files::open_tls(&config)?;
    let patience = world
        .opening
        .as_ref()
        .map_or(FOYER_PATIENCE, |opening| opening.patience);
    let doors = Doors::open(&config, tls.clone(), patience)?;
    reached("listening");
    if let Some(opening) = &world.opening {
        (opening.hold)(doors.edge.public_address());
    }
    let Stores {
        books,
        clicks,
        eraser,
        desk,
        mut rings,
    } = Stores::open(&config, &data, &world)?;
    reached("stores open");
    let (context, reader) = context_of(&config, &world, &books, doors.name.clone())?;
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
    let made_at = world.clock.now();
    let mut lane = |bytes| rings.lane(NODE, bytes, made_at, &*world.entropy);
    let (lanes, mut lane_readers): (Vec<Lane>, Vec<_>) =
        (0..doors.workers()).map(|_| lane(config.clicks.queue_bytes)).unzip();
    // The last one is of no connection: clicks that are told, not followed, go through it.
    let (own_lane, own_reader) = lane(config.clicks.queue_bytes.min(TOLD_CLICKS_BYTES));
    lane_readers.push(own_reader);
    let runtime = background()?;
    let recorder = Recorder::start(desk, lane_readers, Arc::clone(&shared))
        .map_err(|error| StartError::Unavailable(format!("the click recorder does not start: {error}")))?;
    context.set_recorder(Arc::clone(&recorder.stats));
    let clicker = {
        let mut lane = own_lane;
        lane.wake_on_push(recorder.thread());
        let (shared, counters) = (Arc::clone(&shared), Arc::clone(&doors.counters[doors.workers()]));
        Clicker::new(Worker::new(shared, lane, counters, fresh_key(&*world.entropy)))
    };
    let indoors = Indoors {
        config: &config,
        world: &world,
        context: &context,
        clicks: &clicks,
        keys: &keys,
        clicker: &clicker,
        recorder: &recorder,
        runtime: runtime.handle(),
    };
    doors
        .house
        .open(followers::handlers(&indoors, &shared, lanes, &doors.counters));
    reached("followers are led on");
    let (filler, filled) = fill_table(context.clone(), world.filling.clone())?;

    let profiles: Arc<dyn Fetch> = Arc::new(ProfileFetch::new(config.destinations.allow_private).map_err(no_calls)?);
    let poster = Poster::new(config.webhooks.allow_local, world.names.clone()).map_err(no_calls)?;
    let (api, router) = Admin {
        eraser,
        address: doors.admin,
        profiles: Arc::clone(&profiles),
        poster: poster.clone(),
        table: reader,
        workers: Arc::clone(&doors.counters),
        connections: doors.edge.counters(),
    }
    .open(&indoors);
    let (stop_api, stopped) = oneshot::channel::<()>();
    admin::serve(&runtime, doors.api, router, &config, stopped)?;
    upkeep::look_after_profiles(&runtime, context.clone(), profiles);
    upkeep::look_after_secrets(&runtime, context.clone(), keys);
    upkeep::look_after_codes(&runtime, context.clone(), clicks.clone());
    upkeep::look_after_single_use_codes(&runtime, context.clone());
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
        public: doors.edge.public_address(),
        tls: doors.edge.tls_address(),
        admin: doors.admin,
        public_url: format!("{}://{}", doors.name.scheme, doors.name.authority),
        first_key: first.map(|first| first.secret),
        edge: doors.edge,
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
        let refused = stores::not_opened(&running._data, &error);
        running.stop();
        return Err(refused);
    }
    Ok(running)
}

/// What flows work with, on an empty table with room for the links that there are.
fn context_of(
    config: &Config,
    world: &World,
    books: &Books,
    name: PublicName,
) -> Result<(Context, TableReader), StartError> {
    let default = books
        .read_blocking(|view| books::link_domain::by_no(view, DomainNo::DEFAULT))
        .map_err(broken)?
        .ok_or_else(|| {
            StartError::Unavailable("the books have no default domain: restore them from a backup".to_owned())
        })?;
    let room = books.read_blocking(books::link::last_no).map_err(broken)?;
    let (reader, table) = Table::with_room(&default, room as usize);
    let allowed = config.destinations.allowed_hosts.iter();
    let policy = Policy {
        private_allowed: config.destinations.allow_private,
        allowed_hosts: allowed.map(|host| host.to_ascii_lowercase()).collect(),
    };
    let context = Context::new(
        books.clone(),
        table,
        reader.clone(),
        Arc::clone(&world.clock),
        Arc::clone(&world.entropy),
        policy,
        name,
    );
    if config.domains.require_verified {
        context.require_proof();
    }
    Ok((context, reader))
}

/// The runtime of everything but followers.
fn background() -> Result<Runtime, StartError> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(BACKGROUND_THREADS)
        .thread_name("hopcart-api")
        .on_thread_start(behind::stand)
        .enable_all()
        .build()
        .map_err(|error| StartError::Unavailable(format!("the background threads do not start: {error}")))
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

fn fresh_key(entropy: &dyn Entropy) -> [u8; 32] {
    let mut key = [0; 32];
    entropy.fill(&mut key);
    key
}

fn broken(error: impl fmt::Display) -> StartError {
    StartError::Unavailable(error.to_string())
}

fn no_calls(error: impl fmt::Display) -> StartError {
    StartError::Unavailable(format!("outbound calls cannot be made: {error}"))
}
