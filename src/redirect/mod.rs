//! The hot path: a request for a short link in, a reply out, decided from memory.
//!
//! Never waits, never touches a disk, holds no lock across anything. One [`Worker`] a core; what changes is pushed
//! into the [`Table`] from outside ([`TableWriter`]), what happened leaves through a [`lane`].

mod agents;
mod arena;
mod atomic;
mod codes;
mod counters;
mod follow;
mod generations;
#[cfg(test)]
mod histories;
mod inbound;
mod index;
#[cfg(test)]
mod index_tests;
mod interstitial;
mod land;
pub mod lane;
mod links;
mod locate;
mod lost;
mod origins;
mod packed;
mod person;
mod receive;
mod reception;
mod record;
mod request;
mod ring;
mod shorthand;
mod table;
mod tap;
mod throttle;
mod track;
mod uses;
mod view;
mod words;
mod worker;

pub use codes::{CodeTally, REMEMBERED_MAX};
pub use counters::{Counters, LATENCY_BOUNDS_US, Outcomes};
pub use inbound::Inbound;
pub use interstitial::{Interstitial, InterstitialKind};
pub use land::{Page, PageKind, PageNotice};
pub use lane::{ENDED, Lane, LaneReader, LaneRecord, Ticket};
pub use reception::Card;
pub use record::{CartRecord, CreatorRecord, DomainRecord, ExperimentRecord, LinkRecord, Offer, StoreRecord};
pub use request::Request;
pub use ring::{Found as FoundRing, Ring, RingOptions};
pub use table::{Table, TableReader, TableWriter};
pub use tap::FORM_MAX;
pub use throttle::Throttle;
pub use track::Tracked;
pub use uses::Uses;
pub use view::View;
pub use worker::{Keys, Options, Redirect, Refusal, Reply, Shared, Worker};
