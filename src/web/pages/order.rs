//! One order: what was sold and given back, what was found about who brought it, what of that was used and why, and the
//! journey that led to it as a line in time.

use std::collections::BTreeMap;

use maud::{Markup, html};
use serde::Deserialize;

use super::address::of_thing;
use super::filters::{MODELS, words_for};
use super::format;
use super::layout::{self, Place};
use super::names::{Names, told_money};
use super::ranking::bar;
use super::table::Head::{Figures, Words};
use super::table::{name_cell, number_cell, table};

/// An order as the API tells it; lists have it without lines, evidence and touches.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OrderView {
    pub id: String,
    pub store_id: Option<String>,
    /// The shop's id.
    pub external_id: String,
    /// What people call it, such as `#1042`.
    pub name: Option<String>,
    pub ordered_at: String,
    pub currency: String,
    /// After discounts; minor units, as all amounts.
    pub revenue: i64,
    pub discounts: i64,
    pub refunded: i64,
    pub net_revenue: i64,
    pub paid: bool,
    pub test: bool,
    pub cancelled_at: Option<String>,
    /// Why it is set aside.
    pub quarantine: Option<String>,
    pub counted: bool,
    pub credit: CreditView,
    pub lines: Vec<LineView>,
    pub discount_codes: Vec<String>,
    pub flags: Vec<String>,
    pub evidence: Vec<EvidenceView>,
    /// Oldest first.
    pub touches: Vec<TouchView>,
}

/// Who is credited.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CreditView {
    /// `credited`, `held` or `none`.
    pub state: String,
    pub by: Option<String>,
    pub partner_id: Option<String>,
    pub link_id: Option<String>,
    pub held_for: Option<String>,
    /// What the brand ruled.
    pub decision: Option<String>,
    pub reason: Option<String>,
}

/// What was sold.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LineView {
    pub sku: Option<String>,
    pub variant_id: Option<String>,
    pub title: String,
    pub quantity: u64,
    pub amount: i64,
    pub refunded: i64,
    pub net_amount: i64,
}

/// A piece of evidence.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EvidenceView {
    pub kind: String,
    pub used: bool,
    pub why: String,
    pub reason: String,
    pub code: Option<String>,
    pub partner_id: Option<String>,
    pub link_id: Option<String>,
    pub leak_signals: Vec<String>,
    pub at: Option<String>,
    pub click_id: Option<String>,
    pub order_id: Option<String>,
    pub lead_id: Option<String>,
}

/// Something that led to the order.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TouchView {
    pub kind: String,
    pub at: String,
    pub link_id: Option<String>,
    pub partner_id: Option<String>,
    pub in_window: bool,
    pub shares: BTreeMap<String, ShareView>,
}

/// What a touch gets of the order under a model.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ShareView {
    /// Part of the order, from 0 to 1.
    pub orders: Option<f64>,
    pub revenue: i64,
    pub net_revenue: i64,
}

impl OrderView {
    /// What people call it.
    pub fn called(&self) -> &str {
        self.name
            .as_deref()
            .filter(|name| !name.is_empty())
            .unwrap_or(&self.external_id)
    }
}

/// The page of one order.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderPage {
    pub workspace: String,
    pub order: OrderView,
    pub names: Names,
    /// Word of the model under which the journey is shared out.
    pub model: String,
    /// Goes with the brand's word on a credit that is held.
    pub form_token: String,
}

/// The whole page.
pub fn order_page(view: &OrderPage) -> String {
    let order = &view.order;
    let title = format!("Order {}", order.called());
    let content = html! {
        div.heading {
            div {
                h1 { (title) }
                p.help {
                    time datetime=(order.ordered_at) { (format::told_moment(&order.ordered_at)) }
                    " · " (view.names.store(order.store_id.as_deref())) " · " code { (order.id) }
                }
            }
            p.badges { (badges(order)) }
        }
        (credit(view))
        div.sides {
            (sold(order))
            (evidence(view))
        }
        (journey(view))
    };
    layout::console(&title, &view.workspace, Some(Place::Orders), &content)
}

