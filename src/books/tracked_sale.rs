//! What `/track/sale` said beside its order: an invoice once in a workspace, for ever, whatever its store.

use super::columns::Columns;
use super::error::Error;
use super::view::{Tx, View};
use crate::domain::id::{StoreNo, WorkspaceNo};
use crate::domain::time::Timestamp;

const COLUMNS: &str = "no, workspace, invoice_id, store, order_external_id, customer, event_name, amount, currency, \
                       processor, metadata, at, is_from_browser";

/// A sale as it was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackedSale {
    pub no: i64,
    pub workspace: WorkspaceNo,
    pub invoice_id: Option<String>,
    pub store: StoreNo,
    /// The order's id in that store: the invoice's, where there is one.
    pub order_external_id: String,
    /// Row number; `None` once the customer was erased.
    pub customer: Option<i64>,
    pub event_name: String,
    /// As told; minor units.
    pub amount: i64,
    /// ISO 4217 code, upper case.
    pub currency: String,
    /// A word of the dialect.
    pub processor: String,
    /// JSON text.
    pub metadata: Option<String>,
    pub at: Timestamp,
    /// Whether a page told it, with a publishable key.
    pub is_from_browser: bool,
}

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<TrackedSale> {
    let mut columns = Columns::of(row);
    Ok(TrackedSale {
        no: columns.next()?,
        workspace: columns.next()?,
        invoice_id: columns.next()?,
        store: columns.next()?,
        order_external_id: columns.next()?,
        customer: columns.next()?,
        event_name: columns.next()?,
        amount: columns.next()?,
        currency: columns.next()?,
        processor: columns.next()?,
        metadata: columns.next()?,
        at: columns.next()?,
        is_from_browser: columns.next()?,
    })
}

/// Adds `sale`, whatever its `no` is.
///
/// # Errors
/// [`Error::Conflict`] on `invoiceId`.
pub fn insert(tx: &Tx<'_>, sale: &TrackedSale) -> Result<(), Error> {
    tx.run_unique(
        "INSERT INTO tracked_sales (workspace, invoice_id, store, order_external_id, customer, event_name, amount,
         currency, processor, metadata, at, is_from_browser) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            sale.workspace,
            &sale.invoice_id,
            sale.store,
            &sale.order_external_id,
            sale.customer,
            &sale.event_name,
            sale.amount,
            &sale.currency,
            &sale.processor,
            &sale.metadata,
            sale.at,
            sale.is_from_browser,
        ),
        &[
            ("tracked_sales.workspace, tracked_sales.invoice_id", "invoiceId"),
            ("tracked_sales.store, tracked_sales.order_external_id", "invoiceId"),
        ],
    )?;
    Ok(())
}

/// The workspace's sale with this invoice.
///
/// # Errors
/// [`Error::Failed`].
pub fn by_invoice(view: &View<'_>, workspace: WorkspaceNo, invoice_id: &str) -> Result<Option<TrackedSale>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM tracked_sales WHERE workspace = ? AND invoice_id = ?");
    view.first(&sql, (workspace, invoice_id), read)
}

/// What was told beside the store's order; `None` = no more than the shop's webhooks told.
///
/// # Errors
/// [`Error::Failed`].
pub fn of_order(view: &View<'_>, store: StoreNo, order_external_id: &str) -> Result<Option<TrackedSale>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM tracked_sales WHERE store = ? AND order_external_id = ?");
    view.first(&sql, (store, order_external_id), read)
}
