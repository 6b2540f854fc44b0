//! Tags, and which links have them.

use rusqlite::types::Value;

use super::columns::{Columns, Word};
use super::error::Error;
use super::filter::Filter;
use super::page::NumberedPage;
use super::view::{Tx, View};
use crate::domain::id::{LinkNo, TagNo, WorkspaceNo};
use crate::domain::tag::Tag;

const SELECT: &str = "SELECT no, id, workspace, name, color, created_at FROM tags";
const TAKEN: &[(&str, &str)] = &[("tags.workspace, tags.name", "name")];

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Tag> {
    let mut columns = Columns::of(row);
    Ok(Tag {
        no: columns.next()?,
        id: columns.next()?,
        workspace: columns.next()?,
        name: columns.next()?,
        color: columns.next::<Word<_>>()?.0,
        created_at: columns.next()?,
    })
}

/// Which tags of a workspace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TagFilter {
    /// Contained in the name.
    pub search: Option<String>,
    /// Public ids; `None` = all.
    pub ids: Option<Vec<String>>,
    /// By age rather than by name.
    pub by_age: bool,
    pub is_descending: bool,
}

impl TagFilter {
    fn conditions(&self, workspace: WorkspaceNo) -> Filter {
        let mut filter = Filter::of("workspace = ?", workspace.0);
        if let Some(search) = &self.search {
            filter.and_any_contains(&[("name", search)]);
        }
        if let Some(ids) = &self.ids {
            filter.and_one_of("id", ids.iter().cloned().map(Value::Text));
        }
        filter
    }
}

/// Adds `tag`, whatever its `no` is, and returns it with the number it got.
///
/// # Errors
/// [`Error::Conflict`] on `name`.
pub fn insert(tx: &Tx<'_>, tag: Tag) -> Result<Tag, Error> {
    tx.run_unique(
        "INSERT INTO tags (id, workspace, name, color, created_at) VALUES (?, ?, ?, ?, ?)",
        (&tag.id, tag.workspace, &tag.name, Word(tag.color), tag.created_at),
        TAKEN,
    )?;
    Ok(Tag {
        no: TagNo(tx.last_no()?),
        ..tag
    })
}

/// Stores the name and the color of `tag` under its number.
///
/// # Errors
/// [`Error::Conflict`] on `name`; [`Error::NotFound`].
pub fn update(tx: &Tx<'_>, tag: &Tag) -> Result<(), Error> {
    let sql = "UPDATE tags SET name = ?, color = ? WHERE no = ?";
    match tx.run_unique(sql, (&tag.name, Word(tag.color), tag.no), TAKEN)? {
        0 => Err(Error::NotFound { what: "tag" }),
        _ => Ok(()),
    }
}

/// Takes the tag from at most `limit` of its links; how many it was taken from.
///
/// # Errors
/// [`Error::Failed`].
pub fn take_off(tx: &Tx<'_>, tag: TagNo, limit: u32) -> Result<usize, Error> {
    let sql = "DELETE FROM link_tags WHERE tag = ?1
               AND link IN (SELECT link FROM link_tags WHERE tag = ?1 LIMIT ?2)";
    tx.run(sql, (tag, limit))
}

/// Removes the tag, also from every link that still has it.
///
/// # Errors
/// [`Error::Failed`].
pub fn delete(tx: &Tx<'_>, tag: TagNo) -> Result<(), Error> {
    tx.run("DELETE FROM tags WHERE no = ?", [tag])?;
    Ok(())
}

/// The workspace's tag with public id `id`.
///
/// # Errors
/// [`Error::Failed`].
pub fn by_id(view: &View<'_>, workspace: WorkspaceNo, id: &str) -> Result<Option<Tag>, Error> {
    let sql = format!("{SELECT} WHERE id = ? AND workspace = ?");
    view.first(&sql, (id, workspace), read)
}

/// The workspace's tag called `name`, in any case of ASCII letters.
///
/// # Errors
/// [`Error::Failed`].
pub fn by_name(view: &View<'_>, workspace: WorkspaceNo, name: &str) -> Result<Option<Tag>, Error> {
    let sql = format!("{SELECT} WHERE workspace = ? AND name = ?");
    view.first(&sql, (workspace, name), read)
}

/// Tag number `no`.
///
/// # Errors
/// [`Error::Failed`].
pub fn by_no(view: &View<'_>, no: TagNo) -> Result<Option<Tag>, Error> {
    view.first(&format!("{SELECT} WHERE no = ?"), [no], read)
}

/// One page of the workspace's tags.
///
/// # Errors
/// [`Error::Failed`].
pub fn list(
    view: &View<'_>,
    workspace: WorkspaceNo,
    filter: &TagFilter,
    page: NumberedPage,
) -> Result<Vec<Tag>, Error> {
    let order = match (filter.by_age, filter.is_descending) {
        (true, false) => "created_at, no",
        (true, true) => "created_at DESC, no DESC",
        (false, false) => "name",
        (false, true) => "name DESC",
    };
    page.read(view, SELECT, filter.conditions(workspace), order, read)
}

/// The number of tags that `filter` lets through.
///
/// # Errors
/// [`Error::Failed`].
pub fn count(view: &View<'_>, workspace: WorkspaceNo, filter: &TagFilter) -> Result<u64, Error> {
    filter.conditions(workspace).count(view, "tags")
}

