//! One worker of the edge: a thread with a runtime of its own, from its first accept to its last answer.

use std::io;
use std::net::{SocketAddr, TcpStream as AcceptedStream};
use std::rc::Rc;
use std::sync::{Arc, mpsc};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::accept::{self, ACCEPTS_AT_A_TURN, HELLOS_AT_A_TURN, Watched, accept_until};
use super::addresses::Origin;
use super::connection::{Visit, serve_http1, serve_http2};
use super::connections::{Connections, Guest};
use super::counters::{Counters, bump};
use super::edge::Handler;
use super::fast::{Conversation, Desk, Line, Opening, Pool, Secure};
use super::forwarded::Hop;
use super::limits::Limits;
use super::network::TrustedProxies;
use super::proxy_protocol;
use super::rewind::Rewind;
use super::tls::is_http2;
use super::wire::{Tcp, Wire};

/// What a worker listens on.
pub(super) struct Listeners {
    pub clear: Option<std::net::TcpListener>,
    pub secure: Option<std::net::TcpListener>,
}

/// What a worker knows before it runs.
pub(super) struct Worker {
    pub connections: Arc<Connections>,
    pub limits: Limits,
    pub trusted: Arc<TrustedProxies>,
    pub tls: Option<TlsAcceptor>,
    /// Whether plain requests are answered in front of hyper.
    pub is_fast: bool,
    pub stop: watch::Receiver<Option<Instant>>,
}

impl Worker {
    /// Runs on the calling thread until stopped. Tells `ready` once, when it accepts or cannot.
    pub fn run<H: Handler>(self, listeners: Listeners, make: impl FnOnce() -> H, ready: &mpsc::Sender<io::Result<()>>) {
        // A send fails only when the starter gave up; then the stop is on its way.
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default());
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => return drop(ready.send(Err(error))),
        };
        runtime.block_on(async {
            let handler = Rc::new(make());
            match self.start_loops(listeners, &handler) {
                Ok(loops) => {
                    let _ = ready.send(Ok(()));
                    self.serve_until_stopped(loops).await;
                }
                Err(error) => drop(ready.send(Err(error))),
            }
        });
    }

    /// Starts one accept loop a listener.
    fn start_loops<H: Handler>(&self, listeners: Listeners, handler: &Rc<H>) -> io::Result<Vec<JoinHandle<()>>> {
        let desk = Rc::new(Desk::new(
            Rc::clone(handler),
            Arc::clone(&self.connections),
            self.limits,
            Arc::clone(&self.trusted),
        ));
        let pool = Pool::new(Rc::clone(&desk), self.tls.clone())?;
        spawn_local(Rc::clone(&pool).serve());
        let mut loops = Vec::new();
        let clear = listeners.clear.map(|listener| (listener, None));
        let secure = listeners.secure.map(|listener| (listener, self.tls.clone()));
        for (listener, tls) in clear.into_iter().chain(secure) {
            let door = Door {
                desk: Rc::clone(&desk),
                pool: Rc::clone(&pool),
                tls,
                is_fast: self.is_fast,
            };
            loops.push(spawn_local(door.open(accept::watch(listener)?, self.stop.clone())));
        }
        Ok(loops)
    }

    /// Waits for the stop, then until everything accepted is answered, at most until the stop's deadline.
    async fn serve_until_stopped(mut self, loops: Vec<JoinHandle<()>>) {
        let deadline = match self.stop.wait_for(Option::is_some).await {
            Ok(deadline) => (*deadline).unwrap_or_else(Instant::now),
            // The edge is gone without a word.
            Err(_) => Instant::now(),
        };
        let end = async {
            for accepting in loops {
                let _ = accepting.await;
            }
            self.connections.drain();
            self.connections.emptied().await;
        };
        if timeout_at(deadline, end).await.is_err() {
            tracing::info!("connections cut off at the end of the grace period");
        }
    }
}

/// One listener of a worker, and what its connections are served with.
struct Door<H> {
    desk: Rc<Desk<H>>,
    pool: Rc<Pool<H>>,
    tls: Option<TlsAcceptor>,
    is_fast: bool,
}

