//! `hopcart clicks verify`: every frame, block, roll-up, sketch and total.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::{log_of, not_opened};
use crate::cli::failure::Failure;
use crate::cli::progress::Progress;
use crate::cli::terminal::say;
use crate::clicklog::{Verified, verify};

/// `hopcart clicks verify`
#[derive(Debug, Args)]
#[command(after_help = "Exit code 1 when something is wrong or clicks are missing.")]
pub struct Arguments {
    /// The server's data directory
    #[arg(long, value_name = "DIR", env = "HOPCART_DATA", default_value = "./hopcart-data")]
    data: PathBuf,
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
}

/// Verifies and prints what is wrong.
///
/// # Errors
/// There are findings, or the log is in use.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let log = log_of(&arguments.data)?;
    let progress = Progress::new(None);
    let told = verify(&log, |looked| progress.at(looked, looked, "frames and values"));
    progress.finish();
    let told = told.map_err(|error| not_opened(&error))?;
    match arguments.json {
        true => say(&as_json(&told))?,
        false => lines(&told).iter().try_for_each(|line| say(line))?,
    }
    match told.is_sound() {
        true => Ok(()),
        false => Err(Failure::Failed(format!(
            "{} findings, {} gaps: `hopcart clicks rebuild` makes a new store of what the journal and a backup have",
            told.findings.len() as u64 + told.more_findings,
            told.gaps.len()
        ))),
    }
}

fn lines(told: &Verified) -> Vec<String> {
    let mut lines = vec![format!(
        "{} frames, {} values, {} clicks with details",
        told.frames, told.values, told.clicks
    )];
    lines.extend(told.findings.iter().cloned());
    if told.more_findings > 0 {
        lines.push(format!("and {} findings more", told.more_findings));
    }
    lines.extend(told.gaps.iter().map(|gap| format!("missing: {gap}")));
    lines
}

fn as_json(told: &Verified) -> String {
    let gaps = told.gaps.iter().map(|gap| {
        json!({
            "firstFrame": gap.first_frame,
            "lastFrame": gap.last_frame,
            "clicks": gap.clicks,
            "withoutDetails": gap.without_details,
            "sequences": gap.sequences,
            "isExact": gap.is_exact,
            "message": gap.to_string(),
        })
    });
    json!({
        "isSound": told.is_sound(),
        "frames": told.frames,
        "values": told.values,
        "clicks": told.clicks,
        "findings": told.findings,
        "moreFindings": told.more_findings,
        "gaps": gaps.collect::<Vec<_>>(),
    })
    .to_string()
}
