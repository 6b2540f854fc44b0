//! The followers' pages in a real browser: headless Chromium on a phone's and a desk's screen, axe-core, and a bad radio
//! link. A whole server in this process, a shop that stands in for the real ones.
//!
//! ([`telling`]: the script that shops' pages tell of conversions with.)
//!
//! [`visit`] says who comes, `visit.mjs` drives the browser, [`seen`] says what must hold of what was seen. Screenshots
//! are left in `target/browser/`. Needs chromium, nodejs and npm, and fails without them.

#[path = "../it/http.rs"]
#[expect(dead_code, reason = "the journeys of tests/it need more of it")]
mod http;
#[path = "../it/server.rs"]
#[expect(dead_code, reason = "the journeys of tests/it need more of it")]
mod server;

mod brand;
mod node;
mod seen;
mod shop;
mod slow_link;
mod small_server;
mod visit;

mod between;
mod console;
mod landing;
mod slow_phone;
mod telling;
