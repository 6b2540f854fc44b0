//! Clicks, sales and spend under the rows that they belong to.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::Request;
use super::group::{Doer, Group, GroupBy};
use super::load::{Loaded, Sold, doer_of};
use crate::clicklog::{self, Condition, Dimension, Filter, Query};
use crate::domain::click::{ClassSet, ClickClass};
use crate::domain::id::LinkNo;
use crate::domain::performance::Performance;
use crate::flows::Error;

/// Countries of one report: more than ISO 3166-1 has.
const COUNTRIES_MAX: usize = 1_000;
/// What the log calls a country that it does not know.
const UNKNOWN: &str = "Unknown";

pub(super) type Groups = Vec<(Group, Performance)>;

#[derive(Default)]
struct Sums {
    sums: Performance,
    links: HashSet<LinkNo>,
}

type ByGroup = BTreeMap<Group, Sums>;

/// What the report says: its groups, all of it together, and the clicks that it is about.
pub(super) struct Put {
    pub groups: Groups,
    pub total: Performance,
    pub counted: Query,
}

pub(super) fn put_together(clicks: &clicklog::Reader, request: &Request, loaded: &Loaded) -> Result<Put, Error> {
    let counted = counted(clicks, request, loaded)?;
    let (groups, total) = sum_up(clicks, request, &counted, loaded)?;
    Ok(Put { groups, total, counted })
}

/// The clicks that the report is about.
fn counted(clicks: &clicklog::Reader, request: &Request, loaded: &Loaded) -> Result<Query, Error> {
    let in_country = request.country.iter().map(|country| Condition {
        by: Dimension::Country,
        names: vec![country.clone()],
        is_excluded: false,
    });
    let query = Query {
        workspace: request.workspace,
        links: None,
        start: request.start,
        end: request.end,
        classes: ClassSet::default(),
        filter: Filter::of(in_country.collect()),
        ..Query::default()
    };
    if loaded.only.is_empty() {
        return Ok(query);
    }
    let mut links: HashSet<LinkNo> = loaded.links.keys().copied().collect();
    if loaded.only.iter().any(|(_, group)| *group == Group::Nobody) {
        // Links that were deleted are nobody's, and had their clicks.
        let everything = Query {
            filter: Filter::default(),
            ..query.clone()
        };
        links.extend(clicks.count_by_link(&everything)?.into_keys());
    }
    links.retain(|link| loaded.keeps(loaded.follower_of(*link)));
    Ok(Query {
        links: Some(Arc::new(links)),
        ..query
    })
}

fn sum_up(
    clicks: &clicklog::Reader,
    request: &Request,
    query: &Query,
    loaded: &Loaded,
) -> Result<(Groups, Performance), Error> {
    if request.group_by == GroupBy::Variant {
        return variants(clicks, query, loaded);
    }
    let mut groups = ByGroup::new();
    add_spend(&mut groups, request.group_by, loaded)?;
    add_sales(&mut groups, request.group_by, loaded)?;
    let unique = match request.group_by {
        GroupBy::Code => None,
        GroupBy::Country => {
            add_clicks_by_country(&mut groups, clicks, query)?;
            None
        }
        by => {
            add_clicks_by_link(&mut groups, clicks, query, by, loaded)?;
            // Visitors are counted by link and day, not by country.
            match request.country {
                None => Some(clicks.unique_visitors(query)?),
                Some(_) => None,
            }
        }
    };
    let mut total = Performance {
        unique_visitors: unique,
        ..Performance::default()
    };
    let mut rows = Vec::with_capacity(groups.len());
    for (group, Sums { sums, .. }) in groups {
        total.clicks += sums.clicks;
        total.checkout_taps += sums.checkout_taps;
        total.unconverted_spend += sums.unconverted_spend;
        total.sales = total.sales.plus(&sums.sales).ok_or_else(overflow)?;
        total.spend = total.spend.checked_add(sums.spend).ok_or_else(overflow)?;
        // What creators without a niche cost is a row as well, or the rows would not add up to the total.
        if group != Group::Nobody || happened(&sums) {
            rows.push((group, sums));
        }
    }
    Ok((rows, total))
}

/// Variants, and under nobody what belongs to none. Spend is nobody's variant's and left out, as with links.
fn variants(clicks: &clicklog::Reader, query: &Query, loaded: &Loaded) -> Result<(Groups, Performance), Error> {
    let mut total = Performance {
        clicks: clicks.count(query)?,
        checkout_taps: clicks.count(&of_taps(query))?,
        unique_visitors: Some(clicks.unique_visitors(query)?),
        ..Performance::default()
    };
    if let Sold::BySource(sold) = &loaded.sales {
        for (_, sales) in sold {
            total.sales = total.sales.plus(sales).ok_or_else(overflow)?;
        }
    }
    let mut groups: BTreeMap<Group, Performance> = BTreeMap::new();
    for ((link, variant), counted) in clicks.by_variant(query)? {
        let sums = groups.entry(Group::Variant(link, variant)).or_default();
        sums.clicks = counted.clicks;
        sums.checkout_taps = counted.taps;
        sums.unique_visitors = Some(counted.visitors);
    }
    for ((link, variant), sales) in &loaded.variants {
        groups.entry(Group::Variant(*link, *variant)).or_default().sales = *sales;
    }
    if !loaded.only.is_empty() {
        // What is filtered for are links, whoever is credited: of the rest nobody could say what is left of it.
        return only_variants(groups, total);
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
            names: vec![UNKNOWN.to_owned()],
            is_excluded: false,
        }]),
        ..query.clone()
    };
    rest.unique_visitors = Some(clicks.unique_visitors(&others)?);
    if happened(&rest) {
        groups.insert(Group::Nobody, rest);
    }
    Ok((groups.into_iter().collect(), total))
}

