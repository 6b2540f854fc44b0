//! The front page: what links, creators and niches brought in a period.
//!
//! Shows what it is given: sums and ratios come from the report, nothing is counted here.

use maud::{Markup, html};

use crate::domain::money::Currency;
use crate::domain::time::Timestamp;

use super::chart::clicks_chart;
use super::{format, layout, ranking, tiles};

/// The periods to choose from: wire name, name on a button, name in a sentence.
pub const INTERVALS: [(&str, &str, &str); 6] = [
    ("24h", "24h", "Last 24 hours"),
    ("7d", "7d", "Last 7 days"),
    ("30d", "30d", "Last 30 days"),
    ("90d", "90d", "Last 90 days"),
    ("1y", "1y", "Last year"),
    ("all", "All", "All time"),
];

/// Most links in the list of the most clicked ones.
const TOP_LINKS_MAX: usize = 10;

/// What a row of the ranking stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupBy {
    Creator,
    Niche,
}

impl GroupBy {
    /// The word of `groupBy=` in the address.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Creator => "creator",
            Self::Niche => "niche",
        }
    }
}

/// All that the page shows.
#[derive(Debug, Clone, PartialEq)]
pub struct PerformancePage {
    /// Name of the workspace.
    pub workspace: String,
    /// Wire name of the period, one of [`INTERVALS`].
    pub interval: String,
    pub group_by: GroupBy,
    /// Currency of every amount on the page.
    pub currency: Currency,
    pub totals: RowView,
    /// In any order: the page ranks them.
    pub rows: Vec<RowView>,
    /// Clicks over time: the name of each stretch and its clicks, in the order of time.
    pub series: Vec<(String, u64)>,
    /// Short links and their clicks, most clicked first.
    pub top_links: Vec<(String, u64)>,
    /// What the reader has to know about the numbers, a sentence each.
    pub notes: Vec<String>,
    /// Where the API answers, for the example of the empty page; such as `http://127.0.0.1:8081`.
    pub api_url: String,
    pub updated_at: Timestamp,
}

/// One row of the report, or its totals. Amounts are in minor units.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RowView {
    /// The group's value: a creator's id or a niche; empty for what belongs to none.
    pub key: String,
    /// What people call it; the key stands in where it is empty.
    pub name: String,
    pub clicks: u64,
    pub unique_visitors: u64,
    pub orders: u64,
    pub new_customers: u64,
    pub gross_revenue: i64,
    pub refunds: i64,
    pub net_revenue: i64,
    pub spend: i64,
    /// Orders by clicks.
    pub conversion_rate: Option<f64>,
    /// Net revenue by clicks, in minor units.
    pub epc: Option<f64>,
    /// Spend by new customers, in minor units.
    pub cac: Option<f64>,
    /// `(net − spend) / spend`.
    pub roi: Option<f64>,
}

/// The whole page.
pub fn performance_page(view: &PerformancePage) -> String {
    let content = html! {
        div.heading {
            div {
                h1 { "Performance" }
                p.help {
                    (period(&view.interval)) " · in " (view.currency.code()) " · updated "
                    time datetime=(view.updated_at) { (format::moment(view.updated_at)) }
                }
            }
            (interval_choice(view))
        }
        @if !view.notes.is_empty() {
            ul.notes aria-label="Notes on the numbers" { @for note in &view.notes { li { (note) } } }
        }
        @if is_empty(view) {
            (nothing_yet(view))
        } @else {
            (tiles::tiles(&view.totals, view.currency))
            div.split {
                (clicks_chart(&view.series))
                (top_links(&view.top_links))
            }
            section.card aria-labelledby="ranking" {
                div.heading {
                    h2 #ranking { "Ranking by net revenue" }
                    (group_choice(view))
                }
                (ranking::ranking(view))
            }
        }
    };
    layout::shell("Performance", Some(&view.workspace), &content)
}

/// Whether nothing at all happened in the period.
fn is_empty(view: &PerformancePage) -> bool {
    let happened = |row: &RowView| row.clicks > 0 || row.orders > 0 || row.refunds != 0 || row.spend != 0;
    !happened(&view.totals) && !view.rows.iter().any(happened)
}

/// The period in words; a name that is none of ours is shown as it is.
fn period(interval: &str) -> &str {
    let known = INTERVALS.iter().find(|(wire, ..)| *wire == interval);
    known.map_or(interval, |(_, _, words)| words)
}

fn interval_choice(view: &PerformancePage) -> Markup {
    html! {
        nav.choice aria-label="Period" {
            @for (wire, short, words) in INTERVALS {
                a href={ "/?interval=" (wire) "&groupBy=" (view.group_by.as_str()) } title=(words)
                    aria-current=[(wire == view.interval).then_some("page")] { (short) }
            }
        }
    }
}

fn group_choice(view: &PerformancePage) -> Markup {
    // Only a period that we know goes into an address.
    let interval = INTERVALS.iter().find(|(wire, ..)| *wire == view.interval);
    let interval = interval.map_or("30d", |(wire, ..)| wire);
    html! {
        nav.choice aria-label="Group by" {
            @for (group_by, words) in [(GroupBy::Creator, "Creators"), (GroupBy::Niche, "Niches")] {
                a href={ "/?interval=" (interval) "&groupBy=" (group_by.as_str()) }
                    aria-current=[(group_by == view.group_by).then_some("page")] { (words) }
            }
        }
    }
}

