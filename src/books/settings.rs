//! Settings: at most one row a workspace; without one, the defaults hold.

use super::columns::{self, Columns};
use super::error::Error;
use super::view::{Tx, View};
use crate::domain::creator::TierBounds;
use crate::domain::id::WorkspaceNo;
use crate::domain::settings::Settings;

/// The workspace's settings.
///
/// # Errors
/// [`Error::Failed`].
pub fn of(view: &View<'_>, workspace: WorkspaceNo) -> Result<Settings, Error> {
    let found = view.first(
        "SELECT currency, micro, mid, macro, celebrity FROM settings WHERE workspace = ?",
        [workspace],
        |row| {
            let mut columns = Columns::of(row);
            let currency = columns.next()?;
            let mut bounds = [0; 4];
            for bound in &mut bounds {
                *bound = columns.next_count()?.unwrap_or(0);
            }
            let tiers = TierBounds::of(bounds).ok_or(rusqlite::Error::InvalidQuery)?;
            Ok(Settings { currency, tiers })
        },
    )?;
    Ok(found.unwrap_or_default())
}

/// Stores all of `settings`.
///
/// # Errors
/// [`Error::Failed`].
pub fn put(tx: &Tx<'_>, workspace: WorkspaceNo, settings: &Settings) -> Result<(), Error> {
    let [micro, mid, large, celebrity] = settings.tiers.get().map(|bound| columns::count(Some(bound), "tiers"));
    tx.run(
        "INSERT OR REPLACE INTO settings (workspace, currency, micro, mid, macro, celebrity) VALUES (?, ?, ?, ?, ?, ?)",
        (workspace, &settings.currency, micro?, mid?, large?, celebrity?),
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::books::fixture;

    #[test]
    fn settings_are_the_workspaces_own() {
        fixture::in_tx(|tx| {
            let (ours, theirs) = (fixture::workspace(tx, "a")?, fixture::workspace(tx, "b")?);
            assert_eq!(of(tx, ours)?, Settings::default());
            let own = Settings {
                currency: Some("EUR".to_owned()),
                tiers: TierBounds::of([1, 2, 3, 4]).expect("ascending"),
            };
            put(tx, ours, &Settings::default())?;
            put(tx, ours, &own)?;
            assert_eq!((of(tx, ours)?, of(tx, theirs)?), (own, Settings::default()));
            Ok(())
        });
    }
}