impl<H: Handler> Door<H> {
    /// Lets connections in until the stop.
    async fn open(self, listener: Watched, mut stop: watch::Receiver<Option<Instant>>) {
        let stopped = async move {
            let _ = stop.wait_for(Option::is_some).await;
        };
        let counters = Arc::clone(&self.desk.connections.counters);
        let welcome = |stream, address| self.welcome(stream, address);
        let at_a_turn = match self.tls {
            None => ACCEPTS_AT_A_TURN,
            Some(_) => HELLOS_AT_A_TURN,
        };
        accept_until(listener, at_a_turn, &counters, stopped, welcome, || self.pool.answer()).await;
    }

    /// Hears what has come with a connection; one that may begin with a proxy's header gets a task of its own.
    fn welcome(&self, stream: AcceptedStream, address: SocketAddr) {
        let desk = &self.desk;
        let hop = Hop::new(address.ip(), self.tls.is_some(), &desk.trusted);
        let origin = (!hop.is_trusted).then(|| Origin::from(hop.peer.address));
        let Some(guest) = desk.connections.enter(origin) else {
            return;
        };
        if !self.is_fast || hop.is_trusted {
            let (desk, tls, is_fast) = (Rc::clone(desk), self.tls.clone(), self.is_fast);
            spawn_local(async move {
                if let Ok(stream) = TcpStream::from_std(stream) {
                    serve(desk, Tcp::accepted(stream), hop, guest, tls, is_fast).await;
                }
            });
            return;
        }
        let line = match &self.tls {
            None => Line::Clear(stream),
            Some(tls) => match Line::secure(stream, tls.config()) {
                Ok(line) => line,
                Err(_) => return bump(&desk.connections.counters.handshake_failures),
            },
        };
        self.pool.admit(line, hop, guest);
    }
}

/// Serves one connection, from the first bytes of a proxy or a handshake on.
async fn serve<H: Handler>(
    desk: Rc<Desk<H>>,
    stream: Tcp,
    mut hop: Hop,
    guest: Guest,
    tls: Option<TlsAcceptor>,
    is_fast: bool,
) {
    // Boxed, so that a connection does not keep the room that its handshake took.
    let opening = Box::pin(async {
        let stream = read_proxy_header(stream, &mut hop, &desk.trusted).await?;
        match tls {
            Some(tls) => tls.accept(stream).await.map(|stream| Opened::Secure(Box::new(stream))),
            None => Ok(Opened::Clear(stream)),
        }
    });
    let Ok(Ok(opened)) = timeout(desk.limits.handshake, opening).await else {
        return bump(&guest.connections.counters.handshake_failures);
    };
    match opened {
        Opened::Clear(stream) if is_fast => {
            let (read, stream) = stream.into_parts();
            go_on(desk, stream, hop, guest, Opening::with(&read)).await;
        }
        Opened::Clear(stream) => hand_over(desk, stream, hop, guest).await,
        Opened::Secure(stream) if is_http2(stream.get_ref().1) => hand_over_http2(desk, stream, hop, guest).await,
        Opened::Secure(stream) if is_fast => go_on(desk, stream, hop, guest, Opening::default()).await,
        Opened::Secure(stream) => hand_over(desk, Rewind::new(Bytes::new(), stream), hop, guest).await,
    }
}

