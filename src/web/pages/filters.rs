//! What the numbers are about: the form that chooses it, as a GET that can be bookmarked, and what is chosen as a list
//! from which each thing can be taken away.
//!
//! Works without a script: a choice counts once the button is pressed.

use maud::{Markup, html};

use super::address::Asked;

/// The periods to choose from: wire name, name on a button, name in a sentence.
pub const INTERVALS: [(&str, &str, &str); 6] = [
    ("24h", "24h", "Last 24 hours"),
    ("7d", "7d", "Last 7 days"),
    ("30d", "30d", "Last 30 days"),
    ("90d", "90d", "Last 90 days"),
    ("1y", "1y", "Last year"),
    ("all", "All", "All time"),
];

/// What rows may stand for: the word of `groupBy`, one of them, and several.
pub const GROUPS: [(&str, &str, &str); 11] = [
    ("creator", "Creator", "Creators"),
    ("niche", "Niche", "Niches"),
    ("tier", "Tier", "Tiers"),
    ("platform", "Platform", "Platforms"),
    ("campaign", "Campaign", "Campaigns"),
    ("content", "Video or post", "Videos and posts"),
    ("link", "Link", "Links"),
    ("variant", "Variant", "Variants"),
    ("code", "Code", "Codes"),
    ("country", "Country", "Countries"),
    ("store", "Store", "Stores"),
];

/// What rows may be ranked by: the word of `sortBy`, and what people call it.
pub const SORTS: [(&str, &str); 12] = [
    ("netRevenue", "net revenue"),
    ("conversionRateLow", "conversion, lower bound"),
    ("conversionRate", "conversion rate"),
    ("clicks", "clicks"),
    ("uniqueVisitors", "visitors"),
    ("orders", "orders"),
    ("newCustomers", "new customers"),
    ("epc", "earnings per click"),
    ("averageOrder", "average order"),
    ("spend", "spend"),
    ("roas", "ROAS"),
    ("roi", "ROI"),
];

/// How orders may be shared out: the word of `model`, and what people call it.
pub const MODELS: [(&str, &str); 5] = [
    ("last", "last touch"),
    ("first", "first touch"),
    ("linear", "linear"),
    ("time_decay", "time decay"),
    ("position", "by position"),
];

/// Most options of one list: what nobody scrolls through is reached from the ranking's rows, or by its address.
const OPTIONS_MAX: usize = 300;

/// What the lists of the form hold: values and what people call them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Choices {
    pub creators: Vec<(String, String)>,
    pub niches: Vec<(String, String)>,
    pub campaigns: Vec<(String, String)>,
    pub stores: Vec<(String, String)>,
}

/// Something that the numbers are narrowed to.
#[derive(Debug, Clone, PartialEq)]
pub struct Narrowed {
    /// The parameter, such as `partnerId`.
    pub name: &'static str,
    /// What it is, such as `Creator`.
    pub what: &'static str,
    /// What people call its value.
    pub value: String,
}

/// Words for `word` in a list of pairs; a word that is none of ours is shown as it is.
pub fn words_for<'a>(list: &'a [(&'static str, &'static str)], word: &'a str) -> &'a str {
    let known = list.iter().find(|(wire, _)| *wire == word);
    known.map_or(word, |(_, words)| words)
}

/// The period in a sentence.
pub fn period_words(asked: &Asked, default: &str) -> String {
    let zone = asked.get("timezone").unwrap_or("UTC");
    match (asked.get("start"), asked.get("end")) {
        (Some(start), Some(end)) => format!("From {start} to before {end} ({zone})"),
        (Some(start), None) => format!("Since {start} ({zone})"),
        _ => {
            let interval = asked.get("interval").unwrap_or(default);
            let known = INTERVALS.iter().find(|(wire, ..)| *wire == interval);
            known.map_or_else(|| interval.to_owned(), |(_, _, words)| (*words).to_owned())
        }
    }
}

