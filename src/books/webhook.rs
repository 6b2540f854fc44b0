//! Webhooks: who is told of what, with the links that some are narrowed to and how their receivers have been doing. A
//! deleted one is found by nobody; its deliveries go piece by piece ([`super::webhook_delivery`]).

use super::columns::{self, Columns, Word};
use super::error::Error;
use super::filter::Filter;
use super::page::{Listing, Page};
use super::view::{Tx, View};
use crate::domain::id::{LinkNo, WorkspaceNo};
use crate::domain::time::Timestamp;
use crate::domain::webhook::{Because, Disabled, Health, Trigger, TriggerSet, Webhook};

const COLUMNS: &str = "no, id, workspace, name, url, triggers, is_narrow, clicks_per_event, secret, old_secret, \
                       old_secret_until, created_at, updated_at, disabled_at, disabled_because, failures, failing_since, \
                       resting_until, last_success_at, untold";

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Webhook> {
    let mut columns = Columns::of(row);
    Ok(Webhook {
        no: columns.next()?,
        id: columns.next()?,
        workspace: columns.next()?,
        name: columns.next()?,
        url: columns.next()?,
        triggers: TriggerSet(columns.next()?),
        is_narrow: columns.next()?,
        clicks_per_event: columns.next()?,
        secret: columns.next()?,
        old_secret: columns
            .next::<Option<String>>()?
            .zip(columns.next::<Option<Timestamp>>()?),
        created_at: columns.next()?,
        updated_at: columns.next()?,
        disabled: columns
            .next::<Option<Timestamp>>()?
            .zip(columns.next::<Option<Word<Because>>>()?)
            .map(|(at, because)| Disabled { at, because: because.0 }),
        health: Health {
            failures: columns.next()?,
            failing_since: columns.next()?,
            resting_until: columns.next()?,
            last_success_at: columns.next()?,
            untold: columns.next_count()?.unwrap_or_default(),
        },
    })
}

/// Adds `webhook`, whatever its `no` is, and returns it with the number it got.
///
/// # Errors
/// [`Error::Failed`].
pub fn insert(tx: &Tx<'_>, webhook: Webhook) -> Result<Webhook, Error> {
    tx.run(
        "INSERT INTO webhooks (id, workspace, name, url, triggers, is_narrow, clicks_per_event, secret, created_at,
         updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            &webhook.id,
            webhook.workspace,
            &webhook.name,
            &webhook.url,
            webhook.triggers.0,
            webhook.is_narrow,
            webhook.clicks_per_event,
            &webhook.secret,
            webhook.created_at,
            webhook.updated_at,
        ),
    )?;
    let no = i64::from(tx.last_no()?);
    Ok(Webhook { no, ..webhook })
}

/// Stores every field of `webhook` that a brand or a delivery may change.
///
/// # Errors
/// [`Error::NotFound`] when it is deleted.
pub fn update(tx: &Tx<'_>, webhook: &Webhook) -> Result<(), Error> {
    let health = &webhook.health;
    let old = webhook.old_secret.as_ref();
    let params = rusqlite::params![
        webhook.no,
        webhook.name,
        webhook.url,
        webhook.triggers.0,
        webhook.is_narrow,
        webhook.clicks_per_event,
        webhook.secret,
        old.map(|(secret, _)| secret),
        old.map(|(_, until)| until),
        webhook.updated_at,
        webhook.disabled.map(|disabled| disabled.at),
        webhook.disabled.map(|disabled| Word(disabled.because)),
        health.failures,
        health.failing_since,
        health.resting_until,
        health.last_success_at,
        columns::count(Some(health.untold), "untold")?,
    ];
    let changed = tx.run(
        "UPDATE webhooks SET name = ?2, url = ?3, triggers = ?4, is_narrow = ?5, clicks_per_event = ?6, secret = ?7,
         old_secret = ?8, old_secret_until = ?9, updated_at = ?10, disabled_at = ?11, disabled_because = ?12,
         failures = ?13, failing_since = ?14, resting_until = ?15, last_success_at = ?16, untold = ?17
         WHERE no = ?1 AND deleted_at IS NULL",
        params,
    )?;
    match changed {
        0 => Err(Error::NotFound { what: "webhook" }),
        _ => Ok(()),
    }
}

