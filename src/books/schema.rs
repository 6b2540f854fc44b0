//! The books' tables, and how a file of an older format becomes one of the newest.
//!
//! `PRAGMA user_version` holds the format number. A step is never edited once released: a change is a new step.

use rusqlite::{Connection, TransactionBehavior};

use super::error::OpenError;
use super::shared_sales;
use super::view::Tx;

/// `hop1` in ASCII: tells our files from other SQLite databases.
const APPLICATION_ID: i32 = 0x686f_7031;

/// Step `n` makes format `n + 1` of format `n`.
const STEPS: &[&str] = &[
    include_str!("schema/format_1.sql"),
    include_str!("schema/format_2.sql"),
    include_str!("schema/format_3.sql"),
    include_str!("schema/format_4.sql"),
    include_str!("schema/format_5.sql"),
    include_str!("schema/format_6.sql"),
];

/// Newest format number.
pub(super) const NEWEST: u32 = STEPS.len() as u32;

/// Brings the file behind `connection` to the newest format, one transaction a step.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), OpenError> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: u32 = tx.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let application: i32 = tx.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let tables: u32 = tx.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application != APPLICATION_ID && (application != 0 || found != 0 || tables != 0) {
        return Err(OpenError::Foreign);
    }
    if found > NEWEST {
        return Err(OpenError::NewerFormat { found, known: NEWEST });
    }
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    tx.commit()?;
    for (step, format) in STEPS.iter().zip(1..).skip(found as usize) {
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        tx.execute_batch(step)?;
        tx.pragma_update(None, "user_version", format)?;
        tx.commit()?;
    }
    // What no SQL can tell. Of a file that was left here half-way, the next start does the rest.
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    shared_sales::fill(&Tx::new(&tx)).map_err(|error| OpenError::Io(error.to_string()))?;
    tx.commit()?;
    Ok(())
}
