//! Listening sockets: made with every option that accepted connections inherit, so that none is set per connection.

use std::io;
use std::net::{SocketAddr, TcpListener};

#[cfg(target_os = "linux")]
use nix::{setsockopt_impl, sockopt_impl};
use socket2::{Domain, Protocol, Socket, Type};

use super::error::NetError;

/// Connections that the kernel keeps for us while we are busy. 4,096: a burst of 40 ms at 100,000 a second.
pub(super) const ACCEPT_BACKLOG: i32 = 4096;

/// How long the kernel keeps a connection to itself while its client has sent nothing, in seconds. After one
/// retransmission it is delivered all the same, and the first-byte limit takes over.
#[cfg(target_os = "linux")]
const DEFER_ACCEPT_SECONDS: u32 = 1;

/// Fails when somebody listens on `address` already. SO_REUSEPORT would share the port with another process of the same
/// user and split its traffic, so the port is bound once without.
///
/// # Errors
/// [`NetError::AddressInUse`], or [`NetError::Bind`].
pub(super) fn probe(address: SocketAddr) -> Result<(), NetError> {
    if address.port() == 0 {
        return Ok(());
    }
    open(address, false)
        .map(drop)
        .map_err(|error| bind_error(address, error))
}

/// One worker's listener on `address`, sharing the port with the other workers'. Non-blocking.
///
/// # Errors
/// [`NetError::AddressInUse`], or [`NetError::Bind`].
pub(super) fn bind_shared(address: SocketAddr) -> Result<TcpListener, NetError> {
    let listen = || -> io::Result<TcpListener> {
        let socket = open(address, true)?;
        socket.set_tcp_nodelay(true)?;
        defer_accept(&socket)?;
        socket.listen(ACCEPT_BACKLOG)?;
        Ok(socket.into())
    };
    listen().map_err(|error| bind_error(address, error))
}

/// A listener on `address` that is alone on its port. Non-blocking.
///
/// # Errors
/// [`NetError::AddressInUse`], or [`NetError::Bind`].
pub(super) fn bind_alone(address: SocketAddr) -> Result<TcpListener, NetError> {
    let listen = || -> io::Result<TcpListener> {
        let socket = open(address, false)?;
        socket.set_tcp_nodelay(true)?;
        socket.listen(ACCEPT_BACKLOG)?;
        Ok(socket.into())
    };
    listen().map_err(|error| bind_error(address, error))
}

/// A bound socket. SO_REUSEADDR lets a restarted server have its port while old connections linger in TIME_WAIT.
fn open(address: SocketAddr, is_shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_address(true)?;
    if is_shared {
        socket.set_reuse_port(true)?;
    }
    socket.bind(&address.into())?;
    Ok(socket)
}

#[cfg(target_os = "linux")]
sockopt_impl!(
    /// TCP_DEFER_ACCEPT, in seconds: wakes the listener for a connection only when its first bytes are there.
    DeferAccept,
    SetOnly,
    libc::IPPROTO_TCP,
    libc::TCP_DEFER_ACCEPT,
    u32
);

/// Saves one wake-up a connection, a fifth of what a new clear one costs.
#[cfg(target_os = "linux")]
fn defer_accept(socket: &Socket) -> io::Result<()> {
    Ok(nix::sys::socket::setsockopt(
        socket,
        DeferAccept,
        &DEFER_ACCEPT_SECONDS,
    )?)
}

/// Other systems have no such option.
#[cfg(not(target_os = "linux"))]
fn defer_accept(_: &Socket) -> io::Result<()> {
    Ok(())
}

fn bind_error(address: SocketAddr, error: io::Error) -> NetError {
    match error.kind() {
        io::ErrorKind::AddrInUse => NetError::AddressInUse(address),
        _ => NetError::Bind(address, error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpStream;

    const ANY_PORT: &str = "127.0.0.1:0";

    #[test]
    fn workers_share_a_port_that_others_are_told_is_taken() {
        let first = bind_shared(ANY_PORT.parse().unwrap()).unwrap();
        let address = first.local_addr().unwrap();
        let second = bind_shared(address).unwrap();
        assert_eq!(second.local_addr().unwrap(), address);
        assert!(matches!(probe(address), Err(NetError::AddressInUse(taken)) if taken == address));
        assert!(matches!(bind_alone(address), Err(NetError::AddressInUse(_))));
        drop((first, second));
        assert!(probe(address).is_ok());
    }

    #[test]
    fn a_plain_listener_is_seen_by_the_probe() {
        let other = TcpListener::bind(ANY_PORT).unwrap();
        assert!(matches!(
            probe(other.local_addr().unwrap()),
            Err(NetError::AddressInUse(_))
        ));
    }

    #[test]
    fn an_address_of_another_machine_is_no_busy_address() {
        assert!(matches!(
            bind_alone("192.0.2.1:1".parse().unwrap()),
            Err(NetError::Bind(..))
        ));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn accepted_connections_do_not_wait_for_more_bytes() {
        let listener = bind_shared(ANY_PORT.parse().unwrap()).unwrap();
        listener.set_nonblocking(false).unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        io::Write::write_all(&mut client, b"x").unwrap();
        let (accepted, _) = listener.accept().unwrap();
        assert!(accepted.nodelay().unwrap());
    }
}
