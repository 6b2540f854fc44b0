//! Names for rows: short numbers inside, prefixed sortable ids outside.
//!
//! A number never leaves the server; an id never reaches the hot path.

use serde::{Deserialize, Serialize};

use super::outside::Entropy;
use super::time::Timestamp;

macro_rules! row_number {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
        pub struct $name(pub u32);
    )+};
}

row_number! {
    /// Row number of a workspace; from 1.
    WorkspaceNo,
    /// Row number of a domain; 1 is the server's default domain.
    DomainNo,
    /// Row number of a link; from 1, never used twice.
    LinkNo,
    /// Row number of a store; from 1.
    StoreNo,
    /// Row number of a creator; from 1.
    CreatorNo,
    /// Row number of a version of a brand's program; from 1.
    ProgramNo,
    /// Row number of a campaign; from 1.
    CampaignNo,
    /// Row number of a pool of single-use codes; from 1, never used twice.
    CodePoolNo,
    /// Row number of a tag; from 1, never used twice.
    TagNo,
    /// Row number of a folder; from 1, never used twice.
    FolderNo,
    /// Row number of a UTM template; from 1, never used twice.
    UtmTemplateNo,
}

impl DomainNo {
    /// The fixed row that answers for every host that nobody registered.
    pub const DEFAULT: Self = Self(1);
}

/// Crockford's base 32 without I, L, O and U: what ULIDs are written in.
pub(super) const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A new id: `prefix`, then a ULID (48 bits of milliseconds, 80 random bits; <https://github.com/ulid/spec>).
/// Ids of one prefix sort by time of birth.
pub fn new_id(prefix: &str, now: Timestamp, entropy: &dyn Entropy) -> String {
    let mut random = [0; 10];
    entropy.fill(&mut random);
    let tail = random.iter().fold(0u128, |bits, byte| bits << 8 | u128::from(*byte));
    let bits = (now.0.max(0) as u128 & 0xffff_ffff_ffff) << 80 | tail;
    let mut id = String::with_capacity(prefix.len() + 26);
    id.push_str(prefix);
    for place in (0..26).rev() {
        id.push(ALPHABET[(bits >> (5 * place)) as usize & 31] as char);
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::outside::SeededEntropy;

    #[test]
    fn ids_have_one_length_and_sort_by_birth() {
        let entropy = SeededEntropy::new(1);
        let early = new_id("link_", Timestamp(1_700_000_000_000), &entropy);
        let late = new_id("link_", Timestamp(1_700_000_000_001), &entropy);
        assert_eq!(early.len(), 31);
        assert!(early < late);
        assert_ne!(early, new_id("link_", Timestamp(1_700_000_000_000), &entropy));
    }
}
