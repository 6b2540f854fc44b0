//! What brands own and owe: links, creators, codes, stores, stock, orders and refunds, in one SQLite file.
//!
//! The only room that names rusqlite. It keeps and finds; it decides nothing: a flow loads, decides with functions of
//! `domain` and stores, inside one [`Books::commit`]. Every noun has a file of functions that take a [`View`] (to
//! read) or a [`Tx`] (to change). An answer of `commit` means that the change is on disk.

mod columns;
mod error;
mod filter;
mod followed_link;
mod handle;
mod link_list;
mod link_search;
mod page;
mod readers;
mod schema;
mod shared_sales;
mod view;
mod writer;

pub mod api_key;
pub mod audit;
pub mod author;
pub mod campaign;
pub mod code_pool;
pub mod conversion;
pub mod creator;
pub mod customer;
pub mod delivery;
pub mod discount_code;
pub mod experiment;
pub mod folder;
pub mod idempotency;
pub mod known_customer;
pub mod lead;
pub mod link;
pub mod link_domain;
pub mod mark_sales;
pub mod meta;
pub mod mint;
pub mod order;
pub mod outbox;
pub mod pool_code;
pub mod product;
pub mod program;
pub mod pulse;
pub mod rate;
pub mod refund;
pub mod report_link;
pub mod sales;
pub mod secret;
pub mod settings;
pub mod spend;
pub mod store;
pub mod tag;
pub mod tracked_sale;
pub mod ucp_profile;
pub mod utm_template;
pub mod waitlist;
pub mod webhook;
pub mod webhook_delivery;
pub mod workspace;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod handle_test;

pub use error::{Error, OpenError};
pub use handle::{Books, LoneReader, Options, Stats};
pub use page::{NumberedPage, Page};
pub use readers::READS_WAITING_MAX;
pub use view::{Tx, View};
pub use writer::JOBS_QUEUED_MAX;
