//! The waiting list: who wants to know when a link's products are back, and what they agreed to.
//!
//! An address is on a link's list once, in any letter case. Nobody is written to from here.

use super::id::{LinkNo, StoreNo, WorkspaceNo};
use super::time::Timestamp;

/// Most entries of one link. Addresses of people are not hoarded by a form that anybody can post to: a list this long
/// is worth a look before it grows, and a flood of made-up addresses ends at some 40 MB.
pub const ENTRIES_PER_LINK_MAX: u64 = 100_000;

/// One address on one link's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitlistEntry {
    /// Public id, `wl_` and a ULID.
    pub id: String,
    pub workspace: WorkspaceNo,
    pub store: StoreNo,
    /// The link that was followed; it may be deleted since.
    pub link: LinkNo,
    /// As [`super::email::parse`] spells it.
    pub email: String,
    /// The sentence that was agreed to, as the page showed it.
    pub consent: String,
    /// Language of the page (BCP 47).
    pub language: String,
    /// What the link's cart asked for: SKUs, and variant ids of what has none.
    pub skus: Vec<String>,
    pub created_at: Timestamp,
}
