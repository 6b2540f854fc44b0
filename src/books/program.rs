//! Brands' programs: one row a version, the latest is in force, and none is ever changed.

use super::columns::{Columns, Json};
use super::error::Error;
use super::view::{Tx, View};
use crate::domain::attribution::Model;
use crate::domain::id::{ProgramNo, WorkspaceNo};
use crate::domain::program::Program;
use crate::domain::time::Timestamp;

const SELECT: &str = "SELECT no, window_days, customer_window_days, evidence_order, leak_signals, model FROM programs";

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<(ProgramNo, Program)> {
    let mut columns = Columns::of(row);
    let no = columns.next()?;
    let program = Program {
        window_days: columns.next()?,
        customer_window_days: columns.next()?,
        evidence_order: columns.next::<Json<_>>()?.0,
        leak_signals: columns.next::<Json<_>>()?.0,
        model: columns
            .next_parsed(Model::parse)?
            .ok_or(rusqlite::Error::InvalidQuery)?,
    };
    Ok((no, program))
}

/// The workspace's program in force; `None` = the usual one.
///
/// # Errors
/// [`Error::Failed`].
pub fn in_force(view: &View<'_>, workspace: WorkspaceNo) -> Result<Option<(ProgramNo, Program)>, Error> {
    let sql = format!("{SELECT} WHERE workspace = ? ORDER BY no DESC LIMIT 1");
    view.first(&sql, [workspace], read)
}

/// The version that an order names; the usual program where it names none.
///
/// # Errors
/// [`Error::NotFound`].
pub fn by_no(view: &View<'_>, no: Option<ProgramNo>) -> Result<Program, Error> {
    let Some(no) = no else { return Ok(Program::default()) };
    let found = view.first(&format!("{SELECT} WHERE no = ?"), [no], read)?;
    found
        .map(|(_, program)| program)
        .ok_or(Error::NotFound { what: "program" })
}

/// Puts `program` into force from now on.
///
/// # Errors
/// [`Error::Failed`].
pub fn insert(tx: &Tx<'_>, workspace: WorkspaceNo, program: &Program, now: Timestamp) -> Result<ProgramNo, Error> {
    tx.run(
        "INSERT INTO programs (workspace, window_days, customer_window_days, evidence_order, leak_signals, model,
         created_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            workspace,
            program.window_days,
            program.customer_window_days,
            Json(&program.evidence_order),
            Json(&program.leak_signals),
            program.model.as_str(),
            now,
        ),
    )?;
    Ok(ProgramNo(tx.last_no()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::books::fixture;
    use crate::domain::attribution::{EvidenceKind, LeakSignal};

    #[test]
    fn the_latest_version_is_in_force_and_the_older_stay() {
        fixture::in_tx(|tx| {
            let (ours, theirs) = (fixture::workspace(tx, "a")?, fixture::workspace(tx, "b")?);
            assert_eq!(in_force(tx, ours)?, None);
            assert_eq!(by_no(tx, None)?, Program::default());
            let first = insert(tx, ours, &Program::default(), Timestamp(1))?;
            let program = Program {
                window_days: 7,
                customer_window_days: 90,
                evidence_order: vec![EvidenceKind::Click, EvidenceKind::CreatorCode],
                leak_signals: vec![LeakSignal::Reported],
                model: Model::TimeDecay,
            };
            let second = insert(tx, ours, &program, Timestamp(2))?;
            assert_eq!(in_force(tx, ours)?, Some((second, program)));
            assert_eq!(by_no(tx, Some(first))?, Program::default());
            assert_eq!(in_force(tx, theirs)?, None);
            assert_eq!(by_no(tx, Some(ProgramNo(99))), Err(Error::NotFound { what: "program" }));
            Ok(())
        });
    }
}
