//! The settings, section by section, each with its default. Environment names are `HOPCART_` and the key in capitals,
//! sections joined by `_`, unless a field says otherwise.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer, de};

use super::Masked;
use crate::domain::consent::ConsentMode;
use crate::net::{CertificatePair, IpNetwork};

/// Everything that can be set. Keys stand at the top of the file unless they belong to a section.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Directory of both stores (`./hopcart-data`; `--data`, `HOPCART_DATA`).
    pub data: PathBuf,
    /// Where followers and webhooks come in, in clear (`127.0.0.1:8080`; `--listen`, `HOPCART_LISTEN`). Port 0 takes
    /// a free one, here and below.
    #[serde(deserialize_with = "address")]
    pub listen: SocketAddr,
    /// Where they come in over TLS (none; `--listen-tls`, `HOPCART_LISTEN_TLS`). Needs certificates.
    #[serde(deserialize_with = "some_address")]
    pub listen_tls: Option<SocketAddr>,
    /// API, pages, health and metrics (`127.0.0.1:8081`; `--admin-listen`, `HOPCART_ADMIN_LISTEN`).
    #[serde(deserialize_with = "address")]
    pub admin_listen: SocketAddr,
    /// What links of the default domain begin with, without a final slash (none: the public listener's address;
    /// `--public-url`, `HOPCART_PUBLIC_URL`).
    #[serde(deserialize_with = "without_final_slash")]
    pub public_url: Option<String>,
    /// When a follower is answered (`async`; `--click-ack`, `HOPCART_CLICK_ACK`).
    pub click_ack: ClickAck,
    /// Threads that serve followers, 1 to 1024 (one for each core; `--workers`, `HOPCART_WORKERS`).
    pub workers: usize,
    /// Whether plain redirects are answered in front of the HTTP library (true; `--fast-path`,
    /// `HOPCART_FAST_PATH`).
    pub fast_path: bool,
    /// Networks whose X-Forwarded-For, X-Forwarded-Proto and PROXY v2 headers are believed (none;
    /// `--trusted-proxy`, several times; `HOPCART_TRUSTED_PROXIES`, comma-separated).
    #[serde(deserialize_with = "networks")]
    pub trusted_proxies: Vec<IpNetwork>,
    /// MaxMind file for countries; a City file tells regions and cities as well (none; `--country-file`, `HOPCART_COUNTRY_FILE`).
    pub country_file: Option<PathBuf>,
    /// `[tls]`
    pub tls: TlsSection,
    /// `[destinations]`
    pub destinations: DestinationsSection,
    /// `[webhooks]`
    pub webhooks: WebhooksSection,
    /// `[domains]`
    pub domains: DomainsSection,
    /// `[clicks]`
    pub clicks: ClicksSection,
    /// `[cookie]`
    pub cookie: CookieSection,
    /// `[consent]`
    pub consent: ConsentSection,
    /// `[limits]`
    pub limits: LimitsSection,
    /// `[log]`
    pub log: LogSection,
    /// The first key instead of a generated one; ignored once a key exists (none; only `HOPCART_ADMIN_KEY`, never
    /// from a file or a flag). 16 to 256 characters.
    #[serde(skip)]
    pub admin_key: Option<Masked>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: PathBuf::from("./hopcart-data"),
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            listen_tls: None,
            admin_listen: SocketAddr::from(([127, 0, 0, 1], 8081)),
            public_url: None,
            click_ack: ClickAck::default(),
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            fast_path: true,
            trusted_proxies: Vec::new(),
            country_file: None,
            tls: TlsSection::default(),
            destinations: DestinationsSection::default(),
            webhooks: WebhooksSection::default(),
            domains: DomainsSection::default(),
            clicks: ClicksSection::default(),
            cookie: CookieSection::default(),
            consent: ConsentSection::default(),
            limits: LimitsSection::default(),
            log: LogSection::default(),
            admin_key: None,
        }
    }
}

/// When a follower is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClickAck {
    /// At once; the click is on disk a few milliseconds later.
    #[default]
    Async,
    /// Once the click is on disk, or after 25 ms, and marked as late then.
    Durable,
}

/// `[tls]`: how the TLS listener speaks.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsSection {
    /// Offer HTTP/2 to followers (false: a redirect is one request, HTTP/1.1 costs less).
    pub http2: bool,
    /// PEM files, chosen by server name (none; `--tls-cert` and `--tls-key`, several times, paired in order;
    /// `HOPCART_TLS_CERT` and `HOPCART_TLS_KEY`, comma-separated).
    #[serde(deserialize_with = "certificates")]
    pub certificates: Vec<CertificatePair>,
}

/// `[destinations]`: where links may lead.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DestinationsSection {
    /// Allow numeric hosts and hosts inside a network (false).
    pub allow_private: bool,
    /// When not empty: only these hosts and what lies below them (empty).
    pub allowed_hosts: Vec<String>,
}

/// `[webhooks]`: whom the server tells what happened.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebhooksSection {
    /// Tell receivers inside a network, and in clear: for development only (false).
    pub allow_local: bool,
}

/// `[domains]`: how brands show that a domain is their own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DomainsSection {
    /// The name server that is asked for their TXT records (none: those of `/etc/resolv.conf`).
    #[serde(deserialize_with = "some_address")]
    pub resolver: Option<SocketAddr>,
    /// Whether a domain serves only once it is verified: for servers that brands share who do not know each other
    /// (false).
    pub require_verified: bool,
}

