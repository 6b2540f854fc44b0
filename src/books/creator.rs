//! Creators. In a workspace no two share an email address or a tenant id.

use rusqlite::params_from_iter;

use super::columns::{self, Columns};
use super::error::Error;
use super::filter::Filter;
use super::page::{Listing, Page};
use super::view::{Tx, View};
use crate::domain::creator::{BanReason, Creator, CreatorTerms, Departure};
use crate::domain::id::{CreatorNo, WorkspaceNo};
use crate::domain::time::Timestamp;

/// Which creators of a workspace; the default is all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CreatorFilter {
    /// Contained in name, username or email, in any case of ASCII letters.
    pub search: Option<String>,
    pub email: Option<String>,
    pub tenant_id: Option<String>,
    pub niche: Option<String>,
    pub country: Option<String>,
    pub standing: Option<Standing>,
}

/// Whether creators take part, to list them by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Approved,
    Deactivated,
    Banned,
}

const COLUMNS: &str = "no, id, workspace, name, email, username, image, tenant_id, country, description, niche, \
                       platform, followers, cost, created_at, left_at, ban_reason";

const TAKEN: &[(&str, &str)] = &[
    ("creators.workspace, creators.email", "email"),
    ("creators.workspace, creators.tenant_id", "tenantId"),
];

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Creator> {
    let mut columns = Columns::of(row);
    Ok(Creator {
        no: columns.next()?,
        id: columns.next()?,
        workspace: columns.next()?,
        terms: CreatorTerms {
            name: columns.next()?,
            email: columns.next()?,
            username: columns.next()?,
            image: columns.next()?,
            tenant_id: columns.next()?,
            country: columns.next()?,
            description: columns.next()?,
            niche: columns.next()?,
            platform: columns.next()?,
            followers: columns.next_count()?,
            cost: columns.next()?,
        },
        created_at: columns.next()?,
        departure: departure(columns.next()?, columns.next_parsed(BanReason::parse)?),
    })
}

fn departure(left_at: Option<Timestamp>, ban: Option<BanReason>) -> Option<Departure> {
    left_at.map(|at| Departure { at, ban })
}

/// Adds `creator`, whatever its `no` is, and returns it with the number it got.
///
/// # Errors
/// [`Error::Conflict`] on `email` or `tenantId`.
pub fn insert(tx: &Tx<'_>, creator: Creator) -> Result<Creator, Error> {
    write(
        tx,
        "INSERT INTO creators (no, id, workspace, name, email, username, image, tenant_id, country, description,
         niche, platform, followers, cost, created_at, left_at, ban_reason)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
        None,
        &creator,
    )?;
    Ok(Creator {
        no: CreatorNo(tx.last_no()?),
        ..creator
    })
}

/// Stores every field of `creator` under its number.
///
/// # Errors
/// As [`insert`]; [`Error::NotFound`].
pub fn update(tx: &Tx<'_>, creator: &Creator) -> Result<(), Error> {
    let changed = write(
        tx,
        "UPDATE creators SET id = ?2, workspace = ?3, name = ?4, email = ?5, username = ?6, image = ?7, tenant_id = ?8,
         country = ?9, description = ?10, niche = ?11, platform = ?12, followers = ?13, cost = ?14, created_at = ?15,
         left_at = ?16, ban_reason = ?17
         WHERE no = ?1",
        Some(creator.no),
        creator,
    )?;
    match changed {
        0 => Err(Error::NotFound { what: "creator" }),
        _ => Ok(()),
    }
}

fn write(tx: &Tx<'_>, sql: &str, no: Option<CreatorNo>, creator: &Creator) -> Result<usize, Error> {
    let terms = &creator.terms;
    let params = rusqlite::params![
        no,
        creator.id,
        creator.workspace,
        terms.name,
        terms.email,
        terms.username,
        terms.image,
        terms.tenant_id,
        terms.country,
        terms.description,
        terms.niche,
        terms.platform,
        columns::count(terms.followers, "followers")?,
        terms.cost,
        creator.created_at,
        creator.departure.map(|departure| departure.at),
        creator
            .departure
            .and_then(|departure| departure.ban)
            .map(BanReason::as_str),
    ];
    tx.run_unique(sql, params, TAKEN)
}

/// Every creator of the server: what pages name.
///
/// # Errors
/// [`Error::Failed`].
pub fn of_all_workspaces(view: &View<'_>) -> Result<Vec<Creator>, Error> {
    view.all(&format!("SELECT {COLUMNS} FROM creators ORDER BY no"), [], read)
}