/// Goes on with a TLS connection whose handshake the pool began at `since`, or ended, on a task of its own.
pub(super) async fn go_on_secure<H: Handler>(
    desk: Rc<Desk<H>>,
    tls: TlsAcceptor,
    secure: Box<Secure>,
    since: Instant,
    hop: Hop,
    guest: Guest,
    opening: Opening,
) {
    let Secure { socket, session, .. } = *secure;
    let Ok(socket) = TcpStream::from_std(socket) else {
        return;
    };
    let counters = &desk.connections.counters;
    let is_handshaking = session.is_handshaking();
    let (limit, failures) = match is_handshaking {
        true => (
            desk.limits.handshake.saturating_sub(since.elapsed()),
            &counters.handshake_failures,
        ),
        // There are words left that the client has not taken.
        false => (desk.limits.answer, &counters.timeouts),
    };
    let stream = Rewind::new(Bytes::new(), Tcp::accepted(socket));
    let shaken = Box::pin(tls.accept_with(stream, |fresh| *fresh = session));
    match timeout(limit, shaken).await {
        Ok(Ok(stream)) if is_http2(stream.get_ref().1) => hand_over_http2(desk, Box::new(stream), hop, guest).await,
        Ok(Ok(stream)) => go_on(desk, Box::new(stream), hop, guest, opening).await,
        // The client left while something was said to it.
        Ok(Err(_)) if !is_handshaking => {}
        Ok(Err(_)) | Err(_) => bump(failures),
    }
}

/// Lets a trusted proxy say who is behind it.
async fn read_proxy_header(stream: Tcp, hop: &mut Hop, trusted: &TrustedProxies) -> io::Result<Rewind<Tcp>> {
    if !hop.is_trusted {
        return Ok(Rewind::new(Bytes::new(), stream));
    }
    let (stream, proxied) = proxy_protocol::read_header(stream).await?;
    if let Some(proxied) = proxied {
        let is_secure = proxied.is_secure.unwrap_or(hop.peer.is_secure);
        *hop = Hop::new(proxied.address, is_secure, trusted);
    }
    Ok(stream)
}

/// Goes on with a connection on the fast path, and with hyper if it must be.
///
/// No `async fn`: that would keep its arguments besides what it makes of them, and a resting connection is little else.
pub(super) fn go_on<T, H>(
    desk: Rc<Desk<H>>,
    stream: T,
    hop: Hop,
    guest: Guest,
    opening: Opening,
) -> impl Future<Output = ()>
where
    T: Wire,
    H: Handler,
{
    let mut conversation = Conversation::new(stream, hop, opening);
    async move {
        if conversation.go_on(&desk).await {
            let (stream, read, hop) = conversation.into_parts();
            // Boxed, so that a connection that stays does not pay for hyper's state.
            Box::pin(hand_over(desk, Rewind::new(read, stream), hop, guest)).await;
        }
    }
}

/// Serves a connection with hyper.
pub(super) async fn hand_over<T, H>(desk: Rc<Desk<H>>, stream: Rewind<T>, hop: Hop, guest: Guest)
where
    T: AsyncRead + AsyncWrite + Unpin,
    H: Handler,
{
    let respond = |peer, request| desk.handler.handle(peer, request);
    serve_http1(stream, visit(&desk, hop, guest), respond).await;
}

/// Serves a connection with hyper that speaks HTTP/2.
async fn hand_over_http2<H: Handler>(desk: Rc<Desk<H>>, stream: Box<TlsStream<Rewind<Tcp>>>, hop: Hop, guest: Guest) {
    let executor = LocalExecutor(Arc::clone(&guest.connections.counters));
    let (visit, handler) = (visit(&desk, hop, guest), Rc::clone(&desk.handler));
    let respond = move |peer, request| {
        let handler = Rc::clone(&handler);
        async move { handler.handle(peer, request).await }
    };
    Box::pin(serve_http2(stream, visit, executor, respond)).await;
}

fn visit<H>(desk: &Desk<H>, hop: Hop, guest: Guest) -> Visit {
    Visit {
        guest,
        hop,
        limits: desk.limits,
        trusted: Arc::clone(&desk.trusted),
    }
}

/// A connection whose opening words have been exchanged.
enum Opened {
    Clear(Rewind<Tcp>),
    /// Boxed: a session is a kilobyte, which clear connections shall not pay for.
    Secure(Box<TlsStream<Rewind<Tcp>>>),
}

/// Runs an HTTP/2 connection's streams on its own thread, and counts those that panic.
#[derive(Clone)]
struct LocalExecutor(Arc<Counters>);