/// `[clicks]`: how clicks are counted and queued.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClicksSection {
    /// A second click of one visitor on one link within this time is a repeat, in seconds, at most a day (10);
    /// 0 = none is.
    pub dedupe_window_seconds: u32,
    /// Room for clicks that wait for the disk, in bytes for each worker, 64 KiB to 4 GiB (16 MiB: about 100,000
    /// clicks, several seconds of a spike). When it is full, details are dropped and counts kept.
    pub queue_bytes: usize,
    /// How long single clicks are kept, in days, at most 36,500 (400); 0 = for ever. Counts of them
    /// stay for good.
    pub retention_days: u32,
    /// Directory of a backup (`hopcart backup`) that gives back what the journal no longer reaches, should the click
    /// store have to be rebuilt (none).
    pub backup: Option<PathBuf>,
    /// Where those clicks lie, so that a kill takes none of them: a directory in memory (tmpfs), that the next start
    /// finds as well (none: `/dev/shm` where it has room, else the data directory; `HOPCART_CLICKS_RING_DIR`). On a
    /// disk, a disk that stalls can hold up replies.
    pub ring_dir: Option<PathBuf>,
}

impl Default for ClicksSection {
    fn default() -> Self {
        Self {
            dedupe_window_seconds: 10,
            queue_bytes: 16 << 20,
            retention_days: 400,
            backup: None,
            ring_dir: None,
        }
    }
}

/// `[cookie]`: the attribution cookie.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CookieSection {
    /// Life of the cookie in days, 1 to 400, the most that browsers keep (365).
    pub max_age_days: u32,
}

impl Default for CookieSection {
    fn default() -> Self {
        Self { max_age_days: 365 }
    }
}

/// `[consent]`: who may be recognised.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConsentSection {
    /// How domains ask unless they say otherwise: `gpc`, `eea`, `strict` or `off` (`gpc`). `eea` needs a country file.
    pub default: ConsentMode,
}

/// `[limits]`: bounds on what strangers can make the server hold. The defaults suit a machine with 1 GB of memory.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsSection {
    /// Most open connections of the public listeners, 1 to 10,000,000 (20,000: a resting one takes 1 kB, one that is
    /// busy with more than redirects some 20 kB, so 400 MB at worst).
    pub connections_max: usize,
    /// Most of them from one address (one /64 in IPv6), 1 to 10,000,000; trusted proxies have no such bound (4,096:
    /// thousands of followers stand behind one address of a carrier).
    pub connections_per_address_max: u32,
    /// Longest time from accepting to the end of a TLS handshake, in seconds (10).
    pub handshake_seconds: u32,
    /// Longest time from accepting to the first byte of a request, in seconds (10).
    pub first_byte_seconds: u32,
    /// Longest time from the first byte to the end of a request's head, in seconds (10).
    pub header_seconds: u32,
    /// How long a connection may rest between requests, in seconds (60).
    pub idle_seconds: u32,
    /// Longest request head, in bytes, 1 KiB to 1 MiB (16 KiB).
    pub header_bytes_max: usize,
    /// Most header fields of a request, 8 to 1024 (100).
    pub headers_max: usize,
    /// Longest body of a webhook, in bytes, 1 KiB to 64 MiB (2 MiB: an order with hundreds of lines).
    pub webhook_bytes_max: usize,
    /// Longest body of an API call, in bytes, 1 KiB to 256 MiB (8 MiB: news of 10,000 products' stock in one call).
    pub api_bytes_max: usize,
    /// Longest catalogue in one call of `PUT /products`, in bytes, 1 KiB to 256 MiB (32 MiB: 10,000 rows, each with the
    /// longest SKU, variant id, title and image URL, 2.8 KB together, and what stands around them).
    pub catalog_bytes_max: usize,
    /// Calls a minute of each API key that has no bound of its own, 0 to 1,000,000 (0: no bound).
    pub api_calls_per_minute: u32,
}

impl Default for LimitsSection {
    fn default() -> Self {
        Self {
            connections_max: 20_000,
            connections_per_address_max: 4_096,
            handshake_seconds: 10,
            first_byte_seconds: 10,
            header_seconds: 10,
            idle_seconds: 60,
            header_bytes_max: 16 << 10,
            headers_max: 100,
            webhook_bytes_max: 2 << 20,
            api_bytes_max: 8 << 20,
            catalog_bytes_max: 32 << 20,
            api_calls_per_minute: 0,
        }
    }
}

/// `[log]`: what the server says about itself, on standard error.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSection {
    /// `auto` (text on a terminal, JSON otherwise), `text` or `json` (`auto`).
    pub format: LogFormat,
    /// A level or directives such as `info,hopcart::net=debug` (`info`; `HOPCART_LOG`).
    pub level: String,
}

impl Default for LogSection {
    fn default() -> Self {
        Self {
            format: LogFormat::default(),
            level: "info".to_owned(),
        }
    }
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// For people.
    Text,
    /// For log collectors: one object a line.
    Json,
}

fn address<'de, D: Deserializer<'de>>(from: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(from)?;
    text.parse()
        .map_err(|_| de::Error::custom(format!("must be ADDRESS:PORT such as 127.0.0.1:8080, not \"{text}\"")))
}

fn some_address<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SocketAddr>, D::Error> {
    address(from).map(Some)
}

fn without_final_slash<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(from)?;
    Ok(Some(text.strip_suffix('/').unwrap_or(&text).to_owned()))
}

fn networks<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<IpNetwork>, D::Error> {
    Vec::<String>::deserialize(from)?
        .iter()
        .map(|text| {
            text.parse()
                .map_err(|_| de::Error::custom(format!("holds \"{text}\", which is no network such as 10.0.0.0/8")))
        })
        .collect()
}

fn certificates<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<CertificatePair>, D::Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Files {
        cert: PathBuf,
        key: PathBuf,
    }
    let pair = |Files { cert, key }| CertificatePair { cert, key };
    Ok(Vec::<Files>::deserialize(from)?.into_iter().map(pair).collect())
}
