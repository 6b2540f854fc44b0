//! Spend: entries that are added and voided, and never changed otherwise.

use super::columns::Columns;
use super::error::Error;
use super::filter::Filter;
use super::page::{Listing, Page};
use super::view::{Tx, View};
use crate::domain::id::{CampaignNo, CreatorNo, LinkNo, WorkspaceNo};
use crate::domain::spend::{Spend, SpendTold};
use crate::domain::time::Timestamp;

/// Which entries of a workspace; the default is all, voided ones too.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SpendFilter {
    pub creator: Option<CreatorNo>,
    pub campaign: Option<CampaignNo>,
    pub link: Option<LinkNo>,
    /// Spent from the first to before the second.
    pub spent: Option<(Timestamp, Timestamp)>,
}

const COLUMNS: &str = "id, workspace, external_id, creator, campaign, link, amount, currency, at, note, created_at, \
                       voided_at, void_note";

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Spend> {
    let mut columns = Columns::of(row);
    Ok(Spend {
        id: columns.next()?,
        workspace: columns.next()?,
        told: SpendTold {
            external_id: columns.next()?,
            creator: columns.next()?,
            campaign: columns.next()?,
            link: columns.next()?,
            amount: columns.next()?,
            currency: columns.next()?,
            at: columns.next()?,
            note: columns.next()?,
        },
        created_at: columns.next()?,
        voided_at: columns.next()?,
        void_note: columns.next()?,
    })
}

/// Adds `spend`.
///
/// # Errors
/// [`Error::Conflict`] on `externalId`.
pub fn insert(tx: &Tx<'_>, spend: &Spend) -> Result<(), Error> {
    let told = &spend.told;
    tx.run_unique(
        "INSERT INTO spend (id, workspace, external_id, creator, campaign, link, amount, currency, at, note, created_at,
         voided_at, void_note) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            &spend.id,
            spend.workspace,
            &told.external_id,
            told.creator,
            told.campaign,
            told.link,
            told.amount,
            &told.currency,
            told.at,
            &told.note,
            spend.created_at,
            spend.voided_at,
            &spend.void_note,
        ),
        &[("spend.workspace, spend.external_id", "externalId")],
    )?;
    Ok(())
}

/// Marks the entry as taken back at `at`; one that was before stays as it was.
///
/// # Errors
/// [`Error::Failed`].
pub fn void(tx: &Tx<'_>, id: &str, at: Timestamp, note: Option<&str>) -> Result<(), Error> {
    tx.run(
        "UPDATE spend SET voided_at = ?, void_note = ? WHERE id = ? AND voided_at IS NULL",
        (at, note, id),
    )?;
    Ok(())
}

/// The workspace's entry with public id `id`.
///
/// # Errors
/// [`Error::Failed`].
pub fn by_id(view: &View<'_>, workspace: WorkspaceNo, id: &str) -> Result<Option<Spend>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM spend WHERE id = ? AND workspace = ?");
    view.first(&sql, (id, workspace), read)
}

/// The workspace's entry that the brand calls `external_id`.
///
/// # Errors
/// [`Error::Failed`].
pub fn by_external_id(view: &View<'_>, workspace: WorkspaceNo, external_id: &str) -> Result<Option<Spend>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM spend WHERE workspace = ? AND external_id = ?");
    view.first(&sql, (workspace, external_id), read)
}

/// One page of the workspace's entries, the latest spent first.
///
/// # Errors
/// [`Error::NotFound`] on `page` for an unknown id to go on from.
pub fn list(view: &View<'_>, workspace: WorkspaceNo, filter: &SpendFilter, page: &Page) -> Result<Vec<Spend>, Error> {
    let mut conditions = Filter::of("workspace = ?", workspace.0);
    conditions.and_some("creator = ?", filter.creator.map(|no| i64::from(no.0)));
    conditions.and_some("campaign = ?", filter.campaign.map(|no| i64::from(no.0)));
    conditions.and_some("link = ?", filter.link.map(|no| i64::from(no.0)));
    if let Some((start, end)) = filter.spent {
        conditions.and("at >= ? AND at < ?", [start.0.into(), end.0.into()]);
    }
    let listing = Listing {
        table: "spend",
        columns: COLUMNS,
        id: "id",
        sort: "at",
        is_ascending: false,
    };
    listing.page(view, conditions, page, read)
}

