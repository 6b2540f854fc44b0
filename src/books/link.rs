//! Links: one row each, found by number, id, the brand's own id, or slug.
//!
//! Keeps two promises that need the whole table: no two links of a domain conflict, and no two links of a workspace
//! share an external id. Numbers are never used twice. Whatever changes a link tells of it in the outbox of the same
//! transaction. Lists are in [`super::link_list`], what fills the link table in [`super::followed_link`]; both are
//! re-exported here.

pub use super::followed_link::{each_followed, last_no};
pub use super::link_list::{
    LinkFilter, LinkOwner, LinkPlace, LinkSort, TagsWanted, count, count_by_domain, count_by_folder, count_by_tag,
    leading_to, list, newest_of_creator, numbers_of, owners, place_of,
};

use super::columns::{self, Columns, Json};
use super::error::Error;
use super::link_search;
use super::outbox;
use super::view::{Tx, View};
use crate::domain::id::{CreatorNo, DomainNo, LinkNo, WorkspaceNo};
use crate::domain::link::{Link, LinkTerms, slugs_conflict};
use crate::domain::slug;
use crate::domain::time::Timestamp;
use crate::domain::webhook::Trigger;

/// A link that has no number yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLink {
    /// Public id, `link_` and a ULID.
    pub id: String,
    pub workspace: WorkspaceNo,
    pub domain: DomainNo,
    /// In the form of [`slug::parse_custom`].
    pub slug: String,
    pub is_exact: bool,
    pub terms: LinkTerms,
    pub created_at: Timestamp,
}

/// A link of `domain` whose slug is `checkout` or begins with `buy/`, in any letter case.
///
/// # Errors
/// [`Error::Failed`].
pub fn slug_of_carts(view: &View<'_>, domain: DomainNo) -> Result<Option<String>, Error> {
    view.first(
        "SELECT slug FROM links WHERE domain = ?1 AND slug_fold = 'checkout'
         UNION ALL SELECT slug FROM links WHERE domain = ?1 AND slug_fold >= 'buy/' AND slug_fold < 'buy0' LIMIT 1",
        [domain],
        |row| row.get(0),
    )
}

pub(super) const COLUMNS: &str = "no, id, workspace, domain, slug, is_exact, destination, external_id, tenant_id, creator, tracks_conversions, \
     is_archived, expires_at, expired_url, disabled_at, clicks_max, title, description, comments, utm, cart, \
     stock_policy, experiment, created_at, updated_at, campaign, content_id, content_url, reception";

const TAKEN: &[(&str, &str)] = &[
    ("links.workspace, links.external_id", "externalId"),
    ("links.domain, links.slug_fold, links.slug", "key"),
];

pub(super) fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Link> {
    let mut columns = Columns::of(row);
    let mut link = Link {
        no: columns.next()?,
        id: columns.next()?,
        workspace: columns.next()?,
        domain: columns.next()?,
        slug: columns.next()?,
        is_exact: columns.next()?,
        terms: LinkTerms {
            destination: columns.next()?,
            external_id: columns.next()?,
            tenant_id: columns.next()?,
            creator: columns.next()?,
            tracks_conversions: columns.next()?,
            is_archived: columns.next()?,
            expires_at: columns.next()?,
            expired_url: columns.next()?,
            disabled_at: columns.next()?,
            clicks_max: columns.next_count()?,
            title: columns.next()?,
            description: columns.next()?,
            comments: columns.next()?,
            utm: columns.next::<Option<Json<_>>>()?.map(|utm| utm.0).unwrap_or_default(),
            cart: columns.next::<Option<Json<_>>>()?.map(|cart| cart.0),
            stock_policy: columns
                .next::<Option<Json<_>>>()?
                .map(|policy| policy.0)
                .unwrap_or_default(),
            experiment: columns.next::<Option<Json<_>>>()?.map(|experiment| experiment.0),
            ..LinkTerms::default()
        },
        created_at: columns.next()?,
        updated_at: columns.next()?,
    };
    link.terms.campaign = columns.next()?;
    link.terms.content_id = columns.next()?;
    link.terms.content_url = columns.next()?;
    link.terms.reception = columns
        .next::<Option<Json<_>>>()?
        .map(|reception| reception.0)
        .unwrap_or_default();
    Ok(link)
}

