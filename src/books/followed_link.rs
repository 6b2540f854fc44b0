//! Links as those who follow them need them, by the range of numbers: how the link table is filled.
//!
//! What only brands read is left out, and what only carts, experiments and receptions need is read for these alone: of a
//! plain link eight columns are made into values.

use std::ops::RangeInclusive;

use super::error::Error;
use super::link::read;
use super::view::View;
use crate::domain::link::Link;

/// In the places of `link::COLUMNS`.
const COLUMNS: &str = "no, '', workspace, domain, slug, is_exact, destination, NULL, NULL, creator, tracks_conversions, \
     0, expires_at, expired_url, disabled_at, clicks_max, iif(reception IS NULL, NULL, title), \
     iif(reception IS NULL, NULL, description), NULL, \
     iif(coalesce(cart, experiment, reception) IS NULL, NULL, utm), cart, \
     iif(coalesce(cart, experiment, reception) IS NULL, NULL, stock_policy), experiment, 0, 0, NULL, NULL, NULL, reception";

/// Gives `take` every link of the whole server whose number is among `numbers`, by number. Ids, instants and whatever else
/// no answer to a follower depends on are empty.
///
/// # Errors
/// [`Error::Failed`]; `take` may have been given some.
pub fn each_followed(view: &View<'_>, numbers: RangeInclusive<u32>, mut take: impl FnMut(Link)) -> Result<(), Error> {
    view.each(
        &format!("SELECT {COLUMNS} FROM links WHERE no BETWEEN ? AND ? ORDER BY no"),
        (numbers.start(), numbers.end()),
        |row| {
            take(read(row)?);
            Ok(())
        },
    )
}

/// The highest number of a link; 0 where there is none.
///
/// # Errors
/// [`Error::Failed`].
pub fn last_no(view: &View<'_>) -> Result<u32, Error> {
    let last = view.first("SELECT max(no) FROM links", (), |row| row.get::<_, Option<u32>>(0))?;
    Ok(last.flatten().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::books::fixture;
    use crate::books::link::{insert, tests::full_terms};
    use crate::domain::id::LinkNo;
    use crate::domain::link::LinkTerms;
    use crate::domain::time::Timestamp;

    /// `link` without what no answer to a follower depends on.
    fn bare(link: Link) -> Link {
        let terms = link.terms;
        let has_more = terms.cart.is_some() || terms.experiment.is_some() || terms.reception != Default::default();
        let has_card = terms.reception != Default::default();
        Link {
            id: String::new(),
            created_at: Timestamp(0),
            updated_at: Timestamp(0),
            terms: LinkTerms {
                external_id: None,
                tenant_id: None,
                is_archived: false,
                title: terms.title.filter(|_| has_card),
                description: terms.description.filter(|_| has_card),
                comments: None,
                utm: if has_more { terms.utm } else { Default::default() },
                stock_policy: if has_more {
                    terms.stock_policy
                } else {
                    Default::default()
                },
                campaign: None,
                content_id: None,
                content_url: None,
                ..terms
            },
            ..link
        }
    }

    fn numbers(view: &View<'_>, range: RangeInclusive<u32>) -> Result<Vec<u32>, Error> {
        let mut found = Vec::new();
        each_followed(view, range, |link| found.push(link.no.0))?;
        Ok(found)
    }

    #[test]
    fn what_a_follower_gets_is_read() {
        fixture::in_tx(|tx| {
            let workspace = fixture::workspace(tx, "a")?;
            let terms = full_terms(tx, workspace)?;
            for (slug, change) in [
                ("full", (|_| ()) as fn(&mut LinkTerms)),
                ("plain", |terms| {
                    (terms.cart, terms.experiment) = (None, None);
                    terms.reception = Default::default();
                }),
                ("cart", |terms| {
                    terms.experiment = None;
                    terms.reception = Default::default();
                }),
                ("card", |terms| (terms.cart, terms.experiment) = (None, None)),
            ] {
                let mut new = fixture::link(slug, workspace);
                new.terms = terms.clone();
                new.terms.external_id = Some(slug.to_owned());
                change(&mut new.terms);
                let whole = insert(tx, &new)?;
                let mut found = Vec::new();
                each_followed(tx, whole.no.0..=whole.no.0, |link| found.push(link))?;
                assert_eq!(found, [bare(whole)], "{slug}");
            }
            Ok(())
        });
    }

    #[test]
    fn ranges_cover_every_link_once() {
        fixture::in_tx(|tx| {
            assert_eq!(last_no(tx)?, 0);
            let workspace = fixture::workspace(tx, "a")?;
            for slug in ["one", "two", "three", "four"] {
                insert(tx, &fixture::link(slug, workspace))?;
            }
            crate::books::link::delete(tx, LinkNo(2))?;
            assert_eq!(last_no(tx)?, 4);
            assert_eq!(numbers(tx, 1..=2)?, [1]);
            assert_eq!(numbers(tx, 3..=100)?, [3, 4]);
            assert_eq!(numbers(tx, 5..=u32::MAX)?, [0; 0]);
            Ok(())
        });
    }
}
