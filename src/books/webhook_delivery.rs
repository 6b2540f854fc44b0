//! Events as they are sent, one delivery a webhook, and what became of each: the queue and the log in one table.
//!
//! A delivery waits, is delivered or has failed. What is finished stays for a while, to be looked at and sent again.

use rusqlite::types::Value;

use super::columns::{Columns, Word};
use super::error::Error;
use super::filter::Filter;
use super::page::{Listing, Page};
use super::view::{Tx, View};
use crate::domain::id::{LinkNo, WorkspaceNo};
use crate::domain::time::Timestamp;
use crate::domain::webhook::{GIVE_UP_MS, TRIES_IN_ORDER, Trigger};

/// What is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// Public id, `evt_` and a ULID: the receiver knows a repetition by it.
    pub id: String,
    pub workspace: WorkspaceNo,
    pub trigger: Trigger,
    /// The link whose events are told in their order; `None` = in any.
    pub link: Option<LinkNo>,
    pub created_at: Timestamp,
    pub body: String,
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Waiting,
    Delivered,
    Failed,
}

impl State {
    /// The word that is stored and answered.
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }

    /// The state that `word` names.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Waiting, Self::Delivered, Self::Failed]
            .into_iter()
            .find(|state| state.word() == word)
    }
}

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    pub no: i64,
    /// Public id of the event.
    pub event_id: String,
    pub trigger: Trigger,
    pub created_at: Timestamp,
    pub state: State,
    pub since: Timestamp,
    pub due_at: Timestamp,
    pub attempts: u32,
    pub attempted_at: Option<Timestamp>,
    pub took_ms: Option<u32>,
    pub status: Option<u16>,
    pub error: Option<String>,
    pub answer: Option<String>,
}

/// A delivery that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    pub no: i64,
    pub webhook: i64,
    pub event_id: String,
    pub body: String,
    pub since: Timestamp,
    pub attempts: u32,
}

/// How an attempt went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub at: Timestamp,
    pub took_ms: u32,
    /// `None` = there was no answer.
    pub status: Option<u16>,
    pub error: Option<String>,
    /// The head of the answer's body.
    pub answer: Option<String>,
}

/// Adds `event`; its row number.
///
/// # Errors
/// [`Error::Failed`].
pub fn insert_event(tx: &Tx<'_>, event: &NewEvent) -> Result<i64, Error> {
    tx.run(
        "INSERT INTO webhook_events (id, workspace, word, created_at, body) VALUES (?, ?, ?, ?, ?)",
        (
            &event.id,
            event.workspace,
            Word(event.trigger),
            event.created_at,
            &event.body,
        ),
    )?;
    Ok(i64::from(tx.last_no()?))
}

/// Queues event number `event` for `webhook`, to be sent at once.
///
/// # Errors
/// [`Error::Failed`].
pub fn queue(tx: &Tx<'_>, webhook: i64, event: i64, link: Option<LinkNo>, now: Timestamp) -> Result<(), Error> {
    tx.run(
        "INSERT INTO webhook_deliveries (webhook, event, link, state, since, due_at) VALUES (?1, ?2, ?3, 'waiting', ?4, ?4)",
        (webhook, event, link.unwrap_or_default(), now),
    )?;
    Ok(())
}

/// How many deliveries of `webhook` wait, counted up to `most`.
///
/// # Errors
/// [`Error::Failed`].
pub fn count_waiting(view: &View<'_>, webhook: i64, most: u32) -> Result<u64, Error> {
    view.count(
        "SELECT count(*) FROM (SELECT 1 FROM webhook_deliveries WHERE webhook = ? AND state = 'waiting' LIMIT ?)",
        (webhook, most),
    )
}

