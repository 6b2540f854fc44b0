//! Runs one connection to its end, and decides when that is.
//!
//! A connection ends when the client closes, when a phase outlasts its limit, or, while its group drains, after the
//! request that it is in. One timer a connection, moved only when it would ring too late.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::{Poll, ready};
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::server::conn::{http1, http2};
use tokio::time::Instant;

use super::connections::Connections;
use super::counters::bump;
use super::limits::Limits;
use super::watch::{Phase, Watch, limit};

/// How long a draining connection without a request is read on. 100 ms: what reached the socket before the stop is read
/// in the next turn of the reactor; a client that is silent that long has sent nothing.
const DRAIN_LINGER: Duration = Duration::from_millis(100);
/// For saying goodbye (TLS close, HTTP/2 GOAWAY) on a connection that has nothing more to do. 1 s.
const GOODBYE: Duration = Duration::from_secs(1);

/// What every connection can: end after what they are doing.
pub(super) trait Graceful: Future {
    fn shut_down(self: Pin<&mut Self>);
}

impl<T, S, B> Graceful for http1::Connection<T, S>
where
    Self: Future<Output = hyper::Result<()>>,
    T: hyper::rt::Read + hyper::rt::Write + Unpin,
    S: hyper::service::HttpService<Incoming, ResBody = B>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn shut_down(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<T, S, B, E> Graceful for http2::Connection<T, S, E>
where
    Self: Future<Output = hyper::Result<()>>,
    T: hyper::rt::Read + hyper::rt::Write + Unpin,
    S: hyper::service::HttpService<Incoming, ResBody = B>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    E: hyper::rt::bounds::Http2ServerConnExec<S::Future, B>,
{
    fn shut_down(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

/// How far a connection is on its way out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Course {
    Serving,
    Draining,
    Leaving,
}

/// How long `phase` may last on this course.
fn allowed(phase: Phase, course: Course, limits: &Limits) -> Duration {
    match (course, phase) {
        (Course::Leaving, _) => GOODBYE,
        (Course::Draining, Phase::FirstByte | Phase::Idle) => DRAIN_LINGER.min(limit(phase, limits)),
        _ => limit(phase, limits),
    }
}

/// Runs `connection` under the limits: to its end, or `None` when a limit ended it.
pub(super) async fn drive<C: Graceful>(
    mut connection: Pin<&mut C>,
    watch: &Watch,
    limits: &Limits,
    connections: &Connections,
) -> Option<C::Output> {
    let mut draining = pin!(connections.draining());
    let mut is_told = false;
    let mut deadline = Instant::now() + allowed(watch.phase(), Course::Serving, limits);
    let mut timer = pin!(tokio::time::sleep_until(deadline));
    let mut course = Course::Serving;
    // Whether the timer wakes this task.
    let mut is_set = false;
    poll_fn(|cx| {
        loop {
            if let Poll::Ready(end) = connection.as_mut().poll(cx) {
                return Poll::Ready(Some(end));
            }
            let mut has_changed = watch.take_change();
            // Asked once to be woken; from then on the flag tells without a lock.
            let may_drain = course == Course::Serving && (!is_told || connections.is_draining());
            is_told = true;
            if may_drain && draining.as_mut().poll(cx).is_ready() {
                course = Course::Draining;
                has_changed = true;
                if watch.is_http2() {
                    connection.as_mut().shut_down();
                    deadline = Instant::now() + allowed(watch.phase(), course, limits);
                    continue;
                }
            }
            let now = match has_changed {
                true => Instant::now(),
                // Not known, and not needed.
                false => timer.deadline(),
            };
            if has_changed && course != Course::Leaving {
                deadline = now + allowed(watch.phase(), course, limits);
            }
            // The timer is moved only when it would ring too late. Ringing too early is cheap and rare.
            if deadline < timer.deadline() {
                timer.as_mut().reset(deadline);
                is_set = false;
            }
            // Set, it is not asked before it is due: whoever comes has just been served.
            if is_set && has_changed && now < timer.deadline() {
                return Poll::Pending;
            }
            is_set = true;
            ready!(timer.as_mut().poll(cx));
            if Instant::now() < deadline {
                timer.as_mut().reset(deadline);
                is_set = false;
            } else if watch.phase() == Phase::Idle && course != Course::Leaving {
                course = Course::Leaving;
                connection.as_mut().shut_down();
                deadline = Instant::now() + GOODBYE;
                timer.as_mut().reset(deadline);
                is_set = false;
            } else {
                if watch.phase() != Phase::Idle && !(course == Course::Draining && watch.phase() == Phase::FirstByte) {
                    bump(&connections.counters.timeouts);
                }
                return Poll::Ready(None);
            }
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drain_shortens_only_what_has_no_request() {
        let limits = Limits::default();
        for (phase, expected) in [
            (Phase::FirstByte, DRAIN_LINGER),
            (Phase::Idle, DRAIN_LINGER),
            (Phase::Head, limits.header),
            (Phase::Request, limits.request),
            (Phase::Answer, limits.answer),
        ] {
            assert_eq!(allowed(phase, Course::Draining, &limits), expected);
            assert_eq!(allowed(phase, Course::Serving, &limits), limit(phase, &limits));
            assert_eq!(allowed(phase, Course::Leaving, &limits), GOODBYE);
        }
    }
}
