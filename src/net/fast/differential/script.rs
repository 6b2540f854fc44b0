//! A connection in memory whose other end follows a script: bytes come piece by piece, each once everybody waits.

#![cfg(test)]

use std::cell::RefCell;
use std::io::{self, ErrorKind, Read, Write};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, Wake, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::inputs::Input;
use crate::net::fast::exchange::Say;
use crate::net::wire::{After, Wire};

/// Polls of a future that neither read nor wrote, after which it is taken for stuck.
const STUCK: usize = 4;

struct State {
    bytes: Vec<u8>,
    /// The ends of the pieces.
    ends: Vec<usize>,
    read: usize,
    /// The end of the piece that may be read now.
    open_to: usize,
    is_end_open: bool,
    sent: Vec<u8>,
    /// Most bytes taken at once, and whether some were in this turn.
    takes_max: usize,
    took: bool,
}

/// One end of the connection; clones share it.
#[derive(Clone)]
pub struct Script(Rc<RefCell<State>>);

impl Wire for Script {}

impl Script {
    /// The client of `input`, who hangs up when he has sent it.
    pub fn new(input: &Input) -> Self {
        let mut ends = input.cuts.clone();
        ends.push(input.bytes.len());
        Self(Rc::new(RefCell::new(State {
            bytes: input.bytes.clone(),
            ends,
            read: 0,
            open_to: 0,
            is_end_open: false,
            sent: Vec::new(),
            takes_max: input.takes_max,
            took: false,
        })))
    }

    /// Lets the next piece come, or the end.
    pub fn open(&self) {
        let mut state = self.0.borrow_mut();
        let open_to = state.open_to;
        match state.ends.iter().find(|end| **end > open_to).copied() {
            Some(end) => state.open_to = end,
            None => state.is_end_open = true,
        }
    }

    /// What was sent to the client.
    pub fn sent(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.borrow_mut().sent)
    }

    /// Runs `serving` to its end: whenever it waits, the next piece comes. False when it waits for nothing.
    pub async fn play(&self, serving: impl Future<Output = ()>) -> bool {
        let mut serving = pin!(serving);
        let woken = Arc::new(Woken(AtomicBool::new(false)));
        let waker = Waker::from(Arc::clone(&woken));
        let playing = std::future::poll_fn(|_| {
            let mut idle = 0;
            loop {
                self.0.borrow_mut().took = false;
                if serving.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                    return Poll::Ready(true);
                }
                // It has more to do, whatever comes.
                if woken.0.swap(false, Relaxed) || self.0.borrow().took {
                    continue;
                }
                idle = if self.0.borrow().is_end_open { idle + 1 } else { 0 };
                if idle > STUCK {
                    return Poll::Ready(false);
                }
                self.open();
            }
        });
        tokio::task::unconstrained(playing).await
    }
}

/// Whether somebody asked to be polled again.
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Relaxed);
    }
}

impl Read for Script {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut state = self.0.borrow_mut();
        let (from, to) = (state.read, state.open_to.min(state.read + buf.len()));
        if from == to && !(state.is_end_open && from == state.bytes.len()) {
            return Err(ErrorKind::WouldBlock.into());
        }
        buf[..to - from].copy_from_slice(&state.bytes[from..to]);
        state.read = to;
        Ok(to - from)
    }
}

impl Write for Script {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.0.borrow_mut();
        if state.took && state.takes_max < usize::MAX {
            return Err(ErrorKind::WouldBlock.into());
        }
        state.took = true;
        let length = bytes.len().min(state.takes_max);
        state.sent.extend_from_slice(&bytes[..length]);
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Say for Script {
    fn say(&mut self, bytes: &[u8], _: After) -> io::Result<usize> {
        self.write(bytes)
    }
}

impl AsyncRead for Script {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.read(buf.initialize_unfilled()) {
            Ok(length) => {
                buf.advance(length);
                Poll::Ready(Ok(()))
            }
            Err(_) => Poll::Pending,
        }
    }
}

impl AsyncWrite for Script {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.write(bytes)
            .map_or(Poll::Pending, |length| Poll::Ready(Ok(length)))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
