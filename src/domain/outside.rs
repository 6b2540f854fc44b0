//! What rules need from the world, as traits: implemented in other rooms, handed in by `app`.
//!
//! Holds no implementation that touches the world; [`FixedClock`] and [`SeededEntropy`] exist for tests and benches.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use super::time::Timestamp;

/// Tells the time.
pub trait Clock: Send + Sync + 'static {
    /// The present instant.
    fn now(&self) -> Timestamp;
}

/// Draws unguessable bytes.
pub trait Entropy: Send + Sync + 'static {
    /// Fills `bytes` with random bytes.
    fn fill(&self, bytes: &mut [u8]);

    /// One random 64-bit number.
    fn number(&self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }
}

/// Where an address is, as far as it is known; borrows from who told it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place<'a> {
    /// ISO 3166-1 alpha-2 code, upper case.
    pub country: Option<[u8; 2]>,
    /// Code of the region after its country's (ISO 3166-2: `CA` of `US-CA`), 1 to 3 letters and digits; empty = unknown.
    pub region: &'a str,
    /// Name of the city, at most [`super::locality::CITY_MAX`] bytes; empty = unknown.
    pub city: &'a str,
}

/// Finds where addresses are.
pub trait Places: Send + Sync + 'static {
    /// Where `address` is. Called for every follow: waits for nothing and allocates nothing.
    fn find(&self, address: IpAddr) -> Place<'_>;
}

/// Knows no place: what runs when no country file is configured.
pub struct NoPlaces;

impl Places for NoPlaces {
    fn find(&self, _: IpAddr) -> Place<'_> {
        Place::default()
    }
}

/// What another server answered to a GET, whatever its status.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fetched {
    pub status: u16,
    pub content_type: Option<String>,
    pub cache_control: Option<String>,
    /// The whole body.
    pub body: Vec<u8>,
}

/// What [`Fetch::get`] returns: the answer, or one line that says why there is none.
pub type Fetching<'a> = Pin<Box<dyn Future<Output = Result<Fetched, String>> + Send + 'a>>;

/// Reads small documents of servers that a stranger has named.
pub trait Fetch: Send + Sync + 'static {
    /// GETs `url` once. Follows no redirect, takes seconds at most, reads a bounded body, and connects to no private
    /// address unless the server's owner allows it.
    fn get<'a>(&'a self, url: &'a str) -> Fetching<'a>;
}

/// What [`TextRecords::find`] returns: the records' texts, or one line that says why nobody could tell.
pub type Asking<'a> = Pin<Box<dyn Future<Output = Result<Vec<String>, String>> + Send + 'a>>;

/// Reads what owners of names have written into the domain name system.
pub trait TextRecords: Send + Sync + 'static {
    /// The TXT records of `name`; none when there is no such name. Takes seconds at most, and remembers nothing.
    fn find<'a>(&'a self, name: &'a str) -> Asking<'a>;
}

/// A clock that stands until it is moved.
pub struct FixedClock(AtomicI64);

impl FixedClock {
    /// A clock that shows `now`.
    pub fn at(now: Timestamp) -> Self {
        Self(AtomicI64::new(now.0))
    }

    /// Moves the clock by `milliseconds`, backwards when negative.
    pub fn advance(&self, milliseconds: i64) {
        self.0.fetch_add(milliseconds, Ordering::Relaxed);
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }
}

/// A repeatable stream of bytes that only looks random: never for keys that leave a test.
pub struct SeededEntropy {
    seed: u64,
    drawn: AtomicU64,
}

impl SeededEntropy {
    /// The stream that belongs to `seed`.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            drawn: AtomicU64::new(0),
        }
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.seed.to_le_bytes());
        hasher.update(&self.drawn.fetch_add(1, Ordering::Relaxed).to_le_bytes());
        hasher.finalize_xof().fill(bytes);
    }
}
