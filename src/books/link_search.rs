//! What stands in links, to be found by any part of it: trigrams of slug, destination and title (SQLite's FTS5 with the
//! tokenizer `trigram`), without the texts themselves.
//!
//! Finds a little too much, never too little: trigrams may stand apart, and all letters match in any case. Whoever asks
//! compares the texts. Kept by [`super::link`] in the transactions of its writes, and not by triggers: FTS5 writes out what
//! it has gathered at every savepoint, and a statement with a trigger is one, so that links by the thousand took thrice as
//! long.

use super::error::Error;
use super::view::{Tx, View};
use crate::domain::id::LinkNo;
use crate::domain::link::Link;
use crate::domain::slug;

/// Characters of a trigram; shorter texts cannot be asked for.
const LENGTH: usize = 3;
/// Trigrams of one question. 64: what a longer text has besides narrows little, and the texts are compared.
const TRIGRAMS_MAX: usize = 64;

/// The text of `link`, as the migration to format 5 writes it too. What goes out must be what came in.
fn text_of(link: &Link) -> String {
    let title = link.terms.title.as_deref().unwrap_or_default();
    format!("{}\n{}\n{title}", slug::fold(&link.slug), link.terms.destination)
}

/// Takes in `link`, which is new.
///
/// # Errors
/// [`Error::Failed`].
pub(super) fn add(tx: &Tx<'_>, link: &Link) -> Result<(), Error> {
    put(tx, link.no, &text_of(link))
}

/// Puts the text of `after` in the place of that of `before`.
///
/// # Errors
/// [`Error::Failed`].
pub(super) fn change(tx: &Tx<'_>, before: &Link, after: &Link) -> Result<(), Error> {
    let (old, new) = (text_of(before), text_of(after));
    if old == new {
        return Ok(());
    }
    take_out(tx, before.no, &old)?;
    put(tx, after.no, &new)
}

/// Forgets `link`.
///
/// # Errors
/// [`Error::Failed`].
pub(super) fn remove(tx: &Tx<'_>, link: &Link) -> Result<(), Error> {
    take_out(tx, link.no, &text_of(link))
}

fn put(tx: &Tx<'_>, no: LinkNo, text: &str) -> Result<(), Error> {
    tx.run("INSERT INTO link_texts (rowid, text) VALUES (?, ?)", (no, text))?;
    Ok(())
}

fn take_out(tx: &Tx<'_>, no: LinkNo, text: &str) -> Result<(), Error> {
    let sql = "INSERT INTO link_texts (link_texts, rowid, text) VALUES ('delete', ?, ?)";
    tx.run(sql, (no, text))?;
    Ok(())
}

/// Selects the numbers of the links in which all trigrams of a [`question`] stand.
pub(super) const FOUND: &str = "SELECT rowid FROM link_texts WHERE link_texts MATCH ?";

/// What to ask for `text`, in which slugs are compared folded; `None` = it is too short to be asked for.
pub(super) fn question(text: &str) -> Option<String> {
    let as_it_is = trigrams(text)?;
    if text.is_ascii() {
        // Folding is lower case then, and the index knows no case.
        return Some(as_it_is);
    }
    Some(format!("({as_it_is}) OR ({})", trigrams(&slug::fold(text))?))
}

fn trigrams(text: &str) -> Option<String> {
    // FTS5 reads up to a NUL.
    let chars: Vec<char> = text.chars().take(LENGTH + TRIGRAMS_MAX - 1).collect();
    if chars.len() < LENGTH || chars.contains(&'\0') {
        return None;
    }
    let quoted = chars.windows(LENGTH).map(|trigram| {
        let trigram: String = trigram.iter().collect();
        format!("\"{}\"", trigram.replace('"', "\"\""))
    });
    Some(quoted.collect::<Vec<_>>().join(" AND "))
}

/// Whether at most `max` links of the server answer to `question`.
///
/// # Errors
/// [`Error::Failed`].
pub(super) fn finds_few(view: &View<'_>, question: &str, max: u64) -> Result<bool, Error> {
    let sql = format!("SELECT count(*) FROM ({FOUND} LIMIT {})", max + 1);
    Ok(view.count(&sql, [question])? <= max)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use proptest::prelude::*;
    use proptest::test_runner::TestRunner;

    use super::*;
    use crate::books::{fixture, link};

    fn found(tx: &Tx<'_>, text: &str) -> Vec<LinkNo> {
        let question = question(text).expect("long enough");
        let sql = format!("{FOUND} ORDER BY rowid");
        tx.all(&sql, [question], |row| row.get(0)).expect("an answer")
    }

    #[test]
    fn texts_come_and_go_with_their_links() {
        fixture::in_tx(|tx| {
            let workspace = fixture::workspace(tx, "a")?;
            let mut new = fixture::link("Spring", workspace);
            new.terms.title = Some("Über \"50%\"".into());
            let mut spring = link::insert(tx, &new)?;
            let autumn = link::insert(tx, &fixture::link("autumn", workspace))?;
            let both = vec![spring.no, autumn.no];
            assert_eq!(found(tx, "shop.test"), both);
            for text in ["sprin", "SPRING", "über", "ÜBER", "\"50%\"", "ber \"5"] {
                assert_eq!(found(tx, text), [spring.no], "{text}");
            }
            spring.slug = "winter".into();
            spring.terms.title = None;
            link::update(tx, &spring)?;
            assert_eq!(found(tx, "winter"), [spring.no]);
            assert_eq!((found(tx, "spring"), found(tx, "über")), (vec![], vec![]));
            assert!(link::delete(tx, autumn.no)? && !link::delete(tx, autumn.no)?);
            assert_eq!(found(tx, "shop.test"), [spring.no]);
            tx.run("INSERT INTO link_texts (link_texts) VALUES ('integrity-check')", [])?;
            Ok(())
        });
    }

    #[test]
    fn what_is_asked_for_is_bounded() {
        for (text, expected) in [
            ("ab", None),
            ("a\0bc", None),
            ("abc", Some("\"abc\"")),
            ("abcd", Some("\"abc\" AND \"bcd\"")),
            ("a\"b", Some("\"a\"\"b\"")),
        ] {
            assert_eq!(question(text).as_deref(), expected, "{text:?}");
        }
        let long = question(&"abc".repeat(100)).expect("long enough");
        assert_eq!(long.matches(" AND ").count(), TRIGRAMS_MAX - 1);
        assert_eq!(question("äbc").as_deref(), Some("(\"äbc\") OR (\"äbc\")"));
    }

    /// Whatever part of a link is asked for, the link is found.
    #[test]
    fn no_link_is_missed() {
        fixture::in_tx(|tx| {
            let workspace = fixture::workspace(tx, "a")?;
            let number = Cell::new(0);
            let texts = ("[ -~äÖßéİı\u{1F600}]{3,40}", 0_usize..40, 3_usize..40);
            let run = TestRunner::default().run(&texts, |(title, from, length)| {
                let chars: Vec<char> = title.chars().collect();
                let from = from.min(chars.len() - LENGTH);
                let part: String = chars[from..].iter().take(length).collect();
                number.set(number.get() + 1);
                let mut new = fixture::link(&format!("s{}", number.get()), workspace);
                new.terms.title = Some(title.clone());
                let link = link::insert(tx, &new).expect("a new link");
                prop_assert!(found(tx, &part).contains(&link.no), "{part:?} of {title:?}");
                Ok(())
            });
            run.expect("every part is found");
            Ok(())
        });
    }
}
