//! `hopcart doctor`: looks at a running server from the outside and says what to do about what is wrong.
//!
//! Changes nothing and counts no click: the public listener is asked for a path that no link can have.

mod checks;
mod finding;
mod machine;
mod metrics;

use std::path::PathBuf;

use clap::Args;

use super::api::Connection;
use super::failure::Failure;
use super::terminal::{say, wait_for};
use finding::Verdict;

/// `hopcart doctor`
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    connection: Connection,
    /// Data directory, for its disk; looked at when the server runs on this machine
    #[arg(long, value_name = "DIR", env = "HOPCART_DATA", default_value = "./hopcart-data")]
    data: PathBuf,
}

/// Checks everything and prints the findings.
///
/// # Errors
/// When at least one finding is bad.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let api = arguments.connection.open()?;
    let mut findings = wait_for(async { Ok(checks::server(&api).await) })?;
    findings.push(machine::open_files());
    findings.extend(machine::disk(&arguments.data, api.server()));
    say(&finding::table_of(&findings).to_string())?;
    let failed = findings
        .iter()
        .filter(|finding| finding.verdict == Verdict::Fail)
        .count();
    match failed {
        0 => Ok(()),
        _ => Err(Failure::Failed(format!("{failed} of {} checks failed", findings.len()))),
    }
}
