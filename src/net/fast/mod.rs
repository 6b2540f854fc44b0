//! The fast path: plain GET and HEAD requests over HTTP/1.1, answered in front of hyper.
//!
//! A redirect is a small answer to a small question. hyper builds a map of the headers, moves the answer through three
//! layers and keeps a buffer a connection; here a head is read in a buffer of the worker, parsed in place ([`head`]),
//! answered by the handler into another buffer of the worker and sent with one call ([`desk`]). Whatever is not plain
//! (other methods, bodies, HTTP/1.0, Expect, Upgrade, an absolute target, odd bytes, anything that is no HTTP) and
//! whatever the handler does not answer at once goes to hyper with the bytes that were read. So this path refuses
//! nothing: what it does not understand, hyper judges.
//!
//! A connection at rest, or one that was just accepted, is one of the worker's `pool`: what is ready is heard, then
//! answered, all of it, by way of `exchange`, over a `line` that is clear or [`secure`]. What takes more than one exchange
//! gets a task of its own, `conversation`, under the same limits as a connection of hyper's. `differential` holds both
//! against each other.

mod answer;
mod conversation;
mod desk;
#[cfg(test)]
mod differential;
mod exchange;
mod head;
mod line;
mod pool;
mod queue;
mod rehearsal;
mod secure;

pub use answer::{AnswerLines, AtOnce};
pub(super) use conversation::{Conversation, Opening};
pub(super) use desk::Desk;
pub use head::{Glance, Head};
pub(super) use line::Line;
pub(super) use pool::Pool;
pub use rehearsal::Rehearsal;
pub(super) use secure::Secure;
