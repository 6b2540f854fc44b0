//! Webhook deliveries that were acted on. Kept for ever, so that none is acted on twice.

use super::error::Error;
use super::view::Tx;
use crate::domain::id::StoreNo;
use crate::domain::time::Timestamp;

/// Notes the delivery in the transaction that acts on it; `false` = it was acted on before.
///
/// # Errors
/// [`Error::Failed`].
pub fn record(tx: &Tx<'_>, store: StoreNo, delivery_id: &str, topic: &str, at: Timestamp) -> Result<bool, Error> {
    let added = tx.run(
        "INSERT INTO deliveries (store, delivery_id, topic, at) VALUES (?, ?, ?, ?)
         ON CONFLICT (store, delivery_id) DO NOTHING",
        (store, delivery_id, topic, at),
    )?;
    Ok(added > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::books::fixture;

    #[test]
    fn a_delivery_is_new_once_a_store() {
        fixture::in_tx(|tx| {
            let workspace = fixture::workspace(tx, "a")?;
            let (ours, theirs) = (fixture::store(tx, "x", workspace)?, fixture::store(tx, "y", workspace)?);
            assert!(record(tx, ours, "d1", "orders/paid", Timestamp(1))?);
            assert!(!record(tx, ours, "d1", "orders/paid", Timestamp(2))?);
            assert!(record(tx, ours, "d2", "orders/paid", Timestamp(2))?);
            assert!(record(tx, theirs, "d1", "orders/paid", Timestamp(2))?);
            Ok(())
        });
    }
}
