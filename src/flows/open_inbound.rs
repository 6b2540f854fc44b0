//! The links that inbound carts count on: one for each domain, and one for each creator whom such carts name there.
//!
//! Made when the first such cart comes, for nobody can say beforehand which creators it will be. They are links like
//! all others: reports, attribution and journeys need to know nothing of them.

use super::context::Context;
use super::error::Error;
use crate::books;
use crate::books::link::NewLink;
use crate::domain::id::{CreatorNo, DomainNo};
use crate::domain::link::LinkTerms;

/// First part of these links' slugs. Followed by themselves they lead to the store's front.
const SLUG: &str = "~carts";

/// The slug of the link that carts naming `creator` (its public id) count on.
pub fn slug(creator: Option<&str>) -> String {
    match creator {
        Some(id) => format!("{SLUG}/{}", id.to_ascii_lowercase()),
        None => SLUG.to_owned(),
    }
}

/// Sees to it that the link exists and can be found in the table when this returns.
///
/// # Errors
/// [`Error::NotFound`] when the domain or its store is gone.
pub async fn open(context: &Context, domain: DomainNo, creator: Option<(CreatorNo, String)>) -> Result<(), Error> {
    let slug = slug(creator.as_ref().map(|(_, id)| id.as_str()));
    // Every lock: which link it will be, and whether it is there, is known in the transaction. Once a creator and domain.
    let _order = context.inner.locks.all().await;
    let (id, now) = (context.new_id("link_"), context.inner.clock.now());
    let opened = context.inner.books.commit(move |tx| {
        if let Some(known) = books::link::by_slug(tx, domain, &slug)? {
            return Ok(known);
        }
        let missing = |what| move || Error::NotFound { what };
        let domain = books::link_domain::by_no(tx, domain)?.ok_or_else(missing("domain"))?;
        let store = domain.store.ok_or_else(missing("store"))?;
        let store = books::store::by_no(tx, store)?.ok_or_else(missing("store"))?;
        let terms = LinkTerms {
            destination: crate::domain::cart::front(store.provider, &store.base_url),
            creator: creator.map(|(no, _)| no),
            tracks_conversions: true,
            title: Some("Carts linked to at /buy and /checkout".to_owned()),
            ..LinkTerms::default()
        };
        let new = NewLink {
            id,
            workspace: store.workspace,
            domain: domain.no,
            slug,
            is_exact: false,
            terms,
            created_at: now,
        };
        Ok::<_, Error>(books::link::insert(tx, &new)?)
    });
    let link = opened.await?;
    context.inner.table.put(&link, None);
    Ok(())
}