/// The workspace's creator with public id `id`.
///
/// # Errors
/// [`Error::Failed`].
pub fn by_id(view: &View<'_>, workspace: WorkspaceNo, id: &str) -> Result<Option<Creator>, Error> {
    view.first(
        &format!("SELECT {COLUMNS} FROM creators WHERE id = ? AND workspace = ?"),
        (id, workspace),
        read,
    )
}

/// Creator number `no`.
///
/// # Errors
/// [`Error::Failed`].
pub fn by_no(view: &View<'_>, no: CreatorNo) -> Result<Option<Creator>, Error> {
    view.first(&format!("SELECT {COLUMNS} FROM creators WHERE no = ?"), [no], read)
}

/// The workspace's creator with this address, in any case of ASCII letters.
///
/// # Errors
/// [`Error::Failed`].
pub fn by_email(view: &View<'_>, workspace: WorkspaceNo, email: &str) -> Result<Option<Creator>, Error> {
    view.first(
        &format!("SELECT {COLUMNS} FROM creators WHERE workspace = ? AND email = ?"),
        (workspace, email),
        read,
    )
}

/// The workspace's creator that the brand calls `tenant_id`.
///
/// # Errors
/// [`Error::Failed`].
pub fn by_tenant_id(view: &View<'_>, workspace: WorkspaceNo, tenant_id: &str) -> Result<Option<Creator>, Error> {
    view.first(
        &format!("SELECT {COLUMNS} FROM creators WHERE workspace = ? AND tenant_id = ?"),
        (workspace, tenant_id),
        read,
    )
}

impl CreatorFilter {
    fn conditions(&self, workspace: WorkspaceNo) -> Filter {
        let mut conditions = Filter::of("workspace = ?", workspace.0);
        conditions.and_some("email = ?", self.email.clone());
        conditions.and_some("tenant_id = ?", self.tenant_id.clone());
        conditions.and_some("niche = ?", self.niche.clone());
        conditions.and_some("country = ?", self.country.clone());
        match self.standing {
            None => {}
            Some(Standing::Approved) => conditions.and("left_at IS NULL", []),
            Some(Standing::Deactivated) => conditions.and("left_at IS NOT NULL AND ban_reason IS NULL", []),
            Some(Standing::Banned) => conditions.and("ban_reason IS NOT NULL", []),
        }
        if let Some(search) = &self.search {
            conditions.and_any_contains(&[("name", search), ("username", search), ("email", search)]);
        }
        conditions
    }
}

/// One page of the workspace's creators, newest first.
///
/// # Errors
/// [`Error::NotFound`] on `page` for an unknown id to go on from.
pub fn list(
    view: &View<'_>,
    workspace: WorkspaceNo,
    filter: &CreatorFilter,
    page: &Page,
) -> Result<Vec<Creator>, Error> {
    let listing = Listing {
        table: "creators",
        columns: COLUMNS,
        id: "id",
        sort: "created_at",
        is_ascending: false,
    };
    listing.page(view, filter.conditions(workspace), page, read)
}

/// The workspace's creators that `filter` lets through, newest first: all of them, to be compared.
///
/// # Errors
/// [`Error::Failed`].
pub fn newest(view: &View<'_>, workspace: WorkspaceNo, filter: &CreatorFilter) -> Result<Vec<Creator>, Error> {
    let conditions = filter.conditions(workspace);
    let sql = format!(
        "SELECT {COLUMNS} FROM creators WHERE {} ORDER BY created_at DESC, no DESC",
        conditions.sql()
    );
    view.all(&sql, params_from_iter(conditions.values()), read)
}

