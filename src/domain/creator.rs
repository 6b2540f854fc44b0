//! Creators: who own links and earn. (The API's dialect calls them partners.)

use super::id::{CreatorNo, WorkspaceNo};
use super::time::Timestamp;

/// Longest name, niche or platform, in characters.
pub const NAME_MAX: usize = 190;

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
