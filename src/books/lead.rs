//! Leads: of one customer each event once, for ever. A lead outlives its customer, without a name.

use super::columns::Columns;
use super::error::Error;
use super::view::{Tx, View};
use crate::domain::attribution::CustomerEvidence;
use crate::domain::id::{CreatorNo, LinkNo, StoreNo, WorkspaceNo};
use crate::domain::time::Timestamp;

pub(super) const COLUMNS: &str = "no, id, workspace, customer, event_name, at, quantity, metadata, click_id, clicked_at, \
                                  link, creator, is_from_browser";

/// A lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lead {
    pub no: i64,
    /// Public id, `evt_` and a ULID.
    pub id: String,
    pub workspace: WorkspaceNo,
    /// Row number; `None` once the customer was erased.
    pub customer: Option<i64>,
    pub event_name: String,
    pub at: Timestamp,
    /// How many leads it counts as.
    pub quantity: u32,
    /// JSON text.
    pub metadata: Option<String>,
    pub click_id: String,
    pub clicked_at: Timestamp,
    pub link: LinkNo,
    /// Who owned the link then.
    pub creator: Option<CreatorNo>,
    /// Whether a page told it, with a publishable key.
    pub is_from_browser: bool,
}

pub(super) fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Lead> {
    let mut columns = Columns::of(row);
    Ok(Lead {
        no: columns.next()?,
        id: columns.next()?,
        workspace: columns.next()?,
        customer: columns.next()?,
        event_name: columns.next()?,
        at: columns.next()?,
        quantity: columns.next()?,
        metadata: columns.next()?,
        click_id: columns.next()?,
        clicked_at: columns.next()?,
        link: columns.next()?,
        creator: columns.next()?,
        is_from_browser: columns.next()?,
    })
}

/// Adds `lead`, whatever its `no` is, unless its customer has one of that name; `false` = they have, and nothing changes.
///
/// # Errors
/// [`Error::Failed`].
pub fn insert(tx: &Tx<'_>, lead: &Lead) -> Result<bool, Error> {
    let added = tx.run(
        "INSERT INTO leads (id, workspace, customer, event_name, at, quantity, metadata, click_id, clicked_at, link,
         creator, is_from_browser) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (customer, event_name) DO NOTHING",
        (
            &lead.id,
            lead.workspace,
            lead.customer,
            &lead.event_name,
            lead.at,
            lead.quantity,
            &lead.metadata,
            &lead.click_id,
            lead.clicked_at,
            lead.link,
            lead.creator,
            lead.is_from_browser,
        ),
    )?;
    Ok(added > 0)
}

/// Lead number `no`.
///
/// # Errors
/// [`Error::Failed`].
pub fn by_no(view: &View<'_>, no: i64) -> Result<Option<Lead>, Error> {
    view.first(&format!("SELECT {COLUMNS} FROM leads WHERE no = ?"), [no], read)
}

/// The customer's lead of that name, or without a name their first.
///
/// # Errors
/// [`Error::Failed`].
pub fn of_customer(view: &View<'_>, customer: i64, event_name: Option<&str>) -> Result<Option<Lead>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM leads WHERE customer = ?1 AND (?2 IS NULL OR event_name = ?2) ORDER BY at, no LIMIT 1"
    );
    view.first(&sql, (customer, event_name), read)
}

/// Who brought the customer whom `/track/sale` told with an order, by their first lead; `order` is its time and the shop's
/// id. A lead before `since`, or of a link that was nobody's, says nothing.
pub(super) fn owner(
    view: &View<'_>,
    store: StoreNo,
    order: (Timestamp, &str),
    since: Timestamp,
) -> Result<Option<CustomerEvidence>, Error> {
    let first = view.first(
        "SELECT creator, id, at, link FROM leads
         WHERE customer = (SELECT customer FROM tracked_sales WHERE store = ? AND order_external_id = ?) AND at <= ?
         ORDER BY at, no LIMIT 1",
        (store, order.1, order.0),
        |row| {
            let mut columns = Columns::of(row);
            let creator: Option<CreatorNo> = columns.next()?;
            let (order, ordered_at_ms, link) = (columns.next()?, columns.next()?, columns.next()?);
            Ok(creator.map(|creator| CustomerEvidence {
                creator,
                order,
                ordered_at_ms,
                link,
            }))
        },
    )?;
    Ok(first.flatten().filter(|found| found.ordered_at_ms >= since.0))
}