/// The number of links that have `tag`, archived ones too.
///
/// # Errors
/// [`Error::Failed`].
pub fn links_of(view: &View<'_>, tag: TagNo) -> Result<u64, Error> {
    view.count("SELECT count(*) FROM link_tags WHERE tag = ?", [tag])
}

/// The link has `tags` and no others.
///
/// # Errors
/// [`Error::Failed`].
pub fn set_of_link(tx: &Tx<'_>, link: LinkNo, tags: &[TagNo]) -> Result<(), Error> {
    tx.run("DELETE FROM link_tags WHERE link = ?", [link])?;
    for tag in tags {
        tx.run("INSERT OR IGNORE INTO link_tags (link, tag) VALUES (?, ?)", (link, tag))?;
    }
    Ok(())
}

/// The numbers of the link's tags, the oldest tag first.
///
/// # Errors
/// [`Error::Failed`].
pub fn of_link(view: &View<'_>, link: LinkNo) -> Result<Vec<TagNo>, Error> {
    let sql = "SELECT tag FROM link_tags WHERE link = ? ORDER BY tag";
    view.all(sql, [link], |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::books::{fixture, link};
    use crate::domain::tag::TagColor;
    use crate::domain::time::Timestamp;

    fn tag(name: &str, workspace: WorkspaceNo, at: i64) -> Tag {
        Tag {
            no: TagNo::default(),
            id: format!("tag_{name}_{}", workspace.0),
            workspace,
            name: name.to_owned(),
            color: TagColor::Red,
            created_at: Timestamp(at),
        }
    }

    #[test]
    fn tags_are_their_workspaces_own_and_sorted() {
        fixture::in_tx(|tx| {
            let (ours, theirs) = (fixture::workspace(tx, "a")?, fixture::workspace(tx, "b")?);
            let mut spring = insert(tx, tag("Spring", ours, 2))?;
            insert(tx, tag("autumn", ours, 1))?;
            insert(tx, tag("spring", theirs, 1))?;
            let taken = Err(Error::Conflict { what: "name" });
            assert_eq!(
                insert(
                    tx,
                    Tag {
                        id: "tag_x".into(),
                        ..tag("SPRING", ours, 3)
                    }
                )
                .map(drop),
                taken
            );
            assert_eq!(by_name(tx, ours, "sPring")?.as_ref(), Some(&spring));
            assert_eq!(by_id(tx, theirs, &spring.id)?, None);
            spring.color = TagColor::Blue;
            update(tx, &spring)?;
            assert_eq!(by_no(tx, spring.no)?.as_ref(), Some(&spring));
            let listed = |filter: TagFilter| {
                let found = list(tx, ours, &filter, NumberedPage { number: 1, size: 9 })?;
                assert_eq!(count(tx, ours, &filter)?, found.len() as u64);
                Ok::<_, Error>(found.into_iter().map(|tag| tag.name).collect::<Vec<_>>())
            };
            let all = TagFilter::default;
            assert_eq!(listed(all())?, ["autumn", "Spring"]);
            assert_eq!(
                listed(TagFilter {
                    by_age: true,
                    is_descending: true,
                    ..all()
                })?,
                ["Spring", "autumn"]
            );
            assert_eq!(
                listed(TagFilter {
                    search: Some("UMN".into()),
                    ..all()
                })?,
                ["autumn"]
            );
            assert_eq!(
                listed(TagFilter {
                    ids: Some(vec![spring.id.clone()]),
                    ..all()
                })?,
                ["Spring"]
            );
            assert!(
                listed(TagFilter {
                    ids: Some(vec![]),
                    ..all()
                })?
                .is_empty()
            );
            spring.name = "AUTUMN".into();
            assert_eq!(update(tx, &spring), Err(Error::Conflict { what: "name" }));
            Ok(())
        });
    }

    #[test]
    fn links_lose_a_tag_with_it_and_tags_their_links_with_them() {
        fixture::in_tx(|tx| {
            let ours = fixture::workspace(tx, "a")?;
            let (one, two) = (insert(tx, tag("one", ours, 1))?.no, insert(tx, tag("two", ours, 1))?.no);
            let links: Vec<LinkNo> = ["a", "b", "c"]
                .into_iter()
                .map(|slug| Ok(link::insert(tx, &fixture::link(slug, ours))?.no))
                .collect::<Result<_, Error>>()?;
            for no in &links {
                set_of_link(tx, *no, &[two, one, two])?;
            }
            assert_eq!(of_link(tx, links[0])?, [one, two]);
            set_of_link(tx, links[0], &[two])?;
            assert_eq!((links_of(tx, one)?, links_of(tx, two)?), (2, 3));
            link::delete(tx, links[2])?;
            assert_eq!((links_of(tx, one)?, links_of(tx, two)?), (1, 2));
            assert_eq!(
                [take_off(tx, two, 1)?, take_off(tx, two, 5)?, take_off(tx, two, 5)?],
                [1, 1, 0]
            );
            delete(tx, one)?;
            assert_eq!(of_link(tx, links[1])?, []);
            Ok(())
        });
    }
}
