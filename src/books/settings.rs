//! Settings: at most one row a workspace; without one, the defaults hold.

use super::columns::{self, Columns, Json};
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
        "SELECT currency, micro, mid, macro, celebrity, app_schemes, hides_cards FROM settings WHERE workspace = ?",
        [workspace],
        |row| {
            let mut columns = Columns::of(row);
            let currency = columns.next()?;
            let mut bounds = [0; 4];
            for bound in &mut bounds {
                *bound = columns.next_count()?.unwrap_or(0);
            }
            let tiers = TierBounds::of(bounds).ok_or(rusqlite::Error::InvalidQuery)?;
            let schemes = columns.next::<Option<Json<_>>>()?;
            Ok(Settings {
                currency,
                tiers,
                app_schemes: schemes.map(|schemes| schemes.0).unwrap_or_default(),
                hides_cards: columns.next()?,
            })
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
        "INSERT OR REPLACE INTO settings (workspace, currency, micro, mid, macro, celebrity, app_schemes, hides_cards)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            workspace,
            &settings.currency,
            micro?,
            mid?,
            large?,
            celebrity?,
            (!settings.app_schemes.is_empty()).then_some(Json(&settings.app_schemes)),
            settings.hides_cards,
        ),
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
                app_schemes: vec!["myshop".to_owned()],
                hides_cards: true,
            };
            put(tx, ours, &Settings::default())?;
            put(tx, ours, &own)?;
            assert_eq!((of(tx, ours)?, of(tx, theirs)?), (own, Settings::default()));
            Ok(())
        });
    }
}
