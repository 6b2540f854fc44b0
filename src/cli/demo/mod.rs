//! `hopcart demo`: a whole server on a throw-away directory, a brand and its creators on it, a day of traffic and
//! orders through its own sockets, and the numbers held against what was sent.
//!
//! Everything goes over HTTP, as it would from outside; nothing is written past the server.

mod brand;
mod chance;
mod ground;
mod order;
mod people;
mod plan;
mod progress;
mod setup;
mod show;
mod tally;
mod traffic;
mod webhook;

use clap::Args;

use super::failure::Failure;
use super::serve::{StopSignals, start_log};
use super::terminal::note;
use crate::app;

/// `hopcart demo`
#[derive(Debug, Args)]
pub struct Arguments {
    /// Port of the public listener [default: 8080 when it is free]
    #[arg(long, value_name = "N")]
    port: Option<u16>,
    /// Port of API and pages [default: 8081 when it is free]
    #[arg(long, value_name = "N")]
    admin_port: Option<u16>,
    /// Number of follows
    #[arg(long, value_name = "N", default_value_t = 6_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    clicks: u64,
    /// As fast as it goes instead of a few seconds
    #[arg(long)]
    fast: bool,
    /// What is drawn; the same seed plays the same day again
    #[arg(long, value_name = "N", default_value_t = 20_261_121)]
    seed: u64,
    /// Stop after the comparison; exit 1 when a number differs
    #[arg(long, visible_alias = "check")]
    exit: bool,
}

/// Plays the demo and stays up until a signal.
///
/// # Errors
/// When the server cannot start or answers wrongly; with `--exit` also when a number differs.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let directory = ground::TemporaryDirectory::new()?;
    let config = ground::config(directory.path(), arguments.port, arguments.admin_port)?;
    start_log(&config.log)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut stop = StopSignals::new(&runtime)?;
    let running = app::start(config)?;
    let played = runtime.block_on(async {
        tokio::select! {
            () = stop.next() => Err(Failure::Failed("stopped before the end".to_owned())),
            played = show::play(&running, arguments) => played,
        }
    });
    if played.is_ok() && !arguments.exit {
        runtime.block_on(stop.next());
        note("stopping; the demo's data is removed");
    }
    running.stop();
    played
}
