//! Takes connections from a listener until told to stop, then empties its queue and closes it.
//!
//! What is done with a connection at once happens between two accepts; that is why only so many are taken at a turn.
//! Never ends because of an error: out of descriptors it waits and tries again, since descriptors come back.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::ops::ControlFlow;
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::counters::{Counters, bump};
use super::listen::ACCEPT_BACKLOG;

/// Wait after an accept that failed for want of resources. 50 ms: long enough not to spin, short enough for a queue of
/// 4,096.
const EXHAUSTED_WAIT: Duration = Duration::from_millis(50);

/// Connections that are taken, and perhaps answered, before the others have their turn. 32: half a millisecond.
pub(super) const ACCEPTS_AT_A_TURN: usize = 32;
/// The same where each begins with a handshake. 8: three quarters of a millisecond.
pub(super) const HELLOS_AT_A_TURN: usize = 8;

/// A listener whose readiness the reactor tells.
pub(super) type Watched = AsyncFd<TcpListener>;

/// Has the reactor watch `listener`. To be called on the runtime that accepts.
#[expect(
    deprecated,
    reason = "deprecated for types whose descriptor may change while it is watched: a listener's never does"
)]
pub(super) fn watch(listener: TcpListener) -> io::Result<Watched> {
    AsyncFd::with_interest(listener, Interest::READABLE)
}

/// Accepts on `listener`, which must not block, until `stop`, calling `serve` with each connection, and `pause` after
/// each series of them. At most `at_a_turn` are taken before the runtime's other tasks have their turn. The connections do
/// not block either.
pub(super) async fn accept_until(
    listener: Watched,
    at_a_turn: usize,
    counters: &Counters,
    stop: impl Future<Output = ()>,
    mut serve: impl FnMut(TcpStream, SocketAddr),
    mut pause: impl FnMut(),
) {
    let mut stop = std::pin::pin!(stop);
    let mut expected = 1;
    loop {
        let ready = tokio::select! {
            biased;
            () = &mut stop => break,
            ready = listener.readable() => ready,
        };
        // The reactor is gone, and the worker with it.
        let Ok(mut ready) = ready else { break };
        let turn = accept_turn(
            listener.get_ref(),
            at_a_turn,
            &mut expected,
            counters,
            &mut serve,
            &mut pause,
        );
        match turn {
            ControlFlow::Continue(()) => tokio::task::yield_now().await,
            ControlFlow::Break(error) if error.kind() == io::ErrorKind::WouldBlock => ready.clear_ready(),
            ControlFlow::Break(error) => {
                tracing::warn!(%error, "cannot accept connections");
                tokio::time::sleep(EXHAUSTED_WAIT).await;
            }
        }
    }
    // What the kernel has queued, at most a full queue: to those clients the connection stands already and their request
    // may be on its way.
    let listener = listener.into_inner();
    for _ in 0..=ACCEPT_BACKLOG as usize / at_a_turn {
        let (_, accepted) = accept_some(&listener, at_a_turn, false, counters, &mut serve);
        pause();
        if accepted.is_break() {
            break;
        }
    }
}

/// One turn: series of connections until there are no more, or `at_a_turn` were taken; breaks with the error that ended it.
///
/// As many as are `expected` are served before anybody looks whether there are more. Where connections come one by one
/// there would mostly be none; once one is served, there mostly is the next one, which then needs no wake-up.
fn accept_turn(
    listener: &TcpListener,
    at_a_turn: usize,
    expected: &mut usize,
    counters: &Counters,
    serve: &mut impl FnMut(TcpStream, SocketAddr),
    pause: &mut impl FnMut(),
) -> ControlFlow<io::Error> {
    let mut left = at_a_turn;
    // The reactor said so. Only where a full turn was all there was, nobody is.
    let mut is_one_there = true;
    while left > 0 {
        let most = left.min(*expected);
        let (count, accepted) = accept_some(listener, most, is_one_there, counters, serve);
        is_one_there = false;
        pause();
        *expected = match accepted {
            ControlFlow::Continue(()) => (*expected * 2).min(at_a_turn),
            ControlFlow::Break(_) => count.max(1),
        };
        accepted?;
        left -= most;
    }
    ControlFlow::Continue(())
}

