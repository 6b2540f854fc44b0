//! Hopcart: a smart-link redirect and social-cart edge server, one binary. The map of the house:
//!
//! | room | what it is |
//! |---|---|
//! | [`domain`] | nouns and rules; pure |
//! | [`net`] | sockets, TLS, timeouts, the outbound client; knows no path |
//! | [`redirect`] | the hot path: a request in, a location out, from memory |
//! | [`clicklog`] | clicks on disk: journal, blocks, roll-ups, queries (sled) |
//! | [`books`] | what brands own and owe (SQLite) |
//! | [`integrations`] | other people's systems, one folder a vendor |
//! | [`flows`] | verbs: load, decide, commit, publish; the only writers |
//! | [`web`] | HTTP: followers, brands, operators |
//! | [`config`], [`cli`], [`app`] | what the operator says, and the composition of it all |
//!
//! Arrows between rooms point one way; `tests/tidy.rs` holds the table.

#![warn(
    clippy::exit,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a server answers with errors, speaks through cli/terminal.rs and ends in one place"
)]

pub mod app;
pub mod books;
pub mod cli;
pub mod clicklog;
pub mod config;
pub mod domain;
pub mod flows;
pub mod integrations;
pub mod net;
pub mod redirect;
pub mod web;
