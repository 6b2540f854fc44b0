//! Looks now and then whether a code brings far more orders than its creator brings clicks, and marks it. Orders that are
//! there keep their credit.

use std::collections::HashMap;

use super::context::Context;
use super::error::Error;
use crate::books::link::LinkOwner;
use crate::books::{self, View};
use crate::clicklog::{self, Filter, Lacks, Query};
use crate::domain::attribution::{LeakSignal, leak};
use crate::domain::click::ClassSet;
use crate::domain::discount_code::{DiscountCode, fold};
use crate::domain::id::{CreatorNo, WorkspaceNo};
use crate::domain::program::Program;
use crate::domain::time::Timestamp;

/// What the books say of one brand's codes.
struct Codes {
    codes: Vec<DiscountCode>,
    /// Orders by the folded code.
    orders: HashMap<String, u64>,
    links: Vec<LinkOwner>,
}

/// Looks at every brand's codes; returns how many were marked. Blocks.
///
/// # Errors
/// A store cannot be read; what was marked before stays.
pub fn look(context: &Context, clicks: &clicklog::Reader) -> Result<usize, Error> {
    let books = &context.inner.books;
    let now = context.inner.clock.now();
    let mut marked = 0;
    for workspace in books.read_blocking(|view| books::workspace::list(view).map_err(Error::from))? {
        let suspects = suspects(context, clicks, workspace.no, now)?;
        for code in suspects {
            tracing::warn!(code = %code.code, "a code brings far more orders than its creator brings clicks");
            marked += usize::from(books.commit_blocking(move |tx| {
                books::discount_code::set_leak(tx, code.workspace, &code.id, Some(LeakSignal::ClickShare), false)
            })?);
        }
    }
    Ok(marked)
}

fn suspects(
    context: &Context,
    clicks: &clicklog::Reader,
    workspace: WorkspaceNo,
    now: Timestamp,
) -> Result<Vec<DiscountCode>, Error> {
    let read = |view: &View<'_>| {
        let program = books::program::in_force(view, workspace)?;
        let program: Program = program.map(|(_, program)| program).unwrap_or_default();
        let since = now.plus_ms(-program.window_ms());
        Ok::<_, Error>((
            since,
            program.heeds(LeakSignal::ClickShare),
            load(view, workspace, since)?,
        ))
    };
    let (since, is_heeded, known) = context.inner.books.read_blocking(read)?;
    let is_worth_a_look = |orders: &u64| *orders >= leak::ORDERS_ABOVE_CLICKS_MIN;
    if !is_heeded || !known.orders.values().any(is_worth_a_look) {
        return Ok(Vec::new());
    }
    let by_link = clicks.count_by_link(&Query {
        workspace,
        links: None,
        start: since,
        end: now.plus_ms(1),
        classes: ClassSet::default(),
        filter: Filter::default(),
        lacks: Lacks::default(),
    })?;
    let mut by_creator: HashMap<CreatorNo, u64> = HashMap::new();
    for link in &known.links {
        if let (Some(creator), Some(count)) = (link.creator, by_link.get(&link.no)) {
            *by_creator.entry(creator).or_default() += count;
        }
    }
    let all_clicks = by_creator.values().sum();
    let all_orders = known.orders.values().sum();
    let is_suspect = |code: &DiscountCode| {
        let orders = known.orders.get(&fold(&code.code)).copied().unwrap_or(0);
        let own = by_creator.get(&code.creator).copied().unwrap_or(0);
        code.leak.is_none() && !code.is_trusted && leak::is_far_above_clicks(orders, all_orders, own, all_clicks)
    };
    Ok(known.codes.into_iter().filter(is_suspect).collect())
}

fn load(view: &View<'_>, workspace: WorkspaceNo, since: Timestamp) -> Result<Codes, Error> {
    let mut orders: HashMap<String, u64> = HashMap::new();
    for (code, count) in books::discount_code::orders_by_code(view, workspace, since)? {
        *orders.entry(fold(&code)).or_default() += count;
    }
    Ok(Codes {
        codes: books::discount_code::all(view, workspace)?,
        orders,
        links: books::link::owners(view, workspace, false)?,
    })
}