/// Adds `new`; it was last updated when it was made.
///
/// # Errors
/// [`Error::Conflict`] on `key` (a link of the domain conflicts, see [`slugs_conflict`]) or `externalId`; nothing is
/// changed then, so that one transaction can go on with the next link.
pub fn insert(tx: &Tx<'_>, new: &NewLink) -> Result<Link, Error> {
    let link = Link {
        no: LinkNo::default(),
        id: new.id.clone(),
        workspace: new.workspace,
        domain: new.domain,
        slug: new.slug.clone(),
        is_exact: new.is_exact,
        terms: new.terms.clone(),
        created_at: new.created_at,
        updated_at: new.created_at,
    };
    refuse_conflict(tx, &link)?;
    // Without a number SQLite gives the next one.
    write(
        tx,
        "INSERT INTO links (no, id, workspace, domain, slug, slug_fold, is_exact, destination, external_id, tenant_id,
         creator, tracks_conversions, is_archived, expires_at, expired_url, disabled_at, clicks_max, title,
         description, comments, utm, cart, stock_policy, experiment, created_at, updated_at, campaign, content_id,
         content_url, reception)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22,
         ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30)",
        None,
        &link,
    )?;
    let link = Link {
        no: LinkNo(tx.last_no()?),
        ..link
    };
    link_search::add(tx, &link)?;
    outbox::put_link(tx, Trigger::LinkCreated, &link)?;
    Ok(link)
}

/// Stores every field of `link` under its number.
///
/// # Errors
/// As [`insert`]; [`Error::NotFound`] when no link has the number.
pub fn update(tx: &Tx<'_>, link: &Link) -> Result<(), Error> {
    refuse_conflict(tx, link)?;
    let before = by_no(tx, link.no)?.ok_or(Error::NotFound { what: "link" })?;
    write(
        tx,
        "UPDATE links SET id = ?2, workspace = ?3, domain = ?4, slug = ?5, slug_fold = ?6, is_exact = ?7,
         destination = ?8, external_id = ?9, tenant_id = ?10, creator = ?11, tracks_conversions = ?12,
         is_archived = ?13, expires_at = ?14, expired_url = ?15, disabled_at = ?16, clicks_max = ?17, title = ?18,
         description = ?19, comments = ?20, utm = ?21, cart = ?22, stock_policy = ?23, experiment = ?24,
         created_at = ?25, updated_at = ?26, campaign = ?27, content_id = ?28, content_url = ?29,
         reception = ?30 WHERE no = ?1",
        Some(link.no),
        link,
    )?;
    link_search::change(tx, &before, link)?;
    outbox::put_link(tx, Trigger::LinkUpdated, link)
}

/// Runs `sql` with the columns of `link` as ?2 to ?30, in the order of the schema.
fn write(tx: &Tx<'_>, sql: &str, no: Option<LinkNo>, link: &Link) -> Result<usize, Error> {
    let terms = &link.terms;
    let policy = &terms.stock_policy;
    let params = rusqlite::params![
        no,
        link.id,
        link.workspace,
        link.domain,
        link.slug,
        slug::fold(&link.slug),
        link.is_exact,
        terms.destination,
        terms.external_id,
        terms.tenant_id,
        terms.creator,
        terms.tracks_conversions,
        terms.is_archived,
        terms.expires_at,
        terms.expired_url,
        terms.disabled_at,
        columns::count(terms.clicks_max, "clicks_max")?,
        terms.title,
        terms.description,
        terms.comments,
        terms.utm.iter().any(Option::is_some).then_some(Json(&terms.utm)),
        terms.cart.as_ref().map(Json),
        (*policy != Default::default()).then_some(Json(policy)),
        terms.experiment.as_ref().map(Json),
        link.created_at,
        link.updated_at,
        terms.campaign,
        terms.content_id,
        terms.content_url,
        (terms.reception != Default::default()).then_some(Json(&terms.reception)),
    ];
    tx.run_unique(sql, params, TAKEN)
}

/// Fails when another link of the domain conflicts with `link`. Sound because one thread writes.
fn refuse_conflict(tx: &Tx<'_>, link: &Link) -> Result<(), Error> {
    let others = tx.all(
        "SELECT slug, is_exact FROM links WHERE domain = ? AND slug_fold = ? AND no <> ?",
        (link.domain, slug::fold(&link.slug), link.no),
        |row| Ok((row.get::<_, String>(0)?, row.get::<_, bool>(1)?)),
    )?;
    let own = (link.slug.as_str(), link.is_exact);
    if others
        .iter()
        .any(|(slug, is_exact)| slugs_conflict(own, (slug, *is_exact)))
    {
        return Err(Error::Conflict { what: "key" });
    }
    Ok(())
}

