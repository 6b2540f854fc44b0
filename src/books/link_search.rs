//! What stands in links, to be found by any part of it: trigrams of slug, destination and title (SQLite's FTS5 with the
//! tokenizer `trigram`), without the texts themselves.
//!
//! Finds a little too much, never too little: trigrams may stand apart, and all letters match in any case. Whoever asks
//! compares the texts. Kept by [`super::link`] in the transactions of its writes, and not by triggers: FTS5 writes out what
//! it has gathered at every savepoint, and a statement with a trigger is one, so that links by the thousand took thrice as
//! long.

use rusqlite::params_from_iter;
use rusqlite::types::Value;

use super::error::Error;
use super::view::{Tx, View};
use crate::domain::id::LinkNo;
use crate::domain::link::Link;
use crate::domain::slug;

/// Characters of a trigram.
const LENGTH: usize = 3;
/// Trigrams of one question. 64: what a longer text has besides narrows little, and the texts are compared.
const TRIGRAMS_MAX: usize = 64;

/// The text of `link`, as the migration to format 5 writes it too: what goes out must be what came in. Its end lets each
/// character begin a trigram.
fn text_of(link: &Link) -> String {
    let title = link.terms.title.as_deref().unwrap_or_default();
    format!("{}\n{}\n{title}\n\n", slug::fold(&link.slug), link.terms.destination)
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

/// A way to the numbers of the links in which a text may stand.
pub(super) struct Question {
    /// Selects them.
    pub sql: &'static str,
    pub values: Vec<Value>,
}

/// How close together the trigrams of a question stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Density {
    /// Side by side: each costs a look for every link that has the rarest of them.
    Few,
    /// From every character on.
    All,
}

/// What to ask for `text`, in which slugs are compared folded; `None` = the index cannot tell.
pub(super) fn question(text: &str, density: Density) -> Option<Question> {
    // FTS5 reads up to a NUL.
    if text.is_empty() || text.contains('\0') {
        return None;
    }
    if text.chars().count() < LENGTH {
        return begins(text);
    }
    let trigrams = |text: &str| trigrams(text, density);
    let question = match text.is_ascii() {
        // Folding is lower case then, and the index knows no case.
        true => trigrams(text)?,
        false => format!("({}) OR ({})", trigrams(text)?, trigrams(&slug::fold(text))?),
    };
    Some(Question {
        sql: "SELECT rowid FROM link_texts WHERE link_texts MATCH ?",
        values: vec![Value::Text(question)],
    })
}

/// Texts in which trigrams of `text` stand.
fn trigrams(text: &str, density: Density) -> Option<String> {
    let chars: Vec<char> = text.chars().take(LENGTH + TRIGRAMS_MAX - 1).collect();
    let last = chars.len().checked_sub(LENGTH)?;
    let places = (0..=last).filter(|place| density == Density::All || place % LENGTH == 0 || *place == last);
    let quoted = places.map(|place| {
        let trigram: String = chars[place..place + LENGTH].iter().collect();
        format!("\"{}\"", trigram.replace('"', "\"\""))
    });
    Some(quoted.collect::<Vec<_>>().join(" AND "))
}

/// Texts with a trigram that begins with `text`, which is shorter.
fn begins(text: &str) -> Option<Question> {
    let has_case = |c: char| !c.is_ascii() && (c.is_lowercase() || c.is_uppercase());
    let from = text.to_ascii_lowercase();
    if text.chars().any(has_case) || slug::fold(text) != from {
        return None;
    }
    let mut before = from.clone();
    let last = before.pop()?;
    before.push(char::from_u32(last as u32 + 1)?);
    Some(Question {
        sql: "SELECT DISTINCT doc FROM link_terms WHERE term >= ? AND term < ?",
        values: vec![Value::Text(from), Value::Text(before)],
    })
}

impl Question {
    /// Whether at most `max` links of the server answer to it.
    ///
    /// # Errors
    /// [`Error::Failed`].
    pub fn finds_few(&self, view: &View<'_>, max: u64) -> Result<bool, Error> {
        let sql = format!("SELECT count(*) FROM ({} LIMIT {})", self.sql, max + 1);
        Ok(view.count(&sql, params_from_iter(&self.values))? <= max)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use proptest::prelude::*;
    use proptest::test_runner::TestRunner;

    use super::*;
    use crate::books::{fixture, link};

    fn found(tx: &Tx<'_>, text: &str) -> Vec<LinkNo> {
        let [few, all] = [Density::Few, Density::All].map(|density| {
            let question = question(text, density).expect("it can be asked for");
            let sql = format!("SELECT * FROM ({}) ORDER BY 1", question.sql);
            let found: Vec<LinkNo> = tx
                .all(&sql, params_from_iter(&question.values), |row| row.get(0))
                .expect("an answer");
            found
        });
        assert!(all.iter().all(|link| few.contains(link)), "{text}");
        all
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
            assert_eq!(found(tx, "t"), both);
            for text in [
                "g", "NG", "%\"", "0%", "sprin", "SPRING", "über", "ÜBER", "\"50%\"", "ber \"5",
            ] {
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
        let asked = |text: &str| {
            question(text, Density::All).map(|question| {
                let values = question.values.into_iter().map(|value| match value {
                    Value::Text(text) => text,
                    other => panic!("{other:?}"),
                });
                values.collect::<Vec<_>>().join(" to ")
            })
        };
        for (text, expected) in [
            ("", None),
            ("a\0bc", None),
            ("a", Some("a to b")),
            ("Az", Some("az to a{")),
            ("北京", Some("北京 to 北亭")),
            ("ä", None),
            ("İ", None),
            ("abc", Some("\"abc\"")),
            ("abcd", Some("\"abc\" AND \"bcd\"")),
            ("a\"b", Some("\"a\"\"b\"")),
            ("äbc", Some("(\"äbc\") OR (\"äbc\")")),
        ] {
            assert_eq!(asked(text).as_deref(), expected, "{text:?}");
        }
        let few = question("abcdefgh", Density::Few).map(|question| question.values);
        assert_eq!(
            few,
            Some(vec![Value::Text("\"abc\" AND \"def\" AND \"fgh\"".to_owned())])
        );
        let long = asked(&"abc".repeat(100)).expect("long enough");
        assert_eq!(long.matches(" AND ").count(), TRIGRAMS_MAX - 1);
    }

    /// Whatever part of a link is asked for, the link is found.
    #[test]
    fn no_link_is_missed() {
        fixture::in_tx(|tx| {
            let workspace = fixture::workspace(tx, "a")?;
            let number = Cell::new(0);
            let texts = ("[ -~äÖßéİı北\u{1F600}]{1,40}", 0_usize..40, 1_usize..40);
            let run = TestRunner::default().run(&texts, |(title, from, length)| {
                let chars: Vec<char> = title.chars().collect();
                let from = from % chars.len();
                let part: String = chars[from..].iter().take(length).collect();
                number.set(number.get() + 1);
                let mut new = fixture::link(&format!("s{}", number.get()), workspace);
                new.terms.title = Some(title.clone());
                let link = link::insert(tx, &new).expect("a new link");
                if question(&part, Density::All).is_some() {
                    prop_assert!(found(tx, &part).contains(&link.no), "{part:?} of {title:?}");
                }
                Ok(())
            });
            run.expect("every part is found");
            Ok(())
        });
    }
}
