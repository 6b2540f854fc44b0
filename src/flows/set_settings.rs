//! A workspace's settings are changed.

use super::audit_facts;
use super::context::Context;
use super::error::Error;
use crate::books;
use crate::domain::app_link::{SCHEMES_MAX, parse_scheme};
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
    /// Schemes of the brand's apps. Links keep the targets that they have.
    pub app_schemes: Option<Vec<String>>,
    pub hides_cards: Option<bool>,
}

/// Changes what was said; the settings as they are then.
pub async fn set(context: &Context, workspace: WorkspaceNo, change: SettingsChange) -> Result<Settings, Error> {
    let set = context.inner.books.commit(move |tx| {
        let mut settings = books::settings::of(tx, workspace)?;
        let before = audit_facts::of_settings(&settings);
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
        if let Some(schemes) = change.app_schemes {
            settings.app_schemes = checked_schemes(&schemes)?;
        }
        settings.hides_cards = change.hides_cards.unwrap_or(settings.hides_cards);
        books::settings::put(tx, workspace, &settings)?;
        books::audit::note(tx, None, Some(before), Some(audit_facts::of_settings(&settings)))?;
        Ok::<_, Error>(settings)
    });
    set.await
}

fn checked_schemes(schemes: &[String]) -> Result<Vec<String>, Error> {
    if schemes.len() > SCHEMES_MAX {
        return Err(Error::invalid(
            "appSchemes",
            format!("must have at most {SCHEMES_MAX} entries"),
        ));
    }
    let checked = schemes.iter().enumerate().map(|(place, text)| {
        let message = "must be a scheme of an app of yours such as myshop; those of browsers and systems, such as \
                       javascript, data, file and intent, cannot be listed";
        parse_scheme(text).ok_or_else(|| Error::invalid(format!("appSchemes[{place}]"), message))
    });
    let mut checked = checked.collect::<Result<Vec<_>, _>>()?;
    checked.sort_unstable();
    checked.dedup();
    Ok(checked)
}
