//! Creators: who own links and earn. (The API's dialect calls them partners.)

use super::id::{CreatorNo, WorkspaceNo};
use super::time::Timestamp;

/// Longest name, niche or platform, in characters.
pub const NAME_MAX: usize = 190;

/// How large a creator's following is, in the words of the trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// Below 10,000 followers.
    Nano,
    /// From 10,000.
    Micro,
    /// From 50,000.
    Mid,
    /// From 500,000.
    Macro,
    /// From 1,000,000.
    Celebrity,
}

impl Tier {
    /// Followers from which a tier begins, from [`Tier::Micro`] on.
    pub const BOUNDS: [u64; 4] = [10_000, 50_000, 500_000, 1_000_000];

    /// The tier of somebody with so many followers.
    pub fn of(followers: u64) -> Self {
        match Self::BOUNDS.partition_point(|bound| *bound <= followers) {
            0 => Self::Nano,
            1 => Self::Micro,
            2 => Self::Mid,
            3 => Self::Macro,
            _ => Self::Celebrity,
        }
    }

    /// The word in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nano => "nano",
            Self::Micro => "micro",
            Self::Mid => "mid",
            Self::Macro => "macro",
            Self::Celebrity => "celebrity",
        }
    }
}

/// A creator as the books keep it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Creator {
    pub no: CreatorNo,
    /// Public id, `pn_` and a ULID.
    pub id: String,
    pub workspace: WorkspaceNo,
    pub terms: CreatorTerms,
    pub created_at: Timestamp,
}

/// What a brand says about a creator.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CreatorTerms {
    pub name: String,
    pub email: Option<String>,
    pub username: Option<String>,
    pub image: Option<String>,
    pub tenant_id: Option<String>,
    /// ISO 3166-1 alpha-2.
    pub country: Option<String>,
    pub description: Option<String>,
    /// What the creator is an expert in, such as `urban gardening`.
    pub niche: Option<String>,
    /// Where the creator posts, such as `tiktok`.
    pub platform: Option<String>,
    pub followers: Option<u64>,
    /// Paid up front, counted as spend; minor units of the workspace's report currency.
    pub cost: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tier_begins_at_its_bound() {
        for (followers, expected) in [
            (0, "nano"),
            (9_999, "nano"),
            (10_000, "micro"),
            (49_999, "micro"),
            (50_000, "mid"),
            (499_999, "mid"),
            (500_000, "macro"),
            (999_999, "macro"),
            (1_000_000, "celebrity"),
            (u64::MAX, "celebrity"),
        ] {
            assert_eq!(Tier::of(followers).as_str(), expected, "{followers}");
        }
    }
}
