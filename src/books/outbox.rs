//! What happened and waits to be told: written in the transaction that changes what it tells of, so that what was rolled
//! back is never told, and only where a webhook wants it. Leads and sales come in by triggers of the schema.

use super::columns::{Columns, Json, Word};
use super::error::Error;
use super::view::{Tx, View};
use super::webhook;
use crate::domain::id::WorkspaceNo;
use crate::domain::link::Link;
use crate::domain::time::Timestamp;
use crate::domain::webhook::{Facts, Trigger};

/// Events of links are noted while fewer wait: a file of a million links must not fill the disk with news of them, at
/// some 1 KB each. Of leads and sales, which say no more than a number, the schema lets a million wait. What is not noted
/// is counted in `untold` of every webhook that would have heard of it.
const LINKS_WAITING_MAX: u64 = 100_000;

/// An event that was not told yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Row number: they are told in this order.
    pub no: i64,
    pub workspace: WorkspaceNo,
    pub trigger: Trigger,
    /// `None` = written by another version, which this one cannot read.
    pub facts: Option<Facts>,
    /// When it happened; `None` = just now.
    pub at: Option<Timestamp>,
}

/// Notes that `link` was made, changed or deleted, if somebody is told of it.
pub(super) fn put_link(tx: &Tx<'_>, trigger: Trigger, link: &Link) -> Result<(), Error> {
    if !webhook::is_wanted(tx, link.workspace, trigger)? {
        return Ok(());
    }
    if count(tx)? >= LINKS_WAITING_MAX {
        return webhook::add_untold_to_all(tx, link.workspace, trigger);
    }
    let at = match trigger {
        Trigger::LinkCreated => Some(link.created_at),
        Trigger::LinkUpdated => Some(link.updated_at),
        _ => None,
    };
    tx.run(
        "INSERT INTO outbox (workspace, word, facts, at) VALUES (?, ?, ?, ?)",
        (
            link.workspace,
            Word(trigger),
            Json(&Facts::Link(Box::new(link.clone()))),
            at,
        ),
    )?;
    Ok(())
}

/// The oldest `count` of them.
///
/// # Errors
/// [`Error::Failed`].
pub fn oldest(view: &View<'_>, count: u32) -> Result<Vec<Waiting>, Error> {
    view.all(
        "SELECT no, workspace, word, facts, at FROM outbox ORDER BY no LIMIT ?",
        [count],
        |row| {
            let mut columns = Columns::of(row);
            Ok(Waiting {
                no: columns.next()?,
                workspace: columns.next()?,
                trigger: columns.next::<Word<_>>()?.0,
                facts: serde_json::from_str(&columns.next::<String>()?).ok(),
                at: columns.next()?,
            })
        },
    )
}

/// Takes away those up to number `no`: they are told.
///
/// # Errors
/// [`Error::Failed`].
pub fn remove_through(tx: &Tx<'_>, no: i64) -> Result<(), Error> {
    tx.run("DELETE FROM outbox WHERE no <= ?", [no])?;
    Ok(())
}