/// Counts `events` that were not kept for webhook number `no`.
///
/// # Errors
/// [`Error::Failed`].
pub fn add_untold(tx: &Tx<'_>, no: i64, events: u64) -> Result<(), Error> {
    let events = columns::count(Some(events), "untold")?;
    tx.run("UPDATE webhooks SET untold = untold + ? WHERE no = ?", (events, no))?;
    Ok(())
}

/// Counts an event that was not kept for those of the workspace who are told of `trigger`.
pub(super) fn add_untold_to_all(tx: &Tx<'_>, workspace: WorkspaceNo, trigger: Trigger) -> Result<(), Error> {
    tx.run(
        "UPDATE webhooks SET untold = untold + 1
         WHERE workspace = ? AND deleted_at IS NULL AND disabled_at IS NULL AND triggers & ?",
        (workspace, trigger.bit()),
    )?;
    Ok(())
}

/// How many webhooks of the server can be sent to, and how many are disabled because their receivers failed.
///
/// # Errors
/// [`Error::Failed`].
pub fn counts(view: &View<'_>) -> Result<(u64, u64), Error> {
    let live = view.count(
        "SELECT count(*) FROM webhooks WHERE deleted_at IS NULL AND disabled_at IS NULL",
        [],
    )?;
    let given_up = view.count(
        "SELECT count(*) FROM webhooks WHERE deleted_at IS NULL AND disabled_at IS NOT NULL AND disabled_because <> 'asked'",
        [],
    )?;
    Ok((live, given_up))
}

/// What webhooks were not told for want of room, over all of them that are there.
///
/// # Errors
/// [`Error::Failed`].
pub fn untold(view: &View<'_>) -> Result<u64, Error> {
    view.count(
        "SELECT coalesce(sum(untold), 0) FROM webhooks WHERE deleted_at IS NULL",
        [],
    )
}

/// Takes webhook number `no` away.
///
/// # Errors
/// [`Error::Failed`].
pub fn delete(tx: &Tx<'_>, no: i64, now: Timestamp) -> Result<(), Error> {
    tx.run("UPDATE webhooks SET deleted_at = ? WHERE no = ?", (now, no))?;
    tx.run("DELETE FROM link_webhooks WHERE webhook = ?", [no])?;
    Ok(())
}

/// The workspace's webhook with public id `id`.
///
/// # Errors
/// [`Error::Failed`].
pub fn by_id(view: &View<'_>, workspace: WorkspaceNo, id: &str) -> Result<Option<Webhook>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM webhooks WHERE id = ? AND workspace = ? AND deleted_at IS NULL");
    view.first(&sql, (id, workspace), read)
}

/// Webhook number `no`.
///
/// # Errors
/// [`Error::Failed`].
pub fn by_no(view: &View<'_>, no: i64) -> Result<Option<Webhook>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM webhooks WHERE no = ? AND deleted_at IS NULL");
    view.first(&sql, [no], read)
}

/// One page of the workspace's webhooks, newest first.
///
/// # Errors
/// [`Error::NotFound`] when the page starts at no webhook of the workspace.
pub fn list(view: &View<'_>, workspace: WorkspaceNo, page: &Page) -> Result<Vec<Webhook>, Error> {
    let listing = Listing {
        table: "webhooks",
        columns: COLUMNS,
        id: "id",
        sort: "created_at",
        is_ascending: false,
    };
    let mut filter = Filter::of("workspace = ?", workspace.0);
    filter.and("deleted_at IS NULL", []);
    listing.page(view, filter, page, read)
}

/// Number of the workspace's webhooks.
///
/// # Errors
/// [`Error::Failed`].
pub fn count(view: &View<'_>, workspace: WorkspaceNo) -> Result<u64, Error> {
    view.count(
        "SELECT count(*) FROM webhooks WHERE workspace = ? AND deleted_at IS NULL",
        [workspace],
    )
}

