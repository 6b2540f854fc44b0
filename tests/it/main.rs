//! Journeys over real sockets: a whole server, a client that shares no code with it, and rules as tables.
//!
//! [`server`] starts and stops servers, [`http`] talks to them, [`receiver`] is told by them; every other file is one journey.

mod hostile;
mod http;
mod name_server;
mod receiver;
mod schema;
mod server;

mod analytics;
mod api;
mod attribution;
mod backup;
mod bench;
mod campaigns;
mod cart_loop;
mod carts;
mod catalog;
mod codes;
mod console;
mod conversions;
mod counting;
mod creator_page;
mod domains;
mod experiment;
mod fast_path;
mod inbound;
mod keys;
mod landing;
mod links;
mod moving;
mod openapi;
mod operation;
mod orders;
mod partners;
mod privacy;
mod rates;
mod reception;
mod recovery;
mod redirect;
mod report;
mod rough;
mod starting;
mod stock;
mod stores;
mod tags;
mod two_brands;
mod waitlist;
mod webhooks;
