//! The stream under hyper: notes the phases of the connection and hands HTTP/1 out one head at a time.
//!
//! One head at a time, because only then is it known for certain which bytes are a head when the next request was sent
//! ahead. Bytes that came too early are held; a client that does not send ahead costs no copy.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::head_scan::HeadScan;
use super::watch::{BodyLength, Watch};

/// Where in the byte stream hyper stands.
enum Place {
    Head(HeadScan),
    /// Behind a head, whose request tells how long the body is.
    HeadEnded,
    /// Inside a body with this many bytes to come.
    Body(u64),
    /// Unframed for us: HTTP/2, or behind a chunked body, after which the connection closes.
    Through,
}

/// `inner`, watched.
pub(super) struct Guarded<T> {
    inner: T,
    watch: Arc<Watch>,
    place: Place,
    /// Bytes read that hyper may not have yet. At most one read buffer of hyper's.
    held: Bytes,
}

impl<T> Guarded<T> {
    /// Watches `inner`.
    pub fn new(inner: T, watch: Arc<Watch>) -> Self {
        let place = if watch.is_http2() {
            Place::Through
        } else {
            Place::Head(HeadScan::default())
        };
        Self {
            inner,
            watch,
            place,
            held: Bytes::new(),
        }
    }

    /// How many of `bytes` hyper may have now; at least one.
    fn admit(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match &mut self.place {
                Place::Through => return Ok(bytes.len()),
                Place::Head(scan) => {
                    let Some(end) = scan.feed(bytes) else {
                        return Ok(bytes.len());
                    };
                    self.watch.head_ended(end.content_lengths);
                    self.place = Place::HeadEnded;
                    return Ok(end.length);
                }
                Place::HeadEnded => match self.watch.take_body() {
                    Some(BodyLength::Known(0)) => self.place = Place::Head(HeadScan::default()),
                    Some(BodyLength::Known(length)) => self.place = Place::Body(length),
                    Some(BodyLength::Chunked) => self.place = Place::Through,
                    // hyper and this file disagree about where a head ends. Neither is trusted further.
                    None => {
                        return Err(io::Error::new(
                            io::ErrorKind::InvalidData,
                            "unclear end of a request head",
                        ));
                    }
                },
                Place::Body(remaining) => {
                    let length = bytes.len().min(usize::try_from(*remaining).unwrap_or(usize::MAX));
                    *remaining -= length as u64;
                    if *remaining == 0 {
                        self.place = Place::Head(HeadScan::default());
                    }
                    return Ok(length);
                }
            }
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Guarded<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.held.is_empty() {
            let offered = this.held.slice(..this.held.len().min(buf.remaining()));
            let admitted = this.admit(&offered)?;
            buf.put_slice(&offered[..admitted]);
            this.held.advance(admitted);
            this.watch.read();
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.inner).poll_read(cx, buf))?;
        let read = buf.filled().len() - before;
        if read > 0 {
            let admitted = this.admit(&buf.filled()[before..])?;
            if admitted < read {
                this.held = Bytes::copy_from_slice(&buf.filled()[before + admitted..]);
                buf.set_filled(before + admitted);
            }
            this.watch.read();
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Guarded<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.inner).poll_write(cx, bytes))?;
        self.watch.wrote();
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.inner).poll_flush(cx))?;
        self.watch.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::watch::Phase;
    use tokio::io::AsyncReadExt;

    #[tokio::test]
    async fn requests_sent_ahead_come_one_by_one() {
        let watch = Arc::new(Watch::new(false, Phase::FirstByte));
        let sent = b"POST / HTTP/1.1\nContent-Length: 3\n\nabcGET / HTTP/1.1\n\n";
        let mut stream = Guarded::new(&sent[..], Arc::clone(&watch));
        let mut buffer = [0; 256];
        let read = stream.read(&mut buffer).await.unwrap();
        assert_eq!((&buffer[..read], watch.content_lengths()), (&sent[..35], 1));
        drop(watch.begin(BodyLength::Known(3)));
        let read = stream.read(&mut buffer).await.unwrap();
        assert_eq!(&buffer[..read], b"abc");
        let read = stream.read(&mut buffer).await.unwrap();
        assert_eq!(
            (&buffer[..read], watch.content_lengths()),
            (&b"GET / HTTP/1.1\n\n"[..], 0)
        );
        assert_eq!(stream.read(&mut buffer).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn bytes_behind_a_head_that_made_no_request_are_refused() {
        let mut stream = Guarded::new(
            &b"GET / HTTP/1.1\n\nmore"[..],
            Arc::new(Watch::new(false, Phase::FirstByte)),
        );
        let mut buffer = [0; 256];
        assert_eq!(stream.read(&mut buffer).await.unwrap(), 16);
        assert_eq!(
            stream.read(&mut buffer).await.unwrap_err().kind(),
            io::ErrorKind::InvalidData
        );
    }
}
