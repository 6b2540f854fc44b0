//! The six figures at the head of the page.

use maud::{Markup, html};

use crate::domain::money::Currency;

use super::format;
use super::performance::RowView;

/// The totals as tiles: a name, a figure, and what the figure is made of.
pub fn tiles(totals: &RowView, currency: Currency) -> Markup {
    let amount = |minor| format::amount(minor, currency);
    let customers = match totals.new_customers {
        1 => "1 new customer".to_owned(),
        several => format!("{} new customers", format::count(several)),
    };
    let revenue = format!(
        "{} gross, {} refunded",
        amount(totals.gross_revenue),
        amount(totals.refunds)
    );
    let spent = format!("on {} spent", format::money(totals.spend, currency));
    html! {
        dl.tiles {
            (tile("Clicks", "", &format::count(totals.clicks), "by people, without bots and repeats"))
            (tile("Unique visitors", "", &format::count(totals.unique_visitors), "each counted once"))
            (tile("Orders", "", &format::count(totals.orders), &customers))
            (tile("Conversion rate", "", &format::percent(totals.conversion_rate), "orders per click"))
            (tile("Net revenue", currency.code(), &amount(totals.net_revenue), &revenue))
            (tile("ROI", "", &format::percent(totals.roi), &spent))
        }
    }
}

/// One tile. The unit stands with the name, so that a long amount has the whole width.
fn tile(name: &str, unit: &str, figure: &str, made_of: &str) -> Markup {
    html! {
        div.card {
            dt { (name) @if !unit.is_empty() { " " small { (unit) } } }
            dd.figure { (figure) }
            dd.help { (made_of) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::pages::tags;

    #[test]
    fn figures_are_written_for_people() {
        let totals = RowView {
            clicks: 1_234_567,
            orders: 89,
            new_customers: 12,
            gross_revenue: 1_000_000,
            refunds: 1_050,
            net_revenue: 998_950,
            spend: 0,
            conversion_rate: Some(0.0312),
            roi: None,
            ..RowView::default()
        };
        let markup = tiles(&totals, Currency::EUR).into_string();
        tags::assert_sound(&markup);
        for part in [
            ">1,234,567<",
            ">3.1%<",
            ">Net revenue <small>EUR</small><",
            ">9,989.50<",
            "10,000.00 gross, 10.50 refunded",
            ">–<",
            "on 0.00\u{a0}EUR spent",
            "12 new customers",
        ] {
            assert!(markup.contains(part), "{part}");
        }
    }
}