/// When the first delivery of each webhook that can be sent to is due: number, instant, and whether the webhook has
/// been failing.
///
/// # Errors
/// [`Error::Failed`].
pub fn next_due(view: &View<'_>) -> Result<Vec<(i64, Timestamp, bool)>, Error> {
    let found = view.all(
        "SELECT no, max((SELECT min(due_at) FROM webhook_deliveries d WHERE d.webhook = w.no AND state = 'waiting'),
             coalesce(resting_until, -9223372036854775808)), failures > 0
         FROM webhooks w WHERE deleted_at IS NULL AND disabled_at IS NULL ORDER BY no",
        [],
        |row| {
            let mut columns = Columns::of(row);
            Ok((columns.next()?, columns.next::<Option<Timestamp>>()?, columns.next()?))
        },
    )?;
    let due = found.into_iter();
    Ok(due
        .filter_map(|(no, at, is_failing)| at.map(|at| (no, at, is_failing)))
        .collect())
}

/// When the first delivery of `webhook` is due that is not due at `now`.
///
/// # Errors
/// [`Error::Failed`].
pub fn due_after(view: &View<'_>, webhook: i64, now: Timestamp) -> Result<Option<Timestamp>, Error> {
    let found = view.first(
        "SELECT min(due_at) FROM webhook_deliveries WHERE webhook = ? AND state = 'waiting' AND due_at > ?",
        (webhook, now),
        |row| row.get::<_, Option<Timestamp>>(0),
    )?;
    Ok(found.flatten())
}

/// At most `count` deliveries of `webhook` that are due at `now`, the oldest first; of one link only the first that is
/// not delivered, unless that was tried often.
///
/// # Errors
/// [`Error::Failed`].
pub fn due(view: &View<'_>, webhook: i64, now: Timestamp, count: u32) -> Result<Vec<Due>, Error> {
    view.all(
        "SELECT d.no, d.webhook, e.id, e.body, d.since, d.attempts
         FROM webhook_deliveries d JOIN webhook_events e ON e.no = d.event
         WHERE d.webhook = ?1 AND d.state = 'waiting' AND d.due_at <= ?2 AND (d.link = 0 OR NOT EXISTS (
             SELECT 1 FROM webhook_deliveries b WHERE b.webhook = d.webhook AND b.link = d.link AND b.no < d.no
                 AND b.state = 'waiting' AND b.attempts < ?3))
         ORDER BY d.due_at, d.no LIMIT ?4",
        (webhook, now, TRIES_IN_ORDER, count),
        |row| {
            let mut columns = Columns::of(row);
            Ok(Due {
                no: columns.next()?,
                webhook: columns.next()?,
                event_id: columns.next()?,
                body: columns.next()?,
                since: columns.next()?,
                attempts: columns.next()?,
            })
        },
    )
}

/// Stores how an attempt of delivery number `no` went, and what is to become of it.
///
/// # Errors
/// [`Error::Failed`].
pub fn note(tx: &Tx<'_>, no: i64, attempt: &Attempt, state: State, due_at: Timestamp) -> Result<(), Error> {
    tx.run(
        "UPDATE webhook_deliveries SET attempts = attempts + 1, attempted_at = ?2, took_ms = ?3, status = ?4, error = ?5,
         answer = ?6, state = ?7, due_at = ?8 WHERE no = ?1",
        (
            no,
            attempt.at,
            attempt.took_ms,
            attempt.status,
            &attempt.error,
            &attempt.answer,
            state.word(),
            due_at,
        ),
    )?;
    Ok(())
}

/// Sends what `webhook` was told, or should have been, once more: from now on, for three days again. `false` = it was not
/// told of such an event, or that is gone from the log.
///
/// # Errors
/// [`Error::Failed`].
pub fn replay(tx: &Tx<'_>, webhook: i64, event_id: &str, now: Timestamp) -> Result<bool, Error> {
    let changed = tx.run(
        "UPDATE webhook_deliveries SET state = 'waiting', attempts = 0, since = ?3, due_at = ?3
         WHERE webhook = ?1 AND event = (SELECT no FROM webhook_events WHERE id = ?2)",
        (webhook, event_id, now),
    )?;
    Ok(changed > 0)
}

