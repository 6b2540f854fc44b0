//! A brand shows a creator their own report: makes the link that does, and takes it back.

use serde_json::{Value, json};

use super::context::Context;
use super::error::Error;
use crate::books;
use crate::domain::id::WorkspaceNo;
use crate::domain::report_link::{DAYS_MAX, OPEN_MAX, ReportLink};

/// Makes a link to the report of the workspace's creator that lasts for `days`.
///
/// # Errors
/// [`Error::Invalid`] on `days`; [`Error::NotFound`]; [`Error::Conflict`] when the creator has [`OPEN_MAX`] open ones.
pub async fn share(
    context: &Context,
    workspace: WorkspaceNo,
    creator_id: String,
    days: u32,
) -> Result<ReportLink, Error> {
    if !(1..=DAYS_MAX).contains(&days) {
        return Err(Error::invalid(
            "days",
            format!("must be a whole number from 1 to {DAYS_MAX}"),
        ));
    }
    let (id, now) = (context.new_id("rl_"), context.inner.clock.now());
    let shared = context.inner.books.commit(move |tx| {
        let found = books::creator::by_id(tx, workspace, &creator_id)?;
        let creator = found.ok_or(Error::NotFound { what: "partner" })?.no;
        if books::report_link::count_open(tx, creator, now)? >= OPEN_MAX as u64 {
            return Err(Error::Conflict {
                field: "partnerId",
                message: format!("has {OPEN_MAX} open links to their report: revoke one first"),
            });
        }
        let link = ReportLink {
            no: 0,
            id,
            workspace,
            creator,
            created_at: now,
            expires_at: ReportLink::end(now, days),
            revoked_at: None,
        };
        let link = books::report_link::insert(tx, link)?;
        books::audit::note(tx, Some(&link.id), None, Some(facts(&link)))?;
        Ok(link)
    });
    shared.await
}

/// Takes the link back: from now on it shows nothing. Taking it back again changes nothing.
///
/// # Errors
/// [`Error::NotFound`] unless it is a link of the workspace's creator.
pub async fn revoke(
    context: &Context,
    workspace: WorkspaceNo,
    creator_id: String,
    id: String,
) -> Result<ReportLink, Error> {
    let now = context.inner.clock.now();
    let revoked = context.inner.books.commit(move |tx| {
        let missing = Error::NotFound { what: "report link" };
        let creator = books::creator::by_id(tx, workspace, &creator_id)?;
        let link = books::report_link::by_id(tx, workspace, &id)?;
        let of_theirs = creator.zip(link).filter(|(creator, link)| link.creator == creator.no);
        let Some((_, link)) = of_theirs else {
            return Err(missing);
        };
        books::report_link::revoke(tx, link.no, now)?;
        books::audit::note(tx, Some(&link.id), Some(facts(&link)), None)?;
        let revoked_at = link.revoked_at.or(Some(now));
        Ok(ReportLink { revoked_at, ..link })
    });
    revoked.await
}

/// What the audit log says of such a link; never its token.
fn facts(link: &ReportLink) -> Value {
    json!({ "expiresAt": link.expires_at.to_string() })
}