/// What the reader should know at once, in words.
pub fn badges(order: &OrderView) -> Markup {
    let flags = order
        .flags
        .iter()
        .map(String::as_str)
        .filter(|flag| *flag != "not_counted");
    html! {
        @match order.credit.state.as_str() {
            "held" => span.badge.warn { "held" },
            "credited" => span.badge.fine { "credited" },
            _ => span.badge { "nobody's" },
        }
        @if order.test { " " span.badge { "test" } }
        @if let Some(why) = &order.quarantine { " " span.badge.warn { "set aside: " (spaced(why)) } }
        @if !order.paid { " " span.badge { "not paid" } }
        @if order.cancelled_at.is_some() { " " span.badge { "cancelled" } }
        @if order.cancelled_at.is_none() && order.refunded > 0 { " " span.badge { "refunded" } }
        @if !order.counted { " " span.badge { "not counted" } }
        @for flag in flags { " " span.badge.warn { (spaced(flag)) } }
    }
}

/// A word of the API as people write it.
fn spaced(word: &str) -> String {
    word.replace('_', " ")
}

/// What a kind of evidence is called.
pub fn evidence_words(kind: &str) -> &str {
    match kind {
        "single_use_code" => "single-use code",
        "creator_code" => "creator's code",
        "click" => "click",
        "customer" => "earlier order or lead",
        other => other,
    }
}

fn credit(view: &OrderPage) -> Markup {
    let credit = &view.order.credit;
    let held_for = view.names.creator(credit.held_for.as_deref());
    html! {
        section.card aria-labelledby="credit" {
            h2 #credit {
                @match credit.state.as_str() {
                    "held" => { "The credit of " (held_for) " is held" },
                    "credited" => { "Credited to " (view.names.creator(credit.partner_id.as_deref())) },
                    _ => "Nobody is credited",
                }
            }
            @if let Some(reason) = &credit.reason { p { (reason) } }
            @if let Some(decision) = &credit.decision {
                p.help { "You ruled: " (match decision.as_str() { "release" => "credit it", "refuse" => "do not credit it", other => other }) "." }
            }
            @if credit.state == "held" || credit.decision.is_some() {
                form.actions method="post" action={ (of_thing("orders", &view.order.id)) "/credit" } {
                    input type="hidden" name="token" value=(view.form_token);
                    @if credit.decision.as_deref() != Some("release") {
                        button type="submit" name="decision" value="release" { "Credit it" }
                    }
                    @if credit.decision.as_deref() != Some("refuse") {
                        button.quiet type="submit" name="decision" value="refuse" { "Do not credit it" }
                    }
                }
            }
        }
    }
}

fn sold(order: &OrderView) -> Markup {
    let money = |minor| told_money(minor, &order.currency);
    let rows: Vec<Markup> = order.lines.iter().map(|line| line_row(line, &order.currency)).collect();
    html! {
        section.card aria-labelledby="sold" {
            h2 #sold { "What was sold" }
            @if rows.is_empty() {
                p.help { "The shop told no lines." }
            } @else {
                (table("Lines", &[Words("Item"), Figures("Pieces"), Figures("Amount"), Figures("Refunded"), Figures("Net")], &rows))
            }
            dl.sums {
                div { dt { "Discounts" } dd { (money(order.discounts)) } }
                div { dt { "Revenue" } dd { (money(order.revenue)) } }
                div { dt { "Refunded" } dd { (money(order.refunded)) } }
                div { dt { "Net revenue" } dd { b { (money(order.net_revenue)) } } }
            }
            p.help {
                @if order.discount_codes.is_empty() { "No code was used." } @else {
                    "Codes: " @for (place, code) in order.discount_codes.iter().enumerate() {
                        @if place > 0 { ", " } code { (code) }
                    }
                }
            }
        }
    }
}

