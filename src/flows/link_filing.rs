//! Where a link is filed: its tags and its folder, as a caller names them. No follower's business: the link table never
//! knows of it.

use super::error::Error;
use crate::books::{self, Tx, View};
use crate::domain::id::{FolderNo, LinkNo, TagNo, WorkspaceNo};
use crate::domain::tag::TAGS_PER_LINK_MAX;

/// What a caller says of a link's place. `None` = not said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FilingChange {
    /// Public ids of all tags of the link.
    pub tag_ids: Option<Vec<String>>,
    /// Names of all tags of the link.
    pub tag_names: Option<Vec<String>>,
    /// Public id; `Some(None)` = in no folder.
    pub folder_id: Option<Option<String>>,
}

/// A change whose tags and folder are known.
pub(super) struct Filing {
    tags: Option<Vec<TagNo>>,
    folder: Option<Option<FolderNo>>,
}

impl FilingChange {
    /// Looks up what is named.
    pub(super) fn resolve(&self, view: &View<'_>, workspace: WorkspaceNo) -> Result<Filing, Error> {
        let folder = match &self.folder_id {
            Some(Some(id)) => {
                let found = books::folder::by_id(view, workspace, id)?;
                let missing = || Error::invalid("folderId", "is not a folder of this workspace");
                Some(Some(found.ok_or_else(missing)?.no))
            }
            Some(None) => Some(None),
            None => None,
        };
        Ok(Filing {
            tags: tags_named(view, workspace, self.tag_ids.as_deref(), self.tag_names.as_deref())?,
            folder,
        })
    }
}

impl Filing {
    /// Stores it for link number `no`.
    pub(super) fn store(&self, tx: &Tx<'_>, no: LinkNo) -> Result<(), Error> {
        if let Some(tags) = &self.tags {
            books::tag::set_of_link(tx, no, tags)?;
        }
        if let Some(folder) = self.folder {
            books::folder::set_of_link(tx, no, folder)?;
        }
        Ok(())
    }
}

/// The workspace's tags with these ids or names; `None` = neither was said.
///
/// # Errors
/// [`Error::Invalid`] on `tagIds` or `tagNames`: an unknown one, too many, or both at once.
pub fn tags_named(
    view: &View<'_>,
    workspace: WorkspaceNo,
    ids: Option<&[String]>,
    names: Option<&[String]>,
) -> Result<Option<Vec<TagNo>>, Error> {
    let (field, words) = match (ids, names) {
        (None, None) => return Ok(None),
        (Some(ids), Some([]) | None) => ("tagIds", ids),
        (Some([]) | None, Some(names)) => ("tagNames", names),
        (Some(_), Some(_)) => return Err(Error::invalid("tagIds", "goes without tagNames: use one of them")),
    };
    if words.len() > TAGS_PER_LINK_MAX {
        return Err(Error::invalid(
            field,
            format!("must have at most {TAGS_PER_LINK_MAX} entries"),
        ));
    }
    let tags = words.iter().enumerate().map(|(place, word)| {
        let found = match field {
            "tagIds" => books::tag::by_id(view, workspace, word)?,
            _ => books::tag::by_name(view, workspace, word)?,
        };
        let missing = || Error::invalid(format!("{field}[{place}]"), "is not a tag of this workspace");
        Ok(found.ok_or_else(missing)?.no)
    });
    tags.collect::<Result<_, Error>>().map(Some)
}