/// The workspace's webhooks that are told of `trigger`, the oldest first.
///
/// # Errors
/// [`Error::Failed`].
pub fn wanting(view: &View<'_>, workspace: WorkspaceNo, trigger: Trigger) -> Result<Vec<Webhook>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM webhooks WHERE workspace = ? AND deleted_at IS NULL AND disabled_at IS NULL
             AND triggers & ? ORDER BY no"
    );
    view.all(&sql, (workspace, trigger.bit()), read)
}

/// Whether somebody in the workspace is told of `trigger`.
///
/// # Errors
/// [`Error::Failed`].
pub fn is_wanted(view: &View<'_>, workspace: WorkspaceNo, trigger: Trigger) -> Result<bool, Error> {
    let sql =
        "SELECT 1 FROM webhooks WHERE workspace = ? AND deleted_at IS NULL AND disabled_at IS NULL AND triggers & ?";
    let found = view.first(sql, (workspace, trigger.bit()), |_| Ok(()))?;
    Ok(found.is_some())
}

/// Every webhook of the server that is told of clicks.
///
/// # Errors
/// [`Error::Failed`].
pub fn wanting_clicks(view: &View<'_>) -> Result<Vec<Webhook>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM webhooks WHERE deleted_at IS NULL AND disabled_at IS NULL AND triggers & ? ORDER BY no"
    );
    view.all(&sql, [Trigger::LinkClicked.bit()], read)
}

/// The links that a narrow webhook is told of, by number.
///
/// # Errors
/// [`Error::Failed`].
pub fn links(view: &View<'_>, no: i64) -> Result<Vec<LinkNo>, Error> {
    view.all(
        "SELECT link FROM link_webhooks WHERE webhook = ? ORDER BY link",
        [no],
        |row| row.get(0),
    )
}

/// Narrows webhook number `no` to `links`, in the place of those it had.
///
/// # Errors
/// [`Error::Failed`].
pub fn set_links(tx: &Tx<'_>, no: i64, links: &[LinkNo]) -> Result<(), Error> {
    tx.run("DELETE FROM link_webhooks WHERE webhook = ?", [no])?;
    for link in links {
        tx.run(
            "INSERT INTO link_webhooks (link, webhook) VALUES (?, ?) ON CONFLICT DO NOTHING",
            (link, no),
        )?;
    }
    Ok(())
}

/// The public ids of the webhooks that were named with `link`.
///
/// # Errors
/// [`Error::Failed`].
pub fn of_link(view: &View<'_>, link: LinkNo) -> Result<Vec<String>, Error> {
    view.all(
        "SELECT w.id FROM link_webhooks l JOIN webhooks w ON w.no = l.webhook WHERE l.link = ? ORDER BY w.no",
        [link],
        |row| row.get(0),
    )
}

