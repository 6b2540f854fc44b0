//! A creator's own report, which whoever has its link can read: their clicks, orders, sales and conversion, by day, link and
//! video.
//!
//! Never shows another creator, a customer, or what the brand pays and earns; leads nowhere but to its other periods.

use maud::{Markup, html};

use crate::domain::money::Currency;
use crate::domain::time::Timestamp;

use super::chart::clicks_chart;
use super::filters::INTERVALS;
use super::performance::RowView;
use super::ranking::bar;
use super::table::Head::{Figures, Words};
use super::table::{cell, name_cell, number_cell, table};
use super::tiles::{rate_tile, tile};
use super::whisker::{Scale, bounds, whisker};
use super::{format, layout};

/// The period when none is asked for.
pub const INTERVAL: &str = "30d";
/// Rows of each list: the ones that brought most.
pub const ROWS_MAX: usize = 25;

/// All that the page shows.
#[derive(Debug, Clone, PartialEq)]
pub struct CreatorReport {
    /// Name of the brand.
    pub brand: String,
    /// Name of the creator.
    pub creator: String,
    /// One of [`INTERVALS`].
    pub interval: String,
    pub currency: Currency,
    pub totals: RowView,
    pub series: Vec<(String, u64)>,
    /// Best first.
    pub links: Vec<RowView>,
    pub contents: Vec<RowView>,
    pub updated_at: Timestamp,
    /// When the link ends.
    pub expires_at: Timestamp,
}

/// The whole page.
pub fn creator_report(view: &CreatorReport) -> String {
    let totals = &view.totals;
    let words = INTERVALS
        .iter()
        .find(|(wire, ..)| *wire == view.interval)
        .map_or("", |(_, _, words)| *words);
    let content = html! {
        div.heading {
            div {
                h1 { (view.creator) }
                p.help {
                    (words) " · in " (view.currency.code()) " · updated "
                    time datetime=(view.updated_at) { (format::moment(view.updated_at)) }
                }
            }
            nav.choice aria-label="Period" {
                @for (wire, short, words) in INTERVALS {
                    a href={ "?interval=" (wire) } title=(words) aria-current=[(wire == view.interval).then_some("page")] { (short) }
                }
            }
        }
        dl.tiles.five {
            (tile("Clicks", "", &format::count(totals.clicks), "by people, without bots and repeats", None))
            (tile("Visitors", "", &format::maybe_count(totals.unique_visitors), "each counted once", None))
            (tile("Orders", "", &format::thousandths(totals.orders_milli), "credited to you", None))
            (rate_tile(totals))
            (tile("Sales", view.currency.code(), &format::amount(totals.net_revenue, view.currency), "after discounts and refunds", None))
        }
        @if totals.clicks == 0 && totals.orders_milli == 0 {
            section.card.empty {
                h2 { "Nothing happened in this period" }
                p { "Post your link; a click is shown here within a second of the tap. Or choose another period above." }
            }
        } @else {
            (clicks_chart(&view.series))
            (list("Your links", "Link", &view.links, view.currency))
            @if !view.contents.is_empty() { (list("Your videos and posts", "Video or post", &view.contents, view.currency)) }
        }
        p.help {
            "An order is credited to you by your code or your link, as " (view.brand) " has set it. "
            "This page can be read until " (format::moment(view.expires_at)) " by whoever has its address."
        }
    };
    layout::public(&view.creator, &view.brand, &content)
}

fn list(title: &str, what: &str, rows: &[RowView], currency: Currency) -> Markup {
    let most = rows.iter().map(|row| row.clicks).max().unwrap_or(0);
    let scale = Scale::of(
        rows.iter()
            .map(|row| (row.clicks, row.conversion.map(|(_, high)| high))),
    );
    let shown: Vec<Markup> = rows
        .iter()
        .take(ROWS_MAX)
        .map(|row| line(row, currency, most, scale))
        .collect();
    html! {
        div.card {
            h2 { (title) }
            (table(title, &[Words(what), Figures("Clicks"), Figures("Orders"), Words("Conversion"), Figures("Sales")], &shown))
            @if rows.len() > ROWS_MAX { p.help { "The first " (ROWS_MAX) " of " (format::count(rows.len() as u64)) " are shown." } }
        }
    }
}

fn line(row: &RowView, currency: Currency, most: u64, scale: Scale) -> Markup {
    html! {
        (name_cell(&html! { (row.name) (bar(row.clicks.into(), most.into())) }))
        (number_cell("Clicks", &format::count(row.clicks)))
        (number_cell("Orders", &format::thousandths(row.orders_milli)))
        (cell("Conversion", &html! {
            (format::percent(row.conversion_rate))
            @if row.conversion.is_some() {
                (whisker(row.conversion_rate, row.conversion, scale))
                small { (bounds(row.conversion)) }
            }
        }))
        (number_cell("Sales", &format::money(row.net_revenue, currency)))
    }
}

#[cfg(test)]
pub mod samples {
    use super::*;
    use crate::web::pages::sample;

    pub fn report(name: &str) -> CreatorReport {
        let numbers = sample::page(3, 30);
        let mut links = numbers.rows;
        links.iter_mut().for_each(|row| row.name = name.into());
        CreatorReport {
            brand: name.into(),
            creator: name.into(),
            interval: "30d".into(),
            currency: Currency::EUR,
            totals: numbers.totals,
            series: numbers.series,
            contents: links.clone(),
            links,
            updated_at: Timestamp(1_795_254_780_123),
            expires_at: Timestamp(1_799_254_780_000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::pages::tags;

    #[test]
    fn it_shows_sales_but_neither_spend_nor_margins() {
        let text = creator_report(&samples::report("Mia"));
        tags::assert_sound(&text);
        for part in ["Your links", "Sales", "95% sure", "?interval=7d"] {
            assert!(text.contains(part), "{part}");
        }
        for word in ["ROI", "CAC", "pend", "argin", "ustomer", "EPC", "/console", "pn_"] {
            assert!(!text.contains(word), "{word}");
        }
    }

    #[test]
    fn a_quiet_period_says_what_to_do() {
        let quiet = CreatorReport {
            totals: RowView::default(),
            ..samples::report("Mia")
        };
        let text = creator_report(&quiet);
        assert!(text.contains("Post your link") && !text.contains("Your links"));
    }
}
