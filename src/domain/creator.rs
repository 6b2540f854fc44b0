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

/// Followers from which each tier begins, from [`Tier::Micro`] on; ascending, above 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TierBounds([u64; 4]);

impl Default for TierBounds {
    /// The bounds of the trade.
    fn default() -> Self {
        Self([10_000, 50_000, 500_000, 1_000_000])
    }
}

impl TierBounds {
    /// Bounds of a brand's own; `None` unless they ascend from above 0 and fit the books.
    pub fn of(bounds: [u64; 4]) -> Option<Self> {
        let is_ascending = bounds[0] > 0 && bounds.windows(2).all(|pair| pair[0] < pair[1]);
        (is_ascending && i64::try_from(bounds[3]).is_ok()).then_some(Self(bounds))
    }

    /// The bounds, from [`Tier::Micro`] on.
    pub fn get(self) -> [u64; 4] {
        self.0
    }

    /// The tier of somebody with so many followers.
    pub fn tier(self, followers: u64) -> Tier {
        match self.0.partition_point(|bound| *bound <= followers) {
            0 => Tier::Nano,
            1 => Tier::Micro,
            2 => Tier::Mid,
            3 => Tier::Macro,
            _ => Tier::Celebrity,
        }
    }
}

impl Tier {
    /// Every tier, smallest first.
    pub const ALL: [Self; 5] = [Self::Nano, Self::Micro, Self::Mid, Self::Macro, Self::Celebrity];

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
    /// `None` = takes part.
    pub departure: Option<Departure>,
}

impl Creator {
    /// The word of the API: `approved`, `deactivated` or `banned`.
    pub fn status(&self) -> &'static str {
        match &self.departure {
            None => "approved",
            Some(Departure { ban: None, .. }) => "deactivated",
            Some(Departure { ban: Some(_), .. }) => "banned",
        }
    }
}

/// That a creator takes part no more. Links made for them are off, their codes bring them nothing that is ordered later;
/// what they brought before stays theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Departure {
    pub at: Timestamp,
    /// Why they were sent away; `None` = they left in good standing.
    pub ban: Option<BanReason>,
}

/// Why a creator was sent away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BanReason {
    TosViolation,
    InappropriateContent,
    FakeTraffic,
    Fraud,
    Spam,
    BrandAbuse,
}

impl BanReason {
    /// Every reason, in the order of the API's description.
    pub const ALL: [Self; 6] = [
        Self::TosViolation,
        Self::InappropriateContent,
        Self::FakeTraffic,
        Self::Fraud,
        Self::Spam,
        Self::BrandAbuse,
    ];

    /// Their words, in the same order.
    pub const WORDS: [&str; Self::ALL.len()] = {
        let mut words = [""; Self::ALL.len()];
        let mut place = 0;
        while place < words.len() {
            words[place] = Self::ALL[place].as_str();
            place += 1;
        }
        words
    };

    /// The word of the API and the books.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TosViolation => "tos_violation",
            Self::InappropriateContent => "inappropriate_content",
            Self::FakeTraffic => "fake_traffic",
            Self::Fraud => "fraud",
            Self::Spam => "spam",
            Self::BrandAbuse => "brand_abuse",
        }
    }

    /// The reason with that word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }
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
    fn reasons_are_read_as_they_are_written() {
        for reason in BanReason::ALL {
            assert_eq!(BanReason::parse(reason.as_str()), Some(reason));
        }
        assert_eq!(BanReason::parse("FRAUD"), None);
    }

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
            assert_eq!(TierBounds::default().tier(followers).as_str(), expected, "{followers}");
        }
        let own = TierBounds::of([1, 2, 3, 4]).expect("ascending");
        assert_eq!((own.tier(0), own.tier(3)), (Tier::Nano, Tier::Macro));
        for bounds in [[0, 1, 2, 3], [1, 1, 2, 3], [4, 3, 2, 1], [1, 2, 3, u64::MAX]] {
            assert_eq!(TierBounds::of(bounds), None, "{bounds:?}");
        }
    }
}
