//! The click log: every click durable once, countable for years. The only room that names sled.
//!
//! **Way of a click.** [`Writer::append`] encodes a batch into journal frames, writes and syncs them: that is the
//! acknowledgement, and from then on every [`Reader`] counts it. Every few seconds a checkpoint thread brings the
//! pending frames into sled, in one batch on one tree: blocks of clicks, workspaces' roll-ups as absolute values, and
//! the watermark, the index of the last frame included. Sums that blocks can tell again wait in memory (see
//! `backlog`). Opening applies the frames after the watermark, so a crash anywhere counts each click exactly once.
//!
//! **On disk**, below [`Options::dir`]; the layouts stand, byte by byte, at the head of the file named:
//!
//! | what | where | laid out in |
//! |---|---|---|
//! | `lock` | held while open | |
//! | `floor` | what the journal must at least reach | `floor` |
//! | `journal/<number>.log` | segments: header, frames | `segment`, `frame`, `columns` |
//! | `db/` | sled; one tree | `key`, `value`, `block`, `day`, `sketch`, `facets`, `sheet`, `total_page`, `history`, `erasure` |
//! | `db.quarantine-<ms>/` | a sled that did not open, for people to look at | |
//! | `db.replaced-<ms>/` | a sled that `hopcart clicks rebuild` replaced | |
//!
//! Each segment, frame, block of columns and value starts with a version. A newer one is refused, damage is told from
//! it by checksums. A change of any layout raises the version that the table there names. Frames have version 4 since
//! clicks may have regions and cities, 3 where they first told what those before them held (see `trail`), 2 where they
//! first said what was read from rings; values in `db/` have version 4 since links share sheets and pages of totals, 3
//! where links were first counted by day, 2 where clicks first had regions and cities. Older ones are read for ever.
//!
//! **Recovery.** The checkpoint thread opens sled, sets a corrupt one aside and applies the journal; meanwhile clicks
//! go on into the journal, and questions are refused. What is gone is told by frame and by sequence ([`Gap`]).
//!
//! **What is counted where.** A click is in one class. Counts by quarter hour come from roll-ups of workspaces and
//! days of links; counts by one dimension (country, region, device, …) from facets by UTC hour and day; of links' days
//! with few clicks from sheets; parts of those, questions that combine dimensions, and events from blocks. Clicks whose details were lost are in roll-ups
//! and totals only: a question about part of a quarter hour leaves them out. Instants before 1970 count as the first
//! quarter hour of it.
//!
//! **What goes.** Blocks go by age (`retention`), roll-ups, days, facets, sketches and totals stay; an answer that
//! needed clicks that are gone says so ([`Lacks`]). Sheets stay as well: they say no more of a click than those do. What tells who a visitor was goes on request (`erase`), here and
//! in the journal; counts stay.
//!
//! **What this room never does**: hold up the redirect path, store an address, serve a number from damaged bytes, or
//! panic because a disk fails.

mod apply;
mod backlog;
mod block;
mod breakdown;
mod bytes;
mod checkpoint;
mod columns;
mod count;
mod day;
mod dictionary;
mod dimension;
mod disk;
mod encoder;
mod erase;
mod erasure;
mod error;
mod events;
mod export;
mod facet_count;
mod facets;
#[cfg(test)]
pub(crate) mod faulty;
mod filter;
mod floor;
mod follow;
mod frame;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod gap;
mod gather;
#[cfg(test)]
mod histories;
mod history;
mod journal;
mod key;
mod link_count;
mod marks;
mod merge;
#[cfg(test)]
mod model_tests;
mod open;
mod options;
mod pending;
mod query;
#[cfg(test)]
mod question_tests;
mod reader;
mod rebuild;
mod replay;
mod retention;
#[cfg(test)]
mod samples;
mod scan;
mod segment;
mod settle;
mod shared;
mod sheet;
mod sheets;
mod sketch;
mod stats;
mod store;
mod survey;
mod tabulate;
mod total_page;
mod totals;
mod trail;
mod uniques;
mod value;
mod variants;
mod verify;
mod waiting;
mod writer;

pub use dimension::Dimension;
pub use disk::{Disk, DiskFile, SystemDisk};
pub use erase::Eraser;
pub use erasure::{Erased, Erasure, Subject};
pub use error::{OpenError, QueryError, WriteError};
pub use export::{BackupFiles, BackupSource, Export, JournalFile, load};
pub use filter::{Condition, Filter};
pub use follow::{Followed, Place};
pub use frame::Mark;
pub use gap::{Cause, Gap};
pub use gather::{Drain, NewRow};
pub use marks::marks;
pub use open::{Recovery, open, start};
pub use options::Options;
pub use query::{Lacks, Query};
pub use reader::Reader;
pub use rebuild::{Rebuilt, rebuild};
pub use stats::{FSYNC_BOUNDS_US, Stats};
pub use value::Totals;
pub use variants::{VariantClicks, VariantOf};
pub use verify::{Verified, verify};
pub use writer::{Appended, Batch, DRAINED_CLICKS_MAX, DRAINED_LOST_MAX, Writer};
