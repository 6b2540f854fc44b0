//! Lists of links: filtered and paged for brands.

use rusqlite::params_from_iter;
use rusqlite::types::Value;

use super::error::Error;
use super::filter::Filter;
use super::link::{COLUMNS, read};
use super::link_search::{self, Density};
use super::page::{Listing, Page};
use super::view::View;
use crate::domain::id::{CampaignNo, CreatorNo, DomainNo, FolderNo, LinkNo, StoreNo, TagNo, WorkspaceNo};
use crate::domain::link::Link;
use crate::domain::slug;

/// Which links of a workspace; the default is all that are not archived, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LinkFilter {
    pub domain: Option<DomainNo>,
    /// Contained in slug, destination or title. The slug in any letter case, the others in any case of ASCII letters.
    pub search: Option<String>,
    pub tenant_id: Option<String>,
    pub creator: Option<CreatorNo>,
    pub external_id: Option<String>,
    pub campaign: Option<CampaignNo>,
    pub content_id: Option<String>,
    /// Links that have one of these.
    pub tags: Option<TagsWanted>,
    pub folder: Option<FolderNo>,
    /// Only links whose variants are or were tried out.
    pub has_experiment: bool,
    /// Whether archived links are shown with the others.
    pub shows_archived: bool,
    pub sort: LinkSort,
    /// Oldest first.
    pub is_ascending: bool,
}

/// Which tags the links of a list have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TagsWanted {
    /// At least one, whichever.
    Any,
    /// At least one of these.
    OneOf(Vec<TagNo>),
}

/// Up to this many links, those of a tag or with a text are looked up and sorted; of more, the list is gone through in its
/// order, and enough of its links have the tag or the text for a page to fill soon.
const SORTED_MAX: u64 = 5_000;

/// What orders a list of links.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LinkSort {
    #[default]
    CreatedAt,
    UpdatedAt,
}

impl LinkFilter {
    fn listing(&self) -> Listing {
        Listing {
            table: "links",
            columns: COLUMNS,
            id: "id",
            sort: match self.sort {
                LinkSort::CreatedAt => "created_at",
                LinkSort::UpdatedAt => "updated_at",
            },
            is_ascending: self.is_ascending,
        }
    }

    /// The condition; `view` tells which way to the links of a tag or with a text is the shorter.
    fn conditions(&self, view: &View<'_>, workspace: WorkspaceNo) -> Result<Filter, Error> {
        let tagged = self.tagged(view)?;
        let found = self.found(view)?;
        let are_few = [&tagged, &found].into_iter().flatten().any(|narrowed| narrowed.are_few);
        let mut filter = self.plain(are_few, workspace);
        for narrowed in [tagged, found].into_iter().flatten() {
            filter.and(&narrowed.clause, narrowed.values);
        }
        Ok(filter)
    }

    /// Those that have the tags.
    fn tagged(&self, view: &View<'_>) -> Result<Option<Narrowed>, Error> {
        let tags = match &self.tags {
            None => return Ok(None),
            Some(TagsWanted::Any) => {
                return Ok(Some(Narrowed {
                    clause: "EXISTS (SELECT 1 FROM link_tags WHERE link = links.no)".to_owned(),
                    values: Vec::new(),
                    are_few: false,
                }));
            }
            Some(TagsWanted::OneOf(tags)) => tags,
        };
        let mut tagged = Filter::of("1 = ?", 1);
        tagged.and_one_of("tag", tags.iter().map(|tag| Value::Integer(i64::from(tag.0))));
        let sql = format!(
            "SELECT count(*) FROM (SELECT 1 FROM link_tags WHERE {} LIMIT {})",
            tagged.sql(),
            SORTED_MAX + 1
        );
        let are_few = view.count(&sql, params_from_iter(tagged.values()))? <= SORTED_MAX;
        let clause = match are_few {
            true => format!("no IN (SELECT link FROM link_tags WHERE {})", tagged.sql()),
            false => format!(
                "EXISTS (SELECT 1 FROM link_tags WHERE link = links.no AND {})",
                tagged.sql()
            ),
        };
        Ok(Some(Narrowed {
            clause,
            values: tagged.values().to_vec(),
            are_few,
        }))
    }