/// Makes every delivery of `webhook` that waits due at `now`, at most `count`: whoever mended a receiver waits for nothing.
///
/// # Errors
/// [`Error::Failed`].
pub fn hurry(tx: &Tx<'_>, webhook: i64, now: Timestamp, count: u32) -> Result<(), Error> {
    tx.run(
        "UPDATE webhook_deliveries SET due_at = ?2 WHERE no IN (
             SELECT no FROM webhook_deliveries WHERE webhook = ?1 AND state = 'waiting' AND due_at > ?2 ORDER BY no LIMIT ?3)",
        (webhook, now, count),
    )?;
    Ok(())
}

const COLUMNS: &str = "no, (SELECT id FROM webhook_events e WHERE e.no = event), \
                       (SELECT word FROM webhook_events e WHERE e.no = event), \
                       (SELECT created_at FROM webhook_events e WHERE e.no = event), state, since, due_at, attempts, \
                       attempted_at, took_ms, status, error, answer";

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Delivery> {
    let mut columns = Columns::of(row);
    Ok(Delivery {
        no: columns.next()?,
        event_id: columns.next()?,
        trigger: columns.next::<Word<_>>()?.0,
        created_at: columns.next()?,
        state: columns
            .next_parsed(State::parse)?
            .ok_or(rusqlite::Error::InvalidQuery)?,
        since: columns.next()?,
        due_at: columns.next()?,
        attempts: columns.next()?,
        attempted_at: columns.next()?,
        took_ms: columns.next()?,
        status: columns.next()?,
        error: columns.next()?,
        answer: columns.next()?,
    })
}

/// One page of the deliveries of `webhook`, newest first; of one state or of one trigger, if that is asked for.
///
/// # Errors
/// [`Error::Failed`].
pub fn list(
    view: &View<'_>,
    webhook: i64,
    state: Option<State>,
    trigger: Option<Trigger>,
    page: &Page,
) -> Result<Vec<Delivery>, Error> {
    let listing = Listing {
        table: "webhook_deliveries",
        columns: COLUMNS,
        id: "(SELECT id FROM webhook_events e WHERE e.no = event)",
        sort: "no",
        is_ascending: false,
    };
    let mut filter = Filter::of("webhook = ?", webhook);
    if let Some(state) = state {
        filter.and("state = ?", [Value::Text(state.word().to_owned())]);
    }
    if let Some(trigger) = trigger {
        let clause = "(SELECT word FROM webhook_events e WHERE e.no = event) = ?";
        filter.and(clause, [Value::Text(trigger.word().to_owned())]);
    }
    listing.page(view, filter, page, read)
}

/// What `webhook` was told by the event with public id `event_id`, with the body that was sent.
///
/// # Errors
/// [`Error::Failed`].
pub fn find(view: &View<'_>, webhook: i64, event_id: &str) -> Result<Option<(Delivery, String)>, Error> {
    let sql = format!(
        "SELECT {COLUMNS}, (SELECT body FROM webhook_events e WHERE e.no = event) FROM webhook_deliveries
         WHERE webhook = ? AND event = (SELECT no FROM webhook_events WHERE id = ?)"
    );
    view.first(&sql, (webhook, event_id), |row| Ok((read(row)?, row.get(13)?)))
}

/// How many deliveries wait, by webhook's public id, the most first, at most `count`; only those of which some do.
///
/// # Errors
/// [`Error::Failed`].
pub fn backlogs(view: &View<'_>, count: usize) -> Result<Vec<(String, u64)>, Error> {
    let mut backlogs = view.all(
        "SELECT id, (SELECT count(*) FROM webhook_deliveries d WHERE d.webhook = w.no AND state = 'waiting') AS waiting
         FROM webhooks w WHERE deleted_at IS NULL",
        [],
        |row| {
            let mut columns = Columns::of(row);
            Ok((columns.next()?, columns.next_count()?.unwrap_or_default()))
        },
    )?;
    backlogs.retain(|(_, waiting)| *waiting > 0);
    backlogs.sort_by_key(|(_, waiting)| std::cmp::Reverse(*waiting));
    backlogs.truncate(count);
    Ok(backlogs)
}