fn line_row(line: &LineView, currency: &str) -> Markup {
    let number = line.sku.as_deref().or(line.variant_id.as_deref());
    html! {
        (name_cell(&html! { (line.title) @if let Some(number) = number { " " small { (number) } } }))
        (number_cell("Pieces", &format::count(line.quantity)))
        (number_cell("Amount", &told_money(line.amount, currency)))
        (number_cell("Refunded", &told_money(line.refunded, currency)))
        (number_cell("Net", &told_money(line.net_amount, currency)))
    }
}

fn evidence(view: &OrderPage) -> Markup {
    html! {
        section.card aria-labelledby="evidence" {
            h2 #evidence { "Evidence" }
            @if view.order.evidence.is_empty() {
                p.help { "Nothing on the order says who brought it: no code of a creator, no click id, no customer that somebody brought before." }
            }
            ol.evidence {
                @for piece in &view.order.evidence { li class=[piece.used.then_some("used")] { (evidence_piece(piece, &view.names)) } }
            }
        }
    }
}

fn evidence_piece(piece: &EvidenceView, names: &Names) -> Markup {
    html! {
        p {
            b { (first_capital(evidence_words(&piece.kind))) }
            @if let Some(code) = &piece.code { " " code { (code) } }
            " · " (names.creator(piece.partner_id.as_deref()))
            @if piece.used { " " span.badge.fine { "used" } }
            @for signal in &piece.leak_signals { " " span.badge.warn { "leak signal: " (spaced(signal)) } }
        }
        p.help {
            (piece.reason)
            @if let Some(at) = &piece.at { " " (format::told_moment(at)) "." }
            @if piece.link_id.is_some() { " Link " code { (names.link(piece.link_id.as_deref())) } "." }
            @if let Some(order) = &piece.order_id { " " a.file href=(of_thing("orders", order)) { "The earlier order" } }
        }
    }
}

