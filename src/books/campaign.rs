//! Campaigns and which creators take part. Never deleted: links, spend and history stand on them.

use super::columns::Columns;
use super::error::Error;
use super::filter::Filter;
use super::page::{Listing, Page};
use super::view::{Tx, View};
use crate::domain::campaign::{Campaign, CampaignTerms};
use crate::domain::id::{CampaignNo, CreatorNo, WorkspaceNo};

const COLUMNS: &str =
    "no, id, workspace, name, starts_at, ends_at, budget, currency, note, is_archived, created_at, updated_at";

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Campaign> {
    let mut columns = Columns::of(row);
    let (no, id, workspace) = (columns.next()?, columns.next()?, columns.next()?);
    let (name, starts_at, ends_at) = (columns.next()?, columns.next()?, columns.next()?);
    let (budget, currency): (Option<i64>, Option<String>) = (columns.next()?, columns.next()?);
    Ok(Campaign {
        no,
        id,
        workspace,
        terms: CampaignTerms {
            name,
            starts_at,
            ends_at,
            budget: budget.zip(currency),
            note: columns.next()?,
            is_archived: columns.next()?,
        },
        created_at: columns.next()?,
        updated_at: columns.next()?,
    })
}

/// Adds `campaign`, whatever its `no` is, and returns it with the number it got.
///
/// # Errors
/// [`Error::Failed`].
pub fn insert(tx: &Tx<'_>, campaign: Campaign) -> Result<Campaign, Error> {
    write(
        tx,
        "INSERT INTO campaigns (no, id, workspace, name, starts_at, ends_at, budget, currency, note, is_archived,
         created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        None,
        &campaign,
    )?;
    Ok(Campaign {
        no: CampaignNo(tx.last_no()?),
        ..campaign
    })
}

/// Stores every field of `campaign` under its number.
///
/// # Errors
/// [`Error::NotFound`].
pub fn update(tx: &Tx<'_>, campaign: &Campaign) -> Result<(), Error> {
    let changed = write(
        tx,
        "UPDATE campaigns SET id = ?2, workspace = ?3, name = ?4, starts_at = ?5, ends_at = ?6, budget = ?7,
         currency = ?8, note = ?9, is_archived = ?10, created_at = ?11, updated_at = ?12 WHERE no = ?1",
        Some(campaign.no),
        campaign,
    )?;
    match changed {
        0 => Err(Error::NotFound { what: "campaign" }),
        _ => Ok(()),
    }
}

fn write(tx: &Tx<'_>, sql: &str, no: Option<CampaignNo>, campaign: &Campaign) -> Result<usize, Error> {
    let terms = &campaign.terms;
    tx.run(
        sql,
        rusqlite::params![
            no,
            campaign.id,
            campaign.workspace,
            terms.name,
            terms.starts_at,
            terms.ends_at,
            terms.budget.as_ref().map(|(amount, _)| amount),
            terms.budget.as_ref().map(|(_, currency)| currency),
            terms.note,
            terms.is_archived,
            campaign.created_at,
            campaign.updated_at,
        ],
    )
}

/// Campaign number `no`.
///
/// # Errors
/// [`Error::Failed`].
pub fn by_no(view: &View<'_>, no: CampaignNo) -> Result<Option<Campaign>, Error> {
    view.first(&format!("SELECT {COLUMNS} FROM campaigns WHERE no = ?"), [no], read)
}

/// The workspace's campaign with public id `id`.
///
/// # Errors
/// [`Error::Failed`].
pub fn by_id(view: &View<'_>, workspace: WorkspaceNo, id: &str) -> Result<Option<Campaign>, Error> {
    view.first(
        &format!("SELECT {COLUMNS} FROM campaigns WHERE id = ? AND workspace = ?"),
        (id, workspace),
        read,
    )
}

/// One page of the workspace's campaigns, newest first; those whose name contains `search`, if it is given.
///
/// # Errors
/// [`Error::NotFound`] on `page` for an unknown id to go on from.
pub fn list(
    view: &View<'_>,
    workspace: WorkspaceNo,
    search: Option<&str>,
    shows_archived: bool,
    page: &Page,
) -> Result<Vec<Campaign>, Error> {
    let mut filter = Filter::of("workspace = ?", workspace.0);
    if !shows_archived {
        filter.and("is_archived = 0", []);
    }
    if let Some(search) = search {
        filter.and_any_contains(&[("name", search)]);
    }
    let listing = Listing {
        table: "campaigns",
        columns: COLUMNS,
        id: "id",
        sort: "created_at",
        is_ascending: false,
    };
    listing.page(view, filter, page, read)
}