/// What may stay of the log.
#[derive(Debug, Clone, Copy)]
pub struct Kept {
    /// What was finished before goes.
    pub oldest: Timestamp,
    /// Most delivered ones of one webhook.
    pub delivered: u32,
    /// Most failed ones of one webhook.
    pub failed: u32,
}

/// What must not stay as it is.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Surplus {
    /// Deliveries that go.
    gone: Vec<i64>,
    /// Deliveries that have waited for three days for a webhook that is disabled: they have failed.
    expired: Vec<i64>,
    /// Deleted webhooks of which nothing is left.
    webhooks: Vec<i64>,
}

impl Surplus {
    /// Whether everything may stay.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What must not stay, at most about `count` rows of it; the oldest of each webhook first.
///
/// # Errors
/// [`Error::Failed`].
pub fn surplus(view: &View<'_>, kept: Kept, now: Timestamp, count: u32) -> Result<Surplus, Error> {
    let mut surplus = Surplus::default();
    let webhooks = view.all(
        "SELECT no, disabled_at IS NOT NULL, deleted_at IS NOT NULL FROM webhooks ORDER BY no",
        [],
        |row| {
            let mut columns = Columns::of(row);
            Ok((columns.next::<i64>()?, columns.next::<bool>()?, columns.next::<bool>()?))
        },
    )?;
    for (webhook, is_disabled, is_deleted) in webhooks {
        if surplus.gone.len() + surplus.expired.len() >= count as usize {
            break;
        }
        if is_deleted {
            let all = view.all(
                "SELECT no FROM webhook_deliveries WHERE webhook = ? ORDER BY no LIMIT ?",
                (webhook, count),
                |row| row.get(0),
            )?;
            if all.is_empty() {
                surplus.webhooks.push(webhook);
            }
            surplus.gone.extend::<Vec<i64>>(all);
            continue;
        }
        if is_disabled {
            surplus.expired.extend(view.all(
                "SELECT no FROM webhook_deliveries WHERE webhook = ? AND state = 'waiting' AND since <= ? LIMIT ?",
                (webhook, now.plus_ms(-GIVE_UP_MS), count),
                |row| row.get::<_, i64>(0),
            )?);
        }
        for (state, most) in [("delivered", kept.delivered), ("failed", kept.failed)] {
            surplus
                .gone
                .extend(finished(view, webhook, state, most, kept.oldest, count)?);
        }
    }
    Ok(surplus)
}

/// The oldest deliveries of `webhook` in `state` that are too many or too old.
fn finished(
    view: &View<'_>,
    webhook: i64,
    state: &str,
    most: u32,
    oldest: Timestamp,
    count: u32,
) -> Result<Vec<i64>, Error> {
    let newest = format!(
        "SELECT no FROM webhook_deliveries WHERE webhook = ? AND state = '{state}' ORDER BY no DESC LIMIT 1 OFFSET ?"
    );
    let last: Option<i64> = view.first(&newest, (webhook, most), |row| row.get(0))?;
    // State is a word of this file: the index is made for it.
    let first = format!(
        "SELECT no, coalesce(attempted_at, since) FROM webhook_deliveries WHERE webhook = ? AND state = '{state}'
         ORDER BY no LIMIT ?"
    );
    let of_row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, Timestamp>(1)?));
    let must_go = |(no, at): &(i64, Timestamp)| last.is_some_and(|last| *no <= last) || *at < oldest;
    if !view
        .first(&first, (webhook, 1), of_row)?
        .is_some_and(|row| must_go(&row))
    {
        return Ok(Vec::new());
    }
    let rows = view.all(&first, (webhook, count), of_row)?;
    Ok(rows.iter().take_while(|row| must_go(row)).map(|(no, _)| *no).collect())
}

