//! Campaigns: the list of them, and one with its creators, videos, links, spend and what they brought.

use maud::{Markup, html};
use serde::Deserialize;

use crate::domain::money::Currency;

use super::address::{Asked, of_thing};
use super::layout::{self, Place};
use super::names::{Names, told_money};
use super::performance::RowView;
use super::ranking::{Leads, Ranking, bar, ranking};
use super::table::Head::{Figures, Words};
use super::table::{cell, name_cell, number_cell, pager, table, text_cell};
use super::{filters, format, tiles};

/// The period of a campaign's page when none is asked for.
pub const INTERVAL: &str = "all";
/// Campaigns of one page of the list.
pub const CAMPAIGNS_A_PAGE: usize = 50;

/// A campaign as the API tells it.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CampaignView {
    pub id: String,
    pub name: String,
    pub start: Option<String>,
    pub end: Option<String>,
    /// Minor units of `currency`.
    pub budget: Option<i64>,
    pub currency: Option<String>,
    pub note: Option<String>,
    pub archived: bool,
    pub partner_ids: Vec<String>,
}

impl CampaignView {
    fn dates(&self) -> String {
        let day = |at: &String| at.get(..10).unwrap_or(at).to_owned();
        match (&self.start, &self.end) {
            (Some(start), Some(end)) => format!("{} to {}", day(start), day(end)),
            (Some(start), None) => format!("since {}", day(start)),
            (None, Some(end)) => format!("until {}", day(end)),
            (None, None) => "no dates".to_owned(),
        }
    }

    fn budget(&self) -> String {
        match (self.budget, &self.currency) {
            (Some(budget), Some(currency)) => told_money(budget, currency),
            _ => format::NOTHING.to_owned(),
        }
    }
}

/// The list of campaigns.
#[derive(Debug, Clone, PartialEq)]
pub struct CampaignsPage {
    pub workspace: String,
    /// Newest first, each with what it brought in all time.
    pub campaigns: Vec<(CampaignView, Option<RowView>)>,
    pub currency: Currency,
    pub number: u32,
    pub has_more: bool,
}

/// The whole list.
pub fn campaigns_page(view: &CampaignsPage) -> String {
    let rows: Vec<Markup> = view
        .campaigns
        .iter()
        .map(|(campaign, brought)| row(campaign, brought.as_ref(), view.currency))
        .collect();
    let turned = |number: u32| format!("/console/campaigns?page={number}");
    let before = (view.number > 1).then(|| turned(view.number - 1));
    let after = view.has_more.then(|| turned(view.number + 1));
    let content = html! {
        h1 { "Campaigns" }
        div.card {
            @if rows.is_empty() {
                h2 { "No campaigns yet" }
                p { "A campaign brings creators, links, videos and spend together. Make one and mint its links from a terminal:" }
                pre { code { "hopcart campaigns --help" } }
                p.help { "or over the API: POST /campaigns, then POST /campaigns/{id}/mint." }
            } @else {
                (table("Campaigns", &[Words("Campaign"), Words("Dates"), Figures("Creators"), Figures("Budget"), Figures("Spend"), Figures("Clicks"), Figures("Orders"), Figures("Net revenue")], &rows))
            }
            (pager(before.as_deref(), after.as_deref()))
        }
    };
    layout::console("Campaigns", &view.workspace, Some(Place::Campaigns), &content)
}

fn row(campaign: &CampaignView, brought: Option<&RowView>, currency: Currency) -> Markup {
    let nothing = RowView::default();
    let brought = brought.unwrap_or(&nothing);
    html! {
        (name_cell(&html! {
            a href=(of_thing("campaigns", &campaign.id)) { (campaign.name) }
            @if campaign.archived { " " span.badge { "archived" } }
        }))
        (text_cell("Dates", &campaign.dates()))
        (number_cell("Creators", &format::count(campaign.partner_ids.len() as u64)))
        (number_cell("Budget", &campaign.budget()))
        (number_cell("Spend", &format::money(brought.spend, currency)))
        (number_cell("Clicks", &format::count(brought.clicks)))
        (number_cell("Orders", &format::thousandths(brought.orders_milli)))
        (number_cell("Net revenue", &format::money(brought.net_revenue, currency)))
    }
}

