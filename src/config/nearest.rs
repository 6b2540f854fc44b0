//! Finds the known word that a mistyped one was meant to be. Pure.

/// Most single-character changes at which two words still count as alike.
const DISTANCE_MAX: usize = 3;

/// The word of `known` that is spelled most like `word`, when one is close.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (cost(word, candidate), candidate))
        .filter(|(cost, candidate)| *cost <= DISTANCE_MAX.min(candidate.len() / 2))
        .min_by_key(|(cost, _)| *cost)
        .map(|(_, candidate)| candidate)
}

/// Changes between the words; a word that only lacks its end (`dedupe_window` for `dedupe_window_seconds`) is one away.
fn cost(word: &str, candidate: &str) -> usize {
    let is_head = word.len() >= 4 && candidate.starts_with(word);
    if is_head { 1 } else { distance(word, candidate) }
}

/// Insertions, deletions and replacements that turn one word into the other (Levenshtein), one row at a time.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, from) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, to) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typos_find_their_word() {
        let known = ["listen", "listen_tls", "dedupe_window_seconds", "data"];
        for (word, expected) in [
            ("listne", Some("listen")),
            ("lisen_tls", Some("listen_tls")),
            ("dedupe_window", Some("dedupe_window_seconds")),
            ("dat", Some("data")),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), expected, "{word}");
        }
    }
}
