//! A brand parts with a creator, for good or for a while, and takes them back.
//!
//! First it is written that they left, so that nobody gives them new links; then their links go off, in slices. Who is cut
//! off half way asks again. What they brought until then stays theirs.

use super::audit_facts;
use super::bulk_links::{self, BULK_MAX};
use super::context::Context;
use super::error::Error;
use super::publish_link::LinkChange;
use crate::books::{self, View};
use crate::domain::creator::{BanReason, Creator, Departure};
use crate::domain::id::WorkspaceNo;

/// A creator as callers name one: by public id, else by the brand's own id.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Whom {
    pub id: Option<String>,
    pub tenant_id: Option<String>,
}

impl Whom {
    /// The workspace's creator of that name.
    ///
    /// # Errors
    /// [`Error::Invalid`] when none is named; [`Error::NotFound`].
    pub fn find(&self, view: &View<'_>, workspace: WorkspaceNo) -> Result<Creator, Error> {
        let found = match (&self.id, &self.tenant_id) {
            (Some(id), _) => books::creator::by_id(view, workspace, id)?,
            (None, Some(id)) => books::creator::by_tenant_id(view, workspace, id)?,
            (None, None) => return Err(Error::invalid("partnerId", "or tenantId is required")),
        };
        found.ok_or(Error::NotFound { what: "partner" })
    }
}

/// Parts with a creator: with a `ban` they are sent away for that, without one they are deactivated. Their links are off
/// when this returns.
///
/// # Errors
/// As [`Whom::find`]; [`Error::Invalid`] when somebody banned is to be deactivated.
pub async fn part(
    context: &Context,
    workspace: WorkspaceNo,
    whom: Whom,
    ban: Option<BanReason>,
) -> Result<Creator, Error> {
    let now = context.inner.clock.now();
    let creator = change(context, workspace, whom, move |before| {
        let earlier = before.departure;
        if ban.is_none() && earlier.is_some_and(|departure| departure.ban.is_some()) {
            return Err(Error::invalid("partnerId", "is banned: that is more than deactivated"));
        }
        let at = earlier.map_or(now, |departure| departure.at);
        Ok(Some(Departure { at, ban }))
    });
    let creator = creator.await?;
    let no = creator.no;
    switch(context, workspace, false, move |view| {
        Ok(books::link::ids_on_of_creator(view, no, BULK_MAX)?)
    })
    .await?;
    Ok(creator)
}

/// Takes a creator back who left; links that went off since then are on again when this returns.
///
/// # Errors
/// As [`Whom::find`].
pub async fn take_back(context: &Context, workspace: WorkspaceNo, whom: Whom) -> Result<Creator, Error> {
    let (inner, asked) = (whom.clone(), workspace);
    let before = context.inner.books.read(move |view| inner.find(view, asked)).await?;
    let Some(Departure { at, .. }) = before.departure else {
        return Ok(before);
    };
    // Links first: were it told first that they are back, a second try would no longer know since when links are off.
    let no = before.no;
    switch(context, workspace, true, move |view| {
        Ok(books::link::ids_off_of_creator(view, no, at, BULK_MAX)?)
    })
    .await?;
    change(context, workspace, whom, |_| Ok(None)).await
}

async fn change(
    context: &Context,
    workspace: WorkspaceNo,
    whom: Whom,
    decide: impl Fn(&Creator) -> Result<Option<Departure>, Error> + Send + 'static,
) -> Result<Creator, Error> {
    let changed = context.inner.books.commit(move |tx| {
        let before = whom.find(tx, workspace)?;
        let departure = decide(&before)?;
        let after = Creator {
            departure,
            ..before.clone()
        };
        if after != before {
            books::creator::update(tx, &after)?;
            let facts = |creator| Some(audit_facts::of_creator(creator));
            books::audit::note(tx, Some(&after.id), facts(&before), facts(&after))?;
        }
        Ok::<_, Error>(after)
    });
    let creator = changed.await?;
    context.inner.table.put_creator(&creator);
    Ok(creator)
}

/// Switches links on or off, until `ids` finds no more.
async fn switch(
    context: &Context,
    workspace: WorkspaceNo,
    is_on: bool,
    ids: impl Fn(&View<'_>) -> Result<Vec<String>, Error> + Clone + Send + 'static,
) -> Result<(), Error> {
    loop {
        let found = context.inner.books.read(ids.clone()).await?;
        if found.is_empty() {
            return Ok(());
        }
        let change = LinkChange {
            is_disabled: Some(!is_on),
            ..LinkChange::default()
        };
        for (_, changed) in bulk_links::update(context, workspace, found, change).await? {
            match changed {
                // Gone since it was found.
                Err(Error::NotFound { .. }) | Ok(_) => {}
                Err(error) => return Err(error),
            }
        }
    }
}
