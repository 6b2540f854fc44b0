//! Who comes before the stores are open: waits a moment, and is told to come back when that was not enough.
//!
//! Listening comes first, so that a restart refuses nobody a connection. Stores usually open in less than a fifth of a second,
//! which followers do not notice; books of an older format, or clicks that a killed process left, may take longer, and a
//! follower who stares at nothing for a minute is worse off than one who is told. Answers nothing else by itself.

use std::cell::{Cell, OnceCell};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::{Method, Request, Response};
use tokio::sync::watch;

use super::reply;
use crate::net::{AnswerLines, AtOnce, Glance, Handler, Head, Peer};
use crate::redirect::{Counters, Refusal};

/// How long one waits. 1 s: several times what opening usually takes, and still a page that loads.
pub const FOYER_PATIENCE: Duration = Duration::from_secs(1);
/// Most requests that wait at a worker at once; who comes then is told at once. 1,024: with what hyper keeps for each
/// connection some 10 MB.
const WAITING_MAX: usize = 1024;

/// Makes a worker's handler.
type Make<H> = Arc<dyn Fn(usize) -> H + Send + Sync>;

/// What the workers' foyers lead to, once it is open. Clones are one house.
pub struct House<H> {
    make: watch::Sender<Option<Make<H>>>,
}

impl<H> Clone for House<H> {
    fn clone(&self) -> Self {
        Self {
            make: self.make.clone(),
        }
    }
}

impl<H> Default for House<H> {
    fn default() -> Self {
        Self {
            make: watch::Sender::new(None),
        }
    }
}

impl<H> House<H> {
    /// Lets those in who wait, and everybody who comes. `make` is called once a worker, on its thread, with its number.
    pub fn open(&self, make: impl Fn(usize) -> H + Send + Sync + 'static) {
        self.make.send_replace(Some(Arc::new(make)));
    }
}

/// One worker's foyer.
pub struct Foyer<H> {
    worker: usize,
    /// The worker's handler, since the house is open.
    own: OnceCell<H>,
    make: watch::Receiver<Option<Make<H>>>,
    waiting: Cell<usize>,
    patience: Duration,
    counters: Arc<Counters>,
}

impl<H> Foyer<H> {
    /// The foyer of `worker`, which counts in `counters`, and where one waits for `patience`.
    pub fn new(house: &House<H>, worker: usize, patience: Duration, counters: Arc<Counters>) -> Self {
        Self {
            worker,
            own: OnceCell::new(),
            make: house.make.subscribe(),
            waiting: Cell::new(0),
            patience,
            counters,
        }
    }

    /// The handler, if the house is open.
    fn own(&self) -> Option<&H> {
        self.own.get().or_else(|| {
            let make = self.make.borrow().clone()?;
            Some(self.own.get_or_init(|| make(self.worker)))
        })
    }

    /// The handler, once the house is open; `None` when that takes too long or too many wait.
    async fn wait(&self) -> Option<&H> {
        let _place = Place::take(&self.waiting)?;
        let mut make = self.make.clone();
        let opened = make.wait_for(Option::is_some);
        // The second error: it will never open.
        tokio::time::timeout(self.patience, opened).await.ok()?.ok()?;
        self.own()
    }

    fn turn_away(&self, method: &Method) -> Response<Full<Bytes>> {
        self.counters.turned_away();
        let mut response = reply::refused(Refusal::Unavailable);
        if method == Method::HEAD {
            *response.body_mut() = Full::default();
        }
        response
    }
}

/// One of the places in which requests wait.
struct Place<'a>(&'a Cell<usize>);

impl<'a> Place<'a> {
    fn take(waiting: &'a Cell<usize>) -> Option<Self> {
        if waiting.get() >= WAITING_MAX {
            return None;
        }
        waiting.set(waiting.get() + 1);
        Some(Self(waiting))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

impl<H: Handler> Handler for Foyer<H> {
    fn answer_at_once(&self, peer: Peer, head: &Head<'_>, answer: &mut AnswerLines<'_>) -> AtOnce {
        match self.own() {
            Some(handler) => handler.answer_at_once(peer, head, answer),
            None => AtOnce::NotMine,
        }
    }

    fn foresee<'a>(&self, glances: impl Iterator<Item = Glance<'a>>) {
        if let Some(handler) = self.own() {
            handler.foresee(glances);
        }
    }

    async fn handle(&self, peer: Peer, request: Request<Incoming>) -> Response<Full<Bytes>> {
        if let Some(handler) = self.own() {
            return handler.handle(peer, request).await;
        }
        let (version, method) = (request.version(), request.method().clone());
        let mut response = match self.wait().await {
            Some(handler) => handler.handle(peer, request).await,
            None => self.turn_away(&method),
        };
        reply::end_connection(version, response.headers_mut());
        response
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::{self, HeaderValue};

    use super::*;

    /// Longer than any test.
    const LONG: Duration = Duration::from_secs(600);

    fn foyer(house: &House<usize>, patience: Duration) -> Foyer<usize> {
        Foyer::new(house, 7, patience, Arc::default())
    }

    #[tokio::test]
    async fn who_waits_is_let_in_when_the_house_opens() {
        let house = House::default();
        let foyer = foyer(&house, LONG);
        assert_eq!(foyer.own(), None);
        let (waited, ()) = tokio::join!(foyer.wait(), async {
            tokio::task::yield_now().await;
            house.open(|worker| worker);
        });
        assert_eq!(waited, Some(&7));
        house.open(|_| unreachable!("made once"));
        assert_eq!(foyer.own(), Some(&7));
    }

    #[tokio::test]
    async fn nobody_waits_for_ever() {
        let foyer = foyer(&House::default(), Duration::from_millis(1));
        assert_eq!(foyer.wait().await, None);
        assert_eq!(foyer.waiting.get(), 0, "the place is free again");
        let response = foyer.turn_away(&Method::GET);
        let after = response.headers().get(header::RETRY_AFTER).map(HeaderValue::as_bytes);
        assert_eq!((response.status().as_u16(), after), (503, Some(&b"1"[..])));
        assert_eq!(foyer.counters.outcomes().unavailable, 1);
    }

    #[tokio::test]
    async fn when_too_many_wait_or_it_will_never_open_one_is_told_at_once() {
        let house = House::default();
        let foyer = foyer(&house, LONG);
        foyer.waiting.set(WAITING_MAX);
        assert_eq!(foyer.wait().await, None);
        foyer.waiting.set(WAITING_MAX - 1);
        drop(house);
        assert_eq!(foyer.wait().await, None);
    }
}
