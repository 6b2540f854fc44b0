//! The nouns and rules of the product: pure functions and plain data.
//!
//! Nothing in here waits, reads a clock, draws a random number, touches a disk or a socket, or computes with floats
//! (but [`stats`], which turns exact sums into the ratios that people read). What a rule needs from outside, such as
//! the time or entropy, is an argument or one of the small traits in [`outside`].

pub mod api_key;
pub mod app_browser;
pub mod app_link;
pub mod attribution;
pub mod campaign;
pub mod cart;
pub mod click;
pub mod click_id;
pub mod code_pool;
pub mod consent;
pub mod continent;
pub mod conversion;
pub mod creator;
pub mod customer;
pub mod destination;
pub mod discount_code;
pub mod email;
pub mod experiment;
pub mod folder;
pub mod form_token;
pub mod host;
pub mod id;
pub mod ip_range;
pub mod keyring;
pub mod known_customer;
pub mod link;
pub mod link_domain;
pub mod locality;
pub mod mac;
mod memory;
pub mod mint;
pub mod money;
pub mod order;
pub mod origin;
pub mod outside;
pub mod page_token;
pub mod password;
pub mod performance;
pub mod product;
pub mod program;
pub mod pulse;
pub mod query;
pub mod rate;
mod recent;
pub mod reception;
pub mod recognition;
pub mod report_link;
pub mod scope;
pub mod settings;
pub mod slug;
pub mod spend;
pub mod spreadsheet;
pub mod stats;
pub mod store;
pub mod tag;
pub mod time;
pub mod ucp_profile;
pub mod user_agent;
pub mod utm_template;
pub mod visitor;
pub mod waitlist;
pub mod webhook;
