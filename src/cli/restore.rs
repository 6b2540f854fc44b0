//! `hopcart restore`: makes a data directory from a backup. Needs no server.

use std::path::PathBuf;

use clap::Args;

use super::failure::Failure;
use super::progress::Progress;
use super::terminal::say;
use crate::flows::backup::{self, RestoreError};

/// `hopcart restore`
#[derive(Debug, Args)]
#[command(after_help = "Every file of the backup is verified before anything is written.")]
pub struct Arguments {
    /// Directory that holds the backup
    dir: PathBuf,
    /// Directory to make: new or empty
    #[arg(long, value_name = "NEW")]
    data: PathBuf,
}

/// Restores.
///
/// # Errors
/// The backup is damaged or not complete, or the target is not empty: exit code 1, and nothing was written.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let progress = Progress::new(None);
    let mut done = 0;
    let restored = backup::restore(&arguments.dir, &arguments.data, |bytes, total| {
        done += bytes;
        progress.at(done, total, "bytes verified");
    });
    progress.finish();
    match restored {
        Ok(restored) => say(&format!(
            "{} is as of {}: {} files, {} bytes; start it with hopcart serve --data {}",
            arguments.data.display(),
            restored.made_at,
            restored.files,
            restored.bytes,
            arguments.data.display()
        )),
        Err(RestoreError::Refused(why)) => Err(Failure::Failed(why)),
        Err(RestoreError::Failed(why)) => Err(Failure::Failed(format!("the backup could not be restored: {why}"))),
    }
}
