//! A link: a slug with a destination and an owner.
//!
//! Says what a link is and whether it may be followed; where it leads is decided in `redirect`.

use serde::{Deserialize, Serialize};

use super::cart::{Cart, StockPolicy};
use super::experiment::Experiment;
use super::id::{CampaignNo, CreatorNo, DomainNo, LinkNo, WorkspaceNo};
use super::reception::Reception;
use super::time::Timestamp;

/// Longest id that a brand may give a link.
pub const EXTERNAL_ID_MAX: usize = 255;
/// Longest free text (title, description, comments), in characters.
pub const TEXT_MAX: usize = 4096;

/// A link as the books keep it. Its JSON waits in their outbox while it is told of: a field may be added, not renamed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    pub no: LinkNo,
    /// Public id, `link_` and a ULID.
    pub id: String,
    pub workspace: WorkspaceNo,
    pub domain: DomainNo,
    /// The path text after `/`, decoded.
    pub slug: String,
    /// Whether letter case counts.
    pub is_exact: bool,
    pub terms: LinkTerms,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What a brand may set and change on a link.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LinkTerms {
    /// Serialised URL; for a cart link the cart's own URL without a click id.
    pub destination: String,
    pub external_id: Option<String>,
    pub tenant_id: Option<String>,
    pub creator: Option<CreatorNo>,
    /// Whether the click id is appended although no creator or cart needs it.
    pub tracks_conversions: bool,
    /// Hidden in lists; still followed.
    pub is_archived: bool,
    pub expires_at: Option<Timestamp>,
    /// Where followers go once expired; serialised URL.
    pub expired_url: Option<String>,
    pub disabled_at: Option<Timestamp>,
    /// Uses after which the link is gone.
    pub clicks_max: Option<u64>,
    pub title: Option<String>,
    pub description: Option<String>,
    pub comments: Option<String>,
    /// UTM parameters in the order of [`super::click::UTM_NAMES`], written into the destination.
    pub utm: [Option<String>; 5],
    pub cart: Option<Cart>,
    pub stock_policy: StockPolicy,
    /// What the link leads to for some of its followers, and the others, while it is tried out.
    pub experiment: Option<Experiment>,
    pub campaign: Option<CampaignNo>,
    /// Which video or post it stands under; the brand's own text.
    pub content_id: Option<String>,
    /// Where that can be seen; serialised URL.
    pub content_url: Option<String>,
    pub reception: Reception,
}

impl LinkTerms {
    /// Whether every follow sends its click id along: conversions are tracked, a creator earns, it is a cart, or
    /// orders must tell which variant they came of.
    pub fn sends_click_id(&self) -> bool {
        let has_cart = self.cart.is_some() || self.reception.targets().any(|target| target.cart.is_some());
        self.tracks_conversions || self.creator.is_some() || has_cart || self.experiment.is_some()
    }
}

/// Whether two links of one domain cannot both exist: their folds are equal, unless both are exact and differ.
pub fn slugs_conflict(a: (&str, bool), b: (&str, bool)) -> bool {
    super::slug::fold(a.0) == super::slug::fold(b.0) && !(a.1 && b.1 && a.0 != b.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_links_may_differ_in_case_alone() {
        for (a, b, conflict) in [
            (("abc", true), ("Abc", true), false),
            (("abc", true), ("abc", true), true),
            (("abc", true), ("Abc", false), true),
            (("abc", false), ("ABC", false), true),
            (("abc", false), ("abd", false), false),
        ] {
            assert_eq!(slugs_conflict(a, b), conflict, "{a:?} {b:?}");
        }
    }

    #[test]
    fn click_ids_travel_when_somebody_needs_them() {
        assert!(!LinkTerms::default().sends_click_id());
        assert!(
            LinkTerms {
                creator: Some(CreatorNo(1)),
                ..LinkTerms::default()
            }
            .sends_click_id()
        );
        assert!(
            LinkTerms {
                tracks_conversions: true,
                ..LinkTerms::default()
            }
            .sends_click_id()
        );
    }
}
