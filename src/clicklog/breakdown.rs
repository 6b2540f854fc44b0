//! Counts by name, within a bound of memory.

use foldhash::{HashMap, HashMapExt};

use super::error::QueryError;

/// Most memory that the names of one answer take. Past it the question is refused: a list of the names that came first
/// would be no answer.
const NAMES_BYTES_MAX: usize = 64 << 20;
/// What a name takes beside its bytes: text, count and place in the table, which may be half empty.
const NAME_OVERHEAD: usize = 96;

/// Counts by name.
#[derive(Default)]
pub(super) struct Breakdown {
    counts: HashMap<String, u64>,
    bytes: usize,
}

impl Breakdown {
    pub(super) fn new() -> Self {
        Self {
            counts: HashMap::new(),
            bytes: 0,
        }
    }

    pub(super) fn add(&mut self, name: &str, more: u64) -> Result<(), QueryError> {
        if let Some(count) = self.counts.get_mut(name) {
            *count += more;
            return Ok(());
        }
        self.bytes += name.len() + NAME_OVERHEAD;
        if self.bytes > NAMES_BYTES_MAX {
            return Err(QueryError::TooLarge("too many distinct names"));
        }
        self.counts.insert(name.to_owned(), more);
        Ok(())
    }

    /// The `limit` names with the most clicks, most first, then by name.
    pub(super) fn top(self, limit: usize) -> Vec<(String, u64)> {
        let mut names: Vec<(String, u64)> = self.counts.into_iter().collect();
        names.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        names.truncate(limit);
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_come_first() {
        let mut breakdown = Breakdown::new();
        for (name, count) in [("b", 2), ("a", 2), ("c", 1), ("c", 4)] {
            breakdown.add(name, count).expect("room");
        }
        assert_eq!(breakdown.top(2), [("c".to_owned(), 5), ("a".to_owned(), 2)]);
    }

    #[test]
    fn too_many_names_are_refused() {
        let mut breakdown = Breakdown::new();
        let refused = (0u32..1_000_000).find(|n| breakdown.add(&format!("name {n}"), 1).is_err());
        assert!(refused.is_some_and(|n| n > 500_000), "{refused:?}");
    }
}
