//! Experiments: which links try something out, and one of them with what each variant brought, how sure that is, and the
//! winner or what is missing.

use maud::{Markup, html};
use serde::Deserialize;

use super::address::of_thing;
use super::format;
use super::layout::{self, Place};
use super::names::told_money;
use super::ranking::bar;
use super::table::Head::Words;
use super::table::{name_cell, pager, table, text_cell};
use super::whisker::{Scale, whisker};
use crate::domain::money::{self, Currency};

/// Experiments of one page of the list.
pub const EXPERIMENTS_A_PAGE: usize = 50;

/// A link in the list.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TriedOut {
    pub link_id: String,
    pub slug: String,
    /// `planned`, `running` or `completed`, as the API says.
    pub status: String,
    pub started_at: String,
    pub variants: usize,
}

/// The list of experiments.
#[derive(Debug, Clone, PartialEq)]
pub struct ExperimentsPage {
    pub workspace: String,
    pub links: Vec<TriedOut>,
    pub number: u32,
    pub has_more: bool,
}

/// The whole list.
pub fn experiments_page(view: &ExperimentsPage) -> String {
    let row = |tried: &TriedOut| {
        html! {
            (name_cell(&html! { a href={ (of_thing("links", &tried.link_id)) "/experiment" } { (tried.slug) } }))
            (text_cell("Status", &tried.status))
            (text_cell("Begun", &format::told_moment(&tried.started_at)))
            (text_cell("Variants", &tried.variants.to_string()))
        }
    };
    let rows: Vec<Markup> = view.links.iter().map(row).collect();
    let turned = |number: u32| format!("/console/experiments?page={number}");
    let before = (view.number > 1).then(|| turned(view.number - 1));
    let after = view.has_more.then(|| turned(view.number + 1));
    let content = html! {
        h1 { "Experiments" }
        div.card {
            @if rows.is_empty() {
                h2 { "Nothing is tried out yet" }
                p { "Give a link two to eight " code { "testVariants" } ", such as another page, cart or code:" }
                pre { code { "PATCH /links/{id}  {\"testVariants\": [{\"url\": \"…\", \"percentage\": 50}, {\"url\": \"…\", \"percentage\": 50}]}" } }
            } @else {
                (table("Experiments", &[Words("Link"), Words("Status"), Words("Begun"), Words("Variants")], &rows))
            }
            (pager(before.as_deref(), after.as_deref()))
        }
    };
    layout::console("Experiments", &view.workspace, Some(Place::Experiments), &content)
}

/// An experiment as the API tells it.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ExperimentView {
    pub link_id: String,
    /// Slug of the link.
    pub key: String,
    pub status: String,
    pub test_started_at: String,
    pub test_completed_at: Option<String>,
    pub counted_since: String,
    pub partial_before: Option<String>,
    pub currency: String,
    pub variants: Vec<VariantView>,
    pub sample_ratio: Option<SampleRatio>,
    pub winner: Option<WinnerView>,
    /// Why nobody has won.
    pub reasons: Vec<String>,
}

/// One variant.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VariantView {
    pub variant: u8,
    pub name: Option<String>,
    pub url: Option<String>,
    pub percentage: u8,
    pub visitors: u64,
    pub clicks: u64,
    pub checkout_taps: u64,
    pub conversions: u64,
    /// Less refunds; minor units.
    pub revenue: i64,
    pub conversion_rate: Option<f64>,
    pub conversion_rate_low: f64,
    pub conversion_rate_high: f64,
    /// Minor units.
    pub revenue_per_visitor: Option<f64>,
    pub revenue_per_visitor_low: Option<f64>,
    pub revenue_per_visitor_high: Option<f64>,
    pub probability_to_be_best: Option<f64>,
}

/// Whether visitors were assigned as they were to be.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SampleRatio {
    pub p_value: f64,
    pub is_mismatch: bool,
}

/// Who won.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WinnerView {
    pub variant: u8,
    pub name: Option<String>,
}

