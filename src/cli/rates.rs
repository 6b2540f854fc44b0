//! `hopcart rates`: imports exchange rates of files over the API.

use clap::{Args, Subcommand};

use super::api::Connection;
use super::failure::Failure;
use super::product::import::{self, Source, Target};

/// `hopcart rates`
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    connection: Connection,
    /// Print JSON: the sum of what the API answered
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Load the exchange rates of a file: reports convert by them from then on
    #[command(
        long_about = "Load the exchange rates of a file: reports convert by them from then on.\n\nThe file is CSV, TSV or \
        semicolon-separated UTF-8 text of any length, a row a pair and day. Columns: base, quote (ISO 4217 codes), date \
        (2026-11-20) and rate (how many of the quote currency one of the base currency is worth, a decimal such as \
        1.0834). A pair and day that is known gets the new rate.",
        after_help = "Example:\n  hopcart rates import ecb.csv --dry-run"
    )]
    Import {
        /// The file; - reads standard input
        file: String,
        /// Say what would become of each row; change nothing
        #[arg(long)]
        dry_run: bool,
    },
}

/// Does what was asked for.
///
/// # Errors
/// What the API refused, or that it cannot be reached.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let Command::Import { file, dry_run } = &arguments.command;
    let api = arguments.connection.open_with(import::call_bounds())?;
    let source = Source {
        file,
        store: None,
        is_dry_run: *dry_run,
    };
    import::run(source, &Target::rates(), &api, arguments.json)
}
