//! The table of the rows of a report, in the order in which it ranks them.
//!
//! On a phone the style sheet turns rows into cards and names the figures by their column; a test here holds sheet
//! and columns together.

use maud::{Markup, html};

use crate::domain::money::Currency;

use super::address::Asked;
use super::delta::delta;
use super::format;
use super::performance::RowView;
use super::whisker::{Scale, bounds, whisker};

/// Most rows on the page: several times what a brand runs at once. The API pages through longer lists.
pub const ROWS_MAX: usize = 200;

/// The key of what belongs to nobody, as the report writes it.
const NOBODY: &str = "(none)";

/// A column after name and bar.
struct Column {
    title: &'static str,
    /// What it means, for those who stop at the title.
    meaning: &'static str,
    text: fn(&RowView, Currency) -> String,
    /// What is compared with the period before, where a column is.
    compared: Option<fn(&RowView) -> Option<f64>>,
}

const fn plain(title: &'static str, meaning: &'static str, text: fn(&RowView, Currency) -> String) -> Column {
    Column {
        title,
        meaning,
        text,
        compared: None,
    }
}

/// Where the rate stands among the columns.
const RATE: usize = 4;

const COLUMNS: [Column; 12] = [
    Column {
        compared: Some(|row| Some(row.net_revenue as f64)),
        ..plain(
            "Net revenue",
            "Revenue after discounts, less refunds",
            |row, currency| format::amount(row.net_revenue, currency),
        )
    },
    Column {
        compared: Some(|row| Some(row.clicks as f64)),
        ..plain("Clicks", "Clicks by people, without bots and repeats", |row, _| {
            format::count(row.clicks)
        })
    },
    plain("Visitors", "Unique visitors", |row, _| {
        format::maybe_count(row.unique_visitors)
    }),
    Column {
        compared: Some(|row| Some(row.orders_milli as f64)),
        ..plain("Orders", "Paid orders", |row, _| format::thousandths(row.orders_milli))
    },
    Column {
        compared: Some(|row| row.conversion_rate),
        ..plain(
            "Conv.",
            "Conversion rate: orders by clicks, and between what it lies with 95% confidence",
            |row, _| format::percent(row.conversion_rate),
        )
    },
    plain(
        "New",
        "New customers: orders that were their customer's first",
        |row, _| format::thousandths(row.new_customers_milli),
    ),
    plain("Gross", "Revenue after discounts, before refunds", |row, currency| {
        format::amount(row.gross_revenue, currency)
    }),
    plain("Refunds", "What was paid back", |row, currency| {
        format::amount(row.refunds, currency)
    }),
    plain("Spend", "What was paid for it", |row, currency| {
        format::amount(row.spend, currency)
    }),
    plain("EPC", "Earnings per click: net revenue by clicks", |row, currency| {
        format::mean_amount(row.epc, currency)
    }),
    plain(
        "CAC",
        "Cost of a new customer: spend by new customers",
        |row, currency| format::mean_amount(row.cac, currency),
    ),
    plain(
        "ROI",
        "Return on investment: margin less spend, by spend; a dash where not every cost of goods is known",
        |row, _| format::percent(row.roi),
    ),
];

/// What a ranking is of.
#[derive(Debug, Clone, Copy)]
pub struct Ranking<'a> {
    /// Best first, as the report says.
    pub rows: &'a [RowView],
    pub total: &'a RowView,
    pub currency: Currency,
    /// What one row is, such as `Creator`.
    pub what: &'a str,
    /// What the rows are ranked by, in words.
    pub ranked_by: &'a str,
    /// Where a row's name leads, by its key.
    pub leads: &'a dyn Leads,
}

/// Where the names of rows lead.
pub trait Leads: std::fmt::Debug {
    /// The address of what is known about `key`; `None` = nowhere.
    fn to(&self, key: &str) -> Option<String>;
}

/// Names that lead to the same numbers, narrowed to the row and told apart by what is within.
#[derive(Debug, Clone)]
pub struct Narrower {
    pub asked: Asked,
    /// The word of `groupBy`.
    pub group_by: String,
}

impl Leads for Narrower {
    fn to(&self, key: &str) -> Option<String> {
        let (name, within) = match self.group_by.as_str() {
            "creator" => ("partnerId", "link"),
            "niche" => ("niche", "creator"),
            "tier" => ("tier", "creator"),
            "platform" => ("platform", "creator"),
            "campaign" => ("campaignId", "creator"),
            "content" => ("contentId", "link"),
            "link" => ("linkId", "country"),
            "store" => ("storeId", "creator"),
            "country" if key != NOBODY => ("country", "creator"),
            _ => return None,
        };
        Some(self.asked.with(&[(name, key), ("groupBy", within)]).at("/"))
    }
}

/// The table in a box that scrolls by itself.
pub fn ranking(view: &Ranking<'_>) -> Markup {
    let best = view.rows.iter().map(|row| row.net_revenue).max().unwrap_or(0);
    let scale = Scale::of(
        view.rows
            .iter()
            .map(|row| (row.clicks, row.conversion.map(|(_, high)| high))),
    );
    let is_compared = view.total.previous.is_some();
    html! {
        @if view.rows.is_empty() {
            p.help { "No " (view.what.to_lowercase()) " has clicks or orders in this period." }
        } @else {
            div.scroller role="region" aria-label={ (view.what) ", ranked by " (view.ranked_by) } tabindex="0" {
                table.ranking {
                    thead { (head(view.what)) }
                    tbody {
                        @for row in view.rows.iter().take(ROWS_MAX) { (line(row, view, best, scale)) }
                    }
                    tfoot { (total(view)) }
                }
            }
            @if view.rows.len() > ROWS_MAX {
                p.help {
                    "The first " (ROWS_MAX) " of " (format::count(view.rows.len() as u64)) " are shown; the CSV file has all."
                }
            }
            p.help.only-phone { "Turn the phone sideways for visitors, new customers and gross revenue." }
            p.help {
                "Conv. = orders by clicks; the line under it shows between what it lies with 95% confidence. "
                "EPC = net revenue by clicks. CAC = spend by new customers. ROI = margin less spend, by spend."
                @if is_compared { " ▲ and ▼ compare with the period of the same length before." }
            }
        }
    }
}