fn first_capital(words: &str) -> String {
    let mut letters = words.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn journey(view: &OrderPage) -> Markup {
    let order = &view.order;
    html! {
        section.card aria-labelledby="journey" {
            div.heading {
                h2 #journey { "Journey, " (words_for(&MODELS, &view.model)) }
                nav.choice aria-label="Attribution" {
                    @for (word, words) in MODELS {
                        a href={ (of_thing("orders", &order.id)) "?model=" (word) }
                            aria-current=[(word == view.model).then_some("page")] { (words) }
                    }
                }
            }
            @if order.touches.is_empty() {
                p.help { "No click or code counts towards this order as it stands." }
            } @else {
                ol.timeline {
                    @for touch in &order.touches { li class=[(!touch.in_window).then_some("outside")] { (touch_row(touch, view)) } }
                    li.end {
                        p { time datetime=(order.ordered_at) { (format::told_moment(&order.ordered_at)) } }
                        p { b { "Ordered" } " · " (told_money(order.revenue, &order.currency)) }
                    }
                }
            }
        }
    }
}

fn touch_row(touch: &TouchView, view: &OrderPage) -> Markup {
    let names = &view.names;
    let share = touch.shares.get(&view.model);
    let part = share.and_then(|share| share.orders);
    let milli = part.map_or(0, |part| (part * 1_000.0).round() as i128);
    html! {
        p { time datetime=(touch.at) { (format::told_moment(&touch.at)) } }
        p {
            b { (names.creator(touch.partner_id.as_deref())) }
            @if let Some(niche) = names.niche(touch.partner_id.as_deref()) { " · " (niche) }
            " · " (match touch.kind.as_str() { "follow" => "earlier click", "code" => "code", "click" => "click that came back", "customer" => "earlier order or lead", other => other })
            @if touch.link_id.is_some() { " on " code { (names.link(touch.link_id.as_deref())) } }
            @if !touch.in_window { " " span.badge { "outside the window" } }
        }
        div.share {
            (bar(milli, 1_000))
            span.number {
                (format::percent(part.or(Some(0.0))))
                @if let Some(share) = share { " · " (told_money(share.net_revenue, &view.order.currency)) }
            }
        }
    }
}

/// A usual order, for tests.
#[cfg(test)]
pub fn sample() -> OrderView {
    OrderView {
        id: "ord_1".into(),
        store_id: Some("store_1".into()),
        external_id: "5001".into(),
        name: Some("#1042".into()),
        ordered_at: "2026-11-20T10:00:00.000Z".into(),
        currency: "EUR".into(),
        revenue: 5_382,
        refunded: 382,
        net_revenue: 5_000,
        paid: true,
        counted: true,
        credit: CreditView {
            state: "credited".into(),
            by: Some("click".into()),
            partner_id: Some("pn_1".into()),
            reason: Some("Click: This decided who is credited.".into()),
            ..CreditView::default()
        },
        ..OrderView::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::pages::tags;

    fn page(order: OrderView) -> OrderPage {
        OrderPage {
            workspace: "Glow".into(),
            order,
            names: Names {
                creators: [("pn_1".to_owned(), ("Mia".to_owned(), Some("clay".to_owned())))].into(),
                ..Names::default()
            },
            model: "linear".into(),
            form_token: "t0ken".into(),
        }
    }

    fn touch(part: f64, in_window: bool) -> TouchView {
        let share = ShareView {
            orders: Some(part),
            revenue: 2_691,
            net_revenue: 2_500,
        };
        TouchView {
            kind: "follow".into(),
            at: "2026-11-19T10:00:00.000Z".into(),
            partner_id: Some("pn_1".into()),
            in_window,
            shares: [("linear".to_owned(), share)].into(),
            ..TouchView::default()
        }
    }

    #[test]
    fn the_journey_tells_who_when_and_how_much() {
        let order = OrderView {
            touches: vec![touch(0.5, true), touch(0.0, false)],
            ..sample()
        };
        let text = order_page(&page(order));
        tags::assert_sound(&text);
        for part in [
            "19 Nov 2026, 10:00 UTC",
            "<b>Mia</b> · clay · earlier click",
            "50.0% · 25.00\u{a0}EUR",
            "outside the window",
            "Credited to Mia",
            "/console/orders/ord_1?model=position",
            "Journey, linear",
        ] {
            assert!(text.contains(part), "{part}");
        }
        assert!(!text.contains("<form class=\"actions\""), "nothing is held");
    }

    #[test]
    fn a_held_credit_can_be_ruled_on_and_the_ruling_changed() {
        let mut order = sample();
        order.credit.state = "held".into();
        order.credit.held_for = Some("pn_1".into());
        let text = order_page(&page(order.clone()));
        let tags = tags::assert_sound(&text);
        let decisions: Vec<_> = tags
            .iter()
            .filter(|tag| tag.value("name") == Some("decision"))
            .collect();
        let values: Vec<_> = decisions.iter().filter_map(|tag| tag.value("value")).collect();
        assert_eq!(values, ["release", "refuse"]);
        assert!(text.contains("name=\"token\" value=\"t0ken\""));
        order.credit.state = "credited".into();
        order.credit.decision = Some("release".into());
        let text = order_page(&page(order));
        assert!(text.contains("You ruled: credit it."));
        assert!(!text.contains("value=\"release\"") && text.contains("value=\"refuse\""));
    }

    #[test]
    fn the_answer_of_the_api_is_read_whole() {
        let told = serde_json::json!({
            "id": "ord_9", "storeId": null, "name": null, "externalId": "77", "currency": "QQQ", "revenue": 5, "test": true,
            "credit": { "state": "none", "by": null }, "quarantine": "currency", "flags": ["shared_click", "not_counted"],
            "lines": [{ "title": "Mug", "sku": "MUG", "quantity": 2, "amount": 5, "refunded": 0, "netAmount": 5 }],
            "touches": [{ "kind": "code", "shares": { "last": { "orders": 1.0 } } }], "new": "ignored",
        });
        let order: OrderView = serde_json::from_value(told).expect("an order");
        assert_eq!((order.called(), order.lines[0].net_amount), ("77", 5));
        let text = order_page(&page(order));
        tags::assert_sound(&text);
        for part in [
            "set aside: currency",
            "shared click",
            "not counted",
            "minor units of QQQ",
            "Mug <small>MUG</small>",
        ] {
            assert!(text.contains(part), "{part}");
        }
    }
}