/// Removes link number `no`; `false` = there was none. Its codes stay, without a link; its orders keep its number.
///
/// # Errors
/// [`Error::Failed`].
pub fn delete(tx: &Tx<'_>, no: LinkNo) -> Result<bool, Error> {
    let Some(link) = by_no(tx, no)? else { return Ok(false) };
    link_search::remove(tx, &link)?;
    outbox::put_link(tx, Trigger::LinkDeleted, &link)?;
    Ok(tx.run("DELETE FROM links WHERE no = ?", [no])? > 0)
}

/// Link number `no`.
///
/// # Errors
/// [`Error::Failed`].
pub fn by_no(view: &View<'_>, no: LinkNo) -> Result<Option<Link>, Error> {
    view.first(&format!("SELECT {COLUMNS} FROM links WHERE no = ?"), [no], read)
}

/// The workspace's link with public id `id`.
///
/// # Errors
/// [`Error::Failed`].
pub fn by_id(view: &View<'_>, workspace: WorkspaceNo, id: &str) -> Result<Option<Link>, Error> {
    view.first(
        &format!("SELECT {COLUMNS} FROM links WHERE id = ? AND workspace = ?"),
        (id, workspace),
        read,
    )
}

/// The workspace's link that the brand calls `external_id`.
///
/// # Errors
/// [`Error::Failed`].
pub fn by_external_id(view: &View<'_>, workspace: WorkspaceNo, external_id: &str) -> Result<Option<Link>, Error> {
    view.first(
        &format!("SELECT {COLUMNS} FROM links WHERE workspace = ? AND external_id = ?"),
        (workspace, external_id),
        read,
    )
}

/// The workspace's oldest link whose destination is `destination` to the letter, on `domain` and `creator`'s
/// where those are given.
///
/// # Errors
/// [`Error::Failed`].
pub fn by_destination(
    view: &View<'_>,
    workspace: WorkspaceNo,
    domain: Option<DomainNo>,
    creator: Option<CreatorNo>,
    destination: &str,
) -> Result<Option<Link>, Error> {
    view.first(
        &format!(
            "SELECT {COLUMNS} FROM links WHERE workspace = ?1 AND destination = ?2 AND (?3 IS NULL OR domain = ?3)
             AND (?4 IS NULL OR creator = ?4) ORDER BY no LIMIT 1"
        ),
        (workspace, destination, domain, creator),
        read,
    )
}

/// Public ids of `creator`'s links that are on, at most `most`, in no order.
///
/// # Errors
/// [`Error::Failed`].
pub fn ids_on_of_creator(view: &View<'_>, creator: CreatorNo, most: usize) -> Result<Vec<String>, Error> {
    let sql = "SELECT id FROM links WHERE creator = ? AND disabled_at IS NULL LIMIT ?";
    view.all(sql, (creator, most as i64), |row| row.get(0))
}

/// Public ids of `creator`'s links that were switched off at or after `since`, at most `most`, in no order.
///
/// # Errors
/// [`Error::Failed`].
pub fn ids_off_of_creator(
    view: &View<'_>,
    creator: CreatorNo,
    since: Timestamp,
    most: usize,
) -> Result<Vec<String>, Error> {
    let sql = "SELECT id FROM links WHERE creator = ? AND disabled_at >= ? LIMIT ?";
    view.all(sql, (creator, since, most as i64), |row| row.get(0))
}

