//! The HTTP surfaces: what followers and shops call ([`public`]), what brands call ([`api`]), what brands look at
//! ([`console`], drawn by [`pages`]), and what operators scrape ([`operations`]).
//!
//! Translates between HTTP and flows; decides nothing and writes nothing itself.

pub mod api;
pub mod console;
pub mod experiment;
pub mod operations;
pub mod pages;
pub mod public;
pub mod report;
