//! The public edge: one thread a core, each with its own runtime, listeners, handler and connections.
//!
//! Nothing is shared between workers but the bound on connections and the certificates, so a request never waits for
//! another core.

use std::io;
use std::net::SocketAddr;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::{Request, Response};
use tokio::sync::watch;
use tokio::time::Instant;

use super::connections::{Bounds, Connections};
use super::counters::Tally;
use super::error::NetError;
use super::fast::{AnswerLines, AtOnce, Glance, Head};
use super::forwarded::Peer;
use super::limits::Limits;
use super::listen;
use super::network::{IpNetwork, TrustedProxies};
use super::tls::TlsConfig;
use super::worker::{Listeners, Worker};

/// Answers requests. One value a worker, used on the worker's own thread only.
pub trait Handler: 'static {
    /// Answers `request` of `peer`. A panic closes this connection, no other.
    fn handle(&self, peer: Peer, request: Request<Incoming>) -> impl Future<Output = Response<Full<Bytes>>>;

    /// Answers a plain request of `peer` without waiting, or leaves it to [`Self::handle`]. The client must not be able
    /// to tell which of the two answered. A panic closes this connection, no other.
    fn answer_at_once(&self, peer: Peer, head: &Head<'_>, answer: &mut AnswerLines<'_>) -> AtOnce {
        let _ = (peer, head, answer);
        AtOnce::NotMine
    }

    /// Gets near what the requests will need that come next. A hint: it may be wrong, and what is done must change no
    /// answer.
    fn foresee<'a>(&self, glances: impl Iterator<Item = Glance<'a>>) {
        drop(glances);
    }
}

/// What an edge is started with.
pub struct EdgeOptions {
    /// Where clear text is spoken. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where TLS is spoken; needs `tls`.
    pub listen_tls: Option<SocketAddr>,
    /// Certificates.
    pub tls: Option<Arc<TlsConfig>>,
    /// Threads; 0 for one a core.
    pub workers: usize,
    /// Networks whose X-Forwarded-* headers and PROXY headers are believed.
    pub trusted_proxies: Vec<IpNetwork>,
    /// Bounds on connections.
    pub limits: Limits,
    /// Whether plain GET and HEAD requests are offered to [`Handler::answer_at_once`], in front of hyper.
    pub fast_path: bool,
}

/// A running edge. Dropping it stops it without grace.
pub struct Edge {
    public_address: SocketAddr,
    tls_address: Option<SocketAddr>,
    tally: Tally,
    /// When set: the instant at which connections are cut off.
    stop: watch::Sender<Option<Instant>>,
    threads: Vec<JoinHandle<()>>,
}

impl Edge {
    /// Binds, starts the workers and returns when each of them accepts. `make` runs on each worker's thread, with the
    /// worker's number.
    ///
    /// # Errors
    /// [`NetError::AddressInUse`], [`NetError::Bind`]; [`NetError::TlsMissing`]; [`NetError::Worker`] also when `make`
    /// panics.
    pub fn start<H: Handler>(
        options: EdgeOptions,
        make: impl Fn(usize) -> H + Send + Sync + 'static,
    ) -> Result<Self, NetError> {
        let workers = match options.workers {
            0 => std::thread::available_parallelism().map_or(1, NonZero::get),
            workers => workers,
        };
        let tls = match (options.listen_tls, options.tls) {
            (Some(address), Some(tls)) => Some((address, tls)),
            (Some(_), None) => return Err(NetError::TlsMissing),
            (None, _) => None,
        };
        let (mut clear, public_address) = bind_all(options.listen, workers)?;
        let (mut secure, tls_address) = match &tls {
            Some((address, _)) => bind_all(*address, workers).map(|(bound, address)| (bound, Some(address)))?,
            None => (Vec::new(), None),
        };
        let (stop, stopped) = watch::channel(None);
        let mut edge = Self {
            public_address,
            tls_address,
            tally: Tally::new(workers),
            stop,
            threads: Vec::new(),
        };
        let trusted = Arc::new(TrustedProxies::from(options.trusted_proxies));
        let (make, bounds) = (Arc::new(make), Bounds::new(&options.limits));
        let (ready, is_ready) = mpsc::channel();
        for index in (0..workers).rev() {
            let worker = Worker {
                connections: Connections::new(edge.tally.worker(index), Arc::clone(&bounds)),
                limits: options.limits,
                trusted: Arc::clone(&trusted),
                tls: tls.as_ref().map(|(_, tls)| tls.acceptor()),
                is_fast: options.fast_path,
                stop: stopped.clone(),
            };
            let listeners = Listeners {
                clear: clear.pop(),
                secure: secure.pop(),
            };
            let (make, ready) = (Arc::clone(&make), ready.clone());
            let thread = std::thread::Builder::new()
                .name(format!("edge-{index}"))
                .spawn(move || worker.run(listeners, || make(index), &ready))
                .map_err(NetError::Worker)?;
            edge.threads.push(thread);
        }
        drop(ready);
        for _ in 0..workers {
            let started = is_ready
                .recv()
                .unwrap_or_else(|_| Err(io::Error::other("the handler could not be made")));
            started.map_err(NetError::Worker)?;
        }
        Ok(edge)
    }

    /// Where clear text is spoken.
    pub fn public_address(&self) -> SocketAddr {
        self.public_address
    }

    /// Where TLS is spoken.
    pub fn tls_address(&self) -> Option<SocketAddr> {
        self.tls_address
    }

    /// The counters; a clone of them outlives the edge.
    pub fn counters(&self) -> Tally {
        self.tally.clone()
    }

