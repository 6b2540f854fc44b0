//! What a brand spends on creators, campaigns and links: entries that are never edited. One is taken back by voiding it.

use super::id::{CampaignNo, CreatorNo, LinkNo, WorkspaceNo};
use super::time::Timestamp;

/// Longest note, in characters.
pub const NOTE_MAX: usize = 4096;
/// Longest id that a brand may give an entry, in characters.
pub const EXTERNAL_ID_MAX: usize = 255;
/// Largest amount of one entry, in minor units: sums of many stay far from what 64 bits hold.
pub const AMOUNT_MAX: i64 = 100_000_000_000_000;

/// An entry as the books keep it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spend {
    /// Public id, `spend_` and a ULID.
    pub id: String,
    pub workspace: WorkspaceNo,
    pub told: SpendTold,
    pub created_at: Timestamp,
    /// When it was taken back; it counts no more, and stays to be seen.
    pub voided_at: Option<Timestamp>,
    pub void_note: Option<String>,
}

/// What a brand tells of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpendTold {
    /// The brand's own id: telling it again is no second entry.
    pub external_id: Option<String>,
    pub creator: Option<CreatorNo>,
    pub campaign: Option<CampaignNo>,
    pub link: Option<LinkNo>,
    /// Minor units, above 0.
    pub amount: i64,
    /// ISO 4217.
    pub currency: String,
    pub at: Timestamp,
    pub note: Option<String>,
}