fn head(what: &str) -> Markup {
    html! {
        tr {
            th scope="col" { (what) }
            th scope="col" { span.unseen { "Share of the best" } }
            @for column in &COLUMNS { th scope="col" title=(column.meaning) { (column.title) } }
        }
    }
}

fn line(row: &RowView, view: &Ranking<'_>, best: i64, scale: Scale) -> Markup {
    let name = called(row, view.what);
    html! {
        tr {
            th scope="row" title=(name) {
                @match view.leads.to(&row.key) {
                    Some(address) => a href=(address) { (name) },
                    None => (name),
                }
            }
            td { (bar(row.net_revenue.into(), best.into())) }
            @for (place, column) in COLUMNS.iter().enumerate() { (cell(row, view, place, column, Some(scale))) }
        }
    }
}

fn cell(row: &RowView, view: &Ranking<'_>, place: usize, column: &Column, scale: Option<Scale>) -> Markup {
    let compared = row.previous.as_deref().zip(column.compared);
    html! {
        td {
            ((column.text)(row, view.currency))
            @if let Some((was, figure)) = compared { " " (delta(figure(row), figure(was))) }
            @if let Some(scale) = scale.filter(|_| place == RATE && row.conversion.is_some()) {
                (whisker(row.conversion_rate, row.conversion, scale))
                small { (bounds(row.conversion)) }
            }
        }
    }
}

fn total(view: &Ranking<'_>) -> Markup {
    html! {
        tr {
            th scope="row" { "Total" }
            td {}
            @for (place, column) in COLUMNS.iter().enumerate() { (cell(view.total, view, place, column, None)) }
        }
    }
}

/// What a row is called; what belongs to nobody says so.
fn called(row: &RowView, what: &str) -> String {
    match (row.name.as_str(), row.key.as_str()) {
        ("" | NOBODY, "" | NOBODY) => format!("No {}", what.to_lowercase()),
        ("", key) => key.to_owned(),
        (name, _) => name.to_owned(),
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

    #[derive(Debug)]
    struct Nowhere;

    impl Leads for Nowhere {
        fn to(&self, _: &str) -> Option<String> {
            None
        }
    }

    fn drawn(rows: usize) -> String {
        let view = sample::page(rows, 3);
        ranking(&of(&view.rows, &view.totals)).into_string()
    }

    fn of<'a>(rows: &'a [RowView], total: &'a RowView) -> Ranking<'a> {
        Ranking {
            rows,
            total,
            currency: Currency::EUR,
            what: "Creator",
            ranked_by: "net revenue",
            leads: &Nowhere,
        }
    }

    #[test]
    fn rows_stay_in_the_reports_order() {
        let view = sample::page(12, 3);
        let markup = drawn(12);
        tags::assert_sound(&markup);
        let place = |row: &RowView| markup.find(&format!(">{}</th>", row.name.replace('&', "&amp;")));
        let places: Vec<_> = view.rows.iter().map(place).collect();
        assert!(places.iter().all(Option::is_some));
        assert!(places.is_sorted(), "{places:?}");
        assert_eq!(markup.matches("class=\"range\"").count(), 12);
    }

    #[test]
    fn a_long_list_is_cut_and_says_so() {
        let markup = drawn(ROWS_MAX + 5);
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
        for (key, name, what, expected) in [
            ("(none)", "(none)", "Creator", "No creator"),
            ("", "", "Niche", "No niche"),
            ("skincare", "", "Niche", "skincare"),
            ("pn_1", "Mira", "Creator", "Mira"),
        ] {
            assert_eq!(called(&row(key, name), what), expected);
        }
    }

    #[test]
    fn names_lead_to_what_is_within() {
        let narrower = |group_by: &str| Narrower {
            asked: Asked::of("interval=7d&groupBy=x"),
            group_by: group_by.to_owned(),
        };
        for (group_by, key, expected) in [
            ("creator", "pn_1", Some("/?interval=7d&partnerId=pn_1&groupBy=link")),
            ("niche", "a&b", Some("/?interval=7d&niche=a%26b&groupBy=creator")),
            ("country", "DE", Some("/?interval=7d&country=DE&groupBy=creator")),
            ("country", "(none)", None),
            ("code", "MIA10", None),
        ] {
            assert_eq!(narrower(group_by).to(key).as_deref(), expected, "{group_by}");
        }
    }

    #[test]
    fn changes_stand_beside_their_figures() {
        let mut view = sample::page(1, 1);
        view.rows[0].previous = Some(Box::new(RowView {
            clicks: view.rows[0].clicks * 2,
            ..RowView::default()
        }));
        let markup = ranking(&of(&view.rows, &view.totals)).into_string();
        assert!(
            markup.contains("<small class=\"delta down\">▼ −50.0%</small>"),
            "{markup}"
        );
        assert!(markup.contains("<small class=\"delta up\">▲ new</small>"), "{markup}");
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
        assert_eq!(COLUMNS[RATE].title, "Conv.");
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