/// The variants as they are, and their sum.
fn only_variants(groups: BTreeMap<Group, Performance>, total: Performance) -> Result<(Groups, Performance), Error> {
    let mut sum = Performance {
        unique_visitors: total.unique_visitors,
        ..Performance::default()
    };
    for sums in groups.values() {
        sum.clicks += sums.clicks;
        sum.checkout_taps += sums.checkout_taps;
        sum.sales = sum.sales.plus(&sums.sales).ok_or_else(overflow)?;
    }
    Ok((groups.into_iter().collect(), sum))
}

fn overflow() -> Error {
    Error::Internal("a report's sums do not fit".to_owned())
}

fn happened(sums: &Performance) -> bool {
    let sales = &sums.sales;
    sums.clicks > 0 || sales.orders_milli > 0 || sales.unconverted > 0 || sums.spend > 0 || sums.unconverted_spend > 0
}

/// What was paid for a creator or campaign was paid for none of the links, videos, stores, codes or countries alone.
fn add_spend(groups: &mut ByGroup, by: GroupBy, loaded: &Loaded) -> Result<(), Error> {
    for spent in &loaded.spend {
        let is_shown = match by {
            GroupBy::Creator | GroupBy::Niche | GroupBy::Tier | GroupBy::Platform | GroupBy::Campaign => true,
            GroupBy::Link | GroupBy::Content => spent.on.link.is_some(),
            GroupBy::Variant | GroupBy::Store | GroupBy::Code | GroupBy::Country => false,
        };
        if is_shown {
            let sums = &mut groups.entry(loaded.group(by, spent.on)).or_default().sums;
            sums.spend = sums.spend.checked_add(spent.amount).ok_or_else(overflow)?;
            sums.unconverted_spend += spent.unconverted;
        }
    }
    // Creators of whom nothing is known yet are rows as well.
    if matches!(
        by,
        GroupBy::Creator | GroupBy::Niche | GroupBy::Tier | GroupBy::Platform
    ) {
        for creator in loaded.creators.keys() {
            let doer = Doer {
                creator: Some(*creator),
                ..Doer::default()
            };
            if loaded.keeps(doer) {
                groups.entry(loaded.group(by, doer)).or_default();
            }
        }
    }
    Ok(())
}

fn add_sales(groups: &mut ByGroup, by: GroupBy, loaded: &Loaded) -> Result<(), Error> {
    let mut add = |group: Group, sales| {
        let sums = &mut groups.entry(group).or_default().sums;
        sums.sales = sums.sales.plus(sales).ok_or_else(overflow)?;
        Ok(())
    };
    match &loaded.sales {
        Sold::BySource(sold) => sold
            .iter()
            .try_for_each(|(source, sales)| add(loaded.group(by, doer_of(source)), sales)),
        Sold::ByMark(sold) => sold.iter().try_for_each(|(mark, sales)| {
            let group = match mark {
                None => Group::Nobody,
                Some(code) if by == GroupBy::Code => Group::Code(code.clone()),
                Some(country) => Group::Word(country.clone()),
            };
            add(group, sales)
        }),
    }
}

fn add_clicks_by_link(
    groups: &mut ByGroup,
    clicks: &clicklog::Reader,
    query: &Query,
    by: GroupBy,
    loaded: &Loaded,
) -> Result<(), Error> {
    let by_link = clicks.count_by_link(query)?;
    let taps = clicks.count_by_link(&of_taps(query))?;
    // Links that were deleted still had their clicks.
    for link in by_link.keys().chain(taps.keys()) {
        let group = groups.entry(loaded.group_of_link(by, *link)).or_default();
        group.links.insert(*link);
    }
    let sets: Vec<Arc<HashSet<LinkNo>>> = groups
        .values_mut()
        .map(|group| Arc::new(std::mem::take(&mut group.links)))
        .collect();
    let unique: Vec<Option<u64>> = if query.filter.is_empty() {
        let unique = clicks.unique_visitors_by(query.workspace, &sets, query.start, query.end)?;
        unique.into_iter().map(Some).collect()
    } else {
        vec![None; sets.len()]
    };
    for ((group, links), unique) in groups.values_mut().zip(&sets).zip(unique) {
        let sum = |counts: &HashMap<LinkNo, u64>| links.iter().filter_map(|link| counts.get(link)).sum();
        group.sums.clicks = sum(&by_link);
        group.sums.checkout_taps = sum(&taps);
        group.sums.unique_visitors = unique;
    }
    Ok(())
}

fn add_clicks_by_country(groups: &mut ByGroup, clicks: &clicklog::Reader, query: &Query) -> Result<(), Error> {
    let group = |country: String| {
        if country == UNKNOWN {
            Group::Nobody
        } else {
            Group::Word(country)
        }
    };
    for (country, count) in clicks.top(query, Dimension::Country, COUNTRIES_MAX)? {
        groups.entry(group(country)).or_default().sums.clicks = count;
    }
    for (country, count) in clicks.top(&of_taps(query), Dimension::Country, COUNTRIES_MAX)? {
        groups.entry(group(country)).or_default().sums.checkout_taps = count;
    }
    Ok(())
}

fn of_taps(query: &Query) -> Query {
    Query {
        classes: ClassSet::only(ClickClass::Tap),
        ..query.clone()
    }
}
