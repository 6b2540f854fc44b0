//! Folders are made, changed and deleted. A folder that goes leaves its links in none.

use serde_json::{Value, json};

use super::context::Context;
use super::error::Error;
use crate::books::{self, View};
use crate::domain::folder::{Access, DESCRIPTION_MAX, Folder, name_problem};
use crate::domain::id::{FolderNo, WorkspaceNo};

/// Folders of a workspace. 10,000: lists stay quick, and nobody reads more.
const FOLDERS_MAX: u64 = 10_000;
/// Links that one transaction takes out of a folder: some 10 ms, so that webhooks hardly wait.
const SLICE: u32 = 1_000;

/// What a caller says of a folder. `None` = not said; `Some(None)` = taken away.
#[derive(Debug, Clone, Default)]
pub struct FolderChange {
    pub name: Option<String>,
    pub description: Option<Option<String>>,
    pub access: Option<Option<Access>>,
}

impl FolderChange {
    fn apply(self, folder: &mut Folder) -> Result<(), Error> {
        if let Some(name) = self.name {
            if let Some(problem) = name_problem(&name) {
                return Err(Error::invalid("name", problem));
            }
            folder.name = name;
        }
        if let Some(description) = self.description {
            folder.description = description.filter(|text| !text.is_empty());
        }
        let length = folder.description.as_ref().map_or(0, |text| text.chars().count());
        if length > DESCRIPTION_MAX {
            return Err(Error::invalid("description", "must have at most 500 characters"));
        }
        folder.access = self.access.unwrap_or(folder.access);
        Ok(())
    }
}

/// Makes a folder.
///
/// # Errors
/// [`Error::Invalid`] on `name` or `description`; [`Error::Conflict`] on `name`.
pub async fn create(context: &Context, workspace: WorkspaceNo, change: FolderChange) -> Result<Folder, Error> {
    if change.name.is_none() {
        return Err(Error::invalid("name", "is required"));
    }
    let now = context.inner.clock.now();
    let mut folder = Folder {
        no: FolderNo(0),
        id: context.new_id("fold_"),
        workspace,
        name: String::new(),
        description: None,
        access: Some(Access::Write),
        created_at: now,
        updated_at: now,
    };
    change.apply(&mut folder)?;
    let made = context.inner.books.commit(move |tx| {
        if books::folder::count(tx, workspace, None)? >= FOLDERS_MAX {
            return Err(Error::invalid(
                "name",
                "is one too many: a workspace has at most 10000 folders",
            ));
        }
        let folder = books::folder::insert(tx, folder)?;
        books::audit::note(tx, Some(&folder.id), None, Some(facts(&folder)))?;
        Ok(folder)
    });
    made.await
}

/// Changes a folder.
///
/// # Errors
/// As [`create`].
pub async fn change(
    context: &Context,
    workspace: WorkspaceNo,
    id: String,
    change: FolderChange,
) -> Result<Folder, Error> {
    let now = context.inner.clock.now();
    let changed = context.inner.books.commit(move |tx| {
        let mut folder = find(tx, workspace, &id)?;
        let before = facts(&folder);
        change.apply(&mut folder)?;
        folder.updated_at = now;
        books::folder::update(tx, &folder)?;
        books::audit::note(tx, Some(&folder.id), Some(before), Some(facts(&folder)))?;
        Ok::<_, Error>(folder)
    });
    changed.await
}

/// Deletes a folder: first its links are taken out, slice by slice, then it goes. Cut off, it is there with fewer links;
/// deleting it again goes on.
pub async fn delete(context: &Context, workspace: WorkspaceNo, id: String) -> Result<Folder, Error> {
    let folder = context.inner.books.read(move |view| find(view, workspace, &id)).await?;
    let no = folder.no;
    loop {
        let gone = folder.clone();
        let taken = context.inner.books.commit(move |tx| {
            let taken = books::folder::take_out(tx, no, SLICE)?;
            if taken < SLICE as usize {
                books::folder::delete(tx, no)?;
                books::audit::note(tx, Some(&gone.id), Some(facts(&gone)), None)?;
            }
            Ok::<_, Error>(taken)
        });
        if taken.await? < SLICE as usize {
            return Ok(folder);
        }
    }
}

/// What the audit log says of a folder.
fn facts(folder: &Folder) -> Value {
    json!({ "name": folder.name, "description": folder.description, "accessLevel": folder.access })
}

/// The workspace's folder called `id`.
pub fn find(view: &View<'_>, workspace: WorkspaceNo, id: &str) -> Result<Folder, Error> {
    books::folder::by_id(view, workspace, id)?.ok_or(Error::NotFound { what: "folder" })
}