/// The page of one experiment.
pub fn experiment_page(workspace: &str, view: &ExperimentView) -> String {
    let title = format!("Experiment on {}", view.key);
    let content = html! {
        div.heading {
            div {
                h1 { (title) }
                p.help {
                    (view.status) " · begun " (format::told_moment(&view.test_started_at))
                    @if let Some(end) = &view.test_completed_at { " · ended " (format::told_moment(end)) }
                    " · counted since " (format::told_moment(&view.counted_since))
                }
            }
        }
        (verdict(view))
        @if let Some(ratio) = &view.sample_ratio { (sample_ratio(ratio)) }
        @if let Some(before) = &view.partial_before {
            p.notes { "Clicks before " (format::told_moment(before)) " were removed by age: the counts are not whole." }
        }
        div.arms { @for variant in &view.variants { (arm(variant, view)) } }
        p.help {
            "The line under a figure shows where it lies with 95% probability; the mark is what was counted. "
            "Everybody keeps their variant. Revenue is less refunds."
        }
    };
    layout::console(&title, workspace, Some(Place::Experiments), &content)
}

fn verdict(view: &ExperimentView) -> Markup {
    html! {
        section.card aria-labelledby="verdict" {
            @match &view.winner {
                Some(winner) => {
                    h2 #verdict { "Variant " (winner.variant) @if let Some(name) = &winner.name { ", " (name) "," } " has won" }
                    p { "Send everybody there: make it the link's own destination and take the variants away." }
                },
                None => {
                    h2 #verdict { "No winner yet" }
                    @if !view.reasons.is_empty() {
                        p { "What is missing:" }
                        ul { @for reason in &view.reasons { li { (reason) } } }
                    }
                },
            }
        }
    }
}

fn sample_ratio(ratio: &SampleRatio) -> Markup {
    html! {
        @if ratio.is_mismatch {
            p.refused role="alert" {
                "Visitors were not shared out as they were to be (p = " (short(ratio.p_value)) "): something loses the visitors of one "
                "variant. No winner is named; look for a variant that redirects, fails or is blocked."
            }
        } @else {
            p.help { "Visitors were shared out as they were to be (p = " (short(ratio.p_value)) ")." }
        }
    }
}

fn short(p_value: f64) -> String {
    if p_value < 0.0001 {
        "< 0.0001".to_owned()
    } else {
        format!("{p_value:.4}")
    }
}

fn arm(variant: &VariantView, view: &ExperimentView) -> Markup {
    let rate_scale = Scale::of(
        view.variants
            .iter()
            .map(|other| (other.visitors, Some(other.conversion_rate_high))),
    );
    let money_scale = Scale::of(
        view.variants
            .iter()
            .map(|other| (other.visitors, other.revenue_per_visitor_high)),
    );
    let money_interval = variant.revenue_per_visitor_low.zip(variant.revenue_per_visitor_high);
    let is_winner = view
        .winner
        .as_ref()
        .is_some_and(|winner| winner.variant == variant.variant);
    let best = variant.probability_to_be_best;
    let mean = |minor: Option<f64>| match money::currency(&view.currency) {
        Some(currency) => format::mean_amount(minor, currency),
        None => format::mean_amount(minor, Currency::EUR),
    };
    html! {
        section.card.arm aria-label={ "Variant " (variant.variant) } {
            div.heading {
                h2 { (variant.variant) ". " (variant.name.as_deref().or(variant.url.as_deref()).unwrap_or("cart")) }
                @if is_winner { span.badge.fine { "winner" } }
            }
            p.help {
                (variant.percentage) "% of visitors" @if variant.name.is_some() { @if let Some(url) = &variant.url { " · " (url) } }
            }
            dl.sums {
                div { dt { "Visitors" } dd { (format::count(variant.visitors)) } }
                div { dt { "Checkout taps" } dd { (format::count(variant.checkout_taps)) } }
                div { dt { "Orders" } dd { (format::count(variant.conversions)) } }
                div { dt { "Revenue" } dd { (told_money(variant.revenue, &view.currency)) } }
            }
            p.measure { span { "Conversion" } b { (format::percent(variant.conversion_rate)) } }
            (whisker(variant.conversion_rate, Some((variant.conversion_rate_low, variant.conversion_rate_high)), rate_scale))
            p.help {
                (format::percent(Some(variant.conversion_rate_low))) " to " (format::percent(Some(variant.conversion_rate_high)))
            }
            p.measure { span { "Revenue per visitor, " (view.currency) } b { (mean(variant.revenue_per_visitor)) } }
            (whisker(variant.revenue_per_visitor, money_interval, money_scale))
            p.help {
                @match money_interval {
                    Some((low, high)) => { (mean(Some(low))) " to " (mean(Some(high))) },
                    None => "too few orders to say",
                }
            }
            p.measure { span { "Probability to be best" } b { (format::percent(best)) } }
            (bar(best.map_or(0, |best| (best * 1_000.0).round() as i128), 1_000))
        }
    }
}