/// Tries to accept `max` connections and says how many there were; breaks with the error that ended it before.
/// `is_one_there`: the first one need not be looked for.
fn accept_some(
    listener: &TcpListener,
    max: usize,
    mut is_one_there: bool,
    counters: &Counters,
    serve: &mut impl FnMut(TcpStream, SocketAddr),
) -> (usize, ControlFlow<io::Error>) {
    let mut count = 0;
    for _ in 0..max {
        if !std::mem::take(&mut is_one_there) && !is_anyone_there(listener) {
            return (count, ControlFlow::Break(io::ErrorKind::WouldBlock.into()));
        }
        match accept(listener) {
            Ok((stream, address)) => {
                serve(stream, address);
                count += 1;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return (count, ControlFlow::Break(error)),
            Err(error) => {
                bump(&counters.accept_errors);
                if !is_clients_fault(&error) {
                    return (count, ControlFlow::Break(error));
                }
            }
        }
    }
    (count, ControlFlow::Continue(()))
}

/// Whether a connection waits in the queue. An accept that finds none has made a socket and a file first, and takes eight
/// times as long to say so.
fn is_anyone_there(listener: &TcpListener) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut asked = [PollFd::new(listener, PollFlags::IN)];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    // Whatever is wrong, accept says it better.
    !matches!(poll(&mut asked, Some(&at_once)), Ok(0))
}

/// One connection that does not block, for one system call.
#[cfg(target_os = "linux")]
fn accept(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    use rustix::net::{SocketFlags, acceptfrom_with};
    let (stream, address) = acceptfrom_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)?;
    let address = address.ok_or_else(|| io::Error::from(io::ErrorKind::ConnectionAborted))?;
    Ok((stream.into(), address.try_into()?))
}

/// Other systems take two.
#[cfg(not(target_os = "linux"))]
fn accept(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    let (stream, address) = listener.accept()?;
    stream.set_nonblocking(true)?;
    Ok((stream, address))
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
    use std::cell::RefCell;
    use std::io::Write;

    #[test]
    fn running_out_of_descriptors_is_nobodys_fault_but_ours() {
        for code in [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM] {
            assert!(!is_clients_fault(&io::Error::from_raw_os_error(code)));
        }
        assert!(is_clients_fault(&io::Error::from_raw_os_error(libc::ECONNABORTED)));
    }

    #[test]
    fn it_is_known_whether_anyone_is_there() {
        let listener = bind_shared("127.0.0.1:0".parse().unwrap()).unwrap();
        assert!(!is_anyone_there(&listener));
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        client.write_all(b"x").unwrap();
        assert!(is_anyone_there(&listener));
        accept(&listener).unwrap();
        assert!(!is_anyone_there(&listener));
    }

    #[test]
    fn a_turn_asks_for_more_only_once_those_expected_are_served() {
        let listener = bind_shared("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let mut expected = 1;
        // How many connect, what a turn of eight does with them, and how many it expects the next time.
        for (number, steps, then) in [
            (1, "s..", 1),
            (5, "s.ss.ss.", 2),
            (2, "ss..", 1),
            // One is left for the next turn.
            (9, "s.ss.ssss.s.", 8),
            (0, "s.", 1),
            (0, ".", 1),
        ] {
            let clients: Vec<_> = (0..number)
                .map(|_| {
                    let mut client = TcpStream::connect(address).unwrap();
                    client.write_all(b"x").unwrap();
                    client
                })
                .collect();
            let done = RefCell::new(String::new());
            let mut serve = |_, _| done.borrow_mut().push('s');
            let mut pause = || done.borrow_mut().push('.');
            let turn = accept_turn(
                &listener,
                8,
                &mut expected,
                &Counters::default(),
                &mut serve,
                &mut pause,
            );
            assert_eq!((&**done.borrow(), expected), (steps, then), "{number}");
            assert_eq!(turn.is_continue(), number == 9);
            drop(clients);
        }
    }

    #[tokio::test]
    async fn the_queue_is_emptied_before_the_listener_closes() {
        let listener = bind_shared("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let clients: Vec<_> = (0..20)
            .map(|_| {
                let mut client = TcpStream::connect(address).unwrap();
                client.write_all(b"x").unwrap();
                client
            })
            .collect();
        let listener = watch(listener).unwrap();
        let mut served = Vec::new();
        let mut pauses = 0;
        let (stop, counters) = (std::future::ready(()), Counters::default());
        accept_until(
            listener,
            ACCEPTS_AT_A_TURN,
            &counters,
            stop,
            |_, peer| served.push(peer),
            || pauses += 1,
        )
        .await;
        assert_eq!(pauses, 1);
        served.sort_unstable();
        let mut expected: Vec<_> = clients.iter().map(|client| client.local_addr().unwrap()).collect();
        expected.sort_unstable();
        assert_eq!(served, expected);
        assert!(TcpStream::connect(address).is_err());
    }
}
