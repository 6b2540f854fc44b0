//! The front page: what creators, niches, campaigns, videos and links brought in a period.
//!
//! Shows what it is given: sums, ratios and the order of rows come from the report, nothing is counted here.

use maud::{Markup, html};

use crate::domain::money::Currency;
use crate::domain::time::Timestamp;

use super::address::Asked;
use super::chart::clicks_chart;
use super::filters::{self, Choices, GROUPS, MODELS, Narrowed, SORTS};
use super::layout::Place;
use super::ranking::{Narrower, Ranking, ranking};
use super::{format, layout, ranking as rows, tiles};

/// The period when none is asked for.
pub const INTERVAL: &str = "30d";

/// Most links in the list of the most clicked ones.
const TOP_LINKS_MAX: usize = 10;

/// All that the page shows.
#[derive(Debug, Clone, PartialEq)]
pub struct PerformancePage {
    /// Name of the workspace.
    pub workspace: String,
    /// What stands in the address.
    pub asked: Asked,
    pub choices: Choices,
    /// What the numbers are narrowed to.
    pub narrowed: Vec<Narrowed>,
    /// Currency of every amount on the page.
    pub currency: Currency,
    /// Word of the model that shared the orders out.
    pub model: String,
    pub totals: RowView,
    /// In the order in which they are ranked.
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
    /// The group's value: a creator's id or a niche; `(none)` for what belongs to none.
    pub key: String,
    /// What people call it; the key stands in where it is empty.
    pub name: String,
    pub clicks: u64,
    pub unique_visitors: Option<u64>,
    /// Thousandths: some models share orders out.
    pub orders_milli: u64,
    pub new_customers_milli: u64,
    pub gross_revenue: i64,
    pub refunds: i64,
    pub net_revenue: i64,
    pub spend: i64,
    /// Orders by clicks.
    pub conversion_rate: Option<f64>,
    /// Between what it lies with 95 % confidence.
    pub conversion: Option<(f64, f64)>,
    /// Net revenue by clicks, in minor units.
    pub epc: Option<f64>,
    /// Spend by new customers, in minor units.
    pub cac: Option<f64>,
    /// `(margin − spend) / spend`.
    pub roi: Option<f64>,
    /// Of the period before, when it is compared.
    pub previous: Option<Box<RowView>>,
}

/// The whole page.
pub fn performance_page(view: &PerformancePage) -> String {
    let group_by = view.asked.get("groupBy").unwrap_or("creator");
    let (_, one, many) = *GROUPS.iter().find(|(wire, ..)| *wire == group_by).unwrap_or(&GROUPS[0]);
    let sorted = view.asked.get("sortBy").unwrap_or("netRevenue");
    let ranked_by = filters::words_for(&SORTS, sorted);
    let csv = view
        .asked
        .with(&[("format", "csv"), ("interval", asked_interval(view))]);
    let content = html! {
        div.heading {
            div {
                h1 { "Performance" }
                p.help {
                    (filters::period_words(&view.asked, INTERVAL)) " · in " (view.currency.code())
                    " · by " (filters::words_for(&MODELS, &view.model)) " · updated "
                    time datetime=(view.updated_at) { (format::moment(view.updated_at)) }
                }
            }
            (filters::interval_choice(&view.asked, "/", INTERVAL))
        }
        (filters::form(&view.asked, &view.choices, view.currency.code()))
        (filters::narrowed(&view.asked, &view.narrowed))
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
                    h2 #ranking { (many) " by " (ranked_by) }
                    a.file href=(csv.at("/performance.csv")) { "Download as CSV" }
                }
                (ranking(&Ranking {
                    rows: &view.rows,
                    total: &view.totals,
                    currency: view.currency,
                    what: one,
                    ranked_by,
                    leads: &Narrower { asked: view.asked.clone(), group_by: group_by.to_owned() },
                }))
            }
        }
    };
    layout::console("Performance", &view.workspace, Some(Place::Performance), &content)
}

/// The interval that the page shows, for addresses outside it that know another default; empty with dates of one's own.
fn asked_interval(view: &PerformancePage) -> &str {
    match view.asked.get("start") {
        Some(_) => "",
        None => view.asked.get("interval").unwrap_or(INTERVAL),
    }
}

/// Whether nothing at all happened in the period.
fn is_empty(view: &PerformancePage) -> bool {
    let happened = |row: &RowView| row.clicks > 0 || row.orders_milli > 0 || row.refunds != 0 || row.spend != 0;
    let was = |row: &RowView| row.previous.as_deref().is_some_and(happened);
    let any = |row: &RowView| happened(row) || was(row);
    !any(&view.totals) && !view.rows.iter().any(any)
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
                        (rows::bar(i128::from(*clicks), i128::from(most)))
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
    let everything = Asked::default().with(&[("interval", "all")]);
    html! {
        section.card.empty {
            @if view.narrowed.is_empty() {
                h2 { "No clicks in this period" }
            } @else {
                h2 { "Nothing that you narrowed it to happened in this period" }
                p { "Take a filter away above, or choose another period." }
            }
            @if view.asked != everything {
                p { "There may be some before it: " a.file href=(everything.at("/")) { "show all time" } }
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
    fn what_is_asked_is_kept_by_every_way_on() {
        let mut view = sample::page(3, 2);
        view.asked = Asked::of("interval=7d&groupBy=niche&sortBy=conversionRateLow&campaignId=cmp_1");
        let page = performance_page(&view);
        let tags = tags::assert_sound(&page);
        let links: Vec<_> = tags.iter().filter_map(|tag| tag.value("href")).collect();
        for wanted in [
            "/?groupBy=niche&amp;sortBy=conversionRateLow&amp;campaignId=cmp_1&amp;interval=90d",
            "/performance.csv?groupBy=niche&amp;sortBy=conversionRateLow&amp;campaignId=cmp_1&amp;format=csv&amp;interval=7d",
        ] {
            assert!(links.contains(&wanted), "{wanted}: {links:?}");
        }
        for part in ["Last 7 days", "Niches by conversion, lower bound", "by last touch"] {
            assert!(page.contains(part), "{part}");
        }
    }

    #[test]
    fn an_unknown_word_is_shown_but_breaks_nothing() {
        let mut view = sample::page(3, 2);
        view.asked = Asked(vec![("interval".into(), "7d&x=\"><b>".into())]);
        let page = performance_page(&view);
        let tags = tags::assert_sound(&page);
        let links = tags.iter().filter_map(|tag| tag.value("href"));
        assert!(
            links.into_iter().all(|link| !link.contains("7d&amp;x=")),
            "it is encoded"
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
        assert!(page.contains("<a class=\"file\" href=\"/?interval=all\">show all time</a>"));
        assert!(!page.contains("<svg viewBox=\"0 0 4000"));
        let all = performance_page(&PerformancePage {
            asked: Asked::of("interval=all"),
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
        assert!(performance_page(&view).contains("Creators by net revenue"));
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
