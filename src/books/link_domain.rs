//! Link domains. Number 1, the server's default, is there from the start and belongs to nobody.

use super::columns::{Columns, Json, Word};
use super::error::Error;
use super::filter::Filter;
use super::page::{Listing, Page};
use super::view::{Tx, View};
use crate::domain::id::{DomainNo, WorkspaceNo};
use crate::domain::link_domain::LinkDomain;

const COLUMNS: &str = "no, id, workspace, slug, is_primary, is_archived, is_case_sensitive, consent, has_legal_basis, \
                       cookie_domain, store, not_found_url, expired_url, redir_hosts, proof, verified_at, created_at, updated_at";

const TAKEN: &[(&str, &str)] = &[("link_domains.slug", "slug")];

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<LinkDomain> {
    let mut columns = Columns::of(row);
    Ok(LinkDomain {
        no: columns.next()?,
        id: columns.next()?,
        workspace: columns.next()?,
        slug: columns.next()?,
        is_primary: columns.next()?,
        is_archived: columns.next()?,
        is_case_sensitive: columns.next()?,
        consent: columns.next::<Word<_>>()?.0,
        has_legal_basis: columns.next()?,
        cookie_domain: columns.next()?,
        store: columns.next()?,
        not_found_url: columns.next()?,
        expired_url: columns.next()?,
        redir_hosts: columns
            .next::<Option<Json<_>>>()?
            .map(|hosts| hosts.0)
            .unwrap_or_default(),
        proof: columns.next()?,
        verified_at: columns.next()?,
        created_at: columns.next()?,
        updated_at: columns.next()?,
    })
}

/// Adds `domain`, whatever its `no` is, and returns it with the number it got. A primary one takes the workspace's
/// former primary's place.
///
/// # Errors
/// [`Error::Conflict`] on `slug`.
pub fn insert(tx: &Tx<'_>, domain: LinkDomain) -> Result<LinkDomain, Error> {
    tx.run_unique(
        "INSERT INTO link_domains (id, workspace, slug, is_primary, is_archived, is_case_sensitive, consent,
         has_legal_basis, cookie_domain, store, not_found_url, expired_url, redir_hosts, proof, verified_at, created_at,
         updated_at)
         VALUES (?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        rusqlite::params![
            &domain.id,
            domain.workspace,
            &domain.slug,
            domain.is_archived,
            domain.is_case_sensitive,
            Word(domain.consent),
            domain.has_legal_basis,
            &domain.cookie_domain,
            domain.store,
            &domain.not_found_url,
            &domain.expired_url,
            redir_hosts(&domain),
            &domain.proof,
            domain.verified_at,
            domain.created_at,
            domain.updated_at,
        ],
        TAKEN,
    )?;
    let domain = LinkDomain {
        no: DomainNo(tx.last_no()?),
        ..domain
    };
    make_primary(tx, &domain)?;
    Ok(domain)
}

/// Stores every field of `domain` but its id, workspace and birth.
///
/// # Errors
/// [`Error::Conflict`] on `slug`; [`Error::NotFound`].
pub fn update(tx: &Tx<'_>, domain: &LinkDomain) -> Result<(), Error> {
    let changed = tx.run_unique(
        "UPDATE link_domains SET slug = ?, is_primary = 0, is_archived = ?, is_case_sensitive = ?, consent = ?,
         has_legal_basis = ?, cookie_domain = ?, store = ?, not_found_url = ?, expired_url = ?, redir_hosts = ?,
         proof = ?, verified_at = ?, updated_at = ? WHERE no = ?",
        (
            &domain.slug,
            domain.is_archived,
            domain.is_case_sensitive,
            Word(domain.consent),
            domain.has_legal_basis,
            &domain.cookie_domain,
            domain.store,
            &domain.not_found_url,
            &domain.expired_url,
            redir_hosts(domain),
            &domain.proof,
            domain.verified_at,
            domain.updated_at,
            domain.no,
        ),
        TAKEN,
    )?;
    match changed {
        0 => Err(Error::NotFound { what: "domain" }),
        _ => make_primary(tx, domain),
    }
}

