//! The brand says whether a creator's code has leaked; orders that come with it from then on go by that.

use super::audit_facts;
use super::context::Context;
use super::error::Error;
use crate::books;
use crate::domain::attribution::LeakSignal;
use crate::domain::discount_code::DiscountCode;
use crate::domain::id::WorkspaceNo;

/// Marks the workspace's code `id` as leaked, or as one to be trusted whatever signals say.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn say(
    context: &Context,
    workspace: WorkspaceNo,
    id: String,
    is_leaked: bool,
) -> Result<DiscountCode, Error> {
    let said = context.inner.books.commit(move |tx| {
        let find = || books::discount_code::by_id(tx, workspace, &id)?.ok_or(Error::NotFound { what: "discount code" });
        let before = find()?;
        let leak = is_leaked.then_some(LeakSignal::Reported);
        books::discount_code::set_leak(tx, workspace, &id, leak, !is_leaked)?;
        let after = find()?;
        let facts = |code| Some(audit_facts::of_code(code));
        books::audit::note(tx, Some(&id), facts(&before), facts(&after))?;
        Ok(after)
    });
    said.await
}
