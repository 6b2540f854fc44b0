//! A link is kept for a destination: the one that leads there is changed, else one is made. Asking twice makes one link.

use super::context::Context;
use super::error::Error;
use super::lock_link;
use super::publish_link::{self, LinkChange, domain_for};
use super::reception_draft::ReceptionChange;
use crate::books::{self, View};
use crate::domain::creator::Creator;
use crate::domain::id::{CreatorNo, WorkspaceNo};
use crate::domain::link::{Link, LinkTerms};

/// How often the books may change between the look and the write. 8: each time somebody else made or deleted the very
/// link.
const TRIES_MAX: usize = 8;

/// The link that leads where `change` says, changed as it says, or made. Of several the oldest; where a domain is named,
/// of that domain's.
///
/// # Errors
/// As making and changing a link.
pub async fn upsert(context: &Context, workspace: WorkspaceNo, change: LinkChange) -> Result<Link, Error> {
    upsert_among(context, workspace, change, None).await
}

/// As [`upsert`] among the links of the creator, who gets a new one.
///
/// # Errors
/// As making and changing a link.
pub async fn upsert_of_creator(
    context: &Context,
    workspace: WorkspaceNo,
    change: LinkChange,
    creator: &Creator,
) -> Result<Link, Error> {
    let change = LinkChange {
        creator_id: Some(Some(creator.id.clone())),
        ..change
    };
    upsert_among(context, workspace, change, Some(creator.no)).await
}

async fn upsert_among(
    context: &Context,
    workspace: WorkspaceNo,
    mut change: LinkChange,
    creator: Option<CreatorNo>,
) -> Result<Link, Error> {
    lock_link::seal(context, std::slice::from_mut(&mut change)).await?;
    for _ in 0..TRIES_MAX {
        let (inner, wanted) = (context.clone(), change.clone());
        let known = context
            .inner
            .books
            .read(move |view| known(&inner, view, workspace, creator, &wanted));
        match known.await? {
            Some(link) => {
                // How a new key is drawn does not matter to a link that has one.
                let change = LinkChange {
                    slug_length: None,
                    slug_prefix: None,
                    ..change.clone()
                };
                match publish_link::update(context, workspace, &link.id, change).await {
                    Err(Error::NotFound { what: "link" }) => {}
                    changed => return changed,
                }
            }
            None => {
                if let Some(made) = create_unless_known(context, workspace, creator, change.clone()).await? {
                    return Ok(made);
                }
            }
        }
    }
    Err(Error::Unavailable)
}

/// `None` = somebody else made it since the look.
async fn create_unless_known(
    context: &Context,
    workspace: WorkspaceNo,
    creator: Option<CreatorNo>,
    change: LinkChange,
) -> Result<Option<Link>, Error> {
    let (inner, id) = (context.clone(), publish_link::new_id(context));
    let _order = context.inner.locks.of(&id).await;
    let made = context
        .inner
        .books
        .commit(move |tx| match known(&inner, tx, workspace, creator, &change)? {
            Some(_) => Ok(None),
            None => publish_link::insert_as(&inner, tx, workspace, id, change).map(Some),
        });
    let made = made.await?;
    if let Some(link) = &made {
        context.inner.table.put(link, None);
        super::hand_out_codes::prepare(context, None).await;
    }
    Ok(made)
}

/// The link that leads where one made of `change` would.
fn known(
    context: &Context,
    view: &View<'_>,
    workspace: WorkspaceNo,
    creator: Option<CreatorNo>,
    change: &LinkChange,
) -> Result<Option<Link>, Error> {
    if change.destination.is_none() && !matches!(change.cart, Some(Some(_))) {
        return Err(Error::invalid("url", "is required: it says which link is meant"));
    }
    let domain = match &change.domain {
        Some(name) => Some(domain_for(context, view, workspace, Some(name))?.no),
        None => None,
    };
    // Its destination as it would be stored: UTM parameters written in, a known store's cart recognised.
    let mut terms = LinkTerms::default();
    let change = LinkChange {
        reception: ReceptionChange::default(),
        ..change.clone()
    };
    publish_link::apply(context, view, workspace, change, &mut terms)?;
    Ok(books::link::by_destination(
        view,
        workspace,
        domain,
        creator,
        &terms.destination,
    )?)
}