    /// Those in which the text may stand, where these are few.
    fn found(&self, view: &View<'_>) -> Result<Option<Narrowed>, Error> {
        let Some(search) = &self.search else { return Ok(None) };
        for density in [Density::Few, Density::All] {
            let Some(question) = link_search::question(search, density) else {
                return Ok(None);
            };
            if question.finds_few(view, SORTED_MAX)? {
                return Ok(Some(Narrowed {
                    clause: format!("no IN ({})", question.sql),
                    values: question.values,
                    are_few: true,
                }));
            }
        }
        Ok(None)
    }

    /// All the rest. Where few links are named elsewhere, a plus keeps the indexes of these columns out: in their order,
    /// nearly all links would be passed over.
    fn plain(&self, are_few: bool, workspace: WorkspaceNo) -> Filter {
        let owner = if are_few { "+workspace = ?" } else { "workspace = ?" };
        let column = |name: &str| format!("{}{name} = ?", if are_few { "+" } else { "" });
        let mut filter = Filter::of(owner, workspace.0);
        if !self.shows_archived {
            filter.and("is_archived = 0", []);
        }
        if self.has_experiment {
            filter.and("experiment IS NOT NULL", []);
        }
        filter.and_some(&column("domain"), self.domain.map(|domain| i64::from(domain.0)));
        filter.and_some(&column("creator"), self.creator.map(|creator| i64::from(creator.0)));
        filter.and_some(&column("tenant_id"), self.tenant_id.clone());
        // One link has it, so that its index is never the longer way.
        filter.and_some("external_id = ?", self.external_id.clone());
        filter.and_some(&column("campaign"), self.campaign.map(|campaign| i64::from(campaign.0)));
        filter.and_some(&column("content_id"), self.content_id.clone());
        filter.and_some(&column("folder"), self.folder.map(|folder| i64::from(folder.0)));
        if let Some(search) = &self.search {
            filter.and_any_contains(&[
                ("slug_fold", &slug::fold(search)),
                ("destination", search),
                ("title", search),
            ]);
        }
        filter
    }
}

/// A clause that names links by what stands elsewhere.
struct Narrowed {
    clause: String,
    values: Vec<Value>,
    /// At most [`SORTED_MAX`].
    are_few: bool,
}

/// One page of the workspace's links.
///
/// # Errors
/// [`Error::NotFound`] on `page` for an unknown id to go on from.
pub fn list(view: &View<'_>, workspace: WorkspaceNo, filter: &LinkFilter, page: &Page) -> Result<Vec<Link>, Error> {
    let listing = filter.listing();
    listing.page(view, filter.conditions(view, workspace)?, page, read)
}

/// Number of links that `filter` lets through.
///
/// # Errors
/// [`Error::Failed`].
pub fn count(view: &View<'_>, workspace: WorkspaceNo, filter: &LinkFilter) -> Result<u64, Error> {
    filter.conditions(view, workspace)?.count(view, "links")
}

/// Number of links that `filter` lets through, by domain; domains without any are left out.
///
/// # Errors
/// [`Error::Failed`].
pub fn count_by_domain(
    view: &View<'_>,
    workspace: WorkspaceNo,
    filter: &LinkFilter,
) -> Result<Vec<(DomainNo, u64)>, Error> {
    let conditions = filter.conditions(view, workspace)?;
    let sql = format!(
        "SELECT domain, count(*) FROM links WHERE {} GROUP BY domain ORDER BY domain",
        conditions.sql()
    );
    view.all(&sql, params_from_iter(conditions.values()), |row| {
        // A number of rows is never negative.
        Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs()))
    })
}

/// Number of links that `filter` lets through, by folder; `None` = in none. The largest first.
///
/// # Errors
/// [`Error::Failed`].
pub fn count_by_folder(
    view: &View<'_>,
    workspace: WorkspaceNo,
    filter: &LinkFilter,
) -> Result<Vec<(Option<FolderNo>, u64)>, Error> {
    let conditions = filter.conditions(view, workspace)?;
    let sql = format!(
        "SELECT folder, count(*) FROM links WHERE {} GROUP BY folder ORDER BY count(*) DESC, folder",
        conditions.sql()
    );
    view.all(&sql, params_from_iter(conditions.values()), |row| {
        Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs()))
    })
}

