//! A folder: the one place where a link lies. Ours are for order alone: whoever may read links reads all of them.

use serde::{Deserialize, Serialize};

use super::id::{FolderNo, WorkspaceNo};
use super::time::Timestamp;

/// Longest name, in characters, as in the dialect.
pub const NAME_MAX: usize = 190;
/// Longest description, in characters, as in the dialect.
pub const DESCRIPTION_MAX: usize = 500;

/// A folder as the books keep it. Names are a workspace's own, in any case of ASCII letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    pub no: FolderNo,
    /// Public id, `fold_` and a ULID.
    pub id: String,
    pub workspace: WorkspaceNo,
    pub name: String,
    pub description: Option<String>,
    /// What members of a workspace may do in it, in the dialect's words; kept and answered, it opens and closes nothing
    /// here.
    pub access: Option<Access>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// The dialect's words for who may do what in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    Write,
    Read,
}

/// Why `name` cannot be a folder's.
pub fn name_problem(name: &str) -> Option<&'static str> {
    let is_good =
        name.trim() == name && (1..=NAME_MAX).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    (!is_good).then_some("must have 1 to 190 characters, no control character and no space around them")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_bounds() {
        for (name, is_good) in [("a, b", true), ("", false), ("a ", false), ("a\tb", false)] {
            assert_eq!(name_problem(name).is_none(), is_good, "{name:?}");
        }
        assert!(name_problem(&"x".repeat(NAME_MAX + 1)).is_some());
    }
}
