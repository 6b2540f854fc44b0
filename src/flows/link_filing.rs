//! Where a link is filed: its tags, its folder, and the webhooks that are told of its clicks, as a caller names them. No
//! follower's business: the link table never knows of it.

use super::error::Error;
use crate::books::{self, Tx, View};
use crate::domain::id::{FolderNo, LinkNo, TagNo, WorkspaceNo};
use crate::domain::tag::TAGS_PER_LINK_MAX;
use crate::domain::webhook::PER_WORKSPACE_MAX;

/// What a caller says of a link's place. `None` = not said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FilingChange {
    /// Public ids of all tags of the link.
    pub tag_ids: Option<Vec<String>>,
    /// Names of all tags of the link.
    pub tag_names: Option<Vec<String>>,
    /// Public id; `Some(None)` = in no folder.
    pub folder_id: Option<Option<String>>,
    /// Public ids of the narrow webhooks that are told of its clicks.
    pub webhook_ids: Option<Vec<String>>,
}

/// A change whose tags and folder are known.
pub(super) struct Filing {
    tags: Option<Vec<TagNo>>,
    folder: Option<Option<FolderNo>>,
    webhooks: Option<Vec<i64>>,
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
            webhooks: webhooks_named(view, workspace, self.webhook_ids.as_deref())?,
        })
    }
}

fn webhooks_named(view: &View<'_>, workspace: WorkspaceNo, ids: Option<&[String]>) -> Result<Option<Vec<i64>>, Error> {
    let Some(ids) = ids else { return Ok(None) };
    if ids.len() as u64 > PER_WORKSPACE_MAX {
        let message = format!("must have at most {PER_WORKSPACE_MAX} entries");
        return Err(Error::invalid("webhookIds", message));
    }
    let webhooks = ids.iter().enumerate().map(|(place, id)| {
        let found = books::webhook::by_id(view, workspace, id)?;
        let missing = || Error::invalid(format!("webhookIds[{place}]"), "is not a webhook of this workspace");
        Ok(found.ok_or_else(missing)?.no)
    });
    webhooks.collect::<Result<_, Error>>().map(Some)
}

impl Filing {
    /// Whether link number `no` is filed so already.
    pub(super) fn is_of(&self, view: &View<'_>, no: LinkNo) -> Result<bool, Error> {
        if let Some(folder) = self.folder
            && books::folder::of_link(view, no)? != folder
        {
            return Ok(false);
        }
        let Some(tags) = &self.tags else { return Ok(true) };
        let (mut wanted, mut there) = (tags.clone(), books::tag::of_link(view, no)?);
        for tags in [&mut wanted, &mut there] {
            tags.sort_unstable();
            tags.dedup();
        }
        Ok(wanted == there)
    }

    /// Stores it for link number `no`.
    pub(super) fn store(&self, tx: &Tx<'_>, no: LinkNo) -> Result<(), Error> {
        if let Some(tags) = &self.tags {
            books::tag::set_of_link(tx, no, tags)?;
        }
        if let Some(folder) = self.folder {
            books::folder::set_of_link(tx, no, folder)?;
        }
        if let Some(webhooks) = &self.webhooks {
            books::webhook::set_of_link(tx, no, webhooks)?;
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
