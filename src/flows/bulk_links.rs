//! Many links in one call: made, changed or deleted, each by itself, in slices that leave the writer free for webhooks.
//!
//! The answer comes once all of it is durable and followable. Never all or nothing: one bad link does not take the
//! others along, and who is cut off half way asks again.

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use super::context::Context;
use super::error::Error;
use super::hand_out_codes;
use super::lock_link;
use super::publish_link::{self, Changed, LinkChange};
use crate::books::Tx;
use crate::domain::id::WorkspaceNo;
use crate::domain::link::Link;

/// Links in one call. 10,000: a brand's whole season in one request, some 10 MB of answer, about a second of work.
pub const BULK_MAX: usize = 10_000;

/// How long one slice keeps the writer. 20 ms: with its commit it stays near the 25 ms that a webhook may wait.
const SLICE_SPAN: Duration = Duration::from_millis(20);

/// Makes up to [`BULK_MAX`] links; each succeeds or fails by itself, and they can be followed when this returns.
///
/// # Errors
/// What keeps the store from taking the first slice: nothing is made then. Later, the links of slices that were not
/// stored each have their error.
pub async fn create(
    context: &Context,
    workspace: WorkspaceNo,
    mut changes: Vec<LinkChange>,
) -> Result<Vec<Result<Link, Error>>, Error> {
    check_count("links", changes.len())?;
    lock_link::seal(context, &mut changes).await?;
    let inner = context.clone();
    let insert = move |tx: &Tx<'_>, change| publish_link::insert(&inner, tx, workspace, change);
    let made = run(context, changes.into(), insert, |link| {
        context.inner.table.put(link, None)
    })
    .await?;
    hand_out_codes::prepare(context, None).await;
    Ok(made)
}

/// Makes the same change to the links called `ids`; a link that is called twice is changed once. The results stand in
/// the order of the links' first calls, beside what each was called.
///
/// # Errors
/// As [`create`].
pub async fn update(
    context: &Context,
    workspace: WorkspaceNo,
    ids: Vec<String>,
    mut change: LinkChange,
) -> Result<Vec<(String, Result<Link, Error>)>, Error> {
    check_count("linkIds", ids.len())?;
    lock_link::seal(context, std::slice::from_mut(&mut change)).await?;
    let ids = distinct(ids);
    let inner = context.clone();
    let apply = move |tx: &Tx<'_>, id: String| publish_link::change_in(&inner, tx, workspace, &id, change.clone());
    let put = |Changed { before, after }: &Changed| context.inner.table.put(after, Some(before));
    let changed = run(context, ids.clone().into(), apply, put).await?;
    hand_out_codes::prepare(context, None).await;
    let after = changed.into_iter().map(|changed| changed.map(|changed| changed.after));
    Ok(ids.into_iter().zip(after).collect())
}

/// Deletes the links called `ids`; those that are gone already are passed over. The number deleted.
///
/// # Errors
/// What keeps the store from deleting; what was deleted until then stays so, and asking again deletes the rest.
pub async fn delete(context: &Context, workspace: WorkspaceNo, ids: Vec<String>) -> Result<usize, Error> {
    check_count("linkIds", ids.len())?;
    let remove = move |tx: &Tx<'_>, id: String| match publish_link::delete_in(tx, workspace, &id) {
        Err(Error::NotFound { .. }) => Ok(None),
        gone => gone.map(Some),
    };
    let unlist = |gone: &Option<Link>| gone.iter().for_each(|link| context.inner.table.remove(link));
    let gone = run(context, distinct(ids).into(), remove, unlist).await?;
    let mut count = 0;
    for link in gone {
        count += usize::from(link?.is_some());
    }
    Ok(count)
}

pub(super) fn check_count(field: &str, count: usize) -> Result<(), Error> {
    match count > BULK_MAX {
        true => Err(Error::invalid(
            field,
            format!("must have at most {BULK_MAX} entries a call"),
        )),
        false => Ok(()),
    }
}

fn distinct(mut ids: Vec<String>) -> Vec<String> {
    let mut seen = HashSet::with_capacity(ids.len());
    ids.retain(|id| seen.insert(id.clone()));
    ids
}

/// Does `work` for every one of `jobs`, slice by slice, and hands what was stored to `publish`, in the order of the
/// commits even when others change the same links.
pub(super) async fn run<J, T>(
    context: &Context,
    mut jobs: VecDeque<J>,
    work: impl Fn(&Tx<'_>, J) -> Result<T, Error> + Clone + Send + 'static,
    publish: impl Fn(&T),
) -> Result<Vec<Result<T, Error>>, Error>
where
    J: Send + 'static,
    T: Send + 'static,
{
    let wanted = jobs.len();
    let mut results = Vec::with_capacity(wanted);
    while !jobs.is_empty() {
        let _order = context.inner.locks.all().await;
        let (left, work) = (std::mem::take(&mut jobs), work.clone());
        let slice = context.inner.books.commit(move |tx| slice(tx, left, work));
        match slice.await {
            Ok((done, left)) => {
                done.iter().flatten().for_each(&publish);
                results.extend(done);
                jobs = left;
            }
            Err(error) if results.is_empty() => return Err(error),
            Err(error) => {
                tracing::error!(%error, stored = results.len(), wanted, "a bulk call was cut off");
                results.resize_with(wanted, || Err(Error::Unavailable));
            }
        }
    }
    Ok(results)
}

/// What became of the jobs of one slice, and the jobs that are left.
pub(super) type Slice<J, T> = (Vec<Result<T, Error>>, VecDeque<J>);

/// Jobs until [`SLICE_SPAN`] is over, at least one. What is not the caller's doing ends the slice: nothing half-made
/// stays.
pub(super) fn slice<J, T>(
    tx: &Tx<'_>,
    mut jobs: VecDeque<J>,
    work: impl Fn(&Tx<'_>, J) -> Result<T, Error>,
) -> Result<Slice<J, T>, Error> {
    let began = Instant::now();
    let mut done = Vec::new();
    while let Some(job) = jobs.pop_front() {
        match work(tx, job) {
            Err(error @ (Error::Internal(_) | Error::Unavailable)) => return Err(error),
            result => done.push(result),
        }
        if began.elapsed() >= SLICE_SPAN {
            break;
        }
    }
    Ok((done, jobs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_named_once() {
        let ids = ["b", "a", "b", "a"].map(str::to_owned).to_vec();
        assert_eq!(distinct(ids), ["b", "a"]);
        assert!(check_count("links", BULK_MAX).is_ok());
        assert!(check_count("links", BULK_MAX + 1).is_err());
    }
}
