//! The hot path: a request for a short link in, a reply out, decided from memory.
//!
//! Never waits, never touches a disk, holds no lock across anything. One [`Worker`] a core; what changes is pushed
//! into the [`Table`] from outside ([`TableWriter`]), what happened leaves through a [`lane`].

mod counters;
mod follow;
mod land;
pub mod lane;
mod locate;
mod person;
mod record;
mod request;
mod table;
mod tap;
mod throttle;
mod worker;

pub use counters::{Counters, LATENCY_BOUNDS_US, Outcomes};
pub use land::{Page, PageKind, PageNotice};
pub use lane::{Lane, LaneReader, LaneRecord, Ticket};
pub use record::{CartRecord, CreatorRecord, DomainRecord, LinkRecord, StoreRecord};
pub use request::Request;
pub use table::{Table, TableReader, TableWriter};
pub use tap::FORM_MAX;
pub use throttle::Throttle;
pub use worker::{Keys, Options, Redirect, Refusal, Reply, Shared, Worker};
