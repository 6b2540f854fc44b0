//! `hopcart backup`: has a running server write a backup to a directory on its machine, and shows how far it is.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use hyper::Method;
use serde_json::{Value, json};

use super::api::{Api, Connection};
use super::failure::Failure;
use super::progress::Progress;
use super::terminal::{cell, say, say_raw, wait_for};

/// Pause between two looks at how far it is.
const LOOK: Duration = Duration::from_millis(200);

/// `hopcart backup`
#[derive(Debug, Args)]
#[command(
    after_help = "Both stores, secrets and API keys are in it; certificates and settings are not. A second backup \
    to the same directory copies only what changed, and replaces the first once it is complete.\n\
    Needs the owner's key. DIR is on the server's machine."
)]
pub struct Arguments {
    #[command(flatten)]
    connection: Connection,
    /// Directory for the backup: empty, new, or one that holds a backup
    dir: PathBuf,
    /// Print exactly what the API answers
    #[arg(long)]
    json: bool,
}

/// Makes the backup and waits for its end.
///
/// # Errors
/// What the API refused, why the backup failed, or that the server cannot be reached.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let api = arguments.connection.open()?;
    let dir = absolute(&arguments.dir)?;
    let (body, value) = wait_for(make(&api, &dir))?;
    if arguments.json {
        say_raw(&body)?;
    }
    if value["status"] != "done" {
        return Err(Failure::Failed(format!(
            "the backup failed: {}",
            cell(&value["message"])
        )));
    }
    match arguments.json {
        true => Ok(()),
        false => say(&summary(&value)),
    }
}

fn absolute(dir: &Path) -> Result<String, Failure> {
    let path = std::path::absolute(dir)?;
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| Failure::Usage(format!("{} is not UTF-8: name another directory", path.display())))
}

async fn make(api: &Api, dir: &str) -> Result<(bytes::Bytes, Value), Failure> {
    let mut reply = api.call(Method::POST, "/backups", Some(&json!({ "dir": dir }))).await?;
    let progress = Progress::new(None);
    while reply.value["status"] == "running" {
        let count = |name: &str| reply.value[name].as_u64().unwrap_or(0);
        progress.at(
            count("filesDone"),
            count("files"),
            &format!("{}, {} bytes copied", cell(&reply.value["step"]), count("copiedBytes")),
        );
        tokio::time::sleep(LOOK).await;
        reply = api.call(Method::GET, "/backups", None).await?;
    }
    progress.finish();
    Ok((reply.body, reply.value))
}

fn summary(done: &Value) -> String {
    format!(
        "{}: {} files, {} bytes; {} files, {} bytes of them copied now, in {} ms",
        cell(&done["dir"]),
        done["files"],
        done["bytes"],
        done["copiedFiles"],
        done["copiedBytes"],
        done["tookMs"]
    )
}