/// Removes the domain, which must have no links any more.
///
/// # Errors
/// [`Error::Failed`], also while links refer to it.
pub fn delete(tx: &Tx<'_>, no: DomainNo) -> Result<(), Error> {
    tx.run("DELETE FROM link_domains WHERE no = ?", [no])?;
    Ok(())
}

/// Whether the domain has links.
///
/// # Errors
/// [`Error::Failed`].
pub fn has_links(view: &View<'_>, no: DomainNo) -> Result<bool, Error> {
    let found = view.first("SELECT 1 FROM links WHERE domain = ? LIMIT 1", [no], |row| {
        row.get::<_, i64>(0)
    })?;
    Ok(found.is_some())
}

fn redir_hosts(domain: &LinkDomain) -> Option<Json<&Vec<String>>> {
    (!domain.redir_hosts.is_empty()).then_some(Json(&domain.redir_hosts))
}

/// Comes after the row is written, so that a conflict leaves the former primary in its place.
fn make_primary(tx: &Tx<'_>, domain: &LinkDomain) -> Result<(), Error> {
    if domain.is_primary {
        tx.run(
            "UPDATE link_domains SET is_primary = 0 WHERE workspace = ? AND is_primary = 1",
            [domain.workspace],
        )?;
        tx.run("UPDATE link_domains SET is_primary = 1 WHERE no = ?", [domain.no])?;
    }
    Ok(())
}

/// The domain with host name `slug`; the default domain's is empty.
///
/// # Errors
/// [`Error::Failed`].
pub fn by_slug(view: &View<'_>, slug: &str) -> Result<Option<LinkDomain>, Error> {
    view.first(
        &format!("SELECT {COLUMNS} FROM link_domains WHERE slug = ?"),
        [slug],
        read,
    )
}

/// The domain number `no`.
///
/// # Errors
/// [`Error::Failed`].
pub fn by_no(view: &View<'_>, no: DomainNo) -> Result<Option<LinkDomain>, Error> {
    view.first(&format!("SELECT {COLUMNS} FROM link_domains WHERE no = ?"), [no], read)
}

/// The domain with public id `id`, whoever owns it: callers check [`LinkDomain::workspace`].
///
/// # Errors
/// [`Error::Failed`].
pub fn by_id(view: &View<'_>, id: &str) -> Result<Option<LinkDomain>, Error> {
    view.first(&format!("SELECT {COLUMNS} FROM link_domains WHERE id = ?"), [id], read)
}

/// The workspace's primary domain.
///
/// # Errors
/// [`Error::Failed`].
pub fn primary(view: &View<'_>, workspace: WorkspaceNo) -> Result<Option<LinkDomain>, Error> {
    view.first(
        &format!("SELECT {COLUMNS} FROM link_domains WHERE workspace = ? AND is_primary = 1"),
        [workspace],
        read,
    )
}

/// The workspace's own domains, newest first, without the server's default; archived ones only when asked for.
///
/// # Errors
/// [`Error::NotFound`] on `page` for an unknown id to go on from.
pub fn list(
    view: &View<'_>,
    workspace: WorkspaceNo,
    search: Option<&str>,
    shows_archived: bool,
    page: &Page,
) -> Result<Vec<LinkDomain>, Error> {
    let mut filter = Filter::of("workspace = ?", workspace.0);
    if !shows_archived {
        filter.and("is_archived = 0", []);
    }
    if let Some(search) = search {
        filter.and_any_contains(&[("slug", search)]);
    }
    let listing = Listing {
        table: "link_domains",
        columns: COLUMNS,
        id: "id",
        sort: "created_at",
        is_ascending: false,
    };
    listing.page(view, filter, page, read)
}