/// Hands what counts of the workspace's spend from `start` to before `end` to `take`, one entry at a time.
///
/// # Errors
/// [`Error::Failed`], and those of `take`.
pub fn each_counted(
    view: &View<'_>,
    workspace: WorkspaceNo,
    (start, end): (Timestamp, Timestamp),
    mut take: impl FnMut(Spend) -> Result<(), Error>,
) -> Result<(), Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM spend WHERE workspace = ? AND at >= ? AND at < ? AND voided_at IS NULL ORDER BY at, no"
    );
    view.each(&sql, (workspace, start, end), |row| take(read(row)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::books::{creator, fixture};

    #[test]
    fn entries_stay_as_they_were_and_voided_ones_no_longer_count() {
        fixture::in_tx(|tx| {
            let (ours, theirs) = (fixture::workspace(tx, "a")?, fixture::workspace(tx, "b")?);
            let mia = creator::insert(tx, fixture::creator("Mia", ours))?.no;
            let entry = |id: &str, workspace, at| Spend {
                id: id.to_owned(),
                workspace,
                told: SpendTold {
                    external_id: Some(format!("ext {id}")),
                    creator: (workspace == ours).then_some(mia),
                    campaign: None,
                    link: Some(LinkNo(7)),
                    amount: 500,
                    currency: "EUR".to_owned(),
                    at: Timestamp(at),
                    note: Some("n".to_owned()),
                },
                created_at: Timestamp(99),
                voided_at: None,
                void_note: None,
            };
            let first = entry("s1", ours, 10);
            insert(tx, &first)?;
            insert(tx, &entry("s2", ours, 20))?;
            let mut stranger = entry("s3", theirs, 10);
            stranger.told.external_id = first.told.external_id.clone();
            insert(tx, &stranger)?;
            stranger.workspace = ours;
            stranger.id = "s4".to_owned();
            assert_eq!(insert(tx, &stranger), Err(Error::Conflict { what: "externalId" }));
            assert_eq!(by_id(tx, ours, "s1")?.as_ref(), Some(&first));
            assert_eq!(by_id(tx, theirs, "s1")?, None);
            assert_eq!(by_external_id(tx, ours, "ext s1")?.as_ref(), Some(&first));

            let counted = || {
                let mut ids = Vec::new();
                each_counted(tx, ours, (Timestamp(0), Timestamp(20)), |spend| {
                    ids.push(spend.id);
                    Ok(())
                })?;
                Ok::<_, Error>(ids.join(" "))
            };
            assert_eq!(counted()?, "s1", "the end is exclusive");
            void(tx, "s1", Timestamp(30), Some("typo"))?;
            void(tx, "s1", Timestamp(40), None)?;
            let voided = by_id(tx, ours, "s1")?.expect("still there");
            assert_eq!(
                (voided.voided_at, voided.void_note.as_deref()),
                (Some(Timestamp(30)), Some("typo"))
            );
            assert_eq!(voided.told, first.told);
            assert_eq!(counted()?, "");

            let page = Page::Number { number: 1, size: 9 };
            let of = |filter: SpendFilter| Ok::<_, Error>(list(tx, ours, &filter, &page)?.len());
            let mias = SpendFilter {
                creator: Some(mia),
                link: Some(LinkNo(7)),
                ..SpendFilter::default()
            };
            assert_eq!(of(mias.clone())?, 2);
            let late = SpendFilter {
                spent: Some((Timestamp(11), Timestamp(21))),
                ..mias
            };
            assert_eq!(of(late)?, 1);
            Ok(())
        });
    }
}