/// Takes `surplus` away, with the events that nobody is left for.
///
/// # Errors
/// [`Error::Failed`].
pub fn trim(tx: &Tx<'_>, surplus: &Surplus) -> Result<(), Error> {
    for no in &surplus.expired {
        tx.run(
            "UPDATE webhook_deliveries SET state = 'failed', error = coalesce(error, 'the webhook was disabled')
             WHERE no = ? AND state = 'waiting'",
            [no],
        )?;
    }
    for no in &surplus.gone {
        let sql = "DELETE FROM webhook_deliveries WHERE no = ? RETURNING event";
        let event: Option<i64> = tx.first(sql, [no], |row| row.get(0))?;
        tx.run(
            "DELETE FROM webhook_events WHERE no = ?1 AND NOT EXISTS (
                 SELECT 1 FROM webhook_deliveries WHERE event = ?1)",
            [event],
        )?;
    }
    for no in &surplus.webhooks {
        tx.run("DELETE FROM webhooks WHERE no = ? AND deleted_at IS NOT NULL", [no])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::books::{fixture, webhook};
    use crate::domain::webhook::{Because, Disabled};

    fn event(tx: &Tx<'_>, workspace: WorkspaceNo, id: &str) -> Result<i64, Error> {
        insert_event(
            tx,
            &NewEvent {
                id: id.to_owned(),
                workspace,
                trigger: Trigger::LinkCreated,
                link: None,
                created_at: Timestamp(5),
                body: format!("body of {id}"),
            },
        )
    }

    fn attempt(at: i64) -> Attempt {
        Attempt {
            at: Timestamp(at),
            took_ms: 12,
            status: Some(500),
            error: Some("the receiver answered 500".to_owned()),
            answer: Some("oops".to_owned()),
        }
    }

    fn ids(view: &View<'_>, webhook: i64, now: i64) -> Result<Vec<String>, Error> {
        let due = due(view, webhook, Timestamp(now), 10)?;
        Ok(due.into_iter().map(|due| due.event_id).collect())
    }

    #[test]
    fn events_of_one_link_wait_for_each_other_until_one_was_tried_often() {
        fixture::in_tx(|tx| {
            let workspace = fixture::workspace(tx, "a")?;
            let hook = webhook::insert(tx, fixture::webhook("1", workspace))?.no;
            for (id, link) in [
                ("1", Some(LinkNo(7))),
                ("2", Some(LinkNo(7))),
                ("3", Some(LinkNo(8))),
                ("4", None),
                ("5", None),
            ] {
                let no = event(tx, workspace, id)?;
                queue(tx, hook, no, link, Timestamp(100))?;
            }
            assert!(ids(tx, hook, 99)?.is_empty());
            assert_eq!(ids(tx, hook, 100)?, ["1", "3", "4", "5"]);
            assert_eq!(next_due(tx)?, [(hook, Timestamp(100), false)]);
            let first = due(tx, hook, Timestamp(100), 1)?.remove(0);
            assert_eq!((first.body.as_str(), first.attempts), ("body of 1", 0));
            note(tx, first.no, &attempt(100), State::Waiting, Timestamp(500))?;
            assert_eq!(ids(tx, hook, 499)?, ["3", "4", "5"], "2 still waits for 1");
            for _ in 1..TRIES_IN_ORDER {
                note(tx, first.no, &attempt(600), State::Waiting, Timestamp(900))?;
            }
            assert_eq!(ids(tx, hook, 700)?, ["2", "3", "4", "5"], "2 overtakes");
            note(tx, first.no, &attempt(901), State::Delivered, Timestamp(900))?;
            assert_eq!(ids(tx, hook, 900)?, ["2", "3", "4", "5"]);
            Ok(())
        });
    }

    #[test]
    fn the_log_says_what_happened_and_sends_again() {
        fixture::in_tx(|tx| {
            let workspace = fixture::workspace(tx, "a")?;
            let hook = webhook::insert(tx, fixture::webhook("1", workspace))?.no;
            let other = webhook::insert(tx, fixture::webhook("2", workspace))?.no;
            for id in ["1", "2", "3"] {
                let no = event(tx, workspace, id)?;
                queue(tx, hook, no, None, Timestamp(100))?;
            }
            let first = due(tx, hook, Timestamp(100), 1)?.remove(0);
            note(tx, first.no, &attempt(110), State::Failed, Timestamp(110))?;
            let page = Page::Number { number: 1, size: 2 };
            let listed = list(tx, hook, None, None, &page)?;
            let seen: Vec<_> = listed.iter().map(|line| line.event_id.as_str()).collect();
            assert_eq!(seen, ["3", "2"]);
            let after = Page::After {
                id: "2".to_owned(),
                size: 9,
            };
            let failed = list(tx, hook, Some(State::Failed), Some(Trigger::LinkCreated), &after)?;
            assert_eq!(failed.len(), 1);
            let expected = Delivery {
                no: first.no,
                event_id: "1".to_owned(),
                trigger: Trigger::LinkCreated,
                created_at: Timestamp(5),
                state: State::Failed,
                since: Timestamp(100),
                due_at: Timestamp(110),
                attempts: 1,
                attempted_at: Some(Timestamp(110)),
                took_ms: Some(12),
                status: Some(500),
                error: attempt(1).error,
                answer: attempt(1).answer,
            };
            assert_eq!(failed[0], expected);
            assert_eq!(find(tx, hook, "1")?, Some((expected, "body of 1".to_owned())));
            assert_eq!(find(tx, other, "1")?, None);
            assert!(list(tx, hook, Some(State::Failed), Some(Trigger::SaleCreated), &page)?.is_empty());

            assert!(!replay(tx, other, "1", Timestamp(200))?);
            assert!(!replay(tx, hook, "9", Timestamp(200))?);
            assert!(replay(tx, hook, "1", Timestamp(200))?);
            let again = due(tx, hook, Timestamp(200), 9)?;
            let again: Vec<_> = again.iter().map(|due| (due.event_id.as_str(), due.attempts)).collect();
            assert_eq!(again, [("2", 0), ("3", 0), ("1", 0)]);
            assert_eq!((count_waiting(tx, hook, 9)?, count_waiting(tx, hook, 2)?), (3, 2));
            assert_eq!(backlogs(tx, 5)?, [("wh_1".to_owned(), 3)]);
            Ok(())
        });
    }

    #[test]
    fn disabled_and_resting_webhooks_are_left_alone_until_they_are_hurried() {
        fixture::in_tx(|tx| {
            let workspace = fixture::workspace(tx, "a")?;
            let mut hook = webhook::insert(tx, fixture::webhook("1", workspace))?;
            let no = event(tx, workspace, "1")?;
            queue(tx, hook.no, no, None, Timestamp(100))?;
            hook.health.failures = 4;
            hook.health.resting_until = Some(Timestamp(900));
            webhook::update(tx, &hook)?;
            assert_eq!(next_due(tx)?, [(hook.no, Timestamp(900), true)]);
            let waiting = due(tx, hook.no, Timestamp(100), 1)?.remove(0);
            note(tx, waiting.no, &attempt(100), State::Waiting, Timestamp(5_000))?;
            assert_eq!(next_due(tx)?, [(hook.no, Timestamp(5_000), true)]);
            hurry(tx, hook.no, Timestamp(300), 10)?;
            assert_eq!(next_due(tx)?, [(hook.no, Timestamp(900), true)]);
            hook.disabled = Some(Disabled {
                at: Timestamp(1),
                because: Because::Gone,
            });
            webhook::update(tx, &hook)?;
            assert!(next_due(tx)?.is_empty());
            Ok(())
        });
    }

    #[test]
    fn the_log_is_bounded_by_age_and_count() {
        fixture::in_tx(|tx| {
            let workspace = fixture::workspace(tx, "a")?;
            let hook = webhook::insert(tx, fixture::webhook("1", workspace))?.no;
            let also = webhook::insert(tx, fixture::webhook("2", workspace))?.no;
            for n in 0..10i64 {
                let no = event(tx, workspace, &n.to_string())?;
                queue(tx, hook, no, None, Timestamp(n))?;
                if n == 0 {
                    queue(tx, also, no, None, Timestamp(n))?;
                }
            }
            for (n, due) in (0..).zip(due(tx, hook, Timestamp(100), 9)?) {
                let state = if n % 2 == 0 { State::Delivered } else { State::Failed };
                note(tx, due.no, &attempt(n), state, Timestamp(0))?;
            }
            // 0, 2, 4, 6 and 8 are delivered, 1, 3, 5 and 7 failed, 9 waits.
            let kept = Kept {
                oldest: Timestamp(3),
                delivered: 3,
                failed: 9,
            };
            let few = surplus(tx, kept, Timestamp(50), 1)?;
            assert_eq!(few.gone.len(), 2, "one row a state");
            trim(tx, &few)?;
            trim(tx, &surplus(tx, kept, Timestamp(50), 100)?)?;
            assert!(surplus(tx, kept, Timestamp(50), 100)?.is_empty());
            let page = Page::Number { number: 1, size: 99 };
            let left = list(tx, hook, None, None, &page)?;
            let left: Vec<_> = left.iter().map(|line| line.event_id.as_str()).collect();
            assert_eq!(left, ["9", "8", "7", "6", "5", "4", "3"]);
            let events = tx.count("SELECT count(*) FROM webhook_events", [])?;
            assert_eq!(events, 8, "the other webhook still has the first");
            webhook::delete(tx, hook, Timestamp(60))?;
            webhook::delete(tx, also, Timestamp(60))?;
            let mut turns = 0;
            loop {
                let more = surplus(tx, kept, Timestamp(60), 2)?;
                if more.is_empty() {
                    break;
                }
                trim(tx, &more)?;
                turns += 1;
            }
            assert!(turns > 3, "a little at a time: {turns}");
            assert_eq!(tx.count("SELECT count(*) FROM webhook_events", [])?, 0);
            assert_eq!(tx.count("SELECT count(*) FROM webhooks", [])?, 0);
            Ok(())
        });
    }

    #[test]
    fn what_waited_three_days_for_a_disabled_webhook_has_failed() {
        fixture::in_tx(|tx| {
            let workspace = fixture::workspace(tx, "a")?;
            let mut hook = webhook::insert(tx, fixture::webhook("1", workspace))?;
            let no = event(tx, workspace, "1")?;
            queue(tx, hook.no, no, None, Timestamp(100))?;
            let kept = Kept {
                oldest: Timestamp(i64::MIN),
                delivered: 9,
                failed: 9,
            };
            let end = Timestamp(100 + GIVE_UP_MS);
            assert!(surplus(tx, kept, end, 9)?.is_empty());
            hook.disabled = Some(Disabled {
                at: Timestamp(1),
                because: Because::Failing,
            });
            webhook::update(tx, &hook)?;
            trim(tx, &surplus(tx, kept, end.plus_ms(-1), 9)?)?;
            let state = |tx: &Tx<'_>| Ok::<_, Error>(find(tx, hook.no, "1")?.map(|(line, _)| line.state));
            assert_eq!(state(tx)?, Some(State::Waiting));
            trim(tx, &surplus(tx, kept, end, 9)?)?;
            assert_eq!(state(tx)?, Some(State::Failed));
            Ok(())
        });
    }
}
