//! How a brand credits orders is changed: from the next order on. Orders that are there keep the version they came under.

use super::audit_facts;
use super::context::Context;
use super::error::Error;
use crate::books;
use crate::domain::attribution::{EvidenceKind, LeakSignal, Model};
use crate::domain::id::WorkspaceNo;
use crate::domain::program::{Program, WINDOW_DAYS_MAX};

/// What a caller says of the program. `None` = not said.
#[derive(Debug, Clone, Default)]
pub struct ProgramChange {
    pub window_days: Option<u32>,
    pub customer_window_days: Option<u32>,
    pub evidence_order: Option<Vec<EvidenceKind>>,
    pub leak_signals: Option<Vec<LeakSignal>>,
    pub model: Option<Model>,
}

/// Changes the workspace's program; answers with the one that is in force then.
pub async fn change(context: &Context, workspace: WorkspaceNo, change: ProgramChange) -> Result<Program, Error> {
    check(&change)?;
    let now = context.inner.clock.now();
    let changed = context.inner.books.commit(move |tx| {
        let known = books::program::in_force(tx, workspace)?.map(|(_, program)| program);
        let before = known.clone().unwrap_or_default();
        let was = audit_facts::of_program(&before);
        let program = Program {
            window_days: change.window_days.unwrap_or(before.window_days),
            customer_window_days: change.customer_window_days.unwrap_or(before.customer_window_days),
            evidence_order: change.evidence_order.unwrap_or(before.evidence_order),
            leak_signals: change.leak_signals.unwrap_or(before.leak_signals),
            model: change.model.unwrap_or(before.model),
        };
        if known.as_ref() != Some(&program) {
            books::program::insert(tx, workspace, &program, now)?;
        }
        books::audit::note(tx, None, Some(was), Some(audit_facts::of_program(&program)))?;
        Ok::<_, Error>(program)
    });
    changed.await
}

fn check(change: &ProgramChange) -> Result<(), Error> {
    for (field, days) in [
        ("attributionWindowDays", change.window_days),
        ("customerWindowDays", change.customer_window_days),
    ] {
        if days.is_some_and(|days| !(1..=WINDOW_DAYS_MAX).contains(&days)) {
            return Err(Error::invalid(field, "must be a whole number of days from 1 to 365"));
        }
    }
    if let Some(order) = &change.evidence_order
        && (order.is_empty() || has_twice(order))
    {
        return Err(Error::invalid(
            "evidenceOrder",
            "must name at least one kind of evidence, and none twice",
        ));
    }
    if change.leak_signals.as_deref().is_some_and(has_twice) {
        return Err(Error::invalid("leakSignals", "must not name a signal twice"));
    }
    Ok(())
}

fn has_twice<T: PartialEq>(all: &[T]) -> bool {
    all.iter().enumerate().any(|(place, one)| all[..place].contains(one))
}