/// The row of periods, each a link that keeps everything else. A period of one's own goes away with it.
pub fn interval_choice(asked: &Asked, path: &str, default: &str) -> Markup {
    let current = match asked.get("start") {
        Some(_) => None,
        None => Some(asked.get("interval").unwrap_or(default)),
    };
    html! {
        nav.choice aria-label="Period" {
            @for (wire, short, words) in INTERVALS {
                @let changed = asked.with(&[("interval", wire), ("start", ""), ("end", ""), ("page", "")]);
                // All time has no period before it.
                @let changed = if wire == "all" { changed.with(&[("compare", "")]) } else { changed };
                a href=(changed.at(path)) title=(words) aria-current=[(current == Some(wire)).then_some("page")] { (short) }
            }
        }
    }
}

/// The form. `currency` is the one that is shown when none is asked for.
pub fn form(asked: &Asked, choices: &Choices, currency: &str) -> Markup {
    let value = |name: &str| asked.get(name).unwrap_or_default();
    let group_by = asked.get("groupBy").unwrap_or("creator");
    let sort_by = asked.get("sortBy").unwrap_or("netRevenue");
    // What other pages narrow to stays; what the form shows is not sent twice.
    let hidden = ["interval", "tier", "platform", "contentId", "linkId"];
    html! {
        form.card.filters method="get" action="/" {
            h2.unseen { "What the numbers are about" }
            @for name in hidden { @if let Some(value) = asked.get(name) { input type="hidden" name=(name) value=(value); } }
            div.fields {
                (select("groupBy", "Rows", group_by, &GROUPS.map(|(wire, _, many)| (wire, many)), None))
                (select("sortBy", "Ranked by", sort_by, &SORTS, None))
                (select("model", "Attribution", value("model"), &MODELS, Some("as your program says")))
                (field("currency", "Currency", value("currency"), "text", currency))
            }
            details open[is_narrowed(asked)] {
                summary { "Filters and own dates" }
                div.fields {
                    (options("partnerId", "Creator", value("partnerId"), &choices.creators))
                    (options("niche", "Niche", value("niche"), &choices.niches))
                    (options("campaignId", "Campaign", value("campaignId"), &choices.campaigns))
                    (options("storeId", "Store", value("storeId"), &choices.stores))
                    (field("country", "Country", value("country"), "text", "DE"))
                    (field("start", "From", value("start"), day_field(value("start")), ""))
                    (field("end", "To before", value("end"), day_field(value("end")), ""))
                    (field("timezone", "Time zone", value("timezone"), "text", "UTC"))
                }
                p.help { "Dates begin at midnight in the time zone, and take the place of the period above." }
            }
            div.form-end {
                label.tick {
                    input type="checkbox" name="compare" value="previous" checked[asked.get("compare").is_some()];
                    span { "Compare with the period before" }
                }
                button type="submit" { "Show" }
            }
        }
    }
}

/// Whether something is chosen that the folded part of the form holds.
fn is_narrowed(asked: &Asked) -> bool {
    let names = [
        "partnerId",
        "niche",
        "campaignId",
        "storeId",
        "country",
        "start",
        "end",
        "timezone",
    ];
    names.iter().any(|name| asked.get(name).is_some())
}

/// Days are chosen in a calendar; an instant that came with the address stays as it is written.
fn day_field(value: &str) -> &'static str {
    let is_day = value.len() == 10 && value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    if value.is_empty() || is_day { "date" } else { "text" }
}

fn field(name: &str, label: &str, value: &str, kind: &str, placeholder: &str) -> Markup {
    html! {
        p.field {
            label for={ "f-" (name) } { (label) }
            input id={ "f-" (name) } name=(name) type=(kind) value=(value)
                placeholder=[Some(placeholder).filter(|text| !text.is_empty())] maxlength="64" spellcheck="false";
        }
    }
}

fn select(name: &str, label: &str, value: &str, list: &[(&str, &str)], none: Option<&str>) -> Markup {
    html! {
        p.field {
            label for={ "f-" (name) } { (label) }
            select id={ "f-" (name) } name=(name) {
                @if let Some(none) = none { option value="" { (none) } }
                @for (wire, words) in list { option value=(wire) selected[*wire == value] { (words) } }
            }
        }
    }
}