#[cfg(test)]
pub mod samples {
    use super::*;

    pub fn experiment(name: &str) -> ExperimentView {
        let variant = |number: u8, best: f64| VariantView {
            variant: number,
            name: Some(format!("{name} {number}")),
            url: Some("https://shop.example/cart/1:1".into()),
            percentage: 50,
            visitors: 1_000,
            conversions: 80,
            revenue: 400_000,
            conversion_rate: Some(0.08),
            conversion_rate_low: 0.065,
            conversion_rate_high: 0.098,
            revenue_per_visitor: Some(400.0),
            revenue_per_visitor_low: Some(320.0),
            revenue_per_visitor_high: Some(470.0),
            probability_to_be_best: Some(best),
            ..VariantView::default()
        };
        ExperimentView {
            link_id: "link_1".into(),
            key: name.into(),
            status: "running".into(),
            test_started_at: "2026-11-01T00:00:00.000Z".into(),
            counted_since: "2026-11-01T00:00:00.000Z".into(),
            currency: "EUR".into(),
            variants: vec![variant(1, 0.4), variant(2, 0.6)],
            sample_ratio: Some(SampleRatio {
                p_value: 0.62,
                is_mismatch: false,
            }),
            reasons: vec!["variant 1 has 80 of 100 orders".into()],
            ..ExperimentView::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::pages::tags;

    #[test]
    fn no_winner_says_what_is_missing() {
        let text = experiment_page("Glow", &samples::experiment("tour"));
        tags::assert_sound(&text);
        for part in [
            "No winner yet",
            "<li>variant 1 has 80 of 100 orders</li>",
            "4.00",
            "3.20 to 4.70",
            ">60.0%<",
            "p = 0.6200",
        ] {
            assert!(text.contains(part), "{part}");
        }
        assert_eq!(text.matches("class=\"range\"").count(), 4);
    }

    #[test]
    fn a_mismatch_is_an_alarm_and_a_winner_is_named() {
        let mut view = samples::experiment("tour");
        view.sample_ratio = Some(SampleRatio {
            p_value: 0.000_000_1,
            is_mismatch: true,
        });
        view.winner = Some(WinnerView {
            variant: 2,
            name: Some("tour 2".into()),
        });
        let text = experiment_page("Glow", &view);
        let tags = tags::assert_sound(&text);
        assert!(tags.iter().any(|tag| tag.value("role") == Some("alert")));
        assert!(text.contains("p = &lt; 0.0001") && text.contains("Variant 2, tour 2, has won"));
        assert_eq!(text.matches("badge fine").count(), 1);
    }

    #[test]
    fn an_empty_list_says_what_to_do() {
        let view = ExperimentsPage {
            workspace: "Glow".into(),
            links: Vec::new(),
            number: 1,
            has_more: false,
        };
        assert!(experiments_page(&view).contains("testVariants"));
    }
}
