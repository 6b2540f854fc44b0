//! Folders, and which links lie in them.

use super::columns::{Columns, Word};
use super::error::Error;
use super::filter::Filter;
use super::page::NumberedPage;
use super::view::{Tx, View};
use crate::domain::folder::Folder;
use crate::domain::id::{FolderNo, LinkNo, WorkspaceNo};

const SELECT: &str = "SELECT no, id, workspace, name, description, access, created_at, updated_at FROM folders";
const TAKEN: &[(&str, &str)] = &[("folders.workspace, folders.name", "name")];

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Folder> {
    let mut columns = Columns::of(row);
    Ok(Folder {
        no: columns.next()?,
        id: columns.next()?,
        workspace: columns.next()?,
        name: columns.next()?,
        description: columns.next()?,
        access: columns.next::<Option<Word<_>>>()?.map(|access| access.0),
        created_at: columns.next()?,
        updated_at: columns.next()?,
    })
}

fn conditions(workspace: WorkspaceNo, search: Option<&str>) -> Filter {
    let mut filter = Filter::of("workspace = ?", workspace.0);
    if let Some(search) = search {
        filter.and_any_contains(&[("name", search)]);
    }
    filter
}

/// Adds `folder`, whatever its `no` is, and returns it with the number it got.
///
/// # Errors
/// [`Error::Conflict`] on `name`.
pub fn insert(tx: &Tx<'_>, folder: Folder) -> Result<Folder, Error> {
    tx.run_unique(
        "INSERT INTO folders (id, workspace, name, description, access, created_at, updated_at)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            &folder.id,
            folder.workspace,
            &folder.name,
            &folder.description,
            folder.access.map(Word),
            folder.created_at,
            folder.updated_at,
        ),
        TAKEN,
    )?;
    Ok(Folder {
        no: FolderNo(tx.last_no()?),
        ..folder
    })
}

/// Stores what a brand may change of `folder` under its number.
///
/// # Errors
/// [`Error::Conflict`] on `name`; [`Error::NotFound`].
pub fn update(tx: &Tx<'_>, folder: &Folder) -> Result<(), Error> {
    let changed = tx.run_unique(
        "UPDATE folders SET name = ?, description = ?, access = ?, updated_at = ? WHERE no = ?",
        (
            &folder.name,
            &folder.description,
            folder.access.map(Word),
            folder.updated_at,
            folder.no,
        ),
        TAKEN,
    )?;
    match changed {
        0 => Err(Error::NotFound { what: "folder" }),
        _ => Ok(()),
    }
}

/// Takes at most `limit` links out of the folder; how many.
///
/// # Errors
/// [`Error::Failed`].
pub fn take_out(tx: &Tx<'_>, folder: FolderNo, limit: u32) -> Result<usize, Error> {
    let sql = "UPDATE links SET folder = NULL
               WHERE no IN (SELECT no FROM links WHERE folder = ? LIMIT ?)";
    tx.run(sql, (folder, limit))
}

/// Removes the folder; links that still lie there stay without one.
///
/// # Errors
/// [`Error::Failed`].
pub fn delete(tx: &Tx<'_>, folder: FolderNo) -> Result<(), Error> {
    tx.run("DELETE FROM folders WHERE no = ?", [folder])?;
    Ok(())
}

/// The workspace's folder with public id `id`.
///
/// # Errors
/// [`Error::Failed`].
pub fn by_id(view: &View<'_>, workspace: WorkspaceNo, id: &str) -> Result<Option<Folder>, Error> {
    let sql = format!("{SELECT} WHERE id = ? AND workspace = ?");
    view.first(&sql, (id, workspace), read)
}

/// Folder number `no`.
///
/// # Errors
/// [`Error::Failed`].
pub fn by_no(view: &View<'_>, no: FolderNo) -> Result<Option<Folder>, Error> {
    view.first(&format!("{SELECT} WHERE no = ?"), [no], read)
}

/// One page of the workspace's folders by name; those whose name contains `search`, if it is given.
///
/// # Errors
/// [`Error::Failed`].
pub fn list(
    view: &View<'_>,
    workspace: WorkspaceNo,
    search: Option<&str>,
    page: NumberedPage,
) -> Result<Vec<Folder>, Error> {
    page.read(view, SELECT, conditions(workspace, search), "name", read)
}

/// The number of folders that [`list`] would list.
///
/// # Errors
/// [`Error::Failed`].
pub fn count(view: &View<'_>, workspace: WorkspaceNo, search: Option<&str>) -> Result<u64, Error> {
    conditions(workspace, search).count(view, "folders")
}

/// Puts the link into `folder`, or into none.
///
/// # Errors
/// [`Error::Failed`].
pub fn set_of_link(tx: &Tx<'_>, link: LinkNo, folder: Option<FolderNo>) -> Result<(), Error> {
    tx.run("UPDATE links SET folder = ? WHERE no = ?", (folder, link))?;
    Ok(())
}

/// The folder in which the link lies.
///
/// # Errors
/// [`Error::Failed`].
pub fn of_link(view: &View<'_>, link: LinkNo) -> Result<Option<FolderNo>, Error> {
    let found: Option<Option<FolderNo>> =
        view.first("SELECT folder FROM links WHERE no = ?", [link], |row| row.get(0))?;
    Ok(found.flatten())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::books::{fixture, link};
    use crate::domain::folder::Access;
    use crate::domain::time::Timestamp;

    fn folder(name: &str, workspace: WorkspaceNo) -> Folder {
        Folder {
            no: FolderNo::default(),
            id: format!("fold_{name}_{}", workspace.0),
            workspace,
            name: name.to_owned(),
            description: None,
            access: None,
            created_at: Timestamp(1),
            updated_at: Timestamp(1),
        }
    }

    #[test]
    fn folders_are_their_workspaces_own() {
        fixture::in_tx(|tx| {
            let (ours, theirs) = (fixture::workspace(tx, "a")?, fixture::workspace(tx, "b")?);
            let mut spring = insert(tx, folder("Spring", ours))?;
            insert(tx, folder("spring", theirs))?;
            let twin = Folder {
                id: "fold_x".into(),
                ..folder("SPRING", ours)
            };
            assert_eq!(insert(tx, twin).map(drop), Err(Error::Conflict { what: "name" }));
            spring.description = Some("d".into());
            spring.access = Some(Access::Read);
            update(tx, &spring)?;
            assert_eq!(by_no(tx, spring.no)?.as_ref(), Some(&spring));
            assert_eq!(by_id(tx, theirs, &spring.id)?, None);
            let page = NumberedPage { number: 1, size: 9 };
            assert_eq!(list(tx, ours, Some("PRI"), page)?.len(), 1);
            assert_eq!((count(tx, ours, Some("x"))?, count(tx, ours, None)?), (0, 1));
            Ok(())
        });
    }

    #[test]
    fn links_stay_when_their_folder_goes() {
        fixture::in_tx(|tx| {
            let ours = fixture::workspace(tx, "a")?;
            let spring = insert(tx, folder("Spring", ours))?.no;
            let (one, two) = (
                link::insert(tx, &fixture::link("one", ours))?.no,
                link::insert(tx, &fixture::link("two", ours))?.no,
            );
            for no in [one, two] {
                set_of_link(tx, no, Some(spring))?;
            }
            assert_eq!(of_link(tx, one)?, Some(spring));
            assert_eq!([take_out(tx, spring, 1)?, of_link(tx, one)?.iter().count()], [1, 0]);
            delete(tx, spring)?;
            assert_eq!((of_link(tx, two)?, link::by_no(tx, two)?.is_some()), (None, true));
            Ok(())
        });
    }
}
