//! Discount codes are given to creators. The code itself must exist in the shop; here it only says whose it is.

use super::audit_facts;
use super::context::Context;
use super::error::Error;
use super::publish_link;
use crate::books;
use crate::domain::cart::check_code;
use crate::domain::discount_code::DiscountCode;
use crate::domain::id::WorkspaceNo;

/// Takes the code `id_or_code` from its creator: orders that show it later say nothing of them. What it brought stays.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn withdraw(context: &Context, workspace: WorkspaceNo, id_or_code: String) -> Result<DiscountCode, Error> {
    let gone = context.inner.books.commit(move |tx| {
        let by_id = books::discount_code::by_id(tx, workspace, &id_or_code)?;
        let found = match by_id {
            Some(code) => Some(code),
            None => books::discount_code::by_code(tx, workspace, &id_or_code)?,
        };
        let code = found.ok_or(Error::NotFound { what: "discount code" })?;
        books::discount_code::delete(tx, workspace, &code.id)?;
        books::audit::note(tx, Some(&code.id), Some(audit_facts::of_code(&code)), None)?;
        Ok(code)
    });
    gone.await
}

/// Gives `code` to a creator, optionally for one link.
pub async fn issue(
    context: &Context,
    workspace: WorkspaceNo,
    code: String,
    creator_id: String,
    link_id: Option<String>,
) -> Result<DiscountCode, Error> {
    check_code(&code).map_err(|message| Error::invalid("code", message))?;
    let (id, now) = (context.new_id("dcode_"), context.inner.clock.now());
    context
        .inner
        .books
        .commit(move |tx| {
            let creator = books::creator::by_id(tx, workspace, &creator_id)?
                .ok_or_else(|| Error::invalid("partnerId", "is not a partner of this workspace"))?;
            if creator.departure.is_some() {
                let message = format!("is {}: it gets no codes", creator.status());
                return Err(Error::invalid("partnerId", message));
            }
            let link = match link_id {
                Some(link_id) => {
                    let link = publish_link::find(tx, workspace, &link_id)
                        .map_err(|_| Error::invalid("linkId", "is not a link of this workspace"))?;
                    if link.terms.creator != Some(creator.no) {
                        return Err(Error::invalid("linkId", "is not a link of this partner"));
                    }
                    Some(link.no)
                }
                None => None,
            };
            if books::pool_code::is_known(tx, workspace, &code)? {
                return Err(Error::invalid("code", "is a single-use code of one of your pools"));
            }
            let code = DiscountCode {
                id,
                workspace,
                code,
                creator: creator.no,
                link,
                created_at: now,
                leak: None,
                is_trusted: false,
            };
            books::discount_code::insert(tx, &code)?;
            books::audit::note(tx, Some(&code.id), None, Some(audit_facts::of_code(&code)))?;
            Ok(code)
        })
        .await
}
