//! Discount codes that belong to a creator: the evidence that crosses devices and needs no cookie.
//!
//! Shops compare codes without regard to letter case; so does [`fold`].

use super::attribution::LeakSignal;
use super::id::{CreatorNo, LinkNo, WorkspaceNo};
use super::time::Timestamp;

/// A code as the books keep it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiscountCode {
    /// Public id, `dcode_` and a ULID.
    pub id: String,
    pub workspace: WorkspaceNo,
    /// As the brand wrote it.
    pub code: String,
    pub creator: CreatorNo,
    pub link: Option<LinkNo>,
    pub created_at: Timestamp,
    /// Why it is not trusted, if it is not: orders that come with it from then on carry the signal.
    pub leak: Option<LeakSignal>,
    /// Whether the brand said that it is to be trusted, whatever signals say.
    pub is_trusted: bool,
}

/// The form in which codes are compared.
pub fn fold(code: &str) -> String {
    caseless::default_case_fold_str(code.trim())
}

#[cfg(test)]
mod tests {
    #[test]
    fn case_and_edges_do_not_matter() {
        assert_eq!(super::fold(" Mia10 "), super::fold("MIA10"));
    }
}
