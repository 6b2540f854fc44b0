//! Which of many sockets have something to read: an event queue within the runtime's own, so that a connection at rest
//! needs no task.
//!
//! Edge-triggered: a socket is told once for what has come, so whoever is told reads until there is less than asked for.

#[cfg(target_os = "linux")]
pub(super) use linux::Queue;
#[cfg(not(target_os = "linux"))]
pub(super) use other::Queue;

/// A socket that has something to read.
pub(super) struct Ready {
    pub key: u32,
    /// Whether the client sends no more.
    pub is_ending: bool,
}

#[cfg(target_os = "linux")]
mod linux {
    use std::cell::RefCell;
    use std::io;
    use std::net::TcpStream;
    use std::os::fd::OwnedFd;

    use rustix::buffer::spare_capacity;
    use rustix::event::Timespec;
    use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    use super::Ready;

    /// At once: the runtime has waited.
    const NOW: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

    /// epoll(7) in epoll.
    pub(in super::super) struct Queue {
        queue: AsyncFd<OwnedFd>,
        events: RefCell<Vec<Event>>,
    }

    impl Queue {
        /// A queue that tells of at most `most` sockets at a time. To be called on the runtime that waits.
        #[expect(
            deprecated,
            reason = "deprecated for types whose descriptor may change while it is watched: an epoll's never does"
        )]
        pub fn new(most: usize) -> io::Result<Self> {
            let queue = epoll::create(CreateFlags::CLOEXEC)?;
            Ok(Self {
                queue: AsyncFd::with_interest(queue, Interest::READABLE)?,
                events: RefCell::new(Vec::with_capacity(most)),
            })
        }

        /// Tells of `stream` from now on, also of what has come before.
        pub fn watch(&self, stream: &TcpStream, key: u32) -> io::Result<()> {
            let flags = EventFlags::IN | EventFlags::RDHUP | EventFlags::ET;
            Ok(epoll::add(
                self.queue.get_ref(),
                stream,
                EventData::new_u64(key.into()),
                flags,
            )?)
        }

        /// Tells of `stream` no longer. Needless for one that is closed.
        pub fn forget(&self, stream: &TcpStream) {
            // One that is not there is forgotten.
            let _ = epoll::delete(self.queue.get_ref(), stream);
        }

        /// Waits until there is something to tell, and calls `tell` for each socket that has something; whether those
        /// were all.
        pub async fn take(&self, mut tell: impl FnMut(Ready)) -> io::Result<bool> {
            let mut ready = self.queue.readable().await?;
            let mut events = self.events.borrow_mut();
            events.clear();
            // A signal may interrupt it; what is there is told the next time.
            let _ = epoll::wait(self.queue.get_ref(), spare_capacity(&mut events), Some(&NOW));
            let are_all = events.len() < events.capacity();
            if are_all {
                ready.clear_ready();
            }
            for event in events.iter() {
                let (flags, data) = (event.flags, event.data);
                tell(Ready {
                    // Keys are all that was given.
                    key: data.u64() as u32,
                    is_ending: flags.intersects(EventFlags::RDHUP | EventFlags::HUP | EventFlags::ERR),
                });
            }
            Ok(are_all)
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    use std::io;
    use std::net::TcpStream;

    use super::Ready;

    /// Watches nothing: every connection has its task.
    pub(in super::super) struct Queue;

    impl Queue {
        pub fn new(_most: usize) -> io::Result<Self> {
            Ok(Self)
        }

        pub fn watch(&self, _stream: &TcpStream, _key: u32) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub fn forget(&self, _stream: &TcpStream) {}

        pub async fn take(&self, _tell: impl FnMut(Ready)) -> io::Result<bool> {
            std::future::pending().await
        }
    }
}