/// The link that a follower of `slug` on `domain` means, whoever owns it: the exact one of these very letters, else
/// the folded one.
///
/// # Errors
/// [`Error::Failed`].
pub fn by_slug(view: &View<'_>, domain: DomainNo, slug: &str) -> Result<Option<Link>, Error> {
    view.first(
        &format!(
            "SELECT {COLUMNS} FROM links WHERE domain = ? AND slug_fold = ? AND (is_exact = 0 OR slug = ?)
             ORDER BY is_exact DESC LIMIT 1"
        ),
        (domain, slug::fold(slug), slug),
        read,
    )
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::books::{creator, fixture};
    use crate::domain::cart::{Cart, CartItem, ItemName, Landing, OnOut, StockPolicy};
    use crate::domain::experiment::{Experiment, Variant};
    use crate::domain::id::StoreNo;
    use crate::domain::password::PasswordHash;
    use crate::domain::reception::{Conditions, Reception, Rule, Target};

    fn target(url: &str) -> Target {
        Target {
            destination: url.to_owned(),
            ..Target::default()
        }
    }

    /// Every field set.
    pub fn full_terms(tx: &Tx<'_>, workspace: WorkspaceNo) -> Result<LinkTerms, Error> {
        let text = |text: &str| Some(text.to_owned());
        Ok(LinkTerms {
            destination: "https://shop.test/cart/1:2".into(),
            external_id: text("ext 1"),
            tenant_id: text("tenant"),
            creator: Some(creator::insert(tx, fixture::creator("Mia", workspace))?.no),
            tracks_conversions: true,
            is_archived: true,
            expires_at: Some(Timestamp(7)),
            expired_url: text("https://shop.test/gone"),
            disabled_at: Some(Timestamp(8)),
            clicks_max: Some(u64::from(u32::MAX) + 1),
            title: text("Größe"),
            description: text("a 'quoted' text"),
            comments: text("c"),
            utm: [text("a"), None, text("b"), None, None],
            cart: Some(Cart {
                store: StoreNo(3),
                items: vec![CartItem {
                    name: ItemName::Sku("S".into()),
                    quantity: 2,
                    fallbacks: vec!["T".into()],
                }],
                discount_codes: vec!["MIA10".into()],
                note: text("n"),
                attributes: vec![("k".into(), "v".into())],
                continue_to: text("/checkout"),
                landing: Landing::Page,
                code_pool: None,
            }),
            stock_policy: StockPolicy {
                on_out: OnOut::Redirect,
                redirect_url: text("https://shop.test/soon"),
            },
            experiment: Some(Experiment {
                variants: vec![Variant {
                    name: text("blue"),
                    percentage: 40,
                    destination: "https://shop.test/blue".into(),
                    cart: None,
                    utm: [None, text("m"), None, None, None],
                    is_own_cart: true,
                }],
                started_at: Timestamp(11),
                completed_at: Some(Timestamp(12)),
                changed_at: Timestamp(13),
            }),
            campaign: Some(super::super::campaign::insert(tx, fixture::campaign("Spring", workspace))?.no),
            content_id: text("video 7"),
            content_url: text("https://tiktok.test/7"),
            reception: Reception {
                rules: vec![Rule {
                    when: Conditions {
                        countries: vec!["DE".into()],
                        from: Some(Timestamp(14)),
                        ..Conditions::default()
                    },
                    target: target("https://shop.test/de"),
                }],
                ios: Some(target("myshop://p/7")),
                android: Some(target("https://shop.test/android")),
                geo: [("AT".to_owned(), target("https://shop.test/at"))].into(),
                password: Some(PasswordHash("$argon2id$x".into())),
                is_card: true,
                image: text("https://shop.test/i.png"),
                video: text("https://shop.test/v.mp4"),
                leaves_apps: true,
            },
        })
    }

    #[test]
    fn every_field_comes_back() {
        fixture::in_tx(|tx| {
            let workspace = fixture::workspace(tx, "a")?;
            let mut link = insert(tx, &fixture::link("plain", workspace))?;
            assert_eq!(by_no(tx, link.no)?.as_ref(), Some(&link));
            link.terms = full_terms(tx, workspace)?;
            link.updated_at = Timestamp(99);
            update(tx, &link)?;
            assert_eq!(by_id(tx, workspace, &link.id)?.as_ref(), Some(&link));
            assert_eq!(by_external_id(tx, workspace, "ext 1")?.as_ref(), Some(&link));

            let stranger = fixture::workspace(tx, "b")?;
            assert_eq!(by_id(tx, stranger, &link.id)?, None);
            assert_eq!(by_external_id(tx, stranger, "ext 1")?, None);
            Ok(())
        });
    }

    #[test]
    fn links_of_one_domain_that_mean_the_same_conflict() {
        for (a, b, is_taken) in [
            (("abc", true), ("Abc", true), false),
            (("abc", true), ("abc", true), true),
            (("abc", true), ("Abc", false), true),
            (("abc", false), ("ABC", true), true),
            (("abc", false), ("ABC", false), true),
            (("GRÜN", false), ("grün", false), true),
            (("Straße", false), ("STRASSE", true), true),
            (("abc", false), ("abd", false), false),
        ] {
            fixture::in_tx(move |tx| {
                let (ours, theirs) = (fixture::workspace(tx, "a")?, fixture::workspace(tx, "b")?);
                let new = |(slug, is_exact): (&str, bool), workspace| NewLink {
                    is_exact,
                    ..fixture::link(slug, workspace)
                };
                insert(tx, &new(a, ours))?;
                // The namespace is the domain's, not the workspace's.
                let second = insert(tx, &new(b, theirs));
                assert_eq!(
                    second.as_ref().err(),
                    is_taken.then_some(&Error::Conflict { what: "key" }),
                    "{a:?} {b:?}"
                );
                let mut renamed = insert(tx, &new(("free", true), ours))?;
                (renamed.slug, renamed.is_exact) = (b.0.to_owned(), b.1);
                let expected = if is_taken || second.is_ok() {
                    Err(Error::Conflict { what: "key" })
                } else {
                    Ok(())
                };
                assert_eq!(update(tx, &renamed), expected, "{a:?} {b:?}");
                Ok(())
            });
        }
    }

    #[test]
    fn a_link_does_not_conflict_with_itself_or_another_domain() {
        fixture::in_tx(|tx| {
            let workspace = fixture::workspace(tx, "a")?;
            let mut link = insert(tx, &fixture::link("abc", workspace))?;
            link.slug = "ABC".into();
            update(tx, &link)?;
            let domain = crate::books::link_domain::insert(tx, fixture::domain("go.test", workspace))?;
            insert(
                tx,
                &NewLink {
                    id: "link_elsewhere".into(),
                    domain: domain.no,
                    ..fixture::link("abc", workspace)
                },
            )?;
            Ok(())
        });
    }

    #[test]
    fn external_ids_are_the_workspaces_own() {
        fixture::in_tx(|tx| {
            let (ours, theirs) = (fixture::workspace(tx, "a")?, fixture::workspace(tx, "b")?);
            let new = |slug: &str, workspace, external_id: Option<&str>| {
                let mut new = fixture::link(slug, workspace);
                new.terms.external_id = external_id.map(str::to_owned);
                new
            };
            insert(tx, &new("a", ours, Some("x")))?;
            insert(tx, &new("b", theirs, Some("x")))?;
            insert(tx, &new("c", ours, None))?;
            let mut other = insert(tx, &new("d", ours, None))?;
            let taken = Error::Conflict { what: "externalId" };
            assert_eq!(insert(tx, &new("e", ours, Some("x"))), Err(taken.clone()));
            other.terms.external_id = Some("x".into());
            assert_eq!(update(tx, &other), Err(taken));
            assert_eq!(
                by_slug(tx, DomainNo::DEFAULT, "e")?,
                None,
                "nothing is left of a refused link"
            );
            Ok(())
        });
    }

    #[test]
    fn followers_find_the_exact_link_first() {
        fixture::in_tx(|tx| {
            let workspace = fixture::workspace(tx, "a")?;
            for (slug, is_exact) in [("Abc", true), ("aBC", true), ("Sale", false)] {
                insert(
                    tx,
                    &NewLink {
                        is_exact,
                        ..fixture::link(slug, workspace)
                    },
                )?;
            }
            for (slug, expected) in [
                ("Abc", Some("Abc")),
                ("aBC", Some("aBC")),
                ("abc", None),
                ("SALE", Some("Sale")),
                ("sal", None),
            ] {
                let found = by_slug(tx, DomainNo::DEFAULT, slug)?.map(|link| link.slug);
                assert_eq!(found.as_deref(), expected, "{slug}");
            }
            Ok(())
        });
    }

    #[test]
    fn numbers_are_never_used_twice() {
        fixture::in_tx(|tx| {
            let workspace = fixture::workspace(tx, "a")?;
            let first = insert(tx, &fixture::link("a", workspace))?;
            assert!(delete(tx, first.no)?);
            assert!(!delete(tx, first.no)?);
            assert_eq!(update(tx, &first), Err(Error::NotFound { what: "link" }));
            let second = insert(tx, &fixture::link("a", workspace))?;
            assert!(second.no > first.no);
            Ok(())
        });
    }

    #[test]
    fn limits_that_do_not_fit_are_refused() {
        fixture::in_tx(|tx| {
            let workspace = fixture::workspace(tx, "a")?;
            let mut new = fixture::link("a", workspace);
            new.terms.clicks_max = Some(u64::MAX);
            assert_eq!(insert(tx, &new), Err(Error::TooLarge { what: "clicks_max" }));
            Ok(())
        });
    }
}
