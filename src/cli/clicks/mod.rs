//! `hopcart clicks`: looks after a click log that no server uses.

mod rebuild;
mod verify;

use clap::{Args, Subcommand};

use super::failure::Failure;
use crate::clicklog::OpenError;

/// `hopcart clicks`
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Read everything and check every checksum and every sum; the server must be stopped
    Verify(verify::Arguments),
    /// Make a new click store from the journal and a backup; the server must be stopped
    Rebuild(rebuild::Arguments),
}

/// Does what was asked for.
///
/// # Errors
/// Findings, or why the log cannot be opened.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.command {
        Command::Verify(arguments) => verify::run(arguments),
        Command::Rebuild(arguments) => rebuild::run(arguments),
    }
}

fn not_opened(error: &OpenError) -> Failure {
    match error {
        OpenError::InUse(_) => Failure::Unavailable(format!("{error}: stop the server first")),
        other => Failure::Failed(other.to_string()),
    }
}

fn log_of(data: &std::path::Path) -> Result<crate::clicklog::Options, Failure> {
    let dir = data.join("clicklog");
    match dir.is_dir() {
        true => Ok(crate::clicklog::Options::at(dir)),
        false => Err(Failure::Usage(format!(
            "{} holds no click log: name the server's data directory by --data (HOPCART_DATA)",
            data.display()
        ))),
    }
}
