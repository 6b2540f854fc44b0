//! The performance report: clicks from the log and sales from the books, brought together by who or what brought them.
//!
//! Read by the API and by the console, so that both show the same numbers.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::books::link::LinkOwner;
use crate::books::sales::{Source, Wanted};
use crate::books::{self, View};
use crate::clicklog::{self, Condition, Dimension, Filter, Query, VariantOf};
use crate::domain::attribution::Model;
use crate::domain::click::{ClassSet, ClickClass};
use crate::domain::creator::{Creator, Tier};
use crate::domain::id::{CreatorNo, LinkNo, StoreNo, WorkspaceNo};
use crate::domain::performance::{Performance, Sales};
use crate::domain::store::Store;
use crate::domain::time::Timestamp;
use crate::flows::{Context, Error};

/// What rows are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupBy {
    Creator,
    Niche,
    Tier,
    Platform,
    Link,
    /// What each variant of each experiment brought, by what its visitors got, whoever is credited.
    Variant,
    Store,
}

/// The key of rows that nobody is behind, or of whom nothing is known.
pub const NOBODY: &str = "(none)";

/// One row: a group and its sums.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Row {
    /// The public id of a creator, link or store; else the word.
    pub key: String,
    /// What people call it.
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
    /// How orders are shared out; `None` = as the brand's program says.
    pub model: Option<Model>,
}

/// The rows, best net revenue first, and the currency they are in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub rows: Vec<Row>,
    pub currency: String,
    pub model: Model,
    /// Everything together; unique visitors over all groups, not their sum.
    pub total: Performance,
}

struct Loaded {
    creators: HashMap<CreatorNo, Creator>,
    links: HashMap<LinkNo, LinkOwner>,
    stores: HashMap<StoreNo, Store>,
    sales: Vec<(Source, Sales)>,
    /// Only for reports by variant.
    variants: BTreeMap<VariantOf, Sales>,
    currency: String,
    model: Model,
}

/// A group before it has a name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Group {
    Nobody,
    Creator(CreatorNo),
    Link(LinkNo),
    Variant(LinkNo, u8),
    Store(StoreNo),
    Word(String),
}

#[derive(Default)]
struct Sums {
    sums: Performance,
    links: HashSet<LinkNo>,
}

/// Reads the report.
pub async fn performance(context: &Context, clicks: &clicklog::Reader, request: Request) -> Result<Report, Error> {
    let wanted = request.clone();
    let loaded = context.books().read(move |view| load(view, &wanted)).await?;
    let clicks = clicks.clone();
    let put =
        tokio::task::spawn_blocking(move || put_together(&clicks, &request, &loaded).map(|found| (found, loaded)));
    let ((groups, total), loaded) = put
        .await
        .map_err(|_| Error::Internal("a report panicked".to_owned()))??;
    let linked: Vec<LinkNo> = groups
        .iter()
        .filter_map(|(group, _)| match group {
            Group::Link(link) | Group::Variant(link, _) => Some(*link),
            _ => None,
        })
        .collect();
    let names = context.books().read(move |view| link_names(view, &linked)).await?;
    let mut rows: Vec<Row> = groups
        .into_iter()
        .map(|(group, sums)| {
            let (key, name) = named(&group, &loaded, &names);
            Row { key, name, sums }
        })
        .collect();
    rows.sort_by(|a, b| {
        let rank = |row: &Row| (Reverse(row.sums.sales.net_revenue()), Reverse(row.sums.clicks));
        rank(a).cmp(&rank(b)).then_with(|| a.key.cmp(&b.key))
    });
    Ok(Report {
        rows,
        currency: loaded.currency,
        model: loaded.model,
        total,
    })
}