/// Number of links that `filter` lets through, by tag; a link counts for each of its tags. The largest first.
///
/// # Errors
/// [`Error::Failed`].
pub fn count_by_tag(view: &View<'_>, workspace: WorkspaceNo, filter: &LinkFilter) -> Result<Vec<(TagNo, u64)>, Error> {
    let conditions = filter.conditions(view, workspace)?;
    let sql = format!(
        "SELECT tag, count(*) FROM links JOIN link_tags ON link_tags.link = links.no WHERE {} GROUP BY tag
         ORDER BY count(*) DESC, tag",
        conditions.sql()
    );
    view.all(&sql, params_from_iter(conditions.values()), |row| {
        Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs()))
    })
}

/// Numbers of all links that `filter` lets through: four bytes each, for reports over them.
///
/// # Errors
/// [`Error::Failed`].
pub fn numbers_of(view: &View<'_>, workspace: WorkspaceNo, filter: &LinkFilter) -> Result<Vec<LinkNo>, Error> {
    let conditions = filter.conditions(view, workspace)?;
    let sql = format!("SELECT no FROM links WHERE {} ORDER BY no", conditions.sql());
    view.all(&sql, params_from_iter(conditions.values()), |row| row.get(0))
}

/// Numbers of the creator's links, the newest first, at most `size`; archived ones too.
///
/// # Errors
/// [`Error::Failed`].
pub fn newest_of_creator(view: &View<'_>, creator: CreatorNo, size: u32) -> Result<Vec<LinkNo>, Error> {
    let sql = "SELECT no FROM links WHERE creator = ? ORDER BY created_at DESC, no DESC LIMIT ?";
    view.all(sql, (creator, size), |row| row.get(0))
}

/// What reports need to know of a link: whose it is, what it belongs to, and whose carts it fills.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkOwner {
    pub no: LinkNo,
    pub creator: Option<CreatorNo>,
    pub campaign: Option<CampaignNo>,
    pub content: Option<String>,
    pub store: Option<StoreNo>,
}

/// Every link of the workspace, archived ones too, by number: a few bytes each. Stores are looked up only when asked
/// for: each costs the reading of a cart.
///
/// # Errors
/// [`Error::Failed`].
pub fn owners(view: &View<'_>, workspace: WorkspaceNo, with_stores: bool) -> Result<Vec<LinkOwner>, Error> {
    let sql = match with_stores {
        true => {
            "SELECT no, creator, campaign, content_id, json_extract(cart, '$.store') FROM links WHERE workspace = ? ORDER BY no"
        }
        false => "SELECT no, creator, campaign, content_id, NULL FROM links WHERE workspace = ? ORDER BY no",
    };
    view.all(sql, [workspace], |row| {
        Ok(LinkOwner {
            no: row.get(0)?,
            creator: row.get(1)?,
            campaign: row.get(2)?,
            content: row.get(3)?,
            store: row.get(4)?,
        })
    })
}

/// Numbers of the workspace's links that lead to `url`, with any query when `url` has none.
///
/// # Errors
/// [`Error::Failed`].
pub fn leading_to(view: &View<'_>, workspace: WorkspaceNo, url: &str) -> Result<Vec<LinkNo>, Error> {
    let sql = "SELECT no FROM links WHERE workspace = ?1
               AND (destination = ?2 OR substr(destination, 1, length(?2) + 1) = ?2 || '?') ORDER BY no";
    view.all(sql, (workspace, url), |row| row.get(0))
}

/// Where link number `no` leads and on which domain it is; `None` when it is gone.
///
/// # Errors
/// [`Error::Failed`].
pub fn place_of(view: &View<'_>, no: LinkNo) -> Result<Option<LinkPlace>, Error> {
    view.first(
        "SELECT destination, domain, creator FROM links WHERE no = ?",
        [no],
        |row| {
            Ok(LinkPlace {
                destination: row.get(0)?,
                domain: row.get(1)?,
                creator: row.get(2)?,
            })
        },
    )
}