/// Every creator of the workspace, oldest first: a report has a row for each.
///
/// # Errors
/// [`Error::Failed`].
pub fn all(view: &View<'_>, workspace: WorkspaceNo) -> Result<Vec<Creator>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM creators WHERE workspace = ? ORDER BY no");
    view.all(&sql, [workspace], read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::books::fixture;

    fn mia(workspace: WorkspaceNo) -> Creator {
        let text = |text: &str| Some(text.to_owned());
        Creator {
            terms: CreatorTerms {
                name: "Mia".into(),
                email: text("mia@example.test"),
                username: text("mia_grows"),
                image: text("https://cdn.test/mia.png"),
                tenant_id: text("t1"),
                country: text("DE"),
                description: text("d"),
                niche: text("Urban Gardening"),
                platform: text("tiktok"),
                followers: Some(12_000),
                cost: 50_000,
            },
            created_at: Timestamp(2),
            ..fixture::creator("Mia", workspace)
        }
    }

    #[test]
    fn creators_come_back_by_every_name() {
        fixture::in_tx(|tx| {
            let (ours, theirs) = (fixture::workspace(tx, "a")?, fixture::workspace(tx, "b")?);
            let mut mia = insert(tx, mia(ours))?;
            mia.terms.cost = 60_000;
            mia.terms.followers = None;
            mia.departure = Some(Departure {
                at: Timestamp(5),
                ban: Some(BanReason::Spam),
            });
            update(tx, &mia)?;
            for found in [
                by_no(tx, mia.no)?,
                by_id(tx, ours, &mia.id)?,
                by_email(tx, ours, "MIA@example.test")?,
                by_tenant_id(tx, ours, "t1")?,
            ] {
                assert_eq!(found.as_ref(), Some(&mia));
            }
            assert_eq!(by_id(tx, theirs, &mia.id)?, None);
            assert_eq!(by_email(tx, theirs, "mia@example.test")?, None);
            assert_eq!(by_tenant_id(tx, theirs, "t1")?, None);
            assert_eq!(all(tx, ours)?, [mia]);
            Ok(())
        });
    }

    #[test]
    fn addresses_and_tenant_ids_are_one_creators() {
        fixture::in_tx(|tx| {
            let (ours, theirs) = (fixture::workspace(tx, "a")?, fixture::workspace(tx, "b")?);
            insert(tx, mia(ours))?;
            insert(tx, mia(theirs))?;
            let mut other = insert(tx, fixture::creator("Ben", ours))?;
            other.terms.email = Some("Mia@Example.test".into());
            assert_eq!(update(tx, &other), Err(Error::Conflict { what: "email" }));
            other.terms.email = None;
            other.terms.tenant_id = Some("t1".into());
            assert_eq!(update(tx, &other), Err(Error::Conflict { what: "tenantId" }));
            other.no = CreatorNo(77);
            other.terms.tenant_id = None;
            assert_eq!(update(tx, &other), Err(Error::NotFound { what: "creator" }));
            Ok(())
        });
    }

    #[test]
    fn filters_narrow() {
        fixture::in_tx(|tx| {
            let ours = fixture::workspace(tx, "a")?;
            insert(tx, mia(ours))?;
            let left = |ban| Some(Departure { at: Timestamp(5), ban });
            let ben = fixture::creator("Ben", ours);
            insert(
                tx,
                Creator {
                    departure: left(None),
                    ..ben
                },
            )?;
            insert(tx, fixture::creator("Mia", fixture::workspace(tx, "b")?))?;
            let is = |standing| CreatorFilter {
                standing: Some(standing),
                ..CreatorFilter::default()
            };
            let text = |text: &str| Some(text.to_owned());
            type F = CreatorFilter;
            for (filter, expected) in [
                (F::default(), "Mia Ben"),
                (is(Standing::Approved), "Mia"),
                (is(Standing::Deactivated), "Ben"),
                (is(Standing::Banned), ""),
                (
                    F {
                        search: text("grows"),
                        ..F::default()
                    },
                    "Mia",
                ),
                (
                    F {
                        search: text("e"),
                        ..F::default()
                    },
                    "Mia Ben",
                ),
                (
                    F {
                        search: text("%"),
                        ..F::default()
                    },
                    "",
                ),
                (
                    F {
                        email: text("mia@EXAMPLE.test"),
                        ..F::default()
                    },
                    "Mia",
                ),
                (
                    F {
                        tenant_id: text("t1"),
                        ..F::default()
                    },
                    "Mia",
                ),
                (
                    F {
                        niche: text("urban gardening"),
                        ..F::default()
                    },
                    "Mia",
                ),
                (
                    F {
                        country: text("de"),
                        ..F::default()
                    },
                    "Mia",
                ),
                (
                    F {
                        country: text("FR"),
                        ..F::default()
                    },
                    "",
                ),
            ] {
                let page = Page::Number { number: 1, size: 10 };
                let names: Vec<String> = list(tx, ours, &filter, &page)?
                    .into_iter()
                    .map(|creator| creator.terms.name)
                    .collect();
                assert_eq!(names.join(" "), expected, "{filter:?}");
            }
            Ok(())
        });
    }
}
