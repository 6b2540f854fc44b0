//! The stores open: books, click log, and the rings in which a killed process left clicks.
//!
//! Nothing is served from here; the order matters only where it says so.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::data_dir::DataDir;
use super::ring_dir::RingDir;
use super::{NODE, StartError, World, behind, broken};
use crate::books::{self, Books};
use crate::clicklog;
use crate::config::{ClickAck, Config};
use crate::domain::outside::Clock;
use crate::flows::backup::NewestBackup;
use crate::flows::record_clicks;

/// What is on disk, open.
pub(super) struct Stores {
    pub books: Books,
    pub clicks: clicklog::Reader,
    pub eraser: clicklog::Eraser,
    /// Writes clicks: those of the last run's rings are written.
    pub desk: record_clicks::Desk,
    pub rings: RingDir,
}

impl Stores {
    /// Opens what lies in `data`. The click log may go on opening by itself.
    ///
    /// # Errors
    /// [`StartError::Unavailable`]: a store cannot be opened, or is of a newer format.
    pub fn open(config: &Config, data: &DataDir, world: &World) -> Result<Self, StartError> {
        let books = open_books(data)?;
        let (writer, clicks) = open_clicks(config, data, &world.clock)?;
        let eraser = writer.eraser();
        let recording = record_clicks::Options {
            dedupe_window_ms: i64::from(config.clicks.dedupe_window_seconds) * 1000,
            is_durable: config.click_ack == ClickAck::Durable,
        };
        let mut rings = RingDir::open(data.path(), config.clicks.ring_dir.as_deref(), &*world.entropy)?;
        // Before uses are counted: clicks that were left in rings are in the log by then.
        let desk = recover_clicks(config, data, &mut rings, writer, recording, &world.clock)?;
        Ok(Self {
            books,
            clicks,
            eraser,
            desk,
            rings,
        })
    }
}

fn open_books(data: &DataDir) -> Result<Books, StartError> {
    let options = books::Options::at(data.path().join("books.sqlite"));
    behind::start(|| Books::open(options)).map_err(|error| {
        StartError::Unavailable(match error {
            books::OpenError::NewerFormat { .. } => {
                format!(
                    "{} was written by a newer hopcart: start that version, or another --data directory",
                    data.path().display()
                )
            }
            other => format!("the books in {} cannot be opened: {other}", data.path().display()),
        })
    })
}

fn open_clicks(
    config: &Config,
    data: &DataDir,
    clock: &Arc<dyn Clock>,
) -> Result<(clicklog::Writer, clicklog::Reader), StartError> {
    let options = click_options(config, data);
    behind::start(|| clicklog::start(options, Arc::clone(clock))).map_err(|error| not_opened(data, &error))
}

/// Why a click log is not to be had.
pub(super) fn not_opened(data: &DataDir, error: &clicklog::OpenError) -> StartError {
    StartError::Unavailable(format!(
        "the click log in {} cannot be opened: {error}",
        data.path().display()
    ))
}

fn click_options(config: &Config, data: &DataDir) -> clicklog::Options {
    let backup = config.clicks.backup.clone();
    let days = config.clicks.retention_days;
    clicklog::Options {
        node: NODE,
        keep_clicks: (days > 0).then(|| Duration::from_secs(u64::from(days) * 24 * 60 * 60)),
        backup: backup.map(|dir| Arc::new(NewestBackup(dir)) as Arc<dyn clicklog::BackupSource>),
        ..clicklog::Options::at(data.path().join("clicklog"))
    }
}

/// Writes what a killed process left in its rings; the desk that did it goes on as the recorder's.
fn recover_clicks(
    config: &Config,
    data: &DataDir,
    rings: &mut RingDir,
    writer: clicklog::Writer,
    options: record_clicks::Options,
    clock: &Arc<dyn Clock>,
) -> Result<record_clicks::Desk, StartError> {
    let (left, since) = rings.left();
    let marks = clicklog::marks(&click_options(config, data), &left, since).map_err(broken)?;
    let lanes = rings.take_left(|ring| marks.get(&ring).copied());
    let count = lanes.len();
    let desk = record_clicks::Desk::open(writer, lanes, options, Arc::clone(clock));
    if count > 0 {
        let clicks = desk.stats().recovered.load(Ordering::Relaxed);
        tracing::info!(
            rings = count,
            clicks,
            "clicks that the last run left in its rings are in the log"
        );
    }
    Ok(desk)
}
