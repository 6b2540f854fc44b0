//! `hopcart export`: writes links, clicks or orders to standard output over the API, page by page: nothing is held but one
//! page.

mod click;
mod link;
mod order;
mod pages;
mod refs;

use std::io::{self, Write};
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value};

use super::api::Connection;
use super::failure::Failure;
use super::product::progress::Progress;
use super::terminal::{note, wait_for};
use crate::domain::time::Timestamp;
use crate::integrations::link_file::export::line;
use crate::net::ClientOptions;

/// Longest wait for one page.
const PAGE_TIMEOUT: Duration = Duration::from_secs(60);
/// Largest page, in bytes: 1,000 clicks with their links, or 100 links with every text at its longest.
const PAGE_BYTES_MAX: usize = 64 << 20;

/// `hopcart export`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  hopcart export links > links.csv\n  \
    hopcart export clicks --format jsonl --since 2026-11-01 > clicks.jsonl\n  \
    hopcart export orders --store store_01J... > orders.csv")]
pub struct Arguments {
    #[command(flatten)]
    connection: Connection,
    /// Rows of CSV, or JSON lines: one object a line
    #[arg(long, value_name = "FORMAT", default_value = "csv", global = true)]
    format: Format,
    #[command(subcommand)]
    command: Command,
}

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Csv,
    Jsonl,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// All links with what leads there, archived ones too, the oldest first: what `hopcart import` takes
    #[command(
        long_about = "All links, archived ones too, the oldest first: what `hopcart import` takes.\n\nBeside what \
        the API answers stand the folder's name, refs (what ids of partners, stores, campaigns and code pools stand for, \
        so that another server finds its own) and notExported. Passwords are kept as hashes and cannot be exported: such a \
        link is imported switched off, and the import says so."
    )]
    Links,
    /// All clicks, bots and tests too (each says what it is), the oldest first
    Clicks(Period),
    /// All orders, the newest first: as CSV what `hopcart orders import` takes
    #[command(
        long_about = "All orders, the newest first. CSV has what `hopcart orders import` takes, a row an order, or \
        a row for each refund of it, and the credit beside; JSON lines have their lines and flags too. Hashes of e-mail \
        addresses are under this server's key and are not exported."
    )]
    Orders {
        #[command(flatten)]
        period: Period,
        /// Only those of this store (store_...)
        #[arg(long, value_name = "ID")]
        store: Option<String>,
    },
}

/// From when to when.
#[derive(Debug, Args)]
pub struct Period {
    /// Only from this instant on: RFC 3339, or a date
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    since: Option<Timestamp>,
    /// Only before this instant
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    until: Option<Timestamp>,
}

fn instant(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text).ok_or_else(|| "must be an instant such as 2026-11-21T10:00:00Z, or a date".to_owned())
}

impl Period {
    /// The parameters `start` and `end` of the API; both are empty for all of time.
    fn bounds(&self) -> [Option<String>; 2] {
        // Not 0: that says "all of time" to the API, whatever the end is.
        let since = self.since.or(self.until.map(|_| Timestamp(1)));
        [since, self.until].map(|at| at.map(|at| at.to_string()))
    }
}

/// Does what was asked for.
///
/// # Errors
/// What the API refused, or that it cannot be reached; the rows until then are written.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let api = arguments.connection.open_with(ClientOptions {
        timeout: PAGE_TIMEOUT,
        body_max: PAGE_BYTES_MAX,
        ..ClientOptions::default()
    })?;
    let mut out = Output::new(arguments.format);
    let written = wait_for(async {
        match &arguments.command {
            Command::Links => link::write(&api, &mut out).await,
            Command::Clicks(period) => click::write(&api, &period.bounds(), &mut out).await,
            Command::Orders { period, store } => order::write(&api, &period.bounds(), store.as_deref(), &mut out).await,
        }
    });
    out.progress.finish();
    match &written {
        Ok(()) => note(&format!("{} rows", out.rows)),
        Err(Failure::NobodyReads) => {}
        Err(_) => note(&format!("cut off after {} rows", out.rows)),
    }
    written
}

/// Where rows go.
pub struct Output {
    format: Format,
    out: io::BufWriter<io::Stdout>,
    rows: u64,
    bytes: u64,
    progress: Progress,
}

impl Output {
    fn new(format: Format) -> Self {
        Self {
            format,
            out: io::BufWriter::new(io::stdout()),
            rows: 0,
            bytes: 0,
            progress: Progress::new(None),
        }
    }

    /// The names of the columns, of CSV.
    fn header(&mut self, columns: &[&str]) -> Result<(), Failure> {
        match self.format {
            Format::Csv => self.put(&line(columns)),
            Format::Jsonl => Ok(()),
        }
    }

    /// One thing: an object, or the rows of cells that it is as CSV.
    fn thing(&mut self, object: &Map<String, Value>, rows: impl FnOnce() -> Vec<Vec<String>>) -> Result<(), Failure> {
        match self.format {
            Format::Csv => {
                for row in rows() {
                    self.put(&line(&row))?;
                    self.rows += 1;
                }
            }
            Format::Jsonl => {
                let mut text = serde_json::to_vec(object).unwrap_or_default();
                text.push(b'\n');
                self.put(&text)?;
                self.rows += 1;
            }
        }
        Ok(())
    }

    /// A page is whole: shows it.
    fn page(&mut self) -> Result<(), Failure> {
        self.out.flush()?;
        self.progress.done(self.bytes, self.rows);
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.bytes += bytes.len() as u64;
        Ok(self.out.write_all(bytes)?)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        arguments: Arguments,
    }

    #[test]
    fn periods_are_for_what_happens() {
        for (words, good) in [
            (&["export", "links"][..], true),
            (&["export", "links", "--format", "jsonl"], true),
            (
                &[
                    "export",
                    "clicks",
                    "--since",
                    "2026-11-01",
                    "--until",
                    "2026-11-02T10:00:00Z",
                ],
                true,
            ),
            (&["export", "orders", "--store", "store_1"], true),
            (&["export", "links", "--since", "2026-11-01"], false),
            (&["export", "clicks", "--since", "yesterday"], false),
            (&["export", "clicks", "--format", "xml"], false),
            (&["export"], false),
        ] {
            assert_eq!(Program::try_parse_from(words).is_ok(), good, "{words:?}");
        }
    }

    #[test]
    fn an_end_needs_a_beginning() {
        let period = |since, until| Period { since, until }.bounds();
        assert_eq!(period(None, None), [None, None]);
        let [start, end] = period(None, Some(Timestamp(1_000)));
        assert_eq!(start.as_deref(), Some("1970-01-01T00:00:00.001Z"));
        assert_eq!(end.as_deref(), Some("1970-01-01T00:00:01.000Z"));
    }
}
