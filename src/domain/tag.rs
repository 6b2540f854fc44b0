//! A tag: a word and a color that a brand sorts its links by.

use serde::{Deserialize, Serialize};

use super::id::{TagNo, WorkspaceNo};
use super::time::Timestamp;

/// Longest name, in characters, as in the dialect.
pub const NAME_MAX: usize = 50;
/// Tags of one link. 50: more are no order any more, and each costs a row.
pub const TAGS_PER_LINK_MAX: usize = 50;

/// A tag as the books keep it. Names are a workspace's own, in any case of ASCII letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    pub no: TagNo,
    /// Public id, `tag_` and a ULID.
    pub id: String,
    pub workspace: WorkspaceNo,
    pub name: String,
    pub color: TagColor,
    pub created_at: Timestamp,
}

/// How a tag is shown; the dialect's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TagColor {
    Red,
    Yellow,
    Green,
    Blue,
    Purple,
    Brown,
    Gray,
    Pink,
}

impl TagColor {
    const ALL: [Self; 8] = [
        Self::Red,
        Self::Yellow,
        Self::Green,
        Self::Blue,
        Self::Purple,
        Self::Brown,
        Self::Gray,
        Self::Pink,
    ];

    /// The color of a tag that came without one: by its name, so that it is the same wherever it is made.
    pub fn of_name(name: &str) -> Self {
        let sum = name.bytes().fold(0u32, |sum, byte| {
            sum.wrapping_mul(31).wrapping_add(u32::from(byte.to_ascii_lowercase()))
        });
        Self::ALL[(sum % 8) as usize]
    }
}

/// Why `name` cannot be a tag's.
pub fn name_problem(name: &str) -> Option<&'static str> {
    let length = name.chars().count();
    if name.trim() != name || !(1..=NAME_MAX).contains(&length) {
        return Some("must have 1 to 50 characters and no space around them");
    }
    // Lists of names are written with commas between them.
    (name.contains(',') || name.chars().any(char::is_control)).then_some("must have no comma and no control character")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_can_stand_in_lists() {
        for (name, is_good) in [
            ("spring", true),
            ("été 2026", true),
            ("", false),
            (" ", false),
            ("spring ", false),
            ("a,b", false),
            ("a\nb", false),
            (&"x".repeat(50), true),
            (&"ü".repeat(51), false),
        ] {
            assert_eq!(name_problem(name).is_none(), is_good, "{name:?}");
        }
    }

    #[test]
    fn a_name_has_one_color() {
        assert_eq!(TagColor::of_name("Spring"), TagColor::of_name("spring"));
        let colors: Vec<TagColor> = (b'a'..b'i')
            .map(|byte| TagColor::of_name(&char::from(byte).to_string()))
            .collect();
        assert!(TagColor::ALL.iter().all(|color| colors.contains(color)), "{colors:?}");
    }
}