/// An entry of spend as the API tells it.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SpendView {
    pub partner_id: Option<String>,
    pub link_id: Option<String>,
    pub amount: i64,
    pub currency: String,
    pub at: String,
    pub note: Option<String>,
    pub voided_at: Option<String>,
}

/// One campaign.
#[derive(Debug, Clone, PartialEq)]
pub struct CampaignPage {
    pub workspace: String,
    pub asked: Asked,
    pub campaign: CampaignView,
    pub names: Names,
    pub currency: Currency,
    pub totals: RowView,
    pub by_creator: Vec<RowView>,
    pub by_content: Vec<RowView>,
    pub by_link: Vec<RowView>,
    /// The latest entries.
    pub spend: Vec<SpendView>,
}

/// Names that lead to the numbers of the campaign, narrowed to one more thing.
#[derive(Debug)]
struct Within<'a> {
    campaign: &'a str,
    narrowed_by: &'static str,
    group_by: &'static str,
}

impl Leads for Within<'_> {
    fn to(&self, key: &str) -> Option<String> {
        let asked = Asked::default().with(&[
            ("interval", "all"),
            ("campaignId", self.campaign),
            (self.narrowed_by, key),
            ("groupBy", self.group_by),
        ]);
        Some(asked.at("/"))
    }
}

/// The whole page of one campaign.
pub fn campaign_page(view: &CampaignPage) -> String {
    let campaign = &view.campaign;
    let path = of_thing("campaigns", &campaign.id);
    let numbers = Asked::default().with(&[("interval", "all"), ("campaignId", &campaign.id)]);
    let content = html! {
        div.heading {
            div {
                h1 { (campaign.name) }
                p.help {
                    (campaign.dates()) " · " (filters::period_words(&view.asked, INTERVAL)) " · in " (view.currency.code())
                }
                a.file href=(numbers.at("/")) { "All its numbers" }
            }
            (filters::interval_choice(&view.asked, &path, INTERVAL))
        }
        @if let Some(note) = campaign.note.as_deref().filter(|note| !note.is_empty()) { p.card { (note) } }
        (tiles::tiles(&view.totals, view.currency))
        (budget(view))
        (part("By creator", "Creator", &view.by_creator, view, ("partnerId", "content")))
        (part("By video or post", "Video or post", &view.by_content, view, ("contentId", "link")))
        (part("By link", "Link", &view.by_link, view, ("linkId", "country")))
        (participants(view))
        (spend(view))
    };
    layout::console(&campaign.name, &view.workspace, Some(Place::Campaigns), &content)
}

fn budget(view: &CampaignPage) -> Markup {
    let campaign = &view.campaign;
    let is_ours = campaign.currency.as_deref() == Some(view.currency.code());
    html! {
        @if let Some(budget) = campaign.budget {
            section.card aria-labelledby="budget" {
                h2 #budget { "Budget" }
                @if is_ours {
                    p { (format::money(view.totals.spend, view.currency)) " of " (campaign.budget()) " spent" }
                    (bar(view.totals.spend.into(), budget.into()))
                    @if view.totals.spend > budget { p.refused { "More was spent than planned." } }
                } @else {
                    p { (campaign.budget()) " planned; " (format::money(view.totals.spend, view.currency)) " spent" }
                }
            }
        }
    }
}

fn part(
    title: &str,
    what: &str,
    rows: &[RowView],
    view: &CampaignPage,
    (narrowed_by, group_by): (&'static str, &'static str),
) -> Markup {
    let leads = Within {
        campaign: &view.campaign.id,
        narrowed_by,
        group_by,
    };
    html! {
        div.card {
            h2 { (title) }
            (ranking(&Ranking {
                rows,
                total: &view.totals,
                currency: view.currency,
                what,
                ranked_by: "net revenue",
                leads: &leads,
            }))
        }
    }
}

