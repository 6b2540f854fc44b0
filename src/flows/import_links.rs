//! Links that come from elsewhere: made as bulk calls make them, but what is there already is recognised, so that the same
//! file can be sent again, and a rehearsal says what would become of it and keeps nothing.

use std::collections::VecDeque;

use super::bulk_links::{self, Slice};
use super::context::Context;
use super::error::Error;
use super::hand_out_codes;
use super::link_facts;
use super::lock_link;
use super::publish_link::{self, LinkChange, custom_slug, domain_for};
use crate::books::{self, Tx};
use crate::domain::id::WorkspaceNo;
use crate::domain::link::{Link, LinkTerms};

/// What became of a link of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Imported {
    /// It was made, or would be.
    Created(Box<Link>),
    /// It was there, with all that the file says of it: its public id.
    Known(String),
}

/// Makes those of up to [`bulk_links::BULK_MAX`] links that are not there; each succeeds or fails by itself. A dry run
/// keeps nothing: it sees links of one call that are in each other's way only where one transaction held both.
///
/// # Errors
/// What keeps the store from taking the first slice: nothing is made then.
pub async fn import(
    context: &Context,
    workspace: WorkspaceNo,
    mut changes: Vec<LinkChange>,
    is_dry_run: bool,
) -> Result<Vec<Result<Imported, Error>>, Error> {
    bulk_links::check_count("links", changes.len())?;
    lock_link::seal(context, &mut changes).await?;
    let inner = context.clone();
    let make = move |tx: &Tx<'_>, change| make(&inner, tx, workspace, change);
    if is_dry_run {
        return rehearse(context, changes.into(), make).await;
    }
    let publish = |imported: &Imported| {
        if let Imported::Created(link) = imported {
            context.inner.table.put(link, None);
        }
    };
    let made = bulk_links::run(context, changes.into(), make, publish).await?;
    hand_out_codes::prepare(context, None).await;
    Ok(made)
}

fn make(context: &Context, tx: &Tx<'_>, workspace: WorkspaceNo, change: LinkChange) -> Result<Imported, Error> {
    match publish_link::insert(context, tx, workspace, change.clone()) {
        Ok(link) => Ok(Imported::Created(Box::new(link))),
        Err(refused @ Error::Conflict { .. }) => recognise(context, tx, workspace, change, refused),
        Err(error) => Err(error),
    }
}

/// The link that is in the way of `change`, when it is the same one.
fn recognise(
    context: &Context,
    tx: &Tx<'_>,
    workspace: WorkspaceNo,
    change: LinkChange,
    refused: Error,
) -> Result<Imported, Error> {
    let Error::Conflict { field, .. } = refused else {
        return Err(refused);
    };
    let there = match (field, &change.external_id, &change.slug) {
        ("externalId", Some(Some(id)), _) => books::link::by_external_id(tx, workspace, id)?,
        ("key", _, Some(key)) => {
            let domain = domain_for(context, tx, workspace, change.domain.as_deref())?;
            books::link::by_slug(tx, domain.no, &custom_slug(key)?)?
        }
        _ => None,
    };
    let Some(there) = there.filter(|link| link.workspace == workspace) else {
        return Err(refused);
    };
    let differences = differences(context, tx, workspace, change, &there)?;
    if differences.is_empty() {
        return Ok(Imported::Known(there.id));
    }
    Err(Error::Conflict {
        field,
        message: format!(
            "is taken by {}, which differs in {}: change that link, or give this one another {field}",
            there.id,
            differences.join(", ")
        ),
    })
}

/// The fields in which `there` is not what `change` says.
fn differences(
    context: &Context,
    tx: &Tx<'_>,
    workspace: WorkspaceNo,
    change: LinkChange,
    there: &Link,
) -> Result<Vec<String>, Error> {
    let mut wanted = Link {
        terms: LinkTerms::default(),
        ..there.clone()
    };
    let domain = domain_for(context, tx, workspace, change.domain.as_deref())?;
    wanted.domain = domain.no;
    if let Some(key) = &change.slug {
        (wanted.slug, wanted.is_exact) = (custom_slug(key)?, change.is_exact.unwrap_or(domain.is_case_sensitive));
    }
    let is_filed = change.filing.resolve(tx, workspace)?.is_of(tx, there.no)?;
    let says_start = change.experiment.started_at.is_some();
    publish_link::apply(context, tx, workspace, change, &mut wanted.terms)?;
    overlook(&mut wanted.terms, &there.terms, says_start);
    let mut names = Vec::new();
    let mut note = |differs: bool, name: &str| {
        if differs && !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    };
    note(wanted.domain != there.domain, "domain");
    note(wanted.is_exact != there.is_exact, "caseSensitive");
    note(!is_filed, "tags or folder");
    note(wanted.terms.creator != there.terms.creator, "partnerId");
    note(wanted.terms.campaign != there.terms.campaign, "campaignId");
    let (is, was) = (link_facts::of(&wanted), link_facts::of(there));
    for (name, value) in is.as_object().into_iter().flatten() {
        note(was[name.as_str()] != *value, name);
    }
    if names.is_empty() && wanted.terms != there.terms {
        names.push("its cart, variants or rules".to_owned());
    }
    Ok(names)
}

/// What a file cannot say of a link that is there: which salt its password has, and when it was switched off.
fn overlook(wanted: &mut LinkTerms, there: &LinkTerms, says_start: bool) {
    if wanted.reception.password.is_some() && there.reception.password.is_some() {
        wanted.reception.password = there.reception.password.clone();
    }
    if wanted.disabled_at.is_some() && there.disabled_at.is_some() {
        wanted.disabled_at = there.disabled_at;
    }
    if let (Some(wanted), Some(there), false) = (&mut wanted.experiment, &there.experiment, says_start) {
        wanted.started_at = there.started_at;
    }
}

/// Why a rehearsal's transaction is not kept.
enum Curtain {
    Over(Slice<LinkChange, Imported>),
    Failed(Error),
}

impl From<books::Error> for Curtain {
    fn from(error: books::Error) -> Self {
        Self::Failed(error.into())
    }
}

/// Does all of it in transactions that are taken back.
async fn rehearse(
    context: &Context,
    mut jobs: VecDeque<LinkChange>,
    work: impl Fn(&Tx<'_>, LinkChange) -> Result<Imported, Error> + Clone + Send + 'static,
) -> Result<Vec<Result<Imported, Error>>, Error> {
    let mut results = Vec::with_capacity(jobs.len());
    while !jobs.is_empty() {
        let (left, work) = (std::mem::take(&mut jobs), work.clone());
        let played = context.inner.books.commit(move |tx| {
            let curtain = bulk_links::slice(tx, left, work).map_or_else(Curtain::Failed, Curtain::Over);
            Err::<(), _>(curtain)
        });
        match played.await {
            Ok(()) => {}
            Err(Curtain::Over((done, left))) => {
                results.extend(done);
                jobs = left;
            }
            Err(Curtain::Failed(error)) => return Err(error),
        }
    }
    Ok(results)
}
