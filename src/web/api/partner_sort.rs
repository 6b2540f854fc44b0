//! In which order partners are listed: by what they brought, as their answers say it. All of a workspace are compared, for
//! what they brought stands in orders, leads and clicks.

use std::collections::BTreeMap;

use super::Api;
use super::conversion::home_currency;
use super::link_answer::amount_of;
use crate::books::conversion::Brought;
use crate::books::creator::CreatorFilter;
use crate::books::{self, NumberedPage, View};
use crate::domain::click::ClassSet;
use crate::domain::creator::Creator;
use crate::domain::id::{CreatorNo, LinkNo, WorkspaceNo};
use crate::domain::time::Timestamp;
use crate::flows::Error;

/// The dialect's words.
pub(super) const SORTS: [&str; 13] = [
    "createdAt",
    "totalClicks",
    "totalLeads",
    "totalConversions",
    "totalSaleAmount",
    "totalCommissions",
    "netRevenue",
    "earningsPerClick",
    "averageLifetimeValue",
    "clickToLeadRate",
    "clickToConversionRate",
    "leadToConversionRate",
    "returnOnAdSpend",
];

/// What is compared where a caller says nothing, as in the dialect.
pub(super) const DEFAULT: &str = "totalSaleAmount";

/// What is known of a partner when partners are compared.
struct Figures {
    created_at: Timestamp,
    clicks: u64,
    leads: u64,
    conversions: u64,
    /// Minor units, of the currency that the answer shows.
    amount: i64,
    /// Minor units.
    cost: i64,
}

/// One page of the partners that `filter` lets through, in the order of `sort`; equal ones by birth, the newest first.
pub(super) fn page(
    api: &Api,
    view: &View<'_>,
    workspace: WorkspaceNo,
    filter: &CreatorFilter,
    (sort, is_ascending): (&str, bool),
    page: NumberedPage,
) -> Result<Vec<Creator>, Error> {
    let brought = books::conversion::of_creators(view, workspace)?;
    let clicks = match needs_clicks(sort) {
        true => clicks_of_creators(api, view, workspace)?,
        false => BTreeMap::new(),
    };
    let nothing = Brought::default();
    let mut placed = Vec::new();
    for creator in books::creator::newest(view, workspace, filter)? {
        let brought = brought.get(&creator.no).unwrap_or(&nothing);
        let figures = Figures {
            created_at: creator.created_at,
            clicks: clicks.get(&creator.no).copied().unwrap_or_default(),
            leads: brought.leads,
            conversions: brought.conversions,
            amount: amount_of(&brought.amounts, || home_currency(view, workspace))?,
            cost: creator.terms.cost,
        };
        placed.push((figures.by(sort), creator));
    }
    // Stable: equal ones stay as they came.
    placed.sort_by(|(one, _), (other, _)| match is_ascending {
        true => one.total_cmp(other),
        false => other.total_cmp(one),
    });
    let skipped = page.number.saturating_sub(1) as usize * page.size as usize;
    let shown = placed.into_iter().skip(skipped).take(page.size as usize);
    Ok(shown.map(|(_, creator)| creator).collect())
}

fn needs_clicks(sort: &str) -> bool {
    matches!(
        sort,
        "totalClicks" | "earningsPerClick" | "clickToLeadRate" | "clickToConversionRate"
    )
}

fn clicks_of_creators(api: &Api, view: &View<'_>, workspace: WorkspaceNo) -> Result<BTreeMap<CreatorNo, u64>, Error> {
    let owners = books::link::owners(view, workspace, false)?;
    let owners: BTreeMap<LinkNo, CreatorNo> = owners
        .into_iter()
        .filter_map(|owner| Some((owner.no, owner.creator?)))
        .collect();
    let mut clicks = BTreeMap::new();
    api.clicks.each_total(|link, totals| {
        if let Some(creator) = owners.get(&link) {
            *clicks.entry(*creator).or_default() += ClassSet::default().sum(&totals.counts);
        }
    })?;
    Ok(clicks)
}

impl Figures {
    /// What is compared. Nobody is paid on sales yet: commissions are 0, and revenue is what was sold.
    fn by(&self, sort: &str) -> f64 {
        let [clicks, leads, conversions] = [self.clicks, self.leads, self.conversions].map(|count| count as f64);
        let (amount, cost) = (self.amount as f64, self.cost as f64);
        match sort {
            // Milliseconds of some hundred thousand years fit.
            "createdAt" => self.created_at.0 as f64,
            "totalClicks" => clicks,
            "totalLeads" => leads,
            "totalConversions" => conversions,
            "totalSaleAmount" | "netRevenue" => amount,
            "earningsPerClick" => share(amount, clicks),
            "averageLifetimeValue" => share(amount, conversions),
            "clickToLeadRate" => share(leads, clicks),
            "clickToConversionRate" => share(conversions, clicks),
            "leadToConversionRate" => share(conversions, leads),
            "returnOnAdSpend" => share(amount, cost),
            _ => 0.0,
        }
    }
}

/// Nothing of nothing is nothing.
fn share(part: f64, whole: f64) -> f64 {
    if whole == 0.0 { 0.0 } else { part / whole }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_compares_its_figure() {
        let figures = Figures {
            created_at: Timestamp(7),
            clicks: 200,
            leads: 50,
            conversions: 10,
            amount: 9_000,
            cost: 3_000,
        };
        // In thousandths.
        let by = SORTS.map(|sort| (figures.by(sort) * 1e3).round() as i64);
        let expected = [
            7_000, 200_000, 50_000, 10_000, 9_000_000, 0, 9_000_000, 45_000, 900_000, 250, 50, 200, 3_000,
        ];
        assert_eq!(by, expected);
        let nobody = Figures {
            created_at: Timestamp(0),
            clicks: 0,
            leads: 0,
            conversions: 0,
            amount: 0,
            cost: 0,
        };
        assert!(SORTS.iter().all(|sort| nobody.by(sort) == 0.0));
    }
}
