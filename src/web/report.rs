//! The performance report: clicks from the log and sales from the books, brought together by creator or niche.
//!
//! Read by the API and by the console, so that both show the same numbers.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::books::{self, View};
use crate::clicklog::{self, Query};
use crate::domain::click::{ClassSet, ClickClass};
use crate::domain::creator::Creator;
use crate::domain::id::{CreatorNo, LinkNo, WorkspaceNo};
use crate::domain::performance::{Performance, Sales};
use crate::domain::time::Timestamp;
use crate::flows::{Context, Error};

/// What rows are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupBy {
    Creator,
    Niche,
}

/// The key of rows that no creator or niche is behind.
pub const NOBODY: &str = "(none)";

/// One row: a group and its sums.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The creator's id, or the niche.
    pub key: String,
    /// The creator's name, or the niche.
    pub name: String,
    pub sums: Performance,
}

/// What a report is about.
#[derive(Debug, Clone)]
pub struct Request {
    pub workspace: WorkspaceNo,
    pub group_by: GroupBy,
    pub start: Timestamp,
    pub end: Timestamp,
    /// ISO 4217 code; sums of different currencies are never added.
    pub currency: Option<String>,
}

/// The rows, best net revenue first, and the currency they are in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub rows: Vec<Row>,
    pub currency: String,
    /// Everything together; unique visitors over all groups, not their sum.
    pub total: Performance,
}

struct Loaded {
    creators: Vec<Creator>,
    links: Vec<(LinkNo, Option<CreatorNo>)>,
    sales: Vec<(Option<CreatorNo>, Sales)>,
    currency: String,
}

/// Reads the report.
pub async fn performance(context: &Context, clicks: &clicklog::Reader, request: Request) -> Result<Report, Error> {
    let wanted = request.clone();
    let loaded = context.books().read(move |view| load(view, &wanted)).await?;
    let clicks = clicks.clone();
    let report = tokio::task::spawn_blocking(move || put_together(&clicks, &request, loaded)).await;
    report.map_err(|_| Error::Internal("a report panicked".to_owned()))?
}

fn load(view: &View<'_>, request: &Request) -> Result<Loaded, Error> {
    let currency = currency_of(view, request)?;
    Ok(Loaded {
        creators: books::creator::all(view, request.workspace)?,
        links: books::link::creators_of_links(view, request.workspace)?,
        sales: books::sales::by_creator(view, request.workspace, request.start, request.end, &currency)?,
        currency,
    })
}

/// The currency asked for, else the only one there is: amounts of two currencies are not one amount.
fn currency_of(view: &View<'_>, request: &Request) -> Result<String, Error> {
    if let Some(code) = &request.currency {
        let known = crate::domain::money::currency(code);
        return known
            .map(|known| known.code().to_owned())
            .ok_or_else(|| Error::invalid("currency", "must be an ISO 4217 code such as EUR"));
    }
    let used = books::sales::currencies(view, request.workspace)?;
    match used.as_slice() {
        [] => {
            let stores = books::store::list(view, request.workspace)?;
            Ok(stores
                .first()
                .map_or_else(|| "USD".to_owned(), |store| store.currency.clone()))
        }
        [one] => Ok(one.clone()),
        several => Err(Error::invalid(
            "currency",
            format!("is required: orders are in {}", several.join(", ")),
        )),
    }
}

fn put_together(clicks: &clicklog::Reader, request: &Request, loaded: Loaded) -> Result<Report, Error> {
    let creators: HashMap<CreatorNo, &Creator> = loaded.creators.iter().map(|creator| (creator.no, creator)).collect();
    let group_of = |creator: Option<CreatorNo>| -> (String, String) {
        let creator = creator.and_then(|no| creators.get(&no));
        match (creator, request.group_by) {
            (None, _) => (NOBODY.to_owned(), NOBODY.to_owned()),
            (Some(creator), GroupBy::Creator) => (creator.id.clone(), creator.terms.name.clone()),
            (Some(creator), GroupBy::Niche) => {
                let niche = creator.terms.niche.clone().unwrap_or_else(|| NOBODY.to_owned());
                (niche.clone(), niche)
            }
        }
    };
    let mut groups: BTreeMap<(String, String), (Performance, HashSet<LinkNo>)> = BTreeMap::new();
    let overflow = || Error::Internal("a report's sums do not fit".to_owned());
    for creator in &loaded.creators {
        let (sums, _) = groups.entry(group_of(Some(creator.no))).or_default();
        sums.spend = sums.spend.checked_add(creator.terms.cost).ok_or_else(overflow)?;
    }
    for (link, creator) in &loaded.links {
        groups.entry(group_of(*creator)).or_default().1.insert(*link);
    }
    for (creator, sales) in &loaded.sales {
        let (sums, _) = groups.entry(group_of(*creator)).or_default();
        sums.sales = sums.sales.plus(sales).ok_or_else(overflow)?;
    }
    let query = Query {
        workspace: request.workspace,
        links: None,
        start: request.start,
        end: request.end,
        classes: ClassSet::default(),
        ..Query::default()
    };
    let by_link = clicks.count_by_link(&query)?;
    let taps = clicks.count_by_link(&Query {
        classes: ClassSet::only(ClickClass::Tap),
        ..query.clone()
    })?;
    // Links that were deleted still had their clicks.
    let known: HashSet<LinkNo> = loaded.links.iter().map(|(link, _)| *link).collect();
    let gone: HashSet<LinkNo> = by_link.keys().filter(|link| !known.contains(link)).copied().collect();
    if !gone.is_empty() {
        groups.entry(group_of(None)).or_default().1.extend(gone);
    }
    let sets: Vec<Arc<HashSet<LinkNo>>> = groups
        .values_mut()
        .map(|(_, links)| Arc::new(std::mem::take(links)))
        .collect();
    let unique = clicks.unique_visitors_by(request.workspace, &sets, request.start, request.end)?;
    let mut total = Performance {
        unique_visitors: clicks.unique_visitors(&query)?,
        ..Performance::default()
    };
    let mut rows = Vec::with_capacity(groups.len());
    for (((key, name), (mut sums, _)), (links, unique)) in groups.into_iter().zip(sets.iter().zip(unique)) {
        sums.clicks = links.iter().filter_map(|link| by_link.get(link)).sum();
        sums.checkout_taps = links.iter().filter_map(|link| taps.get(link)).sum();
        sums.unique_visitors = unique;
        total.clicks += sums.clicks;
        total.checkout_taps += sums.checkout_taps;
        total.sales = total.sales.plus(&sums.sales).ok_or_else(overflow)?;
        total.spend = total.spend.checked_add(sums.spend).ok_or_else(overflow)?;
        // What creators without a niche cost is a row as well, or the rows would not add up to the total.
        if key != NOBODY || sums.clicks > 0 || sums.sales.orders > 0 || sums.spend > 0 {
            rows.push(Row { key, name, sums });
        }
    }
    rows.sort_by(|a, b| {
        let rank = |row: &Row| {
            (
                std::cmp::Reverse(row.sums.sales.net_revenue()),
                std::cmp::Reverse(row.sums.clicks),
            )
        };
        rank(a).cmp(&rank(b)).then_with(|| a.key.cmp(&b.key))
    });
    Ok(Report {
        rows,
        currency: loaded.currency,
        total,
    })
}
