//! Clicks, sales and spend under the rows that they belong to.

use std::collections::{BTreeMap, HashSet};
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

type ByGroup = BTreeMap<Group, Performance>;

/// What followers did.
pub(super) struct Followed {
    /// The clicks that the report is about.
    pub counted: Query,
    /// Clicks, taps and visitors.
    groups: ByGroup,
    /// The same of everything together. Clicks and taps only by variant: elsewhere they are the groups' sum.
    total: Performance,
    /// Only by variant: visitors of what belongs to none.
    others: Option<u64>,
}

/// What the click log says. Reads no sales, so that they can be read meanwhile.
pub(super) fn followed(clicks: &clicklog::Reader, request: &Request, loaded: &Loaded) -> Result<Followed, Error> {
    let counted = counted(clicks, request, loaded)?;
    let mut followed = Followed {
        groups: ByGroup::new(),
        total: Performance::default(),
        others: None,
        counted,
    };
    match request.group_by {
        GroupBy::Variant => followed.by_variant(clicks)?,
        GroupBy::Code => {}
        GroupBy::Country => followed.by_country(clicks)?,
        by => followed.by_link(clicks, by, loaded)?,
    }
    Ok(followed)
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

/// The rows, and all of it together.
pub(super) fn put_together(
    followed: Followed,
    sold: Sold,
    request: &Request,
    loaded: &Loaded,
) -> Result<(Groups, Performance), Error> {
    if request.group_by == GroupBy::Variant {
        return variants(followed, &sold, loaded);
    }
    let Followed {
        mut groups, mut total, ..
    } = followed;
    add_spend(&mut groups, request.group_by, loaded)?;
    add_sales(&mut groups, request.group_by, &sold, loaded)?;
    let mut rows = Vec::with_capacity(groups.len());
    for (group, mut sums) in groups {
        if total.unique_visitors.is_some() {
            // Visitors are known, and there were none.
            sums.unique_visitors.get_or_insert(0);
        }
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
fn variants(followed: Followed, sold: &Sold, loaded: &Loaded) -> Result<(Groups, Performance), Error> {
    let Followed {
        mut groups,
        mut total,
        others,
        ..
    } = followed;
    if let Sold::BySource(sold) = sold {
        for (_, sales) in sold {
            total.sales = total.sales.plus(sales).ok_or_else(overflow)?;
        }
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
    rest.unique_visitors = others;
    if happened(&rest) {
        groups.insert(Group::Nobody, rest);
    }
    Ok((groups.into_iter().collect(), total))
}

/// The variants as they are, and their sum.
fn only_variants(groups: ByGroup, total: Performance) -> Result<(Groups, Performance), Error> {
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
            let sums = groups.entry(loaded.group(by, spent.on)).or_default();
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

fn add_sales(groups: &mut ByGroup, by: GroupBy, sold: &Sold, loaded: &Loaded) -> Result<(), Error> {
    let mut add = |group: Group, sales| {
        let sums = groups.entry(group).or_default();
        sums.sales = sums.sales.plus(sales).ok_or_else(overflow)?;
        Ok(())
    };
    match sold {
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

impl Followed {
    fn by_link(&mut self, clicks: &clicklog::Reader, by: GroupBy, loaded: &Loaded) -> Result<(), Error> {
        let query = &self.counted;
        let with_taps = Query {
            classes: query.classes.including(ClickClass::Tap),
            ..query.clone()
        };
        let by_link = clicks.count_by_link_and_class(&with_taps)?;
        // Links that were deleted still had their clicks.
        let mut links: BTreeMap<Group, HashSet<LinkNo>> = BTreeMap::new();
        for (link, counts) in &by_link {
            let group = loaded.group_of_link(by, *link);
            let sums = self.groups.entry(group.clone()).or_default();
            sums.clicks += query.classes.sum(counts);
            sums.checkout_taps += counts[ClickClass::Tap as usize];
            links.entry(group).or_default().insert(*link);
        }
        // Visitors are counted by link and day, not by country.
        if !query.filter.is_empty() {
            return Ok(());
        }
        let sets: Vec<Arc<HashSet<LinkNo>>> = links.into_values().map(Arc::new).collect();
        let (unique, all) = clicks.unique_visitors_by(query.workspace, &sets, query.start, query.end)?;
        for (sums, unique) in self.groups.values_mut().zip(unique) {
            sums.unique_visitors = Some(unique);
        }
        self.total.unique_visitors = Some(all);
        Ok(())
    }

    fn by_country(&mut self, clicks: &clicklog::Reader) -> Result<(), Error> {
        let group = |country: String| {
            if country == UNKNOWN {
                Group::Nobody
            } else {
                Group::Word(country)
            }
        };
        for (country, count) in clicks.top(&self.counted, Dimension::Country, COUNTRIES_MAX)? {
            self.groups.entry(group(country)).or_default().clicks = count;
        }
        for (country, count) in clicks.top(&of_taps(&self.counted), Dimension::Country, COUNTRIES_MAX)? {
            self.groups.entry(group(country)).or_default().checkout_taps = count;
        }
        Ok(())
    }

    fn by_variant(&mut self, clicks: &clicklog::Reader) -> Result<(), Error> {
        let query = &self.counted;
        self.total = Performance {
            clicks: clicks.count(query)?,
            checkout_taps: clicks.count(&of_taps(query))?,
            unique_visitors: Some(clicks.unique_visitors(query)?),
            ..Performance::default()
        };
        for ((link, variant), counted) in clicks.by_variant(query)? {
            let sums = self.groups.entry(Group::Variant(link, variant)).or_default();
            sums.clicks = counted.clicks;
            sums.checkout_taps = counted.taps;
            sums.unique_visitors = Some(counted.visitors);
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
        self.others = Some(clicks.unique_visitors(&others)?);
        Ok(())
    }
}

fn of_taps(query: &Query) -> Query {
    Query {
        classes: ClassSet::only(ClickClass::Tap),
        ..query.clone()
    }
}
