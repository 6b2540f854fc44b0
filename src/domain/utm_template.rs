//! A UTM template: what a brand writes into the UTM parameters of many links, kept under one name.

use super::id::{UtmTemplateNo, WorkspaceNo};
use super::time::Timestamp;

/// Longest name, in characters, as in the dialect.
pub const NAME_MAX: usize = 50;

/// A template as the books keep it. Names are a workspace's own, in any case of ASCII letters. Links copy what it says
/// when they are written: a template that changes, or goes, changes no link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UtmTemplate {
    pub no: UtmTemplateNo,
    /// Public id, `utm_` and a ULID.
    pub id: String,
    pub workspace: WorkspaceNo,
    pub name: String,
    /// In the order of [`super::click::UTM_NAMES`].
    pub utm: [Option<String>; 5],
    /// The parameter `ref`.
    pub reference: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// Why `name` cannot be a template's.
pub fn name_problem(name: &str) -> Option<&'static str> {
    let is_good =
        name.trim() == name && (1..=NAME_MAX).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    (!is_good).then_some("must have 1 to 50 characters, no control character and no space around them")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_line_of_some_length() {
        for (name, is_good) in [
            ("Spring on TikTok", true),
            (&"ü".repeat(50), true),
            ("", false),
            (" Spring", false),
            ("a\nb", false),
            (&"x".repeat(51), false),
        ] {
            assert_eq!(name_problem(name).is_none(), is_good, "{name:?}");
        }
    }
}