/// A list of the brand's own things; what is chosen is in it even when the list is cut.
fn options(name: &str, label: &str, value: &str, list: &[(String, String)]) -> Markup {
    let shown = &list[..list.len().min(OPTIONS_MAX)];
    let is_shown = value.is_empty() || shown.iter().any(|(known, _)| known == value);
    html! {
        p.field {
            label for={ "f-" (name) } { (label) }
            select id={ "f-" (name) } name=(name) {
                option value="" { "all" }
                @if !is_shown {
                    @let words = list.iter().find(|(known, _)| known == value).map_or(value, |(_, words)| words);
                    option value=(value) selected { (words) }
                }
                @for (known, words) in shown { option value=(known) selected[known == value] { (words) } }
            }
        }
    }
}

/// What the numbers are narrowed to, each with the way out of it.
pub fn narrowed(asked: &Asked, list: &[Narrowed]) -> Markup {
    html! {
        @if !list.is_empty() {
            ul.chips aria-label="Only" {
                @for one in list {
                    li {
                        a.chip href=(asked.with(&[(one.name, "")]).at("/")) {
                            span { (one.what) ": " b { (one.value) } }
                            span aria-hidden="true" { "×" }
                            span.unseen { "(take this filter away)" }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::api;
    use crate::web::pages::tags;

    #[test]
    fn the_lists_are_the_apis() {
        assert_eq!(GROUPS.map(|(wire, ..)| wire), api::GROUPS.map(|(wire, _)| wire));
        for (wire, _) in SORTS {
            assert!(api::FIGURES.contains(&wire), "{wire}");
        }
        for (wire, _) in MODELS {
            assert!(crate::domain::attribution::Model::parse(wire).is_some(), "{wire}");
        }
    }

    #[test]
    fn periods_keep_everything_else_but_dates_of_ones_own() {
        let asked = Asked::of("start=2026-11-01&end=2026-11-08&groupBy=niche&compare=previous");
        let markup = interval_choice(&asked, "/", "30d").into_string();
        let tags = tags::assert_sound(&markup);
        let links: Vec<_> = tags.iter().filter_map(|tag| tag.value("href")).collect();
        assert!(
            links.contains(&"/?groupBy=niche&amp;compare=previous&amp;interval=7d"),
            "{links:?}"
        );
        assert!(links.contains(&"/?groupBy=niche&amp;interval=all"), "{links:?}");
        assert!(!markup.contains("aria-current"), "no period of ours is the present one");
        assert_eq!(
            period_words(&asked, "30d"),
            "From 2026-11-01 to before 2026-11-08 (UTC)"
        );
        assert_eq!(period_words(&Asked::default(), "30d"), "Last 30 days");
    }

    #[test]
    fn what_is_chosen_is_shown_chosen() {
        let asked = Asked::of("groupBy=link&sortBy=conversionRateLow&partnerId=pn_999&linkId=link_1&start=2026-11-01");
        let creators = (0..400)
            .map(|no| (format!("pn_{no}"), format!("Creator {no}")))
            .collect();
        let choices = Choices {
            creators,
            ..Choices::default()
        };
        let markup = form(&asked, &choices, "EUR").into_string();
        let tags = tags::assert_sound(&markup);
        let chosen = tags.iter().filter(|tag| tag.value("selected").is_some());
        let chosen: Vec<_> = chosen.filter_map(|tag| tag.value("value")).collect();
        assert_eq!(chosen, ["link", "conversionRateLow", "pn_999"]);
        assert!(markup.contains("<input type=\"hidden\" name=\"linkId\" value=\"link_1\">"));
        assert!(markup.contains("<details open>"));
        assert_eq!(markup.matches("<option value=\"pn_").count(), OPTIONS_MAX + 1);
        assert!(
            form(&Asked::default(), &Choices::default(), "EUR")
                .into_string()
                .contains("<details>")
        );
    }
}
