//! A phone's bad radio link, for real: what goes through it waits, TLS handshakes included, and shares little bandwidth.
//!
//! Not imitated: lost packets, and TCP's slow start (a page of one answer fits into the first flight anyway).

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::small_server::accept;

/// One way; a round trip is twice as long.
const DELAY: Duration = Duration::from_millis(200);
/// 400 kbit/s each way, for all connections together.
const BYTES_PER_SECOND: u64 = 50_000;
/// Before a browser's first byte leaves: a round trip for the name, and one for TCP's handshake. (Told to every
/// connection, though a name is asked for once.)
const SETUP: Duration = Duration::from_millis(800);
/// What travels at once.
const PACKET: usize = 1_400;
/// Packets on their way in one direction of a connection; 8 fill the link, so more than this never wait.
const IN_FLIGHT_MAX: usize = 64;

/// The link, up until it is dropped.
pub struct SlowLink {
    lanes: Lanes,
    runtime: Runtime,
}

#[derive(Clone)]
struct Lanes {
    up: Arc<Lane>,
    down: Arc<Lane>,
}

/// One direction: when it has sent what was given to it.
struct Lane(Mutex<Instant>);

impl Lane {
    fn idle() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Instant::now())))
    }

    /// Takes its turn; when the last of `bytes` will be sent.
    fn send(&self, bytes: usize) -> Instant {
        let mut free_at = self.0.lock().expect("no panic while it was held");
        let air_time = Duration::from_micros(bytes as u64 * 1_000_000 / BYTES_PER_SECOND);
        *free_at = (*free_at).max(Instant::now()) + air_time;
        *free_at
    }
}

impl SlowLink {
    pub fn up() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let lanes = Lanes {
            up: Lane::idle(),
            down: Lane::idle(),
        };
        Self { lanes, runtime }
    }

    /// Where `server` is reached through this link.
    pub fn to(&self, server: SocketAddr) -> SocketAddr {
        let lanes = self.lanes.clone();
        self.runtime
            .block_on(accept(move |browser| connect(browser, server, lanes.clone())))
    }
}

async fn connect(browser: TcpStream, server: SocketAddr, lanes: Lanes) {
    let Ok(server) = TcpStream::connect(server).await else {
        return;
    };
    server.set_nodelay(true).expect("no delay");
    let (from_browser, to_browser) = browser.into_split();
    let (from_server, to_server) = server.into_split();
    let opened = Instant::now() + SETUP;
    tokio::join!(
        carry(from_browser, to_server, &lanes.up, opened),
        carry(from_server, to_browser, &lanes.down, opened),
    );
}

/// Carries bytes one way from `opened` on, until the sender ends or the receiver is gone.
async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, lane: &Lane, opened: Instant) {
    let (sender, mut receiver) = mpsc::channel::<(Instant, Vec<u8>)>(IN_FLIGHT_MAX);
    let send = async move {
        sleep_until(opened).await;
        let mut packet = vec![0; PACKET];
        while let Ok(length @ 1..) = from.read(&mut packet).await {
            let sent = lane.send(length);
            sleep_until(sent).await;
            if sender.send((sent + DELAY, packet[..length].to_vec())).await.is_err() {
                break;
            }
        }
    };
    let receive = async move {
        while let Some((arrives, packet)) = receiver.recv().await {
            sleep_until(arrives).await;
            if to.write_all(&packet).await.is_err() {
                return;
            }
        }
        // Gone already, or told now.
        let _ = to.shutdown().await;
    };
    tokio::join!(send, receive);
}
