//! `hopcart clicks rebuild`: a new click store from the journal, and from a backup what the journal no longer has.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;

use super::{log_of, not_opened};
use crate::cli::failure::Failure;
use crate::cli::progress::Progress;
use crate::cli::terminal::{note, say};
use crate::clicklog::{BackupFiles, BackupSource, rebuild};
use crate::domain::time::Timestamp;
use crate::flows::backup::NewestBackup;

/// `hopcart clicks rebuild`
#[derive(Debug, Args)]
#[command(after_help = "The old store is kept aside. The journal has seven days; what is older needs a backup.")]
pub struct Arguments {
    /// The server's data directory
    #[arg(long, value_name = "DIR", env = "HOPCART_DATA", default_value = "./hopcart-data")]
    data: PathBuf,
    /// Backup that has what is older than the journal
    #[arg(long, value_name = "DIR")]
    from_backup: Option<PathBuf>,
}

/// Rebuilds and says what could not be brought back.
///
/// # Errors
/// The log is in use, the backup cannot be used, or writing failed: the old store is then as it was. Exit code 1 also
/// when clicks could not be brought back.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let log = log_of(&arguments.data)?;
    let backup: Option<BackupFiles> = match &arguments.from_backup {
        Some(dir) => Some(NewestBackup(dir.clone()).newest().map_err(Failure::Failed)?),
        None => None,
    };
    let progress = Progress::new(None);
    let rebuilt = rebuild(&log, backup.as_ref(), now(), |clicks| {
        progress.at(clicks, clicks, "clicks from the journal");
    });
    progress.finish();
    let rebuilt = rebuilt.map_err(|error| not_opened(&error))?;
    say(&format!(
        "rebuilt through frame {}, {} clicks from the journal",
        rebuilt.through, rebuilt.clicks_from_journal
    ))?;
    if let Some(old) = &rebuilt.replaced {
        note(&format!("the old store is in {}", old.display()));
    }
    rebuilt
        .gaps
        .iter()
        .try_for_each(|gap| say(&format!("missing: {gap}")))?;
    match rebuilt.gaps.is_empty() {
        true => Ok(()),
        false => Err(Failure::Failed(format!(
            "{} gaps could not be filled; --from-backup names a backup that may",
            rebuilt.gaps.len()
        ))),
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
