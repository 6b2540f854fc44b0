//! A brand shows that a domain is its own: by a TXT record that only who runs the domain's zone can write.

use super::audit_facts;
use super::context::Context;
use super::error::Error;
use super::publish_domain;
use crate::books;
use crate::domain::id::WorkspaceNo;
use crate::domain::link_domain::LinkDomain;
use crate::domain::outside::TextRecords;

/// Questions that are under way at once: each may take seconds and a socket.
pub(super) const ASKED_AT_ONCE_MAX: usize = 8;

/// Looks for the record now. Returns the domain as it is afterwards, and what is wrong when it is not shown to be the
/// brand's. Once shown, it stays so until it is renamed: the record may go.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn verify(
    context: &Context,
    records: &dyn TextRecords,
    workspace: WorkspaceNo,
    slug: &str,
) -> Result<(LinkDomain, Option<String>), Error> {
    let slug = slug.to_ascii_lowercase();
    let read = context
        .inner
        .books
        .read(move |view| publish_domain::find(view, workspace, &slug));
    let asked = read.await?;
    if asked.verified_at.is_some() {
        return Ok((asked, None));
    }
    let found = {
        let permit = context.inner.asked.acquire().await;
        let _permit = permit.map_err(|_| Error::Unavailable)?;
        records.find(&asked.proof_name()).await
    };
    if let Some(problem) = problem(&asked, found) {
        return Ok((asked, Some(problem)));
    }
    let _order = context.inner.locks.of("domains").await;
    let now = context.inner.clock.now();
    let marked = context.inner.books.commit(move |tx| {
        let mut domain = publish_domain::find(tx, workspace, &asked.id)?;
        // Renamed since: the record shows nothing of the new name.
        let is_shown = domain.slug == asked.slug;
        if is_shown {
            let before = audit_facts::of_domain(&domain);
            domain.verified_at = domain.verified_at.or(Some(now));
            domain.updated_at = now;
            books::link_domain::update(tx, &domain)?;
            let after = audit_facts::of_domain(&domain);
            books::audit::note(tx, Some(&domain.id), Some(before), Some(after))?;
        }
        let renamed = (!is_shown).then(|| "the domain was renamed in the meantime".to_owned());
        Ok::<_, Error>((domain, renamed, books::link_domain::all(tx)?))
    });
    let (domain, renamed, all) = marked.await?;
    context.put_domains(&all);
    Ok((domain, renamed))
}

/// What is wrong with the records found; `None` when one of them is the domain's.
fn problem(domain: &LinkDomain, found: Result<Vec<String>, String>) -> Option<String> {
    let wanted = domain.proof_text();
    match found {
        Err(why) => Some(format!("nobody could tell: {why}")),
        Ok(texts) if texts.iter().any(|text| text.trim() == wanted) => None,
        Ok(texts) if texts.is_empty() => Some("there is no TXT record of that name yet".to_owned()),
        Ok(_) => Some("there are TXT records of that name, but none with that value".to_owned()),
    }
}
