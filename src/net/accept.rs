//! Takes connections from a listener until told to stop, then empties its queue and closes it.
//!
//! Never ends because of an error: out of descriptors it waits and tries again, since descriptors come back.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

use super::connections::{Connections, Guest};
use super::counters::bump;
use super::listen::ACCEPT_BACKLOG;

/// Wait after an accept that failed for want of resources. 50 ms: long enough not to spin, short enough for a queue of
/// 4,096.
const EXHAUSTED_WAIT: Duration = Duration::from_millis(50);

/// Accepts on `listener` until `stop`, calling `serve` with each connection that may be.
pub(super) async fn accept_until(
    listener: TcpListener,
    connections: &Arc<Connections>,
    stop: impl Future<Output = ()>,
    mut serve: impl FnMut(TcpStream, SocketAddr, Guest),
) {
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut stop => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, address)) => {
                if let Some(guest) = connections.enter() {
                    serve(stream, address, guest);
                }
            }
            Err(error) => {
                bump(&connections.counters.accept_errors);
                if !is_clients_fault(&error) {
                    tracing::warn!(%error, "cannot accept connections");
                    tokio::time::sleep(EXHAUSTED_WAIT).await;
                }
            }
        }
    }
    empty_queue(listener, connections, serve);
}

/// Accepts what the kernel has queued, at most a full queue, and closes the listener. To those clients the connection
/// stands already and their request may be on its way.
fn empty_queue(
    listener: TcpListener,
    connections: &Arc<Connections>,
    mut serve: impl FnMut(TcpStream, SocketAddr, Guest),
) {
    let Ok(listener) = listener.into_std() else { return };
    for _ in 0..=ACCEPT_BACKLOG {
        match listener.accept() {
            Ok((stream, address)) => {
                let Some(guest) = connections.enter() else { continue };
                let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
                match stream {
                    Ok(stream) => serve(stream, address, guest),
                    Err(_) => bump(&connections.counters.accept_errors),
                }
            }
            Err(error) if is_clients_fault(&error) => bump(&connections.counters.accept_errors),
            Err(_) => return,
        }
    }
}

/// Whether the next accept may succeed at once: the client left while it was queued, or a signal came.
fn is_clients_fault(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::listen::bind_shared;
    use std::io::Write;

    #[test]
    fn running_out_of_descriptors_is_nobodys_fault_but_ours() {
        for code in [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM] {
            assert!(!is_clients_fault(&io::Error::from_raw_os_error(code)));
        }
        assert!(is_clients_fault(&io::Error::from_raw_os_error(libc::ECONNABORTED)));
    }

    #[tokio::test]
    async fn the_queue_is_emptied_before_the_listener_closes() {
        let listener = bind_shared("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let clients: Vec<_> = (0..20)
            .map(|_| {
                let mut client = std::net::TcpStream::connect(address).unwrap();
                client.write_all(b"x").unwrap();
                client
            })
            .collect();
        let connections = Connections::new(Arc::default(), Arc::default(), 100);
        let listener = TcpListener::from_std(listener).unwrap();
        let mut served = Vec::new();
        accept_until(listener, &connections, std::future::ready(()), |_, peer, _| {
            served.push(peer)
        })
        .await;
        served.sort_unstable();
        let mut expected: Vec<_> = clients.iter().map(|client| client.local_addr().unwrap()).collect();
        expected.sort_unstable();
        assert_eq!(served, expected);
        assert!(std::net::TcpStream::connect(address).is_err());
    }
}