/// Numbers, ids and names of all campaigns of the workspace: what reports call them.
///
/// # Errors
/// [`Error::Failed`].
pub fn names(view: &View<'_>, workspace: WorkspaceNo) -> Result<Vec<(CampaignNo, String, String)>, Error> {
    view.all(
        "SELECT no, id, name FROM campaigns WHERE workspace = ? ORDER BY no",
        [workspace],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )
}

/// Lets `creators` take part; those who do already stay.
///
/// # Errors
/// [`Error::Failed`].
pub fn add_creators(tx: &Tx<'_>, campaign: CampaignNo, creators: &[CreatorNo]) -> Result<(), Error> {
    for creator in creators {
        tx.run(
            "INSERT OR IGNORE INTO campaign_creators (campaign, creator) VALUES (?, ?)",
            (campaign, creator),
        )?;
    }
    Ok(())
}

/// Lets `creators` take part and nobody else.
///
/// # Errors
/// [`Error::Failed`].
pub fn set_creators(tx: &Tx<'_>, campaign: CampaignNo, creators: &[CreatorNo]) -> Result<(), Error> {
    tx.run("DELETE FROM campaign_creators WHERE campaign = ?", [campaign])?;
    add_creators(tx, campaign, creators)
}

/// Public ids of the creators who take part, in the order in which they were enlisted.
///
/// # Errors
/// [`Error::Failed`].
pub fn creator_ids(view: &View<'_>, campaign: CampaignNo) -> Result<Vec<String>, Error> {
    view.all(
        "SELECT c.id FROM campaign_creators m JOIN creators c ON c.no = m.creator WHERE m.campaign = ? ORDER BY m.creator",
        [campaign],
        |row| row.get(0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::books::{creator, fixture};
    use crate::domain::time::Timestamp;

    #[test]
    fn campaigns_come_back_whole_and_are_their_workspaces_own() {
        fixture::in_tx(|tx| {
            let (ours, theirs) = (fixture::workspace(tx, "a")?, fixture::workspace(tx, "b")?);
            let mut spring = insert(tx, fixture::campaign("Spring", ours))?;
            insert(tx, fixture::campaign("Autumn", ours))?;
            insert(tx, fixture::campaign("Spring", theirs))?;
            spring.terms = CampaignTerms {
                name: "Spring 2026".to_owned(),
                starts_at: Some(Timestamp(5)),
                ends_at: Some(Timestamp(9)),
                budget: Some((100_000, "EUR".to_owned())),
                note: Some("n".to_owned()),
                is_archived: true,
            };
            spring.updated_at = Timestamp(7);
            update(tx, &spring)?;
            assert_eq!(by_no(tx, spring.no)?.as_ref(), Some(&spring));
            assert_eq!(by_id(tx, ours, &spring.id)?.as_ref(), Some(&spring));
            assert_eq!(by_id(tx, theirs, &spring.id)?, None);
            let page = Page::Number { number: 1, size: 9 };
            let listed = |search, shows_archived| {
                let found = list(tx, ours, search, shows_archived, &page)?;
                Ok::<_, Error>(found.into_iter().map(|found| found.terms.name).collect::<Vec<_>>())
            };
            assert_eq!(listed(None, false)?, ["Autumn"]);
            assert_eq!(listed(Some("spring"), true)?, ["Spring 2026"]);
            assert_eq!(names(tx, ours)?.len(), 2);
            spring.no = CampaignNo(99);
            assert_eq!(update(tx, &spring), Err(Error::NotFound { what: "campaign" }));
            Ok(())
        });
    }

    #[test]
    fn creators_take_part_once() {
        fixture::in_tx(|tx| {
            let ours = fixture::workspace(tx, "a")?;
            let spring = insert(tx, fixture::campaign("Spring", ours))?.no;
            let mia = creator::insert(tx, fixture::creator("Mia", ours))?;
            let ben = creator::insert(tx, fixture::creator("Ben", ours))?;
            add_creators(tx, spring, &[ben.no, mia.no, ben.no])?;
            assert_eq!(creator_ids(tx, spring)?, [mia.id.clone(), ben.id]);
            set_creators(tx, spring, &[mia.no])?;
            assert_eq!(creator_ids(tx, spring)?, [mia.id]);
            Ok(())
        });
    }
}
