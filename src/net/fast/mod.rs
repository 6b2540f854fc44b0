//! The fast path: plain GET and HEAD requests over HTTP/1.1, answered in front of hyper.
//!
//! A redirect is a small answer to a small question. hyper builds a map of the headers, moves the answer through three
//! layers and keeps a buffer a connection; here a head is read in a buffer of the worker, parsed in place ([`head`]),
//! answered by the handler into another buffer of the worker and sent with one call ([`desk`]). Whatever is not plain
//! (other methods, bodies, HTTP/1.0, Expect, Upgrade, an absolute target, odd bytes, anything that is no HTTP) and
//! whatever the handler does not answer at once goes to hyper with the bytes that were read. So this path refuses
//! nothing: what it does not understand, hyper judges.
//!
//! `at_once` serves a connection's first bytes before anybody waits for it; `conversation` goes on from there, under the
//! same limits as a connection of hyper's. `differential` holds both against each other.

mod answer;
mod at_once;
mod conversation;
mod desk;
#[cfg(test)]
mod differential;
mod head;
mod rehearsal;

pub use answer::{AnswerLines, AtOnce};
pub(super) use at_once::Began;
pub(super) use conversation::{Conversation, Opening};
pub(super) use desk::Desk;
pub use head::Head;
pub use rehearsal::Rehearsal;