fn top_links(links: &[(String, u64)]) -> Markup {
    let most = links.iter().map(|(_, clicks)| *clicks).max().unwrap_or(0);
    html! {
        section.card aria-labelledby="top-links" {
            h2 #top-links { "Most clicked links" }
            @if links.is_empty() { p.help { "No link was clicked in this period." } }
            ol.top-links {
                @for (link, clicks) in links.iter().take(TOP_LINKS_MAX) {
                    li {
                        // Text, not a link: whoever looks at numbers must not change them by a tap.
                        span.link title=(link) { (without_scheme(link)) }
                        span.number { (format::count(*clicks)) }
                        (ranking::bar(i128::from(*clicks), i128::from(most)))
                    }
                }
            }
        }
    }
}

/// What people read of an address.
fn without_scheme(link: &str) -> &str {
    link.strip_prefix("https://")
        .or_else(|| link.strip_prefix("http://"))
        .unwrap_or(link)
}

/// What to do when there is nothing to show.
fn nothing_yet(view: &PerformancePage) -> Markup {
    html! {
        section.card.empty {
            h2 { "No clicks in this period" }
            @if view.interval != "all" {
                p { "There may be some before it: "
                    a href={ "/?interval=all&groupBy=" (view.group_by.as_str()) } { "show all time" } "." }
            }
            p { "To see numbers here, make a link and tap it. From a terminal:" }
            pre { code { "hopcart link create https://shop.example/cart/44017:2" } }
            p { "or over the API, with your key in " code { "HOPCART_KEY" } ":" }
            pre { code {
                "curl " (view.api_url) "/links -H \"Authorization: Bearer $HOPCART_KEY\" \\\n"
                "  -H \"Content-Type: application/json\" -d '{\"url\": \"https://shop.example/cart/44017:2\"}'"
            } }
            p.help { "A click is shown here within a second of the tap." }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::pages::{sample, tags};

    #[test]
    fn periods_and_groups_are_links_that_keep_each_other() {
        let mut view = sample::page(3, 2);
        view.interval = "7d".into();
        view.group_by = GroupBy::Niche;
        let page = performance_page(&view);
        let tags = tags::assert_sound(&page);
        let links: Vec<_> = tags.iter().filter_map(|tag| tag.value("href")).collect();
        for (wire, ..) in INTERVALS {
            let wanted = format!("/?interval={wire}&amp;groupBy=niche");
            assert!(links.contains(&wanted.as_str()), "{wanted}");
        }
        assert!(links.contains(&"/?interval=7d&amp;groupBy=creator"));
        let current: Vec<_> = tags.iter().filter(|tag| tag.value("aria-current").is_some()).collect();
        assert_eq!(current.len(), 2);
        assert!(page.contains("Last 7 days"));
    }

    #[test]
    fn an_unknown_period_is_shown_but_never_linked() {
        let mut view = sample::page(3, 2);
        view.interval = "7d&x=\"><b>".into();
        let page = performance_page(&view);
        let tags = tags::assert_sound(&page);
        assert!(
            tags.iter()
                .all(|tag| !tag.value("href").unwrap_or_default().contains("7d&amp;x="))
        );
        assert!(page.contains("7d&amp;x=&quot;&gt;&lt;b&gt;"));
    }

    #[test]
    fn a_page_without_numbers_tells_what_to_do() {
        let view = PerformancePage {
            totals: RowView::default(),
            rows: Vec::new(),
            series: vec![("20 Nov".into(), 0), ("21 Nov".into(), 0)],
            top_links: Vec::new(),
            ..sample::page(1, 1)
        };
        let page = performance_page(&view);
        tags::assert_sound(&page);
        assert!(page.contains("hopcart link create"));
        assert!(page.contains("curl http://127.0.0.1:8081/links"));
        assert!(page.contains("/?interval=all&amp;groupBy=creator"));
        assert!(!page.contains("<svg viewBox=\"0 0 4000"));
        let all = performance_page(&PerformancePage {
            interval: "all".into(),
            ..view
        });
        assert!(!all.contains("show all time"));
    }

    #[test]
    fn spend_without_a_click_is_still_shown() {
        let mut view = sample::page(1, 1);
        view.rows = vec![RowView {
            name: "Mira".into(),
            spend: 5000,
            ..RowView::default()
        }];
        view.totals = view.rows[0].clone();
        assert!(performance_page(&view).contains("Ranking by net revenue"));
    }

    #[test]
    fn notes_stand_above_the_numbers() {
        let mut view = sample::page(1, 1);
        view.notes = vec!["3 orders are set aside: their currency is not the store's".into()];
        assert!(performance_page(&view).contains("<li>3 orders are set aside: their currency is not the store's</li>"));
        view.notes.clear();
        assert!(!performance_page(&view).contains("class=\"notes\""));
    }

    #[test]
    fn the_list_of_links_ends() {
        let mut view = sample::page(1, 1);
        view.top_links = (0..50)
            .map(|place| (format!("https://glow.link/l{place}x"), 100 - place))
            .collect();
        let page = performance_page(&view);
        assert!(page.contains(">glow.link/l9x<"));
        assert!(!page.contains("glow.link/l10x"));
    }
}
