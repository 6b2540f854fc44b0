//! Orders of a file become orders, as if the shop's webhooks had told them: the same order merges, the same refund
//! counts once, whichever came first and however often.
//!
//! Taken in slices, each in one transaction; what is cut off half way is completed by sending the file again.

use super::accept_order::{self, Accepted};
use super::context::Context;
use super::credit_order::Desk;
use super::error::Error;
use super::look_up_order;
use crate::books::{self, View};
use crate::clicklog;
use crate::domain::customer::CustomerKey;
use crate::domain::keyring::Keyring;
use crate::domain::order::{self, OrderSnapshot, Refund};
use crate::domain::store::Store;

/// Orders of one transaction. 100: some 20 ms, so that webhooks hardly wait for a file.
const SLICE: usize = 100;

/// What became of a file's good rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Imported {
    /// Rows that changed the books, or would.
    pub changed: usize,
    /// Rows that told nothing new.
    pub unchanged: usize,
}

impl Imported {
    /// All of them.
    pub fn taken(self) -> usize {
        self.changed + self.unchanged
    }

    fn count(&mut self, accepted: Accepted) {
        match accepted {
            Accepted::Changed => self.changed += 1,
            Accepted::Unchanged => self.unchanged += 1,
        }
    }
}

/// Takes `rows` of `store`. A dry run only counts; it looks at each row by itself.
///
/// # Errors
/// When the books cannot be written: earlier slices are kept.
pub async fn import(
    context: &Context,
    clicks: &clicklog::Reader,
    click_ids: &Keyring,
    store: Store,
    rows: Vec<(OrderSnapshot, Option<Refund>)>,
    is_dry_run: bool,
) -> Result<Imported, Error> {
    let mut imported = Imported::default();
    if is_dry_run {
        let counted = context.inner.books.read(move |view| {
            for (told, refund) in &rows {
                imported.count(weigh(view, &store, told, refund.as_ref())?);
            }
            Ok::<_, Error>(imported)
        });
        return counted.await;
    }
    let now = context.inner.clock.now();
    let mut rows = rows.into_iter();
    loop {
        let mut slice = Vec::with_capacity(SLICE);
        for (told, refund) in rows.by_ref().take(SLICE) {
            let seen = look_up_order::look_up(context, clicks, click_ids, &store, &told).await;
            slice.push((told, refund, seen));
        }
        if slice.is_empty() {
            return Ok(imported);
        }
        let desk = Desk {
            customers: CustomerKey::of(click_ids, store.workspace),
            store: store.clone(),
            now,
        };
        let taken = context.inner.books.commit(move |tx| {
            let mut taken = Imported::default();
            for (told, refund, seen) in slice {
                let (mut accepted, _) = desk.take_order(tx, &told, seen)?;
                if let Some(refund) = refund {
                    accepted = accepted.or(accept_order::accept_refund(tx, &desk.store, &refund, now)?);
                }
                taken.count(accepted);
            }
            Ok::<_, Error>(taken)
        });
        let taken = taken.await?;
        imported.changed += taken.changed;
        imported.unchanged += taken.unchanged;
    }
}

/// What would become of a row.
fn weigh(view: &View<'_>, store: &Store, told: &OrderSnapshot, refund: Option<&Refund>) -> Result<Accepted, Error> {
    let known = books::order::load(view, store.no, &told.external_id)?;
    let known = known.as_ref().map(|row| (&row.order.snapshot, row.order.ages));
    let is_new_state = order::merge(known, told).is_some();
    let is_new_refund = match refund {
        Some(refund) => !books::refund::is_known(view, store.no, &refund.external_id)?,
        None => false,
    };
    Ok(if is_new_state || is_new_refund {
        Accepted::Changed
    } else {
        Accepted::Unchanged
    })
}
