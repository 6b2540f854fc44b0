//! `hopcart products import` and `hopcart orders import`: a file is sent slice by slice, and what became of each row
//! is said.

use std::fs::File;
use std::io::{self, Read};
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use hyper::Method;
use serde_json::Value;

use super::progress::Progress;
use super::tally::Tally;
use crate::cli::api::{Api, CallError, query, segment};
use crate::cli::failure::Failure;
use crate::cli::terminal::{note, say, wait_for};
use crate::domain::code_pool::CODES_PER_CALL_MAX;
use crate::domain::order::ORDERS_PER_CALL_MAX;
use crate::domain::rate::RATES_PER_CALL_MAX;
use crate::domain::store::PRODUCTS_PER_CALL_MAX;
use crate::integrations::catalog::{CatalogError, Slice, SliceLimits, Slices};
use crate::net::ClientOptions;

/// Bytes after which a new slice begins. 4 MiB: at 1.2 Mbit/s it arrives in the 30 s that a server waits for a body, and
/// a product that begins at the end has room up to the server's 32 MiB.
const SLICE_BYTES: usize = 4 << 20;

/// What a file is sent to, and as how many rows at a time: as many as a call takes.
pub struct Target {
    method: Method,
    path: String,
    rows: usize,
}

impl Target {
    /// A catalogue.
    pub fn products() -> Self {
        Self {
            method: Method::PUT,
            path: "/products".to_owned(),
            rows: PRODUCTS_PER_CALL_MAX,
        }
    }

    /// Exchange rates.
    pub fn rates() -> Self {
        Self {
            method: Method::PUT,
            path: "/rates".to_owned(),
            rows: RATES_PER_CALL_MAX,
        }
    }

    /// Single-use codes of the pool with public id `pool`.
    pub fn codes(pool: &str) -> Self {
        Self {
            method: Method::POST,
            path: format!("/discount-codes/pools/{}/codes", segment(pool)),
            rows: CODES_PER_CALL_MAX,
        }
    }

    /// Orders.
    pub fn orders() -> Self {
        Self {
            method: Method::POST,
            path: "/orders/import".to_owned(),
            rows: ORDERS_PER_CALL_MAX,
        }
    }
}

/// Longest wait for one slice. 60 s: a server waits 30 s for the body, and then writes it.
const SLICE_TIMEOUT: Duration = Duration::from_secs(60);

/// A file to import.
#[derive(Debug, Args)]
pub struct Import {
    /// The file; - reads standard input
    file: String,
    /// Store (store_...)
    #[arg(long, value_name = "ID")]
    store: String,
    /// Say what would become of each row; change nothing
    #[arg(long)]
    dry_run: bool,
}

/// A file, and how it is to be sent.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// `-` = standard input.
    pub file: &'a str,
    /// Public id of the store, where the rows are of one.
    pub store: Option<&'a str>,
    pub is_dry_run: bool,
}

impl Import {
    /// The file that was named.
    pub fn source(&self) -> Source<'_> {
        Source {
            file: &self.file,
            store: Some(&self.store),
            is_dry_run: self.dry_run,
        }
    }
}

/// Bounds on the calls of an import.
pub fn call_bounds() -> ClientOptions {
    ClientOptions {
        timeout: SLICE_TIMEOUT,
        ..ClientOptions::default()
    }
}

/// Imports the file.
///
/// # Errors
/// [`Failure::Failed`] also when only some rows failed.
pub fn run(import: Source<'_>, target: &Target, api: &Api, is_json: bool) -> Result<(), Failure> {
    let (source, bytes) = open(import.file)?;
    let limits = SliceLimits {
        rows: target.rows,
        bytes: SLICE_BYTES,
    };
    let slices = Slices::of(source, limits).map_err(|error| unreadable(import.file, &error))?;
    let progress = Progress::new(bytes);
    let sent = wait_for(send_all(import, target, api, slices, &progress));
    progress.finish();
    let tally = sent?;
    if tally.rows == 0 {
        return Err(Failure::Failed(format!(
            "{}: has no rows below its header",
            import.file
        )));
    }
    if is_json {
        say(&tally.json(import.store, import.is_dry_run).to_string())?;
    } else {
        if let Some(failures) = tally.failures() {
            say(&failures)?;
        }
        say(&tally.summary(import.is_dry_run))?;
    }
    match tally.failed {
        0 => Ok(()),
        failed => Err(Failure::Failed(format!("{failed} of {} rows failed", tally.rows))),
    }
}

fn open(file: &str) -> Result<(Box<dyn Read>, Option<u64>), Failure> {
    if file == "-" {
        return Ok((Box::new(io::stdin().lock()), None));
    }
    let cannot = |error: io::Error| Failure::Usage(format!("{file} cannot be read: {error}"));
    let opened = File::open(file).map_err(cannot)?;
    let about = opened.metadata().map_err(cannot)?;
    let bytes = about.is_file().then_some(about.len());
    Ok((Box::new(opened), bytes))
}

fn unreadable(file: &str, error: &CatalogError) -> Failure {
    Failure::Failed(format!("{file}: {}: {error}", error.field()))
}

async fn send_all(
    import: Source<'_>,
    target: &Target,
    api: &Api,
    slices: Slices<Box<dyn Read>>,
    progress: &Progress,
) -> Result<Tally, Failure> {
    let mut tally = Tally::default();
    for slice in slices {
        let sent = match slice {
            Ok(slice) => send(import, target, api, slice, &mut tally, progress).await,
            Err(error) => Err(unreadable(import.file, &error)),
        };
        if let Err(failure) = sent {
            if tally.rows > 0 {
                note(&format!(
                    "stopped after row {}: {}; running it again does no harm",
                    tally.rows,
                    tally.summary(import.is_dry_run)
                ));
            }
            return Err(failure);
        }
    }
    Ok(tally)
}

async fn send(
    import: Source<'_>,
    target: &Target,
    api: &Api,
    mut slice: Slice,
    tally: &mut Tally,
    progress: &Progress,
) -> Result<(), Failure> {
    let dry_run = import.is_dry_run.then_some("true");
    let path = format!(
        "{}{}",
        target.path,
        query(&[("storeId", import.store), ("dryRun", dry_run)])
    );
    let csv = Bytes::from(std::mem::take(&mut slice.csv));
    let sent = api.send(target.method.clone(), &path, Some(("text/csv", csv))).await;
    let is_told = match &sent {
        Ok(reply) => tally.add(&slice, &reply.value),
        // Of a slice without one good row, the refusal still lists the rows.
        Err(CallError::Refused { status: 422, body, .. }) => {
            let told = serde_json::from_slice::<Value>(body);
            told.is_ok_and(|told| tally.add(&slice, &told))
        }
        Err(_) => false,
    };
    if is_told {
        progress.done(slice.bytes_read, tally.rows);
        return Ok(());
    }
    match sent {
        Err(error) => Err(api.explain(&target.method, &path, error)),
        Ok(reply) => Err(Failure::Failed(format!(
            "{} {path} did not answer with what became of the rows: {}",
            target.method, reply.value
        ))),
    }
}