    /// Stops: takes what the accept queues hold, closes the listeners, answers what was accepted, and cuts off what is
    /// not done after `grace`. Blocks until the workers have ended; in async code, call it where blocking is allowed.
    pub fn stop(mut self, grace: Duration) {
        self.end(grace);
    }

    fn end(&mut self, grace: Duration) {
        self.stop.send_replace(Some(Instant::now() + grace));
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("an edge worker panicked");
            }
        }
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}

/// One listener a worker, all on the same address.
fn bind_all(address: SocketAddr, workers: usize) -> Result<(Vec<std::net::TcpListener>, SocketAddr), NetError> {
    listen::probe(address)?;
    let first = listen::bind_shared(address)?;
    let bound = first.local_addr().map_err(|error| NetError::Bind(address, error))?;
    let mut listeners = vec![first];
    while listeners.len() < workers {
        listeners.push(listen::bind_shared(bound)?);
    }
    Ok((listeners, bound))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::testing::{Echo, connect, edge_options, exchange, read_answer, read_to_close, status_of};
    use std::io::Write;
    use std::sync::Mutex;
    use tokio::sync::Notify;

    const GRACE: Duration = Duration::from_secs(5);

    /// Tells when a request came, and answers it when released.
    struct Held {
        came: Mutex<mpsc::Sender<()>>,
        release: Arc<Notify>,
    }

    impl Handler for Held {
        fn handle(&self, _: Peer, _: Request<Incoming>) -> impl Future<Output = Response<Full<Bytes>>> {
            let _ = self.came.lock().unwrap().send(());
            async {
                self.release.notified().await;
                Response::new(Full::from("released"))
            }
        }
    }

    fn held_edge() -> (Edge, mpsc::Receiver<()>, Arc<Notify>) {
        let (came, has_come) = mpsc::channel();
        let (came, release) = (Mutex::new(came), Arc::new(Notify::new()));
        let released = Arc::clone(&release);
        let make = move |_| Held {
            came: Mutex::new(came.lock().unwrap().clone()),
            release: Arc::clone(&released),
        };
        (Edge::start(edge_options(), make).unwrap(), has_come, release)
    }

    #[test]
    fn every_worker_has_its_handler_and_shares_the_port() {
        struct Number(usize);
        impl Handler for Number {
            fn handle(&self, _: Peer, _: Request<Incoming>) -> impl Future<Output = Response<Full<Bytes>>> {
                std::future::ready(Response::new(Full::from(self.0.to_string())))
            }
        }
        let edge = Edge::start(
            EdgeOptions {
                workers: 3,
                ..edge_options()
            },
            Number,
        )
        .unwrap();
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..10_000 {
            let answer = exchange(
                edge.public_address(),
                b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            );
            seen.insert(answer.lines().last().unwrap().to_string());
            if seen.len() == 3 {
                break;
            }
        }
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["0", "1", "2"]);
    }

    #[test]
    fn what_cannot_start_says_why() {
        let edge = Edge::start(edge_options(), |_| Echo).unwrap();
        let taken = EdgeOptions {
            listen: edge.public_address(),
            ..edge_options()
        };
        assert!(matches!(Edge::start(taken, |_| Echo), Err(NetError::AddressInUse(a)) if a == edge.public_address()));
        let no_tls = EdgeOptions {
            listen_tls: Some("127.0.0.1:0".parse().unwrap()),
            ..edge_options()
        };
        assert!(matches!(Edge::start(no_tls, |_| Echo), Err(NetError::TlsMissing)));
        fn broken(_: usize) -> Echo {
            panic!("on purpose")
        }
        assert!(matches!(Edge::start(edge_options(), broken), Err(NetError::Worker(_))));
    }

    #[test]
    fn a_stop_answers_what_runs_and_what_is_queued() {
        let (edge, has_come, release) = held_edge();
        let (address, tally) = (edge.public_address(), edge.counters());
        let mut running = connect(address);
        running.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        has_come.recv().unwrap();
        let mut queued: Vec<_> = (0..50).map(|_| connect(address)).collect();
        for client in &mut queued {
            client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        }
        let stopping = std::thread::spawn(move || edge.stop(GRACE));
        for _ in 0..50 {
            has_come.recv().unwrap();
        }
        while std::net::TcpStream::connect(address).is_ok() {
            std::thread::yield_now();
        }
        while !stopping.is_finished() {
            release.notify_waiters();
            std::thread::yield_now();
        }
        stopping.join().unwrap();
        for client in queued.iter_mut().chain([&mut running]) {
            let answer = read_to_close(client);
            assert!(answer.ends_with("released"), "{answer}");
        }
        assert_eq!(tally.totals().open, 0);
    }

    #[test]
    fn a_stop_closes_idle_connections_long_before_the_grace() {
        let edge = Edge::start(edge_options(), |_| Echo).unwrap();
        let address = edge.public_address();
        let mut idle = connect(address);
        idle.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        assert_eq!(status_of(&read_answer(&mut idle)), 200);
        let before = std::time::Instant::now();
        edge.stop(GRACE);
        assert!(before.elapsed() < GRACE / 2, "{:?}", before.elapsed());
        assert_eq!(read_to_close(&mut idle), "");
    }

    #[test]
    fn what_outlasts_the_grace_is_cut_off() {
        let (edge, has_come, _release) = held_edge();
        let mut running = connect(edge.public_address());
        running.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        has_come.recv().unwrap();
        edge.stop(Duration::from_millis(50));
        assert_eq!(read_to_close(&mut running), "");
    }
}
