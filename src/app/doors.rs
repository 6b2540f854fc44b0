//! Listens, before there is anything to answer with.
//!
//! A port that cannot be had is told at once, and from here on nobody is refused a connection: who comes to the public
//! doors waits in the foyer, who comes to the API waits in the kernel's queue. Nothing is opened here but sockets.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::StartError;
use crate::config::Config;
use crate::flows::PublicName;
use crate::net::{self, Edge, EdgeOptions, TlsConfig};
use crate::redirect::Counters;
use crate::web::public::{Foyer, House, PublicHandler};

/// Listening sockets, and the workers behind the public ones.
pub(super) struct Doors {
    pub edge: Edge,
    pub api: TcpListener,
    pub admin: SocketAddr,
    /// How followers reach the default domain.
    pub name: PublicName,
    /// A worker's each; the last is of no connection.
    pub counters: Arc<[Arc<Counters>]>,
    /// Lets followers in.
    pub house: House<PublicHandler>,
}

impl Doors {
    /// Binds every address that is configured; `tls` is spoken at `listen_tls`. Followers wait for `patience`.
    ///
    /// # Errors
    /// [`StartError::Unavailable`] for an address that cannot be had; [`StartError::Config`] for a public URL that is none.
    pub fn open(config: &Config, tls: Option<Arc<TlsConfig>>, patience: Duration) -> Result<Self, StartError> {
        let api = net::bind_api(config.admin_listen).map_err(|error| not_bound(&error))?;
        let admin = api
            .local_addr()
            .map_err(|error| StartError::Unavailable(error.to_string()))?;
        let workers = config.workers.max(1);
        let counters: Arc<[Arc<Counters>]> = (0..=workers).map(|_| Arc::default()).collect();
        let house = House::default();
        let (leads_to, tallies) = (house.clone(), Arc::clone(&counters));
        let make = move |worker: usize| Foyer::new(&leads_to, worker, patience, Arc::clone(&tallies[worker]));
        let edge = Edge::start(options(config, tls, workers), make).map_err(|error| not_bound(&error))?;
        let name = public_name(config, edge.public_address(), edge.tls_address())?;
        Ok(Self {
            edge,
            api,
            admin,
            name,
            counters,
            house,
        })
    }

    /// Threads that serve followers.
    pub fn workers(&self) -> usize {
        self.counters.len() - 1
    }
}

fn options(config: &Config, tls: Option<Arc<TlsConfig>>, workers: usize) -> EdgeOptions {
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    let limits = net::Limits {
        first_byte: seconds(config.limits.first_byte_seconds),
        handshake: seconds(config.limits.handshake_seconds),
        header: seconds(config.limits.header_seconds),
        idle: seconds(config.limits.idle_seconds),
        header_bytes_max: config.limits.header_bytes_max,
        headers_max: config.limits.headers_max,
        connections_max: config.limits.connections_max,
        connections_per_address_max: config.limits.connections_per_address_max,
        ..net::Limits::default()
    };
    EdgeOptions {
        listen: config.listen,
        listen_tls: config.listen_tls,
        tls,
        workers,
        trusted_proxies: config.trusted_proxies.clone(),
        limits,
        fast_path: config.fast_path,
    }
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

fn not_bound(error: &net::NetError) -> StartError {
    let advice = match error {
        net::NetError::AddressInUse(_) => ": stop what listens there, or choose another address",
        _ => "",
    };
    StartError::Unavailable(format!("{error}{advice}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn followers_reach_what_is_configured_or_where_it_listens() {
        let table = [
            (None, "0.0.0.0:80", "http://127.0.0.1"),
            (None, "192.0.2.1:8080", "http://192.0.2.1:8080"),
            (None, "[2001:db8::1]:8080", "http://[2001:db8::1]:8080"),
            (
                Some("https://go.brand.example"),
                "0.0.0.0:80",
                "https://go.brand.example",
            ),
        ];
        for (url, listens, expected) in table {
            let config = Config {
                public_url: url.map(str::to_owned),
                ..Config::default()
            };
            let name = public_name(&config, listens.parse().expect("an address"), None).expect("a name");
            assert_eq!(format!("{}://{}", name.scheme, name.authority), expected);
        }
        for bad in ["nothing", "ftp://go.brand.example"] {
            let config = Config {
                public_url: Some(bad.to_owned()),
                ..Config::default()
            };
            let refused = public_name(&config, "127.0.0.1:80".parse().expect("an address"), None);
            assert!(matches!(refused, Err(StartError::Config(_))), "{bad}");
        }
    }
}
