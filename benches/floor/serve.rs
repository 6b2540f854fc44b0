//! The event loop. A connection is answered at once after it is accepted where it can be, and only then registered.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, RawFd};

use nix::{setsockopt_impl, sockopt_impl};
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::net::SocketFlags;
use socket2::{Domain, Socket, Type};

use crate::answer::{ANSWER, is_whole};

/// As the server under test has it.
const BACKLOG: i32 = 4096;
const DEFER_SECONDS: u32 = 1;
const READ_MAX: usize = 64 * 1024;
const EVENTS: usize = 512;
/// The listener's number among the events: no descriptor has it.
const LISTENER: u64 = u64::MAX;

/// How the bytes of a connection are spoken.
pub trait Speech {
    /// Takes what is there; how many bytes of the request that were, `None` = nothing more now.
    fn read(&mut self, socket: &TcpStream, buffer: &mut [u8]) -> io::Result<Option<usize>>;
    /// Says `bytes`; the last words when `is_last`.
    fn write(&mut self, socket: &TcpStream, bytes: &[u8], is_last: bool) -> io::Result<()>;
}

/// In clear text.
pub struct Clear;

impl Speech for Clear {
    fn read(&mut self, mut socket: &TcpStream, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        nothing_yet(socket.read(buffer))
    }

    fn write(&mut self, mut socket: &TcpStream, bytes: &[u8], _: bool) -> io::Result<()> {
        // An answer fits into any socket's buffer.
        socket.write_all(bytes)
    }
}

pub fn nothing_yet(read: io::Result<usize>) -> io::Result<Option<usize>> {
    match read {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        other => other.map(Some),
    }
}

struct Connection<S> {
    socket: TcpStream,
    speech: S,
    /// The part of a request that has come; empty for those that come at once.
    kept: Vec<u8>,
}

sockopt_impl!(
    /// TCP_DEFER_ACCEPT: the listener wakes when the first bytes are there.
    DeferAccept,
    SetOnly,
    libc::IPPROTO_TCP,
    libc::TCP_DEFER_ACCEPT,
    u32
);

fn listen(address: SocketAddr, is_deferred: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.set_tcp_nodelay(true)?;
    if is_deferred {
        nix::sys::socket::setsockopt(&socket, DeferAccept, &DEFER_SECONDS)?;
    }
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Serves until it is killed.
pub fn run<S: Speech>(address: SocketAddr, is_deferred: bool, speech: impl Fn() -> S) {
    let listener = listen(address, is_deferred).expect("the address is free");
    let queue = epoll::create(epoll::CreateFlags::CLOEXEC).expect("an event queue");
    epoll::add(&queue, &listener, EventData::new_u64(LISTENER), EventFlags::IN).expect("registered");
    println!("listening {address}");
    let mut connections: Vec<Option<Connection<S>>> = Vec::new();
    let mut buffer = vec![0; READ_MAX];
    let mut events = Vec::with_capacity(EVENTS);
    loop {
        // A signal may interrupt it; the next look finds what is there.
        let _ = epoll::wait(&queue, spare_capacity(&mut events), None);
        for event in events.drain(..) {
            match event.data.u64() {
                LISTENER => accept(&listener, &queue, &mut connections, &mut buffer, &speech),
                place => {
                    let Some(slot) = connections.get_mut(place as usize) else {
                        continue;
                    };
                    // Closing takes it out of the queue as well.
                    if slot.as_mut().is_some_and(|connection| !connection.go_on(&mut buffer)) {
                        *slot = None;
                    }
                }
            }
        }
    }
}

fn accept<S: Speech>(
    listener: &TcpListener,
    queue: &std::os::fd::OwnedFd,
    connections: &mut Vec<Option<Connection<S>>>,
    buffer: &mut [u8],
    speech: &impl Fn() -> S,
) {
    while let Ok(socket) = rustix::net::accept_with(listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
        let mut connection = Connection {
            socket: socket.into(),
            speech: speech(),
            kept: Vec::new(),
        };
        if !connection.go_on(buffer) {
            continue;
        }
        let place: RawFd = connection.socket.as_raw_fd();
        let place = usize::try_from(place).expect("a descriptor");
        let added = epoll::add(
            queue,
            &connection.socket,
            EventData::new_u64(place as u64),
            EventFlags::IN,
        );
        if added.is_ok() {
            if connections.len() <= place {
                connections.resize_with(place + 1, || None);
            }
            connections[place] = Some(connection);
        }
    }
}

impl<S: Speech> Connection<S> {
    /// Answers what is there. Whether the connection stays.
    fn go_on(&mut self, buffer: &mut [u8]) -> bool {
        match self.speech.read(&self.socket, buffer) {
            Ok(Some(0)) | Err(_) => false,
            Ok(None) => true,
            Ok(Some(read)) if self.kept.is_empty() => match is_whole(&buffer[..read]) {
                Some(is_last) => self.answer(is_last),
                None => {
                    self.kept.extend_from_slice(&buffer[..read]);
                    true
                }
            },
            Ok(Some(read)) => {
                self.kept.extend_from_slice(&buffer[..read]);
                let Some(is_last) = is_whole(&self.kept) else {
                    return self.kept.len() < READ_MAX;
                };
                self.kept.clear();
                self.answer(is_last)
            }
        }
    }

    fn answer(&mut self, is_last: bool) -> bool {
        let is_said = self.speech.write(&self.socket, ANSWER, is_last).is_ok();
        is_said && !is_last
    }
}