/// Names `webhooks` with `link`, in the place of those it had.
///
/// # Errors
/// [`Error::Failed`].
pub fn set_of_link(tx: &Tx<'_>, link: LinkNo, webhooks: &[i64]) -> Result<(), Error> {
    tx.run("DELETE FROM link_webhooks WHERE link = ?", [link])?;
    for webhook in webhooks {
        tx.run(
            "INSERT INTO link_webhooks (link, webhook) VALUES (?, ?) ON CONFLICT DO NOTHING",
            (link, webhook),
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::books::{fixture, link};

    fn every_field(workspace: WorkspaceNo) -> Webhook {
        Webhook {
            name: "Changed".to_owned(),
            url: "https://b.test/".to_owned(),
            triggers: TriggerSet(9),
            is_narrow: true,
            clicks_per_event: 7,
            secret: "whsec_BBBB".to_owned(),
            old_secret: Some(("whsec_AAAA".to_owned(), Timestamp(90))),
            updated_at: Timestamp(50),
            disabled: Some(Disabled {
                at: Timestamp(60),
                because: Because::Failing,
            }),
            health: Health {
                failures: 12,
                failing_since: Some(Timestamp(40)),
                resting_until: Some(Timestamp(70)),
                last_success_at: Some(Timestamp(30)),
                untold: 3,
            },
            ..fixture::webhook("a", workspace)
        }
    }

    #[test]
    fn every_field_comes_back() {
        fixture::in_tx(|tx| {
            let (ours, theirs) = (fixture::workspace(tx, "a")?, fixture::workspace(tx, "b")?);
            let new = insert(tx, fixture::webhook("a", ours))?;
            assert_eq!(by_id(tx, ours, &new.id)?.as_ref(), Some(&new));
            assert_eq!(by_id(tx, theirs, &new.id)?, None);
            let changed = Webhook {
                no: new.no,
                ..every_field(ours)
            };
            update(tx, &changed)?;
            assert_eq!(by_no(tx, new.no)?, Some(changed));
            delete(tx, new.no, Timestamp(99))?;
            assert_eq!(by_no(tx, new.no)?, None);
            assert_eq!(by_id(tx, ours, &new.id)?, None);
            assert_eq!(update(tx, &new), Err(Error::NotFound { what: "webhook" }));
            assert_eq!(count(tx, ours)?, 0);
            Ok(())
        });
    }

    #[test]
    fn those_are_told_who_want_it_and_can() {
        fixture::in_tx(|tx| {
            let (ours, theirs) = (fixture::workspace(tx, "a")?, fixture::workspace(tx, "b")?);
            let with = |id: &str, workspace, triggers: &[Trigger]| Webhook {
                triggers: triggers.iter().copied().collect(),
                ..fixture::webhook(id, workspace)
            };
            let both = insert(tx, with("1", ours, &[Trigger::LinkCreated, Trigger::LinkClicked]))?;
            let mut off = insert(tx, with("2", ours, &[Trigger::LinkCreated]))?;
            let clicks = insert(tx, with("3", theirs, &[Trigger::LinkClicked]))?;
            let gone = insert(tx, with("4", ours, &[Trigger::LinkCreated]))?;
            delete(tx, gone.no, Timestamp(2))?;
            off.disabled = every_field(ours).disabled;
            update(tx, &off)?;
            let ids = |found: Vec<Webhook>| found.into_iter().map(|webhook| webhook.no).collect::<Vec<_>>();
            assert_eq!(ids(wanting(tx, ours, Trigger::LinkCreated)?), [both.no]);
            assert!(wanting(tx, theirs, Trigger::LinkCreated)?.is_empty());
            assert_eq!(ids(wanting_clicks(tx)?), [both.no, clicks.no]);
            for (workspace, trigger, expected) in [
                (ours, Trigger::LinkCreated, true),
                (ours, Trigger::SaleCreated, false),
                (theirs, Trigger::LinkCreated, false),
            ] {
                assert_eq!(is_wanted(tx, workspace, trigger)?, expected, "{trigger:?}");
            }
            assert_eq!(counts(tx)?, (2, 1));
            add_untold(tx, both.no, 5)?;
            assert_eq!(by_no(tx, both.no)?.map(|found| found.health.untold), Some(5));
            let page = Page::Number { number: 1, size: 9 };
            assert_eq!(ids(list(tx, ours, &page)?), [off.no, both.no], "newest first");
            Ok(())
        });
    }

    #[test]
    fn links_and_webhooks_name_each_other_from_both_sides() {
        fixture::in_tx(|tx| {
            let workspace = fixture::workspace(tx, "a")?;
            let (one, two) = (
                insert(tx, fixture::webhook("1", workspace))?,
                insert(tx, fixture::webhook("2", workspace))?,
            );
            let a = link::insert(tx, &fixture::link("a", workspace))?.no;
            let b = link::insert(tx, &fixture::link("b", workspace))?.no;
            set_links(tx, one.no, &[a, b, a])?;
            set_of_link(tx, a, &[two.no])?;
            assert_eq!((links(tx, one.no)?, links(tx, two.no)?), (vec![b], vec![a]));
            assert_eq!(of_link(tx, a)?, [two.id.as_str()]);
            link::delete(tx, b)?;
            assert!(links(tx, one.no)?.is_empty());
            delete(tx, two.no, Timestamp(2))?;
            assert!(of_link(tx, a)?.is_empty());
            Ok(())
        });
    }
}
