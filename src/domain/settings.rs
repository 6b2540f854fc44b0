//! What a brand sets for its whole workspace: what its reports are in, and where tiers of creators begin.

use super::creator::TierBounds;

/// The settings of one workspace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// ISO 4217 code of reports that name none, and of what creators cost; `None` = as the stores sell.
    pub currency: Option<String>,
    pub tiers: TierBounds,
    /// Schemes of the brand's apps, as [`super::app_link::parse_scheme`] keeps them: where `ios` and `android` may lead.
    pub app_schemes: Vec<String>,
    /// Whether a `+` behind a link shows nothing of it.
    pub hides_cards: bool,
}