/// What reports group links by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkPlace {
    pub destination: String,
    pub domain: DomainNo,
    pub creator: Option<CreatorNo>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::books::view::Tx;
    use crate::books::{creator, fixture, link, link_domain};
    use crate::domain::time::Timestamp;

    /// Five links of `workspace`, `one` to `five`, of which `five` is archived; two made in the same millisecond.
    fn five_links(tx: &Tx<'_>, workspace: WorkspaceNo) -> Result<(), Error> {
        let domain = link_domain::insert(tx, fixture::domain("go.test", workspace))?.no;
        let mia = creator::insert(tx, fixture::creator("Mia", workspace))?.no;
        for (slug, created_at, updated_at) in [
            ("one", 10, 15),
            ("two", 20, 20),
            ("three", 20, 30),
            ("four", 40, 40),
            ("five", 50, 50),
        ] {
            let mut new = fixture::link(slug, workspace);
            new.created_at = Timestamp(created_at);
            new.terms.is_archived = slug == "five";
            new.terms.creator = (slug.len() == 3).then_some(mia);
            new.terms.tenant_id = (slug == "two").then(|| "acme".to_owned());
            new.terms.external_id = Some(format!("ext-{slug}"));
            new.terms.title = Some(format!("100% {slug}_Sale"));
            new.domain = if slug == "four" { domain } else { DomainNo::DEFAULT };
            let mut link = link::insert(tx, &new)?;
            link.updated_at = Timestamp(updated_at);
            link::update(tx, &link)?;
        }
        Ok(())
    }

    fn slugs(links: Vec<Link>) -> Vec<String> {
        links.into_iter().map(|link| link.slug).collect()
    }

    #[test]
    fn filters_narrow() {
        fixture::in_tx(|tx| {
            let workspace = fixture::workspace(tx, "a")?;
            five_links(tx, workspace)?;
            link::insert(tx, &fixture::link("stranger", fixture::workspace(tx, "b")?))?;
            let mia = creator::all(tx, workspace)?[0].no;
            let all = LinkFilter::default;
            let search = |text: &str| LinkFilter {
                search: Some(text.to_owned()),
                ..all()
            };
            for (filter, expected) in [
                (all(), "four three two one"),
                (
                    LinkFilter {
                        shows_archived: true,
                        ..all()
                    },
                    "five four three two one",
                ),
                (
                    LinkFilter {
                        is_ascending: true,
                        sort: LinkSort::UpdatedAt,
                        ..all()
                    },
                    "one two three four",
                ),
                (
                    LinkFilter {
                        domain: Some(DomainNo::DEFAULT),
                        ..all()
                    },
                    "three two one",
                ),
                (
                    LinkFilter {
                        creator: Some(mia),
                        ..all()
                    },
                    "two one",
                ),
                (
                    LinkFilter {
                        tenant_id: Some("acme".into()),
                        ..all()
                    },
                    "two",
                ),
                (
                    LinkFilter {
                        external_id: Some("ext-one".into()),
                        ..all()
                    },
                    "one",
                ),
                (search("E_sale"), "three one"),
                (search("SHOP.TEST"), "four three two one"),
                (search("00% T"), "three two"),
                (search("%%"), ""),
                (search("e\\"), ""),
            ] {
                let page = Page::Number { number: 1, size: 100 };
                let found = list(tx, workspace, &filter, &page)?;
                assert_eq!(slugs(found).join(" "), expected, "{filter:?}");
                let expected = expected.split_whitespace().count();
                assert_eq!(count(tx, workspace, &filter)?, expected as u64, "{filter:?}");
                assert_eq!(numbers_of(tx, workspace, &filter)?.len(), expected, "{filter:?}");
            }
            let by_domain: Vec<u64> = count_by_domain(tx, workspace, &all())?
                .iter()
                .map(|row| row.1)
                .collect();
            assert_eq!(by_domain, [3, 1]);
            let owners: Vec<bool> = owners(tx, workspace, true)?
                .iter()
                .map(|owner| owner.creator.is_some())
                .collect();
            assert_eq!(owners, [true, true, false, false, false]);
            Ok(())
        });
    }

    #[test]
    fn tags_narrow_the_same_both_ways() {
        fixture::in_tx(|tx| {
            let workspace = fixture::workspace(tx, "a")?;
            five_links(tx, workspace)?;
            for (no, name) in [(1, "red"), (2, "blue")] {
                tx.run(
                    "INSERT INTO tags (no, id, workspace, name, color, created_at) VALUES (?1, ?2, ?3, ?2, 'red', 1)",
                    (no, name, workspace),
                )?;
            }
            for (slug, tags) in [("one", vec![1, 2]), ("three", vec![2]), ("five", vec![1])] {
                let link = link::by_slug(tx, DomainNo::DEFAULT, slug)?.expect("one of five");
                crate::books::tag::set_of_link(tx, link.no, &tags.into_iter().map(TagNo).collect::<Vec<_>>())?;
            }
            let tagged = |tags| LinkFilter {
                tags: Some(tags),
                ..LinkFilter::default()
            };
            let one_of = |tags: &[u32]| tagged(TagsWanted::OneOf(tags.iter().copied().map(TagNo).collect()));
            let expected = [
                (one_of(&[1]), "one"),
                (one_of(&[1, 2]), "three one"),
                (one_of(&[]), ""),
                (tagged(TagsWanted::Any), "three one"),
            ];
            let check = |tx: &Tx<'_>| {
                for (filter, expected) in &expected {
                    let found = list(tx, workspace, filter, &Page::Number { number: 1, size: 9 })?;
                    assert_eq!(slugs(found).join(" "), *expected, "{filter:?}");
                }
                Ok::<_, Error>(())
            };
            check(tx)?;
            let by_tag = count_by_tag(tx, workspace, &LinkFilter::default())?;
            assert_eq!(by_tag, [(TagNo(2), 2), (TagNo(1), 1)]);
            // Now each tag has more links than are sorted.
            let many = SORTED_MAX + 1;
            tx.run("PRAGMA defer_foreign_keys = 1", [])?;
            tx.run(
                "WITH RECURSIVE n (n) AS (SELECT 1000 UNION ALL SELECT n + 1 FROM n WHERE n < 1000 + ?)
                 INSERT INTO link_tags (link, tag) SELECT n, tag FROM n, (SELECT 1 AS tag UNION SELECT 2)",
                [i64::try_from(many).expect("small")],
            )?;
            check(tx)?;
            tx.run("DELETE FROM link_tags WHERE link >= 1000", [])?;
            Ok(())
        });
    }

    #[test]
    fn texts_narrow_the_same_both_ways() {
        fixture::in_tx(|tx| {
            let workspace = fixture::workspace(tx, "a")?;
            five_links(tx, workspace)?;
            let search = |text: &str| LinkFilter {
                search: Some(text.to_owned()),
                ..LinkFilter::default()
            };
            let plan = |tx: &Tx<'_>, text: &str| {
                let mut conditions = search(text).conditions(tx, workspace)?;
                let sql = search(text).listing().sql(&conditions, false);
                conditions.bind_after(10);
                conditions.bind_after(0);
                let sql = format!("EXPLAIN QUERY PLAN {sql}");
                let plan: Vec<String> = tx.all(&sql, params_from_iter(conditions.values()), |row| row.get("detail"))?;
                Ok::<_, Error>(plan.join("; "))
            };
            let check = |tx: &Tx<'_>| {
                for (text, expected) in [
                    ("_sale", "four three two one"),
                    ("o_S", "two"),
                    ("wo", "two"),
                    ("WO", "two"),
                    ("zq", ""),
                    ("q", ""),
                    ("shop.test/x", ""),
                    ("100%", "four three two one"),
                ] {
                    let found = list(tx, workspace, &search(text), &Page::Number { number: 1, size: 9 })?;
                    assert_eq!(slugs(found).join(" "), expected, "{text}");
                }
                Ok::<_, Error>(())
            };
            check(tx)?;
            assert!(plan(tx, "_sale")?.contains("INTEGER PRIMARY KEY"));
            assert!(plan(tx, "wo")?.contains("INTEGER PRIMARY KEY"));
            assert!(plan(tx, "é")?.contains("links_by_creation"), "not to be asked for");
            // Now more links than are sorted have these texts.
            tx.run(
                "WITH RECURSIVE n (n) AS (SELECT 1000 UNION ALL SELECT n + 1 FROM n WHERE n < 1000 + ?)
                 INSERT INTO link_texts (rowid, text) SELECT n, 'two_sale 100% https://shop.test/x zq zz' FROM n",
                [i64::try_from(SORTED_MAX).expect("small")],
            )?;
            check(tx)?;
            assert!(plan(tx, "_sale")?.contains("links_by_creation"));
            Ok(())
        });
    }

    #[test]
    fn pages_follow_each_other_without_gap_or_repeat() {
        fixture::in_tx(|tx| {
            let workspace = fixture::workspace(tx, "a")?;
            five_links(tx, workspace)?;
            let id_of = |slug: &str| -> Result<String, Error> {
                let external_id = format!("ext-{slug}");
                Ok(link::by_external_id(tx, workspace, &external_id)?.map_or_else(String::new, |link| link.id))
            };
            let after = |slug, size| Ok::<_, Error>(Page::After { id: id_of(slug)?, size });
            let before = |slug, size| Ok::<_, Error>(Page::Before { id: id_of(slug)?, size });
            for (page, expected) in [
                (Page::Number { number: 1, size: 3 }, "four three two"),
                (Page::Number { number: 2, size: 3 }, "one"),
                (Page::Number { number: 3, size: 3 }, ""),
                (Page::Number { number: 0, size: 1 }, "four"),
                (after("four", 2)?, "three two"),
                (after("three", 2)?, "two one"),
                (after("one", 2)?, ""),
                (after("five", 1)?, "four"),
                (before("one", 2)?, "three two"),
                (before("two", 2)?, "four three"),
                (before("four", 2)?, ""),
            ] {
                let found = list(tx, workspace, &LinkFilter::default(), &page)?;
                assert_eq!(slugs(found).join(" "), expected, "{page:?}");
            }
            let upwards = LinkFilter {
                is_ascending: true,
                ..LinkFilter::default()
            };
            assert_eq!(
                slugs(list(tx, workspace, &upwards, &before("four", 2)?)?),
                ["two", "three"]
            );

            let unknown = Error::NotFound { what: "page" };
            let stranger = fixture::workspace(tx, "b")?;
            for (workspace, page) in [
                (
                    workspace,
                    Page::After {
                        id: "link_x".into(),
                        size: 1,
                    },
                ),
                (stranger, after("one", 1)?),
            ] {
                assert_eq!(list(tx, workspace, &upwards, &page), Err(unknown.clone()));
            }
            Ok(())
        });
    }

    #[test]
    fn every_filter_has_an_index_that_also_sorts() {
        fixture::in_tx(|tx| {
            let all = LinkFilter::default;
            for (filter, index) in [
                (all(), "links_by_creation"),
                (
                    LinkFilter {
                        sort: LinkSort::UpdatedAt,
                        ..all()
                    },
                    "links_by_update",
                ),
                (
                    LinkFilter {
                        domain: Some(DomainNo(1)),
                        ..all()
                    },
                    "links_by_domain",
                ),
                (
                    LinkFilter {
                        creator: Some(CreatorNo(1)),
                        ..all()
                    },
                    "links_by_creator",
                ),
                (
                    LinkFilter {
                        tenant_id: Some("t".into()),
                        ..all()
                    },
                    "links_by_tenant_id",
                ),
                (
                    LinkFilter {
                        folder: Some(FolderNo(1)),
                        ..all()
                    },
                    "links_by_folder",
                ),
            ] {
                let mut conditions = filter.conditions(tx, WorkspaceNo(1))?;
                let sql = filter.listing().sql(&conditions, filter.is_ascending);
                conditions.bind_after(10);
                conditions.bind_after(0);
                let sql = format!("EXPLAIN QUERY PLAN {sql}");
                let plan: Vec<String> = tx.all(&sql, params_from_iter(conditions.values()), |row| row.get("detail"))?;
                assert_eq!(plan.len(), 1, "no sorting besides: {plan:?}");
                assert!(
                    plan[0].contains(&format!("USING INDEX {index} ")),
                    "{filter:?}: {plan:?}"
                );
            }
            Ok(())
        });
    }
}
