//! The table of creators or niches, best net revenue first.
//!
//! On a phone the style sheet turns rows into cards and names the figures by their column; a test here holds sheet
//! and columns together.

use std::cmp::Reverse;

use maud::{Markup, html};

use crate::domain::money::Currency;

use super::format;
use super::performance::{GroupBy, PerformancePage, RowView};

/// Most rows on the page: several times what a brand runs at once. The API pages through longer lists.
pub const ROWS_MAX: usize = 200;

/// A column after name and bar.
struct Column {
    title: &'static str,
    /// What it means, for those who stop at the title.
    meaning: &'static str,
    text: fn(&RowView, Currency) -> String,
}

const COLUMNS: [Column; 12] = [
    Column {
        title: "Net revenue",
        meaning: "Revenue after discounts, less refunds",
        text: |row, currency| format::amount(row.net_revenue, currency),
    },
    Column {
        title: "Clicks",
        meaning: "Clicks by people, without bots and repeats",
        text: |row, _| format::count(row.clicks),
    },
    Column {
        title: "Visitors",
        meaning: "Unique visitors",
        text: |row, _| format::count(row.unique_visitors),
    },
    Column {
        title: "Orders",
        meaning: "Paid orders",
        text: |row, _| format::count(row.orders),
    },
    Column {
        title: "Conv.",
        meaning: "Conversion rate: orders by clicks",
        text: |row, _| format::percent(row.conversion_rate),
    },
    Column {
        title: "New",
        meaning: "New customers: orders that were their customer's first",
        text: |row, _| format::count(row.new_customers),
    },
    Column {
        title: "Gross",
        meaning: "Revenue after discounts, before refunds",
        text: |row, currency| format::amount(row.gross_revenue, currency),
    },
    Column {
        title: "Refunds",
        meaning: "What was paid back",
        text: |row, currency| format::amount(row.refunds, currency),
    },
    Column {
        title: "Spend",
        meaning: "What was paid up front",
        text: |row, currency| format::amount(row.spend, currency),
    },
    Column {
        title: "EPC",
        meaning: "Earnings per click: net revenue by clicks",
        text: |row, currency| format::mean_amount(row.epc, currency),
    },
    Column {
        title: "CAC",
        meaning: "Cost of a new customer: spend by new customers",
        text: |row, currency| format::mean_amount(row.cac, currency),
    },
    Column {
        title: "ROI",
        meaning: "Return on investment: net revenue less spend, by spend",
        text: |row, _| format::percent(row.roi),
    },
];

/// The table in a box that scrolls by itself.
pub fn ranking(view: &PerformancePage) -> Markup {
    let mut rows: Vec<&RowView> = view.rows.iter().collect();
    rows.sort_by_key(|row| {
        (
            Reverse(row.net_revenue),
            Reverse(row.clicks),
            row.name.as_str(),
            row.key.as_str(),
        )
    });
    let best = rows.first().map_or(0, |row| row.net_revenue);
    html! {
        @if rows.is_empty() {
            p.help { "No " (view.group_by.as_str()) " has clicks or orders in this period." }
        } @else {
            div.scroller role="region" aria-label="Ranking by net revenue" tabindex="0" {
                table.ranking {
                    thead { (head(view.group_by)) }
                    tbody {
                        @for row in rows.iter().take(ROWS_MAX) { (line(row, view, best)) }
                    }
                    tfoot { (total(view)) }
                }
            }
            @if rows.len() > ROWS_MAX {
                p.help {
                    "The first " (ROWS_MAX) " of " (format::count(rows.len() as u64)) " are shown; the API has all."
                }
            }
            p.help.only-phone { "Turn the phone sideways for visitors, new customers and gross revenue." }
            p.help {
                "Conv. = orders by clicks. EPC = net revenue by clicks. CAC = spend by new customers. "
                "ROI = net revenue less spend, by spend."
            }
        }
    }
}

fn head(group_by: GroupBy) -> Markup {
    html! {
        tr {
            th scope="col" { (match group_by { GroupBy::Creator => "Creator", GroupBy::Niche => "Niche" }) }
            th scope="col" { span.unseen { "Share of the best" } }
            @for column in &COLUMNS { th scope="col" title=(column.meaning) { (column.title) } }
        }
    }
}

