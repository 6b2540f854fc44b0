//! The list of orders: what shops told, who is credited, and which wait for a word of the brand.

use maud::{Markup, html};

use super::address::{Asked, of_thing};
use super::format;
use super::layout::{self, Place};
use super::names::{Names, told_money};
use super::order::OrderView;
use super::table::Head::{Figures, Words};
use super::table::{cell, name_cell, number_cell, pager, table, text_cell};

/// Orders of one page.
pub const ORDERS_A_PAGE: usize = 50;

/// What orders can be narrowed to: the query that the API knows it by, and its name.
const STATES: [(&str, &str, &str); 6] = [
    ("", "", "All"),
    ("credit", "credited", "Credited"),
    ("credit", "held", "Held"),
    ("credit", "none", "Nobody's"),
    ("quarantined", "true", "Set aside"),
    ("test", "true", "Tests"),
];

/// One page of orders.
#[derive(Debug, Clone, PartialEq)]
pub struct OrdersPage {
    pub workspace: String,
    pub asked: Asked,
    /// The latest first.
    pub orders: Vec<OrderView>,
    pub names: Names,
    /// Number of the page, from 1.
    pub number: u32,
    /// Whether there may be orders beyond this page.
    pub has_more: bool,
}

/// The whole page.
pub fn orders_page(view: &OrdersPage) -> String {
    let turned = |number: u32| {
        let page = if number > 1 { number.to_string() } else { String::new() };
        view.asked.with(&[("page", &page)]).at("/console/orders")
    };
    let before = (view.number > 1).then(|| turned(view.number - 1));
    let after = view.has_more.then(|| turned(view.number + 1));
    let rows: Vec<Markup> = view.orders.iter().map(|order| row(order, &view.names)).collect();
    let content = html! {
        div.heading {
            h1 { "Orders" }
            (states(&view.asked))
        }
        form.search method="get" action="/console/orders" role="search" {
            @for name in ["credit", "quarantined", "test", "partnerId"] {
                @if let Some(value) = view.asked.get(name) { input type="hidden" name=(name) value=(value); }
            }
            label for="search" { "Order number or id" }
            input #search name="search" type="search" value=(view.asked.get("search").unwrap_or_default())
                maxlength="100" placeholder="#1042" spellcheck="false" autocomplete="off";
            button type="submit" { "Find" }
        }
        div.card {
            @if rows.is_empty() {
                (nothing(view))
            } @else {
                (table("Orders", &[Words("Order"), Words("Placed"), Words("Store"), Words("Credited to"), Words("By"), Figures("Net revenue"), Words("State")], &rows))
            }
            (pager(before.as_deref(), after.as_deref()))
        }
    };
    layout::console("Orders", &view.workspace, Some(Place::Orders), &content)
}

fn states(asked: &Asked) -> Markup {
    let plain = asked.with(&[
        ("credit", ""),
        ("quarantined", ""),
        ("test", ""),
        ("page", ""),
        ("search", ""),
    ]);
    let is_present = |name: &str, value: &str| match name {
        "" => ["credit", "quarantined", "test"]
            .iter()
            .all(|name| asked.get(name).is_none()),
        name => asked.get(name) == Some(value),
    };
    html! {
        nav.choice aria-label="State" {
            @for (name, value, words) in STATES {
                @let changed = if name.is_empty() { plain.clone() } else { plain.with(&[(name, value)]) };
                a href=(changed.at("/console/orders")) aria-current=[is_present(name, value).then_some("page")] { (words) }
            }
        }
    }
}

fn row(order: &OrderView, names: &Names) -> Markup {
    let credit = &order.credit;
    let (creator, by) = match credit.state.as_str() {
        "held" => (format!("held for {}", names.creator(credit.held_for.as_deref())), "–"),
        _ => (
            names.creator(credit.partner_id.as_deref()).to_owned(),
            credit.by.as_deref().map_or("–", super::order::evidence_words),
        ),
    };
    html! {
        (name_cell(&html! { a href=(of_thing("orders", &order.id)) { (order.called()) } }))
        (cell("Placed", &html! { time datetime=(order.ordered_at) { (format::told_moment(&order.ordered_at)) } }))
        (text_cell("Store", names.store(order.store_id.as_deref())))
        (text_cell("Credited to", &creator))
        (text_cell("By", by))
        (number_cell("Net revenue", &told_money(order.net_revenue, &order.currency)))
        (cell("State", &super::order::badges(order)))
    }
}

fn nothing(view: &OrdersPage) -> Markup {
    html! {
        @if view.number > 1 {
            p { "There are no older orders." }
        } @else if let Some(search) = view.asked.get("search") {
            h2 { "No order is called " q { (search) } }
            p { "Look for the number as the shop writes it, with or without #, for the shop's id, or for an id that begins with ord_." }
        } @else if view.asked.0.is_empty() {
            h2 { "No orders yet" }
            p {
                "Point your shop's webhooks to the store's webhookUrl (GET /stores tells it), or import what it has: "
                code { "hopcart orders import orders.csv --store store_…" }
            }
        } @else {
            p { "No order is in this state." }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::pages::{order, tags};

    fn page(query: &str, orders: usize) -> OrdersPage {
        OrdersPage {
            workspace: "Glow".into(),
            asked: Asked::of(query),
            orders: (0..orders).map(|_| order::sample()).collect(),
            names: Names::default(),
            number: 2,
            has_more: true,
        }
    }

    #[test]
    fn states_and_pages_are_links() {
        let text = orders_page(&page("credit=held&page=2", 3));
        let tags = tags::assert_sound(&text);
        let links: Vec<_> = tags.iter().filter_map(|tag| tag.value("href")).collect();
        for wanted in [
            "/console/orders",
            "/console/orders?quarantined=true",
            "/console/orders?credit=held&amp;page=3",
            "/console/orders?credit=held",
            "/console/orders/ord_1",
        ] {
            assert!(links.contains(&wanted), "{wanted}: {links:?}");
        }
        let current = tags.iter().filter(|tag| tag.value("aria-current").is_some()).count();
        assert_eq!(current, 2, "the place and the state");
        assert!(text.contains("<input type=\"hidden\" name=\"credit\" value=\"held\">"));
    }

    #[test]
    fn every_empty_list_says_what_to_do() {
        for (query, words) in [
            ("", "orders import"),
            ("test=true", "No order is in this state"),
            ("search=%3Cb%3E", "<q>&lt;b&gt;</q>"),
        ] {
            let view = OrdersPage {
                number: 1,
                has_more: false,
                ..page(query, 0)
            };
            let text = orders_page(&view);
            tags::assert_sound(&text);
            assert!(text.contains(words), "{query}");
        }
    }
}
