//! A connection as it is spoken over: a socket, or TLS on one. Knows when something is said last, and does without
//! system calls that nothing hangs on.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::pin::Pin;
use std::task::{Context, Poll};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::rewind::Rewind;

/// A stream that can be told which words are its last.
pub(super) trait Wire: AsyncRead + AsyncWrite + Unpin {
    /// As `poll_write`; nothing follows `bytes`.
    fn poll_write_last(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(self).poll_write(cx, bytes)
    }
}

impl Wire for TcpStream {}
impl Wire for Tcp {}
impl<T: AsyncRead + AsyncWrite + Unpin> Wire for Rewind<T> {}

impl<W: Wire + ?Sized> Wire for Box<W> {
    fn poll_write_last(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        (**self).poll_write_last(cx, bytes)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Wire for TlsStream<T> {
    /// With the alert that ends the session (RFC 8446 section 6.1) in the same send.
    fn poll_write_last(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let session = self.get_mut().1;
        let taken = session.writer().write(bytes)?;
        if taken == bytes.len() {
            session.send_close_notify();
        }
        match Pin::new(self).poll_flush(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            // The session holds what did not go out, and flushing goes on.
            _ if taken > 0 => Poll::Ready(Ok(taken)),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
        }
    }
}

/// A socket that is tried before the reactor is asked: it was accepted with its first bytes, and an answer nearly always
/// fits.
pub(super) struct Tcp {
    socket: TcpStream,
    /// Whether nothing was read yet.
    is_fresh: bool,
}

impl Tcp {
    /// A socket that was just accepted.
    pub fn accepted(socket: TcpStream) -> Self {
        Self { socket, is_fresh: true }
    }
}

impl AsyncRead for Tcp {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if std::mem::take(&mut self.is_fresh) {
            match (&*SockRef::from(&self.socket)).read(buf.initialize_unfilled()) {
                Ok(length) => {
                    buf.advance(length);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if is_later(&error) => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Pin::new(&mut self.socket).poll_read(cx, buf)
    }
}

impl AsyncWrite for Tcp {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match (&*SockRef::from(&self.socket)).write(bytes) {
            Err(error) if is_later(&error) => Pin::new(&mut self.socket).poll_write(cx, bytes),
            written => Poll::Ready(written),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match (&*SockRef::from(&self.socket)).write_vectored(slices) {
            Err(error) if is_later(&error) => Pin::new(&mut self.socket).poll_write_vectored(cx, slices),
            written => Poll::Ready(written),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Whoever shuts it down drops it next, and closing says the same.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn is_later(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// What follows some words on a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// Perhaps more.
    More,
    /// Nothing.
    End,
    /// Nothing, and the client has said that it says no more either: the socket is closed next, and that is the end.
    Close,
}

/// Sends `bytes` and, if they are the last ones, the end of the stream in the same packet: one less for both sides, a tenth
/// of what a short connection costs. How many were taken; without the rest of them there is no end.
///
/// # Errors
/// As `write` on a socket that does not block.
pub(super) fn send(socket: &std::net::TcpStream, bytes: &[u8], after: After) -> io::Result<usize> {
    if after == After::More {
        return calls::send(socket, bytes, false);
    }
    let sent = send_held_back(socket, bytes)?;
    if sent == bytes.len() && after == After::End {
        send_end(socket);
    }
    Ok(sent)
}

/// Sends `bytes`, of which the system may hold back the last ones for what follows: more, or [`send_end`].
///
/// # Errors
/// As `write` on a socket that does not block.
pub(super) fn send_held_back(socket: &std::net::TcpStream, bytes: &[u8]) -> io::Result<usize> {
    calls::send(socket, bytes, true)
}

/// Receives into `buffer`; 0 when the client says no more.
///
/// # Errors
/// As `read` on a socket that does not block.
pub(super) fn receive(socket: &std::net::TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    calls::receive(socket, buffer)
}

/// The two calls that each redirect takes, without the C library around them: in a program with several threads it first
/// lets the thread be cancelled and then forbids it again, which nobody here asks for.
#[cfg(target_os = "linux")]
mod calls {
    use std::io;
    use std::net::TcpStream;

    use rustix::net::{RecvFlags, SendFlags};

    pub fn receive(socket: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
        let (length, _) = rustix::net::recv(socket, buffer, RecvFlags::empty())?;
        Ok(length)
    }

    pub fn send(socket: &TcpStream, bytes: &[u8], is_held_back: bool) -> io::Result<usize> {
        let held_back = if is_held_back {
            SendFlags::MORE
        } else {
            SendFlags::empty()
        };
        Ok(rustix::net::send(socket, bytes, SendFlags::NOSIGNAL | held_back)?)
    }
}

/// As the standard library has them. Other systems send at once.
#[cfg(not(target_os = "linux"))]
mod calls {
    use std::io::{self, Read, Write};
    use std::net::TcpStream;

    pub fn receive(mut socket: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
        socket.read(buffer)
    }

    pub fn send(mut socket: &TcpStream, bytes: &[u8], _: bool) -> io::Result<usize> {
        socket.write(bytes)
    }
}

/// Ends what is sent, after what was held back. Closing alone would throw that away when the client has sent something that
/// nobody read.
pub(super) fn send_end(socket: &std::net::TcpStream) {
    // To a client that is gone there is nothing to end.
    let _ = socket.shutdown(Shutdown::Write);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::testing::{connect, read_to_close};
    use std::net::TcpListener;

    #[test]
    fn last_words_arrive_whatever_the_client_has_sent() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        for is_unread in [false, true] {
            let mut client = connect(listener.local_addr().unwrap());
            let (server, _) = listener.accept().unwrap();
            if is_unread {
                client.write_all(b"nobody reads this").unwrap();
                server.peek(&mut [0]).unwrap();
            }
            for word in ["held ", "back, "] {
                assert_eq!(send_held_back(&server, word.as_bytes()).unwrap(), word.len());
            }
            assert_eq!(send(&server, b"last", After::End).unwrap(), 4);
            assert!((&server).write(b"x").is_err(), "ended");
            drop(server);
            assert_eq!(read_to_close(&mut client), "held back, last");
        }
    }
}
