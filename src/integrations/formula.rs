//! The apostrophe that keeps a spreadsheet from reading a cell as a formula (CWE-1236).

/// Characters with which a formula begins, and those that hide one.
const BEGINS: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// Whether a spreadsheet could take `text` for a formula, or for one that was made harmless.
fn is_formula(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(BEGINS)
}

/// `text` as a cell that no spreadsheet takes for a formula; [`bare`] undoes it.
pub fn harmless(text: &str) -> String {
    match is_formula(text) {
        true => format!("'{text}"),
        false => text.to_owned(),
    }
}

/// The text of a cell that [`harmless`] wrote.
pub fn bare(text: &str) -> &str {
    match text.strip_prefix('\'') {
        Some(rest) if is_formula(rest) => rest,
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for (text, cell) in [
            ("=1+1", "'=1+1"),
            ("'=1", "''=1"),
            ("'tis", "'tis"),
            ("a=b", "a=b"),
            ("-10%", "'-10%"),
        ] {
            assert_eq!(harmless(text), cell);
        }
    }

    proptest! {
        #[test]
        fn what_is_made_harmless_comes_back(text in "[-'=+@a\t]{0,6}") {
            let cell = harmless(&text);
            prop_assert_eq!(bare(&cell), &text);
            prop_assert!(!cell.starts_with(BEGINS));
        }
    }
}