fn load(view: &View<'_>, request: &Request) -> Result<Loaded, Error> {
    let currency = currency_of(view, request)?;
    let links = books::link::owners(view, request.workspace, request.group_by == GroupBy::Store)?;
    let in_force = books::program::in_force(view, request.workspace)?;
    let model = request
        .model
        .or(in_force.map(|(_, program)| program.model))
        .unwrap_or_default();
    let wanted = Wanted {
        workspace: request.workspace,
        start: request.start,
        end: request.end,
        currency: &currency,
    };
    Ok(Loaded {
        creators: books::creator::all(view, request.workspace)?
            .into_iter()
            .map(|creator| (creator.no, creator))
            .collect(),
        links: links.into_iter().map(|link| (link.no, link)).collect(),
        stores: books::store::list(view, request.workspace)?
            .into_iter()
            .map(|store| (store.no, store))
            .collect(),
        variants: match request.group_by {
            GroupBy::Variant => books::experiment::sales(view, wanted)?,
            _ => BTreeMap::new(),
        },
        sales: books::sales::by_source(view, wanted, model)?,
        currency,
        model,
    })
}

/// Public ids and slugs of links; those that were deleted are missing.
fn link_names(view: &View<'_>, links: &[LinkNo]) -> Result<HashMap<LinkNo, (String, String)>, Error> {
    let found = links.iter().map(|no| books::link::by_no(view, *no));
    let found = found.collect::<Result<Vec<_>, _>>()?;
    Ok(found
        .into_iter()
        .flatten()
        .map(|link| (link.no, (link.id, link.slug)))
        .collect())
}