/// How many wait, at most: numbers grow without gaps and the oldest goes first, so that two looks tell.
///
/// # Errors
/// [`Error::Failed`].
pub fn count(view: &View<'_>) -> Result<u64, Error> {
    view.count(
        "SELECT coalesce((SELECT max(no) FROM outbox) - (SELECT min(no) FROM outbox) + 1, 0)",
        [],
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::books::{creator, fixture, lead, link, order};
    use crate::domain::attribution::Evidence;
    use crate::domain::id::LinkNo;
    use crate::domain::webhook::Webhook;

    fn words(view: &View<'_>) -> Result<Vec<&'static str>, Error> {
        let waiting = oldest(view, 100)?;
        Ok(waiting.into_iter().map(|event| event.trigger.word()).collect())
    }

    fn a_lead(id: &str, workspace: WorkspaceNo) -> lead::Lead {
        lead::Lead {
            no: 0,
            id: id.to_owned(),
            workspace,
            customer: None,
            event_name: "Sign up".to_owned(),
            at: Timestamp(44),
            quantity: 1,
            metadata: None,
            click_id: "c".to_owned(),
            clicked_at: Timestamp(1),
            link: LinkNo(1),
            creator: None,
            is_from_browser: false,
        }
    }

    #[test]
    fn links_are_told_as_they_were_and_only_to_those_who_ask() {
        fixture::in_tx(|tx| {
            let (ours, theirs) = (fixture::workspace(tx, "a")?, fixture::workspace(tx, "b")?);
            link::insert(tx, &fixture::link("before", ours))?;
            webhook::insert(tx, fixture::webhook("1", ours))?;
            link::insert(tx, &fixture::link("strange", theirs))?;
            let made = link::insert(tx, &fixture::link("a", ours))?;
            let mut changed = made.clone();
            (changed.slug, changed.updated_at) = ("b".to_owned(), Timestamp(7));
            link::update(tx, &changed)?;
            link::delete(tx, changed.no)?;
            let facts = |link: &Link| Facts::Link(Box::new(link.clone()));
            let (as_made, as_changed) = (facts(&made), facts(&changed));
            let waiting = oldest(tx, 100)?;
            let told: Vec<_> = waiting
                .iter()
                .map(|event| (event.trigger, event.facts.as_ref(), event.at))
                .collect();
            assert_eq!(
                told,
                [
                    (Trigger::LinkCreated, Some(&as_made), Some(made.created_at)),
                    (Trigger::LinkUpdated, Some(&as_changed), Some(Timestamp(7))),
                    (Trigger::LinkDeleted, Some(&as_changed), None),
                ]
            );
            assert!(waiting.iter().all(|event| event.workspace == ours));
            assert_eq!(oldest(tx, 1)?.len(), 1);
            remove_through(tx, waiting[1].no)?;
            assert_eq!((words(tx)?, count(tx)?), (vec!["link.deleted"], 1));
            Ok(())
        });
    }

    #[test]
    fn what_failed_or_changed_nothing_is_not_told() {
        fixture::in_tx(|tx| {
            let workspace = fixture::workspace(tx, "a")?;
            webhook::insert(tx, fixture::webhook("1", workspace))?;
            let made = link::insert(tx, &fixture::link("a", workspace))?;
            assert!(link::insert(tx, &fixture::link("A", workspace)).is_err());
            assert!(!link::delete(tx, LinkNo(made.no.0 + 1))?);
            assert_eq!(words(tx)?, ["link.created"]);
            Ok(())
        });
    }

    #[test]
    fn beyond_the_bound_links_are_counted_and_not_noted() {
        fixture::in_tx(|tx| {
            let workspace = fixture::workspace(tx, "a")?;
            let hook = webhook::insert(tx, fixture::webhook("1", workspace))?;
            link::insert(tx, &fixture::link("a", workspace))?;
            let far = "INSERT INTO outbox (no, workspace, word, facts)
                       SELECT max(no) + ?, ?, 'link.created', '{}' FROM outbox";
            tx.run(far, (LINKS_WAITING_MAX as i64, workspace))?;
            link::insert(tx, &fixture::link("b", workspace))?;
            let waiting = oldest(tx, 9)?;
            assert_eq!((waiting.len(), count(tx)?), (2, LINKS_WAITING_MAX + 1));
            assert_eq!(webhook::by_no(tx, hook.no)?.map(|hook| hook.health.untold), Some(1));
            assert_eq!(webhook::untold(tx)?, 1);
            assert_eq!(
                (waiting.len(), &waiting[1].facts),
                (2, &None),
                "facts of another version"
            );
            remove_through(tx, waiting[0].no)?;
            link::insert(tx, &fixture::link("c", workspace))?;
            assert_eq!(count(tx)?, 2);
            Ok(())
        });
    }

    #[test]
    fn beyond_theirs_leads_and_sales_are_counted_and_not_noted() {
        fixture::in_tx(|tx| {
            let workspace = fixture::workspace(tx, "a")?;
            let hook = webhook::insert(tx, fixture::webhook("1", workspace))?;
            let store = fixture::store(tx, "x", workspace)?;
            let mia = creator::insert(tx, fixture::creator("Mia", workspace))?.no;
            let put = |name: &str| {
                let mut told = fixture::order(name, workspace, store);
                (told.snapshot.is_paid, told.credit.creator) = (true, Some(mia));
                order::put(tx, &told, &Evidence::default(), Timestamp(1)).map(drop)
            };
            let full = || -> Result<_, Error> {
                let untold = webhook::by_no(tx, hook.no)?.map(|hook| hook.health.untold);
                Ok((oldest(tx, 9)?.len(), untold))
            };
            put("1")?;
            lead::insert(tx, &a_lead("evt_1", workspace))?;
            assert_eq!(full()?, (2, Some(0)));
            let far = "INSERT INTO outbox (no, workspace, word, facts)
                       SELECT max(no) + 1000000, ?, 'link.created', '{}' FROM outbox";
            tx.run(far, [workspace])?;
            put("2")?;
            assert_eq!(full()?, (3, Some(1)));
            lead::insert(tx, &a_lead("evt_2", workspace))?;
            assert_eq!(full()?, (3, Some(2)));
            Ok(())
        });
    }

    #[test]
    fn what_is_rolled_back_is_not_told() {
        let (_directory, books) = fixture::open();
        let workspace = books.commit_blocking(|tx| {
            let workspace = fixture::workspace(tx, "a")?;
            webhook::insert(tx, fixture::webhook("1", workspace))?;
            Ok::<_, Error>(workspace)
        });
        let workspace = workspace.expect("a workspace");
        let failed = books.commit_blocking(move |tx| {
            link::insert(tx, &fixture::link("a", workspace))?;
            assert_eq!(count(tx)?, 1);
            Err::<(), _>(Error::Conflict { what: "key" })
        });
        assert_eq!(failed, Err(Error::Conflict { what: "key" }));
        assert_eq!(books.read_blocking(count), Ok(0));
    }

    #[test]
    fn an_order_is_told_once_when_it_first_counts_for_somebody() {
        fixture::in_tx(|tx| {
            let workspace = fixture::workspace(tx, "a")?;
            let store = fixture::store(tx, "x", workspace)?;
            let mia = creator::insert(tx, fixture::creator("Mia", workspace))?.no;
            let mut told = fixture::order("1", workspace, store);
            let mut put = |is_paid: bool, owner| {
                (told.snapshot.is_paid, told.credit.creator) = (is_paid, owner);
                order::put(tx, &told, &Evidence::default(), Timestamp(1))?;
                words(tx).map(|words| words.len())
            };
            assert_eq!(put(true, Some(mia))?, 0, "nobody asks yet");
            assert_eq!(put(false, Some(mia))?, 0);
            webhook::insert(tx, fixture::webhook("1", workspace))?;
            for (is_paid, owner, expected) in [
                (false, None, 0),
                (true, None, 0),
                (true, Some(mia), 1),
                (true, Some(mia), 1),
                (false, Some(mia), 1),
                (true, Some(mia), 1),
            ] {
                assert_eq!(put(is_paid, owner)?, expected, "{is_paid} {owner:?}");
            }
            let mut other = fixture::order("2", workspace, store);
            (other.snapshot.is_paid, other.credit.creator) = (true, Some(mia));
            order::put(tx, &other, &Evidence::default(), Timestamp(1))?;
            let sales = oldest(tx, 9)?;
            assert_eq!(sales.len(), 2);
            assert!(sales.iter().all(|event| event.trigger == Trigger::SaleCreated));
            assert_ne!(sales[0].facts, sales[1].facts);
            Ok(())
        });
    }

    #[test]
    fn leads_are_told_with_their_time() {
        fixture::in_tx(|tx| {
            let workspace = fixture::workspace(tx, "a")?;
            lead::insert(tx, &a_lead("evt_1", workspace))?;
            let deaf = Webhook {
                triggers: [Trigger::SaleCreated].into_iter().collect(),
                ..fixture::webhook("1", workspace)
            };
            webhook::insert(tx, deaf)?;
            lead::insert(tx, &a_lead("evt_2", workspace))?;
            assert!(words(tx)?.is_empty());
            webhook::insert(tx, fixture::webhook("2", workspace))?;
            lead::insert(tx, &a_lead("evt_3", workspace))?;
            let told = oldest(tx, 9)?;
            assert_eq!(
                (told[0].trigger, told[0].at),
                (Trigger::LeadCreated, Some(Timestamp(44)))
            );
            let Some(Facts::Lead(no)) = told[0].facts else {
                panic!("{told:?}");
            };
            assert_eq!(lead::by_no(tx, no)?.map(|lead| lead.id).as_deref(), Some("evt_3"));
            Ok(())
        });
    }
}
