//! The brand decides about an order whose credit is held because its code may have leaked.

use super::audit_facts;
use super::context::Context;
use super::credit_order::Desk;
use super::error::Error;
use crate::books::order::OrderRow;
use crate::books::{self, Tx};
use crate::domain::attribution::{CreditState, Ruling};
use crate::domain::customer::CustomerKey;
use crate::domain::id::WorkspaceNo;
use crate::domain::keyring::Keyring;

/// Releases or refuses the credit of the workspace's order `id`. Saying the same again changes nothing; another word later
/// takes the first one's place.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Conflict`] when the order's credit is not held and never was.
pub async fn rule(
    context: &Context,
    click_ids: &Keyring,
    workspace: WorkspaceNo,
    id: String,
    ruling: Ruling,
) -> Result<OrderRow, Error> {
    let (customers, now) = (CustomerKey::of(click_ids, workspace), context.inner.clock.now());
    let ruled = context.inner.books.commit(move |tx| {
        let row = books::order::by_id(tx, workspace, &id)?.ok_or(Error::NotFound { what: "order" })?;
        let missing = || Error::Internal("an order without its store".to_owned());
        let store = books::store::by_no(tx, row.order.store)?.ok_or_else(missing)?;
        let desk = Desk { store, customers, now };
        apply(tx, &desk, row, ruling)
    });
    ruled.await
}

fn apply(tx: &Tx<'_>, desk: &Desk, mut row: OrderRow, ruling: Ruling) -> Result<OrderRow, Error> {
    if row.order.ruling == Some(ruling) {
        return Ok(row);
    }
    if row.order.ruling.is_none() && row.order.credit.state != CreditState::Held {
        return Err(Error::Conflict {
            field: "decision",
            message: "the credit of this order is not held".to_owned(),
        });
    }
    let before = row.order.clone();
    row.order.ruling = Some(ruling);
    let ruled = desk.settle(tx, row, &before)?;
    let facts = |order| Some(audit_facts::of_credit(order));
    books::audit::note(tx, Some(&ruled.id), facts(&before), facts(&ruled.order))?;
    Ok(ruled)
}