fn named(group: &Group, loaded: &Loaded, links: &HashMap<LinkNo, (String, String)>) -> (String, String) {
    let found = match group {
        Group::Nobody => None,
        Group::Creator(no) => loaded
            .creators
            .get(no)
            .map(|creator| (creator.id.clone(), creator.terms.name.clone())),
        Group::Link(no) => links.get(no).cloned(),
        // Of a deleted link the number alone would say nothing.
        Group::Variant(no, number) => links
            .get(no)
            .map(|(id, slug)| (format!("{id}/{number}"), format!("{slug}, variant {number}"))),
        Group::Store(no) => loaded
            .stores
            .get(no)
            .map(|store| (store.id.clone(), store.name.clone())),
        Group::Word(word) => Some((word.clone(), word.clone())),
    };
    found.unwrap_or_else(|| (NOBODY.to_owned(), NOBODY.to_owned()))
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

impl Loaded {
    /// The group of what a creator, link or store did. A link that was deleted is nobody's any more.
    fn group(&self, by: GroupBy, creator: Option<CreatorNo>, link: Option<LinkNo>, store: Option<StoreNo>) -> Group {
        let known = creator.and_then(|no| self.creators.get(&no));
        let word = |word: Option<&str>| word.map_or(Group::Nobody, |word| Group::Word(word.to_owned()));
        match by {
            GroupBy::Creator => known.map_or(Group::Nobody, |creator| Group::Creator(creator.no)),
            GroupBy::Niche => word(known.and_then(|creator| creator.terms.niche.as_deref())),
            GroupBy::Platform => word(known.and_then(|creator| creator.terms.platform.as_deref())),
            GroupBy::Tier => word(
                known
                    .and_then(|creator| creator.terms.followers)
                    .map(|followers| Tier::of(followers).as_str()),
            ),
            GroupBy::Link => link
                .filter(|link| self.links.contains_key(link))
                .map_or(Group::Nobody, Group::Link),
            // Clicks and sales of variants are counted apart: what is asked about here belongs to none.
            GroupBy::Variant => Group::Nobody,
            GroupBy::Store => store
                .filter(|store| self.stores.contains_key(store))
                .map_or(Group::Nobody, Group::Store),
        }
    }

    fn group_of_link(&self, by: GroupBy, link: LinkNo) -> Group {
        let owner = self.links.get(&link);
        self.group(
            by,
            owner.and_then(|owner| owner.creator),
            Some(link),
            owner.and_then(|owner| owner.store),
        )
    }
}

type Groups = Vec<(Group, Performance)>;

fn put_together(clicks: &clicklog::Reader, request: &Request, loaded: &Loaded) -> Result<(Groups, Performance), Error> {
    let by = request.group_by;
    let overflow = || Error::Internal("a report's sums do not fit".to_owned());
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
    if by == GroupBy::Variant {
        return variants(clicks, &query, loaded, (&by_link, &taps));
    }
    let mut groups: BTreeMap<Group, Sums> = BTreeMap::new();
    // What was paid for a creator was paid for none of the links or stores alone.
    let has_spend = !matches!(by, GroupBy::Link | GroupBy::Store);
    for creator in loaded.creators.values().filter(|_| has_spend) {
        let group = groups
            .entry(loaded.group(by, Some(creator.no), None, None))
            .or_default();
        group.sums.spend = group.sums.spend.checked_add(creator.terms.cost).ok_or_else(overflow)?;
    }
    // Links that were deleted still had their clicks.
    for link in by_link.keys().chain(taps.keys()) {
        groups
            .entry(loaded.group_of_link(by, *link))
            .or_default()
            .links
            .insert(*link);
    }
    for (source, sales) in &loaded.sales {
        let group = loaded.group(by, source.creator, source.link, Some(source.store));
        let sums = &mut groups.entry(group).or_default().sums;
        sums.sales = sums.sales.plus(sales).ok_or_else(overflow)?;
    }
    let sets: Vec<Arc<HashSet<LinkNo>>> = groups
        .values_mut()
        .map(|group| Arc::new(std::mem::take(&mut group.links)))
        .collect();
    let unique = clicks.unique_visitors_by(request.workspace, &sets, request.start, request.end)?;
    let mut total = Performance {
        unique_visitors: clicks.unique_visitors(&query)?,
        ..Performance::default()
    };
    let mut rows = Vec::with_capacity(groups.len());
    for ((group, Sums { mut sums, .. }), (links, unique)) in groups.into_iter().zip(sets.iter().zip(unique)) {
        sums.clicks = links.iter().filter_map(|link| by_link.get(link)).sum();
        sums.checkout_taps = links.iter().filter_map(|link| taps.get(link)).sum();
        sums.unique_visitors = unique;
        total.clicks += sums.clicks;
        total.checkout_taps += sums.checkout_taps;
        total.sales = total.sales.plus(&sums.sales).ok_or_else(overflow)?;
        total.spend = total.spend.checked_add(sums.spend).ok_or_else(overflow)?;
        // What creators without a niche cost is a row as well, or the rows would not add up to the total.
        if group != Group::Nobody || sums.clicks > 0 || sums.sales.orders_milli > 0 || sums.spend > 0 {
            rows.push((group, sums));
        }
    }
    Ok((rows, total))
}

/// Variants, and under nobody what belongs to none. Spend is nobody's variant's and left out, as with links.
fn variants(
    clicks: &clicklog::Reader,
    query: &Query,
    loaded: &Loaded,
    (by_link, taps): (&HashMap<LinkNo, u64>, &HashMap<LinkNo, u64>),
) -> Result<(Groups, Performance), Error> {
    let overflow = || Error::Internal("a report's sums do not fit".to_owned());
    let mut total = Performance {
        clicks: by_link.values().sum(),
        checkout_taps: taps.values().sum(),
        unique_visitors: clicks.unique_visitors(query)?,
        ..Performance::default()
    };
    for (_, sales) in &loaded.sales {
        total.sales = total.sales.plus(sales).ok_or_else(overflow)?;
    }
    let mut groups: BTreeMap<Group, Performance> = BTreeMap::new();
    for ((link, variant), counted) in clicks.by_variant(query)? {
        let sums = groups.entry(Group::Variant(link, variant)).or_default();
        sums.clicks = counted.clicks;
        sums.checkout_taps = counted.taps;
        sums.unique_visitors = counted.visitors;
    }
    for ((link, variant), sales) in &loaded.variants {
        groups.entry(Group::Variant(*link, *variant)).or_default().sales = *sales;
    }
    let mut rest = total.clone();
    for sums in groups.values() {
        rest.clicks = rest.clicks.saturating_sub(sums.clicks);
        rest.checkout_taps = rest.checkout_taps.saturating_sub(sums.checkout_taps);
        rest.sales = rest.sales.minus(&sums.sales).ok_or_else(overflow)?;
    }
    // Not a difference: a visitor may be among those of a variant and among others.
    let others = Query {
        filter: Filter::of(vec![Condition {
            by: Dimension::Variant,
            names: vec!["Unknown".to_owned()],
            is_excluded: false,
        }]),
        ..query.clone()
    };
    rest.unique_visitors = clicks.unique_visitors(&others)?;
    if rest.clicks > 0 || rest.sales.orders_milli > 0 {
        groups.insert(Group::Nobody, rest);
    }
    Ok((groups.into_iter().collect(), total))
}