fn participants(view: &CampaignPage) -> Markup {
    html! {
        section.card aria-labelledby="participants" {
            h2 #participants { "Creators who take part" }
            @if view.campaign.partner_ids.is_empty() {
                p.help { "Nobody was named. PATCH the campaign's partnerIds, or mint links for creators." }
            } @else {
                ul.people {
                    @for id in &view.campaign.partner_ids {
                        li { a href=(of_thing("creators", id)) { (view.names.creator(Some(id))) } }
                    }
                }
            }
        }
    }
}

fn spend(view: &CampaignPage) -> Markup {
    let rows: Vec<Markup> = view.spend.iter().map(|entry| spend_row(entry, &view.names)).collect();
    html! {
        section.card aria-labelledby="spend" {
            h2 #spend { "Spend" }
            @if rows.is_empty() {
                p.help { "Nothing was written down for this campaign. POST /spend with its campaignId, an amount and a currency." }
            } @else {
                (table("Spend", &[Words("When"), Words("On"), Figures("Amount"), Words("Note")], &rows))
            }
        }
    }
}

fn spend_row(entry: &SpendView, names: &Names) -> Markup {
    let on = match (&entry.partner_id, &entry.link_id) {
        (Some(partner), _) => names.creator(Some(partner)).to_owned(),
        (None, Some(link)) => format!("link {}", names.link(Some(link))),
        (None, None) => "the campaign".to_owned(),
    };
    html! {
        (name_cell(&html! {
            (format::told_moment(&entry.at))
            @if entry.voided_at.is_some() { " " span.badge.warn { "taken back" } }
        }))
        (text_cell("On", &on))
        (number_cell("Amount", &told_money(entry.amount, &entry.currency)))
        (cell("Note", &html! { (entry.note.as_deref().unwrap_or_default()) }))
    }
}

#[cfg(test)]
pub mod samples {
    use super::*;
    use crate::web::pages::sample;

    pub fn campaign(name: &str) -> CampaignView {
        CampaignView {
            id: "cmp_1".into(),
            name: name.into(),
            start: Some("2026-11-01T00:00:00.000Z".into()),
            budget: Some(50_000),
            currency: Some("EUR".into()),
            partner_ids: vec!["pn_1".into()],
            ..CampaignView::default()
        }
    }

    pub fn page(name: &str) -> CampaignPage {
        let numbers = sample::page(3, 1);
        CampaignPage {
            workspace: "Glow".into(),
            asked: Asked::of("interval=30d"),
            campaign: campaign(name),
            names: Names::default(),
            currency: Currency::EUR,
            totals: numbers.totals,
            by_creator: numbers.rows.clone(),
            by_content: Vec::new(),
            by_link: numbers.rows,
            spend: vec![SpendView {
                amount: 30_000,
                currency: "EUR".into(),
                at: "2026-11-02T00:00:00.000Z".into(),
                note: Some(name.into()),
                ..SpendView::default()
            }],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::pages::tags;

    #[test]
    fn a_campaign_shows_who_what_and_what_it_cost() {
        let text = campaign_page(&samples::page("Autumn"));
        tags::assert_sound(&text);
        for part in [
            "since 2026-11-01",
            "of 500.00\u{a0}EUR spent",
            "More was spent than planned.",
            "300.00\u{a0}EUR",
            "/?interval=all&amp;campaignId=cmp_1&amp;partnerId=pn_0000&amp;groupBy=content",
            "No video or post has clicks or orders",
            "/console/campaigns/cmp_1?interval=7d",
        ] {
            assert!(text.contains(part), "{part}");
        }
    }

    #[test]
    fn an_empty_list_says_what_to_do() {
        let mut view = CampaignsPage {
            workspace: "Glow".into(),
            campaigns: Vec::new(),
            currency: Currency::EUR,
            number: 1,
            has_more: false,
        };
        assert!(campaigns_page(&view).contains("POST /campaigns"));
        view.campaigns = vec![(samples::campaign("A <b>"), None)];
        let text = campaigns_page(&view);
        tags::assert_sound(&text);
        assert!(text.contains("<a href=\"/console/campaigns/cmp_1\">A &lt;b&gt;</a>"));
    }
}