/// Every domain of the server, the default one first: what the link table is loaded with.
///
/// # Errors
/// [`Error::Failed`].
pub fn all(view: &View<'_>) -> Result<Vec<LinkDomain>, Error> {
    view.all(&format!("SELECT {COLUMNS} FROM link_domains ORDER BY no"), [], read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::books::fixture;
    use crate::domain::consent::ConsentMode;
    use crate::domain::time::Timestamp;

    #[test]
    fn the_default_domain_is_there_from_the_start() {
        fixture::in_tx(|tx| {
            let default = by_no(tx, DomainNo::DEFAULT)?.expect("made by the schema");
            assert_eq!((default.id.as_str(), default.workspace), ("dom_default", None));
            assert_eq!(by_slug(tx, "")?.as_ref(), Some(&default));
            let stricter = LinkDomain {
                consent: ConsentMode::Strict,
                ..default
            };
            update(tx, &stricter)?;
            assert_eq!(all(tx)?, [stricter]);
            Ok(())
        });
    }

    #[test]
    fn a_workspace_has_one_primary_domain() {
        fixture::in_tx(|tx| {
            let (ours, theirs) = (fixture::workspace(tx, "a")?, fixture::workspace(tx, "b")?);
            let domain = |slug: &str, workspace, created_at| LinkDomain {
                is_primary: true,
                cookie_domain: Some("brand.test".into()),
                has_legal_basis: true,
                is_case_sensitive: true,
                consent: ConsentMode::Eea,
                not_found_url: Some("https://a.test/404".into()),
                expired_url: Some("https://a.test/over".into()),
                redir_hosts: vec!["a.test".into()],
                proof: "word".into(),
                verified_at: Some(Timestamp(7)),
                created_at: Timestamp(created_at),
                ..fixture::domain(slug, workspace)
            };
            let first = insert(tx, domain("go.a.test", ours, 1))?;
            let other = insert(tx, domain("go.b.test", theirs, 2))?;
            let second = insert(tx, domain("hop.a.test", ours, 3))?;
            assert_eq!(primary(tx, ours)?.as_ref(), Some(&second));
            assert_eq!(primary(tx, theirs)?.as_ref(), Some(&other));
            update(tx, &first)?;
            assert_eq!(primary(tx, ours)?.as_ref(), Some(&first));
            assert_eq!(by_id(tx, &second.id)?.map(|domain| domain.is_primary), Some(false));

            assert_eq!(
                insert(tx, domain("go.a.test", theirs, 4)),
                Err(Error::Conflict { what: "slug" })
            );
            let renamed = LinkDomain {
                slug: "go.a.test".into(),
                ..second.clone()
            };
            assert_eq!(update(tx, &renamed), Err(Error::Conflict { what: "slug" }));
            let missing = LinkDomain {
                no: DomainNo(99),
                slug: "x.test".into(),
                is_primary: false,
                ..second
            };
            assert_eq!(update(tx, &missing), Err(Error::NotFound { what: "domain" }));
            Ok(())
        });
    }

    #[test]
    fn lists_show_the_workspaces_own() {
        fixture::in_tx(|tx| {
            let ours = fixture::workspace(tx, "a")?;
            for (slug, created_at, is_archived) in
                [("go.test", 1, false), ("hop.test", 2, false), ("old.test", 3, true)]
            {
                insert(
                    tx,
                    LinkDomain {
                        created_at: Timestamp(created_at),
                        is_archived,
                        ..fixture::domain(slug, ours)
                    },
                )?;
            }
            let page = Page::Number { number: 1, size: 10 };
            for (search, shows_archived, expected) in [
                (None, false, vec!["hop.test", "go.test"]),
                (None, true, vec!["old.test", "hop.test", "go.test"]),
                (Some("GO"), true, vec!["go.test"]),
                (Some("_"), true, vec![]),
            ] {
                let slugs: Vec<String> = list(tx, ours, search, shows_archived, &page)?
                    .into_iter()
                    .map(|domain| domain.slug)
                    .collect();
                assert_eq!(slugs, expected, "{search:?}");
            }
            Ok(())
        });
    }
}
