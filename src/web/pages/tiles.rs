//! The figures at the head of a page: a name, a figure, what it is made of, and how it changed.

use maud::{Markup, html};

use crate::domain::money::Currency;

use super::delta::delta_line;
use super::format;
use super::performance::RowView;
use super::whisker::{Scale, bounds, whisker};

/// The totals as tiles.
pub fn tiles(totals: &RowView, currency: Currency) -> Markup {
    let amount = |minor| format::amount(minor, currency);
    let customers = match totals.new_customers_milli {
        1_000 => "1 new customer".to_owned(),
        several => format!("{} new customers", format::thousandths(several)),
    };
    let revenue = format!(
        "{} gross, {} refunded",
        amount(totals.gross_revenue),
        amount(totals.refunds)
    );
    let spent = format!("on {} spent", format::money(totals.spend, currency));
    let before = totals.previous.as_deref();
    let count = |count: u64| Some(count as f64);
    html! {
        dl.tiles {
            (tile("Clicks", "", &format::count(totals.clicks), "by people, without bots and repeats",
                before.map(|was| delta_line(count(totals.clicks), count(was.clicks), &format::count(was.clicks)))))
            (tile("Unique visitors", "", &format::maybe_count(totals.unique_visitors), "each counted once",
                before.map(|was| delta_line(totals.unique_visitors.and_then(count), was.unique_visitors.and_then(count),
                    &format::maybe_count(was.unique_visitors)))))
            (tile("Orders", "", &format::thousandths(totals.orders_milli), &customers,
                before.map(|was| delta_line(count(totals.orders_milli), count(was.orders_milli),
                    &format::thousandths(was.orders_milli)))))
            (rate_tile(totals))
            (tile("Net revenue", currency.code(), &amount(totals.net_revenue), &revenue,
                before.map(|was| delta_line(Some(totals.net_revenue as f64), Some(was.net_revenue as f64),
                    &amount(was.net_revenue)))))
            (tile("ROI", "", &format::percent(totals.roi), &spent,
                before.map(|was| delta_line(totals.roi, was.roi, &format::percent(was.roi)))))
        }
    }
}

/// One tile. The unit stands with the name, so that a long amount has the whole width.
pub fn tile(name: &str, unit: &str, figure: &str, made_of: &str, change: Option<Markup>) -> Markup {
    html! {
        div.card {
            dt { (name) @if !unit.is_empty() { " " small { (unit) } } }
            dd.figure { (figure) }
            dd.help { (made_of) }
            @if let Some(change) = change { (change) }
        }
    }
}

/// The conversion rate with what it is worth.
pub fn rate_tile(totals: &RowView) -> Markup {
    let interval = totals.conversion;
    let scale = Scale::of([(totals.clicks, interval.map(|(_, high)| high * 1.5))].into_iter());
    let change = totals.previous.as_deref().map(|was| {
        delta_line(
            totals.conversion_rate,
            was.conversion_rate,
            &format::percent(was.conversion_rate),
        )
    });
    html! {
        div.card {
            dt { "Conversion rate" }
            dd.figure { (format::percent(totals.conversion_rate)) }
            dd.help {
                (whisker(totals.conversion_rate, interval, scale))
                @if interval.is_some() { (bounds(interval)) ", 95% sure" } @else { "orders per click" }
            }
            @if let Some(change) = change { (change) }
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
            orders_milli: 89_500,
            new_customers_milli: 12_000,
            gross_revenue: 1_000_000,
            refunds: 1_050,
            net_revenue: 998_950,
            spend: 0,
            conversion_rate: Some(0.0312),
            conversion: Some((0.0301, 0.0333)),
            roi: None,
            ..RowView::default()
        };
        let markup = tiles(&totals, Currency::EUR).into_string();
        tags::assert_sound(&markup);
        for part in [
            ">1,234,567<",
            ">89.5<",
            ">3.1%<",
            "3.0–3.3%, 95% sure",
            ">Net revenue <small>EUR</small><",
            ">9,989.50<",
            "10,000.00 gross, 10.50 refunded",
            ">–<",
            "on 0.00\u{a0}EUR spent",
            "12 new customers",
        ] {
            assert!(markup.contains(part), "{part}: {markup}");
        }
        assert!(!markup.contains("was "), "nothing is compared");
    }

    #[test]
    fn every_tile_tells_how_it_changed() {
        let was = RowView {
            clicks: 1_000,
            unique_visitors: Some(500),
            orders_milli: 10_000,
            net_revenue: 500,
            conversion_rate: Some(0.01),
            ..RowView::default()
        };
        let totals = RowView {
            clicks: 1_123,
            unique_visitors: Some(500),
            orders_milli: 9_000,
            net_revenue: 1_000,
            conversion_rate: Some(0.02),
            previous: Some(Box::new(was)),
            ..RowView::default()
        };
        let markup = tiles(&totals, Currency::EUR).into_string();
        for part in [
            "▲ +12.3%</span>, was 1,000<",
            "= 0.0%</span>, was 500<",
            "▼ −10.0%</span>, was 10<",
            "▲ +100.0%</span>, was 1.0%<",
            "▲ +100.0%</span>, was 5.00<",
        ] {
            assert!(markup.contains(part), "{part}: {markup}");
        }
    }
}
