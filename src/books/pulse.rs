//! When stores' webhooks last told of orders: one short value a store, written with the delivery itself, so that
//! nobody has to look through a million orders for the latest.

use super::error::Error;
use super::meta;
use super::view::{Tx, View};
use crate::domain::id::StoreNo;
use crate::domain::pulse::Pulse;
use crate::domain::time::Timestamp;

fn name(store: StoreNo) -> String {
    format!("pulse:{}", store.0)
}

/// The store's pulse; `None` before its first order.
///
/// # Errors
/// [`Error::Failed`].
pub fn of_store(view: &View<'_>, store: StoreNo) -> Result<Option<Pulse>, Error> {
    Ok(meta::get(view, &name(store))?.as_deref().and_then(Pulse::parse))
}

/// Notes that the store told of an order at `now`.
///
/// # Errors
/// [`Error::Failed`].
pub fn beat(tx: &Tx<'_>, store: StoreNo, now: Timestamp) -> Result<(), Error> {
    let pulse = Pulse::after(of_store(tx, store)?, now);
    meta::put(tx, &name(store), &pulse.to_text())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::books::fixture;

    #[test]
    fn each_store_has_its_own() {
        fixture::in_tx(|tx| {
            beat(tx, StoreNo(1), Timestamp(5))?;
            beat(tx, StoreNo(1), Timestamp(9))?;
            beat(tx, StoreNo(12), Timestamp(7))?;
            let last = |no| Ok::<_, Error>(of_store(tx, StoreNo(no))?.map(|pulse| pulse.last.0));
            assert_eq!((last(1)?, last(12)?, last(2)?), (Some(9), Some(7), None));
            Ok(())
        });
    }
}
