//! A workspace's settings are changed.

use super::context::Context;
use super::error::Error;
use crate::books;
use crate::domain::creator::TierBounds;
use crate::domain::id::WorkspaceNo;
use crate::domain::money;
use crate::domain::settings::Settings;

/// What a caller says of the settings. `None` = not said.
#[derive(Debug, Clone, Default)]
pub struct SettingsChange {
    /// ISO 4217; `Some(None)` = as the stores sell.
    pub currency: Option<Option<String>>,
    /// Followers from which tiers begin: micro, mid, macro, celebrity.
    pub tiers: [Option<u64>; 4],
}

/// Changes what was said; the settings as they are then.
pub async fn set(context: &Context, workspace: WorkspaceNo, change: SettingsChange) -> Result<Settings, Error> {
    let set = context.inner.books.commit(move |tx| {
        let mut settings = books::settings::of(tx, workspace)?;
        if let Some(code) = change.currency {
            let unknown = || Error::invalid("currency", "must be an ISO 4217 code such as EUR");
            let code = code
                .map(|code| money::currency(&code).ok_or_else(unknown))
                .transpose()?;
            settings.currency = code.map(|code| code.code().to_owned());
        }
        let mut bounds = settings.tiers.get();
        for (bound, said) in bounds.iter_mut().zip(change.tiers) {
            *bound = said.unwrap_or(*bound);
        }
        settings.tiers = TierBounds::of(bounds)
            .ok_or_else(|| Error::invalid("tiers", "must ascend from above 0: micro < mid < macro < celebrity"))?;
        books::settings::put(tx, workspace, &settings)?;
        Ok::<_, Error>(settings)
    });
    set.await
}
