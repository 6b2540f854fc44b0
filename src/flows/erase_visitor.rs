//! Erases on request what tells who somebody was, named by a visitor, a click or an order: in the click log, and the
//! journeys that the log's clicks left on orders. Credit, counts and money stay; the log keeps a record without a name.

use std::collections::HashSet;

use super::context::Context;
use super::error::Error;
use super::hand_out_codes;
use crate::books;
use crate::clicklog::{Erased, Eraser, Erasure, Reader, Subject};
use crate::domain::click_id::ClickId;
use crate::domain::id::WorkspaceNo;
use crate::domain::keyring::Keyring;

/// Most orders of one name that an erasure looks at; several stores may call an order the same.
const ORDERS_MAX: usize = 16;

/// How the caller names who is to be erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// The visitor's number, not 0.
    Visitor(u64),
    /// A click id: its visitor, or the click alone when it has none.
    Click(String),
    /// The shop's id of an order: the visitor of the click that it shows.
    Order(String),
}

/// What erasing needs of the click log.
#[derive(Clone)]
pub struct Log {
    pub reader: Reader,
    pub eraser: Eraser,
    /// Verifies and signs click ids.
    pub keys: Keyring,
    /// This server's number in click ids.
    pub node: u16,
}

/// Erases what `who` left in `workspace`. Answers the log's record and how many orders lost a journey.
///
/// # Errors
/// [`Error::Invalid`] and [`Error::NotFound`] when `who` names nobody; [`Error::Unavailable`] when not all of it is gone:
/// asking again goes on.
pub async fn erase(context: &Context, log: Log, workspace: WorkspaceNo, who: Who) -> Result<(Erasure, u64), Error> {
    let click_ids = match &who {
        Who::Visitor(_) => Vec::new(),
        Who::Click(text) => vec![text.clone()],
        Who::Order(id) => click_ids_of(context, workspace, id.clone()).await?,
    };
    let (keys, node) = (log.keys.clone(), log.node);
    let erased = tokio::task::spawn_blocking(move || erase_clicks(&log, workspace, &who, &click_ids)).await;
    let erased = erased.map_err(|_| Error::Internal("an erasure panicked".to_owned()))??;
    let named: HashSet<String> = erased
        .clicks
        .iter()
        .map(|(at, sequence, link)| {
            let id = ClickId {
                at: *at,
                node,
                sequence: *sequence,
                link: *link,
            };
            id.sign(&keys).as_str().to_owned()
        })
        .collect();
    let sequences: HashSet<u64> = erased.clicks.iter().map(|(_, sequence, _)| *sequence).collect();
    hand_out_codes::settle(context).await?;
    let forgotten = context.inner.books.commit(move |tx| {
        let codes = books::pool_code::forget_clicks(tx, &sequences)?;
        Ok::<_, Error>((books::order::forget_journeys(tx, workspace, &named)?, codes))
    });
    let (orders, codes) = forgotten.await?;
    codes.iter().for_each(|given| context.inner.table.forget_code(given));
    tracing::info!(clicks = erased.record.clicks, orders, "erased on request");
    if erased.record.set_aside > 0 {
        tracing::warn!(
            stores = erased.record.set_aside,
            "stores that were set aside as corrupt still hold what was erased: delete db.quarantine-* when you can"
        );
    }
    Ok((erased.record, orders))
}

async fn click_ids_of(context: &Context, workspace: WorkspaceNo, id: String) -> Result<Vec<String>, Error> {
    let read = move |view: &books::View<'_>| books::order::click_ids_of(view, workspace, &id).map_err(Error::from);
    let orders = context.inner.books.read(read).await?;
    if orders.is_empty() {
        return Err(Error::NotFound { what: "order" });
    }
    let click_ids: Vec<String> = orders.into_iter().take(ORDERS_MAX).flatten().collect();
    match click_ids.is_empty() {
        true => Err(Error::invalid(
            "orderId",
            "no click came back on this order: nothing names a visitor",
        )),
        false => Ok(click_ids),
    }
}

fn erase_clicks(log: &Log, workspace: WorkspaceNo, who: &Who, click_ids: &[String]) -> Result<Erased, Error> {
    let mut subjects = Vec::new();
    if let Who::Visitor(visitor) = who {
        subjects.push(Subject::Visitor(*visitor));
    }
    for text in click_ids {
        subjects.push(subject_of(log, workspace, text)?);
    }
    let mut sum: Option<Erased> = None;
    for subject in subjects {
        let erased = log.eraser.erase(workspace, subject)?;
        match &mut sum {
            Some(sum) => {
                sum.record.clicks += erased.record.clicks;
                sum.record.blocks += erased.record.blocks;
                sum.record.segments += erased.record.segments;
                sum.clicks.extend(erased.clicks);
            }
            None => sum = Some(erased),
        }
    }
    sum.ok_or_else(|| Error::Internal("an erasure of nobody".to_owned()))
}

/// The visitor of a click, or the click alone when it has none.
fn subject_of(log: &Log, workspace: WorkspaceNo, text: &str) -> Result<Subject, Error> {
    let id = ClickId::verify(text, &log.keys).filter(|id| id.node == log.node);
    let id = id.ok_or_else(|| Error::invalid("clickId", "is not a click id of this server"))?;
    let found = log.reader.find(id.at, id.sequence, id.link)?;
    let click = found.filter(|click| click.workspace == workspace);
    let click = click.ok_or(Error::NotFound { what: "click" })?;
    Ok(match click.visitor {
        0 => Subject::Click {
            at: click.at,
            sequence: click.sequence,
            link: click.link,
        },
        visitor => Subject::Visitor(visitor),
    })
}