fn line(row: &RowView, view: &PerformancePage, best: i64) -> Markup {
    html! {
        tr {
            th scope="row" title=(called(row, view.group_by)) { (called(row, view.group_by)) }
            td { (bar(row.net_revenue.into(), best.into())) }
            @for column in &COLUMNS { td { ((column.text)(row, view.currency)) } }
        }
    }
}

fn total(view: &PerformancePage) -> Markup {
    html! {
        tr {
            th scope="row" { "Total" }
            td {}
            @for column in &COLUMNS { td { ((column.text)(&view.totals, view.currency)) } }
        }
    }
}

/// What a row is called; what belongs to nobody says so.
fn called(row: &RowView, group_by: GroupBy) -> &str {
    match (row.name.as_str(), row.key.as_str(), group_by) {
        ("", "", GroupBy::Creator) => "No creator",
        ("", "", GroupBy::Niche) => "No niche",
        ("", key, _) => key,
        (name, _, _) => name,
    }
}

/// A bar as long as `part` is of `whole`, on its track; nothing but the track for what is not positive.
pub fn bar(part: i128, whole: i128) -> Markup {
    let percent = (part > 0 && whole > 0).then(|| (part.min(whole) * 100 / whole).max(1));
    html! {
        svg.bar aria-hidden="true" {
            @if let Some(percent) = percent { rect width={ (percent) "%" } height="100%" {} }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::pages::{assets, sample, tags};

    #[test]
    fn rows_are_ranked_by_net_revenue() {
        let mut view = sample::page(12, 3);
        view.rows.reverse();
        let markup = ranking(&view).into_string();
        tags::assert_sound(&markup);
        let mut rows = view.rows.clone();
        rows.sort_by_key(|row| -row.net_revenue);
        let place = |row: &RowView| markup.find(&format!(">{}</th>", row.name.replace('&', "&amp;")));
        let places: Vec<_> = rows.iter().map(place).collect();
        assert!(places.iter().all(Option::is_some));
        assert!(places.is_sorted(), "{places:?}");
    }

    #[test]
    fn a_long_list_is_cut_and_says_so() {
        let view = sample::page(ROWS_MAX + 5, 3);
        let markup = ranking(&view).into_string();
        assert_eq!(markup.matches("<th scope=\"row\"").count(), ROWS_MAX + 1);
        assert!(markup.contains("The first 200 of 205 are shown"));
    }

    #[test]
    fn what_belongs_to_nobody_is_named() {
        let row = |key: &str, name: &str| RowView {
            key: key.into(),
            name: name.into(),
            ..RowView::default()
        };
        assert_eq!(called(&row("", ""), GroupBy::Creator), "No creator");
        assert_eq!(called(&row("", ""), GroupBy::Niche), "No niche");
        assert_eq!(called(&row("skincare", ""), GroupBy::Niche), "skincare");
        assert_eq!(called(&row("pn_1", "Mira"), GroupBy::Creator), "Mira");
    }

    #[test]
    fn bars_stay_on_their_track() {
        let most = i128::from(u64::MAX);
        for (part, whole, width) in [
            (0, 0, None),
            (-5, 10, None),
            (5, -10, None),
            (1, most, Some("1%")),
            (1, 2, Some("50%")),
            (7, 7, Some("100%")),
            (9, 7, Some("100%")),
            (most, most, Some("100%")),
        ] {
            let markup = bar(part, whole).into_string();
            let tags = tags::assert_sound(&markup);
            let rect = tags.iter().find(|tag| tag.name == "rect");
            assert_eq!(rect.and_then(|tag| tag.value("width")), width, "{part} of {whole}");
        }
    }

    /// Children of a row before the first of [`COLUMNS`]: name and bar.
    const BEFORE: usize = 2;

    #[test]
    fn the_sheet_names_or_hides_every_column_on_a_phone() {
        for (place, column) in COLUMNS.iter().enumerate().skip(1) {
            let child = place + BEFORE + 1;
            let named = format!("td:nth-child({child})::before {{ content: \"{}\"; }}", column.title);
            let hidden = ["Visitors", "New", "Gross"].contains(&column.title);
            assert_eq!(assets::STYLE.contains(&named), !hidden, "{named}");
            let hides = format!(".ranking td:nth-child({child}) {{ display: none; }}");
            assert_eq!(assets::STYLE.contains(&hides), hidden, "{hides}");
        }
    }
}