impl<F: Future + 'static> hyper::rt::Executor<F> for LocalExecutor {
    fn execute(&self, future: F) {
        let counting = CountPanic(Arc::clone(&self.0));
        spawn_local(async move {
            let _counting = counting;
            future.await;
        });
    }
}

/// Counts a panic that unwinds past it.
struct CountPanic(Arc<Counters>);

impl Drop for CountPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            bump(&self.0.panics);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::net::testing::{
        Echo, connect_tls, edge_options, eventually, exchange, proxy_header, read_to_close, status_of, write_pair,
    };
    use crate::net::{Edge, EdgeOptions, TlsConfig};
    use std::io::Write;

    const GET: &[u8] = b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\
        X-Forwarded-For: 198.51.100.1\r\nX-Forwarded-Proto: https\r\n\r\n";

    fn edge(trusted: &[&str]) -> Edge {
        let trusted_proxies = trusted.iter().map(|network| network.parse().unwrap()).collect();
        Edge::start(
            EdgeOptions {
                trusted_proxies,
                ..edge_options()
            },
            |_| Echo,
        )
        .unwrap()
    }

    /// What the handler was told about the client of `bytes`.
    fn told(edge: &Edge, bytes: &[u8]) -> String {
        exchange(edge.public_address(), bytes)
            .lines()
            .last()
            .unwrap_or_default()
            .to_string()
    }

    #[test]
    fn forwarded_headers_count_from_trusted_peers_only() {
        assert_eq!(told(&edge(&[]), GET), "GET /x 127.0.0.1 clear ");
        assert_eq!(told(&edge(&["10.0.0.0/8"]), GET), "GET /x 127.0.0.1 clear ");
        assert_eq!(told(&edge(&["127.0.0.1"]), GET), "GET /x 198.51.100.1 tls ");
    }

    #[test]
    fn proxy_headers_count_from_trusted_peers_only() {
        let bytes = [proxy_header("203.0.113.7", 0x21, &[]), GET.to_vec()].concat();
        let trusting = edge(&["127.0.0.1", "10.0.0.0/8"]);
        // The proxied client is not trusted, so its own headers are not believed.
        assert_eq!(told(&trusting, &bytes), "GET /x 203.0.113.7 clear ");
        let chained = [proxy_header("10.1.1.1", 0x21, &[]), GET.to_vec()].concat();
        assert_eq!(told(&trusting, &chained), "GET /x 198.51.100.1 tls ");
        let local = [proxy_header("203.0.113.7", 0x20, &[]), GET.to_vec()].concat();
        assert_eq!(told(&trusting, &local), "GET /x 198.51.100.1 tls ");
        let malformed = [proxy_header("203.0.113.7", 0x2f, &[]), GET.to_vec()].concat();
        assert_eq!(exchange(trusting.public_address(), &malformed), "");
        eventually("one failure counted", || {
            trusting.counters().totals().handshake_failures == 1
        });
        assert_eq!(status_of(&exchange(edge(&[]).public_address(), &bytes)), 400);
    }

    #[test]
    fn a_proxy_header_goes_before_the_tls_handshake() {
        let folder = tempfile::tempdir().unwrap();
        let pair = write_pair(folder.path(), "a", &["a.test"]);
        let options = EdgeOptions {
            listen_tls: Some("127.0.0.1:0".parse().unwrap()),
            tls: Some(TlsConfig::load(std::slice::from_ref(&pair), false).unwrap()),
            trusted_proxies: vec!["127.0.0.1".parse().unwrap()],
            ..edge_options()
        };
        let edge = Edge::start(options, |_| Echo).unwrap();
        let header = proxy_header("203.0.113.7", 0x21, &[]);
        for (header, expected) in [
            (&header[..], "GET /x 203.0.113.7 tls "),
            (b"", "GET /x 198.51.100.1 tls "),
        ] {
            let mut client = connect_tls(edge.tls_address().unwrap(), header, "a.test", &[&pair], &[]);
            client.write_all(GET).unwrap();
            assert_eq!(read_to_close(&mut client).lines().last(), Some(expected));
        }
    }
}
